// SPDX-License-Identifier: Apache-2.0
// People who are not upright: what is turned, and that the shipped weights see it.
#include "maquette/estimator/turn.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../support/weights_file.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/image.hpp"

using namespace maquette;

namespace {

const std::string source = MAQUETTE_SOURCE_DIR;

/// A picture turned a quarter counter-clockwise.
image turned(const image& photo) {
  image out{photo.height, photo.width, std::vector<std::uint8_t>(photo.pixels.size())};
  const auto width = static_cast<std::size_t>(photo.width);
  const auto height = static_cast<std::size_t>(photo.height);
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      std::copy_n(photo.pixels.data() + 3 * (y * width + x), 3,
                  out.pixels.data() + 3 * ((width - 1 - x) * height + y));
  return out;
}

/// Joints [16, 3] of a photo of this width as they lie in the photo turned a quarter
/// counter-clockwise.
std::array<float, 48> turned(std::array<float, 48> joints, float width) {
  for (std::size_t j = 0; j < 16; ++j) {
    const float x = joints[3 * j];
    joints[3 * j] = joints[3 * j + 1];
    joints[3 * j + 1] = width - x;
  }
  return joints;
}

/// A picture [256, 256] of README's, from its third row: somebody upright who holds up a hand.
image upright_person() {
  const result<image> sheet = read_image(source + "/docs/images/readme.jpg");
  REQUIRE(sheet);
  constexpr std::int32_t side = 256;
  image photo{side, side, {}};
  for (std::int32_t y = 0; y < side; ++y) {
    const auto row = sheet->pixels.begin() + 3 * ((524 + y) * sheet->width);
    photo.pixels.insert(photo.pixels.end(), row, row + 3 * side);
  }
  return photo;
}

/// How far a joint is from where it should be, in torsos, at its median over the joints.
double median_error(const std::array<float, 48>& found, const std::array<float, 48>& expected) {
  const auto apart = [](const float* a, const float* b) {
    return std::hypot(double{a[0]} - double{b[0]}, double{a[1]} - double{b[1]});
  };
  const double torso =
      apart(expected.data() + 3 * mpii16::r_hip, expected.data() + 3 * mpii16::l_shoulder);
  std::array<double, 16> errors;
  for (std::size_t j = 0; j < 16; ++j)
    errors[j] = apart(found.data() + 3 * j, expected.data() + 3 * j) / torso;
  std::nth_element(errors.begin(), errors.begin() + 8, errors.end());
  return errors[8];
}

}  // namespace

TEST_CASE("a quarter turn brings what is at the right to the top") {
  // numpy.rot90([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), with a second channel of ten times as much.
  std::vector<float> odd{1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60, 7, 70, 8, 80, 9, 90};
  turn_quarter(odd, 3, 2);
  CHECK(odd == std::vector<float>{3, 30, 6, 60, 9, 90, 2, 20, 5, 50, 8, 80, 1, 10, 4, 40, 7, 70});
  std::vector<float> even{1, 2, 3, 4};
  turn_quarter(even, 2, 1);
  CHECK(even == std::vector<float>{2, 4, 1, 3});
  std::vector<float> one{7};
  turn_quarter(one, 1, 1);
  CHECK(one == std::vector<float>{7});
}

TEST_CASE("joints turn with the silhouette, and four quarters are none") {
  crop_reading reading;
  for (std::size_t j = 0; j < 16; ++j) {
    reading.joints[3 * j] = static_cast<float>(j) / 16 - 0.49F;
    reading.joints[3 * j + 1] = 0.37F - static_cast<float>(j * j) / 256;
    reading.joints[3 * j + 2] = 0.5F;
    const auto [x, y] = detail::joint_cell(reading, j);
    reading.body[static_cast<std::size_t>(64 * y + x)] = static_cast<float>(j + 1);
  }
  crop_reading around = reading;
  for (int quarter = 0; quarter < 4; ++quarter) {
    turn_quarter(around);
    for (std::size_t j = 0; j < 16; ++j) {
      const auto [x, y] = detail::joint_cell(around, j);
      CHECK(around.body[static_cast<std::size_t>(64 * y + x)] == static_cast<float>(j + 1));
    }
  }
  CHECK(around.body == reading.body);
  CHECK(around.joints == reading.joints);
}

