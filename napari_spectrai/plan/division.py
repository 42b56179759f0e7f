"""Which pixels of which cubes are which part of a training, and the classes they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.labels import Class, Labels, in_short
from napari_spectrai.plan.layout import Layout, Place, corners_of, layout_of, places_of
from napari_spectrai.plan.parts import PARTS
from napari_spectrai.plan.split import TRAINING, Map, split_maps
from napari_spectrai.plan.truths import Truth, class_table, numbered


@dataclass(frozen=True, slots=True)
class Division:
    """Where each pixel of a training belongs.

    Attributes
    ----------
    layout : Layout
        How samples lie in the cubes.
    shapes : list of (z, y, x)
        Of each cube; a set of n spectra is (1, n, 1).
    maps : list of arrays of these shapes
        The number of each pixel's part.
    places : list of Place
        Where each cube lies in the pool of all pixels.
    classes : list of Class
        Empty where cubes are the truth.
    marked : list of arrays of these shapes
        The place of each pixel's class in `classes`, from 1, 0 where it has none; empty where cubes are the truth.
    """

    layout: Layout
    shapes: list[tuple[int, int, int]]
    maps: list[Map]
    places: list[Place]
    classes: list[Class]
    marked: list[npt.NDArray[np.int64]]

    def corners(self, part: int) -> list[npt.NDArray[np.int64]]:
        """Return for each cube the first corners (n, 3) of the samples of a part, in its padded planes."""
        known = [m > 0 for m in self.marked] if self.marked else [None] * len(self.maps)
        cubes = zip(self.maps, self.places, known, strict=True)
        return [corners_of(labels, part, self.layout, place, has_class) for labels, place, has_class in cubes]

    def counts(self) -> dict[str, int]:
        """Return how many samples each part has; those that have none are left out."""
        found = {name: sum(map(len, self.corners(part))) for part, name in PARTS.items()}
        return {name: count for name, count in found.items() if count}

    def of_classes(self, part: int | None = None) -> npt.NDArray[np.int64]:
        """Return how many pixels each of `classes` has: of a part, or of all."""
        found = np.zeros(len(self.classes) + 1, np.int64)
        for marked, labels in zip(self.marked, self.maps, strict=False):
            found += np.bincount((marked if part is None else marked[labels == part]).ravel(), minlength=len(found))
        return found[1:]


def divide(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map] | None = None) -> Division:
    """Say which pixel belongs to which part. `maps` (of a resumed run) replaces a new split.

    No spectrum is read, so that a window can ask before a training begins.

    Raises
    ------
    ValueError
        If the split does not suit the data, or `maps` are of other cubes.
    """
    task = experiment.task
    layout = layout_of(experiment)
    shapes = [_as_volume(cube) for cube in cubes]
    table = class_table(truths, task.unlabelled) if task.truth == "labels" else []  # type: ignore[attr-defined]
    marked = [numbered(truth, table).reshape(shape) for truth, shape in zip(truths, shapes, strict=False) if isinstance(truth, Labels)]
    if maps is None:
        patch = 1 if layout.shared else layout.patch
        groups, parts = _groups(experiment, cubes, shapes), parts_of(cubes)
        maps = split_maps(shapes, experiment.split, patch, classes=marked or None, groups=groups, parts=parts)
    if [m.shape for m in maps] != shapes:
        raise ValueError(f"the saved split is for cubes of shape {[m.shape for m in maps]} (z, y, x), not {shapes}; start a new run")
    return Division(layout, shapes, list(maps), places_of(shapes, layout), table, marked)


def flatters(experiment: Experiment, cubes: Sequence[Cube]) -> bool:
    """Whether neighbouring pixels of a scene are split at random, so that scores will flatter."""
    at_random = experiment.split.method in ("random", "stratified")
    return at_random and any(cube.is_image for cube in cubes) and not experiment.task.of_images


def refuse_empty(experiment: Experiment, division: Division, held: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a part of `wanted` that holds no samples, and a class that leaves none to learn from, with the remedy.

    Raises
    ------
    ValueError
    """
    for part in wanted:
        if part not in held:
            raise ValueError(_none_left(part, experiment, division))
    missing = [one.name for one, count in zip(division.classes, division.of_classes(TRAINING), strict=True) if not count]
    if missing:
        raise ValueError(
            f"no training samples are left of {in_short(missing)}; choose another split.seed, smaller split.block, a stratified split, "
            "or lower split.validation and split.test"
        )


def wanted_parts(experiment: Experiment, cubes: Sequence[Cube]) -> list[str]:
    """Return the parts that a training cannot do without."""
    return ["training", "validation", *(["test"] if experiment.split.test and parts_of(cubes) is None else [])]


def _as_volume(cube: Cube) -> tuple[int, int, int]:
    spatial = cube.spatial_shape
    if len(spatial) == 1:
        return (1, spatial[0], 1)
    return (int(np.prod(spatial[:-2], dtype=int)), spatial[-2], spatial[-1])


def _groups(experiment: Experiment, cubes: Sequence[Cube], shapes: Sequence[tuple[int, int, int]]) -> list[npt.NDArray[np.int64]] | None:
    """Return the group of each pixel: named for each input, or told by a cube's metadata (``"groups"``, one a spectrum)."""
    if experiment.data.groups:
        _, numbers = np.unique(experiment.data.groups, return_inverse=True)
        return [np.full(shape, number, np.int64) for shape, number in zip(shapes, numbers, strict=True)]
    told = [cube.metadata.get("groups") for cube in cubes]
    if any(group is None for group in told):
        return None
    flat = [np.broadcast_to(np.asarray(group, dtype=str), cube.spatial_shape).ravel() for group, cube in zip(told, cubes, strict=True)]
    _, numbers = np.unique(np.concatenate(flat), return_inverse=True)
    cuts = np.cumsum([len(f) for f in flat])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(numbers, cuts), shapes, strict=True)]


def parts_of(cubes: Sequence[Cube]) -> list[str] | None:
    """Return the part that each cube is (``metadata["part"]``), where that is told."""
    told = [str(cube.metadata.get("part", "")) for cube in cubes]
    return told if all(told) else None


def _none_left(part: str, experiment: Experiment, division: Division) -> str:
    patch, maps = division.layout.patch, division.maps
    shapes = ", ".join("×".join(map(str, m.shape[1:] if m.shape[0] == 1 else m.shape)) for m in maps)
    split = experiment.split
    remedy = f"raise split.{part}" if part != "training" else "lower split.validation or split.test"
    if experiment.task.truth == "labels" and split.method == "blocks":
        remedy = f"lower split.block ({split.block}), or label more pixels: 2 or more of each class, some way apart"
    elif patch > 1:
        blocks = f", raise split.block ({split.block})" if split.method == "blocks" else ""
        remedy += f"{blocks}, or lower data.patch ({patch}) or split.gap ({patch if split.gap is None else split.gap})"
    return (
        f"no samples are left for {part}: {shapes} pixels (empty or all zero ones not counted), validation {split.validation:g}, "
        f"test {split.test:g}; {remedy}"
    )
