// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/core/assert.hpp"
#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/conv2d_pack.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"
#include "maquette/kernel/winograd.hpp"

namespace maquette::kernel {

namespace detail {

/// Pixels that share a panel of weights while it is in the cache: whole tiles, about 32.
inline constexpr int block_pixels = (32 + tile_rows - 1) / tile_rows * tile_rows;
/// Values of a block's patches that a prologue lays out next to each other on the stack (32 KB).
inline constexpr int patch_capacity = 8192;

inline constexpr int longest_run = 256;
alignas(64) inline constexpr float zeros[longest_run] = {};

/// One call's arguments, and what follows from them.
struct conv2d_call {
  const conv2d_geometry& g;
  affine prologue;
  const float* in;
  const float* panels;
  epilogue finish;
  int out_width;
  int out_pixels;

  int pixels_a_block() const {
    if (prologue.scale == nullptr) return block_pixels;
    const int fit = std::clamp(patch_capacity / g.patch_size(), 1, block_pixels);
    return fit < tile_rows ? fit : fit / tile_rows * tile_rows;
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

/// Writes the patch of one output pixel behind the prologue, [ky][kx][i], with zeros where it
/// leaves the picture.
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
    if (inside)
      copy_prologue(call.prologue, g.in_channels, end - begin, call.pixel(y, left + begin), to);
    to += static_cast<std::ptrdiff_t>(end - begin) * g.in_channels;
    to = std::fill_n(to, (g.kernel.x - end) * g.in_channels, 0.0F);
  }
  return to;
}

/// One tile of output whose patches lie one behind the other, from `rows` on.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void conv2d_tile(const conv2d_call& call, const float* rows, int pixel,
                                   int panel) {
  tile_sums<Rows, Vectors> sum = {};
  const int depth = call.g.patch_size();
  call.finish.prefetch<Rows, Vectors>(pixel, panel * panel_width);
  multiply<Rows, Vectors>(sum, rows, depth, call.panel(panel), depth);
  call.finish(pixel, panel * panel_width, sum);
}

/// One tile of output whose patches are read where they are, tap by tap: each pixel's channels are
/// one run of memory, or zeros outside of the picture.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void conv2d_tile_by_taps(const conv2d_call& call, int pixel, int panel) {
  const conv2d_geometry& g = call.g;
  tile_sums<Rows, Vectors> sum = {};
  const float* weights = call.panel(panel);
  int top[Rows];
  int left[Rows];
  for (int r = 0; r < Rows; ++r) {
    top[r] = (pixel + r) / call.out_width * g.stride.y - g.padding.y;
    left[r] = (pixel + r) % call.out_width * g.stride.x - g.padding.x;
  }
  for (int ky = 0; ky < g.kernel.y; ++ky) {
    for (int kx = 0; kx < g.kernel.x; ++kx) {
      for (int c = 0; c < g.in_channels; c += longest_run) {
        const int depth = std::min(longest_run, g.in_channels - c);
        const float* row[Rows];
        for (int r = 0; r < Rows; ++r) {
          const int y = top[r] + ky;
          const int x = left[r] + kx;
          const bool is_input = y >= 0 && y < g.height && x >= 0 && x < g.width;
          row[r] = is_input ? call.pixel(y, x) + c : zeros;
        }
        multiply<Rows, Vectors>(sum, row, weights, depth);
        weights += static_cast<std::ptrdiff_t>(depth) * Vectors * simd::width;
      }
    }
  }
  call.finish(pixel, panel * panel_width, sum);
}

/// The same of a tile within one row of the map whose patches keep off the picture's sides: a row
/// of the kernel is one run of memory, and rows outside of the picture add nothing.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void conv2d_tile_by_runs(const conv2d_call& call, int pixel, int panel) {
  const conv2d_geometry& g = call.g;
  tile_sums<Rows, Vectors> sum = {};
  const int top = pixel / call.out_width * g.stride.y - g.padding.y;
  const int left = pixel % call.out_width * g.stride.x - g.padding.x;
  const int run = g.kernel.x * g.in_channels;
  const std::ptrdiff_t distance = std::ptrdiff_t{g.stride.x} * g.in_channels;
  for (int ky = std::max(0, -top); ky < std::min(g.kernel.y, g.height - top); ++ky)
    multiply<Rows, Vectors>(sum, call.pixel(top + ky, left), distance,
                            call.panel(panel) + std::ptrdiff_t{ky} * run * Vectors * simd::width,
                            run);
  call.finish(pixel, panel * panel_width, sum);
}

