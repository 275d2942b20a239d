"""Smoothly shaded pictures of meshes in plain numpy: an orthographic z-buffer."""

import numpy as np

BACKGROUND = np.array([246, 245, 242], np.float64)


def vertex_normals(vertices, triangles):
    corners = vertices[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), len(vertices)) for k in range(3)], 1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def rasterise(points, triangles, width, height):
    """Nearest triangle (or -1) of each pixel and its barycentric weights; points [V, 3] are x, y in pixels and depth up."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    low = np.floor(np.minimum(np.minimum(a, b), c)[:, :2]).astype(int).clip(0, [width, height])
    high = np.ceil(np.maximum(np.maximum(a, b), c)[:, :2]).astype(int).clip(0, [width, height])
    size = np.maximum(high - low, 0)
    count = size[:, 0] * size[:, 1]
    which = np.repeat(np.arange(len(triangles)), count)
    rank = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    x = low[which, 0] + rank % np.maximum(size[which, 0], 1)
    y = low[which, 1] + rank // np.maximum(size[which, 0], 1)
    px, py = x + 0.5, y + 0.5
    edge = lambda p, q: (q[which, 0] - p[which, 0]) * (py - p[which, 1]) - (q[which, 1] - p[which, 1]) * (px - p[which, 0])
    w0, w1, w2 = edge(b, c), edge(c, a), edge(a, b)
    total = w0 + w1 + w2
    inside = ((w0 >= 0) & (w1 >= 0) & (w2 >= 0) | (w0 <= 0) & (w1 <= 0) & (w2 <= 0)) & (np.abs(total) > 1e-12)
    which, x, y, total = which[inside], x[inside], y[inside], total[inside]
    weights = np.stack([w0[inside], w1[inside], w2[inside]], 1) / total[:, None]
    depth = a[which, 2] * weights[:, 0] + b[which, 2] * weights[:, 1] + c[which, 2] * weights[:, 2]
    order = np.argsort(depth, kind="stable")
    nearest = np.full((height, width), -1)
    nearest[y[order], x[order]] = order
    return np.where(nearest >= 0, which[nearest], -1), weights[nearest]


def view(vertices, yaw=0.0, pitch=0.0):
    """Vertices as seen by an orthographic camera that looks along -z after the subject turned by yaw and pitch."""
    c, s = np.cos(yaw), np.sin(yaw)
    turned = vertices @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    c, s = np.cos(pitch), np.sin(pitch)
    return turned @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T


def picture(vertices, triangles, width, height, pixels_per_metre, centre=(0.0, 0.0), yaw=0.0, pitch=0.0,
            colour=(226, 190, 168), samples=2):
    """RGB picture [height, width, 3] uint8 with `centre` (metres, after the turn) in the middle."""
    seen = view(vertices, yaw, pitch)
    normals = vertex_normals(seen, triangles)
    scale = pixels_per_metre * samples
    points = np.stack([width * samples / 2 + (seen[:, 0] - centre[0]) * scale,
                       height * samples / 2 - (seen[:, 1] - centre[1]) * scale, seen[:, 2]], 1)
    nearest, weights = rasterise(points, triangles, width * samples, height * samples)
    normal = np.einsum("hwk,hwka->hwa", weights, normals[triangles[nearest]])
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-20)
    shade = 0.38
    for direction, strength in (((-0.5, 0.6, 0.75), 0.66), ((0.8, 0.1, 0.5), 0.22), ((0.0, -0.8, 0.3), 0.08)):
        direction = np.array(direction) / np.linalg.norm(direction)
        shade = shade + strength * np.clip(normal @ direction, 0, 1)
    image = np.where(nearest[..., None] >= 0, np.array(colour) * shade[..., None], BACKGROUND).clip(0, 255)
    image = image.reshape(height, samples, width, samples, 3).mean((1, 3))
    return (image + 0.5).astype(np.uint8)
