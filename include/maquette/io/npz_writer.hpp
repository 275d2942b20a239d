// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/bytes.hpp"
#include "maquette/io/directory.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/npy_writer.hpp"
#include "maquette/io/npz.hpp"

namespace maquette {

/// One array to be written, by name.
struct npz_entry {
  std::string name;
  npy_array array;
};

enum class npz_compression : std::uint8_t { stored, deflated };

namespace detail {

inline std::optional<std::vector<std::byte>> deflate_raw(std::span<const std::byte> bytes) {
  z_stream stream{};
  if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  std::vector<std::byte> out(::deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace detail

/// The bytes of an .npz file; the same arrays give the same bytes.
///
/// Errors: those of `encode_npy`; mismatch (a name twice or, with ".npy", over 65000 bytes);
/// unsupported (more than 2 GiB an array, 4 GiB in all or 65,534 arrays, which would need zip64);
/// unwritable (zlib cannot compress it).
inline result<std::vector<std::byte>> encode_npz(
    std::span<const npz_entry> entries, npz_compression compression = npz_compression::stored) {
  const error too_large{errc::unsupported,
                        "an .npz file of more than 65534 arrays, 2 GiB an array or 4 GiB in all "
                        "is not written"};
  constexpr std::uint64_t limit = 0xFFFFFFFEU;
  if (entries.size() >= 0xFFFF) return too_large;
  std::vector<std::string_view> names;
  for (const npz_entry& entry : entries) names.push_back(entry.name);
  if (const auto twin = detail::repeated_name(std::move(names)))
    return error{errc::mismatch, detail::sentence({"array '", *twin, "': the name is taken"})};

  constexpr std::uint16_t version = 20, utf8_names = 1U << 11U;
  constexpr std::uint16_t midnight = 0, first_of_1980 = 1U << 5U | 1U;
  std::vector<std::byte> bytes, directory;
  for (const npz_entry& entry : entries) {
    const std::string name = entry.name + ".npy";
    if (name.size() > 65000) return error{errc::mismatch, "an array's name is over 65000 bytes"};
    result<std::vector<std::byte>> file = encode_npy(entry.array);
    if (!file)
      return error{file.error().code,
                   detail::sentence({"array '", entry.name, "': ", file.error().message})};
    const std::size_t size = file->size();
    const std::uint32_t crc = detail::crc_of(*file);
    if (size > limit / 2) return too_large;
    if (compression == npz_compression::deflated) {
      auto deflated = detail::deflate_raw(*file);
      if (!deflated)
        return error{errc::unwritable, detail::sentence({"array '", entry.name, "': zlib failed"})};
      *file = std::move(*deflated);
    }
    const std::size_t offset = bytes.size();
    if (offset + file->size() + name.size() + directory.size() + 256 > limit) return too_large;

    const auto common = [&](std::vector<std::byte>& out) {
      detail::store(out, version);
      detail::store(out, utf8_names);
      detail::store(out, static_cast<std::uint16_t>(
                             compression == npz_compression::deflated ? Z_DEFLATED : 0));
      detail::store(out, midnight);
      detail::store(out, first_of_1980);
      detail::store(out, crc);
      detail::store(out, static_cast<std::uint32_t>(file->size()));
      detail::store(out, static_cast<std::uint32_t>(size));
      detail::store(out, static_cast<std::uint16_t>(name.size()));
      detail::store(out, std::uint16_t{0});  // no extra field
    };
    detail::append(bytes, std::string_view("PK\x03\x04"));
    common(bytes);
    detail::append(bytes, std::string_view(name));
    detail::append(bytes, *file);

    detail::append(directory, std::string_view("PK\x01\x02"));
    detail::store(directory, version);
    common(directory);
    detail::store(directory, std::uint16_t{0});  // no comment
    detail::store(directory, std::uint16_t{0});  // the first disk
    detail::store(directory, std::uint16_t{0});  // internal attributes
    detail::store(directory, std::uint32_t{0});  // external attributes
    detail::store(directory, static_cast<std::uint32_t>(offset));
    detail::append(directory, std::string_view(name));
  }
  const std::size_t offset = bytes.size();
  detail::append(bytes, directory);
  detail::append(bytes, std::string_view("PK\x05\x06"));
  detail::store(bytes, std::uint32_t{0});  // one disk
  detail::store(bytes, static_cast<std::uint16_t>(entries.size()));
  detail::store(bytes, static_cast<std::uint16_t>(entries.size()));
  detail::store(bytes, static_cast<std::uint32_t>(directory.size()));
  detail::store(bytes, static_cast<std::uint32_t>(offset));
  detail::store(bytes, std::uint16_t{0});  // no comment
  return bytes;
}

/// Writes an .npz file whole or not at all.
///
/// Errors: those of `encode_npz`; unwritable.
inline result<void> write_npz(const std::string& path, std::span<const npz_entry> entries,
                              npz_compression compression = npz_compression::stored) {
  const result<std::vector<std::byte>> bytes = encode_npz(entries, compression);
  if (!bytes)
    return error{bytes.error().code, detail::sentence({path, ": ", bytes.error().message})};
  return write_file(path, *bytes);
}

}  // namespace maquette
