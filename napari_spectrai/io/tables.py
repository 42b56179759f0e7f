"""Tables of numbers in text: which lines they are, what separates their columns, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from napari_spectrai.io.table_numbers import parsed, without_gaps
from napari_spectrai.io.table_syntax import (
    MISSING,
    MOST_LEADS,
    NUMBER,
    SAMPLE,
    SYNTAXES,
    FloatTable,
    Syntax,
    counts,
    is_remark,
    may_be_thousands,
    plain_lines,
    pointed,
    syntax_of,
    with_thousands,
)
from napari_spectrai.io.table_titles import has_corner, head, is_note, is_size, titles_above
from napari_spectrai.io.texts import lines_of
from napari_spectrai.spec import some_of

_SHOWN, _LOOKED_AT = 40, 24
_FREED_AT_ONCE = 2**15
"""Lines that are freed at a time."""
_MOST_ABOVE = 10_000
_LONGEST_STEP = 2.5
"""How many times as long as the step before it a step over a line of words may be."""
_LEAST_LINES, _MOST_TABLES = 3, 4096
"""Lines of a table next to others, and tables of a text."""


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a text and the text around them.

    Parameters
    ----------
    numbers : array of shape (rows, columns), NaN where a cell is empty or holds words
    words : the cells of those columns that hold words, by column
    names : the titles of the columns, or none; those of bands may be positions
    units : a second line of titles above `names`, or none
    leads : how many columns stand before those whose positions the first line gives, where it gives them for the others alone
    above, below : the lines of words above and below
    notes : what of the file is not read, in words
    across : the title of the positions in the first line, where the first cell names both directions
    runs : first and last line (exclusive) of all tables of this width in the text, where there are several
    syntax : what separates the cells
    """

    numbers: FloatTable
    words: Mapping[int, list[str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    leads: int | None = None
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    across: str = ""
    runs: tuple[tuple[int, int], ...] = ()
    syntax: Syntax | None = None

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.numbers.shape[1])


def table_of(content: str, syntax: Syntax | None = None) -> Table:
    """Return the largest table in a text, whose cells are separated as `syntax` says, if it is known."""
    lines = lines_of(content)
    syntax = syntax or syntax_of(lines)
    single = syntax is None
    syntax = syntax or SYNTAXES[0]
    start, stop, runs, notes = _block(lines, syntax, single=single)
    start = _below_lines_of_names(lines, syntax, start, stop)
    rows = [number for number in range(start, stop) if lines[number].strip() and not is_remark(lines[number])]
    grouped = with_thousands([lines[number] for number in rows[:SAMPLE]], syntax)
    if grouped != syntax:
        syntax = grouped
        notes.append(f"the {'points' if syntax.points else 'commas'} in its numbers are taken to set thousands apart")
    elif may_be_thousands([lines[number] for number in rows[:SAMPLE]], syntax):
        notes.append("the commas in its numbers are taken for decimal marks; if they set thousands apart, save it without them")
    others = [number for first, last in runs if (first, last) != (start, stop) for number in range(first, last)]
    above, below = _around(lines, start, stop, set(others), f' \t"{syntax.delimiter or ""}')
    written = len(syntax.cells(lines[rows[-1]])) if rows else 0
    first, numbers, words = parsed([lines[number] for number in rows], syntax, notes)
    if not first and is_size(numbers[0], len(numbers) - 1):
        numbers = numbers[1:]
        notes.append("its first line gives the number of its lines and columns, and is no part of them")
    if (not first or first[0].casefold() in MISSING) and has_corner(numbers):
        first = ["", *(pointed(cell, syntax) for cell in syntax.cells(lines[rows[0]])[1:])]
    first, numbers, words, above = without_gaps(first, numbers, words, above, syntax)
    while len(lines) > _FREED_AT_ONCE:  # to free a million lines at once would stop every thread for a tenth of a second
        del lines[-_FREED_AT_ONCE:]
    if np.isfinite(numbers).sum() < 3 and (above or below):
        raise ValueError("it holds words, and no table of numbers")
    is_titled = bool(words) and any(
        title and not NUMBER.fullmatch(title) for title in titles_above(above, syntax, numbers.shape[1], written)[0][1:]
    )
    if first and is_note(numbers, titles_above(above, syntax, numbers.shape[1], written)):
        first, numbers, words = [], numbers[1:], {column: cells[1:] for column, cells in words.items()}
    names, leads, numbers, words = head(first, numbers, words, is_titled=is_titled)
    units: tuple[str, ...] = ()
    if not names and leads is None:
        names, units = titles_above(above, syntax, numbers.shape[1], written)
    return Table(numbers, words, names, units, leads, above, below, tuple(notes), runs=runs, syntax=syntax)


def _around(lines: Sequence[str], start: int, stop: int, others: set[int], blank: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines of words above and below a table, without those of other tables."""
    above = tuple(line for number, line in enumerate(lines[:start]) if number not in others and line.strip(blank))
    return above, tuple(line for number, line in enumerate(lines[stop:], stop) if number not in others and line.strip())


def _block(lines: list[str], syntax: Syntax, *, single: bool) -> tuple[int, int, tuple[tuple[int, int], ...], list[str]]:
    """Return where the largest run of lines of numbers starts and ends, others like it, and what else the text holds.

    Lines of words between numbers that go on below them are emptied.

    Raises
    ------
    ValueError
        If there is none, or its lines do not hold equally many values.
    """
    runs: list[tuple[int, int, int, int, int]] = []  # start, stop, cells, numbers, lines without words
    start, stop, width, total, rows, bare = -1, -1, 0, 0, 0, 0
    between: list[str] = []
    plain, mark = plain_lines(syntax).fullmatch, syntax.delimiter
    for number, line in enumerate(lines):
        if rows > 1 and plain(line) and width == (line.count(mark) + 1 if mark else len(line.split())):
            stop, total, rows, bare = number + 1, total + width, rows + 1, bare + 1  # most lines, without a look at each cell
            continue
        if not line.strip() or is_remark(line):
            continue
        cells, numbers, words = _counted(line, syntax)
        sole = numbers >= 1 and words == 0 and (single or cells > 1)  # the other cells are empty
        data = sole or (not single and numbers >= 2 and numbers >= words)
        filled = len(syntax.cells(line.rstrip(f" {syntax.delimiter or ''}"))) if data else 0
        fits = start >= 0 and width in (cells, filled)
        longer = rows == 1 and start >= 0 and 0 < cells - width <= MOST_LEADS and _orderly(lines[start], syntax)
        if data and (fits or longer):
            stop, width, total, rows = number + 1, max(width, cells) if longer else width, total + numbers, rows + 1
            bare += words == 0
        elif rows > 1 and cells == width and _continues(lines, syntax, number, stop):
            stop, total, rows = number + 1, total + numbers, rows + 1  # a word where there is no number
        elif rows > 1 and words and not numbers and _goes_on(lines, syntax, number, stop):
            between.append(line.strip()[:_SHOWN])
            lines[number] = ""
        else:
            if start >= 0:
                runs.append((start, stop, width, total, bare))
            start, stop, width, total, rows = (number, number + 1, cells, numbers, 1) if data else (-1, -1, 0, 0, 0)
            bare = int(data and words == 0)
    if start >= 0:
        runs.append((start, stop, width, total, bare))
    if not runs:
        raise ValueError("it holds no numbers")
    start, stop, width, *_ = max(runs, key=lambda run: run[3])
    like = tuple((first, last) for first, last, cells, _, count in runs if cells == width and count >= _LEAST_LINES)
    like = like if not single and 1 < len(like) <= _MOST_TABLES else ()
    notes = _other_numbers(lines, syntax, start, stop, width, single=single, several=bool(like))
    titles = {line.strip()[:_SHOWN] for line in lines[max(0, start - _LOOKED_AT) : start]}  # again on each page
    if words_between := [repr(line) for line in between if line not in titles]:
        notes.append(f"its lines {some_of(words_between)} between numbers that go on below them are not read")
    return start, stop, like, notes


def _goes_on(lines: Sequence[str], syntax: Syntax, number: int, stop: int) -> bool:
    """Whether the numbers below a line of words follow those above it by a step as before, as positions do."""
    around = [line for line in lines[max(0, stop - _LOOKED_AT) : stop] if line.strip() and not is_remark(line)][-2:]
    around += [line for line in lines[number + 1 : number + _LOOKED_AT] if line.strip() and not is_remark(line)][:1]
    rows = [syntax.cells(line) for line in around]
    if len(rows) < 3 or len({len(row) for row in rows}) > 1 or counts(around[-1], syntax)[2]:
        return False
    values = [syntax.number(row[0]) for row in rows]
    before, step = (np.nan if low is None or high is None else high - low for low, high in pairwise(values))
    return bool(before * step > 0 and abs(step) < _LONGEST_STEP * abs(before))


def _continues(lines: Sequence[str], syntax: Syntax, number: int, stop: int) -> bool:
    """Whether a line with words lies between lines of numbers: its first cell is a number between theirs, as positions are."""
    after = next((line for line in lines[number + 1 : number + _LOOKED_AT] if line.strip() and not is_remark(line)), "")
    rows = [syntax.cells(line) for line in (lines[stop - 1], lines[number], after)]
    before, here, behind = (syntax.number(row[0]) if row else None for row in rows)
    if before is None or here is None or behind is None or len(rows[2]) != len(rows[1]) or counts(after, syntax)[2]:
        return False
    return before < here < behind or before > here > behind


def _below_lines_of_names(lines: Sequence[str], syntax: Syntax, start: int, stop: int) -> int:
    """Return where a table starts whose first lines are named numbers above lines of numbers alone: at the last of those, its titles."""
    places = [number for number in range(start, min(stop, start + _LOOKED_AT)) if lines[number].strip() and not is_remark(lines[number])]
    named = [counts(lines[number], syntax)[2] > 0 for number in places]
    count = named.index(False) if False in named else 0
    return places[count - 1] if 1 < count < len(named) - count and not any(named[count:]) else start


def _counted(line: str, syntax: Syntax) -> tuple[int, int, int]:
    """Return how many cells, numbers and words a line has; of numbers alone without a look at each."""
    if plain_lines(syntax).fullmatch(line):
        cells = line.count(syntax.delimiter) + 1 if syntax.delimiter else len(line.split())
        return cells, cells, 0
    return counts(line, syntax)


def _orderly(line: str, syntax: Syntax) -> bool:
    """Whether a line holds nothing but three or more numbers in order, as positions do."""
    found = [value for value in (syntax.number(cell) for cell in syntax.cells(line)) if value is None or not np.isnan(value)]
    steps = np.diff([value for value in found if value is not None])
    return None not in found and len(found) >= 3 and bool((steps > 0).all() or (steps < 0).all())


def _other_numbers(lines: Sequence[str], syntax: Syntax, start: int, stop: int, width: int, *, single: bool, several: bool) -> list[str]:
    """Return notes on other numbers that a text holds, but for those in `several` tables.

    Raises
    ------
    ValueError
        If they adjoin the table, which is then damaged or no table.
    """
    notes: list[str] = []
    least = 1 if single else 2
    for neighbour in (start - 1, stop):
        if not 0 <= neighbour < len(lines) or not lines[neighbour].strip() or is_remark(lines[neighbour]):
            continue
        cells, numbers, words = counts(lines[neighbour], syntax)
        touching = numbers >= (1 if neighbour == stop else least) and not words
        touching = touching or (neighbour == stop and numbers > max(2, width / 2) and words < numbers / 2)
        if touching and (neighbour == stop or stop - start < 3):
            raise ValueError(
                f"its line {neighbour + 1} holds {cells} value{'s' if cells > 1 else ''} where the table has {width}; "
                "it is truncated or no table"
            )
        if words and numbers and cells == width and syntax.number(syntax.cells(lines[neighbour])[0]) is not None:
            notes.append(f"its line {neighbour + 1} next to the table ({lines[neighbour].strip()[:_SHOWN]!r}) is not read")
    if several:
        return notes
    others = 0
    for line in lines[stop:]:
        if line.strip() and not is_remark(line):
            _, numbers, words = counts(line, syntax)
            others += numbers >= max(2, least) and not words
    before = [line for line in lines[: max(0, min(start - 1, _MOST_ABOVE))] if line.strip() and not is_remark(line)]
    above = sum(counts(line, syntax)[:2] == (width, width) for line in before)
    if above > 2:
        notes.append(f"{above} lines of numbers above the table are not read; save them as a file of their own")
    if others > 2:
        notes.append(f"{others} lines of numbers below the first table are not read; save them as a file of their own")
    return notes
