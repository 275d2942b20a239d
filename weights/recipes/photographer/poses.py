"""Poses for people in pictures: motion capture, mirrored, blended, recombined, and weighted towards the rare ones."""

import numpy as np
from scipy.spatial import cKDTree

from smpl_maths import MIRRORED_JOINTS, forward_kinematics, rotations_of

RIGHT_ARM, LEFT_ARM = [14, 17, 19, 21], [13, 16, 18, 20]
RIGHT_LEG, LEFT_LEG = [2, 5, 8, 11], [1, 4, 7, 10]
TRUNK = [3, 6, 9, 12, 15]
ARMS, LEGS = RIGHT_ARM + LEFT_ARM, RIGHT_LEG + LEFT_LEG
MIRROR_SIGN = np.array([1.0, -1.0, -1.0])
# Standard deviation of the noise on each joint's axis-angle, radians; hands follow the wrists.
NOISE = np.full(24, 0.05)
NOISE[[0, 22, 23]] = 0
NOISE[[12, 15]] = 0.12
NOISE[[20, 21]] = 0.2
NOISE[[10, 11]] = 0.08


def axis_angle_of(rotation):
    """Axis-angle [3] of one rotation matrix, of angle 0 .. pi."""
    skew = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    sine, cosine = 0.5 * np.linalg.norm(skew), 0.5 * (np.trace(rotation) - 1)
    angle = np.arctan2(sine, cosine)
    if sine > 1e-4:
        return skew * (angle / (2 * sine))
    if cosine > 0:
        return 0.5 * skew
    # Half a turn: the axis spans the range of R + I.
    axis = (rotation + np.eye(3))[:, np.argmax(np.diag(rotation))]
    axis = axis / np.linalg.norm(axis)
    return axis * angle * (1 if skew @ axis >= 0 else -1)


def about(axis, angle):
    """Rotation matrix by `angle` about coordinate axis 0, 1 or 2."""
    return rotations_of(np.eye(3)[axis] * angle)


def mirrored(theta):
    """The pose [..., 24, 3] seen in a mirror."""
    return theta[..., MIRRORED_JOINTS, :] * MIRROR_SIGN


def features(theta, joints):
    """What a pose looks like [N, 72]: joints relative to the pelvis, facing forward, left and right interchangeable."""
    rows = []
    for chunk in np.array_split(theta, max(1, len(theta) // 4000)):
        turned, placed = forward_kinematics(joints, rotations_of(chunk))
        forward = turned[:, 0, :, 2]
        yaw = np.arctan2(forward[:, 0], forward[:, 2])
        c, s = np.cos(yaw), np.sin(yaw)
        zero, one = np.zeros_like(c), np.ones_like(c)
        unturn = np.stack([c, zero, -s, zero, one, zero, s, zero, c], -1).reshape(-1, 3, 3)
        relative = np.einsum("nab,njb->nja", unturn, placed - placed[:, :1])
        rows.append(relative.reshape(len(chunk), -1))
    return np.concatenate(rows)


def grouped(points, count, rounds=12):
    """Row indices of k-means groups, seeded by farthest points so that rare poses get groups of their own."""
    centres = [points.mean(0)]
    distance = np.full(len(points), np.inf)
    for _ in range(count):
        distance = np.minimum(distance, ((points - centres[-1]) ** 2).sum(1))
        centres.append(points[distance.argmax()])
    centres = np.array(centres[1:])
    for _ in range(rounds):
        nearest = cKDTree(centres).query(points)[1]
        for k in range(count):
            if (nearest == k).any():
                centres[k] = points[nearest == k].mean(0)
    return [np.flatnonzero(nearest == k) for k in range(count) if (nearest == k).any()]


def random_frame(random, motion):
    """A pose [24, 3]: a group by the root of its size, a frame of it, blended towards the next frame, mirrored."""
    sizes = np.array([len(group) for group in motion.groups]) ** 0.5
    group = motion.groups[random.choice(len(sizes), p=sizes / sizes.sum())]
    row = int(random.choice(group))
    theta = motion.theta[row]
    following = row + 1
    if following < len(motion.theta) and motion.sequence[following] == motion.sequence[row]:
        # Axis-angles of neighbours may sit on either side of half a turn; those joints are not blended.
        towards = motion.theta[following]
        close = np.linalg.norm(towards - theta, axis=1, keepdims=True) < 0.6
        theta = np.where(close, theta + random.uniform() * (towards - theta), theta)
    return mirrored(theta) if random.uniform() < 0.5 else theta


def free_arm(random, side):
    """An arm anywhere within reach: [4, 3] for collar, shoulder, elbow, wrist; `side` is +1 left, -1 right."""
    theta = np.zeros((4, 3))
    # The arm points along x in the rest pose: swing it forward and up or down, then twist it.
    forward, raised = random.uniform(-0.6, 2.0), random.uniform(-1.3, 1.4)
    swing = about(1, -side * forward) @ about(2, side * raised) @ about(0, random.uniform(-1.2, 1.2))
    theta[0] = [0, -side * 0.15 * forward, side * 0.25 * max(raised, 0)]
    theta[1] = axis_angle_of(swing)
    theta[2] = [0, -side * random.uniform(0, 2.3), 0]
    return theta


def free_leg(random, side):
    """A leg flexed, spread and turned within a healthy hip's limits: [4, 3] for hip, knee, ankle, toes."""
    theta = np.zeros((4, 3))
    flexion, spread, turn = random.uniform(-0.4, 2.1), random.uniform(-0.15, 1.05), random.uniform(-0.35, 0.9)
    theta[0] = axis_angle_of(about(2, side * spread) @ about(0, -flexion) @ about(1, side * turn))
    theta[1] = [random.uniform(0, 0.25) if random.uniform() < 0.35 else random.uniform(0, 2.4), 0, 0]
    return theta


def random_pose(random, motion):
    """A pose [24, 3]; its root keeps the recorded lean but not the heading."""
    theta = random_frame(random, motion).copy()
    kind = random.uniform()
    if kind < 0.30:
        limbs = [RIGHT_ARM, LEFT_ARM, ARMS, RIGHT_LEG + LEFT_LEG, ARMS + TRUNK][random.integers(5)]
        theta[limbs] = random_frame(random, motion)[limbs]
    elif kind < 0.40:
        for limb, side in ((LEFT_ARM, 1), (RIGHT_ARM, -1)):
            if random.uniform() < 0.7:
                theta[limb] = free_arm(random, side)
    elif kind < 0.48:
        for limb, side in ((LEFT_LEG, 1), (RIGHT_LEG, -1)):
            if random.uniform() < 0.6:
                theta[limb] = free_leg(random, side)
            if random.uniform() < 0.5:
                theta[LEFT_ARM if side > 0 else RIGHT_ARM] = free_arm(random, side)
    theta += random.normal(size=(24, 3)) * NOISE[:, None] * random.choice([0.5, 1.0, 1.6])
    theta[[22, 23]] = 0
    root = rotations_of(theta[0])
    forward = root[:, 2] if abs(root[1, 2]) < 0.9 else root[:, 1]
    theta[0] = axis_angle_of(about(1, -np.arctan2(forward[0], forward[2])) @ root)
    return theta
