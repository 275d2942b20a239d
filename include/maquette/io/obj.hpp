// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/json.hpp"
#include "maquette/io/mesh.hpp"

namespace maquette {

/// The text of a Wavefront OBJ file: v, then vt and vn if the mesh has them, then f.
///
/// Coordinates are written so that they read back exactly, indices from 1. Errors: mismatch,
/// unsupported (too large).
inline result<std::string> encode_obj(const mesh_view& mesh, mesh_frame frame = mesh_frame::body) {
  if (result<void> usable = detail::check_mesh(mesh); !usable) return usable.error();
  std::string text;
  const auto rows = [&](const char* key, std::span<const float> values, std::size_t width) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % width == 0) text += key;
      text += ' ';
      const bool turned = frame == mesh_frame::camera && width == 3 && i % 3 != 0;
      detail::append_number(text, turned ? 0.0F - values[i] : values[i]);
      if (i % width == width - 1) text += '\n';
    }
  };
  rows("v", mesh.vertices, 3);
  rows("vt", mesh.texture_coordinates, 2);
  rows("vn", mesh.normals, 3);
  for (std::size_t i = 0; i < mesh.faces.size(); ++i) {
    const std::string index = std::to_string(mesh.faces[i] + 1);
    text += i % 3 == 0 ? "f " : " ";
    text += index;
    if (!mesh.texture_coordinates.empty() || !mesh.normals.empty()) text += '/';
    if (!mesh.texture_coordinates.empty()) text += index;
    if (!mesh.normals.empty()) text += '/' + index;
    if (i % 3 == 2) text += '\n';
  }
  return text;
}

/// Writes a Wavefront OBJ file whole or not at all. A body in the camera's frame, as an estimate
/// holds it, is turned upright if that is said.
///
/// Errors: those of `encode_obj`; unwritable.
inline result<void> write_obj(const std::string& path, const mesh_view& mesh,
                              mesh_frame frame = mesh_frame::body) {
  const result<std::string> text = encode_obj(mesh, frame);
  if (!text) return error{text.error().code, detail::sentence({path, ": ", text.error().message})};
  return write_file(path, std::string_view(*text));
}

}  // namespace maquette
