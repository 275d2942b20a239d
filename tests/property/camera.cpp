// SPDX-License-Identifier: Apache-2.0
#include "maquette/render/camera.hpp"

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "maquette/body/rotation.hpp"
#include "maquette/render/silhouette.hpp"

using namespace maquette;

namespace {

struct scene {
  std::vector<float> points;  ///< [N, 3], about a body's size
  vec3<double> translation;
  std::vector<float> observed;  ///< [N, 3]
};

scene random_scene(std::mt19937& random, const camera& view, std::size_t count, double depth) {
  std::normal_distribution<double> normal;
  scene s;
  for (std::size_t i = 0; i < count; ++i) {
    s.points.push_back(static_cast<float>(0.3 * normal(random)));
    s.points.push_back(static_cast<float>(0.6 * normal(random)));
    s.points.push_back(static_cast<float>(0.2 * normal(random)));
  }
  s.translation = {0.5 * normal(random), 0.5 * normal(random), depth};
  for (std::size_t i = 0; i < count; ++i) {
    const image_point p = project(view, detail::mesh_vertex(s.points, i) + s.translation);
    s.observed.push_back(static_cast<float>(p.u));
    s.observed.push_back(static_cast<float>(p.v));
    s.observed.push_back(1);
  }
  return s;
}

}  // namespace

TEST_CASE("projection is the matrix K applied in homogeneous coordinates") {
  const camera view{5000, 127, 131};
  Eigen::Matrix3d k;
  k << 5000, 0, 127, 0, 5000, 131, 0, 0, 1;
  const Eigen::Vector3d h = k * Eigen::Vector3d(0.4, -0.7, 42);
  const image_point p = project(view, {0.4, -0.7, 42});
  CHECK(p.u == doctest::Approx(h.x() / h.z()).epsilon(1e-15));
  CHECK(p.v == doctest::Approx(h.y() / h.z()).epsilon(1e-15));
  // By hand: 5000 * 0.4 / 40 + 128 = 178; 5000 * -0.8 / 40 + 128 = 28.
  CHECK(project({}, {0.4, -0.8, 40}).u == doctest::Approx(178).epsilon(1e-15));
  CHECK(project({}, {0.4, -0.8, 40}).v == doctest::Approx(28).epsilon(1e-15));
}

TEST_CASE("the photo's camera sees every point where the crop shows it") {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int i = 0; i < 200; ++i) {
    const crop_box box{500 * uniform(random), 500 * uniform(random), 400 + 390 * uniform(random)};
    const camera crop{5000 + 3000 * uniform(random), 128 + uniform(random), 128 + uniform(random)};
    const camera photo = photo_camera(crop, box);
    const vec3<double> point{uniform(random), uniform(random), 40 + 30 * uniform(random)};
    const image_point in_crop = project(crop, point);
    const image_point in_photo = project(photo, point);
    const image_point carried = crop_to_photo(in_crop, box);
    CHECK(carried.u == doctest::Approx(in_photo.u).epsilon(1e-12));
    CHECK(carried.v == doctest::Approx(in_photo.v).epsilon(1e-12));
    const image_point back = photo_to_crop(carried, box);
    CHECK(back.u == doctest::Approx(in_crop.u).epsilon(1e-10));
    CHECK(back.v == doctest::Approx(in_crop.v).epsilon(1e-10));
  }
  // The crop's borders are the box's: pixel edges, not pixel centres, are what is mapped.
  const crop_box box{100, 50, 512};
  CHECK(crop_to_photo({0, 0}, box).u == 100);
  CHECK(crop_to_photo({256, 256}, box).v == 562);
  CHECK(crop_to_photo({0.5, 0.5}, box).u == 101);  // a crop pixel covers two photo pixels
  const camera photo = photo_camera({}, box);
  CHECK(photo.focal == 10000);
  CHECK(photo.centre_x == 356);
  CHECK(photo.centre_y == 306);
}

TEST_CASE("a crop's camera resized is its heat map's") {
  const vec3<double> point{0.3, -0.5, 38};
  const image_point crop = project({}, point);
  const image_point map = project(resized(camera{}, 0.25), point);
  CHECK(map.u == doctest::Approx(crop.u / 4).epsilon(1e-14));
  CHECK(map.v == doctest::Approx(crop.v / 4).epsilon(1e-14));
}

