// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include "maquette/core/arena.hpp"

namespace maquette {

/// Owned memory, aligned to 64 bytes, of a size chosen once; uninitialised.
class buffer {
 public:
  buffer() = default;
  explicit buffer(std::size_t bytes)
      : data_(static_cast<std::byte*>(::operator new(bytes, alignment))), size_(bytes) {}
  buffer(buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~buffer() { ::operator delete(data_, alignment); }

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  static constexpr std::align_val_t alignment{arena::alignment};
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace maquette
