"""Chooses what people wear: garments, colours, patterns, hair, and sportswear painted onto the skin."""

import colorsys
from dataclasses import dataclass, field

import numpy as np

from photographer import developing, native, poses, tailoring
from photographer.assets import LOWER, UPPER, WAIST

LUMINANCE = np.array([0.299, 0.587, 0.114])
HAIR_COLOURS = np.array([[28, 22, 20], [20, 18, 18], [45, 32, 24], [66, 46, 32], [92, 66, 44], [120, 88, 56],
                         [168, 134, 88], [204, 176, 126], [112, 56, 32], [150, 148, 146], [212, 210, 206]]) / 255
PERSON, WORN, SOMEBODY_ELSE = 1, 2, 3


@dataclass
class layer:
    """One surface with its materials, ready to be posed."""
    surface: object
    rest: np.ndarray
    texture: np.ndarray
    triangles: np.ndarray
    corners: np.ndarray
    regions: np.ndarray
    materials: list
    paints: list = field(default_factory=list)
    see_through: bool = False
    worn: bool = False


class mesh_list:
    """Layers of one or more people as records for the darkroom; keeps the arrays alive."""

    def __init__(self, people):
        """`people`: list of (layers, transforms [24, 3, 4], label of the body or SOMEBODY_ELSE)."""
        self.kept = []
        records = [self.record(part, native.floats(transforms), label)
                   for layers, transforms, label in people for part in layers]
        self.records = (native.mesh_record * len(records))(*records)

    def record(self, part, transforms, label):
        materials = (native.material_record * len(part.materials))(*part.materials)
        paints = (native.paint_record * max(1, len(part.paints)))(*part.paints)
        surface = part.surface
        self.kept.append((part, transforms, materials, paints))
        f, i, b = native.c_float, native.c_int32, native.c_uint8
        to = native.pointer
        return native.mesh_record(
            to(part.rest, f), to(surface.pattern_position, f), to(surface.bones, b), to(surface.weights, f),
            to(transforms, f), to(part.triangles, i), to(part.corners, i), to(part.regions, b), to(surface.uv, f),
            to(part.texture, b), materials, paints, len(part.rest), surface.bones.shape[1], len(part.triangles),
            part.texture.shape[1], part.texture.shape[0], len(part.paints), int(part.see_through),
            WORN if part.worn and label == PERSON else label)


def cloth_colour(random):
    """An sRGB colour as clothes have them: many greys, whites and blues, and now and then anything."""
    kind = random.uniform()
    if kind < 0.22:
        return np.full(3, random.uniform(0.04, 0.25)) + random.uniform(-0.02, 0.02, 3)
    if kind < 0.38:
        return np.full(3, random.uniform(0.75, 0.97)) + random.uniform(-0.04, 0.03, 3)
    if kind < 0.48:
        return np.full(3, random.uniform(0.3, 0.7)) + random.uniform(-0.05, 0.05, 3)
    if kind < 0.62:
        return np.array(colorsys.hsv_to_rgb(random.uniform(0.55, 0.68), random.uniform(0.2, 0.85),
                                            random.uniform(0.15, 0.8)))
    return np.array(colorsys.hsv_to_rgb(random.uniform(), random.uniform(0.15, 1) ** 0.8, random.uniform(0.2, 1)))


def hue_turn(random):
    """A colour matrix [3, 4]: a turn about the grey axis, a change of saturation and of gain."""
    axis = np.ones(3) / np.sqrt(3)
    angle = random.uniform(-np.pi, np.pi)
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    saturation = random.uniform(0.4, 1.5)
    saturate = saturation * np.eye(3) + (1 - saturation) * LUMINANCE
    return np.c_[saturate @ turn * random.uniform(0.7, 1.4), np.full(3, random.uniform(-0.05, 0.08))]


def plain(colour, brightness, detail):
    """A colour matrix [3, 4] that keeps only the texture's light and dark; `detail` 0 flat .. 1 as in the texture."""
    detail = detail * min(1.0, brightness / 0.25)
    rows = np.outer(colour, LUMINANCE) * detail / max(brightness, 0.02)
    return np.c_[rows, colour * (1 - detail)]


