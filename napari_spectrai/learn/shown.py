"""What a training shows of its output: one spectrum, or how classes are told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.labels import Class
from napari_spectrai.learn import metrics
from napari_spectrai.runs import Confusion, Preview


def preview(epoch: int, axis: SpectralAxis, seen: Tensor, output: Tensor, truth: Tensor, target: str = "truth") -> Preview:
    """Return one spectrum: what was seen, what came out and the truth or other `target`, each of shape (λ,); drawn on its `axis`."""
    given = seen.tolist()
    if len(given) != len(axis):  # on the truth's bands, to be drawn beside it
        given = np.interp(np.linspace(0, 1, len(axis)), np.linspace(0, 1, len(given)), given).tolist()
    seen_at, told, known = ([float(f"{value:.5g}") for value in curve] for curve in (given, output.tolist(), truth.tolist()))
    return Preview(epoch, axis.unit, axis.values.tolist(), seen_at, told, known, target)


def confusion(epoch: int, classes: Sequence[Class], output: Tensor, truth: Tensor, part: str = "validation") -> Confusion:
    """Return how probabilities (n, C) tell the classes (n,) apart."""
    matrix = metrics.confusion(output.argmax(-1), truth, len(classes))
    return Confusion(epoch, [one.name for one in classes], matrix.tolist(), part)
