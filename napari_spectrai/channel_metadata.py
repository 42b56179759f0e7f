"""Positions of bands in the metadata with which other readers open Nikon, Zeiss, Leica and OME files in napari."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from napari_spectrai.channel_names import axis_of_names
from napari_spectrai.spectral_axis import SpectralAxis, unit_in

_DEEPEST, _MOST, _LONGEST = 10, 20_000, 2**24
_EMISSION = ("emissionlambdanm", "emissionwavelength", "emission", "emissionlambda", "emissionwavelengthnm")
"""Fields of a channel's emission, in lower case without separators: of nd2, OME and CZI."""
_EXCITATION = (
    "excitationlambdanm",
    "excitationwavelength",
    "excitation",
    "excitationlambda",
    "excitationwavelengthnm",
    "illuminationwavelength",
)
_WINDOW = ("detectionwavelength", "detectionrange", "ranges", "emissionrange", "detectionwavelengthranges", "detectionband")
_NAME = ("name", "label", "channelname", "id")
_INNER = ("channel", "detectionwavelength")
_NUMBER = r"(\d+(?:\.\d+)?)"
_BETWEEN = re.compile(rf"{_NUMBER}\s*(?:nm)?\s*[-–—]\s*{_NUMBER}")


def channel_axis(metadata: Mapping[str, Any], lengths: Sequence[int]) -> tuple[SpectralAxis | None, str]:
    """Return the positions of channels that metadata hold for a dimension of one of some lengths, and what was assumed for them.

    Parameters
    ----------
    metadata : mapping
        Of a layer: plain values, dataclasses (nd2), pydantic models (``ome_types``), XML elements or OME-XML as text (bioio, aicsimageio).
    lengths : lengths that a list of channels may have

    Returns
    -------
    axis : SpectralAxis or None
        Emission wavelengths count first, then the middles of detection windows, then names such as ``"410 nm"``; all channels need one.
    note : str
        A clause if the axis follows from names, or if names hold wavelengths that are no positions; else ``""``.
    """
    kept = ""
    for channels in _lists(metadata):
        if len(channels) not in lengths:
            continue
        axis, note = _axis(channels)
        if axis is not None:
            return axis, note
        kept = kept or note
    return None, kept


def _axis(channels: Sequence[Any]) -> tuple[SpectralAxis | None, str]:
    """Return the positions that all of some channels have in one way."""
    fields = [_fields(channel) for channel in channels]
    for of in (_emission, _window):
        known = [one for one in map(of, fields) if one is not None]
        units = {unit for _, unit in known}
        if len(known) == len(channels) and len(units) == 1 and (len(known) == 1 or len({value for value, _ in known}) > 1):
            return SpectralAxis(np.array([value for value, _ in known]), units.pop()), ""
    excitations = [one[0] for one in (_length(field, _EXCITATION) for field in fields) if one is not None]
    kept = ""
    for name in _NAME:
        axis, note = axis_of_names([str(field.get(name) or "") for field in fields], excitations)
        if axis is not None:
            return axis, note
        kept = kept or note
    return None, kept


def _emission(fields: Mapping[str, Any]) -> tuple[float, str] | None:
    return _length(fields, _EMISSION)


def _length(fields: Mapping[str, Any], names: Sequence[str]) -> tuple[float, str] | None:
    """Return the wavelength in the first of some fields that holds one, with its unit."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, Mapping):  # a quantity with its unit
            value = value.get("value")
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        unit = unit_in(str(getattr(fields.get(f"{name}unit"), "value", fields.get(f"{name}unit")) or "nm")) or "nm"
        if unit == "nm" and 0 < number < 1e-4:  # metres, as in CZI
            number *= 1e9
        if number > 0 and np.isfinite(number):
            return number, unit
    return None


def _window(fields: Mapping[str, Any]) -> tuple[float, str] | None:
    for name in _WINDOW:
        match = _BETWEEN.search(str(fields.get(name, "")))
        if match is not None:
            low, high = float(match.group(1)), float(match.group(2))
            factor = 1e9 if high < 1e-4 else 1.0
            return (low + high) / 2 * factor, "nm"
    return None


# ---------------------------------------------------------------- walking through whatever a reader leaves


def _plain(name: Any) -> str:
    return re.sub(r"[^a-z]", "", str(name).rpartition("}")[2].casefold())


def _items(value: Any) -> list[tuple[str, Any]]:
    """Return the named parts of a mapping, a dataclass, a model or an XML element; nothing of other objects, which may read files."""
    if isinstance(value, Mapping):
        return [(str(key), inner) for key, inner in value.items()]
    if isinstance(value, ET.Element) or (hasattr(value, "tag") and hasattr(value, "attrib")):
        return [*((str(key), inner) for key, inner in value.attrib.items()), *((str(one.tag), one) for one in value)]
    names = getattr(type(value), "__dataclass_fields__", None) or getattr(type(value), "model_fields", None)
    names = names or getattr(type(value), "__fields__", None)
    return [(str(name), getattr(value, str(name), None)) for name in names] if isinstance(names, Mapping) else []


def _fields(channel: Any) -> dict[str, Any]:
    """Return the fields of one channel by their names in lower case; those of what describes it further too."""
    if isinstance(channel, str):
        return {"name": channel}
    found: dict[str, Any] = {}
    for name, value in _items(channel):
        key = _plain(name)
        found.setdefault(key, _text(value))
        if key in _INNER:
            found |= {inner: known for inner, known in _fields(value).items() if inner not in found or inner in (*_EMISSION, *_WINDOW)}
    return found


def _text(value: Any) -> Any:
    return (value.text or "") if hasattr(value, "tag") and hasattr(value, "text") and not len(value) else value


def _lists(metadata: Any) -> Iterator[Sequence[Any]]:
    """Yield what may be lists of channels, those nearest to the surface first."""
    waiting: deque[tuple[int, str, Any]] = deque([(0, "", metadata)])
    seen = 0
    while waiting and seen < _MOST:
        depth, name, value = waiting.popleft()
        seen += 1
        if isinstance(value, str) and "<" in value[:200] and len(value) < _LONGEST:
            value = _parsed(value)
        if isinstance(value, (list, tuple)):
            if value and ("channel" in _plain(name) or _plain(name) in ("wavelengths", "emission")):
                yield value
            if depth < _DEEPEST and value and not isinstance(value[0], (int, float)):
                waiting += [(depth + 1, name, one) for one in value[:500]]
            continue
        items = _items(value)
        channels = [inner for key, inner in items if _plain(key) == "channel"]
        if len(channels) > 1 or (channels and hasattr(value, "tag")):
            yield channels
        if depth < _DEEPEST:
            waiting += [(depth + 1, key, inner) for key, inner in items[:500]]


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    """Return the root of XML, or None if it is none or declares entities, which may expand without end."""
    if re.search(r"<!(DOCTYPE|ENTITY)", text):
        return None
    try:
        return ET.fromstring(text.strip())  # noqa: S314  # no entities
    except (ET.ParseError, ValueError):
        return None
