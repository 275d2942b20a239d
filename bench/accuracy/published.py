"""The figures of Pavlakos et al. (CVPR 2018) beside ours."""
from tables import table

# Millimetres. Tables 2, 3 and 4 of the paper.
RESULTS = (("per-vertex", "UP-3D, photographs, 1,389 test pictures", "117.7"),
           ("per-vertex", "SURREAL, rendered, own shape", "155.5"),
           ("per-vertex, true shape", "SURREAL, rendered", "151.5"),
           ("PA-MPJPE", "Human3.6M, laboratory, 14 joints", "75.9"))
# Table 1: mean per-vertex error on UP-3D, priors trained on UP-3D's own poses and on CMU's.
LOSSES = (("parameters as axis-angles", "514.9", "589.9"), ("parameters as rotation matrices", "140.7", "152.2"),
          ("... and vertices", "120.7", "142.0"), ("... and reprojection, end to end", "117.7", "135.5"))


def beside_the_paper(found, with_true_shape, everyday, count):
    """Text on the means [5] (see `meshes.errors`) over all pictures, with the true shape, and of `count` everyday ones."""
    ours = [["per-vertex", "these pictures", f"{found[0]:.1f}"],
            ["per-vertex, true shape", "these pictures", f"{with_true_shape[0]:.1f}"],
            ["PA-MPJPE", "these pictures, 16 joints", f"{found[2]:.1f}"],
            ["per-vertex", f"the {count} of them who stand or stride, whole, seen level", f"{everyday[0]:.1f}"],
            ["PA-MPJPE", f"the same {count}", f"{everyday[2]:.1f}"]]
    return f"""### Beside the paper
Pavlakos et al. 2018 on their test sets, and this project on its own. The measures are the same (per-vertex: the mean
over all vertices without alignment, root rotation included); the pictures, the body and what it was trained on are not,
so no row says which of two is better. UP-3D's people are mostly upright and its truth is a fit that annotators accepted;
SURREAL renders recorded motion; Human3.6M has four cameras in one room. Ours are drawn so that rare poses are as
frequent as common ones, a third made from joint angles (splits, tucks, squats), one in six tilted, one in ten seen from
above, a quarter cut off, on a body of another shape space.

{table(["measure, mm", "the paper on", "the paper"], RESULTS)}

{table(["measure, mm", "this project on", "ours"], ours)}

The paper's Table 1, per-vertex on UP-3D, by what PosePrior's loss compares:

{table(["loss", "priors of UP-3D's poses", "priors of CMU's poses"], LOSSES)}

PosePrior here is trained in the paper's order, rotation matrices and then vertices as well; [ablations.md](ablations.md)
has the first three rows on these pictures. The last has no counterpart that was measured.
"""
