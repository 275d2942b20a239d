// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "maquette/core/assert.hpp"

namespace maquette {

/// The extents of a tensor that came from outside and is known only at run time: at most eight,
/// outermost first, kept in place.
class tensor_shape {
 public:
  static constexpr std::size_t capacity = 8;

  constexpr tensor_shape() = default;
  template <class... Extent>
  constexpr explicit tensor_shape(Extent... extent)
      : extents_{static_cast<std::int64_t>(extent)...}, rank_(sizeof...(Extent)) {
    static_assert(sizeof...(Extent) <= capacity);
  }

  /// Appends the next inner extent; false if there is no room for it.
  constexpr bool push_back(std::int64_t extent) {
    if (rank_ == capacity) return false;
    extents_[rank_++] = extent;
    return true;
  }

  constexpr std::size_t rank() const { return rank_; }
  constexpr std::int64_t operator[](std::size_t axis) const {
    MAQUETTE_ASSERT(axis < rank_, "tensor_shape: no such axis");
    return extents_[axis];
  }
  constexpr const std::int64_t* begin() const { return extents_.data(); }
  constexpr const std::int64_t* end() const { return extents_.data() + rank_; }
  constexpr bool operator==(const tensor_shape&) const = default;

 private:
  std::array<std::int64_t, capacity> extents_{};
  std::size_t rank_ = 0;
};

/// One float32 tensor of a weights file, row-major and borrowed: the file's memory must outlive it.
///
/// `values` is aligned for float and holds the product of the extents.
struct named_tensor {
  std::string_view name;
  tensor_shape shape;
  std::span<const float> values;
};

/// What a network is bound to: the tensors of one file in any order, names unique.
using tensor_source = std::span<const named_tensor>;

}  // namespace maquette
