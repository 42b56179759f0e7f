"""Formats that other libraries know, from the ``formats`` extra: Bruker OPUS, imzML, and what RosettaSciIO (GPL) reads.

Nothing here is imported unless such a file is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions
from napari_spectrai.io.optional import need

_READERS = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".tvf": "trivista", ".img": "hamamatsu", ".bcf": "bruker", ".spx": "bruker",
    ".hspy": "hspy", ".emd": "emd", ".msa": "msa", ".sur": "digitalsurf", ".pro": "digitalsurf", ".xml": "jobinyvon",
}  # fmt: skip
_OPUS = ("a", "r", "t", "sm", "rf", "igsm")


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return what the file holds."""
    if path.suffix.lower() not in _READERS:
        found = read(path)
        return {found.name or "data": tuple(found.data.shape)}
    return {_title(entry, number): tuple(entry["data"].shape) for number, entry in enumerate(_entries(path))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read one measurement."""
    suffix = path.suffix.lower()
    if suffix == ".imzml":
        return _imzml(path)
    if suffix not in _READERS:
        return _opus(path, dataset)
    entries = {_title(entry, number): entry for number, entry in enumerate(_entries(path))}
    return _rosetta(path, entries[choose({name: (1, *entry["data"].shape) for name, entry in entries.items()}, dataset)])


def _entries(path: Path) -> list[dict[str, Any]]:
    reader = need(f"rsciio.{_READERS[path.suffix.lower()]}", "this vendor's format")
    return list(reader.file_reader(str(path)))


def _title(entry: dict[str, Any], number: int) -> str:
    return str(entry.get("metadata", {}).get("General", {}).get("title", "") or number)


def _rosetta(path: Path, entry: dict[str, Any]) -> RawArray:
    """Return what RosettaSciIO found; its signal axis is the spectral one."""
    data, axes = entry["data"], entry["axes"]
    if data.ndim == 1:
        data, axes = data[None], [{"navigate": True, "size": 1}, *axes]
    signal = [number for number, axis in enumerate(axes) if not axis.get("navigate", False)]
    if len(signal) != 1:
        raise ValueError(f"it holds pictures ({len(signal)} signal dimensions), not spectra")
    place = signal[0]
    band = axes[place]
    values = band["axis"] if "axis" in band else band["offset"] + band["scale"] * np.arange(band["size"])
    rest = [axis for number, axis in enumerate(axes) if number != place][-2:]
    size = tuple(abs(float(axis["scale"])) for axis in rest if axis.get("scale"))
    unit = str(rest[-1].get("units", "")).replace("µm", "um") if rest else ""
    sized = len(size) == 2 and unit in ("um", "nm", "mm")
    return RawArray(
        data, spectral=place, axis=positions(path, values, str(band.get("units", "") or "")),
        pixel_size=(size[0], size[1]) if sized else None, pixel_unit=unit if sized else "pixel",
    )  # fmt: skip


def _opus(path: Path, dataset: str | None) -> RawArray:
    """Return a block of an OPUS file: absorbance if there is one."""
    measured = need("brukeropus", "Bruker OPUS").read_opus(str(path))
    blocks = {name: getattr(measured, name) for name in _OPUS if getattr(measured, name, None) is not None}
    if not blocks:
        raise ValueError("it holds no spectrum")
    block = blocks[dataset if dataset in blocks else next(iter(blocks))]
    data = np.atleast_2d(np.asarray(block.y, np.float64))
    return RawArray(data, axis=positions(path, block.x, "1/cm"), name=str(getattr(measured, "sample_name", "") or ""))


def _imzml(path: Path) -> RawArray:
    """Return a continuous imzML image; a processed one keeps other masses at each pixel and has no common axis."""
    parser_module = need("pyimzml.ImzMLParser", "imzML")
    with parser_module.ImzMLParser(str(path)) as parser:
        places = np.array(parser.coordinates)[:, :2] - 1
        masses, _ = parser.getspectrum(0)
        width, height = (places.max(0) + 1).tolist()
        affordable((height, width, len(masses)), np.float32)
        image = np.full((height, width, len(masses)), np.nan, np.float32)
        for number, (x, y) in enumerate(places):
            here, values = parser.getspectrum(number)
            if len(here) != len(masses) or not np.array_equal(here, masses):
                raise ValueError("its pixels hold different masses (a processed imzML); bin them to a common axis first")
            image[y, x] = values
    return RawArray(image, axis=positions(path, masses, "m/z"))
