"""Trains PosePrior: 16 joints with confidences to theta (Pavlakos et al. 2018, section 4.2).

    python weights/recipes/train_pose_prior.py --minutes 25

Poses are drawn from mocap, the body is projected, and the joints are spoilt the way Human2D spoils
them. As in the paper the first 40 % of the time trains the rotation matrices alone; then the
vertices are added with the same weight. A run that was interrupted is resumed by the same command.
"""
import argparse
from pathlib import Path

import numpy as np
import torch

from networks import PosePrior
from photographer.poses import mirrored
from picture_pool import MIRRORED_JOINTS, PicturePool
from poses import pose_pool, seen_poses
from smpl_maths import rotations_of
from smpl_torch import SmplSubset, rotation_matrices
from training import Run

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# Joints that Human2D finds hardest: a wider error (MPII order: ankles, wrists, then knees, elbows).
DIFFICULTY = torch.tensor([1.5, 1.2, 1, 1, 1.2, 1.5, 0.8, 0.8, 0.7, 0.8, 1.8, 1.4, 0.9, 0.9, 1.4, 1.8])
PAIRS = torch.tensor([[0, 5], [1, 4], [2, 3], [10, 15], [11, 14], [12, 13]])


def crop_joints(vertices, joints, random):
    """Projects with a random camera and normalises to a jittered square crop: joints in [-1, 1].

    The crop's side is 1.25 times the larger side of the body's box, as everywhere in this project.
    """
    batch = len(vertices)
    low, high = vertices.amin(1), vertices.amax(1)
    extent = (high - low)[:, :2].amax(1)
    # Distance in body extents: from a close phone to the orthographic limit (focal 5000 at the crop).
    distance = extent * torch.exp(torch.empty(batch).uniform_(np.log(2.0), np.log(20.0),
                                                              generator=random))
    centre = (low + high) / 2
    shift = torch.stack([centre[:, 0], centre[:, 1], centre[:, 2] - distance], 1)[:, None]
    points, corners = joints - shift, vertices - shift
    points, corners = points[..., :2] / points[..., 2:], corners[..., :2] / corners[..., 2:]
    low, high = corners.amin(1), corners.amax(1)
    side = 1.25 * (high - low).amax(1)
    scale = side * torch.empty(batch).uniform_(0.75, 1.3, generator=random)
    middle = (low + high) / 2 + side[:, None] * torch.empty(batch, 2).uniform_(
        -0.08, 0.08, generator=random)
    return (points - middle[:, None]) / (scale / 2)[:, None, None]


def spoilt(joints, random):
    """The joints as a network would report them: [B, 48] of x, y, confidence.

    Gaussian error that grows with the joint's difficulty and lowers the confidence, drop-outs that
    land anywhere with a low confidence, now and then left and right exchanged, joints outside the
    crop found somewhere inside with hardly any confidence.
    """
    batch = len(joints)

    def uniform(*shape):
        return torch.rand(*shape, generator=random)

    level = 0.012 + 0.05 * uniform(batch, 1)
    error = level * DIFFICULTY * (1 + 2 * (uniform(batch, 16) < 0.06))
    found = joints + error[..., None] * torch.randn(batch, 16, 2, generator=random)
    # The compact network's maxima: about 0.6 where it is right, 0.3 where it is lost.
    confidence = 0.33 + 0.32 * torch.exp(-error / 0.06)
    confidence = (confidence + 0.12 * torch.randn(batch, 16, generator=random)).clamp(0.05, 1.05)
    for a, b in PAIRS:
        swap = (uniform(batch) < 0.015)[:, None, None]
        pair, confident = found[:, [a, b]], confidence[:, [a, b]]
        found[:, [a, b]] = torch.where(swap, pair.flip(1), pair)
        confidence[:, [a, b]] = torch.where(swap[..., 0], 0.7 * confident.flip(1), confident)
    lost = (uniform(batch, 16) < 0.09 * DIFFICULTY) | (found.abs() > 1).any(-1)
    nearby = (joints + 0.25 * torch.randn(batch, 16, 2, generator=random)).clamp(-1, 1)
    anywhere = 2 * uniform(batch, 16, 2) - 1
    anywhere = torch.where(uniform(batch, 16, 1) < 0.5, nearby, anywhere)
    found = torch.where(lost[..., None], anywhere, found)
    confidence = torch.where(lost, 0.1 + 0.4 * uniform(batch, 16), confidence)
    return torch.cat([found, confidence[..., None]], -1).flatten(1)


def batches(poses, body, batch, seed):
    """Endless batches: input [B, 48], rotations [B, 24, 3, 3], beta, vertices relative to the root."""
    numpy_random = np.random.default_rng(seed)
    random = torch.Generator().manual_seed(seed)
    while True:
        rotations = torch.from_numpy(seen_poses(poses, batch, numpy_random).astype(np.float32))
        beta = 1.2 * torch.randn(batch, 10, generator=random)
        with torch.no_grad():
            vertices, joints = body(rotations, beta)
            crop = crop_joints(vertices, body.mpii_joints(vertices), random)
        yield dict(input=spoilt(crop, random), rotations=rotations, beta=beta,
                   vertices=vertices, joints=joints)


