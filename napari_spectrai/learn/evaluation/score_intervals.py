"""Squares of pixels that are drawn together for the 90 % intervals of an evaluation, and the intervals of its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.learn.scoring import intervals

SIDE = 12
"""Smallest side of a square, in pixels."""
MOST = 1_000
"""Approximate largest number of units; squares are larger in larger images."""


def squares(shape: Sequence[int], most: int = MOST) -> npt.NDArray[np.int64]:
    """Return the unit of each pixel of an image or volume (..., y, x), or of each spectrum of a set (n,).

    Neighbouring pixels resemble one another, so the pixels of a square of an image are one unit; of a set or a line, each spectrum, or a
    run, where there would be more than `most`.
    """
    size = math.prod(shape)
    if len(shape) < 2 or min(shape[-2:]) == 1:
        return (np.arange(size) // max(1, math.ceil(size / most))).reshape(shape)
    side = max(SIDE, math.ceil(math.sqrt(size / most)))
    plane, (y, x) = np.arange(math.prod(shape[:-2])), (np.arange(length) // side for length in shape[-2:])
    down, across = y[-1] + 1, x[-1] + 1
    return np.asarray((plane[:, None, None] * down + y[:, None]) * across + x, np.int64).reshape(shape)


def of_cells(
    cells: npt.NDArray[np.integer[Any]], count: int, names: Sequence[str], class_mean: ClassMean = "truth"
) -> intervals.Intervals:  # fmt: skip
    """Return the intervals of the scores of classes.

    Parameters
    ----------
    cells : int ndarray of shape (..., y, x) or (n,)
        i · C + j + 1 where class i was predicted as j; 0 where a pixel is not scored.
    count : int
        C, the number of classes.
    names : sequence of str
        The scores.
    class_mean : {"truth", "union"}
        As in `metrics.from_confusion`.
    """
    known = np.asarray(cells > 0)
    if not known.any():
        return {}
    return intervals.of_pairs(cells[known].astype(np.int64) - 1, squares(known.shape)[known], count, tuple(names), class_mean)
