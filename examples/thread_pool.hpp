// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "maquette/core/executor.hpp"

/// A small pool for maquette's kernels: the calling thread and `threads - 1` others share the
/// indices of a loop. Waiting threads spin for a moment, since the next kernel follows soon, then
/// sleep.
class thread_pool {
 public:
  explicit thread_pool(unsigned threads) {
    for (unsigned i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stopping_ = true;
    start();
    for (std::thread& worker : workers_) worker.join();
  }

  void for_each(std::size_t count, const maquette::task& work) {
    work_ = &work;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    start();
    take_part();
    for (std::size_t left = busy_.load(); left != 0; left = busy_.load()) wait(busy_, left);
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

  void take_part() {
    for (std::size_t index = next_++; index < count_; index = next_++) (*work_)(index);
  }

  void serve() {
    for (unsigned seen = 0; !stopping_;) {
      wait(round_, seen);
      ++seen;
      if (stopping_) return;
      take_part();
      if (--busy_ == 0) busy_.notify_one();
    }
  }

  const maquette::task* work_ = nullptr;
  std::size_t count_ = 0;
  alignas(64) std::atomic<std::size_t> next_ = 0;
  alignas(64) std::atomic<unsigned> round_ = 0;
  alignas(64) std::atomic<std::size_t> busy_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};
