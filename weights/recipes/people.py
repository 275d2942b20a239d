"""A synthetic population: MakeHuman people, all brought to the same T-pose, and the shape space of their variation."""

import numpy as np
import scipy.sparse as sparse

from smpl_maths import JOINTS, MIRRORED_JOINTS, bone_transforms, joint, skin

# The rig's bone whose head is the joint; SMPL's joint sits at about the same height of the body.
JOINT_BONES = {"pelvis": "spine04", "spine1": "spine03", "spine2": "spine02", "spine3": "spine01", "neck": "neck01",
               "head": "head"}
for _side in "lr":
    for _name, _bone in (("hip", "upperleg01"), ("knee", "lowerleg01"), ("ankle", "foot"), ("foot", "toe2-1"),
                         ("collar", "clavicle"), ("shoulder", "upperarm01"), ("elbow", "lowerarm01"),
                         ("wrist", "wrist"), ("hand", "finger3-1")):
        JOINT_BONES[f"{_side}_{_name}"] = f"{_bone}.{_side.upper()}"


# The rig places these two unsteadily from body to body; between steadier neighbours they follow the skin.
BLENDED_JOINTS = {"spine2": (("spine03", 0.8), ("neck01", 0.2)), "spine3": (("spine02", 0.5), ("neck01", 0.5))}


def mean_matrix(rows, vertex_count):
    """Sparse [rows, vertex_count] whose row k averages the vertices listed in rows[k]."""
    indices = np.concatenate(rows)
    counts = np.array([len(row) for row in rows])
    return sparse.csr_matrix((np.repeat(1 / counts, counts), (np.repeat(np.arange(len(rows)), counts), indices)),
                             (len(rows), vertex_count))


def rig_joint_matrix(rig, vertex_count):
    """Sparse [24, V]: SMPL's joints as means of base-mesh vertices, in MakeHuman's own rest pose."""
    heads = lambda names: mean_matrix([rig.head_vertices(name) for name in names], vertex_count)
    matrix = heads([JOINT_BONES[name] for name in JOINTS]).tolil()
    for name, parts in BLENDED_JOINTS.items():
        bones, shares = zip(*parts)
        matrix[joint(name)] = sparse.csr_matrix([shares]) @ heads(bones)
    return matrix.tocsr()


def smpl_joint_of_bone(rig, bone):
    """The SMPL joint that carries a bone of the rig: the nearest ancestor that sits on one."""
    side = bone[-1].lower()
    if bone.startswith("toe"):
        return joint(f"{side}_foot")
    if bone.startswith("finger") and not bone.startswith("finger1"):
        return joint(f"{side}_hand")
    carriers = {bone_name: joint(name) for name, bone_name in JOINT_BONES.items()}
    return next((carriers[b] for b in rig.ancestors(bone) if b in carriers), 0)


def adjacency_average(faces, vertex_count):
    """Sparse [V, V] that replaces a vertex by the mean of its edge neighbours (or itself where it has none)."""
    a, b = faces.ravel(), np.roll(faces, -1, 1).ravel()
    matrix = sparse.coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), (vertex_count,) * 2).tocsr()
    matrix.data[:] = 1
    lonely = np.asarray(matrix.sum(1)).ravel() == 0
    matrix = matrix + sparse.diags(lonely.astype(float))
    return sparse.diags(1 / np.asarray(matrix.sum(1)).ravel()) @ matrix


def keep_largest(weights, count=4):
    """Keeps at most the `count` largest weights of a row and normalises rows to sum 1.

    Equal weights stay or go together, so that a vertex on the midline keeps both sides alike.
    """
    first_dropped = np.sort(weights, 1)[:, -count - 1][:, None]
    weights = np.where(weights > np.maximum(first_dropped * (1 + 1e-6), 1e-3), weights, 0)
    return weights / weights.sum(1, keepdims=True)


def mirrored_weights(weights, mirror):
    return weights[mirror][:, MIRRORED_JOINTS]


def skinning_weights(rig, mesh, smoothing=3):
    """Weights [V, 24] of the default rig merged onto SMPL's joints, smoothed, symmetric, at most 4 a vertex."""
    weights = np.zeros((len(mesh.vertices), 24))
    for bone, rows in rig.weights.items():
        rows = np.array(rows)
        np.add.at(weights[:, smpl_joint_of_bone(rig, bone)], rows[:, 0].astype(int), rows[:, 1])
    weights /= weights.sum(1, keepdims=True)
    average = adjacency_average(mesh.quads, len(weights))
    for _ in range(smoothing):
        weights = 0.5 * weights + 0.5 * (average @ weights)
    weights = 0.5 * (weights + mirrored_weights(weights, mesh.mirror))
    weights = keep_largest(weights)
    return 0.5 * (weights + mirrored_weights(weights, mesh.mirror))


def sample_attributes(count, random):
    """Attributes of `count` people, mostly adults, as keyword arguments of macro_targets.coefficients."""
    male = random.random(count) < 0.5
    gender = np.where(male, 1.0, 0.0) + np.where(male, -1, 1) * np.abs(random.normal(0, 0.12, count))
    age = np.clip(18 + random.gamma(2.0, 12.0, count), 18, 85)
    children = random.random(count) < 0.06
    age = np.where(children, random.uniform(10, 18, count), age)
    around = lambda spread: np.clip(random.normal(0.5, spread, count), 0, 1)
    race = random.dirichlet([0.5, 0.5, 0.5], count)
    return dict(gender=np.clip(gender, 0, 1), age=age, muscle=around(0.25), weight=around(0.3), height=around(0.065),
                proportions=around(0.2), race=race)


