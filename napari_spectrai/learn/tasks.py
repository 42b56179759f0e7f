"""What a task does with a network's output: its loss, its figures."""

from __future__ import annotations

from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn import metrics


class Restoration:
    """The output is a cube like the truth: denoising."""

    def __init__(self, experiment: Experiment) -> None:
        self.names = experiment.task.metrics
        self._loss = experiment.loss.load()
        self._loss_spec = experiment.loss

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        """Return what training makes small."""
        value: Tensor = self._loss(self._loss_spec, output, truth)
        return value

    def scores(self, output: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the task's figures; the first decides which epoch is best (smaller is better)."""
        return metrics.scores(output, truth, self.names)
