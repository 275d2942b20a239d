// SPDX-License-Identifier: Apache-2.0
#pragma once
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
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
///
/// Nobody waits for a thread that has not entered the loop: where other programs use the
/// processors, whoever calls does the loop alone rather than to sit until the system lets the
/// others run. For the same reason whoever calls never yields, as a thread that yields on a busy
/// processor may lose its whole turn. Tasks must not throw.
class thread_pool {
 public:
  explicit thread_pool(unsigned threads) {
    for (unsigned i = 1; i < std::min(threads, most_threads); ++i)
      workers_.emplace_back([this, i] { serve(i); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stopping_ = true;
    open();
    for (std::thread& worker : workers_) worker.join();
  }

  void for_each(std::size_t count, const maquette::task& work) noexcept {
    if (workers_.empty() || in_use_.test_and_set(std::memory_order_acquire)) {
      for (std::size_t index = 0; index < count; ++index) work(index);
      return;
    }
    work_ = &work;
    shares_.deal(count, workers_.size() + 1);
    open();
    shares_.take_part(0, work);
    close();
    in_use_.clear(std::memory_order_release);
  }

 private:
  // The gate of the loops: bit 0 says whether one is open, 11 more how many workers are inside, the
  // others how many loops there have been. While the lower twelve are 0 no worker touches `work_`
  // and `shares_`.
  static constexpr std::uint64_t is_open = 1;
  static constexpr std::uint64_t one_inside = 2;
  static constexpr std::uint64_t round = 4096;
  static constexpr unsigned most_threads = round / one_inside;

  /// Whether `done()` within the moment in which the next kernel follows.
  static bool soon(const auto& done) {
    for (int spins = 0; spins < 2000; ++spins) {
      if (done()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("isb");
#endif
    }
    return false;
  }

  void open() {
    gate_ += round + is_open;
    gate_.notify_all();
  }

  /// Lets nobody in any more and returns when nobody is inside.
  void close() {
    gate_ -= is_open;
    const auto is_empty = [this] { return gate_ % round == 0; };
    if (soon(is_empty)) return;
    std::unique_lock lock(mutex_);
    awaited_ = true;
    emptied_.wait(lock, is_empty);
    awaited_ = false;
  }

  /// Into the loop of that round, if it is still open.
  bool enter(std::uint64_t gate) {
    const std::uint64_t loop = gate / round;
    while (gate / round == loop && (gate & is_open) != 0)
      if (gate_.compare_exchange_weak(gate, gate + one_inside)) return true;
    return false;
  }

  void leave() {
    if ((gate_ -= one_inside) % round != 0 || !awaited_) return;
    // Whoever is awaiting and does not sleep yet holds the mutex.
    { const std::lock_guard lock(mutex_); }
    emptied_.notify_one();
  }

  void serve(std::size_t self) {
    std::uint64_t seen = 0;
    while (!stopping_) {
      const std::uint64_t gate = gate_;
      if (gate / round == seen) {
        if (!soon([&] { return gate_ / round != seen; })) gate_.wait(gate);
        continue;
      }
      seen = gate / round;
      if (!enter(gate)) continue;
      if (!stopping_) shares_.take_part(self, *work_);
      leave();
    }
  }

  std::atomic_flag in_use_ = ATOMIC_FLAG_INIT;
  const maquette::task* work_ = nullptr;
  maquette::loop_shares shares_;
  alignas(64) std::atomic<std::uint64_t> gate_ = 0;
  alignas(64) std::atomic<bool> awaited_ = false;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable emptied_;
  std::vector<std::thread> workers_;
};
