"""Results in a folder, scored against truths of the same names in another; one row of scores for each file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, PushButton
from napari.viewer import Viewer

from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.files import ending
from napari_spectrai.runs import prepare_folder_evaluation
from napari_spectrai.runs.result_table import SCORES, Row, columns_of, read_rows, write_rows
from napari_spectrai.widgets.dock import message, rows, say, text
from napari_spectrai.widgets.job_queue import JobQueue, JobSpec
from napari_spectrai.widgets.row_table import RowTable
from napari_spectrai.widgets.saved_table import ask_and_save

_ABOUT = (
    "Each truth is compared with the result of the same name, with or without the name of a model behind it "
    "(map-1.npz and map-1-ridge.zarr)."
)
MEAN = "mean of the files"
_TEXT = ("file", "result", "scored", "remarks")
_MOST_REASONS = 3
"""Files of which it is said below the status why they are not scored; the table says it of all."""


class FolderEvaluation(Container[Any]):
    """Two or three folders, the task, the button that starts, and the table of scores."""

    def __init__(self, viewer: Viewer) -> None:
        self.rows: list[Row] = []
        self.results = _folder("Results", "folder with the results, such as that of a prediction of files")
        self.truths = _folder("Truths", "folder with the truths: cubes, or for classes label images; they decide which files are scored")
        self.source = _folder("Sources", "folder with the files that the results were made from; they are scored, too; may be empty")
        self.task = ComboBox(
            choices=[(tasks[kind].title, kind) for kind in tasks], value="denoising", label="Task", name="folder_task",
            tooltip="which metrics are reported",
        )  # fmt: skip
        self.queue = JobQueue(viewer, "Evaluate folders", "score each result against its truth", "starting: loading torch …")
        self.queue.cancel.tooltip = "stop; no table is kept"
        self.table = RowTable("scores of the files")
        self._save = PushButton(text="Table as CSV…", name="save_scores", tooltip="save the scores of the files as CSV")
        self._problem, self._wrong, self._unscored = message(), message(), message()
        fields = rows(self.results, self.truths, self.source, self.task)
        parts = [text(value=_ABOUT), fields, self._wrong, self.queue, self._unscored, self._problem, self.table, self._save]
        super().__init__(widgets=parts, labels=False, name="folder_evaluation")
        self.margins = (0, 0, 0, 0)
        self.table.visible = self._save.visible = False
        for field in (self.results, self.truths, self.source):
            field.changed.connect(self._check)
        self.queue.start.changed.connect(self.start)
        self.queue.ended.connect(self._check)
        self._save.changed.connect(self._ask)
        self._check()

    def _check(self, _: Any = None) -> None:
        given = {field.label: _path(field) for field in (self.results, self.truths, self.source)}
        wrong = [f"{label}: {path} is no folder." for label, path in given.items() if path is not None and not path.is_dir()]
        truths = given.pop("Truths")
        if truths is not None and not wrong:
            same = [label for label, path in given.items() if path is not None and path.resolve() == truths.resolve()]
            wrong += [f"{label} and Truths are the same folder; choose two." for label in same]
        say(self._wrong, "\n".join(wrong))
        self.queue.start.enabled = None not in (truths, given["Results"]) and not wrong and not self.queue.busy

    def start(self) -> None:
        """Score the files in a separate process."""
        results, truths, source, task = _path(self.results), _path(self.truths), _path(self.source), str(self.task.value)
        if results is None or truths is None or not self.queue.start.enabled:
            return
        self.rows, self.table.visible, self._save.visible = [], False, False  # a table stands for the folders above it
        say(self._unscored, "")
        work = JobSpec(
            "",
            lambda: prepare_folder_evaluation(results, truths, task, source=source),
            lambda folder, stopped: None if stopped else read_rows(folder / SCORES),
            self._show,
            unit="files",
        )
        self.queue.run_all([work], self.native)

    def _show(self, found: list[Row]) -> str:
        self.rows = found
        columns = [name for name in columns_of(found) if name != "result"]
        mean = {name: _mean([row.get(name) for row in found]) for name in columns if name not in _TEXT}
        lines = [{name: row.get(name) for name in columns} for row in found]
        several = sum(row.get("scored") is not None for row in found) > 1
        self.table.show_rows([*lines, {"file": MEAN, **mean}] if several else lines)
        self.table.visible = self._save.visible = True
        unscored = [row for row in found if row.get("scored") is None]
        more = len(unscored) - _MOST_REASONS
        why = [f"{row['file']}: {str(row.get('remarks')).removeprefix('failed: ')}" for row in unscored[:_MOST_REASONS]]
        say(self._unscored, "\n".join([*why, *([f"and {more} more, in the last column of the table"] if more > 0 else [])]))
        return f"{len(found) - len(unscored)} of {len(found)} files scored"

    def save(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        return write_rows(self.rows, ending(path, ".csv"))

    def _ask(self) -> None:
        ask_and_save(self.save, self._problem, caption="Scores", name=SCORES, parent=self.native)


def _folder(label: str, tooltip: str) -> FileEdit:
    return FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, nullable=True, value=None, label=label, name=label.lower(), tooltip=tooltip)


def _path(field: FileEdit) -> Path | None:
    """Return the folder of a field; None while it is empty."""
    given: Any = field.value
    return None if given is None or given == Path() else Path(str(given))


def _mean(values: list[Any]) -> float | None:
    known = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    return sum(known) / len(known) if known else None
