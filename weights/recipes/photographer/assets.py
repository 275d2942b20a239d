"""Everything the photographer can put into a picture, read once and kept ready for drawing.

What is held out for validation stands in splits.json; a split never sees the other's clothes, shoes, hair, skins,
backgrounds, lights or motion sequences.
"""

import csv
import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import makehuman
from photographer import poses, tailoring
from photographer.native import CACHE, floats
from photographer.surface import INFLUENCES, surface

SPLITS = ("train", "validation")
# Height of the waist over the pelvis joint in the template's rest pose, metres.
WAIST = 0.09
UPPER, LOWER = 0, 1


@functools.cache
def held_out():
    """What only validation may use: kind -> names."""
    return {kind: set(names) for kind, names in json.loads((Path(__file__).parent / "splits.json").read_text()).items()}


def belongs(name, kind, split):
    """True when something called `name` may be used in `split`."""
    return (name in held_out()[kind]) == (split == "validation")


@dataclass
class garment(surface):
    """A surface that is fitted to every body shape, and what it hides of the body."""
    fitting: makehuman.clothes
    turned_offsets: np.ndarray    # [V, 3] offsets of the fitting, brought to the T-pose
    texture: np.ndarray           # [H, W, 4]
    brightness: np.ndarray        # [2] mean sRGB luminance of the texture where a region uses it
    hidden: np.ndarray            # [13380] bool: body vertices underneath
    reach: np.ndarray             # [2, 2] lowest and highest y of each region on the template

    def fit(self, vertices):
        """Rest vertices [V, 3] on a shaped body [19158, 3]."""
        bound = vertices[self.fitting.bound_vertices]
        scale = self.fitting.scale(vertices)
        fitted = np.einsum("nk,nka->na", self.fitting.bound_weights, bound) + self.turned_offsets * scale
        return floats(fitted)


def strongest(weights):
    """The INFLUENCES largest weights of each row and their columns; rows sum to 1."""
    bones = np.argsort(-weights, 1, kind="stable")[:, :INFLUENCES]
    kept = np.take_along_axis(weights, bones, 1)
    return bones.astype(np.uint8), floats(kept / kept.sum(1, keepdims=True))


def components(triangles, vertex_count):
    """Number of the connected piece that each vertex belongs to."""
    edges = coo_matrix((np.ones(3 * len(triangles)), (triangles.ravel(), np.roll(triangles, 1, 1).ravel())),
                       (vertex_count, vertex_count))
    return connected_components(edges, directed=False)[1]


def interpolation(sources, targets, neighbours=3):
    """Sparse [targets, sources] that spreads values of the body file's vertices over the full-resolution body."""
    distance, nearest = cKDTree(sources).query(targets, neighbours)
    weights = 1 / np.maximum(distance, 1e-4)
    weights /= weights.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(targets)), neighbours)
    return csr_matrix((floats(weights).ravel(), (rows, nearest.ravel())), (len(targets), len(sources)))


class human:
    """The body in full resolution, and the regressors of the body file that label it."""

    def __init__(self, body_path):
        cached = CACHE / "body_highres.npz"
        if not cached.exists() or not Path(body_path).exists():
            raise SystemExit(f"{cached} or {body_path} is missing: run weights/recipes/build_body.py first.")
        high = dict(np.load(cached))
        body = dict(np.load(body_path))
        self.template = high["v_template"]
        self.directions = np.ascontiguousarray(high["shapedirs"].reshape(-1, 10).T)
        self.rest_rotations, self.all_weights = high["rest_rotations"], high["weights"]
        bones, weights = strongest(self.all_weights)
        used = slice(0, 13380)
        self.skin = surface("skin", floats(self.template[used]), bones[used].copy(), weights[used].copy(),
                            np.ascontiguousarray(high["faces"]), np.ascontiguousarray(high["faces_uv"]),
                            np.zeros(len(high["faces"]), np.uint8), floats(high["uv"]))
        regressor = np.asarray(body["J_regressor"], np.float64)
        self.joints = regressor @ body["v_template"]
        self.joint_directions = np.einsum("jv,vak->jak", regressor, body["shapedirs"][:, :, :10])
        mpii = np.asarray(body["joint_regressor_mpii"], np.float64)
        rows = np.flatnonzero(np.abs(mpii).sum(0) > 0)
        self.mpii = mpii[:, rows]
        self.mpii_template = np.asarray(body["v_template"], np.float64)[rows]
        self.mpii_directions = np.asarray(body["shapedirs"], np.float64)[rows][:, :, :10]
        self.mpii_pose_directions = np.asarray(body["posedirs"], np.float64)[rows].reshape(3 * len(rows), 207)
        self.pose_directions = csr_matrix(np.asarray(body["posedirs"], np.float32).reshape(-1, 207))
        self.spread = interpolation(body["v_template"], self.template)
        self.mpii_weights = np.asarray(body["weights"], np.float64)[rows]

    def shaped(self, beta, pose_feature):
        """Rest vertices [19158, 3] with pose shapes, and with the helpers that clothes are bound to."""
        shaped = self.template + (beta.astype(np.float32) @ self.directions).reshape(-1, 3)
        return shaped + self.spread @ (self.pose_directions @ pose_feature.astype(np.float32)).reshape(-1, 3)

    def rest_joints(self, beta):
        return self.joints + self.joint_directions @ beta

    def labelled_joints(self, beta, pose_feature, transforms):
        """The 16 MPII joints [16, 3] of the body file, posed by `transforms` [24, 3, 4]."""
        vertices = self.mpii_template + self.mpii_directions @ beta
        vertices = vertices + (self.mpii_pose_directions @ pose_feature).reshape(-1, 3)
        blended = (self.mpii_weights @ transforms.reshape(24, 12)).reshape(-1, 3, 4)
        return self.mpii @ (np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3])


