"""Pairing by position: images are cut to their common area, labels are resampled, and anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_spectrai.class_numbers import on_the_numbers_of
from napari_spectrai.correspondence import Correspondence, relation_of
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.labels import Labels
from napari_spectrai.placement import KEY, Placement

UNPLACED = "set its position to that of the other one (scale, translate), or pass the array alone to pair pixel by pixel"
_REGISTER = "register one of them (Preprocess: Shift pixels), or set its position to that of the other one (scale, translate)"
_BIN = "average the finer one (Preprocess: Bin pixels)"


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and its truth, of the same area.

    Parameters
    ----------
    words : what was done to cut both to the same area; empty if nothing was necessary
    trouble : why they cannot be paired by position, with a remedy; both are then unchanged
    alike : the truth placed on the input, if only one of them has a position and a person has to confirm that they coincide
    """

    cube: Cube
    truth: Cube | Labels
    words: str = ""
    trouble: str = ""
    alike: Cube | Labels | None = None


def relation(first: Cube | Labels, second: Cube | Labels) -> Correspondence | None:
    """Return how two images lie relative to each other; None if this is unknown and only their shapes can be compared.

    It is unknown for arrays, files without stage coordinates, two layers without a position, and labels with one value
    per image.
    """
    return relation_of(first.placement, second.placement)


def paired(task: TaskSpec, cube: Cube, truth: Cube | Labels) -> Pair:
    """Return an input and its truth cut to their common area; labels are resampled to the pixels of the input.

    Pixels outside the labels are unlabelled if the task has a value for that. Without positions, nothing is changed.
    """
    if isinstance(truth, Labels) and not task.of_images:
        truth = truth.in_shape(cube.spatial_shape)
    found = relation(cube, truth)
    if found is None or found.kind == "same":
        return Pair(cube, truth)
    if found.unplaced and cube.placement is not None:
        placed = replace(truth, metadata={**truth.metadata, KEY: cube.placement.to_json()})
        return Pair(cube, truth, trouble=refusal(found, *_names(cube, truth)), alike=placed)
    if isinstance(truth, Labels):
        return _with_labels(cube, truth, found, task.no_label)
    return _with_cube(cube, truth, found, task.enlarges)


def _names(first: Cube | Labels, second: Cube | Labels) -> tuple[str, str]:
    what = "labels" if isinstance(second, Labels) else "truth"
    return repr(first.name or "the input"), f"{what} {second.name!r}" if second.name else f"the {what}"


def refusal(found: Correspondence, first: str, second: str) -> str:
    """Return why two images cannot be paired, with a remedy."""
    remedy = UNPLACED if "no pixel size" in found.words else _REGISTER if found.kind == "refuse" else _BIN
    return f"{found.sentence(first, second)}; {remedy}"


def _size(parts: Sequence[slice]) -> str:
    lengths = [part.stop - part.start for part in parts]
    return f"{lengths[0]:,} spectra" if len(lengths) == 1 else f"{' × '.join(map(str, lengths))} pixels"


# ---------------------------------------------------------------- cubes


def _with_cube(cube: Cube, truth: Cube, found: Correspondence, times: int) -> Pair:
    wanted = [1.0] * (len(found.steps) - 2) + [float(times)] * 2
    if found.kind == "refuse" or [abs(step) for step in found.steps] != wanted[-len(found.steps) :]:
        if found.kind == "cut" and times > 1:
            return Pair(cube, truth)  # not a finer image: reported because of its size
        return Pair(cube, truth, trouble=refusal(found, *_names(cube, truth)))
    whole = all(part == slice(0, length) for part, length in zip(found.first, cube.spatial_shape, strict=True))
    if whole and times > 1 and covers(found, truth.spatial_shape):
        return Pair(cube, truth)
    size = _size(found.first)
    words = f"{found.sentence(*_names(cube, truth))}: paired by position, both are cut to the {size} they have in common."
    return Pair(cube if whole else cube[found.first], _under(truth, found, cube.placement), words)


def covers(found: Correspondence, shape: Sequence[int]) -> bool:
    """Whether all pixels of the second image, in its own order, are below those of the first one."""
    lengths = [(part.stop - part.start) * n for part, n in zip(found.first, found.times, strict=True)]
    return list(found.order) == sorted(found.order) and min(found.steps) > 0 and lengths == [float(length) for length in shape]


def _under(second: Cube, found: Correspondence, lies: Placement | None) -> Cube:
    """Return the pixels of the second cube below the common area; a view if the array can be sliced."""
    data = second.data
    if list(found.order) != sorted(found.order):
        data = data.transpose([*found.order, len(found.order)])
    data = data[tuple(_sliced(found.under(dimension).ravel()) for dimension in range(len(found.order)))]
    metadata = {key: value for key, value in second.metadata.items() if key not in (KEY, "origin")}
    if lies is not None:
        metadata[KEY] = lies.cut(found.first).divided(found.times).to_json()
    return replace(second, data=data, source=None, metadata=metadata)


def _sliced(indices: Any) -> slice:
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last >= first else slice(first, last - 1 if last else None, -1)


# ---------------------------------------------------------------- labels


