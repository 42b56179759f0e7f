"""Indices of a cube: those of NumPy, but an integer keeps its dimension, so that a part of an image is an image."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np


def expanded(key: Any, shape: Sequence[int], dims: Sequence[str]) -> tuple[Any, ...]:
    """Return an index as one part for each dimension (a mask stands for several), integers as slices of one.

    Parameters
    ----------
    key : int, slice, sequence, mask, Ellipsis or tuple of these
    shape : sequence of int
        Of the cube.
    dims : sequence of str
        Names of the dimensions, for messages.

    Raises
    ------
    IndexError
        If there are more indices than dimensions, one lies outside, or one is none that a cube knows.
    """
    keys = [_part(part) for part in (key if isinstance(key, tuple) else (key,))]
    taken = sum(part.ndim if is_mask(part) else 1 for part in keys if not isinstance(part, EllipsisType))
    if taken > len(shape):
        raise IndexError(f"{taken} indices for {len(shape)} dimensions {tuple(dims)} of this cube")
    gap = next((number for number, part in enumerate(keys) if isinstance(part, EllipsisType)), len(keys))
    keys[gap : gap + 1] = [slice(None)] * (len(shape) - taken)
    place, found = 0, list[Any]()
    for part in keys:
        found.append(_slice(part, shape[place], dims[place]) if isinstance(part, int) else part)
        place += part.ndim if is_mask(part) else 1
    if is_mask(found[-1]) and found[-1].ndim > 1:
        raise IndexError("a mask selects pixels; it has as many dimensions as cube.shape[:-1], at most")
    return tuple(found)


def is_mask(part: Any) -> bool:
    """Whether a part of an index is a boolean array."""
    return isinstance(part, np.ndarray) and part.dtype.kind == "b"


def _part(part: Any) -> Any:
    if isinstance(part, slice | EllipsisType):
        return part
    if part is None:
        raise IndexError("a cube gets no new dimensions by indexing; index cube.data")
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        return int(part)
    found = np.asarray(part)
    if found.dtype.kind not in "iub":
        raise IndexError(
            f"a cube is indexed by whole numbers, slices and masks, not by {part!r:.40}; for positions use cube.crop(low, high)"
        )
    return found


def _slice(number: int, length: int, name: str) -> slice:
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of bounds for dimension {name!r} with size {length}")
    return slice(number % length, number % length + 1)
