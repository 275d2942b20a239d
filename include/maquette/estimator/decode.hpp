// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "maquette/core/assert.hpp"
#include "maquette/core/shape.hpp"
#include "maquette/core/view.hpp"

namespace maquette {

/// Where the maximum of each heat map lies: [J, 3] of x, y in [-1, 1] of the crop and the maximum
/// itself as the confidence.
///
/// Heat maps: [J, S, S], peak 1, cell centres at .5. The cell of the maximum (the first one of
/// several) is moved a quarter of a cell towards the larger neighbour along each axis; beyond the
/// border a map continues with its outermost cells. Source: Newell et al. 2016; the confidence is
/// that of Pavlakos et al. 2018, section 4.1.
template <ImageShape S>
requires(height<S> == width<S>) void decode_heatmaps(view<const float, S> heatmaps,
                                                     std::span<float> joints) {
  constexpr int size = width<S>;
  MAQUETTE_ASSERT(joints.size() == 3 * static_cast<std::size_t>(channels<S>),
                  "decode_heatmaps: x, y and confidence a joint");
  for (int j = 0; j < channels<S>; ++j) {
    const float* const map = heatmaps.data + static_cast<std::size_t>(j) * size * size;
    const int best = static_cast<int>(std::max_element(map, map + size * size) - map);
    const int x = best % size;
    const int y = best / size;
    const auto at = [&](int row, int column) {
      return map[std::clamp(row, 0, size - 1) * size + std::clamp(column, 0, size - 1)];
    };
    const auto quarter = [](float before, float after) {
      return after > before ? 0.25F : after < before ? -0.25F : 0.0F;
    };
    const float fx = static_cast<float>(x) + 0.5F + quarter(at(y, x - 1), at(y, x + 1));
    const float fy = static_cast<float>(y) + 0.5F + quarter(at(y - 1, x), at(y + 1, x));
    float* const joint = joints.data() + 3 * static_cast<std::size_t>(j);
    joint[0] = fx * (2.0F / size) - 1.0F;
    joint[1] = fy * (2.0F / size) - 1.0F;
    joint[2] = map[best];
  }
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
