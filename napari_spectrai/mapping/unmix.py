"""Unmixing with given spectra: abundances by non-negative least squares."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from threadpoolctl import ThreadpoolController

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import Bands, Pixels, window
from napari_spectrai.mapping.kind import Doubles, Maps, Row
from napari_spectrai.mapping.nnls import NonNegative, weighted_nnls
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps
from napari_spectrai.mapping.references import NAMES, Library, References
from napari_spectrai.noise import NoiseModel, noise_model
from napari_spectrai.preparation.sample_rows import seen

MOST = 64
"""References at most."""
SIMILAR = 5.0
"""Angle in degrees below which two references are reported as hard to distinguish."""
_LEAST = 1024
"""Number of spectra below which they are not divided among threads."""
_DARK = 0.05
"""Share of the spectra, the darkest ones, whose mean serves as the background."""


class UnmixMaps(PlannedMaps):
    """How much of each given spectrum every pixel holds, by least squares with coefficients at least zero.

    One map for each reference in the unit of the reference (1: as much as the reference itself), the background where one is wanted,
    and the root mean square residual. The table gives the condition number of the references and how similar each is to its nearest.
    """

    title: ClassVar = "Given spectra"
    first: ClassVar = ("sum_to_one", "background", "weights")
    kind: Literal["unmix"] = "unmix"
    references: References
    sum_to_one: bool = Field(False, description="whether the abundances of a pixel add to one, as fractions of an area do")
    background: Literal["none", "constant", "darkest"] = Field(
        "none", description="a further component: a constant, or the mean spectrum of the darkest pixels (autofluorescence, offset)"
    )
    weights: Literal["none", "photon"] = Field(
        "none", description="photon: bands are weighted by the noise of counted photons, estimated from the data"
    )
    low: float | None = Field(None, description="first position that is used, in the unit of the axis; empty: all")
    high: float | None = Field(None, description="last position that is used, in the unit of the axis; empty: all")

    def resolved(self, cube: Cube) -> tuple[Bands, Doubles, list[str]]:
        """Return the bands used, the references there (k, bands), and their names, background included."""
        return self._resolved(cube, Library.of(self.references, MOST))

    def _resolved(self, cube: Cube, library: Library) -> tuple[Bands, Doubles, list[str]]:
        bands, references = library.on(cube.axis, self.low, self.high)
        names = list(library.names)
        if self.background != "none":
            names.append("background")
            references = np.vstack([references, self._background(cube, bands)])
        empty = [name for name, one in zip(names, references, strict=True) if not one.any()]
        if empty:
            raise ValueError(f"the reference {empty[0]!r} is zero in all bands used; leave it out")
        if len(names) > len(bands):
            raise ValueError(f"{len(names)} references cannot be distinguished by {len(bands)} bands; leave some out, or use more bands")
        return bands, references, names

    def _background(self, cube: Cube, bands: Bands) -> Doubles:
        if self.background == "constant":
            return np.ones(len(bands))
        spectra = Pixels.of(cube, bands).sample(20_000)
        brightness = spectra.mean(1)
        darkest = spectra[brightness <= np.quantile(brightness, _DARK)].mean(0)
        return np.asarray(np.maximum(darkest, 0))

    def plan(self, cube: Cube) -> MapPlan:
        """Return how the abundance maps and the residual are computed.

        Raises
        ------
        ValueError
            If the references lie on another axis, or outnumber the bands.
        """
        library = Library.of(self.references, MOST)
        bands, references, names = self._resolved(cube, library)
        noise = self.noise(cube, bands)
        solver = NonNegative(references, sum_to_one=self.sum_to_one)

        def values(spectra: npt.NDArray[Any]) -> Doubles:
            found = np.empty((len(names) + 1, len(spectra)))
            threads = os.cpu_count() or 1
            size = min(solver.at_once, max(_LEAST, -(-len(spectra) // threads)))

            def solve(first: int) -> None:
                part = slice(first, first + size)
                abundances, found[-1, part] = self.abundances(solver, spectra[part], noise)
                found[:-1, part] = abundances.T

            # in threads, each on small matrices, which threads of BLAS would only slow down
            with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
                for done in [pool.submit(solve, first) for first in range(0, len(spectra), size)]:
                    done.result()
            return found

        curves = Cube(
            references.astype(np.float32), cube.axis.take(bands), name=f"{cube.name} · references".lstrip(" ·"), metadata={NAMES: names}
        )  # fmt: skip
        more = [*_left_out(cube, bands, self.low, self.high), *library.remarks(cube.axis, bands)]
        if self.weights == "photon" and noise is None:
            more.append("No photon noise was detected in the data: all bands are weighted alike.")
        return MapPlan(bands, [*_distinct(names), "residual"], values, partial(_finished, references, names, curves, tuple(more)))

    def noise(self, cube: Cube, bands: Bands) -> NoiseModel | None:
        """Return the noise by which bands are weighted; None where all are weighted alike."""
        if self.weights == "none":
            return None
        with _blas().limit(limits=1, user_api="blas"):  # small matrices
            return _photon_noise(cube, bands)

    def abundances(
        self, solver: NonNegative, spectra: npt.NDArray[Any], noise: NoiseModel | None = None
    ) -> tuple[Doubles, Doubles]:  # fmt: skip
        """Return the abundances (n, k) of the solver's references in spectra (n, m), and root mean square residuals (n,)."""
        found, residual = solver.fit(spectra)
        if noise is None:
            return found, residual
        spectra = np.asarray(spectra, np.float64)
        references = solver.references
        variance = noise.variance((found @ references).astype(np.float32))
        least = 0.02 * np.maximum(variance.mean(1, keepdims=True), 1e-300)
        found = weighted_nnls(references, spectra, 1 / np.maximum(variance, least), sum_to_one=self.sum_to_one)
        return found, solver.residual(spectra, found)


