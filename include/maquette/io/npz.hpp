// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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
#include "maquette/io/npy.hpp"

namespace maquette {

namespace detail {

/// One file of a zip archive, as its central directory describes it.
struct zip_member {
  std::string name;
  std::span<const std::byte> data;  ///< as stored, perhaps deflated
  std::uint64_t size = 0;           ///< after inflating
  std::uint32_t crc = 0;
  bool deflated = false;
};

inline std::uint32_t crc_of(std::span<const std::byte> bytes, std::uint32_t crc = 0) {
  if (bytes.empty()) return crc;  // zlib takes a null pointer for the wish to start anew
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// Hands out a member's bytes in order, inflating where needed, and never more than were asked for.
class zip_stream {
 public:
  explicit zip_stream(const zip_member& member) : deflated_(member.deflated), rest_(member.data) {
    if (deflated_) usable_ = ::inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
  }
  zip_stream(const zip_stream&) = delete;
  zip_stream& operator=(const zip_stream&) = delete;
  ~zip_stream() {
    if (deflated_ && usable_) ::inflateEnd(&stream_);
  }

  /// Fills `out` in full, or returns false.
  bool read(std::span<std::byte> out) {
    if (!usable_) return false;
    std::size_t filled = 0;
    if (!deflated_) {
      if (rest_.size() < out.size()) return false;
      std::copy_n(rest_.begin(), out.size(), out.begin());
      rest_ = rest_.subspan(out.size());
      filled = out.size();
    }
    while (filled < out.size()) {
      const std::size_t step = inflate_some(out.subspan(filled));
      if (step == 0) return false;
      filled += step;
    }
    crc_ = crc_of(out, crc_);
    return true;
  }

  /// Whether nothing is left and the checksum is the expected one.
  bool finish(std::uint32_t crc) {
    if (!usable_ || crc_ != crc) return false;
    if (!deflated_) return rest_.empty();
    std::byte surplus[1];
    return inflate_some(surplus) == 0 && ended_ && rest_.empty();
  }

 private:
  std::size_t inflate_some(std::span<std::byte> out) {
    if (ended_) return 0;
    constexpr std::size_t step = std::numeric_limits<uInt>::max() / 2;
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest_.data()));
    stream_.avail_in = static_cast<uInt>(std::min(rest_.size(), step));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min(out.size(), step));
    const std::size_t given = stream_.avail_in;
    const std::size_t room = stream_.avail_out;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    rest_ = rest_.subspan(given - stream_.avail_in);
    ended_ = status == Z_STREAM_END;
    if (status != Z_OK && status != Z_STREAM_END) return 0;
    return room - stream_.avail_out;
  }

  bool deflated_;
  bool usable_ = true;
  bool ended_ = false;
  std::span<const std::byte> rest_;
  std::uint32_t crc_ = 0;
  z_stream stream_{};
};

