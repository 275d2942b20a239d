// SPDX-License-Identifier: Apache-2.0
// From heat maps to joints and boxes, from photos to crops: everything around the networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "maquette/body/rotation.hpp"
#include "maquette/estimator/calibration.hpp"
#include "maquette/estimator/crop.hpp"
#include "maquette/estimator/decode.hpp"
#include "maquette/estimator/find_person.hpp"
#include "maquette/estimator/mirror.hpp"
#include "maquette/estimator/pose_numbers.hpp"

using namespace maquette;

namespace {

using one_map = shape<1, 64, 64>;

std::array<float, 3> decoded(const std::vector<float>& map,
                             joint_decoding decoding = joint_decoding::quarter_cell) {
  std::array<float, 3> joint{};
  decode_heatmaps(view<const float, one_map>(map.data()), joint, decoding);
  return joint;
}

std::vector<float> gaussian(double x, double y, double peak = 1) {
  std::vector<float> map;
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < 64; ++column) {
      const double dx = column + 0.5 - x;
      const double dy = row + 0.5 - y;
      map.push_back(static_cast<float>(peak * std::exp(-(dx * dx + dy * dy) / (2 * 1.75 * 1.75))));
    }
  return map;
}

/// A person in a photo: a rectangle of body with its joints spread over it, as Human2D would see it
/// in any crop; less sure the less the person's size suits the crop.
struct painted_person {
  image_box box;

  void operator()(const crop_box& crop, crop_reading& reading) const {
    reading.crop = crop;
    const image_point low = photo_to_crop({box.left, box.top}, crop, 64);
    const image_point high = photo_to_crop({box.right, box.bottom}, crop, 64);
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) {
        const bool inside =
            x + 0.5 > low.u && x + 0.5 < high.u && y + 0.5 > low.v && y + 0.5 < high.v;
        reading.body[static_cast<std::size_t>(y * 64 + x)] = inside ? 0.95F : 0.02F;
      }
    const double share = std::max(high.u - low.u, high.v - low.v) / 64;
    const double certainty = std::exp(-8 * std::pow(std::log(share * 1.25), 2));
    for (std::size_t j = 0; j < 16; ++j) {
      const double u = low.u + (high.u - low.u) * (0.1 + 0.8 * static_cast<double>(j % 4) / 3);
      const double v = low.v + (high.v - low.v) * (0.05 + 0.9 * static_cast<double>(j / 4) / 3);
      const bool inside = u > 0 && u < 64 && v > 0 && v < 64;
      reading.joints[3 * j] = static_cast<float>(std::clamp(u / 32 - 1, -0.99, 0.99));
      reading.joints[3 * j + 1] = static_cast<float>(std::clamp(v / 32 - 1, -0.99, 0.99));
      reading.joints[3 * j + 2] = inside ? static_cast<float>(certainty) : 0.05F;
    }
    reading.score = person_score(reading);
  }
};

}  // namespace

TEST_CASE("the score of a reading whose joints are no numbers is a number or none") {
  crop_reading reading{};
  reading.joints.fill(std::numeric_limits<float>::quiet_NaN());
  for (std::size_t j = 0; j < mpii16::count; ++j) reading.joints[3 * j + 2] = 1;
  CHECK(person_score(reading) <= 1);
}

TEST_CASE("a joint is the largest cell, a quarter cell towards the larger neighbour") {
  std::vector<float> map(64 * 64, 0.0F);
  map[10 * 64 + 20] = 0.8F;
  map[10 * 64 + 21] = 0.3F;
  map[9 * 64 + 20] = 0.2F;
  const auto joint = decoded(map);
  CHECK(joint[0] == doctest::Approx((20 + 0.75) / 32 - 1));
  CHECK(joint[1] == doctest::Approx((10 + 0.25) / 32 - 1));
  CHECK(joint[2] == 0.8F);
}

TEST_CASE("equal neighbours leave a joint in the middle of its cell") {
  std::vector<float> map(64 * 64, 0.0F);
  map[10 * 64 + 20] = 1;
  CHECK(decoded(map)[0] == doctest::Approx(20.5 / 32 - 1));
  CHECK(decoded(map)[1] == doctest::Approx(10.5 / 32 - 1));
}

