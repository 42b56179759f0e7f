"""Tasks: training pairs from batches, losses, and scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.networks.upsampling import degraded
from napari_spectrai.noise import noise_of_bands

PRACTISED = (2, 2, 4, 8)
"""Factors used in turn when a network is trained for several."""
SIDE = 8
"""Low-resolution pixels per side of the patches used then; small patches are more diverse."""
HIDDEN = 0.15
"""Fraction of the bands that are hidden and predicted from the others."""


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """Input of the network, its target, and (if not everywhere) where the target is valid."""

    x: Tensor
    y: Tensor
    counts: Tensor | None = None
    times: int | None = None
    """Enlargement factor, if it differs from that of the network."""


class Restoration:
    """Tasks with cubes as output: denoising, calibration. Without a truth, parts of the data predict one another."""

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        task = experiment.task
        self.learns_from = task.scheme
        # compared with other noisy bands, angles and peaks are meaningless
        self.names = task.metrics if task.needs_truth else task.metrics[:1]
        self.loss_unit = 1.0
        """Factor from the loss to the unit of the scores, in which it is shown."""
        if data.units is not None and experiment.minimised.is_squared:
            self.loss_unit = float(data.units[:, 0].double().square().mean())
        self._spec = experiment.minimised
        self._loss = self._spec.load()
        self._basis: Tensor | None = None
        if self.learns_from == "bands":
            count = experiment.network.subspace or 16
            self._mean, self._basis = subspace(data.spectra("training")[0], count)
        self._holes, self._unpaired = data.holds is not None, data.truths is None
        self._noise: Tensor | None = None
        if self.learns_from == "recorrupted":
            spectra = data.spectra("training")[0].cpu().numpy()
            self._noise = torch.from_numpy(noise_of_bands(spectra)).float()

    def make_pair(self, x: Tensor, y: Tensor | None, generator: Generator, *, learning: bool = False) -> TrainingPair:
        """Return input and target; `learning`: for training, not for validation.

        Without a truth, NaN in `y` marks pixels without data.
        """
        if y is not None and not self._unpaired:
            if self.learns_from == "repeats" and bool(torch.rand((), generator=generator, device=x.device) < 0.5):
                # both are noisy: either can predict the other
                return TrainingPair(torch.where(y.isnan(), x, y), torch.where(y.isnan(), y, x))
            return TrainingPair(x, y)
        pair = self._make_pair(x, generator)
        return pair if y is None else replace(pair, y=pair.y.masked_fill(y.isnan(), torch.nan))

    def _make_pair(self, x: Tensor, generator: Generator) -> TrainingPair:
        """Return input and target without a truth."""
        if self._basis is not None:
            return TrainingPair(*self._halves(x, generator))
        if self._noise is not None:
            added = torch.randn(x.shape, generator=generator, device=x.device) * self._noise.to(x.device)
            return TrainingPair(x + added, x - added)
        hidden = torch.rand(x.shape, generator=generator, device=x.device) < HIDDEN
        hidden[..., 0] &= ~hidden.all(-1)  # at least one band must be visible
        near = (x.roll(1, -1) + x.roll(-1, -1)) / 2
        return TrainingPair(torch.where(hidden, near, x), x, hidden)

    def _halves(self, x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return two estimates of the spectra, each from a random half of the bands, with independent noise.

        The scores in the common subspace are estimated from each half by least squares.
        """
        assert self._basis is not None  # noqa: S101
        order = torch.randperm(x.shape[-1], generator=generator, device=x.device)
        basis, mean = self._basis.to(x.device), self._mean.to(x.device)
        halves = []
        for bands in order.tensor_split(2):
            part = basis[bands]
            # for constant data, the basis may be zero in one of the halves, where any score fits, such as 0
            gram = part.T @ part + 1e-6 * torch.eye(part.shape[1], device=x.device)
            scores = torch.linalg.solve(gram, part.T @ (x[..., bands] - mean[bands]).reshape(-1, len(bands)).T).T
            halves.append((scores @ basis.T + mean).view(x.shape))
        return halves[0], halves[1]

    def loss(self, output: Tensor, pair: TrainingPair) -> Tensor:
        """Return the loss, ignoring values where the truth is NaN."""
        truth = pair.y
        if pair.counts is not None:
            output = torch.where(pair.counts, output, truth)
        if self._holes:
            empty = truth.isnan()
            output, truth = output.masked_fill(empty, 0), truth.masked_fill(empty, 0)
        value: Tensor = self._loss(self._spec, output, truth)
        return value

    def score_inputs(self, output: Tensor, pair: TrainingPair) -> tuple[Tensor, Tensor]:
        """Return the output and truth of one batch for `scores`; truths are NaN where they are invalid."""
        if pair.counts is not None:
            return torch.where(pair.counts, output, pair.y), pair.y
        return output, pair.y

    def scores(self, output: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the scores of the task; the first determines the best epoch."""
        if self._holes and bool((empty := truth.isnan().any(-1)).any()):
            output, truth = output[~empty], truth[~empty]
        return metrics.scores(output, truth, self.names)


def subspace(spectra: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Return mean (λ,) and orthonormal basis (λ, k) of the leading principal components of spectra (n, λ); k at most half of λ."""
    count = max(1, min(components, spectra.shape[1] // 2, len(spectra)))
    mean = spectra.mean(0)
    _, vectors = torch.linalg.eigh((spectra - mean).T.double() @ (spectra - mean).double())
    return mean, vectors.flip(1)[:, :count].to(spectra.dtype)


class SuperResolution(Restoration):
    """The output has more pixels than the input; trained on degraded images, or on pairs."""

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        super().__init__(experiment, data)
        self.names = experiment.task.metrics
        self.times = experiment.task.enlarges
        self.practises = experiment.task.several_factors and experiment.network.any_factor

    def make_pair(self, x: Tensor, y: Tensor | None, generator: Generator, *, learning: bool = False) -> TrainingPair:
        """Return input and target; `learning`: for training, not for validation."""
        if y is not None and not self._unpaired:
            return TrainingPair(x, y)
        target = x if y is None else x.masked_fill(y.isnan(), torch.nan)
        if not (learning and self.practises):
            return TrainingPair(degraded(x, self.times), target)
        sides = x.shape[1]
        factors = [factor for factor in {*PRACTISED, self.times} if sides // factor >= 3]
        drawn = torch.randint(0, 2**31 - 1, (3,), generator=generator, device=x.device).tolist()
        turns = [factor for factor in (*PRACTISED, self.times) if factor in factors] or [self.times]
        times = turns[drawn[0] % len(turns)]
        side = min(SIDE, sides // times) * times
        top, left = (number % (sides - side + 1) for number in drawn[1:])
        cut = (slice(None), slice(top, top + side), slice(left, left + side))
        return TrainingPair(degraded(x[cut], times), target[cut], times=times)


class Classes:
    """Tasks with classes as output: of spectra, pixels or images."""

    loss_unit = 1.0

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        self.names = experiment.task.metrics
        self._spec = experiment.minimised
        self._loss = self._spec.load()
        self._weights = torch.ones(len(data.classes))
        if power := self._spec.class_power:
            assert data.truths is not None  # noqa: S101
            learnt = data.truths[(data.labels == 1) & (data.truths > 0)]
            counts = torch.bincount(learnt - 1, minlength=len(data.classes)).clamp(min=1).float().cpu()
            self._weights = counts**-power * counts.sum() / (counts ** (1 - power)).sum()

    def make_pair(self, x: Tensor, y: Tensor | None, generator: Generator, *, learning: bool = False) -> TrainingPair:
        """Return input and target."""
        assert y is not None  # noqa: S101
        return TrainingPair(x, y)

    def loss(self, output: Tensor, pair: TrainingPair) -> Tensor:
        """Return the loss."""
        value: Tensor = self._loss(self._spec, output, _as_seen(pair.y, output), self._weights.to(output.device))
        return value

    def score_inputs(self, output: Tensor, pair: TrainingPair) -> tuple[Tensor, Tensor]:
        """Return the probabilities and class numbers of the labelled pixels of one batch."""
        truth = _as_seen(pair.y, output)
        known = truth.sum(-1) > 0
        return output[known].softmax(-1), truth[known].argmax(-1)

    def scores(self, output: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the scores of the task; the first determines the best epoch."""
        return metrics.of_classes(output, truth, self.names)


def _as_seen(truth: Tensor, output: Tensor) -> Tensor:
    """Return the truth of the pixels in `output`: all of them, or those in the middle of the window or image."""
    near = [(one - other) // 2 for one, other in zip(truth.shape[1:3], output.shape[1:3], strict=True)]
    return truth[:, near[0] : near[0] + output.shape[1], near[1] : near[1] + output.shape[2]]
