"""Smoothing along the spectrum, tuned on training pairs if there are any."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.linalg import solveh_banded
from torch import Tensor
from torch.nn import functional

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.classical.method import TUNING_SPECTRA, Method, interpolated, pairs
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.scoring.metrics import mse
from napari_spectrai.noise import NoiseModel, Stabiliser
from napari_spectrai.preparation.savitzky_golay import savgol
from napari_spectrai.units import aligned


class Raw(Method):
    """The unchanged input; on other bands, it is interpolated linearly."""

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Keep the positions of the output bands among the input bands, and the factor between two different scales, if they differ."""
        if self.axes is not None and self.axes[0].mismatch(self.axes[1]):
            self.learn({"places": torch.from_numpy(aligned(*self.axes)).float()})
        if self.gain != 1:
            self.learn({"factor": torch.tensor(self.gain)})

    def forward(self, x: Tensor) -> Tensor:
        """Return the input."""
        if (factor := self._buffers.get("factor")) is not None:
            x = x * factor
        if (places := self._buffers.get("places")) is not None:
            return interpolated(x, places)
        if self.out == x.shape[-1]:
            return x
        flat = x.reshape(-1, 1, x.shape[-1])
        return functional.interpolate(flat, size=self.out, mode="linear", align_corners=True).view(*x.shape[:-1], -1)


