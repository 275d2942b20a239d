// SPDX-License-Identifier: Apache-2.0
// weights/body.npz is a body that programs written for SMPL accept.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/io/body_npz.hpp"
#include "maquette/io/npz_writer.hpp"

using namespace maquette;

namespace {

const body_model& default_body() {
  static const result<body_model> model =
      load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  const std::string reason = model ? "" : model.error().message;
  REQUIRE_MESSAGE(model, reason);
  return *model;
}

}  // namespace

TEST_CASE("a body of more numbers than a body has is refused before they are made doubles") {
  constexpr std::size_t size = (std::size_t{1} << 25) + 1;
  const std::vector<std::uint8_t> zeros(size);
  const std::vector<npz_entry> entries{
      {"v_template", npy_array::of<std::uint8_t>(tensor_shape(size), zeros)}};
  const result<std::vector<std::byte>> file = encode_npz(entries, npz_compression::deflated);
  REQUIRE(file);
  const result<npz> archive = npz::parse(*file);
  REQUIRE(archive);
  const auto body = load_body(*archive, "huge");
  REQUIRE(!body);
  CHECK(body.error().code == errc::mismatch);
  CHECK(body.error().message.find("'v_template': expected at most 33554432 numbers") !=
        std::string::npos);
}

TEST_CASE("the default body has SMPL's sizes") {
  const body_model& body = default_body();
  CHECK(body.vertex_count == 6890);
  CHECK(body.faces.size() == 3 * 13776);
  CHECK(body.shape_count == 10);
  CHECK(body.posedirs.size() == 207 * 3 * 6890);
  CHECK(body.influences <= 4);
  CHECK(std::equal(body.parents.begin(), body.parents.end(), smpl_parents.begin(),
                   smpl_parents.end()));
}

TEST_CASE("the default body's surface is one closed, oriented manifold of genus 0") {
  const body_model& body = default_body();
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> half_edges;
  std::set<std::uint32_t> used;
  for (std::size_t f = 0; f < body.faces.size(); f += 3) {
    for (std::size_t k = 0; k < 3; ++k) {
      const std::uint32_t a = body.faces[f + k];
      const std::uint32_t b = body.faces[f + (k + 1) % 3];
      CHECK(a != b);
      ++half_edges[{a, b}];
      used.insert(a);
    }
  }
  CHECK(used.size() == body.vertex_count);
  std::size_t bad = 0;
  for (const auto& [edge, count] : half_edges) {
    const auto twin = half_edges.find({edge.second, edge.first});
    bad += count != 1 || twin == half_edges.end() || twin->second != 1;
  }
  CHECK(bad == 0);
  const auto vertices = static_cast<long>(used.size());
  const auto edges = static_cast<long>(half_edges.size() / 2);
  const auto faces = static_cast<long>(body.faces.size() / 3);
  CHECK(vertices - edges + faces == 2);

  // Around every vertex the faces form one fan, so no two parts touch in a point.
  std::map<std::uint32_t, std::vector<std::pair<std::uint32_t, std::uint32_t>>> around;
  for (std::size_t f = 0; f < body.faces.size(); f += 3) {
    for (std::size_t k = 0; k < 3; ++k) {
      around[body.faces[f + k]].push_back(
          {body.faces[f + (k + 1) % 3], body.faces[f + (k + 2) % 3]});
    }
  }
  std::size_t pinched = 0;
  for (const auto& [vertex, fan] : around) {
    std::map<std::uint32_t, std::uint32_t> next(fan.begin(), fan.end());
    std::uint32_t at = fan.front().first;
    std::size_t steps = 0;
    do {
      at = next[at];
      ++steps;
    } while (at != fan.front().first && steps <= fan.size());
    pinched += steps != fan.size();
  }
  CHECK(pinched == 0);

  // Outward: the volume that the faces enclose is positive, and a body's.
  double volume = 0;
  for (std::size_t f = 0; f < body.faces.size(); f += 3) {
    const auto p = [&](std::size_t k) {
      const float* const v = body.v_template.data() + 3 * std::size_t{body.faces[f + k]};
      return std::array<double, 3>{double{v[0]}, double{v[1]}, double{v[2]}};
    };
    const auto a = p(0), b = p(1), c = p(2);
    volume += (a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
               a[2] * (b[0] * c[1] - b[1] * c[0])) /
              6;
  }
  CHECK(volume > 0.04);
  CHECK(volume < 0.12);
}

