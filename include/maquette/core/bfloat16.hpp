// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstdint>

namespace maquette {

/// The upper half of a float, for memory whose way costs more than its last digits are worth: a
/// float's range and 8 significant bits.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// The nearest one, of two the even one: at most 2^-8 of the value away; NaN stays NaN.
  explicit bfloat16(float value) {
    const auto whole = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = whole + 0x7FFFU + ((whole >> 16U) & 1U);
    bits = static_cast<std::uint16_t>((value == value ? rounded : whole | 0x400000U) >> 16U);
  }
  /// The same value, exactly.
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
};

}  // namespace maquette
