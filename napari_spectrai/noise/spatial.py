"""Noise that pixels of an image share: stripes along its columns or rows, and the correlation of neighbouring pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spectrai.cube import FloatArray
from napari_spectrai.noise.anscombe import Doubles
from napari_spectrai.noise.components import leading, noise_of_bands
from napari_spectrai.noise.correlation import CERTAIN, symmetric_kernel

REACH = 3
"""Largest distance in pixels over which noise is taken to be correlated, apart from stripes."""
SIDE = 8
"""Smallest height and width of an image of which this is estimated."""
BANDS = 5
"""Smallest number of bands: with fewer, what a band does not share with the others may be signal."""
PER_BAND = 4
"""Smallest number of pixels for each band; of wider spectra, evenly spread bands are examined."""


@dataclass(frozen=True, slots=True)
class SpatialNoise:
    """How the noise of an image is shared by its pixels.

    Attributes
    ----------
    columns, rows : float
        Share of the variance that is the same in all pixels of a column, or of a row, but differs from band to band.
    down, across : ndarray of shape (2 * k + 1,) or None
        White noise convolved with it along y, or x, is correlated like the rest; None: not correlated.
    level : float
        Standard deviation of all noise (RMS over the bands).
    """

    columns: float
    rows: float
    down: Doubles | None
    across: Doubles | None
    level: float

    @property
    def correlation(self) -> float:
        """Correlation of the noise of neighbouring pixels: mean of that along y and along x."""
        near = [0.0 if kernel is None else float(kernel[1:] @ kernel[:-1]) for kernel in (self.down, self.across)]
        return (self.columns + self.rows + (1 - self.columns - self.rows) * sum(near)) / 2

    def inflation(self, height: int, width: int) -> float:
        """Return the variance of the mean over an image relative to that for independent pixels."""
        near = np.prod([kernel.sum() ** 2 for kernel in (self.down, self.across) if kernel is not None])
        return float(self.columns * height + self.rows * width + (1 - self.columns - self.rows) * near)

    def spread(self) -> float:
        """Return the sum of squared correlations with all other pixels, apart from stripes: the loss of independent pixels."""
        kernels = [kernel for kernel in (self.down, self.across) if kernel is not None]
        return float(np.prod([np.square(np.correlate(kernel, kernel, "full")).sum() for kernel in kernels]))

    def __str__(self) -> str:
        shares = [f"{of} share {100 * share:.0f} %" for share, of in ((self.columns, "columns"), (self.rows, "rows")) if share]
        stripes = f"Pixels of {' and of '.join(shares)} of the variance of the noise (stripes)." if shares else ""
        near = "The noise of neighbouring pixels is correlated." if self.down is not None or self.across is not None else ""
        return " ".join(part for part in (stripes, near) if part)


def spatial_noise(image: FloatArray) -> SpatialNoise | None:
    """Return how the noise of an image is shared by its pixels; None if it is independent from pixel to pixel, or cannot be estimated.

    Noise is what a band does not share with the others. The signal's components are those above the noise in the image from which the
    means of columns and rows are subtracted, so that stripes are not among them; what lies outside these components is noise.

    Parameters
    ----------
    image : ndarray of shape (y, x, L)
        Without NaN.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.random((30, 40, 2)) @ rng.random((2, 50))
    >>> stripes = 0.1 * rng.normal(size=(1, 40, 50))
    >>> found = spatial_noise(signal + stripes + 0.1 * rng.normal(size=signal.shape))
    >>> print(found)
    Pixels of columns share 50 % of the variance of the noise (stripes).
    """
    found = _examined(image, 1.0)
    if found is None or (found.down is None and found.across is None):
        return found
    # more components seem to be above correlated noise than are
    return _examined(image, found.spread()) or found


def _examined(image: FloatArray, spread: float) -> SpatialNoise | None:
    """Return what is found if the eigenvalues of the noise are spread as those of fewer pixels, by the factor `spread`."""
    height, width, bands = image.shape
    seen = min(bands, int(height * width / spread) // PER_BAND)
    if min(height, width) < SIDE or seen < BANDS:
        return None
    image = image[..., np.linspace(0, bands - 1, seen).round().astype(int)].astype(np.float64)
    image = image[..., image.std((0, 1)) > 0]
    if image.shape[-1] < BANDS:
        return None
    rest, scale = _outside_signal(image - image.mean((0, 1)), spread)
    within = rest - rest.mean(0) - rest.mean(1, keepdims=True) + rest.mean((0, 1))
    variance = np.square(rest).mean((0, 1))
    if not (np.square(within).mean((0, 1)) > 0).all():  # columns and rows explain everything
        return None
    columns, rows = (_stripes(part) for part in (rest, rest.swapaxes(0, 1)))
    along_y, along_x = (_correlations(part) for part in (within, within.swapaxes(0, 1)))
    if max(columns, rows, along_y[1], along_x[1]) < CERTAIN:
        return None
    columns, rows = (share if share >= CERTAIN else 0.0 for share in (columns, rows))
    if columns + rows > 1:
        columns, rows = columns / (columns + rows), rows / (columns + rows)
    kernels = [symmetric_kernel(part) if part[1] >= CERTAIN else None for part in (along_y, along_x)]
    return SpatialNoise(columns, rows, kernels[0], kernels[1], float(np.sqrt((variance * np.square(scale)).mean())))


def _outside_signal(image: Doubles, spread: float) -> tuple[Doubles, Doubles]:
    """Return an image (y, x, L) without the components of its signal, and the factors (L,) by which its noise is in the image's unit."""
    bands = image.shape[-1]
    flat = (image - image.mean(0) - image.mean(1, keepdims=True)).reshape(-1, bands)
    independent = len(flat) / spread
    scale = np.maximum(noise_of_bands(flat), 1e-9 * max(float(np.abs(flat).max()), 1e-30))
    scale *= np.sqrt((1 - (bands - 1) / len(flat)) / (1 - (bands - 1) / independent))  # the others explain more of correlated noise
    _, vectors, _, above = leading(flat / scale, independent)
    signal = vectors[:, : min(above, bands // 2)]
    left = np.eye(bands) - signal @ signal.T
    free = np.maximum(np.diagonal(left), 1e-6)  # the share of a band's noise that lies outside
    return (image / scale) @ left, scale / np.sqrt(free)


def _stripes(rest: Doubles) -> float:
    """Return the share of the variance that is the same along y, by differences between neighbours along x: signal varies slowly."""
    height, width = rest.shape[:2]
    means = rest.mean(0)
    alone = np.square(rest - means).sum((0, 1)) / ((height - 1) * width)
    shared = np.square(np.diff(means, axis=0)).mean(0) / 2 - alone / height
    return float(np.median(shared / np.square(rest).mean((0, 1))))


def _correlations(within: Doubles) -> Doubles:
    """Return the correlation at distances along y up to `REACH`, with what the subtracted means take; medians over the bands."""
    height = len(within)
    variance = np.square(within).mean((0, 1))
    found = [float(np.median((within[k:] * within[: height - k]).mean((0, 1)) / variance)) + 1 / height for k in range(1, REACH + 1)]
    return np.array([1.0, *found])
