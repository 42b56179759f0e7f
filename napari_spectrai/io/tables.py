"""Tables of numbers in text: which lines they are, what separates their columns, and the words around them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import affordable
from napari_spectrai.units import quantity_of

FloatTable = npt.NDArray[np.float64]

_REMARKS = ("#", "%", "//", "$$", "'")
_MISSING = {"nan", "-nan", "na", "n/a", "n.a.", "--", "-", "#n/a", "null", "none", "?"}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?|[-+]?inf(?:inity)?", re.IGNORECASE)
_OF_SETTINGS = re.compile(r"laser|excit|cent(?:er|re)|slit|grating|bandwidth|step|resol", re.IGNORECASE)
_MOST_LEADS, _MOST_SETTINGS = 3, 8
_LONGEST_CELL = 400
"""Characters of a cell: no number or title has more, and the time of patterns grows with their square."""
_SAMPLE = 400
_LONGEST_SAMPLE = 50_000
"""Characters of a line from which the separator of its cells is determined."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How cells are separated (None: by spaces), and whether a comma may be the decimal mark."""

    delimiter: str | None
    comma: bool

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line, without quotes and spaces around them."""
        if self.delimiter is None:
            return [cell[:_LONGEST_CELL] for cell in line.replace('"', " ").split()]
        parts = next(csv.reader([line], delimiter=self.delimiter), []) if '"' in line else line.split(self.delimiter)
        return [part.strip().strip("\"'").strip()[:_LONGEST_CELL] for part in parts]

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN for an empty one or one marked as missing, None for words."""
        if not cell or cell.casefold() in _MISSING:
            return np.nan
        if self.comma and cell.count(",") == 1 and "." not in cell:
            cell = cell.replace(",", ".")
        if not _NUMBER.fullmatch(cell):
            return None
        return float(cell.replace("D", "E").replace("d", "e")) if "inf" not in cell.casefold() else np.nan


SYNTAXES = (
    Syntax("\t", comma=True),
    Syntax(";", comma=True),
    Syntax(",", comma=False),
    Syntax(None, comma=False),
    Syntax(None, comma=True),
)


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
    """

    numbers: FloatTable
    words: Mapping[int, list[str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    leads: int | None = None
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.numbers.shape[1])


def text_of(path: Path) -> str:
    """Return the content of a text file in the encodings that instruments write: UTF-8, UTF-16 with its mark, and Windows' own."""
    affordable((path.stat().st_size * 8,), np.uint8)
    content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # instruments write µ in the Windows way
        found = content.decode("cp1252", "replace")
    found = found.rstrip("\0\x1a\r\n ")  # DOS ends a text with ^Z
    if "\0" in found:
        raise ValueError("it holds zero bytes; it is no text")
    return found


def lines_of(content: str) -> list[str]:
    """Return the lines; unlike `str.splitlines` no other control character ends one."""
    return re.split(r"\r\n|\r|\n", content)


def table_of(content: str) -> Table:
    """Return the largest table in a text."""
    lines = lines_of(content)
    syntax = _syntax(lines)
    single = syntax is None
    syntax = syntax or SYNTAXES[0]
    start, stop, notes = _block(lines, syntax, single=single)
    rows = [number for number in range(start, stop) if lines[number].strip() and not _is_remark(lines[number])]
    above = tuple(line for line in lines[:start] if line.strip())
    below = tuple(line for line in lines[stop:] if line.strip())
    parsed = _quickly([lines[number] for number in rows], syntax)
    if parsed is not None:
        words: dict[int, list[str]] = {}
        first: list[str] = []
        numbers = parsed
    else:
        first, numbers, words = _carefully([lines[number] for number in rows], syntax)
    if np.isfinite(numbers).sum() < 3 and any(line.strip() for line in (*lines[:start], *lines[stop:])):
        raise ValueError("it holds words, and no table of numbers")
    names, leads, numbers, words = _head(first, numbers, words)
    units: tuple[str, ...] = ()
    if not names and leads is None:
        names, units = _titles(above, syntax, numbers.shape[1])
    return Table(numbers, words, names, units, leads, above, below, tuple(notes))


def _is_remark(line: str) -> bool:
    return line.lstrip().startswith(_REMARKS)


def _counts(line: str, syntax: Syntax) -> tuple[int, int, int]:
    """Return how many cells, numbers and words a line has."""
    cells = syntax.cells(line)
    found = [syntax.number(cell) for cell in cells]
    filled = [value for cell, value in zip(cells, found, strict=True) if cell]
    words = sum(value is None for value in filled)
    return len(cells), len(filled) - words, words


