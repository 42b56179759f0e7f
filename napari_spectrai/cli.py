"""The command line. Exit codes: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml
from rich.console import Console
from rich.progress import Progress as Bar

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.ready import ready_kinds, ready_spec
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.files import replacing
from napari_spectrai.io import FORMATS, SpectralWarning, UnreadableError, format_of, inspect, read, write
from napari_spectrai.io.found import lazily
from napari_spectrai.io.labels import WRITTEN, read_labels, write_labels, write_table
from napari_spectrai.io.zarr import writing
from napari_spectrai.preparation import Step, load_steps, preparing
from napari_spectrai.runs import Failed, Finished, Progress, RunFolder, Saved
from napari_spectrai.runs.report import write_report
from napari_spectrai.spec import listed

DONE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 3
DEVICES = ("auto", "cpu", "cuda", "mps")
GRACE = 20.0
"""Seconds an attached job gets to save after its starter has died."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Deep learning on spectral images.", pretty_exceptions_enable=False)
console = Console(stderr=True)


@contextmanager
def _exit_with(code: int) -> Iterator[None]:
    """Turn what a user can mend into its message and an exit code; what is left is a bug and shows itself."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, FloatingPointError, MemoryError, ImportError) as error:
        console.print("error:", style="red", end=" ")
        console.print(str(error), highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(code) from error


def _listen(folder: RunFolder, *, attached: bool) -> None:
    """Let signals, and the death of whoever started us, leave the word to stop in the run folder."""

    def on_signal(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # the second one ends at once
        folder.say("stop")

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock would be held while the interpreter ends
            pass
        folder.say("stop")
        time.sleep(GRACE)
        os._exit(STOPPED)

    if attached:
        threading.Thread(target=watch, daemon=True).start()


def _loaded(path: Path) -> Experiment:
    """Open an experiment, and print what was changed in a document of spectrai."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SpectralWarning)
        experiment = Experiment.load(path)
    for warning in told:
        console.print(str(warning.message), style="yellow", highlight=False, soft_wrap=True, markup=False)
    return experiment


Attached = Annotated[bool, typer.Option("--attached", hidden=True, help="stop when standard input ends")]


