"""The cross-validation of a run as a table: the score of each candidate in each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.metrics import METRICS, Metric
from napari_spectrai.reports.svg import formatted
from napari_spectrai.runs import RunFolder


@dataclass(frozen=True, slots=True)
class FoldTable:
    """Texts of a table.

    Attributes
    ----------
    title : str
    heads : sequence of str
    rows : sequence of sequences of str
        One for each candidate, the best first.
    chosen : sequence of bool
        Whether a candidate is part of the model.
    notes : sequence of str
        Remarks on the candidates, such as why one was left out.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    chosen: Sequence[bool]
    notes: Sequence[str]


def fold_table(folder: RunFolder) -> FoldTable | None:
    """Return the cross-validation of a finished run; None if it had none.

    All candidates of a run have the same folds, so that their scores are of the same pixels.

    Raises
    ------
    ValueError
        If the model file cannot be read.
    """
    if not folder.best.exists():
        return None
    card = read_card(folder.best)
    candidates = [one for one in card.compared if one.get("folds")]
    if not candidates:
        return None
    name = next(iter(candidates[0].get("scores", {})), card.experiment.task.metrics[0])
    metric = METRICS.get(name, Metric(name))
    order = metric.ranked({str(one["name"]): _score(one, name) for one in candidates})
    candidates.sort(key=lambda one: order.index(one["name"]) if one["name"] in order else len(order))
    count = max(len(one["folds"]) for one in candidates)
    rows = [
        [str(one["name"]), _formatted(_score(one, name)), _interval(one.get("interval", ())), *_folds(one["folds"], count)]
        for one in candidates
    ]
    folds = [f"Fold {n + 1}" for n in range(count)]
    return FoldTable(
        f"Cross-validation, {metric.title}", ["Candidate", "Score", "90 % interval", "Folds, mean ± sd", *folds], rows,
        [bool(one.get("weight")) for one in candidates], [str(one.get("note", "")) for one in candidates],
    )  # fmt: skip


def _score(candidate: Mapping[str, Any], name: str) -> float:
    """Return the score of all held-out samples together, to which the interval belongs; in one fold, a class may be missing."""
    return float(candidate.get("scores", {}).get(name, np.mean(candidate["folds"])))


def _formatted(score: float) -> str:
    return formatted(score, 3, padded=True)


def _mean(folds: Sequence[float]) -> str:
    spread = f" ± {formatted(float(np.std(folds, ddof=1)), 2)}" if len(folds) > 1 else ""
    return f"{_formatted(float(np.mean(folds)))}{spread}"


def _interval(ends: Sequence[float]) -> str:
    return " to ".join(_formatted(end) for end in ends) if len(ends) == 2 else "–"


def _folds(folds: Sequence[float], count: int) -> list[str]:
    return [_mean(folds), *(_formatted(score) for score in folds), *["–"] * (count - len(folds))]
