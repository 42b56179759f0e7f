"""Tables of pandas in HDF5 (``to_hdf`` in its fixed format): values with the labels of their columns and of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.axis_lists import of_values
from napari_spectrai.io.columns import counts_up, in_order
from napari_spectrai.io.container import short_name
from napari_spectrai.io.nexus import text
from napari_spectrai.units import quantity_of, unit_of

_VALUES = "block0_values"
_LABELS = ((1, "block0_items"), (0, "axis1"))
"""Dimensions of the values, and the data sets that label them: columns, and rows."""
_PICKLED = "."
"""How a name ends that is no text: what pandas pickles is not read."""


def frame_axis(path: Path, main: h5py.Dataset, arrays: Mapping[str, h5py.Dataset]) -> tuple[int, SpectralAxis] | None:
    """Return the dimension of the bands and their positions, if the labels of columns or rows are positions.

    Those that are called as positions are, else those of the columns, then those of the rows; running numbers are none.
    """
    if short_name(main.name) != _VALUES or main.ndim != 2:
        return None
    folder = main.name.rpartition("/")[0].strip("/")
    found = []
    for place, key in _LABELS:
        item = arrays.get(f"{folder}/{key}".strip("/"))
        if item is None or item.shape != (main.shape[place],):
            continue
        values = np.asarray(item[()], np.float64)
        name = text(item.attrs.get("name", ""))
        if in_order(values) and not counts_up(values):
            found.append((quantity_of(name) == "", place, values, "" if name.endswith(_PICKLED) else name))
    if not found:
        return None
    _, place, values, name = min(found, key=lambda one: one[0])
    return place, of_values(path, values, name if unit_of(name) is not None else "", name)
