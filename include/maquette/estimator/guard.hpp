// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "maquette/body/skeleton.hpp"
#include "maquette/estimator/find_person.hpp"

// What the estimator answers where there is little or nothing to go by.
namespace maquette {

/// Sum of the 16 joints' confidences below which they say nothing of the pose.
inline constexpr float least_evidence = 0.5F;
/// Shares of the crop between which a silhouette says something of the shape.
inline constexpr double least_silhouette = 0.005;
inline constexpr double most_silhouette = 0.95;
/// Largest confidence of a joint: a heat map's peak is 1, and a network goes a little beyond.
inline constexpr float largest_confidence = 1.25F;
/// Largest shape number, in standard deviations: where the people end whom the priors know.
inline constexpr float largest_beta = 3;

/// Leaves nothing in a reading that the priors were not made for.
///
/// A joint that is not finite or lies outside the crop (by more than a cell) is lost: 0, 0, 0.
/// Confidences are held to [0, `largest_confidence`] and probabilities to [0, 1]; probabilities
/// that are not finite become 0.
inline void discard_nonsense(crop_reading& reading) {
  constexpr float outside = 1 + 2.0F / crop_reading::size;
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    float* const joint = reading.joints.data() + 3 * j;
    const bool inside = std::abs(joint[0]) <= outside && std::abs(joint[1]) <= outside;
    if (inside && std::isfinite(joint[2]))
      joint[2] = std::clamp(joint[2], 0.0F, largest_confidence);
    else
      std::fill_n(joint, 3, 0.0F);
  }
  for (float& probability : reading.body)
    probability = std::isfinite(probability) ? std::clamp(probability, 0.0F, 1.0F) : 0;
}

/// Whether the joints of a reading say anything of the pose.
[[nodiscard]] inline bool tells_pose(const crop_reading& reading) {
  float sum = 0;
  for (std::size_t j = 0; j < mpii16::count; ++j) sum += reading.joints[3 * j + 2];
  return sum >= least_evidence;
}

/// Whether the silhouette of a reading says anything of the shape: neither nothing nor everything
/// is body.
[[nodiscard]] inline bool tells_shape(const crop_reading& reading) {
  const auto body = static_cast<double>(
      std::count_if(reading.body.begin(), reading.body.end(), [](float p) { return p > 0.5F; }));
  constexpr auto cells = static_cast<double>(crop_reading::cells);
  return body >= least_silhouette * cells && body <= most_silhouette * cells;
}

/// The likeliest pose of somebody of whom nothing is known: upright, facing the camera, arms
/// hanging.
[[nodiscard]] inline std::array<float, 72> standing_pose() {
  constexpr float half_turn = 3.14159265F;
  constexpr float hanging = 1.2F;
  std::array<float, 72> theta{};
  theta[0] = half_turn;
  theta[3 * smpl24::l_shoulder + 2] = -hanging;
  theta[3 * smpl24::r_shoulder + 2] = hanging;
  return theta;
}

}  // namespace maquette
