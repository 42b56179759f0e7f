"""Containers: pixels in one dimension with height and width next to them, lists called x, structured arrays, stores in archives."""

from __future__ import annotations

import zipfile

import h5py
import numpy as np
import pytest
import zarr
from scipy.io import savemat

from napari_spectrai import inspect, read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.linspace(400, 700, 8)
CUBE = np.random.default_rng(0).random((5, 6, 8)).astype("f4")
BY_ROWS, BY_COLUMNS = CUBE.reshape(30, 8), CUBE.transpose(1, 0, 2).reshape(30, 8)
FORMATS = ("npz", "mat", "h5", "zarr", "attributes.h5", "attributes.zarr")


def save(folder, kind, arrays, numbers):
    path = folder / f"a.{kind.rpartition('.')[2]}"
    if kind == "npz":
        np.savez(path, **arrays, **numbers)
    elif kind == "mat":
        savemat(path, arrays | numbers)
    elif kind.endswith("h5"):
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
            for name, value in numbers.items():
                if kind.startswith("attr"):
                    file.attrs[name] = value
                else:
                    file[name] = value
    else:
        root = zarr.open_group(str(path), mode="w")
        for name, values in arrays.items():
            root.create_array(name, data=np.asarray(values))
        for name, value in numbers.items():
            if kind.startswith("attr"):
                root.attrs[name] = np.asarray(value).tolist()
            else:
                root.create_array(name, data=np.atleast_1d(value))
    return path


SIZES = [
    {"nRow": 5, "nCol": 6}, {"rows": 5, "columns": 6}, {"height": 5, "width": 6}, {"Lines": 5, "Columns": 6},
    {"imagesize": np.array([5, 6])}, {"m": 5, "n": 6}, {"H": 5, "W": 6},
]  # fmt: skip


@quiet
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("sizes", SIZES, ids="-".join)
@pytest.mark.parametrize("bands_first", [True, False])
def test_pixels_with_height_and_width_are_an_image(kind, sizes, bands_first, tmp_path):
    flat = BY_COLUMNS if kind == "mat" else BY_ROWS
    path = save(tmp_path, kind, {"Y": flat.T.copy() if bands_first else flat, "wavelength": WAVE}, sizes)
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"
    other = read(path, shape=(6, 5))
    assert other.shape == (6, 5, 8)


@quiet
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "sizes", [{"m": 1, "n": 30}, {"m": 5, "n": 7}, {"h": 5}, {"nRow": 5.5, "nCol": 6.0}, {"rows": -5, "cols": -6},
              {"rows": np.inf, "cols": np.nan}, {"rows": 2.0**63, "cols": 1e300}],
)  # fmt: skip
def test_other_numbers_make_no_image(kind, sizes, tmp_path):
    cube = read(save(tmp_path, kind, {"Y": BY_ROWS, "wavelength": WAVE}, sizes))
    np.testing.assert_array_equal(np.asarray(cube.data), BY_ROWS)


@pytest.mark.parametrize("kind", FORMATS)
def test_guessed_sides_and_orders_are_said(kind, tmp_path):
    order = "column by column" if kind == "mat" else "row by row"
    with pytest.warns(SpectralWarning, match=rf"its 30 pixels are taken for an image of 5 × 6 \(m, n\), {order}; if that is wrong"):
        read(save(tmp_path, kind, {"Y": BY_ROWS}, {"m": 5, "n": 6}))


def test_lists_called_x_and_y_place_spectra_that_stay_a_set(tmp_path):
    columns, rows = np.meshgrid(np.arange(6) * 2.0, np.arange(5) * 3.0)
    for kind in FORMATS[:4]:
        order = "F" if kind == "mat" else "C"  # in which `shape` folds
        lists = {"x": columns.ravel(order), "y": rows.ravel(order)}
        path = save(tmp_path, kind, {"spectra": BY_COLUMNS if kind == "mat" else BY_ROWS, "wavelength": WAVE, **lists}, {})
        with pytest.warns(SpectralWarning, match="x and y place its 30 spectra on 5 × 6 points; for an image give height and width"):
            cube = read(path)
        assert (cube.shape, cube.axis.unit) == ((30, 8), "nm")
        assert {side: one["values"] for side, one in cube.metadata["coordinates"].items()} == {k: v.tolist() for k, v in lists.items()}
        np.testing.assert_array_equal(np.asarray(read(path, shape=(5, 6)).data), CUBE)
    np.savez(tmp_path / "u.npz", spectra=BY_ROWS, wavelength=WAVE, x=np.arange(30.0), y=np.arange(30.0), x_unit="um", y_unit="um")
    cube = read(tmp_path / "u.npz")  # the unit of x is none of the wavelengths
    assert (cube.axis.unit, cube.metadata["coordinates"]["x"]["unit"]) == ("nm", "um")


