// SPDX-License-Identifier: Apache-2.0
#include "maquette/fit/refine.hpp"

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "maquette/body/smpl.hpp"
#include "maquette/io/body_npz.hpp"

using namespace maquette;

namespace {

template <class T>
const basic_body_model<T>& body() {
  static const result<basic_body_model<T>> model =
      load_body<T>(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  const std::string reason = model ? "" : model.error().message;
  REQUIRE_MESSAGE(model, reason);
  return *model;
}

const joint_moments& moments() {
  static const joint_moments made(body<float>());
  return made;
}

using rotations_type = std::array<mat3<double>, 24>;

rotations_type rotations_of(std::span<const float> theta) {
  rotations_type out;
  for (std::size_t j = 0; j < 24; ++j)
    out[j] = rodrigues(
        vec3<double>{double{theta[3 * j]}, double{theta[3 * j + 1]}, double{theta[3 * j + 2]}});
  return out;
}

/// A person upright before the camera, the joints bent at random, knees and elbows the right way.
std::vector<float> random_pose(std::mt19937& random, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> theta(72);
  for (float& value : theta) value = normal(random);
  theta[0] += 3.1F;
  theta[3 * smpl24::l_knee] = std::abs(theta[3 * smpl24::l_knee]) + 0.3F;
  theta[3 * smpl24::r_knee] = std::abs(theta[3 * smpl24::r_knee]) + 0.3F;
  theta[3 * smpl24::l_elbow + 1] = -std::abs(theta[3 * smpl24::l_elbow + 1]) - 0.3F;
  theta[3 * smpl24::r_elbow + 1] = std::abs(theta[3 * smpl24::r_elbow + 1]) + 0.3F;
  return theta;
}

std::vector<float> random_shape(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> beta(10);
  for (float& value : beta) value = normal(random);
  return beta;
}

/// The images of a pose's joints, each seen with full confidence.
std::vector<float> images_of(std::span<const float> beta, std::span<const float> theta,
                             const camera& view, vec3<double> translation) {
  shaped_moments shaped = moments().make_shaped();
  posed_moments posed = moments().make_posed();
  moments().shape(beta, shaped);
  moments().pose(shaped, rotations_of(theta), posed);
  std::vector<float> seen;
  for (std::size_t m = 0; m < 16; ++m) {
    const image_point p = project(view, posed.parts[m][0] + translation);
    seen.insert(seen.end(), {static_cast<float>(p.u), static_cast<float>(p.v), 1.0F});
  }
  return seen;
}

/// A random symmetric positive definite precision [72, 72] of about 1 / (0.2 rad)^2.
std::vector<double> dense_precision(std::mt19937& random) {
  std::normal_distribution<double> normal;
  Eigen::MatrixXd half(72, 90);
  for (double& value : half.reshaped()) value = normal(random);
  const Eigen::MatrixXd precision = half * half.transpose() * (25.0 / 90);
  const Eigen::MatrixXd symmetric = (precision + precision.transpose()) / 2;
  return {symmetric.data(), symmetric.data() + symmetric.size()};
}

std::array<double, fit_unknowns> random_steps(std::mt19937& random, double deviation) {
  std::normal_distribution<double> normal(0, deviation);
  std::array<double, fit_unknowns> steps{};
  for (double& value : steps) value = normal(random);
  return steps;
}

double mean_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t m = 0; m < 16; ++m)
    sum += std::hypot(double{a[3 * m]} - double{b[3 * m]},
                      double{a[3 * m + 1]} - double{b[3 * m + 1]});
  return sum / 16;
}

