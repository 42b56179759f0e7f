"""Signal: a run was launched in this process."""

from __future__ import annotations

from typing import Any

from psygnal import Signal


class Launched:
    """Runs that were launched in this process, and the signal that one was.

    Signals
    -------
    started(run) : emitted on the thread of `launch`; bound methods are held weakly
    """

    started = Signal(object)

    def __init__(self) -> None:
        self._runs: list[Any] = []

    @property
    def runs(self) -> list[Any]:
        """Running runs that were launched here."""
        for run in self._runs:
            if not run.alive:
                run.close()
        self._runs = [run for run in self._runs if run.alive]
        return list(self._runs)

    def add(self, run: Any) -> None:
        """Emit a run that was launched, and keep it."""
        self.keep(run)
        self.started.emit(run)

    def keep(self, run: Any) -> None:
        """Keep a reference to a run while it is running, since dropping the last handle would end it."""
        self._runs = [*self.runs, run]


launched = Launched()
