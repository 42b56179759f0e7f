"""Spectra of HDF5 that lie in groups, one each, with or without their positions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from napari_spectrai.io.axis_lists import of_values
from napari_spectrai.io.container import is_axis, is_excluded, short_name
from napari_spectrai.io.found import RawArray, affordable
from napari_spectrai.units import unit_of

_LEAST_BANDS = 3


def in_groups(path: Path, arrays: Mapping[str, h5py.Dataset], units: Mapping[str, str]) -> RawArray | None:
    """Return the spectra of several groups, which are called the same and are equally long, as a set; None where there is anything else.

    Raises
    ------
    ValueError
        If they lie at different positions.
    """
    lists = {name: item for name, item in arrays.items() if item.size > 1}
    if not lists or any(max(item.shape) != item.size or "/" not in name for name, item in lists.items()):
        return None
    called: dict[str, list[str]] = {}
    for name in lists:
        called.setdefault(short_name(name), []).append(name)
    spectra = [short for short in called if not is_axis(short) and not is_excluded(short)]
    spectra = ["y"] if set(spectra) == {"x", "y"} else spectra
    if len(spectra) != 1 or len(called) > 2:
        return None
    names = called[spectra[0]]
    length = lists[names[0]].size
    if len(names) < 2 or length < _LEAST_BANDS or any(item.size != length for item in lists.values()):
        return None
    affordable((len(lists), length), np.float64)
    axis = None
    for other in called.keys() - set(spectra):
        positions = [np.ravel(lists[name][()]) for name in called[other]]
        if any(not np.array_equal(one, positions[0]) for one in positions):
            raise ValueError(f"its {len(names)} spectra lie at different positions; choose one of {', '.join(names[:6])} as its dataset")
        first = called[other][0]
        axis = of_values(path, positions[0], units.get(first) or (other if unit_of(other) is not None else ""), other)
    labels = [name.rpartition("/")[0].rpartition("/")[2] for name in names]
    return RawArray(np.stack([np.ravel(lists[name][()]) for name in names]), axis=axis, metadata={"labels": labels})
