"""Makes the goldens of the body model: python tests/golden/make_body_goldens.py

Writes data/body_small.npz, a random body of 96 vertices in SMPL's format, data/body_small_poses.npz, that body posed by the
float64 implementation below, and, if weights/body.npz is there, data/body_default_poses.npz, some vertices of the default
body. Checks on the way that the implementation agrees with smplx.lbs.lbs in float64, which shares no code with it.
"""

from pathlib import Path

import numpy as np
import torch
from smplx.lbs import lbs

FOLDER = Path(__file__).resolve().parent
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]


def exponential(r):
    """The rotation matrix exp([r]x) by squaring a Taylor series: no formula of sines and cosines."""
    k = np.array([[0, -r[2], r[1]], [r[2], 0, -r[0]], [-r[1], r[0], 0]]) / 1024.0
    term, total = np.eye(3), np.eye(3)
    for n in range(1, 12):
        term = term @ k / n
        total = total + term
    for _ in range(10):
        total = total @ total
    return total


def pose(body, beta, theta, translation):
    """SMPL in float64, joint by joint with 4x4 matrices: vertices [V, 3], joints [24, 3]."""
    shaped = body["v_template"] + np.einsum("vkb,b->vk", body["shapedirs"][:, :, : len(beta)], beta)
    rest = body["J_regressor"] @ shaped
    rotations = [exponential(r) for r in theta.reshape(24, 3)]
    feature = np.concatenate([(r - np.eye(3)).ravel() for r in rotations[1:]])
    posed = shaped + np.einsum("vkf,f->vk", body["posedirs"], feature)
    world = []
    for j, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotations[j]
        local[:3, 3] = rest[j] - (rest[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    moved = []
    for j in range(24):
        to_joint = np.eye(4)
        to_joint[:3, 3] = -rest[j]
        moved.append(world[j] @ to_joint)
    homogeneous = np.c_[posed, np.ones(len(posed))]
    vertices = np.einsum("vj,jab,vb->va", body["weights"], np.array(moved), homogeneous)[:, :3]
    return vertices + translation, np.array([w[:3, 3] for w in world]) + translation


def compare_with_smplx(body, beta, theta, translation, vertices, joints):
    arrays = {k: torch.tensor(np.asarray(v, np.float64)) for k, v in body.items()}
    count = len(body["v_template"])
    v, j = lbs(
        torch.tensor(beta)[None],
        torch.tensor(theta)[None],
        arrays["v_template"],
        arrays["shapedirs"][:, :, : len(beta)],
        arrays["posedirs"].reshape(count * 3, -1).T,
        arrays["J_regressor"],
        torch.tensor(PARENTS),
        arrays["weights"],
    )
    worst = max(
        np.abs(v[0].numpy() + translation - vertices).max(), np.abs(j[0].numpy() + translation - joints).max()
    )
    # smplx adds 1e-8 to each component before it takes the norm of an axis-angle.
    assert worst < 1e-7, worst
    return worst


def make_small_body():
    random = np.random.default_rng(20)
    count = 96
    triangles = np.stack([np.arange(count), (np.arange(count) + 1) % count, (np.arange(count) + 7) % count], 1)
    regressor = np.zeros((24, count))
    for row in regressor:
        row[random.choice(count, 5, replace=False)] = random.dirichlet(np.ones(5))
    weights = np.zeros((count, 24))
    for v, row in enumerate(weights):
        used = 1 + v % 4
        row[random.choice(24, used, replace=False)] = random.dirichlet(np.ones(used))
    mpii = np.zeros((16, count))
    for row in mpii:
        row[random.choice(count, 3, replace=False)] = random.dirichlet(np.ones(3))
    # Pose directions of few bits, so that the file stays small.
    posedirs = random.integers(-31, 32, (count, 3, 207)) / 1024.0
    kintree = np.array([PARENTS, range(24)]).astype(np.uint32)  # the root's parent becomes 2^32 - 1
    return {
        "v_template": random.normal(0, 0.5, (count, 3)),
        "shapedirs": random.normal(0, 0.03, (count, 3, 12)).astype(np.float32),
        "posedirs": posedirs.astype(np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": kintree,
        "f": triangles.astype(np.uint32),
        "joint_regressor_mpii": mpii,
    }


def random_poses(random, count):
    theta = random.normal(0, 0.5, (count, 24, 3))
    theta[:, 0] = random.normal(0, 1.5, (count, 3))
    theta[0] = 0  # at rest
    theta[1, 3] *= np.pi / np.linalg.norm(theta[1, 3])  # half a turn
    theta[2, 4] *= 1e-9  # next to nothing
    return random.normal(0, 1.5, (count, 10)), theta.reshape(count, 72), random.normal(0, 2, (count, 3))


def make_poses(body, seed, count, chosen):
    beta, theta, translation = random_poses(np.random.default_rng(seed), count)
    vertices, joints, mpii, worst = [], [], [], 0
    for b, t, m in zip(beta, theta, translation):
        v, j = pose(body, b, t, m)
        worst = max(worst, compare_with_smplx(body, b, t, m, v, j))
        vertices.append(v[chosen])
        joints.append(j)
        mpii.append(body["joint_regressor_mpii"] @ v)
    print(f"{len(body['v_template'])} vertices, {count} poses: at most {worst:.1e} m from smplx.lbs")
    return {
        "beta": beta, "theta": theta, "translation": translation, "chosen": chosen.astype(np.uint32),
        "vertices": np.array(vertices), "joints": np.array(joints), "mpii": np.array(mpii),
    }  # fmt: skip


def main():
    data = FOLDER / "data"
    data.mkdir(exist_ok=True)
    small = make_small_body()
    np.savez_compressed(data / "body_small.npz", **small)
    np.savez_compressed(data / "body_small_poses.npz", **make_poses(small, 1, 6, np.arange(96)))
    default = FOLDER.parents[1] / "weights" / "body.npz"
    if not default.exists():
        print(f"{default} is not there: no goldens of the default body")
        return
    body = {k: np.asarray(v, np.float64) for k, v in np.load(default).items() if v.dtype.kind in "fiu"}
    chosen = np.arange(0, len(body["v_template"]), 53)
    np.savez_compressed(data / "body_default_poses.npz", **make_poses(body, 2, 4, chosen))


if __name__ == "__main__":
    main()
