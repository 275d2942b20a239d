"""Readers for MakeHuman's CC0 data: base mesh, morph targets, skeleton, skinning weights and clothes.

MakeHuman's unit is the decimetre (y up, facing +z); everything here is returned in metres unless a docstring says otherwise.
"""

import functools
import gzip
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

METRES_PER_UNIT = 0.1
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
RACES = ("african", "asian", "caucasian")
HEIGHTS = ("minheight", "maxheight")
PROPORTIONS = ("idealproportions", "uncommonproportions")


def default_data_folder():
    """The folder `shared/data` beside the repository."""
    return Path(__file__).resolve().parents[3] / "shared" / "data"


def require_folder(folder):
    """Returns `folder` as a Path, or ends the program with a sentence that says what is missing."""
    folder = Path(folder)
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist: pass --data with the folder that holds makehuman/ and mocap/.")
    return folder


@dataclass
class obj_mesh:
    """A Wavefront mesh whose faces keep their own corner count."""
    vertices: np.ndarray     # [V, 3], as in the file
    uv: np.ndarray           # [T, 2]
    faces: list              # vertex indices of each face
    faces_uv: list           # uv indices of each face
    groups: dict             # group name -> indices of its faces


def read_obj(path):
    """Reads an .obj or .obj.gz file; coordinates are left in the file's unit."""
    vertices, uv, faces, faces_uv, groups, group = [], [], [], [], {}, ""
    with (gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)) as file:
        for line in file:
            words = line.split()
            if not words:
                continue
            if words[0] == "v":
                vertices.append([float(word) for word in words[1:4]])
            elif words[0] == "vt":
                uv.append([float(word) for word in words[1:3]])
            elif words[0] == "g":
                group = words[1]
            elif words[0] == "f":
                corners = [word.split("/") for word in words[1:]]
                groups.setdefault(group, []).append(len(faces))
                faces.append([int(corner[0]) - 1 for corner in corners])
                faces_uv.append([int(corner[1]) - 1 for corner in corners if len(corner) > 1 and corner[1]])
    return obj_mesh(np.array(vertices), np.array(uv), faces, faces_uv, groups)


def triangulate(faces, faces_uv=None):
    """Fans of triangles [F, 3] (and the matching uv triangles); triangles with a repeated vertex are dropped."""
    triangles, triangles_uv = [], []
    for index, face in enumerate(faces):
        for k in range(1, len(face) - 1):
            corners = (face[0], face[k], face[k + 1])
            if len(set(corners)) == 3:
                triangles.append(corners)
                if faces_uv is not None:
                    triangles_uv.append([faces_uv[index][c] for c in (0, k, k + 1)])
    triangles = np.array(triangles, np.int32)
    return triangles if faces_uv is None else (triangles, np.array(triangles_uv, np.int32))


@dataclass
class base_mesh:
    """The base mesh `hm08`: the skin (group `body`) comes first, then helpers for clothes and hair, then joint cubes."""
    vertices: np.ndarray     # [19158, 3] metres
    uv: np.ndarray           # [21334, 2]
    quads: np.ndarray        # [18486, 4] all groups
    quads_uv: np.ndarray     # [18486, 4]
    groups: dict             # group name -> rows of quads
    mirror: np.ndarray       # [19158] index of the vertex on the other side; itself on the midline
    body_vertices: int       # the skin is vertices [0, body_vertices)

    def body_quads(self):
        return self.quads[self.groups["body"]], self.quads_uv[self.groups["body"]]


def read_base_mesh(makehuman_folder):
    folder = Path(makehuman_folder)
    mesh = read_obj(folder / "base" / "base.obj")
    vertices = mesh.vertices * METRES_PER_UNIT
    body_vertices = 1 + max(max(mesh.faces[face]) for face in mesh.groups["body"])
    mirror = read_mirror(folder / "base" / "hm08.mirror.gz", len(vertices))
    return base_mesh(vertices, mesh.uv, np.array(mesh.faces, np.int32), np.array(mesh.faces_uv, np.int32),
                     {name: np.array(faces) for name, faces in mesh.groups.items()}, mirror, body_vertices)


