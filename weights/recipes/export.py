"""Writes the three trained networks as one safetensors file that carries its own self-test.

    python weights/recipes/export.py --human2d runs/human2d-256 --pose-prior runs/pose_prior \\
        --shape-prior runs/shape_prior --validation POOL --calibration POOL --out weights/maquette.safetensors

Matrices and kernels are stored as float16, everything else as float32. How far off PosePrior is, which holds the fit to its
pose, is measured on training poses (`pose_error.py`); the confidence, and how far off a body is likely to be, are calibrated
on unseen pictures. The file is written
only if the networks, read back from it, give the outputs that it promises, and those of the trained float32 weights within
1 % of their range.
"""
import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from networks import Human2D, PosePrior, ShapePrior
from picture_pool import PicturePool, batch_of
from pose_error import error_curve, pose_errors, precision_of
from posed_bodies import Seen, exact
from smpl_torch import SmplSubset
from training import read_checkpoint

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
FEWEST = 200  # pictures by which the confidence is calibrated
PREFIXES = ("human2d", "pose_prior", "shape_prior")


# What tells a network's checkpoint from another's.
SIGNS = {Human2D: "stem.conv.weight", PosePrior: "blocks.0.linear1.weight", ShapePrior: "convolutions.0.conv1.weight"}


def trained(folder, kind=None):
    """The checkpoint of a run that trained a network, of this kind if one is named."""
    path = Path(folder) / "checkpoint.pt"
    if not path.exists():
        raise SystemExit(f"{path}: not found; train that network first")
    state = read_checkpoint(path, "averaged", "architecture")
    if kind and SIGNS[kind] not in state["averaged"]:
        raise SystemExit(f"{path}: expected a {kind.__name__}, which has {SIGNS[kind]}; found a network that begins with "
                         f"{next(iter(state['averaged']))}")
    return state


def fingerprint(weights):
    """Tells one network's weights from another's."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].double().numpy().tobytes())
    return digest.hexdigest()


def networks_from(tensors, architecture):
    """The three modules in evaluation mode with the weights of a file's tensors."""
    modules = dict(human2d=Human2D(**architecture), pose_prior=PosePrior(), shape_prior=ShapePrior())
    for prefix, module in modules.items():
        state = {name[len(prefix) + 1:]: value.float() for name, value in tensors.items()
                 if name.startswith(prefix + ".")}
        missing, unexpected = module.load_state_dict(state, strict=False)
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise SystemExit(f"{prefix}: missing {missing}, unexpected {unexpected}")
        module.eval()
    return modules


def read_networks(path):
    """The modules of a weights file and its metadata."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    return networks_from(tensors, json.loads(metadata["human2d"])), metadata, tensors


def blocks(maps):
    """Means over an 8x8 grid of blocks: [C, S, S] to [C, 8, 8]."""
    return torch.nn.functional.adaptive_avg_pool2d(maps, 8)


def calibration(pool, human2d):
    """Logistic curves (slope, offset) [16] each from a heat map's peak to the probability that the joint is
    within a fifth of the torso (right hip to left shoulder), from what observe.py saw in a pool (Platt 1999)."""
    path = pool.folder / "observed.npz"
    if not path.exists():
        raise SystemExit(f"{path}: not found; run observe.py on that pool first")
    observed = np.load(path)
    if observed.get("human2d", "another") != fingerprint(human2d):
        raise SystemExit(f"{path}: is not what this Human2D saw; run observe.py with it on that pool first")
    seen = torch.from_numpy(observed["joints"]).view(-1, 16, 3).double()
    if len(seen) < FEWEST:
        raise SystemExit(f"{path}: {len(seen)} pictures, at least {FEWEST} were expected for the calibration")
    truth = torch.from_numpy(pool.take(np.arange(len(seen)), "joints")).double()
    points = truth[..., :2] / 128 - 1
    torso = (points[:, 2] - points[:, 13]).norm(dim=-1).clamp_min(0.1)
    right = ((seen[..., :2] - points).norm(dim=-1) < 0.2 * torso[:, None]) & (truth[..., 2] > 0)
    slopes, offsets = [], []
    for joint in range(16):
        peak, hit = seen[:, joint, 2], right[:, joint].double()
        features = torch.stack([peak, torch.ones_like(peak)], 1)
        curve = torch.zeros(2, dtype=torch.float64)
        for _ in range(30):  # Newton's method; a little ridge keeps it from running away
            p = torch.sigmoid(features @ curve)
            gradient = features.T @ (p - hit) + 1e-3 * curve
            hessian = (features * (p * (1 - p))[:, None]).T @ features + 1e-3 * torch.eye(2)
            curve = curve - torch.linalg.solve(hessian, gradient)
        slopes.append(max(0.0, curve[0].item()))
        offsets.append(curve[1].item())
    return {"calibration.slope": torch.tensor(slopes), "calibration.offset": torch.tensor(offsets)}


@torch.no_grad()
def self_test(modules, inputs):
    """What each network answers to the self-test's inputs."""
    picture = inputs["selftest.picture"].float().permute(2, 0, 1)[None]
    picture = picture.repeat_interleave(4, 2).repeat_interleave(4, 3) / 255 - 0.5
    heatmaps, silhouette = modules["human2d"](picture)[-1]
    mask = inputs["selftest.mask"].float()[None, None] / 255
    return {"selftest.heatmaps": blocks(heatmaps[0]),
            "selftest.silhouette": blocks(silhouette[0]),
            "selftest.pose": modules["pose_prior"](inputs["selftest.joints"][None])[0],
            "selftest.beta": modules["shape_prior"](mask)[0]}


