"""Files in and out: ``read(path) -> Cube``, ``write(cube, path)``, ``inspect(path)``, over a table of formats."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import local, replacing
from napari_spectrai.io.columns import Column
from napari_spectrai.io.formats import FORMATS, Format, format_of, writer_of
from napari_spectrai.io.found import Picture, SeveralArraysError, UnreadableError
from napari_spectrai.io.reading import existing, guarded, opened
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.spec import listed

__all__ = [
    "FORMATS", "Column", "Format", "Picture", "SeveralArraysError", "SpectralWarning", "UnreadableError", "columns_of", "format_of",
    "inspect", "pictures", "read", "write", "writer_of",
]  # fmt: skip


def read(
    path: str | Path,
    *,
    dataset: str | None = None,
    axis: SpectralAxis | str | None = None,
    spectral: int | None = None,
    columns: Mapping[str | int, str] | None = None,
    shape: tuple[int, int] | None = None,
) -> Cube:
    """Open a spectral file as a cube, bands last, lazily where the format allows; a single spectrum as a set of one.

    Parameters
    ----------
    path : str or Path
        NumPy ``.npy``/``.npz``, MATLAB ``.mat`` (v5 and v7.3), HDF5, netCDF, Zarr and OME-Zarr, ENVI ``.hdr``, TIFF, ImageJ,
        OME-TIFF and Zeiss LSM, Renishaw ``.wdf``, text and CSV, JCAMP-DX, SPC, Bruker OPUS, imzML, and others; with the ``formats``
        extra what RosettaSciIO reads.
    dataset : str, optional
        Which array of a container; see `inspect`.
    axis : SpectralAxis or str, optional
        Band positions, where the file gives none; or the unit of those it gives, such as ``"nm"``; or evenly spaced positions as
        ``"400:700:nm"``.
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
        If the file is truncated, of another format or malicious, or holds no cube.
    SeveralArraysError (an UnreadableError)
        If the file holds several arrays, none of which is plainly the cube, and `dataset` is not given.

    Warns
    -----
    SpectralWarning
        If the file does not say which dimension is spectral, the unit of its positions, or which of its arrays is the cube.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> path = spectrai.write(spectrai.sample("cartilage").cube, "map.h5")
    >>> spectrai.read(path)
    Cube(Cartilage: 25 × 35 × 300 float32, 300 bands, 602–1798 1/cm)
    """
    return opened(path, dataset=dataset, axis=axis, spectral=spectral, columns=columns, shape=shape).cube


def columns_of(path: str | Path) -> list[Column]:
    """Return the columns of a text table with the roles that `read` would give them; none for other formats."""
    path = local(path)
    known = existing(path)
    if known.module != "text":
        return []
    found: list[Column] = guarded(path, known, "columns")
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
    path = local(path)
    arrays: dict[str, tuple[int, ...]] = guarded(path, existing(path), "inspect")
    return arrays


def pictures(path: str | Path) -> list[Picture]:
    """Return the ordinary pictures a spectral file carries (the white-light view of a Renishaw map); often none."""
    path = local(path)
    known = existing(path)
    if not hasattr(import_module(f"napari_spectrai.io.{known.module}"), "pictures"):
        return []
    found: list[Picture] = guarded(path, known, "pictures")
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
    path = local(path)
    known = writer_of(path)
    if not known.writes:
        writable = {suffix for f in FORMATS if f.writes for suffix in f.suffixes}
        raise ValueError(f"{path}: {known.name} files are read, not written; {listed(writable)}")
    whole = as_cube(cube)
    raw = known.module in ("envi", "hdf5") or path.suffix.lower() == ".npy"
    size = whole.data.nbytes
    with replacing(path, needs=size if raw else 0, at_most=0 if raw else size) as temporary:
        known.function("write")(whole, temporary)
    return path
