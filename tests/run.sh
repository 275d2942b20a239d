#!/usr/bin/env bash
# Sets up, builds and runs every test. Needs nothing but a Debian 12 machine and this folder.
#   tests/run.sh            everything: the format, GCC, Clang, sanitizers, headers, consumers, the main program
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

build_and_test() { # preset
  step "$1: build"
  cmake --preset "$1" >"build-$1.log" 2>&1 || { cat "build-$1.log"; exit 1; }
  cmake --build --preset "$1" -j "$jobs" >>"build-$1.log" 2>&1 || { tail -n 60 "build-$1.log"; exit 1; }
  step "$1: tests"
  ctest --test-dir "$2" --output-on-failure -j "$jobs"
}

if [ "${1:-}" != quick ]; then
  step "format"
  install_dependencies clang-format
  find include examples bench tests weights/recipes \( -name '*.hpp' -o -name '*.cpp' \) -print0 |
    xargs -0 clang-format --dry-run -Werror
fi
build_and_test strict-gcc build-gcc
if [ "${1:-}" != quick ]; then
  build_and_test strict-clang build-clang
  build_and_test sanitize build-sanitize
fi
step "all tests passed"
