"""Estimation of the statistics of a set of spectra: directions of variation, noise, and narrowest lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from napari_spectrai.preparation.spikes.context import (
    SEVERAL,
    Doubles,
    Explanation,
    FoundSpikes,
    Integers,
    Mask,
    alone,
    median,
    quantiles,
)
from napari_spectrai.preparation.spikes.search import Search
from napari_spectrai.preparation.spikes.widths import SAMPLED, line_widths

_FEW = 8
"""Minimum number of spectra for common statistics."""
_FOLDS = 4
_RANKS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_AROUND = 6
"""Number of bands to either side over which the noise is smoothed."""
_SUPPORT = 3.0
"""Minimum number of spectra, by participation ratio, that share a direction."""
_TAIL, _TAIL_NORMAL = 0.997, 2.97
"""Quantile of deviations at which the noise must match a normal distribution, and its value there."""
_COST = 2.0
"""Number of bands whose deviation an additional direction must reduce to a third."""
_CLIPPED = 10.0
"""Standard deviations at which features of single spectra are clipped before directions are estimated."""
_TINY = 2e-6
"""Lower limit of the noise relative to the largest value: the precision of float32."""
_COMMON = 0.02
"""Fraction of spectra with an unexplained line, known by its feet, above which others without visible feet are lines as well."""
_MANY = 0.25
"""Fraction of spectra with a peak as wide as lines above which such peaks are part of the data, whatever their shape."""
_MOST = 0.5
"""Fraction of spectra with spikes above which they are part of the data and not spikes."""
_LINES = 4
"""Minimum number of spectra that share an unexplained line, if that line alone shows that there are any."""
_OFTEN, _CHANCE = 3.0, 0.01
"""How many times more spikes than by chance must share their band for these to be lines, and the probability of as many by chance."""
_PROVISIONAL = 2**19
"""Largest number of values from which the dependence of noise on intensity is estimated while spikes are still among them."""


def learn(spectra: Doubles, threshold: float, width: int, place: Integers | None = None) -> Explanation:
    """Estimate the statistics of spectra (n, L) without NaN.

    Directions are estimated from other spectra than those they are tested on, and twice: the second time without the spikes
    found the first time.

    Parameters
    ----------
    place : ndarray of shape (2, n), optional
        Row and column of each spectrum in an image.
    """
    count, bands = spectra.shape
    if count < _FEW or bands < 4:
        return alone(bands)
    fold = (np.arange(count) * _FOLDS * 2 // count) % _FOLDS
    sides = _sides(count, place)
    clean = _clipped(spectra, width)
    # the same for all bands at first: at lines, differences of bands are not noise
    scale = _floored(np.full(bands, np.median(_deviation(np.diff(clean, 2, axis=-1))) / 6**0.5), spectra)
    for _ in range(2):
        rank = _rank(clean, fold == 0, scale)
        parts = []
        for number in range(_FOLDS):
            mine = np.flatnonzero(fold == number)
            known = _explanation(clean[fold != number], scale, rank, _PROVISIONAL)
            found = Search(known, threshold, width).find(spectra[mine], classify=False)
            parts.append(replace(found, spectrum=mine[found.spectrum]))
        found = FoundSpikes.joined(parts)
        clean = found.only(~_lines(found, bands, sides)[found.peak]).removed_from(spectra)
        scale = _floored(scale * _deviation(_left(clean, scale, _directions((clean - clean.mean(0)) / scale, rank))), spectra)
    known = _explanation(clean, scale, rank)
    known = replace(known, line=_line(clean, known))
    search = Search(known, threshold, width)
    found = search.find(spectra, classify=False)
    lines = _lines(found, bands, sides)
    found = found.only(~lines[found.peak])
    if np.unique(found.spectrum).size > _MOST * count:
        lines[:] = True
    doubtful = np.unique(found.spectrum[search.wide(found)]).size
    footed = np.unique(found.spectrum[~search.narrow(found) & ~search.wide(found)]).size
    # spectra that need the largest number of directions have none in common
    common = rank == _ranks(int((fold != 0).sum()), bands)[-1] or doubtful > _MANY * count or footed > max(1, _COMMON * count, doubtful)
    return replace(known, lines=lines, isolated=not common, several=_several(found.spectrum[~search.narrow(found)], count))


def _several(spectrum: Integers, count: int) -> int:
    """Return how many spikes as wide as lines one of `count` spectra may have by chance, given the spectrum of each of these."""
    rate = -np.log(1 - min(max(np.unique(spectrum).size, 1) / count, _MOST))
    return int(min(SEVERAL, max(1, _exceeded(_CHANCE / count, rate))))


def _deviation(values: Doubles) -> Doubles:
    """Return a robust standard deviation over the first axis; for quantised values, whose median may be 0, from the mean."""
    size = np.abs(values).T
    middle = median(size) / 0.6745
    return np.where(middle > 0, middle, size.mean(-1) * 1.2533)


def _floored(scale: Doubles, spectra: Doubles) -> Doubles:
    """Return noise that is nowhere far below that of the surrounding bands, as it is where a resampled axis meets the original."""
    from scipy.ndimage import median_filter

    return np.maximum(
        np.maximum(scale, 0.8 * median_filter(scale, 2 * _AROUND + 1, mode="nearest")),
        _TINY * float(np.abs(spectra).max()) + np.finfo(np.float64).tiny,
    )


def _clipped(spectra: Doubles, width: int) -> Doubles:
    """Return spectra whose narrow peaks are clipped to the range of the other spectra."""
    from scipy.ndimage import median_filter

    rise = spectra - median_filter(spectra, (1, 2 * width + 3), mode="nearest")
    middle = median(rise.T)
    return spectra - np.maximum(rise - middle - _CLIPPED * _deviation(rise - middle), 0)


def _directions(centred: Doubles, rank: int) -> Doubles:
    """Return orthonormal directions (rank, L) of the largest variance."""
    from scipy.linalg import eigh

    count, bands = centred.shape
    if rank == 0:
        return np.zeros((0, bands))
    tall = count >= bands
    gram = centred.T @ centred if tall else centred @ centred.T
    _, vectors = eigh(gram, subset_by_index=(len(gram) - rank, len(gram) - 1))
    basis = vectors.T[::-1] if tall else np.linalg.qr(centred.T @ vectors[:, ::-1])[0].T
    # a direction of very few spectra is a spike of one of them
    share = (centred @ basis.T) ** 2
    part = share.sum(0) ** 2 / np.maximum((share**2).sum(0), np.finfo(np.float64).tiny)
    return np.asarray(basis[part > min(_SUPPORT, count / 6)])


def _ranks(count: int, bands: int) -> list[int]:
    return [rank for rank in _RANKS if rank <= min(count, bands) // 3]


def _rank(clean: Doubles, held: Mask, scale: Doubles) -> int:
    """Return the number of directions that best predict the bands of held-out spectra from their other bands."""
    mean = clean[~held].mean(0)
    inside, outside = ((clean[part] - mean) / scale for part in (held, ~held))
    ranks = _ranks(len(outside), clean.shape[1])
    basis = _directions(outside, ranks[-1])
    least = _floored(np.zeros_like(scale), clean) / scale
    scores = []
    for rank in ranks:
        some = basis[:rank]
        off = (inside - inside @ some.T @ some) / np.maximum(1 - (some**2).sum(0), 1e-3)
        scores.append(np.log(np.maximum(quantiles(np.abs(off).T, 0.5, 0.9), least)).mean())
    # with noise correlated between bands every additional direction improves slightly; a line improves much
    costs = np.array(scores) + _COST * np.array(ranks) / clean.shape[1]
    return ranks[int(costs.argmin())]


def _left(clean: Doubles, scale: Doubles, basis: Doubles) -> Doubles:
    """Return the residual outside the directions fitted to the same spectra, scaled to that of other spectra."""
    scaled = (clean - clean.mean(0)) / scale
    return np.asarray((scaled - scaled @ basis.T @ basis) / np.sqrt(np.maximum(1 - (basis**2).sum(0), 1e-3)))


def _explanation(clean: Doubles, scale: Doubles, rank: int, values: int | None = None) -> Explanation:
    """Return the directions of spectra, and the dependence of their noise on the predicted intensity, which as many values show."""
    mean = clean.mean(0)
    basis = _directions((clean - mean) / scale, rank)
    least = _floored(np.zeros_like(scale), clean) / scale
    known = replace(alone(clean.shape[1]), mean=mean, scale=scale, basis=basis)
    some = clean if values is None else clean[:: max(1, clean.size // values)]
    outside = known.outside(some)
    residual = outside / np.sqrt(np.maximum(1 - (basis**2).sum(0), 1e-3))
    predicted = (some - residual * scale).ravel()
    residual = residual.ravel()
    order = np.argsort(predicted)
    shares = np.concatenate([np.linspace(0, 0.95, 20), [0.98, 0.99, 0.995, 0.998, 1]])
    ends = np.unique((shares * order.size).astype(int))
    pieces = [order[a:b] for a, b in pairwise(ends) if b - a >= 100] or [order]
    levels = np.array([median(predicted[piece]) for piece in pieces])
    growth = np.array([float(_deviation(residual[piece])) for piece in pieces])
    known = replace(known, levels=levels, growth=np.maximum(growth, least.max()))
    del predicted
    # low counts have a long tail
    size = np.abs(residual / known.noise(some, outside).ravel())
    tails = [float(quantiles(size[piece], _TAIL)[0]) / _TAIL_NORMAL for piece in pieces]
    return replace(known, growth=known.growth * np.maximum(tails, 1))


def _exceeded(probability: float, mean: float) -> float:
    """Return the count that a Poisson variable exceeds with at most this probability, as the slow `scipy.stats.poisson.isf`."""
    from scipy.special import pdtr, pdtrik

    most = float(np.ceil(pdtrik(1 - probability, mean)))
    below = max(most - 1, 0.0)
    return below if pdtr(below, mean) >= 1 - probability else most


def _sides(count: int, place: Integers | None) -> list[Integers]:
    """Return what has to differ between spectra for them to count as several: a ray along a row of pixels is one.

    In strips, whose rows or columns are too few to be counted, and in sets, each spectrum counts.
    """
    counted = place is not None and min(np.unique(side).size for side in place) >= 2 * _LINES
    return list(place) if counted else [np.arange(count)]  # type: ignore[arg-type]


def _lines(found: FoundSpikes, bands: int, sides: Sequence[Integers]) -> Mask:
    """Return the bands at which more spectra rise than by chance, or by one ray along a row of pixels.

    Spikes are uniform over the bands, while a line rises at the same band in every spectrum of its substance. Several lines of
    which each is found in two or three spectra only are recognised by their number.
    """
    from scipy.special import gammaln, pdtrc, xlogy

    rises = np.zeros(bands)
    keys = [side[found.spectrum] for side in sides]
    for band in np.unique(found.peak):
        near = np.abs(found.peak - band) <= 1
        rises[band] = min(np.unique(key[near]).size for key in keys)
    # the number of bands without any determines the rate of spikes, whatever lines there are
    none = np.mean(np.bincount(found.peak, minlength=bands) == 0)
    chance = max(float(np.median(rises)), -3 * np.log(max(none, 1 / bands)))
    least = max(_LINES, 1 + _exceeded(1e-4 / bands, chance))
    single = np.flatnonzero(np.bincount(found.peak, minlength=bands))
    single = single[np.diff(single, prepend=-bands) > 1]
    for count in range(2, int(least)):
        observed = np.sum(rises[single] == count)
        expected = bands / 3 * np.exp(xlogy(count, chance) - chance - gammaln(count + 1))
        if observed > max(1, _OFTEN * expected) and pdtrc(observed - 1, expected) < _CHANCE:
            least = count
            break
    return np.asarray(rises >= least)


def _line(clean: Doubles, known: Explanation) -> float:
    """Return the equivalent width of the narrowest lines of a set: those of its mean, or of a fifth of its spectra."""
    some = clean[:: max(1, len(clean) // 500)]
    noise = known.residual(some)[1] * known.scale
    mean = line_widths(clean.mean(0)[None], np.median(noise, axis=0)[None] / 4)
    each = np.fmin.reduce(line_widths(some, noise), axis=-1)
    narrowest = np.append(np.quantile(np.nan_to_num(each, nan=np.inf), 0.2, method="lower"), mean[np.isfinite(mean)])
    line = float(narrowest.min())
    return line if np.isfinite(line) else SAMPLED
