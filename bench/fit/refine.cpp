// SPDX-License-Identifier: Apache-2.0
#include "maquette/fit/refine.hpp"

#include <benchmark/benchmark.h>

#include <Eigen/Dense>
#include <random>
#include <string>
#include <vector>

#include "maquette/io/body_npz.hpp"

namespace {

using namespace maquette;

/// One fit from a pose that is off by 0.3 rad a joint; the argument is the most iterations.
void refine(benchmark::State& state) {
  const result<body_model> model =
      load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  if (!model) {
    state.SkipWithError(model.error().message.c_str());
    return;
  }
  const joint_moments moments(*model);
  refine_workspace workspace(moments);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> beta(10), start(72), seen;
  for (float& value : beta) value = normal(random);
  for (float& value : start) value = 0.3F * normal(random);
  start[0] += 3.1F;
  for (std::size_t m = 0; m < 16; ++m) {
    const auto row = static_cast<float>(m);
    seen.insert(seen.end(), {128 + 30 * normal(random), 40 + 12 * row, 1});
  }
  refine_options options;
  options.most_iterations = static_cast<int>(state.range(0));
  options.least_decrease = 0;
  int iterations = 0;
  for (auto _ : state) {
    std::vector<float> theta = start;
    vec3<double> translation{0, 0, 45};
    iterations =
        refine_pose(moments, beta, {}, seen, 1, theta, translation, workspace, options).iterations;
    benchmark::DoNotOptimize(theta.data());
  }
  state.counters["iterations"] = iterations;
}
BENCHMARK(refine)->Arg(0)->Arg(1)->Arg(15)->Unit(benchmark::kMicrosecond);

Eigen::MatrixXd positive_definite() {
  const Eigen::MatrixXd half = Eigen::MatrixXd::Random(fit_unknowns, fit_unknowns);
  return half * half.transpose() + Eigen::MatrixXd::Identity(fit_unknowns, fit_unknowns);
}

void cholesky_ours(benchmark::State& state) {
  const Eigen::MatrixXd a = positive_definite();
  const std::vector<double> matrix(a.data(), a.data() + a.size());
  std::vector<double> work(matrix.size());
  std::vector<double> x(fit_unknowns, 1.0);
  for (auto _ : state) {
    work = matrix;
    benchmark::DoNotOptimize(cholesky_solve(work, x));
  }
}
BENCHMARK(cholesky_ours)->Unit(benchmark::kMicrosecond);

void cholesky_eigen(benchmark::State& state) {
  const Eigen::MatrixXd a = positive_definite();
  Eigen::VectorXd x = Eigen::VectorXd::Ones(fit_unknowns);
  Eigen::LLT<Eigen::MatrixXd> factor(fit_unknowns);
  for (auto _ : state) {
    factor.compute(a);
    factor.solveInPlace(x);
    benchmark::DoNotOptimize(x.data());
  }
}
BENCHMARK(cholesky_eigen)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
