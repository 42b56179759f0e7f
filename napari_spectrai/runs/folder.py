"""A run's folder: the document, the events, the weights, and the control file."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import psutil
from platformdirs import user_data_path

from napari_spectrai.experiment import Experiment
from napari_spectrai.files import make_folder, write_text, writing
from napari_spectrai.labels import Labels
from napari_spectrai.parsing import read_document, refuse_special
from napari_spectrai.plan import subsets
from napari_spectrai.plan.subsets import Map
from napari_spectrai.runs import journal, lock, split_file
from napari_spectrai.runs.events import Event, Failed, Finished, Stage
from napari_spectrai.runs.process_info import ProcessInfo, is_alone, was_started
from napari_spectrai.swap import is_temporary

State = Literal["new", "running", "finished", "stopped", "failed", "interrupted", "unreadable"]
Command = Literal["", "stop", "pause", "resume"]
EARLIER = "previous.pt"
"""Name of the checkpoint before the last one, next to it."""
_asked_here: dict[Path, Command] = {}
"""Commands of this process to itself, by folder."""


def default_folder() -> Path:
    """Return the default folder of runs: ``$NAPARI_SPECTRAI_RUNS`` if it is set, else a folder in the user's data folder."""
    chosen = os.environ.get("NAPARI_SPECTRAI_RUNS")
    return Path(chosen) if chosen else user_data_path("napari-spectrai", appauthor=False) / "runs"


def all_runs(parent: Path | None = None) -> list[RunFolder]:
    """Return the runs in `parent` (default: `default_folder`) and in folders there, as those of sweeps, newest first."""
    parent = default_folder() if parent is None else parent
    if not parent.is_dir():
        return []
    swept = (path for path in parent.glob("*/*/experiment.yml") if not (path.parents[1] / "experiment.yml").exists())
    found = [*parent.glob("*/experiment.yml"), *swept]
    documents = [path for path in found if not any(map(is_temporary, path.relative_to(parent).parts))]  # half deleted
    return [RunFolder(path.parent) for path in sorted(documents, key=lambda p: p.stat().st_mtime, reverse=True)]


def name_words(name: str, most: int = 100) -> str:
    """Return a name as part of a file's name: letters and digits, cut to so many bytes that every file system takes it."""
    words = re.sub(r"[^\w-]+", "-", name).strip("-")
    return words.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore").strip("-")


