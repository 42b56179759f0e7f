"""The command evaluate with folders of results and truths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from napari_spectrai.cli.common import (
    FAILED,
    STOPPED,
    WRONG_USE,
    cube_of,
    echo,
    exit_with,
    followed,
    is_table,
    log_failures,
    refuse_existing,
    say_notes,
    say_rows,
)
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io.folders import is_folder_of_files
from napari_spectrai.io.labels import read_labels
from napari_spectrai.runs import Finished, RunFolder, Saved
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.result_table import SCORES, write_rows


def read_one(task: str, dataset: str | None, spectral: Any, axis: Any, columns: Any, path: Path) -> Any:
    """Return the cube or the labels of a file."""
    if tasks[task].classifies:
        return read_labels(path, dataset=dataset)
    return cube_of(path.absolute(), dataset, spectral, axis, columns if is_table(path) else None)


def evaluate_folder(
    results: Path, truths: Path, task: str, source: Path | None, csv: Path | None, options: EvaluateOptions,
    given_too: Mapping[str, object],
    *, reading: Callable[[Path], Any], overwrite: bool, folder: RunFolder | None = None,
) -> None:  # fmt: skip
    """Score each result of a folder against the truth of the same name, and write a table; `reading` opens a file; `folder` follows."""
    with exit_with(WRONG_USE), log_failures(folder):
        unfit = [name for name, value in given_too.items() if value is not None]
        if unfit:
            raise ValueError(f"{results} is a folder of files, which {unfit[0]} does not go with; omit it, or give one file")
        for one in (truths, *([source] if source is not None else [])):
            if not is_folder_of_files(one):
                raise ValueError(f"{results} is a folder of files, and {one} is none; give a folder with files of the same names")
        table = results / SCORES if csv is None else csv
        refuse_existing(table, overwrite=overwrite)
    with exit_with(FAILED), log_failures(folder):
        from napari_spectrai.learn.evaluation.files import evaluating_files, means_of, without_truth

        rows = followed(evaluating_files(results, truths, task, source=source, options=options, reading=reading), folder, "evaluating")
        if rows is not None:
            write_rows(rows, table)
            left = without_truth(results, truths)
            notes = [f"not scored, since {truths.name} has no truth of their names: {', '.join(left[:20])}"] if left else []
            of = " (mean)" if sum(row.get("scored") is not None for row in rows) > 1 else ""
            echo("\n".join(f"{name}: {value:.5g}{of}" for name, value in means_of(rows).items()))
            if folder is not None:
                folder.append(Saved("result", str(table)))
                folder.append(Finished("done", notes=notes))
    if rows is None:
        raise typer.Exit(STOPPED)
    if folder is None:  # who follows reads the rows
        say_notes(notes)
        say_rows(rows, table)
