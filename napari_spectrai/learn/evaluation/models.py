"""Scores of models: applied to a source, and compared with its raw data and the classical methods kept in the model."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.class_numbers import named_on_one_side, on_the_numbers_of
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.compatibility import brought
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Class, Labels, names_alike
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.data.pool import mean_spectrum, with_holes
from napari_spectrai.learn.evaluation.classes import absent
from napari_spectrai.learn.evaluation.cubes import kept_steps, of_cubes
from napari_spectrai.learn.evaluation.overlap import overlap_notes, overlap_of, words_of_others
from napari_spectrai.learn.evaluation.streaming import paired
from napari_spectrai.learn.inference.chaining import on_axis_of
from napari_spectrai.learn.inference.predict import predict
from napari_spectrai.learn.inference.prediction import Prediction
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring import intervals, metrics
from napari_spectrai.marks import is_marks, labels_of_marks
from napari_spectrai.networks.upsampling import degraded
from napari_spectrai.plan.pairing import paired as pair_of
from napari_spectrai.plan.truths import class_table, numbered
from napari_spectrai.preparation.missing import usable
from napari_spectrai.runs import Progress
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.score_table import Role
from napari_spectrai.valid import finite, said, values_of, without


def of_model(model: Model, source: Any, truth: Any, options: EvaluateOptions, moved: list[str]) -> Generator[Progress, None, Evaluation]:
    """Apply a model to a source and score it; sentences on crops are added to `moved`."""
    task = model.description.experiment.task
    if source is None and task.enlarges == 1:
        raise ValueError("there is no cube to apply the model to; give the source (source=)")
    if task.classifies:
        cube = as_cube(source)
        labels = labels_of_marks(truth, cube) if is_marks(truth) else as_labels(truth)
        yield Progress(0, 1)
        return _of_classes(model, cube, labels, options, moved)
    cube, target, notes = _pair(model, source, as_cube(truth), options, moved)
    cube, fit = on_axis_of(model, cube, resample=False)
    target = brought(target, model.description, fit) if fit.how == "renamed" and task.same_axis else target
    predicted = _predicted(model, cube).result
    kept = kept_steps(model)
    seen = [_as_prepared(model, one) if kept else one for one in (target, cube)]
    found = yield from of_cubes(task, {"network": predicted}, seen[0], cube, model, options.normalise, seen[1] if kept else None)
    found.notes[:0] = notes
    return found


def _predicted(model: Model, source: Cube) -> Prediction:
    """Return the prediction for a cube without warnings; its notes are among the evaluation's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)
        return predict(model, source)


def _pair(model: Model, cube: Any, target: Cube, options: EvaluateOptions, moved: list[str]) -> tuple[Cube, Cube, list[str]]:
    """Return source, truth and notes; where a model that enlarges has no source, its source is the truth, downsampled."""
    task = model.description.experiment.task
    if cube is not None:
        source = as_cube(cube)
        if options.pairing == "position":
            pair = pair_of(task, source, target)
            if pair.trouble:
                raise ValueError(pair.trouble)
            moved += [pair.words] if pair.words else []
            source, target = pair.cube, pair.truth  # type: ignore[assignment]
        if task.same_axis and task.enlarges == 1:
            return (*paired(source, target), [])
        if task.enlarges > 1:
            _refuse_other_size(source, target, task.enlarges)
        return source, target, []
    target, notes = _divisible(target, task.enlarges)
    sharp = torch.from_numpy(np.ascontiguousarray(target.numpy().reshape(-1, *target.shape[-3:])))
    coarse = degraded(sharp, task.enlarges).numpy()
    return target.with_data(coarse.reshape(*target.shape[:-3], *coarse.shape[1:])), target, notes