/// The largest difference of the Jacobian from central differences, by the largest derivative.
double jacobian_error(const basic_body_model<double>& model) {
  const joint_moments compact(model);
  shaped_moments shaped = compact.make_shaped();
  posed_moments posed = compact.make_posed();
  posed_moments moved = compact.make_posed();
  std::mt19937 random(1);
  const std::vector<float> theta = random_pose(random, 0.5F);
  const detail::fit_state state{rotations_of(theta), {0.2, -0.1, 4}};
  const camera view{900, 128, 128};
  compact.shape(random_shape(random), shaped);
  compact.pose(shaped, state.rotations, posed);
  double worst = 0;
  double largest = 0;
  for (std::size_t m = 0; m < 16; ++m) {
    fit_row du;
    fit_row dv;
    reprojection_jacobian(compact, posed, view, state.translation, m, du, dv);
    for (std::size_t i = 0; i < fit_unknowns; ++i) {
      const auto image = [&](double step) {
        std::array<double, fit_unknowns> steps{};
        steps[i] = step;
        const detail::fit_state next = detail::moved_by(state, steps);
        compact.pose(shaped, next.rotations, moved);
        return project(view, moved.parts[m][0] + next.translation);
      };
      const image_point high = image(1e-5);
      const image_point low = image(-1e-5);
      worst = std::max({worst, std::abs((high.u - low.u) / 2e-5 - du[i]),
                        std::abs((high.v - low.v) / 2e-5 - dv[i])});
      largest = std::max({largest, std::abs(du[i]), std::abs(dv[i])});
    }
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("a Cholesky solution is Eigen's, and a matrix that has none is refused") {
  constexpr std::size_t n = 75;
  std::srand(1);
  const Eigen::MatrixXd half = Eigen::MatrixXd::Random(n, n);
  const Eigen::MatrixXd a = half * half.transpose() + Eigen::MatrixXd::Identity(n, n);
  const Eigen::VectorXd b = Eigen::VectorXd::Random(n);
  std::vector<double> matrix(a.data(), a.data() + n * n);
  std::vector<double> x(b.data(), b.data() + n);
  REQUIRE(cholesky_solve(matrix, x));
  const Eigen::VectorXd expected = a.llt().solve(b);
  CHECK((Eigen::Map<Eigen::VectorXd>(x.data(), n) - expected).norm() < 1e-9 * expected.norm());

  std::array<double, 4> indefinite{1, 2, 2, 1};
  std::array<double, 2> right{1, 1};
  CHECK(!cholesky_solve(indefinite, right));
  std::array<double, 4> not_finite{1, std::numeric_limits<double>::quiet_NaN(), 0, 1};
  CHECK(!cholesky_solve(not_finite, right));
}

TEST_CASE("the moments give the joints that the whole mesh gives") {
  const auto& model = body<double>();
  const joint_moments compact(model);
  shaped_moments shaped = compact.make_shaped();
  posed_moments posed = compact.make_posed();
  basic_smpl_workspace<double> workspace(model);
  std::vector<double> vertices(3 * model.vertex_count), joints(72), mpii(48);
  std::mt19937 random(2);
  for (int i = 0; i < 3; ++i) {
    const std::vector<float> beta = random_shape(random);
    const rotations_type rotations = rotations_of(random_pose(random, 0.6F));
    compact.shape(beta, shaped);
    compact.pose(shaped, rotations, posed);
    const std::vector<double> exact_beta(beta.begin(), beta.end());
    smpl<double>(model, exact_beta, rotations, {}, workspace, vertices, joints);
    mpii_joints<double>(model, vertices, joints, mpii);
    for (std::size_t m = 0; m < 16; ++m)
      for (std::size_t k = 0; k < 3; ++k)
        CHECK(posed.parts[m][0][k] == doctest::Approx(mpii[3 * m + k]).epsilon(1e-9));
    for (std::size_t j = 0; j < 24; ++j)
      for (std::size_t k = 0; k < 3; ++k)
        CHECK(posed.joints[j][k] == doctest::Approx(joints[3 * j + k]).epsilon(1e-9));
  }
}

TEST_CASE("the Jacobian is exact but for the pose blend shapes, which change it little") {
  basic_body_model<double> rigid = body<double>();
  std::fill(rigid.posedirs.begin(), rigid.posedirs.end(), 0.0);
  CHECK(jacobian_error(rigid) < 1e-7);
  CHECK(jacobian_error(body<double>()) < 0.1);
}

TEST_CASE("the logarithm's Jacobian agrees with differences") {
  for (const vec3<double> r : {vec3<double>{0, 0, 0}, vec3<double>{0.004, -0.002, 0.003},
                               vec3<double>{0.7, -1.1, 0.4}, vec3<double>{1.5, 1.9, -1.2}}) {
    const mat3<double> jacobian = detail::log_jacobian(r);
    for (std::size_t i = 0; i < 3; ++i) {
      vec3<double> step{};
      step[i] = 1e-6;
      const vec3<double> change =
          axis_angle(rodrigues(r) * rodrigues(step)) - axis_angle(rodrigues(r) * rodrigues(-step));
      for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(change[k] / 2e-6 - jacobian(k, i)) < 1e-7);
    }
  }
}

TEST_CASE("the equations' gradient is the anchor's and the limits' derivative") {
  std::mt19937 random(3);
  const detail::fit_state start{rotations_of(random_pose(random, 0.4F)), {0.1, 0.2, 30}};
  const detail::fit_state state = detail::moved_by(start, random_steps(random, 0.5));
  const std::vector<double> dense = dense_precision(random);
  for (const pose_precision precision :
       {pose_precision(typical_pose_precision), pose_precision(dense)}) {
    const auto cost = [&](const detail::fit_state& at, fit_equations& equations) {
      equations.clear();
      return detail::add_anchor(start, at, precision, {}, equations) +
             detail::add_limits(at, {}, equations);
    };
    fit_equations equations;
    fit_equations unused;
    REQUIRE(cost(state, equations) > 0);
    for (std::size_t i = 0; i < fit_unknowns; ++i) {
      std::array<double, fit_unknowns> step{};
      step[i] = 1e-6;
      const double high = cost(detail::moved_by(state, step), unused);
      step[i] = -1e-6;
      const double low = cost(detail::moved_by(state, step), unused);
      const double expected = (high - low) / 4e-6;
      CHECK(std::abs(equations.gradient[i] - expected) < 1e-4 * (100 + std::abs(expected)));
    }
  }
}

TEST_CASE("the anchor's equations are J^T P J and J^T P e of differences, by Eigen") {
  std::mt19937 random(7);
  const detail::fit_state start{rotations_of(random_pose(random, 0.4F)), {0.1, 0.2, 30}};
  std::array<double, fit_unknowns> away = random_steps(random, 0.5);
  away[fit_translation + 2] = 0;
  const detail::fit_state state = detail::moved_by(start, away);
  const auto error_of = [&](const detail::fit_state& at) {
    Eigen::VectorXd e(72);
    for (std::size_t j = 0; j < 24; ++j) {
      const vec3<double> turned = axis_angle(transpose(start.rotations[j]) * at.rotations[j]);
      for (std::size_t k = 0; k < 3; ++k) e[static_cast<Eigen::Index>(3 * j + k)] = turned[k];
    }
    return e;
  };
  Eigen::MatrixXd jacobian(72, 72);
  for (std::size_t i = 0; i < 72; ++i) {
    std::array<double, fit_unknowns> step{};
    step[i] = 1e-5;
    const Eigen::VectorXd high = error_of(detail::moved_by(state, step));
    step[i] = -1e-5;
    jacobian.col(static_cast<Eigen::Index>(i)) =
        (high - error_of(detail::moved_by(state, step))) / 2e-5;
  }
  const std::vector<double> dense = dense_precision(random);
  const Eigen::MatrixXd weight =
      2.5 * 2.5 * Eigen::Map<const Eigen::MatrixXd>(dense.data(), 72, 72);
  const Eigen::MatrixXd hessian = jacobian.transpose() * weight * jacobian;
  const Eigen::VectorXd gradient = jacobian.transpose() * weight * error_of(state);

  fit_equations equations;
  const double cost = detail::add_anchor(start, state, pose_precision(dense),
                                         {.anchor = 2.5, .depth_anchor = 0}, equations);
  CHECK(cost == doctest::Approx(error_of(state).dot(weight * error_of(state))).epsilon(1e-12));
  double worst = 0;
  for (std::size_t i = 0; i < 72; ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    worst = std::max(worst, std::abs(equations.gradient[i] - gradient[row]) / gradient.norm());
    for (std::size_t k = i; k < 72; ++k)
      worst = std::max(worst, std::abs(equations.matrix[i * fit_unknowns + k] -
                                       hessian(row, static_cast<Eigen::Index>(k))) /
                                  hessian.diagonal().maxCoeff());
  }
  CHECK(worst < 1e-8);
}

TEST_CASE("without a precision a fit is held by the joints' stiffness") {
  std::mt19937 random(8);
  const detail::fit_state start{rotations_of(random_pose(random, 0.4F)), {0, 0, 30}};
  const detail::fit_state state = detail::moved_by(start, random_steps(random, 0.2));
  fit_equations equations;
  double expected = 0;
  for (std::size_t j = 0; j < 24; ++j) {
    const double sure =
        20 * joint_stiffness[j] * geodesic_distance(start.rotations[j], state.rotations[j]);
    expected += sure * sure;
  }
  CHECK(detail::add_anchor(start, state, typical_pose_precision, {.depth_anchor = 0}, equations) ==
        doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("a precision that is none leaves the pose finite") {
  std::mt19937 random(9);
  refine_workspace workspace(moments());
  const std::vector<float> beta = random_shape(random);
  const std::vector<float> start = random_pose(random, 0.3F);
  const std::vector<float> seen = images_of(beta, random_pose(random, 0.3F), {}, {0, 0, 45});
  const auto stays_finite = [&](const std::vector<double>& precision) {
    std::vector<float> theta = start;
    vec3<double> translation{0, 0, 45};
    refine_pose(moments(), beta, {}, seen, 1, theta, translation, workspace, {},
                pose_precision(precision));
    return std::all_of(theta.begin(), theta.end(), [](float a) { return std::isfinite(a); }) &&
           std::isfinite(translation.x) && std::isfinite(translation.y) &&
           std::isfinite(translation.z);
  };
  constexpr std::size_t count = 72 * 72;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double value : {0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, infinite, -infinite, nan}) {
    CAPTURE(value);
    CHECK(stays_finite(std::vector<double>(count, value)));  // of rank 1 at most
    std::vector<double> diagonal(count);
    for (std::size_t i = 0; i < 72; ++i) diagonal[73 * i] = value;
    CHECK(stays_finite(diagonal));
    std::vector<double> one_bad = dense_precision(random);
    one_bad[5 * 72 + 9] = one_bad[9 * 72 + 5] = value;
    CHECK(stays_finite(one_bad));
  }
}

TEST_CASE("a disturbed pose comes back to the joints seen") {
  std::mt19937 random(4);
  refine_workspace workspace(moments());
  const camera view{};
  for (int i = 0; i < 10; ++i) {
    const std::vector<float> beta = random_shape(random);
    const std::vector<float> truth = random_pose(random, 0.25F);
    const vec3<double> place{0.1, -0.05, 45};
    const std::vector<float> seen = images_of(beta, truth, view, place);
    std::vector<float> theta = truth;
    std::normal_distribution<float> normal(0, 0.3F);
    constexpr std::array<std::size_t, 6> limbs{smpl24::l_hip,      smpl24::r_hip,
                                               smpl24::l_shoulder, smpl24::r_shoulder,
                                               smpl24::l_elbow,    smpl24::r_elbow};
    for (const std::size_t j : limbs)
      for (std::size_t k = 0; k < 3; ++k) theta[3 * j + k] += normal(random);
    const std::vector<float> start = theta;
    vec3<double> translation = place + vec3<double>{0.03, 0.02, 0.5};
    const double before = mean_distance(images_of(beta, theta, view, translation), seen);
    const refine_summary done = refine_pose(moments(), beta, view, seen, 1, theta, translation,
                                            workspace, {.sigma = 100, .anchor = 0.6});
    const double after = mean_distance(images_of(beta, theta, view, translation), seen);
    CHECK(done.cost_after < done.cost_before);
    CHECK(before > 5 * after);
    const rotations_type first = rotations_of(start);
    const rotations_type last = rotations_of(theta);
    constexpr std::array<std::size_t, 4> unseen{smpl24::l_hand, smpl24::r_hand, smpl24::l_foot,
                                                smpl24::r_foot};
    for (const std::size_t j : unseen) CHECK(geodesic_distance(first[j], last[j]) < 0.05);
  }
}

TEST_CASE("a knee that is bent backwards is straightened") {
  std::mt19937 random(5);
  refine_workspace workspace(moments());
  std::vector<float> theta = random_pose(random, 0.05F);
  const std::vector<float> beta(10);
  vec3<double> translation{0, 0, 45};
  theta[3 * smpl24::l_knee] = -0.5F;
  const std::vector<float> seen = images_of(beta, theta, {}, translation);
  refine_pose(moments(), beta, {}, seen, 1, theta, translation, workspace);
  CHECK(theta[3 * smpl24::l_knee] > -0.1F);
}

TEST_CASE("what is not seen or not finite leaves the pose alone") {
  std::mt19937 random(6);
  refine_workspace workspace(moments());
  const std::vector<float> beta = random_shape(random);
  const std::vector<float> truth = random_pose(random, 0.3F);
  const vec3<double> place{0, 0, 45};
  const std::vector<float> seen = images_of(beta, random_pose(random, 0.3F), {}, place);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto unchanged = [&](std::vector<float> shape, std::vector<float> joints,
                             std::vector<float> start, vec3<double> translation) {
    std::vector<float> theta = start;
    const vec3<double> from = translation;
    refine_pose(moments(), shape, {}, joints, 1, theta, translation, workspace);
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    return std::equal(theta.begin(), theta.end(), start.begin(),
                      [&](float a, float b) { return same(double{a}, double{b}); }) &&
           same(translation.x, from.x) && same(translation.y, from.y) &&
           same(translation.z, from.z);
  };
  CHECK(!unchanged(beta, seen, truth, place));

  std::vector<float> unseen = seen;
  for (std::size_t m = 0; m < 16; ++m) unseen[3 * m + 2] = 0;
  CHECK(unchanged(beta, unseen, truth, place));
  for (std::size_t m = 0; m < 16; ++m) unseen[3 * m + 2] = nan;
  CHECK(unchanged(beta, unseen, truth, place));
  CHECK(unchanged(beta, std::vector<float>(48, nan), truth, place));
  std::vector<float> broken = truth;
  broken[10] = nan;
  CHECK(unchanged(beta, seen, broken, place));
  CHECK(unchanged(std::vector<float>(10, nan), seen, truth, place));
  CHECK(unchanged(beta, seen, truth, {0, 0, std::numeric_limits<double>::quiet_NaN()}));
  CHECK(unchanged(beta, seen, truth, {0, 0, -45}));

  // One joint that is not finite does not spoil the others.
  std::vector<float> holed = seen;
  holed[3] = nan;
  std::vector<float> theta = truth;
  vec3<double> translation = place;
  const refine_summary done =
      refine_pose(moments(), beta, {}, holed, 1, theta, translation, workspace);
  CHECK(done.cost_after < done.cost_before);
  CHECK(std::all_of(theta.begin(), theta.end(), [](float a) { return std::isfinite(a); }));
}
