// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"

/// Products of rows with panels of weights: what every convolution comes down to.
///
/// Output channels stand side by side in panels of two vectors, the last panel in one if that is
/// enough; a panel holds, for each value of a row, one weight a channel.
namespace maquette::kernel::detail {

inline constexpr int panel_width = 2 * simd::width;
/// Rows in registers at a time: their sums, a panel's row and a broadcast value must fit.
inline constexpr int tile_rows = simd::registers >= 32 ? 8 : 6;

constexpr int panel_count(int out_channels) {
  return (out_channels + panel_width - 1) / panel_width;
}
/// The output channels with those that fill the last vector.
constexpr int padded_channels(int out_channels) {
  return (out_channels + simd::width - 1) / simd::width * simd::width;
}
/// How many output channels a panel holds, with those that fill its last vector.
constexpr int width_of_panel(int out_channels, int panel) {
  return std::min(panel_width, padded_channels(out_channels) - panel * panel_width);
}

/// Sums in registers: so many rows, so many vectors of output channels.
template <int Rows, int Vectors>
using tile_sums = simd::vector[Rows][Vectors];

/// sum[row] += the row's values times a panel's rows: the inner loop of every product. On the way
/// it asks for as many vectors of memory from `ahead` on, if that is given.
template <int Rows, int Vectors, class... Ahead>
MAQUETTE_INLINE void multiply(tile_sums<Rows, Vectors>& sum, const float* const (&row)[Rows],
                              const float* panel, int depth, Ahead... ahead) {
  for (int k = 0; k < depth; ++k, panel += Vectors * simd::width) {
    (simd::prefetch(ahead + k * simd::width), ...);
    simd::vector weight[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) weight[v] = simd::load(panel + v * simd::width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const simd::vector value = simd::broadcast(row[r][k]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[r][v] += value * weight[v];
    }
  }
}

/// The same of rows that lie at equal distances.
template <int Rows, int Vectors, class... Ahead>
MAQUETTE_INLINE void multiply(tile_sums<Rows, Vectors>& sum, const float* rows,
                              std::ptrdiff_t distance, const float* panel, int depth,
                              Ahead... ahead) {
  const float* row[Rows];
  for (int r = 0; r < Rows; ++r) row[r] = rows + r * distance;
  multiply<Rows, Vectors>(sum, row, panel, depth, ahead...);
}

/// Calls `tile.operator()<Rows>(first row)` until so many rows are done.
template <class Tile>
MAQUETTE_INLINE void for_each_tile(int rows, const Tile& tile) {
  int row = 0;
  for (; row + tile_rows <= rows; row += tile_rows) tile.template operator()<tile_rows>(row);
  for (; row + 4 <= rows; row += 4) tile.template operator()<4>(row);
  for (; row < rows; ++row) tile.template operator()<1>(row);
}

/// Calls `product.operator()<Vectors>()` with as many vectors as the panel is wide.
template <class Product>
MAQUETTE_INLINE void for_panel(int out_channels, int panel, const Product& product) {
  if (width_of_panel(out_channels, panel) == panel_width) {
    product.template operator()<2>();
  } else {
    product.template operator()<1>();
  }
}

/// The first few channels of a vector; out of line, because a tile would hold many copies.
MAQUETTE_NOINLINE inline void write_part(const float* values, int count, const float* addend,
                                         float* to) {
  for (int c = 0; c < count; ++c) to[c] = addend != nullptr ? values[c] + addend[c] : values[c];
}

/// Shares out blocks of pixels, and panels too where the blocks are few, among the threads: calls
/// `work(block, first panel, last panel)`, split by the numbers alone.
template <class Work>
void share_out(const cpu& backend, int blocks, int panels, const Work& work) {
  constexpr int enough = 16;
  const int wanted = std::clamp((enough + blocks - 1) / blocks, 1, panels);
  const int panels_a_group = (panels + wanted - 1) / wanted;
  const int groups = (panels + panels_a_group - 1) / panels_a_group;
  const std::size_t tasks = static_cast<std::size_t>(blocks) * static_cast<std::size_t>(groups);
  backend.threads.for_each(tasks, [&](std::size_t index) {
    const int first = static_cast<int>(index) % groups * panels_a_group;
    work(static_cast<int>(index) / groups, first, std::min(first + panels_a_group, panels));
  });
}

/// Where sums go: out = addend + relu(bias + sum), channel by channel of a pixel.
struct epilogue {
  const fusion& with;
  const float* bias;
  float* out;
  int channels;

  std::ptrdiff_t at(int pixel, int channel) const {
    return static_cast<std::ptrdiff_t>(pixel) * channels + channel;
  }

  /// One vector of channels of one pixel; what reaches beyond the last channel is dropped.
  MAQUETTE_INLINE void operator()(int pixel, int channel, simd::vector sum) const {
    simd::vector value = sum + simd::load(bias + channel);
    if (with.relu) value = simd::relu(value);
    float* to = out + at(pixel, channel);
    const float* addend = with.addend != nullptr ? with.addend + at(pixel, channel) : nullptr;
    if (channel + simd::width <= channels) {
      simd::store(to, addend != nullptr ? value + simd::load(addend) : value);
      return;
    }
    float whole[simd::width];
    simd::store(whole, value);
    write_part(whole, channels - channel, addend, to);
  }

  /// A tile's sums, for pixels one behind the other.
  template <int Rows, int Vectors>
  MAQUETTE_INLINE void operator()(int pixel, int channel,
                                  const tile_sums<Rows, Vectors>& sum) const {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) (*this)(pixel + r, channel + v * simd::width, sum[r][v]);
  }

  /// Asks for the memory that a tile will be added to and written to.
  template <int Rows, int Vectors>
  MAQUETTE_INLINE void prefetch(int pixel, int channel) const {
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < Vectors; ++v) {
        const std::ptrdiff_t from = at(pixel + r, channel + v * simd::width);
        if (with.addend != nullptr) simd::prefetch(with.addend + from);
        if (with.addend != out) simd::prefetch(out + from);
      }
  }
};

}  // namespace maquette::kernel::detail
