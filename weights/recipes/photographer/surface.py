"""What the darkroom draws, before it is posed."""

from dataclasses import dataclass

import numpy as np

# Bones that move one vertex, at most.
INFLUENCES = 5


@dataclass
class surface:
    """A mesh that follows the body's bones, with its texture coordinates: what the darkroom needs besides a pose."""
    name: str
    pattern_position: np.ndarray  # [V, 3] on the template in its rest pose
    bones: np.ndarray             # [V, INFLUENCES] uint8
    weights: np.ndarray           # [V, INFLUENCES]
    triangles: np.ndarray         # [F, 3]
    corners: np.ndarray           # [F, 3]
    regions: np.ndarray           # [F] uint8, UPPER or LOWER
    uv: np.ndarray                # [T, 2]
