"""The figures of merit by name: their titles, and which way is better. `learn.metrics` computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Metric:
    """How a figure is shown and compared."""

    title: str
    larger_is_better: bool = False
    words: str = ""
    """What it is, for a tooltip."""

    def is_better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one > other if self.larger_is_better else one < other

    @property
    def worst(self) -> float:
        """A figure that any other beats."""
        return float("-inf") if self.larger_is_better else float("inf")


METRICS = {
    "mse": Metric("MSE", words="mean squared error, in squared units of the intensities"),
    "mae": Metric("MAE", words="mean absolute error, in units of the intensities"),
    "psnr": Metric("PSNR (dB)", larger_is_better=True, words="peak signal-to-noise ratio; the data range is the truth's"),
    "mpsnr": Metric(
        "MPSNR (dB)",
        larger_is_better=True,
        words="mean over the bands of the peak signal-to-noise ratio; each band's data range is the truth's",
    ),
    "ssim": Metric("SSIM", larger_is_better=True, words="structural similarity of the band images; 1 is the same"),
    "sam": Metric("Angle (°)", words="mean angle between the spectra of result and truth; brightness does not count"),
    "ergas": Metric("ERGAS", words="relative error over all bands, in per cent"),
    "peak_position": Metric("Peak place", words="mean error of the place of each spectrum's highest peak, in units of the axis"),
    "peak_width": Metric(
        "Peak width", words="mean error of the width at half height of each spectrum's highest peak, in units of the axis"
    ),
    "overall_accuracy": Metric("Accuracy", larger_is_better=True, words="share of the pixels that are told right"),
    "average_accuracy": Metric(
        "Mean recall", larger_is_better=True, words="share of each class's pixels that are told right, mean over the classes"
    ),
    "kappa": Metric("Kappa", larger_is_better=True, words="agreement beyond chance; 1 is the same, 0 is chance"),
    "f1": Metric("F1", larger_is_better=True, words="harmonic mean of precision and recall, mean over the classes"),
    "miou": Metric("mIoU", larger_is_better=True, words="intersection over union, mean over the classes"),
    "dice": Metric("Dice", larger_is_better=True, words="overlap, mean over the classes"),
    "calibration_error": Metric("Calib. error", words="how far the probabilities are from the share that is right"),
}


def by_class(matrix: Any) -> dict[str, list[float]]:
    """Return precision, recall, F1, IoU and support of each class of a confusion matrix (C, C); NaN where a class does not occur."""
    counts = np.asarray(matrix, np.float64)
    right, there, told = counts.diagonal(), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {
            "precision": right / told, "recall": right / there, "f1": 2 * right / (there + told), "iou": right / (there + told - right),
        }  # fmt: skip
    return {name: values.tolist() for name, values in (shares | {"support": there}).items()}
