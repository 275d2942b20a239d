"""Reads the photographer's shards and makes augmented training batches for Human2D."""
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

# Flipping a picture swaps left and right joints (MPII order).
MIRRORED_JOINTS = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]


class PicturePool:
    """All shards of one or more folders as one array a field, memory-mapped.

    New shards may appear while a training runs: `refresh` takes them in. A folder named twice is
    drawn from twice as often.
    """

    def __init__(self, *folders):
        self.folders = [Path(folder) for folder in folders]
        self.folder = self.folders[0]
        self.refresh()

    def refresh(self):
        folders = []
        for folder in self.folders:
            found = sorted(p.parent for p in folder.glob("shard_*/images.npy"))
            if not found:
                raise SystemExit(f"{folder}: no finished shard; run photographer/generate.py first")
            folders += found
        shards = [{p.stem: np.load(p, mmap_mode="r") for p in folder.glob("*.npy")} for folder in folders]
        # Set at once: another thread may be reading.
        self.content = shards, np.cumsum([0] + [len(s["images"]) for s in shards])

    def __len__(self):
        return int(self.content[1][-1])

    def take(self, indices, name):
        """Rows of one field, in the order of `indices`."""
        shards, starts = self.content
        which = np.searchsorted(starts, indices, side="right") - 1
        return np.stack([shards[s][name][i - starts[s]] for s, i in zip(which, indices)])

    def known(self, indices):
        """Whether each of the 16 joints, and the mask, is labelled [B, 17]: all, in the photographer's pictures."""
        shards, starts = self.content
        which = np.searchsorted(starts, indices, side="right") - 1
        all_known = np.ones(17, np.uint8)
        return np.stack([shards[s]["known"][i - starts[s]] if "known" in shards[s] else all_known
                         for s, i in zip(which, indices)]) > 0


def heatmaps_of(joints, size, sigma):
    """Gaussians of peak 1 [B, J, size, size]; joints [B, J, 2] in heat-map pixels, centres at .5."""
    grid = torch.arange(size, device=joints.device) + 0.5
    dx = torch.exp(-((grid - joints[..., 0:1]) ** 2) / (2 * sigma * sigma))
    dy = torch.exp(-((grid - joints[..., 1:2]) ** 2) / (2 * sigma * sigma))
    return dy[..., :, None] * dx[..., None, :]


def random_affine(count, generator, rotation=0.35, scale=0.2, shift=0.06):
    """2x3 matrices, output [-1, 1] to input [-1, 1]; 60 % without rotation, as the paper's code, whose others turn by 30
    degrees (one standard deviation, at most two) where these turn by 20."""
    where = dict(generator=generator, device=generator.device)
    angle = rotation * torch.randn(count, **where).clamp(-2, 2)
    angle = torch.where(torch.rand(count, **where) < 0.6, 0.0, angle)
    zoom = torch.exp(scale * (2 * torch.rand(count, **where) - 1))
    offset = shift * (2 * torch.rand(count, 2, **where) - 1)
    cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
    return torch.stack([torch.stack([cosine, -sine, offset[:, 0]], 1),
                        torch.stack([sine, cosine, offset[:, 1]], 1)], 1)


def colour_jitter(pictures, generator):
    """Channel gains, brightness, contrast, saturation, sometimes grey, noise; pictures in [0, 1]."""
    count, where = len(pictures), dict(generator=generator, device=generator.device)

    def uniform(low, high, channels=1):
        return low + (high - low) * torch.rand(count, channels, 1, 1, **where)

    grey = pictures.mean(1, keepdim=True)
    saturation = uniform(0.6, 1.3) * (torch.rand(count, 1, 1, 1, **where) > 0.04)
    pictures = grey + (pictures - grey) * saturation
    pictures = pictures * uniform(0.85, 1.15, 3)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * uniform(0.7, 1.3) + uniform(-0.1, 0.1)
    pictures = pictures.clamp(1e-4, 1) ** uniform(0.8, 1.25)
    noise = torch.randn(pictures.shape, **where) * uniform(0, 0.025)
    return (pictures + noise).clamp(0, 1)