@pytest.mark.parametrize("kind", FORMATS[:4])
def test_a_list_called_x_is_that_of_spectra_called_y_and_is_else_mentioned(kind, tmp_path):
    line = WAVE**1.01
    with pytest.warns(SpectralWarning, match="does not say their unit"):
        assert np.allclose(read(save(tmp_path, kind, {"y": BY_ROWS, "x": line}, {})).axis.values, line)
    (folder := tmp_path / "other").mkdir()
    with pytest.warns(SpectralWarning, match="holds 'x', as long as it has bands, which is not taken for their positions"):
        assert read(save(folder, kind, {"cube": CUBE, "x": line}, {})).axis.unit == ""


@pytest.mark.parametrize("kind", FORMATS[:4])
def test_positions_that_are_no_numbers_are_mentioned(kind, tmp_path):
    line = WAVE.copy()
    line[3] = np.nan
    with pytest.warns(SpectralWarning, match="'wavelength' is not all numbers; the bands are numbered"):
        assert read(save(tmp_path, kind, {"cube": CUBE, "wavelength": line}, {})).axis.unit == ""


# ------------------------------------------------------------------ values that are no real numbers


SPECTRUM = np.zeros(40, [("wavelength", "f8"), ("intensity", "f4")])
SPECTRUM["wavelength"], SPECTRUM["intensity"] = np.linspace(400, 700, 40), np.sin(np.arange(40.0))


def test_fields_of_a_structured_array_are_arrays(tmp_path):
    np.save(tmp_path / "a.npy", SPECTRUM)
    np.savez(tmp_path / "a.npz", spectrum=SPECTRUM)
    assert inspect(tmp_path / "a.npy") == {"wavelength": (40,), "intensity": (40,)}
    assert inspect(tmp_path / "a.npz") == {"spectrum/wavelength": (40,), "spectrum/intensity": (40,)}
    for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
        cube = read(path)
        np.testing.assert_array_equal(np.asarray(cube.data)[0], SPECTRUM["intensity"])
        np.testing.assert_array_equal(cube.axis.values, SPECTRUM["wavelength"])
        assert cube.axis.unit == "nm"
    np.save(tmp_path / "b.npy", np.zeros((5, 6), [("red", "f4"), ("green", "f4")]))
    with pytest.raises(SeveralArraysError, match=r"red 5×6, green 5×6"):
        read(tmp_path / "b.npy")
    assert read(tmp_path / "b.npy", dataset="green").shape == (5, 6)


@pytest.mark.parametrize(
    ("values", "words"),
    [(CUBE.astype("c8"), "cube (complex64)"), (SPECTRUM.reshape(8, 5), "cube (a table of wavelength, intensity)")],
)  # fmt: skip
def test_what_is_not_read_is_named(values, words, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = values
    with pytest.raises(UnreadableError) as raised:
        read(tmp_path / "a.h5")
    assert f"of other types {words}; save their parts or fields as arrays" in str(raised.value)
    with pytest.raises(UnreadableError, match="its array 'cube' holds values of the type .*, and a cube holds real numbers"):
        read(tmp_path / "a.h5", dataset="cube")


# ------------------------------------------------------------------ stores in archives


def zipped(folder, name, *, inside="", image=False, method=zipfile.ZIP_STORED):
    store = folder / "store.zarr"
    root = zarr.open_group(str(store), mode="w")
    root.create_array("0" if image else "cube", data=CUBE.transpose(2, 0, 1) if image else CUBE)
    if image:
        axes = [{"name": "wavelength", "type": "wavelength", "unit": "nanometer"}, *({"name": side, "type": "space"} for side in "yx")]
        scale = [{"type": "scale", "scale": [300 / 7, 1, 1]}, {"type": "translation", "translation": [400, 0, 0]}]
        levels = [{"path": "0", "coordinateTransformations": scale}]
        root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    else:
        root.create_array("wavelength", data=WAVE)
    with zipfile.ZipFile(folder / name, "w", method) as archive:
        for path in store.rglob("*"):
            if path.is_file():
                archive.write(path, f"{inside}{path.relative_to(store)}")
    return folder / name


@pytest.mark.parametrize("name", ["a.zarr.zip", "a.zip", "a.ome.zarr.zip", "a.ozx", "a.zarr"])
@pytest.mark.parametrize("inside", ["", "store.zarr/"])
@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_store_in_an_archive_is_read(name, inside, image, method, tmp_path):
    cube = read(zipped(tmp_path, name, inside=inside, image=image, method=method))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.axis.unit, cube.name) == ("nm", "a")


@pytest.mark.parametrize("name", ["a.zip", "a.zarr.zip", "a.ozx"])
def test_archives_of_other_files_are_refused(name, tmp_path):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("a.txt", "no store")
    with pytest.raises(ValueError, match=r"\.zip is an archive; unpack it|no archive \(\.zip\) with a Zarr store in it"):
        read(tmp_path / name)
    whole = zipped(tmp_path, "whole.zarr.zip").read_bytes()
    (tmp_path / "cut.zarr.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match="no archive"):
        read(tmp_path / "cut.zarr.zip")
