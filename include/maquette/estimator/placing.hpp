// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "maquette/body/matrix3.hpp"
#include "maquette/body/rotation.hpp"
#include "maquette/estimator/find_person.hpp"
#include "maquette/render/camera.hpp"
#include "maquette/render/silhouette.hpp"

namespace maquette::detail {

/// The silhouette's extent in photo pixels; ends at the crop's or the photo's border are not seen.
[[nodiscard]] inline std::optional<silhouette_extent> seen_extent(const crop_reading& reading,
                                                                  std::span<std::uint8_t> mask,
                                                                  double width, double height) {
  constexpr int size = crop_reading::size;
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = reading.body[i] > 0.5F ? 1 : 0;
  std::optional<silhouette_extent> extent = extent_of(mask, size, size);
  if (!extent) return extent;
  const image_point low =
      crop_to_photo({extent->box.left, extent->box.top}, reading.crop, crop_reading::size);
  const image_point high =
      crop_to_photo({extent->box.right, extent->box.bottom}, reading.crop, crop_reading::size);
  const double cell = reading.crop.side / size;
  extent->box = {low.u, low.v, high.u, high.v};
  extent->left_seen &= low.u > cell;
  extent->top_seen &= low.v > cell;
  extent->right_seen &= high.u < width - cell;
  extent->bottom_seen &= high.v < height - cell;
  return extent;
}

/// The rotation that turns the optical axis of a camera towards a point of its picture, by the
/// shortest way.
[[nodiscard]] inline mat3<double> towards(const camera& view, image_point point) {
  const double x = (point.u - view.centre_x) / view.focal;
  const double y = (point.v - view.centre_y) / view.focal;
  const double sine = std::hypot(x, y);
  if (sine == 0) return mat3<double>::identity();
  const double angle = std::atan(sine);
  return rodrigues(vec3<double>{-y / sine * angle, x / sine * angle, 0});
}

}  // namespace maquette::detail
