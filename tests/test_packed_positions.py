"""Positions that a container packs (CF conventions) or lists in a group of their own are those that they represent."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import zarr
from scipy.io import netcdf_file

from napari_spectrai import read
from napari_spectrai.io import UnreadableError
from napari_spectrai.io.expressions import evaluated
from napari_spectrai.io.vendor import _rosetta

WAVE = np.round(np.linspace(400, 700, 8), 1)
STORED = np.round((WAVE - 300) / 0.1).astype("i2")
CUBE = np.random.default_rng(0).random((5, 6, 8)).astype("f4")
PACKED = {"units": "nm", "scale_factor": 0.1, "add_offset": 300.0}


def in_hdf5(path, *, scale=False, nexus=False):
    with h5py.File(path, "w") as file:
        file["cube"] = CUBE
        file["wavelength"] = STORED
        for key, value in PACKED.items():
            file["wavelength"].attrs[key] = np.array([value]) if isinstance(value, float) else value
        if scale:
            file["wavelength"].make_scale("wavelength")
            file["cube"].dims[2].attach_scale(file["wavelength"])
        if nexus:
            file.attrs.update({"NX_class": "NXdata", "signal": "cube", "axes": [".", ".", "wavelength"]})


def in_zarr(path, version):
    root = zarr.open_group(str(path), mode="w", zarr_format=version)
    root.create_array("cube", data=CUBE)
    root.create_array("wavelength", data=STORED).attrs.update(PACKED)


def in_netcdf(path):
    with netcdf_file(path, "w") as file:
        for name, length in zip(("y", "x", "wavelength"), CUBE.shape, strict=True):
            file.createDimension(name, length)
        file.createVariable("cube", "f4", ("y", "x", "wavelength"))[:] = CUBE
        line = file.createVariable("wavelength", "i2", ("wavelength",))
        line[:] = STORED
        for key, value in PACKED.items():
            setattr(line, key, value)


@pytest.mark.parametrize(
    ("name", "write", "options"),
    [
        ("a.h5", in_hdf5, {}), ("a.h5", in_hdf5, {"scale": True}), ("a.nxs", in_hdf5, {"nexus": True}), ("a.nc", in_hdf5, {"scale": True}),
        ("b.nc", in_netcdf, {}), ("a.zarr", in_zarr, {"version": 2}), ("a.zarr", in_zarr, {"version": 3}),
    ],
)  # fmt: skip
def test_packed_positions_are_those_that_they_represent(name, write, options, tmp_path):
    write(tmp_path / name, **options)
    cube = read(tmp_path / name)
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-7)
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5"])
def test_groups_of_axes_may_list_their_positions(name, tmp_path):
    listed = WAVE**1.01
    with h5py.File(tmp_path / name, "w") as file:
        group = file.create_group("Experiments/cube")
        group["data"] = CUBE
        for number, (title, scale, unit) in enumerate([("y", 0.5, "µm"), ("x", 0.25, "µm")]):
            axis = group.create_group(f"axis-{number}")
            axis.attrs.update({"name": title, "size": CUBE.shape[number], "scale": scale, "offset": 0.0, "units": unit})
        axis = group.create_group("axis-2")
        axis.attrs.update({"name": "Wavelength", "units": "nm"})
        axis["axis"] = listed
    cube = read(tmp_path / name)
    np.testing.assert_allclose(cube.axis.values, listed)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (0.5, 0.25), "um")


def named(path, dimensions, *, coordinates=()):
    """An array with names of its dimensions, and positions along some, in netCDF 3, Zarr or HDF5."""
    data = np.arange(7 * 5 * 7.0, dtype="f4").reshape(7, 5, 7)
    lines = {name: np.arange(length) * 0.5 for name, length in zip(dimensions, data.shape, strict=True) if name in coordinates}
    if path.suffix == ".nc":
        with netcdf_file(path, "w") as file:
            for name, length in zip(dimensions, data.shape, strict=True):
                file.createDimension(name, length)
            file.createVariable("cube", "f4", dimensions)[:] = data
            for name, values in lines.items():
                file.createVariable(name, "f8", (name,))[:] = values
    elif path.suffix == ".zarr":
        root = zarr.open_group(str(path), mode="w")
        root.create_array("cube", data=data, dimension_names=dimensions)
        for name, values in lines.items():
            root.create_array(name, data=values, dimension_names=[name])
    else:
        with h5py.File(path, "w") as file:
            file["cube"] = data
            for number, name in enumerate(dimensions):
                file["cube"].dims[number].label = name
            for name, values in lines.items():
                file[name] = values
                file[name].make_scale(name)
                file["cube"].dims[dimensions.index(name)].attach_scale(file[name])
    return data


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".h5"])
@pytest.mark.parametrize("coordinates", [False, True])
@pytest.mark.parametrize(
    ("dimensions", "place"),
    [(("band", "y", "x"), 0), (("y", "band", "x"), 1), (("y", "x", "band"), 2), (("channel", "lat", "lon"), 0), (("k", "row", "col"), 0),
     (("lambda", "time", "x"), 0), (("time", "y", "feature"), 2), (("dim_0", "northing", "easting"), 0), (("bands", "i", "j"), 0)],
)  # fmt: skip
def test_names_of_dimensions_say_which_holds_the_bands(dimensions, place, coordinates, suffix, tmp_path):
    places = [name for number, name in enumerate(dimensions) if number != place] if coordinates else ()
    data = named(tmp_path / f"a{suffix}", dimensions, coordinates=places)
    cube = read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.asarray(cube.data), np.moveaxis(data, place, -1))
    assert cube.axis.unit == ""


AXES = [("y", {"size": 5, "scale": 0.5, "offset": 0.0, "units": "µm"}), ("x", {"size": 6, "scale": 0.25, "offset": 0.0, "units": "µm"})]


def hyperspy(path, signal, *, listed=None, order=(0, 1, 2), version=3):
    """Write the layout of HyperSpy, of which `signal` describes the axis that is no navigation."""
    axes = [*((name, said | {"navigate": True}) for name, said in AXES), (signal.pop("name"), signal | {"navigate": False})]
    data = CUBE.transpose(order)
    if path.suffix == ".zspy":
        root = zarr.open_group(str(path), mode="w", zarr_format=version).require_group("Experiments/cube")
        root.create_array("data", data=data)
        groups = [root.require_group(f"axis-{number}") for number in range(3)]
        for group, place in zip(groups, order, strict=True):
            group.attrs.update({"name": axes[place][0], **{key: one for key, one in axes[place][1].items() if key != "x"}})
        if "x" in signal:
            groups[order.index(2)].create_group("x").attrs.update(signal["x"])
        if listed is not None:
            groups[order.index(2)].create_array("axis", data=listed)
        return path
    with h5py.File(path, "w") as file:
        file["Experiments/cube/data"] = data
        for number, place in enumerate(order):
            group = file.create_group(f"Experiments/cube/axis-{number}")
            group.attrs.update({"name": axes[place][0], **{key: one for key, one in axes[place][1].items() if key != "x"}})
            if place == 2 and "x" in signal:
                group.create_group("x").attrs.update(signal["x"])
            if place == 2 and listed is not None:
                group["axis"] = listed
    return path


@pytest.mark.parametrize(("name", "version"), [("a.zspy", 2), ("a.zspy", 3), ("a.h5", 0), ("a.hspy", 0)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("title", ["Wavelength", "E", "<undefined>"])
@pytest.mark.parametrize("listed", [None, WAVE**1.01])
def test_signals_of_hyperspy_are_read_by_their_axes(name, version, order, title, listed, tmp_path):
    signal = {"name": title, "units": "nm"} | ({"size": 8, "scale": 2.0, "offset": 400.0} if listed is None else {})
    cube = read(hyperspy(tmp_path / name, signal, listed=listed, order=order, version=version))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, 400 + 2 * np.arange(8) if listed is None else listed)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (0.5, 0.25), "um")


@pytest.mark.parametrize("name", ["a.zspy", "a.h5"])
def test_positions_of_hyperspy_by_an_expression(name, tmp_path):
    along = {"size": 8, "scale": 1.0, "offset": 4.0, "units": "_None_"}
    signal = {"name": "Wavelength", "units": "nm", "size": 8, "expression": "a / (x + b) - sqrt(-b)**2", "a": 5000.0, "b": -1.0, "x": along}
    cube = read(hyperspy(tmp_path / name, dict(signal)))
    np.testing.assert_allclose(cube.axis.values, 5000 / (np.arange(8) + 3) - 1)
    assert (cube.axis.unit, cube.pixel_size) == ("nm", (0.5, 0.25))
    for other in ("__import__('os').getcwd()", "a.b", "y + 1", "9**9**9**9", "a / (x - 4)", "(" * 2000):
        with pytest.raises(UnreadableError, match="its positions are given as"):
            read(hyperspy(tmp_path / f"b{name}", signal | {"expression": other}))


def test_a_unit_called_none_is_none(tmp_path):
    said = {"name": "Wavelength", "units": "_None_", "size": 8, "scale": 2.0, "offset": 400.0}
    assert read(hyperspy(tmp_path / "a.zspy", said)).axis.unit == "nm"


@pytest.mark.parametrize("name", ["a.zspy", "a.h5"])
def test_the_place_of_a_signal_of_hyperspy(name, tmp_path, monkeypatch):
    monkeypatch.setattr(__name__ + ".AXES", [(side, said | {"offset": 3.0}) for side, said in AXES])
    cube = read(hyperspy(tmp_path / name, {"name": "Wavelength", "units": "nm", "size": 8, "scale": 2.0, "offset": 400.0}))
    assert (cube.pixel_size, cube.metadata["origin"]) == ((0.5, 0.25), [3.0, 3.0])


def test_signals_that_rosettasciio_finds(tmp_path):
    """Each axis as that library describes it; a stack of images along the bands has them as its navigation."""
    sides = [{"name": side, "navigate": True} | said | {"offset": 3.0} for side, said in AXES]
    bands = {"name": "Wavelength", "units": "nm", "size": 8, "scale": 2.0, "offset": 400.0, "navigate": False}
    depth = {"name": "z", "units": "µm", "size": 3, "scale": 2.0, "offset": 1.0, "navigate": True}
    turned = [bands | {"navigate": True}, *(side | {"navigate": False} for side in sides)]
    for data, axes in (
        (CUBE, [*sides, bands]), (CUBE.transpose(2, 0, 1), turned), (np.stack([CUBE] * 3), [depth, *sides, bands]),
        (CUBE, [*sides, {"name": "E", "units": "nm", "size": 8, "axis": 400 + 2.0 * np.arange(8), "navigate": False}]),
    ):  # fmt: skip
        found = _rosetta(tmp_path / "a.hspy", {"data": data, "axes": axes})
        np.testing.assert_array_equal(np.moveaxis(found.data, found.spectral, -1)[..., 0], np.moveaxis(data, found.spectral, -1)[..., 0])
        np.testing.assert_allclose(found.axis.values, 400 + 2 * np.arange(8))
        assert (found.axis.unit, found.pixel_size, found.pixel_unit) == ("nm", (0.5, 0.25), "um")
        assert found.metadata["origin"] == [3.0, 3.0]
        assert data.ndim < 4 or found.metadata["planes"]["z"]["step"] == 2.0
    line = _rosetta(tmp_path / "a.hspy", {"data": CUBE[0], "axes": [sides[1], bands]})
    assert line.metadata["coordinates"]["x"]["values"][1] == 3.25
    with pytest.raises(ValueError, match="holds pictures"):
        _rosetta(tmp_path / "a.hspy", {"data": CUBE[..., 0], "axes": [side | {"navigate": False} for side in sides]})


@pytest.mark.parametrize(("columns", "rows", "place"), [(WAVE, range(5), 1), (range(8), WAVE[:5], 0), (WAVE, WAVE[:5] / 7, 1)])
def test_tables_of_pandas_in_hdf5(columns, rows, place, tmp_path):
    """Labels of columns or rows are positions; indexes of PyTables are no spectra."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key, values in (("axis0", columns), ("axis1", rows), ("block0_items", columns), ("block0_values", CUBE[:, 0])):
            file[f"df/{key}"] = np.asarray(values)
        for key in ("df/block0_items", "df/axis1"):
            file[key].attrs["name"] = "wavelength (nm)" if key == ("df/axis1", "df/block0_items")[place] else "N."
        file["df/_i_table/index/sortedLR"] = np.arange(9999)
    cube = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.numpy(), CUBE[:, 0] if place else CUBE[:, 0].T)
    np.testing.assert_allclose(cube.axis.values, columns if place else rows)
    assert cube.axis.unit == "nm"


def test_expressions_are_arithmetic():
    np.testing.assert_allclose(evaluated("+x * 2 - log(exp(1.5)) + cos(0) - tan(0) + sin(0)", {"x": [1, 2]}), [1.5, 3.5])
    with pytest.raises(ValueError, match=r"1,201 characters; 1,000 are read at most"):  # a part of it would be another expression
        evaluated("x" + "+x+1" * 300, {"x": [1, 2]})
