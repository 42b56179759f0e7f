"""Spectra that have the same value in every band, as files write them where nothing was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.preparation.sample_rows import seen

LOOKED_AT = 2**20
"""Number of values of a cube that are looked at before a training."""
AT_A_GLANCE = 2**15
"""The same before a prediction, which may take less than reading the cube."""
FEWEST_BANDS = 8
"""Number of bands below which photon counting makes flat spectra."""


def flat_spectra(cubes: Sequence[Cube], what: str, looked_at: int = LOOKED_AT) -> list[str]:
    """Return a sentence on each cube of which several spectra, but not all, have one and the same value in every band, which is not zero.

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
        if cube.shape[-1] < FEWEST_BANDS:
            continue
        rows = seen(cube, looked_at).reshape(-1, cube.shape[-1])
        flat = rows[(rows == rows[:, :1]).all(-1) & (rows[:, 0] != 0) & np.isfinite(rows[:, 0]), 0]
        values, counts = np.unique(flat, return_counts=True)
        if not len(counts) or not 2 <= counts.max() < len(rows):
            continue
        value, share = f"{values[counts.argmax()]:.6g}", counts.max() / len(rows)
        name = cube.name or ("the cube" if len(cubes) == 1 else f"input {number}")
        found.append(
            f"{100 * share:.3g} % of the spectra of {name!r} have the value {value} in every band, and {what} like the others. If it marks "
            f"missing data, set it to NaN: np.where(np.isclose(cube.data, {value}), np.nan, cube.data)."
        )
    return found if len(found) <= 3 else [*found[:3], f"So do those of {len(found) - 3} more inputs."]
