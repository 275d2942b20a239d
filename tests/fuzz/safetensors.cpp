// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/safetensors.hpp"

#include <cstdlib>

#include "maquette/io/safetensors_writer.hpp"

/// Whatever is accepted must survive being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = maquette::safetensors::parse(std::as_bytes(std::span(data, size)));
  if (!file) return 0;
  const maquette::float_tensors floats(*file);
  const auto written = maquette::encode_safetensors(file->entries(), file->metadata());
  if (!written) std::abort();
  const auto again = maquette::safetensors::parse(*written);
  if (!again || again->entries().size() != file->entries().size() ||
      again->metadata() != file->metadata())
    std::abort();
  return 0;
}
