"""What was computed: the spectra of the components in the colours of their maps, and the table, as CSV too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import Container, PushButton, show_file_dialog
from napari.viewer import Viewer

from napari_spectrai.files import ending
from napari_spectrai.mapping import Maps
from napari_spectrai.mapping.files import write_curves, write_rows
from napari_spectrai.mapping.references import NAMES
from napari_spectrai.units import axis_title
from napari_spectrai.widgets.dock import line, message, say, text
from napari_spectrai.widgets.figure_dialog import open_figure
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.plot import CYCLE, Plot
from napari_spectrai.widgets.row_table import RowTable

MOST_CURVES = 12


class ResultView(Container[Any]):
    """Curves and table of the latest result; hidden before there is one."""

    def __init__(self, viewer: Viewer) -> None:
        self.result: Maps | None = None
        self.curves = Plot(viewer, x="Band number", y="Intensity", height=150, name="curves")
        self.table = RowTable()
        self.notes, self._problem = text("notes"), message()
        self._table_button = PushButton(text="Table as CSV…", name="save_table", tooltip="save the table as CSV")
        self._figure_button = PushButton(
            text="Figure…",
            name="save_figure",
            tooltip="save the map of the selected layer as a figure for print, with scale and colour bar",
        )
        self._curves_button = PushButton(text="Curves as CSV…", name="save_curves", tooltip="save the spectra of the components as CSV")
        self._fold = FoldBox(
            "Result",
            [self.notes, self.curves, self.table, line(self._figure_button, self._table_button, self._curves_button), self._problem],
            open_=True,
        )
        super().__init__(widgets=[self._fold], labels=False, name="result")
        self.margins = (0, 0, 0, 0)
        self.visible = False
        self._figure_button.changed.connect(lambda: open_figure(viewer, viewer.layers.selection.active))
        self._table_button.changed.connect(lambda: self._ask("Table", self.save_table))
        self._curves_button.changed.connect(lambda: self._ask("Curves", self.save_curves))

    def show_result(self, result: Maps, metadata: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Show another result, of data with these metadata."""
        self.result = result
        self.visible = True
        say(self.notes, "\n".join(result.notes))
        say(self._problem, "")
        self.curves.clear_curves()
        drawn = result.curves
        self.curves.visible = self._curves_button.visible = drawn is not None
        if drawn is not None:
            self.curves.titles(x=axis_title(drawn.axis, metadata))
            names = drawn.metadata.get(NAMES, ())
            for number, spectrum in enumerate(drawn.numpy()[:MOST_CURVES]):
                name = str(names[number]) if number < len(names) else str(number + 1)
                self.curves.curve(name, drawn.axis.values, spectrum, CYCLE[number % len(CYCLE)])
        self.table.visible = self._table_button.visible = bool(result.table)
        self.table.show_rows(result.table)

    def save_table(self, path: str | Path) -> None:
        """Write the table as CSV."""
        if self.result is not None:
            write_rows(self.result.table, ending(path, ".csv"))

    def save_curves(self, path: str | Path) -> None:
        """Write the spectra of the components as CSV."""
        if self.result is not None and self.result.curves is not None:
            write_curves(self.result.curves, ending(path, ".csv"))

    def _ask(self, caption: str, save: Any) -> None:
        path = show_file_dialog(FileDialogMode.OPTIONAL_FILE, caption=caption, filter="Tables (*.csv)", parent=self.native)
        if path:
            try:
                save(Path(str(path)))
            except (ValueError, OSError) as error:
                say(self._problem, str(error))
