"""Fields that give the unit of a list of positions by its name, such as ``wavelength_units`` for ``wavelengths``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def unit_names(name: str) -> Iterator[str]:
    """Yield the names, in lower case, that a field has which gives the unit of a list of this name."""
    stem = name.casefold().rstrip("s")
    for plural in ("", "s"):
        for joint in ("_", " ", ""):
            for end in ("", "s"):
                yield f"{stem}{plural}{joint}unit{end}"


def units_for(names: Iterable[str], fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the units that fields of text give for lists, by the names of the lists."""
    said = {key.casefold(): value for key, value in fields.items() if isinstance(value, str)}
    found = {name: next((said[one] for one in unit_names(name) if one in said), "") for name in names}
    return {name: unit for name, unit in found.items() if unit}
