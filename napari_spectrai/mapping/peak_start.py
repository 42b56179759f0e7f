"""Start values of peak fits: matched filters over a grid of positions and widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.mapping.lineshapes import PeakModel, profile

POSITIONS, WIDTHS = 48, 7
"""Largest size of the grid."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Candidate lines of height one.

    Attributes
    ----------
    centre, fwhm : ndarray of shape (K,)
    lines : ndarray of shape (K, m)
    across : ndarray of shape (K, m)
        The lines without what the baseline explains, each of norm one.
    baseline : ndarray of shape (terms, m)
        Orthonormal.
    """

    centre: Doubles
    fwhm: Doubles
    lines: Doubles
    across: Doubles
    baseline: Doubles

    @classmethod
    def of(cls, model: PeakModel, centres: Doubles, narrowest: float, widest: float) -> Grid:
        """Return the lines of a model at some positions, with widths in geometric steps."""
        count = WIDTHS if widest > narrowest else 1
        widths = np.geomspace(narrowest, max(widest, narrowest), count)
        centre, fwhm = (part.ravel() for part in np.meshgrid(centres, widths, indexing="ij"))
        lines = profile(model.shape, model.positions, centre, fwhm)
        terms = np.linalg.qr(model.powers.T)[0].T if len(model.powers) else np.empty((0, len(model.positions)))
        across = lines - (lines @ terms.T) @ terms
        norm = np.linalg.norm(across, axis=1, keepdims=True)
        # a line that the baseline explains is no candidate
        kept = norm[:, 0] > 1e-3 * np.linalg.norm(lines, axis=1)
        kept = kept if kept.any() else np.ones(len(norm), bool)
        return cls(centre[kept], fwhm[kept], lines[kept], (across / np.maximum(norm, 1e-300))[kept], terms)

    def best(self, spectra: Doubles, *, both_signs: bool) -> npt.NDArray[np.intp]:
        """Return the number of the line that explains most of each spectrum (n, m) besides the baseline."""
        score = spectra.astype(np.float32) @ self.across.T.astype(np.float32)
        return np.asarray((np.abs(score) if both_signs else score).argmax(1))


def start(model: PeakModel, spectra: Doubles, grids: Sequence[Grid], *, both_signs: bool) -> Doubles:
    """Return parameters (n, size) to start with: one line after the other by its matched filter, all heights refitted after each.

    Each peak has a grid of its own, by its number.

    Orthogonal matching pursuit (Pati et al. 1993, doi:10.1109/ACSSC.1993.342465).
    """
    chosen: list[npt.NDArray[np.intp]] = []
    left = spectra
    for grid in grids:
        chosen.append(grid.best(left, both_signs=both_signs))
        design = np.stack([own.lines[one] for own, one in zip(grids, chosen, strict=False)], 1)
        heights, terms = linear(design, spectra, model.powers)
        left = spectra - np.einsum("nk,nkm->nm", heights, design) - terms @ model.powers
    centre, fwhm = (np.stack([getattr(own, name)[one] for own, one in zip(grids, chosen, strict=True)], 1) for name in ("centre", "fwhm"))
    return packed(model, centre, fwhm, spectra)


def packed(model: PeakModel, centre: Doubles, fwhm: Doubles, spectra: Doubles) -> Doubles:
    """Return parameters (n, size) of peaks at positions (n, count) with widths (n, count), heights and baseline by linear least squares."""
    order = np.argsort(centre, axis=1, kind="stable")
    centre, fwhm = (np.take_along_axis(part, order, 1) for part in (centre, fwhm))
    heights, terms = linear(profile(model.shape, model.positions, centre, fwhm), spectra, model.powers)
    parameters = np.full((len(spectra), model.size), 0.5)
    for peak in range(model.count):
        first = peak * model.each
        parameters[:, first], parameters[:, first + 1], parameters[:, first + 2] = heights[:, peak], centre[:, peak], fwhm[:, peak]
    parameters[:, model.count * model.each :] = terms
    return parameters


def linear(lines: Doubles, spectra: Doubles, powers: Doubles) -> tuple[Doubles, Doubles]:
    """Return the heights (n, k) of lines (n, k, m) and the baseline's coefficients (n, terms) that fit spectra (n, m) best."""
    count = lines.shape[1]
    design = np.concatenate([lines, np.broadcast_to(powers, (len(lines), *powers.shape))], 1)
    normal = design @ design.transpose(0, 2, 1)
    number = np.arange(normal.shape[1])
    normal[:, number, number] *= 1 + 1e-8  # lines chosen twice
    solved = np.linalg.solve(normal, design @ spectra[..., None])[..., 0]
    return solved[:, :count], solved[:, count:]


def evenly(low: float, high: float, spacing: float, narrowest: float) -> Doubles:
    """Return positions of the grid from `low` to `high`, as close as the narrowest line needs, and at most as many as the grid may have."""
    step = max(spacing, narrowest / 2)
    count = int(np.clip(np.ceil((high - low) / step) + 1, 3, POSITIONS))
    return np.linspace(low, high, count)
