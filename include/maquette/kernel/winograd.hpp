// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016):
/// a tile of 4 x 4 outputs takes 36 products a pair of channels where the definition takes 144.
///
/// out = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A for a tile's 6 x 6 inputs d and a
/// kernel g, element by element: 36 points, each of them a product of tiles and panels.
namespace maquette::kernel::detail {

inline constexpr int winograd_tile = 4;
inline constexpr int winograd_patch = 6;
inline constexpr int winograd_points = winograd_patch * winograd_patch;
/// Tiles that share a panel of weights while it is in the cache.
inline constexpr int winograd_block = 2 * tile_rows;

/// Whether weights are prepared for it: where the channels fill a vector and are not too few.
constexpr bool winograd_prepares(const conv2d_geometry& g) {
  return g.may_transform && g.kernel.y == 3 && g.kernel.x == 3 && g.stride.y == 1 &&
         g.stride.x == 1 && g.padding.y == 1 && g.padding.x == 1 &&
         g.in_channels >= std::max(16, simd::width) && g.out_channels >= 16;
}
/// Whether it is the faster way: on maps that have tiles enough to share the weights.
constexpr bool winograd_pays(const conv2d_geometry& g) {
  return winograd_prepares(g) && g.height >= 8 && g.width >= 8;
}

/// Tiles side by side along an extent of the map.
constexpr int winograd_tiles(int extent) { return (extent + winograd_tile - 1) / winograd_tile; }

constexpr std::size_t winograd_weights_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(winograd_points) *
         static_cast<std::size_t>(padded_channels(g.out_channels)) *
         static_cast<std::size_t>(g.in_channels);
}

/// From one point of a block to the next: a line more than its values, because at a power of two
/// all points would fight for the same few places of the first-level cache.
constexpr int winograd_point_stride(const conv2d_geometry& g) {
  return winograd_block * g.in_channels + simd::width;
}

/// Blocks that are transformed before they are multiplied: few, to stay in the second-level cache,
/// where each panel reads them again, but enough for eight products, each a task for a thread.
constexpr int winograd_strip(const conv2d_geometry& g) {
  return std::max(2, 8 / panel_count(g.out_channels));
}

/// How many floats a strip of transformed tiles takes.
constexpr std::size_t winograd_scratch_size(const conv2d_geometry& g) {
  const int tiles = winograd_tiles(g.height) * winograd_tiles(g.width);
  const int blocks = std::min((tiles + winograd_block - 1) / winograd_block, winograd_strip(g));
  return static_cast<std::size_t>(blocks * winograd_points * winograd_point_stride(g) -
                                  simd::width);
}

