"""Choose among candidates by their predictions of held-out samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import stdtrit
from torch import Tensor

from napari_spectrai.experiment.data_size import ClassWeights
from napari_spectrai.experiment.losses import POWERS

LEAST = 1e-6
"""Lower limit of probabilities, so that one certain error does not determine the choice."""
STEPS = 200
"""Number of steps in which the weights of a blend converge."""
TRIED_AT_ONCE = 1 << 20
"""Number of scores, times temperatures, that are computed at once."""
LEAST_WEIGHT = 0.02
"""Weight below which members are left out of a blend."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """Predictions of one candidate for the held-out samples.

    Attributes
    ----------
    name : str
    output : Tensor of shape (n, C) or (n, λ)
        Scores of classes, or spectra.
    prior : float
        Its prior weight in a blend of classifiers, in numbers of held-out units (files, groups, regions, spectra).
    """

    name: str
    output: Tensor
    prior: float = 1.0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The held-out samples.

    Attributes
    ----------
    truth : Tensor of shape (n,) or (n, λ)
        Class indices from 0, or spectra.
    fold, unit : int arrays of shape (n,)
    weight : Tensor of shape (n,)
        Weight of each sample.
    classes : int
        Number of classes; 0 for spectra.
    """

    truth: Tensor
    fold: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    weight: Tensor
    classes: int

    @classmethod
    def of(
        cls, truth: Tensor, fold: npt.NDArray[np.int64], unit: npt.NDArray[np.int64], classes: int, weights: ClassWeights = "balanced"
    ) -> HeldOut:
        """Return samples with weights of their classes, as those of a loss."""
        weight = torch.ones(len(truth), dtype=torch.float64)
        if classes:
            counts, power = torch.bincount(truth, minlength=classes).double(), POWERS[weights]
            total = counts[counts > 0].pow(1 - power).sum()
            weight = (len(truth) / total * counts.clamp(min=1) ** -power)[truth]
        return cls(truth, fold, unit, weight, classes)


