// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "maquette/core/assert.hpp"
#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"

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

/// Output channels are computed side by side, a panel of two vectors at a time.
inline constexpr int panel_width = 2 * simd::width;
/// Pixels in registers at a time: their sums, a panel's row and a broadcast value must fit.
inline constexpr int tile_rows = simd::registers >= 32 ? 8 : 6;
/// Pixels that share a panel of weights while it is in the cache.
inline constexpr int block_pixels = 32;
/// Values of a block's patches that are laid out next to each other on the stack (32 KB).
inline constexpr int patch_capacity = 8192;
/// Larger patches are read where they lie, unless a prologue has to be applied on the way.
inline constexpr int small_patch = 256;

inline constexpr int longest_run = 256;
alignas(64) inline constexpr float zeros[longest_run] = {};

constexpr int panel_count(int out_channels) {
  return (out_channels + panel_width - 1) / panel_width;
}

}  // namespace detail

/// How many floats the packed weights and bias of a convolution take.
constexpr std::size_t conv2d_packed_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(detail::panel_count(g.out_channels)) * detail::panel_width *
         static_cast<std::size_t>(g.patch_size() + 1);
}

/// Lays out weights [O, I, kh, kw] and bias [O] for `conv2d`: first the bias, then panels of output
/// channels, [panel][ky][kx][i][o in panel], all padded with zeros to whole panels.
///
/// A batch norm that follows the convolution directly is folded in double precision:
/// weight' = scale * weight, bias' = scale * bias + shift.
inline void conv2d_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                        const batch_norm_parameters* norm, float* packed) {
  const int taps = g.kernel.y * g.kernel.x;
  const int padded = detail::panel_count(g.out_channels) * detail::panel_width;
  std::fill_n(packed, conv2d_packed_size(g), 0.0F);
  for (int o = 0; o < g.out_channels; ++o) {
    const double scale = norm != nullptr ? norm->scale(o) : 1.0;
    const double shift = norm != nullptr ? norm->shift(o) : 0.0;
    packed[o] = static_cast<float>(scale * bias[o] + shift);
    float* column = packed + padded +
                    static_cast<std::ptrdiff_t>(o / detail::panel_width) * g.patch_size() *
                        detail::panel_width +
                    o % detail::panel_width;
    const float* from = weight + static_cast<std::ptrdiff_t>(o) * g.patch_size();
    for (int i = 0; i < g.in_channels; ++i)
      for (int tap = 0; tap < taps; ++tap)
        column[static_cast<std::ptrdiff_t>(tap * g.in_channels + i) * detail::panel_width] =
            static_cast<float>(scale * *from++);
  }
}

namespace detail {

/// sum[row] += the row's values times a panel's rows: the inner loop of every product.
template <int Rows>
MAQUETTE_INLINE void multiply(simd::vector (&sum)[Rows][2], const float* const (&row)[Rows],
                              const float* panel, int depth) {
  for (int k = 0; k < depth; ++k, panel += panel_width) {
    const simd::vector left = simd::load(panel);
    const simd::vector right = simd::load(panel + simd::width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const simd::vector value = simd::broadcast(row[r][k]);
      sum[r][0] += value * left;
      sum[r][1] += value * right;
    }
  }
}

/// One call's arguments, and what follows from them.
struct conv2d_call {
  const conv2d_geometry& g;
  const fusion& with;
  const float* in;
  const float* bias;
  const float* panels;
  float* out;
  int out_width;
  int out_pixels;

