"""The data set of a training: a batch of spectra or patches is one indexing operation on a pool of prepared spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.labels import Class
from napari_spectrai.learn.data.fingerprints import Fingerprints
from napari_spectrai.learn.data.pool import Samples, Scene, continued, in_units, mean_spectrum
from napari_spectrai.plan.patches import Place
from napari_spectrai.plan.subsets import TRAINING, Map
from napari_spectrai.preparation import Preparation

if TYPE_CHECKING:
    from napari_spectrai.learn.data.streaming import Stream

LIFTED = 256
"""Batch size for feature caching."""
FITTED = 2**26
"""Largest number of values that parts of a network are fitted to (256 MiB), of evenly spread spectra."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """All data of a training.

    Attributes
    ----------
    inputs : Tensor of shape (pixels, λ)
        Prepared spectra of all cubes, in sequence.
    truths : Tensor of shape (pixels, λ') or (pixels,), or None
        Prepared spectra; or the index of each pixel's class in `classes`, from 1, 0 without a class.
    parts : dict
        `Samples` of ``"training"``, ``"validation"`` and ``"test"``.
    times, enlarges : int
        Number of pixels along each side of an input pixel: of the truths, and of the task's output (degraded images have no separate
        truth).
    holds : bool Tensor of shape (pixels,), or None
        Which pixels of the pool hold data; the others are input but not trained on. None: all pixels of the cubes do.
    divided : list of arrays (z, y, x)
        The part of each pixel of the cubes, if the pool holds windows of them.
    stream : Stream or None
        Where training batches are read from; the pool is then an excerpt of the data.
    """

    inputs: Tensor
    truths: Tensor | None
    parts: dict[str, Samples]
    preparation: Preparation
    axis: SpectralAxis
    prepared_axis: SpectralAxis
    truth_axis: SpectralAxis
    maps: list[Map]
    places: list[Place]
    labels: Tensor
    names: list[str]
    notes: list[str]
    times: int = 1
    enlarges: int = 1
    shared: bool = False
    classes: list[Class] = field(default_factory=list)
    of_images: bool = False
    units: Tensor | None = None
    """If the truth has its own unit: factors that bring outputs and truths of each pixel back to it (`in_units`); (pixels, 4)."""
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    holds: Tensor | None = None
    intensities: list[float] = field(default_factory=list)
    negative: float | None = None
    divided: list[Map] = field(default_factory=list)
    stream: Stream | None = None

    @property
    def split(self) -> list[Map]:
        """The part of each pixel of the cubes, also of those that are not in the pool."""
        return self.divided or self.maps

    @property
    def training_samples(self) -> int:
        """Number of training samples, also of those that are not in the pool."""
        return len(self.parts["training"]) if self.stream is None else len(self.stream)

    @property
    def training_pixels(self) -> int:
        """Number of training pixels, also of those that are not in the pool."""
        return int((self.labels == TRAINING).sum()) if self.stream is None else self.stream.pixels

    @property
    def out(self) -> int:
        """Number of outputs of the network per pixel: bands, or classes."""
        return len(self.classes) or len(self.truth_axis)

    def batch(self, samples: Samples, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return inputs of shape (N, patch, patch, λ) and truths on `device`; classes as fractions (…, C), 0 without a class.

        Where a pixel of a patch holds no data, the truth is NaN; if there are no truths, it is the input with NaN there.
        """
        pixels = samples.pixels()
        x = self.inputs[pixels].to(device, non_blocking=True)
        empty = None if self.holds is None or samples.patch == 1 else ~self.holds[pixels].to(device, non_blocking=True)
        if self.truths is None:
            return x, None if empty is None else x.masked_fill(empty[..., None], torch.nan)
        if not self.classes:
            y = self.truths[samples.pixels(self.times) if self.times > 1 else pixels].to(device, non_blocking=True)
            if empty is not None:
                y = y.masked_fill(empty.repeat_interleave(self.times, 1).repeat_interleave(self.times, 2)[..., None], torch.nan)
            return x, y
        # a patch may extend into another part: its spectra there are used, their truth is not
        known = torch.where(self.labels[pixels] == samples.part, self.truths[pixels], 0).to(device, non_blocking=True)
        if self.of_images:  # an image has one class, also in its reflected margins
            known = known.amax((1, 2), keepdim=True).expand_as(known)
        return x, functional.one_hot(known, len(self.classes) + 1)[..., 1:].to(x.dtype)

    def in_units(self, samples: Samples, output: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs and truths of some samples in the truth's own unit; unchanged if it has none."""
        return in_units(None if self.units is None else self.units[samples.pixels()], output, truth)

    def batches(self, part: str, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the batches of a part, in order."""
        samples = self.parts[part]
        for start in range(0, len(samples), size):
            yield self.batch(samples[start : start + size], device)

    def pixels_of(self, *parts: str) -> Tensor:
        """Return the numbers (n,) of the pixels of some parts in the pool."""
        # of the split, not of the patches, which contain each pixel many times
        wanted = torch.zeros(256, dtype=torch.bool, device=self.labels.device)
        for part in parts:
            if part in self.parts:
                wanted[self.parts[part].part] = True
        return torch.nonzero(wanted[self.labels.int()])[:, 0]

    def spectra(self, *parts: str) -> tuple[Tensor, Tensor]:
        """Return the input and truth spectra (n, λ) of some parts for fits; without a truth, the inputs twice.

        They are evenly spread, with up to `FITTED` values.
        """
        pixels = self._some(self.pixels_of(*parts))
        inputs = self.inputs[pixels]
        return inputs, inputs if self.truths is None else self.truths[pixels]

    def with_cached_features(self, features: Callable[[Tensor], Tensor]) -> Dataset:
        """Return the data set of the `features` of the window around each sample, with one pixel per sample."""
        pool, middles, first, parts = [], [], 0, {}
        for name, samples in self.parts.items():
            for start in range(0, len(samples), LIFTED):
                windows = samples[start : start + LIFTED].pixels()
                pool.append(features(self.inputs[windows])[:, 0, 0])
                middles.append(windows[:, samples.patch // 2, samples.patch // 2])
            places = torch.arange(first, first + len(samples), device=samples.first.device)
            parts[name] = Samples(places, torch.zeros_like(places), torch.ones_like(places), 1, samples.part)
            first += len(samples)
        pixels = torch.cat(middles)
        truths, units = (None if known is None else known[pixels] for known in (self.truths, self.units))
        return replace(
            self, inputs=torch.cat(pool), truths=truths, labels=self.labels[pixels], parts=parts, places=[], units=units, holds=None
        )

    def seen(self) -> Tensor:
        """Return the spectra (n, λ) that a training uses: those of the training part or, if patches extend into other parts, all."""
        if not self.shared:
            return self.spectra("training")[0]
        # margins of zeros are not spectra
        return self.inputs[self._some(torch.nonzero(self.inputs.any(-1) if self.holds is None else self.holds)[:, 0])]

    def _some(self, pixels: Tensor) -> Tensor:
        """Return evenly spread pixels, as many as have up to `FITTED` values."""
        return pixels[:: max(1, -(-len(pixels) * self.inputs.shape[1] // FITTED))]

    def scenes(self, *parts: str) -> Iterator[Scene]:
        """Yield whole cubes, in which the pixels of samples of some parts are valid; for images with a class, their mean spectra."""
        shown = torch.zeros(len(self.inputs), dtype=torch.bool, device=self.inputs.device)
        for part in parts:
            if part in self.parts:
                samples = self.parts[part]
                shown |= samples.shown(len(shown)) & (self.labels == samples.part)
        for place in self.places:
            x, counts = place.of(self.inputs), place.of(shown)
            y = None if self.truths is None else place.of(self.truths, self.times)
            holds = None if self.holds is None else place.of(self.holds)
            x = x if holds is None else x.masked_fill(~holds[..., None], 0)
            if self.of_images and y is not None:
                x, y, counts = mean_spectrum(x), y.amax((1, 2), keepdim=True), counts.any(2, True).any(1, True)
                holds = None if holds is None else holds.any(2, True).any(1, True)
            yield Scene(x, y, counts, None if self.units is None else place.of(self.units), holds)

    def continued(self) -> Dataset:
        """Return the data set with each image continued over pixels without data, as in patches."""
        if self.holds is None:
            return self
        inputs = self.inputs.clone()
        for place in self.places:
            image = place.of(inputs)
            image.copy_(continued(image, ~place.of(self.holds)))
        return replace(self, inputs=inputs)

    def held_with(self, samples: Samples, side: int = 12) -> Tensor:
        """Return the unit that each sample is held out with, (n,): in an image the block of `side` pixels around it, else the sample."""
        numbers = torch.arange(len(samples), device=samples.first.device)
        for number, place in enumerate(self.places):
            if place.shape[2] == 1:
                continue
            inside = (samples.first >= place.base) & (samples.first < place.base + place.size)
            rest = samples.first - place.base
            width, plane = place.padded[2], place.padded[1] * place.padded[2]
            down, across = rest % plane // width // side, rest % width // side
            unit = ((number * 10**4 + rest // plane) * 10**4 + down) * 10**4 + across
            numbers = torch.where(inside, unit + 10**9, numbers)
        if self.of_images:  # an image is scored once, from all its pixels
            bases = torch.tensor([place.base for place in self.places], device=samples.first.device)
            numbers = torch.searchsorted(bases, samples.first, right=True)
        return numbers

    def to(self, device: torch.device) -> Dataset:
        """Return the data set on `device` if it fits into its memory, else unchanged."""
        size = 4 * self.inputs.nelement() + (0 if self.truths is None else 4 * self.truths.nelement())
        if device.type == "cuda" and size > 0.5 * torch.cuda.mem_get_info(device)[0]:
            return self
        return replace(
            self,
            inputs=self.inputs.to(device),
            truths=None if self.truths is None else self.truths.to(device),
            labels=self.labels.to(device),
            units=None if self.units is None else self.units.to(device),
            holds=None if self.holds is None else self.holds.to(device),
            parts={name: samples.to(device) for name, samples in self.parts.items()},
        )
