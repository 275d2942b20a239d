"""Composes one picture: a person, a camera, a light, a background, what stands in the way, and the crop.

The crop rule. The square crop around a person has a side of 1.25 times the larger side of the tight box around the
visible silhouette (the person with clothes and hair, inside the frame, not behind other things), and is centred on that
box. Training pictures then jitter it: side times U(0.75, 1.3), centre shifted by up to 8 % of the side along both axes,
and for 40 % of them turned in the plane by N(0, 15 degrees) cut at 40. Pixels outside the photograph are filled in. A *far*
picture shows one person as the search for the person in a whole photograph does, small or at a side: its side is 1 to 7
times that of the rule, the person anywhere in it. An *athletic* picture shows a pose of sports or gymnastics, more often
tilted, or from above or below.

A sample is labelled in the crop's own camera: its principal point is the crop's centre (128, 128), its focal length is in
crop pixels, and the root rotation and translation are in OpenCV axes, so u = focal X / Z + 128.
"""

import numpy as np
from PIL import Image, ImageDraw

from photographer import developing, dressing, native, poses
from photographer.assets import SPLITS
from smpl_maths import bone_transforms, pose_feature, rotations_of

SIZE = 256
SAMPLES = 2
MASK_SIZE = 128
BODY_MASK_SIZE = 64
BOX_MARGIN = 1.25
PREVIEW = 128
# How far behind the surface a joint lies at most when it is seen directly, metres: MPII order.
JOINT_DEPTH = np.array([.09, .10, .17, .17, .10, .09, .17, .17, .13, .12, .07, .08, .12, .12, .08, .07]) + 0.03
VISIBLE, HIDDEN, OUTSIDE = 2, 1, 0
TO_CAMERA_AXES = np.diag([1.0, -1.0, -1.0])


class crop_rejected(Exception):
    """The draw shows too little of the person."""


def random_heading(random):
    """Angle from facing the camera; people in photographs face it more often than not."""
    return random.uniform(-np.pi, np.pi) if random.uniform() < 0.45 else random.normal(0, 0.7)


def random_pitch(random, athletic=False):
    """Downward pitch of the camera in radians."""
    if random.uniform() < (0.3 if athletic else 0.12):
        return np.deg2rad(random.uniform(-35, 70))
    return np.deg2rad(np.clip(random.normal(6, 10), -15, 32))


class subject:
    """A shaped, posed and dressed person, turned to the camera but not yet placed."""

    def __init__(self, random, assets, to_camera, tilt, athletic=False):
        self.beta = np.clip(random.normal(0, 1.15, 10), -3, 3)
        self.theta = poses.random_pose(random, assets.motion, athletic)
        root = to_camera @ poses.about(1, random_heading(random)) @ tilt @ rotations_of(self.theta[0])
        self.theta[0] = poses.axis_angle_of(root)
        self.vertices = assets.human.shaped(self.beta, pose_feature(rotations_of(self.theta)))
        self.joints = assets.human.rest_joints(self.beta)
        maps, _ = self.transforms(np.zeros(3))
        self.layers = dressing.dressed(random, assets, self.vertices, maps, -to_camera[:, 1])

    def transforms(self, translation, turn=None):
        """Bone maps [24, 3, 4] into camera axes and the posed joints; `turn` is applied about the optical axis."""
        rotations = rotations_of(self.theta)
        maps, placed = bone_transforms(self.joints, rotations)
        maps[:, :, 3] += translation
        placed = placed + translation
        if turn is not None:
            maps, placed = turn @ maps, placed @ turn.T
        return maps, placed


def random_tilt(random, athletic=False):
    """A turn of the whole person: seldom any, sometimes slight; of athletes more often both."""
    kind = random.uniform() * (0.35 if athletic else 1)
    if kind < 0.06:
        axis = random.normal(size=3)
        return rotations_of(axis / np.linalg.norm(axis) * random.uniform(0, np.pi))
    if kind < 0.16:
        return rotations_of(random.normal(0, 0.35, 3))
    return np.eye(3)


def random_blob(random, centre, half):
    """Polygon [N, 2] of something that stands in the way."""
    kind = random.integers(3)
    angle = random.uniform(0, np.pi)
    if kind == 0:
        points = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
        angle *= random.uniform() < 0.5
    elif kind == 1:
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        points = np.c_[np.cos(around), np.sin(around)]
    else:
        points = np.array([[-6, -0.35], [6, -0.35], [6, 0.35], [-6, 0.35]])
        angle = random.choice([0, np.pi / 2, angle])
    c, s = np.cos(angle), np.sin(angle)
    return (points * half) @ np.array([[c, s], [-s, c]]) + centre


