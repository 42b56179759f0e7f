from __future__ import annotations

import contextlib
import warnings

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_spectrai import Cube, Labels, SpectralAxis, as_cube, preprocess, write
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above, show_parts
from napari_spectrai.widgets.layers import add_cube, add_labels, layer_data, left_out, opened_layer, pixel_at, spectral_layers
from napari_spectrai.widgets.spectra_dock.bands_first import lie_behind, put_bands_first
from napari_spectrai.widgets.train_dock.truth_choice import canvas


def test_a_cube_as_a_layer_and_back_without_a_copy(viewer, image_pairs):
    cube = Cube(image_pairs[0].data, image_pairs[0].axis, pixel_size=(0.5, 0.25), pixel_unit="um", name="cells")
    layer = add_cube(viewer, cube)
    assert layer.axis_labels == ("wavelength", "y", "x")
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    assert layer.scale[0] == np.float64(cube.axis.step)
    again = as_cube(layer)
    assert np.shares_memory(again.data, cube.data)
    assert again.axis == cube.axis
    assert again.pixel_size == cube.pixel_size
    assert again.pixel_unit == "um"


def test_a_layer_without_units_does_not_move_the_others_out_of_sight(viewer):
    viewer.open_sample("napari-spectrai", "lambda_stack")
    extent = np.array(viewer.layers.extent.world)
    viewer.add_points(np.zeros((1, 2)))
    np.testing.assert_allclose(np.array(viewer.layers.extent.world)[1, 1:], extent[1, 1:])
    viewer.layers.clear()
    alone = add_cube(viewer, Cube(np.zeros((3, 4, 5)), SpectralAxis(np.linspace(400, 700, 5), "nm")))
    assert [str(unit) for unit in alone.units] == ["nanometer", "pixel", "pixel"]


def test_scale_only_where_the_axis_is_uniform(viewer):
    for values in ([400, 410, 430, 500], [500, 450, 400, 350]):
        layer = add_cube(viewer, Cube(np.random.default_rng(0).random((5, 6, 4)), SpectralAxis(values, "nm")))
        assert layer.scale[0] == 1
        assert as_cube(layer).axis.values.tolist() == values


def test_lazy_cubes_stay_lazy_and_constant_or_empty_values_show(viewer):
    assert isinstance(add_cube(viewer, Cube(da.zeros((50, 60, 7)))).data, da.Array)
    add_cube(viewer, Cube(np.full((3, 4, 5), np.nan)))
    for layer in viewer.layers:
        assert layer.contrast_limits[0] < layer.contrast_limits[1]


def test_the_pixel_at_a_place(viewer, image_pairs):
    layer = add_cube(viewer, image_pairs[0])
    assert pixel_at(layer, (500.0, 3.2, 7.9)) == (3, 8)
    assert pixel_at(layer, (500.0, -1.0, 7.0)) is None


@pytest.mark.parametrize(
    "data", [np.zeros((0, 8, 9)), np.zeros((4, 8, 9), np.complex64), np.zeros((4, 8, 9), object)], ids=["empty", "complex", "object"]
)
def test_layers_without_real_numbers_are_not_offered_with_the_reason(data):
    """Napari opens no layer of complex numbers or objects, but takes them for the numbers of one that is there."""
    model = ViewerModel()
    layer = model.add_image(np.ones((4, 8, 9)), name="odd")
    assert (spectral_layers(model), left_out(layer)) == ([layer], "")
    with warnings.catch_warnings(), contextlib.suppress(NotImplementedError, RuntimeError, TypeError):
        warnings.simplefilter("ignore", RuntimeWarning)  # napari divides by an empty extent
        layer.data = data
    assert not spectral_layers(model)
    assert "odd" in left_out(layer)


def test_only_stacks_are_spectral(viewer):
    viewer.add_image(np.zeros((8, 9, 3)), rgb=True)
    viewer.add_labels(np.zeros((8, 9), int))
    stack = viewer.add_image(np.zeros((4, 8, 9)))
    assert spectral_layers(viewer) == [stack]


def test_sets_of_spectra_are_bands_by_spectra(pairs):
    data, options, kind = layer_data(pairs[0])
    assert data.shape == (40, 120)
    assert options["axis_labels"] == ("wavenumber", "spectrum")
    assert kind == "image"


def test_files_open_through_the_manifest(viewer, image_pairs, tmp_path):
    path = write(image_pairs[0], tmp_path / "c.h5")
    (layer,) = viewer.open(path, plugin="napari-spectrai")
    assert as_cube(layer).axis == image_pairs[0].axis
    assert as_cube(layer).source == path


def test_the_sample_opens_through_the_menu(viewer):
    layers = viewer.open_sample("napari-spectrai", "raman_pairs")
    assert [layer.data.shape for layer in layers] == [(500, 1000), (500, 1000)]
    assert as_cube(layers[0]).axis.unit == ""


