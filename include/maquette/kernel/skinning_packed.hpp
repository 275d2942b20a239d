// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "maquette/core/bfloat16.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/skinning.hpp"
#include "maquette/kernel/skinning_arrays.hpp"

/// Blend shapes in the order in which they are read, for one body or several at once.
namespace maquette::kernel {

/// Floats of a block: x, y, z of `skin_block` vertices.
inline constexpr std::size_t packed_block_size = 3 * skin_block;
inline constexpr std::size_t packed_half = packed_block_size / 2;
/// Bodies whose sums are in registers at a time.
inline constexpr std::size_t packed_bodies = 4;
/// Directions of a joint: one for each number of its rotation.
inline constexpr std::size_t joint_directions = 9;

/// One blend shape at one block: what the kernel reads vector by vector, two of them at a time,
/// each from its own half of the block.
template <class Stored>
struct packed_direction;

template <>
struct packed_direction<float> {
  alignas(64) float values[packed_block_size];

  void set(std::size_t i, float value) { values[i] = value; }
  MAQUETTE_INLINE simd::vector lower(int i) const { return simd::load(values + i); }
  MAQUETTE_INLINE simd::vector upper(int i) const { return simd::load(values + packed_half + i); }
};

/// A word has a value of the lower half below one of the upper half: both are widened in place,
/// without a way across the vector.
template <>
struct packed_direction<bfloat16> {
  alignas(64) std::uint32_t words[packed_half];

  void set(std::size_t i, float value) {
    const auto bits = std::uint32_t{bfloat16(value).bits};
    std::uint32_t& word = words[i % packed_half];
    word = i < packed_half ? (word & 0xFFFF0000U) | bits : (word & 0xFFFFU) | bits << 16U;
  }
  MAQUETTE_INLINE simd::vector lower(int i) const { return simd::load_lower_halves(words + i); }
  MAQUETTE_INLINE simd::vector upper(int i) const { return simd::load_upper_halves(words + i); }
};

/// A body's blend shapes block by block: borrowed. A last block that is not full ends with zeros.
template <class Stored>
struct packed_blend_shapes {
  std::size_t vertices;
  std::size_t shapes;  ///< directions of the shape
  /// [blocks, 1 + shapes]: the template, then the shape's directions.
  const packed_direction<float>* shape;
  /// Of each block those of the joints that move it, in order, nine each.
  const packed_direction<Stored>* pose;
  const std::size_t* first_pose;  ///< [blocks]: a block's first one
  const std::uint32_t* live;      ///< [blocks]: which groups move the block, as bits
};

/// The blend shapes' coefficients of a few bodies.
struct packed_coefficients {
  std::size_t bodies = 0;
  std::size_t shapes_used = 0;    ///< the shape's behind these are zero for all of them
  std::uint32_t used = 0;         ///< groups of which one of them has one that is not zero
  const float* values = nullptr;  ///< [shapes + 207, bodies]
};

namespace detail {

/// The sums of a few bodies over a part of each half of a block.
template <int Bodies>
struct packed_sums {
  // They must leave registers for two vectors of a direction and for the coefficients.
  static constexpr int count =
      std::min(int{packed_half} / simd::width, simd::registers * 3 / 8 / Bodies);
  static constexpr int piece = count * simd::width;
  static_assert(packed_half % piece == 0);

  simd::vector lower[Bodies][count];
  simd::vector upper[Bodies][count];

