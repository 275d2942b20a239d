// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/smpl.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "maquette/body/packed_body.hpp"
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

struct made_body {
  std::size_t vertices;
  std::size_t shapes;
  std::size_t influences;
  double filled;  ///< how many of a joint's pose directions' vertices are not zero
};

/// A body of random numbers, the same in both precisions.
basic_body_model<double> make_body(const made_body& size, std::mt19937& random) {
  basic_body_model<double> model;
  const auto numbers = [&](std::size_t count, double deviation) {
    std::vector<double> out = random_numbers(random, count, deviation);
    for (double& v : out) v = static_cast<double>(static_cast<float>(v));
    return out;
  };
  std::uniform_real_distribution<double> uniform(0, 1);
  model.vertex_count = size.vertices;
  model.shape_count = size.shapes;
  model.influences = size.influences;
  model.parents.assign(smpl_parents.begin(), smpl_parents.end());
  model.v_template = numbers(3 * size.vertices, 1);
  model.shapedirs = numbers(size.shapes * 3 * size.vertices, 0.01);
  model.posedirs = numbers(207 * 3 * size.vertices, 0.01);
  for (std::size_t j = 0; j < 23; ++j) {
    for (std::size_t i = 0; i < 3 * size.vertices; i += 3) {
      if (uniform(random) < size.filled) continue;
      for (std::size_t d = 9 * j; d < 9 * (j + 1); ++d) {
        std::fill_n(model.posedirs.begin() + static_cast<std::ptrdiff_t>(3 * d * size.vertices + i),
                    3, 0.0);
      }
    }
  }
  model.joint_template = numbers(72, 0.3);
  model.joint_directions = numbers(72 * size.shapes, 0.01);
  for (std::size_t v = 0; v < size.vertices; ++v) {
    // Any number of weights up to the most, in any joints, the rest of the row zero.
    const std::size_t used = 1 + static_cast<std::size_t>(random()) % size.influences;
    for (std::size_t i = 0; i < size.influences; ++i) {
      model.skin_joint.push_back(static_cast<std::uint8_t>(i < used ? random() % 24 : 0));
      model.skin_weight.push_back(i < used ? static_cast<double>(1 / static_cast<float>(used)) : 0);
    }
  }
  return model;
}

body_model narrowed(const basic_body_model<double>& wide) {
  const auto narrow = [](const std::vector<double>& from) {
    return std::vector<float>(from.begin(), from.end());
  };
  body_model model;
  model.vertex_count = wide.vertex_count;
  model.shape_count = wide.shape_count;
  model.influences = wide.influences;
  model.parents = wide.parents;
  model.v_template = narrow(wide.v_template);
  model.shapedirs = narrow(wide.shapedirs);
  model.posedirs = narrow(wide.posedirs);
  model.joint_template = narrow(wide.joint_template);
  model.joint_directions = narrow(wide.joint_directions);
  model.skin_joint = wide.skin_joint;
  model.skin_weight = narrow(wide.skin_weight);
  return model;
}

struct posed_floats {
  std::vector<float> vertices;
  std::vector<float> joints;
  std::vector<float> v_posed;
};

posed_floats pose(const body_model& model, const std::vector<float>& beta,
                  const std::vector<float>& theta, vec3<float> translation) {
  smpl_workspace workspace(model);
  posed_floats out{std::vector<float>(3 * model.vertex_count), std::vector<float>(72), {}};
  smpl<float>(model, {beta, theta, translation}, workspace, out.vertices, out.joints);
  out.v_posed = workspace.v_posed;
  return out;
}

std::vector<double> widened(const std::vector<float>& from) { return {from.begin(), from.end()}; }

/// Several bodies' numbers: every third at rest in part, every fourth with fewer shape numbers.
struct drawn_bodies {
  std::vector<std::vector<float>> beta;
  std::vector<std::vector<float>> theta;

