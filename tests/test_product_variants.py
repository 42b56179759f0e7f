"""Products of other projects, made in their published layouts: PRISMA, EMIT, NEON, Imaris, GeoTIFF with and without metadata next to it."""

from __future__ import annotations

from contextlib import nullcontext

import h5py
import numpy as np
import pytest
import tifffile

from napari_spectrai import inspect, read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
RNG = np.random.default_rng(0)
WAVE = np.linspace(400, 700, 12)
CUBE = RNG.integers(0, 10_000, (7, 9, 12)).astype("i2")


@pytest.mark.parametrize("zeros", [0, 3])
@pytest.mark.parametrize(("level", "factor", "offset"), [("L1", 1 / 100, -2.0), ("L2D", 0.9 / 65535, 0.1)])
def test_prisma(level, factor, offset, zeros, tmp_path):
    """Bands lie in the middle, the first of which may not be recorded."""
    path, folder = tmp_path / "a.he5", f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"
    waves = {"Vnir": np.linspace(1010, 400, 12), "Swir": np.linspace(2500, 940, 16)}
    waves["Vnir"][:zeros] = 0
    cubes = {name: RNG.integers(0, 65535, (7, len(wave), 9)).astype("u2") for name, wave in waves.items()}
    with h5py.File(path, "w") as file:
        for name, wave in waves.items():
            file.attrs.update(
                {f"List_Cw_{name}": wave, f"List_Fwhm_{name}": wave * 0 + 12, f"List_Cw_{name}_Flags": np.ones(len(wave), "u1")}
            )
            file.attrs.update({f"ScaleFactor_{name}": 100.0, f"Offset_{name}": 2.0, f"L2Scale{name}Min": 0.1, f"L2Scale{name}Max": 1.0})
            file[f"{folder}/{name.upper()}_Cube"] = cubes[name]
    with pytest.raises(SeveralArraysError, match="VNIR_Cube"):
        read(path)
    for name, wave in waves.items():
        cube = read(path, dataset=f"{folder}/{name.upper()}_Cube")
        np.testing.assert_allclose(np.asarray(cube.data), cubes[name].transpose(0, 2, 1) * factor + offset, rtol=1e-5)
        np.testing.assert_allclose(cube.axis.values, wave)
        assert cube.axis.unit == "nm"
        assert cube.metadata.get("bad_bands", []) == np.flatnonzero(wave == 0).tolist()


