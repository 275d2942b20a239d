"""Trains variants of the two priors for equal numbers of steps and writes what each gives to docs/ablations.md.

    python bench/accuracy/ablations.py --observed POOL/train POOL/sport --validation POOL/validation

The pools are those of weights/recipes/make_all.sh, which observe.py has seen. A variant that was trained is not trained
again: an interrupted table goes on where it stopped.
"""
import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "weights" / "recipes"))

import measures
import train_pose_prior as posing
import train_shape_prior as shaping
from export import trained
from networks import PosePrior, ShapePrior
from picture_pool import PicturePool
from posed_bodies import PosedBodies, Seen, exact
from poses import pose_pool
from smpl_torch import SmplSubset, axis_angles, rotation_matrices
from saving import write_whole
from training import Averaged, cosine


@dataclass
class PoseVariant:
    """One way to train PosePrior. `vertices`: their share of the steps; `confidences`, `exact`: what it is shown."""
    name: str
    network: dict = field(default_factory=lambda: dict(rotation="six_d"))
    angles: bool = False
    vertices: float = 0.7
    confidences: bool = True
    exact: bool = False


AXIS_ANGLE = dict(rotation="axis_angle")
POSE_VARIANTS = {
    "angles": PoseVariant("axis-angles, loss on axis-angles", AXIS_ANGLE, angles=True, vertices=0),
    "matrices": PoseVariant("axis-angles, loss on rotation matrices", AXIS_ANGLE, vertices=0),
    "vertices": PoseVariant("the same, then with vertices too (the paper's)", AXIS_ANGLE),
    "six_d": PoseVariant("two columns of each matrix (6D) instead of axis-angles"),
    "no_confidences": PoseVariant("6D without confidences", confidences=False),
    "exact": PoseVariant("6D, trained on exact joints only", exact=True),
    "dropout_0": PoseVariant("6D without dropout", dict(rotation="six_d", dropout=0.0)),
    "dropout_50": PoseVariant("6D with dropout of one half", dict(rotation="six_d", dropout=0.5)),
    "given_beta": PoseVariant("6D, given the true beta", dict(rotation="six_d", shapes=10)),
    "hypotheses": PoseVariant("6D, three hypotheses, the one with the best score", dict(rotation="six_d", hypotheses=3)),
}
SHAPE_VARIANTS = {
    "beta": ("loss on beta alone", {}, dict(vertices=False)),
    "vertices": ("then with vertices too (the paper's)", {}, {}),
    "hard": ("the same of hard silhouettes", {}, dict(hard=True)),
    "no_last_pool": ("without the last pool", dict(last_pool=False), {}),
    "dropout_0": ("without dropout", dict(dropout=0.0), {}),
    "dropout_50": ("with dropout of one half", dict(dropout=0.5), {}),
}


def taught(network, batches, loss_of, steps, path):
    """The averaged network after so many steps; what an earlier run left at `path` is taken instead."""
    averaged = Averaged(network, 0.999)
    if path.exists():
        averaged.model.load_state_dict(torch.load(path, weights_only=True))
        return averaged.model
    optimizer = torch.optim.Adam(network.parameters())
    for step in tqdm(range(steps), desc=path.stem):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * cosine(step / steps)
        loss = loss_of(network.train(), next(batches), step / steps)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        averaged.update(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: torch.save(averaged.model.state_dict(), file))
    return averaged.model.eval()


def shown(network, variant, joints, beta):
    """What a variant's network gets of joints [B, 48]."""
    joints = joints.view(-1, 16, 3)
    if not variant.confidences:
        joints = torch.cat([joints[..., :2], torch.ones_like(joints[..., :1])], -1)
    joints = joints.flatten(1)
    return torch.cat([joints, beta], 1) if network.architecture["shapes"] else joints


def variant_loss(network, variant, batch, body, with_vertices):
    """The loss of one batch; of several hypotheses the nearest learns, and the scores learn which it was."""
    with torch.autocast("cpu", torch.bfloat16):
        features = network.features(shown(network, variant, batch["input"], batch["beta"]))
        output = network.output(features).float()
    if variant.angles:
        return (output - axis_angles(batch["rotations"]).flatten(1)).square().sum(1).mean()
    weights = dict(rotation=0.2, vertex=30.0) if with_vertices else dict(rotation=1.0, vertex=0.0)
    count = network.architecture["hypotheses"]
    losses = torch.stack([posing.pose_loss(network, one, batch, body, weights)[0] for one in output.chunk(count, 1)], 1)
    best, which = losses.min(1)
    loss = best.mean()
    if count > 1:
        loss = loss + 0.05 * losses.mean() + functional.cross_entropy(network.score(features.float()), which)
    return loss


