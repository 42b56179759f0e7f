"""What a denoiser removed from data without a truth: the shift of the mean spectrum, and the structure of the residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.classical.scored_pixels import input_of
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.noise import eigenimages, noise_of_bands
from napari_spectrai.noise.spatial import spatial_noise

SIDE = 128
"""Largest number of pixels per side examined; for a set, this number squared."""
GRID = 16
"""Sides are multiples of this if possible, for networks that halve the image several times."""

_RELATIVE = 1e-12
"""Fraction of what was removed above which it varies over the pixels, beyond rounding."""


@torch.no_grad()
def what_was_removed(experiment: Experiment, data: Dataset, network: Any) -> list[str]:
    """Return sentences on the difference between the data and the output of a network or method.

    Nothing is returned if there is a clean truth, or if the output is not a cube of the same pixels and bands.
    """
    if experiment.task.target == "truth" or data.classes or experiment.task.enlarges > 1 or data.out != data.inputs.shape[1]:
        return []
    scene = max(data.scenes(), key=lambda scene: min(scene.x.shape[1:3]))
    seen = input_of(network, scene)[:1]
    if min(seen.shape[1:3]) > 1:
        rows, columns = (slice(min(SIDE, length) // GRID * GRID or length) for length in seen.shape[1:3])
    else:
        rows, columns = slice(SIDE**2), slice(None)
    given = on_whole_images(network, seen[:, rows, columns].contiguous()).float()
    before, after = (part[0].detach().cpu().numpy().astype(np.float64) for part in (scene.x[:1, rows, columns], given))
    held = np.ones(before.shape[:2], bool) if scene.holds is None else scene.holds[0, rows, columns].cpu().numpy()
    if not held.any():
        return []
    return [*sentences(before, after, data.prepared_axis, held, unit=data.preparation.unit), *_taken_for_signal(experiment, before, held)]


def _taken_for_signal(experiment: Experiment, before: FloatArray, held: npt.NDArray[np.bool_]) -> list[str]:
    """Warn of noise that pixels share where a network learns from added noise, which is independent from pixel to pixel."""
    if experiment.network.kind == "automatic" or getattr(experiment.task, "learns_from", "") != "recorrupted" or not held.all():
        return []
    shared = spatial_noise(before)
    if shared is None:
        return []
    remedy = "set task.learns_from=bands, or network=automatic, which adds noise like that of the data"
    return [f"{shared} The score takes such noise for signal, since the added noise is independent from pixel to pixel: {remedy}."]


def sentences(
    before: FloatArray, after: FloatArray, axis: SpectralAxis, held: npt.NDArray[np.bool_] | None = None, *,
    unit: tuple[float, float] | None = None,
) -> list[str]:  # fmt: skip
    """Describe the difference between two images (y, x, λ), or sets (n, 1, λ), where pixels are `held` (y, x); default: all.

    Levels are multiplied by the scale of `unit` (`Preparation.unit`); without one, they are of prepared intensities, which is said.

    The mean spectrum should change by standard errors of the noise only. Of pure noise, the fraction along the signal's components
    equals their fraction of all dimensions, and neighbouring pixels are as correlated as the noise (`spatial_noise`), mostly not at all.
    """
    held = np.ones(before.shape[:2], bool) if held is None else held
    removed, flat = np.where(held[..., None], before - after, 0), before[held]
    if not removed.any():
        return ["Nothing was removed."]
    noise = np.maximum(noise_of_bands(flat), 1e-12 * max(float(np.abs(flat).max()), 1e-30))
    shared = spatial_noise(before) if held.all() else None
    if shared is not None:
        noise *= max(1.0, shared.level / float(np.sqrt(np.square(noise).mean())))
    independent = len(flat) / (1.0 if shared is None else shared.inflation(*before.shape[:2]))
    moved = -removed[held].mean(0) / (noise / np.sqrt(independent))
    worst = int(np.abs(moved).argmax())
    where = f"{axis.values[worst]:.5g} {axis.unit}" if axis.unit else f"band {worst}"
    mean = (
        f"The mean spectrum changed by {float(np.sqrt(np.square(moved).mean())):.2g} standard errors of the noise (RMS over the "
        f"bands; most at {where}: {moved[worst]:+.2g})."
    )
    size = np.sqrt(np.square(removed[held]).mean(0))
    scale, prepared = (1.0, " (prepared intensities)") if unit is None else (unit[0], "")
    levels = [_spread(scale * values) for values in (size, noise)]
    took = f"What was removed has a standard deviation of {levels[0]}; the estimated noise of the data is {levels[1]}{prepared}."
    return [mean, " ".join([took, *_structure(removed, before, held, 0.0 if shared is None else shared.correlation)])]


def _structure(removed: FloatArray, before: FloatArray, held: npt.NDArray[np.bool_], correlation: float) -> list[str]:
    bands, count = before.shape[-1], int(held.sum())
    total = float(np.square(removed).sum())
    if total <= 0 or min(count, bands) < 5:
        return []
    image = before if min(before.shape[:2]) > 1 and held.all() else before[held]
    basis = np.linalg.qr(eigenimages(image)[1].T)[0]
    along, chance = float(np.square(removed @ basis).sum()) / total, basis.shape[1] / bands
    where = f"along the signal's {basis.shape[1]} components"
    words = [f"{100 * along:.0f} % of its variance lies {where} (for pure noise, {100 * chance:.0f} %)"]
    if min(removed.shape[:2]) > 1:
        centred = np.where(held[..., None], removed - removed[held].mean(0), 0)
        pairs = [(centred[1:] * centred[:-1], held[1:] & held[:-1]), (centred[:, 1:] * centred[:, :-1], held[:, 1:] & held[:, :-1])]
        shared = [products[both].mean() for products, both in pairs if both.any()]
        varied = float(np.square(centred[held]).mean())
        if shared and varied > _RELATIVE * total / (count * bands):  # else the same was removed from every pixel
            found = float(np.mean(shared)) / varied
            words.append(f"the correlation of neighbouring pixels is {found:.2f} (pure noise: {correlation:.2g})")
    return [f"{', and '.join(words)}."]


def _spread(values: FloatArray) -> str:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.3g} ({low:.3g} to {high:.3g} over the bands)"
