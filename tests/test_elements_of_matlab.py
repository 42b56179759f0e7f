"""Cells and arrays of structs in MATLAB files: spectra one by one are a set; texts give positions and units."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from napari_spectrai import read
from napari_spectrai.io import SeveralArraysError, UnreadableError, inspect

POSITIONS = np.round(np.linspace(400, 720, 33) + np.linspace(0, 1, 33) ** 2 * 7, 2)
SPECTRA = np.random.default_rng(0).normal(100, 20, (5, 33))
CUBE = np.random.default_rng(1).normal(100, 20, (4, 5, 33)).astype(np.float32)


def cells(values):
    found = np.empty((1, len(values)), object)
    for number, value in enumerate(values):
        found[0, number] = value
    return found


def structs(**fields):
    found = np.zeros((1, len(next(iter(fields.values())))), [(name, object) for name in fields])
    for name, values in fields.items():
        for number, value in enumerate(values):
            found[name][0, number] = value
    return found


FILES = {
    "cell of lines": {"spectra": cells(SPECTRA), "wavelength_nm": POSITIONS},
    "cell of columns": {"spectra": cells(SPECTRA[:, :, None]), "wavelength_nm": POSITIONS[:, None]},
    "cell of pairs": {"data": cells([np.column_stack([POSITIONS, one]) for one in SPECTRA])},
    "cell of pairs across": {"data": cells([np.stack([POSITIONS, one]) for one in SPECTRA])},
    "structs": {"s": structs(wavelength=[POSITIONS] * 5, intensity=SPECTRA, name=list("abcde"))},
    "structs x y": {"s": structs(x=[POSITIONS] * 5, y=SPECTRA)},
    "cell in a struct": {"s": {"spc": cells(SPECTRA), "wavelength_nm": POSITIONS}},
}


@pytest.mark.filterwarnings("ignore:.*does not say their unit")
@pytest.mark.parametrize("contents", FILES.values(), ids=list(FILES))
def test_spectra_one_by_one_are_a_set(contents, tmp_path):
    savemat(tmp_path / "x.mat", contents)
    cube = read(tmp_path / "x.mat")
    np.testing.assert_array_equal(cube.data, SPECTRA)
    np.testing.assert_array_equal(cube.axis.values, POSITIONS)
    assert (5, 33) in inspect(tmp_path / "x.mat").values()


def test_spectra_in_a_cell_of_version_73_are_a_set(tmp_path):
    path = tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        held = file.create_group("#refs#")
        spectra = file.create_dataset("spectra", (5, 1), dtype=h5py.ref_dtype)
        spectra.attrs["MATLAB_class"] = np.bytes_("cell")
        for number, one in enumerate(SPECTRA):
            held[f"r{number}"] = one[:, None]
            spectra[number, 0] = held[f"r{number}"].ref
        file["wavelength_nm"] = POSITIONS[:, None]
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    cube = read(path)
    np.testing.assert_array_equal(cube.data, SPECTRA)
    np.testing.assert_array_equal(cube.axis.values, POSITIONS)
    assert inspect(path)["spectra"] == (5, 33)


def test_units_as_texts_of_version_73(tmp_path):
    path = tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"], file["wavelength"] = CUBE.T, POSITIONS[:, None] / 1000
        file["wavelength_units"] = np.array([[ord(letter)] for letter in "micrometers"], np.uint16)
        file["wavelength_units"].attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    assert read(path).axis.unit == "um"
    assert set(inspect(path)) == {"cube", "wavelength"}


def test_elements_at_other_positions_or_of_other_shapes_are_chosen(tmp_path):
    savemat(tmp_path / "x.mat", {"data": cells([np.column_stack([POSITIONS + n, one]) for n, one in enumerate(SPECTRA)])})
    with pytest.raises(SeveralArraysError, match=r"data\{0\} 33×2"):
        read(tmp_path / "x.mat")
    savemat(tmp_path / "y.mat", {"data": cells([CUBE, CUBE + 1])})
    with pytest.raises(SeveralArraysError, match=r"data\{0\} 4×5×33, data\{1\} 4×5×33"):
        read(tmp_path / "y.mat")
    np.testing.assert_array_equal(read(tmp_path / "y.mat", dataset="data{1}").data, CUBE + 1)


@pytest.mark.parametrize(
    "contents",
    [
        {"cube": CUBE, "info": {"wavelength": cells([str(value) for value in POSITIONS]), "wavelength_units": "Nanometers"}},
        {"cube": CUBE, "wavelength": POSITIONS, "wavelength_unit": "nm"},
        {"hyper": {"data": CUBE, "wavelength": POSITIONS, "wavelengthUnits": "nm"}},
        {"cube": CUBE, "nm": POSITIONS},
    ],
    ids=["texts", "next to it", "in a struct", "a unit as name"],
)
def test_positions_and_units_as_texts(contents, tmp_path):
    savemat(tmp_path / "x.mat", contents)
    cube = read(tmp_path / "x.mat")
    np.testing.assert_array_equal(cube.data, CUBE)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
    assert cube.axis.unit == "nm"


def test_names_of_scales_of_a_data_set_give_their_units(tmp_path):
    contents = {"data": SPECTRA, "axisscale": cells([np.zeros(0), POSITIONS]).T, "axisscalename": cells(["", "Raman shift (cm-1)"]).T}
    savemat(tmp_path / "x.mat", {"ds": contents})
    cube = read(tmp_path / "x.mat")
    np.testing.assert_array_equal(cube.data, SPECTRA)
    assert cube.axis.unit == "1/cm"


def test_positions_alone_are_no_spectrum(tmp_path):
    savemat(tmp_path / "x.mat", {"wavelength": POSITIONS})
    with pytest.raises(UnreadableError, match="no array of spectra"):
        read(tmp_path / "x.mat")
