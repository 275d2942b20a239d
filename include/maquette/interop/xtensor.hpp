// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <xtensor/xadapt.hpp>

#include "maquette/core/view.hpp"

namespace maquette::interop {

/// The same memory as an xtensor array of the view's own shape, e.g. heat maps [16, 64, 64].
template <class T, Shape S>
auto to_xtensor(view<T, S> values) {
  std::array<std::size_t, S::rank> extents{};
  for (std::size_t axis = 0; axis < extents.size(); ++axis)
    extents[axis] = static_cast<std::size_t>(S::extent(static_cast<int>(axis)));
  return xt::adapt(values.data, S::size, xt::no_ownership(), extents);
}

/// Points [N, 3] (vertices, joints) as an xtensor array on the same memory.
template <class T>
auto points_to_xtensor(std::span<T> points) {
  const std::array<std::size_t, 2> extents{points.size() / 3, 3};
  return xt::adapt(points.data(), points.size(), xt::no_ownership(), extents);
}

}  // namespace maquette::interop
