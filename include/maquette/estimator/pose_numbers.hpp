// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "maquette/body/rotation.hpp"
#include "maquette/core/assert.hpp"

namespace maquette {

/// SMPL's pose [72], 24 axis-angles in radians, of the numbers [144] that `pose_prior` answers: the
/// first two columns of 24 rotation matrices, not yet orthonormal.
///
/// Columns that fix no rotation become the rest pose of that joint; see `orthonormal`.
inline void theta_of(std::span<const float> columns, std::span<float> theta) {
  MAQUETTE_ASSERT(columns.size() == 144 && theta.size() == 72,
                  "theta_of: 144 numbers of columns make 72 of axis-angles");
  for (std::size_t j = 0; j < 24; ++j) {
    const float* c = columns.data() + 6 * j;
    const vec3<double> turned =
        axis_angle(orthonormal(vec3<double>{c[0], c[1], c[2]}, vec3<double>{c[3], c[4], c[5]}));
    for (std::size_t k = 0; k < 3; ++k) theta[3 * j + k] = static_cast<float>(turned[k]);
  }
}

}  // namespace maquette