def pattern(random, probability):
    """Fields of a material's procedural pattern."""
    if random.uniform() > probability:
        return dict(pattern=0)
    kind = int(random.choice([1, 2, 3, 4], p=[0.45, 0.25, 0.12, 0.18]))
    angle = random.choice([0, np.pi / 2, random.uniform(0, np.pi)], p=[0.45, 0.3, 0.25])
    per_metre = {1: random.uniform(8, 70), 2: random.uniform(8, 40), 3: random.uniform(15, 50),
                 4: random.uniform(8, 25)}[kind]
    along = np.array([np.sin(angle), np.cos(angle), 0.0])
    across = np.array([np.cos(angle), -np.sin(angle), 0.3])
    duty = random.uniform(0.42, 0.56) if kind == 4 else random.uniform(0.2, 0.6)
    return dict(pattern=kind, pattern_axes=np.r_[along, across] * per_metre, pattern_phase=random.uniform(0, 1, 2),
                pattern_duty=float(duty), pattern_colour=cloth_colour(random).clip(0.02, 1),
                pattern_mix=float(random.uniform(0.5, 0.95)))


def material(colour, specular=0.0, shininess=20.0, **pattern_fields):
    fields = dict(pattern=0) | pattern_fields
    return native.filled(native.material_record, colour=colour, specular=float(specular), shininess=float(shininess),
                         **fields)


def cloth(random, brightness, pattern_probability):
    """A material for a garment whose texture has the given mean luminance."""
    kind = random.uniform()
    shine = random.choice([0.0, 0.02, 0.15], p=[0.6, 0.3, 0.1])
    if kind < 0.2:
        matrix = np.eye(3, 4)
    elif kind < 0.4:
        matrix = hue_turn(random)
    else:
        matrix = plain(cloth_colour(random).clip(0.02, 1), brightness, random.uniform(0.3, 0.9))
    return material(matrix, shine, random.uniform(8, 40), **pattern(random, pattern_probability))


def garment_layer(piece, body_vertices, materials, faces=slice(None), see_through=False):
    return layer(piece, piece.fit(body_vertices), piece.texture, np.ascontiguousarray(piece.triangles[faces]),
                 np.ascontiguousarray(piece.corners[faces]), np.ascontiguousarray(piece.regions[faces]), materials,
                 see_through=see_through, worn=True)


def paint(low, high, index, neck_slope=0.0, inflation=0.0):
    return native.filled(native.paint_record, low=low, high=high, material=index, neck_slope=float(neck_slope),
                         inflation=float(inflation))


def painted_top(random, index):
    """A paint for a top, in metres on the template: the chest ends at y 0.45, arms begin at |x| 0.17."""
    kind = random.choice(["shirt", "sleeveless", "sport_top", "long"], p=[0.42, 0.23, 0.15, 0.2])
    sleeve = {"shirt": random.uniform(0.24, 0.42), "sleeveless": random.uniform(0.135, 0.18),
              "sport_top": random.uniform(0.12, 0.16), "long": random.uniform(0.6, 0.68)}[kind]
    hem = random.uniform(0.13, 0.21) if kind == "sport_top" else random.uniform(-0.1, 0.08)
    neck = random.uniform(0.33, 0.43)
    loose = random.choice([0.0, random.uniform(0.003, 0.014)]) if kind != "sport_top" else 0.0
    return paint([0, hem, -1], [sleeve, neck, 1], index, random.uniform(0.2, 1.0), loose)


def painted_bottom(random, index):
    kind = random.choice(["briefs", "shorts", "knee", "leggings"], p=[0.12, 0.36, 0.2, 0.32])
    end = {"briefs": random.uniform(-0.13, -0.09), "shorts": random.uniform(-0.3, -0.14),
           "knee": random.uniform(-0.5, -0.3), "leggings": random.uniform(-0.88, -0.6)}[kind]
    loose = {"briefs": 0.0, "shorts": random.uniform(0, 0.022), "knee": random.uniform(0, 0.02),
             "leggings": random.choice([0.0, random.uniform(0, 0.012)])}[kind]
    return paint([0, end, -1], [0.35, random.uniform(0.02, 0.12), 1], index, 0.0, loose)


def skin_material(random):
    """Skin as in the texture, a little lighter or darker, a little redder or paler."""
    gains = random.uniform(0.82, 1.12) * random.uniform(0.96, 1.04, 3)
    return material(np.c_[np.diag(gains), np.zeros(3)], random.uniform(0.0, 0.12), random.uniform(8, 30))


