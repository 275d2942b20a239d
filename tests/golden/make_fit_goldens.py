"""Makes the goldens of the fit: python tests/golden/make_fit_goldens.py

Writes data/fit.npz: poses, joints seen by a camera, and the least cost that scipy's BFGS finds from each pose for the
energy of `refine_pose`, written down here in float64 over smplx.lbs.lbs with automatic derivatives: held to the pose by the
library's own diagonal precision and by a dense one drawn by scipy, whose energies and gradients some way from each pose are
written too. Nothing of it is shared with the library: neither the body's arithmetic, nor the derivatives, nor the minimiser.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.stats import random_correlation
from smplx.lbs import batch_rodrigues, lbs

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent.parent
PARENTS = torch.tensor([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
STIFFNESS = torch.tensor([0.5, 1, 1, 3, 1, 1, 3, 3, 3, 3, 10, 10, 2, 3, 3, 3, 1, 1, 1, 1, 5, 5, 10, 10]).double()
HINGES = ((4, 0, 1.0), (5, 0, 1.0), (18, 1, -1.0), (19, 1, 1.0))  # joint, axis, direction that is allowed
DEVIATION = 0.2  # radians, of a joint of stiffness 1
SIGMA, LEAST, ANCHOR, DEPTH_ANCHOR, LIMIT = 30.0, 0.2, 2.4, 200.0, 100.0
PIXEL = 1.7  # photo pixels to one of the crop
FOCAL, CENTRE = 1900.0, (310.0, 240.0)


def logarithm(rotations):
    """Axis-angle [N, 3] of rotation matrices, angles well below pi."""
    skew = torch.stack([rotations[:, 2, 1] - rotations[:, 1, 2], rotations[:, 0, 2] - rotations[:, 2, 0],
                        rotations[:, 1, 0] - rotations[:, 0, 1]], 1) / 2
    sine = (skew.square().sum(1) + 1e-30).sqrt()
    angle = torch.atan2(sine, (rotations.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2)
    return skew * (angle / sine)[:, None]


def mpii_joints(body, beta, theta):
    flat = theta.reshape(1, 72)
    vertices, joints = lbs(beta[None], flat, body["v_template"], body["shapedirs"][:, :, :10],
                           body["posedirs"].reshape(-1, 207).T, body["J_regressor"], PARENTS, body["weights"])
    points = torch.cat([vertices[0], joints[0]])[: body["joint_regressor_mpii"].shape[1]]
    return body["joint_regressor_mpii"] @ points


def anchor(precision, start, rotations):
    """E_anchor without the depth's part."""
    moved = logarithm(start.transpose(1, 2) @ rotations).flatten()
    return ANCHOR**2 * moved @ precision @ moved


def energy(body, beta, start, start_depth, seen, precision, theta, translation):
    """E_J + E_anchor + E_a, in squared pixels of a crop of 256."""
    points = mpii_joints(body, beta, theta) + translation
    u = FOCAL * points[:, 0] / points[:, 2] + CENTRE[0] - seen[:, 0]
    v = FOCAL * points[:, 1] / points[:, 2] + CENTRE[1] - seen[:, 1]
    square = (u * u + v * v) / PIXEL**2
    weight = torch.where(seen[:, 2] >= LEAST, seen[:, 2].clamp(max=1), torch.zeros(()).double())
    joints = (weight**2 * SIGMA**2 * square / (SIGMA**2 + square)).sum()
    rotations, first = batch_rodrigues(theta), batch_rodrigues(start)
    held = anchor(precision, first, rotations) + (DEPTH_ANCHOR * (translation[2] - start_depth) / start_depth) ** 2
    limits = sum((LIMIT * torch.clamp(sign * logarithm(rotations[j : j + 1])[0, axis], max=0)) ** 2
                 for j, axis, sign in HINGES)
    return joints + held + limits


def dense_precision(random):
    """A symmetric positive definite [72, 72] whose diagonal is that of the library's own."""
    eigenvalues = np.exp(random.normal(0, 1.2, 72))
    correlation = random_correlation.rvs(72 * eigenvalues / eigenvalues.sum(), random_state=random, tol=1e-9)
    scale = np.repeat(STIFFNESS.numpy() / DEVIATION, 3)
    precision = scale[:, None] * correlation * scale
    return (precision + precision.T) / 2


