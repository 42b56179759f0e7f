"""The commands train, estimate, report and demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

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
    console,
    echo,
    exit_with,
    listen,
    listen_in,
    listen_to_leader,
    log_failures,
    reading_settings,
    refuse_existing,
)
from napari_spectrai.cli.experiment_file import opened
from napari_spectrai.experiment import Experiment
from napari_spectrai.io import write
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.remedies import refuse_empty
from napari_spectrai.plan.size import extent
from napari_spectrai.plan.truths import gather
from napari_spectrai.remedies import shell
from napari_spectrai.reports.run_report import write_report
from napari_spectrai.runs import Finished, RunFolder
from napari_spectrai.runs.estimate import Estimate, MethodTime, Question, answer, asked, questioned
from napari_spectrai.runs.launcher import rank_here
from napari_spectrai.runs.score_table import Scores


@app.command()
def train(
    experiment: Annotated[Path, typer.Argument(help="an experiment (.yml), or a run folder that contains one")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="such as training.epochs=50")] = None,
    run: Annotated[Path | None, typer.Option(help="the run folder; default: a new one in the user's data folder")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue from the run's checkpoint")] = False,
    dataset: Dataset = None,
    truth_dataset: TruthDataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    attached: Attached = False,
) -> None:
    """Train a network; stop with Ctrl-C, resume with --resume."""
    with exit_with(WRONG_USE):
        follows = rank_here().number > 0
    if follows:
        _follow_orders()
        return
    is_folder = experiment.is_dir()
    with exit_with(WRONG_USE):
        overrides = [*reading_settings(dataset, truth_dataset, spectral, axis, columns), *(overrides or [])]
        if resume and not all(one.startswith("training.devices=") for one in overrides):
            raise ValueError("a resumed run keeps its settings, but for training.devices; start a new run to change them")
        if is_folder:
            run = experiment if run is None else run
        if resume and run is None:
            raise ValueError(f"{experiment} is not a run folder; name the folder of the run to resume, or pass it with --run")
        document = RunFolder(experiment).experiment() if is_folder else opened(experiment)
        document = document.override(*overrides)
        if resume and overrides:
            document.save(RunFolder(experiment if run is None else run).document)
        for path in (*document.data.input, *document.data.truth):
            if not resume and not path.exists():
                raise FileNotFoundError(f"{path}, which the experiment names, does not exist")
        if run is not None and not run.exists() and not run.absolute().parent.is_dir():
            raise FileNotFoundError(f"{run.parent}: no such folder, to make the run folder {run.name} in; make it first, or choose another")
        folder = RunFolder(run) if resume and run is not None else RunFolder.create(document, run)
    listen(folder, attached=attached)
    with exit_with(FAILED):
        from napari_spectrai.learn.fit import fit, follow
        from napari_spectrai.learn.stages import StoppedEarlyError, abandoned

        try:
            model, finished = follow(fit(None if resume else document, run=folder.path, resume=resume))
        except StoppedEarlyError:
            finished = Finished("stopped")
    if finished.reason == "stopped":
        place = folder.path.name if attached else folder.path
        console.print(f"stopped; resume with: {shell('train', place, '--resume')}", soft_wrap=True, markup=False)
        if abandoned():  # a method that is still being fitted cannot be interrupted
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(STOPPED)
        raise typer.Exit(STOPPED)
    echo(model.card())
    # into a log, which may be passed on with the files; the folder is omitted
    echo(f"{'Saved as:':<18}{Path(finished.model).name if attached else finished.model}")
    if folder.report.exists():
        echo(f"{'Report:':<18}{folder.report.name if attached else folder.report}")


def _follow_orders() -> None:
    """Train as one of several processes, of which process 0 writes the run."""
    with exit_with(FAILED):
        from napari_spectrai.learn.parallel.joining import joined
        from napari_spectrai.learn.stages import StoppedEarlyError
        from napari_spectrai.learn.train.replica import Replica

        replica = Replica(joined(rank_here()))
        listen_to_leader(replica.ask_to_stop)
        with suppress(StoppedEarlyError):  # process 0 says so
            replica.run()


@app.command()
def estimate(
    experiment: Annotated[Path, typer.Argument(help="an experiment (.yml) that names its data")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="such as training.epochs=50")] = None,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    dataset: Dataset = None,
    truth_dataset: TruthDataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    attached: Attached = False,
) -> None:
    """Estimate the size of a training, its duration here and its memory, from a few steps on synthetic data."""
    folder = listen_in(run, attached=attached)
    with exit_with(WRONG_USE), log_failures(folder):
        settings = reading_settings(dataset, truth_dataset, spectral, axis, columns)
        document = Experiment() if folder is not None else opened(experiment).override(*settings, *(overrides or []))
    with exit_with(FAILED), log_failures(folder):
        from napari_spectrai.learn.train.method_timing import method_times
        from napari_spectrai.learn.train.step_timing import time_steps

        def timed(question: Question, known: dict[str, list[MethodTime]]) -> Estimate:
            network = question.experiment.network
            key = network.kind if network.chooses else "baselines"  # the same for every length and width
            known[key] = known[key] if key in known else method_times(question)
            return replace(time_steps(question), methods=known[key])

        methods: dict[str, list[MethodTime]] = {}
        if folder is not None:
            questions = asked(folder)
            found = {question.key: timed(question, methods) for question in {question.key: question for question in questions}.values()}
            answer(folder, [found[question.key] for question in questions])
            folder.append(Finished("done"))
            return
        cubes, truths = gather(document, None, None)
        division = divide(document, cubes, truths)
        refuse_empty(document, division, list(division.counts()), cubes, truths)
        large = extent(document, cubes, truths, division)
        estimate = timed(questioned(document, large, cubes, truths), methods).words(document, large)
        echo(f"{large.words}\n{estimate}")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="folder of a finished or unfinished run")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default: report.html in the run folder")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the report of a run, one HTML file, from its run folder."""
    with exit_with(WRONG_USE):
        if output is not None and output.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{output.name}: a report is an HTML page; name it .html")
        refuse_existing(output, overwrite=overwrite)
    with exit_with(FAILED):
        echo(write_report(run, output))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the model, the figure and the run")] = Path("demo_output"),
    screenshot: Annotated[bool, typer.Option("--screenshot", help="save a screenshot of napari and close it")] = False,
    window: Annotated[bool, typer.Option(help="show the result in napari")] = True,
) -> None:
    """Train a Raman denoiser on the bundled pairs, print its scores and those of the classical methods, and show it."""
    from napari_spectrai.samples import sample

    with exit_with(FAILED):
        if window and not _qt():
            raise ImportError(
                'napari opens no window, since no Qt binding is installed; run: pip install "napari-spectrai[all]", or demo --no-window'
            )
    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    experiment = Experiment.default("denoising", pairs.cube, pairs.truth).override("split.test=0.2", "split.validation=0.04")
    echo("1,000 Raman spectra of cells, 500 bands. Rows 0–759: training; 760–799: validation; 800–999: test.")
    with exit_with(FAILED):
        from napari_spectrai.learn.fit import fit, follow
        from napari_spectrai.learn.inference.predict import predict as apply

        folder = RunFolder.create(experiment, out / f"run-{time.strftime('%Y%m%d-%H%M%S')}")
        model, finished = follow(fit(experiment, pairs.cube, pairs.truth, run=folder.path))
        rows = finished.scores["test"]
        report = Scores("denoising", rows, {**dict.fromkeys(rows, "classical"), "network": "result"}, intensities=model.card().scored_in)
        echo(f"\nTest rows 800–999, each spectrum divided by its own maximum ({finished.seconds:.0f} s of training):\n{report}\n")
        report.to_csv(out / "scores.csv")
        saved = model.save(out / "raman_denoiser.safetensors")
        result = write(apply(model, pairs.cube).result, out / "denoised.zarr")
    echo(f"model: {saved}\nresult: {result}\nscores: {out / 'scores.csv'}")
    if window:
        _show(out, screenshot=screenshot)
    echo(_next(saved, folder))


