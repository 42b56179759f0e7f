"""Competing random convolutions along the spectrum, and a ridge classifier on the number of wins of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.learn.classical.classify import PixelClassifier

LENGTH = 9
"""Number of bands of a kernel."""
AT_ONCE = 2**21
"""Number of responses per block: 8 MB, which fit into the cache."""


class HydraRidge(PixelClassifier):
    """Hydra's features (Dempster, Schmidt & Webb 2023, doi:10.1007/s10618-023-00939-3) and a ridge classifier.

    In each group of random kernels, at each dilation, on the spectrum and on its first difference, the response of the kernel with the
    largest response at a band is added to its count, and one is added to that of the kernel with the smallest.
    """

    kernels: Tensor
    middle: Tensor
    scale: Tensor
    weight: Tensor
    intercept: Tensor

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return kernels, the standardisation of their counts, weights and intercepts."""
        from sklearn.linear_model import RidgeClassifierCV

        if x.shape[1] < LENGTH:
            raise ValueError(f"{self.spec.title} needs at least {LENGTH} bands, the length of its kernels, not {x.shape[1]}")
        kernels = self._drawn(x.shape[1])
        counts = self._counts(torch.from_numpy(x).float(), kernels).double()
        middle, scale = _standard(counts)
        features = _standardised(counts, middle, scale).numpy()
        present = np.unique(y)
        if len(present) < 2:  # nothing to distinguish
            weight, intercept = np.zeros((len(present), features.shape[1])), np.zeros(len(present))
        else:
            model = RidgeClassifierCV(alphas=np.logspace(-3, 4, 8)).fit(features, y)
            weight, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
        if len(present) == 2:  # scikit-learn uses one row for two classes
            weight, intercept = np.concatenate([-weight, weight]), np.concatenate([-intercept, intercept])
        # targets of -1 and 1 are not logarithms; they are scaled by ten, as for PLS-DA
        return {
            "kernels": kernels, "middle": middle, "scale": scale,
            "weight": self._of_all(5 * weight, present, 0.0), "intercept": self._of_all(5 * intercept, present, -1e4),
        }  # fmt: skip

    def scores(self, x: Tensor) -> Tensor:
        """Return scores (n, C)."""
        return torch.cat([self._scored(part) for part in x.split(2048)])

    def _scored(self, x: Tensor) -> Tensor:
        return _standardised(self._counts(x, self.kernels), self.middle, self.scale) @ self.weight.T + self.intercept

    def _drawn(self, bands: int) -> Tensor:
        """Return kernels (dilations, 2, groups, kernels, 9), each with mean zero and length one, so that none wins by its size."""
        generator = torch.Generator().manual_seed(self.spec.seed)
        # the widest kernel spans the spectrum
        dilations = int(np.log2((bands - 1) / (LENGTH - 1))) + 1
        drawn = torch.randn(dilations, 2, max(1, self.spec.groups // 2), self.spec.kernels, LENGTH, generator=generator)
        drawn = drawn - drawn.mean(-1, keepdim=True)
        drawn /= drawn.norm(dim=-1, keepdim=True)
        return drawn

    def _counts(self, x: Tensor, kernels: Tensor) -> Tensor:
        """Return the counts (n, features) of spectra (n, λ)."""
        _, _, groups, baselines, _ = kernels.shape
        at_once = max(1, AT_ONCE // (groups * baselines * x.shape[1]))
        return torch.cat([_counted(part, kernels) for part in x.split(at_once)])


def _counted(x: Tensor, kernels: Tensor) -> Tensor:
    counts = []
    for exponent, both in enumerate(kernels):
        for values, group in zip((x, x.diff(dim=1)), both, strict=True):
            # competing kernels before groups: values to compare are contiguous, and compared many at a time
            filters = group.transpose(0, 1).reshape(-1, LENGTH)
            dilation, bands = 2**exponent, values.shape[1]
            padded = functional.pad(values, (dilation * (LENGTH // 2),) * 2)
            responses = filters @ padded.as_strided((len(x), LENGTH, bands), (padded.shape[1], dilation, 1))
            responses = responses.view(len(x), group.shape[1], group.shape[0], bands)
            highest, lowest = responses.amax(1), responses.amin(1)
            # negative responses are not counted, since the square root follows
            worth, one, none = highest.clamp(min=0), torch.ones_like(highest), torch.zeros_like(highest)
            for best, count in ((highest, worth), (lowest, one)):
                counts += [torch.where(response == best, count, none).sum(-1) for response in responses.unbind(1)]
    return torch.cat(counts, 1).sqrt()


def _standard(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each feature where it is not zero; larger if it mostly is, so that rare counts do not dominate."""
    there = counts > 0
    number = there.sum(0).clamp(min=1)
    middle = counts.sum(0) / number
    variance = ((counts - middle).square() * there).sum(0) / number
    return middle, variance.sqrt() + (~there).double().mean(0) ** 4 + 1e-8


def _standardised(counts: Tensor, middle: Tensor, scale: Tensor) -> Tensor:
    return (counts - middle) / scale * (counts > 0)
