// SPDX-License-Identifier: Apache-2.0
// The picture codecs live in two translation units of this program, which must link.
#include <doctest/doctest.h>

#include "maquette/io/image.hpp"

TEST_CASE("pictures can be read from more than one translation unit") {
  CHECK(!maquette::decode_image({}));
}
