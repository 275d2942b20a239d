"""Makes weights/body.npz, a body in SMPL's format, from MakeHuman's CC0 base mesh, morph targets and rig.

    python weights/recipes/build_body.py [--data ../shared/data] [--out weights/body.npz]
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

import makehuman
import people
import smpl_maths

SEED = 20160
PEOPLE = 2400
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


def high_resolution_body(data):
    """The shape space on all base-mesh vertices, as a dictionary of arrays."""
    mesh, weights, posed, joints, rest_rotations = t_posed_people(data, PEOPLE, SEED)
    quads, quads_uv = mesh.body_quads()
    triangles, triangles_uv = makehuman.triangulate(quads.tolist(), quads_uv.tolist())
    areas = people.vertex_areas(posed.mean(0, dtype=np.float64), triangles)
    mean, directions, scores, variances = people.shape_space(posed, areas)
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
                heights=np.ptp(posed[:, :mesh.body_vertices, 1], axis=1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=makehuman.default_data_folder(),
                           help="folder that holds makehuman/ and mocap/")
    arguments.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "body.npz")
    options = arguments.parse_args()
    high = high_resolution_body(options.data)
    CACHE.mkdir(exist_ok=True)
    np.savez(CACHE / "body_highres.npz", **high)
    print("variance explained by each direction:", np.round(high["variances"][:10], 4),
          "together", round(float(high["variances"][:10].sum()), 4))


if __name__ == "__main__":
    main()
