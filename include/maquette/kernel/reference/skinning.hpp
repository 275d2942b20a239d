// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/kernel/skinning_arrays.hpp"

namespace maquette::reference {

/// out = base + sum over every term of coefficient * direction, at vertices [first, first + count).
template <class T>
void blend(const kernel::blend_shapes<T>& shapes, std::size_t first, std::size_t count, T* out) {
  const std::size_t begin = 3 * first;
  const std::size_t end = 3 * (first + count);
  std::copy(shapes.base + begin, shapes.base + end, out + begin);
  for (std::size_t t = 0; t < shapes.groups.back(); ++t) {
    const T coefficient = shapes.coefficients[t];
    const T* const direction = shapes.directions[t];
    for (std::size_t i = begin; i < end; ++i) out[i] += coefficient * direction[i];
  }
}

/// out_i = sum_k w_ik G'_k point_i + translation, at vertices [first, first + count).
template <class T>
void skin(const kernel::skin_weights<T>& skin, std::size_t first, std::size_t count,
          const T* points, T* out) {
  for (std::size_t v = first; v < first + count; ++v) {
    const std::size_t slot = v * skin.influences;
    T g[16]{};
    for (std::size_t i = 0; i < skin.influences; ++i) {
      const T* const from = skin.transforms + 16 * std::size_t{skin.joint[slot + i]};
      for (std::size_t k = 0; k < 16; ++k) g[k] += skin.weight[slot + i] * from[k];
    }
    const T* const p = points + 3 * v;
    for (std::size_t k = 0; k < 3; ++k) {
      out[3 * v + k] =
          g[k] * p[0] + g[4 + k] * p[1] + g[8 + k] * p[2] + g[12 + k] + skin.translation[k];
    }
  }
}

}  // namespace maquette::reference
