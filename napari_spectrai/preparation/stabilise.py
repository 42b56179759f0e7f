"""Stabilisation of the variance of photon noise, with an unbiased inverse after prediction."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.noise import Stabiliser, noise_model
from napari_spectrai.preparation.step import LEARNT, Step


class Stabilise(Step):
    """The generalised Anscombe transform: intensities whose noise has a standard deviation of one at all intensities.

    Gain, offset and read noise are estimated from the training spectra (`napari_spectrai.noise.noise_model`) unless they are given;
    data without photon noise stay unchanged. Predictions are converted back by the unbiased inverse (Mäkitalo & Foi 2013,
    doi:10.1109/TIP.2012.2202675).
    """

    title: ClassVar = "Stabilise photon noise"
    group: ClassVar = "Scale"
    kind: Literal["stabilise"] = "stabilise"
    gain: float | None = Field(
        None, gt=0, le=1e12, title="Gain", description="intensity units per photon; estimated from the data if empty"
    )
    offset: float | None = Field(None, description="intensity without light; estimated with the gain, 0 if only the gain is given")
    read: float | None = Field(
        None,
        ge=0,
        title="Read noise",
        description="standard deviation of the noise without light, in intensities; estimated with the gain, 0 if only the gain is given",
    )
    inverse: Literal["unbiased", "algebraic"] = Field(
        "unbiased", description="inverse transform: unbiased for training on noisy data; algebraic for training on clean truths"
    )
    found: tuple[tuple[float, ...], ...] | None = Field(
        None, description="estimated gain, offset and read noise, of each band or of all", json_schema_extra=LEARNT
    )

    @property
    def is_fitted(self) -> bool:
        """Whether the noise is known."""
        return self.gain is not None or self.found is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Estimate the noise of spectra (..., n, L), unless the gain is given."""
        if self.is_fitted:
            return self
        model = noise_model(spectra)
        parts = (model.gain, model.offset, model.read) if model.counting else ([0.0], [0.0], [0.0])
        return self.model_copy(update={"found": tuple(tuple(float(value) for value in part) for part in parts)})

    def transform(self) -> Stabiliser | None:
        """Return the transform; None without photon noise."""
        if self.gain is not None:
            known = np.array([[self.gain], [self.offset or 0.0], [self.read or 0.0]])
        elif self.found is not None:
            known = np.asarray(self.found)
            for place, given in ((1, self.offset), (2, self.read)):
                known[place] = known[place] if given is None else given
        else:
            raise ValueError(f"{self.title}: the noise is not known yet; estimate it by training or preprocess, or pass gain=…")
        if not (known[0] > 0).any():
            return None
        # a band with constant noise is divided by its standard deviation
        read = np.where((known[0] > 0) | (known[2] > 0), known[2], 1.0)
        return Stabiliser(known[0], known[1], read, unbiased=self.inverse == "unbiased")

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return stabilised spectra."""
        transform = self.transform()
        if transform is None:
            return spectra, axis
        if len(transform.gain) not in (1, len(axis)):
            raise ValueError(
                f"{self.title}: its noise was estimated from {len(transform.gain)} bands, but the cube has {len(axis)}; fit it again"
            )
        return transform.forward(spectra), axis
