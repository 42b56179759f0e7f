"""What containers of several arrays share: choosing the cube among them, and finding its axis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import positions

_AXIS_NAMES = {
    "spectral_axis": "", "axis": "", "wavelengths": "nm", "wavelength": "nm", "wavelengths_nm": "nm", "lambda": "nm",
    "wl": "nm", "wavenumbers": "1/cm", "wavenumber": "1/cm", "wavenumber_cm1": "1/cm", "wn": "1/cm",
    "raman_shift": "1/cm", "energy": "eV",
}  # fmt: skip
_MAIN_NAMES = ("data", "cube", "spectra", "image", "hsi")
_POSITION = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(nm|um|µm|μm|cm-1|cm\^-1|cm⁻¹|1/cm|eV)\b")


def choose(arrays: Mapping[str, tuple[int, ...]], dataset: str | None) -> str:
    """Return the name of the array that is the cube: the one asked for, the only one, or the plainly main one.

    Raises
    ------
    ValueError
        If `dataset` is not among them, none has two dimensions (or is alone and has one), or the choice is open.
    """
    shown = [f"{name} {'×'.join(map(str, shape))}" for name, shape in arrays.items()]
    contents = ", ".join([*shown[:20], *([f"and {len(shown) - 20} more"] if len(shown) > 20 else [])]) or "nothing"
    if dataset is not None:
        if dataset not in arrays:
            raise ValueError(f"there is no array {dataset!r} in it; it holds {contents}")
        return dataset
    candidates = [name for name, shape in arrays.items() if sum(length > 1 for length in shape) >= 2]
    candidates = candidates or [name for name, shape in arrays.items() if len(shape) >= 2]
    if not candidates and len(arrays) == 1:  # one spectrum, alone in its file
        candidates = [name for name, shape in arrays.items() if len(shape) == 1 and shape[0]]
    if not candidates:
        raise ValueError(f"it holds no array of spectra (two or more dimensions, or one spectrum alone); it holds {contents}")
    most = max(len(arrays[name]) for name in candidates)
    deepest = [name for name in candidates if len(arrays[name]) == most]
    named = [name for name in deepest if name.rpartition("/")[2].lower() in _MAIN_NAMES]
    if len(deepest) > 1 and len(named) != 1:
        raise ValueError(f"it holds several arrays ({contents}); choose one with dataset=…")
    return (named or deepest)[0]


def find_axis(
    arrays: Mapping[str, Any], shape: tuple[int, ...], units: Mapping[str, str] | None = None, *, path: Path
) -> tuple[SpectralAxis | None, int | None]:
    """Return the axis among the 1-D `arrays`, told by its usual names and its length, and the dimension it fits; it is never guessed.

    The last dimension that fits is taken, so that a cube as wide as it has bands is read λ last.
    """
    for name, values in arrays.items():
        short = name.rpartition("/")[2].lower()
        flat = np.asarray(values).ravel()
        if short in _AXIS_NAMES and flat.size in shape and flat.dtype.kind in "fiu":
            place = len(shape) - 1 - shape[::-1].index(flat.size)
            unit = (units or {}).get(name, _AXIS_NAMES[short])
            return (positions(path, flat, unit) if unit else SpectralAxis(flat)), place
    return None, None


def from_labels(labels: Any) -> SpectralAxis | None:
    """Return the axis that channel names spell out (``"423 nm"``), if every one does, in one unit."""
    found = [_POSITION.search(str(label)) for label in labels]
    if not found or not all(found):
        return None
    units = {match.group(2) for match in found if match}
    return SpectralAxis(np.array([float(match.group(1)) for match in found if match]), units.pop()) if len(units) == 1 else None
