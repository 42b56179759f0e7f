"""The OME-XML metadata of an image: its channels, its pixel size, and dimensions folded into others ("modulo")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import positions, warn
from napari_spectrai.io.titles import from_labels
from napari_spectrai.io.xml_text import plain_xml
from napari_spectrai.remedies import give
from napari_spectrai.units import known_unit

_IN_NM = {"nm": 1.0, "um": 1e3}
_WAVELENGTHS = ("lambda", "spectral", "wavelength")
_MOST = 1_000_000
_LEAST_SCANNED = 5
"""Channels from which different excitations are a scan, and not those of as many dyes."""
_IN_UM = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6}


@dataclass(frozen=True, slots=True)
class Modulo:
    """A dimension folded into C, Z or T, of which it is the one that varies fastest.

    Parameters
    ----------
    kind : ``"lambda"`` (wavelengths), ``"lifetime"``, ``"angle"``, …
    labels : the positions along it, as text
    unit : as written in the file
    """

    kind: str
    labels: tuple[str, ...]
    unit: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class OmeImage:
    """The metadata of one image; the channels are those in the file, where its other planes lie in files `elsewhere`."""

    description: str = ""
    pixel_size: tuple[float, float] | None = None
    size_unit: str = "pixel"
    names: tuple[str, ...] = ()
    emissions: tuple[tuple[str | None, str], ...] = ()
    excitations: tuple[float, ...] = ()
    modulo: Mapping[str, Modulo] = field(default_factory=dict)
    steps: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    metadata_file: str = ""

    def wavelengths(self, path: Path, bands: int) -> SpectralAxis | None:
        """Return the positions along the folded dimension of wavelengths."""
        known = next((modulo for modulo in self.modulo.values() if modulo.kind == "lambda" and len(modulo) == bands), None)
        if known is None:
            return None
        try:
            values = [float(label) for label in known.labels]
        except ValueError:
            return from_labels(known.labels, path)
        return positions(path, values, known.unit, quantity="wavelengths")

    def channels(self, path: Path, bands: int) -> SpectralAxis | None:
        """Return the positions that the channels give: their emission wavelengths, else their names."""
        if len(self.names) != bands:
            return None
        given = [(float(value), unit) for value, unit in self.emissions if value]
        units = {unit for _, unit in given}
        known = {unit: known_unit(unit) for unit in units}
        if len(given) == bands and (bands == 1 or len(set(given)) > 1):
            if len(units) == 1:
                return positions(path, [value for value, _ in given], units.pop())
            scales = {unit: one.factor * _IN_NM.get(one.name, 0.0) for unit, one in known.items() if one is not None}
            if len(scales) == len(units) and all(scales.values()):
                return SpectralAxis(np.array([value * scales[unit] for value, unit in given]), "nm")
        axis = from_labels(self.names, path, self.excitations)
        if axis is None and len(set(given)) > 1:
            warn(path, f"{len(given)} of its {bands} channels give an emission wavelength; the bands are numbered; {give('axis')}")
        elif axis is None and not given and len(set(self.excitations)) == bands >= _LEAST_SCANNED:
            warn(path, f"its {bands} channels differ by what excites them, which is no position; the bands are numbered; {give('axis')}")
        return axis


def of_image(xml: str, number: int, name: str = "") -> OmeImage:
    """Return the metadata of the image of a number in the file of a name.

    Declarations that make a parser open files or expand text are refused.
    """
    root = plain_xml(xml)
    images = [element for element in root if _is(element, "Image")]
    lies = next((element.get("MetadataFile", "") for element in root if _is(element, "BinaryOnly")), "")
    if lies and not images:
        return OmeImage(metadata_file=lies)
    image = images[number]
    pixels = next(element for element in image if _is(element, "Pixels"))
    size, unit = _pixel(pixels)
    channels = [element for element in pixels if _is(element, "Channel")]
    others, here = _spread(root, pixels, name)
    if others and max(here, default=-1) < len(channels):
        channels = [channels[channel] for channel in here]
    return OmeImage(
        next((element.text or "" for element in image if _is(element, "Description")), ""),
        size,
        unit,
        tuple(channel.get("Name", "") for channel in channels),
        _emissions(root, channels),
        tuple(filter(None, map(_excitation, channels))),
        _modulo(root, image, pixels),
        {
            "Z": (float(pixels.get("PhysicalSizeZ") or 0), pixels.get("PhysicalSizeZUnit", "µm")),
            "T": (float(pixels.get("TimeIncrement") or 0), pixels.get("TimeIncrementUnit", "s")),
        },
        others,
    )


def _spread(root: ET.Element, pixels: ET.Element, name: str) -> tuple[tuple[str, ...], list[int]]:
    """Return which other files hold planes of an image, and the channels of the planes in this one, in their order."""
    others, here = set(), {}
    for element in pixels:
        if not _is(element, "TiffData"):
            continue
        file = next((one for one in element if _is(one, "UUID")), None)
        called = "" if file is None else file.get("FileName", "")
        if called and called.casefold() != name.casefold() and (file is None or file.text != root.get("UUID")):
            others.add(called)
        elif element.get("IFD", "0").isdecimal() and element.get("FirstC", "0").isdecimal():
            here[int(element.get("IFD", "0"))] = int(element.get("FirstC", "0"))
    return tuple(sorted(others)), [here[plane] for plane in sorted(here)]


def _emissions(root: ET.Element, channels: list[ET.Element]) -> tuple[tuple[str | None, str], ...]:
    """Return the emission wavelength of each channel and its unit; else the middle of the window in which light was detected."""
    given = tuple((channel.get("EmissionWavelength"), channel.get("EmissionWavelengthUnit", "nm")) for channel in channels)
    if len({value for value, _ in given if value}) == len(channels):
        return given
    filters = {element.get("ID"): element for group in root if _is(group, "Instrument") for element in group if _is(element, "Filter")}
    windows = [_window(filters, channel) for channel in channels]
    found = tuple((repr(middle), unit) for middle, unit in filter(None, windows))
    return found if len(set(found)) == len(channels) else given


def _window(filters: Mapping[str | None, ET.Element], channel: ET.Element) -> tuple[float, str] | None:
    """Return the middle of the transmittance of a channel's emission filter and its unit."""
    named = [element.get("ID") for element in channel.iter() if _is(element, "EmissionFilterRef")]
    ranges = [element for name in named[:1] for element in filters.get(name, ()) if _is(element, "TransmittanceRange")]
    if len(ranges) != 1 or ranges[0].get("CutInUnit", "nm") != ranges[0].get("CutOutUnit", "nm"):
        return None
    try:
        return (float(ranges[0].get("CutIn", "")) + float(ranges[0].get("CutOut", ""))) / 2, ranges[0].get("CutInUnit", "nm")
    except ValueError:
        return None


