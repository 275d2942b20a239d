"""The report on real photographs: Leeds Sports Pose Extended, Clothing Co-Parsing, people set before backgrounds."""
import numpy as np
from PIL import Image

import collections_of_photos
import measures
from laboratory import joints_of
from tables import table


def leeds_figures(cases, estimates):
    """PCK@0.2 [2, 15]: of upright people and of others, each joint and the mean over all joints; how many are upright;
    and where the joints of these are found beside their labels [14, 2]."""
    truth = np.array([case.joints for case in cases])
    found = measures.lsp_of_mpii(joints_of(estimates))
    torso = np.linalg.norm(truth[:, measures.LSP.index("r_hip"), :2]
                           - truth[:, measures.LSP.index("l_shoulder"), :2], axis=-1)
    hits, labelled = measures.correct(found[..., :2], truth[..., :2], torso), truth[..., 2] > 0
    upright = np.array([case.upright for case in cases])
    table = []
    for group in (upright, ~upright):
        h, n = (hits & labelled)[group].sum(0), labelled[group].sum(0)
        table.append(np.r_[h / n, h.sum() / n.sum()])
    beside = measures.displacements(found[upright, :, :2], truth[upright, :, :2], labelled[upright], torso[upright])
    return np.array(table), upright.sum(), beside


def parts_of(joints):
    """The places of `joints` by part of the body: both sides of one together."""
    parts = {}
    for k, name in enumerate(joints):
        parts.setdefault(name[2:] if name[1] == "_" else name.replace("_", " "), []).append(k)
    return parts


def recall(cases, estimates):
    """Share of the people whose box was found with an overlap of one half or more."""
    found = [not "error" in one and measures.box_overlap(
        np.array([one["box"][0], one["box"][1], one["box"][0] + one["box"][2], one["box"][1] + one["box"][3]]),
        case.box) >= 0.5 for case, one in zip(cases, estimates)]
    return float(np.mean(found))


def chosen_of(cases, estimates, chosen):
    """The cases, and what was said of them, where `chosen` is true."""
    return [case for case, yes in zip(cases, chosen) if yes], [one for one, yes in zip(estimates, chosen) if yes]


def clothed_figures(lab, name, cases, estimates):
    """Of Human2D's silhouette and of the body's: mean IoU in the photo, foreground accuracy, F1."""
    figures = {}
    for kind in ("seen", "body"):
        counted, overlaps = measures.Foreground(), []
        for index, (case, one) in enumerate(zip(cases, estimates)):
            truth = np.asarray(Image.open(case.mask).convert("L")) > 0
            found = np.zeros_like(truth) if "error" in one else lab.mask(name, index, kind) > 127
            overlaps.append(measures.intersection_over_union(found, truth))
            counted.add(found, truth)
        figures[kind] = (float(np.mean(overlaps)), *counted.figures())
    return figures


def section(lab, data):
    """The tables; nothing where the photographs are not there."""
    if not ((data / "lspet").is_dir() and (data / "ccp").is_dir()):
        return ""
    leeds = collections_of_photos.validation(collections_of_photos.leeds, data)
    found, found_once = lab.estimates("lspet", leeds), lab.estimates("lspet-once", leeds, options=["--no-flip"])
    found_upright = lab.estimates("lspet-upright-only", leeds, options=["--upright-only"])
    searched = lab.estimates("lspet-searched", leeds, with_box=False)
    pck, upright, beside = leeds_figures(leeds, found)
    pck_once, pck_upright = leeds_figures(leeds, found_once)[0], leeds_figures(leeds, found_upright)[0]
    clothed = collections_of_photos.validation(collections_of_photos.clothed, data)
    dressed = lab.estimates("ccp", clothed, masks=True)
    dressed_searched = lab.estimates("ccp-searched", clothed, with_box=False)
    scenes = collections_of_photos.composed(clothed, data, lab.folder("scenes"))
    in_scenes = lab.estimates("composed-searched", scenes, with_box=False)
    shares = np.array([case.share for case in scenes])
    bands = [(low, high) for low, high in ((0.1, 0.2), (0.2, 0.4), (0.4, 1.01))]
    sizes = [[f"{100 * low:.0f} to {100 * min(high, 1):.0f} %", str(((shares >= low) & (shares < high)).sum()),
              f"{recall(*chosen_of(scenes, in_scenes, (shares >= low) & (shares < high))):.3f}"]
             for low, high in bands]
    clothes = clothed_figures(lab, "ccp", clothed, dressed)
    empty = lab.estimates("without-people", collections_of_photos.without_people(data), with_box=False)
    return f"""
## On real photographs
The last tenth of Leeds Sports Pose Extended ({len(leeds)} photographs whose torso is labelled, {upright} of them
upright: the neck within 45 degrees of straight above the hips) and of Clothing Co-Parsing ({len(clothed)}; two
more are copies of photographs before them). The box is given: around the labelled joints, an eighth larger, or around the
mask. LSP's neck is compared with the middle of MPII's thorax and upper neck. Leeds' labels are crowd-sourced and its poses
gymnastics and parkour. "Not turned": without the looks at the turned photograph at those who are not clearly seen
(`look_turned`).

{table(["joint", "upright", "other", "upright, without the mirror", "upright, not turned", "other, not turned"],
       [[name, *(f"{figures[k]:.3f}" for figures in (*pck, pck_once[0], *pck_upright))]
        for k, name in enumerate((*measures.LSP, "all"))])}

Where the joints of the upright are found beside their labels, in hundredths of the torso's diagonal (medians of those at
most 0.35 of it away, both sides together; `joint_regressor_mpii` says where the synthetic pictures mark them):

{table(["joint", "up the trunk", "outwards"],
       [[name, *(f"{100 * value:+.1f}" for value in beside[of].mean(0))] for name, of in parts_of(measures.LSP).items()])}

{table(["clothed people (Clothing Co-Parsing)", "IoU", "foreground accuracy", "F1"],
       [[label] + [f"{value:.3f}" for value in clothes[kind]]
        for kind, label in (("seen", "Human2D's silhouette"), ("body", "the estimated body's"))])}

Finding the person without a box, share of the people found with an overlap (IoU) of at least one half:
Clothing Co-Parsing **{recall(clothed, dressed_searched):.3f}**, Leeds {recall(leeds, searched):.3f}. Of the same people
cut out and set before {len(scenes)} backgrounds that no training picture shows, anywhere, half of them with one to three
others of at most 0.6 of their height, by the share of the picture's height that they fill:

{table(["height", "pictures", "recall"], sizes)}

Of {len(empty)} backgrounds without people that training did not see, {sum("error" not in one for one in empty)} were taken for somebody.
"""
