"""Batches of the epochs of a training, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.sampling_order import in_turn, planes_of
from napari_spectrai.plan.size import an_epoch, steps_of


class Batches:
    """Divides the training samples of each epoch into batches.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset
        Its samples and, if it is streamed, its stream.

    Attributes
    ----------
    drawn : int
        Samples per epoch.
    steps : int
        Steps per epoch.
    """

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        self.settings, self._stream = experiment.training, data.stream
        self._samples = samples = data.parts["training"]
        self._alternates = experiment.data.per_image is not None
        self._images = planes_of(samples, data.places)
        images = len(self._images.unique()) if data.stream is None else data.stream.images
        self.drawn = an_epoch(experiment, data.training_samples, samples.patch, data.training_pixels, images)
        self.steps = steps_of(self.drawn, self.settings.batch)

    def of_epoch(self, epoch: int, first: int, data: Dataset, device: torch.device) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the inputs and truths of the steps of an epoch, from step `first` on.

        Parameters
        ----------
        epoch, first : int
            Both from 0.
        data : Dataset
            The data set, or the same with cached features.
        device : torch.device
        """
        size = self.settings.batch
        if self._stream is not None:
            sizes = [size] * (self.steps - first - 1) + [self.drawn - (self.steps - 1) * size]
            yield from self._stream.batches(epoch, self.drawn, sizes, device)
            return
        order = self._order(epoch)
        for step in range(first, self.steps):
            chosen = order[step * size : None if step == self.steps - 1 else (step + 1) * size]
            yield data.batch(data.parts["training"][chosen], device)

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self._samples), generator=generator)
        if self._alternates:
            order = in_turn(order, self._images)
        if self.drawn > len(order):  # few patches are used several times
            order = order.repeat(-(-self.drawn // len(order)))
        return order[: self.drawn].to(self._samples.first.device)
