// SPDX-License-Identifier: Apache-2.0
// The fit against an independent energy and scipy's minimiser: see make_fit_goldens.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "maquette/fit/refine.hpp"
#include "maquette/io/body_npz.hpp"

using namespace maquette;

TEST_CASE("the fit's cost is that of another implementation, and it comes down as far") {
  const std::string source = MAQUETTE_SOURCE_DIR;
  const result<body_model> body = load_body<float>(source + "/weights/body.npz");
  REQUIRE(body);
  const result<npz> archive = npz::open(source + "/tests/golden/data/fit.npz");
  REQUIRE(archive);
  const auto read = [&](const char* key) {
    const result<npy_array> array = archive->read(key);
    REQUIRE(array);
    result<std::vector<double>> values = array->values<double>();
    REQUIRE(values);
    return *values;
  };
  const auto floats = [&](const char* key) {
    const std::vector<double> values = read(key);
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> beta = floats("beta");
  const std::vector<float> start = floats("start");
  const std::vector<float> seen = floats("seen");
  const std::vector<double> before = read("cost_before");
  const std::vector<double> after = read("cost_after");
  const std::vector<double> centre = read("centre");
  const camera view{read("focal")[0], centre[0], centre[1]};
  const double pixel = read("pixel")[0];
  REQUIRE(before.size() >= 4);

  const joint_moments moments(*body);
  refine_workspace workspace(moments);
  refine_options options;
  options.sigma = 30;
  options.anchor = 12;
  options.most_iterations = 60;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto row = [i](const std::vector<float>& values, std::size_t width) {
      return std::span<const float>(values).subspan(i * width, width);
    };
    const auto first = row(start, 75);
    std::vector<float> theta(first.begin(), first.begin() + 72);
    vec3<double> translation{double{first[72]}, double{first[73]}, double{first[74]}};
    const refine_summary done = refine_pose(moments, row(beta, 10), view, row(seen, 48), pixel,
                                            theta, translation, workspace, options);
    CAPTURE(i);
    CAPTURE(done.iterations);
    CHECK(done.cost_before == doctest::Approx(before[i]).epsilon(1e-4));
    // Levenberg-Marquardt without the blend shapes' derivatives stops a little above the minimum;
    // where the robust cost has several, it may end in a lower one than BFGS.
    CHECK(done.cost_after < 1.02 * after[i]);
  }
}
