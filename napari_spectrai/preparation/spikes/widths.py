"""Widths of lines in spectra, in bands."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from napari_spectrai.preparation.spikes.context import Doubles

_PEAKED = 10.0
"""Minimum height of a line whose width is measured, in noise standard deviations."""
_TALL = 0.03
"""Minimum height of a line whose width is measured, relative to the range of its spectrum."""
_REACH = 8
"""Number of bands from the top of a line within which its foot is searched."""
SAMPLED = 2.4
"""Default equivalent width of a line if none can be measured: slightly more than two bands at half height."""
SINGLE = 1.5
"""Equivalent width, in bands, below which a peak cannot be a line of a spectrometer: a single band."""


def line_widths(spectra: Doubles, noise: Doubles) -> Doubles:
    """Return the equivalent width (area by height, in bands) of the line at each band of spectra (n, L); NaN where there is none.

    A line is a maximum well above the straight line between the lowest bands on either side.
    """
    bands = spectra.shape[-1]
    padded = np.pad(spectra, ((0, 0), (_REACH, _REACH)), constant_values=np.inf)
    around = sliding_window_view(padded, 2 * _REACH + 1, axis=-1)
    band = np.arange(bands)
    left, right = around[..., _REACH::-1].argmin(-1), around[..., _REACH:].argmin(-1)
    low, high = band - left, band + right
    from_, to = np.take_along_axis(spectra, low, -1), np.take_along_axis(spectra, high, -1)
    length = np.maximum(high - low, 1)
    height = spectra - from_ - (to - from_) * left / length
    area = np.zeros_like(spectra)
    for offset in range(-_REACH, _REACH + 1):
        above = around[..., _REACH + offset] - from_ - (to - from_) * (left + offset) / length
        area += np.where((offset >= -left) & (offset <= right), above, 0).clip(0)
    least = np.maximum(_PEAKED * noise, _TALL * np.ptp(spectra, axis=-1, keepdims=True))
    top = (left > 0) & (right > 0) & (height > least) & (spectra >= around[..., _REACH - 1 : _REACH + 2].max(-1))
    top[:, [0, -1]] = False
    return np.where(top, area / np.where(top, height, 1), np.nan)
