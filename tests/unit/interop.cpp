#include <doctest/doctest.h>

#include <array>
#include <numeric>

#include "maquette/interop/eigen.hpp"
#include "maquette/interop/xtensor.hpp"

using namespace maquette;

namespace {
std::array<float, 24> counted() {
  std::array<float, 24> values{};
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}
}  // namespace

TEST_CASE("an Eigen map sees the memory of a view, and writes to it") {
  auto values = counted();
  const view<float, shape<2, 3, 4>> maps(values.data());
  auto matrix = interop::to_eigen(maps);
  REQUIRE(matrix.rows() == 2);
  REQUIRE(matrix.cols() == 12);
  CHECK(matrix(1, 5) == maps(1, 1, 1));
  matrix(1, 0) = -7;
  CHECK(maps(1, 0, 0) == -7);
  CHECK(interop::to_eigen(view<const float, shape<24>>(values.data()))(23) == 23);
  auto points = interop::points_to_eigen(std::span<const float>(values));
  CHECK(points.rows() == 8);
  CHECK(points(7, 2) == 23);
}

TEST_CASE("an xtensor array sees the memory of a view, and writes to it") {
  auto values = counted();
  const view<float, shape<2, 3, 4>> maps(values.data());
  auto array = interop::to_xtensor(maps);
  REQUIRE(array.dimension() == 3);
  CHECK(array(1, 2, 3) == 23);
  array(0, 1, 2) = 100;
  CHECK(maps(0, 1, 2) == 100);
  auto points = interop::points_to_xtensor(std::span<const float>(values));
  CHECK(points.shape()[0] == 8);
  CHECK(points(7, 2) == 23);
}
