// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/npz.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "io_support.hpp"
#include "maquette/io/npz_writer.hpp"
#include "mutate.hpp"

using namespace maquette;
using namespace maquette_test;

namespace {

bool read_npz(std::span<const std::byte> bytes) {
  const result<npz> archive = npz::parse(bytes, "memory", {.max_array_bytes = 1 << 24});
  if (!archive) {
    CHECK(!archive.error().message.empty());
    return false;
  }
  bool all = true;
  for (const std::string& name : archive->names()) {
    const result<npy_array> array = archive->read(name);
    if (array && !array->is_text) static_cast<void>(array->values<std::int32_t>());
    all = all && array;
  }
  return all;
}

bool read_array(std::span<const std::byte> bytes) {
  const result<npy_array> array = decode_npy(bytes);
  if (!array) {
    CHECK(!array.error().message.empty());
    return false;
  }
  if (!array->is_text) static_cast<void>(array->values<float>());
  return true;
}

/// A .npy file with any header.
byte_vector npy_of(std::string_view header, std::size_t data_size) {
  byte_vector bytes;
  detail::append(bytes, std::string_view("\x93NUMPY\x01\0", 8));
  detail::store(bytes, static_cast<std::uint16_t>(header.size()));
  detail::append(bytes, header);
  bytes.resize(bytes.size() + data_size);
  return bytes;
}

/// Replaces `size` bytes at `offset` behind the n-th occurrence of a mark.
template <class T>
void overwrite(byte_vector& bytes, std::string_view mark, std::size_t offset, T value) {
  const auto bytes_of_mark = std::as_bytes(std::span(mark.data(), mark.size()));
  const auto at =
      std::search(bytes.begin(), bytes.end(), bytes_of_mark.begin(), bytes_of_mark.end());
  REQUIRE(at != bytes.end());
  std::memcpy(&*at + offset, &value, sizeof(value));
}

}  // namespace

TEST_CASE("numpy's archives are read: every type, both byte orders, both compressions") {
  for (const char* file : {"stored.npz", "deflated.npz"}) {
    CAPTURE(file);
    const result<npz> archive = npz::open(data_file(file));
    REQUIRE(archive);
    for (const char* type : {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}) {
      for (const char* order : {"little_", "big_"}) {
        const std::string name = std::string(order) + type;
        CAPTURE(name);
        const result<npy_array> array = archive->read(name);
        REQUIRE(array);
        CHECK(array->shape == tensor_shape(2, 3));
        CHECK(dtype_size(array->type) == static_cast<std::size_t>(type[1] - '0'));
        std::vector<double> expected(6);
        std::iota(expected.begin(), expected.end(), type[0] == 'u' ? 0.0 : -3.0);
        CHECK(*array->values<double>() == expected);
        CHECK(array->values<float>()->back() == static_cast<float>(expected.back()));
        CHECK(array->values<std::int64_t>()->back() == static_cast<std::int64_t>(expected.back()));
      }
    }
    const result<npy_array> fortran = archive->read("fortran");
    REQUIRE(fortran);
    CHECK(fortran->shape == tensor_shape(2, 3, 4));
    std::vector<int> expected(24);
    std::iota(expected.begin(), expected.end(), -3);
    CHECK(*fortran->values<std::int32_t>() == expected);
    CHECK(*archive->read("boolean")->values<std::int32_t>() == std::vector<int>{1, 0, 1});
    CHECK(archive->read("scalar")->shape.rank() == 0);
    CHECK(archive->read("scalar")->values<double>()->front() == 2.5);
    CHECK(archive->read("empty")->shape == tensor_shape(0, 3));
    const result<npy_array> unicode = archive->read("unicode");
    REQUIRE(unicode);
    CHECK(unicode->is_text);
    CHECK(unicode->texts ==
          std::vector<std::string>{"neutral", "", "pose\xC3\xA9\xF0\x9F\xA7\x8D"});
    CHECK(!unicode->values<float>());
    CHECK(archive->read("unicode_big")->texts == std::vector<std::string>{"male"});
    CHECK(archive->read("bytes")->texts == std::vector<std::string>{"abc", "z"});
    const std::vector<float> half = *archive->read("half")->values<float>();
    CHECK(half[1] == 0);
    CHECK(std::signbit(half[1]));
    CHECK(half[2] == 0x1p-24F);
    CHECK(half[3] == 65504);
    CHECK(half[4] == std::numeric_limits<float>::infinity());
    CHECK(half[5] == 0.333251953125F);
    CHECK(archive->contains("half"));
    const result<npy_array> absent = archive->read("absent");
    REQUIRE(!absent);
    CHECK(absent.error().code == errc::not_found);
    CHECK(mentions(absent.error().message, "'half'"));
  }
}

