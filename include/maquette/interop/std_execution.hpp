// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <execution>
#include <numeric>
#ifndef __cpp_lib_execution
#error "maquette/interop/std_execution.hpp needs a standard library with parallel algorithms"
#endif

#include "maquette/core/executor.hpp"

namespace maquette::interop {

/// A `ThreadPool` on the threads of the standard library's parallel algorithms:
/// `std_execution_pool pool; cpu backend{pool};`. Calls may nest and come from several threads.
///
/// libstdc++ runs these algorithms on TBB: link with it (`TBB::tbb`, -ltbb), and limit the threads
/// by its `global_control` or `task_arena`. Where TBB's headers are missing, libstdc++ stays on the
/// calling thread.
class std_execution_pool {
 public:
  void for_each(std::size_t count, const task& work) const {
    const auto last = first_indices.begin() + std::min(count, first_indices.size());
    std::for_each(std::execution::par, first_indices.begin(), last, [&](std::size_t index) {
      for (; index < count; index += first_indices.size()) work(index);
    });
  }

 private:
  /// The algorithm needs indices that lie in memory: each of these stands for every 256th from it
  /// on.
  static constexpr std::array<std::size_t, 256> first_indices = [] {
    std::array<std::size_t, 256> indices{};
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    return indices;
  }();
};

}  // namespace maquette::interop
