"""Every dock of the manifest on a small screen: its width, its words, its keys, its colours; menus, preferences and folds."""

from __future__ import annotations

import os
import subprocess
import sys

import napari.settings
import numpy as np
import pytest
from app_model import Application
from napari.utils.theme import get_theme
from npe2 import PluginManager
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QPalette, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QSlider,
    QWidget,
)

from napari_spectrai.labels import Labels
from napari_spectrai.runs import default_folder
from napari_spectrai.widgets import context_menu, fold_state, preferences, warm_up
from napari_spectrai.widgets.arrangement import AT_THE_BOTTOM
from napari_spectrai.widgets.colours import CURVE, TEXT, contrast, readable
from napari_spectrai.widgets.dock import message, opened
from napari_spectrai.widgets.focus_frame import FocusFrame
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.layers import add_labels
from napari_spectrai.widgets.plot import CLASSICAL, CYCLE, SOURCE, TRUTH, Plot

CONTROLS = (QAbstractButton, QLineEdit, QComboBox, QAbstractSpinBox, QSlider)
MENUS = ("filter", "segment", "classify", "transform", "visualize", "measure")


def manifest():
    manager = PluginManager.instance()
    manager.discover()
    return manager.get_manifest("napari-spectrai").contributions


DOCKS = [widget.display_name for widget in manifest().widgets]


def dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-spectrai", name)[1]


def folds(widgets):
    for widget in widgets:
        if isinstance(widget, FoldBox):
            yield widget
        if hasattr(widget, "__iter__"):
            yield from folds(widget)


