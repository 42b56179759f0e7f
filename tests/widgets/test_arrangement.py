"""Where docks stand: work docks in tabs on the right, Spectra at the bottom."""

import pytest
from qtpy.QtCore import Qt

from napari_spectrai.widgets.arrangement import holder_of
from napari_spectrai.widgets.dock import opened


@pytest.fixture
def shown(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    viewer.open_sample("napari-spectrai", "cartilage")
    return viewer


def test_work_docks_share_tabs_and_spectra_stands_at_the_bottom(shown, qtbot):
    held = {name: holder_of(opened(shown, name).native) for name in ("Spectra", "Preprocess", "Evaluate")}
    window = held["Spectra"][1]
    qtbot.waitUntil(lambda: held["Evaluate"][0] in window.tabifiedDockWidgets(held["Preprocess"][0]), timeout=60_000)
    qtbot.waitUntil(lambda: window.dockWidgetArea(held["Spectra"][0]) == Qt.DockWidgetArea.BottomDockWidgetArea, timeout=60_000)
    assert held["Spectra"][0] not in window.tabifiedDockWidgets(held["Preprocess"][0])
    assert window.dockWidgetArea(held["Preprocess"][0]) == Qt.DockWidgetArea.RightDockWidgetArea


def test_a_dock_that_floats_is_left_where_it_is(shown, qtbot):
    first, _ = holder_of(opened(shown, "Preprocess").native)
    qtbot.waitUntil(first.isVisible, timeout=60_000)
    first.setFloating(True)
    second, window = holder_of(opened(shown, "Evaluate").native)
    qtbot.waitUntil(second.isVisible, timeout=60_000)
    qtbot.wait(50)
    assert first.isFloating()
    assert second not in window.tabifiedDockWidgets(first)
