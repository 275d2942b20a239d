// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "maquette/core/simd.hpp"
#include "maquette/kernel/raster.hpp"
#include "maquette/kernel/raster_batch.hpp"

namespace maquette::kernel {

/// Pixels that are decided together: a vector's lanes, four of them across.
inline constexpr std::int32_t cover_columns = std::min(simd::width, 4);
inline constexpr std::int32_t cover_rows = simd::width / cover_columns;
/// A tile's row of pixels, a byte each.
using cover_word = std::conditional_t<cover_columns == 4, std::uint32_t, std::uint8_t>;
static_assert(sizeof(cover_word) == cover_columns);

/// The edge functions of a batch's faces where their boxes begin, ready to be stepped over pixels;
/// in 32 bits, for faces whose corners are no further apart than 64 pixels on either axis.
struct raster_cover_batch {
  template <class T>
  using lanes = raster_batch::lanes<T>;

  alignas(64) std::array<lanes<std::int32_t>, 3> value;  ///< at the first tile's first pixel
  alignas(64) std::array<lanes<std::int32_t>, 3> dx;  ///< change of the value for 1/256 pixel down
  alignas(64) std::array<lanes<std::int32_t>, 3> dy;  ///< minus that for 1/256 pixel to the right
  alignas(64) lanes<std::int32_t> x;                  ///< the first tile's first pixel
  alignas(64) lanes<std::int32_t> y;
  alignas(64) lanes<std::int32_t> fits;  ///< 1 for faces small enough; the others' numbers are void

  /// `window` holds a tile at least.
  void prepare(const raster_batch& faces, const raster_window& window) {
    // Tiles begin at multiples of their width: the words that neighbouring faces change are then
    // the same ones, which a processor passes on from store to load.
    for (std::size_t i = 0; i < raster_batch::capacity; ++i) {
      x[i] = std::min(faces.left[i] & -cover_columns, window.right - cover_columns);
      y[i] = std::min(faces.top[i], window.bottom - cover_rows);
    }
    fits.fill(1);
    add_edge(faces, 1, 2, 0);
    add_edge(faces, 2, 0, 1);
    add_edge(faces, 0, 1, 2);
  }

 private:
  /// The edge between two corners, with the inside on its right whichever way the face turns.
  void add_edge(const raster_batch& faces, std::size_t from, std::size_t to, std::size_t edge) {
    constexpr std::int32_t largest = 64 * raster_subpixels;
    // Unsigned, for the faces that do not fit wrap around.
    const auto wrapping = [](std::int32_t number) { return static_cast<std::uint32_t>(number); };
    const auto centre = [&](std::int32_t pixel) {
      return wrapping(pixel) * std::uint32_t{raster_subpixels} + raster_subpixels / 2;
    };
    for (std::size_t i = 0; i < raster_batch::capacity; ++i) {
      const std::int32_t forward = faces.area[i] > 0 ? 1 : -1;
      const std::int32_t across = forward * (faces.grid_x[to][i] - faces.grid_x[from][i]);
      const std::int32_t down = forward * (faces.grid_y[to][i] - faces.grid_y[from][i]);
      fits[i] &= std::int32_t{across <= largest} & std::int32_t{across >= -largest} &
                 std::int32_t{down <= largest} & std::int32_t{down >= -largest};
      const std::uint32_t px = centre(x[i]) - wrapping(faces.grid_x[from][i]);
      const std::uint32_t py = centre(y[i]) - wrapping(faces.grid_y[from][i]);
      const std::uint32_t at = wrapping(across) * py - wrapping(down) * px;
      const std::int32_t top_or_left =
          std::int32_t{down < 0} | (std::int32_t{down == 0} & std::int32_t{across > 0});
      dx[edge][i] = across;
      dy[edge][i] = down;
      value[edge][i] = static_cast<std::int32_t>(at - 1U + wrapping(top_or_left));
    }
  }
};

/// Writes `value` into each pixel of `mask` [.., width] that face i of the batch covers: what
/// `raster_scan` covers, for a face that fits.
///
/// Walks the face's box in tiles. A tile may reach beyond the box, never beyond the window: there
/// the edge functions say that nothing is covered. At 64 pixels and a tile's reach from the corners
/// they stay below 2^31.
inline void raster_cover(const raster_batch& faces, const raster_cover_batch& edges, std::size_t i,
                         const raster_window& window, std::uint8_t value, std::size_t width,
                         std::uint8_t* mask) noexcept {
  const simd::integers lane = simd::lane_numbers();
  const simd::integers lane_x = (lane % cover_columns) * raster_subpixels;
  const simd::integers lane_y = (lane / cover_columns) * raster_subpixels;
  simd::integers at_row[3];
  for (std::size_t e = 0; e < 3; ++e) {
    at_row[e] = edges.value[e][i] + edges.dx[e][i] * lane_y - edges.dy[e][i] * lane_x;
  }
  const auto drawn = static_cast<cover_word>(value * 0x01010101U);
  std::int32_t y = edges.y[i];
  while (true) {
    std::int32_t x = edges.x[i];
    simd::integers at[3] = {at_row[0], at_row[1], at_row[2]};
    while (true) {
      const simd::bytes inside = simd::not_negative(at[0] | at[1] | at[2]);
      cover_word covered[cover_rows];
      std::memcpy(covered, &inside, sizeof(covered));
      for (std::int32_t r = 0; r < cover_rows; ++r) {
        std::uint8_t* const to = mask + static_cast<std::size_t>(y + r) * width + x;
        cover_word pixels;
        std::memcpy(&pixels, to, sizeof(pixels));
        pixels = static_cast<cover_word>((pixels & ~covered[r]) | (drawn & covered[r]));
        std::memcpy(to, &pixels, sizeof(pixels));
      }
      if (x + cover_columns >= faces.right[i]) break;
      const std::int32_t next = std::min(x + cover_columns, window.right - cover_columns);
      for (std::size_t e = 0; e < 3; ++e) at[e] -= edges.dy[e][i] * ((next - x) * raster_subpixels);
      x = next;
    }
    if (y + cover_rows >= faces.bottom[i]) break;
    const std::int32_t next = std::min(y + cover_rows, window.bottom - cover_rows);
    for (std::size_t e = 0; e < 3; ++e)
      at_row[e] += edges.dx[e][i] * ((next - y) * raster_subpixels);
    y = next;
  }
}

}  // namespace maquette::kernel
