// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace maquette::kernel {

/// How many groups the blend shapes of a body fall into: those of its shape and one for each joint
/// but the root, whose rotation moves no flesh.
inline constexpr std::size_t blend_groups = 24;

/// The blend shapes of one pose: a template and the directions whose coefficient is not zero.
template <class T>
struct blend_shapes {
  const T* base;               ///< [V, 3]
  const T* coefficients;       ///< one a direction
  const T* const* directions;  ///< [V, 3] each
  /// Group g holds the terms [groups[g], groups[g + 1]).
  std::array<std::uint32_t, blend_groups + 1> groups{};
};

/// What carries a body's vertices from rest to pose.
template <class T>
struct skin_weights {
  std::size_t influences;     ///< weights a vertex
  const std::uint8_t* joint;  ///< [V, influences]
  const T* weight;            ///< [V, influences], zeros last
  const T* transforms;        ///< [24, 4, 4]: the columns of G', each with a zero below
  std::array<T, 3> translation;
};

}  // namespace maquette::kernel
