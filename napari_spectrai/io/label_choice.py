"""Which array of a container holds the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.container import is_axis
from napari_spectrai.io.found import SeveralArraysError, warn
from napari_spectrai.remedies import where

_NAMES = ("labels", "gt", "ground_truth", "mask", "label", "classes", "truth", "data")


def images_of_labels(arrays: Mapping[str, tuple[int, ...]], dataset: str | None) -> Mapping[str, tuple[int, ...]]:
    """Return the label images of an OME-Zarr store, each in its highest resolution, where it has some; else all of its arrays."""
    levels: dict[str, list[str]] = {}
    for name in arrays:
        folder = name.rpartition("/")[0]
        if "labels" in folder.split("/"):
            levels.setdefault(folder, []).append(name)
    found = [max(names, key=lambda name: math.prod(arrays[name])) for names in levels.values()]
    return {name: arrays[name] for name in found} if found and dataset is None else arrays


def chosen(arrays: Mapping[str, tuple[int, ...]], dataset: str | None, path: Path, kinds: Mapping[str, np.dtype[Any]] | None = None) -> str:
    """Return the requested array, the only one, the one that is called as labels are, or the only image of whole numbers."""
    contents = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in arrays.items()) or "nothing"
    if dataset is not None:
        if dataset not in arrays:
            raise ValueError(f"there is no array {dataset!r} in it; it holds {contents}")
        return dataset
    if len(arrays) == 1:
        return next(iter(arrays))
    named = list(dict.fromkeys(name for wanted in _NAMES for name in arrays if name.rpartition("/")[2].lower().endswith(wanted)))
    if not named:
        words = [name for name in arrays if kinds is not None and kinds[name].kind in "USOT" and not is_axis(name)]
        if len(words) == 1:
            return words[0]
        whole = [name for name in arrays if kinds is not None and kinds[name].kind in "iub" and len(arrays[name]) > 1]
        if len(whole) == 1:
            return whole[0]
        raise SeveralArraysError(f"it holds {contents}, and none is called {', '.join(_NAMES[:-1])}; choose one {where('dataset')}")
    alike = [name for name in named if len(arrays[name]) == len(arrays[named[0]])]
    if len(alike) > 1:
        listing = f"it holds several arrays that may be labels ({', '.join(alike)})"
        warn(path, f"{listing}; {named[0]!r} is read. Choose another {where('dataset')}")
    return named[0]
