"""Princeton Instruments ``.spe``: WinSpec's (2.x) and LightField's (3.0, with an XML footer), in the layout that the vendor publishes.

A header of 4100 bytes precedes the frames. A frame holds one or more regions of the detector, whose columns are the bands.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, mapped, positions, warn
from napari_spectrai.io.xml_text import plain_xml
from napari_spectrai.remedies import give
from napari_spectrai.units import unit_of

_HEADER, _FOOTER, _VERSION = 4100, 678, 1992
_TYPES = {0: "<f4", 1: "<i4", 2: "<i2", 3: "<u2", 5: "<f8", 6: "u1", 8: "<u4"}
_FORMATS = {"MonochromeUnsigned16": "<u2", "MonochromeUnsigned32": "<u4", "MonochromeFloating32": "<f4"}
_LARGEST_FOOTER = 2**26
_LASER_WAVENUMBERS = (5000.0, 50_000.0)


@dataclass(frozen=True, slots=True)
class _Region:
    """One region of the detector, in every frame of the file.

    Parameters
    ----------
    offset : bytes from the start of a frame
    stride : bytes from one frame to the next
    """

    name: str
    dtype: str
    frames: int
    height: int
    width: int
    offset: int
    stride: int
    axis: SpectralAxis | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames and rows, as far as there is more than one, and bands."""
        rows = tuple(length for length in (self.frames, self.height) if length > 1)
        return (*(rows or (1,)), self.width)

    def values(self, path: Path) -> npt.NDArray[Any]:
        """Map the region in every frame."""
        frame = np.dtype(
            {"names": ["at"], "formats": [(self.dtype, (self.height, self.width))], "offsets": [self.offset], "itemsize": self.stride}
        )
        found: npt.NDArray[Any] = mapped(path, frame, (self.frames,), _HEADER)["at"].reshape(self.shape)
        return found


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the regions and their shapes: frames, rows, bands."""
    return {region.name: region.shape for region in _regions(path, axes=False)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map a region: one spectrum for each of its rows in each frame."""
    regions = {region.name: region for region in _regions(path, axes=True)}
    name = choose({name: (1, region.frames, region.height, region.width) for name, region in regions.items()}, dataset, path)
    region = regions[name]
    laser = _laser(_head(path))
    metadata = {"laser_nm": laser} if laser is not None and region.axis is not None and region.axis.unit == "1/cm" else {}
    # without a calibration it may be a stack of pictures, whose frames are the bands
    sure = region.axis is not None or len(region.shape) == 2
    return RawArray(region.values(path), axis=region.axis, sure=sure, dataset=name, metadata=metadata)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEADER)
    if head.lstrip()[:1] == b"$":
        raise ValueError("it is a text of counts, as programs for gamma rays write with this suffix; it has no image")
    if len(head) < _HEADER:
        raise ValueError(f"it has {len(head):,} bytes, fewer than the {_HEADER:,} of an SPE header; it is truncated")
    return head


def _regions(path: Path, *, axes: bool) -> list[_Region]:
    head = _head(path)
    (version,) = struct.unpack_from("<f", head, _VERSION)
    (footer,) = struct.unpack_from("<Q", head, _FOOTER)
    if version >= 3 and footer:
        return _of_footer(path, footer, axes=axes)
    return [_of_header(path, head, axes=axes)]


# ------------------------------------------------------------------ 2.x


def _of_header(path: Path, head: bytes, *, axes: bool) -> _Region:
    """Return the frames that the header describes, as many as the file holds."""
    (kind,), (width,), (height,), (frames,) = (
        struct.unpack_from(code, head, place) for code, place in (("<h", 108), ("<H", 42), ("<H", 656), ("<i", 1446))
    )
    if kind not in _TYPES:
        raise ValueError(f"its header names the type {kind} of values; those known are {', '.join(map(str, _TYPES))}")
    if not width or not height:
        raise ValueError(f"its header claims frames of {height} × {width}; it is damaged")
    stride = width * height * np.dtype(_TYPES[kind]).itemsize
    there = (path.stat().st_size - _HEADER) // stride
    if not there:
        raise ValueError(f"it ends before its first frame of {height} × {width}; it is truncated")
    if axes and frames > there:
        warn(path, f"{there:,} of the {frames:,} frames that its header claims are in it")
    frames = min(frames, there) if frames > 0 else there
    axis = _polynomial(path, head, width) if axes else None
    return _Region("region 1", _TYPES[kind], frames, height, width, 0, stride, axis)


def _polynomial(path: Path, head: bytes, width: int) -> SpectralAxis | None:
    """Return the positions that WinSpec's calibration gives, at the pixels of the detector, which count from 1."""
    valid, order = head[3098], head[3101]
    coefficients = np.array(struct.unpack_from("<6d", head, 3263))[: order + 1]
    if not valid or order > 5 or not np.isfinite(coefficients).all() or not coefficients[1:].any():
        return None
    first, last, binned = struct.unpack_from("<3H", head, 1512)
    regions = struct.unpack_from("<h", head, 1510)[0]
    known = binned > 0 and first > 0 and (last - first + 1) // binned == width
    first, binned = (first, binned) if known else (1, 1)
    if first > 1 or binned > 1 or regions > 1:
        warn(
            path,
            f"it holds pixels of the detector from {first}, {binned} at a time{f', in {regions} regions' if regions > 1 else ''}; "
            f"their positions follow from its calibration at these pixels. If that is wrong {give('axis')}",
        )
    values = np.polynomial.polynomial.polyval(first + binned * np.arange(width) + (binned - 1) / 2, coefficients)
    return positions(path, values, _unit(head, values), quantity="wavelength")


