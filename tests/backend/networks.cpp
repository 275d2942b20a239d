// What a network's call promises: the same bits on any number of threads, no allocation, no more
// memory than its constant, and NaN that is not swallowed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"
#include "support/convolution.hpp"
#include "support/synthetic.hpp"

using namespace maquette;
using floats = std::vector<float>;

namespace {

std::atomic<long> allocations = 0;

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
// The allocators of C, which those of C++ go through.
extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* old, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;

void* malloc(std::size_t size) noexcept {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) noexcept {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}
#else
void* operator new(std::size_t size) {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace {

/// A picture large enough that the stem has more than one band of rows.
using compact = human2d<16, 64, 2, 1, 128>;

struct human2d_results {
  floats heatmaps = floats(compact::heatmaps_shape::size);
  floats silhouette = floats(compact::silhouette_shape::size);

  void run(const nn::bound<compact>& network, const context<cpu>& on, const floats& picture) {
    network(on, compact::picture_type{std::span(picture)},
            view<float, compact::heatmaps_shape>{std::span(heatmaps)},
            view<float, compact::silhouette_shape>{std::span(silhouette)});
  }
  bool operator==(const human2d_results&) const = default;
};

const nn::bound<compact>& network() {
  static const auto bound = synthetic::network<compact>("human2d.");
  return bound;
}

floats picture() { return synthetic::uniform("picture", compact::picture_type::size); }

}  // namespace

TEST_CASE("the counter counts") {
  const long before = allocations;
  void* memory = ::operator new(1);
  CHECK(allocations > before);
  ::operator delete(memory);
}

TEST_CASE("a network for pictures of another size is the network of that size") {
  using large = human2d<16, 64, 2, 1, 192>;
  const auto bound = synthetic::network<large>("human2d.");
  const compact borrowed = bound.network().for_pictures_of<128>();
  human2d_results expected;
  human2d_results found;
  workspace memory(large::workspace_bytes);
  const floats input = picture();
  expected.run(network(), {{}, memory.scratch()}, input);
  borrowed(context<cpu>{{}, memory.scratch()}, compact::picture_type{std::span(input)},
           view<float, compact::heatmaps_shape>{std::span(found.heatmaps)},
           view<float, compact::silhouette_shape>{std::span(found.silhouette)});
  CHECK(found == expected);
}

TEST_CASE("a network's call allocates nothing, on one thread or on two") {
  thread_pool pool(2);
  const nn::bound<compact>& bound = network();
  const floats input = picture();
  human2d_results results;
  workspace memory(compact::workspace_bytes);
  for (const executor& threads : {executor(), executor(pool)}) {
    const long before = allocations;
    results.run(bound, {{threads}, memory.scratch()}, input);
    CHECK(allocations == before);
  }
}

TEST_CASE("the priors' calls allocate nothing") {
  const auto pose = synthetic::network<pose_prior<>>("pose_prior.");
  const auto body_shape = synthetic::network<shape_prior<>>("shape_prior.");
  const floats input = synthetic::uniform("input", 64 * 64);
  floats output(pose_prior<>::pose_shape::size);
  workspace memory(std::max(pose_prior<>::workspace_bytes, shape_prior<>::workspace_bytes));
  const context<cpu> on{{}, memory.scratch()};
  const long before = allocations;
  pose(on, view<const float, pose_prior<>::input_shape>{input.data()},
       view<float, pose_prior<>::pose_shape>{output.data()});
  body_shape(on, view<const float, shape_prior<>::silhouette_shape>{input.data()},
             view<float, shape_prior<>::beta_shape>{output.data()});
  CHECK(allocations == before);
}

TEST_CASE("a network gives the same bits on 1, 2 and 3 threads, and again") {
  thread_pool two(2);
  thread_pool three(3);
  const floats input = picture();
  workspace memory(compact::workspace_bytes);
  human2d_results alone;
  alone.run(network(), {{}, memory.scratch()}, input);
  for (const executor& threads : {executor(), executor(two), executor(three)}) {
    human2d_results together;
    together.run(network(), {{threads}, memory.scratch()}, input);
    CHECK(together == alone);
  }
}

TEST_CASE("a network stays within the memory that its constant says, and uses all of it") {
  const floats input = picture();
  floats guarded(compact::workspace_bytes / sizeof(float) + 32, 12345.0F);
  const auto bytes = std::as_writable_bytes(std::span(guarded));
  arena whole(bytes);
  const std::size_t skipped = bytes.size() - whole.available();
  arena exact(bytes.subspan(skipped, compact::workspace_bytes));
  human2d_results results;
  results.run(network(), {{}, exact}, input);
  CHECK(exact.available() == compact::workspace_bytes);
  const std::size_t end = (skipped + compact::workspace_bytes) / sizeof(float);
  for (std::size_t i = end; i < guarded.size(); ++i) CHECK(guarded[i] == 12345.0F);
  // A map's tiles need not fill the last block of Winograd's algorithm, whose channels are 32.
  std::size_t last = end;
  while (last > 0 && guarded[last - 1] == 12345.0F) --last;
  CHECK(end - last < 32 * static_cast<std::size_t>(kernel::detail::winograd_block));
}

TEST_CASE("a stack says the same whether or not another follows it") {
  const auto all_stacks_of = []<int Stacks>() {
    using stacked = human2d<16, 32, Stacks, 1, 64>;
    const auto bound = synthetic::network<stacked>("human2d.");
    const floats input = synthetic::uniform("picture", stacked::picture_type::size);
    floats maps(Stacks * stacked::heatmaps_shape::size);
    std::array<typename stacked::outputs, Stacks> outputs{};
    for (std::size_t i = 0; i < outputs.size(); ++i)
      outputs[i].heatmaps.data = maps.data() + i * stacked::heatmaps_shape::size;
    workspace memory(stacked::workspace_bytes);
    bound(context<cpu>{{}, memory.scratch()}, typename stacked::picture_type{input.data()},
          outputs);
    return maps;
  };
  const floats one = all_stacks_of.operator()<1>();
  const floats two = all_stacks_of.operator()<2>();
  const floats three = all_stacks_of.operator()<3>();
  CHECK(std::equal(one.begin(), one.end(), two.begin()));
  CHECK(std::equal(two.begin(), two.end(), three.begin()));
  const auto last = three.end() - static_cast<std::ptrdiff_t>(one.size());
  CHECK(!std::equal(one.begin(), one.end(), last));
}

TEST_CASE("one NaN in the picture is seen in the results") {
  floats input = picture();
  input[input.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  workspace memory(compact::workspace_bytes);
  human2d_results results;
  results.run(network(), {{}, memory.scratch()}, input);
  const auto is_nan = [](float value) { return std::isnan(value); };
  CHECK(std::any_of(results.heatmaps.begin(), results.heatmaps.end(), is_nan));
  CHECK(std::any_of(results.silhouette.begin(), results.silhouette.end(), is_nan));
}

TEST_CASE("threads share a bound network, each with its own workspace") {
  const floats input = picture();
  human2d_results expected;
  workspace memory(compact::workspace_bytes);
  expected.run(network(), {{}, memory.scratch()}, input);
  std::vector<human2d_results> results(3);
  std::vector<std::thread> threads;
  for (human2d_results& result : results)
    threads.emplace_back([&] {
      workspace own(compact::workspace_bytes);
      result.run(network(), {{}, own.scratch()}, input);
    });
  for (std::thread& thread : threads) thread.join();
  for (const human2d_results& result : results) CHECK(result == expected);
}

TEST_CASE("a network by every arithmetic says nearly the same") {
  const auto heatmaps_of = []<arithmetic How>() {
    using network_type = human2d<16, 64, 2, 1, 64, How>;
    const auto network = synthetic::network<network_type>("human2d.");
    const floats picture = synthetic::uniform("picture", network_type::picture_type::size);
    floats heatmaps(network_type::heatmaps_shape::size);
    floats silhouette(network_type::silhouette_shape::size);
    workspace memory(network_type::workspace_bytes);
    network(context<cpu>{{}, memory.scratch()},
            typename network_type::picture_type{std::span(picture)},
            view<float, typename network_type::heatmaps_shape>{std::span(heatmaps)},
            view<float, typename network_type::silhouette_shape>{std::span(silhouette)});
    return std::pair{heatmaps, network.parameter_bytes()};
  };
  const auto [exact, bytes] = heatmaps_of.operator()<arithmetic::float32>();
  const auto [small, small_bytes] = heatmaps_of.operator()<arithmetic::float32_small>();
  const auto [coarse, coarse_bytes] = heatmaps_of.operator()<arithmetic::bfloat16>();
  const auto [coarser, coarser_bytes] = heatmaps_of.operator()<arithmetic::int8>();
  CHECK(synthetic::relative_rms(small, exact) < 1e-5);
  CHECK(synthetic::relative_rms(coarse, exact) < 2e-2);
  CHECK(synthetic::relative_rms(coarser, exact) < 4e-2);
  CHECK(small_bytes < bytes / 2);
  CHECK(coarse_bytes < bytes);
  CHECK(coarser_bytes < bytes);
}
