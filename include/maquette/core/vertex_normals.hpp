// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maquette/core/assert.hpp"

namespace maquette {

/// Smooth normals [V, 3], unit length, of a mesh of vertices [V, 3] and faces [F, 3], vertex
/// indices from 0 that must be in range: the sum of a vertex' faces' normals by area.
///
/// A vertex without faces, or whose faces have no area, gets +y.
inline void vertex_normals(std::span<const float> vertices, std::span<const std::uint32_t> faces,
                           std::span<float> normals) {
  MAQUETTE_ASSERT(normals.size() == vertices.size(), "one normal a vertex");
  std::fill(normals.begin(), normals.end(), 0.0F);
  for (std::size_t face = 0; face + 2 < faces.size(); face += 3) {
    const float* const a = vertices.data() + 3 * std::size_t{faces[face]};
    const float* const b = vertices.data() + 3 * std::size_t{faces[face + 1]};
    const float* const c = vertices.data() + 3 * std::size_t{faces[face + 2]};
    const float u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
    const float v[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
    const float cross[3] = {u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2],
                            u[0] * v[1] - u[1] * v[0]};
    for (std::size_t corner = 0; corner < 3; ++corner)
      for (std::size_t k = 0; k < 3; ++k)
        normals[3 * std::size_t{faces[face + corner]} + k] += cross[k];
  }
  for (std::size_t i = 0; i + 2 < normals.size(); i += 3) {
    float* const n = normals.data() + i;
    const float length = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    const bool usable = length > 0 && std::isfinite(length);
    for (std::size_t k = 0; k < 3; ++k) n[k] = usable ? n[k] / length : (k == 1 ? 1.0F : 0.0F);
  }
}

/// The same in memory of their own.
inline std::vector<float> vertex_normals(std::span<const float> vertices,
                                         std::span<const std::uint32_t> faces) {
  std::vector<float> normals(vertices.size());
  vertex_normals(vertices, faces, normals);
  return normals;
}

}  // namespace maquette
