"""The Spectra dock driven as a person would: regions, units, bands, export, layers that are not in memory."""

from __future__ import annotations

import threading

import dask
import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_spectrai import Cube, SpectralAxis, as_cube, read
from napari_spectrai.units import SHIFT
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.spectra_dock.regions import regions
from napari_spectrai.widgets.spectra_dock.spectra_tools import parse_range


@pytest.fixture
def in_the_asking_thread():
    """Let dask read in the thread that asks, so that reads by napari's own slicing are told from the dock's."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def spectra(open_image):
    viewer, image, truth = open_image
    dock = opened(viewer, "Spectra")
    viewer.layers.selection.active = image
    return viewer, image, dock


def test_means_of_labels_follow_the_brush(spectra, until):
    viewer, image, dock = spectra
    data = as_cube(image).data
    labels = viewer.add_labels(np.zeros(data.shape[:2], int), name="tissue")
    viewer.layers.selection.active = image
    dock.regions = labels
    until(lambda: not dock.region_means._work.busy)
    assert "tissue 3" not in dock.plot.names()
    assert not dock._problem.value  # nothing is painted yet
    dock.region_means.failed.emit("gone wrong")
    assert dock._problem.visible
    labels.data_setitem((np.array([2, 2, 3]), np.array([4, 5, 5])), 3)
    until(lambda: "tissue 3" in dock.plot.names())
    assert not dock._problem.visible
    np.testing.assert_allclose(dock.plot.data("tissue 3")[1], data[[2, 2, 3], [4, 5, 5]].mean(0), rtol=1e-5)
    assert "± tissue 3" in dock.plot.names()
    assert "tissue&nbsp;3" in dock.region_means.legend.value
    assert dock.region_means.means[0][1].startswith("#")
    labels.data_setitem((np.array([9]), np.array([9])), 1)
    until(lambda: "tissue 1" in dock.plot.names())
    viewer.layers.remove(labels)
    assert dock.regions is None
    assert "tissue 1" not in dock.plot.names()


def test_means_of_shapes_and_of_labels_on_another_grid(spectra, until):
    viewer, image, dock = spectra
    data = as_cube(image).data
    shapes = viewer.add_shapes([np.array([[2, 3], [2, 6], [5, 6], [5, 3]])], shape_type="rectangle", name="box")
    viewer.layers.selection.active = image
    dock.regions = shapes
    until(lambda: "box 1" in dock.plot.names())
    np.testing.assert_allclose(dock.plot.data("box 1")[1], data[2:6, 3:7].mean((0, 1)), rtol=1e-5)
    shapes.add(np.array([[10, 10], [10, 15], [15, 15], [15, 10]]), shape_type="ellipse")
    until(lambda: "box 2" in dock.plot.names())
    half = viewer.add_labels(np.pad(np.ones((1, 1), int), ((1, 5), (2, 5))), scale=(2, 2), name="coarse")
    viewer.layers.selection.active = image
    dock.regions = half
    until(lambda: "coarse 1" in dock.plot.names())
    np.testing.assert_allclose(dock.plot.data("coarse 1")[1], data[2, 4], rtol=1e-5)


def test_a_slider_over_planes_moves_everything(viewer, until):
    planes = np.arange(1.0, 5)[:, None, None, None] * np.ones((4, 10, 12, 6))
    volume = add_cube(viewer, Cube(planes.astype(np.float32), name="volume"))
    dock = opened(viewer, "Spectra")
    labels = viewer.add_labels(np.pad(np.ones((2, 2), int), ((1, 7), (1, 9))), name="box")
    flat = viewer.add_points(np.array([[5.0, 5.0]]), name="flat")
    shapes = viewer.add_shapes([np.array([[0, 1, 1, 1], [0, 1, 1, 4], [0, 1, 4, 4], [0, 1, 4, 1]])], shape_type="polygon", name="on z 1")
    viewer.layers.selection.active = volume
    dock.points, dock.regions = flat, labels
    dock.look_at((0.0, 0.0, 2.0, 2.0))
    viewer.dims.set_point(1, 3.0)
    until(lambda: "box 1" in dock.plot.names() and dock.plot.data("box 1")[1][0] == 4)
    assert dock.plot.data("volume")[1][0] == 4
    assert dock.plot.data("volume · point 1")[1][0] == 4
    assert "z 3" in dock._readout.value
    dock.regions = shapes
    until(lambda: not dock.region_means._work.busy)
    assert dock.region_means.means == []
    viewer.dims.set_point(1, 1.0)
    until(lambda: "on z 1 1" in dock.plot.names())


def test_labels_as_napari_makes_them_hold_at_every_band(spectra, until):
    viewer, image, dock = spectra
    labels = viewer.add_labels(np.zeros(image.data.shape, int), scale=image.scale, translate=image.translate, name="new")
    viewer.layers.selection.active = image
    dock.regions = labels
    labels.data_setitem((np.array([2]), np.array([4]), np.array([5])), 1)
    labels.data_setitem((np.array([9]), np.array([6]), np.array([7])), 2)
    until(lambda: {"new 1", "new 2"} <= set(dock.plot.names()))
    np.testing.assert_allclose(dock.plot.data("new 2")[1], as_cube(image).data[6, 7], rtol=1e-5)


def test_regions_lie_where_they_are_seen(viewer):
    cube = Cube(np.zeros((60, 60, 3), np.float32), pixel_size=(2.0, 2.0), pixel_unit="um", name="map")
    image = add_cube(viewer, cube)
    point = (0.0, 0.0, 0.0)
    ellipse = np.array([[30, 30]]) + np.array([[-14, -3], [-14, 3], [14, 3], [14, -3]]) @ np.array([[0.7071, 0.7071], [-0.7071, 0.7071]])
    shapes = viewer.add_shapes([ellipse], shape_type="ellipse", scale=(2, 2), units=("um", "um"))
    ((_, _, pixels),) = regions(shapes, image, point)
    assert len(pixels) == pytest.approx(np.pi * 14 * 3, rel=0.1)
    for options in (
        {"affine": [[2, 0, 10], [0, 2, 20], [0, 0, 1]], "units": ("um", "um")},
        {"scale": (0.002, 0.002), "units": ("mm", "mm")},
    ):
        labels = viewer.add_labels(np.pad(np.ones((1, 1), int), ((3, 5), (4, 4))), **options)
        ((_, _, pixels),) = regions(labels, image, point)
        assert pixels.tolist() == ([[8, 14]] if "affine" in options else [[3, 4]])
    pyramid = viewer.add_labels([np.eye(60, dtype=int), np.eye(30, dtype=int)], multiscale=True)
    assert len(regions(pyramid, image, point)) == 1


def test_a_closed_dock_rests(spectra):
    viewer, image, dock = spectra
    dock.look_at((500.0, 4.0, 6.0))
    assert viewer.canvas.overlays.text.visible
    dock.native.parentWidget().hide()
    assert not viewer.canvas.overlays.text.visible
    assert dock._on_mouse not in viewer.mouse_move_callbacks
    dock.native.parentWidget().show()
    assert dock._on_mouse in viewer.mouse_move_callbacks


def test_the_readout_follows_the_slider_and_data_that_change(spectra):
    viewer, image, dock = spectra
    dock.look_at((500.0, 4.0, 6.0))
    viewer.dims.set_point(0, 700.0)
    assert "700 nm · band 11" in dock._readout.value
    image.data = image.data[:7]
    dock.tools.make("mean")
    assert len(dock.plot.data("image")[0]) == 7


def test_a_layer_with_odd_metadata_does_not_disturb(spectra):
    viewer, _, dock = spectra
    viewer.add_image(np.zeros((3, 4, 5)), metadata={"spectral_axis": None}, name="A&B")
    viewer.add_image(np.zeros((3, 4, 5)), name="after")
    assert "A&&B" in {chip.text for chip in dock._chip_of.values()}


def test_the_plot_is_shown_in_other_spectral_units(spectra):
    viewer, image, dock = spectra
    dock.look_at((500.0, 4.0, 6.0))
    nm = as_cube(image).axis.values
    for unit, expected, title in (
        ("um", nm / 1000, "Wavelength (µm)"),
        ("eV", 1239.841984 / nm, "Energy (eV)"),
        ("1/cm", 1e7 / nm, "Wavenumber (1/cm)"),
        ("", np.arange(12), "Band number"),
    ):
        dock.axis.choose(unit)
        np.testing.assert_allclose(dock.plot.data("image")[0], expected)
        assert dock.plot.x_title == title
        viewer.dims.set_point(0, nm[3])
        assert dock.plot.axis_tools.line.value() == pytest.approx(expected[3])
    dock.axis.laser.value = "400"
    dock.axis.choose(SHIFT)
    np.testing.assert_allclose(dock.plot.data("image")[0], 1e7 / 400 - 1e7 / nm, atol=1e-9)
    dock._line.on_drag(dock.plot.data("image")[0][7])
    assert viewer.dims.point[0] == pytest.approx(nm[7])
    dock.axis.laser.value = "red"
    assert "'red' is not a wavelength in nm" in dock._problem.value


def test_a_raman_map_shows_its_shift_and_its_laser(viewer, until):
    cube = Cube(np.random.default_rng(0).random((4, 5, 6)), SpectralAxis(np.linspace(1800, 600, 6), "1/cm"), metadata={"laser_nm": 785.0})
    add_cube(viewer, cube, name="map")
    dock = opened(viewer, "Spectra")
    assert dock.axis.laser.value == "785"
    assert dock.plot.x_title == "Raman shift (1/cm)"
    maps, prepared = opened(viewer, "Maps"), opened(viewer, "Preprocess")  # the same name everywhere
    until(lambda: [maps._plot.x_title, maps._fit.x_title, prepared._after.x_title] == [dock.plot.x_title] * 3)
    dock.axis.choose("nm")
    assert dock._positions(cube.axis)[-1] == pytest.approx(1e7 / (1e7 / 785 - 600))


def test_layers_of_other_units_have_their_own_axis(spectra):
    viewer, _, dock = spectra
    add_cube(viewer, Cube(np.random.default_rng(0).random((24, 20, 7)).astype(np.float32), name="bands"))
    dock._chip_of[viewer.layers["bands"]].value = True
    viewer.layers.selection.active = viewer.layers["image"]
    dock.look_at((5.0, 4.0, 6.0))
    assert "bands" in dock._other.names()
    assert dock._other.visible
    assert dock._other.x_title == "Band number"
    assert "bands" not in dock.plot.names()
    dock._chip_of[viewer.layers["bands"]].value = False
    dock.look_at((500.0, 4.0, 6.0))
    assert not dock._other.visible


def test_an_axis_that_steps_back_is_drawn_broken_and_bad_bands_are_shaded(viewer):
    axis = SpectralAxis([400, 500, 600, 590, 700, 800], "nm")
    add_cube(viewer, Cube(np.ones((4, 5, 6)), axis, metadata={"bad_bands": [4, 5]}, name="overlap"))
    dock = opened(viewer, "Spectra")
    dock.look_at((0.0, 1.0, 1.0))
    assert dock.plot._curves["overlap"].opts["connect"].tolist() == [1, 1, 0, 1, 1, 0]
    assert dock.plot.axis_tools.shaded == [(645.0, 800.0)]


def test_nan_is_drawn_as_a_gap(viewer):
    data = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    data[1, 1, 2] = np.nan
    data[2, 2] = np.nan
    add_cube(viewer, Cube(data, name="holes"))
    dock = opened(viewer, "Spectra")
    for show in ("raw", "maximum", "snv", "first", "second"):
        dock._show.value = show
        dock.look_at((0.0, 1.0, 1.0))
        y = dock.plot.data("holes")[1]
        assert np.isfinite(y[5])
        dock.look_at((0.0, 2.0, 2.0))
        assert np.isnan(dock.plot.data("holes")[1]).all()
    assert "nan" in dock._readout.value


def test_derivatives_and_offsets_are_shown(spectra):
    _, image, dock = spectra
    values, nm = as_cube(image).data[4, 6], as_cube(image).axis.values
    dock.look_at((500.0, 4.0, 6.0))
    dock._show.value = "first"
    np.testing.assert_allclose(dock.plot.data("image")[1], np.gradient(values, nm), rtol=1e-4, atol=1e-6)
    dock._show.value = "raw"
    dock._offset.value = "10"
    assert dock.plot.data("image")[1].min() > 5


def test_the_wavelength_is_on_the_canvas_while_scrubbing(spectra, until):
    viewer, image, dock = spectra
    viewer.dims.set_point(0, as_cube(image).axis.values[3])
    until(lambda: viewer.canvas.overlays.text.text == "481.818 nm · band 3")
    assert viewer.canvas.overlays.text.visible
    viewer.window.remove_dock_widget(dock.native)


# ------------------------------------------------------------------ layers that are not in memory


class Slow:
    """An array whose reading waits until it is allowed."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.allowed, self.reads = threading.Event(), 0

    def __getitem__(self, key):
        if threading.current_thread() is threading.main_thread():
            return self.data[key]  # napari's own slicing
        self.reads += 1
        assert self.allowed.wait(900)
        return self.data[key]