def reprojection(body, rotations, beta, joints):
    """How far the body's joints, scaled and shifted to fit best, are from those seen [B, 16, 3]; weighed by confidence."""
    placed = body.mpii_joints(body(rotations, beta)[0])[..., :2]
    weight = joints[..., 2:].clamp_min(0) + 1e-6
    weight = weight / weight.sum(1, keepdim=True)
    a, b = (one - (weight * one).sum(1, keepdim=True) for one in (placed, joints[..., :2]))
    scale = (weight * a * b).sum((1, 2)) / (weight * a * a).sum((1, 2))
    return (weight * (scale[:, None, None] * a - b).square()).sum((1, 2))


class Examination:
    """The pictures of a validation pool: as Human2D saw them and with their true joints; the true beta makes the mesh."""

    def __init__(self, pool, body_path, shape_prior):
        self.body = SmplSubset(body_path, loss_vertices=1000)
        pictures = Seen([pool])
        half = len(pictures) // 2  # without the mirror images
        self.rotations, self.beta = pictures.rotations[:half], pictures.beta[:half]
        self.joints = dict(seen=pictures.joints[:half], true=exact(pictures.truth, pictures.visible)[:half])
        shape_network = ShapePrior()
        shape_network.load_state_dict(trained(shape_prior, ShapePrior)["averaged"])
        silhouettes = torch.from_numpy(np.load(Path(pool) / "observed.npz")["silhouette"])[:, None].float() / 255
        with torch.no_grad():
            self.truth = self.placed(self.rotations)
            self.predicted_beta = shape_network.eval()(silhouettes)

    def placed(self, rotations):
        vertices, _ = self.body(rotations, self.beta)
        return vertices.numpy(), self.body.mpii_joints(vertices).numpy()

    def errors(self, rotations):
        return measures.mesh_errors(*self.placed(rotations), *self.truth).mean(0)

    @torch.no_grad()
    def rows(self, variant, network, limits):
        """Name and errors (seen joints, true joints) of a variant and of what can be done with it afterwards."""
        rows = {}

        def add(name, choose):
            rows[name] = np.concatenate([self.errors(choose(self.joints[kind])) for kind in ("seen", "true")])

        def answers(joints, beta=self.beta):
            features = network.features(shown(network, variant, joints.flatten(1), beta))
            return [network.rotations(one) for one in network.output(features).chunk(
                network.architecture["hypotheses"], 1)], features

        def picked(joints, score):
            options, features = answers(joints)
            chosen = score(options, features, joints).argmin(1)
            return torch.stack(options, 1)[torch.arange(len(chosen)), chosen]

        if network.architecture["hypotheses"] == 1:
            add(variant.name, lambda joints: answers(joints)[0][0])
        else:
            add(variant.name, lambda joints: picked(joints, lambda _, features, __: -network.score(features)))
            add("of the three the one that reprojects best", lambda joints: picked(joints, lambda options, _, j: torch.stack(
                [reprojection(self.body, one, self.beta, j) for one in options], 1)))
            add("of the three the nearest to the truth (not to be had)", lambda joints: picked(
                joints, lambda options, _, __: torch.stack([torch.from_numpy(measures.mesh_errors(
                    *self.placed(one), *self.truth)[:, 0]) for one in options], 1)))
        if network.architecture["shapes"]:
            add("the same, given the predicted beta", lambda joints: answers(joints, self.predicted_beta)[0][0])
        if variant is POSE_VARIANTS["six_d"]:
            add("6D, angles cut to what mocap shows", lambda joints: limited(answers(joints)[0][0], limits))
        return rows


def limited(rotations, limits):
    """The rotations with each joint's axis-angle components within limits; the root is free."""
    theta = axis_angles(rotations)
    theta[:, 1:] = theta[:, 1:].clamp(limits[0], limits[1])
    return rotation_matrices(theta)


def pose_table(arguments, scratch):
    everything = SmplSubset(arguments.body, loss_vertices=150)
    body = SmplSubset(arguments.body, loss_vertices=120, mpii=False)
    poses = pose_pool(arguments.data, arguments.body, "train", arguments.poses)
    theta = torch.from_numpy(poses.reshape(-1, 24, 3)[::10])[:, 1:]
    limits = theta.quantile(0.001, 0), theta.quantile(0.999, 0)
    bodies, seen = PosedBodies(poses, everything, 0), Seen(arguments.observed)
    examination = Examination(arguments.validation, arguments.body, arguments.shape_prior)
    table = {}
    for key, variant in POSE_VARIANTS.items():
        torch.manual_seed(0)
        network = PosePrior(**variant.network)
        network = taught(network, posing.batches(bodies, seen, body, 512, 0, exact_only=variant.exact),
                         lambda net, batch, progress: variant_loss(net, variant, batch, body, progress > 1 - variant.vertices),
                         arguments.steps, scratch / f"pose_{key}.pt")
        table.update(examination.rows(variant, network, limits))
        print(key, *np.round(table[variant.name], 1), flush=True)
    return table


