from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, as_cube
from napari_spectrai.layer_axes import SpectralWarning


def test_axis_keeps_values_exactly_even_if_they_descend_or_repeat():
    values = [700.0, 500.0, 500.0, 400.5]
    axis = SpectralAxis(values, "nm")
    assert axis.values.tolist() == values
    assert axis.values.dtype == np.float64
    assert axis.index(501) == 1
    assert axis.window(450, 600).tolist() == [1, 2]
    assert axis.window(600, 450).tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        axis.values[0] = 1


@pytest.mark.parametrize(
    ("spelling", "unit"), [("cm-1", "1/cm"), ("µm", "um"), ("Nanometers", "nm"), ("eV", "eV"), ("", ""), ("m/z", "m/z")]
)
def test_units_are_understood(spelling, unit):
    assert SpectralAxis([1.0, 2.0], spelling).unit == unit


@pytest.mark.parametrize(
    ("values", "unit", "message"),
    [
        ([1.0], "parsec", "unknown unit 'parsec'.*known:.*'nm'"),
        ([1.0, np.nan], "nm", "band 1 is nan"),
        ([], "nm", "one or more"),
        ([[1.0]], "nm", "shape"),
    ],
)
def test_an_axis_refuses_positions_that_no_spectrum_has(values, unit, message):
    with pytest.raises(ValueError, match=message):
        SpectralAxis(np.array(values), unit)


def test_step_only_where_uniform():
    assert SpectralAxis([1.0, 2.0, 3.0], "nm").step == 1
    assert SpectralAxis([3.0, 2.0, 1.0], "nm").step == -1
    assert SpectralAxis([1.0, 2.0, 4.0], "nm").step is None
    assert SpectralAxis([1.0], "nm").step is None
    assert SpectralAxis([1.0, 1.0], "nm").step is None


def test_mismatch_says_how():
    axis = SpectralAxis([1.0, 2.0, 3.0], "nm")
    assert axis.mismatch(SpectralAxis(np.float32([1, 2, 3]), "nm")) is None
    assert "4 bands where 3" in axis.mismatch(SpectralAxis.bands(4))
    assert "unit" in axis.mismatch(SpectralAxis([1.0, 2.0, 3.0], "um"))
    assert "up to 0.5 nm" in axis.mismatch(SpectralAxis([1.0, 2.0, 3.5], "nm"))


def test_axis_json_round_trip_and_hash():
    axis = SpectralAxis([0.1, 0.2, 0.30000000000000004], "eV")
    again = SpectralAxis.from_json(axis.to_json())
    assert again == axis
    assert hash(again) == hash(axis)


def test_cube_without_axis_has_band_numbers():
    cube = Cube(np.zeros((3, 4, 5)))
    assert cube.axis == SpectralAxis.bands(5)
    assert cube.axis.unit == ""
    assert "no spectral axis" in repr(cube)


@pytest.mark.parametrize(
    ("data", "axis", "message"),
    [
        (np.zeros(5), None, r"shape \(1, bands\)"),
        (np.zeros((0, 5)), None, "holds no values"),
        (np.zeros((2, 5)), SpectralAxis.bands(4), "5 bands and the axis 4"),
        (np.zeros((2, 5), complex), None, "real numbers"),
        (np.array([["a", "b"]]), None, "real numbers"),
    ],
)
def test_a_cube_refuses_arrays_that_are_no_spectra(data, axis, message):
    with pytest.raises(ValueError, match=message):
        Cube(data, axis)


@pytest.mark.parametrize(
    ("shape", "dims"),
    [((5, 3), ("spectrum", "band")), ((4, 5, 3), ("y", "x", "band")), ((2, 4, 5, 3), ("z", "y", "x", "band"))],
)
def test_a_set_of_spectra_is_no_image_and_names_its_dimension(shape, dims):
    cube = Cube(np.zeros(shape, np.float32))
    assert cube.is_image == (len(shape) > 2)
    assert cube.dims == dims
    assert (cube.count, cube.spatial_shape) == (np.prod(shape[:-1]), shape[:-1])


def test_an_integer_keeps_its_dimension():
    cube = Cube(np.arange(24.0).reshape(2, 3, 4))
    assert cube[1].shape == (1, 3, 4)
    assert cube[-1].shape == (1, 3, 4)
    assert cube[:, 1:].shape == (2, 2, 4)
    assert cube[0, 0, 2].shape == (1, 1, 1)
    with pytest.raises(IndexError, match="4 indices for 3 dimensions"):
        cube[0, 0, 0, 0]


def layer(data, **metadata):
    return SimpleNamespace(data=data, metadata=metadata, name="cells", scale=np.ones(data.ndim), units=("pixel",) * data.ndim)


def test_a_layer_is_viewed_without_a_copy():
    data = np.random.default_rng(0).random((5, 3, 4), np.float32)
    cube = as_cube(layer(data, spectral_axis={"values": [1, 2, 3, 4, 5], "unit": "nm", "position": 0}))
    assert cube.shape == (3, 4, 5)
    assert np.shares_memory(cube.data, data)
    assert cube.axis.unit == "nm"
    assert cube.name == "cells"
    np.testing.assert_array_equal(cube.data[1, 2], data[:, 1, 2])


