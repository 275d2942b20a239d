"""Poses and views for the priors: the photographer's own people, many at a time."""
import hashlib
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from saving import write_whole

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
    """Rotations [n, 3, 3] from y up, facing +z, to OpenCV's axes (x right, y down, z forward): the views of scene.py."""
    def some(share):
        return random.random(count) < share

    tilt = np.where(some(0.1)[:, None], random.normal(0, 0.35, (count, 3)), 0)
    axis = random.normal(size=(count, 3))
    axis *= random.uniform(0, np.pi, (count, 1)) / np.linalg.norm(axis, axis=1, keepdims=True)
    tilt = Rotation.from_rotvec(np.where(some(0.06)[:, None], axis, tilt))
    yaw = np.where(some(0.45), random.uniform(-180, 180, count), np.degrees(random.normal(0, 0.7, count)))
    pitch = np.clip(random.normal(6, 10, count), -15, 32)
    pitch = np.where(some(0.12), random.uniform(-35, 70, count), pitch)
    roll = np.where(some(0.6), 0.0, np.clip(random.normal(0, 15, count), -40, 40))
    view = turn("Z", roll) * turn("X", pitch) * turn("X", 180.0) * turn("Y", yaw) * tilt
    return view.as_matrix()
