"""Components found in the spectra themselves: vertices, non-negative factors, alternating least squares, means, principal components."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.mapping.nnls import nnls

MCR_STEPS = 200
"""Rounds of alternating least squares at most."""
MCR_TOLERANCE = 1e-5
"""Relative change of the lack of fit below which they stop."""


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """Principal components of spectra.

    Attributes
    ----------
    mean : ndarray of shape (m,)
    loadings : ndarray of shape (k, m)
        Orthonormal, each with its largest entry above zero.
    variances : ndarray of shape (min(n, m),)
        Of all components, in descending order.
    """

    mean: Doubles
    loadings: Doubles
    variances: Doubles

    @classmethod
    def of(cls, spectra: Doubles, count: int) -> PrincipalComponents:
        """Return the components of spectra (n, m)."""
        mean = spectra.mean(0)
        centred = spectra - mean
        values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(spectra) - 1))
        return cls(mean, _signed(vectors[:, ::-1][:, :count].T), np.maximum(values[::-1], 0))

    @property
    def shares(self) -> Doubles:
        """Share of the variance that each component explains."""
        total = float(self.variances.sum())
        return np.asarray(self.variances / (total if total > 0 else 1))


def vertices(spectra: Doubles, count: int, generator: np.random.Generator) -> Doubles:
    """Return endmembers (k, m) of spectra (n, m) that hold pure ones: vertex component analysis.

    Spectra are projected onto as many dimensions as there are endmembers (at a high signal-to-noise ratio, onto the plane that
    brightness does not change; else with one dimension less); then, repeatedly, the spectrum that reaches farthest
    orthogonally to the endmembers found so far is taken.

    Parameters
    ----------
    generator : numpy Generator
        Draws the directions that are searched.

    References
    ----------
    Nascimento & Bioucas-Dias 2005, doi:10.1109/TGRS.2005.844293
    """
    mean, bands = spectra.mean(0), spectra.shape[1]
    centred = spectra - mean
    flat = _leading(centred, min(count, bands))
    within = centred @ flat
    power = float(np.square(spectra).sum(1).mean())
    kept = float(np.square(within).sum(1).mean() + np.square(mean).sum())
    signal = max(kept - count / bands * power, 0.0) / max(power - kept, 1e-12 * power + 1e-300)
    if count > bands or signal < 10 ** (1.5 + math.log10(count)):
        basis, offset = flat[:, : count - 1], mean
        scores = centred @ basis
        reach = float(np.linalg.norm(scores, axis=1).max()) if scores.size else 1.0
        points = np.column_stack([scores, np.full(len(scores), reach)])
    else:
        basis, offset = _leading(spectra, count), np.zeros_like(mean)
        scores = spectra @ basis
        brightness = scores @ scores.mean(0)
        # dark spectra, divided by almost zero, would be mere noise
        bright = brightness > 1e-2 * brightness.mean()
        points = np.where(bright[:, None], scores / np.where(bright, brightness, 1)[:, None], 0)
    return np.asarray(scores[_farthest(points, generator)] @ basis.T + offset)


def _leading(values: Doubles, count: int) -> Doubles:
    """Return the `count` leading right singular vectors (m, k)."""
    _, vectors = np.linalg.eigh(values.T @ values)
    return _signed(vectors[:, ::-1][:, :count].T).T


def _signed(vectors: Doubles) -> Doubles:
    """Return vectors (k, m) with the largest entry of each above zero."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], 1)
    return np.asarray(vectors * np.where(largest < 0, -1.0, 1.0))


def _farthest(points: Doubles, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the numbers of as many points (n, k) as they have dimensions, each far from the span of those before it."""
    count = points.shape[1]
    found = np.zeros((count, count))
    found[-1, 0] = 1
    chosen = np.zeros(count, np.intp)
    for number in range(count):
        drawn = generator.standard_normal(count)
        direction = drawn - found @ (np.linalg.pinv(found) @ drawn)
        chosen[number] = np.abs(points @ direction).argmax()
        found[:, number] = points[chosen[number]]
    return chosen


def non_negative_factors(spectra: Doubles, count: int, seed: int) -> Doubles:
    """Return non-negative components (k, m) of spectra (n, m) by coordinate descent, from a singular value decomposition.

    References
    ----------
    Lee & Seung 1999, doi:10.1038/44565; Boutsidis & Gallopoulos 2008, doi:10.1016/j.patcog.2007.09.010
    """
    from sklearn.decomposition import NMF

    model = NMF(count, init="nndsvda", random_state=seed, max_iter=400, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, which the residual shows
        model.fit(np.maximum(spectra, 0))
    return np.asarray(model.components_, np.float64)


def centres(spectra: Doubles, count: int, seed: int) -> Doubles:
    """Return the means (k, m) of k-means clusters of spectra (n, m).

    References
    ----------
    Lloyd 1982, doi:10.1109/TIT.1982.1056489; Arthur & Vassilvitskii 2007 (k-means++)
    """
    from sklearn.cluster import KMeans

    model = KMeans(count, n_init=4, random_state=seed).fit(spectra)
    return np.asarray(model.cluster_centers_, np.float64)


def alternating_least_squares(spectra: Doubles, initial: Doubles, *, sum_to_one: bool, non_negative: bool) -> Doubles:
    """Return component spectra (k, m) of spectra (n, m) by multivariate curve resolution (MCR-ALS).

    Abundances and components are computed in turn by least squares, abundances at least zero, until the lack of fit stops decreasing.

    Parameters
    ----------
    initial : ndarray of shape (k, m)
        Components to start with.
    sum_to_one : bool
        Closure: whether the abundances of a spectrum add to one.
    non_negative : bool
        Whether components are at least zero, too.

    References
    ----------
    Tauler 1995, doi:10.1016/0169-7439(95)00047-X; de Juan & Tauler 2021, doi:10.1016/j.aca.2020.10.051
    """
    components = np.maximum(initial, 0) if non_negative else initial
    power = float(np.square(spectra).sum())
    before = np.inf
    for _ in range(MCR_STEPS):
        abundances = nnls(components, spectra, sum_to_one=sum_to_one)
        used = np.asarray((abundances > 0).any(0))
        if not used.all():  # a component that no spectrum contains starts again where the fit is worst
            worst = np.square(spectra - abundances @ components).sum(1).argmax()
            components = np.where(used[:, None], components, np.maximum(spectra[worst], 0) if non_negative else spectra[worst])
            abundances = nnls(components, spectra, sum_to_one=sum_to_one)
        components = nnls(abundances.T, spectra.T).T if non_negative else np.linalg.lstsq(abundances, spectra, rcond=None)[0]
        if not sum_to_one:  # the scale of a component is free: its abundance goes up to one
            largest = np.maximum(np.quantile(abundances, 0.99, axis=0), 1e-300)
            components = components * largest[:, None]
            abundances = abundances / largest
        left = float(np.square(spectra - abundances @ components).sum())
        if before - left <= MCR_TOLERANCE * max(left, 1e-12 * power):
            break
        before = left
    return np.asarray(components)
