"""The metrics by name: title, unit, direction, and averaging rules. `learn.metrics` computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ClassMean = Literal["truth", "union"]
"""Classes over which F1, IoU and Dice are averaged: those of the truth, or those of truth and result."""

CLASS_MEANS: dict[ClassMean, str] = {
    "truth": "Means over classes include the classes of the truth.",
    "union": "F1, IoU and Dice are averaged over the classes of the truth and the result, as in scikit-learn.",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """Title, unit and direction of a score."""

    title: str
    larger_is_better: bool = False
    words: str = ""
    """Description, for tooltips."""
    unit: str = ""
    """``"intensity"`` and ``"axis"`` stand for the unit of the intensities and of the spectral axis."""

    def is_better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one > other if self.larger_is_better else one < other

    def ranked(self, scores: Mapping[str, float]) -> list[str]:
        """Return the names of the scores, the best first; those that are NaN are left out."""
        known = [name for name, value in scores.items() if not math.isnan(value)]
        return sorted(known, key=lambda name: scores[name], reverse=self.larger_is_better)

    def best(self, scores: Mapping[str, float]) -> str | None:
        """Return the name of the best score; None if there is none."""
        return next(iter(self.ranked(scores)), None)

    def alike(self, scores: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> str | None:
        """Return the best of the other scores that these data do not distinguish from the best one; None if there is none.

        They are not distinguished if their intervals overlap; a score without an interval counts as a point.
        """
        first, *others = self.ranked(scores) or [""]
        ends = intervals.get(first)
        if ends is None:
            return None
        known = ((name, intervals.get(name, (scores[name], scores[name]))) for name in others)
        return next((name for name, (low, high) in known if low <= ends[1] and high >= ends[0]), None)

    def clearly_best(self, scores: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> str | None:
        """Return the name of the best of several scores if its interval sets it apart from all others.

        Parameters
        ----------
        scores : the scores by name
        intervals : lower and upper ends of the intervals there are, by the same names
        """
        ranked = self.ranked(scores)
        apart = len(ranked) > 1 and ranked[0] in intervals and self.alike(scores, intervals) is None
        return ranked[0] if apart else None

    @property
    def worst(self) -> float:
        """The worst possible score."""
        return float("-inf") if self.larger_is_better else float("inf")


METRICS = {
    "mse": Metric("MSE", words="mean squared error, in squared units of the intensities", unit="intensity²"),
    "mae": Metric("MAE", words="mean absolute error, in units of the intensities", unit="intensity"),
    "psnr": Metric(
        "PSNR (dB)",
        larger_is_better=True,
        words="peak signal-to-noise ratio; the data range is that of the truth; undefined for a constant truth",
        unit="dB",
    ),
    "mpsnr": Metric(
        "MPSNR (dB)",
        larger_is_better=True,
        words="mean peak signal-to-noise ratio over the bands, with the data range of each band of the truth; without constant bands",
        unit="dB",
    ),
    "ssim": Metric("SSIM", larger_is_better=True, words="structural similarity of the band images; 1 for identical images", unit="1"),
    "sam": Metric("Angle (°)", words="mean angle between the spectra of result and truth; independent of brightness", unit="°"),
    "ergas": Metric("ERGAS", words="relative error over all bands, in per cent", unit="%"),
    "peak_position": Metric(
        "Peak position error", words="mean error of the position of each spectrum's highest peak, in units of the axis", unit="axis"
    ),
    "peak_width": Metric(
        "Peak width error",
        words="mean error of the width at half height of each spectrum's highest peak, in units of the axis",
        unit="axis",
    ),
    "overall_accuracy": Metric("Accuracy", larger_is_better=True, words="fraction of the pixels that are classified correctly"),
    "average_accuracy": Metric(
        "Mean recall",
        larger_is_better=True,
        words="fraction of each class's pixels that are classified correctly, mean over the classes (balanced accuracy)",
    ),
    "kappa": Metric("Kappa", larger_is_better=True, words="agreement beyond chance (Cohen's kappa); 1 is perfect, 0 is chance"),
    "f1": Metric("F1", larger_is_better=True, words="harmonic mean of precision and recall, mean over the classes"),
    "miou": Metric("mIoU", larger_is_better=True, words="intersection over union, mean over the classes"),
    "dice": Metric("Dice", larger_is_better=True, words="Dice overlap, mean over the classes; equals F1"),
    "calibration_error": Metric(
        "Calib. error", words="expected calibration error: difference between predicted probabilities and the fraction that is correct"
    ),
}


AS_GIVEN = "as they are"
"""Description of intensities that are scored without normalisation."""


def unit_of(name: str, *, intensities: str = "", axis: str = "") -> str:
    """Return the unit of a score; ``"1"`` for fractions.

    Parameters
    ----------
    name : str
        Name of the metric.
    intensities : str
        How intensities were scored; for normalised spectra, the unit is "normalised intensity".
    axis : str
        Unit of the spectral axis, which is that of peak positions.
    """
    unit = METRICS[name].unit or "1"
    if unit == "axis":
        return axis or "bands"
    return f"normalised {unit}" if unit.startswith("intensity") and intensities not in ("", AS_GIVEN) else unit


def titled(name: str, *, axis: str = "") -> str:
    """Return what a score is called, with the unit of the spectral axis where it is in that."""
    metric = METRICS.get(name, Metric(name))
    return f"{metric.title} ({axis or 'bands'})" if metric.unit == "axis" else metric.title


def units_of(names: Iterable[str], *, intensities: str = "", axis: str = "") -> str:
    """Describe in a sentence how intensities were scored, with the unit of each score that has one; empty for scores of classes."""
    units = {METRICS[name].title.partition(" (")[0]: unit_of(name, intensities=intensities, axis=axis) for name in names}
    units_text = ", ".join(f"{title} in {unit}" for title, unit in units.items() if unit != "1")
    scored = f"Intensities: {intensities}{'' if intensities != AS_GIVEN else ' (not normalised)'}." if intensities else ""
    return " ".join(part for part in (scored, f"{units_text}." if units_text else "") if part)


def by_class(matrix: Any) -> dict[str, list[float]]:
    """Return precision, recall, F1, IoU and support of each class of a confusion matrix (C, C): rows the truth, columns the result.

    Precision of a class that is never predicted, recall of one that is missing from the truth, and F1 and IoU of one missing from both
    are NaN. F1 and IoU of a class that is predicted but missing from the truth are 0.
    """
    counts = np.asarray(matrix, np.float64)
    right, there, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {
            "precision": right / predicted, "recall": right / there, "f1": 2 * right / (there + predicted),
        "iou": right / (there + predicted - right),
        }  # fmt: skip
    return {name: values.tolist() for name, values in (shares | {"support": there}).items()}
