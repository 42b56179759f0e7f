"""Files as further programs write them: JCAMP-DX that contradicts itself, gains and wordings of ENVI, names, containers of two columns."""

from __future__ import annotations

import struct

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_spectrai import SpectralAxis, read
from napari_spectrai.io import SpectralWarning, UnreadableError
from napari_spectrai.io.titles import from_labels

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
X = np.linspace(400, 1800, 40)
Y = np.random.default_rng(0).integers(0, 9999, 40)
LINES = [f"{X[n]:.6g} " + " ".join(map(str, Y[n : n + 5])) for n in range(0, 40, 5)]
PAIRS = [f"{x:.2f}, {y:.3f}" for x, y in zip(X, Y, strict=True)]
HEAD = "##TITLE={}\n##JCAMP-DX=5\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n##NPOINTS=40\n##XFACTOR=1\n##YFACTOR=1\n"


def jcamp(records: str, label: str = "XYDATA=(X++(Y..Y))", lines=LINES, title: str = "t", below: str = "") -> str:
    return HEAD.format(title) + records + f"##{label}\n" + "\n".join(lines) + f"\n{below}##END=\n"


@pytest.mark.parametrize(
    ("records", "warns"),
    [
        ("##FIRSTX=400\n##LASTX=1800\n", False), ("##FIRSTX=400\n##DELTAX=35.8974359\n", False),
        ("##FIRSTX=400\n##LASTX=1835.897\n", True), ("##FIRSTX=400\n##LASTX=1835.897\n##DELTAX=35.8974359\n", True),
        ("##FIRSTX=1800\n##LASTX=400\n", True), ("##FIRSTX=400\n##DELTAX=-35.8974359\n", True), ("", False),
    ],
)  # fmt: skip
def test_positions_of_jcamp_agree_with_the_abscissae_of_the_lines(records, warns, tmp_path, recwarn):
    (tmp_path / "a.jdx").write_text(jcamp(records))
    with pytest.warns(SpectralWarning, match="contradict") if warns else pytest.MonkeyPatch.context():
        cube = read(tmp_path / "a.jdx")
    np.testing.assert_allclose(cube.axis.values, X, rtol=1e-5)
    np.testing.assert_array_equal(cube.data, Y[None])
    assert not recwarn.list


@pytest.mark.parametrize("shift", [1, -1])
def test_abscissae_of_jcamp_one_point_off_or_with_few_digits_are_no_contradiction(shift, tmp_path, recwarn):
    lines = [f"{X[n + shift if n else 0]:.0f} " + line.split(" ", 1)[1] for n, line in zip(range(0, 40, 5), LINES, strict=True)]
    (tmp_path / "a.jdx").write_text(jcamp("##FIRSTX=400\n##LASTX=1800\n", lines=lines))
    np.testing.assert_allclose(read(tmp_path / "a.jdx").axis.values, X)
    assert not recwarn.list


def test_abscissae_of_jcamp_that_count_points_are_no_positions(tmp_path):
    counted = [f"{5 * n} " + line.split(" ", 1)[1] for n, line in enumerate(LINES)]
    (tmp_path / "a.jdx").write_text(jcamp("##FIRSTX=400\n##LASTX=1800\n", lines=counted))
    with pytest.warns(SpectralWarning, match="contradict FIRSTX, LASTX"):
        np.testing.assert_allclose(read(tmp_path / "a.jdx").axis.values, X)


@pytest.mark.parametrize(
    "label", ["XYPOINTS=(XY..XY)", "XYDATA=(XY..XY) 1", "XYDATA=\n(XY..XY)", "PEAK TABLE=(XYW..XYW)", "PEAK ASSIGNMENTS=(XYA)"]
)
@pytest.mark.parametrize("comma", [False, True])
def test_points_of_jcamp_in_every_form(label, comma, tmp_path):
    more = ", 2.5" if "XYW" in label else ""
    lines = [f"({pair}, <a (1)>)" if "XYA" in label else pair + more for pair in PAIRS]
    text = "\n".join(lines).replace(".", ",") if comma else "\n".join(lines)
    first = "400,00" if comma else "400.00"
    (tmp_path / "a.jdx").write_text(jcamp(f"##FIRSTX={first}\n", label, [text]))
    cube = read(tmp_path / "a.jdx")
    np.testing.assert_allclose(cube.axis.values, X.round(2))
    np.testing.assert_array_equal(cube.data, Y[None])


