"""Checks every property that weights/body.npz promises, prints the measured figures, and draws the picture sheet.

    python weights/recipes/check_body.py [--data ../shared/data] [--body weights/body.npz] [--sheet docs/images/body_sheet.png]
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

import build_body
import decimate
import makehuman
import mesh_picture
import people
import pose_shapes
import smpl_maths

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {"v_template": (6890, 3), "shapedirs": (6890, 3, 10), "posedirs": (6890, 3, 207), "J_regressor": (24, 6890),
          "weights": (6890, 24), "kintree_table": (2, 24), "f": (13776, 3), "J": (24, 3),
          "joint_regressor_mpii": (16, 6890), "vert_sym_idxs": (6890,), "high_resolution_vertex": (6890,)}
HELD_OUT_PEOPLE = 300
HELD_OUT_POSES = 60


def check(condition, sentence):
    if not condition:
        raise SystemExit(f"FAILED: {sentence}")
    print(f"ok      {sentence}")


def check_arrays(arrays):
    for name, shape in SHAPES.items():
        check(arrays[name].shape == shape, f"{name} {arrays[name].dtype} {list(shape)}")
        check(np.isfinite(arrays[name].astype(np.float64)).all(), f"{name} is finite")
    parents = arrays["kintree_table"][0]
    check(parents[0] == -1 and tuple(parents) == smpl_maths.PARENTS, "kintree_table holds SMPL's parents, the root's is -1")


def signed_volume(vertices, triangles):
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.einsum("fa,fa->", a, np.cross(b, c)) / 6


def check_mesh(body):
    faces = body.faces
    directed = decimate.edges_of(faces)
    key = directed[:, 0] * 6890 + directed[:, 1]
    check(len(np.unique(key)) == len(key), "every directed edge occurs once: consistently oriented")
    back = directed[:, 1] * 6890 + directed[:, 0]
    check(np.array_equal(np.sort(key), np.sort(back)), "every edge has two triangles: closed")
    check(len(np.unique(faces)) == 6890, "every vertex is used")
    edges = len(key) // 2
    check(6890 - edges + len(faces) == 2, f"Euler characteristic 2 ({edges} edges): genus 0")
    label = np.arange(6890)
    while True:
        lowest = label.copy()
        np.minimum.at(lowest, directed[:, 0], label[directed[:, 1]])
        if np.array_equal(lowest, label):
            break
        label = lowest
    check((label == 0).all(), "one component")
    # In a closed oriented mesh each vertex is a manifold point when its triangles form a single fan.
    following = {(a, b): c for a, b, c in np.concatenate([faces, faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]]).tolist()}
    valence = np.bincount(faces.ravel())
    start = dict(directed.tolist())
    for vertex in range(6890):
        first = other = start[vertex]
        count = 0
        while count == 0 or other != first:
            other = following[(vertex, other)]
            count += 1
        if count != valence[vertex]:
            raise SystemExit(f"FAILED: vertex {vertex} has more than one fan")
    print(f"ok      one fan a vertex: a 2-manifold (valence {valence.min()} .. {valence.max()})")
    check(signed_volume(body.v_template, faces) > 0.03, "outward oriented, "
          f"volume of the mean body {1000 * signed_volume(body.v_template, faces):.1f} litres")
    corners = body.v_template[faces]
    lengths = ((corners - np.roll(corners, 1, 1)) ** 2).sum((1, 2))
    quality = 2 * np.sqrt(3) * np.linalg.norm(decimate.face_normals(corners), axis=1) / lengths
    print(f"        triangle quality (1 equilateral): least {quality.min():.3f}, 1 % {np.percentile(quality, 1):.3f}, "
          f"median {np.median(quality):.3f}")
    random = np.random.default_rng(3)
    shapes = np.stack([body.v_template] + [body.shaped(beta) for beta in random.normal(0, 1, (50, 10))])
    folded = decimate.folded(shapes, faces).sum(1)
    print(f"        triangles that turn over between the mean and beta ~ N(0, 1): {folded[1:].mean():.2f} "
          f"of 13776 on average, {folded.max()} at most")


def check_symmetry(arrays, body):
    mirror, sign = arrays["vert_sym_idxs"], np.array([-1.0, 1, 1])
    check(np.array_equal(mirror[mirror], np.arange(6890)), f"vert_sym_idxs is an involution, {int((mirror == np.arange(6890)).sum())} vertices on the midline")
    check(np.array_equal(body.v_template[mirror] * sign, body.v_template), "v_template is exactly symmetric")
    check(np.array_equal(body.shapedirs[mirror] * sign[:, None], body.shapedirs), "shapedirs are exactly symmetric")
    flipped = smpl_maths.MIRRORED_JOINTS
    check(np.array_equal(body.weights[mirror][:, flipped], body.weights), "weights are exactly symmetric")
    check(np.array_equal(body.joint_regressor[flipped][:, mirror], body.joint_regressor), "J_regressor is exactly symmetric")
    mpii = arrays["joint_regressor_mpii"]
    check(np.array_equal(mpii[smpl_maths.MIRRORED_MPII_JOINTS][:, mirror], mpii), "joint_regressor_mpii is exactly symmetric")
    check(np.array_equal(pose_shapes.symmetrised(body.posedirs, mirror).astype(np.float16), arrays["posedirs"].astype(np.float16)),
          "posedirs are exactly symmetric")
    image = {tuple(sorted(face)) for face in mirror[body.faces].tolist()}
    check(image == {tuple(sorted(face)) for face in body.faces.tolist()}, "the triangles are symmetric")


def check_rows(arrays, body):
    for name, rows, most in (("weights", body.weights, 4), ("J_regressor", body.joint_regressor, 32),
                             ("joint_regressor_mpii", arrays["joint_regressor_mpii"].astype(np.float64), 32)):
        check((rows >= 0).all() and np.abs(rows.sum(1) - 1).max() < 1e-6, f"{name}: non-negative rows that sum to 1")
        count = (rows > 0).sum(1)
        check(count.max() <= most, f"{name}: {count.min()} .. {count.max()} non-zeros a row")
    reach = max(np.linalg.norm(body.v_template[row > 0] - joint, axis=1).max()
                for row, joint in zip(body.joint_regressor, body.joint_regressor @ body.v_template))
    print(f"        a joint's vertices lie within {100 * reach:.1f} cm of it")
    joints = body.joint_regressor @ body.v_template
    check(np.abs(joints - arrays["J"]).max() < 1e-6, "J is J_regressor v_template")
    for side, direction in (("l", 1), ("r", -1)):
        arm = np.stack([joints[smpl_maths.joint(f"{side}_{n}")] for n in ("shoulder", "elbow", "wrist")])
        leg = np.stack([joints[smpl_maths.joint(f"{side}_{n}")] for n in ("hip", "knee", "ankle")])
        arm, leg = np.diff(arm, axis=0), np.diff(leg, axis=0)
        degrees = lambda bones, axis: np.degrees(np.arccos((bones @ axis / np.linalg.norm(bones, axis=1)).clip(-1, 1))).max()
        off = degrees(arm, np.array([direction, 0, 0])), degrees(leg, np.array([0, -1, 0]))
        check(max(off) < 2, f"{side} arm within {off[0]:.2f} degrees of the x axis, leg within {off[1]:.2f} of -y")


def check_people(body, high_kept, data):
    """Held-out people: joints by the regressor against the rig's, and how well ten directions describe a body."""
    _, _, posed, joints, _ = build_body.t_posed_people(data, HELD_OUT_PEOPLE, build_body.SEED + 99)
    vertices = posed[:, high_kept].astype(np.float64)
    error = np.linalg.norm(np.einsum("jv,nva->nja", body.joint_regressor, vertices) - joints, axis=2) * 1000
    print(f"        joint error on {HELD_OUT_PEOPLE} held-out people: mean {error.mean():.2f} mm, 95 % {np.percentile(error, 95):.2f} mm, "
          f"largest {error.max():.2f} mm")
    print("        by joint: " + ", ".join(f"{name} {mean:.1f}" for name, mean in zip(smpl_maths.JOINTS, error.mean(0))))
    check(error.mean() < 5, "the mean held-out joint error is under 5 mm")
    design = body.shapedirs.reshape(-1, 10)
    offsets = (vertices - body.v_template).reshape(len(vertices), -1)
    beta = np.linalg.lstsq(design, offsets.T, rcond=None)[0]
    rest = np.linalg.norm((offsets.T - design @ beta).T.reshape(vertices.shape), axis=2) * 1000
    print(f"        held-out people from 10 directions: mean vertex error {rest.mean():.2f} mm, 95 % {np.percentile(rest, 95):.2f} mm; "
          f"their beta has standard deviation {beta.std(1).round(2).tolist()}")
    heights = np.ptp(vertices[:, :, 1], axis=1)
    random = np.random.default_rng(5)
    drawn = np.array([np.ptp(body.shaped(b)[:, 1]) for b in random.normal(0, 1, (1000, 10))])
    percentiles = [1, 5, 25, 50, 75, 95, 99]
    for name, values in (("held-out people", heights), ("beta ~ N(0, 1)", drawn)):
        print(f"        heights of {name}: mean {values.mean():.3f} m, sd {values.std():.3f}, percentiles "
              + ", ".join(f"{p} %: {v:.2f}" for p, v in zip(percentiles, np.percentile(values, percentiles))))
    adults = (drawn > 1.45) & (drawn < 2.0)
    print(f"        {100 * adults.mean():.1f} % of beta ~ N(0, 1) stand between 1.45 and 2.00 m; beta = 0 is {np.ptp(body.v_template[:, 1]):.3f} m")


