// SPDX-License-Identifier: Apache-2.0
// One forward pass of SMPL beside the same arithmetic in Eigen. To compare them on a machine that
// is not quiet: --benchmark_enable_random_interleaving=true --benchmark_repetitions=9.
#include "maquette/body/smpl.hpp"

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <random>
#include <string>
#include <vector>

#include "maquette/body/packed_body.hpp"
#include "maquette/io/body_npz.hpp"

namespace {

using namespace maquette;

/// The default body, or one whose pose directions are nowhere zero, which costs the most.
enum class kind { shipped, dense };

const body_model& body(kind wanted) {
  static const auto load = [](kind which) {
    result<body_model> model = load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
    if (!model) return body_model{};
    std::mt19937 random(2);
    std::normal_distribution<float> normal(0, 1e-4F);
    if (which == kind::dense) {
      for (float& d : model->posedirs) d += normal(random);
    }
    return std::move(*model);
  };
  static const body_model shipped = load(kind::shipped);
  static const body_model dense = load(kind::dense);
  return wanted == kind::shipped ? shipped : dense;
}

struct numbers {
  std::vector<float> beta = std::vector<float>(10);
  std::vector<float> theta = std::vector<float>(72);
};

numbers draw(std::size_t bent, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  numbers n;
  for (float& b : n.beta) b = normal(random);
  for (std::size_t i = 0; i < 3 * bent; ++i) n.theta[i] = 0.3F * normal(random);
  return n;
}

void bodies_a_call(benchmark::internal::Benchmark* run) {
  run->ArgName("bodies")->Arg(1)->Arg(4)->Arg(32)->Unit(benchmark::kMicrosecond);
}

/// The time of one body of so many a call.
benchmark::Counter a_body(std::int64_t count) {
  return {static_cast<double>(count),
          benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert};
}

/// The argument says how many of the 24 joints are bent.
void smpl_forward(benchmark::State& state, kind wanted) {
  const body_model& model = body(wanted);
  if (model.vertex_count == 0) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  const numbers n = draw(static_cast<std::size_t>(state.range(0)));
  std::vector<float> joints(72), vertices(3 * model.vertex_count);
  smpl_workspace workspace(model);
  for (auto _ : state) {
    smpl<float>(model, {n.beta, n.theta, {}}, workspace, vertices, joints);
    benchmark::DoNotOptimize(vertices.data());
  }
}
BENCHMARK_CAPTURE(smpl_forward, shipped, kind::shipped)
    ->Arg(24)
    ->Arg(0)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(smpl_forward, dense, kind::dense)->Arg(24)->Unit(benchmark::kMicrosecond);

/// Of a packed body: so many bodies a call, each with its own pose.
template <class Stored, kind Wanted>
void packed_forward(benchmark::State& state) {
  const body_model& model = body(Wanted);
  if (model.vertex_count == 0) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  const auto count = static_cast<std::size_t>(state.range(0));
  const packed_body<Stored> packed(model);
  std::vector<numbers> drawn;
  for (std::size_t i = 0; i < count; ++i) drawn.push_back(draw(24, static_cast<unsigned>(i + 1)));
  std::vector<smpl_parameters> bodies;
  for (const numbers& n : drawn) bodies.push_back({n.beta, n.theta, {}});
  std::vector<float> joints(72 * count), vertices(3 * model.vertex_count * count);
  smpl_batch_workspace workspace;
  for (auto _ : state) {
    smpl_batch(packed, bodies, workspace, vertices, joints);
    benchmark::DoNotOptimize(vertices.data());
  }
  state.counters["a_body"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate |
                                                         benchmark::Counter::kInvert);
  state.counters["MB"] = static_cast<double>(packed.bytes()) * 1e-6;
}
BENCHMARK_TEMPLATE(packed_forward, float, kind::shipped)->Apply(bodies_a_call);
BENCHMARK_TEMPLATE(packed_forward, bfloat16, kind::shipped)->Apply(bodies_a_call);
BENCHMARK_TEMPLATE(packed_forward, float, kind::dense)->Apply(bodies_a_call);
BENCHMARK_TEMPLATE(packed_forward, bfloat16, kind::dense)->Apply(bodies_a_call);

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The peer: all blend shapes as one product with [3 V, 217], the transforms as a sparse one with
/// [V, 24]. The joints' transforms are given to it, so it has a little less to do.
struct eigen_body {
  Eigen::VectorXf rest;
  Eigen::MatrixXf directions;
  Eigen::VectorXf coefficients = Eigen::VectorXf(217);
  row_major transforms = row_major(24, 12);
  Eigen::SparseMatrix<float, Eigen::RowMajor> weights;
  row_major expected;  ///< what the library makes of the same numbers

