// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
#include "maquette/io/dtype.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/json.hpp"

namespace maquette {

/// An array of a .npy file: numbers or texts, always in C order, whatever the file's order was.
struct npy_array {
  dtype type = dtype::f32;
  tensor_shape shape;
  std::vector<std::byte> bytes;  ///< the numbers, little-endian; empty for texts
  std::vector<std::string>
      texts;  ///< the texts (numpy's U as UTF-8, S as it is); empty for numbers
  bool is_text = false;

  /// The numbers as `T`: float, double or an integer type.
  ///
  /// Errors: mismatch (texts; or `T` is an integer type and an element is no such integer).
  template <class T>
  result<std::vector<T>> values() const {
    if (is_text) return error{errc::mismatch, "expected an array of numbers, found texts"};
    return convert_elements<T>(type, bytes);
  }

  /// An array that holds a copy of `elements`, which must fill `shape`.
  template <class T>
  static npy_array of(const tensor_shape& shape, std::span<const T> elements);
};

namespace detail {

template <class T>
inline constexpr std::optional<dtype> dtype_of = std::nullopt;
template <>
inline constexpr std::optional<dtype> dtype_of<float> = dtype::f32;
template <>
inline constexpr std::optional<dtype> dtype_of<double> = dtype::f64;
template <>
inline constexpr std::optional<dtype> dtype_of<std::int8_t> = dtype::i8;
template <>
inline constexpr std::optional<dtype> dtype_of<std::uint8_t> = dtype::u8;
template <>
inline constexpr std::optional<dtype> dtype_of<std::int16_t> = dtype::i16;
template <>
inline constexpr std::optional<dtype> dtype_of<std::uint16_t> = dtype::u16;
template <>
inline constexpr std::optional<dtype> dtype_of<std::int32_t> = dtype::i32;
template <>
inline constexpr std::optional<dtype> dtype_of<std::uint32_t> = dtype::u32;
template <>
inline constexpr std::optional<dtype> dtype_of<std::int64_t> = dtype::i64;
template <>
inline constexpr std::optional<dtype> dtype_of<std::uint64_t> = dtype::u64;

/// numpy's own default for headers is far below this.
inline constexpr std::size_t npy_header_limit = 64 * 1024;

/// Texts cost far more memory than their bytes in the file, which may even be none.
inline constexpr std::size_t npy_text_limit = std::size_t{1} << 20;

/// The fixed start of a .npy file.
struct npy_prelude {
  std::size_t size = 0;         ///< of magic, version and length together
  std::size_t header_size = 0;  ///< of the text that follows
};

/// Longest prelude: six bytes of magic, two of version, four of length.
inline constexpr std::size_t npy_prelude_limit = 12;

inline std::optional<npy_prelude> parse_npy_prelude(std::span<const std::byte> bytes) {
  constexpr std::string_view magic = "\x93NUMPY";
  if (bytes.size() < 10 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    return std::nullopt;
  const auto major = std::to_integer<int>(bytes[6]);
  if (major == 1) return npy_prelude{10, *load<std::uint16_t>(bytes, 8)};
  const auto length = load<std::uint32_t>(bytes, 8);
  if ((major != 2 && major != 3) || !length) return std::nullopt;
  return npy_prelude{12, *length};
}

/// What the text of a .npy header says.
struct npy_header {
  enum class kind { number, bytes_text, utf32_text };
  kind what = kind::number;
  dtype type = dtype::f32;
  std::size_t item_size = 0;
  bool big_endian = false;
  bool fortran_order = false;
  tensor_shape shape;
  std::size_t count = 0;

  std::size_t byte_count() const { return count * item_size; }
};

/// A cursor over the Python literal in a .npy header: a dictionary of strings, booleans and tuples.
class npy_literal {
 public:
  explicit npy_literal(std::string_view text) : text_(text) {}

  bool consume(std::string_view expected) {
    skip_space();
    if (text_.substr(position_, expected.size()) != expected) return false;
    position_ += expected.size();
    return true;
  }

  bool string(std::string_view& value) {
    skip_space();
    if (position_ == text_.size()) return false;
    const char quote = text_[position_];
    if (quote != '\'' && quote != '"') return false;
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return false;
    value = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return value.find('\\') == std::string_view::npos;
  }

  bool boolean(bool& value) {
    value = consume("True");
    return value || consume("False");
  }

  /// A non-negative integer, perhaps with the L of Python 2.
  bool integer(std::int64_t& value) {
    skip_space();
    const char* first = text_.data() + position_;
    const char* last = text_.data() + text_.size();
    if (first == last || *first < '0' || *first > '9') return false;
    const auto [end, failure] = std::from_chars(first, last, value);
    if (failure != std::errc{}) return false;
    position_ += static_cast<std::size_t>(end - first);
    if (position_ < text_.size() && text_[position_] == 'L') ++position_;
    return true;
  }

  bool at_end() {
    skip_space();
    return position_ == text_.size();
  }

 private:
  void skip_space() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n'))
      ++position_;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

/// Reads numpy's type string, such as <f4, |b1 or <U12.
[[gnu::cold]] inline result<void> parse_npy_descr(std::string_view descr, const std::string& origin,
                                                  npy_header& header) {
  const auto unsupported = [&] {
    return error{errc::unsupported,
                 sentence({origin, ": the element type '", descr, "' is not supported"})};
  };
  if (descr.find('O') != std::string_view::npos)
    return error{errc::unsupported, sentence({origin,
                                              ": an array of Python objects is a pickle, which is "
                                              "program code and is not read from .npy files"})};
  if (descr.size() < 3 ||
      (descr[0] != '<' && descr[0] != '>' && descr[0] != '|' && descr[0] != '='))
    return unsupported();
  header.big_endian = descr[0] == '>';
  std::uint32_t size = 0;
  const char* last = descr.data() + descr.size();
  const auto [end, failure] = std::from_chars(descr.data() + 2, last, size);
  if (failure != std::errc{} || end != last) return unsupported();
  header.item_size = size;
  switch (descr[1]) {
    case 'S':
    case 'a':
      header.what = npy_header::kind::bytes_text;
      return {};
    case 'U': {
      header.what = npy_header::kind::utf32_text;
      const auto bytes = checked_product(size, 4);
      if (!bytes) return unsupported();
      header.item_size = *bytes;
      return {};
    }
    default:
      break;
  }
  constexpr std::pair<std::string_view, dtype> numbers[] = {
      {"b1", dtype::boolean}, {"i1", dtype::i8},  {"u1", dtype::u8},  {"i2", dtype::i16},
      {"u2", dtype::u16},     {"i4", dtype::i32}, {"u4", dtype::u32}, {"i8", dtype::i64},
      {"u8", dtype::u64},     {"f2", dtype::f16}, {"f4", dtype::f32}, {"f8", dtype::f64}};
  for (const auto& [name, type] : numbers) {
    if (descr.substr(1) != name) continue;
    header.type = type;
    return {};
  }
  return unsupported();
}

/// Reads the text of a .npy header.
[[gnu::cold]] inline result<npy_header> parse_npy_header(std::string_view text,
                                                         const std::string& origin) {
  const auto broken = [&] {
    return error{errc::malformed,
                 sentence({origin,
                           ": the .npy header is not the expected dictionary of descr, "
                           "fortran_order and shape"})};
  };
  npy_header header;
  npy_literal literal(text);
  std::string_view key, descr;
  bool has_descr = false, has_order = false, has_shape = false;
  if (!literal.consume("{")) return broken();
  while (!literal.consume("}")) {
    if (!literal.string(key) || !literal.consume(":")) return broken();
    if (key == "descr" && !has_descr) {
      has_descr = true;
      if (literal.consume("["))
        return error{errc::unsupported,
                     sentence({origin, ": arrays of records are not supported"})};
      if (!literal.string(descr)) return broken();
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      if (!literal.boolean(header.fortran_order)) return broken();
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      if (!literal.consume("(")) return broken();
      while (!literal.consume(")")) {
        std::int64_t extent = 0;
        if (!literal.integer(extent)) return broken();
        if (!header.shape.push_back(extent))
          return error{errc::unsupported,
                       sentence({origin, ": expected at most ", tensor_shape::capacity, " axes"})};
        if (!literal.consume(",")) {
          if (!literal.consume(")")) return broken();
          break;
        }
      }
    } else {
      return broken();
    }
    if (!literal.consume(",")) {
      if (!literal.consume("}")) return broken();
      break;
    }
  }
  if (!has_descr || !has_order || !has_shape || !literal.at_end()) return broken();
  if (result<void> read = parse_npy_descr(descr, origin, header); !read) return read.error();
  const auto count = element_count(header.shape);
  if (!count || !checked_product(*count, header.item_size))
    return error{errc::malformed, sentence({origin, ": the shape ", to_string(header.shape),
                                            " is beyond all memory"})};
  header.count = *count;
  if (header.what != npy_header::kind::number && header.count > npy_text_limit)
    return error{errc::unsupported, sentence({origin, ": expected at most ", npy_text_limit,
                                              " texts, found ", header.count})};
  return header;
}

/// Turns column-major elements into row-major ones.
inline std::vector<std::byte> row_major(std::span<const std::byte> bytes, const tensor_shape& shape,
                                        std::size_t item_size) {
  std::vector<std::byte> ordered(bytes.size());
  std::size_t index[tensor_shape::capacity] = {};
  std::size_t stride[tensor_shape::capacity] = {};
  for (std::size_t axis = 0, step = item_size; axis < shape.rank(); ++axis) {
    stride[axis] = step;
    step *= static_cast<std::size_t>(shape[axis]);
  }
  std::size_t source = 0;
  for (std::size_t target = 0; target < bytes.size(); target += item_size) {
    std::memcpy(ordered.data() + target, bytes.data() + source, item_size);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      source += stride[axis];
      if (++index[axis] < static_cast<std::size_t>(shape[axis])) break;
      source -= stride[axis] * index[axis];
      index[axis] = 0;
    }
  }
  return ordered;
}

inline void swap_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; i + width <= bytes.size(); i += width)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
}

/// The array that `header` describes, from exactly its bytes.
[[gnu::cold]] inline result<npy_array> build_npy_array(const npy_header& header,
                                                       std::vector<std::byte> bytes,
                                                       const std::string& origin) {
  const bool is_text = header.what != npy_header::kind::number;
  if (header.big_endian && header.what != npy_header::kind::bytes_text)
    swap_bytes(bytes, is_text ? 4 : header.item_size);
  if (header.fortran_order && header.shape.rank() > 1 && !bytes.empty())
    bytes = row_major(bytes, header.shape, header.item_size);
  npy_array array;
  array.shape = header.shape;
  if (!is_text) {
    array.type = header.type;
    array.bytes = std::move(bytes);
    return array;
  }
  array.is_text = true;
  array.texts.resize(header.count);
  for (std::size_t i = 0; i < header.count; ++i) {
    std::string& text = array.texts[i];
    const auto item = std::span(bytes).subspan(i * header.item_size, header.item_size);
    if (header.what == npy_header::kind::bytes_text) {
      text.assign(reinterpret_cast<const char*>(item.data()), item.size());
      while (!text.empty() && text.back() == '\0') text.pop_back();
      continue;
    }
    std::size_t length = item.size() / 4;
    while (length > 0 && *load<std::uint32_t>(item, 4 * (length - 1)) == 0) --length;
    for (std::size_t c = 0; c < length; ++c)
      if (!append_utf8(text, *load<std::uint32_t>(item, 4 * c)))
        return error{errc::malformed, sentence({origin, ": text ", i, " is not Unicode"})};
  }
  return array;
}

}  // namespace detail

