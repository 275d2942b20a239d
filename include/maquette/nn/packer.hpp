// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "maquette/core/arena.hpp"

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

}  // namespace maquette::nn