def sportswear(random):
    """Materials and paints of clothes painted onto the skin."""
    flat = [plain(cloth_colour(random).clip(0.02, 1), 0.5, 0.0) for _ in range(3)]
    materials = [material(flat[0], 0.05, 15, **pattern(random, 0.35)),
                 material(flat[1], 0.05, 15, **pattern(random, 0.12)), material(flat[2])]
    top, bottom = painted_top(random, 1), painted_bottom(random, 2)
    kind = random.uniform()
    if kind < 0.15:
        paints = [bottom]
    elif kind < 0.27:
        bottom.material = 1
        bottom.high[1] = top.low[1] + 0.01
        bottom.low[0] = 0
        paints = [bottom, top]
        if top.low[1] < bottom.low[1]:
            top.low[1] = bottom.low[1]
    else:
        paints = [bottom, top] if random.uniform() < 0.75 else [top, bottom]
    if random.uniform() < 0.4:
        paints.append(paint([0, -2, -1], [0.35, random.uniform(-0.86, -0.7), 1], 3))
    return materials, paints


def loose_top(random, index, low):
    """A paint for the upper part of a coat, dress or sweater, off the body."""
    sleeve = random.choice([random.uniform(0.6, 0.68), random.uniform(0.24, 0.5)], p=[0.75, 0.25])
    return paint([0, low, -1], [sleeve, random.uniform(0.38, 0.45), 1], index, random.uniform(0.1, 0.6),
                 random.uniform(0.008, 0.03))


def photographed(random, assets):
    """A texture [128, 128, 4] cut from a backdrop."""
    picture = assets.backdrops[random.integers(len(assets.backdrops))].picture
    return np.dstack([developing.random_crop(random, picture, 128).astype(np.uint8), np.full((128, 128), 255, np.uint8)])


def sewn_layer(piece, piece_material):
    return layer(piece, piece.rest, piece.texture, piece.triangles, piece.corners, piece.regions, [piece_material],
                 worn=True)


def loose_cloth(random, colour):
    """The material of a loose garment of one colour, and the same for the part that is painted onto the skin."""
    fields = pattern(random, 0.35)
    shine = random.choice([0.0, 0.02, 0.12], p=[0.6, 0.3, 0.1])
    return material(plain(colour, 0.5, 0.0), shine, 20, **fields)


def loose_layers(random, assets, vertices, kind, same):
    """Skirt, dress, coat or wide trousers as layers; `same` is the material of their painted part."""
    tailor, texture = assets.tailor, tailoring.WHITE
    cover = same
    if random.uniform() < 0.15 and kind in ("skirt", "trousers"):
        texture, cover = photographed(random, assets), material(np.eye(3, 4))
    if kind == "skirt":
        pieces = [tailor.skirt(random, vertices, random.uniform(-0.02, 0.12), random.uniform(-0.8, -0.2),
                               random.uniform(0.004, 0.02), random.uniform(0.01, 0.2), texture)]
    elif kind == "dress":
        pieces = [tailor.skirt(random, vertices, random.uniform(0.2, 0.3), random.uniform(-0.8, -0.2),
                               random.uniform(0.008, 0.03), random.uniform(0.01, 0.18), texture)]
    elif kind == "coat":
        opening = random.choice([0.0, random.uniform(0.2, 1.2), random.uniform(1.2, 2.6)], p=[0.35, 0.35, 0.3])
        pieces = [tailor.skirt(random, vertices, random.uniform(0.24, 0.32), random.uniform(-0.65, -0.05),
                               random.uniform(0.02, 0.05), random.uniform(0.0, 0.1), texture, opening)]
    else:
        hem = random.choice([random.uniform(-0.83, -0.7), random.uniform(-0.6, -0.3)], p=[0.7, 0.3])
        pieces = tailor.trouser_legs(random, vertices, hem, random.uniform(0.004, 0.03), random.uniform(0, 0.07), texture)
    return [sewn_layer(piece, cover) for piece in pieces]


