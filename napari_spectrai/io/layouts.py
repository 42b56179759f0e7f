"""How a text table holds its spectra, guessed from titles, units, order and repetition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import (
    COORDINATES,
    INTENSITY,
    Layout,
    columns_in_order,
    counts_up,
    distinguishing,
    in_order,
    named_roles,
    period_of,
    recur,
    repeats,
    role_of,
)
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.row_layouts import in_rows
from napari_spectrai.io.table_dialects import is_excitation
from napari_spectrai.io.table_results import of_sample
from napari_spectrai.io.table_sides import at_places, is_column_number, pair_of_sides, pixels
from napari_spectrai.io.tables import Table
from napari_spectrai.io.untitled_layouts import UNTITLED, by_values
from napari_spectrai.remedies import where
from napari_spectrai.spec import some_of

_SHIFT = re.compile(r"raman|(?:\b|_)shift(?:\b|_)")


def layout_of(table: Table) -> Layout:
    """Guess the role of every column from titles, units, order and repetition."""
    numbers, width = table.numbers, table.width
    titles = table.names or ("",) * width
    named = named_roles(table.names, table.units) or [""] * width
    if width == 2 and [name.casefold() for name in titles] == ["x", "y"]:
        named = ["position", "intensity"]
    pixels(titles, named)
    alternate = _alternate(titles)
    named = ["position", "intensity"] * (width // 2) if alternate else named
    for column in table.words:
        named[column] = "label"
    found = _under_named_line(table) or (in_rows(table, titles, named) if table.names and not alternate else None)
    if found is not None:
        return found
    if "position" in named and _fits(numbers, named):
        above = table.units or ("",) * width
        return _by_names(table, [f"{over} {title}".strip() for over, title in zip(above, titles, strict=True)], named)
    if width == 1:
        return Layout("columns", ("intensity",))
    if at_places(numbers, titles, named):
        return Layout("rows", tuple(role or "intensity" for role in named))
    found = by_values(numbers, named)
    if table.names:
        found = replace(found, notes=tuple(note.replace(UNTITLED, "its titles do not say what its columns are") for note in found.notes))
    if found.kind == "columns" and table.names:
        roles, notes = list(found.roles), list(found.notes)
        _leave_out(titles, roles, notes)
        found = replace(found, roles=tuple(roles), notes=tuple(notes))
    if found.kind == "bare" and table.words:
        note = "its lines have names and are taken for the spectra, whose positions it does not give"
        return Layout("rows", found.roles, notes=(note,))
    return found


def _under_named_line(table: Table) -> Layout | None:
    """Return the layout of spectra in lines with names, of which the first is called as positions are."""
    named = next((column for column, cells in table.words.items() if role_of(cells[0]) == "position"), None)
    bands = [column for column in range(table.width) if column not in table.words]
    if named is None or len(table.numbers) < 2 or not in_order(table.numbers[0, bands]) or not np.isfinite(table.numbers[0, bands]).all():
        return None
    roles = tuple("label" if column == named else "intensity" if column in bands else "ignored" for column in range(table.width))
    return Layout("rows", roles, table.numbers[0, bands], table.words[named][0], skip=1)


def _alternate(titles: Sequence[str]) -> bool:
    """Whether titles are ``x1``, ``y1``, ``x2``, ``y2`` and so on."""
    words = [title.strip().casefold() for title in titles]
    pairs = list(zip(words[::2], words[1::2], strict=False))
    return 2 < len(words) == 2 * len(pairs) and all(x[:1] == "x" and y[:1] == "y" and x[1:] == y[1:] for x, y in pairs)


# ------------------------------------------------------------------ positions in a column


def _by_names(table: Table, titles: Sequence[str], named: Sequence[str]) -> Layout:
    """Return the layout of a table whose titles name its positions."""
    numbers, named = table.numbers, list(named)
    pair = pair_of_sides(table.names)
    if pair and any(role == "position" and repeats(numbers[:, column]) for column, role in enumerate(named) if column not in pair):
        named = [pair.get(column, role) for column, role in enumerate(named)]
    places = [column for column, role in enumerate(named) if role == "position"]
    valued = [column for column in places if np.isfinite(numbers[:, column]).sum() > 1] or places
    roles = ["intensity" if role in ("", "intensity") else role for role in named]
    notes: list[str] = []
    if len(places) > 1 and places == list(range(places[0], len(named), places[1] - places[0])) and places[1] - places[0] > 1:
        return _pairs(table, places, roles, notes)
    emitted = [column for column in valued if not is_excitation(titles[column])] or valued
    chosen = next((column for column in emitted if _SHIFT.search(titles[column].casefold())), emitted[0])
    for column in places:
        roles[column] = "position" if column == chosen else "ignored"
    if len(places) > 1:
        others = some_of([titles[column] or str(column) for column in places])
        notes.append(f"several columns hold positions ({others}); {titles[chosen] or chosen!r} is taken")
    long = _is_long(table, roles, chosen)
    still = np.logical_and.reduce(numbers == numbers[0])
    for column, role in enumerate(roles):
        if role in COORDINATES and not long and not still[column] and length_unit(titles[column]) and "intensity" in roles:
            roles[column] = "ignored"
            notes.append(f"{titles[column]} is no spectrum and is not read")
        elif (role in COORDINATES and not long and not still[column]) or (role == "label" and column not in table.words):
            # T is a transmittance, and a sample a spectrum; the column of a detector counts the bands
            roles[column] = "index" if role in COORDINATES and counts_up(numbers[:, column]) else "intensity"
        elif role == "intensity" and column < chosen and still[column] and not INTENSITY.search(titles[column]):
            roles[column] = "index"  # a setting
        elif role == "intensity" and counts_up(numbers[:, column]) and not INTENSITY.search(titles[column]):
            roles[column] = "index" if column < chosen or is_column_number(titles[column]) else role
    if long:
        _still(numbers, chosen, roles, titles, notes)
    else:
        _leave_out(titles, roles, notes)
    if "intensity" not in roles:
        _promote(roles, numbers)
    return Layout("long" if long else "columns", tuple(roles), notes=tuple(notes))


def _is_long(table: Table, roles: list[str], chosen: int) -> bool:
    """Whether each line holds one value of one of several spectra; columns that count these become running numbers."""
    wave = table.numbers[:, chosen]
    if "intensity" in roles and {"x", "y"} <= set(roles):
        return repeats(wave) or recur(wave)
    if not recur(wave) or period_of(wave) is not None:
        return repeats(wave)
    counting = distinguishing(table, roles, wave)
    for column in counting or ():
        roles[column] = "index"
    return counting is not None or repeats(wave)


def _fits(numbers: npt.NDArray[np.float64], named: Sequence[str]) -> bool:
    """Whether titles can be those of the columns: one for positions is not over values in disorder where another column has an order."""
    places = [column for column, role in enumerate(named) if role == "position"]
    given = [values[np.isfinite(values)] for values in numbers[:, places].T]
    if any(in_order(values, 0.6) or repeats(values) or len(values) < 4 for values in given):
        return True
    return not columns_in_order(np.delete(numbers, places, axis=1)).any()


def _still(numbers: npt.NDArray[np.float64], chosen: int, roles: list[str], titles: Sequence[str], notes: list[str]) -> None:
    """Give the role of an index to columns that keep one value over each of them, such as a temperature, where others hold intensities."""
    found = numbers[np.isfinite(numbers[:, chosen])]
    period = period_of(found[:, chosen])
    for column, role in enumerate(roles):
        if role in COORDINATES and period is not None and numbers[:, column].max() != numbers[:, column].min():
            lines = found[: len(found) // period * period, column].reshape(-1, period)
            if (lines == lines[0]).all():  # it counts the bands
                roles[column] = "index"
        elif role == "intensity" and period is not None and not INTENSITY.search(titles[column]):
            lines = found[: len(found) // period * period, column].reshape(-1, period)
            if counts_up(lines[0]) and (lines == lines[0]).all() and roles.count("intensity") > 1:
                roles[column] = "index"
    values = [column for column, role in enumerate(roles) if role == "intensity"]
    if period is None or len(values) < 2:
        return
    blocks = found[: len(found) // period * period, values].reshape(-1, period, len(values))
    still = [column for column, constant in zip(values, (blocks == blocks[:, :1]).all((0, 1)), strict=True) if constant]
    if len(still) < len(values):
        for column in still:
            roles[column] = "index"
        if still:
            notes.append(f"{some_of([titles[column] or str(column) for column in still])} has one value for each spectrum and is not read")


def _pairs(table: Table, places: Sequence[int], roles: list[str], notes: list[str]) -> Layout:
    """Return the layout of columns of positions that alternate with those of intensities, which must all be the same."""
    numbers = table.numbers
    fullest = places[int(np.argmax(np.isfinite(numbers[:, places]).sum(0)))]  # the last lines of shorter spectra are empty
    same = (numbers[:, places] == numbers[:, [fullest]]) | np.isnan(numbers[:, places])
    if not same.all():
        names = some_of([table.names[column] or str(column) for column in places])
        raise ValueError(
            f"its spectra lie at different positions (columns {some_of(list(map(str, places)))}: {names}); make "
            f"{places[0]} the position and {places[0] + 1} the intensity {where('columns')}"
        )
    if np.isnan(numbers[np.isfinite(numbers[:, fullest])][:, places]).any():
        notes.append("its spectra are not equally long; the shorter ones are NaN where they have no positions")
    for column in places:
        roles[column] = "position" if column == fullest else "ignored"
    above = table.units or table.names  # the name of a spectrum may stand over its positions alone
    titles = [title or above[max(0, column - 1)] for column, title in enumerate(above)]
    _leave_out(titles, roles, notes)
    return Layout("columns", tuple(roles), notes=tuple(notes))


def _leave_out(titles: Sequence[str], roles: list[str], notes: list[str]) -> None:
    """Leave out columns that are no spectra of the sample where others are: the dark and reference spectra, and uncorrected ones."""
    values = [column for column, role in enumerate(roles) if role == "intensity"]
    kept = [values[number] for number in of_sample([titles[column] for column in values])]
    left = sorted(set(values) - set(kept))
    for column in left:
        roles[column] = "ignored"
    if left:
        notes.append(f"{some_of([titles[column] for column in kept])} is read, and not {some_of([titles[column] for column in left])}")


def _promote(roles: list[str], numbers: npt.NDArray[np.float64]) -> None:
    """Make the last column the intensities where no title names any."""
    filled = np.count_nonzero(np.isfinite(numbers), axis=0)
    free = [column for column, role in enumerate(roles) if role in ("index", "label", *COORDINATES) and filled[column]]
    free = free or [column for column, role in enumerate(roles) if role == "ignored" and filled[column]]
    if not free:
        raise ValueError(f"none of its columns holds intensities; make one 'intensity' {where('columns')}")
    roles[free[-1]] = "intensity"
