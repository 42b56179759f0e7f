"""Prepare and start jobs: hand over their data, so that the window never waits and stopping always works."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.augmentations import augmentations
from napari_spectrai.experiment.losses import losses
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.experiment.training import optimisers, schedules
from napari_spectrai.files import make_folder
from napari_spectrai.io import write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.plan.pairing import relation
from napari_spectrai.plan.truths import by_position, given
from napari_spectrai.preparation import Step, save_steps
from napari_spectrai.preparation import steps as registry
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.launch_signal import launched
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.run import Run
from napari_spectrai.runs.scratch import job_folder
from napari_spectrai.spec import Registry


def prepare(experiment: Experiment, cubes: Any = None, truths: Any = None, *, run: str | Path | None = None) -> Run:
    """Do everything that `launch` does except starting the process; may take a while, and can run on a thread."""
    _refuse_local(experiment)
    folder = RunFolder.create(experiment, run)
    data_in(experiment, cubes, truths, folder).save(folder.document)
    return Run(folder)


def data_in(experiment: Experiment, cubes: Any, truths: Any, folder: RunFolder) -> Experiment:
    """Return the experiment with the files of its data; data that are not an unchanged file are written into `folder`."""
    paths: dict[str, Any]
    if cubes is not None:
        inputs, targets = given(experiment, cubes, truths)
        known = any(relation(cube, truth) is not None for cube, truth in zip(inputs, targets, strict=False))
        inputs, targets, words = by_position(experiment, inputs, targets)
        for sentence in words:
            warnings.warn(sentence, SpectralWarning, stacklevel=3)
        paths = {"input": hand_over(inputs, folder, "input"), "truth": _truths(experiment, targets, folder)}
        # the positions in the files are not used: a layer may have been moved since it was opened
        paths |= {"pairing": "pixels"} if known else {}
    else:
        paths = {side: [file.absolute() for file in getattr(experiment.data, side)] for side in ("input", "truth")}
    return experiment.model_copy(update={"data": experiment.data.model_copy(update=paths)})


def launch(experiment: Experiment, cubes: Any = None, truths: Any = None, *, run: str | Path | None = None) -> Run:
    """Train in a separate process, and return a handle at once. In napari's console, the Train dock follows the run.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : Cube, array, layer or list of them, optional
        Default: the files named by ``experiment.data``. Data that are not an unchanged file are copied into the run folder.
    run : path, optional
        The run folder; default: a new one in `default_folder`.

    Returns
    -------
    Run
        ``.events()``, ``.pause()``, ``.stop()``, ``.resume()``, ``.wait()`` and ``.model()``.

    Raises
    ------
    TypeError
        If `experiment` is no Experiment.
    ValueError
        If a kind was registered in this process only, so that another process cannot know it.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> noisy, clean = pairs.cube[:100], pairs.truth[:100]
    >>> experiment = spectrai.Experiment.default("denoising", noisy, clean).override("training.epochs=2")
    >>> run = spectrai.launch(experiment, noisy, clean, run="my-run")
    >>> run.wait()
    0
    >>> run.close()
    >>> run.model().axis == pairs.cube.axis
    True
    """
    of_type(experiment, Experiment, "the first argument of launch", "make one with Experiment.default(task, cube, truth)")
    started = prepare(experiment, cubes, truths, run=run)
    started.start()
    launched.add(started)
    return started


def prepare_prediction(
    model: str | Path,
    cube: Any,
    options: PredictOptions | None = None,
    *,
    folder: str | Path | None = None,
    out: str | Path | None = None,
) -> Job:
    """Return the job, not yet started, that applies a model.

    Parameters
    ----------
    model : path of a model file, or the kind of a method without training
    cube : Cube, array, napari layer, or path of a file, which is read by the job
    options : PredictOptions, optional
    folder : path, optional
        Folder of the job; default: a temporary folder.
    out : path, optional
        Path of the result. Default: ``result.zarr`` in the job's folder; if the job is stopped, the finished part is written to
        ``result-part.zarr`` next to it.
    """
    with job_folder(folder) as place:
        source = cube.absolute() if isinstance(cube, Path) else hand_over(cube, place, "input")[0]
    written = out is not None
    if out is not None:  # chosen in a dock, where no one is asked to make a folder first
        make_folder(Path(out).parent)
    arguments = (options or PredictOptions()).arguments()
    if out is None:
        out, arguments = place.path / "result.zarr", ["--partial", str(place.path / "result-part.zarr"), *arguments]
    command = ["predict", str(model), str(source), "-o", str(out), "--overwrite", "--run", str(place.path), *arguments]
    return Job(place, command, remains=written)


def prepare_preprocessing(steps: Sequence[Step], cube: Any, *, folder: str | Path | None = None) -> Job:
    """Return the job, not yet started, that applies preparation steps; the result will be ``result.zarr`` in the job's folder."""
    for step in steps:
        _refuse_unknown(registry, step.kind)
    with job_folder(folder) as place:
        (source,) = hand_over(cube, place, "input")
        document = place.path / "steps.yml"
        save_steps(steps, document)
    return Job(place, ["preprocess", str(document), str(source), "-o", str(place.path / "result.zarr"), "--run", str(place.path)])


def _truths(experiment: Experiment, truths: Sequence[Any], folder: RunFolder) -> list[Path]:
    if not experiment.task.classifies:
        return hand_over(list(truths), folder, "truth")
    return [
        labels.source.absolute() if labels.source is not None else write_labels(labels, folder.data / f"truth-{number}.zarr")
        for number, labels in enumerate(truths)
    ]


def hand_over(cubes: Any, folder: RunFolder, side: str) -> list[Path]:
    """Return files with the data of `cubes`: their own if unchanged, else copies in the run folder."""
    items = list(cubes) if isinstance(cubes, list | tuple) else [cubes]
    paths = []
    for number, item in enumerate(items):
        cube: Cube = as_cube(item)
        if cube.source is not None and not isinstance(cube.data, np.ndarray):
            paths.append(cube.source.absolute())
        else:
            paths.append(write(cube, folder.data / f"{side}-{number}.zarr"))
    return paths


def _refuse_local(experiment: Experiment) -> None:
    used: list[tuple[Registry[Any], str]] = [(networks, experiment.network.kind), (losses, experiment.loss.kind)]
    used += [(losses, part.kind) for part in experiment.loss.terms]
    used += [(tasks, experiment.task.kind), (optimisers, experiment.training.optimiser.kind)]
    used += [(schedules, experiment.training.schedule.kind)]
    used += [(augmentations, augmentation.kind) for augmentation in experiment.augmentation]
    used += [(registry, step.kind) for step in experiment.preparation]
    for kinds, kind in used:
        _refuse_unknown(kinds, kind)


def _refuse_unknown(kinds: Registry[Any], kind: str) -> None:
    if kinds.is_local(kind):
        raise ValueError(
            f"{kinds.what} {kind!r} was registered in this process only, and another process cannot know it;  "
            f"declare it in the entry-point group {kinds.group!r}, or use fit or preprocess in this process"
        )
