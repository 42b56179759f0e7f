"""Titles of the columns of a table of text: which lines above it they are, and which are settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_spectrai.io.facts import names_axis
from napari_spectrai.io.table_syntax import MISSING, MOST_LEADS, NUMBER, FloatTable, Syntax, pointed
from napari_spectrai.units import is_unit, quantity_of, unit_of

_OF_SETTINGS = re.compile(r"laser|excit|cent(?:er|re)|slit|grating|bandwidth|step|resol", re.IGNORECASE)
_MOST_SETTINGS, _MOST_BETWEEN = 8, 16
_BAND = re.compile(r"[^\W\d]\D{0,11}\d+(?:\.\d+)?\D{0,8}")
_LEAST_BANDS = 4
_LEAST_CORNER, _FAR, _LONG_SIDE = 4, 3.0, 8
"""Lines and columns of a matrix whose first cell may be empty, and how many steps lie between its 0 and the next position."""
_SHARE_OF_BANDS = 0.7
"""Share of the columns of a wide table that are bands, at least; the others hold what is known of each spectrum."""
_BRACKETS = re.compile(r"(?<!\s)\s+(?=[(\[])")
_JOINED = re.compile(r"(?<=raman)\s+(?=shift)|(?<=wave)\s+(?=number|length)", re.IGNORECASE)
"""Blanks within titles that are separated by blanks: before a unit in brackets, and in the names of quantities."""


def titles_above(above: Sequence[str], syntax: Syntax, width: int, written: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the titles of the columns from the lines above, and those of a second line above them.

    Of `written` cells of a line, those behind the `width` columns are empty.
    """
    found: list[tuple[str, ...]] = []
    above = [line for line in above if not line.startswith("F(x)=")]  # formulas of Origin's columns
    if of_axes := _of_axes(above, syntax, width, written):
        return of_axes, ()
    if width > 1 and above and above[-1].strip().isdecimal():  # the number of the spectrum between titles and numbers
        above = above[:-1]
    nearest = _split(above[-1], syntax, width, written) if above else ()
    is_titled = bool(nearest) and quantity_of(nearest[0]) != ""  # so that the positions are in the column below it
    for line in () if is_titled else above[::-1][1:4]:  # types and notes may be between positions and spectra
        cells = _split(line, syntax, width, written)
        numbers = [syntax.number(cell) for cell in cells]
        known = np.array([number for number in numbers if number is not None and not np.isnan(number)])
        if len(known) > 2 and len(known) >= min(width - MOST_LEADS, _SHARE_OF_BANDS * width) and _in_order(known):
            return tuple(pointed(cell, syntax) for cell in cells), ()
    for line in above[::-1][:2]:
        cells = _split(line, syntax, width, written) or _without_corner(line, syntax, width)
        if not cells or _is_setting(line, cells) or (found and any(NUMBER.fullmatch(cell) for cell in cells)):
            break
        found.append(tuple(pointed(cell, syntax) for cell in cells))
    if width > 2 and not any(quantity_of(cell) or unit_of(cell) is not None for cells in found for cell in cells):
        found = _further_above(above, syntax, width, written) or found
    return (found[0] if found else ()), (found[1] if len(found) > 1 else ())


def _of_axes(above: Sequence[str], syntax: Syntax, width: int, written: int) -> tuple[str, ...]:
    """Return the titles of a text in which a line says what the x axis of each spectrum is, and another what it is called (Edinburgh)."""
    rows = {cells[0].casefold().replace(" ", ""): cells for line in above if (cells := _split(line, syntax, width, written))}
    cells = rows.get("xaxis", ())
    if len(set(cells[1:])) != 1 or not (quantity_of(cells[1]) or is_unit(cells[1])):
        return ()
    return (cells[1], *rows.get("labels", ("",) * width)[1:])


