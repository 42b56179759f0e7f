"""From cubes and truths to a data set: split, prepared, pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.compatibility import intensities_of
from napari_spectrai.learn.dataset import Dataset
from napari_spectrai.learn.pool import Samples
from napari_spectrai.plan.division import Division, divide, flatters, refuse_empty, wanted_parts
from napari_spectrai.plan.layout import Place, padded
from napari_spectrai.plan.parts import PARTS
from napari_spectrai.plan.split import TRAINING, UNUSED, Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.preparation import Preparation
from napari_spectrai.valid import continued, finite, values_of, without

FITTING_SPECTRA = 200_000
"""Spectra that a step which learns from the training data gets to see; a larger set is thinned to it."""


def assemble(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map] | None = None) -> Dataset:
    """Split, prepare and pool. `maps` (of a resumed run) replaces a new split.

    Raises
    ------
    ValueError
        If no pixel holds data, a part has no samples, or a class none to learn from; with the remedy.
    """
    task = experiment.task
    division = divide(experiment, cubes, truths, maps)
    marked, places = division.marked, division.places
    raw = [values_of(cube).reshape(-1, cube.shape[-1]) for cube in cubes]
    fitting = np.concatenate([_thinned(r[m.ravel() == TRAINING]) for r, m in zip(raw, division.maps, strict=True)])
    if not len(fitting):
        refuse_empty(experiment, division, [], ["training"])
    preparation = Preparation(tuple(experiment.preparation)).fitted(fitting, cubes[0].axis)
    prepared, prepared_axis = _prepared(cubes, raw, preparation, division)
    inputs = _pooled(prepared, places)
    targets, truth_axis = None, prepared_axis
    if marked:
        targets = torch.from_numpy(np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(marked, places, strict=True)]))
    elif truths:
        known = [values_of(t).reshape(-1, t.shape[-1]) for t in truths]  # type: ignore[arg-type]
        sharp, truth_axis = _prepared(truths, known, preparation, division, times=task.enlarges if task.needs_truth else 1)  # type: ignore[arg-type]
        targets = torch.from_numpy(sharp[0] if len(sharp) == 1 else np.concatenate(sharp))
    said = (note for step in experiment.preparation for cube in cubes for note in step.notes(cube))
    notes = [*division.notes, *dict.fromkeys(said)]
    if flatters(experiment, cubes):
        notes.append("Neighbouring pixels are split at random: scores will flatter. Use blocks or contiguous for an honest figure.")
    parts = _parts(division)
    refuse_empty(experiment, division, list(parts), wanted_parts(experiment, cubes))
    labels = np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(division.maps, places, strict=True)])
    holds = np.concatenate([padded(d, place, edge=False).ravel() for d, place in zip(division.data, places, strict=True)])
    return Dataset(
        inputs=torch.from_numpy(inputs), truths=targets, parts=parts, preparation=preparation,
        axis=cubes[0].axis, prepared_axis=prepared_axis, truth_axis=truth_axis,
        maps=division.maps, places=places, labels=torch.from_numpy(labels),
        names=[f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes], notes=notes,
        times=task.enlarges if task.needs_truth else 1, shared=division.layout.shared, classes=division.classes, of_images=task.of_images,
        intensities=intensities_of(fitting),
        holds=None if all(d.all() for d in division.data) else torch.from_numpy(holds),
    )  # fmt: skip


def _thinned(spectra: FloatArray) -> FloatArray:
    return spectra if len(spectra) <= FITTING_SPECTRA else spectra[:: -(-len(spectra) // FITTING_SPECTRA)]


def _prepared(
    cubes: Sequence[Cube], raw: Sequence[FloatArray], preparation: Preparation, division: Division, *, times: int = 1
) -> tuple[list[npt.NDArray[np.float32]], SpectralAxis]:
    """Return prepared spectra; in place of what is missing zeros, or in patches the nearest that is known.

    Pixels that become NaN or infinite are taken out of `division`.

    Raises
    ------
    ValueError
        If all do.
    """
    prepared = []
    axis, lost = cubes[0].axis, 0
    for number, (cube, spectra) in enumerate(zip(cubes, raw, strict=True)):
        known = division.data[number] if times == 1 else division.data[number].repeat(times, 1).repeat(times, 2)
        held = known.ravel()
        seen = without(spectra, held)
        if division.layout.patch > 1:  # what lies beside a missing pixel is to see no hole
            seen = continued(seen, ~held & ~finite(spectra), known.shape)
        result, axis, _ = preparation.apply(seen, cube.axis)
        usable = finite(result)
        gone = held & ~usable
        if gone.all():
            refuse_missing(spectra, cube, "prepared", result, remedy="take the step away that makes them so, or remove those bands before")
        if gone.any():
            lost += int(gone.sum()) // times**2
            _take_out(division, number, gone.reshape(known.shape), times)
        prepared.append(np.ascontiguousarray(without(result, usable), dtype=np.float32))
    if lost:
        division.notes.append(f"{lost:,} spectra become NaN or infinite in the preparation and are left out.")
    return prepared, axis


def _take_out(division: Division, number: int, gone: npt.NDArray[np.bool_], times: int) -> None:
    """Let pixels of a cube belong to no part and no class."""
    z, height, width = division.shapes[number]
    coarse = np.asarray(gone.reshape(z, height, times, width, times).any((2, 4)))
    division.maps[number][coarse] = UNUSED
    division.data[number] &= ~coarse
    if division.marked:
        division.marked[number][coarse] = 0


def _pooled(prepared: Sequence[npt.NDArray[np.float32]], places: Sequence[Place]) -> npt.NDArray[np.float32]:
    flat = [
        padded(spectra.reshape(*place.shape, -1), place, edge=True).reshape(place.size, -1)
        for spectra, place in zip(prepared, places, strict=True)
    ]
    return flat[0] if len(flat) == 1 else np.concatenate(flat)


def refuse_missing(
    spectra: FloatArray,
    cube: Cube,
    side: str,
    prepared: FloatArray | None = None,
    *,
    origin: tuple[int, ...] = (),
    remedy: str = "crop them, or begin the preparation with the step 'fill'",
) -> None:
    """Raise ValueError if spectra (n, λ) of `cube`, once prepared, hold NaN or infinite values: how many, where, the remedy.

    `origin` is where `cube` begins in the image it was cut from.
    """
    bad = ~np.isfinite(spectra if prepared is None else prepared)
    if not bad.any():
        return
    missing = ~np.isfinite(spectra)  # preparation spreads them over the spectrum
    bad = missing if missing.any() else bad
    spectrum, band = np.argwhere(bad)[0]
    pixel = [int(c) for c in np.unravel_index(spectrum, cube.spatial_shape)]
    for place, start in enumerate(origin):
        pixel[place] += start
    raise ValueError(
        f"{side} {cube.name or 'cube'!r} holds {int(bad.sum()):,} NaN or infinite values in {int(bad.any(-1).sum()):,} spectra, "
        f"the first at pixel ({', '.join(map(str, pixel))}), band {band}; {remedy}"
    )


def _parts(division: Division) -> dict[str, Samples]:
    parts: dict[str, Samples] = {}
    patch = division.layout.patch
    for label, name in PARTS.items():
        first, column, row = [], [], []
        for corners, place in zip(division.corners(label), division.places, strict=True):
            height, width = place.padded[1:]
            first.append(place.base + (corners[:, 0] * height + corners[:, 1]) * width + corners[:, 2])
            column.append(corners[:, 2])
            row.append(np.full(len(corners), width))
        firsts, columns, rows = np.concatenate(first), np.concatenate(column), np.concatenate(row)
        if len(firsts):
            parts[name] = Samples(torch.from_numpy(firsts), torch.from_numpy(columns), torch.from_numpy(rows), patch, label)
    return parts
