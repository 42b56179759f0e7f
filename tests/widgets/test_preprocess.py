"""The Preprocess dock driven as a person would, and its list of steps alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_spectrai import Cube, SpectralAxis, as_cube, preprocess
from napari_spectrai.preparation.axis import Crop
from napari_spectrai.preparation.baseline import ArPLS
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.preparation.reduce import PCA
from napari_spectrai.preparation.step import steps
from napari_spectrai.runs import prepare_preprocessing
from napari_spectrai.widgets.dock import opened as opened_dock
from napari_spectrai.widgets.dock import say
from napari_spectrai.widgets.form import SpecForm
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.preprocess_dock.step_findings import middle
from napari_spectrai.widgets.step_list import OrderedForm


@pytest.fixture
def opened(open_image):
    viewer, image, _ = open_image
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.layer = image
    return viewer, image, dock


def test_the_list_keeps_its_order_and_what_is_off(qtbot):
    form = OrderedForm(steps, [{"kind": "normalise", "by": "snv"}, {"kind": "fill"}], SpecForm)
    assert [entry["kind"] for entry in form.read()] == ["normalise", "fill"]
    form.axis = SpectralAxis([400, 500, 600], "nm")
    crop = form.add("crop")
    assert form.read()[-1] == {"kind": "crop", "low": 400.0, "high": 600.0, "by": "position"}
    form.move(crop, -1)
    form.move(crop, -1)
    form.move(crop, -1)
    assert [entry["kind"] for entry in form.read()] == ["crop", "normalise", "fill"]
    assert not crop.up.enabled
    form.items[1].on.value = False
    assert [entry["kind"] for entry in form.read()] == ["crop", "fill"]
    form.take_out(crop)
    form.items[0].on.value = True
    assert form.read() == [{"kind": "normalise", "by": "snv", "percentile": 25.0}, {"kind": "fill"}]
    form.choice.value = "despike"
    assert form.choice.value == ""
    assert form.items[-1].kind == "despike"


@pytest.mark.parametrize("kind", list(steps))
def test_every_step_has_a_form_that_gives_back_what_it_was_given(qtbot, kind):
    axis = SpectralAxis(np.linspace(400, 700, 12), "nm")
    given = {
        "calibrate": {"measured": [400.0, 500.0], "known": [401.0, 502.0]},
        "reflectance": {"white": [2.0] * 12},
        "epo": {"conditions": [[2.0] * 12, [3.0] * 12]},
        "remove_bands": {"bands": [1, 2], "ranges": [[500.0, 520.0]]},
        "pybaselines": {"method": "mor", "options": {"half_window": 3}},
    }
    step = steps.parse({"kind": kind, **steps[kind].start(axis), **given.get(kind, {})})
    form = OrderedForm(steps, [step.model_dump(mode="json")], SpecForm)
    assert steps.parse(form.read()[0]) == step


def test_before_and_after_follow_steps_settings_and_the_cursor(opened, until):
    viewer, image, dock = opened
    assert "12 bands, 400–700 nm" in dock._about.value
    assert not dock._applying.start.enabled
    dock.steps = [Normalise(by="maximum"), Crop(low=450, high=650)]
    dock.look_at((3, 4))
    spectrum = as_cube(image).data[3, 4]
    until(lambda: dock._note.value == "pixel (3, 4)" and not dock._latest.busy)
    x, y = dock._after.data("after")
    assert (x[0], x[-1]) == pytest.approx((454.54545, 645.45454))
    np.testing.assert_allclose(y, (spectrum / np.abs(spectrum).max())[2:10], rtol=1e-5)
    np.testing.assert_allclose(dock._plot.data("before")[1], spectrum)
    dock.form.items[0].on.value = False
    until(lambda: dock._after.names() and dock._after.data("after")[1].max() == pytest.approx(spectrum[2:10].max()))

    class Event:
        position = (500.0, 7.0, 8.0)

    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event())
    until(lambda: dock._note.value == "pixel (7, 8)")
    # what is not computed yet is not shown as if it were
    go, at = threading.Event(), dock._preview.at
    dock._preview.at = lambda place: (go.wait(), at(place))[1]
    dock.look_at((1, 1))
    until(lambda: dock._note.value == "computing …" and not dock._after.names())
    assert dock._after._item.getAxis("bottom").isVisible()
    go.set()
    until(lambda: dock._note.value == "pixel (1, 1)" and dock._after.names() == ["after"])


def test_steps_that_learn_or_look_around_are_shown_too(opened, until):
    _, image, dock = opened
    dock.steps = [PCA(components=2), "gaussian", "bin"]
    dock.look_at((5, 5))
    until(lambda: "without Bin pixels" in dock._note.value and not dock._latest.busy)
    expected = preprocess(as_cube(image), [PCA(components=2), "gaussian"]).data[5, 5]
    np.testing.assert_allclose(dock._after.data("after")[1], expected, rtol=1e-4)


def spiky(height: int = 20, width: int = 20, spikes: int = 7) -> tuple[Cube, set[tuple[int, int, int]]]:
    """Return a map of two broad peaks with noise, and where it has spikes: one in a pixel."""
    rng = np.random.default_rng(0)
    band = np.arange(80)
    amounts = rng.uniform(50, 100, (height, width, 2))
    data = amounts @ np.stack([np.exp(-0.5 * ((band - centre) / 5) ** 2) for centre in (25, 55)]) + rng.normal(0, 1, (height, width, 80))
    places = set()
    for number, pixel in enumerate(rng.choice(height * width, spikes, replace=False)):
        y, x = divmod(int(pixel), width)
        places.add((5 + 10 * number, y, x))
        data[y, x, 5 + 10 * number] += 60
    return Cube(data.astype(np.float32), SpectralAxis(np.linspace(500, 1290, 80), "1/cm")), places


def test_spikes_are_counted_next_to_their_step_and_marked_in_the_image(viewer, until):
    cube, places = spiky()
    image = add_cube(viewer, cube, name="map")
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = [Normalise(by="maximum"), "despike"]
    item = dock.form.items[1]
    until(lambda: not dock._findings.busy and len(item.extra) and "counting" not in item.extra[0].words.value)
    assert "spike" in item.extra[0].words.value
    dock.form.items[0].on.value = False
    until(lambda: item.extra[0].words.value == "7 spikes in 7 spectra")
    assert not item.form.visible
    assert item.extra[0].words.native.isVisibleTo(dock.native)
    item.extra[0].show_button.changed.emit(True)
    points = viewer.layers["map · spikes"]
    assert {tuple(map(int, point)) for point in points.data} == places
    np.testing.assert_allclose(points.scale, image.scale)
    assert dock.layer is image
    item.on.value = False
    until(lambda: not item.extra.visible)
    item.on.value = True
    dock.look_at(next(iter(places))[1:])
    band, *pixel = next(iter(places))
    until(lambda: dock._note.value.startswith(f"pixel ({pixel[0]}, {pixel[1]})") and not dock._latest.busy)
    expected = preprocess(cube, ["despike"]).data[tuple(pixel)]
    np.testing.assert_allclose(dock._after.data("after")[1], expected, rtol=1e-4, atol=1e-3)


def test_of_a_large_layer_the_middle_is_counted():
    cube, _ = spiky()
    part, begin = middle(cube, 10 * 10 * 80)
    assert (part.spatial_shape, begin) == ((10, 10), (5, 5))
    np.testing.assert_array_equal(part.data, cube.data[5:15, 5:15])


def test_problems_are_shown_next_to_their_field_and_prevent_the_start(opened, until):
    _, _, dock = opened
    crop = dock.form.add("crop")
    dock.form.items[0].form._parts["low"].editor.value = "a lot"
    assert not dock._applying.start.enabled
    assert crop.form._parts["low"].problem.value
    dock.form.items[0].form._parts["low"].editor.value = "9000"
    dock.form.items[0].form._parts["high"].editor.value = "9500"
    until(lambda: "no band lies in 9000–9500 nm" in dock._problem.value)
    assert not dock._applying.start.enabled
    dock.start()
    assert not dock._applying.busy
    dock.form.items[0].form._parts["low"].editor.value = "400"
    until(lambda: not dock._problem.visible)
    assert dock._applying.start.enabled


def test_apply_saves_loads_and_hands_over(opened, until, tmp_path):
    viewer, image, dock = opened
    dock.steps = [ArPLS(smoothness=100), Normalise(by="snv")]
    until(lambda: dock._applying.start.enabled)
    assert "last" not in dock._ready.choice.choices
    dock.start()
    dock.start()
    until(lambda: dock.status.startswith(("done", "failed")))
    assert dock.status == "done: layer 'image · prepared'", dock._applying.problem.value
    dock.steps = []
    dock._ready.choice.value = "last"  # as on another day, when a new dock offers them
    assert dock.steps == [ArPLS(smoothness=100), Normalise(by="snv")]
    result = viewer.layers["image · prepared"]
    expected = preprocess(as_cube(image), [ArPLS(smoothness=100), Normalise(by="snv")])
    np.testing.assert_allclose(as_cube(result).data, expected.data, rtol=1e-5, atol=1e-5)
    assert viewer.layers.index(result) == viewer.layers.index(image) + 1
    assert dock.layer is image
    dock.save_steps(tmp_path / "steps")
    dock.steps = []
    dock.open_steps(tmp_path / "steps.yml")
    assert dock.steps == [ArPLS(smoothness=100), Normalise(by="snv")]
    (tmp_path / "bad.yml").write_text("- bake\n")
    dock.open_steps(tmp_path / "bad.yml")
    assert "no step 'bake'" in dock._problem.value
    assert dock.steps == [ArPLS(smoothness=100), Normalise(by="snv")]
    dock.hand_to_train()
    assert opened_dock(viewer, "Train").experiment.preparation == dock.steps


def test_a_cancelled_preparation_leaves_nothing(viewer, until):
    data = np.random.default_rng(0).random((60, 60, 300), np.float32)
    add_cube(viewer, Cube(data, name="large"))
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = [{"kind": "pybaselines", "method": "fabc"}]
    until(lambda: dock._applying.start.enabled)
    dock.start()
    until(lambda: dock._applying.cancel.enabled)
    dock.cancel()
    until(lambda: dock.status in ("cancelled", "failed"))
    assert dock.status == "cancelled"
    assert len(viewer.layers) == 1


def test_lazy_layers_are_read_where_they_lie_and_their_layer_may_go(viewer, until, image_pairs, tmp_path):
    from napari_spectrai import write

    path = write(image_pairs[0], tmp_path / "c.zarr")
    (layer,) = viewer.open(path, plugin="napari-spectrai")
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = ["normalise"]
    until(lambda: dock._applying.start.enabled)
    dock.start()
    viewer.layers.remove(layer)
    until(lambda: dock.status.startswith(("done", "failed")))
    assert [layer.name for layer in viewer.layers] == ["image · prepared"]
    assert dock._about.value == "'image' was removed; choose another layer."


def test_what_is_seen_is_what_is_prepared(viewer, until, image_pairs, tmp_path):
    """A lazy layer that was changed since it was opened is not what its file holds."""
    from napari_spectrai import write
    from napari_spectrai.widgets.layers import choose_dimension

    path = write(image_pairs[0], tmp_path / "c.zarr")
    (layer,) = viewer.open(path, plugin="napari-spectrai")
    assert as_cube(layer).source == path
    layer.data = layer.data[:, :10, :11] * 100 + 5
    assert as_cube(layer).source is None
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    assert "10 × 11 spectra, 12 bands" in dock._about.value
    choose_dimension(layer, 2)
    assert "12 × 10 spectra, 11 bands" in dock._about.value
    assert as_cube(layer).source is None
    dock.steps = ["normalise"]
    until(lambda: dock._applying.start.enabled)
    expected = preprocess(as_cube(layer), ["normalise"])
    dock.start()
    until(lambda: dock.status.startswith(("done", "failed")))
    np.testing.assert_allclose(as_cube(viewer.layers[-1]).data, np.asarray(expected.data), rtol=1e-5)


def test_results_lie_where_their_source_lies(viewer, until):
    cube = Cube(
        np.random.default_rng(0).random((12, 12, 12)).astype(np.float32), SpectralAxis(np.linspace(400, 700, 12), "nm"), name="image"
    )
    layer = add_cube(viewer, cube)
    layer.scale, layer.translate = (layer.scale[0], 0.5, 0.25), (layer.translate[0], 100, 50)
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = [{"kind": "calibrate", "measured": [400.0, 700.0], "known": [410.0, 710.0]}]
    until(lambda: dock._applying.start.enabled)
    dock.start()
    until(lambda: dock.status.startswith(("done", "failed")))
    result = viewer.layers["image · prepared"]
    assert tuple(result.scale[1:]) == (0.5, 0.25)
    assert tuple(result.translate) == (410, 100, 50)


def test_the_job_names_steps_of_this_process_alone(tmp_path, image_pairs):
    @steps.add
    class Local(Crop):
        kind: str = "local"

    try:
        with pytest.raises(ValueError, match="'local' was registered in this process only"):
            prepare_preprocessing([Local(low=1, high=2)], image_pairs[0], folder=tmp_path)
    finally:
        steps._kinds.pop("local")
        steps._local.discard("local")


def test_changes_are_undone_and_redone_and_steps_duplicated(opened, until):
    _, _, dock = opened
    form = dock.form
    dock.steps = [ArPLS(smoothness=100), Normalise(by="snv")]
    kinds = lambda: [entry["kind"] for entry in form.read()]  # noqa: E731
    form.items[0].double.native.click()
    assert kinds() == ["arpls", "arpls", "normalise"]
    assert form.read()[0] == form.read()[1]
    form.items[1].on.value = False
    form.items[0].form._parts["smoothness"].editor.value = "5000"
    assert form.read()[0]["smoothness"] == 5000
    form.undo()
    assert form.read()[0]["smoothness"] == 100
    form.undo()
    assert kinds() == ["arpls", "arpls", "normalise"]
    dock._tools.undo.native.click()
    assert kinds() == ["arpls", "normalise"]
    for _ in range(3):
        assert dock._tools.redo.enabled
        dock._tools.redo.native.click()
    assert not dock._tools.redo.enabled
    assert (kinds(), form.read()[0]["smoothness"]) == (["arpls", "normalise"], 5000)
    form.undo()
    dock._ready.choice.value = "raman"
    assert kinds() == ["despike", "arpls", "normalise"]
    assert not form.can_redo
    form.undo()
    assert kinds() == ["arpls", "normalise"]


def test_keys_undo_and_redo_wherever_the_focus_is_and_it_stays_in_the_dock(opened, focus, qtbot):
    """Else the second Ctrl+Z would be napari's, which undoes a stroke of a Labels layer."""
    _, _, dock = opened
    form, control, shift = dock.form, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

    def field(name):
        parts = form.items[1].form._parts
        form.items[1].form.visible = True
        return parts[name].editor.native

    dock.steps = [Normalise(by="snv"), ArPLS(smoothness=100)]
    places = {
        "a box": lambda: form.items[0].on.native, "a button": lambda: form.items[1].up.native, "the dock": lambda: dock.column,
        "a number": lambda: field("rounds"), "text": lambda: field("smoothness"), "the start": lambda: dock._applying.start.native,
    }  # fmt: skip
    for name, place in places.items():
        focus(place())
        if name == "text":
            qtbot.keyClicks(place(), "5")
        elif name == "a number":
            qtbot.keyClick(place(), Qt.Key.Key_Up)
        for modifiers, left in ((control, [0] if name not in ("text", "a number") else [2, 0]), (control | shift, [2])):
            for steps_left in left:
                qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Z, modifiers)
                assert len(form.items) == steps_left, name
                assert QApplication.focusWidget() is dock.column or dock.column.isAncestorOf(QApplication.focusWidget()), name
        assert form.read()[1]["smoothness"] == 100, name
    for button, kept in (("down", "on"), ("remove_button", "remove_button")):
        focus(getattr(form.items[0], button).native)
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
        assert QApplication.focusWidget() is getattr(form.items[-1], kept).native


