// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "maquette/core/assert.hpp"
#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/conv2d_pack.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// 1x1 convolutions by Strassen's algorithm (1969) in Winograd's form, applied once and not again
/// to its halves: seven products of halves where the definition takes eight.
///
/// Two pixels a and b with their channels in halves, a1 a2 and b1 b2, times the weights in
/// quarters, W11 W12 W21 W22 (halves of the input down, of the output across):
///
///     s1 = b1 + b2    s2 = s1 - a1      s3 = a1 - b1      s4 = a2 - s2
///     t1 = W12 - W11  t2 = W22 - t1     t3 = W22 - W12    t4 = W21 - t2
///
///     first half of a:  a1 W11 + a2 W21           u = a1 W11 + s2 t2
///     second half of a: u + s1 t1 + s4 W22
///     first half of b:  u + s3 t3 + b2 t4
///     second half of b: u + s3 t3 + s1 t1
namespace maquette::kernel {

namespace detail {

inline constexpr int strassen_products = 7;
/// How many output channels of either half a panel holds.
inline constexpr int strassen_panel = 2 * simd::width;
/// Values of a block's left-hand factors on the stack (57 KB with tiles of 8 rows).
inline constexpr int strassen_capacity = strassen_products * 2 * tile_rows * 128;

/// Pairs of pixels that share a panel of weights while it is in the cache: up to two whole tiles.
constexpr int strassen_block(const conv2d_geometry& g) {
  const int a_tile = strassen_products * tile_rows * g.in_channels / 2;
  return std::min(2, strassen_capacity / a_tile) * tile_rows;
}
/// Whether it is the faster way: on maps that have pixels enough to share the weights, all of them
/// in pairs. Channels beside may be one of the halves.
constexpr bool strassen_pays(const conv2d_geometry& g, int beside) {
  return g.out_pixels() >= 64 && g.out_pixels() % 2 == 0 &&
         (beside == 0 || 2 * beside == g.in_channels);
}

constexpr std::size_t strassen_weights_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(strassen_products) * static_cast<std::size_t>(g.in_channels / 2) *
         static_cast<std::size_t>(g.out_channels / 2);
}

/// The seven right-hand factors from the quarters of the weights.
constexpr std::array<double, strassen_products> strassen_weights(double w11, double w12, double w21,
                                                                 double w22) {
  const double t1 = w12 - w11;
  const double t2 = w22 - t1;
  return {w11, w21, t2, t1, w22, w22 - w12, w21 - t2};
}

/// Lays out weights [O, I], scaled by the batch norm that follows, as
/// [panel of half the outputs][product][half the inputs][output in panel].
inline void strassen_pack(const conv2d_geometry& g, const float* weight,
                          const batch_norm_parameters* norm, float* to) {
  const int depth = g.in_channels / 2;
  const int half = g.out_channels / 2;
  for (int o = 0; o < half; ++o) {
    const float* first = weight + static_cast<std::ptrdiff_t>(o) * g.in_channels;
    const float* second = first + static_cast<std::ptrdiff_t>(half) * g.in_channels;
    const double scale1 = norm != nullptr ? norm->scale(o) : 1.0;
    const double scale2 = norm != nullptr ? norm->scale(o + half) : 1.0;
    float* column = to +
                    static_cast<std::ptrdiff_t>(o / strassen_panel) * strassen_products * depth *
                        strassen_panel +
                    o % strassen_panel;
    for (int i = 0; i < depth; ++i) {
      const auto factors = strassen_weights(scale1 * first[i], scale2 * second[i],
                                            scale1 * first[i + depth], scale2 * second[i + depth]);
      for (int product = 0; product < strassen_products; ++product)
        column[(product * depth + i) * strassen_panel] =
            static_cast<float>(factors[static_cast<std::size_t>(product)]);
    }
  }
}

/// One call's arguments, and what follows from them.
struct strassen_call {
  const conv2d_geometry& g;
  affine prologue;
  const float* in;
  other_channels beside;
  const float* weights;
  epilogue finish;

