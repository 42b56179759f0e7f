"""What can be said against an experiment before anything runs: for the docks beside the field, for training as an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.preparation.step import SpatialStep
from napari_spectrai.spec import Problem


def problems_with(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Cube]) -> list[Problem]:
    """Return what stands against training `experiment` on these pairs, without reading a value; empty if nothing.

    The path ``"input"`` or ``"truth"`` names the data, any other a setting.
    """
    if not cubes:
        return [Problem("input", "there is nothing to train on; give a cube, or name files in data.input")]
    if len(cubes) != len(truths):
        task = experiment.task.title.lower()
        return [Problem("truth", f"{len(cubes)} inputs but {len(truths)} truths; {task} needs one truth for each input")]
    found: list[Problem] = []
    if any(_same(a, b) for number, a in enumerate(cubes) for b in cubes[:number]):
        found.append(Problem("input", "the same cube is given twice; it would train and validate on itself, give it once"))
    if getattr(experiment.network, "norm", "") == "batch" and experiment.training.batch == 1:
        found.append(Problem("training.batch", "batch normalisation needs 2 samples or more a step, not 1; or set network.norm=layer"))
    if any(_same(cube, truth) for cube, truth in zip(cubes, truths, strict=True)):
        found.append(Problem("truth", "input and truth are the same data; choose what the input should look like"))
    found += _preparation(experiment)
    for cube, truth in zip(cubes, truths, strict=True):
        found += _pair(cube, truth)
        difference = cubes[0].axis.mismatch(cube.axis)
        if difference:
            found.append(Problem("input", f"{_name(cube)} has {difference} ({_name(cubes[0])}); resample it onto the first's axis"))
        found += _network(experiment, cube)
    return found


def _preparation(experiment: Experiment) -> list[Problem]:
    found = []
    for number, step in enumerate(experiment.preparation):
        if isinstance(step, SpatialStep):
            why = "looks at neighbouring pixels, and a network is trained on spectra and patches; apply it to the cubes before (Preprocess)"
            found.append(Problem(f"preparation.{number}", f"{step.title!r} {why}"))
        elif not getattr(step, "back", True):
            why = "returns scores, which have no wavelengths to come back to; switch 'back' on"
            found.append(Problem(f"preparation.{number}.back", f"{step.title!r} {why}"))
    return found


def _same(one: Cube, other: Cube) -> bool:
    """Whether two cubes show the same memory."""
    if isinstance(one.data, np.ndarray) and isinstance(other.data, np.ndarray):
        first, second = (cube.data.__array_interface__ for cube in (one, other))
        return all(first[key] == second[key] for key in ("data", "shape", "strides", "typestr"))
    return one.data is other.data


def _name(cube: Cube) -> str:
    return repr(cube.name or "cube")


def _pair(cube: Cube, truth: Cube) -> list[Problem]:
    if cube.shape != truth.shape:
        return [
            Problem(
                "truth",
                f"input {_name(cube)} has shape {cube.shape} and its truth {_name(truth)} {truth.shape}; "
                "they must show the same pixels and bands (crop or resample one of them)",
            )
        ]
    # data without positions take their partner's word; two that disagree are refused
    difference = cube.axis.mismatch(truth.axis) if truth.axis.unit and cube.axis.unit else None
    if difference:
        return [Problem("truth", f"truth {_name(truth)} has {difference} (input {_name(cube)}); resample it onto the input's axis")]
    return []


def _network(experiment: Experiment, cube: Cube) -> list[Problem]:
    dims = getattr(experiment.network, "dims", 1)
    if dims == 1:
        return []
    if not cube.is_image:
        return [Problem("network.dims", f"{_name(cube)} is a set of spectra without neighbours, and dims={dims} needs an image; choose 1")]
    height, width = cube.spatial_shape[-2:]
    patch = experiment.data.patch
    if patch > min(height, width):
        return [
            Problem(
                "data.patch",
                f"patches of {patch} pixels exceed the {height} × {width} of {_name(cube)}; choose {min(height, width)} or less",
            )
        ]
    if experiment.split.method == "blocks" and experiment.split.block < patch:
        return [Problem("split.block", f"blocks of {experiment.split.block} pixels hold no patch of {patch}; choose {patch} or more")]
    return []