TEST_CASE("the three versions of .npy are read, pickles and records refused with a reason") {
  for (const char* file : {"version1.npy", "version2.npy", "version3.npy"}) {
    const result<npy_array> array = read_npy(data_file(file));
    REQUIRE(array);
    CHECK(*array->values<float>() == std::vector<float>{-3, -2, -1, 0, 1, 2});
  }
  const result<npz> objects = npz::open(data_file("objects.npz"));
  REQUIRE(objects);
  CHECK(mentions(objects->read("a").error().message, "pickle"));
  CHECK(mentions(read_npy(data_file("records.npy")).error().message, "records"));
  CHECK(read_npy("no/such.npy").error().code == errc::not_found);
}

TEST_CASE("what is written is read back, stored and deflated") {
  const std::array<float, 6> numbers{0, 1, 2, 3, 4, 5};
  std::vector<std::int32_t> many(5000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int32_t>(i % 97);
  const std::vector<npz_entry> entries{
      {"numbers", npy_array::of<float>(tensor_shape(2, 3), numbers)},
      {"many", npy_array::of<std::int32_t>(tensor_shape(5000), many)},
      {"scalar", npy_array::of<float>(tensor_shape(), std::span(numbers).first(1))}};
  const auto stored = encode_npz(entries);
  REQUIRE(stored);
  CHECK(detail::crc_of(*stored) == 3276016431U);
  for (const npz_compression compression : {npz_compression::stored, npz_compression::deflated}) {
    const std::string path = written_file(
        compression == npz_compression::stored ? "written_stored.npz" : "written_deflated.npz");
    REQUIRE(write_npz(path, entries, compression));
    if (compression == npz_compression::deflated)
      CHECK(read_file(path)->size() < stored->size() / 2);
    const result<npz> archive = npz::open(path);
    REQUIRE(archive);
    CHECK(archive->names().size() == 3);
    for (const npz_entry& entry : entries) {
      const result<npy_array> array = archive->read(entry.name);
      REQUIRE(array);
      CHECK(array->type == entry.array.type);
      CHECK(array->shape == entry.array.shape);
      CHECK(array->bytes == entry.array.bytes);
    }
  }
  const std::string path = written_file("written.npy");
  REQUIRE(write_npy(path, entries[0].array));
  CHECK(read_npy(path)->bytes == entries[0].array.bytes);
  CHECK((read_file(path)->size() - 24) % 64 == 0);

  CHECK(!encode_npz(std::vector<npz_entry>{entries[0], entries[0]}));
  npy_array wrong = entries[0].array;
  wrong.shape = tensor_shape(7);
  CHECK(!encode_npy(wrong));
  wrong.is_text = true;
  CHECK(!encode_npy(wrong));
}

TEST_CASE("lies in a .npy header are refused") {
  const char* headers[] = {
      "",
      "{",
      "{}",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
      "{'descr': '<f3', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<U4294967295', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}",
      "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (1,)}",
  };
  for (const char* header : headers) {
    CAPTURE(header);
    CHECK(!decode_npy(npy_of(header, 4)));
  }
  CHECK(decode_npy(npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1L,), }  \n", 4)));
  CHECK(decode_npy(npy_of("{\"shape\":(),\"fortran_order\":True,\"descr\":\"<f4\"}", 4)));
  byte_vector surrogate = npy_of("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", 4);
  surrogate[surrogate.size() - 3] = std::byte{0xD8};
  CHECK(mentions(decode_npy(surrogate).error().message, "Unicode"));
  byte_vector version = npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4);
  version[6] = std::byte{4};
  CHECK(!decode_npy(version));
}

