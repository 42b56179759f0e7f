"""Whether the classes of a training are classes, and enough of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.check_words import name_of, of_spectra, sizes_of
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.label_shapes import resized
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.suitability import fits_images, means_of_images
from napari_spectrai.labels import NO_AMOUNTS, UNKNOWN, Labels
from napari_spectrai.spec import Problem, listed

FEW_AMOUNTS = 10
"""Numbers of which most belong to a single spectrum, from which on they look like amounts."""


def amounts_among(labels: Labels, unlabelled: int | None = 0) -> int:
    """Return how many amounts (concentrations, positions) the labels of a set of spectra seem to be; 0 where they look like classes.

    Numbers, also as texts, of which most belong to a single spectrum are taken for amounts.
    """
    if labels.data.ndim != 1:
        return 0
    values, counts = np.unique(labels.data, return_counts=True)
    numbers = np.array([_is_number(labels.names.get(int(value), "0")) for value in values], bool)
    amounts = numbers & ~np.isin(values, [UNKNOWN] if unlabelled is None else [UNKNOWN, unlabelled])
    count = int(amounts.sum())
    return count if count >= FEW_AMOUNTS and 2 * int((counts[amounts] == 1).sum()) > count else 0


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def problems_of_classes(experiment: Experiment, truths: Sequence[Cube | Labels]) -> list[Problem]:
    """Return the problems of training on the classes of `truths`."""
    task, network = experiment.task, experiment.network
    unlabelled: int | None = task.unlabelled  # type: ignore[attr-defined]
    values = {value for truth in truths if isinstance(truth, Labels) for value in truth.values(unlabelled)}
    for truth in truths:
        if isinstance(truth, Labels) and (objects := truth.objects(unlabelled)):
            return [Problem("truth", _are_objects(objects, truth))]
        if isinstance(truth, Labels) and (amounts := amounts_among(truth, unlabelled)):
            return [Problem("truth", _are_amounts(amounts, truth))]
    if len(values) < 2:
        return [Problem("truth", _too_few(values, unlabelled, truths))]
    if task.of_images:
        return _whole_images(experiment)
    if network.pools and experiment.looks_around:
        where = network.setting_of_dimensions
        return [Problem(where, f"{network.title} gives one class per image; to classify pixels, {of_spectra(experiment)}")]
    return []


def problems_of_labels(experiment: Experiment, cube: Cube, truth: Labels) -> list[Problem]:
    """Return the problems of labels that do not belong to the pixels of a cube."""
    task, spatial = experiment.task, cube.spatial_shape
    if task.of_images and len(spatial) > 2 and truth.shape == spatial[:-2]:
        return []
    if task.of_images and len(spatial) == 2 and len(values := truth.values(task.unlabelled)) > 1:  # type: ignore[attr-defined]
        shown = ", ".join(truth.names.get(value, str(value)) for value in values[:4])
        return [
            Problem(
                "truth",
                f"{name_of(cube)} has pixels of {len(values)} classes ({shown}); an image must have one class, or set task.of=spectra",
            )
        ]
    if truth.shape == spatial:
        return []
    return [
        Problem(
            "truth",
            f"input {name_of(cube)} shows {sizes_of(spatial)} pixels and its labels {name_of(truth)} {sizes_of(truth.shape)}; "
            f"they must have the same size{resized(truth.shape, spatial)}",
        )
    ]


def _too_few(values: set[int], unlabelled: int | None, truths: Sequence[Cube | Labels]) -> str:
    """Return that there are too few classes; if there are other numbers, how these become classes."""
    held = f"only class {min(values)}" if values else "no class"
    zero = f" ({unlabelled} means unlabelled)" if unlabelled is not None else ""
    remedy = "a classifier needs at least two classes"
    found = [truth.data for truth in truths if isinstance(truth, Labels)]
    if values and unlabelled is not None and any((data == unlabelled).any() for data in found):
        remedy += f"; if {unlabelled} is a class, set task.unlabelled=null"
    if any((data == UNKNOWN).any() for data in found if data.dtype.kind == "i"):
        remedy += f"; {UNKNOWN} always means unlabelled: give classes numbers from 0"
    return f"the labels contain {held}{zero}; {remedy}"


def _whole_images(experiment: Experiment) -> list[Problem]:
    """Return the problems of classifying whole images."""
    task, network = experiment.task, experiment.network
    if not (network.pools and experiment.looks_around) and not means_of_images(type(network)):
        if network.pools and "dims" in type(network).model_fields:
            return [Problem("network.dims", f"{network.title} with dims=1 classifies pixels; for whole images, set network.dims=2")]
        fitting = [kind for kind in networks if fits_images(networks[kind]) and task.suits(networks[kind].tasks)]
        return [Problem("network", f"{network.title} classifies pixels; for images, choose another network; {listed(fitting)}")]
    if experiment.split.method not in ("auto", "file", "group"):
        return [Problem("split.method", f"{experiment.split.method} would divide images; whole images must be split by file or by group")]
    return []


def _are_objects(count: int, labels: Cube | Labels) -> str:
    return (
        f"{name_of(labels)} contains {count:,} values without names, each of which would be a class. If they number objects "
        "(cells, grains), give all objects of a kind the same value, such as (labels > 0) + 1 for background 1 and "
        "objects 2. If they are classes, name them (a column 'class' of the layer's features, or as_labels(…, names=…))"
    )


def _are_amounts(count: int, labels: Labels) -> str:
    return (
        f"{name_of(labels)} contains {count:,} numbers, of which most belong to a single spectrum. If they are amounts (concentrations, "
        f"positions), {NO_AMOUNTS}. If they are classes, name them with texts, such as 'sample 7'"
    )
