// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/image.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "io_support.hpp"
#include "maquette/io/png_writer.hpp"
#include "mutate.hpp"

using namespace maquette;
using namespace maquette_test;

namespace {

using colour = std::array<int, 3>;

colour pattern(int x, int y) {
  return {(20 * x + 5) % 256, (30 * y + 3) % 256, (7 * x + 11 * y) % 256};
}

image pattern_image(int width, int height) {
  image picture{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : pattern(x, y))
        picture.pixels.push_back(static_cast<std::uint8_t>(value));
  return picture;
}

/// The largest difference between a picture and a formula, or 999 where the sizes differ.
template <class Formula>
int difference(const result<image>& picture, int width, int height, Formula&& formula) {
  if (!picture || picture->width != width || picture->height != height ||
      picture->pixels.size() != 3 * static_cast<std::size_t>(width * height))
    return 999;
  int worst = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        worst = std::max(worst, std::abs(picture->at(x, y)[c] - colour(formula(x, y))[c]));
  return worst;
}

int difference(const result<image>& a, const result<image>& b) {
  if (!b) return 999;
  return difference(a, b->width, b->height, [&](int x, int y) {
    const std::uint8_t* pixel = b->at(x, y);
    return colour{pixel[0], pixel[1], pixel[2]};
  });
}

bool decode(std::span<const std::byte> bytes) {
  const result<image> picture =
      decode_image(bytes, "memory", {.max_pixels = 250'000, .max_side = 2'000});
  if (!picture) CHECK(!picture.error().message.empty());
  if (picture)
    CHECK(picture->pixels.size() ==
          3 * static_cast<std::size_t>(picture->width) * static_cast<std::size_t>(picture->height));
  return picture.has_value();
}

}  // namespace

TEST_CASE("RGB pictures keep their pixels in every format") {
  for (const char* name : {"rgb.png", "rgb.bmp", "rgb.ppm", "palette.png"}) {
    CAPTURE(name);
    CHECK(difference(read_image(data_file(name)), 8, 6, pattern) == 0);
  }
}

TEST_CASE("grey, 16-bit and transparent pictures become RGB") {
  const auto grey = [](int x, int y) {
    const int value = pattern(x, y)[0];
    return colour{value, value, value};
  };
  for (const char* name : {"grey.png", "grey.pgm", "sixteen.png"}) {
    CAPTURE(name);
    CHECK(difference(read_image(data_file(name)), 8, 6, grey) == 0);
  }
  CHECK(difference(read_image(data_file("grey.jpg")), 8, 6, grey) <= 2);
  const auto over_white = [](int value, int alpha) {
    return static_cast<int>(std::lround((value * alpha + 255 * (255 - alpha)) / 255.0));
  };
  CHECK(difference(read_image(data_file("alpha.png")), 8, 6, [&](int x, int y) {
          const int alpha = y == 0 && x == 0 ? 255 : y == 0 && x == 1 ? 0 : 51;
          colour value = pattern(x, y);
          for (int& channel : value) channel = over_white(channel, alpha);
          return value;
        }) == 0);
  CHECK(difference(read_image(data_file("grey_alpha.png")), 8, 6, [&](int x, int y) {
          const int value = over_white(pattern(x, y)[0], 128);
          return colour{value, value, value};
        }) == 0);
}

TEST_CASE("a phone's JPEG stands upright whichever way it was held") {
  const auto blocks = [](int x, int y) {
    if (y >= 8) return colour{128, 128, 128};
    return x < 8 ? colour{200, 40, 40} : x < 16 ? colour{40, 200, 40} : colour{40, 40, 200};
  };
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const std::string name = "exif" + std::to_string(orientation) + ".jpg";
    CHECK(difference(read_image(data_file(name)), 24, 16, blocks) <= 4);
  }
  CHECK(difference(read_image(data_file("progressive.jpg")), 24, 16, blocks) <= 4);
}

TEST_CASE("a JPEG of more scans than allowed is refused, for each takes time for every pixel") {
  const result<image> refused =
      decode_image(data_bytes("progressive.jpg"), "many", {.max_scans = 2});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::unsupported);
  CHECK(mentions(refused.error().message, "expected a picture of at most 2 scans, found "));
}

