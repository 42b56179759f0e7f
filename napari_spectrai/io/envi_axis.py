"""The positions of the bands in an ENVI header, of raw values or of a TIFF next to it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.envi_fields import numbers_of, parse, parts_of, whole
from napari_spectrai.io.formats import envi_header
from napari_spectrai.io.found import positions, warn
from napari_spectrai.io.titles import from_labels
from napari_spectrai.remedies import give
from napari_spectrai.units import unit_of

_OPTICAL = (300, 2600)
"""Wavelengths in nm of cameras with silicon, InGaAs and MCT detectors; other instruments seldom omit the unit."""
_PLAIN = re.compile(r"\d{3,}(?:\.\d+)?|\d+\.\d+")


def axis_next_to(path: Path, bands: int) -> SpectralAxis | None:
    """Return the positions in the header next to an image of another format, if there is one that describes as many bands."""
    header = envi_header(path)
    if header is None:
        return None
    fields = parse(header)
    if whole(fields, "bands", 0) != bands:
        warn(path, f"{header.name} next to it describes {fields.get('bands', 'no')} bands, and it has {bands}; it is not used")
        return None
    return axis_of(header, fields, bands)


def axis_of(path: Path, fields: dict[str, str], bands: int) -> SpectralAxis | None:
    """Return the positions that a header gives to the bands, by its wavelengths, else by their names; a warning says why it has none."""
    try:
        values = numbers_of(fields.get("wavelength", ""))
    except ValueError:
        values = [np.nan]
    unit = fields.get("wavelength units", "").strip()
    if not values:
        names = parts_of(fields.get("band names", ""))
        named = from_labels([f"{name} {unit}" if unit and _PLAIN.fullmatch(name) else name for name in names], path)
        return named if named is not None and len(named) == bands else None
    if not np.isfinite(values).all():
        warn(path, f"its wavelengths are not all numbers; the bands are numbered. If they are known {give('axis')}")
        return None
    if len(values) != bands:
        warn(path, f"its header lists {len(values)} wavelengths for {bands} bands; none is used. If they are known {give('axis')}")
        return None
    if unit.lower() == "index":  # the file itself says that these are band numbers
        return SpectralAxis(np.array(values))
    title = fields.get("z plot titles", "").strip("{} ").partition(",")[0]
    if not unit and unit_of(title) is not None:
        unit = title
    if unit.lower() == "mhz":  # of nuclear resonances elsewhere, but of light here
        return positions(path, np.array(values) / 1e3, "GHz")
    return positions(path, values, unit, quantity="wavelengths" if not unit and _are_optical(values) else "")


def _are_optical(values: list[float]) -> bool:
    """Whether values are those of a camera's wavelengths in nm or µm, and neither wavenumbers nor numbers of bands."""
    shortest, longest = _OPTICAL
    in_um = values[-1] <= longest / 1000 and any(value % 1 for value in values)
    return values == sorted(values) and values[0] >= shortest * (1e-3 if in_um else 1) and (in_um or values[-1] <= longest)
