"""Default settings for given data: the implementation of `Experiment.default`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from napari_spectrai.conversion import as_cube
from napari_spectrai.correspondence import relation_of
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.candidates import MANY
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import UNKNOWN
from napari_spectrai.marks import is_marks, labels_of_marks

T = TypeVar("T")

FEWEST_PAIRS = 5
"""Number of pairs of spectra below which only gains and offsets of two instruments can be fitted."""
MOST_HELD = 5
"""Number of pairs for validation if there are few; the method is finally fitted on them, too."""


def suited(experiment: type[T], kind: str | Mapping[str, Any], cube: Cube, truth: Any) -> T:
    """Return an experiment with settings for `cube` and its truth, if there is one; a mapping's own settings of the task are kept."""
    task = tasks.parse(kind)
    makers = {"super_resolution": _super_resolution, "classification": _classes, "segmentation": _classes, "calibration": _calibration}
    document = makers.get(task.like, _restoration)(task, cube, truth)
    if isinstance(kind, Mapping) and not isinstance(document["task"], type(task)):
        document["task"] = document["task"] | kind
    made: T = experiment.model_validate({"name": cube.name} | document)  # type: ignore[attr-defined]
    return made


def _restoration(task: TaskSpec, cube: Cube, truth: Any) -> dict[str, Any]:
    if truth is not None:
        _refuse_other_pixels(task, cube, as_cube(truth))
    small = cube.count <= 5_000
    batch = 32 if small else 256
    document: dict[str, Any] = {
        "task": task,
        # the contrast between the pixels of an image is kept; spectra of a set are independent
        "preparation": ["scale" if cube.is_image else {"kind": "normalise", "by": "maximum"}],
        "augmentation": [{"kind": "noise", "sigma": 0.02 if cube.is_image else 0.1}, {"kind": "mixup", "alpha": 0.4}],
        # about as many steps as the Raman pairs need, whatever the number of spectra
        "training": {"batch": batch, "epochs": max(5, min(150, round(3600 * batch / cube.count)))},
    }
    if truth is not None or not task.scheme_without_truth:
        return document
    if task.model_dump(exclude_defaults=True).get("learns_from", task.scheme_without_truth) != task.scheme_without_truth:
        return document  # from the noisy data in another way, which was asked for
    # without a truth: candidates compared on the data with noise added
    document |= {
        "task": {"kind": task.kind, "learns_from": task.scheme_without_truth}, "preparation": ["scale"],
        "network": {"kind": "automatic", "seconds": 60.0}, "augmentation": [],
    }  # fmt: skip
    del document["training"]
    return document