TEST_CASE("beyond the border a heat map goes on with its outermost cells") {
  std::vector<float> map(64 * 64, 0.0F);
  map[0] = 1;
  CHECK(decoded(map)[0] == doctest::Approx(0.25 / 32 - 1));
  map.assign(64 * 64, 0.0F);
  map[63 * 64 + 63] = 1;
  CHECK(decoded(map)[1] == doctest::Approx(63.75 / 32 - 1));
}

TEST_CASE("a Gaussian's centre is found to a quarter of a cell") {
  for (double x = 5; x < 59; x += 3.37)
    for (double y = 5; y < 59; y += 4.19) {
      const auto joint = decoded(gaussian(x, y));
      CHECK(std::abs((joint[0] + 1) * 32 - x) <= 0.2501);
      CHECK(std::abs((joint[1] + 1) * 32 - y) <= 0.2501);
    }
}

TEST_CASE("soft-argmax finds a Gaussian's centre closer still") {
  for (double x = 5; x < 59; x += 3.37)
    for (double y = 5; y < 59; y += 4.19) {
      const auto joint = decoded(gaussian(x, y, 0.5), joint_decoding::soft_argmax);
      CHECK(std::abs((joint[0] + 1) * 32 - x) <= 0.05);
      CHECK(std::abs((joint[1] + 1) * 32 - y) <= 0.05);
    }
}

TEST_CASE("soft-argmax weighs the cells around the highest by exp(16 h), within the map") {
  std::vector<float> map(64 * 64, 0.0F);
  map[0] = 0.5F;
  map[1] = 0.4F;
  map[64 * 2] = 0.3F;
  const auto joint = decoded(map, joint_decoding::soft_argmax);
  // numpy, 4 x 4 cells: weights exp(16 (h - 0.5)), mean of columns and rows, plus half a cell.
  CHECK((joint[0] + 1) * 32 == doctest::Approx(0.6680904900).epsilon(1e-5));
  CHECK((joint[1] + 1) * 32 == doctest::Approx(0.5712936477).epsilon(1e-5));
  CHECK(joint[2] == 0.5F);
}

TEST_CASE("a heat map that is not finite gives a place within the crop") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()})
    for (const auto decoding : {joint_decoding::quarter_cell, joint_decoding::soft_argmax})
      for (const bool everywhere : {false, true}) {
        std::vector<float> maps(16 * 64 * 64, everywhere ? bad : 0.1F);
        for (std::size_t i = 100; i < maps.size(); i += 997) maps[i] = bad;
        const view<const float, shape<16, 64, 64>> heatmaps(maps.data());
        std::array<float, 48> joints{};
        decode_heatmaps(heatmaps, joints, decoding);
        separate_sides(heatmaps, joints, decoding);
        for (std::size_t j = 0; j < 16; ++j) {
          CHECK(std::abs(joints[3 * j]) <= 1);
          CHECK(std::abs(joints[3 * j + 1]) <= 1);
        }
      }
}

TEST_CASE("the highest cell is the one that a plain search finds, of equal ones the first") {
  std::mt19937 random(31);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int size : {1, 2, 3, 5, 8, 13, 16, 64}) {
    for (int trial = 0; trial < 200; ++trial) {
      CAPTURE(size);
      std::vector<float> map(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
      // Few different values: many are equal, some of them zeros of either sign.
      for (float& value : map)
        value = static_cast<float>(static_cast<int>(random() % 9) - 4) * 0.0F;
      for (float& value : map) {
        if (random() % 2 == 0) value = static_cast<float>(random() % 7) - 3;
      }
      for (const float odd : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
        if (random() % 3 == 0) map[random() % map.size()] = odd;
      }
      if (trial % 10 == 0) map.assign(map.size(), -infinity);
      const auto expected = std::max_element(map.begin(), map.end()) - map.begin();
      CHECK(detail::highest_cell(map.data(), size) == static_cast<int>(expected));
    }
  }
}

TEST_CASE("the silhouette is the softmax of its two channels") {
  std::vector<float> logits(2 * 64 * 64, 0.0F);
  std::vector<float> body(64 * 64);
  logits[5] = 2;
  logits[64 * 64 + 6] = 100;
  decode_silhouette(view<const float, shape<2, 64, 64>>(logits.data()), body);
  CHECK(body[0] == 0.5F);
  CHECK(body[5] == doctest::Approx(1 / (1 + std::exp(-2.0))));
  CHECK(body[6] == doctest::Approx(0));
}