def test_letters_typed_in_one_field_are_one_change(qtbot):
    form = OrderedForm(steps, [{"kind": "arpls"}], SpecForm)
    editor = form.items[0].form._parts["smoothness"].editor
    for typed in ("2", "2e", "2e4"):
        editor.value = typed
    form.undo()
    assert form.read()[0]["smoothness"] == 1e5
    form.redo()
    assert editor.value == "2e4"
    form.items[0].form._parts["tolerance"].editor.value = "0.01"
    form.undo()
    assert editor.value == "2e4"


def test_steps_are_offered_in_groups_whose_headings_cannot_be_chosen(qtbot):
    form = OrderedForm(steps, [], SpecForm)
    names = [form.choice.native.itemText(row) for row in range(form.choice.native.count())]
    groups = [names.index(group) for group in ("Clean", "Baseline", "Scale", "Reduce", "Axis")]
    assert groups == sorted(groups)
    assert groups[1] < names.index("    arPLS") < groups[2]
    form.reset_choices()
    assert not form.choice.native.model().item(groups[1]).isEnabled()
    form.choice.value = form.choice.native.itemData(groups[1])
    assert form.items == []
    assert {step.group for step in (steps[kind] for kind in steps)} <= {"Clean", "Baseline", "Scale", "Reduce", "Axis"}


