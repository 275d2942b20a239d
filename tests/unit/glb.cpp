// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/glb.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "io_support.hpp"

#if __has_include(<tiny_gltf.h>)
#define MAQUETTE_HAS_TINYGLTF 1
#define TINYGLTF_IMPLEMENTATION
#define TINYGLTF_NO_STB_IMAGE
#define TINYGLTF_NO_STB_IMAGE_WRITE
#define TINYGLTF_NO_EXTERNAL_IMAGE
#define TINYGLTF_NO_INCLUDE_STB_IMAGE
#define TINYGLTF_NO_INCLUDE_STB_IMAGE_WRITE
#include <tiny_gltf.h>
#else
#define MAQUETTE_HAS_TINYGLTF 0
#endif

using namespace maquette;
using namespace maquette_test;

namespace {

using vec3 = std::array<double, 3>;
using affine = std::array<double, 12>;  // three rows of [rotation | translation]

affine times(const affine& a, const affine& b) {
  affine product{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 4; ++j) {
      for (std::size_t k = 0; k < 3; ++k) product[4 * i + j] += a[4 * i + k] * b[4 * k + j];
      if (j == 3) product[4 * i + j] += a[4 * i + 3];
    }
  return product;
}

vec3 moved_by(const affine& a, const vec3& p) {
  vec3 moved{};
  for (std::size_t i = 0; i < 3; ++i)
    moved[i] = a[4 * i] * p[0] + a[4 * i + 1] * p[1] + a[4 * i + 2] * p[2] + a[4 * i + 3];
  return moved;
}

/// Rodrigues' formula, apart from the writer's quaternions.
affine rigid(const double* axis_angle, const vec3& translation) {
  const double angle = std::hypot(axis_angle[0], axis_angle[1], axis_angle[2]);
  vec3 n{};
  for (std::size_t k = 0; k < 3; ++k) n[k] = angle > 0 ? axis_angle[k] / angle : 0;
  const double cross[9] = {0, -n[2], n[1], n[2], 0, -n[0], -n[1], n[0], 0};
  affine a{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j)
      a[4 * i + j] = (i == j ? std::cos(angle) : 0.0) + std::sin(angle) * cross[3 * i + j] +
                     (1 - std::cos(angle)) * n[i] * n[j];
    a[4 * i + 3] = translation[i];
  }
  return a;
}

/// A column of rings on a chain of joints with a branch; weights blend neighbours.
struct column {
  static constexpr std::size_t joint_count = 5, ring_count = 9;
  std::vector<float> vertices, joints, weights, rotations;
  std::vector<std::uint32_t> faces;
  std::vector<std::int32_t> parents{-1, 0, 1, 2, 1};

  column() {
    for (std::size_t j = 0; j < joint_count; ++j) {
      const auto height = static_cast<float>(j == 4 ? 2 : j);
      joints.insert(joints.end(), {j == 4 ? 0.4F : 0.02F, 0.3F * height, 0.01F * height});
      const auto turn = static_cast<float>(j);
      rotations.insert(rotations.end(), {0.3F - 0.1F * turn, 0.2F * turn, -0.15F});
    }
    rotations[0] = 3.1F;  // upright in a camera's frame
    for (std::size_t ring = 0; ring < ring_count; ++ring)
      for (std::size_t corner = 0; corner < 4; ++corner) {
        const double angle = 1.5707963267948966 * static_cast<double>(corner);
        vertices.insert(vertices.end(), {static_cast<float>(0.1 * std::cos(angle)),
                                         static_cast<float>(0.12 * static_cast<double>(ring)),
                                         static_cast<float>(-0.1 * std::sin(angle))});
        float sum = 0;
        std::array<float, joint_count> row{};
        for (std::size_t j = 0; j < joint_count; ++j) {
          const float distance = std::abs(vertices[vertices.size() - 2] - joints[3 * j + 1]);
          row[j] = std::max(0.0F, 0.35F - distance);
          sum += row[j];
        }
        for (const float weight : row) weights.push_back(weight / sum);
      }
    for (std::uint32_t ring = 0; ring + 1 < ring_count; ++ring)
      for (std::uint32_t corner = 0; corner < 4; ++corner) {
        const std::uint32_t a = 4 * ring + corner, b = 4 * ring + (corner + 1) % 4;
        faces.insert(faces.end(), {a, b, a + 4, b, b + 4, a + 4});
      }
  }

