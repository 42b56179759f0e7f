"""Scores against the truth: of results, and of a model with the classical methods for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.compatibility import brought
from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io import SpectralWarning
from napari_spectrai.labels import Class, Labels, as_labels
from napari_spectrai.learn.data.pool import mean_spectrum
from napari_spectrai.learn.evaluation import metrics
from napari_spectrai.learn.evaluation.classes import absent
from napari_spectrai.learn.evaluation.cubes import finished, judge, kept_steps, of_cubes
from napari_spectrai.learn.evaluation.overlap import overlap_notes, overlap_of, words_of_others
from napari_spectrai.learn.evaluation.streaming import paired
from napari_spectrai.learn.inference.chaining import on_axis_of
from napari_spectrai.learn.inference.predict import Prediction, predict
from napari_spectrai.learn.model import Model
from napari_spectrai.marks import is_marks, labels_of_marks
from napari_spectrai.networks.upsampling import degraded
from napari_spectrai.plan.pairing import labels_on_truth, results_on_truth
from napari_spectrai.plan.pairing import paired as pair_of
from napari_spectrai.plan.truths import class_table, numbered
from napari_spectrai.preparation.missing import usable
from napari_spectrai.runs.scores import Report
from napari_spectrai.valid import finite, said, values_of, without


def evaluate(
    result: Any,
    truth: Any,
    task: str = "denoising",
    *,
    source: Any = None,
    model: Model | str | Path | None = None,
    normalise: str | None = None,
    class_mean: ClassMean = "truth",
) -> Report:
    """Return the scores of a result against the truth, in the intensities given.

    It is the table of `judge`, whose rule holds here, too: a score is of the intensities given unless `normalise` says otherwise.

    Parameters
    ----------
    result, truth : Cube, array or napari layer of the same shape; for classes labels
        Pixels whose truth is 0 are not scored where classes are compared.
    task : str
        Which scores: of cubes MSE, PSNR in dB (data range of the truth), spectral angle in degrees and others; of classes
        accuracies, kappa, F1, mIoU, and those of each class.
    source : Cube, array or napari layer, optional
        What the result was made from: the row "raw".
    model : Model or path, optional
        The model that made the result from `source`. Its classical methods are further rows, and spectra that it was trained or
        validated on are counted (`Report.learnt_from`) and noted.
    normalise, class_mean : as for `judge`

    Layers, and files with stage coordinates, are compared where both are: cut to that, labels on the truth's pixels, with a warning.
    Arrays are compared pixel by pixel.

    Raises
    ------
    ValueError
        If shapes or axes differ, values are missing, a model is given without a source, or the task is unknown.
    """
    report = judge({"result": result}, truth, task, source=source, model=model, normalise=normalise, class_mean=class_mean).report()
    if tasks.parse(task).truth == "labels":
        words = labels_on_truth({"result": as_labels(result)}, as_labels(truth))[2]
    else:
        words = results_on_truth({"result": as_cube(result)}, as_cube(truth))[2]
    _say(words)
    return report


def compare(model: Model | str | Path, cube: Any, truth: Any, *, normalise: str | None = None, class_mean: ClassMean = "truth") -> Report:
    """Return the scores of a model with those of the raw data and of the classical methods kept in it.

    The scores are of the intensities given, as those of `evaluate` and `judge` are. Those of the training itself (in the model's card)
    are of prepared intensities; where the preparation normalises each spectrum, `normalise` with the same way compares with them. The
    classical methods were tuned on the model's training and validation samples, as the network, which used the latter to choose its best
    epoch; never on its test samples.

    Parameters
    ----------
    model : Model or path
    cube, truth : Cube, array or napari layer of the same pixels; for classes labels
        Data that the model has not seen, if the scores are to mean anything: spectra that it was trained or validated on are recognised
        by their values, counted (`Report.learnt_from`) and noted. A model of super-resolution that learnt from degraded images takes the
        sharp image as the truth, and `cube` may be None: it is degraded here. Steps of the model's preparation that are not undone in its
        results (baselines, crops, derivatives) are applied to truth and raw data, too.
    normalise : str, optional
        ``"maximum"``, ``"area"``, ``"vector"``, ``"minmax"``, ``"snv"`` or ``"rnv"``: scale each spectrum of the truth by itself, and those
        of results by their source's. Default: the intensities given.
    class_mean : {"truth", "union"}
        Over which classes F1, IoU and Dice are averaged; see `judge`.

    Raises
    ------
    ValueError
        If shapes or axes differ, values are missing, or no pixel is labelled.
    """
    model = model if isinstance(model, Model) else Model.load(model)
    task = model.description.experiment.task
    if task.truth == "labels":
        source = as_cube(cube)
        labels = labels_of_marks(truth, source) if is_marks(truth) else as_labels(truth)
        return _compare_classes(model, source, labels, class_mean)
    source, target, notes = _pair(model, cube, as_cube(truth))
    source, fit = on_axis_of(model, source, resample=False)
    target = brought(target, model.description, fit) if fit.how == "renamed" and task.same_axis else target
    predicted = _predicted(model, source).result
    kept = kept_steps(model)
    seen = [_as_prepared(model, one) if kept else one for one in (target, source)]
    found = finished(of_cubes(task, {"network": predicted}, seen[0], source, model, normalise, seen[1] if kept else None))
    report = found.report()
    order = {row.name: {"raw": 0, "classical": 1, "result": 2}[row.role] for row in found.rows}
    return replace(report, notes=[*notes, *report.notes], rows={name: report.rows[name] for name in sorted(order, key=order.__getitem__)})


def _predicted(model: Model, source: Cube) -> Prediction:
    """Return what a model says of a cube; what there is to know of it is said by the report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)
        return predict(model, source)