def test_a_layer_of_another_reader_and_its_spectral_dimension():
    data = np.zeros((3, 4, 5), np.float32)
    with pytest.warns(SpectralWarning, match="has no known spectral dimension; the first, with 3 bands"):
        assert as_cube(layer(data)).shape == (4, 5, 3)
    assert as_cube(layer(data), position=2).shape == (3, 4, 5)
    with pytest.raises(ValueError, match="dimension 7 does not exist"):
        as_cube(layer(data), position=7)


def labelled(data, *labels):
    return SimpleNamespace(**vars(layer(data)), axis_labels=labels)


@pytest.mark.parametrize(
    ("labels", "shape"),
    [
        (("y", "x", "Wavelength (nm)"), (3, 4, 5)),
        (("y", "λ", "x"), (3, 5, 4)),
        (("t", "y", "c"), (3, 4, 5)),
        (("c", "y", "wavenumber"), (3, 4, 5)),  # a word for a spectrum says more than a channel
    ],
)
def test_the_spectral_dimension_is_taken_from_axis_labels(labels, shape):
    assert as_cube(labelled(np.zeros((3, 4, 5), np.float32), *labels)).shape == shape


def test_labels_that_name_no_spectral_dimension_or_two_do_not_decide():
    for labels in (("z", "y", "x"), ("band", "channel", "x"), ("-3", "-2", "-1")):
        with pytest.warns(SpectralWarning, match="position="):
            as_cube(labelled(np.zeros((3, 4, 5), np.float32), *labels))
    projected = layer(np.zeros((1, 4, 5), np.float32), spectral_axis={"values": [1.0, 2.0, 3.0], "unit": "nm", "position": 0})
    for one in (projected, SimpleNamespace(**vars(projected), axis_labels=("wavelength", "y", "x"))):
        with pytest.warns(SpectralWarning, match="1 × 4 × 5"):
            assert as_cube(one).axis.unit == ""


def test_a_colour_image_has_three_bands_and_its_opacity_is_none():
    colours = SimpleNamespace(**vars(layer(np.zeros((4, 5, 4), np.uint8))), rgb=True)
    with pytest.warns(SpectralWarning, match="opacity"):
        assert as_cube(colours).shape == (4, 5, 3)
    with pytest.raises(ValueError, match="real numbers, not complex64"):
        as_cube(layer(np.zeros((3, 4, 5), np.complex64)), position=0)


def test_a_part_of_a_cube_keeps_its_place():
    stage = Cube(np.zeros((6, 8, 2), np.float32), pixel_size=(2.0, 3.0), pixel_unit="um", metadata={"origin": (10.0, 20.0)})
    part = stage[2:5, 3]
    assert part.metadata["origin"] == (14.0, 29.0)
    np.testing.assert_allclose(part.placement.matrix @ [0, 0, 1], [14, 29, 1])
    np.testing.assert_allclose(stage[::-2, ...].placement.matrix @ [0, 0, 1], [20, 20, 1])
    assert stage.with_data(np.zeros((3, 8, 2))).placement is None  # nobody knows where these pixels lie


def test_lazy_layers_stay_lazy():
    data = da.zeros((5, 30, 40), chunks=(5, 10, 10))
    cube = as_cube(layer(data), position=0)
    assert isinstance(cube.data, da.Array)
    assert cube.shape == (30, 40, 5)


def test_as_cube_of_arrays_and_cubes():
    axis = SpectralAxis([1.0, 2.0], "nm")
    assert as_cube([[1.0, 2.0]], axis=axis).axis == axis
    cube = Cube(np.zeros((2, 2)))
    assert as_cube(cube) is cube
    assert as_cube(cube, axis=axis).axis == axis


def test_importing_the_package_loads_neither_torch_nor_qt():
    import subprocess
    import sys

    code = "import sys, napari_spectrai as s; s.Cube, s.Experiment, s.read, s.launch\n"
    code += "print([m for m in ('torch', 'qtpy', 'napari') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("nothing", [None, "cells.npz", 3.0])
def test_what_is_no_cube_is_called_so(nothing):
    with pytest.raises(ValueError, match=r"is no cube; give a Cube, an array or a napari layer"):
        as_cube(nothing)


def test_the_most_negative_index_is_the_first_and_one_beyond_is_an_error():
    cube = Cube(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    np.testing.assert_array_equal(cube[-2, -3].data, cube.data[:1, :1])
    with pytest.raises(IndexError, match="index -3 is out of bounds"):
        cube[-3]


def test_a_crop_of_overlapping_ranges_holds_no_band_from_outside():
    """Spectrographs with two ranges give an axis that goes back: bands of a window need not lie side by side."""
    axis = SpectralAxis([400.0, 500.0, 600.0, 550.0, 650.0, 750.0], "nm")
    cube = Cube(np.arange(12, dtype=np.float32).reshape(2, 6), axis).crop(390, 560)
    assert cube.axis.values.tolist() == [400.0, 500.0, 550.0]
    assert cube.data.tolist() == [[0, 1, 3], [6, 7, 9]]


def test_marks_of_bad_bands_follow_their_bands():
    cube = Cube(np.zeros((2, 6), np.float32), metadata={"bad_bands": [1, 4]})
    assert cube[..., 1:5].metadata["bad_bands"] == [0, 3]
    assert cube[..., ::-1].metadata["bad_bands"] == [1, 4]
    assert cube[..., [4, 0]].metadata["bad_bands"] == [0]
