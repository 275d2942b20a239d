#!/usr/bin/env bash
# The main job: installs what is missing, builds, and turns photographs into bodies.
#   examples/run.sh photo.jpg         writes out/photo/
#   examples/run.sh --help            lists the options
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../cmake/install_dependencies.sh
. "$root/cmake/install_dependencies.sh"

install_dependencies build-essential cmake zlib1g-dev libstb-dev libcli11-dev nlohmann-json3-dev

build=$root/build-program  # beside build/, which the presets configure with tests and benchmarks
quietly() { # log command...
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { cat "$log" >&2; echo "run.sh: this failed: $*" >&2; exit 1; }
}
first_time=()
mkdir -p "$build"
if [ ! -f "$build/CMakeCache.txt" ]; then
  first_time=(-DCMAKE_BUILD_TYPE=Release -DMAQUETTE_BUILD_TESTS=OFF -DMAQUETTE_BUILD_BENCH=OFF)
  if command -v ninja >/dev/null; then first_time+=(-G Ninja); fi
  echo "building maquette, which takes a minute" >&2
fi
quietly "$build/configure.log" cmake -S "$root" -B "$build" "${first_time[@]}"
quietly "$build/build.log" cmake --build "$build" --parallel "$(nproc)" --target maquette_program

exec "$build/examples/maquette" "$@"
