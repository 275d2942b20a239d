// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "maquette/io/bytes.hpp"

namespace maquette::detail {

/// What a walk along the markers of a JPEG file tells without decoding it.
struct jpeg_summary {
  bool complete = false;  ///< the end-of-image marker is there
  bool sound = true;      ///< no Huffman table has more than 256 codes, which stb would overrun
  int scans = 0;          ///< each goes over the whole picture, however few bytes it has
  int orientation = 1;    ///< EXIF tag 0x0112: 1 upright ... 8, see `oriented`
};

/// The orientation in the body of an EXIF block (a small TIFF file), if it is there and sane.
inline std::optional<int> exif_orientation(std::span<const std::byte> tiff) {
  const auto mark = load_big_endian<std::uint16_t>(tiff, 0);
  const bool big_endian = mark == 0x4D4D;  // MM; II is little-endian
  if (!big_endian && mark != 0x4949) return std::nullopt;
  const auto u16 = [&](std::size_t at) {
    return big_endian ? load_big_endian<std::uint16_t>(tiff, at) : load<std::uint16_t>(tiff, at);
  };
  const auto directory =
      big_endian ? load_big_endian<std::uint32_t>(tiff, 4) : load<std::uint32_t>(tiff, 4);
  if (u16(2) != 42 || !directory) return std::nullopt;
  const std::size_t first = *directory;
  const auto count = u16(first);
  if (!count) return std::nullopt;
  constexpr std::uint16_t orientation_tag = 0x0112, short_type = 3;
  for (std::size_t i = 0; i < *count; ++i) {
    const std::size_t entry = first + 2 + 12 * i;
    const auto tag = u16(entry);
    if (!tag) return std::nullopt;
    if (*tag != orientation_tag) continue;
    const auto value = u16(entry + 8);
    if (u16(entry + 2) != short_type || !value || *value < 1 || *value > 8) return std::nullopt;
    return *value;
  }
  return std::nullopt;
}

/// Whether no Huffman table in the body of a DHT segment has more than 256 codes.
inline bool huffman_tables_fit(std::span<const std::byte> body) {
  constexpr std::size_t lengths = 16;
  while (body.size() > lengths) {
    std::size_t codes = 0;
    for (const std::byte count : body.subspan(1, lengths))
      codes += std::to_integer<std::size_t>(count);
    if (codes > 256 || codes > body.size() - 1 - lengths) return false;
    body = body.subspan(1 + lengths + codes);
  }
  return body.empty();
}

/// Walks the segments of a JPEG file from its start to its end-of-image marker.
inline jpeg_summary summarize_jpeg(std::span<const std::byte> bytes) {
  constexpr int huffman_tables = 0xC4, start_of_scan = 0xDA, end_of_image = 0xD9, app1 = 0xE1;
  jpeg_summary summary;
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (bytes[at] != std::byte{0xFF}) return summary;
    const int marker = std::to_integer<int>(bytes[at + 1]);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0) return summary;  // a stuffed zero has no place here
    if (marker == end_of_image) {
      summary.complete = true;
      return summary;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // no body
    const auto length = load_big_endian<std::uint16_t>(bytes, at);
    if (!length || *length < 2 || *length > bytes.size() - at) return summary;
    const auto body = bytes.subspan(at + 2, *length - std::size_t{2});
    at += *length;
    if (marker == app1 && body.size() > 6 && std::memcmp(body.data(), "Exif\0\0", 6) == 0) {
      summary.orientation = exif_orientation(body.subspan(6)).value_or(summary.orientation);
    } else if (marker == huffman_tables) {
      summary.sound = summary.sound && huffman_tables_fit(body);
    } else if (marker == start_of_scan) {
      ++summary.scans;
      // Compressed data runs until a marker that is neither a stuffed zero nor a restart; fill
      // bytes may stand before either.
      while (at + 1 < bytes.size()) {
        const int next = std::to_integer<int>(bytes[at + 1]);
        const bool is_marker = next != 0 && next != 0xFF && (next < 0xD0 || next > 0xD7);
        if (bytes[at] == std::byte{0xFF} && is_marker) break;
        ++at;
      }
    }
  }
  return summary;
}

}  // namespace maquette::detail
