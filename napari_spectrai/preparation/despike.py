"""Cosmic rays and other spikes: detection, counting and removal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.sample_rows import seen, with_data_only
from napari_spectrai.preparation.spikes.context import SEVERAL, Doubles, Explanation, FoundSpikes, Integers, Mask, alone
from napari_spectrai.preparation.spikes.spike_report import Spikes
from napari_spectrai.preparation.step import LEARNT, NeighbourStep
from napari_spectrai.spec import Spec
from napari_spectrai.valid import with_ignored_missing

_AT_ONCE = 2**21
"""Number of values searched at a time."""
_LEARNT_FROM = 2**21
"""Largest number of values that statistics are estimated from."""
_SPECTRA = 4096
"""Largest number of spectra that statistics are estimated from."""

_SAME = 1e-4
"""Relative difference of intensities up to which a peak is one of those to keep: they are written with as many digits, or more."""


class Learnt(Spec):
    """Statistics of a set of spectra, as plain numbers; see `Explanation`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    basis: tuple[tuple[float, ...], ...]
    levels: tuple[float, ...]
    growth: tuple[float, ...]
    line: float | None
    lines: tuple[int, ...]
    isolated: bool
    several: int = SEVERAL

    @classmethod
    def of(cls, known: Explanation) -> Self:
        """Convert arrays to plain numbers."""
        plain = {name: getattr(known, name).tolist() for name in ("mean", "scale", "basis", "levels", "growth")}
        line = None if np.isnan(known.line) else known.line
        return cls(**plain, line=line, lines=tuple(np.flatnonzero(known.lines).tolist()), isolated=known.isolated, several=known.several)

    def explanation(self) -> Explanation:
        """Convert them to arrays."""
        bands = len(self.mean)
        return Explanation(
            mean=np.array(self.mean), scale=np.array(self.scale), basis=np.array(self.basis).reshape(-1, bands),
            levels=np.array(self.levels), growth=np.array(self.growth), line=np.nan if self.line is None else self.line,
            lines=np.isin(np.arange(bands), self.lines), isolated=self.isolated, several=self.several,
        )  # fmt: skip


