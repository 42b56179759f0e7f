"""Linear maps of spectra, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_spectrai.learn.classical.method import FITTING_SPECTRA, TUNING_SPECTRA, Method, pairs, thinned
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.scoring.metrics import mse
from napari_spectrai.networks.ridge import ridge_map
from napari_spectrai.noise import NoiseModel, eigenimages

LEFT_OUT = 1_000
"""Largest number of spectra for which a penalty is chosen by leave-one-out cross-validation."""
WIDE = 1_500
"""Number of bands above which leave-one-out cross-validation is always used."""


class PCA(Denoiser):
    """Projection onto the first principal components."""

    mean: Tensor
    components: Tensor

    def denoise(self, x: Tensor) -> Tensor:
        """Return the projection of ``(..., λ)``."""
        return (x - self.mean) @ self.components.T @ self.components + self.mean

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Choose the number of components by the error on training pairs, stabilised or not; without a truth, those above the noise."""
        noise = self.noise_in(scenes)
        counted = noise is not None and noise.counting
        if any(scene.y is None for scene in scenes):
            x = thinned(torch.cat([scene.x[scene.counts] for scene in scenes]), TUNING_SPECTRA)
            self._learn_from(x, None, noise if counted else None)
            return
        x, y = pairs(scenes, TUNING_SPECTRA)
        ways = [None, noise] if counted else [None]
        if self.spec.stabilise == "always":
            ways = ways[-1:]
        errors = []
        for way in ways:
            self._learn_from(x, y, way)
            errors.append(mse(self(x), y))
        if len(ways) > 1 and errors[0] <= errors[1]:
            self._learn_from(x, y, None)
        self.chosen["noise"] = noise

    def _learn_from(self, x: Tensor, y: Tensor | None, noise: NoiseModel | None) -> None:
        """Compute the components of spectra (n, λ), stabilised if a noise model is given, and the number of them to keep."""
        if noise is not None:
            around = noise.stabiliser()
            x, y = (None if part is None else torch.from_numpy(around.forward(part.cpu().numpy())).to(part) for part in (x, y))  # type: ignore[assignment]
        mean = x.mean(0)
        _, vectors = torch.linalg.eigh((x - mean).T.double() @ (x - mean).double())
        components = vectors.flip(1).T.to(x.dtype)
        if self.spec.components:
            best = min(self.spec.components, len(components))
        elif y is None:
            best = eigenimages(x.cpu().numpy())[0].shape[-1]
        else:
            best = _count(x - mean, y - mean, components)
        self.learn({"mean": mean, "components": components[:best]})
        self.keep(noise)


def _count(x: Tensor, y: Tensor, components: Tensor) -> int:
    """Return the number of components (k, λ) for which centred spectra x (n, λ) approximate y best."""
    most = min(64, len(components), len(x))
    weights = x @ components[:most].T
    left, best, best_error = y, 1, float("inf")
    for count in range(1, most + 1):
        left = left - weights[:, count - 1 : count] * components[count - 1]
        error = float(left.double().square().mean())
        if error < best_error:
            best, best_error = count, error
    return best


class Ridge(Method):
    """Ridge regression from input to truth."""

    weight: Tensor
    intercept: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return mapped spectra ``(..., λ')``."""
        return x @ self.weight + self.intercept

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Choose the penalty by leave-one-out for few spectra, or by the last tenth of many; then fit on all of them.

        Raises
        ------
        ValueError
            If there are fewer than three training spectra.
        """
        x, y = pairs(scenes, FITTING_SPECTRA)
        if len(x) < 3:
            raise ValueError(f"ridge regression needs at least 3 training spectra, not {len(x)}; add pairs")
        few = len(x) <= LEFT_OUT or x.shape[1] > WIDE
        penalty = self.spec.alpha or (_penalty_left_out(thinned(x, LEFT_OUT), thinned(y, LEFT_OUT)) if few else _penalty(x, y))
        weight, intercept = ridge_map(x, y, penalty)
        self.learn({"weight": weight, "intercept": intercept})


def _penalty_left_out(x: Tensor, y: Tensor) -> float:
    """Return the penalty with the smallest leave-one-out error, in closed form for any number of bands."""
    double = torch.float32 if x.device.type == "mps" else torch.float64
    x, y = (side.to(double) - side.mean(0, dtype=double) for side in (x, y))
    values, vectors = torch.linalg.eigh(x @ x.T)
    values = values.clamp(min=0)
    between = vectors.T @ (y @ y.T) @ vectors
    size = max(float(values.sum()), 1e-12)

    def error(alpha: float) -> float:
        shrunk = vectors * (alpha / (values + alpha))
        left = ((shrunk @ between) * shrunk).sum(1)
        # leverage: the influence of a spectrum on its own prediction, including the mean
        own = (shrunk * vectors).sum(1) - 1 / len(x)
        return float((left / own.clamp(min=1e-9).square()).mean())

    return float(min((size * 10.0**exponent for exponent in np.arange(-8, 0.1, 0.25)), key=error))


def _penalty(x: Tensor, y: Tensor) -> float:
    held = max(1, len(x) // 10)
    double = torch.float32 if x.device.type == "mps" else torch.float64
    first_x, first_y, last_x, last_y = (part.to(double) for part in (x[:-held], y[:-held], x[-held:], y[-held:]))
    mean_x, mean_y = first_x.mean(0), first_y.mean(0)
    centred = first_x - mean_x
    # one decomposition is used for every penalty
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    cross, seen = vectors.T @ (centred.T @ (first_y - mean_y)), (last_x - mean_x) @ vectors
    # with a trace of zero (constant spectra), the penalty must still be positive
    size = max(float(values.sum()), 1e-12)

    def error(alpha: float) -> float:
        return mse(seen @ (cross / (values.clamp(min=0) + alpha)[:, None]) + mean_y, last_y)

    return float(min((size * 10.0**exponent for exponent in np.arange(-6, 0.1, 0.25)), key=error))
