"""Arrays with named dimensions and coordinates, as xarray and others write them into Zarr and netCDF."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
import xarray
import zarr
from scipy.io import netcdf_file

from napari_spectrai import read

WAVE = np.linspace(400, 700, 12)
CUBE = (np.random.default_rng(0).random((7, 9, 12)) * 1000 + 200 * np.sin(np.linspace(0, 6, 12)) + 500).astype(np.float32)
STORES = [("zarr", 2), ("zarr", 3), ("nc", 3)]
_OF_ZARR = ["ignore::zarr.errors.ZarrUserWarning"] if hasattr(zarr.errors, "ZarrUserWarning") else []  # from 3.1 on
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:xarray|zarr", *_OF_ZARR)


def labelled(dimensions=("y", "x", "wavelength"), *, said=None, lead=None, **names) -> xarray.DataArray:
    """The cube with coordinates; y and x in metres, two and three apart."""
    sides = {"y": np.arange(7) * 2.0, "x": np.arange(9) * 3.0 + 30}
    coordinates = {side: (side, values, {"units": "m"}) for side, values in sides.items()}
    coordinates["wavelength"] = ("wavelength", WAVE, {"units": "nm"} if said is None else said)
    array = xarray.DataArray(CUBE, dims=("y", "x", "wavelength"), coords=coordinates, name="reflectance")
    if lead is not None:
        array = xarray.concat([array, array + 1, array + 2], lead)
    return array.rename(names).transpose(*dimensions)


def stored(array, path, kind, version, **more):
    dataset = array if isinstance(array, xarray.Dataset) else array.to_dataset()
    if kind == "zarr":
        shutil.rmtree(path, ignore_errors=True)
        dataset.to_zarr(path, zarr_format=version, **more)
    else:
        dataset.to_netcdf(path, engine="scipy", **more)
    return path


@pytest.mark.parametrize(("kind", "version"), STORES)
@pytest.mark.parametrize("dimensions", [("y", "x", "wavelength"), ("wavelength", "y", "x"), ("y", "wavelength", "x")])
def test_dimensions_in_any_order(dimensions, kind, version, tmp_path):
    cube = read(stored(labelled(dimensions), tmp_path / f"a.{kind}", kind, version))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (2.0, 3.0), "m")
    assert cube.metadata["origin"] == [0.0, 30.0]


@pytest.mark.parametrize(("kind", "version"), STORES)
@pytest.mark.parametrize(
    ("said", "unit", "factor"),
    [
        ({"units": "um"}, "um", 1), ({"units": "cm-1"}, "1/cm", 1), ({"units": "angstrom"}, "nm", 0.1),
        ({"long_name": "Wavelength (nm)"}, "nm", 1), ({}, "nm", 1),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*would be usual in nm")
def test_units_and_names_of_a_coordinate(said, unit, factor, kind, version, tmp_path):
    for name in ("wavelength", "band") if said.get("units") != "um" and said else ("wavelength",):
        names = {} if name == "wavelength" else {"wavelength": name}
        axis = read(stored(labelled(("y", "x", name), said=said, **names), tmp_path / f"{name}.{kind}", kind, version)).axis
        assert axis.unit == unit
        np.testing.assert_allclose(axis.values, WAVE * factor)


@pytest.mark.parametrize(("kind", "version"), STORES)
def test_a_wavelength_along_another_dimension(kind, version, tmp_path):
    dataset = labelled().to_dataset().drop_vars("wavelength").rename({"wavelength": "band"})
    dataset["wavelength"] = ("band", WAVE, {"units": "nm"})
    np.testing.assert_allclose(read(stored(dataset, tmp_path / f"a.{kind}", kind, version)).axis.values, WAVE)
    bare = labelled(("wavelength", "y", "x")).drop_vars("wavelength")
    cube = read(stored(bare, tmp_path / f"b.{kind}", kind, version))  # whose name alone says where the bands are
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)


@pytest.mark.parametrize(("kind", "version"), STORES)
def test_packed_values_and_times(kind, version, tmp_path):
    values = labelled()
    values[0, 0] = np.nan
    encoding = {"reflectance": {"dtype": "i2", "scale_factor": 0.1, "add_offset": 500.0, "_FillValue": -9999}}
    cube = read(stored(values, tmp_path / f"a.{kind}", kind, version, encoding=encoding))
    np.testing.assert_allclose(np.asarray(cube.data), values.values, atol=0.06)
    times = xarray.Variable("time", np.array([0.0, 2.0, 4.0]), {"units": "s"})
    series = read(stored(labelled(("time", "wavelength", "y", "x"), lead=times), tmp_path / f"b.{kind}", kind, version))
    assert series.shape == (3, 7, 9, 12)
    assert series.metadata["planes"] == {"time": {"start": 0.0, "step": 2.0, "unit": "s"}}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("layout", ["next to it", "first", "nested", "attributes", "one spectrum"])
def test_groups_of_zarr_with_an_axis(layout, version, tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    data = {"first": CUBE.transpose(2, 0, 1), "one spectrum": CUBE[0, 0]}.get(layout, CUBE)
    holder = group.create_group("m/map") if layout == "nested" else group
    holder.create_array("cube", data=data)
    if layout == "attributes":
        group.attrs["wavelengths"] = WAVE.tolist()
    else:
        holder.create_array("wavelengths", data=WAVE)
    cube = read(tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE[:1, 0] if layout == "one spectrum" else CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize("attributes", [{"metadata": 3, "pixel_size": "x", "name": 4}, {"pixel_size": [1, -1]}, {"spectral_axis": [1, 2]},
                                        {"_ARRAY_DIMENSIONS": 5}, {"scale_factor": "x"}])  # fmt: skip
def test_attributes_of_other_programs_do_not_refuse_a_store(attributes, tmp_path):
    array = zarr.create_array(str(tmp_path / "a.zarr"), shape=CUBE.shape, dtype=CUBE.dtype, zarr_format=2)
    array[...] = CUBE
    array.attrs.update(attributes)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.zarr").data), CUBE)


@pytest.mark.parametrize(("fill", "factor"), [(None, 1.0), (-1, 1.0), (-1, 0.5)])
def test_numbers_without_a_sign_in_netcdf_3(fill, factor, tmp_path):
    """The format has none, so that an attribute says it."""
    values = np.random.default_rng(0).integers(0, 255, (7, 9, 12)).astype("u1")
    values[0, 0] = 255
    with netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, length in zip(("y", "x", "band"), values.shape, strict=True):
            file.createDimension(name, length)
        cube = file.createVariable("cube", "i1", ("y", "x", "band"))
        cube[:] = values.view("i1")
        cube._Unsigned, cube.scale_factor = "true", factor
        if fill is not None:
            cube._FillValue = np.int8(fill)
    expected = np.where((values == 255) & (fill is not None), np.nan, values * factor)
    np.testing.assert_allclose(np.asarray(read(tmp_path / "a.nc").data), expected)


@pytest.mark.parametrize("suffix", ["nc", "h5"])
def test_scales_that_were_deleted_refuse_no_file(suffix, tmp_path):
    with h5py.File(tmp_path / f"a.{suffix}", "w") as file:
        file["cube"] = CUBE
        for number, name in enumerate(("y", "x", "wavelength")):
            file[name] = np.arange(CUBE.shape[number]) + 400.0
            file[name].make_scale(name)
            file["cube"].dims[number].attach_scale(file[name])
        del file["y"], file["x"]
    cube = read(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_array_equal(cube.axis.values, np.arange(12) + 400)
