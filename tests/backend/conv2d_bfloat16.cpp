// The convolution of bfloat16 against the reference one on values that bfloat16 holds exactly, and
// on others within what rounding can do.
#include "maquette/kernel/conv2d_bfloat16.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "../../examples/thread_pool.hpp"
#include "support/convolution.hpp"

using namespace maquette;
using kernel::conv2d_geometry;
using synthetic::convolution;
using synthetic::floats;

namespace {

floats found_with(const convolution& one, const float* in, const kernel::fusion& with,
                  const cpu& backend, float* scratch) {
  floats packed(kernel::conv2d_bfloat16_packed_size(one.g));
  kernel::conv2d_bfloat16_pack(one.g, one.weight.data(), one.bias.data(), nullptr, packed.data());
  floats out(one.onto.size());
  kernel::conv2d_bfloat16(backend, one.g, in, packed.data(), out.data(), with, scratch);
  return out;
}

floats found(const convolution& one, const cpu& backend = {}) {
  return found_with(one, one.in.data(), one.with(), backend, nullptr);
}

floats found_by_winograd(const convolution& one, const cpu& backend = {}) {
  floats scratch(kernel::conv2d_bfloat16_scratch_size(one.g));
  REQUIRE(!scratch.empty());
  return found_with(one, one.in.data(), one.with(), backend, scratch.data());
}

/// That `find(convolution, backend)` gives the same bits on any number of threads.
template <class Find>
void check_threads(const convolution& one, const Find& find) {
  static thread_pool two(2);
  static thread_pool five(5);
  static thread_pool forty(40);
  const floats alone = find(one, cpu{});
  CHECK(alone == find(one, cpu{two}));
  CHECK(alone == find(one, cpu{five}));
  CHECK(alone == find(one, cpu{forty}));
}

template <class Visit>
void for_each_winograd_geometry(Visit&& visit) {
  for (const int in : {16, 24, 38, 128})
    for (const int out : {16, 24, 33, 48, 70})
      for (const kernel::extent2 map : {kernel::extent2{8, 8}, {9, 31}, {20, 14}})
        visit(conv2d_geometry{.in_channels = in,
                              .out_channels = out,
                              .height = map.y,
                              .width = map.x,
                              .kernel = {3, 3},
                              .padding = {1, 1}});
}

floats rounded(floats values) {
  for (float& value : values) value = static_cast<float>(bfloat16(value));
  return values;
}

template <class Visit>
void for_each_pointwise_geometry(Visit&& visit) {
  for (const int in : {1, 2, 15, 16, 37, 128, 301})
    for (const int out : {1, 16, 18, 24, 33, 70})
      for (const kernel::extent2 map : {kernel::extent2{1, 1}, {3, 11}, {20, 14}})
        visit(conv2d_geometry{
            .in_channels = in, .out_channels = out, .height = map.y, .width = map.x});
}

/// Kernels of several taps, with runs of odd and even length, on maps smaller than the kernel and
/// on maps of several blocks down and across.
template <class Visit>
void for_each_geometry_of_taps(Visit&& visit) {
  const auto visit_kernel = [&](int in, int out, kernel::extent2 map, kernel::extent2 taps,
                                kernel::extent2 stride) {
    visit(conv2d_geometry{.in_channels = in,
                          .out_channels = out,
                          .height = map.y,
                          .width = map.x,
                          .kernel = taps,
                          .stride = stride,
                          .padding = {taps.y / 2, taps.x / 2}});
  };
  for (const int in : {1, 2, 3, 17})
    for (const int out : {1, 16, 18, 24, 33, 70})
      for (const kernel::extent2 map : {kernel::extent2{1, 1}, {2, 9}, {13, 4}, {23, 31}})
        for (const int taps : {3, 5, 7})
          for (const int stride : {1, 2})
            visit_kernel(in, out, map, {taps, taps}, {stride, stride});
  visit_kernel(3, 24, {64, 256}, {7, 7}, {2, 2});
  visit_kernel(3, 20, {9, 3001}, {7, 7}, {2, 2});
  visit_kernel(301, 20, {5, 30}, {5, 3}, {1, 3});
  visit_kernel(5, 33, {30, 5}, {1, 4}, {3, 1});
  visit_kernel(40, 33, {30, 15}, {1, 1}, {2, 2});
  // As much as a block holds.
  visit_kernel(16383, 2, {2, 3}, {1, 1}, {2, 2});
}

/// Whether the window of output pixel (y, x) holds the input's pixel `at`.
bool sees(const conv2d_geometry& g, int y, int x, kernel::extent2 at) {
  const int ky = at.y - (y * g.stride.y - g.padding.y);
  const int kx = at.x - (x * g.stride.x - g.padding.x);
  return ky >= 0 && ky < g.kernel.y && kx >= 0 && kx < g.kernel.x;
}

}  // namespace