def test_records_of_jcamp_below_its_table_and_dark_spectra_next_to_a_processed_one(tmp_path):
    text = jcamp("", below="##FIRSTX=400\n##LASTX=1800\n").replace("##XUNITS=1/CM\n", "").replace("##END", "##XUNITS=NM\n##END")
    (tmp_path / "a.jdx").write_text(text)
    assert read(tmp_path / "a.jdx").axis == SpectralAxis(X, "nm")
    blocks = [jcamp("##FIRSTX=400\n##LASTX=1800\n", title=f"EXPORTED: {name} SPECTRUM") for name in ("PROCESSED", "DARK", "REFERENCE")]
    (tmp_path / "b.jdx").write_text("##TITLE=x\n##JCAMP-DX=5\n##DATA TYPE=LINK\n##BLOCKS=3\n" + "".join(blocks) + "##END=\n")
    with pytest.warns(SpectralWarning, match="PROCESSED SPECTRUM is read, and not .*DARK.*REFERENCE"):
        assert read(tmp_path / "b.jdx").shape == (1, 40)
    assert read(tmp_path / "b.jdx", dataset="all spectra").shape == (3, 40)


# ------------------------------------------------------------------ ENVI

CUBE = np.random.default_rng(1).integers(1, 4000, (5, 6, 8)).astype("<f4")
WAVE = np.linspace(400, 1100, 8)
LISTED = "{" + ", ".join(f"{w:g}" for w in WAVE) + "}"
NM = {"wavelength": LISTED, "wavelength units": "nm"}


def envi(folder, fields, magic: str = "ENVI"):
    (folder / "a.img").write_bytes(CUBE.transpose(2, 0, 1).tobytes())
    usual = {"samples": 6, "lines": 5, "bands": 8, "header offset": 0, "data type": 4, "interleave": "bsq", "byte order": 0}
    (folder / "a.hdr").write_text("\n".join([magic, *(f"{key} = {value}" for key, value in (usual | fields).items())]) + "\n")
    return folder / "a.hdr"


@pytest.mark.parametrize(
    ("fields", "gain", "offset", "words"),
    [
        ({"data gain values": "{1, 2, 3, 4, 5, 6, 7, 8}", "data offset values": "{5}"}, np.arange(1, 9), 5, "are applied"),
        ({"data gain values": "{0.5}"}, 0.5, 0, "which are applied"),
        ({"data gain values": "{1, 1, 1, 1, 1, 1, 1, 1}", "data offset values": "{0}"}, 1, 0, ""),
        ({"data gain values": "{0.5, 2}"}, 1, 0, "2 data gain values for 8 bands"),
        ({"reflectance scale factor": "{10000}"}, 1e-4, 0, ""),
        ({"reflectance scale factor": "n/a", "data ignore value": "none"}, 1, 0, ""),

        ({"reflectance scale factor": "percent"}, 1, 0, "no number"), ({"byte order": "little endian"}, 1, 0, ""),
        ({"bbl": "{1 1 0 1 1 1 1 1}"}, 1, 0, ""),
    ],
)  # fmt: skip
def test_values_of_envi_in_the_scale_of_their_header(fields, gain, offset, words, tmp_path, recwarn):
    cube = read(envi(tmp_path, NM | fields)) if not words else None
    if words:
        with pytest.warns(SpectralWarning, match=words):
            cube = read(tmp_path / "a.hdr" if cube else envi(tmp_path, NM | fields))
    np.testing.assert_allclose(np.asarray(cube.data), CUBE * gain + offset, rtol=1e-5)
    assert cube.metadata.get("bad_bands", [2]) == [2]
    assert not recwarn.list


