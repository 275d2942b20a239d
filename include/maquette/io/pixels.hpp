// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "maquette/core/assert.hpp"
#include "maquette/core/simd.hpp"

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
MAQUETTE_NOINLINE inline void make_resample_axis(double start, double length, std::int32_t source,
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

/// Room for any axis from `source` to `target` pixels: a target pixel meets at most 2 s + 1 of the
/// source's, s = max(1, scale), and at most source / s + 3 target pixels meet any.
inline void reserve_resample_axis(std::int32_t source, std::int32_t target, resample_axis& axis) {
  // Beyond the largest pictures that are read from files it is left to chance.
  const auto most = static_cast<std::size_t>(std::min(source, 1 << 16));
  axis.taps.reserve(static_cast<std::size_t>(target));
  axis.weights.reserve(5 * most + 3 * static_cast<std::size_t>(target));
}

/// A picture's bytes [height, width, 3], rows so many bytes apart: borrowed.
struct pixel_rows {
  const std::uint8_t* pixels;
  std::size_t row_bytes;
};

/// What `resample_rows` works in, kept from call to call.
struct resample_workspace {
  resample_axis columns;
  resample_axis rows;
  std::vector<float> column_sums;  ///< of the source's columns that are seen, for one target row
  std::vector<float> target_row;
};

/// sum += weight[0] * rows[0] + weight[1] * rows[1] + ..., the rows so many bytes apart.
template <std::size_t Rows>
void add_rows(const std::uint8_t* rows, std::size_t row_bytes, const float* weight,
              std::size_t count, float* sum) {
  for (std::size_t x = 0; x < count; ++x) {
    float value = sum[x];
    for (std::size_t i = 0; i < Rows; ++i) {
      value += weight[i] * static_cast<float>(rows[i * row_bytes + x]);
    }
    sum[x] = value;
  }
}

/// The weighted sum of the source rows that one target row sees, over `count` bytes from `first`
/// on.
inline void sum_rows(const pixel_rows& source, const resample_taps& taps, const float* weight,
                     std::size_t first, std::size_t count, float* sum) {
  std::fill(sum, sum + count, taps.outside * outside_grey);
  if (taps.count == 0) return;
  const std::uint8_t* row =
      source.pixels + static_cast<std::size_t>(taps.first) * source.row_bytes + first;
  constexpr std::int32_t together = 4;
  std::int32_t i = 0;
  for (; i + together <= taps.count; i += together, row += together * source.row_bytes) {
    add_rows<together>(row, source.row_bytes, weight + i, count, sum);
  }
  for (; i < taps.count; ++i, row += source.row_bytes) {
    add_rows<1>(row, source.row_bytes, weight + i, count, sum);
  }
}

/// Hands each row of the target that the workspace's axes describe to `finish(row)`, [3 columns]
/// floats of 0 to 255, from the top: first down the source's columns, whose bytes lie side by side,
/// then along the one row that is left of them.
template <class Finish>
void resample_rows(const pixel_rows& source, resample_workspace& workspace, const Finish& finish) {
  const resample_axis& columns = workspace.columns;
  std::int32_t begin = std::numeric_limits<std::int32_t>::max();
  std::int32_t end = 0;
  for (const resample_taps& taps : columns.taps) {
    if (taps.count == 0) continue;
    begin = std::min(begin, taps.first);
    end = std::max(end, taps.first + taps.count);
  }
  const std::size_t seen = end > begin ? 3 * static_cast<std::size_t>(end - begin) : 0;
  // Four floats are read and written where a pixel has three: one more at the end.
  workspace.column_sums.resize(seen + 1);
  workspace.target_row.resize(3 * columns.taps.size() + 1);
  for (const resample_taps& taps : workspace.rows.taps) {
    if (seen != 0) {
      sum_rows(source, taps, workspace.rows.weights.data() + taps.weights,
               3 * static_cast<std::size_t>(begin), seen, workspace.column_sums.data());
    }
    float* out = workspace.target_row.data();
    for (const resample_taps& across : columns.taps) {
      simd::quad sum = simd::broadcast_quad(across.outside * outside_grey);
      const float* const weight = columns.weights.data() + across.weights;
      const float* in =
          workspace.column_sums.data() +
          3 * (across.count == 0 ? 0 : static_cast<std::size_t>(across.first - begin));
      for (std::int32_t i = 0; i < across.count; ++i, in += 3) {
        sum += simd::broadcast_quad(weight[i]) * simd::load_quad(in);
      }
      simd::store_quad(out, sum);
      out += 3;
    }
    finish(std::span<const float>(workspace.target_row).first(3 * columns.taps.size()));
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
  detail::resample_workspace workspace;
  detail::make_resample_axis(box.x, box.width, source.width, width, workspace.columns);
  detail::make_resample_axis(box.y, box.height, source.height, height, workspace.rows);
  std::uint8_t* pixel = target.pixels.data();
  detail::resample_rows({source.pixels.data(), 3 * static_cast<std::size_t>(source.width)},
                        workspace, [&](std::span<const float> row) {
                          for (const float value : row) {
                            *pixel++ =
                                static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
                          }
                        });
  return target;
}

/// Cuts a square with side `side` and upper left corner `x`, `y` out of a picture, as a picture of
/// `size` x `size`: what a network looks at.
inline image crop_resize(const image& source, float x, float y, float side, std::int32_t size) {
  return crop_resize(source, {x, y, side, side}, size, size);
}

}  // namespace maquette
