"""Labelled images larger than memory: only the windows around labels are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import size_words
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.excerpt import SIDE, Window, cut, evenly, on_grid
from napari_spectrai.learn.data.pooling import pool
from napari_spectrai.plan.memory import MemoryPlan, bytes_of_pixel
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.patches import places_of
from napari_spectrai.plan.storage import Region
from napari_spectrai.plan.subsets import UNUSED
from napari_spectrai.plan.truths import Truth


def around_labels(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division, plan: MemoryPlan) -> Dataset:
    """Return a data set of windows that contain all labels with their surroundings, or evenly spread ones if these exceed the limit.

    Raises
    ------
    ValueError
        If a part or class has no samples, with the remedy.
    """
    marked = division.marked
    every = [
        (number, region, UNUSED)
        for number, labels in enumerate(division.maps)
        for region in on_grid((labels > UNUSED) & (marked[number] > 0), SIDE)
    ]
    around = (2 * division.layout.patch if division.layout.patch > 1 else 0) + SIDE
    most = plan.limit // bytes_of_pixel(cubes, truths, experiment)
    cores = evenly(every, most * SIDE**2 / around**2)
    windows = [(number, _extended(region, division.shapes[number], division.layout.patch), part) for number, region, part in cores]
    data = pool(experiment, cut(cubes, windows), truths, _cut_division(division, cores, windows))
    labelled, known = (sum(int(np.count_nonzero(marked[number][core.key])) for number, core, _ in some) for some in (cores, every))
    words = (
        f"The data would take up {size_words(plan.needed)}, more than the {size_words(plan.limit)} allowed: {len(cores):,} windows around "
        f"labels are read, with {labelled:,} of the {known:,} labelled pixels; training.memory sets the limit."
    )
    names = [f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes]
    return replace(data, names=names, notes=[words, *division.notes, *data.notes], divided=division.maps)


def _extended(core: Region, shape: tuple[int, int, int], patch: int) -> Region:
    """Return a region with the pixels around it that patches or windows contain."""
    if patch == 1:
        return core
    _, rows, columns = shape
    return Region(core.z, max(0, core.y - patch), min(rows, core.y_end + patch), max(0, core.x - patch), min(columns, core.x_end + patch))


def _cut_division(division: Division, cores: Sequence[Window], windows: Sequence[Window]) -> Division:
    """Return the division of the windows, in which only the pixels of the cores keep their classes."""
    maps = [division.maps[number][region.key][None].copy() for number, region, _ in windows]
    data = [division.data[number][region.key][None].copy() for number, region, _ in windows]
    marked = [np.zeros(labels.shape, np.int64) for labels in maps]
    for classes, (number, core, _), (_, region, _) in zip(marked, cores, windows, strict=True):
        inner = (0, slice(core.y - region.y, core.y_end - region.y), slice(core.x - region.x, core.x_end - region.x))
        classes[inner] = division.marked[number][core.key]
    shapes = [labels.shape for labels in maps]
    return replace(division, shapes=shapes, maps=maps, places=places_of(shapes, division.layout), marked=marked, data=data, notes=[])