def _qt() -> bool:
    return any(find_spec(binding) is not None for binding in ("PyQt6", "PySide6", "PyQt5"))


def _next(model: Path, folder: RunFolder) -> str:
    """Return what to try after the demo."""
    scripts = Path(sys.executable).parent
    prefix = "" if shutil.which("napari-spectrai") == str(scripts / "napari-spectrai") else f"{os.path.relpath(scripts)}{os.sep}"
    rows = [
        (f"{folder.report}", "how the network was trained; open it in a browser"),
        (f"{prefix}{shell('info', model)}", "settings and scores, as the model file holds them"),
    ]
    windows = [
        (f"{prefix}napari", "File > Open Sample > napari-spectrai has more data; the docks are under Plugins > napari-spectrai"),
        (f"{prefix}napari FILE", "spectra of your own: then Plugins > napari-spectrai > Train"),
    ]
    rows += windows if _qt() else [('pip install "napari-spectrai[all]"', "Qt, for the windows of napari")]
    width = max(len(what) for what, _ in rows)
    return "\nTry next:\n" + "\n".join(f"  {what:<{width}}  {why}" for what, why in rows)


def _show(out: Path, *, screenshot: bool) -> None:
    # a separate process: napari never shares one with torch
    command = [sys.executable, "-m", "napari_spectrai.widgets.demo", str(out), *(["--screenshot"] if screenshot else [])]
    code = subprocess.run(command, check=False).returncode
    if code:
        console.print(f"napari did not open (exit code {code}); its content is in {out}")
        raise typer.Exit(FAILED)
