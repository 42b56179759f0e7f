"""Padding by reflection of images (or spectra) smaller than a patch or network requires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def extended(length: int, *, least: int = 1, multiple: int = 1) -> int:
    """Return the padded length of `length`: at least `least`, and a multiple of `multiple`.

    This is the common rule for patches, whole images, validation and prediction; the padding is computed by `reflected`.
    """
    return -(-max(length, least) // multiple) * multiple


def reflected(length: int, wanted: int) -> npt.NDArray[np.int64]:
    """Return the index in `length` for each of `wanted` positions: ascending, then back and forth without repeating the ends.

    Parameters
    ----------
    length, wanted : int
        Numbers of pixels (or bands), at least 1. Several lengths are filled by further reflections; a single pixel is repeated.
    """
    period = max(1, 2 * (length - 1))
    place = np.arange(wanted, dtype=np.int64) % period
    return np.minimum(place, period - place) if length > 1 else np.zeros(wanted, np.int64)


def reflect(values: npt.NDArray[Any], lengths: Sequence[int], first: int = 0) -> npt.NDArray[Any]:
    """Return an array whose dimensions from `first` on are padded to `lengths` by reflection; the same array if nothing is missing."""
    for dimension, wanted in enumerate(lengths, first):
        if values.shape[dimension] < wanted:
            values = np.take(values, reflected(values.shape[dimension], wanted), axis=dimension)
    return values
