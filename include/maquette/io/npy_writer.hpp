// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/npy.hpp"

namespace maquette {

/// The bytes of a .npy file (version 1.0, C order, little-endian).
///
/// Errors: unsupported (texts, bfloat16); mismatch (the bytes do not fill the shape).
inline result<std::vector<std::byte>> encode_npy(const npy_array& array) {
  if (array.is_text || array.type == dtype::bf16)
    return error{errc::unsupported, "texts and bfloat16 are not written as .npy"};
  const auto count = detail::element_count(array.shape);
  const auto size = count ? detail::checked_product(*count, dtype_size(array.type)) : std::nullopt;
  if (!size || *size != array.bytes.size())
    return error{errc::mismatch,
                 detail::sentence({"shape ", detail::to_string(array.shape), " does not fill ",
                                   array.bytes.size(), " bytes"})};
  const auto descr = [&]() -> std::string_view {
    switch (array.type) {
      case dtype::boolean:
        return "|b1";
      case dtype::i8:
        return "|i1";
      case dtype::u8:
        return "|u1";
      case dtype::i16:
        return "<i2";
      case dtype::u16:
        return "<u2";
      case dtype::i32:
        return "<i4";
      case dtype::u32:
        return "<u4";
      case dtype::i64:
        return "<i8";
      case dtype::u64:
        return "<u8";
      case dtype::f16:
        return "<f2";
      case dtype::f32:
        return "<f4";
      case dtype::f64:
      case dtype::bf16:
        break;
    }
    return "<f8";
  }();
  std::string header = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t axis = 0; axis < array.shape.rank(); ++axis) {
    if (axis > 0) header += ' ';
    header += std::to_string(array.shape[axis]);
    header += ',';
  }
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::vector<std::byte> bytes;
  bytes.reserve(10 + header.size() + array.bytes.size());
  detail::append(bytes, std::string_view("\x93NUMPY\x01\0", 8));
  detail::store(bytes, static_cast<std::uint16_t>(header.size()));
  detail::append(bytes, std::string_view(header));
  detail::append(bytes, array.bytes);
  return bytes;
}

/// Writes a .npy file whole or not at all.
///
/// Errors: those of `encode_npy`; unwritable.
inline result<void> write_npy(const std::string& path, const npy_array& array) {
  const result<std::vector<std::byte>> bytes = encode_npy(array);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

}  // namespace maquette
