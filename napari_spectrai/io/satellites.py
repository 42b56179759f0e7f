"""What products of imaging spectrometers in orbit and in aircraft say elsewhere than in the array: PRISMA, NEON, EnMAP, DESIS, GDAL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import positions, scaled_bands, unpacked, warn
from napari_spectrai.io.titles import from_labels
from napari_spectrai.io.xml_text import plain_xml
from napari_spectrai.remedies import give

FloatList = npt.NDArray[np.float64]

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


@dataclass(frozen=True, slots=True)
class TiffBands:
    """What is known of the bands of a GeoTIFF: their axis, and the factors and offsets of their values, one for all or one for each."""

    axis: SpectralAxis | None = None
    factors: tuple[float, ...] = (1.0,)
    offsets: tuple[float, ...] = (0.0,)

    def scaled(self, data: Any, place: int, missing: float | None) -> Any:
        """Return stored values in the scale of their bands, which lie along dimension `place`."""
        if len(set(self.factors)) == len(set(self.offsets)) == 1:
            return unpacked(data, factor=self.factors[0], offset=self.offsets[0], missing=missing)
        return scaled_bands(unpacked(data, missing=missing), self.factors, self.offsets, place)


def tiff_bands(path: Path, text: str, count: int) -> TiffBands:
    """Return what GDAL's metadata in a GeoTIFF say of its bands, or the metadata next to it."""
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
    factors, offsets = (_numbers(bands.get(key, [])) for key in ("scale", "offset"))
    found = TiffBands(axis, *_all(factors, offsets, count))
    if axis is None and (other := _of_companion(path, count)) is not None:
        found = replace(found, axis=other.axis) if len(other.factors) == 1 else other
    if len({*found.factors}) > 1 or len({*found.offsets}) > 1:
        warn(path, "its bands have scales of their own, which are applied: the values are those stored × scale + offset")
    return found


def _all(factors: FloatList | None, offsets: FloatList | None, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return factors and offsets of as many bands, 1 and 0 where none are known."""
    given = (np.ones(count) if factors is None else factors, np.zeros(count) if offsets is None else offsets)
    return tuple(given[0].tolist()), tuple(given[1].tolist())


def _of_companion(path: Path, count: int) -> TiffBands | None:
    """Return what the metadata next to an image of EnMAP or DESIS say of its bands.

    Their gains count where those of the bands differ, so that spectra keep their shape; one factor for all is left to the user.
    """
    other = companion(path)
    if other is None:
        return None
    try:
        found = _characterised(other)
    except (ET.ParseError, ValueError, OSError):
        found = {}
    centres = found.get("wavelengthcenterofband", [])
    if len(centres) != count:
        warn(path, f"{other.name} next to it names {len(centres)} wavelengths for its {count} bands; they are numbered; {give('axis')}")
        return None
    gains, offsets = (found.get(key, []) for key in ("gainofband", "offsetofband"))
    axis = SpectralAxis(np.array(centres), "nm")
    if len(gains) != count or len(offsets) not in (0, count) or (len({*gains}) == 1 and len({*offsets}) <= 1):
        return TiffBands(axis)
    return TiffBands(axis, tuple(gains), tuple(offsets or [0.0] * count))


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
    return next(
        (other for other in path.parent.iterdir() if other.stem == stem and other.suffix.lower() == ".xml" and other.is_file()), None
    )


def _characterised(xml: Path) -> dict[str, list[float]]:
    """Return the numbers that metadata of EnMAP or DESIS give for each band, by the names of their elements in lower case."""
    found: dict[str, list[float]] = {}
    if xml.stat().st_size > _LARGEST:
        return found
    for element in plain_xml(xml.read_text("utf-8", "replace")).iter():
        name = element.tag.rpartition("}")[2].casefold()
        if name.endswith("ofband") and element.text:
            found.setdefault(name, []).append(float(element.text))
    return found


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
