#!/usr/bin/env bash
# From the data to everything in weights/: body, pictures, three trained networks, one file.
#   weights/recipes/make_all.sh [--data DIR] [--pool DIR] [--pictures N] [--minutes M]
# --minutes is the time of Human2D's three trainings together; every step resumes where it stopped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$root/../shared/data
pool=$here/.cache/pool
pictures=30000
minutes=240
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2 ;;
    --pool) pool=$2 ;;
    --pictures) pictures=$2 ;;
    --minutes) minutes=$2 ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ -d "$data/makehuman" ] || { echo "make_all.sh: $data: makehuman/, mocap/ and backgrounds/ were expected there" >&2; exit 1; }

"$here/setup.sh"
python=$root/.venv/bin/python
[ -f "$root/weights/body.npz" ] && [ -f "$here/.cache/body_highres.npz" ] || "$python" "$here/build_body.py" --data "$data"
"$python" "$here/photographer/generate.py" --data "$data" --split validation --count 1000 --seed 1 --out "$pool/validation"
"$python" "$here/photographer/generate.py" --data "$data" --split validation --count 1000 --seed 2 --out "$pool/calibration"
"$python" "$here/photographer/generate.py" --data "$data" --split train --count "$pictures" --seed 0 --out "$pool/train"
"$python" "$here/photographer/generate.py" --data "$data" --split train --count $((pictures / 8)) --seed 3 --far --out "$pool/far"
"$python" "$here/photographer/generate.py" --data "$data" --split train --count $((pictures / 8)) --seed 4 --empty --out "$pool/empty"
size=(--features 96 --modules 1 --deep-modules 2)  # what maquette::estimator reads
pools=(--pool "$pool/train" "$pool/far" "$pool/empty" --validation "$pool/validation")
# Small pictures first: a step costs with the square of their side, and the network is fully convolutional.
"$python" "$here/train_human2d.py" "${size[@]}" "${pools[@]}" --size 128 --minutes $((minutes / 3))
"$python" "$here/train_human2d.py" "${size[@]}" "${pools[@]}" --size 192 --rate 9e-4 --minutes $((minutes / 3)) \
  --from "$here/runs/human2d-128/checkpoint.pt"
"$python" "$here/train_human2d.py" "${size[@]}" "${pools[@]}" --size 256 --batch 16 --rate 5e-4 --minutes $((minutes / 3)) \
  --from "$here/runs/human2d-192/checkpoint.pt"
# The priors learn from what this Human2D sees.
for part in train validation calibration; do "$python" "$here/observe.py" --pool "$pool/$part"; done
"$python" "$here/train_pose_prior.py" --data "$data" --observed "$pool/train" --validation "$pool/validation"
"$python" "$here/train_shape_prior.py" --pool "$pool/train" --validation "$pool/validation" --minutes 25
"$python" "$here/export.py" --data "$data" --validation "$pool/validation" --calibration "$pool/calibration"
"$root/bench/accuracy/run.sh" --data "$data" --pool "$pool/validation"
