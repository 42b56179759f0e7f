"""Prepare the spectra of divided cubes and pool them in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.compatibility import intensities_of, negative_share
from napari_spectrai.experiment.ineffective import without_effect
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.dependence import NOT_PAIRED, are_paired
from napari_spectrai.learn.data.filling import fill
from napari_spectrai.learn.data.fingerprints import learnt_from
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.plan.partition import Division, is_optimistic
from napari_spectrai.plan.patches import padded
from napari_spectrai.plan.remedies import refuse_empty
from napari_spectrai.plan.storage import Source
from napari_spectrai.plan.subsets import PARTS, TRAINING, Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.preparation import Preparation

FITTING_SPECTRA = 200_000
"""Largest number of training spectra of a cube that steps are fitted on; larger sets are subsampled."""
FITTING_VALUES = 2**24
"""Largest number of values of those of all cubes (64 MiB)."""
ANY_AT_ONCE = 65_536
"""Number of spectra searched at a time."""


def pool(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division, *, validates: bool = True) -> Dataset:
    """Fit and apply the preparation, and pool all spectra of divided cubes; `validates`: all parts are required.

    Raises
    ------
    ValueError
        If no pixel holds data, a part has no samples, or a class no training samples; with the remedy.
    """
    task = experiment.task
    marked, places = division.marked, division.places
    fitting = fitting_spectra(cubes, division.maps)
    if not len(fitting):
        refuse_empty(experiment, division, [], cubes, truths)
    preparation = Preparation(tuple(experiment.preparation)).fitted(fitting, cubes[0].axis)
    intensities, negative = intensities_of(fitting), negative_share(fitting)
    del fitting
    step_notes = (note for step in experiment.preparation for cube in cubes for note in step.notes(cube))
    notes = list(dict.fromkeys(step_notes))
    sharp: list[Cube] = [] if marked else [truth for truth in truths if isinstance(truth, Cube)]
    if task.own_unit:
        preparation = _fitted_to_target(preparation, sharp, division.maps, notes)
    filled = fill(cubes, preparation, division, keeps_factors=task.own_unit)
    targets, known, units, times = None, None, None, task.enlarges if task.needs_truth else 1
    if marked:
        targets = torch.from_numpy(np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(marked, places, strict=True)]))
    elif sharp:
        known = fill(sharp, preparation.for_target(), division, times=times, keeps_factors=task.own_unit)
        targets = torch.from_numpy(known.spectra)
        if filled.factors is not None and known.factors is not None:
            units = torch.from_numpy(np.concatenate([filled.factors, known.factors], -1))
    notes = [*division.notes, *notes, *without_effect(experiment, cubes)]
    if is_optimistic(experiment, cubes):
        notes.append("Neighbouring pixels are split at random, so that scores are too optimistic. Use blocks or contiguous instead.")
    parts = parts_in(division)
    labels = np.concatenate([padded(m, place, edge=False).ravel() for m, place in zip(division.maps, places, strict=True)])
    holds = np.concatenate([padded(d, place, edge=False).ravel() for d, place in zip(division.data, places, strict=True)])
    if known is not None and times == 1:
        rows = np.flatnonzero(holds & (labels == TRAINING))
        notes += [] if are_paired(filled.spectra, known.spectra, rows) else [NOT_PAIRED]
    taught = _any(filled.spectra, labels == TRAINING)  # no network can be fitted to zeros only
    held = list(parts) if taught else sorted({*parts} - {"training"}) if _any(filled.spectra) else []
    refuse_empty(experiment, division, held, cubes, truths, None if validates else ["training"])
    return Dataset(
        inputs=torch.from_numpy(filled.spectra), truths=targets, parts=parts, preparation=preparation,
        axis=cubes[0].axis, prepared_axis=filled.axis, truth_axis=filled.axis if known is None else known.axis,
        maps=division.maps, places=places, labels=torch.from_numpy(labels),
        names=[f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes], notes=notes,
        times=times, enlarges=task.enlarges, shared=division.layout.shared,
        classes=division.classes, of_images=task.of_images, units=units,
        fingerprints=learnt_from(filled.hashes, known.hashes if known else [], division.maps, marked, experiment.training.start),
        intensities=intensities, negative=negative,
        holds=None if all(d.all() for d in division.data) else torch.from_numpy(holds),
    )  # fmt: skip


def fitting_spectra(cubes: Sequence[Cube], maps: Sequence[Map]) -> FloatArray:
    """Return raw training spectra (n, L) of all cubes that steps are fitted on, with ignored values as NaN; of each cube evenly spread."""
    most = max(1, min(FITTING_SPECTRA, FITTING_VALUES // (cubes[0].shape[-1] * len(cubes))))
    found = []
    for cube, labels in zip(cubes, maps, strict=True):
        pixels = np.flatnonzero(labels == TRAINING)
        chosen = np.zeros(labels.shape, bool)
        chosen.ravel()[pixels[:: max(1, -(-len(pixels) // most))]] = True
        source = Source(cube)
        found += [source.spectra(region, chosen[region.key]) for region in source.regions() if chosen[region.key].any()]
    return np.concatenate([*found, np.empty((0, cubes[0].shape[-1]), np.float32)])


def _any(spectra: npt.NDArray[np.float32], chosen: npt.NDArray[np.bool_] | None = None) -> bool:
    """Whether any value of some spectra (n, λ) is not zero; stops at the first."""
    blocks = range(0, len(spectra), ANY_AT_ONCE)
    return any(spectra[n : n + ANY_AT_ONCE][... if chosen is None else chosen[n : n + ANY_AT_ONCE]].any() for n in blocks)


def _fitted_to_target(preparation: Preparation, truths: Sequence[Cube], maps: Sequence[Map], notes: list[str]) -> Preparation:
    """Return the preparation fitted to truths in their own unit, with a note on what it cannot keep of that unit."""
    learnt = fitting_spectra(truths, maps)
    if lost := preparation.by_spectrum:
        notes.append(
            f"{lost[0].title!r} scales every spectrum individually, and results get the scale of their source: the target's "
            "intensities are lost. If they matter, use 'Scale by one factor' instead."
        )
    notes.append("Scores are in the intensities of the target.")
    return preparation.fitted_to_target(learnt, truths[0].axis)


def parts_in(division: Division) -> dict[str, Samples]:
    """Return the samples of each part in the pool; empty parts are omitted."""
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
