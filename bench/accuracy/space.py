"""The report on bodies in space: whole, by what the pictures show, their shape, and beside published figures."""
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import spearmanr

import groups
from laboratory import CELLS, bodies_of
from meshes import Meshes, mean_pose
from published import beside_the_paper
from tables import table

PVE, MPJPE, PA_MPJPE, UNDER_TRUE_ROOT, ROOT = range(5)


def true_readings(pool):
    """What a perfect Human2D would see: joints [N, 16, 3] with confidence 1 inside the crop, masks [N, 64, 64]."""
    rows = np.arange(len(pool))
    joints = pool.take(rows, "joints").astype(np.float32)
    side = pool.take(rows[:1], "images").shape[1]
    joints = np.concatenate([joints[..., :2] * (2 / side) - 1, joints[..., 2:] > 0], -1)
    masks = np.asarray(pool.take(rows, "mask"), np.float32) / 255
    return joints, masks.reshape(-1, CELLS, 2, CELLS, 2).mean((2, 4))


def with_distances(pool, cases):
    """The cases with what the photographer knows of the camera."""
    rows = np.arange(len(pool))
    return [replace(case, focal=focal, distance=place[2])
            for case, focal, place in zip(cases, pool.take(rows, "focal"), pool.take(rows, "translation"))]


def bodies(lab, pool, cases, meshes, data, estimates, once, coarse, readings):
    """Row of the table -> rotations and betas."""
    joints, silhouettes = lab.readings(readings)
    true_joints, masks = true_readings(pool)
    network_only = ["--no-refine"]

    def again(name, joints, silhouettes, options=(), cases=cases):
        return bodies_of(lab.estimates_of_readings(name, cases, joints, silhouettes, options))

    found = bodies_of(estimates)
    placed = with_distances(pool, cases)
    mean = mean_pose(data, lab.body).expand(len(pool), -1, -1, -1).clone()
    mean[:, 0] = meshes.rotations[:, 0]
    return {
        "estimator": found,
        "without the fit": again("as-seen-network", joints, silhouettes, network_only),
        "Human2D in bfloat16": bodies_of(coarse),
        "without fit and mirror": bodies_of(once),
        "true silhouette": again("true-silhouette", joints, masks),
        "true joints": again("true-joints", true_joints, silhouettes),
        "true joints and silhouette": again("true-both", true_joints, masks),
        "true joints and silhouette, without the fit": again("true-both-network", true_joints, masks, network_only),
        "camera distance known": again("distance", joints, silhouettes, cases=placed),
        "camera distance known, true joints and silhouette": again("true-distance", true_joints, masks, cases=placed),
        "true shape, predicted pose": (found[0], meshes.beta),
        "true pose, predicted shape": (meshes.rotations, found[1]),
        "mean pose and shape, true root": (mean, torch.zeros_like(meshes.beta)),
    }


def group_table(kind, names, order, errors, with_true_joints):
    """A row a group: how many pictures, and the errors of the estimator and from true joints."""
    rows = []
    for name in order:
        here = names == name
        if not here.any():
            continue
        mean, from_truth = errors[here].mean(0), with_true_joints[here].mean(0)
        turned = 100 * (errors[here, ROOT] > 90).mean()
        rows.append([name, str(here.sum())] + [f"{mean[k]:.1f}" for k in (PVE, PA_MPJPE, UNDER_TRUE_ROOT)]
                    + [f"{np.median(errors[here, ROOT]):.0f}", f"{turned:.0f}"]
                    + [f"{from_truth[k]:.1f}" for k in (PVE, PA_MPJPE)])
    return table([kind, "pictures", "PVE", "PA-MPJPE", "PVE, true root", "root off by (median, degrees)",
                  "root off by over 90 degrees (%)", "PVE from true joints", "PA-MPJPE from true joints"], rows)


