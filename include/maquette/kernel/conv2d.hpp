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
/// Values of patches that are laid out next to each other on the stack (32 KB).
inline constexpr int patch_capacity = 8192;

/// One call's arguments, and what follows from them.
struct conv2d_call {
  const conv2d_geometry& g;
  affine prologue;
  other_channels beside;
  const float* in;
  const float* panels;
  epilogue finish;
  int out_width;
  int out_pixels;

  /// Whether patches are laid out next to each other, not read where they are.
  bool gathers() const { return prologue.scale != nullptr || beside.in != nullptr; }
  int pixels_a_block() const {
    if (!gathers()) return block_pixels;
    const int fit = std::clamp(patch_capacity / g.patch_size(), 1, block_pixels);
    return fit < tile_rows ? fit : fit / tile_rows * tile_rows;
  }
  const float* pixel(int y, int x) const {
    return in + (static_cast<std::ptrdiff_t>(y) * g.width + x) * g.in_channels;
  }
  const float* panel(int index) const {
    return panels +
           static_cast<std::ptrdiff_t>(index) * g.patch_size() * panel_width(g.out_channels);
  }
};

/// to = relu(scale * from + shift) over the channels of so many pixels, or from itself.
inline void copy_prologue(affine by, int channels, int pixels, const float* from, float* to) {
  if (by.scale == nullptr) {
    std::copy_n(from, channels * std::ptrdiff_t{pixels}, to);
    return;
  }
  for (int pixel = 0; pixel < pixels; ++pixel, from += channels, to += channels) {
    if (channels >= simd::width) {
      for_each_vector(channels, [&](int c) {
        simd::store(to + c, simd::relu(simd::load(from + c) * simd::load(by.scale + c) +
                                       simd::load(by.shift + c)));
      });
      continue;
    }
    for (int c = 0; c < channels; ++c) {
      const float value = from[c] * by.scale[c] + by.shift[c];
      to[c] = value < 0 ? 0 : value;
    }
  }
}

/// Lays out the channels of so many pixels, from number `begin` on, with those beside them.
inline void copy_beside(const conv2d_call& call, int begin, int pixels, float* to) {
  const int own = call.g.in_channels - call.beside.count;
  const float* from = call.in + static_cast<std::ptrdiff_t>(begin) * own;
  const float* other = call.beside.in + static_cast<std::ptrdiff_t>(begin) * call.beside.count;
  for (int pixel = 0; pixel < pixels; ++pixel) {
    to = std::copy_n(from, own, to);
    to = std::copy_n(other, call.beside.count, to);
    from += own;
    other += call.beside.count;
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

/// The patches of a tile's pixels as runs of memory: a patch's runs lie at equal distances, and so
/// do the pixels'.
struct patch_runs {
  const float* values;
  std::ptrdiff_t to_next_pixel;
  std::ptrdiff_t to_next_run;
  int length;
  int count;
  int first;  ///< the first one's place in the patch: what lies outside of the picture adds nothing
};

/// One tile of output.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void conv2d_tile(const conv2d_call& call, const patch_runs& runs, int pixel,
                                   int panel) {
  const int channel = panel * panel_width(call.g.out_channels);
  tile_sums<Rows, Vectors> sum = {};
  call.finish.prefetch<Rows, Vectors>(pixel, channel);
  const std::ptrdiff_t run_of_panel = std::ptrdiff_t{runs.length} * Vectors * simd::width;
  const float* weights = call.panel(panel) + runs.first * run_of_panel;
  const float* values = runs.values;
  for (int run = 0; run < runs.count; ++run) {
    multiply<Rows, Vectors>(sum, values, runs.to_next_pixel, weights, runs.length);
    values += runs.to_next_run;
    weights += run_of_panel;
  }
  call.finish(pixel, channel, sum);
}

/// Patches that lie one behind the other.
inline patch_runs whole_patches(const conv2d_geometry& g, const float* values) {
  const int size = g.patch_size();
  return {values, size, 0, size, 1, 0};
}

/// Patches within one row of the map that keep off the picture's sides, where they are: a row of
/// the kernel is one run.
inline patch_runs patches_in_place(const conv2d_call& call, int pixel) {
  const conv2d_geometry& g = call.g;
  const int top = pixel / call.out_width * g.stride.y - g.padding.y;
  const int left = pixel % call.out_width * g.stride.x - g.padding.x;
  const int first = std::max(0, -top);
  return {call.pixel(top + first, left),
          std::ptrdiff_t{g.stride.x} * g.in_channels,
          std::ptrdiff_t{g.width} * g.in_channels,
          g.kernel.x * g.in_channels,
          std::min(g.kernel.y, g.height - top) - first,
          first};
}

/// One tile of output wherever it is: its patches are laid out on the stack, as many at a time as
/// fit.
template <int Rows, int Vectors>
void conv2d_tile_at_sides(const conv2d_call& call, int pixel, int panel, float* gathered) {
  if constexpr (Rows > 1) {
    if (Rows * call.g.patch_size() > patch_capacity) {
      for (int r = 0; r < Rows; ++r)
        conv2d_tile_at_sides<1, Vectors>(call, pixel + r, panel, gathered);
      return;
    }
  }
  float* to = gathered;
  for (int r = 0; r < Rows; ++r) to = gather_patch(call, pixel + r, to);
  conv2d_tile<Rows, Vectors>(call, whole_patches(call.g, gathered), pixel, panel);
}

/// Whether so many pixels may be computed from their patches in place.
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
  const std::ptrdiff_t own = call.g.in_channels - call.beside.count;
  const float* rows = call.g.is_pointwise() ? call.in + own * begin : nullptr;
  if (call.prologue.scale != nullptr) {
    float* to = gathered;
    if (rows != nullptr) {
      copy_prologue(call.prologue, call.g.in_channels, count, rows, gathered);
    } else {
      for (int pixel = begin; pixel < begin + count; ++pixel) to = gather_patch(call, pixel, to);
    }
    rows = gathered;
  } else if (call.beside.in != nullptr) {
    copy_beside(call, begin, count, gathered);
    rows = gathered;
  }
  const int next = call.g.is_pointwise() ? std::min(count, call.out_pixels - begin - count) : 0;
  const float* const next_block = next > 0 ? call.in + own * (begin + count) : nullptr;
  ahead_of_tiles ahead(next_block, static_cast<int>(own) * next, count, last - first);
  for (int panel = first; panel < last; ++panel)
    for_panel(call.g.out_channels, panel, [&]<int Vectors>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        if (rows != nullptr) {
          ahead.prefetch();
          const float* from = rows + static_cast<std::ptrdiff_t>(row) * call.g.patch_size();
          conv2d_tile<Rows, Vectors>(call, whole_patches(call.g, from), begin + row, panel);
        } else if (keeps_off_the_sides(call, begin + row, Rows)) {
          const patch_runs runs = patches_in_place(call, begin + row);
          conv2d_tile<Rows, Vectors>(call, runs, begin + row, panel);
        } else {
          conv2d_tile_at_sides<Rows, Vectors>(call, begin + row, panel, gathered);
        }
      });
    });
}

}  // namespace detail

