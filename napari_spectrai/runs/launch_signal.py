"""Signal: a run was launched in this process."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_spectrai.runs.job import Run

Listener = Callable[["Run"], Any]


class Launched:
    """Listeners to launches in this process, and the runs that were launched.

    Bound methods are held weakly, so that a closed dock is forgotten. Listeners are called on the thread of `launch`.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[], Listener | None]] = []
        self._runs: list[Run] = []

    def connect(self, listener: Listener) -> None:
        """Call `listener` with every run launched from now on."""
        self._listeners.append(weakref.WeakMethod(listener) if inspect.ismethod(listener) else lambda: listener)

    def disconnect(self, listener: Listener) -> None:
        """Stop calling a listener."""
        self._listeners = [other for other in self._listeners if other() not in (None, listener)]

    @property
    def runs(self) -> list[Run]:
        """Running runs that were launched here."""
        for run in self._runs:
            if not run.alive:
                run.close()
        self._runs = [run for run in self._runs if run.alive]
        return list(self._runs)

    def emit(self, run: Run) -> None:
        """Emit a run; a reference is kept while it is running, since dropping the last handle would end it."""
        self._runs = [*self.runs, run]
        for known in list(self._listeners):
            listener = known()
            if listener is None:
                self._listeners.remove(known)
            else:
                listener(run)


launched = Launched()
