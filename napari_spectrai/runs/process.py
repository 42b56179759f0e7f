"""Work in a process of its own, so that the window never waits and stopping always works."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube, as_cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.augmentations import augmentations
from napari_spectrai.experiment.losses import losses
from napari_spectrai.experiment.networks import networks
from napari_spectrai.io import write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import labels_of
from napari_spectrai.preparation import Step, save_steps
from napari_spectrai.preparation import steps as registry
from napari_spectrai.runs.events import Event, Failed, from_json
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.spec import Registry, resolve


class Job:
    """A command of ``napari-spectrai`` at work in a folder, followed through the folder's journal.

    The process watches a pipe from its starter: if the starter dies, however suddenly, the job saves and ends.
    """

    def __init__(self, folder: RunFolder, arguments: Sequence[str] = ()) -> None:
        self.folder = folder
        self.arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._position = 0
        self._journal: int | None = None
        self._stale: int | None = None
        self._last: Event | None = None
        self._ended = False

    def start(self) -> None:
        """Start the process."""
        self.folder.say("")
        self._stale = self.folder.journal.stat().st_ino if self.folder.journal.exists() else None
        self._ended = False
        with self.folder.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "napari_spectrai", *self.arguments, "--attached"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process, if it was started here."""
        return None if self._process is None else self._process.pid

    def poll(self) -> list[Event]:
        """Return what has been told since the last call, at once; a death without a word is told as `Failed`."""
        alive = self.alive  # asked before reading, so that last words are not missed
        found: list[Event] = []
        if self.folder.journal.exists():
            with self.folder.journal.open("rb") as file:
                identity = os.fstat(file.fileno()).st_ino
                if identity == self._stale and alive:  # of the life before: the resumed run has yet to take it over
                    return []
                if identity != self._journal:  # a resumed run has cut its journal back: begin again
                    self._journal, self._position = identity, 0
                file.seek(self._position)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._position += len(whole) + len(newline)
            found = [from_json(line) for line in whole.decode("utf-8").splitlines() if line]
        if found:
            self._last = found[-1]
        if self._process is not None and not alive and not self._ended:
            self._ended = True
            if self._process.returncode not in (0, 3) and not isinstance(self._last, Failed):
                found.append(Failed(self._cause_of_death(), self._log_end()))
        return found

    def events(self) -> Iterator[Event]:
        """Yield events until the process has ended."""
        while True:
            alive = self.alive
            yield from self.poll()
            if not alive:
                return
            time.sleep(0.05)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process; return its exit code: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""
        if self._process is None:
            raise RuntimeError("the job was not started; call start()")
        return self._process.wait(timeout)

    def stop(self, grace: float = 10.0) -> None:
        """Stop: ask through `control`, after `grace` seconds terminate, then kill. What is saved stays."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        self.folder.say("stop")
        for end in (None, process.terminate, process.kill):
            if end is not None:
                end()
            try:
                process.wait(grace)
                break
            except subprocess.TimeoutExpired:
                continue
        self.close()

    def ask_to_stop(self) -> None:
        """Ask through `control`, without waiting."""
        self.folder.say("stop")

    def close(self) -> None:
        """Let go of the pipe; a process still running takes it as the word to save and end."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _cause_of_death(self) -> str:
        code = self.wait()
        how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"
        return f"The process {how} without a word; what it had saved is in {self.folder.path} and can be resumed"

    def _log_end(self) -> str:
        return self.folder.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.folder.log.exists() else ""


class Run(Job):
    """A training in its own process."""

    def __init__(self, folder: RunFolder | str | Path) -> None:
        folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        super().__init__(folder, ["train", str(folder.path)])

    def pause(self) -> None:
        """Let the run hold after the step it is at; it keeps its memory."""
        self.folder.say("pause")

    def resume(self) -> None:
        """Go on: a paused run continues; a stopped, failed or killed one is started again from its checkpoint."""
        if self.alive:
            self.folder.say("resume")
            return
        self.close()
        self.arguments = ["train", str(self.folder.path), "--resume"]
        self.start()

    def model(self, which: str = "best") -> Any:
        """Load the ``"best"`` or ``"last"`` model. Imports torch."""
        path = {"best": self.folder.best, "last": self.folder.last}[which]
        return resolve("napari_spectrai.learn.model:Model").load(path)

    def report(self) -> Path:
        """Write the report of what there is by now, and return its path; at the end of a training it is written anyway."""
        path: Path = resolve("napari_spectrai.runs.report:write_report")(self.folder)
        return path


