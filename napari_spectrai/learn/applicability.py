"""Area of applicability of a model: the distance of spectra from its training spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai.experiment.card import APPLICABILITY as PREFIX
from napari_spectrai.learn.data.dataset import Dataset

COMPONENTS = 20
"""Largest number of principal components in which spectra are compared."""
EXPLAINED = 0.995
"""Minimum fraction of the variance of the training spectra explained by the components."""
MOST = 1_000
"""Largest number of training spectra kept for comparison."""
SEEN = 2_000
"""Largest number of training and validation spectra from which components, spread and threshold are computed."""
FLOOR = 1e-3
"""Minimum spread of the residuals, as a fraction of the length of the centred training spectra."""
AT_ONCE = 1_024
"""Spectra compared at a time, so that their distances stay in the cache."""
NAMES = ("mean", "basis", "reference", "threshold", "scale", "residual")


class Applicability(nn.Module):
    """The dissimilarity index and its threshold (Meyer & Pebesma 2021, doi:10.1111/2041-210X.13650).

    The index of a spectrum is its distance to the nearest training spectrum, divided by the mean distance between training spectra.
    Spectra are compared by their standardised principal component scores and by the standardised length of the residual, what the
    components leave of them (the two of T² and Q in multivariate statistical process control, doi:10.1080/00401706.1979.10489779).
    The threshold is the largest index of training spectra that were held out (in other folds, or for validation), each compared with
    the others, without outliers: beyond it, scores do not apply to predictions.
    """

    mean: Tensor
    basis: Tensor
    reference: Tensor
    threshold: Tensor
    scale: Tensor
    residual: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in NAMES:
            self.register_buffer(name, torch.empty(0))

    @classmethod
    def of(cls, spectra: Tensor, folds: npt.NDArray[np.int64]) -> Self:
        """Return the index for training spectra (n, λ) and the fold in which each was held out, (n,)."""
        made = cls()
        spread = torch.linspace(0, len(spectra) - 1, min(SEEN, len(spectra)), dtype=torch.double).long()
        rows, folds = spectra[spread.to(spectra.device)].double().cpu(), folds[spread.numpy()]
        made.mean = rows.mean(0)
        centred = rows - made.mean
        values, vectors = _principal(centred)
        shares = values.square().cumsum(0) / values.square().sum().clamp(min=1e-30)
        count = min(COMPONENTS, int((shares < EXPLAINED).sum()) + 1, len(values))
        made.scale = (values[:count] / max(1, len(rows) - 1) ** 0.5).clamp(min=1e-12 * float(values[0]) + 1e-30)
        made.basis = vectors[:, :count] / made.scale
        length = float(centred.square().sum(-1).mean().sqrt())
        made.residual = torch.ones(1, dtype=torch.double)
        left = made._left(centred, centred @ made.basis)
        made.residual = (1 / left.std(unbiased=False).clamp(min=FLOOR * length + 1e-30)).view(1)
        scores = made._scores(rows)
        kept = torch.linspace(0, len(scores) - 1, min(MOST, len(scores)), dtype=torch.double).long()
        reference, numbers = scores[kept], torch.from_numpy(folds)[kept]
        between = torch.cdist(reference, reference)
        usual = max(float(between.sum() / max(1, len(reference) * (len(reference) - 1))), 1e-30)
        made.basis, made.scale, made.residual, made.reference = (
            made.basis / usual, made.scale * usual, made.residual / usual, reference / usual
        )  # fmt: skip
        apart = between / usual
        apart[numbers[:, None] == numbers] = torch.inf
        own = apart.amin(1)
        own = own[own.isfinite()]
        made.threshold = torch.tensor(_without_outliers(own.numpy()) if len(own) else 1.0)
        return made.float()

    @classmethod
    def of_data(cls, data: Dataset) -> Self | None:
        """Return the index for the data of a training: its validation spectra determine the threshold; None for fewer than 3 spectra.

        Without validation spectra, each training spectrum is compared with all others.
        """
        known = [data.spectra(part)[0] for part in ("training", "validation") if part in data.parts]
        spectra = torch.cat([rows[rows.isfinite().all(-1)] for rows in known]) if known else torch.empty(0)
        if len(spectra) < 3:
            return None
        counts = [int(rows.isfinite().all(-1).sum()) for rows in known]
        folds = np.repeat(np.arange(len(counts)), counts) if min(counts) and len(counts) > 1 else np.arange(len(spectra))
        return cls.of(spectra, folds)

    def _left(self, centred: Tensor, scores: Tensor) -> Tensor:
        """Return the lengths (...) of what the components leave of centred spectra."""
        along = (scores * self.scale).square().sum(-1)
        return (centred.square().sum(-1) - along).clamp(min=0).sqrt()

    def _scores(self, spectra: Tensor) -> Tensor:
        """Return the coordinates in which spectra are compared: the scores and, in newer files, the length of the residual."""
        centred = spectra - self.mean
        scores = centred @ self.basis
        return torch.cat([scores, (self._left(centred, scores) * self.residual)[..., None]], -1) if len(self.residual) else scores

    def forward(self, x: Tensor) -> Tensor:
        """Return the index of prepared spectra ``(..., λ)`` divided by its threshold, ``(..., 1)``: above 1, scores do not apply."""
        squares = self.reference.square().sum(-1)

        def nearest(spectra: Tensor) -> Tensor:
            scores = self._scores(spectra)
            # without a square root for each pair, unlike cdist
            apart = torch.addmm(squares, scores, self.reference.T, alpha=-2).amin(1)
            return (apart + scores.square().sum(-1)).clamp(min=0).sqrt()

        found = torch.cat([nearest(part) for part in x.reshape(-1, x.shape[-1]).split(AT_ONCE)])
        return (found / self.threshold.clamp(min=1e-12)).view(*x.shape[:-1], 1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the values to save in a model file."""
        return {PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items() if tensor.numel()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self | None:
        """Read what `tensors` returned; None if a file contains none.

        Raises
        ------
        ValueError
            If tensors are missing or do not fit one another.
        """
        own = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
        if not own:
            return None
        made = cls()
        for name in NAMES:
            if name in own:
                setattr(made, name, own[name].clone())
        bands, count = len(made.mean), made.basis.shape[-1]
        with_residual = len(made.residual) == 1 and made.scale.shape == (count,)
        shapes = {
            "mean": (bands,), "basis": (bands, count), "reference": (len(made.reference), count + with_residual), "threshold": (),
            "residual": (int(with_residual),),
        }  # fmt: skip
        fits = all(getattr(made, name).shape == shape for name, shape in shapes.items())
        if not fits or any(tensor.dtype != torch.float32 for tensor in own.values()):
            raise ValueError("the training spectra kept for comparison do not fit one another")
        return made


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Return singular values (k,), descending, and right singular vectors (λ, k) of spectra (n, λ), from the smaller Gram matrix."""
    count, bands = centred.shape
    squares, vectors = torch.linalg.eigh(centred.T @ centred if bands <= count else centred @ centred.T)
    values, vectors = squares.clamp(min=0).sqrt().flip(0), vectors.flip(1)
    if bands > count:
        vectors = centred.T @ vectors / values.clamp(min=1e-9 * float(values[0]) + 1e-30)
    return values, vectors


def said_of(distances: npt.NDArray[np.float32]) -> str:
    """Say which share of the spectra is unlike the training data, for their distances; empty if none holds data."""
    known = distances[np.isfinite(distances)]
    if not known.size:
        return ""
    share = float((known > 1).mean())
    if not share:
        return "All spectra lie within the range of the training data (dissimilarity up to 1)."
    words = f"{share * 100:.0f} %" if share >= 0.01 else "Less than 1 %"
    return f"{words} of the spectra are unlike the training data (dissimilarity above 1); the scores of the model do not hold there."


def unavailable(name: str) -> str:
    """Say that a model has no training spectra for comparison."""
    return f"The model {name!r} contains no training spectra for comparison: no applicability map is available. Train it again for one."


def on_another_axis(name: str) -> str:
    """Say that spectra on this axis cannot be compared with those that a model was trained on."""
    return f"The training spectra of the model {name!r} lie on another spectral axis: no applicability map is available."


def _without_outliers(values: npt.NDArray[np.float64]) -> float:
    """Return the largest value that is not an outlier: at most 1.5 interquartile ranges above the upper quartile."""
    low, high = np.quantile(values, [0.25, 0.75])
    limit = high + 1.5 * (high - low)
    return float(values[values <= limit].max())
