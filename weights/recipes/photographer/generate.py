"""Makes a pool of labelled synthetic photographs.

    python weights/recipes/photographer/generate.py --split train --count 20000 --seed 0 --out pool/train [--jobs 2]

The pool is a folder of shards of 1,000 pictures; a shard appears when it is complete, so that training can start while
others are still being made, and a run that was stopped goes on where it left off. A shard holds, as .npy:

    images      [n, 256, 256, 3] uint8
    joints      [n, 16, 3] float32   MPII order: x, y in crop pixels; 2 visible, 1 hidden but inside, 0 outside
    mask        [n, 128, 128] uint8  share of each cell that shows the person with clothes and hair
    body_mask   [n, 64, 64] uint8    share of each cell that the bare body covers, also where something hides it
    theta       [n, 72] float32      pose in the crop's camera axes, which includes the root rotation
    beta        [n, 10] float32
    translation [n, 3] float32       metres, camera axes
    focal       [n] float32          crop pixels; the principal point is (128, 128)
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path

# One sample is small work: threads inside numpy would only get in each other's way.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import makehuman
from photographer import assets, native, scene

SHARD = 1000
ARRAYS = dict(images=((256, 256, 3), np.uint8), joints=((16, 3), np.float32), mask=((128, 128), np.uint8),
              body_mask=((64, 64), np.uint8), theta=((72,), np.float32), beta=((10,), np.float32),
              translation=((3,), np.float32), focal=((), np.float32))
worker = {}


def photographer():
    """Tells one state of the code that decides what a picture shows from another."""
    here = Path(__file__).resolve().parent
    sources = [here.parent / "makehuman.py", here.parent / "smpl_maths.py"]
    sources += [path for kind in ("py", "cpp", "json") for path in here.glob(f"*.{kind}")
                if path.name not in ("generate.py", "contact_sheet.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()


def stop(*_):
    raise SystemExit("stopped; the same command goes on with the shard that it was at")


def start_worker(closet, split, seed, kind):
    # The program that they work for is asked to stop, and stops them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    worker.update(closet=closet, room=native.darkroom(), split=split, seed=seed, kind=kind)


def make(index):
    return scene.sample(worker["closet"], worker["room"], worker["split"], worker["seed"], index, **worker["kind"])


def write_shard(folder, samples, count, bar):
    """Fills a shard beside its final place and renames it when it is complete."""
    partial = folder.with_name(".partial_" + folder.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # A mapped file that finds the disk full ends the program without a word.
    needed = count * sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in ARRAYS.values())
    free = shutil.disk_usage(partial).free
    if free < 1.02 * needed:
        raise SystemExit(f"{folder}: needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; the shards before it stand, and "
                         "the same command goes on from there.")
    arrays = {name: np.lib.format.open_memmap(partial / f"{name}.npy", "w+", kind, (count,) + shape)
              for name, (shape, kind) in ARRAYS.items()}
    for row in range(count):
        for name, value in next(samples).items():
            arrays[name][row] = value
        bar.update()
    for array in arrays.values():
        array.flush()
    shutil.rmtree(folder, ignore_errors=True)  # a last shard that was asked to be shorter
    partial.rename(folder)


def is_whole(folder, count):
    images = folder / "images.npy"
    return images.exists() and len(np.load(images, mmap_mode="r")) >= count


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--split", choices=assets.SPLITS, required=True)
    arguments.add_argument("--count", type=int, required=True)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--data", type=Path, default=makehuman.default_data_folder(),
                           help="folder that holds makehuman/, mocap/ and backgrounds/")
    arguments.add_argument("--body", type=Path, default=Path(__file__).resolve().parents[2] / "body.npz")
    arguments.add_argument("--far", action="store_true",
                           help="show people small or at a side, as the search for the person sees them")
    arguments.add_argument("--athletic", action="store_true", help="show the poses of sports and gymnastics")
    arguments.add_argument("--empty", action="store_true", help="show nobody: for Human2D alone, so that it knows a background")
    arguments.add_argument("--jobs", type=int, default=2)
    options = arguments.parse_args()
    for name in ("count", "jobs", "seed"):
        if getattr(options, name) < (name != "seed"):
            raise SystemExit(f"--{name} {getattr(options, name)}: at least {int(name != 'seed')} was expected")

    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, stop)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.body.exists():
        raise SystemExit(f"{options.body} is missing: run weights/recipes/build_body.py first.")
    description = dict(split=options.split, seed=options.seed,
                       body_sha256=hashlib.sha256(options.body.read_bytes()).hexdigest(), photographer=photographer())
    kind = {name: True for name in ("far", "athletic", "empty") if getattr(options, name)}
    description.update(kind)
    note = options.out / "pool.json"
    if note.exists() and json.loads(note.read_text()) != description:
        raise SystemExit(f"{options.out} holds another pool: expected {json.dumps(description)}, found "
                         f"{note.read_text().strip()}; choose another --out.")
    note.write_text(json.dumps(description) + "\n")

    closet = assets.wardrobe(options.data, options.body, options.split)
    shards = [(options.out / f"shard_{start // SHARD:05d}", range(start, min(start + SHARD, options.count)))
              for start in range(0, options.count, SHARD)]
    missing = [(folder, rows) for folder, rows in shards if not is_whole(folder, len(rows))]
    done = options.count - sum(len(rows) for _, rows in missing)
    # Forked workers share the assets; compile once before.
    native.compiled()
    with multiprocessing.get_context("fork").Pool(options.jobs, start_worker,
                                                  (closet, options.split, options.seed, kind)) as pool:
        with tqdm(total=options.count, initial=done, unit="picture") as bar:
            samples = pool.imap(make, (index for _, rows in missing for index in rows), chunksize=4)
            for folder, rows in missing:
                write_shard(folder, samples, len(rows), bar)


if __name__ == "__main__":
    main()
