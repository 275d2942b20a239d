#include "../../examples/thread_pool.hpp"

#include "support/pool_checks.hpp"

#ifdef __linux__
#include <pthread.h>

#include <chrono>
#include <csignal>
#endif

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
/// A thread that a signal stops until it is let go, as if the system gave its processor to others.
namespace held {
std::atomic<bool> stands = false;
std::atomic<bool> may_go = false;

void stand(int) {
  stands = true;
  while (!may_go) {
  }
  stands = false;
}
}  // namespace held

TEST_CASE("the example pool does not wait for a thread that does not run") {
  thread_pool pool(2);
  // Both have to come in, or neither goes on: what the other thread is, it says itself.
  const pthread_t caller = pthread_self();
  std::atomic<int> inside = 0;
  pthread_t other = caller;
  const auto introduce = [&](std::size_t) {
    if (pthread_equal(pthread_self(), caller) == 0) other = pthread_self();
    ++inside;
    while (inside < 2) std::this_thread::yield();
  };
  pool.for_each(2, task(introduce));
  REQUIRE(pthread_equal(other, caller) == 0);

  const auto before = std::signal(SIGUSR1, held::stand);
  REQUIRE(pthread_kill(other, SIGUSR1) == 0);
  while (!held::stands) std::this_thread::yield();
  // If a loop waited for it after all, the test would fail rather than hang.
  std::atomic<bool> done = false;
  std::thread patience([&] {
    for (int tenths = 0; tenths < 200 && !done; ++tenths)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    held::may_go = true;
  });
  for (int again = 0; again < 100; ++again) pool_checks::visits_each_index_once(pool);
  CHECK(held::stands);
  done = true;
  patience.join();
  while (held::stands) std::this_thread::yield();
  std::signal(SIGUSR1, before);
  pool_checks::visits_each_index_once(pool);
}

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
