#include "maquette/core/simd.hpp"

int width_of_second();
int width_of_second() { return maquette::simd::width; }
