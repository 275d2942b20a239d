"""Sparse convex combinations of vertices that give joints, fitted by non-negative least squares."""

import numpy as np
from scipy.optimize import nnls

LARGEST_ROW = 32


def convex_row(vertices, targets, candidates, mirror, on_midline):
    """Weights [V] over `candidates` for targets [N, 3] from vertices [N, V, 3]; symmetric for a joint on the midline."""
    count = vertices.shape[1]
    if on_midline:
        candidates = np.unique(np.minimum(candidates, mirror[candidates]))
    points = vertices[:, candidates]
    if on_midline:
        points = 0.5 * (points + vertices[:, mirror[candidates]])
    most = LARGEST_ROW // 2 if on_midline else LARGEST_ROW
    offsets = (points - targets[:, None]).transpose(0, 2, 1).reshape(-1, len(candidates)).astype(np.float64)
    weights = convex_weights(offsets)
    strongest = np.argsort(-weights, kind="stable")[:most]
    strongest = np.sort(strongest[weights[strongest] > 1e-4])
    row = np.zeros(count)
    row[candidates[strongest]] = convex_weights(offsets[:, strongest])
    if on_midline:
        row = 0.5 * (row + row[mirror])
    return row


def convex_weights(offsets):
    """Non-negative w with sum 1 that minimises |offsets w|, with a little weight on an even spread."""
    count = offsets.shape[1]
    scale = np.sqrt(len(offsets))
    rows = [offsets / scale, np.full((1, count), 10.0), np.eye(count) * 2e-3]
    right = np.zeros(len(offsets) + 1 + count)
    right[len(offsets)] = 10.0
    weights = nnls(np.concatenate(rows), right, maxiter=50 * count)[0]
    return weights / weights.sum()


def fit_rows(vertices, targets, mirror, mirrored_joints):
    """Regressor [J, V] for targets [N, J, 3] from vertices [N, V, 3], exactly left-right symmetric.

    Candidates are the vertices that stay nearest to the joint over the samples. The joints of the spine lie close to
    the back, so theirs reach further, or the belly would not be among them.
    """
    joint_count = targets.shape[1]
    regressor = np.zeros((joint_count, vertices.shape[1]))
    for j in range(joint_count):
        twin = mirrored_joints[j]
        if twin < j:
            regressor[j] = regressor[twin][mirror]
            continue
        distance = np.mean([np.linalg.norm(v - t[j], axis=1) for v, t in zip(vertices[::8], targets[::8])], 0)
        on_midline = twin == j
        nearest = np.argsort(distance, kind="stable")
        candidates = np.sort(nearest[:1000:2] if on_midline else nearest[:160])
        regressor[j] = convex_row(vertices, targets[:, j], candidates, mirror, on_midline)
    return regressor
