"""Sorts the photographer's pictures by what the person does, from where it is seen and how much of it is seen.

The pools say nothing of this in words: it is read from pose, camera and masks. A function returns a name a picture;
the names of each kind stand in the order in which tables list them.
"""
import numpy as np

from smpl_maths import forward_kinematics, joint, rotations_of

POSES = ("standing", "striding", "a hand above the head", "one leg bent", "sitting or squatting", "kneeling", "bent over",
         "split")
VIEWS = ("front", "side", "back", "tilted", "from above", "from below")
VISIBILITIES = ("whole", "partly hidden", "cut off")


def degrees_between(a, b):
    """Angles between vectors [..., 3]."""
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def poses(theta, rest_joints):
    """What the person does, by angles in degrees, the first of these that holds: split, thighs over 90 apart; sitting or
    squatting, both hips and both knees bent over 60; bent over, both hips; kneeling, both knees over 80; one leg bent, a
    hip over 60 or a knee over 80; a hand above the head, thighs up to 40 apart; striding, thighs over 25 apart;
    standing."""
    theta = np.array(theta, np.float64).reshape(-1, 24, 3)
    theta[:, 0] = 0
    placed = forward_kinematics(np.asarray(rest_joints, np.float64), rotations_of(theta))[1]

    def bone(start, end):
        return placed[:, joint(end)] - placed[:, joint(start)]

    trunk = bone("neck", "pelvis")
    thighs = [bone(f"{side}_hip", f"{side}_knee") for side in "lr"]
    shins = [bone(f"{side}_knee", f"{side}_ankle") for side in "lr"]
    hips = np.stack([degrees_between(trunk, thigh) for thigh in thighs])
    knees = np.stack([degrees_between(thigh, shin) for thigh, shin in zip(thighs, shins)])
    apart = degrees_between(*thighs)
    raised = np.stack([(bone("head", f"{side}_wrist") * -trunk).sum(-1) > 0 for side in "lr"]).any(0)
    names = np.full(len(theta), "standing", object)
    names[apart > 25] = "striding"
    names[raised & (apart <= 40)] = "a hand above the head"
    names[((hips > 60) | (knees > 80)).any(0)] = "one leg bent"
    names[(knees > 80).all(0) & ~(hips > 60).all(0)] = "kneeling"
    names[(hips > 60).all(0)] = "bent over"
    names[(hips > 60).all(0) & (knees > 60).all(0)] = "sitting or squatting"
    names[apart > 90] = "split"
    return names


def views(theta, translation):
    """From where the camera sees the pelvis: more than 30 degrees above its level or 20 below, else tilted where the
    trunk is more than 45 degrees off the picture's vertical, else by the heading in four quarters."""
    root = rotations_of(np.asarray(theta, np.float64).reshape(-1, 24, 3)[:, 0])
    to_camera = -np.asarray(translation, np.float64)
    seen_from = np.einsum("nba,nb->na", root, to_camera / np.linalg.norm(to_camera, axis=1, keepdims=True))
    elevation = np.degrees(np.arcsin(np.clip(seen_from[:, 1], -1, 1)))
    heading = np.abs(np.degrees(np.arctan2(seen_from[:, 0], seen_from[:, 2])))
    up = root[:, :, 1]
    names = np.where(heading < 45, "front", np.where(heading < 135, "side", "back")).astype(object)
    names[np.abs(np.degrees(np.arctan2(up[:, 0], -up[:, 1]))) > 45] = "tilted"
    names[elevation > 30] = "from above"
    names[elevation < -20] = "from below"
    return names


def visibilities(joints, masks, body_masks):
    """Cut off: a joint is outside the crop or the photograph; partly hidden: less than nine tenths of the bare body's
    silhouette is seen; else whole. `masks` [N, 128, 128] of the dressed person, `body_masks` [N, 64, 64], 0 to 255."""
    seen = np.asarray(masks, np.float32).reshape(-1, 64, 2, 64, 2).mean((2, 4))
    body = np.asarray(body_masks, np.float32)
    share = np.minimum(seen, body).sum((1, 2)) / body.sum((1, 2))
    names = np.where(share < 0.9, "partly hidden", "whole").astype(object)
    names[(np.asarray(joints)[..., 2] == 0).any(1)] = "cut off"
    return names
