"""Snapshots of the output of a training: one spectrum, a confusion matrix, and a fixed window of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.labels import Class
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.networks.upsampling import degraded
from napari_spectrai.plan.patches import Place
from napari_spectrai.plan.subsets import VALIDATION
from napari_spectrai.runs import Confusion, Patch, Preview

SIDE = 32
"""Largest number of pixels along each side."""


def preview(epoch: int, axis: SpectralAxis, seen: Tensor, output: Tensor, truth: Tensor, target: str = "truth") -> Preview:
    """Return one spectrum: input, output, and the truth or other `target`, each of shape (λ,), with its `axis`."""
    given = seen.tolist()
    if len(given) != len(axis):  # interpolated to the bands of the truth, to be drawn in one plot
        given = np.interp(np.linspace(0, 1, len(axis)), np.linspace(0, 1, len(given)), given).tolist()
    seen_at, predicted, known = ([float(f"{value:.5g}") for value in curve] for curve in (given, output.tolist(), truth.tolist()))
    return Preview(epoch, axis.unit, axis.values.tolist(), seen_at, predicted, known, target)


def confusion(epoch: int, classes: Sequence[Class], output: Tensor, truth: Tensor, part: str = "validation") -> Confusion:
    """Return the confusion matrix of probabilities (n, C) and classes (n,)."""
    matrix = metrics.confusion(output.argmax(-1), truth, len(classes))
    return Confusion(epoch, [one.name for one in classes], matrix.tolist(), part)


class WatchedWindow:
    """The window with the most validation pixels (for classes, the most labelled ones).

    Parameters
    ----------
    experiment : Experiment
    data : Dataset
        For sets of spectra and whole images, which have no window, `there` is False.
    """

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        self._experiment, self._data = experiment, data
        self._times = experiment.task.enlarges
        # for degraded images, an integer number of coarse pixels
        self._step = 1 if experiment.task.needs_truth else self._times
        places = [(number, place) for number, place in enumerate(data.places) if min(place.shape[1:]) >= max(2, self._step)]
        self.there = bool(places) and not data.of_images
        if self.there:
            self._place, self._plane, self._at = max((self._best(number, place) for number, place in places), key=lambda best: best[0])[1]

    def _best(self, number: int, place: Place) -> tuple[float, tuple[Place, int, tuple[slice, slice]]]:
        """Return the number of valid pixels in the best window of a cube, and that window."""
        wanted = self._data.maps[number] == VALIDATION
        if self._data.classes and self._data.truths is not None:
            wanted &= place.of(self._data.truths).cpu().numpy() > 0
        step = self._step
        sides = [min(SIDE, length) // step * step for length in place.shape[1:]]
        density = uniform_filter(wanted.astype(np.float32), size=(1, *sides), mode="constant")
        z, *middle = (int(c) for c in np.unravel_index(int(density.argmax()), density.shape))
        spans = []
        for centre, side, length in zip(middle, sides, place.shape[1:], strict=True):
            start = min(max(0, centre - side // 2), length - side) // step * step
            spans.append(slice(start, start + side))
        return float(density.max()), (place, z, (spans[0], spans[1]))

    @torch.no_grad()
    def shown(self, epoch: int, network: Any) -> Patch:
        """Return input, output and target of the window, as small images."""
        x = self._place.of(self._data.inputs)[self._plane][self._at][None]
        truth = self._truth()
        if self._times > 1 and truth is None:
            x, truth = degraded(x, self._times), x
        output = on_whole_images(network, x.contiguous()).float()
        if self._data.classes:
            brightness = x[0].mean(-1)
            classes = (output[0].argmax(-1) + 1).cpu().tolist()
            colours = ["" if one.colour is None else _hex(one.colour) for one in self._data.classes]
            known = [] if truth is None else truth[0].long().cpu().tolist()
            return Patch(epoch, _grey(brightness, brightness), classes, known, colours, "mean of the bands")
        reference = output if truth is None else truth
        band = int(reference[0].flatten(0, 1).float().std(0).argmax())
        seen = x[0, ..., min(band, x.shape[-1] - 1) if x.shape[-1] == reference.shape[-1] else int(x[0].flatten(0, 1).std(0).argmax())]
        axis, scale = self._data.truth_axis, reference[0, ..., band]
        where = f"{axis.values[band]:.6g} {axis.unit}" if axis.unit and len(axis) == reference.shape[-1] else f"band {band}"
        predicted = _grey(output[0, ..., band], scale)
        known = [] if truth is None else _grey(truth[0, ..., band], scale)
        target, removed = self._experiment.task.target, []
        if target != "truth" and x.shape[-1] == reference.shape[-1]:
            rest = seen - output[0, ..., band]
            most = float(rest.abs().max())
            removed = _grey(rest, rest.new_tensor([-most, most]))
        return Patch(epoch, _grey(seen, scale), predicted, known, [], where, target, removed)

    def _truth(self) -> Tensor | None:
        if self._data.truths is None:
            return None
        times = self._data.times
        rows, columns = (slice(part.start * times, part.stop * times) for part in self._at)
        plane: Tensor = self._place.of(self._data.truths, times)[self._plane][rows, columns][None]
        return plane


def _hex(colour: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in colour[:3])


def _grey(image: Tensor, like: Tensor) -> list[list[int]]:
    """Return an image (y, x) as grey values 0 … 255, scaled to the range of another."""
    low, high = float(like.min()), float(like.max())
    scaled = (image.float() - low) / ((high - low) or 1.0)
    grey: list[list[int]] = (scaled.clamp(0, 1) * 255).round().int().cpu().tolist()
    return grey
