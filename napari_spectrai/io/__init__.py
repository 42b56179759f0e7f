"""Files in and out: ``read(path) -> Cube``, ``write(cube, path)``, ``inspect(path)``, over a table of formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import replacing
from napari_spectrai.spec import listed


@dataclass(frozen=True, slots=True)
class Format:
    """One family of files: how it is told, and the module of `napari_spectrai.io` that knows it."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    writes: bool = True

    def function(self, name: str) -> Callable[..., Any]:
        """Import the module's `name` (``read``, ``write`` or ``inspect``)."""
        function: Callable[..., Any] = getattr(import_module(f"napari_spectrai.io.{self.module}"), name)
        return function


FORMATS = (
    Format("NumPy array", (".npy",), "arrays"),
    Format("NumPy archive", (".npz",), "arrays"),
    Format("MATLAB", (".mat",), "matlab"),
    Format("HDF5", (".h5", ".hdf5", ".he5"), "hdf5"),
    Format("Zarr", (".zarr",), "zarr"),
)


class UnreadableError(ValueError):
    """A file that cannot be read as what it claims to be; names the file and the reason."""


def format_of(path: str | Path) -> Format:
    """Return the format that `path`'s suffix names, or raise ValueError listing those known."""
    suffix = Path(path).suffix.lower()
    for known in FORMATS:
        if suffix in known.suffixes:
            return known
    suffixes = {suffix for known in FORMATS for suffix in known.suffixes}
    raise ValueError(f"{path}: no reader for {suffix or 'a name without a suffix'!r}; {listed(suffixes, suffix)}")


def read(path: str | Path, *, dataset: str | None = None, axis: SpectralAxis | None = None) -> Cube:
    """Open a spectral file as a cube, λ last, lazily where the format allows.

    Parameters
    ----------
    path : str or Path
        NumPy ``.npy``/``.npz``, MATLAB ``.mat`` (v5 and v7.3), HDF5 or Zarr.
    dataset : str, optional
        Which array of a container; see `inspect`.
    axis : SpectralAxis, optional
        Band positions, where the file gives none.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file is truncated, foreign, holds several arrays and none is named, or holds no cube.
    """
    path = Path(path)
    known = _existing(path)
    cube: Cube = _guarded(path, known, "read", dataset=dataset, axis=axis)
    # another process that is told the path alone would read something else
    return cube if dataset is None and axis is None else replace(cube, source=None)


def inspect(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays a file holds, as ``{name: shape}``, without reading their values."""
    path = Path(path)
    known = _existing(path)
    arrays: dict[str, tuple[int, ...]] = _guarded(path, known, "inspect")
    return arrays


def write(cube: Cube, path: str | Path) -> Path:
    """Write `cube` to `path`, in the format of its suffix; reading it back gives an equal cube.

    The file appears whole or not at all: it is written beside its place and renamed.
    """
    path = Path(path)
    known = format_of(path)
    if not known.writes:
        writable = {suffix for f in FORMATS if f.writes for suffix in f.suffixes}
        raise ValueError(f"{known.name} files are read, not written; {listed(writable)}")
    with replacing(path) as temporary:
        known.function("write")(cube, temporary)
    return path


def _existing(path: Path) -> Format:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return format_of(path)


def _guarded(path: Path, known: Format, function: str, **options: Any) -> Any:
    """Call a reader; whatever a library raises on a broken file becomes one error that names file and reason."""
    try:
        return known.function(function)(path, **options)
    except (MemoryError, PermissionError, UnreadableError):
        raise
    except Exception as error:  # libraries raise anything from KeyError to zlib.error on broken bytes
        raise UnreadableError(f"{path}: cannot be read as {known.name}: {error or type(error).__name__}") from error
