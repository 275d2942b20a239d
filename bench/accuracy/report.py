"""Measures a weights file on the validation sets and writes docs/accuracy.md; see run.sh.

The library itself is measured: `estimate_photos` runs the C++ estimator over each set.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "weights" / "recipes"))

import collections_of_photos
import photographs
import seeing
import sheets
import space
from laboratory import Laboratory
from picture_pool import PicturePool

HOW_BLIND = """
## How blind this is
No picture here was trained on. The first nine tenths of the real photographs were looked at to find what the
photographer lacked (loose clothes, bags, splits). The constants by which left and right are parted (`separate_sides`)
and the fit's anchor and scale were chosen on 400 and 1,000 other pictures of the same held-out clothes, skins and sequences
(seed 2), the former among some 40 settings, the latter among 24, and how much the size is trusted where the distance is
known on the same 1,000, among 320; the levels of the search for the person on 60 of these composed scenes, and that
the larger of two people is taken on 120 others with people of the first tenths; that a runner-up is looked at, among
four ways, on these very scenes and photographs; that a mistaken glance does not end the search on 200 scenes with people of
the first 12 hundredths; that a closer look counts beside a glance on a photograph that the project looks at, these 200 scenes and
the first parts of both collections; that a sure first glance ends the search, and that squares do not reach beyond
the photo, on these, 150 other scenes and, the former, the first parts of both collections; when somebody is looked at turned and how much better that must be on
the first 15 hundredths of Leeds and 1,000 pictures of seed 2, among 42 settings, and how well
they must be seen where nobody was found upright on the next 6 hundredths and the backgrounds; the bar below which nobody
is said to be there on photographs that the project looks at and on backgrounds.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--body", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--out", required=True, help="the page that is written; pictures go to images/ beside it")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    lab = Laboratory(arguments.program, arguments.weights, arguments.body, arguments.scratch)
    out = Path(arguments.out)
    images = out.parent / "images"
    images.mkdir(exist_ok=True)
    with safe_open(arguments.weights, "pt") as file:
        metadata = file.metadata()

    pool = PicturePool(arguments.pool)
    synthetic = collections_of_photos.synthetic_validation(pool, lab.folder("pictures"))
    readings = lab.scratch / "synthetic.readings"
    estimates = lab.estimates("synthetic", synthetic, masks=True, options=["--keep-readings", readings])
    once = lab.estimates("synthetic-once", synthetic, options=["--no-flip", "--no-refine"], masks=True)
    quarter = lab.estimates("synthetic-quarter", synthetic, options=["--quarter-cell", "--no-refine"])
    coarse = lab.estimates("synthetic-bfloat16", synthetic, options=["--bfloat16"], masks=True)
    on_seeing = seeing.section(lab, pool, estimates, once, quarter, coarse, images / f"{out.stem}_reliability.png")
    on_space, meshes, errors = space.section(lab, pool, synthetic, arguments.data, estimates, once, coarse, readings)
    worst = np.argsort(errors)[::-1][:10]
    random = np.sort(np.random.default_rng(0).choice(len(pool), 10, replace=False))
    for name, rows in (("worst", worst), ("random", random)):
        sheets.sheet(lab, name, synthetic, rows, meshes, images / f"{out.stem}_{name}.jpg")
    on_photographs = photographs.section(lab, Path(arguments.data))

    out.write_text(f"""# Accuracy

Of `{Path(arguments.weights).name}` ({metadata["human2d"]}), made by `bench/accuracy/run.sh`. The
C++ estimator as shipped is what is measured, with its box given unless said otherwise.

Trained on: {metadata["data"]}.

{on_seeing}{on_space}
### Pictures
The ten with the largest per-vertex error: the picture, the body over it, the joints as seen, the body from its side and
the true body from there:

![the ten worst](images/{out.stem}_worst.jpg)

and ten drawn at random, for what is usual:

![ten at random](images/{out.stem}_random.jpg)
{on_photographs}{HOW_BLIND}""")
    print(out.read_text())


if __name__ == "__main__":
    main()
