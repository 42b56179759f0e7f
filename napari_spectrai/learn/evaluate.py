"""How good is it: figures against the truth, with the classical methods beside the network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import Cube, SpectralWarning, as_cube
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.labels import Labels, as_labels, in_short
from napari_spectrai.learn import metrics
from napari_spectrai.learn.agreement import agreement
from napari_spectrai.learn.assemble import refuse_missing
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.peaks import peak_errors
from napari_spectrai.learn.predict import predict
from napari_spectrai.learn.scoring import paired, scored
from napari_spectrai.marks import is_marks, labels_of_marks
from napari_spectrai.networks.enlarge import degraded
from napari_spectrai.plan.pairing import labels_on_truth, results_on_truth
from napari_spectrai.plan.pairing import paired as pair_of
from napari_spectrai.plan.truths import numbered
from napari_spectrai.runs.judgement import Report


def evaluate(result: Any, truth: Any, task: str = "denoising") -> Report:
    """Return the figures of a result against the truth, in the intensities given.

    Parameters
    ----------
    result, truth : Cube, array or napari layer of the same shape; for classes labels
        Pixels whose truth is 0 are not judged where classes are compared.
    task : str
        Which figures: of cubes MSE, PSNR in dB (data range of the truth), spectral angle in degrees and others; of classes
        accuracies, kappa, F1, mIoU, and those of each class.

    Layers, and files with stage coordinates, are compared where both are: cut to that, labels on the truth's pixels, with a warning.
    Arrays are compared pixel by pixel.

    Raises
    ------
    ValueError
        If shapes or axes differ, both lie so that their pixels do not coincide, values are missing, or the task is unknown.

    Warns
    -----
    SpectralWarning
        If both lie elsewhere, and what they share is compared.
    """
    spec = tasks.parse(task)
    if spec.truth == "labels":
        return _evaluate_labels(result, truth)
    first, second = paired(*at_one_place(result, truth))
    return Report({"result": figures_of(spec, scored(first, second, wanted(spec)).figures)})


def wanted(spec: TaskSpec) -> list[str]:
    """Return the figures that a task's cubes are judged by: its own, then others."""
    more = ["mae", "ssim", "ergas"] if spec.kind == "super_resolution" else ["mae", "ssim", "ergas", "peak_position", "peak_width"]
    return [*spec.metrics, *(name for name in more if name not in spec.metrics)]


