// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "maquette/core/backend.hpp"
#include "maquette/core/bfloat16.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016):
/// a tile of 4 x 4 outputs takes 36 products a pair of channels where the definition takes 144.
///
/// out = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A for a tile's 6 x 6 inputs d and a
/// kernel g, element by element: 36 points, each of them a product of tiles and panels.
///
/// The polynomials behind it are evaluated at 0, +-near, +-far and infinity: in float at the usual
/// 1 and 2, in bfloat16 at 2/3 and 3/2, where rounding costs 2.3 times less and a transform an
/// operation in ten more.
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

/// How many factors a tile's channels are: floats, or words of two bfloat16.
template <class Factor>
constexpr int winograd_depth(const conv2d_geometry& g) {
  return std::is_same_v<Factor, float> ? g.in_channels : (g.in_channels + 1) / 2;
}

/// In floats or words of the same size.
template <class Factor>
constexpr std::size_t winograd_weights_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(winograd_points) *
         static_cast<std::size_t>(padded_channels(g.out_channels)) *
         static_cast<std::size_t>(winograd_depth<Factor>(g));
}

/// From one point of a block to the next: a line more than its values, because at a power of two
/// all points would fight for the same few places of the first-level cache.
template <class Factor>
constexpr int winograd_point_stride(const conv2d_geometry& g) {
  return winograd_block * winograd_depth<Factor>(g) + simd::width;
}

/// Blocks that are transformed before they are multiplied: few, to stay in the second-level cache,
/// where each panel reads them again, but enough for eight products, each a task for a thread.
constexpr int winograd_strip(const conv2d_geometry& g) {
  const int pairs_of_vectors = (vector_count(g.out_channels) + 1) / 2;
  return std::max(2, 8 / pairs_of_vectors);
}

/// How many floats or words a strip of transformed tiles takes.
template <class Factor>
constexpr std::size_t winograd_scratch_size(const conv2d_geometry& g) {
  const int tiles = winograd_tiles(g.height) * winograd_tiles(g.width);
  const int blocks = std::min((tiles + winograd_block - 1) / winograd_block, winograd_strip(g));
  return static_cast<std::size_t>(blocks * winograd_points * winograd_point_stride<Factor>(g) -
                                  simd::width);
}

/// The points other than 0 and infinity, of either sign, and their powers.
struct winograd_point {
  double value;
  float one = static_cast<float>(value);
  float square = static_cast<float>(value * value);
  float cube = static_cast<float>(value * value * value);
};
template <class Factor>
inline constexpr winograd_point winograd_near{std::is_same_v<Factor, float> ? 1.0 : 2.0 / 3.0};
template <class Factor>
inline constexpr winograd_point winograd_far{std::is_same_v<Factor, float> ? 2.0 : 3.0 / 2.0};

/// G g G^T of the 3x3 kernel g, in double precision, row by row: a row of G has the powers of its
/// point, over the product of its distances from the others.
template <class Factor>
void winograd_kernel(const float* g, double scale, double (&points)[winograd_points]) {
  constexpr double near = winograd_near<Factor>.value;
  constexpr double far = winograd_far<Factor>.value;
  constexpr double at[5] = {0, near, -near, far, -far};
  double transform[winograd_patch][3] = {{}, {}, {}, {}, {}, {0, 0, 1}};
  for (int row = 0; row < 5; ++row) {
    double distances = 1;
    for (int other = 0; other < 5; ++other)
      if (other != row) distances *= at[row] - at[other];
    transform[row][0] = 1 / distances;
    for (int power = 1; power < 3; ++power)
      transform[row][power] = transform[row][power - 1] * at[row];
  }
  for (int y = 0; y < winograd_patch; ++y)
    for (int x = 0; x < winograd_patch; ++x) {
      double sum = 0;
      for (int ky = 0; ky < 3; ++ky)
        for (int kx = 0; kx < 3; ++kx)
          sum += transform[y][ky] * transform[x][kx] * static_cast<double>(g[ky * 3 + kx]);
      points[y * winograd_patch + x] = scale * sum;
    }
}

/// Lays out what `winograd_kernel` gives as [panel][point][i][o in panel], pairs of bfloat16 as
/// [panel][point][i / 2][o in panel][i % 2]; `to` is zero.
template <class Factor>
void winograd_pack(const conv2d_geometry& g, int o, double scale, const float* weight, Factor* to) {
  const int whole = panel_width(g.out_channels);
  const int panel = o / whole;
  const int width = width_of_panel(g.out_channels, panel);
  const std::ptrdiff_t depth = winograd_depth<Factor>(g);
  Factor* column = to + panel * winograd_points * depth * whole + o % whole;
  for (int i = 0; i < g.in_channels; ++i) {
    double points[winograd_points];
    winograd_kernel<Factor>(weight + static_cast<std::ptrdiff_t>(i) * 9, scale, points);
    for (int point = 0; point < winograd_points; ++point) {
      const auto value = static_cast<float>(points[point]);
      if constexpr (std::is_same_v<Factor, float>) {
        column[(point * depth + i) * width] = value;
      } else {
        const std::uint32_t rounded = bfloat16(value).bits;
        column[(point * depth + i / 2) * width] |= rounded << (i % 2 * 16);
      }
    }
  }
}

