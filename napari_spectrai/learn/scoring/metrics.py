"""Scores of results against a truth.

Of cubes: torch tensors or NumPy arrays of shape (..., λ), averaged over spectra. Of classes: probabilities (n, C) and class numbers
(n,). scikit-image computes SSIM, torchmetrics ERGAS and the calibration error; they are imported when asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.experiment.metrics import ClassMean

Doubles = npt.NDArray[np.float64]

WINDOW = 11
"""Pixels along each side of the window of SSIM."""
CONFIDENCE_BINS = 15
"""Bins of the calibration error."""


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.as_tensor(values)


def mse(result: Any, truth: Any) -> float:
    """Return the mean squared error, in squared units of the input."""
    return float((_tensor(result).double() - _tensor(truth).double()).square().mean())


def mae(result: Any, truth: Any) -> float:
    """Return the mean absolute error, in units of the input."""
    return float((_tensor(result).double() - _tensor(truth).double()).abs().mean())


def psnr(result: Any, truth: Any) -> float:
    """Return the peak signal-to-noise ratio in dB; the data range is that of the truth, maximum minus minimum.

    A constant truth has no range: the ratio is then NaN (not defined), or infinite if the result equals the truth.
    """
    truth = _tensor(truth).double()
    span = float(truth.max() - truth.min())
    return float(decibels(np.array([span]), np.array([[mse(result, truth)]]))[0])


def mpsnr(result: Any, truth: Any) -> float:
    """Return the mean over bands of the PSNR in dB; each band's data range is the truth's own.

    Bands whose truth is constant have no range and are left out. If all are constant, it is NaN (not defined), or infinite if the result
    equals the truth.
    """
    result, truth = (_tensor(values).double().flatten(0, -2) for values in (result, truth))
    spans, errors = truth.amax(0) - truth.amin(0), (result - truth).square().mean(0)
    return float(decibels(spans.cpu().numpy(), errors.cpu().numpy()[None])[0])


def decibels(spans: npt.NDArray[np.float64], errors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean PSNR in dB over bands of data ranges (λ,), for mean squared errors (n, λ), without bands that have no range.

    Infinite where there is no error; NaN where there is one, and no band has a range, since the ratio is then not defined.
    """
    known = spans > 0
    if not known.any():
        return np.where(errors.sum(1) == 0, math.inf, math.nan)
    with np.errstate(divide="ignore"):
        ratios = spans[known] ** 2 / errors[:, known]
    return np.asarray(10 * np.log10(ratios).mean(1))


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
    image = _tensor(values).double()
    return image.reshape(-1, *image.shape[-3:]).permute(0, 3, 1, 2)


def ssim(result: Any, truth: Any) -> float:
    """Return the structural similarity of images (..., y, x, λ) (Wang et al. 2004, doi:10.1109/TIP.2003.819861).

    The mean over bands and over all positions where the Gaussian window (11 pixels, standard deviation 1.5) lies within the image; the
    data range is the truth's. It is what scikit-image's ``structural_similarity(result, truth, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=range of the truth, channel_axis=-1)`` gives.

    SSIM compares mean luminances, which have to be positive. Where the truth has negative values, both images are therefore shifted by
    its minimum before; without that, an inverted result of signed data (derivatives, centred spectra) would have a positive score. An
    inverted result of intensities, which are never negative, has one in scikit-image and here, and `evaluate` says that it is inverted.
    NaN for sets of spectra, for images smaller than the window and for a constant truth.
    """
    truth = _tensor(truth)
    if truth.ndim < 3 or min(truth.shape[-3:-1]) < WINDOW:
        return math.nan
    low, high = float(truth.min()), float(truth.max())
    if low == high:
        return math.nan
    return float(similarities_of_images(result, truth).mean())


