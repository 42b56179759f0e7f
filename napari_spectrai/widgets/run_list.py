"""The list of runs in the Train dock, and what can be done with the one chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from magicgui.widgets import ComboBox, PushButton, Widget
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices

from napari_spectrai.runs import RunFolder, all_runs
from napari_spectrai.widgets.dock import line, rows
from napari_spectrai.widgets.layers import add_labels, lie_over, spectral_position

_NAMES = {
    "running": "running",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "failed": "failed",
    "finished": "finished",
    "unreadable": "cannot be read",
    "new": "not begun",
}


class RunList:
    """Runs by name and state; resume, report and split of the chosen one.

    Parameters
    ----------
    viewer : where the split is shown
    say : takes words for the person
    """

    def __init__(self, viewer: Viewer, say: Callable[[str], None]) -> None:
        self._viewer, self._say = viewer, say
        self._listed: list[tuple[str, str]] = []
        self._active = False
        self.choice = ComboBox(
            choices=lambda _: self._listed,
            nullable=True,
            label="Runs",
            name="runs",
            tooltip="earlier runs; those stopped or interrupted can go on",
        )
        self.resume = PushButton(text="Resume", name="resume", enabled=False, tooltip="go on from the run's checkpoint")
        self.report = PushButton(
            text="Report", name="report", enabled=False, tooltip="open the report of this run, one HTML page, in the browser"
        )
        self.split = PushButton(
            text="Split", name="split", enabled=False, tooltip="show which pixels trained, validated and tested, as a Labels layer"
        )
        self.report.changed.connect(self.show_report)
        self.split.changed.connect(self.show_split)

    @property
    def sections(self) -> list[Widget]:
        """What the dock shows."""
        return [rows(self.choice), line(self.resume, self.report, self.split)]

    @property
    def chosen(self) -> RunFolder | None:
        """The run that is chosen."""
        return None if self.choice.value is None else RunFolder(self.choice.value)

    def update(self, *, active: bool) -> None:
        """Enable what can be done with the chosen run; `active`: while another one trains."""
        self._active, chosen = active, self.chosen
        self.resume.enabled = not active and chosen is not None and chosen.state() in ("stopped", "interrupted", "failed")
        self.report.enabled = chosen is not None and chosen.report.exists()
        self.split.enabled = chosen is not None and chosen.split.exists()

    def refresh(self, mine: RunFolder | None) -> None:
        """List the runs there are now; choose `mine`, else one that can go on."""
        runs = all_runs()[:50]
        self._listed = [(f"{folder.path.name} · {_NAMES[folder.state()]}", str(folder.path)) for folder in runs]
        self.choice.reset_choices()
        unfinished = [str(folder.path) for folder in runs if folder.state() in ("stopped", "interrupted")]
        path = None if mine is None else str(mine.path)
        self.choice.value = path if path in [str(f.path) for f in runs] else next(iter(unfinished), None)

    def show_report(self) -> None:
        """Open the report of the chosen run in the browser."""
        report = None if self.chosen is None else self.chosen.report
        if report is not None and not (report.exists() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(report)))):
            self._say(f"no browser opened; the report is {report}" if report.exists() else f"{report} is no more")
            self.update(active=self._active)

    def show_split(self) -> None:
        """Add the split of the chosen run as Labels layers, over the images of its shape."""
        if self.chosen is None:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        for number, labels in enumerate(self.chosen.parts()):
            over = next((layer for layer in images if _spatial(layer) == labels.shape), None)
            name = f"{self.chosen.path.name} · split{f' {number + 1}' if number else ''}"
            layer = add_labels(self._viewer, replace(labels, data=labels.data.astype(np.uint8)), over, name=name, opacity=0.5)
            if over is not None:
                lie_over(layer, over)


def _spatial(layer: Image) -> tuple[int, ...]:
    return tuple(length for d, length in enumerate(layer.data.shape) if d != spectral_position(layer))
