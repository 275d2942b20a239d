// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "estimator/allocations.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/model/human2d.hpp"
#include "support/convolution.hpp"

/// What every adapter of the library's executor promises, for tests with different pools.
namespace pool_checks {

using namespace maquette;
using synthetic::floats;

/// How often each index below `count` is visited.
template <class Pool>
std::vector<int> visits(Pool& pool, std::size_t count) {
  std::vector<std::atomic<int>> visited(count);
  const auto visit = [&](std::size_t index) { ++visited[index]; };
  pool.for_each(count, task(visit));
  return {visited.begin(), visited.end()};
}

/// Each index once: no work, less than there are threads, and more than anyone holds at once.
template <class Pool>
void visits_each_index_once(Pool& pool) {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 255U, 256U, 257U, 1000U})
    CHECK(visits(pool, count) == std::vector<int>(count, 1));
}

/// A task may share out work of its own on the same pool.
template <class Pool>
void nests(Pool& pool) {
  constexpr std::size_t inner_count = 40;
  std::vector<std::atomic<int>> visited(30 * inner_count);
  const auto outer = [&](std::size_t row) {
    const auto inner = [&](std::size_t column) { ++visited[row * inner_count + column]; };
    pool.for_each(inner_count, task(inner));
  };
  pool.for_each(visited.size() / inner_count, task(outer));
  CHECK(std::all_of(visited.begin(), visited.end(), [](int count) { return count == 1; }));
}

/// Two of the program's threads may use one pool at a time.
template <class Pool>
void serves_two_at_a_time(Pool& pool) {
  std::vector<int> beside;
  std::thread other([&] { beside = visits(pool, 700); });
  const std::vector<int> here = visits(pool, 500);
  other.join();
  CHECK(here == std::vector<int>(500, 1));
  CHECK(beside == std::vector<int>(700, 1));
}

/// The bits of convolutions are those of one thread: by Winograd's algorithm, directly, and with
/// less work than there are threads.
template <class Pool>
void keeps_a_convolutions_bits(Pool& pool) {
  using kernel::conv2d_geometry;
  constexpr kernel::extent2 three{3, 3};
  for (const conv2d_geometry& g : {conv2d_geometry{32, 33, 20, 14, three, {1, 1}, {1, 1}},
                                   conv2d_geometry{16, 70, 9, 11, three, {2, 2}, {1, 1}},
                                   conv2d_geometry{40, 130, 17, 9}, conv2d_geometry{20, 10}}) {
    const synthetic::convolution one{g, false, true, true};
    CHECK(one.found(cpu{pool}) == one.found(cpu{}));
  }
}

using small_human2d = human2d<16, 16, 1, 1, 64>;

struct small_results {
  floats heatmaps = floats(small_human2d::heatmaps_shape::size);
  floats silhouette = floats(small_human2d::silhouette_shape::size);

  void run(const nn::bound<small_human2d>& network, const context<cpu>& on, const floats& picture) {
    network(on, small_human2d::picture_type{std::span(picture)},
            view<float, small_human2d::heatmaps_shape>{std::span(heatmaps)},
            view<float, small_human2d::silhouette_shape>{std::span(silhouette)});
  }
  bool operator==(const small_results&) const = default;
};

/// A network's bits are those of one thread, and its calls allocate nothing once the threads run.
template <class Pool>
void keeps_a_networks_bits(Pool& pool) {
  static const auto network = synthetic::network<small_human2d>("human2d.");
  const floats picture = synthetic::uniform("picture", small_human2d::picture_type::size);
  workspace memory(small_human2d::workspace_bytes);
  small_results alone;
  alone.run(network, {{}, memory.scratch()}, picture);
  small_results together;
  const context<cpu> on{{pool}, memory.scratch()};
  together.run(network, on, picture);
  CHECK(together == alone);
  const std::size_t before = allocation_count();
  together.run(network, on, picture);
  CHECK(allocation_count() == before);
}

template <class Pool>
void check(Pool& pool) {
  visits_each_index_once(pool);
  nests(pool);
  serves_two_at_a_time(pool);
  keeps_a_convolutions_bits(pool);
  keeps_a_networks_bits(pool);
}

}  // namespace pool_checks
