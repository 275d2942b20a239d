// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "maquette/core/simd.hpp"
#include "maquette/kernel/reference/skinning.hpp"
#include "maquette/kernel/skinning_arrays.hpp"

namespace maquette::kernel {

/// Vertices that are blended and skinned together, so that they never leave the first-level cache.
inline constexpr std::size_t skin_block = 32;

/// How many blocks cover the vertices.
constexpr std::size_t skin_blocks(std::size_t vertices) {
  return (vertices + skin_block - 1) / skin_block;
}

/// The first vertex of a block; the last block is moved up to end with the last vertex, since a
/// vertex computed twice is the same twice.
constexpr std::size_t skin_block_begin(std::size_t block, std::size_t vertices) {
  return std::min(block * skin_block, std::max(vertices, skin_block) - skin_block);
}

namespace detail {

/// out = base + the terms of the groups in `live`, at the block that begins with vertex `first`;
/// asks for the same directions at vertex `ahead`.
inline void blend_block(const blend_shapes<float>& shapes, std::uint32_t live, std::size_t first,
                        std::size_t ahead, float* out) {
  constexpr int size = 3 * int{skin_block};
  // Of sixteen registers, twelve for sums; sums that are spilled cost more than a second pass.
  constexpr int sums = std::min(size / simd::width, 12);
  constexpr int piece = sums * simd::width;
  constexpr int cache_line = 64 / sizeof(float);
  static_assert(size % piece == 0);
  for (int offset = 0; offset < size; offset += piece) {
    const std::size_t begin = 3 * first + static_cast<std::size_t>(offset);
    const std::size_t begin_ahead = 3 * ahead + static_cast<std::size_t>(offset);
    simd::vector sum[sums];
    for (int i = 0; i < sums; ++i) sum[i] = simd::load(shapes.base + begin + i * simd::width);
    for (std::uint32_t groups = live; groups != 0; groups &= groups - 1) {
      const auto group = static_cast<std::size_t>(std::countr_zero(groups));
      for (std::uint32_t t = shapes.groups[group]; t < shapes.groups[group + 1]; ++t) {
        const simd::vector coefficient = simd::broadcast(shapes.coefficients[t]);
        const float* const direction = shapes.directions[t];
        // The processor does not foresee hundreds of short runs, each from another array.
        for (int i = 0; i < piece; i += cache_line) simd::prefetch(direction + begin_ahead + i);
        for (int i = 0; i < sums; ++i) {
          sum[i] += coefficient * simd::load(direction + begin + i * simd::width);
        }
      }
    }
    for (int i = 0; i < sums; ++i) simd::store(out + begin + i * simd::width, sum[i]);
  }
}

/// out_i = sum_k w_ik G'_k point_i + translation at the vertices [first, first + count); `points`
/// and `out` begin with the first of them.
inline void skin_vertices(const skin_weights<float>& skin, std::size_t first, std::size_t count,
                          const float* points, float* out) {
  for (std::size_t v = first; v < first + count; ++v) {
    const std::uint8_t* const joint = skin.joint + v * skin.influences;
    const float* const weight = skin.weight + v * skin.influences;
    simd::quad column[4]{};
    for (std::size_t i = 0; i < skin.influences && weight[i] != 0; ++i) {
      const float* const from = skin.transforms + 16 * std::size_t{joint[i]};
      const simd::quad share = simd::broadcast_quad(weight[i]);
      for (int k = 0; k < 4; ++k) column[k] += share * simd::load_quad(from + 4 * k);
    }
    const float* const p = points + 3 * (v - first);
    const simd::quad moved =
        (column[0] * simd::broadcast_quad(p[0]) + column[1] * simd::broadcast_quad(p[1])) +
        (column[2] * simd::broadcast_quad(p[2]) + column[3]);
    for (std::size_t k = 0; k < 3; ++k) {
      out[3 * (v - first) + k] = moved[static_cast<int>(k)] + skin.translation[k];
    }
  }
}

}  // namespace detail

/// Which groups of blend shapes move each block at all: bit g of [skin_blocks(V)] for group g.
///
/// Most of a body's pose directions are zero away from their joint, and zeros need not be read.
/// `directions` are those of group 1, then of group 2 and so on, `each` a group, [V, 3] each.
/// Group 0, the shape's, moves every block.
template <class T>
void find_live_groups(std::size_t vertices, std::size_t each, const T* directions,
                      std::uint32_t* live) {
  for (std::size_t block = 0; block < skin_blocks(vertices); ++block) live[block] = 1;
  for (std::size_t group = 1; group < blend_groups; ++group) {
    for (std::size_t d = (group - 1) * each; d < group * each; ++d) {
      const T* const direction = directions + d * 3 * vertices;
      for (std::size_t block = 0; block < skin_blocks(vertices); ++block) {
        const T* const from = direction + 3 * skin_block_begin(block, vertices);
        const T* const to = from + 3 * std::min(skin_block, vertices);
        if (std::any_of(from, to, [](T value) { return value != T{0}; })) {
          live[block] |= std::uint32_t{1} << group;
        }
      }
    }
  }
}

/// Blends and skins a body's vertices: `blended` [V, 3] = base + sum_t coefficient_t direction_t,
/// out [V, 3] = sum_k w_ik G'_k blended_i + translation.
///
/// `live` [skin_blocks(V)] says which groups move a block (`find_live_groups`). One pass over the
/// directions, block by block, in vectors for float and as the reference does it for other types.
template <class T>
void blend_and_skin(std::size_t vertices, const blend_shapes<T>& shapes, const std::uint32_t* live,
                    const skin_weights<T>& skin, T* blended, T* out) {
  if constexpr (std::is_same_v<T, float>) {
    if (vertices >= skin_block) {
      for (std::size_t block = 0; block < skin_blocks(vertices); ++block) {
        const std::size_t first = skin_block_begin(block, vertices);
        // One block ahead is too late for directions that come from memory (measured).
        const std::size_t ahead = skin_block_begin(block + 2, vertices);
        detail::blend_block(shapes, live[block], first, ahead, blended);
        detail::skin_vertices(skin, first, skin_block, blended + 3 * first, out + 3 * first);
      }
      return;
    }
  }
  reference::blend(shapes, 0, vertices, blended);
  reference::skin(skin, 0, vertices, blended, out);
}

}  // namespace maquette::kernel
