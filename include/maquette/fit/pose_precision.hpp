// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <span>

#include "maquette/body/skeleton.hpp"

namespace maquette {

/// The numbers of a pose's error e: log(R0_j^T R_j) [24, 3] in radians, joint by joint in SMPL's
/// order, how far the rotation R_j of each joint lies from its guess R0_j, in the joint's own
/// frame.
inline constexpr std::size_t pose_error_size = 3 * smpl24::count;
inline constexpr std::size_t pose_precision_size = pose_error_size * pose_error_size;

/// P [72, 72] in 1/radian^2, row-major, symmetric and positive definite: the inverse of the mean of
/// e e^T over the errors e of whatever guessed a pose, and of a little of the identity, since no
/// error is surely none. Beside each joint's own sureness it says how
/// joints err together: with a pelvis that is tipped too far come hips that make up for it.
using pose_precision = std::span<const double, pose_precision_size>;

/// How much harder than a limb's the joints are held to their guess where nobody has measured its
/// error, in SMPL's order: a picture says little of how the trunk's joints share a bend, and
/// nothing of the feet's and hands'.
inline constexpr std::array<double, smpl24::count> joint_stiffness{
    0.5, 1, 1, 3, 1, 1, 3, 3, 3, 3, 10, 10, 2, 3, 3, 3, 1, 1, 1, 1, 5, 5, 10, 10};

/// By how much a joint of stiffness 1 is off, in radians, where nobody has measured it.
inline constexpr double limb_deviation = 0.2;

/// Writes the precision where nobody has measured one, diag((s_j / d)^2): s the joints' stiffness,
/// d a limb's deviation.
constexpr void write_typical_precision(std::span<double, pose_precision_size> precision) {
  for (double& entry : precision) entry = 0;
  for (std::size_t i = 0; i < pose_error_size; ++i) {
    const double sureness = joint_stiffness[i / 3] / limb_deviation;
    precision[i * pose_error_size + i] = sureness * sureness;
  }
}

/// The same for who calls `refine_pose` without one; 41 KB of a program that does.
inline constexpr std::array<double, pose_precision_size> typical_pose_precision = [] {
  std::array<double, pose_precision_size> precision{};
  write_typical_precision(precision);
  return precision;
}();

}  // namespace maquette
