// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "maquette/body/joints.hpp"
#include "maquette/estimator/crop.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// Score below which there is nobody in the picture.
inline constexpr float least_person_score = 0.24F;
/// Score from which the person is not searched for in smaller parts of the picture.
inline constexpr float sure_person_score = 0.5F;
/// Confidence from which a joint says where the person is.
inline constexpr float sure_joint_confidence = 0.5F;

/// What human2d saw in one crop of the photo.
struct crop_reading {
  static constexpr int size = 64;
  static constexpr std::size_t cells = std::size_t{size} * size;

  crop_box crop;
  std::array<float, 3 * mpii16::count> joints{};  ///< [16, 3] x, y in [-1, 1], confidence
  std::array<float, cells> body{};                ///< [64, 64] probability of body
  float score = 0;
  bool coarse = false;  ///< seen by a glance
  double milliseconds = 0;
};

namespace detail {

/// The cell of a joint, clamped to the map; the first one where it is no number.
[[nodiscard]] inline std::pair<int, int> joint_cell(const crop_reading& reading,
                                                    std::size_t joint) {
  const auto cell = [](float at) {
    constexpr float half = crop_reading::size / 2.0F;
    const float place = (at + 1) * half;
    return place >= 0 ? static_cast<int>(std::min(place, crop_reading::size - 1.0F)) : 0;
  };
  return {cell(reading.joints[3 * joint]), cell(reading.joints[3 * joint + 1])};
}

/// Calls `visit(index)` for the cells around a joint, 3 x 3 of them where the map is that wide.
template <class Visit>
void for_each_cell_around(const crop_reading& reading, std::size_t joint, const Visit& visit) {
  const auto [column, row] = joint_cell(reading, joint);
  for (int y = std::max(row - 1, 0); y <= std::min(row + 1, crop_reading::size - 1); ++y)
    for (int x = std::max(column - 1, 0); x <= std::min(column + 1, crop_reading::size - 1); ++x)
      visit(static_cast<std::size_t>(y * crop_reading::size + x));
}

}  // namespace detail

/// How sure a reading is that its crop shows a person, 0 to 1: the mean over the joints of the
/// confidence times the probability of body beside the joint.
[[nodiscard]] inline float person_score(const crop_reading& reading) {
  float sum = 0;
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    float body = 0;
    detail::for_each_cell_around(reading, j,
                                 [&](std::size_t i) { body = std::max(body, reading.body[i]); });
    sum += std::clamp(reading.joints[3 * j + 2], 0.0F, 1.0F) * body;
  }
  return sum / static_cast<float>(mpii16::count);
}

/// The cells that a piece of the silhouette spans, all of them inside.
struct cell_box {
  int left, top, right, bottom;

  [[nodiscard]] int longer_side() const { return 1 + std::max(right - left, bottom - top); }
  /// Cells between two boxes along the axis on which they are further apart; 0 if they touch.
  [[nodiscard]] int gap(const cell_box& other) const {
    return std::max({left - other.right - 1, other.left - right - 1, top - other.bottom - 1,
                     other.top - bottom - 1, 0});
  }
};

/// Memory of `keep_person`.
struct component_workspace {
  std::array<std::int16_t, crop_reading::cells> label;
  std::array<std::int16_t, crop_reading::cells> open;
  std::array<float, crop_reading::cells / 2 + 1> weight;
  std::array<std::int32_t, crop_reading::cells / 2 + 1> area;
  std::array<cell_box, crop_reading::cells / 2 + 1> box;
};

/// Which of several people in a crop is meant: whom most of the joints lie on, as where the crop
/// was made for one person, or the largest on whom joints lie with confidences of
/// `sure_joint_confidence` in sum, as in a whole photo.
enum class person_choice : std::uint8_t { most_joints, largest };