/// Reads the directory of a zip archive: stored and deflated members, zip64 sizes, one disk, no
/// encryption, no two members sharing bytes.
[[gnu::cold]] inline result<std::vector<zip_member>> read_zip_directory(
    std::span<const std::byte> bytes, const std::string& origin) {
  const auto malformed = [&](const char* what) {
    return error{errc::malformed, sentence({origin, ": ", what})};
  };
  constexpr std::uint32_t end_mark = 0x06054b50, locator_mark = 0x07064b50, end64_mark = 0x06064b50,
                          entry_mark = 0x02014b50, local_mark = 0x04034b50;
  constexpr std::size_t end_size = 22, entry_size = 46, local_size = 30;

  if (bytes.size() < end_size) return malformed("too short for a zip archive");
  std::size_t end = bytes.size() - end_size;
  const std::size_t last = end > 0xFFFF ? end - 0xFFFF : 0;
  while (load<std::uint32_t>(bytes, end) != end_mark) {
    if (end == last) return malformed("expected a zip archive, found no end of one");
    --end;
  }
  std::uint64_t count = *load<std::uint16_t>(bytes, end + 10);
  std::uint64_t directory_size = *load<std::uint32_t>(bytes, end + 12);
  std::uint64_t directory = *load<std::uint32_t>(bytes, end + 16);
  if (*load<std::uint16_t>(bytes, end + 4) != *load<std::uint16_t>(bytes, end + 6))
    return malformed("a zip archive in several parts is not supported");
  if (end >= 20 && load<std::uint32_t>(bytes, end - 20) == locator_mark) {
    const std::uint64_t end64 = *load<std::uint64_t>(bytes, end - 12);
    if (end64 > bytes.size() || bytes.size() - end64 < 56 ||
        load<std::uint32_t>(bytes, static_cast<std::size_t>(end64)) != end64_mark)
      return malformed("the zip64 end record is missing");
    const auto at = static_cast<std::size_t>(end64);
    count = *load<std::uint64_t>(bytes, at + 32);
    directory_size = *load<std::uint64_t>(bytes, at + 40);
    directory = *load<std::uint64_t>(bytes, at + 48);
  }
  if (directory > end || directory_size > end - directory || count > directory_size / entry_size)
    return malformed("the zip directory does not lie inside the file");

  std::vector<byte_range> ranges;
  std::vector<zip_member> members;
  auto entry = static_cast<std::size_t>(directory);
  const auto directory_end = static_cast<std::size_t>(directory + directory_size);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (directory_end - entry < entry_size || load<std::uint32_t>(bytes, entry) != entry_mark)
      return malformed("the zip directory has fewer entries than it says");
    const std::uint16_t flags = *load<std::uint16_t>(bytes, entry + 8);
    const std::uint16_t method = *load<std::uint16_t>(bytes, entry + 10);
    zip_member member;
    member.crc = *load<std::uint32_t>(bytes, entry + 16);
    std::uint64_t stored_size = *load<std::uint32_t>(bytes, entry + 20);
    member.size = *load<std::uint32_t>(bytes, entry + 24);
    const std::size_t name_size = *load<std::uint16_t>(bytes, entry + 28);
    const std::size_t extra_size = *load<std::uint16_t>(bytes, entry + 30);
    const std::size_t comment_size = *load<std::uint16_t>(bytes, entry + 32);
    std::uint64_t local = *load<std::uint32_t>(bytes, entry + 42);
    if (directory_end - entry - entry_size < name_size + extra_size + comment_size)
      return malformed("an entry of the zip directory is cut short");
    const auto name = bytes.subspan(entry + entry_size, name_size);
    member.name.assign(reinterpret_cast<const char*>(name.data()), name.size());

    auto extra = bytes.subspan(entry + entry_size + name_size, extra_size);
    while (extra.size() >= 4) {
      const std::uint16_t id = *load<std::uint16_t>(extra, 0);
      const std::size_t size = *load<std::uint16_t>(extra, 2);
      if (size > extra.size() - 4)
        return malformed("an extra field of the zip directory is cut short");
      if (id == 1) {  // zip64: only those values that did not fit, in this order
        std::size_t at = 0;
        for (std::uint64_t* value : {&member.size, &stored_size, &local}) {
          if (*value != 0xFFFFFFFFU) continue;
          const auto wide = load<std::uint64_t>(extra.subspan(4, size), at);
          if (!wide) return malformed("a zip64 field is cut short");
          *value = *wide;
          at += 8;
        }
      }
      extra = extra.subspan(4 + size);
    }
    entry += entry_size + name_size + extra_size + comment_size;

    if ((flags & 1U) != 0)
      return error{errc::unsupported,
                   sentence({origin, ": member '", member.name, "' is encrypted"})};
    if (method != 0 && method != 8)
      return error{errc::unsupported,
                   sentence({origin, ": member '", member.name, "' is compressed by method ",
                             method, ", expected stored or deflated"})};
    member.deflated = method == 8;
    if (local > directory || directory - local < local_size ||
        load<std::uint32_t>(bytes, static_cast<std::size_t>(local)) != local_mark)
      return malformed("a zip member does not lie inside the file");
    const auto at = static_cast<std::size_t>(local);
    const std::uint64_t begin = local + local_size + *load<std::uint16_t>(bytes, at + 26) +
                                *load<std::uint16_t>(bytes, at + 28);
    if (begin > directory || stored_size > directory - begin)
      return malformed("a zip member does not lie inside the file");
    member.data =
        bytes.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(stored_size));
    ranges.push_back({local, begin + stored_size, members.size()});
    members.push_back(std::move(member));
  }
  sort_by_place(ranges);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin < ranges[i - 1].end) return malformed("two zip members share bytes");
  return members;
}

}  // namespace detail

/// What a reader of .npz agrees to hold.
struct npz_limits {
  std::uint64_t max_array_bytes = std::uint64_t{2} << 30;
};

/// The arrays of a .npz file, inflated one by one when they are asked for.
class npz {
 public:
  /// Maps an .npz file and reads its directory.
  ///
  /// Errors: not_found, unreadable; those of `parse`.
  static result<npz> open(const std::string& path, npz_limits limits = {}) {
    result<mapped_file> file = mapped_file::open(path);
    if (!file) return file.error();
    result<npz> archive = parse(file->bytes(), path, limits);
    if (!archive) return archive.error();
    archive->file_ = std::move(*file);
    return archive;
  }