def test_a_slow_layer_does_not_stop_the_mouse(viewer, until, in_the_asking_thread):
    slow = Slow(np.random.default_rng(0).random((6, 30, 40), np.float32))
    layer = viewer.add_image(da.from_array(slow, chunks=(6, 30, 40), asarray=False), name="disk")
    layer.metadata["spectral_axis"] = {"values": np.arange(400.0, 406).tolist(), "unit": "nm", "position": 0}
    dock = opened(viewer, "Spectra")
    for x in range(40):
        dock.look_at((0.0, 3.0, float(x)))
    assert "disk" not in dock.plot.names()
    slow.allowed.set()
    until(lambda: "disk" in dock.plot.names() and not dock._cursor.busy)
    np.testing.assert_array_equal(dock.plot.data("disk")[1], slow.data[:, 3, 39])
    assert slow.reads < 10


def test_a_layer_whose_file_breaks_says_so(viewer, until, in_the_asking_thread):
    class Broken(Slow):
        def __getitem__(self, key):
            if threading.current_thread() is threading.main_thread():
                return self.data[key]
            raise OSError("the disk is gone")

    viewer.add_image(da.from_array(Broken(np.zeros((6, 30, 40))), chunks=(6, 30, 40), asarray=False), name="disk")
    dock = opened(viewer, "Spectra")
    dock.look_at((0.0, 3.0, 3.0))
    until(lambda: "the disk is gone" in dock._problem.value)