def shape_table(arguments, scratch):
    people = shaping.Silhouettes(PicturePool(*arguments.observed))
    validation = shaping.Silhouettes(PicturePool(arguments.validation))
    everyone = torch.arange(len(validation))
    dressed, naked = (validation.take(everyone, torch.full((len(everyone),), d)) for d in (True, False))
    distance = shaping.VertexDistance(arguments.body)

    def rms(beta):
        return 1000 * distance(beta - validation.beta).mean().sqrt().item()

    table = {"mean shape": (rms(0), rms(0))}
    for key, (name, network, how) in SHAPE_VARIANTS.items():
        torch.manual_seed(0)
        def prepared(masks):
            return (masks > 0.5).float() if how.get("hard") else masks

        def loss(net, batch, progress):
            weight = 1000 if progress >= 0.4 and how.get("vertices", True) else 0
            return shaping.loss_of(net, dict(batch, input=prepared(batch["input"])), distance, weight)[0]

        network = taught(ShapePrior(**network).to(memory_format=torch.channels_last), shaping.batches(people, 128, 0), loss,
                         arguments.shape_steps, scratch / f"shape_{key}.pt")
        with torch.no_grad():
            table[name] = rms(network(prepared(dressed))), rms(network(prepared(naked)))
        print(key, *np.round(table[name], 1), flush=True)
    return table


def written(arguments, poses, shapes):
    def line(*cells):
        return "| " + " | ".join(str(cell) for cell in cells) + " |\n"

    pose_lines = "".join(line(name, *(f"{value:.1f}" for value in row)) for name, row in poses.items())
    shape_lines = "".join(line(name, *(f"{value:.1f}" for value in row)) for name, row in shapes.items())
    return f"""# Ablations of the priors

Made by `bench/accuracy/ablations.py`. Each variant was trained from nothing for {arguments.steps} steps of 512 (PosePrior) and
{arguments.shape_steps} of 128 (ShapePrior), on the same poses and pictures in the same order; the shipped weights were trained
much longer, so that what helps a short training is what is seen here. One run each: small differences may be chance.

Kept: two columns, without dropout, with confidences and the errors of Human2D. A PosePrior that is told beta, angles cut to
what mocap shows and several hypotheses won nothing; the nearest of three hypotheses would win much, but neither its score
nor its reprojection tells which one that is.

## PosePrior
Millimetres on {arguments.pictures} validation pictures of the photographer, whose motions training does not show: joints as Human2D
saw them, and the true ones. PVE over the mesh without alignment, MPJPE over 16 joints pelvis on pelvis, PA-MPJPE after a
similarity alignment; the true beta makes the mesh, so that only the pose is judged.

|  | seen: PVE | MPJPE | PA-MPJPE | true: PVE | MPJPE | PA-MPJPE |
|---|---|---|---|---|---|---|
{pose_lines}
## ShapePrior
Root mean square distance of the vertices in the T-pose, mm, from silhouettes of dressed people as Human2D saw them and from
those of the bare body.

|  | dressed | bare |
|---|---|---|
{shape_lines}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--shape-prior", default=str(REPOSITORY / "weights" / "recipes" / "runs" / "shape_prior"),
                        help="run whose network predicts beta")
    parser.add_argument("--observed", nargs="+", required=True, help="pools to learn from, seen by observe.py")
    parser.add_argument("--validation", required=True, help="pool to measure on, seen by observe.py")
    parser.add_argument("--poses", type=int, default=200000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--shape-steps", type=int, default=600)
    parser.add_argument("--scratch", default=str(REPOSITORY / "weights" / "recipes" / "runs" / "ablations"))
    parser.add_argument("--out", default=str(REPOSITORY / "docs" / "ablations.md"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scratch = Path(arguments.scratch)
    arguments.pictures = len(np.load(Path(arguments.validation) / "observed.npz")["joints"])
    Path(arguments.out).write_text(written(arguments, pose_table(arguments, scratch), shape_table(arguments, scratch)))


if __name__ == "__main__":
    main()