@dataclass(frozen=True, slots=True)
class Crossed:
    """A calibrated blend of some candidates.

    Attributes
    ----------
    weights, temperatures : float arrays of shape (m,)
        Fitted on all folds, one for each candidate.
    by_fold : dict of fold to (weights, temperatures)
        Fitted on the other folds only.
    temperature : float
        Temperature of the blend: a mean of calibrated probabilities is less confident than it is accurate.
    output : Tensor of shape (n, C) or (n, λ)
        The predictions with values fitted on the other folds.
    """

    weights: Floats
    temperatures: Floats
    by_fold: dict[int, tuple[Floats, Floats]]
    output: Tensor
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen members.

    Attributes
    ----------
    names, weights, temperatures : lists of equal length
        The members, in descending order of weight.
    crossed : Crossed
        The predictions of the choice for the held-out samples.
    why : str
        The reason for the choice, in one sentence.
    """

    names: list[str]
    weights: list[float]
    temperatures: list[float]
    crossed: Crossed
    why: str

    @property
    def output(self) -> Tensor:
        """Probabilities or spectra of the held-out samples, with weights and temperatures fitted on the other folds."""
        return self.crossed.output


def best_temperature(scores: Tensor, truth: Tensor, weight: Tensor) -> float:
    """Return the temperature of scores with the smallest weighted negative log-likelihood (Guo et al. 2017, arXiv:1706.04599)."""
    if not len(truth):
        return 1.0
    scores, candidates = scores.double(), torch.logspace(-2, 2, 81, dtype=torch.float64)
    at_once = max(1, TRIED_AT_ONCE // scores.numel())
    losses = torch.cat([_loss_of((scores / t[:, None, None]).softmax(-1), truth, weight).sum(-1) for t in candidates.split(at_once)])
    # slightly regularised towards uncertainty, so that few samples that are all correct do not give probabilities of one
    losses += 0.5 * candidates.log().square() * 0.1
    return round(float(candidates[int(losses.argmin())]), 4)


def losses_of(output: Tensor, held: HeldOut) -> Tensor:
    """Return the weighted loss of each sample (n,): negative log-likelihood of probabilities, or mean squared error of spectra."""
    if held.classes:
        return _loss_of(output, held.truth, held.weight)
    return (output.double() - held.truth.double()).square().mean(-1) * held.weight


def _loss_of(probabilities: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    places = truth[:, None].expand(*probabilities.shape[:-1], 1)
    right = (1 - 1e-3) * probabilities.double().gather(-1, places)[..., 0] + 1e-3 / probabilities.shape[-1]
    return -right.clamp(min=LEAST).log() * weight


def mixture_weights(outputs: Sequence[Tensor], truth: Tensor, weight: Tensor, prior: Floats, units: int) -> Floats:
    """Return the weights of a mixture of class probabilities: the posterior mode under a Dirichlet prior, by expectation maximisation.

    Held-out samples of one unit are similar, so they count as one: with few units the weights stay near the prior, which favours the
    simplest, and predictions that the folds cannot distinguish are averaged; with many, the mixture has the smallest out-of-fold loss.

    Parameters
    ----------
    outputs : Tensors of shape (n, C)
    truth, weight : Tensors of shape (n,)
    prior : float array of shape (m,)
        In numbers of units.
    units : int
        Number of held-out units.
    """
    likelihood = torch.stack([output.double().gather(-1, truth[:, None])[:, 0] for output in outputs], -1).clamp(min=LEAST)
    before = torch.from_numpy(prior)
    shares = before / before.sum()
    for _ in range(STEPS):
        joint = likelihood * shares
        estimate = (joint / joint.sum(-1, keepdim=True) * weight[:, None]).sum(0) / weight.sum()
        shares = units * estimate + before
        shares = shares / shares.sum()
    return np.asarray(shares.numpy())


def combination_weights(outputs: Sequence[Tensor], truth: Tensor) -> Floats:
    """Return the weights of the convex combination of spectra (n, λ) with the smallest mean squared error."""
    from scipy.optimize import nnls

    errors = torch.stack([(output.double() - truth.double()).flatten() for output in outputs], -1)
    gram = (errors.T @ errors).numpy() / len(errors)
    # minimise w' G w over w >= 0, sum w = 1: non-negative least squares with the sum as one heavy row
    root = np.linalg.cholesky(gram + (1e-12 * np.trace(gram) + 1e-30) * np.eye(len(gram)))
    heavy = 1e3 * max(np.sqrt(np.trace(gram)), 1e-15)
    shares, _ = nnls(np.vstack([root.T, heavy * np.ones(len(gram))]), np.concatenate([np.zeros(len(gram)), [heavy]]))
    return np.asarray(shares / max(shares.sum(), 1e-30))


def difference(one: Tensor, other: Tensor, units: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean difference of the losses of the same samples, and its standard error over held-out units."""
    gap = (one - other).double().numpy()
    _, numbers = np.unique(units, return_inverse=True)
    sums = np.bincount(numbers, gap)
    count = len(sums)
    if count < 2:
        return float(gap.mean()), float("inf")
    error = float(np.sqrt(count / (count - 1) * np.square(sums - gap.mean() * np.bincount(numbers)).sum()) / len(gap))
    # one standard error of a normal distribution covers 68 %; with few units, it must be wider for the same coverage
    return float(gap.mean()), error * float(stdtrit(count - 1, 0.8413447))


