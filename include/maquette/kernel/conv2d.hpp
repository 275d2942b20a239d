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
/// Values of a block's patches that are laid out next to each other on the stack (32 KB).
inline constexpr int patch_capacity = 8192;

inline constexpr int longest_run = 256;
alignas(64) inline constexpr float zeros[longest_run] = {};

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

/// to = relu(scale * from + shift) over the channels of so many pixels.
inline void copy_prologue(affine by, int channels, int pixels, const float* from, float* to) {
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
MAQUETTE_NOINLINE inline void copy_beside(const conv2d_call& call, int begin, int pixels,
                                          float* to) {
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
MAQUETTE_NOINLINE inline float* gather_patch(const conv2d_call& call, int pixel, float* to) {
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

/// The patches of a tile's pixels as runs of memory.
struct patch_runs {
  const float* values;           ///< null: each tap of the kernel is a run, zeros outside
  std::ptrdiff_t to_next_pixel;  ///< from a run to the next pixel's
  std::ptrdiff_t to_next_run;    ///< within a patch
  int length;
  int count;
  int first;  ///< the first one's place in the patch: what lies outside of the picture adds nothing
};

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

constexpr int runs_a_tap(const conv2d_geometry& g) {
  return (g.in_channels + longest_run - 1) / longest_run;
}
/// Patches anywhere, tap by tap: a pixel's channels are one run, or a few where they are many.
inline patch_runs patches_by_taps(const conv2d_geometry& g) {
  return {nullptr, 0, 0, 0, g.kernel.y * g.kernel.x * runs_a_tap(g), 0};
}
/// The upper left corners of so many pixels' patches.
template <int Rows>
struct patch_corners {
  int top[Rows];
  int left[Rows];

  MAQUETTE_NOINLINE void find(const conv2d_call& call, int pixel) {
    for (int r = 0; r < Rows; ++r) {
      top[r] = (pixel + r) / call.out_width * call.g.stride.y - call.g.padding.y;
      left[r] = (pixel + r) % call.out_width * call.g.stride.x - call.g.padding.x;
    }
  }

  /// Where one of `patches_by_taps` lies, and how long it is.
  int rows_of_tap(const conv2d_call& call, int run, const float* (&row)[Rows]) const {
    const conv2d_geometry& g = call.g;
    const int tap = run / runs_a_tap(g);
    const int channel = run % runs_a_tap(g) * longest_run;
    for (int r = 0; r < Rows; ++r) {
      const int y = top[r] + tap / g.kernel.x;
      const int x = left[r] + tap % g.kernel.x;
      const bool is_input = y >= 0 && y < g.height && x >= 0 && x < g.width;
      row[r] = is_input ? call.pixel(y, x) + channel : zeros;
    }
    return std::min(longest_run, g.in_channels - channel);
  }
};

/// One tile of output.
template <int Rows, int Vectors, bool Halved>
MAQUETTE_NOINLINE void conv2d_tile(const conv2d_call& call, const patch_runs& runs, int pixel,
                                   int panel) {
  const int channel = panel * panel_width(call.g.out_channels);
  tile_sums<Rows, Vectors> sum = {};
  call.finish.prefetch<Rows, Vectors>(pixel, channel);
  const float* weights =
      call.panel(panel) + std::ptrdiff_t{runs.first} * runs.length * Vectors * simd::width;
  const bool by_taps = runs.values == nullptr;
  patch_corners<Rows> corners;
  if (by_taps) corners.find(call, pixel);
  for (int run = 0; run < runs.count; ++run) {
    const float* row[Rows];
    for (int r = 0; r < Rows; ++r)
      row[r] = runs.values + (run * runs.to_next_run + r * runs.to_next_pixel);
    const int length = by_taps ? corners.rows_of_tap(call, run, row) : runs.length;
    multiply<Rows, Vectors, Halved>(sum, row, weights, length);
    weights += std::ptrdiff_t{length} * Vectors * simd::width;
  }
  call.finish.template operator()<Rows, Vectors, Halved ? ending::half : ending::whole>(
      pixel, channel, sum);
}

/// Whether so many pixels may be computed from their patches in place.
inline bool keeps_off_the_sides(const conv2d_call& call, int pixel, int count) {
  const conv2d_geometry& g = call.g;
  const int x = pixel % call.out_width;
  const int left = x * g.stride.x - g.padding.x;
  const int right = left + (count - 1) * g.stride.x + g.kernel.x;
  return x + count <= call.out_width && left >= 0 && right <= g.width;
}

/// The patches of so many pixels that were not laid out next to each other.
MAQUETTE_NOINLINE inline patch_runs patches_of(const conv2d_call& call, int pixel, int count) {
  if (keeps_off_the_sides(call, pixel, count)) return patches_in_place(call, pixel);
  return patches_by_taps(call.g);
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
    for_panel(call.g.out_channels, panel, [&]<int Vectors, bool Halved>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        ahead.prefetch();
        const patch_runs runs =
            rows != nullptr
                ? whole_patches(call.g, rows + std::ptrdiff_t{row} * call.g.patch_size())
                : patches_of(call, begin + row, Rows);
        conv2d_tile<Rows, Vectors, Halved>(call, runs, begin + row, panel);
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
/// number of threads. With a prologue or channels beside a patch may have 8192 values.
MAQUETTE_NOINLINE inline void conv2d(const cpu& backend, const conv2d_geometry& g, const float* in,
                                     const float* packed, float* out, const fusion& with = {},
                                     float* scratch = nullptr) {
  MAQUETTE_ASSERT(with.beside.in == nullptr || (g.is_pointwise() && with.prologue.scale == nullptr),
                  "conv2d: only 1x1 kernels without a prologue may have channels beside");
  const detail::epilogue finish{with, packed, out, g.out_channels};
  if (scratch != nullptr && with.prologue.scale == nullptr && detail::winograd_pays(g))
    return detail::winograd(backend, g, in, packed + detail::product_packed_size(g), finish,
                            scratch);
  const float* weights = packed + detail::padded_channels(g.out_channels);
  const detail::conv2d_call call{g,       with.prologue, with.beside,   in,
                                 weights, finish,        g.out_width(), g.out_pixels()};
  MAQUETTE_ASSERT(!call.gathers() || g.patch_size() <= detail::patch_capacity,
                  "conv2d: this patch is too large for a prologue or channels beside");
  const int a_block = call.pixels_a_block();
  detail::share_out(
      backend, (call.out_pixels + a_block - 1) / a_block, detail::panel_count(g.out_channels),
      [&](int block, int first, int last) { detail::conv2d_block(call, block, first, last); });
}

}  // namespace maquette::kernel
