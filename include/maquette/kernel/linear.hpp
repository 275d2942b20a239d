// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/kernel/conv2d.hpp"

namespace maquette::kernel {

/// The geometry of a linear layer: a 1x1 convolution over a column of rows.
constexpr conv2d_geometry linear_geometry(int in_features, int out_features, int rows = 1) {
  return {.in_channels = in_features, .out_channels = out_features, .height = rows};
}

/// out[row, o] = bias[o] + sum over i of weight[o, i] * in[row, i], the weights packed by
/// `conv2d_pack` with `linear_geometry`.
inline void linear(const cpu& backend, int in_features, int out_features, int rows, const float* in,
                   const float* packed, float* out, const fusion& with = {}) {
  conv2d(backend, linear_geometry(in_features, out_features, rows), in, packed, out, with);
}

}  // namespace maquette::kernel
