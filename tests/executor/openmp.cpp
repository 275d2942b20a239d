#include "maquette/interop/openmp.hpp"

#include "support/pool_checks.hpp"

using namespace maquette;

TEST_CASE("OpenMP's threads do the work of an executor, any number of them") {
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    interop::openmp_pool pool(threads);
    pool_checks::check(pool);
  }
  const interop::openmp_pool constant(2);
  std::atomic<int> calls = 0;
  executor(constant).for_each(5, [&](std::size_t) { ++calls; });
  CHECK(calls == 5);
  interop::openmp_pool as_many_as_openmp_takes;
  pool_checks::visits_each_index_once(as_many_as_openmp_takes);
}

TEST_CASE("within a parallel region of the program's own each thread works alone") {
  interop::openmp_pool pool(3);
  std::atomic<int> right = 0;
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < 4; ++i)
    if (pool_checks::visits(pool, 300) == std::vector<int>(300, 1)) ++right;
  CHECK(right == 4);
}

TEST_CASE("OpenMP's threads are really used") {
  std::atomic<int> inside = 0;
  interop::openmp_pool pool(2);
  const auto wait_for_both = [&](std::size_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
  };
  pool.for_each(2, task(wait_for_both));
  CHECK(inside == 2);
}
