// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "maquette/core/assert.hpp"
#include "maquette/io/pixels.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// A borrowed colour picture: rows from the top, `row_bytes` apart, of red, green and blue bytes.
struct picture_view {
  const std::uint8_t* pixels = nullptr;
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::size_t row_bytes = 0;

  picture_view() = default;
  /// Rows without gaps unless `row_bytes_between_rows` says otherwise.
  picture_view(const std::uint8_t* first_pixel, std::int32_t columns, std::int32_t rows,
               std::size_t row_bytes_between_rows = 0)
      : pixels(first_pixel),
        width(columns),
        height(rows),
        row_bytes(row_bytes_between_rows != 0 ? row_bytes_between_rows
                                              : 3 * static_cast<std::size_t>(columns)) {}
  picture_view(const image& picture)
      : picture_view(picture.pixels.data(), picture.width, picture.height) {}
};

/// Side of a crop as a multiple of the larger side of the person's box: the rule that the networks
/// were trained with.
inline constexpr double crop_margin = 1.25;

/// The square crop for a person's box (photo pixels): centred on it, `crop_margin` times its larger
/// side.
[[nodiscard]] inline crop_box crop_around(const image_box& person) {
  const double side = crop_margin * std::max(person.width(), person.height());
  return {(person.left + person.right - side) / 2, (person.top + person.bottom - side) / 2, side};
}

/// The box that `crop_around` makes a crop of, square.
[[nodiscard]] inline image_box box_within(const crop_box& crop) {
  const double margin = crop.side * (1 - 1 / crop_margin) / 2;
  return {crop.x + margin, crop.y + margin, crop.x + crop.side - margin,
          crop.y + crop.side - margin};
}

/// Memory of `crop_to_input`, kept from call to call.
using crop_workspace = detail::resample_workspace;

/// Resizes a crop of the photo to what human2d takes: [size, size, 3] floats, rgb / 255 - 0.5.
///
/// Separable triangle filter as in `crop_resize`; grey 128 beyond the photo. Allocates only where
/// `workspace` has not yet served as large a photo and input, up to 65,536 pixels a side.
inline void crop_to_input(const picture_view& photo, const crop_box& crop, std::int32_t size,
                          crop_workspace& workspace, std::span<float> input) {
  MAQUETTE_ASSERT(
      input.size() == 3 * static_cast<std::size_t>(size) * static_cast<std::size_t>(size),
      "crop_to_input: the input is [size, size, 3]");
  MAQUETTE_ASSERT(crop.side > 0, "crop_to_input: an empty crop");
  detail::reserve_resample_axis(photo.width, size, workspace.columns);
  detail::reserve_resample_axis(photo.height, size, workspace.rows);
  workspace.column_sums.reserve(3 * static_cast<std::size_t>(photo.width) + 1);
  detail::make_resample_axis(crop.x, crop.side, photo.width, size, workspace.columns);
  detail::make_resample_axis(crop.y, crop.side, photo.height, size, workspace.rows);
  float* target = input.data();
  detail::resample_rows({photo.pixels, photo.row_bytes}, workspace,
                        [&](std::span<const float> row) {
                          for (const float value : row) *target++ = value / 255.0F - 0.5F;
                        });
}

}  // namespace maquette
