"""Universal spectroscopic data (pyUSID): a matrix of pixels and bands, whose places and positions other data sets list by reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from napari_spectrai.io.axis_lists import of_values
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import MOST_BANDS, RawArray, affordable
from napari_spectrai.io.grids import laid_out
from napari_spectrai.io.nexus import is_own, text

_PLACES, _BANDS = "Position_Values", "Spectroscopic_Values"


def read(file: h5py.File, dataset: str | None, path: Path, arrays: Mapping[str, h5py.Dataset]) -> RawArray | None:
    """Return the requested or the only such matrix as an image, or as a set of spectra; None where there is none, or are several.

    None, too, where its values depend on more than one quantity, as on a voltage and a frequency.
    """
    listed = {name: _listed(file, item) for name, item in arrays.items() if _BANDS in item.attrs and item.ndim == 2}
    known = {name: found for name, found in listed.items() if found is not None}
    name = dataset if dataset is not None else next(iter(known), "") if len(known) == 1 else ""
    if name not in known:
        return None
    places, bands = known[name]
    words, units = _names(bands, "labels"), _names(bands, "units")
    axis = of_values(path, np.ravel(bands[()]).astype(np.float64), (units or [""])[0], (words or [""])[0])
    sides = {word.strip().casefold()[:1]: column for column, word in enumerate(_names(places, "labels"))}
    said = dict(enumerate(_names(places, "units")))
    coordinates, of_sides = {}, {}
    for side in "xyz":
        if side in sides and sides[side] < places.shape[1]:
            of_sides[side], factor = length_of(said.get(sides[side], ""))
            coordinates[side] = places[:, sides[side]].astype(np.float64) * factor
    affordable(arrays[name].shape, np.float64)
    return replace(laid_out(path, arrays[name][()], axis, coordinates, of_sides), dataset=name)


def _listed(file: h5py.File, main: h5py.Dataset) -> tuple[h5py.Dataset, h5py.Dataset] | None:
    """Return the data sets of the places and of the positions of a matrix, if it refers to both and has only one of the latter."""
    found = []
    for key in (_PLACES, _BANDS):
        reference = main.attrs.get(key)
        item = file[reference] if isinstance(reference, h5py.Reference) and reference else None
        if (
            not isinstance(item, h5py.Dataset)
            or not is_own(item)
            or item.ndim != 2
            or item.dtype.kind not in "fiu"
            or item.size > MOST_BANDS
        ):
            return None
        found.append(item)
    places, bands = found
    return (places, bands) if bands.shape == (1, main.shape[1]) and places.shape[0] == main.shape[0] else None


def _names(item: h5py.Dataset, key: str) -> list[str]:
    return [text(word) for word in np.ravel(item.attrs[key])] if key in item.attrs and not isinstance(item.attrs[key], h5py.Empty) else []
