"""Every format: what is written reads back equal, real files open, and hostile ones are refused in words."""

from __future__ import annotations

import contextlib
import json
import struct
import warnings
import zipfile
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import scipy.io
import spc_io
import tifffile
import zarr

from napari_spectrai import Cube, SpectralAxis, inspect, read, write
from napari_spectrai.io import FORMATS, SpectralWarning, UnreadableError, format_of, pictures

DATA = Path(__file__).parent / "data"
SUFFIXES = [".npy", ".npz", ".mat", ".h5", ".zarr", ".ome.zarr", ".hdr", ".ome.tif", ".csv", ".txt"]
BESIDE = {".npy": "c.npy.json", ".hdr": "c.img"}


@pytest.fixture
def cube() -> Cube:
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    return Cube(data, SpectralAxis([900.5, 700.25, 700.25, 500, 400, 100], "1/cm"), pixel_size=(0.5, 0.25), pixel_unit="um", name="cells")


def test_every_format_that_writes_is_tried_here():
    written = {format_of(f"c{suffix}").name for suffix in SUFFIXES}
    assert written == {known.name for known in FORMATS if known.writes}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16", "uint8"])
def test_what_is_written_reads_back_equal(cube, tmp_path, suffix, dtype):
    cube = Cube((cube.data * 200).astype(dtype), cube.axis, cube.pixel_size, cube.pixel_unit, cube.name)
    path = write(cube, tmp_path / f"c{suffix}")
    again = read(path)
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert again.data.dtype == cube.data.dtype
    assert again.axis == cube.axis
    assert again.pixel_size == cube.pixel_size
    assert again.pixel_unit == "um"
    assert again.name == "cells"
    assert again.source == path
    assert inspect(path)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, BESIDE.get(suffix, path.name)}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (2, 3, 1), (1, 1, 5)])
def test_sets_of_spectra_lazy_cubes_one_pixel_and_one_band_too(tmp_path, suffix, shape):
    cube = Cube(da.arange(np.prod(shape), chunks=2, dtype=np.float32).reshape(shape))
    again = read(write(cube, tmp_path / f"c{suffix}"))
    np.testing.assert_array_equal(np.asarray(again.data), np.asarray(cube.data))
    assert again.axis == SpectralAxis.bands(shape[-1])


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".h5", ".zarr", ".ome.zarr", ".ome.tif", ".csv"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_volumes_and_series_are_read_as_written(tmp_path, suffix, shape):
    cube = Cube(np.random.default_rng(1).random(shape, np.float32), SpectralAxis(np.linspace(400, 700, shape[-1]), "nm"))
    again = read(write(cube, tmp_path / f"c{suffix}"))
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert again.axis == cube.axis


def test_formats_that_cannot_hold_a_cube_say_what_can(tmp_path, cube):
    with pytest.raises(ValueError, match=r"ENVI holds images.*choose \.zarr"):
        write(Cube(np.zeros((2, 3, 4, 5))), tmp_path / "c.hdr")
    with pytest.raises(ValueError, match="ENVI cannot hold int8"):
        write(Cube(np.zeros((3, 4, 5), np.int8)), tmp_path / "c.hdr")
    with pytest.raises(ValueError, match="OME-TIFF cannot hold int64"):
        write(Cube(np.zeros((3, 4, 5), np.int64)), tmp_path / "c.ome.tif")
    with pytest.raises(ValueError, match=r"read, not written; known: .*\.ome\.tif"):
        write(cube, tmp_path / "c.wdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_laser_place_and_bad_bands_travel(cube, tmp_path, suffix):
    told = {"laser_nm": 785.0, "origin": [3.5, -7.0], "bad_bands": [1, 4]}
    cube = Cube(cube.data, cube.axis, cube.pixel_size, cube.pixel_unit, cube.name, metadata=told | {"other": object()})
    assert dict(read(write(cube, tmp_path / f"c{suffix}")).metadata) == told


def test_metadata_of_an_overwritten_file_do_not_apply_to_the_new_one(tmp_path, cube):
    write(Cube(cube.data, cube.axis), tmp_path / "c.npy")
    write(Cube(cube.data), tmp_path / "c.npy")
    assert read(tmp_path / "c.npy").axis == SpectralAxis.bands(6)
    write(Cube(cube.data, cube.axis), tmp_path / "c.npy")
    np.save(tmp_path / "c.npy", np.zeros((2, 9)))
    with pytest.warns(SpectralWarning, match=r"c\.npy\.json.*not used"):
        assert read(tmp_path / "c.npy").shape == (2, 9)
    (tmp_path / "e").write_bytes(np.zeros((4, 5, 6), np.float32).tobytes())
    write(cube, tmp_path / "e.hdr")
    np.testing.assert_array_equal(read(tmp_path / "e.hdr").data, cube.data)


def test_a_name_decides_what_is_written_whatever_stood_there(tmp_path, cube):
    (tmp_path / "c.txt").write_text("##TITLE=x\n##JCAMP-DX=4.24\n##END=\n")
    assert read(write(cube, tmp_path / "c.txt")).axis == cube.axis


def test_a_folder_of_other_things_is_not_overwritten(tmp_path, cube):
    for name in ("thesis.h5", "thesis.zarr"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "chapter.txt").write_text("one")
        with pytest.raises(FileExistsError, match="a folder with other things in it"):
            write(cube, tmp_path / name)
        assert (tmp_path / name / "chapter.txt").read_text() == "one"
    write(cube, write(cube, tmp_path / "again.zarr"))


def test_npy_is_mapped(cube, tmp_path):
    assert isinstance(read(write(cube, tmp_path / "c.npy")).data, np.memmap)


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".ome.zarr"])
def test_lazy_formats_leave_no_file_open(cube, tmp_path, suffix):
    path = write(cube, tmp_path / f"c{suffix}")
    assert isinstance(read(path).data, da.Array)
    path.rename(tmp_path / "moved")


