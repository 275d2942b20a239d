#include "maquette/core/result.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace maquette;

TEST_CASE("a result holds a value or an error, never both") {
  result<int> good = 7;
  CHECK(good);
  CHECK(*good == 7);
  result<int> bad = error{errc::malformed, "a sentence"};
  CHECK(!bad);
  CHECK(bad.error().code == errc::malformed);
  CHECK(bad.error().message == "a sentence");
  result<void> nothing;
  CHECK(nothing);
  result<void> failed = error{errc::not_found, "gone"};
  CHECK(!failed);
}

namespace {

/// Counts how many of it are alive.
struct counted {
  static inline int alive = 0;
  int number;
  explicit counted(int of) : number(of) { ++alive; }
  counted(counted&& other) noexcept : number(std::exchange(other.number, 0)) { ++alive; }
  ~counted() { --alive; }
};

}  // namespace

TEST_CASE("a result is moved with what it holds, which dies once") {
  {
    result<counted> first = counted(3);
    CHECK(counted::alive == 1);
    result<counted> second = std::move(first);
    CHECK(second->number == 3);
    result<counted> other =
        error{errc::unreadable, "a sentence that no small string holds in place"};
    CHECK(counted::alive == 2);
    other = std::move(second);
    REQUIRE(other);
    CHECK(other->number == 3);
    CHECK(counted::alive == 3);
    other = error{errc::malformed, "another sentence that no small string holds in place"};
    CHECK(counted::alive == 2);
    CHECK(other.error().code == errc::malformed);
    result<counted>& same = other;
    other = std::move(same);
    CHECK(other.error().message == "another sentence that no small string holds in place");
    other = counted(5);
    CHECK(std::move(other).value().number == 5);
  }
  CHECK(counted::alive == 0);
}
