"""Variants of imzML, OPUS and folded dimensions of OME-TIFF, and suffixes whose layout is not published."""

from __future__ import annotations

import itertools
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pyimzml.compression import NoCompression, ZlibCompression
from pyimzml.ImzMLWriter import ImzMLWriter

from napari_spectrai import inspect, read
from napari_spectrai.io import SpectralWarning, UnreadableError

DATA = Path(__file__).parent / "data"
quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
MASSES = np.linspace(100, 500, 20)


# ------------------------------------------------------------------ imzML


def grid(columns, rows, planes=(1,)):
    return [(x, y, z) for z in planes for y in rows for x in columns]


def imzml(folder, pixels, *, mode="continuous", types=("f8", "f4"), masses=lambda _: MASSES, packed=False, edit=None) -> Path:
    """Write pixels (x, y, z), whose first value is 100 z + 10 y + x and whose others ascend by one."""
    path = folder / "a.imzML"
    how = ZlibCompression() if packed else NoCompression()
    kinds = dict(zip(("mz_dtype", "intensity_dtype"), (np.dtype(kind).type for kind in types), strict=True))
    with ImzMLWriter(str(path), mode=mode, mz_compression=how, intensity_compression=how, **kinds) as file:
        for x, y, z in pixels:
            file.addSpectrum(masses((x, y, z)), 100 * z + 10 * y + x + np.arange(len(masses((x, y, z)))), (x, y, z))
    if edit is not None:
        path.write_text(edit(path.read_text("latin-1")), "latin-1")
    return path


@pytest.mark.parametrize(
    ("pixels", "shape", "first", "origin"),
    [
        (grid((1, 2, 3), (1, 2)), (2, 3), 111, None),
        (grid((3, 2, 1), (2, 1)), (2, 3), 111, None),
        (grid((801, 802, 803), (501, 502)), (2, 3), 5911, [500.0, 800.0]),
        (grid((0, 1, 2), (0, 1)), (2, 3), 100, None),
        (grid((4, 5), (1, 2, 3), (1, 2)), (2, 3, 2), 114, [0.0, 3.0]),
        (grid((5, 6), (7, 8), (4, 5)), (2, 2, 2), 475, [6.0, 4.0]),
    ],
)
def test_regions_and_planes_lie_where_they_were_measured(pixels, shape, first, origin, tmp_path):
    cube = read(imzml(tmp_path, pixels))
    assert cube.shape == (*shape, 20)
    assert cube.axis.unit == "m/z"
    data = np.asarray(cube.data)
    assert data[(0,) * len(shape)][0] == first
    assert (np.diff(data[..., 0], axis=-1) == 1).all()
    assert (np.diff(data[..., 0], axis=-2) == 10).all()
    assert cube.metadata.get("origin") == origin


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", ["continuous", "processed"])
@pytest.mark.parametrize("types", [("f4", "f4"), ("f8", "f8"), ("f8", "i4"), ("f4", "i8")])
def test_types_and_compression(types, mode, packed, tmp_path):
    cube = read(imzml(tmp_path, grid((1, 2), (1, 2)), mode=mode, types=types, packed=packed))
    np.testing.assert_allclose(cube.axis.values, MASSES, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(cube.data)[1, 1], 122 + np.arange(20))


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_with_masses_of_their_own(packed, tmp_path):
    path = imzml(tmp_path, grid((1, 2), (1, 2)), mode="processed", masses=lambda at: MASSES[: 10 + at[0]], packed=packed)
    with pytest.warns(SpectralWarning, match="common axis of 12 masses"):
        data = np.asarray(read(path).data)
    np.testing.assert_array_equal(data[0, 0], [*(111 + np.arange(11)), 0])


SIZE = '<cvParam cvRef="IMS" accession="IMS:10000{}" name="pixel size" value="{}" unitCvRef="UO" unitAccession="UO:{}" unitName="x"/>'


