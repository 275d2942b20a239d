// One program, compiled for several processors: every level that this one has gives the same
// numbers, and without a wish the widest is taken.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "finder.hpp"

int main() {
  std::vector<float> picture(16 * 20 * 20);
  for (std::size_t i = 0; i < picture.size(); ++i)
    picture[i] = std::cos(0.3F * static_cast<float>(i));
  unsetenv("MAQUETTE_LEVEL");
  const std::string widest = make_finder()->level();

  setenv("MAQUETTE_LEVEL", "baseline", 1);
  const finder* const baseline = make_finder();
  if (baseline->level() != "baseline") return std::puts("the lowest level was not to be had"), 1;
  int wider = 0;
  for (const char* level : {"avx2", "avx512", "avx512_bf16"}) {
    setenv("MAQUETTE_LEVEL", level, 1);
    const finder* const found = make_finder();
    if (found->level() != level) continue;  // this processor has it not
    ++wider;
    if (found->lanes() < baseline->lanes()) return std::printf("%s is narrower\n", level), 1;
    for (const int kernel : {1, 3}) {
      const std::vector<float> expected = baseline->convolve(picture, 20, kernel);
      const std::vector<float> values = found->convolve(picture, 20, kernel);
      float worst = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        worst = std::max(worst, std::abs(values[i] - expected[i]));
      }
      if (!(worst < 1e-4F)) return std::printf("%s differs by %g\n", level, double{worst}), 1;
    }
    std::printf("%s: %d lanes\n", level, found->lanes());
  }
  for (const char* unknown : {"avx", "no such level", ""}) {
    setenv("MAQUETTE_LEVEL", unknown, 1);
    if (make_finder()->level() != widest)
      return std::puts("an unknown level was not left aside"), 1;
  }
  return wider > 0 || widest == "baseline" ? 0 : 1;
}
