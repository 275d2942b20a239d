"""The report on what Human2D sees in the photographer's pictures: joints, silhouettes, confidence."""
import numpy as np

import measures
from laboratory import CELLS, joints_of
from tables import table


def synthetic_hits(pool, estimates):
    """Hits and labels [N, 16] of PCK@0.2 on the photographer's pictures."""
    rows = np.arange(len(pool))
    truth = pool.take(rows, "joints").astype(np.float64)
    torso = np.linalg.norm(truth[:, measures.MPII.index("r_hip"), :2]
                           - truth[:, measures.MPII.index("l_shoulder"), :2], axis=-1)
    # A torso seen end on has no length: at least a twentieth of the crop's side is taken.
    side = pool.take(rows[:1], "images").shape[1]
    hits = measures.correct(joints_of(estimates)[..., :2], truth[..., :2], np.maximum(torso, 0.05 * side))
    inside = truth[..., 2] > 0
    return hits & inside, inside


def synthetic_overlap(pool, estimates, silhouettes):
    """Silhouette IoU over all pixels at 64 x 64 on the photographer's pictures."""
    rows = np.arange(len(pool))
    masks = np.asarray(pool.take(rows, "mask"), np.float32)
    both = either = 0
    for row in rows:
        true = masks[row].reshape(CELLS, 2, CELLS, 2).mean((1, 3)) > 127
        seen = silhouettes(row) if "error" not in estimates[row] else np.zeros_like(true)
        both, either = both + (true & seen).sum(), either + (true | seen).sum()
    return both / either


def reliability(estimates, hits, path, bins=10):
    """Draws the share of joints found against the confidence that the estimator gave; the expected calibration
    error: the mean distance of the two, weighted by how many joints each bin holds (Naeini et al. 2015)."""
    from matplotlib import pyplot
    confidence = joints_of(estimates)[..., 2]
    found = np.array(["error" not in one for one in estimates])
    confidence, hits = confidence[found].ravel(), hits[found].ravel()
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    share = np.bincount(place, hits, bins) / np.maximum(count, 1)
    mean = np.bincount(place, confidence, bins) / np.maximum(count, 1)
    figure, axis = pyplot.subplots(figsize=(4.2, 3.4))
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axis.plot(mean[count > 0], share[count > 0], "o-")
    axis.bar((np.arange(bins) + 0.5) / bins, count / count.sum(), 0.9 / bins, color="0.85", zorder=0)
    axis.set(xlabel="confidence", ylabel="share found within a fifth of the torso", xlim=(0, 1), ylim=(0, 1))
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    return float((np.abs(share - mean) * count).sum() / count.sum())


def section(lab, pool, estimates, once, quarter, coarse, picture):
    """The tables; `once` was estimated without the mirror, `quarter` to a quarter cell, `coarse` in bfloat16; `picture` is
    drawn."""
    def silhouettes(name):
        def cells(row):
            mask = lab.mask(name, row, "seen").astype(np.float32)
            return mask.reshape(CELLS, 4, CELLS, 4).mean((1, 3)) > 127
        return cells

    hits, count = synthetic_hits(pool, estimates)
    columns = [hits.sum(0), *(synthetic_hits(pool, one)[0].sum(0) for one in (once, quarter, coarse))]
    overlap = synthetic_overlap(pool, estimates, silhouettes("synthetic"))
    overlap_once = synthetic_overlap(pool, once, silhouettes("synthetic-once"))
    overlap_coarse = synthetic_overlap(pool, coarse, silhouettes("synthetic-bfloat16"))
    calibration = reliability(estimates, hits, picture)
    count = count.sum(0)
    joints = table(["joint", "PCK@0.2", "without the mirror", "to a quarter cell", "in bfloat16"],
                   [[name] + [f"{hit[k] / count[k]:.3f}" for hit in columns] for k, name in enumerate(measures.MPII)]
                   + [["all"] + [f"{hit.sum() / count.sum():.3f}" for hit in columns],
                      ["silhouette IoU", f"{overlap:.3f}", f"{overlap_once:.3f}", "", f"{overlap_coarse:.3f}"]])
    return f"""## On synthetic pictures
{len(pool)} pictures of the photographer, seed 1: clothes, skins, hair, backgrounds and mocap sequences that no training
picture shows (but the loose garments, which are cut at random, come from the same sampler), with occluders, cut-offs,
blur and noise. PCK@0.2: share of the joints inside the crop that are found
within a fifth of the torso's diagonal (right hip to left shoulder). "Without the mirror": Human2D looks once.
"To a quarter cell": joints are read by the highest cell and its larger neighbours instead of by soft-argmax.
"In bfloat16": all products of Human2D but its heads' are (`arithmetic::bfloat16`).

{joints}

The confidence of a joint against how often it is right (bars: how many joints have it); expected calibration error
{calibration:.3f}:

![reliability](images/{picture.name})
"""
