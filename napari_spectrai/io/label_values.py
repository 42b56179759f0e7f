"""Values of label files: grey levels of pictures, class names as texts, and the number that means that there are no data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_spectrai.io.found import UnreadableError, affordable, warn
from napari_spectrai.labels import MISSING_NAMES, UNKNOWN

_FORMATS = ("PNG", "BMP", "GIF")
NAMES_OF_CLASSES = re.compile(r"(class|label|target|gt|truth)s?_?names?|class_?labels|classes|names|legend")
"""Names of arrays that list the names of classes."""
_NO_CLASS = ("background", "unclassified", "undefined", "void", "other", "others", "none", "no class", "no data", "nodata")


def picture(path: Path) -> Any:
    """Return the numbers of a picture."""
    with Image.open(path, formats=_FORMATS) as opened:  # of no others, some of which start programs
        affordable((opened.height, opened.width, len(opened.getbands())), np.uint32)
        data = np.array(opened)
        if opened.mode not in ("L", "P", "1", "I", "I;16", "I;16B"):
            data = grey(data, path, opened.mode)
    return data


def grey(data: Any, path: Path, mode: str) -> Any:
    """Return the one plane of a picture whose colours are all grey and opaque.

    Raises
    ------
    UnreadableError
        If there are colours, which are no class numbers.
    """
    colours = data[..., : data.shape[-1] - (data.shape[-1] in (2, 4))] if data.ndim == 3 else data
    if mode in ("RGB", "RGBA", "LA") and (colours == colours[..., :1]).all() and (data[..., colours.shape[-1] :] == 255).all():
        return colours[..., 0]
    raise UnreadableError(f"{path}: a picture in colours ({mode}) holds no class numbers; save it as a grey or indexed image")


def texts(data: Any) -> Any:
    """Return class names of a file as texts: those of cells of MATLAB and of HDF5, which are bytes, too."""
    plain = [np.asarray(one).item() if np.asarray(one).size == 1 else None for one in data.ravel()]
    decoded = [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in plain]
    return np.fromiter(decoded, object, len(decoded)).reshape(data.shape)


def without(data: Any, missing: Any) -> Any:
    """Return labels in which the number that the file names for missing data is `UNKNOWN`; 0, which means that anyway, is kept."""
    try:
        value = float(np.ravel(missing)[0])
    except (TypeError, ValueError, IndexError):  # none is named, or a text
        return data
    if not value or data.dtype.kind not in "iuf" or not (data == value).any():
        return data
    return np.where(data == value, UNKNOWN, data.astype(np.float64 if data.dtype.kind == "f" else np.int64))


def numbered(names: Any, data: Any) -> dict[int, str]:
    """Return the names of classes by their numbers, from a list of them.

    The first is that of number 0, or of number 1 where there are as many as the highest number says.
    """
    words = [str(name or "").strip() for name in np.ravel(np.asarray(names, object))]
    if not words or data.dtype.kind not in "fiub":
        return {}
    highest = int(np.nanmax(data)) if data.size and np.isfinite(np.nanmax(data)) else 0
    first = int(len(words) == highest and not _means_none(words[0]))
    return {number: word for number, word in enumerate(words, first) if word}


def say_zero(path: Path, data: Any, names: Mapping[int, str]) -> None:
    """Warn where a file has a class of number 0, which means no class here."""
    if not _means_none(names.get(0, "")) and (data == 0).any():
        warn(path, f"its class 0 is called {names[0]!r}, which means no class unless task.unlabelled is another number or null")


def _means_none(name: str) -> bool:
    return name.casefold() in _NO_CLASS or name.casefold() in MISSING_NAMES
