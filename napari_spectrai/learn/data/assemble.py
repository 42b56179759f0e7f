"""Assemble a data set from cubes and truths: split, prepare, pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.compatibility import intensities_of
from napari_spectrai.experiment.ineffective import without_effect
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.fingerprints import learnt_from
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.noise import Stabiliser
from napari_spectrai.plan.partition import Division, divide, flatters
from napari_spectrai.plan.patches import Place, padded
from napari_spectrai.plan.remedies import refuse_empty
from napari_spectrai.plan.split import TRAINING, UNUSED, Map
from napari_spectrai.plan.subsets import PARTS
from napari_spectrai.plan.truths import Truth
from napari_spectrai.preparation import Preparation
from napari_spectrai.valid import continued, finite, values_of, without

FITTING_SPECTRA = 200_000
"""Largest number of training spectra that steps are fitted on; larger sets are subsampled."""


def assemble(
    experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map] | None = None, *, validates: bool = True
) -> Dataset:
    """Split, prepare and pool. `maps` (of a resumed run, or a cross-validation) replaces a new split; `validates`: all parts are required.

    Raises
    ------
    ValueError
        If no pixel holds data, a part has no samples, or a class no training samples; with the remedy.
    """
    task = experiment.task
    division = divide(experiment, cubes, truths, maps)
    marked, places = division.marked, division.places
    raw = [values_of(cube).reshape(-1, cube.shape[-1]) for cube in cubes]
    fitting = np.concatenate([_thinned(r[m.ravel() == TRAINING]) for r, m in zip(raw, division.maps, strict=True)])
    if not len(fitting):
        refuse_empty(experiment, division, [], cubes, truths)
    preparation = Preparation(tuple(experiment.preparation)).fitted(fitting, cubes[0].axis)
    step_notes = (note for step in experiment.preparation for cube in cubes for note in step.notes(cube))
    notes = list(dict.fromkeys(step_notes))
    if task.own_unit:
        preparation = _fitted_to_target(preparation, truths, division.maps, notes)  # type: ignore[arg-type]
    prepared, prepared_axis, removed = _prepared(cubes, raw, preparation, division)
    inputs = _pooled(prepared, places)
    targets, truth_axis, units = None, prepared_axis, None
    if marked:
        targets = torch.from_numpy(np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(marked, places, strict=True)]))
    elif truths:
        known = [values_of(t).reshape(-1, t.shape[-1]) for t in truths]  # type: ignore[arg-type]
        times = task.enlarges if task.needs_truth else 1
        sharp, truth_axis, own = _prepared(truths, known, preparation.for_target(), division, times=times)  # type: ignore[arg-type]
        targets = torch.from_numpy(_pooled(sharp, places, times))
        if task.own_unit and removed and own:
            back = [np.concatenate([one, other], -1) for one, other in zip(removed, own, strict=True)]
            units = torch.from_numpy(_pooled(back, places))
    notes = [*division.notes, *notes, *without_effect(experiment, cubes)]
    if flatters(experiment, cubes):
        notes.append("Neighbouring pixels are split at random, so that scores are too optimistic. Use blocks or contiguous instead.")
    parts = _parts(division)
    labels = np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(division.maps, places, strict=True)])
    holds = np.concatenate([padded(d, place, edge=False).ravel() for d, place in zip(division.data, places, strict=True)])
    taught = bool(inputs[labels == TRAINING].any())  # no network can be fitted to zeros only
    held = list(parts) if taught else sorted({*parts} - {"training"}) if inputs.any() else []
    refuse_empty(experiment, division, held, cubes, truths, None if validates else ["training"])
    return Dataset(
        inputs=torch.from_numpy(inputs), truths=targets, parts=parts, preparation=preparation,
        axis=cubes[0].axis, prepared_axis=prepared_axis, truth_axis=truth_axis,
        maps=division.maps, places=places, labels=torch.from_numpy(labels),
        names=[f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes], notes=notes,
        times=task.enlarges if task.needs_truth else 1, enlarges=task.enlarges, shared=division.layout.shared,
        classes=division.classes, of_images=task.of_images, units=units,
        fingerprints=learnt_from(cubes, truths, division.maps, marked, experiment.training.start),
        intensities=intensities_of(fitting),
        holds=None if all(d.all() for d in division.data) else torch.from_numpy(holds),
    )  # fmt: skip


def rearranged(experiment: Experiment, data: Dataset, division: Division) -> Dataset:
    """Return the same prepared data with another split; a class may be without training samples.

    Raises
    ------
    ValueError
        If the split leaves no training samples.
    """
    parts = _parts(division)
    if "training" not in parts:
        raise ValueError("a fold leaves no training samples; label more places, or set a smaller split.folds")
    padded_maps = [padded(m, place, edge=False).ravel() for m, place in zip(division.maps, data.places, strict=True)]
    labels = torch.from_numpy(np.concatenate(padded_maps)).to(data.labels.device)
    return replace(data, parts=parts, maps=division.maps, labels=labels, notes=[]).to(data.inputs.device)


def _thinned(spectra: FloatArray) -> FloatArray:
    return spectra if len(spectra) <= FITTING_SPECTRA else spectra[:: -(-len(spectra) // FITTING_SPECTRA)]


def _fitted_to_target(preparation: Preparation, truths: Sequence[Cube], maps: Sequence[Map], notes: list[str]) -> Preparation:
    """Return the preparation fitted to truths in their own unit, with a note on what it cannot keep of that unit."""
    flat = [truth.numpy().reshape(-1, truth.shape[-1]) for truth in truths]
    learnt = np.concatenate([_thinned(spectra[m.ravel() == TRAINING]) for spectra, m in zip(flat, maps, strict=True)])
    if lost := preparation.by_spectrum:
        notes.append(
            f"{lost[0].title!r} scales every spectrum individually, and results get the scale of their source: the target's "
            "intensities are lost. If they matter, use 'Scale by one factor' instead."
        )
    notes.append("Scores are in the intensities of the target.")
    return preparation.fitted_to_target(learnt, truths[0].axis)


def _prepared(
    cubes: Sequence[Cube], raw: Sequence[FloatArray], preparation: Preparation, division: Division, *, times: int = 1
) -> tuple[list[npt.NDArray[np.float32]], SpectralAxis, list[npt.NDArray[np.float32]]]:
    """Return prepared spectra, their axis, and scale and offset that undo the preparation, (n, 2), if these are sufficient.

    Missing spectra are replaced by zeros, or in patches by the nearest known ones. Pixels that become NaN or infinite are removed from
    `division`.

    Raises
    ------
    If all pixels do.
        If all do.
    """
    prepared, back = [], []
    axis, lost = cubes[0].axis, 0
    for number, (cube, spectra) in enumerate(zip(cubes, raw, strict=True)):
        known = division.data[number] if times == 1 else division.data[number].repeat(times, 1).repeat(times, 2)
        held = known.ravel()
        seen = without(spectra, held)
        if division.layout.patch > 1:  # patches next to a missing pixel must not contain a hole
            seen = continued(seen, ~held & ~finite(spectra), known.shape)
        result, axis, removed = preparation.apply(seen, cube.axis)
        usable = finite(result)
        gone = held & ~usable
        if gone.all():
            refuse_missing(spectra, cube, "prepared", result, remedy="remove the step that causes them, or remove those bands first")
        if gone.any():
            lost += int(gone.sum()) // times**2
            _take_out(division, number, gone.reshape(known.shape), times)
        # a copy, since a mapped file must not be written
        prepared.append(np.require(without(result, usable), np.float32, ["C", "W"]))
        if not any(isinstance(part, Stabiliser) for part in removed):
            offset = Preparation.restore(np.zeros((len(spectra), 1)), removed)
            scale = Preparation.restore(np.ones((len(spectra), 1)), removed) - offset
            back.append(np.concatenate([scale, offset], -1).astype(np.float32))
    if lost:
        division.notes.append(f"{lost:,} spectra become NaN or infinite in the preparation and are left out.")
    return prepared, axis, back


def _take_out(division: Division, number: int, gone: npt.NDArray[np.bool_], times: int) -> None:
    """Remove pixels of a cube from all parts and classes."""
    z, height, width = division.shapes[number]
    coarse = np.asarray(gone.reshape(z, height, times, width, times).any((2, 4)))
    division.maps[number][coarse] = UNUSED
    division.data[number] &= ~coarse
    if division.marked:
        division.marked[number][coarse] = 0


def _pooled(prepared: Sequence[npt.NDArray[np.float32]], places: Sequence[Place], times: int = 1) -> npt.NDArray[np.float32]:
    flat = [
        padded(
            spectra.reshape(place.shape[0], *(times * side for side in place.shape[1:]), spectra.shape[-1]), place, edge=True, times=times
        ).reshape(place.size * times**2, -1)
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
    remedy: str = "crop them, or add 'fill' as the first step of the preparation",
) -> None:
    """Raise ValueError if prepared spectra (n, λ) of `cube` contain NaN or infinite values; with their number, position and the remedy.

    `origin` is the position of `cube` in the image it was cut from.
    """
    bad = ~np.isfinite(spectra if prepared is None else prepared)
    if not bad.any():
        return
    missing = ~np.isfinite(spectra)  # preparation spreads missing values over the spectrum
    bad = missing if missing.any() else bad
    spectrum, band = np.argwhere(bad)[0]
    pixel = [int(c) for c in np.unravel_index(spectrum, cube.spatial_shape)]
    for place, start in enumerate(origin):
        pixel[place] += start
    raise ValueError(
        f"{side} {cube.name or 'cube'!r} contains {int(bad.sum()):,} NaN or infinite values in {int(bad.any(-1).sum()):,} spectra, "
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
