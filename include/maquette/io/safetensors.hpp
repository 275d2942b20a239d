// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/directory.hpp"
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

namespace detail {

/// The order of texts, of whatever kind.
struct text_order {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a < b; }
};

}  // namespace detail

/// The file's `__metadata__`: free text by key.
using safetensors_metadata = std::map<std::string, std::string, detail::text_order>;

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
    const auto at =
        std::find_if(entries_.begin(), entries_.end(),
                     [&](const safetensors_entry& entry) { return entry.name == name; });
    return at != entries_.end() ? &*at : nullptr;
  }

 private:
  [[gnu::cold]] error malformed(std::initializer_list<detail::sentence_part> what) const {
    return {errc::malformed, detail::sentence({origin_, ": ", detail::sentence(what)})};
  }

  [[gnu::cold]] result<void> read_header(std::span<const std::byte> bytes) {
    const auto length = detail::load<std::uint64_t>(bytes, 0);
    if (!length)
      return malformed(
          {"expected at least the 8 bytes of a safetensors header length, found ", bytes.size()});
    if (*length > detail::safetensors_header_limit)
      return error{errc::unsupported,
                   detail::sentence({origin_,
                                     ": expected a safetensors file, whose header has at most 16 "
                                     "MB, found a length of ",
                                     *length, " bytes"})};
    if (*length > bytes.size() - 8)
      return malformed(
          {"the header should have ", *length, " bytes, but only ", bytes.size() - 8, " follow"});
    const auto header = bytes.subspan(8, static_cast<std::size_t>(*length));
    const auto data = bytes.subspan(8 + static_cast<std::size_t>(*length));
    if (header.empty() || header[0] != std::byte{'{'})
      return malformed({"the header does not begin with '{'"});

    detail::json_cursor json({reinterpret_cast<const char*>(header.data()), header.size()});
    std::vector<detail::byte_range> ranges;
    bool has_metadata = false;
    json.consume('{');
    if (!json.consume('}')) {
      do {
        std::string name;
        if (!json.string(name) || !json.consume(':')) return broken_header(json);
        if (name == detail::safetensors_metadata_key) {
          if (has_metadata) return malformed({"__metadata__ occurs twice"});
          has_metadata = true;
          if (result<void> read = read_metadata(json); !read) return read;
        } else if (result<void> read = read_entry(json, std::move(name), ranges); !read) {
          return read;
        }
      } while (json.consume(','));
      if (!json.consume('}')) return broken_header(json);
    }
    if (!json.at_end()) return broken_header(json);
    return place(ranges, data);
  }

  error broken_header(const detail::json_cursor& json) const {
    return malformed({"the header is not the expected JSON at its byte ", json.position()});
  }

  [[gnu::cold]] result<void> read_metadata(detail::json_cursor& json) {
    if (!json.consume('{')) return broken_header(json);
    if (json.consume('}')) return {};
    do {
      std::string key, value;
      if (!json.string(key) || !json.consume(':') || !json.string(value))
        return broken_header(json);
      if (!metadata_.emplace(key, std::move(value)).second)
        return malformed({"the metadata has the key '", key, "' twice"});
    } while (json.consume(','));
    if (!json.consume('}')) return broken_header(json);
    return {};
  }

  [[gnu::cold]] result<void> read_entry(detail::json_cursor& json, std::string name,
                                        std::vector<detail::byte_range>& ranges) {
    safetensors_entry entry;
    std::int64_t begin = 0, end = 0;
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
              return error{errc::unsupported,
                           detail::sentence({origin_, ": tensor '", name, "': expected at most ",
                                             tensor_shape::capacity, " axes"})};
          } while (json.consume(','));
          if (!json.consume(']')) return broken_header(json);
        }
      } else if (key == "data_offsets" && !has_offsets) {
        has_offsets = true;
        if (!json.consume('[') || !json.integer(begin) || !json.consume(',') ||
            !json.integer(end) || !json.consume(']'))
          return broken_header(json);
      } else {
        return malformed({"tensor '", name, "': the key '", key, "' is unknown or occurs twice"});
      }
    } while (json.consume(','));
    if (!json.consume('}')) return broken_header(json);
    if (!has_type || !has_shape || !has_offsets)
      return malformed({"tensor '", name, "': expected dtype, shape and data_offsets"});

    const std::optional<dtype> known = detail::safetensors_type(type);
    if (!known)
      return error{errc::unsupported,
                   detail::sentence({origin_, ": tensor '", name, "': the element type '", type,
                                     "' is unknown"})};
    const auto count = detail::element_count(entry.shape);
    const auto size = count ? detail::checked_product(*count, dtype_size(*known)) : std::nullopt;
    if (!size || begin < 0 || end < begin || static_cast<std::uint64_t>(end - begin) != *size)
      return malformed({"tensor '", name, "': shape ", detail::to_string(entry.shape), " of ", type,
                        " does not fill the bytes ", begin, " to ", end});
    entry.name = std::move(name);
    entry.type = *known;
    ranges.push_back(
        {static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end), entries_.size()});
    entries_.push_back(std::move(entry));
    return {};
  }

  /// Gives each entry its bytes, if together they are exactly the data section.
  [[gnu::cold]] result<void> place(std::vector<detail::byte_range>& ranges,
                                   std::span<const std::byte> data) {
    detail::sort_by_place(ranges);
    std::vector<safetensors_entry> placed;
    placed.reserve(ranges.size());
    std::uint64_t end = 0;
    for (const detail::byte_range& at : ranges) {
      safetensors_entry& entry = entries_[at.part];
      if (at.begin != end)
        return malformed({"tensor '", entry.name, "': expected to begin at byte ", end,
                          " of the data, found ", at.begin});
      end = at.end;
      if (end > data.size())
        return malformed({"tensor '", entry.name, "': ends at byte ", end,
                          " of the data, of which there are ", data.size()});
      entry.bytes = data.subspan(static_cast<std::size_t>(at.begin),
                                 static_cast<std::size_t>(at.end - at.begin));
      placed.push_back(std::move(entry));
    }
    if (end != data.size())
      return malformed({"expected ", end, " bytes of data, found ", data.size()});
    entries_ = std::move(placed);
    std::vector<std::string_view> names;
    for (const safetensors_entry& entry : entries_) names.emplace_back(entry.name);
    if (const auto twin = detail::repeated_name(std::move(names)))
      return malformed({"tensor '", *twin, "' occurs twice"});
    return {};
  }

  std::string origin_;
  std::optional<mapped_file> file_;
  std::vector<safetensors_entry> entries_;
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
    std::vector<float> owned(count);
    float* next = owned.data();
    detail::for_each_element(entry.type, entry.bytes,
                             [&](auto value) { *next++ = static_cast<float>(value); });
    owned_.push_back(std::move(owned));
    return owned_.back();
  }

  std::vector<named_tensor> tensors_;
  std::vector<std::vector<float>> owned_;
};

}  // namespace maquette