def test_mat_v73_axes_are_reversed(cube, tmp_path):
    with h5py.File(tmp_path / "c.mat", "w", userblock_size=512) as file:
        file["cube"] = np.asarray(cube.data).T
        file["wavenumber"] = cube.axis.values[None]
    again = read(tmp_path / "c.mat")
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert again.axis == cube.axis


def test_a_matlab_matrix_of_bands_and_pixels_becomes_an_image(tmp_path):
    image = np.random.default_rng(0).integers(0, 99, (4, 5, 7)).astype(float)
    matrix = image.reshape(20, 7, order="F").T
    wavelengths = np.arange(7.0) + 400
    scipy.io.savemat(tmp_path / "v5.mat", {"Y": matrix, "nRow": 4, "nCol": 5, "wavelengths": wavelengths})
    with h5py.File(tmp_path / "v73.mat", "w") as file:
        file["Y"], file["nRow"], file["nCol"], file["wavelengths"] = matrix.T, np.array([[4.0]]), np.array([[5.0]]), wavelengths[:, None]
    for name in ("v5.mat", "v73.mat"):
        cube = read(tmp_path / name)
        np.testing.assert_array_equal(np.asarray(cube.data), image)
        assert cube.axis == SpectralAxis(wavelengths, "nm")


def test_wavelengths_in_the_same_file_are_found_and_none_invented(tmp_path):
    data = np.ones((3, 4, 5))
    scipy.io.savemat(tmp_path / "a.mat", {"img": data, "wavelengths": np.arange(5.0) + 400})
    scipy.io.savemat(tmp_path / "b.mat", {"img": data, "wavelengths": np.arange(6.0) + 400})
    assert read(tmp_path / "a.mat").axis == SpectralAxis(np.arange(5.0) + 400, "nm")
    with pytest.warns(SpectralWarning, match="2 is taken"), pytest.warns(SpectralWarning, match="no list of its bands"):
        assert read(tmp_path / "b.mat").axis == SpectralAxis.bands(5)


def test_an_axis_in_the_same_file_determines_the_spectral_dimension(tmp_path):
    np.savez(tmp_path / "c.npz", image=np.zeros((5, 3, 4)), wavelengths=np.arange(5.0) + 400)
    assert read(tmp_path / "c.npz").shape == (3, 4, 5)


def test_several_arrays_ask_for_a_choice(tmp_path):
    np.savez(tmp_path / "c.npz", before=np.ones((3, 4, 5)), after=np.zeros((3, 4, 5)))
    with pytest.raises(ValueError, match=r"c\.npz.*several arrays.*before 3×4×5.*dataset="):
        read(tmp_path / "c.npz")
    assert read(tmp_path / "c.npz", dataset="after", spectral=2).data.max() == 0
    with pytest.raises(ValueError, match="no array 'other'"):
        read(tmp_path / "c.npz", dataset="other")
    assert inspect(tmp_path / "c.npz") == {"before": (3, 4, 5), "after": (3, 4, 5)}


# ------------------------------------------------------------------ the spectral dimension


def test_a_plain_stack_is_asked_about_with_the_guess_shown(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((5, 6, 7), np.uint8), photometric="minisblack")
    with pytest.warns(SpectralWarning, match=r"c\.tif.*0 is taken.*0: 5, 1: 6, 2: 7"):
        assert read(tmp_path / "c.tif").shape == (6, 7, 5)
    with warnings.catch_warnings():
        assert read(tmp_path / "c.tif", spectral=2).shape == (5, 6, 7)
        assert read(tmp_path / "c.tif", spectral=1).source is None
    with pytest.raises(ValueError, match="choose spectral from 0 to 2, not 3"):
        read(tmp_path / "c.tif", spectral=3)


