"""Ripple: a table of keys and values (``.rpl``) next to raw values (``.raw``), as Lispix, HyperSpy and EDS programs write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.byte_orders import say_order
from napari_spectrai.io.container import choose
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.found import RawArray, mapped, paired, positions, warn
from napari_spectrai.io.texts import lines_of, text_of
from napari_spectrai.remedies import where

_KINDS = {"signed": "i", "unsigned": "u", "float": "f"}
_ORDERS = {"big-endian": ">", "little-endian": "<", "dont-care": "="}
_LONGEST_HEADER = 1_000_000
_VECTOR, _IMAGE = "vector", "image"


def ripple_header(path: Path) -> Path | None:
    """Return the Ripple header next to a file of raw values, if there is one."""
    names = (path.with_suffix(suffix) for suffix in (".rpl", ".RPL"))
    return next((one for one in names if one != path and one.is_file()), None)


def parse(header: Path) -> dict[str, str]:
    """Return the keys and values of a header, in lower case but for titles and units."""
    if header.stat().st_size > _LONGEST_HEADER:
        raise ValueError(f"its header holds {header.stat().st_size:,} bytes; more than {_LONGEST_HEADER:,} is no header")
    found: dict[str, str] = {}
    for line in lines_of(text_of(header)):
        parts = re.split(r"\t+|,|\s+", line.partition(";")[0].strip(), maxsplit=1)
        if len(parts) == 2 and parts[0].casefold() != "key":
            found[parts[0].casefold()] = parts[1].strip(" \t,\"'")
    return found


def _whole(fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = fields.get(name, "")
    if not text and default is not None:
        return default
    if not re.fullmatch(r"\d{1,15}", text) or (int(text) == 0 and default is None):
        raise ValueError(f"its header gives {text[:30]!r} as its {name}; a whole number is needed there")
    return int(text)


def _number(fields: Mapping[str, str], name: str) -> float | None:
    try:
        return float(fields[name]) if name in fields else None
    except ValueError:
        return None


def _order(fields: Mapping[str, str]) -> str:
    record = fields.get("record-by", "dont-care").casefold()
    if record not in (_VECTOR, _IMAGE, "dont-care"):
        raise ValueError(f"its header gives {record!r} as its record-by, which is vector, image or dont-care")
    return record


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the cube, λ last."""
    fields = parse(paired(path, ".rpl", ripple_header))
    return {"data": (_whole(fields, "height"), _whole(fields, "width"), _whole(fields, "depth"))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the values; the depth of the format holds the bands."""
    if dataset not in (None, "data"):
        choose(inspect(path), dataset)
    header = paired(path, ".rpl", ripple_header)
    fields = parse(header)
    kind, order = fields.get("data-type", "").casefold(), fields.get("byte-order", "dont-care").casefold()
    if kind not in _KINDS or order not in _ORDERS:
        raise ValueError(
            f"its header gives {kind or 'no'} data-type and the byte-order {order}; signed, unsigned or float and an order are read"
        )
    size = _whole(fields, "data-length")
    if size not in (1, 2, 4, 8) or (kind == "float" and size < 4):
        raise ValueError(
            f"its header gives a data-length of {size} bytes for {kind} numbers; 1, 2, 4 and 8 are read, and 4 and 8 of floats"
        )
    high, wide, deep = inspect(path)["data"]
    record = _order(fields)
    first = record == _IMAGE
    values = _values(path, header)
    data = mapped(
        values, f"{_ORDERS[order]}{_KINDS[kind]}{size}", (deep, high, wide) if first else (high, wide, deep), _whole(fields, "offset", 0)
    )
    say_order(path, data, f"change 'byte-order' in {header.name}")
    if record == "dont-care" and deep > 1 and high * wide > 1:
        said = "its header does not say whether spectra or images follow each other; spectra are taken"
        warn(path, f"{said}. If that is wrong choose another {where('spectral')}")
    sized = _pixel(fields)
    return RawArray(
        data, spectral=0 if first else -1, axis=_axis(path, fields, deep), pixel_size=sized[0], pixel_unit=sized[1],
        name=fields.get("title", ""), metadata=_origin(fields) if sized[0] else {},
    )  # fmt: skip


def _values(path: Path, header: Path) -> Path:
    """Return the file of values."""
    if path != header:
        return path
    found = next((one for one in (header.with_suffix(suffix) for suffix in (".raw", ".RAW")) if one.is_file()), None)
    if found is None:
        raise ValueError(f"the file of its values, {header.with_suffix('.raw').name}, is missing")
    return found


def _axis(path: Path, fields: Mapping[str, str], bands: int) -> SpectralAxis | None:
    """Return the positions that the keys of the depth give, else those of energy by its step (``ev-per-chan``)."""
    step, start = _number(fields, "depth-scale"), _number(fields, "depth-origin") or 0.0
    if step:
        values = start + step * np.arange(bands, dtype=np.float64)
        return positions(path, values, fields.get("depth-units", ""), quantity=fields.get("depth-name", ""))
    step = _number(fields, "ev-per-chan")
    return SpectralAxis(step * np.arange(bands, dtype=np.float64), "eV") if step else None


def _origin(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return metadata of where the first pixel lies."""
    found = [_number(fields, f"{side}-origin") or 0.0 for side in ("height", "width")]
    return {"origin": found} if any(found) else {}


def _pixel(fields: Mapping[str, str]) -> tuple[tuple[float, float] | None, str]:
    """Return pixel size and unit."""
    sides: list[Any] = [_number(fields, f"{side}-scale") for side in ("height", "width")]
    units = {length_unit(f"({fields.get(f'{side}-units', '')})") for side in ("height", "width")}
    if len(units) != 1 or not all(sides) or not units <= {"um", "mm", "nm", "m"}:
        return None, "pixel"
    return (abs(sides[0]), abs(sides[1])), units.pop()
