"""Remedies if a split leaves a part or a class without samples: changes of settings that were tried on the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.checks import least_patch, problems_with
from napari_spectrai.labels import in_short
from napari_spectrai.plan.partition import Division, divide, missing_classes, parts_of, wanted_parts
from napari_spectrai.plan.repeats import first_occurrences
from napari_spectrai.plan.split_data import BLOCK
from napari_spectrai.plan.truths import Truth

DRAWS = 20
"""Number of draws of blocks for each change that is tried."""
LARGEST_SIDE = 256
"""Largest side of an image that is tried in search of the smallest that can be split."""
LARGEST = 4_000_000
"""Number of pixels above which nothing is tried, since each try takes seconds."""


def refuse_empty(
    experiment: Experiment, division: Division, held: Sequence[str], cubes: Sequence[Cube], truths: Sequence[Truth],
    wanted: Sequence[str] | None = None,
) -> None:  # fmt: skip
    """Refuse a part without samples, and a class without training samples, with a remedy that was tried.

    Parameters
    ----------
    held : the parts that contain samples, not counting zeros
    wanted : the required parts; default: those of a training

    Raises
    ------
    ValueError
    """
    for part in wanted_parts(experiment, cubes) if wanted is None else wanted:
        if part not in held:
            counted = division.counts().get(part, 0)
            if counted and not held:
                raise ValueError("every spectrum is zero after the preparation, so nothing can be learnt; use data that contain a signal")
            if counted:
                raise ValueError(f"all {counted:,} samples for {part} are zero after the preparation; crop the empty region of the data")
            if parts_of(cubes) is not None:
                raise ValueError(f"no file is assigned to {part}, or it contains no sample; assign another one in data.parts")
            raise ValueError(f"{_none_left(part, experiment, division)}; {_remedy(experiment, division, cubes, truths)}")
    missing = missing_classes(division)
    empty = [one.name for one, count in zip(division.classes, division.of_classes(), strict=True) if not count]
    if empty:
        why = "missing values (NaN) or only zeros"
        raise ValueError(
            f"no labelled spectrum of {in_short(empty)} holds data ({why}); label others, or fill missing values first (step 'fill')"
        )
    if missing:
        raise ValueError(f"no training samples are left of {in_short(missing)}; {_remedy(experiment, division, cubes, truths)}")


def _none_left(part: str, experiment: Experiment, division: Division) -> str:
    split, patch = experiment.split, division.layout.patch
    shapes = ", ".join("×".join(map(str, m.shape[1:] if m.shape[0] == 1 else m.shape)) for m in division.maps)
    patches = f", patches of {patch}" if patch > 1 else ""
    return f"no samples are left for {part}: {shapes} pixels{patches}, validation {split.validation:g}, test {split.test:g}"


def _remedy(experiment: Experiment, division: Division, cubes: Sequence[Cube], truths: Sequence[Truth]) -> str:
    """Return the first change with which every part and class has samples; if there is none, what the data lack."""
    if sum(cube.count for cube in cubes) > LARGEST:
        return "choose other values in split, or a smaller data.patch"
    for change in _changes(experiment):
        if _suffices(experiment, change, cubes, truths):
            return f"set {' and '.join(change)}"
    parts = len(wanted_parts(experiment, cubes))
    what = "images" if experiment.task.of_images else "pixels" if any(cube.is_image for cube in cubes) else "spectra"
    if experiment.task.classifies:
        copies = first_occurrences(cubes, [data.shape for data in division.data]) is not None
        once = ", of which equal ones count once, since they are held out together" if copies else ""
        return f"no split of these labels leaves samples for all {parts} parts; label more {what}: {parts + 1} or more of each class{once}"
    held, total = sum(int(data.sum()) for data in division.data), sum(data.size for data in division.data)
    why = f"no split of these data leaves samples for all {parts} parts"
    if held < parts:
        return f"{why}: {held:,} of {total:,} {what} {'holds' if held == 1 else 'hold'} data, and {parts} or more are needed"
    side = _least_side(experiment)
    return f"{why}; pass an image of {side} × {side} pixels or more{' that hold data' if held < total else ''}, or several"


def _least_side(experiment: Experiment) -> int:
    """Return the side of the smallest square image that can be split, or a part of it that is certainly enough."""
    unit, times = least_patch(experiment.task), experiment.task.enlarges if experiment.task.needs_truth else 1
    for side in (unit * number for number in range(1, LARGEST_SIDE // unit)):
        cube, truth = (Cube(np.broadcast_to(np.float32(1), (side * factor, side * factor, 2))) for factor in (1, times))
        if any(_suffices(experiment, change, [cube], [truth] if experiment.task.needs_truth else []) for change in _changes(experiment)):
            return side
    return LARGEST_SIDE


def _suffices(experiment: Experiment, change: Sequence[str], cubes: Sequence[Cube], truths: Sequence[Truth]) -> bool:
    try:
        changed = experiment.override(*change)
        if problems_with(changed, cubes, truths):
            return False
        division = divide(changed, cubes, truths, draws=DRAWS)
    except ValueError:  # the change does not fit these data, or another setting
        return False
    return set(wanted_parts(changed, cubes)) <= set(division.counts()) and not missing_classes(division)


def _changes(experiment: Experiment) -> Iterator[list[str]]:
    """Yield changes, the smallest first."""
    split = experiment.split
    shares = [
        [f"split.validation={validation:g}", *([f"split.test={min(test, split.test):g}"] if split.test else [])]
        for validation, test in ((0.1, 0.1), (0.2, 0.2), (0.34, 0.3), (0.5, 0.25), (0.05, 0.05))
    ]
    yield from shares
    if split.test:
        yield ["split.test=0"]
    gap = ["split.gap=0"] if split.gap != 0 else []
    if gap:
        yield gap
    block = split.block or BLOCK
    blocks = [[f"split.block={block // number}"] for number in (2, 4, 8) if block // number]
    if split.method == "blocks" or (experiment.task.classifies and split.method == "auto"):
        yield from ([*block, *share] for block in [[f"split.seed={split.seed + 1}"], *blocks] for share in [[], *shares[1:4:2]])
    factor = experiment.task.enlarges
    if experiment.looks_around and not experiment.network.around and (factor > 1 or not experiment.network.classical):
        least = least_patch(experiment.task)
        sizes = sorted({max(least, size // factor * factor) for size in (experiment.data.patch // 2, 24, 16, 12, 8, 4)}, reverse=True)
        smaller = [[f"data.patch={size}"] for size in sizes if size < experiment.data.patch]
        smaller = [
            [*patch, f"split.block={2 * int(patch[0].split('=')[1])}"] if split.method == "blocks" and split.block else patch
            for patch in smaller
        ]
        yield from smaller
        yield from ([*patch, *gap] for patch in smaller[-2:])
    for method in ("contiguous", "stratified", "random"):
        if method != split.method:
            yield from ([f"split.method={method}", *share] for share in [[], *shares[1:4:2]])
    if experiment.network.can_use_single_spectra and not experiment.task.of_images and experiment.task.enlarges == 1:
        yield from (["network.dims=1", *share] for share in [[], *shares[1:4:2]])
