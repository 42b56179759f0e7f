"""What one sees of a cube that was just opened, and of its bands while the slider moves."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spectrai import Cube, SpectralAxis, as_cube, write
from napari_spectrai.summary import contrast_limits, telling_band
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above
from napari_spectrai.widgets.layers import FIRST_BAND, add_cube, opened_layer


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
    data, options, _ = opened_layer(cube)
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
    for values in ([], [np.nan], [3.0], [2.0] * 500 + [9.0], [np.inf, 1, 2]):
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
