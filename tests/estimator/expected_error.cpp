// SPDX-License-Identifier: Apache-2.0
#include "maquette/estimator/expected_error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "../support/weights_file.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/safetensors.hpp"

using namespace maquette;

namespace {

const std::vector<float> numbers{1.0F, -0.7F, -1.1F, -1.0F};

synthetic::weights_file weights_with(const std::vector<float>& values, tensor_shape shape) {
  synthetic::weights_file file = synthetic::complete_weights(true);
  file.tensors["pose_error.expected"] = {shape, values};
  return file;
}

estimator loaded(const synthetic::weights_file& file) {
  const auto body = read_file(MAQUETTE_SOURCE_DIR "/weights/body.npz");
  REQUIRE(body);
  result<estimator> person = estimator::load(file.bytes(), *body, {.self_test = false});
  REQUIRE(person);
  return std::move(person).value();
}

/// A crop in which all joints lie on a line, each seen with this confidence, on nothing but body.
crop_reading reading_of(float confidence) {
  crop_reading reading;
  reading.crop = {40, 20, 160};
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    reading.joints[3 * j + 1] = 0.7F - 0.08F * static_cast<float>(j);
    reading.joints[3 * j + 2] = confidence;
  }
  reading.body.fill(1);
  return reading;
}

estimate body_of(const estimator& person, const crop_reading& reading) {
  estimator::workspace_type memory = person.make_workspace();
  estimate out;
  REQUIRE(person.from_reading(reading, 300, 200, {.flip_average = false}, memory, out));
  return out;
}

}  // namespace

TEST_CASE("the root's sureness is the mean length of its two columns") {
  std::array<float, 144> columns{3, 0, -4, 0, 12, 0};
  columns[6] = 100;
  CHECK(root_sureness(columns) == 8.5F);
}

TEST_CASE("the expected error is the curve's, and never above that of who is not seen") {
  // By numpy in float64.
  const error_curve curve{numbers[0], numbers[1], numbers[2], numbers[3]};
  CHECK(curve.expected(30, 0.8F) == doctest::Approx(0.1042630582).epsilon(1e-5));
  CHECK(curve.expected(55, 1) == doctest::Approx(0.0547414969).epsilon(1e-5));
  for (const float sureness : {4.0F, 0.0F})
    CHECK(curve.expected(sureness, 0.1F) == doctest::Approx(0.3678794412).epsilon(1e-6));
  CHECK(curve.expected_unseen() == doctest::Approx(0.3678794412).epsilon(1e-6));
}

TEST_CASE("an estimate says how far off it may be, by the weights' curve") {
  const estimator person = loaded(weights_with(numbers, tensor_shape{4}));
  const crop_reading seen = reading_of(0.8F);
  const estimate found = body_of(person, seen);
  REQUIRE(found.expected_error);

  std::array<float, pose_prior<>::pose_shape::size> columns{};
  workspace memory(pose_prior<>::workspace_bytes);
  const context<cpu> here{cpu{}, memory.scratch()};
  person.nets().pose(here, view<const float, pose_prior<>::input_shape>(seen.joints.data()),
                     view<float, pose_prior<>::pose_shape>(columns.data()));
  const double length = (std::hypot(columns[0], columns[1], columns[2]) +
                         std::hypot(columns[3], columns[4], columns[5])) /
                        2;
  CHECK(found.score == doctest::Approx(0.8));
  CHECK(*found.expected_error ==
        doctest::Approx(std::exp(std::min(1 - 0.7 * std::log(length) - 1.1 * 0.8, -1.0))));

  const estimate unseen = body_of(person, reading_of(0));
  REQUIRE(unseen.expected_error);
  CHECK(*unseen.expected_error == doctest::Approx(std::exp(-1.0)));
}

TEST_CASE("weights without a curve say nothing of the error") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  CHECK(!body_of(loaded(file), reading_of(0.8F)).expected_error);
  CHECK(!body_of(loaded(file), reading_of(0)).expected_error);
}

TEST_CASE("what is no curve of errors is refused with a sentence") {
  const auto body = read_file(MAQUETTE_SOURCE_DIR "/weights/body.npz");
  REQUIRE(body);
  const auto refused = [&](const std::vector<float>& values, tensor_shape shape) {
    const auto person =
        estimator::load(weights_with(values, shape).bytes(), *body, {.self_test = false});
    REQUIRE(!person);
    CHECK(person.error().code == errc::mismatch);
    CHECK(person.error().message ==
          "weights in memory: expected the tensor pose_error.expected to be 4 numbers from -20 to "
          "20, the second and third not above 0, found others");
  };
  refused({1, -1, -1}, tensor_shape{3});
  refused(numbers, tensor_shape(2, 2));
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<float> values = numbers;
    for (const float wrong : {20.5F, -1e30F}) {
      values[i] = wrong;
      refused(values, tensor_shape{4});
    }
  }
  refused({1, 0.1F, -1, -1}, tensor_shape{4});
  refused({1, -1, 0.1F, -1}, tensor_shape{4});
}

TEST_CASE("the shipped weights say how far off a body may be") {
  const std::string source = MAQUETTE_SOURCE_DIR;
  const result<estimator> person =
      estimator::load(source + "/weights/maquette.safetensors", source + "/weights/body.npz");
  REQUIRE(person);
  REQUIRE(person->nets().errors);
  const error_curve& curve = *person->nets().errors;
  CHECK(curve.expected(50, 1) < 0.15F);
  CHECK(curve.expected(50, 1) < curve.expected(20, 0.5F));
  CHECK(curve.expected_unseen() > 0.2F);
}
