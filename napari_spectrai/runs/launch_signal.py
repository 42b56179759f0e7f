"""Word of runs that are launched in this process, for a dock that stands beside the console."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_spectrai.runs.job import Run

Listener = Callable[["Run"], Any]


class Launched:
    """Who wants to know that `launch` was called in this process, and what it has launched.

    Bound methods are held weakly, so that a dock that is gone is forgotten. Listeners are called where `launch` was.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[], Listener | None]] = []
        self._runs: list[Run] = []

    def connect(self, listener: Listener) -> None:
        """Call `listener` with every run that is launched from now on."""
        self._listeners.append(weakref.WeakMethod(listener) if inspect.ismethod(listener) else lambda: listener)

    def disconnect(self, listener: Listener) -> None:
        """Call it no more."""
        self._listeners = [other for other in self._listeners if other() not in (None, listener)]

    @property
    def runs(self) -> list[Run]:
        """Runs launched here that are alive."""
        for run in self._runs:
            if not run.alive:
                run.close()
        self._runs = [run for run in self._runs if run.alive]
        return list(self._runs)

    def tell(self, run: Run) -> None:
        """Tell of a run; it is kept in mind while it lives, since a handle that is lost would end it."""
        self._runs = [*self.runs, run]
        for known in list(self._listeners):
            listener = known()
            if listener is None:
                self._listeners.remove(known)
            else:
                listener(run)


launched = Launched()
