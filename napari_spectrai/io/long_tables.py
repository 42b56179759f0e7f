"""Tables of one value per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import Layout, are_distinguished, keys_of, names_of, period_of, plane_of, recur
from napari_spectrai.io.facts import Facts
from napari_spectrai.io.found import RawArray
from napari_spectrai.io.grids import laid_out
from napari_spectrai.io.table_parts import axis_of, coordinates_of, labels_of, titles_of
from napari_spectrai.io.tables import Table
from napari_spectrai.remedies import where


def of_long(path: Path, table: Table, layout: Layout, facts: Facts, notes: list[str]) -> RawArray:
    """Read one value per line: spectrum after spectrum, band after band, or in any order where places or names distinguish them."""
    place, value = layout.columns("position")[0], layout.columns("intensity")
    there = np.isfinite(table.numbers[:, place])
    numbers = table.numbers[there]
    if len(value) > 1:
        notes.append(
            f"of its {len(value)} columns of intensities the first, {names_of(table)[value[0]]}, is read; choose another {where('columns')}"
        )
    wave = numbers[:, place]
    known, units = coordinates_of(table, layout, numbers)
    listed = labels_of(table, layout).get("labels")
    names = None if listed is None else np.array(listed, object)[there]
    bands, plane = period_of(wave), plane_of(wave)
    order = np.arange(len(wave))
    if bands is None and plane is not None:  # band after band
        bands = len(wave) // plane
        order = order.reshape(bands, plane).T.ravel()
    elif bands is None and (groups := _groups(wave, known, table, layout, there)) is not None:
        bands = np.unique(wave).size
        order = np.lexsort((wave, groups))
        if (order != np.arange(len(order))).any():
            notes.append(f"its lines are put in the order of their {'places' if known else 'names'} and positions")
    elif bands is None:
        moves = np.logical_or.reduce([np.diff(coordinate) != 0 for coordinate in known.values()] or [np.zeros(len(wave) - 1, bool)])
        bands = next((int(n) + 1 for n in np.flatnonzero(moves)), len(wave))
    if len(wave) // bands > 1 and not known and names is None and "index" not in layout.roles:
        lie = "in a row" if plane is not None and plane == len(wave) // bands else "one run after another"
        count = f"each of its positions occurs {len(wave) // bands} times, {lie}, and they are taken for so many spectra"
        notes.append(f"{count}; if they are one, write one line for each position")
    wave, values = wave[order], numbers[order, value[0]]
    known = {name: coordinate[order] for name, coordinate in known.items()}
    whole = len(wave) // bands * bands
    same = (wave[:whole].reshape(-1, bands) == wave[:bands]).all()
    still = all((coordinate[:whole].reshape(-1, bands) == coordinate[:whole:bands, None]).all() for coordinate in known.values())
    if not same or not still or (whole < len(wave) and not np.array_equal(wave[whole:], wave[: len(wave) - whole])):
        raise ValueError("its lines do not repeat the same positions for each of its points; it is truncated or no map")
    if whole < len(wave):
        notes.append(f"its last spectrum has {len(wave) - whole} of {bands} bands and is left out")
    axis = axis_of(path, wave[:bands], titles_of(table, place), facts)
    first = {name: coordinate[:whole:bands] for name, coordinate in known.items()}
    labels = {} if names is None else _of_spectra(names[order][:whole].reshape(-1, bands))
    return laid_out(path, values[:whole].reshape(-1, bands), axis, first, units, metadata={**facts.metadata, **labels})


def _of_spectra(names: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the name of each spectrum, if all its lines have the same."""
    return {"labels": names[:, 0].tolist()} if (names == names[:, :1]).all() else {}


def _groups(
    wave: npt.NDArray[np.float64],
    known: Mapping[str, npt.NDArray[np.float64]],
    table: Table,
    layout: Layout,
    there: npt.NDArray[np.bool_],
) -> npt.NDArray[np.intp] | None:
    """Return the number of the spectrum that each line belongs to: by its place, or by its name; None where neither distinguishes them."""
    if not recur(wave):
        return None
    if known:
        return np.unique(np.column_stack(list(known.values())), axis=0, return_inverse=True)[1].ravel()
    found = keys_of(table, layout.roles)
    keys = [key for key, kept in zip(found, there, strict=True) if kept] if found else []
    return group_numbers(keys) if are_distinguished(keys, wave) else None


def group_numbers(names: Sequence[Any]) -> npt.NDArray[np.intp]:
    """Return the number of each name in the order in which they appear first, of numbers in theirs."""
    counted = all(isinstance(part, float) for name in names for part in name)
    found: dict[Any, int] = {name: number for number, name in enumerate(sorted(set(names)))} if counted else {}
    return np.array([found.setdefault(name, len(found)) for name in names], np.intp)
