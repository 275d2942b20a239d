// SPDX-License-Identifier: Apache-2.0
#include "maquette/body/smpl.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "maquette/io/body_npz.hpp"

namespace {

using namespace maquette;

/// One forward pass; the argument says how many of the 24 joints are bent.
void smpl_forward(benchmark::State& state) {
  const result<body_model> model =
      load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  if (!model) {
    state.SkipWithError(model.error().message.c_str());
    return;
  }
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> beta(10), theta(72), joints(72), vertices(3 * model->vertex_count);
  for (float& b : beta) b = normal(random);
  const auto bent = static_cast<std::size_t>(state.range(0));
  for (std::size_t i = 0; i < 3 * bent; ++i) theta[i] = 0.3F * normal(random);
  smpl_workspace workspace(*model);
  for (auto _ : state) {
    smpl<float>(*model, {beta, theta, {}}, workspace, vertices, joints);
    benchmark::DoNotOptimize(vertices.data());
  }
  const std::size_t shapes = 10 + (bent == 0 ? 0 : 9 * (bent - 1));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(shapes * vertices.size() * sizeof(float)));
}
BENCHMARK(smpl_forward)->Arg(24)->Arg(0)->Unit(benchmark::kMicrosecond);

void rodrigues_24(benchmark::State& state) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<vec3<float>> poses(24);
  for (auto& p : poses) p = {normal(random), normal(random), normal(random)};
  for (auto _ : state) {
    for (const auto& p : poses) benchmark::DoNotOptimize(rodrigues(p));
  }
}
BENCHMARK(rodrigues_24);

}  // namespace

BENCHMARK_MAIN();
