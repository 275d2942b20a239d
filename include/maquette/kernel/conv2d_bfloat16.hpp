// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "maquette/core/backend.hpp"
#include "maquette/core/bfloat16.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/conv2d_bfloat16_runs.hpp"
#include "maquette/kernel/conv2d_pack.hpp"
#include "maquette/kernel/geometry.hpp"
#include "maquette/kernel/product.hpp"

/// Convolutions whose factors are bfloat16 and whose sums are float: twice as many products an
/// instruction. Inputs lie two by two in words, the first of a pair in the lower half.
namespace maquette::kernel {

namespace detail {

constexpr int pixels_a_pair_block(const conv2d_geometry& g) {
  const int fit = std::clamp(pair_capacity / pair_count(g.in_channels), 1, 4 * tile_rows);
  return fit < tile_rows ? fit : fit / tile_rows * tile_rows;
}

/// One pixel's channels as bfloat16: relu(scale * from + shift) where there is a prologue, else
/// from; a zero behind an odd last one.
inline void copy_as_pairs(affine by, int channels, const float* from, std::uint32_t* to) {
  to[pair_count(channels) - 1] = 0;
  int c = 0;
  for (; c + simd::width <= channels; c += simd::width) {
    simd::vector value = simd::load(from + c);
    if (by.scale != nullptr)
      value = simd::relu(value * simd::load(by.scale + c) + simd::load(by.shift + c));
    simd::store_rounded(reinterpret_cast<unsigned char*>(to) + 2 * c, value);
  }
  for (; c < channels; ++c) {
    float value = from[c];
    if (by.scale != nullptr) value = value * by.scale[c] + by.shift[c];
    if (by.scale != nullptr && value < 0) value = 0;
    const bfloat16 rounded(value);
    std::memcpy(reinterpret_cast<unsigned char*>(to) + 2 * c, &rounded.bits, sizeof rounded.bits);
  }
}

/// One call's arguments.
struct pair_call {
  const conv2d_geometry& g;
  affine prologue;
  const float* in;
  const std::uint32_t* panels;
  epilogue finish;
};

/// One tile of output from pixels that lie one behind the other.
template <int Rows, int Vectors>
MAQUETTE_NOINLINE void multiply_pairs(const pair_call& call, const std::uint32_t* rows, int pixel,
                                      int panel) {
  const int pairs = pair_count(call.g.in_channels);
  const std::uint32_t* weights =
      call.panels + static_cast<std::ptrdiff_t>(panel) * pairs * panel_width;
  tile_sums<Rows, Vectors> sum = {};
  call.finish.prefetch<Rows, Vectors>(pixel, panel * panel_width);
  for (int k = 0; k < pairs; ++k, weights += Vectors * simd::width) {
    simd::words weight[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) weight[v] = simd::load_words(weights + v * simd::width);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const simd::words value = simd::broadcast_word(rows[r * std::ptrdiff_t{pairs} + k]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[r][v] = simd::add_products(sum[r][v], value, weight[v]);
    }
  }
  call.finish(pixel, panel * panel_width, sum);
}

/// One block of pixels times panels [first, last).
inline void multiply_pair_block(const pair_call& call, int block, int first, int last) {
  alignas(64) std::uint32_t rows[pair_capacity];
  const int channels = call.g.in_channels;
  const std::ptrdiff_t pairs = pair_count(channels);
  const int a_block = pixels_a_pair_block(call.g);
  const int begin = block * a_block;
  const int count = std::min(a_block, call.g.out_pixels() - begin);
  for (int i = 0; i < count; ++i)
    copy_as_pairs(call.prologue, channels, call.in + std::ptrdiff_t{begin + i} * channels,
                  rows + i * pairs);
  for (int panel = first; panel < last; ++panel)
    for_panel(call.g.out_channels, panel, [&]<int Vectors>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        multiply_pairs<Rows, Vectors>(call, rows + row * pairs, begin + row, panel);
      });
    });
}

}  // namespace detail