TEST_CASE("the translation from exact joints is the true one, whatever their confidences") {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> confidence(0.1F, 1.0F);
  for (int i = 0; i < 100; ++i) {
    const camera view{800.0 + 40 * i, 300, 200};
    scene s = random_scene(random, view, 16, 4);
    for (std::size_t j = 0; j < 16; ++j) s.observed[3 * j + 2] = confidence(random);
    const auto t = translation_from_joints(view, s.points, s.observed);
    REQUIRE(t);
    CHECK(norm(*t - s.translation) < 1e-4);
  }
}

TEST_CASE("the translation from noisy joints is Eigen's solution of the same equations") {
  std::mt19937 random(3);
  std::normal_distribution<float> noise(0, 3);
  std::uniform_real_distribution<float> confidence(0.1F, 1.0F);
  const camera view{1500, 310, 220};
  for (int i = 0; i < 50; ++i) {
    scene s = random_scene(random, view, 16, 6);
    Eigen::MatrixXd a(32, 3);
    Eigen::VectorXd b(32);
    for (std::size_t j = 0; j < 16; ++j) {
      s.observed[3 * j] += noise(random);
      s.observed[3 * j + 1] += noise(random);
      s.observed[3 * j + 2] = confidence(random);
      const double w = std::sqrt(double{s.observed[3 * j + 2]});
      const double u = s.observed[3 * j], v = s.observed[3 * j + 1];
      const double x = s.points[3 * j], y = s.points[3 * j + 1], z = s.points[3 * j + 2];
      const auto row = static_cast<Eigen::Index>(2 * j);
      a.row(row) << w * view.focal, 0, w * (view.centre_x - u);
      b(row) = w * ((u - view.centre_x) * z - view.focal * x);
      a.row(row + 1) << 0, w * view.focal, w * (view.centre_y - v);
      b(row + 1) = w * ((v - view.centre_y) * z - view.focal * y);
    }
    const Eigen::Vector3d expected = a.colPivHouseholderQr().solve(b);
    const auto t = translation_from_joints(view, s.points, s.observed);
    REQUIRE(t);
    CHECK(norm(*t - vec3<double>{expected.x(), expected.y(), expected.z()}) < 1e-8);
  }
}

TEST_CASE("joints that do not fix a translation give none") {
  const camera view;
  const std::vector<float> points{0, 0, 0, 1, 0, 0};
  CHECK(!translation_from_joints(view, points, std::vector<float>{10, 10, 0, 20, 20, 0}));
  CHECK(!translation_from_joints(view, points, std::vector<float>{10, 10, 1, 20, 20, 0}));
  CHECK(!translation_from_joints(view, points, std::vector<float>(6, std::nanf(""))));
  // Two joints seen mirrored can only be explained from behind the camera.
  CHECK(!translation_from_joints(view, points, std::vector<float>{200, 128, 1, 100, 128, 1}));
  CHECK(!translation_from_joints(view, {}, {}));
}

TEST_CASE("the translation from the extent puts the projected box onto the silhouette's") {
  std::mt19937 random(4);
  for (int i = 0; i < 100; ++i) {
    // From a telephoto lens far away to a wide one close by.
    const camera view{i % 2 == 0 ? 5000.0 : 700.0, 310, 220};
    const scene s = random_scene(random, view, 300, i % 2 == 0 ? 40 : 4);
    const image_box box = detail::outline(view, s.points, s.translation).box;
    const auto t = translation_from_extent(view, s.points, {box});
    REQUIRE(t);
    const image_box found = detail::outline(view, s.points, *t).box;
    const double size = std::max(box.width(), box.height());
    const bool tall = box.height() >= box.width();
    CHECK(std::abs((tall ? found.height() : found.width()) - size) < 1e-4 * size);
    CHECK(std::abs(found.left + found.right - box.left - box.right) < 1e-4 * size);
    CHECK(std::abs(found.top + found.bottom - box.top - box.bottom) < 1e-4 * size);
    CHECK(norm(*t - s.translation) < 2e-3 * s.translation.z);
  }
}