def figures_of(spec: TaskSpec, figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures without those that cannot be told of these data (structure of a set of spectra) and are not the task's own."""
    return {name: value for name, value in figures.items() if name in spec.metrics or not math.isnan(value)}


def at_one_place(result: Any, truth: Any) -> tuple[Cube, Cube]:
    """Return two cubes cut to the pixels that both show, with a warning where anything was cut."""
    told, known, words = results_on_truth({"result": as_cube(result)}, as_cube(truth))
    _say(words)
    return told["result"], known


def _say(words: list[str]) -> None:
    for sentence in words:
        warnings.warn(sentence, SpectralWarning, stacklevel=4)


def _evaluate_labels(result: Any, truth: Any) -> Report:
    told, known, words = labels_on_truth({"result": as_labels(result)}, as_labels(truth))
    _say(words)
    agreed = agreement(told, known)
    matrix = agreed.matrices["result"]
    return Report({"result": metrics.from_confusion(matrix)}, classes=agreed.names, confusion=matrix.tolist())


def compare(model: Model | str | Path, cube: Any, truth: Any) -> Report:
    """Return the network's figures with those of the raw data and of the classical methods beside them.

    The figures are in prepared intensities (for instance each spectrum divided by its own maximum), where the
    network learnt. The classical methods were tuned on the model's training and validation rows, as the network,
    which used the latter to choose its best epoch; never on its test rows.

    Parameters
    ----------
    model : Model or path
    cube, truth : Cube, array or napari layer of the same pixels; for classes labels
        Data that the model has not seen, if the figures are to mean anything. A model of super-resolution that learnt from degraded
        images takes the sharp image as the truth, and `cube` may be None: it is degraded here.
    """
    model = model if isinstance(model, Model) else Model.load(model)
    task = model.description.experiment.task
    if task.truth == "labels":
        source = as_cube(cube)
        return _compare_classes(model, source, labels_of_marks(truth, source) if is_marks(truth) else as_labels(truth))
    target = as_cube(truth)
    if cube is None:
        if task.enlarges == 1:
            raise ValueError("there is no cube to apply the model to")
        height, width = (length // task.enlarges * task.enlarges for length in target.shape[-3:-1])
        target = target[(*[slice(None)] * (len(target.shape) - 3), slice(height), slice(width))]
        sharp = torch.from_numpy(np.ascontiguousarray(target.numpy().reshape(-1, *target.shape[-3:])))
        coarse = degraded(sharp, task.enlarges).numpy()
        source = target.with_data(coarse.reshape(*target.shape[:-3], *coarse.shape[1:]))
    else:
        source = as_cube(cube)
        pair = pair_of(task, source, target)
        if pair.trouble:
            raise ValueError(pair.trouble)
        _say([pair.words] if pair.words else [])
        source, target = pair.cube, pair.truth  # type: ignore[assignment]
        if task.same_axis and task.enlarges == 1:
            source, target = paired(source, target)
    predicted = predict(model, source).result.numpy()
    spectra, _, removed = model.preparation.apply(source.numpy().reshape(-1, source.shape[-1]), source.axis)
    truths, _, _ = model.preparation.apply(target.numpy().reshape(-1, target.shape[-1]), target.axis)
    refuse_missing(target.numpy().reshape(-1, target.shape[-1]), target, "truth", truths)
    network = predicted.reshape(-1, predicted.shape[-1])
    for offset, scale in removed:
        if task.enlarges > 1:
            offset, scale = (_enlarged(part, source, task.enlarges) for part in (offset, scale))  # noqa: PLW2901
        network = (network - offset) / (scale + (scale == 0))
    planes = source.spatial_shape if source.is_image else (1, source.count, 1)
    x = torch.from_numpy(np.ascontiguousarray(spectra, dtype=np.float32)).view(-1, *planes[-2:], spectra.shape[-1])
    sides = [length * task.enlarges for length in planes[-2:]]

    def image(values: Any) -> torch.Tensor:
        flat = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
        return flat.view(len(x), *sides, -1) if source.is_image else flat

    y, names = image(truths), task.metrics
    with torch.no_grad():
        results = {name: image(method(x).flatten(0, -2).numpy()) for name, method in model.classical.items()}
    results["network"] = image(network)
    rows = {name: metrics.scores(result, y, names) for name, result in results.items()}
    axis = model.description.truth_axis
    if task.enlarges == 1 and not any(map(math.isnan, peak_errors(y, y, axis.values))):
        for name, result in results.items():
            rows[name] |= dict(zip(("peak_position", "peak_width"), peak_errors(result, y, axis.values), strict=True))
    return Report(rows)


def _enlarged(factors: Any, source: Cube, times: int) -> Any:
    image = factors.reshape(-1, *source.spatial_shape[-2:], 1).repeat(times, 1).repeat(times, 2)
    return image.reshape(-1, 1)


def _compare_classes(model: Model, source: Cube, labels: Labels) -> Report:
    classes, task = model.description.classes, model.description.experiment.task
    pair = pair_of(task, source, labels)
    if pair.trouble:
        raise ValueError(pair.trouble)
    _say([pair.words] if pair.words else [])
    source, labels = pair.cube, as_labels(pair.truth)
    prediction = predict(model, source)
    shape = prediction.result.shape
    if task.of_images and labels.shape == source.spatial_shape:  # every pixel of an image has its class
        labels = replace(labels, data=labels.data.max((-2, -1)).reshape(shape))
    if labels.shape != shape:
        raise ValueError(f"the labels have shape {labels.shape} and the result {shape}; they must show the same pixels")
    truth = numbered(labels, classes)
    judged = torch.from_numpy(truth > 0)
    if not bool(judged.any()):
        raise ValueError(f"the labels hold none of the model's classes ({in_short([f'{one.value}: {one.name}' for one in classes])})")
    wanted = torch.from_numpy(truth)[judged] - 1
    assert prediction.probabilities is not None  # noqa: S101
    shares = torch.from_numpy(np.ascontiguousarray(prediction.probabilities.numpy()))[judged]
    rows = {}
    spectra, _, _ = model.preparation.apply(source.numpy().reshape(-1, source.shape[-1]), source.axis)
    planes = source.spatial_shape if source.is_image else (1, source.count, 1)
    x = torch.from_numpy(np.ascontiguousarray(spectra, dtype=np.float32)).view(-1, *planes[-2:], spectra.shape[-1])
    if task.of_images:
        x = x.mean((1, 2), keepdim=True)
    with torch.no_grad():
        for name, method in model.classical.items():
            rows[name] = metrics.of_classes(method(x).softmax(-1).view(*shape, -1)[judged], wanted, task.metrics)
    rows["network"] = metrics.of_classes(shares, wanted, task.metrics)
    matrix = metrics.confusion(shares.argmax(-1), wanted, len(classes))
    return Report(rows, classes=[one.name for one in classes], confusion=matrix.tolist())
