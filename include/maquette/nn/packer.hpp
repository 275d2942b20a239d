// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "maquette/core/arena.hpp"
#include "maquette/kernel/conv2d_pack.hpp"

namespace maquette::nn {

/// Where prepared parameters go: without memory it only counts, so that one walk over the layers
/// finds the size of the buffer and a second one fills it.
class packer {
 public:
  packer() = default;
  explicit packer(std::span<std::byte> memory) : memory_(memory.data()) {}

  /// Memory for so many floats, aligned to 64 bytes; null while counting.
  float* take(std::size_t floats) {
    std::byte* piece = memory_ != nullptr ? memory_ + bytes_ : nullptr;
    bytes_ += arena::padded(floats * sizeof(float));
    return reinterpret_cast<float*>(piece);
  }
  bool only_counts() const { return memory_ == nullptr; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

namespace detail {

/// How weights lie for the kernels of one arithmetic.
struct convolution_layout {
  std::size_t (*size)(const kernel::conv2d_geometry&);
  void (*write)(const kernel::conv2d_geometry&, const float* weight, const float* bias,
                const kernel::batch_norm_parameters*, float* packed);
};

/// Prepared weights; null while the packer counts.
[[gnu::cold]] inline const float* pack_convolution(packer& to, const convolution_layout& layout,
                                                   const kernel::conv2d_geometry& geometry,
                                                   const float* weight, const float* bias,
                                                   const kernel::batch_norm_parameters* norm) {
  float* packed = to.take(layout.size(geometry));
  if (packed != nullptr) layout.write(geometry, weight, bias, norm, packed);
  return packed;
}

}  // namespace detail

}  // namespace maquette::nn
