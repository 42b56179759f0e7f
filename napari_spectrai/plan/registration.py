"""Whether an image and its truth show the same place: a displaced, mirrored or exchanged truth teaches a network what is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.valid import ignored

SIDE = 128
"""Largest side of the part of two images that is compared, in pixels of the input."""
REACH = 12
"""Largest displacement that is looked for, in pixels of the input."""
LEAST_SIDE = 12
"""Smallest side of images that are compared."""
COMPONENTS = 3
"""Number of principal components in which images are compared."""
ITERATIONS = 10
"""Number of steps in which they are computed."""
FITTED = 4096
"""Largest number of pixels from which components are computed."""
SMOOTH = 0.1
"""Smallest correlation of neighbouring pixels of an image that shows something."""
LEAST_FIT = 0.02
"""Smallest fraction of the variance of one image that the other has to explain for a displacement to be known."""
BETTER = 0.97
"""Largest ratio of what is not explained where a truth is displaced to what is not explained where it lies."""
SURE = 3.5
"""Smallest certainty that this is so in most blocks of pixels, in standard deviations."""
BLOCKS = 8
"""Number of these blocks along a side."""
BY_MORE = 0.2
"""Smallest fraction of the variance that a mirrored truth, or another one, has to explain in addition."""
UNLIKE = 0.5
"""Fraction of the variance that a truth which shows the same place usually explains."""
CLEARLY = 1.3
"""Ratio of what a displaced truth explains to what is explained by chance from which on it is known to be displaced."""
RARE = 0.99
"""Fraction of arbitrary displacements in which images fit less well than by chance."""
MIDDLE_STEPS = 4
"""Largest number of displacements within a pixel of the input that are tried for a finer truth."""
Floats = npt.NDArray[np.float64]

_TURNS: tuple[tuple[str, str, Callable[[Floats], Floats]], ...] = (
    ("upside down", "truth[..., ::-1, :, :]", lambda image: image[::-1]),
    ("mirrored left to right", "truth[..., ::-1, :]", lambda image: image[:, ::-1]),
    ("turned by 180°", "truth[..., ::-1, ::-1, :]", lambda image: image[::-1, ::-1]),
    ("transposed (y and x exchanged)", "as_cube(truth.numpy().swapaxes(-3, -2), axis=truth.axis)", lambda image: image.swapaxes(0, 1)),
    (
        "turned by a quarter",
        "as_cube(truth.numpy().swapaxes(-3, -2)[..., ::-1, :], axis=truth.axis)",
        lambda image: image.swapaxes(0, 1)[:, ::-1],
    ),
    (
        "turned by a quarter",
        "as_cube(truth.numpy().swapaxes(-3, -2)[..., ::-1, :, :], axis=truth.axis)",
        lambda image: image.swapaxes(0, 1)[::-1],
    ),
    (
        "transposed and turned by 180°",
        "as_cube(truth.numpy().swapaxes(-3, -2)[..., ::-1, ::-1, :], axis=truth.axis)",
        lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    ),
)


@dataclass(frozen=True, slots=True)
class View:
    """The leading principal components (y, x, K) of a part of an image, without its quadratic trend, and the finer ones of a truth."""

    image: Floats
    fine: Floats
    loadings: npt.NDArray[np.float32]


def misplaced(cube: Cube, truth: Cube, times: int, name: str, other: str, others: Sequence[tuple[str, Cube]] = ()) -> str:
    """Return a sentence if a truth fits its input better where it does not lie, or not at all; empty if it fits.

    Only the middle of the middle plane is read.

    Parameters
    ----------
    cube, truth : Cube
        Images; the truth has `times` as many pixels along each side.
    times : int
    name, other : str
        Of the truth and of the input.
    others : sequence of (str, Cube)
        Truths of other inputs, with their names.
    """
    compared = _compared(cube, truth, times)
    if compared is None:
        return ""
    source, target = compared
    fits = _fits(source.image, target.image)
    here, chance = float(fits[0, 0]), _by_chance(fits, target.image)
    moved = _moved(source.image, target, times)
    if moved is not None and moved[3] > min(UNLIKE, CLEARLY * chance):
        y, x, before, after = moved
        step = f"preprocess(truth, [{{'kind': 'shift', 'y': {y}, 'x': {x}}}]), or the step 'Shift pixels' of Preprocess"
        return (
            f"{name} fits {other} better (correlation {after**0.5:.2f}, now {before**0.5:.2f}) when it is moved by {_by(y, x)}: they "
            f"seem to be displaced. Register them first: {step}."
        )
    for words, code, turn in _TURNS:
        turned = turn(target.image)
        if turned.shape[:2] == source.image.shape[:2] and (fit := float(_fits(source.image, turned)[0, 0])) > here + BY_MORE:
            return f"{name} fits {other} better (correlation {fit**0.5:.2f}, now {here**0.5:.2f}) {words}. Turn it first: truth = {code}."
    if here >= UNLIKE:
        return ""
    exchanged = _exchanged(source.image, [(known, _view(one, times)) for known, one in others], here)
    if exchanged or here > chance:
        return exchanged and f"{name} does not show the same as {other} (correlation {here**0.5:.2f}), but {exchanged}"
    return (
        f"{name} is not more similar to {other} (correlation {here**0.5:.2f}) than when it is displaced at random: they seem not to show "
        "the same place. Check which truth belongs to which input."
    )


def _exchanged(source: Floats, others: Sequence[tuple[str, View | None]], here: float) -> str:
    """Return the end of a sentence on another truth that shows the same as an image; empty if there is none."""
    for name, found in others:
        if found is not None and found.image.shape[:2] == source.shape[:2]:
            fits = _fits(source, found.image)
            if (fit := float(fits[0, 0])) > here + BY_MORE and fit > _by_chance(fits, found.image):
                return f"{name} does ({fit**0.5:.2f}): pairs seem to be mixed up. Give inputs and truths in the same order."
    return ""


def _by(y: int, x: int) -> str:
    """Return a displacement in words."""
    parts = [(abs(y), "down" if y > 0 else "up"), (abs(x), "to the right" if x > 0 else "to the left")]
    return " and ".join(f"{size} {'pixel' if size == 1 else 'pixels'} {way}" for size, way in parts if size)


# ---------------------------------------------------------------- what is compared


def _compared(cube: Cube, truth: Cube, times: int) -> tuple[View, View] | None:
    """Return what is compared of an input and its truth; None if that is little, or noise, as of a homogeneous sample."""
    target = _view(truth, times)
    source = None if target is None else _view(cube, 1, target.loadings)
    if source is None or target is None or source.image.shape[:2] != target.image.shape[:2]:
        return None
    least = max(SMOOTH, 4 / source.image[..., 0].size ** 0.5)
    return (source, target) if min(_smoothness(source.image), _smoothness(target.image)) >= least else None


def _view(cube: Cube, times: int, loadings: npt.NDArray[np.float32] | None = None) -> View | None:
    """Return what is compared of the middle of an image, `times` pixels averaged to one; None if it is small or constant.

    `loadings` of another image with the same bands, which may have less noise, are used, too.
    """
    sides = [length // times for length in cube.shape[-3:-1]]
    if min(sides) < LEAST_SIDE:
        return None
    lengths = [min(side, SIDE) for side in sides]
    starts = [(side - length) // 2 * times for side, length in zip(sides, lengths, strict=True)]
    middle = tuple(length // 2 for length in cube.shape[:-3])
    given = np.asarray(cube.data[(*middle, *(slice(s, s + n * times) for s, n in zip(starts, lengths, strict=True)))])
    known = np.isfinite(given).all(-1) & ((given != ignored(cube)).all(-1) if ignored(cube) is not None else True)
    if known.mean() < 0.5:
        return None
    part = (given / (float(np.abs(given[known]).max()) or 1.0)).astype(np.float32)  # squares of intensities are taken
    flat = part.reshape(-1, part.shape[-1])
    few = flat[known.ravel()]
    few = few[:: -(-len(few) // FITTED)]
    centre = few.mean(0, dtype=np.float64).astype(np.float32)
    few = few - centre
    kept = _leading((few.T @ few).astype(np.float64))
    if not kept.shape[1]:
        return None
    both = kept.astype(np.float32)
    if loadings is not None and len(loadings) == len(both):
        both = np.concatenate([both, loadings], 1)
    fine = ((flat - centre) @ both).astype(np.float64).reshape(*part.shape[:2], -1)
    fine[~known] = 0
    fine -= _trend(fine)
    fine[~known] = 0
    if len(both.T) > COMPONENTS and _smoothness(fine[..., kept.shape[1] :]) > _smoothness(fine):
        fine = np.roll(fine, -kept.shape[1], -1)
    return View(_averaged(fine, times), fine, kept.astype(np.float32))


def _leading(products: Floats) -> Floats:
    """Return the leading eigenvectors (L, K) of a symmetric matrix, by subspace iteration; fewer than `COMPONENTS` if its rank is lower."""
    axes = np.random.default_rng(0).standard_normal((len(products), min(2 * COMPONENTS, len(products))))
    for _ in range(ITERATIONS):
        axes = np.linalg.qr(products @ axes)[0]
    strength, turn = np.linalg.eigh(axes.T @ products @ axes)
    order = [k for k in np.argsort(strength)[::-1][:COMPONENTS] if strength[k] > 1e-6 * max(float(strength.max()), 1e-300)]
    return np.asarray(axes @ turn[:, order])


def _averaged(fine: Floats, times: int) -> Floats:
    height, width = (length // times for length in fine.shape[:2])
    return np.asarray(fine.reshape(height, times, width, times, -1).mean((1, 3))) if times > 1 else fine


def _trend(image: Floats) -> Floats:
    """Return the quadratic surface fitted to each component: illumination has no place."""
    y, x = (np.linspace(-1, 1, length) for length in image.shape[:2])
    rows, columns = np.meshgrid(y, x, indexing="ij")
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, rows * columns, columns**2], -1).reshape(-1, 6)
    return np.asarray(terms @ np.linalg.lstsq(terms.T @ terms, terms.T @ image.reshape(len(terms), -1), rcond=None)[0]).reshape(image.shape)


def _smoothness(image: Floats) -> float:
    """Return the smaller correlation of neighbouring pixels in the first component, along either side."""
    first = image[..., 0]
    pairs = ((first[1:], first[:-1]), (first[:, 1:], first[:, :-1]))
    return float(min(np.corrcoef(one.ravel(), other.ravel())[0, 1] if one.std() and other.std() else 0 for one, other in pairs))


# ---------------------------------------------------------------- how well they fit


def _explained(fixed: Floats, moving: Floats, reach: int) -> Floats:
    """Return which fraction of the first component of the middle of `fixed` is explained by `moving`, by displacement.

    Element (reach + y, reach + x) belongs to the pixels of `moving` that lie y below and x to the right of those of `fixed`: always the
    same pixels of `fixed` are explained.
    """
    from scipy.signal import correlate

    height, width = fixed.shape[0] - 2 * reach, fixed.shape[1] - 2 * reach
    inner = fixed[reach : reach + height, reach : reach + width, 0]
    inner = inner - inner.mean()
    moving = moving / max(float(np.abs(moving).max()), 1e-300)
    across = np.stack([correlate(image, inner, "valid", method="fft") for image in np.moveaxis(moving, -1, 0)], -1)
    sums = _windows(moving, height, width)
    squares = _windows(moving[..., :, None] * moving[..., None, :], height, width)
    squares -= sums[..., :, None] * sums[..., None, :] / inner.size
    squares += np.eye(moving.shape[-1]) * (1e-9 * np.trace(squares, axis1=-2, axis2=-1)[..., None, None] + 1e-300)
    weights = np.linalg.solve(squares, across[..., None])[..., 0]
    explained: Floats = np.clip((weights * across).sum(-1) / max(float((inner**2).sum()), 1e-300), 0.0, 1.0)
    return explained


def _windows(image: Floats, height: int, width: int) -> Floats:
    """Return the sums of all windows of an image."""
    total = np.zeros((image.shape[0] + 1, image.shape[1] + 1, *image.shape[2:]))
    total[1:, 1:] = image.cumsum(0).cumsum(1)
    return np.asarray(total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width])


def _fits(source: Floats, target: Floats) -> Floats:
    """Return the fraction of the variance of the first component of one image that the other explains, if it is rotated by (y, x).

    Of both directions, that which fits better where they lie is returned.
    """
    spectra = [np.fft.rfft2(image, axes=(0, 1)) for image in (source, target)]
    found = []
    for fixed, moving, image in ((0, 1, target), (1, 0, source)):
        flat = image.reshape(-1, image.shape[-1])
        strength, axes = np.linalg.eigh(flat.T @ flat)
        known = strength > 1e-9 * max(float(strength[-1]), 1e-300)
        kept = axes[:, known] / np.sqrt(strength[known])
        one = spectra[fixed][..., :1]
        products = np.fft.irfft2(one * np.conj(spectra[moving] @ kept), source.shape[:2], axes=(0, 1))
        total = float(((source, target)[fixed][..., 0] ** 2).sum())
        found.append((products**2).sum(-1) / max(total, 1e-300))
    return max(found, key=lambda fits: float(fits[0, 0]))


def _by_chance(fits: Floats, target: Floats) -> float:
    """Return how well images fit by chance: if one of them is rotated far, to places where it differs from itself; 0 if it never does."""
    itself = _fits(target[..., :1], target[..., :1])
    far = tuple(slice(length // 4, length - length // 4) for length in fits.shape)
    places = itself[far] < 0.5  # else a period of it
    return float(np.quantile(fits[far][places], RARE)) if places.mean() > 0.25 else 0.0


# ---------------------------------------------------------------- displacements


def _moved(source: Floats, target: View, times: int) -> tuple[int, int, float, float] | None:
    """Return by how many of its pixels a truth has to be moved (y, x), and what is explained now and then; None if it lies right."""
    reach = min(REACH, min(source.shape[:2]) // 4)
    explains = _explained(source, target.image, reach), _explained(target.image, source, reach)
    explains_source = explains[0].max() >= explains[1].max()  # the image with less noise explains the other one
    here = float(explains[0 if explains_source else 1][reach, reach])
    step, best = -(-times // MIDDLE_STEPS), (0.0, 0, 0, target.image)
    for down, right in [(y, x) for y in range(0, times, step) for x in range(0, times, step)]:
        truth = target.image if (down, right) == (0, 0) else _averaged(np.roll(target.fine, (-down, -right), (0, 1)), times)
        fits = _explained(source, truth, reach) if explains_source else _explained(truth, source, reach)[::-1, ::-1]
        y, x = (int(n) - reach for n in np.unravel_index(int(np.argmax(fits)), fits.shape))
        if float(fits[reach + y, reach + x]) > best[0]:
            best = (float(fits[reach + y, reach + x]), y * times + down, x * times + right, truth)
    fit, down, right, truth = best
    y, x = down // times, right // times
    if (down, right) == (0, 0) or fit < LEAST_FIT or 1 - fit > BETTER * (1 - here) or max(abs(y), abs(x)) >= reach:
        return None
    if explains_source:
        before, after = _residual(source, target.image, reach, 0, 0), _residual(source, truth, reach, y, x)
    else:
        before, after = _residual(target.image, source, reach, 0, 0), _residual(truth, source, reach, -y, -x)
    return (-down, -right, here, fit) if _certainty(before - after) >= SURE else None


def _residual(fixed: Floats, moving: Floats, reach: int, y: int, x: int) -> Floats:
    """Return the squared differences of the middle of `fixed` from what `moving` explains of it, relative to its variance."""
    height, width = fixed.shape[0] - 2 * reach, fixed.shape[1] - 2 * reach
    inner = fixed[reach : reach + height, reach : reach + width, 0]
    window = moving[reach + y : reach + y + height, reach + x : reach + x + width].reshape(inner.size, -1)
    wanted, window = inner.ravel() - inner.mean(), window - window.mean(0)
    rest = wanted - window @ np.linalg.lstsq(window, wanted, rcond=None)[0]
    return np.asarray((rest**2 / max(float((wanted**2).mean()), 1e-300)).reshape(height, width))


def _certainty(gains: Floats) -> float:
    """Return how surely gains (y, x) are positive: the signed-rank statistic of blocks of pixels, in standard deviations."""
    parts = [np.array_split(rows, min(BLOCKS, gains.shape[1]), 1) for rows in np.array_split(gains, min(BLOCKS, gains.shape[0]), 0)]
    means = np.array([part.mean() for row in parts for part in row])
    ranks, count = np.argsort(np.argsort(np.abs(means))) + 1, len(means)
    return float((ranks * np.sign(means)).sum() / np.sqrt(count * (count + 1) * (2 * count + 1) / 6))
