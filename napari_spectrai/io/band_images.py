"""Folders of images of one band each, whose names give the position of the band, as filter wheels and tunable filters write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_spectrai.channel_names import axis_of_names
from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.companions import positions_in_folder
from napari_spectrai.io.found import OnDisk, RawArray, SeveralArraysError, UnreadableError, affordable, one_line, warn
from napari_spectrai.notices import noting
from napari_spectrai.remedies import give, is_answered, where
from napari_spectrai.spec import listed, some_of

_TIFF, _PICTURES = (".tif", ".tiff"), {".png": "PNG", ".bmp": "BMP"}
SUFFIXES = (*_TIFF, *_PICTURES)
_LEAST, _MOST_LOOKED_AT = 3, 10_000
_VALUE = r"\d+(?:[.,]\d+)?"
WITH_UNIT = re.compile(
    rf"(?<![\d.,])(?:(?P<low>{_VALUE})(?:\s*(?:[-–]|_?to_?)\s*))?(?P<value>{_VALUE})[ _]?(?P<unit>nm|cm-?1|ev)(?![^\W_\d])"
    rf"|(?:wl|wave(?:length)?|lambda|λ)[ _=-]?(?P<long>{_VALUE})[ _]?(?P<micro>[uµμ]m)(?![^\W_\d])",
    re.IGNORECASE,
)
_UNITS = {"nm": "nm", "cm": "cm-1", "ev": "eV"}
BARE = re.compile(rf"(?<![\d.,])(?P<value>{_VALUE})(?![\d.,]*\d)")
_WORD_BEFORE = re.compile(r"(?<![^\W_])[^\W\d_]+(?=[ _=-]?$)")
_WIDEST = 2.0
"""How many times as large as its lower end the upper end of a detection window may be; else a running number stands before a position."""


@dataclass(frozen=True, slots=True)
class _Band:
    """An image, and the position that its name gives."""

    path: Path
    value: float
    words: str
    key: tuple[str, str]


def declared(folder: Path) -> bool:
    """Whether a folder holds images of one plane each whose names give positions with their unit, or count those of a list next to them."""
    images = _images(folder)
    if _are_planes(images, WITH_UNIT):
        return True
    stacks = stacks_of(images, BARE)
    with noting():
        listed = len(stacks) == 1 and positions_in_folder(folder, len(next(iter(stacks.values())))) is not None
    return listed and _are_planes(images, BARE)


def numbered(folder: Path) -> bool:
    """Whether a folder holds images of one plane each whose names differ in one number, without a unit."""
    return _are_planes(_images(folder), BARE)


def _are_planes(images: Sequence[Path], pattern: re.Pattern[str]) -> bool:
    stacks = stacks_of(images, pattern)
    if not stacks:
        return False
    first = next(iter(stacks.values()))[0].path
    try:
        return len(_form(first)[0]) == 2
    except ValueError:  # it is named where it is read
        return True


def _images(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    except OSError:
        return []
    return found if _LEAST <= len(found) <= _MOST_LOOKED_AT else []


def stacks_of(images: Sequence[Path], pattern: re.Pattern[str]) -> dict[str, list[_Band]]:
    """Return the stacks that images make, in the order of their positions, by what the names of the images have in common.

    Of the numbers in a name that one is its position in which it differs from others; running numbers and exposures next to it count for
    nothing where each position occurs once.
    """
    bands = [[_band(path, match) for match in pattern.finditer(path.stem)] for path in images]
    for plain in (False, True):
        groups: dict[tuple[str, str], list[_Band]] = {}
        for band in (one for of_image in bands for one in of_image):
            key = tuple(re.sub(r"\d+", "0", part) for part in band.key) if plain else band.key
            groups.setdefault(key, []).append(band)  # type: ignore[arg-type]
        found = {
            key: sorted(group, key=lambda band: band.value) for key, group in groups.items() if len(group) >= _LEAST and _differ(group)
        }
        taken = [band.path for group in found.values() for band in group]
        sure = pattern is BARE or all(axis_of_names([band.words for band in group])[0] is not None for group in found.values())
        if found and sure and len(set(taken)) == len(taken):
            return {_name(key): group for key, group in found.items()}
        if pattern is BARE:
            break  # several numbers without a unit, any of which may be meant
    return {}


def _band(path: Path, match: re.Match[str]) -> _Band:
    parts, stem = match.groupdict(), path.stem
    value = _float(parts.get("long") or parts["value"])
    unit = "um" if parts.get("long") else _UNITS.get((parts.get("unit") or "").casefold()[:2], "")
    start, words = match.start(), f"{value:g} {unit}"
    low = _float(parts.get("low") or "0")
    if 0 < low < value <= _WIDEST * low:
        value, words = (low + value) / 2, f"{low:g}-{value:g} {unit}"
    elif parts.get("low"):  # a running number
        start = match.start("value")
    before = _WORD_BEFORE.search(stem[:start])
    return _Band(path, value, f"{before.group() if before else ''} {words}".strip(), (stem[:start], stem[match.end() :]))


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def _differ(bands: Sequence[_Band]) -> bool:
    return len({band.value for band in bands}) == len({band.path for band in bands}) == len(bands)


def _name(key: Iterable[str]) -> str:
    """Return what the names of the images of a stack have in common."""
    return " ".join(part for part in (piece.strip(" _-.=") for piece in key) if part) or "images"


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the stacks of a folder and their shapes."""
    return {name: (len(bands), *_form(bands[0].path)[0]) for name, bands in _of(path)[0].items()}


