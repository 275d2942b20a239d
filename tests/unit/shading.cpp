// SPDX-License-Identifier: Apache-2.0
#include "maquette/render/shading.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "maquette/render/silhouette.hpp"
#include "maquette/render/skeleton_drawing.hpp"

using namespace maquette;

namespace {

struct octahedron {
  std::vector<float> vertices{1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1};
  std::vector<std::uint32_t> faces{0, 2, 4, 2, 1, 4, 1, 3, 4, 3, 0, 4,
                                   2, 0, 5, 1, 2, 5, 3, 1, 5, 0, 3, 5};
};

struct sheet {
  std::vector<std::uint8_t> pixels;
  canvas view;
  sheet(int width, int height, std::uint8_t grey)
      : pixels(3 * static_cast<std::size_t>(width * height), grey), view{pixels, width, height} {}
};

/// No light but an even sky: the surface keeps exactly its own colour.
lighting even_light() {
  lighting light;
  light.lights = {};
  light.sky = {1, 1, 1};
  light.ground = {1, 1, 1};
  light.gloss = 0;
  return light;
}

}  // namespace

TEST_CASE("a convex mesh's normals point outward and have length 1") {
  const octahedron mesh;
  std::vector<float> normals(mesh.vertices.size());
  vertex_normals(mesh.vertices, mesh.faces, normals);
  for (std::size_t i = 0; i < normals.size(); ++i) {
    CHECK(normals[i] == doctest::Approx(mesh.vertices[i]));  // by symmetry the axes themselves
  }
  std::vector<float> lonely{0, 0, 0};
  std::vector<float> none(3, 7.0F);
  vertex_normals(lonely, {}, none);
  CHECK(none == std::vector<float>{0, 1, 0});
}

TEST_CASE("a mesh is drawn where its silhouette is, in its own colour under an even light") {
  const octahedron mesh;
  const camera view{60, 32, 24};
  const vec3<double> translation{0.2, 0.1, 5};
  sheet out(64, 48, 10);
  surface_style style;
  style.base = {200, 120, 40};
  style.light = even_light();
  shading_workspace workspace;
  draw_mesh(out.view, view, mesh.vertices, translation, mesh.faces, style, workspace, 4);
  std::vector<float> projected(mesh.vertices.size());
  std::vector<std::uint8_t> mask(64 * 48);
  draw_silhouette(view, mesh.vertices, translation, mesh.faces, projected, 64, 48, mask);
  int inside = 0, mixed = 0;
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x) {
      const std::uint8_t* const p = out.view.at(x, y);
      const bool full = p[0] >= 199 && p[0] <= 201 && p[1] >= 119 && p[1] <= 121;
      const bool empty = p[0] == 10 && p[1] == 10 && p[2] == 10;
      const bool covered = mask[static_cast<std::size_t>(64 * y + x)] != 0;
      if (full) CHECK(covered);
      if (empty) CHECK(!covered);
      inside += full;
      mixed += !full && !empty;
    }
  }
  CHECK(inside > 150);
  CHECK(mixed > 20);  // the anti-aliased border
}

TEST_CASE("half opacity is half way between ground and mesh") {
  const octahedron mesh;
  const camera view{60, 16, 16};
  sheet out(32, 32, 100);
  surface_style style;
  style.base = {200, 200, 200};
  style.light = even_light();
  style.opacity = 0.5F;
  shading_workspace workspace;
  draw_mesh(out.view, view, mesh.vertices, {0, 0, 5}, mesh.faces, style, workspace, 2);
  CHECK(std::abs(int{out.view.at(16, 16)[0]} - 150) <= 1);
  CHECK(out.view.at(0, 0)[0] == 100);
}

