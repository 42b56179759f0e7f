"""Scores and previews of a network and its baselines on a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.classical.scored_pixels import MOST, asked_pixels, counted, predict_pixels, units_of
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.parallel.group import ALONE, ProcessGroup
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.scoring.spectrum_sums import of_spectra
from napari_spectrai.learn.train.snapshots import confusion, preview
from napari_spectrai.learn.train.tasks import TrainingPair
from napari_spectrai.learn.train.unpaired_data import prepare_unpaired
from napari_spectrai.runs import Confusion, Preview

MOST_LIFTED = 500_000
"""Largest number of samples whose features are cached; more would not fit into memory."""
LEAST_TO_TEMPER = 30
"""Number of labelled validation samples below which a temperature would be dominated by chance."""


@dataclass(slots=True)
class MethodScores:
    """Scores of methods on a part, and their 90 % intervals, by method and metric."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    intervals: dict[str, intervals.Intervals] = field(default_factory=dict)


class Validator:
    """Predictions and scores of networks for the parts of a data set.

    Attributes
    ----------
    fed : Dataset
        Input of the network: the data or, for a network with frozen features, the cached features.
    """

    def __init__(self, experiment: Experiment, task: Any, data: Dataset, accelerator: Any) -> None:
        self.experiment, self.task, self.data, self.cached, self.accelerator = experiment, task, data, data, accelerator
        # augmentations would have to precede the cached features
        wanted = experiment.network.frozen_features and not experiment.augmentation
        # without a truth, all methods get the same pairs
        self.unpaired = prepare_unpaired(task, data, experiment.training.seed)
        self.frozen_features = wanted and data.stream is None and sum(map(len, data.parts.values())) <= MOST_LIFTED

    @torch.no_grad()
    def cache_features(self, network: Any) -> None:
        """Cache the output of the layers without trainable weights."""
        if self.frozen_features:
            self.cached = self.data.with_cached_features(network.eval().features)

    def forward(self, network: Any, x: Tensor) -> Tensor:
        """Return the output of a network for a cached batch."""
        output: Tensor = network.head(x) if self.frozen_features else network(x)
        return output

    def _generator(self) -> torch.Generator:
        # a separate generator: the same pairs each time, without changing the random state of the training
        return torch.Generator(self.data.inputs.device).manual_seed(self.experiment.training.seed)

    def outputs(self, part: str, network: Any, group: ProcessGroup = ALONE) -> tuple[Tensor, Tensor]:
        """Return the outputs of a network and the truths of a part, in order; each process of a group computes its share."""
        return self._over(part, lambda x: group.divided(lambda some: self.forward(network, some), x))

    @torch.no_grad()
    def _over(self, part: str, network: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        generator = self._generator()
        outputs: list[Tensor] = []
        truths: list[Tensor] = []
        samples, size = self.cached.parts[part], self.experiment.training.batch * 4
        for some in (samples[start : start + size] for start in range(0, len(samples), size)):
            pair = self._make_pair(some, generator)
            with self.accelerator.autocast():
                output = network(pair.x).float()
            for kept, value in zip((outputs, truths), self.cached.in_units(some, *self.task.score_inputs(output, pair)), strict=True):
                kept.append(value)
        return torch.cat(outputs), torch.cat(truths)

    def units(self, part: str) -> npt.NDArray[np.int64]:
        """Return the unit that each row of `outputs` is held out with: the block of the image around its sample, or the sample."""
        samples = self.data.parts[part]
        units = self.data.held_with(samples)
        patches = samples.patch > 1 and not self.experiment.network.around and not self.data.of_images
        if self.data.classes and patches:  # each labelled pixel of a patch is a row
            pixels = samples.pixels()
            assert self.data.truths is not None  # noqa: S101
            known = (self.data.labels[pixels] == samples.part) & (self.data.truths[pixels] > 0)
            units = units.repeat_interleave(known.flatten(1).sum(1))
        return units.cpu().numpy()

    def intervals(self, output: Tensor, truth: Tensor, units: npt.NDArray[np.int64]) -> intervals.Intervals:
        """Return 90 % intervals of the scores of outputs whose units are known."""
        output, truth = output.detach().cpu(), truth.detach().cpu()
        if self.data.classes:
            return intervals.of_classes(output, truth, units, tuple(self.task.names))
        return of_spectra(output, truth, units, self.task.names, self.data.truth_axis.values)

    def baseline_scores(self, part: str, methods: Mapping[str, Method]) -> MethodScores:
        """Return the scores of the classical methods on a part: they use whole images, and are scored where the network is."""
        found = MethodScores()
        whole = self.experiment.task.enlarges == 1 and (self.unpaired is not None or self.data.truths is not None)
        scenes = list((self.data if self.unpaired is None else self.unpaired.data).scenes(part)) if whole and methods else []
        most = MOST if self.unpaired is None else None
        for name, method in methods.items():
            if not whole:  # other pixels than the input, or too many to prepare at once: batch by batch, as for the network
                output, truth = self._over(part, method)
            elif self.unpaired is not None:
                output, truth = self.unpaired.predict_pixels(method, part, self.task)
            else:
                output, truth = predict_pixels(method, scenes, most)
            units = units_of(asked_pixels(scenes, most)) if whole else self.units(part)
            found.rows[name], found.intervals[name] = self.task.scores(output, truth), self.intervals(output, truth, units)
        pixels = sum(int(counted(scene).sum()) for scene in scenes)
        if self.data.classes and most is not None and pixels > most:
            self.data.notes.append(f"Classical methods are scored on at most {most:,} of the {pixels:,} pixels for {part}, evenly spread.")
        return found

    def _make_pair(self, samples: Samples, generator: torch.Generator) -> TrainingPair:
        """Return input and target of some samples."""
        if self.unpaired is not None:
            return self.unpaired.batch(samples, self.accelerator.device)
        pair: TrainingPair = self.task.make_pair(*self.cached.batch(samples, self.accelerator.device), generator)
        return pair

    def shown(self, epoch: int, output: Tensor, truth: Tensor, part: str = "validation") -> Preview | Confusion:
        """Return a preview of the outputs for a part: one spectrum, or a confusion matrix."""
        if self.data.classes:
            return confusion(epoch, self.data.classes, output, truth, part)
        sample, middle = len(output) // 2, output.shape[1] // 2
        row = column = middle
        if bool(truth[sample, row, column].isnan().any()):  # no data there: choose a known one
            known = torch.nonzero(~truth.isnan().any(-1))
            sample, row, column = known[len(known) // 2].tolist()
        some = self.data.parts[part][sample : sample + 1]
        pair = self._make_pair(some, self._generator())
        beyond, times = pair.x.shape[1] // 2 - middle, max(1, output.shape[1] // pair.x.shape[1])
        given, _ = self.data.in_units(some, pair.x, pair.y)
        seen = given[0, row // times + beyond, column // times + beyond] if times == 1 else given[0, row // times, column // times]
        target = self.experiment.task.target
        return preview(epoch, self.data.truth_axis, seen, output[sample, row, column], truth[sample, row, column], target)


def temperature(probabilities: Tensor, truth: Tensor) -> float:
    """Return the divisor of logits (temperature, Guo et al. 2017, arXiv:1706.04599) with the smallest negative log-likelihood.

    Parameters
    ----------
    probabilities : Tensor of shape (n, C)
    truth : Tensor of shape (n,)
        Class numbers, 0 … C-1. With fewer than `LEAST_TO_TEMPER`, the result is 1.
    """
    if len(truth) < LEAST_TO_TEMPER:
        return 1.0
    logits = probabilities.double().clamp(min=1e-12).log()
    candidates = torch.logspace(-1, 1, 201, dtype=torch.float64)
    losses = [float(torch.nn.functional.cross_entropy(logits / value, truth)) for value in candidates]
    return round(float(candidates[min(range(len(losses)), key=losses.__getitem__)]), 4)


def crossed_temperature(probabilities: Tensor, truth: Tensor, units: npt.NDArray[np.int64]) -> Tensor:
    """Return probabilities at temperatures that were each fitted on the other half of the units, so that scores are unbiased."""
    _, numbers = np.unique(units, return_inverse=True)
    even = torch.from_numpy(numbers % 2 == 0).to(probabilities.device)
    result = probabilities.clone()
    for half in (even, ~even):
        result[half] = tempered(probabilities[half], temperature(probabilities[~half], truth[~half]))
    return result


def tempered(probabilities: Tensor, value: float) -> Tensor:
    """Return the probabilities of logits divided by `value`."""
    return probabilities if value == 1 else (probabilities.clamp(min=1e-12).log() / value).softmax(-1)
