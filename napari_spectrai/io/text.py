"""Text and CSV: spectra in columns with their positions, spectra in rows below them, or one line per value of a map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import Column, Layout, changed, described, in_order
from napari_spectrai.io.cut_short import is_open_ended, note_of
from napari_spectrai.io.facts import Facts, facts_of, says_unit
from napari_spectrai.io.found import RawArray, positions, warn
from napari_spectrai.io.grids import laid_out
from napari_spectrai.io.layouts import layout_of
from napari_spectrai.io.long_tables import of_long
from napari_spectrai.io.own_text import OURS, own, own_numbers, write
from napari_spectrai.io.table_blocks import WHOLE, blocks_of, joined, together
from napari_spectrai.io.table_dialects import spelled_out
from napari_spectrai.io.table_pairs import aligned
from napari_spectrai.io.table_parts import axis_of, coordinates_of, labels_of, names_above, titles_of
from napari_spectrai.io.table_places import coordinates_above, named_places, places_in_titles
from napari_spectrai.io.table_results import of_statistics
from napari_spectrai.io.table_syntax import Syntax
from napari_spectrai.io.tables import Table, table_of
from napari_spectrai.io.text_rasters import raster
from napari_spectrai.io.texts import lines_of, text_of
from napari_spectrai.notices import noting
from napari_spectrai.remedies import give, where
from napari_spectrai.spec import listed, some_of

__all__ = ["columns", "inspect", "read", "write"]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the table of numbers; of several tables, those of their arrays."""
    found = _looked_at(path)
    if isinstance(found, np.ndarray):
        return {WHOLE: found.shape}
    table, _ = found
    if not table.runs:
        return {WHOLE: table.numbers.shape}
    with noting():
        all_of_them, shapes = together(path, _tables(text_of(path), table), partial(_of_prepared, path, None))
    return shapes if all_of_them is None else {WHOLE: tuple(all_of_them.data.shape), **shapes}


def columns(path: Path) -> list[Column]:
    """Return the columns of the table, with the roles that `read` gives them."""
    found = _looked_at(path)
    return [] if isinstance(found, np.ndarray) else described(found[0], layout_of(found[0]))


def read(path: Path, *, dataset: str | None = None, columns: Mapping[str | int, str] | None = None) -> RawArray:
    """Read a table of spectra.

    Parameters
    ----------
    columns : mapping, optional
        Roles of columns (`napari_spectrai.io.columns.ROLES`), by their titles or their numbers from 0; those of the others are guessed.

    Understood: what `write` wrote; spectra in columns with their positions; spectra in rows under their positions, with coordinates,
    labels or running numbers before or after them; one line per value, with its position and its coordinates; intensities alone.
    """
    known = _seen.pop(_state(path), None)
    content = "" if known is not None else text_of(path)
    if content.startswith(OURS):
        _of_one_table(dataset)
        if columns:
            raise ValueError("roles of columns are for tables of other programs; this one names its columns itself")
        if is_open_ended(path):
            warn(path, "its last line does not end, as it did when it was written here; its last number may be cut off")
        return own(json.loads(lines_of(content)[0].removeprefix(OURS)), own_numbers(content))
    table, facts = known or _prepared(content)
    if note := note_of(path, table):
        warn(path, note)
    if table.runs:
        return _of_several(path, content or text_of(path), (table, facts), dataset, columns)
    _of_one_table(dataset)
    return of_table(path, table, facts, columns)


def _of_one_table(dataset: str | None) -> None:
    if dataset not in (None, WHOLE):
        raise ValueError(f"there is no array {dataset!r} in it; a text holds one {WHOLE!r}, whose columns are chosen {where('columns')}")