def read_garment(folder, person):
    """Reads clothes, shoes or hair and binds them to the bones of the body vertices that carry them."""
    fitting = makehuman.read_clothes(folder)
    turned = np.einsum("nab,nb->na", person.rest_rotations[fitting.bound_vertices[:, 0]], fitting.offsets)
    share = np.clip(fitting.bound_weights, 0, None)
    share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
    weights = np.einsum("nk,nkj->nj", share, person.all_weights[fitting.bound_vertices])
    bones, weights = strongest(weights)
    texture = makehuman.read_texture(fitting.texture)
    hidden = np.zeros(13380, bool)
    hidden[fitting.hidden_vertices[fitting.hidden_vertices < 13380]] = True
    result = garment(fitting.name, None, bones, weights, np.ascontiguousarray(fitting.triangles, np.int32),
                     np.ascontiguousarray(fitting.triangles_uv, np.int32), np.zeros(len(fitting.triangles), np.uint8),
                     floats(fitting.uv), fitting, turned, texture, np.zeros(2), hidden, np.zeros((2, 2)))
    result.pattern_position = result.fit(person.template)
    parts = components(fitting.triangles, len(fitting.bound_vertices))
    height = result.pattern_position[:, 1]
    middle = np.bincount(parts, height) / np.bincount(parts)
    result.regions[:] = np.where(middle[parts[fitting.triangles[:, 0]]] > WAIST, UPPER, LOWER)
    centres = fitting.uv[fitting.triangles_uv].mean(1)
    rows = np.clip(((1 - centres[:, 1]) * texture.shape[0]).astype(int), 0, texture.shape[0] - 1)
    columns = np.clip((centres[:, 0] * texture.shape[1]).astype(int), 0, texture.shape[1] - 1)
    luminance = texture[rows, columns, :3] @ np.array([0.299, 0.587, 0.114]) / 255
    for region in (UPPER, LOWER):
        faces = result.regions == region
        if faces.any():
            result.brightness[region] = luminance[faces].mean()
            reach = height[fitting.triangles[faces]]
            result.reach[region] = reach.min(), reach.max()
    return result


class motion:
    """Motion-capture poses of one split, grouped by likeness so that rare poses can be drawn as often as common ones."""

    GROUPS = 160

    def __init__(self, folder, split, joints):
        data = np.load(folder / "cmu_poses_smpl24.npz")
        names = {int(row["seq"]): row["name"] for row in csv.DictReader(open(folder / "sequences.csv", newline=""))}
        usable = np.array([belongs(names[int(sequence)], "sequences", split) for sequence in data["seq"]])
        self.theta = data["theta"][usable].reshape(-1, 24, 3).astype(np.float64)
        self.sequence = data["seq"][usable]
        self.joints = joints
        self.groups = poses.grouped(poses.features(self.theta, joints), self.GROUPS)


@dataclass
class backdrop:
    name: str
    picture: np.ndarray   # [H, W, 3]
    light: int            # row of the lights, or -1


class wardrobe:
    """All assets of one split."""

    def __init__(self, data, body_path, split):
        data = Path(data)
        for part in ("makehuman", "mocap", "backgrounds"):
            if not (data / part).is_dir():
                raise SystemExit(f"{data / part} does not exist: pass --data with the folder that holds makehuman/, "
                                 "mocap/ and backgrounds/.")
        if split not in SPLITS:
            raise SystemExit(f"split is {split}, expected one of {', '.join(SPLITS)}.")
        folder = data / "makehuman"
        self.human = human(body_path)
        self.tailor = tailoring.tailor(self.human.template, self.human.all_weights)
        clothes = [path for path in sorted((folder / "clothes").iterdir()) if path.is_dir()]
        suits = [path for path in clothes if "suit" in path.name and belongs(path.name, "clothes", split)]
        shoes = [path for path in clothes if path.name.startswith("shoes") and belongs(path.name, "shoes", split)]
        hair = [path for path in sorted((folder / "hair").iterdir())
                if path.is_dir() and belongs(path.name, "hair", split)]
        self.suits = [read_garment(path, self.human) for path in suits]
        self.shoes = [read_garment(path, self.human) for path in shoes]
        self.hair = [read_garment(path, self.human) for path in hair]
        self.hats = [read_garment(folder / "clothes" / "fedora01", self.human)]
        self.skins = [makehuman.read_texture(path) for path in sorted((folder / "skins").glob("*_diffuse*.png"))
                      if belongs(path.stem, "skins", split)]
        self.motion = motion(data / "mocap", split, self.human.joints)
        self.read_backgrounds(data / "backgrounds", split)

    def read_backgrounds(self, folder, split):
        rows = [row for row in csv.DictReader(open(folder / "hdri_sh9.csv", newline=""))
                if belongs(row["name"], "panoramas", split)]
        self.lights = np.array([[float(row[f"sh{k}_{c}"]) for k in range(9) for c in "rgb"] for row in rows])
        index = {row["name"]: k for k, row in enumerate(rows)}
        self.backdrops = []
        for path in sorted((folder / "img").glob("*.jpg")):
            panorama = path.stem[5:-2] if path.stem.startswith("hdri_") else None
            if belongs(panorama, "panoramas", split) if panorama else belongs(path.stem, "pictures", split):
                with Image.open(path) as picture:
                    picture = picture.convert("RGB")
                    picture.thumbnail((640, 640))
                    self.backdrops.append(backdrop(path.stem, np.array(picture), index.get(panorama, -1)))