  skinned_mesh_view view() const {
    return {{vertices, faces}, joints, parents, weights, rotations, {0.5F, -0.25F, 4.0F}};
  }

  /// Linear blend skinning in double precision.
  std::vector<vec3> posed() const {
    std::vector<affine> world(joint_count);
    for (std::size_t j = 0; j < joint_count; ++j) {
      const double turn[3] = {rotations[3 * j], rotations[3 * j + 1], rotations[3 * j + 2]};
      vec3 offset{};
      const vec3 translation{0.5, -0.25, 4};
      for (std::size_t k = 0; k < 3; ++k)
        offset[k] = j == 0 ? joints[k] + translation[k]
                           : double{joints[3 * j + k]} -
                                 joints[3 * static_cast<std::size_t>(parents[j]) + k];
      world[j] = rigid(turn, offset);
      if (j > 0) world[j] = times(world[static_cast<std::size_t>(parents[j])], world[j]);
    }
    std::vector<vec3> moved(vertices.size() / 3);
    for (std::size_t v = 0; v < moved.size(); ++v)
      for (std::size_t j = 0; j < joint_count; ++j) {
        vec3 p{};
        for (std::size_t k = 0; k < 3; ++k) p[k] = double{vertices[3 * v + k]} - joints[3 * j + k];
        p = moved_by(world[j], p);
        for (std::size_t k = 0; k < 3; ++k) moved[v][k] += weights[v * joint_count + j] * p[k];
      }
    return moved;
  }
};

}  // namespace

TEST_CASE("a GLB file has its header, a JSON chunk and a binary chunk, all padded") {
  const column body;
  const auto bytes = encode_glb(body.view());
  REQUIRE(bytes);
  CHECK(detail::load<std::uint32_t>(*bytes, 0) == 0x46546C67);
  CHECK(detail::load<std::uint32_t>(*bytes, 4) == 2);
  CHECK(detail::load<std::uint32_t>(*bytes, 8) == bytes->size());
  const std::uint32_t json = *detail::load<std::uint32_t>(*bytes, 12);
  CHECK(json % 4 == 0);
  CHECK(detail::load<std::uint32_t>(*bytes, 20 + json) == bytes->size() - 28 - json);
  CHECK(*encode_glb(body.view()) == *bytes);
}

TEST_CASE("skins and poses that make no sense are refused") {
  const column body;
  skinned_mesh_view mesh = body.view();
  const std::vector<float> no_weights(body.weights.size());
  mesh.weights = no_weights;
  CHECK(mentions(encode_glb(mesh).error().message, "vertex 0"));
  mesh = body.view();
  mesh.rotations = mesh.rotations.first(3);
  CHECK(!encode_glb(mesh));
  mesh = body.view();
  const std::vector<std::int32_t> loop{-1, 0, 3, 2, 1};
  mesh.parents = loop;
  CHECK(mentions(encode_glb(mesh).error().message, "joint 2"));
  mesh = body.view();
  mesh.translation[1] = std::numeric_limits<float>::infinity();
  CHECK(!encode_glb(mesh));
  mesh = body.view();
  mesh.joints = {};
  CHECK(!encode_glb(mesh));
  mesh = body.view();
  std::vector<float> far = body.joints;
  far[0] = 3e38F;
  far[3] = -3e38F;
  mesh.joints = far;
  CHECK(mentions(encode_glb(mesh).error().message, "joints: expected numbers up to"));
}

#if MAQUETTE_HAS_TINYGLTF

