// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/dtype.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/json.hpp"
#include "maquette/io/safetensors.hpp"

namespace maquette {

/// The bytes of a safetensors file.
///
/// The same tensors give the same bytes in whatever order they come: widest elements first, then by
/// name, so that each is aligned for its type; the header is padded with spaces to 64 bytes.
/// Errors: mismatch (a name twice or reserved, bytes that do not fill the shape); unsupported (a
/// header longer than readers take).
inline result<std::vector<std::byte>> encode_safetensors(
    std::span<const safetensors_entry> entries, const safetensors_metadata& metadata = {}) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return entries[a].name < entries[b].name; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const safetensors_entry& entry = entries[order[i]];
    if (entry.name == detail::safetensors_metadata_key ||
        (i != 0 && entry.name == entries[order[i - 1]].name))
      return error{errc::mismatch,
                   detail::sentence({"tensor '", entry.name, "': the name is taken"})};
    const auto count = detail::element_count(entry.shape);
    const auto size =
        count ? detail::checked_product(*count, dtype_size(entry.type)) : std::nullopt;
    if (!size || *size != entry.bytes.size())
      return error{
          errc::mismatch,
          detail::sentence({"tensor '", entry.name, "': shape ", detail::to_string(entry.shape),
                            " does not fill ", entry.bytes.size(), " bytes"})};
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return dtype_size(entries[a].type) > dtype_size(entries[b].type);
  });

  std::string header = "{";
  if (!metadata.empty()) {
    detail::append_json_string(header, detail::safetensors_metadata_key);
    header += ":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ',';
      detail::append_json_string(header, key);
      header += ':';
      detail::append_json_string(header, value);
    }
    header += '}';
  }
  std::size_t offset = 0;
  for (const std::size_t index : order) {
    const safetensors_entry& entry = entries[index];
    if (header.size() > 1) header += ',';
    detail::append_json_string(header, entry.name);
    header += ":{\"dtype\":";
    detail::append_json_string(header, detail::safetensors_type(entry.type));
    header += ",\"shape\":[";
    for (std::size_t axis = 0; axis < entry.shape.rank(); ++axis) {
      if (axis > 0) header += ',';
      header += std::to_string(entry.shape[axis]);
    }
    header += "],\"data_offsets\":[" + std::to_string(offset);
    offset += entry.bytes.size();
    header += ',';
    header += std::to_string(offset);
    header += "]}";
  }
  header += '}';
  header.append((64 - (8 + header.size()) % 64) % 64, ' ');
  if (header.size() > detail::safetensors_header_limit)
    return error{errc::unsupported,
                 "a safetensors header of more than 16 MB would not be read back"};

  std::vector<std::byte> bytes;
  bytes.reserve(8 + header.size() + offset);
  detail::store(bytes, static_cast<std::uint64_t>(header.size()));
  detail::append(bytes, std::string_view(header));
  for (const std::size_t index : order) detail::append(bytes, entries[index].bytes);
  return bytes;
}

/// A float32 tensor as an entry to be written; both borrow the same memory.
inline safetensors_entry to_entry(const named_tensor& tensor) {
  return {std::string(tensor.name), dtype::f32, tensor.shape, std::as_bytes(tensor.values)};
}

/// Writes a safetensors file whole or not at all.
///
/// Errors: those of `encode_safetensors`; unwritable.
inline result<void> write_safetensors(const std::string& path,
                                      std::span<const safetensors_entry> entries,
                                      const safetensors_metadata& metadata = {}) {
  const result<std::vector<std::byte>> bytes = encode_safetensors(entries, metadata);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

}  // namespace maquette
