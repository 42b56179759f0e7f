"""`Run`: a training in a process of its own, started here or found running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari_spectrai
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.process_info import ForeignProcess


class Run(Job):
    """A training in a separate process; get one from `launch`, or `attach` to one by its folder.

    Parameters
    ----------
    folder : RunFolder or path
        The run folder. Nothing is started: `resume` continues a run that was stopped or killed, in a new process.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> noisy, truth = pairs.cube[:100], pairs.truth[:100]
    >>> experiment = spectrai.Experiment.default("denoising", noisy, truth).override("training.epochs=2")
    >>> model = spectrai.train(experiment, noisy, truth, run="my-run")
    >>> spectrai.Run("my-run").model().axis == model.axis
    True
    """

    def __init__(self, folder: RunFolder | str | Path) -> None:
        folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        super().__init__(folder, ["train", str(folder.path)], remains=True)
        self._origin: Run | None = None

    @classmethod
    def attach(cls, run: Run | RunFolder | str | Path) -> Run:
        """Return a handle on a run that is in progress, whoever has started it; all its events are reported again.

        Any number of handles may follow and control one run. Closing this one, or ending this process, leaves the run
        as it is. Where no process works in the folder the handle is not alive, and can `resume`.

        Parameters
        ----------
        run : Run, RunFolder or path
            Another handle, or the run folder: of another window, a terminal, or a window that was closed.

        Returns
        -------
        Run
        """
        made = cls(run.folder if isinstance(run, Run) else run)
        if isinstance(run, Run):
            made._follow(run)
        else:
            made._find_worker()
        return made

    def _follow(self, run: Run) -> None:
        self._origin, self._worker, self._stale = run._origin or run, run._worker, run._stale

    def _remains_words(self) -> str:
        return f"what it had saved is in {self.folder.path} and can be resumed"

    def _find_worker(self) -> bool:
        owner = self.folder.worker()
        if owner is not None:
            self._worker = ForeignProcess(
                owner, lambda: self.folder.owner() == owner.pid, self._code, lambda: self.folder.proven_worker(owner.pid)
            )
            self._ended = False
        return owner is not None

    @property
    def tied(self) -> bool:
        """Whether it runs and would end with this process."""
        return super().tied if self._origin is None else self._origin.tied

    @property
    def attached(self) -> bool:
        """Whether this handle only follows and controls a process that another one has started."""
        return self._origin is not None or super().attached

    def detach(self) -> None:
        """Let the run go on when this process ends, and when this handle is closed; from then on `attach` finds it."""
        if self._origin is None:
            super().detach()
        else:
            self._origin.detach()

    def pause(self) -> None:
        """Pause the run after the current step; it keeps its memory."""
        self.folder.say("pause")

    def resume(self) -> None:
        """Continue: a paused run goes on; a stopped, failed or killed one is started again from its checkpoint.

        Where another process has resumed the run in the meantime, that process is followed.
        """
        if self.alive or self._find_worker():
            self.folder.say("resume")
            return
        self.close()
        self._origin = None
        self.arguments = ["train", str(self.folder.path), "--resume"]
        self.start()

    def model(self, which: str = "best") -> Any:
        """Load the ``"best"`` or ``"last"`` model. Imports torch.

        Parameters
        ----------
        which : {"best", "last"}, default "best"

        Returns
        -------
        Model
        """
        path = {"best": self.folder.best, "last": self.folder.last}[which]
        return napari_spectrai.Model.load(path)

    def report(self) -> Path:
        """Write the report of the results so far, and return its path; at the end of a training it is written automatically."""
        return napari_spectrai.write_report(self.folder.path)
