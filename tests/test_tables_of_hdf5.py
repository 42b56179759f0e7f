"""Tables in HDF5 files: one value per line and column, or one spectrum per line."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError, inspect

POSITIONS = np.round(np.linspace(400, 720, 33) + np.linspace(0, 1, 33) ** 2 * 7, 2)
SPECTRA = np.random.default_rng(0).normal(100, 20, (12, 33)).astype(np.float32)


def stored(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def columns(**fields):
    table = np.zeros(
        len(next(iter(fields.values()))), [(name, np.asarray(values).dtype, np.shape(values)[1:]) for name, values in fields.items()]
    )
    for name, values in fields.items():
        table[name] = values
    return table


@pytest.mark.parametrize("place", ["spectra", "entry/measurement/table"])
def test_columns_of_spectra_with_their_positions(place, tmp_path):
    table = columns(**{"Wavelength (nm)": POSITIONS, "a": SPECTRA[0], "b": SPECTRA[1]})
    path = stored(tmp_path / "x.h5", **{place: table})
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[:2])
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
    assert cube.axis.unit == "nm"
    assert inspect(path) == {place: (33, 3)}


@pytest.mark.parametrize("positions", ["wavelength", "spectra_wavelength_nm"])
def test_a_spectrum_per_line_with_place_and_class(positions, tmp_path):
    y, x = np.divmod(np.random.default_rng(1).permutation(12), 3)
    table = columns(x=x, y=y, spectrum=SPECTRA, **{"class": np.array([b"a", b"b", b"c"] * 4)})
    path = stored(tmp_path / "x.h5", table=table, **{positions: POSITIONS})
    cube = read(path)
    assert cube.shape == (4, 3, 33)
    np.testing.assert_array_equal(np.asarray(cube.data)[y, x], SPECTRA)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
    assert np.array(cube.metadata["labels"]).reshape(4, 3)[y, x].tolist() == ["a", "b", "c"] * 4  # as the pixels lie


def test_a_table_of_pandas_whose_index_holds_the_positions(tmp_path):
    path = stored(tmp_path / "x.h5", **{"df/table": columns(index=POSITIONS, values_block_0=SPECTRA.T)})
    with pytest.warns(UserWarning, match="does not say their unit"):
        cube = read(path)
    np.testing.assert_array_equal(cube.data, SPECTRA)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)


def test_arrays_come_before_tables(tmp_path):
    path = stored(tmp_path / "x.h5", cube=SPECTRA.reshape(4, 3, 33), settings=columns(step=[1.0, 2.0], gain=[3.0, 4.0]))
    assert read(path).shape == (4, 3, 33)
    path = stored(tmp_path / "y.h5", intensity=SPECTRA[0], wavelength=POSITIONS, settings=columns(step=[1.0, 2.0], gain=[3.0, 4.0]))
    assert read(path).shape == (1, 33)


def test_of_several_tables_one_is_chosen(tmp_path):
    one, two = (columns(**{"Wavelength (nm)": POSITIONS, "a": SPECTRA[number]}) for number in (0, 1))
    path = stored(tmp_path / "x.h5", one=one, two=two)
    with pytest.raises(SeveralArraysError, match=r"several tables \(one, two\); choose one with dataset=…"):
        read(path)
    np.testing.assert_allclose(read(path, dataset="two").data, SPECTRA[1:2])


def test_two_spectra_in_a_line_are_refused(tmp_path):
    path = stored(tmp_path / "x.h5", table=columns(a=SPECTRA, b=SPECTRA))
    with pytest.raises(UnreadableError, match=r"several spectra per line \(a, b\)"):
        read(path)


def test_names_of_columns_that_pandas_has_pickled_are_mentioned(tmp_path):
    values = np.zeros(4, [("index", "i8"), ("values_block_0", "f8", (7,))])
    values["values_block_0"] = np.random.default_rng(0).random((4, 7))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["df/table"] = values
        file["df/table"].attrs["values_block_0_kind"] = b"(lp0\nV400\n."
        file["df/_i_table/index/sortedLR"] = np.arange(99)
    with pytest.warns(SpectralWarning, match="pandas has pickled the names of its columns, which are not read"):
        cube = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.data, values["values_block_0"])