  /// Adds so many directions one behind the other, each times the bodies' coefficients. They lie as
  /// they are read, which the processor foresees better than it is told: with prefetches a dense
  /// body takes a twelfth longer on Zen 4, and more beside other work.
  template <class Stored>
  MAQUETTE_INLINE void add(const packed_direction<Stored>* direction, int begin,
                           const float* coefficient, std::size_t terms) {
    for (std::size_t t = 0; t < terms; ++t, ++direction, coefficient += Bodies) {
      for (int i = 0; i < count; ++i) {
        const simd::vector a = direction->lower(begin + i * simd::width);
        const simd::vector b = direction->upper(begin + i * simd::width);
        for (int body = 0; body < Bodies; ++body) {
          const simd::vector weight = simd::broadcast(coefficient[body]);
          lower[body][i] += weight * a;
          upper[body][i] += weight * b;
        }
      }
    }
  }
};

/// out[body] = base + the terms of the groups that are live and used, at one block.
template <int Bodies, class Stored>
void blend_packed_block(const packed_blend_shapes<Stored>& shapes,
                        const packed_coefficients& coefficients, std::size_t block,
                        float (&out)[Bodies][packed_block_size]) {
  using sums = packed_sums<Bodies>;
  for (int begin = 0; begin < int{packed_half}; begin += sums::piece) {
    const packed_direction<float>* const base = shapes.shape + block * (1 + shapes.shapes);
    sums sum;
    for (int b = 0; b < Bodies; ++b) {
      for (int i = 0; i < sums::count; ++i) {
        sum.lower[b][i] = base->lower(begin + i * simd::width);
        sum.upper[b][i] = base->upper(begin + i * simd::width);
      }
    }
    sum.add(base + 1, begin, coefficients.values, coefficients.shapes_used);
    const packed_direction<Stored>* direction = shapes.pose + shapes.first_pose[block];
    for (std::uint32_t groups = shapes.live[block] >> 1; groups != 0; groups &= groups - 1) {
      const auto joint = static_cast<std::size_t>(std::countr_zero(groups));
      if ((coefficients.used >> (joint + 1) & 1U) != 0) {
        const std::size_t first = shapes.shapes + joint * joint_directions;
        sum.add(direction, begin, coefficients.values + first * Bodies, joint_directions);
      }
      direction += joint_directions;
    }
    for (int b = 0; b < Bodies; ++b) {
      for (int i = 0; i < sums::count; ++i) {
        simd::store(out[b] + begin + i * simd::width, sum.lower[b][i]);
        simd::store(out[b] + packed_half + begin + i * simd::width, sum.upper[b][i]);
      }
    }
  }
}

/// As `skin_vertices` where each vertex has four weights: without a branch, and all of a
/// transform's numbers side by side. Writes a float beyond the last vertex.
inline void skin_vertices_by_four(const skin_weights<float>& skin, std::size_t first,
                                  std::size_t count, const float* points, float* out) {
  constexpr int vectors = 16 / simd::width;
  alignas(64) float moved[16] = {};
  std::copy(skin.translation.begin(), skin.translation.end(), moved + 12);
  for (std::size_t v = 0; v < count; ++v) {
    const std::uint8_t* const joint = skin.joint + 4 * (first + v);
    const float* const weight = skin.weight + 4 * (first + v);
    simd::vector sum[vectors];
    for (int k = 0; k < vectors; ++k) sum[k] = simd::load(moved + k * simd::width);
    for (int i = 0; i < 4; ++i) {
      const float* const from = skin.transforms + 16 * std::size_t{joint[i]};
      const simd::vector share = simd::broadcast(weight[i]);
      for (int k = 0; k < vectors; ++k) sum[k] += share * simd::load(from + k * simd::width);
    }
    alignas(64) float transform[16];
    for (int k = 0; k < vectors; ++k) simd::store(transform + k * simd::width, sum[k]);
    const float* const p = points + 3 * v;
    simd::store_quad(out + 3 * v, (simd::load_quad(transform) * simd::broadcast_quad(p[0]) +
                                   simd::load_quad(transform + 4) * simd::broadcast_quad(p[1])) +
                                      (simd::load_quad(transform + 8) * simd::broadcast_quad(p[2]) +
                                       simd::load_quad(transform + 12)));
  }
}

/// Blends and skins one block of a few bodies; `skin` is one for each, `out` [bodies, V, 3].
template <int Bodies, class Stored>
void blend_and_skin_packed_block(const packed_blend_shapes<Stored>& shapes,
                                 const packed_coefficients& coefficients,
                                 const skin_weights<float>* skin, std::size_t block, float* out) {
  alignas(64) float blended[Bodies][packed_block_size];
  blend_packed_block<Bodies>(shapes, coefficients, block, blended);
  const std::size_t first = block * skin_block;
  const std::size_t count = std::min(skin_block, shapes.vertices - first);
  for (std::size_t b = 0; b < Bodies; ++b) {
    float* const to = out + 3 * (b * shapes.vertices + first);
    if (skin[b].influences == 4) {
      float posed[packed_block_size + 1];
      skin_vertices_by_four(skin[b], first, count, blended[b], posed);
      std::copy_n(posed, 3 * count, to);
    } else {
      skin_vertices(skin[b], first, count, blended[b], to);
    }
  }
}

}  // namespace detail

/// Blends and skins several bodies at the blocks [begin, end): each block's blend shapes come from
/// memory once, for all bodies.
///
/// `groups` has up to four bodies each, all but the last as many; `skin` is one for each body,
/// `out` [bodies, V, 3]. Each vertex is summed in one order, however many bodies there are.
template <class Stored>
void blend_and_skin_packed(const packed_blend_shapes<Stored>& shapes,
                           std::span<const packed_coefficients> groups,
                           const skin_weights<float>* skin, std::size_t begin, std::size_t end,
                           float* out) {
  static_assert(packed_bodies == 4);
  for (std::size_t block = begin; block < end; ++block) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const std::size_t body = g * packed_bodies;
      float* const to = out + 3 * body * shapes.vertices;
      switch (groups[g].bodies) {
        case 1:
          detail::blend_and_skin_packed_block<1>(shapes, groups[g], skin + body, block, to);
          break;
        case 2:
          detail::blend_and_skin_packed_block<2>(shapes, groups[g], skin + body, block, to);
          break;
        case 3:
          detail::blend_and_skin_packed_block<3>(shapes, groups[g], skin + body, block, to);
          break;
        default:
          detail::blend_and_skin_packed_block<4>(shapes, groups[g], skin + body, block, to);
      }
    }
  }
}

}  // namespace maquette::kernel
