"""Files as instruments and programs write them: the right numbers on the right axis (`tests/data/field/README.md`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, inspect, read, write
from napari_spectrai.io import SpectralWarning, UnreadableError

FIELD = Path(__file__).parent / "data" / "field"
quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")


@quiet
@pytest.mark.parametrize(
    ("name", "shape", "unit", "first", "last"),
    [
        ("spectrum_wn.txt", (1, 1020), "1/cm", 24.8558, 541.36),
        ("spectrum_nm.txt", (1, 1877), "nm", 425.071, 624.94),
        ("survey_nm.txt", (4, 1873), "nm", 400.053, 599.958),
        ("renishaw_map.txt", (2, 3, 40), "", 1800, 400),
        ("renishaw_snake.txt", (2, 3, 40), "", 1800, 400),
        ("renishaw_xyz.txt", (2, 3, 40), "", 1800, 400),
        ("renishaw_z.txt", (3, 40), "", 1800, 400),
        ("renishaw_time.txt", (3, 40), "", 1800, 400),
        ("renishaw_single.txt", (1, 40), "", 1800, 400),
        ("stitched_overlap.txt", (1, 40), "", 400, 1400),
        ("stitched_repeat.txt", (1, 40), "1/cm", 400, 1400),
        ("ocean.txt", (1, 40), "", 400, 1800),
        ("andor.asc", (2, 40), "", 400, 1800),
        ("cary.csv", (1, 141), "nm", 899.9957886, 200.0188446),
        ("labelled_rows.csv", (3, 40), "", 400, 1800),
        ("labelled_rows_id_num.csv", (3, 40), "", 400, 1800),
        ("pandas_index.csv", (3, 40), "", 400, 1800),
        ("label_last.csv", (3, 40), "", 400, 1800),
        ("bruker.dpt", (1, 40), "", 1800, 400),
        ("spectrum.xy", (1, 40), "", 400, 1800),
        ("ftir_ldpe_soil.asp", (1, 1798), "", 3999.43349933624, 650.420452594757),
        ("modC_1x8.ome.tif", (12, 10, 8), "nm", 410, 480),
        ("modC_2x4.ome.tif", (2, 12, 10, 4), "nm", 500, 560),
        ("modC_labels.ome.tif", (12, 10, 8), "nm", 405, 640),
        ("modZ_8.ome.tif", (12, 10, 8), "nm", 410, 480),
        ("modT_8.ome.tif", (12, 10, 8), "nm", 410, 480),
        ("lambda_rangename.ome.tif", (12, 10, 8), "nm", 415, 485),
        ("ij_range.tif", (12, 10, 8), "nm", 415, 485),
        ("dupinc2.jdx", (1, 3734), "1/cm", 400.172, 3999.792),
        ("uv_ACD.jdx", (1, 881), "1/cm", 210, 650),
        ("fixinc2.jdx", (1, 3601), "1/cm", 400, 4000),
        ("xyinc1.jdx", (1, 3601), "1/cm", 400, 4000),
        ("compound2.jdx", (2, 120), "1/cm", 4000, 3762),
        ("compound_sametitle.jdx", (2, 120), "1/cm", 4000, 3762),
        ("blckpac1.jdx", (5, 176), "nm", 700, 350),
        ("m_ordz.spc", (10, 857), "1/cm", 698.229736328, 4000.35473633),
        ("m_evenz.spc", (32, 171), "nm", 200, 800),
        ("RAMAN.SPC", (1, 3632), "1/cm", 3996.82, -3005.96),
        ("test_opus.0", (1, 4096), "1/cm", 4000.661, 51.8926),
        ("issue81_A1.1.0", (1, 1866), "1/cm", 3996.58, 399.272),
        ("nxdata_attributes.h5", (7, 6, 8), "eV", 280, 290),
        ("nxdata_old_style.h5", (7, 6, 8), "eV", 280, 290),
        ("group_wl.h5", (5, 6, 40), "nm", 400, 700),
        ("attrs_axis.h5", (5, 6, 40), "nm", 400, 700),
        ("z3d.imzML", (3, 2, 3, 20), "m/z", 100, 200),
        ("roi_offset.imzML", (2, 3, 20), "m/z", 100, 200),
        ("envi/angstrom.hdr", (2, 3, 4), "nm", 410, 740),
        ("envi/bandnames.hdr", (2, 3, 4), "nm", 402.44, 426.99),
        ("envi/bandnames_nm.hdr", (2, 3, 4), "nm", 402.44, 426.99),
        ("envi/typo_units.hdr", (2, 3, 4), "nm", 410, 740),
        ("envi/wavelengths_plural.hdr", (2, 3, 4), "nm", 410, 740),
        ("envi/squarebr.hdr", (2, 3, 4), "nm", 410, 740),
        ("envi/wn_cm.hdr", (2, 3, 4), "1/cm", 1000, 1300),
        ("envi/um.hdr", (2, 3, 4), "um", 0.41, 0.74),
        ("envi/hysp.hyspex", (2, 3, 4), "nm", 410, 740),
        ("envi/cue.cue", (2, 3, 4), "nm", 410, 740),
        ("envi/hysp.hdr", (2, 3, 4), "nm", 410, 740),
    ],
)
def test_shape_and_positions_are_those_of_the_measurement(name, shape, unit, first, last):
    cube = read(FIELD / name)
    assert cube.shape == shape
    assert cube.axis.unit == unit
    np.testing.assert_allclose(cube.axis.values[[0, -1]], [first, last], rtol=1e-5)


def test_pixel_numbers_are_no_positions_and_positions_come_with_the_laser_line():
    with pytest.warns(SpectralWarning, match=r"'Raman Shift' is taken.*Dark Subtracted #1 is read"):
        cube = read(FIELD / "bwtek.txt")
    assert cube.axis.unit == "1/cm"
    assert cube.metadata["laser_nm"] == 784.82
    assert cube.data[0, cube.axis.index(703.38)] == 802
    with pytest.warns(SpectralWarning):
        wavelengths = read(FIELD / "bwtek.txt", columns={"Wavelength": "position", "Raw data #1": "intensity"})
    assert wavelengths.data[0, wavelengths.axis.index(830.68)] == 2003


@quiet
@pytest.mark.parametrize("form", ["FIX", "PAC", "SQZ", "DIF", "DIFDUP"])
def test_every_form_of_jcamp_gives_the_same_numbers(form):
    truth = np.loadtxt(FIELD / "truth.txt")
    cube = read(FIELD / f"{form}.jdx")
    np.testing.assert_allclose(cube.data[0], truth[:, 1], atol=1e-9)
    np.testing.assert_allclose(cube.axis.values, truth[:, 0])


@pytest.mark.parametrize("name", ["DIFDUP_comment", "FIX_ctrlZ", "FIX_missing", "FIX_tail_comment", "SQZ_comment"])
def test_remarks_and_missing_values_of_jcamp_change_nothing_else(name):
    truth, found = np.loadtxt(FIELD / "truth.txt")[:, 1], read(FIELD / f"{name}.jdx").data[0]
    there = np.isfinite(found)
    assert (~there).sum() == (name == "FIX_missing")
    np.testing.assert_allclose(found[there], truth[there], atol=1e-9)


def test_blocks_of_a_compound_file_are_chosen_by_name():
    assert inspect(FIELD / "compound2.jdx") == {"all spectra": (2, 120), "t1": (120,), "t2": (120,)}
    np.testing.assert_array_equal(read(FIELD / "compound2.jdx", dataset="t2").data, read(FIELD / "compound2.jdx").data[1:])
    assert set(inspect(FIELD / "compound_sametitle.jdx")) == {"all spectra", "t 1", "t 2"}


def test_spectra_with_positions_of_their_own_are_chosen_by_number():
    with pytest.raises(UnreadableError, match=r"its 512 spectra .* lie at different positions; choose one with dataset=") as error:
        read(FIELD / "m_xyxy.spc")
    assert len(str(error.value)) < 300
    cube = read(FIELD / "m_xyxy.spc", dataset="5")
    assert cube.shape == (1, inspect(FIELD / "m_xyxy.spc")["5"][0])
    assert cube.axis.unit == "m/z"


@quiet
def test_planes_regions_and_processed_pixels_of_imzml():
    z, y, x = (place + 1 for place in np.mgrid[:3, :2, :3])
    np.testing.assert_array_equal(read(FIELD / "z3d.imzML").data[..., 0], 100 * z + 10 * y + x)
    assert read(FIELD / "roi_offset.imzML").metadata["origin"] == [500, 800]
    with pytest.warns(SpectralWarning, match="masses of their own.*binned to a common axis of 58 masses"):
        assert read(FIELD / "processed_diff.imzML").shape == (2, 3, 58)


def test_the_signal_of_nexus_lies_as_its_axes_say():
    cube = read(FIELD / "nxdata_attributes.h5")
    y, x, energy = np.mgrid[:7, :6, :8]
    np.testing.assert_array_equal(np.asarray(cube.data), 100 * energy + 10 * y + x)
    assert (cube.pixel_size, cube.pixel_unit) == ((0.5, 0.5), "um")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat"])
def test_arrays_that_may_lie_bands_first_are_asked_about(suffix):
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands; 2 is taken.*0: 40"):
        read(FIELD / f"bandsfirst{suffix}")
    assert read(FIELD / f"bandsfirst{suffix}", spectral=0).shape == (5, 6, 40)


@quiet
def test_labels_in_a_column_next_to_spectra_are_kept():
    assert read(FIELD / "labelled_rows.csv").metadata["labels"] == ["collagen", "lipid", "dna"]
    assert read(FIELD / "label_last.csv").metadata["labels"] == ["a", "b", "c"]


@quiet
def test_depth_and_time_of_a_series_are_kept():
    assert read(FIELD / "renishaw_z.txt").metadata["coordinates"]["z"]["values"] == [0, 1, 2]
    assert read(FIELD / "renishaw_time.txt").metadata["coordinates"]["time"]["values"] == [0, 1, 2]
    assert len(read(FIELD / "m_evenz.spc").metadata["coordinates"]["time"]["values"]) == 32


@quiet
def test_a_snake_lies_as_a_map_does():
    np.testing.assert_array_equal(read(FIELD / "renishaw_snake.txt").data, read(FIELD / "renishaw_map.txt").data)


def test_windows_stand_for_their_middles():
    with pytest.warns(SpectralWarning, match="'410-420 nm' to '480-490 nm'; the middles of these windows are taken"):
        read(FIELD / "lambda_rangename.ome.tif")
    with pytest.warns(SpectralWarning):
        assert read(FIELD / "ij_range.tif").axis == SpectralAxis(np.arange(415.0, 490, 10), "nm")


@pytest.mark.parametrize(
    "name", ["m_ordz.spc", "m_evenz.spc", "test_opus.0", "dupinc2.jdx", "z3d.imzML", "ij_range.tif", "modC_2x4.ome.tif"]
)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_is_refused_in_one_line_or_read(name, damage, tmp_path, capsys):
    """Mutations over whole files, of formats that other libraries or decoders of ours read."""
    whole, rng = (FIELD / name).read_bytes(), np.random.default_rng(1)
    for beside in FIELD.glob("z3d.ibd"):
        (tmp_path / beside.name).write_bytes(beside.read_bytes())
    for _ in range(15):
        if damage == "cut":
            spoilt = bytearray(whole[: rng.integers(0, len(whole))])
        else:
            spoilt = bytearray(whole)
            for place in rng.integers(0, len(whole), 1 + len(whole) // 300):
                spoilt[place] ^= int(rng.integers(1, 256))
        (tmp_path / name).write_bytes(spoilt)
        try:
            np.asarray(read(tmp_path / name).data)
        except UnreadableError as error:
            assert name in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
    assert capsys.readouterr().out == ""


@quiet
def test_depths_times_and_planes_have_their_steps_and_units(tmp_path):
    import tifffile

    assert read(FIELD / "renishaw_z.txt").metadata["coordinates"]["z"]["unit"] == "um"
    assert read(FIELD / "renishaw_time.txt").metadata["coordinates"]["time"]["unit"] == "s"
    data = np.zeros((2, 3, 4, 5, 6), np.uint8)  # t, z, c, y, x
    pixel = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0, "TimeIncrement": 30.0, "TimeIncrementUnit": "s"}
    channels = {"Channel": {"Name": ["410 nm", "420 nm", "430 nm", "440 nm"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, photometric="minisblack", metadata={"axes": "TZCYX", **pixel, **channels})
    expected = {"time": {"start": 0.0, "step": 30.0, "unit": "s"}, "z": {"start": 0.0, "step": 2.0, "unit": "um"}}
    assert read(tmp_path / "a.ome.tif").metadata["planes"] == expected
    tifffile.imwrite(
        tmp_path / "a.tif",
        data,
        imagej=True,
        photometric="minisblack",
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 2.0, "finterval": 30.0},
    )
    assert read(tmp_path / "a.tif").metadata["planes"] == expected
    cube = Cube(np.zeros((2, 3, 5, 6, 4), np.uint8), pixel_size=(0.5, 0.5), pixel_unit="um", metadata={"planes": expected})
    store = write(cube, tmp_path / "a.ome.zarr")
    assert read(store).metadata["planes"] == expected
    attributes = json.loads((store / "zarr.json").read_text())
    del attributes["attributes"]["napari_spectrai"]  # as another program writes it
    (store / "zarr.json").write_text(json.dumps(attributes))
    assert read(store).metadata["planes"] == expected


@quiet
def test_times_of_a_snake_are_those_of_their_pixels(tmp_path):
    order = [(y, x if y % 2 == 0 else 2 - x) for y in range(3) for x in range(3)]
    rows = [f"{x}\t{y}\t{10 * time}\t{wave}\t{100 * y + 10 * x}" for time, (y, x) in enumerate(order) for wave in (500, 600, 700)]
    (tmp_path / "t.txt").write_text("#X\t#Y\t#Time\t#Wave\t#Intensity\n" + "\n".join(rows) + "\n")
    cube = read(tmp_path / "t.txt")
    assert cube.shape == (3, 3, 3)
    assert np.reshape(cube.metadata["coordinates"]["time"]["values"], (3, 3))[1].tolist() == [50, 40, 30]
