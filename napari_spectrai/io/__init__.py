"""Files in and out: ``read(path) -> Cube``, ``write(cube, path)``, ``inspect(path)``, over a table of formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import recover, replacing
from napari_spectrai.io.columns import Column
from napari_spectrai.io.formats import FORMATS, Format, format_of, writer_of
from napari_spectrai.io.found import Picture, RawArray, UnreadableError, one_line, warn
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.spec import listed

__all__ = [
    "FORMATS", "Column", "Format", "Picture", "SpectralWarning", "UnreadableError", "columns_of", "format_of", "inspect", "pictures",
    "read", "write", "writer_of",
]  # fmt: skip


def read(
    path: str | Path,
    *,
    dataset: str | None = None,
    axis: SpectralAxis | None = None,
    spectral: int | None = None,
    columns: Mapping[str | int, str] | None = None,
    shape: tuple[int, int] | None = None,
) -> Cube:
    """Open a spectral file as a cube, bands last, lazily where the format allows; a single spectrum as a set of one.

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
        Which dimension of the array, as stored in the file, holds the bands; for files that do not say.
    columns : mapping, optional
        What columns of a text table are, by their titles or their numbers from 0: ``"position"``, ``"intensity"``, ``"x"``, ``"y"``,
        ``"z"``, ``"time"``, ``"index"``, ``"label"`` or ``"ignored"``; see `columns_of`. Those that are not named are guessed.
    shape : (int, int), optional
        Height and width of the image whose pixels a file lists one after another; row by row, but for MATLAB's column by column.

    Returns
    -------
    Cube
        Read when it is needed, where the format allows it.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    UnreadableError (a ValueError)
        If the file is truncated, of another format or malicious, holds several arrays of which none is named, or holds no cube.

    Warns
    -----
    SpectralWarning
        If the file does not say which dimension is spectral, or the unit of its positions.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> path = spectrai.write(spectrai.sample("cartilage").cube, "map.h5")
    >>> spectrai.read(path)
    Cube(Cartilage: 25 × 35 × 300 float32, 300 bands, 602–1798 1/cm)
    """
    path = Path(path)
    known = _existing(path)
    if known.module == "zarr" and dataset is None and _has_ome_metadata(path):
        known = format_of("image.ome.zarr")
    if columns and known.module != "text":
        raise ValueError(f"{path}: columns= is for text tables, and this is read as {known.name}; choose an array with dataset=")
    found: RawArray = _guarded(path, known, "read", dataset=dataset, **({"columns": columns} if columns else {}))
    if len(found.data.shape) == 1:  # one spectrum is a set of one
        found = replace(found, data=found.data[None, :], spectral=-1, sure=True)
    dimensions = len(found.data.shape)
    if shape is not None and spectral is None:
        spectral = _spectral_of_pixels(path, found, shape)
    if spectral is not None and not -dimensions <= spectral < dimensions:
        raise ValueError(f"{path}: its array has {dimensions} dimensions; choose spectral from 0 to {dimensions - 1}, not {spectral}")
    place = (found.spectral if spectral is None else spectral) % dimensions
    if spectral is None and not found.sure:
        lengths = ", ".join(f"{number}: {length}" for number, length in enumerate(found.data.shape))
        warn(path, f"it does not say which dimension holds the bands; {place} is taken. If that is wrong give spectral= one of {lengths}")
    positions = found.axis if place == found.spectral % dimensions or (found.axis and shape) else None
    plain = dataset is None and axis is None and spectral is None and not columns and shape is None
    try:
        return Cube(
            _folded(path, as_cube(found.data, position=place).data, shape, by_columns=found.by_columns),
            axis if axis is not None else positions,  # type: ignore[arg-type]
            pixel_size=found.pixel_size,
            pixel_unit=found.pixel_unit,
            name=found.name or _stem(path),
            source=path if plain else None,  # another process that is given the path alone would read something else
            metadata=found.metadata,
        )
    except ValueError as error:
        raise UnreadableError(f"{path}: cannot be read as a cube: {error}") from error


def _spectral_of_pixels(path: Path, found: RawArray, shape: tuple[int, int]) -> int:
    """Return the dimension of the bands in an array of pixels one after another: the one that is not as long as the image has pixels."""
    lengths, count = tuple(found.data.shape), shape[0] * shape[1]
    if len(lengths) != 2 or count not in lengths:
        raise ValueError(
            f"{path}: an image of {shape[0]} × {shape[1]} has {count} pixels, and its array is {' × '.join(map(str, lengths))}; "
            "give shape=(height, width) of an array of two dimensions, one of which counts pixels"
        )
    return found.spectral % 2 if lengths[0] == lengths[1] else 1 - lengths.index(count)


def _folded(path: Path, data: Any, shape: tuple[int, int] | None, *, by_columns: bool) -> Any:
    """Return an array (pixels, bands) as an image; a view where memory allows."""
    if shape is None:
        return data
    height, width = shape
    if len(data.shape) != 2 or data.shape[0] != height * width:
        raise ValueError(f"{path}: its {data.shape[0]} pixels are not those of an image of {height} × {width}; give another shape=")
    return data.reshape(width, height, -1).transpose(1, 0, 2) if by_columns else data.reshape(height, width, -1)


def columns_of(path: str | Path) -> list[Column]:
    """Return the columns of a text table with the roles that `read` would give them; none for other formats."""
    path = Path(path)
    known = _existing(path)
    if known.module != "text":
        return []
    found: list[Column] = _guarded(path, known, "columns")
    return found


def inspect(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays that a file holds, without reading their values.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to tuple of int
        Names, which `read` takes as `dataset`, and shapes.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    UnreadableError (a ValueError)
        If the file cannot be read.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> path = spectrai.write(spectrai.sample("cartilage").cube, "map.h5")
    >>> (25, 35, 300) in spectrai.inspect(path).values()
    True
    """
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
    """Write a cube, in the format of the suffix; reading it back gives an equal cube.

    The file is written atomically: to a temporary name, which is then renamed.

    Parameters
    ----------
    cube : Cube, array, napari layer, or anything else that `as_cube` takes
    path : str or Path
        Its suffix chooses the format: ``.zarr``, ``.ome.zarr``, ``.h5``, ``.npz``, ``.npy``, ``.hdr`` (ENVI), ``.mat``, ``.ome.tif`` or
        ``.csv``. A file that is there already is replaced.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the format cannot be written.
    OSError
        If the disk is full or the folder cannot be written; what `path` held before is untouched.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> spectrai.write(spectrai.sample("cartilage").cube, "map.zarr").name
    'map.zarr'
    """
    path = Path(path)
    known = writer_of(path)
    if not known.writes:
        writable = {suffix for f in FORMATS if f.writes for suffix in f.suffixes}
        raise ValueError(f"{path}: {known.name} files are read, not written; {listed(writable)}")
    whole = as_cube(cube)
    raw = known.module in ("envi", "hdf5") or path.suffix.lower() == ".npy"
    with replacing(path, needs=whole.data.nbytes if raw else 0) as temporary:
        known.function("write")(whole, temporary)
    return path


def _has_ome_metadata(path: Path) -> bool:
    from napari_spectrai.io.zarr_arrays import multiscales

    try:
        return bool(multiscales(path))
    except Exception:  # noqa: BLE001  # whatever zarr raises on a broken store; the reader reports it
        return False


def _existing(path: Path) -> Format:
    recover(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return format_of(path)


def _stem(path: Path) -> str:
    name = path.name.lower()
    return path.name[
        : -max((len(suffix) for suffix in format_of(path).suffixes if name.endswith(suffix)), default=len(path.suffix)) or None
    ]


def _guarded(path: Path, known: Format, function: str, **options: Any) -> Any:
    """Call a reader; whatever a library raises on a broken file becomes one error that names file and reason."""
    reader = known.function(function)
    try:
        with np.errstate(all="ignore"):
            return reader(path, **options)
    except (PermissionError, UnreadableError, ModuleNotFoundError, SpectralWarning):
        raise
    except Exception as error:  # libraries raise anything from KeyError to zlib.error on broken bytes, and MemoryError on a false size
        reason = one_line(error)
        raise UnreadableError(f"{path}: cannot be read as {known.name}: {reason}") from error
