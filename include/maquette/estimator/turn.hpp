// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "maquette/body/joints.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/estimator/find_person.hpp"

namespace maquette {

/// Score below which a person is also looked at turned by quarters, as one is who lies or stands on
/// the hands: Human2D sees those best whose heads are up.
inline constexpr float upright_is_sure = 0.4F;
/// How many times the upright look's score a turned one's must be more than to be believed, as few
/// people are not upright.
inline constexpr float turned_score_ratio = 1.5F;

/// Share of the score that somebody must have from which, where nobody was found upright, somebody
/// turned is looked for.
inline constexpr float score_share_to_turn = 0.5F;
/// Score that the turned look must have there: a picture without people gets three chances more.
inline constexpr float least_turned_score = 0.35F;

/// Turns a map [size, size, channels] a quarter counter-clockwise, in place: what is seen at the
/// right moves to the top.
inline void turn_quarter(std::span<float> map, std::size_t size, std::size_t channels) {
  MAQUETTE_ASSERT(map.size() == size * size * channels,
                  "turn_quarter: the map is [size, size, channels]");
  const std::size_t last = size - 1;
  for (std::size_t y = 0; y < size / 2; ++y)
    for (std::size_t x = 0; x < (size + 1) / 2; ++x) {
      float* const top = map.data() + channels * (size * y + x);
      float* const right = map.data() + channels * (size * x + last - y);
      float* const bottom = map.data() + channels * (size * (last - y) + last - x);
      float* const left = map.data() + channels * (size * (last - x) + y);
      for (std::size_t c = 0; c < channels; ++c) {
        const float kept = top[c];
        top[c] = right[c];
        right[c] = bottom[c];
        bottom[c] = left[c];
        left[c] = kept;
      }
    }
}

/// Turns a reading a quarter counter-clockwise, in place: joints (x, y) to (y, -x), the probability
/// of body [64, 64] as above; crop, score and time stay.
inline void turn_quarter(crop_reading& reading) {
  turn_quarter(reading.body, crop_reading::size, 1);
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    const float x = reading.joints[3 * j];
    reading.joints[3 * j] = reading.joints[3 * j + 1];
    reading.joints[3 * j + 1] = -x;
  }
}

/// How many quarters counter-clockwise, 0 to 3, bring the person of a reading nearest to upright:
/// the line from legs and hips to thorax and neck, each joint weighed by its confidence; 0 where
/// one end of it is not seen.
///
/// Somebody who bends is upright by the legs, as in the poses that the priors know: the trunk alone
/// would lay them down.
[[nodiscard]] inline int quarters_to_upright(const crop_reading& reading) {
  struct place {
    float x = 0, y = 0, weight = 0;
  };
  const auto middle = [&](const auto& joints) {
    place sum;
    for (const std::size_t j : joints) {
      const float* const joint = reading.joints.data() + 3 * j;
      sum.x += joint[2] * joint[0];
      sum.y += joint[2] * joint[1];
      sum.weight += joint[2];
    }
    return sum;
  };
  constexpr std::array<std::size_t, 7> legs{mpii16::r_ankle, mpii16::r_knee, mpii16::r_hip,
                                            mpii16::l_hip,   mpii16::l_knee, mpii16::l_ankle,
                                            mpii16::pelvis};
  constexpr std::array<std::size_t, 2> neck{mpii16::thorax, mpii16::upper_neck};
  const place low = middle(legs);
  const place high = middle(neck);
  if (!(low.weight > 0 && high.weight > 0)) return 0;
  const float right = high.x / high.weight - low.x / low.weight;
  const float up = low.y / low.weight - high.y / high.weight;
  if (up >= std::abs(right)) return 0;
  if (-up > std::abs(right)) return 2;
  return right > 0 ? 1 : 3;
}

/// Turns the root of a pose as two columns a joint [24, 6] a quarter clockwise about the optical
/// axis, in place: what a turned reading's pose is in the frame of the reading before.
inline void turn_root_back(std::span<float> pose) {
  MAQUETTE_ASSERT(pose.size() == 6 * smpl24::count, "turn_root_back: 24 joints of 6 numbers");
  for (std::size_t column = 0; column < 6; column += 3) {
    const float x = pose[column];
    pose[column] = -pose[column + 1];
    pose[column + 1] = x;
  }
}

}  // namespace maquette
