"""The Maps dock driven as a person would: ranges, fits under the cursor, maps as layers that lie over their source."""

from __future__ import annotations

import csv
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication

import napari_spectrai as spectrai
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.mapping import kinds
from napari_spectrai.mapping.peaks import PeakMaps
from napari_spectrai.widgets import jobs
from napari_spectrai.widgets.arrangement import holder_of
from napari_spectrai.widgets.latest_only import _pending
from napari_spectrai.widgets.layer_frame import LayerFrame
from napari_spectrai.widgets.layers import add_cube, as_cube, spectral_layers
from napari_spectrai.widgets.maps_dock.band_preview import NAME
from napari_spectrai.widgets.maps_dock.map_layers import add_maps
from napari_spectrai.widgets.maps_dock.references import spectra_of
from napari_spectrai.widgets.spectra_dock.regions import regions

AXIS = spectrai.SpectralAxis(np.linspace(900, 1100, 60), "1/cm")


def gaussian(centre, fwhm: float = 16.0) -> np.ndarray:
    return np.exp(-4 * np.log(2) * ((AXIS.values - np.asarray(centre)[..., None]) / fwhm) ** 2)


@pytest.fixture
def cube():
    """18 × 14 pixels of 0.5 × 0.25 µm: a peak that moves from left to right, and a second one below."""
    rng = np.random.default_rng(0)
    position = np.broadcast_to(np.linspace(980, 1000, 14), (18, 14))
    values = 40 * gaussian(position) + 5 + rng.normal(0, 0.3, (18, 14, 60))
    values[9:] += 30 * gaussian(1060.0)
    return spectrai.Cube(values.astype(np.float32), AXIS, name="cells", pixel_size=(0.5, 0.25), pixel_unit="um")


@pytest.fixture
def opened(viewer, cube):
    layer = add_cube(viewer, cube)
    dock = spectrai.widgets.maps(viewer)
    return viewer, layer, dock


def made(viewer, *names):
    return [next(layer for layer in viewer.layers if layer.name == f"cells · {name}") for name in names]


def test_the_layer_is_chosen_and_a_mean_spectrum_shown(opened, until):
    _, layer, dock = opened
    assert dock.layer is layer
    until(lambda: dock._note.value.startswith("Mean spectrum"))
    assert "18 × 14 spectra, 60 bands, 900–1100 1/cm" in dock._about.value
    assert dock.work.start.enabled
    for kind in ("band", "peaks"):  # both begin at the peak, since nobody has chosen a range
        dock.settings = {"kind": kind}
        until(lambda: not dock._live.busy and 940 < dock.settings["low"] < 980 and 1000 < dock.settings["high"] < 1040)
    dock.settings = {"kind": "band"}
    dock.form.axis = spectrai.SpectralAxis(np.linspace(900, 1100, 60), "nm")  # what was not chosen begins as it suits the axis
    assert (dock.settings["how"], dock.settings["low"]) == ("mean", pytest.approx(966.667))
    dock.settings = {"how": "max", "low": 950.0}
    dock.form.axis = spectrai.SpectralAxis(np.linspace(800, 1100, 60), "nm")
    assert (dock.settings["how"], dock.settings["low"], dock.settings["high"]) == ("max", 950, pytest.approx(1033.333))


def test_the_band_map_follows_the_range_while_it_is_dragged(opened, cube, until):
    viewer, layer, dock = opened
    until(lambda: any(one.name == NAME for one in viewer.layers))
    steps = viewer.dims.nsteps
    dock.settings = {"how": "sum"}
    until(lambda: dock._inspector is not None)
    dock._plot.axis_tools.region.setRegion((970, 1010))  # as a drag does
    preview = next(one for one in viewer.layers if one.name == NAME)
    expected = next(iter(spectrai.maps(cube, "band", low=970, high=1010, how="sum").maps.values()))
    np.testing.assert_allclose(preview.data, expected, rtol=1e-9)
    assert dock.settings["low"] == pytest.approx(970)
    assert viewer.dims.nsteps == steps
    np.testing.assert_allclose(preview.scale, [0.5, 0.25])
    assert preview not in spectral_layers(viewer)
    dock._follow.value = False
    assert NAME not in [one.name for one in viewer.layers]