TEST_CASE("the default body's regressor marks joints where its skeleton would have them marked") {
  const body_model& body = default_body();
  std::vector<float> joints(72), found(48);
  std::copy(body.joint_template.begin(), body.joint_template.end(), joints.begin());
  mpii_joints<float>(body, body.v_template, joints, found);
  for (int j = 0; j < static_cast<int>(mpii16::count); ++j) {
    if (j == mpii16::head_top) continue;  // no joint of the skeleton
    const auto share = detail::marked_joint(j);
    double square = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      double wanted = 0;
      for (std::size_t i = 0; i < share.size(); ++i) wanted += share[i] * double{joints[3 * i + k]};
      square += std::pow(double{found[3 * static_cast<std::size_t>(j) + k]} - wanted, 2);
    }
    CAPTURE(mpii16::names[static_cast<std::size_t>(j)]);
    CHECK(std::sqrt(square) < 0.025);
  }
}

TEST_CASE("the default body's regressors and weights are averages") {
  const body_model& body = default_body();
  const auto check_rows = [](const sparse_rows<float>& rows) {
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      double sum = 0;
      for (std::size_t e = rows.offsets[r]; e < rows.offsets[r + 1]; ++e) {
        sum += double{rows.values[e]};
      }
      CHECK(sum == doctest::Approx(1).epsilon(1e-5));
    }
  };
  CHECK(body.joint_regressor.rows() == 24);
  CHECK(body.mpii_regressor.rows() == 16);
  check_rows(body.joint_regressor);
  check_rows(body.mpii_regressor);
  double worst = 0;
  for (std::size_t v = 0; v < body.vertex_count; ++v) {
    double sum = 0;
    for (std::size_t i = 0; i < body.influences; ++i) {
      const float weight = body.skin_weight[v * body.influences + i];
      CHECK(weight >= 0);
      sum += double{weight};
    }
    worst = std::max(worst, std::abs(sum - 1));
  }
  CHECK(worst < 1e-5);
}

TEST_CASE("the default body stands upright in metres, faces +z, left at +x, and is symmetric") {
  const body_model& body = default_body();
  float low = 1e9F, high = -1e9F;
  for (std::size_t v = 0; v < body.vertex_count; ++v) {
    low = std::min(low, body.v_template[3 * v + 1]);
    high = std::max(high, body.v_template[3 * v + 1]);
  }
  CHECK(high - low > 1.5F);
  CHECK(high - low < 1.9F);
  const float* const joint = body.joint_template.data();
  CHECK(joint[3 * smpl24::l_hip] > 0.03F);
  CHECK(joint[3 * smpl24::r_hip] < -0.03F);
  CHECK(joint[3 * smpl24::head + 1] > joint[3 * smpl24::pelvis + 1] + 0.4F);
  CHECK(joint[3 * smpl24::l_foot + 2] > joint[3 * smpl24::l_ankle + 2] + 0.05F);

  REQUIRE(body.mirror_vertex.size() == body.vertex_count);
  float worst = 0;
  float worst_shape = 0;
  for (std::size_t v = 0; v < body.vertex_count; ++v) {
    const std::size_t w = body.mirror_vertex[v];
    CHECK(body.mirror_vertex[w] == v);
    for (std::size_t k = 0; k < 3; ++k) {
      const float sign = k == 0 ? -1.0F : 1.0F;
      worst =
          std::max(worst, std::abs(body.v_template[3 * v + k] - sign * body.v_template[3 * w + k]));
      for (std::size_t b = 0; b < body.shape_count; ++b) {
        const float* const direction = body.shapedirs.data() + b * 3 * body.vertex_count;
        worst_shape =
            std::max(worst_shape, std::abs(direction[3 * v + k] - sign * direction[3 * w + k]));
      }
    }
  }
  CHECK(worst < 1e-5F);
  CHECK(worst_shape < 1e-4F);
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const auto partner = static_cast<std::size_t>(mirror_joint<smpl24>[j]);
    CHECK(std::abs(joint[3 * j] + joint[3 * partner]) < 1e-4F);
    CHECK(std::abs(joint[3 * j + 1] - joint[3 * partner + 1]) < 1e-4F);
    CHECK(std::abs(joint[3 * j + 2] - joint[3 * partner + 2]) < 1e-4F);
  }
}