  eigen_body() {
    const body_model& model = body(kind::shipped);
    const auto count = static_cast<Eigen::Index>(model.vertex_count);
    const numbers n = draw(24);
    std::vector<float> joints(72), vertices(3 * model.vertex_count);
    smpl_workspace workspace(model);
    smpl<float>(model, {n.beta, n.theta, {}}, workspace, vertices, joints);
    expected = Eigen::Map<const row_major>(vertices.data(), count, 3);

    rest = Eigen::Map<const Eigen::VectorXf>(model.v_template.data(), 3 * count);
    directions.resize(3 * count, 217);
    directions << Eigen::Map<const Eigen::MatrixXf>(model.shapedirs.data(), 3 * count, 10),
        Eigen::Map<const Eigen::MatrixXf>(model.posedirs.data(), 3 * count, 207);
    for (std::size_t b = 0; b < 10; ++b) coefficients[static_cast<Eigen::Index>(b)] = n.beta[b];
    for (std::size_t j = 0; j < 24; ++j) {
      const auto row = static_cast<Eigen::Index>(j);
      for (std::size_t k = 0; k < 9 && j > 0; ++k) {
        coefficients[static_cast<Eigen::Index>(10 + 9 * (j - 1) + k)] =
            workspace.rotations[j].m[k] - (k % 4 == 0 ? 1.0F : 0.0F);
      }
      for (Eigen::Index i = 0; i < 12; ++i) {
        transforms(row, i) = workspace.transforms[16 * j + 4 * static_cast<std::size_t>(i % 4) +
                                                  static_cast<std::size_t>(i / 4)];
      }
    }
    std::vector<Eigen::Triplet<float>> entries;
    for (std::size_t i = 0; i < model.skin_weight.size(); ++i) {
      if (model.skin_weight[i] == 0) continue;
      entries.emplace_back(static_cast<int>(i / model.influences), model.skin_joint[i],
                           model.skin_weight[i]);
    }
    weights.resize(count, 24);
    weights.setFromTriplets(entries.begin(), entries.end());
  }

  void skin(const float* blended, row_major& of_vertex, row_major& out) const {
    of_vertex.noalias() = weights * transforms;
    for (Eigen::Index v = 0; v < out.rows(); ++v) {
      const Eigen::Map<const Eigen::Matrix<float, 3, 4, Eigen::RowMajor>> g(of_vertex.data() +
                                                                            12 * v);
      const Eigen::Map<const Eigen::Vector3f> p(blended + 3 * v);
      out.row(v) = (g.leftCols<3>() * p + g.col(3)).transpose();
    }
  }
};

void eigen_forward(benchmark::State& state) {
  if (body(kind::shipped).vertex_count == 0) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  const eigen_body peer;
  Eigen::VectorXf blended(peer.rest.size());
  row_major of_vertex(peer.weights.rows(), 12), out(peer.weights.rows(), 3);
  for (auto _ : state) {
    blended = peer.rest;
    blended.noalias() += peer.directions * peer.coefficients;
    peer.skin(blended.data(), of_vertex, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["difference_m"] = static_cast<double>((out - peer.expected).cwiseAbs().maxCoeff());
}
BENCHMARK(eigen_forward)->Unit(benchmark::kMicrosecond);

/// Of several bodies the blend shapes are one product of matrices.
void eigen_batch(benchmark::State& state) {
  if (body(kind::shipped).vertex_count == 0) {
    state.SkipWithError("weights/body.npz cannot be loaded");
    return;
  }
  const eigen_body peer;
  const Eigen::MatrixXf coefficients = peer.coefficients.replicate(1, state.range(0));
  Eigen::MatrixXf blended(peer.rest.size(), coefficients.cols());
  row_major of_vertex(peer.weights.rows(), 12);
  std::vector<row_major> out(static_cast<std::size_t>(state.range(0)),
                             row_major(peer.weights.rows(), 3));
  for (auto _ : state) {
    blended.colwise() = peer.rest;
    blended.noalias() += peer.directions * coefficients;
    for (std::size_t i = 0; i < out.size(); ++i) {
      peer.skin(blended.col(static_cast<Eigen::Index>(i)).data(), of_vertex, out[i]);
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["difference_m"] =
      static_cast<double>((out.back() - peer.expected).cwiseAbs().maxCoeff());
  state.counters["a_body"] = a_body(state.range(0));
}
BENCHMARK(eigen_batch)->ArgName("bodies")->Arg(4)->Arg(32)->Unit(benchmark::kMicrosecond);

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
