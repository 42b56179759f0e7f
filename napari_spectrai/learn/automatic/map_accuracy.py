"""Validity of the scores of a class map: accuracy near labels and far from them, and expected accuracy over the map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.scoring import intervals

MOST = 20_000
"""Largest number of pixels of the map whose probabilities are used."""
MODEL_ERROR = 0.12
"""Standard error of an expected accuracy in addition to that of the folds: scenes differ in more than distance.

The smallest of 0.05 to 0.15 with which nine in ten intervals held the accuracy on the development scenes (docs/defaults.md).
"""
LEAST_EACH = 10
"""Minimum number of held-out pixels, both near and far, for the two accuracies to be reported."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected accuracy over the pixels to predict.

    Attributes
    ----------
    accuracy, low, high : float
        The estimate, and its 90 % interval.
    words : str
    """

    accuracy: float
    low: float
    high: float
    words: str


def expected_accuracy(
    probabilities: Tensor, truth: Tensor, units: npt.NDArray[np.int64], *, reached: float, confidence: float | None
) -> Expected | None:
    """Return the accuracy expected over the map.

    Two estimates are combined: the out-of-fold mean recall, from folds as far from their training pixels as the map is from labels; and the
    mean probability of the predicted classes over the map (Guillory et al. 2021, doi:10.1109/ICCV48922.2021.00117), which reflects how the
    spectra of the map differ from the training data. If they disagree, the interval includes both; if pixels are farther from a label than
    any fold tested, it extends to the accuracy of chance.

    Parameters
    ----------
    probabilities : Tensor of shape (n, C)
        Out-of-fold, calibrated on the other folds.
    truth : Tensor of shape (n,)
    units : int array of shape (n,)
    reached : float
        Fraction of the map that is no farther from a label than held-out pixels are from the training pixels of their fold.
    confidence : float or None
        Mean probability of the predicted classes over the map.
    """
    name = "average_accuracy"
    bands = intervals.of_classes(probabilities, truth, units, (name,))
    classes = len(truth.unique())
    if name not in bands or classes < 2:
        return None
    recalls = [float((probabilities.argmax(-1)[truth == one] == one).double().mean()) for one in truth.unique()]
    score = float(np.mean(recalls))
    low, high = bands[name]
    error = (high - low) / 2 / 1.6448536
    other = score if confidence is None else confidence
    middle = (score + other) / 2
    half = 1.6448536 * math.sqrt((error / 2) ** 2 + MODEL_ERROR**2) + abs(score - other) / 2
    chance = 1 / classes
    lower, upper = max(0.0, middle - half), min(1.0, middle + half)
    lower = min(lower, reached * lower + (1 - reached) * chance)
    words = f"Expected accuracy over the map: {middle:.2f} ({lower:.2f} to {upper:.2f}, a 90 % interval)."
    if reached < 1:
        words += (
            f" {100 * (1 - reached):.0f} % of the map is farther from a label than any held-out pixel; there, the score is extrapolated."
        )
    return Expected(middle, lower, upper, words)


def near_and_far(probabilities: Tensor, truth: Tensor, distances: npt.NDArray[np.float64]) -> str:
    """Describe the accuracy of held-out pixels near training pixels and far from them; empty with too few of either."""
    known = np.isfinite(distances)
    if not known.any():
        return ""
    middle = float(np.median(distances[known]))
    near, far = known & (distances <= middle), known & (distances > middle)
    if near.sum() < LEAST_EACH or far.sum() < LEAST_EACH:
        return ""
    correct = (probabilities.argmax(-1) == truth).numpy()
    reach = float(distances[known].max())
    return (
        f"Out-of-fold accuracy by distance from the training pixels: {correct[near].mean():.2f} up to {middle:.0f} px, "
        f"{correct[far].mean():.2f} from there to {reach:.0f} px."
    )


def spread(wanted: Sequence[npt.NDArray[np.bool_]]) -> list[Tensor]:
    """Return at most `MOST` of the requested pixels of all cubes, evenly spread, as masks (z, y, x)."""
    total = sum(int(w.sum()) for w in wanted)
    every = max(1, -(-total // MOST))
    masks, passed = [], 0
    for w in wanted:
        places = np.flatnonzero(w)
        kept = places[(-passed) % every :: every]
        passed += len(places)
        mask = np.zeros(w.shape, bool)
        mask.ravel()[kept] = True
        masks.append(torch.from_numpy(mask))
    return masks