TEST_CASE("an end of the silhouette at the picture's border is not taken for the body's") {
  std::mt19937 random(5);
  const camera view{1000, 128, 128};
  const scene s = random_scene(random, view, 300, 8);
  silhouette_extent cut{detail::outline(view, s.points, s.translation).box};
  cut.box.bottom = cut.box.top + 0.5 * cut.box.height();
  cut.bottom_seen = false;
  const auto t = translation_from_extent(view, s.points, cut);
  REQUIRE(t);
  CHECK(std::abs(t->z - s.translation.z) < 0.02 * s.translation.z);
  CHECK(detail::outline(view, s.points, *t).box.top == doctest::Approx(cut.box.top).epsilon(1e-3));
}

TEST_CASE("an empty mesh or silhouette has no translation") {
  CHECK(!translation_from_extent({}, {}, {{0, 0, 10, 10}}));
  const std::vector<float> points{0, 0, 0, 1, 1, 1};
  CHECK(!translation_from_extent({}, points, {{10, 10, 10, 10}}));
  CHECK(!translation_from_extent({}, std::vector<float>(6, 1.0F), {{0, 0, 10, 10}}));
}

TEST_CASE("joints and extent together survive wrong ones") {
  std::mt19937 random(6);
  std::normal_distribution<float> noise(0, 0.5F);
  const camera view;
  for (int i = 0; i < 50; ++i) {
    scene s = random_scene(random, view, 16, 40);
    const scene mesh = random_scene(random, view, 300, 40);
    const image_box box = detail::outline(view, mesh.points, s.translation).box;
    for (std::size_t j = 0; j < 16; ++j) {
      s.observed[3 * j] += noise(random);
      s.observed[3 * j + 1] += noise(random);
    }
    const auto clean =
        estimate_translation(view, s.points, s.observed, mesh.points, silhouette_extent{box});
    REQUIRE(clean);
    CHECK(std::abs(clean->z - s.translation.z) < 0.02 * s.translation.z);
    CHECK(std::hypot(clean->x - s.translation.x, clean->y - s.translation.y) < 0.01);

    // A wrist and an ankle on another person, and an outline that a chair makes longer.
    s.observed[0] += 90;
    s.observed[3] -= 120;
    s.observed[4] += 60;
    silhouette_extent wrong{box};
    wrong.box.bottom += 25;
    const auto robust = estimate_translation(view, s.points, s.observed, mesh.points, wrong);
    const auto plain = translation_from_joints(view, s.points, s.observed);
    REQUIRE(robust);
    CHECK(std::abs(robust->z - s.translation.z) < 0.04 * s.translation.z);
    CHECK(std::hypot(robust->x - s.translation.x, robust->y - s.translation.y) < 0.02);
    if (plain) CHECK(norm(*robust - s.translation) < norm(*plain - s.translation));
  }
}

TEST_CASE("joints that contradict the pose do not bring the body to the eye") {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> anywhere(60, 200);
  const camera view{5000, 128, 128};
  for (int i = 0; i < 500; ++i) {
    scene s = random_scene(random, view, 16, 40);
    const scene mesh = random_scene(random, view, 300, 40);
    const silhouette_extent seen{detail::outline(view, mesh.points, s.translation).box};
    for (std::size_t j = 0; j < 16; ++j) {
      s.observed[3 * j] = anywhere(random);
      s.observed[3 * j + 1] = anywhere(random);
    }
    const auto start = translation_from_extent(view, mesh.points, seen);
    const auto found = estimate_translation(view, s.points, s.observed, mesh.points, seen);
    REQUIRE(start);
    REQUIRE(found);
    double middle = 0;
    for (std::size_t j = 0; j < 16; ++j) middle += double{s.points[3 * j + 2]} / 16;
    CHECK(found->z + middle >= (start->z + middle) / 8);
  }
}

TEST_CASE("a body's translation does not depend on where its own origin is") {
  std::mt19937 random(10);
  const camera view{1000, 128, 128};
  const scene near = random_scene(random, view, 16, 8);
  const scene mesh = random_scene(random, view, 300, 8);
  // A chair makes the outline longer, so that the joints have something to put right.
  silhouette_extent seen{detail::outline(view, mesh.points, near.translation).box};
  seen.box.bottom += 8;
  const auto t = estimate_translation(view, near.points, near.observed, mesh.points, seen);
  const auto alone = estimate_translation(view, {}, {}, mesh.points, seen);
  REQUIRE(t);
  REQUIRE(alone);
  // The translation alone says nothing of the depth: here it is -0.1 and 108.
  for (const float away : {8.1F, -100.0F}) {
    scene moved = near;
    scene moved_mesh = mesh;
    for (scene* each : {&moved, &moved_mesh})
      for (std::size_t i = 2; i < each->points.size(); i += 3) each->points[i] += away;
    const auto found =
        estimate_translation(view, moved.points, near.observed, moved_mesh.points, seen);
    REQUIRE(found);
    CHECK(found->z + double{away} == doctest::Approx(t->z).epsilon(1e-4));
    CHECK(std::hypot(found->x - t->x, found->y - t->y) < 1e-4);
    const auto by_extent = estimate_translation(view, {}, {}, moved_mesh.points, seen);
    REQUIRE(by_extent);
    CHECK(by_extent->z + double{away} == doctest::Approx(alone->z).epsilon(1e-4));
  }
}

