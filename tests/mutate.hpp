// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace maquette_test {

using byte_vector = std::vector<std::byte>;

/// Calls `read` with every proper prefix of a valid file; returns how many of them it accepted.
template <class Read>
std::size_t accepted_prefixes(std::span<const std::byte> valid, Read&& read) {
  std::size_t accepted = 0;
  for (std::size_t length = 0; length < valid.size(); ++length) {
    const byte_vector prefix(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(length));
    accepted += read(std::span<const std::byte>(prefix)) ? 1U : 0U;
  }
  return accepted;
}

/// One random change: bits, bytes, numbers that parsers trip over, pieces lost, doubled or added.
inline void mutate_once(byte_vector& bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  if (bytes.empty()) bytes.push_back(std::byte{0});
  const std::size_t at = below(bytes.size());
  const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t length = 1 + below(std::min<std::size_t>(16, bytes.size() - at));
  const auto there = here + static_cast<std::ptrdiff_t>(length);
  switch (below(7)) {
    case 0:
      *here ^= std::byte{1} << static_cast<int>(below(8));
      break;
    case 1:
      *here = static_cast<std::byte>(below(256));
      break;
    case 2: {
      constexpr std::uint64_t numbers[] = {
          0, 1, 0x7F, 0xFF, 0xFFFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, ~0ULL, 1ULL << 62U};
      const std::uint64_t number = numbers[below(std::size(numbers))];
      std::memcpy(&*here, &number, std::min<std::size_t>({8, length, bytes.size() - at}));
      break;
    }
    case 3:
      bytes.erase(here, there);
      break;
    case 4: {
      const byte_vector piece(here, there);
      bytes.insert(here, piece.begin(), piece.end());
      break;
    }
    case 5:
      bytes.resize(at);
      break;
    default:
      *here = static_cast<std::byte>("0123456789[]{},:\"\\'()LO "[below(24)]);
      break;
  }
}

/// Calls `read` with `count` mutants of a valid file, one to eight changes each, always the same.
template <class Read>
std::size_t mutants(std::span<const std::byte> valid, std::size_t count, std::uint32_t seed,
                    Read&& read) {
  std::mt19937 random(seed);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < count; ++i) {
    byte_vector mutant(valid.begin(), valid.end());
    for (std::size_t changes = 1 + random() % 8; changes > 0; --changes)
      mutate_once(mutant, random);
    const byte_vector exact(mutant);  // no spare capacity in which an overrun could hide
    accepted += read(std::span<const std::byte>(exact)) ? 1U : 0U;
  }
  return accepted;
}

/// Calls `read` with `count` strings of random bytes, up to `length` each.
template <class Read>
void noise(std::size_t count, std::size_t length, std::uint32_t seed, Read&& read) {
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    byte_vector bytes(random() % (length + 1));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xFFU);
    read(std::span<const std::byte>(bytes));
  }
}

}  // namespace maquette_test
