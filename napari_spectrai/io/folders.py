"""Folders of spectral files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_spectrai.io.agilent_files import is_entry
from napari_spectrai.io.band_images import numbered
from napari_spectrai.io.formats import format_of

_HEADERS = {"ENVI": (".hdr",), "Ripple": (".rpl",)}
"""Which file of a pair is the one in a list."""


def stem(path: Path) -> str:
    """Return the name of a file without the suffix of its format."""
    name = path.name.lower()
    try:
        suffixes = [suffix for suffix in format_of(path).suffixes if name.endswith(suffix)]
    except ValueError:  # a table in a text with another suffix
        return path.stem
    return path.name[: -max(map(len, suffixes))] if suffixes else path.name


def results_of(files: Sequence[Path], folder: Path, suffix: str = "") -> list[Path]:
    """Return the place of the result of each file: in `folder`, named after the file.

    Raises
    ------
    ValueError
        If there are no files, or two of them have the same name without their suffixes.
    """
    if not files:
        raise ValueError("there is no spectral file in the input folder; choose another one")
    places = [folder / f"{stem(path)}{suffix}" for path in files]
    twice = next((place.name for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ValueError(f"two files would both be saved as {twice}; give them in separate folders")
    return places


def spectral_files(folder: Path) -> list[Path]:
    """Return the readable files of a folder, sorted by name; of an ENVI pair, the header, of an image of tiles, the list."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            known = format_of(path)
        except ValueError:
            continue
        suffix = path.suffix.lower()
        is_store = suffix in (".zarr", ".zspy") or known.module == "band_images"
        if (path.is_dir() and not is_store) or suffix not in _HEADERS.get(known.name, (suffix,)):
            continue
        if known.module == "agilent" and not is_entry(path):
            continue
        found.append(path)
    return found


def is_folder_of_files(path: Path, *, axis: object = None) -> bool:
    """Whether a path is a folder of files, and not a format that is a folder, such as Zarr.

    With an `axis`, images that are numbered without a unit are the bands of one.
    """
    if not path.is_dir() or (axis is not None and numbered(path)):
        return False
    try:
        format_of(path)
    except ValueError:
        return True
    return False
