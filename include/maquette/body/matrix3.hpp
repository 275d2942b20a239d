// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

namespace maquette {

// Own three-vectors and three-by-three matrices rather than Eigen's: the body, the cameras and the
// renderer need nothing but products of these, and including Eigen/Geometry would cost every one of
// their users more than a second of compile time.

/// A point or direction of three-space.
template <class T>
struct vec3 {
  T x{};
  T y{};
  T z{};

  constexpr T& operator[](std::size_t i) { return i == 0 ? x : i == 1 ? y : z; }
  constexpr const T& operator[](std::size_t i) const { return i == 0 ? x : i == 1 ? y : z; }

  friend constexpr vec3 operator+(vec3 a, vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend constexpr vec3 operator-(vec3 a, vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend constexpr vec3 operator-(vec3 a) { return {-a.x, -a.y, -a.z}; }
  friend constexpr vec3 operator*(T s, vec3 a) { return {s * a.x, s * a.y, s * a.z}; }
  friend constexpr bool operator==(const vec3&, const vec3&) = default;
};

template <class T>
[[nodiscard]] constexpr T dot(vec3<T> a, vec3<T> b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

template <class T>
[[nodiscard]] constexpr vec3<T> cross(vec3<T> a, vec3<T> b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

template <class T>
[[nodiscard]] T norm(vec3<T> a) {
  return std::sqrt(dot(a, a));
}

/// A three-by-three matrix, row-major.
template <class T>
struct mat3 {
  std::array<T, 9> m{};

  [[nodiscard]] static constexpr mat3 identity() { return {{1, 0, 0, 0, 1, 0, 0, 0, 1}}; }

  constexpr T& operator()(std::size_t row, std::size_t column) { return m[3 * row + column]; }
  constexpr const T& operator()(std::size_t row, std::size_t column) const {
    return m[3 * row + column];
  }

  friend constexpr mat3 operator*(const mat3& a, const mat3& b) {
    mat3 c;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        c(i, j) = a(i, 0) * b(0, j) + a(i, 1) * b(1, j) + a(i, 2) * b(2, j);
      }
    }
    return c;
  }
  friend constexpr vec3<T> operator*(const mat3& a, vec3<T> v) {
    return {a.m[0] * v.x + a.m[1] * v.y + a.m[2] * v.z, a.m[3] * v.x + a.m[4] * v.y + a.m[5] * v.z,
            a.m[6] * v.x + a.m[7] * v.y + a.m[8] * v.z};
  }
  friend constexpr bool operator==(const mat3&, const mat3&) = default;
};

template <class T>
[[nodiscard]] constexpr mat3<T> transpose(const mat3<T>& a) {
  return {{a.m[0], a.m[3], a.m[6], a.m[1], a.m[4], a.m[7], a.m[2], a.m[5], a.m[8]}};
}

/// The matrix [v]x with [v]x w = v x w.
template <class T>
[[nodiscard]] constexpr mat3<T> skew(vec3<T> v) {
  return {{0, -v.z, v.y, v.z, 0, -v.x, -v.y, v.x, 0}};
}

}  // namespace maquette