@pytest.mark.parametrize(
    ("sides", "unit", "expected"),
    [
        ({46: 50, 47: 25}, "0000017", (25.0, 50.0)),
        ({46: 50}, "0000017", (50.0, 50.0)),
        ({46: 50_000, 47: 25_000}, "0000018", (25.0, 50.0)),
        ({46: 0.05}, "0000016", (50.0, 50.0)),
    ],
)
def test_pixel_sizes_in_any_unit_of_length(sides, unit, expected, tmp_path):
    lines = "".join(SIZE.format(side, value, unit) for side, value in sides.items())
    cube = read(
        imzml(
            tmp_path,
            grid((3, 4), (1, 2)),
            edit=lambda text: text.replace(
                '<cvParam cvRef="IMS" accession="IMS:1000042"', lines + '<cvParam cvRef="IMS" accession="IMS:1000042"', 1
            ),
        )
    )
    assert (cube.pixel_size, cube.pixel_unit) == (pytest.approx(expected), "um")
    assert cube.metadata["origin"] == pytest.approx([0.0, 2 * expected[1]])


def test_values_of_another_file_missing_or_cut(tmp_path):
    path = imzml(tmp_path, grid((1, 2), (1, 2)))
    values = path.with_suffix(".ibd")
    content = values.read_bytes()
    values.write_bytes(b"\1" * 16 + content[16:])
    with pytest.warns(SpectralWarning, match="may be those of another file"):
        read(path)
    values.write_bytes(content[:-20])
    with pytest.raises(UnreadableError, match="pixel 4 has 60 of 80 bytes"):
        read(path)
    values.unlink()
    for reader in (read, inspect):
        with pytest.raises(UnreadableError, match=r"a\.ibd with its values is missing"):
            reader(path)
    path = imzml(tmp_path, grid((1, 2), (1, 2)), edit=lambda text: re.sub(r'MS:1000576" name="[^"]*"', 'MS:1002312" name="x"', text))
    with pytest.raises(UnreadableError, match="compressed as MS-Numpress"):
        read(path)


# ------------------------------------------------------------------ OPUS

_STATUS, _DIRECTORY = 1, 24


def opus(path: Path, *, changes=None, code=None, series=None) -> Path:
    """Write a changed copy of a file of an instrument: parameters of its result, its kind, or a series instead of one spectrum."""
    content = bytearray((DATA / "field" / "test_opus.0").read_bytes())
    (count,) = struct.unpack_from("<i", content, 20)
    for place in range(_DIRECTORY, _DIRECTORY + 12 * count, 12):
        kind, size, start = struct.unpack_from("<3i", content, place)
        is_result, is_status = kind >> 10 & 127 == 10, kind >> 4 & 63 == _STATUS
        if not is_result:
            continue
        kind = kind if code is None else kind & ~(127 << 10) | code << 10
        if series is not None:
            kind |= 2 << 19
        if series is not None and not is_status:
            start, size = len(content), -(-len(series) // 4)
            content += series
        struct.pack_into("<3i", content, place, kind, size, start)
        here = start
        while is_status and content[here : here + 3] != b"END":
            form, words = struct.unpack_from("<2h", content, here + 4)
            value = (changes or {}).get(content[here : here + 3].decode())
            if value is not None and form < 2:
                struct.pack_into("<d" if form else "<i", content, here + 8, value)
            elif value is not None:
                content[here + 8 : here + 8 + 2 * words] = value.encode().ljust(2 * words, b"\0")
            here += 8 + 2 * words
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.0", "a.00", "a.10", "a.0123", "a.opus", "A"])
@pytest.mark.parametrize("code", [4, 5, 6, 11, 12, 15, 16, 17, 33])
def test_results_of_opus_of_any_kind_and_name(code, name, tmp_path):
    cube = read(opus(tmp_path / name, code=code))
    assert (cube.shape, cube.axis.unit) == ((1, 4096), "1/cm")
    assert np.asarray(cube.data).max() == pytest.approx(0.0759058, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "unit", "ends"),
    [
        ({"DXU": "NM"}, "nm", (4000.66, 51.8926)),
        ({"DXU": "MI", "FXV": 2.5, "LXV": 25.0}, "um", (2.5, 25.0)),
        ({"DXU": "RSH", "FXV": -100.0, "LXV": 3500.0}, "1/cm", (-100.0, 3500.0)),
        ({"DXU": "LGW", "FXV": np.log(4000.0), "LXV": np.log(400.0)}, "1/cm", (4000.0, 400.0)),
        ({"DXU": "MIN"}, "", (4000.66, 51.8926)),
    ],
)
def test_units_of_opus(changes, unit, ends, tmp_path, recwarn):
    axis = read(opus(tmp_path / "a.0", changes=changes)).axis
    assert axis.unit == unit
    assert axis.values[[0, -1]] == pytest.approx(ends, rel=1e-5)
    assert bool(len(recwarn)) == (unit == "")


