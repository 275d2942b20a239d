// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/dtype.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/json.hpp"

namespace maquette {

/// One tensor of a safetensors file: row-major little-endian elements, borrowed and of any
/// alignment.
struct safetensors_entry {
  std::string name;
  dtype type = dtype::f32;
  tensor_shape shape;
  std::span<const std::byte> bytes;
};

/// The file's `__metadata__`: free text by key.
using safetensors_metadata = std::map<std::string, std::string, std::less<>>;

namespace detail {

inline constexpr std::uint64_t safetensors_header_limit = std::uint64_t{16} << 20;
inline constexpr std::string_view safetensors_metadata_key = "__metadata__";

struct safetensors_type_name {
  dtype type;
  std::string_view name;
};
inline constexpr safetensors_type_name safetensors_type_names[] = {
    {dtype::boolean, "BOOL"}, {dtype::u8, "U8"},   {dtype::i8, "I8"},     {dtype::i16, "I16"},
    {dtype::u16, "U16"},      {dtype::i32, "I32"}, {dtype::u32, "U32"},   {dtype::i64, "I64"},
    {dtype::u64, "U64"},      {dtype::f16, "F16"}, {dtype::bf16, "BF16"}, {dtype::f32, "F32"},
    {dtype::f64, "F64"}};

inline std::optional<dtype> safetensors_type(std::string_view name) {
  for (const auto& known : safetensors_type_names)
    if (known.name == name) return known.type;
  return std::nullopt;
}

inline std::string_view safetensors_type(dtype type) {
  for (const auto& known : safetensors_type_names)
    if (known.type == type) return known.name;
  return {};
}

/// Names sorted, so that a tensor is found by bisection and a duplicate lies beside its twin.
[[gnu::cold]] inline std::vector<std::size_t> order_by_name(
    std::span<const safetensors_entry> entries) {
  std::vector<std::size_t> order(entries.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return entries[a].name < entries[b].name; });
  return order;
}

}  // namespace detail

/// The tensors and the metadata of one safetensors file, checked in full before they are handed
/// out.
class safetensors {
 public:
  /// Maps a file into memory and reads its header; entries point into the mapping, which this
  /// object owns (moving it keeps them valid).
  ///
  /// Errors: not_found, unreadable; malformed and unsupported as for `parse`.
  static result<safetensors> open(const std::string& path) {
    result<mapped_file> file = mapped_file::open(path);
    if (!file) return file.error();
    result<safetensors> parsed = parse(file->bytes(), path);
    if (!parsed) return parsed.error();
    parsed->file_ = std::move(*file);
    return parsed;
  }

  /// Reads the header of a file that is already in memory; entries point into `bytes`, which must
  /// outlive this object. `origin` is what messages call the file.
  ///
  /// Accepts exactly the published format: 8 bytes of header length (at most 16 MB here), a JSON
  /// header, then the tensors' bytes without holes, overlaps or anything behind them; at most eight
  /// axes. Errors: malformed; unsupported (element type, rank or header length).
  static result<safetensors> parse(std::span<const std::byte> bytes,
                                   std::string_view origin = "safetensors in memory") {
    safetensors file;
    file.origin_ = origin;
    if (result<void> header = file.read_header(bytes); !header) return header.error();
    return file;
  }

  /// The tensors in the order of their bytes in the file.
  std::span<const safetensors_entry> entries() const { return entries_; }
  const safetensors_metadata& metadata() const { return metadata_; }
  const std::string& origin() const { return origin_; }

  /// The tensor of that name, or null.
  const safetensors_entry* find(std::string_view name) const {
    const auto at = std::lower_bound(
        order_.begin(), order_.end(), name,
        [&](std::size_t index, std::string_view wanted) { return entries_[index].name < wanted; });
    return at != order_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
  }

 private:
  struct extent {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::size_t entry = 0;
  };

  error malformed(const std::string& what) const {
    return {errc::malformed, origin_ + ": " + what};
  }

