// The CPU's kernels against the reference ones, over shapes that fit no tile, panel or vector.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "maquette/kernel/elementwise.hpp"
#include "maquette/kernel/linear.hpp"
#include "maquette/kernel/pool.hpp"
#include "maquette/kernel/reference/reference.hpp"
#include "support/convolution.hpp"

using namespace maquette;
using kernel::conv2d_geometry;
using synthetic::convolution;
using synthetic::floats;

namespace {

template <class Visit>
void for_each_odd_geometry(Visit&& visit) {
  for (const int in : {1, 3, 16, 37, 260})
    for (const int out : {1, 10, 24, 32, 70})
      for (const kernel::extent2 image : {kernel::extent2{1, 1}, {5, 7}, {9, 4}})
        for (const int kernel : {1, 3, 5})
          for (const int stride : {1, 2})
            visit(conv2d_geometry{.in_channels = in,
                                  .out_channels = out,
                                  .height = image.y,
                                  .width = image.x,
                                  .kernel = {kernel, kernel},
                                  .stride = {stride, stride},
                                  .padding = {kernel / 2, kernel / 2}});
}

const float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("conv2d takes channels from a map beside as it takes them from one map") {
  thread_pool two(2);
  synthetic::for_each_parted_geometry([&](const kernel::conv2d_geometry& g, int own) {
    const synthetic::convolution one{g, false, true, true};
    const synthetic::parted_map in(one.in, g.in_channels, own);
    floats packed(kernel::conv2d_packed_size(g));
    kernel::conv2d_pack(g, one.weight.data(), one.bias.data(), nullptr, packed.data());
    kernel::fusion with = one.with();
    with.beside = {in.second.data(), g.in_channels - own};
    floats out(one.onto.size());
    kernel::conv2d(cpu{two}, g, in.first.data(), packed.data(), out.data(), with);
    CHECK(out == one.found(cpu{}));
  });
}

TEST_CASE("conv2d is the reference's over odd shapes, with every fusion") {
  int cases = 0;
  double worst = 0;
  for_each_odd_geometry([&](const conv2d_geometry& g) {
    const int number = cases++;
    const convolution one{g, number % 2 == 0, number % 3 == 0, number % 5 < 2};
    const double error = synthetic::error_of(one.found(cpu{}), one.expected());
    worst = std::max(worst, error);
    CHECK_MESSAGE(error < 1e-5, "geometry ", number);
  });
  MESSAGE(cases, " geometries, largest error over range ", worst);
}

TEST_CASE("conv2d takes kernels, strides and paddings that differ down and across") {
  for (const kernel::extent2 k : {kernel::extent2{3, 2}, {1, 5}, {7, 1}})
    for (const kernel::extent2 padding : {kernel::extent2{0, 0}, {0, 4}, {6, 1}}) {
      const convolution one{{.in_channels = 150,
                             .out_channels = 33,
                             .height = 8,
                             .width = 9,
                             .kernel = k,
                             .stride = {2, 3},
                             .padding = padding}};
      CHECK(synthetic::error_of(one.found(cpu{}), one.expected()) < 1e-5);
    }
}

TEST_CASE("conv2d shares out pixels and panels in any numbers") {
  for (const int height : {1, 17, 33, 65, 129, 161, 257, 481})
    for (const int out : {20, 50, 100, 130, 200}) {
      const convolution one{{.in_channels = 18, .out_channels = out, .height = height}};
      CHECK(synthetic::relative_rms(one.found(cpu{}), one.expected()) < 1e-6);
    }
}

TEST_CASE("conv2d adds onto its own output") {
  convolution one{
      {.in_channels = 20, .out_channels = 70, .height = 5, .width = 5}, false, false, true};
  const floats expected = one.expected();
  floats packed(kernel::conv2d_packed_size(one.g));
  kernel::conv2d_pack(one.g, one.weight.data(), one.bias.data(), nullptr, packed.data());
  kernel::conv2d(cpu{}, one.g, one.in.data(), packed.data(), one.onto.data(), one.with());
  CHECK(synthetic::error_of(one.onto, expected) < 1e-5);
}

TEST_CASE("a folded batch norm is the convolution and then the batch norm") {
  const convolution one{{.in_channels = 9,
                         .out_channels = 21,
                         .height = 6,
                         .width = 5,
                         .kernel = {3, 3},
                         .padding = {1, 1}}};
  const synthetic::statistics_of_norm norm(21);
  const floats expected = norm.of(one.expected());
  const kernel::batch_norm_parameters parameters = norm.parameters();
  floats packed(kernel::conv2d_packed_size(one.g));
  floats found(expected.size());
  kernel::conv2d_pack(one.g, one.weight.data(), one.bias.data(), &parameters, packed.data());
  kernel::conv2d(cpu{}, one.g, one.in.data(), packed.data(), found.data());
  CHECK(synthetic::error_of(found, expected) < 1e-5);
}

TEST_CASE("conv2d has the same bits on 1, 2 and 3 threads") {
  thread_pool two(2);
  thread_pool three(3);
  int cases = 0;
  for_each_odd_geometry([&](const conv2d_geometry& g) {
    const convolution one{g, cases++ % 2 == 0, true, true};
    const floats alone = one.found(cpu{});
    CHECK(alone == one.found(cpu{two}));
    CHECK(alone == one.found(cpu{three}));
  });
}

TEST_CASE("conv2d gives a pixel the same bits wherever it stands in a tile") {
  conv2d_geometry g{.in_channels = 300, .out_channels = 40, .width = 45};
  convolution row{g};
  for (int x = 1; x < g.width; ++x)
    std::copy_n(row.in.begin(), g.in_channels, row.in.begin() + x * g.in_channels);
  for (const bool prologue : {false, true}) {
    row.prologue = prologue;
    const floats out = row.found(cpu{});
    for (std::size_t i = 40; i < out.size(); ++i) CHECK(out[i] == out[i - 40]);
  }
}

TEST_CASE("NaN reaches exactly the outputs that see it") {
  for (const bool prologue : {false, true}) {
    convolution one{{.in_channels = 40,
                     .out_channels = 33,
                     .height = 7,
                     .width = 7,
                     .kernel = {3, 3},
                     .padding = {1, 1}},
                    prologue,
                    true,
                    false};
    one.in[static_cast<std::size_t>((2 * 7 + 3) * 40 + 5)] = not_a_number;
    const floats out = one.found(cpu{});
    for (int y = 0; y < 7; ++y)
      for (int x = 0; x < 7; ++x) {
        const bool sees = std::abs(y - 2) <= 1 && std::abs(x - 3) <= 1;
        for (int c = 0; c < 33; ++c)
          CHECK(std::isnan(out[static_cast<std::size_t>((y * 7 + x) * 33 + c)]) == sees);
      }
  }
}

TEST_CASE("max_pool is the reference's, NaN included") {
  thread_pool two(2);
  for (const int channels : {1, 16, 21})
    for (const kernel::pool_geometry g : {kernel::pool_geometry{channels, 6, 9, 2, 2},
                                          {channels, 7, 7, 3, 2},
                                          {channels, 4, 4, 1, 1}}) {
      floats in =
          synthetic::uniform("pool", static_cast<std::size_t>(channels * g.height * g.width));
      in[in.size() / 2] = not_a_number;
      floats expected(static_cast<std::size_t>(channels * g.out_height() * g.out_width()));
      floats found(expected.size());
      reference::max_pool(g, in.data(), expected.data());
      kernel::max_pool(cpu{two}, g, in.data(), found.data());
      for (std::size_t i = 0; i < found.size(); ++i)
        CHECK((found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]))));
    }
}

