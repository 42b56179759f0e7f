"""What can be said against an experiment before anything runs: for the docks beside the field, for training as an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.labels import Labels
from napari_spectrai.preparation.step import SpatialStep
from napari_spectrai.spec import Problem


def problems_with(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Cube | Labels]) -> list[Problem]:
    """Return what stands against training `experiment` on these pairs, without reading a cube's values; empty if nothing.

    The path ``"input"`` or ``"truth"`` names the data, any other a setting.
    """
    task = experiment.task
    if not cubes:
        return [Problem("input", "there is nothing to train on; give a cube, or name files in data.input")]
    if task.needs_truth and len(cubes) != len(truths):
        return [Problem("truth", f"{len(cubes)} inputs but {len(truths)} truths; {task.title.lower()} needs one truth for each input")]
    if not task.needs_truth and truths:
        return [
            Problem(
                "truth", f"{task.title.lower()} from {_learns(experiment)} takes no truth; leave it away, or set task.learns_from=pairs"
            )
        ]
    found: list[Problem] = []
    if any(_same(a, b) for number, a in enumerate(cubes) for b in cubes[:number]):
        found.append(Problem("input", "the same cube is given twice; it would train and validate on itself, give it once"))
    if getattr(experiment.network, "norm", "") == "batch" and experiment.training.batch == 1:
        found.append(Problem("training.batch", "batch normalisation needs 2 samples or more a step, not 1; or set network.norm=layer"))
    if any(isinstance(truth, Cube) and _same(cube, truth) for cube, truth in zip(cubes, truths, strict=False)):
        found.append(Problem("truth", "input and truth are the same data; choose what the input should look like"))
    groups = experiment.data.groups
    if groups and len(groups) != len(cubes):
        found.append(Problem("data.groups", f"{len(groups)} groups for {len(cubes)} inputs; name one for each"))
    found += _start(experiment)
    found += _preparation(experiment)
    for number, cube in enumerate(cubes):
        if task.needs_truth:
            found += _pair(experiment, cube, truths[number])
        difference = cubes[0].axis.mismatch(cube.axis)
        if difference:
            found.append(Problem("input", f"{_name(cube)} has {difference} ({_name(cubes[0])}); resample it onto the first's axis"))
        found += _network(experiment, cube)
    for truth in truths[1:]:
        first = truths[0]
        if isinstance(truth, Cube) and isinstance(first, Cube) and (difference := first.axis.mismatch(truth.axis)):
            found.append(Problem("truth", f"truth {_name(truth)} has {difference} ({_name(first)}); resample it onto the first's axis"))
    return found + _task(experiment, truths)


def _learns(experiment: Experiment) -> str:
    words = {"bands": "odd and even bands", "masked": "masked bands", "recorrupted": "recorrupted data", "degraded": "degraded images"}
    return words[experiment.task.learns_from]  # type: ignore[attr-defined]


def _task(experiment: Experiment, truths: Sequence[Cube | Labels]) -> list[Problem]:
    task = experiment.task
    if task.truth == "labels":
        return _classes(experiment, truths)
    if task.enlarges == 1:
        return []
    if not experiment.looks_around:
        return [Problem("network.dims", "super-resolution looks at the image; set network.dims=2")]
    if experiment.data.patch % task.enlarges:
        fitting = max(4, experiment.data.patch // task.enlarges) * task.enlarges
        return [Problem("data.patch", f"patches of {experiment.data.patch} pixels cannot be reduced by {task.enlarges}; choose {fitting}")]
    return []


def _classes(experiment: Experiment, truths: Sequence[Cube | Labels]) -> list[Problem]:
    task, network = experiment.task, experiment.network
    unlabelled: int | None = task.unlabelled  # type: ignore[attr-defined]
    values = {value for truth in truths if isinstance(truth, Labels) for value in truth.values(unlabelled)}
    for truth in truths:
        if isinstance(truth, Labels) and (objects := truth.objects(unlabelled)):
            return [Problem("truth", _are_objects(objects, truth))]
    if len(values) < 2:
        held = f"only class {values.pop()}" if values else "no class at all"
        zero = f" ({unlabelled} means unlabelled)" if unlabelled is not None else ""
        return [Problem("truth", f"the labels hold {held}{zero}; a classifier needs two classes or more")]
    if task.of_images and not (network.pools and experiment.looks_around):
        return [
            Problem("network", f"{network.title} tells the class of pixels; for whole images choose a network that pools, with dims 2 or 3")
        ]
    if task.of_images and experiment.split.method not in ("auto", "file", "group"):
        return [Problem("split.method", f"{experiment.split.method} would cut images apart; whole images are split by file or by group")]
    if not task.of_images and network.pools and experiment.looks_around:
        return [Problem("network.dims", f"{network.title} gives one class for all it sees; to tell pixels apart set network.dims=1")]
    return []


def _are_objects(count: int, labels: Cube | Labels) -> str:
    return (
        f"{_name(labels)} holds {count:,} numbers without names, each of which would be a class: are these objects (cells, grains), "
        "each with a number of its own? Then give all objects of a kind one number, such as (labels > 0) + 1 for background 1 and "
        "objects 2. If they are classes, name them (a column 'class' of the layer's features, or as_labels(…, names=…))"
    )


def _start(experiment: Experiment) -> list[Problem]:
    training = experiment.training
    if training.start is not None and experiment.network.classical:
        return [Problem("training.start", f"{experiment.network.title} has no weights to begin with; leave it empty")]
    if training.frozen and training.start is None:
        return [Problem("training.frozen", "weights that nobody has trained would stay as they are; name a model in training.start")]
    return []


def _preparation(experiment: Experiment) -> list[Problem]:
    found = []
    for number, step in enumerate(experiment.preparation):
        if isinstance(step, SpatialStep):
            why = "looks at neighbouring pixels, and a network is trained on spectra and patches; apply it to the cubes before (Preprocess)"
            found.append(Problem(f"preparation.{number}", f"{step.title!r} {why}"))
        elif not getattr(step, "back", True):
            why = "returns scores, which have no wavelengths to come back to; switch 'back' on"
            found.append(Problem(f"preparation.{number}.back", f"{step.title!r} {why}"))
    return found


def _same(one: Cube, other: Cube) -> bool:
    """Whether two cubes show the same memory."""
    if isinstance(one.data, np.ndarray) and isinstance(other.data, np.ndarray):
        first, second = (cube.data.__array_interface__ for cube in (one, other))
        return all(first[key] == second[key] for key in ("data", "shape", "strides", "typestr"))
    return one.data is other.data


def _name(cube: Cube | Labels) -> str:
    return repr(cube.name or "cube")


def _pair(experiment: Experiment, cube: Cube, truth: Cube | Labels) -> list[Problem]:
    task = experiment.task
    if isinstance(truth, Labels):
        return _labels(experiment, cube, truth)
    times = task.enlarges
    wanted = (*cube.spatial_shape[:-2], *(times * length for length in cube.spatial_shape[-2:])) if times > 1 else cube.spatial_shape
    if truth.spatial_shape != wanted or (task.same_axis and truth.shape[-1] != cube.shape[-1]):
        what = f"{times} times as many pixels a side" if times > 1 else "the same pixels"
        bands = " and bands (crop or resample one of them)" if task.same_axis else ""
        return [
            Problem(
                "truth",
                f"input {_name(cube)} has shape {cube.shape} and its truth {_name(truth)} {truth.shape}; they must show {what}{bands}",
            )
        ]
    if not task.same_axis:
        return []
    # data without positions take their partner's word; two that disagree are refused
    difference = cube.axis.mismatch(truth.axis) if truth.axis.unit and cube.axis.unit else None
    if difference:
        return [Problem("truth", f"truth {_name(truth)} has {difference} (input {_name(cube)}); resample it onto the input's axis")]
    return []


def _labels(experiment: Experiment, cube: Cube, truth: Labels) -> list[Problem]:
    task, spatial = experiment.task, cube.spatial_shape
    if task.of_images and len(spatial) > 2 and truth.shape == spatial[:-2]:
        return []
    if task.of_images and len(spatial) == 2 and len(values := truth.values(task.unlabelled)) > 1:  # type: ignore[attr-defined]
        told = ", ".join(truth.names.get(value, str(value)) for value in values[:4])
        return [Problem("truth", f"{_name(cube)} has pixels of {len(values)} classes ({told}); an image has one, or set task.of=spectra")]
    if truth.shape == spatial:
        return []
    return [
        Problem(
            "truth",
            f"input {_name(cube)} shows {_sizes(spatial)} pixels and its labels {_name(truth)} {_sizes(truth.shape)}; "
            "they must show the same ones",
        )
    ]


def _sizes(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _network(experiment: Experiment, cube: Cube) -> list[Problem]:
    network = experiment.network
    if not experiment.looks_around:
        return []
    if not cube.is_image:
        where = "network.dims" if hasattr(network, "dims") else "network"
        why = f"dims={network.dims} needs an image; choose 1" if hasattr(network, "dims") else f"{network.title} looks at an image"
        return [Problem(where, f"{_name(cube)} is a set of spectra without neighbours, and {why}")]
    if network.around or network.classical:
        return []
    height, width = cube.spatial_shape[-2:]
    if experiment.task.needs_truth:
        height, width = height * experiment.task.enlarges, width * experiment.task.enlarges
    patch = experiment.data.patch
    split = experiment.split
    # patches that may reach into other parts may reach beyond an image, too
    beyond = experiment.task.truth == "labels" and split.context == "shared" and not experiment.task.of_images
    if patch > min(height, width) and not beyond:
        return [
            Problem(
                "data.patch",
                f"patches of {patch} pixels exceed the {height} × {width} of {_name(cube)}; choose {min(height, width)} or less",
            )
        ]
    if split.method == "blocks" and split.block < patch and split.context == "separate":
        return [Problem("split.block", f"blocks of {split.block} pixels hold no patch of {patch}; choose {patch} or more")]
    return []
