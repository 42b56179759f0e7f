"""A run's folder: the document, the events, the weights, and the control file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

from napari_spectrai.experiment import Experiment
from napari_spectrai.files import make_folder
from napari_spectrai.labels import Labels
from napari_spectrai.plan import subsets
from napari_spectrai.plan.subsets import Map
from napari_spectrai.runs import journal, lock, split_file
from napari_spectrai.runs.events import Event, Failed, Finished, Stage
from napari_spectrai.runs.working_folder import WorkingFolder
from napari_spectrai.swap import is_temporary

State = Literal["new", "running", "finished", "stopped", "failed", "interrupted", "unreadable"]
EARLIER = "previous.pt"
"""Name of the checkpoint before the last one, next to it."""


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


class RunFolder(WorkingFolder):
    """The files of one run. Only the process that works on the run writes them; others read them, and write `control`.

    Raises
    ------
    PermissionError
        From `create`, if the folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
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

    @classmethod
    def create(cls, experiment: Experiment, path: str | Path | None = None) -> RunFolder:
        """Create a folder for a new run of `experiment` and write its document; one in which nothing was learnt is used again.

        Raises
        ------
        FileExistsError
            If it contains a run that has learnt something, or that is running.
        """
        folder = cls.made(experiment, path)
        try:
            with folder.held_for_a_moment():
                folder.begin(experiment)
        except lock.HeldError:
            raise FileExistsError(folder._why_not_again("running")) from None  # noqa: SLF001
        return folder

    @classmethod
    def made(cls, experiment: Experiment, path: str | Path | None = None) -> RunFolder:
        """Make the folder for a new run of `experiment`, whose document `begin` writes; refuses what `create` does."""
        folder = cls(cls.new(experiment) if path is None else path)
        folder._refuse_used()
        make_folder(folder.path)
        return folder

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

    def refuse_none(self) -> None:
        """Refuse a path at which there is no run."""
        if not self.document.exists():
            raise FileNotFoundError(f"{self.path} contains no run (no experiment.yml in it)")

    def experiment(self) -> Experiment:
        """Return the document of this run."""
        self.refuse_none()
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
