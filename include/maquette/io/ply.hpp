// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/mesh.hpp"

namespace maquette {

/// The bytes of a binary little-endian PLY file.
///
/// A vertex has float x y z, then nx ny nz and s t if the mesh has them, then uchar red green blue
/// if `colours` [V, 3] is given; a face has a list of three ints. Errors: mismatch, unsupported.
inline result<std::vector<std::byte>> encode_ply(const mesh_view& mesh,
                                                 std::span<const std::uint8_t> colours = {}) {
  if (result<void> usable = detail::check_mesh(mesh); !usable) return usable.error();
  if (!colours.empty() && colours.size() != mesh.vertices.size())
    return error{errc::mismatch, detail::sentence({"colours: expected ", mesh.vertices.size(),
                                                   " numbers, found ", colours.size()})};
  const std::size_t vertex_count = mesh.vertices.size() / 3;
  const std::size_t face_count = mesh.faces.size() / 3;
  std::string header = "ply\nformat binary_little_endian 1.0\nelement vertex " +
                       std::to_string(vertex_count) +
                       "\nproperty float x\nproperty float y\nproperty float z\n";
  if (!mesh.normals.empty()) header += "property float nx\nproperty float ny\nproperty float nz\n";
  if (!mesh.texture_coordinates.empty()) header += "property float s\nproperty float t\n";
  if (!colours.empty()) header += "property uchar red\nproperty uchar green\nproperty uchar blue\n";
  header += "element face " + std::to_string(face_count) +
            "\nproperty list uchar int vertex_indices\nend_header\n";

  std::vector<std::byte> bytes;
  bytes.reserve(header.size() + 36 * vertex_count + 13 * face_count);
  detail::append(bytes, std::string_view(header));
  const auto row = [&](auto values, std::size_t width, std::size_t index) {
    if (!values.empty()) detail::append(bytes, std::as_bytes(values.subspan(width * index, width)));
  };
  for (std::size_t i = 0; i < vertex_count; ++i) {
    row(mesh.vertices, 3, i);
    row(mesh.normals, 3, i);
    row(mesh.texture_coordinates, 2, i);
    row(colours, 3, i);
  }
  for (std::size_t i = 0; i < face_count; ++i) {
    bytes.push_back(std::byte{3});
    row(mesh.faces, 3, i);
  }
  return bytes;
}

/// Writes a binary PLY file whole or not at all, in the frame in which the vertices are given.
///
/// Errors: those of `encode_ply`; unwritable.
inline result<void> write_ply(const std::string& path, const mesh_view& mesh,
                              std::span<const std::uint8_t> colours = {}) {
  const result<std::vector<std::byte>> bytes = encode_ply(mesh, colours);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

}  // namespace maquette