# ------------------------------------------------------------------ images from bands, and out


@pytest.mark.parametrize("words", ["450-550", "450–550", " 450 .. 550 ", "550 - 450", "450 to 550"])
def test_ranges_are_read_as_people_write_them(words):
    assert parse_range(words) == (450, 550)


def test_a_range_needs_two_ends():
    with pytest.raises(ValueError, match="'450' is not a range; write it as 1000–1010"):
        parse_range("450")


def test_band_images_ratios_crops_and_colours_become_layers(spectra, until):
    viewer, image, dock = spectra
    data, nm = as_cube(image).data, as_cube(image).axis.values
    tools = dock.tools
    tools.range.value, tools.by.value = "450–550", "600–700"
    inside, below = (nm >= 450) & (nm <= 550), (nm >= 600) & (nm <= 700)
    expected = {
        "mean": ("image · 450–550", data[..., inside].mean(-1)),
        "area": ("image · area 450–550", np.trapezoid(data[..., inside], nm[inside], axis=-1)),
        "ratio": ("image · 450–550 ÷ 600–700", data[..., inside].mean(-1) / data[..., below].mean(-1)),
    }
    for what, (name, values) in expected.items():
        tools.make(what)
        until(lambda name=name: name in viewer.layers)
        np.testing.assert_allclose(viewer.layers[name].data, values, rtol=1e-4)
        np.testing.assert_allclose(viewer.layers[name].scale, image.scale[1:])
    tools.make("crop")
    crop = as_cube(viewer.layers[-1])
    np.testing.assert_array_equal(crop.axis.values, nm[inside])
    assert np.shares_memory(crop.data, data)
    viewer.layers.selection.active = image
    for what, name in (("rgb", "image · RGB 650, 550, 450"), ("true", "image · true colour")):
        tools.colours.value = "650, 550, 450"
        tools.make(what)
        until(lambda name=name: name in viewer.layers)
        assert viewer.layers[name].rgb
    tools.range.value = "1–2"
    tools.make("mean")
    assert "no band lies in 1–2; the layer has bands at 400–700" in tools._problem.value


