// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/jpeg.hpp"
#include "maquette/io/pixels.hpp"

namespace maquette::detail {

/// The most that stb may ask for in one piece while it decodes on this thread: a picture that
/// inflates to more than its own header announces is refused instead of filling the memory.
inline thread_local std::size_t stb_allocation_limit = std::size_t{1} << 30;

inline void* stb_allocate(std::size_t size) {
  return size <= stb_allocation_limit ? std::malloc(size) : nullptr;
}

inline void* stb_reallocate(void* memory, std::size_t size) {
  return size <= stb_allocation_limit ? std::realloc(memory, size) : nullptr;
}

}  // namespace maquette::detail

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wcast-qual"
#endif
#if defined(__GNUC__) && !defined(__clang__)
// At -O3 GCC takes three times as long over this file; JPEG is read as fast, PNG 13 % slower.
#pragma GCC push_options
#pragma GCC optimize("Os")
#endif
#if defined(STBI_INCLUDE_STB_IMAGE_H)
#error "include maquette/io/image.hpp before stb_image.h, which would make its functions extern"
#endif
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_MALLOC(size) ::maquette::detail::stb_allocate(size)
#define STBI_REALLOC(memory, size) ::maquette::detail::stb_reallocate(memory, size)
#define STBI_FREE(memory) std::free(memory)
#include <stb_image.h>
#undef STB_IMAGE_IMPLEMENTATION
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace maquette {

/// Which pictures are refused before a pixel is decoded.
struct image_limits {
  std::int64_t max_pixels = 64'000'000;
  std::int32_t max_side = 16'384;
  /// Of a progressive JPEG: ten are usual, and each takes time for every pixel, however few bytes.
  std::int32_t max_scans = 50;
};

namespace detail {

/// How large a picture says it is.
struct picture_size {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

[[gnu::cold]] inline result<void> check_picture_size(const picture_size& size,
                                                     const image_limits& limits,
                                                     const std::string& origin) {
  if (size.width < 1 || size.height < 1)
    return error{errc::malformed, sentence({origin, ": the picture has no pixels"})};
  if (size.width > limits.max_side || size.height > limits.max_side ||
      size.width * size.height > limits.max_pixels)
    return error{errc::unsupported, sentence({origin, ": expected a picture of at most ",
                                              limits.max_pixels, " pixels and ", limits.max_side,
                                              " a side, found ", size.width, " x ", size.height})};
  return {};
}

/// A binary PPM or PGM file: P6 or P5, width, height, largest value, one space, samples.
inline result<image> decode_pnm(std::span<const std::byte> bytes, const std::string& origin,
                                const image_limits& limits) {
  const auto broken = [&] {
    return error{errc::malformed,
                 sentence({origin, ": the header is not that of a P5 or P6 picture"})};
  };
  std::size_t at = 2;
  const auto character = [&] { return at < bytes.size() ? std::to_integer<int>(bytes[at]) : -1; };
  std::int64_t header[3] = {};
  for (std::int64_t& value : header) {
    for (; character() >= 0 && (std::isspace(character()) != 0 || character() == '#'); ++at)
      if (character() == '#')
        while (character() >= 0 && character() != '\n') ++at;
    if (character() < 0 || std::isdigit(character()) == 0) return broken();
    for (; character() >= 0 && std::isdigit(character()) != 0; ++at) {
      value = 10 * value + (character() - '0');
      if (value > std::numeric_limits<std::int32_t>::max()) return broken();
    }
  }
  if (character() < 0 || std::isspace(character()) == 0) return broken();
  ++at;
  const std::int64_t width = header[0], height = header[1], maximum = header[2];
  if (maximum < 1 || maximum > 0xFFFF) return broken();
  if (result<void> size = check_picture_size({width, height}, limits, origin); !size)
    return size.error();
  const std::size_t channels = bytes[1] == std::byte{'6'} ? 3 : 1;
  const std::size_t sample_size = maximum > 0xFF ? 2 : 1;
  const auto pixel_count = static_cast<std::size_t>(width * height);
  const auto samples = bytes.subspan(at);
  if (samples.size() < pixel_count * channels * sample_size)
    return error{errc::malformed, sentence({origin, ": the picture is cut short: expected ",
                                            pixel_count * channels * sample_size,
                                            " bytes of samples, found ", samples.size()})};
  image picture{static_cast<std::int32_t>(width), static_cast<std::int32_t>(height), {}};
  picture.pixels.resize(3 * pixel_count);
  const auto sample = [&](std::size_t index) {
    std::int64_t value = std::to_integer<std::int64_t>(samples[index * sample_size]);
    if (sample_size == 2)
      value = value << 8U | std::to_integer<std::int64_t>(samples[index * sample_size + 1]);
    return static_cast<std::uint8_t>((std::min(value, maximum) * 255 + maximum / 2) / maximum);
  };
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = sample(channels == 3 ? i : i / 3);
  return picture;
}

/// Whether a BMP file holds all the rows that its header announces: stb would make up the rest.
[[gnu::cold]] inline result<void> check_bmp(std::span<const std::byte> bytes,
                                            const std::string& origin, const image_limits& limits) {
  const auto cut_short = [&] {
    return error{errc::malformed, sentence({origin, ": the picture is cut short"})};
  };
  const auto data = load<std::uint32_t>(bytes, 10);
  const auto header_size = load<std::uint32_t>(bytes, 14);
  if (!data || !header_size) return cut_short();
  std::optional<std::int64_t> width, height, bits;
  if (*header_size == 12) {
    width = load<std::uint16_t>(bytes, 18);
    height = load<std::uint16_t>(bytes, 20);
    bits = load<std::uint16_t>(bytes, 24);
  } else {
    width = load<std::int32_t>(bytes, 18);
    height = load<std::int32_t>(bytes, 22);
    bits = load<std::uint16_t>(bytes, 28);
  }
  if (!width || !height || !bits) return cut_short();
  const std::int64_t rows = std::abs(*height);  // negative: from the top
  if (result<void> size = check_picture_size({*width, rows}, limits, origin); !size) return size;
  const std::int64_t row_size = (*width * *bits + 31) / 32 * 4;
  if (static_cast<std::int64_t>(*data) + row_size * rows > static_cast<std::int64_t>(bytes.size()))
    return cut_short();
  return {};
}

/// Whether a PNG file has a size, all its chunks up to the end mark, and pixels in the first that
/// should: of a size of nothing stb would say that it does not know such files.
[[gnu::cold]] inline result<void> check_png(std::span<const std::byte> bytes,
                                            const std::string& origin, const image_limits& limits) {
  constexpr std::uint32_t image_header = 0x49484452;                        // IHDR
  constexpr std::uint32_t image_data = 0x49444154, image_end = 0x49454E44;  // IDAT, IEND
  constexpr std::size_t overhead = 12;  // length, type, checksum
  const auto first = load_big_endian<std::uint32_t>(bytes, 12);
  const auto width = load_big_endian<std::uint32_t>(bytes, 16);
  const auto height = load_big_endian<std::uint32_t>(bytes, 20);
  if (first == image_header && width && height)
    if (result<void> size = check_picture_size({*width, *height}, limits, origin); !size)
      return size;
  bool has_data = false;
  for (std::size_t at = 8;;) {
    const auto length = load_big_endian<std::uint32_t>(bytes, at);
    const auto type = load_big_endian<std::uint32_t>(bytes, at + 4);
    if (!length || !type || bytes.size() - at < overhead + std::size_t{*length})
      return error{errc::malformed, sentence({origin, ": the picture is cut short"})};
    if (*type == image_end) return {};
    if (*type == image_data && !has_data && *length == 0)
      return error{errc::malformed,
                   sentence({origin, ": the PNG picture begins with an empty piece"})};
    has_data = has_data || *type == image_data;
    at += overhead + *length;
  }
}

/// Turns a picture upright as its EXIF orientation (1 to 8) says.
[[gnu::noinline]] inline image oriented(image picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const bool swapped = orientation >= 5;
  image upright{
      swapped ? picture.height : picture.width, swapped ? picture.width : picture.height, {}};
  upright.pixels.reserve(picture.pixels.size());
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (std::int32_t y = 0; y < upright.height; ++y) {
    for (std::int32_t x = 0; x < upright.width; ++x) {
      const std::int32_t column = swapped ? y : x;
      const std::int32_t row = swapped ? x : y;
      const std::uint8_t* pixel = picture.at(from_right ? picture.width - 1 - column : column,
                                             from_bottom ? picture.height - 1 - row : row);
      upright.pixels.insert(upright.pixels.end(), pixel, pixel + 3);
    }
  }
  return upright;
}

/// Decodes PNG, JPEG or BMP bytes to RGB.
inline result<image> decode_with_stb(std::span<const std::byte> bytes, const std::string& origin,
                                     const image_limits& limits) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const auto size = static_cast<int>(bytes.size());
  const auto undecodable = [&] {
    const char* reason = ::stbi_failure_reason();
    return error{errc::malformed, sentence({origin, ": the picture cannot be decoded (",
                                            reason != nullptr ? reason : "no reason given", ")"})};
  };
  stb_allocation_limit = std::size_t{1} << 20;
  int width = 0, height = 0, channels = 0;
  if (::stbi_info_from_memory(data, size, &width, &height, &channels) == 0) return undecodable();
  if (result<void> allowed = check_picture_size({width, height}, limits, origin); !allowed)
    return allowed.error();
  const std::size_t pixel_count =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  stb_allocation_limit = (std::size_t{1} << 20) + 16 * pixel_count +
                         256 * (static_cast<std::size_t>(width) + static_cast<std::size_t>(height));
  const c_bytes decoded(::stbi_load_from_memory(data, size, &width, &height, &channels, 0));
  if (decoded.get() == nullptr) return undecodable();

  image picture{width, height, {}};
  const auto depth = static_cast<std::size_t>(channels);
  const bool has_alpha = channels == 2 || channels == 4;
  picture.pixels.resize(3 * pixel_count);
  for (std::size_t i = 0; i < pixel_count; ++i) {
    const std::uint8_t* in = decoded.get() + i * depth;
    const unsigned alpha = has_alpha ? in[depth - 1] : 255U;
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned value = in[channels >= 3 ? c : 0];
      picture.pixels[3 * i + c] =
          static_cast<std::uint8_t>((value * alpha + 255U * (255U - alpha) + 127U) / 255U);
    }
  }
  return picture;
}

}  // namespace detail

