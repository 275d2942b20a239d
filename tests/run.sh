#!/usr/bin/env bash
# Sets up, builds and runs every test. Needs nothing but a Debian 12 machine and this folder.
#   tests/run.sh            everything: the format, GCC, Clang, sanitizers, headers, consumers, the main program, NEON
#   tests/run.sh quick      only the GCC build and its tests
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=../cmake/install_dependencies.sh
. cmake/install_dependencies.sh
jobs=$(nproc)

step() { printf '\n== %s\n' "$*"; }

install_dependencies build-essential cmake ninja-build clang zlib1g-dev libstb-dev libeigen3-dev \
  libxtensor-dev doctest-dev libbenchmark-dev libcli11-dev nlohmann-json3-dev libtinygltf-dev \
  libtbb-dev libomp-dev

build_and_test() { # name, build folder, what CMake is asked for
  step "$1: build"
  cmake "${@:3}" >"build-$1.log" 2>&1 || { cat "build-$1.log"; exit 1; }
  cmake --build "$2" -j "$jobs" >>"build-$1.log" 2>&1 || { tail -n 60 "build-$1.log"; exit 1; }
  step "$1: tests"
  ctest --test-dir "$2" --output-on-failure -j "$jobs"
}

if [ "${1:-}" != quick ]; then
  step "format"
  install_dependencies clang-format
  find include examples bench tests weights/recipes \( -name '*.hpp' -o -name '*.cpp' \) -print0 |
    xargs -0 clang-format --dry-run -Werror
fi
build_and_test strict-gcc build-gcc --preset strict-gcc
if [ "${1:-}" != quick ]; then
  build_and_test strict-clang build-clang --preset strict-clang
  build_and_test sanitize build-sanitize --preset sanitize
fi
if [ "${1:-}" != quick ] && [ "$(uname -m)" != aarch64 ]; then
  install_dependencies g++-aarch64-linux-gnu qemu-user
  build_and_test aarch64 build-aarch64 -S tests/aarch64 -B build-aarch64 -G Ninja \
    --toolchain "$root/cmake/aarch64-linux-gnu.cmake"
fi
step "all tests passed"