class Observed:
    """What Human2D really saw in the pool's pictures (`observe.py`), with the pictures' truth."""

    def __init__(self, folder):
        pool = PicturePool(folder)
        path = Path(folder) / "observed.npz"
        if not path.exists():
            raise SystemExit(f"{path}: not found; run observe.py first")
        self.joints = torch.from_numpy(np.load(path)["joints"]).view(-1, 16, 3)
        rows = np.arange(len(self.joints))
        theta = pool.take(rows, "theta").reshape(-1, 24, 3).astype(np.float64)
        self.rotations = torch.from_numpy(rotations_of(theta).astype(np.float32))
        self.mirrored = torch.from_numpy(rotations_of(mirrored(theta)).astype(np.float32))
        self.beta = torch.from_numpy(pool.take(rows, "beta")).float()

    def batches(self, body, batch, seed):
        """Endless batches as those of `batches`, half of them mirrored, with a little jitter."""
        random = torch.Generator().manual_seed(seed)
        while True:
            rows = torch.randint(len(self.joints), (batch,), generator=random)
            flip = torch.rand(batch, generator=random) < 0.5
            joints = self.joints[rows]
            flipped = joints[:, MIRRORED_JOINTS] * torch.tensor([-1.0, 1.0, 1.0])
            joints = torch.where(flip[:, None, None], flipped, joints)
            joints = joints + 0.01 * torch.randn(joints.shape, generator=random)
            rotations = torch.where(flip[:, None, None, None], self.mirrored[rows],
                                    self.rotations[rows])
            with torch.no_grad():
                vertices, placed = body(rotations, self.beta[rows])
            yield dict(input=joints.flatten(1), rotations=rotations, beta=self.beta[rows],
                       vertices=vertices, joints=placed)


def interleaved(*sources):
    """One batch of each source in turn."""
    while True:
        for source in sources:
            yield next(source)


def loss_of(network, batch, with_vertices, body, vertex_weight):
    with torch.autocast("cpu", torch.bfloat16):
        theta = network(batch["input"])
    rotations = rotation_matrices(theta.float().view(-1, 24, 3))
    parameters = (rotations - batch["rotations"]).square().sum((1, 2, 3)).mean()
    if not with_vertices:
        return parameters, dict(rotation=parameters.item())
    vertices, _ = body(rotations, batch["beta"])
    distance = (vertices - batch["vertices"]).square().sum(-1)
    loss = parameters + vertex_weight * distance.mean()
    return loss, dict(rotation=parameters.item(),
                      vertex_mm=1000 * distance.detach().sqrt().mean().item())


@torch.no_grad()
def evaluate(network, batch_list, body):
    """Per-vertex error and MPJPE of the 24 joints in mm, with the true beta."""
    vertex, joint = [], []
    for batch in batch_list:
        rotations = rotation_matrices(network(batch["input"]).view(-1, 24, 3))
        vertices, joints = body(rotations, batch["beta"])
        vertex.append((vertices - batch["vertices"]).norm(dim=-1).mean())
        joint.append((joints - batch["joints"]).norm(dim=-1).mean())
    return dict(validation_pve_mm=1000 * torch.stack(vertex).mean(),
                validation_mpjpe_mm=1000 * torch.stack(joint).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--out", default=str(HERE / "runs" / "pose_prior"))
    parser.add_argument("--from", dest="initial", help="checkpoint whose weights to start from")
    parser.add_argument("--observed", help="pool that observe.py has seen: every other batch is its")
    parser.add_argument("--parameters-only", type=float, default=0.4,
                        help="share of the time that trains the rotations alone")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--optimizer", choices=["adam", "rmsprop"], default="adam")
    parser.add_argument("--vertex-weight", type=float, default=100.0,
                        help="weight of the mean squared vertex distance in square metres")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    body = SmplSubset(arguments.body, loss_vertices=150)
    network = PosePrior()
    with torch.no_grad():
        network.output.weight.mul_(0.1)
        network.output.bias.zero_()
        network.output.bias[0] = np.pi  # upright in a camera whose y points down
    run = Run(arguments.out, network, arguments.rate, arguments.minutes,
              optimizer=arguments.optimizer, initial_weights=arguments.initial)
    held_out = batches(pose_pool(arguments.data, arguments.body, "validation", 5000), body, 500, 12345)
    validation = [next(held_out) for _ in range(4)]
    seed = arguments.seed + run.step
    training = batches(pose_pool(arguments.data, arguments.body, "train", 200000), body,
                       arguments.batch, seed)
    if arguments.observed:
        training = interleaved(training,
                               Observed(arguments.observed).batches(body, arguments.batch, seed))
    run.train(training,
              lambda net, batch, progress: loss_of(net, batch, progress >= arguments.parameters_only,
                                                   body, arguments.vertex_weight),
              lambda net: evaluate(net, validation, body))


if __name__ == "__main__":
    main()
