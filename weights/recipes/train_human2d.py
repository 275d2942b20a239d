"""Trains Human2D on the photographer's pictures: L = 100 MSE(heat maps) + BCE(silhouette) at every
stack (Pavlakos et al. 2018, section 4.1).

    python weights/recipes/train_human2d.py --pool POOL --validation POOL --minutes 60

The compact default is for a CPU (what is shipped has `--deep-modules 2`): pictures of 128 px first (four times as
fast, the network is fully convolutional), then `--size 256 --from runs/human2d-128/checkpoint.pt` at the size that is
shipped.
`--optimizer muon` learns more than Adam in as many steps (muon.py, weights/README.md).
The paper's size: `--features 256 --modules 3 --size 256 --batch 4 --optimizer rmsprop --rate 3e-4`.
Real photographs (real_pool.py; research only) join as `--pool POOL REAL REAL`, their unlabelled joints and
masks left out of the loss, and `--wide` against learning them by heart. A run that was interrupted is resumed by the same
command.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from networks import Human2D
from picture_pool import PicturePool, batch_of, batches
from training import Run

HERE = Path(__file__).resolve().parent
TORSO = (2, 13)  # right hip, left shoulder: the length that PCK is relative to
PELVIS, UPPER_NECK = 6, 8


def sigma_of(heat):
    """Width of the Gaussian in heat-map pixels: 1.75 at 64 (SPEC: Newell's), a little less at 32."""
    return 1.75 if heat >= 64 else 1.25


def on_device(batch, device):
    batch = {name: value.to(device) for name, value in batch.items()}
    batch["pictures"] = batch["pictures"].contiguous(memory_format=torch.channels_last)
    return batch


def losses(outputs, batch):
    """MSE of the labelled joints' heat maps and BCE of the labelled masks, each summed over the stacks."""
    joints, masks = batch["known"].float(), batch["known_masks"].float()
    joints, masks = joints / joints.sum().clamp_min(1), masks / masks.sum().clamp_min(1)
    heat, silhouette = 0.0, 0.0
    for heatmaps, logits in outputs:
        square = (heatmaps.float() - batch["heatmaps"]).square().mean((2, 3))
        heat = heat + (joints * square).sum()
        difference = (logits[:, 0] - logits[:, 1]).float()
        entropy = functional.binary_cross_entropy_with_logits(difference, batch["masks"], reduction="none")
        silhouette = silhouette + (masks * entropy.mean((1, 2))).sum()
    return heat, silhouette


def decode(heatmaps):
    """Soft-argmax about the highest cell, as the C++ estimator: [B, J, 3] in [-1, 1] and the maximum."""
    return decode_at(heatmaps, heatmaps.flatten(2).argmax(-1))


def decode_at(heatmaps, index, reach=3, sharpness=16.0):
    """The same for given cells [B, J] of the maps."""
    size = heatmaps.shape[-1]
    value = heatmaps.flatten(2).gather(-1, index[..., None])[..., 0]
    x, y = index % size, index // size
    cells = torch.arange(size, device=heatmaps.device)
    across, down = cells - x[..., None], cells - y[..., None]
    weight = torch.exp(sharpness * (heatmaps - value[..., None, None]))
    weight = weight * ((across.abs() <= reach)[..., None, :] & (down.abs() <= reach)[..., None])
    total = weight.sum((-2, -1))
    fx = x + 0.5 + (weight * across[..., None, :]).sum((-2, -1)) / total
    fy = y + 0.5 + (weight * down[..., None]).sum((-2, -1)) / total
    return torch.stack([fx * 2 / size - 1, fy * 2 / size - 1, value], -1)


def separated(heatmaps, joints, same_place=0.8, apart=3, longest=0.75, shortest_trunk=0.3):
    """Chooses among the two highest peaks of each knee, ankle and wrist, as the C++ estimator's
    `separate_sides`: a value counts exp(-4 (d / l - 1)) if the limb's length d exceeds l = `longest`
    trunks, and the sum of both sides `same_place` if they lie within `apart` cells."""
    size, joints = heatmaps.shape[-1], joints.clone()
    everyone = torch.arange(len(heatmaps), device=heatmaps.device)
    trunk = (joints[:, PELVIS, :2] - joints[:, UPPER_NECK, :2]).norm(dim=-1)
    limit = longest * trunk.clamp_min(shortest_trunk)[:, None]
    for ends, froms in (((1, 4), (2, 3)), ((0, 5), (1, 4)), ((10, 15), (11, 14))):
        worth, places, cells = [], [], []
        for end, from_ in zip(ends, froms):
            one = heatmaps[:, end]
            is_peak = one == functional.max_pool2d(one[:, None], 7, stride=1, padding=3)[:, 0]
            cell = torch.where(is_peak, one, torch.zeros((), device=one.device)).flatten(1).topk(2, -1)[1]
            place = decode_at(one[:, None].expand(-1, 2, -1, -1), cell)
            length = (place[..., :2] - joints[:, from_, None, :2]).norm(dim=-1)
            worth.append(place[..., 2].clamp_min(0) * torch.exp(-4 * (length / limit - 1).clamp_min(0)))
            places.append(place)
            cells.append(cell)
        difference = torch.stack([cells[0][:, :, None] % size - cells[1][:, None] % size,
                                  cells[0][:, :, None] // size - cells[1][:, None] // size])
        together = difference.square().sum(0) < apart * apart
        total = worth[0][:, :, None] + worth[1][:, None]
        best = torch.where(together, same_place * total, total).flatten(1).argmax(1)
        for end, place, choice in zip(ends, places, (best // 2, best % 2)):
            found = place[everyone, choice]
            seen = found[:, 2] > 0
            joints[seen, end] = found[seen]
    return joints


@torch.no_grad()
def evaluate(model, pool, size, count=400, batch=25, device="cpu"):
    """PCK@0.2 of the torso's diagonal and silhouette IoU on the first `count` pictures."""
    hits, total, both, either = 0, 0, 0, 0
    for start in range(0, min(count, len(pool)), batch):
        sample = batch_of(pool, np.arange(start, min(start + batch, len(pool))), size, 1.0)
        sample = on_device(sample, device)
        with torch.autocast(device, torch.bfloat16):
            heatmaps, logits = model(sample["pictures"])[-1]
        found = decode(heatmaps.float())[..., :2]
        torso = (sample["points"][:, TORSO[0]] - sample["points"][:, TORSO[1]]).norm(dim=-1)
        near = (found - sample["points"]).norm(dim=-1) < 0.2 * torso[:, None].clamp_min(0.1)
        hits += (near & sample["inside"]).sum().item()
        total += sample["inside"].sum().item()
        body, truth = logits[:, 0] > logits[:, 1], sample["masks"] > 0.5
        both += (body & truth).sum().item()
        either += (body | truth).sum().item()
    return dict(pck=hits / max(1, total), iou=both / max(1, either))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, nargs="+",
                        help="folders of training shards; one named twice is drawn from twice as often")
    parser.add_argument("--validation", required=True, help="folder of validation shards")
    parser.add_argument("--out", help="folder of the run (default: runs/human2d-SIZE)")
    parser.add_argument("--from", dest="initial", help="checkpoint whose weights to start from")
    parser.add_argument("--features", type=int, default=96)
    parser.add_argument("--stacks", type=int, default=2)
    parser.add_argument("--modules", type=int, default=1)
    parser.add_argument("--deep-modules", type=int,
                        help="modules in the two innermost orders of each hourglass (default: --modules)")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--optimizer", choices=["adam", "rmsprop", "muon"], default="adam")
    parser.add_argument("--wide", action="store_true", help="augments more, for the few photographs that there are")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    if not 64 <= arguments.size <= 256 or arguments.size % 64:
        raise SystemExit(f"--size {arguments.size}: 64, 128, 192 or 256 was expected")
    if arguments.batch < 1:
        raise SystemExit(f"--batch {arguments.batch}: at least 1 was expected")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"--device {arguments.device}: this machine, or this PyTorch, has no such GPU")
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    size, sigma = arguments.size, sigma_of(arguments.size // 4)
    pool, validation = PicturePool(*arguments.pool), PicturePool(arguments.validation)
    model = Human2D(16, arguments.features, arguments.stacks, arguments.modules, arguments.deep_modules)
    model = model.to(arguments.device, memory_format=torch.channels_last)
    run = Run(arguments.out or HERE / "runs" / f"human2d-{size}", model, arguments.rate,
              arguments.minutes, optimizer=arguments.optimizer, initial_weights=arguments.initial,
              research=pool.research)

    def loss_of(network, batch, progress):
        batch = on_device(batch, arguments.device)
        with torch.autocast(arguments.device, torch.bfloat16):
            outputs = network(batch["pictures"])
        heat, silhouette = losses(outputs, batch)
        return 100 * heat + silhouette, dict(heat=heat.item(), silhouette=silhouette.item())

    run.train(batches(pool, size, arguments.batch, sigma, arguments.seed + run.step, arguments.device, wide=arguments.wide),
              loss_of,
              lambda network: evaluate(network, validation, size, device=arguments.device))


if __name__ == "__main__":
    main()
