"""Noise drawn as that of the data: its level, its dependence on intensity, and its correlation between bands and between pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.noise import NoiseModel, noise_model
from napari_spectrai.noise.correlation import correlated_noise
from napari_spectrai.noise.spatial import SpatialNoise, spatial_noise


class DrawnNoise:
    """Estimates the noise of data, and draws noise like it.

    Parameters
    ----------
    data : Dataset
        Prepared, one sample per pixel.
    spectra : ndarray of shape (n, λ)
        Those from which the noise model is estimated.
    shown : sequence of Tensor (z, y, x), bool
        Pixels of each cube from whose box the correlations are estimated.

    Attributes
    ----------
    model : NoiseModel
    spatial : list of SpatialNoise or None
        For each cube; None if the noise of its pixels is independent.
    """

    def __init__(self, data: Dataset, spectra: npt.NDArray[np.float32], shown: Sequence[Tensor]) -> None:
        self.data = data
        self.model: NoiseModel = noise_model(spectra)
        self.spatial: list[SpatialNoise | None] = []
        self._kernels: list[Tensor | None] = []
        self._levels: list[float] = []
        for scene, mask in zip(data.scenes(), shown, strict=True):
            held = [plane for plane, inside in zip(scene.x.cpu(), mask, strict=True) if inside.any()]
            image = _rectangle(held[0], mask[mask.flatten(1).any(1)][0]) if held else None
            bands, pixels = (None, None) if image is None else (correlated_noise(image), spatial_noise(image))
            self.spatial.append(pixels)
            self._kernels.append(None if bands is None else torch.from_numpy(bands[0]).float())
            self._levels.append(max(0.0 if bands is None else bands[1], 0.0 if pixels is None else pixels.level))

    def in_words(self) -> list[str]:
        """Return sentences on noise that pixels share, with the remedy for stripes."""
        found = [str(one) for one in self.spatial if one is not None]
        return [f"{one} The step `destripe` subtracts stripes." if "stripes" in one else one for one in dict.fromkeys(found)]

    def deviation(self, inputs: Tensor) -> Tensor:
        """Return the standard deviation of the noise in each value, by a smooth estimate of the signal."""
        deviation = self._by_model(inputs)
        for place, level in zip(self.data.places, self._levels, strict=True):
            if level > 0:  # the model explains what the noise of bands or pixels shares by the signal
                part = place.of(deviation)
                part *= max(1.0, level / max(float(part.square().mean().sqrt()), 1e-30))
        return deviation

    def _by_model(self, inputs: Tensor) -> Tensor:
        if not self.model.counting:
            return self._read(inputs).repeat(len(inputs), 1)
        return torch.from_numpy(np.sqrt(self.model.variance(self._signal(inputs).numpy()))).to(inputs.dtype)

    def _read(self, inputs: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.model.read)).to(inputs.dtype).expand(inputs.shape[-1])

    def _signal(self, inputs: Tensor) -> Tensor:
        smooth = torch.empty_like(inputs)
        for place in self.data.places:
            place.of(smooth).copy_(_smoothed(place.of(inputs)))
        return smooth

    def draw(self, inputs: Tensor, generator: torch.Generator, skew: float = 1.0) -> Tensor:
        """Return noise of the shape of the data, zero in pixels without data.

        `skew` is the third moment of the photon noise relative to that of the data. Noise of which `a` times is added to the data and
        ``1 / a`` times is subtracted needs ``1 / a``: results of a denoiser that responds to the square of a value, as of few photons
        all do, are then independent of the noise that was subtracted.
        """
        z = torch.randn(inputs.shape, generator=generator)
        for place, kernel, spatial in zip(self.data.places, self._kernels, self.spatial, strict=True):
            drawn = place.of(z)
            drawn.copy_(_shared(_convolved(drawn, kernel, -1), spatial, kernel, generator))
        z *= self.deviation(inputs)
        if self.model.counting:
            photons = self._read(inputs) * torch.randn(inputs.shape, generator=generator) + self._photons(inputs, generator, skew)
            for place, kernel, spatial in zip(self.data.places, self._kernels, self.spatial, strict=True):
                if kernel is None and spatial is None:  # sums of many values are nearly Gaussian
                    place.of(z).copy_(place.of(photons))
        return torch.where(inputs.any(-1, keepdim=True), z, torch.zeros(()))

    def _photons(self, inputs: Tensor, generator: torch.Generator, skew: float) -> Tensor:
        """Return photon noise as of ``1 / skew**2`` times the photons, each `skew` times as bright, less its mean."""
        gain, offset = (torch.from_numpy(np.asarray(part)).double() for part in (self.model.gain, self.model.offset))
        each = (skew * gain).clamp(min=torch.finfo(torch.float32).tiny)
        mean = (self._signal(inputs) - offset).clamp(min=0) / each / skew
        return torch.where(gain > 0, each * (torch.poisson(mean, generator) - mean), torch.zeros(())).to(inputs.dtype)


def _shared(z: Tensor, spatial: SpatialNoise | None, kernel: Tensor | None, generator: torch.Generator) -> Tensor:
    """Return white noise ``(N, y, x, λ)`` made to be shared by pixels; stripes are correlated along the bands by `kernel`."""
    if spatial is None:
        return z
    for part, dimension in ((spatial.down, 1), (spatial.across, 2)):
        z = _convolved(z, None if part is None else torch.from_numpy(part).to(z.dtype), dimension)
    z = z * max(0.0, 1 - spatial.columns - spatial.rows) ** 0.5
    count, height, width, bands = z.shape
    for share, shape in ((spatial.columns, (count, 1, width, bands)), (spatial.rows, (count, height, 1, bands))):
        if share:
            z = z + share**0.5 * _convolved(torch.randn(shape, generator=generator), kernel, -1)
    return z


def _convolved(x: Tensor, kernel: Tensor | None, dimension: int) -> Tensor:
    """Return values convolved with a kernel along a dimension, reflected at its ends; without a kernel, unchanged."""
    if kernel is None:
        return x
    moved = x.movedim(dimension, -1)
    flat, reach = moved.reshape(-1, 1, moved.shape[-1]), min(len(kernel) // 2, moved.shape[-1] - 1)
    middle = len(kernel) // 2
    inside = kernel[middle - reach : middle + reach + 1]
    padded = functional.pad(flat, (reach, reach), mode="reflect")
    return functional.conv1d(padded, inside[None, None]).view(moved.shape).movedim(-1, dimension)


def _rectangle(plane: Tensor, mask: Tensor) -> npt.NDArray[np.float32]:
    """Return the pixels (y, x, λ) of the box around a mask; those outside it have their mean spectrum."""
    rows, columns = (torch.nonzero(mask.any(dimension)).flatten() for dimension in (1, 0))
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    return np.asarray(torch.where(mask[box][..., None], plane[box], plane[mask].mean(0)).numpy())


def _smoothed(x: Tensor) -> Tensor:
    """Return a rough estimate of the signal in images ``(N, y, x, λ)``: the mean of three bands of the eight pixels around.

    The pixel itself is left out, so that the level of what is drawn does not depend on its noise; spectra without neighbours keep it.
    """
    along = functional.avg_pool1d(x.flatten(0, 2)[:, None], 3, 1, 1, count_include_pad=False)[:, 0].view_as(x)
    if min(x.shape[1:3]) < 2:
        return along
    planes = along.permute(0, 3, 1, 2)
    total = functional.avg_pool2d(planes, 3, 1, 1, divisor_override=1)
    number = functional.avg_pool2d(torch.ones_like(planes[:1, :1]), 3, 1, 1, divisor_override=1)
    return ((total - planes) / (number - 1)).permute(0, 2, 3, 1)