@cache
def _blas() -> ThreadpoolController:
    """Return the controller of the threads of BLAS, made once: it reads which libraries are loaded."""
    return ThreadpoolController()


def _left_out(cube: Cube, bands: Bands, low: float | None, high: float | None) -> list[str]:
    """Return a remark if the references do not cover all bands."""
    wanted = window(cube.axis, low, high, least=2, what="a comparison").size
    if bands.size == wanted:
        return []
    used = cube.axis.values[bands]
    unit = f" {cube.axis.unit}" if cube.axis.unit else ""
    left = f"{wanted - bands.size} of {wanted} bands were left out, since a reference has no values there"
    return [f"{left}; used were {bands.size} bands, {used.min():g}–{used.max():g}{unit}."]


def _finished(references: Doubles, names: list[str], curves: Cube, more: tuple[str, ...], maps: dict[str, Doubles]) -> Maps:
    """Return the maps with a row for each reference, and remarks on those that are hard to distinguish."""
    table, notes = similarities(references, names)
    for row, values in zip(table, maps.values(), strict=False):
        row["mean"] = float(np.nanmean(values))
    return Maps(maps, curves, table, (*notes, *more))


def similarities(references: Doubles, names: list[str]) -> tuple[list[Row], tuple[str, ...]]:
    """Return a row for each reference, and remarks on those that are hard to distinguish.

    Parameters
    ----------
    references : ndarray of shape (k, m)

    Returns
    -------
    table : list of dict
        ``nearest`` reference, their ``angle`` in degrees and ``correlation``, the ``error`` that noise of size one in each band leaves
        in the abundance, and the ``condition`` number of all references, each scaled to norm one.
    notes : tuple of str
    """
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    singular = np.linalg.svd(unit, compute_uv=False)
    condition = float(singular[0] / singular[-1]) if singular[-1] > 1e-15 * singular[0] else float("inf")
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(references @ references.T, hermitian=True)), 0))
    cosine = np.clip(unit @ unit.T, -1, 1)
    rows: list[Row] = []
    notes, pairs = [], list[set[int]]()
    for number, name in enumerate(names):
        row: Row = {"component": name, "nearest": None, "angle": None, "correlation": None}
        if len(names) > 1:
            others = cosine[number].copy()
            others[number] = -2
            near = int(others.argmax())
            angle = float(np.degrees(np.arccos(cosine[number, near])))
            pair = references[[number, near]] - references[[number, near]].mean(1, keepdims=True)
            length = np.linalg.norm(pair, axis=1).prod()
            row |= {"nearest": names[near], "angle": angle, "correlation": float(pair[0] @ pair[1] / length) if length > 0 else None}
            if angle < SIMILAR and {number, near} not in pairs:
                pairs.append({number, near})
                notes.append(f"{name} and {names[near]} are hard to distinguish: their spectra differ by an angle of {angle:.1f}°.")
        rows.append(row | {"error": float(errors[number]), "condition": condition})
    return rows, tuple(notes)


def pairwise_angles(references: Doubles, names: list[str]) -> list[Row]:
    """Return a row for each reference (k, m) with its spectral angle to each of the others, in degrees."""
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1)))
    return [
        {"angle (°)": name} | {other: None if other == name else float(angle) for other, angle in zip(names, row, strict=True)}
        for name, row in zip(names, angles, strict=True)
    ]


def _photon_noise(cube: Cube, bands: Bands) -> NoiseModel | None:
    found = noise_model(seen(cube)[..., bands])
    return found if found.counting else None


def _distinct(names: list[str]) -> list[str]:
    return [f"{name} (reference)" if name == "residual" else name for name in names]
