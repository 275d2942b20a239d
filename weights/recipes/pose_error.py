"""How far off PosePrior is: what holds a fit to its pose."""
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from picture_pool import MIRRORED_JOINTS
from posed_bodies import PosedBodies, exact
from poses import pose_pool
from smpl_maths import MIRRORED_JOINTS as MIRRORED_ROTATIONS
from smpl_torch import SmplSubset

VIEWS = 4  # of each pose
# What no error is taken to be surer than, in radians: PosePrior has never seen a hand or a foot turn.
SUREST = 0.01
COLUMN_SIGNS = torch.tensor([1.0, -1, -1, -1, 1, 1])  # of two columns of M R M, M = diag(-1, 1, 1)
TURN_SIGNS = np.array([1.0, -1, -1])  # of the logarithm of M R M


@torch.no_grad()
def both_ways(network, joints):
    """The mean [B, 24, 3, 3] of what a PosePrior of two columns answers to joints [B, 16, 3] and to their mirror image."""
    mirrored = joints[:, MIRRORED_JOINTS] * torch.tensor([-1.0, 1, 1])
    other = network(mirrored.flatten(1)).unflatten(1, (24, 6))[:, MIRRORED_ROTATIONS] * COLUMN_SIGNS
    return network.rotations((network(joints.flatten(1)).unflatten(1, (24, 6)) + other).flatten(1) / 2)


def pose_errors(network, data, body):
    """The errors log(R^T R_true) [n, 24, 3] in radians, R the network's answer to exact joints of training poses."""
    poses = PosedBodies(pose_pool(data, body, "train", 5000), SmplSubset(body, loss_vertices=150), 3)
    numpy_random, random = np.random.default_rng(3), torch.Generator().manual_seed(3)
    errors = []
    for _ in range(VIEWS):
        for rows in torch.arange(len(poses)).split(1000):
            truth = poses.seen(rows, numpy_random, random)
            answer = both_ways(network, exact(truth["crop"], truth["visible"]))
            between = answer.transpose(-1, -2) @ truth["rotations"]
            errors.append(Rotation.from_matrix(between.reshape(-1, 3, 3).double().numpy()).as_rotvec().reshape(-1, 24, 3))
    return np.concatenate(errors)


def precision_of(errors):
    """P [72, 72] in 1/radian^2, the inverse of mean(e e^T) + SUREST^2 I over errors e [n, 24, 3] and their mirror
    images; exactly symmetric and positive definite in float32."""
    mirrored = errors[:, MIRRORED_ROTATIONS] * TURN_SIGNS
    e = np.concatenate([errors, mirrored]).reshape(-1, 72)
    precision = np.linalg.inv(e.T @ e / len(e) + SUREST**2 * np.eye(72))
    kept = ((precision + precision.T) / 2).astype(np.float32)
    np.linalg.cholesky(kept.astype(np.float64))
    return kept
