#include "../../examples/thread_pool.hpp"

#include "support/pool_checks.hpp"

using namespace maquette;

TEST_CASE("the example pool does each index of a loop once, with any number of threads") {
  for (const unsigned threads : {0U, 1U, 2U, 3U, 8U, 67U}) {
    CAPTURE(threads);
    thread_pool pool(threads);
    for (int again = 0; again < 20; ++again) pool_checks::visits_each_index_once(pool);
  }
}

TEST_CASE("the example pool's threads are really used") {
  thread_pool pool(2);
  std::atomic<int> inside = 0;
  const auto wait_for_both = [&](std::size_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
  };
  pool.for_each(2, task(wait_for_both));
  CHECK(inside == 2);
}

TEST_CASE("the example pool serves several callers, and loops within loops") {
  thread_pool pool(3);
  std::atomic<std::size_t> done = 0;
  const auto count = [&](std::size_t) { ++done; };
  const auto loops = [&] {
    for (int i = 0; i < 500; ++i) pool.for_each(50, task(count));
  };
  std::thread other(loops);
  loops();
  other.join();
  CHECK(done == 2 * 500 * 50);
  const auto within = [&](std::size_t) { pool.for_each(10, task(count)); };
  pool.for_each(20, task(within));
  CHECK(done == 2 * 500 * 50 + 200);
}

#ifdef __linux__
TEST_CASE("a process held to one processor counts one") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(usable_processors() == 1);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(usable_processors() >= 1);
}
#endif
