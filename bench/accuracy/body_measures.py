"""Height and girths of a body, as a tailor takes them: in the T-pose, round material loops of the mesh.

A loop is where a horizontal plane of the template crosses the mesh's edges. Its points lie at fixed shares of their
edges, so on every body the same places of the skin are measured, whatever its proportions; the girth is the
circumference of their convex hull seen from above, as a tape spans hollows.
"""
import numpy as np
from scipy.spatial import ConvexHull

# Heights over the template's pelvis joint, metres: the waist is the narrowest of the trunk, the hips the widest below
# it, the chest the highest plane that stays clear of the armpits by 5 cm.
PLANES = dict(chest=0.25, waist=0.10, hips=-0.13)


def edges_of(triangles):
    return np.unique(np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1), axis=0)


class Loop:
    """Points on the mesh's edges where a horizontal plane crosses the template."""

    def __init__(self, template, edges, height):
        first, second = template[edges[:, 0], 1], template[edges[:, 1], 1]
        crossed = (first > height) != (second > height)
        self.edges = edges[crossed]
        self.share = ((height - first) / np.where(crossed, second - first, 1))[crossed]

    def girth(self, vertices):
        start, end = vertices[self.edges[:, 0]], vertices[self.edges[:, 1]]
        points = start + self.share[:, None] * (end - start)
        # Of a polygon scipy calls the circumference `area`.
        return ConvexHull(points[:, [0, 2]]).area


class BodyMeasures:
    """Measures bodies of one mesh."""

    names = ("height", *PLANES)

    def __init__(self, template, triangles, pelvis):
        edges = edges_of(triangles)
        self.loops = [Loop(template, edges, pelvis + height) for height in PLANES.values()]

    def __call__(self, bodies):
        """Height and girths [N, 4] of bodies [N, V, 3] in the T-pose, in metres."""
        return np.array([[np.ptp(body[:, 1]), *(loop.girth(body) for loop in self.loops)] for body in bodies])