TEST_CASE("a Huffman table does not hide behind what looks like a marker in compressed data") {
  byte_vector bytes;
  const auto put = [&](std::initializer_list<int> values) {
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  };
  const auto fill = [&](std::size_t count, int value) {
    bytes.insert(bytes.end(), count, static_cast<std::byte>(value));
  };
  put({0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0});
  fill(64, 1);
  put({0xFF, 0xC0, 0, 11, 8, 0, 64, 0, 64, 1, 1, 0x11, 0});
  for (const int table : {0x00, 0x10}) {
    put({0xFF, 0xC4, 0, 21, table, 2});
    fill(17, 0);
  }
  put({0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0, 0, 0, 0});
  // A fill byte and a stuffed zero: data, not a marker of 1836 bytes that the table lies in.
  constexpr std::size_t before = 30, codes = 7 * 255, table = 2 + 2 + 17 + codes;
  put({0xFF, 0xFF, 0x00, (before + table + 2) >> 8, (before + table + 2) & 0xFF});
  fill(before, 0);
  put({0xFF, 0xC4, (table - 2) >> 8, (table - 2) & 0xFF, 0x13});
  fill(9, 0);
  fill(7, 255);
  fill(codes, 0);
  put({0xFF, 0xD9});
  const result<image> refused = decode_image(bytes, "hidden");
  REQUIRE(!refused);
  CHECK(mentions(refused.error().message, "a Huffman table is broken"));
}

TEST_CASE("a broken EXIF block leaves the picture as it is") {
  const byte_vector valid = data_bytes("exif6.jpg");
  const auto orientation = [](const byte_vector& bytes) {
    return detail::summarize_jpeg(bytes).orientation;
  };
  REQUIRE(orientation(valid) == 6);
  const std::string_view mark("Exif\0\0", 6);
  const auto mark_bytes = std::as_bytes(std::span(mark.data(), mark.size()));
  const auto exif =
      std::search(valid.begin(), valid.end(), mark_bytes.begin(), mark_bytes.end()) - valid.begin();
  for (const std::size_t field : {6U, 8U, 10U, 13U, 16U, 18U, 24U}) {
    byte_vector bytes = valid;
    for (std::size_t i = 0; i < 2; ++i)
      bytes[static_cast<std::size_t>(exif) + field + i] = std::byte{0xFF};
    CAPTURE(field);
    CHECK(orientation(bytes) == 1);
  }
}

TEST_CASE("pictures that cannot be used give one sentence with the file's name") {
  const auto refused = [](std::string_view text, errc code) {
    const auto picture = decode_image(std::as_bytes(std::span(text.data(), text.size())), "it.png");
    return !picture && picture.error().code == code && mentions(picture.error().message, "it.png");
  };
  CHECK(read_image("no/such.png").error().code == errc::not_found);
  CHECK(refused("", errc::malformed));
  CHECK(refused("GIF89a", errc::unsupported));
  CHECK(refused("hello", errc::unsupported));
  CHECK(refused("P6 0 5 255\n", errc::malformed));
  CHECK(refused("P6 2 2 255\n0123456789", errc::malformed));
  CHECK(refused("P6 2 2 0\n0123456789", errc::malformed));
  CHECK(refused("P5 99999999999 2 255\n", errc::malformed));
  CHECK(refused("P5 20000 1 255\n", errc::unsupported));
  CHECK(refused("P5 2000000000 2000000000 255\n", errc::unsupported));
  const std::string_view tiny = "P5 # a remark\n1\n1 3 \2";
  CHECK(decode_image(std::as_bytes(std::span(tiny.data(), tiny.size())))->pixels[0] == 170);

  const auto huge = read_image(data_file("hundred_megapixels.png"));
  REQUIRE(!huge);
  CHECK(huge.error().code == errc::unsupported);
  CHECK(mentions(huge.error().message, "10000 x 10000"));
  CHECK(read_image(data_file("rgb.png"), {.max_side = 7}).error().code == errc::unsupported);
  CHECK(read_image(data_file("rgb.bmp"), {.max_pixels = 47}).error().code == errc::unsupported);
  CHECK(read_image(data_file("rgb.ppm"), {.max_pixels = 48}));

  std::vector<std::byte> no_size = data_bytes("rgb.png");
  std::fill_n(no_size.begin() + 16, 4, std::byte{0});
  const auto empty = decode_image(no_size, "it.png");
  REQUIRE(!empty);
  CHECK(empty.error().message == "it.png: the picture has no pixels");
}

