// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "maquette/body/joints.hpp"
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

}  // namespace maquette