def filled_polygon(points, size):
    picture = Image.new("L", (size, size), 0)
    ImageDraw.Draw(picture).polygon([tuple(point) for point in points], fill=255)
    return np.array(picture)


def box_of(mask):
    """Left, top, right, bottom of a mask, in pixels; None where it is empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) == 0:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def random_frame_cut(random, box):
    """The photograph's edges (left, top, right, bottom) in preview pixels; mostly far outside."""
    frame = np.array([-1e4, -1e4, 1e4, 1e4])
    width, height = box[2] - box[0], box[3] - box[1]
    if random.uniform() < 0.2:
        side = random.choice(4, p=[0.15, 0.1, 0.15, 0.6])
        if side == 3:
            frame[3] = box[3] - height * random.uniform(0.08, 0.55)
        elif side == 1:
            frame[1] = box[1] + height * random.uniform(0.03, 0.2)
        else:
            cut = width * random.uniform(0.1, 0.4)
            frame[side] = box[0] + cut if side == 0 else box[2] - cut
    elif random.uniform() < 0.22:
        # The photograph ends close to the person without cutting.
        margin = random.uniform(0.0, 0.5, 4) * max(width, height)
        frame = box + margin * np.array([-1, -1, 1, 1])
    return frame


def neighbours(random, assets, to_camera, placed, distance):
    """Other people: (subject, translation) beside or behind, seldom in front."""
    people = []
    count = random.choice([0, 1, 2, 3], p=[0.78, 0.14, 0.05, 0.03])
    floor_axes, up = to_camera[:, [0, 2]], to_camera[:, 1]
    floor = (placed @ up).min()
    for _ in range(count):
        other = subject(random, assets, to_camera, np.eye(3))
        side = random.choice([-1, 1]) * random.uniform(0.45, 2.2)
        behind = -random.uniform(0.2, 0.6) if random.uniform() < 0.2 else random.uniform(0.1, 6)
        # World z points at the camera.
        offset = floor_axes @ np.array([side * (1 + max(behind, 0) / distance), -min(behind, 3 * distance)])
        # Their lowest joints stand on the same floor.
        translation = placed[0] + offset - other.joints[0]
        lowest = (other.transforms(translation)[1] @ up).min()
        people.append((other, translation + up * (floor - lowest)))
    return people


class composition:
    """All random decisions of one picture that need the person's outline: who, where, what hides them, which crop."""

    def __init__(self, random, assets, room, far=False, athletic=False):
        self.assets, self.room, self.far = assets, room, far
        self.to_camera = poses.about(0, random_pitch(random, athletic)) @ TO_CAMERA_AXES
        self.person = subject(random, assets, self.to_camera, random_tilt(random, athletic), athletic)
        distance = np.exp(random.uniform(np.log(2.2), np.log(9)) if random.uniform() < 0.65
                          else random.uniform(np.log(9), np.log(45)))
        _, placed = self.person.transforms(np.zeros(3))
        extent = np.ptp(placed[:, :2], axis=0).max() + 0.35
        middle = 0.5 * (placed.min(0) + placed.max(0))
        self.translation = np.array([-middle[0], -middle[1], distance - middle[2]])
        distance = max(distance, 0.6 + np.ptp(placed[:, 2]))
        self.translation[2] = distance - middle[2]
        self.focal = 0.8 * PREVIEW * distance / extent
        maps, placed = self.person.transforms(self.translation)
        self.others = [] if far else neighbours(random, assets, self.to_camera, placed, distance)
        whole = self.outline([(self.person.layers, maps, dressing.PERSON)])
        box = box_of(whole)
        if box is None:
            raise crop_rejected
        cut = random_frame_cut(random, box)
        self.frame = np.array([-1e4, -1e4, 1e4, 1e4]) if far and random.uniform() < 0.7 else cut
        visible = whole & self.inside_frame() & ~self.in_front(placed)
        self.blobs = self.random_blobs(random, box)
        for blob in self.blobs:
            visible &= filled_polygon(blob, PREVIEW) == 0
        if visible.sum() < 0.4 * whole.sum():
            raise crop_rejected
        self.choose_crop(random, box_of(visible), distance)

    def outline(self, people):
        meshes = dressing.mesh_list(people)
        return self.room.silhouette(meshes.records, self.focal, [PREVIEW / 2] * 2, PREVIEW)

    def in_front(self, placed):
        """Preview mask of the people that stand nearer than the person."""
        nearer = [(other.layers, other.transforms(t)[0], dressing.PERSON) for other, t in self.others
                  if (t + other.joints[0])[2] < placed[0, 2]]
        return self.outline(nearer) if nearer else np.zeros((PREVIEW, PREVIEW), bool)

    def inside_frame(self):
        centres = np.arange(PREVIEW) + 0.5
        across = (centres >= self.frame[0]) & (centres < self.frame[2])
        down = (centres >= self.frame[1]) & (centres < self.frame[3])
        return down[:, None] & across

    @staticmethod
    def random_blobs(random, box):
        size = box[2:] - box[:2]
        count = random.choice([0, 1, 2], p=[0.75, 0.18, 0.07])
        return [random_blob(random, box[:2] + size * random.uniform(-0.05, 1.05, 2),
                            size.max() * random.uniform(0.06, 0.22, 2)) for _ in range(count)]

    def choose_crop(self, random, box, distance):
        """Applies the crop rule and its jitter; the camera is then turned into the crop's own."""
        wider = np.exp(random.uniform(np.log(1.0), np.log(7))) if self.far else random.uniform(0.75, 1.3)
        size = box[2:] - box[:2]
        side = BOX_MARGIN * size.max() * wider
        shift = 0.5 - 0.5 * size / side if self.far else 0.08
        centre = 0.5 * (box[:2] + box[2:]) + random.uniform(-shift, shift, 2) * side
        roll = 0.0 if random.uniform() < 0.6 else np.clip(random.normal(0, np.deg2rad(15)), *np.deg2rad([-40, 40]))
        shift = (centre - PREVIEW / 2) * distance / self.focal
        self.translation = self.translation - [shift[0], shift[1], 0]
        self.others = [(other, t - [shift[0], shift[1], 0]) for other, t in self.others]
        self.scale = SIZE / side
        self.centre = centre
        self.focal *= self.scale
        self.turn = poses.about(2, roll)

    def to_crop(self, points):
        """Preview pixels [N, 2] to crop pixels."""
        return (np.asarray(points) - self.centre) * self.scale @ self.turn[:2, :2].T + SIZE / 2

    def frame_polygon(self):
        left, top, right, bottom = np.clip(self.frame, -4000, 4000)
        return self.to_crop([[left, top], [right, top], [right, bottom], [left, bottom]])


