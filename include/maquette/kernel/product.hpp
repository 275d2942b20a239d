// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"

/// Products of rows with panels of weights: what every convolution comes down to.
///
/// Output channels stand side by side in panels of two vectors, the last panel in one if that is
/// enough, or of three where that leaves no smaller one; a panel holds, for each value of a row,
/// one weight a channel.
namespace maquette::kernel::detail {

/// Rows in registers at a time: their sums, a panel's row and a broadcast value must fit.
inline constexpr int tile_rows = simd::registers >= 32 ? 8 : 6;

constexpr int vector_count(int channels) { return (channels + simd::width - 1) / simd::width; }
/// Whether the sums of three vectors stay in registers: NEON has as many, but GCC spills three.
inline constexpr bool three_vectors_fit = simd::registers >= 32 && simd::width == 16;

/// A panel's output channels: with three vectors a tile needs fewer loads a product.
constexpr int panel_width(int out_channels) {
  const bool by_three = three_vectors_fit && vector_count(out_channels) % 3 == 0;
  return (by_three ? 3 : 2) * simd::width;
}
constexpr int panel_count(int out_channels) {
  return (out_channels + panel_width(out_channels) - 1) / panel_width(out_channels);
}
/// The output channels with those that fill the last vector.
constexpr int padded_channels(int out_channels) { return vector_count(out_channels) * simd::width; }
/// How many output channels a panel holds, with those that fill its last vector.
constexpr int width_of_panel(int out_channels, int panel) {
  const int width = panel_width(out_channels);
  return std::min(width, padded_channels(out_channels) - panel * width);
}

inline constexpr int half_width = std::max(1, simd::width / 2);

/// Calls `visit(c)` for a vector of channels from c on until all were visited: the last one ends
/// with the last channel, so that some may be visited twice. There are as many as fill a vector.
template <class Visit>
MAQUETTE_INLINE void for_each_vector(int channels, const Visit& visit) {
  for (int c = 0; c < channels; c += simd::width) visit(std::min(c, channels - simd::width));
}

/// Sums in registers: so many rows, so many vectors of output channels.
template <int Rows, int Vectors>
using tile_sums = simd::vector[Rows][Vectors];

/// What is multiplied: floats, or words of two bfloat16 whose products are added up.
MAQUETTE_INLINE simd::vector load_factors(const float* from) { return simd::load(from); }
MAQUETTE_INLINE simd::words load_factors(const std::uint32_t* from) {
  return simd::load_words(from);
}
MAQUETTE_INLINE simd::vector broadcast_factor(float value) { return simd::broadcast(value); }
MAQUETTE_INLINE simd::words broadcast_factor(std::uint32_t pair) {
  return simd::broadcast_word(pair);
}
MAQUETTE_INLINE simd::vector add_product(simd::vector sum, simd::vector a, simd::vector b) {
  return sum + a * b;
}
MAQUETTE_INLINE simd::vector add_product(simd::vector sum, simd::words a, simd::words b) {
  return simd::add_products(sum, a, b);
}
MAQUETTE_INLINE simd::vector add_product_below(simd::vector sum, simd::vector a, simd::vector b) {
  return simd::add_product_below(sum, a, b);
}
MAQUETTE_INLINE simd::vector add_product_below(simd::vector sum, simd::words a, simd::words b) {
  return simd::add_products_below(sum, a, b);
}

/// sum[row] += the row's factors times a panel's rows: the inner loop of every product. On the way
/// it asks for as many vectors of memory from `ahead` on, if that is given. With `Halved`, only the
/// lower half of the last vector is summed.
template <int Rows, int Vectors, bool Halved = false, class Factor, class... Ahead>
MAQUETTE_INLINE void multiply(tile_sums<Rows, Vectors>& sum, const Factor* const (&row)[Rows],
                              const Factor* panel, int depth, Ahead... ahead) {
  for (int k = 0; k < depth; ++k, panel += Vectors * simd::width) {
    (simd::prefetch(ahead + k * simd::width), ...);
    decltype(load_factors(panel)) weight[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) weight[v] = load_factors(panel + v * simd::width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const auto value = broadcast_factor(row[r][k]);
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v)
        sum[r][v] = Halved && v + 1 == Vectors ? add_product_below(sum[r][v], value, weight[v])
                                               : add_product(sum[r][v], value, weight[v]);
    }
  }
}

/// The same of rows that lie at equal distances.
template <int Rows, int Vectors, bool Halved = false, class Factor, class... Ahead>
MAQUETTE_INLINE void multiply(tile_sums<Rows, Vectors>& sum, const Factor* rows,
                              std::ptrdiff_t distance, const Factor* panel, int depth,
                              Ahead... ahead) {
  const Factor* row[Rows];
  for (int r = 0; r < Rows; ++r) row[r] = rows + r * distance;
  multiply<Rows, Vectors, Halved>(sum, row, panel, depth, ahead...);
}

/// Calls `tile.operator()<Rows>(first row)` until so many rows are done.
template <class Tile>
MAQUETTE_INLINE void for_each_tile(int rows, const Tile& tile) {
  int row = 0;
  for (; row + tile_rows <= rows; row += tile_rows) tile.template operator()<tile_rows>(row);
  for (; row + 4 <= rows; row += 4) tile.template operator()<4>(row);
  for (; row < rows; ++row) tile.template operator()<1>(row);
}

