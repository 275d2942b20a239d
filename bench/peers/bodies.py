"""SMPL and the silhouette of a mesh beside their peers, on one thread."""
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duel import Entry, duels, start

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PROGRAMS = REPOSITORY / "build" / "bench"


@dataclass
class Comparison:
    title: str
    measure: str  # what the entries' error is
    entries: list


def rotation(turn):
    """Rodrigues' formula."""
    angle = np.linalg.norm(turn)
    x, y, z = turn / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def exact_vertices(beta, theta):
    """SMPL in float64, written for its formulas."""
    body = {name: array.astype(float) for name, array in np.load(REPOSITORY / "weights" / "body.npz").items()
            if array.dtype.kind in "fiu"}
    parents = body["kintree_table"][0].astype(int)
    turns = np.array([rotation(turn) for turn in theta.reshape(24, 3).astype(float)])
    shaped = body["v_template"] + body["shapedirs"] @ beta.astype(float)
    joints = body["J_regressor"] @ shaped
    posed = shaped + body["posedirs"] @ (turns[1:] - np.eye(3)).ravel()
    world = []
    for j in range(24):
        local = np.block([[turns[j], (joints[j] - turns[j] @ joints[j])[:, None]], [np.zeros(3), 1]])
        world.append(local if j == 0 else world[parents[j]] @ local)
    blended = np.einsum("vj,jrc->vrc", body["weights"], np.array(world))
    return np.einsum("vrc,vc->vr", blended[:, :3], np.c_[posed, np.ones(len(posed))])


def relative_rms(expected):
    def error(path):
        found = np.fromfile(path, np.float32).reshape(expected.shape)
        return (float(np.sqrt(((found - expected) ** 2).mean() / (expected ** 2).mean())),)
    return error


def compare_smpl(folder):
    random = np.random.default_rng(1)
    beta = random.normal(size=10).astype(np.float32)
    theta = (0.3 * random.normal(size=72)).astype(np.float32)
    beta.tofile(folder / "beta.f32")
    theta.tofile(folder / "theta.f32")
    error, engine = relative_rms(exact_vertices(beta, theta)), HERE / "engine.py"
    return "SMPL forward, 6,890 vertices, 10 shapes, 24 joints turned", "relative RMS error", 1e-4, error, {
        "maquette": [PROGRAMS / "body_worker", "smpl", folder],
        "Eigen": [PROGRAMS / "body_worker", "smpl-eigen", folder],
        "smplx (torch)": [sys.executable, engine, "smplx", "--folder", folder, "--threads", 1]}


def compare_silhouette(folder):
    first = folder / "maquette.out"

    def error(path):
        """The share of the covered pixels that only one of the two masks covers; ours is drawn first."""
        ours, found = (np.fromfile(each, np.uint8).reshape(256, 256, -1)[..., 0] > 0 for each in (first, path))
        return (1 - float((ours & found).sum() / (ours | found).sum()),)
    return "silhouette of 13,776 triangles at 256 x 256, all faces", "1 - IoU with ours", 1e-2, error, {
        "maquette": [PROGRAMS / "body_worker", "silhouette", folder],
        "Mesa (llvmpipe)": [PROGRAMS / "mesa_worker"]}


def compare(name, folder, cores, rounds):
    title, measure, bar, error, commands = dict(smpl=compare_smpl, silhouette=compare_silhouette)[name](folder)
    print(title, flush=True)
    entries, workers = [], {}
    try:
        for engine, command in commands.items():
            entry = Entry(engine)
            entries.append(entry)
            worker = start(entry, command, cores, folder, error, bar)
            if worker:
                workers[engine] = worker
        if "maquette" not in workers:
            raise SystemExit(f"run.sh: maquette, {title}: {entries[0].absent}")
        ours = workers["maquette"]
        found = duels(ours, {name: worker for name, worker in workers.items() if worker is not ours}, rounds)
        for entry in entries:
            entry.take(found)
    finally:
        for worker in workers.values():
            worker.end()
    return Comparison(title, measure, entries)
