// Strassen's 1x1 convolution against the reference one, over maps whose pixels fill no tile.
#include "maquette/kernel/strassen.hpp"

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

conv2d_geometry pointwise(int in, int out, kernel::extent2 map) {
  return {.in_channels = in, .out_channels = out, .height = map.y, .width = map.x};
}

template <class Visit>
void for_each_geometry(const Visit& visit) {
  for (const int in : {64, 96, 256, 512})
    for (const int out : {64, 128, 320})
      for (const kernel::extent2 map : {kernel::extent2{8, 8}, {2, 33}, {6, 29}})
        visit(pointwise(in, out, map));
}

floats packed_weights(const convolution& one, const kernel::batch_norm_parameters* norm = nullptr) {
  floats packed(kernel::conv2d_strassen_packed_size(one.g));
  kernel::conv2d_strassen_pack(one.g, one.weight.data(), one.bias.data(), norm, packed.data());
  return packed;
}

floats found(const convolution& one, const cpu& backend = {}) {
  const floats packed = packed_weights(one);
  floats out(one.onto.size());
  kernel::conv2d_strassen(backend, one.g, one.in.data(), packed.data(), out.data(), one.with());
  return out;
}

}  // namespace

TEST_CASE("strassen can halves of whole vectors and panels, and takes 1.75 times their weights") {
  const conv2d_geometry map = pointwise(64, 128, {8, 8});
  CHECK(kernel::conv2d_strassen_can(map));
  CHECK_FALSE(kernel::conv2d_strassen_can(pointwise(63, 128, {8, 8})));
  CHECK_FALSE(kernel::conv2d_strassen_can(pointwise(64, 66, {8, 8})));
  CHECK_FALSE(kernel::conv2d_strassen_can(pointwise(32, 128, {8, 8})));
  CHECK_FALSE(kernel::conv2d_strassen_can(pointwise(64, 32, {8, 8})));
  CHECK(kernel::conv2d_strassen_can(pointwise(512, 128, {8, 8})));
  CHECK_FALSE(kernel::conv2d_strassen_can(pointwise(2048, 128, {8, 8})));
  conv2d_geometry strided = map;
  strided.stride = {2, 1};
  CHECK_FALSE(kernel::conv2d_strassen_can(strided));
  conv2d_geometry plain = map;
  plain.may_transform = false;
  CHECK_FALSE(kernel::conv2d_strassen_can(plain));
  CHECK(kernel::conv2d_strassen_packed_size(map) ==
        kernel::conv2d_packed_size(map) + 64 * 128 * 7 / 4);
}

TEST_CASE("strassen leaves small maps and odd ones to conv2d") {
  for (const kernel::extent2 size : {kernel::extent2{2, 31}, {5, 13}}) {
    const convolution one{pointwise(64, 128, size), true, false, false};
    CHECK(found(one) == one.found(cpu{}));
  }
  const convolution even{pointwise(64, 128, {5, 14}), true, false, false};
  CHECK(found(even) != even.found(cpu{}));
}

TEST_CASE("strassen is the reference's convolution, with every fusion") {
  int cases = 0;
  double worst = 0;
  for_each_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    const convolution one{g, number % 2 == 0, number / 3 % 2 == 0, number % 5 < 2};
    const double error = synthetic::relative_rms(found(one), one.expected());
    worst = std::max(worst, error);
    CHECK_MESSAGE(error < 2e-6, "geometry ", number);
  });
  MESSAGE(cases, " geometries, largest relative RMS error ", worst);
}

TEST_CASE("strassen takes one half of the channels from a map beside") {
  for (const int beside : {64, 40}) {  // a half, and what is left to the definition
    const convolution one{pointwise(128, 64, {9, 14}), false, true, true};
    const synthetic::parted_map in(one.in, 128, 128 - beside);
    const floats packed = packed_weights(one);
    floats out(one.onto.size());
    kernel::fusion with = one.with();
    with.beside = {in.second.data(), beside};
    kernel::conv2d_strassen(cpu{}, one.g, in.first.data(), packed.data(), out.data(), with);
    CHECK(synthetic::relative_rms(out, one.expected()) < 2e-6);
    CHECK((out == found(one)) == (beside == 64));
  }
}

TEST_CASE("strassen adds onto its own output") {
  thread_pool two(2);
  for (const conv2d_geometry& g : {pointwise(64, 64, {10, 10}), pointwise(128, 320, {6, 29})}) {
    convolution one{g, true, true, true};
    const floats apart = found(one);
    const floats packed = packed_weights(one);
    kernel::conv2d_strassen(cpu{two}, g, one.in.data(), packed.data(), one.onto.data(), one.with());
    CHECK(one.onto == apart);
  }
}

TEST_CASE("strassen's weights take in a batch norm") {
  const convolution one{pointwise(64, 64, {8, 8})};
  const synthetic::statistics_of_norm norm(64);
  const floats expected = norm.of(one.expected());
  const kernel::batch_norm_parameters parameters = norm.parameters();
  const floats packed = packed_weights(one, &parameters);
  floats out(expected.size());
  kernel::conv2d_strassen(cpu{}, one.g, one.in.data(), packed.data(), out.data());
  CHECK(synthetic::relative_rms(out, expected) < 2e-6);
}

TEST_CASE("strassen has the same bits on 1, 2 and 40 threads") {
  thread_pool two(2);
  thread_pool forty(40);
  int cases = 0;
  for_each_geometry([&](const conv2d_geometry& g) {
    const convolution one{g, cases++ % 2 == 0, true, true};
    const floats alone = found(one);
    CHECK(alone == found(one, cpu{two}));
    CHECK(alone == found(one, cpu{forty}));
  });
}

TEST_CASE("strassen's error at a pixel is relative to the larger one of its pair") {
  convolution one{pointwise(64, 64, {8, 8})};
  constexpr float large = 1000;
  for (std::size_t i = 0; i < one.in.size() / 2; ++i) one.in[i] *= large;
  const floats out = found(one);
  const floats expected = one.expected();
  const auto half = static_cast<std::ptrdiff_t>(out.size() / 2);
  const auto error_of = [&](std::ptrdiff_t from) {
    return synthetic::relative_rms({out.data() + from, out.size() / 2},
                                   {expected.data() + from, out.size() / 2});
  };
  CHECK(error_of(0) < 2e-6);
  CHECK(error_of(half) < 2e-6 * double{large});
}

TEST_CASE("NaN and infinity reach all outputs of their pixel, and of one other at most") {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF})
    for (const int hit : {0, 19, 99})
      for (const int channel : {3, 40}) {
        convolution one{pointwise(64, 64, {10, 10})};
        const floats before = found(one);
        one.in[static_cast<std::size_t>(hit * 64 + channel)] = value;
        const floats out = found(one);
        int reached = 0;
        for (int pixel = 0; pixel < 100; ++pixel) {
          const auto first = static_cast<std::size_t>(pixel * 64);
          int finite = 0;
          bool same = true;
          for (std::size_t c = first; c < first + 64; ++c) {
            finite += std::isfinite(out[c]) ? 1 : 0;
            same = same && out[c] == before[c];
          }
          if (pixel == hit) CHECK(finite == 0);
          reached += same ? 0 : 1;
        }
        CHECK(reached <= 2);
      }
}