def _syntax(lines: Sequence[str]) -> Syntax | None:
    """Return what separates the cells, determined from lines of numbers alone, since titles may hold any mark; None for a single column."""
    middle = len(lines) // 2
    sample = [
        line[:_LONGEST_SAMPLE]
        for line in [*lines[:_SAMPLE], *lines[max(middle, _SAMPLE) : middle + _SAMPLE]]
        if line.strip() and not _is_remark(line)
    ]
    best, most = None, 0.0
    for syntax in SYNTAXES:
        score = 0.0
        for line in sample:
            _, numbers, words = _counts(line, syntax)
            if numbers >= 2 and words <= numbers:
                score += numbers * (0.4 if words else 1.0)
        if score > most:
            best, most = syntax, score
    return best


def _block(lines: Sequence[str], syntax: Syntax, *, single: bool) -> tuple[int, int, list[str]]:
    """Return where the largest run of lines of numbers starts and ends, and what else the text holds.

    Raises
    ------
    ValueError
        If there is none, or its lines do not hold equally many values.
    """
    runs: list[tuple[int, int, int, int]] = []  # start, stop, cells, numbers
    start, stop, width, total, rows = -1, -1, 0, 0, 0
    for number, line in enumerate(lines):
        if not line.strip() or _is_remark(line):
            continue
        cells, numbers, words = _counts(line, syntax)
        sole = numbers >= 1 and words == 0 and (single or cells > 1)  # the other cells are empty
        data = sole or (not single and numbers >= 2 and numbers >= words)
        filled = len(syntax.cells(line.rstrip(f" {syntax.delimiter or ''}"))) if data else 0
        fits = start >= 0 and width in (cells, filled)
        longer = rows == 1 and start >= 0 and 0 < cells - width <= _MOST_LEADS and _orderly(lines[start], syntax)
        if data and (fits or longer):
            stop, width, total, rows = number + 1, max(width, cells) if longer else width, total + numbers, rows + 1
        else:
            if start >= 0:
                runs.append((start, stop, width, total))
            start, stop, width, total, rows = (number, number + 1, cells, numbers, 1) if data else (-1, -1, 0, 0, 0)
    if start >= 0:
        runs.append((start, stop, width, total))
    if not runs:
        raise ValueError("it holds no numbers")
    start, stop, width, _ = max(runs, key=lambda run: run[3])
    return start, stop, _other_numbers(lines, syntax, start, stop, width, single=single)


def _orderly(line: str, syntax: Syntax) -> bool:
    """Whether a line holds nothing but three or more numbers in order, as positions do."""
    found = [value for value in (syntax.number(cell) for cell in syntax.cells(line)) if value is None or not np.isnan(value)]
    steps = np.diff([value for value in found if value is not None])
    return None not in found and len(found) >= 3 and bool((steps > 0).all() or (steps < 0).all())


def _other_numbers(lines: Sequence[str], syntax: Syntax, start: int, stop: int, width: int, *, single: bool) -> list[str]:
    """Return notes on other numbers that a text holds; raise where they adjoin the table, which is then damaged or no table."""
    notes: list[str] = []
    least = 1 if single else 2
    for neighbour in (start - 1, stop):
        if not 0 <= neighbour < len(lines) or not lines[neighbour].strip() or _is_remark(lines[neighbour]):
            continue
        cells, numbers, words = _counts(lines[neighbour], syntax)
        touching = numbers >= (1 if neighbour == stop else least) and not words
        touching = touching or (neighbour == stop and numbers > max(2, width / 2) and words < numbers / 2)
        if touching and (neighbour == stop or stop - start < 3):
            raise ValueError(
                f"its line {neighbour + 1} holds {cells} value{'s' if cells > 1 else ''} where the table has {width}; "
                "it is truncated or no table"
            )
    others = 0
    for line in lines[stop:]:
        if line.strip() and not _is_remark(line):
            _, numbers, words = _counts(line, syntax)
            others += numbers >= max(2, least) and not words
    if others > 2:
        notes.append(f"{others} lines of numbers below the first table are not read; save them as a file of their own")
    return notes


def _quickly(lines: Sequence[str], syntax: Syntax) -> FloatTable | None:
    """Return the numbers where every cell of every line holds one."""
    content = "\n".join(lines)
    if '"' in content:
        return None
    if syntax.comma:
        if "." in content and "," in content:
            return None
        content = content.replace(",", ".")
    try:
        found = np.loadtxt(io.StringIO(content), delimiter=syntax.delimiter, ndmin=2, comments=None)
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _carefully(lines: Sequence[str], syntax: Syntax) -> tuple[list[str], FloatTable, dict[int, list[str]]]:
    """Return the cells of the first line, the numbers of all, and the cells of columns that hold words."""
    cells = [syntax.cells(line) for line in lines]
    usual = Counter(len(row) for row in cells).most_common(1)[0][0]
    width = max(len(row) for row in cells) if len(cells) < 3 else usual
    while width > 1 and not any(row[width - 1] for row in cells if len(row) >= width):
        width -= 1  # a delimiter ends each line
    affordable((len(cells), width * 8), np.float64)
    first = [_pointed(cell, syntax) for cell in cells[0][:width]]
    rows = [(row + [""] * width)[:width] for row in cells]
    found = [[syntax.number(cell) for cell in row] for row in rows]
    numbers = np.array([[np.nan if value is None else value for value in row] for row in found], np.float64)
    texts = {column for row in found[1:] for column, value in enumerate(row) if value is None}
    return first, numbers, {column: [row[column] for row in rows] for column in sorted(texts)}


