"""The order of times and depths in OME-TIFF, steps of planes in what is written, and units of wavelengths far from the visible."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import tifffile
from scipy.io import netcdf_file

from napari_spectrai import Cube, SpectralAxis, SpectralWarning, read, write

STACK = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)  # T, Z, C, Y, X


def ome(path, order, stack, *, unit="nm", factor=1.0, more=""):
    """Write pages in the order that OME-XML states, the first of which varies fastest."""
    places = ["TZC".index(letter) for letter in order[2:][::-1]]
    pages = stack.transpose(*places, 3, 4).reshape(-1, *stack.shape[3:])
    times, depths, channels, high, wide = stack.shape
    waves = "".join(
        f'<Channel ID="Channel:0:{n}" EmissionWavelength="{(500 + 20 * n) * factor!r}" EmissionWavelengthUnit="{unit}"/>'
        for n in range(channels)
    )
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="{wide}" '
        f'SizeY="{high}" SizeC="{channels}" SizeZ="{depths}" SizeT="{times}" {more}>'
        f"{waves}<TiffData/>"
        "</Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(path, ome=False) as file:
        for number, page in enumerate(pages):
            file.write(page, photometric="minisblack", description=xml.encode() if not number else None, metadata=None, contiguous=False)
    return path


@pytest.mark.parametrize("more", ["", 'PhysicalSizeZ="2" PhysicalSizeZUnit="µm"'], ids=["plain", "z step"])
@pytest.mark.parametrize("order", ["XY" + "".join(letters) for letters in permutations("CZT")])
def test_times_come_before_depths_whatever_varies_fastest(order, more, tmp_path):
    cube = read(ome(tmp_path / "x.ome.tif", order, STACK, more=more))
    np.testing.assert_array_equal(cube.data, STACK.transpose(0, 1, 3, 4, 2))
    assert cube.metadata.get("planes", {}) == ({"z": {"start": 0.0, "step": 2.0, "unit": "um"}} if more else {})


@pytest.mark.parametrize(("unit", "factor"), [("pm", 1e3), ("fm", 1e6), ("mm", 1e-6), ("cm", 1e-7), ("m", 1e-9), ("Å", 10), ("nm", 1)])
def test_emission_in_any_unit_of_length(unit, factor, tmp_path):
    cube = read(ome(tmp_path / "x.ome.tif", "XYCZT", STACK[:1, :1], unit=unit, factor=factor))
    assert cube.axis.unit == "nm"
    np.testing.assert_allclose(cube.axis.values, [500, 520, 540, 560])


@pytest.mark.parametrize(
    ("words", "values", "unit", "first"),
    [
        ("Millimeters", [0.3, 0.4, 0.5], "nm", 3e5),
        ("Centimeters", [0.03, 0.04, 0.05], "nm", 3e5),
        ("Meters", [4e-7, 5e-7, 6e-7], "nm", 400),
        ("picometres", [4e5, 5e5, 6e5], "nm", 400),
        ("MHz", [3e6, 4e6, 5e6], "1/cm", 100.0692),
    ],
)
def test_units_of_headers_of_envi(words, values, unit, first, tmp_path):
    (tmp_path / "x.img").write_bytes(np.ones((4, 5, 3), np.float32).tobytes())
    path = tmp_path / "x.hdr"
    path.write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\ndata type = 4\ninterleave = bip\nbyte order = 0\n"
        f"wavelength units = {words}\nwavelength = {{{', '.join(map(str, values))}}}\n"
    )
    axis = read(path).axis
    assert axis.unit == unit
    assert axis.values[0] == pytest.approx(first, rel=1e-4)


def test_centimetres_that_are_reciprocal_have_no_unit(tmp_path):
    (tmp_path / "x.img").write_bytes(np.ones((4, 5, 3), np.float32).tobytes())
    path = tmp_path / "x.hdr"
    path.write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\ndata type = 4\ninterleave = bip\nbyte order = 0\n"
        "wavelength units = cm\nwavelength = {400, 1000, 4000}\n"
    )
    with pytest.warns(SpectralWarning, match="'cm', which is not known"):
        assert read(path).axis.unit == ""


AXIS = SpectralAxis(np.array([500.0, 510.0, 530.0]), "nm")


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
@pytest.mark.parametrize(
    ("shape", "planes"),
    [
        ((3, 4, 5, 3), {"z": {"start": 0.0, "step": 2.0, "unit": "um"}}),
        ((3, 4, 5, 3), {"time": {"start": 0.0, "step": 1.5, "unit": "s"}}),
        ((2, 3, 4, 5, 3), {"time": {"start": 0.0, "step": 1.5, "unit": "s"}, "z": {"start": 0.0, "step": 2.0, "unit": "um"}}),
    ],
    ids=["depths", "times", "both"],
)
def test_steps_of_planes_are_written_for_other_programs(shape, planes, suffix, tmp_path):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    cube = Cube(data, AXIS, pixel_size=(0.5, 0.25), pixel_unit="um", metadata={"planes": planes})
    path = write(cube, tmp_path / f"x{suffix}")
    assert read(path).metadata["planes"] == planes
    np.testing.assert_array_equal(read(path).data, data)
    if suffix == ".ome.tif":
        with tifffile.TiffFile(path) as file:
            xml, axes = file.ome_metadata, file.series[0].axes
        assert axes == {("z",): "CZYX", ("time",): "CTYX", ("time", "z"): "TCZYX"}[tuple(planes)]
        assert ('PhysicalSizeZ="2.0"' in xml) == ("z" in planes)
        assert ('TimeIncrement="1.5"' in xml) == ("time" in planes)
    else:
        import zarr

        (image,) = zarr.open(path, mode="r").attrs["ome"]["multiscales"]
        scale = dict(
            zip((axis["name"] for axis in image["axes"]), image["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True)
        )
        kept = {"z": scale.get("z"), "time": scale.get("t")}
        assert {name: step for name, step in kept.items() if step} == {name: one["step"] for name, one in planes.items()}


def test_units_of_the_conventions_for_climate_and_forecast(tmp_path):
    cases = {"m-1": ("1/cm", 0.01), "Hz": ("1/cm", 1 / 2.99792458e10), "m": ("nm", 1e9), "um": ("um", 1)}
    for unit, (known, factor) in cases.items():
        with netcdf_file(tmp_path / "a.nc", "w") as file:
            file.createDimension("time", 3)
            file.createDimension("spectral", 5)
            file.createVariable("radiance", "d", ("time", "spectral"))[:] = np.arange(15.0).reshape(3, 5)
            positions = file.createVariable("spectral", "d", ("spectral",))
            positions[:] = wanted = (np.arange(5) + 5) / factor
            positions.units = unit
            time = file.createVariable("time", "d", ("time",))
            time[:], time.units = [0, 30, 90], "seconds since 2026-01-01 00:00:00"
        cube = read(tmp_path / "a.nc")
        assert (cube.shape, cube.axis.unit) == ((3, 5), known)
        np.testing.assert_allclose(cube.axis.values, wanted * factor, err_msg=unit)
        assert cube.metadata["coordinates"] == {"time": {"values": [0.0, 30.0, 90.0], "unit": "s"}}
