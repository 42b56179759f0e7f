"""Curves as a table on the clipboard or in a file, and the plot as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.types import FileDialogMode
from magicgui.widgets import Container, PushButton, show_file_dialog
from qtpy.QtWidgets import QApplication

from napari_spectrai.cells import safe_row
from napari_spectrai.files import write_text
from napari_spectrai.widgets.dock import line, message, say
from napari_spectrai.widgets.plot import Plot


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of a mean that is drawn, and the number of its spectra."""

    deviation: npt.NDArray[Any]
    count: int


class Export(Container[Any]):
    """Copy and save the curves.

    Parameters
    ----------
    plots : returns the plots whose curves are written
    picture : returns the plot that is saved as a picture
    spreads : returns the spreads of means, by the name of the curve
    """

    def __init__(self, plots: Callable[[], list[Plot]], picture: Callable[[], Plot], spreads: Callable[[], dict[str, Spread]]) -> None:
        self._plots, self._picture, self._spreads = plots, picture, spreads
        copy = PushButton(text="Copy", name="copy", tooltip="copy the curves as a table, for a spreadsheet; means with deviation")
        table = PushButton(text="CSV…", name="csv", tooltip="save the curves as a table; means with deviation and number of spectra")
        picture_button = PushButton(text="Image…", name="picture", tooltip="save the plot as PNG or SVG, at the size of print")
        self._problem = message()
        super().__init__(widgets=[line(copy, table, picture_button), self._problem], labels=False, name="export")
        self.margins = (0, 0, 0, 0)
        copy.changed.connect(self.copy)
        table.changed.connect(lambda: self._ask("Curves", "Tables (*.csv)", self.to_csv))
        picture_button.changed.connect(lambda: self._ask("Plot", "Pictures (*.png *.svg)", self.to_picture))

    def _ask(self, caption: str, suffixes: str, save: Callable[[str], None]) -> None:
        path = show_file_dialog(FileDialogMode.OPTIONAL_FILE, caption=caption, filter=suffixes, parent=self.native)
        if path:
            try:
                save(str(path))
                say(self._problem, "")
            except OSError as error:
                say(self._problem, str(error))

    def _columns(self) -> list[tuple[str, npt.NDArray[Any], list[tuple[str, npt.NDArray[Any]]]]]:
        """Return blocks of columns: title of the positions, positions, names and values; a mean is followed by its spread."""
        spreads = self._spreads()
        blocks: list[tuple[str, npt.NDArray[Any], list[tuple[str, npt.NDArray[Any]]]]] = []
        for plot in self._plots():
            for name in [name for name in plot.names() if plot.is_curve(name)]:
                x, y = plot.data(name)
                columns = [(name, y)]
                spread = spreads.get(name)
                if spread is not None and len(spread.deviation) == len(y):
                    columns = [(f"{name} mean", y), (f"{name} sd", spread.deviation), (f"{name} n", np.full(len(y), spread.count))]
                block = next((b for b in blocks if b[0] == plot.x_title and np.array_equal(b[1], x)), None)
                if block is None:
                    blocks.append((plot.x_title, x, columns))
                else:
                    block[2].extend(columns)
        return blocks

    def table(self, delimiter: str = ",") -> str:
        """Return the curves: a column of positions and a column per curve; where positions differ, a block for each."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        for label, x, columns in self._columns():
            writer.writerow(safe_row([label, *(name for name, _ in columns)]))
            for row, position in enumerate(x):
                writer.writerow([repr(float(position)), *(f"{float(y[row]):.9g}" for _, y in columns)])
        return out.getvalue()

    def copy(self) -> None:
        """Copy the curves to the clipboard."""
        clipboard = QApplication.clipboard()
        assert clipboard is not None  # noqa: S101  # there is one while there is a window
        clipboard.setText(self.table("\t"))

    def to_csv(self, path: str) -> None:
        """Save the curves as CSV."""
        write_text(Path(path if Path(path).suffix else f"{path}.csv"), self.table())

    def to_picture(self, path: str) -> None:
        """Save the plot."""
        self._picture().save(path if Path(path).suffix else f"{path}.png")
