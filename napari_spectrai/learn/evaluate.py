"""How good is it: figures against the truth, with the classical methods beside the network."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import Cube, SpectralAxis, as_cube
from napari_spectrai.experiment.metrics import METRICS, by_class
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.files import replacing
from napari_spectrai.labels import Labels, as_labels
from napari_spectrai.learn import metrics
from napari_spectrai.learn.assemble import refuse_missing
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.peaks import peak_errors
from napari_spectrai.learn.predict import predict
from napari_spectrai.networks.enlarge import degraded
from napari_spectrai.plan.truths import numbered, share_axis


@dataclass(frozen=True, slots=True)
class Report:
    """Figures by method: ``report.rows["network"]["mse"]``; ``print(report)`` gives a table."""

    rows: dict[str, dict[str, float]]
    unit: str = ""
    classes: list[str] = field(default_factory=list)
    """Names of the classes, where classes are judged."""
    confusion: list[list[int]] = field(default_factory=list)
    """Rows the truth, columns the result."""

    @property
    def by_class(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1, IoU and support of each class."""
        if not self.classes:
            return {}
        figures = by_class(self.confusion)
        return {name: {what: values[number] for what, values in figures.items()} for number, name in enumerate(self.classes)}

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the result itself: the network's row."""
        return self.rows["network"] if "network" in self.rows else next(iter(self.rows.values()))

    def __str__(self) -> str:
        names = list(self.metrics)
        lines = [f"{'':<18}" + "".join(f"{METRICS[name].title:>14}" for name in names)]
        for method, figures in self.rows.items():
            lines.append(f"{method:<18}" + "".join(f"{figures[name]:>14.5g}" for name in names))
        if self.classes:
            lines += ["", f"{'':<26}{'recall':>10}{'precision':>11}{'F1':>8}{'IoU':>8}{'pixels':>9}"]
            for name, row in self.by_class.items():
                shown = f"{row['recall']:>10.3f}{row['precision']:>11.3f}{row['f1']:>8.3f}{row['iou']:>8.3f}"
                lines.append(f"{name[:25]:<26}{shown}{row['support']:>9.0f}")
        return "\n".join(lines)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["method", *self.metrics])
            writer.writerows([method, *figures.values()] for method, figures in self.rows.items())
            if self.classes:
                writer.writerow([])
                writer.writerow(["class", *next(iter(self.by_class.values()))])
                writer.writerows([name, *figures.values()] for name, figures in self.by_class.items())
                writer.writerow([])
                writer.writerow(["truth \\ result", *self.classes])
                writer.writerows([name, *row] for name, row in zip(self.classes, self.confusion, strict=True))
        return Path(path)


def _pair(result: Any, truth: Any) -> tuple[Cube, Cube]:
    first, second = as_cube(result), as_cube(truth)
    if first.shape != second.shape:
        raise ValueError(f"the result has shape {first.shape} and the truth {second.shape}; they must show the same pixels and bands")
    difference = second.axis.mismatch(first.axis)
    if difference and first.axis.unit and second.axis.unit:
        raise ValueError(f"the result has {difference} (the truth: {second.axis.describe()}); resample one of them")
    return share_axis(first, second)


def evaluate(result: Any, truth: Any, task: str = "denoising") -> Report:
    """Return the figures of a result against the truth, in the intensities given.

    Parameters
    ----------
    result, truth : Cube, array or napari layer of the same shape; for classes labels
        Pixels whose truth is 0 are not judged where classes are compared.
    task : str
        Which figures: of cubes MSE, PSNR in dB (data range of the truth), spectral angle in degrees and others; of classes
        accuracies, kappa, F1, mIoU, and those of each class.

    Raises
    ------
    ValueError
        If shapes or axes differ, values are missing, or the task is unknown.
    """
    spec = tasks.parse(task)
    if spec.truth == "labels":
        return _evaluate_labels(result, truth)
    first, second = _pair(result, truth)
    for cube, side in ((first, "result"), (second, "truth")):
        refuse_missing(cube.numpy().reshape(-1, cube.shape[-1]), cube, side)
    values = [torch.from_numpy(np.ascontiguousarray(cube.numpy())) for cube in (first, second)]
    wanted = [*spec.metrics, *(name for name in ("mae", "ssim", "ergas") if name not in spec.metrics)]
    figures = metrics.scores(values[0], values[1], wanted)
    if task != "super_resolution":
        figures |= _peaks(values[0], values[1], second.axis)
    # what cannot be told of these data (structure of a set of spectra) is left out
    return Report({"result": {name: value for name, value in figures.items() if name in spec.metrics or not math.isnan(value)}})


def _peaks(result: torch.Tensor, truth: torch.Tensor, axis: SpectralAxis) -> dict[str, float]:
    return dict(zip(("peak_position", "peak_width"), peak_errors(result, truth, axis.values), strict=True))


def _evaluate_labels(result: Any, truth: Any) -> Report:
    told, known = as_labels(result), as_labels(truth)
    if told.shape != known.shape:
        raise ValueError(f"the result has shape {told.shape} and the truth {known.shape}; they must show the same pixels")
    judged = known.data != 0 if known.data.ndim > 1 or 0 in known.names else np.ones(known.shape, bool)
    values = np.unique(np.concatenate([told.data[judged], known.data[judged]]))
    if not len(values):
        raise ValueError("the truth labels no pixel (all are 0), so there is nothing to judge by")
    names = [known.names.get(int(v), told.names.get(int(v), f"class {v}")) for v in values]
    places = [torch.from_numpy(np.searchsorted(values, labels.data[judged])) for labels in (told, known)]
    matrix = metrics.confusion(places[0], places[1], len(values))
    return Report({"result": metrics.from_confusion(matrix)}, classes=names, confusion=matrix.tolist())


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
        return _compare_classes(model, as_cube(cube), as_labels(truth))
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
        if task.same_axis and task.enlarges == 1:
            source, target = _pair(source, target)
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
    if task.enlarges == 1 and not any(map(math.isnan, _peaks(y, y, axis).values())):
        for name, result in results.items():
            rows[name] |= _peaks(result, y, axis)
    return Report(rows)


def _enlarged(factors: Any, source: Cube, times: int) -> Any:
    image = factors.reshape(-1, *source.spatial_shape[-2:], 1).repeat(times, 1).repeat(times, 2)
    return image.reshape(-1, 1)


def _compare_classes(model: Model, source: Cube, labels: Labels) -> Report:
    prediction = predict(model, source)
    classes, task = model.description.classes, model.description.experiment.task
    shape = prediction.result.shape
    if task.of_images and labels.shape == source.spatial_shape:  # every pixel of an image has its class
        labels = replace(labels, data=labels.data.max((-2, -1)).reshape(shape))
    if labels.shape != shape:
        raise ValueError(f"the labels have shape {labels.shape} and the result {shape}; they must show the same pixels")
    truth = numbered(labels, classes)
    judged = torch.from_numpy(truth > 0)
    if not bool(judged.any()):
        raise ValueError(f"the labels hold none of the model's classes ({', '.join(f'{one.value}: {one.name}' for one in classes)})")
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
