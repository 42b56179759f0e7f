"""The numbers and words in the lines of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from napari_spectrai.io.found import affordable
from napari_spectrai.io.table_syntax import FloatTable, Syntax, pointed

_SHOWN = 40
_LEAST_NUMBERS, _MOST_WORDS = 8, 0.1
"""Numbers of a column in which a share of cells may hold words and be missing."""
_AT_ONCE = 2**17
"""Characters that are made numbers at a time."""
_DELETED = -1.23e34
"""What the USGS writes for values of its spectra that were deleted."""


def parsed(lines: Sequence[str], syntax: Syntax, notes: list[str]) -> tuple[list[str], FloatTable, dict[int, list[str]]]:
    """Return the cells of the first line if it may be a header, the numbers of all, and the cells of columns that hold words."""
    if (numbers := _quickly(lines, syntax)) is not None:
        return [], _without_deleted(numbers, notes), {}
    below = _quickly(lines[1:], syntax) if len(lines) > 3 else None
    if below is None:
        first, numbers, words = _carefully(lines, syntax, notes)
        return first, _without_deleted(numbers, notes), words
    below = _without_deleted(below, notes)
    width = below.shape[1]
    first = [pointed(cell, syntax) for cell in syntax.cells(lines[0])[:width]]
    found = [syntax.number(cell) for cell in (first + [""] * width)[:width]]
    return first, np.vstack([[np.nan if value is None else value for value in found], below]), {}


def without_gaps(
    first: list[str], numbers: FloatTable, words: dict[int, list[str]], above: tuple[str, ...], syntax: Syntax
) -> tuple[list[str], FloatTable, dict[int, list[str]], tuple[str, ...]]:
    """Leave out columns between others that are empty from the titles to the last line, as where two delimiters separate cells."""
    width, mark = numbers.shape[1], syntax.delimiter
    empty: list[bool] = np.logical_and.reduce(np.isnan(numbers)).tolist()
    if mark is None or True not in empty[1:-1]:
        return first, numbers, words, above
    titles = {number: cells for number, line in enumerate(above) if len(cells := line.split(mark)) >= width}
    named = {column for cells in (first, *titles.values()) for column, cell in enumerate(cells) if cell.strip()}
    gaps = {column for column in range(1, width - 1) if empty[column] and column not in words and column not in named}
    kept = [column for column in range(width) if column not in gaps]
    lines = list(above)
    for number, cells in titles.items():
        lines[number] = mark.join(cell for column, cell in enumerate(cells) if column not in gaps)
    found = {kept.index(column): cells for column, cells in words.items()}
    return [first[column] for column in kept] if first else [], numbers[:, kept], found, tuple(lines)


def _quickly(lines: Sequence[str], syntax: Syntax) -> FloatTable | None:
    """Return the numbers where every cell of every line holds one."""
    if any('"' in line for line in lines):
        return None
    if syntax.decimal and any("," in line for line in lines):
        if any("." in line for line in lines):
            return None
        lines = [line.replace(",", ".") for line in lines]
    step = max(1, _AT_ONCE // (len(lines[0]) + 1)) if lines else 1
    try:  # in parts: numpy lets other threads run between them, but not within one
        parts = [
            np.loadtxt(lines[start : start + step], delimiter=syntax.delimiter, ndmin=2, comments=None)
            for start in range(0, len(lines), step)
        ]
        found = np.concatenate(parts)
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _is_of_numbers(values: Sequence[float | None]) -> bool:
    """Whether a column holds numbers and a few words where there are none, and no names: most cells are numbers that differ."""
    known = [value for value in values if value is not None and not np.isnan(value)]
    differ = len(known) > _LEAST_NUMBERS and len(set(known)) > len(known) / 2
    return differ and sum(value is None for value in values) <= _MOST_WORDS * len(values)


def _carefully(lines: Sequence[str], syntax: Syntax, notes: list[str]) -> tuple[list[str], FloatTable, dict[int, list[str]]]:
    """Return the cells of the first line, the numbers of all, and the cells of columns that hold words."""
    cells = [syntax.cells(line) for line in lines]
    while len(cells) > 1 and all(len(row) > 1 and not row[-1] for row in cells):
        cells = [row[:-1] for row in cells]  # a delimiter ends each line, that of the positions too
    usual = Counter(len(row) for row in cells).most_common(1)[0][0]
    width = max(len(row) for row in cells) if len(cells) < 3 else usual
    while width > 1 and not any(row[width - 1] for row in cells if len(row) >= width):
        width -= 1  # a delimiter ends each line
    affordable((len(cells), width * 8), np.float64)
    first = [pointed(cell, syntax) for cell in cells[0][:width]]
    rows = [(row + [""] * width)[:width] for row in cells]
    found = [[syntax.number(cell) for cell in row] for row in rows]
    numbers = np.array([[np.nan if value is None else value for value in row] for row in found], np.float64)
    texts = {column for row in found[1:] for column, value in enumerate(row) if value is None}
    strange = {column for column in texts if _is_of_numbers([row[column] for row in found[1:]])}
    texts -= strange
    if strange:
        words = [row[column] for row, values in zip(rows[1:], found[1:], strict=True) for column in strange if values[column] is None]
        notes.append(f"{len(words)} of its cells hold words where numbers are ({words[0][:_SHOWN]!r}); they are NaN")
    return first, numbers, {column: [row[column] for row in rows] for column in sorted(texts)}


def _without_deleted(numbers: FloatTable, notes: list[str]) -> FloatTable:
    """Return numbers with NaN for those that stand for deleted ones."""
    if (deleted := np.isclose(numbers, _DELETED)).any():
        numbers[deleted] = np.nan
        notes.append(f"{int(deleted.sum())} of its values are {_DELETED:g}, which stands for deleted ones; they are NaN")
    return numbers
