"""What accuracy is measured in: numpy only, every function a formula."""
import numpy as np

MPII = ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "thorax", "upper_neck",
        "head_top", "r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist")
LSP = ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "r_wrist", "r_elbow", "r_shoulder",
       "l_shoulder", "l_elbow", "l_wrist", "neck", "head_top")


def lsp_of_mpii(joints):
    """MPII's joints [..., 16, C] in LSP's order. LSP's neck lies between MPII's thorax and upper neck."""
    order = [MPII.index(name) for name in LSP if name != "neck"]
    neck = 0.5 * (joints[..., MPII.index("thorax"), :] + joints[..., MPII.index("upper_neck"), :])
    found = joints[..., order, :]
    return np.concatenate([found[..., :12, :], neck[..., None, :], found[..., 12:, :]], -2)


def correct(found, truth, torso, share=0.2):
    """Whether each joint [N, J, 2] is within `share` of the torso [N] of its place (Yang and Ramanan 2013)."""
    return np.linalg.norm(found - truth, axis=-1) < share * torso[:, None]


def displacements(found, truth, labelled, torso, near=0.35):
    """Where joints are found beside their labels: medians [14, 2] of found - truth ([N, 14, 2], LSP's order) in torsos [N],
    up the trunk and outwards (away from the other side), over those that are labelled [N, 14] and at most `near` off."""
    place = {name: truth[:, LSP.index(name)] for name in LSP}
    trunk = (place["r_shoulder"] + place["l_shoulder"] - place["r_hip"] - place["l_hip"]) / 2
    up = trunk / np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-6)
    left = np.stack([-up[:, 1], up[:, 0]], 1)
    left *= np.sign(np.sum(left * (place["l_shoulder"] - place["r_shoulder"]), 1, keepdims=True))
    corners = labelled[:, [LSP.index(name) for name in ("r_hip", "l_hip", "r_shoulder", "l_shoulder")]].all(1)
    apart = (found - truth) / torso[:, None, None]
    counted = labelled & corners[:, None] & (np.linalg.norm(apart, axis=-1) <= near)
    side = np.array([{"l": 1, "r": -1}.get(name[0], 0) if name[1] == "_" else 0 for name in LSP])
    upwards = np.einsum("njc,nc->nj", apart, up)
    outwards = np.einsum("njc,nc->nj", apart, left) * side
    return np.array([[np.median(u[use]), np.median(o[use])] if use.any() else [np.nan, np.nan]
                     for u, o, use in zip(upwards.T, outwards.T, counted.T)])


def intersection_over_union(found, truth):
    """Of two boolean masks."""
    return (found & truth).sum() / max(1, (found | truth).sum())


def box_overlap(a, b):
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, width) * max(0, height)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / area


class Foreground:
    """Accuracy and F1 of body against background, pixels counted over all pictures (the mean of both classes' F1)."""

    def __init__(self):
        self.table = np.zeros((2, 2))

    def add(self, found, truth):
        for f in (0, 1):
            for t in (0, 1):
                self.table[f, t] += ((found == bool(f)) & (truth == bool(t))).sum()

    def figures(self):
        right = np.diag(self.table)
        f1 = 2 * right / (self.table.sum(0) + self.table.sum(1))
        return right.sum() / self.table.sum(), f1.mean()


def aligned(found, truth):
    """`found` [N, J, 3] after the similarity that brings it nearest to `truth` (Umeyama 1991)."""
    mean_found, mean_truth = found.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    x, y = found - mean_found, truth - mean_truth
    u, s, vt = np.linalg.svd(np.swapaxes(x, 1, 2) @ y)
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = u @ (sign[:, :, None] * vt)
    scale = (s * sign).sum(1) / (x ** 2).sum((1, 2))
    return scale[:, None, None] * (x @ rotation) + mean_truth


def under_root(vertices, pelvis, root, true_root):
    """Bodies [N, V, 3] turned about their pelvis [N, 3] from their root's rotation [N, 3, 3] to the true one."""
    turn = true_root @ np.swapaxes(root, 1, 2)
    return (vertices - pelvis[:, None]) @ np.swapaxes(turn, 1, 2) + pelvis[:, None]


def turned_by(rotations, truth):
    """Angles between rotations [N, 3, 3] in degrees."""
    trace = (rotations * truth).sum((1, 2))
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def per_vertex(vertices, truth):
    """Mean distance of the vertices [N, V, 3] from their true places, no alignment, in millimetres."""
    return 1000 * np.linalg.norm(vertices - truth, axis=-1).mean(1)


def mesh_errors(vertices, joints, true_vertices, true_joints, pelvis=MPII.index("pelvis")):
    """Millimetres of one or more bodies [N]: per-vertex (no alignment), MPJPE (pelvis on pelvis), PA-MPJPE."""
    def centred(j):
        return j - j[:, pelvis:pelvis + 1]
    return np.stack([
        per_vertex(vertices, true_vertices),
        1000 * np.linalg.norm(centred(joints) - centred(true_joints), axis=-1).mean(1),
        1000 * np.linalg.norm(aligned(joints, true_joints) - true_joints, axis=-1).mean(1)], 1)
