"""Partition of the pixels of cubes into the parts of a training, with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.labels import Class, Labels, marker_among, names_alike
from napari_spectrai.plan.continued_split import kept_parts
from napari_spectrai.plan.folds import is_cross_validated
from napari_spectrai.plan.groups import Groups, pixel_groups
from napari_spectrai.plan.patches import Layout, Place, corners_of, layout_of, places_of
from napari_spectrai.plan.remarks import remarks
from napari_spectrai.plan.repeats import contradicting, first_occurrences, kept_together
from napari_spectrai.plan.split import DRAWS, method_of, split_maps
from napari_spectrai.plan.split_data import smaller_blocks
from napari_spectrai.plan.split_methods import gap_of
from napari_spectrai.plan.subsets import PARTS, TRAINING, UNUSED, VALIDATION, Map
from napari_spectrai.plan.truths import Truth, class_table, numbered
from napari_spectrai.plan.unnamed_groups import validated_by_their_own
from napari_spectrai.preparation.missing import nothing_held, usable
from napari_spectrai.valid import DataMask, said


@dataclass(frozen=True, slots=True)
class Division:
    """Part and class of each pixel of a training.

    Attributes
    ----------
    layout : Layout
        Layout of the samples in the cubes.
    shapes : list of (z, y, x)
        Shape of each cube; a set of n spectra is (1, n, 1).
    maps : list of arrays of these shapes
        The part of each pixel, as a number.
    places : list of Place
        Position of each cube in the pool of all pixels.
    classes : list of Class
        Empty if the truths are cubes.
    marked : list of arrays of these shapes
        Index of each pixel's class in `classes`, from 1, 0 without a class; empty if the truths are cubes.
    data : list of bool arrays of these shapes
        Which pixels hold data; the others are unused in `maps` and have no class in `marked`. Empty if not checked.
    notes : list of str
        Notes on what was left out, in sentences.
    """

    layout: Layout
    shapes: list[tuple[int, int, int]]
    maps: list[Map]
    places: list[Place]
    classes: list[Class]
    marked: list[npt.NDArray[np.int64]]
    data: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def corners(self, part: int) -> list[npt.NDArray[np.int64]]:
        """Return for each cube the first corners (n, 3) of the samples of a part, in its padded planes."""
        known = [m > 0 for m in self.marked] if self.marked else [None] * len(self.maps)
        held: list[npt.NDArray[np.bool_] | None] = [*self.data] or [None] * len(self.maps)
        cubes = zip(self.maps, self.places, known, held, strict=True)
        return [corners_of(labels, part, self.layout, place, has_class, data) for labels, place, has_class, data in cubes]

    def counts(self) -> dict[str, int]:
        """Return the number of samples of each part; empty parts are omitted."""
        found = {name: sum(map(len, self.corners(part))) for part, name in PARTS.items()}
        return {name: count for name, count in found.items() if count}

    def of_classes(self, part: int | None = None) -> npt.NDArray[np.int64]:
        """Return the number of pixels of each of `classes`, in a part or in all."""
        found = np.zeros(len(self.classes) + 1, np.int64)
        for marked, labels in zip(self.marked, self.maps, strict=False):
            found += np.bincount((marked if part is None else marked[labels == part]).ravel(), minlength=len(found))
        return found[1:]


def divide(
    experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map] | None = None, *, draws: int = DRAWS
) -> Division:
    """Assign pixels to parts. `maps` (of a resumed run) replaces a new split; blocks are drawn at most `draws` times.

    Spectra are read block by block to check which hold data: pixels without data belong to no part.

    Raises
    ------
    ValueError
        If no pixel holds data, the split does not suit the data, or `maps` are of other cubes.
    """
    task = experiment.task
    layout = layout_of(experiment)
    shapes = [as_volume(cube) for cube in cubes]
    table = class_table(truths, task.no_label) if task.classifies else []
    marked = [numbered(truth, table).reshape(shape) for truth, shape in zip(truths, shapes, strict=False) if isinstance(truth, Labels)]
    held = _held(experiment, cubes, truths)
    data = [one.mask.reshape(shape) for one, shape in zip(held, shapes, strict=True)]
    marked = [np.where(d, m, 0) for d, m in zip(data, marked, strict=True)] if marked else []
    kept, smaller, new, groups = "", "", maps is None, pixel_groups(experiment, cubes, shapes)
    if maps is None:
        patch = 1 if layout.shared else layout.patch
        parts = parts_of(cubes)
        maps = split_maps(
            shapes, experiment.split, patch, classes=marked or None, groups=groups.numbers, parts=parts, data=data, draws=draws,
            whole=task.of_images,
        )  # fmt: skip
        if experiment.training.start is not None and parts is None and not experiment.network.classical:
            gap = max(gap_of(shape, experiment.split, patch) for shape in shapes)
            maps, kept = kept_parts(experiment.training.start, cubes, maps, gap)
        if parts is None and groups.numbers is None and method_of(shapes, experiment.split, marked or None) == "blocks":
            smaller = smaller_blocks(data, experiment.split, patch)
    if [m.shape for m in maps] != shapes:
        raise ValueError(f"the saved split is for cubes of shape {[m.shape for m in maps]} (z, y, x), not {shapes}; start a new run")
    maps = groups.known([np.where(d, m, UNUSED).astype(np.uint8) for d, m in zip(data, maps, strict=True)])
    repeated: list[str] = []
    if new and (first := first_occurrences(cubes, shapes)) is not None:
        maps, words = kept_together(maps, first, moves=parts_of(cubes) is None and not by_units(experiment, cubes, groups))
        repeated = [words, contradicting(first, marked)]
    if new:
        repeated += [groups.divided([m.astype(int).clip(0, VALIDATION) - 1 for m in maps]), *remarks(experiment, cubes, truths)]
    if new and is_divided_once(experiment) and marked and groups.numbers is None and groups.ignored is None:
        repeated += [validated_by_their_own(cubes, maps, marked, [one.name for one in table])]
    found = [said(held), *groups.notes, marker_among(table, "learnt"), names_alike(table, "learnt"), kept, smaller, *repeated]
    notes = [sentence for sentence in found if sentence]
    return Division(layout, shapes, maps, places_of(shapes, layout), table, marked, data, notes)


def _held(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth]) -> list[DataMask]:
    """Return which pixels of each cube can be used: the cube holds data, and no value of the truth is missing.

    Raises
    ------
    ValueError
        If there are none.
    """
    steps, times = experiment.preparation, experiment.task.enlarges if experiment.task.needs_truth else 1
    found = [usable(cube, steps) for cube in cubes]
    for number, truth in enumerate(truths):
        if isinstance(truth, Cube):
            known = _coarser(~usable(truth, steps).unknown, cubes[number].spatial_shape, times)
            own = found[number]
            found[number] = replace(own, mask=own.mask & known, missing=own.missing + int((own.mask & ~known).sum()))
    if not any(one.count for one in found):
        raise ValueError(nothing_held(cubes, found, steps))
    return found


def _coarser(known: npt.NDArray[np.bool_], shape: tuple[int, ...], times: int) -> npt.NDArray[np.bool_]:
    """Return which pixels of an input are completely known in a truth with `times` as many pixels per side."""
    if times == 1:
        return known
    *front, height, width = shape
    return np.asarray(known.reshape(*front, height, times, width, times).all((-3, -1)))


def is_divided_once(experiment: Experiment) -> bool:
    """Whether there is one validation part, by a method that may divide what belongs together, and no cross-validation."""
    return not is_cross_validated(experiment) and experiment.split.method in ("auto", "random", "stratified")


def by_units(experiment: Experiment, cubes: Sequence[Cube], groups: Groups) -> bool:
    """Whether whole groups are held out, or files of several spectra."""
    method = experiment.split.method
    return groups.numbers is not None or (method in ("auto", "file") and len(cubes) > 1 and any(cube.count > 1 for cube in cubes))


def is_optimistic(experiment: Experiment, cubes: Sequence[Cube]) -> bool:
    """Whether neighbouring pixels of a scene are split at random, so that scores will be too optimistic."""
    at_random = experiment.split.method in ("random", "stratified")
    return at_random and any(cube.is_image for cube in cubes) and not experiment.task.of_images


def missing_classes(division: Division) -> list[str]:
    """Return the names of the classes without training samples."""
    return [one.name for one, count in zip(division.classes, division.of_classes(TRAINING), strict=True) if not count]


def wanted_parts(experiment: Experiment, cubes: Sequence[Cube]) -> list[str]:
    """Return the parts that a training requires."""
    return ["training", "validation", *(["test"] if experiment.split.test and parts_of(cubes) is None else [])]


def as_volume(cube: Cube) -> tuple[int, int, int]:
    """Return (z, y, x) of a cube; a set of n spectra is (1, n, 1)."""
    spatial = cube.spatial_shape
    if len(spatial) == 1:
        return (1, spatial[0], 1)
    return (int(np.prod(spatial[:-2], dtype=int)), spatial[-2], spatial[-1])


def parts_of(cubes: Sequence[Cube]) -> list[str] | None:
    """Return the part of each cube (``metadata["part"]``), if all have one."""
    parts = [str(cube.metadata.get("part", "")) for cube in cubes]
    return parts if all(parts) else None
