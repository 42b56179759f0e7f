"""90 % intervals of the scores of an evaluation, from the scores of its pixels: a bootstrap over squares or spectra."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.learn.scoring import intervals

SIDE = 12
"""Smallest side of a square, in pixels."""
MOST = 1_000
"""Approximate largest number of units; squares are larger in larger images."""

Mask = npt.NDArray[np.bool_]


def units_of(mask: Mask, most: int = MOST) -> npt.NDArray[np.int64]:
    """Return the unit of each chosen pixel.

    Parameters
    ----------
    mask : bool ndarray of shape (..., y, x) or (n,)
        The chosen pixels.
    most : int
        Approximate largest number of units.

    Returns
    -------
    int ndarray of shape (chosen pixels,)
        Neighbouring pixels resemble one another, so the pixels of a square of an image are one unit; of a set, each spectrum, or a run.
    """
    places = np.nonzero(mask)
    if mask.ndim < 2 or min(mask.shape[-2:]) == 1:
        return np.asarray(np.ravel_multi_index(places, mask.shape) // max(1, math.ceil(mask.size / most)), np.int64)
    side = max(SIDE, math.ceil(math.sqrt(mask.size / most)))
    *planes, y, x = places
    plane = np.ravel_multi_index(tuple(planes), mask.shape[:-2]) if planes else np.zeros(len(y), np.int64)
    down, across = (-(-length // side) for length in mask.shape[-2:])
    return np.asarray((plane * down + y // side) * across + x // side, np.int64)


def of_cubes(error: npt.NDArray[Any], angle: npt.NDArray[Any], figures: Mapping[str, float]) -> intervals.Intervals:
    """Return the intervals of the scores of a cube that are means over its spectra: MSE, PSNR and the spectral angle.

    Parameters
    ----------
    error, angle : ndarray of shape (..., y, x) or (n,)
        Root mean squared error over the bands, and angle in degrees; NaN where a pixel is not scored.
    figures : mapping of str to float
        The scores.
    """
    found: intervals.Intervals = {}
    for name, values in (("mse", np.square(error, dtype=np.float64)), ("sam", angle)):
        known = np.isfinite(values)
        if name in figures and math.isfinite(figures[name]) and known.any():
            found |= intervals.of_cubes({name: values[known].astype(np.float64)}, units_of(known))
    mse, psnr = figures.get("mse", 0.0), figures.get("psnr", math.nan)
    if "mse" in found and math.isfinite(psnr) and mse > 0 and min(found["mse"]) > 0:
        found["psnr"] = [psnr + 10 * math.log10(mse / end) for end in reversed(found["mse"])]  # of the same range of the truth
    return found


def of_cells(cells: npt.NDArray[np.integer[Any]], count: int, names: Sequence[str]) -> intervals.Intervals:
    """Return the intervals of the scores of classes.

    Parameters
    ----------
    cells : int ndarray of shape (..., y, x) or (n,)
        i · C + j + 1 where class i was predicted as j; 0 where a pixel is not scored.
    count : int
        C, the number of classes.
    names : sequence of str
        The scores.
    """
    known = np.asarray(cells > 0)
    if not known.any():
        return {}
    return intervals.of_pairs(cells[known].astype(np.int64) - 1, units_of(known), count, tuple(names))
