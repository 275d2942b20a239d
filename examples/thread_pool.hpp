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
/// Nobody waits for a thread that has not begun: where other programs use the processors, whoever
/// calls does the loop alone rather than to sit until the system lets the others run. For the same
/// reason nobody yields, as a thread that yields on a busy processor may lose its whole turn.
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

  void for_each(std::size_t count, const maquette::task& work) {
    if (in_use_.test_and_set(std::memory_order_acquire)) {
      for (std::size_t index = 0; index < count; ++index) work(index);
      return;
    }
    work_ = &work;
    shares_.deal(count, workers_.size() + 1);
    open();
    shares_.take_part(0, work);
    gate_ -= is_open;
    wait(emptied_, main_sleeps_, [this] { return gate_.load() % round == 0; });
    in_use_.clear(std::memory_order_release);
  }

 private:
  // The gate of the loops: whether one is open, how many workers are inside, how many loops there
  // have been.
  static constexpr std::uint32_t is_open = 1;
  static constexpr std::uint32_t one_inside = 2;
  static constexpr std::uint32_t round = 4096;
  static constexpr unsigned most_threads = round / one_inside;

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
  }

  /// Returns when `done()`; `sleeping` counts those whom `wake` has to tell that it may be.
  template <class Done>
  void wait(std::condition_variable& changed, std::atomic<unsigned>& sleeping, const Done& done) {
    for (int spins = 0; spins < 2000; ++spins) {
      if (done()) return;
      pause();
    }
    std::unique_lock lock(mutex_);
    ++sleeping;
    changed.wait(lock, done);
    --sleeping;
  }

  void wake(std::condition_variable& changed, const std::atomic<unsigned>& sleeping) {
    if (sleeping == 0) return;
    // Whoever counts as sleeping and has not slept yet holds the mutex.
    { const std::lock_guard lock(mutex_); }
    changed.notify_all();
  }

  void open() {
    gate_ += round + is_open;
    wake(opened_, workers_sleep_);
  }

  void serve(std::size_t self) {
    std::uint32_t seen = 0;
    while (!stopping_) {
      wait(opened_, workers_sleep_, [&] { return gate_.load() / round != seen; });
      std::uint32_t gate = gate_.load();
      seen = gate / round;
      while ((gate & is_open) != 0 && gate / round == seen) {
        if (!gate_.compare_exchange_weak(gate, gate + one_inside)) continue;
        if (!stopping_) shares_.take_part(self, *work_);
        if (((gate_ -= one_inside) % round) == 0) wake(emptied_, main_sleeps_);
        break;
      }
    }
  }

  std::atomic_flag in_use_ = ATOMIC_FLAG_INIT;
  const maquette::task* work_ = nullptr;
  maquette::loop_shares shares_;
  alignas(64) std::atomic<std::uint32_t> gate_ = 0;
  alignas(64) std::atomic<unsigned> workers_sleep_ = 0;
  std::atomic<unsigned> main_sleeps_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable opened_;
  std::condition_variable emptied_;
  std::vector<std::thread> workers_;
};
