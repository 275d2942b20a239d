#!/usr/bin/env bash
# Measures a weights file, of whatever size, on the fixed validation sets and writes docs/accuracy.md.
#   bench/accuracy/run.sh [--weights FILE] [--data DIR] [--pool DIR] [--out FILE.md]
# --data holds makehuman/, mocap/ and backgrounds/ (for the synthetic pictures) and, if real photographs shall be
# measured, lspet/ and ccp/. A quarter of an hour on one core, and half a minute to make the pictures once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
weights=$root/weights/maquette.safetensors
data=$root/../shared/data
pool=$root/weights/recipes/.cache/pool/validation
out=$root/docs/accuracy.md
while [ $# -gt 0 ]; do
  case $1 in
    --weights) weights=$2 ;;
    --data) data=$2 ;;
    --pool) pool=$2 ;;
    --out) out=$2 ;;
    *) sed -n '2,5p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ -f "$weights" ] || { echo "run.sh: $weights: no such file" >&2; exit 1; }
[ -d "$data/makehuman" ] || { echo "run.sh: $data: makehuman/, mocap/ and backgrounds/ were expected there" >&2; exit 1; }

# shellcheck source=../../cmake/install_dependencies.sh
. "$root/cmake/install_dependencies.sh"
install_dependencies build-essential cmake ninja-build zlib1g-dev libstb-dev libeigen3-dev libbenchmark-dev \
  libcli11-dev nlohmann-json3-dev libxtensor-dev doctest-dev libtinygltf-dev python3-venv
"$root/weights/recipes/setup.sh"
python=$root/.venv/bin/python
size=$("$python" - "$weights" <<'END'
import json, sys
from safetensors import safe_open
try:
    with safe_open(sys.argv[1], "pt") as file:
        size = json.loads(file.metadata()["human2d"])
    size.setdefault("deep_modules", size["modules"])
    print(", ".join(str(int(size[name])) for name in ("joints", "features", "stacks", "modules", "deep_modules")))
except Exception as problem:
    sys.exit(f"run.sh: {sys.argv[1]}: expected a weights file that says its Human2D's size ({problem!r})")
END
)
(cd "$root" && cmake --preset release -DMAQUETTE_PHOTOS_ARCHITECTURE="$size" >/dev/null && cmake --build --preset release --target estimate_photos)
"$python" "$root/weights/recipes/photographer/generate.py" --data "$data" --split validation --count 1000 --seed 1 \
  --out "$pool"
"$python" "$here/test_measures.py"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" "$here/report.py" --program "$root/build/bench/estimate_photos" --weights "$weights" \
  --body "$root/weights/body.npz" --data "$data" --pool "$pool" --scratch "$scratch" --out "$out"