/// Whether `conv2d_bfloat16` computes this one: what a patch needs must fit into 32 KB.
constexpr bool conv2d_bfloat16_can(const conv2d_geometry& g) {
  return g.is_pointwise()
             ? g.in_channels <= 2 * detail::pair_capacity
             : g.kernel.y * detail::run_block::words_a_row(g, 1) <= detail::pair_capacity;
}

/// How many floats of memory the packed weights and bias take.
constexpr std::size_t conv2d_bfloat16_packed_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(detail::padded_channels(g.out_channels)) *
         static_cast<std::size_t>(g.kernel.y * detail::pair_count(detail::run_length(g)) + 1);
}

/// Lays out weights [O, I, kh, kw] and bias [O] for `conv2d_bfloat16`: the bias as floats, then
/// panels of output channels, [panel][ky][n / 2][o in panel][n % 2] with n = kx * I + i, rounded
/// after the norm was folded.
inline void conv2d_bfloat16_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                                 const batch_norm_parameters* norm, float* packed) {
  std::fill_n(packed, conv2d_bfloat16_packed_size(g), 0.0F);
  auto* panels = reinterpret_cast<unsigned char*>(packed + detail::padded_channels(g.out_channels));
  const std::ptrdiff_t pairs = detail::pair_count(detail::run_length(g));
  for (int o = 0; o < g.out_channels; ++o) {
    const double scale = norm != nullptr ? norm->scale(o) : 1.0;
    const double shift = norm != nullptr ? norm->shift(o) : 0.0;
    packed[o] = static_cast<float>(scale * bias[o] + shift);
    const int panel = o / detail::panel_width;
    const std::ptrdiff_t width = detail::width_of_panel(g.out_channels, panel);
    const std::ptrdiff_t column =
        panel * g.kernel.y * pairs * detail::panel_width + o % detail::panel_width;
    for (int i = 0; i < g.in_channels; ++i)
      for (int ky = 0; ky < g.kernel.y; ++ky)
        for (int kx = 0; kx < g.kernel.x; ++kx) {
          const bfloat16 rounded(static_cast<float>(scale * *weight++));
          const int n = kx * g.in_channels + i;
          std::memcpy(panels + 4 * (column + (ky * pairs + n / 2) * width) + 2 * (n % 2),
                      &rounded.bits, sizeof rounded.bits);
        }
  }
}

/// A convolution as `conv2d`, its inputs (behind the prologue) and weights rounded to bfloat16,
/// with weights from `conv2d_bfloat16_pack`. Only 1x1 kernels may have a prologue.
///
/// Products are exact and summed in float; the relative RMS error is near 2e-3. The same bits on
/// any number of threads.
inline void conv2d_bfloat16(const cpu& backend, const conv2d_geometry& g, const float* in,
                            const float* packed, float* out, const fusion& with = {}) {
  MAQUETTE_ASSERT(conv2d_bfloat16_can(g), "conv2d_bfloat16: this patch is too large");
  const auto* panels =
      reinterpret_cast<const std::uint32_t*>(packed + detail::padded_channels(g.out_channels));
  const detail::epilogue finish{with, packed, out, g.out_channels};
  if (!g.is_pointwise()) {
    MAQUETTE_ASSERT(with.prologue.scale == nullptr,
                    "conv2d_bfloat16: only 1x1 kernels of stride 1 may have a prologue");
    return detail::convolve_runs(backend, {g, in, panels, finish});
  }
  const detail::pair_call call{g, with.prologue, in, panels, finish};
  const int a_block = detail::pixels_a_pair_block(g);
  detail::share_out(backend, (g.out_pixels() + a_block - 1) / a_block,
                    detail::panel_count(g.out_channels), [&](int block, int first, int last) {
                      detail::multiply_pair_block(call, block, first, last);
                    });
}

}  // namespace maquette::kernel
