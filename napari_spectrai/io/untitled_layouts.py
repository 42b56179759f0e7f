"""How a text table without titles holds its spectra, guessed from order and repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import COORDINATES, Layout, columns_in_order, counts_up, in_order, period_of
from napari_spectrai.spec import some_of

UNTITLED = "it has no titles"
_AT_ONCE = 2**20
"""Numbers that are looked at together."""
_LEAST_ACROSS = 4
_BY_CHANCE, _MANY, _MANY_COLUMNS = 0.05, 20, 8
"""Probability below which it is no chance that one of the columns is in order, lines beyond which it is far below, and many columns."""


def by_values(numbers: npt.NDArray[np.float64], named: Sequence[str]) -> Layout:
    """Return the layout that order and repetition suggest."""
    width = numbers.shape[1]
    roles = ["intensity" if role in ("", "position", *COORDINATES) else role for role in named]
    for column, role in enumerate(roles):
        if role == "label" and in_order(numbers[:, column]) and not counts_up(numbers[:, column]):
            roles[column] = "intensity"
    placed = any(role in COORDINATES for role in named)
    known = _long(numbers) or (None if placed else _counted_behind(numbers)) or _under_a_count(numbers)
    if known is not None:
        return known
    # one line has no order
    free = [column for column, role in enumerate(roles) if role == "intensity"] if len(numbers) > 1 else []
    strict, loose = _axes(numbers, free)
    first = free[0] if free else 0
    counting = bool(strict) and strict[0] == first and counts_up(numbers[:, first]) and len(free) > 2
    if counting and len(strict) > 1 and not counts_up(numbers[:, strict[1]]):
        roles[first], roles[strict[1]] = "index", "position"
        note = f"its column {first} counts lines; the positions are taken from column {strict[1]}"
        return Layout("columns", tuple(roles), notes=(note,))
    few = len(free) > _MANY_COLUMNS and 2 / math.factorial(min(len(numbers), _MANY)) > _BY_CHANCE  # to be in order says nothing
    longer = width > max(len(numbers), _MANY_COLUMNS) and in_order(numbers[0])  # which is less of a chance
    if (strict[:1] == [first] or loose[:1] == [first]) and not few and not longer:
        roles[first] = "position"
        notes = _again(numbers, first, roles)
        return Layout("columns", tuple(roles), notes=notes)
    if width > 4 and len(numbers) > 1 and in_order(numbers[0], 0.95):
        note = "its first line is in order and taken for the positions of the bands"
        return _first_line(numbers, note)
    if (strict or loose) and len(free) > 1 and len(numbers) > 4 and 2 * len(free) / math.factorial(min(len(numbers), _MANY)) < _BY_CHANCE:
        place = (strict or loose)[0]
        roles[place] = "position"
        return Layout("columns", tuple(roles), notes=(f"its column {place} is in order and taken for the positions",))
    counted = "index" in roles and "intensity" in roles  # spectra next to a column that counts their bands
    return Layout("columns" if counted else "bare", tuple(roles))


def _long(numbers: npt.NDArray[np.float64]) -> Layout | None:
    """Return the layout of one value per line, if positions repeat behind their coordinates."""
    if (long := _repeating(numbers)) is None:
        return None
    sides = {0: (), 1: ("z",), 2: ("x", "y"), 3: ("x", "y", "z")}[long]
    note = f"{UNTITLED}; its columns are taken for {', '.join([*sides, 'position', 'intensity'])}"
    return Layout("long", (*sides, "position", *["intensity"] * (numbers.shape[1] - long - 1)), notes=(note,))


def _counted_behind(numbers: npt.NDArray[np.float64]) -> Layout | None:
    """Return the layout of one value per line, if positions repeat before columns that count their spectra, as strips and frames."""
    width = numbers.shape[1]
    period = period_of(numbers[:, 0]) if width > 2 else None
    if period is None or not in_order(numbers[:period, 0], 0.9) or len(numbers) % period:
        return None
    between = numbers[:, 1:-1].reshape(-1, period, width - 2)
    if not (between == between[:, :1]).all() or len(np.unique(between[:, 0], axis=0)) < len(between):
        return None
    note = f"{UNTITLED}; its columns are taken for position, {', '.join(['index'] * (width - 2))}, intensity"
    return Layout("long", ("position", *["index"] * (width - 2), "intensity"), notes=(note,))


def _under_a_count(numbers: npt.NDArray[np.float64]) -> Layout | None:
    """Return the layout of spectra below positions of which the first cell gives the number, as gnuplot has it."""
    width = numbers.shape[1]
    if width <= _LEAST_ACROSS or len(numbers) < 2 or numbers[0, 0] != width - 1 or not in_order(numbers[0, 1:]):
        return None
    note = "its first line counts its columns and gives their positions"
    return Layout("rows", ("index", *["intensity"] * (width - 1)), numbers[0, 1:], skip=1, notes=(note,))


def _again(numbers: npt.NDArray[np.float64], place: int, roles: list[str]) -> tuple[str, ...]:
    """Leave out the columns that repeat the positions, as where each spectrum has its own; return what was left out."""
    repeated = np.logical_and.reduce(numbers == numbers[:, [place]])
    same = [column for column, role in enumerate(roles) if role == "intensity" and repeated[column]]
    if len(same) == roles.count("intensity"):
        return ()
    for column in same:
        roles[column] = "ignored"
    return (f"its columns {some_of(list(map(str, same)))} repeat the positions and are not read",) if same else ()


def _axes(numbers: npt.NDArray[np.float64], free: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the columns without gaps whose values are in order, and those that may be positions all the same.

    The latter step nearly evenly, unlike the flank of a peak, and rarely back; or they never turn back, as positions with few digits, and
    no long stretch of them is the same.
    """
    strict: list[int] = []
    loose: list[int] = []
    if len(numbers) < 3:
        return strict, loose
    for start in range(0, len(free), size := max(1, _AT_ONCE // len(numbers))):
        columns = np.array(free[start : start + size])
        columns = columns[np.isfinite(numbers[:, columns]).all(0)]
        values = numbers[:, columns]
        steps = np.diff(values, axis=0)
        lengths = np.abs(steps)
        middle = np.median(lengths, axis=0)
        even = (middle > 0) & (((lengths > 0.3 * middle) & (lengths < 3 * middle)).mean(0) >= 0.8)
        rounded = ((steps >= 0).all(0) | (steps <= 0).all(0)) & ((steps != 0).mean(0) > 0.25) & (len(values) > 4)
        strict += columns[columns_in_order(values)].tolist()
        loose += columns[(columns_in_order(values, 0.9) & even) | rounded].tolist()
    return strict, loose


def _first_line(numbers: npt.NDArray[np.float64], note: str) -> Layout:
    return Layout("rows", ("intensity",) * numbers.shape[1], numbers[0], skip=1, notes=(note,))


def _repeating(numbers: npt.NDArray[np.float64]) -> int | None:
    """Return how many coordinates precede the positions in a table without titles, or None if its layout is not long."""
    width = numbers.shape[1]
    for leads in range(1, min(width - 2, 3) + 1):
        period = period_of(numbers[:, leads])
        if period is None or not in_order(numbers[:period, leads], 0.9) or len(numbers) % period:
            continue
        before = numbers[:, :leads].reshape(-1, period, leads)
        if (before == before[:, :1]).all() and len(before) > 1:
            return leads
    period = period_of(numbers[:, 0]) if width == 2 else None
    return 0 if period is not None and in_order(numbers[:period, 0], 0.9) and len(numbers) % period == 0 else None