@torch.no_grad()
def check_precision(half, full, pool, count=32):
    """Ends the program if any output for the pool's first pictures differs by more than 1 % of that output's range."""
    rows = np.arange(min(count, len(pool)))
    batch = batch_of(pool, rows, 256, 1.0)
    masks = torch.nn.functional.adaptive_avg_pool2d(batch["masks"][:, None], 64)
    joints = exact(batch["points"], batch["inside"]).flatten(1)
    for name, answer in (("heat maps", lambda one: one["human2d"](batch["pictures"])[-1][0]),
                         ("silhouette", lambda one: one["human2d"](batch["pictures"])[-1][1]),
                         ("pose", lambda one: one["pose_prior"](joints)),
                         ("beta", lambda one: one["shape_prior"](masks))):
        precise, rounded = answer(full), answer(half)
        apart = ((rounded - precise).abs().max() / (precise.max() - precise.min())).item()
        print(f"{name}: half precision is at most {100 * apart:.2f} % of the range away from float32")
        if not apart <= 0.01:
            raise SystemExit(f"{name}: half precision changes it by {100 * apart:.2f} % of its range, at most 1 % was "
                             "expected; nothing was written")


def curve_of_errors(modules, pool, body):
    """`pose_error.error_curve` of what observe.py saw in a pool."""
    seen = Seen([pool.folder])
    half = len(seen) // 2  # without the mirror images
    silhouettes = torch.from_numpy(np.load(pool.folder / "observed.npz")["silhouette"]).float() / 255
    return error_curve(modules["pose_prior"], modules["shape_prior"], seen.joints[:half], silhouettes[:half],
                       seen.rotations[:half], seen.beta[:half], SmplSubset(body, loss_vertices=400))


