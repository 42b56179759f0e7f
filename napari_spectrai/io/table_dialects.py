"""Titles that programs abbreviate, leave out, or put into one cell for both directions of a table."""

from __future__ import annotations

import re
from dataclasses import replace

from napari_spectrai.io.table_syntax import NUMBER
from napari_spectrai.io.tables import Table
from napari_spectrai.units import quantity_of, unit_of

_JAZ = {"W": "Wavelength", "D": "Dark", "R": "Reference", "S": "Sample", "P": "Processed"}
"""The letters over the columns of Ocean Optics' Jaz."""
_SPECTRA_VISTA = ("Wavelength (nm)", "Rad. (Ref.)", "Rad. (Target)", "Reflect. %")
_CGATS = ("BEGIN_DATA_FORMAT", "END_DATA_FORMAT")
_ARFF = re.compile(r"@attribute\s+(?:['\"]([^'\"]+)['\"]|(\S+))", re.IGNORECASE)
_TRIOS = re.compile(r"Unit\d+\s*=\s*(?:\$\w+\s+)*(.+)")
_COLUMN = re.compile(r"\s*column\s*(\d+)\s*:\s*(.+)", re.IGNORECASE)
_KEY = re.compile(r"[\s#%;/*\"']*([^\W\d][^:=\t,;\d]{1,40})[:=\t,;]")
_LINES_ABOVE, _LEAST_POSITIONS = 50, 3
_EXCITATION = re.compile(r"(?<![^\W_])(?:ex|exc|excitation|anregung\w*)(?![^\W_])", re.IGNORECASE)
_EMISSION = re.compile(r"(?<![^\W_])(?:em|emi|emission)(?![^\W_])", re.IGNORECASE)
_START = re.compile(r"[\W_]*(ex|em)(?:c?itation|ission)?(?![^\W_]).*\bstart\b\D*(\d+(?:\.\d+)?)", re.IGNORECASE)
_BOTH = re.compile(r"\s*\\\s*|(?<=[\w)\]])(?<!(?<![^\W_])1)\s*/\s*(?=[A-Za-z]{2,})")
"""What stands between the two names in the title of a corner."""


def spelled_out(table: Table) -> Table:
    """Return a table with the titles that its program means."""
    if table.names[:1] == ("W",) and table.names[-1:] == ("P",) and set(table.names) <= set(_JAZ):
        return replace(table, names=tuple(_JAZ[name] for name in table.names))
    if not table.names and table.width == len(_SPECTRA_VISTA) and any("Spectra Vista SIG" in line for line in table.above[:2]):
        return replace(table, names=_SPECTRA_VISTA)
    if names := _of_envi(table) or (() if table.names else _listed(table)):
        return replace(table, names=names)
    return _of_corner(_of_starts(_under_positions(table)))


def _of_envi(table: Table) -> tuple[str, ...]:
    """Return the titles that lines such as ``Column 2: Mean: ROI #1~~2##255,0,0`` give to columns of that number."""
    found = {match.group(1): match.group(2) for line in table.above if (match := _COLUMN.match(line))}
    if len(found) != table.width or set(found) != {str(number + 1) for number in range(table.width)}:
        return ()
    return tuple(found[str(number + 1)].partition("~~")[0].strip() for number in range(table.width))


def _under_positions(table: Table) -> Table:
    """Return a table with the positions of its bands for their titles, where a line above it lists them by the name of their quantity."""
    if not table.names or table.syntax is None:
        return table
    for line in table.above[-_LINES_ABOVE:]:
        key = _KEY.match(line)
        quantity = "" if key is None else quantity_of(key.group(1))
        if key is None or quantity not in ("wavelength", "wavenumber") or is_excitation(key.group(1)):
            continue
        cells = table.syntax.cells(line)
        if len(cells) != table.width:  # then the last columns are meant
            cells = [cell for cell in re.split(r"[\s,;]+", line[key.end() :]) if cell]
            cells = [""] * (table.width - len(cells)) + cells
        known = {column: cell for column, cell in enumerate(cells) if NUMBER.fullmatch(cell) and float(cell) > 0}
        bands = len(cells) == table.width and len(known) >= _LEAST_POSITIONS and not any(column in table.words for column in known)
        bands = bands and (0 in table.words or len(known) < table.width - 1)  # else the line has titles, of spectra in columns
        if bands and not any(quantity_of(name) for name in table.names):
            unit = unit_of(key.group(1)) if quantity == "wavelength" else None
            names = dict(enumerate(table.names)) | {column: f"{quantity} {cell}" for column, cell in known.items()}
            if unit is not None and unit.factor == 1:
                names |= {column: f"{cell} {unit.name}" for column, cell in known.items()}
            return replace(table, names=tuple(names.values()))
    return table


def _listed(table: Table) -> tuple[str, ...]:
    """Return the titles that a text lists above its table: CGATS in a line or several, ARFF in one line each, TriOS by their units."""
    above = [line.strip() for line in table.above]
    if _CGATS[0] in above and _CGATS[1] in above:
        names = " ".join(above[above.index(_CGATS[0]) + 1 : above.index(_CGATS[1])]).split()
    elif any(line.casefold().startswith("@data") for line in above[-1:]):
        names = [found.group(1) or found.group(2) for line in above if (found := _ARFF.match(line))]
    elif "[DATA]" in above[-1:] and len(units := [found.group(1) for line in above if (found := _TRIOS.match(line))]) == table.width:
        names = [units[0], "intensity", *["error"] * (table.width - 2)]
    else:
        return ()
    return tuple(names) if len(names) == table.width else ()


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


def _of_starts(table: Table) -> Table:
    """Return a matrix with an empty corner under the name of both directions, where lines above it say where each of them starts."""
    if table.leads != 1 or not table.names or table.names[0] or not len(table.numbers):
        return table
    said = {match.group(1)[:2].casefold(): float(match.group(2)) for line in table.above if (match := _START.match(line))}
    down, across = table.numbers[0, 0], table.names[1].replace(",", ".")
    if len(said) < 2 or said["ex"] == said["em"] or not NUMBER.fullmatch(across):
        return table
    corner = {(said["em"], said["ex"]): "Em/Ex", (said["ex"], said["em"]): "Ex/Em"}.get((float(down), float(across)))
    return table if corner is None else replace(table, names=(corner, *table.names[1:]))


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
