"""Files in and out: ``read(path) -> Cube``, ``write(cube, path)``, ``inspect(path)``, over a table of formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import recover, replacing
from napari_spectrai.io.found import Picture, RawArray, UnreadableError, warn
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.spec import listed

__all__ = ["FORMATS", "Format", "Picture", "SpectralWarning", "UnreadableError", "format_of", "inspect", "pictures", "read", "write"]


@dataclass(frozen=True, slots=True)
class Format:
    """One family of files: how it is told, and the module of `napari_spectrai.io` that knows it."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    writes: bool = False

    def function(self, name: str) -> Callable[..., Any]:
        """Import the module's `name` (``read``, ``write``, ``inspect`` or ``pictures``)."""
        function: Callable[..., Any] = getattr(import_module(f"napari_spectrai.io.{self.module}"), name)
        return function


FORMATS = (
    Format("NumPy array", (".npy",), "arrays", writes=True),
    Format("NumPy archive", (".npz",), "arrays", writes=True),
    Format("MATLAB", (".mat",), "matlab", writes=True),
    Format("HDF5", (".h5", ".hdf5", ".he5"), "hdf5", writes=True),
    Format("netCDF", (".nc", ".nc4", ".cdf"), "netcdf"),
    Format("OME-Zarr", (".ome.zarr",), "omezarr", writes=True),
    Format("Zarr", (".zarr",), "zarr", writes=True),
    Format("ENVI", (".hdr", ".bsq", ".bil", ".bip", ".dat", ".raw", ".img"), "envi", writes=True),
    Format("OME-TIFF", (".ome.tif", ".ome.tiff"), "tiff", writes=True),
    Format("TIFF", (".tif", ".tiff", ".lsm"), "tiff"),
    Format("Renishaw WiRE", (".wdf",), "renishaw"),
    Format("text", (".csv", ".txt", ".tsv", ".asc"), "text", writes=True),
    Format("JCAMP-DX", (".jdx", ".dx", ".jcm"), "spectra"),
    Format("Galactic SPC", (".spc",), "spectra"),
    Format("Bruker OPUS", tuple(f".{number}" for number in range(10)), "vendor"),
    Format("imzML", (".imzml",), "vendor"),
    Format("a vendor's format", (".dm3", ".dm4", ".tvf", ".bcf", ".spx", ".hspy", ".emd", ".msa", ".sur", ".pro", ".xml"), "vendor"),
)
"""Told by the longest suffix that fits."""


def format_of(path: str | Path) -> Format:
    """Return the format that `path`'s suffix names, or raise ValueError listing those known."""
    name = Path(path).name.lower()
    fitting = [(len(suffix), known) for known in FORMATS for suffix in known.suffixes if name.endswith(suffix)]
    if fitting:
        return max(fitting, key=lambda pair: pair[0])[1]
    suffix = Path(path).suffix.lower()
    suffixes = {suffix for known in FORMATS for suffix in known.suffixes}
    raise ValueError(f"{path}: no reader for {suffix or 'a name without a suffix'!r}; {listed(suffixes, suffix)}")


