"""Library search: which known spectrum is most similar to that of each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import Bands, window
from napari_spectrai.mapping.kind import Doubles, Maps, Row
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps
from napari_spectrai.mapping.references import NAMES, Library, References, onto
from napari_spectrai.spectral_axis import SpectralAxis

MOST = 10_000
"""Largest number of spectra in a library."""
COVERED = 0.5
"""Share of the cube's bands that a library spectrum has to cover."""
LEAST = 8
"""Smallest number of bands by which spectra are compared."""

Measure = Literal["correlation", "angle", "derivative"]


@dataclass(frozen=True, slots=True)
class _Group:
    """Library spectra that cover the same bands: their numbers, those bands (columns), and the spectra ready for a product."""

    numbers: Bands
    columns: Bands
    ready: Doubles


class LibraryMaps(PlannedMaps):
    """The best match of each spectrum in a library of known ones, on the bands that both cover.

    Maps: ``hit``, the number of the best match (from 0, in the order of the table); ``score``, its similarity, 1 for the same shape;
    ``margin``, by how much its score exceeds that of the second best. Scores do not depend on brightness.

    ``"correlation"``: Pearson's correlation. ``"angle"``: the cosine of the spectral angle (Kruse et al. 1993,
    doi:10.1016/0034-4257(93)90013-N). ``"derivative"``: correlation of the first differences, which slow backgrounds hardly change.
    """

    title: ClassVar = "Library"
    first: ClassVar = ("measure", "min_score", "particles")
    kind: Literal["library"] = "library"
    references: References
    measure: Measure = Field("correlation", title="Similarity", description="how spectra are compared")
    min_score: float = Field(0.0, ge=-1, le=1, title="Minimum score", description="least score of a hit; pixels below it have none")
    particles: bool = Field(False, description="list connected regions with the same hit in the table, with size and score")
    min_size: int = Field(1, ge=1, title="Minimum size (pixels)", description="least number of pixels of a particle")
    low: float | None = Field(None, description="first position that is compared, in the unit of the axis; empty: all")
    high: float | None = Field(None, description="last position that is compared, in the unit of the axis; empty: all")

    def plan(self, cube: Cube) -> MapPlan:
        """Return how hits, scores and margins are computed.

        Raises
        ------
        ValueError
            If no spectrum of the library covers half of the cube's bands, or their units cannot be compared.
        """
        search = self.search(cube.axis)

        def values(spectra: npt.NDArray[Any]) -> Doubles:
            exact = np.ascontiguousarray(spectra, np.float64)
            hit, score, margin = search.best(exact)
            score[~search.has_structure(exact)] = np.nan  # a constant resembles nothing
            known = score >= self.min_score
            return np.stack([np.where(known, hit, np.nan), score, np.where(np.isfinite(score), margin, np.nan)])

        return MapPlan(search.bands, ("hit", "score", "margin"), values, partial(self._finished, cube, search))

    def _finished(self, cube: Cube, search: Search, maps: dict[str, Doubles]) -> Maps:
        """Return the maps with a row for each spectrum of the library, or for each particle."""
        table = self._hits(search, maps)
        if self.particles:
            maps["particle"], table = self._particles(maps, search.names, cube)
        return Maps(maps, search.curves(cube), table, search.notes)

    def search(self, axis: SpectralAxis) -> Search:
        """Return the library prepared for comparison with spectra on `axis`."""
        return Search.of(
            Library.of(self.references, MOST), axis, window(axis, self.low, self.high, least=LEAST, what="a search"), self.measure
        )

    def _hits(self, search: Search, maps: dict[str, Doubles]) -> list[Row]:
        rows: list[Row] = []
        for number, name in enumerate(search.names):
            own = maps["hit"] == number
            rows.append(
                {
                    "number": number,
                    "name": name,
                    "pixels": int(own.sum()),
                    "mean_score": float(maps["score"][own].mean()) if own.any() else None,
                }
            )
        return rows

    def _particles(self, maps: dict[str, Doubles], names: tuple[str, ...], cube: Cube) -> tuple[Doubles, list[Row]]:
        """Return a map of the particles' numbers, from 1, and a row for each: class, size, place and score."""
        from scipy import ndimage

        hit, score = maps["hit"], maps["score"]
        numbers, rows = np.full(hit.shape, np.nan), list[Row]()
        area = cube.pixel_size[0] * cube.pixel_size[1] if cube.pixel_size is not None else None
        for value in np.unique(hit[np.isfinite(hit)]).astype(int):
            labels, count = ndimage.label(hit == value, np.ones((3,) * hit.ndim))
            places = np.arange(1, count + 1)
            sizes = ndimage.sum_labels(np.ones(hit.shape), labels, places)
            means = ndimage.mean(score, labels, places)
            centroids = np.atleast_2d(ndimage.center_of_mass(np.ones(hit.shape), labels, places))
            for label, size, mean, centre in zip(places, sizes, means, centroids, strict=True):
                if size < self.min_size:
                    continue
                numbers[labels == label] = len(rows) + 1
                row: Row = {"particle": len(rows) + 1, "name": names[value], "pixels": int(size), "mean_score": float(mean)}
                row |= {f"centre_{axis}": float(c) for axis, c in zip("zyx"[-len(centre) :], centre, strict=True)}
                rows.append(row | ({} if area is None else {f"area ({cube.pixel_unit}²)": float(size) * area}))
        return numbers, rows