@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_imagej_labels_and_ome_channels_give_wavelengths(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (3, 6, 7)).astype(np.uint8)
    labels = ["423 nm", "433 nm", "443.5 nm"]
    tifffile.imwrite(tmp_path / "c.tif", data, imagej=True, resolution=(4, 2), metadata={"axes": "CYX", "Labels": labels, "unit": "um"})
    cube = read(tmp_path / "c.tif")
    assert cube.axis == SpectralAxis([423, 433, 443.5], "nm")
    assert cube.pixel_size == (0.5, 0.25)
    channel = {"EmissionWavelength": [423.0, 433.0, 443.0], "EmissionWavelengthUnit": ["nm"] * 3}
    metadata = {"axes": "CYX", "Channel": channel, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "o.ome.tif", data, ome=True, photometric="minisblack", metadata=metadata, compression="zlib")
    cube = read(tmp_path / "o.ome.tif")
    np.testing.assert_array_equal(np.asarray(cube.data), np.moveaxis(data, 0, -1))
    assert cube.axis == SpectralAxis([423, 433, 443], "nm")
    assert cube.pixel_size == (0.5, 0.25)


def test_a_stack_that_ends_early_is_refused_not_shortened(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (9, 40, 50)).astype(np.uint8)
    for name, options in (
        ("i.tif", {"imagej": True, "metadata": {"axes": "CYX"}}),
        ("p.tif", {"photometric": "minisblack", "metadata": None}),
    ):
        tifffile.imwrite(tmp_path / name, data, contiguous=False, **options)
        whole = (tmp_path / name).read_bytes()
        for share in (0.3, 0.6, 0.95):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(UnreadableError, match=rf"{name}.*truncated"):
                read(tmp_path / name)


@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_wavelengths_in_channel_names_of_ome_zarr_become_the_axis(tmp_path):
    group = zarr.create_group(tmp_path / "c.ome.zarr", zarr_format=2)
    data = np.random.default_rng(0).random((3, 6, 7), np.float32)
    zarr.create_array(tmp_path / "c.ome.zarr", name="0", data=data, zarr_format=2)
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.25]}]}
    group.attrs["multiscales"] = [{"version": "0.4", "name": "dyes", "axes": axes, "datasets": [level]}]
    group.attrs["omero"] = {"channels": [{"label": f"{w} nm"} for w in (423, 433, 443)]}
    cube = read(tmp_path / "c.ome.zarr")
    np.testing.assert_array_equal(np.asarray(cube.data), np.moveaxis(data, 0, -1))
    assert (cube.axis, cube.pixel_size, cube.pixel_unit, cube.name) == (SpectralAxis([423, 433, 443], "nm"), (0.5, 0.25), "um", "dyes")


def test_packed_netcdf_with_wavelengths_in_a_group(tmp_path):
    with h5py.File(tmp_path / "c.nc", "w") as file:
        main = file.create_dataset("reflectance", data=np.array([[[100, 200, -9999]]], np.int16))
        main.attrs["scale_factor"], main.attrs["_FillValue"] = 1e-4, np.int16(-9999)
        file["sensor/wavelengths"] = [400.0, 500, 600]
    cube = read(tmp_path / "c.nc")
    np.testing.assert_allclose(np.asarray(cube.data), np.float32([[[0.01, 0.02, np.nan]]]))
    assert cube.axis == SpectralAxis([400, 500, 600], "nm")


def test_classic_netcdf_is_read_with_its_coordinates(tmp_path):
    data = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    with scipy.io.netcdf_file(tmp_path / "c.nc", "w") as file:
        for name, length, step in (("y", 3, 0.5), ("x", 4, 0.25), ("wavelength", 5, 10)):
            file.createDimension(name, length)
            file.createVariable(name, "f8", (name,))[:] = np.arange(length) * step + 400
            file.variables[name].units = "nm" if name == "wavelength" else "um"
        file.createVariable("radiance", "f4", ("y", "x", "wavelength"))[:] = data
    cube = read(tmp_path / "c.nc")
    np.testing.assert_array_equal(cube.data, data)
    assert (cube.axis, cube.pixel_size, cube.pixel_unit) == (SpectralAxis(np.arange(5) * 10 + 400, "nm"), (0.5, 0.25), "um")


# ------------------------------------------------------------------ ENVI


