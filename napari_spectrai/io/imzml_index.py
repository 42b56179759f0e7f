"""The XML of an imzML file: where the masses and intensities of every pixel lie in its ``.ibd``, and where the pixels lie in the image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

_MASSES, _INTENSITIES = "MS:1000514", "MS:1000515"
_TYPES = {
    "MS:1000521": "<f4", "MS:1000523": "<f8", "MS:1000519": "<i4", "MS:1000522": "<i8", "IMS:1000141": "<i4", "IMS:1000142": "<i8",
    "IMS:1100000": "i1", "IMS:1100001": "<i2",
}  # fmt: skip
_NAMED_TYPES = {"32-bit float": "<f4", "64-bit float": "<f8", "8-bit integer": "i1", "16-bit integer": "<i2", "32-bit integer": "<i4",
                "64-bit integer": "<i8"}  # fmt: skip
_NO_COMPRESSION, _ZLIB = "MS:1000576", "MS:1000574"
_NUMPRESS = ("MS:1002312", "MS:1002313", "MS:1002314", "MS:1002746", "MS:1002747", "MS:1002748")
_X, _Y, _Z = "IMS:1000050", "IMS:1000051", "IMS:1000052"
_OFFSET, _LENGTH = "IMS:1000102", "IMS:1000103"
_IDENTIFIER = "IMS:1000080"
_HEAD, _LARGEST = 2**16, 2**62

Params = dict[str, tuple[str, str, str]]
"""Value, name and unit of parameters by their accessions."""


@dataclass(slots=True)
class Stored:
    """Where the masses, or the intensities, of every pixel lie in the ``.ibd``.

    Parameters
    ----------
    dtype : type of the values, the same in all pixels
    packed : whether they are compressed by zlib
    offsets, lengths : bytes from the start, and numbers of values
    """

    dtype: str = ""
    packed: bool = False
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def add(self, params: Params, pixel: int) -> None:
        """Add the array of a pixel, which its parameters describe."""
        dtype, packed = _kind(params)
        if self.offsets and (dtype, packed) != (self.dtype, self.packed):
            raise ValueError(f"pixel {pixel} has values of another type or compression than those before it, which is not read")
        self.dtype, self.packed = dtype, packed
        self.offsets.append(_number(params, _OFFSET, pixel))
        self.lengths.append(_number(params, _LENGTH, pixel))
        if self.lengths[-1] < 0:
            raise ValueError(f"pixel {pixel} has {self.lengths[-1]} values; it is damaged")


@dataclass(slots=True)
class Index:
    """What the XML says.

    Parameters
    ----------
    places : z, y and x of every pixel, as in the file
    identifier : of the ``.ibd``, 32 hexadecimal digits, or ``""``
    settings : value and unit of the parameters of the scan, by their accessions
    """

    masses: Stored = field(default_factory=Stored)
    intensities: Stored = field(default_factory=Stored)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    identifier: str = ""
    settings: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_index(path: Path) -> Index:
    """Read the XML, an element at a time."""
    with path.open("rb") as file:
        if re.search(rb"<!(DOCTYPE|ENTITY)", file.read(_HEAD)):
            raise ValueError("its XML declares entities; that is refused")
    found = Index()
    groups: dict[str, Params] = {}
    parents: list[ET.Element] = []
    for event, element in ET.iterparse(path, events=("start", "end")):  # noqa: S314  # no entities
        if event == "start":
            parents.append(element)
            continue
        parents.pop()
        name = _name(element)
        if name == "referenceableParamGroup":
            groups[str(element.get("id"))] = _params(element, {})
        elif name == "scanSettings":
            found.settings |= {accession: (value, unit) for accession, (value, _, unit) in _params(element, groups).items()}
        elif name == "fileContent":
            identifier = _params(element, groups).get(_IDENTIFIER, ("", "", ""))[0]
            found.identifier = re.sub(r"[{}\s-]", "", identifier).casefold()
        elif name == "spectrum":
            _add(found, element, groups)
            parents[-1].remove(element)  # all pixels together may not fit into memory
    if not found.places:
        raise ValueError("it holds no pixels")
    for stored in (found.masses, found.intensities):
        stored.offsets = unwrapped(stored.offsets)
    return found


def _add(found: Index, spectrum: ET.Element, groups: Mapping[str, Params]) -> None:
    """Add a pixel."""
    pixel = len(found.places) + 1
    place: Params = {}
    for element in spectrum.iter():
        if _name(element) == "scan":
            place |= _params(element, groups)
        elif _name(element) == "binaryDataArray":
            params = _params(element, groups)
            stored = found.masses if _MASSES in params else found.intensities if _INTENSITIES in params else None
            if stored is not None and len(stored.offsets) < pixel:
                stored.add(params, pixel)
    if not len(found.masses.offsets) == len(found.intensities.offsets) == pixel:
        raise ValueError(f"pixel {pixel} has no masses or no intensities; it is damaged")
    z = _number(place, _Z, pixel) if _Z in place else 1
    found.places.append((z, _number(place, _Y, pixel), _number(place, _X, pixel)))


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _params(element: ET.Element, groups: Mapping[str, Params]) -> Params:
    """Return the parameters of an element, those of groups that it refers to among them."""
    found: Params = {}
    for child in element:
        if _name(child) == "cvParam":
            found[str(child.get("accession"))] = (child.get("value") or "", child.get("name") or "", child.get("unitAccession") or "")
        elif _name(child) == "referenceableParamGroupRef":
            found = groups.get(str(child.get("ref")), {}) | found
    return found


def _kind(params: Params) -> tuple[str, bool]:
    """Return the type of an array's values, and whether they are compressed by zlib."""
    names = [name for _, name, _ in params.values()]
    dtype = next((_TYPES[accession] for accession in params if accession in _TYPES), "")
    dtype = dtype or next((_NAMED_TYPES[name] for name in names if name in _NAMED_TYPES), "")
    if not dtype:
        raise ValueError(f"it does not say the type of its values, or says another than {', '.join(_NAMED_TYPES)}")
    other = sorted(filter(None, (_other_compression(accession, name) for accession, (_, name, _) in params.items())))
    if other:
        raise ValueError(f"its values are compressed as {other[0]}, which is not read; convert it without compression")
    return dtype, _ZLIB in params


def _other_compression(accession: str, name: str) -> str:
    """Return what a parameter calls a compression that is not read, or ``""``."""
    if accession in _NUMPRESS:
        return "MS-Numpress"
    return name if "compression" in name.casefold() and accession not in (_ZLIB, _NO_COMPRESSION) else ""


def _number(params: Params, accession: str, pixel: int) -> int:
    """Return a whole number, which may be written with a point."""
    words = params.get(accession, ("", "", ""))[0].strip()
    try:
        found = int(words) if words.lstrip("+-").isdigit() else int(float(words))
    except (ValueError, OverflowError):
        found = _LARGEST
    if abs(found) >= _LARGEST:
        what = {_OFFSET: "offset", _LENGTH: "length"}.get(accession, "place in the image")
        raise ValueError(f"pixel {pixel} has no {what} that is a whole number ({words[:40]!r}); it is damaged")
    return found


def unwrapped(offsets: Iterable[int]) -> list[int]:
    """Return offsets beyond 2 GiB that were written as signed numbers of 32 bits: what falls below 0 has passed another 4 GiB."""
    found: list[int] = []
    wraps, before = 0, 0
    for offset in offsets:
        wraps += offset < 0 <= before
        found.append(offset + wraps * 2**32)
        before = offset
    return found
