"""Which of several lists in a container are the positions of its bands, and lists that are written as texts."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import zarr
from scipy.io import savemat

from napari_spectrai import read
from napari_spectrai.io import SeveralArraysError, SpectralWarning
from napari_spectrai.notices import noting

WAVE = np.linspace(400, 700, 12)
CUBE = np.random.default_rng(0).random((7, 9, 12)).astype(np.float32)
KINDS = ["h5", "npz", "mat", "zarr"]


def written(path, kind, **arrays):
    if kind == "h5":
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    elif kind == "zarr":
        group = zarr.open_group(str(path), mode="w")
        for name, values in arrays.items():
            group.create_array(name, data=values)
    else:
        np.savez(path, **arrays) if kind == "npz" else savemat(path, arrays)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "second"), [("vnir", "swir"), ("b", "a"), ("cube1", "cube2"), ("leftEye", "rightEye")])
@pytest.mark.parametrize("form", ["{}_wavelengths", "wl_{}", "wavelengths {}"])
def test_of_two_lists_the_one_that_is_named_like_the_cube(form, first, second, kind, tmp_path):
    arrays = {first: CUBE, second: CUBE * 2, form.format(first): WAVE, form.format(second): WAVE + 1000}
    if kind == "mat":
        arrays = {name.replace(" ", "_"): values for name, values in arrays.items()}
    path = written(tmp_path / f"a.{kind}", kind, **arrays)
    np.testing.assert_allclose(read(path, dataset=first).axis.values, WAVE)
    np.testing.assert_allclose(read(path, dataset=second).axis.values, WAVE + 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_choice_between_lists_of_equal_rank_is_mentioned(kind, tmp_path):
    path = written(tmp_path / f"a.{kind}", kind, cube=CUBE, wavelength_old=WAVE, wavelength_new=WAVE + 1)
    with pytest.warns(SpectralWarning, match="several lists of positions .*wavelength_old.* is taken"):
        read(path)
    both = written(tmp_path / f"b.{kind}", kind, cube=CUBE, wavelength=WAVE, wavelength_copy=WAVE, wavenumber=1e7 / WAVE)
    np.testing.assert_allclose(read(both).axis.values, WAVE)


@pytest.mark.parametrize("kind", KINDS)
def test_one_spectrum_is_not_its_axis(kind, tmp_path):
    cube = read(written(tmp_path / f"a.{kind}", kind, spectrum=CUBE[0, 0], wavelength=WAVE, errors=CUBE[0, 1]))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE[:1, 0])
    np.testing.assert_allclose(cube.axis.values, WAVE)


TEXTS = [
    ",".join(map(str, WAVE)), " ".join(map(str, WAVE)), f"[{', '.join(map(str, WAVE))}]", f"{{{';'.join(map(str, WAVE))}}}",
    [str(value) for value in WAVE], np.array([str(value) for value in WAVE], "S"),
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", ["file", "array", "data set", "zarr"])
def test_positions_that_are_texts(place, text, tmp_path):
    path = tmp_path / ("a.zarr" if place == "zarr" else "a.h5")
    if place == "zarr":
        array = zarr.create_array(str(path), shape=CUBE.shape, dtype=CUBE.dtype)
        array[...] = CUBE
        array.attrs["wavelengths"] = [value.decode() for value in text] if isinstance(text, np.ndarray) else text
    else:
        with h5py.File(path, "w") as file:
            file["cube"] = CUBE
            if place == "data set":
                file["wavelengths"] = np.array([str(value) for value in WAVE], "S") if isinstance(text, str) else text
            else:
                (file if place == "file" else file["cube"]).attrs["wavelengths"] = text
    cube = read(path)
    assert cube.axis.unit == "nm"
    np.testing.assert_allclose(cube.axis.values, WAVE)


@pytest.mark.parametrize("text", ["", "none", "400-700 nm", ["a"] * 12, ["1", "2"]])
def test_other_texts_are_no_positions(text, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = CUBE
        file["cube"].attrs["wavelengths"] = text
    assert read(tmp_path / "a.h5").axis.unit == ""


@pytest.mark.parametrize("suffix", ["emd", "h5"])
@pytest.mark.parametrize("order", ["yxE", "Eyx", "yEx"])
def test_emd_names_its_dimensions(order, suffix, tmp_path):
    """Each has its values in ``dim1``, ``dim2``, … and its name and unit in attributes."""
    sides = {"y": ("y", "[µm]", np.arange(7) * 0.5), "x": ("x", "[µm]", np.arange(9) * 0.25), "E": ("energy", "[eV]", WAVE)}
    with h5py.File(tmp_path / f"a.{suffix}", "w") as file:
        group = file.create_group("data/map")
        group.attrs["emd_group_type"] = 1
        group["data"] = CUBE.transpose(["yxE".index(name) for name in order])
        for number, name in enumerate(order):
            group[f"dim{number + 1}"] = sides[name][2]
            group[f"dim{number + 1}"].attrs.update({"name": np.bytes_(sides[name][0]), "units": np.bytes_(sides[name][1].encode())})
    cube = read(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("eV", (0.5, 0.25), "um")


def _stored(path, **arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        savemat(path, arrays)
    elif path.suffix == ".zarr":
        group = zarr.create_group(path, zarr_format=2)
        for name, values in arrays.items():
            group.create_array(name, data=values)
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    return path


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".zarr", ".h5"])
@pytest.mark.parametrize("lists", [np.array([400.0, 700.0]), np.tile(WAVE, (9, 1))], ids=["range", "per column"])
def test_wavelengths_that_fit_no_dimension_are_mentioned(lists, suffix, tmp_path):
    with pytest.warns(
        SpectralWarning, match=r"it holds 'wavelength' \(.*\), which is no list of its bands' positions; the bands are numbered"
    ):
        cube = read(_stored(tmp_path / f"a{suffix}", cube=CUBE, wavelength=lists))
    assert cube.axis.unit == ""


def test_positions_of_an_archive_may_be_texts(tmp_path):
    cube = read(_stored(tmp_path / "a.npz", cube=CUBE, wavelengths=np.array([f"{value} nm" for value in WAVE])))
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_a_list_next_to_a_file_gives_positions_that_the_file_does_not(tmp_path):
    def folder(name, **files):
        (place := tmp_path / name).mkdir()
        for called, content in files.items():
            other = place / called.replace("__", ".")
            other.write_text(content) if isinstance(content, str) else np.save(other, content)
        return place

    column, line = "\n".join(map(str, WAVE)), ", ".join(map(str, WAVE))
    counted = "\n".join(f"{number}\t{value}" for number, value in enumerate(WAVE))
    given = {
        "nm": [{"wavelengths__txt": column}, {"cube_wavelengths__csv": f"wavelength (nm)\n{column}"}, {"Wavelengths__txt": line},
               {"wl__npy": WAVE}, {"WAVELENGTHS__TXT": f"index wl\n{counted}"},
               {"cube_Wavelengths_ASD_12_ch__txt": f"Record 1: Wavelengths nm\n{column}", "cube_Wavelengths_BECK__txt": "1\n2\n3\n"},
               {"cube_wl__npy": WAVE, "wl__npy": WAVE + 1}],
        "1/cm": [{"wavenumbers__txt": column}, {"raman_shift__csv": column}],
        "": [{}, {"wavelengths__txt": column + "\n701"}, {"wavelengths__txt": "notes"},
             {"wl__npy": WAVE, "wavelengths__txt": line.replace("400", "401")}],
    }  # fmt: skip
    for unit, cases in given.items():
        for number, files in enumerate(cases):
            place = folder(f"{unit[:2]}{number}".replace("/", ""), cube__npy=CUBE, **files)
            with noting() as notes:
                cube = read(place / "cube.npy")
            assert any("are taken from" in note for note in notes) == bool(unit)
            assert cube.axis.unit == unit, files
            np.testing.assert_allclose(cube.axis.values, WAVE if unit else np.arange(12))
    first = folder("first", cube__npy=np.moveaxis(CUBE, -1, 0), wavelengths__txt=column)
    with noting():  # it says which dimension it is, too
        np.testing.assert_array_equal(np.asarray(read(first / "cube.npy").data), CUBE)
    assert read(first / "cube.npy", axis="1:2:eV", spectral=0).axis.unit == "eV"


def test_arrays_that_are_named_after_their_band_are_one_image(tmp_path):
    planes = dict(zip((443, 412, 555, 490, 670), np.moveaxis(CUBE[..., :5], -1, 0), strict=True))
    image = np.stack([planes[place] for place in sorted(planes)], -1)
    for kind in KINDS:
        for form, more in (("Rrs_{}", {"latitude": CUBE[..., 6], "chlor_a": CUBE[..., 7]}), ("img_{}nm", {}), ("B{}", {})):
            arrays = {form.format(place): plane for place, plane in planes.items()} | more
            path = written(tmp_path / f"{form[:3]}.{kind}", kind, **arrays)
            with pytest.warns(SpectralWarning, match="its 5 arrays .*412.* to .*670.* are taken for one image"):
                cube = read(path)
            np.testing.assert_array_equal(np.asarray(cube.data), image)
            assert (cube.axis.values.tolist(), cube.axis.unit) == ([412, 443, 490, 555, 670], "nm")
        for names in ("train_{}00", "img_10{}", "Rrs_{}"):  # sets of spectra, running numbers, no wavelengths
            path = written(tmp_path / f"{names[:4]}.{kind}", kind, **{names.format(n): CUBE[..., n] for n in (1, 2, 3)})
            with pytest.raises(SeveralArraysError, match="it holds several arrays"):
                read(path)


def test_positions_that_single_numbers_describe(tmp_path):
    """A start and a step do, and an end with a number; lowest and highest wavelengths do not."""
    said = {
        "nm": ({"wavelength_start": 400.0, "wavelength_step": 25.0}, {"first wavelength": 400, "last_wavelength": 675, "n_wavelength": 12}),
        "1/cm": ({"start_raman_shift": 400.0, "raman_shift_increment": 25.0},),
        "": ({"wavelength_min": 400.0, "wavelength_max": 675.0}, {"wavelength_start": 400.0, "wavelength_end": 675.0},
             {"wavelength_start": 400.0, "wavelength_step": 25.0, "wavelength_count": 13}, {"x_start": 400.0, "x_step": 25.0}),
    }  # fmt: skip
    for unit, cases in said.items():
        for fields in cases:
            with h5py.File(tmp_path / "a.h5", "w") as file:
                file["cube"] = CUBE
                file["cube"].attrs.update(fields)
            store = zarr.create_array(tmp_path / "a.zarr", shape=CUBE.shape, dtype=CUBE.dtype, overwrite=True, attributes=fields)
            store[...] = CUBE
            np.savez(tmp_path / "a.npz", cube=CUBE, **fields)
            savemat(tmp_path / "a.mat", {"cube": CUBE, "s": {key.replace(" ", "_"): value for key, value in fields.items()}})
            for kind in ("h5", "zarr", "npz", "mat"):
                axis = read(tmp_path / f"a.{kind}").axis
                assert axis.unit == unit, (kind, fields)
                np.testing.assert_allclose(axis.values, np.arange(12) * 25 + 400 if unit else np.arange(12))
