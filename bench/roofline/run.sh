#!/usr/bin/env bash
# Measures each kernel against what one core can do at most and rewrites the roofline section of docs/performance.md:
#   bench/roofline/run.sh [--rounds N] [--core C] [--print]
# --rounds are 31 if not said; the core is the last one; --print leaves the page as it is. About half a second a round.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=31
core=$(($(nproc) - 1))
only_print=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --core) core=$2; shift 2 ;;
    --print) only_print=yes; shift ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
  esac
done

# shellcheck source=../../cmake/install_dependencies.sh
. "$root/cmake/install_dependencies.sh"
install_dependencies build-essential cmake ninja-build zlib1g-dev libstb-dev libeigen3-dev libbenchmark-dev \
  libcli11-dev nlohmann-json3-dev libxtensor-dev doctest-dev libtinygltf-dev
(cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release --target roofline) >&2
table=$(mktemp)
page=$(mktemp)
trap 'rm -f "$table" "$page"' EXIT
taskset -c "$core" "$root/build/bench/roofline" "$rounds" >"$table"
if [ -n "$only_print" ]; then
  cat "$table"
  exit
fi
awk -v table="$table" '
  /^<!-- roofline -->$/ { print; while ((getline line < table) > 0) print line; inside = 1; found = 1 }
  /^<!-- \/roofline -->$/ { inside = 0 }
  !inside { if ($0 != "<!-- roofline -->") print }
  END { if (!found) exit 1 }' "$root/docs/performance.md" >"$page" ||
  { echo "run.sh: docs/performance.md has no roofline section" >&2; exit 1; }
cat "$page" >"$root/docs/performance.md"
echo "docs/performance.md: the roofline of $rounds rounds on core $core"
