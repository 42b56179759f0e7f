"""Calibration transfer: convert spectra of one instrument to those of another, fitted on samples measured with both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.classical.method import Method, interpolated, pairs
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.units import aligned

Array = npt.NDArray[np.float64]
Learnt = dict[str, Array]
Fold = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]

DECOMPOSED = 1_000
"""Largest number of spectra of each side for singular vectors; more are evenly subsampled."""
PAIRS, VALUES = 10_000, 20_000_000
"""Largest numbers of pairs, and of values of each side, used for fitting; more are evenly subsampled."""
LEAST = 3
"""Minimum number of pairs for cross-validation."""


def folds(count: int) -> Iterator[Fold]:
    """Yield training and held-out rows: contiguous tenths (fifths of many), since repeated measurements are neighbours."""
    for held in np.array_split(np.arange(count), min(count, 10 if count <= 100 else 5)):
        out = np.zeros(count, bool)
        out[held] = True
        yield ~out, out


class Transfer(Method, ABC):
    """A map between instruments, fitted to pairs (n, λ) and (n, λ'); `places` are the positions of the target's bands in the source."""

    places: Tensor
    offset: Tensor
    least = LEAST

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Choose empty settings by cross-validation over the pairs, then fit on all of them.

        Raises
        ------
        ValueError
            If there are too few pairs.
        """
        x, y = (
            side.cpu().numpy().astype(np.float64)
            for side in pairs(scenes, max(DECOMPOSED, min(PAIRS, VALUES // max(self.in_bands, self.out))))
        )
        if len(x) < self.least:
            raise ValueError(
                f"{self.spec.title} needs at least {self.least} pairs of spectra, not {len(x)}; measure more samples on both "
                f"instruments{'' if self.least == 1 else ', or choose network=gain_offset'}"
            )
        self._places = aligned(*self.axes) if self.axes else np.linspace(0, self.in_bands - 1, self.out)
        learnt = {"places": self._places} | self.learnt(x, y)
        self.learn({name: torch.from_numpy(np.ascontiguousarray(values, np.float32)) for name, values in learnt.items()})

    @abstractmethod
    def learnt(self, x: Array, y: Array) -> Learnt:
        """Return the values fitted to all pairs."""

    def resampled(self, x: Array) -> Array:
        """Return spectra of the source on the bands of the target."""
        return interpolated(torch.from_numpy(x), torch.from_numpy(self._places)).numpy()


class GainOffset(Transfer):
    """A gain and an offset for each band, with gains shrunk towards a common one by a cross-validated amount."""

    gains: Tensor
    least = 1

    def forward(self, x: Tensor) -> Tensor:
        """Return transferred spectra ``(..., λ')``."""
        return torch.addcmul(self.offset, interpolated(x, self.places), self.gains)

    def learnt(self, x: Array, y: Array) -> Learnt:
        """Return gains and offsets."""
        x = self.resampled(x)
        strengths = [self.spec.shrinkage] if self.spec.shrinkage is not None else [0.0, *(10.0 ** np.arange(-2, 3.1, 0.5))]
        best = strengths[-1]
        if len(x) >= LEAST and len(strengths) > 1:
            best = min(strengths, key=dict(zip(strengths, self._errors(x, y, strengths), strict=True)).__getitem__)
        mean_x, mean_y = x.mean(0), y.mean(0)
        own, cross = np.square(x - mean_x).sum(0), ((x - mean_x) * (y - mean_y)).sum(0)
        # a single pair has no variance between spectra: the common gain is that along the spectrum
        common = 1.0 if own.any() or not mean_x.any() else float(mean_x @ mean_y) / float(mean_x @ mean_x)
        gain = _gains(own, cross, best, common)
        return {"gains": gain, "offset": mean_y - gain * mean_x}

    @staticmethod
    def _errors(x: Array, y: Array, strengths: Sequence[float]) -> list[float]:
        """Return the squared errors of held-out pairs, by shrinkage strength, from sums over the pairs."""
        x, y = x - x.mean(0), y - y.mean(0)
        errors = np.zeros(len(strengths))
        for learnt, held in folds(len(x)):
            (mean_x, own, mean_y, cross), (seen_x, seen_own, seen_y, seen_cross) = (_sums(x[some], y[some]) for some in (learnt, held))
            count = held.sum()
            for number, strength in enumerate(strengths):
                gain = _gains(own, cross, strength, 1.0)
                left = seen_y - mean_y - gain * (seen_x - mean_x)
                errors[number] += float((count * left**2 + gain**2 * seen_own - 2 * gain * seen_cross).sum())
        return errors.tolist()


def _sums(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Return by band the means of both sides, and their centred sums of squares and products."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    return mean_x, np.square(x).sum(0) - len(x) * mean_x**2, mean_y, (x * y).sum(0) - len(x) * mean_x * mean_y


def _gains(own: Array, cross: Array, strength: float, common: float) -> Array:
    """Return the gain of each band, from its own sums and those of all bands; `common` is the gain of bands without variance."""
    common = float(cross.sum() / own.sum()) if own.sum() > 0 else common
    weight = strength * own.mean()
    divisor = own + weight
    gain: Array = np.where(divisor > 0, (cross + weight * common) / np.where(divisor > 0, divisor, 1), common)
    return gain


class _Components(Transfer):
    """Fits in the space of a few components, whose number is cross-validated."""

    most = 64

    def components(self, x: Array, y: Array, errors: Callable[[Array, Array, Array, Array, int], Array]) -> int:
        """Return the number of components with the smallest error; `errors` returns that of 1, 2, … on held-out pairs."""
        rank = min(len(x) - 1, x.shape[1])
        if (given := self.spec.components or self.chosen.get("components")) is not None:
            return int(min(given, rank))
        most = max(1, min(self.most, rank, len(x) - -(-len(x) // 10) - 1))
        total = np.sum([errors(x[learnt], y[learnt], x[held], y[held], most) for learnt, held in folds(len(x))], axis=0)
        self.chosen = {"components": 1 + int(total.argmin())}
        return int(self.chosen["components"])


def _reduced(x: Array, most: int) -> tuple[Array, Array]:
    """Return the scores (n, k), orthonormal, and the loadings (k, λ) of spectra: the significant rows of their decomposition."""
    values, vectors = np.linalg.eigh(x @ x.T)
    order = np.argsort(values)[::-1][:most]
    order = order[values[order] > values.max() * len(x) * np.finfo(np.float64).eps] if values.max() > 0 else order[:0]
    return vectors[:, order], vectors[:, order].T @ x


class DS(_Components):
    """Direct standardisation: regression on the principal components of the source's spectra."""

    into: Tensor
    back: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return transferred spectra ``(..., λ')``."""
        return x @ self.into @ self.back + self.offset

    def learnt(self, x: Array, y: Array) -> Learnt:
        """Return the factors of the transfer matrix, from chemotools."""
        x, y = _thinned(x), _thinned(y)
        count = self.components(x, y, self._errors)
        into, back = self._factors(x - x.mean(0), y - y.mean(0), count)
        return {"into": into, "back": back, "offset": y.mean(0) - x.mean(0) @ into @ back}

    @staticmethod
    def _factors(x: Array, y: Array, count: int) -> tuple[Array, Array]:
        from chemotools.adaptation import DirectStandardization

        scores, loadings = _reduced(x, count)
        if not len(loadings):
            return np.zeros((x.shape[1], 1)), np.zeros((1, y.shape[1]))
        # it requires the same number of bands for both instruments; columns of zeros have no effect
        wide = max(x.shape[1], y.shape[1])
        source, target = (np.pad(rows, ((0, 0), (0, wide - rows.shape[1]))) for rows in (loadings, scores.T @ y))
        fitted = DirectStandardization().fit(source, X_source=target)
        return fitted.V_ds_[: x.shape[1]], fitted.B_ds_[:, : y.shape[1]]

    def _errors(self, x: Array, y: Array, held_x: Array, held_y: Array, most: int) -> Array:
        mean_x, mean_y = x.mean(0), y.mean(0)
        into, back = self._factors(x - mean_x, y - mean_y, most)
        # the components are orthogonal, so that fewer components are the first of more
        left, weights, errors = held_y - mean_y, (held_x - mean_x) @ into, []
        for number in range(most):
            if number < weights.shape[1]:
                left = left - np.outer(weights[:, number], back[number])
            errors.append(np.square(left).sum())
        return np.array(errors)


class SST(_Components):
    """Spectral space transformation: the subspace that both instruments share is exchanged, the rest is kept."""

    into: Tensor
    out_of: Tensor
    onto: Tensor
    most = 24

    def forward(self, x: Tensor) -> Tensor:
        """Return transferred spectra ``(..., λ')``."""
        scores = (x - self.centre) @ self.into
        rest = x - self.centre - scores @ self.out_of
        return interpolated(rest, self.places) + scores @ self.onto + self.offset

    centre: Tensor

    def learnt(self, x: Array, y: Array) -> Learnt:
        """Return the loadings of both instruments, from chemotools."""
        x, y = _thinned(x), _thinned(y)
        count = self.components(x, y, self._errors)
        rows = _reduced(np.hstack([y - y.mean(0), x - x.mean(0)]), count)[1]
        into, out_of, onto = self._factors(rows, y.shape[1])
        return {"into": into, "out_of": out_of, "onto": onto, "centre": x.mean(0), "offset": y.mean(0)}

    @staticmethod
    def _factors(rows: Array, bands: int) -> tuple[Array, Array, Array]:
        from chemotools.adaptation import SpectralSpaceTransform

        target, source = rows[:, :bands], rows[:, bands:]
        if not len(rows):
            return np.zeros((source.shape[1], 1)), np.zeros((1, source.shape[1])), np.zeros((1, bands))
        wide = max(bands, source.shape[1])
        source, target = (np.pad(side, ((0, 0), (0, wide - side.shape[1]))) for side in (source, target))
        fitted = SpectralSpaceTransform(n_components=len(rows), with_mean=False).fit(source, X_source=target)
        own = rows.shape[1] - bands
        return fitted.A_[:own], fitted.P2_[:, :own], fitted.P1_[:, :bands]

    def _errors(self, x: Array, y: Array, held_x: Array, held_y: Array, most: int) -> Array:
        mean_x, mean_y = x.mean(0), y.mean(0)
        rows = _reduced(np.hstack([y - mean_y, x - mean_x]), most)[1]
        errors = []
        for count in range(1, most + 1):
            into, out_of, onto = self._factors(rows[:count], y.shape[1])
            scores = (held_x - mean_x) @ into
            result = self.resampled(held_x - mean_x - scores @ out_of) + scores @ onto + mean_y
            errors.append(np.square(result - held_y).sum())
        return np.array(errors)


def _thinned(values: Array) -> Array:
    if len(values) <= DECOMPOSED:
        return values
    return values[np.linspace(0, len(values) - 1, DECOMPOSED).astype(np.intp)]