def _further_above(above: Sequence[str], syntax: Syntax, width: int, written: int) -> list[tuple[str, ...]]:
    """Return the titles that a line further above lists, of which the first is called as positions are."""
    for line in above[::-1][1:_MOST_BETWEEN]:
        cells = _split(line, syntax, width, written)
        if (
            cells
            and quantity_of(cells[0])
            and all(map(_is_words, cells))
            and not _is_setting(line, cells)
            and not _OF_SETTINGS.search(line)
        ):
            return [cells]
    return []


def _without_corner(line: str, syntax: Syntax, width: int) -> tuple[str, ...]:
    """Return the titles of bands that stand over all columns but the first, which holds the names of lines, as R writes them."""
    cells = _split(line, syntax, width - 1) if width > _LEAST_BANDS else ()
    return ("", *cells) if cells and all(_BAND.fullmatch(cell) for cell in cells) else ()


def _is_setting(line: str, cells: Sequence[str]) -> bool:
    """Whether a line that can be separated like a line of titles names a setting and its value, as in ``Slit (nm): 2``."""
    if len(cells) == 2 and names_axis(*cells) and not quantity_of(cells[0]):
        return True
    if line.startswith(">>>>"):  # as Ocean Optics marks where numbers begin
        return True
    if cells[0].endswith(("=", ":")):
        return not (cells[0].endswith(":") and all(_is_words(cell) for cell in cells[1:]) and quantity_of(cells[0]))
    if len(cells) > _MOST_SETTINGS or cells[0].casefold().startswith("unnamed"):
        return False
    if ("=" in line and not (quantity_of(cells[0]) and "=" not in cells[0])) or re.match(r"[^:]*\w\s*:\s", line.strip(" #%/;'\"")):
        return True
    # the number under which a spectrum is known stands next to the title of its positions alone
    is_title = is_unit(cells[0]) or (quantity_of(cells[0]) and not _OF_SETTINGS.search(cells[0]))
    return len(cells) == 2 and bool(NUMBER.fullmatch(cells[1])) and not is_title


def _is_words(cell: str) -> bool:
    return bool(cell) and not NUMBER.match(cell)


def _split(line: str, syntax: Syntax, width: int, written: int = 0) -> tuple[str, ...]:
    """Return one title per column, if a line can be separated into as many."""
    marks = "#|%|//|'|!" if syntax.delimiter == ";" else "#|%|//|'|;|!"  # an empty first cell is no mark
    bare = re.sub(rf"^\s*(?:#L\s|(?:{marks})+)", "", line)  # SPEC's #L
    ways = [
        syntax.cells(bare) if syntax.delimiter else [],
        re.split(r"\t+|\s{2,}", bare.strip()),
        [cell.strip() for cell in re.split("[,;]", bare)],
    ]
    ways += [_with_units(ways[-1], width), [cell for cell in syntax.cells(bare) if cell], bare.split()]
    ways += [_JOINED.sub("_", _BRACKETS.sub("", bare)).split(), _with_units(bare.split(), width)]
    if width < len(ways[0]) == written:
        ways[0] = ways[0][:width]
    if 1 < len(ways[0]) < width and all(re.fullmatch(r"[\[(].*[\])]", cell) for cell in ways[0] if cell):  # units, but not of all columns
        ways[0] = [*ways[0], *[""] * (width - len(ways[0]))]
    for number, cells in enumerate(ways):
        while len(cells) > width and not cells[-1]:
            cells.pop()
        least = 0 if number == 0 else width // 2  # split as the numbers are, titles may leave cells empty
        if len(cells) == width and sum(bool(cell) for cell in cells) > least:
            return tuple(cell.strip().lstrip("#").strip() for cell in cells)
    return ()


def _with_units(cells: Sequence[str], width: int) -> list[str]:
    """Return titles where those that are a unit alone belong to the number or the quantity before them, as in ``Wavenumber, cm-1``."""
    if not width < len(cells) <= 2 * width:
        return []
    joined = [cells[0]]
    for cell in cells[1:]:
        of_before = NUMBER.fullmatch(joined[-1]) or quantity_of(joined[-1])
        if of_before and unit_of(cell) is not None and not quantity_of(cell) and not NUMBER.fullmatch(cell):
            joined[-1] += f" {cell}"
        else:
            joined.append(cell)
    return joined


