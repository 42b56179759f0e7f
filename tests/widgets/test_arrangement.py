"""Where docks stand: work docks in tabs on the right, Spectra at the bottom."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QPushButton

from napari_spectrai import as_cube
from napari_spectrai.summary import mean_spectrum
from napari_spectrai.widgets import whole_view
from napari_spectrai.widgets.arrangement import holder_of
from napari_spectrai.widgets.dock import Dock, open_in_turns, opened
from napari_spectrai.widgets.dock_memory import FILE, PlaceKeeper, recalled, remember, size_of
from napari_spectrai.widgets.layers import add_cube


@pytest.fixture
def shown(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    viewer.open_sample("napari-spectrai", "cartilage")
    return viewer


def test_work_docks_share_tabs_and_spectra_stands_at_the_bottom(shown, qtbot):
    held = {name: holder_of(opened(shown, name).native) for name in ("Spectra", "Preprocess", "Evaluate")}
    window = held["Spectra"][1]
    qtbot.waitUntil(lambda: held["Evaluate"][0] in window.tabifiedDockWidgets(held["Preprocess"][0]), timeout=600_000)
    qtbot.waitUntil(lambda: window.dockWidgetArea(held["Spectra"][0]) == Qt.DockWidgetArea.BottomDockWidgetArea, timeout=600_000)
    assert [held[name][0].windowTitle() for name in held] == list(held)  # tabs that can be read
    assert held["Spectra"][0] not in window.tabifiedDockWidgets(held["Preprocess"][0])
    assert window.dockWidgetArea(held["Preprocess"][0]) == Qt.DockWidgetArea.RightDockWidgetArea
    covered = held["Preprocess"][0]
    for hide in (held["Evaluate"][0].raise_, covered.hide):  # a link to a dock shows it, where it was behind a tab or hidden
        hide()
        qtbot.waitUntil(lambda: covered.visibleRegion().isEmpty(), timeout=600_000)
        open_in_turns(shown, "Preprocess")
        qtbot.waitUntil(lambda: not covered.visibleRegion().isEmpty(), timeout=600_000)


def test_a_dock_that_floats_is_left_where_it_is(shown, qtbot):
    first, _ = holder_of(opened(shown, "Preprocess").native)
    qtbot.waitUntil(first.isVisible, timeout=600_000)
    first.setFloating(True)
    second, window = holder_of(opened(shown, "Evaluate").native)
    qtbot.waitUntil(second.isVisible, timeout=600_000)
    qtbot.wait(50)
    assert first.isFloating()
    assert second not in window.tabifiedDockWidgets(first)


@pytest.fixture
def accompanied(monkeypatch):
    monkeypatch.setattr(Dock, "opens_spectra", True)


def spectra_holder(viewer):
    dock = viewer.window.dock_widgets.get("Spectra (napari-spectrai)")
    return None if dock is None else holder_of(getattr(dock, "native", dock))[0]


def test_spectra_opens_at_the_bottom_with_the_first_work_dock_and_shows_the_mean(shown, accompanied, qtbot):
    opened(shown, "Preprocess")
    qtbot.waitUntil(lambda: spectra_holder(shown) is not None and spectra_holder(shown).height() >= 150, timeout=600_000)
    holder = spectra_holder(shown)
    window = holder.parentWidget()
    qtbot.waitUntil(lambda: window.dockWidgetArea(holder) == Qt.DockWidgetArea.BottomDockWidgetArea, timeout=600_000)
    qtbot.waitUntil(lambda: holder.height() >= 150, timeout=600_000)
    dock = opened(shown, "Spectra")
    qtbot.waitUntil(lambda: "Cartilage · mean" in dock.plot.names(), timeout=600_000)
    wanted = mean_spectrum(as_cube(shown.layers["Cartilage"]))
    np.testing.assert_allclose(dock.plot.data("Cartilage · mean")[1], wanted, rtol=1e-5)
    dock.look_at((1450.0, 5.0, 6.0))
    assert [name for name in dock.plot.names() if "Cartilage" in name] == ["Cartilage"]
    dock.look_at((1450.0, -50.0, 6.0))
    assert [name for name in dock.plot.names() if "Cartilage" in name] == ["Cartilage · mean"]
    for one in (dock._show, dock.region_means.choice, dock._points):  # in sight without scrolling
        assert one.native.visibleRegion().boundingRect().height() > 10


def test_spectra_that_a_person_has_closed_does_not_come_back(shown, accompanied, qtbot):
    opened(shown, "Preprocess")
    qtbot.waitUntil(lambda: spectra_holder(shown) is not None and spectra_holder(shown).isVisible(), timeout=600_000)
    spectra_holder(shown).close()
    qtbot.waitUntil(lambda: recalled("Spectra").get("closed") is True, timeout=600_000)
    opened(shown, "Evaluate")
    qtbot.wait(100)
    assert spectra_holder(shown).isHidden()


@pytest.mark.parametrize("by_script", [True, False])
def test_a_dock_is_remembered_as_closed_by_its_cross_and_not_by_a_script(shown, qtbot, by_script):
    spectra = opened(shown, "Spectra")
    holder, _ = holder_of(spectra.column)
    qtbot.waitUntil(lambda: recalled("Spectra").get("closed") is False, timeout=600_000)
    if by_script:
        shown.window.remove_dock_widget(spectra.column)
        holder.findChild(PlaceKeeper)._save()  # before the event loop deletes it
    else:
        holder.findChild(QPushButton, "QTitleBarCloseButton").click()
    assert recalled("Spectra")["closed"] is not by_script


def test_a_dock_returns_to_where_it_was_left(shown, qtbot):
    holder, window = holder_of(opened(shown, "Spectra").native)
    qtbot.waitUntil(lambda: recalled("Spectra").get("area") == "bottom", timeout=600_000)
    window.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, holder)
    qtbot.waitUntil(lambda: recalled("Spectra").get("area") == "top", timeout=600_000)
    shown.window.remove_dock_widget(holder.widget())
    again, _ = holder_of(opened(shown, "Spectra").native)
    qtbot.waitUntil(lambda: window.dockWidgetArea(again) == Qt.DockWidgetArea.TopDockWidgetArea, timeout=600_000)


def test_a_window_that_changes_its_size_leaves_a_low_dock_its_own(shown, qtbot):
    holder, window = holder_of(opened(shown, "Spectra").native)
    window.resize(1280, 1100)
    opened(shown, "Preprocess")
    qtbot.waitUntil(lambda: holder.height() == 250 and recalled("Preprocess").get("area") == "right", timeout=600_000)
    for height in (720, 1100):  # Qt takes all that is too much from the dock at the bottom, and gives nothing back
        window.resize(1280, height)
        qtbot.waitUntil(lambda: 240 <= holder.height() <= 250, timeout=600_000)
        qtbot.waitUntil(lambda: window.height() == height and size_of("Spectra", 250) in (240, 250), timeout=600_000)  # noqa: B023


def test_a_damaged_memory_is_ignored(tmp_path):
    for text in ("[]", "{", '{"Spectra": 3}', '{"Spectra": {"area": "north", "size": "wide"}}'):
        (tmp_path / FILE).write_text(text)
        assert size_of("Spectra", 7) == 7
    remember("Spectra", area="left", size=300)
    assert (recalled("Spectra")["area"], size_of("Spectra", 7)) == ("left", 300)


def axes_shown(plot):
    return [plot.canvas.getPlotItem().getAxis(side).isVisible() for side in ("left", "bottom")]


@pytest.mark.parametrize("height", [150, 210, 240])
def test_a_low_spectra_dock_shows_plot_and_hint_whole_and_has_no_scroll_bar_of_its_own(shown, qtbot, height):
    remember("Spectra", area="bottom", size=height)
    dock = opened(shown, "Spectra")
    columns = dock._columns
    qtbot.waitUntil(lambda: dock.native.height() < 300 and columns._wide, timeout=600_000)
    add_cube(shown, as_cube(shown.layers["Cartilage"]), name="Cartilage · denoised")
    labels = np.zeros((25, 35), np.int32)
    labels[:, :20] = np.arange(20)
    dock.regions = shown.add_labels(labels, name="twenty regions", scale=shown.layers["Cartilage"].scale[1:])
    qtbot.waitUntil(lambda: len(dock.region_means.means) == 19, timeout=600_000)
    # the columns scroll, not the dock: two bars next to one another would leave open which of them scrolls what
    qtbot.waitUntil(lambda: dock.native.verticalScrollBar().maximum() == 0, timeout=600_000)
    first = columns._areas[0]
    if height > 150:
        qtbot.waitUntil(lambda: first.verticalScrollBar().maximum() == 0, timeout=600_000)
        hint = dock._readout.native
        qtbot.waitUntil(lambda: hint.visibleRegion().boundingRect() == hint.rect(), timeout=600_000)


def test_the_dock_goes_back_to_one_column_when_it_is_high(shown, qtbot):
    dock = opened(shown, "Spectra")
    columns = dock._columns
    qtbot.waitUntil(lambda: columns._wide, timeout=600_000)
    holder, _ = holder_of(dock.native)
    holder.setFloating(True)
    holder.resize(400, 700)
    qtbot.waitUntil(lambda: not columns._wide and dock.plot.canvas.height() >= 250, timeout=600_000)
    assert [area.isVisible() for area in columns._areas] == [False, False]
    assert dock._show.native.isVisible()


def test_axes_are_drawn_with_the_first_curve_and_go_with_the_last(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    dock = opened(viewer, "Spectra")
    qtbot.waitUntil(lambda: axes_shown(dock.plot) == [False, False], timeout=600_000)
    assert not dock._empty.native.isHidden()
    assert not dock._readout.value
    dock.plot.curve("one", [0, 1], [2, 3], "#ff0000")
    assert axes_shown(dock.plot) == [True, True]
    dock.plot.clear_curves()
    qtbot.waitUntil(lambda: axes_shown(dock.plot) == [False, False], timeout=600_000)


def test_a_single_step_is_shown_whole(shown, qtbot):
    dock = opened(shown, "Preprocess")
    dock.steps = ["normalise"]
    area = dock._scroll.area
    qtbot.waitUntil(lambda: area.viewport().height() >= dock._form.native.sizeHint().height() > 10, timeout=600_000)
    assert area.verticalScrollBar().maximum() == 0


def test_a_dock_scrolls_to_a_result_also_when_it_grows_but_not_away_from_where_a_person_scrolled(shown, qtbot):
    dock = opened(shown, "Maps")
    bar = dock.native.verticalScrollBar()
    dock.native.setFixedHeight(200)
    qtbot.waitUntil(lambda: bar.maximum() > 60, timeout=600_000)
    top = dock.work.native.mapTo(dock.native.widget(), QPoint(0, 0)).y()
    dock.scroll_to(dock.work)
    qtbot.waitUntil(lambda: bar.value() in (top, bar.maximum()), timeout=600_000)
    qtbot.wait(500)
    bar.setValue(3)
    dock.scroll_to(dock.work, again=True)
    qtbot.wait(500)
    assert bar.value() == 3


def test_the_whole_image_stays_in_view_next_to_a_dock_unless_a_person_has_zoomed(shown, qtbot):
    qtbot.waitUntil(lambda: shown.canvas.size[1] > 700, timeout=600_000)
    before = shown.canvas.size
    opened(shown, "Preprocess")
    qtbot.waitUntil(lambda: shown.canvas.size != before, timeout=600_000)
    kept = shown.scene.camera.zoom
    shown.reset_view()
    assert kept == pytest.approx(shown.scene.camera.zoom, rel=0.01)
    qtbot.waitUntil(lambda: not whole_view._keepers, timeout=600_000)
    shown.scene.camera.zoom = zoomed = kept * 3
    opened(shown, "Spectra")
    qtbot.waitUntil(lambda: shown.canvas.size[0] < before[0] - 100, timeout=600_000)
    assert shown.scene.camera.zoom == zoomed