def volume_table(arrays, body, data):
    """Mean absolute change of flesh volume at the joints: linear blend skinning, with posedirs, and the target."""
    target = pose_shapes.pose_target(body.v_template, body.faces, body.weights, body.joint_regressor @ body.v_template)
    archive = np.load(makehuman.require_folder(data / "mocap") / "cmu_poses_smpl24.npz")
    held_out = pose_shapes.mocap_rotations(archive, True, HELD_OUT_POSES, np.random.default_rng(11))
    bends = {"elbow": (0, -1.5708, 0), "knee": (1.5708, 0, 0), "hip": (-1.5708, 0, 0), "shoulder": (0, 0, -1.2)}
    bent = np.zeros((4, 24, 3))
    for row, (name, turn) in enumerate(bends.items()):
        bent[row, smpl_maths.joint(f"l_{name}")] = turn
    bent = smpl_maths.rotations_of(bent)

    def changes(rotations):
        skinned, placed, _ = target.skinned(rotations)
        ours, _, _ = target.skinned(rotations, body.v_template + body.posedirs @ smpl_maths.pose_feature(rotations))
        wanted = target.posed(skinned, placed)
        rows = []
        for region, rest in zip(target.regions, target.rest_volumes):
            centre = placed[region.joint]
            rows.append([100 * (region.volume(v, centre) / rest - 1) for v in (skinned, ours, wanted)])
        moved = (body.posedirs != 0).any((1, 2))
        error = [np.linalg.norm(v - wanted, axis=1)[moved].mean() * 1000 for v in (skinned, ours)]
        return np.array(rows), np.array(error)

    measured = [changes(rotations) for rotations in tqdm(held_out, "held-out poses", leave=False)]
    table, errors = np.stack([m[0] for m in measured]), np.stack([m[1] for m in measured])
    print("        change of flesh volume in %, linear blend skinning / with posedirs / target:")
    for k, name in enumerate(bends):
        columns = [pose_shapes.VOLUME_JOINTS.index(smpl_maths.joint(f"{side}_{name}")) for side in "lr"]
        single = changes(bent[k])[0][columns[0]]
        mocap = np.abs(table[:, columns]).mean((0, 1))
        print(f"        {name:9s} mean |change| in {HELD_OUT_POSES} held-out mocap poses {mocap[0]:5.2f} / {mocap[1]:5.2f} / {mocap[2]:5.2f}"
              f"   one bend of {90 if name != 'shoulder' else 69} degrees {single[0]:6.2f} / {single[1]:6.2f} / {single[2]:6.2f}")
    print(f"        mean distance to the target where posedirs act: {errors[:, 0].mean():.2f} mm by linear blend skinning, "
          f"{errors[:, 1].mean():.2f} mm with posedirs")
    filled = (arrays["posedirs"] != 0).mean()
    print(f"        posedirs: {100 * filled:.1f} % non-zero, {int((arrays['posedirs'] != 0).any((1, 2)).sum())} vertices")


