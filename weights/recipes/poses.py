"""Poses and views for the priors: the photographer's own people, many at a time."""
import hashlib
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from saving import write_whole
from smpl_maths import rotations_of

HERE = Path(__file__).resolve().parent


def pose_pool(data, body, split, count, seed=0):
    """`count` poses [n, 24, 3] of the photographer's sampler; drawn once, then kept in .cache."""
    code = hashlib.sha256((HERE / "photographer" / "poses.py").read_bytes()).hexdigest()[:8]
    path = HERE / ".cache" / f"poses_{split}_{count}_{seed}_{code}.npy"
    if not path.exists():
        from photographer.assets import motion
        from photographer.poses import random_pose
        source = motion(Path(data) / "mocap", split, np.load(body)["J"].astype(np.float64))
        random = np.random.default_rng(seed)
        poses = np.stack([random_pose(random, source)
                          for _ in tqdm(range(count), desc=f"{split} poses")])
        path.parent.mkdir(exist_ok=True)
        write_whole(path, lambda file: np.save(file, poses.astype(np.float32)))
    return np.load(path)


def turn(axis, degrees):
    """Rotations about a coordinate axis, one for each angle."""
    vector = np.zeros((np.size(degrees), 3))
    vector[:, "XYZ".index(axis)] = np.radians(degrees)
    return Rotation.from_rotvec(vector)


def camera_turns(count, random):
    """Rotations [n, 3, 3] from y up, facing +z, to OpenCV's axes (x right, y down, z forward).

    Any heading, frontal ones oftener; pitch mostly between -15 and 30 degrees, little roll; one in
    twelve is tilted freely.
    """
    yaw = random.uniform(-180, 180, count)
    yaw = np.where(random.random(count) < 0.4, random.normal(0, 35, count), yaw)
    pitch = np.clip(random.normal(6, 11, count), -25, 50)
    roll = random.normal(0, 6, count)
    free = random.random(count) < 0.08
    roll = np.where(free, random.uniform(-180, 180, count), roll)
    pitch = np.where(free, random.uniform(-60, 60, count), pitch)
    view = turn("Z", roll) * turn("X", pitch) * turn("X", 180.0) * turn("Y", yaw)
    return view.as_matrix()


def seen_poses(pool, count, random):
    """Rotations [n, 24, 3, 3] of random poses of the pool, their roots as a random camera sees them."""
    rotations = rotations_of(pool[random.integers(0, len(pool), count)].astype(np.float64))
    rotations[:, 0] = camera_turns(count, random) @ rotations[:, 0]
    return rotations