TEST_CASE("vertex colours and textures reach the picture") {
  // Two triangles that fill the picture: left black, right white.
  const std::vector<float> vertices{-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 1, 0};
  const std::vector<std::uint32_t> faces{0, 1, 2, 0, 2, 3};
  const camera view{16, 16, 16};
  shading_workspace workspace;
  surface_style style;
  style.light = even_light();

  sheet coloured(32, 32, 100);
  const std::vector<std::uint8_t> colours{0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0};
  style.vertex_colours = colours;
  draw_mesh(coloured.view, view, vertices, {0, 0, 1}, faces, style, workspace, 1);
  CHECK(coloured.view.at(0, 10)[0] < 60);
  CHECK(coloured.view.at(31, 10)[0] > 240);
  CHECK(coloured.view.at(5, 10)[1] < coloured.view.at(25, 10)[1]);

  sheet textured(32, 32, 100);
  std::vector<std::uint8_t> texels{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  const std::vector<float> uv{0, 1, 1, 1, 1, 0, 0, 0};
  style.vertex_colours = {};
  style.texture = {texels, 2, 2};
  style.uv = uv;
  style.uv_faces = faces;
  const std::vector<float> no_numbers(8, std::numeric_limits<float>::quiet_NaN());
  style.uv = no_numbers;
  draw_mesh(textured.view, view, vertices, {0, 0, 1}, faces, style, workspace, 1);
  style.uv = uv;
  draw_mesh(textured.view, view, vertices, {0, 0, 1}, faces, style, workspace, 1);
  const auto is = [&](int x, int y, int red, int green, int blue) {
    const std::uint8_t* const p = textured.view.at(x, y);
    CHECK(std::abs(p[0] - red) <= 1);
    CHECK(std::abs(p[1] - green) <= 1);
    CHECK(std::abs(p[2] - blue) <= 1);
  };
  is(2, 2, 255, 0, 0);
  is(29, 2, 0, 255, 0);
  is(2, 29, 0, 0, 255);
  is(29, 29, 255, 255, 255);
}

TEST_CASE("a mesh behind the camera, off the picture or full of NaN draws nothing") {
  const octahedron mesh;
  const camera view{60, 16, 16};
  shading_workspace workspace;
  const sheet untouched(32, 32, 77);
  sheet out(32, 32, 77);
  draw_mesh(out.view, view, mesh.vertices, {0, 0, -5}, mesh.faces, {}, workspace);
  draw_mesh(out.view, view, mesh.vertices, {100, 0, 5}, mesh.faces, {}, workspace);
  draw_mesh(out.view, view, {}, {0, 0, 5}, {}, {}, workspace);
  const std::vector<float> nan(mesh.vertices.size(), std::nanf(""));
  draw_mesh(out.view, view, nan, {0, 0, 5}, mesh.faces, {}, workspace);
  CHECK(out.pixels == untouched.pixels);
}

TEST_CASE("a picture in bands has no seams: a tall mesh equals itself drawn elsewhere") {
  const octahedron mesh;
  shading_workspace workspace;
  sheet low(64, 160, 0), high(64, 160, 0);
  // The same camera ray but 7 rows further down: the same pixels, 7 rows apart, in other bands.
  draw_mesh(low.view, {300, 32, 87}, mesh.vertices, {0, 0, 6}, mesh.faces, {}, workspace, 2);
  draw_mesh(high.view, {300, 32, 80}, mesh.vertices, {0, 0, 6}, mesh.faces, {}, workspace, 2);
  int different = 0;
  for (int y = 0; y < 150; ++y) {
    for (int x = 0; x < 64; ++x) {
      different += std::abs(high.view.at(x, y)[0] - low.view.at(x, y + 7)[0]) > 2;
    }
  }
  CHECK(different == 0);
}

TEST_CASE("a turned mesh keeps its size, and a full turn is none") {
  const std::vector<float> vertices{1, 2, 3, 4, 5, 6, -1, 0, 5};
  std::vector<float> turned(9);
  turn_mesh(vertices, 2 * std::numbers::pi, turned);
  for (std::size_t i = 0; i < 9; ++i) CHECK(turned[i] == doctest::Approx(vertices[i]));
  turn_mesh(vertices, std::numbers::pi / 2, turned);
  // The box's middle is (1.5, 4.5); the picture's right (x = 4, z = 6) comes to the front.
  CHECK(turned[3] == doctest::Approx(1.5 + 1.5));
  CHECK(turned[5] == doctest::Approx(4.5 - 2.5));
  CHECK(turned[4] == 5);
}

TEST_CASE("framing makes the mesh as large as fits and centres it") {
  const octahedron mesh;
  for (const image_box box : {image_box{10, 20, 110, 320}, image_box{10, 20, 410, 120}}) {
    const camera view{800, 200, 200};
    const vec3<double> t = framing_translation(view, mesh.vertices, box);
    const image_box seen = detail::outline(view, mesh.vertices, t).box;
    CHECK(std::max(seen.width() / box.width(), seen.height() / box.height()) ==
          doctest::Approx(1).epsilon(0.01));
    CHECK(seen.left + seen.right == doctest::Approx(box.left + box.right).epsilon(0.01));
    CHECK(seen.top + seen.bottom == doctest::Approx(box.top + box.bottom).epsilon(0.01));
  }
}

TEST_CASE("a line covers its area, and nothing outside the picture is touched") {
  sheet out(40, 40, 0);
  draw_line(out.view, {10, 20}, {30, 20}, 3, {255, 255, 255});
  double sum = 0;
  for (const std::uint8_t p : out.pixels) sum += p / 255.0 / 3;
  CHECK(sum == doctest::Approx(20 * 6 + std::numbers::pi * 9).epsilon(0.02));
  CHECK(out.view.at(20, 20)[0] == 255);
  CHECK(out.view.at(20, 26)[0] == 0);
  draw_line(out.view, {-50, -50}, {90, 95}, 2, {255, 0, 0});
  draw_line(out.view, {1e300, 0}, {0, 1e300}, 2, {255, 0, 0});
  draw_line(out.view, {std::nan(""), 0}, {5, 5}, 2, {255, 0, 0});
  CHECK(out.view.at(0, 0)[0] > 200);
}

TEST_CASE("the skeleton shows the person's left and right in their colours, unseen joints not") {
  sheet out(100, 100, 0);
  std::vector<float> joints(48, 0.0F);
  const auto set = [&](int j, float u, float v, float confidence) {
    joints[3 * static_cast<std::size_t>(j)] = u;
    joints[3 * static_cast<std::size_t>(j) + 1] = v;
    joints[3 * static_cast<std::size_t>(j) + 2] = confidence;
  };
  set(mpii16::l_knee, 70, 20, 1);
  set(mpii16::l_ankle, 70, 80, 1);
  set(mpii16::r_knee, 30, 20, 1);
  set(mpii16::r_ankle, 30, 80, 0.01F);
  const side_colours colours;
  draw_skeleton(out.view, joints, 0.1, 4, colours);
  CHECK(out.view.at(70, 50)[2] == colours.left.blue);
  CHECK(out.view.at(70, 80)[0] == colours.left.red);
  CHECK(out.view.at(30, 20)[0] == colours.right.red);
  CHECK(out.view.at(30, 50)[0] == 0);
  CHECK(out.view.at(30, 80)[0] == 0);
}

TEST_CASE("a gradient fills the picture from above to below") {
  sheet out(3, 11, 9);
  fill(out.view, {0, 50, 100}, {100, 50, 0});
  CHECK(out.view.at(1, 0)[0] == 0);
  CHECK(out.view.at(2, 5)[0] == 50);
  CHECK(out.view.at(2, 5)[1] == 50);
  CHECK(out.view.at(0, 10)[0] == 100);
  CHECK(out.view.at(0, 10)[2] == 0);
}
