"""How the steps of a run are computed: the precision and the samples at once with which it began, or what is measured to be fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.parallel.group import ProcessGroup
from napari_spectrai.learn.train.micro_batch import micro_batch, micro_batch_before
from napari_spectrai.learn.train.precision import precision_before, training_precision
from napari_spectrai.runs import RunFolder


@dataclass(frozen=True, slots=True)
class Computing:
    """Chooses how the steps of a run are computed; what was measured is noted in the data set.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset
    folder : RunFolder
    group : ProcessGroup
    device : torch.device
    """

    experiment: Experiment
    data: Dataset
    folder: RunFolder
    group: ProcessGroup
    device: torch.device

    @property
    def _resumed(self) -> bool:
        return self.folder.has_checkpoint

    @property
    def _shape(self) -> tuple[int, ...]:
        samples = self.data.parts["training"]
        return max(2, min(self.experiment.training.batch, len(samples))), samples.patch, samples.patch, len(self.data.prepared_axis)

    def precision(self, network: nn.Module) -> str:
        """Return ``"fp32"``, ``"bf16"`` or ``"fp16"``."""
        before = precision_before(self.folder) if self._resumed else None
        if before is not None:
            return before
        precision, notes = training_precision(self.experiment, network, self._shape, self.device)
        self.data.notes.extend(notes)
        return precision

    def samples_at_once(self, network: nn.Module, still: Sequence[nn.Module], precision: str, steps: int) -> int:
        """Return how many samples of a batch are computed at once, 0 for all, in a training of so many steps."""
        before = micro_batch_before(self.folder) if self._resumed else None
        if before is not None:
            return before
        if self.group.size > 1 and self.experiment.training.micro_batch == "auto":  # the processes would disturb each other's measurement
            return 0
        size, notes = micro_batch(self.experiment, network, still, self._shape, self.device, precision, steps)
        self.data.notes.extend(notes)
        return size
