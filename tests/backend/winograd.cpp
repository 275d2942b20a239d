// Winograd's convolution against the reference one, over maps and channels that fit no tile or
// panel.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../../examples/thread_pool.hpp"
#include "support/convolution.hpp"

using namespace maquette;
using kernel::conv2d_geometry;
using synthetic::convolution;
using synthetic::floats;

namespace {

conv2d_geometry three_by_three(int in, int out, int height, int width) {
  return {.in_channels = in,
          .out_channels = out,
          .height = height,
          .width = width,
          .kernel = {3, 3},
          .padding = {1, 1}};
}

template <class Visit>
void for_each_geometry(Visit&& visit) {
  for (const int in : {16, 24, 37, 128})
    for (const int out : {16, 24, 33, 48, 70})
      for (const kernel::extent2 map : {kernel::extent2{8, 8}, {9, 31}, {20, 14}})
        visit(three_by_three(in, out, map.y, map.x));
}

}  // namespace

TEST_CASE("winograd is chosen for maps of 8 x 8 and more, and its weights for any map") {
  const conv2d_geometry map = three_by_three(32, 32, 8, 8);
  const conv2d_geometry small = three_by_three(32, 32, 8, 7);
  conv2d_geometry strided = map;
  strided.stride = {2, 1};
  CHECK(kernel::conv2d_scratch_size(map) > 0);
  CHECK(kernel::conv2d_scratch_size(small) == 0);
  CHECK(kernel::conv2d_scratch_size(strided) == 0);
  CHECK(kernel::conv2d_packed_size(small) == kernel::conv2d_packed_size(map));
}

TEST_CASE("winograd is the reference's convolution, with ReLU and addend") {
  int cases = 0;
  double worst = 0;
  for_each_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    const convolution one{g, false, number % 2 == 0, number % 3 == 0};
    const double error = synthetic::relative_rms(one.found(cpu{}), one.expected());
    worst = std::max(worst, error);
    CHECK_MESSAGE(error < 1e-5, "geometry ", number);
  });
  MESSAGE(cases, " geometries, largest relative RMS error ", worst);
}

TEST_CASE("winograd leaves a prologue to the direct product") {
  const convolution one{three_by_three(16, 20, 9, 9), true, true, false};
  CHECK(synthetic::relative_rms(one.found(cpu{}), one.expected()) < 1e-6);
}

TEST_CASE("winograd has the same bits on 1, 2 and 5 threads, and on more than it has work for") {
  thread_pool two(2);
  thread_pool five(5);
  thread_pool forty(40);
  for_each_geometry([&](const conv2d_geometry& g) {
    const convolution one{g, false, true, true};
    const floats alone = one.found(cpu{});
    CHECK(alone == one.found(cpu{two}));
    CHECK(alone == one.found(cpu{five}));
  });
  const convolution small{three_by_three(16, 16, 8, 8), false, true, false};
  CHECK(small.found(cpu{}) == small.found(cpu{forty}));
}

TEST_CASE("NaN and infinity reach all outputs that see them, and no tile that does not") {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
    convolution one{three_by_three(32, 33, 16, 16)};
    const floats before = one.found(cpu{});
    one.in[static_cast<std::size_t>((6 * 16 + 9) * 32 + 5)] = value;
    const floats out = one.found(cpu{});
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) {
        const bool sees = std::abs(y - 6) <= 1 && std::abs(x - 9) <= 1;
        const bool tile_sees = y / 4 == 1 && x / 4 == 2;
        for (int c = 0; c < 33; ++c) {
          const auto at = static_cast<std::size_t>((y * 16 + x) * 33 + c);
          if (sees) CHECK(!std::isfinite(out[at]));
          if (!tile_sees) CHECK(out[at] == before[at]);
        }
      }
  }
}