  bool gathers() const { return with.prologue.scale != nullptr || g.patch_size() <= small_patch; }
  int pixels_a_block() const {
    return gathers() ? std::clamp(patch_capacity / g.patch_size(), 1, block_pixels) : block_pixels;
  }
  const float* pixel(int y, int x) const {
    return in + (static_cast<std::ptrdiff_t>(y) * g.width + x) * g.in_channels;
  }
  const float* panel(int index) const {
    return panels + static_cast<std::ptrdiff_t>(index) * g.patch_size() * panel_width;
  }
};

/// to = relu(scale * from + shift) over the channels of so many pixels.
inline void copy_prologue(affine by, int channels, int pixels, const float* from, float* to) {
  for (int pixel = 0; pixel < pixels; ++pixel, from += channels, to += channels) {
    int c = 0;
    for (; c + simd::width <= channels; c += simd::width)
      simd::store(to + c, simd::relu(simd::load(from + c) * simd::load(by.scale + c) +
                                     simd::load(by.shift + c)));
    for (; c < channels; ++c) {
      const float value = from[c] * by.scale[c] + by.shift[c];
      to[c] = value < 0 ? 0 : value;
    }
  }
}

/// Writes the patch of one output pixel, [ky][kx][i], with zeros where it leaves the picture.
inline float* gather_patch(const conv2d_call& call, int pixel, float* to) {
  const conv2d_geometry& g = call.g;
  const int top = pixel / call.out_width * g.stride.y - g.padding.y;
  const int left = pixel % call.out_width * g.stride.x - g.padding.x;
  const int first = std::clamp(-left, 0, g.kernel.x);
  const int last = std::clamp(g.width - left, first, g.kernel.x);
  for (int ky = 0; ky < g.kernel.y; ++ky) {
    const int y = top + ky;
    const bool inside = y >= 0 && y < g.height && last > first;
    const int begin = inside ? first : g.kernel.x;
    const int end = inside ? last : g.kernel.x;
    to = std::fill_n(to, begin * g.in_channels, 0.0F);
    if (inside && call.with.prologue.scale != nullptr) {
      copy_prologue(call.with.prologue, g.in_channels, end - begin, call.pixel(y, left + begin),
                    to);
      to += static_cast<std::ptrdiff_t>(end - begin) * g.in_channels;
    } else if (inside) {
      to = std::copy_n(call.pixel(y, left + begin), (end - begin) * g.in_channels, to);
    }
    to = std::fill_n(to, (g.kernel.x - end) * g.in_channels, 0.0F);
  }
  return to;
}

/// Adds up the products of a tile whose patches lie where they are: for each tap, each pixel's
/// channels are one run of memory, or zeros outside of the picture.
template <int Rows>
MAQUETTE_INLINE void multiply_in_place(const conv2d_call& call, int pixel, int panel,
                                       simd::vector (&sum)[Rows][2]) {
  const conv2d_geometry& g = call.g;
  const float* weights = call.panel(panel);
  int top[Rows];
  int left[Rows];
  for (int r = 0; r < Rows; ++r) {
    top[r] = (pixel + r) / call.out_width * g.stride.y - g.padding.y;
    left[r] = (pixel + r) % call.out_width * g.stride.x - g.padding.x;
  }
  const float* row[Rows];
  for (int ky = 0; ky < g.kernel.y; ++ky) {
    for (int kx = 0; kx < g.kernel.x; ++kx) {
      for (int c = 0; c < g.in_channels; c += longest_run) {
        const int depth = std::min(longest_run, g.in_channels - c);
        for (int r = 0; r < Rows; ++r) {
          const int y = top[r] + ky;
          const int x = left[r] + kx;
          const bool inside = y >= 0 && y < g.height && x >= 0 && x < g.width;
          row[r] = inside ? call.pixel(y, x) + c : zeros;
        }
        multiply<Rows>(sum, row, weights, depth);
        weights += static_cast<std::ptrdiff_t>(depth) * panel_width;
      }
    }
  }
}

/// Bias, ReLU and addend of one vector of output channels.
MAQUETTE_INLINE void finish(const fusion& with, simd::vector sum, const float* bias,
                            const float* addend, float* out) {
  simd::vector value = sum + simd::load(bias);
  if (with.relu) value = simd::relu(value);
  if (addend != nullptr) value += simd::load(addend);
  simd::store(out, value);
}

/// Writes the output channels of one panel at one pixel; the last panel may be cut short.
MAQUETTE_INLINE void finish_pixel(const conv2d_call& call, int pixel, int panel,
                                  const simd::vector (&sum)[2]) {
  const int channel = panel * panel_width;
  const int count = std::min(panel_width, call.g.out_channels - channel);
  const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(pixel) * call.g.out_channels + channel;
  const float* bias = call.bias + channel;
  const float* addend = call.with.addend != nullptr ? call.with.addend + at : nullptr;
  if (count == panel_width) {
    finish(call.with, sum[0], bias, addend, call.out + at);
    finish(call.with, sum[1], bias + simd::width, addend ? addend + simd::width : nullptr,
           call.out + at + simd::width);
    return;
  }
  float whole_addend[panel_width] = {};
  float whole[panel_width];
  if (addend != nullptr) std::copy_n(addend, count, whole_addend);
  const float* first = addend != nullptr ? whole_addend : nullptr;
  const float* second = addend != nullptr ? whole_addend + simd::width : nullptr;
  finish(call.with, sum[0], bias, first, whole);
  finish(call.with, sum[1], bias + simd::width, second, whole + simd::width);
  std::copy_n(whole, count, call.out + at);
}

/// One tile of output: so many pixels, one panel of channels. `patches` are the gathered patches of
/// the tile, or null.
template <int Rows>
void conv2d_tile(const conv2d_call& call, const float* patches, int pixel, int panel) {
  simd::vector sum[Rows][2] = {};
  if (patches != nullptr) {
    const float* row[Rows];
    for (int r = 0; r < Rows; ++r)
      row[r] = patches + static_cast<std::ptrdiff_t>(r) * call.g.patch_size();
    multiply<Rows>(sum, row, call.panel(panel), call.g.patch_size());
  } else {
    multiply_in_place<Rows>(call, pixel, panel, sum);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) finish_pixel(call, pixel + r, panel, sum[r]);
}

/// One block of pixels times panels [first, last).
inline void conv2d_block(const conv2d_call& call, int block, int first, int last) {
  alignas(64) float gathered[patch_capacity];
  const int begin = block * call.pixels_a_block();
  const int end = std::min(begin + call.pixels_a_block(), call.out_pixels);
  if (call.gathers()) {
    float* to = gathered;
    for (int pixel = begin; pixel < end; ++pixel) to = gather_patch(call, pixel, to);
  }
  const auto patches = [&](int pixel) {
    return call.gathers()
               ? gathered + static_cast<std::ptrdiff_t>(pixel - begin) * call.g.patch_size()
               : nullptr;
  };
  for (int panel = first; panel < last; ++panel) {
    int pixel = begin;
    for (; pixel + tile_rows <= end; pixel += tile_rows)
      conv2d_tile<tile_rows>(call, patches(pixel), pixel, panel);
    for (; pixel + 4 <= end; pixel += 4) conv2d_tile<4>(call, patches(pixel), pixel, panel);
    for (; pixel < end; ++pixel) conv2d_tile<1>(call, patches(pixel), pixel, panel);
  }
}

}  // namespace detail

