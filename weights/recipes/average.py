"""Averages the weights of two checkpoints, of which one was trained on from the other.

    python weights/recipes/average.py RUN_BEFORE RUN_AFTER --share 0.35 --out RUN

Between the two ends of a training lie weights that are often better than either (Wortsman et al., "Robust fine-tuning of
zero-shot models", 2022): OUT = (1 - share) BEFORE + share AFTER, batch norms' statistics too. OUT/checkpoint.pt serves
`--from`, observe.py and export.py.
"""
import argparse
from pathlib import Path

import torch

from export import trained
from saving import write_whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="folder of the run that was trained on")
    parser.add_argument("after", help="folder of the run that it led to")
    parser.add_argument("--share", type=float, default=0.5, help="of AFTER, from 0 to 1")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    if not 0 <= arguments.share <= 1:
        raise SystemExit(f"--share {arguments.share}: a number from 0 to 1 was expected")
    before, after = trained(arguments.before), trained(arguments.after)
    if [value.shape for value in before["averaged"].values()] != [value.shape for value in after["averaged"].values()]:
        raise SystemExit(f"{arguments.after}: expected {before['architecture']}, found {after['architecture']}")
    averaged = {name: torch.lerp(value, after["averaged"][name].to(value.dtype), arguments.share)
                if value.is_floating_point() else value for name, value in before["averaged"].items()}
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    state = dict(averaged=averaged, architecture=before["architecture"],
                 research=before.get("research", False) or after.get("research", False))
    write_whole(folder / "checkpoint.pt", lambda file: torch.save(state, file))
    print(folder / "checkpoint.pt")


if __name__ == "__main__":
    main()