def stored(pool, indices):
    """Rows of a pool as they lie on the disk."""
    return dict({name: torch.from_numpy(pool.take(indices, name)) for name in ("images", "joints", "mask")},
                known=torch.from_numpy(pool.known(indices)))


def batch_of(pool, indices, size, sigma, generator=None):
    """One batch: pictures [B, 3, size, size], heat maps, body masks, and which of them are labelled.

    With a generator the pictures are augmented (flip, affine, colour); without they are as stored.
    """
    return developed(stored(pool, indices), size, sigma, generator)


def developed(rows, size, sigma, generator=None):
    """The batch of `batch_of` from stored rows, on their device."""
    pictures = rows["images"].permute(0, 3, 1, 2)
    joints = rows["joints"].float()
    masks = rows["mask"].float()[:, None] / 255
    device, side = pictures.device, pictures.shape[-1]
    pictures = pictures.float() / 255
    if size < side and side % size == 0:
        pictures = torch.nn.functional.avg_pool2d(pictures, side // size)
    elif size < side and generator is None:
        pictures = torch.nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
    points = joints[..., :2] * (2 / side) - 1
    inside = joints[..., 2] > 0
    known, known_masks = rows["known"][:, :16], rows["known"][:, 16]
    if generator is not None:
        count = len(pictures)
        flip = torch.rand(count, generator=generator, device=device) < 0.5
        pictures = torch.where(flip[:, None, None, None], pictures.flip(-1), pictures)
        masks = torch.where(flip[:, None, None, None], masks.flip(-1), masks)
        mirrored = points[:, MIRRORED_JOINTS] * torch.tensor([-1.0, 1.0], device=device)
        points = torch.where(flip[:, None, None], mirrored, points)
        inside = torch.where(flip[:, None], inside[:, MIRRORED_JOINTS], inside)
        known = torch.where(flip[:, None], known[:, MIRRORED_JOINTS], known)
        affine = random_affine(count, generator)
        grid = torch.nn.functional.affine_grid(affine, (count, 3, size, size), align_corners=False)
        pictures = torch.nn.functional.grid_sample(pictures, grid, padding_mode="reflection",
                                                   align_corners=False)
        small = torch.nn.functional.affine_grid(affine, (count, 1, size // 2, size // 2),
                                                align_corners=False)
        masks = torch.nn.functional.grid_sample(masks, small, padding_mode="reflection",
                                                align_corners=False)
        linear, offset = affine[:, :, :2], affine[:, None, :, 2]
        points = torch.linalg.solve(linear[:, None], (points - offset)[..., None])[..., 0]
        inside = inside & (points.abs() < 1).all(-1)
        pictures = colour_jitter(pictures, generator)
    heat = size // 4
    targets = heatmaps_of((points + 1) * (heat / 2), heat, sigma) * inside[..., None, None]
    masks = torch.nn.functional.adaptive_avg_pool2d(masks, heat)[:, 0]
    return dict(pictures=pictures - 0.5, heatmaps=targets, masks=masks, points=points,
                inside=inside & known, known=known, known_masks=known_masks)


def orders(pool, batch, seed):
    """Endless rows of batches; each pass over the pool, and what was added to it, has its own order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        pool.refresh()
        if len(pool) < batch:
            raise SystemExit(f"{pool.folder}: {len(pool)} pictures, at least one batch of {batch} was expected")
        order = torch.randperm(len(pool), generator=generator).numpy()
        for start in range(0, math.floor(len(order) / batch) * batch, batch):
            yield np.sort(order[start:start + batch])


def batches(pool, size, batch, sigma, seed, device="cpu", ahead=3):
    """Endless augmented batches on a device; a thread reads the next ones meanwhile."""
    generator = torch.Generator(device).manual_seed(seed)
    rows, reading = orders(pool, batch, seed), []
    with ThreadPoolExecutor(1) as reader:
        while True:
            while len(reading) < ahead:
                reading.append(reader.submit(stored, pool, next(rows)))
            ready = {name: value.to(device, non_blocking=True) for name, value in reading.pop(0).result().items()}
            yield developed(ready, size, sigma, generator)