TEST_CASE("a crop is centred on the box and a quarter larger") {
  const crop_box crop = crop_around({100, 50, 180, 250});
  CHECK(crop.side == doctest::Approx(250));
  CHECK(crop.x + crop.side / 2 == doctest::Approx(140));
  CHECK(crop.y + crop.side / 2 == doctest::Approx(150));
}

TEST_CASE("points go from the crop to the photo and back") {
  const crop_box crop{-37.25, 12.5, 431.0};
  for (double u = -10; u < 300; u += 31.7)
    for (double v = -10; v < 300; v += 27.1) {
      const image_point back = photo_to_crop(crop_to_photo({u, v}, crop), crop);
      CHECK(back.u == doctest::Approx(u));
      CHECK(back.v == doctest::Approx(v));
    }
}

TEST_CASE("a crop of the photo's own scale copies it, and all else is grey") {
  image photo{40, 30, {}};
  for (std::size_t i = 0; i < std::size_t{40} * 30 * 3; ++i)
    photo.pixels.push_back(static_cast<std::uint8_t>(i * 7));
  std::vector<float> input(64 * 64 * 3);
  crop_workspace workspace;
  crop_to_input(photo, {-12, -20, 64}, 64, workspace, input);
  float worst = 0;
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      for (int c = 0; c < 3; ++c) {
        const bool inside = x >= 12 && x < 52 && y >= 20 && y < 50;
        const int value = inside ? photo.at(x - 12, y - 20)[c] : 128;
        const float found = input[static_cast<std::size_t>((y * 64 + x) * 3 + c)];
        worst = std::max(worst, std::abs(found - (static_cast<float>(value) / 255 - 0.5F)));
      }
  CHECK(worst < 1e-5F);
}

namespace {

/// What a crop should be, by definition and in double: every pixel of the photo, or grey where
/// there is none, times the triangle filter's value at its centre, over the sum of those values.
std::vector<double> filtered(const image& photo, const crop_box& crop, int size) {
  const double scale = crop.side / size;
  const double support = std::max(scale, 1.0);
  std::vector<double> out;
  for (int row = 0; row < size; ++row)
    for (int column = 0; column < size; ++column)
      for (int channel = 0; channel < 3; ++channel) {
        const double u = crop.x + (column + 0.5) * scale;
        const double v = crop.y + (row + 0.5) * scale;
        double sum = 0;
        double weights = 0;
        for (int y = static_cast<int>(std::floor(v - support)) - 1; y <= v + support; ++y)
          for (int x = static_cast<int>(std::floor(u - support)) - 1; x <= u + support; ++x) {
            const double weight = std::max(0.0, 1 - std::abs(y + 0.5 - v) / support) *
                                  std::max(0.0, 1 - std::abs(x + 0.5 - u) / support);
            const bool inside = x >= 0 && x < photo.width && y >= 0 && y < photo.height;
            sum += weight * (inside ? photo.at(x, y)[channel] : 128);
            weights += weight;
          }
        out.push_back(sum / weights / 255 - 0.5);
      }
  return out;
}

}  // namespace

TEST_CASE("a crop is the photo under the triangle filter, enlarged, reduced and beyond its edges") {
  crop_workspace workspace;
  std::uint32_t number = 1;
  for (const auto& [width, height] : {std::pair{97, 61}, {301, 200}, {1, 1}, {2, 150}}) {
    image photo{width, height, {}};
    for (int i = 0; i < 3 * width * height; ++i) {
      number = number * 1664525U + 1013904223U;
      photo.pixels.push_back(static_cast<std::uint8_t>(number >> 24U));
    }
    for (const crop_box& crop : {crop_box{10.2, 5.7, 30.1},
                                 {-20, -30, 64},
                                 {3, -7.5, 150.3},
                                 {-100.5, -80, 333.3},
                                 {96, 60, 40},
                                 {500, 500, 20},
                                 {-50, 20, 49},
                                 {0, 0, 0.5}}) {
      CAPTURE(photo.width);
      CAPTURE(crop.side);
      std::vector<float> input(3 * 24 * 24);
      crop_to_input(photo, crop, 24, workspace, input);
      const std::vector<double> expected = filtered(photo, crop, 24);
      double worst = 0;
      for (std::size_t i = 0; i < input.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(input[i]) - expected[i]));
      CHECK(worst < 2e-6);
    }
  }
}