/// Whether `conv2d_tile_by_runs` may be used for so many pixels.
inline bool keeps_off_the_sides(const conv2d_call& call, int pixel, int count) {
  const conv2d_geometry& g = call.g;
  const int x = pixel % call.out_width;
  const int left = x * g.stride.x - g.padding.x;
  const int right = left + (count - 1) * g.stride.x + g.kernel.x;
  return x + count <= call.out_width && left >= 0 && right <= g.width;
}

/// One block of pixels times panels [first, last).
inline void conv2d_block(const conv2d_call& call, int block, int first, int last) {
  alignas(64) float gathered[patch_capacity];
  const int begin = block * call.pixels_a_block();
  const int count = std::min(call.pixels_a_block(), call.out_pixels - begin);
  const float* rows =
      call.g.is_pointwise() ? call.in + call.g.in_channels * std::ptrdiff_t{begin} : nullptr;
  if (call.prologue.scale != nullptr) {
    float* to = gathered;
    if (rows != nullptr) {
      copy_prologue(call.prologue, call.g.in_channels, count, rows, gathered);
    } else {
      for (int pixel = begin; pixel < begin + count; ++pixel) to = gather_patch(call, pixel, to);
    }
    rows = gathered;
  }
  // What the next block will read, a share of it with each tile.
  const bool has_next = call.g.is_pointwise() && begin + count < call.out_pixels;
  const float* next =
      has_next ? call.in + call.g.in_channels * std::ptrdiff_t{begin + count} : nullptr;
  const int share = has_next ? call.g.in_channels * tile_rows / (last - first) : 0;
  for (int panel = first; panel < last; ++panel)
    for_panel(call.g.out_channels, panel, [&]<int Vectors>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        if (rows != nullptr) {
          simd::prefetch_run(next, share);
          next += share;
          const float* from = rows + static_cast<std::ptrdiff_t>(row) * call.g.patch_size();
          conv2d_tile<Rows, Vectors>(call, from, begin + row, panel);
        } else if (keeps_off_the_sides(call, begin + row, Rows)) {
          conv2d_tile_by_runs<Rows, Vectors>(call, begin + row, panel);
        } else {
          conv2d_tile_by_taps<Rows, Vectors>(call, begin + row, panel);
        }
      });
    });
}

}  // namespace detail

/// How many floats of scratch memory `conv2d` likes to have.
constexpr std::size_t conv2d_scratch_size(const conv2d_geometry& g) {
  return detail::winograd_pays(g) ? detail::winograd_scratch_size(g) : 0;
}

/// Convolution of a feature map [H, W, C], as `reference::conv2d`, with weights from `conv2d_pack`.
///
/// With `conv2d_scratch_size` floats of scratch memory and no prologue, 3x3 kernels of stride 1 go
/// by Winograd's algorithm (relative RMS error near 2e-6); all else is a product of pixels and
/// packed panels of output channels whose patches are read in place. The work is split by the
/// geometry alone and each value is summed in one order, so that the bits are the same on any
/// number of threads. With a prologue a patch may have 8192 values.
inline void conv2d(const cpu& backend, const conv2d_geometry& g, const float* in,
                   const float* packed, float* out, const fusion& with = {},
                   float* scratch = nullptr) {
  MAQUETTE_ASSERT(with.prologue.scale == nullptr || g.patch_size() <= detail::patch_capacity,
                  "conv2d: this patch is too large for a prologue");
  const detail::epilogue finish{with, packed, out, g.out_channels};
  if (scratch != nullptr && with.prologue.scale == nullptr && detail::winograd_pays(g))
    return detail::winograd(backend, g, in, packed + detail::product_packed_size(g), finish,
                            scratch);
  const float* weights = packed + detail::padded_channels(g.out_channels);
  const detail::conv2d_call call{
      g, with.prologue, in, weights, finish, g.out_width(), g.out_pixels()};
  const int a_block = call.pixels_a_block();
  detail::share_out(
      backend, (call.out_pixels + a_block - 1) / a_block, detail::panel_count(g.out_channels),
      [&](int block, int first, int last) { detail::conv2d_block(call, block, first, last); });
}

}  // namespace maquette::kernel
