"""Reads the photographer's shards and makes augmented training batches for Human2D."""
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

# Flipping a picture swaps left and right joints (MPII order).
MIRRORED_JOINTS = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]
# random_affine's for pictures that are seen so often that they would be learned by heart.
WIDE = dict(rotation=0.5, scale=0.3, shift=0.08, straight=0.4)


class Shard(dict):
    """The fields of a folder of arrays by name, each mapped into memory when it is first asked for."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def __missing__(self, name):
        self[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return self[name]

    @property
    def is_of_photographs(self):
        """Whether not everything is labelled: only real_pool.py's shards say what is."""
        return (self.folder / "known.npy").exists()

    def known(self, row):
        return self["known"][row] if self.is_of_photographs else np.ones(17, np.uint8)


class PicturePool:
    """All shards of one or more folders as one array a field, memory-mapped.

    New shards may appear while a training runs: `refresh` takes them in. A folder named twice is
    drawn from twice as often.
    """

    def __init__(self, *folders):
        self.folders = [Path(folder) for folder in folders]
        self.folder = self.folders[0]
        self.shards = {}
        self.refresh()

    def refresh(self):
        folders = []
        for folder in self.folders:
            found = sorted(p.parent for p in folder.glob("shard_*/images.npy"))
            if not found:
                raise SystemExit(f"{folder}: no finished shard; run photographer/generate.py first")
            folders += found
        self.shards = {folder: self.shards[folder] if folder in self.shards else Shard(folder) for folder in folders}
        shards = [self.shards[folder] for folder in folders]
        # Set at once: another thread may be reading.
        self.content = shards, np.cumsum([0] + [len(s["images"]) for s in shards])

    def __len__(self):
        return int(self.content[1][-1])

    @property
    def research(self):
        """Whether some of the pictures are photographs for research only."""
        return any(shard.is_of_photographs for shard in self.shards.values())

    def rows(self, indices):
        """The shard and the row in it of each index, for several fields of the same pictures while the pool grows."""
        shards, starts = self.content
        which = np.searchsorted(starts, indices, side="right") - 1
        return [(shards[s], i - starts[s]) for s, i in zip(which, indices)]

    def take(self, indices, name):
        """Rows of one field, in the order of `indices`."""
        return np.stack([shard[name][row] for shard, row in self.rows(indices)])


def heatmaps_of(joints, size, sigma):
    """Gaussians of peak 1 [B, J, size, size]; joints [B, J, 2] in heat-map pixels, centres at .5."""
    grid = torch.arange(size, device=joints.device) + 0.5
    dx = torch.exp(-((grid - joints[..., 0:1]) ** 2) / (2 * sigma * sigma))
    dy = torch.exp(-((grid - joints[..., 1:2]) ** 2) / (2 * sigma * sigma))
    return dy[..., :, None] * dx[..., None, :]


def random_affine(count, generator, rotation=0.35, scale=0.2, shift=0.06, straight=0.6):
    """2x3 matrices, output [-1, 1] to input [-1, 1]; a share of `straight` without rotation: 60 %, as in the paper's code,
    whose others turn by 30 degrees (one standard deviation, at most two) where these turn by 20."""
    where = dict(generator=generator, device=generator.device)
    angle = rotation * torch.randn(count, **where).clamp(-2, 2)
    angle = torch.where(torch.rand(count, **where) < straight, 0.0, angle)
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


def coarsened(pictures, generator, share=0.25):
    """Some pictures with only every second pixel's worth of detail, as a person is seen who was small."""
    some = torch.rand(len(pictures), generator=generator, device=pictures.device) < share
    coarse = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    return torch.where(some[:, None, None, None], coarse, pictures)


def covered(pictures, masks, generator, share=0.4):
    """Pictures and masks where some pictures are hidden by a rectangle of another one: 15 to 45 % of the side high and wide."""
    count, where = len(pictures), dict(generator=generator, device=pictures.device)
    centre = 2 * torch.rand(count, 2, **where) - 1
    reach = (0.15 + 0.3 * torch.rand(count, 2, **where)) * (torch.rand(count, 1, **where) < share)

    def hidden(size):
        places = (torch.arange(size, device=pictures.device) + 0.5) * (2 / size) - 1
        within = (places - centre[..., None]).abs() < reach[..., None]
        return (within[:, 1, :, None] & within[:, 0, None, :])[:, None]

    return (torch.where(hidden(pictures.shape[-1]), pictures.roll(1, 0), pictures),
            torch.where(hidden(masks.shape[-1]), 0.0, masks))


def stored(pool, indices):
    """Rows of a pool as they lie on the disk, and `known` [B, 17]: whether each of the 16 joints, and the mask, is labelled."""
    rows = pool.rows(indices)
    fields = {name: np.stack([shard[name][row] for shard, row in rows]) for name in ("images", "joints", "mask")}
    known = np.stack([shard.known(row) for shard, row in rows]) > 0
    return {name: torch.from_numpy(value) for name, value in dict(fields, known=known).items()}


def batch_of(pool, indices, size, sigma, generator=None):
    """One batch: pictures [B, 3, size, size], heat maps, body masks, and which of them are labelled.

    With a generator the pictures are augmented (flip, affine, colour); without they are as stored.
    """
    return developed(stored(pool, indices), size, sigma, generator)


def developed(rows, size, sigma, generator=None, wide=False):
    """The batch of `batch_of` from stored rows, on their device; `wide` augments more, for pictures that are seen often."""
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
        affine = random_affine(count, generator, **(WIDE if wide else {}))
        grid = torch.nn.functional.affine_grid(affine, (count, 3, size, size), align_corners=False)
        # Grey beyond the picture, as the estimator's crops are beyond the photo.
        pictures = 0.5 + torch.nn.functional.grid_sample(pictures - 0.5, grid, align_corners=False)
        small = torch.nn.functional.affine_grid(affine, (count, 1, size // 2, size // 2),
                                                align_corners=False)
        masks = torch.nn.functional.grid_sample(masks, small, align_corners=False)
        linear, offset = affine[:, :, :2], affine[:, None, :, 2]
        points = torch.linalg.solve(linear[:, None], (points - offset)[..., None])[..., 0]
        inside = inside & (points.abs() < 1).all(-1)
        if wide:
            pictures, masks = covered(coarsened(pictures, generator), masks, generator)
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


def batches(pool, size, batch, sigma, seed, device="cpu", ahead=3, wide=False):
    """Endless augmented batches on a device; a thread reads the next ones meanwhile."""
    generator = torch.Generator(device).manual_seed(seed)
    rows, reading = orders(pool, batch, seed), []
    with ThreadPoolExecutor(1) as reader:
        while True:
            while len(reading) < ahead:
                reading.append(reader.submit(stored, pool, next(rows)))
            ready = {name: value.to(device, non_blocking=True) for name, value in reading.pop(0).result().items()}
            yield developed(ready, size, sigma, generator, wide)