  drawn_bodies(std::size_t count, std::size_t shapes, std::mt19937& random,
               double deviation = 0.7) {
    for (std::size_t n = 0; n < count; ++n) {
      const std::vector<double> b =
          random_numbers(random, n % 4 == 3 ? shapes / 2 : shapes,
                         1 / std::sqrt(1.0 + static_cast<double>(shapes)));
      const std::vector<double> t = random_numbers(random, 72, deviation);
      beta.emplace_back(b.begin(), b.end());
      theta.emplace_back(t.begin(), t.end());
      if (n % 3 == 1) std::fill_n(theta.back().begin() + 9, 45, 0.0F);
    }
  }
  std::vector<smpl_parameters> parameters() const {
    std::vector<smpl_parameters> out;
    for (std::size_t n = 0; n < beta.size(); ++n) {
      out.push_back({beta[n], theta[n], {0.5F, -0.25F, static_cast<float>(n)}});
    }
    return out;
  }
};

struct posed_batch {
  std::vector<float> vertices;
  std::vector<float> joints;

  bool operator==(const posed_batch&) const = default;
};

template <class Stored>
posed_batch pose(const packed_body<Stored>& body, std::span<const smpl_parameters> bodies,
                 const executor& threads = {}) {
  smpl_batch_workspace workspace;
  posed_batch out{std::vector<float>(3 * body.vertex_count() * bodies.size()),
                  std::vector<float>(72 * bodies.size())};
  smpl_batch(body, bodies, workspace, out.vertices, out.joints, threads);
  return out;
}

/// The largest difference of a batch from the plain way in double, body by body.
double difference(const posed_batch& found, const basic_body_model<double>& exact,
                  const drawn_bodies& drawn) {
  const std::size_t size = 3 * exact.vertex_count;
  double worst = 0;
  for (std::size_t n = 0; n < drawn.beta.size(); ++n) {
    const posed expected = pose(exact, widened(drawn.beta[n]), widened(drawn.theta[n]),
                                {0.5, -0.25, static_cast<double>(n)});
    const auto part = [n](const std::vector<float>& all, std::size_t each) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(n * each);
      return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(each));
    };
    worst = std::max(worst, difference(part(found.vertices, size), expected.vertices));
    worst = std::max(worst, difference(part(found.joints, 72), expected.joints));
  }
  return worst;
}

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

TEST_CASE("the vectors' way is the plain way in double, for bodies of any size") {
  std::mt19937 random(7);
  const auto check = [&](const made_body& size) {
    CAPTURE(size.vertices);
    CAPTURE(size.shapes);
    CAPTURE(size.influences);
    const basic_body_model<double> exact = make_body(size, random);
    const body_model model = narrowed(exact);
    for (const bool turned : {true, false}) {
      const std::vector<double> drawn = random_numbers(
          random, size.shapes, 1 / std::sqrt(1.0 + static_cast<double>(size.shapes)));
      const std::vector<float> beta(drawn.begin(), drawn.end());
      std::vector<float> theta(72);
      for (std::size_t i = 0; i < 72 && turned; ++i) {
        theta[i] = i % 7 < 3 ? 0.0F : static_cast<float>(random_numbers(random, 1, 0.7)[0]);
      }
      const posed expected = pose(exact, widened(beta), widened(theta), {0.5, -0.25, 2});
      const posed_floats found = pose(model, beta, theta, {0.5F, -0.25F, 2});
      CHECK(difference(widened(found.v_posed), expected.v_posed) < 5e-6);
      CHECK(difference(widened(found.vertices), expected.vertices) < 2e-5);
      CHECK(difference(widened(found.joints), expected.joints) < 2e-5);
    }
  };
  for (const std::size_t vertices : {1U, 2U, 5U, 31U, 32U, 33U, 50U, 63U, 64U, 65U, 97U, 200U}) {
    for (const double filled : {0.0, 0.03, 1.0}) check({vertices, 10, 4, filled});
  }
  for (const std::size_t shapes : {0U, 1U, 300U}) check({77, shapes, 4, 0.1});
  for (const std::size_t influences : {1U, 2U, 3U, 5U, 8U, 24U}) check({70, 10, influences, 0.1});
}

