"""The 90 % intervals of the classes of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.learn.scoring import intervals


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
    return intervals.of_pairs(cells[known].astype(np.int64) - 1, intervals.squares(known.shape)[known], count, tuple(names), class_mean)
