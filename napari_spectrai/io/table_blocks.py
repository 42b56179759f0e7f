"""Several tables in one text, one below the other, as programs export one spectrum after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.columns import COORDINATES, in_order
from napari_spectrai.io.found import RawArray, warn
from napari_spectrai.io.layouts import layout_of
from napari_spectrai.io.table_results import is_auxiliary
from napari_spectrai.io.tables import Table
from napari_spectrai.io.texts import lines_of
from napari_spectrai.notices import noting, say_note
from napari_spectrai.remedies import where
from napari_spectrai.spec import some_of

WHOLE = "table"
"""Name of all tables of a text together, or of its only one."""
_CELLS = re.compile(r"[\t;,]+")
_KEY = re.compile(r"^[^\d:=]{1,40}[:=]\s*(?=\S)")
_PAGE = re.compile(r"(?:table|page|seite)\s*\d+", re.IGNORECASE)
_MARKS = " \t\"'#%/*>=<-[]"
_LONGEST, _SPECTRUM = 80, 2


def blocks_of(content: str, runs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Return the parts of a text by the names of their tables, each with the words above it.

    Parameters
    ----------
    runs : first and last line (exclusive) of each table
    """
    lines = lines_of(content)
    starts = [0, *(stop for _, stop in runs[:-1])]
    heads = [[line for line in lines[start:first] if line.strip()] for start, (first, _) in zip(starts, runs, strict=True)]
    parts = ["\n".join(lines[start:stop]) for start, (_, stop) in zip(starts, runs, strict=True)]
    return dict(zip(_names(heads), parts, strict=True))


def _names(heads: Sequence[Sequence[str]]) -> list[str]:
    """Return a name for each table: the first words above it that no other has in that place, else its number."""
    for place in range(min(map(len, heads)), 0, -1):
        cells = [_CELLS.split(head[-place].strip()) for head in heads]
        for number in range(min(map(len, cells))):
            words = [_KEY.sub("", row[number].strip(_MARKS)).strip(_MARKS)[:_LONGEST] for row in cells]
            if all(words) and len(set(words)) == len(words) and WHOLE not in words:
                return words
    return [f"table {number}" for number in range(1, len(heads) + 1)]


Prepared = TypeVar("Prepared")


def together(
    path: Path, blocks: Mapping[str, Prepared], read_one: Callable[[Prepared], RawArray]
) -> tuple[RawArray | None, dict[str, tuple[int, ...]]]:
    """Return the spectra of all tables as one set, if they lie at the same positions, and the shapes of the tables.

    Dark and reference spectra are left out where there are others. A warning says what is read and what is not.
    """
    read: dict[str, RawArray] = {}
    notes: list[str] = []
    for name, prepared in blocks.items():
        with noting() as own, suppress(ValueError):  # of a table of something else, such as a list of peaks
            read[name] = read_one(prepared)
        notes = notes or own
    shapes = {name: tuple(one.data.shape) for name, one in read.items()}
    names, found = list(read), list(read.values())
    if len(found) < len(blocks) or not _alike(found):
        return None, shapes
    first = found[0]
    kept = [number for number, name in enumerate(names) if not is_auxiliary(name)] or list(range(len(names)))
    spectra = [_spectra(found[number]) for number in kept]
    labels = [label for number, rows in zip(kept, spectra, strict=True) for label in _labels(found[number], names[number], len(rows))]
    for note in notes:
        say_note(note)
    left = f" and {some_of([name for number, name in enumerate(names) if number not in kept])} left out" if len(kept) < len(names) else ""
    what = f"its {len(names)} tables ({some_of(names)}) have the same positions"
    warn(path, f"{what}; they are read as one set of spectra{left}. Choose one {where('dataset')}")
    axis = next((one.axis for one in found if one.axis is not None and one.axis.unit), first.axis)
    metadata: dict[str, Any] = {**first.metadata, "labels": labels}
    return replace(first, data=np.concatenate(spectra), spectral=-1, sure=True, axis=axis, metadata=metadata, dataset=WHOLE), shapes


def joined(tables: Mapping[str, Table]) -> Table | None:
    """Return tables with the same titles as one, if they are pages of one spectrum, or values of several spectra with their places."""
    first, *others = tables.values()
    if any(one.words or one.names != first.names or one.width != first.width for one in (first, *others)):
        return None
    whole = replace(first, numbers=np.concatenate([one.numbers for one in tables.values()]), runs=())
    layout = layout_of(whole)
    if layout.kind == "columns" and all(_PAGE.fullmatch(name) for name in tables):
        places = layout.columns("position")
        return whole if places and in_order(whole.numbers[:, places[0]]) else None
    with_places = first.width > _SPECTRUM and any(role in COORDINATES for role in layout.roles)
    return whole if layout.kind == "long" and with_places else None


def _spectra(found: RawArray) -> npt.NDArray[Any]:
    return np.moveaxis(np.asarray(found.data), found.spectral, -1)


def _labels(found: RawArray, name: str, count: int) -> list[str]:
    known = [str(label) for label in found.metadata.get("labels", ())]
    if len(known) == count:
        return [f"{name} {label}" for label in known]
    return [name] if count == 1 else [f"{name} {number}" for number in range(1, count + 1)]


def _alike(found: Sequence[RawArray]) -> bool:
    """Whether all are sets of spectra at the same positions."""
    if any(np.ndim(one.data) != 2 or "coordinates" in one.metadata for one in found):
        return False
    first = found[0].axis
    return first is not None and all(_same(first, one.axis) for one in found[1:])


def _same(one: SpectralAxis, other: SpectralAxis | None) -> bool:
    return other is not None and (one.unit == other.unit or not (one.unit and other.unit)) and np.array_equal(one.values, other.values)
