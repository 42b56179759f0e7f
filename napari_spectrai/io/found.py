"""What readers return, and the limits that apply to all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psutil

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.files import size_words
from napari_spectrai.notices import say_note
from napari_spectrai.remedies import give, is_answered
from napari_spectrai.units import Unit, known_unit, quantity_of, usual_unit

if TYPE_CHECKING:
    import dask.array as da

LARGEST = 2**46
"""Bytes of an array beyond which its header is assumed to be damaged: 64 TiB."""


DECLARATIONS = ("zarr.json", ".zgroup", ".zarray")
"""Files that make a folder a store of Zarr."""
MOST_BANDS = 2**24
"""Bands of a cube; a small file can claim more, whose positions alone would fill the memory."""
CHUNK, MOST_CHUNKS = 2**22, 50_000
"""Values that are read at a time, and the largest number of such chunks in an array."""


class UnreadableError(ValueError):
    """A file that cannot be read as what it claims to be; names the file and the reason."""


class SeveralArraysError(UnreadableError):
    """A file of several arrays, none of which is plainly the cube; lists them and says where to choose one."""


@dataclass(frozen=True, slots=True)
class RawArray:
    """An array as stored in its file, and what the file says about it.

    Parameters
    ----------
    data : array, in file order
    spectral : which dimension holds the bands
    sure : whether the file says so, rather than convention
    axis : the band positions, if the file gives them
    by_length : whether the axis belongs to its dimension by its length alone, so that it is also that of another dimension as long
    by_columns : whether pixels in one dimension follow each other down the columns of the image, as in MATLAB
    dataset : name of the array, of a container
    metadata : ``"origin"`` (y, x) in `pixel_unit`, ``"bad_bands"`` (indices), ``"laser_nm"`` are understood elsewhere
    """

    data: Any
    spectral: int = -1
    sure: bool = True
    axis: SpectralAxis | None = None
    by_length: bool = False
    by_columns: bool = False
    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = "pixel"
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """An ordinary picture that a spectral file carries, such as a white-light view of the sample.

    Parameters
    ----------
    data : uint8 array of shape (y, x, 3)
    pixel_size, origin : (y, x), in `pixel_unit`; `origin` is the centre of the first pixel
    """

    name: str
    data: npt.NDArray[np.uint8]
    pixel_size: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)
    pixel_unit: str = "pixel"


class OnDisk:
    """An array that opens its file for each read, so that no handle stays open; any fault names the file.

    `fetch` returns a part of it; a function of a module, or a `functools.partial` of one, so that lazy cubes can be pickled.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: Any, fetch: Callable[[Any], Any]) -> None:
        self.path, self.shape, self.dtype, self.ndim = path, tuple(shape), np.dtype(dtype), len(shape)
        self._fetch = fetch

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._fetch(key)
        except MemoryError:
            raise
        except Exception as error:  # a library raises anything on broken bytes
            raise UnreadableError(f"{self.path}: a part of it cannot be read: {one_line(error)}") from error

    def lazy(self, chunks: Sequence[int] | None = None) -> da.Array:
        """Return a dask array whose chunks follow those of the file, but are never so small that there are too many."""
        import dask.array as da

        plausible(self.shape, self.dtype)
        # counted in values, not bytes: whatever works on them makes float32 of each
        values = max(CHUNK, math.prod(self.shape) // MOST_CHUNKS)
        limit = values * self.dtype.itemsize
        whole = da.core.normalize_chunks("auto", shape=self.shape, dtype=self.dtype, limit=limit, previous_chunks=chunks)
        return da.from_array(self, chunks=whole, asarray=False, name=False, meta=np.empty((0,) * self.ndim, self.dtype))


def lazily(values: npt.NDArray[Any]) -> da.Array:
    """Return a memory map as a dask array, to be read in parts."""
    import dask.array as da

    limit = max(CHUNK, values.size // MOST_CHUNKS) * values.dtype.itemsize
    chunks = da.core.normalize_chunks("auto", shape=values.shape, dtype=values.dtype, limit=limit)
    return da.from_array(values, chunks=chunks, asarray=False, name=False)


def plausible(shape: Sequence[int], dtype: Any) -> int:
    """Return the bytes of an array that a header claims; raise for sizes that no instrument writes."""
    if any(int(length) < 0 for length in shape):
        raise ValueError(f"its header claims the shape {tuple(shape)}; no length can be negative")
    claimed = math.prod(int(length) for length in shape) * int(np.dtype(dtype).itemsize)
    if claimed > LARGEST:
        raise ValueError(f"its header claims {'×'.join(map(str, shape))} values, {claimed / 2**40:.3g} TiB; the header is damaged")
    return claimed


def affordable(shape: Sequence[int], dtype: Any) -> None:
    """Raise before loading an array that does not fit into memory."""
    claimed, free = plausible(shape, dtype), psutil.virtual_memory().available
    if claimed > free:
        raise ValueError(
            f"its header claims {size_words(claimed)}, and {size_words(free)} of memory are free; "
            "convert it to Zarr or HDF5, which are read in parts"
        )


def paired(path: Path, suffix: str, header_of: Callable[[Path], Path | None]) -> Path:
    """Return the header of a pair of a header and raw values, given either file.

    Parameters
    ----------
    path : Path
    suffix : str
        Of headers.
    header_of : callable
        Returns the header of a file of raw values, or None.

    Raises
    ------
    ValueError
        If there is no header.
    """
    found = path if path.suffix.lower() == suffix else header_of(path)
    if found is None:
        raise ValueError(f"its header {path.with_suffix(suffix).name} is missing; raw values mean nothing without it")
    return found


def mapped(path: Path, dtype: Any, shape: Sequence[int], offset: int = 0) -> npt.NDArray[Any]:
    """Return a read-only memory map of raw values, after checking that the file is long enough."""
    needed, there = offset + plausible(shape, dtype), path.stat().st_size
    if there < needed:
        raise ValueError(f"{path.name} holds {there:,} bytes where its header promises {needed:,}; it is truncated")
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=tuple(shape))


def unpacked(data: Any, *, divisor: float = 1.0, factor: float = 1.0, offset: float = 0.0, missing: float | None = None) -> Any:
    """Return stored numbers as the quantities that they represent, lazily: divided or multiplied, shifted, `missing` as NaN."""
    if divisor == factor == 1 and offset == 0 and (missing is None or np.isnan(missing)):
        return data
    wide = data.dtype.itemsize > 4 or (data.dtype.kind != "f" and data.dtype.itemsize > 2)
    exact = np.float64 if wide else np.float32

    def unpack(block: Any) -> Any:
        values = block.astype(exact) / exact(divisor) * exact(factor) + exact(offset)
        if missing is not None:
            values[block == missing] = np.nan
        return values

    import dask.array as da

    lazy = data if isinstance(data, da.Array) else da.from_array(data, chunks="auto", asarray=False, name=False)
    return lazy.map_blocks(unpack, dtype=exact)


def scaled_bands(data: Any, factors: Any, offsets: Any, place: int = -1) -> Any:
    """Return values times the factor of their band, which lies along dimension `place`, plus its offset, lazily."""
    import dask.array as da

    lazy = data if isinstance(data, da.Array) else da.from_array(data, chunks="auto", asarray=False, name=False)
    exact = np.result_type(lazy.dtype, np.float32)
    along = [1] * lazy.ndim
    along[place] = -1
    return lazy.astype(exact) * np.asarray(factors, exact).reshape(along) + np.asarray(offsets, exact).reshape(along)


def warn(path: Path, message: str) -> None:
    """Warn of what a file does not specify."""
    say_note(f"{path.name}: {message}")


_LONGEST_REASON = 400
_LONGEST_WAVE = 1e8
"""Wavelengths in nm beyond which no instrument for light measures."""
_SHORTEST_METRES, _LONGEST_METRES = 1e-7, 3e-5
"""Positions that cannot be but wavelengths of light in metres."""
_LIGHT, _HERTZ_PER_WAVENUMBER = 1e11, 29_979_245_800.0
"""Frequencies in Hz from which they are those of light, and not of a lock-in amplifier or a clock."""
_SHORTEST, _LONGEST = 300, 3000
"""Wavelengths in nm of most spectral cameras and spectrometers."""


def one_line(error: BaseException) -> str:
    """Return the message of a library's error in one line of reasonable length."""
    words = " ".join(str(error).split()) or f"the library that reads it does not know what is in it ({type(error).__name__})"
    if "allow_pickle" in words:  # NumPy advises here to run code of the file
        words = "it holds Python objects, which are not loaded" if words.startswith("Object arrays") else "it is no file of NumPy"
    if re.search(r"requires the .\w+. package", words):
        words = f'{words}; run: pip install "napari-spectrai[formats]", or save the file without this compression'
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 1] + "…"


