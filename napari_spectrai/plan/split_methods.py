"""Methods of splitting: by whole files or groups, by class, in stretches, in blocks, at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Split
from napari_spectrai.plan.split_data import block_of
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map


def by_file(
    shapes: Sequence[tuple[int, int, int]], split: Split, classes: Sequence[npt.NDArray[np.integer[Any]]] | None, *, whole: bool = False
) -> list[Map]:
    """Hold out whole files: the last ones for the test, those before them for validation.

    Parameters
    ----------
    whole : bool
        Whether each image has one class, so that no other method can be advised.

    Raises
    ------
    ValueError
        If there are too few files.
    """
    parts = np.full(len(shapes), TRAINING, np.uint8)
    held = [np.unique(c) for c in classes] if classes is not None else []
    # with one class per file, the same fraction of every class is held out
    single = bool(held) and all(len(values) == 1 for values in held)
    kinds = np.array([values[0] for values in held]) if single else np.zeros(len(shapes), int)
    for kind in np.unique(kinds):
        files = np.flatnonzero(kinds == kind)
        test = max(1, round(split.test * len(files))) if split.test else 0
        validation = max(1, round(split.validation * len(files)))
        if validation + test >= len(files):
            of = " of a class" if kinds.any() else ""
            # pixels of one file can be in different parts only if it has several
            several = not whole and min(int(np.prod(shapes[int(file)])) for file in files) > 1
            other = f", or choose split.method={'stratified' if of else 'contiguous'}" if several else ""
            raise ValueError(
                f"{len(files)} file{'s' if len(files) > 1 else ''}{of} cannot be split into training, {validation} for validation and "
                f"{test} for test; add files{other}"
            )
        parts[files[len(files) - test - validation :]] = VALIDATION
        if test:
            parts[files[-test:]] = TEST
    return [np.full(shape, part, np.uint8) for shape, part in zip(shapes, parts, strict=True)]


def by_group(
    shapes: Sequence[tuple[int, int, int]], split: Split, groups: Sequence[npt.NDArray[np.integer[Any]]] | None, rng: np.random.Generator,
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None = None, draws: int = 1,
) -> tuple[list[Map], bool]:  # fmt: skip
    """Hold out whole groups, drawn at random, at most `draws` times, until each class is learnt and each part has labels.

    Negative numbers are of spectra without a group, which are unused.

    Returns
    -------
    maps : list of maps
    found : bool
        Whether each class is learnt, and each part has labels.

    Raises
    ------
    ValueError
        If there are no groups, or too few.
    """
    if groups is None:
        raise ValueError("a split by group needs groups; list one for each input in data.groups, or choose another split.method")
    flat = np.concatenate([g.ravel() for g in groups])
    known = np.unique(flat[flat >= 0])
    test = max(1, round(split.test * len(known))) if split.test else 0
    validation = max(1, round(split.validation * len(known)))
    if validation + test >= len(known):
        raise ValueError(
            f"{len(known)} group{'s' if len(known) > 1 else ''} cannot be split into training, {validation} for "
            f"validation and {test} for test; list more groups, or choose split.method=auto"
        )
    has = _classes_of_groups(flat, known, classes)
    cuts = (validation, validation + test)
    first, found = rng.permutation(len(known)), True
    order = first
    if has is not None and has.any():
        orders = (first if number == 0 else rng.permutation(len(known)) for number in range(draws))
        chosen = next((one for one in orders if _is_taught(has, one, *cuts)), None)
        order, found = (first, False) if chosen is None else (chosen, True)
    parts = np.full(len(known), TRAINING, np.uint8)
    parts[order[: cuts[0]]], parts[order[cuts[0] : cuts[1]]] = VALIDATION, TEST
    place = [np.searchsorted(known, group).clip(max=len(known) - 1) for group in groups]
    return [np.where(g < 0, UNUSED, parts[at]).reshape(s).astype(np.uint8) for g, at, s in zip(groups, place, shapes, strict=True)], found


def _classes_of_groups(
    groups: npt.NDArray[np.integer[Any]], known: npt.NDArray[np.integer[Any]], classes: Sequence[npt.NDArray[np.integer[Any]]] | None
) -> npt.NDArray[np.bool_] | None:
    """Return which classes (columns) each of the known groups (rows) holds."""
    if classes is None:
        return None
    flat = np.concatenate([c.ravel() for c in classes])
    used = (groups >= 0) & (flat > 0)
    has = np.zeros((len(known), int(flat.max(initial=0)) + 1), bool)
    has[np.searchsorted(known, groups[used]), flat[used]] = True
    return has


def _is_taught(has: npt.NDArray[np.bool_], order: npt.NDArray[np.integer[Any]], validation: int, test: int) -> bool:
    """Whether the groups after the first `test` hold every class, and each part before them some label."""
    held = [has[order[:validation]], has[order[validation:test]]]
    return bool((has[order[test:]].any(0) == has.any(0)).all() and all(not len(part) or part.any() for part in held))


def stratified(
    shapes: Sequence[tuple[int, int, int]], split: Split, classes: Sequence[npt.NDArray[np.integer[Any]]] | None, rng: np.random.Generator
) -> list[Map]:
    """Hold out the same fraction of each class, as single spectra at random; pixels without a class are unused."""
    if classes is None:
        raise ValueError("a stratified split needs classes, and this task has none; choose another split.method")
    flat = np.concatenate([c.ravel() for c in classes])
    labels = np.full(len(flat), UNUSED, np.uint8)
    for value in np.unique(flat[flat > 0]):
        order = rng.permutation(np.flatnonzero(flat == value))
        test = round(split.test * len(order))
        validation = max(1, round(split.validation * len(order))) if len(order) > 2 else 0
        test = max(0, min(test, len(order) - validation - 1))  # a rare class keeps one training sample
        labels[order] = TRAINING
        labels[order[:validation]] = VALIDATION
        labels[order[validation : validation + test]] = TEST
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(labels, cuts), shapes, strict=True)]


def contiguous(shape: tuple[int, int, int], split: Split, patch: int) -> Map:
    """Hold out the last rows (of the longer side of an image): first for validation, then for the test."""
    chosen = np.full(shape, TRAINING, np.uint8)
    axis = 1 if shape[1] >= shape[2] else 2
    length = shape[axis]
    test = max(patch, round(split.test * length)) if split.test else 0
    validation = max(patch, round(split.validation * length))
    rows = np.moveaxis(chosen, axis, 0)
    rows[max(0, length - test - validation) :] = VALIDATION
    if test:
        rows[max(0, length - test) :] = TEST
    return chosen


def refuse_blocks_of_a_set(shape: tuple[int, int, int]) -> None:
    """Refuse blocks of a set of spectra, which has no neighbours.

    Raises
    ------
    ValueError
        If the shape is that of a set.
    """
    if shape[2] == 1:
        raise ValueError("blocks need an image, but this is a set of spectra; choose split.method=contiguous")


def blocks(shape: tuple[int, int, int], split: Split, patch: int, rng: np.random.Generator) -> Map:
    """Hold out square blocks of an image, drawn at random."""
    refuse_blocks_of_a_set(shape)
    block = block_of(np.ones(shape, bool), split, patch)
    across = tuple(-(-length // block) for length in shape[1:])
    count = across[0] * across[1]
    whole = np.zeros(across, bool)
    whole[: max(1, shape[1] // block), : max(1, shape[2] // block)] = True
    order = rng.permutation(np.flatnonzero(whole))  # a block truncated at the edge may not contain a patch
    labels = np.full(count, TRAINING, np.uint8)
    validation, test = max(1, round(split.validation * count)), round(split.test * count)
    labels[order[:validation]] = VALIDATION
    labels[order[validation : validation + test]] = TEST
    grid = labels.reshape(across).repeat(block, 0).repeat(block, 1)[: shape[1], : shape[2]]
    return np.broadcast_to(grid, shape).copy()


def at_random(shape: tuple[int, int, int], split: Split, rng: np.random.Generator) -> Map:
    """Hold out single pixels, drawn at random."""
    count = int(np.prod(shape))
    labels = np.full(count, TRAINING, np.uint8)
    order = rng.permutation(count)
    validation, test = max(1, round(split.validation * count)), max(1, round(split.test * count)) if split.test else 0
    labels[order[:validation]] = VALIDATION
    labels[order[validation : validation + test]] = TEST
    return labels.reshape(shape)


def gap_of(shape: tuple[int, int, int], split: Split, patch: int) -> int:
    """Return the distance, in pixels, that training pixels keep from held-out ones."""
    if split.gap is not None:
        return split.gap
    is_set = shape[2] == 1
    return 0 if is_set else patch


def with_gap(chosen: Map, gap: int) -> Map:
    """Mark as unused the training pixels within `gap` of held-out ones, and validation pixels within `gap` of the test."""
    if not gap:
        return chosen
    from scipy.ndimage import maximum_filter  # the import takes a fifth of a second, which the dock should not wait for

    window = (1, 2 * gap + 1, 2 * gap + 1 if chosen.shape[2] > 1 else 1)
    reached = maximum_filter(chosen, size=window, mode="constant", cval=0)
    return np.where((reached > chosen) & (chosen != TEST), UNUSED, chosen).astype(np.uint8)