def mpii_error(arrays, body, data):
    """Distance between joint_regressor_mpii on posed bodies and where annotators mark the joints, by joint."""
    archive = np.load(data / "mocap" / "cmu_poses_smpl24.npz")
    random = np.random.default_rng(12)
    poses = pose_shapes.mocap_rotations(archive, True, HELD_OUT_POSES, random)
    regressor = arrays["joint_regressor_mpii"].astype(np.float64)
    top, errors = body.v_template[:, 1].argmax(), []
    for rotations in poses:
        shaped = body.shaped(random.normal(0, 1, 10))
        rest = body.joint_regressor @ shaped
        transforms, placed = smpl_maths.bone_transforms(rest, rotations)
        vertices = smpl_maths.skin(shaped + body.posedirs @ smpl_maths.pose_feature(rotations), body.weights, transforms)
        wanted = build_body.mpii_targets(rest, transforms, placed, vertices[top])
        errors.append(np.linalg.norm(regressor @ vertices - wanted, axis=1) * 1000)
    errors = np.stack(errors).mean(0)
    print("        joint_regressor_mpii on held-out poses and shapes, mean error in mm: "
          + ", ".join(f"{name} {error:.1f}" for name, error in zip(smpl_maths.MPII_JOINTS, errors)))


def sheet_poses(data):
    """Eight mocap poses [8, 24, 3] that differ as much as possible, upright."""
    archive = np.load(data / "mocap" / "cmu_poses_smpl24.npz")
    theta = archive["theta"][::37].reshape(-1, 24, 3).astype(np.float64)
    theta[:, 0] = 0
    features = smpl_maths.rotations_of(theta).reshape(len(theta), -1)
    chosen = [int(np.linalg.norm(features - features.mean(0), axis=1).argmin())]
    typical = np.linalg.norm(features - features.mean(0), axis=1)
    pool = typical < np.percentile(typical, 97)
    distance = np.full(len(theta), np.inf)
    while len(chosen) < 8:
        distance = np.minimum(distance, np.linalg.norm(features - features[chosen[-1]], axis=1))
        chosen.append(int(np.where(pool, distance, -1).argmax()))
    return theta[chosen]


