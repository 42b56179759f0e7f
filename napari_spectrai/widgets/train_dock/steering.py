"""The buttons of a training, which say what they do in each of its states."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, PushButton

from napari_spectrai.widgets.dock import line

PATIENCE = 5000
"""Milliseconds that a run gets to save before it can be killed."""


class Steering(Container[Any]):
    """Start, pause and stop, with a menu next to them."""

    def __init__(self, menu: PushButton) -> None:
        self.start = PushButton(text="Train", name="start", tooltip="train in a separate process; napari stays responsive")
        self.pause = PushButton(text="Pause", name="pause", enabled=False, tooltip="pause after this step; nothing is lost")
        self.stop = PushButton(text="Stop", name="stop", enabled=False, tooltip="save and end; the run can be resumed")
        super().__init__(widgets=[line(self.start, self.pause, self.stop, menu)], labels=False)
        self.margins = (0, 0, 0, 0)

    def show_state(self, state: str, *, ready: bool, patient: bool) -> None:
        """Enable what can be done.

        Parameters
        ----------
        ready : whether a training can start
        patient : whether a run that is stopping still gets time to save
        """
        self.start.enabled = ready and state == "idle"
        self.pause.enabled = state in ("running", "paused")
        self.pause.text = "Resume" if state == "paused" else "Pause"
        stopping = state == "stopping"
        self.stop.enabled = state in ("starting", "running", "paused") or (stopping and not patient)
        self.stop.text = ("Stopping …" if patient else "Stop now") if stopping else "Stop"
