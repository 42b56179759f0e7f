"""Training pairs of data without a truth, prepared once, so that a network and its baselines get the same pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.learn.classical.scored_pixels import predict_pixels
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.train.tasks import TrainingPair

MOST = 2**28
"""Largest number of values of a data set for which the pairs are kept; of larger ones they are made batch by batch."""


@dataclass(frozen=True, slots=True)
class UnpairedData:
    """Inputs, targets and their validity for all spectra of a data set without a truth.

    Attributes
    ----------
    data : Dataset
        Its inputs are those of the methods, its truths the held-out signal.
    counts : Tensor of shape (pixels, λ) or None
        Where a target is valid; None: everywhere.
    """

    data: Dataset
    counts: Tensor | None

    def batch(self, samples: Samples, device: torch.device) -> TrainingPair:
        """Return the training pair of some samples."""
        x, y = self.data.batch(samples, device)
        assert y is not None  # noqa: S101
        return TrainingPair(x, y, None if self.counts is None else self.counts[samples.pixels()].to(device))

    def predict_pixels(self, method: Callable[[Tensor], Tensor], part: str, task: Any) -> tuple[Tensor, Tensor]:
        """Return the predictions of a method on whole images for the pixels of a part, and the targets, for `scores`."""
        scenes = list(self.data.scenes(part))
        output, target = predict_pixels(method, scenes)
        compared: tuple[Tensor, Tensor] = task.score_inputs(output, TrainingPair(output, target, self._counting(scenes, part)))
        return compared

    def _counting(self, scenes: Sequence[Any], part: str) -> Tensor | None:
        if self.counts is None:
            return None
        shown = torch.cat([scene.counts.reshape(-1) for scene in scenes])
        pixels = torch.cat([place.of(self.counts).reshape(-1, self.counts.shape[1]) for place in self.data.places])
        return pixels[shown]


def prepare_unpaired(task: Any, data: Dataset, seed: int) -> UnpairedData | None:
    """Return the pairs of data without a truth; None if there is a truth, the output has other pixels, or there are too many data."""
    if data.truths is not None or data.of_images or data.enlarges > 1 or data.inputs.nelement() > MOST:
        return None
    generator = torch.Generator(data.inputs.device).manual_seed(seed)
    pair = task.make_pair(data.inputs, None, generator)
    return UnpairedData(replace(data, inputs=pair.x, truths=pair.y), pair.counts)
