// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "maquette/core/bfloat16.hpp"

/// Vectors of float as wide as the compiler's flags allow; one lane where the compiler has no
/// vector extension or MAQUETTE_SCALAR is defined.
///
/// The value type is aligned and only loads and stores go through an unaligned type: an unaligned
/// value type makes GCC spill accumulators (measured: 4.4 times slower).
namespace maquette::simd {

#if defined(__GNUC__) && !defined(MAQUETTE_SCALAR)
#define MAQUETTE_INLINE inline __attribute__((always_inline))
#define MAQUETTE_NOINLINE __attribute__((noinline))

#if defined(__AVX512F__)
inline constexpr int width = 16;
#elif defined(__AVX__)
inline constexpr int width = 8;
#else
inline constexpr int width = 4;
#endif

typedef float vector __attribute__((vector_size(width * sizeof(float))));
typedef float unaligned_vector
    __attribute__((vector_size(width * sizeof(float)), aligned(alignof(float)), may_alias));

MAQUETTE_INLINE vector load(const float* from) {
  return *reinterpret_cast<const unaligned_vector*>(from);
}
MAQUETTE_INLINE void store(float* to, vector value) {
  *reinterpret_cast<unaligned_vector*>(to) = value;
}
MAQUETTE_INLINE vector broadcast(float value) { return value - vector{}; }

/// The lower halves of so many words as floats whose upper halves they are, and the upper halves.
typedef std::uint32_t unaligned_words
    __attribute__((vector_size(width * sizeof(float)), aligned(alignof(float)), may_alias));
MAQUETTE_INLINE vector load_lower_halves(const std::uint32_t* from) {
  return reinterpret_cast<vector>(*reinterpret_cast<const unaligned_words*>(from) << 16);
}
MAQUETTE_INLINE vector load_upper_halves(const std::uint32_t* from) {
  return reinterpret_cast<vector>(*reinterpret_cast<const unaligned_words*>(from) & 0xFFFF0000U);
}

/// As many pairs of bfloat16 as a vector has floats, the first of a pair in the lower half.
typedef std::uint32_t pairs __attribute__((vector_size(width * sizeof(float))));
typedef std::uint16_t unaligned_halves
    __attribute__((vector_size(width * sizeof(std::uint16_t)), aligned(2), may_alias));

MAQUETTE_INLINE pairs load_pairs(const std::uint32_t* from) {
  return *reinterpret_cast<const unaligned_words*>(from);
}
MAQUETTE_INLINE pairs broadcast_pair(std::uint32_t value) { return value - pairs{}; }
/// sum + a.first * b.first + a.second * b.second lane by lane.
MAQUETTE_INLINE vector add_products(vector sum, pairs a, pairs b) {
#if defined(__AVX512BF16__)
  // Not an intrinsic: its header would cost every program a second of compiling.
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  sum += reinterpret_cast<vector>(a << 16) * reinterpret_cast<vector>(b << 16);
  return sum +
         reinterpret_cast<vector>(a & 0xFFFF0000U) * reinterpret_cast<vector>(b & 0xFFFF0000U);
#endif
}
/// Writes a vector as so many bfloat16, each the nearest one; NaN stays NaN.
MAQUETTE_INLINE void store_rounded(void* to, vector value) {
  const auto whole = reinterpret_cast<pairs>(value);
  const pairs rounded = whole + 0x7FFFU + ((whole >> 16) & 1U);
  const pairs kept = value == value ? rounded : whole | 0x400000U;
  *static_cast<unaligned_halves*>(to) = __builtin_convertvector(kept >> 16, unaligned_halves);
}

/// Asks for the line of memory at an address that will be read soon; any address will do.
MAQUETTE_INLINE void prefetch(const void* address) { __builtin_prefetch(address); }

/// Four floats on every processor: a point or a matrix's column with a lane to spare.
typedef float quad __attribute__((vector_size(4 * sizeof(float))));
typedef float unaligned_quad
    __attribute__((vector_size(4 * sizeof(float)), aligned(alignof(float)), may_alias));

MAQUETTE_INLINE quad load_quad(const float* from) {
  return *reinterpret_cast<const unaligned_quad*>(from);
}
MAQUETTE_INLINE void store_quad(float* to, quad value) {
  *reinterpret_cast<unaligned_quad*>(to) = value;
}
MAQUETTE_INLINE quad broadcast_quad(float value) { return value - quad{}; }

/// As many 32-bit integers as a vector has floats, and as many bytes.
typedef std::int32_t integers __attribute__((vector_size(width * sizeof(std::int32_t))));
typedef std::int32_t unaligned_integers
    __attribute__((vector_size(width * sizeof(std::int32_t)), aligned(4), may_alias));
typedef std::int8_t bytes __attribute__((vector_size(width)));

MAQUETTE_INLINE void store(std::int32_t* to, integers value) {
  *reinterpret_cast<unaligned_integers*>(to) = value;
}

/// 0, 1, 2 and so on: the lanes' own numbers.
MAQUETTE_INLINE integers lane_numbers() {
  integers numbers{};
  for (int i = 0; i < width; ++i) numbers[i] = i;
  return numbers;
}

/// -1 in the lanes that are not negative, 0 in the others.
MAQUETTE_INLINE bytes not_negative(integers value) {
  return __builtin_convertvector(value >= 0, bytes);
}

#else
#define MAQUETTE_INLINE inline
#define MAQUETTE_NOINLINE

inline constexpr int width = 1;
using vector = float;

MAQUETTE_INLINE vector load(const float* from) { return *from; }
MAQUETTE_INLINE void store(float* to, vector value) { *to = value; }
MAQUETTE_INLINE vector broadcast(float value) { return value; }
MAQUETTE_INLINE vector load_lower_halves(const std::uint32_t* from) {
  return std::bit_cast<float>(*from << 16);
}
MAQUETTE_INLINE vector load_upper_halves(const std::uint32_t* from) {
  return std::bit_cast<float>(*from & 0xFFFF0000U);
}
MAQUETTE_INLINE void prefetch(const void*) {}

using pairs = std::uint32_t;

MAQUETTE_INLINE pairs load_pairs(const std::uint32_t* from) { return *from; }
MAQUETTE_INLINE pairs broadcast_pair(std::uint32_t value) { return value; }
MAQUETTE_INLINE vector add_products(vector sum, pairs a, pairs b) {
  sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
  return sum + std::bit_cast<float>(a & 0xFFFF0000U) * std::bit_cast<float>(b & 0xFFFF0000U);
}
MAQUETTE_INLINE void store_rounded(void* to, vector value) {
  const bfloat16 rounded(value);
  std::memcpy(to, &rounded.bits, sizeof rounded.bits);
}

struct quad {
  float lanes[4]{};