TEST_CASE("a number that is not one spoils what hangs on it") {
  std::mt19937 random(8);
  const body_model model = narrowed(make_body({75, 10, 4, 0.2}, random));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> beta(10, 0.5F);
  const std::vector<float> theta(72, 0.1F);
  const auto all_nan = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
  };
  std::vector<float> bad_beta = beta;
  bad_beta[3] = nan;
  CHECK(all_nan(pose(model, bad_beta, theta, {}).vertices));
  CHECK(all_nan(pose(model, bad_beta, theta, {}).joints));
  std::vector<float> bad_theta = theta;
  bad_theta[1] = nan;
  CHECK(all_nan(pose(model, beta, bad_theta, {}).vertices));
  CHECK(all_nan(pose(model, beta, theta, {nan, nan, nan}).vertices));

  bad_theta = theta;
  bad_theta[3 * smpl24::l_elbow] = nan;
  const posed_floats found = pose(model, beta, bad_theta, {});
  const posed_floats sound = pose(model, beta, theta, {});
  for (std::size_t v = 0; v < model.vertex_count; ++v) {
    bool hangs = false;
    for (std::size_t i = 0; i < 4 && model.skin_weight[4 * v + i] != 0; ++i) {
      const int joint = model.skin_joint[4 * v + i];
      hangs |= joint == smpl24::l_elbow || joint == smpl24::l_wrist || joint == smpl24::l_hand;
    }
    for (std::size_t k = 0; k < 3; ++k) {
      if (hangs) CHECK(std::isnan(found.vertices[3 * v + k]));
      if (!hangs && !std::isnan(found.v_posed[3 * v])) {
        CHECK(found.vertices[3 * v + k] == sound.vertices[3 * v + k]);
      }
    }
  }
}

