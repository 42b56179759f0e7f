"""Cells of tables that people open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_FORMULA = frozenset("=+-@\t\r＝＋－＠")


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode("utf-8")  # of names of files that are no UTF-8
    if not text[:1] or (text[0] not in _FORMULA and text.lstrip()[:1] not in _FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def safe_row(row: Iterable[Any]) -> list[Any]:
    """Return a row whose cells are safe."""
    return [safe_cell(value) for value in row]