TEST_CASE(
    "conv2d_bfloat16 is the reference's convolution of rounded values, with ReLU and addend") {
  int cases = 0;
  for_each_pointwise_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    convolution one{g, false, number % 2 == 0, number % 3 == 0};
    one.in = rounded(one.in);
    one.weight = rounded(one.weight);
    CHECK_MESSAGE(synthetic::relative_rms(found(one), one.expected()) < 1e-6, "geometry ", number);
  });
}

TEST_CASE("conv2d_bfloat16 of several taps is the reference's convolution of rounded values") {
  int cases = 0;
  for_each_geometry_of_taps([&](const conv2d_geometry& g) {
    const int number = cases++;
    convolution one{g, false, number % 2 == 0, number % 3 == 0};
    one.in = rounded(one.in);
    one.weight = rounded(one.weight);
    CHECK_MESSAGE(synthetic::error_of(found(one), one.expected()) < 1e-5, "geometry ", number);
  });
}

TEST_CASE("conv2d_bfloat16 rounds inputs and weights of several taps to the nearest") {
  for_each_geometry_of_taps([&](const conv2d_geometry& g) {
    const convolution one{g};
    convolution other{g};
    other.in = rounded(other.in);
    other.weight = rounded(other.weight);
    CHECK(found(one) == found(other));
  });
}

TEST_CASE("conv2d_bfloat16 of other values, behind a prologue, is off by what rounding can do") {
  for_each_pointwise_geometry([&](const conv2d_geometry& g) {
    const convolution one{g, true, false, false};
    floats scales = one.onto;
    // Each of two factors is off by at most 2^-8 of its size.
    for (int pixel = 0; pixel < g.out_pixels(); ++pixel)
      for (int o = 0; o < g.out_channels; ++o) {
        float sum = 0;
        for (int i = 0; i < g.in_channels; ++i) {
          const auto at = static_cast<std::size_t>(pixel * g.in_channels + i);
          const auto c = static_cast<std::size_t>(i);
          const float value = std::max(one.in[at] * one.scale[c] + one.shift[c], 0.0F);
          sum += std::abs(value * one.weight[static_cast<std::size_t>(o * g.in_channels + i)]);
        }
        scales[static_cast<std::size_t>(pixel * g.out_channels + o)] = sum;
      }
    const floats expected = one.expected();
    const floats out = found(one);
    for (std::size_t i = 0; i < out.size(); ++i)
      CHECK(std::abs(out[i] - expected[i]) <= scales[i] * std::ldexp(1.01F, -7) + 1e-5F);
  });
}

TEST_CASE(
    "conv2d_bfloat16 has the same bits on 1, 2 and 5 threads, and on more than it has work for") {
  for_each_pointwise_geometry([](const conv2d_geometry& g) {
    check_threads({g, true, true, true}, found);
  });
}

TEST_CASE("NaN and infinity reach the outputs of their pixel and no others") {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
    convolution one{{.in_channels = 19, .out_channels = 33, .height = 3, .width = 5}};
    const floats before = found(one);
    one.in[7 * 19 + 18] = value;
    const floats out = found(one);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i / 33 == 7) {
        CHECK(!std::isfinite(out[i]));
      } else {
        CHECK(out[i] == before[i]);
      }
    }
  }
}