TEST_CASE("a bfloat16 is the nearest one, of two the even one") {
  const auto through = [](float value) { return static_cast<float>(bfloat16(value)); };
  for (const float exact : {0.0F, 1.0F, -2.5F, 0x1.FEp127F, 0x1p-133F})
    CHECK(through(exact) == exact);
  CHECK(std::signbit(through(-0.0F)));
  CHECK(through(1.0F + 0x1p-8F) == 1.0F);
  CHECK(through(1.0F + 0x1.8p-7F) == 1.0F + 0x1p-6F);
  CHECK(through(1.0F + 0x1.01p-8F) == 1.0F + 0x1p-7F);
  CHECK(through(std::numeric_limits<float>::max()) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(through(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(through(std::bit_cast<float>(0x7F800001U))));
}

TEST_CASE(
    "packed bodies are posed as the plain way in double does it, however many and of any size") {
  std::mt19937 random(9);
  const auto check = [&](const made_body& size, std::size_t count) {
    CAPTURE(size.vertices);
    CAPTURE(size.shapes);
    CAPTURE(size.influences);
    CAPTURE(count);
    basic_body_model<double> exact = make_body(size, random);
    const body_model model = narrowed(exact);
    const drawn_bodies drawn(count, size.shapes, random);
    CHECK(difference(pose(packed_body<float>(model), drawn.parameters()), exact, drawn) < 2e-5);
    // The directions as bfloat16 keeps them; all else is as exact as with float.
    for (double& d : exact.posedirs) {
      d = static_cast<double>(static_cast<float>(bfloat16(static_cast<float>(d))));
    }
    CHECK(difference(pose(packed_body<bfloat16>(model), drawn.parameters()), exact, drawn) < 2e-5);
  };
  for (const std::size_t vertices : {1U, 5U, 31U, 32U, 33U, 64U, 97U}) {
    for (const double filled : {0.0, 0.03, 1.0}) check({vertices, 10, 4, filled}, 3);
  }
  for (const std::size_t count : {1U, 2U, 4U, 5U, 9U}) check({70, 10, 4, 0.3}, count);
  for (const std::size_t shapes : {0U, 1U, 300U}) check({77, shapes, 4, 0.1}, 2);
  for (const std::size_t influences : {1U, 2U, 3U, 5U, 24U}) check({70, 10, influences, 0.1}, 2);
}

TEST_CASE("directions kept as bfloat16 move the default body's vertices by 0.3 mm") {
  const auto& exact = body<double>("/weights/body.npz");
  const packed_body<bfloat16> packed(body<float>("/weights/body.npz"));
  const packed_body<float> whole(body<float>("/weights/body.npz"));
  CHECK(packed.bytes() < whole.bytes());
  std::mt19937 random(10);
  const drawn_bodies drawn(40, 10, random, 0.8);
  const std::vector<smpl_parameters> bodies = drawn.parameters();
  CHECK(difference(pose(whole, bodies), exact, drawn) < 1e-5);
  double largest = 0;
  double sum = 0;
  for (std::size_t n = 0; n < bodies.size(); ++n) {
    const posed_batch found = pose(packed, std::span(bodies).subspan(n, 1));
    const posed expected = pose(exact, widened(drawn.beta[n]), widened(drawn.theta[n]),
                                {0.5, -0.25, static_cast<double>(n)});
    for (std::size_t i = 0; i < found.vertices.size(); i += 3) {
      double square = 0;
      for (std::size_t k = i; k < i + 3; ++k) {
        square += std::pow(static_cast<double>(found.vertices[k]) - expected.vertices[k], 2);
      }
      largest = std::max(largest, std::sqrt(square));
      sum += square / static_cast<double>(exact.vertex_count * bodies.size());
    }
  }
  MESSAGE("a vertex moves by " << 1000 * std::sqrt(sum) << " mm (root mean square), at most "
                               << 1000 * largest << " mm");
  CHECK(largest < 3e-4);
  CHECK(std::sqrt(sum) < 2e-5);
}

TEST_CASE("a body's bits depend neither on the other bodies nor on the threads") {
  std::mt19937 random(11);
  const body_model model = narrowed(make_body({1000, 10, 4, 0.3}, random));
  const packed_body<float> packed(model);
  const packed_body<bfloat16> halved(model);
  const drawn_bodies drawn(11, 10, random);
  const std::vector<smpl_parameters> all = drawn.parameters();
  thread_pool three(3);
  const auto check = [&](const auto& body) {
    const posed_batch together = pose(body, all);
    CHECK(pose(body, all, three) == together);
    for (std::size_t n = 0; n < all.size(); ++n) {
      const posed_batch alone = pose(body, std::span(all).subspan(n, 1));
      CHECK(std::equal(alone.vertices.begin(), alone.vertices.end(),
                       together.vertices.begin() + static_cast<std::ptrdiff_t>(3000 * n)));
      CHECK(std::equal(alone.joints.begin(), alone.joints.end(),
                       together.joints.begin() + static_cast<std::ptrdiff_t>(72 * n)));
    }
  };
  check(packed);
  check(halved);
  CHECK(pose(packed, {}).vertices.empty());
}

TEST_CASE("a number that is not one spoils no other body of a batch") {
  std::mt19937 random(12);
  const packed_body<float> packed(narrowed(make_body({75, 10, 4, 0.2}, random)));
  drawn_bodies drawn(4, 10, random);
  const posed_batch sound = pose(packed, drawn.parameters());
  drawn.theta[2][1] = std::numeric_limits<float>::quiet_NaN();
  const posed_batch found = pose(packed, drawn.parameters());
  for (std::size_t i = 0; i < found.vertices.size(); ++i) {
    if (i / 225 == 2) {
      CHECK(std::isnan(found.vertices[i]));
    } else {
      CHECK(found.vertices[i] == sound.vertices[i]);
    }
  }
}