def _with_labels(cube: Cube, labels: Labels, found: Correspondence, unlabelled: int | None) -> Pair:
    names = _names(cube, labels)
    if found.kind == "refuse":
        return Pair(cube, labels, trouble=refusal(found, *names))
    inside, mixed = onto(labels, found, 0 if unlabelled is None else unlabelled)
    if mixed and unlabelled is None:
        what = f"{mixed:,} pixels of the input contain several classes, and the task has no value for unlabelled pixels"
        return Pair(cube, labels, trouble=f"{found.sentence(*names)}: {what}; set task.unlabelled")
    words = f"{found.sentence(*names)}: paired by position"
    words += ", labels taken from the nearest pixel" if found.kind == "resample" else ""
    words += f", {mixed:,} pixels that contain several classes are unlabelled" if mixed else ""
    shown, count = inside.data.size, cube.count
    if unlabelled is None and shown < count:  # every value is a class
        cube, truth = cube[found.first], inside
        words += f", cut to the {_size(found.first)} they have in common"
    else:
        data = np.full(cube.spatial_shape, 0 if unlabelled is None else unlabelled, inside.data.dtype)
        data[found.first] = inside.data
        truth = replace(inside, data=data)
        words += f", {count - shown:,} of {count:,} pixels lie outside and are unlabelled" if shown < count else ""
    return Pair(cube, _placed(truth, cube.placement), f"{words}.")


def onto(labels: Labels, found: Correspondence, unlabelled: int) -> tuple[Labels, int]:
    """Return labels on the pixels of the first image that they cover, and how many of these contain several classes.

    A pixel of the first image that covers several label pixels gets their class if it is unique, else `unlabelled`.
    """
    data, mixed = np.transpose(labels.data, found.order), 0
    count = len(found.order)
    spread = [found.under(dimension) for dimension in range(count)]
    data = data[np.ix_(*(indices.ravel() for indices in spread))]
    if any(indices.shape[1] > 1 for indices in spread):
        split = data.reshape([n for indices in spread for n in indices.shape])
        inner = tuple(range(1, 2 * count, 2))
        low, high = split.min(inner), split.max(inner)
        mixed = int((low != high).sum())
        data = np.where(low == high, low, np.asarray(unlabelled, data.dtype))
    return replace(labels, data=np.ascontiguousarray(data), source=None), mixed


def _placed(labels: Labels, lies: Placement | None) -> Labels:
    metadata = {key: value for key, value in labels.metadata.items() if key != KEY}
    if lies is not None and lies.shape == labels.shape:
        metadata[KEY] = lies.to_json()
    return replace(labels, metadata=metadata, source=None)


# ---------------------------------------------------------------- several results with one truth


def results_on_truth(results: Mapping[str, Cube], truth: Cube, *, known: bool = True) -> tuple[dict[str, Cube], Cube, list[str]]:
    """Return results and their truth cut to their common pixels, and notes about it.

    Parameters
    ----------
    known : whether positions are used; False: pixel by pixel

    Raises
    ------
    ValueError
        If the pixels of a result do not coincide with those of the truth; the message names it, with a remedy.
    """
    found = {name: relation(truth, result) if known else None for name, result in results.items()}
    words = []
    for name, each in found.items():
        if each is not None and each.kind in ("resample", "refuse"):
            raise ValueError(refusal(each, "the truth", repr(name)))
        if each is not None and each.kind == "cut":
            words.append(each.sentence("the truth", repr(name)))
    if not words:
        return dict(results), truth, []
    parts = [each.first for each in found.values() if each is not None]
    shared = tuple(slice(max(s.start for s in along), min(s.stop for s in along)) for along in zip(*parts, strict=True))
    if any(part.stop <= part.start for part in shared):
        raise ValueError("the results have no pixel in common; evaluate them separately")
    lies = truth.placement
    cut = {}
    for (name, result), each in zip(results.items(), found.values(), strict=True):
        alike = each is None and result.spatial_shape == truth.spatial_shape  # the same number of pixels, and nothing else is known
        cut[name] = result[shared] if alike else result if each is None else _under(result, replace(each, first=shared), lies)
    words.append(f"Compared by position, on the {_size(shared)} they have in common.")
    return cut, truth[shared], ["; ".join(words[:-1]) + ". " + words[-1]]


def labels_on_truth(results: Mapping[str, Labels], truth: Labels, *, known: bool = True) -> tuple[dict[str, Labels], Labels, list[str]]:
    """Return predicted labels on the pixels of their truth, which becomes unlabelled (0) wherever a result is missing, and notes.

    Raises
    ------
    ValueError
        If the pixels of a result do not coincide with those of the truth; the message names it, with a remedy.
    """
    predicted, words = {}, []
    data = truth.data
    for name, given in results.items():
        result, numbering = on_the_numbers_of(truth, {}, given.in_shape(truth.shape))
        words += [numbering] if numbering else []
        each = relation(truth, result) if known else None
        if each is None or each.kind == "same":
            predicted[name] = result
            continue
        if each.kind == "refuse":
            raise ValueError(refusal(each, "the truth", repr(name)))
        if len(truth.shape) < 2:
            raise ValueError(f"{each.sentence('the truth', repr(name))}; both must be of the same spectra")
        inside, mixed = onto(result, each, 0)
        whole, shows = np.zeros(truth.shape, inside.data.dtype), np.zeros(truth.shape, bool)
        whole[each.first], shows[each.first] = inside.data, True
        predicted[name], data = _placed(replace(inside, data=whole), truth.placement), np.where(shows, data, 0)
        more = f" ({mixed:,} of its pixels contain several classes and count as unlabelled)" if mixed else ""
        words.append(f"{each.sentence('the truth', repr(name))}; compared by position where they overlap{more}.")
    return predicted, truth if data is truth.data else replace(truth, data=data), words