/// G g G^T of the 3x3 kernel g, in double precision, row by row.
inline void winograd_kernel(const float* g, double scale, double (&points)[winograd_points]) {
  constexpr double transform[6][3] = {{1.0 / 4, 0, 0},
                                      {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                      {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                      {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                      {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                      {0, 0, 1}};
  for (int y = 0; y < winograd_patch; ++y)
    for (int x = 0; x < winograd_patch; ++x) {
      double sum = 0;
      for (int ky = 0; ky < 3; ++ky)
        for (int kx = 0; kx < 3; ++kx)
          sum += transform[y][ky] * transform[x][kx] * static_cast<double>(g[ky * 3 + kx]);
      points[y * winograd_patch + x] = scale * sum;
    }
}

/// Lays out what `winograd_kernel` gives as [panel][point][i][o in panel]; `to` is zero.
inline void winograd_pack(const conv2d_geometry& g, int o, double scale, const float* weight,
                          float* to) {
  const int panel = o / panel_width;
  const int width = width_of_panel(g.out_channels, panel);
  float* column =
      to + static_cast<std::ptrdiff_t>(panel) * winograd_points * g.in_channels * panel_width +
      o % panel_width;
  for (int i = 0; i < g.in_channels; ++i) {
    double points[winograd_points];
    winograd_kernel(weight + static_cast<std::ptrdiff_t>(i) * 9, scale, points);
    for (int point = 0; point < winograd_points; ++point)
      column[(static_cast<std::ptrdiff_t>(point) * g.in_channels + i) * width] =
          static_cast<float>(points[point]);
  }
}

/// to = B^T d.
MAQUETTE_INLINE void winograd_input(const simd::vector (&d)[6], simd::vector (&to)[6]) {
  to[0] = 4.0F * d[0] + (d[4] - 5.0F * d[2]);
  const simd::vector even = d[4] - 4.0F * d[2];
  const simd::vector odd = d[3] - 4.0F * d[1];
  to[1] = even + odd;
  to[2] = even - odd;
  const simd::vector half_even = d[4] - d[2];
  const simd::vector half_odd = d[3] - d[1];
  to[3] = half_even + 2.0F * half_odd;
  to[4] = half_even - 2.0F * half_odd;
  to[5] = 4.0F * d[1] + (d[5] - 5.0F * d[3]);
}

/// to = A^T m.
MAQUETTE_INLINE void winograd_output(const simd::vector (&m)[6], simd::vector (&to)[4]) {
  const simd::vector one_sum = m[1] + m[2];
  const simd::vector one_difference = m[1] - m[2];
  const simd::vector two_sum = m[3] + m[4];
  const simd::vector two_difference = m[3] - m[4];
  to[0] = m[0] + one_sum + two_sum;
  to[1] = one_difference + 2.0F * two_difference;
  to[2] = one_sum + 4.0F * two_sum;
  to[3] = one_difference + 8.0F * two_difference + m[5];
}

/// One call's arguments, and what follows from them.
struct winograd_call {
  const conv2d_geometry& g;
  const float* in;
  const float* weights;
  epilogue finish;
  int tiles_across;
  int tiles;

  /// The panel's weights at one point.
  const float* panel(int index, int point) const {
    const std::ptrdiff_t width = width_of_panel(g.out_channels, index);
    return weights +
           (static_cast<std::ptrdiff_t>(index) * winograd_points * panel_width + point * width) *
               g.in_channels;
  }
};

/// B^T d B of one tile: writes each point's channels `point_stride` after the last one's.
inline void winograd_transform(const winograd_call& call, int tile, float* to,
                               std::ptrdiff_t point_stride) {
  const conv2d_geometry& g = call.g;
  const int top = tile / call.tiles_across * winograd_tile - 1;
  const int left = tile % call.tiles_across * winograd_tile - 1;
  const bool whole =
      top >= 0 && left >= 0 && top + winograd_patch <= g.height && left + winograd_patch <= g.width;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(g.width) * g.in_channels;
  const std::ptrdiff_t from = top * row + static_cast<std::ptrdiff_t>(left) * g.in_channels;
  const auto inside = [&](int y, int x) {
    return top + y >= 0 && top + y < g.height && left + x >= 0 && left + x < g.width;
  };
  for (int channel = 0; channel < g.in_channels; channel += simd::width) {
    // Where the channels end within a vector, the last one starts early and repeats some.
    const int c = std::min(channel, g.in_channels - simd::width);
    simd::vector half[winograd_patch][winograd_patch];
    for (int y = 0; y < winograd_patch; ++y) {
      simd::vector d[winograd_patch];
#pragma GCC unroll 6
      for (int x = 0; x < winograd_patch; ++x) {
        const std::ptrdiff_t at = from + y * row + x * g.in_channels + c;
        d[x] = whole || inside(y, x) ? simd::load(call.in + at) : simd::vector{};
        // The next tile's.
        if (x >= winograd_patch - winograd_tile)
          simd::prefetch(call.in + at + winograd_tile * g.in_channels);
      }
      winograd_input(d, half[y]);
    }
    for (int x = 0; x < winograd_patch; ++x) {
      simd::vector d[winograd_patch];
      simd::vector points[winograd_patch];
#pragma GCC unroll 6
      for (int y = 0; y < winograd_patch; ++y) d[y] = half[y][x];
      winograd_input(d, points);
#pragma GCC unroll 6
      for (int y = 0; y < winograd_patch; ++y)
        simd::store(to + (y * winograd_patch + x) * point_stride + c, points[y]);
    }
  }
}

/// A^T m A of one tile and vector of channels, on to the output; `m` has a point each `stride`.
inline void winograd_inverse(const winograd_call& call, int tile, int channel, const float* m,
                             std::ptrdiff_t stride) {
  const int top = tile / call.tiles_across * winograd_tile;
  const int left = tile % call.tiles_across * winograd_tile;
  const int height = std::min(winograd_tile, call.g.height - top);
  const int width = std::min(winograd_tile, call.g.width - left);
  simd::vector half[winograd_tile][winograd_patch];
#pragma GCC unroll 6
  for (int x = 0; x < winograd_patch; ++x) {
    simd::vector d[winograd_patch];
    simd::vector column[winograd_tile];
#pragma GCC unroll 6
    for (int y = 0; y < winograd_patch; ++y)
      d[y] = simd::load(m + (y * winograd_patch + x) * stride);
    winograd_output(d, column);
#pragma GCC unroll 4
    for (int y = 0; y < winograd_tile; ++y) half[y][x] = column[y];
  }
#pragma GCC unroll 4
  for (int y = 0; y < winograd_tile; ++y) {
    if (y >= height) break;
    simd::vector row[winograd_tile];
    winograd_output(half[y], row);
    const int pixel = (top + y) * call.g.width + left;
#pragma GCC unroll 4
    for (int x = 0; x < winograd_tile; ++x)
      if (x < width) call.finish(pixel + x, channel, row[x]);
  }
}

/// The products of a tile's rows, stored; a call of its own, so that the inner loop has all
/// registers.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void multiply_and_store(const float* rows, const float* panel, int depth,
                                          const float* ahead, float* to, std::ptrdiff_t distance) {
  tile_sums<Rows, Vectors> sum = {};
  multiply<Rows, Vectors>(sum, rows, depth, panel, depth, ahead);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) simd::store(to + r * distance + v * simd::width, sum[r][v]);
}

/// The products of a block of transformed tiles with one panel at all points, and their inverse; on
/// the stack they take 74 KB with vectors of 16, less with smaller ones.
template <int Vectors>
void winograd_multiply(const winograd_call& call, int panel, int first_tile, int tiles,
                       const float* transformed) {
  constexpr int width = Vectors * simd::width;
  constexpr int tile_stride = winograd_points * width;
  alignas(64) float products[winograd_block * tile_stride];
  const int depth = call.g.in_channels;
  for (int point = 0; point < winograd_points; ++point) {
    const float* tile =
        transformed + static_cast<std::ptrdiff_t>(point) * winograd_point_stride(call.g);
    const float* weights = call.panel(panel, point);
    const float* ahead = weights + depth * width;
    float* to = products + point * width;
    for_each_tile(tiles, [&]<int Rows>(int begin) {
      multiply_and_store<Rows, Vectors>(tile + static_cast<std::ptrdiff_t>(begin) * depth, weights,
                                        depth, ahead, to + begin * tile_stride, tile_stride);
      ahead += depth * simd::width;
    });
  }
  for (int tile = 0; tile < tiles; ++tile)
    for (int v = 0; v < Vectors; ++v)
      winograd_inverse(call, first_tile + tile, panel * panel_width + v * simd::width,
                       products + tile * tile_stride + v * simd::width, width);
}

/// The convolution: strip by strip the tiles' transforms, then their products and inverses. NaN and
/// infinity make the whole of each tile that sees them NaN or infinite.
inline void winograd(const cpu& backend, const conv2d_geometry& g, const float* in,
                     const float* weights, const epilogue& finish, float* scratch) {
  const int across = winograd_tiles(g.width);
  const winograd_call call{g, in, weights, finish, across, across * winograd_tiles(g.height)};
  const std::ptrdiff_t point_stride = winograd_point_stride(g);
  const auto block_of = [&](int tile) {
    return scratch + tile / winograd_block * winograd_points * point_stride;
  };
  const int strip = winograd_strip(g) * winograd_block;
  for (int first = 0; first < call.tiles; first += strip) {
    const int tiles = std::min(strip, call.tiles - first);
    constexpr int a_task = 4;
    const int transforms = (tiles + a_task - 1) / a_task;
    backend.threads.for_each(static_cast<std::size_t>(transforms), [&](std::size_t task) {
      const int begin = static_cast<int>(task) * a_task;
      for (int tile = begin; tile < std::min(begin + a_task, tiles); ++tile) {
        float* to = block_of(tile) + tile % winograd_block * std::ptrdiff_t{g.in_channels};
        winograd_transform(call, first + tile, to, point_stride);
      }
    });
    const int blocks = (tiles + winograd_block - 1) / winograd_block;
    const int products = panel_count(g.out_channels) * blocks;
    backend.threads.for_each(static_cast<std::size_t>(products), [&](std::size_t task) {
      // A panel's blocks one behind the other: its weights stay in the second-level cache.
      const int panel = static_cast<int>(task) / blocks;
      const int begin = static_cast<int>(task) % blocks * winograd_block;
      const int count = std::min(winograd_block, tiles - begin);
      for_panel(g.out_channels, panel, [&]<int Vectors>() {
        winograd_multiply<Vectors>(call, panel, first + begin, count, block_of(begin));
      });
    });
  }
}

}  // namespace maquette::kernel::detail
