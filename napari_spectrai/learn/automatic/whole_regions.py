"""Score of the simplest method where whole labelled regions of an image are held out: that of other regions and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.learn.automatic.candidate_scores import Scoring
from napari_spectrai.learn.automatic.comparison import Comparison, FoldOutcome
from napari_spectrai.learn.automatic.fold_fit import Bench, Stopped
from napari_spectrai.plan.folds import Folds
from napari_spectrai.plan.subsets import Map

LEAST = 0.1
"""Difference of the mean recall from which on it is said."""
LONGEST = 0.2
"""Largest fraction of the time limit that this may take."""


def lower_for_regions(
    bench: Bench, base: Sequence[Map], folds: Folds, usual: Scoring, outcomes: Sequence[FoldOutcome], seconds: float,
    stopping: Callable[[], bool], now: Callable[[], float],
) -> str:  # fmt: skip
    """Return a sentence on the score of the simplest method over `folds`, if it is certainly lower than over the usual ones.

    Parameters
    ----------
    usual : Scoring
        Of the usual folds.
    outcomes : sequence of FoldOutcome
        Over the usual folds, the simplest first.
    seconds : float
        The time limit of the comparison, of which a part is used.
    """
    simplest = next((one for one in outcomes if one.answers is not None and one.candidate.is_linear), None)
    if simplest is None:
        return ""
    end = now() + LONGEST * seconds
    try:
        comparison = Comparison(bench, folds, base, seconds, lambda: stopping() or now() > end, now)
        (found,) = [step for step in comparison.over([simplest.candidate]) if isinstance(step, FoldOutcome)]
    except (Stopped, ValueError):  # there is no time, or no class has a region to learn from
        return ""
    if found.answers is None:
        return ""
    scoring = Scoring(bench, comparison.held, comparison.asked)
    whole, divided, name = scoring.compared(found), usual.compared(simplest), scoring.names[0]
    low, high = whole.interval or (0.0, whole.scores[name])
    if whole.scores[name] > divided.scores[name] - LEAST or high >= divided.scores[name]:
        return ""
    return (
        f"With whole labelled regions held out ({folds.words}), {found.candidate.name} has a {METRICS[name].title.lower()} of "
        f"{whole.scores[name]:.2f} ({low:.2f} to {high:.2f}), not of {divided.scores[name]:.2f}: expect that for other regions and images. "
        "The scores given here hold near the labels of this one."
    )
