"""Trains ShapePrior: a 64x64 silhouette to beta (Pavlakos et al. 2018, section 4.2).

    python weights/recipes/train_shape_prior.py --pool POOL --validation POOL --minutes 10

Sixty per cent of the silhouettes are of the dressed person, the others of the naked body, as the
photographer drew them; they are flipped, shifted, softened and eaten at, because Human2D's are not
perfect. Where `observe.py` has run, the dressed ones are those that Human2D really saw. As in the paper
the first 40 % of the time trains beta alone, then the vertices are added.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from networks import ShapePrior
from picture_pool import PicturePool
from training import Run

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


class Silhouettes:
    """The pool's silhouettes at 64 x 64, dressed and naked, and their betas: small enough for memory."""

    def __init__(self, pool):
        rows = np.arange(len(pool))
        dressed = [functional.avg_pool2d(torch.from_numpy(pool.take(part, "mask")).float(), 2)
                   for part in np.array_split(rows, max(1, len(rows) // 1000))]
        self.dressed = torch.cat(dressed).round().to(torch.uint8)
        self.naked = torch.from_numpy(pool.take(rows, "body_mask"))
        self.beta = torch.from_numpy(pool.take(rows, "beta")).float()
        self.observed = None
        self.research = False  # whether a Human2D saw them that knows photographs for research only
        if (pool.folder / "observed.npz").exists():
            observed = np.load(pool.folder / "observed.npz")
            self.observed = torch.from_numpy(observed["silhouette"])
            self.research = bool(observed.get("research", False))

    def __len__(self):
        return len(self.beta)

    def take(self, rows, dressed):
        """[B, 1, 64, 64] in [0, 1], dressed or naked for each row."""
        masks = torch.where(dressed[:, None, None], self.dressed[rows], self.naked[rows])
        if self.observed is not None:
            seen = (rows < len(self.observed)) & dressed
            masks[seen] = self.observed[rows[seen]]
        return masks[:, None].float() / 255


def spoilt(masks, random):
    """Flips, shifts by up to 3 cells, softens, thickens or thins, and cuts pieces out."""
    count = len(masks)
    flip = torch.rand(count, generator=random) < 0.5
    masks = torch.where(flip[:, None, None, None], masks.flip(-1), masks)
    zoom = torch.exp(0.12 * (2 * torch.rand(count, generator=random) - 1))
    shift = 0.1 * (2 * torch.rand(count, 2, generator=random) - 1)
    zero = torch.zeros(count)
    affine = torch.stack([torch.stack([zoom, zero, shift[:, 0]], 1),
                          torch.stack([zero, zoom, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(affine, masks.shape, align_corners=False)
    masks = functional.grid_sample(masks, grid, align_corners=False)
    soft = functional.avg_pool2d(masks, 3, stride=1, padding=1)
    # A threshold away from one half on the softened mask thickens or thins it by half a cell.
    edge = 0.25 + 0.5 * torch.rand(count, 1, 1, 1, generator=random)
    masks = torch.sigmoid((soft - edge) * (6 + 14 * torch.rand(count, 1, 1, 1, generator=random)))
    noise = functional.interpolate(torch.rand(count, 1, 8, 8, generator=random), 64, mode="bilinear")
    hole = (noise > 0.86) & (torch.rand(count, 1, 1, 1, generator=random) < 0.3)
    return torch.where(hole, masks * 0.3, masks)


def batches(people, batch, seed):
    random = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(people), generator=random)
        for rows in order[:len(order) // batch * batch].view(-1, batch):
            dressed = torch.rand(batch, generator=random) < 0.6
            yield dict(input=spoilt(people.take(rows, dressed), random), beta=people.beta[rows])


class VertexDistance:
    """Mean squared distance of the rest pose's vertices, m^2 [B]: a quadratic form, since they depend on beta linearly."""

    def __init__(self, body):
        shapes = np.asarray(np.load(body)["shapedirs"], np.float64)[..., :10]
        self.gram = torch.from_numpy(np.einsum("vck,vcl->kl", shapes, shapes) / len(shapes)).float()

    def __call__(self, difference):
        return torch.einsum("bk,kl,bl->b", difference, self.gram, difference)


def loss_of(network, batch, vertex_distance, vertex_weight):
    """Squared differences of beta and, with a weight, of the vertices."""
    with torch.autocast("cpu", torch.bfloat16):
        beta = network(batch["input"].contiguous(memory_format=torch.channels_last))
    difference = beta.float() - batch["beta"]
    vertices = vertex_distance(difference)
    loss = difference.square().sum(1).mean() + vertex_weight * vertices.mean()
    return loss, dict(beta=difference.detach().square().mean().item(),
                      vertex_mm=1000 * vertices.detach().mean().sqrt().item())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--body", default=str(REPOSITORY / "weights" / "body.npz"))
    parser.add_argument("--out", default=str(HERE / "runs" / "shape_prior"))
    parser.add_argument("--from", dest="initial", help="checkpoint whose weights to start from")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--optimizer", choices=["adam", "rmsprop"], default="adam")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    people = Silhouettes(PicturePool(arguments.pool))
    validation = Silhouettes(PicturePool(arguments.validation))
    vertex_distance = VertexDistance(arguments.body)
    everyone = torch.arange(min(1000, len(validation)))
    dressed = validation.take(everyone, torch.ones(len(everyone), dtype=torch.bool))
    truth = validation.beta[everyone]

    @torch.no_grad()
    def evaluate(network):
        network.eval()
        difference = network(dressed) - truth
        return dict(validation_vertex_mm=1000 * vertex_distance(difference).mean().sqrt(),
                    mean_shape_vertex_mm=1000 * vertex_distance(truth).mean().sqrt(),
                    **{f"validation_beta{k}": difference[:, k].square().mean().sqrt()
                       for k in range(3)})

    run = Run(arguments.out, ShapePrior(dropout=0.1).to(memory_format=torch.channels_last), arguments.rate, arguments.minutes,
              optimizer=arguments.optimizer, initial_weights=arguments.initial, research=people.research)
    run.train(batches(people, arguments.batch, arguments.seed + run.step),
              lambda net, batch, progress: loss_of(net, batch, vertex_distance, 1000 if progress >= 0.4 else 0),
              evaluate, every_minutes=1.0)


if __name__ == "__main__":
    main()
