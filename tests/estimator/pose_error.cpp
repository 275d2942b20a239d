// SPDX-License-Identifier: Apache-2.0
#include "maquette/estimator/pose_error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/weights_file.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/io/safetensors_writer.hpp"

using namespace maquette;

namespace {

constexpr std::size_t size = 72;

std::vector<float> scaled_identity(float scale) {
  std::vector<float> matrix(size * size);
  for (std::size_t i = 0; i < size; ++i) matrix[(size + 1) * i] = scale;
  return matrix;
}

/// What is read of a file that holds this tensor alone.
result<std::vector<double>> read_back(const std::vector<float>& values, tensor_shape shape) {
  const std::vector<safetensors_entry> entries{to_entry({"pose_error.precision", shape, values})};
  const result<std::vector<std::byte>> bytes = encode_safetensors(entries, {});
  REQUIRE(bytes);
  const result<safetensors> file = safetensors::parse(*bytes, "some.safetensors");
  REQUIRE(file);
  return load_pose_precision(float_tensors(*file), file->origin());
}

std::string refusal(const std::vector<float>& values,
                    tensor_shape shape = tensor_shape(size, size)) {
  const result<std::vector<double>> found = read_back(values, shape);
  REQUIRE(!found);
  CHECK(found.error().code == errc::mismatch);
  CHECK(found.error().message.starts_with(
      "some.safetensors: expected the tensor pose_error.precision to be "));
  return found.error().message;
}

bool mentions(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

}  // namespace

TEST_CASE("a precision is read as it stands in the file") {
  std::vector<float> values = scaled_identity(30);
  values[3 * size + 7] = values[7 * size + 3] = -12.5F;
  const result<std::vector<double>> found = read_back(values, tensor_shape(size, size));
  REQUIRE(found);
  CHECK(std::equal(found->begin(), found->end(), values.begin(), values.end(),
                   [](double a, float b) { return a == double{b}; }));
}

TEST_CASE("a file without a precision gives the typical one") {
  const result<std::vector<std::byte>> bytes = encode_safetensors({}, {});
  REQUIRE(bytes);
  const result<safetensors> file = safetensors::parse(*bytes, "some.safetensors");
  REQUIRE(file);
  const result<std::vector<double>> found = load_pose_precision(float_tensors(*file), "some");
  REQUIRE(found);
  CHECK(std::equal(found->begin(), found->end(), typical_pose_precision.begin(),
                   typical_pose_precision.end()));
}

TEST_CASE("what is no precision is refused with a sentence") {
  CHECK(mentions(refusal(std::vector<float>(72), tensor_shape(72)),
                 "of the shape [72, 72], found [72]"));
  CHECK(
      mentions(refusal(std::vector<float>(72 * 71, 1.0F), tensor_shape(72, 71)), "found [72, 71]"));
  CHECK(mentions(refusal(scaled_identity(1), tensor_shape(24, 3, 24, 3)), "found [24, 3, 24, 3]"));
  CHECK(mentions(refusal({}, tensor_shape(0, 72)), "found [0, 72]"));

  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> broken = scaled_identity(5);
    broken[2 * size + 71] = value;
    CHECK(mentions(refusal(broken), "finite, found "));
    CHECK(mentions(refusal(broken), "at [2, 71]"));
  }

  std::vector<float> lopsided = scaled_identity(5);
  lopsided[9 * size + 4] = 0.5F;
  CHECK(mentions(refusal(lopsided), "symmetric, found 0.500000 at [9, 4] and 0.000000 at [4, 9]"));

  CHECK(mentions(refusal(std::vector<float>(size * size)), "positive definite"));
  CHECK(mentions(refusal(std::vector<float>(size * size, 1.0F)), "positive definite"));
  CHECK(mentions(refusal(scaled_identity(-1)), "positive definite"));
  std::vector<float> indefinite = scaled_identity(5);
  indefinite[1] = indefinite[size] = 6;
  CHECK(mentions(refusal(indefinite), "positive definite"));
}

TEST_CASE("a weights file's precision holds the estimator's fit") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  const auto body = [](const synthetic::weights_file& weights, bool refine) {
    const result<estimator> person = estimator::load(
        weights.bytes(), *read_file(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz"),
        {.self_test = false});
    REQUIRE(person);
    crop_reading seen;
    seen.crop = {0, 0, 256};
    std::mt19937 random(2);
    std::uniform_real_distribution<float> within(-0.7F, 0.7F);
    for (std::size_t j = 0; j < 16; ++j) {
      seen.joints[3 * j] = within(random);
      seen.joints[3 * j + 1] = within(random);
      seen.joints[3 * j + 2] = 1;
    }
    auto memory = person->make_workspace();
    estimate found;
    REQUIRE(person->from_reading(seen, 256, 256, {.refine = refine}, memory, found));
    return found.theta;
  };
  const auto distance = [](const auto& a, const auto& b) {
    float largest = 0;
    for (std::size_t i = 3; i < 72; ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
  };
  const auto network = body(file, false);
  CHECK(distance(body(file, true), network) > 0.05F);
  file.tensors["pose_error.precision"] = {tensor_shape(size, size), scaled_identity(1e9F)};
  CHECK(distance(body(file, true), network) < 1e-3F);

  file.tensors["pose_error.precision"].values[1] = 3;
  const std::vector<std::byte> bytes = file.bytes();
  const result<safetensors> parsed = safetensors::parse(bytes, "some.safetensors");
  REQUIRE(parsed);
  const auto refused = load_networks<compact_human2d>(*parsed, false);
  REQUIRE(!refused);
  CHECK(mentions(refused.error().message, "some.safetensors: expected the tensor pose_error.pre"));
}

TEST_CASE("the shipped weights say how their PosePrior errs") {
  const std::string source = MAQUETTE_SOURCE_DIR;
  const result<estimator> loaded =
      estimator::load(source + "/weights/maquette.safetensors", source + "/weights/body.npz");
  REQUIRE(loaded);
  const std::vector<double>& precision = loaded->nets().precision;
  REQUIRE(precision.size() == size * size);
  CHECK(std::abs(precision[3]) > 1);  // the pelvis' and the left hip's bend
}