def some_way_off(precision, start, random):
    """Turns d [72], and at start_j exp(d_j) the anchor's energy and its gradient by a further turn of each joint in its own
    frame, the energy by scipy's logarithms, the gradient by automatic derivatives."""
    d = random.normal(0, 0.4, (24, 3))
    first = Rotation.from_rotvec(start.numpy())
    moved = (first.inv() * (first * Rotation.from_rotvec(d))).as_rotvec().ravel()
    further = torch.zeros(24, 3).double().requires_grad_()
    rotations = batch_rodrigues(start) @ batch_rodrigues(torch.from_numpy(d)) @ batch_rodrigues(further)
    anchor(precision, batch_rodrigues(start), rotations).backward()
    return d.ravel(), ANCHOR**2 * moved @ precision.numpy() @ moved, further.grad.numpy().ravel()


def case(body, random):
    """A pose near the truth, and the truth's joints as a network might see them."""
    beta = torch.from_numpy(random.normal(size=10))
    truth = random.normal(0, 0.25, (24, 3))
    truth[0] += [3.0, 0, 0]
    for j, axis, sign in HINGES:
        truth[j, axis] = sign * random.uniform(0.3, 1.2)
    start = truth + random.normal(0, 0.25, (24, 3))
    start[[4, 5, 18, 19]] = truth[[4, 5, 18, 19]] * random.uniform(0.2, 1.2, (4, 1))
    translation = np.array([random.normal(0, 0.2), random.normal(0, 0.2), random.uniform(6, 9)])
    points = mpii_joints(body, beta, torch.from_numpy(truth)).numpy() + translation
    seen = np.c_[FOCAL * points[:, :2] / points[:, 2:] + CENTRE, random.uniform(0.1, 1.1, 16)]
    seen[:, :2] += random.normal(0, 6, (16, 2))
    lost = random.integers(16, size=2)
    seen[lost, :2] += random.normal(0, 80, (2, 2))
    first = np.concatenate([start.ravel(), translation + [0.05, -0.08, random.normal(0, 0.5)]]).astype(np.float32)
    beta, seen = beta.numpy().astype(np.float32), seen.astype(np.float32)
    return beta, first, seen


def main():
    arrays = np.load(REPOSITORY / "weights" / "body.npz")
    body = {k: torch.from_numpy(np.asarray(arrays[k], np.float64))
            for k in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "joint_regressor_mpii")}
    random, other_random = np.random.default_rng(11), np.random.default_rng(12)
    stiff = torch.diag((STIFFNESS / DEVIATION).square().repeat_interleave(3))
    dense = torch.from_numpy(dense_precision(other_random))
    rows = {}
    for _ in range(6):
        beta, first, seen = case(body, random)
        start = torch.from_numpy(first).double()
        found = dict(beta=beta, start=first, seen=seen)
        for kind, precision in (("", stiff), ("dense_", dense)):
            fixed = (body, torch.from_numpy(beta).double(), start[:72].view(24, 3), start[74],
                     torch.from_numpy(seen).double(), precision)

            def cost(x):
                x = torch.from_numpy(x).requires_grad_()
                value = energy(*fixed, x[:72].view(24, 3), x[72:])
                value.backward()
                return value.item(), x.grad.numpy()

            found["cost_before"] = cost(start.numpy())[0]
            least = minimize(cost, start.numpy(), jac=True, method="BFGS", options=dict(maxiter=900, gtol=1e-4))
            found[f"{kind}cost_after"] = least.fun
            print(f"{found['cost_before']:.3f} -> {least.fun:.4f} in {least.nit} iterations, "
                  f"|gradient| {abs(least.jac).max():.2g}")
        turns, anchored, gradient = some_way_off(dense, start[:72].view(24, 3), other_random)
        found.update(turns=turns, anchored=anchored, gradient=gradient)
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
    np.savez_compressed(FOLDER / "data" / "fit.npz", focal=FOCAL, centre=np.array(CENTRE), pixel=PIXEL, precision=dense,
                        **{name: np.array(values) for name, values in rows.items()})


if __name__ == "__main__":
    main()
