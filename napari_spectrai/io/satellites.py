"""What products of imaging spectrometers in orbit and in aircraft say elsewhere than in the array: PRISMA, NEON, EnMAP, DESIS, GDAL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import positions, warn
from napari_spectrai.io.titles import from_labels
from napari_spectrai.io.xml_text import plain_xml
from napari_spectrai.remedies import give

_LARGEST = 2**26
_PRISMA = re.compile(r"/(VNIR|SWIR)_Cube$")
_ROLES = {"scale": "scale", "offset": "offset", "description": "name"}
_WAVELENGTHS = ("wavelength", "central_wavelength_um", "center_wavelength", "central_wavelength", "wavelength_nm")


def prisma_scale(name: str, attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Return factor and offset of a cube of PRISMA by the attributes of its file: radiance of level 1, reflectance of level 2."""
    match = _PRISMA.search(name)
    part = match.group(1).capitalize() if match is not None else ""

    def given(key: str) -> float:
        return float(np.ravel(attributes[key])[0]) if key in attributes else np.nan

    low, high = given(f"L2Scale{part}Min"), given(f"L2Scale{part}Max")
    divisor, offset = given(f"ScaleFactor_{part}"), given(f"Offset_{part}")
    if not part:
        return 1.0, 0.0
    if "_L2" in name and np.isfinite([low, high]).all() and high > low:
        return (high - low) / 65535, low
    return (1 / divisor, -offset) if "_L1" in name and np.isfinite([divisor, offset]).all() and divisor > 0 else (1.0, 0.0)


def tiff_bands(path: Path, text: str, count: int) -> tuple[SpectralAxis | None, float, float]:
    """Return the axis of a GeoTIFF and the factor and offset of its values: by GDAL's metadata in it, else by the metadata next to it."""
    bands: dict[str, list[str]] = {}
    try:
        bands = gdal_bands(text, count) if text else {}
    except (ET.ParseError, ValueError):
        warn(path, "the metadata of its bands (GDAL) are damaged and not used")
    axis: SpectralAxis | None = None
    values = _numbers(bands.get("wavelength", []))
    if values is not None:
        axis = positions(path, values, bands["unit"][0] if len(bands["unit"]) == 1 else "", quantity="wavelength")
    elif named := bands.get("wavelength") or bands.get("name"):
        axis = from_labels(named, path)
    axis = axis or _of_companion(path, count)
    factor, offset = (_numbers(bands.get(key, [])) for key in ("scale", "offset"))
    alike = all(one is None or (one == one[0]).all() for one in (factor, offset))
    if not alike:
        warn(path, "its bands have scales of their own (GDAL), which are not applied")
    return axis, float(factor[0]) if factor is not None and alike else 1.0, float(offset[0]) if offset is not None and alike else 0.0


def _of_companion(path: Path, count: int) -> SpectralAxis | None:
    """Return the axis that the metadata next to an image of EnMAP or DESIS give."""
    other = companion(path)
    if other is None:
        return None
    try:
        centres = wavelengths_of(other)
    except (ET.ParseError, ValueError, OSError):
        centres = []
    if len(centres) == count:
        return SpectralAxis(np.array(centres), "nm")
    warn(path, f"{other.name} next to it names {len(centres)} wavelengths for its {count} bands; they are numbered; {give('axis')}")
    return None


def _numbers(words: Sequence[str]) -> npt.NDArray[np.float64] | None:
    try:
        return np.array([float(word) for word in words]) if words else None
    except ValueError:
        return None


def companion(path: Path) -> Path | None:
    """Return the metadata next to an image of EnMAP or DESIS, whose names differ in one part."""
    stem, count = re.subn(r"(?i)spectral_image(_\w+)?$", "METADATA", path.stem)
    if not count:
        return None
    return next((other for other in path.parent.iterdir() if other.stem == stem and other.suffix.lower() == ".xml"), None)


def wavelengths_of(xml: Path) -> list[float]:
    """Return the centres of the bands in nm from metadata of EnMAP or DESIS."""
    if xml.stat().st_size > _LARGEST:
        return []
    root = plain_xml(xml.read_text("utf-8", "replace"))
    found = [element.text for element in root.iter() if element.tag.rpartition("}")[2] == "wavelengthCenterOfBand"]
    return [float(words) for words in found if words]


def gdal_bands(text: str, count: int) -> dict[str, list[str]]:
    """Return what GDAL's metadata give for each of `count` bands: wavelength and its unit, name, scale, offset; what all bands have."""
    found: dict[str, dict[int, str]] = {}
    for item in plain_xml(text).iter("Item"):
        number = item.get("sample") or ""
        role, called = item.get("role") or "", (item.get("name") or "").casefold()
        key = _ROLES.get(role, called if called not in _ROLES.values() else "")
        if number.isdigit() and int(number) < count:
            found.setdefault(key, {})[int(number)] = (item.text or "").strip()
    whole = {key: [said[number] for number in range(count)] for key, said in found.items() if len(said) == count}
    named = next((key for key in _WAVELENGTHS if key in whole), None)
    bands: dict[str, list[str]] = {key: said for key, said in whole.items() if key in _ROLES.values()}
    if named is not None:
        suffix = named.rpartition("_")[2] if named.endswith(("_um", "_nm")) else ""
        units = whole.get("wavelength_units") or whole.get("wavelength_unit") or [suffix]
        bands |= {"wavelength": whole[named], "unit": sorted(set(units))}
    return bands
