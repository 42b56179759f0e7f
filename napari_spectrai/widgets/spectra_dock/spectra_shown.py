"""Conversion of intensities and bad bands for the plot of the Spectra dock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.preparation.normalise import Normalise


def as_shown(values: npt.NDArray[np.float32], positions: npt.NDArray[np.float64], show: str) -> npt.NDArray[np.float32]:
    """Convert intensities for display; NaN stays NaN and is ignored.

    Parameters
    ----------
    show : ``"raw"``, a normalisation, or ``"first"`` and ``"second"`` for derivatives per unit of the positions
    """
    if show == "raw":
        return values
    if show in ("first", "second"):
        shown = values.astype(np.float64)
        for _ in range(2 if show == "second" else 1):
            with np.errstate(divide="ignore", invalid="ignore"):
                shown = np.gradient(shown, positions) if len(shown) > 1 else shown * 0
        return np.where(np.isfinite(shown), shown, np.nan).astype(np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    offset, scale = Normalise(by=show).factors(finite)
    scaled: npt.NDArray[np.float32] = (values - offset) / (scale + (scale == 0))
    return scaled


def runs(positions: npt.NDArray[np.float64], bands: Sequence[int]) -> list[tuple[float, float]]:
    """Return the ranges of the axis covered by runs of bands; each band extends half way to its neighbours."""
    ranges: list[tuple[float, float]] = []
    edges = np.concatenate([[positions[0]], (positions[1:] + positions[:-1]) / 2, [positions[-1]]])
    for band in sorted(bands):
        if 0 <= band < len(positions):
            low, high = sorted((float(edges[band]), float(edges[band + 1])))
            if ranges and low <= ranges[-1][1] and high >= ranges[-1][0]:
                low, high = min(low, ranges[-1][0]), max(high, ranges[-1][1])
                ranges.pop()
            ranges.append((low, high))
    return ranges


PEAKS = 8
"""Largest number of peaks labelled in a curve."""
_PROMINENT = 0.05
"""Least prominence of a labelled peak, as a share of the range of its curve."""


def peaks_of(positions: npt.NDArray[np.float64], values: npt.NDArray[Any], most: int = PEAKS) -> list[tuple[float, float]]:
    """Return position and height of the most prominent peaks of a curve, by position; a gap of NaN ends a peak."""
    from scipy.signal import find_peaks

    known = np.isfinite(values)
    if known.sum() < 3:
        return []
    spread = float(np.ptp(values[known]))
    filled = np.where(known, values, values[known].min())
    found, about = find_peaks(filled, prominence=max(_PROMINENT * spread, 1e-300))
    chosen = sorted(found[np.argsort(-about["prominences"], kind="stable")[:most]], key=lambda one: positions[one])
    return [(float(positions[one]), float(values[one])) for one in chosen]