def read_mirror(path, vertex_count):
    mirror = np.full(vertex_count, -1)
    with gzip.open(path, "rt") as file:
        for line in file:
            words = line.split()
            if len(words) >= 2 and words[0].isdigit():
                mirror[int(words[0])] = int(words[1])
    return mirror


def read_target(path, vertex_count=19158):
    """Displacements [vertex_count, 3] in metres of one .target.gz file."""
    displacement = np.zeros((vertex_count, 3), np.float32)
    with gzip.open(path, "rt") as file:
        rows = [line.split() for line in file if line[:1].isdigit()]
    if rows:
        table = np.array(rows, np.float64)
        displacement[table[:, 0].astype(int)] = table[:, 1:4] * METRES_PER_UNIT
    return displacement


def symmetrised(displacement, mirror):
    """Mean of a displacement [..., V, 3] and its mirror image about x = 0."""
    return 0.5 * (displacement + displacement[..., mirror, :] * np.array([-1, 1, 1], displacement.dtype))


class macro_targets:
    """MakeHuman's macro targets: every corner of gender x age x muscle x weight (x height x proportions) and race.

    A person is the base mesh plus the corners weighted by the product of the interpolation weights, so corners are
    linear in the products, not in the attributes.
    """

    def __init__(self, makehuman_folder, progress=lambda items: items):
        folder = Path(makehuman_folder) / "targets" / "macrodetails"
        corners = list(itertools.product(GENDERS, AGES, MUSCLES, WEIGHTS))
        names = ["universal-" + "-".join(corner) for corner in corners]
        names += [f"{race}-{gender}-{age}" for gender in GENDERS for age in AGES for race in RACES]
        for kind, values in (("height", HEIGHTS), ("proportions", PROPORTIONS)):
            names += [f"{kind}/" + "-".join(corner) + f"-{value}" for corner in corners for value in values]
        self.names = names
        self.displacements = np.stack([read_target(folder / f"{name}.target.gz") for name in progress(names)])

    @staticmethod
    def coefficients(gender, age, muscle, weight, height, proportions, race):
        """Coefficient of every target for N people: [N, targets].

        gender 0 female .. 1 male; age in years, 10 .. 90; muscle, weight, height and proportions 0 .. 1 with 0.5 the
        average; race [N, 3] weights (African, Asian, Caucasian) that sum to 1.
        """
        genders = np.stack([1 - gender, gender], 1)
        ages = np.stack([np.interp(age, [10, 25], [1, 0]),
                         np.interp(age, [10, 25, 90], [0, 1, 0]),
                         np.interp(age, [25, 90], [0, 1])], 1)
        muscles, weights = three_corners(muscle), three_corners(weight)
        corners = np.einsum("na,nb,nc,nd->nabcd", genders, ages, muscles, weights).reshape(len(gender), -1)
        races = np.einsum("na,nb,nc->nabc", genders, ages, race).reshape(len(gender), -1)
        columns = [corners, races]
        for value in (height, proportions):
            low_and_high = np.stack([np.clip(1 - 2 * value, 0, 1), np.clip(2 * value - 1, 0, 1)], 1)
            # Proportions name their high end "ideal", which comes first.
            ends = low_and_high if value is height else low_and_high[:, ::-1]
            columns.append(np.einsum("na,nb->nab", corners, ends).reshape(len(gender), -1))
        return np.concatenate(columns, 1)


def three_corners(value):
    """Interpolation weights [N, 3] of minimum, average and maximum for a value in 0 .. 1."""
    return np.stack([np.clip(1 - 2 * value, 0, 1), 1 - np.abs(2 * value - 1), np.clip(2 * value - 1, 0, 1)], 1)


class skeleton:
    """MakeHuman's default rig: bones whose heads and tails are means of listed base-mesh vertices."""

    def __init__(self, makehuman_folder):
        folder = Path(makehuman_folder) / "rigs"
        rig = json.loads((folder / "default.mhskel").read_text())
        self.bones = rig["bones"]
        self.joint_vertices = rig["joints"]
        self.weights = json.loads((folder / "default_weights.mhw").read_text())["weights"]

    def head_vertices(self, bone):
        return self.joint_vertices[self.bones[bone]["head"]]

    def tail_vertices(self, bone):
        return self.joint_vertices[self.bones[bone]["tail"]]

    def ancestors(self, bone):
        """The bone itself, its parent, and so on up to the root."""
        while bone:
            yield bone
            bone = self.bones[bone]["parent"]


