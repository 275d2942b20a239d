#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "maquette/core/executor.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/core/view.hpp"
#include "maquette/core/workspace.hpp"

using namespace maquette;

namespace {

bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % arena::alignment == 0;
}

}  // namespace

TEST_CASE("a shape knows its rank, size and extents at compile time") {
  using image = shape<3, 5, 7>;
  static_assert(image::rank == 3 && image::size == 105);
  static_assert(channels<image> == 3 && height<image> == 5 && width<image> == 7);
  static_assert(shape<>::size == 1);
  static_assert(ImageShape<image> && !ImageShape<shape<3>> && VectorShape<shape<3>>);
  static_assert(!Shape<int>);
}

TEST_CASE("a view is indexed by [C, H, W] in either layout") {
  using image = shape<2, 3, 4>;
  std::array<float, image::size> memory{};
  const view<float, image> planar(memory);
  const feature_map<float, image> pixels(memory);
  planar(1, 2, 3) = 1;
  CHECK(memory[(1 * 3 + 2) * 4 + 3] == 1);
  pixels(1, 0, 2) = 2;
  CHECK(memory[(0 * 4 + 2) * 2 + 1] == 2);
  const view<const float, image> constant = planar;
  CHECK(constant.data == planar.data);
  static_assert(!std::convertible_to<view<const float, image>, view<float, image>>);
  static_assert(!std::convertible_to<view<float, image>, view<float, shape<2, 4, 3>>>);
  static_assert(!std::convertible_to<view<float, image>, feature_map<float, image>>);
}

TEST_CASE("an arena aligns, gives back by scope and says when it is exhausted") {
  alignas(64) std::array<std::byte, 320> memory;
  arena scratch(memory);
  CHECK(scratch.available() == 320);
  const std::byte* first = scratch.take_bytes(1);
  const std::byte* second = scratch.take_bytes(65);
  CHECK(second - first == 64);
  CHECK(aligned(second));
  CHECK(scratch.available() == 128);
  {
    const arena::scope scope(scratch);
    CHECK(scratch.take_bytes(128) != nullptr);
    CHECK(scratch.available() == 0);
    CHECK(scratch.take_bytes(1) == nullptr);
  }
  CHECK(scratch.available() == 128);
  CHECK(scratch.take_bytes(129) == nullptr);
  CHECK(scratch.take_bytes(std::numeric_limits<std::size_t>::max()) == nullptr);
  CHECK(scratch.available() == 128);
}

TEST_CASE("an arena without memory gives no floats to who wants none") {
  arena empty;
  CHECK(empty.take_floats(0) == nullptr);
}

TEST_CASE("a sentence writes texts as they are and numbers as std::to_string does") {
  const std::string found = "found ";
  CHECK(detail::sentence({"expected ", -1, ", ", found, std::uint64_t{18446744073709551615U}, ", ",
                          0.5, std::string_view(" of "), std::size_t{0}}) ==
        "expected -1, found 18446744073709551615, 0.500000 of 0");
  CHECK(detail::sentence({}).empty());
}

TEST_CASE("an arena over unaligned memory starts at the next aligned byte") {
  alignas(64) std::array<std::byte, 128> memory;
  arena scratch(std::span<std::byte>(memory).subspan(1));
  CHECK(scratch.available() == 64);
  CHECK(scratch.take_bytes(64) == memory.data() + 64);
  arena tiny(std::span<std::byte>(memory).subspan(1, 3));
  CHECK(tiny.available() == 0);
}

TEST_CASE("a workspace has at least what was asked for") {
  workspace memory(1000);
  CHECK(memory.scratch().available() >= 1000);
  CHECK(aligned(memory.scratch().take_bytes(1000)));
}

TEST_CASE("a buffer moves without copying") {
  buffer first(10);
  const std::byte* data = first.bytes().data();
  buffer second = std::move(first);
  CHECK(second.bytes().data() == data);
  first = std::move(second);
  CHECK(first.bytes().data() == data);
}

TEST_CASE("a buffer begins at a large page if it fills one") {
  for (const std::size_t bytes :
       {large_page - 1, large_page, large_page + 1, 3 * large_page - 64}) {
    CAPTURE(bytes);
    buffer memory(bytes);
    const auto begin = reinterpret_cast<std::uintptr_t>(memory.bytes().data());
    CHECK(begin % (bytes < large_page ? arena::alignment : large_page) == 0);
    memory.bytes().front() = std::byte{1};
    memory.bytes().back() = std::byte{2};
    const buffer moved = std::move(memory);
    CHECK(moved.bytes().size() == bytes);
    CHECK(moved.bytes().back() == std::byte{2});
  }
}

TEST_CASE("a borrowed function is called with what it is given, and may return what nobody wants") {
  int calls = 0;
  const auto count = [&](int& by) { return calls += by++; };
  int by = 2;
  CHECK(function_ref<long(int&)>(count)(by) == 2);
  function_ref<void(int&)>{count}(by);
  CHECK(calls == 5);
  CHECK(by == 4);
  executor().for_each(3, [&](std::size_t) { return ++calls; });
  CHECK(calls == 8);
}

TEST_CASE("an executor runs every index once, here or on the caller's pool") {
  struct backwards {
    int loops = 0;
    void for_each(std::size_t count, const task& work) {
      ++loops;
      while (count-- > 0) work(count);
    }
  } pool;
  for (const executor& threads : {executor(), executor(pool)}) {
    std::vector<int> seen(9);
    threads.for_each(seen.size(), [&](std::size_t i) { ++seen[i]; });
    CHECK(seen == std::vector<int>(9, 1));
    threads.for_each(0, [&](std::size_t) { FAIL("nothing to do"); });
  }
  CHECK(pool.loops == 1);
}

TEST_CASE("vectors load, store and keep NaN") {
  constexpr std::size_t n = simd::width;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::array<float, n + 1> memory{};
  for (const float value : {-1.0F, 0.0F, 2.0F, nan}) {
    simd::store(memory.data() + 1, simd::broadcast(value));
    for (std::size_t i = 1; i <= n; ++i) CHECK((memory[i] == value || std::isnan(value)));
    simd::store(memory.data() + 1, simd::relu(simd::load(memory.data() + 1)));
    CHECK((std::isnan(value) ? std::isnan(memory[n]) : memory[n] == std::fmax(value, 0.0F)));
  }
  const auto larger = [&](float a, float b) {
    simd::store(memory.data(), simd::maximum(simd::broadcast(a), simd::broadcast(b)));
    return memory[n - 1];
  };
  CHECK(larger(1, 2) == 2);
  CHECK(larger(2, 1) == 2);
  CHECK(std::isnan(larger(nan, 1)));
  CHECK(std::isnan(larger(1, nan)));
}

TEST_CASE("a tensor's run-time shape is bounded") {
  tensor_shape found(2, 3);
  CHECK(found == tensor_shape(2, 3));
  CHECK(found != tensor_shape(2));
  for (int i = 0; i < 6; ++i) CHECK(found.push_back(1));
  CHECK(!found.push_back(1));
  CHECK(found.rank() == 8);
}