/// Erases other people from the probability of body. Of its connected pieces (probability over one
/// half, four neighbours) the chosen person's stays, and those on which joints with confidences of
/// `sure_joint_confidence` in sum lie and that are not further from it than a quarter of its longer
/// side, as parts of a person behind a post are.
[[gnu::noinline]] inline void keep_person(crop_reading& reading, component_workspace& scratch,
                                          person_choice choice = person_choice::most_joints) {
  constexpr int size = crop_reading::size;
  scratch.label.fill(-1);
  std::size_t count = 0;
  for (std::size_t seed = 0; seed < crop_reading::cells; ++seed) {
    if (scratch.label[seed] >= 0 || !(reading.body[seed] > 0.5F)) continue;
    const auto label = static_cast<std::int16_t>(count);
    std::size_t open = 0;
    const auto enter = [&](int cell) {
      const auto at = static_cast<std::size_t>(cell);
      if (scratch.label[at] >= 0 || !(reading.body[at] > 0.5F)) return;
      scratch.label[at] = label;
      scratch.open[open++] = static_cast<std::int16_t>(cell);
      ++scratch.area[count];
      cell_box& box = scratch.box[count];
      box = {std::min(box.left, cell % size), std::min(box.top, cell / size),
             std::max(box.right, cell % size), std::max(box.bottom, cell / size)};
    };
    scratch.area[count] = 0;
    scratch.box[count] = {size, size, -1, -1};
    enter(static_cast<int>(seed));
    while (open > 0) {
      const int cell = scratch.open[--open];
      if (cell % size > 0) enter(cell - 1);
      if (cell % size < size - 1) enter(cell + 1);
      if (cell >= size) enter(cell - size);
      if (cell < size * (size - 1)) enter(cell + size);
    }
    scratch.weight[count++] = 0;
  }
  if (count < 2) return;

  for (std::size_t j = 0; j < mpii16::count; ++j) {
    int touched = -1;
    detail::for_each_cell_around(
        reading, j, [&](std::size_t i) { touched = std::max<int>(touched, scratch.label[i]); });
    const auto [x, y] = detail::joint_cell(reading, j);
    if (const int own = scratch.label[static_cast<std::size_t>(y * size + x)]; own >= 0)
      touched = own;
    if (touched >= 0)
      scratch.weight[static_cast<std::size_t>(touched)] +=
          std::max(reading.joints[3 * j + 2], 0.0F);
  }
  const auto worth = [&](std::size_t c) {
    const float weight = scratch.weight[c];
    const auto area = static_cast<float>(scratch.area[c]);
    return choice == person_choice::largest && weight >= sure_joint_confidence
               ? std::tuple(true, area, weight)
               : std::tuple(false, weight, area);
  };
  std::size_t best = 0;
  for (std::size_t c = 1; c < count; ++c)
    if (worth(c) > worth(best)) best = c;
  const int near = scratch.box[best].longer_side() / 4;
  for (std::size_t i = 0; i < crop_reading::cells; ++i) {
    if (scratch.label[i] < 0) continue;
    const auto c = static_cast<std::size_t>(scratch.label[i]);
    if (c != best &&
        (scratch.weight[c] < sure_joint_confidence || scratch.box[c].gap(scratch.box[best]) > near))
      reading.body[i] = 0;
  }
}

/// The person's box in photo pixels: all cells with more body than background, and all sure joints
/// that are not further from these than a quarter of their longer side, as far as they lie in a
/// photo of this size. None if there is neither, or it spans less than four pixels or lies beside
/// the photo.
[[nodiscard, gnu::noinline]] inline std::optional<image_box> person_box(const crop_reading& reading,
                                                                        double width,
                                                                        double height) {
  constexpr double far = 1e30;
  image_box box{far, far, -far, -far};
  const auto include = [&](double left, double top, double right, double bottom) {
    box = {std::min(box.left, left), std::min(box.top, top), std::max(box.right, right),
           std::max(box.bottom, bottom)};
  };
  for (std::size_t i = 0; i < crop_reading::cells; ++i) {
    if (!(reading.body[i] > 0.5F)) continue;
    const auto x = static_cast<double>(i % crop_reading::size);
    const auto y = static_cast<double>(i / crop_reading::size);
    include(x, y, x + 1, y + 1);
  }
  constexpr double half = crop_reading::size / 2.0;
  const image_box body = box;
  const bool no_body = !(body.right > body.left);
  const double near = std::max(body.width(), body.height()) / 4;
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    if (reading.joints[3 * j + 2] < sure_joint_confidence) continue;
    const double x = (double{reading.joints[3 * j]} + 1) * half;
    const double y = (double{reading.joints[3 * j + 1]} + 1) * half;
    if (no_body || (x > body.left - near && x < body.right + near && y > body.top - near &&
                    y < body.bottom + near))
      include(x, y, x, y);
  }
  if (!(box.right > box.left)) return std::nullopt;
  const image_point low = crop_to_photo({box.left, box.top}, reading.crop, crop_reading::size);
  const image_point high = crop_to_photo({box.right, box.bottom}, reading.crop, crop_reading::size);
  box = {std::clamp(low.u, 0.0, width), std::clamp(low.v, 0.0, height),
         std::clamp(high.u, 0.0, width), std::clamp(high.v, 0.0, height)};
  // A crop of less than four pixels shows nothing, and the next one would be smaller still.
  if (std::max(box.width(), box.height()) < 4 || !(std::min(box.width(), box.height()) > 0))
    return std::nullopt;
  return box;
}

