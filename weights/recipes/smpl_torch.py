"""SMPL in PyTorch for some of the vertices: cheap enough for a loss at every training step."""
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smpl_maths import PARENTS


def rotation_matrices(theta):
    """Rodrigues' formula, differentiable at zero: axis-angles [..., 3] to matrices [..., 3, 3]."""
    angle = (theta.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    x, y, z = (theta / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    sine, cosine = torch.sin(angle)[..., None], torch.cos(angle)[..., None]
    return torch.eye(3, device=theta.device) + sine * cross + (1 - cosine) * (cross @ cross)


def axis_angles(rotations):
    """Axis-angles [..., 3] of angle 0 .. pi of matrices [..., 3, 3]; not differentiable."""
    vectors = Rotation.from_matrix(rotations.reshape(-1, 3, 3).double().numpy()).as_rotvec()
    return torch.from_numpy(vectors).float().reshape(rotations.shape[:-1])


def orthonormal(columns):
    """Gram and Schmidt: two columns [..., 6], x then y, to rotation matrices [..., 3, 3] (Zhou et al. 2019, eq. 15)."""
    x = torch.nn.functional.normalize(columns[..., :3], dim=-1)
    y = columns[..., 3:]
    y = torch.nn.functional.normalize(y - (x * y).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


class SmplSubset:
    """The body restricted to some of its vertices: `loss_vertices` drawn evenly from the mesh (None: all), and, if `mpii`,
    those that the MPII regressor reads."""

    def __init__(self, path, loss_vertices=None, mpii=True, device="cpu"):
        body = np.load(path)

        def tensor(array):
            return torch.as_tensor(np.asarray(array, np.float32), device=device)

        count = len(body["v_template"])
        regressor = np.asarray(body["joint_regressor_mpii"], np.float32)
        if loss_vertices is None:
            chosen = np.arange(count)
        else:
            read = np.flatnonzero(regressor.any(0) & mpii)
            spread = np.random.default_rng(0).permutation(count)[:loss_vertices]
            chosen = np.union1d(read, spread)
        self.vertices = chosen
        self.template = tensor(body["v_template"][chosen])
        self.shapes = tensor(body["shapedirs"][chosen, :, :10])
        self.pose_shapes = tensor(body["posedirs"][chosen]).reshape(-1, 207).T.contiguous()
        self.weights = tensor(body["weights"][chosen])
        self.mpii = tensor(regressor[:, chosen])
        joints = np.asarray(body["J_regressor"], np.float64)
        self.joints = tensor(joints @ np.asarray(body["v_template"], np.float64))
        self.joint_shapes = tensor(np.einsum("jv,vck->jck", joints,
                                             np.asarray(body["shapedirs"], np.float64)[..., :10]))

    def __call__(self, rotations, beta):
        """Rotations [B, 24, 3, 3], beta [B, 10] to vertices [B, V, 3] and joints [B, 24, 3]."""
        batch = len(rotations)
        rest = self.joints + (beta @ self.joint_shapes.flatten(0, 1).T).view(batch, 24, 3)
        shaped = self.template + torch.einsum("bk,vck->bvc", beta, self.shapes)
        feature = (rotations[:, 1:] - torch.eye(3, device=beta.device)).reshape(batch, 207)
        shaped = shaped + (feature @ self.pose_shapes).view(batch, -1, 3)
        turned, placed = [rotations[:, 0]], [rest[:, 0]]
        for j in range(1, 24):
            parent = PARENTS[j]
            turned.append(turned[parent] @ rotations[:, j])
            bone = (rest[:, j] - rest[:, parent])[..., None]
            placed.append(placed[parent] + (turned[parent] @ bone)[..., 0])
        turned, placed = torch.stack(turned, 1), torch.stack(placed, 1)
        moved = placed - (turned @ rest[..., None])[..., 0]
        transforms = torch.cat([turned, moved[..., None]], -1).flatten(2)
        blended = torch.einsum("vj,bjk->bvk", self.weights, transforms).unflatten(-1, (3, 4))
        vertices = (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]
        return vertices, placed

    def mpii_joints(self, vertices):
        return torch.einsum("jv,bvc->bjc", self.mpii, vertices)