@app.command()
def train(
    experiment: Annotated[Path, typer.Argument(help="an experiment (.yml), or a run folder that holds one")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="such as training.epochs=50")] = None,
    run: Annotated[Path | None, typer.Option(help="the run folder; default: a new one in the user's data folder")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the run's checkpoint")] = False,
    attached: Attached = False,
) -> None:
    """Train a network; stop with Ctrl-C, resume with --resume."""
    is_folder = experiment.is_dir()
    with _exit_with(WRONG_USE):
        if resume and overrides:
            raise ValueError("a resumed run keeps its settings; start a new run to change them")
        if is_folder:
            run = experiment if run is None else run
        if resume and run is None:
            raise ValueError(f"{experiment} is not a run folder; name the folder of the run to resume, or give it with --run")
        document = RunFolder(experiment).experiment() if is_folder else _loaded(experiment)
        document = document.override(*overrides or [])
        for path in (*document.data.input, *document.data.truth):
            if not resume and not path.exists():
                raise FileNotFoundError(f"{path}, which the experiment names, does not exist")
        folder = RunFolder(run) if resume and run is not None else RunFolder.create(document, run)
    if not attached:
        folder.say("")  # a starter has done so, and may have left word since
    _listen(folder, attached=attached)
    with _exit_with(FAILED):
        from napari_spectrai.learn.fit import fit, follow

        model, finished = follow(fit(None if resume else document, run=folder.path, resume=resume))
    if finished.reason == "stopped":
        console.print(f"stopped; resume with: napari-spectrai train {folder.path} --resume", soft_wrap=True)
        raise typer.Exit(STOPPED)
    typer.echo(model.card())
    typer.echo(f"{'Saved as:':<18}{finished.model}")
    if folder.report.exists():
        typer.echo(f"{'Report:':<18}{folder.report}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="a model file (.safetensors), or a method that needs no training, such as svd_nlm")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the result goes; .zarr streams")],
    tile: Annotated[int | None, typer.Option(min=8, help="height and width of a tile, in pixels")] = None,
    uncertainty: Annotated[bool, typer.Option("--uncertainty", help="also write OUTPUT's standard deviation")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    factor: Annotated[int, typer.Option(min=2, max=16, help="how many times a classical method enlarges each side")] = 2,
    views: Annotated[bool, typer.Option("--views", help="mean over the eight rotations and reflections of each image")] = False,
    ensemble: Annotated[
        list[Path] | None, typer.Option(help="another model whose results are averaged with the first's; repeat it")
    ] = None,
    then: Annotated[list[Path] | None, typer.Option(help="a model for the result, such as one that enlarges; repeat it")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="of a classical method, such as count=8")] = None,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Apply a model to a file. Classes are written as a label image (or .csv), probabilities and found components beside it."""
    folder = _listen_in(run, attached=attached)
    changed: dict[str, Any] = {}
    with _exit_with(WRONG_USE):
        changed = _changed(settings or [])
    last = then[-1] if then else model  # what the last of a chain tells is what is written
    with _exit_with(FAILED if last.exists() else WRONG_USE):
        tells = _tells(last, {} if then else changed)
    with _exit_with(WRONG_USE):
        if tells:
            if output.suffix.lower() not in (*WRITTEN, ".csv"):
                raise ValueError(f"{output.name}: classes are not written in this format; {listed((*WRITTEN, '.csv'))}")
        else:
            _refuse_unwritten(output)
        if device not in DEVICES:
            raise ValueError(f"there is no device {device!r}; {listed(DEVICES)}")
    with _exit_with(FAILED), _told_to(folder):
        from napari_spectrai.learn.predict import predicting

        streams = not tells and format_of(output).module == "zarr"
        others, chain = ([_given(one) for one in given or []] for given in (ensemble, then))
        steps = predicting(
            _given(model), source, out=output if streams else None, tile=tile, uncertainty=uncertainty, device=device, factor=factor,
            settings=changed, views=views, ensemble=others, then=chain,
        )  # fmt: skip
        prediction = _follow(steps, folder, "predicting")
        if prediction is not None and tells:
            _write_classes(prediction, output)
        elif prediction is not None and not streams:
            write(prediction.result, output)
        if prediction is not None and prediction.uncertainty is not None:
            suffix = ".zarr" if tells else output.suffix
            write(prediction.uncertainty, output.with_name(f"{output.stem}-sd{suffix}"))
        if prediction is not None and folder is not None:
            folder.append(Saved("result", str(output)))
            folder.append(Finished("done", model=str(model)))
    if prediction is None:
        raise typer.Exit(STOPPED)


def _given(model: Path) -> Path | str:
    """Return a model file, or the name of a method that needs no training."""
    return model if model.exists() or model.suffix else str(model)


def _tells(model: Path, changed: dict[str, Any]) -> bool:
    """Whether a model file, or a method that needs no training, gives classes."""
    if model.exists():
        return bool(read_card(model).classes)
    return str(model) in ready_kinds() and bool(ready_spec(str(model), changed).finds)


def _write_classes(prediction: Any, output: Path) -> None:
    if output.suffix.lower() == ".csv":
        write_table(prediction.labels, prediction.probabilities.data, prediction.classes, output)
    else:
        write_labels(prediction.labels, output)
        write(prediction.probabilities, output.with_name(f"{output.stem}-probabilities.zarr"))
    if prediction.components is not None:
        write(prediction.components, output.with_name(f"{output.stem}-components.csv"))


def _changed(settings: list[str]) -> dict[str, Any]:
    """Return KEY=VALUE texts as a mapping, values read as YAML."""
    found = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} sets nothing; write key=value, such as count=8")
        try:
            found[name.strip()] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{setting!r}: {text!r} is not a YAML value: {error}") from error
    return found


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(STOPPED)  # what is half-written is cleaned up on the way out


@contextmanager
def _told_to(folder: RunFolder | None) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, RuntimeError, MemoryError, ImportError) as error:
        if folder is not None:
            folder.append(Failed(str(error)))
        raise


def _listen_in(run: Path | None, *, attached: bool) -> RunFolder | None:
    """Heed signals: in a run folder's way, or by leaving at once."""
    if run is not None:
        folder = RunFolder(run)
        _listen(folder, attached=attached)
        return folder
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    return None


def _refuse_unwritten(output: Path) -> None:
    """Refuse an output before the work, not after it."""
    if not format_of(output).writes:
        writable = {suffix for known in FORMATS if known.writes for suffix in known.suffixes}
        raise ValueError(f"{output.name}: results are not written in this format; {listed(writable)}")


def _follow(steps: Any, folder: RunFolder | None, what: str) -> Any:
    """Drain a generator of progress behind a bar, and tell the folder; return its value, or None if it was stopped."""
    with Bar(console=console) as bar:
        task = bar.add_task(what, total=None)
        while True:
            try:
                told = next(steps)
            except StopIteration as end:
                return end.value
            progress = told if isinstance(told, Progress) else Progress(*told)
            bar.update(task, completed=progress.done, total=progress.total)
            if folder is not None:
                folder.append(progress)
                if folder.command() == "stop":
                    steps.close()
                    folder.append(Finished("stopped"))
                    return None


@app.command()
def evaluate(
    result: Annotated[Path, typer.Argument(help="a predicted file")],
    truth: Annotated[Path, typer.Argument(help="the truth")],
    task: Annotated[str, typer.Option(help="what was learnt")] = "denoising",
    csv: Annotated[Path | None, typer.Option(help="also write the table here")] = None,
) -> None:
    """Print the figures of a result against the truth."""
    with _exit_with(WRONG_USE):
        tasks[task]
    with _exit_with(FAILED):
        from napari_spectrai.learn.evaluate import evaluate as judge

        opened: Any = read_labels if tasks[task].truth == "labels" else read
        report = judge(opened(result), opened(truth), task)
        typer.echo(report)
        if csv is not None:
            report.to_csv(csv)


