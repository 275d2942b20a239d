"""Measures bodies whose measures are known: python bench/accuracy/test_measures.py"""
import sys
import unittest
from pathlib import Path

import numpy as np

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
sys.path.insert(0, str(WEIGHTS / "recipes"))

import groups
import measures
from body_measures import BodyMeasures
from smpl_maths import joint


def tube(radii, heights, sides=360):
    """A tube of circles of these radii at these heights: vertices and triangles."""
    around = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    vertices = np.concatenate([np.c_[r * np.cos(around), np.full(sides, y), r * np.sin(around)]
                               for r, y in zip(radii, heights)])
    ring, following = np.arange(sides), (np.arange(sides) + 1) % sides
    triangles = [np.r_[np.c_[ring, following, ring + sides], np.c_[following, following + sides, ring + sides]] + k * sides
                 for k in range(len(radii) - 1)]
    return vertices, np.concatenate(triangles)


class OfJoints(unittest.TestCase):
    def test_displacements_follow_the_turned_trunk(self):
        place = dict(r_hip=(-1, 2), l_hip=(1, 2), r_shoulder=(-1, -1), l_shoulder=(1, -1), l_knee=(1, 4), r_knee=(-1, 4))
        truth = np.array([[place.get(name, (0.0, 0.0)) for name in measures.LSP]] * 3, float)
        moved = truth.copy()
        moved[:, measures.LSP.index("l_hip")] += (0.2, -0.1)  # image: right is the person's left, up is less
        moved[:, measures.LSP.index("r_hip")] += (-0.2, -0.1)
        moved[:, measures.LSP.index("r_knee")] += (5.0, 0.0)  # another place
        angle = np.radians([0, 50, 200])
        turn = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), 2, 0)
        truth, moved = (np.einsum("nab,njb->nja", turn, points) for points in (truth, moved))
        labelled = np.ones(truth.shape[:2], bool)
        found = measures.displacements(moved, truth, labelled, np.full(3, 2.0))
        for name in ("l_hip", "r_hip"):
            np.testing.assert_allclose(found[measures.LSP.index(name)], (0.05, 0.1), atol=1e-12)
        np.testing.assert_allclose(found[measures.LSP.index("l_knee")], 0, atol=1e-12)
        self.assertTrue(np.isnan(found[measures.LSP.index("r_knee")]).all())


class OfBodies(unittest.TestCase):
    heights = np.linspace(-1, 0.7, 35)

    def test_a_cylinder_is_as_wide_everywhere(self):
        vertices, triangles = tube(np.full(35, 0.15), self.heights)
        height, *girths = BodyMeasures(vertices, triangles, 0)(vertices[None])[0]
        self.assertAlmostEqual(height, 1.7)
        np.testing.assert_allclose(girths, 2 * np.pi * 0.15, rtol=1e-4)

    def test_a_cone_is_wider_below(self):
        vertices, triangles = tube(0.2 - 0.1 * self.heights, self.heights)
        girths = BodyMeasures(vertices, triangles, 0)(vertices[None])[0, 1:]
        np.testing.assert_allclose(girths, 2 * np.pi * (0.2 - 0.1 * np.array([0.25, 0.10, -0.13])), rtol=1e-4)

    def test_loops_keep_their_place_on_a_body_of_another_size(self):
        vertices, triangles = tube(0.2 - 0.1 * self.heights, self.heights)
        of_template = BodyMeasures(vertices, triangles, 0)
        np.testing.assert_allclose(of_template(1.1 * vertices[None] + [0, 3, 0]), 1.1 * of_template(vertices[None]))


class OfMeshes(unittest.TestCase):
    def test_a_wrong_root_costs_nothing_under_the_true_one(self):
        random = np.random.default_rng(0)
        vertices, pelvis = random.normal(size=(1, 50, 3)), random.normal(size=(1, 3))
        angle = 0.7
        turn = np.array([[[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]])
        turned = (vertices - pelvis[:, None]) @ turn.transpose(0, 2, 1) + pelvis[:, None]
        back = measures.under_root(turned, pelvis, turn, np.eye(3)[None])
        np.testing.assert_allclose(back, vertices, atol=1e-12)
        self.assertAlmostEqual(measures.turned_by(turn, np.eye(3)[None])[0], np.degrees(angle))


class OfPictures(unittest.TestCase):
    def test_poses_go_by_the_angles_of_the_limbs(self):
        theta = np.zeros((5, 24, 3))
        theta[1, [joint("l_hip"), joint("r_hip")], 0] = -1.6
        theta[1, [joint("l_knee"), joint("r_knee")], 0] = 1.5
        theta[2, [joint("l_hip"), joint("r_hip")], 0] = -1.4
        theta[3, joint("l_hip"), 2], theta[3, joint("r_hip"), 2] = 0.9, -0.9
        theta[4, joint("l_shoulder"), 2] = 1.4
        rest = np.load(WEIGHTS / "body.npz")["J"]
        self.assertEqual(list(groups.poses(theta, rest)),
                         ["standing", "sitting or squatting", "bent over", "split", "a hand above the head"])

    def test_views_go_by_where_the_camera_is(self):
        # Upright is half a turn about x; a further turn brings the head nearer to the camera.
        roots = {"front": [np.pi, 0, 0], "back": [0, 0, np.pi], "from above": [np.pi + 0.8, 0, 0],
                 "from below": [np.pi - 0.5, 0, 0], "tilted": np.pi * np.array([np.cos(0.6), np.sin(0.6), 0])}
        theta = np.zeros((len(roots), 24, 3))
        theta[:, 0] = list(roots.values())
        self.assertEqual(list(groups.views(theta, np.tile([0, 0, 5], (len(roots), 1)))), list(roots))

    def test_visibility_goes_by_joints_and_outlines(self):
        joints = np.full((3, 16, 3), 2.0)
        joints[2, 4, 2] = 0
        masks, bodies = np.full((3, 128, 128), 255), np.full((3, 64, 64), 255)
        masks[1, :30] = 0
        self.assertEqual(list(groups.visibilities(joints, masks, bodies)), ["whole", "partly hidden", "cut off"])


if __name__ == "__main__":
    unittest.main()
