"""Formats that RosettaSciIO (GPL) knows, from the ``formats`` extra.

Nothing here is imported unless such a file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.io import hdf5
from napari_spectrai.io.container import choose
from napari_spectrai.io.coordinates import placement
from napari_spectrai.io.found import RawArray, affordable, positions
from napari_spectrai.io.hdf5_axes import positions_of
from napari_spectrai.io.hdf5_heaps import check_heaps, open_hdf5
from napari_spectrai.io.optional import need
from napari_spectrai.units import quantity_of, unit_of

_READERS = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".tvf": "trivista", ".img": "hamamatsu", ".bcf": "bruker", ".spx": "bruker",
    ".hspy": "hspy", ".emd": "emd", ".sur": "digitalsurf", ".pro": "digitalsurf", ".xml": "jobinyvon",
}  # fmt: skip

_HEAD = 2**16


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return what the file holds."""
    if _is_read_here(path):
        return hdf5.inspect(path)
    return {name: tuple(entry["data"].shape) for name, entry in _entries(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read one measurement."""
    if _is_read_here(path):
        return hdf5.read(path, dataset=dataset)
    entries = _entries(path)
    name = choose({name: (1, *entry["data"].shape) for name, entry in entries.items()}, dataset, path)
    return replace(_rosetta(path, entries[name]), dataset=name)


def _is_read_here(path: Path) -> bool:
    """Whether a file of HDF5 is read without RosettaSciIO: EMD of the Berkeley layout, and HyperSpy's."""
    suffix = path.suffix.lower()
    return (suffix == ".emd" and _names_dimensions(path)) or (suffix == ".hspy" and h5py.is_hdf5(path))


def _names_dimensions(path: Path) -> bool:
    """Whether a file is EMD of the Berkeley layout, whose groups hold ``data`` with ``dim1``, ``dim2``, …; not of other microscopes."""
    if not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        arrays = hdf5.datasets(file)
        return any(name.rpartition("/")[2] == "data" and f"{name.rpartition('/')[0]}/dim1" in arrays for name in arrays)


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """Return the measurements by their titles, which are numbered where they repeat."""
    if path.suffix.lower() in (".tvf", ".xml"):
        _plain_xml(path)
    check_heaps(path)
    reader = need(f"rsciio.{_READERS[path.suffix.lower()]}", "this vendor's format")
    found: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(reader.file_reader(str(path))):
        title = str(entry.get("metadata", {}).get("General", {}).get("title", "") or number)
        found[f"{title} {number}" if title in found else title] = entry
    return found


def _plain_xml(path: Path) -> None:
    """Refuse XML that is too large to be held, that declares entities, which may expand without end, or that is of other programs."""
    affordable((path.stat().st_size * 30,), np.uint8)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if re.search(rb"<!(DOCTYPE|ENTITY)", head):
        raise ValueError("its XML declares entities; that is refused")
    if path.suffix.lower() == ".xml" and b"LSX_" not in head.replace(b"\0", b""):
        raise ValueError("it is no XML of LabSpec, the only one that is read; save its spectra as text")


def _rosetta(path: Path, entry: dict[str, Any]) -> RawArray:
    """Return what RosettaSciIO found; its signal axis is the spectral one."""
    data, axes = entry["data"], entry["axes"]
    if data.ndim == 1:
        data, axes = data[None], [{"navigate": True, "size": 1}, *axes]
    signal = [number for number, axis in enumerate(axes) if not axis.get("navigate", False)]
    if len(signal) != 1:  # a container that does not distinguish them, or a stack of images along the bands
        spectra = [number for number, axis in enumerate(axes) if _is_spectral(axis)]
        signal = [number for number in signal if number in spectra] or (spectra if len(spectra) == 1 else signal)
    if len(signal) != 1:
        raise ValueError(f"it holds pictures ({len(signal)} signal dimensions), not spectra")
    place = signal[0]
    band = axes[place]
    values = positions_of(band)
    names = [f"{number}/{axis.get('name') or ''}" for number, axis in enumerate(axes)]
    units = {name: str(axis.get("units") or "") for name, axis in zip(names, axes, strict=True)}
    known = {number: axis for number, axis in enumerate(axes) if number != place and ("axis" in axis or axis.get("scale"))}
    lies = placement(names, place, units, {number: positions_of(axis) for number, axis in known.items()}, data.shape)
    return RawArray(
        data, spectral=place, axis=positions(path, values, str(band.get("units", "") or ""), quantity=str(band.get("name", "") or "")),
        pixel_size=lies.pixel_size, pixel_unit=lies.pixel_unit, metadata=lies.metadata,
    )  # fmt: skip


def _is_spectral(axis: Mapping[str, Any]) -> bool:
    """Whether the name or the unit of an axis is one of spectra alone."""
    unit = unit_of(str(axis.get("units") or ""))
    return quantity_of(str(axis.get("name") or "")) != "" or (unit is not None and unit.name in ("eV", "1/cm", "m/z"))