def envi(folder: Path, values: np.ndarray, header: str) -> Path:
    (folder / "e.img").write_bytes(values.tobytes())
    (folder / "e.hdr").write_text("ENVI\n" + header)
    return folder / "e.hdr"


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_envi_in_every_order(tmp_path, interleave, order):
    data = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)
    stored = {"bsq": data.transpose(2, 0, 1), "bil": data.transpose(0, 2, 1), "bip": data}[interleave].astype(f"{order}u2")
    lines = f"samples = 3\nlines = 2\nbands = 4\ndata type = 12\ninterleave = {interleave}\n"
    path = envi(
        tmp_path,
        stored,
        lines + ("byte order = 1\n" if order == ">" else "") + "wavelength units = Micrometers\nwavelength = {1,2,\n3,4}\n",
    )
    for opened in (path, path.with_suffix(".img")):
        cube = read(opened)
        np.testing.assert_array_equal(cube.data, data)
        assert cube.axis == SpectralAxis([1, 2, 3, 4], "um")


def test_envi_scale_ignored_values_and_bad_bands(tmp_path):
    data = np.array([[[0, 100, 200]]], dtype=np.uint16)
    path = envi(
        tmp_path,
        data,
        "samples=1\nlines=1\nbands=3\ndata type=12\ninterleave=bip\nreflectance scale factor = 100\ndata ignore value = 0\nbbl = {1,0,1}\n",
    )
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), np.float32([[[np.nan, 1, 2]]]))
    assert cube.metadata["bad_bands"] == [1]
    assert isinstance(cube.data, da.Array)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("samples = 999999999\nlines = 99999999\n", "TiB"),
        ("samples = 40\n", "truncated"),
        ("samples = -3\n", "claims samples = -3"),
        ("data type = 6\n", "data type 6"),
        ("data type = 99\n", "data type 99"),
        ("interleave = zip\n", "interleave 'zip'"),
        ("bands = many\n", "many"),
        ("header offset = 5\n", "truncated"),
        ("wavelength = {1, 2\n", "ends within a list"),
    ],
)
def test_envi_headers_that_lie(tmp_path, change, reason):
    path = envi(tmp_path, np.zeros((2, 3, 4), np.uint8), "samples = 3\nlines = 2\nbands = 4\ndata type = 1\ninterleave = bip\n" + change)
    with pytest.raises(UnreadableError, match=rf"e\.hdr.*{reason}"):
        read(path)


def test_envi_pairs_that_lack_one(tmp_path):
    path = envi(tmp_path, np.zeros((2, 3, 4), np.uint8), "samples = 3\nlines = 2\nbands = 4\ndata type = 1\n")
    path.with_suffix(".img").rename(tmp_path / "e.raw")
    path.rename(tmp_path / "gone")
    with pytest.raises(UnreadableError, match=r"e\.hdr is missing"):
        read(tmp_path / "e.raw")
    (tmp_path / "gone").rename(path)
    (tmp_path / "e.raw").unlink()
    with pytest.raises(UnreadableError, match="file of its values is missing"):
        read(path)


def test_positions_without_a_unit_are_kept_and_said(tmp_path):
    path = envi(tmp_path, np.zeros((1, 1, 3), np.uint8), "samples=1\nlines=1\nbands=3\ndata type=1\nwavelength = {5, 7, 9}\n")
    with pytest.warns(SpectralWarning, match="does not say their unit"):
        cube = read(path)
    np.testing.assert_array_equal(cube.axis.values, [5, 7, 9])
    assert cube.axis.unit == ""


# ------------------------------------------------------------------ text


def test_tables_of_instruments_are_read_with_their_positions(tmp_path):
    (tmp_path / "a.csv").write_text("Raman shift (cm-1),cell 1,cell 2\n600,1,10\n601,2,20\n603,3,30\n")
    cube = read(tmp_path / "a.csv")
    np.testing.assert_array_equal(cube.data, [[1, 2, 3], [10, 20, 30]])
    assert cube.axis == SpectralAxis([600, 601, 603], "1/cm")
    (tmp_path / "b.csv").write_text("sample;400 nm;410 nm;420 nm\n1;0,5;0,6;0,7\n2;1,5;1,6;1,7\n")
    cube = read(tmp_path / "b.csv")
    np.testing.assert_array_equal(cube.data, [[0.5, 0.6, 0.7], [1.5, 1.6, 1.7]])
    assert cube.axis == SpectralAxis([400, 410, 420], "nm")
    lines = [f"{x}\t{y}\t{w}\t{100 * y + 10 * x + n}" for y in (0, 2) for x in (5, 6, 7) for n, w in enumerate((900.5, 800.25))]
    (tmp_path / "map.txt").write_text("#X (um)\t#Y (um)\t#Wave (1/cm)\t#Intensity\n" + "\n".join(lines))
    cube = read(tmp_path / "map.txt")
    assert cube.shape == (2, 3, 2)
    assert cube.data[1, 2].tolist() == [270, 271]
    assert cube.axis == SpectralAxis([900.5, 800.25], "1/cm")
    assert cube.pixel_size == (2, 1)
    (tmp_path / "bare.csv").write_text("1,2,,4\n3,2,,5\n2,1,,1\n")
    with pytest.warns(SpectralWarning, match="dimension holds the bands"):
        assert read(tmp_path / "bare.csv").shape == (3, 3)


