"""Tables in HDF5 files (data sets with fields): one value per line and column, or one spectrum per line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.io.axis_lists import find_axis
from napari_spectrai.io.columns import COORDINATES, counts_up, in_order, role_of
from napari_spectrai.io.facts import Facts, length_unit
from napari_spectrai.io.found import RawArray, SeveralArraysError, affordable, positions, warn
from napari_spectrai.io.grids import laid_out
from napari_spectrai.io.nexus import is_own, text
from napari_spectrai.io.tables import Table
from napari_spectrai.io.text import of_table
from napari_spectrai.remedies import give, where
from napari_spectrai.units import quantity_of, unit_of, usual_unit

_NUMBERS, _WORDS = "fiub", "SO"


def tables(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the data sets with fields, of one dimension, that are stored in this file itself."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.names and len(item.shape) == 1 and item.size and is_own(item):
            found[name] = item

    file.visititems(visit)
    return found


def inspected(found: Mapping[str, h5py.Dataset]) -> dict[str, tuple[int, ...]]:
    """Return lines and columns of each table."""
    return {name: (item.size, len(item.dtype.names)) for name, item in found.items()}


def only(found: Mapping[str, h5py.Dataset]) -> str:
    """Return the name of the only table."""
    if len(found) > 1:
        raise SeveralArraysError(f"it holds several tables ({', '.join(found)}); choose one {where('dataset')}")
    return next(iter(found))


def read(path: Path, item: h5py.Dataset, others: Mapping[str, Any], units: Mapping[str, str]) -> RawArray:
    """Read a table.

    Parameters
    ----------
    others, units : lists of the file that may be positions of the bands, and what it says of their units
    """
    name = item.name.lstrip("/")
    affordable((2 * item.size,), item.dtype)
    stored = item[()]
    fields = {key: stored[key] for key in item.dtype.names}
    wide = [key for key, values in fields.items() if values.ndim == 2 and values.dtype.kind in _NUMBERS]
    if len(wide) > 1:
        raise SeveralArraysError(f"its table {name!r} holds several spectra per line ({', '.join(wide)}); save one as an array")
    words = {key: [text(one) for one in values] for key, values in fields.items() if values.ndim == 1 and values.dtype.kind in _WORDS}
    numbers = {key: values.astype(np.float64) for key, values in fields.items() if values.ndim == 1 and values.dtype.kind in _NUMBERS}
    if not wide:
        columns = [key for key in fields if key in numbers or key in words]
        empty = np.full(item.size, np.nan)
        table = Table(
            np.column_stack([numbers.get(key, empty) for key in columns]),
            {number: words[key] for number, key in enumerate(columns) if key in words},
            tuple(_titled(key, numbers.get(key, empty)) for key in columns),
        )
        return replace(of_table(path, table, Facts()), dataset=name)
    spectra = fields[wide[0]]
    along = next((key for key, values in numbers.items() if _is_position(key, values)), None)
    if along is not None:  # a line for each band
        unit = along if unit_of(along) is not None else ""
        return RawArray(spectra, spectral=0, axis=positions(path, numbers[along], unit, quantity=along), dataset=name)
    axis, _ = find_axis(others, (1, spectra.shape[1]), units, path=path, main=name)
    if axis is None and f"{wide[0]}_kind" in item.attrs:
        warn(path, f"pandas has pickled the names of its columns, which are not read; its bands are numbered; {give('axis')}")
    coordinates = {side: values for key, values in numbers.items() if (side := role_of(key)) in COORDINATES}
    lengths = {role_of(key): length_unit(key) for key in numbers if role_of(key) in coordinates}
    labels = next((values for key, values in words.items() if role_of(key) in ("label", "")), None)
    return laid_out(path, spectra, axis, coordinates, lengths, metadata={} if labels is None else {"labels": labels}, dataset=name)


def _titled(name: str, values: Any) -> str:
    """Return the name of a field of positions with the unit that is custom for such values, as for arrays of this name."""
    usual = usual_unit(quantity_of(name), values) if role_of(name) == "position" and unit_of(name) is None else None
    return f"{name} ({usual.name})" if usual is not None and usual.factor == 1 and usual.name == "nm" else name


def _is_position(name: str, values: Any) -> bool:
    """Whether a field holds the positions of bands, one per line: by its name, or as the index of a table of pandas."""
    if role_of(name) != "position" and name != "index":
        return False
    return in_order(values) and not counts_up(values)