  [[gnu::cold]] result<void> read_header(std::span<const std::byte> bytes) {
    const auto length = detail::load<std::uint64_t>(bytes, 0);
    if (!length)
      return malformed("expected at least the 8 bytes of a safetensors header length, found " +
                       std::to_string(bytes.size()));
    if (*length > detail::safetensors_header_limit)
      return error{errc::unsupported, origin_ +
                                          ": expected a header of at most 16 MB, found one of " +
                                          std::to_string(*length) + " bytes"};
    if (*length > bytes.size() - 8)
      return malformed("the header should have " + std::to_string(*length) + " bytes, but only " +
                       std::to_string(bytes.size() - 8) + " follow");
    const auto header = bytes.subspan(8, static_cast<std::size_t>(*length));
    const auto data = bytes.subspan(8 + static_cast<std::size_t>(*length));
    if (header.empty() || header[0] != std::byte{'{'})
      return malformed("the header does not begin with '{'");

    detail::json_cursor json({reinterpret_cast<const char*>(header.data()), header.size()});
    std::vector<extent> extents;
    bool has_metadata = false;
    json.consume('{');
    if (!json.consume('}')) {
      do {
        std::string name;
        if (!json.string(name) || !json.consume(':')) return broken_header(json);
        if (name == detail::safetensors_metadata_key) {
          if (has_metadata) return malformed("__metadata__ occurs twice");
          has_metadata = true;
          if (result<void> read = read_metadata(json); !read) return read;
        } else if (result<void> read = read_entry(json, std::move(name), extents); !read) {
          return read;
        }
      } while (json.consume(','));
      if (!json.consume('}')) return broken_header(json);
    }
    if (!json.at_end()) return broken_header(json);
    return place(extents, data);
  }

  error broken_header(const detail::json_cursor& json) const {
    return malformed("the header is not the expected JSON at its byte " +
                     std::to_string(json.position()));
  }

  [[gnu::cold]] result<void> read_metadata(detail::json_cursor& json) {
    if (!json.consume('{')) return broken_header(json);
    if (json.consume('}')) return {};
    do {
      std::string key, value;
      if (!json.string(key) || !json.consume(':') || !json.string(value))
        return broken_header(json);
      if (!metadata_.emplace(key, std::move(value)).second)
        return malformed("the metadata has the key '" + key + "' twice");
    } while (json.consume(','));
    if (!json.consume('}')) return broken_header(json);
    return {};
  }

  [[gnu::cold]] result<void> read_entry(detail::json_cursor& json, std::string name,
                                        std::vector<extent>& extents) {
    safetensors_entry entry;
    extent place;
    bool has_type = false, has_shape = false, has_offsets = false;
    std::string key, type;
    if (!json.consume('{')) return broken_header(json);
    do {
      if (!json.string(key) || !json.consume(':')) return broken_header(json);
      if (key == "dtype" && !has_type) {
        has_type = true;
        if (!json.string(type)) return broken_header(json);
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        if (!json.consume('[')) return broken_header(json);
        if (!json.consume(']')) {
          do {
            std::int64_t size = 0;
            if (!json.integer(size)) return broken_header(json);
            if (!entry.shape.push_back(size))
              return error{errc::unsupported, origin_ + ": tensor '" + name +
                                                  "': expected at most " +
                                                  std::to_string(tensor_shape::capacity) + " axes"};
          } while (json.consume(','));
          if (!json.consume(']')) return broken_header(json);
        }
      } else if (key == "data_offsets" && !has_offsets) {
        has_offsets = true;
        if (!json.consume('[') || !json.integer(place.begin) || !json.consume(',') ||
            !json.integer(place.end) || !json.consume(']'))
          return broken_header(json);
      } else {
        return malformed("tensor '" + name + "': the key '" + key + "' is unknown or occurs twice");
      }
    } while (json.consume(','));
    if (!json.consume('}')) return broken_header(json);
    if (!has_type || !has_shape || !has_offsets)
      return malformed("tensor '" + name + "': expected dtype, shape and data_offsets");

    const std::optional<dtype> known = detail::safetensors_type(type);
    if (!known)
      return error{errc::unsupported,
                   origin_ + ": tensor '" + name + "': the element type '" + type + "' is unknown"};
    const auto count = detail::element_count(entry.shape);
    const auto size = count ? detail::checked_product(*count, dtype_size(*known)) : std::nullopt;
    if (!size || place.end < place.begin ||
        static_cast<std::uint64_t>(place.end - place.begin) != *size)
      return malformed("tensor '" + name + "': shape " + detail::to_string(entry.shape) + " of " +
                       type + " does not fill the bytes " + std::to_string(place.begin) + " to " +
                       std::to_string(place.end));
    entry.name = std::move(name);
    entry.type = *known;
    place.entry = entries_.size();
    entries_.push_back(std::move(entry));
    extents.push_back(place);
    return {};
  }