/// How many floats of scratch memory `conv2d` likes to have.
constexpr std::size_t conv2d_scratch_size(const conv2d_geometry& g) {
  return detail::winograd_pays(g) ? detail::winograd_scratch_size<float>(g) : 0;
}

/// Convolution of a feature map [H, W, C], as `reference::conv2d`, with weights from `conv2d_pack`.
///
/// With `conv2d_scratch_size` floats of scratch memory and no prologue, 3x3 kernels of stride 1 go
/// by Winograd's algorithm (relative RMS error near 2e-6); all else is a product of pixels and
/// packed panels of output channels whose patches are read in place. The work is split by the
/// geometry alone and each value is summed in one order, so that the bits are the same on any
/// number of threads. A patch that is not a bare pixel may have 8192 values.
inline void conv2d(const cpu& backend, const conv2d_geometry& g, const float* in,
                   const float* packed, float* out, const fusion& with = {},
                   float* scratch = nullptr) {
  MAQUETTE_ASSERT(
      g.patch_size() <= detail::patch_capacity ||
          (g.is_pointwise() && with.prologue.scale == nullptr && with.beside.in == nullptr),
      "conv2d: this patch is too large");
  MAQUETTE_ASSERT(with.beside.in == nullptr || (g.is_pointwise() && with.prologue.scale == nullptr),
                  "conv2d: only 1x1 kernels without a prologue may have channels beside");
  const detail::epilogue finish{with, packed, out, g.out_channels};
  if (scratch != nullptr && with.prologue.scale == nullptr && detail::winograd_pays(g))
    return detail::winograd(backend, g, in, packed + detail::product_packed_size(g), finish,
                            scratch);
  const float* weights = packed + detail::padded_channels(g.out_channels);
  const detail::conv2d_call call{g,       with.prologue, with.beside,   in,
                                 weights, finish,        g.out_width(), g.out_pixels()};
  const int a_block = call.pixels_a_block();
  detail::share_out(
      backend, (call.out_pixels + a_block - 1) / a_block, detail::panel_count(g.out_channels),
      [&](int block, int first, int last) { detail::conv2d_block(call, block, first, last); });
}

}  // namespace maquette::kernel
