"""What parts of a job compare of their inputs, so that none is computed from others."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from napari_spectrai.cube import Cube

COMPARED = 2**22
"""Values of an input, at most, by which a change between parts is noticed; all of a smaller one."""
PLACES = 16
"""Into how many places of a larger input these values are divided: every part reads them before it starts, however large the input is."""
_SPREAD = tuple(map(math.sqrt, (2, 3, 5, 7, 11, 13)))
"""Steps between places along each further dimension, in multiples of its length: without a common measure, so that none coincide."""


def digest(cube: Cube) -> str:
    """Return a digest of shape, axis, metadata and values."""
    about = f"{cube.shape} {cube.data.dtype} {cube.axis.unit} {sorted(map(str, cube.metadata.items()))}"
    found = hashlib.sha256(about.encode())
    found.update(np.ascontiguousarray(cube.axis.values).tobytes())
    for place in _places(cube.shape[:-1], cube.shape[-1]):
        found.update(np.ascontiguousarray(cube.data[place]).tobytes())
    return found.hexdigest()


def _places(shape: tuple[int, ...], bands: int) -> Iterator[tuple[slice, ...]]:
    """Yield compact regions of pixels: the first and the last along the first dimension, and spread between."""
    left = COMPARED // bands
    if math.prod(shape) <= left:
        yield tuple(slice(None) for _ in shape)
        return
    left //= PLACES
    sides: list[int] = []
    for dimension in range(len(shape), 0, -1):
        sides.insert(0, max(1, min(shape[dimension - 1], math.ceil(left ** (1 / dimension)))))
        left //= sides[0]
    for number in range(PLACES):
        shares = [number / (PLACES - 1), *(number * step % 1 for step in _SPREAD)]
        starts = [round(share * (size - side)) for share, size, side in zip(shares, shape, sides, strict=False)]
        yield tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
