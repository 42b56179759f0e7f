"""Cubes and their truths (cubes or classes) for a training, from files, folders, arrays and layers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import io
from napari_spectrai.class_numbers import in_one_numbering
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Data, Experiment
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.compatibility import with_bands_of
from napari_spectrai.io.columns import column_roles
from napari_spectrai.io.folders import is_folder_of_files, stem
from napari_spectrai.io.labels import SUFFIXES, read_labels
from napari_spectrai.io.reading import existing
from napari_spectrai.label_conversion import labels_of
from napari_spectrai.labels import Class, Labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.marks import is_marks, labels_of_marks
from napari_spectrai.plan.pairing import paired
from napari_spectrai.remedies import reading_as
from napari_spectrai.spec import Problem, SettingsError

Truth = Cube | Labels


def gather(experiment: Experiment, cubes: Any, truths: Any) -> tuple[list[Cube], list[Truth]]:
    """Return cubes and truths as lists, read from the experiment's files if none are passed, and check that they match.

    Raises
    ------
    SettingsError
        A ValueError: if there are no data, a truth is missing, or shapes or axes differ; the message names the pair.

    Warns
    -----
    SpectralWarning
        If a truth does not coincide with its input, and both were cut to their common area, or labels were resampled.
    """
    task = experiment.task
    inputs, targets = from_files(experiment) if cubes is None else given(experiment, cubes, truths)
    inputs, targets, words = by_position(experiment, inputs, targets)
    if task.classifies:
        targets, numbering = in_one_numbering(targets)  # type: ignore[arg-type, assignment]  # labels
        words += [numbering] if numbering else []
    for sentence in words:
        warnings.warn(sentence, SpectralWarning, stacklevel=3)
    if task.of_images:
        inputs, targets = _planes(inputs, targets)
    inputs = [with_bands_of(inputs[0].axis, cube) for cube in inputs]
    known = inputs if task.same_axis else [one for one in targets if isinstance(one, Cube)]
    targets = [with_bands_of(known[0].axis, one) if isinstance(one, Cube) and known else one for one in targets]
    if task.same_axis and len(inputs) == len(targets):
        pairs = [share_axis(cube, truth) for cube, truth in zip(inputs, targets, strict=True)]  # type: ignore[arg-type]
        inputs, targets = [cube for cube, _ in pairs], [truth for _, truth in pairs]
    found = problems_with(experiment, inputs, targets)
    if found:
        raise SettingsError(found)
    return inputs, targets


def given(experiment: Experiment, cubes: Any, truths: Any) -> tuple[list[Cube], list[Truth]]:
    """Return cubes, arrays or layers, and their truths, as lists; points and shapes become labels on their input's pixels.

    Raises
    ------
    ValueError
        If something is neither a cube nor labels.
    """
    inputs = _with_parts(experiment.data.parts, [[as_cube(cube)] for cube in _as_list(cubes)])
    if not experiment.task.classifies:
        return inputs, [as_cube(truth) for truth in _as_list(truths)]
    items = _as_list(truths)
    if any(is_marks(item) for item in items):
        truths = [labels_of_marks(item, cube) if is_marks(item) else item for item, cube in zip(items, inputs, strict=False)]
    return inputs, [*labels_of(truths, [cube.spatial_shape for cube in inputs])]


def by_position(experiment: Experiment, inputs: Sequence[Cube], targets: Sequence[Truth]) -> tuple[list[Cube], list[Truth], list[str]]:
    """Return pairs of the same area, and what was done to them; unchanged if positions are unknown or not to be used.

    Raises
    ------
    SettingsError
        A ValueError: if the pixels of a pair do not coincide.
    """
    if experiment.data.pairing != "position" or not experiment.task.needs_truth or len(inputs) != len(targets):
        return list(inputs), list(targets), []
    pairs = [paired(experiment.task, cube, truth) for cube, truth in zip(inputs, targets, strict=True)]
    troubles = [pair.trouble or _all_outside(truth, pair.truth, pair.cube) for truth, pair in zip(targets, pairs, strict=True)]
    found = [Problem("truth", f"{trouble}, or set data.pairing=pixels") for trouble in troubles if trouble]
    if found:
        raise SettingsError(found)
    return [pair.cube for pair in pairs], [pair.truth for pair in pairs], [pair.words for pair in pairs if pair.words]


def _all_outside(given: Truth, taken: Truth, cube: Cube) -> str:
    """Return why labels have no class at the position of a cube, if they have some elsewhere; else nothing."""
    if not isinstance(given, Labels) or not isinstance(taken, Labels) or taken.values() or not given.values():
        return ""
    return (
        f"no labelled pixel of {given.name or 'the labels'!r} lies within {cube.name or 'the cube'!r} (scale, translate and rotation of "
        "layers say where pixels lie); set its position to that of the other one"
    )


def _planes(cubes: list[Cube], truths: list[Truth]) -> tuple[list[Cube], list[Truth]]:
    """Return stacks as single images, with the labels of each; one class per plane is sufficient."""
    images: list[Cube] = []
    labels: list[Truth] = []
    for cube, truth in zip(cubes, truths, strict=False):
        spatial = cube.spatial_shape
        if not isinstance(truth, Labels) or len(spatial) < 2 or truth.shape not in (spatial, spatial[:-2]):
            return cubes, truths  # reported by the checks
        whole = truth.data if truth.shape == spatial else np.broadcast_to(truth.data[..., None, None], spatial)
        for plane in np.ndindex(*spatial[:-2]):
            number = f" {', '.join(map(str, plane))}" if plane else ""
            images.append(replace(cube, data=cube.data[plane], name=f"{cube.name}{number}"))
            labels.append(replace(truth, data=whole[plane]))
    return images, labels


def share_axis(cube: Cube, truth: Cube) -> tuple[Cube, Cube]:
    """Return a pair in which data without band positions get those of their partner, so that steps treat both alike."""
    if len(cube.axis) == len(truth.axis):
        if cube.axis.unit and not truth.axis.unit:
            return cube, as_cube(truth, axis=cube.axis)
        if truth.axis.unit and not cube.axis.unit:
            return as_cube(cube, axis=truth.axis), truth
    return cube, truth


def _as_list(items: Any) -> list[Any]:
    if items is None:
        return []
    return list(items) if isinstance(items, list | tuple) else [items]


def from_files(experiment: Experiment) -> tuple[list[Cube], list[Truth]]:
    """Read the files of the experiment's data: files, folders of files, or for classes folders with one folder per class."""
    data, task = experiment.data, experiment.task
    if task.classifies and not data.truth:
        return _classes_of(data)
    with reading_as("input"):
        inputs = _with_parts(data.parts, [_read(path, data, data.dataset) for path in data.input])
    with reading_as("truth"):
        if not task.classifies:
            return inputs, [cube for path in data.truth for cube in _read(path, data, data.truth_dataset)]
        return inputs, [read_labels(path, dataset=data.truth_dataset) for path in _expanded(data.truth, SUFFIXES)]


