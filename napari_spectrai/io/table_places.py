"""Places of spectra in columns: lines of coordinates above them, or columns that are named after their pixel."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import COORDINATES, role_of
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.tables import Table

_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
_PAIR = re.compile(rf"[^\d(]*\(\s*(?P<x>{_NUMBER})\s*[,;]\s*(?P<y>{_NUMBER})\s*\)")
_OF_TITLE = re.compile(
    rf"(?:.*[^a-z])?x\s*[=:_]?\s*(?P<x>{_NUMBER})\s*(?P<x_unit>[µμu]m|mm|nm)?[\s,;_/]*y\s*[=:_]?\s*(?P<y>{_NUMBER})\s*(?P<y_unit>[µμu]m|mm|nm)?\W*",
    re.IGNORECASE,
)
"""Titles of columns that are the place of their spectrum: a pair of numbers, or one with the letters x and y."""
_LINES = 8
"""Lines above a table that are looked at."""


def coordinates_above(table: Table, columns: Sequence[int]) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, str]]:
    """Return the coordinates of several columns, one line for each, and their units."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    units: dict[str, str] = {}
    if table.syntax is None or len(columns) < 2:
        return found, units
    for cells in (*map(table.syntax.cells, table.above[-_LINES:]), table.names, table.units):
        role = role_of(cells[0]) if len(cells) > max(columns) and 0 not in columns else ""
        if role not in COORDINATES or role in found:
            continue
        values = [table.syntax.number(cells[column]) for column in columns]
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        if np.isfinite(numbers).all():
            found[role], units[role] = numbers, length_unit(cells[0])
    return found, units


def places_in_titles(titles: Sequence[str]) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, str]]:
    """Return the coordinates that the titles of columns are made of, such as ``(2.5, 1)`` or ``X=2.5 µm, Y=1 µm``, and their units."""
    for pattern in (_OF_TITLE, _PAIR):
        matches = [pattern.fullmatch(title.strip()) for title in titles]
        found = [match.groupdict() for match in matches if match is not None]
        if len(found) < max(2, len(titles)):
            continue
        places = {side: np.array([float(one[side].replace(",", ".")) for one in found]) for side in "xy"}
        if len({*zip(*places.values(), strict=True)}) < len(found):
            return {}, {}
        return places, {side: length_unit(f"({found[0].get(f'{side}_unit') or ''})") for side in "xy"}
    return {}, {}


def named_places(table: Table, values: Sequence[int]) -> tuple[int, int] | None:
    """Return height and width of a map whose columns are named after their pixel, ``(x/y)``, row by row."""
    titles = next((names for names in (table.names, table.units) if names and "/" in names[values[0]]), None)
    found = [re.search(r"\((\d+)\s*/\s*(\d+)\)", titles[column]) if titles else None for column in values]
    if len(found) < 2 or not all(found):
        return None
    places = np.array([[int(match.group(2)), int(match.group(1))] for match in found if match])
    places -= places.min(0)
    height, width = (int(length) for length in places.max(0) + 1)
    rows = places[:, 0] * width + places[:, 1]
    return (height, width) if np.array_equal(rows, np.arange(height * width)) else None
