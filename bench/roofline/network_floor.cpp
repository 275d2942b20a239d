// SPDX-License-Identifier: Apache-2.0
// Human2D against its floor, the time that its products take at the processor's peak if every 3x3
// kernel goes by F(4x4, 3x3): network_floor THREADS [ROUNDS]. Peak and network take turns, the peak
// on as many threads at once; every figure is the median of the rounds. How far two cores are apart
// is printed too: where a host moves its processors about, networks on two threads change with it.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "../../tests/support/synthetic.hpp"
#include "ceilings.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/model/human2d_sizes.hpp"

namespace {

using namespace maquette;
using roofline::median;

constexpr double peak_seconds = 20e-3;
constexpr int calls_a_round = 3;

/// Multiplications of Human2D, a quarter of those of its 3x3 kernels: 36 of 144 a tile.
struct multiplications {
  double features;
  int modules;
  int deep_modules;

  double residual(double from, double to, double pixels) const {
    const double middle = to / 2;
    const double skip = from == to ? 0 : from * to;
    return pixels * (from * middle + 9 * middle * middle / 4 + middle * to + skip);
  }
  double residuals(int count, double side) const {
    return count * residual(features, features, side * side);
  }
  double hourglass(int order, double side) const {
    const int count = order > 2 ? modules : deep_modules;
    const double inner = order > 1 ? hourglass(order - 1, side / 2) : residuals(count, side / 2);
    return residuals(count, side) + 2 * residuals(count, side / 2) + inner;
  }
  double stem(double side) const {
    const double pixels = side * side;
    return 4 * pixels * (7 * 7 * 3 * features / 4 + residual(features / 4, features / 2, 1)) +
           residual(features / 2, features / 2, pixels) + residual(features / 2, features, pixels);
  }
  /// Both heads of every stack, and what all but the last feed back.
  double whole(int stacks, double side, double heads) const {
    return stem(side) + stacks * (hourglass(4, side) + residuals(modules, side)) +
           (2 * stacks - 1) * side * side * features * heads;
  }
};

/// Floating-point operations a second of so many threads at once.
double peak_of(thread_pool& pool, std::size_t threads) {
  std::vector<double> each(threads);
  const auto measure = [&](std::size_t i) { each[i] = roofline::float_operations(peak_seconds); };
  pool.for_each(threads, task(measure));
  return std::accumulate(each.begin(), each.end(), 0.0);
}

/// Seconds that a line of the cache takes from one thread to another and back.
double line_round_trip() {
  constexpr int trips = 20000;
  alignas(64) std::atomic<int> turn = 0;
  std::thread other([&] {
    for (int trip = 0; trip < trips; ++trip) {
      while (turn.load(std::memory_order_acquire) != 2 * trip + 1) {
      }
      turn.store(2 * trip + 2, std::memory_order_release);
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  for (int trip = 0; trip < trips; ++trip) {
    turn.store(2 * trip + 1, std::memory_order_release);
    while (turn.load(std::memory_order_acquire) != 2 * trip + 2) {
    }
  }
  const auto end = std::chrono::steady_clock::now();
  other.join();
  return std::chrono::duration<double>(end - begin).count() / trips;
}

template <class Network>
void compare(const char* name, multiplications count, unsigned threads, int rounds) {
  const auto network = synthetic::network<Network>("human2d.");
  workspace memory(Network::workspace_bytes);
  thread_pool pool(threads);
  const context<cpu> on{{pool}, memory.scratch()};
  const auto picture = synthetic::uniform("picture", Network::picture_type::size);
  std::vector<float> heatmaps(Network::heatmaps_shape::size);
  std::vector<float> silhouette(Network::silhouette_shape::size);
  const auto call = [&] {
    const auto begin = std::chrono::steady_clock::now();
    network(on, typename Network::picture_type{picture.data()},
            view<float, typename Network::heatmaps_shape>{heatmaps.data()},
            view<float, typename Network::silhouette_shape>{silhouette.data()});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::vector<double> peaks;
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    peaks.push_back(peak_of(pool, threads));
    call();
    std::vector<double> calls;
    for (int i = 0; i < calls_a_round; ++i) calls.push_back(call());
    seconds.push_back(median(calls));
  }
  constexpr int heads = Network::joints + 2;
  const double operations = 2 * count.whole(2, Network::output_size, heads);
  const double floor = operations / median(peaks);
  std::printf("| %s | %.0f | %.2f | %.1f | %.1f | %.2f |\n", name, 1e-9 * median(peaks),
              1e-9 * operations, 1e3 * floor, 1e3 * median(seconds), floor / median(seconds));
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : 0;
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 15;
  if (threads < 1 || rounds < 1) return std::fputs("network_floor THREADS [ROUNDS]\n", stderr), 1;
  std::printf(
      "| network, threads: %d | peak, GFLOP/s | GFLOP | floor, ms | ms | floor / ms |\n"
      "|---|---|---|---|---|---|\n",
      threads);
  const auto at_once = static_cast<unsigned>(threads);
  compare<compact_human2d>("96 features, 1 module, 2 where maps are small", {96, 1, 2}, at_once,
                           rounds);
  compare<human2d<16, 256, 2, 1>>("256 features, 1 module", {256, 1, 1}, at_once, rounds);
  compare<paper_human2d>("256 features, 3 modules", {256, 3, 3}, at_once, rounds);
  if (threads > 1)
    std::printf("\nA line of the cache from one core to another and back: %.0f ns\n",
                1e9 * line_round_trip());
}