def _of_several(
    path: Path, content: str, whole: tuple[Table, Facts], dataset: str | None, columns: Mapping[str | int, str] | None
) -> RawArray:
    """Read the tables of a text together where they have the same positions, else the requested or the largest one."""
    runs = whole[0].runs
    blocks = _tables(content, whole[0])
    one_of = partial(_of_prepared, path, columns)
    if dataset in blocks:
        return replace(one_of(blocks[dataset]), dataset=dataset)
    if dataset not in (None, WHOLE):
        raise ValueError(f"there is no table {dataset!r} in it; {listed(blocks, dataset)}")
    if (one := joined({name: table for name, (table, _) in blocks.items()})) is not None:
        return replace(of_table(path, one, whole[1], columns), dataset=WHOLE)
    found, _ = together(path, blocks, one_of)
    if found is not None:
        return found
    largest = list(blocks)[max(range(len(blocks)), key=lambda number: runs[number][1] - runs[number][0])]
    what = f"its {len(blocks)} tables ({some_of(list(blocks))}) have different positions"
    warn(path, f"{what}; {largest!r} is read. Choose another {where('dataset')}")
    return replace(of_table(path, *whole, columns), dataset=largest)


def _tables(content: str, first: Table) -> dict[str, tuple[Table, Facts]]:
    """Return all tables of a text by their names, with what the lines around each say."""
    return {name: _prepared(text, first.syntax) for name, text in blocks_of(content, first.runs).items()}


def _of_prepared(path: Path, columns: Mapping[str | int, str] | None, prepared: tuple[Table, Facts]) -> RawArray:
    return of_table(path, *prepared, columns)