def test_columns_are_what_their_names_say(tmp_path):
    rows = "".join(f"{w},{w + 1},{w + 2},{w + 3}\n" for w in (100, 110, 120, 130))
    (tmp_path / "names.csv").write_text("wavenumber (cm-1),1,2,3\n" + rows)
    cube = read(tmp_path / "names.csv")
    assert (cube.shape, cube.axis) == ((3, 4), SpectralAxis([100, 110, 120, 130], "1/cm"))
    (tmp_path / "title.csv").write_text("Sample A; 785 nm laser\nwavenumber (1/cm),intensity\n100,0\n110,1\n120,2\n")
    cube = read(tmp_path / "title.csv")
    assert cube.data.tolist() == [[0, 1, 2]]
    lines = [f"{y},{x + 1e-3 * (y - 2)},{w},{10 * y + x}" for y in (0, 5) for x in (1, 2, 3) for w in (700, 800)]
    (tmp_path / "yx.csv").write_text("y,x,wavenumber,intensity\n" + "\n".join(lines))
    cube = read(tmp_path / "yx.csv")
    assert cube.shape == (2, 3, 2)
    assert cube.axis == SpectralAxis([700, 800], "1/cm")
    assert cube.data[1, 2, 0] == 53
    assert cube.pixel_size is None
    (tmp_path / "latin.csv").write_bytes("Wellenlänge (µm),a,b\n1,2,3\n2,3,4\n3,4,5\n".encode("cp1252"))
    assert read(tmp_path / "latin.csv").axis == SpectralAxis([1, 2, 3], "um")


def test_texts_without_a_table_are_refused(tmp_path):
    (tmp_path / "words.txt").write_text("a licence\n" * 300)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    (tmp_path / "ragged.csv").write_text("1,2,3\n4,5\n6,7,8,9\n")
    for name in ("words.txt", "empty.csv", "binary.csv", "ragged.csv"):
        with pytest.raises(UnreadableError, match=name):
            read(tmp_path / name)


def test_jcamp_and_spc_are_read_with_their_axes(tmp_path):
    y = [0.1, 0.2, 0.4, 0.3]
    (tmp_path / "s.jdx").write_text(
        "##TITLE=polystyrene\n##JCAMP-DX=4.24\n##XUNITS=1/CM\n##YUNITS=ABSORBANCE\n##XFACTOR=1\n##YFACTOR=0.001\n"
        "##FIRSTX=400\n##LASTX=406\n##NPOINTS=4\n##XYDATA=(X++(Y..Y))\n400 100 200 400 300\n##END=\n"
    )
    cube = read(tmp_path / "s.jdx")
    np.testing.assert_allclose(cube.data, [y])
    assert (cube.axis, cube.name) == (SpectralAxis([400, 402, 404, 406], "1/cm"), "polystyrene")
    spc = spc_io.SPC(xarray=np.array([400.0, 402, 405, 406]), xtype="XRAMANS")
    spc.add_subfile(yarray=np.array(y, np.float32))
    content = bytearray(spc.to_spc_raw().to_bytes())
    content[28] = 13  # the library does not write what its x are: Raman shift
    (tmp_path / "s.spc").write_bytes(content)
    cube = read(tmp_path / "s.spc")
    np.testing.assert_allclose(cube.data, [y], rtol=1e-6)
    assert cube.axis == SpectralAxis([400, 402, 405, 406], "1/cm")


# ------------------------------------------------------------------ Renishaw


def wdf(folder: Path, spectra: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int], capacity: int | None = None) -> Path:
    """Write a map as WiRE lays it out: a chain of blocks."""
    count, points = spectra.shape
    capacity = capacity or count
    head = bytearray(512)
    struct.pack_into("<4sIQ", head, 0, b"WDF1", 1, 512)
    struct.pack_into("<IQQIIII", head, 0x3C, points, capacity, count, 1, 1, points, 2)
    struct.pack_into("<f", head, 0x9C, 1e7 / 785)

    def block(name: bytes, content: bytes) -> bytes:
        return struct.pack("<4sIQ", name, 0, 16 + len(content)) + content

    def coordinate(kind: int, values: np.ndarray) -> bytes:
        padded = np.zeros(capacity)
        padded[:count] = values
        return struct.pack("<II16s", kind, 5, b"") + padded.tobytes()

    steps = [np.diff(np.unique(v))[0] if np.unique(v).size > 1 else 1 for v in (x, y)]
    content = bytes(head) + block(b"DATA", spectra.astype("<f4").tobytes())
    content += block(b"XLST", struct.pack("<II", 0, 1) + np.linspace(900, 800, points).astype("<f4").tobytes())
    content += block(b"ORGN", struct.pack("<I", 2) + coordinate(3, x) + coordinate(4, y))
    content += block(b"WMAP", struct.pack("<II3f3f4I", 0, 0, x[0], y[0], 0, *steps, 1, shape[1], shape[0], 1, 0))
    (folder / "m.wdf").write_bytes(content)
    return folder / "m.wdf"


