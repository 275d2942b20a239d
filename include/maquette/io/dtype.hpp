// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/io/bytes.hpp"

namespace maquette {

/// What one element of an array in a file is.
enum class dtype : std::uint8_t {
  boolean,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  f16,
  bf16,
  f32,
  f64
};

/// Bytes of one element.
constexpr std::size_t dtype_size(dtype type) {
  switch (type) {
    case dtype::boolean:
    case dtype::i8:
    case dtype::u8:
      return 1;
    case dtype::i16:
    case dtype::u16:
    case dtype::f16:
    case dtype::bf16:
      return 2;
    case dtype::i32:
    case dtype::u32:
    case dtype::f32:
      return 4;
    case dtype::i64:
    case dtype::u64:
    case dtype::f64:
      break;
  }
  return 8;
}

/// The value of an IEEE 754 binary16, exactly.
inline float float_from_f16(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 0x1FU ? 0xFFU : exponent + 112U;
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

/// The value of a bfloat16, exactly.
inline float float_from_bf16(std::uint16_t brain) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(brain) << 16U);
}

namespace detail {

/// Elements of a shape, or nothing if an extent is negative or the product overflows.
inline std::optional<std::size_t> element_count(const tensor_shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    const auto product = checked_product(count, static_cast<std::size_t>(extent));
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

/// A shape as people write it: [2, 3].
[[gnu::cold]] inline std::string to_string(const tensor_shape& shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

/// Calls `visit(value)` with each element in its own type (16-bit floats as float).
template <class Visit>
[[gnu::cold]] void for_each_element(dtype type, std::span<const std::byte> bytes, Visit&& visit) {
  const auto walk = [&]<class Stored>(Stored, auto&& convert) {
    for (std::size_t i = 0; i + sizeof(Stored) <= bytes.size(); i += sizeof(Stored)) {
      Stored stored;
      std::memcpy(&stored, bytes.data() + i, sizeof(Stored));
      visit(convert(stored));
    }
  };
  const auto same = [](auto value) { return value; };
  switch (type) {
    case dtype::boolean:
      return walk(std::uint8_t{}, [](std::uint8_t v) { return v != 0 ? 1 : 0; });
    case dtype::i8:
      return walk(std::int8_t{}, same);
    case dtype::u8:
      return walk(std::uint8_t{}, same);
    case dtype::i16:
      return walk(std::int16_t{}, same);
    case dtype::u16:
      return walk(std::uint16_t{}, same);
    case dtype::i32:
      return walk(std::int32_t{}, same);
    case dtype::u32:
      return walk(std::uint32_t{}, same);
    case dtype::i64:
      return walk(std::int64_t{}, same);
    case dtype::u64:
      return walk(std::uint64_t{}, same);
    case dtype::f16:
      return walk(std::uint16_t{}, float_from_f16);
    case dtype::bf16:
      return walk(std::uint16_t{}, float_from_bf16);
    case dtype::f32:
      return walk(float{}, same);
    case dtype::f64:
      return walk(double{}, same);
  }
}

/// Whether `value` has an exact counterpart among the integers of type `Integer`.
template <class Integer, class Value>
bool representable(Value value) {
  if constexpr (std::is_floating_point_v<Value>) {
    constexpr Value half_range =
        static_cast<Value>(std::uint64_t{1} << (std::numeric_limits<Integer>::digits - 1));
    constexpr Value low = std::is_signed_v<Integer> ? Value{-2} * half_range : Value{0};
    return value >= low && value < Value{2} * half_range && value == std::trunc(value);
  } else {
    return std::in_range<Integer>(value);
  }
}

}  // namespace detail

/// Converts the elements of any numeric array to `T`: float, double or an integer type.
///
/// To floating point every value converts, rounded to nearest. Errors: mismatch where `T` is an
/// integer type and a value is not such an integer (a fraction, out of range, NaN).
template <class T>
result<std::vector<T>> convert_elements(dtype type, std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / dtype_size(type));
  T* next = values.data();
  std::optional<std::ptrdiff_t> lost;
  detail::for_each_element(type, bytes, [&](auto value) {
    if constexpr (std::is_integral_v<T>) {
      if (!detail::representable<T>(value)) {
        if (!lost) lost = next - values.data();
        ++next;
        return;
      }
    }
    *next++ = static_cast<T>(value);
  });
  if (lost)
    return error{errc::mismatch,
                 detail::sentence(
                     {"element ", *lost, " is not a whole number that the wanted type can hold"})};
  return values;
}

}  // namespace maquette
