"""The spectrum under the cursor, and what the chosen kind of map makes of it: range, fit, abundances, hits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.mapping import BandMaps, ComponentMaps, LibraryMaps, MapKind, PeakMaps, UnmixMaps
from napari_spectrai.mapping.blocks import Bands, Pixels, window
from napari_spectrai.mapping.factors import PrincipalComponents
from napari_spectrai.mapping.kind import Doubles, Row
from napari_spectrai.mapping.library import Search
from napari_spectrai.mapping.nnls import NonNegative
from napari_spectrai.mapping.unmix import pairwise_angles, similarities
from napari_spectrai.noise import NoiseModel
from napari_spectrai.valid import values_of

SCREE = 12
"""Components of which the share of the variance is drawn."""
POINTS = 300
"""Points of a fitted curve."""
LEAST_SHARE = 1e-7
"""Share of the variance below which rounding is what is left."""
_LEAST_RESIDUAL = 1e-3
_SEEN = 4000
_QUANTITIES = (("position", "position"), ("height", "height"), ("FWHM", "fwhm"))


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of the plot: positions, intensities."""

    x: Doubles
    y: Doubles


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one pixel: its spectrum, what was fitted, the part of the spectrum that was, and the result in words."""

    spectrum: Curve
    fits: dict[str, Curve] = field(default_factory=dict)
    measured: Curve | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Inspector:
    """A kind of map made ready for single spectra of a cube; `of` may read files and takes a while, `at` does not.

    Attributes
    ----------
    words : remarks on the settings: which references are hard to distinguish, how much principal components explain
    scree : share of the variance of each principal component, for components
    residuals : root mean square residual with so many components, from one, as a share of that with none
    table : similarity of each pair of given spectra
    """

    cube: Cube
    kind: MapKind
    mean: Doubles
    words: str = ""
    scree: Doubles | None = None
    residuals: Doubles | None = None
    table: tuple[Row, ...] = ()
    search: Search | None = None
    solver: tuple[Bands, NonNegative, list[str], NoiseModel | None] | None = None

    @classmethod
    def of(cls, cube: Cube, kind: MapKind) -> Inspector:
        """Return the inspector of a cube by the settings of a kind.

        Raises
        ------
        ValueError
            If the settings do not fit the cube.
        """
        pixels = Pixels.of(cube, window(cube.axis, None, None))
        seen = pixels.sample(_SEEN)
        mean = np.empty(len(cube.axis))
        mean[pixels.bands] = seen.mean(0)
        if isinstance(kind, UnmixMaps):
            bands, references, names = kind.resolved(cube)
            table, notes = similarities(references, names)
            condition = f"Condition number of the references: {table[0]['condition']:.3g}."
            words, angles = "\n".join([*notes, condition]), tuple(pairwise_angles(references, names))
            solver = NonNegative(references, sum_to_one=kind.sum_to_one)
            return cls(cube, kind, mean, words, solver=(bands, solver, names, kind.noise(cube, bands)), table=angles)
        if isinstance(kind, LibraryMaps):
            search = kind.search(cube.axis)
            return cls(cube, kind, mean, "\n".join([f"{len(search.names):,} spectra.", *search.notes]), search=search)
        if isinstance(kind, ComponentMaps):
            inside = window(cube.axis, kind.low, kind.high, least=2, what="a decomposition")
            scree = PrincipalComponents.of(seen[:, np.isin(pixels.bands, inside)], 1).shares
            shown = scree[:SCREE][scree[:SCREE] > LEAST_SHARE]
            left = np.sqrt(np.maximum(1 - np.cumsum(scree), 0))[: len(shown)]
            return cls(cube, kind, mean, _explained(scree, kind.count), scree=shown, residuals=left[left > _LEAST_RESIDUAL])
        if isinstance(kind, PeakMaps):
            kind.bands(cube.axis)
        return cls(cube, kind, mean)

    def at(self, place: tuple[int, ...] | None) -> Look:
        """Return what is known of a pixel; None: of the mean spectrum."""
        axis = self.cube.axis
        if place is None:
            spectrum = self.mean
        else:
            one = self.cube[place]
            spectrum = np.asarray(values_of(one).reshape(-1), np.float64)
        order = np.argsort(axis.values, kind="stable")
        drawn = Curve(axis.values[order], spectrum[order])
        if not np.isfinite(spectrum).all():
            return Look(drawn, words="This spectrum holds missing values.")
        fits, words = self._fitted(spectrum)
        bands = self.kind.bands(axis) if isinstance(self.kind, PeakMaps) else None
        return Look(drawn, fits, None if bands is None else Curve(axis.values[bands], spectrum[bands]), words)

    def _fitted(self, spectrum: Doubles) -> tuple[dict[str, Curve], str]:
        kind, axis = self.kind, self.cube.axis
        if isinstance(kind, PeakMaps):
            x, y, values = kind.curve(spectrum, axis, POINTS)
            return {"fit": Curve(x, y)}, _peak_words(values, kind, axis.unit)
        if isinstance(kind, BandMaps) and kind.how == "area":
            bands = window(axis, kind.low, kind.high, least=2, what="an area")
            ends = bands[[0, -1]]
            return {"baseline": Curve(axis.values[ends], spectrum[ends])}, ""
        if self.solver is not None and isinstance(kind, UnmixMaps):
            bands, solver, names, noise = self.solver
            amounts, _ = kind.abundances(solver, spectrum[None, bands], noise)
            words = " · ".join(f"{name} {amount:.3g}" for name, amount in zip(names, amounts[0], strict=True))
            return {"fit": Curve(axis.values[bands], (amounts @ solver.references)[0])}, words
        if self.search is not None:
            ranked = self.search.ranked(spectrum, 5)
            return {}, "\n".join(f"{score:.3f}  {name}" for name, score in ranked)
        return {}, ""


def _peak_words(values: dict[str, float], kind: PeakMaps, unit: str) -> str:
    lines = []
    for number in range(1, kind.count + 1):
        prefix = "" if kind.count == 1 else f"peak_{number}_"
        position = values[f"{prefix}position"]
        head = f"Peak {number}: " if kind.count > 1 else ""
        if not np.isfinite(position):
            lines.append(f"{head}{'the fit failed' if values['failed'] else 'no peak above the noise'}")
            continue
        parts = [f"{name} {_with_error(values[prefix + key], values[f'{prefix}{key}_error'])}" for name, key in _QUANTITIES]
        lines.append(head + " · ".join(parts) + (f" ({unit})" if unit else ""))
    return "\n".join(lines)


def _with_error(value: float, error: float) -> str:
    if not np.isfinite(error) or error <= 0:
        return f"{value:.5g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{min(digits, 6)}f} ± {error:.{min(digits, 6)}f}"


def _explained(shares: Doubles, count: int) -> str:
    return (
        f"{count} principal components explain {shares[:count].sum():.1%} of the variance; the next one {shares[count]:.2%}. "
        f"Residual (dashed): {np.sqrt(max(1 - shares[:count].sum(), 0)):.1%} of the variation."
        if count < len(shares)
        else ""
    )
