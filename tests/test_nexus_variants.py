"""NXdata as different writers lay it out: edges, links, several axes for a dimension, scaled values, parts in other files."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest

from napari_spectrai import inspect, read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError
from napari_spectrai.io.labels import read_labels

WAVE = np.linspace(400, 700, 8)
EDGES = np.linspace(400 - 150 / 7, 700 + 150 / 7, 9)
CUBE = (1000 + np.random.default_rng(0).random((5, 6, 8)) * 300).astype(np.float32)
FIRST = CUBE.transpose(2, 0, 1)


def filled(file, *, data=CUBE, axes=("y", "x", "energy"), values=WAVE, unit="nm", **attributes) -> h5py.Group:
    """An NXdata group ``entry/data`` with its signal ``data`` and the axis ``energy``; y and x in µm, two and one apart."""
    group = file.require_group("entry/data")
    group.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": list(axes)} | attributes)
    group["data"], group["energy"] = data, values
    group["energy"].attrs["units"] = unit
    for side, step in (("y", 2.0), ("x", 1.0)):
        if side in axes:
            group[side] = np.arange(np.shape(data)[axes.index(side)]) * step
            group[side].attrs["units"] = "um"
    return group


def edges_first(file) -> None:
    filled(file, data=FIRST, axes=("energy", "y", "x"), values=EDGES)


def edges_in_old_style(file) -> None:
    group = filled(file, data=FIRST, axes=("energy", "y", "x"), values=EDGES)
    del group.attrs["signal"], group.attrs["axes"]
    group["data"].attrs.update({"signal": 1, "axes": "energy:y:x"})


def spaces(file) -> None:
    group = filled(file, data=FIRST, axes=("energy", "y", "x"))
    del group.attrs["axes"]
    group["data"].attrs["axes"] = "energy y x"


def primary(file) -> None:
    group = filled(file)
    del group.attrs["axes"]
    group["channel"] = np.arange(8.0) + 3
    for name, attributes in (("channel", {"axis": 3}), ("energy", {"axis": 3, "primary": 1}), ("y", {"axis": 1}), ("x", {"axis": 2})):
        group[name].attrs.update(attributes)


def second_axis(file) -> None:
    group = filled(file, axes=("y", "x", "channel"), energy_indices=2, channel_indices=2)
    group["channel"] = np.arange(8.0)


def one_name(file) -> None:
    filled(file, axes=("energy",), energy_indices=2)


def excitation(file) -> None:
    group = filled(file, axes=("excitation_energy", "x", "energy"))
    group["excitation_energy"] = np.linspace(2, 3, 5)
    group["excitation_energy"].attrs["units"] = "eV"


def soft_links(file) -> None:
    group = filled(file)
    file.move("entry/data/data", "entry/instrument/counts")
    file.move("entry/data/energy", "entry/mono/value")
    group["data"] = h5py.SoftLink("/entry/instrument/counts")
    group["energy"] = h5py.SoftLink("/entry/mono/value")


def hard_links(file) -> None:
    filled(file)
    file["a/first"], file["a/second"] = file["entry/data/data"], file["entry/data/energy"]


def virtual_within(file) -> None:
    file["raw"] = CUBE
    layout = h5py.VirtualLayout(shape=CUBE.shape, dtype=CUBE.dtype)
    layout[...] = h5py.VirtualSource(file["raw"])
    group = filled(file)
    del group["data"]
    group.create_virtual_dataset("data", layout)


def scaled(file) -> None:
    group = filled(file, data=np.round(CUBE * 8).astype("u2") - 100, values=np.arange(8), unit="nm")
    group["data_scaling_factor"], group["data_offset"] = 1 / 8, 100.0
    group["energy_scaling_factor"], group["energy_offset"] = 300 / 7, 400 * 7 / 300


def packed(file) -> None:
    group = filled(file, data=np.round((CUBE - 500) * 8).astype("u2"))
    group["data"].attrs.update({"scale_factor": 1 / 8, "add_offset": 500.0})


def no_signal(file) -> None:
    filled(file, signal="nothing")


def circle(file) -> None:
    file.attrs["default"] = "entry"
    filled(file)
    file["entry"].attrs["default"] = "."


GOOD = [edges_first, edges_in_old_style, spaces, primary, second_axis, one_name, excitation, soft_links, hard_links, virtual_within, scaled,
        packed, no_signal, circle]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*it holds several arrays")
@pytest.mark.parametrize("write", GOOD)
def test_signals_lie_on_their_axis(write, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        write(file)
    cube = read(tmp_path / "a.nxs")
    np.testing.assert_allclose(np.asarray(cube.data), CUBE, atol=0.07)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"


@pytest.mark.filterwarnings("ignore:.*it holds several arrays")
@pytest.mark.parametrize("chain", [("second", "data"), ("second", ""), ("second/data", ""), ("/second/data", ""), ("", "")])
def test_the_default_of_several_entries(chain, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        for number, entry in enumerate(("first", "second")):
            filled(file, data=CUBE * (number + 1))
            file.move("entry", entry)
        for holder, name in ((file, chain[0]), (file["second"], chain[1])):
            if name:
                holder.attrs["default"] = name
    if not chain[0]:
        with pytest.raises(SeveralArraysError, match=r"first/data/data.*second/data/data"):
            read(tmp_path / "a.nxs")
    else:
        np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.nxs").data), CUBE * 2)


@pytest.mark.parametrize(
    ("unit", "factor"), [("eV", 1), ("keV", 1e3), ("meV", 1e-3), ("kiloelectronvolt", 1e3), ("millielectronvolt", 1e-3)]
)
def test_energies_in_any_multiple(unit, factor, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        filled(file, unit=unit)
    axis = read(tmp_path / "a.nxs").axis
    assert axis.unit == "eV"
    np.testing.assert_allclose(axis.values, WAVE * factor)


@pytest.mark.parametrize(("lead", "unit", "name"), [("time", "s", "time"), ("z", "um", "z"), ("depth", "mm", "z")])
def test_series_and_volumes_keep_their_geometry(lead, unit, name, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = filled(file, data=np.stack([FIRST] * 3, 1), axes=("energy", lead, "y", "x"))
        group[lead] = np.arange(3) * 2.0 + 1
        group[lead].attrs["units"] = unit
    with h5py.File(tmp_path / "s.nxs", "w") as file:
        group = filled(file, data=CUBE[0], axes=(lead, "energy"))
        group[lead] = np.arange(6) * 2.0
        group[lead].attrs["units"] = unit
    cube = read(tmp_path / "a.nxs")
    assert cube.shape == (3, 5, 6, 8)
    assert (cube.pixel_size, cube.pixel_unit) == ((2.0, 1.0), "um")
    assert cube.metadata["planes"] == {name: {"start": 1.0, "step": 2.0, "unit": unit}}
    assert read(tmp_path / "s.nxs").metadata["coordinates"] == {name: {"values": [0.0, 2.0, 4.0, 6.0, 8.0, 10.0], "unit": unit}}


@pytest.mark.parametrize("suffix", ["nxs", "npz"])
def test_one_spectrum_next_to_its_axis(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    if suffix == "nxs":
        with h5py.File(path, "w") as file:
            group = filled(file, data=CUBE[0, 0], axes=("energy",))
            group["data_errors"] = CUBE[0, 0]
    else:
        np.savez(path, counts=CUBE[0, 0], wavelength_nm=WAVE, errors=CUBE[0, 1])
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE[:1, 0])
    np.testing.assert_array_equal(cube.axis.values, WAVE)


@pytest.mark.parametrize("how", ["link", "virtual"])
def test_values_in_other_files_are_not_opened_and_the_axis_is_no_spectrum(how, tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["d"] = CUBE
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = filled(file)
        del group["data"], group["y"], group["x"]
        if how == "link":
            group["data"] = h5py.ExternalLink("b.h5", "/d")
        else:
            layout = h5py.VirtualLayout(shape=CUBE.shape, dtype=CUBE.dtype)
            layout[...] = h5py.VirtualSource("b.h5", "d", shape=CUBE.shape)
            group.create_virtual_dataset("data", layout)
    with pytest.raises(UnreadableError, match="entry/data/data lies in another file"):
        read(tmp_path / "a.nxs")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["data"], file["wavelength"] = h5py.ExternalLink("b.h5", "/d"), WAVE
    with pytest.raises(UnreadableError, match="no array of spectra"):
        read(tmp_path / "c.h5")


@pytest.mark.parametrize(("change", "words"), [("shape", "has the shape 5×6×8"), ("gone", "is not in this file")])
def test_an_axis_that_does_not_fit_is_mentioned(change, words, tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = filled(file, data=FIRST, axes=("energy", "y", "x"))
        del group["energy"]
        if change == "shape":
            group["energy"] = CUBE
    with pytest.warns(SpectralWarning, match=f"its dimension 0 has the axis 'energy', which {words}; its bands are numbered"):
        cube = read(tmp_path / "a.nxs")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)


@pytest.mark.parametrize("kind", ["nxs", "h5", "nc"])
def test_an_axis_that_a_small_file_claims_to_be_huge_is_not_loaded(kind, tmp_path):
    """Its values are not stored, and would fill the memory."""
    count = 2**31
    with h5py.File(tmp_path / f"a.{kind}", "w") as file:
        holder = file.create_group("entry/data") if kind == "nxs" else file
        data = holder.create_dataset("data", shape=(2, 2, count), dtype="u1", chunks=(1, 1, 2**20))
        axis = holder.create_dataset("wavelength", shape=(count,), dtype="f8", chunks=(2**20,))
        if kind == "nxs":
            holder.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["y", "x", "wavelength"]})
        elif kind == "nc":
            axis.make_scale("wavelength")
            data.dims[2].attach_scale(axis)
    assert max(inspect(tmp_path / f"a.{kind}").values()) == (count,)
    with pytest.raises(UnreadableError, match=r"would be that of 2,147,483,648 bands"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("suffix", ["nxs", "h5", "nc", "mat", "ims", "hspy", "emd"])
def test_a_heap_that_makes_the_library_loop_for_ever_is_an_error(suffix, tmp_path):
    """Texts of variable length lie in heaps; a free piece of no length has no end."""
    path = tmp_path / f"a.{suffix}"
    with h5py.File(path, "w") as file:
        filled(file)
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL")
    content[place + 16 : place + 32] = bytes(16)
    path.write_bytes(content)
    for reader in (read, inspect, *([read_labels] if suffix in ("nxs", "h5", "mat") else [])):
        with pytest.raises(UnreadableError, match="holds a piece of no length; it is damaged"):
            reader(path)