def _pair(model: Model, cube: Any, target: Cube) -> tuple[Cube, Cube, list[str]]:
    """Return source, truth and notes; the truth of a model that enlarges, made coarse, is its source where there is none."""
    task = model.description.experiment.task
    if cube is not None:
        source = as_cube(cube)
        pair = pair_of(task, source, target)
        if pair.trouble:
            raise ValueError(pair.trouble)
        _say([pair.words] if pair.words else [])
        source, target = pair.cube, pair.truth  # type: ignore[assignment]
        if task.same_axis and task.enlarges == 1:
            return (*paired(source, target), [])
        if task.enlarges > 1:
            _refuse_other_size(source, target, task.enlarges)
        return source, target, []
    if task.enlarges == 1:
        raise ValueError("there is no cube to apply the model to; give one")
    target, notes = _divisible(target, task.enlarges)
    sharp = torch.from_numpy(np.ascontiguousarray(target.numpy().reshape(-1, *target.shape[-3:])))
    coarse = degraded(sharp, task.enlarges).numpy()
    return target.with_data(coarse.reshape(*target.shape[:-3], *coarse.shape[1:])), target, notes


def _say(words: Sequence[str]) -> None:
    for sentence in words:
        warnings.warn(sentence, SpectralWarning, stacklevel=4)


