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


def random_frame(random, motion, evenness=0.5):
    """A pose [24, 3]: a group by its size to the power 1 - `evenness`, a frame of it, blended towards the next frame,
    mirrored."""
    sizes = np.array([len(group) for group in motion.groups]) ** (1 - evenness)
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


def free_leg(side, flexed, spread, turned, knee):
    """A leg [4, 3] for hip, knee, ankle, foot from its angles: forward, sideways, outward twist, knee bend."""
    theta = np.zeros((4, 3))
    theta[0] = axis_angle_of(about(2, side * spread) @ about(0, -flexed) @ about(1, side * turned))
    theta[1] = [knee, 0, 0]
    return theta


# How often two legs are held how, in all pictures and in athletic ones.
LEGS_HELD = dict(squat=(0.15, 0.05), lunge=(0.15, 0.08), side_lunge=(0.09, 0.05), one_leg=(0.1, 0.06), kick=(0.08, 0.1),
                 kneel=(0.05, 0.04), sit=(0.05, 0.08), cross_legged=(0.03, 0.02), split=(0.09, 0.14),
                 straddle=(0.06, 0.12), tuck=(0.05, 0.13), any=(0.1, 0.13))


def random_legs(random, athletic=False):
    """Leg angles (flexed, spread, turned, knee) of two legs, as in sports and gymnastics."""
    kind = random.choice(list(LEGS_HELD), p=[share[int(athletic)] for share in LEGS_HELD.values()])
    uniform = random.uniform
    straight = (uniform(-0.15, 0.15), uniform(-0.05, 0.2), uniform(-0.1, 0.3), uniform(0, 0.15))
    if kind == "squat":
        flexed, spread = uniform(0.5, 2.2), uniform(0, 0.6)
        both = (flexed, spread, spread * uniform(0, 1), min(flexed + uniform(0, 0.6), 2.4))
        return both, both
    if kind == "lunge":
        return ((uniform(0.7, 1.7), uniform(0, 0.3), uniform(0, 0.3), uniform(0.6, 1.9)),
                (uniform(-0.7, 0.1), uniform(0, 0.3), uniform(0, 0.4), uniform(0, 1.6)))
    if kind == "side_lunge":
        return ((uniform(0.3, 1.2), uniform(0.4, 1.1), uniform(0.2, 1.0), uniform(0.6, 1.8)),
                (uniform(-0.1, 0.3), uniform(0.4, 1.0), uniform(0, 0.5), uniform(0, 0.2)))
    if kind == "one_leg":
        return straight, (uniform(0.2, 1.8), uniform(0, 0.9), uniform(0, 1.1), uniform(0.8, 2.4))
    if kind == "kick":
        return straight, (random.choice([uniform(0.8, 2.2), uniform(-1.2, -0.4)]), uniform(0, 1.3), uniform(0, 0.6),
                          uniform(0, 0.5))
    if kind == "kneel":
        return tuple((uniform(-0.1, 0.9), uniform(0, 0.4), uniform(0, 0.3), uniform(1.4, 2.4)) for _ in range(2))
    if kind == "sit":
        return tuple((uniform(1.1, 1.8), uniform(0, 0.5), uniform(0, 0.4), uniform(0.2, 2.0)) for _ in range(2))
    if kind == "split":
        return ((uniform(0.9, 1.9), uniform(0, 0.5), uniform(0, 0.5), uniform(0, 0.5)),
                (uniform(-1.5, -0.5), uniform(0, 0.5), uniform(0, 0.6), uniform(0, 0.9)))
    if kind == "straddle":
        flexed, spread, knee = uniform(0, 1.7), uniform(0.6, 1.4), uniform(0, 0.4)
        return tuple((flexed + uniform(-0.2, 0.2), spread + uniform(-0.2, 0.1), uniform(0, 0.8), knee) for _ in range(2))
    if kind == "tuck":
        flexed, knee = uniform(1.2, 2.3), uniform(1.2, 2.4)
        return tuple((flexed + uniform(-0.2, 0.2), uniform(0, 0.5), uniform(0, 0.4), knee + uniform(-0.3, 0.1))
                     for _ in range(2))
    if kind == "cross_legged":
        return tuple((uniform(1.1, 1.7), uniform(0.5, 0.95), uniform(0.5, 1.0), uniform(1.9, 2.5)) for _ in range(2))
    return tuple((uniform(-0.7, 2.1), uniform(-0.15, 1.1), uniform(-0.3, 0.8), uniform(0, 2.3)) for _ in range(2))


def nearest_draw(motion, theta, limb, draws, distance_of):
    """`theta` with `limb` as that one of `draws` [N, 4, 3] whose placed joints [N, 24, 3] have the least `distance_of`."""
    tried = np.repeat(theta[None], len(draws), 0)
    tried[:, limb] = draws
    tried[:, 0] = 0
    placed = forward_kinematics(motion.joints, rotations_of(tried))[1]
    best = theta.copy()
    best[limb] = draws[distance_of(placed).argmin()]
    return best


def foot_on_other_leg(random, motion, theta):
    """One foot rests against the other leg, between ankle and mid-thigh, the knee to the side or in front."""
    side = random.choice([-1, 1])
    limb, (hip, knee, ankle) = (LEFT_LEG, RIGHT_LEG[:3]) if side > 0 else (RIGHT_LEG, LEFT_LEG[:3])
    theta = theta.copy()
    theta[RIGHT_LEG if side > 0 else LEFT_LEG] = free_leg(
        -side, random.uniform(-0.15, 0.3), random.uniform(-0.05, 0.15), random.uniform(-0.1, 0.3), random.uniform(0, 0.3))
    outward = random.uniform(0.2, 1.1)
    draws = np.array([free_leg(side, random.uniform(0.1, 1.6), outward + random.uniform(-0.2, 0.2),
                               random.uniform(0.0, 1.3), random.uniform(0.9, 2.5)) for _ in range(48)])
    along = random.uniform(0.05, 1.5)
    beside = np.array([side * 0.07, 0, random.uniform(-0.05, 0.06)])

    def distance(placed):
        below, above = placed[:, ankle], placed[:, knee]
        target = below + along * (above - below) if along < 1 else above + (along - 1) * (placed[:, hip] - above)
        return np.linalg.norm(placed[:, limb[2]] - target - beside, axis=-1)

    return nearest_draw(motion, theta, limb, draws, distance)


