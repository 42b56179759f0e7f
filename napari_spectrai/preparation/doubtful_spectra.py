"""Spectra that look like no measurement: one value in every band, or the largest value of their cube in neighbouring bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.preparation.sample_rows import seen

LOOKED_AT = 2**20
"""Number of values of a cube that are looked at before a training."""
AT_A_GLANCE = 2**15
"""The same before a prediction or a map, which may take less than reading the cube."""
FEWEST_BANDS = 8
"""Number of bands below which photon counting makes spectra of one value."""
FEWEST_LEVELS = 16
"""Number of different values below which the largest one is common without saturation, as in masks and counts of few photons."""
FEWEST, SHARE = 3, 1e-3
"""Number and fraction of the spectra below which saturation is not said."""


def doubtful_spectra(cubes: Sequence[Cube], what: str, looked_at: int = LOOKED_AT) -> list[str]:
    """Return a sentence on each cube of which several spectra have one value in every band, or are saturated.

    Parameters
    ----------
    cubes : sequence of Cube
    what : str
        What is done with such spectra, such as ``"are learnt"``.
    looked_at : int
        Number of values of each cube that are looked at.
    """
    found: dict[str, list[str]] = {"flat": [], "saturated": []}
    for number, cube in enumerate(cubes, 1):
        rows = seen(cube, looked_at).reshape(-1, cube.shape[-1])
        name = repr(cube.name or ("the cube" if len(cubes) == 1 else f"input {number}"))
        found["flat"] += _flat(rows, name, what)
        found["saturated"] += _saturated(rows, name, what)
    return [words for each in found.values() for words in _first(each)]


def _first(sentences: list[str]) -> list[str]:
    return sentences if len(sentences) <= 3 else [*sentences[:3], f"So do those of {len(sentences) - 3} more inputs."]


def _flat(rows: FloatArray, name: str, what: str) -> list[str]:
    """Say that several spectra, but not all, have one and the same value in every band, which is not zero, as files mark missing data."""
    if rows.shape[-1] < FEWEST_BANDS:
        return []
    flat = rows[(rows == rows[:, :1]).all(-1) & (rows[:, 0] != 0) & np.isfinite(rows[:, 0]), 0]
    values, counts = np.unique(flat, return_counts=True)
    if not len(counts) or not 2 <= counts.max() < len(rows):
        return []
    value, share = f"{values[counts.argmax()]:.6g}", counts.max() / len(rows)
    words = (
        f"{100 * share:.3g} % of the spectra of {name} have the value {value} in every band, and {what} like the others. If it marks "
        f"missing data, set it to NaN: np.where(np.isclose(cube.data, {value}), np.nan, cube.data)."
    )
    return [words]


def _saturated(rows: FloatArray, name: str, what: str) -> list[str]:
    """Say that several spectra have the largest value in two or more neighbouring bands: a detector or a type of numbers ends there."""
    known = np.isfinite(rows)
    if rows.shape[-1] < 3 or not known.any():
        return []
    largest = rows.max(initial=-np.inf, where=known)
    at_most = rows == largest
    count = int(((at_most[:, 1:] & at_most[:, :-1]).any(-1) & ~at_most.all(-1)).sum())
    if count < max(FEWEST, SHARE * len(rows)) or len(np.unique(rows[known][:: max(1, known.sum() // 2**14)])) < FEWEST_LEVELS:
        return []
    words = (
        f"{100 * count / len(rows):.3g} % of the spectra of {name} have its largest value, {largest:.6g}, in neighbouring bands, as "
        f"where a detector is saturated, and {what} like the others. If they are saturated, leave them out: "
        f"np.where((cube.data == {largest:.9g}).any(-1, keepdims=True), np.nan, cube.data)."
    )
    return [words]