def test_the_fit_under_the_cursor_is_drawn_and_said(opened, until):
    viewer, layer, dock = opened
    dock.settings = {"kind": "peaks", "low": 950, "high": 1030, "baseline": "constant"}

    class Event:
        position = tuple(layer.data_to_world((0, 3, 13)))

    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event())
    until(lambda: dock._note.value.startswith("Pixel 3, 13"))
    until(lambda: "position 1000" in dock._note.value or "position 999" in dock._note.value)
    x, y = dock._fit.data("fit")
    assert x[np.argmax(y)] == pytest.approx(1000, abs=4)
    assert "±" in dock._note.value


def test_make_maps_adds_layers_over_the_source_without_a_warning(opened, cube, until):
    viewer, layer, dock = opened
    layer.translate = [*layer.translate[:1], 10.0, 20.0]
    dock.settings = {"kind": "peaks", "low": 950, "high": 1030, "baseline": "constant"}
    until(lambda: dock.work.start.enabled)
    steps = viewer.dims.nsteps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dock.start()
        until(lambda: dock.result is not None)
    position, failed = made(viewer, "position", "failed")
    assert position.visible
    assert not failed.visible
    expected = spectrai.maps(cube, "peaks", low=950, high=1030, baseline="constant").maps
    np.testing.assert_allclose(position.data, expected["position"], atol=1e-6)
    np.testing.assert_allclose(position.scale, [0.5, 0.25])
    np.testing.assert_allclose(position.translate, [10, 20])
    assert [str(unit) for unit in position.units] == ["micrometer"] * 2
    low, high = position.contrast_limits
    assert 975 < low < high < 1005
    assert viewer.dims.nsteps == steps
    np.testing.assert_allclose(position.data_to_world((3, 4)), layer.data_to_world((0, 3, 4))[1:])
    assert dock.layer is layer
    assert spectral_layers(viewer) == [layer]


def test_made_again_maps_replace_their_predecessors(opened, until):
    viewer, _, dock = opened
    dock.settings = {"kind": "components", "method": "vca", "count": 2}
    for method in ("vca", "vca_fcls"):
        dock.settings = {"method": method}
        until(lambda: dock.work.start.enabled)
        before = dock.result
        dock.start()
        until(lambda before=before: dock.result is not before and not dock.work.busy)
    assert sorted(layer.name for layer in viewer.layers if layer.name.startswith("cells ·")) == [
        "cells · VCA 1",
        "cells · VCA 2",
        "cells · residual",
    ]
    one, two = made(viewer, "VCA 1", "VCA 2")
    assert one.visible
    assert two.visible
    assert one.colormap.name != two.colormap.name
    np.testing.assert_allclose(one.data + two.data, 1)
    assert len(dock.view.curves.names()) == 2


def test_maps_of_two_kinds_with_the_same_name_have_names_of_their_own(opened, cube):
    viewer, layer, _ = opened
    frame = LayerFrame.of(layer)
    parts = spectrai.maps(cube, "components", method="vca_fcls", count=2)
    shares = spectrai.maps(cube, "unmix", references=parts.curves)
    for _ in range(2):
        add_maps(viewer, parts, SimpleNamespace(kind="components"), frame)
        add_maps(viewer, shares, SimpleNamespace(kind="unmix"), frame)
    assert [one.metadata["map"]["kind"] for one in viewer.layers[1:] if one.visible] == ["unmix", "unmix"]  # not mixed with components
    hits = spectrai.maps(cube, "library", references=parts.curves)
    (hit,) = (one for one in add_maps(viewer, hits, SimpleNamespace(kind="library"), frame) if one.visible)
    assert [one for one in viewer.layers if one.visible] == [layer, hit]  # whose colours are not mixed with others
    fewer = spectrai.maps(cube, "components", method="vca_fcls", count=3)
    add_maps(viewer, fewer, SimpleNamespace(kind="components"), frame)
    add_maps(viewer, parts, SimpleNamespace(kind="components"), frame)
    assert [one.visible for one in made(viewer, "VCA 1", "VCA 3")] == [True, False]  # the third is of the result before
    made(viewer, "VCA 2")[0].visible = False  # by hand
    add_maps(viewer, fewer, SimpleNamespace(kind="components"), frame)
    assert [one.visible for one in made(viewer, "VCA 1", "VCA 2", "VCA 3")] == [True, False, True]
    names = [layer.name for layer in viewer.layers if "residual" in layer.name]
    assert names == ["cells · residual", f"cells · residual ({kinds['unmix'].title.lower()})"]
    assert not any("[1]" in layer.name for layer in viewer.layers)