@dataclass
class clothes:
    """A garment, a pair of shoes or hair, bound to triangles of base-mesh vertices."""
    name: str
    uv: np.ndarray               # [T, 2]
    triangles: np.ndarray        # [F, 3]
    triangles_uv: np.ndarray     # [F, 3]
    bound_vertices: np.ndarray   # [N, 3] base-mesh vertices
    bound_weights: np.ndarray    # [N, 3]
    offsets: np.ndarray          # [N, 3] in MakeHuman's unit, multiplied by the measured scale
    scale_references: list       # per axis (vertex, vertex, reference length in MakeHuman's unit) or None
    hidden_vertices: np.ndarray  # base-mesh vertices that the garment covers
    texture: Path                # colour picture with alpha, or None

    def scale(self, vertices):
        """Metres per MakeHuman unit along x, y, z, measured on a body [19158, 3]."""
        scale = np.full(3, METRES_PER_UNIT)
        for axis, reference in enumerate(self.scale_references):
            if reference is not None:
                first, second, length = reference
                scale[axis] = abs(vertices[first, axis] - vertices[second, axis]) / length
        return scale

    def fit(self, vertices, rotations=None, scale=None):
        """Garment vertices [N, 3] on a body [19158, 3] in metres.

        Offsets were drawn in MakeHuman's own rest pose. For a body in another pose pass `rotations` [19158, 3, 3], the
        rotation of each base-mesh vertex from that rest pose, and `scale` as measured before posing.
        """
        scale = self.scale(vertices) if scale is None else scale
        offsets = self.offsets * scale
        if rotations is not None:
            offsets = np.einsum("nab,nb->na", rotations[self.bound_vertices[:, 0]], offsets)
        return np.einsum("nk,nka->na", self.bound_weights, vertices[self.bound_vertices]) + offsets


def read_clothes(folder):
    """Reads the .mhclo.gz, .obj.gz and texture of one folder of clothes, shoes or hair."""
    folder = Path(folder)
    description = sorted(folder.glob("*.mhclo.gz"))[0]
    bound, weights, offsets, hidden, references, section, obj_name = [], [], [], [], [None] * 3, "", None
    with gzip.open(description, "rt") as file:
        for line in file:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] in ("x_scale", "y_scale", "z_scale"):
                references["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
            elif words[0] == "obj_file":
                obj_name = words[1]
            elif words[0] in ("verts", "delete_verts"):
                section = words[0]
            elif not words[0].isdigit():
                continue
            elif section == "verts" and len(words) >= 9:
                bound.append([int(word) for word in words[:3]])
                weights.append([float(word) for word in words[3:6]])
                offsets.append([float(word) for word in words[6:9]])
            elif section == "verts":
                bound.append([int(words[0])] * 3)
                weights.append([1.0, 0.0, 0.0])
                offsets.append([0.0] * 3)
            elif section == "delete_verts":
                for word in " ".join(words).replace(" - ", "-").split():
                    first, _, last = word.partition("-")
                    hidden.extend(range(int(first), int(last or first) + 1))
    mesh_path = folder / f"{obj_name}.gz"
    mesh = read_obj(mesh_path if mesh_path.exists() else sorted(folder.glob("*.obj.gz"))[0])
    if len(mesh.vertices) != len(bound):
        raise ValueError(f"{description}: {len(bound)} bound vertices, but the mesh has {len(mesh.vertices)}")
    triangles, triangles_uv = triangulate(mesh.faces, mesh.faces_uv)
    textures = sorted(folder.glob("*.png"))
    return clothes(folder.name, mesh.uv, triangles, triangles_uv, np.array(bound), np.array(weights), np.array(offsets),
                   references, np.array(sorted(set(hidden)), int), textures[0] if textures else None)


@functools.cache
def read_texture(path):
    """RGBA picture [H, W, 4] uint8."""
    from PIL import Image
    return np.array(Image.open(path).convert("RGBA"))
