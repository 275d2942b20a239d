// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// What the directory of a file of many parts is checked for.
namespace maquette::detail {

/// The bytes from `begin` up to `end` that belong to one part of a file.
struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::size_t part = 0;
};

/// Orders ranges by where they lie, empty ones before what begins at the same byte.
[[gnu::cold]] inline void sort_by_place(std::vector<byte_range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const byte_range& a, const byte_range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
}

/// A name that occurs more than once, if there is one.
[[gnu::cold]] inline std::optional<std::string_view> repeated_name(
    std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin == names.end()) return std::nullopt;
  return *twin;
}

}  // namespace maquette::detail
