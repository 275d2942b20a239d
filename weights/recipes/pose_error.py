"""How far off PosePrior is: what holds a fit to its pose, and what an estimate says of its own error."""
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from picture_pool import MIRRORED_JOINTS
from posed_bodies import PosedBodies, exact
from poses import pose_pool
from smpl_maths import MIRRORED_JOINTS as MIRRORED_ROTATIONS
from smpl_torch import SmplSubset, rotation_matrices

VIEWS = 4  # of each pose
# What no error is taken to be surer than, in radians: PosePrior has never seen a hand or a foot turn.
SUREST = 0.01
# Somebody of whom nothing is known: the C++ library's `standing_pose`.
STANDING = np.zeros((24, 3))
STANDING[0, 0], STANDING[16, 2], STANDING[17, 2] = np.pi, -1.2, 1.2
COLUMN_SIGNS = torch.tensor([1.0, -1, -1, -1, 1, 1])  # of two columns of M R M, M = diag(-1, 1, 1)
TURN_SIGNS = np.array([1.0, -1, -1])  # of the logarithm of M R M


@torch.no_grad()
def both_ways(network, joints):
    """The mean [B, 24, 3, 3] of what a PosePrior of two columns answers to joints [B, 16, 3] and to their mirror image."""
    return network.rotations(columns_both_ways(network, joints).flatten(1))


def columns_both_ways(network, joints):
    """The columns [B, 24, 6] of that mean before they are made orthonormal."""
    mirrored = joints[:, MIRRORED_JOINTS] * torch.tensor([-1.0, 1, 1])
    other = network(mirrored.flatten(1)).unflatten(1, (24, 6))[:, MIRRORED_ROTATIONS] * COLUMN_SIGNS
    return (network(joints.flatten(1)).unflatten(1, (24, 6)) + other) / 2


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


def person_scores(joints, silhouettes):
    """The C++ library's `person_score` [n] of joints [n, 16, 3] and probabilities of body [n, 64, 64]."""
    near = torch.nn.functional.max_pool2d(silhouettes[:, None], 3, stride=1, padding=1)[:, 0]
    cell = ((joints[..., :2] + 1) * 32).clamp(0, 63).long()
    body = near[torch.arange(len(joints))[:, None], cell[..., 1], cell[..., 0]]
    return (joints[..., 2].clamp(0, 1) * body).mean(1)


@torch.no_grad()
def error_curve(pose_prior, shape_prior, joints, silhouettes, rotations, beta, body):
    """What half of the bodies in pictures are off by at most, as [a, b, c, u]: exp(a + b log n + c s) metres, n the mean
    length of the root's two columns as PosePrior answers them, s the person's score; u, the median log where nothing is
    seen. Of joints [n, 16, 3] and silhouettes [n, 64, 64] as Human2D saw them, and the truth.

    Least absolute differences of the log of the error, by least squares that are weighed anew (Schlossmacher 1973)."""
    columns = columns_both_ways(pose_prior, joints)
    shape = shape_prior(silhouettes[:, None]).clamp(-3, 3)
    upright = torch.from_numpy(STANDING).float().expand(len(beta), -1, -1)

    def log_error(rotations_found, beta_found):
        found, truth = body(rotations_found, beta_found)[0], body(rotations, beta)[0]
        return (found - truth).norm(dim=-1).mean(1).log().double()

    errors = log_error(pose_prior.rotations(columns.flatten(1)), shape)
    length = columns[:, 0].unflatten(1, (2, 3)).norm(dim=-1).mean(1)
    features = torch.stack([torch.ones_like(length), length.log(), person_scores(joints, silhouettes)], 1).double()
    weight = torch.ones_like(errors)
    for _ in range(100):
        curve = torch.linalg.lstsq(features * weight[:, None], errors * weight).solution
        weight = (features @ curve - errors).abs().clamp_min(1e-4).rsqrt()
    unseen = log_error(rotation_matrices(upright), torch.zeros_like(beta)).median()
    curve[1:].clamp_(max=0)
    return torch.cat([curve, unseen[None]]).float()
