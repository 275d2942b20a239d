// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "maquette/core/assert.hpp"
#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/conv2d_pack.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// 1x1 convolutions whose factors are whole numbers of eight bits and whose sums are exact: four
/// products a lane of an instruction. Inputs lie four by four in words, the first in the lowest
/// byte.
namespace maquette::kernel {

namespace detail {

constexpr int word_count(int values) { return (values + 3) / 4; }

/// Words of a block's pixels on the stack (32 KB).
inline constexpr int word_capacity = 8192;

constexpr int pixels_a_word_block(const conv2d_geometry& g) {
  const int fit = std::clamp(word_capacity / word_count(g.in_channels), 1, 4 * tile_rows);
  return fit < tile_rows ? fit : fit / tile_rows * tile_rows;
}

/// What a pixel's bytes mean: value = lowest + step * byte.
struct byte_scale {
  float lowest = 0;
  float step = 0;
};

/// A vector of values of which only so many are there; the others are zeros.
MAQUETTE_INLINE simd::vector load_part(const float* from, int count) {
  float whole[simd::width] = {};
  std::copy_n(from, count, whole);
  return simd::load(whole);
}

/// One pixel's channels as bytes, from the lowest of them (or 0) to the highest (or 0): of
/// relu(scale * from + shift) where there is a prologue, else of from. Writes a vector at least.
///
/// NaN and infinities make the step NaN.
template <bool HasPrologue>
MAQUETTE_NOINLINE byte_scale copy_as_bytes(affine by, int channels, const float* from,
                                           std::uint32_t* to) {
  const auto value_at = [&](int c) {
    if constexpr (!HasPrologue) return simd::load(from + c);
    return simd::load(from + c) * simd::load(by.scale + c) + simd::load(by.shift + c);
  };
  const auto part = [&] {
    if constexpr (!HasPrologue) return load_part(from, channels);
    return load_part(from, channels) * load_part(by.scale, channels) +
           load_part(by.shift, channels);
  };
  // The last vector ends with the last channel: some channels are visited twice.
  const auto for_each_vector = [&](const auto& visit) {
    int c = 0;
    for (; c + simd::width <= channels; c += simd::width) visit(c, value_at(c));
    if (c == channels) return;
    if (c == 0) return visit(0, part());
    visit(channels - simd::width, value_at(channels - simd::width));
  };
  // Bits of floats, as whole numbers, are ordered as the floats are where these are positive; as
  // words all negative ones stand above, the lowest highest. NaN is beyond infinity on both sides.
  simd::integers positive{};
  simd::words negative{};
  for_each_vector([&](int /*channel*/, simd::vector value) {
    positive = simd::maximum(positive, simd::bits_of(value));
    negative = simd::maximum(negative, simd::as_words(simd::bits_of(value)));
  });
  const auto highest = std::bit_cast<float>(simd::largest_lane(positive));
  auto lowest = std::bit_cast<float>(simd::largest_lane(negative));
  if (lowest > 0 || (HasPrologue && lowest < 0)) lowest = 0;

  constexpr float steps = 255;
  constexpr float too_small = 1e-36F;
  const float range = highest - lowest;
  const float per_step = range > too_small ? steps / range : 0.0F;
  // From 2^23 on a float's lowest bits are a whole number: the sum rounds, whatever the value is.
  constexpr float whole = 8388608.0F;
  const simd::integers none = simd::broadcast_integer(std::bit_cast<std::int32_t>(whole));
  to[word_count(channels) - 1] = 0;
  auto* bytes = reinterpret_cast<unsigned char*>(to);
  for_each_vector([&](int c, simd::vector value) {
    if constexpr (!HasPrologue) value -= simd::broadcast(lowest);
    const simd::integers bits = simd::bits_of(value * per_step + whole);
    simd::store_lowest_bytes(bytes + c, HasPrologue ? simd::maximum(bits, none) : bits);
  });
  // range - range is 0, or NaN where the range is no number.
  return {lowest, range / steps + (range - range)};
}

/// One call's arguments.
struct byte_call {
  const conv2d_geometry& g;
  affine prologue;
  const float* in;
  const float* steps;  ///< of the weights, by output channel
  const float* sums;   ///< of the weights of an output channel
  const std::uint32_t* panels;
  epilogue finish;
};

/// One tile of output from pixels that lie one behind the other.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void multiply_bytes(const byte_call& call, const std::uint32_t* rows,
                                      const byte_scale* scales, int pixel, int panel) {
  const int words = word_count(call.g.in_channels);
  const std::uint32_t* weights =
      call.panels + static_cast<std::ptrdiff_t>(panel) * words * panel_width(call.g.out_channels);
  const int channel = panel * panel_width(call.g.out_channels);
  simd::integers whole[Rows][Vectors] = {};
  call.finish.prefetch<Rows, Vectors>(pixel, channel);
  for (int k = 0; k < words; ++k, weights += Vectors * simd::width) {
    simd::words weight[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) weight[v] = simd::load_words(weights + v * simd::width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const simd::words value = simd::broadcast_word(rows[r * std::ptrdiff_t{words} + k]);
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v)
        whole[r][v] = simd::add_byte_products(whole[r][v], value, weight[v]);
    }
  }
#pragma GCC unroll 3
  for (int v = 0; v < Vectors; ++v) {
    const int at = channel + v * simd::width;
    const simd::vector step = simd::load(call.steps + at);
    const simd::vector sum = simd::load(call.sums + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
      call.finish(pixel + r, at,
                  simd::to_float(whole[r][v]) * (step * scales[r].step) + sum * scales[r].lowest);
  }
}

/// One block of pixels times panels [first, last).
inline void multiply_byte_block(const byte_call& call, int block, int first, int last) {
  alignas(64) std::uint32_t rows[word_capacity + simd::width / 4];
  byte_scale scales[4 * tile_rows];
  const int channels = call.g.in_channels;
  const std::ptrdiff_t words = word_count(channels);
  const int a_block = pixels_a_word_block(call.g);
  const int begin = block * a_block;
  const int count = std::min(a_block, call.g.out_pixels() - begin);
  for (int i = 0; i < count; ++i) {
    const float* from = call.in + std::ptrdiff_t{begin + i} * channels;
    scales[i] = call.prologue.scale != nullptr
                    ? copy_as_bytes<true>(call.prologue, channels, from, rows + i * words)
                    : copy_as_bytes<false>({}, channels, from, rows + i * words);
  }
  const int next = std::min(a_block, call.g.out_pixels() - begin - count);
  ahead_of_tiles ahead(call.in + std::ptrdiff_t{begin + count} * channels, next * channels, count,
                       last - first);
  for (int panel = first; panel < last; ++panel)
    for_panel(call.g.out_channels, panel, [&]<int Vectors, bool>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        ahead.prefetch();
        multiply_bytes<Rows, Vectors>(call, rows + row * words, scales + row, begin + row, panel);
      });
    });
}

}  // namespace detail