def test_series_of_opus_with_their_scale_and_times(tmp_path):
    spectra = np.arange(3 * 4096, dtype="<f4").reshape(3, 4096)
    info = [
        struct.pack("<8i4d2i7d2i2d", *[0] * 18, factor, 0, 0, 0, 0, time - 1.0, time) for factor, time in ((1.0, 5), (2.0, 9), (1.0, 14))
    ]
    head = struct.pack("<6i2i", 0, 3, 32, 4 * 4096, len(info[0]), 1, 0, 2)
    series = head + b"".join(one.tobytes() + said for one, said in zip(spectra, info, strict=True))
    cube = read(opus(tmp_path / "a.0", series=series))
    np.testing.assert_array_equal(np.asarray(cube.data), spectra * [[1], [2], [1]])
    assert cube.metadata["coordinates"]["time"] == {"values": [5.0, 9.0, 14.0], "unit": "s"}


def test_files_of_opus_that_end_early(tmp_path):
    path = opus(tmp_path / "a.0")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(UnreadableError, match="it ends before its block 'ra' does; it is truncated"):
        read(path)


# ------------------------------------------------------------------ OME-TIFF


def folded(path: Path, along: str, sizes: dict[str, int], said: str, *, order="XYCZT", count=4, page=(), reference="Image") -> Path:
    """Write planes of the value 100 λ + 40 c + 10 z + t, with `count` positions folded into a dimension."""
    full = sizes | {along: sizes[along] * count}
    planes = []
    for numbers in itertools.product(*(range(full[name]) for name in reversed(order[2:]))):
        at = dict(zip(reversed(order[2:]), numbers, strict=True))
        wavelength, at[along] = at[along] % count, at[along] // count
        planes.append(np.full((5, 7), 100 * wavelength + 40 * at["C"] + 10 * at["Z"] + at["T"], "u2"))
    link = '<AnnotationRef ID="Annotation:0"/>'
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="7" SizeY="5" SizeC="{full["C"]}" SizeZ="{full["Z"]}" '
        f'SizeT="{full["T"]}" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
        + "".join(f'<Channel ID="Channel:0:{number}" SamplesPerPixel="1"/>' for number in range(full["C"]))
        + f"<TiffData/>{link * (reference == 'Pixels')}</Pixels>{link * (reference == 'Image')}</Image><StructuredAnnotations>"
        '<XMLAnnotation ID="Annotation:0" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value><Modulo>'
        f"{said}</Modulo></Value></XMLAnnotation></StructuredAnnotations></OME>"
    )
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(planes):
            described = xml.encode() if number == 0 else None
            file.write(plane, photometric="minisblack", description=described, metadata=None, contiguous=False, **dict(page))
    return path


