#!/usr/bin/env bash
# Makes the Python environment of the recipes: .venv at the repository's root. Only whoever makes the
# body or trains weights needs it; the library, its tests and its programs use no Python.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v python3 >/dev/null || { echo "setup.sh: python3 (3.10 or newer) was not found" >&2; exit 1; }
[ -x "$root/.venv/bin/python" ] || python3 -m venv "$root/.venv"
"$root/.venv/bin/pip" install --quiet --upgrade pip
"$root/.venv/bin/pip" install --quiet numpy scipy pillow tqdm matplotlib safetensors torch smplx
echo "$root/.venv/bin/python is ready"
