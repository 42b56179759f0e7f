"""How good is it: figures against the truth, with the classical methods beside the network."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import Cube, as_cube
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.files import replacing
from napari_spectrai.learn import metrics
from napari_spectrai.learn.dataset import refuse_missing, share_axis
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.predict import predict


@dataclass(frozen=True, slots=True)
class Report:
    """Figures by method: ``report.rows["network"]["mse"]``; ``print(report)`` gives a table."""

    rows: dict[str, dict[str, float]]
    unit: str = ""

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the result itself: the network's row."""
        return self.rows["network"] if "network" in self.rows else next(iter(self.rows.values()))

    def __str__(self) -> str:
        names = list(self.metrics)
        lines = [f"{'':<16}" + "".join(f"{metrics.TITLES[name]:>12}" for name in names)]
        for method, figures in self.rows.items():
            lines.append(f"{method:<16}" + "".join(f"{figures[name]:>12.5g}" for name in names))
        return "\n".join(lines)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["method", *self.metrics])
            writer.writerows([method, *figures.values()] for method, figures in self.rows.items())
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
    result, truth : Cube, array or napari layer of the same shape
    task : str
        Which figures: for ``"denoising"`` MSE, PSNR in dB (data range of the truth) and spectral angle in degrees.

    Raises
    ------
    ValueError
        If shapes or axes differ, values are missing, or the task is unknown.
    """
    first, second = _pair(result, truth)
    names = tasks[task].metrics
    values = []
    for cube, side in ((first, "result"), (second, "truth")):
        spectra = cube.numpy().reshape(-1, cube.shape[-1])
        refuse_missing(spectra, cube, side)
        values.append(torch.from_numpy(np.ascontiguousarray(spectra)))
    return Report({"result": metrics.scores(values[0], values[1], names)})


def compare(model: Model | str | Path, cube: Any, truth: Any) -> Report:
    """Return the network's figures with those of the raw data and of the classical methods beside them.

    The figures are in prepared intensities (for instance each spectrum divided by its own maximum), where the
    network learnt. The classical methods were tuned on the model's training and validation rows, as the network,
    which used the latter to choose its best epoch; never on its test rows.

    Parameters
    ----------
    model : Model or path
    cube, truth : Cube, array or napari layer of the same shape
        Data that the model has not seen, if the figures are to mean anything.
    """
    model = model if isinstance(model, Model) else Model.load(model)
    source, target = _pair(cube, truth)
    predicted = predict(model, source).result.numpy()
    spectra, _, removed = model.preparation.apply(source.numpy().reshape(-1, source.shape[-1]), source.axis)
    truths, _, _ = model.preparation.apply(target.numpy().reshape(-1, target.shape[-1]), target.axis)
    refuse_missing(target.numpy().reshape(-1, target.shape[-1]), target, "truth", truths)
    network = predicted.reshape(-1, predicted.shape[-1])
    for offset, scale in removed:
        network = (network - offset) / (scale + (scale == 0))
    x, y = (torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for values in (spectra, truths))
    names = model.description.experiment.task.metrics
    rows = {name: metrics.scores(method.apply(x), y, names) for name, method in model.classical.items()}
    rows["network"] = metrics.scores(torch.from_numpy(np.ascontiguousarray(network, dtype=np.float32)), y, names)
    return Report(rows)
