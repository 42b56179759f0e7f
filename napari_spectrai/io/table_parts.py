"""What the columns of a table give besides intensities: the axis, coordinates, names of spectra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.columns import COORDINATES, Layout
from napari_spectrai.io.facts import Facts, length_unit
from napari_spectrai.io.found import positions
from napari_spectrai.io.table_syntax import NUMBER
from napari_spectrai.io.tables import Table
from napari_spectrai.units import quantity_of, unit_of

_CLASS = re.compile(r"class|label|target|type|species|group|categor|klass?e|clase|gruppe|groupe|esp[eè]ce", re.IGNORECASE)


def titles_of(table: Table, column: int) -> list[str]:
    """Return the titles of a column."""
    return [names[column] for names in (table.names, table.units) if names]


def names_above(table: Table, columns: Sequence[int]) -> dict[str, Any]:
    """Return the titles of several columns of intensities as the names of their spectra, where they are words and differ."""
    for titles in (table.names, table.units):
        names = [titles[column].strip() for column in columns] if titles else []
        if len(names) > 1 and all(names) and len(set(names)) > 1 and not any(NUMBER.fullmatch(name) for name in names):
            return {"labels": names}
    return {}


def axis_of(path: Path, values: npt.NDArray[np.float64], titles: Sequence[str], facts: Facts) -> SpectralAxis:
    """Return the axis with the unit of its own title, else with the one that the lines around the table give for it."""
    # a column that is called A or m is not in ångström or metres
    unit = next((title for title in titles if len(title) > 1 and unit_of(title) is not None), "")
    unit = unit or (facts.spectral_unit if unit_of(facts.spectral_unit) is not None or not quantity_of(facts.spectral_unit) else "")
    quantity = next((title for title in (*titles, facts.spectral_unit) if quantity_of(title)), "")
    return positions(path, values, unit, quantity=quantity)


def coordinates_of(table: Table, layout: Layout, numbers: npt.NDArray[np.float64]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the coordinates of the lines, and their units."""
    found, units = {}, {}
    for name in COORDINATES:
        for column in layout.columns(name)[:1]:
            found[name] = numbers[:, column]
            units[name] = next((unit for title in titles_of(table, column) if (unit := length_unit(title))), "")
    if table.names[-2:] == ("Wave", "Intensity"):  # Renishaw WiRE, whose lengths are in µm and whose clock is in s
        units = {name: unit or {"time": "s"}.get(name, "um") for name, unit in units.items()}
    return found, units


def labels_of(table: Table, layout: Layout) -> dict[str, Any]:
    """Return the names of the spectra, if a column holds them."""
    found = layout.columns("label")
    if not found:
        return {}
    found.sort(key=lambda column: not (table.names and _CLASS.search(table.names[column])))
    cells = table.words.get(found[0], [f"{value:.15g}" for value in table.numbers[:, found[0]]])
    return {"labels": list(cells[layout.skip :])}
