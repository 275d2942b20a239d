"""Errors in space against the truth of a pool."""
import numpy as np
import torch

import measures
from body_measures import BodyMeasures
from poses import pose_pool
from smpl_torch import SmplSubset, rotation_matrices

PART = 50  # bodies at a time


def mean_pose(data, body):
    """The chordal mean of the training poses' rotations, joint by joint."""
    u, _, v = torch.linalg.svd(rotation_matrices(torch.from_numpy(pose_pool(data, body, "train", 10000))).mean(0))
    sign = torch.ones(24, 3)
    sign[:, 2] = torch.linalg.det(u @ v)
    return u @ torch.diag_embed(sign) @ v


class Meshes:
    """The true bodies of a pool, and how far guesses are from them."""

    def __init__(self, body_path, pool):
        self.body = SmplSubset(body_path)
        arrays = np.load(body_path)
        self.rest_joints = arrays["J"]
        self.triangles = arrays["f"].astype(int)
        self.measure = BodyMeasures(arrays["v_template"].astype(float), self.triangles, arrays["J"][0, 1])
        rows = np.arange(len(pool))
        self.rotations = rotation_matrices(torch.from_numpy(pool.take(rows, "theta")).float().view(-1, 24, 3))
        self.beta = torch.from_numpy(pool.take(rows, "beta")).float()
        self.true_measures = self.measure(self.shaped(self.beta))

    def placed(self, rotations, beta):
        vertices, joints = self.body(rotations, beta)
        return vertices.numpy(), self.body.mpii_joints(vertices).numpy(), joints[:, 0].numpy()

    def true_vertices(self, row):
        return self.placed(self.rotations[row:row + 1], self.beta[row:row + 1])[0][0]

    def shaped(self, beta):
        """Bodies [N, V, 3] in the T-pose."""
        return (self.body.template + torch.einsum("bk,vck->bvc", beta, self.body.shapes)).numpy()

    @torch.no_grad()
    def errors(self, rotations, beta):
        """[N, 5]: PVE, MPJPE, PA-MPJPE, PVE under the true root, all in millimetres, and the root's in degrees."""
        rows = []
        for part in torch.arange(len(beta)).split(PART):
            vertices, joints, pelvis = self.placed(rotations[part], beta[part])
            true_vertices, true_joints, _ = self.placed(self.rotations[part], self.beta[part])
            root, true_root = rotations[part, 0].numpy(), self.rotations[part, 0].numpy()
            rows.append(np.c_[
                measures.mesh_errors(vertices, joints, true_vertices, true_joints),
                measures.per_vertex(measures.under_root(vertices, pelvis, root, true_root), true_vertices),
                measures.turned_by(root, true_root)])
        return np.concatenate(rows)

    @torch.no_grad()
    def shape_errors(self, beta):
        """[N, 5]: per-vertex error in the T-pose in millimetres; height, chest, waist, hips in centimetres, absolute."""
        vertices = np.concatenate([measures.per_vertex(self.shaped(beta[part]), self.shaped(self.beta[part]))
                                   for part in torch.arange(len(beta)).split(PART)])
        return np.c_[vertices, 100 * np.abs(self.measure(self.shaped(beta)) - self.true_measures)]