def _of(folder: Path) -> tuple[dict[str, list[_Band]], bool]:
    """Return the stacks of a folder, and whether the names give the unit of the positions."""
    images = _images(folder)
    with_unit = stacks_of(images, WITH_UNIT)
    found = with_unit or stacks_of(images, BARE)
    if not found:
        raise ValueError("the names of its images give no positions of bands")
    return found, bool(with_unit)


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the images of a folder as a cube, in the order of the positions in their names."""
    stacks, with_unit = _of(path)
    if dataset is not None and dataset not in stacks:
        raise ValueError(f"there is no stack of images {dataset!r} in it; {listed(stacks, dataset)}")
    if dataset is None and len(stacks) > 1:
        raise SeveralArraysError(f"it holds {len(stacks)} stacks of images ({some_of(list(stacks))}); choose one {where('dataset')}")
    name = next(iter(stacks)) if dataset is None else dataset
    bands = stacks[name]
    called = f"{bands[0].path.name} to {bands[-1].path.name}"
    near = None if with_unit or is_answered("axis") or len(stacks) > 1 else positions_in_folder(path, len(bands))
    if not with_unit and not is_answered("axis") and near is None:
        raise UnreadableError(
            f"{path}: it is a folder of {len(bands)} images, {called}, whose names do not say that {bands[0].value:g} to "
            f"{bands[-1].value:g} are positions of bands; if they are, or others are known, {give('axis')} (a unit alone takes those "
            "in the names); else open a file in it"
        )
    data = _stacked(path, [band.path for band in bands])
    taken = {band.path for band in bands}
    left = [one.name for one in _images(path) if one not in taken] if len(stacks) == 1 else []
    if left:
        are = "is" if len(left) == 1 else "are"
        warn(path, f"{some_of(left)} {are} not read, since the name gives no position as those of the others do")
    if near is not None:
        warn(path, f"the positions of its {len(bands)} images, {called}, are taken from {near[1]}; if that is wrong {give('axis')}")
    axis = _axis(path, bands, called, with_unit=with_unit) if near is None else near[0]
    size, unit = _pixel_size(bands[0].path)
    return RawArray(
        data, spectral=0, axis=axis, pixel_size=size, pixel_unit=unit, name=path.name, dataset=name,
    )  # fmt: skip


def _axis(path: Path, bands: Sequence[_Band], called: str, *, with_unit: bool) -> SpectralAxis | None:
    if not with_unit:
        return SpectralAxis(np.array([band.value for band in bands]))
    axis, note = axis_of_names([band.words for band in bands])
    if not is_answered("axis"):
        warn(path, f"its {len(bands)} images are called {called}; {note.partition('; ')[2]}. If that is wrong {give('axis')}")
    return axis


def _stacked(folder: Path, paths: list[Path]) -> Any:
    shape, dtype = _form(paths[0])
    for other in paths[1:]:
        form = _form(other)
        if form != (shape, dtype):
            here, first = (f"{' × '.join(map(str, lengths))} {kind}" for lengths, kind in (form, (shape, dtype)))
            raise ValueError(f"{other.name} holds {here} and {paths[0].name} {first}; move images of other kinds out of the folder")
    if len(shape) != 2:
        raise ValueError(f"{paths[0].name} holds {' × '.join(map(str, shape))} values and not one plane; open that file")
    _plane(paths[0])  # so that pictures in colours are refused before values are asked for
    return OnDisk(folder, (len(paths), *shape), dtype, partial(_part, tuple(paths))).lazy((1, *shape))


def _part(paths: tuple[Path, ...], key: Any) -> Any:
    bands, *place = key if isinstance(key, tuple) else (key,)
    if isinstance(bands, slice):
        return np.stack([_plane(path)[tuple(place)] for path in paths[bands]])
    return _plane(paths[bands])[tuple(place)]


def _form(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an image, without its values."""
    try:
        return _form_of(path)
    except Exception as error:  # the libraries raise anything from OSError to struct.error on broken bytes
        raise ValueError(f"{path.name} cannot be read: {one_line(error)}") from error


def _form_of(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if path.suffix.lower() in _TIFF:
        with tifffile.TiffFile(path, _multifile=False) as file:
            page = file.pages.first
            shape: tuple[int, ...] = tuple(int(length) for length in page.shape)
            return (shape if len(file.pages) == 1 else (len(file.pages), *shape)), np.dtype(page.dtype or np.uint8)
    with Image.open(path, formats=(_PICTURES[path.suffix.lower()],)) as image:
        return (image.height, image.width), np.dtype(np.uint16 if image.mode in ("I", "I;16", "I;16B") else np.uint8)


def _plane(path: Path) -> npt.NDArray[Any]:
    shape, dtype = _form(path)
    affordable(shape, dtype)
    if path.suffix.lower() in _TIFF:
        return np.asarray(tifffile.imread(path, _multifile=False, series=0)).reshape(shape)
    with Image.open(path, formats=(_PICTURES[path.suffix.lower()],)) as image:
        if image.mode in ("L", "1", "I", "I;16", "I;16B"):
            return np.array(image).astype(dtype)
        colours = np.array(image.convert("RGB"))
    if (colours != colours[..., :1]).any():
        raise ValueError(f"{path.name} is a picture in colours; save the band as a grey image")
    return np.ascontiguousarray(colours[..., 0])


def _pixel_size(path: Path) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size that the first image gives."""
    if path.suffix.lower() not in _TIFF:
        return None, "pixel"
    from napari_spectrai.io.tiff import read as read_tiff

    with noting():
        found = read_tiff(path)
    return found.pixel_size, found.pixel_unit
