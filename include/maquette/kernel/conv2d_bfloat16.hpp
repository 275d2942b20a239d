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
#include "maquette/kernel/winograd.hpp"

/// Convolutions whose factors are bfloat16 and whose sums are float: twice as many products an
/// instruction. Inputs lie two by two in words, the first of a pair in the lower half.
namespace maquette::kernel {

namespace detail {

constexpr int pixels_a_pair_block(const conv2d_geometry& g) {
  const int fit = std::clamp(pair_capacity / pair_count(g.in_channels), 1, 4 * tile_rows);
  return fit < tile_rows ? fit : fit / tile_rows * tile_rows;
}

/// So many channels as bfloat16: relu(scale * from + shift) where there is a prologue, else from.
inline void copy_as_halves(affine by, int channels, const float* from, unsigned char* halves) {
  if (channels >= simd::width)
    return for_each_vector(channels, [&](int c) {
      simd::vector value = simd::load(from + c);
      if (by.scale != nullptr)
        value = simd::relu(value * simd::load(by.scale + c) + simd::load(by.shift + c));
      simd::store_rounded(halves + std::ptrdiff_t{2} * c, value);
    });
  for (int c = 0; c < channels; ++c) {
    float value = from[c];
    if (by.scale != nullptr) value = value * by.scale[c] + by.shift[c];
    if (by.scale != nullptr && value < 0) value = 0;
    const bfloat16 rounded(value);
    std::memcpy(halves + std::ptrdiff_t{2} * c, &rounded.bits, sizeof rounded.bits);
  }
}

/// One call's arguments.
struct pair_call {
  const conv2d_geometry& g;
  affine prologue;
  other_channels beside;
  const float* in;
  const std::uint32_t* panels;
  epilogue finish;
};

/// One pixel's channels in pairs, those beside them last and a zero behind an odd one.
inline void copy_as_pairs(const pair_call& call, std::ptrdiff_t pixel, std::uint32_t* to) {
  const int own = call.g.in_channels - call.beside.count;
  auto* halves = reinterpret_cast<unsigned char*>(to);
  to[pair_count(call.g.in_channels) - 1] = 0;
  copy_as_halves(call.prologue, own, call.in + pixel * own, halves);
  if (call.beside.in != nullptr)
    copy_as_halves({}, call.beside.count, call.beside.in + pixel * call.beside.count,
                   halves + std::ptrdiff_t{2} * own);
}

/// One tile of output from pixels that lie one behind the other.
template <int Rows, int Vectors, bool Halved>
MAQUETTE_NOINLINE void multiply_pairs(const pair_call& call, const std::uint32_t* rows, int pixel,
                                      int panel) {
  const int pairs = pair_count(call.g.in_channels);
  const std::uint32_t* weights =
      call.panels + static_cast<std::ptrdiff_t>(panel) * pairs * panel_width(call.g.out_channels);
  const int channel = panel * panel_width(call.g.out_channels);
  tile_sums<Rows, Vectors> sum = {};
  call.finish.prefetch<Rows, Vectors>(pixel, channel);
  multiply<Rows, Vectors, Halved>(sum, rows, pairs, weights, pairs);
  call.finish.template operator()<Rows, Vectors, Halved ? ending::half : ending::whole>(
      pixel, channel, sum);
}

/// One block of pixels times panels [first, last).
inline void multiply_pair_block(const pair_call& call, int block, int first, int last) {
  alignas(64) std::uint32_t rows[pair_capacity];
  const int own = call.g.in_channels - call.beside.count;
  const std::ptrdiff_t pairs = pair_count(call.g.in_channels);
  const int a_block = pixels_a_pair_block(call.g);
  const int begin = block * a_block;
  const int count = std::min(a_block, call.g.out_pixels() - begin);
  for (int i = 0; i < count; ++i) copy_as_pairs(call, begin + i, rows + i * pairs);
  const int next = std::min(a_block, call.g.out_pixels() - begin - count);
  ahead_of_tiles ahead(call.in + std::ptrdiff_t{begin + count} * own, next * own, count,
                       last - first);
  for (int panel = first; panel < last; ++panel)
    for_panel(call.g.out_channels, panel, [&]<int Vectors, bool Halved>() {
      for_each_tile(count, [&]<int Rows>(int row) {
        ahead.prefetch();
        multiply_pairs<Rows, Vectors, Halved>(call, rows + row * pairs, begin + row, panel);
      });
    });
}

/// The bias as floats and the panels of pairs, without what Winograd's algorithm adds.
constexpr std::size_t pairs_packed_size(const conv2d_geometry& g) {
  return static_cast<std::size_t>(padded_channels(g.out_channels)) *
         static_cast<std::size_t>(g.kernel.y * pair_count(run_length(g)) + 1);
}

/// Whether Winograd's weights are prepared in pairs: an odd channel would stand alone.
constexpr bool winograd_prepares_pairs(const conv2d_geometry& g) {
  return winograd_prepares(g) && g.in_channels % 2 == 0;
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
  return detail::pairs_packed_size(g) +
         (detail::winograd_prepares_pairs(g) ? detail::winograd_weights_size<std::uint32_t>(g) : 0);
}

/// Lays out weights [O, I, kh, kw] and bias [O] for `conv2d_bfloat16`: the bias as floats, then
/// panels of output channels, [panel][ky][n / 2][o in panel][n % 2] with n = kx * I + i, rounded
/// after the norm was folded, then Winograd's weights where they serve.
inline void conv2d_bfloat16_pack(const conv2d_geometry& g, const float* weight, const float* bias,
                                 const batch_norm_parameters* norm, float* packed) {
  std::fill_n(packed, conv2d_bfloat16_packed_size(g), 0.0F);
  auto* panels = reinterpret_cast<unsigned char*>(packed + detail::padded_channels(g.out_channels));
  auto* points = reinterpret_cast<std::uint32_t*>(packed + detail::pairs_packed_size(g));
  const std::ptrdiff_t pairs = detail::pair_count(detail::run_length(g));
  for (int o = 0; o < g.out_channels; ++o) {
    const double scale = norm != nullptr ? norm->scale(o) : 1.0;
    const double shift = norm != nullptr ? norm->shift(o) : 0.0;
    packed[o] = static_cast<float>(scale * bias[o] + shift);
    if (detail::winograd_prepares_pairs(g)) detail::winograd_pack(g, o, scale, weight, points);
    const int panel_width = detail::panel_width(g.out_channels);
    const int panel = o / panel_width;
    const std::ptrdiff_t width = detail::width_of_panel(g.out_channels, panel);
    const std::ptrdiff_t column = panel * g.kernel.y * pairs * panel_width + o % panel_width;
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

/// How many floats of scratch memory `conv2d_bfloat16` likes to have.
constexpr std::size_t conv2d_bfloat16_scratch_size(const conv2d_geometry& g) {
  return detail::winograd_prepares_pairs(g) && detail::winograd_pays(g)
             ? detail::winograd_scratch_size<std::uint32_t>(g)
             : 0;
}

/// A convolution as `conv2d`, its inputs (behind the prologue) and weights rounded to bfloat16,
/// with weights from `conv2d_bfloat16_pack`. Only 1x1 kernels may have a prologue.
///
/// Products are exact and summed in float; the relative RMS error is near 2e-3. With
/// `conv2d_bfloat16_scratch_size` floats of scratch memory 3x3 kernels of stride 1 go by Winograd's
/// algorithm, whose transforms are rounded: near 1e-2. The same bits on any number of threads.
inline void conv2d_bfloat16(const cpu& backend, const conv2d_geometry& g, const float* in,
                            const float* packed, float* out, const fusion& with = {},
                            float* scratch = nullptr) {
  MAQUETTE_ASSERT(conv2d_bfloat16_can(g), "conv2d_bfloat16: this patch is too large");
  const auto* panels =
      reinterpret_cast<const std::uint32_t*>(packed + detail::padded_channels(g.out_channels));
  const detail::epilogue finish{with, packed, out, g.out_channels};
  MAQUETTE_ASSERT(with.beside.in == nullptr || (g.is_pointwise() && with.prologue.scale == nullptr),
                  "conv2d_bfloat16: only 1x1 kernels without a prologue may have channels beside");
  if (!g.is_pointwise()) {
    MAQUETTE_ASSERT(with.prologue.scale == nullptr,
                    "conv2d_bfloat16: only 1x1 kernels of stride 1 may have a prologue");
    if (scratch != nullptr && conv2d_bfloat16_scratch_size(g) > 0)
      return detail::winograd(
          backend, g, in,
          reinterpret_cast<const std::uint32_t*>(packed + detail::pairs_packed_size(g)), finish,
          reinterpret_cast<std::uint32_t*>(scratch));
    return detail::convolve_runs(backend, {g, in, panels, finish});
  }
  const detail::pair_call call{g, with.prologue, with.beside, in, panels, finish};
  const int a_block = detail::pixels_a_pair_block(g);
  detail::share_out(backend, (g.out_pixels() + a_block - 1) / a_block,
                    detail::panel_count(g.out_channels), [&](int block, int first, int last) {
                      detail::multiply_pair_block(call, block, first, last);
                    });
}

}  // namespace maquette::kernel
