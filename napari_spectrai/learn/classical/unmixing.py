"""Methods without labels: they find components in the spectra, and estimate their abundances in each spectrum."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.learn.classical.abundances import abundances
from napari_spectrai.learn.classical.method import Method, thinned
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.valid import held_by

LEAST = 1e-6
"""Lower limit of abundances before the logarithm."""


class Unmixing(Method, ABC):
    """Finds components (k, λ) and returns the logarithm of their abundances, or of those of the classes they are named after.

    Without earlier training data, components are computed from the data it is applied to.
    """

    components: Tensor
    naming: Tensor
    seen = 20_000
    """Number of spectra, evenly spread, from which components are computed."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., λ)`` to scores ``(..., C)``."""
        flat = x.reshape(-1, x.shape[-1])
        method = self if self.has_learnt else self.found_in(flat)
        shares = torch.cat([method.shares(part) for part in flat.split(65_536)])
        naming = getattr(method, "naming", None)
        if naming is not None:
            shares = shares @ naming
        return shares.clamp(min=LEAST).log().view(*x.shape[:-1], -1)

    def found_in(self, spectra: Tensor) -> Unmixing:
        """Return a copy with the components of spectra (n, λ), sorted by the number of spectra in which they are the largest.

        Spectra without data (`napari_spectrai.valid`) are ignored.

        Raises
        ------
        ValueError
            If the spectra cannot contain so many components.
        """
        method = copy.deepcopy(self)
        alive = _alive(spectra)
        wanted, most = self.spec.count, self.most(alive)
        if wanted > most:
            remedy = f"set count to {most} or less" if most > 1 else "all spectra are the same"
            raise ValueError(
                f"{self.spec.title}: {wanted} {self.spec.part}s are requested (count), but the {len(alive):,} × {alive.shape[1]} values "
                f"contain at most {most}; {remedy}"
            )
        method.find(alive, wanted)
        largest = torch.cat([method.shares(part).argmax(1) for part in alive.split(65_536)])
        order = torch.bincount(largest, minlength=wanted).argsort(descending=True, stable=True)
        method.learn({"components": method.components[order]})
        return method

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Compute components from all spectra of the scenes, in any part, then name each by the labels of the training pixels.

        The components are computed without labels. Each is named after the most frequent class of the labelled spectra in which it has the
        largest abundance; one that is never the largest, after the nearest one that is.
        """
        alive = torch.cat([scene.held for scene in scenes])
        x, y = (torch.cat(parts) for parts in zip(*(scene.pairs() for scene in scenes), strict=True))
        self.find(alive, max(1, min(max(2 * self.out, self.spec.count), self.most(alive))))
        met = x.new_zeros(len(self.components), self.out)
        met.index_put_((self.shares(x).argmax(1), y - 1), torch.ones_like(x[:, 0]), accumulate=True)
        known = torch.nonzero(met.any(1))[:, 0]
        nearest = known[torch.cdist(self.components, self.components[known]).argmin(1)]
        self.learn({"naming": functional.one_hot(met[nearest].argmax(1), self.out).to(x.dtype)})

    def find(self, spectra: Tensor, count: int) -> None:
        """Compute so many components, and keep them."""
        few = thinned(spectra, self.seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about convergence, which no setting here can improve
            fitted = self.components_of(few.cpu(), count) if count > 1 else {"components": few.mean(0, keepdim=True)}
        self.learn({name: tensor.to(spectra) for name, tensor in fitted.items()})

    def most(self, spectra: Tensor) -> int:
        """Return the largest number of components for spectra (n, λ)."""
        rows = np.ascontiguousarray(thinned(spectra, self.seen).cpu().numpy())
        return len(np.unique(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))))

    @abstractmethod
    def components_of(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return components (k, λ) of spectra (n, λ), and other values to keep."""

    @abstractmethod
    def shares(self, x: Tensor) -> Tensor:
        """Return the abundances (n, k) of the components in spectra (n, λ), which sum to one."""


def _alive(spectra: Tensor) -> Tensor:
    held = held_by(spectra.cpu().numpy())
    return spectra[torch.from_numpy(held.mask).to(spectra.device)] if held.count else spectra[spectra.isfinite().all(-1)]


