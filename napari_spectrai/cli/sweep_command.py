"""The command sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, STOPPED, WRONG_USE, app, console, echo, exit_with, listen_in
from napari_spectrai.cli.experiment_file import opened
from napari_spectrai.cli.parts import PartOption
from napari_spectrai.runs import default_folder
from napari_spectrai.runs.part import WHOLE, Part
from napari_spectrai.runs.sweep_plan import SweepRun, planned


@app.command()
def sweep(
    experiment: Annotated[Path, typer.Argument(help="an experiment (.yml) that names its data")],
    settings: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUES...", help="values of a setting, such as network.width=16,32 training.seed=0..4")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="folder for the runs and the tables; default: one among the runs of the dock")
    ] = None,
    folds: Annotated[int, typer.Option(min=0, max=1000, help="folds of a cross-validation in each run; 0: as the experiment says")] = 0,
    part: PartOption = None,
) -> None:
    """Train with every combination of some values, one run folder each; repeated, it resumes what is missing."""
    listen_in(None, attached=False)
    with exit_with(WRONG_USE):
        only = WHOLE if part is None else Part.parse(part)
        document = opened(experiment)
        for path in (*document.data.input, *document.data.truth):
            if not path.exists():
                raise FileNotFoundError(f"{path}, which the experiment names, does not exist")
        folder = default_folder() / f"sweep-{experiment.stem}" if output is None else output
        planned(document, settings, folder, folds=folds)
    with exit_with(FAILED):
        from napari_spectrai.learn.sweep import sweep as run_sweep

        found = run_sweep(document, settings, out=folder, folds=folds, part=only, on_run=_say)
    echo(found)
    console.print(f"{found!r}", highlight=False, soft_wrap=True, markup=False)
    if found.missing and only == WHOLE:
        raise typer.Exit(STOPPED)


def _say(number: int, count: int, run: SweepRun) -> None:
    console.print(f"run {number} of {count}: {run.folder.path.name}", highlight=False, soft_wrap=True, markup=False)
