"""Pose blend shapes: what linear blend skinning lacks around bent joints, regressed on SMPL's pose feature.

The target of a pose is delta mush (smooth the skinned mesh, put the rest pose's detail back) followed by an offset along
the normals that gives each bending joint its rest volume again.
"""

import numpy as np
import scipy.sparse as sparse
from tqdm import tqdm

from mesh_picture import vertex_normals
from people import adjacency_average
from smpl_maths import (JOINTS, MIRRORED_JOINTS, PARENTS, bone_transforms, joint, pose_feature, rotations_of,
                        skin)

VOLUME_JOINTS = tuple(joint(f"{side}_{name}") for name in ("elbow", "knee", "hip", "shoulder") for side in "lr")
SMOOTHING_STEPS = 16
LARGEST_OFFSET = 0.035


class volume_region:
    """The flesh that a joint bends, and its volume seen from the joint.

    The joint does not move with respect to either bone, so the cone over the region's rim keeps its volume and a change
    is the flesh's own.
    """

    def __init__(self, j, weights, triangles):
        below = descendants(j)
        moved = weights[:, below].sum(1)
        self.joint = j
        self.bump = 4 * moved * (1 - moved)
        self.bump[self.bump < 0.02] = 0
        self.triangles = triangles[(self.bump[triangles] > 0).any(1)]

    def volume(self, vertices, centre):
        a, b, c = (vertices[self.triangles[:, k]] - centre for k in range(3))
        return np.einsum("fa,fa->", a, np.cross(b, c)) / 6


def descendants(j):
    below = [j]
    for child in range(j + 1, 24):
        if PARENTS[child] in below:
            below.append(child)
    return below


class pose_target:
    """Posed vertices with the volume that a rest body has, for the mean body."""

    def __init__(self, vertices, triangles, weights, joints):
        self.vertices, self.triangles, self.weights, self.joints = vertices, triangles, weights, joints
        self.sparse_weights = sparse.csr_matrix(weights)
        self.average = adjacency_average(triangles, len(vertices))
        self.neighbour = np.zeros(len(vertices), int)
        for k in range(3):
            self.neighbour[triangles[:, k]] = triangles[:, (k + 1) % 3]
        smooth = self.smoothed(vertices)
        frames = self.frames(smooth)
        self.details = np.einsum("vab,va->vb", frames, vertices - smooth)
        self.regions = [volume_region(j, weights, triangles) for j in VOLUME_JOINTS]
        self.rest_volumes = [region.volume(vertices, joints[region.joint]) for region in self.regions]

    def smoothed(self, vertices):
        for _ in range(SMOOTHING_STEPS):
            vertices = 0.5 * vertices + 0.5 * (self.average @ vertices)
        return vertices

    def frames(self, vertices):
        """Orthonormal frames [V, 3, 3], columns normal, tangent, bitangent."""
        normal = vertex_normals(vertices, self.triangles)
        tangent = vertices[self.neighbour] - vertices
        tangent -= normal * (normal * tangent).sum(1, keepdims=True)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
        return np.stack([normal, tangent, np.cross(normal, tangent)], 2)

    def skinned(self, rotations, vertices=None):
        """Posed vertices by linear blend skinning, the posed joints and the bones' maps."""
        transforms, placed = bone_transforms(self.joints, rotations)
        return skin(self.vertices if vertices is None else vertices, self.sparse_weights, transforms), placed, transforms

    def posed(self, skinned, placed):
        smooth = self.smoothed(skinned)
        vertices = smooth + np.einsum("vab,vb->va", self.frames(smooth), self.details)
        for region, rest in zip(self.regions, self.rest_volumes):
            moved = 0.0
            for _ in range(2):
                normals = vertex_normals(vertices, region.triangles)
                direction = normals * region.bump[:, None]
                step = 2e-3
                volume = region.volume(vertices, placed[region.joint])
                slope = (region.volume(vertices + step * direction, placed[region.joint]) - volume) / step
                change = np.clip(moved + (rest - volume) / slope, -LARGEST_OFFSET, LARGEST_OFFSET) - moved
                vertices = vertices + change * direction
                moved += change
        return vertices

    def rest_offsets(self, rotations):
        """Offsets [V, 3] in the rest pose that make linear blend skinning reach the target."""
        skinned, placed, transforms = self.skinned(rotations)
        missing = self.posed(skinned, placed) - skinned
        blended = (self.sparse_weights @ transforms[:, :, :3].reshape(24, 9)).reshape(-1, 3, 3)
        # Where opposite turns nearly cancel, the inverse would blow a small residue up.
        left, size, right = np.linalg.svd(blended)
        inverse = np.swapaxes(right, 1, 2) @ (np.swapaxes(left, 1, 2) / np.maximum(size, 0.4)[:, :, None])
        return (inverse @ missing[:, :, None])[:, :, 0]