TEST_CASE("a person is brought to upright from wherever the head points, if both ends are seen") {
  // By the hour to which the head points: turned counter-clockwise, three takes one quarter to
  // twelve.
  constexpr std::array<int, 12> expected{0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0};
  for (std::size_t hour = 0; hour < 12; ++hour) {
    const double angle = static_cast<double>(hour) * 3.14159265358979 / 6;
    crop_reading reading;
    const auto see = [&](std::size_t joint, double along) {
      reading.joints[3 * joint] = static_cast<float>(0.2 + along * std::sin(angle));
      reading.joints[3 * joint + 1] = static_cast<float>(0.1 - along * std::cos(angle));
      reading.joints[3 * joint + 2] = 0.7F;
    };
    see(mpii16::l_hip, -0.2);
    CHECK(quarters_to_upright(reading) == 0);
    see(mpii16::upper_neck, 0.3);
    CAPTURE(hour);
    CHECK(quarters_to_upright(reading) == expected[hour]);
  }
}

TEST_CASE("who bends over upright legs is upright") {
  crop_reading reading;
  const auto see = [&](std::size_t joint, float x, float y) {
    reading.joints[3 * joint] = x;
    reading.joints[3 * joint + 1] = y;
    reading.joints[3 * joint + 2] = 1;
  };
  see(mpii16::pelvis, 0, 0);
  see(mpii16::thorax, 0.4F, 0);
  CHECK(quarters_to_upright(reading) == 1);
  see(mpii16::l_knee, 0, 0.4F);
  see(mpii16::l_ankle, 0, 0.9F);
  CHECK(quarters_to_upright(reading) == 0);  // 0.4 to the right and 0.43 up
  reading.joints[3 * mpii16::l_ankle + 2] = 0;
  CHECK(quarters_to_upright(reading) == 1);  // 0.2 up
}

TEST_CASE("a reading that is turned gives the same body, turned by as much") {
  const result<estimator> loaded =
      estimator::load(source + "/weights/maquette.safetensors", source + "/weights/body.npz");
  REQUIRE(loaded);
  estimator::workspace_type memory = loaded->make_workspace();
  estimate seen;
  const estimate_options boxed{.box = image_box{26, 26, 230, 230}};
  REQUIRE((*loaded)(upright_person(), boxed, memory, seen));
  const crop_reading upright = memory.reading;
  REQUIRE(quarters_to_upright(upright) == 0);
  for (const bool flip_average : {true, false})
    for (const bool refine : {true, false}) {
      const estimate_options options{.flip_average = flip_average, .refine = refine};
      const auto body_of = [&](const crop_reading& reading) {
        estimate found;
        REQUIRE(loaded->from_reading(reading, 256, 256, options, memory, found));
        for (std::size_t i = 72; i-- > 0;) found.joints_3d[i] -= found.joints_3d[i % 3];
        return found;
      };
      const estimate expected = body_of(upright);
      std::array<float, 72> joints = expected.joints_3d;
      crop_reading reading = upright;
      for (int quarter = 1; quarter < 4; ++quarter) {
        CAPTURE(quarter);
        turn_quarter(reading);
        const estimate found = body_of(reading);
        CHECK(found.beta == expected.beta);
        float pose_error = 0;
        for (std::size_t i = 3; i < 72; ++i)
          pose_error = std::max(pose_error, std::abs(found.theta[i] - expected.theta[i]));
        CHECK(pose_error < 1e-4F);
        float place_error = 0;
        for (std::size_t i = 0; i < 72; i += 3) {
          const float x = joints[i];
          joints[i] = joints[i + 1];
          joints[i + 1] = -x;
          for (std::size_t k = 0; k < 3; ++k)
            place_error = std::max(place_error, std::abs(found.joints_3d[i + k] - joints[i + k]));
        }
        CHECK(place_error < 1e-4F);
      }
    }
}