def faults(native) -> list[str]:
    """Return what a person on a small screen, or without a mouse, would complain about."""
    inner, found = native.widget(), []
    at_the_bottom = native.objectName() in AT_THE_BOTTOM  # wide and low
    if native.sizeHint().width() > 420 or (native.width() > 420 and not at_the_bottom):
        found.append(f"{native.width()} px wide")
    if inner.width() > native.viewport().width() or inner.height() > native.verticalScrollBar().maximum() + native.viewport().height():
        found.append("some of it cannot be reached by scrolling")
    for widget in inner.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget.parent(), QComboBox | QAbstractSpinBox):
            continue
        words = widget.currentText() if isinstance(widget, QComboBox) else getattr(widget, "text", str)()
        what = f"{type(widget).__name__} {words!r}"
        if isinstance(widget, CONTROLS):
            if not (widget.toolTip() or widget.parent().toolTip()):  # Qt asks the parent where a part has none of its own
                found.append(f"{what}: no tooltip")
            if not (widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")):
                found.append(f"{what}: no name for screen readers, {widget.toolTip()!r}")
            if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                found.append(f"{what}: cannot be reached by Tab")
            if isinstance(widget, QComboBox | QAbstractSpinBox) and any(_after_wheel(widget, turn) != words for turn in (-120, 120)):
                found.append(f"{what}: changed by the wheel while one scrolls")
        if widget.mapTo(inner, widget.rect().topRight()).x() > inner.width():
            found.append(f"{what}: reaches out of the dock")
        if isinstance(widget, QAbstractButton) and not _fits(widget):
            found.append(f"{what}: clipped")
        if isinstance(widget, QComboBox) and widget.fontMetrics().horizontalAdvance(words) + 30 > widget.width():
            found.append(f"{what}: clipped")
        if isinstance(widget, QLabel) and not (
            widget.heightForWidth(widget.width()) <= widget.height() + 1 if widget.wordWrap() else _fits(widget)
        ):
            found.append(f"{what}: clipped")
    return found


def _after_wheel(widget, turn: int) -> str:
    """Return what a field shows when the wheel was turned over it."""
    place, button = QPointF(widget.rect().center()), Qt.MouseButton.NoButton
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    QApplication.sendEvent(
        widget, QWheelEvent(place, QPointF(widget.mapToGlobal(place)), QPoint(), QPoint(0, turn), button, none, phase, False)
    )
    return widget.currentText() if isinstance(widget, QComboBox) else widget.text()


def settled(native, qtbot) -> list[str]:
    """Return the faults that stay when the layout has come to rest."""
    found = []
    for _ in range(20):
        qtbot.wait(20)
        found = faults(native)
        if not found:
            break
    return found


def _fits(widget) -> bool:
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.heightForWidth(widget.width()) <= widget.height() + 1
    hint = widget.sizeHint()
    return hint.width() <= widget.width() + 1 and hint.height() <= widget.height() + 1


@pytest.fixture
def screen(make_napari_viewer, qtbot):
    """A small screen with the Raman map; return the window and a way to let it settle."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    viewer.open_sample("napari-spectrai", "cartilage")
    return viewer


@pytest.mark.parametrize("name", DOCKS)
def test_every_dock_fits_a_small_screen(screen, qtbot, name):
    column = dock(screen, name)
    found = settled(column.native, qtbot)
    for fold in list(folds(column)):
        fold.heading.native.click()
    found += settled(column.native, qtbot)
    for theme in ("light", "dark"):
        screen.theme = theme
        qtbot.wait(20)
        found += [
            f"{label.text()!r} is hardly to be read in {theme}"
            for label in column.native.findChildren(QLabel)
            if label.isVisible() and label.text() and _contrast(label) < TEXT
        ]
    assert not sorted(set(found))


def _contrast(label) -> float:
    palette, around = label.palette(), label.parentWidget().palette()
    return contrast(palette.color(QPalette.ColorRole.WindowText).name(), around.color(QPalette.ColorRole.Window).name())


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_contrast_with_the_background(viewer, qtbot, theme):
    viewer.theme = theme
    plot, warning = Plot(viewer, x="x", y="y"), message("wrong")
    viewer.window.add_dock_widget(plot.native)
    viewer.window.add_dock_widget(warning.native)
    qtbot.wait(20)
    background = get_theme(theme).background.as_hex()
    assert plot.is_light == (theme == "light")
    for number, colour in enumerate((SOURCE, TRUTH, CLASSICAL, plot.accent, *CYCLE)):
        plot.curve(f"{number}", [0, 1], [0, 1], colour)
        assert contrast(plot._curves[f"{number}"].opts["pen"].color().name(), background) >= CURVE
    assert _contrast(warning.native) >= TEXT
    assert readable("#000000", "#ffffff") == "#000000"  # what can be told already stays


def test_screens_of_double_resolution(tmp_path):
    code = (
        "import napari, tests.widgets.test_citizenship as t\n"
        "from qtpy.QtWidgets import QApplication\n"
        "viewer = napari.Viewer()\n"
        "viewer.window._qt_window.resize(1280, 720)\n"
        "found = []\n"
        "for name in t.DOCKS:\n"
        "    opened = t.dock(viewer, name)\n"
        "    opened.complete()\n"
        "    for _ in range(20): QApplication.processEvents()\n"
        "    assert opened.native.devicePixelRatioF() == 2\n"
        "    found += t.faults(opened.native)\n"
        "    viewer.window.remove_dock_widget(opened.native)\n"
        "viewer.close()\n"
        "assert not found, found\n"
    )
    environment = os.environ | {"QT_SCALE_FACTOR": "2", "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- menus and keys


def test_menus_offer_docks_and_what_they_do_to_the_selected_layer(open_image, monkeypatch):
    viewer, image, truth = open_image
    saved = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *words: saved.append(words[1]) or ("", ""))
    monkeypatch.setattr(context_menu, "APP", "test_app")  # as napari calls its own in tests
    app = Application.get_app("test_app")
    spectra = dock(viewer, "Spectra")
    spectra._chip_of[truth].value = False
    for menu in MENUS:
        ours = [item.command.id for item in app.menus.get_menu(f"napari/layers/{menu}") if hasattr(item, "command")]
        assert any(command.startswith("napari-spectrai.") for command in ours), menu
    context = [item.submenu for item in app.menus.get_menu("napari/layers/context") if hasattr(item, "submenu")]
    assert context.count("napari-spectrai/layer") == 1
    for layer in (truth, image):
        viewer.layers.selection.active = layer
        for item in app.menus.get_menu("napari-spectrai/layer"):
            app.commands.execute_command(item.command.id).result()
        assert spectra._chip_of[layer].value
        assert spectra._main() is layer
        assert all(opened(viewer, name).layer is layer for name in ("Preprocess", "Predict"))
        assert opened(viewer, "Train").data.first.input.value is layer
        assert saved.pop() == f"Save {layer.name}"


def test_keys_press_the_buttons_of_the_dock_that_has_the_focus(viewer, focus):
    files = dock(viewer, "Open as a spectral image")
    pressed = []
    files._open.changed.disconnect()
    files._open.changed.connect(lambda: pressed.append("open"))
    inside = files._file.line_edit.native
    focus(inside)
    QTest.keyClick(inside, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not pressed  # it is off
    files._open.enabled = True
    QTest.keyClick(inside, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert pressed == ["open"]
    assert "Ctrl+Return" in files._open.tooltip


def test_tab_goes_through_a_dock_as_its_fields_stand(open_image, focus, qtbot):
    """They are made in another order: steps are added later, and the button below the column before."""
    viewer, image, _ = open_image
    prepare, _ = opened(viewer, "Preprocess"), opened(viewer, "Spectra")
    prepare.layer = image
    prepare.steps = ["despike", "normalise"]
    qtbot.waitUntil(prepare._applying.start.native.isEnabled, timeout=600_000)
    items, tools = prepare.form.items, prepare._tools
    fields = [prepare._layer, prepare._ready.choice, items[0].on, items[0].remove_button, items[1].on, items[1].remove_button]
    wanted = [field.native for field in (*fields, prepare.form.choice, tools.train, prepare._applying.start)]
    focus(wanted[0])
    passed = [QApplication.focusWidget()]
    while passed[-1] is not wanted[-1] and len(passed) < 60:
        qtbot.keyClick(passed[-1], Qt.Key.Key_Tab)
        passed.append(QApplication.focusWidget())
        framed = {frame.parent() for frame in prepare.column.findChildren(FocusFrame) if frame.isVisible()}
        assert framed == ({passed[-1]} if isinstance(passed[-1], QAbstractButton | QComboBox) else set())
    assert not any(isinstance(widget, QAbstractScrollArea) for widget in passed)  # lists and plots, in which no key does anything
    assert [widget for widget in passed if widget in wanted] == wanted
    assert all(prepare.column.isAncestorOf(widget) for widget in passed)
    for widget in reversed(passed[:-1]):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backtab)
        assert QApplication.focusWidget() is widget
    qtbot.mouseClick(items[0].on.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not prepare.column.findChildren(FocusFrame))  # the mouse shows where it is


def test_an_empty_dock_says_what_to_do_with_a_link_that_does_it(viewer, make_napari_viewer):
    empty = dock(viewer, "Preprocess")
    make_napari_viewer(show=True)  # now the current one
    label = empty._about.native
    assert '<a href="Cartilage Raman map"' in label.text()
    assert empty._about.value.endswith("napari-spectrai ▸ Cartilage Raman map.")
    label.linkActivated.emit("Cartilage Raman map")
    assert empty.layer is viewer.layers["Cartilage"]
    assert "<a" not in label.text()


@pytest.mark.parametrize("suffix", [".npz", ".zarr"])
def test_labels_keep_the_names_of_their_classes_when_they_are_saved(viewer, tmp_path, suffix):
    labels = Labels(np.array([[0, 1, 3], [3, 1, 0]], np.uint8), {1: "water", 3: "soil"}, name="classes")
    path = str(tmp_path / f"classes{suffix}")
    assert add_labels(viewer, labels, None).save(path, plugin="napari-spectrai") == [path]
    (again,) = viewer.open(path, plugin="napari-spectrai")
    np.testing.assert_array_equal(again.data, labels.data)
    assert again.metadata["class_names"] == labels.names
    assert list(again.features["class"]) == ["unlabelled", "water", "", "soil"]


# ---------------------------------------------------------------- what is remembered


def test_a_fold_remembers_how_it_was_left(viewer, make_napari_viewer, qtbot):
    first = dock(viewer, "Spectra")
    fold = next(folds(first))
    assert not fold.content.visible
    fold.heading.native.click()
    assert fold_state.place().exists()
    other = make_napari_viewer(show=True)
    again = list(folds(dock(other, "Spectra")))
    qtbot.wait(20)
    assert again[0].content.visible
    assert not again[1].content.visible
    fold_state.place().write_text("{")  # damaged, it is as if nothing were remembered
    assert fold_state.load("Spectra: x") is None


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The preferences, kept in the test's folder."""
    monkeypatch.setattr(napari.settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    napari.settings._clear_plugin_settings_cache()
    yield lambda: napari.settings.get_plugin_settings("napari-spectrai").general
    napari.settings.get_plugin_settings("napari-spectrai").reset()
    napari.settings._clear_plugin_settings_cache()


def test_preferences_reach_runs_and_plots_and_are_kept(viewer, settings, tmp_path, monkeypatch):
    assert preferences.preferences() == preferences.Preferences()
    plot = Plot(viewer, x="x", y="y")
    assert not plot.is_light
    told = []
    preferences.changed.connect(told.append)
    settings().plot_theme = "light"
    assert plot.is_light
    settings().runs_folder = str(tmp_path / "mine")
    assert default_folder() == tmp_path / "runs"  # the variable that was set comes first
    monkeypatch.delenv(preferences.RUNS)
    settings().runs_folder = str(tmp_path / "other")
    assert default_folder() == tmp_path / "other"
    child = subprocess.run(
        [sys.executable, "-c", "from napari_spectrai.runs import default_folder; print(default_folder())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert child.stdout.strip() == str(tmp_path / "other")
    with pytest.raises(ValueError, match="enum"):
        settings().device = "tpu"
    settings().device = "cpu"
    assert told[-1] == preferences.Preferences(tmp_path / "other", "cpu", "light")
    napari.settings._clear_plugin_settings_cache()  # as after a restart
    assert preferences.preferences() == told[-1]
    settings().runs_folder = ""
    assert preferences.RUNS not in os.environ
    preferences.changed.disconnect(told.append)


@pytest.mark.own_process
def test_modules_of_docks_are_imported_one_by_one_while_the_window_is_idle(make_napari_viewer, qtbot, monkeypatch):
    monkeypatch.setattr(warm_up, "_started", [])
    names = list(warm_up.modules())
    assert names.index("napari_spectrai.widgets.plot") < names.index("napari_spectrai.widgets.train_dock.train_dock")
    assert not any(name.startswith(("napari_spectrai.learn", "napari_spectrai.networks")) or name.endswith("demo") for name in names)
    viewer = make_napari_viewer()
    viewer.open_sample("napari-spectrai", "cartilage")
    qtbot.waitUntil(lambda: all(name in sys.modules for name in names), timeout=600_000)
    assert "torch" not in sys.modules
