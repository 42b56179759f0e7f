"""Objects of xarray, pandas and torch as cubes: their axis and its unit, or a word on what is missing."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
import xarray

from napari_spectrai import Cube, Experiment, as_cube
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.plan.truths import gather

VALUES = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
BANDS = np.linspace(400, 700, 6)


def along(name: str, values=BANDS, units: str = "", dim: str = "") -> xarray.DataArray:
    attributes = {"units": units} if units else {}
    return xarray.DataArray(VALUES, dims=("y", "x", dim or name), coords={name: (dim or name, values, attributes)})


@pytest.mark.parametrize(
    ("given", "unit", "factor"),
    [
        (along("wavelength"), "nm", 1),
        (along("wavelength", BANDS * 10, "Å"), "nm", 0.1),
        (along("wavelength", BANDS / 1000, "micrometer"), "um", 1),
        (along("raman_shift"), "1/cm", 1),
        (along("wavenumber", units="cm^{-1}"), "1/cm", 1),
        (along("energy", units="keV"), "eV", 1000),
        (along("wavelength", units="nm", dim="band"), "nm", 1),
        (along("wavelength", dim="band").assign_coords(band=np.arange(1, 7)), "nm", 1),
    ],
)
def test_a_data_array_keeps_its_positions_and_their_unit(given, unit, factor):
    cube = as_cube(given)
    assert cube.axis.unit == unit
    np.testing.assert_allclose(cube.axis.values, given.coords[next(iter(given.coords))].values * factor)


def test_guesses_and_ambiguities_in_a_data_array_are_reported():
    with pytest.warns(SpectralWarning, match="'wavelength' has no unit; by its values it is in µm. If that is wrong, give as_cube"):
        assert as_cube(along("wavelength", BANDS / 1000)).axis.unit == "um"
    both = along("wavelength", units="nm", dim="band").assign_coords(wavenumber=("band", 1e7 / BANDS))
    with pytest.raises(ValueError, match="'wavelength', 'wavenumber' all give positions along 'band'; drop all but one"):
        as_cube(both)


def test_the_spectral_variable_of_a_dataset():
    one = along("wavelength", units="nm")
    assert as_cube(xarray.Dataset({"map": one, "height": one[..., 0].drop_vars("wavelength")})) is not None
    with pytest.raises(ValueError, match=r"2 variables with a spectral dimension \('a', 'b'\); give one of them, as dataset\[name\]"):
        as_cube(xarray.Dataset({"a": one, "b": one}))
    with pytest.raises(ValueError, match="no variable with a dimension that is known as spectral"):
        as_cube(xarray.Dataset({"a": xarray.DataArray(VALUES)}))


@pytest.mark.parametrize(("title", "unit"), [("{:g} nm", "nm"), ("{:g}nm", "nm"), ("{:.1f} cm-1", "1/cm"), ("{:g}", "")])
def test_columns_of_a_table_are_positions_with_a_unit(title, unit):
    cube = as_cube(pd.DataFrame(VALUES[0], columns=[title.format(band) for band in BANDS]))
    assert cube.axis.unit == unit
    np.testing.assert_array_equal(cube.axis.values, BANDS)


def test_numbers_in_object_columns_are_intensities():
    table = pd.DataFrame(VALUES[0].astype(object), columns=BANDS)
    table.iloc[1, 2] = None
    assert np.isnan(as_cube(table).numpy()).sum() == 1
    table.iloc[1, 2] = "saturated"
    with pytest.raises(ValueError, match="holds text among its intensities"):
        as_cube(table)


def test_a_table_whose_rows_are_bands_is_reported():
    turned = pd.DataFrame(VALUES[0].T, index=pd.Index(BANDS, name="wavelength (nm)"))
    with pytest.warns(SpectralWarning, match=r"the rows of this table have positions.*give table\.T"):
        as_cube(turned)
    turned.columns = list("abcde")
    with pytest.raises(ValueError, match=r"the columns a, b, c, d, e .* as its rows are, give the table turned \(table\.T\)"):
        as_cube(turned)
    assert as_cube(turned.T).axis.unit == "nm"
    with pytest.raises(ValueError, match="this table has no columns"):
        as_cube(pd.DataFrame())


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.uint8])
def test_tensors_are_arrays(kind):
    tensor = (100 * torch.as_tensor(VALUES)).to(kind)
    for cube in (as_cube(tensor), Cube(tensor), as_cube(tensor.permute(2, 0, 1), position=0)):
        np.testing.assert_array_equal(cube.numpy(), tensor.float().numpy())
    assert as_cube(tensor.float().requires_grad_()).shape == (4, 5, 6)


@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
def test_labels_of_xarray_are_paired_by_the_names_and_coordinates_of_dimensions():
    rng, turns = np.random.default_rng(0), list(itertools.product((1, -1), (1, -1), (False, True)))
    values, classes = rng.random((6, 6, 4)).astype(np.float32), rng.integers(1, 4, (6, 6))
    whole = xarray.DataArray(
        values, dims=("y", "x", "wavelength"), coords={"y": 2.0 * np.arange(6), "x": 3.0 * np.arange(6), "wavelength": [400, 500, 600, 700]}
    )
    labels = xarray.DataArray(classes, dims=("y", "x"), coords={"y": whole.y, "x": whole.x}, name="classes")
    experiment = Experiment.default("segmentation", values, classes)
    for (down, across, turned), (other, beside, exchanged) in zip(turns, turns[3:] + turns[:3], strict=True):
        cube, truth = whole[::down, ::across], labels[::other, ::beside]
        cube, truth = cube.transpose("wavelength", "x", "y") if turned else cube, truth.T if exchanged else truth
        (given,), (paired,) = gather(experiment, cube, truth)
        assert given.pixel_size == (2, 3)
        np.testing.assert_array_equal(given.data, values[::down, ::across])
        np.testing.assert_array_equal(paired.data, classes[::down, ::across])
    (_,), (paired,) = gather(experiment, whole, labels.assign_coords(y=labels.y + 4))
    np.testing.assert_array_equal(paired.data, np.pad(classes, ((2, 0), (0, 0)))[:6])