def minimal_rotation(a, b):
    """The smallest rotations [N, 3, 3] that turn directions a [N, 3] into b [3] or [N, 3]."""
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = np.broadcast_to(b, a.shape) / np.linalg.norm(b, axis=-1, keepdims=True)
    x, y, z = np.cross(a, b).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + (a * b).sum(1))[:, None, None]


def turn_about_x(angle):
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([one, zero, zero, zero, c, -s, zero, s, c], -1).reshape(-1, 3, 3)


def t_pose_rotations(joints, knuckles):
    """Local rotations [N, 24, 3, 3] that bring rest joints [N, 24, 3] to the T-pose.

    Arms along +-x, legs along -y, feet as they stood, palms down. knuckles [N, 4, 3]: left index and little finger's,
    right index and little finger's.
    """
    count = len(joints)
    local = np.broadcast_to(np.eye(3), (count, 24, 3, 3)).copy()
    transposed = lambda rotation: np.swapaxes(rotation, 1, 2)
    for k, (side, sign) in enumerate((("l", 1.0), ("r", -1.0))):
        shoulder, elbow, wrist, hand, hip, knee, ankle = (
            joint(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle"))
        outward = np.array([sign, 0, 0])
        upper = minimal_rotation(joints[:, elbow] - joints[:, shoulder], outward)
        forearm = joints[:, wrist] - joints[:, elbow]
        lower = minimal_rotation((upper @ forearm[..., None])[..., 0], outward) @ upper
        palm = joints[:, hand] - joints[:, wrist]
        flat = minimal_rotation((lower @ palm[..., None])[..., 0], outward) @ lower
        # Roll until the index finger's knuckle lies straight before the little finger's; half of it in the forearm.
        across = (flat @ (knuckles[:, 2 * k] - knuckles[:, 2 * k + 1])[..., None])[..., 0]
        roll = np.arctan2(across[:, 1], across[:, 2])
        lower = turn_about_x(0.5 * roll) @ lower
        flat = turn_about_x(roll) @ flat
        local[:, shoulder] = upper
        local[:, elbow] = transposed(upper) @ lower
        local[:, wrist] = transposed(lower) @ flat
        down = np.array([0, -1.0, 0])
        thigh = minimal_rotation(joints[:, knee] - joints[:, hip], down)
        shin = minimal_rotation((thigh @ (joints[:, ankle] - joints[:, knee])[..., None])[..., 0], down) @ thigh
        local[:, hip] = thigh
        local[:, knee] = transposed(thigh) @ shin
        local[:, ankle] = transposed(shin)
    return local


class t_poser:
    """Brings MakeHuman people [N, V, 3] to the T-pose, each with its own joints, pelvis at the origin."""

    def __init__(self, rig, mesh, weights):
        count = len(mesh.vertices)
        self.joint_matrix = rig_joint_matrix(rig, count)
        self.knuckle_matrix = mean_matrix(
            [rig.head_vertices(f"finger{finger}-1.{side}") for side in "LR" for finger in (2, 5)], count)
        self.weights = sparse.csr_matrix(weights)

    def measured(self, matrix, people):
        return np.stack([matrix @ person for person in people])

    def __call__(self, people):
        """T-posed vertices [N, V, 3] and joints [N, 24, 3]."""
        transforms, placed = self.transforms(people)
        return skin(people, self.weights, transforms), placed

    def transforms(self, people):
        joints = self.measured(self.joint_matrix, people)
        rotations = t_pose_rotations(joints, self.measured(self.knuckle_matrix, people))
        transforms, placed = bone_transforms(joints, rotations)
        origin = placed[:, :1].copy()
        transforms[..., 3] -= origin
        return transforms, placed - origin


def vertex_areas(vertices, triangles):
    """A third of the area of the triangles around each vertex."""
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    return np.bincount(triangles.ravel(), np.repeat(area / 3, 3), len(vertices))


def shape_space(people, areas, components=10):
    """Principal components of people [N, V, 3], weighted by vertex area: mean, directions, scores, variances (fractions).

    Directions are scaled for scores of unit variance, and turned so that height grows with each.
    """
    count = len(people)
    mean = people.mean(0, dtype=np.float64)
    centred = people - mean.astype(people.dtype)
    weighted = (centred * np.sqrt(areas)[:, None].astype(people.dtype)).reshape(count, -1)
    gram = (weighted @ weighted.T).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1][:, :components]
    scores = vectors * np.sqrt(count - 1)
    directions = np.einsum("nk,nva->vak", scores.astype(people.dtype), centred, optimize=True) / (count - 1)
    top, bottom = mean[:, 1].argmax(), mean[:, 1].argmin()
    sign = np.sign(directions[top, 1] - directions[bottom, 1])
    sign[sign == 0] = 1
    return mean, directions * sign, scores * sign, values / values.sum()
