"""Components: what the spectra of a cube are made of, found in the cube itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from threadpoolctl import threadpool_limits

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import sample, window
from napari_spectrai.mapping.factors import PrincipalComponents, alternating_least_squares, centres, non_negative_factors, vertices
from napari_spectrai.mapping.kind import Doubles, Maps, Row
from napari_spectrai.mapping.nnls import NonNegative
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps
from napari_spectrai.mapping.references import NAMES
from napari_spectrai.spec import in_words
from napari_spectrai.spectral_axis import SpectralAxis

Method = Literal["pca", "nmf", "kmeans", "vca", "vca_fcls", "mcr_als"]

SEEN = 20_000
"""Spectra at most, evenly spread, in which components are found."""
SEEN_BY_VCA = 100_000
"""The same for vertex component analysis: the purest pixels are rare."""
_CLIPPED = 0.01
"""Share of negative values in the sum of all magnitudes from which it is reported that they were taken as 0."""
SCREE = 12
"""Components whose share of the variance is always listed."""
_WORDS = {
    "pca": "PC", "nmf": "NMF", "kmeans": "cluster", "vca": "VCA", "vca_fcls": "VCA", "mcr_als": "MCR",
}  # fmt: skip
_METHODS = {
    "pca": "PCA", "nmf": "NMF", "kmeans": "k-means", "vca": "VCA, abundances ≥ 0", "vca_fcls": "VCA + FCLS", "mcr_als": "MCR-ALS",
}  # fmt: skip


def _negative(spectra: Doubles) -> float:
    """Return the share of negative values in the sum of all magnitudes."""
    return float(-spectra.clip(max=0).sum() / max(float(np.abs(spectra).sum()), 1e-300))


def _distinct(spectra: Doubles, most: int) -> int:
    """Return the number of different spectra, counted up to `most`."""
    seen = set[bytes]()
    for spectrum in spectra:
        seen.add(spectrum.tobytes())
        if len(seen) >= most:
            break
    return len(seen)


class ComponentMaps(PlannedMaps):
    """Components and how much of each every pixel holds.

    ``"pca"``: scores and loadings of principal components. ``"nmf"``: non-negative matrix factorisation. ``"kmeans"``: clusters (1
    inside, 0 outside) and the number of each pixel's cluster. ``"vca"`` and ``"vca_fcls"``: endmembers by vertex component analysis
    with abundances at least zero, which in the latter add to one. ``"mcr_als"``: multivariate curve resolution, from VCA's endmembers.

    Components are found in spectra spread evenly over the cube, then computed for every pixel. The table gives the share of the
    variance of principal components, which shows how many components lie above the noise, for more of them than are mapped.
    """

    title: ClassVar = "Components"
    first: ClassVar = ("method", "count")
    kind: Literal["components"] = "components"
    method: Method = Field("vca_fcls", description="how components are found", json_schema_extra=in_words(**_METHODS))
    count: int = Field(4, ge=1, le=32, title="Components", description="number of components")
    low: float | None = Field(None, description="first position that is used, in the unit of the axis; empty: all")
    high: float | None = Field(None, description="last position that is used, in the unit of the axis; empty: all")
    sum_to_one: bool = Field(False, description="closure (MCR-ALS): whether the abundances of a pixel add to one")
    non_negative: bool = Field(
        True, title="Non-negative spectra", description="MCR-ALS: whether the spectra of components are at least zero"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the random choices")

    def plan(self, cube: Cube) -> MapPlan:
        """Return how a map for each component and the residual are computed.

        Raises
        ------
        ValueError
            If the spectra cannot hold so many components.
        """
        bands = window(cube.axis, self.low, self.high, least=2, what="a decomposition")
        with threadpool_limits(1, "blas"):
            seen = sample(cube, bands, SEEN_BY_VCA if self.method.startswith("vca") else SEEN)
            scree = PrincipalComponents.of(seen, self.count)
            components = self._found(seen, scree)
        compute = self._scores(scree) if self.method == "pca" else self._abundances(components)

        def values(spectra: npt.NDArray[Any]) -> Doubles:
            with threadpool_limits(1, "blas"):
                return compute(np.ascontiguousarray(spectra, np.float64))

        names = [*self._names(), *(["cluster"] if self.method == "kmeans" else []), "residual"]
        clipped = _negative(seen) if self.method == "nmf" else 0.0
        finished = partial(self._finished, cube.axis.take(bands), self._curves_name(cube), components, scree, clipped)
        return MapPlan(bands, names, values, finished)

    def _finished(
        self, axis: SpectralAxis, title: str, components: Doubles, scree: PrincipalComponents, clipped: float, maps: dict[str, Doubles]
    ) -> Maps:  # fmt: skip
        """Return the maps with the spectra of the components and a row for each."""
        names = self._names()
        notes = () if clipped < _CLIPPED else (
            f"Negative values, {clipped:.0%} of the sum of all magnitudes, were taken as 0: NMF explains non-negative data only.",
        )  # fmt: skip
        curves = Cube(components.astype(np.float32), axis, name=title, metadata={NAMES: names})
        return Maps(maps, curves, self._table(names, maps, scree), notes)

    def _curves_name(self, cube: Cube) -> str:
        return f"{cube.name} · {_WORDS[self.method]}" if cube.name else _WORDS[self.method]

    def _found(self, seen: Doubles, scree: PrincipalComponents) -> Doubles:
        """Return components (k, bands), the most abundant first."""
        rank = int((scree.variances > 1e-12 * max(float(scree.variances[0]), 1e-300)).sum())
        most = min(len(seen), {"pca": rank, "kmeans": _distinct(seen, self.count)}.get(self.method, rank + 1))
        if most == 0:
            raise ValueError(
                f"the {len(seen):,} spectra of {seen.shape[1]} bands are all equal: there are no components to find; choose another "
                "range (low, high), or a cube whose pixels differ"
            )
        if self.count > most:
            raise ValueError(
                f"{self.count} components are requested (count), and the {len(seen):,} spectra of {seen.shape[1]} bands hold {most} at "
                f"most; set count to {most} or less"
            )
        if self.method == "pca":
            return scree.loadings
        if self.method == "kmeans":
            found = centres(seen, self.count, self.seed)
            nearest = _nearest(seen, found)
            return found[np.argsort(-np.bincount(nearest, minlength=self.count), kind="stable")]
        if self.method == "nmf":
            found = non_negative_factors(seen, self.count, self.seed)
        else:
            found = vertices(seen, self.count, np.random.default_rng(self.seed)) if self.count > 1 else seen.mean(0, keepdims=True)
        if self.method == "mcr_als":
            thinned = seen[:: max(1, len(seen) // SEEN)]
            found = alternating_least_squares(thinned, found, sum_to_one=self.sum_to_one, non_negative=self.non_negative)
        solver = NonNegative(found, sum_to_one=self._closed)
        amounts = solver.solve(seen)
        if self.method == "nmf":  # the scale of a factor is free: its abundance goes up to one
            strongest = np.maximum(np.quantile(amounts, 0.99, axis=0), 1e-300)
            found, amounts = found * strongest[:, None], amounts / strongest
        return np.asarray(found[np.argsort(-amounts.mean(0), kind="stable")])

    @property
    def _closed(self) -> bool:
        return self.method == "vca_fcls" or (self.method == "mcr_als" and self.sum_to_one)

    def _scores(self, scree: PrincipalComponents) -> Callable[[Doubles], Doubles]:
        """Return a function from spectra (n, bands) to their scores and residual (k + 1, n)."""

        def scores(spectra: Doubles) -> Doubles:
            centred = spectra - scree.mean
            found = centred @ scree.loadings.T
            return np.vstack([found.T, np.sqrt(np.square(centred - found @ scree.loadings).mean(1))])

        return scores

    def _abundances(self, components: Doubles) -> Callable[[Doubles], Doubles]:
        """Return a function from spectra (n, bands) to abundances, of clusters the number of the nearest, and the residual."""
        solver = None if self.method == "kmeans" else NonNegative(components, sum_to_one=self._closed)

        def abundances(spectra: Doubles) -> Doubles:
            nearest = _nearest(spectra, components) if solver is None else None
            amounts = np.eye(self.count)[nearest] if solver is None else solver.solve(spectra)
            residual = np.sqrt(np.square(spectra - amounts @ components).mean(1))
            return np.vstack([amounts.T, *([] if nearest is None else [nearest + 1]), residual])

        return abundances

    def _names(self) -> list[str]:
        return [f"{_WORDS[self.method]} {number}" for number in range(1, self.count + 1)]

    def _table(self, names: list[str], maps: dict[str, Doubles], scree: PrincipalComponents) -> list[Row]:
        """Return rows of components, and of further principal components, which are not mapped."""
        shares, residual = scree.shares, float(np.sqrt(np.nanmean(np.square(maps["residual"]))))
        cumulative = np.cumsum(shares)
        rows: list[Row] = []
        for number in range(max(len(names), min(SCREE, len(shares)))):
            mapped = number < len(names)
            values = maps[names[number]] if mapped else np.array([np.nan])
            within = number < len(shares)
            rows.append({
                "component": names[number] if mapped else f"PC {number + 1} (not mapped)",
                "mean": float(np.nanmean(values)) if mapped else None,
                "pca_share": float(shares[number]) if within else 0.0,
                "pca_cumulative": float(cumulative[number]) if within else 1.0,
                "residual": residual if mapped else None,
            })  # fmt: skip
        return rows


def _nearest(spectra: Doubles, means: Doubles) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the number of the mean (k, m) nearest to each spectrum (n, m)."""
    middle = means.mean(0)
    shifted = means - middle
    return np.asarray((np.square(shifted).sum(1) - 2 * (spectra - middle) @ shifted.T).argmin(1))