TEST_CASE("lies in a zip directory are refused") {
  const byte_vector honest = data_bytes("tiny_deflated.npz");
  REQUIRE(read_npz(honest));
  const auto lying = [&](std::string_view mark, std::size_t offset, auto value) {
    byte_vector bytes = honest;
    overwrite(bytes, mark, offset, value);
    return !read_npz(bytes);
  };
  constexpr std::string_view entry = "PK\x01\x02", end = "PK\x05\x06", local = "PK\x03\x04";
  CHECK(lying(entry, 0, std::uint32_t{0}));
  CHECK(lying(entry, 8, std::uint16_t{1}));            // encrypted
  CHECK(lying(entry, 10, std::uint16_t{12}));          // bzip2
  CHECK(lying(entry, 10, std::uint16_t{0}));           // deflated bytes as stored
  CHECK(lying(entry, 16, std::uint32_t{0xDEADBEEF}));  // checksum
  CHECK(lying(entry, 20, std::uint32_t{5}));           // stored size
  CHECK(lying(entry, 20, std::uint32_t{0x7FFFFFFF}));
  CHECK(lying(entry, 24, std::uint32_t{139}));  // inflated size
  CHECK(lying(entry, 24, std::uint32_t{0x7FFFFFFF}));
  CHECK(lying(entry, 24, std::uint32_t{0xFFFFFFFF}));
  CHECK(lying(entry, 28, std::uint16_t{0xFFFF}));
  CHECK(lying(entry, 30, std::uint16_t{0xFFFF}));
  CHECK(lying(entry, 32, std::uint16_t{0xFFFF}));
  CHECK(lying(entry, 42, std::uint32_t{1}));  // where the member lies
  CHECK(lying(entry, 42, std::uint32_t{0x7FFFFFFF}));
  CHECK(lying(entry, 46, 'b'));  // a name twice
  CHECK(lying(entry, 48, 'x'));  // not .npy
  CHECK(lying(local, 0, std::uint32_t{0}));
  CHECK(lying(local, 26, std::uint16_t{0xFFFF}));
  CHECK(lying(end, 4, std::uint16_t{1}));
  CHECK(lying(end, 10, std::uint16_t{3}));
  CHECK(lying(end, 12, std::uint32_t{0x7FFFFFFF}));
  CHECK(lying(end, 16, std::uint32_t{0x7FFFFFFF}));

  byte_vector overlapping = honest;  // the second entry points at the first member
  const std::size_t second = [&] {
    std::size_t found = 0;
    for (std::size_t i = 0; i + 4 < honest.size(); ++i)
      if (std::memcmp(honest.data() + i, entry.data(), 4) == 0) found = i;
    return found;
  }();
  const std::uint32_t first_member = 0;
  std::memcpy(overlapping.data() + second + 42, &first_member, 4);
  const result<npz> shared = npz::parse(overlapping);
  REQUIRE(!shared);
  CHECK(mentions(shared.error().message, "share bytes"));
}

TEST_CASE("an archive that inflates to more than its limit or its promise is refused") {
  const std::vector<double> zeros(200'000);
  const std::vector<npz_entry> entries{
      {"zeros", npy_array::of<double>(tensor_shape(200'000), zeros)}};
  const auto bytes = encode_npz(entries, npz_compression::deflated);
  REQUIRE(bytes);
  CHECK(npz::parse(*bytes)->read("zeros"));
  const auto limited =
      npz::parse(*bytes, "bomb.npz", {.max_array_bytes = 1'000'000})->read("zeros");
  REQUIRE(!limited);
  CHECK(limited.error().code == errc::unsupported);
  CHECK(mentions(limited.error().message, "bomb.npz"));

  byte_vector surplus = *encode_npz(entries);  // the shape promises less than there is
  overwrite(surplus, "(200000", 0, std::array{'(', '1'});
  CHECK(mentions(npz::parse(surplus)->read("zeros").error().message, "declares"));

  const byte_vector content(300, std::byte{7});
  const byte_vector deflated = *detail::deflate_raw(content);
  const detail::zip_member member{"a", deflated, 100, 0, true};
  detail::zip_stream stream(member);
  byte_vector part(100);
  REQUIRE(stream.read(part));
  CHECK(!stream.finish(detail::crc_of(part)));  // more would come
}

TEST_CASE("cut, mutated and random archives and arrays never do harm") {
  const byte_vector stored = data_bytes("tiny.npz");
  const byte_vector deflated = data_bytes("tiny_deflated.npz");
  const byte_vector array = data_bytes("version1.npy");
  REQUIRE(read_npz(stored));
  REQUIRE(read_array(array));
  CHECK(accepted_prefixes(stored, read_npz) == 0);
  CHECK(accepted_prefixes(deflated, read_npz) == 0);
  CHECK(accepted_prefixes(array, read_array) == 0);
  mutants(stored, 10'000, 1, read_npz);
  mutants(deflated, 10'000, 2, read_npz);
  mutants(data_bytes("deflated.npz"), 1'000, 3, read_npz);
  mutants(array, 20'000, 4, read_array);
  noise(5'000, 256, 5, read_npz);
  noise(5'000, 256, 6, read_array);
}
