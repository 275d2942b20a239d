// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <span>
#include <type_traits>

#include "maquette/core/view.hpp"

namespace maquette::interop {

namespace detail {
template <class Matrix, class T>
using constant_as = std::conditional_t<std::is_const_v<T>, const Matrix, Matrix>;
template <class T, int Rows, int Columns>
using row_major_matrix =
    constant_as<Eigen::Matrix<std::remove_const_t<T>, Rows, Columns,
                              Columns == 1 && Rows != 1 ? Eigen::ColMajor : Eigen::RowMajor>,
                T>;
}  // namespace detail

/// The same memory as an Eigen matrix: a view [R, C] as R x C, a view [N] as a column, an image
/// [C, H, W] as one row a channel.
template <class T, Shape S>
auto to_eigen(view<T, S> values) {
  constexpr int rows = S::extent(0);
  constexpr int columns = static_cast<int>(S::size / static_cast<std::size_t>(rows));
  return Eigen::Map<detail::row_major_matrix<T, rows, columns>>(values.data);
}

/// Points [N, 3] (vertices, joints) as an Eigen matrix N x 3 on the same memory.
template <class T>
auto points_to_eigen(std::span<T> points) {
  return Eigen::Map<detail::row_major_matrix<T, Eigen::Dynamic, 3>>(
      points.data(), static_cast<Eigen::Index>(points.size() / 3), 3);
}

}  // namespace maquette::interop
