// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "maquette/kernel/raster.hpp"

namespace maquette::kernel {

/// Which signs of a face's area are drawn, and how near it may come.
struct raster_rules {
  float near_plane = 0;
  bool clockwise = true;
  bool counter_clockwise = true;
};

/// Faces that are prepared side by side: most of a fine mesh's are turned away or fall between
/// pixel centres, and that is decided in loops over the whole batch, which compilers turn into
/// vectors.
struct raster_batch {
  static constexpr std::size_t capacity = 64;
  template <class T>
  using lanes = std::array<T, capacity>;

  alignas(64) std::array<lanes<float>, 3> x;  ///< pixels, one array a corner
  alignas(64) std::array<lanes<float>, 3> y;
  alignas(64) std::array<lanes<float>, 3> z;
  alignas(64) std::array<lanes<std::int32_t>, 3> grid_x;  ///< on the grid of 1/256 pixel
  alignas(64) std::array<lanes<std::int32_t>, 3> grid_y;
  alignas(64) lanes<std::int32_t> left;  ///< `raster_bounds`
  alignas(64) lanes<std::int32_t> top;
  alignas(64) lanes<std::int32_t> right;
  alignas(64) lanes<std::int32_t> bottom;
  alignas(64) lanes<std::int32_t> usable;  ///< 1 for faces that can be drawn, 0 for those dropped
  alignas(64) lanes<std::int32_t> seen;    ///< 1 for those that may cover a pixel
  alignas(64) lanes<std::int64_t> area;    ///< `raster_area`

  /// An unused place, or a face whose corners do not exist.
  void leave_out(std::size_t i) {
    for (std::size_t k = 0; k < 3; ++k) x[k][i] = y[k][i] = z[k][i] = 0;
  }

  raster_point corner(std::size_t k, std::size_t i) const { return {grid_x[k][i], grid_y[k][i]}; }
  raster_window box(std::size_t i) const { return {left[i], top[i], right[i], bottom[i]}; }

  /// Fills everything below the corners from them.
  void prepare(const raster_rules& rules, const raster_window& window) {
    find_usable(rules.near_plane);
    for (std::size_t k = 0; k < 3; ++k) {
      snap(x[k], grid_x[k]);
      snap(y[k], grid_y[k]);
    }
    bound(grid_x, window.left, window.right, left, right);
    bound(grid_y, window.top, window.bottom, top, bottom);
    for (std::size_t i = 0; i < capacity; ++i) {
      const std::int64_t abx = grid_x[1][i] - grid_x[0][i];
      const std::int64_t aby = grid_y[1][i] - grid_y[0][i];
      const std::int64_t acx = grid_x[2][i] - grid_x[0][i];
      const std::int64_t acy = grid_y[2][i] - grid_y[0][i];
      area[i] = abx * acy - aby * acx;
    }
    const std::int32_t clockwise = rules.clockwise ? 1 : 0;
    const std::int32_t counter_clockwise = rules.counter_clockwise ? 1 : 0;
    for (std::size_t i = 0; i < capacity; ++i) {
      const std::int32_t drawn =
          (clockwise & std::int32_t{area[i] > 0}) | (counter_clockwise & std::int32_t{area[i] < 0});
      seen[i] =
          usable[i] & drawn & std::int32_t{left[i] < right[i]} & std::int32_t{top[i] < bottom[i]};
    }
  }

 private:
  /// `raster_representable` and a depth that can be divided by; the corners of others become 0.
  void find_usable(float near_plane) {
    constexpr float limit = raster_coordinate_limit;
    constexpr float far_limit = std::numeric_limits<float>::max();
    usable.fill(1);
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t i = 0; i < capacity; ++i) {
        usable[i] &= std::int32_t{x[k][i] >= -limit} & std::int32_t{x[k][i] <= limit} &
                     std::int32_t{y[k][i] >= -limit} & std::int32_t{y[k][i] <= limit} &
                     std::int32_t{z[k][i] >= near_plane} & std::int32_t{z[k][i] <= far_limit} &
                     std::int32_t{z[k][i] > 0};
      }
    }
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t i = 0; i < capacity; ++i) {
        x[k][i] = usable[i] != 0 ? x[k][i] : 0;
        y[k][i] = usable[i] != 0 ? y[k][i] : 0;
      }
    }
  }

  static void snap(const lanes<float>& pixels, lanes<std::int32_t>& grid) {
    for (std::size_t i = 0; i < capacity; ++i) grid[i] = raster_snap(pixels[i]);
  }

  /// `raster_bounds` along one axis.
  static void bound(const std::array<lanes<std::int32_t>, 3>& corner, std::int32_t first,
                    std::int32_t last, lanes<std::int32_t>& from, lanes<std::int32_t>& to) {
    constexpr std::int32_t half = raster_subpixels / 2;
    for (std::size_t i = 0; i < capacity; ++i) {
      // By value: a minimum of references would be a load that depends on the numbers.
      const std::int32_t a = corner[0][i];
      const std::int32_t b = corner[1][i];
      const std::int32_t c = corner[2][i];
      const std::int32_t least = std::min(a, std::min(b, c));
      const std::int32_t most = std::max(a, std::max(b, c));
      from[i] = std::max(first, (least - half + raster_subpixels - 1) >> raster_subpixel_bits);
      to[i] = std::min(last, ((most - half) >> raster_subpixel_bits) + 1);
    }
  }
};

}  // namespace maquette::kernel
