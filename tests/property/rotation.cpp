// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/rotation.hpp"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <utility>

using namespace maquette;

namespace {

constexpr double pi = std::numbers::pi;

template <class T>
double difference(const mat3<T>& a, const mat3<T>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a.m[i]) - static_cast<double>(b.m[i])));
  }
  return worst;
}

template <class T>
double determinant(const mat3<T>& r) {
  const vec3<T> a{r.m[0], r.m[1], r.m[2]};
  const vec3<T> b{r.m[3], r.m[4], r.m[5]};
  const vec3<T> c{r.m[6], r.m[7], r.m[8]};
  return static_cast<double>(dot(a, cross(b, c)));
}

mat3<double> eigen_rotation(vec3<double> r) {
  const Eigen::Vector3d v(r.x, r.y, r.z);
  const double angle = v.norm();
  const Eigen::Matrix3d m = angle == 0 ? Eigen::Matrix3d::Identity()
                                       : Eigen::AngleAxisd(angle, v / angle).toRotationMatrix();
  mat3<double> out;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j)
      out(static_cast<std::size_t>(i), static_cast<std::size_t>(j)) = m(i, j);
  }
  return out;
}

/// Calls `check(axis, angle)` for random axes, the coordinate axes and angles of every size.
template <class Check>
void for_rotations(Check&& check) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 200; ++i) {
    vec3<double> axis{normal(random), normal(random), normal(random)};
    if (i < 3) {
      axis = {};
      axis[static_cast<std::size_t>(i)] = 1;
    }
    axis = (1 / norm(axis)) * axis;
    for (const double angle : {0.0, 1e-300, 1e-30, 1e-12, 1e-8, 1e-5, 1e-3, 0.1, 1.0, 2.0, 3.0,
                               pi - 1e-3, pi - 1e-6, pi - 1e-9, pi - 1e-13, pi}) {
      check(axis, angle);
    }
  }
}

}  // namespace

TEST_CASE("rodrigues gives rotations, the same as Eigen's, near 0 and pi too") {
  for_rotations([](vec3<double> axis, double angle) {
    const vec3<double> r = angle * axis;
    const mat3<double> m = rodrigues(r);
    CHECK(difference(transpose(m) * m, mat3<double>::identity()) < 4e-15);
    CHECK(std::abs(determinant(m) - 1) < 4e-15);
    CHECK(difference(m, eigen_rotation(r)) < 4e-15);

    const vec3<float> narrow{static_cast<float>(r.x), static_cast<float>(r.y),
                             static_cast<float>(r.z)};
    const mat3<float> f = rodrigues(narrow);
    CHECK(difference(transpose(f) * f, mat3<float>::identity()) < 2e-6);
    const vec3<double> widened{double{narrow.x}, double{narrow.y}, double{narrow.z}};
    const mat3<double> exact = rodrigues(widened);
    for (std::size_t i = 0; i < 9; ++i) CHECK(std::abs(double{f.m[i]} - exact.m[i]) < 1e-6);
  });
}

TEST_CASE("the axis-angle of a matrix leads back to the matrix") {
  for_rotations([](vec3<double> axis, double angle) {
    const mat3<double> m = rodrigues(angle * axis);
    const vec3<double> r = axis_angle(m);
    CHECK(difference(rodrigues(r), m) < 4e-15);
    CHECK(norm(r) <= pi + 1e-15);
    // The angle itself to full precision wherever the matrix holds it, and the axis where it is not
    // two-valued.
    CHECK(std::abs(norm(r) - angle) < 1e-14 * (1 + angle));
    if (angle > 0 && angle < pi - 1e-12) {
      CHECK(norm(r - angle * axis) < 1e-13);
      if (angle > 1e-200 && angle < 1e-3) CHECK(norm(r - angle * axis) < 1e-14 * angle);
    }
    const vec3<float> narrow{static_cast<float>(angle * axis.x), static_cast<float>(angle * axis.y),
                             static_cast<float>(angle * axis.z)};
    const mat3<float> f = rodrigues(narrow);
    CHECK(difference(rodrigues(axis_angle(f)), f) < 2e-6);
  });
}