/// Decodes a picture that is in memory to 8-bit RGB; `origin` is what messages call it.
///
/// PNG, JPEG, BMP, binary PPM and PGM. Grey is repeated, transparency is laid over white, 16-bit
/// samples of a PNG keep their upper half, those of PPM and PGM are scaled by the largest value
/// that the file names, and the EXIF orientation of a JPEG is applied. Errors: malformed (empty,
/// cut short, undecodable, no pixels); unsupported (another format, or beyond `limits`, which is
/// checked before anything is decoded). stb_image does the decoding: it has had memory errors in
/// the past, so pictures from strangers are best decoded in a sandboxed process.
inline result<image> decode_image(std::span<const std::byte> bytes,
                                  std::string_view origin = "picture in memory",
                                  const image_limits& limits = {}) {
  const std::string name(origin);
  if (bytes.empty()) return error{errc::malformed, detail::sentence({name, ": the file is empty"})};
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return error{errc::unsupported,
                 detail::sentence({name, ": expected a picture of less than 2 GiB"})};
  const auto begins_with = [&](std::string_view magic) {
    return bytes.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), bytes.begin(), [](char a, std::byte b) {
             return static_cast<unsigned char>(a) == std::to_integer<unsigned char>(b);
           });
  };
  if (begins_with("P5") || begins_with("P6")) return detail::decode_pnm(bytes, name, limits);
  if (begins_with("\xFF\xD8\xFF")) {
    const detail::jpeg_summary summary = detail::summarize_jpeg(bytes);
    if (!summary.complete)
      return error{errc::malformed, detail::sentence({name, ": the picture is cut short"})};
    if (!summary.sound)
      return error{errc::malformed, detail::sentence({name, ": a Huffman table is broken"})};
    if (summary.scans > limits.max_scans)
      return error{errc::unsupported,
                   detail::sentence({name, ": expected a picture of at most ", limits.max_scans,
                                     " scans, found ", summary.scans})};
    result<image> picture = detail::decode_with_stb(bytes, name, limits);
    if (!picture) return picture;
    return detail::oriented(std::move(*picture), summary.orientation);
  }
  if (begins_with("\x89PNG\r\n\x1a\n")) {
    if (result<void> whole = detail::check_png(bytes, name, limits); !whole) return whole.error();
    return detail::decode_with_stb(bytes, name, limits);
  }
  if (begins_with("BM")) {
    if (result<void> whole = detail::check_bmp(bytes, name, limits); !whole) return whole.error();
    return detail::decode_with_stb(bytes, name, limits);
  }
  return error{errc::unsupported,
               detail::sentence({name, ": expected a PNG, JPEG, BMP, PPM or PGM picture"})};
}

/// Reads a picture file as 8-bit RGB.
///
/// Errors: not_found, unreadable; those of `decode_image`.
inline result<image> read_image(const std::string& path, const image_limits& limits = {}) {
  const result<mapped_file> file = mapped_file::open(path);
  if (!file) return file.error();
  return decode_image(file->bytes(), path, limits);
}

}  // namespace maquette
