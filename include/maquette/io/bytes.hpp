// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace maquette::detail {

static_assert(std::endian::native == std::endian::little,
              "files are little-endian and are read in place: a big-endian host needs swaps here");

/// Reads a little-endian number at `offset`; nothing if it would reach past the end.
template <class T>
requires std::is_trivially_copyable_v<T> std::optional<T> load(std::span<const std::byte> bytes,
                                                               std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// The same for big-endian numbers, as in JPEG.
template <std::unsigned_integral T>
std::optional<T> load_big_endian(std::span<const std::byte> bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value << 8U | std::to_integer<T>(bytes[offset + i]));
  return value;
}

/// Appends a little-endian number.
template <class T>
requires std::is_trivially_copyable_v<T>
void store(std::vector<std::byte>& bytes, T value) {
  const std::size_t offset = bytes.size();
  bytes.resize(offset + sizeof(T));
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

inline void append(std::vector<std::byte>& bytes, std::span<const std::byte> more) {
  // Not vector::insert: GCC 12 takes that for an overflow and warns in the user's own build.
  const std::size_t offset = bytes.size();
  bytes.resize(offset + more.size());
  if (!more.empty()) std::memcpy(bytes.data() + offset, more.data(), more.size());
}

inline void append(std::vector<std::byte>& bytes, std::string_view text) {
  append(bytes, std::as_bytes(std::span(text.data(), text.size())));
}

/// A product that says so when it overflows.
inline std::optional<std::size_t> checked_product(std::size_t a, std::size_t b) {
  if (b != 0 && a > static_cast<std::size_t>(-1) / b) return std::nullopt;
  return a * b;
}

/// Bytes from malloc, as C libraries hand them out; null if they failed.
class c_bytes {
 public:
  explicit c_bytes(std::uint8_t* memory) : memory_(memory) {}
  c_bytes(const c_bytes&) = delete;
  c_bytes& operator=(const c_bytes&) = delete;
  ~c_bytes() { std::free(memory_); }
  const std::uint8_t* get() const { return memory_; }

 private:
  std::uint8_t* memory_;
};

}  // namespace maquette::detail
