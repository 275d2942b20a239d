"""Makes weights/body.npz, a body in SMPL's format, from MakeHuman's CC0 base mesh, morph targets and rig.

    python weights/recipes/build_body.py [--data ../shared/data] [--out weights/body.npz]
"""

import argparse
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import splu
from tqdm import tqdm

import decimate
import joint_regression
import makehuman
import mesh_picture
import people
import pose_shapes
import smpl_maths
from saving import write_whole

SEED = 20160
PEOPLE = 2400
FITTED_PEOPLE = 600
FITTED_POSES = 700
FITTED_BENDS = 900
VERTICES = 6890
# Where annotators mark joints: shares of the hips' distance, of the trunk, of the bone above.
HIP_OUT, HIP_UP, SHOULDER_UP, LIMB_UP = 0.125, 0.06, 0.07, 0.04
CACHE = Path(__file__).resolve().parent / ".cache"


def sampled_people(targets, mesh, count, random):
    """A generator of chunks of people [n, V, 3] (float32), left-right symmetric, in MakeHuman's rest pose."""
    coefficients = targets.coefficients(**people.sample_attributes(count, random)).astype(np.float32)
    displacements = makehuman.symmetrised(targets.displacements, mesh.mirror).reshape(len(targets.names), -1)
    base = makehuman.symmetrised(mesh.vertices, mesh.mirror).astype(np.float32)
    for rows in np.array_split(coefficients, max(1, count // 40)):
        yield base + (rows @ displacements).reshape(len(rows), -1, 3)


def t_posed_people(data, count, seed):
    """Base mesh, weights, T-posed people [N, V, 3] float32, their joints [N, 24, 3], the mean turn into the T-pose."""
    folder = makehuman.require_folder(data / "makehuman")
    mesh, rig = makehuman.read_base_mesh(folder), makehuman.skeleton(folder)
    targets = makehuman.macro_targets(folder, lambda names: tqdm(names, "targets", leave=False))
    weights = people.skinning_weights(rig, mesh)
    to_t_pose = people.t_poser(rig, mesh, weights)
    posed = np.empty((count, len(mesh.vertices), 3), np.float32)
    joints = np.empty((count, 24, 3))
    turns, done = np.zeros((24, 3, 4)), 0
    with tqdm(total=count, desc="people") as bar:
        for chunk in sampled_people(targets, mesh, count, np.random.default_rng(seed)):
            rows = slice(done, done + len(chunk))
            posed[rows], joints[rows] = to_t_pose(chunk)
            turns += to_t_pose.transforms(chunk)[0].sum(0)
            done += len(chunk)
            bar.update(len(chunk))
    rotations = (to_t_pose.weights @ turns[:, :, :3].reshape(24, 9)).reshape(-1, 3, 3)
    left, _, right = np.linalg.svd(rotations)
    return mesh, weights, posed, joints, left @ right


def test_shapes(vertices, directions):
    """The mean body and bodies far out along the first directions [9, V, 3]."""
    return np.stack([vertices] + [vertices + scale * directions[:, :, k] for k in range(4) for scale in (-2.5, 2.5)])


def membrane_over_folds(vertices, directions, triangles, head):
    """Vertices whose triangles fold in some bodies (nipples, clefts; not the face), the map [region, rim] that
    spans a membrane over them, and the rim of vertices that it hangs from."""
    count = len(vertices)
    region = np.zeros(count)
    region[triangles[decimate.folded(test_shapes(vertices, directions), triangles).any(0)]] = 1
    region[head] = 0
    average = people.adjacency_average(triangles, count)
    for _ in range(3):
        region = region + average @ region
    inside = (region > 0) & ~head
    laplacian = (sparse.identity(count) - average).tocsr()[inside]
    rim = np.flatnonzero(~inside & (np.asarray(abs(laplacian).sum(0)).ravel() > 0))
    membrane = -splu(laplacian[:, inside].tocsc()).solve(laplacian[:, rim].toarray())
    return np.flatnonzero(inside), membrane, rim


def high_resolution_body(data):
    """The shape space on all base-mesh vertices, as a dictionary of arrays; the T-posed people and their joints."""
    mesh, weights, posed, joints, rest_rotations = t_posed_people(data, PEOPLE, SEED)
    quads, quads_uv = mesh.body_quads()
    triangles, triangles_uv = makehuman.triangulate(quads.tolist(), quads_uv.tolist())
    areas = people.vertex_areas(posed.mean(0, dtype=np.float64), triangles)
    mean, directions, scores, variances = people.shape_space(posed, areas)
    directions = np.ascontiguousarray(directions)
    skin = slice(0, mesh.body_vertices)
    head = weights[skin].argmax(1) == smpl_maths.joint("head")
    region, membrane, rim = membrane_over_folds(mean[skin], directions[skin], triangles, head)
    for array in (mean, directions.reshape(len(mean), -1)):
        array[region] = membrane @ array[skin][rim]
    for person in posed:
        person[region] = membrane @ person[skin][rim]
    mean = makehuman.symmetrised(mean, mesh.mirror)
    directions = np.moveaxis(makehuman.symmetrised(np.moveaxis(directions, 2, 0), mesh.mirror), 0, 2)
    joint_mean = joints.mean(0)
    joint_directions = np.einsum("nk,nja->jak", scores, joints - joint_mean) / (len(scores) - 1)
    sign = np.array([-1.0, 1, 1])
    flipped = smpl_maths.MIRRORED_JOINTS
    joint_mean = 0.5 * (joint_mean + joint_mean[flipped] * sign)
    joint_directions = 0.5 * (joint_directions + joint_directions[flipped] * sign[:, None])
    return dict(v_template=mean.astype(np.float32), shapedirs=directions.astype(np.float32),
                weights=weights.astype(np.float32), J=joint_mean.astype(np.float32),
                J_shapedirs=joint_directions.astype(np.float32), parents=np.array(smpl_maths.PARENTS, np.int32),
                faces=triangles, faces_uv=triangles_uv, quads=quads, quads_uv=quads_uv, uv=mesh.uv.astype(np.float32),
                mirror=mesh.mirror.astype(np.int32), rest_rotations=rest_rotations.astype(np.float32),
                scores=scores.astype(np.float32), variances=variances[:40].astype(np.float32),
                heights=np.ptp(posed[:, :mesh.body_vertices, 1], axis=1),
                eye_centres=np.stack([mean[np.unique(mesh.quads[mesh.groups[f"helper-{side}-eye"]])].mean(0)
                                      for side in "lr"]),
                body_vertices=np.array(mesh.body_vertices)), posed, joints


def decimated(high, body_vertices):
    """Old indices of the 6890 kept vertices, and the triangles between them."""
    vertices = high["v_template"][:body_vertices].astype(np.float64)
    directions = high["shapedirs"][:body_vertices].astype(np.float64)
    mirror, part = high["mirror"][:body_vertices], high["weights"][:body_vertices].argmax(1)
    triangles = decimate.symmetric_triangles(high["quads"], vertices, mirror)
    shapes = test_shapes(vertices, directions)
    # An error counts by area, so small parts that people recognise need a factor.
    importance = np.ones(body_vertices)
    for names, factor in ((("wrist", "hand"), 10), (("ankle", "foot"), 4)):
        importance[np.isin(part, [smpl_maths.joint(f"{side}_{name}") for name in names for side in "lr"])] = factor
    head = part == smpl_maths.joint("head")
    visible = seen_from_outside(vertices, triangles)
    near_visible = people.adjacency_average(triangles, body_vertices)
    inside = head & (near_visible @ (near_visible @ (visible | visible[mirror])) == 0)
    front, top = vertices[head, 2].max(), vertices[head, 1].max()
    face = head & (vertices[:, 2] > front - 0.1) & (vertices[:, 1] < top - 0.08)
    importance[head] = 3
    importance[face] = 24
    eye = np.minimum(*(np.linalg.norm(vertices - centre, axis=1) for centre in high["eye_centres"]))
    importance[eye < 0.03] = 60
    importance[inside] = 0.05
    return decimate.collapser(shapes, triangles, mirror, importance, uniformity=0.03).run(VERTICES)


def seen_from_outside(vertices, triangles):
    """Which vertices belong to a triangle that some view around the body shows."""
    seen = np.zeros(len(vertices), bool)
    for yaw in np.arange(8) * np.pi / 4:
        for pitch in (-1.0, -0.4, 0.2, 0.9):
            turned = mesh_picture.view(vertices, yaw, pitch)
            points = np.stack([600 + 700 * turned[:, 0], 700 - 700 * turned[:, 1], turned[:, 2]], 1)
            nearest, _ = mesh_picture.rasterise(points, triangles, 1200, 1400)
            seen[triangles[np.unique(nearest[nearest >= 0])]] = True
    return seen


def marks(rest):
    """SMPL's rest joints [24, 3] with hips, shoulders, knees and ankles where people mark them in photographs, and the
    bone [24] that carries each.

    Nobody sees the centre of a hip: it is marked towards the crest of the pelvis, further out and up; a shoulder at the
    acromion, a knee at the kneecap, an ankle above the malleoli.
    """
    marked, carrier = rest.copy(), np.arange(24)
    at = smpl_maths.joint
    trunk = 0.5 * (rest[at("l_shoulder")] + rest[at("r_shoulder")] - rest[at("l_hip")] - rest[at("r_hip")])
    for side, other in ("lr", "rl"):
        hip, knee, ankle, shoulder = (at(f"{side}_{name}") for name in ("hip", "knee", "ankle", "shoulder"))
        apart = rest[hip] - rest[at(f"{other}_hip")]
        marked[hip] += HIP_OUT * apart + HIP_UP * trunk
        marked[shoulder] += SHOULDER_UP * trunk
        marked[knee] += LIMB_UP * (rest[hip] - rest[knee])
        marked[ankle] += LIMB_UP * (rest[knee] - rest[ankle])
        carrier[[hip, knee, ankle, shoulder]] = at("pelvis"), hip, knee, at(f"{side}_collar")
    return marked, carrier


def mpii_targets(rest, transforms, placed, head_top):
    """MPII's joints [16, 3] as annotators mark them, from SMPL's rest joints [24, 3], bone transforms [24, 3, 4] and
    posed joints [24, 3], and the top of the skull [3]."""
    marked, carrier = marks(rest)
    carried = (transforms[carrier, :, :3] @ marked[:, :, None])[:, :, 0] + transforms[carrier, :, 3]
    named = {name: carried[smpl_maths.joint(name)] for name in smpl_maths.JOINTS}
    middle = lambda name: 0.5 * (named[f"l_{name}"] + named[f"r_{name}"])
    head = placed[smpl_maths.joint("head")]
    special = {"pelvis": middle("hip"), "thorax": middle("shoulder"), "upper_neck": head, "head_top": head_top}
    return np.stack([special.get(name, named.get(name)) for name in smpl_maths.MPII_JOINTS])


def mpii_regressor(body, poses, mirror, random):
    """joint_regressor_mpii [16, 6890], fitted on posed bodies of random shape."""
    top = body["v_template"][:, 1].argmax()
    sparse_weights = sparse.csr_matrix(body["weights"].astype(np.float64))
    vertices, targets = [], []
    for rotations in tqdm(poses, "posed bodies"):
        shaped = body["v_template"] + body["shapedirs"] @ random.normal(0, 1, 10)
        rest = body["J_regressor"] @ shaped
        transforms, placed = smpl_maths.bone_transforms(rest, rotations)
        shaped = shaped + body["posedirs"] @ smpl_maths.pose_feature(rotations)
        vertices.append(smpl_maths.skin(shaped, sparse_weights, transforms).astype(np.float32))
        targets.append(mpii_targets(rest, transforms, placed, vertices[-1][top]))
    return joint_regression.fit_rows(np.stack(vertices), np.stack(targets), mirror, smpl_maths.MIRRORED_MPII_JOINTS)


def smpl_arrays(high, posed, joints, data, with_pose_shapes):
    """Every array of body.npz."""
    kept, triangles = decimated(high, high["body_vertices"])
    number = np.full(high["body_vertices"], -1)
    number[kept] = np.arange(len(kept))
    mirror = number[high["mirror"][kept]]
    fitted = slice(0, FITTED_PEOPLE)
    regressor = joint_regression.fit_rows(posed[fitted, kept], joints[fitted], mirror, smpl_maths.MIRRORED_JOINTS)
    body = dict(v_template=high["v_template"][kept], shapedirs=high["shapedirs"][kept].astype(np.float16),
                posedirs=np.zeros((len(kept), 3, 207), np.float16), J_regressor=rows_of_sum_one(regressor),
                weights=rows_of_sum_one(high["weights"][kept]), f=triangles.astype(np.uint32),
                kintree_table=np.array([smpl_maths.PARENTS, range(24)], np.int64),
                vert_sym_idxs=mirror.astype(np.int32))
    body["J"] = (body["J_regressor"].astype(np.float64) @ body["v_template"]).astype(np.float32)
    archive = np.load(makehuman.require_folder(data / "mocap") / "cmu_poses_smpl24.npz")
    random = np.random.default_rng(SEED + 1)
    poses = pose_shapes.mocap_rotations(archive, False, FITTED_POSES, random)
    if with_pose_shapes:
        target = pose_shapes.pose_target(body["v_template"].astype(np.float64), triangles,
                                         body["weights"].astype(np.float64), body["J"].astype(np.float64))
        training = np.concatenate([poses, pose_shapes.bending_poses(FITTED_BENDS, random)])
        body["posedirs"] = pose_shapes.fit(target, training, mirror).astype(np.float16)
    body["joint_regressor_mpii"] = rows_of_sum_one(mpii_regressor(body, poses[::2], mirror, random))
    body["high_resolution_vertex"] = kept.astype(np.int32)
    body.update(bs_style=np.array("lbs"), bs_type=np.array("lrotmin"), licence=np.array("CC0-1.0"),
                source=np.array("MakeHuman base mesh, targets and rig (CC0)"))
    return body


def rows_of_sum_one(matrix):
    """Rows scaled to sum 1, as float32."""
    matrix = matrix.astype(np.float64)
    return (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=makehuman.default_data_folder(),
                           help="folder that holds makehuman/ and mocap/")
    arguments.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "body.npz")
    arguments.add_argument("--without-pose-shapes", action="store_true", help="leave posedirs zero")
    options = arguments.parse_args()
    high, posed, joints = high_resolution_body(options.data)
    CACHE.mkdir(exist_ok=True)
    # Other recipes may be reading the cache.
    write_whole(CACHE / "body_highres.npz", lambda file: np.savez(file, **high))
    print("variance explained by each direction:", np.round(high["variances"][:10], 4),
          "together", round(float(high["variances"][:10].sum()), 4))
    body = smpl_arrays(high, posed, joints, options.data, not options.without_pose_shapes)
    write_whole(options.out, lambda file: np.savez_compressed(file, **body))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
