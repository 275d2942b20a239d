// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "maquette/core/assert.hpp"

namespace maquette {

/// SMPL's 24 joints, in its own order; left and right are the person's.
struct smpl24 {
  enum joint : int {
    pelvis,
    l_hip,
    r_hip,
    spine1,
    l_knee,
    r_knee,
    spine2,
    l_ankle,
    r_ankle,
    spine3,
    l_foot,
    r_foot,
    neck,
    l_collar,
    r_collar,
    head,
    l_shoulder,
    r_shoulder,
    l_elbow,
    r_elbow,
    l_wrist,
    r_wrist,
    l_hand,
    r_hand
  };
  static constexpr std::size_t count = 24;
  static constexpr std::array<std::string_view, count> names{
      "pelvis",  "l_hip",    "r_hip",    "spine1",  "l_knee",     "r_knee",
      "spine2",  "l_ankle",  "r_ankle",  "spine3",  "l_foot",     "r_foot",
      "neck",    "l_collar", "r_collar", "head",    "l_shoulder", "r_shoulder",
      "l_elbow", "r_elbow",  "l_wrist",  "r_wrist", "l_hand",     "r_hand"};
  static constexpr std::array<std::string_view, count> parts = names;
};

/// Parent of each SMPL joint, -1 for the root; a parent always comes before its children.
inline constexpr std::array<int, smpl24::count> smpl_parents{
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21};

namespace detail {

/// For each name that begins with l_ or r_, the place of its partner; its own place otherwise.
template <std::size_t N>
[[nodiscard]] constexpr std::array<int, N> mirror_of(const std::array<std::string_view, N>& names) {
  std::array<int, N> partner{};
  for (std::size_t i = 0; i < N; ++i) {
    partner[i] = static_cast<int>(i);
    const std::string_view a = names[i];
    if (!a.starts_with("l_") && !a.starts_with("r_")) continue;
    for (std::size_t j = 0; j < N; ++j) {
      const std::string_view b = names[j];
      if (a[0] != b[0] && (b.starts_with("l_") || b.starts_with("r_")) &&
          a.substr(2) == b.substr(2)) {
        partner[i] = static_cast<int>(j);
      }
    }
  }
  return partner;
}

}  // namespace detail

/// The joint on the other side of the body; a joint on the middle line is its own partner.
template <class Joints>
inline constexpr std::array<int, Joints::count> mirror_joint = detail::mirror_of(Joints::names);

/// The pose [24, 3] of the same person in a mirror that swaps left and right (x -> -x).
///
/// The rotation of joint j becomes that of its partner reflected: S R S with S = diag(-1, 1, 1), in
/// axis-angle (x, -y, -z). `mirrored` may not overlap `theta`.
template <class T>
constexpr void mirror_pose(std::span<const T> theta, std::span<T> mirrored) {
  MAQUETTE_ASSERT(theta.size() == 72 && mirrored.size() == 72, "a pose has 24 x 3 numbers");
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const std::size_t k = 3 * static_cast<std::size_t>(mirror_joint<smpl24>[j]);
    mirrored[3 * j] = theta[k];
    mirrored[3 * j + 1] = -theta[k + 1];
    mirrored[3 * j + 2] = -theta[k + 2];
  }
}

}  // namespace maquette
