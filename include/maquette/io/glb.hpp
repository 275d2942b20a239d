// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/vertex_normals.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/json.hpp"
#include "maquette/io/mesh.hpp"

namespace maquette {

/// A mesh that hangs on a skeleton, with one pose: borrowed, in metres and radians.
///
/// Joint j moves its vertices by G_j = G_parent(j) [R(rotations_j) | joints_j - joints_parent(j)],
/// minus the rest position, as in linear blend skinning; the root adds `translation`.
struct skinned_mesh_view {
  /// [V, 3] before skinning. A viewer does linear blend skinning only, so pose-corrective offsets
  /// must already be in: give the shaped template plus the pose blend shapes of this very pose.
  mesh_view rest;
  std::span<const float> joints;          ///< [J, 3] at rest
  std::span<const std::int32_t> parents;  ///< [J], a parent before its children, the root -1
  std::span<const float> weights;         ///< [V, J] of which the four largest are kept, normalised
  std::span<const float> rotations;       ///< [J, 3] axis-angle relative to the parent
  std::array<float, 3> translation{};     ///< added to the root
  std::span<const std::string_view> joint_names{};  ///< [J], or empty for joint_0, joint_1, ...
};

namespace detail {

/// A glTF document in the making: JSON fragments and the binary buffer that they describe.
class glb_builder {
 public:
  enum class component : int { unsigned_byte = 5121, unsigned_int = 5125, float32 = 5126 };
  enum class target : int { none = 0, vertices = 34962, indices = 34963 };

  /// Adds an array of elements such as VEC3, returns the index of its accessor.
  template <class T>
  std::size_t add(std::span<const T> values, std::string_view type, std::size_t width,
                  component what, target use, bool with_bounds = false) {
    buffer_.resize((buffer_.size() + 3) / 4 * 4);
    separate(views_) += "{\"buffer\":0,\"byteOffset\":" + std::to_string(buffer_.size()) +
                        ",\"byteLength\":" + std::to_string(values.size_bytes());
    if (use != target::none) views_ += ",\"target\":" + std::to_string(static_cast<int>(use));
    views_ += '}';
    append(buffer_, std::as_bytes(values));
    separate(accessors_) += "{\"bufferView\":" + std::to_string(count_) +
                            ",\"componentType\":" + std::to_string(static_cast<int>(what)) +
                            ",\"count\":" + std::to_string(values.size() / width) + ",\"type\":\"" +
                            std::string(type) + '"';
    if constexpr (std::is_same_v<T, float>) {
      if (with_bounds) add_bounds(values, width);
    }
    accessors_ += '}';
    return count_++;
  }

  /// Closes the document: `scene` holds its nodes, meshes and so on, without the outer braces.
  result<std::vector<std::byte>> finish(std::string_view scene) {
    buffer_.resize((buffer_.size() + 3) / 4 * 4);
    std::string json = "{\"asset\":{\"version\":\"2.0\",\"generator\":\"maquette\"},";
    json += scene;
    json += ",\"accessors\":[" + accessors_ + "],\"bufferViews\":[" + views_ +
            "],\"buffers\":[{\"byteLength\":" + std::to_string(buffer_.size()) + "}]}";
    json.append((4 - json.size() % 4) % 4, ' ');
    const std::size_t size = 12 + 8 + json.size() + 8 + buffer_.size();
    if (size > 0xFFFFFFFFU)
      return error{errc::unsupported, "a GLB file of more than 4 GiB does not exist"};
    std::vector<std::byte> bytes;
    bytes.reserve(size);
    append(bytes, std::string_view("glTF"));
    store(bytes, std::uint32_t{2});
    store(bytes, static_cast<std::uint32_t>(size));
    store(bytes, static_cast<std::uint32_t>(json.size()));
    append(bytes, std::string_view("JSON"));
    append(bytes, std::string_view(json));
    store(bytes, static_cast<std::uint32_t>(buffer_.size()));
    append(bytes, std::string_view("BIN\0", 4));
    append(bytes, buffer_);
    return bytes;
  }

 private:
  static std::string& separate(std::string& list) {
    if (!list.empty()) list += ',';
    return list;
  }