ONE = {"C": 1, "Z": 1, "T": 1}
FOLDS = [(along, order, sizes) for along in "CZT" for order in ("XYCZT", "XYTZC", "XYZCT") for sizes in (ONE, {"C": 2, "Z": 3, "T": 2})]


@pytest.mark.parametrize(("along", "order", "sizes"), FOLDS)
def test_wavelengths_folded_into_any_dimension(along, order, sizes, tmp_path):
    said = f'<ModuloAlong{along} Type="lambda" Unit="nm" Start="410" Step="10" End="440"/>'
    cube = read(folded(tmp_path / "a.ome.tif", along, sizes, said, order=order))
    np.testing.assert_allclose(cube.axis.values, [410, 420, 430, 440])
    assert (cube.axis.unit, cube.pixel_size) == ("nm", (0.5, 0.5))
    assert (np.diff(np.asarray(cube.data).astype(int), axis=-1) == 100).all()
    assert sorted(cube.shape[:-3]) == sorted(length for length in sizes.values() if length > 1)


def steps(start, step, end, unit="nm", kind="lambda") -> str:
    return f'<ModuloAlongC Type="{kind}" Unit="{unit}" Start="{start}" Step="{step}" End="{end}"/>'


@quiet
@pytest.mark.parametrize(
    ("said", "unit", "values"),
    [
        *((steps(410, 10, 440, kind=kind), "nm", [410, 420, 430, 440]) for kind in ("Lambda", "LAMBDA", "spectral", "wavelength")),
        (steps(0.41, 0.01, 0.44, "µm"), "um", [0.41, 0.42, 0.43, 0.44]),  # whose quotient is 2.9999…
        (steps(410.25, 9.7, 439.35), "nm", [410.25, 419.95, 429.65, 439.35]),
        (steps(440, -10, 410), "nm", [440, 430, 420, 410]),
        (steps(4100, 100, 4400, "Å"), "nm", [410, 420, 430, 440]),
        (steps(1000, 10, 1030, "1/cm"), "1/cm", [1000, 1010, 1020, 1030]),
        (
            '<ModuloAlongC Type="lambda" Unit="nm">' + "".join(f"<Label>{n}</Label>" for n in (405, 420.5, 488, 640)) + "</ModuloAlongC>",
            "nm",
            [405, 420.5, 488, 640],
        ),
        (
            '<ModuloAlongC Type="lambda">' + "".join(f"<Label>{n}-{n + 10} nm</Label>" for n in (400, 410, 420, 430)) + "</ModuloAlongC>",
            "nm",
            [405, 415, 425, 435],
        ),
        (steps(410, 10, 440) + '<ModuloAlongT Type="lifetime" Unit="ps" Start="0" Step="50" End="50"/>', "nm", [410, 420, 430, 440]),
    ],
)
@pytest.mark.parametrize("reference", ["Image", "Pixels"])
def test_folded_wavelengths_in_any_wording(said, unit, values, reference, tmp_path):
    sizes = {"C": 2, "Z": 1, "T": 2}
    axis = read(folded(tmp_path / "a.ome.tif", "C", sizes, said, reference=reference, page={"compression": "zlib"}.items())).axis
    assert axis.unit == unit
    np.testing.assert_allclose(axis.values, values)


def test_a_count_that_does_not_fit_is_not_used(tmp_path):
    path = folded(tmp_path / "a.ome.tif", "C", {"C": 2, "Z": 1, "T": 1}, steps(410, 10, 450))
    with pytest.warns(SpectralWarning, match="5 positions of lambda are folded into C, which has 8"):
        assert read(path).shape == (5, 7, 8)


# ------------------------------------------------------------------ closed formats


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.l6s", b"LabSpec6"), ("a.L6M", b""), ("a.wxd", b"#WXD000"), ("b", b"LabSpec6\0"), ("a.srs", b"x"), ("a.nea", b"x")],
)
def test_formats_without_a_published_layout_say_so(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="no reader for .*layout is not published; export it as text"):
        read(tmp_path / name)
