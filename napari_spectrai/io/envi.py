"""ENVI: a text header next to raw values in bsq, bil or bip order, memory-mapped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.io.byte_orders import say_order
from napari_spectrai.io.container import choose
from napari_spectrai.io.envi_axis import axis_of
from napari_spectrai.io.envi_fields import TYPES, number_of, numbers_of, parse, parts_of, whole
from napari_spectrai.io.formats import envi_header
from napari_spectrai.io.found import RawArray, mapped, paired, plausible, scaled_bands, unpacked, warn
from napari_spectrai.io.interleaves import say_interleave
from napari_spectrai.notices import noting, say_note
from napari_spectrai.placement import placed

_ORDERS = {"bsq": ("bands", "lines", "samples"), "bil": ("lines", "bands", "samples"), "bip": ("lines", "samples", "bands")}
_SUFFIXES = ("", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".IMG", ".DAT", ".RAW")
_NO_VALUES = (".hdr", ".txt", ".xml", ".json", ".png", ".jpg", ".jpeg", ".enp", ".prj", ".sta", ".md", ".pdf", ".log", ".csv")
_OURS = "napari-spectrai"
_SLAB = 2**26
"""Bytes written at a time."""
_METRES = {"meters": "m", "metres": "m", "m": "m", "micrometers": "um", "um": "um", "microns": "um", "mm": "mm", "nm": "nm"}


_OF_SPECTRA = {"labels": "names", "coordinates": "coordinates"}


def _values(path: Path, header: Path, fields: dict[str, str], size: int) -> Path:
    """Return the file of values: the one that was opened, else one of the header's name and any suffix, if possible of the right size."""
    if path != header:
        return path
    # ours are in .img, whatever other files are in the folder
    suffixes = (".img",) if fields.get("written by") == _OURS else _SUFFIXES
    candidates = [file for suffix in suffixes if (file := header.with_suffix(suffix)).is_file() and file != header]
    if candidates:  # a table or a note may have one of these suffixes too
        return next((file for file in candidates if file.stat().st_size == size), candidates[0])
    stem = header.stem
    others = [
        file
        for file in sorted(header.parent.iterdir())
        if file.is_file()
        and file != header
        and (file.name == stem or file.name.startswith(f"{stem}."))
        and file.suffix.lower() not in _NO_VALUES
    ]
    if len(others) == 1:
        return others[0]
    if others:
        raise ValueError(f"several files could be its values ({', '.join(file.name for file in others)}); open the one that is")
    raise ValueError(f"the file of its values is missing (looked for {stem} with any suffix or none)")


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the cube, λ last."""
    fields = parse(paired(path, ".hdr", envi_header))
    return {"data": tuple(whole(fields, name) for name in ("lines", "samples", "bands"))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the values; divide by the reflectance scale factor and turn ignored values into NaN, lazily, where the header says so."""
    if dataset not in (None, "data"):
        choose(inspect(path), dataset)
    if path.suffix.lower() == ".img" and envi_header(path) is None and _is_hamamatsu(path):
        from napari_spectrai.io import vendor  # Hamamatsu uses the suffix too

        return vendor.read(path, dataset=dataset)
    header = paired(path, ".hdr", envi_header)
    fields = parse(header)
    code, interleave = whole(fields, "data type"), fields.get("interleave", "").lower()
    if not interleave and sum(whole(fields, name) > 1 for name in _ORDERS["bsq"]) > 1:
        warn(path, "its header gives no interleave; bsq is taken, one band after another")
    interleave = interleave or "bsq"
    if code not in TYPES:
        raise ValueError(f"its data type {code} is not one of {', '.join(map(str, TYPES))} (complex numbers are not spectra)")
    if interleave not in _ORDERS:
        raise ValueError(f"its interleave {interleave!r} is not bsq, bil or bip")
    order = _byte_order(fields)
    shape = [whole(fields, name) for name in _ORDERS[interleave]]
    if fields.get("file compression", "0").strip() not in ("0", ""):
        raise ValueError("its values are compressed, which is not read; save it without compression")
    if any(numbers_of(fields.get("major frame offsets", "")) + numbers_of(fields.get("minor frame offsets", ""))):
        raise ValueError("its lines have bytes of other things between them (frame offsets), which is not read; save it without them")
    values = _values(path, header, fields, whole(fields, "header offset", 0) + plausible(shape, order + TYPES[code]))
    if _starts_as_tiff(values) and not whole(fields, "header offset", 0):
        return _of_tiff(path, values, fields)
    data: Any = mapped(values, order + TYPES[code], shape, whole(fields, "header offset", 0))
    say_order(path, data, f"change 'byte order' in {header.name} to {0 if order == '>' else 1}")
    say_interleave(path, data, interleave, _ORDERS, f"change 'interleave' in {header.name}")
    if (surplus := values.stat().st_size - data.nbytes - whole(fields, "header offset", 0)) > 0:
        warn(
            path,
            f"{values.name} holds {surplus:,} bytes more than the {data.nbytes:,} that its header describes; one may be incomplete",
        )
    place = _ORDERS[interleave].index("bands")
    ignore, divisor = number_of(path, fields, "data ignore value"), number_of(path, fields, "reflectance scale factor")
    data = unpacked(np.moveaxis(data, place, -1), divisor=divisor or 1.0, missing=ignore)
    data = _in_scale(path, data, fields, shape[place])
    if "spectral library" in fields.get("file type", "").casefold() and shape[place] == 1:
        return _library(path, data[..., 0], fields)
    size, unit = _pixel(path, fields)
    return RawArray(
        data[0] if "set of spectra" in fields else data, axis=axis_of(path, fields, shape[place]), pixel_size=size, pixel_unit=unit,
        name=fields.get("description", "").strip("{} ") if fields.get("written by") == _OURS else "",
        metadata=_metadata(path, fields, shape[place]),
    )  # fmt: skip


