// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include "io_support.hpp"
#include "maquette/core/vertex_normals.hpp"
#include "maquette/io/obj.hpp"
#include "maquette/io/ply.hpp"

using namespace maquette;
using namespace maquette_test;

namespace {

const std::vector<float> vertices{0, 0, 0, 0.1F, 0, 0, 0, 1.5e-7F, 0, 0, 0, -3};
const std::vector<std::uint32_t> faces{0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3};
const std::vector<float> texture{0, 0, 1, 0, 0, 1, 0.25F, 0.75F};
const mesh_view tetrahedron{vertices, faces};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("an OBJ file says exactly the mesh") {
  const result<std::string> text = encode_obj(tetrahedron);
  REQUIRE(text);
  CHECK(*text ==
        "v 0 0 0\nv 0.1 0 0\nv 0 1.5e-07 0\nv 0 0 -3\n"
        "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n");
  CHECK(mentions(*encode_obj(tetrahedron, mesh_frame::camera),
                 "v 0 0 0\nv 0.1 0 0\nv 0 -1.5e-07 0\nv 0 0 3\n"));
  mesh_view full = tetrahedron;
  const std::vector<float> normals = vertex_normals(vertices, faces);
  full.normals = normals;
  CHECK(mentions(*encode_obj(full), "\nf 1//1 3//3 2//2\n"));
  full.texture_coordinates = texture;
  CHECK(mentions(*encode_obj(full), "\nvt 0.25 0.75\n"));
  CHECK(mentions(*encode_obj(full), "\nf 1/1/1 3/3/3 2/2/2\n"));
  REQUIRE(write_obj(written_file("written.obj"), full));
}

TEST_CASE("a binary PLY file holds the mesh and its colours") {
  const std::vector<std::uint8_t> colours(12, 9);
  const auto bytes = encode_ply(tetrahedron, colours);
  REQUIRE(bytes);
  const std::string text = text_of(*bytes);
  const std::size_t body = text.find("end_header\n") + 11;
  CHECK(mentions(text, "format binary_little_endian 1.0\nelement vertex 4\n"));
  REQUIRE(bytes->size() - body == 4 * (12 + 3) + 4 * 13);
  CHECK(detail::load<float>(*bytes, body + 15) == 0.1F);
  CHECK((*bytes)[body + 15 + 12] == std::byte{9});
  CHECK((*bytes)[body + 60] == std::byte{3});
  CHECK(detail::load<std::uint32_t>(*bytes, body + 60 + 13 + 9) == 3);
  CHECK(!encode_ply(tetrahedron, std::span(colours).first(3)));
  const std::vector<float> normals = vertex_normals(vertices, faces);
  REQUIRE(write_ply(written_file("written.ply"), {vertices, faces, normals, texture}, colours));
}

TEST_CASE("meshes that no reader could use are refused") {
  const std::vector<std::uint32_t> outside{0, 1, 4};
  std::vector<float> broken = vertices;
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(mentions(encode_obj({vertices, outside}).error().message, "vertex 4"));
  CHECK(mentions(encode_obj({broken, faces}).error().message, "value 5"));
  CHECK(!encode_obj({}));
  CHECK(!encode_obj({vertices, {}}));
  CHECK(!encode_obj({std::span(vertices).first(11), faces}));
  CHECK(!encode_ply({vertices, std::span(faces).first(5)}));
  CHECK(!encode_ply({vertices, faces, texture}));
  CHECK(!encode_ply({vertices, faces, {}, vertices}));
  CHECK(write_obj("no/such/folder/x.obj", tetrahedron).error().code == errc::unwritable);
}

TEST_CASE("vertex normals point away from a closed mesh, also where faces are degenerate") {
  const std::vector<float> corners{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 5, 5, 5};
  const std::vector<std::uint32_t> sides{0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3, 4, 4, 4};
  const std::vector<float> normals = vertex_normals(corners, sides);
  for (std::size_t k = 0; k < 3; ++k) CHECK(normals[k] == doctest::Approx(-std::sqrt(1.0 / 3)));
  CHECK(normals[13] == 1);
}
