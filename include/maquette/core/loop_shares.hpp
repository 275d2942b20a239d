// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include "maquette/core/executor.hpp"

namespace maquette {

/// The indices of a loop, dealt out to threads: for pools that serve as a `ThreadPool`.
///
/// Each thread begins with the same part of every loop, whose data are still in its cache from the
/// last one, and then helps the others.
class loop_shares {
 public:
  /// Starts a loop over `count` indices; no thread may be at work on the last one.
  void deal(std::size_t count, std::size_t threads) {
    parts_ = std::clamp<std::size_t>(threads, 1, shares_.size());
    for (std::size_t i = 0; i < parts_; ++i) {
      shares_[i].next = count * i / parts_;
      shares_[i].end = count * (i + 1) / parts_;
    }
  }

  /// One thread's part in the loop: returns when no index is left to begin with.
  void take_part(std::size_t thread, const task& work) {
    for (std::size_t i = 0; i < parts_; ++i) {
      share& from = shares_[(thread + i) % parts_];
      for (std::size_t index = from.next++; index < from.end; index = from.next++) work(index);
    }
  }

 private:
  /// On a cache line of its own.
  struct alignas(64) share {
    std::atomic<std::size_t> next = 0;
    std::size_t end = 0;
  };

  /// More threads than these begin where others do.
  std::array<share, 64> shares_;
  std::size_t parts_ = 1;
};

}  // namespace maquette