def _pixel(pixels: ET.Element) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size and its unit, that of both sides where they have the same, else µm."""
    sizes = [float(pixels.get(f"PhysicalSize{side}") or 0) for side in "YX"]
    units = [length_of(pixels.get(f"PhysicalSize{side}Unit", "µm")) for side in "YX"]
    if not all(math.isfinite(size) and size > 0 and unit for size, (unit, _) in zip(sizes, units, strict=True)):
        return None, "pixel"
    same = units[0][0] == units[1][0]
    y, x = (size * factor * (1.0 if same else _IN_UM[unit]) for size, (unit, factor) in zip(sizes, units, strict=True))
    return (y, x), units[0][0] if same else "um"


def _excitation(channel: ET.Element) -> float | None:
    """Return the excitation wavelength of a channel in nm; None without one that can be read, since it only helps to understand names."""
    unit = known_unit(channel.get("ExcitationWavelengthUnit", "nm"))
    try:
        value = float(channel.get("ExcitationWavelength", ""))
    except ValueError:
        return None
    return None if unit is None or unit.name not in ("nm", "um") else value * unit.factor * (1e3 if unit.name == "um" else 1.0)


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name


def _modulo(root: ET.Element, image: ET.Element, pixels: ET.Element) -> dict[str, Modulo]:
    """Return the folded dimensions of an image, by the dimension that holds them."""
    references = {element.get("ID") for parent in (image, pixels) for element in parent if _is(element, "AnnotationRef")}
    found: dict[str, Modulo] = {}
    for group in root:
        for annotation in group if _is(group, "StructuredAnnotations") else ():
            if annotation.get("ID") in references and annotation.get("Namespace", "").casefold().endswith("modulo"):
                for element in annotation.iter():
                    along = element.tag.rpartition("}")[2]
                    if along.startswith("ModuloAlong") and along[-1:] in "CZT":
                        found[along[-1]] = _folded(element)
    return found


def _folded(element: ET.Element) -> Modulo:
    kind = element.get("Type", "other").strip().casefold()
    labels = tuple((child.text or "").strip() for child in element if _is(child, "Label"))
    if not labels and element.get("Start") is not None:
        start, step = float(element.get("Start", 0)), float(element.get("Step") or 1)
        end = float(element.get("End") or start)
        count = round((end - start) / step) + 1 if step else 1
        if not 0 < count <= _MOST:
            raise ValueError(f"its dimension of {kind} from {start:g} to {end:g} in steps of {step:g} has no sensible length")
        labels = tuple(repr(float(value)) for value in start + step * np.arange(count))
    unit: Any = element.get("Unit", "")
    return Modulo("lambda" if kind in _WAVELENGTHS else kind, labels, str(unit))