def test_the_baseline_is_drawn_over_the_spectrum_before_the_steps(viewer, until):
    cube, _ = spiky(spikes=0)
    band = np.arange(80, dtype=np.float32)
    cube = cube.with_data(cube.numpy() + 200 + 3 * band)
    add_cube(viewer, cube, name="map")
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = [{"kind": "scale", "factor": 10.0}, {"kind": "crop", "low": 600, "high": 1200}, {"kind": "polynomial", "order": 1}]
    dock.look_at((4, 5))
    until(lambda: "baseline" in dock._plot.names() and not dock._latest.busy)
    x, y = dock._plot.data("baseline")
    assert (x.min(), x.max()) == (600, 1200)
    inside = (cube.axis.values >= 600) & (cube.axis.values <= 1200)
    after = dock._after.data("after")[1]
    np.testing.assert_allclose(cube.data[4, 5][inside] - y, after * 10, atol=0.05)
    dock.steps = [{"kind": "optical"}, {"kind": "polynomial", "order": 1}]
    until(lambda: not dock._latest.busy and dock._after.names() and dock._after.data("after")[0].size == 80)
    assert "baseline" not in dock._plot.names()


def test_spikes_are_marked_in_the_plot_and_kept_by_a_click(viewer, until):
    cube, places = spiky()
    add_cube(viewer, cube, name="map")
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Preprocess")
    dock.steps = ["despike"]
    item = dock.form.items[0]
    until(lambda: len(item.extra) and item.extra[0].words.value == "7 spikes in 7 spectra")
    review = item.extra[0]
    review.next_button.native.click()
    until(lambda: "spikes" in dock._plot.names())
    pixel = dock._place
    (band,) = [place[0] for place in places if place[1:] == pixel]
    x, y = dock._plot.data("spikes")
    assert (x.tolist(), y.tolist()) == ([cube.axis.values[band]], [cube.data[(*pixel, band)]])
    dock._plot.clicked.emit(float(x[0]) + 300.0, 0.0)  # far from it: nothing
    assert review.words.value == "7 spikes in 7 spectra"
    dock._plot.clicked.emit(float(x[0]), float(y[0]))
    assert review.words.value == "6 spikes in 6 spectra, 1 kept"
    until(lambda: dock._after.names() and dock._after.data("after")[1][band] == cube.data[(*pixel, band)])
    assert dock._plot.data("kept")[0].tolist() == x.tolist()
    done = preprocess(cube, dock.steps)
    changed = np.argwhere(np.asarray(done.data) != cube.data)
    assert (*pixel, band) not in set(map(tuple, changed.tolist()))
    assert len({tuple(place[:2]) for place in changed.tolist()}) == 6
    review.show_button.native.click()
    points = viewer.layers["map · spikes"]
    assert len(points.data) == 6
    points.selected_data = {0}
    points.remove_selected()
    assert review.words.value == "5 spikes in 5 spectra, 2 kept"
    assert len(points.data) == 5
    review.reset_button.native.click()
    assert (review.words.value, len(points.data)) == ("7 spikes in 7 spectra", 7)