@app.command()
def preprocess(
    steps: Annotated[Path, typer.Argument(help="a YAML list of steps")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the result goes; .zarr streams")],
    dataset: Annotated[str | None, typer.Option(help="which array of a container; info lists them")] = None,
    spectral: Annotated[int | None, typer.Option(help="which dimension holds the bands, for a file that does not say")] = None,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Apply preparation steps to a file."""
    folder = _listen_in(run, attached=attached)
    with _exit_with(WRONG_USE):
        wanted = load_steps(steps)
        _refuse_unwritten(output)
    with _exit_with(FAILED), _told_to(folder):
        cube = read(source, dataset=dataset, spectral=spectral)
        done = _follow(_preprocessing(cube, wanted, output), folder, "preparing")
        if done is not None and folder is not None:
            folder.append(Saved("result", str(output)))
            folder.append(Finished("done"))
    if done is None:
        raise typer.Exit(STOPPED)


def _preprocessing(cube: Cube, wanted: list[Step], output: Path) -> Generator[tuple[int, int], None, Path]:
    streams = format_of(output).module == "zarr"
    if streams and isinstance(cube.data, np.memmap):  # read in parts, as it will be written
        cube = replace(cube, data=lazily(cube.data))
    prepared = yield from preparing(cube, wanted)
    if not streams:
        return write(prepared, output)
    with replacing(output) as temporary:
        yield from writing(prepared, temporary)
    return output


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="a run folder, of a finished run or not")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default: report.html in the run folder")] = None,
) -> None:
    """Write the report of a run, one HTML file, from what its folder holds."""
    with _exit_with(FAILED):
        typer.echo(write_report(run, output))


@app.command()
def info(path: Annotated[Path, typer.Argument(metavar="FILE", help="a model, a run folder, an experiment or a spectral file")]) -> None:
    """Say what a file is."""
    with _exit_with(FAILED):
        if path.suffix == ".safetensors":
            typer.echo(read_card(path))
        elif (path / "experiment.yml").exists():
            typer.echo(f"run, {RunFolder(path).state()}\n{RunFolder(path).experiment().to_yaml()}")
        elif path.suffix in (".yml", ".yaml"):
            typer.echo(_loaded(path).to_yaml())
        else:
            arrays = inspect(path)
            for name, shape in arrays.items():
                typer.echo(f"{name}: {' × '.join(map(str, shape))}")
            try:
                typer.echo(read(path))
            except UnreadableError as error:
                if "choose one with dataset=" not in str(error):
                    raise
                typer.echo("several arrays: choose one with --dataset")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the model, the figure and the run")] = Path("demo_output"),
    screenshot: Annotated[bool, typer.Option("--screenshot", help="save a picture of napari and close it")] = False,
    window: Annotated[bool, typer.Option(help="show the result in napari")] = True,
) -> None:
    """Train a Raman denoiser on the bundled pairs, print it against the classical methods, and show it."""
    from napari_spectrai.samples import sample

    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    experiment = Experiment.default("denoising", pairs.cube, pairs.truth).override("split.test=0.2", "split.validation=0.04")
    typer.echo("1,000 Raman spectra of cells, 500 bands. Rows 0–759 train, 760–799 choose the epoch, 800–999 test.")
    with _exit_with(FAILED):
        from napari_spectrai.learn.evaluate import Report
        from napari_spectrai.learn.fit import fit, follow
        from napari_spectrai.learn.predict import predict as apply

        folder = RunFolder.create(experiment, out / f"run-{time.strftime('%Y%m%d-%H%M%S')}")
        model, finished = follow(fit(experiment, pairs.cube, pairs.truth, run=folder.path))
        report = Report(finished.scores["test"])
        typer.echo(f"\nTest rows 800–999, each spectrum divided by its own maximum ({finished.seconds:.0f} s of training):\n{report}\n")
        report.to_csv(out / "scores.csv")
        saved = model.save(out / "raman_denoiser.safetensors")
        result = write(apply(model, pairs.cube).result, out / "denoised.zarr")
    typer.echo(f"model: {saved}\nresult: {result}\nscores: {out / 'scores.csv'}")
    if window:
        _show(out, screenshot=screenshot)


def _show(out: Path, *, screenshot: bool) -> None:
    # a process of its own: the window never shares one with torch
    command = [sys.executable, "-m", "napari_spectrai.widgets.demo", str(out), *(["--screenshot"] if screenshot else [])]
    code = subprocess.run(command, check=False).returncode
    if code:
        console.print(f"napari did not open (exit code {code}); what it would have shown is in {out}")
        raise typer.Exit(FAILED)


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    run()