def self_test_inputs(pool):
    """A picture of 64x64 (each pixel stands for 4x4), its mask, and its joints in [-1, 1]."""
    picture = torch.from_numpy(pool.take(np.array([0]), "images")[0]).float()
    picture = picture.reshape(64, 4, 64, 4, 3).mean((1, 3)).round().to(torch.uint8)
    mask = torch.from_numpy(pool.take(np.array([0]), "mask")[0]).float()
    mask = torch.nn.functional.adaptive_avg_pool2d(mask[None], 64)[0].round().to(torch.uint8)
    joints = torch.from_numpy(pool.take(np.array([0]), "joints")[0]).float()
    joints = exact(joints[:, :2] / 128 - 1, joints[:, 2] > 0).flatten()
    return {"selftest.picture": picture, "selftest.mask": mask, "selftest.joints": joints}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--human2d", default=str(HERE / "runs" / "human2d-256"))
    parser.add_argument("--pose-prior", default=str(HERE / "runs" / "pose_prior"))
    parser.add_argument("--shape-prior", default=str(HERE / "runs" / "shape_prior"))
    parser.add_argument("--validation", required=True, help="pool whose first picture is the self-test")
    parser.add_argument("--calibration", required=True,
                        help="pool of unseen pictures that observe.py has seen: calibrates the confidence")
    parser.add_argument("--out", default=str(REPOSITORY / "weights" / "maquette.safetensors"))
    parser.add_argument("--research", action="store_true", help="the networks also saw real_pool.py's photographs")
    arguments = parser.parse_args()
    if arguments.research != Path(arguments.out).stem.endswith("-research"):
        raise SystemExit(f"{arguments.out}: expected a name that ends with -research for --research, and only then")

    folders = (arguments.human2d, arguments.pose_prior, arguments.shape_prior)
    states = [trained(folder, kind) for folder, kind in zip(folders, (Human2D, PosePrior, ShapePrior))]
    for folder, state in zip(folders, states):
        if state.get("research", False) and not arguments.research:
            raise SystemExit(f"{folder}: learned from photographs that are for research only; expected --research, and a name "
                             "that ends with -research")
    tensors = {}
    for prefix, state in zip(PREFIXES, states):
        for name, value in state["averaged"].items():
            if not name.endswith("num_batches_tracked"):
                half = value.dim() > 1
                tensors[f"{prefix}.{name}"] = value.to(
                    torch.float16 if half else torch.float32).contiguous()
    architecture = states[0]["architecture"]
    inputs = self_test_inputs(PicturePool(arguments.validation))
    exported = networks_from(tensors, architecture)
    expected = self_test(exported, inputs)
    full = {f"{prefix}.{name}": value for prefix, state in zip(PREFIXES, states)
            for name, value in state["averaged"].items() if not name.endswith("num_batches_tracked")}
    check_precision(exported, networks_from(full, architecture), PicturePool(arguments.validation))
    precision = precision_of(pose_errors(exported["pose_prior"], arguments.data, arguments.body))
    metadata = dict(
        format="maquette-1",
        human2d=json.dumps({k: int(v) for k, v in architecture.items()}),
        input="256", preprocessing="rgb / 255 - 0.5; square crop of 1.25 times the person's box",
        joint_order="MPII-16", output="heat maps of peak 1; silhouette logits body, background",
        pose_prior="x, y in [-1, 1] of the crop, confidence; 0, 0, 0 where there is no joint; answers two columns of each "
                   "joint's rotation matrix; camera frame, y down",
        camera="OpenCV axes; focal 5000 px at the 256 px crop",
        data="synthetic pictures: MakeHuman assets (CC0), CMU motion capture, backgrounds (CC0, "
             "CC-BY, CC-BY-SA)" + ("; Leeds Sports Pose Extended; Clothing Co-Parsing"
                                   if arguments.research else ""),
        licence="research only" if arguments.research else "CC0-1.0")
    out = Path(arguments.out)
    partial = out.with_suffix(".partial")
    content = {**tensors, **calibration(PicturePool(arguments.calibration), states[0]["averaged"]), **inputs,
               "pose_error.precision": torch.from_numpy(precision),
               "pose_error.expected": curve_of_errors(exported, PicturePool(arguments.calibration), arguments.body),
               **{name: value.contiguous() for name, value in expected.items()}}
    try:
        save_file(content, partial, metadata=metadata)
    except Exception as problem:
        partial.unlink(missing_ok=True)
        raise SystemExit(f"{out}: not written ({problem}); what stood there before still does")
    modules, _, written = read_networks(partial)
    for name, value in self_test(modules, inputs).items():
        error = (value - written[name]).abs().max().item()
        if not error <= 1e-4 * max(1.0, written[name].abs().max().item()):
            partial.unlink()
            raise SystemExit(f"{name}: the file read back differs by {error:.3g}; nothing was written")
    mask = os.umask(0)
    os.umask(mask)
    partial.chmod(0o666 & ~mask)  # safetensors writes for its owner alone
    partial.rename(out)
    print(f"{out}: {sum(v.numel() for v in tensors.values())} parameters, "
          f"{out.stat().st_size / 1e6:.1f} MB, self-test agrees")


if __name__ == "__main__":
    main()