template <class T>
npy_array npy_array::of(const tensor_shape& shape, std::span<const T> elements) {
  static_assert(detail::dtype_of<T>.has_value(), "numpy has no such element type");
  MAQUETTE_ASSERT(detail::element_count(shape) == elements.size(), "npy_array: shape not filled");
  npy_array array;
  array.type = *detail::dtype_of<T>;
  array.shape = shape;
  const auto bytes = std::as_bytes(elements);
  array.bytes.assign(bytes.begin(), bytes.end());
  return array;
}

/// Reads a .npy file that is in memory; `origin` is what messages call it.
///
/// Versions 1 to 3; f2 f4 f8, i1 to i8, u1 to u8, b1, U and S in either byte order, C or Fortran
/// order; at most eight axes. Errors: malformed; unsupported (objects, records, other types, more
/// axes, more than 1,048,576 texts).
inline result<npy_array> decode_npy(std::span<const std::byte> bytes,
                                    std::string_view origin = ".npy in memory") {
  const std::string name(origin);
  const std::optional<detail::npy_prelude> prelude = detail::parse_npy_prelude(bytes);
  if (!prelude)
    return error{errc::malformed,
                 detail::sentence({name, ": does not begin like a .npy file of version 1 to 3"})};
  if (prelude->header_size > detail::npy_header_limit ||
      prelude->header_size > bytes.size() - prelude->size)
    return error{errc::malformed,
                 detail::sentence({name, ": the .npy header should have ", prelude->header_size,
                                   " bytes, but only ", bytes.size() - prelude->size,
                                   " follow or are read"})};
  const auto text = bytes.subspan(prelude->size, prelude->header_size);
  const auto data = bytes.subspan(prelude->size + prelude->header_size);
  const result<detail::npy_header> header =
      detail::parse_npy_header({reinterpret_cast<const char*>(text.data()), text.size()}, name);
  if (!header) return header.error();
  if (header->byte_count() != data.size())
    return error{errc::malformed,
                 detail::sentence({name, ": shape ", detail::to_string(header->shape), " needs ",
                                   header->byte_count(), " bytes, found ", data.size()})};
  return detail::build_npy_array(*header, {data.begin(), data.end()}, name);
}

/// Reads a .npy file.
///
/// Errors: not_found, unreadable; those of `decode_npy`.
inline result<npy_array> read_npy(const std::string& path) {
  const result<mapped_file> file = mapped_file::open(path);
  if (!file) return file.error();
  return decode_npy(file->bytes(), path);
}

}  // namespace maquette