  int depth() const { return g.in_channels / 2; }
  /// From a pixel to the next, in either map.
  std::ptrdiff_t to_next() const { return g.in_channels - beside.count; }
  const float* first_half(int pixel) const { return in + pixel * to_next(); }
  const float* second_half(int pixel) const {
    return beside.in != nullptr ? beside.in + pixel * to_next() : first_half(pixel) + depth();
  }
  const float* panel(int index, int product) const {
    return weights + (static_cast<std::ptrdiff_t>(index) * strassen_products + product) * depth() *
                         strassen_panel;
  }
  /// A channel of one pixel behind the prologue.
  MAQUETTE_INLINE simd::vector input(const float* from, int channel) const {
    const simd::vector value = simd::load(from);
    if (prologue.scale == nullptr) return value;
    return simd::relu(value * simd::load(prologue.scale + channel) +
                      simd::load(prologue.shift + channel));
  }
};

/// The left-hand factors of a block's pairs, each of them rows of half the channels.
struct strassen_rows {
  const float* from[strassen_products];
  std::ptrdiff_t to_next[strassen_products];
};

/// Writes a block's factors, [product][pair][half the channels]: pixel `first` and those behind it
/// are the a, as many behind them the b. Without a prologue a1, a2 and b2 stay where they are.
inline strassen_rows strassen_sums(const strassen_call& call, int first, int pairs, float* to) {
  const int depth = call.depth();
  const float* const a1_rows = call.first_half(first);
  const float* const a2_rows = call.second_half(first);
  const float* const b1_rows = call.first_half(first + pairs);
  const float* const b2_rows = call.second_half(first + pairs);
  const bool as_is = call.prologue.scale == nullptr;
  const std::ptrdiff_t size = std::ptrdiff_t{pairs} * depth;
  for (int c = 0; c < depth; c += simd::width)
    for (int pair = 0; pair < pairs; ++pair) {
      const std::ptrdiff_t at = pair * call.to_next() + c;
      const simd::vector a1 = call.input(a1_rows + at, c);
      const simd::vector a2 = call.input(a2_rows + at, c + depth);
      const simd::vector b1 = call.input(b1_rows + at, c);
      const simd::vector b2 = call.input(b2_rows + at, c + depth);
      const simd::vector s1 = b1 + b2;
      const simd::vector s2 = s1 - a1;
      float* const row = to + std::ptrdiff_t{pair} * depth + c;
      const auto put = [&](int product, simd::vector value) {
        simd::store(row + product * size, value);
      };
      if (!as_is) {
        put(0, a1);
        put(1, a2);
        put(6, b2);
      }
      put(2, s2);
      put(3, s1);
      put(4, a2 - s2);
      put(5, a1 - b1);
    }
  strassen_rows rows;
  for (int product = 0; product < strassen_products; ++product) {
    rows.from[product] = to + product * size;
    rows.to_next[product] = depth;
  }
  if (as_is) {
    rows.from[0] = a1_rows;
    rows.from[1] = a2_rows;
    rows.from[6] = b2_rows;
    for (const int product : {0, 1, 6}) rows.to_next[product] = call.to_next();
  }
  return rows;
}

/// What becomes of one product: it begins with a sum that was kept, is kept, or is output.
struct strassen_step {
  int begins_with;   ///< which of two sums that were kept, or none: -1
  int kept_as;       ///< likewise
  bool of_b;         ///< which pixel it is output of
  bool second_half;  ///< and which of its halves
};
inline constexpr strassen_step strassen_steps[strassen_products] = {
    {-1, 0, false, false},  // a1 W11
    {0, -1, false, false},  // + a2 W21
    {0, 0, false, false},   // u
    {0, 1, false, false},   // u + s1 t1
    {1, -1, false, true},   // + s4 W22
    {-1, -1, true, true},   // s3 t3, on to both kept sums
    {0, -1, true, false},   // u + s3 t3 + b2 t4
};

/// One tile of one product; `kept` has its two sums.
template <int Rows>
MAQUETTE_NOINLINE void strassen_tile(const strassen_call& call, const strassen_step& step,
                                     const float* rows, std::ptrdiff_t to_next,
                                     const float* weights, const float* next_weights, float* kept,
                                     int pixel, int channel) {
  constexpr int size = Rows * strassen_panel;
  tile_sums<Rows, 2> sum = {};
  const auto each = [&](const auto& visit) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) visit(sum[r][v], kept + (2 * r + v) * simd::width);
  };
  if (step.begins_with >= 0)
    each([&](simd::vector& one, float* at) { one = simd::load(at + step.begins_with * size); });
  multiply<Rows, 2>(sum, rows, to_next, weights, call.depth(), next_weights);
  if (step.kept_as >= 0) {
    each([&](simd::vector& one, float* at) { simd::store(at + step.kept_as * size, one); });
    return;
  }
  if (step.begins_with < 0)
    each([&](simd::vector& one, float* at) {
      simd::store(at, simd::load(at) + one);
      one += simd::load(at + size);
    });
  call.finish(pixel, channel, sum);
}

