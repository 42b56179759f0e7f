"""A network in the subspace of the leading principal components, so that its width is independent of the number of bands."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from napari_spectrai.networks.blocks import zero_last_layer

Adds = Literal["nothing", "projection"]


class Subspace(nn.Module):
    """Principal component scores as input and, for cubes, the transform back to the bands.

    Parameters
    ----------
    core : module on ``(N, y, x, components)``
    classes : whether `core` returns classes, which are not transformed back
    adds : what the result of `core`, in the bands, is added to: nothing, or the projection of the input onto the subspace (which
        alone removes the noise outside it)
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, core: nn.Module, bands: int, components: int, *, classes: bool, adds: Adds) -> None:
        super().__init__()
        self.core, self.classes, self.adds = core, classes, adds
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("basis", torch.eye(bands, components))
        self.register_buffer("scale", torch.ones(components))
        if hasattr(core, "adds"):
            core.adds = False  # type: ignore[assignment]
        if adds != "nothing":
            zero_last_layer(self)

    @property
    def last(self) -> nn.Module:
        """The layer whose weights, if zero, make the output zero."""
        last: nn.Module = self.core.last  # type: ignore[assignment]
        return last

    def same(self, batch: Tensor) -> Tensor:
        """Return the output of `core` for all pixels, if it otherwise returns only those away from the edges."""
        if not hasattr(self.core, "same"):
            result: Tensor = self(batch)
            return result
        logits: Tensor = self.core.same((batch.float() - self.mean) @ (self.basis / self.scale))  # type: ignore[operator]
        return logits

    def features(self, batch: Tensor) -> Tensor:
        """Return the output of the part of `core` without weights, if it is separable."""
        scores = (batch.float() - self.mean) @ (self.basis / self.scale)
        features: Tensor = self.core.features(scores)  # type: ignore[operator]
        return features

    def head(self, features: Tensor) -> Tensor:
        """Return the output of `core` for `features`."""
        logits: Tensor = self.core.head(features)  # type: ignore[operator]
        return logits

    def fit(self, spectra: Tensor) -> None:
        """Fit mean and basis to training spectra (n, λ).

        For classes, every component of the standardised bands has unit variance; for cubes, all are scaled by that of the first component
        of the unscaled bands, so that errors are weighted as in the bands.
        """
        double = torch.float32 if spectra.device.type == "mps" else torch.float64
        mean = spectra.mean(0, dtype=double)
        moment = torch.zeros(spectra.shape[1], spectra.shape[1], dtype=double, device=spectra.device)
        for part in spectra.split(65_536):
            centred = part.to(double) - mean
            moment += centred.T @ centred
        moment /= max(1, len(spectra))
        spread = torch.ones_like(mean)
        if self.classes:
            spread = moment.diagonal().clamp(min=0).sqrt()
            spread = torch.where(spread > 1e-9 * (1 + mean.abs()), spread, 1.0)
        values, vectors = torch.linalg.eigh(moment / spread / spread[:, None])
        count = self.basis.shape[1]
        basis = vectors.flip(1)[:, :count]
        # the sign for which the largest weight is positive, the same on every machine
        basis = basis * torch.sign(basis.gather(0, basis.abs().argmax(0, keepdim=True)))
        deviation = values.flip(0)[:count].clamp(min=0).sqrt()
        deviation = deviation.clamp(min=1e-6 * float(deviation[0]) + 1e-12)
        self.mean.copy_(mean)
        self.basis.copy_(basis / spread[:, None])
        self.scale.copy_(deviation if self.classes else deviation[:1].expand(count))

    def forward(self, *sources: Tensor, times: int | None = None) -> Tensor:
        """Map batches ``(N, y, x, λ)``; `times` is for a network that enlarges by any factor."""
        with torch.autocast(sources[0].device.type, enabled=False):  # projections keep their precision
            scores = [(source.float() - self.mean) @ (self.basis / self.scale) for source in sources]
        result: Tensor = self.core(*scores) if times is None else self.core(*scores, times=times)
        if self.classes:
            return result
        with torch.autocast(sources[0].device.type, enabled=False):
            change = result.float() * self.scale
            if self.adds == "projection":
                return (scores[0] * self.scale + change) @ self.basis.T + self.mean
            return change @ self.basis.T
