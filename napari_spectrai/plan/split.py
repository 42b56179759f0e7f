"""Split of pixels into training, validation and test parts: maps with one label per pixel, without undetected leakage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Split
from napari_spectrai.plan.split_data import scattered, stretches
from napari_spectrai.plan.split_methods import (
    at_random,
    blocks,
    by_file,
    by_group,
    contiguous,
    gap_of,
    refuse_blocks_of_a_set,
    stratified,
    with_gap,
)
from napari_spectrai.plan.subsets import PARTS, TEST, TRAINING, UNUSED, VALIDATION, Map

DRAWS = 1000
"""Number of draws of blocks, until each class has training samples."""


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
    whole: bool = False,
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
        The group of each pixel, from 0; negative without a group, which is unused. Groups stay together if the method is ``"group"``, or
        ``"auto"`` where the groups can be divided so that each class is learnt.
    parts : sequence of str, optional
        The part of each cube as a whole. If none is for validation, those for training are split by the settings.
    data : bool arrays of the same shapes, optional
        Which pixels hold data; default: all. Classes of other pixels are ignored.
    whole : bool
        Whether each image has one class, so that its pixels cannot be in different parts.

    Raises
    ------
    ValueError
        If the method does not suit the data.
    """
    if data is not None and not all(d.all() for d in data):
        return _among_data(shapes, split, patch, data, classes=classes, groups=groups, parts=parts, whole=whole)
    if parts is not None:
        return _given(shapes, split, patch, parts, classes)
    if (found := _in_groups(shapes, split, groups, classes, draws)) is not None:
        return found
    method = method_of(shapes, split, classes)
    rng = np.random.default_rng(split.seed)
    makers: dict[str, Callable[[], list[Map]]] = {
        "file": lambda: by_file(shapes, split, classes, whole=whole),
        "stratified": lambda: stratified(shapes, split, classes, rng),
        "contiguous": lambda: [with_gap(contiguous(shape, split, patch), gap_of(shape, split, patch)) for shape in shapes],
        "blocks": lambda: _in_blocks(shapes, split, patch, classes, rng, draws),
        "random": lambda: [at_random(shape, split, rng) for shape in shapes],
    }
    return makers[method]()


def _in_groups(
    shapes: Sequence[tuple[int, int, int]],
    split: Split,
    groups: Sequence[npt.NDArray[np.integer[Any]]] | None,
    classes: Sequence[npt.NDArray[np.integer[Any]]] | None,
    draws: int,
) -> list[Map] | None:
    """Return whole groups; None for another method, or if it is left open and no groups can be held out."""
    rng = np.random.default_rng(split.seed)
    if split.method == "group":
        return by_group(shapes, split, groups, rng, classes, draws)[0]
    if groups is None or split.method != "auto":
        return None
    try:
        maps, found = by_group(shapes, split, groups, rng, classes, draws)
    except ValueError:  # too few
        return None
    return maps if found else None


def method_of(shapes: Sequence[tuple[int, int, int]], split: Split, classes: Any) -> str:
    """Return the method of a split without groups, also if the settings leave it open."""
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
    whole: bool,
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
    rng, method = np.random.default_rng(split.seed), method_of(shapes, split, classes)
    whole_groups = _in_groups(shapes, split, groups, classes, DRAWS) if parts is None else None
    if parts is not None:
        found = _given(shapes, split, patch, [parts[number] for number in live], classes, data)
    elif whole_groups is not None:
        found = whole_groups
    elif method == "contiguous":
        found = [with_gap(np.where(d, chosen, UNUSED), gap) for d in data for chosen, gap in [stretches(d, split, patch)]]
    elif method == "blocks":
        for shape in shapes:
            refuse_blocks_of_a_set(shape)
        found = _in_blocks(shapes, split, patch, classes, rng, DRAWS, data)
    elif method == "random":
        found = [_random_among(d, split, rng) for d in data]
    elif method == "file":
        known = None if classes is None else [c[d] for c, d in zip(classes, data, strict=True)]
        found = by_file(shapes, split, known, whole=whole)
    else:
        found = split_maps(shapes, split, patch, classes=classes, groups=groups)
    for number, chosen, d in zip(live, found, data, strict=True):
        maps[number] = np.where(d, chosen, UNUSED).astype(np.uint8)
    return maps


def _random_among(data: npt.NDArray[np.bool_], split: Split, rng: np.random.Generator) -> Map:
    chosen = np.zeros(data.shape, np.uint8)
    chosen[data] = at_random((1, int(data.sum()), 1), split, rng).ravel()
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
        chosen = (
            blocks(shape, split, patch, rng) if data is None else np.where(data[number], scattered(data[number], split, patch, rng), UNUSED)
        )
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
