"""Pinned spectra, peaks, stacks, regions, lines and differences in the Spectra dock, by clicks on the canvas."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, as_cube
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.spectra_dock.line_profile import along
from napari_spectrai.widgets.spectra_dock.spectra_shown import peaks_of

AXIS = SpectralAxis(np.linspace(600, 1800, 61), "1/cm")


def scene() -> Cube:
    """Return a cube with a peak at 900 that grows with y, and one at 1500 that grows with x."""
    y, x = np.mgrid[:20, :30]
    peaks = np.exp(-0.5 * ((AXIS.values - np.array([[900], [1500]])) / 40) ** 2)
    values = (y[..., None] * peaks[0] + x[..., None] * peaks[1] + 1).astype(np.float32)
    return Cube(values, AXIS, name="cells", pixel_size=(0.5, 0.5), pixel_unit="um")


class Press:
    """A mouse event of the canvas, as napari gives it to its callbacks."""

    def __init__(self, position, pos=(0, 0)) -> None:
        self.type, self.button, self.modifiers, self.position, self.pos = "mouse_press", 1, (), position, np.array(pos)


def click(viewer, position, *, to=None) -> None:
    """Press and let go, having moved the mouse on the screen to another pixel."""
    event = Press(position)
    running = [call(viewer, event) for call in viewer.mouse_drag_callbacks]
    running = [one for one in running if one is not None]
    for kind in (["mouse_move"] if to is not None else []) + ["mouse_release"]:
        for one in list(running):
            next(one, None)
        event.type, event.pos = kind, np.array(to if to is not None else (0, 0))
    for one in running:
        next(one, None)


@pytest.fixture
def dock(viewer):
    layer = add_cube(viewer, scene())
    made = opened(viewer, "Spectra")
    viewer.layers.selection.active = layer
    return made


def test_a_click_pins_a_spectrum_and_a_drag_does_not(viewer, dock):
    layer, before = viewer.layers["cells"], viewer.dims.point
    click(viewer, tuple(layer.data_to_world((0, 4.2, 6.9))))
    click(viewer, tuple(layer.data_to_world((0, 15, 20))))
    click(viewer, tuple(layer.data_to_world((0, 9, 9))), to=(30, 5))
    click(viewer, tuple(layer.data_to_world((0, 90, 9))))
    pins = viewer.layers["pins"]
    assert (pins.ndim, len(pins.data), viewer.dims.point) == (2, 2, before)
    assert viewer.layers.selection.active is layer
    np.testing.assert_allclose(dock.plot.data("cells · y 4, x 7")[1], as_cube(layer).data[4, 7])
    colours = [dock.plot.colour_of(f"cells · {name}") for name in ("y 4, x 7", "y 15, x 20")]
    assert len(set(colours)) == 2
    np.testing.assert_allclose(pins.data_to_world(pins.data[1]), layer.data_to_world((0, 15, 20))[1:])
    viewer.window.remove_dock_widget(dock.native)
    click(viewer, tuple(layer.data_to_world((0, 1, 1))))
    assert len(pins.data) == 2


def test_pins_are_renamed_hidden_and_removed_in_their_list(viewer, dock, qtbot):
    layer = viewer.layers["cells"]
    for place in ((2, 3), (10, 11), (5, 25)):
        dock.pins.pin(tuple(layer.data_to_world((0, *place))))
    _, field, gone = dock.pins[0]
    field.native.setText("edge")
    field.native.editingFinished.emit()
    assert "cells · edge" in dock.plot.names()
    assert list(dock.pins.layer.features["name"]) == ["edge", "y 10, x 11", "y 5, x 25"]
    dock.pins[1][0].value = False
    assert "cells · y 10, x 11" not in dock.plot.names()
    assert dock.pins.layer.shown.tolist() == [True, False, True]
    dock.pins[0][2].native.click()
    assert [row[1].value for row in dock.pins] == ["y 10, x 11", "y 5, x 25"]
    assert [name for name in dock.plot.names() if name.startswith("cells · y")] == ["cells · y 5, x 25"]
    viewer.layers.remove("pins")
    assert len(dock.pins) == 0
    assert not [name for name in dock.plot.names() if "x 25" in name]


def test_peaks_are_labelled_once_and_curves_stacked(viewer, dock, until):
    layer = viewer.layers["cells"]
    for place in ((8, 9), (12, 15)):
        dock.pins.pin(tuple(layer.data_to_world((0, *place))))
    until(lambda: "cells · mean" in dock.plot.names())
    dock.display.peaks.value = True
    assert sorted(words for _, _, words, _ in dock.drawn.labels.shown) == ["1500", "900"]
    dock.display.peaks.value = False
    assert dock.drawn.labels.shown == []
    flat = [dock.plot.data(name)[1].min() for name in ("cells · mean", "cells · y 8, x 9", "cells · y 12, x 15")]
    dock.display.stack.value = True
    lifted = [dock.plot.data(name)[1].min() for name in ("cells · mean", "cells · y 8, x 9", "cells · y 12, x 15")]
    steps = np.array(lifted) - flat
    np.testing.assert_allclose(steps, steps[1] * np.arange(3), rtol=1e-5)
    assert steps[1] > 3


def test_peaks_are_those_that_stand_out():
    x = np.linspace(0, 100, 201)
    y = 10 * np.exp(-(((x - 30) / 4) ** 2)) + 5 * np.exp(-(((x - 70) / 4) ** 2)) + 0.1 * np.sin(x)
    assert [round(place) for place, _ in peaks_of(x, y)] == [30, 70]
    assert peaks_of(x, np.full(201, np.nan)) == []
    assert peaks_of(x, np.ones(201)) == []


def test_regions_are_drawn_over_the_image_and_written_with_deviation_and_number(viewer, dock, until):
    layer, before = viewer.layers["cells"], viewer.dims.current_step
    dock.display.region.native.click()
    shapes = viewer.layers["regions"]
    assert (shapes.ndim, shapes.mode, viewer.dims.current_step) == (2, "add_rectangle", before)
    np.testing.assert_allclose(shapes.scale, layer.scale[1:])
    assert tuple(map(str, shapes.units)) == tuple(map(str, layer.units[1:]))
    shapes.add(np.array([[2, 3], [2, 6], [5, 6], [5, 3]]), shape_type="rectangle")
    shapes.add(np.array([[10, 3], [10, 6], [15, 6], [15, 3]]), shape_type="rectangle")
    until(lambda: "regions 2" in dock.plot.names() and len(np.unique(shapes.edge_color, axis=0)) == 2)
    inside = as_cube(layer).data[2:6, 3:7].reshape(-1, 61)
    table = list(csv.reader(io.StringIO(dock.export.table())))
    head = table[0]
    rows = np.array(table[1:], float)
    assert head[:4] == ["Wavenumber (1/cm)", "regions 1 mean", "regions 1 sd", "regions 1 n"]
    np.testing.assert_allclose(rows[:, 0], AXIS.values)
    np.testing.assert_allclose(rows[:, 1], inside.mean(0), rtol=1e-5)
    np.testing.assert_allclose(rows[:, 2], inside.std(0), rtol=1e-4, atol=1e-5)
    assert set(rows[:, 3]) == {16}


def test_a_line_gives_a_picture_and_a_profile(viewer, dock, until):
    layer = viewer.layers["cells"]
    dock.display.line.native.click()
    assert "Draw a line" in dock._problem.value
    line = viewer.layers["line"]
    assert (line.ndim, line.mode) == (2, "add_line")
    line.add(np.array([[0, 2], [19, 2]]), shape_type="line")
    until(lambda: dock._views.profile is not None)
    profile = dock._views.profile
    np.testing.assert_allclose(profile.spectra, as_cube(layer).data[:, 2], rtol=1e-5)
    np.testing.assert_allclose(profile.distance, np.arange(20) * 0.5)
    assert not dock._problem.value
    assert dock._views.in_view is dock._views.picture
    dock.display.view.value = "band"
    viewer.dims.set_point(0, 900)
    np.testing.assert_allclose(dock._views.band.data("profile")[1], as_cube(layer).data[:, 2, 15], rtol=1e-5)
    line.data = [np.array([[3, 0], [3, 29]])]
    until(lambda: len(dock._views.profile.distance) == 30)
    dock.display.view.value = "spectra"
    assert dock._views.in_view is dock.plot


def test_spectra_along_a_slanted_line_are_interpolated():
    cube = scene()
    profile = along(cube, np.array([[0.0, 0.0], [3.0, 4.0]]))
    assert profile.spectra.shape == (6, 61)
    np.testing.assert_allclose(profile.spectra[:, 15], 1 + np.linspace(0, 3, 6), rtol=1e-4)
    with pytest.raises(ValueError, match="outside the image"):
        along(cube, np.array([[100.0, 0.0], [100.0, 4.0]]))


def test_another_layer_is_subtracted_from_spectra_regions_and_pins(viewer, dock, until):
    cube = scene()
    other = add_cube(viewer, cube.with_data(cube.data * np.float32(0.5)), name="half")
    dock.display.minus.value = other
    dock.look_at(tuple(other.data_to_world((0, 4, 6))))
    np.testing.assert_allclose(dock.plot.data("cells")[1], cube.data[4, 6] * 0.5, rtol=1e-6)
    dock.draw_region()
    dock.regions.add(np.array([[2, 3], [2, 6], [5, 6], [5, 3]]), shape_type="rectangle")
    viewer.layers.selection.active = viewer.layers["cells"]
    until(lambda: "regions 1" in dock.plot.names())
    np.testing.assert_allclose(dock.plot.data("regions 1")[1], cube.data[2:6, 3:7].mean((0, 1)) * 0.5, rtol=1e-5)
    viewer.layers.remove(other)
    assert dock.display.subtracted is None


def test_labels_of_all_bands_are_offered_as_one_per_pixel(viewer, dock):
    layer = viewer.layers["cells"]
    deep = viewer.add_labels(np.zeros(layer.data.shape, int), scale=layer.scale, translate=layer.translate, units=layer.units, name="mine")
    assert dock.flat_labels.visible
    deep.data[3, 4, 5] = 2
    dock.flat_labels.button.native.click()
    flat = viewer.layers["mine"]
    assert (flat.ndim, flat.data.shape, flat.data[4, 5]) == (2, (20, 30), 2)
    np.testing.assert_allclose(flat.data_to_world((4, 5)), layer.data_to_world((0, 4, 5))[1:])
    assert not dock.flat_labels.visible
    assert dock.regions is flat
