"""The classes of the painted labels: their colours, names, numbers of pixels and recall; a click takes up the brush for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from magicgui.widgets import Container, PushButton
from napari.layers import Labels
from napari.viewer import Viewer
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_spectrai.label_conversion import as_labels

_HEADS = ("Class", "Pixels", "Recall")
_ROW, _HEAD, _MOST = 24, 26, 20
"""Height of a row and of the header in pixels, and the number of rows shown without scrolling."""
_SWATCH = 14


@dataclass(frozen=True, slots=True)
class Painted:
    """One class of a Labels layer: its number, name, colour (``"#rrggbb"``) and number of pixels."""

    value: int
    name: str
    colour: str
    pixels: int


def classes_in(layer: Labels) -> list[Painted]:
    """Return the classes that are painted or named, in ascending order of their numbers."""
    names = {value: name for value, name in class_names(layer).items() if value > 0}
    data = np.asarray(layer.data)
    small = data.size and data.min() >= 0 and data.max() < 2**20
    counts = dict(enumerate(np.bincount(data.ravel()).tolist())) if small else dict(zip(*np.unique(data, return_counts=True), strict=True))
    values = sorted({int(value) for value, count in counts.items() if value > 0 and count} | set(names))
    return [Painted(value, names.get(value, f"class {value}"), _code(layer, value), int(counts.get(value, 0))) for value in values]


def class_names(layer: Labels) -> dict[int, str]:
    """Return the names that a layer gives to its classes."""
    return {int(value): str(name) for value, name in as_labels(layer).names.items() if str(name)}


def name_class(layer: Labels, value: int, name: str) -> None:
    """Name a class of a layer, in its metadata and in napari's table of features."""
    names = class_names(layer) | {value: name}
    kept = layer.metadata.get("class_names")
    layer.metadata = {**layer.metadata, "class_names": {**(kept if isinstance(kept, Mapping) else {}), **names}}
    layer.features = {"class": [names.get(number, "unlabelled" if number == 0 else "") for number in range(max(names) + 1)]}


def take_brush(viewer: Viewer, layer: Labels, value: int) -> None:
    """Make a layer the active one, and paint a class in it."""
    viewer.layers.selection.active = layer
    layer.selected_label = value
    layer.mode = "paint"


def add_class(viewer: Viewer, layer: Labels) -> int:
    """Name the next free class, and paint it; return its number."""
    value = max([0, *(one.value for one in classes_in(layer))]) + 1
    name_class(layer, value, f"class {value}")
    take_brush(viewer, layer, value)
    return value


def _code(layer: Labels, value: int) -> str:
    red, green, blue = (round(255 * float(part)) for part in layer.get_color(value)[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


class ClassTable(Container[Any]):
    """A table of the classes of one Labels layer, and `add`, a button for another class; both hidden without a layer."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(labels=False, name="classes", visible=False)
        self.margins = (0, 0, 0, 0)
        self._viewer = viewer
        self.layer: Labels | None = None
        self.rows: list[Painted] = []
        self._recall: dict[str, float] = {}
        self._filling = False
        self.table = QTableWidget(0, len(_HEADS))
        self.table.setHorizontalHeaderLabels(_HEADS)
        self.table.setAccessibleName("classes")
        self.table.setToolTip("click a class to paint it, double-click its name to change it")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setIconSize(QSize(_SWATCH, _SWATCH))
        rows: Any = self.table.verticalHeader()
        rows.setVisible(False)
        rows.setDefaultSectionSize(_ROW)
        header: Any = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.add = PushButton(
            text="+ Add a class", name="add_class", visible=False, tooltip="the next free class, with the brush ready to paint it"
        )
        self.native.layout().addWidget(self.table)
        self.table.itemChanged.connect(self._on_name)
        self.table.cellClicked.connect(self._on_click)
        self.add.changed.connect(lambda _: self.add_class())

    def show_layer(self, layer: Labels | None, recall: Mapping[str, float] | None = None) -> None:
        """Show the classes of a layer as they are now, and their recall by name; None: as known."""
        if layer is not self.layer:
            self._recall = {}
        self._recall = self._recall if recall is None else dict(recall)
        self.layer, self.rows = layer, [] if layer is None else classes_in(layer)
        self.visible = self.add.visible = layer is not None
        self._filling = True
        self.table.setRowCount(len(self.rows))
        for number, row in enumerate(self.rows):
            self._fill(number, row)
        self._mark()
        self.table.setFixedHeight(_HEAD + _ROW * min(_MOST, max(1, len(self.rows))) + 4)
        self._filling = False

    def _fill(self, number: int, row: Painted) -> None:
        """Fill the cells of a row; they stay the same ones, since a new one would end the editing of a name."""
        for column, words in enumerate((row.name, f"{row.pixels:,}", self._recalled(row))):
            item: Any = self.table.item(number, column)
            if item is None:
                item = QTableWidgetItem()
                if column:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(number, column, item)
            item.setText(words)
            if not column:
                picture = QPixmap(_SWATCH, _SWATCH)
                picture.fill(QColor(row.colour))
                item.setIcon(QIcon(picture))

    def _mark(self) -> None:
        """Select the class that the brush paints."""
        if self.layer is None:
            return
        painted = next((n for n, row in enumerate(self.rows) if row.value == self.layer.selected_label), None)
        self.table.clearSelection() if painted is None else self.table.selectRow(painted)

    def _recalled(self, row: Painted) -> str:
        if not self._recall:
            return ""
        recall = self._recall.get(row.name)
        return "new" if recall is None else "not validated" if np.isnan(recall) else f"{recall:.2f}"

    def show_recall(self, recall: Mapping[str, float]) -> None:
        """Show the recall of each class by name; NaN for a class that was not validated."""
        self.show_layer(self.layer, recall)

    def add_class(self) -> None:
        """Add the next free class, and take up the brush for it."""
        if self.layer is not None:
            add_class(self._viewer, self.layer)
            self.show_layer(self.layer)

    def _on_name(self, item: QTableWidgetItem) -> None:
        if self._filling or self.layer is None or item.column():
            return
        row, name = self.rows[item.row()], item.text().strip()
        if name and name != row.name and name not in [one.name for one in self.rows]:
            self._recall = {name if known == row.name else known: value for known, value in self._recall.items()}
            name_class(self.layer, row.value, name)
        self.show_layer(self.layer)

    def _on_click(self, row: int, _: int) -> None:
        if self.layer is not None and self.layer in self._viewer.layers:
            take_brush(self._viewer, self.layer, self.rows[row].value)
