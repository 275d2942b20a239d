// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <ctime>
#include <vector>

#include "maquette/core/buffer.hpp"
#include "maquette/core/simd.hpp"

/// What one core can do at most, measured: each function's result is in units a second.
namespace roofline {

using namespace maquette;

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Processor time of this thread: what others do on the core in between does not count.
inline double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Seconds a call, over calls enough to take so long, behind one that brings its memory near.
template <class Call>
double seconds_a_call(double at_least, const Call& call) {
  call();
  for (double calls = 1;; calls *= 2) {
    const double begin = processor_seconds();
    for (double i = 0; i < calls; ++i) call();
    const double passed = processor_seconds() - begin;
    if (passed >= at_least) return passed / calls;
  }
}

/// Keeps a value from being computed beforehand or left out.
template <class T>
MAQUETTE_INLINE void keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

/// Independent sums: more than the latency of an addition needs, as many as registers hold.
inline constexpr int chains = simd::registers >= 32 ? 24 : 12;
inline constexpr int steps = 512;

/// sum = step(sum, a, b) in all chains at once; floating-point operations a second.
template <class Factor, class Step>
double operations(double at_least, int operations_a_lane, const Step& step) {
  Factor a{};
  Factor b{};
  simd::vector sum[chains] = {};
  keep(a);
  keep(b);
  keep(sum);
  const double seconds = seconds_a_call(at_least, [&] {
    simd::vector in_registers[chains];
#pragma GCC unroll 24
    for (int chain = 0; chain < chains; ++chain) in_registers[chain] = sum[chain];
    for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 24
      for (int chain = 0; chain < chains; ++chain)
        in_registers[chain] = step(in_registers[chain], a, b);
    }
#pragma GCC unroll 24
    for (int chain = 0; chain < chains; ++chain) sum[chain] = in_registers[chain];
    keep(sum);
  });
  return operations_a_lane * simd::width * double{steps} * chains / seconds;
}

/// Multiplications and additions of float.
inline double float_operations(double at_least) {
  return operations<simd::vector>(
      at_least, 2, [](simd::vector sum, simd::vector a, simd::vector b) { return sum * a + b; });
}

/// Those of bfloat16 that are summed in float.
inline double bfloat16_operations(double at_least) {
  return operations<simd::words>(at_least, 4, [](simd::vector sum, simd::words a, simd::words b) {
    return simd::add_products(sum, a, b);
  });
}

/// Floats that begin at a multiple of 64 bytes, as a network's do: a vector across two lines of the
/// cache takes twice the time.
class aligned_floats {
 public:
  aligned_floats() = default;
  explicit aligned_floats(std::size_t size) : size_(size), memory_(size * sizeof(float)) {}

  float* data() const { return reinterpret_cast<float*>(memory_.bytes().data()); }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
  buffer memory_{};
};

/// Bytes a second of memory that is read again and again, from where its size puts it.
inline double streamed_bytes(double at_least, const aligned_floats& memory) {
  constexpr std::size_t a_turn = 8 * simd::width;
  const std::size_t whole = memory.size() / a_turn * a_turn;
  const std::size_t passes = 1 + (1 << 16) / (whole + 1);
  const double seconds = seconds_a_call(at_least, [&] {
    simd::vector sum[8] = {};
    for (std::size_t pass = 0; pass < passes; ++pass) {
      for (std::size_t i = 0; i < whole; i += a_turn) {
#pragma GCC unroll 8
        for (int chain = 0; chain < 8; ++chain)
          sum[chain] += simd::load(memory.data() + i + chain * simd::width);
      }
    }
    // One value, not the array: that would be written on every turn.
    for (int chain = 1; chain < 8; ++chain) sum[0] += sum[chain];
    simd::vector total = sum[0];
    keep(total);
  });
  return static_cast<double>(passes * whole * sizeof(float)) / seconds;
}

/// What fits into the first-level cache.
inline const aligned_floats& small_memory() {
  static const aligned_floats memory(1 << 12);
  return memory;
}

/// Vectors a second that are loaded from the first-level cache.
inline double loaded_vectors(double at_least) {
  return streamed_bytes(at_least, small_memory()) / sizeof(simd::vector);
}

/// Vectors a second that are stored into it.
inline double stored_vectors(double at_least) {
  constexpr int passes = 16;
  float* const to = small_memory().data();
  const std::size_t size = small_memory().size();
  simd::vector value{};
  keep(value);
  const double seconds = seconds_a_call(at_least, [&] {
    for (int pass = 0; pass < passes; ++pass) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < size; i += simd::width) simd::store(to + i, value);
      asm volatile("" : : : "memory");
    }
  });
  return static_cast<double>(size) * passes / simd::width / seconds;
}

}  // namespace roofline