class RunFolder:
    """The files of one run. Only the process that works on the run writes them; others read them, and write `control`.

    Raises
    ------
    PermissionError
        From `create`, if the folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.document = self.path / "experiment.yml"
        self.journal = self.path / "events.jsonl"
        self.best = self.path / "best.safetensors"
        self.last = self.path / "last.safetensors"
        self.checkpoint = self.path / "checkpoint" / "state.pt"
        self.earlier_checkpoint = self.checkpoint.with_name(EARLIER)
        self.split = self.path / "split.npz"
        self.data = self.path / "data"
        self.log = self.path / "log.txt"
        self.report = self.path / "report.html"
        self.environment = self.path / "environment.json"
        self._control = self.path / "control"
        self._owner = self.path / "process.json"
        self._lock = self.path / "process.lock"

    @classmethod
    def create(cls, experiment: Experiment, path: str | Path | None = None) -> RunFolder:
        """Create a folder for a new run of `experiment` and write its document; one in which nothing was learnt is used again.

        Raises
        ------
        FileExistsError
            If it contains a run that has learnt something, or that is running.
        """
        folder = cls(cls.new(experiment) if path is None else path)
        folder._refuse_used()
        make_folder(folder.path)
        try:
            with folder._held():
                folder.begin(experiment)
        except lock.HeldError:
            raise FileExistsError(folder._why_not_again("running")) from None
        return folder

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock for a moment."""
        if self.owner() is not None:
            raise lock.HeldError
        with writing(self._lock):
            lock.hold(self._lock, alone=False)
        try:
            yield
        finally:
            lock.release(self._lock)

    def begin(self, experiment: Experiment) -> None:
        """Write the document of a new run, while no other process can work here; what is left of one that learnt nothing is removed.

        Raises
        ------
        FileExistsError
            If the folder contains a run that has learnt something.
        """
        self._refuse_used()
        if self._has_started():
            for path in (self.split, self.report, self.path / "pixels.npz", self.journal):
                path.unlink(missing_ok=True)  # what the data folder holds may be the input of this training
        experiment.save(self.document)

    def refuse_finished(self) -> None:
        """Refuse to continue a run that has finished.

        Raises
        ------
        ValueError
        """
        if self._ending() == "finished":
            raise ValueError(f"the run in {self.path} has finished; its model is {self.best}. Start a new run to learn more")

    def has_learnt(self) -> bool:
        """Whether there is a model, or a checkpoint to go on from."""
        return any(path.exists() for path in (self.best, self.last, self.checkpoint.parent))

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint, or the one before it, which alone is there if a process was killed while it replaced the last."""
        return self.checkpoint.exists() or self.earlier_checkpoint.exists()

    def _has_started(self) -> bool:
        """Whether there is a training in the journal; a command names its first stages before it starts."""
        return any(not isinstance(event, Stage) for event in self.lines())

    def _refuse_used(self) -> None:
        ending = self._ending()
        learnt = self.has_learnt() if self._has_started() else self.has_checkpoint
        if learnt or ending in ("finished", "unreadable"):
            raise FileExistsError(self._why_not_again(ending))

    def _why_not_again(self, state: State) -> str:
        if state == "finished":
            return (
                f"{self.path} already contains a run, which has finished; choose another folder, and set training.start={self.best} to "
                "learn more"
            )
        if state == "running":
            return f"{self.path} already contains a run, which is running; choose another folder, or stop it first"
        return f"{self.path} already contains a run; resume it (--resume, or train(run=…, resume=True)), or choose another folder"

    @staticmethod
    def new(experiment: Experiment) -> Path:
        """Return a path in the default folder where nothing is yet, named by the time and the experiment."""
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name_words(experiment.name or experiment.task.kind)}"
        path, number = default_folder() / stem, 2
        while path.exists():
            path, number = default_folder() / f"{stem}-{number}", number + 1
        return path

    def experiment(self) -> Experiment:
        """Return the document of this run."""
        if not self.document.exists():
            raise FileNotFoundError(f"{self.path} contains no run (no experiment.yml in it)")
        return Experiment.load(self.document)

    def append(self, event: Event) -> None:
        """Append an event to the journal."""
        journal.append(self.journal, event)

    def events(self) -> Iterator[Event]:
        """Yield the events so far; lines that cannot be read, such as the torn last one of a killed writer, are left out."""
        yield from (event for event in self.lines() if event is not None)

    def lines(self) -> Iterator[Event | None]:
        """Yield the event that each whole line of the journal holds, None for one that cannot be read."""
        return journal.lines(self.journal)

    def keep_maps(self, maps: Sequence[Map]) -> None:
        """Write the split: for each cube, a map (z, y, x) with the number of each pixel's part."""
        split_file.save(self.split, maps)

    def maps(self) -> list[Map]:
        """Return the maps of the split; empty before the split.

        Raises
        ------
        DamagedSplitError (a ValueError)
        """
        return split_file.load(self.split, self.best) if self.split.exists() else []

    def parts(self) -> list[Labels]:
        """Return the pixels for training, validation and test, as labels (y, x) of each image or (n,) of a set; empty before the split."""
        return subsets.as_labels(self.maps())

    def discard_data(self) -> None:
        """Remove the arrays that were copied into the folder; a finished run no longer needs them, and is one if they cannot be removed."""
        shutil.rmtree(self.data, ignore_errors=True)

    def truncate(self, length: int) -> None:
        """Cut the journal back to `length` bytes; a resumed run repeats what is removed."""
        journal.cut_back(self.journal, length)

    def last_event(self) -> Event | None:
        """Return the last event of the journal that can be read; ValueError if there are lines, and none can be."""
        return journal.last_event(self.journal)

    @property
    def journal_length(self) -> int:
        """Length of the journal in bytes."""
        return self.journal.stat().st_size if self.journal.exists() else 0

    def say(self, command: Command) -> None:
        """Write a command for the process that works here."""
        _asked_here.pop(self.path, None)
        write_text(self._control, command, durable=False)

    def stop_here(self) -> None:
        """Command this process itself, which works here, to stop: without the disk, which may be full or gone."""
        _asked_here[self.path] = "stop"

    def consume_command(self) -> None:
        """Remove the command once it was followed, so that a resumed run does not follow it again."""
        _asked_here.pop(self.path, None)
        with suppress(OSError):  # on a full disk it stays, and is cleared by whoever works here next
            self.say("")

    def command(self) -> Command:
        """Return the last command written since this process began to work here."""
        if self.path in _asked_here:
            return _asked_here[self.path]
        try:
            refuse_special(self._control)
            with self._control.open("rb") as file:
                word = file.read(20).decode("utf-8", "replace").strip()
        except (OSError, ValueError):
            return ""
        return word if word in ("stop", "pause", "resume") else ""  # type: ignore[return-value]

    def claim(self, begin: Callable[[], object] = lambda: None) -> None:
        """Take the folder's lock and record that this process works here; refuse if another running process does.

        Parameters
        ----------
        begin : callable
            Called as soon as no other process can work here, before anything is written; if it raises, nothing is claimed.

        Raises
        ------
        RuntimeError
            If another process works here; of two that ask at once, one is refused.
        """
        owner = self.owner()
        try:
            if owner is not None:
                raise lock.HeldError
            with writing(self._lock):
                locked = lock.hold(self._lock, alone=is_alone())
        except lock.HeldError as error:
            owner = owner or self.owner()
            who = f"process {owner}" if owner else "another process"
            raise RuntimeError(f"{who} is already working in {self.path}; stop it first, or choose another run folder") from error
        try:
            begin()
            if not was_started():  # a command that is still there was for another process, which ended before it read it
                write_text(self._control, "", durable=False)
            write_text(self._owner, json.dumps(asdict(ProcessInfo.here(locked=locked))), durable=False)
            versions = {name: version(name) for name in ("napari-spectrai", "torch", "numpy")}
            environment = {"python": sys.version, "platform": platform.platform(), "versions": versions}
            write_text(self.environment, json.dumps(environment, indent=1), durable=False)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Record that no process works here any more."""
        with suppress(OSError):  # of a folder that has vanished, or cannot be written
            self._owner.unlink(missing_ok=True)
        lock.release(self._lock)

    def worker(self) -> ProcessInfo | None:
        """Return the running process that works here, if there is one.

        The process that holds the folder's lock works here, whatever `process.json` contains. That file is trusted only for a process on
        another machine or of an earlier version, or where the file system has no locks.
        """
        held, said = lock.holder(self._lock), self._said()
        if held is None:
            if said is None or (said.locked and said.is_near):
                return None
            return replace(said, alone=False, locked=False) if said.alive else None
        if said is not None and held.pid in (0, said.pid):
            return replace(said, alone=held.alone, locked=True)
        return ProcessInfo(held.pid, 0.0, platform.node(), held.alone, locked=True)

    def _said(self) -> ProcessInfo | None:
        try:
            return ProcessInfo.from_json(read_document(self._owner))
        except (OSError, ValueError):  # none, or a damaged one, which says nothing
            return None

    def proven_worker(self, pid: int) -> psutil.Process | None:
        """Return the process, if it is proven that it works here and does nothing else, so that it may be ended."""
        return lock.proven(self._lock, pid)

    def owner(self) -> int | None:
        """Return the id of the running process that works on the run, if there is one."""
        worker = self.worker()
        return None if worker is None else worker.pid

    def state(self) -> State:
        """Return the state of the run; ``"stopped"`` and ``"interrupted"`` runs can be resumed."""
        try:
            return "running" if self.owner() is not None else self._ending()
        except (ValueError, KeyError, TypeError):
            return "unreadable"

    def _ending(self) -> State:
        """Return the state of the run if no process works here."""
        try:
            ending = self.last_event()
        except (ValueError, KeyError, TypeError):
            return "unreadable"
        if isinstance(ending, Finished):
            return "stopped" if ending.reason == "stopped" else "finished"
        if isinstance(ending, Failed):
            return "failed"
        return "new" if ending is None else "interrupted"
