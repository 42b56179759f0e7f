"""Titles that programs abbreviate, leave out, or put into one cell for both directions of a table."""

from __future__ import annotations

import re
from dataclasses import replace

from napari_spectrai.io.tables import Table
from napari_spectrai.units import quantity_of, unit_of

_JAZ = {"W": "Wavelength", "D": "Dark", "R": "Reference", "S": "Sample", "P": "Processed"}
"""The letters over the columns of Ocean Optics' Jaz."""
_SPECTRA_VISTA = ("Wavelength (nm)", "Rad. (Ref.)", "Rad. (Target)", "Reflect. %")
_EXCITATION = re.compile(r"(?<![^\W_])(?:ex|exc|excitation|anregung\w*)(?![^\W_])", re.IGNORECASE)
_EMISSION = re.compile(r"(?<![^\W_])(?:em|emi|emission)(?![^\W_])", re.IGNORECASE)
_BOTH = re.compile(r"\s*\\\s*|(?<=[\w)\]])\s*/\s*(?=[A-Za-z]{2,})")
"""What stands between the two names in the title of a corner."""


def spelled_out(table: Table) -> Table:
    """Return a table with the titles that its program means."""
    if table.names[:1] == ("W",) and table.names[-1:] == ("P",) and set(table.names) <= set(_JAZ):
        return replace(table, names=tuple(_JAZ[name] for name in table.names))
    if not table.names and table.width == len(_SPECTRA_VISTA) and any("Spectra Vista SIG" in line for line in table.above[:2]):
        return replace(table, names=_SPECTRA_VISTA)
    return _of_corner(table)


def _of_corner(table: Table) -> Table:
    """Return a table whose first title names both directions, as ``Ex/Em``, with the name of what runs down over its first column."""
    parts = [part.strip() for part in _BOTH.split(table.names[0])] if table.names else []
    if len(parts) != 2 or not all(parts) or any(unit_of(part) is not None and not _rank(part) for part in parts):
        return table
    down, across = parts
    if _rank(down) == _rank(across):
        return table
    if _rank(down) > _rank(across):
        return replace(table, names=(_spectral(down), *table.names[1:]), leads=None)
    return replace(table, names=(down, *table.names[1:]), across=_spectral(across))


def _spectral(words: str) -> str:
    """Return the name of positions, which for ``Em`` is that of a wavelength."""
    return words if quantity_of(words) else f"Wavelength ({words})"


def _rank(words: str) -> int:
    """Return how surely words name the positions of bands: emission before a wavelength, a wavelength before excitation."""
    if _EMISSION.search(words):
        return 3
    if is_excitation(words):
        return 1
    return 2 if quantity_of(words) else 0


def is_excitation(words: str) -> bool:
    """Whether words name what excites, and not what is emitted."""
    return _EXCITATION.search(words) is not None and not _EMISSION.search(words)
