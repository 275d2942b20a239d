// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "maquette/body/matrix3.hpp"

namespace maquette {

/// A rotation as w + x i + y j + z k with norm 1; q and -q are the same rotation.
template <class T>
struct quaternion {
  T w{1};
  T x{};
  T y{};
  T z{};
};

namespace detail {

/// sin(x) / x: accurate wherever x is not exactly zero, because sin(x) is.
template <class T>
[[nodiscard]] T sine_ratio(T x) {
  return x == T{0} ? T{1} : std::sin(x) / x;
}

}  // namespace detail

/// The rotation matrix of an axis-angle vector (radians): R = I + a [r]x + b [r]x^2 with t = |r|,
/// a = sin t / t, b = (1 - cos t) / t^2.
///
/// b is computed as (sin(t/2) / (t/2))^2 / 2, which neither cancels nor needs a threshold near 0.
/// Source: Rodrigues' formula; SMPL (Loper et al. 2015), eq. 1.
template <class T>
[[nodiscard, gnu::noinline]] mat3<T> rodrigues(vec3<T> r) {
  const T t = norm(r);
  const T a = detail::sine_ratio(t);
  const T half = detail::sine_ratio(t / 2);
  const T b = half * half / 2;
  const T xy = b * r.x * r.y;
  const T xz = b * r.x * r.z;
  const T yz = b * r.y * r.z;
  return {{1 - b * (r.y * r.y + r.z * r.z), xy - a * r.z, xz + a * r.y,  //
           xy + a * r.z, 1 - b * (r.x * r.x + r.z * r.z), yz - a * r.x,  //
           xz - a * r.y, yz + a * r.x, 1 - b * (r.x * r.x + r.y * r.y)}};
}

/// The derivatives of `rodrigues(r)` by r.x, r.y and r.z.
///
/// With a, b as above: dR/dr_i = a [e_i]x + b ([e_i]x [r]x + [r]x [e_i]x) + r_i (a' [r]x + b'
/// [r]x^2), a' = (cos t - a) / t^2, b' = (a - 2 b) / t^2, by their series where t^2 is small.
template <class T>
[[nodiscard]] std::array<mat3<T>, 3> rodrigues_jacobian(vec3<T> r) {
  const T square = dot(r, r);
  const T t = std::sqrt(square);
  const T a = detail::sine_ratio(t);
  const T half = detail::sine_ratio(t / 2);
  const T b = half * half / 2;
  // The quotients cancel about 1 / t^2 of their digits; at t^2 = 0.05 three terms of the series are
  // still exact to 1e-9.
  const bool small = square < T(0.05);
  const T da =
      small
          ? T(-1.0 / 3) + square * (T(1.0 / 30) - square * (T(1.0 / 840) - square * T(1.0 / 45360)))
          : (std::cos(t) - a) / square;
  const T db = small ? T(-1.0 / 12) + square * (T(1.0 / 180) -
                                                square * (T(1.0 / 6720) - square * T(1.0 / 453600)))
                     : (a - 2 * b) / square;
  const mat3<T> k = skew(r);
  const mat3<T> k2 = k * k;
  std::array<mat3<T>, 3> d;
  for (std::size_t i = 0; i < 3; ++i) {
    vec3<T> axis{};
    axis[i] = 1;
    const mat3<T> e = skew(axis);
    const mat3<T> left = e * k;
    const mat3<T> right = k * e;
    for (std::size_t j = 0; j < 9; ++j) {
      d[i].m[j] = a * e.m[j] + b * (left.m[j] + right.m[j]) + r[i] * (da * k.m[j] + db * k2.m[j]);
    }
  }
  return d;
}

/// The unit quaternion of an axis-angle vector: (cos(t/2), sin(t/2) r / t).
template <class T>
[[nodiscard]] quaternion<T> to_quaternion(vec3<T> r) {
  const T t = norm(r);
  const T s = detail::sine_ratio(t / 2) / 2;
  return {std::cos(t / 2), s * r.x, s * r.y, s * r.z};
}

/// The unit quaternion, w >= 0, of a rotation matrix.
///
/// Divides by the largest of the four components, which is at least 1/2, so no rotation is badly
/// conditioned. Source: Shepperd, "Quaternion from rotation matrix", 1978.
template <class T>
[[nodiscard]] quaternion<T> to_quaternion(const mat3<T>& r) {
  const T trace = r.m[0] + r.m[4] + r.m[8];
  quaternion<T> q;
  if (trace >= r.m[0] && trace >= r.m[4] && trace >= r.m[8]) {
    q = {1 + trace, r.m[7] - r.m[5], r.m[2] - r.m[6], r.m[3] - r.m[1]};
  } else if (r.m[0] >= r.m[4] && r.m[0] >= r.m[8]) {
    q = {r.m[7] - r.m[5], 1 + r.m[0] - r.m[4] - r.m[8], r.m[1] + r.m[3], r.m[2] + r.m[6]};
  } else if (r.m[4] >= r.m[8]) {
    q = {r.m[2] - r.m[6], r.m[1] + r.m[3], 1 - r.m[0] + r.m[4] - r.m[8], r.m[5] + r.m[7]};
  } else {
    q = {r.m[3] - r.m[1], r.m[2] + r.m[6], r.m[5] + r.m[7], 1 - r.m[0] - r.m[4] + r.m[8]};
  }
  const T length = std::sqrt(q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z);
  const T scale = (q.w < 0 ? T{-1} : T{1}) / length;
  return {q.w * scale, q.x * scale, q.y * scale, q.z * scale};
}

/// The rotation matrix of a unit quaternion.
template <class T>
[[nodiscard]] mat3<T> rotation_matrix(const quaternion<T>& q) {
  return {{1 - 2 * (q.y * q.y + q.z * q.z), 2 * (q.x * q.y - q.w * q.z),
           2 * (q.x * q.z + q.w * q.y),  //
           2 * (q.x * q.y + q.w * q.z), 1 - 2 * (q.x * q.x + q.z * q.z),
           2 * (q.y * q.z - q.w * q.x),  //
           2 * (q.x * q.z - q.w * q.y), 2 * (q.y * q.z + q.w * q.x),
           1 - 2 * (q.x * q.x + q.y * q.y)}};
}

/// The axis-angle vector, |r| in [0, pi], of a unit quaternion: r = 2 atan2(|v|, w) v / |v|.
///
/// At exactly pi both r and -r are right; the one with the quaternion's own sign is returned.
template <class T>
[[nodiscard]] vec3<T> axis_angle(const quaternion<T>& q) {
  const T sign = q.w < 0 ? T{-1} : T{1};
  const vec3<T> v{q.x, q.y, q.z};
  const T length = norm(v);
  // |v| underflows before its quotient loses digits: there t / |v| = 2 / w to working precision.
  const T scale = length == T{0} ? T{2} : 2 * std::atan2(length, sign * q.w) / length;
  return (sign * scale) * v;
}

/// The axis-angle vector, |r| in [0, pi], of a rotation matrix: the inverse of `rodrigues`,
/// accurate near 0 and near pi alike because it goes through the quaternion.
template <class T>
[[nodiscard, gnu::noinline]] vec3<T> axis_angle(const mat3<T>& r) {
  return axis_angle(to_quaternion(r));
}

/// The rotation matrix whose first two columns are nearest in turn to x and y (Gram and Schmidt): x
/// normalised; y less its part along x, normalised; their cross product.
///
/// Columns that fix no rotation (zero, parallel to five digits, not finite) give the identity.
/// Source: Zhou et al., "On the continuity of rotation representations in neural networks", 2019,
/// eq. 15.
template <class T>
[[nodiscard]] mat3<T> orthonormal(vec3<T> x, vec3<T> y) {
  const vec3<T> a = (1 / norm(x)) * x;
  const vec3<T> rest = y - dot(a, y) * a;
  const vec3<T> b = (1 / norm(rest)) * rest;
  const vec3<T> c = cross(a, b);
  if (!(norm(rest) > T(1e-5) * norm(y)) || !std::isfinite(norm(a) + norm(b)))
    return mat3<T>::identity();
  return {{a.x, b.x, c.x, a.y, b.y, c.y, a.z, b.z, c.z}};
}

/// The angle in [0, pi] of the rotation that leads from a to b, i.e. of a^T b.
///
/// atan2 of sine (from the antisymmetric part) and cosine (from the trace): unlike acos of the
/// trace it keeps its digits near 0 and near pi.
template <class T>
[[nodiscard]] T geodesic_distance(const mat3<T>& a, const mat3<T>& b) {
  const mat3<T> r = transpose(a) * b;
  const vec3<T> twice_sine{r.m[7] - r.m[5], r.m[2] - r.m[6], r.m[3] - r.m[1]};
  return std::atan2(norm(twice_sine), r.m[0] + r.m[4] + r.m[8] - 1);
}

}  // namespace maquette
