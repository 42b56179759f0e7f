"""Files of several spectra, each with its own positions: read as one set where these agree, else one is chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import RawArray, SeveralArraysError, positions, warn
from napari_spectrai.io.table_results import is_auxiliary
from napari_spectrai.remedies import where
from napari_spectrai.spec import listed
from napari_spectrai.units import quantity_of, unit_of

ALL = "all spectra"
"""Name of the set of all spectra of a file, where they share their positions."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One spectrum of a file.

    Parameters
    ----------
    name : unique in the file
    positions, values : arrays of shape (bands,)
    unit : as written in the file
    title : as in the file
    """

    name: str
    positions: npt.NDArray[np.float64]
    values: npt.NDArray[Any]
    unit: str = ""
    title: str = ""


def alike(spectra: Sequence[Spectrum]) -> bool:
    """Whether all lie at the same positions."""
    first = spectra[0].positions
    return all(one.positions is first or np.array_equal(one.positions, first) for one in spectra[1:])


def inspected(spectra: Sequence[Spectrum]) -> dict[str, tuple[int, ...]]:
    """Return the spectra and their lengths, first the set of all where they share their positions."""
    lengths: dict[str, tuple[int, ...]] = {one.name: (len(one.values),) for one in spectra}
    return {ALL: (len(spectra), len(spectra[0].values)), **lengths} if len(spectra) > 1 and alike(spectra) else lengths


def chosen(path: Path, spectra: Sequence[Spectrum], dataset: str | None) -> RawArray:
    """Return all spectra as a set, or the requested one.

    Raises
    ------
    ValueError
        If they lie at different positions and none is requested, or the requested one does not exist.
    """
    if dataset is not None and dataset != ALL:
        spectra = [one for one in spectra if one.name == dataset] or _unknown(spectra, dataset)
    if not alike(spectra):
        names = ", ".join(one.name for one in spectra[:_SHOWN]) + (f" and {len(spectra) - _SHOWN} more" if len(spectra) > _SHOWN else "")
        raise SeveralArraysError(f"its {len(spectra)} spectra ({names}) lie at different positions; choose one {where('dataset')}")
    first = spectra[0]
    if len(first.positions) != len(first.values):
        raise ValueError(f"it gives {len(first.positions)} positions for {len(first.values)} intensities; it is truncated")
    name = first.name if len(spectra) == 1 else ALL
    data = np.stack([one.values for one in spectra])
    is_quantity = quantity_of(first.unit) != "" and unit_of(first.unit) is None
    axis = positions(path, first.positions, "" if is_quantity else first.unit, quantity=first.unit if is_quantity else "")
    return RawArray(data, axis=axis, name=first.title if len(spectra) == 1 else "", dataset=name)


def of_sample(path: Path, spectra: Sequence[Spectrum]) -> Sequence[Spectrum]:
    """Return the spectra of the sample, without dark and reference spectra next to them, with a warning."""
    kept = [one for one in spectra if not is_auxiliary(one.title)]
    if not kept or len(kept) == len(spectra):
        return spectra
    left = ", ".join(one.name for one in spectra if is_auxiliary(one.title))
    warn(path, f"{', '.join(one.name for one in kept)} is read, and not {left}; choose another {where('dataset')}")
    return kept


def _unknown(spectra: Sequence[Spectrum], dataset: str) -> Sequence[Spectrum]:
    names = [one.name for one in spectra]
    shown = listed(names, dataset) if len(names) <= _SHOWN else f"it holds {len(names)}, {names[0]!r} to {names[-1]!r}"
    raise ValueError(f"there is no spectrum {dataset!r} in it; {shown}")
