"""Prepare jobs that evaluate results: hand over their data, and write their command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io.labels import write_labels
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.result_table import SCORES
from napari_spectrai.runs.scratch import job_folder
from napari_spectrai.runs.start import hand_over


def prepare_evaluation(
    results: Mapping[str, Any],
    truth: Any,
    task: str = "denoising",
    *,
    source: Any = None,
    model: str | Path | None = None,
    options: EvaluateOptions | None = None,
    folder: str | Path | None = None,
) -> Job:
    """Return the job, not yet started, that evaluates results: an `Evaluation` will be in the folder ``judgement`` of the job's.

    Parameters
    ----------
    results, truth, task, source, model
        As for `napari_spectrai.evaluate`; what did not come unchanged from a file is copied into the job's folder.
    options : EvaluateOptions, optional
    folder : path, optional
        Default: a new temporary folder.

    Raises
    ------
    ValueError
        If there is no result, or if something is neither a cube nor labels.
    """
    if not results:
        raise ValueError("there is no result to evaluate; give one or several")
    is_classes = tasks[task].classifies
    items = [*results.values(), truth]
    with job_folder(folder) as place:
        files = [_labels(item, place, number) for number, item in enumerate(items)] if is_classes else hand_over(items, place, "result")
        noisy = [] if source is None else hand_over(source, place, "source")
    *handed, known = files
    first, *others = zip(results, handed, strict=True)
    arguments = ["evaluate", str(first[1]), str(known), "--task", task, f"--name={first[0]}", "--run", str(place.path)]
    arguments += [f"--also={name}={file}" for name, file in others]
    for file in noisy:
        arguments += ["--source", str(file)]
    if model is not None:
        arguments += ["--model", str(Path(model).absolute())]
    return Job(place, [*arguments, *(options or EvaluateOptions()).arguments()])


def prepare_folder_evaluation(
    results: Path, truths: Path, task: str = "denoising", *, source: Path | None = None, options: EvaluateOptions | None = None
) -> Job:
    """Return the job, not yet started, that scores each result in a folder against the truth of the same name in another.

    The table will be in ``scores.csv`` in the folder of the job.

    Parameters
    ----------
    results, truths : Path
        Folders of files.
    task : str
        Kind of the task whose metrics are computed.
    source : Path, optional
        Folder with the files that the results were made from.
    options : EvaluateOptions, optional
    """
    with job_folder(None) as place:
        table = place.path / SCORES
    arguments = ["evaluate", str(results.absolute()), str(truths.absolute()), "--task", task, "--csv", str(table), "--run", str(place.path)]
    arguments += [] if source is None else ["--source", str(source.absolute())]
    return Job(place, [*arguments, *(options or EvaluateOptions()).arguments()])


def _labels(item: Any, place: RunFolder, number: int) -> Path:
    labels = as_labels(item)
    return labels.source.absolute() if labels.source is not None else write_labels(labels, place.data / f"result-{number}.zarr")
