"""The command evaluate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_spectrai.cli.common import (
    FAILED,
    STOPPED,
    WRONG_USE,
    Attached,
    Axis,
    Columns,
    Dataset,
    Overwrite,
    Spectral,
    TruthDataset,
    app,
    cube_of,
    echo,
    exit_with,
    followed,
    is_table,
    listen_in,
    log_failures,
    refuse_existing,
    refuse_missing,
    refuse_same,
)
from napari_spectrai.cli.evaluate_folder import evaluate_folder, read_one
from napari_spectrai.cli.parts import (
    How,
    PartOption,
    SchedulerOption,
    WorkersOption,
    chosen_part,
    done_elsewhere,
    refuse_overwriting_parts,
    say_part,
)
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io.folders import is_folder_of_files
from napari_spectrai.io.labels import read_labels
from napari_spectrai.labels import Labels
from napari_spectrai.remedies import Role, reading_as
from napari_spectrai.reports.evaluation_report import write_page
from napari_spectrai.runs import Evaluation, Finished, RunFolder, Saved
from napari_spectrai.runs.cluster import Job
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.spec import listed


@app.command()
def evaluate(
    result: Annotated[Path, typer.Argument(help="file with the result, or a folder of them; or a model, which is applied to --source")],
    truth: Annotated[Path, typer.Argument(help="file with the truth, or a folder of them, of the same names")],
    task: Annotated[
        str | None, typer.Option(help="the task whose metrics are computed; default: that of --model, or denoising, of cubes")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="also write the table as CSV to this file")] = None,
    name: Annotated[str, typer.Option(help="name of the result in the table")] = "result",
    also: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", help="another result (repeatable)")] = None,
    source: Annotated[Path | None, typer.Option(help="the file that the results were made from; adds the row 'raw'")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="a model: its classical methods are applied to the source and added as rows; spectra it was trained on are counted"
        ),
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(
            help="compare shapes: scale the truth's spectra by their own factors, results by those of their source: maximum, area …"
        ),
    ] = None,
    match: Annotated[
        bool, typer.Option("--match", help="the results hold cluster numbers: assign to each cluster its most frequent class")
    ] = False,
    class_mean: Annotated[
        str,
        typer.Option(help="classes that F1, IoU and Dice are averaged over: truth, or union (also those of the result, as scikit-learn)"),
    ] = "truth",
    pairing: Annotated[
        Literal["position", "pixels"],
        typer.Option(help="position: compare files with stage coordinates by position; pixels: pixel by pixel"),
    ] = "position",
    maps: Annotated[
        Path | None, typer.Option(help="write maps to this folder: error and spectral angle of each pixel, or the wrong pixels (.zarr)")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="also write an HTML report with tables, curves and maps to this file")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="write the evaluation (scores, maps) to this folder; with --part, all write into it"),
    ] = None,
    part: PartOption = None,
    dataset: Dataset = None,
    truth_dataset: TruthDataset = None,
    source_dataset: Annotated[
        str | None, typer.Option("--source-dataset", metavar="NAME", help="which array of the source, if it holds several")
    ] = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    overwrite: Overwrite = False,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Print the scores of results against the truth, with the raw source and classical methods for comparison.

    Scores are computed on the intensities in the files, unless --normalise is given.
    """
    options = _options(normalise=normalise, match=match, class_mean=class_mean, pairing=pairing)
    folder = listen_in(run, attached=attached)
    is_model = result.suffix.lower() == ".safetensors"
    asked, task = task, task or _task_of(result if is_model else model)
    if is_folder_of_files(result):
        given_too = {"--also": also, "--model": model, "--maps": maps, "--html": html, "--output": output, "--part": part,
                     "--workers": workers, "--scheduler": scheduler}  # fmt: skip
        evaluate_folder(
            result, truth, task, source, csv, options, given_too,
            reading=partial(read_one, task, dataset, spectral, axis, columns), overwrite=overwrite, folder=folder,
        )  # fmt: skip
        return
    with exit_with(WRONG_USE), log_failures(folder):
        is_classes, files = tasks[task].classifies, _files({name: result}, also or [])
        several = bool(also) or model is not None or (part, workers, scheduler) != (None, None, None)
        _refuse_models(result if is_model else None, model, source, several=several)
        if html is not None and html.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{html.name}: the page is HTML; name it {html.stem}.html")
        given = [*files.values(), truth, *(path for path in (source, model) if path is not None)]
        refuse_missing(*given)
        for written in (csv, html, maps, output):
            if written is not None:
                refuse_same(written, *given)
        only = chosen_part(part, workers, scheduler, output)
        if only is not None:
            _refuse_in_parts(output, model, overwrite=overwrite)
        taken = sorted(maps.glob("*.zarr")) if maps is not None else []
        folders = [] if only is not None else [maps if maps is not None and not maps.is_dir() else None, *taken[:1], output]
        started = only is not None and output is not None and output.exists()  # then a repeated part writes its own tables again
        refuse_existing(csv, html, *folders, overwrite=overwrite or started)
    with exit_with(FAILED), log_failures(folder):
        from napari_spectrai.learn.evaluation.evaluate import evaluating

        def opening(path: Path, array: str | None, role: Role = "input") -> partial[Cube]:
            return partial(_read_as, role, cube_of, path.absolute(), array, spectral, axis, columns if is_table(path) else None)

        noisy = None if source is None else opening(source, source_dataset, "source")
        if only is not None:
            of: Any = _opening_labels if is_classes else opening
            openers = {name: of(path, dataset) for name, path in files.items()}
            job = _job(openers, of(truth, truth_dataset, "truth"), noisy, task, options, output)
            evaluation = _evaluate_part(job, output, (only, workers, scheduler), folder)
        else:

            def opened(path: Path, array: str | None, role: Role = "input") -> Any:
                return (_opening_labels if is_classes else opening)(path, array, role)()

            results = result if is_model else {label: opened(file, dataset) for label, file in files.items()}
            raw = None if noisy is None else noisy()
            steps = evaluating(results, opened(truth, truth_dataset, "truth"), asked, source=raw, model=model, options=options)
            evaluation = followed(steps, folder, "evaluating")
        if evaluation is not None:
            echo(evaluation)
            _write(evaluation, csv, html, maps, None if only is not None else output)
            if folder is not None:
                folder.append(Saved("result", str(evaluation.save(folder.path / "judgement"))))
                folder.append(Finished("done"))
    if evaluation is None and only is None:
        raise typer.Exit(STOPPED)


