"""Spectra that belong together although nobody named their groups (repeats of a sample, runs of similar rows), and folds of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Split
from napari_spectrai.labels import in_short
from napari_spectrai.plan.folds import Folds, folds_of, validates
from napari_spectrai.plan.repeats import MOST
from napari_spectrai.plan.replicates import replicate_groups, said
from napari_spectrai.plan.row_runs import runs_of_rows
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Spectra of a set that belong together.

    Attributes
    ----------
    numbers : int array of shape (z, y, x)
        The group of each spectrum, from 0; -1 for those that were not examined.
    words : str
        What they have in common, and that they are held out as a whole, in sentences.
    is_runs : bool
        Whether they are runs of neighbouring rows.
    """

    numbers: Numbers
    words: str
    is_runs: bool = False

    def divided(self, held: npt.NDArray[np.bool_], taught: npt.NDArray[np.bool_]) -> int:
        """Return how many of the spectra that are held out belong to a group of which others are learnt."""
        examined = self.numbers >= 0
        return int(np.isin(self.numbers[held & examined], self.numbers[taught & examined]).sum())


def unnamed_groups(cubes: Sequence[Cube], maps: Sequence[Map], marked: Sequence[Numbers], names: Sequence[str]) -> list[Unnamed]:
    """Return groups of a single set of spectra, the best description first; empty if there are none, or for other data.

    Parameters
    ----------
    maps : arrays of shape (z, y, x)
        The part of each spectrum; unused ones are not examined.
    marked : arrays of these shapes, or empty
        The class of each spectrum, from 1; 0 without one.
    names : sequence of str
        Names of the classes.
    """
    if len(cubes) > 1 or cubes[0].is_image or not (isinstance(cubes[0].data, np.ndarray) or cubes[0].size <= MOST):
        return []
    shape = maps[0].shape
    used = ((maps[0] != UNUSED) & (marked[0] > 0 if marked else True)).ravel()
    spectra = np.asarray(cubes[0].data).reshape(-1, len(cubes[0].axis))
    used &= np.isfinite(spectra).all(-1)
    if not used.any():
        return []
    classes = marked[0].ravel()[used] if marked else np.zeros(int(used.sum()), np.int64)
    spectra = spectra[used]
    repeats = replicate_groups(spectra, classes) if marked else None
    runs = runs_of_rows(spectra, classes)

    def mapped(groups: Numbers) -> Numbers:
        whole = np.full(used.shape, -1, np.int64)
        whole[used] = groups
        return whole.reshape(shape)

    if repeats is None:
        return [] if runs is None else [Unnamed(mapped(runs), _said(runs, classes, names), is_runs=True)]
    found = [repeats] if runs is None else [_joined(repeats, runs), repeats]
    return [Unnamed(mapped(one), said(one)) for one in found]


def unnamed_folds(
    cubes: Sequence[Cube], base: Sequence[Map], split: Split, marked: Sequence[Numbers], names: Sequence[str]
) -> tuple[Folds, str] | None:
    """Return folds in which repeats, or runs of similar rows, are held out as a whole, and a sentence; None if there are none.

    Parameters
    ----------
    cubes, marked, names : as for `unnamed_groups`
    base, split : as for `folds.folds_of`
    """
    for unnamed in unnamed_groups(cubes, base, marked, names):
        kept = [np.where(unnamed.numbers < 0, UNUSED, base[0]).astype(np.uint8)]
        groups, runs = (None, [unnamed.numbers]) if unnamed.is_runs else ([unnamed.numbers], None)
        try:
            found = folds_of(kept, split, classes=marked or None, groups=groups, runs=runs)
        except ValueError:  # all belong to one group
            continue
        if not marked or validates(found, marked):
            shared = unnamed.divided(base[0] == TEST, found.numbers[0] >= 0)
            tested = f" Of the test part, {shared:,} spectra belong to such groups as well: its score is too optimistic." if shared else ""
            return found, unnamed.words + tested
    return None


def validated_by_their_own(cubes: Sequence[Cube], maps: Sequence[Map], marked: Sequence[Numbers], names: Sequence[str]) -> str:
    """Return a sentence on held-out spectra of which repeats, or spectra of the same run, are learnt; empty if there are none."""
    for unnamed in unnamed_groups(cubes, maps, marked, names)[:1]:
        count = unnamed.divided(np.isin(maps[0], (VALIDATION, TEST)), maps[0] == TRAINING)
        if count:
            what = "of a run of similar rows (a field, slide or day) that is" if unnamed.is_runs else "repeats of spectra that are"
            return (
                f"{count:,} held-out spectra seem to be {what} learnt, so that scores may be too optimistic for others; set "
                "split.folds=5 to hold out each as a whole, or name what belongs together (data.groups, metadata['groups'])."
            )
    return ""


def _joined(first: Numbers, second: Numbers) -> Numbers:
    """Return the smallest groups that contain whole groups of both."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    offset = int(first.max()) + 1
    size = offset + int(second.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second + offset)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][first], np.int64)


def _said(runs: Numbers, classes: Numbers, names: Sequence[str]) -> str:
    """Return a sentence on runs that are held out together, and on classes in which none ends."""
    single = [one for one in np.unique(classes) if len(np.unique(runs[classes == one])) == 1]
    of, within, other = ("Rows of a class", "the same class", "stratified") if names else ("Rows", "the set", "random")
    words = (
        f"{of} come in {len(np.unique(runs)):,} runs of spectra that are more similar than those of other runs of {within}, as those of a "
        "field, slide or day are. Each run is held out as a whole, so that the scores are for spectra from elsewhere. Name what belongs "
        f"together (data.groups, metadata['groups']); if the rows are independent and only sorted, set split.method={other}."
    )
    if single and names:
        shown = in_short([names[one - 1] for one in single])
        words += f" No run ends within {shown}: if all its spectra are from one field, its score holds for that field only."
    return words