/// to = B^T d: a row has the coefficients of the polynomial whose zeros are the other points.
template <class Factor>
MAQUETTE_INLINE void winograd_input(const simd::vector (&d)[6], simd::vector (&to)[6]) {
  constexpr winograd_point near = winograd_near<Factor>;
  constexpr winograd_point far = winograd_far<Factor>;
  constexpr float sum = near.square + far.square;
  constexpr auto product = static_cast<float>(near.value * near.value * far.value * far.value);
  to[0] = product * d[0] + (d[4] - sum * d[2]);
  const simd::vector near_even = d[4] - far.square * d[2];
  const simd::vector near_odd = d[3] - far.square * d[1];
  to[1] = near_even + near.one * near_odd;
  to[2] = near_even - near.one * near_odd;
  const simd::vector far_even = d[4] - near.square * d[2];
  const simd::vector far_odd = d[3] - near.square * d[1];
  to[3] = far_even + far.one * far_odd;
  to[4] = far_even - far.one * far_odd;
  to[5] = product * d[1] + (d[5] - sum * d[3]);
}

/// to = A^T m: a row has one power of every point.
template <class Factor>
MAQUETTE_INLINE void winograd_output(const simd::vector (&m)[6], simd::vector (&to)[4]) {
  constexpr winograd_point near = winograd_near<Factor>;
  constexpr winograd_point far = winograd_far<Factor>;
  const simd::vector near_sum = m[1] + m[2];
  const simd::vector near_difference = m[1] - m[2];
  const simd::vector far_sum = m[3] + m[4];
  const simd::vector far_difference = m[3] - m[4];
  to[0] = m[0] + near_sum + far_sum;
  to[1] = near.one * near_difference + far.one * far_difference;
  to[2] = near.square * near_sum + far.square * far_sum;
  to[3] = near.cube * near_difference + (far.cube * far_difference + m[5]);
}

/// One call's arguments, and what follows from them.
template <class Factor>
struct winograd_call {
  const conv2d_geometry& g;
  const float* in;
  const Factor* weights;
  epilogue finish;
  int tiles_across;
  int tiles;

  /// The panel's weights at one point.
  const Factor* panel(int index, int point) const {
    const std::ptrdiff_t width = width_of_panel(g.out_channels, index);
    return weights +
           (static_cast<std::ptrdiff_t>(index) * winograd_points * panel_width(g.out_channels) +
            point * width) *
               winograd_depth<Factor>(g);
  }
};

MAQUETTE_INLINE void store_factors(float* row, int channel, simd::vector value) {
  simd::store(row + channel, value);
}
MAQUETTE_INLINE void store_factors(std::uint32_t* row, int channel, simd::vector value) {
  simd::store_rounded(reinterpret_cast<unsigned char*>(row) + std::ptrdiff_t{2} * channel, value);
}

/// B^T d B of one tile: writes each point's channels `point_stride` after the last one's.
template <class Factor>
void winograd_transform(const winograd_call<Factor>& call, int tile, Factor* to,
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
    const auto rows = [&]<bool Whole>() {
      for (int y = 0; y < winograd_patch; ++y) {
        const float* const line = call.in + (from + y * row + c);
        simd::vector d[winograd_patch];
#pragma GCC unroll 6
        for (int x = 0; x < winograd_patch; ++x) {
          const float* const at = line + std::ptrdiff_t{x} * g.in_channels;
          d[x] = Whole || inside(y, x) ? simd::load(at) : simd::vector{};
          // The next tile's.
          if (x >= winograd_patch - winograd_tile)
            simd::prefetch(at + std::ptrdiff_t{winograd_tile} * g.in_channels);
        }
        winograd_input<Factor>(d, half[y]);
      }
    };
    if (whole) {
      rows.template operator()<true>();
    } else {
      rows.template operator()<false>();
    }
    for (int x = 0; x < winograd_patch; ++x) {
      simd::vector d[winograd_patch];
      simd::vector points[winograd_patch];
#pragma GCC unroll 6
      for (int y = 0; y < winograd_patch; ++y) d[y] = half[y][x];
      winograd_input<Factor>(d, points);
#pragma GCC unroll 6
      for (int y = 0; y < winograd_patch; ++y)
        store_factors(to + (y * winograd_patch + x) * point_stride, c, points[y]);
    }
  }
}

