"""Tables in which each spectrum has a column of positions of its own, of which some begin or end earlier than others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_spectrai.io.columns import in_order, named_roles
from napari_spectrai.io.tables import Table
from napari_spectrai.units import quantity_of, unit_of


def aligned(table: Table) -> Table:
    """Return a table with one line for each position of any of its spectra, where all have a part of the same positions without gaps.

    Spectra are NaN where they have no position, with a note. Where the positions of one lie between those of another, or are of another
    quantity, nothing changes.
    """
    places = [column for column, role in enumerate(named_roles(table.names, table.units)) if role == "position"]
    step = places[1] - places[0] if len(places) > 1 else 0
    if step < 2 or not _are_alike(table, places) or table.words or places != list(range(places[0], table.width - step + 1, step)):
        return table
    lists = [np.flatnonzero(np.isfinite(table.numbers[:, column])) for column in places]
    found = [table.numbers[lines, column] for lines, column in zip(lists, places, strict=True)]
    longest = max(found, key=len)
    if any(len(one) < 2 or not in_order(one) for one in found) or all(np.array_equal(one, longest[: len(one)]) for one in found):
        return table
    known = np.unique(np.concatenate(found))
    at = [np.searchsorted(known, one) for one in found]
    if len({np.sign(one[-1] - one[0]) for one in found}) > 1 or any((np.abs(np.diff(one)) != 1).any() for one in at):
        return table
    if longest[-1] < longest[0]:
        known, at = known[::-1], [len(known) - 1 - one for one in at]
    numbers = np.full((len(known), table.width), np.nan)
    for column, lines, rows in zip(places, lists, at, strict=True):
        numbers[rows, column : column + step] = table.numbers[lines, column : column + step]
    numbers[:, places] = known[:, None]
    note = "its spectra begin or end at different positions; they are NaN where they have none"
    return replace(table, numbers=numbers, notes=(*table.notes, note))


def _are_alike(table: Table, places: Sequence[int]) -> bool:
    """Whether a line of titles says the same quantity and unit of all columns of positions."""
    for titles in (table.names, table.units):
        kinds = {(quantity_of(titles[column]), unit_of(titles[column])) for column in places} if titles else set()
        if len(kinds) == 1 and kinds != {("", None)}:
            return True
    return False
