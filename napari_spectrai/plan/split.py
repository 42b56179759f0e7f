"""Split of pixels into training, validation and test parts: maps with one label per pixel, without undetected leakage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Split
from napari_spectrai.plan.split_data import scattered, stretches
from napari_spectrai.plan.subsets import PARTS

UNUSED, TRAINING, VALIDATION, TEST = 0, 1, 2, 3

DRAWS = 1000
"""Number of draws of blocks, until each class has training samples."""

Map = npt.NDArray[np.uint8]


def split_maps(
    shapes: Sequence[tuple[int, int, int]],
    split: Split,
    patch: int,
    *,
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    groups: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    parts: Sequence[str] | None = None,
    draws: int = DRAWS,
    data: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> list[Map]:
    """Return for each cube of shape (z, y, x) a map of `TRAINING`, `VALIDATION`, `TEST` or `UNUSED`.

    A set of n spectra has shape (1, n, 1). Training pixels closer than the gap to held-out ones are unused.
    Pixels without data are unused, too: fractions refer to pixels with data.

    Parameters
    ----------
    classes : arrays of the same shapes, optional
        The class of each pixel, 1 … C, 0 without a class. A stratified split takes the same fraction of each, and so does a split by file
        of files with a single class each;
        blocks are drawn again, up to `draws` times, until each class has training samples and each part has some labels.
    groups : arrays of the same shapes, optional
        The group of each pixel; a split by group keeps groups together.
    parts : sequence of str, optional
        The part of each cube as a whole. If none is for validation, those for training are split by the settings.
    data : bool arrays of the same shapes, optional
        Which pixels hold data; default: all. Classes of other pixels are ignored.

    Raises
    ------
    ValueError
        If the method does not suit the data.
    """
    if data is not None and not all(d.all() for d in data):
        return _among_data(shapes, split, patch, data, classes=classes, groups=groups, parts=parts)
    if parts is not None:
        return _given(shapes, split, patch, parts, classes)
    method = _method(shapes, split, classes)
    rng = np.random.default_rng(split.seed)
    makers: dict[str, Callable[[], list[Map]]] = {
        "file": lambda: _by_file(shapes, split, classes),
        "group": lambda: _by_group(shapes, split, groups, rng),
        "stratified": lambda: _stratified(shapes, split, classes, rng),
        "contiguous": lambda: [with_gap(_contiguous(shape, split, patch), gap_of(shape, split, patch)) for shape in shapes],
        "blocks": lambda: _in_blocks(shapes, split, patch, classes, rng, draws),
        "random": lambda: [_random(shape, split, rng) for shape in shapes],
    }
    return makers[method]()


def _method(shapes: Sequence[tuple[int, int, int]], split: Split, classes: Any) -> str:
    """Return the method of the split, if the settings leave it open."""
    if split.method != "auto":
        return split.method
    if len(shapes) > 1:
        return "file"
    if classes is None:
        return "contiguous"
    return "stratified" if shapes[0][2] == 1 else "blocks"


def _among_data(
    shapes: Sequence[tuple[int, int, int]],
    split: Split,
    patch: int,
    data: Sequence[npt.NDArray[np.bool_]],
    *,
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None,
    groups: Sequence[npt.NDArray[np.integer[Any]]] | None,
    parts: Sequence[str] | None,
) -> list[Map]:
    """Split the pixels that hold data; other pixels, and cubes without data, are unused."""
    maps = [np.full(shape, UNUSED, np.uint8) for shape in shapes]
    live = [number for number, d in enumerate(data) if d.any()]
    if not live:
        return maps
    shapes, data = [shapes[number] for number in live], [data[number] for number in live]
    classes = None if classes is None else [np.where(d, classes[number], 0) for number, d in zip(live, data, strict=True)]
    # the other pixels belong to a group that exists anyway
    groups = None if groups is None else [np.where(d, groups[number], groups[number][d][0]) for number, d in zip(live, data, strict=True)]
    rng, method = np.random.default_rng(split.seed), _method(shapes, split, classes)
    if parts is not None:
        found = _given(shapes, split, patch, [parts[number] for number in live], classes, data)
    elif method == "contiguous":
        found = [with_gap(np.where(d, chosen, UNUSED), gap) for d in data for chosen, gap in [stretches(d, split, patch)]]
    elif method == "blocks":
        for shape in shapes:
            _refuse_blocks_of_a_set(shape)
        found = _in_blocks(shapes, split, patch, classes, rng, DRAWS, data)
    elif method == "random":
        found = [_random_among(d, split, rng) for d in data]
    elif method == "file":
        known = None if classes is None else [c[d] for c, d in zip(classes, data, strict=True)]
        found = _by_file(shapes, split, known)
    else:
        found = split_maps(shapes, split, patch, classes=classes, groups=groups)
    for number, chosen, d in zip(live, found, data, strict=True):
        maps[number] = np.where(d, chosen, UNUSED).astype(np.uint8)
    return maps


def _random_among(data: npt.NDArray[np.bool_], split: Split, rng: np.random.Generator) -> Map:
    chosen = np.zeros(data.shape, np.uint8)
    chosen[data] = _random((1, int(data.sum()), 1), split, rng).ravel()
    return chosen


def _in_blocks(
    shapes: Sequence[tuple[int, int, int]],
    split: Split,
    patch: int,
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None,
    rng: np.random.Generator,
    most: int,
    data: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> list[Map]:
    """Return blocks, drawn again until each class has training samples, if that is possible."""

    def drawn(number: int) -> Map:
        shape = shapes[number]
        chosen = _blocks(shape, split, rng) if data is None else np.where(data[number], scattered(data[number], split, patch, rng), UNUSED)
        return with_gap(chosen, gap_of(shape, split, patch))

    draws = ([drawn(number) for number in range(len(shapes))] for _ in range(1 if classes is None else most))
    first = next(draws)
    return first if classes is None or not _untaught(first, classes) else next((m for m in draws if not _untaught(m, classes)), first)


def _untaught(maps: Sequence[Map], classes: Sequence[npt.NDArray[np.integer[Any]]]) -> bool:
    """Whether a class has no training pixels, or a held-out part has no labelled ones."""
    for part in (VALIDATION, TEST):
        held = [m == part for m in maps]
        if any(h.any() for h in held) and not any((c[h] > 0).any() for h, c in zip(held, classes, strict=True)):
            return True
    taught = [np.unique(c[m == TRAINING]) for m, c in zip(maps, classes, strict=True)]
    return bool(np.setdiff1d(np.concatenate([np.unique(c) for c in classes]), np.concatenate([[0], *taught])).size)


def _given(
    shapes: Sequence[tuple[int, int, int]],
    split: Split,
    patch: int,
    parts: Sequence[str],
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None,
    data: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> list[Map]:
    numbers = {name: number for number, name in PARTS.items()}
    maps = [np.full(shape, numbers[part], np.uint8) for shape, part in zip(shapes, parts, strict=True)]
    if "validation" in parts or "training" not in parts:
        return maps
    chosen = [number for number, part in enumerate(parts) if part == "training"]
    rest = split_maps(
        [shapes[number] for number in chosen],
        split.model_copy(update={"test": 0.0} if "test" in parts else {}),
        patch,
        classes=None if classes is None else [classes[number] for number in chosen],
        data=None if data is None else [data[number] for number in chosen],
    )
    for number, divided in zip(chosen, rest, strict=True):
        maps[number] = divided
    return maps


def gap_of(shape: tuple[int, int, int], split: Split, patch: int) -> int:
    """Return the distance, in pixels, that training pixels keep from held-out ones."""
    if split.gap is not None:
        return split.gap
    is_set = shape[2] == 1
    return 0 if is_set else patch


def _by_file(shapes: Sequence[tuple[int, int, int]], split: Split, classes: Sequence[npt.NDArray[np.integer[Any]]] | None) -> list[Map]:
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
            several = min(int(np.prod(shapes[int(file)])) for file in files) > 1
            other = f", or choose split.method={'stratified' if of else 'contiguous'}" if several else ""
            raise ValueError(
                f"{len(files)} file{'s' if len(files) > 1 else ''}{of} cannot be split into training, {validation} for validation and "
                f"{test} for test; add files{other}"
            )
        parts[files[len(files) - test - validation :]] = VALIDATION
        if test:
            parts[files[-test:]] = TEST
    return [np.full(shape, part, np.uint8) for shape, part in zip(shapes, parts, strict=True)]


def _by_group(
    shapes: Sequence[tuple[int, int, int]], split: Split, groups: Sequence[npt.NDArray[np.integer[Any]]] | None, rng: np.random.Generator
) -> list[Map]:
    if groups is None:
        raise ValueError("a split by group needs groups; list one for each input in data.groups, or choose another split.method")
    known = np.unique(np.concatenate([g.ravel() for g in groups]))
    test = max(1, round(split.test * len(known))) if split.test else 0
    validation = max(1, round(split.validation * len(known)))
    if validation + test >= len(known):
        raise ValueError(
            f"{len(known)} group{'s' if len(known) > 1 else ''} cannot be split into training, {validation} for "
            f"validation and {test} for test; list more groups, or choose split.method=auto"
        )
    order = rng.permutation(known)
    maps = []
    for group, shape in zip(groups, shapes, strict=True):
        labels = np.full(shape, TRAINING, np.uint8)
        labels[np.isin(group, order[:validation])] = VALIDATION
        labels[np.isin(group, order[validation : validation + test])] = TEST
        maps.append(labels)
    return maps


def _stratified(
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


def _contiguous(shape: tuple[int, int, int], split: Split, patch: int) -> Map:
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


def _refuse_blocks_of_a_set(shape: tuple[int, int, int]) -> None:
    if shape[2] == 1:
        raise ValueError("blocks need an image, but this is a set of spectra; choose split.method=contiguous")


def _blocks(shape: tuple[int, int, int], split: Split, rng: np.random.Generator) -> Map:
    _refuse_blocks_of_a_set(shape)
    across = tuple(-(-length // split.block) for length in shape[1:])
    count = across[0] * across[1]
    whole = np.zeros(across, bool)
    whole[: max(1, shape[1] // split.block), : max(1, shape[2] // split.block)] = True
    order = rng.permutation(np.flatnonzero(whole))  # a block truncated at the edge may not contain a patch
    labels = np.full(count, TRAINING, np.uint8)
    validation, test = max(1, round(split.validation * count)), round(split.test * count)
    labels[order[:validation]] = VALIDATION
    labels[order[validation : validation + test]] = TEST
    grid = labels.reshape(across).repeat(split.block, 0).repeat(split.block, 1)[: shape[1], : shape[2]]
    return np.broadcast_to(grid, shape).copy()


def _random(shape: tuple[int, int, int], split: Split, rng: np.random.Generator) -> Map:
    count = int(np.prod(shape))
    labels = np.full(count, TRAINING, np.uint8)
    order = rng.permutation(count)
    validation, test = max(1, round(split.validation * count)), max(1, round(split.test * count)) if split.test else 0
    labels[order[:validation]] = VALIDATION
    labels[order[validation : validation + test]] = TEST
    return labels.reshape(shape)


def with_gap(chosen: Map, gap: int) -> Map:
    """Mark as unused the training pixels within `gap` of held-out ones, and validation pixels within `gap` of the test."""
    if not gap:
        return chosen
    from scipy.ndimage import maximum_filter  # the import takes a fifth of a second, which the dock should not wait for

    window = (1, 2 * gap + 1, 2 * gap + 1 if chosen.shape[2] > 1 else 1)
    reached = maximum_filter(chosen, size=window, mode="constant", cval=0)
    return np.where((reached > chosen) & (chosen != TEST), UNUSED, chosen).astype(np.uint8)


def origins(labels: npt.NDArray[Any], part: int, patch: int, *, least: int | None = None) -> npt.NDArray[np.int64]:
    """Return the first corners (n, 3) of all patches that lie in one part of a map; `least`: that contain so many of its pixels."""
    held = labels if labels.dtype == bool else labels == part
    found = [_origins(plane, patch, patch * patch if least is None else least) for plane in held]
    numbers = [np.full((len(corners), 1), z, np.int64) for z, corners in enumerate(found)]
    together = [np.concatenate(pair, 1) for pair in zip(numbers, found, strict=True)]
    return together[0] if len(together) == 1 else np.concatenate([*together, np.empty((0, 3), np.int64)])


def _origins(held: npt.NDArray[np.bool_], patch: int, least: int) -> npt.NDArray[np.int64]:
    """Return the first corners (n, 2) of patches of a plane with at least so many pixels held; only the rows that have some are summed."""
    rows = np.flatnonzero(held.any(1))
    if not len(rows) or patch > min(held.shape):
        return np.empty((0, 2), np.int64)
    first = max(0, int(rows[0]) - patch + 1)
    some = held[first : int(rows[-1]) + patch]
    inside = np.pad(some, ((1, 0), (1, 0))).cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    total = inside[patch:, patch:] - inside[:-patch, patch:] - inside[patch:, :-patch] + inside[:-patch, :-patch]
    corners: npt.NDArray[np.int64] = np.argwhere(total >= least)
    corners[:, 0] += first
    return corners


def apart(corners: npt.NDArray[np.int64], patch: int) -> npt.NDArray[np.int64]:
    """Return those of the corners that lie on one grid of the patch's size, the fullest one: patches that do not overlap."""
    if patch == 1 or not len(corners):
        return corners
    offsets = corners[:, 1] % patch * patch + corners[:, 2] % patch
    fullest: npt.NDArray[np.int64] = corners[offsets == np.bincount(offsets).argmax()]
    return fullest