/// Squares of a photo in which a person is looked for, at most 81.
struct coarse_squares {
  std::array<crop_box, 81> square;
  std::size_t count = 0;

  /// Squares of this side that cover the photo, steps of at most `step` apart as long as there are
  /// squares enough (nine a side, or all of them in one row); one in the middle of an axis along
  /// which the photo is not longer than a square.
  void cover(double width, double height, double side, double step) {
    const double most =
        std::min(width, height) <= side ? static_cast<double>(square.size() - 1) : 8;
    const auto steps = [&](double extent) {
      return extent <= side ? 0.0 : std::min(std::ceil((extent - side) / step), most);
    };
    const double columns = steps(width);
    const double rows = steps(height);
    const auto place = [&](double extent, double index, double last) {
      return last == 0 ? (extent - side) / 2 : (extent - side) * index / last;
    };
    for (double row = 0; row <= rows; ++row)
      for (double column = 0; column <= columns && count < square.size(); ++column)
        square[count++] = {place(width, column, columns), place(height, row, rows), side};
  }
};

/// Where to look first: the whole photo in one square.
[[nodiscard]] inline coarse_squares whole_photo(double width, double height) {
  coarse_squares squares;
  const double longer = std::max(width, height);
  squares.cover(width, height, longer, longer);
  return squares;
}

/// Where to look next in a photo that is much longer one way: squares of about its shorter side
/// along it.
[[nodiscard]] inline coarse_squares along_photo(double width, double height) {
  coarse_squares squares;
  const double shorter = std::min(width, height);
  if (std::max(width, height) > 1.3 * shorter)
    squares.cover(width, height, 1.15 * shorter, 0.6 * shorter);
  return squares;
}

/// Where to look for a smaller person: squares of a share of the photo's longer side that overlap
/// by a third.
[[nodiscard]] inline coarse_squares parts_of_photo(double width, double height, double share) {
  coarse_squares squares;
  const double side = share * std::max(width, height);
  squares.cover(width, height, side, side * 2 / 3);
  return squares;
}

/// A person's box made a third larger where it ends at the border of the crop that it was seen in,
/// because the person may go on there; within the photo.
[[nodiscard]] inline image_box beyond_crop(image_box box, const crop_box& crop, double width,
                                           double height) {
  const double cell = crop.side / crop_reading::size;
  const double more = std::max(box.width(), box.height()) / 3;
  if (box.left < crop.x + cell) box.left = std::max(0.0, box.left - more);
  if (box.top < crop.y + cell) box.top = std::max(0.0, box.top - more);
  if (box.right > crop.x + crop.side - cell) box.right = std::min(width, box.right + more);
  if (box.bottom > crop.y + crop.side - cell) box.bottom = std::min(height, box.bottom + more);
  return box;
}

/// The crop around the person in a reading, as far as the person may go on; none if there is
/// nobody.
[[nodiscard, gnu::noinline]] inline std::optional<crop_box> next_crop(const crop_reading& reading,
                                                                      double width, double height) {
  const std::optional<image_box> box = person_box(reading, width, height);
  if (!box) return std::nullopt;
  return crop_around(beyond_crop(*box, reading.crop, width, height));
}

/// By what one reading is preferred to another: the score times the root of the share of the
/// photo's longer side that the person spans, at least a twentieth, so that of two people the
/// larger one is taken; far less for a score below `least_person_score`.
[[nodiscard, gnu::noinline]] inline double preference(const crop_reading& reading, double width,
                                                      double height) {
  if (reading.score < least_person_score) return 0.1 * double{reading.score};
  const std::optional<image_box> box = person_box(reading, width, height);
  const double extent = box ? std::max(box->width(), box->height()) : 0;
  return reading.score * std::sqrt(std::max(0.05, extent / std::max(width, height)));
}