  float operator[](int i) const { return lanes[i]; }
  quad& operator+=(const quad& b) {
    for (int i = 0; i < 4; ++i) lanes[i] += b.lanes[i];
    return *this;
  }
  friend quad operator+(quad a, const quad& b) { return a += b; }
  friend quad operator*(quad a, const quad& b) {
    for (int i = 0; i < 4; ++i) a.lanes[i] *= b.lanes[i];
    return a;
  }
};

MAQUETTE_INLINE quad load_quad(const float* from) { return {{from[0], from[1], from[2], from[3]}}; }
MAQUETTE_INLINE void store_quad(float* to, const quad& value) {
  for (int i = 0; i < 4; ++i) to[i] = value[i];
}
MAQUETTE_INLINE quad broadcast_quad(float value) { return {{value, value, value, value}}; }

using integers = std::int32_t;
using bytes = std::int8_t;

MAQUETTE_INLINE void store(std::int32_t* to, integers value) { *to = value; }

MAQUETTE_INLINE integers lane_numbers() { return 0; }
MAQUETTE_INLINE bytes not_negative(integers value) { return value >= 0 ? -1 : 0; }

#endif

/// Asks for a run of so many floats.
MAQUETTE_INLINE void prefetch_run(const float* from, int count) {
  for (int i = 0; i < count; i += width) prefetch(from + i);
}

/// Asks for a run of so many bytes.
MAQUETTE_INLINE void prefetch_bytes(const void* from, std::size_t count) {
  constexpr std::size_t cache_line = 64;
  const char* const first = static_cast<const char*>(from);
  for (std::size_t i = 0; i < count; i += cache_line) prefetch(first + i);
}

/// How many vectors the processor's registers hold.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif

/// max(value, 0) lane by lane; NaN stays NaN.
MAQUETTE_INLINE vector relu(vector value) {
  const vector zero{};
  return value < zero ? zero : value;
}

/// The larger lane by lane; NaN if either is.
MAQUETTE_INLINE vector maximum(vector a, vector b) {
  const vector larger = a < b ? b : a;
  return b != b ? b : larger;
}

}  // namespace maquette::simd
