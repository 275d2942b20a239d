// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/smpl.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "maquette/io/body_npz.hpp"

using namespace maquette;

namespace {

template <class T>
const basic_body_model<T>& body(const char* file) {
  static std::map<std::string, result<basic_body_model<T>>> loaded;
  const std::string path = std::string(MAQUETTE_SOURCE_DIR) + file;
  if (!loaded.contains(path)) loaded.try_emplace(path, load_body<T>(path));
  const result<basic_body_model<T>>& model = loaded.at(path);
  const std::string reason = model ? "" : model.error().message;
  REQUIRE_MESSAGE(model, reason);
  return *model;
}

struct posed {
  std::vector<double> vertices;
  std::vector<double> joints;
  std::vector<double> v_posed;
};

posed pose(const basic_body_model<double>& model, const std::vector<double>& beta,
           const std::vector<double>& theta, vec3<double> translation = {}) {
  basic_smpl_workspace<double> workspace(model);
  posed out{std::vector<double>(3 * model.vertex_count), std::vector<double>(72), {}};
  smpl<double>(model, {beta, theta, translation}, workspace, out.vertices, out.joints);
  out.v_posed = workspace.v_posed;
  return out;
}

std::vector<double> random_numbers(std::mt19937& random, std::size_t count, double deviation) {
  std::normal_distribution<double> normal(0, deviation);
  std::vector<double> out(count);
  for (double& v : out) v = normal(random);
  return out;
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

constexpr const char* small = "/tests/golden/data/body_small.npz";

}  // namespace

TEST_CASE("a body at rest is its blended shape, its joints the regressed ones") {
  const auto& model = body<double>(small);
  std::mt19937 random(1);
  const std::vector<double> beta = random_numbers(random, 10, 1);
  const posed rest = pose(model, beta, std::vector<double>(72));
  std::vector<double> shaped = model.v_template;
  for (std::size_t b = 0; b < beta.size(); ++b) {
    for (std::size_t i = 0; i < shaped.size(); ++i) {
      shaped[i] += beta[b] * model.shapedirs[b * shaped.size() + i];
    }
  }
  CHECK(difference(rest.v_posed, shaped) < 1e-14);
  CHECK(difference(rest.vertices, shaped) < 1e-14);
  std::vector<double> joints(72);
  for (std::size_t j = 0; j < 24; ++j) {
    for (std::size_t e = model.joint_regressor.offsets[j]; e < model.joint_regressor.offsets[j + 1];
         ++e) {
      for (std::size_t k = 0; k < 3; ++k) {
        joints[3 * j + k] +=
            model.joint_regressor.values[e] * shaped[3 * model.joint_regressor.columns[e] + k];
      }
    }
  }
  CHECK(difference(rest.joints, joints) < 1e-14);
}

TEST_CASE("shape numbers that are not given are zero") {
  const auto& model = body<double>(small);
  std::mt19937 random(2);
  std::vector<double> beta = random_numbers(random, 4, 1);
  const std::vector<double> theta = random_numbers(random, 72, 0.5);
  const posed shortened = pose(model, beta, theta);
  beta.resize(10);
  CHECK(difference(shortened.vertices, pose(model, beta, theta).vertices) == 0);
  CHECK(difference(pose(model, {}, theta).vertices,
                   pose(model, std::vector<double>(10), theta).vertices) == 0);
}

TEST_CASE("the root rotates the body about its pelvis, and the translation moves it") {
  const auto& model = body<double>(small);
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) {
    const std::vector<double> beta = random_numbers(random, 10, 1);
    std::vector<double> theta = random_numbers(random, 72, 0.6);
    const std::vector<double> numbers = random_numbers(random, 6, 2);
    const vec3<double> turn{numbers[0], numbers[1], numbers[2]};
    const vec3<double> move{numbers[3], numbers[4], numbers[5]};
    theta[0] = theta[1] = theta[2] = 0;
    const posed still = pose(model, beta, theta);
    theta[0] = turn.x;
    theta[1] = turn.y;
    theta[2] = turn.z;
    const posed turned = pose(model, beta, theta, move);
    const vec3<double> pelvis{still.joints[0], still.joints[1], still.joints[2]};
    const mat3<double> r = rodrigues(turn);
    const auto expect = [&](const std::vector<double>& from) {
      std::vector<double> out(from.size());
      for (std::size_t p = 0; p < from.size(); p += 3) {
        const vec3<double> q =
            r * (vec3<double>{from[p], from[p + 1], from[p + 2]} - pelvis) + pelvis + move;
        out[p] = q.x;
        out[p + 1] = q.y;
        out[p + 2] = q.z;
      }
      return out;
    };
    CHECK(difference(turned.vertices, expect(still.vertices)) < 1e-13);
    CHECK(difference(turned.joints, expect(still.joints)) < 1e-13);
    CHECK(difference(turned.v_posed, still.v_posed) == 0);
  }
}

