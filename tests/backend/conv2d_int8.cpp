// The 1x1 convolution of eight bits against the reference one on whole numbers that it holds
// exactly, and on others within what rounding can do.
#include "maquette/kernel/conv2d_int8.hpp"

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

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

floats found(const convolution& one, const cpu& backend = {}) {
  floats packed(kernel::conv2d_int8_packed_size(one.g));
  kernel::conv2d_int8_pack(one.g, one.weight.data(), one.bias.data(), nullptr, packed.data());
  floats out(one.onto.size());
  kernel::conv2d_int8(backend, one.g, one.in.data(), packed.data(), out.data(), one.with());
  return out;
}

template <class Visit>
void for_each_pointwise_geometry(Visit&& visit) {
  for (const int in : {1, 2, 3, 5, 15, 16, 17, 37, 128, 301})
    for (const int out : {1, 16, 18, 33, 70})
      for (const kernel::extent2 map : {kernel::extent2{1, 1}, {3, 11}, {20, 14}})
        visit(conv2d_geometry{
            .in_channels = in, .out_channels = out, .height = map.y, .width = map.x});
}

/// Values of [-1, 1] as whole numbers from `lowest` to `highest`, which both occur in each row.
void make_whole(floats& values, int row, float lowest, float highest) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::round(lowest + (values[i] + 1) / 2 * (highest - lowest));
    if (i % static_cast<std::size_t>(row) == 0) values[i] = highest;
    if (i % static_cast<std::size_t>(row) == 1) values[i] = lowest;
  }
}

/// A convolution one of whose pixels has this value.
convolution with_one(float value, bool prologue) {
  convolution one{{.in_channels = 19, .out_channels = 33, .height = 3, .width = 5}, prologue, true};
  std::fill(one.scale.begin(), one.scale.end(), 1.0F);
  one.in[7 * 19 + 18] = value;
  return one;
}

}  // namespace

TEST_CASE("conv2d_int8 of whole numbers is the reference's convolution, with ReLU and addend") {
  int cases = 0;
  for_each_pointwise_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    convolution one{g, false, number % 2 == 0, number % 3 == 0};
    const float lowest = number % 5 == 0 ? 0.0F : -128.0F;
    make_whole(one.in, g.in_channels, lowest, lowest + 255);
    make_whole(one.weight, g.in_channels, -127, 127);
    CHECK_MESSAGE(synthetic::relative_rms(found(one), one.expected()) < 1e-6, "case ", number);
  });
}

TEST_CASE("conv2d_int8 of other values is off by what rounding can do") {
  for_each_pointwise_geometry([&](const conv2d_geometry& g) {
    for (const bool prologue : {false, true}) {
      const convolution one{g, prologue, false, false};
      const floats expected = one.expected();
      const floats out = found(one);
      for (int pixel = 0; pixel < g.out_pixels(); ++pixel) {
        floats values(static_cast<std::size_t>(g.in_channels));
        float lowest = 0;
        float highest = 0;
        for (std::size_t c = 0; c < values.size(); ++c) {
          values[c] = one.in[static_cast<std::size_t>(pixel) * values.size() + c];
          if (prologue) values[c] = std::max(values[c] * one.scale[c] + one.shift[c], 0.0F);
          lowest = std::min(lowest, values[c]);
          highest = std::max(highest, values[c]);
        }
        // A value is off by at most half a step, and so is a weight.
        const float off = (highest - lowest) / 510;
        for (int o = 0; o < g.out_channels; ++o) {
          const float* weight = one.weight.data() + static_cast<std::ptrdiff_t>(o) * g.in_channels;
          float largest = 0;
          for (int c = 0; c < g.in_channels; ++c) largest = std::max(largest, std::abs(weight[c]));
          const float weight_off = largest / 254;
          float bound = 1e-5F;
          for (std::size_t c = 0; c < values.size(); ++c)
            bound += 1.01F * (off * std::abs(weight[c]) + weight_off * std::abs(values[c]) +
                              off * weight_off);
          const auto at = static_cast<std::size_t>(pixel * g.out_channels + o);
          CHECK(std::abs(out[at] - expected[at]) <= bound);
        }
      }
    }
  });
}

TEST_CASE("conv2d_int8 has the same bits on 1, 2 and 5 threads, and on more than it has work for") {
  thread_pool two(2);
  thread_pool five(5);
  thread_pool forty(40);
  for_each_pointwise_geometry([&](const conv2d_geometry& g) {
    const convolution one{g, true, true, true};
    const floats alone = found(one);
    CHECK(alone == found(one, cpu{two}));
    CHECK(alone == found(one, cpu{five}));
    CHECK(alone == found(one, cpu{forty}));
  });
}

TEST_CASE("conv2d_int8 of zeros, of very small and of very large numbers") {
  for (const float scale : {0.0F, 1e-42F, 1e-38F, 1e-36F, 1e-30F, 1e30F}) {
    convolution one{{.in_channels = 21, .out_channels = 17, .height = 2, .width = 3}};
    for (float& value : one.in) value *= scale;
    std::fill(one.bias.begin(), one.bias.end(), 0.0F);
    const floats expected = one.expected();
    const floats out = found(one);
    for (std::size_t i = 0; i < out.size(); ++i)
      CHECK(std::abs(out[i] - expected[i]) <= 0.1F * scale + 1e-35F);
  }
  convolution without_weights{{.in_channels = 21, .out_channels = 17, .height = 2, .width = 3}};
  std::fill(without_weights.weight.begin(), without_weights.weight.end(), 0.0F);
  CHECK(found(without_weights) == without_weights.expected());
}

TEST_CASE("conv2d_int8: NaN and infinity reach the outputs of their pixel and no others") {
  for (const bool prologue : {false, true})
    for (const float value : {not_a_number, -not_a_number, infinity, -infinity}) {
      // A ReLU makes minus infinity nothing.
      const bool is_seen = !(prologue && value == -infinity);
      const floats before = found(with_one(0, prologue));
      const floats out = found(with_one(value, prologue));
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (i / 33 == 7) {
          CHECK(std::isfinite(out[i]) == !is_seen);
        } else {
          CHECK(out[i] == before[i]);
        }
      }
    }
}

TEST_CASE("conv2d_int8: a weight that is not finite reaches its channel and no other") {
  for (const float value : {not_a_number, infinity}) {
    convolution one{{.in_channels = 19, .out_channels = 33, .height = 3, .width = 5}};
    const floats before = found(one);
    one.weight[20 * 19 + 4] = value;
    const floats out = found(one);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 33 == 20) {
        CHECK(std::isnan(out[i]));
      } else {
        CHECK(out[i] == before[i]);
      }
    }
  }
}

TEST_CASE("conv2d_int8 sums as many channels as it takes without overflow") {
  convolution one{{.in_channels = 32768, .out_channels = 2, .height = 1, .width = 2}};
  std::fill(one.in.begin(), one.in.end(), 255.0F);
  std::fill(one.weight.begin(), one.weight.begin() + 32768, 127.0F);
  std::fill(one.weight.begin() + 32768, one.weight.end(), -127.0F);
  std::fill(one.bias.begin(), one.bias.end(), 0.0F);
  for (const float value : found(one))
    CHECK(std::abs(value) == doctest::Approx(32768.0 * 255 * 127));
}
