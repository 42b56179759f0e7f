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

    def is_better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one > other if self.larger_is_better else one < other

    @property
    def worst(self) -> float:
        """A figure that any other beats."""
        return float("-inf") if self.larger_is_better else float("inf")


METRICS = {
    "mse": Metric("MSE"),
    "mae": Metric("MAE"),
    "psnr": Metric("PSNR (dB)", larger_is_better=True),
    "mpsnr": Metric("MPSNR (dB)", larger_is_better=True),
    "ssim": Metric("SSIM", larger_is_better=True),
    "sam": Metric("Angle (°)"),
    "ergas": Metric("ERGAS"),
    "peak_position": Metric("Peak place"),
    "peak_width": Metric("Peak width"),
    "overall_accuracy": Metric("Accuracy", larger_is_better=True),
    "average_accuracy": Metric("Mean recall", larger_is_better=True),
    "kappa": Metric("Kappa", larger_is_better=True),
    "f1": Metric("F1", larger_is_better=True),
    "miou": Metric("mIoU", larger_is_better=True),
    "dice": Metric("Dice", larger_is_better=True),
    "calibration_error": Metric("Calib. error"),
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
