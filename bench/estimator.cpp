// SPDX-License-Identifier: Apache-2.0
// From a photo of 640 x 480 to a body, stage by stage, on one thread and on two, with what it needs
// of memory. The weights are untrained: the arithmetic is the same.
#include "maquette/estimator.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../examples/thread_pool.hpp"
#include "../tests/estimator/allocations.hpp"
#include "../tests/support/weights_file.hpp"
#include "maquette/io/file.hpp"

using namespace maquette;

namespace {

const estimator& untrained() {
  static const estimator loaded = [] {
    const auto body = read_file(MAQUETTE_SOURCE_DIR "/weights/body.npz");
    result<estimator> made = body ? estimator::load(synthetic::complete_weights(true).bytes(),
                                                    *body, {.self_test = false})
                                  : result<estimator>(body.error());
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

/// The whole estimate; with a box nobody is searched for, and `both_ways` Human2D looks twice.
void estimate_photo(benchmark::State& state, bool with_box, bool both_ways) {
  const image photo = photo_of(640, 480);
  estimator::workspace_type memory = untrained().make_workspace();
  thread_pool pool(static_cast<unsigned>(state.range(0)));
  estimate_options options;
  options.flip_average = both_ways;
  if (with_box) options.box = image_box{200, 60, 380, 440};
  estimate out;
  stage_times sum;
  std::size_t calls = 0;
  std::size_t allocated = 0;
  static_cast<void>(untrained()(photo, options, memory, out, {pool}));
  for (auto _ : state) {
    const std::size_t before = allocation_count();
    benchmark::DoNotOptimize(untrained()(photo, options, memory, out, {pool}).has_value());
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

/// Reading the 16 joints from heat maps, one way or the other.
void decode_joints(benchmark::State& state, joint_decoding decoding) {
  using maps_shape = shape<16, 64, 64>;
  std::vector<float> maps(maps_shape::size);
  for (std::size_t i = 0; i < maps.size(); ++i) maps[i] = static_cast<float>(i * 37 % 251) / 251;
  std::array<float, 48> joints{};
  for (auto _ : state) {
    decode_heatmaps(view<const float, maps_shape>(maps.data()), joints, decoding);
    benchmark::DoNotOptimize(joints);
  }
}

void on_one_and_two_threads(benchmark::internal::Benchmark* run) {
  run->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
}

}  // namespace

BENCHMARK_CAPTURE(estimate_photo, box_given, true, true)->Apply(on_one_and_two_threads);
BENCHMARK_CAPTURE(estimate_photo, box_given_without_mirror, true, false)
    ->Apply(on_one_and_two_threads);
BENCHMARK_CAPTURE(estimate_photo, search, false, true)->Apply(on_one_and_two_threads);
BENCHMARK_CAPTURE(estimate_photo, search_without_mirror, false, false)
    ->Apply(on_one_and_two_threads);
BENCHMARK_CAPTURE(decode_joints, soft_argmax, joint_decoding::soft_argmax)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(decode_joints, quarter_cell, joint_decoding::quarter_cell)
    ->Unit(benchmark::kMicrosecond);

BENCHMARK_MAIN();