def _calibration(task: TaskSpec, cube: Cube, truth: Any) -> dict[str, Any]:
    document = _restoration(task, cube, truth)
    if cube.count < 2:
        raise ValueError(
            "1 pair of spectra cannot be used for both training and validation; pass 5 or more, or 2 for gains and offsets only"
        )
    # intensities of two instruments are compared: spectra are not divided by their own maxima
    document |= {"preparation": ["scale"], "network": "automatic", "augmentation": []}
    del document["training"]
    if cube.count >= FEWEST_PAIRS:
        return document
    document["network"] = "gain_offset"
    if cube.is_image:
        document["split"] = {"validation": max(0.05, 1 / max(cube.spatial_shape[-2:])), "gap": 0}
    elif cube.count < 20 * MOST_HELD:
        document["split"] = {"method": "random", "validation": max(1, min(MOST_HELD, cube.count // 5)) / max(2, cube.count)}
    return document


def _refuse_other_pixels(task: TaskSpec, cube: Cube, truth: Cube) -> None:
    same = truth.shape == cube.shape if task.same_axis else truth.spatial_shape == cube.spatial_shape
    relation = relation_of(cube.placement, truth.placement)
    cut = relation is not None and relation.kind == "cut" and (truth.shape[-1] == cube.shape[-1] or not task.same_axis)
    if not same and not cut:
        what = "pixels and bands" if task.same_axis else "pixels"
        raise ValueError(f"the truth has shape {truth.shape} and the cube {cube.shape}; they must show the same {what}")


def _times(cube: Cube, sharp: Cube) -> int:
    """Return how many pixels of a truth lie along each side of a pixel of the cube.

    Raises
    ------
    ValueError
        If that is no integer above 1, or the bands differ; the message contains a remedy.
    """
    sides, finer = cube.spatial_shape[-2:], sharp.spatial_shape[-2:]
    why = f"the truth has shape {sharp.shape} and the cube {cube.shape}; it must have an integer multiple of its pixels per side"
    if len(sharp.axis) != len(cube.axis):
        raise ValueError(f"{why} and the same bands; resample one of them onto the bands of the other")
    relation = relation_of(cube.placement, sharp.placement)
    if relation is not None and relation.kind != "refuse" and len(along := {*relation.times[-2:]}) == 1 and round(max(along)) > 1:
        return round(max(along))  # paired by position, and cut to what both show
    times = max(2, round(finer[-1] / sides[-1]))
    if finer == (times * sides[0], times * sides[1]):
        return times
    if finer == sides:
        raise ValueError(f"{why}; choose the task denoising for a truth of the same pixels, or give none to learn from the image degraded")
    rows, columns = (min(side, length // times) for side, length in zip(sides, finer, strict=True))
    crop = f"cube[:{rows}, :{columns}] and truth[:{rows * times}, :{columns * times}]"
    remedy = f"; where their first pixels coincide, crop both: {crop}, for a factor of {times}" if min(rows, columns) else ""
    raise ValueError(f"{why}{remedy}")


def _super_resolution(task: TaskSpec, cube: Cube, truth: Any) -> dict[str, Any]:
    if not cube.is_image:
        raise ValueError(
            f"super-resolution needs an image, and {cube.name or 'the cube'!r} is a set of spectra; pass one of shape (y, x, bands)"
        )
    sides = cube.spatial_shape[-2:]
    learns_from, factor = "degraded", max(2, task.enlarges)
    if truth is not None:
        sharp = as_cube(truth)
        factor = _times(cube, sharp)
        learns_from, sides = "pairs", sharp.spatial_shape[-2:]
    # small patches leave most of an image for training, and four coarse pixels per side are enough context
    patch = max(4, 2 * factor, min(max(4 * factor, 24 // factor * factor), min(sides) // 3 // factor * factor))
    return {
        "task": {"kind": "super_resolution", "factor": factor, "learns_from": learns_from},
        "preparation": ["scale"],
        "augmentation": ["flip", "rotate"],
        "split": {"validation": 0.15, "gap": 2},
        "network": {"kind": "rcan", "components": min(8, len(cube.axis))},
        "data": {"patch": patch, "samples": 100},
        "training": {"batch": 4, "epochs": 40, "ema": 0.99, "schedule": "cosine", "optimiser": {"kind": "adamw", "weight_decay": 1e-4}},
    }


def _classes(task: TaskSpec, cube: Cube, truth: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"kind": task.kind}
    labelled, of_images = cube.count, False
    if truth is not None:
        labels = labels_of_marks(truth, cube) if is_marks(truth) else as_labels(truth)
        of_images = task.classes_of_images and len(cube.shape) > 3 and labels.shape == cube.spatial_shape[:-2]
        if of_images:
            settings["of"] = "images"
        elif "unlabelled" in type(task).model_fields and task.no_label is None and cube.is_image and labels.shape == cube.spatial_shape:
            settings["unlabelled"] = 0 if 0 in np.unique(labels.data) else None
        labelled = int(np.count_nonzero((labels.data != 0) & (labels.data != UNKNOWN)))
    document: dict[str, Any] = {
        "task": settings,
        "preparation": ["scale"],
        # with more labels, each fold takes longer, and networks gain more; they should be reached on a slow or busy machine, too
        "network": {"kind": "automatic", "seconds": 120.0 if labelled <= MANY else 600.0},
        # the test part is what was named or drawn for it; validation uses folds
        "split": {"validation": 0.15} | ({"gap": 0, "context": "shared"} if cube.is_image and not of_images else {}),
    }
    return document