class KMeans(Unmixing):
    """Clusters around means; abundances are the probabilities of spheres as wide as the mean cluster, almost 0 or 1."""

    variance: Tensor

    def components_of(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return the centres, and the variance per band around them."""
        from sklearn.cluster import KMeans as Model
        from threadpoolctl import threadpool_limits

        with threadpool_limits(2):
            model = Model(count, n_init=2, max_iter=100, random_state=self.spec.seed).fit(spectra.numpy())
        variance = max(float(model.inertia_) / spectra.numel(), 1e-9 * float(spectra.var()))
        return {"components": torch.from_numpy(model.cluster_centers_), "variance": torch.tensor([variance])}

    def shares(self, x: Tensor) -> Tensor:
        """Return probabilities (n, k)."""
        if len(self.components) == 1:
            return torch.ones_like(x[:, :1])
        centre = self.components.mean(0)
        spectra, centres = x - centre, self.components - centre
        distance = centres.square().sum(1) - 2 * spectra @ centres.T
        return (-distance / (2 * self.variance)).softmax(1)


class NMF(Unmixing):
    """Non-negative factors; abundances are fractions of a spectrum's area."""

    floor: Tensor
    seen = 4_000

    def most(self, spectra: Tensor) -> int:
        """Return the largest number of components: the number of bands."""
        return min(super().most(spectra), spectra.shape[1])

    def components_of(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return components scaled to the spectra with their largest abundance, and the value subtracted from each band."""
        from sklearn import decomposition
        from threadpoolctl import threadpool_limits

        floor = spectra.quantile(1e-3, dim=0).clamp(max=0)
        raised = (spectra - floor).clamp(min=0)
        with threadpool_limits(2):
            model = decomposition.NMF(count, init="nndsvda", random_state=self.spec.seed, max_iter=200, tol=1e-3)
            amounts = torch.from_numpy(model.fit_transform(raised.numpy()))
        strongest = amounts.quantile(0.99, dim=0)
        shapes = torch.from_numpy(model.components_) * torch.where(strongest > 0, strongest, amounts.amax(0))[:, None]
        return {"components": shapes.to(spectra.dtype) + floor, "floor": floor}

    def shares(self, x: Tensor) -> Tensor:
        """Return abundances (n, k)."""
        if len(self.components) == 1:
            return torch.ones_like(x[:, :1])
        amounts = abundances((x - self.floor).clamp(min=0), self.components - self.floor, sum_to_one=False)
        total = amounts.sum(1, keepdim=True)
        return torch.where(total > 0, amounts / total, 1 / len(self.components))


class VCA(Unmixing):
    """Vertices of the simplex of spectra; abundances by fully constrained least squares."""

    seen = 100_000  # pure pixels are rare, and more spectra cost little here

    def most(self, spectra: Tensor) -> int:
        """Return the largest number of components: a simplex has one vertex more than dimensions."""
        return min(super().most(spectra), spectra.shape[1] + 1)

    def components_of(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return endmembers."""
        return {"components": vertices(spectra, count, torch.Generator().manual_seed(self.spec.seed))}

    def shares(self, x: Tensor) -> Tensor:
        """Return abundances (n, k)."""
        return abundances(x, self.components)


def vertices(spectra: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return endmembers (k, λ) of spectra (n, λ) that include pure ones, by vertex component analysis.

    Spectra are projected to as many dimensions as there are endmembers (with low noise, onto a plane in which brightness is
    irrelevant, otherwise with one dimension less); repeatedly, the spectrum farthest along a direction orthogonal to those found is chosen.

    References
    ----------
    Nascimento & Bioucas-Dias 2005, doi:10.1109/TGRS.2005.844293
    """
    double = spectra.double()
    mean, bands = double.mean(0), double.shape[1]
    centred = double - mean
    flat = _leading(centred, min(count, bands))
    within = centred @ flat
    power, kept = double.square().sum(1).mean(), within.square().sum(1).mean() + mean.square().sum()
    signal = (kept - count / bands * power).clamp(min=0) / (power - kept).clamp(min=1e-12 * float(power) + 1e-30)
    if count > bands or float(signal) < 10 ** (1.5 + math.log10(count)):
        basis, offset = flat[:, : count - 1], mean
        scores = centred @ basis
        reach = scores.norm(dim=1).max()
        points = torch.cat([scores, reach.expand(len(scores), 1)], 1)
    else:
        basis, offset = _leading(double, count), torch.zeros_like(mean)
        scores = double @ basis
        brightness = scores @ scores.mean(0)
        # dark spectra would become pure noise when divided by a small number
        bright = brightness > 1e-2 * brightness.mean()
        points = torch.where(bright[:, None], scores / brightness[:, None], 0)
    return (scores[_farthest(points, generator)] @ basis.T + offset).to(spectra.dtype)


def _leading(values: Tensor, count: int) -> Tensor:
    """Return the leading singular vectors (λ, k), each with a positive largest entry, independent of the library's sign."""
    _, vectors = torch.linalg.eigh(values.T @ values)
    leading = vectors.flip(1)[:, :count]
    signed: Tensor = leading * torch.sign(leading.gather(0, leading.abs().argmax(0, keepdim=True)))
    return signed


def _farthest(points: Tensor, generator: torch.Generator) -> Tensor:
    """Return the indices of as many points (n, k) as they have dimensions, each far from the span of the previous ones."""
    count = points.shape[1]
    found = torch.zeros(count, count, dtype=points.dtype)
    found[-1, 0] = 1
    chosen = []
    for number in range(count):
        drawn = torch.randn(count, generator=generator, dtype=points.dtype)
        direction = drawn - found @ (torch.linalg.pinv(found) @ drawn)
        chosen.append((points @ direction).abs().argmax())
        found[:, number] = points[chosen[-1]]
    return torch.stack(chosen)
