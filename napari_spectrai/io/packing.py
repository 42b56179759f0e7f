"""Packed values: stored numbers, and the attributes that say which quantities they represent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_spectrai.io.found import unpacked

PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""Attributes of packed values, according to the CF conventions."""


def of_packing(data: Any, attributes: Mapping[str, Any]) -> Any:
    """Return the quantities that packed numbers represent, by the attributes of their array: those of the CF conventions, or of NEON."""

    def given(key: str) -> float | None:
        try:
            return float(np.ravel(attributes[key])[0]) if key in attributes else None
        except (TypeError, ValueError, IndexError):
            return None

    if (divisor := given("Scale_Factor")) is not None and "Data_Ignore_Value" in attributes:  # of NEON, which divides
        return unpacked(data, divisor=divisor, missing=given("Data_Ignore_Value"))
    factor, offset, fill, other = map(given, PACKING[:4])
    missing = other if fill is None else fill
    said = attributes.get("_Unsigned")
    if np.dtype(data.dtype).kind == "i" and (said.decode() if isinstance(said, bytes) else str(said)).casefold() == "true":  # netCDF 3
        data = data.view(np.dtype(f"u{data.dtype.itemsize}"))
        missing = missing if missing is None or missing >= 0 else missing + 2.0 ** (8 * data.dtype.itemsize)
    return unpacked(data, factor=1.0 if factor is None else factor, offset=offset or 0.0, missing=missing)


def list_of_packing(values: Any, attributes: Mapping[str, Any]) -> Any:
    """Return the positions that a packed list represents, as the conventions allow for coordinates too; missing ones as NaN."""
    found = np.asarray(values)
    if found.dtype.kind not in "fiu" or not any(key in attributes for key in PACKING):
        return found
    if "_Unsigned" not in attributes:  # positions are as exact as they can be
        found = found.astype(np.float64 if found.dtype.kind == "f" else np.int64)
    return np.asarray(of_packing(found, {key: attributes[key] for key in PACKING if key in attributes}))