def _library(path: Path, data: Any, fields: dict[str, str]) -> RawArray:
    """Return a library of spectra, which ENVI stores as the lines of an image of one band, with their names."""
    names = parts_of(fields.get("spectra names", ""))
    labels = {"labels": names} if len(names) == data.shape[0] else {}
    return RawArray(data, axis=axis_of(path, fields, data.shape[1]), metadata=labels)


def _starts_as_tiff(values: Path) -> bool:
    with values.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _of_tiff(path: Path, values: Path, fields: dict[str, str]) -> RawArray:
    """Return the image of a TIFF that a header describes, with the positions of the header."""
    from napari_spectrai.io import tiff

    with noting():  # what the image alone leaves open
        found = tiff.read(values)
    shape = tuple(whole(fields, name) for name in ("lines", "samples", "bands"))
    data = np.moveaxis(found.data, found.spectral, -1)
    if tuple(data.shape) != shape:
        raise ValueError(f"{values.name} holds an image of {'×'.join(map(str, data.shape))}, and its header describes one of {shape}")
    return replace(found, data=data, spectral=-1, sure=True, axis=axis_of(path, fields, shape[2]) or found.axis)


def _byte_order(fields: dict[str, str]) -> str:
    """Return the order of bytes: 0 or 1, or in words; several instruments omit it and mean 0."""
    words = fields.get("byte order", "0").strip("{} ").casefold()
    if words.startswith(("little", "intel", "lsf", "big", "ieee", "network", "motorola", "msf")):
        return "<" if words.startswith(("little", "intel", "lsf")) else ">"
    return ">" if whole(fields, "byte order", 0) == 1 else "<"


def _in_scale(path: Path, data: Any, fields: dict[str, str], bands: int) -> Any:
    """Return values by the gains and offsets of the bands, with a notice."""
    given = {name: numbers_of(fields.get(f"data {name} values", "")) for name in ("gain", "offset")}
    for name, values in given.items():
        if values and len(values) not in (1, bands):
            warn(path, f"its header lists {len(values)} data {name} values for {bands} bands; they are not used")
            return data
    gains, offsets = (np.broadcast_to(np.array(given[name] or [plain]), bands) for name, plain in (("gain", 1.0), ("offset", 0.0)))
    if (gains == 1).all() and (offsets == 0).all():
        return data
    warn(path, "its header gives gains and offsets of the bands, which are applied: the values are those stored × gain + offset")
    return scaled_bands(data, gains, offsets)


