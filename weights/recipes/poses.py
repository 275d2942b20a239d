"""Plausible poses: motion capture, mirrored, blended, recombined, and with limbs drawn at random.

The mocap hardly holds what people do in photographs of sport and yoga: so in some samples an arm or
a leg leaves it, within the limits of a healthy joint. Both the photographer and the pose prior draw
from here, so that what one shows the other has learnt.
"""
import csv
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smpl_maths import joint, mirrored_rotations, rotations_of

LEGS = [joint(side + name) for side in "lr" for name in ("_hip", "_knee", "_ankle", "_foot")]
ARMS = [joint(side + name) for side in "lr"
        for name in ("_collar", "_shoulder", "_elbow", "_wrist", "_hand")]
DULL = ("walk", "stride", "stroll", "laugh", "unscrew", "signal")


def sequence_split(sequences, held_out=8):
    """Every eighth sequence is for validation: two arrays of sequence numbers."""
    numbers = np.arange(sequences)
    return numbers[numbers % held_out != 5], numbers[numbers % held_out == 5]


class PoseSampler:
    """Draws poses as rotation matrices [n, 24, 3, 3], y up, facing about +z (heading removed).

    `split` is "train" or "validation" (unseen sequences). Walking and other dull frames are drawn a
    quarter as often as the rest.
    """

    def __init__(self, data, split):
        folder = Path(data) / "mocap"
        if not (folder / "cmu_poses_smpl24.npz").exists():
            raise SystemExit(f"{folder}: cmu_poses_smpl24.npz and sequences.csv were expected there")
        mocap = np.load(folder / "cmu_poses_smpl24.npz")
        with open(folder / "sequences.csv") as file:
            descriptions = [row["description"].lower() for row in csv.DictReader(file)]
        chosen = sequence_split(len(descriptions))[0 if split == "train" else 1]
        keep = np.isin(mocap["seq"], chosen)
        self.sequence = mocap["seq"][keep]
        self.rotations = without_heading(
            rotations_of(mocap["theta"][keep].reshape(-1, 24, 3).astype(np.float64)))
        dull = np.array([any(word in text for word in DULL) for text in descriptions])
        weight = np.where(dull[self.sequence], 0.25, 1.0)
        # A pose far from standing is rarer in the recordings than in photographs worth taking.
        bend = np.linalg.norm(self.rotations - np.eye(3), axis=(-2, -1))[
            :, [joint(n) for n in ("l_hip", "r_hip", "l_knee", "r_knee", "l_shoulder", "r_shoulder")]]
        weight = weight * (0.3 + bend.mean(1)) ** 2
        self.probability = weight / weight.sum()

    def __call__(self, count, random):
        first = random.choice(len(self.rotations), count, p=self.probability)
        rotations = self.blended(first, random)
        mirror = random.random(count) < 0.5
        rotations[mirror] = mirrored_rotations(rotations[mirror])
        other = self.rotations[random.choice(len(self.rotations), count, p=self.probability)]
        for limbs in (LEGS, ARMS):
            swap = random.random(count) < 0.12
            rotations[np.ix_(swap, limbs)] = other[np.ix_(swap, limbs)]
        random_arms(rotations, random)
        random_legs(rotations, random)
        noise = Rotation.from_rotvec(random.normal(0, 0.06, (count * 24, 3))).as_matrix()
        noise = noise.reshape(count, 24, 3, 3)
        noise[:, 0] = np.eye(3)
        return rotations @ noise

    def blended(self, first, random):
        """Between each frame and its successor of the same sequence, at a random point."""
        second = np.minimum(first + 1, len(self.rotations) - 1)
        second = np.where(self.sequence[second] == self.sequence[first], second, first)
        start = Rotation.from_matrix(self.rotations[first].reshape(-1, 3, 3))
        step = start.inv() * Rotation.from_matrix(self.rotations[second].reshape(-1, 3, 3))
        at = np.repeat(random.random(len(first)), 24)
        turned = (start * Rotation.from_rotvec(step.as_rotvec() * at[:, None])).as_matrix()
        return turned.reshape(len(first), 24, 3, 3)


