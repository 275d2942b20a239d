"""Sheets of pictures: what was estimated, over the photograph and from the side, with the truth beside it."""
import numpy as np
from PIL import Image

from mesh_picture import picture

GAP = 6


def stacked(lines):
    """Pictures one below the other."""
    height = sum(line.height for line in lines) + GAP * (len(lines) - 1)
    sheet = Image.new("RGB", (max(line.width for line in lines), height), "white")
    top = 0
    for line in lines:
        sheet.paste(line, (0, top))
        top += line.height + GAP
    return sheet


def beside(panels):
    """Pictures of one height in a line."""
    line = Image.new("RGB", (sum(panel.width for panel in panels) + GAP * (len(panels) - 1), panels[0].height), "white")
    left = 0
    for panel in panels:
        line.paste(panel, (left, 0))
        left += panel.width + GAP
    return line


def from_side(vertices, triangles, side):
    """A body [V, 3] of the camera's frame from what is the picture's right, as the overlay's last panel shows it."""
    upright = (vertices - 0.5 * (vertices.min(0) + vertices.max(0))) * [1, -1, -1]
    extent = max(np.ptp(upright[:, 1]), np.ptp(upright[:, 2]))
    return Image.fromarray(picture(upright, triangles, side, side, 0.88 * side / extent, yaw=-np.pi / 2))


def sheet(lab, name, cases, rows, meshes, path):
    """A line a picture: photograph, body over it, joints over it, body from its side, the true body from there."""
    chosen = [cases[row] for row in rows]
    lab.estimates(name, chosen, options=["--overlays", lab.folder(name)])
    lines = []
    for place, (case, row) in enumerate(zip(chosen, rows)):
        overlay = Image.open(lab.folder(name) / f"{place}.png").convert("RGB")
        truth = from_side(meshes.true_vertices(row), meshes.triangles, overlay.height)
        lines.append(beside([Image.open(case.photo).convert("RGB"), overlay, truth]))
    half = stacked(lines[: -(-len(lines) // 2)]), stacked(lines[-(-len(lines) // 2):])
    # Two columns at two thirds of the size: the page shows ten at a time.
    whole = beside([half[0], half[1].crop((0, 0, half[1].width, half[0].height))])
    whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.LANCZOS).save(path, quality=88)
