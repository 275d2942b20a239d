"""Draws what the main program makes of some of the photographer's pictures: each beside its overlay, a row a picture.

    python bench/accuracy/show.py --pool POOL --rows 3 17 --out docs/images/readme.jpg
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "weights" / "recipes"))

from picture_pool import PicturePool
from sheets import beside, stacked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--rows", required=True, nargs="+", type=int)
    parser.add_argument("--out", required=True)
    parser.add_argument("--program", default=str(REPOSITORY / "build" / "examples" / "maquette"))
    parser.add_argument("--weights", default=str(REPOSITORY / "weights" / "maquette.safetensors"))
    arguments = parser.parse_args()
    pictures = PicturePool(arguments.pool).take(np.array(arguments.rows), "images")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{row}.png" for row in arguments.rows]
        for picture, path in zip(pictures, paths):
            Image.fromarray(picture).save(path)
        # Fails where one of the pictures shows nobody: that row is left out.
        subprocess.run([arguments.program, "--weights", arguments.weights, "--out", Path(folder) / "out", *paths])
        for picture, path in zip(pictures, paths):
            if not (Path(folder) / "out" / path.stem / "overlay.png").exists():
                continue
            overlay = Image.open(Path(folder) / "out" / path.stem / "overlay.png").convert("RGB")
            lines.append(beside([Image.fromarray(picture), overlay]))
    stacked(lines).save(arguments.out, quality=90)


if __name__ == "__main__":
    main()
