"""Turns real photographs with labels into a pool for train_human2d.py: research only.

    python weights/recipes/real_pool.py --data ../shared/data --out POOL

Leeds Sports Pose Extended (14 joints) and Clothing Co-Parsing (masks), without the last tenth of each, on which
bench/accuracy measures. Neither set says that it may be used for more than research: weights that saw this pool carry
`-research` in their name and say so in their metadata.

A shard holds images, joints and mask as the photographer's do (photographer/generate.py), and `known` [n, 17] uint8: for
each of the 16 joints and for the mask whether it is labelled. Leeds has no pelvis, and its neck lies between MPII's
thorax and upper neck, so these three are unknown.
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "accuracy"))

from collections_of_photos import clothed, leeds
from measures import LSP, MPII
from saving import write_whole

SIZE, MASK_SIZE, SHARD = 256, 128, 1000
MARGIN = 1.25
GREY = (128, 128, 128)  # as the estimator's crops beyond the photo
# MPII's place of each LSP joint but the neck.
PLACES = [(LSP.index(name), MPII.index(name)) for name in LSP if name != "neck"]


def cropped(picture, box, size, beyond):
    """The square crop around a box [size, size], of one colour beyond the photograph, and its left, top and side."""
    side = MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top = (box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2
    scale = side / size
    if scale > 1:  # shrink by areas first: the affine transform only interpolates
        small = (max(1, round(picture.width / scale)), max(1, round(picture.height / scale)))
        factor = picture.width / small[0], picture.height / small[1]
        picture = picture.resize(small, Image.BOX)
        coefficients = (scale / factor[0], 0, left / factor[0], 0, scale / factor[1], top / factor[1])
    else:
        coefficients = (scale, 0, left, 0, scale, top)
    return picture.transform((size, size), Image.AFFINE, coefficients, Image.BILINEAR, fillcolor=beyond), left, top, side


def sample_of(case):
    picture, left, top, side = cropped(Image.open(case.photo).convert("RGB"), case.box, SIZE, GREY)
    joints, mask = np.zeros((16, 3), np.float32), np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    known = np.zeros(17, np.uint8)
    if case.joints is not None:
        for lsp, mpii in PLACES:
            x, y, labelled = case.joints[lsp]
            u, v = (x - left) * SIZE / side, (y - top) * SIZE / side
            joints[mpii] = u, v, 2 if labelled and 0 <= u < SIZE and 0 <= v < SIZE else 0
            known[mpii] = labelled > 0
    if case.mask is not None:
        whole = Image.open(case.mask).convert("L").point(lambda value: 255 * (value > 0))
        mask[:] = np.asarray(cropped(whole, case.box, MASK_SIZE, 0)[0])
        known[16] = 1
    return dict(images=np.asarray(picture), joints=joints, mask=mask, known=known)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(HERE.parents[2] / "shared" / "data"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for part in ("lspet", "ccp"):
        if not (Path(arguments.data) / part).is_dir():
            raise SystemExit(f"{arguments.data}: lspet/ and ccp/ were expected there; {part}/ is missing")
    cases = leeds(arguments.data, 0, 0.9, measurable=False) + clothed(arguments.data, 0, 0.9)
    order = np.random.default_rng(0).permutation(len(cases))
    note, description = arguments.out / "pool.json", dict(source="lspet and ccp: research only")
    if note.exists() and json.loads(note.read_text()) != description:
        raise SystemExit(f"{arguments.out} holds another pool: {note.read_text().strip()}; choose another --out.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(description) + "\n")
    bar = tqdm(total=len(cases), unit="picture")
    for number, rows in enumerate(np.array_split(order, -(-len(order) // SHARD))):
        folder = arguments.out / f"shard_{number:05d}"
        partial = folder.with_name(".partial_" + folder.name)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        samples = []
        for row in rows:
            samples.append(sample_of(cases[row]))
            bar.update()
        for name in samples[0]:
            values = np.stack([one[name] for one in samples])
            write_whole(partial / f"{name}.npy", lambda file: np.save(file, values))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)


if __name__ == "__main__":
    main()
