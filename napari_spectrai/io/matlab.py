"""MATLAB files: v4–v7 through SciPy, v7.3 (which is HDF5 with its axes reversed) through h5py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat, savemat, whosmat

from napari_spectrai.cube import Cube
from napari_spectrai.io import hdf5
from napari_spectrai.io.arrays import header_of
from napari_spectrai.io.axis_lists import find_axis, say_unfitting
from napari_spectrai.io.container import choose, numbers_in, plainly_last, short_name, spells_axis
from napari_spectrai.io.even_positions import even_positions
from napari_spectrai.io.found import MOST_BANDS, RawArray, affordable
from napari_spectrai.io.hdf5_heaps import open_hdf5
from napari_spectrai.io.matlab_elements import gathered, is_element, units_in
from napari_spectrai.io.matlab_tags import check_tags
from napari_spectrai.io.nexus import is_own
from napari_spectrai.io.ordered_lines import of_ordered_line
from napari_spectrai.io.unfolded import COUNTS, folded, sides_of, with_places

_NUMERIC = {"double": 8, "single": 4, "logical": 1} | {f"{sign}int{8 * size}": size for sign in ("", "u") for size in (1, 2, 4, 8)}
_WORDS, _LONGEST_WORD = ("unit", "pixel_unit", "name", "metadata"), 100_000
_STRUCTS = ("struct", "cell", "object")
_DEEPEST, _MOST_CELLS = 8, 100_000


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes, as MATLAB shows them."""
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            arrays = _arrays73(file)
            return {name: item.shape[::-1] for name, item in arrays.items() if not is_element(name)} | {
                name: np.shape(values) for name, values in _elements73(arrays).items()
            }
    check_tags(path)
    shapes = {name: (tuple(shape), kind) for name, shape, kind in whosmat(path)}
    structs = {name: np.shape(values) for name, values in _structs(path, shapes)[0].items()}
    return {name: shape for name, (shape, kind) in shapes.items() if kind not in _STRUCTS} | structs


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the cube of a ``.mat`` file and, where the file has them, its wavelengths.

    A matrix ``(bands, pixels)`` with ``nRow`` and ``nCol`` is an image whose pixels lie in MATLAB's (Fortran) order.
    """
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            arrays = _arrays73(file)
            elements = _elements73(arrays)
            arrays = {n: a for n, a in arrays.items() if not is_element(n)}
            name = choose({n: a.shape[::-1] for n, a in arrays.items()} | {n: np.shape(a) for n, a in elements.items()}, dataset, path)
            units = hdf5.units_of(arrays) | units_in(_words73(file))
            if name in elements:
                near = {n: a[()] for n, a in arrays.items() if a.size <= MOST_BANDS} | elements
                data: Any = np.atleast_2d(elements[name])
            else:
                near = hdf5.lists(arrays, name) | {n: a[()] for n, a in arrays.items() if a.size in COUNTS} | elements
                data = hdf5.lazily(path, arrays[name].name, arrays[name]).T
            found = _found(path, data, _others(near, name, data.shape), units, main=name)
            if found.axis is None:
                say_unfitting(path, {n: a.shape for n, a in arrays.items()}, data.shape, name)
            return replace(found, dataset=name)
    check_tags(path)
    shapes = {name: (tuple(shape), kind) for name, shape, kind in whosmat(path)}
    inner, said = _structs(path, shapes)
    plain = {n: shape for n, (shape, kind) in shapes.items() if kind in _NUMERIC}
    name = choose(plain | {n: np.shape(values) for n, values in inner.items()}, dataset, path)
    if name in inner:
        small = [n for n, (s, k) in shapes.items() if k in _NUMERIC and np.prod(s) in (*np.shape(inner[name]), *COUNTS)]
        near = {n: one for n, one in loadmat(path, variable_names=small).items() if n in small} if small else {}
        return replace(
            _found(path, np.atleast_2d(inner[name]), _others(near | inner, name, np.shape(inner[name])), units_in(said), main=name),
            dataset=name,
        )
    shape, kind = shapes[name]
    affordable(shape, f"u{_NUMERIC[kind]}")
    small = [n for n, (s, k) in shapes.items() if n != name and k in _NUMERIC and np.prod(s) in (*shape, 0, *COUNTS)]
    small += [n for n, (s, k) in shapes.items() if k == "char" and _is_word(n) and np.prod(s) <= _LONGEST_WORD]
    contents = loadmat(path, variable_names=[name, *small])
    numeric = {n: values for n, values in inner.items() if np.size(values) in (*shape, *COUNTS)}
    numeric |= {n: contents[n] for n in small if n in contents and contents[n].dtype.kind in "fiub"}
    unit = np.ravel(contents.get("unit", ()))
    said |= {n: str(np.ravel(contents[n])[0]) for n in small if shapes[n][1] == "char" and np.size(contents.get(n, ()))}
    units = units_in(said) | ({"spectral_axis": str(unit[0]) if unit.size else ""} if "unit" in contents else {})
    data = contents[name].astype(bool) if kind == "logical" else contents[name]
    found = _found(path, data, numeric, units, main=name)
    if found.axis is None:
        say_unfitting(path, plain | {n: np.shape(values) for n, values in inner.items()}, shape, name)
    words = {key: str(np.ravel(contents[key])[0]) for key in _WORDS if np.size(contents.get(key, ()))}
    return replace(
        found,
        dataset=name,
        pixel_unit=words.get("pixel_unit", "pixel") if found.pixel_size is not None else "pixel",
        name=words.get("name", ""),
        metadata={**found.metadata, **(json.loads(words["metadata"]) if "metadata" in words else {})},
    )


def _arrays73(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the numeric arrays of a v7.3 file, those within cells by their number: ``s/axisscale{1}``."""
    stored = {name: item for name, item in hdf5.datasets(file).items() if not name.startswith("#")}
    found = {name: item for name, item in stored.items() if "MATLAB_empty" not in item.attrs and not _is_text(item)}
    cells: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype == h5py.ref_dtype and not name.startswith("#") and item.size <= _MOST_CELLS:
            cells[name] = item

    file.visititems(visit)
    for name, item in cells.items():
        for number, reference in enumerate(np.ravel(item[()].T)):
            inner = file[reference] if reference else None
            if isinstance(inner, h5py.Dataset) and inner.dtype.kind in "fiub" and inner.size and not _is_text(inner) and is_own(inner):
                found[f"{name}{{{number}}}"] = inner
    return found