def test_depths_and_times_have_their_scale_and_unit(viewer):
    planes = {"time": {"start": 5.0, "step": 30.0, "unit": "s"}, "z": {"start": 0.0, "step": 2.0, "unit": "um"}}
    cube = Cube(np.zeros((2, 3, 5, 6, 4), np.uint8), pixel_size=(0.5, 0.5), pixel_unit="um", metadata={"planes": planes})
    layer = add_cube(viewer, cube)
    np.testing.assert_allclose(layer.scale[1:], [30, 2, 0.5, 0.5])
    assert layer.translate[1] == 5
    assert [str(unit) for unit in layer.units[1:]] == ["second", "micrometer", "micrometer", "micrometer"]
    assert as_cube(layer).pixel_size == (0.5, 0.5)


def test_a_series_of_depths_or_times_has_its_coordinate_on_its_own_axis(viewer):
    for name, unit, long in (("time", "s", "second"), ("z", "um", "micrometer")):
        series = {name: {"values": [10.0, 12.0, 14.0], "unit": unit}}
        data, options, _ = opened_layer(Cube(np.ones((3, 40), np.float32), metadata={"coordinates": series}))
        layer = viewer.add_image(data, **{key: value for key, value in options.items() if key in ("scale", "translate", "units")})
        assert (layer.scale[-1], layer.translate[-1], str(layer.units[-1])) == (2, 10, long)


def test_labels_of_ours_have_the_units_of_their_source_from_the_beginning(viewer, recwarn):
    axis = SpectralAxis(np.linspace(600, 1800, 12), "1/cm")
    source = add_cube(viewer, Cube(np.ones((6, 5, 12), np.float32), axis, pixel_size=(0.5, 0.5), pixel_unit="um", name="map"))
    said = []
    inserted = viewer.layers.events.inserted
    inserted.connect(lambda event: said.append([str(unit) for unit in event.value.units]), position="first")
    labels = add_labels(viewer, Labels(np.ones((6, 5), np.int32), {1: "fat"}), source)
    show_parts(viewer, Labels(np.ones((6, 5), np.int32), {1: "training"}), source)
    strokes = canvas(viewer, source)
    assert said == [["micrometer", "micrometer"]] * 3
    assert [list(layer.scale) for layer in (labels, strokes)] == [[1, 1], [0.5, 0.5]]
    assert not any("units" in str(one.message) for one in recwarn)


@pytest.mark.parametrize("kind", ["remove_bands", "pca", "resample"])
def test_a_cube_and_what_is_made_of_it_share_a_slider_without_an_empty_picture(kind):
    axis = SpectralAxis(np.linspace(700, 1100, 41) if kind != "resample" else np.geomspace(700, 1100, 41), "1/cm")
    model = ViewerModel()
    values = np.random.default_rng(0).random((6, 5, 41), np.float32) + 1
    source = add_cube(model, Cube(values, axis, name="map", pixel_size=(2.0, 2.0), pixel_unit="um"))
    by = {"remove_bands": {"ranges": [[800, 850]]}, "pca": {}, "resample": {"values": np.linspace(700, 1100, 30).tolist(), "unit": "1/cm"}}
    made = preprocess(as_cube(source), [{"kind": kind, **by[kind]}])
    model.dims.set_current_step(0, 3)
    steps = model.dims.nsteps
    result = add_above(model, made, LayerFrame.of(source), "map · prepared", alike=False)
    assert (model.dims.nsteps, model.dims.current_step[0]) == (steps, 3)
    for layer in (source, result):
        assert round(float(layer.world_to_data(model.dims.point)[0])) == 3
    assert model.layers.extent.units is not None
    assert as_cube(source).axis == axis
    assert as_cube(result).axis == made.axis


@pytest.mark.parametrize(("kind", "position"), [("plain", 2), ("turned", 1), ("lazy", 3), ("pyramid", 2)])
def test_bands_are_put_first_without_moving_a_pixel(kind, position):
    values = np.random.default_rng(0).random((4, 6, 5, 7), np.float32)
    data = da.from_array(values) if kind == "lazy" else values
    affine = np.eye(5)
    affine[2:4, 2:4], affine[2:4, 4] = [[0.9, -0.3], [0.3, 0.9]], (5, 7)
    axis = {"values": [float(n) for n in range(values.shape[position])], "unit": "nm", "position": position}
    options = {"scale": (2, 3, 1, 0.5), "translate": (1, 2, 3, 4), "units": ("s", "um", "um", "nm"), "metadata": {"spectral_axis": axis}}
    if kind == "turned":
        options |= {"affine": affine, "rotate": 30}
    layer = Image([data, data[:, ::2]] if kind == "pyramid" else data, multiscale=kind == "pyramid", **options)
    before, corner = as_cube(layer), np.array([1.0, 2, 3, 4])
    order = [position, *(d for d in range(4) if d != position)]
    world, units = np.array(layer.data_to_world(corner))[order], [str(layer.units[d]) for d in order]
    assert lie_behind(layer)
    put_bands_first(layer)
    after = as_cube(layer)
    assert not lie_behind(layer)
    np.testing.assert_array_equal(after.numpy(), before.numpy())
    assert (after.axis, [str(unit) for unit in layer.units]) == (before.axis, units)
    np.testing.assert_allclose(layer.data_to_world(corner[order]), world)
    assert layer.axis_labels[0] == "wavelength"
    assert not lie_behind(Image(np.zeros((5, 6, 3), np.uint8), rgb=True))
    assert not lie_behind(Image(np.zeros((5, 6)), axis_labels=("y", "wavelength")))