def expectations(estimates, errors):
    """What the estimator says of its errors (millimetres [N]): a row a fifth of the pictures, from the surest."""
    expected = np.array([1000 * (one["expected_error"] or np.nan) for one in estimates])
    if np.isnan(expected).any():
        return "The weights do not say how far off a body may be (`expected_error`)."
    scores = [one["score"] for one in estimates]
    rows = []
    for fifth, here in enumerate(np.array_split(np.argsort(expected, kind="stable"), 5)):
        less = 100 * (errors[here] < expected[here]).mean()
        rows.append([("surest", "second", "third", "fourth", "least sure")[fifth], str(len(here)),
                     f"{np.median(expected[here]):.0f}", f"{np.median(errors[here]):.0f}", f"{less:.0f}"])
    rows.append(["all", str(len(errors)), f"{np.median(expected):.0f}", f"{np.median(errors):.0f}",
                 f"{100 * (errors < expected).mean():.0f}"])
    return f"""What the estimator says of its own error (`expected_error`, of which half should be less), by fifths of the pictures:

{table(["pictures", "how many", "expected PVE (median)", "PVE (median)", "less than expected (%)"], rows)}

Its rank correlation with the error is {spearmanr(expected, errors)[0]:.2f}; the score's is {-spearmanr(scores, errors)[0]:.2f}."""


def section(lab, pool, cases, data, estimates, once, coarse, readings):
    """The text, the true meshes, and the estimator's per-vertex errors [N]."""
    meshes = Meshes(lab.body, pool)
    guesses = bodies(lab, pool, cases, meshes, data, estimates, once, coarse, readings)
    errors = {name: meshes.errors(*guess) for name, guess in guesses.items()}
    found, with_true_joints = errors["estimator"], errors["true joints and silhouette"]
    shapes = {name: guesses[name][1] for name in ("estimator", "true silhouette", "camera distance known",
                                                  "camera distance known, true joints and silhouette")}
    shapes["mean shape"] = torch.zeros_like(meshes.beta)
    rows = np.arange(len(pool))
    theta = pool.take(rows, "theta")
    poses = groups.poses(theta, meshes.rest_joints)
    views = groups.views(theta, pool.take(rows, "translation"))
    visible = groups.visibilities(pool.take(rows, "joints"), pool.take(rows, "mask"), pool.take(rows, "body_mask"))
    everyday = np.isin(poses, ("standing", "striding")) & np.isin(views, ("front", "side", "back")) & (visible == "whole")

    def tables_by(kind, names, order):
        return group_table(kind, names, order, found, with_true_joints)

    text = f"""
### Bodies in space
Millimetres, mean over the pictures. PVE: per-vertex error over all vertices, no alignment, both bodies at the origin of
their model, so that the root's rotation counts and the distance does not. Under the true root: the same after the body
was turned about its pelvis to its true rotation; the difference is what the root costs (less than nothing where trunk
and limbs make up for it). MPJPE: 16 joints, pelvis on pelvis. PA-MPJPE: after a similarity alignment.

{table(["", "PVE", "MPJPE", "PA-MPJPE", "PVE, true root"],
       [[name] + [f"{value:.1f}" for value in rows.mean(0)[:ROOT]] for name, rows in errors.items()])}

"True joints" gives the estimator the true joints (confidence 1 inside the crop, lost outside) in place of Human2D's,
"true silhouette" the dressed person's true mask; fit included unless said otherwise. "True shape" and "true pose" put
the truth in place of one half of the result. "Mean pose and shape" is the chordal mean of the training poses under the
true root: what guessing costs once the view is known.

By what the person does (angles between the limbs, see `groups.py`; "true joints" with the true silhouette):

{tables_by("pose", poses, groups.POSES)}

By the direction from which the pelvis is seen: from above is more than 30 degrees over its level, from below 20 under
it; tilted, the trunk more than 45 degrees off the picture's vertical; then by heading:

{tables_by("view", views, groups.VIEWS)}

By what is seen of the person: a joint outside the picture, less than nine tenths of the bare body's outline, or all:

{tables_by("visible", visible, groups.VISIBILITIES)}

{expectations(estimates, found[:, PVE])}

### Shape
Of the body in the T-pose, mean absolute errors: vertices in millimetres, height and girths in centimetres. A girth is
the convex hull's circumference of a loop round the template's trunk (`body_measures.py`). Nothing in a picture but
proportions tells the height, unless the camera's distance and focal length are given (`options.distance`).

{table(["", "vertices", "height", "chest", "waist", "hips"],
       [[name] + [f"{value:.1f}" for value in meshes.shape_errors(beta).mean(0)] for name, beta in shapes.items()])}

{beside_the_paper(found.mean(0), errors["true shape, predicted pose"].mean(0), found[everyday].mean(0), everyday.sum())}"""
    return text, meshes, found[:, PVE]