def _likelier(unit: Unit, values: npt.NDArray[np.float64]) -> str:
    """Return the unit in which wavelengths of light are as large as values are, where the one that is given makes them unlikely."""
    if not values.size or not (np.isfinite(values).all() and values.min() > 0):
        return ""
    if unit.name == "um" and values.min() >= _SHORTEST and values.max() <= _LONGEST:
        return "nm"
    return "um" if unit.name == "nm" and values.max() <= _LONGEST / 1000 and values.min() >= _SHORTEST / 1000 else ""


def positions(path: Path, values: Any, unit: str, *, quantity: str = "") -> SpectralAxis:
    """Return the axis of a file's positions.

    Parameters
    ----------
    unit : str
        As written in the file. Ångström become nm, frequencies 1/cm.
    quantity : str, optional
        What the file calls the positions; without a unit, their values decide between nm and µm, with a warning.

    Where the unit remains unknown the axis has none, with a warning.
    """
    found = np.asarray(values, np.float64)
    said = str(unit or "").strip()
    known = known_unit(said) if said else None
    known = None if known is None or not known.name else known  # "unknown" is no unit
    if known is not None and known.name == "nm" and known.factor > 1 and np.abs(found).max(initial=0) * known.factor > _LONGEST_WAVE:
        known = None  # a sloppy word, such as cm for 1/cm
    if said.casefold() in ("hz", "hertz") and found.size and np.abs(found).min() > _LIGHT:
        known = Unit("1/cm", 1 / _HERTZ_PER_WAVENUMBER)
    if known is None and not said and found.size and np.isfinite(found).all():
        in_metres = found.min() >= _SHORTEST_METRES and found.max() <= _LONGEST_METRES
        known = usual_unit(quantity_of(quantity) or ("wavelength" if in_metres else ""), found)
        if known is not None and not is_answered("axis"):
            factor = f", times {known.factor:g}" if known.factor != 1 else ""
            warn(
                path,
                f"it gives {quantity.strip()} {found[0]:g}–{found[-1]:g} without a unit; {known.name} is assumed{factor}. "
                f"If that is wrong {give('axis')}",
            )
    if is_answered("axis"):  # the unit that is given is that of the numbers in the file
        return SpectralAxis(found, "" if known is None or known.factor != 1 else known.name)
    if known is not None:
        if (other := _likelier(known, found)) and known.factor == 1:
            said = f"it gives positions {found[0]:g}–{found[-1]:g} {known.name}, which would be usual in {other}"
            warn(path, f"{said}; if that is meant {give('axis')}")
        return SpectralAxis(found * known.factor if known.factor != 1 else found, known.name)
    axis = SpectralAxis(found)
    what = f"its unit is {unit!r}, which is not known" if said else "it does not say their unit"
    warn(path, f"it gives band positions {axis.values[0]:g}–{axis.values[-1]:g}, but {what}; {give('axis')}")
    return axis
