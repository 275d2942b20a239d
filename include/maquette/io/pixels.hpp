// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "maquette/core/assert.hpp"

namespace maquette {

/// A colour picture: rows from the top, [height, width, 3] bytes red, green, blue.
struct image {
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::vector<std::uint8_t> pixels;

  /// The three bytes of the pixel in column `x`, row `y`.
  const std::uint8_t* at(std::int32_t x, std::int32_t y) const {
    MAQUETTE_ASSERT(x >= 0 && x < width && y >= 0 && y < height, "image: no such pixel");
    return pixels.data() + 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                static_cast<std::size_t>(x));
  }
};

/// A part of a picture in its pixels: `x`, `y` is the upper left corner, and the picture itself is
/// the box {0, 0, width, height} (pixel centres at .5). It may reach beyond the picture.
struct pixel_box {
  float x = 0;
  float y = 0;
  float width = 0;
  float height = 0;
};

/// What is seen beyond the edge of a picture: mid grey, which normalises to about zero.
inline constexpr std::uint8_t outside_grey = 128;

namespace detail {

/// Which source pixels one row or column of the target sees, and how strongly.
struct resample_taps {
  std::int32_t first = 0;
  std::int32_t count = 0;
  std::size_t weights = 0;  ///< where its weights begin
  float outside = 0;        ///< the weight that falls beyond the picture
};

struct resample_axis {
  std::vector<resample_taps> taps;
  std::vector<float> weights;
};

/// Triangle filter as wide as a target pixel (at least as a source pixel): bilinear where the
/// picture is enlarged, an area average where it is reduced.
inline void make_resample_axis(double start, double length, std::int32_t source,
                               std::int32_t target, resample_axis& axis) {
  axis.taps.clear();
  axis.weights.clear();
  const double scale = length / target;
  const double support = std::max(scale, 1.0);
  for (std::int32_t i = 0; i < target; ++i) {
    const double centre = start + (i + 0.5) * scale;
    const auto low = static_cast<std::int64_t>(std::floor(centre - support + 0.5));
    const auto high = static_cast<std::int64_t>(std::floor(centre + support + 0.5));
    const auto weight = [&](std::int64_t at) {
      return std::max(0.0, 1.0 - std::abs(static_cast<double>(at) + 0.5 - centre) / support);
    };
    double sum = 0, inside = 0;
    for (std::int64_t at = low; at < high; ++at) sum += weight(at);
    resample_taps taps;
    taps.weights = axis.weights.size();
    const std::int64_t first = std::clamp<std::int64_t>(low, 0, source);
    const std::int64_t last = std::clamp<std::int64_t>(high, first, source);
    taps.first = static_cast<std::int32_t>(first);
    taps.count = static_cast<std::int32_t>(last - first);
    for (std::int64_t at = first; at < last; ++at) {
      inside += weight(at);
      axis.weights.push_back(static_cast<float>(weight(at) / sum));
    }
    taps.outside = static_cast<float>((sum - inside) / sum);
    axis.taps.push_back(taps);
  }
}

}  // namespace detail

/// Cuts `box` out of a picture and resizes it to `width` x `height`.
///
/// Separable triangle filter: bilinear when enlarging, antialiased (as wide as a target pixel) when
/// reducing. Beyond the picture all is grey 128. A box that is not finite, not positive or beyond
/// a million pixels gives a grey picture.
inline image crop_resize(const image& source, const pixel_box& box, std::int32_t width,
                         std::int32_t height) {
  MAQUETTE_ASSERT(width > 0 && height > 0, "crop_resize: the target needs a size");
  const auto target_width = static_cast<std::size_t>(width);
  image target{width, height, {}};
  target.pixels.assign(3 * target_width * static_cast<std::size_t>(height), outside_grey);
  constexpr float limit = 1 << 20;
  const auto usable = [](float start, float length) {
    return std::abs(start) <= limit && length > 0 && length <= limit;
  };
  if (!usable(box.x, box.width) || !usable(box.y, box.height)) return target;
  detail::resample_axis columns, rows;
  detail::make_resample_axis(box.x, box.width, source.width, width, columns);
  detail::make_resample_axis(box.y, box.height, source.height, height, rows);

  std::int32_t first_row = source.height, last_row = 0;
  for (const detail::resample_taps& taps : rows.taps) {
    if (taps.count == 0) continue;
    first_row = std::min(first_row, taps.first);
    last_row = std::max(last_row, taps.first + taps.count);
  }
  const std::size_t row_size = 3 * target_width;
  std::vector<float> narrowed(static_cast<std::size_t>(std::max(last_row - first_row, 0)) *
                              row_size);
  float* out = narrowed.data();
  for (std::int32_t y = first_row; y < last_row; ++y) {
    const std::uint8_t* in = source.pixels.data() + 3 * static_cast<std::size_t>(y) *
                                                        static_cast<std::size_t>(source.width);
    for (const detail::resample_taps& taps : columns.taps) {
      float sum[3] = {};
      for (float& channel : sum) channel = taps.outside * outside_grey;
      const std::uint8_t* pixel = in + 3 * static_cast<std::size_t>(taps.first);
      const float* weight = columns.weights.data() + taps.weights;
      for (std::int32_t i = 0; i < taps.count; ++i, pixel += 3)
        for (std::size_t c = 0; c < 3; ++c) sum[c] += weight[i] * pixel[c];
      out = std::copy(sum, sum + 3, out);
    }
  }

  std::vector<float> sum(row_size);
  std::uint8_t* pixel = target.pixels.data();
  for (const detail::resample_taps& taps : rows.taps) {
    std::fill(sum.begin(), sum.end(), taps.outside * outside_grey);
    const float* weight = rows.weights.data() + taps.weights;
    for (std::int32_t i = 0; i < taps.count; ++i) {
      const float* in =
          narrowed.data() + static_cast<std::size_t>(taps.first + i - first_row) * row_size;
      for (std::size_t x = 0; x < row_size; ++x) sum[x] += weight[i] * in[x];
    }
    for (const float value : sum)
      *pixel++ = static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
  }
  return target;
}

/// Cuts a square with side `side` and upper left corner `x`, `y` out of a picture, as a picture of
/// `size` x `size`: what a network looks at.
inline image crop_resize(const image& source, float x, float y, float side, std::int32_t size) {
  return crop_resize(source, {x, y, side, side}, size, size);
}

}  // namespace maquette
