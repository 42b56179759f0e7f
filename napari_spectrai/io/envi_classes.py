"""Class images of ENVI: one band of whole numbers, with names and colours of the classes in the header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io import envi
from napari_spectrai.io.envi_fields import parse
from napari_spectrai.io.found import affordable, warn

_NO_CLASS = ("unclassified", "unlabeled", "unlabelled", "background", "no data", "nodata", "none", "masked", "undefined", "")


def notes_of(header: Path) -> dict[str, Any]:
    """Return names and colours of the classes, by number, as they are kept with labels; empty if a header describes no classes."""
    fields = parse(header)
    return {"class_names": _names(header, fields), "class_colours": _colours(fields)} if _is_classification(fields) else {}


def numbers(header: Path) -> npt.NDArray[Any]:
    """Return the class of every pixel, (y, x).

    Raises
    ------
    ValueError
        If the file has several bands, which are spectra.
    """
    (lines, samples, bands) = envi.inspect(header)["data"]
    if bands != 1:
        raise ValueError(f"its {bands} bands are spectra, and labels have one band of class numbers; choose a classification")
    affordable((lines, samples), np.float64)
    return np.array(envi.read(header).data).reshape(lines, samples)


def _is_classification(fields: Mapping[str, str]) -> bool:
    return "classification" in fields.get("file type", "").casefold()


def _names(header: Path, fields: Mapping[str, str]) -> dict[str, str]:
    names = [part.strip() for part in fields.get("class names", "").strip("{} \n").split(",")]
    if names[0].casefold() not in _NO_CLASS:
        warn(header, f"its class 0, {names[0]!r}, counts as unlabelled; number the classes from 1 to use it")
    return {str(number): name for number, name in enumerate(names) if number and name}


def _colours(fields: Mapping[str, str]) -> dict[str, list[float]]:
    found = [part for part in fields.get("class lookup", "").strip("{} \n").replace("\n", " ").split(",") if part.strip()]
    levels = [int(part) for part in found if part.strip().isdigit()]
    if len(levels) != len(found) or max(levels, default=0) > 255:
        return {}
    return {str(number): [*(level / 255 for level in levels[3 * number : 3 * number + 3]), 1.0] for number in range(1, len(levels) // 3)}