@pytest.mark.parametrize("order", ["rows", "columns", "snake", "upwards"])
def test_wdf_maps_lie_as_their_stage_says(tmp_path, order):
    image = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    rows, columns = (a.ravel() for a in np.mgrid[:3, :4])
    if order == "columns":
        rows, columns = (a.ravel() for a in np.mgrid[:3, :4].transpose(0, 2, 1))
    if order == "snake":
        columns = np.where(rows % 2, 3 - columns, columns)
    if order == "upwards":
        rows = 2 - rows
    cube = read(wdf(tmp_path, image[rows, columns], columns * 0.5 - 7, rows * 2.0 + 3, (3, 4)))
    np.testing.assert_array_equal(np.asarray(cube.data), image)
    assert cube.pixel_size == (2, 0.5)
    assert cube.metadata["origin"] == [3, -7]
    assert cube.metadata["laser_nm"] == pytest.approx(785, abs=1e-3)
    assert cube.axis.values[0] == 900


def test_an_unfinished_wdf_map_keeps_what_was_measured(tmp_path):
    image = np.ones((3, 4, 5), np.float32)
    rows, columns = (a.ravel()[:7] for a in np.mgrid[:3, :4])
    path = wdf(tmp_path, image[rows, columns], columns * 1.0, rows * 1.0, (3, 4), capacity=12)
    with pytest.warns(SpectralWarning, match="7 of 12 spectra"):
        cube = read(path)
    assert np.isfinite(cube.data).all(-1).sum() == 7


def test_wdf_files_of_an_instrument_are_read():
    single = read(DATA / "sp.wdf")
    assert single.shape == (1, 1015)
    assert (single.axis.unit, round(single.axis.values[0], 2), single.metadata["laser_nm"]) == ("1/cm", 2787.51, 532.2501)
    assert read(DATA / "depth.wdf").shape == (40, 1015)
    assert pictures(DATA / "sp.wdf") == []
    with pytest.warns(SpectralWarning, match="unit"):
        assert read(DATA / "undefined.wdf").shape == (2, 1015)


def test_envi_and_imzml_files_of_instruments_are_read():
    ftir = read(DATA / "ftir_map.hdr")
    assert ftir.shape == (13, 16, 427)
    assert (ftir.axis.unit, ftir.axis.values[0], ftir.pixel_size, ftir.pixel_unit) == ("1/cm", 717.42, (25, 25), "um")
    mass = read(DATA / "Example_Continuous.imzML")
    assert (mass.shape, mass.axis.unit) == ((3, 3, 8399), "m/z")


def test_formats_of_rosettasciio_are_read(tmp_path):
    text = (
        "#FORMAT : EMSA/MAS Spectral Data File\n#VERSION : 1.0\n#TITLE : x\n#NPOINTS : 3\n#NCOLUMNS : 1\n#XUNITS : eV\n#YUNITS : counts\n"
    )
    text += "#DATATYPE : Y\n#XPERCHAN : 0.5\n#OFFSET : 2\n#SPECTRUM : start\n1.,\n4.,\n9.,\n#ENDOFDATA : end\n"
    (tmp_path / "s.msa").write_text(text)
    cube = read(tmp_path / "s.msa")
    np.testing.assert_array_equal(np.asarray(cube.data), [[1, 4, 9]])
    assert cube.axis == SpectralAxis([2, 2.5, 3], "eV")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rsciio.digitalmicrograph", None)
    (tmp_path / "s.dm3").write_bytes(b"x")
    with pytest.raises(ModuleNotFoundError, match=r'needs the package.*pip install "napari-spectrai\[formats\]"'):
        read(tmp_path / "s.dm3")


# ------------------------------------------------------------------ hostile files


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "p.npz", data=np.array([[{}]], dtype=object))
    for name in ("p.npy", "p.npz"):
        with pytest.raises(UnreadableError, match=name):
            read(tmp_path / name)


