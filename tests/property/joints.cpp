// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/joints.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <set>

#include "maquette/body/rotation.hpp"

using namespace maquette;

namespace {

template <class Joints>
void check_set() {
  const auto& mirror = mirror_joint<Joints>;
  std::set<std::string_view> seen;
  for (std::size_t j = 0; j < Joints::count; ++j) {
    CHECK(seen.insert(Joints::names[j]).second);
    const auto partner = static_cast<std::size_t>(mirror[j]);
    CHECK(mirror[partner] == static_cast<int>(j));
    const bool sided =
        Joints::names[j].substr(0, 2) == "l_" || Joints::names[j].substr(0, 2) == "r_";
    CHECK((partner != j) == sided);
    if (sided) CHECK(Joints::names[j].substr(2) == Joints::names[partner].substr(2));
    CHECK(joint_map<Joints, Joints>[j] == static_cast<int>(j));
  }
}

template <class To, class From>
void check_pair() {
  const auto& map = joint_map<To, From>;
  const auto& back = joint_map<From, To>;
  std::set<int> used;
  for (std::size_t i = 0; i < To::count; ++i) {
    const int j = map[i];
    const int mirrored = map[static_cast<std::size_t>(mirror_joint<To>[i])];
    if (j < 0) {
      CHECK(mirrored < 0);
      continue;
    }
    CHECK(used.insert(j).second);
    CHECK(back[static_cast<std::size_t>(j)] == static_cast<int>(i));
    CHECK(mirrored == mirror_joint<From>[static_cast<std::size_t>(j)]);
  }
}

template <class To>
void check_from_all() {
  check_set<To>();
  check_pair<To, smpl24>();
  check_pair<To, mpii16>();
  check_pair<To, lsp14>();
  check_pair<To, coco17>();
}

}  // namespace

TEST_CASE("joint maps are one-to-one, inverse to each other and symmetric") {
  check_from_all<smpl24>();
  check_from_all<mpii16>();
  check_from_all<lsp14>();
  check_from_all<coco17>();
}

TEST_CASE("the maps hold the published numbers") {
  // LSP from SMPL as SMPLify has it; the neck is unused and the head's top is a vertex.
  CHECK(joint_map<lsp14, smpl24> ==
        std::array<int, 14>{8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, -1, -1});
  CHECK(joint_map<lsp14, mpii16> ==
        std::array<int, 14>{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9});
  CHECK(joint_map<coco17, mpii16> ==
        std::array<int, 17>{-1, -1, -1, -1, -1, 13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0});
  CHECK(mirror_joint<smpl24> == std::array<int, 24>{0,  2,  1,  3,  5,  4,  6,  8,
                                                    7,  9,  11, 10, 12, 14, 13, 15,
                                                    17, 16, 19, 18, 21, 20, 23, 22});
  static_assert(mpii16::l_wrist == 15 && lsp14::head_top == 13 && coco17::r_ankle == 16 &&
                smpl24::r_hand == 23);
}

TEST_CASE("the skeleton is a tree and its mirror image the same tree") {
  CHECK(smpl_parents[0] == -1);
  for (std::size_t j = 1; j < smpl24::count; ++j) {
    CHECK(smpl_parents[j] >= 0);
    CHECK(smpl_parents[j] < static_cast<int>(j));
    const auto& mirror = mirror_joint<smpl24>;
    CHECK(smpl_parents[static_cast<std::size_t>(mirror[j])] ==
          mirror[static_cast<std::size_t>(smpl_parents[j])]);
  }
}

TEST_CASE("the mirrored pose is the reflected rotations, and mirroring twice changes nothing") {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::array<double, 72> theta{};
  for (double& t : theta) t = normal(random);
  std::array<double, 72> mirrored{};
  std::array<double, 72> twice{};
  mirror_pose<double>(theta, mirrored);
  mirror_pose<double>(mirrored, twice);
  CHECK(twice == theta);
  const mat3<double> reflection{{-1, 0, 0, 0, 1, 0, 0, 0, 1}};
  const auto rotation = [](const std::array<double, 72>& pose, std::size_t j) {
    return rodrigues(vec3<double>{pose[3 * j], pose[3 * j + 1], pose[3 * j + 2]});
  };
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const mat3<double> expected =
        reflection * rotation(theta, static_cast<std::size_t>(mirror_joint<smpl24>[j])) *
        reflection;
    const mat3<double> found = rotation(mirrored, j);
    for (std::size_t k = 0; k < 9; ++k) CHECK(found.m[k] == doctest::Approx(expected.m[k]));
  }
}
