// SPDX-License-Identifier: Apache-2.0
// Readings that tell nothing, or nonsense: the body stays finite and says that it is not sure.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "../support/weights_file.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/file.hpp"

using namespace maquette;

namespace {

constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr float no_number = std::numeric_limits<float>::quiet_NaN();

estimator loaded(const synthetic::weights_file& file, bool self_test) {
  const auto body = read_file(MAQUETTE_SOURCE_DIR "/weights/body.npz");
  REQUIRE(body);
  result<estimator> person = estimator::load(file.bytes(), *body, {.self_test = self_test});
  const std::string reason = person ? "" : person.error().message;
  REQUIRE_MESSAGE(person, reason);
  return std::move(person).value();
}

/// Networks that nobody trained, which see a person wherever they look.
const estimator& untrained() {
  static const estimator person = [] {
    synthetic::weights_file file = synthetic::complete_weights(true);
    synthetic::answer_self_test(file);
    return loaded(file, true);
  }();
  return person;
}

/// Nothing seen in a crop of a photo of 300 x 200.
crop_reading nothing() {
  crop_reading reading;
  reading.crop = {40, 20, 160};
  return reading;
}

/// Somebody upright in the middle of the crop.
crop_reading somebody() {
  crop_reading reading = nothing();
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    reading.joints[3 * j] = 0.1F * static_cast<float>(j % 4) - 0.15F;
    reading.joints[3 * j + 1] = 0.7F - 0.08F * static_cast<float>(j);
    reading.joints[3 * j + 2] = 0.8F;
  }
  for (std::size_t y = 8; y < 56; ++y)
    for (std::size_t x = 24; x < 40; ++x) reading.body[64 * y + x] = 0.97F;
  return reading;
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

estimate body_of(const crop_reading& reading, const estimate_options& options = {}) {
  estimator::workspace_type memory = untrained().make_workspace();
  estimate out;
  REQUIRE(untrained().from_reading(reading, 300, 200, options, memory, out));
  return out;
}

void check_finite(const estimate& found) {
  CHECK(all_finite(found.theta));
  CHECK(all_finite(found.beta));
  CHECK(all_finite(found.joints));
  CHECK(all_finite(found.silhouette));
  CHECK(all_finite(found.vertices));
  CHECK(all_finite(found.joints_3d));
  CHECK(all_finite(found.projected_joints));
  CHECK(std::isfinite(found.translation.x));
  CHECK(std::isfinite(found.translation.y));
  CHECK(found.translation.z > 0);
  CHECK(std::isfinite(found.translation.z));
  CHECK((found.score >= 0 && found.score <= 1));
  CHECK(*std::max_element(found.beta.begin(), found.beta.end()) <= 3);
  CHECK(*std::min_element(found.beta.begin(), found.beta.end()) >= -3);
}

/// Somebody of mean shape who stands upright in the middle of the crop, of whom nothing is said to
/// be known.
void check_likeliest(const estimate& found) {
  check_finite(found);
  CHECK(found.theta == standing_pose());
  CHECK(found.beta == std::array<float, 10>{});
  CHECK(found.score == 0);
  for (std::size_t j = 0; j < mpii16::count; ++j) CHECK(found.joints[3 * j + 2] == 0);
  // As tall in the photo as the box, and inside the crop; head above the feet.
  const image_box body = detail::outline(found.view, found.vertices, found.translation).box;
  const image_box box = box_within(found.crop);
  CHECK(body.height() == doctest::Approx(box.height()).epsilon(1e-3));
  CHECK(body.left > box.left);
  CHECK(body.right < box.right);
  CHECK(found.projected_joints[2 * mpii16::head_top + 1] <
        found.projected_joints[2 * mpii16::r_ankle + 1]);
}

}  // namespace

TEST_CASE("who sees nothing gets somebody of mean shape who stands upright in the box") {
  check_likeliest(body_of(nothing()));
}

TEST_CASE("joints that are not numbers or lie far outside the crop are lost") {
  for (const float place : {no_number, infinite, -infinite, 1e30F, -50.0F, 1.1F}) {
    crop_reading reading = nothing();
    for (std::size_t j = 0; j < mpii16::count; ++j) {
      reading.joints[3 * j + j % 2] = place;
      reading.joints[3 * j + 2] = 0.9F;
    }
    check_likeliest(body_of(reading));
  }
  for (const float confidence : {no_number, infinite, -infinite, -1.0F, 0.0F}) {
    crop_reading reading = somebody();
    reading.body.fill(no_number);
    for (std::size_t j = 0; j < mpii16::count; ++j) reading.joints[3 * j + 2] = confidence;
    check_likeliest(body_of(reading));
  }
}

