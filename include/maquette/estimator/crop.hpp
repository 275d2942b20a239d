// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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
struct crop_workspace {
  detail::resample_axis columns;
  detail::resample_axis rows;
  std::vector<float> narrowed;
};

/// Resizes a crop of the photo to what human2d takes: [size, size, 3] floats, rgb / 255 - 0.5.
///
/// Separable triangle filter as in `crop_resize`; grey 128 beyond the photo. Allocates only where
/// `workspace` has not yet served a crop that covers as many rows of the photo.
inline void crop_to_input(const picture_view& photo, const crop_box& crop, std::int32_t size,
                          crop_workspace& workspace, std::span<float> input) {
  const auto row_size = 3 * static_cast<std::size_t>(size);
  MAQUETTE_ASSERT(input.size() == row_size * static_cast<std::size_t>(size),
                  "crop_to_input: the input is [size, size, 3]");
  MAQUETTE_ASSERT(crop.side > 0, "crop_to_input: an empty crop");
  const detail::resample_axis& columns = workspace.columns;
  const detail::resample_axis& rows = workspace.rows;
  detail::make_resample_axis(crop.x, crop.side, photo.width, size, workspace.columns);
  detail::make_resample_axis(crop.y, crop.side, photo.height, size, workspace.rows);

  std::int32_t first_row = photo.height;
  std::int32_t last_row = 0;
  for (const detail::resample_taps& taps : rows.taps) {
    if (taps.count == 0) continue;
    first_row = std::min(first_row, taps.first);
    last_row = std::max(last_row, taps.first + taps.count);
  }
  workspace.narrowed.resize(static_cast<std::size_t>(std::max(last_row - first_row, 0)) * row_size);
  float* out = workspace.narrowed.data();
  for (std::int32_t y = first_row; y < last_row; ++y) {
    const std::uint8_t* const row = photo.pixels + static_cast<std::size_t>(y) * photo.row_bytes;
    for (const detail::resample_taps& taps : columns.taps) {
      float sum[3] = {taps.outside * outside_grey, taps.outside * outside_grey,
                      taps.outside * outside_grey};
      const std::uint8_t* pixel = row + 3 * static_cast<std::size_t>(taps.first);
      const float* const weight = columns.weights.data() + taps.weights;
      for (std::int32_t i = 0; i < taps.count; ++i, pixel += 3)
        for (std::size_t c = 0; c < 3; ++c) sum[c] += weight[i] * pixel[c];
      out = std::copy(sum, sum + 3, out);
    }
  }

  float* target = input.data();
  for (const detail::resample_taps& taps : rows.taps) {
    std::fill(target, target + row_size, taps.outside * outside_grey);
    const float* const weight = rows.weights.data() + taps.weights;
    for (std::int32_t i = 0; i < taps.count; ++i) {
      const float* const in = workspace.narrowed.data() +
                              static_cast<std::size_t>(taps.first + i - first_row) * row_size;
      for (std::size_t x = 0; x < row_size; ++x) target[x] += weight[i] * in[x];
    }
    for (std::size_t x = 0; x < row_size; ++x) target[x] = target[x] / 255.0F - 0.5F;
    target += row_size;
  }
}

}  // namespace maquette
