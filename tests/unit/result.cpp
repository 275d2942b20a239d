#include "maquette/core/result.hpp"

#include <doctest/doctest.h>

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
