// One call of each network on the calling thread and on two, with what it needs of memory.
#include <benchmark/benchmark.h>

#include <vector>

#include "../../examples/thread_pool.hpp"
#include "../../tests/support/synthetic.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/model/human2d_sizes.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"

using namespace maquette;
using floats = std::vector<float>;

namespace {

/// Times `call(network, context)` and notes the bytes of its parameters and scratch memory.
template <class Network, class Call>
void measure(benchmark::State& state, const char* prefix, const Call& call) {
  const nn::bound<Network> network = synthetic::network<Network>(prefix);
  workspace memory(Network::workspace_bytes);
  thread_pool pool(static_cast<unsigned>(state.range(0)));
  const context<cpu> on{{pool}, memory.scratch()};
  for (auto _ : state) {
    call(network, on);
    benchmark::ClobberMemory();
  }
  state.counters["workspace_MB"] = static_cast<double>(Network::workspace_bytes) * 1e-6;
  state.counters["parameters_MB"] = static_cast<double>(network.parameter_bytes()) * 1e-6;
}

template <class Network>
void run_human2d(benchmark::State& state) {
  const floats picture = synthetic::uniform("picture", Network::picture_type::size);
  floats heatmaps(Network::heatmaps_shape::size);
  floats silhouette(Network::silhouette_shape::size);
  measure<Network>(state, "human2d.", [&](const auto& network, const context<cpu>& on) {
    network(on, typename Network::picture_type{picture.data()},
            view<float, typename Network::heatmaps_shape>{heatmaps.data()},
            view<float, typename Network::silhouette_shape>{silhouette.data()});
  });
}

void run_pose_prior(benchmark::State& state) {
  const floats joints = synthetic::uniform("joints", pose_prior<>::input_shape::size);
  floats pose(pose_prior<>::pose_shape::size);
  measure<pose_prior<>>(state, "pose_prior.", [&](const auto& network, const context<cpu>& on) {
    network(on, view<const float, pose_prior<>::input_shape>{joints.data()},
            view<float, pose_prior<>::pose_shape>{pose.data()});
  });
}

void run_shape_prior(benchmark::State& state) {
  const floats silhouette = synthetic::uniform("body", shape_prior<>::silhouette_shape::size);
  floats beta(shape_prior<>::beta_shape::size);
  measure<shape_prior<>>(state, "shape_prior.", [&](const auto& network, const context<cpu>& on) {
    network(on, view<const float, shape_prior<>::silhouette_shape>{silhouette.data()},
            view<float, shape_prior<>::beta_shape>{beta.data()});
  });
}

void one_and_two_threads(benchmark::internal::Benchmark* bench) {
  bench->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
}

using human2d_one_module = human2d<16, 256, 2, 1>;
using human2d_compact_bfloat16 = compact_human2d_in<arithmetic::bfloat16>;
using human2d_paper_bfloat16 = human2d<16, 256, 2, 3, 256, arithmetic::bfloat16>;
using human2d_one_module_bfloat16 = human2d<16, 256, 2, 1, 256, arithmetic::bfloat16>;
using human2d_compact_int8 = compact_human2d_in<arithmetic::int8>;
using human2d_paper_int8 = human2d<16, 256, 2, 3, 256, arithmetic::int8>;
using human2d_one_module_int8 = human2d<16, 256, 2, 1, 256, arithmetic::int8>;
using human2d_compact_small = compact_human2d_in<arithmetic::float32_small>;
using human2d_paper_small = human2d<16, 256, 2, 3, 256, arithmetic::float32_small>;
using human2d_one_module_small = human2d<16, 256, 2, 1, 256, arithmetic::float32_small>;
using human2d_128 = human2d<16, 128, 2, 1>;
using human2d_128_small = human2d<16, 128, 2, 1, 256, arithmetic::float32_small>;
using human2d_64 = human2d<16, 64, 2, 1>;
using human2d_64_small = human2d<16, 64, 2, 1, 256, arithmetic::float32_small>;
using human2d_64_small_picture = human2d<16, 64, 2, 1, 128>;

}  // namespace

BENCHMARK(run_human2d<compact_human2d>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<paper_human2d>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_one_module>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_compact_bfloat16>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_paper_bfloat16>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_one_module_bfloat16>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_compact_int8>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_paper_int8>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_one_module_int8>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_compact_small>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_paper_small>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_one_module_small>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_128>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_128_small>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_64>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_64_small>)->Apply(one_and_two_threads);
BENCHMARK(run_human2d<human2d_64_small_picture>)->Apply(one_and_two_threads);
BENCHMARK(run_pose_prior)->Apply(one_and_two_threads);
BENCHMARK(run_shape_prior)->Apply(one_and_two_threads);
BENCHMARK_MAIN();