def random_light(random, assets, backdrop, world_to_camera, floor_point, floor_shadow):
    """A light record: the panorama's harmonics turned about the vertical, and a sun or lamp."""
    row = backdrop.light if backdrop.light >= 0 and random.uniform() < 0.7 else random.integers(len(assets.lights))
    harmonics = assets.lights[row].reshape(9, 3).copy()
    ambient = harmonics[0] @ dressing.LUMINANCE * 0.282095
    harmonics /= max(ambient, 1e-3)
    # Some panoramas are strongly tinted or lit from one side only; mix with their mean.
    harmonics[1:] *= random.uniform(0.3, 1.0)
    harmonics[0] = random.uniform(0.3, 1.0) * (harmonics[0] - harmonics[0].mean()) + harmonics[0].mean()
    strength = random.choice([0.0, random.uniform(0.3, 1.2), random.uniform(1.2, 3.5)], p=[0.2, 0.45, 0.35])
    elevation, azimuth = np.arcsin(random.uniform(0.1, 0.98)), random.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    warmth = random.normal(0, 0.08)
    to_light = poses.about(1, random.uniform(-np.pi, np.pi)) @ world_to_camera.T
    up = world_to_camera[:, 1]
    exposure = random.uniform(0.55, 1.35) / (1 + 0.45 * strength)
    return native.filled(native.light_record, harmonics=harmonics, to_light=to_light, sun=world_to_camera @ sun,
                         sun_colour=strength * np.array([1 + warmth, 1, 1 - warmth]), exposure=float(exposure),
                         floor_normal=up, floor_offset=float(up @ floor_point),
                         floor_shadow=float(floor_shadow * strength / (1 + strength)), shadow_size=320)


def joint_visibility(points, depth_of_joints, depth, blocked, in_frame):
    """VISIBLE, HIDDEN or OUTSIDE for 16 joints at crop pixels [16, 2]."""
    state = np.full(16, OUTSIDE, np.float32)
    for k, (x, y) in enumerate(points):
        column, row = int(np.floor(x)), int(np.floor(y))
        if not (0 <= column < SIZE and 0 <= row < SIZE) or not in_frame[row, column]:
            continue
        surface = depth[min(int(y * SAMPLES), SIZE * SAMPLES - 1), min(int(x * SAMPLES), SIZE * SAMPLES - 1)]
        seen = surface >= depth_of_joints[k] - JOINT_DEPTH[k] and not blocked[row, column]
        state[k] = VISIBLE if seen else HIDDEN
    return state


