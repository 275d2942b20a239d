"""SMPL's skeleton and its forward pass in numpy, vectorised over poses."""

import numpy as np

JOINTS = ("pelvis", "l_hip", "r_hip", "spine1", "l_knee", "r_knee", "spine2", "l_ankle", "r_ankle", "spine3", "l_foot",
          "r_foot", "neck", "l_collar", "r_collar", "head", "l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist",
          "r_wrist", "l_hand", "r_hand")
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
MIRRORED_JOINTS = np.array([0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22])
MPII_JOINTS = ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "thorax", "upper_neck", "head_top",
               "r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist")
MIRRORED_MPII_JOINTS = np.array([5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10])


def joint(name):
    return JOINTS.index(name)


def rotations_of(theta):
    """Rodrigues' formula: axis-angles [..., 3] to rotation matrices [..., 3, 3]."""
    angle = np.linalg.norm(theta, axis=-1, keepdims=True)[..., None]
    x, y, z = np.moveaxis(theta / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(x.shape + (3, 3))
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def pose_feature(rotations):
    """f [..., 207]: row-major R - I of joints 1 .. 23."""
    return (rotations[..., 1:, :, :] - np.eye(3)).reshape(rotations.shape[:-3] + (207,))


def forward_kinematics(joints, rotations):
    """Global rotations [..., 24, 3, 3] and joint positions [..., 24, 3] from rest joints and local rotations."""
    shape = np.broadcast_shapes(joints.shape[:-2], rotations.shape[:-3])
    turned, placed = np.empty(shape + (24, 3, 3)), np.empty(shape + (24, 3))
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            turned[..., j, :, :] = rotations[..., j, :, :]
            placed[..., j, :] = joints[..., j, :]
        else:
            turned[..., j, :, :] = turned[..., parent, :, :] @ rotations[..., j, :, :]
            bone = (joints[..., j, :] - joints[..., parent, :])[..., None]
            placed[..., j, :] = placed[..., parent, :] + (turned[..., parent, :, :] @ bone)[..., 0]
    return turned, placed


def bone_transforms(joints, rotations):
    """Affine maps [..., 24, 3, 4] from rest to posed space, and the posed joints."""
    turned, placed = forward_kinematics(joints, rotations)
    moved = placed - (turned @ joints[..., None])[..., 0]
    return np.concatenate([turned, moved[..., None]], -1), placed


def skin(vertices, weights, transforms):
    """Linear blend skinning of [..., V, 3] with weights [V, 24] (dense or sparse) and maps [..., 24, 3, 4]."""
    batch = transforms.shape[:-3]
    flat = np.moveaxis(transforms.reshape((-1, 24, 12)), 0, 1).reshape(24, -1)
    blended = (weights @ flat).reshape(-1, flat.shape[1] // 12, 3, 4)
    blended = np.moveaxis(blended, 1, 0).reshape(batch + (-1, 3, 4))
    return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]


class smpl_body:
    """The arrays of a body file and SMPL's forward pass."""

    def __init__(self, arrays):
        self.v_template = np.asarray(arrays["v_template"], np.float64)
        self.shapedirs = np.asarray(arrays["shapedirs"], np.float64)
        self.posedirs = np.asarray(arrays["posedirs"], np.float64)
        self.joint_regressor = np.asarray(arrays["J_regressor"], np.float64)
        self.weights = np.asarray(arrays["weights"], np.float64)
        self.faces = np.asarray(arrays["f"], np.int64)

    def shaped(self, beta):
        return self.v_template + self.shapedirs[:, :, :len(beta)] @ beta

    def posed(self, beta, theta, with_pose_shapes=True):
        """Vertices [6890, 3] and joints [24, 3] for beta [10] and theta [24, 3]."""
        shaped = self.shaped(beta)
        joints = self.joint_regressor @ shaped
        rotations = rotations_of(np.asarray(theta).reshape(24, 3))
        if with_pose_shapes:
            shaped = shaped + self.posedirs @ pose_feature(rotations)
        transforms, placed = bone_transforms(joints, rotations)
        return skin(shaped, self.weights, transforms), placed