TEST_CASE("quaternions agree with matrices, in both directions") {
  for_rotations([](vec3<double> axis, double angle) {
    const mat3<double> m = rodrigues(angle * axis);
    const quaternion<double> q = to_quaternion(angle * axis);
    CHECK(difference(rotation_matrix(q), m) < 4e-15);
    CHECK(difference(rotation_matrix(to_quaternion(m)), m) < 4e-15);
    CHECK(difference(rodrigues(axis_angle(q)), m) < 4e-15);
    const quaternion<double> minus{-q.w, -q.x, -q.y, -q.z};
    CHECK(difference(rodrigues(axis_angle(minus)), m) < 4e-15);
  });
}

TEST_CASE("an axis-angle longer than pi comes back as its short equal") {
  const vec3<double> axis{0.6, 0.0, 0.8};
  const mat3<double> m = rodrigues(5.0 * axis);
  const vec3<double> r = axis_angle(m);
  CHECK(norm(r - (5.0 - 2 * pi) * axis) < 1e-14);
  CHECK(difference(rodrigues(r), m) < 4e-15);
}

TEST_CASE("the geodesic distance is the angle between two rotations") {
  for_rotations([](vec3<double> axis, double angle) {
    const mat3<double> a = rodrigues(vec3<double>{0.3, -1.1, 2.0});
    const mat3<double> b = a * rodrigues(angle * axis);
    CHECK(std::abs(geodesic_distance(a, b) - angle) < 1e-14 * (1 + angle));
    CHECK(geodesic_distance(a, b) == doctest::Approx(geodesic_distance(b, a)));
  });
}

TEST_CASE("the derivatives of rodrigues are those of central differences") {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (const double angle : {0.0, 1e-9, 1e-4, 0.1, 0.2235, 0.2237, 1.0, 3.1, 3.2, 6.0}) {
    vec3<double> r{normal(random), normal(random), normal(random)};
    r = (angle / norm(r)) * r;
    const auto derivatives = rodrigues_jacobian(r);
    const auto narrow = rodrigues_jacobian(
        vec3<float>{static_cast<float>(r.x), static_cast<float>(r.y), static_cast<float>(r.z)});
    for (std::size_t i = 0; i < 3; ++i) {
      // A fourth-order difference: error about h^4, noise about 1e-16 / h.
      constexpr double h = 1e-3;
      const auto at = [&](double step) {
        vec3<double> moved = r;
        moved[i] += step;
        return rodrigues(moved);
      };
      const mat3<double> a = at(-2 * h), b = at(-h), c = at(h), d = at(2 * h);
      for (std::size_t k = 0; k < 9; ++k) {
        const double numeric = (a.m[k] - 8 * b.m[k] + 8 * c.m[k] - d.m[k]) / (12 * h);
        CHECK(std::abs(numeric - derivatives[i].m[k]) < 2e-12);
        CHECK(std::abs(double{narrow[i].m[k]} - derivatives[i].m[k]) < 2e-5);
      }
    }
  }
}

TEST_CASE(
    "orthonormal: the rotation's own columns give it back, and so do columns off scale and askew") {
  for_rotations([](vec3<double> axis, double angle) {
    const mat3<double> r = eigen_rotation(angle * axis);
    const vec3<double> x{r.m[0], r.m[3], r.m[6]};
    const vec3<double> y{r.m[1], r.m[4], r.m[7]};
    CHECK(difference(orthonormal(x, y), r) < 1e-14);
    CHECK(difference(orthonormal(3.0 * x, 0.2 * y + 5.0 * x), r) < 1e-13);
  });
}

TEST_CASE("orthonormal: columns that fix no rotation give the identity") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const vec3<double> x{1, 2, 3};
  for (const auto& [a, b] :
       {std::pair{vec3<double>{}, x}, std::pair{x, vec3<double>{}}, std::pair{x, 2.0 * x},
        std::pair{x, vec3<double>{nan, 0, 0}}, std::pair{vec3<double>{inf, 0, 0}, x}}) {
    const mat3<double> r = orthonormal(a, b);
    CHECK(determinant(r) == doctest::Approx(1));
  }
}
