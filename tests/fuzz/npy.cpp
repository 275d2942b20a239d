// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/npy.hpp"

#include <cstdlib>

#include "maquette/io/npy_writer.hpp"

/// Whatever numbers are accepted must survive being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto array = maquette::decode_npy(std::as_bytes(std::span(data, size)));
  if (!array || array->is_text) return 0;
  static_cast<void>(array->values<float>());
  static_cast<void>(array->values<std::int32_t>());
  const auto written = maquette::encode_npy(*array);
  if (!written) std::abort();
  const auto again = maquette::decode_npy(*written);
  if (!again || again->bytes != array->bytes || again->shape != array->shape) std::abort();
  return 0;
}
