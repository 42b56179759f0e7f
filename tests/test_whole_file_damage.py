"""Mutations over whole files of formats that other libraries read, and of labels: an error in one line or a result, and no output."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import netcdf_file
from test_igor import MAP, fifth, text
from test_nexus_variants import filled
from test_product_variants import geotiff, ims

from napari_spectrai import Cube, inspect, predict, read, write
from napari_spectrai.io import UnreadableError, pictures
from napari_spectrai.io.labels import holds_labels, read_labels, write_labels
from napari_spectrai.labels import Labels

DATA = Path(__file__).parent / "data"
RNG = np.random.default_rng(0)
EMSA = "\n".join([
    "#FORMAT      : EMSA/MAS Spectral Data File", "#VERSION     : 1.0", "#TITLE       : x", "#NPOINTS     : 5", "#NCOLUMNS    : 1",
    "#XUNITS      : eV", "#YUNITS      : counts", "#DATATYPE    : Y", "#XPERCHAN    : 0.5", "#OFFSET      : 100", "#SPECTRUM    : x",
    "1.0,", "2.0,", "3.0,", "2.0,", "1.0,", "#ENDOFDATA   :", "",
])  # fmt: skip

_ROW = "|".join(str(500 + n) for n in range(20))
_LINES = [f"{n}\t0\t" + "\t".join(str(n + k) for k in range(9)) for n in range(4)]
MADE = {
    "a.tvf": (
        '<XmlMain Filename="a.tvf"><Documents><Childs Count="1"><Document Version="2" Label="a">'
        "<InfoSerialized>&lt;Info/&gt;</InfoSerialized>"
        f'<xDim Calibration="None"><Calibration Unit="nm" ValueArray="20|{_ROW}"/></xDim><Data>'
        '<Frame TimeStamp="1 2" TransferredFrames="1">'
        + ";".join(str(n) for n in range(20)) + "</Frame></Data></Document></Childs></Documents><Hardware/><FileInfoSerialized/></XmlMain>"
    ).encode(),
    "a.xml": (
        '<?xml version="1.0" encoding="iso-8859-1"?><LSX_Data ID="0xC0000000"><LSX_Tree ID="0x0"><LSX ID="0x6C62D4D9"/>'
        '<LSX ID="0x6C7469D9"><LSX Size="2"/></LSX></LSX_Tree><LSX_Matrix Size="2">'
        + "".join(f"<LSX_Row>{' '.join(map(str, range(9)))}</LSX_Row>" for _ in range(2)) + "</LSX_Matrix></LSX_Data>"
    ).encode("latin-1"),
    "a.spa": b"Spectral Data File".ljust(288, b"\0") + struct.pack("<HII6xHII6x16x", 2, 336, 24, 3, 360, 80)
    + struct.pack("<IIIIff", 0, 20, 1, 0, 4000, 400) + bytes(80),
    "a.gsf": b"Gwyddion Simple Field 1.0\nXRes = 4\nYRes = 3\nXReal = 1e-6\n\0\0" + bytes(48),
    "a.ibw": fifth(RNG.integers(0, 99, (4, 3, 9)), MAP),
    "a.itx": text(RNG.integers(0, 99, (4, 3, 9)), 'X SetScale/P z 400,10,"nm", \'a map\'').encode(),
    "a.hdr": b"ENVI\nsamples = 4\nlines = 3\nbands = 2\ndata type = 4\ninterleave = bil\nwavelength = {500, 600}\nwavelength units = nm\n",
    "a.txt": "\n".join(["#AxisType[1]=\tSpectr", "#AxisUnit[1]=\tnm", "\t\t" + "\t".join(map(str, range(500, 509))), *_LINES]).encode(),
}  # fmt: skip
"""Small files in the layouts of TriVista, LabSpec, OMNIC, Gwyddion, ENVI and LabSpec's text."""


def lsm(path: Path) -> None:
    """Write four channels as Zeiss does, with a thumbnail after the image."""
    fields = {"MagicNumber": 67127628, "StructureSize": 600, "DimensionX": 16, "DimensionY": 16, "DimensionZ": 1, "DimensionChannels": 4}
    fields |= {"DimensionTime": 1, "DataType": 1, "VoxelSizeX": 1e-6, "VoxelSizeY": 1e-6, "VoxelSizeZ": 1e-6}
    info, place = bytearray(800), 0
    for name, kind in tifffile.TIFF.CZ_LSMINFO:
        number = np.dtype(f"<{kind}")
        info[place : place + number.itemsize] = np.array(fields.get(name, 0), number).tobytes()
        place += number.itemsize
    with tifffile.TiffWriter(path) as file:
        image = RNG.integers(0, 255, (4, 16, 16)).astype(np.uint8)
        tag = [(34412, 1, len(info), bytes(info), True)]
        file.write(image, planarconfig="separate", photometric="minisblack", metadata=None, extratags=tag)
        file.write(np.zeros((3, 8, 8), np.uint8), planarconfig="separate", photometric="rgb", metadata=None, subfiletype=1)