TEST_CASE("a crop agrees with crop_resize, and rows may lie apart") {
  image photo{50, 70, {}};
  for (std::size_t i = 0; i < std::size_t{50} * 70 * 3; ++i)
    photo.pixels.push_back(static_cast<std::uint8_t>(i * i / 5));
  std::vector<std::uint8_t> spaced(70 * 200);
  for (std::size_t y = 0; y < 70; ++y)
    std::copy_n(photo.pixels.begin() + static_cast<std::ptrdiff_t>(150 * y), 150,
                spaced.begin() + static_cast<std::ptrdiff_t>(200 * y));
  crop_workspace workspace;
  for (const crop_box& crop : {crop_box{-5, 10, 90}, crop_box{11.3, 20.7, 17.9}}) {
    std::vector<float> input(32 * 32 * 3);
    std::vector<float> from_spaced(input.size());
    crop_to_input(photo, crop, 32, workspace, input);
    crop_to_input({spaced.data(), 50, 70, 200}, crop, 32, workspace, from_spaced);
    CHECK(input == from_spaced);
    const image bytes = crop_resize(photo, static_cast<float>(crop.x), static_cast<float>(crop.y),
                                    static_cast<float>(crop.side), 32);
    float worst = 0;
    for (std::size_t i = 0; i < input.size(); ++i)
      worst =
          std::max(worst, std::abs((input[i] + 0.5F) * 255 - static_cast<float>(bytes.pixels[i])));
    CHECK(worst < 0.52F);
  }
}

TEST_CASE("the coarse squares cover every pixel of any photo") {
  const auto check_cover = [](const coarse_squares& squares, double width, double height) {
    CHECK(squares.count >= 1);
    for (double u = 0.5; u < width; u += width / 37)
      for (double v = 0.5; v < height; v += height / 41) {
        bool covered = false;
        for (std::size_t i = 0; i < squares.count; ++i) {
          const crop_box& s = squares.square[i];
          covered |= u >= s.x && u <= s.x + s.side && v >= s.y && v <= s.y + s.side;
        }
        CHECK(covered);
      }
  };
  for (const auto& [width, height] : {std::pair{640.0, 480.0},
                                      {480.0, 640.0},
                                      {500.0, 500.0},
                                      {3000.0, 400.0},
                                      {100.0, 2000.0},
                                      {16000.0, 1000.0}}) {
    check_cover(whole_photo(width, height), width, height);
    for (const double share : {0.6, 0.32, 0.17})
      check_cover(parts_of_photo(width, height, share), width, height);
    if (width != height) check_cover(along_photo(width, height), width, height);
  }
}

TEST_CASE("a person of any size is found, and the crop ends up around the box") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  for (const image_box& truth :
       {image_box{40, 20, 200, 460}, image_box{430, 240, 500, 420}, image_box{5, 300, 300, 470},
        image_box{300, 10, 420, 300}, image_box{570, 30, 590, 78}}) {
    const painted_person person{truth};
    find_person(640, 480, person, person, scratch, best, other);
    const crop_box wanted = crop_around(truth);
    CHECK(best.score > sure_person_score);
    CHECK(best.crop.side == doctest::Approx(wanted.side).epsilon(0.05));
    CHECK(std::abs(best.crop.x - wanted.x) < 0.04 * wanted.side);
    CHECK(std::abs(best.crop.y - wanted.y) < 0.04 * wanted.side);
  }
}

TEST_CASE("the search glances, and what it ends with was looked at") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const painted_person person{{430, 240, 500, 420}};
  int looks = 0;
  const auto glance = [&](const crop_box& crop, crop_reading& reading) {
    person(crop, reading);
    reading.coarse = true;
  };
  const auto look = [&](const crop_box& crop, crop_reading& reading) {
    person(crop, reading);
    reading.coarse = false;
    ++looks;
  };
  find_person(640, 480, glance, look, scratch, best, other);
  CHECK(!best.coarse);
  CHECK(best.score > sure_person_score);
  CHECK(looks <= 2);
  const auto blind = [&](const crop_box& crop, crop_reading& reading) {
    look(crop, reading);
    reading.score = 0;
  };
  find_person(640, 480, glance, blind, scratch, best, other);
  CHECK(!best.coarse);
  CHECK(best.score == 0);
}

