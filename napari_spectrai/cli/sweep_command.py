"""The command sweep."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spectrai.cli.app import FAILED, STOPPED, WRONG_USE, app, console, echo, exit_with
from napari_spectrai.cli.common import exit_on_signal, leave_terminal, on_signals
from napari_spectrai.cli.experiment_file import opened
from napari_spectrai.cli.parts import PartOption
from napari_spectrai.runs import default_folder
from napari_spectrai.runs.part import WHOLE, Part
from napari_spectrai.runs.sweep_plan import SweepRun, planned


class _SweepStoppedError(Exception):
    """A signal has come; the run at that moment has saved."""


@dataclass
class _Running:
    """The run at work, which a signal stops, as in a training, and the sweep with it; a second signal kills."""

    run: SweepRun | None = None
    stopped: bool = field(default=False, init=False)

    def on_signal(self, number: int, frame: Any) -> None:
        if self.run is None:
            exit_on_signal(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        if number == getattr(signal, "SIGHUP", None):
            leave_terminal()
        self.stopped = True
        self.run.folder.stop_here()

    def begin(self, number: int, count: int, run: SweepRun) -> None:
        """Say which run is next, unless the sweep was stopped."""
        self.run = run
        if self.stopped:
            raise _SweepStoppedError
        console.print(f"run {number} of {count}: {run.folder.path.name}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def sweep(
    experiment: Annotated[Path, typer.Argument(help="an experiment (.yml) that names its data")],
    settings: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUES", help="values of a setting, such as network.width=16,32 training.seed=0..4")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="folder for the runs and the tables; default: one among the runs of the dock")
    ] = None,
    folds: Annotated[int, typer.Option(min=0, max=1000, help="folds of a cross-validation in each run; 0: as the experiment says")] = 0,
    part: PartOption = None,
) -> None:
    """Train with every combination of some values, one run folder each; repeated, it resumes what is missing."""
    running = _Running()
    on_signals(running.on_signal)
    with exit_with(WRONG_USE):
        only = WHOLE if part is None else Part.parse(part)
        document = opened(experiment)
        for path in (*document.data.input, *document.data.truth):
            if not path.exists():
                raise FileNotFoundError(f"{path}, which the experiment names, does not exist")
        folder = default_folder() / f"sweep-{experiment.stem}" if output is None else output
        planned(document, settings, folder, folds=folds)
    with exit_with(FAILED):
        from napari_spectrai.learn.stages import StoppedEarlyError, abandoned
        from napari_spectrai.learn.sweep import sweep as run_sweep

        try:
            found = run_sweep(document, settings, out=folder, folds=folds, part=only, on_run=running.begin)
        except (_SweepStoppedError, StoppedEarlyError):
            found = None
    if found is None or running.stopped:
        console.print("stopped; the same command goes on with what is missing", soft_wrap=True, markup=False)
        if abandoned():  # a method that is still being fitted cannot be interrupted
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(STOPPED)
        raise typer.Exit(STOPPED)
    echo(found)
    console.print(f"{found!r}", highlight=False, soft_wrap=True, markup=False)
    if found.missing and only == WHOLE:
        raise typer.Exit(STOPPED)