class Despike(NeighbourStep):
    """Remove cosmic rays: peaks of a few bands that other spectra, the surrounding bands and neighbouring pixels do not explain.

    The statistics of the spectra are estimated from themselves: the directions in which they vary (selected by how well they predict
    a band from the others), the noise of each band and its dependence on intensity, and the width of the narrowest lines. A spike is
    `threshold` standard deviations above the value predicted from the rest of its spectrum, covers at most `width` bands, and is
    isolated: a rise of neighbouring pixels at the same bands confirms a peak, unless these pixels lie along one row or column, as does the
    track of a particle through the detector of a line scan, and the rise is narrower than any line. Bands at which several spectra rise
    more often than spikes would by chance are lines of a rare substance, as are peaks with feet that are not narrower than lines. In a
    model, which has single spectra, everything applies except the comparison with neighbours. Spectra without statistics (fewer than
    eight) are compared with themselves: a spike is narrower than their other lines.

    A spike is replaced by the predicted values. Only positive peaks are spikes, and of these all except those in `keep`. Spectra with NaN
    are left unchanged.

    The residual of a band predicted from the others follows Cook & Weisberg 1982 (Residuals and Influence in Regression);
    for spikes in Raman maps see Behrend, Tarnowski & Morris 2002 (doi:10.1366/00037020260377878) and Whitaker & Hayes 2018
    (doi:10.1016/j.chemolab.2018.06.009).
    """

    title: ClassVar = "Despike"
    group: ClassVar = "Clean"
    kind: Literal["despike"] = "despike"
    threshold: float = Field(
        6.5, gt=0, description="height above which a peak is a spike, in standard deviations of the noise; lower values find more"
    )
    width: int = Field(3, ge=1, le=20, title="Largest width (bands)", description="largest number of bands that a spike covers")
    keep: tuple[tuple[float, float], ...] = Field(
        (),
        title="Peaks to keep",
        description="peaks that are no spikes: position and intensity of each before this step, [[1001, 950.5], …]",
    )
    learnt: Learnt | None = Field(None, description="statistics of the spectra; estimated from the data if empty", json_schema_extra=LEARNT)
    margin: ClassVar[int] = 1

    @property
    def is_fitted(self) -> bool:
        """Whether the statistics are known."""
        return self.learnt is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Estimate the statistics of spectra; those with NaN are ignored."""
        from napari_spectrai.preparation.spikes.spectra_statistics import learn

        if self.is_fitted:
            return self
        grid, bands = spectra.shape[:-1], spectra.shape[-1]
        flat = spectra.reshape(-1, bands)
        good = np.flatnonzero(np.isfinite(flat).all(-1))
        most = min(_SPECTRA, max(1, _LEARNT_FROM // bands))
        if good.size > most:
            good = good[np.linspace(0, good.size - 1, most).astype(np.intp)]
        place = None if len(grid) < 2 else np.stack([good // grid[-1], good % grid[-1]])
        return self.model_copy(update={"learnt": Learnt.of(learn(flat[good].astype(np.float64), self.threshold, self.width, place))})

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return despiked spectra; each is examined without its neighbours."""
        result = np.array(spectra)
        for found in self._found(result.reshape(-1, spectra.shape[-1]), axis):
            _subtract(found, result)
        return result, axis

    def across(self, cube: Cube) -> Cube:
        """Return the despiked image."""
        return self.across_own(cube.with_data(np.array(cube.data, np.float32)))

    def across_own(self, cube: Cube) -> Cube:
        """Despike an image in place, and return it."""
        for found in self._found(cube.data, cube.axis):
            _subtract(found, cube.data)
        return cube

    def findings(self, cube: Cube) -> Spikes:
        """Return the spikes of a cube, after estimating the statistics of its spectra if they are unknown."""
        source = with_ignored_missing(cube)
        step = self if self.is_fitted else self.fitted(with_data_only(seen(source)), source.axis)
        data = source.numpy()
        parts = list(step._found(data, cube.axis))  # noqa: SLF001  # of the same class
        return Spikes.of(FoundSpikes.joined(parts) if parts else None, data, cube.axis)

    def kept(self, found: Spikes) -> Mask:
        """Return which spikes of a search without `keep` are peaks to keep, of shape (c,)."""
        return self._kept(found.intensity, found.band, found.axis)

    def _found(self, spectra: FloatArray, axis: SpectralAxis) -> Iterator[FoundSpikes]:
        """Yield the spikes of spectra (..., y, x, L) or (n, L), block by block; all blocks are searched before any spike is removed."""
        from napari_spectrai.preparation.spikes.search import Search

        bands = spectra.shape[-1]
        known = alone(bands) if self.learnt is None else self.learnt.explanation()
        if len(known.mean) != bands:
            raise ValueError(f"{self.title!r} was fitted on {len(known.mean)} bands, but the cube has {bands}; fit it to this cube")
        if bands < 4:
            return
        search = Search(known, self.threshold, self.width)
        image = spectra.ndim > 2
        rows = spectra.reshape(-1, *spectra.shape[-3:]) if image else spectra.reshape(1, -1, 1, bands)
        _, height, length, _ = rows.shape
        margin = self.margin if image else 0
        at_once = max(1, _AT_ONCE // (length * bands))
        parts = []
        for plane, whole in enumerate(rows):
            for start in range(0, height, at_once):
                first, stop = max(0, start - margin), min(height, start + at_once)
                part = whole[first : min(height, stop + margin)]
                flat = part.reshape(-1, bands)
                bad = ~np.isfinite(flat).all(-1)
                if bad.any():
                    flat = np.where(bad[:, None], known.mean, flat)
                found = search.find(flat, part.shape[:2] if image else None)
                row = found.spectrum // length + first
                kept = self._kept(flat[found.spectrum, found.peak], found.peak, axis)
                found = found.only((row >= start) & (row < stop) & ~bad[found.spectrum] & ~kept)
                parts.append(replace(found, spectrum=found.spectrum + (plane * height + first) * length))
        yield from parts

    def _kept(self, intensity: Doubles, band: Integers, axis: SpectralAxis) -> Mask:
        """Return which peaks, of an intensity at a band, are among those to keep."""
        kept = np.zeros(len(band), bool)
        for position, height in self.keep:
            kept |= (band == np.abs(axis.values - position).argmin()) & (np.abs(intensity - height) <= _SAME * abs(height))
        return kept


def _subtract(found: FoundSpikes, spectra: FloatArray) -> None:
    """Subtract spikes from spectra (..., L) in place, whatever their order in memory."""
    spectra = np.atleast_2d(spectra)  # a view
    entry, offset = np.nonzero(found.height)
    pixel = np.unravel_index(found.spectrum[entry], spectra.shape[:-1])
    np.subtract.at(spectra, (*pixel, found.start[entry] + offset), found.height[entry, offset].astype(spectra.dtype))


def find_spikes(cube: Cube, step: Despike | None = None) -> Spikes:
    """Return the spikes that a step would remove from a cube, with their positions and heights.

    Parameters
    ----------
    cube : Cube, array or layer
        An image, whose neighbouring pixels are compared, or a set of spectra. It is read into memory.
    step : Despike, optional
        Its threshold, width and fitted statistics; default: ``Despike()``, which estimates them from the cube.

    Returns
    -------
    Spikes
        ``str(found)`` is "37 spikes in 21 spectra".
    """
    from napari_spectrai.conversion import as_cube

    return (Despike() if step is None else step).findings(as_cube(cube))