TEST_CASE("who is clearly seen in the whole photo is not searched for in parts of it") {
  CHECK(whole_photo(640, 480).count == 1);
  CHECK(along_photo(640, 480).count == 2);
  CHECK(along_photo(500, 480).count == 0);
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const auto glances_at = [&](const image_box& truth) {
    const painted_person person{truth};
    int glances = 0;
    const auto glance = [&](const crop_box& crop, crop_reading& reading) {
      person(crop, reading);
      reading.coarse = true;
      ++glances;
    };
    find_person(640, 480, glance, person, scratch, best, other);
    return glances;
  };
  CHECK(glances_at({200, 10, 420, 470}) == 1);
  CHECK(glances_at({570, 30, 590, 78}) > 3);
}

TEST_CASE("where no glance is sure, the runner-up is looked at as well") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const painted_person first{{40, 60, 200, 420}};
  const painted_person second{{430, 80, 560, 400}};
  // Whoever suits the crop better is seen, with less certainty than there is.
  const auto seen_as = [&](float share_of_first, float share_of_second) {
    return [&, share_of_first, share_of_second](const crop_box& crop, crop_reading& reading) {
      crop_reading rival;
      first(crop, reading);
      second(crop, rival);
      for (std::size_t j = 0; j < 16; ++j) {
        reading.joints[3 * j + 2] *= share_of_first;
        rival.joints[3 * j + 2] *= share_of_second;
      }
      reading.score = person_score(reading);
      rival.score = person_score(rival);
      if (rival.score > reading.score) reading = rival;
    };
  };
  const auto glance = seen_as(0.49F, 0.46F);
  find_person(640, 480, glance, seen_as(0.49F, 0.46F), scratch, best, other);
  CHECK(best.crop.x < 100);
  find_person(640, 480, glance, seen_as(0.3F, 0.6F), scratch, best, other);
  CHECK(best.crop.x > 200);
  CHECK(best.score == doctest::Approx(0.6 * 0.95).epsilon(0.1));
}

TEST_CASE(
    "a crop made for somebody is kept where a glance at the whole photo was surer than looks") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const image_box truth{40, 60, 200, 420};
  const painted_person person{truth};
  const auto glance = [&](const crop_box& crop, crop_reading& reading) {
    person(crop, reading);
    reading.coarse = true;
  };
  const auto look = [&](const crop_box& crop, crop_reading& reading) {
    person(crop, reading);
    reading.coarse = false;
    for (std::size_t j = 0; j < 16; ++j) reading.joints[3 * j + 2] *= crop.side > 600 ? 0.3F : 0.4F;
    reading.score = person_score(reading);
  };
  find_person(640, 480, glance, look, scratch, best, other);
  CHECK(!best.coarse);
  CHECK(best.score > least_person_score);
  CHECK(best.crop.side == doctest::Approx(crop_around(truth).side).epsilon(0.05));
}

TEST_CASE("a glance that was mistaken does not keep the search from smaller parts") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const painted_person ghost{{40, 60, 200, 420}};
  const painted_person person{{570, 30, 590, 78}};
  bool is_there = true;
  // What is large is a ghost; who is small is seen in small crops only.
  const auto seen = [&](const crop_box& crop, crop_reading& reading, float share_of_ghost) {
    const bool large = crop.side > 300;
    (large ? ghost : person)(crop, reading);
    for (std::size_t j = 0; j < 16; ++j)
      reading.joints[3 * j + 2] *= large ? share_of_ghost : is_there ? 1.0F : 0.01F;
    reading.score = person_score(reading);
  };
  const auto glance = [&](const crop_box& crop, crop_reading& reading) {
    seen(crop, reading, 0.4F);
    reading.coarse = true;
  };
  const auto look = [&](const crop_box& crop, crop_reading& reading) {
    seen(crop, reading, 0.05F);
    reading.coarse = false;
  };
  find_person(640, 480, glance, look, scratch, best, other);
  CHECK(!best.coarse);
  CHECK(best.score > sure_person_score);
  CHECK(best.crop.x > 500);
  is_there = false;
  find_person(640, 480, glance, look, scratch, best, other);
  CHECK(!best.coarse);
  CHECK(best.score < least_person_score);
  CHECK(best.score > 0.03F);
  CHECK(best.crop.x < 200);
}

TEST_CASE("nobody in the photo: the score says so") {
  component_workspace scratch;
  crop_reading best;
  crop_reading other;
  const auto nobody = [](const crop_box& crop, crop_reading& reading) {
    reading.crop = crop;
    reading.body.fill(0.03F);
    for (std::size_t j = 0; j < 16; ++j) reading.joints[3 * j + 2] = 0.1F;
    reading.score = person_score(reading);
  };
  find_person(640, 480, nobody, nobody, scratch, best, other);
  CHECK(best.score < least_person_score);
  CHECK(!person_box(best, 640, 480));
}

