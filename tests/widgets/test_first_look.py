"""What one sees of a cube that was just opened, and of its bands while the slider moves."""

from __future__ import annotations

import gc
import weakref

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QRadioButton

from napari_spectrai import Cube, SpectralAxis, as_cube, write
from napari_spectrai.io import Picture
from napari_spectrai.summary import contrast_limits, telling_band
from napari_spectrai.widgets import first_look
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above, lie_over
from napari_spectrai.widgets.layers import FIRST_BAND, add_cube, opened_layer
from napari_spectrai.widgets.line_scans import place_in_picture
from napari_spectrai.widgets.predict_dock.before_after import BeforeAfter
from napari_spectrai.widgets.shared_units import agreeing


@pytest.fixture
def model(qapp):
    """A viewer without a window."""
    return ViewerModel()


def ramp(bands: int = 9, telling: int = 6, start: float = 400.0, unit: str = "nm", name: str = "ramp") -> Cube:
    """Return noise in all bands but one, which shows a gradient; each band lies on its own level."""
    data = np.random.default_rng(0).normal(0, 1, (20, 24, bands)).astype(np.float32) + 100 * np.arange(bands, dtype=np.float32)
    data[..., telling] += np.linspace(0, 30, 24, dtype=np.float32)
    return Cube(data, SpectralAxis(start + 10.0 * np.arange(bands), unit), name=name)


def open_cube(viewer, cube):
    band_contrast(viewer)
    ((data, options, _),) = agreeing(viewer, [opened_layer(cube)])
    return viewer.add_image(data, **options)


def band(viewer, layer):
    return round(float(layer.world_to_data(viewer.dims.point)[0]))


@pytest.mark.parametrize("kind", ["memory", "lazy", "with empty pixels", "with one bright particle"])
def test_the_band_with_structure_is_found(kind):
    cube = ramp()
    data = cube.data.copy()
    if kind == "with empty pixels":
        data[:5] = np.nan
    if kind == "with one bright particle":
        data[3:5, 3, 2] = 1e6
    found = telling_band(cube.with_data(da.from_array(data, chunks=(5, 6, 9)) if kind == "lazy" else data))
    assert found == 6


def test_bad_bands_are_not_shown_first_and_without_structure_it_is_the_middle():
    assert telling_band(Cube(ramp().data, ramp().axis, metadata={"bad_bands": [6]})) != 6
    for shape in ((4, 5, 7), (1, 1, 7), (3, 7), (2, 4, 5, 7)):
        assert telling_band(Cube(np.ones(shape))) == 3
        assert telling_band(Cube(np.full(shape, np.nan))) == 3


def test_limits_are_in_order_whatever_the_values():
    for values in ([], [np.nan], [3.0], [2.0] * 500 + [9.0], [np.inf, 1, 2], [1e300] * 3, [-1e17, -1e17]):
        low, high = contrast_limits(np.array(values))
        assert np.isfinite([low, high]).all()
        assert low < high


def test_a_cube_opens_on_its_telling_band_with_the_contrast_of_what_is_shown(model):
    layer = open_cube(model, ramp())
    assert FIRST_BAND not in layer.metadata
    assert band(model, layer) == 6
    np.testing.assert_allclose(layer.contrast_limits, contrast_limits(layer.data[6]))
    for step in (0, 8):
        model.dims.set_current_step(0, step)
        np.testing.assert_allclose(layer.contrast_limits, contrast_limits(layer.data[step]))
    model.dims.ndisplay = 3
    np.testing.assert_allclose(layer.contrast_limits, contrast_limits(layer.data))


def test_limits_set_by_hand_stay_until_the_switch_is_set_again(model):
    layer, contrast = open_cube(model, ramp()), band_contrast(model)
    assert contrast.follows(layer)
    layer.contrast_limits = (7, 70)
    model.dims.set_current_step(0, 2)
    assert layer.contrast_limits == [7, 70]
    assert not contrast.follows(layer)
    contrast.follow(layer)
    np.testing.assert_allclose(layer.contrast_limits, contrast_limits(layer.data[2]))


def test_contrast_of_a_lazy_cube_follows_too(model, until):
    cube = ramp()
    layer = open_cube(model, cube.with_data(da.from_array(cube.data, chunks=(20, 24, 3))))
    for step in (6, 1):
        model.dims.set_current_step(0, step)
        wanted = contrast_limits(cube.data[..., step])
        until(lambda wanted=wanted: np.allclose(layer.contrast_limits, wanted))


def test_a_second_cube_of_another_range_opens_in_its_own_and_one_of_the_same_leaves_the_slider(model):
    first = open_cube(model, Cube(ramp().data, name="bands"))
    model.dims.set_current_step(0, 3)
    same = open_cube(model, Cube(ramp(telling=1).data, name="other"))
    assert (band(model, first), band(model, same)) == (3, 3)
    np.testing.assert_allclose(same.contrast_limits, contrast_limits(same.data[3]))
    far = open_cube(model, ramp())
    assert band(model, far) == 6


