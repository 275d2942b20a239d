// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "maquette/body/joints.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/core/shape.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/core/view.hpp"

namespace maquette {

/// How a joint's place within a heat map's peak is read.
enum class joint_decoding {
  quarter_cell,  ///< a quarter of a cell from the highest towards the larger neighbour along each
                 ///< axis; Newell et al. 2016
  soft_argmax    ///< the mean place of the cells up to three away from the highest, weighted by
                 ///< exp(16 h); after Sun et al., "Integral Human Pose Regression", 2018
};

namespace detail {

/// The centre of a cell moved a quarter of a cell towards the larger neighbour along each axis,
/// in cells; beyond the border a map continues with its outermost cells.
inline std::array<float, 2> quarter_cell_place(const float* map, int size, int cell) {
  const int x = cell % size;
  const int y = cell / size;
  const auto at = [&](int row, int column) {
    return map[std::clamp(row, 0, size - 1) * size + std::clamp(column, 0, size - 1)];
  };
  const auto quarter = [](float before, float after) {
    return after > before ? 0.25F : after < before ? -0.25F : 0.0F;
  };
  return {static_cast<float>(x) + 0.5F + quarter(at(y, x - 1), at(y, x + 1)),
          static_cast<float>(y) + 0.5F + quarter(at(y - 1, x), at(y + 1, x))};
}

/// The mean of the centres of the cells around one, as far as the map goes, weighted by
/// exp(sharpness h).
inline std::array<float, 2> soft_argmax_place(const float* map, int size, int cell) {
  constexpr int reach = 3;
  constexpr float sharpness = 16;
  const int x = cell % size;
  const int y = cell / size;
  float sum = 0;
  float sum_x = 0;
  float sum_y = 0;
  for (int row = std::max(y - reach, 0); row <= std::min(y + reach, size - 1); ++row)
    for (int column = std::max(x - reach, 0); column <= std::min(x + reach, size - 1); ++column) {
      const float weight = std::exp(sharpness * (map[row * size + column] - map[cell]));
      sum += weight;
      sum_x += weight * static_cast<float>(column - x);
      sum_y += weight * static_cast<float>(row - y);
    }
  const std::array<float, 2> place{static_cast<float>(x) + 0.5F + sum_x / sum,
                                   static_cast<float>(y) + 0.5F + sum_y / sum};
  // A map that is not finite says nothing of a place within the cell.
  if (!std::isfinite(place[0] + place[1]))
    return {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
  return place;
}

/// One heat map's peak as a joint: x, y in [-1, 1] of the crop, and the value of its cell.
inline void joint_at(const float* map, int size, int cell, joint_decoding decoding, float* joint) {
  const std::array<float, 2> place = decoding == joint_decoding::quarter_cell
                                         ? quarter_cell_place(map, size, cell)
                                         : soft_argmax_place(map, size, cell);
  for (std::size_t k = 0; k < 2; ++k)
    joint[k] = place[k] * (2.0F / static_cast<float>(size)) - 1.0F;
  joint[2] = map[cell];
}

/// The first of the highest cells: every lane keeps the highest of its own, several vectors at a
/// time. NaN is never the highest but in cell 0, which it then is.
inline int highest_cell(const float* map, int size) {
  constexpr int chains = 4;
  constexpr int step = chains * simd::width;
  const int cells = size * size;
  simd::vector best[chains];
  simd::integers where[chains];
  for (int i = 0; i < chains; ++i) {
    best[i] = simd::broadcast(map[0]);
    where[i] = simd::integers{};
  }
  simd::integers at = simd::lane_numbers();
  const int whole = cells - cells % step;
  for (int cell = 0; cell < whole; cell += step) {
    for (int i = 0; i < chains; ++i) {
      const simd::vector value = simd::load(map + cell + i * simd::width);
      where[i] = best[i] < value ? at : where[i];
      best[i] = best[i] < value ? value : best[i];
      at += simd::width;
    }
  }
  float values[step];
  int cell_of[step];
  for (int i = 0; i < chains; ++i) {
    simd::store(values + i * simd::width, best[i]);
    simd::store(cell_of + i * simd::width, where[i]);
  }
  int highest = cell_of[0];
  for (int i = 1; i < step; ++i) {
    const bool first = values[i] == map[highest] && cell_of[i] < highest;
    if (values[i] > map[highest] || first) highest = cell_of[i];
  }
  for (int cell = whole; cell < cells; ++cell) {
    if (map[cell] > map[highest]) highest = cell;
  }
  return highest;
}

/// The highest cell, other than `first`, that none of the cells up to three away exceeds; `first`
/// if no such cell is above zero.
inline int second_peak(const float* map, int size, int first) {
  constexpr int reach = 3;
  const auto is_peak = [&](int row, int column) {
    for (int y = std::max(row - reach, 0); y <= std::min(row + reach, size - 1); ++y)
      for (int x = std::max(column - reach, 0); x <= std::min(column + reach, size - 1); ++x)
        if (!(map[y * size + x] <= map[row * size + column])) return false;
    return true;
  };
  int best = first;
  float value = 0;
  for (int cell = 0, row = 0; row < size; ++row)
    for (int column = 0; column < size; ++column, ++cell) {
      if (cell == first || !(map[cell] > value) || !is_peak(row, column)) continue;
      best = cell;
      value = map[cell];
    }
  return best;
}

/// `decode_heatmaps` for maps of every size.
MAQUETTE_NOINLINE inline void decode_maps(const float* maps, int count, int size,
                                          joint_decoding decoding, float* joints) {
  for (int j = 0; j < count; ++j, maps += std::ptrdiff_t{size} * size, joints += 3)
    joint_at(maps, size, highest_cell(maps, size), decoding, joints);
}

/// A joint of the right side and its partner, and the joints that they hang from.
struct limb_ends {
  std::array<mpii16::joint, 2> end;
  std::array<mpii16::joint, 2> from;
};

/// Thighs before the shins that hang from them.
inline constexpr std::array<limb_ends, 3> parted_limbs{
    {{{mpii16::r_knee, mpii16::l_knee}, {mpii16::r_hip, mpii16::l_hip}},
     {{mpii16::r_ankle, mpii16::l_ankle}, {mpii16::r_knee, mpii16::l_knee}},
     {{mpii16::r_wrist, mpii16::l_wrist}, {mpii16::r_elbow, mpii16::l_elbow}}}};

/// How far apart two joints [x, y, confidence] lie, in halves of the crop.
inline float joint_distance(const float* a, const float* b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

/// `separate_sides` for maps of every size.
MAQUETTE_NOINLINE inline void separate_sides(const float* heatmaps, int size,
                                             joint_decoding decoding, std::span<float> joints) {
  constexpr float same_place = 0.8F;
  constexpr int apart = 3;
  constexpr float longest = 0.75F;  // of the trunk
  constexpr float shortest_trunk = 0.3F;
  const auto place = [&](int joint) { return joints.data() + 3 * static_cast<std::size_t>(joint); };
  const float limit = longest * std::max(shortest_trunk, joint_distance(place(mpii16::pelvis),
                                                                        place(mpii16::upper_neck)));
  for (const limb_ends& limb : parted_limbs) {
    std::array<const float*, 2> map{};
    std::array<std::array<int, 2>, 2> peak{};
    std::array<std::array<float, 2>, 2> worth{};
    for (std::size_t side = 0; side < 2; ++side) {
      map[side] = heatmaps + static_cast<std::ptrdiff_t>(limb.end[side]) * size * size;
      peak[side][0] = highest_cell(map[side], size);
      peak[side][1] = second_peak(map[side], size, peak[side][0]);
      for (std::size_t k = 0; k < 2; ++k) {
        std::array<float, 3> end{};
        joint_at(map[side], size, peak[side][k], decoding, end.data());
        const float length = joint_distance(end.data(), place(limb.from[side]));
        worth[side][k] = std::max(end[2], 0.0F) * std::exp(-4 * std::max(length / limit - 1, 0.0F));
      }
    }
    float best = -1;
    std::array<std::size_t, 2> chosen{};
    for (std::size_t right = 0; right < 2; ++right) {
      for (std::size_t left = 0; left < 2; ++left) {
        const int dx = peak[0][right] % size - peak[1][left] % size;
        const int dy = peak[0][right] / size - peak[1][left] / size;
        const float sum = worth[0][right] + worth[1][left];
        const float score = dx * dx + dy * dy < apart * apart ? same_place * sum : sum;
        if (!(score > best)) continue;
        best = score;
        chosen = {right, left};
      }
    }
    for (std::size_t side = 0; side < 2; ++side)
      joint_at(map[side], size, peak[side][chosen[side]], decoding, place(limb.end[side]));
  }
}

}  // namespace detail

/// Where the maximum of each heat map lies: [J, 3] of x, y in [-1, 1] of the crop and the maximum
/// itself as the confidence.
///
/// Heat maps: [J, S, S], peak 1, cell centres at .5; of several equal maxima the first. The
/// confidence is that of Pavlakos et al. 2018, section 4.1.
template <ImageShape S>
requires(height<S> ==
         width<S>) void decode_heatmaps(view<const float, S> heatmaps, std::span<float> joints,
                                        joint_decoding decoding = joint_decoding::soft_argmax) {
  MAQUETTE_ASSERT(joints.size() == 3 * static_cast<std::size_t>(channels<S>),
                  "decode_heatmaps: x, y and confidence a joint");
  detail::decode_maps(heatmaps.data, channels<S>, width<S>, decoding, joints.data());
}

/// Chooses among the two highest peaks of each knee, ankle and wrist, so that left and right do not
/// fall onto one place and limbs do not grow long.
///
/// A network that cannot tell left from right gives both maps the same two peaks, and the maximum
/// puts both legs on one, or crosses them. Of the four ways to give each side its highest or second
/// peak, the one with the largest sum of values is taken, where a value counts exp(-4 (d / l - 1))
/// if the limb's length d is above l, three quarters of the trunk from pelvis to upper neck, and
/// the sum eight tenths if both lie within three cells. `joints` is what `decode_heatmaps` gave for
/// MPII's 16 joints.
template <ImageShape S>
requires(height<S> == width<S> &&
         channels<S> ==
             static_cast<int>(mpii16::count)) void separate_sides(view<const float, S> heatmaps,
                                                                  std::span<float> joints,
                                                                  joint_decoding decoding =
                                                                      joint_decoding::soft_argmax) {
  MAQUETTE_ASSERT(joints.size() == 3 * mpii16::count, "separate_sides: x, y, confidence a joint");
  detail::separate_sides(heatmaps.data, width<S>, decoding, joints);
}

/// The probability of body [S, S] from the logits [2, S, S] of body and background:
/// 1 / (1 + exp(background - body)).
template <ImageShape S>
requires(channels<S> == 2) void decode_silhouette(view<const float, S> logits,
                                                  std::span<float> body) {
  constexpr auto cells = static_cast<std::size_t>(height<S>) * static_cast<std::size_t>(width<S>);
  MAQUETTE_ASSERT(body.size() == cells, "decode_silhouette: one probability a cell");
  for (std::size_t i = 0; i < cells; ++i)
    body[i] = 1.0F / (1.0F + std::exp(logits.data[cells + i] - logits.data[i]));
}

}  // namespace maquette