def crossed(candidates: Sequence[Answers], held: HeldOut, *, blend: bool) -> Crossed:
    """Calibrate and weight candidates; values used to score a fold are fitted on the other folds."""
    prior = np.array([candidate.prior for candidate in candidates])

    def fitted(chosen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        truth, weight = held.truth[chosen], held.weight[chosen]
        temperatures = np.ones(len(candidates))
        outputs = [c.output[chosen] for c in candidates]
        if held.classes:
            temperatures = np.array([best_temperature(output, truth, weight) for output in outputs])
            outputs = [probabilities(output, t) for output, t in zip(outputs, temperatures, strict=True)]
        if not blend:
            return np.ones(1), temperatures
        if not held.classes:
            return combination_weights(outputs, truth), temperatures
        return mixture_weights(outputs, truth, weight, prior, len(np.unique(held.unit[chosen]))), temperatures

    result = torch.zeros(candidates[0].output.shape, dtype=torch.float64)
    by_fold = {}
    for fold in np.unique(held.fold):
        inside = held.fold == fold
        by_fold[int(fold)] = weights, temperatures = fitted(~inside)
        for share, t, candidate in zip(weights, temperatures, candidates, strict=True):
            output = candidate.output[inside].double()
            result[inside] += share * (probabilities(output, t) if held.classes else output)
    if not (blend and held.classes and len(candidates) > 1):
        return Crossed(*fitted(np.ones(len(held.fold), bool)), by_fold, result)
    logits, sharp = result.clamp(min=LEAST).log(), torch.zeros_like(result)
    for fold in by_fold:
        inside = held.fold == fold
        sharp[inside] = probabilities(logits[inside], best_temperature(logits[~inside], held.truth[~inside], held.weight[~inside]))
    whole = best_temperature(logits, held.truth, held.weight)
    return Crossed(*fitted(np.ones(len(held.fold), bool)), by_fold, sharp, whole)


def probabilities(scores: Tensor, temperature: float) -> Tensor:
    """Return the class probabilities of scores at a temperature."""
    return (scores.double() / temperature).softmax(-1)


def choose(candidates: Sequence[Answers], held: HeldOut, *, blend: bool) -> Choice:
    """Choose one candidate, or a blend of several.

    Parameters
    ----------
    candidates : sequence of Answers
        The candidates, simplest first.
    held : HeldOut
    blend : bool
        Whether a blend may be chosen.

    Returns
    -------
    Choice
        For classifiers, their mixture (see `mixture_weights`): averaging candidates that the folds cannot distinguish is safer than
        selecting one. For spectra, a combination if its loss is lower than that of the best candidate by more than the standard error of
        the difference. Otherwise, or without `blend`, the simplest candidate whose loss is within one standard error of the lowest.
    """
    single = [crossed([candidate], held, blend=False) for candidate in candidates]
    losses = [losses_of(one.output, held) for one in single]
    best = int(np.argmin([float(loss.mean()) for loss in losses]))
    if blend and len(candidates) > 1 and len(np.unique(held.fold)) > 1:  # a blend is scored on folds that it was not fitted on
        mixed = crossed(candidates, held, blend=True)
        gap, error = difference(losses[best], losses_of(mixed.output, held), held.unit)
        better = f"its out-of-fold loss is lower by {gap:.2g} ± {error:.2g} than that of {candidates[best].name} alone"
        alike = [c.name for c, loss in zip(candidates, losses, strict=True) if _not_worse(loss, losses[best], held)]
        if held.classes:
            unclear = f"the folds cannot distinguish {_listed(alike)}" if len(alike) > 1 else f"{alike[0]} alone has the lowest loss"
            return _blend(candidates, mixed, held, better if gap > error else unclear)
        if gap > error and int((mixed.weights >= LEAST_WEIGHT).sum()) > 1:
            return _blend(candidates, mixed, held, better)
    kept = next((n for n in range(best) if _not_worse(losses[n], losses[best], held)), best)
    if len(candidates) == 1:
        why = f"{candidates[0].name} was the only candidate."
    elif kept == best:
        why = f"{candidates[best].name} was chosen: it has the lowest out-of-fold loss."
    else:
        gap, error = difference(losses[kept], losses[best], held.unit)
        sure = f"by {gap:.2g} ± {error:.2g}, which is not significant" if np.isfinite(error) else "in the only unit that is held out"
        why = (
            f"{candidates[kept].name} was chosen: the out-of-fold loss of {candidates[best].name} is lower {sure}, so the simpler method "
            "is kept."
        )
    one = single[kept]
    return Choice([candidates[kept].name], [1.0], [float(one.temperatures[0])], one, why)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _not_worse(one: Tensor, best: Tensor, held: HeldOut) -> bool:
    gap, error = difference(one, best, held.unit)
    return gap <= error


def _blend(candidates: Sequence[Answers], mixed: Crossed, held: HeldOut, why: str) -> Choice:
    kept = [int(number) for number in np.argsort(-mixed.weights) if mixed.weights[number] >= LEAST_WEIGHT]
    if len(kept) < len(candidates):
        mixed = crossed([candidates[number] for number in kept], held, blend=True)
        candidates, kept = [candidates[number] for number in kept], list(range(len(kept)))
    shares = mixed.weights / mixed.weights.sum()
    names = [candidate.name for candidate in candidates]
    listed = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, shares, strict=True))
    why_blend = (
        f"A blend was chosen ({listed}): {why}." if len(names) > 1 else f"{names[0]} was chosen: it has the lowest out-of-fold loss."
    )
    return Choice(names, [round(float(share), 4) for share in shares], [float(t) for t in mixed.temperatures], mixed, why_blend)
