"""Files of the record of a job in parts: written at once, and read with an error that says what can be done where they are damaged."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import swap
from napari_spectrai.io.found import one_line
from napari_spectrai.parsing import parse_json, read_document, refuse_special

Arrays = Mapping[str, npt.NDArray[Any]]

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors by which NumPy, zarr and what reads JSON report damage."""


class DamagedRecordError(ValueError):
    """A record that is damaged, or of which something is missing."""


@contextmanager
def naming(path: Path, output: Path) -> Iterator[None]:
    """Say of an error in reading a file of the record of `output` which it is, and what can be done."""
    try:
        yield
    except DamagedRecordError:
        raise
    except UNREADABLE as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else one_line(error)
        raise DamagedRecordError(
            f"{path} is damaged or not there ({why}); remove {output.name} and compute its parts again, or choose another output"
        ) from error


class NamedArray:
    """An array of the record of `output`; an error in reading a damaged chunk names the array and says what can be done."""

    def __init__(self, array: Any, place: Path, output: Path) -> None:
        self._array, self._place, self._output = array, place, output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._array, name)

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._array[key]
        except MemoryError:
            raise
        except UNREADABLE:
            with naming(self._place, self._output):
                raise

    def __setitem__(self, key: Any, values: Any) -> None:
        try:
            self._array[key] = values
        except RuntimeError:  # of a chunk that is read since only a part of it is written
            with naming(self._place, self._output):
                raise


def load(path: Path, output: Path) -> Arrays:
    """Return the arrays of a file of the record of `output`."""
    with naming(path, output):
        refuse_special(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


def write_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Write what all parts share into a folder that need not be there yet."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(plan, indent=1), encoding="utf-8")


def published(place: Path, make: Callable[[Path], object]) -> bool:
    """Make a folder under a temporary name and rename it; return whether it was this process that made it: the first one wins."""
    swap.sweep(place.parent)
    temporary = swap.temporary_name(place)
    try:
        make(temporary)
        try:
            temporary.rename(place)  # fails where a folder with content exists
        except OSError:
            if not place.is_dir():
                raise
            return False
        return True
    finally:
        swap.remove(temporary)
        swap.finished(temporary)


def save(folder: Path, arrays: Arrays) -> None:
    """Write arrays that `load` reads into a new folder."""
    folder.mkdir()
    np.savez_compressed(folder / "values.npz", **arrays)  # type: ignore[arg-type]


def mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON document."""
    found = parse_json(read_document(path), path.name)
    if not isinstance(found, dict):
        raise TypeError("it is no mapping")
    return found