def _is_word(name: str) -> bool:
    return name in _WORDS or name.casefold().rstrip("s").endswith("unit")


def _is_text(item: h5py.Dataset) -> bool:
    return item.attrs.get("MATLAB_class", b"") in (b"char", "char")


def _words73(file: h5py.File) -> dict[str, str]:
    """Return the texts of a v7.3 file, which are numbers of characters there."""
    found = {n: a for n, a in hdf5.datasets(file).items() if _is_text(a) and a.dtype == np.uint16 and a.size <= _LONGEST_WORD}
    return {name: "".join(map(chr, np.ravel(item[()]))) for name, item in found.items() if not name.startswith("#")}


def _elements73(arrays: Mapping[str, h5py.Dataset]) -> dict[str, Any]:
    """Return the elements of cells and structs of a v7.3 file, spectra that are alike as one."""
    elements = {name: item for name, item in arrays.items() if is_element(name)}
    affordable((sum(item.nbytes for item in elements.values()),), np.uint8)
    return gathered({name: item[()].T for name, item in elements.items()})


def _others(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the arrays that may be positions of the bands of one, or numbers that say how its pixels lie."""
    return {key: values for key, values in arrays.items() if key != name and np.size(values) in (*shape, *COUNTS)}


def _structs(path: Path, shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the numeric arrays within structs and cells, and the texts, by their path: ``s/data``, ``s/axisscale{1}``."""
    names = [name for name, (_, kind) in shapes.items() if kind in _STRUCTS]
    if not names:
        return {}, {}
    affordable((path.stat().st_size * 8,), np.uint8)
    found: dict[str, Any] = {}
    words: dict[str, str] = {}

    def visit(name: str, value: Any, depth: int) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(value, dict):
            for key, item in value.items():
                visit(f"{name}/{key}", item, depth + 1)
        elif isinstance(value, str):
            words[name] = value[:_LONGEST_WORD]
        elif spells_axis(name) and isinstance(value, (list, np.ndarray)) and (listed := numbers_in(value)) is not None:
            found[name] = listed
        elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
            items = _items(value)
            for number, item in enumerate(items if len(items) <= _MOST_CELLS else ()):
                visit(f"{name}{{{number}}}", item, depth + 1)
        elif np.asarray(value).dtype.kind in "fiub" and np.size(value):
            found[name] = np.asarray(value)

    contents = loadmat(path, variable_names=names, simplify_cells=True)
    for name in names:
        visit(name, contents.get(name), 0)
    return gathered(found), words


def _items(value: Any) -> list[Any]:
    """Return the elements of a list or of an array of objects, each as it is."""
    return list(value) if isinstance(value, list) else list(value.ravel())


def _found(path: Path, data: Any, others: dict[str, Any], units: dict[str, str], main: str = "") -> RawArray:
    sides = sides_of(others, tuple(data.shape))
    bands = tuple(data.shape) if sides is None else (data.shape[sides.bands(tuple(data.shape))],)
    numbers = {short_name(n): a for n, a in others.items() if np.size(a) == 1}
    lists = even_positions(numbers, bands[-1] if bands else 0) | {n: a for n, a in others.items() if np.size(a) in bands}
    axis, place = find_axis(lists, tuple(data.shape), units, path=path, main=main, data=data if sides is None else None)
    if sides is not None:
        return folded(path, data, sides, axis, by_columns=True)
    if axis is None and (pair := of_ordered_line(path, data)) is not None:
        return pair
    size = np.ravel(others.get("pixel_size", ()))
    if place is None and data.ndim == 2 and data.shape[1] == 1:  # a column vector, as MATLAB stores one spectrum
        place = 0
    whole = RawArray(
        data,
        spectral=-1 if place is None else place,
        # a bare matrix may be spectra in rows or, as MATLAB users often have it, in columns
        sure=place is not None or (plainly_last(data) if data.ndim > 2 else not _square(data.shape[1])),
        by_columns=True,
        by_length=True,
        axis=axis,
        pixel_size=(float(size[0]), float(size[1])) if size.size == 2 else None,
    )
    return with_places(path, whole, lists, units)


def _square(count: int) -> bool:
    return count > 400 and round(count**0.5) ** 2 == count


def write(cube: Cube, path: Path) -> None:
    """Write a v5 file with ``data``, ``spectral_axis`` and ``unit``."""
    if cube.data.dtype == np.float16:
        raise ValueError("MATLAB cannot hold float16; convert it to float32, or choose .h5")
    words = {"unit": cube.axis.unit, "name": cube.name, "metadata": json.dumps(header_of(cube)["metadata"])}
    contents = {"data": np.asarray(cube.data), "spectral_axis": cube.axis.values, **words}
    if cube.pixel_size is not None:
        contents |= {"pixel_size": np.array(cube.pixel_size), "pixel_unit": cube.pixel_unit}
    savemat(path, contents, do_compression=True)
