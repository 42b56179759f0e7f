"""Cross-validation folds: samples that may leak stay together, and held-out pixels are as far from training pixels as those to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Experiment, Split
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.plan.fold_distances import (
    best_gap,
    clusterings,
    held_out_distances,
    nearest,
    not_validated,
    positions,
    quantile_distance,
)
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map

FOLDS = 5
"""Default number of folds."""
MOST_MEASURED = 5_000
"""Largest number of pixels to predict whose distances are measured."""
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Folds:
    """Assignment of samples to cross-validation folds.

    Attributes
    ----------
    numbers : list of int arrays of shape (z, y, x)
        The fold of each sample in each cube, from 0; -1 for pixels that are not used.
    units : list of int arrays of the same shapes
        Units held out together (a file, a group, a patch of pixels): scores vary between units, and intervals are computed over them.
    count : int
    gap : float
        Training pixels closer than this to a held-out one, in pixels, are left out of that fold.
    away : list of float arrays of the same shapes, or empty
        The distance of each held-out pixel from the nearest training pixel of its fold; empty for sets of spectra and several files.
    ahead : float array (m,)
        Distances of pixels to predict from the nearest label; empty if there are none, or if they are unknown.
    words : str
        Description of the folds, in one sentence.
    """

    numbers: list[Numbers]
    units: list[Numbers]
    count: int
    gap: float = 0.0
    away: list[Floats] = field(default_factory=list)
    ahead: Floats = field(default_factory=lambda: np.empty(0))
    words: str = ""

    @property
    def reached(self) -> float:
        """Fraction of the pixels to predict that are as close to a label as held-out pixels are to the training pixels of their fold."""
        if not len(self.ahead) or not self.away:
            return 1.0
        known = np.concatenate([a[np.isfinite(a)] for a in self.away])
        return float((self.ahead <= np.quantile(known, 0.95)).mean()) if len(known) else 0.0

    def maps(self, fold: int, base: Sequence[Map]) -> list[Map]:
        """Return the maps of one fold: its samples for validation, the others for training, and the test part unchanged."""
        made = []
        for numbers, whole in zip(self.numbers, base, strict=True):
            chosen = np.where(numbers < 0, UNUSED, TRAINING).astype(np.uint8)
            chosen[numbers == fold] = VALIDATION
            if self.gap and (numbers == fold).any():
                chosen[(chosen == TRAINING) & (_distance_to(numbers == fold) <= self.gap)] = UNUSED
            chosen[whole == TEST] = TEST
            made.append(chosen)
        return made


def is_cross_validated(experiment: Experiment) -> bool:
    """Whether an experiment is trained by cross-validation: its network is ``automatic`` and there is a truth, or its split has folds."""
    chooses = isinstance(experiment.network, Automatic) and not experiment.task.self_supervised
    return chooses or experiment.split.folds > 0


def folds_of(
    base: Sequence[Map],
    split: Split,
    *,
    classes: Sequence[Numbers] | None = None,
    groups: Sequence[Numbers] | None = None,
    predicted: Sequence[npt.NDArray[np.bool_]] | None = None,
    runs: Sequence[Numbers] | None = None,
    by_file: bool = False,
) -> Folds:
    """Divide the pixels outside the test part into folds.

    Parameters
    ----------
    base : maps of shape (z, y, x)
        Pixels that can be used (`TRAINING`, `VALIDATION`) and pixels of the test part.
    split : Split
        ``folds`` (0: five), ``method`` and ``seed``.
    classes : arrays of the same shapes, optional
        The class of each pixel, from 1; 0 for pixels without a class, which are not used.
    groups : arrays of the same shapes, optional
        Group of each pixel; groups stay together.
    predicted : bool arrays of the same shapes, optional
        Pixels that the model will be applied to; default: all pixels without a label.
    runs : arrays of the same shapes, optional
        Runs of neighbouring rows of a set, which stay together; from `row_runs.runs_of_rows`.
    by_file : bool
        Whether each cube stays whole.

    Raises
    ------
    ValueError
        If there are not enough samples to hold any out.

    Notes
    -----
    In a single image, folds are clusters of the labelled pixels, chosen so that the distances from held-out to training pixels have
    the same distribution as those from the pixels to predict to the labelled ones (Linnenbrink et al. 2024,
    doi:10.5194/gmd-17-5897-2024, after Milà et al. 2022, doi:10.1111/2041-210X.13851). If clusters alone are not far enough apart, a
    gap is left around held-out pixels.
    """
    used = [np.isin(m, (TRAINING, VALIDATION)) for m in base]
    if classes is not None:
        used = [u & (c > 0) for u, c in zip(used, classes, strict=True)]
    total = sum(int(u.sum()) for u in used)
    count = split.folds or FOLDS
    if total < 2:
        there = f"there {'is' if total == 1 else 'are'} {total}"
        raise ValueError(f"cross-validation needs at least 2 different samples, and {there} (equal ones count once); add or label others")
    rng = np.random.default_rng(split.seed)
    if groups is not None and split.method in ("auto", "group"):
        return _grouped(used, groups, count, classes, rng, "groups")
    if by_file and len(base) > 1 and split.method in ("auto", "file", "group"):
        files = [np.full(m.shape, number, np.int64) for number, m in enumerate(base)]
        return _grouped(used, files, count, classes, rng, "files")
    is_image = any(m.shape[2] > 1 for m in base)
    if not is_image and split.method in ("auto", "contiguous", "stratified", "blocks", "file", "group"):
        return _stretches(used, count, classes, runs)
    if split.method in ("random", "stratified"):
        return _at_random(used, count, classes, rng)
    return _matched(used, count, classes, predicted, rng)


def validates(folds: Folds, classes: Sequence[Numbers]) -> bool:
    """Whether at least one class (numbers from 1) is in two folds, so that one is for training and the other for scoring."""
    held = np.concatenate([np.stack([c[n >= 0], n[n >= 0]], -1) for c, n in zip(classes, folds.numbers, strict=True)])
    pairs = np.unique(held, axis=0)
    return bool((np.unique(pairs[:, 0], return_counts=True)[1] > 1).any())


def scattered(used: Sequence[npt.NDArray[np.bool_]], values: Numbers) -> list[Numbers]:
    """Return values of all used pixels as maps, -1 elsewhere."""
    return [np.where(np.isfinite(m), m, -1).astype(np.int64) for m in spread(used, values.astype(np.float64))]


def spread(used: Sequence[npt.NDArray[np.bool_]], values: Floats) -> list[Floats]:
    """Return values of all used pixels as maps, infinite elsewhere."""
    cuts = np.cumsum([int(u.sum()) for u in used])[:-1]
    maps = []
    for u, part in zip(used, np.split(values, cuts), strict=True):
        made = np.full(u.shape, np.inf)
        made[u] = part
        maps.append(made)
    return maps


def gathered(used: Sequence[npt.NDArray[np.bool_]], maps: Sequence[npt.NDArray[np.integer[Any]]] | None) -> Numbers:
    """Return the values of all used pixels, (n,); 0 without maps."""
    if maps is None:
        return np.zeros(sum(int(u.sum()) for u in used), np.int64)
    return np.concatenate([np.asarray(m)[u] for m, u in zip(maps, used, strict=True)]).astype(np.int64)


def dealt(units: Numbers, labels: Numbers, count: int) -> Numbers:
    """Assign units to folds with similar proportions of each class: the largest units first, to the fold that lacks most of them."""
    _, units = np.unique(units, return_inverse=True)
    _, labels = np.unique(labels, return_inverse=True)
    table = np.zeros((units.max() + 1, labels.max() + 1))
    np.add.at(table, (units, labels), 1)
    count = min(count, len(table))
    shares = table / table.sum(0)
    filled = np.zeros((count, table.shape[1]))
    fold_of = np.zeros(len(table), np.int64)
    for unit in np.argsort(-shares.sum(1), kind="stable"):
        # the fold with the least deviation, then the smallest one
        after = filled[None] + np.eye(count)[:, :, None] * shares[unit]
        spread = after.std(1).mean(-1)
        best = np.flatnonzero(spread <= spread.min() + 1e-12)
        fold = best[filled.sum(1)[best].argmin()]
        fold_of[unit] = fold
        filled[fold] += shares[unit]
    result: Numbers = fold_of[units]
    return result


def _grouped(
    used: Sequence[npt.NDArray[np.bool_]], groups: Sequence[Numbers], count: int, classes: Sequence[Numbers] | None,
    rng: np.random.Generator, what: str,
) -> Folds:  # fmt: skip
    units, labels = gathered(used, groups), gathered(used, classes)
    known = len(np.unique(units))
    if known < 2:
        raise ValueError(f"cross-validation over {what} needs at least 2, and there is {known}; list more, or choose another split.method")
    count = min(count, known)
    numbers = dealt(units, labels, count)
    words = f"leave one of {known} {what} out" if count == known else f"{count} folds of {known} {what}"
    return Folds(scattered(used, numbers), scattered(used, units), int(numbers.max()) + 1, words=words)


def _stretches(
    used: Sequence[npt.NDArray[np.bool_]], count: int, classes: Sequence[Numbers] | None, runs: Sequence[Numbers] | None
) -> Folds:
    """Hold out neighbouring rows, the same fraction of each class as far as runs allow."""
    labels = gathered(used, classes)
    numbers = np.zeros(len(labels), np.int64)
    # without runs every spectrum is a unit: neighbouring rows are not assumed to belong together
    units = np.arange(len(labels)) if runs is None else gathered(used, runs)
    for value in np.unique(labels):
        places = np.flatnonzero(labels == value)
        _, members = np.unique(units[places], return_counts=True)
        if runs is not None and len(members) > 1:  # by the middle of each run
            middles = np.cumsum(members) - members / 2
            numbers[places] = np.repeat(np.int64(middles * count / len(places)), members)
        else:
            numbers[places] = np.arange(len(places)) * count // len(places) if len(places) >= count else np.arange(len(places))
    numbers = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    folds = int(numbers.max()) + 1
    if folds < 2:
        raise ValueError(f"cross-validation needs at least 2 spectra of some class, and there are {len(labels)} spectra in total; add some")
    fewer = ""
    if folds < count and runs is None:
        why = "there are only" if classes is None else "no class has more than"
        fewer = f", and not {count}: {why} {folds} {'' if classes is None else 'different '}spectra"
    what = "neighbouring spectra" if runs is None else f"{len(np.unique(units))} runs of similar neighbouring spectra"
    return Folds(scattered(used, numbers), scattered(used, units), folds, words=f"{folds} folds of {what}{fewer}")


def _at_random(used: Sequence[npt.NDArray[np.bool_]], count: int, classes: Sequence[Numbers] | None, rng: np.random.Generator) -> Folds:
    labels = gathered(used, classes)
    numbers = np.zeros(len(labels), np.int64)
    for value in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == value))
        numbers[places] = (np.arange(len(places)) + rng.integers(count)) % count
    _, numbers = np.unique(numbers, return_inverse=True)
    folds = int(numbers.max()) + 1
    if folds < 2:
        raise ValueError(f"cross-validation needs at least 2 samples, and there are {len(labels)}; add some")
    units = np.arange(len(labels))
    return Folds(scattered(used, numbers), scattered(used, units), folds, words=f"{folds} folds of single pixels at random")


def _matched(
    used: Sequence[npt.NDArray[np.bool_]], count: int, classes: Sequence[Numbers] | None,
    predicted: Sequence[npt.NDArray[np.bool_]] | None, rng: np.random.Generator,
) -> Folds:  # fmt: skip
    labels = gathered(used, classes)
    points = positions(used)
    wanted = predicted if predicted is not None else [~u for u in used]
    ahead = positions(wanted)
    if len(ahead) > MOST_MEASURED:
        ahead = ahead[rng.choice(len(ahead), MOST_MEASURED, replace=False)]
    # if all pixels have a truth, the model is for other images, which squares of this one simulate
    to_predict = nearest(ahead, points) if len(ahead) else np.full(1, np.inf)
    best: tuple[float, Numbers, Numbers] | None = None
    found = clusterings(points, count)
    for units in found if len(ahead) else found[-4:-3] or found[-1:]:
        numbers = dealt(units, labels, count)
        if numbers.max() < 1:
            continue
        away = held_out_distances(points, numbers)
        # a class in a single unit cannot be validated, which weighs more than a distance
        lost = not_validated(numbers, labels) / len(labels)
        misfit = (quantile_distance(away, to_predict) / max(1.0, float(np.median(to_predict))) if len(ahead) else 0.0) + 10 * lost
        if best is None or misfit < best[0] - 1e-9:
            best = misfit, numbers, units
    if best is None:
        raise ValueError(
            f"cross-validation needs labels in at least 2 places, and there are {len(labels)} pixels in one; label pixels elsewhere"
        )
    _, numbers, units = best
    gap = best_gap(points, numbers, labels, to_predict) if len(ahead) else 0.0
    away = held_out_distances(points, numbers, gap)
    reach = f", {gap:.0f} px apart" if gap else ""
    words = f"{int(numbers.max()) + 1} folds of {len(np.unique(units))} regions{reach}"
    if len(ahead):
        words += (
            f": held-out pixels are {np.median(away):.0f} px (median) from the training pixels, "
            f"those to predict {np.median(to_predict):.0f} px from the labels"
        )
    return Folds(
        scattered(used, numbers), scattered(used, units), int(numbers.max()) + 1, gap,
        spread(used, away),
        to_predict if len(ahead) else np.empty(0), words,
    )  # fmt: skip


def _distance_to(held: npt.NDArray[np.bool_]) -> Floats:
    """Return the distance of each pixel of (z, y, x) to the nearest held-out one of its plane."""
    from scipy.ndimage import distance_transform_edt

    return np.stack([distance_transform_edt(~plane) if plane.any() else np.full(plane.shape, np.inf) for plane in held])
