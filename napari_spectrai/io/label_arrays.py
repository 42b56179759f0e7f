"""Labels in containers of arrays: ``.npz``, ``.mat``, HDF5 and Zarr, as numbers or as the names of classes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.io.arrays import member, members_of
from napari_spectrai.io.coordinates import upright_labels
from napari_spectrai.io.found import affordable
from napari_spectrai.io.hdf5 import datasets
from napari_spectrai.io.hdf5_dimensions import names_of_sides
from napari_spectrai.io.hdf5_heaps import open_hdf5
from napari_spectrai.io.label_choice import chosen, images_of_labels
from napari_spectrai.io.label_values import NAMES_OF_CLASSES, numbered, texts, without
from napari_spectrai.io.matlab_tags import check_tags
from napari_spectrai.io.nexus import is_own, text

_KINDS = "fiubUSOT"
_MOST_NAMES = 2**16
_REAL = np.dtype(np.float64)
_WORDS_FOR_CLASSES = ("class", "class_name", "name", "label")


def of_container(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    """Return the labels of a container, numbers or texts, and the names of the classes that it gives to numbers."""
    return {".npz": _archive, ".zarr": _store, ".mat": _matlab}.get(path.suffix.lower(), _hdf5)(path, dataset)


def _apart(kinds: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Return the arrays that may be labels, with their shapes, and those that list the names of classes."""
    of_text = {key for key, (shape, dtype) in kinds.items() if dtype.kind in "USOT"}
    listed = [key for key, (shape, _) in kinds.items() if key in of_text and len(shape) == 1 and NAMES_OF_CLASSES.fullmatch(_short(key))]
    others = [key for key, (_, dtype) in kinds.items() if dtype.kind in "fiub"]
    listed = listed if others else []  # alone, they are the classes of spectra
    shapes = {
        key: shape for key, (shape, dtype) in kinds.items()
        if dtype.kind in _KINDS and key not in listed and (key not in of_text or math.prod(shape) > 1)
    }  # fmt: skip
    return shapes, [key for key in listed if math.prod(kinds[key][0]) <= _MOST_NAMES]


def _short(name: str) -> str:
    return name.rpartition("/")[2].casefold()


def _archive(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    members = members_of(path)
    known = {key: one for key, one in members.items() if key not in ("metadata", "header")}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        shapes, listed = _apart(known)
        name = chosen(shapes, dataset, path, {key: members[key][1] for key in shapes})
        affordable(*members[name])
        data = member(archive, name)
        names: Any = ()
        if listed and data.dtype.kind in "fiub":
            affordable(*members[listed[0]])
            names = texts(member(archive, listed[0]))
        return data, numbered(names, data)


def _store(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    from napari_spectrai.io.zarr import dimensions_of
    from napari_spectrai.io.zarr_arrays import arrays_of, refuse_unsafe

    stored = arrays_of(path)
    shapes, listed = _apart({key: (item.shape, np.dtype(item.dtype)) for key, item in stored.items()})
    name = chosen(images_of_labels(shapes, dataset), dataset, path, {key: np.dtype(stored[key].dtype) for key in shapes})
    array: Any = stored[name]
    affordable(array.shape, array.dtype)
    refuse_unsafe(array)
    kept = dict(array.attrs).get("class_names", {}) or _properties(path, name)
    data = upright_labels(np.asarray(array[...]), dimensions_of(array))
    if listed and not kept and data.dtype.kind in "fiub":
        refuse_unsafe(stored[listed[0]])
        return data, numbered(texts(np.asarray(stored[listed[0]][...])), data)
    return without(data, dict(array.attrs).get("_FillValue")), {int(value): str(word) for value, word in kept.items()}


def _properties(path: Path, name: str) -> dict[Any, str]:
    """Return the names of classes that the label image of an OME-Zarr gives to its numbers."""
    from napari_spectrai.io.zarr_stores import members_of as members_of_store

    group = members_of_store(path).get(name.rpartition("/")[0])
    said = {} if group is None else dict(group.attrs)
    inner = said.get("ome")
    image = (said | inner if isinstance(inner, dict) else said).get("image-label")
    entries = image.get("properties") if isinstance(image, dict) else None
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        word = next((entry[key] for key in _WORDS_FOR_CLASSES if isinstance(entry.get(key), str)), "") if isinstance(entry, dict) else ""
        if word and isinstance(entry.get("label-value"), int):
            found[entry["label-value"]] = word
    return found


def _hdf5(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    with open_hdf5(path) as file:
        own = datasets(file) | _of_names(file)  # no data of other files
        shapes, listed = _apart({key: (item.shape, item.dtype) for key, item in own.items()})
        name = chosen(shapes, dataset, path, {key: own[key].dtype for key in shapes})
        labels = own[name]
        affordable(labels.shape, labels.dtype)
        data = upright_labels(labels[()], names_of_sides(file, own, labels))
        data = without(data, labels.attrs.get("_FillValue", labels.attrs.get("missing_value")))
        names = {int(value): str(word) for value, word in json.loads(text(labels.attrs.get("class_names", "{}"))).items()}
        names = names or {int(value): word for word, value in (h5py.check_enum_dtype(labels.dtype) or {}).items()}
        if listed and not names and data.dtype.kind in "fiub":
            return data, numbered(texts(own[listed[0]][()]), data)
        return data, names


def _of_names(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the data sets of texts in this file itself."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None and item.shape and is_own(item):
            found[name] = item

    file.visititems(visit)
    return found


def _matlab(path: Path, dataset: str | None) -> tuple[Any, Mapping[int, str]]:
    from scipy.io import loadmat, whosmat

    if h5py.is_hdf5(path):  # v7.3, its dimensions reversed
        with open_hdf5(path) as file:
            arrays = {key: item for key, item in datasets(file).items() if "/" not in key}
            kinds = {key: item.dtype for key, item in arrays.items()}
            name = chosen({key: item.shape for key, item in arrays.items()}, dataset, path, kinds)
            affordable(arrays[name].shape, arrays[name].dtype)
            return _flat(arrays[name][()].T), {}
    check_tags(path)
    shapes = {key: tuple(shape) for key, shape, _ in whosmat(path)}
    types = {key: kind for key, _, kind in whosmat(path)}
    listed = [key for key in shapes if types[key] == "cell" and NAMES_OF_CLASSES.fullmatch(_short(key)) and len(shapes) > 1]
    whole, words = np.dtype(np.int64), np.dtype(object)
    kinds = {
        key: whole if "int" in kind or kind == "logical" else words if kind in ("cell", "char") and math.prod(shapes[key]) > 1 else _REAL
        for key, kind in types.items()
    }
    name = chosen({key: shape for key, shape in shapes.items() if key not in listed}, dataset, path, kinds)
    affordable(shapes[name], np.float64)
    found = loadmat(path, variable_names=[name, *listed[:1]])
    data = _flat(found[name])
    return data, numbered(texts(found[listed[0]].ravel()), data) if listed and data.dtype.kind in "fiub" else {}


def _flat(data: Any) -> Any:
    return data.ravel() if data.ndim == 2 and 1 in data.shape else data
