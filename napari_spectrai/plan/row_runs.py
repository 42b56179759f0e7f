"""Runs of similar spectra that nobody named, such as the fields, slides or days of a set, seen from the order of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

COMPONENTS = 10
"""Largest number of principal components that are examined."""
ROWS = 2_000
"""Number of rows from which the components are computed."""
ORDERS = 999
"""Largest number of random orders of the rows that the given order is compared with; fewer for many rows, which vary less."""
SHARE = 0.3
"""Fraction of the variance of a component within classes that must lie between distant rows, not between neighbouring ones."""
LEAST = 3
"""Smallest number of rows of a run."""
FEW = 6
"""Smallest number of rows of a class in which runs can be seen."""
KEPT = 0.75
"""Fraction of the differences of neighbouring rows that are taken for those within runs."""
ERROR = 0.01
"""Probability of a change that is found in rows without any."""
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def runs_of_rows(spectra: npt.NDArray[Any], classes: Numbers) -> Numbers | None:
    """Return the run of each spectrum (n,), from 0, where the rows of a class come in runs of similar ones; None where they do not.

    Parameters
    ----------
    spectra : ndarray of shape (n, L), finite
        In the order of the rows.
    classes : int array of shape (n,)

    Notes
    -----
    Neighbouring rows of a class (in the principal components within classes) must be more similar than in each of up to `ORDERS` random
    orders (the ratio of von Neumann 1941, doi:10.1214/aoms/1177731677, in a permutation test), and have less of the variance of a
    component by `SHARE` or more. Runs end where the mean changes (binary segmentation,
    with the covariance of neighbouring differences).
    """
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    scores = _scores(spectra[order], starts)
    if not scores.shape[1] or not _is_serial(scores, starts):
        return None
    white = _whitened(scores, starts)
    limit = _limit(white.shape[1], len(white))
    begins = np.zeros(len(white), bool)
    begins[starts] = True
    for start, stop in zip(starts, [*starts[1:], len(white)], strict=True):
        begins[_changes(white, int(start), int(stop), limit)] = True
    if begins.sum() == len(starts):
        return None
    runs = np.empty(len(classes), np.int64)
    runs[order] = np.cumsum(begins) - 1
    return runs


def _scores(spectra: npt.NDArray[Any], starts: Numbers) -> Floats:
    """Return standardised scores (n, K) of the principal components within classes, which start at `starts`."""
    sizes = np.diff([*starts, len(spectra)])
    values = np.asarray(spectra, np.float64)
    values = values - np.repeat(np.add.reduceat(values, starts) / sizes[:, None], sizes, axis=0)
    some = values[np.linspace(0, len(values) - 1, min(len(values), ROWS)).astype(int)]
    count = min(COMPONENTS, (len(values) - len(starts)) // 3, values.shape[1])
    if count < 1:
        return np.empty((len(values), 0))
    small = some.shape[0] < some.shape[1]
    found, vectors = np.linalg.eigh(some @ some.T if small else some.T @ some)
    chosen = np.argsort(found)[::-1][:count]
    chosen = chosen[found[chosen] > 1e-9 * max(found.max(), np.finfo(np.float64).tiny)]
    axes = some.T @ vectors[:, chosen] if small else vectors[:, chosen]
    scores = values @ axes
    return np.asarray(scores / np.maximum(scores.std(0), np.finfo(np.float64).tiny))


def _is_serial(scores: Floats, starts: Numbers) -> bool:
    """Whether neighbouring rows of a class are more similar than in any random order of its rows."""
    within = np.ones(len(scores) - 1, bool)
    within[starts[1:] - 1] = False
    sizes = np.diff([*starts, len(scores)])
    owner = np.repeat(np.arange(len(starts)), sizes)

    def excess(values: Floats) -> Floats:
        return np.asarray(1 - 0.5 * np.square(np.diff(values, axis=0)[within]).mean(0) / expected)

    # the mean square of half the difference of two rows of a class, by their number of neighbours
    centred = scores - (np.add.reduceat(scores, starts) / sizes[:, None])[owner]
    spread = np.add.reduceat(np.square(centred), starts) / np.maximum(sizes - 1, 1)[:, None]
    if not within.any():
        return False
    expected = np.maximum((spread * (sizes - 1)[:, None]).sum(0) / (sizes - 1).sum(), np.finfo(np.float64).tiny)
    found = excess(scores)
    if found.max() < SHARE:
        return False
    total = np.square(found.clip(0)).sum()
    rng = np.random.default_rng(0)
    orders = max(99, min(ORDERS, 10**6 // len(scores)))
    shuffled = (scores[np.lexsort((rng.random(len(scores)), owner))] for _ in range(orders))
    return all(np.square(excess(one).clip(0)).sum() < total for one in shuffled)


def _whitened(scores: Floats, starts: Numbers) -> Floats:
    """Return scores in units of the differences of neighbouring rows, without the largest ones, which are those between runs."""
    from scipy.stats import chi2

    within = np.ones(len(scores) - 1, bool)
    within[starts[1:] - 1] = False
    steps = np.diff(scores, axis=0)[within] / np.sqrt(2)
    count = steps.shape[1]
    kept = np.ones(len(steps), bool)
    number = max(count + 1, round(KEPT * len(steps)))
    share = number / len(steps)
    factor = share / chi2.cdf(chi2.ppf(share, count), count + 2) if share < 1 else 1.0
    whitening = np.eye(count)
    for _ in range(5):
        covariance = steps[kept].T @ steps[kept] / kept.sum() * (factor if not kept.all() else 1.0)
        values, vectors = np.linalg.eigh(covariance)
        whitening = vectors / np.sqrt(np.maximum(values, 1e-12 * values.max()))
        length = np.square(steps @ whitening).sum(1)
        kept = np.zeros(len(steps), bool)
        kept[np.argsort(length)[:number]] = True
    return np.asarray(scores @ whitening)


def _limit(components: int, rows: int) -> float:
    """Return the gain above which a change of the mean is found (Laurent & Massart 2000, doi:10.1214/aos/1015957395)."""
    x = np.log(rows / ERROR)
    return float(components + 2 * np.sqrt(components * x) + 2 * x)


def _changes(white: Floats, start: int, stop: int, limit: float) -> list[int]:
    """Return the rows before which the mean changes, between two rows, by binary segmentation."""
    if stop - start < max(FEW, 2 * LEAST):
        return []
    values = white[start:stop]
    sums, count = np.cumsum(values, 0), len(values)
    left = np.arange(LEAST, count - LEAST + 1)
    gain = np.square(sums[left - 1] * (count / left)[:, None] - sums[-1]).sum(1) * left / (count - left) / count
    best = int(gain.argmax())
    if gain[best] <= limit:
        return []
    middle = start + int(left[best])
    return [*_changes(white, start, middle, limit), middle, *_changes(white, middle, stop, limit)]