/// Convolution of a feature map [H, W, C], as `reference::conv2d`, with weights from `conv2d_pack`.
///
/// A product of pixels and packed panels of output channels whose patches are read in place. The
/// work is split by the geometry alone and each value is summed in one order, so that the bits are
/// the same on any number of threads. With a prologue a patch may have 8192 values.
inline void conv2d(const cpu& backend, const conv2d_geometry& g, const float* in,
                   const float* packed, float* out, const fusion& with = {}) {
  MAQUETTE_ASSERT(with.prologue.scale == nullptr || g.patch_size() <= detail::patch_capacity,
                  "conv2d: this patch is too large for a prologue");
  const int panels = detail::panel_count(g.out_channels);
  const detail::conv2d_call call{g,
                                 with,
                                 in,
                                 packed,
                                 packed + static_cast<std::ptrdiff_t>(panels) * detail::panel_width,
                                 out,
                                 g.out_width(),
                                 g.out_pixels()};
  const int a_block = call.pixels_a_block();
  const int blocks = (call.out_pixels + a_block - 1) / a_block;
  // Few pixels: share out the panels too, for the sake of many threads.
  constexpr int enough = 16;
  const int groups = std::clamp((enough + blocks - 1) / blocks, 1, panels);
  const int panels_a_group = (panels + groups - 1) / groups;
  const std::size_t tasks = static_cast<std::size_t>(blocks) * static_cast<std::size_t>(groups);
  backend.threads.for_each(tasks, [&](std::size_t index) {
    const int block = static_cast<int>(index) / groups;
    const int first = static_cast<int>(index) % groups * panels_a_group;
    detail::conv2d_block(call, block, first, std::min(first + panels_a_group, panels));
  });
}

}  // namespace maquette::kernel