/// Whether `conv2d_int8` computes this one: 1x1, stride 1, no padding, at most 32,768 channels.
constexpr bool conv2d_int8_can(const conv2d_geometry& g) {
  return g.patch_size() == g.in_channels && g.stride.y == 1 && g.stride.x == 1 &&
         g.padding.y == 0 && g.padding.x == 0 && g.in_channels <= 4 * detail::word_capacity;
}

/// How many floats of memory the packed weights, their scales and the bias take.
constexpr std::size_t conv2d_int8_packed_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(detail::padded_channels(g.out_channels)) *
         static_cast<std::size_t>(detail::word_count(g.in_channels) + 3);
}

/// Lays out weights [O, I] and bias [O] for `conv2d_int8`: by output channel the bias, the step of
/// the weights and their sum as floats, then panels of output channels,
/// [panel][i / 4][o in panel][i % 4].
///
/// After the norm was folded a channel's weights are rounded to multiples of its step, a 127th of
/// the largest. A channel with a weight that is not finite has the step NaN.
inline void conv2d_int8_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                             const batch_norm_parameters* norm, float* packed) {
  std::fill_n(packed, conv2d_int8_packed_size(g), 0.0F);
  float* steps = packed + detail::padded_channels(g.out_channels);
  float* sums = steps + detail::padded_channels(g.out_channels);
  auto* panels = reinterpret_cast<unsigned char*>(sums + detail::padded_channels(g.out_channels));
  const std::ptrdiff_t words = detail::word_count(g.in_channels);
  for (int o = 0; o < g.out_channels; ++o, weight += g.in_channels) {
    const double scale = norm != nullptr ? norm->scale(o) : 1.0;
    const double shift = norm != nullptr ? norm->shift(o) : 0.0;
    packed[o] = static_cast<float>(scale * bias[o] + shift);
    double largest = 0;
    bool finite = std::isfinite(scale);
    for (int i = 0; i < g.in_channels; ++i) {
      largest = std::max(largest, std::abs(scale * weight[i]));
      finite = finite && std::isfinite(weight[i]);
    }
    const double step = largest / 127;
    const int panel_width = detail::panel_width(g.out_channels);
    const int panel = o / panel_width;
    const std::ptrdiff_t width = detail::width_of_panel(g.out_channels, panel);
    const std::ptrdiff_t column = panel * words * panel_width + o % panel_width;
    int sum = 0;
    for (int i = 0; finite && step > 0 && i < g.in_channels; ++i) {
      const auto rounded = static_cast<int>(std::lround(scale * weight[i] / step));
      panels[4 * (column + i / 4 * width) + i % 4] = static_cast<unsigned char>(rounded);
      sum += rounded;
    }
    steps[o] = finite ? static_cast<float>(step) : std::numeric_limits<float>::quiet_NaN();
    sums[o] = static_cast<float>(step * sum);
  }
}

/// A 1x1 convolution as `conv2d`, its inputs (behind the prologue) and weights rounded to whole
/// numbers of eight bits, with weights from `conv2d_int8_pack`.
///
/// out[p, o] = bias[o] + step[o] (step[p] sum_i byte[p, i] weight[o, i] + lowest[p] sum_i weight),
/// where a pixel's step is a 255th of what lies between its lowest channel (or 0) and its highest
/// (or 0), so that a ReLU's outputs use all of a byte. The sums are exact; the relative RMS error
/// is near 5e-3. The same bits on any number of threads.
inline void conv2d_int8(const cpu& backend, const conv2d_geometry& g, const float* in,
                        const float* packed, float* out, const fusion& with = {}) {
  MAQUETTE_ASSERT(conv2d_int8_can(g) && with.beside.in == nullptr,
                  "conv2d_int8 computes 1x1 kernels of stride 1 of one map");
  const float* steps = packed + detail::padded_channels(g.out_channels);
  const float* sums = steps + detail::padded_channels(g.out_channels);
  const auto* panels =
      reinterpret_cast<const std::uint32_t*>(sums + detail::padded_channels(g.out_channels));
  const detail::byte_call call{
      g, with.prologue, in, steps, sums, panels, {with, packed, out, g.out_channels}};
  const int a_block = detail::pixels_a_word_block(g);
  detail::share_out(backend, (g.out_pixels() + a_block - 1) / a_block,
                    detail::panel_count(g.out_channels), [&](int block, int first, int last) {
                      detail::multiply_byte_block(call, block, first, last);
                    });
}

}  // namespace maquette::kernel
