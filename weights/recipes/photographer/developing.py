"""What happens to light after the lens: backgrounds, things in the way, blur, noise, colour and compression."""

import io

import numpy as np
from PIL import Image, ImageFilter


def random_crop(random, picture, size):
    """A random part [size, size, 3] of a picture, mirrored half of the time, float32 0 .. 255."""
    height, width = picture.shape[:2]
    side = min(height, width) * random.uniform(0.35, 1.0)
    left, top = random.uniform(0, width - side), random.uniform(0, height - side)
    part = Image.fromarray(picture).resize((size, size), Image.BILINEAR, (left, top, left + side, top + side))
    if random.uniform() < 0.25:
        part = part.filter(ImageFilter.GaussianBlur(random.uniform(0.8, 5)))
    part = np.asarray(part, np.float32)
    return part[:, ::-1] if random.uniform() < 0.5 else part


def gradient(random, size):
    """A studio wall: two colours and a soft gradient between them."""
    ends = random.uniform(0, 255, 3) + random.normal(0, 25, (2, 3))
    if random.uniform() < 0.4:
        ends = ends.mean(1, keepdims=True) + np.zeros(3)
    ramp = np.linspace(-1, 1, size)
    direction = random.uniform(-1, 1, 2)
    weight = 0.5 + 0.5 * np.clip(ramp[:, None] * direction[0] + ramp * direction[1], -1, 1)
    return (ends[0] + weight[..., None] * (ends[1] - ends[0])).clip(0, 255).astype(np.float32)


def clutter(random, picture, assets):
    """Pastes parts of other pictures behind the person."""
    size = len(picture)
    picture = picture.copy()
    for _ in range(random.integers(1, 7)):
        width, height = (size * random.uniform(0.05, 0.5, 2)).astype(int) + 2
        left, top = random.integers(0, size - 2), random.integers(0, size - 2)
        part = picture[top:top + height, left:left + width]
        if random.uniform() < 0.4:
            part[:] = random.uniform(0, 255, 3)
        else:
            other = assets.backdrops[random.integers(len(assets.backdrops))].picture
            part[:] = random_crop(random, other, max(width, height))[:part.shape[0], :part.shape[1]]
    return picture


def recoloured(random, picture, strength):
    """Random gain per channel, contrast and saturation."""
    gains = np.exp(random.normal(0, 0.08 * strength, 3) + random.normal(0, 0.15 * strength))
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = np.exp(random.normal(0, 0.25 * strength))
    picture = grey[..., None] + (picture - grey[..., None]) * np.float32(saturation)
    return picture * gains.astype(np.float32)


def background(random, assets, backdrop, size):
    kind = random.uniform()
    picture = gradient(random, size) if kind < 0.1 else random_crop(random, backdrop.picture, size)
    if random.uniform() < 0.12:
        picture = clutter(random, picture, assets)
    return recoloured(random, picture, 1.0) if random.uniform() < 0.5 else picture


def composed(random, drawn, assets, backdrop, covers, in_frame):
    """The picture [S, S, 3] float32: background, floor shadow, people, what hides them, the photograph's edge."""
    colour = drawn["colour"].astype(np.float32)
    size = len(colour)
    behind = background(random, assets, backdrop, size) * drawn["shade"][..., None]
    picture = behind * (1 - colour[..., 3:] / 255) + colour[..., :3]
    for cover in covers:
        other = assets.backdrops[random.integers(len(assets.backdrops))].picture
        stuff = random_crop(random, other, size) if random.uniform() < 0.7 else gradient(random, size)
        weight = (cover.astype(np.float32) / 255)[..., None]
        picture = picture * (1 - weight) + stuff * weight
    if in_frame.min() == 0:
        fill = random.choice([0.0, 255.0, 128.0], p=[0.7, 0.15, 0.15])
        picture[in_frame == 0] = fill
    return picture


def motion_blurred(random, picture):
    length, angle = random.integers(3, 8), random.uniform(0, np.pi)
    out = np.zeros_like(picture)
    for step in np.linspace(-0.5, 0.5, length):
        shift = np.rint(length * step * np.array([np.sin(angle), np.cos(angle)])).astype(int)
        out += np.roll(picture, shift, (0, 1))
    return out / length


def developed(random, picture):
    """Exposure, colour, blur, grain and compression; float32 in, uint8 [S, S, 3] out."""
    size = len(picture)
    if random.uniform() < 0.6:
        picture = recoloured(random, picture, 0.8)
    if random.uniform() < 0.5:
        gamma = np.float32(np.exp(random.normal(0, 0.2)))
        picture = 255 * (np.clip(picture, 0, 255) / 255) ** gamma
    if random.uniform() < 0.03:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, 2)
    if random.uniform() < 0.06:
        picture = motion_blurred(random, picture)
    flat = Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
    if random.uniform() < 0.3:
        coarse = int(size * random.uniform(0.35, 0.85))
        flat = flat.resize((coarse, coarse), Image.BILINEAR)
        flat = noisy(random, flat)
        if random.uniform() < 0.6:
            flat = compressed(random, flat)
        flat = flat.resize((size, size), random.choice([Image.BILINEAR, Image.BICUBIC]))
    else:
        if random.uniform() < 0.5:
            flat = flat.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.5)))
        flat = noisy(random, flat)
        if random.uniform() < 0.5:
            flat = compressed(random, flat)
    return np.asarray(flat, np.uint8)


def noisy(random, flat):
    if random.uniform() > 0.4:
        return flat
    strength = random.uniform(1, 10)
    grain = random.standard_normal((flat.size[1], flat.size[0], 3), np.float32) * np.float32(strength)
    if random.uniform() < 0.5:
        grain = grain[..., :1]
    return Image.fromarray(np.clip(np.asarray(flat, np.float32) + grain, 0, 255).astype(np.uint8))


def compressed(random, flat):
    buffer = io.BytesIO()
    flat.save(buffer, "JPEG", quality=int(random.integers(25, 95)))
    return Image.open(buffer).convert("RGB")