  /// Gives each entry its bytes, if together they are exactly the data section.
  [[gnu::cold]] result<void> place(std::vector<extent>& extents, std::span<const std::byte> data) {
    std::sort(extents.begin(), extents.end(), [](const extent& a, const extent& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::vector<safetensors_entry> placed;
    placed.reserve(extents.size());
    std::uint64_t end = 0;
    for (const extent& at : extents) {
      safetensors_entry& entry = entries_[at.entry];
      if (static_cast<std::uint64_t>(at.begin) != end)
        return malformed("tensor '" + entry.name + "': expected to begin at byte " +
                         std::to_string(end) + " of the data, found " + std::to_string(at.begin));
      end = static_cast<std::uint64_t>(at.end);
      if (end > data.size())
        return malformed("tensor '" + entry.name + "': ends at byte " + std::to_string(end) +
                         " of the data, of which there are " + std::to_string(data.size()));
      entry.bytes = data.subspan(static_cast<std::size_t>(at.begin),
                                 static_cast<std::size_t>(at.end - at.begin));
      placed.push_back(std::move(entry));
    }
    if (end != data.size())
      return malformed("expected " + std::to_string(end) + " bytes of data, found " +
                       std::to_string(data.size()));
    entries_ = std::move(placed);
    order_ = detail::order_by_name(entries_);
    for (std::size_t i = 1; i < order_.size(); ++i)
      if (entries_[order_[i]].name == entries_[order_[i - 1]].name)
        return malformed("tensor '" + entries_[order_[i]].name + "' occurs twice");
    return {};
  }

  std::string origin_;
  std::optional<mapped_file> file_;
  std::vector<safetensors_entry> entries_;
  std::vector<std::size_t> order_;
  safetensors_metadata metadata_;
};

/// The tensors of a file as float32, ready to be bound to a network.
///
/// F32 that lies aligned in the file is borrowed from it; unaligned F32 and every other type is
/// converted into memory owned here. The file must outlive this object.
class float_tensors {
 public:
  explicit float_tensors(const safetensors& file) {
    tensors_.reserve(file.entries().size());
    for (const safetensors_entry& entry : file.entries())
      tensors_.push_back({entry.name, entry.shape, values(entry)});
  }
  float_tensors(float_tensors&&) noexcept = default;
  float_tensors& operator=(float_tensors&&) noexcept = default;

  /// All tensors, in the file's order.
  tensor_source source() const { return tensors_; }

  /// The tensor of that name, or null.
  const named_tensor* find(std::string_view name) const {
    const auto at = std::find_if(tensors_.begin(), tensors_.end(),
                                 [&](const named_tensor& tensor) { return tensor.name == name; });
    return at != tensors_.end() ? &*at : nullptr;
  }

 private:
  std::span<const float> values(const safetensors_entry& entry) {
    const std::size_t count = entry.bytes.size() / dtype_size(entry.type);
    if (entry.type == dtype::f32 &&
        reinterpret_cast<std::uintptr_t>(entry.bytes.data()) % alignof(float) == 0)
      return {reinterpret_cast<const float*>(entry.bytes.data()), count};
    auto owned = std::make_unique<float[]>(count);
    float* next = owned.get();
    detail::for_each_element(entry.type, entry.bytes,
                             [&](auto value) { *next++ = static_cast<float>(value); });
    owned_.push_back(std::move(owned));
    return {owned_.back().get(), count};
  }

  std::vector<named_tensor> tensors_;
  std::vector<std::unique_ptr<float[]>> owned_;
};

/// The bytes of a safetensors file.
///
/// The same tensors give the same bytes in whatever order they come: widest elements first, then by
/// name, so that each is aligned for its type; the header is padded with spaces to 64 bytes.
/// Errors: mismatch (a name twice or reserved, bytes that do not fill the shape).
inline result<std::vector<std::byte>> encode_safetensors(
    std::span<const safetensors_entry> entries, const safetensors_metadata& metadata = {}) {
  std::vector<std::size_t> order = detail::order_by_name(entries);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const safetensors_entry& entry = entries[order[i]];
    if (entry.name == detail::safetensors_metadata_key ||
        (i != 0 && entry.name == entries[order[i - 1]].name))
      return error{errc::mismatch, "tensor '" + entry.name + "': the name is taken"};
    const auto count = detail::element_count(entry.shape);
    const auto size =
        count ? detail::checked_product(*count, dtype_size(entry.type)) : std::nullopt;
    if (!size || *size != entry.bytes.size())
      return error{errc::mismatch, "tensor '" + entry.name + "': shape " +
                                       detail::to_string(entry.shape) + " does not fill " +
                                       std::to_string(entry.bytes.size()) + " bytes"};
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
    header += "," + std::to_string(offset) + "]}";
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
  if (!bytes) return error{bytes.error().code, path + ": " + bytes.error().message};
  return write_file(path, *bytes);
}

}  // namespace maquette
