// SPDX-License-Identifier: Apache-2.0
#pragma once
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "maquette/core/loop_shares.hpp"

/// How many processors the calling thread and those that it starts may run on: fewer than the
/// machine has where they are held to some, on which more spinning threads would be in each other's
/// way.
inline unsigned usable_processors() {
#ifdef __linux__
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0)
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&usable)));
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

/// A small pool for maquette's kernels: the calling thread and `threads - 1` others share the
/// indices of a loop. Waiting threads spin for a moment, since the next kernel follows soon, then
/// sleep. A loop that comes while another one runs, from another thread or from within, is done by
/// whoever calls it alone.
class thread_pool {
 public:
  explicit thread_pool(unsigned threads) {
    for (unsigned i = 1; i < threads; ++i) workers_.emplace_back([this, i] { serve(i); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stopping_ = true;
    start();
    for (std::thread& worker : workers_) worker.join();
  }

  void for_each(std::size_t count, const maquette::task& work) {
    if (in_use_.test_and_set(std::memory_order_acquire)) {
      for (std::size_t index = 0; index < count; ++index) work(index);
      return;
    }
    work_ = &work;
    shares_.deal(count, workers_.size() + 1);
    busy_ = workers_.size();
    start();
    shares_.take_part(0, work);
    for (std::size_t left = busy_.load(); left != 0; left = busy_.load()) wait(busy_, left);
    in_use_.clear(std::memory_order_release);
  }

 private:
  template <class T>
  static void wait(const std::atomic<T>& value, T old) {
    constexpr int spins = 4000;
    constexpr int yields = 100;
    for (int i = 0; i < spins + yields; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      if (i >= spins) std::this_thread::yield();
    }
    value.wait(old);
  }

  void start() {
    ++round_;
    round_.notify_all();
  }

  void serve(std::size_t self) {
    for (unsigned seen = 0; !stopping_;) {
      wait(round_, seen);
      ++seen;
      if (stopping_) return;
      shares_.take_part(self, *work_);
      if (--busy_ == 0) busy_.notify_one();
    }
  }

  std::atomic_flag in_use_ = ATOMIC_FLAG_INIT;
  const maquette::task* work_ = nullptr;
  maquette::loop_shares shares_;
  alignas(64) std::atomic<unsigned> round_ = 0;
  alignas(64) std::atomic<std::size_t> busy_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};
