"""Spectra that reach the largest value of their cube in neighbouring bands: a detector or a type of numbers ends there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.preparation.flat_spectra import LOOKED_AT, flat_spectra
from napari_spectrai.preparation.sample_rows import seen

FEWEST_LEVELS = 16
"""Number of different values below which the largest one is common without saturation, as in masks and counts of few photons."""
FEWEST, SHARE = 3, 1e-3
"""Number and fraction of the spectra below which nothing is said."""


def saturated(cubes: Sequence[Cube], what: str, looked_at: int = LOOKED_AT) -> list[str]:
    """Return a sentence on each cube of which some spectra have its largest value in two or more neighbouring bands.

    Parameters
    ----------
    cubes : sequence of Cube
    what : str
        What is done with such spectra, such as ``"are learnt"``.
    looked_at : int
        Number of values of each cube that are looked at.
    """
    found = []
    for number, cube in enumerate(cubes, 1):
        rows = seen(cube, looked_at).reshape(-1, cube.shape[-1])
        known = np.isfinite(rows)
        if rows.shape[-1] < 3 or not known.any():
            continue
        largest = rows.max(initial=-np.inf, where=known)
        at_most = rows == largest
        clipped = (at_most[:, 1:] & at_most[:, :-1]).any(-1) & ~at_most.all(-1)
        count = int(clipped.sum())
        if count < max(FEWEST, SHARE * len(rows)) or len(np.unique(rows[known][:: max(1, known.sum() // 2**14)])) < FEWEST_LEVELS:
            continue
        name = cube.name or ("the cube" if len(cubes) == 1 else f"input {number}")
        found.append(
            f"{100 * count / len(rows):.3g} % of the spectra of {name!r} have its largest value, {largest:.6g}, in neighbouring bands, as "
            f"where a detector is saturated, and {what} like the others. If they are saturated, leave them out: "
            f"np.where((cube.data == {largest:.9g}).any(-1, keepdims=True), np.nan, cube.data)."
        )
    return found if len(found) <= 3 else [*found[:3], f"So do those of {len(found) - 3} more inputs."]


def doubtful_spectra(cubes: Sequence[Cube], what: str, looked_at: int = LOOKED_AT) -> list[str]:
    """Return the sentences of `flat_spectra` and `saturated` on the same values, which are read once."""
    glances = [Cube(seen(cube, looked_at), cube.axis, name=cube.name) for cube in cubes]
    return flat_spectra(glances, what, looked_at) + saturated(glances, what, looked_at)
