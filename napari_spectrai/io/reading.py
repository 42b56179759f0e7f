"""Opening a file: its format, its reader, and the array as a cube."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import local, recover
from napari_spectrai.io.band_arrays import stack_of_bands
from napari_spectrai.io.band_images import numbered
from napari_spectrai.io.companions import with_positions_next_to
from napari_spectrai.io.foreign import compression_of, foreign_content
from napari_spectrai.io.formats import Format, band_images, envi_header, format_of, of_text
from napari_spectrai.io.found import MOST_BANDS, RawArray, SeveralArraysError, UnreadableError, one_line, warn
from napari_spectrai.io.quiet import quietly
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.notices import noting, say_note
from napari_spectrai.parsing import refuse_special
from napari_spectrai.remedies import Option, answering, give, where
from napari_spectrai.spec import some_of
from napari_spectrai.units import known_unit

_OWN = frozenset(
    {
        "text",
        "jcamp",
        "galactic",
        "arrays",
        "omnic",
        "igor",
        "gwyddion",
        "renishaw",
        "princeton",
        "perkin_elmer",
        "agilent",
        "witec",
        "imzml",
        "opus",
        "emsa",
    }
)
"""Readers that call no library that may print."""
_CONTAINERS = ("arrays", "hdf5", "netcdf", "matlab", "zarr")
"""Readers of files with arrays that have names."""
_RAW = ("envi", "ripple", "agilent")
"""Readers of raw values, which may begin as anything does."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as a cube, and what of it was read.

    Parameters
    ----------
    cube : the cube, read when it is needed where the format allows it
    dataset : the array of a container; empty where a file has one
    spectral : the dimension of the bands in the array as stored
    shape : the shape of the array as stored
    """

    cube: Cube
    dataset: str
    spectral: int
    shape: tuple[int, ...]


def opened(
    path: str | Path,
    *,
    dataset: str | None = None,
    axis: SpectralAxis | str | None = None,
    spectral: int | None = None,
    columns: Mapping[str | int, str] | None = None,
    shape: tuple[int, int] | None = None,
) -> Opened:
    """Open a spectral file, with the parameters of `napari_spectrai.io.read`."""
    path = local(path)
    known = existing(path)
    if known.module in ("zarr", "omezarr"):
        known = _of_store(path, known, dataset)
    if columns and known.module != "text":
        raise ValueError(f"{path}: it is read as {known.name}, and only text tables have columns; choose an array {where('dataset')}")
    given = {"dataset": dataset, "axis": axis, "spectral": spectral, "columns": columns, "shape": shape}
    answers: list[Option] = [option for option, value in given.items() if value is not None]  # type: ignore[misc]
    with answering(*answers):
        try:
            found: RawArray = guarded(
                _with_companions(path, known), known, "read", dataset=dataset, **({"columns": columns} if columns else {})
            )
        except SeveralArraysError:
            stack = stack_of_bands(path, partial(guarded, path, known)) if dataset is None and known.module in _CONTAINERS else None
            if stack is None:
                raise
            found = stack
        found = with_positions_next_to(path, found)
    stored = tuple(found.data.shape)
    if len(stored) == 1:  # one spectrum is a set of one
        found = replace(found, data=found.data[None, :], spectral=-1, sure=True)
    place = _place(path, found, spectral, shape)
    if found.data.shape[place] > MOST_BANDS:
        raise UnreadableError(
            f"{path}: its dimension {place} would be that of {found.data.shape[place]:,} bands, of which there may be {MOST_BANDS:,}; "
            f"choose another {where('spectral')}"
        )
    if spectral is not None and place != found.spectral % len(found.data.shape):  # sizes and places are those of other dimensions
        kept = {key: value for key, value in found.metadata.items() if key not in ("origin", "planes", "bad_bands")}
        found = replace(found, pixel_size=None, pixel_unit="pixel", metadata=kept)
    positions = found.axis if place == found.spectral % len(found.data.shape) or (found.axis and shape) else None
    if found.by_length and found.axis is not None and len(found.axis) == found.data.shape[place]:
        positions = found.axis
    plain = not any(value is not None for value in given.values())
    with _as_cube(path):
        whole = _folded(path, as_cube(found.data, position=place).data, shape, by_columns=found.by_columns)
    chosen = axis if isinstance(axis, SpectralAxis) else _positions(path, axis, positions, whole.shape[-1])
    with _as_cube(path):
        cube = Cube(
            whole,
            chosen,  # type: ignore[arg-type]
            pixel_size=found.pixel_size,
            pixel_unit=found.pixel_unit,
            name=found.name or _stem(path, known),
            source=path if plain else None,  # another process that is given the path alone would read something else
            metadata=found.metadata,
        )
    if plain and whole.dtype.kind in "iu" and (whole.ndim == 2 or whole.shape[-1] == 1):
        _say_labels(path)
    return Opened(cube, found.dataset if dataset is None else dataset, place, stored)


def _with_companions(path: Path, known: Format) -> Path:
    """Return where a file lies that is read with others next to it: where its link leads, if nothing is next to the link."""
    if known.module not in (*_RAW, "imzml") or not path.is_symlink():
        return path
    others = [other for other in path.parent.iterdir() if other != path and other.name.startswith(f"{path.stem}.")]
    return path if others else path.resolve()


def _say_labels(path: Path) -> None:
    """Warn where a file says that it holds classes."""
    from napari_spectrai.io.labels import holds_labels

    if holds_labels(path):
        warn(path, "it holds class numbers, which are read as intensities here; open it with napari_spectrai.io.labels.read_labels(path)")


@contextmanager
def _as_cube(path: Path) -> Iterator[None]:
    """Name the file in the error of an array that makes no cube."""
    try:
        yield
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError(f"{path}: cannot be read as a cube: {one_line(error)}") from error


def _place(path: Path, found: RawArray, spectral: int | None, shape: tuple[int, int] | None) -> int:
    """Return the dimension of the bands: the chosen one, that of the file, or the one that does not count the pixels of an image."""
    lengths = tuple(found.data.shape)
    if shape is not None and spectral is None:
        return _spectral_of_pixels(path, found, shape)
    if spectral is not None and not -len(lengths) <= spectral < len(lengths):
        raise ValueError(f"{path}: its array has {len(lengths)} dimensions; choose spectral from 0 to {len(lengths) - 1}, not {spectral}")
    place = (found.spectral if spectral is None else spectral) % len(lengths)
    if spectral is None and not found.sure:
        numbered = ", ".join(f"{number}: {length}" for number, length in enumerate(lengths))
        warn(
            path,
            f"it does not say which dimension holds the bands; {place} is taken. "
            f"If that is wrong choose another {where('spectral')} ({numbered})",
        )
    return place


def _positions(path: Path, words: str | None, axis: SpectralAxis | None, bands: int) -> SpectralAxis | None:
    """Return an axis with a unit that a person gives, or evenly spaced positions given as ``FIRST:LAST:UNIT``."""
    if words is None:
        return axis
    first, _, rest = words.partition(":")
    last, _, unit = rest.partition(":")
    known = known_unit(unit if rest else words)
    if known is None:
        raise ValueError(f"{path}: {words!r} is neither a unit (nm, um, 1/cm, eV, m/z) nor FIRST:LAST:UNIT, such as 400:700:nm")
    if not rest:
        if axis is None and known.name:
            raise ValueError(f"{path}: it gives no positions of its {bands} bands that could be in {words}; {give('axis')}")
        values = np.arange(bands, dtype=np.float64) if axis is None else axis.values
    else:
        try:
            values = np.linspace(float(first), float(last), bands)
        except ValueError as error:
            raise ValueError(f"{path}: {words!r} gives no positions; write FIRST:LAST:UNIT, such as 400:700:nm") from error
    return SpectralAxis(values * known.factor if known.factor != 1 else values, known.name)


def _spectral_of_pixels(path: Path, found: RawArray, shape: tuple[int, int]) -> int:
    """Return the dimension of the bands in an array of pixels one after another: the one that is not as long as the image has pixels."""
    lengths, count = tuple(found.data.shape), shape[0] * shape[1]
    if len(lengths) != 2 or count not in lengths:
        raise ValueError(
            f"{path}: an image of {shape[0]} × {shape[1]} has {count} pixels, and its array is {' × '.join(map(str, lengths))}; "
            f"give height and width of an array of two dimensions, one of which counts pixels, {where('shape')}"
        )
    return found.spectral % 2 if lengths[0] == lengths[1] else 1 - lengths.index(count)


def _folded(path: Path, data: Any, shape: tuple[int, int] | None, *, by_columns: bool) -> Any:
    """Return an array (pixels, bands) as an image; a view where memory allows."""
    if shape is None:
        return data
    height, width = shape
    if len(data.shape) != 2 or data.shape[0] != height * width:
        raise UnreadableError(
            f"{path}: its {data.shape[0]} pixels are not those of an image of {height} × {width}; give others {where('shape')}"
        )
    return data.reshape(width, height, -1).transpose(1, 0, 2) if by_columns else data.reshape(height, width, -1)


def existing(path: Path) -> Format:
    """Return the format of a file that is there."""
    recover(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    refuse_special(path)
    try:
        known = format_of(path)
    except ValueError:
        if path.is_dir() and numbered(path):
            return band_images()
        if path.is_dir():
            names = sorted(file.name for file in path.iterdir() if not file.name.startswith("."))
            what = f"which holds {some_of(names)}" if names else "which is empty"
            raise UnreadableError(f"{path}: it is a folder, {what}; open a file in it") from None
        table = of_text(path)  # a text is recognised by its table, whatever its suffix
        if table is None or not _has_table(path, table):
            raise
        return table
    if path.is_file() and not path.stat().st_size:
        raise UnreadableError(f"{path}: cannot be read as {known.name}: it is empty; it may still be being written")
    if path.is_dir() and known.module not in ("zarr", "omezarr", "band_images"):
        raise UnreadableError(f"{path}: it is a folder with the name of a file; open a file in it")
    if not _may_start_with_anything(path, known) and (words := foreign_content(path)):
        raise UnreadableError(f"{path}: cannot be read as {known.name}: {words}")
    if known.module not in _RAW and (packed := compression_of(path)) and (packed != "ZIP" or not known.is_archive):
        raise UnreadableError(f"{path}: it is compressed ({packed}) in spite of its suffix; unpack it, and open what is in it")
    return known


def _may_start_with_anything(path: Path, known: Format) -> bool:
    """Whether a file holds raw values with a header next to it, or is of a kind whose own reader names what it is instead."""
    return path.is_dir() or known.module in ("galactic", "ripple", "agilent") or (known.module == "envi" and envi_header(path) is not None)


def _has_table(path: Path, known: Format) -> bool:
    try:
        return any(lines > 1 for lines, *_ in known.function("inspect")(path).values())
    except (ValueError, MemoryError):  # of whatever else a text may be, the suffix is what is wrong
        return False


def guarded(path: Path, known: Format, function: str, **options: Any) -> Any:
    """Call a reader; whatever a library raises on a broken file becomes one error that names file and reason."""
    reader = known.function(function)
    try:
        with noting() as notes, np.errstate(all="ignore"), nullcontext() if known.module in _OWN else quietly():
            found = reader(path, **options)
    except SeveralArraysError as error:
        raise SeveralArraysError(f"{path}: {error}") from error
    except (PermissionError, UnreadableError, ModuleNotFoundError, SpectralWarning):
        raise
    except Exception as error:  # libraries raise anything from KeyError to zlib.error on broken bytes, and MemoryError on a false size
        raise UnreadableError(f"{path}: cannot be read as {known.name}: {one_line(error)}") from error
    for note in notes:
        say_note(note)
    return found


def _of_store(path: Path, known: Format, dataset: str | None) -> Format:
    """Return how a store is read: as OME-Zarr where it declares images, the requested array among them, whatever its suffix is."""
    from napari_spectrai.io.omezarr import is_image

    try:
        with quietly():
            images = is_image(path, dataset)
        return replace(format_of("image.ome.zarr" if images else "store.zarr"), suffixes=known.suffixes)
    except Exception:  # noqa: BLE001  # whatever zarr raises on a broken store; the reader reports it
        return known


def _stem(path: Path, known: Format) -> str:
    name = path.name.lower()
    return path.name[
        : -max((len(suffix) for suffix in known.suffixes if suffix and name.endswith(suffix)), default=len(path.suffix)) or None
    ]
