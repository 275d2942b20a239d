"""Runs the C++ estimator over photographs and keeps its answers."""
import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from smpl_torch import rotation_matrices

CELLS = 64  # of Human2D's silhouette, each way
READING = 48 + CELLS * CELLS


class Laboratory:
    """Runs the estimator and keeps its answers for this run."""

    def __init__(self, program, weights, body, scratch):
        self.program, self.weights, self.body, self.scratch = program, weights, body, Path(scratch)

    def estimates(self, name, cases, with_box=True, masks=False, options=()):
        """What the estimator says of each case: a dictionary of result.json's fields, or of `error`."""
        listed, found = self.scratch / f"{name}.txt", self.scratch / f"{name}.jsonl"
        with open(listed, "w") as file:
            for case in cases:
                known = [*case.box, *(value for value in (case.focal, case.distance) if value)] if with_box else []
                file.write("\t".join([str(case.photo), *(f"{value:.4f}" for value in known)]) + "\n")
        command = [self.program, "--list", listed, "--out", found, "--weights", self.weights, "--body", self.body,
                   *options]
        if masks:
            command += ["--masks", self.folder(name)]
        print(f"{name}: {len(cases)} photographs", flush=True)
        subprocess.run([str(part) for part in command], check=True)
        return [json.loads(line) for line in open(found)]

    def folder(self, name):
        folder = self.scratch / name
        folder.mkdir(exist_ok=True)
        return folder

    def mask(self, name, index, kind):
        return np.asarray(Image.open(self.scratch / name / f"{index}.{kind}.png"))

    def readings(self, path):
        """What Human2D saw, as `--keep-readings` wrote it: joints [N, 16, 3] and silhouettes [N, 64, 64]."""
        kept = np.fromfile(path, np.float32).reshape(-1, READING)
        return kept[:, :48].reshape(-1, 16, 3), kept[:, 48:].reshape(-1, CELLS, CELLS)

    def estimates_of_readings(self, name, cases, joints, silhouettes, options=()):
        """What the estimator makes of joints and silhouettes that somebody else saw."""
        path = self.scratch / f"{name}.readings"
        np.c_[joints.reshape(-1, 48), silhouettes.reshape(len(joints), -1)].astype(np.float32).tofile(path)
        return self.estimates(name, cases, options=["--readings", path, *options])


def joints_of(estimates):
    """[N, 16, 3] in photo pixels; a photograph without a person has its joints far away."""
    nowhere = np.full((16, 3), -1e6)
    return np.array([nowhere if "error" in one else np.array(one["joints"]) for one in estimates])


def bodies_of(estimates):
    """Rotations [N, 24, 3, 3] and betas [N, 10]; where nobody was found, the rest pose upright in the camera."""
    theta, beta = np.zeros((len(estimates), 24, 3)), np.zeros((len(estimates), 10))
    theta[:, 0, 0] = np.pi
    for row, one in enumerate(estimates):
        if "error" not in one:
            theta[row], beta[row] = np.reshape(one["pose"], (24, 3)), one["shape"]
    return rotation_matrices(torch.from_numpy(theta).float()), torch.from_numpy(beta).float()
