"""Area of applicability of a model: the distance of spectra from its training spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.valid import finite, values_of, without

COMPONENTS = 20
"""Largest number of principal components in which spectra are compared."""
EXPLAINED = 0.995
"""Minimum fraction of the variance of the training spectra explained by the components."""
MOST = 1_000
"""Largest number of training spectra kept for comparison."""
AT_ONCE = 16_384
PREFIX = "applicability."


class Applicability(nn.Module):
    """The dissimilarity index and its threshold (Meyer & Pebesma 2021, doi:10.1111/2041-210X.13650).

    The index of a spectrum is its distance to the nearest training spectrum, in standardised component scores, divided by the mean
    distance between training spectra. The threshold is the largest index of the training data, each compared with the other
    folds, without outliers: beyond it, cross-validation scores do not apply to predictions.
    """

    mean: Tensor
    basis: Tensor
    reference: Tensor
    threshold: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("mean", "basis", "reference", "threshold"):
            self.register_buffer(name, torch.empty(0))

    @classmethod
    def of(cls, spectra: Tensor, folds: npt.NDArray[np.int64]) -> Self:
        """Return the index for training spectra (n, λ) and the fold in which each was held out, (n,)."""
        made = cls()
        rows = spectra.double()
        made.mean = rows.mean(0)
        centred = rows - made.mean
        _, values, vectors = torch.linalg.svd(centred, full_matrices=False)
        shares = values.square().cumsum(0) / values.square().sum().clamp(min=1e-30)
        count = min(COMPONENTS, int((shares < EXPLAINED).sum()) + 1, len(values))
        deviation = (values[:count] / max(1, len(rows) - 1) ** 0.5).clamp(min=1e-12 * float(values[0]) + 1e-30)
        basis = vectors[:count].T / deviation
        scores = centred @ basis
        kept = torch.linspace(0, len(scores) - 1, min(MOST, len(scores))).long()
        reference, numbers = scores[kept], torch.from_numpy(folds)[kept]
        between = torch.cdist(reference, reference)
        usual = float(between.sum() / max(1, len(reference) * (len(reference) - 1)))
        made.basis, made.reference = basis / max(usual, 1e-30), reference / max(usual, 1e-30)
        apart = torch.cdist(made.reference, made.reference)
        apart[numbers[:, None] == numbers] = torch.inf
        own = apart.amin(1)
        own = own[own.isfinite()]
        made.threshold = torch.tensor(_without_outliers(own.numpy()) if len(own) else 1.0)
        return made.float()

    def forward(self, x: Tensor) -> Tensor:
        """Return the index of prepared spectra ``(..., λ)`` divided by its threshold, ``(..., 1)``: above 1, scores do not apply."""
        scores = ((x - self.mean) @ self.basis).reshape(-1, self.basis.shape[1])
        nearest = torch.cat([torch.cdist(part, self.reference).amin(1) for part in scores.split(AT_ONCE)])
        return (nearest / self.threshold.clamp(min=1e-12)).view(*x.shape[:-1], 1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the values to save in a model file."""
        return {PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self | None:
        """Read what `tensors` returned; None if a file contains none."""
        own = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
        if not own:
            return None
        made = cls()
        for name, tensor in own.items():
            setattr(made, name, tensor.clone())
        return made


@torch.no_grad()
def applicability_map(model: Any, source: Cube) -> Cube:
    """Return the dissimilarity of each spectrum of a cube to a model's training spectra, (..., 1); NaN for spectra without data.

    Parameters
    ----------
    model : Model
    source : Cube
        On the model's axis; it is read row by row.

    Raises
    ------
    ValueError
        If the model has no training spectra for comparison.
    """
    if model.applicability is None:
        raise ValueError(
            f"the model {model.description.name!r} contains no training spectra for comparison; "
            "train it with network=automatic or split.folds=5"
        )
    result = np.full((*source.spatial_shape, 1), np.nan, np.float32)
    for number in range(source.spatial_shape[0]):
        values = values_of(source[number : number + 1])
        spectra = values.reshape(-1, values.shape[-1])
        known = finite(spectra) & spectra.any(-1)
        prepared = model.preparation.apply(without(spectra, known), source.axis)[0]
        index = model.applicability(torch.from_numpy(np.require(prepared, np.float32, ["C", "W"]))).numpy()
        result[number] = np.where(known[:, None], index, np.nan).reshape(result[number].shape)
    return Cube(result, SpectralAxis.bands(1), source.pixel_size, source.pixel_unit, f"{source.name} · applicability".lstrip(" ·"))


def _without_outliers(values: npt.NDArray[np.float64]) -> float:
    """Return the largest value that is not an outlier: at most 1.5 interquartile ranges above the upper quartile."""
    low, high = np.quantile(values, [0.25, 0.75])
    limit = high + 1.5 * (high - low)
    return float(values[values <= limit].max())
