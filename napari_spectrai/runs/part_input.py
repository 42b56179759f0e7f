"""What parts of a job compare of their inputs, so that none is computed from others."""

from __future__ import annotations

import hashlib

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.preparation.sample_rows import seen

COMPARED = 2**22
"""Values of an input by which a change between parts is noticed, in evenly spread rows; all of a smaller input."""


def digest(cube: Cube) -> str:
    """Return a digest of shape, axis and values."""
    found = hashlib.sha256(f"{cube.shape} {cube.axis.unit} {sorted(map(str, cube.metadata.items()))}".encode())
    found.update(np.ascontiguousarray(cube.axis.values).tobytes())
    found.update(np.ascontiguousarray(seen(cube, COMPARED)).tobytes())
    return found.hexdigest()