def test_references_are_painted_and_their_means_unmixed(opened, cube, until):
    viewer, layer, dock = opened
    dock.settings = {"kind": "unmix", "background": "constant", "weights": "photon"}
    assert not dock.work.start.enabled
    assert "Choose where the reference spectra come from" in dock.problem
    painted = np.zeros((18, 14), np.uint8)
    painted[2:6, 0:3], painted[12:16, 11:14] = 1, 2
    labels = viewer.add_labels(painted, name="cells - dyes", scale=[0.5, 0.25], units=["um", "um"])
    dock.references.choose(labels)
    until(lambda: dock.work.start.enabled and "Condition number" in dock._remarks.value)
    dock.start()
    until(lambda: dock.result is not None)
    assert list(dock.result.maps) == ["dyes 1", "dyes 2", "background", "residual"]
    np.testing.assert_allclose(dock.result.curves.numpy()[0], cube.numpy()[2:6, 0:3].mean((0, 1)), rtol=1e-4)
    given = spectra_of(labels, cube, layer)
    expected = spectrai.maps(cube, "unmix", references=given, background="constant", weights="photon").maps["dyes 2"]
    np.testing.assert_allclose(made(viewer, "dyes 2")[0].data, expected, atol=1e-9)

    dock.look_at((14, 12))
    until(lambda: dock._note.value.startswith("Pixel 14, 12"))
    assert f"dyes 2 {expected[14, 12]:.3g}" in dock._note.value  # as in the map
    labels.name = "stains"
    until(lambda: "stains 2" in dock._note.value)
    labels.data_setitem((np.array([2, 2]), np.array([5, 6])), 3)  # a stroke more
    until(lambda: "stains 3" in dock._note.value)
    assert dock.work.start.enabled
    labels.data = np.zeros_like(painted)
    until(lambda: "is empty; paint a region" in dock.problem)
    assert not dock.work.start.enabled
    labels.data = painted
    until(lambda: dock.work.start.enabled and "stains 2" in dock._note.value)
    viewer.layers.remove(labels)
    assert not dock.work.start.enabled


def test_points_give_one_reference_each(opened, cube):
    viewer, layer, _ = opened
    points = viewer.add_points(np.array([[2, 1], [14, 12]]) * [0.5, 0.25], units=["um", "um"])
    given = spectra_of(points, as_cube(layer), layer)
    assert given.metadata["names"] == ["point 1", "point 2"]
    np.testing.assert_allclose(given.numpy(), cube.numpy()[[2, 14], [1, 12]], rtol=1e-6)
    points.features = {"name": ["lipid", ""]}  # as the list of pins writes them
    assert spectra_of(points, as_cube(layer), layer).metadata["names"] == ["lipid", "point 2"]
    boxes = [np.array([[0, 0], [0, size], [size, size], [size, 0]]) * 0.5 for size in (6, 2)]  # one inside the other
    boxes.append(boxes[0] + 90)
    shapes = viewer.add_shapes(boxes, name="cells · box", units=["um", "um"])
    with pytest.warns(SpectralWarning, match="box 3 lies outside"):
        given = spectra_of(shapes, as_cube(layer), layer)
    assert given.metadata["names"] == ["box 1", "box 2"]
    seen = regions(shapes, layer, viewer.dims.point)  # as the Spectra dock draws them
    assert [name for name, *_ in seen] == given.metadata["names"]
    np.testing.assert_allclose(given.numpy(), [cube.numpy()[tuple(pixels.T)].mean(0) for *_, pixels in seen], rtol=1e-5)
    with pytest.raises(ValueError, match="is empty; paint a region"):
        spectra_of(viewer.add_labels(np.zeros((18, 14), np.uint8), units=["um", "um"]), cube, layer)