def test_hdf5_does_not_reach_into_other_files(tmp_path, cube):
    secret = write(cube, tmp_path / "secret.h5")
    (tmp_path / "raw.bin").write_bytes(bytes(480))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["linked"] = h5py.ExternalLink(str(secret), "/data")
        file.create_dataset("stored", (4, 5, 6), "f4", external=[(str(tmp_path / "raw.bin"), 0, 480)])
        layout = h5py.VirtualLayout((4, 5, 6), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "data", (4, 5, 6))
        file.create_virtual_dataset("virtual", layout)
    assert inspect(tmp_path / "c.h5") == {}
    with pytest.raises(UnreadableError, match=r"c\.h5.*holds nothing"):
        read(tmp_path / "c.h5")


def test_headers_that_claim_terabytes(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("data", (10**6, 10**6, 10**6), "f8", chunks=(1, 1, 1))
    zarr.create_array(tmp_path / "c.zarr", shape=(10**6, 10**6, 10**6), chunks=(1, 1, 1), dtype="f8")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000), }".ljust(117) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "c.npy").write_bytes(npy)
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("data.npy", npy)
    for suffix in (".h5", ".zarr", ".npy", ".npz"):
        with pytest.raises(UnreadableError, match=rf"c\{suffix}.*claims"):
            read(tmp_path / f"c{suffix}")


