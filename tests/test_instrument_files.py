"""Princeton Instruments, PerkinElmer, Agilent and WITec: values, positions and geometry of files written in the published layouts."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import inspect, read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError
from napari_spectrai.io.folders import spectral_files
from tests import instrument_files as write

CUBE = np.arange(3 * 4 * 6, dtype=np.float32).reshape(3, 4, 6)


# ------------------------------------------------------------------ Princeton Instruments


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i2", "<u2", "<u4"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 4), (3, 4)])
def test_frames_and_rows_of_winspec_with_its_polynomial(dtype, shape, tmp_path):
    frames = np.arange(np.prod(shape) * 6).reshape(*shape, 6).astype(dtype)
    cube = read(write.spe2(tmp_path / "a.spe", frames, write.calibrated((500.0, 2.0, 0.01), centre=505.0, roi=(1, 6, 1))))
    rows = tuple(length for length in shape if length > 1) or (1,)
    assert cube.shape == (*rows, 6)
    assert cube.axis.unit == "nm"
    pixel = np.arange(1, 7)
    np.testing.assert_allclose(cube.axis.values, 500 + 2 * pixel + 0.01 * pixel**2)
    np.testing.assert_array_equal(np.asarray(cube.data), frames.reshape(*rows, 6))
    assert cube.data.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("fields", "unit", "first", "says"),
    [
        (write.calibrated((500.0, 2.0), roi=(1, 6, 1)), "nm", 502.0, "nm is assumed"),
        (write.calibrated((500.0, 2.0), title=b"Wavelength (nm)", roi=(1, 6, 1)), "nm", 502.0, None),
        (write.calibrated((100.0, 2.0), title=b"Raman Shift (cm-1)", roi=(1, 6, 1), laser=1e7 / 532), "1/cm", 102.0, None),
        # a title of what is shown does not change the polynomial, which is in nm where the grating stands among its values
        (write.calibrated((500.0, 2.0), title=b"Raman Shift (cm-1)", centre=505.0, roi=(1, 6, 1)), "nm", 502.0, None),
        (write.calibrated((500.0, 2.0), centre=705.0, roi=(101, 106, 1)), "nm", 702.0, "pixels of the detector from 101"),
        (write.calibrated((500.0, 2.0), centre=510.0, roi=(1, 12, 2)), "nm", 503.0, "2 at a time"),
        # a region that does not fit the frame is not used
        (write.calibrated((500.0, 2.0), centre=505.0, roi=(11, 1024, 1)), "nm", 502.0, None),
    ],
)
def test_calibrations_of_winspec(fields, unit, first, says, tmp_path, recwarn):
    cube = read(write.spe2(tmp_path / "a.spe", CUBE[:1], fields))
    assert (cube.axis.unit, cube.axis.values[0]) == (unit, first)
    said = " ".join(str(one.message) for one in recwarn)
    assert (says in said) if says else not said
    assert cube.metadata.get("laser_nm") == (532.0 if unit == "1/cm" else None)


def test_a_stack_without_calibration_is_asked_about(tmp_path):
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        cube = read(write.spe2(tmp_path / "a.spe", CUBE))
    assert cube.axis.unit == ""
    assert read(tmp_path / "a.spe", spectral=0, axis="500:600:nm").shape == (4, 6, 3)


def test_frames_that_were_not_written_are_missed(tmp_path):
    with pytest.warns(SpectralWarning, match="3 of the 8 frames"):
        assert (
            read(write.spe2(tmp_path / "a.spe", CUBE, write.calibrated((5e2, 2.0), centre=505.0, roi=(1, 6, 1)), claimed=8)).shape[0] == 3
        )
    (tmp_path / "b.spe").write_bytes((tmp_path / "a.spe").read_bytes()[:4110])
    with pytest.raises(UnreadableError, match="ends before its first frame"):
        read(tmp_path / "b.spe")
    (tmp_path / "c.spe").write_text("$SPEC_ID:\nx\n$DATA:\n0 3\n1\n2\n3\n4\n")
    with pytest.raises(UnreadableError, match="counts"):
        read(tmp_path / "c.spe")


WAVES = "554.7,555.1,555.5,555.9,556.3,556.7"


@pytest.mark.parametrize(
    ("calibrations", "first"),
    [
        (f'<WavelengthMapping id="1"><Wavelength xml:space="preserve">{WAVES}</Wavelength></WavelengthMapping>', 554.7),
        (
            '<WavelengthMapping id="1"><WavelengthError>'
            + " ".join(f"{value},0.1" for value in WAVES.split(","))
            + "</WavelengthError></WavelengthMapping>",
            554.7,
        ),
        # wavelengths of the whole detector, of which the region takes columns 4 to 15, two at a time
        (
            '<SensorMapping id="2" x="4" y="0" width="12" height="3" xBinning="2" yBinning="1"/><WavelengthMapping id="1"><Wavelength>'
            + ",".join(str(500 + n) for n in range(20))
            + "</Wavelength></WavelengthMapping>",
            504.5,
        ),
    ],
)
@pytest.mark.parametrize(("dtype", "extra"), [("<u2", 0), ("<f4", 16), ("<u4", 24)])
def test_frames_of_lightfield_with_their_wavelengths(calibrations, first, dtype, extra, tmp_path):
    path = write.spe3(tmp_path / "a.spe", [CUBE.astype(dtype)], calibrations, extra=extra, of_frame="1", of_region="2")
    cube = read(path)
    assert cube.axis.unit == "nm"
    assert cube.axis.values[0] == first
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE.astype(dtype))


def test_regions_of_lightfield_are_chosen_by_name(tmp_path):
    regions = [CUBE[:, :1, :4].astype("<u2"), CUBE[:, :1].astype("<u2")]
    maps = "".join(
        f'<WavelengthMapping id="{n}"><Wavelength>{",".join(str(500 + 100 * n + k) for k in range(width))}</Wavelength></WavelengthMapping>'
        for n, width in enumerate((4, 6))
    )
    path = write.spe3(tmp_path / "a.spe", regions, maps, extra=8)
    assert inspect(path) == {"region 1": (3, 4), "region 2": (3, 6)}
    with pytest.raises(SeveralArraysError, match="region 2"):
        read(path)
    np.testing.assert_array_equal(np.asarray(read(path, dataset="region 2").data), regions[1][:, 0])


def test_regions_of_other_heights_are_chosen_too(tmp_path):
    """One with a single row is not left aside for one that has several."""
    maps = '<WavelengthMapping id="a"><Wavelength>500,501,502,503,504,505</Wavelength></WavelengthMapping>'
    path = write.spe3(tmp_path / "a.spe", [CUBE.astype("<u2"), CUBE[:, :1].astype("<u2")], maps)
    with pytest.raises(SeveralArraysError, match="region 1 .*region 2"):
        read(path)
    np.testing.assert_array_equal(np.asarray(read(path, dataset="region 2").data), CUBE[:, 0])


def test_footers_that_lie(tmp_path):
    path = write.spe3(tmp_path / "a.spe", [CUBE], claimed=9)
    with pytest.warns(SpectralWarning, match="3 of the 9 frames"):
        read(path, spectral=2)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'<?xml version="1.0" encoding="utf-8"?>', b'<!DOCTYPE a [<!ENTITY b "c">]>        '))
    with pytest.raises(UnreadableError, match="entities"):
        read(path)
    path.write_bytes(content[: content.index(b"<?xml")])
    with pytest.raises(UnreadableError, match="footer"):
        read(path)
    path.write_bytes(content.replace(b'height="4"', b'height="9"'))
    with pytest.raises(UnreadableError, match="9 × 6 in a frame of"):
        read(path)


# ------------------------------------------------------------------ PerkinElmer


@pytest.mark.parametrize(
    ("unit", "first", "last", "known"), [("cm-1", 4000, 700, "1/cm"), ("nm", 190, 1100, "nm"), ("NM", 1100, 190, "nm")]
)
def test_spectra_of_perkin_elmer(unit, first, last, known, tmp_path):
    values = np.sin(np.arange(34.0))
    cube = read(write.sp(tmp_path / "a.sp", [(first, last, values)], unit))
    assert (cube.shape, cube.axis.unit, cube.name) == ((1, 34), known, "strip")
    np.testing.assert_allclose(cube.axis.values[[0, -1]], [first, last])
    np.testing.assert_array_equal(np.asarray(cube.data)[0], values)


def test_several_spectra_of_perkin_elmer_and_any_suffix(tmp_path):
    path = write.sp(tmp_path / "a.001", [(4000, 700, np.arange(34.0)), (4000, 700, np.ones(34))])
    assert read(path).shape == (2, 34)


@pytest.mark.parametrize("unit", ["cm-1", "nm"])
def test_images_of_perkin_elmer(unit, tmp_path):
    cube = read(write.fsm(tmp_path / "a.fsm", CUBE, unit=unit))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, 4000 - 2 * np.arange(6))
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("1/cm" if unit == "cm-1" else "nm", (5.0, 6.25), "um")
    assert cube.metadata["origin"] == [100.0, 20.0]


def test_an_image_that_was_stopped_keeps_what_was_measured(tmp_path):
    with pytest.warns(SpectralWarning, match="7 of its 12 spectra are in it, which fill 1.75 of its 3 rows"):
        data = np.asarray(read(write.fsm(tmp_path / "a.fsm", CUBE, kept=7)).data)
    assert np.isnan(data).all(2).sum() == 1
    np.testing.assert_array_equal(data.reshape(-1, 6)[:7], CUBE.reshape(-1, 6)[:7])


# ------------------------------------------------------------------ Agilent


@pytest.mark.parametrize("opened", ["a.seq", "a.dat", "A.DAT"])
def test_single_images_of_agilent(opened, tmp_path):
    cube = np.random.default_rng(0).random((4, 4, 6)).astype(np.float32)
    write.agilent_parameters(tmp_path / "a.bsp", 2.5, 400, 6, interferogram=11)
    write.agilent_tile(tmp_path / "a.seq", np.ones((4, 4, 11)))
    write.agilent_tile(tmp_path / ("A.DAT" if opened == "A.DAT" else "a.dat"), cube)
    found = read(tmp_path / opened)
    np.testing.assert_array_equal(np.asarray(found.data), cube)
    np.testing.assert_allclose(found.axis.values, 2.5 * np.arange(400, 406))
    assert (found.axis.unit, found.pixel_size, found.pixel_unit) == ("1/cm", (22.0, 22.0), "um")
    with pytest.warns(SpectralWarning, match="interferograms"):
        assert read(tmp_path / opened, dataset="interferograms").shape == (4, 4, 11)
    assert [path.suffix for path in spectral_files(tmp_path)] == [".seq"]


@pytest.mark.parametrize("opened", ["ab9.dmt", "Ab9_0001_0000.dmd"])
def test_mosaics_of_agilent_are_read_lazily_from_any_of_their_files(opened, tmp_path):
    cube = np.random.default_rng(0).random((6, 4, 5)).astype(np.float32)
    write.agilent_mosaic(tmp_path, cube, 2)
    found = read(tmp_path / opened)
    assert isinstance(found.data, da.Array)
    np.testing.assert_array_equal(np.asarray(found.data), cube)
    np.testing.assert_allclose(found.axis.values, 2.0 * np.arange(500, 505))
    assert [path.name for path in spectral_files(tmp_path)] == ["ab9.dmt"]


def test_tiles_that_are_missing_or_cut(tmp_path):
    cube = np.ones((4, 4, 5), np.float32)
    path = write.agilent_mosaic(tmp_path, cube, 2, missing={(0, 1)})
    with pytest.warns(SpectralWarning, match="1 of its 4 tiles"):
        data = np.asarray(read(path).data)
    assert np.isnan(data[:2, 2:]).all()
    assert np.isfinite(data).sum() == 60
    tile = tmp_path / "Ab9_0000_0001.dmd"
    tile.write_bytes(tile.read_bytes()[:-4])
    with pytest.raises(UnreadableError, match="no square tile of 5 points"):
        read(path)
    (tmp_path / "alone.seq").write_bytes(bytes(2000))
    with pytest.raises(UnreadableError, match=r"alone\.bsp with its parameters is missing"):
        read(tmp_path / "alone.seq")
    (tmp_path / "flir.seq").write_bytes(b"FFF\0" + bytes(2000))
    with pytest.raises(UnreadableError, match="thermal video"):
        read(tmp_path / "flir.seq")


# ------------------------------------------------------------------ WITec

MAP = np.arange(3 * 4 * 6, dtype="<u2").reshape(3, 4, 6)
NM = 540 + 2 * np.arange(6.0)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("dtype", ["<f4", "<u2", "<i4", "<f8"])
@pytest.mark.parametrize("magic", [b"WIT_PR06", b"WIT_PRCT", b"WIT_DA06"])
def test_maps_of_witec(dtype, inverted, magic, tmp_path):
    entries = [
        write.graph(1, "Scan 1 (Spec.Data 1)", MAP.astype(dtype), axis=2, shown=3, space=4, inverted=inverted),
        write.spectral(2, 0, Polynom=(540, 2, 0)),
        write.interpretation(3, 3, 532.0),
        write.space(4, (10, 20, 0), (0.5, 0.25, 1)),
    ]
    cube = read(write.wip(tmp_path / "a.wip", entries, magic=magic))
    np.testing.assert_array_equal(np.asarray(cube.data), MAP)
    assert cube.data.dtype == np.dtype(dtype)
    np.testing.assert_allclose(cube.axis.values, 1e7 / 532 - 1e7 / NM)
    assert (cube.axis.unit, cube.metadata["laser_nm"], cube.name) == ("1/cm", 532.0, "Scan 1 (Spec.Data 1)")
    assert (cube.pixel_size, cube.pixel_unit, cube.metadata["origin"]) == ((0.25, 0.5), "um", [20.0, 10.0])


@pytest.mark.parametrize(
    ("index", "unit", "values"),
    [(0, "nm", NM), (1, "um", NM / 1e3), (2, "1/cm", 1e7 / NM), (4, "eV", 1239.841984 / NM), (5, "eV", 1239.841984 / NM), (6, "nm", NM)],
)
def test_positions_are_in_the_unit_that_the_project_shows(index, unit, values, tmp_path):
    entries = [write.graph(1, "a", MAP, axis=2), write.spectral(2, 0, shown=3, Polynom=(540, 2, 0)), write.interpretation(3, index, 532.0)]
    axis = read(write.wip(tmp_path / "a.wip", entries)).axis
    np.testing.assert_allclose(axis.values, values)
    assert axis.unit == unit


def test_calibrations_of_every_kind(tmp_path):
    in_nm = write.tag("TDTransformation", [write.tag("StandardUnit", "nm")])
    numbers = [write.tag(name, np.array(value)) for name, value in (("ModelOrigin_D", 1.0), ("WorldOrigin_D", 542.0), ("Scale_D", 2.0))]
    table = [write.tag("LUTSize", 6), write.tag("LUT", NM)]
    kinds = {
        "free": write.spectral(2, 2, FreePolynomOrder=1, FreePolynomStartBin=1, FreePolynomStopBin=4, FreePolynom=(540, 2)),
        "table": ("TDLUTTransformation", [write.tdata(2, ""), in_nm, write.tag("TDLUTTransformation", table)]),
        "linear": ("TDLinearTransformation", [write.tdata(2, ""), in_nm, write.tag("TDLinearTransformation", numbers)]),
    }
    expected = {"free": np.clip(NM, 542, 548), "table": NM, "linear": NM}
    for name, entry in kinds.items():
        path = write.wip(tmp_path / f"{name}.wip", [write.graph(1, "a", MAP, axis=2), entry])
        np.testing.assert_allclose(read(path).axis.values, expected[name])
    # a grating of 600 grooves a millimetre: the centre lies where it was set, and pixels follow its equation
    grating = {"nC": 2, "LambdaC": 598.0, "Gamma": 0.436, "Delta": -0.0039, "m": 1, "d": 1e6 / 600, "x": 0.016, "f": 300.0}
    axis = read(write.wip(tmp_path / "g.wip", [write.graph(1, "a", MAP, axis=2), write.spectral(2, 1, **grating)])).axis
    assert axis.values[2] == pytest.approx(598.0, abs=1e-9)
    incident = np.arcsin(598 * 600e-6 / 2 / np.cos(0.218)) - 0.218
    assert np.diff(axis.values)[2] == pytest.approx(0.016 / 300 * np.cos(incident + 0.436) / 600e-6, rel=1e-2)
    with pytest.warns(SpectralWarning, match="bands are numbered"):
        assert read(write.wip(tmp_path / "n.wip", [write.graph(1, "a", MAP)])).axis.unit == ""


def test_lines_points_and_several_graphs_of_witec(tmp_path):
    shared = [
        write.spectral(2, 0, Polynom=(540, 2, 0)),
        write.space(4, (10, 20, 5), (0.5, 0.25, 1), rotation=[[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    ]
    line = read(write.wip(tmp_path / "line.wip", [write.graph(1, "Line", MAP[:1], axis=2, space=4), *shared]))
    assert line.shape == (4, 6)
    assert line.metadata["coordinates"]["y"] == {"values": [20.0, 20.5, 21.0, 21.5], "unit": "um"}
    turned = read(write.wip(tmp_path / "turned.wip", [write.graph(1, "Map", MAP, axis=2, space=4), *shared]))
    assert turned.pixel_size == (0.25, 0.5)
    assert "origin" not in turned.metadata  # its rows do not follow the stage
    both = [
        write.graph(1, "Point", MAP[:1, :1], axis=2),
        write.graph(5, "Map", MAP, axis=2),
        write.graph(6, "Map", 2 * MAP, axis=2),
        *shared,
    ]
    path = write.wip(tmp_path / "both.wip", both)
    assert inspect(path) == {"Point": (1, 6), "Map": (3, 4, 6), "Map 2": (3, 4, 6)}
    with pytest.raises(SeveralArraysError, match="Map 2"):
        read(path)
    np.testing.assert_array_equal(np.asarray(read(path, dataset="Map 2").data), 2 * MAP)
    np.testing.assert_array_equal(np.asarray(read(path, dataset="Point").data), MAP[0, :1])
    with pytest.raises(UnreadableError, match="holds no graph; it holds TDSpaceTransformation, TDSpectralTransformation"):
        read(write.wip(tmp_path / "none.wip", shared))


def test_lines_that_were_not_scanned_are_missing(tmp_path):
    entries = [write.graph(1, "a", MAP, axis=2, valid=[True, True, False]), write.spectral(2, 0, Polynom=(540, 2, 0))]
    with pytest.warns(SpectralWarning, match="1 of its 3 lines"):
        data = np.asarray(read(write.wip(tmp_path / "a.wip", entries)).data)
    assert np.isnan(data[2]).all()
    np.testing.assert_array_equal(data[:2], MAP[:2])


# ------------------------------------------------------------------ damage


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["spe2", "spe3", "sp", "fsm", "dmt", "wip"])
def test_damage_anywhere_is_one_line_or_a_result(kind, tmp_path, capfd):
    mapping = f'<WavelengthMapping id="1"><Wavelength>{WAVES}</Wavelength></WavelengthMapping>'
    path = {
        "spe2": lambda: write.spe2(tmp_path / "a.spe", CUBE, write.calibrated((500.0, 2.0), roi=(1, 6, 1))),
        "spe3": lambda: write.spe3(tmp_path / "a.spe", [CUBE], mapping, extra=8),
        "sp": lambda: write.sp(tmp_path / "a.sp", [(4000, 700, np.arange(34.0))]),
        "fsm": lambda: write.fsm(tmp_path / "a.fsm", CUBE),
        "dmt": lambda: write.agilent_mosaic(tmp_path, np.ones((4, 4, 5), np.float32), 2),
        "wip": lambda: write.wip(tmp_path / "a.wip", [write.graph(1, "a", MAP, axis=2, space=4), write.spectral(2, 0, Polynom=(540, 2, 0)),
                                                      write.space(4, (1, 2, 3), (1, 1, 1))]),
    }[kind]()  # fmt: skip
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for number in range(20 if kind == "dmt" else 60):
        spoilt = bytearray(whole[: rng.integers(0, len(whole))] if number % 3 == 0 else whole)
        for place in rng.integers(0, max(1, len(spoilt)), 0 if number % 3 == 0 or not spoilt else 1 + number % 5):
            spoilt[place] ^= int(rng.integers(1, 256))
        path.write_bytes(spoilt)
        for reader in (inspect, lambda file: np.asarray(read(file).data)):
            try:
                reader(path)
            except UnreadableError as error:
                assert "\n" not in str(error)  # noqa: PT017
            except ValueError as error:
                assert "no reader for" in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")