def carried(random, assets, vertices, maps, down):
    """Layers of a bag: hanging from a hand, at the hip on a strap, or on the back."""
    kind = random.choice(["hand", "hip", "back"], p=[0.4, 0.35, 0.25])
    side = random.choice([-1, 1])
    size = random.uniform([0.06, 0.12, 0.1], [0.16, 0.36, 0.4])
    box = tailoring.rounded_box(random, size, random.uniform(0.35, 0.9))
    colour = cloth_colour(random).clip(0.02, 1)
    bag_material = material(plain(colour, 0.5, 0.0), random.choice([0.0, 0.15]), 20, **pattern(random, 0.15))
    texture = tailoring.WHITE
    if random.uniform() < 0.15:
        texture, bag_material = photographed(random, assets), material(np.eye(3, 4))
    if kind == "hand":
        bone = 22 if side > 0 else 23
        hand = vertices[:13380][assets.human.skin.bones[:, 0] == bone].mean(0)
        turn, shift = maps[bone][:, :3], maps[bone][:, 3]
        # It hangs straight down from the posed hand, whatever way the hand is turned.
        ahead = np.cross(down, maps[0][:, 0])
        ahead /= max(np.linalg.norm(ahead), 1e-6)
        hanging = np.stack([np.cross(ahead, down), -down, ahead], 1) @ poses.about(1, random.uniform(-0.7, 0.7))
        centre = turn @ hand + shift + down * (0.5 * size[1] + random.uniform(0.0, 0.2))
        posed = box @ hanging.T + centre
        return [sewn_layer(tailoring.rigid("bag", (posed - shift) @ turn, bone, texture), bag_material)]
    if kind == "back":
        box = box[..., [2, 1, 0]] * np.array([0.9, 1.25, 1.4])
        behind = vertices[assets.tailor.trunk, 2].min() - 0.5 * np.ptp(box[..., 2]) + 0.02
        return [sewn_layer(tailoring.rigid("bag", box + [0, random.uniform(0.16, 0.3), behind], 9, texture), bag_material),
                sewn_layer(assets.tailor.strap(vertices, side, 0.04), bag_material)]
    beside = assets.tailor.beside(vertices, -0.05, side) + side * 0.4 * size[0]
    centre = [beside, random.uniform(-0.2, 0.05), random.uniform(-0.08, 0.1)]
    layers = [sewn_layer(tailoring.rigid("bag", box + centre, 0, texture), bag_material)]
    if random.uniform() < 0.75:
        layers.append(sewn_layer(assets.tailor.strap(vertices, side, random.uniform(0.012, 0.05)), bag_material))
    return layers


def suit_layers(random, assets, vertices, covered, wants_upper, wants_lower):
    """MakeHuman outfits, upper and lower part perhaps of two; marks in `covered` what they hide of the skin."""
    one, two = assets.suits[random.integers(len(assets.suits))], assets.suits[random.integers(len(assets.suits))]
    mixed = random.uniform() < 0.6 or not (wants_upper and wants_lower)
    upper, lower = one, two if mixed else one
    suit_materials = [cloth(random, one.brightness[UPPER], 0.4), cloth(random, two.brightness[LOWER], 0.12)]
    layers, height = [], assets.human.template[:13380, 1]
    if not mixed:
        layers.append(garment_layer(one, vertices, suit_materials))
        covered |= one.hidden
    else:
        for piece, region, wanted in ((lower, LOWER, wants_lower), (upper, UPPER, wants_upper)):
            faces = piece.regions == region
            if wanted and faces.any():
                layers.append(garment_layer(piece, vertices, suit_materials, faces))
                low, high = piece.reach[region]
                covered |= piece.hidden & (height > low + 0.03) & (height < high - 0.03)
    if layers and random.uniform() < 0.15:
        stamp = random.uniform([0.02, 0.15], [0.12, 0.3])
        suit_materials.append(material(plain(cloth_colour(random).clip(0, 1), 0.5, 0.0), **pattern(random, 0.5)))
        layers[-1].paints.append(paint([0, stamp[1], 0], [stamp[0], stamp[1] + random.uniform(0.04, 0.14), 1],
                                       len(suit_materials) - 1))
    return layers


