// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/pixels.hpp"

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
// At -O3 GCC takes longer over this file, as in image.hpp.
#pragma GCC push_options
#pragma GCC optimize("O2")
#endif
#if defined(INCLUDE_STB_IMAGE_WRITE_H)
#error \
    "include maquette/io/png_writer.hpp before stb_image_write.h, which would make its functions extern"
#endif
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace maquette {

/// Writes 8-bit samples [height, width, channels] as a PNG file, whole or not at all; one channel
/// is grey, three are RGB.
///
/// Errors: mismatch (sizes that do not agree), unsupported (over 1 GiB), unwritable.
inline result<void> write_png(const std::string& path, std::int32_t width, std::int32_t height,
                              std::int32_t channels, std::span<const std::uint8_t> samples) {
  if (width < 1 || height < 1 || (channels != 1 && channels != 3) ||
      samples.size() / static_cast<std::size_t>(width) / static_cast<std::size_t>(height) !=
          static_cast<std::size_t>(channels) ||
      samples.size() % (static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) != 0)
    return error{errc::mismatch, detail::sentence({path, ": expected ", width, " x ", height, " x ",
                                                   channels, " samples, found ", samples.size()})};
  // stb counts in int, and a byte more a row.
  if (samples.size() > (std::size_t{1} << 30) - static_cast<std::size_t>(height))
    return error{errc::unsupported,
                 detail::sentence({path, ": a PNG picture of more than 1 GiB is not written"})};
  int size = 0;
  const detail::c_bytes encoded(
      ::stbi_write_png_to_mem(samples.data(), width * channels, width, height, channels, &size));
  if (encoded.get() == nullptr)
    return error{errc::unwritable, detail::sentence({path, ": out of memory for the PNG picture"})};
  return write_file(path, std::as_bytes(std::span(encoded.get(), static_cast<std::size_t>(size))));
}

/// Writes a picture as an RGB PNG file, whole or not at all.
///
/// Errors: as above.
inline result<void> write_png(const std::string& path, const image& picture) {
  return write_png(path, picture.width, picture.height, 3, picture.pixels);
}

}  // namespace maquette