namespace {

/// Body with a probability of 0.9 in a rectangle of cells.
void paint(crop_reading& reading, int left, int top, int right, int bottom) {
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) reading.body[static_cast<std::size_t>(y * 64 + x)] = 0.9F;
}

/// A joint at a cell, with a confidence of 0.8.
void see_joint(crop_reading& reading, std::size_t joint, float x, float y) {
  reading.joints[3 * joint] = x / 32 - 1;
  reading.joints[3 * joint + 1] = y / 32 - 1;
  reading.joints[3 * joint + 2] = 0.8F;
}

}  // namespace

TEST_CASE("of two people in a photo the larger one is taken") {
  crop_reading reading;
  reading.crop = {0, 0, 64};
  paint(reading, 5, 30, 11, 50);  // the smaller one, whom most joints lie on
  paint(reading, 40, 4, 55, 60);  // the larger one
  for (std::size_t j = 0; j < 16; ++j) see_joint(reading, j, j < 2 ? 47.0F : 8.0F, 40.0F);
  component_workspace scratch;
  crop_reading largest = reading;
  keep_person(largest, scratch, person_choice::largest);
  CHECK(largest.body[40 * 64 + 8] == 0.0F);
  CHECK(largest.body[40 * 64 + 47] == 0.9F);
  // The joints on the one who was erased do not widen the box.
  const auto box = person_box(largest, 64, 64);
  REQUIRE(box);
  CHECK(box->left == doctest::Approx(40));
  CHECK(box->right == doctest::Approx(55));

  keep_person(reading, scratch);
  CHECK(reading.body[40 * 64 + 8] == 0.9F);
  CHECK(reading.body[40 * 64 + 47] == 0.0F);
}

TEST_CASE("a larger person is preferred to a smaller one who is seen a little better") {
  const auto seen = [](const image_box& truth, float score) {
    crop_reading reading;
    painted_person{truth}(crop_around(truth), reading);
    reading.score = score;
    return preference(reading, 640, 480);
  };
  const image_box large{40, 20, 200, 460};
  const image_box small{430, 240, 500, 420};
  CHECK(seen(large, 0.6F) > seen(small, 0.8F));
  CHECK(seen(large, 0.3F) < seen(small, 0.8F));
  CHECK(seen(large, 0.2F) < seen(small, 0.3F));
}

TEST_CASE("somebody else's silhouette is erased, a part of the own one is kept") {
  crop_reading reading;
  reading.crop = {0, 0, 64};
  paint(reading, 5, 5, 20, 40);   // the person
  paint(reading, 5, 45, 20, 60);  // the legs, behind a table's edge
  paint(reading, 40, 0, 60, 63);  // a larger stranger
  for (std::size_t j = 0; j < 16; ++j) see_joint(reading, j, 12.0F, j < 4 ? 50.0F : 20.0F);
  component_workspace scratch;
  keep_person(reading, scratch);
  CHECK(reading.body[10 * 64 + 10] == 0.9F);
  CHECK(reading.body[50 * 64 + 10] == 0.9F);
  CHECK(reading.body[30 * 64 + 50] == 0.0F);
  const auto box = person_box(reading, 64, 64);
  REQUIRE(box);
  CHECK(box->left == doctest::Approx(5));
  CHECK(box->right == doctest::Approx(20));
  CHECK(box->bottom == doctest::Approx(60));
}

namespace {

/// Heat maps of somebody upright whose trunk is 20 cells long, so that limbs may be 15.
struct painted_maps {
  using maps_shape = shape<16, 64, 64>;
  std::vector<float> maps = std::vector<float>(maps_shape::size, 0.0F);