/// A^T m A of one tile and vector of channels, on to the output; `m` has a point each `stride`. Out
/// of line, because panels of every width have one.
template <class Factor>
MAQUETTE_NOINLINE void winograd_inverse(const winograd_call<Factor>& call, int tile, int channel,
                                        const float* m, std::ptrdiff_t stride) {
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
    winograd_output<Factor>(d, column);
#pragma GCC unroll 4
    for (int y = 0; y < winograd_tile; ++y) half[y][x] = column[y];
  }
#pragma GCC unroll 4
  for (int y = 0; y < winograd_tile; ++y) {
    if (y >= height) break;
    simd::vector row[winograd_tile];
    winograd_output<Factor>(half[y], row);
    const int pixel = (top + y) * call.g.width + left;
    if (width == winograd_tile) {
      tile_sums<winograd_tile, 1> sums;
#pragma GCC unroll 4
      for (int x = 0; x < winograd_tile; ++x) sums[x][0] = row[x];
      constexpr ending how = simd::halves_pay ? ending::either : ending::whole;
      call.finish.template operator()<winograd_tile, 1, how>(pixel, channel, sums);
      continue;
    }
    for (int x = 0; x < width; ++x) call.finish(pixel + x, channel, row[x]);
  }
}

/// The products of a tile's rows, stored; a call of its own, so that the inner loop has all
/// registers.
template <int Rows, int Vectors, bool Halved, class Factor>
MAQUETTE_NOINLINE void multiply_and_store(const Factor* rows, const Factor* panel, int depth,
                                          const Factor* ahead, float* to, std::ptrdiff_t distance) {
  tile_sums<Rows, Vectors> sum = {};
  multiply<Rows, Vectors, Halved>(sum, rows, depth, panel, depth, ahead);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) simd::store(to + r * distance + v * simd::width, sum[r][v]);
}

/// The products of some of a block's transformed tiles with one panel at all points, and their
/// inverse; on the stack they take 74 KB with vectors of 16, less with smaller ones.
template <int Vectors, bool Halved, class Factor>
void winograd_multiply(const winograd_call<Factor>& call, int panel, int first_tile, int tiles,
                       const Factor* transformed) {
  constexpr int width = Vectors * simd::width;
  constexpr int tile_stride = winograd_points * width;
  constexpr int at_once = Vectors == 3 ? tile_rows : winograd_block;
  alignas(64) float products[at_once * tile_stride];
  const int depth = winograd_depth<Factor>(call.g);
  for (int first = 0; first < tiles; first += at_once) {
    const int count = std::min(at_once, tiles - first);
    for (int point = 0; point < winograd_points; ++point) {
      const Factor* tile =
          transformed + point * std::ptrdiff_t{winograd_point_stride<Factor>(call.g)};
      const Factor* weights = call.panel(panel, point);
      const Factor* ahead = weights + depth * width;
      float* to = products + point * width;
      for_each_tile(count, [&]<int Rows>(int begin) {
        multiply_and_store<Rows, Vectors, Halved>(tile + std::ptrdiff_t{first + begin} * depth,
                                                  weights, depth, ahead, to + begin * tile_stride,
                                                  tile_stride);
        ahead += depth * simd::width;
      });
    }
    for (int tile = 0; tile < count; ++tile)
      for (int v = 0; v < Vectors; ++v)
        winograd_inverse(call, first_tile + first + tile,
                         panel * panel_width(call.g.out_channels) + v * simd::width,
                         products + tile * tile_stride + v * simd::width, width);
  }
}

/// The convolution: strip by strip the tiles' transforms, then their products and inverses. NaN and
/// infinity make the whole of each tile that sees them NaN or infinite.
template <class Factor>
void winograd(const cpu& backend, const conv2d_geometry& g, const float* in, const Factor* weights,
              const epilogue& finish, Factor* scratch) {
  const int across = winograd_tiles(g.width);
  const winograd_call<Factor> call{g,      in,     weights,
                                   finish, across, across * winograd_tiles(g.height)};
  const std::ptrdiff_t point_stride = winograd_point_stride<Factor>(g);
  const std::ptrdiff_t depth = winograd_depth<Factor>(g);
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
        Factor* to = block_of(tile) + tile % winograd_block * depth;
        winograd_transform(call, first + tile, to, point_stride);
      }
    });
    const int blocks = (tiles + winograd_block - 1) / winograd_block;
    const int panels = panel_count(g.out_channels);
    const int products = panels * blocks;
    backend.threads.for_each(static_cast<std::size_t>(products), [&](std::size_t task) {
      // A block's panels one behind the other: where a thread gets the same part of every loop, it
      // multiplies the tiles that it transformed, and only weights come from beyond its own cache.
      const int panel = static_cast<int>(task) % panels;
      const int begin = static_cast<int>(task) / panels * winograd_block;
      const int count = std::min(winograd_block, tiles - begin);
      for_panel(g.out_channels, panel, [&]<int Vectors, bool Halved>() {
        winograd_multiply<Vectors, Halved>(call, panel, first + begin, count, block_of(begin));
      });
    });
  }
}

}  // namespace maquette::kernel::detail
