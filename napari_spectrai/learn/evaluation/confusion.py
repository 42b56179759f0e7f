"""Predicted classes against true ones: confusion matrices, and where each of their cells lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.labels import UNKNOWN, Labels
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


def labelled(known: Labels) -> Mask:
    """Return where the truth is known: where it is neither 0 nor -1; of a set of spectra whose 0 has no name, where it is not -1."""
    given: Mask = known.data != UNKNOWN
    return given & (known.data != 0) if known.data.ndim > 1 or 0 in known.names else given


def agreement(results: Mapping[str, Labels], known: Labels, names: Mapping[int, str] | None = None, holds: Mask | None = None) -> Agreement:
    """Return how results agree with the truth.

    Parameters
    ----------
    results : mapping of name to Labels
    known : Labels
    names : mapping of number to name, optional
        For classes that neither side names, such as those of the model.
    holds : bool array, optional
        Where the source holds data; no other pixel is scored.

    Raises
    ------
    ValueError
        If shapes differ, or the truth labels no pixel.
    """
    for predicted in results.values():
        if predicted.shape != known.shape:
            raise ValueError(f"the result has shape {predicted.shape} and the truth {known.shape}; they must show the same pixels")
    where = labelled(known) if holds is None else labelled(known) & holds
    truth = known.data[where]
    if not len(truth):
        raise ValueError("the truth labels no pixel (all are 0), so there is nothing to score")
    values = np.unique(
        np.concatenate([np.unique(labels) for labels in (truth, *(predicted.data[where] for predicted in results.values()))])
    )
    sides = [known, *results.values(), replace(known, names=names or {})]
    named = [_name(int(value), sides) for value in values]
    count, rows = len(values), np.searchsorted(values, truth)
    matrices, cells = {}, {}
    for result, predicted in results.items():
        columns = np.searchsorted(values, predicted.data[where])
        matrices[result] = metrics.confusion(torch.from_numpy(columns), torch.from_numpy(rows), count)
        cells[result] = np.zeros(known.shape, np.uint16 if count * count < _SMALL else np.uint32)
        cells[result][where] = rows * count + columns + 1
    return Agreement([int(value) for value in values], named, matrices, cells)


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
