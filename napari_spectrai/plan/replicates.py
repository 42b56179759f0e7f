"""Repeated measurements of one sample that nobody named: spectra far more similar to a few others than to the rest of their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 2_000
"""Largest number of spectra of a class that are compared with one another."""
FEW = 4
"""Minimum number of spectra of a class in which groups can be seen."""
LARGEST = 12
"""Largest number of repeats of a sample that are looked for."""
GAP = 2.0
"""How many times farther than the last of its repeats the next spectrum of its class is."""
SHARE = 0.9
"""Fraction of the spectra that must have such a gap: few have one by chance, unless spectra differ in one respect only."""
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def replicate_groups(spectra: npt.NDArray[Any], classes: Numbers) -> Numbers | None:
    """Return the group of each spectrum (n,), from 0, where most are repeats of one another; None where they are not.

    Parameters
    ----------
    spectra : ndarray of shape (n, L), finite
    classes : int array of shape (n,)
        Compared are the spectra of one class, as they are and after the standard normal variate.
    """
    plain = np.asarray(spectra, np.float64)
    centred = plain - plain.mean(-1, keepdims=True)
    shapes = centred / np.maximum(centred.std(-1, keepdims=True), np.finfo(np.float64).tiny)
    found = [_groups(values, classes) for values in ((shapes, plain) if plain.shape[1] > 2 else (plain,))]
    return next((groups for groups in found if groups is not None), None)


def said(groups: Numbers) -> str:
    """Return a sentence on groups that are held out together."""
    members = np.bincount(groups)
    repeats, count = int(members[members > 1].sum()), len(members)
    return (
        f"{repeats:,} of {len(groups):,} spectra are at least {GAP:g} times as similar to a few others as to the rest of their class, as "
        f"repeated measurements of a sample are: {count:,} groups are each held out as a whole. If they are repeats, name their samples "
        "(data.groups); if not, set split.method=contiguous."
    )


def _groups(values: Floats, classes: Numbers) -> Numbers | None:
    """Return connected components of spectra that are on the near side of one another's gap; None if too few have a gap."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    compared = linked = 0
    for one in np.unique(classes):
        members = np.flatnonzero(classes == one)
        if not FEW <= len(members) <= MOST:
            continue
        a, b = _links(values[members])
        first.append(members[a])
        second.append(members[b])
        compared += len(members)
        linked += len(np.unique(a))
    if not compared or linked < SHARE * compared:
        return None
    i, j = np.concatenate(first), np.concatenate(second)
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(classes),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _links(values: Floats) -> Sequence[npt.NDArray[np.intp]]:
    """Return the pairs of spectra (n, L) that are within one another's gap."""
    square = np.square(values).sum(-1)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * values @ values.T, 0))
    distance[distance < 1e-7 * np.sqrt(square.max(initial=0))] = 0  # rounding
    np.fill_diagonal(distance, np.inf)
    ordered = np.sort(distance, -1)[:, : min(LARGEST, len(values) - 1)]
    low, high = ordered[:, :-1], ordered[:, 1:]
    # equal spectra are copies, or counts of a few levels
    gap = np.where(low > 0, high / np.where(low > 0, low, 1), 1)
    best = gap.argmax(-1)
    each = np.arange(len(values))
    reach = np.where(gap[each, best] >= GAP, low[each, best], 0)
    return np.nonzero((distance <= reach) & (distance <= reach[:, None]) & (distance > 0))
