"""Predicted classes against true ones: confusion matrices, and where each of their cells lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.labels import MISSING_NAMES, NO_DATA, UNKNOWN, Labels
from napari_spectrai.learn.scoring import metrics

Mask = npt.NDArray[np.bool_]
_SMALL = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Agreement:
    """How labels agree with a truth.

    Attributes
    ----------
    values, names : of the C classes that either side holds where the truth is known
    matrices : dict of Tensor (C, C)
        By result: rows the truth, columns the result.
    cells : dict of integer ndarray
        By result: i · C + j + 1 where class i was predicted as j, 0 where the truth is not known.
    """

    values: list[int]
    names: list[str]
    matrices: dict[str, Tensor]
    cells: dict[str, npt.NDArray[np.integer[Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The C classes that a truth and results hold where they are compared.

    Attributes
    ----------
    values : integer ndarray of shape (C,)
        Ascending.
    names : list of str
    """

    values: npt.NDArray[np.integer[Any]]
    names: list[str]

    def counted(self, truth: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> Tensor:
        """Return how often each class (C, C) was predicted (columns) for each of the truth (rows), of the classes (n,) of some pixels."""
        rows, columns = (torch.from_numpy(np.searchsorted(self.values, labels)) for labels in (truth, predicted))
        return metrics.confusion(columns, rows, len(self.values))

    def agreement(
        self, results: Mapping[str, Labels], known: Labels, where: Mask, counted: Mapping[str, Tensor] | None = None
    ) -> Agreement:
        """Return how results agree with the truth; `counted`: their confusion matrices, if these are known."""
        count = len(self.values)
        rows = np.searchsorted(self.values, known.data[where])
        matrices, cells = {}, {}
        for name, predicted in results.items():
            matrices[name] = self.counted(known.data[where], predicted.data[where]) if counted is None else counted[name]
            cells[name] = np.zeros(known.shape, np.uint16 if count * count < _SMALL else np.uint32)
            cells[name][where] = rows * count + np.searchsorted(self.values, predicted.data[where]) + 1
        return Agreement([int(value) for value in self.values], self.names, matrices, cells)


def classes_of(results: Mapping[str, Labels], known: Labels, where: Mask, names: Mapping[int, str] | None = None) -> Classes:
    """Return the classes that a truth and results hold in some pixels.

    Raises
    ------
    ValueError
        If shapes differ, or there are no such pixels.
    """
    for predicted in results.values():
        if predicted.shape != known.shape:
            raise ValueError(f"the result has shape {predicted.shape} and the truth {known.shape}; they must show the same pixels")
    if not where.any():
        raise ValueError("the truth labels no pixel (all are 0), so there is nothing to score")
    values = np.unique(np.concatenate([np.unique(labels.data[where]) for labels in (known, *results.values())]))
    sides = [known, *results.values(), replace(known, names=names or {})]
    return Classes(values, [_name(int(value), sides) for value in values])


def labelled(known: Labels, results: Sequence[Labels] = ()) -> Mask:
    """Return where the truth is known: where it is not -1, nor 0 unless that is a class.

    0 is a class where a result says so by naming it, and in a set of spectra where it has no name.
    """
    given: Mask = known.data != UNKNOWN
    if any(result.names.get(0, NO_DATA) not in (NO_DATA, *MISSING_NAMES) for result in results):
        return given
    return given & (known.data != 0) if known.data.ndim > 1 or 0 in known.names else given


def _name(value: int, sides: list[Labels]) -> str:
    return next((side.names[value] for side in sides if value in side.names), f"class {value}")


def matched(predicted: Labels, known: Labels) -> tuple[Labels, dict[str, list[str]]]:
    """Return labels with cluster numbers replaced by classes of the truth, and for each class the clusters assigned to it.

    A cluster becomes the class that most of its pixels have where the truth is known; clusters without such pixels stay unlabelled.
    """
    if predicted.shape != known.shape:
        raise ValueError(f"the result has shape {predicted.shape} and the truth {known.shape}; they must show the same pixels")
    where = labelled(known)
    clusters, column = np.unique(predicted.data, return_inverse=True)
    classes, row = np.unique(known.data[where], return_inverse=True)
    if not len(classes):
        raise ValueError("the truth labels no pixel (all are 0), so there is nothing to score")
    column = column.reshape(predicted.shape)
    met = np.zeros((len(clusters), len(classes)), np.int64)
    np.add.at(met, (column[where], row), 1)
    taken = np.where(met.any(1), classes[met.argmax(1)], 0)
    words: dict[str, list[str]] = {}
    for number in np.flatnonzero(met.any(1)):
        words.setdefault(_name(int(taken[number]), [known]), []).append(_name(int(clusters[number]), [predicted]))
    return replace(predicted, data=taken[column], names=known.names, colours={}), words
