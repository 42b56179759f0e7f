"""What a denoiser took away where no truth says what it should have: how far the mean spectrum moved, and what the rest looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.noise import eigenimages, noise_of_bands

SIDE = 128
"""Pixels along each side, at most, of what is looked at; of a set so many squared."""
GRID = 16
"""Sides are multiples of this where they can be, for networks that halve the image several times."""


@torch.no_grad()
def what_was_removed(experiment: Experiment, data: Dataset, network: Any) -> list[str]:
    """Return sentences on the difference between the data and what a network or method makes of them, in prepared intensities.

    Nothing is returned where there is a clean truth, or where no cube of the same pixels and bands comes out.
    """
    if experiment.task.target == "truth" or data.classes or experiment.task.enlarges > 1 or data.out != data.inputs.shape[1]:
        return []
    place = max(data.places, key=lambda place: min(place.shape[1:]))
    seen = place.of(data.inputs)[:1]
    if min(place.shape[1:]) > 1:
        height, width = (min(SIDE, length) // GRID * GRID or length for length in place.shape[1:])
        seen = seen[:, :height, :width]
    else:
        seen = seen.reshape(1, -1, 1, seen.shape[-1])[:, : SIDE**2]
    given = getattr(network, "same", network)(seen.contiguous()).float()
    before, after = (part[0].detach().cpu().numpy().astype(np.float64) for part in (seen, given))
    return sentences(before, after, data.prepared_axis)


def sentences(before: FloatArray, after: FloatArray, axis: SpectralAxis) -> list[str]:
    """Return what the difference between two images (y, x, λ), or sets (n, 1, λ), looks like.

    The mean spectrum should have moved by standard errors of the noise only; of pure noise, no more lies along the signal's components
    than their share of all directions, and neighbouring pixels have nothing in common.
    """
    removed, bands = before - after, before.shape[-1]
    flat = before.reshape(-1, bands)
    noise = np.maximum(noise_of_bands(flat), 1e-12 * max(float(np.abs(flat).max()), 1e-30))
    moved = -removed.reshape(-1, bands).mean(0) / (noise / np.sqrt(len(flat)))
    worst = int(np.abs(moved).argmax())
    where = f"{axis.values[worst]:.5g} {axis.unit}" if axis.unit else f"band {worst}"
    mean = (
        f"The mean spectrum moved by {float(np.sqrt(np.square(moved).mean())):.2g} standard errors of the noise (root mean square over the "
        f"bands; most at {where}: {moved[worst]:+.2g})."
    )
    size = np.sqrt(np.square(removed).reshape(-1, bands).mean(0))
    took = f"What was removed has a standard deviation of {_spread(size)}; the noise of the data is estimated at {_spread(noise)}."
    return [mean, " ".join([took, *_structure(removed, before)])]


def _structure(removed: FloatArray, before: FloatArray) -> list[str]:
    bands = before.shape[-1]
    total = float(np.square(removed).sum())
    if total <= 0 or min(removed.shape[0] * removed.shape[1], bands) < 5:
        return []
    image = before if min(before.shape[:2]) > 1 else before.reshape(-1, bands)
    basis = np.linalg.qr(eigenimages(image)[1].T)[0]
    along, chance = float(np.square(removed @ basis).sum()) / total, basis.shape[1] / bands
    where = f"along the signal's {basis.shape[1]} components"
    words = [f"{100 * along:.0f} % of its variance lies {where} (of pure noise, {100 * chance:.0f} %)"]
    if min(removed.shape[:2]) > 1:
        centred = removed - removed.mean((0, 1))
        shared = [(centred[1:] * centred[:-1]).mean(), (centred[:, 1:] * centred[:, :-1]).mean()]
        words.append(f"the correlation of neighbouring pixels in it is {float(np.mean(shared)) / float(np.square(centred).mean()):.2f} (0)")
    return [f"{', and '.join(words)}."]


def _spread(values: FloatArray) -> str:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.3g} ({low:.3g} to {high:.3g} over the bands)"
