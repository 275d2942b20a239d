"""Turns a shipped weights file back into checkpoints, so that training, observing and exporting can go on from it.

    python weights/recipes/restore.py weights/maquette.safetensors --out weights/recipes/runs/shipped

Writes OUT/human2d, OUT/pose_prior and OUT/shape_prior, each with a checkpoint.pt for `--from`, observe.py and export.py.
Matrices come back as they are stored, in half precision; the optimiser's state is not in the file.
"""
import argparse
from pathlib import Path

import torch

from export import read_networks
from saving import write_whole


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    try:
        modules, metadata, _ = read_networks(arguments.weights)
    except Exception as problem:
        raise SystemExit(f"{arguments.weights}: not a readable weights file ({str(problem).splitlines()[0]})")
    for name, module in modules.items():
        folder = Path(arguments.out) / name
        folder.mkdir(parents=True, exist_ok=True)
        state = dict(averaged=module.state_dict(), architecture=getattr(module, "architecture", {}),
                     research=metadata.get("licence") != "CC0-1.0")
        write_whole(folder / "checkpoint.pt", lambda file: torch.save(state, file))
        print(folder / "checkpoint.pt")


if __name__ == "__main__":
    main()
