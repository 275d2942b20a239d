"""The validation sets: which photographs, where the person is, what is known about it."""
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from measures import LSP

RECIPES = Path(__file__).resolve().parents[2] / "weights" / "recipes"
# Joints end before heads' hair, hands and soles: the box of joints is made an eighth larger.
JOINT_BOX = 1.12


@dataclass
class Case:
    """One photograph with the person's box (left, top, right, bottom) and what else is known."""
    photo: Path
    box: np.ndarray
    joints: np.ndarray = None       # [14, 3] LSP order: x, y, labelled
    mask: Path = None
    upright: bool = None
    share: float = None             # of the picture's height that the person fills
    focal: float = None             # of the camera, pixels
    distance: float = None          # of the pelvis from the camera, metres


def box_of_joints(points):
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, (high - low) * JOINT_BOX / 2
    half = np.maximum(half, 4)
    return np.concatenate([middle - half, middle + half])


def box_of_mask(mask):
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def is_upright(joints):
    """Whether the neck is above the middle of the hips, within 45 degrees of straight up."""
    hips = [LSP.index("r_hip"), LSP.index("l_hip")]
    neck = LSP.index("neck")
    if not joints[hips + [neck], 2].all():
        return False
    up = joints[neck, :2] - joints[hips, :2].mean(0)
    return bool(-up[1] > abs(up[0]))


def leeds(data, first, last, measurable=True):
    """A part (shares of the whole) of Leeds Sports Pose Extended; `measurable`: those whose torso is labelled."""
    folder = Path(data) / "lspet"
    with open(folder / "joints.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = []
    for row in rows[int(len(rows) * first):int(len(rows) * last)]:
        joints = np.array([[float(row[f"{name}_{axis}"]) for axis in ("x", "y", "visible")] for name in LSP])
        if measurable and not joints[[LSP.index("r_hip"), LSP.index("l_shoulder")], 2].all():
            continue
        cases.append(Case(folder / "images" / row["file"], box_of_joints(joints[joints[:, 2] > 0, :2]),
                          joints=joints, upright=is_upright(joints)))
    return cases


def clothed(data, first, last):
    """A part (shares of the whole) of Clothing Co-Parsing; those whose mask is not empty."""
    folder = Path(data) / "ccp"
    photos = sorted((folder / "photos").glob("*.jpg"))
    cases = []
    for photo in photos[int(len(photos) * first):int(len(photos) * last)]:
        path = folder / "masks" / (photo.stem + ".png")
        mask = np.asarray(Image.open(path).convert("L")) > 0
        if mask.any():
            cases.append(Case(photo, box_of_mask(mask), mask=path))
    return cases


# Photographs of the last tenth of Clothing Co-Parsing of which the first nine hold another copy (0594, 0183).
TWINS = {"0722", "0730"}


def validation(collection, data):
    """The last tenth of `leeds` or `clothed`, without copies of photographs before it: never trained on, by any weights of
    this project."""
    return [case for case in collection(data, 0.9, 1) if collection is not clothed or case.photo.stem not in TWINS]


def synthetic_validation(pool, folder):
    """The photographer's pictures as PNG files in `folder`; the box is such that the crop is the whole picture."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    side = pool.take(np.array([0]), "images").shape[1]
    margin = side * (1 - 1 / 1.25) / 2
    for index in range(len(pool)):
        path = folder / f"{index:05d}.png"
        if not path.exists():
            Image.fromarray(pool.take(np.array([index]), "images")[0]).save(path)
        cases.append(Case(path, np.array([margin, margin, side - margin, side - margin])))
    return cases


def without_people(data):
    """The backgrounds that training did not see: nobody is in them."""
    unseen = json.loads((RECIPES / "photographer" / "splits.json").read_text())
    names = set(unseen["pictures"]) | {f"hdri_{name}_{side}" for name in unseen["panoramas"] for side in range(6)}
    photos = sorted((Path(data) / "backgrounds" / "img").glob("*.jpg"))
    return [Case(photo, None) for photo in photos if photo.stem in names]


def cut_out(case):
    """The person of a masked photograph as an RGBA picture of the box."""
    person = Image.open(case.photo).convert("RGB")
    person.putalpha(Image.open(case.mask).convert("L").point(lambda value: 255 * (value > 0)))
    return person.crop([int(value) for value in case.box])


def composed(people, data, folder, count=150, size=(720, 540), seed=5):
    """People cut out of Clothing Co-Parsing before backgrounds that training did not see: a tenth to all of the
    picture's height, anywhere, half of them with one to three others of at most 0.6 of their height."""
    data, folder = Path(data), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    unseen = json.loads((RECIPES / "photographer" / "splits.json").read_text())["pictures"]
    walls = [path for path in sorted((data / "backgrounds" / "img").iterdir()) if path.stem in unseen]
    people = [cut_out(case) for case in people]
    random = np.random.default_rng(seed)
    cases = []
    for index in range(count):
        picture = Image.open(walls[random.integers(len(walls))]).convert("RGB").resize(size, Image.LANCZOS)
        height = size[1] * np.exp(random.uniform(np.log(0.1), 0))
        share = height / size[1]

        def paste(height):
            person = people[random.integers(len(people))]
            scale = height / person.height
            person = person.resize([max(2, round(person.width * scale)), max(2, round(height))], Image.LANCZOS)
            left = random.integers(0, max(1, size[0] - person.width))
            top = random.integers(0, max(1, size[1] - person.height))
            picture.paste(person, (int(left), int(top)), person)
            return np.array([left, top, left + person.width, top + person.height], float)

        if random.uniform() < 0.5:
            for _ in range(random.integers(1, 4)):
                paste(height * random.uniform(0.3, 0.6))
        box = paste(height)
        path = folder / f"{index:03d}.jpg"
        picture.save(path, quality=90)
        cases.append(Case(path, box, share=share))
    return cases
