#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

/// Scan conversion of one triangle: which pixels it covers, exactly, and where inside the triangle
/// each of them lies.
///
/// Coordinates are snapped to a grid of 1/256 pixel and the three edge functions are evaluated in
/// 64-bit integers, so two triangles that share an edge decide every pixel on it from the same
/// numbers: with the top-left rule exactly one of them owns a pixel centre that lies on the edge,
/// and a closed mesh has neither holes nor double pixels.
namespace maquette::kernel {

/// Bits of a pixel kept when a coordinate is snapped.
inline constexpr int raster_subpixel_bits = 8;
inline constexpr std::int32_t raster_subpixels = std::int32_t{1} << raster_subpixel_bits;

/// Largest |x| or |y|, in pixels, that can be drawn: edge functions then stay below 2^61.
inline constexpr float raster_coordinate_limit = 1048576.0F;

/// Half-open rectangle of pixels [left, right) x [top, bottom).
struct raster_window {
  std::int32_t left = 0;
  std::int32_t top = 0;
  std::int32_t right = 0;
  std::int32_t bottom = 0;
};

/// A corner on the grid of 1/256 pixel.
struct raster_point {
  std::int32_t x = 0;
  std::int32_t y = 0;
};

/// True for finite coordinates that the fixed-point grid can hold (false for NaN).
[[nodiscard]] inline bool raster_representable(float x, float y) noexcept {
  return x >= -raster_coordinate_limit && x <= raster_coordinate_limit &&
         y >= -raster_coordinate_limit && y <= raster_coordinate_limit;
}

/// Snaps a pixel coordinate to the grid: floor(256 v + 1/2), exactly; for what the grid can hold.
[[nodiscard]] inline std::int32_t raster_snap(float v) noexcept {
  const float scaled = static_cast<float>(raster_subpixels) * v;
  const auto truncated = static_cast<std::int32_t>(scaled);
  const float fraction = scaled - static_cast<float>(truncated);  // exact, in (-1, 1)
  return truncated + std::int32_t{fraction >= 0.5F} - std::int32_t{fraction < -0.5F};
}

/// Snaps pixel coordinates to the grid; needs `raster_representable(x, y)`.
[[nodiscard]] inline raster_point raster_snap(float x, float y) noexcept {
  return {raster_snap(x), raster_snap(y)};
}

/// Twice the signed area in grid units: positive when a, b, c turn clockwise on the screen (y
/// down).
[[nodiscard]] inline std::int64_t raster_area(raster_point a, raster_point b,
                                              raster_point c) noexcept {
  return std::int64_t{b.x - a.x} * (c.y - a.y) - std::int64_t{b.y - a.y} * (c.x - a.x);
}

/// Pixels whose centres may lie inside the triangle, cut to `window`; empty when none can.
[[nodiscard]] inline raster_window raster_bounds(raster_point a, raster_point b, raster_point c,
                                                 const raster_window& window) noexcept {
  constexpr std::int32_t half = raster_subpixels / 2;
  // Arithmetic shift floors, also below zero (C++20).
  const auto first = [](std::int32_t v) {
    return (v - half + raster_subpixels - 1) >> raster_subpixel_bits;
  };
  const auto last = [](std::int32_t v) { return ((v - half) >> raster_subpixel_bits) + 1; };
  return {std::max(window.left, first(std::min({a.x, b.x, c.x}))),
          std::max(window.top, first(std::min({a.y, b.y, c.y}))),
          std::min(window.right, last(std::max({a.x, b.x, c.x}))),
          std::min(window.bottom, last(std::max({a.y, b.y, c.y})))};
}

/// Edge function of a -> b, E(p) = (b - a) x (p - a), stepped over pixel centres; inside is E +
/// bias >= 0.
struct raster_edge {
  std::int64_t value = 0;   ///< E at the first pixel centre of the row
  std::int64_t step_x = 0;  ///< change of E for one pixel to the right
  std::int64_t step_y = 0;  ///< change of E for one pixel down
  std::int64_t bias = 0;    ///< 0 on top and left edges, -1 on the others

  raster_edge(raster_point a, raster_point b, std::int32_t x, std::int32_t y) noexcept {
    constexpr std::int64_t half = raster_subpixels / 2;
    const std::int64_t dx = std::int64_t{b.x} - a.x;
    const std::int64_t dy = std::int64_t{b.y} - a.y;
    const std::int64_t px = std::int64_t{x} * raster_subpixels + half;
    const std::int64_t py = std::int64_t{y} * raster_subpixels + half;
    value = dx * (py - a.y) - dy * (px - a.x);
    step_x = -dy * raster_subpixels;
    step_y = dx * raster_subpixels;
    bias = (dy < 0 || (dy == 0 && dx > 0)) ? 0 : -1;
  }
};

/// Calls `sink(x, y, b0, b1, b2)` for each covered pixel of the triangle inside `box`, which lies
/// within `raster_bounds`; b are the barycentrics of the pixel centre on the screen (not yet
/// perspective-correct), in the order of the corners a, b, c as given.
///
/// `area` is `raster_area(a, b, c)`; either sign is drawn, zero may not be given. A sink that
/// ignores b costs no division.
template <class Sink>
inline void raster_scan_box(raster_point a, raster_point b, raster_point c, std::int64_t area,
                            const raster_window& box, Sink&& sink) noexcept {
  const bool clockwise = area > 0;
  const raster_point second = clockwise ? b : c;
  const raster_point third = clockwise ? c : b;
  raster_edge opposite_a(second, third, box.left, box.top);
  raster_edge opposite_second(third, a, box.left, box.top);
  raster_edge opposite_third(a, second, box.left, box.top);
  const double scale = 1.0 / static_cast<double>(clockwise ? area : -area);

  for (std::int32_t y = box.top; y < box.bottom; ++y) {
    std::int64_t e0 = opposite_a.value;
    std::int64_t e1 = opposite_second.value;
    std::int64_t e2 = opposite_third.value;
    bool entered = false;
    for (std::int32_t x = box.left; x < box.right; ++x) {
      // One sign test for three edges: the sign bit of the union is set when any of them is
      // negative.
      if (((e0 + opposite_a.bias) | (e1 + opposite_second.bias) | (e2 + opposite_third.bias)) >=
          0) {
        entered = true;
        const auto w0 = static_cast<float>(static_cast<double>(e0) * scale);
        const auto w1 = static_cast<float>(static_cast<double>(e1) * scale);
        const auto w2 = static_cast<float>(static_cast<double>(e2) * scale);
        sink(x, y, w0, clockwise ? w1 : w2, clockwise ? w2 : w1);
      } else if (entered) {
        break;  // a triangle is convex: the row is done
      }
      e0 += opposite_a.step_x;
      e1 += opposite_second.step_x;
      e2 += opposite_third.step_x;
    }
    opposite_a.value += opposite_a.step_y;
    opposite_second.value += opposite_second.step_y;
    opposite_third.value += opposite_third.step_y;
  }
}

/// `raster_scan_box` within the triangle's bounds inside `window`; draws nothing for an area of
/// zero.
template <class Sink>
inline void raster_scan(raster_point a, raster_point b, raster_point c, std::int64_t area,
                        const raster_window& window, Sink&& sink) noexcept {
  if (area == 0) return;
  const raster_window box = raster_bounds(a, b, c, window);
  if (box.left >= box.right || box.top >= box.bottom) return;
  raster_scan_box(a, b, c, area, box, std::forward<Sink>(sink));
}

}  // namespace maquette::kernel
