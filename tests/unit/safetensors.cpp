// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/safetensors.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <limits>

#include "io_support.hpp"
#include "maquette/io/safetensors_writer.hpp"
#include "mutate.hpp"

using namespace maquette;
using namespace maquette_test;

namespace {

byte_vector file_of(std::string_view header, std::size_t data_size) {
  byte_vector bytes;
  detail::store(bytes, static_cast<std::uint64_t>(header.size()));
  detail::append(bytes, header);
  bytes.resize(bytes.size() + data_size);
  return bytes;
}

/// Reads everything that a user of the file can reach.
bool read_all(std::span<const std::byte> bytes) {
  const result<safetensors> file = safetensors::parse(bytes);
  if (!file) {
    CHECK(!file.error().message.empty());
    return false;
  }
  const float_tensors floats(*file);
  double sum = 0;
  for (const named_tensor& tensor : floats.source())
    for (const float value : tensor.values) sum += value;
  volatile double sink = sum;
  static_cast<void>(sink);
  return true;
}

}  // namespace

TEST_CASE("a file of the safetensors package is read: every type, the metadata, the shapes") {
  const result<safetensors> file = safetensors::open(data_file("tensors.safetensors"));
  REQUIRE(file);
  CHECK(file->entries().size() == 9);
  CHECK(file->metadata().at("format") == "np");
  CHECK(file->metadata().at("quote\"\n") == "\xC3\xA9");
  const float_tensors floats(*file);
  for (const char* name : {"t_f2", "t_f4", "t_f8", "t_i4", "t_i8", "t_u1"}) {
    CAPTURE(name);
    const named_tensor* tensor = floats.find(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->shape == tensor_shape(2, 3));
    const float first = std::string_view(name) == "t_u1" ? 0.0F : -3.0F;
    for (std::size_t i = 0; i < 6; ++i) CHECK(tensor->values[i] == first + static_cast<float>(i));
  }
  const named_tensor* boolean = floats.find("t_bool");
  REQUIRE(boolean != nullptr);
  CHECK(std::vector<float>(boolean->values.begin(), boolean->values.end()) ==
        std::vector<float>{0, 0, 0, 0, 1, 1});
  CHECK(floats.find("scalar")->shape.rank() == 0);
  CHECK(floats.find("scalar")->values[0] == 2.5F);
  CHECK(floats.find("empty")->shape == tensor_shape(0, 3));
  CHECK(floats.find("empty")->values.empty());
  CHECK(floats.find("absent") == nullptr);
  CHECK(file->find("t_i8")->type == dtype::i64);
  CHECK(file->find("absent") == nullptr);
  CHECK(*convert_elements<std::int32_t>(dtype::i64, file->find("t_i8")->bytes) ==
        std::vector<std::int32_t>{-3, -2, -1, 0, 1, 2});
}

TEST_CASE("bfloat16 is widened exactly") {
  const result<safetensors> file = safetensors::open(data_file("brain.safetensors"));
  REQUIRE(file);
  CHECK(file->find("brain")->type == dtype::bf16);
  const float_tensors floats(*file);
  const std::span<const float> values = floats.find("brain")->values;
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{1, -2.5F, 0.15625F});
}

TEST_CASE("aligned float32 is borrowed, unaligned is copied") {
  const byte_vector bytes = data_bytes("tiny.safetensors");
  byte_vector shifted(bytes.size() + 8);
  for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
    std::copy(bytes.begin(), bytes.end(), shifted.begin() + static_cast<std::ptrdiff_t>(shift));
    const auto file = safetensors::parse(std::span(shifted).subspan(shift, bytes.size()));
    REQUIRE(file);
    const float_tensors floats(*file);
    const named_tensor* a = floats.find("a");
    REQUIRE(a != nullptr);
    CHECK(a->values[2] == 2);
    const auto* borrowed = reinterpret_cast<const float*>(file->find("a")->bytes.data());
    CHECK((a->values.data() == borrowed) ==
          (reinterpret_cast<std::uintptr_t>(borrowed) % alignof(float) == 0));
  }
}

TEST_CASE("what is written is read back, padded, and the same whatever the order") {
  const std::vector<float> numbers{1, -2.5F, 3e-30F, std::numeric_limits<float>::infinity()};
  const std::vector<std::int64_t> large{1, -1, std::int64_t{1} << 40};
  const std::vector<std::uint8_t> small{7};
  const std::vector<safetensors_entry> entries{
      {"small", dtype::u8, tensor_shape(1), std::as_bytes(std::span(small))},
      {"b \"quoted\"\n", dtype::f32, tensor_shape(2, 2), std::as_bytes(std::span(numbers))},
      {"a", dtype::f32, tensor_shape(4), std::as_bytes(std::span(numbers))},
      {"large", dtype::i64, tensor_shape(3, 1), std::as_bytes(std::span(large))}};
  const safetensors_metadata metadata{{"licence", "CC0"}, {"tab\t", "\xC3\xA9"}};
  const auto bytes = encode_safetensors(entries, metadata);
  REQUIRE(bytes);
  CHECK(*encode_safetensors(std::vector<safetensors_entry>(entries.rbegin(), entries.rend()),
                            metadata) == *bytes);
  CHECK((8 + *detail::load<std::uint64_t>(*bytes, 0)) % 64 == 0);
  CHECK(::crc32(0, reinterpret_cast<const Bytef*>(bytes->data()),
                static_cast<uInt>(bytes->size())) == 376720916U);

  const std::string path = written_file("written.safetensors");
  REQUIRE(write_safetensors(path, entries, metadata));
  const result<safetensors> file = safetensors::open(path);
  REQUIRE(file);
  CHECK(file->metadata() == metadata);
  REQUIRE(file->entries().size() == 4);
  CHECK(file->entries()[0].name == "large");
  CHECK(file->entries()[1].name == "a");
  for (const safetensors_entry& entry : entries) {
    const safetensors_entry* read = file->find(entry.name);
    REQUIRE(read != nullptr);
    CHECK(read->type == entry.type);
    CHECK(read->shape == entry.shape);
    CHECK(
        std::equal(read->bytes.begin(), read->bytes.end(), entry.bytes.begin(), entry.bytes.end()));
    if (entry.type == dtype::f32)
      CHECK(reinterpret_cast<std::uintptr_t>(read->bytes.data()) % alignof(float) == 0);
  }
  CHECK(encode_safetensors({}));
  CHECK(safetensors::parse(*encode_safetensors({}))->entries().empty());
}

