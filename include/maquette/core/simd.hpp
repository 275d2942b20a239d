// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "maquette/core/bfloat16.hpp"

/// Vectors of float as wide as the compiler's flags allow; one lane where the compiler has no
/// vector extension or MAQUETTE_SCALAR is defined.
///
/// The value type is aligned and only loads and stores go through an unaligned type: an unaligned
/// value type makes GCC spill accumulators (measured: 4.4 times slower).
namespace maquette::simd {

#if defined(__GNUC__) && !defined(MAQUETTE_SCALAR)
#define MAQUETTE_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define MAQUETTE_NOINLINE __attribute__((noinline))
#else
#define MAQUETTE_NOINLINE __attribute__((noinline, noclone))
#endif

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

/// As many words as a vector has floats: pairs of bfloat16, the first in the lower half, or four
/// bytes, the first in the lowest eight bits.
typedef std::uint32_t words __attribute__((vector_size(width * sizeof(float))));
typedef std::uint16_t unaligned_halves
    __attribute__((vector_size(width * sizeof(std::uint16_t)), aligned(2), may_alias));

MAQUETTE_INLINE words load_words(const std::uint32_t* from) {
  return *reinterpret_cast<const unaligned_words*>(from);
}
MAQUETTE_INLINE words broadcast_word(std::uint32_t value) { return value - words{}; }
/// sum + a.first * b.first + a.second * b.second lane by lane.
MAQUETTE_INLINE vector add_products(vector sum, words a, words b) {
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
/// Whether `add_product_below` may save time: it does where vectors of 512 bits go through units of
/// 256, and costs nothing elsewhere.
#if defined(__AVX512F__)
inline constexpr bool halves_pay = true;
#else
inline constexpr bool halves_pay = false;
#endif
/// sum + a * b in the lower half of the lanes; the upper half is worth nothing.
MAQUETTE_INLINE vector add_product_below(vector sum, vector a, vector b) {
#if defined(__AVX512F__)
  // %t names a register's lower half; writing to it clears the upper one.
  asm("vfmadd231ps %t2, %t1, %t0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return sum + a * b;
#endif
}
/// The same of `add_products`.
MAQUETTE_INLINE vector add_products_below(vector sum, words a, words b) {
#if defined(__AVX512BF16__)
  asm("vdpbf16ps %t2, %t1, %t0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return add_products(sum, a, b);
#endif
}
/// Writes a vector as so many bfloat16, each the nearest one; NaN stays NaN.
MAQUETTE_INLINE void store_rounded(void* to, vector value) {
#if defined(__AVX512BF16__)
  unaligned_halves rounded;
  asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(value));
  *static_cast<unaligned_halves*>(to) = rounded;
#else
  const auto whole = reinterpret_cast<words>(value);
  const words rounded = whole + 0x7FFFU + ((whole >> 16) & 1U);
  const words kept = value == value ? rounded : whole | 0x400000U;
  *static_cast<unaligned_halves*>(to) = __builtin_convertvector(kept >> 16, unaligned_halves);
#endif
}

/// Half a vector.
typedef float half __attribute__((vector_size(width / 2 * sizeof(float))));
typedef float unaligned_half
    __attribute__((vector_size(width / 2 * sizeof(float)), aligned(alignof(float)), may_alias));

MAQUETTE_INLINE half load_half(const float* from) {
  return *reinterpret_cast<const unaligned_half*>(from);
}
MAQUETTE_INLINE void store_half(float* to, half value) {
  *reinterpret_cast<unaligned_half*>(to) = value;
}
MAQUETTE_INLINE half lower_half(vector value) {
  return [&]<std::size_t... Lane>(std::index_sequence<Lane...>) {
    return __builtin_shufflevector(value, value, static_cast<int>(Lane)...);
  }
  (std::make_index_sequence<width / 2>{});
}

/// Asks for the line of memory at an address that will be read soon; any address will do. It comes
/// to the second-level cache: the first has no room beside a block and a panel.
MAQUETTE_INLINE void prefetch(const void* address) { __builtin_prefetch(address, 0, 2); }

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

typedef std::uint8_t unaligned_bytes __attribute__((vector_size(width), aligned(1), may_alias));

/// sum + the four products of a's bytes, of 0 to 255, with b's, of -128 to 127, lane by lane.
MAQUETTE_INLINE integers add_byte_products(integers sum, words a, words b) {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  // Not an intrinsic, for its header's sake.
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#elif defined(__AVXVNNI__)
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  return sum;
#else
  for (int byte = 0; byte < 4; ++byte)
    sum += reinterpret_cast<integers>(a << (24 - 8 * byte) >> 24) *
           (reinterpret_cast<integers>(b << (24 - 8 * byte)) >> 24);
  return sum;
#endif
}
MAQUETTE_INLINE vector to_float(integers value) { return __builtin_convertvector(value, vector); }
MAQUETTE_INLINE integers bits_of(vector value) { return reinterpret_cast<integers>(value); }
MAQUETTE_INLINE words as_words(integers value) { return reinterpret_cast<words>(value); }
MAQUETTE_INLINE integers broadcast_integer(std::int32_t value) { return value - integers{}; }
/// Writes the lowest eight bits of each lane.
MAQUETTE_INLINE void store_lowest_bytes(void* to, integers value) {
  // By halves: GCC 12 goes straight to bytes lane by lane, six times as slowly.
  const auto halves = __builtin_convertvector(as_words(value), unaligned_halves);
  *static_cast<unaligned_bytes*>(to) = __builtin_convertvector(halves, unaligned_bytes);
}
MAQUETTE_INLINE integers maximum(integers a, integers b) { return a > b ? a : b; }
MAQUETTE_INLINE words maximum(words a, words b) { return a > b ? a : b; }
/// The largest lane of integers or words.
template <int Distance = width / 2, class Lanes>
MAQUETTE_INLINE auto largest_lane(Lanes value) {
  if constexpr (Distance == 0) {
    return value[0];
  } else {
    const Lanes turned = [&]<std::size_t... Lane>(std::index_sequence<Lane...>) {
      return __builtin_shufflevector(value, value, (static_cast<int>(Lane) ^ Distance)...);
    }
    (std::make_index_sequence<width>{});
    return largest_lane<Distance / 2>(maximum(value, turned));
  }
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

MAQUETTE_INLINE float load_half(const float* from) { return *from; }
MAQUETTE_INLINE float lower_half(float value) { return value; }
MAQUETTE_INLINE void store_half(float* to, float value) { *to = value; }

using words = std::uint32_t;

MAQUETTE_INLINE words load_words(const std::uint32_t* from) { return *from; }
MAQUETTE_INLINE words broadcast_word(std::uint32_t value) { return value; }
MAQUETTE_INLINE vector add_products(vector sum, words a, words b) {
  sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
  return sum + std::bit_cast<float>(a & 0xFFFF0000U) * std::bit_cast<float>(b & 0xFFFF0000U);
}
inline constexpr bool halves_pay = false;
MAQUETTE_INLINE vector add_product_below(vector sum, vector a, vector b) { return sum + a * b; }
MAQUETTE_INLINE vector add_products_below(vector sum, words a, words b) {
  return add_products(sum, a, b);
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

MAQUETTE_INLINE integers add_byte_products(integers sum, words a, words b) {
  for (int byte = 0; byte < 4; ++byte)
    sum += static_cast<std::uint8_t>(a >> (8 * byte)) * static_cast<std::int8_t>(b >> (8 * byte));
  return sum;
}
MAQUETTE_INLINE vector to_float(integers value) { return static_cast<float>(value); }
MAQUETTE_INLINE integers bits_of(vector value) { return std::bit_cast<integers>(value); }
MAQUETTE_INLINE words as_words(integers value) { return static_cast<words>(value); }
MAQUETTE_INLINE integers broadcast_integer(std::int32_t value) { return value; }
MAQUETTE_INLINE void store_lowest_bytes(void* to, integers value) {
  *static_cast<std::uint8_t*>(to) = static_cast<std::uint8_t>(value);
}
MAQUETTE_INLINE integers maximum(integers a, integers b) { return a > b ? a : b; }
MAQUETTE_INLINE words maximum(words a, words b) { return a > b ? a : b; }
MAQUETTE_INLINE integers largest_lane(integers value) { return value; }
MAQUETTE_INLINE words largest_lane(words value) { return value; }

#endif

/// Asks for a run of so many floats.
MAQUETTE_INLINE void prefetch_run(const float* from, int count) {
  for (int i = 0; i < count; i += width) prefetch(from + i);
}

/// Whether `add_products` is one instruction.
#if defined(__AVX512BF16__) && !defined(MAQUETTE_SCALAR)
inline constexpr bool has_pair_products = true;
#else
inline constexpr bool has_pair_products = false;
#endif

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

/// Ends a program whose files were compiled for vectors of different widths, at its start and with
/// a sentence: the linker keeps one copy of an inline function, so that one file's would read what
/// another's packed for its own width.
inline bool must_agree(int program, int file) {
  if (program == file) return true;
  std::fprintf(stderr,
               "maquette: this program's files were compiled for vectors of %d and of %d floats; "
               "expected the same -march for all that include maquette, or maquette_dispatch\n",
               program, file);
  std::abort();
}

#if !defined(MAQUETTE_LEVEL)  // whose levels share nothing, and must not run where they do not fit
/// Of the file whose copy the linker kept; volatile, or a compiler takes it for this file's own.
inline constinit volatile int width_of_program = width;
[[maybe_unused]] static const bool widths_agree = must_agree(width_of_program, width);
#endif

}  // namespace maquette::simd
