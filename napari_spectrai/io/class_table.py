"""Classes in a text table: a line for each spectrum, or for each pixel with its place, as `write_table` writes them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import counts_up, role_of
from napari_spectrai.io.found import warn
from napari_spectrai.io.grids import FILLED, steps
from napari_spectrai.io.table_sides import pair_of_sides, pixels
from napari_spectrai.io.texts import lines_of, text_of
from napari_spectrai.labels import MISSING_NAMES, UNKNOWN
from napari_spectrai.remedies import where
from napari_spectrai.spec import listed

SUFFIXES = (".csv", ".tsv", ".txt")
_DELIMITERS = ",;\t|"
_PLACES = ("z", "y", "x")
OFF_GRID = 0.1
"""Deviation of a place from its pixel, in pixels, beyond which places form no image."""
_NUMBER, _NAME = "label", "class"
"""Titles of the columns in which `write_table` writes the number of a class and its name."""

Columns = Mapping[str, Sequence[str]]


def read(path: Path, column: str | None = None) -> tuple[npt.NDArray[np.integer], dict[int, str]]:
    """Return the class of each line, and the names of the classes; with columns y and x, as an image. Lines of numbers alone are one, too.

    Parameters
    ----------
    column : str, optional
        Title of the column of classes; default: the only column, or the only one with a title such as class, label or species.

    Raises
    ------
    ValueError
        If no column, or none alone, can be that of the classes.
    """
    columns = _columns(lines_of(text_of(path)))
    if column is None and len(columns) > 2 and not any(role_of(title) for title in columns):
        planes = [_whole(cells) for cells in columns.values()]
        if all(plane is not None for plane in planes):
            return np.array(planes).T, {}
    numbered = column is None and _NUMBER in columns and _NAME in columns
    cells = columns[_NUMBER if numbered else _chosen(columns, column)]
    values, names = _whole(cells), {}
    if values is None:
        names = dict(enumerate(sorted(set(cells) - MISSING_NAMES), 1))
        numbers = {name: number for number, name in names.items()}
        values = np.array([numbers.get(cell, UNKNOWN) for cell in cells])
    elif numbered:
        names = {number: name for number, name in zip(values.tolist(), columns[_NAME], strict=True) if name}
    return _placed(values, columns, path), names


def _whole(cells: Sequence[str]) -> npt.NDArray[np.integer] | None:
    """Return cells as whole numbers, however they are written (2, 2.0, 2e0), `UNKNOWN` where one is missing; None if one is none."""
    known = np.array([cell not in MISSING_NAMES for cell in cells])
    try:
        found = np.array([float(cell) for cell, is_known in zip(cells, known, strict=True) if is_known])
    except ValueError:
        return None
    if not (np.isfinite(found) & (np.round(found) == found)).all():
        return None
    values = np.full(len(cells), UNKNOWN)
    values[known] = found.astype(np.int64)
    return values


def _columns(lines: Sequence[str]) -> Columns:
    """Return the cells below each title; those of a table without titles by their number."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise ValueError("it is empty")
    if not any(mark in line for line in filled for mark in _DELIMITERS):  # of a single column, an empty line is a missing class
        filled = list(lines)
    if not any(mark in line for line in filled for mark in _DELIMITERS) and (numbers := _set_apart(filled)):
        return {str(number): list(cells) for number, cells in enumerate(zip(*numbers, strict=True))}
    delimiter = Counter({mark: filled[0].count(mark) for mark in _DELIMITERS}).most_common(1)[0][0]
    rows = [[cell.strip() for cell in row] or [""] for row in csv.reader(filled, delimiter=delimiter)]
    width = len(rows[0])
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != width), None)
    if wrong is not None:
        raise ValueError(f"its line {wrong} holds {len(rows[wrong - 1])} values and its first {width}; it is truncated or no table")
    titled = any(role_of(cell) == "label" for cell in rows[0])
    titles = [cell.casefold() for cell in rows[0]] if titled else [str(number) for number in range(width)]
    below = rows[1:] if titled else rows
    return {title: [row[number] for row in below] for number, title in enumerate(titles)}


def _set_apart(lines: Sequence[str]) -> list[list[str]]:
    """Return the cells of lines of as many numbers each, between blanks; none where lines are something else."""
    rows = [line.split() for line in lines]
    width = len(rows[0])
    same = width > 1 and all(len(row) == width for row in rows)
    return rows if same and all(_whole(row) is not None for row in rows) else []


def _chosen(columns: Columns, column: str | None) -> str:
    if column is not None:
        if column.casefold() not in columns:
            raise ValueError(f"it has no column {column!r}; {listed(columns, column)}")
        return column.casefold()
    places = _sides(list(columns)).values()
    named = [title for title in columns if role_of(title) == "label" and title not in places]
    rest = [title for title, cells in columns.items() if not _counts(cells)]
    for found in (named, [*columns], rest):
        if len(found) == 1:
            return found[0]
    raise ValueError(f"its columns {', '.join(columns)} could all be the classes, or none; choose one {where('dataset')}")


def _counts(cells: Sequence[str]) -> bool:
    return all(cell.isdigit() for cell in cells) and counts_up(np.array(cells, np.float64))


def _sides(titles: Sequence[str]) -> dict[str, str]:
    """Return the columns of z, y and x by the roles that their titles have in tables of spectra, each where there is one."""
    named = [role_of(title) for title in titles]
    pixels(titles, named)
    for column, side in pair_of_sides(titles).items():
        named[column] = side if side not in named else named[column]
    return {side: titles[named.index(side)] for side in _PLACES if named.count(side) == 1}


def _placed(values: npt.NDArray[np.integer], columns: Columns, path: Path) -> npt.NDArray[np.integer]:
    """Return the classes of pixels as an image, where the table gives the place of each, in pixels or as the stage said it."""
    sides = _sides(list(columns))
    try:
        positions = [np.array([float(cell) for cell in columns[title]]) for title in sides.values()]
    except ValueError:  # a place is missing, so that these are lines of a set
        return values
    if "y" not in sides or "x" not in sides or not all(np.isfinite(along).all() for along in positions):
        return values
    places, regular = [], True
    for along in positions:
        number, step = steps(along)
        places.append(number)
        regular = regular and bool((np.abs(along - along.min() - number * step) <= OFF_GRID * step).all())
    shape = tuple(int(side.max()) + 1 for side in places)
    count = math.prod(shape)
    flat = np.ravel_multi_index(tuple(places), shape)
    if not regular or count > len(values) / FILLED or len(np.unique(flat)) != len(values):
        raise ValueError(
            f"its {len(values):,} lines are not the pixels of an image, one line for each; list all its "
            "pixels, with an empty class where there is none, or give the classes of single places as points (a Points layer)"
        )
    if count > len(values):
        warn(
            path, f"{count - len(values):,} of {count:,} places of its {' × '.join(map(str, shape))} grid have no line; they are unlabelled"
        )
    image = np.full(count, UNKNOWN, values.dtype)
    image[flat] = values
    return image.reshape(shape)
