#include "maquette/interop/std_execution.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include "support/pool_checks.hpp"

using namespace maquette;

TEST_CASE("the parallel algorithms' threads do the work of an executor, any number of them") {
  tbb::global_control more_than_cores(tbb::global_control::max_allowed_parallelism, 7);
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    tbb::task_arena arena(threads);
    arena.execute([] {
      interop::std_execution_pool pool;
      pool_checks::check(pool);
    });
  }
}

TEST_CASE("the parallel algorithms' threads are really used") {
  tbb::global_control two(tbb::global_control::max_allowed_parallelism, 2);
  tbb::task_arena arena(2);
  arena.execute([] {
    std::atomic<int> inside = 0;
    interop::std_execution_pool pool;
    const auto wait_for_both = [&](std::size_t) {
      ++inside;
      while (inside < 2) std::this_thread::yield();
    };
    pool.for_each(2, task(wait_for_both));
    CHECK(inside == 2);
  });
}