namespace {

tinygltf::Model load_glb(std::span<const std::byte> bytes) {
  tinygltf::TinyGLTF loader;
  tinygltf::Model model;
  std::string errors, warnings;
  const bool loaded = loader.LoadBinaryFromMemory(
      &model, &errors, &warnings, reinterpret_cast<const unsigned char*>(bytes.data()),
      static_cast<unsigned int>(bytes.size()));
  CHECK(errors == "");
  CHECK(warnings == "");
  REQUIRE(loaded);
  return model;
}

template <class T>
std::vector<T> accessor(const tinygltf::Model& model, int index) {
  const tinygltf::Accessor& access = model.accessors[static_cast<std::size_t>(index)];
  const tinygltf::BufferView& view = model.bufferViews[static_cast<std::size_t>(access.bufferView)];
  const auto count = access.count * static_cast<std::size_t>(tinygltf::GetNumComponentsInType(
                                        static_cast<std::uint32_t>(access.type)));
  REQUIRE(static_cast<std::size_t>(tinygltf::GetComponentSizeInBytes(
              static_cast<std::uint32_t>(access.componentType))) == sizeof(T));
  REQUIRE(view.byteOffset % 4 == 0);
  REQUIRE(view.byteLength == count * sizeof(T));
  std::vector<T> values(count);
  std::memcpy(values.data(), model.buffers[0].data.data() + view.byteOffset, view.byteLength);
  return values;
}

affine local_transform(const tinygltf::Node& node) {
  affine a{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  if (node.rotation.size() == 4) {
    const double x = node.rotation[0], y = node.rotation[1], z = node.rotation[2],
                 w = node.rotation[3];
    CHECK(x * x + y * y + z * z + w * w == doctest::Approx(1).epsilon(1e-6));
    a = {1 - 2 * (y * y + z * z), 2 * (x * y - z * w),     2 * (x * z + y * w),     0,
         2 * (x * y + z * w),     1 - 2 * (x * x + z * z), 2 * (y * z - x * w),     0,
         2 * (x * z - y * w),     2 * (y * z + x * w),     1 - 2 * (x * x + y * y), 0};
  }
  for (std::size_t k = 0; k < node.translation.size(); ++k) a[4 * k + 3] = node.translation[k];
  return a;
}

void place(const tinygltf::Model& model, int index, const affine& parent,
           std::vector<affine>& world) {
  const auto at = static_cast<std::size_t>(index);
  world[at] = times(parent, local_transform(model.nodes[at]));
  for (const int child : model.nodes[at].children) place(model, child, world[at], world);
}

std::vector<affine> world_transforms(const tinygltf::Model& model) {
  std::vector<affine> world(model.nodes.size());
  for (const int root : model.scenes[0].nodes)
    place(model, root, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, world);
  return world;
}

/// The vertices as a viewer shows them.
std::vector<vec3> as_viewed(const tinygltf::Model& model) {
  const auto& primitive = model.meshes[0].primitives[0];
  const auto positions = accessor<float>(model, primitive.attributes.at("POSITION"));
  const auto influences = accessor<std::uint8_t>(model, primitive.attributes.at("JOINTS_0"));
  const auto weights = accessor<float>(model, primitive.attributes.at("WEIGHTS_0"));
  const auto inverse_bind = accessor<float>(model, model.skins[0].inverseBindMatrices);
  const std::vector<affine> world = world_transforms(model);
  std::vector<vec3> shown(positions.size() / 3);
  for (std::size_t v = 0; v < shown.size(); ++v) {
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const double weight = weights[4 * v + k];
      sum += weight;
      if (weight == 0) CHECK(influences[4 * v + k] == 0);
      const std::size_t joint = influences[4 * v + k];
      const float* m = inverse_bind.data() + 16 * joint;
      const affine bind{m[0], m[4], m[8], m[12], m[1], m[5], m[9], m[13], m[2], m[6], m[10], m[14]};
      const auto node = static_cast<std::size_t>(model.skins[0].joints[joint]);
      const vec3 p = moved_by(times(world[node], bind),
                              {positions[3 * v], positions[3 * v + 1], positions[3 * v + 2]});
      for (std::size_t c = 0; c < 3; ++c) shown[v][c] += weight * p[c];
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-6));
  }
  return shown;
}

}  // namespace