def bending_poses(count, random):
    """Local rotations [count, 24, 3, 3] of one strongly bent joint each, the others nearly at rest.

    Half of the poses bend the joints whose volume is corrected.
    """
    theta = random.normal(0, 0.06, (count, 24, 3))
    widest = {"knee": (2.2, 0.2, 0.2), "elbow": (0.5, 2.2, 0.5), "hip": (1.8, 0.6, 0.7), "shoulder": (0.8, 1.2, 1.4)}
    for row in range(count):
        j = VOLUME_JOINTS[row // 2 % len(VOLUME_JOINTS)] if row % 2 else 1 + row // 2 % 21
        name = JOINTS[j].split("_")[-1]
        turn = random.uniform(-1, 1, 3) * widest.get(name, (0.5, 0.5, 0.5))
        side = 1 if JOINTS[j].startswith("l_") else -1
        if name == "knee":
            turn[0] = abs(turn[0])
        if name == "elbow":
            turn[1] = -side * abs(turn[1])
        if name == "hip":
            turn[0] = -abs(turn[0]) if row % 5 else turn[0]
        theta[row, j] = turn
    theta[:, 0] = 0
    return rotations_of(theta)


def mocap_rotations(archive, held_out, count, random):
    """Local rotations [count, 24, 3, 3] of random frames; every fifth sequence is held out."""
    frames = np.flatnonzero((archive["seq"] % 5 == 0) == held_out)
    chosen = np.sort(random.choice(frames, count, replace=False))
    theta = archive["theta"][chosen].reshape(-1, 24, 3).astype(np.float64)
    theta[:, 0] = 0
    return rotations_of(theta)


def supporting_joints(weights, triangles, least=0.02):
    """For each vertex the joints [V, 24] whose rotation may change its offset.

    These are the joints that carry it or its surroundings, less the one that is an ancestor of all the others: that one
    moves the neighbourhood rigidly.
    """
    average = adjacency_average(triangles, len(weights))
    for _ in range(4):
        weights = 0.5 * weights + 0.5 * (average @ weights)
    carried = weights > least
    support = carried.copy()
    for j in range(24):
        elsewhere = np.setdiff1d(np.arange(24), descendants(j))
        support[carried[:, j] & ~carried[:, elsewhere].any(1), j] = False
    support[:, 0] = False
    return support


def symmetrised(posedirs, mirror):
    """Mean of the blend shapes [V, 3, 207] and their mirror images."""
    shapes = posedirs.reshape(-1, 3, 23, 3, 3)
    sign = np.array([-1.0, 1.0, 1.0])
    image = shapes[mirror][:, :, MIRRORED_JOINTS[1:] - 1] * sign[:, None] * sign * sign[:, None, None, None]
    return (0.5 * (shapes + image)).reshape(posedirs.shape)


def fit(target, rotations, mirror, ridge=0.3):
    """posedirs [V, 3, 207], symmetric and zero away from each vertex's own joints."""
    offsets = np.stack([target.rest_offsets(pose) for pose in tqdm(rotations, "pose targets")])
    features = pose_feature(rotations)
    support = supporting_joints(target.weights, target.triangles)
    support |= support[mirror][:, MIRRORED_JOINTS]
    posedirs = np.zeros((len(mirror), 3, 207))
    patterns, member = np.unique(support, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        joints = np.flatnonzero(pattern)
        if not len(joints):
            continue
        columns = np.concatenate([9 * (j - 1) + np.arange(9) for j in joints])
        rows = np.flatnonzero(member.ravel() == k)
        design = features[:, columns]
        gram = design.T @ design + ridge * np.eye(len(columns))
        right = design.T @ offsets[:, rows].reshape(len(features), -1)
        solution = np.linalg.solve(gram, right).reshape(len(columns), len(rows), 3)
        posedirs[rows[:, None], :, columns[None]] = solution.transpose(1, 0, 2)
    return symmetrised(posedirs, mirror)