def read(path: str | Path, *, dataset: str | None = None, axis: SpectralAxis | None = None, spectral: int | None = None) -> Cube:
    """Open a spectral file as a cube, λ last, lazily where the format allows; a single spectrum as a set of one.

    Parameters
    ----------
    path : str or Path
        NumPy ``.npy``/``.npz``, MATLAB ``.mat`` (v5 and v7.3), HDF5, netCDF, Zarr and OME-Zarr, ENVI ``.hdr``, TIFF, ImageJ,
        OME-TIFF and Zeiss LSM, Renishaw ``.wdf``, text and CSV, JCAMP-DX, SPC; with the ``formats`` extra Bruker OPUS,
        imzML and what RosettaSciIO reads.
    dataset : str, optional
        Which array of a container; see `inspect`.
    axis : SpectralAxis, optional
        Band positions, where the file gives none.
    spectral : int, optional
        Which dimension of the array, as it lies in the file, holds the bands; for files that do not say.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    UnreadableError (a ValueError)
        If the file is truncated, foreign, hostile, holds several arrays and none is named, or holds no cube.

    Warns
    -----
    SpectralWarning
        If the file does not say which dimension is spectral, or the unit of its positions.
    """
    path = Path(path)
    found: RawArray = _guarded(path, _existing(path), "read", dataset=dataset)
    if len(found.data.shape) == 1:  # one spectrum is a set of one
        found = replace(found, data=found.data[None, :], spectral=-1, sure=True)
    dimensions = len(found.data.shape)
    if spectral is not None and not -dimensions <= spectral < dimensions:
        raise ValueError(f"{path}: its array has {dimensions} dimensions; choose spectral from 0 to {dimensions - 1}, not {spectral}")
    place = (found.spectral if spectral is None else spectral) % dimensions
    if spectral is None and not found.sure:
        lengths = ", ".join(f"{number}: {length}" for number, length in enumerate(found.data.shape))
        warn(path, f"it does not say which dimension holds the bands; {place} is taken. If that is wrong give spectral= one of {lengths}")
    known = found.axis if place == found.spectral % dimensions else None
    plain = dataset is None and axis is None and spectral is None
    try:
        return Cube(
            as_cube(found.data, position=place).data,
            axis if axis is not None else known,  # type: ignore[arg-type]
            pixel_size=found.pixel_size,
            pixel_unit=found.pixel_unit,
            name=found.name or _stem(path),
            source=path if plain else None,  # another process that is told the path alone would read something else
            metadata=found.metadata,
        )
    except ValueError as error:
        raise UnreadableError(f"{path}: cannot be read as a cube: {error}") from error


def inspect(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays a file holds, as ``{name: shape}``, without reading their values."""
    path = Path(path)
    arrays: dict[str, tuple[int, ...]] = _guarded(path, _existing(path), "inspect")
    return arrays


def pictures(path: str | Path) -> list[Picture]:
    """Return the ordinary pictures a spectral file carries (the white-light view of a Renishaw map); often none."""
    path = Path(path)
    known = _existing(path)
    if not hasattr(import_module(f"napari_spectrai.io.{known.module}"), "pictures"):
        return []
    found: list[Picture] = _guarded(path, known, "pictures")
    return found


def write(cube: Any, path: str | Path) -> Path:
    """Write a cube, an array or a napari layer to `path`, in the format of its suffix; reading it back gives an equal cube.

    The file appears whole or not at all: it is written beside its place and renamed.
    """
    path = Path(path)
    known = format_of(path)
    if not known.writes:
        writable = {suffix for f in FORMATS if f.writes for suffix in f.suffixes}
        raise ValueError(f"{path}: {known.name} files are read, not written; {listed(writable)}")
    whole = as_cube(cube)
    raw = known.module in ("envi", "hdf5") or path.suffix.lower() == ".npy"
    with replacing(path, needs=whole.data.nbytes if raw else 0) as temporary:
        known.function("write")(whole, temporary)
    return path


def _existing(path: Path) -> Format:
    recover(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return format_of(path)


def _stem(path: Path) -> str:
    name = path.name.lower()
    return path.name[: -max(len(suffix) for suffix in format_of(path).suffixes if name.endswith(suffix))]


def _guarded(path: Path, known: Format, function: str, **options: Any) -> Any:
    """Call a reader; whatever a library raises on a broken file becomes one error that names file and reason."""
    reader = known.function(function)
    try:
        with np.errstate(all="ignore"):
            return reader(path, **options)
    except (PermissionError, UnreadableError, ModuleNotFoundError, SpectralWarning):
        raise
    except Exception as error:  # libraries raise anything from KeyError to zlib.error on broken bytes, and MemoryError on a false size
        reason = str(error) or type(error).__name__
        raise UnreadableError(f"{path}: cannot be read as {known.name}: {reason}") from error
