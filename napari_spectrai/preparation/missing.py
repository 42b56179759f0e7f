"""Which missing values a preparation mends or leaves out, so that they do not cost a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.preparation.axis import Crop, Fill, RemoveBands
from napari_spectrai.preparation.step import Step
from napari_spectrai.valid import DataMask, holds_data


def bands_needed(steps: Sequence[Step], axis: SpectralAxis) -> tuple[npt.NDArray[np.intp] | None, bool]:
    """Return the bands whose missing values a preparation cannot do without (None: all), and whether it fills what is missing there.

    Bands that are cropped or removed before anything else is done need no values.
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
    """Return which spectra of a cube hold data once the missing values that `steps` fill or leave out do not count."""
    bands, fills = bands_needed(steps, cube.axis)
    return holds_data(cube, partly=fills, bands=bands)


def nothing_held(cubes: Sequence[Cube], held: Sequence[DataMask], steps: Sequence[Step] = ()) -> str:
    """Return why there is nothing to work on where no spectrum holds data, and what can be done."""
    names = ", ".join(repr(cube.name or "cube") for cube in cubes)
    total, missing = sum(one.mask.size for one in held), sum(one.missing for one in held)
    if not missing:
        return f"{names}: all {total:,} spectra are zero, so there is nothing to work on; choose other data"
    remedy = "choose other data"
    if not bands_needed(steps, cubes[0].axis)[1] and any(holds_data(cube, partly=True).count for cube in cubes):
        bands = missing_bands(cubes[0])
        remedy = "begin the preparation with the step 'fill'"
        if bands:
            some = ", ".join(map(str, bands[:8])) + (", …" if len(bands) > 8 else "")
            remedy = f"remove the bands that are missing everywhere ({some}) with the step 'remove_bands', or {remedy}"
    return f"{names}: {missing:,} of {total:,} spectra hold NaN or infinite values, and no spectrum is left; {remedy}"


def missing_bands(cube: Cube) -> list[int]:
    """Return the bands that are missing in every one of up to a thousand spectra that are spread evenly over a cube."""
    flat = cube.data.reshape(-1, cube.shape[-1])
    some = np.asarray(flat[:: max(1, -(-cube.count // 1000))], np.float32)
    return [int(band) for band in np.flatnonzero(~np.isfinite(some).any(0))]
