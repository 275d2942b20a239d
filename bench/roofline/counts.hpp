// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/conv2d_bfloat16.hpp"
#include "maquette/kernel/strassen.hpp"

/// What a convolution does, counted as its loops go: operations, and vectors to and from the
/// first-level cache. Bias, addresses and what reaches beyond an edge are left out.
namespace roofline {

using namespace maquette;
using kernel::conv2d_geometry;
namespace loops = kernel::detail;

struct counts {
  double by_definition = 0;  ///< floating-point operations
  double done = 0;           ///< with lanes that are dropped; Winograd's products alone
  double loads = 0;          ///< vectors, and single values that are spread to one
  double stores = 0;
  double bytes = 0;  ///< of the memory that is read or written
};

/// Adds the products of so many rows with all panels.
inline void add_product(counts& to, int rows, int out_channels, double depth) {
  for (int panel = 0; panel < loops::panel_count(out_channels); ++panel) {
    loops::for_panel(out_channels, panel, [&]<int Vectors, bool Halved>() {
      constexpr int lanes = Vectors * simd::width - (Halved ? loops::half_width : 0);
      loops::for_each_tile(rows, [&]<int Rows>(int) {
        to.loads += depth * (Rows + Vectors);
        to.stores += Rows * Vectors;
        to.done += 2 * depth * Rows * lanes;
      });
    });
  }
}

inline double vectors_of(double values) { return values / simd::width; }

inline counts count_definition(const conv2d_geometry& g, const kernel::fusion& with) {
  const double in = static_cast<double>(g.height) * g.width * g.in_channels;
  const double out = static_cast<double>(g.out_pixels()) * g.out_channels;
  counts all;
  all.by_definition = 2 * out * g.patch_size();
  all.bytes = sizeof(float) * (in + out);
  if (with.addend != nullptr) all.loads += vectors_of(out);
  return all;
}

/// Of `conv2d` by the definition.
inline counts count_packed_product(const conv2d_geometry& g, const kernel::fusion& with) {
  counts all = count_definition(g, with);
  all.bytes += sizeof(float) * static_cast<double>(loops::product_packed_size(g));
  for (int first = 0; first < g.out_pixels(); first += loops::block_pixels)
    add_product(all, std::min(loops::block_pixels, g.out_pixels() - first), g.out_channels,
                g.patch_size());
  if (with.prologue.scale != nullptr) {
    const double values = static_cast<double>(g.height) * g.width * g.in_channels;
    all.loads += 3 * vectors_of(values);
    all.stores += vectors_of(values);
  }
  return all;
}

/// Of `conv2d_strassen`: seven products of halves, each of them stored once, and the factors' sums.
inline counts count_strassen(const conv2d_geometry& g, const kernel::fusion& with) {
  counts all = count_definition(g, with);
  all.bytes += sizeof(float) * static_cast<double>(loops::strassen_weights_size(g));
  const int block = 2 * loops::strassen_block(g);
  for (int first = 0; first < g.out_pixels(); first += block)
    for (int product = 0; product < loops::strassen_products; ++product)
      add_product(all, std::min(block, g.out_pixels() - first) / 2, g.out_channels / 2,
                  g.in_channels / 2);
  const double values = static_cast<double>(g.height) * g.width * g.in_channels;
  const bool prologue = with.prologue.scale != nullptr;
  all.loads += vectors_of(values) * (prologue ? 3 : 1);
  all.stores += vectors_of(values) / 4 * (prologue ? loops::strassen_products : 4);
  return all;
}

/// Of `conv2d_bfloat16`.
inline counts count_bfloat16(const conv2d_geometry& g, const kernel::fusion& with) {
  counts all = count_definition(g, with);
  all.bytes += sizeof(float) * static_cast<double>(kernel::conv2d_bfloat16_packed_size(g));
  const int pairs = g.kernel.y * loops::pair_count(loops::run_length(g));
  const int run = g.is_pointwise() ? loops::pixels_a_pair_block(g) : g.out_width();
  for (int first = 0; first < g.out_pixels(); first += run)
    add_product(all, std::min(run, g.out_pixels() - first), g.out_channels, pairs);
  all.done *= 2;
  const double values = static_cast<double>(g.height) * g.width * g.in_channels;
  all.loads += vectors_of(values) * (with.prologue.scale != nullptr ? 3 : 1);
  all.stores += vectors_of(values);
  return all;
}

/// Of `conv2d` and `conv2d_bfloat16` by Winograd's algorithm: 36 products and the transforms' loads
/// and stores.
template <class Factor>
counts count_winograd(const conv2d_geometry& g, const kernel::fusion& with) {
  constexpr int values_a_factor = std::is_same_v<Factor, float> ? 1 : 2;
  counts all = count_definition(g, with);
  all.bytes += sizeof(float) * static_cast<double>(loops::winograd_weights_size<Factor>(g));
  const int tiles = loops::winograd_tiles(g.height) * loops::winograd_tiles(g.width);
  for (int first = 0; first < tiles; first += loops::winograd_block)
    for (int point = 0; point < loops::winograd_points; ++point)
      add_product(all, std::min(loops::winograd_block, tiles - first), g.out_channels,
                  loops::winograd_depth<Factor>(g));
  all.done *= values_a_factor;
  // A tile's rows wait in memory between the two halves of its transform.
  const double transformed = tiles * vectors_of(g.in_channels) * loops::winograd_points;
  const double inverse = tiles * vectors_of(loops::padded_channels(g.out_channels));
  all.loads += 2 * transformed + inverse * loops::winograd_points;
  all.stores += 2 * transformed + inverse * loops::winograd_tile * loops::winograd_tile;
  return all;
}

}  // namespace roofline
