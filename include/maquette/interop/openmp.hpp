// SPDX-License-Identifier: Apache-2.0
#pragma once
#ifndef _OPENMP
#error "maquette/interop/openmp.hpp needs OpenMP: compile and link with -fopenmp"
#endif
#include <omp.h>

#include <cstddef>

#include "maquette/core/loop_shares.hpp"

namespace maquette::interop {

/// A `ThreadPool` on OpenMP's threads: `openmp_pool pool; cpu backend{pool};`. Several threads may
/// use one at a time; within a parallel region of the program's own a call stays on its thread,
/// unless OpenMP was asked for nested ones.
class openmp_pool {
 public:
  /// So many threads, the calling one included; by default as many as OpenMP would take.
  explicit openmp_pool(int threads = omp_get_max_threads()) : threads_(threads) {}

  void for_each(std::size_t count, const task& work) const {
    loop_shares shares;
    shares.deal(count, static_cast<std::size_t>(threads_));
    // As many threads for few indices too: some run-times end those that a smaller team leaves over
    // and start them again for the next.
#pragma omp parallel num_threads(threads_)
    shares.take_part(static_cast<std::size_t>(omp_get_thread_num()), work);
  }

 private:
  int threads_;
};

}  // namespace maquette::interop