def test_before_and_after_stay_in_view_next_to_spectra(make_napari_viewer, until, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    cube, _ = spiky()
    add_cube(viewer, cube, name="map")
    opened_dock(viewer, "Spectra")
    opened_dock(viewer, "Evaluate")  # which it shares tabs with
    dock = opened_dock(viewer, "Preprocess")
    dock.steps = ["despike", "arpls", "normalise"]
    column, listed = dock.native, dock._scroll.area
    last = dock.form.items[2].native
    until(lambda: dock._effect.spared > 0 and "spikes" in dock.form.items[0].extra[0].words.value)
    until(lambda: last.mapTo(listed.viewport(), last.rect().bottomLeft()).y() <= listed.viewport().height())
    dock.form.items[1].toggle()

    def in_view() -> bool:
        start, whole = dock._applying.start.native, column.viewport()  # the button stands under what scrolls
        return all(
            one.mapTo(whole, one.rect().topLeft()).y() >= 0 and one.mapTo(whole, one.rect().bottomLeft()).y() <= whole.height()
            for one in (dock._plot.native, dock._after.native)
        ) and column.rect().contains(start.mapTo(column, start.rect().bottomRight()))

    until(lambda: in_view() and column.verticalScrollBar().maximum() == 0)
    until(lambda: dock._effect.spared > 0)
    assert dock._plot.canvas_height + dock._effect.spared >= 78
    say(dock._problem, "Something is wrong with these steps, and two lines say what it is; and how it is mended.")
    until(lambda: in_view() and column.verticalScrollBar().maximum() == 0)
    dock.steps = [{"kind": "crop", "low": 900, "high": 1200}]
    until(lambda: dock._effect.spared == 0)  # other positions have numbers of their own
