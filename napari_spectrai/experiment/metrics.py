"""The scores by name: title, unit, which way is better, and the rules that hold for them. `learn.metrics` computes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ClassMean = Literal["truth", "union"]
"""Over which classes F1, IoU and Dice are averaged: those of the truth, or those that truth or result hold."""

CLASS_MEANS: dict[ClassMean, str] = {
    "truth": "Means over classes are over those that the truth holds.",
    "union": "F1, IoU and Dice are averaged over the classes that the truth or the result holds, as scikit-learn does.",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """How a score is shown and compared."""

    title: str
    larger_is_better: bool = False
    words: str = ""
    """What it is, for a tooltip."""
    unit: str = ""
    """``"intensity"`` and ``"axis"`` stand for the unit of the intensities and of the spectral axis."""

    def is_better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one > other if self.larger_is_better else one < other

    @property
    def worst(self) -> float:
        """A figure that any other beats."""
        return float("-inf") if self.larger_is_better else float("inf")


METRICS = {
    "mse": Metric("MSE", words="mean squared error, in squared units of the intensities", unit="intensity²"),
    "mae": Metric("MAE", words="mean absolute error, in units of the intensities", unit="intensity"),
    "psnr": Metric(
        "PSNR (dB)",
        larger_is_better=True,
        words="peak signal-to-noise ratio; the data range is the truth's, and without one it is not defined",
        unit="dB",
    ),
    "mpsnr": Metric(
        "MPSNR (dB)",
        larger_is_better=True,
        words="mean over the bands of the peak signal-to-noise ratio; each band's data range is the truth's, constant bands are left out",
        unit="dB",
    ),
    "ssim": Metric("SSIM", larger_is_better=True, words="structural similarity of the band images; 1 is the same", unit="1"),
    "sam": Metric("Angle (°)", words="mean angle between the spectra of result and truth; independent of brightness", unit="°"),
    "ergas": Metric("ERGAS", words="relative error over all bands, in per cent", unit="%"),
    "peak_position": Metric(
        "Peak place", words="mean error of the position of each spectrum's highest peak, in units of the axis", unit="axis"
    ),
    "peak_width": Metric(
        "Peak width", words="mean error of the width at half height of each spectrum's highest peak, in units of the axis", unit="axis"
    ),
    "overall_accuracy": Metric("Accuracy", larger_is_better=True, words="share of the pixels that are classified correctly"),
    "average_accuracy": Metric(
        "Mean recall",
        larger_is_better=True,
        words="share of each class's pixels that are classified correctly, mean over the classes (balanced accuracy)",
    ),
    "kappa": Metric("Kappa", larger_is_better=True, words="agreement beyond chance; 1 is the same, 0 is chance"),
    "f1": Metric("F1", larger_is_better=True, words="harmonic mean of precision and recall, mean over the classes"),
    "miou": Metric("mIoU", larger_is_better=True, words="intersection over union, mean over the classes"),
    "dice": Metric("Dice", larger_is_better=True, words="overlap, mean over the classes; the same as F1"),
    "calibration_error": Metric("Calib. error", words="expected calibration error: how far probabilities are from the share that is right"),
}


AS_GIVEN = "as they are"
"""How intensities are said to be scored where no spectrum is normalised."""


def unit_of(name: str, *, intensities: str = "", axis: str = "") -> str:
    """Return the unit of a score; ``"1"`` is a share.

    Parameters
    ----------
    name : str
        The metric.
    intensities : str
        How they were scored; of normalised spectra the unit is "normalised intensity".
    axis : str
        The unit of the spectral axis, which is that of peak positions.
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
    """Return how the intensities were scored and the unit of each score that has one, in a sentence; nothing for scores of classes."""
    units = {METRICS[name].title.partition(" (")[0]: unit_of(name, intensities=intensities, axis=axis) for name in names}
    said = ", ".join(f"{title} in {unit}" for title, unit in units.items() if unit != "1")
    scored = f"Intensities: {intensities}{'' if intensities != AS_GIVEN else ' (not normalised)'}." if intensities else ""
    return " ".join(part for part in (scored, f"{said}." if said else "") if part)


def by_class(matrix: Any) -> dict[str, list[float]]:
    """Return precision, recall, F1, IoU and support of each class of a confusion matrix (C, C): rows the truth, columns the result.

    Precision of a class that is never predicted, recall of one that the truth does not hold, and F1 and IoU of one that neither holds
    are NaN. F1 and IoU of a class that the truth does not hold and that is predicted are 0.
    """
    counts = np.asarray(matrix, np.float64)
    right, there, told = counts.diagonal(), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {
            "precision": right / told, "recall": right / there, "f1": 2 * right / (there + told), "iou": right / (there + told - right),
        }  # fmt: skip
    return {name: values.tolist() for name, values in (shares | {"support": there}).items()}
