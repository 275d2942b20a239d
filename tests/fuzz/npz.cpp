// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/npz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto archive = maquette::npz::parse(std::as_bytes(std::span(data, size)), "fuzz",
                                            {.max_array_bytes = 1 << 22});
  if (!archive) return 0;
  for (const std::string& name : archive->names()) static_cast<void>(archive->read(name));
  return 0;
}