  painted_maps() {
    cell(mpii16::pelvis, 25, 30) = cell(mpii16::upper_neck, 25, 10) = 1;
    cell(mpii16::r_hip, 24, 30) = cell(mpii16::l_hip, 26, 30) = 1;
    cell(mpii16::r_elbow, 16, 20) = cell(mpii16::l_elbow, 34, 20) = 1;
  }
  float& cell(int joint, int x, int y) {
    return maps[(static_cast<std::size_t>(joint) * 64 + static_cast<std::size_t>(y)) * 64 +
                static_cast<std::size_t>(x)];
  }
  [[nodiscard]] std::array<float, 48> parted() const {
    const view<const float, maps_shape> heatmaps(maps.data());
    std::array<float, 48> joints{};
    decode_heatmaps(heatmaps, joints, joint_decoding::quarter_cell);
    separate_sides(heatmaps, joints, joint_decoding::quarter_cell);
    return joints;
  }
};

std::array<int, 2> cell_of(const std::array<float, 48>& joints, int joint) {
  const std::size_t at = 3 * static_cast<std::size_t>(joint);
  return {static_cast<int>((joints[at] + 1) * 32), static_cast<int>((joints[at + 1] + 1) * 32)};
}

}  // namespace

TEST_CASE("two legs that were decoded onto one place are parted where a second peak is seen") {
  painted_maps person;
  // 0.5 + 0.4 beats 0.8 (0.5 + 0.5): the ankles part. The knees' second peak is too low for that.
  person.cell(mpii16::r_ankle, 14, 48) = 0.5F;
  person.cell(mpii16::r_ankle, 36, 48) = 0.3F;
  person.cell(mpii16::l_ankle, 14, 48) = 0.5F;
  person.cell(mpii16::l_ankle, 36, 48) = 0.4F;
  person.cell(mpii16::r_knee, 25, 42) = 0.5F;
  person.cell(mpii16::r_knee, 32, 42) = 0.1F;
  person.cell(mpii16::l_knee, 25, 42) = 0.5F;
  // The wrists' highest peaks lie apart: nothing to part.
  person.cell(mpii16::r_wrist, 14, 25) = 0.5F;
  person.cell(mpii16::r_wrist, 36, 25) = 0.4F;
  person.cell(mpii16::l_wrist, 36, 25) = 0.5F;
  const std::array<float, 48> joints = person.parted();
  CHECK(cell_of(joints, mpii16::r_ankle) == std::array{14, 48});
  CHECK(cell_of(joints, mpii16::l_ankle) == std::array{36, 48});
  CHECK(joints[3 * mpii16::l_ankle + 2] == 0.4F);
  CHECK(cell_of(joints, mpii16::r_knee) == std::array{25, 42});
  CHECK(cell_of(joints, mpii16::l_knee) == std::array{25, 42});
  CHECK(cell_of(joints, mpii16::r_wrist) == std::array{14, 25});
  CHECK(cell_of(joints, mpii16::l_wrist) == std::array{36, 25});
}

TEST_CASE("ankles that cross by legs too long are put back where a second peak is seen") {
  painted_maps person;
  person.cell(mpii16::r_knee, 14, 36) = person.cell(mpii16::l_knee, 36, 36) = 0.9F;
  person.cell(mpii16::r_ankle, 42, 47) = 0.5F;
  person.cell(mpii16::r_ankle, 8, 47) = 0.3F;
  person.cell(mpii16::l_ankle, 8, 47) = 0.4F;
  person.cell(mpii16::l_ankle, 42, 47) = 0.3F;
  const std::array<float, 48> joints = person.parted();
  CHECK(cell_of(joints, mpii16::r_ankle) == std::array{8, 47});
  CHECK(cell_of(joints, mpii16::l_ankle) == std::array{42, 47});
  // Without another peak it stays where it was seen.
  person.cell(mpii16::r_ankle, 8, 47) = 0;
  CHECK(cell_of(person.parted(), mpii16::r_ankle) == std::array{42, 47});
}

