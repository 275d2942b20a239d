// The convolutions of the hourglass, as its layers choose them, beside Eigen's single-precision
// product of the same size.
#include "maquette/kernel/conv2d.hpp"

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <vector>

#include "maquette/kernel/strassen.hpp"

using namespace maquette;

namespace {

std::vector<float> ramp(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>(static_cast<int>(i * 2654435761U % 2001) - 1000) * 1e-3F;
  return values;
}

kernel::conv2d_geometry geometry_of(const benchmark::State& state) {
  const int kernel = static_cast<int>(state.range(2));
  const int extent = static_cast<int>(state.range(3));
  return {.in_channels = static_cast<int>(state.range(0)),
          .out_channels = static_cast<int>(state.range(1)),
          .height = extent,
          .width = extent,
          .kernel = {kernel, kernel},
          .padding = {kernel / 2, kernel / 2}};
}

void report(benchmark::State& state, const kernel::conv2d_geometry& g) {
  const double products = static_cast<double>(g.out_pixels()) * g.patch_size() * g.out_channels;
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * products, benchmark::Counter::kIsIterationInvariantRate);
}

void maquette_conv2d(benchmark::State& state, bool prologue, bool addend) {
  const kernel::conv2d_geometry g = geometry_of(state);
  const std::size_t pixels = static_cast<std::size_t>(g.out_pixels());
  const auto in = ramp(pixels * static_cast<std::size_t>(g.in_channels));
  const auto weight = ramp(static_cast<std::size_t>(g.patch_size() * g.out_channels));
  const auto channels = ramp(static_cast<std::size_t>(g.in_channels + g.out_channels));
  const bool strassen = kernel::conv2d_strassen_can(g);
  std::vector<float> packed(strassen ? kernel::conv2d_strassen_packed_size(g)
                                     : kernel::conv2d_packed_size(g));
  const auto pack = strassen ? kernel::conv2d_strassen_pack : kernel::conv2d_pack;
  pack(g, weight.data(), channels.data(), nullptr, packed.data());
  std::vector<float> out(pixels * static_cast<std::size_t>(g.out_channels));
  std::vector<float> scratch(kernel::conv2d_scratch_size(g) + 1);
  kernel::fusion with{.relu = !addend};
  if (prologue) with.prologue = {channels.data(), channels.data()};
  if (addend) with.addend = out.data();
  for (auto _ : state) {
    if (addend) std::fill_n(out.begin(), 1, 0.0F);
    if (strassen) {
      kernel::conv2d_strassen(cpu{}, g, in.data(), packed.data(), out.data(), with);
    } else {
      kernel::conv2d(cpu{}, g, in.data(), packed.data(), out.data(), with, scratch.data());
    }
    benchmark::ClobberMemory();
  }
  report(state, g);
}

/// The bare product [pixels, patch] x [patch, channels], without making the patches.
void eigen_product(benchmark::State& state) {
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const kernel::conv2d_geometry g = geometry_of(state);
  const matrix patches = matrix::Random(g.out_pixels(), g.patch_size());
  const matrix weights = matrix::Random(g.patch_size(), g.out_channels);
  matrix out(g.out_pixels(), g.out_channels);
  for (auto _ : state) {
    out.noalias() = patches * weights;
    benchmark::ClobberMemory();
  }
  report(state, g);
}

void shapes_1x1_in(benchmark::internal::Benchmark* bench) {
  for (int extent = 64; extent >= 4; extent /= 2) bench->Args({256, 128, 1, extent});
}
void shapes_1x1_out(benchmark::internal::Benchmark* bench) {
  for (int extent = 64; extent >= 4; extent /= 2) bench->Args({128, 256, 1, extent});
}
void shapes_3x3(benchmark::internal::Benchmark* bench) {
  for (int extent = 64; extent >= 4; extent /= 2) bench->Args({128, 128, 3, extent});
}

}  // namespace

BENCHMARK_CAPTURE(maquette_conv2d, prologue, true, false)->Apply(shapes_1x1_in);
BENCHMARK(eigen_product)->Apply(shapes_1x1_in);
BENCHMARK_CAPTURE(maquette_conv2d, plain, false, false)->Apply(shapes_3x3);
BENCHMARK(eigen_product)->Apply(shapes_3x3);
BENCHMARK_CAPTURE(maquette_conv2d, addend, false, true)->Apply(shapes_1x1_out);
BENCHMARK(eigen_product)->Apply(shapes_1x1_out);
BENCHMARK_MAIN();
