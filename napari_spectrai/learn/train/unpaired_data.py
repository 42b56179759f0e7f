"""Data without truth, as the problem that a task poses of them: once, so that a network and the methods beside it are asked the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.learn.classical.scored_pixels import judged
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.train.tasks import TrainingPair

MOST = 2**28
"""Values of a data set, at most, for which the problem is kept; of more it is posed batch by batch."""


@dataclass(frozen=True, slots=True)
class UnpairedData:
    """What methods see, what they should give, and where that counts: a problem posed of all spectra of a data set.

    Attributes
    ----------
    data : Dataset
        Its inputs are what is seen, its truths the held-out signal.
    counts : Tensor of shape (pixels, λ) or None
        Where a target counts; None: everywhere.
    """

    data: Dataset
    counts: Tensor | None

    def batch(self, samples: Samples, device: torch.device) -> TrainingPair:
        """Return the problem of some samples."""
        x, y = self.data.batch(samples, device)
        assert y is not None  # noqa: S101
        return TrainingPair(x, y, None if self.counts is None else self.counts[samples.pixels()].to(device))

    def judged(self, method: Callable[[Tensor], Tensor], part: str, task: Any) -> tuple[Tensor, Tensor]:
        """Return what a method gives for the pixels of a part, seeing images whole, and the targets: what `scores` needs."""
        scenes = list(self.data.scenes(part))
        output, target = judged(method, scenes)
        told: tuple[Tensor, Tensor] = task.told(output, TrainingPair(output, target, self._counting(scenes, part)))
        return told

    def _counting(self, scenes: Sequence[Any], part: str) -> Tensor | None:
        if self.counts is None:
            return None
        shown = torch.cat([scene.counts.reshape(-1) for scene in scenes])
        pixels = torch.cat([place.of(self.counts).reshape(-1, self.counts.shape[1]) for place in self.data.places])
        return pixels[shown]


def posed_data(task: Any, data: Dataset, seed: int) -> UnpairedData | None:
    """Return the problem posed of data without truth; None where there is a truth, other pixels come out, or the data are too many."""
    if data.truths is not None or data.of_images or getattr(task, "times", 1) > 1 or data.inputs.nelement() > MOST:
        return None
    generator = torch.Generator(data.inputs.device).manual_seed(seed)
    posed = task.make_pair(data.inputs, None, generator)
    return UnpairedData(replace(data, inputs=posed.x, truths=posed.y), posed.counts)
