// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>

#include "maquette/kernel/geometry.hpp"

/// The kernels as their definitions, in plain loops: what every fast kernel is tested against.
///
/// Feature maps lie pixel by pixel, [H, W, C]; weights as PyTorch stores them.
namespace maquette::reference {

using kernel::affine;
using kernel::conv2d_geometry;
using kernel::fusion;
using kernel::pool_geometry;

inline std::size_t at(int y, int x, int width, int channels) {
  return (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
          static_cast<std::size_t>(x)) *
         static_cast<std::size_t>(channels);
}

/// relu(scale * in + shift) with one scale and shift a channel; in and out may be the same.
inline void affine_relu(int channels, int pixels, affine by, const float* in, float* out) {
  for (int pixel = 0; pixel < pixels; ++pixel) {
    for (int channel = 0; channel < channels; ++channel, ++in, ++out) {
      const float value = by.scale[channel] * *in + by.shift[channel];
      *out = value < 0 ? 0 : value;
    }
  }
}

/// out[y, x, o] = bias[o] + sum over ky, kx, i of weight[o, i, ky, kx] * in[y', x', i], where
/// y' = stride * y + ky - padding and x' likewise; the fusion's parts before and after.
inline void conv2d(const conv2d_geometry& g, const float* in, const float* weight,
                   const float* bias, float* out, const fusion& with = {}) {
  const auto input = [&](int y, int x, int channel) -> double {
    if (y < 0 || y >= g.height || x < 0 || x >= g.width) return 0;
    float value = in[at(y, x, g.width, g.in_channels) + static_cast<std::size_t>(channel)];
    if (with.prologue.scale != nullptr) {
      value = with.prologue.scale[channel] * value + with.prologue.shift[channel];
      if (value < 0) value = 0;
    }
    return value;
  };
  const auto output = [&](int y, int x, int o) {
    double sum = bias[o];
    const float* w = weight + static_cast<std::ptrdiff_t>(o) * g.patch_size();
    for (int i = 0; i < g.in_channels; ++i)
      for (int ky = 0; ky < g.kernel.y; ++ky)
        for (int kx = 0; kx < g.kernel.x; ++kx)
          sum +=
              *w++ * input(y * g.stride.y + ky - g.padding.y, x * g.stride.x + kx - g.padding.x, i);
    return sum;
  };
  for (int y = 0; y < g.out_height(); ++y)
    for (int x = 0; x < g.out_width(); ++x)
      for (int o = 0; o < g.out_channels; ++o) {
        double value = output(y, x, o);
        if (with.relu && value < 0) value = 0;
        const std::size_t index =
            at(y, x, g.out_width(), g.out_channels) + static_cast<std::size_t>(o);
        if (with.addend != nullptr) value += with.addend[index];
        out[index] = static_cast<float>(value);
      }
}

/// out[row, o] = bias[o] + sum over i of weight[o, i] * in[row, i].
inline void linear(int in_features, int out_features, int rows, const float* in,
                   const float* weight, const float* bias, float* out, const fusion& with = {}) {
  conv2d({.in_channels = in_features, .out_channels = out_features, .height = rows}, in, weight,
         bias, out, with);
}

/// The largest value of each window; NaN if the window holds one.
inline void max_pool(const pool_geometry& g, const float* in, float* out) {
  for (int y = 0; y < g.out_height(); ++y)
    for (int x = 0; x < g.out_width(); ++x)
      for (int channel = 0; channel < g.channels; ++channel) {
        float best = -std::numeric_limits<float>::infinity();
        for (int ky = 0; ky < g.kernel; ++ky)
          for (int kx = 0; kx < g.kernel; ++kx) {
            const float value = in[at(y * g.stride + ky, x * g.stride + kx, g.width, g.channels) +
                                   static_cast<std::size_t>(channel)];
            if (value > best || value != value) best = value;
          }
        *out++ = best;
      }
}

/// out[y, x] += in[y / 2, x / 2]; the input is [height, width], the output twice that.
inline void upsample_add(int channels, int height, int width, const float* in, float* out) {
  for (int y = 0; y < 2 * height; ++y)
    for (int x = 0; x < 2 * width; ++x)
      for (int channel = 0; channel < channels; ++channel)
        *out++ += in[at(y / 2, x / 2, width, channels) + static_cast<std::size_t>(channel)];
}

/// out += in.
inline void add(std::size_t count, const float* in, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] += in[i];
}

}  // namespace maquette::reference
