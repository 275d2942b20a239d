// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "maquette/core/assert.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// An sRGB colour, 0 to 255 a channel.
struct colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
};

/// A picture to draw into: borrowed RGB bytes [height, width, 3], row-major.
struct canvas {
  std::span<std::uint8_t> pixels;
  int width = 0;
  int height = 0;

  [[nodiscard]] std::uint8_t* at(int x, int y) const {
    return pixels.data() + 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                static_cast<std::size_t>(x));
  }
  [[nodiscard]] bool complete() const {
    return width > 0 && height > 0 &&
           pixels.size() == 3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  }
};

namespace detail {

/// old + opacity (new - old), rounded.
inline void mix(std::uint8_t* pixel, const std::array<float, 3>& value, float opacity) {
  for (std::size_t k = 0; k < 3; ++k) {
    const auto old = static_cast<float>(pixel[k]);
    pixel[k] = static_cast<std::uint8_t>(
        std::clamp(old + opacity * (value[k] - old), 0.0F, 255.0F) + 0.5F);
  }
}

}  // namespace detail

/// Fills the picture: `above` at the top, `below` at the bottom, a gradient between.
inline void fill(const canvas& picture, colour above, colour below) {
  MAQUETTE_ASSERT(picture.complete(), "a canvas holds width x height x 3 bytes");
  for (int y = 0; y < picture.height; ++y) {
    const float t = static_cast<float>(y) / static_cast<float>(std::max(1, picture.height - 1));
    const auto between = [t](std::uint8_t a, std::uint8_t b) {
      return static_cast<std::uint8_t>(static_cast<float>(a) * (1 - t) + static_cast<float>(b) * t +
                                       0.5F);
    };
    const colour row{between(above.red, below.red), between(above.green, below.green),
                     between(above.blue, below.blue)};
    for (int x = 0; x < picture.width; ++x) {
      std::uint8_t* const pixel = picture.at(x, y);
      pixel[0] = row.red;
      pixel[1] = row.green;
      pixel[2] = row.blue;
    }
  }
}

/// Draws a line with round ends, anti-aliased, from `a` to `b` (pixels); a dot where they are the
/// same. Nothing is drawn for ends that are not finite.
///
/// Each pixel is covered by clamp(radius + 1/2 - distance of its centre, 0, 1).
inline void draw_line(const canvas& picture, image_point a, image_point b, double radius,
                      colour ink, double opacity = 1) {
  MAQUETTE_ASSERT(picture.complete(), "a canvas holds width x height x 3 bytes");
  const double reach = radius + 1;
  const auto first = [](double v, int size) {
    return static_cast<int>(std::floor(std::clamp(v, 0.0, static_cast<double>(size))));
  };
  if (!std::isfinite(a.u) || !std::isfinite(a.v) || !std::isfinite(b.u) || !std::isfinite(b.v)) {
    return;
  }
  const int left = first(std::min(a.u, b.u) - reach, picture.width);
  const int right = first(std::max(a.u, b.u) + reach + 1, picture.width);
  const int top = first(std::min(a.v, b.v) - reach, picture.height);
  const int bottom = first(std::max(a.v, b.v) + reach + 1, picture.height);
  const double du = b.u - a.u;
  const double dv = b.v - a.v;
  const double square = du * du + dv * dv;
  const std::array<float, 3> value{static_cast<float>(ink.red), static_cast<float>(ink.green),
                                   static_cast<float>(ink.blue)};
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const double pu = x + 0.5 - a.u;
      const double pv = y + 0.5 - a.v;
      const double t = square > 0 ? std::clamp((pu * du + pv * dv) / square, 0.0, 1.0) : 0.0;
      const double distance = std::hypot(pu - t * du, pv - t * dv);
      const double cover = std::clamp(radius + 0.5 - distance, 0.0, 1.0);
      if (cover > 0) detail::mix(picture.at(x, y), value, static_cast<float>(cover * opacity));
    }
  }
}

}  // namespace maquette
