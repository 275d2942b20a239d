#!/usr/bin/env bash
# Measures the library beside other engines and writes its section of docs/performance.md: see --help.
# A whole run takes half an hour to an hour on two idle cores; the first one also downloads some gigabytes of wheels.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python3 "$here/arguments.py" "$@"
case " $* " in *" --help "* | *" -h "*) exit 0 ;; esac

# shellcheck source=../../cmake/install_dependencies.sh
. "$root/cmake/install_dependencies.sh"
install_dependencies build-essential cmake ninja-build zlib1g-dev libstb-dev libeigen3-dev libbenchmark-dev \
  libcli11-dev nlohmann-json3-dev libxtensor-dev doctest-dev libtinygltf-dev python3-venv
(install_dependencies libosmesa6-dev) || echo "run.sh: libosmesa6-dev is missing; Mesa will be absent" >&2

# The newest wheels, or those that are there if none can be had; the driver names the peers that are absent.
python=$root/.cache/peers/venv/bin/python
[ -x "$python" ] || python3 -m venv "$root/.cache/peers/venv"
for wheel in numpy scipy matplotlib safetensors torch onnx onnxruntime openvino ncnn pnnx MNN smplx; do
  "$python" -m pip install --quiet --disable-pip-version-check --upgrade "$wheel" ||
    echo "run.sh: no newest wheel of $wheel" >&2
done

workers=(peer_worker body_worker)
[ "$(uname -m)" != x86_64 ] || workers+=(peer_worker_avx2)
[ ! -e /usr/include/GL/osmesa.h ] || workers+=(mesa_worker)
(cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release --target "${workers[@]}")
exec "$python" "$here/compare.py" "$@"
