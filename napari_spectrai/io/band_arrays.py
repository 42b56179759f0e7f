"""Containers of one array for each band, whose names give the positions of the bands: ``410nm``, ``Rrs_412``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.channel_names import axis_of_names
from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.band_images import BARE, WITH_UNIT, stacks_of
from napari_spectrai.io.found import RawArray, warn
from napari_spectrai.notices import noting
from napari_spectrai.remedies import is_answered, where

_CALLED = re.compile(
    r"(?:rrs|nlw|l[wt]|[tb]oa|sr|rho|refl\w*?|rad\w*?|[blrimx]|bands?|wl|wvl|wavelength|lambda|img|image|ch|channel)(?:_?[a-z])?[_ -]?\d",
    re.IGNORECASE,
)
"""Names of the planes of an image before a number without a unit; those of sets of spectra, such as ``train_100``, are none."""
_LEAST, _MOST, _SHORTEST, _LONGEST = 3, 1000, 100.0, 30_000.0
"""Arrays that make a stack, at least and at most, and the wavelengths in nm that bare numbers in names may be."""


def stack_of_bands(path: Path, call: Callable[..., Any]) -> RawArray | None:
    """Return the arrays of a container as the bands of one image, with a warning, if their names say that they are; else None.

    Parameters
    ----------
    call : calls a function of the container's reader, ``"inspect"`` or ``"read"``, with its options
    """
    if is_answered("spectral") or is_answered("shape"):
        return None
    names, axis, sure = _bands_in(call("inspect"))
    if axis is None:
        return None
    with noting():  # of what one plane alone would be
        found: list[RawArray] = [call("read", dataset=name) for name in names]
    if len({tuple(one.data.shape) for one in found}) > 1:
        return None
    taken = "positions of bands" if sure else "wavelengths of bands in nm"
    called = f"its {len(names)} arrays {names[0]} to {names[-1]} are taken for one image, and the numbers in their names for {taken}"
    warn(path, f"{called}; if that is wrong choose one {where('dataset')}")
    import dask.array as da

    data = da.stack([da.asarray(one.data) for one in found])
    return replace(found[0], data=data, spectral=0, sure=True, axis=axis, by_length=False, name="", dataset="", metadata={})


def _bands_in(shapes: Mapping[str, tuple[int, ...]]) -> tuple[list[str], SpectralAxis | None, bool]:
    """Return the names of the planes that are the bands of the only image in a container, its axis, and whether they state its unit."""
    planes = {name: shape for name, shape in shapes.items() if len(shape) == 2 and min(shape) > 1}
    shape, count = Counter(planes.values()).most_common(1)[0] if planes else ((), 0)
    if not _LEAST <= count <= _MOST:
        return [], None, False
    named = {Path(f"{name.replace('/', '|')}.array"): name for name, one in planes.items() if one == shape}  # whose stem is the name
    known = stacks_of(list(named), WITH_UNIT)
    stacks = known or stacks_of([one for one in named if _CALLED.match(one.stem.rpartition("|")[2])], BARE)
    if len(stacks) != 1:
        return [], None, False
    (bands,) = stacks.values()
    values = np.array([band.value for band in bands])
    names = [named[band.path] for band in bands]
    if known:
        return names, axis_of_names([band.words for band in bands])[0], True
    plausible = values[0] >= _SHORTEST and values[-1] <= _LONGEST and not (np.diff(values) == 1).all()
    return names, SpectralAxis(values, "nm") if plausible else None, False
