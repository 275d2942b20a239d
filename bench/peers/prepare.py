"""What every engine is given: weights, a picture, the exact answer, and the network in each engine's own format.

One folder a network: weights.safetensors (read by the library and by PyTorch), picture.f32 [3, 256, 256] and
expected.f64 (heat maps [16, 64, 64] and silhouette [2, 64, 64] of the last stack, PyTorch in float64), and what the
peers' converters make of it.
"""
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "weights" / "recipes"))

from networks import Human2D

SIZE = 256
HEATMAPS = 16 * 64 * 64  # numbers, before those of the silhouette


@dataclass(frozen=True)
class Network:
    """A size of Human2D; `shipped` is the weights file that has it, else its weights are made from a seed."""
    title: str
    architecture: dict
    shipped: Path | None = None


def size(features, stacks, modules, deep_modules):
    return dict(joints=16, features=features, stacks=stacks, modules=modules, deep_modules=deep_modules)


NETWORKS = {
    "compact": Network("compact (96 features, 1 module, 2 in the two innermost orders; shipped)", size(96, 2, 1, 2),
                       REPOSITORY / "weights" / "maquette.safetensors"),
    "one-module": Network("256 features, 1 module", size(256, 2, 1, 1)),
    "paper": Network("the paper's (256 features, 3 modules)", size(256, 2, 3, 3)),
}


class LastStack(nn.Module):
    """Human2D with what the library's call gives: the last stack's heat maps and silhouette."""

    def __init__(self, human2d):
        super().__init__()
        self.human2d = human2d

    def forward(self, picture):
        return self.human2d(picture)[-1]


def picture():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, SIZE, SIZE, generator=generator) - 0.5


@torch.no_grad()
def made_from_seed(human2d):
    """He's initialisation; batch norms with the statistics of what they see, so that activations stay of order 1."""
    torch.manual_seed(2)
    for module in human2d.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            module.momentum = 1.0
    for stack in human2d.stacks:  # what they see is not normalised
        for head in (stack.heatmaps, stack.silhouette):
            head.weight *= 0.05
    human2d.train()(torch.cat([picture(), picture().flip(3)]))


def load_network(folder):
    """The module of a folder's weights file, in evaluation mode and float32."""
    with safe_open(Path(folder) / "weights.safetensors", "pt") as file:
        architecture = json.loads(file.metadata()["human2d"])
        state = {name.removeprefix("human2d."): file.get_tensor(name).float() for name in file.keys()
                 if name.startswith("human2d.")}
    human2d = Human2D(**architecture)
    missing = human2d.load_state_dict(state, strict=False).missing_keys
    if any(not name.endswith("num_batches_tracked") for name in missing):
        raise SystemExit(f"{folder}/weights.safetensors: these tensors are missing: {missing}")
    return LastStack(human2d).eval()


@torch.no_grad()
def make_folder(network, folder):
    """Weights, picture and exact answer."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    if network.shipped:
        shutil.copyfile(network.shipped, weights)
    else:
        human2d = Human2D(**network.architecture)
        made_from_seed(human2d)
        save_file({f"human2d.{name}": tensor for name, tensor in human2d.state_dict().items()
                   if not name.endswith("num_batches_tracked")}, weights,
                  {"human2d": json.dumps(network.architecture)})
    picture().numpy().tofile(folder / "picture.f32")
    answer = load_network(folder).double()(picture().double())
    np.concatenate([part.numpy().ravel() for part in answer]).tofile(folder / "expected.f64")


def export_onnx(folder):
    torch.onnx.export(load_network(folder), (picture(),), str(folder / "network.onnx"), input_names=["picture"],
                      output_names=["heatmaps", "silhouette"], dynamo=False, verbose=False)


def export_ncnn(folder):
    import pnnx
    pnnx.export(load_network(folder), str(folder / "network.pt"), (picture(),), fp16=False)


def export_mnn(folder):
    # Not by the wheel's own script, which installs another package and reports each conversion to its makers.
    convert = "import sys, MNN, _tools; _tools.mnnconvert(sys.argv)"
    subprocess.run([sys.executable, "-c", convert, "-f", "ONNX", "--modelFile", folder / "network.onnx", "--MNNModel",
                    folder / "network.mnn", "--bizCode", "maquette"], check=True)


EXPORTS = {"onnx": export_onnx, "ncnn": export_ncnn, "mnn": export_mnn}
# What each peer needs in the folder, in the order in which it is made.
NEEDS = {"onnxruntime": ["onnx"], "openvino": ["onnx"], "ncnn": ["ncnn"], "mnn": ["onnx", "mnn"], "torch": []}


def export(folder, peers):
    """Why a peer has no network to load; empty where it has one. Converters run apart: they crash and talk."""
    failed, lacks = {}, {}
    for peer in peers:
        for format in NEEDS[peer]:
            if format in failed:
                continue
            log = folder / f"export_{format}.log"
            with open(log, "w") as words:
                done = subprocess.run([sys.executable, __file__, format, folder], stdout=words, stderr=words)
            last = log.read_text().strip().splitlines()[-1:]
            failed[format] = done.returncode and f"no {format} file: {''.join(last) or done.returncode}"
        lacks[peer] = next((failed[format] for format in NEEDS[peer] if failed[format]), "")
    return lacks


if __name__ == "__main__":
    EXPORTS[sys.argv[1]](Path(sys.argv[2]))
