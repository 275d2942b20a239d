"""Trains the paper-size Human2D on a GPU machine that is lent for minutes and starts bare.

    python weights/recipes/borrowed_gpu.py pack --out gpu_pack            here: what the machine needs, under 60 MB
    python weights/recipes/borrowed_gpu.py piece --pack gpu_pack --out OUT    there: at most nine minutes
    python weights/recipes/borrowed_gpu.py unpack OUT --run runs/human2d-paper    here: the weights, ready for export.py

`piece` draws training pictures on all processors while it trains, so only the photographer's assets travel. Called again
on the same machine it goes on exactly where it stopped. On a fresh machine it goes on from the weights that
`unpack` brought back, if they are packed again by `pack --resume runs/human2d-paper` (their running means of the
gradients start anew). The machine needs Python with torch, numpy, scipy, Pillow, tqdm and matplotlib, and a C++20 compiler;
nothing is downloaded. OUT holds files of at most 16 MB: the averaged weights in half precision, in parts, and the curves.
"""
import argparse
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import makehuman
from saving import write_whole
from training import read_checkpoint

HERE = Path(__file__).resolve().parent
LARGEST_PACK, LARGEST_PART = 60_000_000, 15_000_000
TEXTURE = 384
KEPT = ("averaged", "architecture", "step", "seconds")
PAPER = ["--features", "256", "--stacks", "2", "--modules", "3"]


def small_texture(source, target):
    """A palette of 256 colours is plenty for cloth that covers a hundred pixels."""
    picture = Image.open(source).convert("RGBA")
    picture.thumbnail((TEXTURE, TEXTURE), Image.BOX)
    if picture.getextrema()[3][0] == 255:
        picture = picture.convert("RGB").quantize(256)
    picture.save(target, optimize=True)


def small_photograph(source, target):
    picture = Image.open(source).convert("RGB")
    picture.thumbnail((320, 320))
    picture.save(target, "JPEG", quality=75)


def pack(arguments):
    data, out = Path(arguments.data), Path(arguments.out)
    high = HERE / ".cache" / "body_highres.npz"
    for needed in (data / "makehuman", data / "mocap", data / "backgrounds", high):
        if not needed.exists():
            raise SystemExit(f"{needed}: not found; setup.sh and build_body.py make the last, --data names the others' folder")
    if out.exists() and any(out.iterdir()) and not (out / "body_highres.npz").exists():
        raise SystemExit(f"{out}: holds something else; an empty folder, or an earlier pack, was expected")
    shutil.rmtree(out, ignore_errors=True)
    for kind in ("clothes", "hair", "skins"):
        for source in sorted((data / "makehuman" / kind).rglob("*")):
            target = out / "makehuman" / kind / source.relative_to(data / "makehuman" / kind)
            if source.is_dir():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix != ".png":
                shutil.copyfile(source, target)
            elif "_diffuse" in source.name or kind != "skins":
                small_texture(source, target)
    (out / "mocap").mkdir()
    for name in ("cmu_poses_smpl24.npz", "sequences.csv"):
        shutil.copyfile(data / "mocap" / name, out / "mocap" / name)
    (out / "backgrounds" / "img").mkdir(parents=True)
    shutil.copyfile(data / "backgrounds" / "hdri_sh9.csv", out / "backgrounds" / "hdri_sh9.csv")
    for source in sorted((data / "backgrounds" / "img").glob("*.jpg")):
        small_photograph(source, out / "backgrounds" / "img" / source.name)
    content = np.load(high)
    names = ("v_template", "shapedirs", "weights", "faces", "faces_uv", "uv", "rest_rotations")
    np.savez_compressed(out / "body_highres.npz", **{name: content[name] for name in names})
    if arguments.resume:
        state = read_checkpoint(Path(arguments.resume) / "checkpoint.pt", *KEPT)
        save(halved(state), out / "resume.pt")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")
    if size > LARGEST_PACK:
        raise SystemExit(f"{out}: {size / 1e6:.1f} MB, at most {LARGEST_PACK / 1e6:.0f} were expected")


def save(state, path):
    write_whole(path, lambda file: torch.save(state, file))


def halved(state):
    """The averaged weights in half precision, and how far the training had come."""
    weights = {name: value.half() if value.is_floating_point() and value.dim() > 1 else value
               for name, value in state["averaged"].items()}
    return dict(averaged=weights, research=state.get("research", False), **{name: state[name] for name in KEPT[1:]})


def restored(state):
    """A checkpoint of `Run` from what `halved` kept."""
    weights = {name: value.float() if value.is_floating_point() else value for name, value in state["averaged"].items()}
    return dict(state, averaged=weights, model={name: value.clone() for name, value in weights.items()})