def prepare(experiment: Experiment, cubes: Any = None, truths: Any = None, *, run: str | Path | None = None) -> Run:
    """Do everything `launch` does but the start: may take a while, and can be done on a thread."""
    _refuse_local(experiment)
    folder = RunFolder.create(experiment, run)
    data_in(experiment, cubes, truths, folder).save(folder.document)
    return Run(folder)


def data_in(experiment: Experiment, cubes: Any, truths: Any, folder: RunFolder) -> Experiment:
    """Return the experiment with the files that hold its data; what did not come unchanged from a file is written into `folder`."""
    if cubes is not None:
        paths = {"input": hand_over(cubes, folder, "input"), "truth": _truths(experiment, cubes, truths, folder)}
    else:
        paths = {side: [file.absolute() for file in getattr(experiment.data, side)] for side in ("input", "truth")}
    return experiment.model_copy(update={"data": experiment.data.model_copy(update=paths)})


def launch(experiment: Experiment, cubes: Any = None, truths: Any = None, *, run: str | Path | None = None) -> Run:
    """Train in a process of its own; return at once with a handle.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : Cube, array, layer or list of them, optional
        Default: the files that ``experiment.data`` names. What did not come unchanged from a file is copied into the run folder.
    run : path, optional
        The run folder; default: a new one in `default_folder`.

    Raises
    ------
    ValueError
        If a kind was added in this process only, so that another cannot know it.
    """
    started = prepare(experiment, cubes, truths, run=run)
    started.start()
    return started


def prepare_prediction(model: str | Path, cube: Any, *, folder: str | Path | None = None, options: Sequence[str] = ()) -> Job:
    """Return the job, not yet started, that applies a model: the result will be ``result.zarr`` in the job's folder."""
    place = RunFolder(folder if folder is not None else tempfile.mkdtemp(prefix="napari-spectrai-"))
    (source,) = hand_over(cube, place, "input")
    arguments = ["predict", str(model), str(source), "-o", str(place.path / "result.zarr"), "--run", str(place.path), *options]
    return Job(place, arguments)


def prepare_preprocessing(steps: Sequence[Step], cube: Any, *, folder: str | Path | None = None) -> Job:
    """Return the job, not yet started, that applies preparation steps: the result will be ``result.zarr`` in the job's folder."""
    place = RunFolder(folder if folder is not None else tempfile.mkdtemp(prefix="napari-spectrai-"))
    for step in steps:
        _refuse_unknown(registry, step.kind)
    (source,) = hand_over(cube, place, "input")
    document = place.path / "steps.yml"
    save_steps(steps, document)
    return Job(place, ["preprocess", str(document), str(source), "-o", str(place.path / "result.zarr"), "--run", str(place.path)])


def _truths(experiment: Experiment, cubes: Any, truths: Any, folder: RunFolder) -> list[Path]:
    if truths is None:
        return []
    if experiment.task.truth == "cube":
        return hand_over(truths, folder, "truth")
    shapes = [as_cube(cube).spatial_shape for cube in (cubes if isinstance(cubes, list | tuple) else [cubes])]
    return [
        labels.source.absolute() if labels.source is not None else write_labels(labels, folder.data / f"truth-{number}.zarr")
        for number, labels in enumerate(labels_of(truths, shapes))
    ]


def hand_over(cubes: Any, folder: RunFolder, side: str) -> list[Path]:
    """Return files that hold `cubes`: their own where they came unchanged from one, else copies in the run folder."""
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
    used += [(augmentations, augmentation.kind) for augmentation in experiment.augmentation]
    used += [(registry, step.kind) for step in experiment.preparation]
    for kinds, kind in used:
        _refuse_unknown(kinds, kind)


def _refuse_unknown(kinds: Registry[Any], kind: str) -> None:
    if kinds.is_local(kind):
        raise ValueError(
            f"{kinds.what} {kind!r} was added in this process only and another cannot know it; "
            f"declare it in the entry-point group {kinds.group!r}, or work here with fit or preprocess"
        )
