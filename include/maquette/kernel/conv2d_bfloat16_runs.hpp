// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "maquette/core/backend.hpp"
#include "maquette/core/bfloat16.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// Convolutions of bfloat16 factors and float sums whose kernels have several taps: a row of the
/// kernel meets one run of bfloat16 values, tap by tap and channel by channel, two by two.
namespace maquette::kernel::detail {

constexpr int pair_count(int values) { return (values + 1) / 2; }

/// Words of a block's input on the stack (32 KB).
inline constexpr int pair_capacity = 8192;

/// How many values of the input a row of the kernel meets.
constexpr int run_length(const conv2d_geometry& g) { return g.kernel.x * g.in_channels; }

/// The outputs that share a block of input on the stack: a rectangle of them.
struct run_block {
  int rows;
  int columns;

  /// Words that one row of the input takes, one more than its values need, because an odd run is
  /// read with the value behind it.
  static constexpr int words_a_row(const conv2d_geometry& g, int columns) {
    return pair_count(((columns - 1) * g.stride.x + g.kernel.x) * g.in_channels + 1);
  }
  /// As wide as the output where that fits.
  static constexpr run_block of(const conv2d_geometry& g) {
    const int values = pair_capacity / g.kernel.y * 2 - 1;
    const int fit = (values / g.in_channels - g.kernel.x) / g.stride.x + 1;
    const int columns = std::min(fit, g.out_width());
    const int input_rows = pair_capacity / words_a_row(g, columns);
    return {std::min((input_rows - g.kernel.y) / g.stride.y + 1, g.out_height()), columns};
  }
};

/// One call's arguments.
struct run_call {
  const conv2d_geometry& g;
  const float* in;
  const std::uint32_t* panels;
  epilogue finish;
};

inline void copy_rounded(int count, const float* from, unsigned char* to) {
  int i = 0;
  for (; i + simd::width <= count; i += simd::width)
    simd::store_rounded(to + 2 * std::ptrdiff_t{i}, simd::load(from + i));
  for (; i < count; ++i) {
    const bfloat16 rounded(from[i]);
    std::memcpy(to + 2 * std::ptrdiff_t{i}, &rounded.bits, sizeof rounded.bits);
  }
}

/// Pixels [left, left + pixels) of the input's row y as bfloat16, zeros where it leaves the picture
/// and behind the last one.
inline void copy_run_row(const run_call& call, int y, int left, int pixels, unsigned char* to,
                         std::ptrdiff_t bytes) {
  const conv2d_geometry& g = call.g;
  const bool inside = y >= 0 && y < g.height;
  const int first = inside ? std::clamp(-left, 0, pixels) : pixels;
  const int last = inside ? std::clamp(g.width - left, first, pixels) : pixels;
  const std::ptrdiff_t begin = std::ptrdiff_t{2} * first * g.in_channels;
  const std::ptrdiff_t end = std::ptrdiff_t{2} * last * g.in_channels;
  std::memset(to, 0, static_cast<std::size_t>(begin));
  if (last > first) {
    const std::ptrdiff_t from = (std::ptrdiff_t{y} * g.width + left + first) * g.in_channels;
    copy_rounded((last - first) * g.in_channels, call.in + from, to + begin);
  }
  std::memset(to + end, 0, static_cast<std::size_t>(bytes - end));
}

/// sum[row] += a pair of the row's values, of which a mask may keep the first only, times a pair of
/// weights a channel. Pairs begin at multiples of two bytes.
template <int Rows, int Vectors, bool Halved>
MAQUETTE_INLINE void multiply_pair(tile_sums<Rows, Vectors>& sum, const unsigned char* rows,
                                   std::ptrdiff_t distance, std::uint32_t mask,
                                   const std::uint32_t* weights) {
  simd::words weight[Vectors];
#pragma GCC unroll 3
  for (int v = 0; v < Vectors; ++v) weight[v] = simd::load_words(weights + v * simd::width);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    std::uint32_t pair = 0;
    std::memcpy(&pair, rows + r * distance, sizeof pair);
    const simd::words value = simd::broadcast_word(pair & mask);
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v)
      sum[r][v] = Halved && v + 1 == Vectors ? simd::add_products_below(sum[r][v], value, weight[v])
                                             : simd::add_products(sum[r][v], value, weight[v]);
  }
}

