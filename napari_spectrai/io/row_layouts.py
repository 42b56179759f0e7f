"""How a text table holds spectra in lines, under titles or a line that give the positions of their bands."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.band_titles import after, numbered_bands, positions_in, shared_ending, shared_prefix
from napari_spectrai.io.columns import COORDINATES, Layout, counts_up, in_order
from napari_spectrai.io.table_sides import pair_of_sides
from napari_spectrai.io.tables import Table
from napari_spectrai.units import Unit, is_unit, quantity_of, unit_of, usual_unit

_NONE = Unit("")
_SHARE_OF_BANDS = 0.7
_ID = re.compile(r"(?:f?id|oid|(?:system:)?index|sample|unnamed: 0|no\.?)?", re.IGNORECASE)


def in_rows(table: Table, titles: Sequence[str], named: Sequence[str]) -> Layout | None:
    """Return the layout of spectra in lines, if the first line or the titles hold their positions."""
    named = list(named)
    places = pair_of_sides(titles)
    titles = ["" if column in places else title for column, title in enumerate(titles)]
    head, words = positions_in(titles, table.leads)
    bands, prefix = [column for column, value in enumerate(head) if value is not None], ""
    if len(bands) < 2 and table.leads is None and (prefix := shared_prefix(table.numbers, titles, _lead(named))):
        head, words = positions_in(titles, None, after(prefix, shared_ending(titles, prefix)))
        bands = [column for column, value in enumerate(head) if value is not None]
    if not bands and (counted := numbered_bands(titles)):
        return _of_numbered_bands(table, titles, named, counted)
    if len(bands) < 2 or len(bands) < min(table.width - 8, _SHARE_OF_BANDS * table.width):
        return None
    for column, side in places.items():
        named[column] = side
    values = np.array([head[column] for column in bands], np.float64)
    others = [column for column, value in enumerate(head) if value is None] + list(range(len(head), table.width))
    position = next((column for column in others if named[column] == "position"), None)
    if counts_up(values) and any(word and (unit_of(word) or _NONE).name in ("nm", "1/cm") for word in words):
        return None  # X1 (nm), X2 (nm), …
    if np.unique(values).size == 1 and len(values) > 1:
        return None  # a setting of each spectrum
    running = counts_up(values) and not any(words)
    if not _is_head(table, values, position, others, plain=not any(words), running=running):
        return None
    roles = ["intensity"] * table.width
    notes: list[str] = []
    for column in others:
        roles[column] = _lead_role(table, named[column], column, others, notes)
    if table.leads == 1 and not titles[0] and _both_in_order(table.numbers[:, 0], values):
        notes.append("its first line and its first column are both in order; the first line is taken for the positions of the bands")
    said = prefix if quantity_of(prefix) or unit_of(prefix) is not None else ""
    unit = next((word for word in words if word), "") or said or table.across or (titles[position] if position is not None else "")
    if not unit:  # over the names of the spectra, behind a running number
        over = [titles[column] for column in others if column == others[0] or column in table.words]
        unit = next((title for title in over if quantity_of(title) or is_unit(title)), "")
    return Layout("rows", tuple(roles), None if running else values, unit, notes=tuple(notes))


def _lead(named: Sequence[str]) -> str:
    """Return the role of the first column, which is no place where it is called x and none is called y: so are positions of bands."""
    return "" if named[0] == "x" and "y" not in named else named[0]


def _of_numbered_bands(table: Table, titles: Sequence[str], named: Sequence[str], bands: Sequence[int]) -> Layout | None:
    """Return the layout of spectra in lines whose bands are numbered; None without columns that say more of each, or with positions."""
    others = [column for column in range(table.width) if column not in bands]
    plain = [column for column in others if column not in table.words]
    places = [column for column in plain if in_order(table.numbers[:, column]) and not counts_up(table.numbers[:, column])]
    if not others or places or any(named[column] in ("position", *COORDINATES) for column in others):
        return None
    if any(counts_up(table.numbers[:, column]) and not _ID.fullmatch(titles[column].strip()) for column in plain):
        return None  # it counts the bands of spectra in columns
    roles = ["intensity"] * table.width
    notes = [f"its columns {titles[bands[0]]} to {titles[bands[-1]]} are taken for bands, and its lines for spectra"]
    for column in others:
        roles[column] = _lead_role(table, named[column], column, others, notes)
    return Layout("rows", tuple(roles), notes=tuple(notes))


def _is_head(
    table: Table, values: npt.NDArray[np.float64], position: int | None, others: Sequence[int], *, plain: bool, running: bool
) -> bool:
    """Whether numbers among the titles are the positions of bands, and not the names of spectra in columns."""
    own = table.numbers[:, position if position is not None else 0]
    axis = in_order(own, 0.8) and not counts_up(own)
    if table.across:
        return True
    if position is not None and position not in table.words:
        return not running and not (axis and (plain or len(own) > len(values)))
    if table.leads == 1 and axis and (running or (plain and _are_wavelengths(own) and values.min() <= 0)):
        return False  # times, some before zero, over wavelengths
    return (in_order(values, 0.8) or len(values) == 2 or table.leads is not None) and (bool(others) or not running)


def _are_wavelengths(values: npt.NDArray[np.float64]) -> bool:
    unit = usual_unit("wavelength", values)
    return unit is not None and unit.name == "nm"


def _both_in_order(column: npt.NDArray[np.float64], line: npt.NDArray[np.float64]) -> bool:
    return in_order(column) and not counts_up(column) and in_order(line)


def _lead_role(table: Table, named: str, column: int, others: Sequence[int], notes: list[str]) -> str:
    """Return the role of a column before or after the bands."""
    if column in table.words:
        return "label"
    if named in (*COORDINATES, "index", "label") or (table.across and column == 0):
        return named if named in (*COORDINATES, "index") else "label"
    values = table.numbers[:, column]
    if counts_up(values):
        return "index"
    if table.leads is not None and column < table.leads:
        sides = [other for other in others if other not in table.words]  # names and dates are none
        side = {1: ("z",), 2: ("x", "y"), 3: ("x", "y", "z")}[len(sides)][sides.index(column)] if len(sides) <= 3 else "ignored"
        if len(sides) > 1:
            notes.append(f"its column {column} has no title and is taken for the coordinate {side}")
        return side if len(sides) > 1 else "index"
    if (values == np.rint(values)).all() and np.unique(values).size <= max(2, len(values) // 2):
        notes.append(f"its column {column} of whole numbers is taken for labels")
        return "label"
    notes.append(f"its column {column} is not read")
    return "ignored"
