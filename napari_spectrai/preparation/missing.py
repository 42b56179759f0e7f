"""Missing values that a preparation fills or leaves out, so that the spectra can still be used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.preparation.axis import Crop, Fill, RemoveBands
from napari_spectrai.preparation.step import Step
from napari_spectrai.valid import DataMask, holds_data


def bands_needed(steps: Sequence[Step], axis: SpectralAxis) -> tuple[npt.NDArray[np.intp] | None, bool]:
    """Return the bands whose values a preparation requires (None: all), and whether it fills missing values in them.

    Bands that are cropped or removed before any other step need no values.
    """
    whole = np.arange(len(axis), dtype=np.float32)[None]
    bands = whole
    for step in steps:
        if not isinstance(step, Crop | RemoveBands):
            break
        bands, axis = step.apply(bands, axis)
    fills = any(isinstance(step, Fill) for step in steps)
    return None if bands.shape == whole.shape else bands[0].astype(np.intp), fills


def usable(cube: Cube, steps: Sequence[Step]) -> DataMask:
    """Return which spectra of a cube hold data, ignoring missing values that `steps` fill or leave out."""
    bands, fills = bands_needed(steps, cube.axis)
    return holds_data(cube, partly=fills, bands=bands)


def nothing_held(cubes: Sequence[Cube], held: Sequence[DataMask], steps: Sequence[Step] = ()) -> str:
    """Return why no spectrum can be used, and what can be done."""
    names = ", ".join(repr(cube.name or "cube") for cube in cubes)
    total, missing = sum(one.mask.size for one in held), sum(one.missing for one in held)
    if not missing:
        return f"{names}: all {total:,} spectra are zero, so none can be used; choose other data"
    remedy = "choose other data"
    if not bands_needed(steps, cubes[0].axis)[1] and any(holds_data(cube, partly=True).count for cube in cubes):
        bands = missing_bands(cubes[0])
        remedy = "add 'fill' as the first step of the preparation"
        if bands:
            some = ", ".join(map(str, bands[:8])) + (", …" if len(bands) > 8 else "")
            remedy = f"remove the bands that are missing everywhere ({some}) with the step 'remove_bands', or {remedy}"
    return f"{names}: {missing:,} of {total:,} spectra contain NaN or infinite values, and no other spectrum is left; {remedy}"


def missing_bands(cube: Cube) -> list[int]:
    """Return the bands that are missing in each of up to a thousand spectra, spread evenly over a cube."""
    flat = cube.data.reshape(-1, cube.shape[-1])
    some = np.asarray(flat[:: max(1, -(-cube.count // 1000))], np.float32)
    return [int(band) for band in np.flatnonzero(~np.isfinite(some).any(0))]