def draw_sheet(body, data, path):
    """Rows: beta_k = -2 and +2 around the mean for the first components, then mocap poses, then details."""
    from PIL import Image
    width, height, scale = 300, 350, 158
    draw = lambda v, **more: mesh_picture.picture(v, body.faces, **{**dict(
        width=width, height=height, pixels_per_metre=scale, centre=(0, -0.17), yaw=0.35), **more})
    rows = []
    for amount in (-2, 0, 2):
        rows.append(np.hstack([draw(body.shaped(amount * np.eye(10)[k])) for k in range(6)]))
    poses = sheet_poses(data)
    for half in (poses[:4], poses[4:]):
        images = []
        for theta in half:
            vertices, _ = body.posed(np.zeros(10), theta)
            middle = 0.5 * (vertices.max(0) + vertices.min(0))
            images.append(draw(vertices - middle, width=450, height=420, pixels_per_metre=205, centre=(0, 0)))
        rows.append(np.hstack(images))
    rest = body.shaped(np.zeros(10))
    bent = np.zeros((24, 3))
    bent[smpl_maths.joint("l_elbow"), 1] = -1.9
    elbow, _ = body.posed(np.zeros(10), bent)
    rows.append(np.hstack([
        draw(rest, width=450, height=420, pixels_per_metre=1500, centre=(0.02, 0.56), yaw=0.5),
        draw(rest, width=450, height=420, pixels_per_metre=1500, centre=(0.75, 0.1), yaw=0, pitch=1.2),
        draw(rest, width=450, height=420, pixels_per_metre=1400, centre=(0.1, -0.85), yaw=0.6, pitch=0.45),
        draw(elbow, width=450, height=420, pixels_per_metre=750, centre=(0.35, 0.2), yaw=0, pitch=0.9)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(path, optimize=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=makehuman.default_data_folder(),
                           help="folder that holds makehuman/ and mocap/")
    arguments.add_argument("--body", type=Path, default=ROOT / "weights" / "body.npz")
    arguments.add_argument("--sheet", type=Path, help="also draw the picture sheet to this file")
    options = arguments.parse_args()
    if not options.body.is_file():
        raise SystemExit(f"{options.body} does not exist: run build_body.py first.")
    arrays = dict(np.load(options.body, allow_pickle=False))
    body = smpl_maths.smpl_body(arrays)
    print(f"{options.body.name}: {options.body.stat().st_size / 1e6:.2f} MB, licence {arrays['licence']}")
    check_arrays(arrays)
    check_mesh(body)
    check_symmetry(arrays, body)
    check_rows(arrays, body)
    check_people(body, arrays["high_resolution_vertex"], options.data)
    volume_table(arrays, body, options.data)
    mpii_error(arrays, body, options.data)
    if options.sheet:
        draw_sheet(body, options.data, options.sheet)
        print(f"        drawn: {options.sheet}")


if __name__ == "__main__":
    main()
