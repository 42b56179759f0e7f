"""How the cells of a line of text are separated, and the numbers in them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from napari_spectrai.units import unit_of

FloatTable = npt.NDArray[np.float64]

_REMARKS = ("#", "%", "//", "$$", "'")
MISSING = {
    "nan", "-nan", "na", "n/a", "n.a.", "--", "-", "#n/a", "null", "none", "?", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "1.#qnan",
    "-1.#qnan", "1.#snan", "1.#ind", "-1.#ind", "1.#inf", "-1.#inf", "1.#j", "over", "ovrflw", "overflow", "sat", "***", "****", "*****",
    "---", "----", ".", "n.d.", "nd", "n/d", "n.a", "<na>", "nat", "nan(ind)", "-nan(ind)", "1.#inf00", "-1.#inf00", "1,#qnan", "1,#ind",
    "1,#inf", "missing", "(null)", "empty",
}  # fmt: skip
"""What programs write where there is no number."""
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?|[-+]?inf(?:inity)?", re.IGNORECASE)
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_COMMA = re.compile(r"([-+]?\d+,\d+(?:[eE][-+]?\d+)?)(\D.{0,15}|)$")
"""A number with a decimal comma, and its unit."""
_POINT = re.compile(r"\d\.|\.\d")
_SURE = ("\t", ";", "|")
"""Marks that separate cells and stand in no number."""
_GROUPED_BY_BLANKS = re.compile(r"[-+]?\d{1,3}(?:[ \xa0\u202f\u2009']\d{3})+(?:[.,]\d*)?")
_GROUPED_BY_POINTS = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d*")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+")
MOST_LEADS = 3
"""Columns, at most, before those whose positions the first line gives."""
_LONGEST_CELL = 400
"""Characters of a cell: no number or title has more, and the time of patterns grows with their square."""
SAMPLE = 400
_AGAINST_BLANKS, _SURELY = 1.2, 2.5
"""How many times as many numbers blanks must separate as another mark, since titles and names hold blanks and numbers."""
_ALONE, _WITH_WORDS = 5, 2
"""What a number in a line counts for what separates them, and one next to words."""
_SAME_DIGITS = str.maketrans("023456789", "111111111")
"""Lines that differ in their digits alone have as many cells, numbers and words (of which some start with 1, as ``1.#INF``)."""
_LONGEST_SAMPLE = 50_000
"""Characters of a line from which the separator of its cells is determined."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How cells are separated (None: by spaces), and whether a comma may be the decimal mark, or it or a point sets thousands apart."""

    delimiter: str | None
    comma: bool
    grouped: bool = False
    points: bool = False

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line, without quotes and spaces around them."""
        if self.delimiter is None:
            parts = re.findall(r'"[^"]*"|[^\s"]+', line) if '"' in line else line.split()
            return [part.strip('" ')[:_LONGEST_CELL] for part in parts]
        parts = next(csv.reader([line], delimiter=self.delimiter), []) if '"' in line else line.split(self.delimiter)
        return [part.strip().strip("\"'").strip()[:_LONGEST_CELL] for part in parts]

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN for an empty one or one marked as missing, None for words."""
        if not cell or cell.casefold() in MISSING:
            return np.nan
        if self.delimiter in _SURE and (" " in cell or "'" in cell) and _GROUPED_BY_BLANKS.fullmatch(cell):
            cell = re.sub(r"[ '\xa0\u202f\u2009]", "", cell)
        if "," in cell:
            grouped = self.grouped or "." in cell or cell.count(",") > 1
            cell = ungrouped(cell) if grouped else cell.replace(",", ".") if self.comma else cell
        elif self.points and _THOUSANDS.fullmatch(cell):
            cell = cell.replace(".", "")
        cell = cell[:-1].rstrip() if cell.endswith("%") else cell
        if not NUMBER.fullmatch(cell):
            return None
        return float(cell.replace("D", "E").replace("d", "e")) if "inf" not in cell.casefold() else np.nan

    @property
    def decimal(self) -> bool:
        """Whether a comma outside quotes may be the decimal mark."""
        return self.comma and not self.grouped and self.delimiter != ","


SYNTAXES = (
    Syntax("\t", comma=True),
    Syntax(";", comma=True),
    Syntax("|", comma=True),
    Syntax(",", comma=True),  # within quotes
    Syntax(None, comma=False),
    Syntax(None, comma=True),
)


@cache
def plain_lines(syntax: Syntax) -> re.Pattern[str]:
    """Return the pattern of lines whose cells hold a number each, without blanks or missing ones; it takes linear time."""
    mark = "[.,]" if syntax.decimal else "[.]"
    number = rf"[-+]?(?:\d++(?:{mark}\d*+)?|{mark}\d++)(?:[eE][-+]?\d++)?"
    between = "[ \t]+" if syntax.delimiter is None else f"[ ]*{re.escape(syntax.delimiter)}[ ]*"
    return re.compile(rf"[ \t]*{number}(?:{between}{number})*+[ ]*")  # possessive: a line of millions of cells takes no stack


def is_remark(line: str) -> bool:
    """Whether a line is marked as a remark; one in single quotes throughout holds cells."""
    text = line.strip()
    return text.startswith(_REMARKS) and not (text[0] == text[-1] == "'" and text.count("'") > 2)


def counts(line: str, syntax: Syntax) -> tuple[int, int, int]:
    """Return how many cells, numbers and words a line has."""
    cells = syntax.cells(line)
    found = [syntax.number(cell) for cell in cells]
    filled = [value for cell, value in zip(cells, found, strict=True) if cell]
    words = sum(value is None for value in filled)
    if words and syntax.delimiter is None and all(value is None or np.isnan(value) for value in filled):
        return len(cells), 0, len(filled)  # -- end --
    return len(cells), len(filled) - words, words


def syntax_of(lines: Sequence[str]) -> Syntax | None:
    """Return what separates the cells, determined from lines of numbers alone, since titles may hold any mark; None for a single column."""
    middle = len(lines) // 2
    sample = [
        line[:_LONGEST_SAMPLE]
        for line in [*lines[:SAMPLE], *lines[max(middle, SAMPLE) : middle + SAMPLE]]
        if line.strip() and not is_remark(line)
    ]
    shapes = Counter(line.translate(_SAME_DIGITS) for line in sample)  # few, of many lines
    best, most = None, 0
    for syntax in SYNTAXES:
        score, whole = 0, len(sample) > 1 and syntax.delimiter in _SURE
        for line, times in shapes.items():
            cells, numbers, words = counts(line, syntax)
            whole = whole and (numbers == 0 or 1 < numbers == cells)
            if numbers >= 2 and words <= numbers:
                score += times * numbers * (_WITH_WORDS if words else _ALONE)
        if whole and score and any(" " in cell for cell in syntax.cells(sample[-1])):  # which set thousands apart
            return syntax
        sure = best is not None and best.delimiter in _SURE
        if score > most * (1.0 if syntax.delimiter is not None else _SURELY if sure else _AGAINST_BLANKS):
            best, most = syntax, score
    return best


def pointed(cell: str, syntax: Syntax) -> str:
    """Return a number with a decimal point, with its unit, words as they are."""
    if "," not in cell:
        return cell
    if syntax.grouped or _POINT.search(cell):
        return ungrouped(cell)
    found = _COMMA.match(cell) if syntax.comma else None
    if found is None or (found.group(2) and unit_of(found.group(2)) is None):  # a name, such as 1,2-dichloroethane
        return cell
    return found.group(1).replace(",", ".") + found.group(2)


def with_thousands(lines: Sequence[str], syntax: Syntax) -> Syntax:
    """Return the syntax in which a comma sets thousands apart, if lines show that it is no decimal mark.

    It is none where numbers have decimal points too, or where a column holds whole numbers below 1,000 without it; and three digits follow
    it everywhere. A point does next to numbers with decimal commas, if three digits follow it everywhere.
    """
    if syntax.comma and not syntax.grouped and _points_group(lines, syntax):
        return replace(syntax, points=True)
    quoted = syntax.delimiter == ","  # where a comma within a number stands in quotes
    if not (syntax.decimal or quoted) or not any(('"' if quoted else ",") in line for line in lines[:SAMPLE]):
        return syntax
    columns, with_comma = _commas(lines, syntax)
    if not any(with_comma):
        return syntax
    points = any("." in cell and "," not in cell and NUMBER.fullmatch(cell) for column in columns for cell in column)
    small = any(found and any(cell.isdecimal() for cell in column) for column, found in zip(columns, with_comma, strict=True))
    return replace(syntax, grouped=True) if points or small else syntax


def _points_group(lines: Sequence[str], syntax: Syntax) -> bool:
    """Whether points set thousands apart, next to numbers with decimal commas."""
    if not any("," in line and "." in line for line in lines[:SAMPLE]):
        return False
    cells = [cell for line in lines[:SAMPLE] for cell in syntax.cells(line[:_LONGEST_SAMPLE]) if syntax.number(cell) is not None]
    pointed_ones = [cell for cell in cells if "." in cell and "," not in cell]
    decimals = any("," in cell and "." not in cell and not _GROUPED.fullmatch(cell) for cell in cells)
    return decimals and bool(pointed_ones) and all(_THOUSANDS.fullmatch(cell) for cell in pointed_ones)


def _commas(lines: Sequence[str], syntax: Syntax) -> tuple[list[list[str]], list[list[str]]]:
    """Return the cells of each column, and those with commas that may set thousands apart; none where one of them cannot."""
    rows = [syntax.cells(line[:_LONGEST_SAMPLE]) for line in lines[:SAMPLE]]
    columns = [[cell for cell in column if cell] for column in zip_longest(*rows, fillvalue="")]
    found = [[cell for cell in column if "," in cell and syntax.number(cell) is not None] for column in columns]
    if any(not _GROUPED.fullmatch(cell) or cell.lstrip("-+").startswith("0") for cells in found for cell in cells):
        return columns, []
    return columns, found


def may_be_thousands(lines: Sequence[str], syntax: Syntax) -> bool:
    """Whether commas that are read as decimal marks may set thousands apart: three digits follow each, next to columns of whole numbers."""
    if not syntax.decimal or not any("," in line for line in lines[:SAMPLE]):
        return False
    columns, found = _commas(lines, syntax)
    plain = (cells for cells, commas in zip(columns, found, strict=False) if not commas)
    return any(found) and any(len(cells) > 1 and all(cell.isdecimal() for cell in cells[1:]) for cells in plain)


def ungrouped(cell: str) -> str:
    """Return a number whose thousands are set apart, as in ``1,234.5`` or ``1.234,5``, without those marks; other cells as they are."""
    if _GROUPED.fullmatch(cell):
        return cell.replace(",", "")
    return cell.replace(".", "").replace(",", ".") if _GROUPED_BY_POINTS.fullmatch(cell) else cell
