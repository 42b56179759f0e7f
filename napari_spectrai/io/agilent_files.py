"""The files that one image of Agilent's focal-plane arrays consists of, whichever of them is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".seq", ".dat", ".bsp", ".dmt", ".dmd", ".dms", ".drd")
_TILE = re.compile(r"(.*)_(\d{4})_(\d{4})", re.DOTALL)
_PARAMETERS = {"mosaic": ".dmt", "single": ".bsp"}


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an image.

    Parameters
    ----------
    base : their common path, without suffixes and numbers of tiles
    parameters : the file that describes the spectra
    spectra, interferograms : files of values by the (row, column) of their tile
    """

    base: Path
    parameters: Path
    spectra: dict[tuple[int, int], Path] = field(default_factory=dict)
    interferograms: dict[tuple[int, int], Path] = field(default_factory=dict)


def files_of(path: Path) -> Files:
    """Return the files of the image that one of them belongs to; names are compared without regard to case, as the instrument mixes it.

    Raises
    ------
    FileNotFoundError
        If the file of parameters is missing.
    """
    tiled = _TILE.fullmatch(path.stem) if path.suffix.lower() in (".dmd", ".drd") else None
    stem = (tiled.group(1) if tiled else path.stem).casefold()
    siblings = _siblings(path.parent, stem)
    mosaic = path.suffix.lower() in (".dmt", ".dmd", ".dms", ".drd") or (stem + ".bsp" not in siblings and stem + ".dmt" in siblings)
    wanted = _PARAMETERS["mosaic" if mosaic else "single"]
    parameters = siblings.get(stem + wanted)
    if parameters is None:
        raise FileNotFoundError(f"{path.stem}{wanted} with its parameters is missing next to it")
    base = path.with_name(tiled.group(1) if tiled else path.stem)
    if not mosaic:
        single = {suffix: siblings[stem + suffix] for suffix in (".dat", ".seq") if stem + suffix in siblings}
        return Files(base, parameters, *({(0, 0): single[suffix]} if suffix in single else {} for suffix in (".dat", ".seq")))
    return Files(base, parameters, _tiles(siblings, stem, ".dmd"), _tiles(siblings, stem, ".drd"))


def is_image(path: Path) -> bool:
    """Whether a file belongs to such an image: its file of parameters lies next to it."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        files_of(path)
    except OSError:
        return False
    return True


def is_entry(path: Path) -> bool:
    """Whether a file is the one that stands for its image in a list of files: the mosaic's ``.dmt``, else ``.seq``, else ``.dat``."""
    suffix = path.suffix.lower()
    if suffix == ".dmt":
        return True
    others = _siblings(path.parent, path.stem.casefold())
    return suffix in (".seq", ".dat") and not (suffix == ".dat" and path.stem.casefold() + ".seq" in others)


def _siblings(folder: Path, stem: str) -> dict[str, Path]:
    """Return the files whose names start with a stem, by their names in lower case."""
    return {other.name.casefold(): other for other in folder.iterdir() if other.name.casefold().startswith(stem) and other.is_file()}


def _tiles(siblings: dict[str, Path], stem: str, suffix: str) -> dict[tuple[int, int], Path]:
    """Return the tiles of a mosaic by row and column; their names give column and row."""
    found: dict[tuple[int, int], Path] = {}
    for name, path in siblings.items():
        match = _TILE.fullmatch(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if match is not None and match.group(1) == stem:
            found[int(match.group(3)), int(match.group(2))] = path
    return found