TEST_CASE("a turned look that is no better than the upright one changes nothing") {
  // Whatever these networks are shown, they see somebody, nowhere clearly.
  synthetic::weights_file file = synthetic::complete_weights(true);
  for (float& value : file.tensors.at("human2d.stacks.1.heatmaps.bias").values) value = 0.3F;
  synthetic::answer_self_test(file);
  const auto body = read_file(source + "/weights/body.npz");
  REQUIRE(body);
  const result<estimator> loaded = estimator::load(file.bytes(), *body);
  REQUIRE(loaded);
  image photo{300, 220, {}};
  for (std::int32_t i = 0; i < 3 * 300 * 220; ++i)
    photo.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  for (const bool boxed : {true, false}) {
    estimate_options options;
    if (boxed) options.box = image_box{40, 20, 200, 200};
    estimator::workspace_type memory = loaded->make_workspace();
    estimate with_turns;
    const result<void> done = (*loaded)(photo, options, memory, with_turns);
    const estimate* const with = done ? &with_turns : nullptr;
    CHECK(!memory.other_reading.coarse);  // a quarter was looked at, and refused
    options.look_turned = false;
    const result<estimate> without = (*loaded)(photo, options);
    REQUIRE(with);
    REQUIRE(without);
    REQUIRE(without->score >= least_person_score);
    REQUIRE(without->score < upright_is_sure);
    CHECK(with->score == without->score);
    CHECK(with->joints == without->joints);
    CHECK(with->silhouette == without->silhouette);
    CHECK(with->theta == without->theta);
  }
}

TEST_CASE("the shipped weights see a person in a photo that is turned") {
  const result<estimator> loaded =
      estimator::load(source + "/weights/maquette.safetensors", source + "/weights/body.npz");
  REQUIRE(loaded);
  image photo = upright_person();
  const estimate_options options{.box = image_box{26, 26, 230, 230}};
  const result<estimate> upright = (*loaded)(photo, options);
  REQUIRE(upright);
  REQUIRE(upright->score > upright_is_sure);
  std::array<float, 48> expected = upright->joints;
  bool sideways_is_turned = false;
  bool upside_down_is_turned = false;
  for (int quarter = 1; quarter < 4; ++quarter) {
    photo = turned(photo);
    expected = turned(expected, 256);
    estimate_options as_it_is = options;
    as_it_is.look_turned = false;
    const result<estimate> unaided = (*loaded)(photo, as_it_is);
    const result<estimate> found = (*loaded)(photo, options);
    REQUIRE(unaided);
    REQUIRE(found);
    if (unaided->score >= upright_is_sure) continue;  // as it is, or so it seems, and kept so
    CHECK(found->score > turned_score_ratio * unaided->score);
    CHECK(median_error(found->joints, expected) < 0.05);
    sideways_is_turned |= quarter != 2;
    if (quarter != 2) continue;
    CHECK(median_error(unaided->joints, expected) > 0.3);
    upside_down_is_turned = true;
    estimate_options once = options;
    once.flip_average = false;
    const result<estimate> seen_once = (*loaded)(photo, once);
    REQUIRE(seen_once);
    CHECK(median_error(seen_once->joints, expected) < 0.15);
    // Where the bar is above what the search sees upright, somebody is found turned alone.
    estimate_options strict;
    strict.look_turned = false;
    const result<estimate> upside_down = (*loaded)(photo, strict);
    REQUIRE(upside_down);
    strict.least_score = 1.2F * upside_down->score;
    const result<estimate> nobody = (*loaded)(photo, strict);
    REQUIRE(!nobody);
    CHECK(nobody.error().code == errc::no_person);
    strict.look_turned = true;
    const result<estimate> somebody = (*loaded)(photo, strict);
    REQUIRE(somebody);
    CHECK(median_error(somebody->joints, expected) < 0.15);
    CHECK(somebody->score > least_turned_score);
  }
  CHECK(sideways_is_turned);
  CHECK(upside_down_is_turned);
}
