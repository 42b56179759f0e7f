"""Images whose dimensions are stored with x before y, as their names say: y comes first all the same."""

from __future__ import annotations

from itertools import permutations

import h5py
import numpy as np
import pytest
import xarray

from napari_spectrai import read
from napari_spectrai.io.labels import read_labels

WAVE = np.round(np.linspace(400, 700, 12) ** 1.01, 2)
CUBE = np.random.default_rng(0).normal(100, 20, (4, 5, 12)).astype(np.float32)
SIDES = {"y": np.arange(4) * 0.5 + 3, "x": np.arange(5) * 0.25 + 7}
ORDERS = ["".join(letters) for letters in permutations("yxw")]
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:xarray|zarr")


def checked(cube) -> None:
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.pixel_size, cube.pixel_unit) == ((0.5, 0.25), "um")
    assert cube.metadata["origin"] == [3.0, 7.0]


@pytest.mark.parametrize("names", [("y", "x"), ("sample_y", "sample_x"), ("ypos", "xpos")])
@pytest.mark.parametrize("suffix", ["zarr", "nc"])
@pytest.mark.parametrize("order", ORDERS)
def test_arrays_of_xarray(order, suffix, names, tmp_path):
    called = {"y": names[0], "x": names[1], "w": "wavelength"}
    lines = {called[side]: (called[side], values, {"units": "um"}) for side, values in SIDES.items()}
    lines["wavelength"] = ("wavelength", WAVE, {"units": "nm"})
    array = xarray.DataArray(CUBE, dims=(*names, "wavelength"), coords=lines, name="cube").transpose(*(called[letter] for letter in order))
    path = tmp_path / f"a.{suffix}"
    if suffix == "zarr":
        array.to_dataset().to_zarr(path, zarr_format=2, consolidated=False)
    else:
        array.to_dataset().to_netcdf(path, engine="scipy")
    checked(read(path))


@pytest.mark.parametrize("order", ORDERS)
def test_signals_of_nexus(order, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"], group.attrs["signal"] = "NXdata", "signal"
        group.attrs["axes"] = [{"w": "energy"}.get(letter, letter) for letter in order]
        group["signal"] = CUBE.transpose(["yxw".index(letter) for letter in order])
        for name, values, unit in (("energy", WAVE, "eV"), *((side, values, "um") for side, values in SIDES.items())):
            group[name] = values
            group[name].attrs["units"] = unit
    checked(read(tmp_path / "a.nxs"))


@pytest.mark.parametrize("short", [False, True], ids=["whole", "two values"])
@pytest.mark.parametrize("order", ORDERS)
def test_dimensions_of_emd(order, short, tmp_path):
    """Evenly spaced positions may be shortened to the first two; units are written as ``[u_m]``."""
    lines = {"w": ("Wavelength", "[n_m]", np.linspace(400, 510, 12)), **{side: (side, "[u_m]", values) for side, values in SIDES.items()}}
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("signals/map")
        group.attrs["emd_group_type"] = 1
        group["data"] = CUBE.transpose(["yxw".index(letter) for letter in order])
        for number, letter in enumerate(order):
            name, unit, values = lines[letter]
            group[f"dim{number + 1}"] = values[:2] if short else values
            group[f"dim{number + 1}"].attrs.update({"name": name, "units": unit})
    cube = read(tmp_path / "a.emd")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, np.linspace(400, 510, 12))
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (0.5, 0.25), "um")


CLASSES = np.arange(20).reshape(4, 5) % 3


@pytest.mark.parametrize("order", ["yx", "xy"])
@pytest.mark.parametrize("kind", ["zarr", "own axes", "axes of the spectra"])
def test_labels_lie_as_the_spectra_do(kind, order, tmp_path):
    stored = CLASSES if order == "yx" else CLASSES.T
    if kind == "zarr":
        array = xarray.DataArray(stored, dims=list(order), name="labels")
        array.to_dataset().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
        np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr").data, CLASSES)
        return
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"], group.attrs["signal"] = "NXdata", "spectra"
        group.attrs["axes"] = [*order, "energy"]
        group["spectra"] = CUBE if order == "yx" else CUBE.transpose(1, 0, 2)
        group["energy"] = WAVE
        for side, values in SIDES.items():
            group[side] = values
        file["labels"] = stored
        if kind == "own axes":
            for number, side in enumerate(order):
                file["labels"].dims[number].label = side
    np.testing.assert_array_equal(read_labels(tmp_path / "a.h5", dataset="labels").data, CLASSES)


def test_a_dimension_that_is_given_is_that_of_the_file(tmp_path):
    array = xarray.DataArray(CUBE.transpose(1, 0, 2), dims=("x", "y", "wavelength"), name="cube")
    array.to_dataset().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.zarr", spectral=0).data), CUBE.transpose(0, 2, 1))