@quiet
@pytest.mark.parametrize(
    ("fields", "values", "unit"),
    [
        ({"wavelength": LISTED}, WAVE, "nm"), ({"wavelength": "{0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1}"}, WAVE / 1000, "um"),
        ({"wavelength": "{1, 2, 3, 4, 5, 6, 7, 8}"}, range(1, 9), ""), ({"wavelength": LISTED, "wavelength units": "Unknown"}, WAVE, ""),
        ({"wavelength": LISTED.replace(",", ";").replace("; ", "; ").replace("400", "400,0"), "wavelength units": "nm"}, WAVE, "nm"),
        ({"wavelength": LISTED.replace(",", " nm,").replace("}", " nm}")}, WAVE, "nm"), ({"Center Wavelengths": LISTED}, WAVE, "nm"),
        ({"band names": "{Band 1, Band 2, Band 3, Band 4, Band 5, Band 6, Band 7, Band 8}", "wavelength units": "nm"}, range(8), ""),
        ({"band names": LISTED, "wavelength units": "nm"}, WAVE, "nm"),
        ({"band names": "{" + ", ".join(f"Reflectance {w:g}" for w in WAVE) + "}"}, WAVE, "nm"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("magic", ["ENVI", "envi"])
def test_positions_of_envi_in_further_wordings(fields, values, unit, magic, tmp_path):
    cube = read(envi(tmp_path, fields, magic))
    np.testing.assert_allclose(cube.axis.values, values)
    assert cube.axis.unit == unit


@pytest.mark.parametrize(("factor", "unit", "other"), [(1, "Micrometers", "nm"), (1e-3, "Nanometers", "um")])
def test_a_unit_that_values_make_unlikely_is_mentioned(factor, unit, other, tmp_path):
    listed = "{" + ", ".join(f"{w * factor:g}" for w in WAVE) + "}"
    with pytest.warns(SpectralWarning, match=f"would be usual in {other}"):
        read(envi(tmp_path, {"wavelength": listed, "wavelength units": unit}))


def test_a_library_a_tiff_and_compressed_values_of_envi(tmp_path):
    """A library is an image of one band whose samples are bands; a header may describe a TIFF."""
    path = envi(
        tmp_path, NM | {"samples": 8, "lines": 30, "bands": 1, "file type": "ENVI Spectral Library", "spectra names": "{" + "a," * 30 + "}"}
    )
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE.transpose(2, 0, 1).reshape(30, 8))
    assert (cube.axis, cube.metadata["labels"]) == (SpectralAxis(WAVE, "nm"), ["a"] * 30)
    path = envi(tmp_path, NM | {"file compression": 1})
    with pytest.raises(UnreadableError, match="its values are compressed"):
        read(path)
    path = envi(tmp_path, NM | {"file type": "TIFF"})
    path.with_suffix(".img").unlink()
    tifffile.imwrite(path.with_suffix(".tif"), CUBE.transpose(2, 0, 1), photometric="minisblack", metadata=None)
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    assert cube.axis == SpectralAxis(WAVE, "nm")
    path.write_text(path.read_text().replace("lines = 5", "lines = 4"))
    with pytest.raises(UnreadableError, match="its header describes one of"):
        read(path)


@pytest.mark.parametrize("listed", ["{a, b, c, d, e, f, g, h}", "{nan, 500, 600, 700, 800, 900, 1000, 1100}"])
def test_wavelengths_of_envi_that_are_no_numbers_are_left_out_with_a_warning(listed, tmp_path):
    with pytest.warns(SpectralWarning, match="not all numbers; the bands are numbered"):
        assert read(envi(tmp_path, {"wavelength": listed, "samples": "6 ; wide"})).axis == SpectralAxis.bands(8)


# ------------------------------------------------------------------ names


@quiet
@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["Ch1 410-430", "Ch2 440-460", "Ch3 470-490"], [420, 450, 480]),
        (["ChS1-T1 410-430", "ChS2-T1 440-460", "ChS3-T1 470-490"], [420, 450, 480]),
        (["CHS1 430-440", "CHS1 440-450", "CHS1 450-460"], [435, 445, 455]), (["000_420nm", "001_450nm", "002_480nm"], [420, 450, 480]),
        (["img_420nm.tif", "img_450nm.tif"], [420, 450]), (["340", "380"], None),
        (["2018", "2019", "2020"], None), (["405", "488", "561"], None),
    ],
)  # fmt: skip
def test_further_names_of_channels(names, values, tmp_path):
    axis = from_labels(names, tmp_path / "a.tif")
    assert axis == (None if values is None else SpectralAxis(values, "nm"))


@quiet
def test_masses_and_names_of_pages(tmp_path):
    assert from_labels(["m/z 100.5", "m/z 200.7"], tmp_path / "a.tif") == SpectralAxis([100.5, 200.7], "m/z")
    for code in (270, 285):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for v in (420, 450, 480):
                file.write(np.zeros((5, 6), np.uint16), metadata=None, extratags=[(code, "s", 0, f"{v} nm", True)])
        assert read(tmp_path / "a.tif").axis == SpectralAxis([420, 450, 480], "nm")


# ------------------------------------------------------------------ containers