def area_averaged(mask, size):
    """[S, S] uint8 to [size, size] by averaging blocks."""
    return np.asarray(Image.fromarray(mask).reduce(len(mask) // size))


def photograph(random, assets, room, far=False, athletic=False):
    """One sample as a dictionary of arrays; see the module's head for the frame of its labels."""
    while True:
        try:
            plan = composition(random, assets, room, far, athletic)
            break
        except crop_rejected:
            continue
    turn = plan.turn
    maps, placed = plan.person.transforms(plan.translation, turn)
    people = [(plan.person.layers, maps, dressing.PERSON)]
    for other, translation in plan.others:
        people.append((other.layers, other.transforms(translation, turn)[0], dressing.SOMEBODY_ELSE))
    meshes = dressing.mesh_list(people)
    feet = room.pose(meshes.records[0])
    world_to_camera = turn @ plan.to_camera
    lowest = feet[(feet @ world_to_camera[:, 1]).argmin()]
    backdrop = assets.backdrops[random.integers(len(assets.backdrops))]
    floor_shadow = random.uniform(0.3, 0.9) if random.uniform() < 0.6 else 0.0
    light = random_light(random, assets, backdrop, world_to_camera, lowest, floor_shadow)
    drawn = room.draw(meshes.records, plan.focal, [SIZE / 2] * 2, SIZE, light, SAMPLES)

    blocked = np.zeros((SIZE, SIZE), np.uint8)
    covers = []
    for blob in plan.blobs:
        cover = filled_polygon(plan.to_crop(blob), SIZE)
        covers.append(cover)
        blocked = np.maximum(blocked, cover)
    in_frame = filled_polygon(plan.frame_polygon(), SIZE)
    picture = developing.composed(random, drawn, assets, backdrop, covers, in_frame)
    picture = developing.developed(random, picture)

    seen = np.minimum(np.where(blocked > 0, 0, drawn["person"]), in_frame)
    bare = dressing.mesh_list([(dressing.naked(assets, plan.person.vertices), maps, dressing.PERSON)])
    body = room.silhouette(bare.records, plan.focal, [SIZE / 2] * 2, SIZE)
    theta = plan.person.theta.copy()
    theta[0] = poses.axis_angle_of(turn @ rotations_of(theta[0]))
    joints = assets.human.labelled_joints(plan.person.beta, pose_feature(rotations_of(theta)), maps)
    points = joints[:, :2] / joints[:, 2:] * plan.focal + SIZE / 2
    state = joint_visibility(points, joints[:, 2], drawn["depth"], blocked > 0, in_frame > 0)
    pelvis = placed[0] - plan.person.joints[0]
    return dict(images=picture, joints=np.c_[points, state].astype(np.float32), mask=area_averaged(seen, MASK_SIZE),
                body_mask=area_averaged(body.astype(np.uint8) * 255, BODY_MASK_SIZE),
                theta=theta.reshape(72).astype(np.float32), beta=plan.person.beta.astype(np.float32),
                translation=pelvis.astype(np.float32), focal=np.float32(plan.focal))


def nobody(random, assets):
    """A sample that shows no person: a background, its things in the way, and labels that say that nothing is there."""
    backdrop = assets.backdrops[random.integers(len(assets.backdrops))]
    drawn = dict(colour=np.zeros((SIZE, SIZE, 4), np.uint8), shade=np.ones((SIZE, SIZE), np.float32))
    count = random.choice([0, 1, 2], p=[0.6, 0.25, 0.15])
    covers = [filled_polygon(random_blob(random, random.uniform(0, SIZE, 2), SIZE * random.uniform(0.05, 0.2, 2)), SIZE)
              for _ in range(count)]
    picture = developing.composed(random, drawn, assets, backdrop, covers, np.full((SIZE, SIZE), 255, np.uint8))
    return dict(images=developing.developed(random, picture), joints=np.zeros((16, 3), np.float32),
                mask=np.zeros((MASK_SIZE, MASK_SIZE), np.uint8), body_mask=np.zeros((BODY_MASK_SIZE, BODY_MASK_SIZE), np.uint8),
                theta=np.zeros(72, np.float32), beta=np.zeros(10, np.float32), translation=np.zeros(3, np.float32),
                focal=np.float32(0))


def sample(assets, room, split, seed, index, empty=False, **kind):
    """Sample `index` of a seed: the same whenever and wherever it is made; `kind` as for `photograph`."""
    random = np.random.default_rng([seed, SPLITS.index(split), index])
    return nobody(random, assets) if empty else photograph(random, assets, room, **kind)