def test_hits_of_a_library_are_labels_with_names_and_ranked_under_the_cursor(opened, tmp_path, until):
    viewer, _, dock = opened
    for name, centre in (("calcite", 990.0), ("quartz", 1060.0)):
        rows = "\n".join(f"{x:.3f},{y:.6f}" for x, y in zip(AXIS.values, gaussian(centre, 20), strict=True))
        (tmp_path / f"{name}.csv").write_text(f"Raman shift (1/cm),intensity\n{rows}\n")
    dock.settings = {"kind": "library"}
    dock.references.choose(tmp_path)
    viewer.layers.remove(viewer.add_image(np.zeros((18, 14)), units=["um", "um"]))  # the choice stays
    until(lambda: "calcite" in dock._note.value)
    dock.look_at((2, 7))
    until(lambda: dock._note.value.startswith("Pixel 2, 7"))
    assert dock._note.value.splitlines()[1].endswith("calcite")
    dock.start()
    until(lambda: dock.result is not None)
    (hit,) = made(viewer, "hit")
    assert isinstance(hit, Labels)
    assert hit.metadata["class_names"] == {1: "calcite", 2: "quartz"}
    assert hit.data[2, 7] == 1


def test_a_problem_stands_at_its_field_and_switches_the_button_off(opened, until):
    _, _, dock = opened
    dock.settings = {"kind": "peaks", "low": 1000, "high": 990}
    assert not dock.work.start.enabled
    assert "low (1000) must lie below high (990)" in dock.form.problem.value
    dock.settings = {"low": 950, "high": 955}
    until(lambda: "widen the range" in dock.problem)
    assert not dock.work.start.enabled
    dock.settings = {"high": 1040}
    until(lambda: dock.work.start.enabled and not dock.problem)


def test_cancelled_work_adds_nothing(opened, until, monkeypatch):
    viewer, _, dock = opened
    monkeypatch.setattr("napari_spectrai.mapping.peaks.AT_ONCE", 4)
    dock.settings = {"kind": "peaks", "low": 950, "high": 1090, "count": 3}
    until(lambda: dock.work.start.enabled)
    layers = list(viewer.layers)
    dock.start()
    dock.work.stop()
    until(lambda: not dock.work.busy)
    assert dock.result is None
    assert [layer for layer in viewer.layers if layer.name != NAME] == [layer for layer in layers if layer.name != NAME]
    assert dock.work.start.enabled


def test_maps_are_added_though_their_dock_was_closed_and_their_source_removed(opened, until, monkeypatch):
    viewer, layer, dock = opened
    asked = []
    monkeypatch.setattr(jobs, "confirm", lambda *given: asked.append(given[2]) or "cancel")
    allowed, compute = threading.Event(), PeakMaps.compute
    monkeypatch.setattr(PeakMaps, "compute", lambda *given: allowed.wait() and compute(*given))
    dock.settings = {"kind": "peaks", "low": 950, "high": 1040}
    until(lambda: dock.work.start.enabled)
    dock.start()
    window = viewer.window._qt_window
    assert not QApplication.sendEvent(window, QCloseEvent()) or window.isVisible()
    assert asked == [["Maps are"]]
    viewer.window.remove_dock_widget(dock.native)
    viewer.layers.remove(layer)
    dock._check()
    assert dock.work.busy
    assert not dock.work.start.enabled
    allowed.set()
    until(lambda: "cells · position" in viewer.layers)
    found = viewer.layers["cells · position"]
    np.testing.assert_allclose(found.scale, [0.5, 0.25])