TEST_CASE("the writer refuses what could not be read back") {
  const std::vector<float> numbers(4);
  const auto data = std::as_bytes(std::span(numbers));
  using entries = std::vector<safetensors_entry>;
  const safetensors_entry good{"a", dtype::f32, tensor_shape(4), data};
  CHECK(!encode_safetensors(entries{good, good}));
  CHECK(!encode_safetensors(entries{{"__metadata__", dtype::f32, tensor_shape(4), data}}));
  CHECK(!encode_safetensors(entries{{"a", dtype::f32, tensor_shape(5), data}}));
  CHECK(!encode_safetensors(entries{{"a", dtype::f32, tensor_shape(-4), data}}));
  CHECK(!encode_safetensors(entries{{"a", dtype::f32, tensor_shape(1LL << 62, 1LL << 62), data}}));
}

TEST_CASE("lies in the header are refused, each with its reason") {
  struct lie {
    const char* header;
    std::size_t data;
    const char* reason;
  };
  const lie lies[] = {
      {R"([])", 0, "'{'"},
      {R"( {})", 0, "'{'"},
      {R"({)", 0, "JSON"},
      {R"({}x)", 0, "JSON"},
      {R"({},)", 0, "JSON"},
      {R"({"a")", 0, "JSON"},
      {R"({"a\q":1})", 0, "JSON"},
      {R"({"\ud800":1})", 0, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F32","shape":[[[[1]]]],"data_offsets":[0,4]}})", 4, "JSON"},
      {R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4, "'F4'"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "data_offsets"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "twice"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4, "'more'"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "does not fill"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "does not fill"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
       "does not fill"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
       "does not fill"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "begin at byte 0"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3, "of which there are 3"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "found 5"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "begin at byte 4"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
       12, "begin at byte 4"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "occurs twice"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "twice"},
      {R"({"__metadata__":{"a":1}})", 0, "JSON"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "8 axes"},
  };
  for (const lie& told : lies) {
    CAPTURE(told.header);
    const byte_vector bytes = file_of(told.header, told.data);
    const result<safetensors> file = safetensors::parse(bytes, "liar.safetensors");
    REQUIRE(!file);
    CAPTURE(file.error().message);
    CHECK(mentions(file.error().message, "liar.safetensors"));
    CHECK(mentions(file.error().message, told.reason));
  }
}

TEST_CASE("the header's length is checked before anything is allocated") {
  byte_vector bytes = file_of("{}", 0);
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{1} << 24U,
                                     (std::uint64_t{1} << 24U) + 1, ~std::uint64_t{0}}) {
    std::memcpy(bytes.data(), &length, sizeof(length));
    CHECK(!safetensors::parse(bytes));
  }
  CHECK(mentions(safetensors::parse(bytes).error().message, "16 MB"));
}

TEST_CASE("harmless freedoms of the format are accepted") {
  CHECK(safetensors::parse(file_of("{}", 0)));
  CHECK(safetensors::parse(file_of("{ }   ", 0)));
  const byte_vector spaced = file_of(
      "{ \"b\" : {\"data_offsets\": [4, 8], \"shape\": [ ], \"dtype\": \"F32\"},\n"
      "\"\\ud83e\\uddcd\\/\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      8);
  const auto file = safetensors::parse(spaced);
  REQUIRE(file);
  CHECK(file->entries()[0].name == "\xF0\x9F\xA7\x8D/");
  CHECK(file->entries()[1].name == "b");
}

TEST_CASE("cut, mutated and random safetensors never do harm") {
  const byte_vector tiny = data_bytes("tiny.safetensors");
  REQUIRE(read_all(tiny));
  CHECK(accepted_prefixes(tiny, read_all) == 0);
  mutants(tiny, 15'000, 1, read_all);
  mutants(data_bytes("tensors.safetensors"), 10'000, 2, read_all);
  noise(5'000, 64, 3, read_all);
}

TEST_CASE("numbers convert to integers only where they are such integers") {
  const std::vector<double> good{-2147483648.0, 2147483647.0, -0.0};
  CHECK(convert_elements<std::int32_t>(dtype::f64, std::as_bytes(std::span(good))));
  for (const double bad :
       {0.5, 2147483648.0, -2147483649.0, std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity()}) {
    CAPTURE(bad);
    CHECK(!convert_elements<std::int32_t>(dtype::f64, std::as_bytes(std::span(&bad, 1))));
  }
  const std::vector<std::uint64_t> huge{~std::uint64_t{0}};
  CHECK(!convert_elements<std::int64_t>(dtype::u64, std::as_bytes(std::span(huge))));
  CHECK(convert_elements<double>(dtype::u64, std::as_bytes(std::span(huge)))->front() == 0x1p64);
  const float edge = 0x1p63F;
  CHECK(!convert_elements<std::int64_t>(dtype::f32, std::as_bytes(std::span(&edge, 1))));
  CHECK(convert_elements<std::uint64_t>(dtype::f32, std::as_bytes(std::span(&edge, 1))));
}
