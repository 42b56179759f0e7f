"""The table of what came out of each file, and a button that saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import Container, PushButton

from napari_spectrai.files import ending
from napari_spectrai.runs.result_table import NAME, Row, columns_of, write_rows
from napari_spectrai.widgets.dock import message
from napari_spectrai.widgets.row_table import RowTable
from napari_spectrai.widgets.saved_table import ask_and_save


class FileTable(Container[Any]):
    """A row for each file: shares of classes or mean intensity, and remarks; hidden while there is none."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.table = RowTable("results of the files")
        self._save = PushButton(text="Table as CSV…", name="save_table", tooltip="save what came out of each file as CSV")
        self._problem = message()
        super().__init__(widgets=[self.table, self._save, self._problem], labels=False, name="file_table", visible=False)
        self.margins = (0, 0, 0, 0)
        self._save.changed.connect(self._ask)

    def add(self, row: Row) -> None:
        """Add the row of a file."""
        self.rows.append(row)
        columns = columns_of(self.rows)
        self.table.show_rows([{name: one.get(name) for name in columns} for one in self.rows])
        self.visible = True

    def clear_rows(self) -> None:
        """Remove all rows."""
        self.rows, self.visible = [], False

    def save(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        return write_rows(self.rows, ending(path, ".csv"))

    def _ask(self) -> None:
        ask_and_save(self.save, self._problem, caption="Table", name=NAME, parent=self.native)
