"""Positions and lengths that TIFF keeps in descriptions, labels, headers next to it, and in OME-XML with units of their own."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import tifffile

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.round(np.linspace(400, 700, 8), 1)
FIRST = np.random.default_rng(0).integers(0, 1000, (8, 5, 6)).astype("u2")
CUBE = FIRST.transpose(1, 2, 0)
LABELS = [f"{value} nm" for value in WAVE]
LISTED = ", ".join(map(str, WAVE))
HEADER = "ENVI\nsamples = 6\nlines = 5\nbands = 8\ndata type = 12\ninterleave = bsq\nwavelength units = nm\nwavelength = {" + LISTED + "}\n"


def pages(path, words, metadata=None):
    """One page a band, each with its description, or the first alone with that of the image."""
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(FIRST):
            one = words[number] if isinstance(words, list) else words if number == 0 else None
            file.write(page, photometric="minisblack", metadata=metadata, description=one, contiguous=False)
    return path


@quiet
@pytest.mark.parametrize(
    "words",
    [
        LABELS,
        [f"Wavelength={value}\nExposure=3 ms" for value in WAVE],
        [f"Exposure: 3 ms, lambda = {value} nm" for value in WAVE],
        [f"Wavelength (nm): {value}; Gain: 2" for value in WAVE],
        [json.dumps({"wavelength_nm": value, "exposure": 3}) for value in WAVE],
        f"wavelengths: {LISTED}",
        f"Camera = A1\nwavelength_nm = {LISTED}\nExposure = 3",
        json.dumps({"wavelengths": WAVE.tolist(), "unit": "nm"}),
        json.dumps({"wavelengths": WAVE.tolist(), "wavelength_unit": "nm", "exposure": [1] * 8}),
    ],
)
def test_descriptions_of_pages_and_of_the_image_give_positions(words, tmp_path):
    for metadata in (None, {}):  # with which tifffile makes an image of its own of each page
        cube = read(pages(tmp_path / "a.tif", words, metadata))
        np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert cube.axis.unit == "nm"


@quiet
@pytest.mark.parametrize(
    "words", ["Exposure = 3", [f"Exposure = {number}" for number in range(8)], f"gains: {LISTED}", "{not JSON", "wavelengths: 1, 2, 3",
              [f"Excitation wavelength = {value}" for value in WAVE]],
)  # fmt: skip
def test_other_descriptions_give_none(words, tmp_path):
    cube = read(pages(tmp_path / "a.tif", words))
    assert (cube.axis.unit, cube.axis.values.tolist()) == ("", list(range(8)))


@quiet
@pytest.mark.parametrize(("axes", "last"), [("CYX", False), ("ZYX", False), ("QYX", False), ("YXC", True), (None, True), (None, False)])
def test_metadata_of_tifffile_list_positions_along_any_dimension(axes, last, tmp_path):
    said = {"wavelengths": WAVE.tolist()} | ({"axes": axes} if axes else {})
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(CUBE) if last else FIRST, photometric="minisblack", metadata=said)
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)


@quiet
def test_labels_of_depths_that_are_wavelengths_say_which_dimension_holds_the_bands(tmp_path):
    stacks = np.stack([FIRST, FIRST + 1, FIRST + 2])
    tifffile.imwrite(tmp_path / "a.tif", stacks, imagej=True, metadata={"axes": "TZYX", "Labels": LABELS * 3})
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(cube.data), stacks.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(cube.axis.values, WAVE)


@pytest.mark.parametrize(
    ("unit", "size", "known"),
    [("micron", (0.5, 0.25), "um"), ("microns", (0.5, 0.25), "um"), ("Micrometer", (0.5, 0.25), "um"), ("nm", (0.5, 0.25), "nm"),
     ("cm", (5, 2.5), "mm"), ("inch", None, "pixel"), ("sec", None, "pixel"), ("pixel", None, "pixel")],
)  # fmt: skip
def test_units_of_pixels_as_imagej_writes_them(unit, size, known, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FIRST, imagej=True, resolution=(4, 2), metadata={"axes": "CYX", "unit": unit})
    cube = read(tmp_path / "a.tif")
    assert (cube.pixel_size and tuple(map(float, cube.pixel_size)), cube.pixel_unit) == (size, known)


@quiet
@pytest.mark.parametrize("name", ["a.hdr", "a.tif.hdr"])
def test_a_header_of_envi_next_to_a_tiff_gives_positions_whichever_is_opened(name, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FIRST, photometric="minisblack", metadata=None)
    (tmp_path / name).write_text(HEADER)
    for path in (tmp_path / "a.tif", tmp_path / name):
        cube = read(path)
        np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
        np.testing.assert_allclose(cube.axis.values, WAVE)
    (tmp_path / name).write_text(HEADER.replace("bands = 8", "bands = 9"))
    with pytest.warns(SpectralWarning, match="describes 9 bands, and it has 8; it is not used"):
        assert read(tmp_path / "a.tif").axis.unit == ""


def ome(path, channels, attributes=""):
    whole = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="uint16" SizeX="6" SizeY="5" SizeC="8" SizeZ="1" SizeT="1" {attributes}>{channels}<TiffData/></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, FIRST, photometric="minisblack", metadata=None, description=whole.encode())
    return path


def channels(values, units):
    pairs = zip(values, units, strict=True)
    said = [f'EmissionWavelength="{value}" EmissionWavelengthUnit="{unit}"' if value else "" for value, unit in pairs]
    return "".join(f"<Channel {one}/>" for one in said)


def test_emissions_in_units_of_their_own_and_missing_ones(tmp_path):
    mixed = channels([WAVE[0] / 1000, *WAVE[1:]], ["µm", *["nm"] * 7])
    cube = read(ome(tmp_path / "a.ome.tif", mixed))
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"
    with pytest.warns(SpectralWarning, match="7 of its 8 channels give an emission wavelength; the bands are numbered"):
        assert read(ome(tmp_path / "b.ome.tif", channels([*WAVE[:3], None, *WAVE[4:]], ["nm"] * 8))).axis.unit == ""


@pytest.mark.parametrize(
    ("units", "size", "known"),
    [(("µm", "µm"), (0.5, 0.25), "um"), (("nm", "µm"), (0.0005, 0.25), "um"), (("Å", "Å"), (0.05, 0.025), "nm"),
     (("cm", "cm"), (5, 2.5), "mm"), (("mm", "nm"), (500, 0.00025), "um"), (("pixel", "pixel"), None, "pixel"),
     (("µm", "pixel"), None, "pixel")],
)  # fmt: skip
def test_sides_of_pixels_have_units_of_their_own(units, size, known, tmp_path):
    y, x = units
    sides = f'PhysicalSizeX="0.25" PhysicalSizeXUnit="{x}" PhysicalSizeY="0.5" PhysicalSizeYUnit="{y}"'
    cube = read(ome(tmp_path / "a.ome.tif", channels(WAVE, ["nm"] * 8), sides))
    assert cube.pixel_unit == known
    assert cube.pixel_size == (None if size is None else pytest.approx(size))


def test_a_scan_of_the_excitation_is_mentioned(tmp_path):
    scanned = {"ExcitationWavelength": [400.0 + 10 * n for n in range(6)], "ExcitationWavelengthUnit": ["nm"] * 6}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.ones((6, 4, 5), np.uint16), metadata={"axes": "CYX", "Channel": scanned})
    with pytest.warns(SpectralWarning, match="its 6 channels differ by what excites them"):
        assert read(tmp_path / "a.ome.tif").axis.unit == ""


@pytest.mark.parametrize("shape", [(37, 53), (3, 37, 53)])
def test_values_of_one_bit_are_read(shape, tmp_path):
    mask = np.random.default_rng(0).random(shape) > 0.5
    tifffile.imwrite(tmp_path / "a.tif", mask, photometric="minisblack")
    with pytest.warns(SpectralWarning, match="which dimension holds the bands"):
        cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.moveaxis(np.asarray(cube.data), -1, 0), mask)


def test_a_size_of_pixels_does_not_stay_where_other_dimensions_are_chosen(tmp_path):
    stack = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4, 2), metadata={"axes": "ZYX", "unit": "um", "spacing": 10.0})
    assert read(tmp_path / "a.tif", spectral=0).pixel_size == (0.5, 0.25)
    cube = read(tmp_path / "a.tif", spectral=2)
    np.testing.assert_array_equal(np.asarray(cube.data), stack)
    assert (cube.pixel_size, cube.pixel_unit) == (None, "pixel")


def test_axes_in_the_tags_of_digital_micrograph(tmp_path):
    """A stack along bands has their positions; one in depth, from 0, has none."""
    for unit, origin, software, expected in (
        ("eV", 0.5, "hyperspy", "eV"), ("nm", 400.0, "hyperspy", "nm"), ("1/cm", 200.0, "DM", "1/cm"), ("µm", 0.4, "hyperspy", "um"),
        ("µm", 0.0, "hyperspy", ""), ("nm", 0.0, "DM", ""), ("", 400.0, "hyperspy", ""),
    ):  # fmt: skip
        step = 0.05 if unit == "µm" else 10.0
        tags = [(65003 + n, "s", 0, word.encode("latin-1") or b" ", True) for n, word in enumerate(("nm", "nm", unit))]
        tags += [(65006 + n, "d", 1, value, True) for n, value in enumerate([0.0, 0.0, origin, 20.0, 30.0, step])]
        tifffile.imwrite(tmp_path / "a.tif", FIRST, photometric="minisblack", software=software, metadata=None, extratags=tags)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            cube = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(cube.numpy(), CUBE)
        assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == (expected, (30.0, 20.0), "nm")
        if expected:
            np.testing.assert_allclose(cube.axis.values, origin + step * np.arange(8))
        assert any("as the origin of its bands" in str(one.message) for one in said) == (software == "DM" and bool(expected))
