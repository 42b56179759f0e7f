"""Classical denoisers, tuned on training rows only: what a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from scipy.signal import savgol_filter
from torch import Tensor

from napari_spectrai.learn.metrics import mse
from napari_spectrai.networks.ridge import ridge_map

TUNING_SPECTRA = 4_000
"""More spectra than this do not change which settings are best; a larger training set is thinned to it."""
FITTING_SPECTRA = 50_000
"""As many spectra as the ridge map, which profits from more, is fitted on."""


class Classical(Protocol):
    """A denoiser of spectra: ``apply`` maps (n, λ) to (n, λ)."""

    title: ClassVar[str]

    def apply(self, spectra: Tensor) -> Tensor:
        """Return denoised spectra of the same shape."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return what it learnt, for the model file."""
        ...


@dataclass(frozen=True, slots=True)
class Raw:
    """The input as it is."""

    title: ClassVar[str] = "raw"

    def apply(self, spectra: Tensor) -> Tensor:
        """Return the input."""
        return spectra

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class SavitzkyGolay:
    """Local polynomial smoothing (Savitzky & Golay 1964, doi:10.1021/ac60214a047)."""

    settings: Tensor
    title: ClassVar[str] = "Savitzky–Golay"

    def apply(self, spectra: Tensor) -> Tensor:
        """Return smoothed spectra."""
        window, order = (int(value) for value in self.settings)
        smooth = savgol_filter(spectra.cpu().numpy(), window, order, axis=-1).astype(np.float32)
        return torch.from_numpy(smooth).to(spectra.device)

    def tensors(self) -> dict[str, Tensor]:
        """Return (window, order)."""
        return {"settings": self.settings}

    @classmethod
    def tuned(cls, x: Tensor, y: Tensor) -> SavitzkyGolay:
        """Choose window and order with the smallest error on training spectra of shape (n, λ)."""
        grid = [
            torch.tensor([window, order])
            for window in (5, 7, 9, 11, 15, 21, 31, 45, 65)
            for order in (1, 2, 3, 5)
            if order < window <= x.shape[-1]
        ]
        if not grid:
            raise ValueError(f"{x.shape[-1]} bands are too few for a Savitzky–Golay window")
        return min((cls(settings) for settings in grid), key=lambda method: mse(method.apply(x), y))


@dataclass(frozen=True, slots=True)
class PCA:
    """Projection onto the first principal components of the noisy training spectra."""

    mean: Tensor
    components: Tensor
    title: ClassVar[str] = "PCA"

    def apply(self, spectra: Tensor) -> Tensor:
        """Return the projection of spectra of shape (n, λ)."""
        mean, components = self.mean.to(spectra.device), self.components.to(spectra.device)
        return (spectra - mean) @ components.T @ components + mean

    def tensors(self) -> dict[str, Tensor]:
        """Return the mean (λ,) and the components (k, λ)."""
        return {"mean": self.mean, "components": self.components}

    @classmethod
    def tuned(cls, x: Tensor, y: Tensor) -> PCA:
        """Choose how many components by the error on training spectra of shape (n, λ)."""
        mean = x.mean(0)
        _, vectors = torch.linalg.eigh((x - mean).T.double() @ (x - mean).double())
        components = vectors.flip(1).T.to(x.dtype)
        most = min(64, len(components), len(x))
        weights = (x - mean) @ components[:most].T
        left, best, best_error = y - mean, 1, float("inf")
        for count in range(1, most + 1):
            left = left - weights[:, count - 1 : count] * components[count - 1]
            error = float(left.double().square().mean())
            if error < best_error:
                best, best_error = count, error
        return cls(mean, components[:best].clone())


@dataclass(frozen=True, slots=True)
class Ridge:
    """The closed-form linear map from input to truth (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634)."""

    weight: Tensor
    intercept: Tensor
    title: ClassVar[str] = "ridge"

    def apply(self, spectra: Tensor) -> Tensor:
        """Return mapped spectra of shape (n, λ)."""
        return spectra @ self.weight.to(spectra.device) + self.intercept.to(spectra.device)

    def tensors(self) -> dict[str, Tensor]:
        """Return weight (λ, λ) and intercept (λ,)."""
        return {"weight": self.weight, "intercept": self.intercept}

    @classmethod
    def tuned(cls, x: Tensor, y: Tensor) -> Ridge:
        """Choose the penalty on the last tenth of the training rows, then fit on all of them."""
        held = max(1, len(x) // 10)
        double = torch.float32 if x.device.type == "mps" else torch.float64
        first_x, first_y, last_x, last_y = (part.to(double) for part in (x[:-held], y[:-held], x[-held:], y[-held:]))
        mean_x, mean_y = first_x.mean(0), first_y.mean(0)
        centred = first_x - mean_x
        # one decomposition serves every penalty
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        cross, seen = vectors.T @ (centred.T @ (first_y - mean_y)), (last_x - mean_x) @ vectors
        # a trace of nothing (constant spectra) still needs a penalty above zero
        size = max(float(values.sum()), 1e-12)

        def error(alpha: float) -> float:
            return mse(seen @ (cross / (values.clamp(min=0) + alpha)[:, None]) + mean_y, last_y)

        best = min((size * 10.0**exponent for exponent in np.arange(-6, 0.1, 0.25)), key=error)
        return cls(*ridge_map(x, y, best))


METHODS: dict[str, type[SavitzkyGolay] | type[PCA] | type[Ridge]] = {
    "Savitzky–Golay": SavitzkyGolay,
    "PCA": PCA,
    "ridge": Ridge,
}


def tuned(x: Tensor, y: Tensor) -> dict[str, Classical]:
    """Return the classical denoisers tuned on training spectra of shape (n, λ), those that the data allow."""
    x, y = _thinned(x, y, FITTING_SPECTRA)
    few_x, few_y = _thinned(x, y, TUNING_SPECTRA)
    found: dict[str, Classical] = {"raw": Raw()}
    for name, method in METHODS.items():
        if (name == "Savitzky–Golay" and x.shape[-1] < 5) or (name == "ridge" and len(x) < 4):
            continue
        found[name] = method.tuned(x, y) if name == "ridge" else method.tuned(few_x, few_y)
    return found


def _thinned(x: Tensor, y: Tensor, most: int) -> tuple[Tensor, Tensor]:
    if len(x) <= most:
        return x, y
    chosen = torch.linspace(0, len(x) - 1, most, device=x.device).long()
    return x[chosen], y[chosen]


def to_tensors(methods: dict[str, Classical]) -> dict[str, Tensor]:
    """Return everything the methods learnt, by dotted name."""
    return {
        f"classical.{name}.{part}": tensor.cpu().contiguous()
        for name, method in methods.items()
        for part, tensor in method.tensors().items()
    }


def from_tensors(tensors: dict[str, Tensor]) -> dict[str, Classical]:
    """Undo `to_tensors`."""
    found: dict[str, Classical] = {"raw": Raw()}
    for name, method in METHODS.items():
        prefix = f"classical.{name}."
        parts = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if parts:
            found[name] = method(**parts)
    return found
