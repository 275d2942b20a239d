"""Bodies in the kept poses, seen by random cameras and cropped: joints in a crop with the pose that they came from."""
import numpy as np
import torch

from picture_pool import MIRRORED_JOINTS, PicturePool
from photographer.poses import mirrored
from poses import camera_turns
from smpl_maths import rotations_of

# Joints further outside the crop than this are not told apart: nobody can see them.
FAR = 1.5


class PosedBodies:
    """Poses [n, 24, 3] on random shapes, prepared once: each call only turns, projects and crops them."""

    def __init__(self, poses, body, seed):
        random = torch.Generator().manual_seed(seed)
        self.rotations = torch.from_numpy(rotations_of(poses.astype(np.float64)).astype(np.float32))
        self.beta = (1.15 * torch.randn(len(poses), 10, generator=random)).clamp(-3, 3)
        upright = self.rotations.clone()
        upright[:, 0] = torch.eye(3)
        # The photographer's camera turns the whole person about the pelvis.
        self.points, self.pelvis = [], []
        with torch.no_grad():
            for rows in torch.arange(len(poses)).split(512):
                vertices, joints = body(upright[rows], self.beta[rows])
                self.points.append(torch.cat([vertices, body.mpii_joints(vertices)], 1) - joints[:, :1])
                self.pelvis.append(joints[:, 0])
        self.points, self.pelvis = torch.cat(self.points), torch.cat(self.pelvis)

    def __len__(self):
        return len(self.beta)

    def seen(self, rows, numpy_random, random):
        """A dictionary of rotations [B, 24, 3, 3], beta, vertices (body frame's origin, camera axes), the joints
        [B, 16, 2] in the crop and whether each can be seen there."""
        rotations = self.rotations[rows]
        turn = torch.from_numpy(camera_turns(len(rows), numpy_random).astype(np.float32)) @ rotations[:, 0]
        points = self.points[rows] @ turn.transpose(1, 2)
        rotations = torch.cat([turn[:, None], rotations[:, 1:]], 1)
        vertices, joints = points[:, :-16], points[:, -16:]
        crop, visible = cropped(vertices, joints, random)
        return dict(rotations=rotations, beta=self.beta[rows], vertices=vertices + self.pelvis[rows, None],
                    crop=crop, visible=visible)


def cropped(vertices, joints, random):
    """Joints [B, 16, 2] in [-1, 1] of a square crop as the photographer's (scene.py), and whether they are inside.

    The crop's side is 1.25 times the larger side of the visible box, jittered; one picture in five is cut by the
    photograph's edge.
    """
    batch = len(vertices)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(batch, *shape, generator=random)

    low, high = vertices.amin(1), vertices.amax(1)
    near = torch.rand(batch, generator=random) < 0.65
    distance = torch.exp(torch.where(near, uniform(np.log(2.2), np.log(9)), uniform(np.log(9), np.log(45))))
    distance = torch.maximum(distance, 0.6 + high[:, 2] - low[:, 2])
    centre = (low + high) / 2
    eye = torch.stack([centre[:, 0], centre[:, 1], centre[:, 2] - distance], 1)[:, None]
    corners, points = vertices - eye, joints - eye
    corners, points = corners[..., :2] / corners[..., 2:], points[..., :2] / points[..., 2:]
    low, high = corners.amin(1), corners.amax(1)
    size = high - low

    side = torch.multinomial(torch.tensor([0.15, 0.1, 0.15, 0.6]), batch, replacement=True, generator=random)
    cut = torch.rand(batch, generator=random) < 0.2
    share = torch.where(side == 3, uniform(0.08, 0.55), torch.where(side == 1, uniform(0.03, 0.2), uniform(0.1, 0.4)))
    frame = torch.stack([low[:, 0] + share * size[:, 0], low[:, 1] + share * size[:, 1],
                         high[:, 0] - share * size[:, 0], high[:, 1] - share * size[:, 1]], 1)
    cuts = cut[:, None] & (torch.arange(4) == side[:, None])
    frame = torch.where(cuts, frame, torch.tensor([-1e4, -1e4, 1e4, 1e4]))
    inside = ((points >= frame[:, None, :2]) & (points < frame[:, None, 2:])).all(-1)
    low, high = torch.maximum(low, frame[:, :2]), torch.minimum(high, frame[:, 2:])

    scale = 1.25 * (high - low).amax(1) * uniform(0.75, 1.3)
    middle = (low + high) / 2 + scale[:, None] * uniform(-0.08, 0.08, 2)
    points = (points - middle[:, None]) / (scale / 2)[:, None, None]
    return points, inside & (points.abs() < 1).all(-1)