/// One tile of output: pixels side by side, `rows` where the first one's patch begins.
template <int Rows, int Vectors, bool Halved>
MAQUETTE_NOINLINE void multiply_runs(const run_call& call, const unsigned char* rows,
                                     std::ptrdiff_t bytes_a_row, int pixel, int panel) {
  const conv2d_geometry& g = call.g;
  const int pairs = pair_count(run_length(g));
  // What stands behind an odd run must not be multiplied, not even with zero: it may be NaN.
  const std::uint32_t last_mask = run_length(g) % 2 == 0 ? 0xFFFFFFFFU : 0xFFFFU;
  const std::ptrdiff_t distance = std::ptrdiff_t{2} * g.stride.x * g.in_channels;
  const std::uint32_t* weights = call.panels + static_cast<std::ptrdiff_t>(panel) * g.kernel.y *
                                                   pairs * panel_width(g.out_channels);
  const int channel = panel * panel_width(g.out_channels);
  tile_sums<Rows, Vectors> sum = {};
  call.finish.prefetch<Rows, Vectors>(pixel, channel);
  for (int ky = 0; ky < g.kernel.y; ++ky, rows += bytes_a_row) {
    const unsigned char* from = rows;
    for (int k = 1; k < pairs; ++k, from += 4, weights += Vectors * simd::width)
      multiply_pair<Rows, Vectors, Halved>(sum, from, distance, 0xFFFFFFFFU, weights);
    multiply_pair<Rows, Vectors, Halved>(sum, from, distance, last_mask, weights);
    weights += Vectors * simd::width;
  }
  call.finish.template operator()<Rows, Vectors, Halved ? ending::half : ending::whole>(
      pixel, channel, sum);
}

/// One block of outputs times panels [first, last).
inline void multiply_run_block(const run_call& call, int block, int first, int last) {
  alignas(64) std::uint32_t words[pair_capacity];
  const conv2d_geometry& g = call.g;
  const run_block whole = run_block::of(g);
  const int across = (g.out_width() + whole.columns - 1) / whole.columns;
  const int y = block / across * whole.rows;
  const int x = block % across * whole.columns;
  const int height = std::min(whole.rows, g.out_height() - y);
  const int width = std::min(whole.columns, g.out_width() - x);
  auto* input = reinterpret_cast<unsigned char*>(words);
  const std::ptrdiff_t bytes_a_row = std::ptrdiff_t{4} * run_block::words_a_row(g, width);
  for (int row = 0; row < (height - 1) * g.stride.y + g.kernel.y; ++row)
    copy_run_row(call, y * g.stride.y - g.padding.y + row, x * g.stride.x - g.padding.x,
                 (width - 1) * g.stride.x + g.kernel.x, input + row * bytes_a_row, bytes_a_row);
  for (int panel = first; panel < last; ++panel)
    for_panel(g.out_channels, panel, [&]<int Vectors, bool Halved>() {
      for (int row = 0; row < height; ++row)
        for_each_tile(width, [&]<int Rows>(int column) {
          multiply_runs<Rows, Vectors, Halved>(
              call,
              input + row * g.stride.y * bytes_a_row +
                  std::ptrdiff_t{2} * column * g.stride.x * g.in_channels,
              bytes_a_row, (y + row) * g.out_width() + x + column, panel);
        });
    });
}

/// The convolution, block by block of outputs.
inline void convolve_runs(const cpu& backend, const run_call& call) {
  const run_block whole = run_block::of(call.g);
  const int across = (call.g.out_width() + whole.columns - 1) / whole.columns;
  const int down = (call.g.out_height() + whole.rows - 1) / whole.rows;
  share_out(backend, across * down, panel_count(call.g.out_channels),
            [&](int block, int first, int last) { multiply_run_block(call, block, first, last); });
}

}  // namespace maquette::kernel::detail
