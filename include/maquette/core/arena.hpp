// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "maquette/core/assert.hpp"
#include "maquette/core/view.hpp"

namespace maquette {

/// Hands out pieces of memory that belongs to the caller, one after the other, each aligned to 64
/// bytes; a scope gives back all that was taken since it was opened.
///
/// How much a network takes is a constant of its type, so that the memory may be a static array.
class arena {
 public:
  static constexpr std::size_t alignment = 64;

  /// What a piece of so many bytes takes up.
  static constexpr std::size_t padded(std::size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }
  /// What a view of float of this shape takes up.
  template <Shape S>
  static constexpr std::size_t bytes_of() {
    return padded(S::size * sizeof(float));
  }

  arena() = default;
  /// Memory that does not start at a multiple of 64 bytes loses the bytes before the first one.
  explicit arena(std::span<std::byte> memory) : next_(memory.data()), remaining_(memory.size()) {
    const std::size_t over = reinterpret_cast<std::uintptr_t>(next_) % alignment;
    const std::size_t skip = over == 0 ? 0 : alignment - over;
    next_ += skip <= remaining_ ? skip : remaining_;
    remaining_ -= skip <= remaining_ ? skip : remaining_;
  }
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  /// How many bytes are left.
  std::size_t available() const { return remaining_; }

  /// A piece of so many bytes, or null if it does not fit.
  std::byte* take_bytes(std::size_t bytes) {
    if (bytes > remaining_ || padded(bytes) > remaining_) return nullptr;
    std::byte* piece = next_;
    next_ += padded(bytes);
    remaining_ -= padded(bytes);
    return piece;
  }
  /// So many uninitialised floats; null if they do not fit. None are had from an empty arena too.
  float* take_floats(std::size_t count) {
    std::byte* piece = take_bytes(count * sizeof(float));
    MAQUETTE_ASSERT(piece != nullptr || count == 0,
                    "arena: out of memory; see the network's workspace_bytes");
    return reinterpret_cast<float*>(piece);
  }
  /// An uninitialised array; its data is null if it does not fit.
  template <Shape S, class Layout = row_major>
  view<float, S, Layout> take() {
    return view<float, S, Layout>{take_floats(S::size)};
  }

  /// Gives back on destruction what was taken since it was opened.
  class [[nodiscard]] scope {
   public:
    explicit scope(arena& owner)
        : owner_(owner), next_(owner.next_), remaining_(owner.remaining_) {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() {
      owner_.next_ = next_;
      owner_.remaining_ = remaining_;
    }

   private:
    arena& owner_;
    std::byte* next_;
    std::size_t remaining_;
  };

 private:
  std::byte* next_ = nullptr;
  std::size_t remaining_ = 0;
};

}  // namespace maquette