def _divisible(target: Cube, times: int) -> tuple[Cube, list[str]]:
    """Return a sharp image without the last rows and columns that do not fill a coarse pixel, and a note on the crop."""
    sides = target.spatial_shape[-2:]
    kept = tuple(length // times * times for length in sides)
    if not all(kept):
        raise ValueError(f"the truth of {sides[0]} × {sides[1]} pixels cannot be downsampled by {times}; give a larger image")
    notes = [f"{sides[0]} × {sides[1]} pixels cannot be divided by {times}; the first {kept[0]} × {kept[1]} are compared"]
    cropped = target[(*[slice(None)] * (len(target.shape) - 3), slice(kept[0]), slice(kept[1]))]
    return cropped, [] if kept == sides else notes


def _refuse_other_size(source: Cube, target: Cube, times: int) -> None:
    """Raise for a truth that does not have `times` as many pixels per side as the source.

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


def _of_classes(model: Model, source: Cube, labels: Labels, options: EvaluateOptions, moved: list[str]) -> Evaluation:
    class_mean = options.class_mean
    if options.pairing == "position":
        pair = pair_of(model.description.experiment.task, source, labels)
        if pair.trouble:
            raise ValueError(pair.trouble)
        moved += [pair.words] if pair.words else []
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
    scored = (truth > 0) & (held.mask if held.mask.shape == shape else held.mask.any((-2, -1)).reshape(shape))
    if not scored.any():
        raise ValueError("no labelled pixel holds data, so there is nothing to compare; open the cube that the labels belong to")
    wanted = torch.from_numpy(truth[scored] - 1)
    assert prediction.probabilities is not None  # noqa: S101
    shares = {"network": _padded(torch.from_numpy(np.ascontiguousarray(prediction.probabilities.numpy()))[scored], len(classes))}
    shares |= {name: _padded(values.view(*shape, -1)[scored], len(classes)) for name, values in _classical(model, source).items()}
    rows = {name: metrics.of_classes(values, wanted, task.metrics, class_mean=class_mean) for name, values in shares.items()}
    names = [one.name for one in classes]
    matrices = {name: metrics.confusion(values.argmax(-1), wanted, len(classes)) for name, values in shares.items()}
    matrix = matrices["network"]
    units = intervals.squares(scored.shape)[scored]
    sure = {name: intervals.of_classes(values, wanted, units, tuple(rows[name]), class_mean) for name, values in shares.items()}
    overlap = overlap_of(model, source, scored=scored)
    notes = [
        *overlap_notes(model, overlap, source),
        *([words] if (words := said([held], "are not scored")) else []),
        *_unknown(model, classes, truth),
        *_names(model, classes, labels),
        *absent(matrix.numpy(), names, "network", class_mean),
    ]
    if overlap is not None and overlap.others is not None:
        rest = overlap.others[scored]
        unseen = metrics.of_classes(shares["network"][rest], wanted[rest], task.metrics, class_mean=class_mean)
        notes.append(words_of_others(int(rest.sum()), "network", task.metrics[0], unseen[task.metrics[0]]))
    roles: dict[str, Role] = {name: "result" if name == "network" else "classical" for name in rows}
    return Evaluation(
        task.kind, rows, roles, classes=names, values=[one.value for one in classes], shape=list(shape), notes=notes, class_mean=class_mean,
        confusions={name: counts.tolist() for name, counts in matrices.items()}, scored=len(wanted), intervals=sure,
        learnt_from=None if overlap is None else overlap.count,
    )  # fmt: skip


def _classical(model: Model, source: Cube) -> dict[str, Tensor]:
    """Return the probabilities (pixels, C) that the classical methods kept in a model give."""
    held = usable(source, model.preparation.steps).mask.ravel()
    spectra, _, _ = model.preparation.apply(without(values_of(source).reshape(-1, source.shape[-1]), held), source.axis)
    spectra = without(spectra, finite(spectra))
    planes = source.spatial_shape if source.is_image else (1, source.count, 1)
    x = torch.from_numpy(np.ascontiguousarray(spectra, dtype=np.float32)).view(-1, *planes[-2:], spectra.shape[-1])
    holes = torch.from_numpy(~held).view(x.shape[:-1])
    if model.description.experiment.task.of_images:
        x, holes = mean_spectrum(x), torch.zeros(1, 1, 1, dtype=torch.bool)
    elif not model.description.continues_empty:
        holes = torch.zeros_like(holes)
    with torch.no_grad():
        return {name: method(with_holes(x, holes, method.spec)).softmax(-1).flatten(0, -2) for name, method in model.classical.items()}


def _with_unknown(model: Model, labels: Labels) -> tuple[list[Class], npt.NDArray[np.int64]]:
    """Return the model's classes, then those that only the labels hold, and the place of each label among them, from 1.

    Raises
    ------
    ValueError
        If the labels hold none of the model's classes.
    """
    classes, task = model.description.classes, model.description.experiment.task
    labels, _ = on_the_numbers_of(
        Labels(np.full((1,) * labels.data.ndim, classes[0].value)), {one.value: one.name for one in classes}, labels
    )
    truth = numbered(labels, classes)
    if not (truth > 0).any():
        raise ValueError(f"the labels hold none of the model's classes ({', '.join(f'{one.value}: {one.name}' for one in classes)})")
    known = {one.value for one in classes}
    others = [one for one in class_table([labels], task.no_label) if one.value not in known]
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


def _names(model: Model, classes: Sequence[Class], labels: Labels) -> Iterator[str]:
    """Yield what the names of the classes leave open, of a model and of a truth whose numbers are compared with its own."""
    known = {one.value: one.name for one in model.description.classes}
    named = {value: name for value, name in labels.names.items() if value in known}
    if not {*known.values()} & {*labels.names.values()} and (differing := [value for value, name in named.items() if name != known[value]]):
        if words := named_on_one_side(known, named, "the model"):
            yield words
        else:
            first = differing[0]
            yield (
                f"The truth names none of its classes as the model does, such as {first}: {named[first]} there, {known[first]} here; they "
                "are compared by number."
            )
    elif words := named_on_one_side(known, labels.names, "the model"):
        yield words
    if words := names_alike(classes, "scored"):
        yield words


def _padded(shares: Tensor, count: int) -> Tensor:
    """Return probabilities (n, C) with columns of zeros for the classes that a model does not know."""
    return torch.nn.functional.pad(shares, (0, count - shares.shape[1]))
