"""Images as text: the values of a plane line by line, with its size in the lines above (ENVI, Arc/Info)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_spectrai.io.found import RawArray, warn
from napari_spectrai.io.tables import Table

_ENVI = re.compile(r"file dimensions:\s*(\d+)\s*samples? x (\d+)\s*lines? x (\d+)\s*bands?", re.IGNORECASE)
_ARC_INFO = re.compile(r"\s*(ncols|nrows|nodata_value)\s+(\S+)\s*", re.IGNORECASE)


def raster(path: Path, table: Table) -> RawArray | None:
    """Return the image whose planes a text holds one after another, if it says their size and the table has as many values."""
    if found := next((match for line in table.above if (match := _ENVI.search(line))), None):
        samples, lines, bands = map(int, found.groups())
        if table.numbers.size != samples * lines * bands or table.width != samples:
            return None
        if bands > 1:
            warn(path, f"its values are taken for {bands} bands one after another, since it does not say their order")
        return RawArray(table.numbers.reshape(bands, lines, samples), spectral=0)
    said = _said(table.above)
    try:
        shape = int(said["nrows"]), int(said["ncols"])
        missing = float(said.get("nodata_value", "nan"))
    except (KeyError, ValueError):
        return None
    if table.numbers.shape != shape:
        return None
    return RawArray(np.where(table.numbers == missing, np.nan, table.numbers)[..., None])


def _said(lines: Sequence[str]) -> dict[str, str]:
    return {match.group(1).casefold(): match.group(2) for line in lines if (match := _ARC_INFO.fullmatch(line))}