def _with_parts(parts: Sequence[str], inputs: Sequence[list[Cube]]) -> list[Cube]:
    """Return the cubes of all inputs, with their part in the metadata."""
    if not parts:
        return [cube for cubes in inputs for cube in cubes]
    if len(parts) != len(inputs):
        raise SettingsError([Problem("data.parts", f"{len(parts)} parts for {len(inputs)} inputs; list one for each")])
    return [replace(cube, metadata={**cube.metadata, "part": part}) for part, cubes in zip(parts, inputs, strict=True) for cube in cubes]


def _opened(file: Path, data: Data, dataset: str | None) -> Cube:
    """Read a file with what the document says of it; roles of columns are those of its tables."""
    columns = column_roles(data.columns) if data.columns and existing(file).module == "text" else None
    return io.read(file, dataset=dataset, spectral=data.spectral, axis=data.axis, columns=columns)


def _read(path: Path, data: Data, dataset: str | None) -> list[Cube]:
    """Return the cubes of a file or a folder; single spectra in separate files become one set."""
    cubes = [_opened(file, data, dataset) for file in _expanded([path], axis=data.axis)]
    return [_joined(cubes, path.name)] if len(cubes) > 1 and all(_is_one(cube) for cube in cubes) and _alike(cubes) else cubes


