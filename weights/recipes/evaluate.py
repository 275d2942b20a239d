"""Measures a weights file on the photographer's validation pictures and writes docs/accuracy.md.

    python weights/recipes/evaluate.py --validation POOL --weights weights/maquette.safetensors

The crops are the pool's own (box given). Errors in 3D compare meshes of (theta, beta) without a
translation: `PVE` over all vertices as they are (no alignment), `MPJPE` over the 16 joints with the
pelvis on the pelvis, `PA-MPJPE` after a similarity alignment.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from export import read_networks
from picture_pool import PicturePool, batch_of
from poses import pose_pool
from smpl_torch import SmplSubset, rotation_matrices
from train_human2d import TORSO, decode, separated

REPOSITORY = Path(__file__).resolve().parent.parent.parent
JOINTS = ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "thorax",
          "upper_neck", "head_top", "r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow",
          "l_wrist")
PELVIS = 6


def procrustes_aligned(found, truth):
    """`found` [B, J, 3] after the similarity that brings it nearest to `truth` (Umeyama 1991)."""
    mean_found, mean_truth = found.mean(1, keepdim=True), truth.mean(1, keepdim=True)
    x, y = found - mean_found, truth - mean_truth
    u, s, v = torch.linalg.svd(x.transpose(1, 2) @ y)
    sign = torch.ones_like(s)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ v))
    rotation = u @ torch.diag_embed(sign) @ v
    scale = (s * sign).sum(1) / x.square().sum((1, 2))
    return scale[:, None, None] * (x @ rotation) + mean_truth


class MeshErrors:
    """Collects per-vertex and joint errors of one way of guessing theta and beta."""

    def __init__(self, body):
        self.body, self.rows = body, []

    def add(self, rotations, beta, true_rotations, true_beta):
        vertices, _ = self.body(rotations, beta)
        truth, _ = self.body(true_rotations, true_beta)
        joints, true_joints = self.body.mpii_joints(vertices), self.body.mpii_joints(truth)
        centred = joints - joints[:, PELVIS:PELVIS + 1]
        true_centred = true_joints - true_joints[:, PELVIS:PELVIS + 1]
        self.rows.append(torch.stack([
            (vertices - truth).norm(dim=-1).mean(1),
            (centred - true_centred).norm(dim=-1).mean(1),
            (procrustes_aligned(joints, true_joints) - true_joints).norm(dim=-1).mean(1)], 1))

    def millimetres(self):
        return (1000 * torch.cat(self.rows).mean(0)).tolist()


@torch.no_grad()
def measure(modules, pool, body, mean_rotations, size, batch=25):
    human2d, pose_prior, shape_prior = (modules[n] for n in ("human2d", "pose_prior", "shape_prior"))
    hits, seen, both, either = torch.zeros(16), torch.zeros(16), 0, 0
    ways = ("network", "true 2D joints and silhouette", "mean pose and shape, true root")
    errors = {way: MeshErrors(body) for way in ways}
    for start in tqdm(range(0, len(pool), batch), desc="validation"):
        rows = np.arange(start, min(start + batch, len(pool)))
        sample = batch_of(pool, rows, size, 1.0)
        heatmaps, logits = human2d(sample["pictures"])[-1]
        found = separated(heatmaps, decode(heatmaps))
        torso = (sample["points"][:, TORSO[0]] - sample["points"][:, TORSO[1]]).norm(dim=-1)
        near = (found[..., :2] - sample["points"]).norm(dim=-1) < 0.2 * torso.clamp_min(0.1)[:, None]
        hits += (near & sample["inside"]).sum(0)
        seen += sample["inside"].sum(0)
        body_mask, true_mask = logits[:, 0] > logits[:, 1], sample["masks"] > 0.5
        both += (body_mask & true_mask).sum().item()
        either += (body_mask | true_mask).sum().item()

        true_rotations = rotation_matrices(torch.from_numpy(pool.take(rows, "theta")).float()
                                           .view(-1, 24, 3))
        true_beta = torch.from_numpy(pool.take(rows, "beta")).float()
        probability = torch.sigmoid(logits[:, 0] - logits[:, 1])[:, None]
        rotations = rotation_matrices(pose_prior(found.flatten(1)).view(-1, 24, 3))
        errors[ways[0]].add(rotations, shape_prior(probability), true_rotations, true_beta)
        exact = torch.cat([sample["points"], sample["inside"][..., None].float()], -1).flatten(1)
        rotations = rotation_matrices(pose_prior(exact).view(-1, 24, 3))
        errors[ways[1]].add(rotations, shape_prior(sample["masks"][:, None]), true_rotations,
                            true_beta)
        mean = mean_rotations.expand(len(rows), -1, -1, -1).clone()
        mean[:, 0] = true_rotations[:, 0]
        errors[ways[2]].add(mean, torch.zeros_like(true_beta), true_rotations, true_beta)
    return hits / seen, both / either, {way: e.millimetres() for way, e in errors.items()}


def mean_pose(data, body):
    """The chordal mean of the training poses' rotations, joint by joint."""
    poses = torch.from_numpy(pose_pool(data, body, "train", 200000)[::20])
    u, _, v = torch.linalg.svd(rotation_matrices(poses).mean(0))
    sign = torch.ones(24, 3)
    sign[:, 2] = torch.linalg.det(u @ v)
    return u @ torch.diag_embed(sign) @ v


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--weights", default=str(REPOSITORY / "weights" / "maquette.safetensors"))
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--out", default=str(REPOSITORY / "docs" / "accuracy.md"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    modules, metadata, _ = read_networks(arguments.weights)
    pool = PicturePool(arguments.validation)
    pck, iou, errors = measure(modules, pool, SmplSubset(arguments.body),
                               mean_pose(arguments.data, arguments.body), int(metadata["input"]))
    joints = "\n".join(f"| {name} | {value:.3f} |" for name, value in zip(JOINTS, pck.tolist()))
    rows = "\n".join(f"| {way} | {v:.1f} | {m:.1f} | {p:.1f} |"
                     for way, (v, m, p) in errors.items())
    Path(arguments.out).write_text(f"""# Accuracy

Measured on {len(pool)} synthetic validation pictures (photographer, seed 1): clothes, skins, hair,
backgrounds and mocap sequences that no training picture shows. The crop around the person is given;
the pictures keep the training pictures' occluders, cut-offs, blur and noise. Made by
`python weights/recipes/evaluate.py --validation POOL`, after
`python weights/recipes/photographer/generate.py --split validation --count {len(pool)} --seed 1 --out POOL`.

## In the picture
PCK@0.2: share of the joints inside the crop that are found within a fifth of the torso's diagonal
(right hip to left shoulder), decoded as the estimator does. Mean over all joints: **{float(pck.mean()):.3f}**. Silhouette IoU over all
pixels at 64 x 64: **{iou:.3f}**.

| joint | PCK@0.2 |
|---|---|
{joints}

## In space
Millimetres, mean over the pictures. PVE: per-vertex error over all vertices, no alignment. MPJPE:
16 joints, pelvis on pelvis. PA-MPJPE: after a similarity alignment.

| input of the priors | PVE | MPJPE | PA-MPJPE |
|---|---|---|---|
{rows}

"True 2D joints and silhouette" gives the priors the true joints (confidence 1 inside the crop, 0
outside) and the dressed person's true mask, occluded parts included in the joints but not in the
mask. "Mean pose and shape, true root" is the chordal mean of the training poses under the true root
rotation: what guessing costs once the view is known.

How far these are from a blind test: the pictures were never trained on, but the factor by which left and
right are parted (`separate_sides`) was chosen on the first 400 of them, among 13 settings. Not measured here:
the estimator's own search for the person, its camera and its fit, and any real photograph.
""")
    print(Path(arguments.out).read_text())


if __name__ == "__main__":
    main()
