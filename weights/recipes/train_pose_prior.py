"""Trains PosePrior: 16 joints with confidences to the pose (Pavlakos et al. 2018, section 4.2).

    python weights/recipes/train_pose_prior.py --observed POOL/train

Poses are the photographer's, seen by its cameras; a quarter of the joints are shown as they are, an eighth as Human2D saw
them in pictures (`observe.py`), the others with the errors that it made on alike pictures. As in the paper
the first part of the time trains the rotations alone; then the vertices are added. A run that was
interrupted is resumed by the same command.
"""
import argparse
from pathlib import Path

import numpy as np
import torch

from networks import PosePrior
from poses import pose_pool
from posed_bodies import PosedBodies, Seen, exact, transplanted
from smpl_torch import SmplSubset
from training import Run

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


def batches(bodies, seen, body, batch, seed, exact_only=False):
    """Endless batches: joints [B, 48] that a network is shown, and their truth: rotations, beta, vertices of `body`."""
    numpy_random = np.random.default_rng(seed)
    random = torch.Generator().manual_seed(seed)
    while True:
        pictured = 0 if exact_only else batch // 8
        drawn = torch.randint(len(bodies), (batch - pictured,), generator=random)
        truth = bodies.seen(drawn, numpy_random, random)
        plain = len(drawn) if exact_only else batch // 4
        with torch.no_grad():
            joints = torch.cat([exact(truth["crop"][:plain], truth["visible"][:plain]),
                                transplanted(truth["crop"][plain:], truth["visible"][plain:], seen, random)])
            seen_joints, rotations, beta = seen.shifted(torch.randint(len(seen), (pictured,), generator=random), random)
            joints = torch.cat([joints, seen_joints])
            rotations = torch.cat([truth["rotations"], rotations])
            beta = torch.cat([truth["beta"], beta])
            vertices, _ = body(rotations, beta)
        yield dict(input=dropped(joints, random).flatten(1), rotations=rotations, beta=beta, vertices=vertices)


def dropped(joints, random):
    """Some joints [B, 16, 3] vanish, in one picture of a hundred all of them: zeros, as for what is not there at all."""
    count = len(joints)
    share = torch.rand(count, 1, generator=random) * (torch.rand(count, 1, generator=random) < 0.15) * 0.4
    share = torch.where(torch.rand(count, 1, generator=random) < 0.01, 1.0, share)
    return joints * (torch.rand(count, 16, generator=random) >= share)[..., None]


def pose_loss(network, output, batch, body, weights):
    """Squared differences of the pose's parameters and mean distances of vertices [B], each times its weight."""
    rotations = network.rotations(output)
    parameters = (rotations - batch["rotations"]).square().sum((1, 2, 3))
    if not weights["vertex"]:
        return weights["rotation"] * parameters, parameters, None
    vertices, _ = body(rotations, batch["beta"])
    distance = ((vertices - batch["vertices"]).square().sum(-1) + 1e-6).sqrt().mean(1)
    return weights["rotation"] * parameters + weights["vertex"] * distance, parameters, distance


def loss_of(network, batch, body, weights):
    with torch.autocast("cpu", torch.bfloat16):
        output = network(batch["input"])
    loss, parameters, distance = pose_loss(network, output.float(), batch, body, weights)
    figures = dict(rotation=parameters.mean().item())
    if distance is not None:
        figures["vertex_mm"] = 1000 * distance.detach().mean().item()
    return loss.mean(), figures


@torch.no_grad()
def evaluate(network, batch_list, body):
    """Per-vertex error in mm, with the true beta, of each named batch."""
    network.eval()
    figures = {}
    for name, batch in batch_list.items():
        vertices, _ = body(network.rotations(network(batch["input"])), batch["beta"])
        figures[f"{name}_pve_mm"] = 1000 * (vertices - batch["vertices"]).norm(dim=-1).mean()
    return figures


def validation_batches(arguments, body, everything):
    """Unseen poses with exact joints; unseen pictures, as Human2D saw them and with their true joints."""
    random, numpy_random = torch.Generator().manual_seed(1), np.random.default_rng(1)
    bodies = PosedBodies(pose_pool(arguments.data, arguments.body, "validation", 5000)[:2000], everything, 1)
    truth = bodies.seen(torch.arange(len(bodies)), numpy_random, random)
    rows = dict(poses=(exact(truth["crop"], truth["visible"]), truth["rotations"], truth["beta"]))
    if arguments.validation:
        pictures = Seen([arguments.validation])
        half = len(pictures) // 2  # without the mirror images
        rotations, beta = pictures.rotations[:half], pictures.beta[:half]
        rows["pictures"] = pictures.joints[:half], rotations, beta
        rows["true_joints"] = exact(pictures.truth, pictures.visible)[:half], rotations, beta
    with torch.no_grad():
        return {name: dict(input=joints.flatten(1), rotations=rotations, beta=beta, vertices=body(rotations, beta)[0])
                for name, (joints, rotations, beta) in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--out", default=str(HERE / "runs" / "pose_prior"))
    parser.add_argument("--from", dest="initial", help="checkpoint whose weights to start from")
    parser.add_argument("--observed", nargs="+", required=True, help="pools that observe.py has seen")
    parser.add_argument("--validation", help="another such pool, for the curves")
    parser.add_argument("--poses", type=int, default=200000)
    parser.add_argument("--parameters-only", type=float, default=0.2,
                        help="share of the time that trains the rotations alone")
    parser.add_argument("--rotation", choices=["six_d", "axis_angle"], default="six_d")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--optimizer", choices=["adam", "rmsprop", "muon"], default="adam")
    parser.add_argument("--rotation-weight", type=float, default=0.2, help="of the rotations once vertices are added")
    parser.add_argument("--vertex-weight", type=float, default=30.0, help="of the mean vertex distance in metres")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    for needed in (Path(arguments.data) / "mocap", Path(arguments.body)):
        if not needed.exists():
            raise SystemExit(f"{needed}: not found; --data names the folder that holds mocap/, --body the body's file")
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    everything = SmplSubset(arguments.body, loss_vertices=150)
    body = SmplSubset(arguments.body, loss_vertices=120, mpii=False)
    network = PosePrior(rotation=arguments.rotation, dropout=arguments.dropout)
    seen = Seen(arguments.observed)
    run = Run(arguments.out, network, arguments.rate, arguments.minutes,
              optimizer=arguments.optimizer, initial_weights=arguments.initial, research=seen.research)
    validation = validation_batches(arguments, body, everything)
    bodies = PosedBodies(pose_pool(arguments.data, arguments.body, "train", arguments.poses), everything, arguments.seed)
    training = batches(bodies, seen, body, arguments.batch, arguments.seed + run.step)
    alone = dict(rotation=1.0, vertex=0.0)
    together = dict(rotation=arguments.rotation_weight, vertex=arguments.vertex_weight)
    run.train(training,
              lambda net, batch, progress: loss_of(
                  net, batch, body, alone if progress < arguments.parameters_only else together),
              lambda net: evaluate(net, validation, body))


if __name__ == "__main__":
    main()
