// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/core/backend.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/geometry.hpp"

namespace maquette::kernel {

namespace detail {

/// out += in, over a short run of memory.
inline void add_run(std::size_t count, const float* in, float* out) {
  constexpr std::size_t step = simd::width;
  const std::size_t whole = count - count % step;
  for (std::size_t i = 0; i < whole; i += step)
    simd::store(out + i, simd::load(out + i) + simd::load(in + i));
  for (std::size_t i = whole; i < count; ++i) out[i] += in[i];
}

}  // namespace detail

/// out += in.
inline void add(const cpu& backend, std::size_t count, const float* in, float* out) {
  constexpr std::size_t block = 1 << 14;
  backend.threads.for_each((count + block - 1) / block, [&](std::size_t index) {
    const std::size_t begin = index * block;
    detail::add_run(std::min(block, count - begin), in + begin, out + begin);
  });
}

/// out = relu(scale * in + shift) with one scale and shift a channel; in and out may be the same.
inline void affine_relu(const cpu& backend, int channels, int pixels, affine by, const float* in,
                        float* out) {
  constexpr int block = 64;
  const int blocks = (pixels + block - 1) / block;
  backend.threads.for_each(static_cast<std::size_t>(blocks), [&](std::size_t index) {
    const int begin = static_cast<int>(index) * block;
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(begin) * channels;
    const int end = std::min(begin + block, pixels);
    const float* from = in + at;
    float* to = out + at;
    for (int pixel = begin; pixel < end; ++pixel, from += channels, to += channels)
      for (int c = 0; c < channels; ++c) {
        const float value = by.scale[c] * from[c] + by.shift[c];
        to[c] = value < 0 ? 0 : value;
      }
  });
}

/// From pixel-major [H, W, C] to planar [C, H, W], channels [first, first + count) alone.
inline void to_planar(const cpu& backend, int channels, int pixels, const float* in, int first,
                      int count, float* out) {
  constexpr int block = 256;
  const int blocks = (pixels + block - 1) / block;
  backend.threads.for_each(static_cast<std::size_t>(blocks), [&](std::size_t index) {
    const int begin = static_cast<int>(index) * block;
    const int end = std::min(begin + block, pixels);
    for (int channel = 0; channel < count; ++channel) {
      const float* from = in + first + channel;
      float* plane = out + static_cast<std::ptrdiff_t>(channel) * pixels;
      for (int pixel = begin; pixel < end; ++pixel)
        plane[pixel] = from[static_cast<std::ptrdiff_t>(pixel) * channels];
    }
  });
}

}  // namespace maquette::kernel
