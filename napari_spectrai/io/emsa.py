"""EMSA/MAS (ISO 22029): one spectrum as text, in the published layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, positions, warn
from napari_spectrai.io.texts import lines_of, text_of


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the spectrum."""
    _, values = _parsed(path)
    return {"spectrum": (1, len(values))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the spectrum, whose positions are those of its pairs, or follow from the offset and the step of the header."""
    fields, values = _parsed(path)
    choose({"spectrum": (1, len(values))}, dataset)
    if "ENDOFDATA" not in fields:
        warn(path, "it ends without #ENDOFDATA; it may be cut off or still being written")
    promised = _number(fields, "NPOINTS", len(values))
    if promised != len(values):
        raise ValueError(f"it promises {promised:g} points and gives {len(values)}; it is truncated or damaged")
    if values.ndim == 2:
        axis, spectrum = values[:, 0], values[:, 1]
    else:
        axis, spectrum = _number(fields, "OFFSET", 0.0) + _number(fields, "XPERCHAN", 1.0) * np.arange(len(values)), values
    unit = fields.get("XUNITS", "")
    return RawArray(spectrum[None], axis=positions(path, axis, unit, quantity=fields.get("XLABEL", "")), name=fields.get("TITLE", ""))


def _parsed(path: Path) -> tuple[dict[str, str], npt.NDArray[Any]]:
    """Return the fields of the header, and the values or, of pairs, positions and values."""
    fields: dict[str, str] = {}
    rows: list[str] = []
    for line in lines_of(text_of(path)):
        if line.lstrip().startswith("#"):
            name, _, value = line.strip()[1:].partition(":")
            # older files give the unit of a value behind its name, as in "#BEAMKV   -kV: 200"
            fields.setdefault(name.partition(" -")[0].strip().upper(), value.strip())
        elif "SPECTRUM" in fields and "ENDOFDATA" not in fields and line.strip():
            rows.append(line)
    if "SPECTRUM" not in fields:
        raise ValueError("its header does not end with #SPECTRUM; it is truncated or no file of EMSA/MAS")
    cells = [cell for row in rows for cell in re.split(r"[,;\s]+", row) if cell]
    try:
        numbers = np.array(cells, np.float64)
    except ValueError as error:
        raise ValueError(f"its values hold words: {error}") from error
    if not fields.get("DATATYPE", "Y").upper().startswith("XY"):
        return fields, numbers
    if len(numbers) % 2:
        raise ValueError(f"its pairs of positions and values are {len(numbers)} numbers, one without another; it is truncated")
    return fields, numbers.reshape(-1, 2)


def _number(fields: dict[str, str], name: str, default: float) -> float:
    """Return the number of a field."""
    words = fields.get(name, "")
    try:
        return float(words) if words else default
    except ValueError as error:
        raise ValueError(f"its header gives {words[:30]!r} as {name}, and that is no number") from error