def test_a_range_is_dragged_in_the_plot_and_means_the_unit_shown(spectra):
    _, image, dock = spectra
    dock.tools.pick.value = True
    dock.tools._on_dragged(450.0, 550.0)
    assert dock.tools.range.value == "450–550"
    dock.tools.range.value = "500–600"
    assert dock.plot.axis_tools.region.getRegion() == (500, 600)
    dock.axis.choose("um")
    dock.tools.range.value = "0.45–0.55"
    assert dock.tools._native((0.45, 0.55)) == pytest.approx((454.5454, 536.3636))


def test_curves_are_copied_and_saved_as_csv_and_pictures(spectra, tmp_path):
    _, image, dock = spectra
    dock.look_at((500.0, 4.0, 6.0))
    dock.export.to_csv(str(tmp_path / "curves"))
    again = read(tmp_path / "curves.csv")
    assert again.axis == as_cube(image).axis
    np.testing.assert_allclose(again.data[1], as_cube(image).data[4, 6], rtol=1e-6)
    dock.export.copy()
    assert QApplication.clipboard().text().startswith("Wavelength (nm)\ttruth\timage\n400.0\t")
    dock.export.to_picture(str(tmp_path / "plot"))
    dock.export.to_picture(str(tmp_path / "plot.svg"))
    assert (tmp_path / "plot.png").stat().st_size > 1000
    assert "<svg" in (tmp_path / "plot.svg").read_text()
    with pytest.raises(OSError, match="cannot be written"):
        dock.export.to_picture(str(tmp_path / "none" / "plot.png"))


def test_a_set_of_spectra_offers_no_images(open_pairs):
    viewer, *_ = open_pairs
    dock = opened(viewer, "Spectra")
    assert not dock.tools._buttons["mean"].enabled
    assert dock.tools._buttons["crop"].enabled
    viewer.layers.clear()
    assert not dock.tools._buttons["crop"].enabled


def test_a_band_image_lies_over_a_turned_source(viewer, until):
    turned = np.eye(3)
    turned[1:, 1:] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    layer = add_cube(viewer, Cube(np.random.default_rng(0).random((5, 6, 4)), name="cells"), rotate=turned)
    dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Spectra")[1]
    tools = dock.tools
    tools.range.value = "0-2"
    tools.make("mean")
    until(lambda: len(viewer.layers) == 2)
    np.testing.assert_allclose(viewer.layers[-1].data_to_world((3, 2)), layer.data_to_world((0, 3, 2))[1:])