TEST_CASE("conv2d_bfloat16 takes channels from a map beside as it takes them from one map") {
  thread_pool two(2);
  synthetic::for_each_parted_geometry([&](const conv2d_geometry& g, int own) {
    const convolution one{g, false, true, true};
    const synthetic::parted_map in(one.in, g.in_channels, own);
    kernel::fusion with = one.with();
    with.beside = {in.second.data(), g.in_channels - own};
    CHECK(found_with(one, in.first.data(), with, cpu{two}, nullptr) == found(one));
  });
}

TEST_CASE("conv2d_bfloat16 by Winograd's algorithm is near the reference's convolution") {
  int cases = 0;
  double worst = 0;
  for_each_winograd_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    const convolution one{g, false, number % 2 == 0, number % 3 == 0};
    const double error = synthetic::relative_rms(found_by_winograd(one), one.expected());
    worst = std::max(worst, error);
    CHECK_MESSAGE(error < 1.5e-2, "geometry ", number);
  });
  MESSAGE(cases, " geometries, largest relative RMS error ", worst);
}

TEST_CASE("conv2d_bfloat16 by Winograd's algorithm has the same bits on any number of threads") {
  for_each_winograd_geometry([](const conv2d_geometry& g) {
    check_threads({g, false, true, true}, found_by_winograd);
  });
}

TEST_CASE("by Winograd's algorithm NaN and infinity reach their tiles' outputs and no others") {
  const conv2d_geometry g{.in_channels = 16,
                          .out_channels = 33,
                          .height = 12,
                          .width = 16,
                          .kernel = {3, 3},
                          .padding = {1, 1}};
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF}) {
    convolution one{g};
    const floats before = found_by_winograd(one);
    // Row 5, column 6: inside of one tile of 4 x 4, and beyond what its neighbours see.
    one.in[static_cast<std::size_t>((5 * g.width + 6) * g.in_channels + 3)] = value;
    const floats out = found_by_winograd(one);
    for (int i = 0; i < g.out_pixels() * g.out_channels; ++i) {
      const auto index = static_cast<std::size_t>(i);
      const int y = i / g.out_channels / g.width;
      const int x = i / g.out_channels % g.width;
      if (y / 4 == 1 && x / 4 == 1) {
        if (sees(g, y, x, {5, 6})) CHECK(!std::isfinite(out[index]));
      } else {
        CHECK(out[index] == before[index]);
      }
    }
  }
}

TEST_CASE("an odd number of channels has no Winograd's algorithm in bfloat16, and needs none") {
  const conv2d_geometry g{.in_channels = 17,
                          .out_channels = 20,
                          .height = 9,
                          .width = 12,
                          .kernel = {3, 3},
                          .padding = {1, 1}};
  CHECK(kernel::conv2d_bfloat16_scratch_size(g) == 0);
  const convolution one{g};
  float unused = 0;
  CHECK(found_with(one, one.in.data(), one.with(), {}, &unused) == found(one));
}

TEST_CASE("conv2d_bfloat16 of several taps has the same bits on any number of threads") {
  for_each_geometry_of_taps([](const conv2d_geometry& g) {
    check_threads({g, false, true, true}, found);
  });
}

TEST_CASE("NaN and infinity reach the outputs whose windows hold them and no others") {
  const conv2d_geometry g{.in_channels = 3,
                          .out_channels = 33,
                          .height = 19,
                          .width = 22,
                          .kernel = {7, 7},
                          .stride = {2, 2},
                          .padding = {3, 3}};
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF})
    for (const kernel::extent2 at : {kernel::extent2{0, 0}, {7, 11}, {10, 4}, {18, 21}})
      for (int channel = 0; channel < 3; ++channel) {
        convolution one{g};
        const floats before = found(one);
        one.in[static_cast<std::size_t>((at.y * g.width + at.x) * 3 + channel)] = value;
        const floats out = found(one);
        for (int i = 0; i < g.out_pixels() * g.out_channels; ++i) {
          const int pixel = i / g.out_channels;
          const auto index = static_cast<std::size_t>(i);
          if (sees(g, pixel / g.out_width(), pixel % g.out_width(), at)) {
            CHECK(!std::isfinite(out[index]));
          } else {
            CHECK(out[index] == before[index]);
          }
        }
      }
}
