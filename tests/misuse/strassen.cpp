// SPDX-License-Identifier: Apache-2.0
// Strassen's convolution of what it cannot do meets the library's assertion, which this program
// turns into an exception.
#include <stdexcept>
#include <string>

#ifndef MAQUETTE_ASSERT
#define MAQUETTE_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0) : throw std::logic_error(message))
#endif

#include <doctest/doctest.h>

#include "maquette/kernel/strassen.hpp"

using namespace maquette;

namespace {

std::string complaint(const kernel::conv2d_geometry& g, const kernel::fusion& with) {
  try {
    kernel::conv2d_strassen(cpu{}, g, nullptr, nullptr, nullptr, with);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Strassen's convolution refuses other kernels, and channels beside with a prologue") {
  const float values[128] = {};
  CHECK(complaint({.in_channels = 63, .out_channels = 128, .height = 8, .width = 8}, {}) ==
        "conv2d_strassen: only 1x1 kernels with halves of whole vectors and panels");
  const kernel::conv2d_geometry g{.in_channels = 128, .out_channels = 128, .height = 8, .width = 8};
  const std::string expected = "conv2d_strassen: channels beside need a map, and have no prologue";
  CHECK(complaint(g, {.prologue = {values, values}, .beside = {values, 64}}) == expected);
  CHECK(complaint(g, {.beside = {nullptr, 64}}) == expected);
}