/// Whether two crops show the same but for a twentieth of their side at each border.
[[nodiscard]] inline bool nearly_equal(const crop_box& one, const crop_box& other) {
  const double near = other.side / 20;
  return std::abs(one.x - other.x) < near && std::abs(one.y - other.y) < near &&
         std::abs(one.x + one.side - other.x - other.side) < near &&
         std::abs(one.y + one.side - other.y - other.side) < near;
}

/// Finds the person in a photo and leaves the reading of the final crop in `best`; `other` is
/// scratch.
///
/// `glance(crop, reading)` and `look(crop, reading)` fill a reading and its score, the former
/// coarsely in less time. A coarse pass of glances, one at the whole photo, unless its score is at
/// least `sure_person_score` some along it and at parts of it, and at ever smaller parts as long as
/// it is below `least_person_score`, gives a first crop, the one of most `preference`. The box of
/// the largest person in it gives the next one, which is looked at, twice at most: as long as the
/// crop is another (`nearly_equal`) and the score does not fall below `least_person_score` after a
/// glance, or by more than a tenth after a look. Where that glance was not sure, the runner-up of
/// at least `least_person_score` is looked at as well, and taken if it is preferred. Where a glance
/// was mistaken, so that the looks end below `least_person_score`, the smaller parts that it kept
/// the search from are gone through as well. `best` is always a look's. Whether anybody was found
/// is for the caller to judge by `best.score`.
template <class Glance, class Look>
void find_person(double width, double height, const Glance& glance, const Look& look,
                 component_workspace& scratch, crop_reading& best, crop_reading& other) {
  constexpr int refinements = 2;
  constexpr float allowed_fall = 0.9F;
  crop_reading* found = &best;
  crop_reading* next = &other;
  found->score = -1;
  double most = -1;
  double second = -1;
  crop_box elsewhere{};
  const auto search = [&](const coarse_squares& squares) {
    for (std::size_t i = 0; i < squares.count; ++i) {
      glance(squares.square[i], *next);
      const double preferred = preference(*next, width, height);
      const double lesser = std::min(preferred, most);
      if (preferred > most) {
        most = preferred;
        std::swap(found, next);
      }
      // The lesser of the two, in `next`, may show somebody else.
      if (!(lesser > second) || !(next->score >= least_person_score)) continue;
      if (const std::optional<crop_box> crop = next_crop(*next, width, height)) {
        second = lesser;
        elsewhere = *crop;
      }
    }
  };
  const auto approach = [&] {
    for (int i = 0; i < refinements; ++i) {
      const std::optional<crop_box> crop = next_crop(*found, width, height);
      if (!crop || (!found->coarse && nearly_equal(*crop, found->crop))) break;
      look(*crop, *next);
      // A glance's score says less than a look's, and a crop made for somebody shows them better.
      const float least = found->coarse ? least_person_score : allowed_fall * found->score;
      if (next->score < least) break;
      std::swap(found, next);
      keep_person(*found, scratch);
    }
  };
  const auto settle = [&] {
    const bool sure = found->score >= sure_person_score;
    keep_person(*found, scratch, person_choice::largest);
    approach();
    if (!sure && second > 0 && !nearly_equal(elsewhere, found->crop)) {
      look(elsewhere, *next);
      keep_person(*next, scratch);
      if (preference(*next, width, height) > preference(*found, width, height)) {
        std::swap(found, next);
        approach();
      }
    }
    if (found->coarse) {
      look(found->crop, *next);
      std::swap(found, next);
      keep_person(*found, scratch);
    }
  };
  constexpr std::array<std::pair<double, float>, 3> parts{
      {{0.6, sure_person_score}, {0.32, least_person_score}, {0.17, least_person_score}}};
  std::size_t level = 0;
  const auto search_parts = [&] {
    for (; level < parts.size() && found->score < parts[level].second; ++level)
      search(parts_of_photo(width, height, parts[level].first));
  };
  search(whole_photo(width, height));
  if (found->score < sure_person_score) search(along_photo(width, height));
  search_parts();
  settle();
  while (found->score < least_person_score && level < parts.size()) {
    const crop_box before = found->crop;
    const float score = found->score;
    found->score = -1;
    most = second = -1;
    search_parts();
    settle();
    if (found->score >= score) continue;
    look(before, *next);
    std::swap(found, next);
    keep_person(*found, scratch);
  }
  if (found != &best) std::swap(best, other);
}

}  // namespace maquette