def made(folder: Path, name: str) -> Path:
    """Return a whole file."""
    path = folder / name
    labels = Labels(np.arange(12).reshape(3, 4) % 5, {1: "fat"})
    if name == "a.lsm":
        lsm(path)
    elif name == "a.msa":
        path.write_text(EMSA)
    elif name == "a.img":  # Hamamatsu
        head = b"IM" + np.array([4, 20, 3, 0, 0, 2], "<u2").tobytes() + bytes(50)
        path.write_bytes(head + b"[x]," + RNG.integers(0, 9, (3, 20)).astype("<u2").tobytes())
    elif name in MADE:
        path.write_bytes(MADE[name])
        (folder / "a.dat").write_bytes(bytes(96))
    elif name == "a.nc":
        with netcdf_file(path, "w") as file:
            for side, length in (("y", 3), ("x", 4), ("wavelength", 5)):
                file.createDimension(side, length)
            file.createVariable("wavelength", "f4", ("wavelength",))[:] = np.arange(500, 505)
            file.createVariable("radiance", "f4", ("y", "x", "wavelength"))[:] = 1
    elif name == "a.ims":
        ims(path, channel=lambda number: {"LSMEmissionWavelength": 410 + 10 * number})
    elif name == "a.tif":
        geotiff(path, ("wavelength", "", range(500, 512)), ("SCALE", "scale", [0.5] * 12))
    elif name == "a.nxs":
        with h5py.File(path, "w") as file:
            filled(file)
            file.attrs["default"] = "entry"
    elif name == "labels.h5":
        with h5py.File(path, "w") as file:
            file["labels"] = labels.data
    elif name.startswith("labels"):
        write_labels(labels, path)
    else:
        path.write_bytes((DATA / name).read_bytes() if (DATA / name).exists() else (DATA / "field" / name).read_bytes())
    return path


def spoilt(whole: bytes, rng: np.random.Generator, way: str) -> bytes:
    """Return the file cut, with single bytes changed, or with a run of bytes replaced, anywhere in it."""
    if way == "cut":
        return whole[: rng.integers(0, len(whole))]
    content = bytearray(whole)
    if way == "changed":
        for place in rng.integers(0, len(whole), 1 + len(whole) // 300):
            content[place] ^= int(rng.integers(1, 256))
    else:
        place, count = rng.integers(0, len(whole)), int(rng.integers(1, 64))
        content[place : place + count] = b"\xff" * count
    return bytes(content)


NAMES = (
    "a.lsm",
    "a.msa",
    "a.img",
    "sp.wdf",
    "nxdata_attributes.h5",
    "bandsfirst.mat",
    "processed_diff.imzML",
    "m_xyxy.spc",
    "compound2.jdx",
    "a.tvf",
    "a.xml",
    "a.spa",
    "a.gsf",
    "a.ibw",
    "a.itx",
    "a.nc",
    "a.hdr",
    "a.txt",
    "a.ims",
    "a.tif",
    "a.nxs",
    "test_opus.0",
)
LABELS = ("labels.tif", "labels.png", "labels.npz", "labels.h5")


@pytest.mark.parametrize("name", [*NAMES, *LABELS])
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_is_one_line_or_a_result(name, tmp_path, capfd):
    (tmp_path / "processed_diff.ibd").write_bytes((DATA / "field" / "processed_diff.ibd").read_bytes())
    path = made(tmp_path, name)
    whole, rng = path.read_bytes(), np.random.default_rng(2)
    readers = [read_labels, holds_labels] if name in LABELS else [lambda file: np.asarray(read(file).data), inspect, pictures, holds_labels]
    for way in ("whole", "cut", "changed", "run") * 3:
        path.write_bytes(whole if way == "whole" else spoilt(whole, rng, way))
        for reader in readers:
            try:
                reader(path)
            except UnreadableError as error:
                assert "\n" not in str(error)  # noqa: PT017
                assert name in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")


def test_an_lsm_is_read_without_its_thumbnail(tmp_path):
    cube = read(made(tmp_path, "a.lsm"))
    assert cube.shape == (16, 16, 4)
    assert cube.pixel_size == (1.0, 1.0)


@pytest.mark.parametrize("compressed", [False, True])
def test_tags_of_matlab_that_crash_its_reader_are_refused(compressed, tmp_path):
    import zlib

    from scipy.io import savemat

    path = tmp_path / "a.mat"
    savemat(path, {"a": np.ones((3, 4, 20)), "s": {"b": np.ones(20)}})
    whole = path.read_bytes()
    flags = 128 + 8  # the tag of the first part of the first variable
    spoilt_tag = whole[:flags] + (4_000_000).to_bytes(4, "little")[:2] + b"\0\0" + whole[flags + 4 :]
    if compressed:
        inner = zlib.compress(spoilt_tag[128:])
        spoilt_tag = whole[:128] + (15).to_bytes(4, "little") + len(inner).to_bytes(4, "little") + inner
    path.write_bytes(spoilt_tag)
    for reader in (read, inspect, read_labels):
        with pytest.raises(UnreadableError, match=r"a\.mat: cannot be read as .* has the unknown type"):
            reader(path)
    path.write_bytes(whole)
    assert read(path, dataset="a").shape == (3, 4, 20)


CHECKED = [".zarr", ".ome.zarr", ".h5", ".npz", ".mat", "labels.zarr", "labels.npz", "labels.tif", "predicted.zarr"]


@pytest.mark.parametrize("name", CHECKED)
def test_a_bit_that_changes_in_a_compressed_file_of_ours_is_an_error_and_no_other_value(name, tmp_path):
    values = RNG.normal(1, 0.1, (40, 40, 20)).astype(np.float32)
    path, load = tmp_path / f"x{name}", lambda path: np.asarray(read(path).data)
    if name.startswith("labels"):
        write_labels(Labels(RNG.integers(0, 200, (64, 64))), path)
        load = lambda path: read_labels(path).data  # noqa: E731
    elif name.startswith("predicted"):
        predict("savitzky_golay", Cube(values), out=path)
    else:
        write(Cube(values), path)
    whole = load(path)
    file = max((one for one in (path, *path.rglob("*")) if one.is_file()), key=lambda one: one.stat().st_size)
    content = file.read_bytes()
    noticed = 0
    for place in np.linspace(len(content) // 4, 3 * len(content) // 4, 20, dtype=int):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            same = np.array_equal(load(path), whole)
        except (UnreadableError, ValueError):
            noticed += 1
        else:
            assert same
    assert noticed > 10