def _divisible(target: Cube, times: int) -> tuple[Cube, list[str]]:
    """Return a sharp image without the last rows and columns that fill no coarse pixel, and in words what was cut off."""
    sides = target.spatial_shape[-2:]
    kept = tuple(length // times * times for length in sides)
    if not all(kept):
        raise ValueError(f"the truth of {sides[0]} × {sides[1]} pixels cannot be made coarse by {times}; give a larger image")
    notes = [f"{sides[0]} × {sides[1]} pixels cannot be divided by {times}; the first {kept[0]} × {kept[1]} are compared"]
    cropped = target[(*[slice(None)] * (len(target.shape) - 3), slice(kept[0]), slice(kept[1]))]
    return cropped, [] if kept == sides else notes


def _refuse_other_size(source: Cube, target: Cube, times: int) -> None:
    """Refuse a truth that has not `times` as many pixels per side as the source.

    Raises
    ------
    ValueError
    """
    wanted = (*source.spatial_shape[:-2], *(times * length for length in source.spatial_shape[-2:]))
    if target.spatial_shape != wanted:
        shown, known = (" × ".join(map(str, shape)) for shape in (wanted, target.spatial_shape))
        raise ValueError(f"enlarged {times} times, the cube has {shown} pixels, and the truth {known}; crop the truth, or the cube")


def _as_prepared(model: Model, cube: Cube) -> Cube:
    """Return a cube after a model's preparation, its scalings undone as those of the model's results are."""
    held = usable(cube, model.preparation.steps).mask.ravel()
    spectra, axis, removed = model.preparation.apply(without(values_of(cube).reshape(-1, cube.shape[-1]), held), cube.axis)
    restored = np.where(held[:, None], model.preparation.restore(spectra, removed), np.nan).astype(np.float32)
    return replace(cube, data=restored.reshape(*cube.spatial_shape, -1), axis=axis, source=None)


# ---------------------------------------------------------------- classes


def _compare_classes(model: Model, source: Cube, labels: Labels, class_mean: ClassMean) -> Report:
    pair = pair_of(model.description.experiment.task, source, labels)
    if pair.trouble:
        raise ValueError(pair.trouble)
    _say([pair.words] if pair.words else [])
    source, labels = pair.cube, as_labels(pair.truth)
    source, _ = on_axis_of(model, source, resample=False)
    prediction = _predicted(model, source)
    task, shape = model.description.experiment.task, prediction.result.shape
    if task.of_images and labels.shape == source.spatial_shape:  # every pixel of an image has its class
        labels = replace(labels, data=labels.data.max((-2, -1)).reshape(shape))
    if labels.shape != shape:
        raise ValueError(f"the labels have shape {labels.shape} and the result {shape}; they must show the same pixels")
    classes, truth = _with_unknown(model, labels)
    held = usable(source, model.preparation.steps)
    judged = (truth > 0) & (held.mask if held.mask.shape == shape else held.mask.any((-2, -1)).reshape(shape))
    if not judged.any():
        raise ValueError("no labelled pixel holds data, so there is nothing to compare; open the cube that the labels belong to")
    wanted = torch.from_numpy(truth[judged] - 1)
    assert prediction.probabilities is not None  # noqa: S101
    shares = {name: _padded(values.view(*shape, -1)[judged], len(classes)) for name, values in _classical(model, source).items()}
    shares["network"] = _padded(torch.from_numpy(np.ascontiguousarray(prediction.probabilities.numpy()))[judged], len(classes))
    rows = {name: metrics.of_classes(values, wanted, task.metrics, class_mean=class_mean) for name, values in shares.items()}
    names = [one.name for one in classes]
    matrix = metrics.confusion(shares["network"].argmax(-1), wanted, len(classes))
    overlap = overlap_of(model, source, scored=judged)
    notes = [
        *overlap_notes(model, overlap, source),
        *([words] if (words := said([held], "are not judged")) else []),
        *_unknown(model, classes, truth),
        *absent(matrix.numpy(), names, "network", class_mean),
    ]
    if overlap is not None and overlap.others is not None:
        rest = overlap.others[judged]
        unseen = metrics.of_classes(shares["network"][rest], wanted[rest], task.metrics, class_mean=class_mean)
        notes.append(words_of_others(int(rest.sum()), "network", task.metrics[0], unseen[task.metrics[0]]))
    return Report(
        rows, classes=names, confusion=matrix.tolist(), notes=notes, class_mean=class_mean,
        scored=len(wanted), learnt_from=None if overlap is None else overlap.count,
    )  # fmt: skip


def _classical(model: Model, source: Cube) -> dict[str, Tensor]:
    """Return the probabilities (pixels, C) that the classical methods kept in a model give."""
    held = usable(source, model.preparation.steps).mask.ravel()
    spectra, _, _ = model.preparation.apply(without(values_of(source).reshape(-1, source.shape[-1]), held), source.axis)
    spectra = without(spectra, finite(spectra))
    planes = source.spatial_shape if source.is_image else (1, source.count, 1)
    x = torch.from_numpy(np.ascontiguousarray(spectra, dtype=np.float32)).view(-1, *planes[-2:], spectra.shape[-1])
    if model.description.experiment.task.of_images:
        x = mean_spectrum(x)
    with torch.no_grad():
        return {name: method(x).softmax(-1).flatten(0, -2) for name, method in model.classical.items()}


def _with_unknown(model: Model, labels: Labels) -> tuple[list[Class], npt.NDArray[np.int64]]:
    """Return the model's classes, then those that only the labels hold, and the place of each label among them, from 1.

    Raises
    ------
    ValueError
        If the labels hold none of the model's classes.
    """
    classes, task = model.description.classes, model.description.experiment.task
    truth = numbered(labels, classes)
    if not (truth > 0).any():
        raise ValueError(f"the labels hold none of the model's classes ({', '.join(f'{one.value}: {one.name}' for one in classes)})")
    known = {one.value for one in classes}
    others = [one for one in class_table([labels], getattr(task, "unlabelled", 0)) if one.value not in known]
    if others:
        more = numbered(labels, others)
        truth = np.where(more > 0, more + len(classes), truth)
    return [*classes, *others], truth


def _unknown(model: Model, classes: Sequence[Class], truth: npt.NDArray[np.int64]) -> Iterator[str]:
    """Yield which classes of the truth a model does not know."""
    known = len(model.description.classes)
    if len(classes) > known:
        names = ", ".join(one.name for one in classes[known:])
        yield f"{int((truth > known).sum()):,} scored pixels are of classes that the model does not know ({names}); they count as wrong."


def _padded(shares: Tensor, count: int) -> Tensor:
    """Return probabilities (n, C) with columns of zeros for the classes that a model does not know."""
    return torch.nn.functional.pad(shares, (0, count - shares.shape[1]))