def test_a_result_has_the_contrast_of_its_source_and_leaves_the_slider(model):
    layer = open_cube(model, ramp())
    model.dims.set_current_step(0, 4)
    result = add_above(model, as_cube(layer), LayerFrame.of(layer), "ramp · denoised", alike=True)
    assert band(model, layer) == 4
    model.dims.set_current_step(0, 5)
    assert result.contrast_limits == layer.contrast_limits
    layer.contrast_limits = (1, 2)
    assert result.contrast_limits == [1, 2]


def test_a_file_and_a_sample_open_so(viewer, tmp_path):
    (layer,) = viewer.open(write(ramp(), tmp_path / "c.h5"), plugin="napari-spectrai")
    assert band(viewer, layer) == 6
    assert FIRST_BAND not in as_cube(layer).metadata
    viewer.layers.clear()
    (stack,) = viewer.open_sample("napari-spectrai", "lambda_stack")
    np.testing.assert_allclose(stack.contrast_limits, contrast_limits(stack.data[band(viewer, stack), ::2, ::2]))


def test_the_switch_in_the_spectra_dock(viewer):
    layer = open_cube(viewer, ramp())
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Spectra")
    assert dock.contrast.value
    dock.contrast.native.click()
    limits = list(layer.contrast_limits)
    viewer.dims.set_current_step(0, 1)
    assert layer.contrast_limits == limits
    dock.contrast.native.click()
    np.testing.assert_allclose(layer.contrast_limits, contrast_limits(layer.data[1]))
    layer.contrast_limits = (0, 5)
    assert not dock.contrast.value
    other = add_cube(viewer, ramp(), name="added by a script")
    viewer.layers.selection.active = other
    assert not dock.contrast.value


# ---------------------------------------------------------------- lines and single spectra


def line_cube(count=12, bands=200, **metadata):
    data = np.random.default_rng(1).random((count, bands)).astype(np.float32)
    return Cube(data, SpectralAxis(np.linspace(500, 900, bands), "1/cm"), name="line", metadata=metadata)


def side_ratio(layer):
    height, width = np.array(layer.scale) * layer.data.shape
    return float(width / height)


def test_a_line_is_a_picture_over_its_true_distance(model):
    along = np.arange(12.0)
    cube = line_cube(stage_x=(10 + 0.3 * along).tolist(), stage_y=(5 + 0.4 * along).tolist(), stage_unit="um")
    layer = open_cube(model, cube)
    assert layer.scale[1] == pytest.approx(0.5)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    assert 1 < side_ratio(layer) < 3
    assert as_cube(layer).axis == cube.axis
    np.testing.assert_array_equal(as_cube(layer).data, cube.data)


@pytest.mark.parametrize("shape", [(1, 30, 200), (30, 1, 200), (1, 1, 200), (1, 200), (2, 200), (40, 200)])
def test_nothing_opens_as_a_hairline(model, shape):
    layer = open_cube(
        model, Cube(np.random.default_rng(0).random(shape), pixel_size=(2.0, 2.0) if len(shape) > 2 else None, pixel_unit="um")
    )
    assert layer.ndim == 2
    assert 1 < side_ratio(layer) < 3
    assert as_cube(layer).shape == (np.prod(shape[:-1]), 200)


def test_spectra_that_form_no_line_are_numbered(model):
    jumps = np.random.default_rng(0).random(12)
    layer = open_cube(model, line_cube(stage_x=jumps.tolist(), stage_y=jumps[::-1].tolist(), stage_unit="um"))
    assert [str(unit) for unit in layer.units] == ["pixel"] * 2


def test_results_and_labels_of_a_line_lie_over_it(model):
    layer = open_cube(model, line_cube(stage_z=(-3 + 0.5 * np.arange(12)).tolist(), stage_unit="um"))
    cube = as_cube(layer)
    half = Cube(cube.data[:, ::2], SpectralAxis(cube.axis.values[::2], "1/cm"))
    for result in (add_above(model, cube, LayerFrame.of(layer), "a"), add_above(model, half, LayerFrame.of(layer), "b")):
        np.testing.assert_allclose(np.array(result.extent.world), np.array(layer.extent.world), atol=0.05 * layer.scale[0] * 200)
        assert result.units == layer.units
    strokes = model.add_labels(np.zeros(layer.data.shape, int))
    lie_over(strokes, layer)
    np.testing.assert_allclose(strokes.extent.world, layer.extent.world)
    assert model.layers.extent.units is not None