/// Memory that the next block will read, asked for a share with each tile of this one.
class ahead_of_tiles {
 public:
  ahead_of_tiles(const float* from, int floats, int rows, int panels)
      : from_(from), share_(floats * tile_rows / std::max(1, rows * panels)) {}
  void prefetch() {
    simd::prefetch_run(from_, share_);
    from_ += share_;
  }

 private:
  const float* from_;
  int share_;
};

/// Calls `product.operator()<Vectors, Halved>()` with as many vectors as the panel is wide, and
/// whether one of two is half empty.
template <class Product>
MAQUETTE_INLINE void for_panel(int out_channels, int panel, const Product& product) {
  const int vectors = width_of_panel(out_channels, panel) / simd::width;
  if constexpr (three_vectors_fit)
    if (vectors == 3) return product.template operator()<3, false>();
  if constexpr (simd::halves_pay) {
    const int channels = out_channels - panel * panel_width(out_channels);
    if (vectors == 2 && channels <= simd::width + half_width)
      return product.template operator()<2, true>();
  }
  if (vectors == 2) return product.template operator()<2, false>();
  product.template operator()<1, false>();
}

/// The first few channels of a vector; out of line, because a tile would hold many copies.
MAQUETTE_NOINLINE inline void write_part(const float* values, int count, const float* addend,
                                         float* to) {
  int c = 0;
  if (count >= half_width) {
    const auto half = simd::load_half(values);
    simd::store_half(to, addend != nullptr ? half + simd::load_half(addend) : half);
    c = half_width;
  }
  for (; c < count; ++c) to[c] = addend != nullptr ? values[c] + addend[c] : values[c];
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

/// How the channels of a tile end: with a whole vector, with half of one, or with either; some
/// tiles end elsewhere, and more slowly.
enum class ending { whole, half, either };

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
    const simd::vector value = sum + simd::load(bias + channel);
    write(pixel, channel, with.relu ? simd::relu(value) : value);
  }

  /// A tile's sums, for pixels one behind the other; what is to be done is asked once a tile, not
  /// once a vector. Where the last vector may be half empty, `Ending` says so.
  template <int Rows, int Vectors, ending Ending = ending::whole>
  MAQUETTE_INLINE void operator()(int pixel, int channel, tile_sums<Rows, Vectors>& sum) const {
    const auto each = [](const auto& visit) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 3
        for (int v = 0; v < Vectors; ++v) visit(r, v);
    };
    each([&](int r, int v) { sum[r][v] += simd::load(bias + channel + v * simd::width); });
    if (with.relu) each([&](int r, int v) { sum[r][v] = simd::relu(sum[r][v]); });
    const int beyond = channel + Vectors * simd::width - channels;
    if constexpr (Ending != ending::half)
      if (beyond <= 0) return place<Rows, Vectors, false>(pixel, channel, sum);
    if constexpr (Ending != ending::whole)
      if (beyond == half_width) return place<Rows, Vectors, true>(pixel, channel, sum);
    float values[Rows * Vectors * simd::width];
    each([&](int r, int v) { simd::store(values + (r * Vectors + v) * simd::width, sum[r][v]); });
    write_tile(pixel, channel, values, Rows, Vectors);
  }

  /// Asks for the memory that a tile will be added to and written to.
  template <int Rows, int Vectors>
  MAQUETTE_INLINE void prefetch(int pixel, int channel) const {
    // Of both maps in turn: first all of one and then all of the other costs a product of 128
    // channels a fifth more time.
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < Vectors; ++v) {
        const std::ptrdiff_t from = at(pixel + r, channel + v * simd::width);
        if (with.addend != nullptr) simd::prefetch(with.addend + from);
        if (with.addend != out) simd::prefetch(out + from);
      }
  }

 private:
  /// out = addend + value, as far as there are channels.
  MAQUETTE_INLINE void write(int pixel, int channel, simd::vector value) const {
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

  /// out = addend + value of a tile; with `Halved`, of the last vector only the lower half.
  template <int Rows, int Vectors, bool Halved>
  MAQUETTE_INLINE void place(int pixel, int channel, const tile_sums<Rows, Vectors>& value) const {
    constexpr int whole = Halved ? Vectors - 1 : Vectors;
    const float* const addend = with.addend;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const std::ptrdiff_t first = at(pixel + r, channel);
#pragma GCC unroll 3
      for (int v = 0; v < whole; ++v) {
        const std::ptrdiff_t to = first + v * simd::width;
        simd::store(out + to,
                    addend != nullptr ? value[r][v] + simd::load(addend + to) : value[r][v]);
      }
      if constexpr (Halved) {
        const std::ptrdiff_t to = first + whole * simd::width;
        const auto half = simd::lower_half(value[r][whole]);
        simd::store_half(out + to, addend != nullptr ? half + simd::load_half(addend + to) : half);
      }
    }
  }

  /// A tile that reaches beyond the last channel; out of line, because every tile's size has one.
  MAQUETTE_NOINLINE void write_tile(int pixel, int channel, const float* values, int rows,
                                    int vectors) const {
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v, values += simd::width)
        write(pixel + r, channel + v * simd::width, simd::load(values));
  }
};

}  // namespace maquette::kernel::detail
