"""Stories told with mouse and keyboard alone: buttons are clicked, letters typed, the canvas is painted and clicked."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QDialog, QDialogButtonBox, QLineEdit, QRadioButton
from superqt import QDoubleRangeSlider

from napari_spectrai import Cube, SpectralAxis, as_cube, write
from napari_spectrai.widgets.dock import Dock, docks

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def docks_made_in_turns(monkeypatch, docks_made_at_once):
    monkeypatch.setattr(Dock, "in_turns", True)


@pytest.fixture
def hand(viewer, qtbot):
    """What a hand does in the window."""
    return Hand(viewer, qtbot)


class Hand:
    """Mouse and keyboard."""

    def __init__(self, viewer, qtbot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.canvas = viewer.window._qt_viewer.canvas
        self._sizes: list[tuple[int, int]] = []

    def drop(self, path) -> None:
        """Drag a file from a file manager onto the canvas; the window opens it as soon as its event loop runs."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        window, at = self.viewer.window._qt_viewer, QPoint(50, 50)
        given = (Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)

        def let_go() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # PySide6 6.12, of positions in whole pixels; others know no other ones
                entered = QDragEnterEvent(at, *given)
            QApplication.sendEvent(window, entered)
            QApplication.sendEvent(window, QDropEvent(QPointF(at), *given))

        QTimer.singleShot(0, let_go)

    def choose_reader(self, words: str) -> None:
        """Answer napari's question which plug-in shall read a file, when it comes; napari itself claims to read all of them."""

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QDialog):
                QTimer.singleShot(20, answer)
                return
            button = next(one for one in dialog.findChildren(QRadioButton) if one.text() == words)
            self.qtbot.mouseClick(button, LEFT, pos=QPoint(8, button.height() // 2))
            for box in dialog.findChildren(QCheckBox):
                if box.isChecked():  # only this time
                    self.qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
            self.click(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok))

        QTimer.singleShot(20, answer)

    def menu(self, *words: str) -> None:
        """Click through menus, from the menu bar on."""
        window = self.viewer.window._qt_window
        menu = window.menuBar()
        for number, word in enumerate(words):
            entries = {one.text().replace("&", ""): one for one in menu.actions()}
            assert word in entries, list(entries)
            action = entries[word]
            if number + 1 == len(words):
                self.qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
            else:
                menu = action.menu()
                menu.popup(window.mapToGlobal(QPoint(20 + 60 * number, 20)))

    def dock(self, name: str):
        """Open a dock from the menu, and return it."""
        self.menu("Plugins", "napari-spectrai", f"{name} (napari-spectrai)")

        def there():
            return [one for one in docks() if one.column.objectName() == name and one.column.isVisible() and one.is_complete]

        self.qtbot.waitUntil(lambda: bool(there()), timeout=600_000)
        return there()[0]

    def _row_of(self, layer):
        """Return the list of layers, and where a layer stands in it."""
        view = self.viewer.window._qt_viewer.layers
        model = view.model()
        rows = [model.index(row, 0) for row in range(model.rowCount())]
        row = next(one for one in rows if model.data(one, Qt.ItemDataRole.DisplayRole) == layer.name)
        view.scrollTo(row)
        return view, view.visualRect(row)

    def select(self, layer) -> None:
        """Click a layer in the list."""
        view, place = self._row_of(layer)
        self.qtbot.mouseClick(view.viewport(), LEFT, pos=place.center())
        assert self.viewer.layers.selection.active == layer

    def show(self, layer) -> None:
        """Click the eye of a layer in the list."""
        view, place = self._row_of(layer)
        before = layer.visible
        for x in range(place.left() + 40, place.center().x(), 8):  # to the right of the thumbnail
            self.qtbot.mouseClick(view.viewport(), LEFT, pos=QPoint(x, place.center().y()))
            if layer.visible != before:
                return
        raise AssertionError("there is no eye in the list")

    def click(self, widget) -> None:
        """Click the middle of a widget."""
        native = getattr(widget, "native", widget)
        assert native.isEnabled()
        self.qtbot.mouseClick(native, LEFT)

    def choose(self, combo, words: str) -> None:
        """Choose an entry by typing its first letters."""
        combo.native.setFocus()
        self.qtbot.keyClicks(combo.native, words)
        assert combo.native.currentText().startswith(words)

    def walk_to(self, combo, words: str) -> None:
        """Choose an entry with the arrow keys, where the first letters of all are alike."""
        combo.native.setFocus()
        while not combo.native.currentText().startswith(words):
            row = combo.native.currentIndex()
            self.qtbot.keyClick(combo.native, Qt.Key.Key_Down)
            assert combo.native.currentIndex() > row, f"there is no {words}"

    def press(self, row, words: str) -> None:
        """Click one of the radio buttons in a row."""
        button = next(one for one in row.native.findChildren(QRadioButton) if one.text() == words)
        self.qtbot.mouseClick(button, LEFT, pos=QPoint(8, button.height() // 2))
        assert row.value == words

    def type(self, field, words: str) -> None:
        """Replace the text of a field."""
        field.native.setFocus()
        self.qtbot.keyClick(field.native, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        self.qtbot.keyClicks(field.native, words)
        self.qtbot.keyClick(field.native, Qt.Key.Key_Tab)

    def steady(self) -> bool:
        """Whether the docks have found their places: the canvas keeps its size."""
        self._sizes.append((self.canvas.native.width(), self.canvas.native.height()))
        return len(self._sizes) > 10 and len(set(self._sizes[-10:])) == 1

    def place(self, layer, y: float, x: float) -> QPoint:
        """Return where a pixel of a layer is on the canvas."""
        corner = np.zeros(layer.ndim)
        corner[-2:] = y, x
        row, column = np.asarray(layer.data_to_world(corner))[-2:]
        at = self.canvas.view.scene.transform.map((column, row, 0, 1))
        return QPoint(round(float(at[0])), round(float(at[1])))

    def click_on(self, layer, y: float, x: float) -> None:
        """Move to a pixel of a layer on the canvas, and click it."""
        at = self.place(layer, y, x)
        self.qtbot.mouseMove(self.canvas.native, at)
        self.qtbot.mouseClick(self.canvas.native, LEFT, pos=at)

    def stroke(self, layer, start, end) -> None:
        """Paint from one pixel of a layer to another."""
        first, last = self.place(layer, *start), self.place(layer, *end)
        native = self.canvas.native
        self.qtbot.mouseMove(native, first)
        self.qtbot.mousePress(native, LEFT, pos=first)
        for share in (0.25, 0.5, 0.75, 1.0):
            self.qtbot.mouseMove(native, first + (last - first) * share)
        self.qtbot.mouseRelease(native, LEFT, pos=last)

    def drag_contrast(self, layer) -> None:
        """Drag the lower end of the contrast limits of the selected layer."""
        slider = self.viewer.window._qt_viewer.controls.widgets[layer].findChild(QDoubleRangeSlider)
        at = QPoint(3, slider.height() // 2)
        self.qtbot.mousePress(slider, LEFT, pos=at)
        for share in (0.1, 0.2, 0.3):
            self.qtbot.mouseMove(slider, at + QPoint(round(share * slider.width()), 0))
        self.qtbot.mouseRelease(slider, LEFT, pos=at + QPoint(round(0.3 * slider.width()), 0))

    def click_row(self, table, row: int) -> None:
        """Click the first cell of a row of a table."""
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=table.visualItemRect(table.item(row, 0)).center())

    def rename_row(self, table, row: int, words: str) -> None:
        """Double-click the first cell of a row of a table, type another text, and press Enter."""
        self.click_row(table, row)
        self.qtbot.mouseDClick(table.viewport(), LEFT, pos=table.visualItemRect(table.item(row, 0)).center())
        editor = table.findChild(QLineEdit)
        editor.selectAll()
        self.qtbot.keyClicks(editor, words)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)

    def key(self, key) -> None:
        """Press a key on the canvas."""
        self.canvas.native.setFocus()
        self.qtbot.keyClick(self.canvas.native, key)


def test_a_raman_map_from_its_file_to_a_map_of_peak_positions(viewer, hand, until, tmp_path):
    axis = SpectralAxis(np.linspace(900, 1100, 81), "1/cm")
    rng = np.random.default_rng(0)
    centre = np.broadcast_to(np.linspace(995, 1005, 16), (12, 16))
    peak = 80 * np.exp(-4 * np.log(2) * ((axis.values - centre[..., None]) / 14) ** 2)
    values = peak + 20 + 0.02 * (axis.values - 900) + rng.normal(0, 1, peak.shape)
    path = write(Cube(values.astype(np.float32), axis, name="cells", pixel_size=(0.5, 0.5), pixel_unit="um"), tmp_path / "cells.h5")
    hand.drop(path)
    hand.choose_reader("napari-spectrai")
    until(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    steps = viewer.dims.nsteps
    dock, spectra = hand.dock("Maps"), hand.dock("Spectra")
    until(hand.steady)
    hand.click_on(layer, 6, 3)  # is pinned
    until(lambda: len(spectra.pins) == 1)
    assert spectra.pins.layer.data[0].tolist() == [6, 3]
    hand.choose(dock.form.kind, "Peak")
    hand.type(dock.form._forms[0]._parts["low"].editor, "960")
    hand.type(dock.form._forms[0]._parts["high"].editor, "1040")
    until(lambda: "position" in dock._note.value and dock.work.start.enabled)
    hand.click(dock.work.start)
    until(lambda: "cells · position" in viewer.layers)
    found = viewer.layers["cells · position"]
    assert (found.ndim, found.visible, viewer.dims.nsteps) == (2, True, steps)
    np.testing.assert_allclose(found.data, centre, atol=0.8)
    np.testing.assert_allclose(found.data_to_world((3, 4)), layer.data_to_world((0, 3, 4))[1:])


def test_a_lambda_stack_from_its_file_to_unmixed_dyes_with_painted_references(viewer, hand, until, tmp_path):
    axis = SpectralAxis(np.linspace(500, 700, 21), "nm")
    dyes = np.exp(-0.5 * ((axis.values - np.array([[550], [620]])) / 25) ** 2)
    amounts = np.zeros((24, 24, 2))
    amounts[2:11, 2:22, 0] = 1
    amounts[13:22, 2:22, 1] = 1
    amounts[9:15, 9:15] = 0.5
    rng = np.random.default_rng(1)
    values = 200 * amounts @ dyes + rng.normal(0, 1, (24, 24, 21))
    path = write(Cube(values.astype(np.float32), axis, name="stack", pixel_size=(0.2, 0.2), pixel_unit="um"), tmp_path / "stack.zarr")
    hand.drop(path)
    hand.choose_reader("napari-spectrai")
    until(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    dock, spectra = hand.dock("Maps"), hand.dock("Spectra")
    hand.click(viewer.window._qt_viewer.layerButtons.newLabelsButton)  # napari makes a label for each band …
    until(lambda: spectra.flat_labels.visible)
    hand.click(spectra.flat_labels.button)  # … and the dock offers one per pixel
    labels = spectra.regions
    assert labels.ndim == 2
    hand.select(labels)
    while labels.brush_size > 3:
        hand.key(Qt.Key.Key_BracketLeft)
    hand.key(Qt.Key.Key_2)
    assert str(labels.mode) == "paint"
    hand.click_on(labels, 4, 5)
    hand.key(Qt.Key.Key_M)  # the next label
    hand.click_on(labels, 18, 5)
    assert np.unique(labels.data).tolist() == [0, 1, 2]
    until(lambda: len(spectra.region_means.means) == 2)
    hand.choose(dock._layer, "stack")
    hand.choose(dock.form.kind, "Given")
    hand.choose(dock.references.choice, labels.name)
    until(lambda: dock._similar.visible and dock.work.start.enabled)
    assert "Condition number" in dock._remarks.value
    hand.click(dock.work.start)
    until(lambda: any(one.name.startswith("stack · residual") for one in viewer.layers))
    maps = [one for one in viewer.layers if one.metadata.get("map", {}).get("map") in dock.result.maps and "residual" not in one.name]
    assert len(maps) == 2
    for number, found in enumerate(sorted(maps, key=lambda one: list(dock.result.maps).index(one.metadata["map"]["map"]))):
        assert found.ndim == 2
        np.testing.assert_allclose(found.data, amounts[..., number], atol=0.05)
    assert as_cube(layer).shape == (24, 24, 21)


def test_strokes_become_a_class_map_and_more_strokes_a_better_one(viewer, hand, until, tmp_path):
    rng = np.random.default_rng(2)
    values = rng.normal(0, 0.3, (24, 24, 8))
    values[:, 12:] += 1
    path = write(Cube(values.astype(np.float32), SpectralAxis(np.linspace(400, 700, 8), "nm"), name="cells"), tmp_path / "cells.zarr")
    hand.drop(path)
    hand.choose_reader("napari-spectrai")
    until(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    train = hand.dock("Train")
    until(hand.steady)
    table = train.data.layers.classes.table
    hand.choose(train.form.task, "Segmentation")
    train.experiment = train.experiment.override("network.candidates=[logistic_regression, pca_lda]")  # all take twenty seconds
    hand.click(train.data.layers.paint_button)
    strokes = viewer.layers["cells · strokes"]
    hand.stroke(strokes, (4, 3), (4, 8))
    hand.stroke(strokes, (18, 3), (18, 8))
    until(lambda: [row.pixels > 0 for row in train.data.layers.classes.rows] == [True])
    hand.rename_row(table, 0, "fat")
    until(lambda: train.data.layers.classes.rows[0].name == "fat")  # Qt takes a name over later
    hand.click(train.data.layers.classes.add)
    assert (strokes.selected_label, viewer.layers.selection.active, str(strokes.mode)) == (2, strokes, "paint")
    hand.stroke(strokes, (4, 15), (4, 20))
    hand.stroke(strokes, (18, 15), (18, 20))
    assert set(np.unique(strokes.data)) == {0, 1, 2}
    until(lambda: train._start.enabled and "2 classes" in train.ready.summary.value)
    hand.click(train._start)
    until(lambda: train.state == "idle" and train.result.queue.start.enabled)
    assert "cross-validated" in train.view.status
    assert [row[0] for row in _text(table)] == ["fat", "class 2"]
    assert all(row[2] for row in _text(table))  # recall
    hand.click(train.result.queue.start)
    until(lambda: not train.result.queue.busy)
    (result,) = (one for one in viewer.layers if one.name == "cells · predicted")
    (fat,) = (one for one in viewer.layers if " · probability · fat" in one.name)
    assert (viewer.layers.selection.active, str(strokes.mode)) == (strokes, "paint")
    hand.show(fat)
    hand.select(fat)
    hand.drag_contrast(fat)
    limits = tuple(fat.contrast_limits)
    assert limits[0] > 0.1
    hand.select(strokes)
    first, count = result.data.copy(), len(viewer.layers)

    hand.click_row(table, 0)
    assert strokes.selected_label == 1
    hand.stroke(strokes, (11, 2), (11, 9))
    until(lambda: train.ready.continuing.visible and train._start.enabled)
    assert (train.ready.continuing.choice.enabled, train.ready.continuing.choice.value) == (True, True)
    hand.click(train._start)
    until(
        lambda: (
            train.state == "idle" and not train.result.queue.busy and result.metadata["prediction"]["model"] == str(train.run.folder.best)
        )
    )
    assert train.run.folder.experiment().training.start is not None
    assert len(viewer.layers) == count
    assert result in viewer.layers
    assert (result.data == np.where(np.arange(24) < 12, 1, 2)).mean() > 0.9
    assert first.shape == result.data.shape
    assert (fat.visible, tuple(fat.contrast_limits)) == (True, limits)
    assert (viewer.layers.selection.active, str(strokes.mode), strokes.selected_label) == (strokes, "paint", 1)
    until(lambda: "cannot be compared" in train.view.remark.value)
    assert "were scored before" in train.view.remark.value
    until(lambda: any("≠" in row[1] for row in train.runs.table.text()))
    assert as_cube(layer).shape == (24, 24, 8)


def test_a_noisy_map_from_its_file_to_what_was_removed(viewer, hand, until, tmp_path):
    axis = SpectralAxis(np.linspace(600, 1800, 48), "1/cm")
    rng = np.random.default_rng(3)
    peaks = np.exp(-0.5 * ((axis.values - np.array([[900], [1450]])) / 60) ** 2)
    clean = np.stack(np.meshgrid(np.linspace(0, 1, 20), np.linspace(1, 0.2, 20)), -1) @ peaks + 0.2
    noise = rng.normal(0, 0.1, clean.shape)
    cube = Cube((clean + noise).astype(np.float32), axis, name="map", pixel_size=(0.5, 0.5), pixel_unit="um")
    hand.drop(write(cube, tmp_path / "map.zarr"))
    hand.choose_reader("napari-spectrai")
    until(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    steps = viewer.dims.nsteps
    dock, spectra = hand.dock("Predict"), hand.dock("Spectra")
    hand.walk_to(dock._models.choice, "Method: SVD")
    until(lambda: dock._start.enabled)
    hand.click(dock._start)
    until(lambda: not dock._applying.busy and dock.compare.visible)
    assert dock.status.startswith("done"), dock.problem
    (result,) = (one for one in viewer.layers if one.metadata.get("prediction", {}).get("role") == "result")
    hand.press(dock.compare.choice, "removed")
    (removed,) = (one for one in viewer.layers if one.metadata.get("prediction", {}).get("role") == "removed")
    assert [one for one in viewer.layers if one.visible] == [removed]
    assert (removed.name, viewer.dims.nsteps) == ("map · removed", steps)
    taken = as_cube(removed).numpy()
    np.testing.assert_allclose(taken, cube.numpy() - as_cube(result).numpy(), atol=1e-5)
    assert np.corrcoef(taken.ravel(), noise.ravel())[0, 1] > 0.9  # noise
    assert abs(np.corrcoef(taken.ravel(), clean.ravel())[0, 1]) < 0.1  # no structure
    until(hand.steady)
    hand.click_on(removed, 5, 8)
    pinned = f"{removed.name} · y 5, x 8"
    until(lambda: pinned in spectra.plot.names())
    np.testing.assert_allclose(spectra.plot.data(pinned)[1], taken[5, 8], rtol=1e-5)
    hand.press(dock.compare.choice, "before")
    images = [layer, result, removed]
    assert [one.visible for one in images] == [True, False, False]
    hand.press(dock.compare.choice, "after")
    assert [one.visible for one in images] == [False, True, False]


def _text(table) -> list[list[str]]:
    return [[table.item(row, column).text() for column in range(table.columnCount())] for row in range(table.rowCount())]
