// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"
#include "maquette/kernel/winograd.hpp"

namespace maquette::kernel {

/// The parameters of a trained batch norm, one value a channel.
///
/// y = (x - mean) / sqrt(variance + 1e-5) * weight + bias
struct batch_norm_parameters {
  const float* weight = nullptr;
  const float* bias = nullptr;
  const float* mean = nullptr;
  const float* variance = nullptr;

  double scale(int channel) const {
    constexpr double epsilon = 1e-5;
    return weight[channel] / std::sqrt(variance[channel] + epsilon);
  }
  double shift(int channel) const { return bias[channel] - mean[channel] * scale(channel); }
};

namespace detail {

/// The bias and the panels of the product, without what Winograd's algorithm adds.
constexpr std::size_t product_packed_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(padded_channels(g.out_channels)) *
         static_cast<std::size_t>(g.patch_size() + 1);
}

}  // namespace detail

/// How many floats the packed weights and bias of a convolution take; the size of the map is none
/// of its business.
constexpr std::size_t conv2d_packed_size(const conv2d_geometry& g) {
  return detail::product_packed_size(g) +
         (detail::winograd_prepares(g) ? detail::winograd_weights_size<float>(g) : 0);
}

/// Lays out weights [O, I, kh, kw] and bias [O] for `conv2d`: the bias, then panels of output
/// channels, [panel][ky][kx][i][o in panel], then Winograd's weights where they serve.
///
/// A batch norm that follows the convolution directly is folded in double precision:
/// weight' = scale * weight, bias' = scale * bias + shift.
inline void conv2d_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                        const batch_norm_parameters* norm, float* packed) {
  const int taps = g.kernel.y * g.kernel.x;
  std::fill_n(packed, conv2d_packed_size(g), 0.0F);
  float* panels = packed + detail::padded_channels(g.out_channels);
  float* points = packed + detail::product_packed_size(g);
  for (int o = 0; o < g.out_channels; ++o) {
    const double scale = norm != nullptr ? norm->scale(o) : 1.0;
    const double shift = norm != nullptr ? norm->shift(o) : 0.0;
    packed[o] = static_cast<float>(scale * bias[o] + shift);
    const float* from = weight + static_cast<std::ptrdiff_t>(o) * g.patch_size();
    if (detail::winograd_prepares(g)) detail::winograd_pack(g, o, scale, from, points);
    const int panel_width = detail::panel_width(g.out_channels);
    const int panel = o / panel_width;
    const int width = detail::width_of_panel(g.out_channels, panel);
    float* column = panels + static_cast<std::ptrdiff_t>(panel) * g.patch_size() * panel_width +
                    o % panel_width;
    for (int i = 0; i < g.in_channels; ++i)
      for (int tap = 0; tap < taps; ++tap)
        column[static_cast<std::ptrdiff_t>(tap * g.in_channels + i) * width] =
            static_cast<float>(scale * *from++);
  }
}

}  // namespace maquette::kernel