TEST_CASE("a picture is mirrored left to right, rows and colours keep their order") {
  std::vector<float> picture(3 * 5 * 5);
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(i);
  mirror_picture(picture, 5);
  for (std::size_t y = 0; y < 5; ++y)
    for (std::size_t x = 0; x < 5; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        REQUIRE(picture[(y * 5 + x) * 3 + c] == static_cast<float>((y * 5 + 4 - x) * 3 + c));
}

TEST_CASE("averaging with the mirrored picture swaps left and right joints") {
  using maps = shape<16, 64, 64>;
  std::vector<float> seen(maps::size), mirrored(maps::size);
  const auto put = [](std::vector<float>& into, int joint, double x, double y) {
    const std::vector<float> map = gaussian(x, y);
    std::copy(map.begin(), map.end(), into.begin() + joint * 64 * 64);
  };
  put(seen, mpii16::r_wrist, 10.5, 20.5);
  put(mirrored, mpii16::l_wrist, 64 - 10.5, 20.5);  // the same wrist, as the mirror shows it
  put(mirrored, mpii16::r_knee, 64 - 40.5, 50.5);   // seen in the mirror only
  average_mirrored(view<float, maps>(seen.data()), view<const float, maps>(mirrored.data()));
  std::array<float, 48> joints{};
  decode_heatmaps(view<const float, maps>(seen.data()), joints);
  CHECK(joints[3 * mpii16::r_wrist] == doctest::Approx(10.5 / 32 - 1).epsilon(1e-6));
  CHECK(joints[3 * mpii16::r_wrist + 2] == doctest::Approx(1));
  CHECK(joints[3 * mpii16::l_knee] == doctest::Approx(40.5 / 32 - 1).epsilon(1e-6));
  CHECK(joints[3 * mpii16::l_knee + 2] == doctest::Approx(0.5));
  CHECK(joints[3 * mpii16::l_wrist + 2] == 0);
  CHECK(joints[3 * mpii16::r_knee + 2] == 0);
}

TEST_CASE("the mirrored crop's joints and pose are those of the mirrored person") {
  std::array<float, 48> joints;
  for (std::size_t i = 0; i < 48; ++i) joints[i] = static_cast<float>(i);
  std::array<float, 48> mirrored_joints;
  mirror_joints(joints, mirrored_joints);
  CHECK(mirrored_joints[3 * mpii16::l_wrist] == -joints[3 * mpii16::r_wrist]);
  CHECK(mirrored_joints[3 * mpii16::l_wrist + 2] == joints[3 * mpii16::r_wrist + 2]);
  CHECK(mirrored_joints[3 * mpii16::head_top] == -joints[3 * mpii16::head_top]);

  // A pose and its mirror image, by axis-angles, written as columns: their mean is the pose itself.
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.8F);
  std::array<float, 72> theta;
  for (float& value : theta) value = normal(random);
  std::array<float, 72> mirrored_theta;
  mirror_pose<float>(theta, mirrored_theta);
  const auto columns = [](std::span<const float> pose) {
    std::array<float, 144> numbers;
    for (std::size_t j = 0; j < 24; ++j) {
      const mat3<float> r = rodrigues(vec3<float>{pose[3 * j], pose[3 * j + 1], pose[3 * j + 2]});
      for (std::size_t k = 0; k < 3; ++k) {
        numbers[6 * j + k] = r.m[3 * k];
        numbers[6 * j + 3 + k] = r.m[3 * k + 1];
      }
    }
    return numbers;
  };
  std::array<float, 144> pose = columns(theta);
  average_mirrored_pose(pose, columns(mirrored_theta));
  std::array<float, 72> found;
  theta_of(pose, found);
  for (std::size_t j = 0; j < 24; ++j) {
    const auto turned = [j](std::span<const float> p) {
      return rodrigues(vec3<float>{p[3 * j], p[3 * j + 1], p[3 * j + 2]});
    };
    CHECK(geodesic_distance(turned(theta), turned(found)) < 1e-5F);
  }
}

TEST_CASE("the silhouette is averaged with the mirrored one") {
  using logits = shape<2, 4, 4>;
  std::vector<float> seen(logits::size), mirrored(logits::size);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    seen[i] = static_cast<float>(i);
    mirrored[i] = static_cast<float>(i / 4 * 4 + 3 - i % 4) + 2;
  }
  average_mirrored(view<float, logits>(seen.data()), view<const float, logits>(mirrored.data()));
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<float>(i) + 1);
}

TEST_CASE("a calibrated confidence is the logistic curve of the peak, without a curve the peak") {
  joint_calibration curves;
  CHECK(curves.probability(3, 0.25F) == 0.25F);
  CHECK(curves.probability(3, 1.25F) == 1);
  CHECK(curves.probability(3, -0.5F) == 0);
  curves.slope.fill(8);
  curves.offset.fill(-3);
  curves.known = true;
  // numpy: 1 / (1 + exp(-(8 * 0.5 - 3))) and 1 / (1 + exp(3))
  CHECK(curves.probability(0, 0.5F) == doctest::Approx(0.7310585786).epsilon(1e-6));
  CHECK(curves.probability(15, 0.0F) == doctest::Approx(0.0474258732).epsilon(1e-6));
}