def of_table(path: Path, table: Table, facts: Facts, columns: Mapping[str | int, str] | None = None) -> RawArray:
    """Read a table of numbers and words by what its titles and values say of its columns, and the lines around it."""
    if table.width == 1 and not columns and (spectrum := _counted(path, table)) is not None:
        return spectrum
    if not columns and (image := raster(path, table)) is not None:
        return image
    layout = layout_of(table)
    if columns:
        layout = changed(layout, table, columns)
    notes = [*table.notes, *layout.notes]
    if layout.notes:
        notes.append(f"if that is wrong {give('columns')}")
    kept = table.numbers[:, ~np.isnan(table.numbers).all(0)]
    if (scaled := facts.scaled(len(kept))) is not None and "position" not in layout.roles and layout.kind in ("bare", "columns"):
        return RawArray(kept, spectral=0, axis=positions(path, *scaled), metadata=facts.metadata)
    if layout.kind == "bare":
        if table.notes:
            warn(path, "; ".join(table.notes))
        longest = 0 if table.names else int(np.argmax(kept.shape))  # titles are those of spectra in columns
        return RawArray(kept, spectral=longest, sure=False, metadata=facts.metadata)
    reader = {"rows": _in_rows, "columns": _in_columns, "long": of_long}[layout.kind]
    found = reader(path, table, layout, facts, notes)
    bands = found.data.shape[found.spectral]
    if missing := facts.missing(bands, found.data.size // bands, len(table.numbers)):
        warn(path, missing)
    if notes:
        warn(path, "; ".join(notes))
    return found


_seen: dict[tuple[Any, ...], tuple[Table, Facts]] = {}
"""The table that was looked at last, for whoever reads it next."""


def _state(path: Path) -> tuple[Any, ...]:
    found = path.stat()
    return path, found.st_size, found.st_mtime_ns, found.st_ino


def _looked_at(path: Path) -> npt.NDArray[np.float64] | tuple[Table, Facts]:
    """Return a table and the facts around it, or the numbers of a file of ours; a table is kept for the next call."""
    state = _state(path)
    if (known := _seen.get(state)) is not None:
        return known
    content = text_of(path)
    if content.startswith(OURS):
        return own_numbers(content)
    _seen.clear()
    _seen[state] = found = _prepared(content)
    return found


def _prepared(content: str, syntax: Syntax | None = None) -> tuple[Table, Facts]:
    """Return the table and what the lines around it say; titles of LabSpec's coordinates are among those lines."""
    table = table_of(content, syntax)
    facts = facts_of([*(line for line in table.above if not _holdstitles_of(line, table)), *table.below])
    if table.leads and len(facts.leads) == table.leads:
        table = replace(table, names=(*facts.leads, *table.names[table.leads :]))
    if not table.names and table.leads is None and table.width == len(facts.values) + 1 > 2:
        table = replace(table, names=(facts.spectral_unit or "x", *facts.values))
    return aligned(spelled_out(table)), facts


def _holdstitles_of(line: str, table: Table) -> bool:
    """Whether a line holds the titles of the columns, which say nothing of one another; but a title and its unit do."""
    titles = [name for name in table.names if name]
    if len(titles) < 2 or not all(name in line for name in titles):
        return False
    return len(titles) > 2 or not (says_unit(*titles) or titles[1][0].isdigit())  # a setting with its value


# ------------------------------------------------------------------ layouts


def _in_rows(path: Path, table: Table, layout: Layout, facts: Facts, notes: list[str]) -> RawArray:
    bands = layout.columns("intensity")
    numbers = table.numbers[layout.skip :]
    names = labels_of(table, layout)
    if computed := of_statistics(names.get("labels", ())):  # not left out, since labels in the same file count them
        notes.append(f"its lines {some_of(computed)} are read as spectra like the others; remove them if they were computed from those")
    axis = None
    if layout.head is not None:
        axis = axis_of(path, layout.head, [layout.head_unit], facts)
    coordinates, units = coordinates_of(table, layout, numbers)
    return laid_out(path, numbers[:, bands], axis, coordinates, units, metadata={**facts.metadata, **names})


def _in_columns(path: Path, table: Table, layout: Layout, facts: Facts, notes: list[str]) -> RawArray:
    values = layout.columns("intensity")
    place = next(iter(layout.columns("position")), None)
    numbers = table.numbers
    axis = None
    if place is not None:
        there = np.isfinite(numbers[:, place])
        if not there.all():
            notes.append(f"{int((~there).sum())} of {len(there)} lines have no position and are left out")
        numbers = numbers[there]
        axis = axis_of(path, numbers[:, place], titles_of(table, place), facts)
        if not in_order(axis.values) and len(axis) > 2:
            notes.append("its positions repeat or step back, as where spectra were stitched; they are kept in the file's order")
    spectra = numbers[:, values]
    kept = [number for number in range(len(values)) if np.isfinite(spectra[:, number]).any()]
    if not kept:
        raise ValueError("its columns of intensities are empty")
    shape = facts.image(len(kept)) or named_places(table, [values[number] for number in kept])
    if shape is not None:
        image = spectra[:, kept].T.reshape(*shape, len(numbers))
        return RawArray(image, axis=axis, pixel_size=facts.pixel(shape), pixel_unit=facts.unit, metadata=facts.metadata)
    names = names_above(table, [values[number] for number in kept])
    places, units = coordinates_above(table, [values[number] for number in kept])
    if not places and table.names:
        places, units = places_in_titles([table.names[values[number]] for number in kept])
    if places:
        return laid_out(path, spectra[:, kept].T, axis, places, units, metadata={**facts.metadata, **names})
    return RawArray(spectra[:, kept], spectral=0, axis=axis, metadata={**facts.metadata, **names})


def _counted(path: Path, table: Table) -> RawArray | None:
    """Return the spectrum of a column that starts with the number of its points and its first and last position (PerkinElmer ASCII)."""
    values = table.numbers[:, 0]
    lead = 6
    if path.suffix.lower() == ".asp" and len(values) > lead and values[0] > len(values) - lead:
        raise ValueError(f"it promises {values[0]:g} points and gives {len(values) - lead}; it is truncated")
    if len(values) <= lead or values[0] != len(values) - lead or not np.isfinite(values[1:3]).all() or values[1] == values[2]:
        return None
    return RawArray(values[None, lead:], axis=positions(path, np.linspace(values[1], values[2], len(values) - lead), ""))