def similarities_of_images(result: Any, truth: Any) -> Tensor:
    """Return the structural similarity of each image (planes, y, x, λ), in the range of all of them."""
    truth, inside = _tensor(truth), slice(WINDOW // 2, -(WINDOW // 2))
    found = similarities(_image(result), _image(truth), float(truth.min()), float(truth.max()))
    return found[..., inside, inside].flatten(1).mean(1)


def similarities(result: Tensor, truth: Tensor, low: float, high: float) -> Tensor:
    """Return the structural similarity around each pixel of images (planes, λ, y, x) whose truth lies between `low` and `high`.

    Within half a window of the border, images are continued by reflection; `ssim` leaves those pixels out.
    """
    from skimage.metrics import structural_similarity  # a hundred times as fast as torchmetrics on a CPU, and equal to 1e-14

    shift = min(0.0, low)
    one, other = ((values - shift).double().cpu().numpy() for values in (result, truth))
    planes = [
        structural_similarity(
            *pair, data_range=high - low, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True, channel_axis=0
        )[1]
        for pair in zip(one, other, strict=True)
    ]
    return torch.from_numpy(np.stack(planes))


def ergas(result: Any, truth: Any, factor: float = 1.0) -> float:
    """Return the relative dimensionless global error: 100 / `factor` times the root of the mean of (RMSE / mean)² over the bands.

    NaN where a band's mean is zero (Wald 2000, "Quality of high resolution synthesised images: is there a simple criterion?").
    """
    from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis

    result, truth = (_tensor(values).double() for values in (result, truth))
    # over all pixels at once: an image of n × 1 pixels
    one, other = (values.flatten(0, -2).T[None, :, :, None] for values in (result, truth))
    if bool((other.mean((0, 2, 3)) == 0).any()):
        return math.nan
    return float(error_relative_global_dimensionless_synthesis(one, other, ratio=factor))


def confusion(classes: Any, truth: Any, count: int) -> Tensor:
    """Return the confusion matrix (C, C): rows the truth's classes 0 … C-1, columns the result's."""
    pairs = _tensor(truth).long() * count + _tensor(classes).long()
    return torch.bincount(pairs.flatten(), minlength=count * count).view(count, count)


def of_classes(probabilities: Any, truth: Any, names: Sequence[str], *, class_mean: ClassMean = "truth") -> dict[str, float]:
    """Return the named scores of probabilities (n, C) against class numbers (n,), 0 … C-1.

    Accuracies, kappa, F1, mIoU and Dice follow from the confusion matrix; see `from_confusion` for the classes that they are means over.
    The calibration error is torchmetrics' (Naeini et al. 2015, 15 bins).
    """
    shares, wanted = _tensor(probabilities).float(), _tensor(truth).long()
    if not len(wanted):
        return dict.fromkeys(names, math.nan)
    found = from_confusion(confusion(shares.argmax(-1), wanted, shares.shape[-1]), class_mean)
    if "calibration_error" in names:
        from torchmetrics.functional.classification import multiclass_calibration_error

        error = multiclass_calibration_error(shares, wanted, num_classes=max(2, shares.shape[-1]), n_bins=CONFIDENCE_BINS)
        found["calibration_error"] = float(error)
    return {name: found[name] for name in names}


def from_confusion(matrix: Tensor, class_mean: ClassMean = "truth") -> dict[str, float]:
    """Return the scores of a confusion matrix (C, C), whose rows are the truth and whose columns are the result.

    Parameters
    ----------
    matrix : Tensor of shape (C, C)
    class_mean : {"truth", "union"}
        Over which classes F1, IoU and Dice are averaged. ``"truth"``: those that the truth holds, so that a class which the truth does not
        hold counts only by the pixels that it takes from others. ``"union"``: those that the truth or the result holds, as scikit-learn's
        ``f1_score`` and ``jaccard_score`` with ``average="macro"`` do; a class that is predicted and not in the truth has 0 there.
        Mean recall is over the classes of the truth in both, as scikit-learn's ``balanced_accuracy_score``.

    Returns
    -------
    dict
        NaN for what is not defined: everything of an empty matrix, kappa where chance agrees wholly.

    Raises
    ------
    ValueError
        If `class_mean` is neither.
    """
    counts = matrix.double().cpu().numpy()
    found = from_counts(counts.diagonal(), counts.sum(1), counts.sum(0), class_mean)
    return {name: float(value) for name, value in found.items()}


def from_counts(right: Doubles, there: Doubles, predicted: Doubles, class_mean: ClassMean = "truth") -> dict[str, Doubles]:
    """Return the scores (…) of confusion matrices.

    Parameters
    ----------
    right, there, predicted : float64 array of shape (…, C)
        Their diagonals and the sums of their rows and columns: what each class has of correct samples, in the truth and in the result.
    class_mean : {"truth", "union"}
        As in `from_confusion`.

    Raises
    ------
    ValueError
        If `class_mean` is neither.
    """
    if class_mean not in ("truth", "union"):
        raise ValueError(f"class_mean is {class_mean!r}; choose 'truth' or 'union'")
    held = there > 0
    averaged = held if class_mean == "truth" else there + predicted > 0

    def mean(shares: Doubles, classes: npt.NDArray[np.bool_]) -> Doubles:
        return np.asarray(np.where(classes, shares, 0.0).sum(-1) / classes.sum(-1))

    with np.errstate(invalid="ignore", divide="ignore"):
        total = there.sum(-1)
        overall, chance = right.sum(-1) / total, (there * predicted).sum(-1) / total**2
        f1 = mean(2 * right / (there + predicted), averaged)
        return {
            "overall_accuracy": overall,
            "average_accuracy": mean(right / there, held),
            "kappa": np.where(chance < 1, (overall - chance) / (1 - chance), math.nan),
            "f1": f1,
            "miou": mean(right / (there + predicted - right), averaged),
            "dice": f1,  # of one label per pixel, the two are the same
        }


METRICS: dict[str, Callable[[Any, Any], float]] = {
    "mse": mse, "mae": mae, "psnr": psnr, "mpsnr": mpsnr, "sam": sam, "ssim": ssim, "ergas": ergas,
}  # fmt: skip


def scores(result: Any, truth: Any, names: Sequence[str]) -> dict[str, float]:
    """Return the named scores of cubes."""
    return {name: METRICS[name](result, truth) for name in names}