TEST_CASE("cut, mutated and random pictures never do harm") {
  for (const char* name : {"rgb.png", "rgb.bmp", "rgb.ppm", "exif6.jpg", "progressive.jpg"}) {
    CAPTURE(name);
    const byte_vector valid = data_bytes(name);
    REQUIRE(decode(valid));
    CHECK(accepted_prefixes(valid, decode) == 0);
    mutants(valid, 4'000, 1, decode);
  }
  for (const char* magic : {"P6 ", "BM", "\xFF\xD8\xFF\xE1", "\x89PNG\r\n\x1a\n"}) {
    noise(1'000, 200, 2, [&](std::span<const std::byte> bytes) {
      const std::size_t length = std::strlen(magic);
      byte_vector marked(length + bytes.size());
      std::memcpy(marked.data(), magic, length);
      std::copy(bytes.begin(), bytes.end(), marked.begin() + static_cast<std::ptrdiff_t>(length));
      decode(marked);
    });
  }
}

TEST_CASE("a PNG picture is read back as it was written") {
  const image picture = pattern_image(13, 7);
  const std::string path = written_file("written.png");
  REQUIRE(write_png(path, picture));
  CHECK(difference(read_image(path), picture) == 0);
  const std::vector<std::uint8_t> grey{0, 50, 100, 150, 200, 250};
  const std::string grey_path = written_file("written_grey.png");
  REQUIRE(write_png(grey_path, 3, 2, 1, grey));
  CHECK(difference(read_image(grey_path), 3, 2, [](int x, int y) {
          const int value = 50 * (3 * y + x);
          return colour{value, value, value};
        }) == 0);
  CHECK(!write_png(path, 3, 2, 3, grey));
  CHECK(!write_png(path, 3, 2, 2, grey));
  CHECK(!write_png(path, 0, 2, 1, {}));
  CHECK(write_png("no/such/folder/x.png", picture).error().code == errc::unwritable);
}

TEST_CASE("a crop agrees with Pillow's bilinear resize") {
  const result<image> large = read_image(data_file("large.png"));
  REQUIRE(large);
  CHECK(difference(*large, pattern_image(60, 40)) == 0);
  CHECK(difference(crop_resize(*large, 20.5F, 8.25F, 24.0F, 16),
                   read_image(data_file("large_reduced.png"))) <= 1);
  CHECK(difference(crop_resize(*large, 20.0F, 10.0F, 7.5F, 16),
                   read_image(data_file("large_enlarged.png"))) <= 1);
}

TEST_CASE("a crop of whole pixels is exact, and grey beyond the edge") {
  const image picture = pattern_image(8, 6);
  CHECK(difference(crop_resize(picture, {0, 0, 8, 6}, 8, 6), picture) == 0);
  CHECK(difference(crop_resize(picture, {2, 1, 4, 3}, 4, 3), 4, 3,
                   [](int x, int y) { return pattern(x + 2, y + 1); }) == 0);
  const auto shifted = crop_resize(picture, -3, -2, 12, 12);
  CHECK(
      difference(shifted, 12, 12, [](int x, int y) {
        return x >= 3 && x < 11 && y >= 2 && y < 8 ? pattern(x - 3, y - 2) : colour{128, 128, 128};
      }) == 0);
  const auto grey = [](int, int) { return colour{128, 128, 128}; };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const pixel_box box :
       {pixel_box{100, 100, 5, 5}, pixel_box{-100, 0, 5, 5}, pixel_box{nan, 0, 5, 5},
        pixel_box{0, 0, nan, 5}, pixel_box{0, 0, 0, 5}, pixel_box{0, 0, -5, 5},
        pixel_box{1e30F, 0, 5, 5}, pixel_box{0, 0, 1e30F, 1e30F}})
    CHECK(difference(crop_resize(picture, box, 4, 4), 4, 4, grey) == 0);
  CHECK(difference(crop_resize(image{}, {0, 0, 4, 4}, 4, 4), 4, 4, grey) == 0);
}

TEST_CASE("a reduction averages what a target pixel covers") {
  image checker{64, 64, {}};
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      checker.pixels.insert(checker.pixels.end(), 3, (x + y) % 2 == 0 ? 0 : 254);
  const image small = crop_resize(checker, 16, 16, 32, 4);
  CHECK(difference(small, 4, 4, [](int, int) { return colour{127, 127, 127}; }) <= 1);
}
