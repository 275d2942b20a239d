// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"

#if defined(__unix__) || defined(__APPLE__)
#define MAQUETTE_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define MAQUETTE_HAS_MMAP 0
#endif

namespace maquette {

namespace detail {

[[gnu::cold]] inline error system_error(errc code, const std::string& path, const char* what,
                                        int number) {
  return {code, sentence({path, ": ", what, ": ", std::generic_category().message(number)})};
}

/// A FILE* that closes itself.
class c_file {
 public:
  c_file(const std::string& path, const char* mode) : file_(std::fopen(path.c_str(), mode)) {}
  explicit c_file(std::FILE* file) : file_(file) {}
  c_file(const c_file&) = delete;
  c_file& operator=(const c_file&) = delete;
  ~c_file() { close(); }

  explicit operator bool() const { return file_ != nullptr; }
  std::FILE* get() const { return file_; }
  bool close() {
    std::FILE* file = std::exchange(file_, nullptr);
    return file == nullptr || std::fclose(file) == 0;
  }

 private:
  std::FILE* file_;
};

/// The rest of an open file, or why there is none, `number` being the errno of its opening.
inline result<std::vector<std::byte>> read_rest(const c_file& file, int number,
                                                const std::string& path, std::uint64_t max_bytes) {
  if (!file)
    return system_error(number == ENOENT ? errc::not_found : errc::unreadable, path,
                        "cannot be opened", number);
  std::vector<std::byte> bytes;
  constexpr std::size_t step = 64 * 1024;
  std::size_t size = 0;
  for (;;) {
    if (bytes.size() < size + step) bytes.resize(bytes.size() + bytes.size() / 2 + step);
    const std::size_t got = std::fread(bytes.data() + size, 1, step, file.get());
    size += got;
    if (size > max_bytes)
      return error{errc::unsupported,
                   sentence({path, ": expected at most ", max_bytes, " bytes, found more"})};
    if (got < step) break;
  }
  if (std::ferror(file.get()) != 0)
    return system_error(errc::unreadable, path, "cannot be read", errno);
  bytes.resize(size);
  return bytes;
}

inline constexpr std::uint64_t most_read = std::uint64_t{4} << 30;

}  // namespace detail

/// Reads a whole file into memory, at most `max_bytes` of it.
///
/// Errors: not_found, unreadable (also a folder), unsupported (more than `max_bytes`).
inline result<std::vector<std::byte>> read_file(const std::string& path,
                                                std::uint64_t max_bytes = detail::most_read) {
  errno = 0;
  const detail::c_file file(path, "rb");
  return detail::read_rest(file, errno, path, max_bytes);
}

/// The bytes of a file, mapped into memory where the system can and read otherwise.
///
/// Moving it keeps `bytes()` valid. Whoever shortens the file while it is mapped pulls the memory
/// from under the reader, as with every mapping.
class mapped_file {
 public:
  mapped_file(mapped_file&& other) noexcept
      : owned_(std::move(other.owned_)),
        mapping_(std::exchange(other.mapping_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(owned_, other.owned_);
    std::swap(mapping_, other.mapping_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~mapped_file() {
#if MAQUETTE_HAS_MMAP
    if (mapping_ != nullptr) ::munmap(mapping_, size_);
#endif
  }

  /// Opens `path` for reading.
  ///
  /// Errors: not_found, unreadable (also a folder), unsupported (a pipe of more than 4 GiB).
  static result<mapped_file> open(const std::string& path) {
#if MAQUETTE_HAS_MMAP
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct ::stat status {};
    if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size > 0) {
      const auto size = static_cast<std::size_t>(status.st_size);
      void* const mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (mapping != MAP_FAILED) {
        ::close(descriptor);
        mapped_file file;
        file.mapping_ = mapping;
        file.size_ = size;
        return file;
      }
    }
    // Not opened again by its name: a pipe's writer may be gone by then.
    const int number = errno;
    const detail::c_file opened(descriptor >= 0 ? ::fdopen(descriptor, "rb") : nullptr);
    if (!opened && descriptor >= 0) ::close(descriptor);
    result<std::vector<std::byte>> bytes =
        detail::read_rest(opened, number, path, detail::most_read);
#else
    result<std::vector<std::byte>> bytes = read_file(path);
#endif
    if (!bytes) return bytes.error();
    mapped_file file;
    file.owned_ = std::move(*bytes);
    return file;
  }

  std::span<const std::byte> bytes() const {
    if (mapping_ != nullptr) return {static_cast<const std::byte*>(mapping_), size_};
    return owned_;
  }

 private:
  mapped_file() = default;

  std::vector<std::byte> owned_;
  void* mapping_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

/// Writes all bytes; the file is closed then, whatever came of it. An error's number if not.
[[gnu::cold]] inline std::optional<int> write_and_close(c_file& file,
                                                        std::span<const std::byte> bytes) {
  bool written =
      bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  written = written && std::fflush(file.get()) == 0;
#if MAQUETTE_HAS_MMAP
  // What cannot be synchronized, as a pipe, says EINVAL.
  written = written && (::fsync(::fileno(file.get())) == 0 || errno == EINVAL);
#endif
  int number = errno;
  if (!file.close() && written) {
    number = errno;
    written = false;
  }
  return written ? std::nullopt : std::optional(number);
}

/// Opens a new file beside `path` for writing and says its name: one of its own, whoever else
/// writes there. Null, and why in errno, if it cannot.
[[gnu::cold]] inline std::FILE* open_beside(const std::string& path, std::string& name) {
#if MAQUETTE_HAS_MMAP
  const long process = ::getpid();
#else
  const long process = 0;
#endif
  constexpr int tries = 100;
  for (int i = 0; i < tries; ++i) {
    name = sentence({path, ".", process, ".", i, ".partial"});
    std::FILE* const file = std::fopen(name.c_str(), "wbx");
    if (file != nullptr || errno != EEXIST) return file;
  }
  return nullptr;
}

}  // namespace detail

/// Writes a whole file or none: the bytes go to a temporary file beside `path`, which then takes
/// its name, so that a half-written file is never found under `path`. It keeps the permissions of
/// the file that it replaces; a symbolic link to a file stays, and what it leads to is replaced.
/// What is no plain file, as a device or a pipe, is written to.
///
/// Errors: unwritable.
inline result<void> write_file(const std::string& path, std::span<const std::byte> bytes) {
  const auto failed = [&](const char* what, int number) {
    return detail::system_error(errc::unwritable, path, what, number);
  };
  std::string target = path;
#if MAQUETTE_HAS_MMAP
  struct ::stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    detail::c_file file(path, "wb");
    if (!file) return failed("cannot be created", errno);
    if (const auto number = detail::write_and_close(file, bytes))
      return failed("cannot be written", *number);
    return {};
  }
  if (exists)
    if (char* const resolved = ::realpath(path.c_str(), nullptr)) {
      target = resolved;
      std::free(resolved);
    }
#endif
  std::string temporary;
  detail::c_file file(detail::open_beside(target, temporary));
  if (!file) return failed("cannot be created", errno);
#if MAQUETTE_HAS_MMAP
  // A file system without permissions may refuse; the bytes matter more.
  if (exists) (void)!::fchmod(::fileno(file.get()), old.st_mode & 0777);
#endif
  if (const auto number = detail::write_and_close(file, bytes)) {
    std::remove(temporary.c_str());
    return failed("cannot be written", *number);
  }
#if !MAQUETTE_HAS_MMAP
  std::remove(target.c_str());  // elsewhere than on POSIX a rename does not replace
#endif
  if (std::rename(temporary.c_str(), target.c_str()) != 0) {
    const int number = errno;
    std::remove(temporary.c_str());
    return failed("cannot be replaced", number);
  }
  return {};
}

/// Writes a text as `write_file` writes bytes.
inline result<void> write_file(const std::string& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace maquette
