"""Validate an experiment against its data before training; docks show problems next to the field, training raises them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.check_words import name_of, of_spectra, sizes_of
from napari_spectrai.experiment.class_checks import problems_of_classes, problems_of_labels
from napari_spectrai.experiment.continuation import members_of
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.suitability import without_truth
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.label_conversion import is_missing
from napari_spectrai.labels import Labels
from napari_spectrai.preparation.step import SpatialStep, Step
from napari_spectrai.spec import Problem

LEAST_PATCH = 4
"""Minimum height and width of a patch in pixels, as in the field `data.patch`."""


def problems_with(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Cube | Labels]) -> list[Problem]:
    """Return the problems of training `experiment` on these pairs, without reading values of the cubes; empty if there are none.

    The path ``"input"`` or ``"truth"`` refers to the data, any other path to a setting.
    """
    task = experiment.task
    if not cubes:
        return [Problem("input", "there is nothing to train on; pass a cube, or list files in data.input")]
    if task.needs_truth and len(cubes) != len(truths):
        counts = [f"{len(items)} {what}{'' if len(items) == 1 else 's'}" for items, what in ((cubes, "input"), (truths, "truth"))]
        alone = f", or set task.learns_from={task.scheme_without_truth}" if task.scheme_without_truth and not truths else ""
        return [Problem("truth", f"{' but '.join(counts)}; {task.title.lower()} needs one truth for each input{alone}")]
    if not task.needs_truth and truths:
        return [
            Problem("truth", f"{task.title.lower()} from {_learns(experiment)} takes no truth; remove it, or set task.learns_from=pairs")
        ]
    too_small = _too_small(experiment, cubes)
    if too_small:
        return too_small
    found: list[Problem] = []
    if any(_same(a, b) for number, a in enumerate(cubes) for b in cubes[:number]):
        found.append(Problem("input", "the same cube is given twice; the model would be validated on its training data; pass it once"))
    if any(isinstance(truth, Cube) and _same(cube, truth) for cube, truth in zip(cubes, truths, strict=False)):
        found.append(Problem("truth", "input and truth are the same data; choose the target of the input"))
    found += _division(experiment, cubes)
    found += _learning(experiment, cubes)
    found += _start(experiment)
    found += _preparation(experiment)
    for number, cube in enumerate(cubes):
        if task.needs_truth:
            found += _pair(experiment, cube, truths[number])
        difference = cubes[0].axis.mismatch(cube.axis)
        if difference:
            found.append(Problem("input", f"{name_of(cube)} has {difference} ({name_of(cubes[0])}); resample it onto the first's axis"))
        found += _network(experiment, cube, alone=len(cubes) == 1)
    for truth in truths[1:]:
        first = truths[0]
        if isinstance(truth, Cube) and isinstance(first, Cube) and (difference := first.axis.mismatch(truth.axis)):
            found.append(Problem("truth", f"truth {name_of(truth)} has {difference} ({name_of(first)}); resample it onto the first's axis"))
    return found + _task(experiment, truths)


def _too_small(experiment: Experiment, cubes: Sequence[Cube]) -> list[Problem]:
    """Return problems that no setting can fix: data that cannot be used for training."""
    task = experiment.task
    empty = next((cube for cube in cubes if 0 in cube.shape), None)
    if empty is not None:
        return [Problem("input", f"{name_of(empty)} has shape {empty.shape}, which contains no values; pass one with pixels and bands")]
    if not task.of_images and sum(cube.count for cube in cubes) < 2:
        return [Problem("input", "there is one spectrum, which cannot be used for both training and validation; pass two or more")]
    bands = min(len(cube.axis) for cube in cubes)
    if bands == 1 and task.self_supervised and task.enlarges == 1 and not experiment.network.classical:
        why = "without a truth, bands are predicted from one another, but there is 1 band; pass a second acquisition of its pixels as truth"
        return [Problem("input", f"{why} (task.learns_from=repeats)")]
    return []


def _learning(experiment: Experiment, cubes: Sequence[Cube]) -> list[Problem]:
    """Return what prevents a network or a loss from learning."""
    network, found = experiment.network, []
    if network.normalises_batches and experiment.training.batch == 1:
        remedy = f"set training.batch=2 or more, or network.norm={network.norm_of_samples}"
        found.append(Problem("training.batch", f"batch normalisation needs at least 2 samples per step, not 1; {remedy}"))
    if without_truth(experiment.task, type(network)):
        why = f"{network.title} needs pairs, but there is no truth"
        found.append(Problem("network", f"{why}; pass one with task.learns_from=pairs, or choose another network"))
    for number, spec in enumerate(experiment.augmentation):
        if spec.cuts and network.around:
            why = f"{spec.title} reduces patches, but {network.title} classifies each pixel from a window of {network.around}; remove it"
            found.append(Problem(f"augmentation.{number}", why))
    parts = experiment.minimised.terms
    if not network.classical and min(len(cube.axis) for cube in cubes) == 1 and all(part.of_shape for part in parts):
        names = ", ".join(part.title for part in parts)
        found.append(Problem("loss", f"{names} depends only on the shape of a spectrum, and a single band has none; set loss=mse"))
    return found


def _learns(experiment: Experiment) -> str:
    words = {"bands": "odd and even bands", "masked": "masked bands", "recorrupted": "recorrupted data", "degraded": "degraded images"}
    return words[experiment.task.learns_from]  # type: ignore[attr-defined]


def _task(experiment: Experiment, truths: Sequence[Cube | Labels]) -> list[Problem]:
    task = experiment.task
    if task.classifies:
        return problems_of_classes(experiment, truths)
    if task.enlarges == 1:
        return []
    if not experiment.looks_around:
        where = experiment.network.setting_of_dimensions
        remedy = "choose rcan" if where == "network" else f"set {where}=2"
        return [Problem(where, f"super-resolution needs neighbouring pixels, but {experiment.network.title} uses single spectra; {remedy}")]
    if experiment.data.patch % task.enlarges:
        fitting = max(least_patch(task), experiment.data.patch // task.enlarges * task.enlarges)
        return [Problem("data.patch", f"patches of {experiment.data.patch} pixels cannot be reduced by {task.enlarges}; choose {fitting}")]
    return []


def _start(experiment: Experiment) -> list[Problem]:
    training = experiment.training
    if training.start is not None and experiment.network.chooses:
        try:
            members_of(training.start)
        except (OSError, ValueError) as error:
            return [Problem("training.start", str(error))]
    elif training.start is not None and experiment.network.classical:
        return [Problem("training.start", f"{experiment.network.title} has no weights to initialise; clear it")]
    if training.frozen and training.start is None:
        return [Problem("training.frozen", "untrained weights would be frozen; set a model in training.start")]
    return []


def _preparation(experiment: Experiment) -> list[Problem]:
    found = []
    for number, step in enumerate(experiment.preparation):
        if isinstance(step, SpatialStep):
            why = "uses neighbouring pixels, but a network is trained on spectra and patches; apply it to the cubes first (Preprocess)"
            found.append(Problem(f"preparation.{number}", f"{step.title!r} {why}"))
        elif not step.returns_spectra:
            why = "returns component scores, which cannot be converted back to wavelengths; switch 'Return spectra' (back) on"
            found.append(Problem(f"preparation.{number}.back", f"{step.title!r} {why}"))
    return found


def _division(experiment: Experiment, cubes: Sequence[Cube]) -> Iterator[Problem]:
    """Yield why the data cannot be divided as set."""
    if experiment.split.folds == 1:
        yield Problem("split.folds", "1 fold would hold out all data; set split.folds=2 or more, or 0 for one validation part")
    groups = experiment.data.groups
    if groups and len(groups) != len(cubes):
        spectra = sum(cube.count for cube in cubes)
        each = "; the groups of single spectra are cube.metadata['groups'], one for each" if len(groups) == spectra else ""
        yield Problem("data.groups", f"{len(groups)} groups for {len(cubes)} inputs; list one for each{each}")
    missing = [number for number, group in enumerate(groups, 1) if is_missing(group)]
    if missing:
        what = f"input {missing[0]} has no group ({groups[missing[0] - 1]!r})"
        yield Problem("data.groups", f"{what}; name that of each input, or set data.groups=[]")


def _same(one: Cube, other: Cube) -> bool:
    """Whether two cubes share memory."""
    if isinstance(one.data, np.ndarray) and isinstance(other.data, np.ndarray):
        first, second = (cube.data.__array_interface__ for cube in (one, other))
        return all(first[key] == second[key] for key in ("data", "shape", "strides", "typestr"))
    return one.data is other.data


def _pair(experiment: Experiment, cube: Cube, truth: Cube | Labels) -> list[Problem]:
    task = experiment.task
    if isinstance(truth, Labels):
        return problems_of_labels(experiment, cube, truth)
    times = task.enlarges
    wanted = (*cube.spatial_shape[:-2], *(times * length for length in cube.spatial_shape[-2:])) if times > 1 else cube.spatial_shape
    if truth.spatial_shape != wanted or (task.same_axis and truth.shape[-1] != cube.shape[-1]):
        what = f"{times} times as many pixels per side" if times > 1 else "the same pixels"
        bands = " and bands (crop or resample one of them)" if task.same_axis else ""
        if truth.spatial_shape != wanted and [side // times for side in truth.spatial_shape] == list(cube.spatial_shape):
            bands += f"; crop the truth to {sizes_of(wanted)} pixels"
        return [
            Problem(
                "truth",
                f"input {name_of(cube)} has shape {cube.shape} and its truth {name_of(truth)} {truth.shape}; they must show {what}{bands}",
            )
        ]
    if not task.same_axis:
        return [
            Problem(
                f"preparation.{number}",
                f"{step.title!r} is fitted on the input's {len(cube.axis)} bands, but the truth has {len(truth.axis)}; apply it to "
                "both first (Preprocess), or resample them to the same bands",
            )
            for number, step in enumerate(experiment.preparation)
            if not step.is_fitted and type(step).for_target is Step.for_target and len(truth.axis) != len(cube.axis)
        ]
    # data without positions are assumed to have their partner's; two different axes are refused
    difference = cube.axis.mismatch(truth.axis) if truth.axis.unit and cube.axis.unit else None
    if difference:
        return [Problem("truth", f"truth {name_of(truth)} has {difference} (input {name_of(cube)}); resample it onto the input's axis")]
    return []


def _network(experiment: Experiment, cube: Cube, *, alone: bool) -> list[Problem]:
    network = experiment.network
    if not experiment.looks_around:
        return []
    if not cube.is_image:
        where = network.setting_of_dimensions
        why = f"{name_of(cube)} is a set of spectra without neighbours, but {network.title or network.kind} needs an image"
        image = "; pass one of shape (y, x, bands)"
        return [Problem(where, why + (image if experiment.task.enlarges > 1 else f"; {of_spectra(experiment)}"))]
    if network.around or network.classical:
        return []
    times = experiment.task.enlarges
    height, width = (length * times if experiment.task.needs_truth else length for length in cube.spatial_shape[-2:])
    patch = experiment.data.patch
    split = experiment.split
    # patches that may extend into other parts may also extend beyond an image; whole images are padded to a patch
    shared = experiment.task.classifies and split.context == "shared"
    whole = experiment.task.of_images or split.method in ("file", "group") or (split.method == "auto" and not alone)
    if patch > max(height, width) and not (shared or whole or "part" in cube.metadata):
        return [_patch(experiment, cube, height, width)]
    if split.method == "blocks" and split.block is not None and split.block < patch and split.context == "separate":
        return [Problem("split.block", f"blocks of {split.block} pixels cannot contain a patch of {patch} pixels; choose {patch} or more")]
    return []


def least_patch(task: TaskSpec) -> int:
    """Return the side of the smallest patch that a task can reduce."""
    return -(-LEAST_PATCH // task.enlarges) * task.enlarges


def _patch(experiment: Experiment, cube: Cube, height: int, width: int) -> Problem:
    """Return a problem if patches are larger than an image, with a size that would fit."""
    task, network = experiment.task, experiment.network
    least = least_patch(task)
    fitting = max(height, width) // 3 // task.enlarges * task.enlarges
    if fitting >= least:
        side = experiment.data.patch
        why = f"patches of {side} pixels exceed the {height} × {width} pixels of {name_of(cube)}, which also has to be split"
        return Problem("data.patch", f"{why}; choose {fitting} or less, or pass several images and split by file")
    coarse = least // task.enlarges if task.needs_truth else least
    size = sizes_of(cube.spatial_shape)
    why = f"{name_of(cube)} has {size} pixels, but {network.title} needs patches of at least {least} pixels per side"
    if task.enlarges > 1 or task.of_images:
        return Problem("input", f"{why}; pass an image of {coarse} × {2 * coarse} pixels or more")
    return Problem(network.setting_of_dimensions, f"{why}; {of_spectra(experiment)}")