  /// Reads the directory of an .npz file in memory, which must outlive this object; `origin` is
  /// what messages call it.
  ///
  /// Errors: malformed (also an archive in several parts); unsupported (encrypted, another
  /// compression, a member that is not a .npy file).
  static result<npz> parse(std::span<const std::byte> bytes,
                           std::string_view origin = ".npz in memory", npz_limits limits = {}) {
    npz archive;
    archive.origin_ = origin;
    archive.limits_ = limits;
    result<std::vector<detail::zip_member>> members =
        detail::read_zip_directory(bytes, archive.origin_);
    if (!members) return members.error();
    archive.members_ = std::move(*members);
    for (detail::zip_member& member : archive.members_) {
      if (!member.name.ends_with(".npy"))
        return error{errc::unsupported, detail::sentence({archive.origin_, ": member '",
                                                          member.name, "' is not a .npy file"})};
      member.name.resize(member.name.size() - 4);
      archive.names_.push_back(member.name);
    }
    if (const auto twin = detail::repeated_name({archive.names_.begin(), archive.names_.end()}))
      return error{errc::malformed,
                   detail::sentence({archive.origin_, ": array '", *twin, "' occurs twice"})};
    return archive;
  }

  /// The arrays' names in the order of the directory.
  std::span<const std::string> names() const { return names_; }

  bool contains(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

  /// Reads one array; its declared sizes, its shape and its checksum must all agree.
  ///
  /// Errors: not_found (no such array; the message lists those that exist); malformed; unsupported
  /// (as for `decode_npy`, or larger than the limit).
  result<npy_array> read(std::string_view name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) {
      std::string message = detail::sentence({origin_, ": expected an array '", name, "', found"});
      for (const std::string& present : names_) message += detail::sentence({" '", present, "'"});
      return error{errc::not_found, message + (names_.empty() ? " none" : "")};
    }
    return read(members_[static_cast<std::size_t>(at - names_.begin())]);
  }

 private:
  [[gnu::cold]] result<npy_array> read(const detail::zip_member& member) const {
    const std::string origin = detail::sentence({origin_, ": array '", member.name, "'"});
    const auto broken = [&] {
      return error{errc::malformed,
                   detail::sentence({origin, ": the stored bytes are cut short or damaged"})};
    };
    std::byte prelude_bytes[detail::npy_prelude_limit];
    const std::size_t prelude_size = detail::npy_prelude_limit;
    detail::zip_stream stream(member);
    if (!stream.read(prelude_bytes)) return broken();
    const auto prelude = detail::parse_npy_prelude(prelude_bytes);
    if (!prelude)
      return error{
          errc::malformed,
          detail::sentence({origin, ": does not begin like a .npy file of version 1 to 3"})};
    const std::size_t header_end = prelude->size + prelude->header_size;
    if (header_end < prelude_size || prelude->header_size > detail::npy_header_limit)
      return error{errc::malformed, detail::sentence({origin, ": a .npy header of ",
                                                      prelude->header_size, " bytes"})};
    std::string text(reinterpret_cast<const char*>(prelude_bytes) + prelude->size,
                     prelude_size - prelude->size);
    text.resize(prelude->header_size);
    if (!stream.read(std::as_writable_bytes(std::span(text)).subspan(prelude_size - prelude->size)))
      return broken();
    const result<detail::npy_header> header = detail::parse_npy_header(text, origin);
    if (!header) return header.error();
    const std::size_t size = header->byte_count();
    if (member.size < header_end || member.size - header_end != size)
      return error{
          errc::malformed,
          detail::sentence({origin, ": shape ", detail::to_string(header->shape), " needs ", size,
                            " bytes, the archive declares ", member.size})};
    if (size > limits_.max_array_bytes)
      return error{errc::unsupported,
                   detail::sentence({origin, ": expected at most ", limits_.max_array_bytes,
                                     " bytes, found ", size})};
    // Deflate cannot shrink further than this, so a larger claim is a lie: do not allocate for it.
    constexpr std::size_t best_ratio = 1032;
    if (size / (member.deflated ? best_ratio : 1) > member.data.size()) return broken();
    std::vector<std::byte> bytes(size);
    if (!stream.read(bytes) || !stream.finish(member.crc)) return broken();
    return detail::build_npy_array(*header, std::move(bytes), origin);
  }

  std::string origin_;
  npz_limits limits_;
  std::optional<mapped_file> file_;
  std::vector<detail::zip_member> members_;
  std::vector<std::string> names_;
};

}  // namespace maquette