def _is_hamamatsu(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"IM"


def _pixel(path: Path, fields: dict[str, str]) -> tuple[tuple[float, float] | None, str]:
    key, first = ("pixel size", 0) if "pixel size" in fields else ("map info", 5)
    parts = parts_of(fields.get(key, ""))
    if len(parts) < first + 2:
        return None, "pixel"
    named = re.search(r"units\s*=\s*([\wµ]+)", fields[key])
    unit = _METRES.get(named.group(1).lower(), "") if named else "m"
    try:
        x, y = float(parts[first]), float(parts[first + 1])
    except ValueError:
        warn(path, f"its header gives {', '.join(parts[first : first + 2])[:40]!r} as its {key}, and these are no numbers; it is not used")
        return None, "pixel"
    if not unit or not (x > 0 and y > 0):
        return None, "pixel"
    # microscope images in metres, the unit of the format, are better given in µm
    return ((y * 1e6, x * 1e6), "um") if unit == "m" and max(x, y) < 1e-3 else ((y, x), unit)


def _metadata(path: Path, fields: dict[str, str], bands: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "laser line" in fields:
        found["laser_nm"] = float(fields["laser line"])
    if "set of spectra" in fields and (names := parts_of(fields.get("spectra names", ""))):
        found["labels"] = names
    if "origin" in fields:
        found["origin"] = numbers_of(fields["origin"])
    marks = numbers_of(fields.get("bbl", ""))
    if not marks:
        return found
    if len(marks) != bands:
        warn(path, f"its bad-band list has {len(marks)} marks for {bands} bands; it is not used")
        return found
    return found | {"bad_bands": [number for number, mark in enumerate(marks) if mark == 0]}


def _placed(cube: Cube) -> tuple[tuple[float, float] | None, str, Sequence[float] | None]:
    """Return pixel size, unit and origin (y, x) of an image, as its layer lies now if it came from one."""
    lies = placed(cube.metadata, cube.spatial_shape)
    if lies is None or not cube.is_image:
        return cube.pixel_size, cube.pixel_unit, cube.metadata.get("origin")
    if not lies.is_straight:
        say_note(f"{cube.name or 'the cube'}: ENVI holds neither rotation nor shear, which are left out; .h5 and .zarr keep them")
        return cube.pixel_size, cube.pixel_unit, None
    origin = [float(place) for place in lies.matrix[-3:-1, -1]] if lies.matrix[-3:-1, -1].any() else None
    if cube.pixel_size is not None or lies.is_default:
        return cube.pixel_size, cube.pixel_unit, origin
    return (lies.pixel_size[-2], lies.pixel_size[-1]), lies.units[-1], origin


def _spectra_names(cube: Cube) -> list[str]:
    """Return the field of the names of a set of spectra; names of pixels, places and times of spectra are left out, with a note."""
    names = [re.sub(r"\s+", " ", str(name)).strip() for name in cube.metadata.get("labels", ())]
    plain = not cube.is_image and len(names) == cube.count and all(name and not re.search("[,{}]", name) for name in names)
    left = [word for key, word in _OF_SPECTRA.items() if key in cube.metadata and not (plain and key == "labels")]
    if left:
        say_note(
            f"{cube.name or 'the cube'}: ENVI holds no {' and '.join(left)} of these spectra, which are left out; .h5 and .zarr keep them"
        )
    return ["spectra names = {" + ", ".join(names) + "}"] if plain else []


def write(cube: Cube, path: Path) -> None:
    """Write bip values (λ last, as in memory) to ``NAME.img`` and the header next to it."""
    if path.suffix.lower() != ".hdr":
        raise ValueError("name the header: ENVI is written as NAME.hdr with NAME.img next to it")
    if len(cube.shape) > 3:
        raise ValueError(f"ENVI holds images (y, x, bands) or sets of spectra, not {len(cube.shape)} dimensions; choose .zarr or .h5")
    code = next((code for code, kind in TYPES.items() if np.dtype(kind) == cube.data.dtype.newbyteorder("=")), None)
    if code is None:
        raise ValueError(f"ENVI cannot hold {cube.data.dtype}; convert it, for instance to float32 or uint16")
    shape = cube.shape if cube.is_image else (1, *cube.shape)
    axis = cube.axis
    name = re.sub(r"[{}\n]", " ", cube.name)
    lines = [
        "ENVI", f"description = {{{name}}}", f"written by = {_OURS}", f"samples = {shape[1]}",
        f"lines = {shape[0]}", f"bands = {shape[2]}", "header offset = 0", "file type = ENVI Standard", f"data type = {code}",
        "interleave = bip", "byte order = 0", f"wavelength units = {axis.unit or 'Index'}",
        "wavelength = {" + ", ".join(repr(float(value)) for value in axis.values) + "}",
    ]  # fmt: skip
    if not cube.is_image:
        lines.append("set of spectra = 1")
    lines += _spectra_names(cube)
    size, unit, origin = _placed(cube)
    if size is not None:
        y, x = size
        lines.append(f"pixel size = {{{x!r}, {y!r}, units={unit}}}")
    if bad := cube.metadata.get("bad_bands"):
        lines.append("bbl = {" + ", ".join("0" if band in bad else "1" for band in range(len(axis))) + "}")
    if "laser_nm" in cube.metadata:
        lines.append(f"laser line = {cube.metadata['laser_nm']!r}")
    if origin is not None:
        lines.append("origin = {" + ", ".join(repr(float(value)) for value in origin) + "}")
    # not through a memory map, which ends the process where the disk is full
    kind, row = cube.data.dtype.newbyteorder("<"), max(1, cube.data.nbytes // cube.shape[0])
    step = max(1, _SLAB // row)
    with path.with_suffix(".img").open("wb") as file:
        for start in range(0, cube.shape[0], step):
            file.write(np.asarray(cube.data[start : start + step]).astype(kind, copy=False).tobytes())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
