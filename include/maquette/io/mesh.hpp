// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"

namespace maquette {

/// In which frame a mesh is given: `body` is SMPL's and that of files (y up, facing +z); `camera`
/// (x right, y down, z forward) is turned by pi about x on its way into a file, so that who stands
/// upright in the photo stands upright in a viewer.
enum class mesh_frame : std::uint8_t { body, camera };

/// A triangle mesh to be written: borrowed, in metres, counter-clockwise seen from outside.
struct mesh_view {
  std::span<const float> vertices;               ///< [V, 3]
  std::span<const std::uint32_t> faces;          ///< [F, 3] vertex indices from 0
  std::span<const float> normals{};              ///< [V, 3] of unit length, or empty
  std::span<const float> texture_coordinates{};  ///< [V, 2] from the lower left, or empty
};

namespace detail {

inline result<void> check_finite(std::span<const float> values, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      return error{errc::mismatch, sentence({what, ": value ", i, " is not a finite number"})};
  return {};
}

/// Whether a mesh can be written: sizes that agree, finite numbers, faces that name vertices.
[[gnu::cold]] inline result<void> check_mesh(const mesh_view& mesh) {
  const std::size_t vertex_count = mesh.vertices.size() / 3;
  const auto wrong = [&](const char* what, std::size_t expected, std::size_t found) {
    return error{errc::mismatch,
                 sentence({what, ": expected ", expected, " numbers, found ", found})};
  };
  if (mesh.vertices.empty() || mesh.vertices.size() % 3 != 0)
    return wrong("vertices", 3 * vertex_count + 3, mesh.vertices.size());
  if (mesh.faces.empty() || mesh.faces.size() % 3 != 0)
    return wrong("faces", mesh.faces.size() / 3 * 3 + 3, mesh.faces.size());
  if (vertex_count > 0x10000000U || mesh.faces.size() > 0x10000000U)
    return error{errc::unsupported, "a mesh of more than 2^28 vertices or indices is not written"};
  if (!mesh.normals.empty() && mesh.normals.size() != 3 * vertex_count)
    return wrong("normals", 3 * vertex_count, mesh.normals.size());
  if (!mesh.texture_coordinates.empty() && mesh.texture_coordinates.size() != 2 * vertex_count)
    return wrong("texture coordinates", 2 * vertex_count, mesh.texture_coordinates.size());
  for (std::size_t i = 0; i < mesh.faces.size(); ++i)
    if (mesh.faces[i] >= vertex_count)
      return error{errc::mismatch, sentence({"face ", i / 3, ": vertex ", mesh.faces[i],
                                             " is not one of the ", vertex_count})};
  if (result<void> finite = check_finite(mesh.vertices, "vertices"); !finite) return finite;
  if (result<void> finite = check_finite(mesh.normals, "normals"); !finite) return finite;
  return check_finite(mesh.texture_coordinates, "texture coordinates");
}

}  // namespace detail

}  // namespace maquette