def hand_on_body(random, motion, theta, side, place):
    """A hand where people rest or join them; `place` is a rest position on the trunk [3] for the left hand, metres."""
    limb = LEFT_ARM if side > 0 else RIGHT_ARM
    bone, position = place
    draws = np.array([free_arm(random, side) for _ in range(48)])
    offset = (position + random.normal(0, 0.03, 3)) * [side, 1, 1]

    def distance(placed):
        wrist, elbow = placed[:, limb[3]], placed[:, limb[1]]
        # Elbows hang or point to the side rather than up behind the head.
        return np.linalg.norm(wrist - placed[:, bone] - offset, axis=-1) + 0.1 * np.maximum(
            0, placed[:, limb[2], 1] - elbow[:, 1])

    return nearest_draw(motion, theta, limb, draws, distance)


# Joint and offset of a left wrist: on the hip, arms folded, palms together, behind the back, at the head, at the neck.
HAND_PLACES = [(1, [0.1, 0.12, 0.06]), (9, [-0.1, -0.1, 0.2]), (9, [0.02, -0.02, 0.2]), (0, [0.05, 0.03, -0.18]),
               (15, [0.1, 0.1, 0.05]), (12, [0.07, 0.0, 0.1]), (4, [0.0, 0.06, 0.08])]


def touching_arms(random, motion, theta):
    """One or both hands on the body, in one place or each in its own."""
    places = [(bone, np.array(offset)) for bone, offset in HAND_PLACES]
    first = places[random.integers(len(places))]
    second = first if random.uniform() < 0.6 else places[random.integers(len(places))]
    theta = hand_on_body(random, motion, theta, 1, first)
    return hand_on_body(random, motion, theta, -1, second) if random.uniform() < 0.75 else theta


def bent_trunk(random, athletic=False):
    """Spine and neck [5, 3]: a bend forward, or of athletes nearly as often backward, a lean to the side and a twist, shared
    among three joints."""
    bend = np.array([random.normal(0.25, 0.4), random.normal(0, 0.35), random.normal(0, 0.2)])
    if athletic:
        bend[0] = 1.7 * bend[0] - 0.3
    theta = np.zeros((5, 3))
    theta[:3] = np.clip(bend, [-1.1 if athletic else -0.6, -0.9, -0.5], [1.2, 0.9, 0.5]) / 3
    theta[3:] = random.normal(0, 0.15, (2, 3))
    return theta


def exercise(random, motion, athletic=False):
    """A pose [24, 3] from joint angles, for what motion capture lacks: squats, lunges, balances, kicks, kneeling; of athletes
    more often what is done in the air."""
    theta = random_frame(random, motion).copy()
    theta[0] = [random.normal(0.15, 0.25), 0, random.normal(0, 0.1)]
    legs = random_legs(random, athletic)
    sides = (1, -1) if random.uniform() < 0.5 else (-1, 1)
    for side, angles in zip(sides, legs):
        theta[LEFT_LEG if side > 0 else RIGHT_LEG] = free_leg(side, *angles)
    if random.uniform() < 0.2:
        theta = foot_on_other_leg(random, motion, theta)
    theta[TRUNK] = bent_trunk(random, athletic)
    arms = random.uniform()
    if arms < 0.35:
        left = free_arm(random, 1)
        theta[LEFT_ARM], theta[RIGHT_ARM] = left, left * MIRROR_SIGN
    elif arms < 0.7:
        theta[LEFT_ARM], theta[RIGHT_ARM] = free_arm(random, 1), free_arm(random, -1)
    elif arms < 0.9:
        theta = touching_arms(random, motion, theta)
    return theta


def random_pose(random, motion, athletic=False):
    """A pose [24, 3]; its root keeps the recorded lean but not the heading. Athletes' poses are mostly exercises."""
    kind = random.uniform()
    if athletic:
        kind *= 0.45
    if kind < 0.36:
        theta = exercise(random, motion, athletic)
    else:
        # People who stand and walk are what most photographs show and most of what was recorded.
        theta = random_frame(random, motion, 0.0 if kind > 0.88 else 0.5).copy()
    if 0.36 <= kind < 0.5:
        limbs = [RIGHT_ARM, LEFT_ARM, ARMS, RIGHT_LEG + LEFT_LEG, ARMS + TRUNK][random.integers(5)]
        theta[limbs] = random_frame(random, motion)[limbs]
    elif 0.5 <= kind < 0.55:
        theta = touching_arms(random, motion, theta)
    elif 0.55 <= kind < 0.62:
        for limb, side in ((LEFT_ARM, 1), (RIGHT_ARM, -1)):
            if random.uniform() < 0.7:
                theta[limb] = free_arm(random, side)
    theta += random.normal(size=(24, 3)) * NOISE[:, None] * random.choice([0.5, 1.0, 1.6])
    theta[[22, 23]] = 0
    root = rotations_of(theta[0])
    forward = root[:, 2] if abs(root[1, 2]) < 0.9 else root[:, 1]
    theta[0] = axis_angle_of(about(1, -np.arctan2(forward[0], forward[2])) @ root)
    return theta
