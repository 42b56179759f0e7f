"""Given spectra: from a cube, a layer or files, with names, on the bands of another cube."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.io import format_of, read
from napari_spectrai.mapping.blocks import Bands, window
from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.preparation.axis import in_unit
from napari_spectrai.spectral_axis import SpectralAxis

NAMES = "names"
"""Key of a cube's metadata: the names of its spectra."""
LABELS = "labels"
"""Key under which readers keep the name that a file gives each of its spectra."""
_COARSE = 1.5
"""Distance of the positions of references, in those of the cube, above which the loss by interpolation is reported."""


def _given(value: Any) -> Cube | Path:
    """Return references as a cube, or the path of a file or folder that holds them."""
    if isinstance(value, str | Path):
        return Path(value)
    if value is None:
        raise ValueError("reference spectra are missing; give a cube of shape (spectra, bands), a layer, a file or a folder")
    return as_cube(value)


References = Annotated[Any, BeforeValidator(_given), Field(description="given spectra: a cube (spectra, bands), or a file or folder")]


@dataclass(frozen=True, slots=True)
class Library:
    """Spectra with names, in one or more cubes that each have an axis of their own."""

    cubes: tuple[Cube, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, references: Cube | Path, most: int) -> Library:
        """Return the spectra of a cube, a file, or all spectral files of a folder.

        Raises
        ------
        FileNotFoundError
            If there is nothing at the path.
        ValueError
            If there are more than `most` spectra, or none.
        """
        if isinstance(references, Cube):
            cubes = [references]
        elif references.is_dir() and not _is_store(references):
            cubes = [_opened(path) for path in sorted(references.iterdir()) if _is_spectral(path)]
            if not cubes:
                raise ValueError(f"{references} holds no spectral files; give a folder of JCAMP-DX, SPC, CSV or text files")
        else:
            cubes = [_opened(references)]
        flat = tuple(replace(cube, data=cube.numpy().reshape(-1, len(cube.axis)), metadata=dict(cube.metadata)) for cube in cubes)
        count = sum(len(cube.data) for cube in flat)
        if count > most:
            raise ValueError(f"the references hold {count:,} spectra, and at most {most:,} are accepted; choose some of them")
        return cls(flat, tuple(_named(cubes, flat)))

    def on(self, axis: SpectralAxis, low: float | None, high: float | None) -> tuple[Bands, Doubles]:
        """Return the bands of an axis that all references cover, and the references there (k, bands), linearly interpolated.

        Raises
        ------
        ValueError
            If an axis has another unit, or fewer than two bands are covered by all.
        """
        bands = window(axis, low, high, least=2, what="a comparison")
        parts = [onto(cube, axis, bands) for cube in self.cubes]
        spectra = np.concatenate(parts)
        known = np.isfinite(spectra).all(0)
        if known.sum() < 2:
            gone = [name for name, one in zip(self.names, spectra, strict=True) if not np.isfinite(one).any()]
            which = f"{', '.join(gone[:3])} holds no values there" if gone else "they have no range in common"
            raise ValueError(f"the references cover {int(known.sum())} of the bands of the cube ({axis.describe()}): {which}")
        return bands[known], spectra[:, known]

    def remarks(self, axis: SpectralAxis, bands: Bands) -> tuple[str, ...]:
        """Return what was assumed about the positions of the references, or is lost in interpolation, at some bands of an axis."""
        found = []
        unknown = [cube for cube in self.cubes if not (cube.axis.unit and axis.unit)]
        if unknown:
            whose = "the cube" if not axis.unit else "a reference" if len(unknown) < len(self.cubes) else "the references"
            found.append(f"The positions of {whose} are not known: bands were compared by their number.")
        for cube in self.cubes:
            own = None if cube in unknown else in_unit(cube.axis, axis.unit)
            if own is not None and _spacing(own.values) > _COARSE * _spacing(axis.values[bands]):
                found.append(
                    f"The references are sampled at {_spacing(own.values):.3g} {axis.unit}, more coarsely than the cube "
                    f"({_spacing(axis.values[bands]):.3g} {axis.unit}): between their positions they were interpolated linearly."
                )
                break
        return tuple(found)