def turn(axis, degrees):
    """Rotations about a coordinate axis, one for each angle."""
    vector = np.zeros((np.size(degrees), 3))
    vector[:, "XYZ".index(axis)] = np.radians(degrees)
    return Rotation.from_rotvec(vector)


def without_heading(rotations):
    """Turns each pose about y so that the pelvis faces +z: the camera chooses the view."""
    forward = rotations[:, 0, :, 2]
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    back = Rotation.from_rotvec(np.stack([0 * heading, -heading, 0 * heading], 1)).as_matrix()
    rotations = rotations.copy()
    rotations[:, 0] = back @ rotations[:, 0]
    return rotations


def random_arms(rotations, random, share=0.25):
    """Upper arms in any direction of the front, side and overhead; elbows bent 0 to 140 degrees."""
    count = len(rotations)
    both = random.random(count) < 0.5
    for side, outward in (("l", 1.0), ("r", -1.0)):
        chosen = np.flatnonzero((random.random(count) < share) | (both & (random.random(count) < 0.2)))
        elevation = random.uniform(-80, 85, len(chosen))  # degrees above the horizontal
        azimuth = random.uniform(-25, 110, len(chosen))   # from the side toward the front
        shoulder = (turn("Y", -outward * azimuth)
                    * turn("Z", outward * elevation)
                    * turn("X", random.uniform(-70, 70, len(chosen))))
        raised = turn("Z", outward * np.maximum(0, elevation) * 0.25)
        bend = np.where(random.random(len(chosen)) < 0.4, random.uniform(0, 20, len(chosen)),
                        random.uniform(0, 140, len(chosen)))
        elbow = turn("Y", -outward * bend)
        if len(chosen) == 0:
            continue
        rotations[chosen, joint(side + "_collar")] = raised.as_matrix()
        rotations[chosen, joint(side + "_shoulder")] = (raised.inv() * shoulder).as_matrix()
        rotations[chosen, joint(side + "_elbow")] = elbow.as_matrix()
        rotations[chosen, joint(side + "_wrist")] = np.eye(3)


def random_legs(rotations, random, share=0.15):
    """Thighs flexed -25 to 120 degrees and spread up to 60, knees bent 0 to 140 degrees."""
    count = len(rotations)
    for side, outward in (("l", 1.0), ("r", -1.0)):
        chosen = np.flatnonzero(random.random(count) < share)
        if len(chosen) == 0:
            continue
        flexion = random.uniform(-25, 120, len(chosen))
        hip = (turn("Z", outward * random.uniform(-10, 60, len(chosen)))
               * turn("X", -flexion)
               * turn("Y", outward * random.uniform(-20, 50, len(chosen))))
        bend = np.where(random.random(len(chosen)) < 0.35, random.uniform(0, 15, len(chosen)),
                        random.uniform(0, 140, len(chosen)))
        rotations[chosen, joint(side + "_hip")] = hip.as_matrix()
        rotations[chosen, joint(side + "_knee")] = turn("X", bend).as_matrix()


def camera_turns(count, random):
    """Rotations [n, 3, 3] from y up, facing +z, to OpenCV's axes (x right, y down, z forward).

    Any heading, pitch mostly between -15 and 30 degrees, little roll; a tenth is tilted freely.
    """
    yaw = random.uniform(-180, 180, count)
    frontal = random.random(count) < 0.4
    yaw = np.where(frontal, random.normal(0, 35, count), yaw)
    pitch = np.clip(random.normal(6, 11, count), -25, 50)
    roll = random.normal(0, 4, count)
    free = random.random(count) < 0.08
    roll = np.where(free, random.uniform(-180, 180, count), roll)
    pitch = np.where(free, random.uniform(-60, 60, count), pitch)
    down = turn("X", 180.0)
    return (turn("Z", roll) * turn("X", pitch) * down * turn("Y", yaw)).as_matrix()


def with_root(rotations, turns):
    """The pose as the camera sees it: its root turned by `turns` [n, 3, 3]."""
    rotations = rotations.copy()
    rotations[:, 0] = turns @ rotations[:, 0]
    return rotations