  void add_bounds(std::span<const float> values, std::size_t width) {
    std::string low, high;
    for (std::size_t k = 0; k < width; ++k) {
      float minimum = values[k], maximum = values[k];
      for (std::size_t i = k; i < values.size(); i += width) {
        minimum = std::min(minimum, values[i]);
        maximum = std::max(maximum, values[i]);
      }
      append_number(separate(low), minimum);
      append_number(separate(high), maximum);
    }
    accessors_ += ",\"min\":[" + low + "],\"max\":[" + high + "]";
  }

  std::vector<std::byte> buffer_;
  std::string views_, accessors_;
  std::size_t count_ = 0;
};

inline std::string json_numbers(std::span<const float> values) {
  std::string text = "[";
  for (const float value : values) {
    if (text.size() > 1) text += ',';
    append_number(text, value);
  }
  return text + ']';
}

/// The quaternion x, y, z, w of a rotation vector.
inline std::array<float, 4> quaternion_of(std::span<const float, 3> rotation) {
  const double x = rotation[0], y = rotation[1], z = rotation[2];
  const double angle = std::hypot(x, y, z);
  const double scale = angle > 1e-9 ? std::sin(angle / 2) / angle : 0.5;
  return {static_cast<float>(x * scale), static_cast<float>(y * scale),
          static_cast<float>(z * scale), static_cast<float>(std::cos(angle / 2))};
}

/// Adds positions, normals, texture coordinates and faces; returns the primitive without its end.
inline std::string add_primitive(glb_builder& glb, const mesh_view& mesh) {
  using component = glb_builder::component;
  using target = glb_builder::target;
  std::vector<float> computed;
  if (mesh.normals.empty()) computed = vertex_normals(mesh.vertices, mesh.faces);
  const std::span<const float> normals = mesh.normals.empty() ? computed : mesh.normals;
  std::string json =
      "{\"attributes\":{\"POSITION\":" +
      std::to_string(
          glb.add(mesh.vertices, "VEC3", 3, component::float32, target::vertices, true)) +
      ",\"NORMAL\":" +
      std::to_string(glb.add(normals, "VEC3", 3, component::float32, target::vertices));
  if (!mesh.texture_coordinates.empty()) {
    std::vector<float> flipped(mesh.texture_coordinates.begin(), mesh.texture_coordinates.end());
    for (std::size_t i = 1; i < flipped.size(); i += 2) flipped[i] = 1.0F - flipped[i];
    json += ",\"TEXCOORD_0\":" + std::to_string(glb.add(std::span<const float>(flipped), "VEC2", 2,
                                                        component::float32, target::vertices));
  }
  return json;
}

inline std::string finish_primitive(glb_builder& glb, const mesh_view& mesh) {
  return "},\"indices\":" +
         std::to_string(glb.add(mesh.faces, "SCALAR", 1, glb_builder::component::unsigned_int,
                                glb_builder::target::indices)) +
         ",\"material\":0}";
}

inline constexpr std::string_view glb_material =
    "\"materials\":[{\"name\":\"neutral\",\"pbrMetallicRoughness\":{\"baseColorFactor\":"
    "[0.65,0.48,0.4,1],\"metallicFactor\":0,\"roughnessFactor\":0.7}}]";

/// The properties that turn a frame into glTF's.
inline std::string frame_rotation(mesh_frame frame) {
  return frame == mesh_frame::camera ? ",\"rotation\":[1,0,0,0]" : "";
}

/// Each vertex' four strongest joints; weights sum to one, unused places are zero.
struct skin_influences {
  std::vector<std::uint8_t> joints;
  std::vector<float> weights;
};

inline result<skin_influences> strongest_influences(std::span<const float> weights,
                                                    std::size_t vertex_count,
                                                    std::size_t joint_count) {
  constexpr std::size_t kept = 4;
  skin_influences influences{std::vector<std::uint8_t>(kept * vertex_count),
                             std::vector<float>(kept * vertex_count)};
  for (std::size_t vertex = 0; vertex < vertex_count; ++vertex) {
    std::uint8_t* joint = influences.joints.data() + kept * vertex;
    float* weight = influences.weights.data() + kept * vertex;
    for (std::size_t j = 0; j < joint_count; ++j) {
      const float candidate = weights[vertex * joint_count + j];
      if (!(candidate > weight[kept - 1])) continue;
      std::size_t place = kept - 1;
      for (; place > 0 && candidate > weight[place - 1]; --place) {
        weight[place] = weight[place - 1];
        joint[place] = joint[place - 1];
      }
      weight[place] = candidate;
      joint[place] = static_cast<std::uint8_t>(j);
    }
    const double sum = double{weight[0]} + weight[1] + weight[2] + weight[3];
    if (!(sum > 0) || !std::isfinite(sum))
      return error{errc::mismatch, sentence({"weights: vertex ", vertex, " hangs on no joint"})};
    for (std::size_t k = 0; k < kept; ++k) weight[k] = static_cast<float>(weight[k] / sum);
  }
  return influences;
}

inline result<void> check_skin(const skinned_mesh_view& mesh) {
  const std::size_t vertex_count = mesh.rest.vertices.size() / 3;
  const std::size_t joint_count = mesh.parents.size();
  if (joint_count == 0 || joint_count > 256)
    return error{errc::unsupported,
                 sentence({"parents: expected 1 to 256 joints, found ", joint_count})};
  const auto wrong = [](const char* what, std::size_t expected, std::size_t found) {
    return error{errc::mismatch,
                 sentence({what, ": expected ", expected, " numbers, found ", found})};
  };
  if (mesh.joints.size() != 3 * joint_count)
    return wrong("joints", 3 * joint_count, mesh.joints.size());
  if (mesh.rotations.size() != 3 * joint_count)
    return wrong("rotations", 3 * joint_count, mesh.rotations.size());
  if (mesh.weights.size() != vertex_count * joint_count)
    return wrong("weights", vertex_count * joint_count, mesh.weights.size());
  if (!mesh.joint_names.empty() && mesh.joint_names.size() != joint_count)
    return wrong("joint names", joint_count, mesh.joint_names.size());
  for (std::size_t j = 0; j < joint_count; ++j)
    if (j == 0 ? mesh.parents[j] != -1
               : mesh.parents[j] < 0 || static_cast<std::size_t>(mesh.parents[j]) >= j)
      return error{errc::mismatch,
                   sentence({"parents: joint ", j, " has the parent ", mesh.parents[j],
                             ", expected -1 for joint 0 and an earlier joint for others"})};
  if (result<void> finite = check_finite(mesh.joints, "joints"); !finite) return finite;
  if (result<void> finite = check_finite(mesh.weights, "weights"); !finite) return finite;
  if (result<void> finite = check_finite(mesh.translation, "translation"); !finite) return finite;
  // Nodes are written relative to their parents: differences, which must not overflow.
  constexpr float largest_joint = 1e37F;
  for (const float value : mesh.joints)
    if (std::abs(value) > largest_joint)
      return error{errc::mismatch,
                   sentence({"joints: expected numbers up to ", largest_joint, ", found ", value})};
  return check_finite(mesh.rotations, "rotations");
}

/// The skeleton's nodes in the given pose; node `first` + j is joint j.
inline std::string joint_nodes(const skinned_mesh_view& mesh, std::size_t first) {
  const std::size_t joint_count = mesh.parents.size();
  std::string json;
  for (std::size_t j = 0; j < joint_count; ++j) {
    std::array<float, 3> offset = mesh.translation;
    for (std::size_t k = 0; k < 3; ++k) {
      const float at = mesh.joints[3 * j + k];
      offset[k] = j == 0 ? at + offset[k]
                         : at - mesh.joints[3 * static_cast<std::size_t>(mesh.parents[j]) + k];
    }
    const auto rotation =
        quaternion_of(std::span<const float, 3>(mesh.rotations.subspan(3 * j, 3)));
    json += ",{\"name\":";
    append_json_string(json, mesh.joint_names.empty() ? "joint_" + std::to_string(j)
                                                      : std::string(mesh.joint_names[j]));
    json += ",\"translation\":" + json_numbers(offset) + ",\"rotation\":" + json_numbers(rotation);
    std::string children;
    for (std::size_t child = j + 1; child < joint_count; ++child)
      if (static_cast<std::size_t>(mesh.parents[child]) == j) {
        if (!children.empty()) children += ',';
        children += std::to_string(first + child);
      }
    if (!children.empty()) json += ",\"children\":[" + children + "]";
    json += '}';
  }
  return json;
}

}  // namespace detail

/// The bytes of a GLB file (binary glTF 2.0) with a mesh as it stands.
///
/// Normals are computed where the mesh has none. Errors: mismatch, unsupported (too large).
inline result<std::vector<std::byte>> encode_glb(const mesh_view& mesh,
                                                 mesh_frame frame = mesh_frame::body) {
  if (result<void> usable = detail::check_mesh(mesh); !usable) return usable.error();
  detail::glb_builder glb;
  std::string primitive = detail::add_primitive(glb, mesh);
  primitive += detail::finish_primitive(glb, mesh);
  return glb.finish(
      "\"scene\":0,\"scenes\":[{\"nodes\":[0]}],\"nodes\":[{\"name\":\"body\","
      "\"mesh\":0" +
      detail::frame_rotation(frame) + "}],\"meshes\":[{\"primitives\":[" + primitive + "]}]," +
      std::string(detail::glb_material));
}

/// The bytes of a GLB file (binary glTF 2.0) with a body on its skeleton, posed but not baked: a
/// viewer shows the pose, an animator can change it.
///
/// The pose is in the joint nodes, as quaternions; skins refer to the rest pose by inverse bind
/// matrices. With `mesh_frame::camera` a node above the skeleton turns it upright. Errors:
/// mismatch, unsupported (over 256 joints, too large).
inline result<std::vector<std::byte>> encode_glb(const skinned_mesh_view& mesh,
                                                 mesh_frame frame = mesh_frame::body) {
  using component = detail::glb_builder::component;
  using target = detail::glb_builder::target;
  if (result<void> usable = detail::check_mesh(mesh.rest); !usable) return usable.error();
  if (result<void> usable = detail::check_skin(mesh); !usable) return usable.error();
  const std::size_t joint_count = mesh.parents.size();
  const result<detail::skin_influences> influences =
      detail::strongest_influences(mesh.weights, mesh.rest.vertices.size() / 3, joint_count);
  if (!influences) return influences.error();

  detail::glb_builder glb;
  std::string primitive = detail::add_primitive(glb, mesh.rest);
  primitive +=
      ",\"JOINTS_0\":" + std::to_string(glb.add(std::span(influences->joints), "VEC4", 4,
                                                component::unsigned_byte, target::vertices));
  primitive += ",\"WEIGHTS_0\":" + std::to_string(glb.add(std::span(influences->weights), "VEC4", 4,
                                                          component::float32, target::vertices));
  primitive += detail::finish_primitive(glb, mesh.rest);

  std::vector<float> inverse_bind;  // column-major 4x4: a shift of each joint to the origin
  std::string joint_list;
  constexpr std::size_t first_joint = 2;
  for (std::size_t j = 0; j < joint_count; ++j) {
    const float* at = mesh.joints.data() + 3 * j;
    inverse_bind.insert(inverse_bind.end(),
                        {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0 - at[0], 0 - at[1], 0 - at[2], 1});
    if (j > 0) joint_list += ',';
    joint_list += std::to_string(first_joint + j);
  }
  const std::size_t bind =
      glb.add(std::span<const float>(inverse_bind), "MAT4", 16, component::float32, target::none);
  return glb.finish(
      "\"scene\":0,\"scenes\":[{\"nodes\":[0,1]}],\"nodes\":[{\"name\":\"frame\",\"children\":[" +
      std::to_string(first_joint) + "]" + detail::frame_rotation(frame) +
      "},{\"name\":\"body\",\"mesh\":0,\"skin\":0}" + detail::joint_nodes(mesh, first_joint) +
      "],\"skins\":[{\"inverseBindMatrices\":" + std::to_string(bind) +
      ",\"skeleton\":" + std::to_string(first_joint) + ",\"joints\":[" + joint_list +
      "]}],\"meshes\":[{\"primitives\":[" + primitive + "]}]," + std::string(detail::glb_material));
}

/// Writes a mesh as it stands to a GLB file, whole or not at all.
///
/// Errors: those of `encode_glb`; unwritable.
inline result<void> write_glb(const std::string& path, const mesh_view& mesh,
                              mesh_frame frame = mesh_frame::body) {
  const result<std::vector<std::byte>> bytes = encode_glb(mesh, frame);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

/// Writes a body on its skeleton to a GLB file, whole or not at all.
///
/// Errors: those of `encode_glb`; unwritable.
inline result<void> write_glb(const std::string& path, const skinned_mesh_view& mesh,
                              mesh_frame frame = mesh_frame::body) {
  const result<std::vector<std::byte>> bytes = encode_glb(mesh, frame);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

}  // namespace maquette