def _spacing(positions: Doubles) -> float:
    """Return the median distance of positions; 0 if there are fewer than two."""
    return float(np.median(np.diff(np.sort(positions)))) if len(positions) > 1 else 0.0


def onto(cube: Cube, axis: SpectralAxis, bands: Bands) -> Doubles:
    """Return spectra (k, L') interpolated at some bands of another axis, NaN outside what was measured.

    Raises
    ------
    ValueError
        If the units cannot be compared.
    """
    values = np.asarray(cube.data, np.float64).reshape(-1, len(cube.axis))
    own = in_unit(cube.axis, axis.unit)
    if own is None or not axis.unit:
        if len(cube.axis) == len(axis) and not (cube.axis.unit and axis.unit):
            return values[:, bands]  # band by band, where either has no positions
        raise ValueError(
            f"the references are in {cube.axis.unit or 'band numbers'} ({cube.axis.describe()}) and the cube is in "
            f"{axis.unit or 'band numbers'} ({axis.describe()}); convert the axis of one of them"
        )
    order = np.argsort(own.values, kind="stable")
    positions, values = own.values[order], values[:, order]
    wanted = axis.values[bands]
    room = 0.01 * float(np.median(np.abs(np.diff(positions)))) if len(positions) > 1 else 0.0
    right = np.clip(np.searchsorted(positions, wanted), 1, max(len(positions) - 1, 1))
    right, left = np.minimum(right, len(positions) - 1), np.minimum(right - 1, len(positions) - 1)
    span = positions[right] - positions[left]
    weight = np.clip(np.where(span > 0, (wanted - positions[left]) / np.where(span > 0, span, 1), 0), 0, 1)
    found = values[:, left] * (1 - weight) + values[:, right] * weight
    found[:, (wanted < positions[0] - room) | (wanted > positions[-1] + room)] = np.nan
    return np.asarray(found)


def _opened(path: Path) -> Cube:
    """Read spectra; in a table of several, their names are those of the columns."""
    cube = read(path)
    if cube.count == 1 or path.suffix.lower() not in (".csv", ".txt", ".tsv") or NAMES in cube.metadata or cube.is_image:
        return cube
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        cells = next((line for line in file if not line.startswith("#")), "").strip()
    names = [cell.strip().strip('"') for cell in re.split(r"[,;\t]", cells)][1:]
    if len(names) != cube.count or any(_is_number(name) for name in names):
        return cube
    return replace(cube, metadata={**cube.metadata, NAMES: names})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_store(path: Path) -> bool:
    return path.suffix == ".zarr"


def _is_spectral(path: Path) -> bool:
    if path.name.startswith(".") or (path.is_dir() and not _is_store(path)):
        return False
    try:
        format_of(path)
    except ValueError:
        return False
    return True


def _named(cubes: list[Cube], flat: tuple[Cube, ...]) -> Iterator[str]:
    """Yield a name for each spectrum: those that a cube gives, or its file, else its own name, numbered where it holds several."""
    used: dict[str, int] = {}
    for cube, spectra in zip(cubes, flat, strict=True):
        count = len(spectra.data)
        own = cube.name or "reference"
        names = [own] if count == 1 else [f"{own} {number + 1}" for number in range(count)]
        given = next((cube.metadata[key] for key in (NAMES, LABELS) if len(cube.metadata.get(key, ())) == count), None)
        if given is not None:
            names = [str(name).strip() or other for name, other in zip(given, names, strict=True)]
        for name in names:
            used[name] = used.get(name, 0) + 1
            yield name if used[name] == 1 else f"{name} ({used[name]})"
