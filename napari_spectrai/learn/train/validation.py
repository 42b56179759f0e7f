"""Figures and pictures of a network, and of the classical methods beside it, on a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.classical.scored_pixels import MOST, counted, judged
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.train.snapshots import confusion, preview
from napari_spectrai.learn.train.tasks import TrainingPair
from napari_spectrai.learn.train.unpaired_data import posed_data
from napari_spectrai.runs import Confusion, Preview

MOST_LIFTED = 500_000
"""Samples whose features are kept, at most; those of more would not fit."""
LEAST_TO_TEMPER = 30
"""Labelled validation samples below which a temperature would say more of chance than of the network."""


class Validator:
    """Answers and figures of networks for the parts of a data set.

    Attributes
    ----------
    fed : Dataset
        What the network learns from: the data, or of a network that lifts them the features that do not learn, computed once.
    """

    def __init__(self, experiment: Experiment, task: Any, data: Dataset, accelerator: Any) -> None:
        self.experiment, self.task, self.data, self.cached, self.accelerator = experiment, task, data, data, accelerator
        # what varies the spectra would have to come before what is computed once
        wanted = experiment.network.frozen_features and not experiment.augmentation
        # without truth, all are asked the same
        self.posed = posed_data(task, data, experiment.training.seed)
        self.frozen_features = wanted and sum(map(len, data.parts.values())) <= MOST_LIFTED

    @torch.no_grad()
    def cache_features(self, network: Any) -> None:
        """Compute once what of the network does not learn."""
        if self.frozen_features:
            self.cached = self.data.with_cached_features(network.eval().features)

    def forward(self, network: Any, x: Tensor) -> Tensor:
        """Return what a network makes of a batch that it was fed."""
        output: Tensor = network.head(x) if self.frozen_features else network(x)
        return output

    def _generator(self) -> torch.Generator:
        # one of its own: the same problems each time, and training's random state stays
        return torch.Generator(self.data.inputs.device).manual_seed(self.experiment.training.seed)

    def outputs(self, part: str, network: Any) -> tuple[Tensor, Tensor]:
        """Return the outputs of a network and the truths of a part, in order."""
        return self._over(part, lambda x: self.forward(network, x))

    @torch.no_grad()
    def _over(self, part: str, network: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        generator = self._generator()
        outputs: list[Tensor] = []
        truths: list[Tensor] = []
        samples, size = self.cached.parts[part], self.experiment.training.batch * 4
        for some in (samples[start : start + size] for start in range(0, len(samples), size)):
            posed = self._make_pair(some, generator)
            with self.accelerator.autocast():
                output = network(posed.x).float()
            for kept, value in zip((outputs, truths), self.cached.in_units(some, *self.task.told(output, posed)), strict=True):
                kept.append(value)
        return torch.cat(outputs), torch.cat(truths)

    def units(self, part: str) -> npt.NDArray[np.int64]:
        """Return what each row of `outputs` is held out with: the square of an image that its sample lies in, or the sample itself."""
        samples = self.data.parts[part]
        units = self.data.held_with(samples)
        patches = samples.patch > 1 and not self.experiment.network.around and not self.data.of_images
        if self.data.classes and patches:  # each labelled pixel of a patch is a row
            pixels = samples.pixels()
            assert self.data.truths is not None  # noqa: S101
            known = (self.data.labels[pixels] == samples.part) & (self.data.truths[pixels] > 0)
            units = units.repeat_interleave(known.flatten(1).sum(1))
        return units.cpu().numpy()

    def intervals(self, part: str, output: Tensor, truth: Tensor) -> intervals.Intervals:
        """Return 90 % intervals of the scores of a part."""
        units, output, truth = self.units(part), output.detach().cpu(), truth.detach().cpu()
        if self.data.classes:
            return intervals.of_classes(output, truth, units, tuple(self.task.names))
        errors = (output.double() - truth.double()).square().flatten(1).mean(1).numpy()
        return intervals.of_cubes({"mse": errors}, units)

    def baseline_scores(self, part: str, methods: Mapping[str, Method]) -> dict[str, dict[str, float]]:
        """Return the figures of the classical methods on a part: whole images, judged where the network is."""
        if self.experiment.task.enlarges > 1:
            return {name: self.task.scores(*self._over(part, method)) for name, method in methods.items()}
        if self.posed is not None:
            return {name: self.task.scores(*self.posed.judged(method, part, self.task)) for name, method in methods.items()}
        if self.data.truths is None:  # too many to pose the problem once: as the network sees them
            return {name: self.task.scores(*self._over(part, method)) for name, method in methods.items()}
        scenes = list(self.data.scenes(part))
        told = {name: judged(method, scenes, MOST) for name, method in methods.items()}
        pixels = sum(int(counted(scene).sum()) for scene in scenes)
        if self.data.classes and pixels > MOST:
            self.data.notes.append(f"Classical methods are judged by {MOST:,} or fewer of the {pixels:,} pixels for {part}, evenly spread.")
        return {name: self.task.scores(*outcome) for name, outcome in told.items()}

    def _make_pair(self, samples: Samples, generator: torch.Generator) -> TrainingPair:
        """Return what is asked of some samples."""
        if self.posed is not None:
            return self.posed.batch(samples, self.accelerator.device)
        posed: TrainingPair = self.task.make_pair(*self.cached.batch(samples, self.accelerator.device), generator)
        return posed

    def shown(self, epoch: int, output: Tensor, truth: Tensor, part: str = "validation") -> Preview | Confusion:
        """Return what is shown of the outputs for a part: one spectrum, or how the classes are told apart."""
        if self.data.classes:
            return confusion(epoch, self.data.classes, output, truth, part)
        sample, middle = len(output) // 2, output.shape[1] // 2
        row = column = middle
        if bool(truth[sample, row, column].isnan().any()):  # no data there: another that is known
            known = torch.nonzero(~truth.isnan().any(-1))
            sample, row, column = known[len(known) // 2].tolist()
        some = self.data.parts[part][sample : sample + 1]
        posed = self._make_pair(some, self._generator())
        beyond, times = posed.x.shape[1] // 2 - middle, max(1, output.shape[1] // posed.x.shape[1])
        given, _ = self.data.in_units(some, posed.x, posed.y)
        seen = given[0, row // times + beyond, column // times + beyond] if times == 1 else given[0, row // times, column // times]
        target = self.experiment.task.target
        return preview(epoch, self.data.truth_axis, seen, output[sample, row, column], truth[sample, row, column], target)


def temperature(probabilities: Tensor, truth: Tensor) -> float:
    """Return what logits are to be divided by (Guo et al. 2017, arXiv:1706.04599): the smallest negative log-likelihood.

    Parameters
    ----------
    probabilities : Tensor of shape (n, C)
    truth : Tensor of shape (n,)
        Class numbers, 0 … C-1. Of fewer than `LEAST_TO_TEMPER` nothing is concluded: 1.
    """
    if len(truth) < LEAST_TO_TEMPER:
        return 1.0
    logits = probabilities.double().clamp(min=1e-12).log()
    candidates = torch.logspace(-1, 1, 201, dtype=torch.float64)
    losses = [float(torch.nn.functional.cross_entropy(logits / value, truth)) for value in candidates]
    return round(float(candidates[min(range(len(losses)), key=losses.__getitem__)]), 4)


def crossed_temperature(probabilities: Tensor, truth: Tensor, units: npt.NDArray[np.int64]) -> Tensor:
    """Return probabilities at temperatures that were each fitted on the other half of the units, so that none is judged by itself."""
    _, numbers = np.unique(units, return_inverse=True)
    even = torch.from_numpy(numbers % 2 == 0).to(probabilities.device)
    result = probabilities.clone()
    for half in (even, ~even):
        result[half] = tempered(probabilities[half], temperature(probabilities[~half], truth[~half]))
    return result


def tempered(probabilities: Tensor, value: float) -> Tensor:
    """Return probabilities as they would be of logits divided by `value`."""
    return probabilities if value == 1 else (probabilities.clamp(min=1e-12).log() / value).softmax(-1)
