// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/build_body.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace maquette;

namespace {

body_array filled(std::vector<std::size_t> shape, double value) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) size *= extent;
  return {std::move(shape), std::vector<double>(size, value)};
}

/// Four vertices, a tetrahedron, that hang on the pelvis.
body_arrays tetrahedron(std::size_t shape_count = 10) {
  body_arrays a;
  a.v_template = {{4, 3}, {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1}};
  a.shapedirs = filled({4, 3, shape_count}, 0);
  for (std::size_t i = 0; i < a.shapedirs.values.size(); ++i) {
    a.shapedirs.values[i] = static_cast<double>(i);
  }
  a.posedirs = filled({4, 3, 207}, 0.125);
  a.joint_regressor = filled({24, 4}, 0.25);
  a.weights = filled({4, 24}, 0);
  for (std::size_t v = 0; v < 4; ++v) a.weights.values[24 * v] = 1;
  a.kintree_table = filled({2, 24}, 0);
  for (std::size_t j = 0; j < 24; ++j) {
    a.kintree_table.values[j] = smpl_parents[j];
    a.kintree_table.values[24 + j] = static_cast<double>(j);
  }
  a.faces = {{4, 3}, {0, 2, 1, 0, 1, 3, 1, 2, 3, 0, 3, 2}};
  return a;
}

std::string fault(const body_arrays& arrays) {
  const auto model = build_body(arrays, "some.npz");
  REQUIRE(!model);
  CHECK(model.error().code == errc::mismatch);
  CHECK(model.error().message.starts_with("some.npz "));
  return model.error().message;
}

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a body of any number of vertices is accepted and laid out for posing") {
  const auto model = build_body(tetrahedron(), "tetrahedron");
  REQUIRE(model);
  CHECK(model->vertex_count == 4);
  CHECK(model->influences == 1);
  CHECK(model->shapedirs[0] == 0);
  CHECK(model->shapedirs[1] == 10);  // direction 0 of element 1 stood at 1 * 10 + 0
  CHECK(model->shapedirs[12] == 1);  // direction 1 of element 0
  CHECK(model->joint_template[1] == doctest::Approx(0.5));
  CHECK(model->mpii_regressor.rows() == 16);
  CHECK(model->joint_regressor.rows() == 24);
}

TEST_CASE("of 300 shape directions the first ten are kept, or as many as asked for") {
  const auto ten = build_body(tetrahedron(300), "many");
  REQUIRE(ten);
  CHECK(ten->shape_count == 10);
  CHECK(ten->shapedirs[12 * 9] == 9);
  const auto twenty = build_body(tetrahedron(300), "many", 20);
  REQUIRE(twenty);
  CHECK(twenty->shape_count == 20);
  const auto few = build_body(tetrahedron(3), "few");
  REQUIRE(few);
  CHECK(few->shape_count == 3);
}

TEST_CASE("the root may be marked in each of the ways that files have") {
  for (const double root : {-1.0, 4294967295.0, 18446744073709551615.0}) {
    body_arrays a = tetrahedron();
    a.kintree_table.values[0] = root;
    const auto model = build_body(a, "root");
    REQUIRE(model);
    CHECK(model->parents[0] == -1);
    CHECK(model->parents[23] == 21);
  }
}