def test_table_and_curves_are_saved(opened, tmp_path, until):
    _, _, dock = opened
    dock.settings = {"kind": "components", "method": "pca", "count": 2}
    until(lambda: dock.work.start.enabled)
    dock.start()
    until(lambda: dock.result is not None)
    dock.view.save_table(tmp_path / "table")
    dock.view.save_curves(tmp_path / "curves")
    with (tmp_path / "table.csv").open() as file:
        assert next(csv.DictReader(file))["component"] == "PC 1"
    assert spectrai.read(tmp_path / "curves.csv").shape == (2, 60)


def test_the_preview_goes_with_its_layer(opened, until):
    viewer, layer, _ = opened
    until(lambda: any(one.name == NAME for one in viewer.layers))
    viewer.layers.remove(layer)
    assert not viewer.layers


def test_a_set_of_spectra_gives_a_table_and_no_layers(viewer, cube, until):
    add_cube(viewer, spectrai.Cube(cube.numpy()[0], AXIS, name="set"))
    dock = spectrai.widgets.maps(viewer)
    dock.settings = {"kind": "peaks", "low": 950, "high": 1030}
    until(lambda: dock.work.start.enabled)
    dock.start()
    until(lambda: dock.result is not None)
    assert len(viewer.layers) == 1
    assert dock.result.maps["position"].shape == (14,)


def test_ranges_are_kept_by_buttons_and_divided(opened, cube, until):
    viewer, layer, dock = opened
    dock.settings = {"kind": "band", "low": 1050.0, "high": 1070.0, "how": "mean"}
    dock.ranges.another.native.click()
    assert not dock.ranges.another.enabled
    dock.settings = {"low": 910.0, "high": 930.0}
    dock.ranges.divisor.native.click()
    dock.settings = {"low": 980.0, "high": 1000.0}
    assert dock.ranges.words.value == "also 1050–1070; divided by 910–930"
    assert dock._plot.axis_tools.shaded == [(1050.0, 1070.0), (910.0, 930.0)]
    until(lambda: dock.work.start.enabled)
    dock.start()
    until(lambda: dock.result is not None and not dock.work.busy)
    first, second = dock.result.maps.values()
    data, x = cube.data, cube.axis.values
    mean = lambda low, high: data[..., (x >= low) & (x <= high)].mean(-1, dtype=np.float64)  # noqa: E731
    np.testing.assert_allclose(first, mean(980, 1000) / mean(910, 930), rtol=1e-5)
    np.testing.assert_allclose(second, mean(1050, 1070) / mean(910, 930), rtol=1e-5)
    dock.ranges.clear_button.native.click()
    assert dock.ranges.others() == []
    dock.form.kind.value = "peaks"
    assert not dock.ranges.visible


def test_angles_of_references_are_shown_before_one_unmixes(opened, until):
    viewer, layer, dock = opened
    points = viewer.add_points(np.array([[2, 1], [14, 12]]) * [0.5, 0.25], units=["um", "um"])
    dock.settings = {"kind": "unmix"}
    dock.references.choose(points)
    until(lambda: dock._similar.visible)
    table = dock._similar.table
    assert [table.horizontalHeaderItem(column).text() for column in range(3)] == ["angle (°)", "point 1", "point 2"]
    assert float(table.item(0, 2).text()) > 5
    assert "Condition number" in dock._remarks.value


def test_the_preview_is_shown_only_while_its_dock_is_in_front(viewer, until):
    viewer.open_sample("napari-spectrai", "cartilage")
    dock = spectrai.widgets.maps(viewer)
    shown = lambda: [one.visible for one in viewer.layers if one.name == NAME]  # noqa: E731
    until(lambda: shown() == [True])
    dock._preview._sums = None  # as after other data of the layer: its sums are being computed while the dock goes out of view
    dock._show_band()
    spectrai.widgets.evaluate(viewer)
    until(lambda: shown() == [False] and not dock._preview._summing.busy)
    until(lambda: not _pending)
    assert shown() == [False]
    holder = holder_of(dock.native)[0]
    holder.raise_()
    until(lambda: shown() == [True])
    holder.close()
    until(lambda: shown() == [])
