// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "maquette/core/executor.hpp"

/// A small pool for maquette's kernels: the calling thread and `threads - 1` others share the
/// indices of a loop. Each begins with the same part of every loop, whose data are still in its
/// cache from the last one, and then helps the others. Waiting threads spin for a moment, since the
/// next kernel follows soon, then sleep.
class thread_pool {
 public:
  explicit thread_pool(unsigned threads) : shares_(threads > 1 ? threads : 1) {
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
    work_ = &work;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      shares_[i].next = count * i / shares_.size();
      shares_[i].end = count * (i + 1) / shares_.size();
    }
    busy_ = workers_.size();
    start();
    take_part(0);
    for (std::size_t left = busy_.load(); left != 0; left = busy_.load()) wait(busy_, left);
  }

 private:
  struct alignas(64) share {
    std::atomic<std::size_t> next = 0;
    std::size_t end = 0;
  };

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

  /// The own share first: what this thread wrote in the last loop is still in its cache.
  void take_part(std::size_t self) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      share& from = shares_[(self + i) % shares_.size()];
      for (std::size_t index = from.next++; index < from.end; index = from.next++) (*work_)(index);
    }
  }

  void serve(std::size_t self) {
    for (unsigned seen = 0; !stopping_;) {
      wait(round_, seen);
      ++seen;
      if (stopping_) return;
      take_part(self);
      if (--busy_ == 0) busy_.notify_one();
    }
  }

  const maquette::task* work_ = nullptr;
  std::vector<share> shares_;
  alignas(64) std::atomic<unsigned> round_ = 0;
  alignas(64) std::atomic<std::size_t> busy_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};
