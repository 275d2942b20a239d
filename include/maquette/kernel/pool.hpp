// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/elementwise.hpp"
#include "maquette/kernel/geometry.hpp"

namespace maquette::kernel {

namespace detail {

/// One output pixel of a max-pool: `window` is its first input pixel. The kernel's size comes apart
/// from the geometry, so that it may be a constant.
MAQUETTE_INLINE void pool_pixel(const pool_geometry& g, int kernel, const float* window,
                                float* out) {
  const auto input = [&](int ky, int kx) {
    return window + (static_cast<std::ptrdiff_t>(ky) * g.width + kx) * g.channels;
  };
  int c = 0;
  for (; c + simd::width <= g.channels; c += simd::width) {
    simd::vector best = simd::load(window + c);
    for (int ky = 0; ky < kernel; ++ky)
      for (int kx = 0; kx < kernel; ++kx) best = simd::maximum(best, simd::load(input(ky, kx) + c));
    simd::store(out + c, best);
  }
  for (; c < g.channels; ++c) {
    float best = window[c];
    for (int ky = 0; ky < kernel; ++ky)
      for (int kx = 0; kx < kernel; ++kx) {
        const float value = input(ky, kx)[c];
        if (value > best || value != value) best = value;
      }
    out[c] = best;
  }
}

}  // namespace detail

/// The largest value of each window of a feature map [H, W, C]; NaN if the window holds one.
MAQUETTE_NOINLINE inline void max_pool(const cpu& backend, const pool_geometry& g, const float* in,
                                       float* out) {
  backend.threads.for_each(static_cast<std::size_t>(g.out_height()), [&](std::size_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < g.out_width(); ++x) {
      const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(y) * g.stride * g.width +
                                  static_cast<std::ptrdiff_t>(x) * g.stride;
      const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(y) * g.out_width() + x;
      if (g.kernel == 2) {
        detail::pool_pixel(g, 2, in + from * g.channels, out + to * g.channels);
      } else {
        detail::pool_pixel(g, g.kernel, in + from * g.channels, out + to * g.channels);
      }
    }
  });
}

/// out[y, x] += in[y / 2, x / 2]: nearest-neighbour up-sampling of [height, width, C] onto a
/// feature map twice as large.
MAQUETTE_NOINLINE inline void upsample_add(const cpu& backend, int channels, int height, int width,
                                           const float* in, float* out) {
  backend.threads.for_each(2 * static_cast<std::size_t>(height), [&](std::size_t row) {
    const std::ptrdiff_t y = static_cast<std::ptrdiff_t>(row);
    const std::ptrdiff_t out_width = 2 * static_cast<std::ptrdiff_t>(width);
    for (std::ptrdiff_t x = 0; x < out_width; ++x)
      detail::add_run(static_cast<std::size_t>(channels), in + ((y / 2) * width + x / 2) * channels,
                      out + (y * out_width + x) * channels);
  });
}

}  // namespace maquette::kernel