def _unit(head: bytes, values: npt.NDArray[np.float64]) -> str:
    """Return the unit of the polynomial: nm where the spectrograph stands at one of its wavelengths, else the one its titles name."""
    (centre,) = struct.unpack_from("<f", head, 72)
    if values.min() <= centre <= values.max() and centre > 0:
        return "nm"
    titles = (head[place : place + 40].partition(b"\0")[0].decode("cp1252", "replace") for place in (3018, 3321))
    return next((found.name for found in map(unit_of, titles) if found is not None and found.factor == 1), "")


def _laser(head: bytes) -> float | None:
    """Return the laser line in nm, which the header gives as a wavenumber."""
    (line,) = struct.unpack_from("<d", head, 3311)
    return round(1e7 / line, 4) if _LASER_WAVENUMBERS[0] < line < _LASER_WAVENUMBERS[1] else None


# ------------------------------------------------------------------ 3.0


def _of_footer(path: Path, start: int, *, axes: bool) -> list[_Region]:
    """Return the regions that the XML footer describes."""
    root = _footer(path, start)
    frame = next((element for element in root.iter() if _is(element, "DataBlock") and element.get("type") == "Frame"), None)
    if frame is None:
        raise ValueError("its footer describes no frame; it is damaged")
    pixel = str(frame.get("pixelFormat"))
    if pixel not in _FORMATS:
        raise ValueError(f"its pixels are {pixel!r}; those known are {', '.join(_FORMATS)}")
    frames, stride = int(frame.get("count", "1")), int(frame.get("stride") or frame.get("size") or 0)
    there = (start - _HEADER) // stride if stride > 0 else 0
    if frames < 1 or not there:
        raise ValueError(f"its footer claims {frames} frames of {stride} bytes; it is damaged")
    if axes and frames > there:
        warn(path, f"{there:,} of the {frames:,} frames that its footer claims are in it")
    found: list[_Region] = []
    offset = 0
    for block in (element for element in frame if _is(element, "DataBlock") and element.get("type") == "Region"):
        height, width = int(block.get("height", "0")), int(block.get("width", "0"))
        needed = height * width * np.dtype(_FORMATS[pixel]).itemsize
        if height < 1 or width < 1 or offset + needed > stride:
            raise ValueError(f"its footer claims a region of {height} × {width} in a frame of {stride} bytes; it is damaged")
        axis = _mapping(path, root, frame, block, width) if axes else None
        found.append(_Region(f"region {len(found) + 1}", _FORMATS[pixel], min(frames, there), height, width, offset, stride, axis))
        offset += int(block.get("stride") or needed)
    if not found:
        raise ValueError("its frames hold no region")
    return found


def _footer(path: Path, start: int) -> ET.Element:
    length = path.stat().st_size - start
    if start < _HEADER or length <= 0:
        raise ValueError(f"its footer lies at byte {start:,} of {path.stat().st_size:,}; it is truncated")
    if length > _LARGEST_FOOTER:
        raise ValueError(f"its footer has {length:,} bytes, more than the {_LARGEST_FOOTER:,} that are read; it is damaged")
    with path.open("rb") as file:
        file.seek(start)
        return plain_xml(file.read().rstrip(b"\0").decode("utf-8-sig", "replace"))


def _mapping(path: Path, root: ET.Element, frame: ET.Element, block: ET.Element, width: int) -> SpectralAxis | None:
    """Return the wavelengths of a region: those of its columns, or of the columns of the detector that it takes."""
    known = {element.get("id"): element for parent in root.iter() if _is(parent, "Calibrations") for element in parent}
    named = [name.strip() for element in (block, frame) for name in (element.get("calibrations") or "").split(",")]
    ordered = [known[name] for name in named if name in known] or list(known.values())
    mappings = list(filter(len, map(_wavelengths, (element for element in ordered if _is(element, "WavelengthMapping")))))
    if not mappings:
        return None
    wavelengths = next((mapping for mapping in mappings if len(mapping) == width), mappings[0])
    if len(wavelengths) == width:
        return positions(path, wavelengths, "nm")
    sensor = next((element for element in ordered if _is(element, "SensorMapping")), None)
    first, binned = (0, 1) if sensor is None else (int(sensor.get("x", "0")), max(1, int(sensor.get("xBinning", "1"))))
    taken = wavelengths[first : first + width * binned]
    if sensor is None or len(taken) != width * binned:
        warn(path, f"it gives {len(wavelengths)} wavelengths for {width} columns; its bands are numbered; {give('axis')}")
        return None
    return positions(path, taken.reshape(width, binned).mean(1), "nm")


def _wavelengths(mapping: ET.Element) -> npt.NDArray[np.float64]:
    """Return the wavelengths of a mapping, which may stand in pairs with their errors."""
    for element in mapping:
        numbers = [float(word) for word in re.split(r"[\s,]+", (element.text or "").strip()) if word]
        if _is(element, "Wavelength"):
            return np.array(numbers)
        if _is(element, "WavelengthError"):
            return np.array(numbers[::2])
    return np.array([])


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name
