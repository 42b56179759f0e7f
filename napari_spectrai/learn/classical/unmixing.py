"""Methods without labels: they find components in the spectra themselves, and tell the shares of these in each spectrum."""

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
"""The share of which the logarithm is given, at least."""


class Unmixing(Method, ABC):
    """Finds components (k, λ) and gives the logarithm of their shares, or of the shares of the classes that they are named by.

    Found in no data before, they are found in what it is applied to.
    """

    components: Tensor
    naming: Tensor
    seen = 20_000
    """As many spectra, evenly spread, as components are found in."""

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
        """Return a copy that has found its components in spectra (n, λ), those first that are the largest share of most spectra.

        Spectra that hold no data (`napari_spectrai.valid`) are left out.

        Raises
        ------
        ValueError
            If the spectra cannot hold so many components.
        """
        method = copy.deepcopy(self)
        alive = _alive(spectra)
        wanted, most = self.spec.count, self.most(alive)
        if wanted > most:
            remedy = f"set count to {most} or less" if most > 1 else "there is nothing to tell apart"
            raise ValueError(
                f"{self.spec.title}: {wanted} {self.spec.part}s are looked for (count), and the {len(alive):,} × {alive.shape[1]} values "
                f"hold {most} at most; {remedy}"
            )
        method.find(alive, wanted)
        largest = torch.cat([method.shares(part).argmax(1) for part in alive.split(65_536)])
        order = torch.bincount(largest, minlength=wanted).argsort(descending=True, stable=True)
        method.learn({"components": method.components[order]})
        return method

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Find components in all spectra of the scenes, whatever their part, then name each by the labels of the training pixels.

        No truth is looked at to find them. Each is named by the class that most of those labelled spectra have in which its share is
        the largest; one that is the largest in none by the nearest that is.
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
        """Find so many components, and keep them."""
        few = thinned(spectra, self.seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence, which nobody here can mend
            found = self.found(few.cpu(), count) if count > 1 else {"components": few.mean(0, keepdim=True)}
        self.learn({name: tensor.to(spectra) for name, tensor in found.items()})

    def most(self, spectra: Tensor) -> int:
        """Return how many components spectra (n, λ) may hold."""
        rows = np.ascontiguousarray(thinned(spectra, self.seen).cpu().numpy())
        return len(np.unique(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))))

    @abstractmethod
    def found(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return components (k, λ) of spectra (n, λ), and what else is to be kept."""

    @abstractmethod
    def shares(self, x: Tensor) -> Tensor:
        """Return the shares (n, k) of the components in spectra (n, λ), which add to one."""


def _alive(spectra: Tensor) -> Tensor:
    held = held_by(spectra.cpu().numpy())
    return spectra[torch.from_numpy(held.mask).to(spectra.device)] if held.count else spectra[spectra.isfinite().all(-1)]


class KMeans(Unmixing):
    """Clusters around means; shares are the probabilities of spheres as wide as the mean cluster, nearly all or nothing."""

    variance: Tensor

    def found(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return the centres, and the variance of a band around them."""
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
    """Non-negative factors; shares are those of a spectrum's area."""

    floor: Tensor
    seen = 4_000

    def most(self, spectra: Tensor) -> int:
        """Return how many components spectra may hold: as many as bands."""
        return min(super().most(spectra), spectra.shape[1])

    def found(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return components as strong as in the spectra that hold most of them, and what was taken from each band."""
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
        """Return shares (n, k)."""
        if len(self.components) == 1:
            return torch.ones_like(x[:, :1])
        amounts = abundances((x - self.floor).clamp(min=0), self.components - self.floor, sum_to_one=False)
        total = amounts.sum(1, keepdim=True)
        return torch.where(total > 0, amounts / total, 1 / len(self.components))


class VCA(Unmixing):
    """Vertices of the cloud of spectra; shares by fully constrained least squares."""

    seen = 100_000  # the purest pixels are rare, and more spectra cost little here

    def most(self, spectra: Tensor) -> int:
        """Return how many components spectra may hold: a simplex has one vertex more than dimensions."""
        return min(super().most(spectra), spectra.shape[1] + 1)

    def found(self, spectra: Tensor, count: int) -> dict[str, Tensor]:
        """Return endmembers."""
        return {"components": vertices(spectra, count, torch.Generator().manual_seed(self.spec.seed))}

    def shares(self, x: Tensor) -> Tensor:
        """Return abundances (n, k)."""
        return abundances(x, self.components)


def vertices(spectra: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return endmembers (k, λ) of spectra (n, λ) that hold pure ones: vertex component analysis.

    Spectra are projected onto as few dimensions as there are endmembers (with little noise, onto the plane in which brightness plays
    no role, else with one dimension less); again and again, the one that reaches farthest at right angles to those found is taken.

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
        # dark spectra would be all noise once they are divided by next to nothing
        bright = brightness > 1e-2 * brightness.mean()
        points = torch.where(bright[:, None], scores / brightness[:, None], 0)
    return (scores[_farthest(points, generator)] @ basis.T + offset).to(spectra.dtype)


def _leading(values: Tensor, count: int) -> Tensor:
    """Return so many leading singular vectors (λ, k), each with its largest entry above zero, so that no library's sign matters."""
    _, vectors = torch.linalg.eigh(values.T @ values)
    leading = vectors.flip(1)[:, :count]
    signed: Tensor = leading * torch.sign(leading.gather(0, leading.abs().argmax(0, keepdim=True)))
    return signed


def _farthest(points: Tensor, generator: torch.Generator) -> Tensor:
    """Return the numbers of as many points (n, k) as they have dimensions, each far from the span of those before."""
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