TEST_CASE("a joint moves only what hangs on it") {
  const auto& model = body<double>("/weights/body.npz");
  std::vector<double> theta(72);
  const posed rest = pose(model, {}, theta);
  theta[3 * smpl24::l_elbow + 1] = -1.2;
  const posed bent = pose(model, {}, theta);
  for (std::size_t j = 0; j < 24; ++j) {
    double moved = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      moved += std::abs(bent.joints[3 * j + k] - rest.joints[3 * j + k]);
    }
    CHECK((moved > 0.05) == (j == smpl24::l_wrist || j == smpl24::l_hand));
    CHECK((moved < 1e-12) == (j != smpl24::l_wrist && j != smpl24::l_hand));
  }
}

TEST_CASE("the mirrored pose gives the mirrored mesh on the symmetric body") {
  const auto& model = body<double>("/weights/body.npz");
  REQUIRE(model.mirror_vertex.size() == model.vertex_count);
  std::mt19937 random(4);
  const std::vector<double> beta = random_numbers(random, 10, 1);
  const std::vector<double> theta = random_numbers(random, 72, 0.4);
  std::vector<double> mirrored(72);
  mirror_pose<double>(theta, mirrored);
  const posed a = pose(model, beta, theta);
  const posed b = pose(model, beta, mirrored);
  double worst = 0;
  for (std::size_t v = 0; v < model.vertex_count; ++v) {
    const std::size_t w = model.mirror_vertex[v];
    worst = std::max(worst, std::abs(a.vertices[3 * v] + b.vertices[3 * w]));
    worst = std::max(worst, std::abs(a.vertices[3 * v + 1] - b.vertices[3 * w + 1]));
    worst = std::max(worst, std::abs(a.vertices[3 * v + 2] - b.vertices[3 * w + 2]));
  }
  // The file's float16 directions and float32 weights are symmetric to their own precision only.
  CHECK(worst < 1e-3);
}

TEST_CASE("single precision is the double one to a micrometre's tens") {
  const auto& exact = body<double>("/weights/body.npz");
  const auto& model = body<float>("/weights/body.npz");
  std::mt19937 random(5);
  smpl_workspace workspace(model);
  std::vector<float> vertices(3 * model.vertex_count), joints(72);
  for (int i = 0; i < 10; ++i) {
    const std::vector<double> beta = random_numbers(random, 10, 1.5);
    const std::vector<double> theta = random_numbers(random, 72, 0.6);
    const std::vector<float> b(beta.begin(), beta.end()), t(theta.begin(), theta.end());
    const posed expected = pose(exact, std::vector<double>(b.begin(), b.end()),
                                std::vector<double>(t.begin(), t.end()), {0.5, -0.25, 30});
    smpl<float>(model, {b, t, {0.5F, -0.25F, 30}}, workspace, vertices, joints);
    CHECK(difference(std::vector<double>(vertices.begin(), vertices.end()), expected.vertices) <
          1e-5);
    CHECK(difference(std::vector<double>(joints.begin(), joints.end()), expected.joints) < 1e-5);
  }
}

TEST_CASE("rotation matrices and axis-angles give the same body") {
  const auto& model = body<double>(small);
  std::mt19937 random(6);
  const std::vector<double> beta = random_numbers(random, 10, 1);
  const std::vector<double> theta = random_numbers(random, 72, 0.8);
  std::array<mat3<double>, 24> rotations;
  for (std::size_t j = 0; j < 24; ++j) {
    rotations[j] = rodrigues(vec3<double>{theta[3 * j], theta[3 * j + 1], theta[3 * j + 2]});
  }
  basic_smpl_workspace<double> workspace(model);
  std::vector<double> vertices(3 * model.vertex_count), joints(72);
  smpl<double>(model, beta, std::span<const mat3<double>, 24>(rotations), {}, workspace, vertices,
               joints);
  CHECK(difference(vertices, pose(model, beta, theta).vertices) == 0);
}
