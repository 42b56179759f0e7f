"""From cubes and truths to a data set: split, prepared, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.labels import Class, Labels
from napari_spectrai.learn.dataset import Dataset
from napari_spectrai.learn.pool import Place, Samples
from napari_spectrai.learn.split import NAMES, TEST, TRAINING, UNUSED, VALIDATION, Map, apart, origins, split_maps
from napari_spectrai.learn.truths import Truth, class_table, numbered
from napari_spectrai.preparation import Preparation

FITTING_SPECTRA = 200_000
"""Spectra that a step which learns from the training data gets to see; a larger set is thinned to it."""


def assemble(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map] | None = None) -> Dataset:
    """Split, prepare and pool. `maps` (of a resumed run) replaces a new split.

    Raises
    ------
    ValueError
        If values are missing (NaN, infinite), a part has no samples, or a class none to learn from; with the place and the remedy.
    """
    task, split = experiment.task, experiment.split
    layout = _layout(experiment)
    shapes = [_as_volume(cube) for cube in cubes]
    table = class_table(truths, task.unlabelled) if task.truth == "labels" else []  # type: ignore[attr-defined]
    marked = [numbered(truth, table).reshape(shape) for truth, shape in zip(truths, shapes, strict=False) if isinstance(truth, Labels)]
    groups = _groups(experiment, cubes, shapes)
    parts_told = _told(cubes)
    if maps is None:
        patch = 1 if layout.shared else layout.patch
        maps = split_maps(shapes, split, patch, classes=marked or None, groups=groups, parts=parts_told)
    maps = list(maps)
    if [m.shape for m in maps] != shapes:
        raise ValueError(f"the saved split is for cubes of shape {[m.shape for m in maps]} (z, y, x), not {shapes}; start a new run")
    raw = [cube.numpy().reshape(-1, cube.shape[-1]) for cube in cubes]
    fitting = np.concatenate([_thinned(r[m.ravel() == TRAINING]) for r, m in zip(raw, maps, strict=True)])
    if not len(fitting):
        raise ValueError(_none_left("training", experiment, layout, maps))
    if not any(step.kind == "fill" for step in experiment.preparation):
        for cube, spectra in zip(cubes, raw, strict=True):
            refuse_missing(spectra, cube, "input")
    preparation = Preparation(tuple(experiment.preparation)).fitted(fitting, cubes[0].axis)
    prepared, prepared_axis = _prepared(cubes, raw, preparation, "input")
    places = _places(shapes, layout)
    inputs = _pooled(prepared, places)
    targets, truth_axis = None, prepared_axis
    if marked:
        targets = torch.from_numpy(np.concatenate([_padded(m, place, edge=False).ravel() for m, place in zip(marked, places, strict=True)]))
    elif truths:
        sharp, truth_axis = _prepared(truths, [t.numpy().reshape(-1, t.shape[-1]) for t in truths], preparation, "truth")  # type: ignore[union-attr, arg-type]
        targets = torch.from_numpy(sharp[0] if len(sharp) == 1 else np.concatenate(sharp))
    notes: list[str] = []
    if split.method in ("random", "stratified") and any(cube.is_image for cube in cubes) and not task.of_images:
        notes.append("Neighbouring pixels are split at random: scores will flatter. Use blocks or contiguous for an honest figure.")
    known = [m > 0 for m in marked] if marked else None
    parts = _parts(maps, layout, places, inputs, known, notes)
    for part in ("training", "validation", *(["test"] if split.test and parts_told is None else [])):
        if part not in parts:
            raise ValueError(_none_left(part, experiment, layout, maps))
    _refuse_missing_class(table, marked, maps)
    labels = np.concatenate([_padded(m, place, edge=False).ravel() for m, place in zip(maps, places, strict=True)])
    return Dataset(
        inputs=torch.from_numpy(inputs), truths=targets, parts=parts, preparation=preparation,
        axis=cubes[0].axis, prepared_axis=prepared_axis, truth_axis=truth_axis, maps=maps, places=places, labels=torch.from_numpy(labels),
        names=[f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes], notes=notes,
        times=task.enlarges if task.needs_truth else 1, shared=layout.shared, classes=table, of_images=task.of_images,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Layout:
    """How samples lie in the pool: the patch, what is added around each cube, whether patches reach into other parts."""

    patch: int
    margin: int = 0
    shared: bool = False
    pixelwise: bool = False


def _layout(experiment: Experiment) -> _Layout:
    network, task, split = experiment.network, experiment.task, experiment.split
    shared = task.truth == "labels" and (split.context == "shared" or split.method in ("random", "stratified"))
    if not experiment.looks_around or (network.classical and task.truth == "cube" and task.enlarges == 1):
        return _Layout(1)
    if network.around:
        return _Layout(network.around, margin=network.around // 2, shared=shared, pixelwise=True)
    if network.classical and task.truth == "labels":
        return _Layout(1)
    patch = experiment.data.patch
    if task.enlarges > 1 and task.needs_truth:
        patch = max(1, patch // task.enlarges)
    return _Layout(patch, shared=shared)


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


def _told(cubes: Sequence[Cube]) -> list[str] | None:
    """Return the part that each cube is (``metadata["part"]``), where that is told."""
    told = [str(cube.metadata.get("part", "")) for cube in cubes]
    return told if all(told) else None


def _thinned(spectra: FloatArray) -> FloatArray:
    return spectra if len(spectra) <= FITTING_SPECTRA else spectra[:: -(-len(spectra) // FITTING_SPECTRA)]


def _prepared(
    cubes: Sequence[Cube], raw: Sequence[FloatArray], preparation: Preparation, side: str
) -> tuple[list[npt.NDArray[np.float32]], SpectralAxis]:
    prepared = []
    axis = cubes[0].axis
    for cube, spectra in zip(cubes, raw, strict=True):
        result, axis, _ = preparation.apply(spectra, cube.axis)
        refuse_missing(spectra, cube, side, result)
        prepared.append(np.ascontiguousarray(result, dtype=np.float32))
    return prepared, axis


def _places(shapes: Sequence[tuple[int, int, int]], layout: _Layout) -> list[Place]:
    places, base = [], 0
    for z, y, x in shapes:
        near = far = layout.margin
        padded = (z, y + near + far, x + near + far)
        if layout.shared and not layout.pixelwise and layout.patch > 1:  # whole patches cover everything, each pixel once
            padded = (z, -(-y // layout.patch) * layout.patch, -(-x // layout.patch) * layout.patch)
        places.append(Place(base, padded, (z, y, x), near))
        base += places[-1].size
    return places


def _padded(values: npt.NDArray[Any], place: Place, *, edge: bool) -> npt.NDArray[Any]:
    """Return (z, y, x, ...) with the margins of its place: the edge repeated, or zeros."""
    if place.padded == place.shape:
        return values
    near = place.margin
    around = [(0, 0), *((near, whole - inside - near) for whole, inside in zip(place.padded[1:], place.shape[1:], strict=True))]
    around += [(0, 0)] * (values.ndim - 3)
    return np.pad(values, around, mode="edge") if edge else np.pad(values, around)


def _pooled(prepared: Sequence[npt.NDArray[np.float32]], places: Sequence[Place]) -> npt.NDArray[np.float32]:
    flat = [
        _padded(spectra.reshape(*place.shape, -1), place, edge=True).reshape(place.size, -1)
        for spectra, place in zip(prepared, places, strict=True)
    ]
    return flat[0] if len(flat) == 1 else np.concatenate(flat)


def _refuse_missing_class(table: Sequence[Class], marked: Sequence[npt.NDArray[np.int64]], maps: Sequence[Map]) -> None:
    if not table:
        return
    learnt = np.zeros(len(table) + 1, np.int64)
    for classes, labels in zip(marked, maps, strict=True):
        learnt += np.bincount(classes[labels == TRAINING], minlength=len(table) + 1)
    missing = [one.name for one, count in zip(table, learnt[1:], strict=True) if not count]
    if missing:
        raise ValueError(
            f"no training samples are left of {', '.join(missing)}; choose another split.seed, smaller split.block, a stratified split, "
            "or lower split.validation and split.test"
        )


def refuse_missing(
    spectra: FloatArray,
    cube: Cube,
    side: str,
    prepared: FloatArray | None = None,
    *,
    origin: tuple[int, ...] = (),
    remedy: str = "crop them, or begin the preparation with the step 'fill'",
) -> None:
    """Raise ValueError if spectra (n, λ) of `cube`, once prepared, hold NaN or infinite values: how many, where, the remedy.

    `origin` is where `cube` begins in the image it was cut from.
    """
    bad = ~np.isfinite(spectra if prepared is None else prepared)
    if not bad.any():
        return
    missing = ~np.isfinite(spectra)  # preparation spreads them over the spectrum
    bad = missing if missing.any() else bad
    spectrum, band = np.argwhere(bad)[0]
    pixel = [int(c) for c in np.unravel_index(spectrum, cube.spatial_shape)]
    for place, start in enumerate(origin):
        pixel[place] += start
    raise ValueError(
        f"{side} {cube.name or 'cube'!r} holds {int(bad.sum()):,} NaN or infinite values in {int(bad.any(-1).sum()):,} spectra, "
        f"the first at pixel ({', '.join(map(str, pixel))}), band {band}; {remedy}"
    )


def _parts(
    maps: Sequence[Map],
    layout: _Layout,
    places: Sequence[Place],
    inputs: FloatArray,
    known: Sequence[npt.NDArray[np.bool_]] | None,
    notes: list[str],
) -> dict[str, Samples]:
    parts: dict[str, Samples] = {}
    for label, name in NAMES.items():
        first, column, row = [], [], []
        for number, (labels, place) in enumerate(zip(maps, places, strict=True)):
            corners = _corners(labels, label, layout, place, None if known is None else known[number])
            height, width = place.padded[1:]
            first.append(place.base + (corners[:, 0] * height + corners[:, 1]) * width + corners[:, 2])
            column.append(corners[:, 2])
            row.append(np.full(len(corners), width))
        firsts, columns, rows = np.concatenate(first), np.concatenate(column), np.concatenate(row)
        if layout.patch == 1 and len(firsts):
            # a spectrum of zeros (a dead pixel) has nothing to be learnt from, nor to be judged by
            alive: npt.NDArray[np.bool_] = np.asarray(inputs[firsts].any(-1))
            if not alive.all():
                notes.append(f"{int((~alive).sum()):,} of {len(alive):,} spectra for {name} are all zero and are left out.")
            firsts, columns, rows = firsts[alive], columns[alive], rows[alive]
        if len(firsts):
            parts[name] = Samples(torch.from_numpy(firsts), torch.from_numpy(columns), torch.from_numpy(rows), layout.patch, label)
    return parts


def _corners(labels: Map, label: int, layout: _Layout, place: Place, known: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
    """Return the first corners (n, 3) of the patches of one part, in the padded planes of its place."""
    wanted = labels == label if known is None else (labels == label) & known
    if layout.pixelwise:
        corners: npt.NDArray[np.int64] = np.argwhere(wanted)  # of the window around each pixel, since the margin shifts it
        if not layout.shared:
            inside = np.pad(labels, [(0, 0), *[(layout.margin, layout.margin)] * 2], constant_values=label)
            whole = np.zeros(labels.shape, bool)
            whole[tuple(origins(inside, label, layout.patch).T)] = True
            corners = corners[np.asarray(whole[tuple(corners.T)])]
        return corners
    if layout.patch == 1:
        return np.argwhere(wanted)
    held = label in (VALIDATION, TEST)
    if layout.shared:
        padded = _padded(np.where(wanted, label, UNUSED).astype(np.uint8), place, edge=False)
        step = layout.patch if held else 1
        corners = origins(padded > 0, label, layout.patch, least=1)
        on_grid: npt.NDArray[np.int64] = corners[(corners[:, 1] % step == 0) & (corners[:, 2] % step == 0)]
        return on_grid
    corners = origins(labels, label, layout.patch)
    if known is not None and len(corners):
        corners = corners[[known[z, y : y + layout.patch, x : x + layout.patch].any() for z, y, x in corners]]
    return apart(corners, layout.patch) if held else corners


def _none_left(part: str, experiment: Experiment, layout: _Layout, maps: Sequence[Map]) -> str:
    patch = layout.patch
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
