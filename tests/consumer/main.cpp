// What a program that embeds the library does first: include it, name the types, load the weights.
#include <cstdio>
#include <maquette/maquette.hpp>

int main() {
  const auto loaded = maquette::estimator::load("no such weights", "no such body");
  if (loaded) return 1;
  std::puts(loaded.error().message.c_str());
  return loaded.error().code == maquette::errc::not_found ? 0 : 1;
}
