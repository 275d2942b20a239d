"""Draws a sheet of samples, some with their joints and masks: python weights/recipes/photographer/contact_sheet.py

[--split train] [--seed 7] [--data ../shared/data] [--out docs/images/photographer.jpg]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import makehuman
from photographer import assets, native, scene

REPOSITORY = Path(__file__).resolve().parents[3]
BONES = [(0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (7, 12), (12, 11), (11, 10), (7, 13),
         (13, 14), (14, 15)]
RIGHT, LEFT, MIDDLE = (255, 90, 60), (60, 150, 255), (90, 230, 90)


def colour_of(joint):
    return MIDDLE if 6 <= joint <= 9 else LEFT if joint in (3, 4, 5, 13, 14, 15) else RIGHT


def overlaid(sample, with_mask):
    """The picture with its joints (right red, left blue; hollow where hidden), and its mask tinted."""
    picture = sample["images"].astype(np.float32)
    if with_mask:
        mask = np.array(Image.fromarray(sample["mask"]).resize((scene.SIZE,) * 2, Image.BILINEAR), np.float32) / 255
        picture = picture * (1 - 0.4 * mask[..., None]) + np.array([255, 230, 0]) * 0.4 * mask[..., None]
    picture = Image.fromarray(picture.astype(np.uint8))
    draw, joints = ImageDraw.Draw(picture), sample["joints"]
    for a, b in BONES:
        if min(joints[a, 2], joints[b, 2]) > 0:
            draw.line([*joints[a, :2], *joints[b, :2]], fill=colour_of(a if 6 <= b <= 9 else b), width=2)
    for k, (x, y, state) in enumerate(joints):
        if state > 0:
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], outline=colour_of(k), width=2,
                         fill=colour_of(k) if state == scene.VISIBLE else None)
    return np.array(picture)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--split", choices=assets.SPLITS, default="train")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--data", type=Path, default=makehuman.default_data_folder())
    arguments.add_argument("--body", type=Path, default=REPOSITORY / "weights" / "body.npz")
    arguments.add_argument("--rows", type=int, default=6)
    arguments.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "images" / "photographer.jpg")
    options = arguments.parse_args()
    closet, room = assets.wardrobe(options.data, options.body, options.split), native.darkroom()
    # Only the panoramas: the sheet is published, and they are in the public domain.
    closet.backdrops = [backdrop for backdrop in closet.backdrops if backdrop.name.startswith("hdri_")]
    tiles = []
    for index in range(8 * options.rows):
        sample = scene.sample(closet, room, options.split, options.seed, index)
        tiles.append(overlaid(sample, index % 8 == 2) if index % 4 == 2 else sample["images"])
    sheet = np.concatenate([np.concatenate(tiles[k:k + 8], 1) for k in range(0, len(tiles), 8)])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).resize((sheet.shape[1] // 2, sheet.shape[0] // 2), Image.LANCZOS).save(options.out, quality=88)


if __name__ == "__main__":
    main()