def head(
    first: list[str], numbers: FloatTable, words: dict[int, list[str]], *, is_titled: bool = False
) -> tuple[tuple[str, ...], int | None, FloatTable, Any]:
    """Separate a first line that is a header from the numbers: titles among numbers, or positions over all but the first columns.

    Where a line above has the titles (`is_titled`), a first line with a name like those below it is a spectrum.
    """
    width = numbers.shape[1]
    if not first or len(numbers) < 2:
        return (), None, numbers, words
    below = {column: cells[1:] for column, cells in words.items()}
    if len(first) < width:  # the positions are above the last columns
        return ("",) * (width - len(first)) + tuple(first), width - len(first), numbers[1:], below
    empty = next((number for number, cell in enumerate(first) if cell), width)
    filled = [cell for cell in first if cell]
    is_filled = bool(np.isfinite(numbers[1:, :empty]).any()) or any(column < empty for column in words)  # below the empty cells
    if 0 < empty <= MOST_LEADS and is_filled and np.isfinite(numbers[0, empty:]).all():
        return tuple(first), empty, numbers[1:], below
    titled = [cell for column, cell in enumerate(first) if cell and np.isnan(numbers[0, column]) and cell.casefold() not in MISSING]
    if titled and len(filled) >= len(first) - 1:
        distinct = set(titled)
        own = all(column in words for column, cell in enumerate(first) if cell in distinct)
        if own and (is_titled or _is_named_alike(first, words)):
            return (), None, numbers, words
        # words above words may be the first row of labels: positions, which are in order, make it a header
        over = numbers[0][np.isfinite(numbers[0])]
        if not own or (len(over) > 2 and _in_order(over)):
            return tuple(first), None, numbers[1:], below
    return (), None, numbers, words


def is_note(numbers: FloatTable, above: tuple[tuple[str, ...], tuple[str, ...]]) -> bool:
    """Whether a first line says something of each spectrum, and no positions: these are in the column below a title for them."""
    down = numbers[1:, 0]
    titled = any(titles and quantity_of(titles[0]) for titles in above)
    return titled and len(down) > 2 and bool(np.isnan(numbers[0, 0]) and np.isfinite(down).all()) and _in_order(down)


def is_size(line: FloatTable, count: int) -> bool:
    """Whether the first of two-column lines gives the number of the others, and one or two columns."""
    return len(line) == 2 and count > _LEAST_CORNER and line[0] == count and line[1] in (1, 2)


def has_corner(numbers: FloatTable) -> bool:
    """Whether the first cell of a matrix is a 0, or no number, where its first line and its first column, which are in order, meet."""
    if min(numbers.shape) < _LEAST_CORNER - 1 or not (numbers[0, 0] == 0 or np.isnan(numbers[0, 0])):
        return False
    sides = [numbers[0], numbers[:, 0]]
    if np.isnan(numbers[0, 0]):
        return all(bool(np.isfinite(side[1:]).all()) and _in_order(side[1:]) for side in sides)
    if not all(np.isfinite(side).all() and _in_order(side[1:]) for side in sides):
        return False
    # a 0 that goes on with the order, and in the same steps, is one of the positions
    far = [not (_in_order(side) and abs(side[1]) < _FAR * np.abs(np.diff(side[1:])).max()) for side in sides]
    return all(far) or any(one and len(side) > _LONG_SIDE for one, side in zip(far, sides, strict=True))


def _is_named_alike(first: Sequence[str], words: Mapping[int, Sequence[str]]) -> bool:
    """Whether the first line has a name that differs from the next one by its number alone, as ``leaf_01`` from ``leaf_02``."""
    return any(
        len(cells) > 1 and re.search(r"\d", cells[0]) and re.sub(r"\d+", "0", cells[0]) == re.sub(r"\d+", "0", cells[1])
        for cells in words.values()
    )


def _in_order(values: FloatTable) -> bool:
    steps = np.diff(values)
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())
