// SPDX-License-Identifier: Apache-2.0
// The fit against an independent energy and scipy's minimiser: see make_fit_goldens.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "maquette/fit/refine.hpp"
#include "maquette/io/body_npz.hpp"

using namespace maquette;

namespace {

std::vector<double> read(const char* key) {
  static const result<npz> archive =
      npz::open(std::string(MAQUETTE_SOURCE_DIR) + "/tests/golden/data/fit.npz");
  REQUIRE(archive);
  const result<npy_array> array = archive->read(key);
  REQUIRE(array);
  result<std::vector<double>> values = array->values<double>();
  REQUIRE(values);
  return *values;
}

}  // namespace

TEST_CASE("the fit's cost is that of another implementation, and it comes down as far") {
  const std::string source = MAQUETTE_SOURCE_DIR;
  const result<body_model> body = load_body<float>(source + "/weights/body.npz");
  REQUIRE(body);
  const auto floats = [&](const char* key) {
    const std::vector<double> values = read(key);
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> beta = floats("beta");
  const std::vector<float> start = floats("start");
  const std::vector<float> seen = floats("seen");
  const std::vector<double> before = read("cost_before");
  const std::vector<double> after = read("cost_after");
  const std::vector<double> dense_after = read("dense_cost_after");
  const std::vector<double> dense = read("precision");
  const std::vector<double> centre = read("centre");
  const camera view{read("focal")[0], centre[0], centre[1]};
  const double pixel = read("pixel")[0];
  REQUIRE(before.size() >= 4);
  REQUIRE(dense.size() == pose_precision_size);

  const joint_moments moments(*body);
  refine_workspace workspace(moments);
  refine_options options;
  options.sigma = 30;
  options.anchor = 2.4;
  options.most_iterations = 60;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto row = [i](const std::vector<float>& values, std::size_t width) {
      return std::span<const float>(values).subspan(i * width, width);
    };
    const auto first = row(start, 75);
    const auto least = [&](pose_precision precision) {
      std::vector<float> theta(first.begin(), first.begin() + 72);
      vec3<double> translation{double{first[72]}, double{first[73]}, double{first[74]}};
      const refine_summary done = refine_pose(moments, row(beta, 10), view, row(seen, 48), pixel,
                                              theta, translation, workspace, options, precision);
      CAPTURE(done.iterations);
      CHECK(done.cost_before == doctest::Approx(before[i]).epsilon(1e-4));
      return done.cost_after;
    };
    CAPTURE(i);
    // Levenberg-Marquardt without the blend shapes' derivatives stops a little above the minimum;
    // where the robust cost has several, it may end in a lower one than BFGS.
    CHECK(least(typical_pose_precision) < 1.02 * after[i]);
    CHECK(least(pose_precision(dense)) < 1.02 * dense_after[i]);
  }
}

TEST_CASE("the anchor's energy and gradient under a dense precision are another implementation's") {
  const std::vector<double> start = read("start");
  const std::vector<double> turns = read("turns");
  const std::vector<double> energy = read("anchored");
  const std::vector<double> gradient = read("gradient");
  const std::vector<double> precision = read("precision");
  refine_options options;
  options.anchor = 2.4;
  fit_equations equations;
  for (std::size_t i = 0; i < energy.size(); ++i) {
    detail::fit_state first{{}, {0, 0, 1}};
    for (std::size_t j = 0; j < smpl24::count; ++j) {
      const double* const r = start.data() + 75 * i + 3 * j;
      first.rotations[j] = rodrigues(vec3<double>{r[0], r[1], r[2]});
    }
    std::vector<double> step(fit_unknowns);
    std::copy_n(turns.begin() + static_cast<std::ptrdiff_t>(72 * i), 72, step.begin());
    const detail::fit_state moved = detail::moved_by(first, step);
    equations.clear();
    const double found =
        detail::add_anchor(first, moved, pose_precision(precision), options, equations);
    CHECK(found == doctest::Approx(energy[i]).epsilon(1e-9));
    for (std::size_t k = 0; k < 72; ++k)  // of half the energy, as the equations take it
      CHECK(std::abs(2 * equations.gradient[k] - gradient[72 * i + k]) < 1e-6 * energy[i]);
  }
}
