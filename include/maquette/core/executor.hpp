// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>

#include "maquette/core/function_ref.hpp"

namespace maquette {

/// One piece of a kernel's work: a function of its index.
using task = function_ref<void(std::size_t)>;

/// A program's own thread pool: `for_each(count, task)` calls the task once for every index below
/// `count`, in any order and on any threads, and returns when all are done. Calls of the library
/// on several threads may share one that takes several loops at once, and else need one each.
template <class Pool>
concept ThreadPool = requires(Pool& pool, std::size_t count, const task& work) {
  pool.for_each(count, work);
};

/// Where a kernel's work is done: on the calling thread, or by a pool of the program's own, which
/// must outlive it. The library starts no threads.
class executor {
 public:
  /// Everything on the calling thread.
  executor() = default;
  /// Everything on the threads of this pool.
  template <ThreadPool Pool>
  requires(!std::same_as<Pool, executor>) executor(Pool& pool)
      : pool_(&pool), run_([](const void* p, std::size_t count, const task& work) {
          const_cast<Pool*>(static_cast<const Pool*>(p))->for_each(count, work);
        }) {}

  /// Calls `function(index)` once for every index below `count`; results must not depend on order.
  template <class Function>
  void for_each(std::size_t count, const Function& function) const {
    share(count, task(function));
  }

 private:
  // Without a pool the function is called as a task too: else every kernel is compiled twice.
  [[gnu::noinline]] void share(std::size_t count, const task& work) const {
    if (run_ != nullptr && count > 1) return run_(pool_, count, work);
    for (std::size_t index = 0; index < count; ++index) work(index);
  }

  const void* pool_ = nullptr;
  void (*run_)(const void*, std::size_t, const task&) = nullptr;
};

}  // namespace maquette