TEST_CASE("a point that nobody has seen says nothing of the translation, whatever it is") {
  std::mt19937 random(11);
  const camera view{1000, 128, 128};
  scene s = random_scene(random, view, 16, 8);
  s.observed[3 * 4 + 2] = 0;
  const auto expected = estimate_translation(view, s.points, s.observed, {}, std::nullopt);
  s.points[3 * 4 + 2] = std::numeric_limits<float>::quiet_NaN();
  const auto found = estimate_translation(view, s.points, s.observed, {}, std::nullopt);
  REQUIRE(expected);
  REQUIRE(found);
  CHECK(norm(*found - *expected) == 0);
}

TEST_CASE("another camera's translation keeps the picture as far as perspective allows") {
  std::mt19937 random(7);
  const camera customary{5000, 128, 128};
  const scene s = random_scene(random, customary, 24, 40);
  const auto same = translation_for_camera(customary, s.translation, customary, s.points);
  REQUIRE(same);
  CHECK(norm(*same - s.translation) < 1e-6);
  const camera real{1200, 140, 120};
  const auto moved = translation_for_camera(customary, s.translation, real, s.points);
  REQUIRE(moved);
  CHECK(moved->z == doctest::Approx(40.0 * 1200 / 5000).epsilon(0.03));
  for (std::size_t i = 0; i < 24; ++i) {
    const image_point p = project(real, detail::mesh_vertex(s.points, i) + *moved);
    // A point 0.6 m nearer than the middle of 9.6 m is drawn 6 % larger; the rest must agree.
    CHECK(std::hypot(p.u - double{s.observed[3 * i]}, p.v - double{s.observed[3 * i + 1]}) < 12);
  }
}

TEST_CASE("a projected mesh is the projected points") {
  std::mt19937 random(8);
  const camera view{1000, 64, 48};
  const scene s = random_scene(random, view, 50, 5);
  std::vector<float> projected(150);
  project_mesh(view, s.points, s.translation, projected);
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(projected[3 * i] == doctest::Approx(s.observed[3 * i]).epsilon(1e-5));
    CHECK(projected[3 * i + 1] == doctest::Approx(s.observed[3 * i + 1]).epsilon(1e-5));
    CHECK(projected[3 * i + 2] ==
          doctest::Approx(double{s.points[3 * i + 2]} + s.translation.z).epsilon(1e-6));
  }
}

TEST_CASE("a mask's extent tells which ends were seen") {
  std::vector<std::uint8_t> mask(8 * 6, 0);
  CHECK(!extent_of(mask, 8, 6));
  mask[2 * 8 + 3] = 1;
  mask[5 * 8 + 4] = 1;
  const auto extent = extent_of(mask, 8, 6);
  REQUIRE(extent);
  CHECK(extent->box.left == 3);
  CHECK(extent->box.right == 5);
  CHECK(extent->box.top == 2);
  CHECK(extent->box.bottom == 6);
  CHECK(extent->left_seen);
  CHECK(extent->right_seen);
  CHECK(extent->top_seen);
  CHECK(!extent->bottom_seen);
  CHECK(resized(*extent, 4).box.right == 20);
}

TEST_CASE("intersection over union") {
  const std::vector<std::uint8_t> a{1, 1, 0, 0};
  const std::vector<std::uint8_t> b{0, 255, 255, 0};
  const std::vector<std::uint8_t> none(4, 0);
  CHECK(intersection_over_union(a, a) == 1);
  CHECK(intersection_over_union(a, b) == doctest::Approx(1.0 / 3));
  CHECK(intersection_over_union(a, none) == 0);
  CHECK(intersection_over_union(none, none) == 1);
}
