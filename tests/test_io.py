from __future__ import annotations

from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import scipy.io
import zarr

from napari_spectrai import Cube, SpectralAxis, inspect, read, write

SUFFIXES = [".npz", ".mat", ".h5", ".zarr"]


@pytest.fixture
def cube() -> Cube:
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    return Cube(data, SpectralAxis([900.5, 700.25, 700.25, 500, 400, 100], "1/cm"), pixel_size=(0.5, 0.25), pixel_unit="um", name="cells")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_reads_back_equal(cube, tmp_path, suffix):
    path = write(cube, tmp_path / f"c{suffix}")
    again = read(path)
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert again.axis == cube.axis
    assert again.pixel_size == cube.pixel_size
    assert again.pixel_unit == "um"
    assert again.source == path
    assert (4, 5, 6) in inspect(path).values()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sets_of_spectra_and_lazy_cubes_too(tmp_path, suffix):
    cube = Cube(da.ones((7, 3), chunks=(2, 3), dtype=np.float32))
    again = read(write(cube, tmp_path / f"c{suffix}"))
    assert again.shape == (7, 3)
    assert again.axis == SpectralAxis.bands(3)


def test_npy_is_mapped_and_refuses_what_it_cannot_hold(cube, tmp_path):
    write(Cube(cube.data), tmp_path / "c.npy")
    assert isinstance(read(tmp_path / "c.npy").data, np.memmap)
    with pytest.raises(ValueError, match=r"choose \.npz"):
        write(cube, tmp_path / "d.npy")
    assert not (tmp_path / "d.npy").exists()


def test_hdf5_and_zarr_are_lazy_and_leave_no_file_open(cube, tmp_path):
    for suffix in (".h5", ".zarr"):
        assert isinstance(read(write(cube, tmp_path / f"c{suffix}")).data, da.Array)
    Path(tmp_path / "c.h5").unlink()


def test_mat_v73_axes_are_reversed(cube, tmp_path):
    with h5py.File(tmp_path / "c.mat", "w", userblock_size=512) as file:
        file["cube"] = np.asarray(cube.data).T
        file["wavenumber"] = cube.axis.values[None]
    again = read(tmp_path / "c.mat")
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert again.axis == cube.axis


def test_wavelengths_beside_the_array_are_found_and_others_not_invented(tmp_path):
    data = np.ones((3, 4, 5))
    scipy.io.savemat(tmp_path / "a.mat", {"img": data, "wavelengths": np.arange(5.0) + 400})
    scipy.io.savemat(tmp_path / "b.mat", {"img": data, "wavelengths": np.arange(4.0) + 400})
    assert read(tmp_path / "a.mat").axis == SpectralAxis(np.arange(5.0) + 400, "nm")
    assert read(tmp_path / "b.mat").axis == SpectralAxis.bands(5)


def test_several_arrays_ask_for_a_choice(tmp_path):
    np.savez(tmp_path / "c.npz", before=np.ones((3, 4, 5)), after=np.zeros((3, 4, 5)))
    with pytest.raises(ValueError, match=r"c\.npz.*several arrays.*before 3×4×5.*dataset="):
        read(tmp_path / "c.npz")
    assert read(tmp_path / "c.npz", dataset="after").data.max() == 0
    with pytest.raises(ValueError, match="no array 'other'"):
        read(tmp_path / "c.npz", dataset="other")
    assert inspect(tmp_path / "c.npz") == {"before": (3, 4, 5), "after": (3, 4, 5)}


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".npy"])
def test_truncated_and_foreign_files_name_file_and_reason(cube, tmp_path, suffix):
    if suffix == ".zarr":
        zarr.create_group(tmp_path / "c.zarr")
    else:
        path = write(Cube(cube.data), tmp_path / f"whole{suffix}")
        (tmp_path / f"c{suffix}").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        (tmp_path / f"f{suffix}").write_bytes(b"not what you think" * 30)
        with pytest.raises(ValueError, match=f"f{suffix}: cannot be read"):
            read(tmp_path / f"f{suffix}")
    with pytest.raises(ValueError, match=f"c{suffix}: cannot be read"):
        np.asarray(read(tmp_path / f"c{suffix}").data)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="p.npy"):
        read(tmp_path / "p.npy")


def test_missing_and_unknown_files(tmp_path, cube):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "none.npz")
    (tmp_path / "c.doc").write_text("")
    with pytest.raises(ValueError, match=r"no reader for '\.doc'; known: .*\.npz"):
        read(tmp_path / "c.doc")
    with pytest.raises(ValueError, match="known"):
        write(cube, tmp_path / "c.doc")


def test_a_failed_write_leaves_what_was_there(cube, tmp_path, monkeypatch):
    path = write(cube, tmp_path / "c.npz")
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write(cube, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