def _pointed(cell: str, syntax: Syntax) -> str:
    """Return a number with a decimal point, words as they are."""
    return cell.replace(",", ".") if syntax.comma and re.fullmatch(r"[-+]?\d+,\d+", cell) else cell


def _head(first: list[str], numbers: FloatTable, words: dict[int, list[str]]) -> tuple[tuple[str, ...], int | None, FloatTable, Any]:
    """Separate a first line that is a header from the numbers: titles among numbers, or positions over all but the first columns."""
    width = numbers.shape[1]
    if not first or len(numbers) < 2:
        return (), None, numbers, words
    below = {column: cells[1:] for column, cells in words.items()}
    if len(first) < width:  # the positions are above the last columns
        return ("",) * (width - len(first)) + tuple(first), width - len(first), numbers[1:], below
    empty = next((number for number, cell in enumerate(first) if cell), width)
    filled = [cell for cell in first if cell]
    if 0 < empty <= _MOST_LEADS and np.isfinite(numbers[0, empty:]).all():
        return tuple(first), empty, numbers[1:], below
    titled = [cell for column, cell in enumerate(first) if cell and np.isnan(numbers[0, column]) and cell.casefold() not in _MISSING]
    if titled and len(filled) >= len(first) - 1:
        own = all(column in words for column, cell in enumerate(first) if cell in titled)
        # words above words may be the first row of labels: positions, which are in order, make it a header
        over = numbers[0][np.isfinite(numbers[0])]
        if not own or (len(over) > 2 and _in_order(over)):
            return tuple(first), None, numbers[1:], below
    return (), None, numbers, words


def _in_order(values: FloatTable) -> bool:
    steps = np.diff(values)
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _titles(above: Sequence[str], syntax: Syntax, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the titles of the columns from the lines above, and those of a second line above them."""
    found: list[tuple[str, ...]] = []
    for line in above[::-1][1:4]:  # types and notes may be between positions and spectra
        cells = _split(line, syntax, width)
        numbers = [syntax.number(cell) for cell in cells]
        known = np.array([number for number in numbers if number is not None and not np.isnan(number)])
        if len(known) > 2 and len(known) >= width - _MOST_LEADS and _in_order(known):
            return tuple(_pointed(cell, syntax) for cell in cells), ()
    for line in above[::-1][:2]:
        cells = _split(line, syntax, width)
        if not cells or _is_setting(line, cells) or (found and any(_NUMBER.fullmatch(cell) for cell in cells)):
            break
        found.append(cells)
    return (found[0] if found else ()), (found[1] if len(found) > 1 else ())


def _is_setting(line: str, cells: Sequence[str]) -> bool:
    """Whether a line that can be separated like a line of titles names a setting and its value, as in ``Slit (nm): 2``."""
    if cells[0].endswith(("=", ":")):
        return not (cells[0].endswith(":") and all(_is_words(cell) for cell in cells[1:]) and quantity_of(cells[0]))
    if len(cells) > _MOST_SETTINGS or cells[0].casefold().startswith("unnamed"):
        return False
    if "=" in line or re.match(r"[^:]*\w\s*:\s", line.strip(" #%/;'\"")):
        return True
    # the number under which a spectrum is known stands next to the title of its positions alone
    return len(cells) == 2 and bool(_NUMBER.fullmatch(cells[1])) and (not quantity_of(cells[0]) or bool(_OF_SETTINGS.search(cells[0])))


def _is_words(cell: str) -> bool:
    return bool(cell) and not _NUMBER.match(cell)


def _split(line: str, syntax: Syntax, width: int) -> tuple[str, ...]:
    """Return one title per column, if a line can be separated into as many."""
    bare = re.sub(r"^\s*(?:#|%|//|'|;)+", "", line)
    ways = [syntax.cells(bare) if syntax.delimiter else [], re.split(r"\t+|\s{2,}", bare.strip()), re.split(r"\s*[,;]\s*", bare.strip())]
    ways += [[cell for cell in syntax.cells(bare) if cell], bare.split()]
    for number, cells in enumerate(ways):
        while len(cells) > width and not cells[-1]:
            cells.pop()
        least = 0 if number == 0 else width // 2  # split as the numbers are, titles may leave cells empty
        if len(cells) == width and sum(bool(cell) for cell in cells) > least:
            return tuple(cell.strip().lstrip("#").strip() for cell in cells)
    return ()
