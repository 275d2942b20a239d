// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdio>
#include <cstdlib>

namespace maquette {

/// Prints the broken condition and its place, then aborts: what MAQUETTE_ASSERT does unless a
/// program defines that macro itself before it includes maquette.
[[noreturn]] inline void assertion_failed(const char* condition, const char* message,
                                          const char* file, int line) {
  std::fprintf(stderr, "maquette: %s:%d: %s (%s is false)\n", file, line, message, condition);
  std::abort();
}

}  // namespace maquette

/// Guards against misuse by the calling program, never against bad files: those are `result<T>`.
#if !defined(MAQUETTE_ASSERT)
#if defined(NDEBUG)
#define MAQUETTE_ASSERT(condition, message) static_cast<void>(0)
#else
#define MAQUETTE_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0)       \
               : ::maquette::assertion_failed(#condition, message, __FILE__, __LINE__))
#endif
#endif