def dressed(random, assets, vertices, maps, down):
    """Layers of one person: body first. `vertices` [19158, 3] is the shaped rest pose, `maps` [24, 3, 4] its bones in
    camera axes without translation, `down` the direction of gravity there."""
    covered = np.zeros(13380, bool)
    materials, paints, layers = [skin_material(random)], [], []
    in_suit = random.uniform() < 0.55 and bool(assets.suits)
    loose = random.choice(["none", "skirt", "dress", "coat", "trousers", "sweater"],
                          p=[0.44, 0.11, 0.1, 0.16, 0.1, 0.09])
    over_top, over_legs = loose in ("dress", "coat", "sweater"), loose in ("skirt", "dress", "trousers")
    added, painted = sportswear(random)
    if in_suit:
        wants_upper, wants_lower = (True, True) if random.uniform() < 0.86 else (random.uniform() < 0.4,) * 2
        wants_upper, wants_lower = wants_upper and not over_top, (wants_lower or not wants_upper) and not over_legs
        layers = suit_layers(random, assets, vertices, covered, wants_upper, wants_lower)
        worn_regions = {int(region) for part in layers for region in np.unique(part.regions)}
        # Painted shorts close the gap where two garments do not meet; a painted top stands in for a missing one.
        bottom = painted_bottom(random, 2)
        bottom.inflation = 0.0
        painted = [bottom]
        if UPPER not in worn_regions and random.uniform() < 0.6:
            painted.append(painted_top(random, 1))
        elif UPPER in worn_regions:
            painted.append(paint([0, WAIST - 0.1, -1], [0.16, WAIST + 0.2, 1], 1))
    materials += added
    paints += painted
    if loose != "none":
        same = loose_cloth(random, cloth_colour(random).clip(0.02, 1))
        if over_top:
            materials.append(same)
            paints.append(loose_top(random, len(materials) - 1, random.uniform(-0.1, 0.05) if loose == "sweater" else 0.15))
        if loose != "sweater":
            layers += loose_layers(random, assets, vertices, loose, same)
    if random.uniform() < 0.06:
        layers.append(sewn_layer(assets.tailor.scarf(random, vertices, random.uniform(0.02, 0.045)),
                                 loose_cloth(random, cloth_colour(random).clip(0.02, 1))))
    if random.uniform() < 0.2:
        layers += carried(random, assets, vertices, maps, down)
    if random.uniform() < (0.92 if in_suit else 0.65):
        shoes = assets.shoes[random.integers(len(assets.shoes))]
        layers.append(garment_layer(shoes, vertices, [cloth(random, shoes.brightness.max(), 0.0)] * 2))
        covered |= shoes.hidden
    layers += headwear(random, assets, vertices, materials, paints)
    skin = assets.human.skin
    faces = ~covered[skin.triangles].all(1)
    body = layer(skin, native.floats(vertices[:13380]), assets.skins[random.integers(len(assets.skins))],
                 np.ascontiguousarray(skin.triangles[faces]), np.ascontiguousarray(skin.corners[faces]),
                 np.ascontiguousarray(skin.regions[faces]), materials, paints)
    return [body] + layers


def headwear(random, assets, vertices, materials, paints):
    """Layers of a hat or hair; a cap is painted onto the head instead."""
    kind = random.uniform()
    if kind < 0.05:
        piece = assets.hats[0]
        return [garment_layer(piece, vertices, [cloth(random, piece.brightness[UPPER], 0.1)] * 2)]
    if kind < 0.11:
        materials.append(loose_cloth(random, cloth_colour(random).clip(0.02, 1)))
        paints.append(paint([0, random.uniform(0.6, 0.64), -1], [0.2, 2, 1], len(materials) - 1, 0.0,
                            random.uniform(0.008, 0.02)))
        return []
    if kind < 0.19:
        return []
    piece = assets.hair[random.integers(len(assets.hair))]
    colour = HAIR_COLOURS[random.integers(len(HAIR_COLOURS))] * random.uniform(0.8, 1.2)
    matrix = np.eye(3, 4) if random.uniform() < 0.3 else plain(colour, piece.brightness[UPPER], 0.8)
    return [garment_layer(piece, vertices, [material(matrix, random.uniform(0, 0.15), 12)] * 2, see_through=True)]


def naked(assets, vertices):
    """The whole body without clothes, for its silhouette."""
    skin = assets.human.skin
    return [layer(skin, native.floats(vertices[:13380]), assets.skins[0], skin.triangles, skin.corners, skin.regions,
                  [material(np.eye(3, 4))])]