def test_a_small_archive_that_unpacks_to_more_than_the_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "bomb.npz", data=np.zeros((50, 50, 50)))
    scipy.io.savemat(tmp_path / "bomb.mat", {"data": np.zeros((50, 50, 50))}, do_compression=True)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    for name in ("bomb.npz", "bomb.mat"):
        with pytest.raises(UnreadableError, match="claims 1 MB, and 1 kB of memory are free; convert it"):
            read(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_an_ome_file_does_not_open_others(tmp_path):
    data = np.ones((2, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "secret.ome.tif", data * 9, photometric="minisblack", metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "c.ome.tif", data, photometric="minisblack", metadata={"axes": "CYX"})
    with tifffile.TiffFile(tmp_path / "c.ome.tif") as file:
        xml = file.ome_metadata
    block = '<TiffData IFD="0" FirstC="1" PlaneCount="1"><UUID FileName="secret.ome.tif">urn:uuid:0</UUID></TiffData>'
    tifffile.tiffcomment(tmp_path / "c.ome.tif", xml.replace("</Pixels>", block + "</Pixels>").encode())
    with contextlib.suppress(UnreadableError):
        assert not (np.asarray(read(tmp_path / "c.ome.tif").data) == 9).any()


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_of_an_image_of_several_ome_files_the_planes_of_one_are_read(planes, tmp_path):
    """Its channels keep their own wavelengths, and a warning names the other files."""
    data, first = np.random.default_rng(0).integers(0, 99, (6, 4, 5)).astype("u2"), 6 - planes
    blocks = "".join(
        f'<TiffData IFD="{n % planes}" FirstC="{n}" PlaneCount="1">'
        f'<UUID FileName="{n // planes}.ome.tif">urn:uuid:{n // planes}</UUID></TiffData>'
        for n in range(6)
    )
    channels = "".join(f'<Channel ID="Channel:0:{n}" EmissionWavelength="{400 + 10 * n}"/>' for n in range(6))
    xml = (
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{first // planes}"><Image ID="Image:0"><Pixels '
        f'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="5" SizeY="4" SizeC="6" SizeZ="1" SizeT="1">{channels}{blocks}</Pixels>'
        "</Image></OME>"
    )
    for name in (f"{first // planes}.ome.tif", "renamed.ome.tif"):
        tifffile.imwrite(tmp_path / name, data[first:], description=xml, metadata=None, photometric="minisblack")
        with pytest.warns(SpectralWarning, match=r"goes on in other files \(0\.ome\.tif.*are not opened"):
            cube = read(tmp_path / name)
        np.testing.assert_array_equal(np.asarray(cube.data), np.moveaxis(data[first:], 0, -1))
        np.testing.assert_array_equal(cube.axis.values, np.arange(first, 6) * 10 + 400)
        assert cube.axis.unit == "nm"
    companion = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly MetadataFile="a.companion.ome"/></OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", data, description=companion, metadata=None, photometric="minisblack")
    with pytest.warns(SpectralWarning, match=r"metadata lie in a\.companion\.ome, which is not opened"):
        np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.ome.tif").data), np.moveaxis(data, 0, -1))


def test_xml_entities_are_refused(tmp_path):
    xml = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&a;</OME>'
    tifffile.imwrite(tmp_path / "c.ome.tif", np.zeros((3, 4, 5), np.uint8), description=xml, metadata=None, photometric="minisblack")
    with pytest.raises(UnreadableError, match=r"c\.ome\.tif"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(tmp_path / "c.ome.tif")


def pieces(path: Path) -> list[Path]:
    return [path, *path.parent.glob("c.img")] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".nc", ".wdf", ".tif", ".jdx"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_refused_in_words_or_read(cube, tmp_path, suffix, damage):
    """Cut at 20 random places, and with bytes flipped: one error that names the file, or numbers; nothing else."""
    if suffix == ".wdf":
        rows, columns = (a.ravel() for a in np.mgrid[:4, :5])
        path = wdf(tmp_path, cube.data.reshape(20, 6), columns * 1.0, rows * 1.0, (4, 5)).rename(tmp_path / "c.wdf")
    elif suffix == ".nc":
        path = write(cube, tmp_path / "c.h5").rename(tmp_path / "c.nc")
    elif suffix == ".tif":
        path = tmp_path / "c.tif"
        tifffile.imwrite(path, np.moveaxis(cube.data, -1, 0), imagej=True, metadata={"axes": "CYX"})
    elif suffix == ".jdx":
        path = tmp_path / "c.jdx"
        path.write_text(
            "##XUNITS=1/CM\n##XFACTOR=1\n##YFACTOR=1\n##FIRSTX=1\n##LASTX=3\n##NPOINTS=3\n##XYDATA=(X++(Y..Y))\n1 5 6 7\n##END=\n"
        )
    else:
        path = write(cube, tmp_path / f"c{suffix}")
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(20):
        piece = rng.choice(pieces(path))
        whole = piece.read_bytes()
        if damage == "cut":
            piece.write_bytes(whole[: rng.integers(0, len(whole))])
        else:
            spoilt = bytearray(whole)
            for place in rng.integers(0, len(whole), 1 + len(whole) // 200):
                spoilt[place] ^= int(rng.integers(1, 256))
            piece.write_bytes(spoilt)
        try:
            np.asarray(read(path).data)
        except UnreadableError as error:
            assert path.name in str(error)  # noqa: PT017
            refused += 1
        piece.write_bytes(whole)
    assert refused or damage == "flipped"
    np.testing.assert_allclose(np.asarray(read(path).data).size, 3 if suffix == ".jdx" else 120)


@pytest.mark.parametrize("suffix", sorted({suffix for known in FORMATS for suffix in known.suffixes} - {".zarr", ".ome.zarr"}))
@pytest.mark.filterwarnings("ignore")
def test_foreign_and_empty_files_name_file_and_reason(tmp_path, suffix):
    for content, reason in ((b"", ".*: it is empty"), (b"not what you think" * 30, ""), (bytes(2000), "")):
        (tmp_path / f"f{suffix}").write_bytes(content)
        with pytest.raises(UnreadableError, match=rf"f\{suffix}.*: cannot be read as{reason}"):
            read(tmp_path / f"f{suffix}")


def test_stores_without_an_array_are_refused(tmp_path):
    zarr.create_group(tmp_path / "c.zarr")
    zarr.create_group(tmp_path / "c.ome.zarr")
    for suffix in (".zarr", ".ome.zarr"):
        with pytest.raises(UnreadableError, match=rf"c\{suffix}.*: cannot be read as"):
            read(tmp_path / f"c{suffix}")


def test_missing_files_and_unknown_suffixes_are_named(tmp_path, cube):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "none.npz")
    (tmp_path / "c.qqq").write_text("")
    with pytest.raises(ValueError, match=r"no reader for '\.qqq'; known: .*\.npz"):
        read(tmp_path / "c.qqq")
    for suffix in (".qqq", ".doc"):
        with pytest.raises(ValueError, match="known"):
            write(cube, tmp_path / f"c{suffix}")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".hdr"])
def test_a_failed_write_leaves_what_was_there(cube, tmp_path, monkeypatch, suffix):
    path = write(cube, tmp_path / f"c{suffix}")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr({".npz": "numpy.savez_compressed", ".npy": "json.dumps", ".hdr": "pathlib.Path.write_text"}[suffix], full)
    with pytest.raises(OSError, match="No space left"):
        write(cube, path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_header_of_a_npy_is_plain_json(cube, tmp_path):
    write(cube, tmp_path / "c.npy")
    assert json.loads((tmp_path / "c.npy.json").read_text())["spectral_axis"]["unit"] == "1/cm"


def test_truth_values_of_matlab_are_kept(tmp_path):
    values = np.random.default_rng(0).random((4, 5, 7)) > 0.5
    back = read(write(Cube(values, SpectralAxis(np.arange(7.0))), tmp_path / "a.mat"))
    assert back.data.dtype == bool
    np.testing.assert_array_equal(back.data, values)


@pytest.mark.parametrize("name", ["sp.wdf", "depth.wdf"])
@pytest.mark.parametrize("missing", [1, 100, 2000])
def test_wdf_files_that_lack_their_end_say_so(name, missing, tmp_path):
    whole = (DATA / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-missing])
    with pytest.warns(SpectralWarning, match="it ends within its block .*; it is truncated"):
        np.testing.assert_array_equal(read(tmp_path / name).data, read(DATA / name).data)