@quiet
@pytest.mark.parametrize("kind", ["npy", "npz", "mat"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_matrix_of_positions_and_a_spectrum(kind, turned, tmp_path):
    pair = np.stack([X, Y], 0 if turned else 1)
    path = tmp_path / f"a.{kind}"
    {"npy": lambda: np.save(path, pair), "npz": lambda: np.savez(path, data=pair), "mat": lambda: savemat(path, {"data": pair})}[kind]()
    with pytest.warns(SpectralWarning, match="the one in order, 0, is taken for positions"):
        cube = read(path)
    np.testing.assert_allclose(cube.axis.values, X)
    np.testing.assert_allclose(cube.data, Y[None])
    assert read(path, spectral=0).shape in ((2, 40), (40, 2))


@quiet
@pytest.mark.parametrize("kind", ["npz", "mat", "h5"])
def test_x_and_y_are_positions_and_a_spectrum(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["x"], file["y"] = X, Y
    else:
        {"npz": lambda: np.savez(path, x=X, y=Y), "mat": lambda: savemat(path, {"x": X, "y": Y})}[kind]()
    cube = read(path)
    np.testing.assert_allclose(cube.axis.values, X)
    np.testing.assert_array_equal(cube.data, Y[None])


@quiet
def test_positions_in_a_struct_next_to_a_cube_and_shifts_of_spectra_in_columns(tmp_path):
    savemat(tmp_path / "a.mat", {"I": CUBE, "info": {"wavelength": WAVE, "samples": 6}})
    assert read(tmp_path / "a.mat").axis == SpectralAxis(WAVE, "nm")
    savemat(tmp_path / "b.mat", {"shift": WAVE, "int": CUBE[0, :2].T})
    cube = read(tmp_path / "b.mat")
    np.testing.assert_array_equal(cube.data, CUBE[0, :2])
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_cells_of_matlab_hold_axes_and_images_have_height_and_width(tmp_path):
    flat = CUBE.transpose(1, 0, 2).reshape(30, 8)
    savemat(tmp_path / "a.mat", {"X": flat, "height": 5, "width": 6, "wavelength": WAVE})
    np.testing.assert_array_equal(read(tmp_path / "a.mat").data, CUBE)
    with h5py.File(tmp_path / "b.mat", "w") as file:
        group = file.create_group("d")
        group["data"], group["imagesize"] = flat.T, np.array([[5.0], [6.0]])
        file["#refs#/empty"], file["#refs#/a"] = np.zeros((0, 0)), WAVE[:, None]
        group["axisscale"] = np.array([[file["#refs#/empty"].ref, file["#refs#/a"].ref]], dtype=h5py.ref_dtype)
    with pytest.warns(SpectralWarning, match="does not say their unit"):
        cube = read(tmp_path / "b.mat")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_axes_of_hdf5_in_groups_labels_and_units(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["e/data"] = CUBE
        for number, (name, scale, offset, unit, size) in enumerate(
            [("y", 2, 0, "um", 5), ("x", 3, 0, "um", 6), ("Wavelength", 100, 400, "nm", 8)]
        ):
            file.create_group(f"e/axis-{number}").attrs.update(
                {"name": name, "scale": scale, "offset": offset, "units": unit, "size": size}
            )
    cube = read(tmp_path / "a.h5")
    assert (cube.axis, cube.pixel_size, cube.pixel_unit) == (SpectralAxis(WAVE, "nm"), (2.0, 3.0), "um")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["data"] = np.moveaxis(CUBE, -1, 0)
        file["data"].dims[0].label = "wavelength"
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "b.h5").data), CUBE)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["data"], file["x"] = CUBE, WAVE
        file["x"].attrs["units"] = "cm-1"
    assert read(tmp_path / "c.h5").axis == SpectralAxis(WAVE, "1/cm")


def test_attributes_of_netcdf_and_letters_of_ilastik(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["products/Lt"] = CUBE
        file["products/Lt"].attrs.update({"wavelengths": WAVE, "wavelength_units": "nanometers"})
    assert read(tmp_path / "a.nc").axis == SpectralAxis(WAVE, "nm")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["exported_data"] = np.moveaxis(CUBE, -1, 0)
        file["exported_data"].attrs["axistags"] = '{"axes": [{"key": "c"}, {"key": "y"}, {"key": "x"}]}'
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "b.h5").data), CUBE)


def test_of_three_axes_in_nm_the_spectral_one_is_a_guess(tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = file.create_group("e/d")
        group.attrs.update({"NX_class": "NXdata", "signal": "i", "axes": ["a", "b", "c"]})
        group["i"] = CUBE
        for name, length in zip("abc", CUBE.shape, strict=True):
            group[name] = np.linspace(400, 500, length)
            group[name].attrs["units"] = "nm"
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands; 2 is taken"):
        read(tmp_path / "a.nxs")


@pytest.mark.parametrize("kind", ["attribute", "data set", "behind a block"])
def test_a_text_of_hdf5_that_claims_to_be_longer_than_it_is(kind, tmp_path):
    """The library would read gigabytes beyond its memory."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512 if "block" in kind else 0) as file:
        file["data"] = CUBE
        if kind == "data set":
            file["wavelength"] = np.array(["410.123456 nm"] * 8, dtype=h5py.string_dtype())
        else:
            file["data"].attrs["name"] = "a name of some length"
    whole = bytearray(path.read_bytes())
    heap = whole.index(b"GCOL") - (512 if "block" in kind else 0)
    place = whole.index(struct.pack("<Q", heap)) - 4
    whole[place : place + 4] = struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(whole)
    with pytest.raises(UnreadableError, match="claims 4,294,967,040 characters, and .* are stored"):
        read(path)


def test_a_type_of_hdf5_that_is_neither_a_list_nor_a_text_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = CUBE
        file["data"].attrs["name"] = "a name of some length"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\x19\x01\x01\x00\x10", b"\x19\x36\x01\x00\x10", 1))
    with pytest.raises(UnreadableError, match="the type of the attribute 'name' of data is none"):
        read(path)