TEST_CASE("element by element the kernels are the reference's") {
  thread_pool two(2);
  for (const int channels : {1, 16, 37}) {
    const auto count = static_cast<std::size_t>(channels);
    const floats low = synthetic::uniform("low", count * 15);
    floats expected = synthetic::uniform("high", count * 60);
    floats found = expected;
    reference::upsample_add(channels, 3, 5, low.data(), expected.data());
    kernel::upsample_add(cpu{two}, channels, 3, 5, low.data(), found.data());
    CHECK(found == expected);

    const floats other = synthetic::uniform("other", count * 60);
    reference::add(other.size(), other.data(), expected.data());
    kernel::add(cpu{two}, other.size(), other.data(), found.data());
    CHECK(found == expected);

    const floats by = synthetic::uniform("by", 2 * count);
    const kernel::affine affine{by.data(), by.data() + count};
    reference::affine_relu(channels, 60, affine, other.data(), expected.data());
    kernel::affine_relu(cpu{two}, channels, 60, affine, other.data(), found.data());
    CHECK(synthetic::error_of(found, expected) < 1e-6);

    kernel::to_planar(cpu{two}, channels, 60, other.data(), 0, channels, found.data());
    CHECK(found[count * 60 - 1] == other[count * 60 - 1]);
    CHECK(found[59] == other[59 * count]);
    kernel::to_planar(cpu{two}, channels, 60, other.data(), channels - 1, 1, found.data());
    CHECK(found[0] == other[count - 1]);
    CHECK(found[59] == other[60 * count - 1]);
  }
}