/// One block of pairs times panels [first, last) of half the outputs.
inline void strassen_multiply(const strassen_call& call, int block, int first, int last) {
  alignas(64) float sums[strassen_capacity];
  alignas(64) float kept[2 * 2 * tile_rows * strassen_panel];
  const int begin = 2 * block * strassen_block(call.g);
  const int pairs = std::min(strassen_block(call.g), (call.g.out_pixels() - begin) / 2);
  const strassen_rows rows = strassen_sums(call, begin, pairs, sums);
  const int next = std::min(2 * pairs, call.g.out_pixels() - begin - 2 * pairs);
  ahead_of_tiles next_block(next > 0 ? call.first_half(begin + 2 * pairs) : nullptr,
                            static_cast<int>(call.to_next()) * next, strassen_products * pairs,
                            last - first);
  const int half = call.g.out_channels / 2;
  for (int panel = first; panel < last; ++panel)
    for (int product = 0; product < strassen_products; ++product) {
      const int channel = panel * strassen_panel;
      const float* weights = call.panel(panel, product);
      const float* next_weights = weights + std::ptrdiff_t{call.depth()} * strassen_panel;
      for_each_tile(pairs, [&]<int Rows>(int row) {
        next_block.prefetch();
        // Each of the four outputs is asked for with one of the first four products.
        if (product < 4)
          call.finish.prefetch<Rows, 2>(begin + product / 2 * pairs + row,
                                        channel + product % 2 * half);
        const strassen_step& step = strassen_steps[product];
        strassen_tile<Rows>(call, step, rows.from[product] + row * rows.to_next[product],
                            rows.to_next[product], weights, next_weights,
                            kept + 2 * row * strassen_panel, begin + (step.of_b ? pairs : 0) + row,
                            channel + (step.second_half ? half : 0));
        next_weights += call.depth() * simd::width;
      });
    }
}

inline void strassen(const cpu& backend, const conv2d_geometry& g, const float* in,
                     const float* weights, const epilogue& finish) {
  const strassen_call call{g, finish.with.prologue, in, finish.with.beside, weights, finish};
  const int a_block = 2 * strassen_block(g);
  share_out(backend, (g.out_pixels() + a_block - 1) / a_block, g.out_channels / 2 / strassen_panel,
            [&](int block, int first, int last) { strassen_multiply(call, block, first, last); });
}

}  // namespace detail

/// Whether a convolution may go by Strassen's algorithm: a 1x1 kernel that may be transformed,
/// whose halves are whole vectors and panels, long enough that an eighth of the products is more
/// than the sums, and of at most 512 input channels, because the sums of a tile lie on the stack.
constexpr bool conv2d_strassen_can(const conv2d_geometry& g) {
  return g.may_transform && g.is_pointwise() && g.in_channels >= 64 && g.out_channels >= 64 &&
         g.in_channels % (2 * simd::width) == 0 &&
         g.out_channels % (2 * detail::strassen_panel) == 0 && detail::strassen_block(g) > 0;
}

/// How many floats the packed weights and bias of `conv2d_strassen` take.
constexpr std::size_t conv2d_strassen_packed_size(const conv2d_geometry& g) {
  return conv2d_packed_size(g) + detail::strassen_weights_size(g);
}

/// `conv2d_pack`, and behind it Strassen's weights.
inline void conv2d_strassen_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                                 const batch_norm_parameters* norm, float* packed) {
  conv2d_pack(g, weight, bias, norm, packed);
  detail::strassen_pack(g, weight, norm, packed + conv2d_packed_size(g));
}

/// `conv2d` of a geometry that `conv2d_strassen_can`, with weights from `conv2d_strassen_pack`, by
/// seven products where there were eight; small maps, odd ones and channels beside that are no half
/// go by the definition.
///
/// The relative RMS error of a map is near 1e-6. A pixel's own is relative to the larger one of its
/// pair: beside a pixel a thousand times larger it is a thousand times greater. NaN and infinity
/// reach all channels of their pixel, and may reach those of its pair. The bits are the same on any
/// number of threads.
inline void conv2d_strassen(const cpu& backend, const conv2d_geometry& g, const float* in,
                            const float* packed, float* out, const fusion& with = {}) {
  MAQUETTE_ASSERT(conv2d_strassen_can(g),
                  "conv2d_strassen: only 1x1 kernels with halves of whole vectors and panels");
  MAQUETTE_ASSERT(
      with.beside.in == nullptr ? with.beside.count == 0 : with.prologue.scale == nullptr,
      "conv2d_strassen: channels beside need a map, and have no prologue");
  if (!detail::strassen_pays(g, with.beside.count))
    return conv2d(backend, g, in, packed, out, with);
  detail::strassen(backend, g, in, packed + conv2d_packed_size(g),
                   {with, packed, out, g.out_channels});
}

}  // namespace maquette::kernel
