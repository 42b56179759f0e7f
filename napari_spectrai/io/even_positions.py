"""Evenly spaced positions that single numbers describe: where they start, and their step or where they end and how many they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import is_axis

_WORDS = {
    "start": r"start|first|begin|offset|origin", "step": r"step|increment|interval|spacing|delta|scale", "end": r"end|stop|last",
    "count": r"points|count|num|number|size|n",
}  # fmt: skip
_FORMS = {role: re.compile(rf"(?P<before>.+?)[_ .-]?(?:{words})|(?:{words})[_ .-](?P<behind>.+)") for role, words in _WORDS.items()}


def even_positions(fields: Mapping[str, Any], length: int) -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of `length` bands that fields such as ``wavelength_start`` and ``wavelength_step`` describe, by their quantity.

    A first and a last position count only next to how many there are between them, as only then nothing is assumed of their steps.
    """
    known: dict[str, dict[str, float]] = {}
    for name, value in fields.items():
        number = np.ravel(value) if not isinstance(value, (str, bytes)) else np.array([])
        if number.size != 1 or number.dtype.kind not in "fiu" or not np.isfinite(number[0]):
            continue
        for role, form in _FORMS.items():
            match = form.fullmatch(name.casefold())
            quantity = (match["before"] or match["behind"]) if match else ""
            if quantity and is_axis(quantity):
                known.setdefault(quantity, {}).setdefault(role, float(number[0]))
                break
    found: dict[str, npt.NDArray[np.float64]] = {}
    for quantity, said in known.items():
        if "start" not in said or said.get("count", length) != length or length < 2:
            continue
        if said.get("step"):
            found[quantity] = said["start"] + said["step"] * np.arange(length, dtype=np.float64)
        elif "end" in said and "count" in said and said["end"] != said["start"]:
            found[quantity] = np.linspace(said["start"], said["end"], length, dtype=np.float64)
    return found
