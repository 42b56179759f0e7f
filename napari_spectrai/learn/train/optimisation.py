"""Steps of a training: augmentation, forward and backward pass, optimiser, learning rate, and the average of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.metrics import Metric
from napari_spectrai.learn.parallel.batch_norm import synchronise
from napari_spectrai.learn.parallel.group import ALONE, ProcessGroup
from napari_spectrai.learn.train.augment import Chain
from napari_spectrai.learn.train.ema import EMA
from napari_spectrai.learn.train.micro_batch import in_pieces
from napari_spectrai.learn.train.optimisers import optimiser
from napari_spectrai.learn.train.tasks import TrainingPair


class Optimisation:
    """A network, and what changes its weights.

    Parameters
    ----------
    experiment : Experiment
    network : nn.Module
    accelerator : Accelerator
        Its device and precision are those of the training.
    steps : int
        Steps per epoch.
    still : sequence of nn.Module
        Frozen normalisations, which stay in evaluation mode.
    labels : bool
        Whether targets are classes, which are augmented in their own way.
    group : ProcessGroup
        The processes that share each step.
    micro_batch : int
        Samples that are computed at once; 0: all.

    Attributes
    ----------
    network : nn.Module
    average : EMA
        The average of its weights, which is validated and saved.
    generator : torch.Generator
        The generator of augmentations and of pairs.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: nn.Module,
        accelerator: Accelerator,
        steps: int,
        still: Sequence[nn.Module],
        *,
        labels: bool,
        group: ProcessGroup = ALONE,
        micro_batch: int = 0,
    ) -> None:
        self._group, self._micro_batch = group, micro_batch
        settings = experiment.training
        self.accelerator, self._still, self._clip = accelerator, still, settings.clip
        arguments = settings.optimiser.model_dump(exclude={"kind"})
        made = optimiser(settings.optimiser.load(), network.parameters(), accelerator.device, **arguments)
        # a copy from before Accelerate makes every call of the network, even after the training, one of lower precision
        self.average = EMA(network, settings.ema)
        self.network, self._optimiser = accelerator.prepare(network, made, device_placement=[True, True])
        self.average.module.to(next(self.network.parameters()).device)
        synchronise(self.network, group)
        self._parameters = list(self.network.parameters())  # walking over small modules takes a tenth of a step
        self._schedule, self._pace = settings.schedule.load()(settings.schedule, self._optimiser.optimizer, steps, settings.epochs)
        self._augment = Chain(experiment.augmentation, labels=labels)
        self.generator = torch.Generator(accelerator.device).manual_seed(settings.seed)

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint consists of."""
        return {"network": self.network, "average": self.average.module, "optimiser": self._optimiser, "schedule": self._schedule}

    @property
    def rate(self) -> float:
        """The present learning rate."""
        return float(self._optimiser.param_groups[0]["lr"])

    def train_mode(self) -> None:
        """Set the network to training mode, except for frozen normalisations."""
        self.network.train()
        for module in self._still:
            module.eval()

    def step(
        self, pair: TrainingPair, loss_of: Callable[[Tensor, TrainingPair], Tensor], forward: Callable[[nn.Module, Tensor], Tensor]
    ) -> Tensor:
        """Take one step, and return its loss.

        Parameters
        ----------
        pair : TrainingPair
            Input and target.
        loss_of : callable
            Returns the loss of an output, given the augmented pair.
        forward : callable
            Returns the output of the network for an input.
        """
        x, y = self._augment(pair.x, pair.y, self.generator) if self._augment.parts else (pair.x, pair.y)

        def computed(some: Tensor) -> Tensor:
            output: Tensor = forward(self.network, some) if pair.times is None else self.network(some, times=pair.times)
            return output

        with self.accelerator.autocast():
            output = self._group.divided(lambda share: in_pieces(computed, share, self._micro_batch), x)
        loss = loss_of(output, replace(pair, x=x, y=y))
        self._optimiser.zero_grad()
        self.accelerator.backward(loss)
        self._group.sum_gradients(self._parameters)
        if self._clip:
            nn.utils.clip_grad_norm_(self._parameters, self._clip)
        # what Accelerate puts around it scales losses in half precision, and looks twice in each step for a package on the disk
        (self._optimiser if self.accelerator.scaler is not None else self._optimiser.optimizer).step()
        if self._pace == "step":
            self._schedule.step()
        self.average.update(self.network)
        return loss.detach()

    def end_epoch(self, score: float | None = None, metric: Metric | None = None) -> None:
        """Advance a learning rate that is scheduled by epochs or, with a score, by the score."""
        if self._pace == "epoch":
            self._schedule.step()
        elif self._pace == "metric" and score is not None and metric is not None:
            self._schedule.step(-score if metric.larger_is_better else score)
