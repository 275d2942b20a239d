"""Makes a trained Human2D larger without changing what it computes, as a start for a training of the larger one (after
Net2Net: Chen, Goodfellow and Shlens, 2016).

    python weights/recipes/grow.py --human2d runs/human2d-192 --deep-modules 3 --out runs/human2d-deep-start
    python weights/recipes/train_human2d.py --deep-modules 3 --from runs/human2d-deep-start/checkpoint.pt ...

`--deep-modules N`: N residual modules in the two innermost orders of each hourglass; a new one starts as its skip. `--wide`: twice
the features. Every channel becomes two with the same values. A weight w on a channel becomes w (1/2 + d) and w (1/2 - d) on
its two halves, with another random d for each, so that the halves learn different things from the first step on.
"""
import argparse
from pathlib import Path

import torch

from export import trained
from networks import Human2D
from saving import write_whole

HEADS = ("heatmaps", "silhouette")
MERGES = ("merge_heatmaps", "merge_silhouette")


def widened(name, tensor, generator):
    """One parameter of the wider network. Joints, the silhouette's two channels and colours stay as many."""
    layer = name.split(".")[-2]
    if tensor.ndim == 0:
        return tensor
    if layer not in HEADS:
        tensor = torch.cat([tensor, tensor])
    if tensor.ndim == 4 and layer not in MERGES and name != "stem.conv.weight":
        difference = torch.rand(tensor.shape, generator=generator) - 0.5
        tensor = torch.cat([tensor * (0.5 + difference), tensor * (0.5 - difference)], 1)
    return tensor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--human2d", required=True, help="folder of the trained run")
    parser.add_argument("--deep-modules", type=int, help="residual modules in the two innermost orders")
    parser.add_argument("--wide", action="store_true", help="twice the features")
    parser.add_argument("--out", required=True, help="folder that gets the larger checkpoint.pt")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    state = trained(arguments.human2d, Human2D)
    before = Human2D(**state["architecture"]).eval()
    before.load_state_dict(state["averaged"])
    architecture, tensors = dict(before.architecture), state["averaged"]
    deep = arguments.deep_modules or architecture["deep_modules"]
    if deep < architecture["deep_modules"] or (deep == architecture["deep_modules"] and not arguments.wide):
        raise SystemExit(f"{arguments.human2d}: has {architecture['deep_modules']} deep modules; expected more of them, or --wide")

    generator = torch.Generator().manual_seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    if arguments.wide:
        architecture["features"] *= 2
        tensors = {name: widened(name, tensor, generator) for name, tensor in tensors.items()}
    architecture["deep_modules"] = deep
    after = Human2D(**architecture).eval()
    tensors = {**after.state_dict(), **tensors}
    after.load_state_dict(tensors)
    picture = torch.rand(1, 3, 128, 128, generator=generator) - 0.5
    with torch.no_grad():
        for old, new in zip(before(picture)[-1], after(picture)[-1]):
            off = (old - new).abs().max().item()
            if not off < 1e-3 * old.abs().max().item():
                raise SystemExit(f"the larger network's outputs are off by {off}; nothing was written.")
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "checkpoint.pt",
                lambda file: torch.save(dict(model=tensors, averaged=tensors, architecture=architecture,
                                             research=state.get("research", False)), file))
    print(f"{out / 'checkpoint.pt'}: {architecture}")


if __name__ == "__main__":
    main()