def _is_one(cube: Cube) -> bool:
    return not cube.is_image and cube.count == 1


def _alike(cubes: Sequence[Cube]) -> bool:
    return all(cubes[0].axis.mismatch(cube.axis) is None for cube in cubes)


def _joined(cubes: Sequence[Cube], name: str) -> Cube:
    """Return the spectra of several files as a set, with the names of the files; of a file of several, once for each."""
    names = [stem(cube.source) if cube.source is not None else cube.name for cube in cubes for _ in range(cube.count)]
    return Cube(np.concatenate([cube.numpy() for cube in cubes]), cubes[0].axis, name=name, metadata={"labels": names})


def _expanded(paths: Sequence[Path], suffixes: Sequence[str] | None = None, *, axis: str | None = None) -> list[Path]:
    """Return the files of folders, sorted by name; a store that is a folder counts as a file."""
    known = tuple(suffixes) if suffixes else tuple(suffix for f in io.FORMATS for suffix in f.suffixes)
    found: list[Path] = []
    for path in paths:
        if is_folder_of_files(path, axis=axis):
            files = sorted(file for file in path.iterdir() if file.name.lower().endswith(known) and not file.name.startswith("."))
            if not files:
                raise FileNotFoundError(f"{path} contains no readable file")
            found += files
        else:
            found.append(path)
    return found


def _classes_of(data: Data) -> tuple[list[Cube], list[Truth]]:
    with reading_as("input"):
        found = [_class_folder(folder, data) for folder in data.input]
    cubes = _with_parts(data.parts, [[cube for cube, _ in pairs] for pairs in found])
    names = [each for pairs in found for _, each in pairs]
    known = sorted({name for each in names for name in each})
    numbers = dict(enumerate(known, 1))
    return cubes, [
        Labels(
            np.broadcast_to(np.array([known.index(name) + 1 for name in each], np.int64), cube.spatial_shape),
            numbers,
            name=each[0] if len(each) == 1 else cube.name,
        )
        for cube, each in zip(cubes, names, strict=True)
    ]


def _class_folder(folder: Path, data: Data) -> list[tuple[Cube, list[str]]]:
    """Return the cubes of a folder with one folder per class, with their class, or one class for each spectrum of a set."""
    inner = sorted(filter(is_folder_of_files, folder.iterdir())) if is_folder_of_files(folder) else []
    if not inner:
        raise ValueError(
            f"data.truth is empty, so {folder} must contain one folder per class; list label images in data.truth, or use such a folder"
        )
    found = {one.name: [_opened(file, data, data.dataset) for file in _expanded([one], axis=data.axis)] for one in inner}
    pairs = [(cube, [name]) for name, cubes in found.items() for cube in cubes]
    cubes = [cube for cube, _ in pairs]
    # one file per spectrum, or per class, cannot be split by file: they become one set
    single = all(len(of_class) == 1 or all(_is_one(cube) for cube in of_class) for of_class in found.values())
    if single and len(cubes) > 1 and not any(cube.is_image for cube in cubes) and _alike(cubes):
        return [(_joined(cubes, folder.name), [names[0] for cube, names in pairs for _ in range(cube.count)])]
    return pairs


def class_table(truths: Sequence[Truth], unlabelled: int | None) -> list[Class]:
    """Return the classes of all labels, by number; names and colours are those of the first labels that define them."""
    found: dict[int, Class] = {}
    for labels in truths:
        if isinstance(labels, Labels):
            for one in labels.classes(unlabelled):
                known = found.get(one.value)
                if known is None or (known.name == f"class {one.value}" and one.name != known.name):
                    found[one.value] = one if known is None or one.colour else replace(one, colour=known.colour)
    return [found[value] for value in sorted(found)]


def numbered(labels: Labels, table: Sequence[Class]) -> npt.NDArray[np.int64]:
    """Return the labels as indices into the table, from 1; 0 for pixels without a class."""
    values = np.array([one.value for one in table])
    place = np.minimum(np.searchsorted(values, labels.data), len(values) - 1)
    result: npt.NDArray[np.int64] = np.where(values[place] == labels.data, place + 1, 0).astype(np.int64)
    return result
