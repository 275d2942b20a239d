// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "maquette/body/joints.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/core/shape.hpp"
#include "maquette/core/view.hpp"

namespace maquette {

/// Mirrors a picture [S, S, 3] left to right, in place.
inline void mirror_picture(std::span<float> picture, std::size_t size) {
  MAQUETTE_ASSERT(picture.size() == 3 * size * size,
                  "mirror_picture: the picture is [size, size, 3]");
  for (std::size_t y = 0; y < size; ++y) {
    float* const row = picture.data() + 3 * size * y;
    for (std::size_t x = 0; x < size / 2; ++x)
      std::swap_ranges(row + 3 * x, row + 3 * x + 3, row + 3 * (size - 1 - x));
  }
}

/// Averages heat maps with those of the mirrored picture: `heatmaps` becomes, for every joint j,
/// (heatmaps_j + mirror of mirrored_j') / 2, where j' is the joint on the other side of the body.
///
/// Both [16, S, S] in MPII's order. Source: Newell et al. 2016, section 3.2.
template <ImageShape S>
requires(height<S> == width<S> &&
         channels<S> ==
             static_cast<int>(mpii16::count)) void average_mirrored(view<float, S> heatmaps,
                                                                    view<const float, S> mirrored) {
  constexpr auto size = static_cast<std::size_t>(width<S>);
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    const auto partner = static_cast<std::size_t>(mirror_joint<mpii16>[j]);
    for (std::size_t y = 0; y < size; ++y) {
      float* const row = heatmaps.data + (j * size + y) * size;
      const float* const other = mirrored.data + (partner * size + y) * size;
      for (std::size_t x = 0; x < size; ++x) row[x] = 0.5F * (row[x] + other[size - 1 - x]);
    }
  }
}

/// Averages the logits of a silhouette [2, S, S] with those of the mirrored picture.
template <ImageShape S>
requires(height<S> == width<S> &&
         channels<S> == 2) void average_mirrored(view<float, S> logits,
                                                 view<const float, S> mirrored) {
  constexpr auto size = static_cast<std::size_t>(width<S>);
  for (std::size_t y = 0; y < 2 * size; ++y) {
    float* const row = logits.data + y * size;
    const float* const other = mirrored.data + y * size;
    for (std::size_t x = 0; x < size; ++x) row[x] = 0.5F * (row[x] + other[size - 1 - x]);
  }
}

/// The joints [16, 3] (x, y in [-1, 1], confidence) that the mirrored crop shows, in MPII's order.
inline void mirror_joints(std::span<const float> joints, std::span<float> mirrored) {
  MAQUETTE_ASSERT(joints.size() == 3 * mpii16::count && mirrored.size() == joints.size(),
                  "mirror_joints: 16 joints of 3 numbers");
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    const float* const partner = joints.data() + 3 * mirror_joint<mpii16>[j];
    mirrored[3 * j] = -partner[0];
    mirrored[3 * j + 1] = partner[1];
    mirrored[3 * j + 2] = partner[2];
  }
}

/// Averages a pose as two columns a joint [24, 6] with that of the mirrored crop.
///
/// A mirror M = diag(-1, 1, 1) makes M R M of a rotation R of the joint on the other side.
inline void average_mirrored_pose(std::span<float> pose, std::span<const float> mirrored) {
  MAQUETTE_ASSERT(pose.size() == 6 * smpl24::count && mirrored.size() == pose.size(),
                  "average_mirrored_pose: 24 joints of 6 numbers");
  constexpr std::array<float, 6> sign{1, -1, -1, -1, 1, 1};
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const float* const partner = mirrored.data() + 6 * mirror_joint<smpl24>[j];
    for (std::size_t k = 0; k < sign.size(); ++k)
      pose[6 * j + k] = 0.5F * (pose[6 * j + k] + sign[k] * partner[k]);
  }
}

}  // namespace maquette