@pytest.mark.parametrize("suffix", ["nc", "h5"])
def test_emit(suffix, tmp_path):
    values = CUBE.astype(np.float32)
    values[0, 0] = -9999
    with h5py.File(tmp_path / f"a.{suffix}", "w") as file:
        file["reflectance"], file["sensor_band_parameters/wavelengths"] = values, WAVE
        file["sensor_band_parameters/fwhm"], file["sensor_band_parameters/good_wavelengths"] = np.full(12, 8.0), np.ones(12, "u1")
        file["sensor_band_parameters/wavelengths"].attrs["units"] = "nm"
        file["reflectance"].attrs["_FillValue"] = np.float32(-9999)
        file["location/lat"] = np.zeros((7, 9))
        for number, name in enumerate(("downtrack", "crosstrack", "bands")):
            file[name] = np.arange(values.shape[number])
            file[name].make_scale(f"This is a netCDF dimension but not a netCDF variable. {number}")
            file["reflectance"].dims[number].attach_scale(file[name])
    cube = read(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(cube.axis.values, WAVE)
    np.testing.assert_array_equal(np.asarray(cube.data), np.where(values == -9999, np.nan, values))


def test_neon(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        folder = file.create_group("SITE/Reflectance")
        folder["Reflectance_Data"], folder["Metadata/Spectral_Data/Wavelength"] = np.where(CUBE[0, 0] == CUBE, -9999, CUBE), WAVE
        folder["Reflectance_Data"].attrs.update({"Scale_Factor": 10_000.0, "Data_Ignore_Value": -9999.0})
        folder["Metadata/Spectral_Data/Wavelength"].attrs["Units"] = "nanometers"
    cube = read(tmp_path / "a.h5")
    assert cube.axis.unit == "nm"
    np.testing.assert_allclose(np.asarray(cube.data), np.where(CUBE[0, 0] == CUBE, np.nan, CUBE / 1e4), rtol=1e-5)


# ------------------------------------------------------------------ Imaris


def letters(words) -> np.ndarray:
    return np.array([letter.encode() for letter in str(words)], "S1")


def ims(path, *, times=1, depth=1, channel=lambda _: {}, leave_out=()):
    """Write 4 channels of 7 × 9 in padded arrays; the value says channel, time and depth."""
    with h5py.File(path, "w") as file:
        said = {
            "X": 9,
            "Y": 7,
            "Z": depth,
            "ExtMin0": 0,
            "ExtMin1": 0,
            "ExtMin2": 0,
            "ExtMax0": 4.5,
            "ExtMax1": 7,
            "ExtMax2": 2 * depth,
            "Unit": "um",
        }
        file.create_group("DataSetInfo/Image").attrs.update({key: letters(value) for key, value in said.items()})
        for number in range(4):
            file.create_group(f"DataSetInfo/Channel {number}").attrs.update({key: letters(value) for key, value in channel(number).items()})
            for time in range(times):
                padded = np.zeros((depth + 1, 8, 16), "u2")
                padded[:depth, :7, :9] = CUBE[..., number] + 3 * time + np.arange(depth)[:, None, None]
                for level in (0, 1):
                    folder = f"DataSet/ResolutionLevel {level}/TimePoint {time}/Channel {number}"
                    if (number, time) not in leave_out:
                        file[f"{folder}/Data"], file[f"{folder}/Histogram"] = padded[:, :: level + 1], np.arange(256)
    return path


@quiet
@pytest.mark.parametrize(
    ("channel", "unit"),
    [
        (lambda n: {"LSMEmissionWavelength": 410 + 10 * n, "Name": "x"}, "nm"), (lambda n: {"Name": f"{410 + 10 * n} nm"}, "nm"),
        (lambda n: {"Name": f"{405 + 10 * n}-{415 + 10 * n} nm"}, "nm"), (lambda n: {"Name": ["DAPI", "FITC", "A", "B"][n]}, ""),
        (lambda n: {"LSMEmissionWavelength": 0, "Name": "x"}, ""), (lambda n: {"LSMEmissionWavelength": "unknown"}, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("times", "depth"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_imaris(times, depth, channel, unit, tmp_path):
    path = ims(tmp_path / "a.ims", times=times, depth=depth, channel=channel)
    cube = read(path)
    whole = CUBE[None, None, :, :, :4] + 3 * np.arange(times)[:, None, None, None, None] + np.arange(depth)[:, None, None, None]
    np.testing.assert_array_equal(np.asarray(cube.data), whole.reshape(*[n for n in (times, depth) if n > 1], 7, 9, 4))
    np.testing.assert_array_equal(cube.axis.values, 410 + 10 * np.arange(4) if unit else np.arange(4))
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == (unit, (1.0, 0.5), "um")
    assert inspect(path) == {"image": (4, times, depth, 7, 9)}
    if times == 1 and depth > 1:
        assert cube.metadata["planes"]["z"]["step"] == 2.0


def test_damaged_files_of_imaris(tmp_path):
    with pytest.raises(UnreadableError, match="7 arrays for 4 channels at 2 times"):
        read(ims(tmp_path / "a.ims", times=2, leave_out=[(1, 1)]))
    with h5py.File(tmp_path / "b.ims", "w") as file:
        file["x"] = CUBE
    with pytest.raises(UnreadableError, match="no image of Imaris"):
        read(tmp_path / "b.ims")


# ------------------------------------------------------------------ GeoTIFF


def geotiff(path, *items, planar="separate", tags=(), text=None):
    """Write bands with GDAL's metadata: (name, role, one value for each band)."""
    lines = [
        f'<Item name="{name}" sample="{n}" role="{role}">{value}</Item>' for name, role, values in items for n, value in enumerate(values)
    ]
    said = f"<GDALMetadata>{''.join(lines)}</GDALMetadata>" if text is None else text
    data = CUBE.transpose(2, 0, 1) if planar == "separate" else CUBE
    extra = [(42112, "s", 0, said, True), *tags]
    tifffile.imwrite(path, data, photometric="minisblack", planarconfig=planar, metadata=None, extratags=extra)
    return path


BANDS = [
    ([("wavelength", "", WAVE), ("wavelength_units", "", ["Nanometers"] * 12)], "nm", 1), ([("wavelength", "", WAVE)], "nm", 1),
    ([("CENTRAL_WAVELENGTH_UM", "", WAVE / 1e3)], "um", 1e-3), ([("DESCRIPTION", "description", [f"{w:.6f} nm" for w in WAVE])], "nm", 1),
    ([("DESCRIPTION", "description", [f"Band {n} ({w:.6f})" for n, w in enumerate(WAVE)])], "nm", 1),
    ([("DESCRIPTION", "description", ["red"] * 12)], "", 0), ([("wavelength", "", WAVE[:5])], "", 0), ([], "", 0),
]  # fmt: skip


@quiet
@pytest.mark.parametrize("planar", ["separate", "contig"])
@pytest.mark.parametrize(("items", "unit", "factor"), BANDS)
def test_bands_of_a_geotiff(items, unit, factor, planar, tmp_path):
    cube = read(geotiff(tmp_path / "a.tif", *items, planar=planar))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    assert cube.axis.unit == unit
    np.testing.assert_allclose(cube.axis.values, WAVE * factor if unit else np.arange(12), rtol=1e-6)


def test_scales_and_ground_of_a_geotiff(tmp_path):
    scaled = [("SCALE", "scale", [1e-4] * 12), ("OFFSET", "offset", [-0.1] * 12)]
    size = (33550, "d", 3, (30.0, 20.0, 0.0), True)
    keys = {True: (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001), False: (1, 1, 0, 1, 1024, 0, 1, 2)}
    for projected, directory in keys.items():
        tags = [size, (34735, "H", len(directory), directory, True)]
        cube = read(geotiff(tmp_path / "a.tif", *scaled, tags=tags))
        np.testing.assert_allclose(np.asarray(cube.data), CUBE * 1e-4 - 0.1, rtol=1e-4, atol=1e-6)
        assert (cube.pixel_size, cube.pixel_unit) == (((20.0, 30.0), "m") if projected else (None, "pixel"))
    for planar in ("separate", "contig"):
        with pytest.warns(SpectralWarning, match="scales of their own, which are applied"):
            cube = read(geotiff(tmp_path / "b.tif", ("SCALE", "scale", range(12)), planar=planar))
        np.testing.assert_allclose(np.asarray(cube.data), CUBE * np.arange(12))
    with pytest.warns(SpectralWarning, match="damaged and not used"):
        read(geotiff(tmp_path / "c.tif", text="<GDALMetadata><Item"))


@pytest.mark.parametrize(("image", "beside"), [("E-SPECTRAL_IMAGE.TIF", "E-METADATA.XML"), ("D-SPECTRAL_IMAGE.tif", "D-METADATA.xml"),
                                               ("E-SPECTRAL_IMAGE_VNIR.TIF", "E-METADATA.XML")])  # fmt: skip
def test_wavelengths_of_the_metadata_next_to_an_image(image, beside, tmp_path):
    centres = [f"<bandID><wavelengthCenterOfBand>{w}</wavelengthCenterOfBand></bandID>" for w in WAVE]
    (tmp_path / beside).write_text(f'<a xmlns="http://x"><bandCharacterisation>{"".join(centres)}</bandCharacterisation></a>')
    np.testing.assert_allclose(read(geotiff(tmp_path / image)).axis.values, WAVE)
    for gains, warns in (([1e-4] * 12, False), (range(1, 13), True)):
        said = [
            one.replace("</bandID>", f"<GainOfBand>{g}</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>")
            for one, g in zip(centres, gains, strict=True)
        ]
        (tmp_path / beside).write_text(f"<a>{''.join(said)}</a>")
        with pytest.warns(SpectralWarning, match="which are applied") if warns else nullcontext():
            cube = read(tmp_path / image)
        np.testing.assert_allclose(np.asarray(cube.data), CUBE * (np.arange(1, 13) if warns else 1))
    for text, count in (("<a>", 0), (f"<a>{''.join(centres[:5])}</a>", 5)):
        (tmp_path / beside).write_text(text)
        with pytest.warns(SpectralWarning, match=f"names {count} wavelengths for its 12 bands; they are numbered"):
            assert read(tmp_path / image).axis.unit == ""


# ------------------------------------------------------------------ PTIR Studio


def ptir(path, spectra, sides=(), *, background=False):
    """Write measurements with two channels each, in the layout of PTIR Studio 4: a map, or points."""
    with h5py.File(path, "w") as file:
        for number, values in enumerate([spectra] if sides else spectra[:, None]):
            measurement = file.create_group(f"Measurement_{number:03}")
            said = {"WavenumberStart": 1800.0, "WavenumberEnd": 900.0, "WavenumberPoints": values.shape[1]}
            for side, count, start, step in zip("YX", sides, (5.0, -10.0), (-2.0, 0.5), strict=False):
                said |= {f"{side}Start": start, f"{side}Increment": step, f"{side}Points": count}
            measurement.attrs.update({f"Range{key}": np.array([value]) for key, value in said.items()})
            measurement.attrs.update({"LocationX": [1.0 * number], "LocationY": [2.0], "IsBackground": [background and number == 0]})
            for key in ("Spectroscopic_Values", "Spectroscopic_Indices"):
                measurement[key] = np.arange(values.shape[1])[None]
            for channel in range(2):
                measurement[f"Channel_{channel:03}/Raw_Data"] = values + 1e5 * channel
                measurement[f"Channel_{channel:03}"].attrs.update({"DataSignal": f"//ZI/{channel}", "Label": f"signal {channel}"})
        file["Heightmaps/Heightmap_000"] = np.zeros((20, 30))
    return path


def test_measurements_of_ptir_studio(tmp_path):
    path = ptir(tmp_path / "a.ptir", CUBE.reshape(63, 12), (7, 9))
    with pytest.warns(SpectralWarning, match=r"Measurement_000/Channel_000/Raw_Data \(signal 0\) is read, and not .*signal 1"):
        cube = read(path)
    other = read(path, dataset="Measurement_000/Channel_001/Raw_Data")
    for found, offset in ((cube, 0), (other, 1e5)):
        np.testing.assert_array_equal(np.asarray(found.data), CUBE + offset)
        np.testing.assert_allclose(found.axis.values, np.linspace(1800, 900, 12))
        assert (found.axis.unit, found.pixel_size, found.pixel_unit) == ("1/cm", (2.0, 0.5), "um")
        assert tuple(found.metadata["origin"]) == (-7.0, -10.0)
    with pytest.warns(SpectralWarning, match="signal 1"):
        points = read(ptir(tmp_path / "b.ptir", CUBE[0], background=True))
    np.testing.assert_array_equal(np.asarray(points.data), CUBE[0, 1:])
    assert points.metadata["labels"] == [f"Measurement_{number:03}" for number in range(1, 9)]
    assert points.metadata["coordinates"]["x"] == {"values": [float(number) for number in range(1, 9)], "unit": "um"}


# ------------------------------------------------------------------ pyUSID


def test_universal_spectroscopic_data(tmp_path):
    rows, columns = np.indices((7, 9)).reshape(2, -1)
    order = np.random.default_rng(1).permutation(63)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("Measurement_000/Channel_000")
        main = group.create_dataset("Raw_Data", data=CUBE.reshape(63, 12)[order])
        lists = {
            "Position": (np.stack([columns * 0.5, rows * 2.0], 1)[order], ["X", "Y"], ["um", "um"]),
            "Spectroscopic": (WAVE[None], ["Wavelength"], ["nm"]),
        }
        for name, (values, labels, units) in lists.items():
            for kind in ("Indices", "Values"):
                item = group.create_dataset(f"{name}_{kind}", data=values)
                item.attrs["labels"], item.attrs["units"] = np.array(labels, "S"), np.array(units, "S")
                main.attrs[f"{name}_{kind}"] = item.ref
    for options in ({}, {"dataset": "Measurement_000/Channel_000/Raw_Data"}):
        cube = read(tmp_path / "a.h5", **options)
        np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (2.0, 0.5), "um")
    with h5py.File(tmp_path / "a.h5", "a") as file:  # of two quantities
        group = file["Measurement_000/Channel_000"]
        item = group.create_dataset("Two", data=np.stack([WAVE, WAVE]))
        group["Raw_Data"].attrs["Spectroscopic_Values"] = item.ref
    assert np.asarray(read(tmp_path / "a.h5", dataset="Measurement_000/Channel_000/Raw_Data").data).shape == (63, 12)