class Seen:
    """What Human2D saw in pools of pictures (`observe.py`), with the truth; each picture and its mirror image."""

    def __init__(self, folders):
        joints, truth, visible, theta, beta = [], [], [], [], []
        self.research = False  # whether a Human2D saw them that knows photographs for research only
        for folder in folders:
            pool = PicturePool(folder)
            path = pool.folder / "observed.npz"
            if not path.exists():
                raise SystemExit(f"{path}: not found; run observe.py first")
            observed = np.load(path)
            self.research |= bool(observed.get("research", False))
            joints.append(observed["joints"].reshape(-1, 16, 3))
            rows = np.arange(len(joints[-1]))
            labels = pool.take(rows, "joints")
            truth.append(labels[..., :2] / (pool.take(rows[:1], "images").shape[1] / 2) - 1)
            visible.append(labels[..., 2] > 0)
            theta.append(pool.take(rows, "theta").reshape(-1, 24, 3))
            beta.append(pool.take(rows, "beta"))
        joints, truth, visible, theta, beta = map(np.concatenate, (joints, truth, visible, theta, beta))
        flipped = joints[:, MIRRORED_JOINTS] * [-1.0, 1, 1]
        mirrored_truth = truth[:, MIRRORED_JOINTS] * [-1.0, 1]
        theta = np.concatenate([theta, mirrored(theta)]).astype(np.float64)
        self.joints = torch.from_numpy(np.concatenate([joints, flipped])).float()
        self.truth = torch.from_numpy(np.concatenate([truth, mirrored_truth])).float()
        self.visible = torch.from_numpy(np.concatenate([visible, visible[:, MIRRORED_JOINTS]]))
        self.rotations = torch.from_numpy(rotations_of(theta).astype(np.float32))
        self.beta = torch.from_numpy(np.concatenate([beta, beta])).float()

    def __len__(self):
        return len(self.beta)

    def shifted(self, rows, random):
        """Joints [B, 48] of pictures, turned in the plane with their root's rotation, moved and scaled a little, so that
        no picture is shown twice alike; rotations and beta."""
        count = len(rows)
        angle = (0.3 * torch.randn(count, generator=random)).clamp(-0.7, 0.7)
        cosine, sine, zero = torch.cos(angle), torch.sin(angle), torch.zeros(count)
        turn = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1], 1).view(-1, 3, 3)
        scale = torch.exp(0.15 * (2 * torch.rand(count, 1, 1, generator=random) - 1))
        offset = 0.06 * torch.randn(count, 1, 2, generator=random)
        joints = self.joints[rows]
        places = scale * joints[..., :2] @ turn[:, :2, :2].transpose(1, 2) + offset
        joints = torch.cat([places, joints[..., 2:]], -1)
        joints = joints + torch.tensor([0.01, 0.01, 0.04]) * torch.randn(count, 16, 3, generator=random)
        rotations = self.rotations[rows].clone()
        rotations[:, 0] = turn @ rotations[:, 0]
        return joints, rotations, self.beta[rows]


def transplanted(crop, visible, seen, random, among=4096):
    """Joints [B, 16, 3] as Human2D would see them: each body gets the errors and confidences that Human2D had on the
    most alike (in the crop) of so many pictures."""
    rows = torch.randint(len(seen), (among,), generator=random)
    truth, found = seen.truth[rows], seen.joints[rows]
    donors = torch.cdist(crop.clamp(-FAR, FAR).flatten(1), truth.clamp(-FAR, FAR).flatten(1)).argmin(1)
    theirs, confidence = found[donors, :, :2], found[donors, :, 2:]
    moved = (crop + theirs - truth[donors]).clamp(-1, 1)
    both = (visible & seen.visible[rows][donors])[..., None]
    return torch.cat([torch.where(both, moved, theirs), confidence], -1)


def exact(crop, visible):
    """Joints [B, 16, 3] without error: confidence 1, and nothing of those that cannot be seen."""
    return torch.cat([crop, torch.ones_like(crop[..., :1])], -1) * visible[..., None]