TEST_CASE("tinygltf reads a skinned body back and poses it like linear blend skinning") {
  const column body;
  for (const mesh_frame frame : {mesh_frame::body, mesh_frame::camera}) {
    const auto bytes = encode_glb(body.view(), frame);
    REQUIRE(bytes);
    const tinygltf::Model model = load_glb(*bytes);
    REQUIRE(model.skins.size() == 1);
    CHECK(model.skins[0].joints.size() == column::joint_count);
    CHECK(model.nodes.size() == column::joint_count + 2);
    CHECK(model.materials.size() == 1);
    const auto& primitive = model.meshes[0].primitives[0];
    CHECK(accessor<float>(model, primitive.attributes.at("POSITION")) == body.vertices);
    CHECK(accessor<std::uint32_t>(model, primitive.indices) == body.faces);
    CHECK(accessor<float>(model, primitive.attributes.at("NORMAL")) ==
          vertex_normals(body.vertices, body.faces));
    const auto& positions =
        model.accessors[static_cast<std::size_t>(primitive.attributes.at("POSITION"))];
    for (std::size_t k = 0; k < 3; ++k) {
      float low = body.vertices[k], high = body.vertices[k];
      for (std::size_t i = k; i < body.vertices.size(); i += 3) {
        low = std::min(low, body.vertices[i]);
        high = std::max(high, body.vertices[i]);
      }
      CHECK(static_cast<float>(positions.minValues[k]) == low);
      CHECK(static_cast<float>(positions.maxValues[k]) == high);
    }
    const std::vector<vec3> expected = body.posed();
    const std::vector<vec3> shown = as_viewed(model);
    const double flip = frame == mesh_frame::camera ? -1 : 1;
    double worst = 0;
    for (std::size_t v = 0; v < expected.size(); ++v) {
      worst = std::max(worst, std::abs(shown[v][0] - expected[v][0]));
      worst = std::max(worst, std::abs(shown[v][1] - flip * expected[v][1]));
      worst = std::max(worst, std::abs(shown[v][2] - flip * expected[v][2]));
    }
    CHECK(worst < 2e-6);
    if (frame == mesh_frame::camera) CHECK(shown.back()[1] > shown.front()[1]);
  }
}

TEST_CASE("joint names and texture coordinates reach the file") {
  const column body;
  skinned_mesh_view mesh = body.view();
  const std::vector<std::string_view> names{"pelvis", "spine \"1\"", "a", "b", "c"};
  const std::vector<float> texture(body.vertices.size() / 3 * 2, 0.25F);
  mesh.joint_names = names;
  mesh.rest.texture_coordinates = texture;
  const auto bytes = encode_glb(mesh);
  REQUIRE(bytes);
  const tinygltf::Model model = load_glb(*bytes);
  CHECK(model.nodes[3].name == "spine \"1\"");
  const auto& attributes = model.meshes[0].primitives[0].attributes;
  CHECK(accessor<float>(model, attributes.at("TEXCOORD_0"))[1] == 0.75F);
  REQUIRE(write_glb(written_file("written_skinned.glb"), mesh, mesh_frame::camera));
}

TEST_CASE("tinygltf reads a mesh as it stands, turned from the camera's frame") {
  const column body;
  const mesh_view mesh{body.vertices, body.faces};
  const std::string path = written_file("written_static.glb");
  REQUIRE(write_glb(path, mesh, mesh_frame::camera));
  const tinygltf::Model model = load_glb(*read_file(path));
  CHECK(model.skins.empty());
  CHECK(model.nodes[0].rotation == std::vector<double>{1, 0, 0, 0});
  CHECK(accessor<float>(model, model.meshes[0].primitives[0].attributes.at("POSITION")) ==
        body.vertices);
}

#endif
