// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <new>
#include <span>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "maquette/core/arena.hpp"

namespace maquette {

/// The large page of x86-64 and of most AArch64 kernels: 2 MB.
inline constexpr std::size_t large_page = std::size_t{2} << 20;

/// Asks the system to hold the whole large pages of this memory as such, where it has them: a
/// network's weights and maps then need hundreds of times fewer translations of addresses.
///
/// It is a wish: nothing changes where it cannot be had. The memory begins at a multiple of 2 MB.
inline void prefer_large_pages([[maybe_unused]] std::span<std::byte> memory) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // What is left over keeps small pages, so that no memory is held that was not asked for.
  const std::size_t whole = memory.size() / large_page * large_page;
  if (whole != 0) ::madvise(memory.data(), whole, MADV_HUGEPAGE);
#endif
}

/// Owned memory of a size chosen once; uninitialised. It is aligned to 64 bytes; from 2 MB on to
/// that, and in large pages.
class buffer {
 public:
  buffer() = default;
  explicit buffer(std::size_t bytes)
      : data_(static_cast<std::byte*>(::operator new(bytes, alignment_of(bytes)))), size_(bytes) {
    if (bytes >= large_page) prefer_large_pages(this->bytes());
  }
  buffer(buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~buffer() { ::operator delete(data_, alignment_of(size_)); }

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  static constexpr std::align_val_t alignment_of(std::size_t bytes) {
    return std::align_val_t{bytes < large_page ? arena::alignment : large_page};
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace maquette
