"""Signs that a text was cut off, or is still being written: how its last line differs from those above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from napari_spectrai.io.table_syntax import Syntax, is_remark
from napari_spectrai.io.tables import Table
from napari_spectrai.io.texts import lines_of

_TAIL = 2**16
"""Bytes at the end of a file that are compared."""
_COMPARED, _LEAST_LINES, _LEAST_CELLS = 200, 5, 2
_NUMBER = re.compile(r"[-+]?\d*(?:[.,](\d*))?(?:[eEdD][-+]?(\d*))?")
_MAY_CUT = "it may be cut off or still being written"


def note_of(path: Path, table: Table) -> str:
    """Return what the end of a text says against its last line, in words, or ``""``.

    A last line of fewer cells is no part of the table. One that ends within a number is noticed where the numbers above it have more digits
    behind their marks; otherwise nothing shows it.
    """
    lines = _last_lines(path)
    if table.syntax is None or len(lines) < 2:
        return ""
    cells = table.syntax.cells(lines[-1])
    if table.below:
        return _of_fewer_cells(cells, table, table.syntax) if lines[-1].strip() == table.below[-1].strip() else ""
    above = [row for line in lines[-_COMPARED:-1] if len(row := table.syntax.cells(line)) == len(cells)]
    if not cells[-1]:
        return f"its last line ends before its last cell; {_MAY_CUT}" if above and all(row[-1] for row in above) else ""
    alike = [row[-1] for row in above] if len(above) >= _LEAST_LINES else cells[1:-1]  # of a line of spectra, its other values
    return _of_fewer_digits(cells[-1], alike, table.syntax)


def _of_fewer_cells(cells: Sequence[str], table: Table, syntax: Syntax) -> str:
    numbers = [syntax.number(cell) for cell in cells if cell]
    words = sum(number is None for number in numbers)
    if len(cells) >= table.width or len(numbers) - words < min(_LEAST_CELLS, table.width - 1) or words > len(table.words):
        return ""
    return f"its last line has {len(cells)} of {table.width} cells and is left out; {_MAY_CUT}"


def _of_fewer_digits(last: str, alike: Sequence[str], syntax: Syntax) -> str:
    known = [_digits(cell) for cell in alike if syntax.number(cell) is not None]
    if len(known) < _LEAST_LINES or syntax.number(last) is None:
        return ""
    if all(found >= min(digits) for found, digits in zip(_digits(last), zip(*known, strict=True), strict=True)):
        return ""
    return f"its last number, {last}, has fewer digits than those above, and no line ends behind it; {_MAY_CUT}"


def is_open_ended(path: Path) -> bool:
    """Whether the last line of a text does not end."""
    return _tail(path)[-1:] not in (b"", b"\n", b"\r", b"\x1a", b"\0")


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read()


def _last_lines(path: Path) -> list[str]:
    """Return the last lines of a text whose last line does not end; none of others, and of those in two bytes a character."""
    content = _tail(path)
    if b"\0" in content or not is_open_ended(path):
        return []
    return [line for line in lines_of(content.decode("utf-8", "replace")) if line.strip() and not is_remark(line)]


def _digits(cell: str) -> tuple[int, int]:
    """Return how many digits a number has behind its mark and in its exponent."""
    found = _NUMBER.match(cell)
    return (len(found.group(1) or ""), len(found.group(2) or "")) if found is not None else (0, 0)
