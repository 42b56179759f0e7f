"""Predictions of methods that use whole images, for the pixels to be scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.network_spec import looks_around
from napari_spectrai.learn.data.pool import Scene, in_units
from napari_spectrai.learn.scoring.intervals import squares
from napari_spectrai.networks.hooks import WholeImages

MOST = 50_000
"""Largest number of pixels on which a training scores a classifier: its accuracy is then accurate to a fifth of a percent."""


def asked_pixels(scenes: Sequence[Scene], most: int | None = None) -> list[Tensor]:
    """Return the pixels of each scene (z, y, x) that are scored: all valid ones, or at most `most` for classes, evenly spread."""
    known = [counted(scene) for scene in scenes]
    every = 1 if most is None else max(1, -(-sum(int(counts.sum()) for counts in known) // most))
    result = []
    for scene, counts in zip(scenes, known, strict=True):
        asked = counts
        if every > 1 and scene.y is not None and scene.y.ndim == 3:
            asked = torch.zeros_like(counts)
            asked.view(-1)[torch.nonzero(counts.reshape(-1))[::every, 0]] = True
        result.append(asked)
    return result


def units_of(asked: Sequence[Tensor]) -> npt.NDArray[np.int64]:
    """Return the unit of each of the pixels that `asked_pixels` returned: squares of each scene."""
    found, count = [np.empty(0, np.int64)], 0
    for pixels in asked:
        units = squares(pixels.shape, pixels.numel())  # as small as they can be: there are few pixels with a label
        found.append(units[pixels.cpu().numpy()] + count)
        count += int(units.max(initial=-1)) + 1
    return np.concatenate(found)


@torch.no_grad()
def predict_pixels(method: Callable[[Tensor], Tensor], scenes: Sequence[Scene], most: int | None = None) -> tuple[Tensor, Tensor]:
    """Return a method's predictions for the pixels that are scored, and their truth: spectra, or probabilities and class numbers from 0.

    Spectra are in prepared intensities, or in those of the truth if it has its own unit.

    `most` is the largest number of pixels predicted by a classifier of single pixels; they are evenly spread.
    """
    results, truths = [], []
    for scene, asked in zip(scenes, asked_pixels(scenes, most), strict=True):
        if scene.y is None or not bool(asked.any()):
            continue
        output = _of(method, input_of(method, scene), asked)
        if scene.y.ndim == 3:
            output, truth = output.softmax(-1), scene.y[asked] - 1
        else:
            output, truth = in_units(None if scene.units is None else scene.units[asked], output, scene.y[asked])
        results.append(output)
        truths.append(truth)
    return torch.cat(results), torch.cat(truths)


def answers_at(method: Any, scene: Scene) -> Tensor:
    """Return the predictions of a method or network for the valid pixels of a scene, (n, bands or classes)."""
    if not bool(scene.counts.any()):
        return scene.x.new_empty(0, 1)
    return _of(method.same if isinstance(method, WholeImages) else method, input_of(method, scene), scene.counts)


def input_of(method: Any, scene: Scene) -> Tensor:
    """Return a scene as the input of a method or network: the image of a network is continued over pixels without data."""
    spec = getattr(method, "spec", None)
    return scene.given_to(spec) if isinstance(spec, ClassicalSpec) else scene.continued


def _of(method: Any, x: Tensor, asked: Tensor) -> Tensor:
    """Return a method's predictions for some pixels of images; methods for single spectra, or with `only`, compute no others."""
    spec = getattr(method, "spec", None)
    if isinstance(spec, ClassicalSpec) and not looks_around(spec):
        output: Tensor = method(x[asked][None, :, None])[0, :, 0]
        return output
    chosen: Tensor = method.only(x, asked) if hasattr(method, "only") else method(x)[asked]
    return chosen


def counted(scene: Scene) -> Tensor:
    """Return which pixels of a scene are valid, (z, y, x): for classes, those with a label."""
    return scene.counts & (scene.y > 0) if scene.y is not None and scene.y.ndim == 3 else scene.counts