def _files(result: dict[str, Path], also: list[str]) -> dict[str, Path]:
    """Return all results by name."""
    files = result | dict(_named(text) for text in also)
    if len(files) != 1 + len(also):
        raise ValueError(f"two results have the same name; choose names other than {listed(files)}")
    return files


def _refuse_models(result: Path | None, model: Path | None, source: Path | None, *, several: bool) -> None:
    """Refuse models without what they are applied to, and a model as the result where there are `several`, or parts."""
    if model is not None and source is None:
        raise ValueError("--model applies its classical methods to a source; name it with --source")
    if result is None:
        return
    if several:
        raise ValueError(f"{result.name} is a model, which is scored alone and at once; predict first, and give the results")
    if source is None and read_card(result).experiment.task.needs_truth:
        raise ValueError(f"{result.name} is a model; name what it is applied to with --source")


def _task_of(model: Path | None) -> str:
    """Return the task of a model; without one, that of cubes."""
    if model is None:
        return "denoising"
    with exit_with(WRONG_USE):
        refuse_missing(model)
        return read_card(model).experiment.task.kind


def _options(**chosen: Any) -> EvaluateOptions:
    with exit_with(WRONG_USE):
        return EvaluateOptions(**chosen)


def _job(
    results: dict[str, partial[Any]], truth: partial[Any], source: partial[Cube] | None, task: str, options: EvaluateOptions,
    output: Path | None,
) -> Job:  # fmt: skip
    """Return what scores a part of files, here or on a worker."""
    from napari_spectrai.learn.evaluation.parts import evaluating_on_worker

    assert output is not None  # noqa: S101  # refused before
    return partial(evaluating_on_worker, results, truth, source, task, options, output.absolute())


def _opening_labels(path: Path, array: str | None, role: Role = "input") -> partial[Labels]:
    return partial(_read_as, role, read_labels, path.absolute(), dataset=array)


def _read_as(role: Role, read: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Open a file; what is wrong with it is worded for what it is to the evaluation."""
    with reading_as(role):
        return read(*arguments, **options)


def _evaluate_part(job: Job, output: Path | None, how: How, folder: RunFolder | None) -> Evaluation | None:
    """Score one part, or let others score all; return the evaluation if it is complete."""
    assert output is not None  # noqa: S101  # refused before
    only = done_elsewhere(*how, store=output, job=job, folder=folder, what="evaluating")
    evaluation: Evaluation | None = followed(job(only), folder, f"evaluating part {only}")
    say_part(only, complete=evaluation is not None)
    return evaluation


def _write(evaluation: Evaluation, csv: Path | None, html: Path | None, maps: Path | None, output: Path | None) -> None:
    """Write an evaluation to the files that are wanted."""
    if csv is not None:
        evaluation.to_csv(csv)
    if html is not None:
        write_page(evaluation, html)
    if maps is not None:
        evaluation.save_maps(maps)
    if output is not None:
        evaluation.save(output)


def _refuse_in_parts(output: Path | None, model: Path | None, *, overwrite: bool) -> None:
    """Refuse what does not go with --part."""
    if output is None:
        raise ValueError("--part needs a folder that all parts write into; name it with -o")
    if model is not None:
        raise ValueError("--model applies its methods to all of the source; with --part, predict them first and give them with --also")
    refuse_overwriting_parts(output, overwrite=overwrite)


def _named(text: str) -> tuple[str, Path]:
    """Return the name and the file of another result; if a name contains an equals sign, the file that exists decides."""
    parts = text.split("=")
    pairs = [("=".join(parts[:cut]), Path("=".join(parts[cut:]))) for cut in range(1, len(parts))]
    if not pairs or not pairs[0][0]:
        raise ValueError(f"{text!r} does not name a result; write NAME=FILE, such as ridge=ridge.zarr")
    return next((pair for pair in pairs if pair[1].exists()), pairs[0])