@dataclass(frozen=True, slots=True)
class Search:
    """A library on the bands of a cube.

    Attributes
    ----------
    bands : numbers of the cube's bands that are compared
    names : of all spectra of the library that cover enough of them
    notes : which do not
    """

    bands: Bands
    names: tuple[str, ...]
    spectra: Doubles
    groups: tuple[_Group, ...]
    measure: Measure
    notes: tuple[str, ...]

    @classmethod
    def of(cls, library: Library, axis: SpectralAxis, bands: Bands, measure: Measure) -> Search:
        """Return a library interpolated onto the bands of an axis."""
        spectra = np.concatenate([onto(cube, axis, bands) for cube in library.cubes])
        covered = np.isfinite(spectra).sum(1)
        enough = covered >= max(LEAST, COVERED * len(bands))
        if not enough.any():
            raise ValueError(
                f"no spectrum of the library covers {COVERED:.0%} of the {len(bands)} bands compared ({axis.describe()}); the best covers "
                f"{int(covered.max())}. Narrow the range with low and high, or choose another library"
            )
        left_out = [name for name, ok in zip(library.names, enough, strict=True) if not ok]
        names = tuple(name for name, ok in zip(library.names, enough, strict=True) if ok)
        shown = f"{', '.join(left_out[:5])}{' …' if len(left_out) > 5 else ''}"
        notes = (f"{len(left_out)} spectra cover less than {COVERED:.0%} of the bands and are left out: {shown}.",) if left_out else ()
        spectra, notes = spectra[enough], (*library.remarks(axis, bands), *notes)
        return cls(bands, names, spectra, tuple(_grouped(spectra, measure)), measure, notes)

    def has_structure(self, spectra: Doubles) -> npt.NDArray[np.bool_]:
        """Return which of spectra (n, bands) have a shape to compare: for correlations, more than rounding errors of a constant."""
        if self.measure == "angle":
            return np.asarray(spectra.any(1))
        return np.asarray(np.ptp(spectra, axis=1) > 1e-6 * np.abs(spectra).max(1))

    def scores(self, spectra: Doubles) -> Doubles:
        """Return the score of every library spectrum (n, library) for spectra (n, bands)."""
        found = np.empty((len(spectra), len(self.names)))
        for group in self.groups:
            found[:, group.numbers] = _ready(spectra[:, group.columns], self.measure) @ group.ready.T
        return found

    def best(self, spectra: Doubles) -> tuple[npt.NDArray[np.intp], Doubles, Doubles]:
        """Return number, score and margin of the best match of each spectrum (n, bands)."""
        scores = self.scores(spectra)
        hit = scores.argmax(1)
        score = scores[np.arange(len(scores)), hit]
        if scores.shape[1] < 2:
            return hit, score, np.full(len(score), np.nan)
        return hit, score, score - np.partition(scores, -2, axis=1)[:, -2]

    def ranked(self, spectrum: Doubles, most: int = 10) -> list[tuple[str, float]]:
        """Return names and scores of the best matches of one spectrum (L,) of the cube, best first."""
        scores = self.scores(np.asarray(spectrum, np.float64)[None, self.bands])[0]
        return [(self.names[number], float(scores[number])) for number in np.argsort(-scores, kind="stable")[:most]]

    def curves(self, cube: Cube) -> Cube:
        """Return the library on the bands compared, NaN outside the range of a spectrum."""
        return replace(
            cube.with_data(self.spectra.astype(np.float32), axis=cube.axis.take(self.bands), name="library"),
            metadata={NAMES: list(self.names)}, pixel_size=None,
        )  # fmt: skip


def _grouped(spectra: Doubles, measure: Measure) -> Iterator[_Group]:
    patterns, number = np.unique(np.isfinite(spectra), axis=0, return_inverse=True)
    for group, pattern in enumerate(patterns):
        numbers, columns = np.flatnonzero(number.reshape(-1) == group), np.flatnonzero(pattern)
        yield _Group(numbers, columns, _ready(spectra[np.ix_(numbers, columns)], measure))


def _ready(spectra: Doubles, measure: Measure) -> Doubles:
    """Return spectra of norm one whose products are scores; zeros for those without structure."""
    if measure == "derivative":
        spectra = np.diff(spectra, axis=1)
    if measure != "angle":
        spectra = spectra - spectra.mean(1, keepdims=True)
    norm = np.linalg.norm(spectra, axis=1, keepdims=True)
    return np.asarray(spectra / np.where(norm > 0, norm, 1))
