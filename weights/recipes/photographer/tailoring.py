"""Cuts loose garments to a shaped body: skirts, coats, wide trousers, scarves, bags and their straps.

MakeHuman's clothes follow the skin closely. These stand off from it: rings are laid around the convex outline of the
body at each height of its rest pose and widened from there. They follow the bones as the thighs they hang over.
"""

from dataclasses import dataclass

import numpy as np

from photographer import native
from photographer.surface import INFLUENCES, surface

ANGLES = 40
STEP = 0.02
PELVIS, LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, CHEST, NECK = 0, 1, 2, 4, 5, 9, 12
ARMS = [13, 14, 16, 17, 18, 19, 20, 21, 22, 23]
HEAD_AND_FEET = [7, 8, 10, 11, 15]
# Direction of column a of a ring: column 0 at the back, ANGLES / 2 in front (z), growing towards the person's left (x).
TURN = 2 * np.pi * np.arange(ANGLES) / ANGLES
DIRECTIONS = np.stack([np.sin(TURN), -np.cos(TURN)])
TANGENTS = np.stack([np.cos(TURN), np.sin(TURN)])


@dataclass
class tailored(surface):
    """A garment cut for one body: its rest vertices need no fitting."""
    texture: np.ndarray
    rest: np.ndarray


def smooth_step(value):
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)


class outline:
    """Convex outlines of a part of the body at many heights."""

    def __init__(self, template, usable, top, bottom):
        self.heights = np.arange(top, bottom, -STEP)
        rows = [np.flatnonzero(usable & (np.abs(template[:, 1] - y) < 0.75 * STEP + 0.006)) for y in self.heights]
        enough = [len(row) > 5 for row in rows]
        self.heights = self.heights[enough]
        rows = [row for row in rows if len(row) > 5]
        self.members = np.concatenate(rows)
        self.starts = np.cumsum([0] + [len(row) for row in rows[:-1]])
        self.counts = np.array([len(row) for row in rows])

    def of(self, vertices):
        """Centres [R, 2] in (x, z), and how far the body reaches from them in each direction [R, ANGLES]."""
        flat = vertices[self.members][:, [0, 2]]
        low = np.minimum.reduceat(flat, self.starts)
        high = np.maximum.reduceat(flat, self.starts)
        centres = 0.5 * (low + high)
        reach = (flat - np.repeat(centres, self.counts, 0)) @ DIRECTIONS
        return centres, np.maximum.reduceat(reach, self.starts)


def hull_points(centres, reach):
    """Points [R, ANGLES, 2] of the convex curve that has the support `reach`: h u + h' u'."""
    slope = (np.roll(reach, -1, 1) - np.roll(reach, 1, 1)) * (ANGLES / (4 * np.pi))
    return centres[:, None] + reach[..., None] * DIRECTIONS.T + slope[..., None] * TANGENTS.T


def quilted(points, missing=None):
    """Triangles, their corners in the texture and its coordinates, of rows of points that close rings."""
    rows, columns = points.shape[:2]
    quads = np.stack(np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij"), -1)
    if missing is not None:
        quads = quads[~missing[:-1]]
    row, column = quads.reshape(-1, 2).T
    after = (column + 1) % columns

    def cut(width, right):
        a, b = row * width + column, row * width + right
        return np.concatenate([np.stack([a, a + width, b], 1), np.stack([b, a + width, b + width], 1)])

    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(1, 0, rows))
    triangles, corners = cut(columns, after), cut(columns + 1, column + 1)
    return (np.ascontiguousarray(triangles, np.int32), np.ascontiguousarray(corners, np.int32),
            native.floats(np.stack([u, v], -1).reshape(-1, 2)))


def sewn(name, points, bones, weights, texture, missing=None):
    """A garment of a grid of points [R, C, 3]; `bones` and `weights` [R, C, <= INFLUENCES]; faces from
    a point that is `missing` [R, C] on are left out."""
    triangles, corners, uv = quilted(points, missing)
    rest = native.floats(points.reshape(-1, 3))
    shares = np.zeros((len(rest), INFLUENCES), np.float32)
    names = np.zeros((len(rest), INFLUENCES), np.uint8)
    shares[:, :weights.shape[-1]] = weights.reshape(len(rest), -1)
    names[:, :weights.shape[-1]] = np.broadcast_to(bones, weights.shape).reshape(len(rest), -1)
    shares /= shares.sum(1, keepdims=True)
    return tailored(name, rest, names, shares, triangles, corners, np.zeros(len(triangles), np.uint8), uv, texture, rest)