TEST_CASE("without a regressor MPII's joints come from the skeleton") {
  const auto model = build_body(tetrahedron(), "tetrahedron");
  REQUIRE(model);
  std::vector<float> joints(72), out(48);
  for (std::size_t i = 0; i < 72; ++i) joints[i] = static_cast<float>(i);
  mpii_joints<float>(*model, model->v_template, joints, out);
  const auto at = [&](int joint) { return joints[3 * static_cast<std::size_t>(joint)]; };
  CHECK(out[3 * mpii16::r_ankle] ==
        doctest::Approx(0.96 * at(smpl24::r_ankle) + 0.04 * at(smpl24::r_knee)));
  const float trunk =
      (at(smpl24::l_shoulder) + at(smpl24::r_shoulder) - at(smpl24::l_hip) - at(smpl24::r_hip)) / 2;
  CHECK(out[3 * mpii16::l_hip] ==
        doctest::Approx(at(smpl24::l_hip) + 0.125 * (at(smpl24::l_hip) - at(smpl24::r_hip)) +
                        0.06 * trunk));
  CHECK(out[3 * mpii16::r_shoulder] == doctest::Approx(at(smpl24::r_shoulder) + 0.07 * trunk));
  CHECK(out[3 * mpii16::pelvis] ==
        doctest::Approx((at(smpl24::l_hip) + at(smpl24::r_hip)) / 2 + 0.06 * trunk));
  CHECK(out[3 * mpii16::l_wrist + 2] == joints[3 * smpl24::l_wrist + 2]);
  CHECK(out[3 * mpii16::thorax] ==
        doctest::Approx((at(smpl24::l_shoulder) + at(smpl24::r_shoulder)) / 2 + 0.07 * trunk));
  CHECK(out[3 * mpii16::upper_neck] == at(smpl24::head));
  CHECK(out[3 * mpii16::head_top + 1] == 2);  // the highest vertex
}

TEST_CASE("everything that is wrong is named at once") {
  const std::string nothing = fault({});
  for (const char* key :
       {"v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f:"}) {
    CHECK(mentions(nothing, key));
  }
  CHECK(!mentions(nothing, "joint_regressor_mpii"));

  body_arrays a = tetrahedron();
  a.posedirs = filled({4, 3, 206}, 0);
  a.faces.values[5] = 4;
  a.weights.values[24] = 0.5;
  a.v_template.values[2] = std::numeric_limits<double>::quiet_NaN();
  const std::string several = fault(a);
  CHECK(mentions(several, "v_template: expected finite numbers, found nan at element 2"));

  a.v_template.values[2] = 0;
  const std::string rest = fault(a);
  CHECK(mentions(rest, "posedirs: expected [4, 3, 207], found [4, 3, 206]"));
  CHECK(mentions(rest, "f: expected indices from 0 to 3, found 4.000000 at element 5"));
  CHECK(mentions(rest, "weights: expected rows that sum to 1, found 0.500000 in row 1"));
}

TEST_CASE("each array is held to its meaning") {
  const auto broken = [](auto&& damage) {
    body_arrays a = tetrahedron();
    damage(a);
    return fault(a);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(mentions(broken([&](auto& a) { a.shapedirs.values[7] = inf; }), "shapedirs"));
  CHECK(mentions(broken([&](auto& a) { a.posedirs.values[0] = nan; }), "posedirs"));
  CHECK(mentions(broken([&](auto& a) { a.posedirs.values[0] = 1e300; }), "posedirs"));
  CHECK(mentions(broken([&](auto& a) { a.joint_regressor.values[0] = 5; }), "J_regressor"));
  CHECK(mentions(broken([&](auto& a) { a.faces.values[0] = -1; }), "f:"));
  CHECK(mentions(broken([&](auto& a) { a.faces.values[0] = 0.5; }), "f:"));
  CHECK(mentions(broken([&](auto& a) { a.faces = filled({0, 3}, 0); }), "f:"));
  CHECK(mentions(broken([&](auto& a) { a.v_template = filled({0, 3}, 0); }), "v_template"));
  CHECK(mentions(broken([&](auto& a) { a.v_template.values.pop_back(); }), "v_template"));
  CHECK(mentions(broken([&](auto& a) { a.shapedirs = filled({4, 3, 0}, 0); }), "shapedirs"));
  CHECK(mentions(broken([&](auto& a) { a.kintree_table.values[0] = 3; }), "a root"));
  CHECK(mentions(broken([&](auto& a) { a.kintree_table.values[5] = 5; }), "before its child"));
  CHECK(mentions(broken([&](auto& a) { a.kintree_table.values[5] = -1; }), "before its child"));
  CHECK(mentions(broken([&](auto& a) { a.kintree_table.values[30] = 3; }), "in order"));
  CHECK(mentions(broken([&](auto& a) {
                   a.joint_regressor_mpii = filled({14, 4}, 0.25);
                 }),
                 "joint_regressor_mpii: expected [16, 4], found [14, 4]"));
  CHECK(mentions(broken([&](auto& a) { a.mirror_vertex = filled({4}, 9); }), "vert_sym_idxs"));
}
