"""What PyTorch makes of the networks and of single layers, for tests/golden/networks.cpp.

Weights and inputs are not stored: both sides make them from a tensor's name and an element's index
(`values`; in C++ tests/support/synthetic.hpp), bit for bit the same. PyTorch computes in double
precision, so that the differences are the C++ kernels' own. Run from anywhere:
    python tests/golden/make_network_goldens.py
"""
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "weights" / "recipes"))
import networks  # noqa: E402


def uniform(name, count):
    """FNV-1a of the name starts a splitmix64 counter; its upper 24 bits make a float in [-1, 1)."""
    seed = 0xcbf29ce484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001b3 % 2**64
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.int64) - 2**23).astype(np.float32) * np.float32(2**-23)


def values(name, shape):
    """A tensor as its name suggests, so that activations stay near 1 through a deep network."""
    x = uniform(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        x = np.float32(1) + np.float32(0.5) * x
    elif name.endswith("running_mean") or name.endswith("bias"):
        x = np.float32(0.125) * x
    elif name.endswith("weight") and len(shape) == 1:
        x = np.float32(0.75) + np.float32(0.25) * x
    elif name.endswith("weight"):
        x = np.float32(np.sqrt(3.0 / np.prod(shape[1:]))) * x
    return torch.from_numpy(x.reshape(shape)).double()


def filled(module, prefix):
    state = {name: tensor if name.endswith("num_batches_tracked")
             else values(prefix + name, tuple(tensor.shape))
             for name, tensor in module.state_dict().items()}
    module.double().load_state_dict(state)
    return module.eval()


def human2d(features, stacks, modules, deep_modules, size):
    module = filled(networks.Human2D(16, features, stacks, modules, deep_modules), "human2d.")
    picture = 0.5 * values("picture", (size, size, 3)).permute(2, 0, 1)[None]
    return module(picture)


goldens = {}


def keep(name, tensor, step=1):
    """Every `step`-th value of the flattened tensor."""
    goldens[name] = tensor.numpy().reshape(-1)[::step].astype(np.float32)


def keep_networks():
    for name, arguments, step in [("paper", (256, 2, 3, 3, 256), 13), ("compact", (64, 2, 1, 3, 64), 1)]:
        for stack, (heatmaps, silhouette) in enumerate(human2d(*arguments)):
            keep(f"human2d.{name}.{stack}.heatmaps", heatmaps, step)
            keep(f"human2d.{name}.{stack}.silhouette", silhouette, step)
    pose = filled(networks.PosePrior(), "pose_prior.")
    keep("pose_prior", pose(values("joints", (1, 48))))
    shape = filled(networks.ShapePrior(), "shape_prior.")
    keep("shape_prior", shape(0.5 + 0.5 * values("silhouette", (1, 1, 64, 64))))


def keep_convolutions():
    """in, out, height, width, kernel, stride, padding."""
    for case in [(5, 7, 9, 11, (3, 2), (2, 1), (1, 0)), (3, 4, 13, 12, (7, 7), (2, 2), (3, 3)),
                 (33, 65, 7, 5, (3, 3), (1, 1), (1, 1)), (17, 31, 1, 1, (1, 1), (1, 1), (0, 0)),
                 (40, 48, 1, 1, (3, 3), (1, 1), (1, 1)), (64, 32, 9, 9, (1, 1), (2, 2), (0, 0)),
                 (300, 20, 6, 3, (3, 3), (2, 2), (1, 1)), (2, 3, 5, 8, (1, 4), (1, 3), (0, 2))]:
        i, o, h, w, kernel, stride, padding = case
        name = (f"conv2d {i} {o} {h} {w} {kernel[0]} {kernel[1]} {stride[0]} {stride[1]} "
                f"{padding[0]} {padding[1]}")
        x = values(name + ".x", (h, w, i)).permute(2, 0, 1)[None]
        y = torch.nn.functional.conv2d(x, values(name + ".weight", (o, i, *kernel)),
                                       values(name + ".bias", (o,)), stride, padding)
        keep(name, y[0].permute(1, 2, 0))


def keep_small_layers():
    for c, h, w, kernel, stride in [(5, 9, 7, 2, 2), (16, 8, 8, 2, 2), (33, 7, 10, 3, 2)]:
        name = f"max_pool {c} {h} {w} {kernel} {stride}"
        x = values(name + ".x", (h, w, c)).permute(2, 0, 1)[None]
        keep(name, torch.nn.functional.max_pool2d(x, kernel, stride)[0].permute(1, 2, 0))
    for i, o, rows in [(48, 72, 1), (13, 7, 5), (1, 40, 9)]:
        name = f"linear {i} {o} {rows}"
        keep(name, torch.nn.functional.linear(values(name + ".x", (rows, i)),
                                              values(name + ".weight", (o, i)),
                                              values(name + ".bias", (o,))))
    for c, pixels in [(5, 3), (48, 70)]:
        name = f"batch_norm {c} {pixels}"
        norm = filled(torch.nn.BatchNorm1d(c), name + ".")
        keep(name, torch.relu(norm(values(name + ".x", (pixels, c)))))


with torch.no_grad():
    keep_networks()
    keep_convolutions()
    keep_small_layers()
folder = root / "tests" / "golden" / "data"
folder.mkdir(exist_ok=True)
save_file(goldens, folder / "networks.safetensors")
for name, golden in goldens.items():
    print(f"{name:40} {golden.size:7} values in [{golden.min():9.3f}, {golden.max():9.3f}]")
