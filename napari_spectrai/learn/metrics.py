"""Figures of merit.

Of cubes: torch tensors or NumPy arrays of shape (..., λ), averaged over spectra. Of classes: probabilities (n, C) and class numbers
(n,). torchmetrics computes SSIM, ERGAS and the calibration error; it is imported when asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.experiment.metrics import by_class


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.as_tensor(values)


def mse(result: Any, truth: Any) -> float:
    """Return the mean squared error, in squared units of the input."""
    return float((_tensor(result) - _tensor(truth)).double().square().mean())


def mae(result: Any, truth: Any) -> float:
    """Return the mean absolute error, in units of the input."""
    return float((_tensor(result) - _tensor(truth)).double().abs().mean())


def decibel(span: float, error: float) -> float:
    """Return how far a squared error lies below a data range, in dB."""
    if error == 0:
        return math.inf
    return 10 * math.log10(span**2 / error) if span else -math.inf


def psnr(result: Any, truth: Any) -> float:
    """Return the peak signal-to-noise ratio in dB; the data range is the truth's own."""
    truth = _tensor(truth)
    return decibel(float(truth.max() - truth.min()), mse(result, truth))


def mpsnr(result: Any, truth: Any) -> float:
    """Return the mean over bands of the PSNR in dB; each band's data range is the truth's own. Bands that are constant are left out."""
    result, truth = (_tensor(values).double().flatten(0, -2) for values in (result, truth))
    spans = truth.amax(0) - truth.amin(0)
    errors = (result - truth).square().mean(0)
    figures = [decibel(float(span), float(error)) for span, error in zip(spans, errors, strict=True) if span > 0]
    return sum(figures) / len(figures) if figures else math.nan


def sam(result: Any, truth: Any) -> float:
    """Return the mean spectral angle in degrees (Kruse et al. 1993, doi:10.1016/0034-4257(93)90013-N).

    Spectra that are all zero on either side have no angle and are left out; NaN if none remains.
    """
    a, b = _tensor(result).double(), _tensor(truth).double()
    lengths = a.norm(dim=-1) * b.norm(dim=-1)
    valid = lengths > 0
    if not bool(valid.any()):
        return math.nan
    cosine = (a * b).sum(-1)[valid] / lengths[valid]
    return float(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).mean())


def _image(values: Any) -> Tensor:
    """Return (planes, λ, y, x) of an image or volume (..., y, x, λ)."""
    image = _tensor(values).float()
    return image.reshape(-1, *image.shape[-3:]).permute(0, 3, 1, 2)


def ssim(result: Any, truth: Any) -> float:
    """Return the structural similarity of images (..., y, x, λ) (Wang et al. 2004, doi:10.1109/TIP.2003.819861).

    The data range is the truth's; NaN for sets of spectra and images smaller than its window of 11 pixels.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    truth = _tensor(truth)
    if truth.ndim < 3 or min(truth.shape[-3:-1]) < 11:
        return math.nan
    span = float(truth.max() - truth.min())
    return float(structural_similarity_index_measure(_image(result), _image(truth), data_range=span)) if span else math.nan  # type: ignore[arg-type]


def ergas(result: Any, truth: Any, factor: float = 1.0) -> float:
    """Return the relative dimensionless global error: 100 / `factor` times the root of the mean of (RMSE / mean)² over the bands.

    NaN where a band's mean is zero (Wald 2000, "Quality of high resolution synthesised images: is there a simple criterion?").
    """
    from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis

    result, truth = (_tensor(values).float() for values in (result, truth))
    # over all pixels at once: an image of n × 1 pixels
    one, other = (values.flatten(0, -2).T[None, :, :, None] for values in (result, truth))
    if bool((other.mean((0, 2, 3)) == 0).any()):
        return math.nan
    return float(error_relative_global_dimensionless_synthesis(one, other, ratio=factor))


def confusion(classes: Any, truth: Any, count: int) -> Tensor:
    """Return the confusion matrix (C, C): rows the truth's classes 0 … C-1, columns the result's."""
    pairs = _tensor(truth).long() * count + _tensor(classes).long()
    return torch.bincount(pairs.flatten(), minlength=count * count).view(count, count)


def of_classes(probabilities: Any, truth: Any, names: Sequence[str]) -> dict[str, float]:
    """Return the named figures of probabilities (n, C) against class numbers (n,), 0 … C-1.

    Accuracies, kappa, F1, mIoU and Dice follow from the confusion matrix; means over classes are over those that the truth holds.
    The calibration error is torchmetrics' (Naeini et al. 2015, 15 bins).
    """
    shares, wanted = _tensor(probabilities).float(), _tensor(truth).long()
    if not len(wanted):
        return dict.fromkeys(names, math.nan)
    matrix = confusion(shares.argmax(-1), wanted, shares.shape[-1])
    figures = from_confusion(matrix)
    if "calibration_error" in names:
        from torchmetrics.functional.classification import multiclass_calibration_error

        figures["calibration_error"] = float(multiclass_calibration_error(shares, wanted, num_classes=max(2, shares.shape[-1])))
    return {name: figures[name] for name in names}


def from_confusion(matrix: Tensor) -> dict[str, float]:
    """Return what a confusion matrix (C, C) tells."""
    matrix = matrix.double()
    total, there, told = float(matrix.sum()), matrix.sum(1), matrix.sum(0)
    held = there > 0
    single = {name: torch.tensor(values)[held] for name, values in by_class(matrix.cpu().numpy()).items()}
    overall = float(matrix.diagonal().sum()) / total
    chance = float((there * told).sum()) / total**2
    f1 = float(single["f1"].mean())
    return {
        "overall_accuracy": overall,
        "average_accuracy": float(single["recall"].mean()),
        "kappa": (overall - chance) / (1 - chance) if chance < 1 else math.nan,
        "f1": f1,
        "miou": float(single["iou"].mean()),
        "dice": f1,  # of one label a pixel, the two are the same
    }


METRICS: dict[str, Callable[[Any, Any], float]] = {
    "mse": mse, "mae": mae, "psnr": psnr, "mpsnr": mpsnr, "sam": sam, "ssim": ssim, "ergas": ergas,
}  # fmt: skip


def scores(result: Any, truth: Any, names: Sequence[str]) -> dict[str, float]:
    """Return the named figures of cubes."""
    return {name: METRICS[name](result, truth) for name in names}
