"""Whether the rows of two sets of spectra belong together: a table that was sorted or shuffled alone pairs different samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.valid import ignored

ROWS = 1024
"""Largest number of spectra that are compared, evenly spread."""
LEAST_ROWS = 20
"""Smallest number of spectra that are compared."""
LEAST_BANDS = 4
"""Smallest number of bands whose differences say something of the shape of a spectrum."""
COMPONENTS = 3
"""Number of principal components that are compared."""
ORDERS = 199
"""Number of random orders that the given one is compared with."""
SAME_KIND = 0.6
"""Smallest correlation of the components of two sets that vary alike."""

Floats = npt.NDArray[np.float64]


def in_another_order(cube: Cube, truth: Cube, name: str, other: str) -> str:
    """Return a sentence if a set of spectra varies as its truth does, but not in the same rows; empty if their order agrees.

    Parameters
    ----------
    cube, truth : Cube
        Sets of spectra, (n, L).
    name, other : str
        Of the truth and of the input.
    """
    few = len(cube.data) < LEAST_ROWS or len(cube.axis) < LEAST_BANDS
    if few or len(cube.data) != len(truth.data) or len(cube.axis) != len(truth.axis):
        return ""
    step = max(1, -(-len(cube.data) // ROWS))
    source, target = (_shapes(one, step) for one in (cube, truth))
    known = np.isfinite(source).all(-1) & np.isfinite(target).all(-1)
    if known.sum() < LEAST_ROWS:
        return ""
    source, target = source[known], target[known]
    source, target = source - source.mean(0), target - target.mean(0)
    axes, own = _loadings(target), _loadings(source)
    if not axes.shape[1] or not own.shape[1] or np.linalg.norm(own.T @ axes[:, 0]) < SAME_KIND:
        return ""
    rng, scores = np.random.default_rng(0), target @ axes[:, 0]
    by = np.linalg.qr(source @ np.concatenate([own, axes], 1))[0]  # of the input along its own components and along those of the truth
    here = _explained(scores, by)
    elsewhere = max(_explained(rng.permutation(scores), by) for _ in range(ORDERS))
    if here > elsewhere:
        return ""
    return (
        f"Spectra of {name} are not more similar to those of {other} in the same row (correlation {here**0.5:.2f}) than in other rows: "
        "unless all of them show the same, the rows are in another order. Check which spectra belong together."
    )


def _shapes(cube: Cube, step: int) -> Floats:
    """Return differences of neighbouring groups of bands, relative to their size: intensity and slow backgrounds may differ."""
    values = np.asarray(cube.data[::step], np.float64)
    if (value := ignored(cube)) is not None:
        values[values == value] = np.nan
    width = max(1, values.shape[1] // 100)
    groups = values[:, : values.shape[1] // width * width].reshape(len(values), -1, width).mean(-1)
    steps = np.diff(groups, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(steps / np.sqrt((steps**2).sum(-1, keepdims=True)))


def _loadings(centred: Floats) -> Floats:
    """Return the leading principal components (L, K)."""
    strength, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, ::-1][:, : min(COMPONENTS, int((strength > 1e-9 * max(float(strength[-1]), 1e-300)).sum()))]


def _explained(values: Floats, by: Floats) -> float:
    """Return which fraction of the variance of centred values (n,) orthonormal scores (n, K) explain."""
    return float(np.sum((by.T @ values) ** 2) / (values @ values))
