// SPDX-License-Identifier: Apache-2.0
#include "maquette/render/silhouette.hpp"

#include <benchmark/benchmark.h>

#include <numbers>
#include <string>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "maquette/body/smpl.hpp"
#include "maquette/io/body_npz.hpp"
#include "maquette/render/shading.hpp"

namespace {

using namespace maquette;

/// The default body upright in front of the customary camera, as high as nine tenths of the crop.
struct scene {
  std::vector<float> vertices;
  std::vector<std::uint32_t> faces;
  vec3<double> translation;
  camera view;
};

scene upright(int size) {
  const result<body_model> model =
      load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  scene s;
  if (!model) return s;
  smpl_workspace workspace(*model);
  std::vector<float> theta(72), joints(72);
  theta[0] = std::numbers::pi_v<float>;
  s.vertices.resize(3 * model->vertex_count);
  smpl<float>(*model, {{}, theta, {}}, workspace, s.vertices, joints);
  s.faces = model->faces;
  s.view = resized(camera{}, size / 256.0);
  s.translation =
      framing_translation(s.view, s.vertices, {0.05 * size, 0.05 * size, 0.95 * size, 0.95 * size});
  return s;
}

void silhouette(benchmark::State& state, cull_mode cull) {
  const auto size = static_cast<std::int32_t>(state.range(0));
  const scene s = upright(size);
  if (s.vertices.empty()) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  std::vector<float> projected(s.vertices.size());
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  raster_options options;
  options.cull = cull;
  for (auto _ : state) {
    draw_silhouette(s.view, s.vertices, s.translation, s.faces, projected, size, size, mask,
                    options);
    benchmark::DoNotOptimize(mask.data());
  }
}
BENCHMARK_CAPTURE(silhouette, all_faces, cull_mode::none)
    ->Arg(64)
    ->Arg(256)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(silhouette, front_faces, cull_mode::back)
    ->Arg(64)
    ->Arg(256)
    ->Unit(benchmark::kMicrosecond);

/// Eight bodies on so many threads, a body a task.
void silhouettes_of_eight(benchmark::State& state) {
  constexpr std::size_t count = 8;
  constexpr std::int32_t size = 256;
  const scene s = upright(size);
  if (s.vertices.empty()) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  std::vector<float> vertices;
  for (std::size_t i = 0; i < count; ++i) {
    vertices.insert(vertices.end(), s.vertices.begin(), s.vertices.end());
  }
  const std::vector<vec3<double>> translations(count, s.translation);
  std::vector<float> projected(vertices.size());
  std::vector<std::uint8_t> masks(count * size * size);
  thread_pool pool(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) {
    draw_silhouettes(s.view, vertices, translations, s.faces, projected, size, size, masks,
                     {.cull = cull_mode::back}, {pool});
    benchmark::DoNotOptimize(masks.data());
  }
}
BENCHMARK(silhouettes_of_eight)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void shaded_picture(benchmark::State& state) {
  const auto size = static_cast<int>(state.range(0));
  const scene s = upright(size);
  if (s.vertices.empty()) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  std::vector<std::uint8_t> pixels(3 * static_cast<std::size_t>(size * size));
  const canvas picture{pixels, size, size};
  shading_workspace workspace;
  for (auto _ : state) {
    draw_mesh(picture, s.view, s.vertices, s.translation, s.faces, {}, workspace);
    benchmark::DoNotOptimize(pixels.data());
  }
}
BENCHMARK(shaded_picture)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);

void translation_by_extent(benchmark::State& state) {
  const scene s = upright(256);
  if (s.vertices.empty()) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(translation_from_extent(s.view, s.vertices, {{60, 20, 190, 240}}));
  }
}
BENCHMARK(translation_by_extent)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
