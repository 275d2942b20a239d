// SPDX-License-Identifier: Apache-2.0
// From a photo of 640 x 480 to a body, stage by stage, on one thread and on two, with what it needs
// of memory. The weights are untrained: the arithmetic is the same.
#include "maquette/estimator.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "../examples/thread_pool.hpp"
#include "../tests/estimator/allocations.hpp"
#include "../tests/support/weights_file.hpp"
#include "maquette/io/file.hpp"

using namespace maquette;

namespace {

template <class Estimator>
const Estimator& untrained() {
  static const Estimator loaded = [] {
    const auto body = read_file(MAQUETTE_SOURCE_DIR "/weights/body.npz");
    result<Estimator> made = body ? Estimator::load(synthetic::complete_weights(true).bytes(),
                                                    *body, {.self_test = false})
                                  : result<Estimator>(body.error());
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      std::exit(1);
    }
    return std::move(*made);
  }();
  return loaded;
}

image photo_of(std::int32_t width, std::int32_t height) {
  image photo{width, height, {}};
  for (std::int32_t i = 0; i < 3 * width * height; ++i)
    photo.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  return photo;
}

using estimator_bfloat16 = basic_estimator<compact_human2d_in<arithmetic::bfloat16>>;

/// The whole estimate; with a box nobody is searched for, and `both_ways` Human2D looks twice.
template <class Estimator>
void estimate_photo(benchmark::State& state, bool with_box, bool both_ways) {
  const image photo = photo_of(640, 480);
  const Estimator& untrained_estimator = untrained<Estimator>();
  typename Estimator::workspace_type memory = untrained_estimator.make_workspace();
  thread_pool pool(static_cast<unsigned>(state.range(0)));
  estimate_options options;
  options.flip_average = both_ways;
  if (with_box) options.box = image_box{200, 60, 380, 440};
  estimate out;
  stage_times sum;
  std::size_t calls = 0;
  std::size_t allocated = 0;
  static_cast<void>(untrained_estimator(photo, options, memory, out, {pool}));
  for (auto _ : state) {
    const std::size_t before = allocation_count();
    benchmark::DoNotOptimize(untrained_estimator(photo, options, memory, out, {pool}).has_value());
    allocated += allocation_count() - before;
    sum.find += out.milliseconds.find;
    sum.human2d += out.milliseconds.human2d;
    sum.priors += out.milliseconds.priors;
    sum.smpl += out.milliseconds.smpl;
    sum.camera += out.milliseconds.camera;
    sum.fit += out.milliseconds.fit;
    ++calls;
  }
  const auto mean = [&](double total) { return total / static_cast<double>(calls); };
  state.counters["find_ms"] = mean(sum.find);
  state.counters["human2d_ms"] = mean(sum.human2d);
  state.counters["priors_ms"] = mean(sum.priors);
  state.counters["smpl_ms"] = mean(sum.smpl);
  state.counters["camera_ms"] = mean(sum.camera);
  state.counters["fit_ms"] = mean(sum.fit);
  state.counters["workspace_bytes"] = static_cast<double>(memory.bytes());
  state.counters["allocations"] = mean(static_cast<double>(allocated));
}

using maps_shape = shape<16, 64, 64>;

/// Heat maps as a network gives them: a peak, a lower one elsewhere, and noise about zero.
std::vector<float> heat_maps() {
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 0.01F);
  std::vector<float> maps;
  for (int joint = 0; joint < 16; ++joint)
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) {
        const auto peak = [&](int column, int row) {
          return std::exp(-static_cast<float>((x - column) * (x - column) + (y - row) * (y - row)) /
                          6.0F);
        };
        maps.push_back(0.8F * peak(10 + 2 * joint, 15 + 2 * joint) + 0.3F * peak(50, 20 + joint) +
                       noise(random));
      }
  return maps;
}

/// Reading the 16 joints from heat maps, one way or the other.
void decode_joints(benchmark::State& state, joint_decoding decoding) {
  const std::vector<float> maps = heat_maps();
  std::array<float, 48> joints{};
  for (auto _ : state) {
    decode_heatmaps(view<const float, maps_shape>(maps.data()), joints, decoding);
    benchmark::DoNotOptimize(joints);
  }
}

void part_sides(benchmark::State& state) {
  const std::vector<float> maps = heat_maps();
  std::array<float, 48> seen{};
  decode_heatmaps(view<const float, maps_shape>(maps.data()), seen);
  for (auto _ : state) {
    std::array<float, 48> joints = seen;
    separate_sides(view<const float, maps_shape>(maps.data()), joints);
    benchmark::DoNotOptimize(joints);
  }
}

void decode_body(benchmark::State& state) {
  using logits_shape = shape<2, 64, 64>;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(logits_shape::size), body(64 * 64);
  for (float& l : logits) l = normal(random);
  for (auto _ : state) {
    decode_silhouette(view<const float, logits_shape>(logits.data()), body);
    benchmark::DoNotOptimize(body.data());
  }
}

/// From a photo of such a width and height, the crop of such a side in its middle.
void crop_photo(benchmark::State& state) {
  const auto width = static_cast<std::int32_t>(state.range(0));
  const auto height = static_cast<std::int32_t>(state.range(1));
  const auto side = static_cast<double>(state.range(2));
  const image photo = photo_of(width, height);
  const crop_box crop{(width - side) / 2, (height - side) / 2, side};
  crop_workspace memory;
  std::vector<float> input(3 * 256 * 256);
  for (auto _ : state) {
    crop_to_input(photo, crop, 256, memory, input);
    benchmark::DoNotOptimize(input.data());
  }
}

/// All four ways of an estimate, on one thread and on two.
template <class Estimator>
void register_estimates(const std::string& name) {
  for (const bool with_box : {true, false})
    for (const bool both_ways : {true, false})
      benchmark::RegisterBenchmark(
          (name + (with_box ? "/box_given" : "/search") + (both_ways ? "" : "_without_mirror"))
              .c_str(),
          estimate_photo<Estimator>, with_box, both_ways)
          ->ArgName("threads")
          ->Arg(1)
          ->Arg(2)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
}

}  // namespace

BENCHMARK_CAPTURE(decode_joints, soft_argmax, joint_decoding::soft_argmax)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode_joints, quarter_cell, joint_decoding::quarter_cell)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(part_sides)->Unit(benchmark::kMicrosecond);
BENCHMARK(decode_body)->Unit(benchmark::kMicrosecond);
BENCHMARK(crop_photo)
    ->ArgNames({"width", "height", "side"})
    ->Args({640, 480, 120})
    ->Args({640, 480, 475})
    ->Args({1920, 1080, 1000})
    ->Args({4000, 3000, 2800})
    ->Unit(benchmark::kMicrosecond);

int main(int count, char** arguments) {
  register_estimates<estimator>("estimate_photo");
  register_estimates<estimator_bfloat16>("estimate_photo_bfloat16");
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