def test_bands_of_different_units_on_one_slider_have_none(model):
    """With different units, napari would warn and draw without any; no cube gets the unit of another."""
    first = open_cube(model, ramp())
    assert str(first.units[0]) == "nanometer"
    open_cube(model, ramp(unit="1/cm"))
    open_cube(model, Cube(ramp().data, name="bands"))
    assert model.layers.extent.units is not None
    assert {str(layer.units[0]) for layer in model.layers} == {"pixel"}
    assert [as_cube(layer).axis.unit for layer in model.layers] == ["nm", "1/cm", ""]


def test_the_place_of_a_line_is_drawn_on_the_picture_of_its_file():
    picture = Picture("white light", np.zeros((100, 150, 3), np.uint8), (2.0, 2.0), (-50.0, 30.0), "um")
    straight = line_cube(stage_x=np.arange(60.0, 72).tolist(), stage_y=[0.0] * 12, stage_unit="um")
    (ends,), options, kind = place_in_picture(straight, [picture])
    assert kind == "shapes"
    np.testing.assert_array_equal(ends, [[0, 60], [0, 71]])
    assert options["units"] == ["um", "um"]
    _, options, _ = opened_layer(straight, [picture])
    assert options["translate"][0] > -50 + 2 * 99
    assert place_in_picture(line_cube(), [picture]) is None
    assert place_in_picture(straight, []) is None


def test_a_single_spectrum_opens_the_plot(viewer, tmp_path, qtbot):
    viewer.open(write(line_cube(count=1), tmp_path / "one.h5"), plugin="napari-spectrai")
    assert "Spectra (napari-spectrai)" in viewer.window.dock_widgets


def test_the_thread_that_reads_limits_ends_with_its_viewer(model, until):
    cube = ramp()
    layer = open_cube(model, cube.with_data(da.from_array(cube.data, chunks=(5, 5, 1))))
    contrast = weakref.ref(band_contrast(model))
    model.dims.set_point(0, 450.0)
    until(lambda: contrast()._reading is not None and not contrast()._reading.busy)
    thread = contrast()._reading._thread
    band_contrasts = first_look._of
    del layer, band_contrasts[model]
    gc.collect()
    assert contrast() is None
    until(lambda: not thread.is_alive())


# ---------------------------------------------------------------- before, after, removed


@pytest.mark.parametrize("lazy", [False, True])
def test_a_result_is_compared_with_its_source_by_clicks(model, lazy, qtbot):
    source = open_cube(model, ramp())
    cube = as_cube(source)
    after = cube.with_data(da.from_array(cube.data * 0.75, chunks=(20, 24, 3)) if lazy else cube.data * np.float32(0.75))
    result = add_above(model, after, LayerFrame.of(source), "ramp · denoised")
    result.metadata["prediction"] = {"source": "ramp", "role": "result"}
    compare = BeforeAfter(model)
    compare.follow()
    assert compare.choice.value == "after"
    assert not compare.covered.value
    over = model.add_image(np.zeros(result.data.shape[1:]), name="a map")
    compare.follow()
    assert "Covered by 'a map'" in compare.covered.value
    model.layers.remove(over)
    step = model.dims.current_step
    buttons = {button.text(): button for button in compare.choice.native.findChildren(QRadioButton)}
    for what in ("removed", "before", "removed", "after"):
        buttons[what].click()
        seen = {
            "before": source.visible,
            "after": result.visible,
            "removed": any(one.visible for one in model.layers if "removed" in one.name),
        }
        assert seen == {name: name == what for name in seen}
    (removed,) = [one for one in model.layers if one.name == "ramp · removed"]
    np.testing.assert_allclose(np.asarray(as_cube(removed).data), cube.data * 0.25, rtol=1e-4, atol=1e-4)
    assert removed.contrast_limits[0] == -removed.contrast_limits[1]
    assert model.dims.current_step == step
    result.data = result.data * 2
    buttons["removed"].click()
    (removed,) = [one for one in model.layers if one.name == "ramp · removed"]
    np.testing.assert_allclose(np.asarray(as_cube(removed).data), cube.data * -0.5, rtol=1e-4, atol=1e-4)
    model.layers.remove(source)
    buttons["before"].click()
    assert not compare.visible


def test_a_resampled_result_is_not_subtracted_from_its_source(model):
    source = open_cube(model, ramp())
    cube = as_cube(source)
    shifted = SpectralAxis(cube.axis.values + 0.4 * np.diff(cube.axis.values).mean(), cube.axis.unit)
    result = add_above(model, cube.with_data(cube.data, axis=shifted), LayerFrame.of(source), "ramp · denoised")
    result.metadata["prediction"] = {"source": "ramp", "role": "result"}
    compare = BeforeAfter(model)
    compare.follow()
    assert not compare.visible
