"""Where an image (or a spectrum) is smaller than what is to see it: by how much it is extended, and by which of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def extended(length: int, *, least: int = 1, multiple: int = 1) -> int:
    """Return the length to which `length` is extended: at least `least`, and a multiple of `multiple`.

    This is the one rule for patches, whole images, validation and prediction; what fills the rest is `reflected`.
    """
    return -(-max(length, least) // multiple) * multiple


def reflected(length: int, wanted: int) -> npt.NDArray[np.int64]:
    """Return which of `length` positions each of `wanted` shows: all in order, then back and forth, the outermost never twice.

    Parameters
    ----------
    length, wanted : int
        In pixels (or bands), 1 or more. Two lengths or more are filled by further reflections; a single pixel is repeated.
    """
    period = max(1, 2 * (length - 1))
    place = np.arange(wanted, dtype=np.int64) % period
    return np.minimum(place, period - place) if length > 1 else np.zeros(wanted, np.int64)


def reflect(values: npt.NDArray[Any], lengths: Sequence[int], first: int = 0) -> npt.NDArray[Any]:
    """Return an array whose dimensions from `first` on are extended to `lengths` by reflection; itself where nothing is missing."""
    for dimension, wanted in enumerate(lengths, first):
        if values.shape[dimension] < wanted:
            values = np.take(values, reflected(values.shape[dimension], wanted), axis=dimension)
    return values
