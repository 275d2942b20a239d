// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

/// What the directory of a file of many parts is checked for.
namespace maquette::detail {

/// The bytes from `begin` up to `end` that belong to one part of a file.
struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::size_t part = 0;
};

/// Sorts by what `Order` answers of two, out of line: std::sort is 4 KB of code for each type.
template <class T, class Order>
requires std::is_trivially_copyable_v<T>
void sort(std::vector<T>& values, Order) {
  if (values.empty()) return;  // std::qsort wants a pointer even for nothing
  std::qsort(values.data(), values.size(), sizeof(T), [](const void* a, const void* b) {
    const auto order = Order{}(*static_cast<const T*>(a), *static_cast<const T*>(b));
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  });
}

/// Orders ranges by where they lie, empty ones before what begins at the same byte.
[[gnu::cold]] inline void sort_by_place(std::vector<byte_range>& ranges) {
  sort(ranges, [](const byte_range& a, const byte_range& b) {
    return a.begin != b.begin ? a.begin <=> b.begin : a.end <=> b.end;
  });
}

/// A name that occurs more than once, if there is one.
[[gnu::cold]] inline std::optional<std::string_view> repeated_name(
    std::vector<std::string_view> names) {
  sort(names, [](std::string_view a, std::string_view b) { return a <=> b; });
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin == names.end()) return std::nullopt;
  return *twin;
}

}  // namespace maquette::detail
