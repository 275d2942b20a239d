#include "maquette/core/simd.hpp"

int width_of_second();

int main() { return width_of_second() == maquette::simd::width ? 0 : 1; }
