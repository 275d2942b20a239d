// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace maquette::kernel {

/// A pair of numbers down and across.
struct extent2 {
  int y = 1;
  int x = 1;

  constexpr std::size_t area() const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(x);
  }
};

/// The sizes of a convolution, known at run time: any kernel, stride and zero padding.
struct conv2d_geometry {
  int in_channels = 1;
  int out_channels = 1;
  int height = 1;  ///< of the input
  int width = 1;
  extent2 kernel{};
  extent2 stride{};
  extent2 padding{0, 0};
  /// 3x3 kernels may go by Winograd's algorithm, at five times the weights, and 1x1 kernels by
  /// Strassen's, at 2.75 times.
  bool may_transform = true;

  constexpr int out_height() const { return (height + 2 * padding.y - kernel.y) / stride.y + 1; }
  constexpr int out_width() const { return (width + 2 * padding.x - kernel.x) / stride.x + 1; }
  constexpr int out_pixels() const { return out_height() * out_width(); }
  /// How many values of the input one value of the output is made of.
  constexpr int patch_size() const { return kernel.y * kernel.x * in_channels; }
  /// Whether a pixel's patch is the pixel itself.
  constexpr bool is_pointwise() const {
    return kernel.y * kernel.x == 1 && stride.y == 1 && stride.x == 1 && padding.y == 0 &&
           padding.x == 0;
  }
};

/// The sizes of a max-pool without padding.
struct pool_geometry {
  int channels = 1;
  int height = 1;  ///< of the input
  int width = 1;
  int kernel = 2;
  int stride = 2;

  constexpr int out_height() const { return (height - kernel) / stride + 1; }
  constexpr int out_width() const { return (width - kernel) / stride + 1; }
};

/// One factor and one term a channel: scale * x + shift.
struct affine {
  const float* scale = nullptr;
  const float* shift = nullptr;
};

/// The last channels of each input pixel, where they lie in a map of their own.
struct other_channels {
  const float* in = nullptr;
  int count = 0;
};

/// What a product does to its input and its output on the way, at no extra pass over memory.
///
/// out = addend + relu(bias + weights * relu(scale * in + shift)), each part only if it is set.
struct fusion {
  affine prologue{};              ///< on the input, before the zero padding
  bool relu = false;              ///< after the bias
  const float* addend = nullptr;  ///< laid out as the output, and may be the output itself
  other_channels beside{};        ///< of 1x1 kernels of stride 1 that have no prologue
};

}  // namespace maquette::kernel
