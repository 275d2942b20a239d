// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/image.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto picture = maquette::decode_image(std::as_bytes(std::span(data, size)), "fuzz",
                                              {.max_pixels = 250'000, .max_side = 2'000});
  if (picture && picture->pixels.size() != 3 * static_cast<std::size_t>(picture->width) *
                                               static_cast<std::size_t>(picture->height))
    std::abort();
  return 0;
}