def generated(split, count, seed, data, scratch, jobs):
    """Starts drawing a pool; the shards appear one by one."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "photographer" / "generate.py"), "--split", split, "--count", str(count), "--seed",
         str(seed), "--data", str(data), "--out", str(scratch / split), "--jobs", str(jobs)],
        stdout=subprocess.DEVNULL, stderr=open(scratch / f"{split}.log", "ab"), start_new_session=True)


def await_shard(folder, process, log):
    ended = False
    while not any(folder.glob("shard_*")):
        if ended:
            raise SystemExit(f"{folder}: the photographer ended without a shard: {log.read_text()[-500:]}")
        ended = process.poll() is not None
        time.sleep(1)


def piece(arguments):
    started = time.monotonic()
    packed, scratch, out = Path(arguments.pack), Path(arguments.scratch), Path(arguments.out)
    if not (packed / "body_highres.npz").exists():
        raise SystemExit(f"{packed}: no pack; make it by `borrowed_gpu.py pack --out {packed}` and carry it here")
    run = scratch / "run"
    run.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    (HERE / ".cache").mkdir(exist_ok=True)
    if not (HERE / ".cache" / "body_highres.npz").exists():
        shutil.copyfile(packed / "body_highres.npz", HERE / ".cache" / "body_highres.npz")
    if (packed / "resume.pt").exists() and not (run / "checkpoint.pt").exists():
        save(restored(read_checkpoint(packed / "resume.pt", *KEPT)), run / "checkpoint.pt")
    validation = generated("validation", arguments.validation, 1, packed, scratch, arguments.jobs)
    await_shard(scratch / "validation", validation, scratch / "validation.log")
    photographer = generated("train", arguments.pictures, arguments.seed, packed, scratch, arguments.jobs)
    try:
        await_shard(scratch / "train", photographer, scratch / "train.log")
        trainer = subprocess.Popen(
            [sys.executable, str(HERE / "train_human2d.py"), "--pool", str(scratch / "train"), "--validation",
             str(scratch / "validation"), "--out", str(run), "--size", "256", "--batch", str(arguments.batch), "--rate",
             str(arguments.rate), "--minutes", str(arguments.total), "--threads", "4", *arguments.network])
        # The training saves itself when it is asked to stop; the rest of the time is for that and for the parts.
        left = 60 * arguments.minutes - (time.monotonic() - started) - arguments.margin
        try:
            code = trainer.wait(max(1, left))
        except subprocess.TimeoutExpired:
            trainer.send_signal(signal.SIGTERM)
            trainer.wait()
            code = 0
    finally:
        if photographer.poll() is None:
            os.killpg(photographer.pid, signal.SIGTERM)
    if code != 0:
        raise SystemExit(f"{run}: the training ended with exit status {code}")
    if not (run / "checkpoint.pt").exists():
        raise SystemExit(f"{run}: the training left no checkpoint in this piece; give it more --minutes")
    buffer = io.BytesIO()
    state = read_checkpoint(run / "checkpoint.pt", *KEPT)
    torch.save(halved(state), buffer)
    content = buffer.getvalue()
    for old in out.glob("human2d.part*"):
        old.unlink()
    for number, start in enumerate(range(0, len(content), LARGEST_PART)):
        (out / f"human2d.part{number}").write_bytes(content[start:start + LARGEST_PART])
    for name in ("curves.csv", "curves.png"):
        if (run / name).exists():
            shutil.copyfile(run / name, out / name)
    print(f"{out}: {state['step']} steps, {state['seconds'] / 60:.1f} of {arguments.total} minutes, "
          f"{len(content) / 1e6:.1f} MB in {len(range(0, len(content), LARGEST_PART))} parts")


def unpack(arguments):
    parts = sorted(Path(arguments.parts).glob("human2d.part*"), key=lambda path: int(path.name[12:]))
    if not parts:
        raise SystemExit(f"{arguments.parts}: no human2d.part0 there")
    run = Path(arguments.run)
    run.mkdir(parents=True, exist_ok=True)
    joined = run / "joined.partial"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    state = read_checkpoint(joined, *KEPT)
    joined.unlink()
    save(restored(state), run / "checkpoint.pt")
    for name in ("curves.csv", "curves.png"):
        if (Path(arguments.parts) / name).exists():
            shutil.copyfile(Path(arguments.parts) / name, run / name)
    print(f"{run / 'checkpoint.pt'}: {state['architecture']}, {state['step']} steps, {state['seconds'] / 60:.1f} minutes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("pack")
    one.add_argument("--data", default=str(makehuman.default_data_folder()))
    one.add_argument("--out", default="gpu_pack")
    one.add_argument("--resume", help="run folder whose weights to go on from")
    one.set_defaults(verb=pack)
    one = verbs.add_parser("piece")
    one.add_argument("--pack", default="gpu_pack")
    one.add_argument("--out", required=True, help="empty folder for what is brought back")
    one.add_argument("--scratch", default="/tmp/borrowed_gpu", help="kept between pieces on the same machine")
    one.add_argument("--minutes", type=float, default=9, help="of this piece, all in all")
    one.add_argument("--margin", type=float, default=25, help="seconds kept for saving")
    one.add_argument("--total", type=float, default=26, help="minutes of training over all pieces: the schedule's length")
    one.add_argument("--pictures", type=int, default=200_000)
    one.add_argument("--validation", type=int, default=400)
    one.add_argument("--seed", type=int, default=100, help="of the training pictures; another on every fresh machine")
    one.add_argument("--batch", type=int, default=64)
    one.add_argument("--rate", type=float, default=1e-3)
    one.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 3))
    one.add_argument("network", nargs="*", default=PAPER, help="after `--`: options of train_human2d.py (the paper's size)")
    one.set_defaults(verb=piece)
    one = verbs.add_parser("unpack")
    one.add_argument("parts")
    one.add_argument("--run", default=str(HERE / "runs" / "human2d-paper"))
    one.set_defaults(verb=unpack)
    arguments = parser.parse_args()
    arguments.verb(arguments)


if __name__ == "__main__":
    main()
