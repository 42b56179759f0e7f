"""What readers do with unusual paths, and with files that are not what their names say."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import unicodedata
import zipfile

import numpy as np
import psutil
import pytest
import zarr

from napari_spectrai import Cube, SpectralAxis, read, write
from napari_spectrai.io import FORMATS, UnreadableError, inspect
from napari_spectrai.io.labels import read_labels

DATA = np.random.default_rng(0).normal(100, 20, (4, 5, 7)).astype(np.float32)
CUBE = Cube(DATA, SpectralAxis(np.linspace(400, 700, 7) ** 1.01, "nm"), pixel_size=(0.5, 0.25), pixel_unit="um")
SUFFIXES = (".ome.tif", ".ome.zarr", ".zarr", ".hdr", ".h5", ".mat", ".npz", ".npy", ".csv", ".txt")
NAMES = {
    "percent": "a%20b", "hash": "a#b", "blank": "a b", "newline": "a\nb", "decomposed": unicodedata.normalize("NFD", "é"),
    "long": "n" * 200,    "brackets": "[a]{b}", "pattern": "a?b*", "quotes": "'a\"", "colons": "a::b", "home": "~a", "hidden": ".a",
    "points": "a.b.c",
    "kanji": "日本", "address": "file:x",
}  # fmt: skip


def is_same(cube) -> bool:
    return np.array_equal(np.asarray(cube.data), DATA) and cube.axis == CUBE.axis


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_any_name_is_written_and_read(name, tmp_path):
    for suffix in SUFFIXES:
        assert is_same(read(write(CUBE, tmp_path / f"{name}{suffix}"))), suffix


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_link_to_a_file_is_read_as_the_file(suffix, tmp_path):
    (tmp_path / "real").mkdir()
    target = write(CUBE, tmp_path / "real" / f"x{suffix}")
    link = tmp_path / f"link{suffix}"
    link.symlink_to(target)
    assert is_same(read(link))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_file_stays_open(suffix, tmp_path):
    path = write(CUBE, tmp_path / f"x{suffix}")
    assert is_same(read(path))
    before = psutil.Process().num_fds()
    for _ in range(5):
        assert is_same(read(path))
        inspect(path)
    assert psutil.Process().num_fds() <= before


@pytest.mark.parametrize("way", [os.fsencode, str, lambda path: path, lambda path: path.as_uri(), lambda path: f"file://localhost{path}"])
def test_paths_may_be_bytes_and_addresses_of_files(way, tmp_path):
    path = write(CUBE, tmp_path / "a b#1.h5")
    assert is_same(read(way(path)))
    assert "data" in inspect(way(path))
    np.save(tmp_path / "labels.npy", np.ones((4, 5), np.uint8))
    assert read_labels(way(tmp_path / "labels.npy")).shape == (4, 5)


@pytest.mark.parametrize("address", ["https://example.org/a.h5", "s3://bucket/a.zarr"])
def test_addresses_of_other_machines_are_refused_in_one_sentence(address):
    with pytest.raises(ValueError, match="address on another machine; download it"):
        read(address)


@pytest.mark.parametrize("suffix", sorted({suffix for known in FORMATS for suffix in known.suffixes}))
def test_a_folder_with_the_name_of_a_file_is_said_to_be_one(suffix, tmp_path):
    folder = tmp_path / f"x{suffix}"
    folder.mkdir()
    with pytest.raises(UnreadableError, match="folder"):
        read(folder)


PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".jdx", ".mat", ".tif", ".spc", ".h5", ".npy", ".imzML", ".0"])
@pytest.mark.parametrize("packer", PACKERS.values(), ids=list(PACKERS))
def test_what_is_compressed_in_spite_of_its_suffix_is_said_to_be(packer, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(packer(b"Wavelength (nm)\tCounts\n400\t1\n410\t2\n420\t3\n" * 9))
    with pytest.raises(UnreadableError, match=r"compressed \(\w+\) in spite of its suffix; unpack it"):
        read(path)


def test_an_archive_with_the_name_of_a_text_is_said_to_be_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.csv", "w") as archive:
        archive.writestr("a.txt", "400 1\n410 2\n")
    with pytest.raises(UnreadableError, match=r"compressed \(ZIP\)"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.xlsx", "save the sheet as .csv"),
        ("x.czi", "plugins of napari"),
        ("x.pkl", "run code"),
        ("x.rds", "write.csv"),
        ("x.jpg", "picture"),
    ],
)
def test_files_of_other_programs_are_refused_with_a_remedy(name, words, tmp_path):
    (tmp_path / name).write_bytes(b"\0\1\2\3" * 40)
    with pytest.raises(ValueError, match=words):
        read(tmp_path / name)


def test_a_list_of_vamas_and_a_line_with_numbers_are_no_tables(tmp_path):
    (tmp_path / "x.vms").write_text("VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4\nlab\n" + "1\n2\n3\n" * 20)
    with pytest.raises(ValueError, match="VAMAS is not read"):
        read(tmp_path / "x.vms")
    (tmp_path / "README.md").write_text("# hello\n\ntext 1 2 3\n")
    with pytest.raises(ValueError, match="no reader for '.md'"):
        read(tmp_path / "README.md")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("stray", ["folder/", "notes.txt", ".DS_Store", "a/b/c.txt", "cube/folder/", "cube/Thumbs.db"])
def test_other_files_in_a_store_of_zarr_are_none_of_its_members(stray, version, tmp_path):
    path = tmp_path / "x.zarr"
    group = zarr.create_group(path, zarr_format=version)
    group.create_array("cube", data=DATA)
    group.create_array("wavelength", data=CUBE.axis.values).attrs["units"] = "nm"
    place = path / stray
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir() if stray.endswith("/") else place.write_text("x")
    assert is_same(read(path))
    assert inspect(path) == {"cube": (4, 5, 7), "wavelength": (7,)}


def test_a_damaged_member_of_a_store_is_named(tmp_path):
    group = zarr.create_group(tmp_path / "x.zarr")
    group.create_array("cube", data=DATA)
    (tmp_path / "x.zarr" / "other").mkdir()
    (tmp_path / "x.zarr" / "other" / "zarr.json").write_text("{")
    with pytest.raises(UnreadableError, match="what it says of 'other' is damaged"):
        read(tmp_path / "x.zarr")


def test_raw_values_of_envi_may_have_the_suffix_of_winspec(tmp_path):
    written = write(CUBE, tmp_path / "x.hdr")
    next(path for path in tmp_path.iterdir() if path != written).rename(tmp_path / "x.spe")
    assert is_same(read(tmp_path / "x.spe"))
    assert is_same(read(written))


def test_dimensions_of_a_store_have_names(tmp_path):
    assert zarr.open(write(CUBE, tmp_path / "x.zarr")).metadata.dimension_names == ("y", "x", "wavelength")