def rigid(name, points, bone, texture):
    """A garment that follows one bone."""
    return sewn(name, points, bone, np.ones(points.shape[:2] + (1,)), texture)


WHITE = np.full((2, 2, 4), 255, np.uint8)


class tailor:
    """Measures prepared once for the template; every method cuts for one shaped body."""

    def __init__(self, template, all_weights):
        template, weights = template[:13380], all_weights[:13380]
        arms, ends = weights[:, ARMS].sum(1) > 0.5, weights[:, HEAD_AND_FEET].sum(1) > 0.5
        self.around = outline(template, ~arms & ~ends, 0.40, -0.84)
        self.legs = {sign: outline(template, ~arms & ~ends & (sign * template[:, 0] > 0), -0.10, -0.84)
                     for sign in (1, -1)}
        self.neck = outline(template, ~arms, 0.53, 0.44)
        self.trunk = np.flatnonzero(~arms & ~ends & (template[:, 1] > -0.1))
        self.thigh = float(np.mean(template[weights[:, LEFT_HIP] > 0.9, 0]))
        self.knee = -0.44

    def spread(self, height, x):
        """Bones and weights of cloth at given rest heights and sides: chest, pelvis, thighs, and a little of the shins."""
        bones = np.array([PELVIS, LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE])
        left = smooth_step(0.5 + 0.5 * x / (1.1 * self.thigh))
        hanging = smooth_step((0.06 - height) / 0.26)
        shin = 0.75 * smooth_step((self.knee + 0.04 - height) / 0.3)
        return bones, np.stack([1 - hanging, hanging * left * (1 - shin), hanging * (1 - left) * (1 - shin),
                                hanging * left * shin, hanging * (1 - left) * shin], -1)

    def skirt(self, random, vertices, top, hem, ease, flare, texture=WHITE, opening=0.0):
        """Cloth all around from `top` to `hem` (rest heights): `ease` metres off the body, `flare` metres wider at the
        hem, `opening` the angle in radians that stands open in front of the hem."""
        centres, reach = self.around.of(vertices)
        heights = self.around.heights
        kept = (heights <= top) & (heights >= hem)
        centres, reach, heights = centres[kept], reach[kept], heights[kept]
        along = (heights[0] - heights) / max(heights[0] - heights[-1], STEP)
        # Cloth falls straight from where the body is widest instead of following it inwards.
        fall = random.uniform(0.4, 1.0)
        widest = np.maximum.accumulate(np.where(heights[:, None] < 0.1, reach, 0), 0)
        reach = np.where(heights[:, None] < 0.1, (1 - fall) * reach + fall * widest, reach)
        folds = random.integers(3, 12)
        wave = np.cos(folds * TURN + random.uniform(0, 6.3)) * min(0.35 * flare + 0.004, 0.02)
        reach = reach + ease + flare * along[:, None] ** random.uniform(0.8, 1.6)
        points = hull_points(centres, reach) + (along[:, None] * wave)[..., None] * DIRECTIONS.T
        points = np.stack([points[..., 0], np.broadcast_to(heights[:, None], points.shape[:2]), points[..., 1]], -1)
        bones, weights = self.spread(points[..., 1], points[..., 0])
        chest = smooth_step((points[..., 1] - 0.08) / 0.2)[..., None]
        weights = weights * (1 - chest)
        # No row reaches the shins and the chest at once, so the shins' place serves for the chest above the waist.
        upper = points[..., 1] > 0
        weights[..., 3] = np.where(upper, chest[..., 0], weights[..., 3])
        bones = np.where(upper[..., None], [PELVIS, LEFT_HIP, RIGHT_HIP, CHEST, RIGHT_KNEE], bones)
        missing = None
        if opening > 0:
            front = np.abs(np.arange(ANGLES) + 0.5 - ANGLES / 2) * (2 * np.pi / ANGLES)
            missing = front < 0.5 * opening * np.clip(0.35 + along, 0, 1)[:, None]
        return sewn("skirt", points, bones, weights, texture, missing=missing)

    def trouser_legs(self, random, vertices, hem, ease, flare, texture=WHITE):
        """Two wide legs."""
        legs = []
        for sign, hip, knee in ((1, LEFT_HIP, LEFT_KNEE), (-1, RIGHT_HIP, RIGHT_KNEE)):
            centres, reach = self.legs[sign].of(vertices)
            heights = self.legs[sign].heights
            kept = heights >= hem
            centres, reach, heights = centres[kept], reach[kept], heights[kept]
            along = (heights[0] - heights) / (heights[0] - heights[-1])
            thickest = reach[2:5].mean(0)
            straight = random.uniform(0.2, 0.9) * smooth_step(along * 3)[:, None]
            reach = reach + straight * np.maximum(0, 0.85 * thickest - reach)
            reach = reach + ease * smooth_step(0.3 + 3 * along)[:, None] + flare * along[:, None] ** 2
            points = hull_points(centres, reach)
            points = np.stack([points[..., 0], np.broadcast_to(heights[:, None], points.shape[:2]), points[..., 1]], -1)
            shin = smooth_step((self.knee + 0.05 - points[..., 1]) / 0.1)
            pelvis = 0.5 * smooth_step((points[..., 1] + 0.14) / 0.06)
            weights = np.stack([pelvis, (1 - pelvis) * (1 - shin), (1 - pelvis) * shin], -1)
            legs.append(sewn("trouser leg", points, np.array([PELVIS, hip, knee]), weights, texture))
        return legs

    def scarf(self, random, vertices, thickness, texture=WHITE):
        """A thick ring around the neck."""
        centres, reach = self.neck.of(vertices)
        reach = reach.min(0, keepdims=True) + thickness
        ring = hull_points(centres.mean(0, keepdims=True), np.minimum(reach, 0.09 + thickness))[0]
        turn = np.linspace(0, 2 * np.pi, 9)
        across, up = np.cos(turn)[:, None] * thickness, np.sin(turn)[:, None] * thickness * random.uniform(1, 1.8)
        uneven = 1 + 0.25 * np.sin(random.integers(2, 5) * TURN + random.uniform(0, 6.3))
        flat = ring + (across * uneven)[..., None] * DIRECTIONS.T
        height = random.uniform(0.44, 0.48) + up * uneven + 0 * across
        points = np.stack([flat[..., 0], height, flat[..., 1]], -1)
        return sewn("scarf", points, np.array([CHEST, NECK]), np.full(points.shape[:2] + (2,), 0.5), texture)

    def strap(self, vertices, side, width, texture=WHITE):
        """A band over one shoulder and around the other hip; `side` is 1 where the hip is the left one."""
        shoulder, hip = np.array([-0.10 * side, 0.43]), np.array([0.16 * side, 0.02])
        down = (hip - shoulder) / np.linalg.norm(hip - shoulder)
        across = np.array([-down[1], down[0]])
        members = vertices[self.trunk]
        members = members[np.abs((members[:, :2] - shoulder) @ across) < 0.025]
        flat = np.stack([(members[:, :2] - shoulder) @ down, members[:, 2]], 1)
        centre = 0.5 * (flat.min(0) + flat.max(0))
        loop = hull_points(centre[None], ((flat - centre) @ DIRECTIONS).max(0)[None] + 0.008)[0]
        edges = np.linspace(-0.5, 0.5, 3)[:, None, None] * width * across
        sides = shoulder + loop[:, :1] * down + edges
        points = np.concatenate([sides, np.broadcast_to(loop[:, 1:], sides.shape[:2] + (1,))], -1)
        chest = smooth_step((points[..., 1] - 0.02) / 0.28)
        return sewn("strap", points, np.array([CHEST, PELVIS]), np.stack([chest, 1 - chest], -1), texture)

    def beside(self, vertices, height, side):
        """How far the body reaches to a side (1 left, -1 right) at a rest height, metres from its middle plane."""
        centres, reach = self.around.of(vertices)
        row = np.abs(self.around.heights - height).argmin()
        return side * (centres[row, 0] + side * reach[row, ANGLES // 4 if side > 0 else 3 * ANGLES // 4])


def rounded_box(random, size, squareness):
    """Points [R, C, 3] of a box with round edges, `size` metres along x, y, z, about the origin."""
    polar, turn = np.linspace(0, np.pi, 13)[:, None], np.linspace(0, 2 * np.pi, 25)[None, :-1]

    def power(value):
        return np.sign(value) * np.abs(value) ** squareness

    points = np.stack([power(np.sin(polar)) * power(np.cos(turn)), power(np.cos(polar)) + 0 * turn,
                       power(np.sin(polar)) * power(np.sin(turn))], -1)
    sag = 1 + random.uniform(-0.25, 0.25) * points[..., 1:2]
    return 0.5 * np.asarray(size) * points * np.concatenate([sag, np.ones_like(sag), sag], -1)