TEST_CASE("one joint lost does not cost the others") {
  const estimate whole = body_of(somebody());
  crop_reading reading = somebody();
  reading.joints[3 * mpii16::l_wrist] = no_number;
  reading.joints[3 * mpii16::r_ankle + 1] = 40;
  const estimate found = body_of(reading);
  check_finite(found);
  CHECK(found.theta != standing_pose());
  CHECK(found.beta == whole.beta);
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    const bool lost = j == mpii16::l_wrist || j == mpii16::r_ankle;
    CHECK(found.joints[3 * j + 2] == (lost ? 0.0F : whole.joints[3 * j + 2]));
  }
}

TEST_CASE("a silhouette of nothing or of everything leaves the mean shape") {
  CHECK(body_of(somebody()).beta != std::array<float, 10>{});
  for (const float everywhere : {0.0F, 1.0F, no_number, infinite, -infinite}) {
    crop_reading reading = somebody();
    reading.body.fill(everywhere);
    const estimate found = body_of(reading, {.refine = false});
    check_finite(found);
    CHECK(found.beta == std::array<float, 10>{});
    CHECK(found.theta == body_of(somebody(), {.refine = false}).theta);
  }
}

TEST_CASE("no nonsense makes a body that is not finite") {
  std::minstd_rand random(7);
  const std::array<float, 10> odd{no_number, infinite, -infinite, 1e30F, -1e30F,
                                  1e-30F,    0.0F,     1.0F,      -1.0F, 3.0F};
  const auto value = [&] {
    return random() % 3 == 0 ? odd[random() % odd.size()]
                             : static_cast<float>(random() % 2001) / 1000 - 1;
  };
  for (int trial = 0; trial < 40; ++trial) {
    crop_reading reading = nothing();
    std::generate(reading.joints.begin(), reading.joints.end(), value);
    std::generate(reading.body.begin(), reading.body.end(), value);
    estimate_options options;
    options.fit.least_confidence = 0;
    if (trial % 3 == 0) options.focal = 350;
    if (trial % 2 == 0) options.box = image_box{-20, 10, 70, 250};
    check_finite(body_of(reading, options));
  }
}

TEST_CASE("a crop that no photo has is refused") {
  estimator::workspace_type memory = untrained().make_workspace();
  estimate out;
  for (const crop_box& crop : {crop_box{0, 0, 0}, crop_box{0, 0, double{no_number}},
                               crop_box{double{infinite}, 0, 10}, crop_box{0, 0, 1e9}}) {
    crop_reading reading = somebody();
    reading.crop = crop;
    CHECK(!untrained().from_reading(reading, 300, 200, {}, memory, out));
  }
  CHECK(!untrained().from_reading(somebody(), 0, 200, {}, memory, out));
  CHECK(!untrained().from_reading(somebody(), 300, 200, {.focal = 0.0}, memory, out));
}

TEST_CASE("a network that overflows finds nobody, and in a box somebody unknown") {
  // A file may hold large numbers, though none that are not finite.
  for (const float scale : {1e38F, -1e38F}) {
    synthetic::weights_file file = synthetic::complete_weights(true);
    for (const char* head : {"heatmaps.weight", "silhouette.weight"})
      for (float& weight : file.tensors.at(std::string("human2d.stacks.1.") + head).values)
        weight = scale;
    const estimator person = loaded(file, false);
    const image photo{80, 100, std::vector<std::uint8_t>(24000, 90)};
    if (scale > 0) {
      const result<estimate> nobody = person(photo);
      REQUIRE(!nobody);
      CHECK(nobody.error().code == errc::no_person);
    }
    const result<estimate> found = person(photo, {.box = image_box{20, 10, 60, 90}});
    REQUIRE(found);
    check_likeliest(*found);
  }
}

TEST_CASE("a shape network that overflows gives a finite shape") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  for (float& weight : file.tensors.at("shape_prior.block.linear1.weight").values) weight = 1e38F;
  estimator::workspace_type memory = loaded(file, false).make_workspace();
  estimate out;
  REQUIRE(loaded(file, false).from_reading(somebody(), 300, 200, {}, memory, out));
  check_finite(out);
}

TEST_CASE("a crop beside the photo gives a box with an area") {
  crop_reading reading = somebody();
  reading.body.fill(1);
  reading.crop = {-400, 0, 256};
  const estimate found = body_of(reading);
  check_finite(found);
  CHECK(found.box.width() > 0);
  CHECK(found.box.height() > 0);
}