class _Smoother(Denoiser, ABC):
    """Smooths spectra (n, λ) with given settings, settings tuned on pairs, or settings chosen by a rule."""

    def denoise(self, x: Tensor) -> Tensor:
        """Return smoothed spectra."""
        spectra = x.detach().cpu().numpy().reshape(-1, x.shape[-1])
        smooth = self.smooth(spectra, self.settings(spectra)).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(smooth)).to(x.device).view(x.shape)

    def suited(self, model: NoiseModel) -> NoiseModel:
        """Return the model that treats all bands alike: band by band, the stabilised spectrum would no longer be smooth."""
        return model.common

    def stabiliser(self, x: Tensor) -> Stabiliser | None:
        """Return the transform to use, if any; one band by band, as earlier versions saved it, is not used."""
        around = super().stabiliser(x)
        return around if around is None or len(around.gain) == 1 else None

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Choose the settings with the smallest error on training pairs, stabilised or not; without a truth, only estimate the noise."""
        noise = self.noise_in(scenes)
        if any(scene.y is None for scene in scenes):
            self.keep(noise)
            return
        x, y = (part.cpu().numpy() for part in pairs(scenes, TUNING_SPECTRA))
        alike = None if noise is None else self.suited(noise)
        ways = [None, alike] if alike is not None and alike.counting else [None]
        if self.spec.stabilise == "always":
            ways = ways[-1:]
        tuned = [(*self._tuned(x, y, way), way) for way in ways]
        _, best, way = min(tuned, key=lambda one: one[0])
        self.learn({"tuned": torch.tensor(best, dtype=torch.float64)})
        self.keep(way)
        self.chosen["noise"] = noise  # whichever was better: it is not estimated again

    def _tuned(self, x: FloatArray, y: FloatArray, noise: NoiseModel | None) -> tuple[float, tuple[float, ...]]:
        """Return the smallest error on pairs (n, λ), and its settings."""
        around = None if noise is None else noise.stabiliser()
        seen = x if around is None else around.forward(x)

        def error(settings: tuple[float, ...]) -> float:
            smooth = self.smooth(seen, settings)
            return mse(smooth if around is None else around.inverse(smooth), y)

        errors = {settings: error(settings) for settings in self.grid(x.shape[-1])}
        best = min(errors, key=errors.__getitem__)
        return errors[best], best

    def settings(self, spectra: FloatArray) -> tuple[float, ...]:
        """Return the settings: tuned, given, or by a rule from the data."""
        tuned = self._buffers.get("tuned")
        return self.rule(spectra) if tuned is None else tuple(tuned.tolist())

    @abstractmethod
    def grid(self, bands: int) -> list[tuple[float, ...]]:
        """Return the settings to choose from."""

    @abstractmethod
    def rule(self, spectra: FloatArray) -> tuple[float, ...]:
        """Return settings for data without a truth."""

    @abstractmethod
    def smooth(self, spectra: FloatArray, settings: Sequence[float]) -> FloatArray:
        """Return smoothed spectra (n, λ)."""


class SavitzkyGolay(_Smoother):
    """Local polynomials."""

    def grid(self, bands: int) -> list[tuple[float, ...]]:
        """Return windows and orders."""
        windows = [self.spec.window] if self.spec.window else [5, 7, 9, 11, 15, 21, 31, 45, 65]
        orders = [self.spec.order] if self.spec.order is not None else [1, 2, 3, 5]
        settings: list[tuple[float, ...]] = [(w, o) for w in windows for o in orders if o < w <= bands]
        if not settings:
            raise ValueError(f"{bands} bands are too few for a Savitzky–Golay window; choose another method")
        return settings

    def rule(self, spectra: FloatArray) -> tuple[float, ...]:
        """Return 9 bands and second order, or the given values."""
        window = self.spec.window or min(9, spectra.shape[-1] - (spectra.shape[-1] + 1) % 2)
        return (window, min(2 if self.spec.order is None else self.spec.order, window - 1))

    def smooth(self, spectra: FloatArray, settings: Sequence[float]) -> FloatArray:
        """Return smoothed spectra."""
        window, order = (int(value) for value in settings)
        return savgol(spectra, window, order)


class Whittaker(_Smoother):
    """Penalised least squares with second differences."""

    def grid(self, bands: int) -> list[tuple[float, ...]]:
        """Return values of the smoothness, half a decade apart."""
        return [(self.spec.smoothness,)] if self.spec.smoothness else [(10.0**power,) for power in np.arange(-1, 6.1, 0.5)]

    def rule(self, spectra: FloatArray) -> tuple[float, ...]:
        """Return the smoothness with the smallest generalised cross-validation over a sample of the spectra."""
        if self.spec.smoothness:
            return (self.spec.smoothness,)
        sample = spectra[:: max(1, len(spectra) // 500)]
        bands = spectra.shape[-1]
        # the trace of the smoother from the eigenvalues of the second differences (Eilers 2003), with free ends approximated
        frequency = (2 - 2 * np.cos(np.pi * np.arange(bands) / bands)) ** 2

        def gcv(smoothness: float) -> float:
            left = float(np.square(sample - self.smooth(sample, (smoothness,))).mean())
            return left / (1 - float((1 / (1 + smoothness * frequency)).mean()) + 1e-12) ** 2

        return min(self.grid(bands), key=lambda s: gcv(s[0]))

    def smooth(self, spectra: FloatArray, settings: Sequence[float]) -> FloatArray:
        """Return smoothed spectra."""
        bands = spectra.shape[-1]
        if bands < 3:
            return spectra
        differences = np.diff(np.eye(min(bands, 5)), 2, axis=0)
        small = differences.T @ differences
        # the diagonals of the penalty: at the ends as in a small matrix, constant in between
        banded = np.zeros((3, bands))
        for offset in range(3):
            diagonal = np.diagonal(small, offset)
            if bands <= 5:
                banded[2 - offset, offset:] = diagonal
                continue
            constant = (6.0, -4.0, 1.0)[offset]
            full = np.full(bands - offset, constant)
            ends = 2 - offset if offset < 2 else 0
            full[:ends], full[len(full) - ends :] = diagonal[:ends], diagonal[len(diagonal) - ends :]
            banded[2 - offset, offset:] = full
        banded *= settings[0]
        banded[2] += 1
        return np.asarray(solveh_banded(banded, spectra.T.astype(np.float64))).T


class Wavelet(_Smoother):
    """Soft shrinkage of wavelet coefficients."""

    def grid(self, bands: int) -> list[tuple[float, ...]]:
        """Return thresholds."""
        return [(self.spec.threshold,)] if self.spec.threshold is not None else [(t,) for t in np.arange(0.5, 5.1, 0.5)]

    def rule(self, spectra: FloatArray) -> tuple[float, ...]:
        """Return the universal threshold."""
        return (math.sqrt(2 * math.log(spectra.shape[-1])) if self.spec.threshold is None else self.spec.threshold,)

    def smooth(self, spectra: FloatArray, settings: Sequence[float]) -> FloatArray:
        """Return smoothed spectra; the noise of each is estimated from the median of its finest coefficients."""
        import pywt

        try:
            wavelet = pywt.Wavelet(self.spec.family)
        except ValueError as error:
            raise ValueError(f"there is no wavelet {self.spec.family!r}; known: sym8, db4, coif3 and others of pywt.wavelist()") from error
        bands = spectra.shape[-1]
        if bands < 2 * wavelet.dec_len:  # too few bands for its filters
            wavelet = pywt.Wavelet("haar")
        levels = max(1, min(5, pywt.dwt_max_level(bands, wavelet.dec_len)))
        parts: list[Any] = pywt.wavedec(spectra, wavelet, mode="symmetric", level=levels, axis=-1)
        noise = np.median(np.abs(parts[-1]), -1, keepdims=True) / 0.6745
        shrink: Callable[[Any], Any] = lambda c: np.sign(c) * np.maximum(np.abs(c) - settings[0] * noise, 0)  # noqa: E731
        return pywt.waverec([parts[0], *(shrink(c) for c in parts[1:])], wavelet, mode="symmetric", axis=-1)[..., :bands]  # type: ignore[no-any-return]
