"""Runs a trained Human2D over a pool of pictures and keeps what it saw, for the priors to learn from.

    python weights/recipes/observe.py --pool POOL --human2d runs/human2d-256 --count 12000

Writes POOL/observed.npz: `joints` [n, 48] (x, y in [-1, 1], confidence) and `silhouette` [n, 64, 64]
(probability of body, 0 to 255) of the pool's first n pictures, as the estimator reads them: averaged with
the mirror image, left and right parted.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from export import fingerprint, trained
from networks import Human2D
from picture_pool import MIRRORED_JOINTS, PicturePool, batch_of
from saving import write_whole
from train_human2d import decode, separated
from training import keep_memory

HERE = Path(__file__).resolve().parent


def look(network, pictures):
    """Heat maps and body-minus-background logits of the last stack, averaged with the mirror image's."""
    outputs = []
    for one in (pictures, pictures.flip(-1)):
        heatmaps, logits = network(one.contiguous(memory_format=torch.channels_last))[-1]
        outputs.append((heatmaps.float(), (logits[:, 0] - logits[:, 1]).float()))
    (heatmaps, body), (mirrored, mirrored_body) = outputs
    return (heatmaps + mirrored[:, MIRRORED_JOINTS].flip(-1)) / 2, (body + mirrored_body.flip(-1)) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--human2d", default=str(HERE / "runs" / "human2d-256"))
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_memory()

    state = trained(arguments.human2d, Human2D)
    network = Human2D(**state["architecture"])
    network.load_state_dict(state["averaged"])
    network = network.eval().to(memory_format=torch.channels_last)
    pool = PicturePool(arguments.pool)
    note = pool.folder / "pool.json"
    if note.exists() and json.loads(note.read_text()).get("empty"):
        raise SystemExit(f"{pool.folder}: shows nobody (generate.py --empty); expected pictures of people, whom the priors learn from")
    joints, silhouettes = [], []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        count = min(arguments.count, len(pool))
        for rows in tqdm(np.array_split(np.arange(count), max(1, count // 32)), desc="observed"):
            pictures = batch_of(pool, rows, arguments.size, 1.0)["pictures"]
            heatmaps, body = look(network, pictures)
            joints.append(separated(heatmaps, decode(heatmaps)).flatten(1).numpy())
            silhouettes.append((255 * torch.sigmoid(body)).round().to(torch.uint8).numpy())
    path = Path(arguments.pool) / "observed.npz"
    write_whole(path, lambda file: np.savez_compressed(file, joints=np.concatenate(joints),
                                                       silhouette=np.concatenate(silhouettes),
                                                       human2d=fingerprint(state["averaged"]),
                                                       research=state.get("research", False)))
    print(f"{path}: {sum(map(len, joints))} pictures")


if __name__ == "__main__":
    main()
