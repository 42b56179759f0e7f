"""Denoisers on variance-stabilised intensities, for data with photon noise."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.noise import NoiseModel, Stabiliser, noise_model
from napari_spectrai.preparation import Preparation


class Denoiser(Method, ABC):
    """Denoises inside a variance-stabilising transform and its unbiased inverse, if its settings or the data ask for it.

    The noise is estimated from the data that it is fitted on or, without a fit, from those it is applied to (`found_in`, before tiling).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., λ)``."""
        around = self.stabiliser(x)
        if around is None:
            return self.denoise(x)
        return _through(around.inverse, self.denoise(_through(around.forward, x)))

    @abstractmethod
    def denoise(self, x: Tensor) -> Tensor:
        """Map ``(..., λ)``, stabilised or not."""

    def stabiliser(self, x: Tensor) -> Stabiliser | None:
        """Return the transform to use, if any."""
        if "noise" in self._buffers:
            return self._kept()
        if self.spec.stabilise == "never" or self.has_learnt:  # methods tuned before the transform existed do not use it
            return None
        model = self.suited(self.noise_of(x.detach().cpu().numpy()))
        return model.stabiliser() if model.counting else None

    def noise_of(self, spectra: FloatArray) -> NoiseModel:
        """Return the noise model of spectra (..., n, λ)."""
        return noise_model(spectra, counting=self.spec.stabilise == "always")

    def suited(self, model: NoiseModel) -> NoiseModel:
        """Return the noise model to stabilise with, given that of the data."""
        return model

    def found_in(self, spectra: FloatArray) -> Self:
        """Return a copy with the noise model of spectra (..., n, λ)."""
        method = copy.deepcopy(self)
        if method.spec.stabilise != "never":
            method.keep(method.noise_of(spectra))
        return method

    def keep(self, model: NoiseModel | None) -> None:
        """Keep a noise model; None: do not stabilise."""
        self.chosen["noise"] = model
        model = None if model is None else self.suited(model)
        if model is None or not model.counting:
            self.learn({"noise": torch.zeros(3, 1, dtype=torch.float64)})
        else:
            self.learn({"noise": torch.from_numpy(np.stack([model.gain, model.offset, model.read]))})

    def noise_in(self, scenes: Sequence[Scene]) -> NoiseModel | None:
        """Return the noise of the valid pixels, if it has to be estimated; a known noise is not estimated again."""
        if self.spec.stabilise == "never":
            return None
        if "noise" not in self.chosen:
            self.chosen["noise"] = self.noise_of(torch.cat([scene.x[scene.counts] for scene in scenes]).cpu().numpy())
        known: NoiseModel | None = self.chosen["noise"]
        return known

    def said(self, preparation: Preparation) -> str:
        """Return a note on the transform; empty without one."""
        if self._kept() is None:
            return ""
        gain, offset, read = self._buffers["noise"].cpu().numpy()  # type: ignore[union-attr]
        noise = preparation.noise_in_words(NoiseModel(gain, offset, read, "counting"))
        return (
            f"{noise} Classical denoisers use variance-stabilised intensities (generalised Anscombe transform) if this improves the result."
        )

    def _kept(self) -> Stabiliser | None:
        noise: Any = self._buffers.get("noise")
        if noise is None or not bool((noise[0] > 0).any()):
            return None
        gain, offset, read = noise.cpu().numpy()
        return NoiseModel(gain, offset, read, "counting").stabiliser()


def _through(transform: Any, values: Tensor) -> Tensor:
    done = transform(values.detach().cpu().numpy())
    return torch.from_numpy(np.ascontiguousarray(done, dtype=np.float32)).to(values.device)
