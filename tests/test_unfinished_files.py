"""Files that were cut off or are still being written: an error, or a warning of what is missing; never zeros or cut numbers in silence."""

from __future__ import annotations

import os
import warnings

import h5py
import numpy as np
import pytest
import zarr

from napari_spectrai import Cube, SpectralAxis, read, write
from napari_spectrai.io import UnreadableError

RNG = np.random.default_rng(0)
WAVE = np.linspace(400, 700, 12)
VALUES = RNG.random((12, 3)) + 1
HEADER = "ENVI\nsamples = 4\nlines = 3\nbands = 2\ndata type = {}\n{}wavelength = {{500, 600}}\nwavelength units = nm\n{}"
EMSA = "".join(f"#{key:12s}: {value}\n" for key, value in (
    ("FORMAT", "EMSA/MAS Spectral Data File"), ("VERSION", "1.0"), ("NPOINTS", "4"), ("NCOLUMNS", "1"), ("XUNITS", "nm"), ("DATATYPE", "Y"),
    ("XPERCHAN", "1.0"), ("OFFSET", "400.0"), ("SPECTRUM", "here"),
)) + "1.5,\n2.5,\n3.5,\n4.5,\n"  # fmt: skip
BLOCK = "##TITLE=a\n##JCAMP-DX=4.24\n##XUNITS=1/CM\n##FIRSTX=1\n##LASTX=4\n##XYDATA=(X++(Y..Y))\n1 5 6 7 8\n"


def heard(path, **options) -> str:
    """Return what is said when a file is read."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read(path, **options)
    return "; ".join(str(one.message) for one in said)


def columns(mark: str) -> str:
    rows = [f"{w:.2f}{mark}" + mark.join(f"{v:.5f}" for v in line) for w, line in zip(WAVE, VALUES, strict=True)]
    return "\n".join([mark.join(["Wavelength (nm)", "a", "b", "c"]), *rows])


def rows(mark: str) -> str:
    lines = [f"n{n}{mark}" + mark.join(f"{v:.5f}" for v in line) for n, line in enumerate(VALUES.T)]
    return "\n".join([mark.join(["name", *(f"{w:.2f}" for w in WAVE)]), *lines])


@pytest.mark.parametrize("table", [columns, rows])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_that_is_cut_anywhere_in_its_last_line_is_mentioned(table, mark, tmp_path):
    whole = table(mark)
    last = len(whole) - whole.rindex("\n") - 1
    for lost in range(1, last):
        (tmp_path / "a.csv").write_text(whole[:-lost])
        cells = whole[:-lost].rpartition("\n")[2].split(mark)
        try:
            said = heard(tmp_path / "a.csv")
        except UnreadableError as error:
            said = str(error)
        assert "may be cut off" in said or "truncated" in said or len(cells) < 4, (lost, cells)  # too few to tell them from words
    (tmp_path / "a.csv").write_text(whole)
    assert "may be cut off" not in heard(tmp_path / "a.csv")  # a last line that does not end is none that is cut


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.hdr", HEADER.format(1, "interleave = bip\n", ""), "holds 24 bytes more than the 24"),
        ("a.hdr", HEADER.format(2, "", ""), "gives no interleave; bsq is taken"),
        ("a.hdr", HEADER.format(2, "interleave = bip\n", "data igno"), "ends within a line ('data igno')"),
        ("a.msa", EMSA, "ends without #ENDOFDATA"),
        ("a.jdx", BLOCK, "ends without ##END=; it may be cut off"),
        ("a.jdx", "##TITLE=c\n##DATA TYPE=LINK\n##BLOCKS=2\n" + BLOCK + "##END=\n", "ends without ##END= and with 1 of 2 blocks"),
    ],
)
def test_what_is_missing_from_a_text_is_mentioned(name, content, words, tmp_path):
    (tmp_path / "a.img").write_bytes(bytes(48))
    (tmp_path / name).write_text(content)
    assert words in heard(tmp_path / name)


def test_texts_that_promise_more_are_refused(tmp_path):
    (tmp_path / "a.asp").write_text("\n".join(["9", "4000", "400", "1", "1", "4", *map(str, range(8))]))
    with pytest.raises(UnreadableError, match="promises 9 points and gives 8; it is truncated"):
        read(tmp_path / "a.asp")
    path = write(Cube(VALUES.T, SpectralAxis(WAVE, "nm")), tmp_path / "a.csv")
    path.write_text(path.read_text()[:-4])
    assert "its last line does not end, as it did when it was written here" in heard(path)


def test_values_that_are_not_written_yet_are_mentioned(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("part", (8, 8, 5), "f4", chunks=(4, 4, 5))[:4] = 1
        file.create_dataset("none", (8, 8, 5), "f4", fillvalue=7)
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    root.create_array("part", shape=(8, 8, 5), chunks=(4, 4, 5), dtype="f4")[:4] = 1
    for path in (tmp_path / "a.h5", tmp_path / "a.zarr"):
        assert "2 of its 4 chunks are not in the" in heard(path, dataset="part")
    assert "none of its values are in the file, which may still be being written; their values read as 7" in heard(
        tmp_path / "a.h5", dataset="none"
    )
    with h5py.File(tmp_path / "b.h5", "w", libver="latest") as file:
        file["data"] = np.ones((4, 5, 6))
        file.swmr_mode = True
        (tmp_path / "c.h5").write_bytes((tmp_path / "b.h5").read_bytes())  # as it is left behind by a program that is killed
    with pytest.raises(UnreadableError, match="open for writing, or ended without closing it"):
        read(tmp_path / "c.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
def test_a_pipe_next_to_a_file_is_not_waited_for(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4)))
    (tmp_path / "b.imzML").write_text("<mzML/>")
    for name in ("a.npy.json", "b.ibd"):
        os.mkfifo(tmp_path / name)
    for name in ("a.npy", "b.imzML"):
        with pytest.raises(ValueError, match="a device or a pipe and no file"):
            read(tmp_path / name)
