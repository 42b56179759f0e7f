"""Classes in a text table: a line for each spectrum, or for each pixel with its place, as `write_table` writes them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import counts_up, role_of
from napari_spectrai.io.texts import lines_of, text_of
from napari_spectrai.remedies import where
from napari_spectrai.spec import listed

SUFFIXES = (".csv", ".tsv", ".txt")
_DELIMITERS = ",;\t|"
_MISSING = ("", "nan", "na", "n/a", "#n/a", "null")
_PLACES = ("z", "y", "x")
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
    if column is None and len(columns) > 2 and not any(role_of(title) for title in columns) and _all_whole(columns):
        return np.array([[int(cell) for cell in cells] for cells in columns.values()]).T, {}
    numbered = column is None and _NUMBER in columns and _NAME in columns
    cells = columns[_NUMBER if numbered else _chosen(columns, column)]
    if all(cell.lstrip("-").isdigit() for cell in cells if cell):
        values: npt.NDArray[np.integer] = np.array([int(cell or -1) for cell in cells])
        names = {number: name for number, name in zip(values.tolist(), columns[_NAME], strict=True) if name} if numbered else {}
    else:
        names = dict(enumerate(sorted({cell for cell in cells if cell.casefold() not in _MISSING}), 1))
        numbers = {name: number for number, name in names.items()}
        values = np.array([numbers.get(cell, -1) for cell in cells])
    return _placed(values, columns), names


def _columns(lines: Sequence[str]) -> Columns:
    """Return the cells below each title; those of a table without titles by their number."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise ValueError("it is empty")
    if not any(mark in line for line in filled for mark in _DELIMITERS):  # of a single column, an empty line is a missing class
        filled = list(lines)
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


def _chosen(columns: Columns, column: str | None) -> str:
    if column is not None:
        if column.casefold() not in columns:
            raise ValueError(f"it has no column {column!r}; {listed(columns, column)}")
        return column.casefold()
    named = [title for title in columns if role_of(title) == "label"]
    rest = [title for title, cells in columns.items() if not _counts(cells)]
    for found in (named, [*columns], rest):
        if len(found) == 1:
            return found[0]
    raise ValueError(f"its columns {', '.join(columns)} could all be the classes, or none; choose one {where('dataset')}")


def _counts(cells: Sequence[str]) -> bool:
    return all(cell.isdigit() for cell in cells) and counts_up(np.array(cells, np.float64))


def _all_whole(columns: Columns) -> bool:
    return all(cell.lstrip("-").isdigit() for cells in columns.values() for cell in cells)


def _placed(values: npt.NDArray[np.integer], columns: Columns) -> npt.NDArray[np.integer]:
    """Return the classes of pixels as an image, where the table gives the place of each."""
    sides = [title for title in _PLACES if title in columns]
    if "y" not in sides or "x" not in sides or not all(cell.isdigit() for title in sides for cell in columns[title]):
        return values
    places = np.array([[int(cell) for cell in columns[title]] for title in sides])
    shape = tuple(int(side.max()) + 1 for side in places)
    flat = np.ravel_multi_index(tuple(places), shape)
    if np.prod(shape) != len(values) or len(np.unique(flat)) != len(values):
        raise ValueError(f"its {len(values):,} lines are not the pixels of an image of {' × '.join(map(str, shape))}, one line for each")
    image = np.empty_like(values)
    image[flat] = values
    return image.reshape(shape)
