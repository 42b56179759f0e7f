"""Axes of containers and stacks: windows, hyperstacks, OME's folded dimensions, OME-Zarr, NeXus, structs, unfolded images."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
import zarr

from napari_spectrai import Cube, SpectralAxis, inspect, read, write
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError, format_of
from napari_spectrai.io.asdf import ordinates
from napari_spectrai.io.imzml import common_axis
from napari_spectrai.io.labels import holds_labels, read_labels
from napari_spectrai.io.titles import from_labels
from napari_spectrai.notices import noting

OPUS = b"\x0a\x0a\xfe\xfe"
IMAGE = np.random.default_rng(0).random((4, 5, 7)).astype(np.float32)


# ------------------------------------------------------------------ names of channels


@pytest.mark.parametrize(
    ("names", "values", "unit"),
    [
        (["410-420 nm", "420-430 nm"], [415, 425], "nm"),
        (["410–420nm", "420–430nm"], [415, 425], "nm"),
        (["Ch1 410 nm - 420 nm", "Ch2 420 nm - 430 nm"], [415, 425], "nm"),
        (["em 500 to 520 nm", "em 520 to 540 nm"], [510, 530], "nm"),
        (["dye - 423 nm", "dye - 433 nm"], [423, 433], "nm"),
        (["4230 Å", "4330 Å"], [423, 433], "nm"),
        (["1650 cm-1", "1660 cm-1"], [1650, 1660], "1/cm"),
        (["-50 cm-1", "50 cm-1"], [-50, 50], "1/cm"),
        (["DAPI", "GFP"], None, ""),
        (["423 nm", "0.433 µm"], None, ""),
        (["1", "2"], None, ""),
    ],
)
def test_names_of_channels_are_positions_where_they_spell_them(names, values, unit):
    with noting() as notes:
        axis = from_labels(names, Path("c.tif"))
    if values is None:
        assert axis is None
    else:
        assert axis is not None
        assert axis.unit == unit
        assert "taken for the positions" in notes[0]
        np.testing.assert_allclose(axis.values, values)


EXCITATION = [
    ["405 nm", "488 nm", "561 nm", "640 nm"], ["Ex 405 nm", "Ex 488 nm"], ["488 nm laser", "561 nm laser"], ["Laser 785 nm"],
    ["405", "488", "561"], ["488 nm ex", "561 nm ex"], ["excitation: 470/40 nm", "excitation: 560/40 nm"], ["λex=488 nm", "λex=561 nm"],
    ["561 nm", "488 nm", "405 nm", "640 nm"], ["DAPI 405 nm", "GFP 488 nm"], ["Cy5 640/30 nm", "FITC 470/40 nm"],
    ["10 mW 488 nm", "5 mW 561 nm"],
    ["z = 5 µm", "z = 10 µm"], ["pinhole 50 µm", "pinhole 60 µm"], ["488 nm", "TL Brightfield"], ["450 nm", "450 nm"],
    ["LED 450 nm", "LED 525 nm"],
]  # fmt: skip


@pytest.mark.parametrize("names", EXCITATION, ids=lambda names: names[0])
def test_wavelengths_of_excitation_are_no_positions_and_a_notice_says_so(names):
    with noting() as notes:
        assert from_labels(names, Path("c.tif")) is None
    assert len(notes) == 1
    assert "numbered" in notes[0]
    assert "axis=SpectralAxis" in notes[0]


@pytest.mark.parametrize(
    "names",
    [["DAPI", "FITC", "TL Brightfield"], ["Alexa 488", "Alexa 568"], ["Cy5 640/30", "DAPI 390/18"], ["Sample 101", "Sample 102"],
     ["Fura-2 340", "Fura-2 380"], ["ATTO 647N", "ATTO 655N"], ["Channel 405", "Channel 488"], ["2024-11-28", "2024-11-29"]],
)  # fmt: skip
def test_numbers_of_dyes_filters_and_samples_are_no_positions(names):
    with noting() as notes:
        assert from_labels(names, Path("c.tif")) is None
    assert notes == []


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["Ex 488 nm, Em 525/50 nm", "Ex 561 nm, Em 600/50 nm"], [525, 600]),
        (["488 nm ex / 525 nm em", "561 nm ex / 600 nm em"], [525, 600]),
        (["Em 461", "Em 525", "Em 600"], [461, 525, 600]),
        (["EGFP 500-550 nm", "mCherry 580-650 nm"], [525, 615]),
        (["ChS1 410.5nm-420.5nm", "ChS2 420.5nm-430.5nm"], [415.5, 425.5]),
        (["S1 417.3", "S2 427.1", "S3 436.9"], [417.3, 427.1, 436.9]),
        (["wl_402.1", "wl_405.2"], [402.1, 405.2]),
        (["c:1/2 z:1/3 - 450 nm", "c:2/2 z:1/3 - 460 nm"], [450, 460]),
        (["450 nm", "550 nm", "650 nm"], [450, 550, 650]),
        (["Band 3 402.4 nm FWHM 5 nm", "Band 4 412.4 nm FWHM 5 nm"], [402.4, 412.4]),
        ([f"{n} nm" for n in (405, 420, 445, 473, 488, 514, 532, 561, 594, 633)], [405, 420, 445, 473, 488, 514, 532, 561, 594, 633]),
    ],
)
def test_where_light_was_detected_is_read_with_a_notice(names, values):
    with pytest.warns(SpectralWarning, match=r"taken for .*If that is wrong give axis="):
        axis = from_labels(names, Path("c.tif"))
    assert axis == SpectralAxis(values, "nm")


def test_channels_named_after_their_laser_lines_are_numbered(tmp_path):
    lines = [405.0, 488.0, 561.0]
    channels = {"Name": [f"{line:g} nm" for line in lines], "ExcitationWavelength": lines}
    tifffile.imwrite(
        tmp_path / "a.ome.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack", metadata={"axes": "CYX", "Channel": channels}
    )
    with pytest.warns(SpectralWarning, match="wavelengths of excitation"):
        assert read(tmp_path / "a.ome.tif").axis == SpectralAxis.bands(3)
    cube = read(tmp_path / "a.ome.tif", axis=SpectralAxis(lines, "nm"))
    assert cube.axis == SpectralAxis(lines, "nm")


@pytest.mark.parametrize("names", [["423", "433", "443.5"], ["Band 1 (423)", "Band 2 (433)", "Band 3 (443.5)"]])
def test_plain_numbers_are_wavelengths_with_a_warning(names):
    with pytest.warns(SpectralWarning, match="taken for nm"):
        assert from_labels(names, Path("c.tif")) == SpectralAxis([423, 433, 443.5], "nm")


@pytest.mark.parametrize("axes", ["ZCYX", "TCYX", "TZCYX"])
def test_labels_of_hyperstacks_name_each_slice(axes, tmp_path):
    shape = {"ZCYX": (2, 3), "TCYX": (2, 3), "TZCYX": (2, 2, 3)}[axes]
    data = np.random.default_rng(0).integers(0, 99, (*shape, 6, 7)).astype(np.uint8)
    labels = [f"c:{n % 3 + 1}/3 {400 + 10 * (n % 3)}-{410 + 10 * (n % 3)} nm" for n in range(int(np.prod(shape)))]
    tifffile.imwrite(tmp_path / "c.tif", data, imagej=True, metadata={"axes": axes, "Labels": labels})
    with pytest.warns(SpectralWarning, match="middles of these windows"):
        cube = read(tmp_path / "c.tif")
    assert cube.axis == SpectralAxis([405, 415, 425], "nm")
    np.testing.assert_array_equal(np.asarray(cube.data), np.moveaxis(data, -3, -1))


# ------------------------------------------------------------------ folded dimensions of OME


def folded(path: Path, data: np.ndarray, sizes: dict[str, int], annotation: str) -> Path:
    pixels = " ".join(f'Size{side}="{sizes.get(side, 1)}"' for side in "CZT")
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" Type="uint16" DimensionOrder="XYCZT" SizeX="{data.shape[-1]}" SizeY="{data.shape[-2]}" {pixels}>'
        + "".join(f'<Channel ID="Channel:0:{n}" SamplesPerPixel="1"/>' for n in range(sizes.get("C", 1)))
        + '<TiffData/></Pixels><AnnotationRef ID="Annotation:1"/><AnnotationRef ID="Annotation:0"/></Image><StructuredAnnotations>'
        '<XMLAnnotation ID="Annotation:0" Namespace="openmicroscopy.org/omero/dimension/modulo"><Value><Modulo>'
        f"{annotation}</Modulo></Value></XMLAnnotation></StructuredAnnotations></OME>"
    )
    tifffile.imwrite(path, data, description=xml, metadata=None, photometric="minisblack")
    return path


@pytest.mark.parametrize("along", ["C", "Z", "T"])
@pytest.mark.parametrize("kind", ["lambda", "spectral"])
@pytest.mark.parametrize("outer", [1, 3])
def test_wavelengths_folded_into_a_dimension_are_the_bands(along, kind, outer, tmp_path):
    data = np.random.default_rng(0).integers(0, 999, (outer * 4, 5, 6)).astype(np.uint16)
    said = f'<ModuloAlong{along} Type="{kind}" Unit="nm" Start="500" Step="20" End="560"/>'
    cube = read(folded(tmp_path / "c.ome.tif", data, {along: outer * 4}, said))
    assert cube.axis == SpectralAxis([500, 520, 540, 560], "nm")
    np.testing.assert_array_equal(np.asarray(cube.data).reshape(outer, 5, 6, 4), np.moveaxis(data.reshape(outer, 4, 5, 6), 1, -1))


def test_lifetimes_are_no_spectrum(tmp_path):
    data = np.zeros((8, 5, 6), np.uint16)
    said = '<ModuloAlongC Type="lifetime" Unit="ps" Start="0" Step="50" End="150"/>'
    cube = read(folded(tmp_path / "c.ome.tif", data, {"C": 8}, said))
    assert cube.shape[-1] == 2
    with pytest.warns(SpectralWarning) as told:
        read(folded(tmp_path / "d.ome.tif", data[:4], {"T": 4}, said.replace("AlongC", "AlongT")))
    assert "holds lifetimes, which are no spectrum" in str(told[0].message)
    assert "does not say which dimension" in str(told[1].message)


# ------------------------------------------------------------------ OME-Zarr

SPACE = [{"name": side, "type": "space", "unit": "micrometer"} for side in "yx"]


def store(path: Path, image: dict, positions: list[float] | None = None) -> Path:
    group = zarr.create_group(path)
    zarr.create_array(path, name="0", data=np.moveaxis(IMAGE, -1, 0))
    if positions is not None:
        zarr.create_array(path, name="positions", data=np.array(positions))
    group.attrs["ome"] = {"version": "0.6" if "coordinateSystems" in image else "0.5", "multiscales": [image]}
    return path


LINE = [{"type": "scale", "scale": [10, 0.5, 0.25]}, {"type": "translation", "translation": [420, 3, 4]}]
BY_DIMENSION = {
    "type": "byDimension",
    "transformations": [
        {"type": "coordinates", "path": "positions", "input_axes": ["l"], "output_axes": ["l"]},
        {"type": "scale", "scale": [0.5, 0.25], "input_axes": ["y", "x"], "output_axes": ["y", "x"]},
    ],
}
BY_NUMBER = {
    "type": "byDimension",
    "transformations": [
        {"transformation": {"type": "coordinates", "path": "positions"}, "input_axes": [0], "output_axes": [0]},
        {"transformation": {"type": "scale", "scale": [0.5, 0.25]}, "input_axes": [1, 2], "output_axes": [1, 2]},
    ],
}


@pytest.mark.parametrize("axis", [{"name": "wavelength", "type": "wavelength"}, {"name": "c", "type": "channel"}, {"name": "wavelength"}])
@pytest.mark.parametrize("transformations", [LINE, [{"type": "sequence", "transformations": LINE}]])
@pytest.mark.parametrize("version", ["0.5", "0.6"])
def test_an_axis_of_wavelengths_is_read_with_scale_and_translation(axis, transformations, version, tmp_path):
    axes = [axis | {"unit": "nanometer"}, *SPACE]
    named = {"axes": axes} if version == "0.5" else {"coordinateSystems": [{"name": "physical", "axes": axes}]}
    cube = read(store(tmp_path / "c.ome.zarr", named | {"datasets": [{"path": "0", "coordinateTransformations": transformations}]}))
    assert cube.axis == SpectralAxis(420 + 10 * np.arange(7), "nm")
    assert (cube.pixel_size, cube.pixel_unit, cube.metadata["origin"]) == ((0.5, 0.25), "um", [3, 4])
    np.testing.assert_array_equal(np.asarray(cube.data), IMAGE)


@pytest.mark.parametrize("transformation", [BY_DIMENSION, BY_NUMBER])
def test_uneven_wavelengths_of_ngff_06_are_read(transformation, tmp_path):
    values = [0.4, 0.42, 0.5, 0.51, 0.6, 0.7, 0.9]
    system = {"name": "physical", "axes": [{"name": "l", "type": "wavelength", "unit": "micrometer"}, *SPACE]}
    image = {"coordinateSystems": [system], "datasets": [{"path": "0", "coordinateTransformations": [transformation]}]}
    cube = read(store(tmp_path / "c.ome.zarr", image, values))
    assert cube.axis == SpectralAxis(values, "um")
    assert cube.pixel_size == (0.5, 0.25)


# ------------------------------------------------------------------ containers


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("style", ["group", "signal", "axis numbers"])
def test_nexus_in_every_style_and_order(place, style, tmp_path):
    data = np.moveaxis(IMAGE, -1, place)
    names = ["sample_y", "sample_x"]
    names.insert(place, "photon_energy")
    with h5py.File(tmp_path / "c.nxs", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"] = "NXdata"
        signal = group.create_dataset("counts", data=data)
        for number, name in enumerate(names):
            axis = group.create_dataset(name, data=np.arange(data.shape[number]) * 0.5 + 280)
            axis.attrs["units"] = "eV" if "energy" in name else "um"
            if style == "axis numbers":
                axis.attrs["axis"] = number + 1
        if style == "group":
            group.attrs["signal"], group.attrs["axes"] = "counts", names
        else:
            signal.attrs["signal"] = 1
        if style == "signal":
            signal.attrs["axes"] = ":".join(names)
    cube = read(tmp_path / "c.nxs")
    np.testing.assert_array_equal(np.asarray(cube.data), IMAGE)
    assert cube.axis == SpectralAxis(280 + 0.5 * np.arange(7), "eV")
    assert (cube.pixel_size, cube.pixel_unit) == ((0.5, 0.5), "um")


def test_an_array_called_wavelength_goes_by_its_values(tmp_path):
    np.savez(tmp_path / "um.npz", cube=IMAGE, wavelength=np.linspace(0.4, 0.7, 7))
    with pytest.warns(SpectralWarning, match="um is assumed"):
        assert read(tmp_path / "um.npz").axis.unit == "um"
    np.savez(tmp_path / "nm.npz", cube=IMAGE, wavelength=np.linspace(400, 700, 7))
    assert read(tmp_path / "nm.npz").axis.unit == "nm"


CONTAINERS = [".npy", ".npz", ".mat", ".h5", ".zarr", ".nc"]


def _written(path, data):
    if path.suffix == ".npy":
        np.save(path, data)
    elif path.suffix == ".npz":
        np.savez(path, cube=data)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"cube": data})
    elif path.suffix == ".zarr":
        zarr.create_array(path, data=data)
    else:
        with h5py.File(path, "w") as file:
            file["cube"] = data
    return path


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("shape", [(31, 64, 64), (40, 5, 6), (8, 48, 64)])
def test_bands_first_is_a_guess_in_every_container(suffix, shape, tmp_path):
    path = _written(tmp_path / f"c{suffix}", np.ones(shape, np.float32))
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        read(path)
    assert read(path, spectral=0).shape == (*shape[1:], shape[0])


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_spectra_along_the_first_dimension_are_noticed_where_lengths_suggest_the_last(suffix, tmp_path):
    rng, bands = np.random.default_rng(1), np.arange(40)
    spectrum = np.exp(-0.5 * np.square((bands - 12) / 3)) + 0.6 * np.exp(-0.5 * np.square((bands - 30) / 5))
    cube = (spectrum * rng.uniform(0.7, 1.3, (50, 20, 1)) + rng.normal(0, 0.05, (50, 20, 40))).astype(np.float32)
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        read(_written(tmp_path / f"first{suffix}", np.moveaxis(cube, -1, 0).copy()))
    last = read(_written(tmp_path / f"last{suffix}", cube[:20]))
    assert last.shape == (20, 20, 40)


def test_structs_of_matlab_are_looked_into(tmp_path):
    scipy.io.savemat(tmp_path / "s.mat", {"s": {"data": IMAGE, "wavelength": 400.0 + np.arange(7)}})
    cube = read(tmp_path / "s.mat")
    np.testing.assert_array_equal(cube.data, IMAGE)
    assert cube.axis == SpectralAxis(400 + np.arange(7), "nm")
    scales = np.empty((2, 1), object)
    scales[0, 0], scales[1, 0] = np.array([]), 1000.0 + 10 * np.arange(7)
    unfolded = {"data": IMAGE.reshape(20, 7, order="F"), "axisscale": scales, "imagesize": np.array([4, 5])}
    scipy.io.savemat(tmp_path / "d.mat", {"d": unfolded})
    with pytest.warns(SpectralWarning, match="does not say their unit"):
        np.testing.assert_array_equal(read(tmp_path / "d.mat").data, IMAGE)


@pytest.mark.parametrize("bands_first", [True, False])
def test_an_unfolded_image_takes_the_shape_it_is_given(bands_first, tmp_path):
    rows = IMAGE.reshape(20, 7)
    np.save(tmp_path / "u.npy", rows.T if bands_first else rows)
    np.testing.assert_array_equal(read(tmp_path / "u.npy", shape=(4, 5)).data, IMAGE)
    columns = IMAGE.reshape(20, 7, order="F")
    scipy.io.savemat(tmp_path / "u.mat", {"Y": columns.T if bands_first else columns})
    np.testing.assert_array_equal(read(tmp_path / "u.mat", shape=(4, 5)).data, IMAGE)
    with pytest.raises(ValueError, match="4 × 6 has 24 pixels"):
        read(tmp_path / "u.npy", shape=(4, 6))


def test_a_choice_among_several_arrays_is_never_silent(tmp_path):
    np.savez(tmp_path / "c.npz", data=IMAGE, other=IMAGE, wavelengths=400.0 + np.arange(7))
    with pytest.warns(SpectralWarning, match="several arrays.*'data' is read. Choose another with dataset="):
        read(tmp_path / "c.npz")


# ------------------------------------------------------------------ decoders


@pytest.mark.parametrize("count", [2, 9, 10, 12, 99, 120])
@pytest.mark.parametrize("kind", ["value", "difference"])
def test_counts_of_any_length_repeat_what_stands_before_them(count, kind):
    letters = dict(enumerate("STUVWXYZs", 1))
    packed = letters[int(str(count)[0])] + str(count)[1:]
    values, _, faults = ordinates(["100A5" + ("" if kind == "value" else "J") + packed])
    expected = [15.0] * count if kind == "value" else [15.0, *(15.0 + np.arange(1, count + 1))]
    np.testing.assert_array_equal(values, expected)
    assert not faults


def test_a_failed_checksum_is_reported_and_the_next_line_is_still_read():
    values, _, faults = ordinates(["1A0J", "3A9JJ"])
    assert values.tolist() == [10, 19, 20, 21]
    assert "line 2 of its table starts with the ordinate 19 where 11 is expected" in faults[0]


def test_masses_near_each_other_are_one_and_profiles_get_even_bins():
    bins, axis, _ = common_axis(np.array([100.0, 100.0005, 200.0, 100.0002, 200.001]))
    assert bins.tolist() == [0, 0, 1, 0, 1]
    assert len(axis) == 2
    profile = np.exp(np.linspace(np.log(100), np.log(110), 100_000))
    _, axis, words = common_axis(profile)
    assert len(axis) <= 20_001
    assert "ppm wide" in words


# ------------------------------------------------------------------ content and labels


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("a.00", OPUS, "Bruker OPUS"), ("a.001", OPUS, "Bruker OPUS"), ("a.10", OPUS, "Bruker OPUS"),
        ("a.dat", b"1 2\n3 4\n", "text"), ("a.dat", bytes(100), "ENVI"), ("a.txt", b"##TITLE=x\n##JCAMP-DX=4.24\n", "JCAMP-DX"),
        ("a.txt", b"##NAMES=Quartz\n1, 2\n", "text"), ("a.raw", b"\x89HDF\r\n\x1a\n", "HDF5"), ("a.img", b"IM" + bytes(62), "ENVI"),
    ],
)  # fmt: skip
def test_content_decides_where_suffixes_are_shared(name, content, format_name, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert format_of(tmp_path / name).name == format_name


def test_values_of_envi_are_recognised_by_the_header_in_their_folder(tmp_path):
    header = (
        "ENVI\nsamples = 5\nlines = 4\nbands = 7\ndata type = 4\ninterleave = bip\nwavelength units = nm\nwavelength = {1,2,3,4,5,6,7}\n"
    )
    for name in ("scene", "scene.xyz"):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / name).write_bytes(IMAGE.tobytes())
        (folder / "scene.hdr").write_text(header)
        for opened in (folder / name, folder / "scene.hdr"):
            np.testing.assert_array_equal(read(opened).data, IMAGE)


def test_a_table_with_the_name_of_a_scene_is_read_as_a_table(tmp_path):
    (tmp_path / "scene.hdr").write_text("ENVI\nsamples = 5\nlines = 4\nbands = 7\ndata type = 4\n")
    (tmp_path / "scene.csv").write_text("wavelength (nm),counts\n" + "\n".join(f"{400 + n},{n * n % 7}" for n in range(9)))
    assert read(tmp_path / "scene.csv").shape == (1, 9)


def test_the_command_line_says_what_a_file_leaves_open(tmp_path):
    from typer.testing import CliRunner

    from napari_spectrai.cli import app

    np.savez(tmp_path / "c.npz", one=np.moveaxis(IMAGE, -1, 0), two=IMAGE)
    (tmp_path / "t.csv").write_text("a,b,c\n" + "\n".join(f"{n % 5},{400 + n},{n % 3}" for n in range(9)))

    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["info", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "choose one with --dataset" in said(str(tmp_path / "c.npz"))
    whole = said(str(tmp_path / "c.npz"), "--dataset", "one", "--spectral", "0", "--axis", "400:700:nm")
    assert "4 × 5 × 7 float32, 7 bands, 400–700 nm" in whole
    table = said(str(tmp_path / "t.csv"), "--columns", "b=position", "--columns", "a=ignored", "--columns", "c=intensity", "--axis", "nm")
    assert "1 × 9 float64, 9 bands, 400–408 nm" in table
    refused = CliRunner().invoke(app, ["info", str(tmp_path / "t.csv"), "--columns", "b"])
    assert refused.exit_code == 1
    np.save(tmp_path / "u.npy", IMAGE.reshape(20, 7).T)
    assert "4 × 5 × 7 float32, 7 bands" in said(str(tmp_path / "u.npy"), "--shape", "4x5")


def test_errors_advise_options_under_a_command_and_arguments_in_python(tmp_path):
    from typer.testing import CliRunner

    from napari_spectrai.cli import app

    np.savez(tmp_path / "c.npz", one=IMAGE, two=IMAGE + 1)
    with pytest.raises(SeveralArraysError, match=r"^[^:]*c\.npz: it holds several arrays \(.*\); choose one with dataset=…$"):
        read(tmp_path / "c.npz")
    output, whole = str(tmp_path / "out.npz"), str(tmp_path / "c.npz")
    (tmp_path / "steps.yml").write_text("- {kind: normalise, by: area}\n")
    (tmp_path / "train.yml").write_text(f"task: denoising\nnetwork: unet\ndata:\n  input: ['{tmp_path}/c.npz']\n")
    for words in (
        ["predict", "svd_nlm", whole, "-o", output], ["map", "band", whole, "low=1", "high=3", "-o", output + "s"],
        ["preprocess", str(tmp_path / "steps.yml"), whole, "-o", output],
        ["evaluate", whole, whole], ["train", str(tmp_path / "train.yml"), "--run", output + "r"],
        ["estimate", str(tmp_path / "train.yml")],
    ):  # fmt: skip
        shown = CliRunner().invoke(app, words)
        assert shown.exit_code == 1, words
        assert "choose one with --dataset NAME" in " ".join(shown.output.split()), words
        assert "dataset=" not in shown.output, words
    scores = CliRunner().invoke(app, ["evaluate", *[str(tmp_path / "c.npz")] * 2, "--dataset", "one", "--truth-dataset", "two"])
    assert scores.exit_code == 0, scores.output
    with pytest.raises(SeveralArraysError, match="dataset=…"):  # words of a command end with it
        read(tmp_path / "c.npz")


def test_a_training_names_the_arrays_of_its_files(tmp_path):
    from napari_spectrai import Experiment
    from napari_spectrai.plan.truths import gather

    np.savez(tmp_path / "c.npz", one=IMAGE, two=IMAGE + 1)
    data = {"input": [tmp_path / "c.npz"], "truth": [tmp_path / "c.npz"], "dataset": "one", "truth_dataset": "two", "axis": "400:700:nm"}
    (cube,), (truth,) = gather(Experiment.from_mapping({"task": "denoising", "network": "unet", "data": data}), None, None)
    np.testing.assert_array_equal(truth.numpy(), cube.numpy() + 1)
    assert cube.axis == truth.axis == SpectralAxis(np.linspace(400, 700, 7), "nm")


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [("Angstroms", [4100, 5200], (SpectralAxis([410, 520], "nm"))), ("GHz", [29.9792458, 59.9584916], SpectralAxis([1, 2], "1/cm"))],
)
def test_units_of_envi_that_are_multiples_of_ours_are_converted(unit, values, expected, tmp_path):
    listed = ", ".join(map(str, values))
    header = f"ENVI\nsamples = 1\nlines = 1\nbands = 2\ndata type = 1\nwavelength units = {unit}\nwavelength = {{{listed}}}\n"
    (tmp_path / "e.hdr").write_text(header)
    (tmp_path / "e.img").write_bytes(b"ab")
    axis = read(tmp_path / "e.hdr").axis
    assert axis.unit == expected.unit
    np.testing.assert_allclose(axis.values, expected.values)


def test_labels_are_guarded_as_cubes_are(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["labels"] = np.ones((3, 4), np.uint8)
    with h5py.File(tmp_path / "l.h5", "w") as file:
        file["labels"] = h5py.ExternalLink("secret.h5", "/labels")
    with pytest.raises(UnreadableError):
        read_labels(tmp_path / "l.h5")
    (tmp_path / "l.mat").write_bytes((tmp_path / "l.h5").read_bytes())
    with pytest.raises(UnreadableError):
        read_labels(tmp_path / "l.mat")
    np.savez_compressed(tmp_path / "l.npz", labels=np.zeros((50, 50, 50)))
    np.save(tmp_path / "l.npy", np.zeros((50, 50, 50)))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    for name in ("l.npz", "l.npy"):
        with pytest.raises(UnreadableError, match="1 kB of memory are free"):
            read_labels(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"not what you think"])
def test_a_broken_file_holds_no_labels(content, tmp_path):
    (tmp_path / "l.npz").write_bytes(content)
    assert not holds_labels(tmp_path / "l.npz")
    for suffix in (".tif", ".png"):
        (tmp_path / f"l{suffix}").write_bytes(content)
        assert not holds_labels(tmp_path / f"l{suffix}")
    (tmp_path / "l.zarr").mkdir()
    (tmp_path / "l.zarr/zarr.json").write_bytes(content)
    assert not holds_labels(tmp_path / "l.zarr")


def test_a_container_without_cubes_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "c.npz", a=np.zeros(3), b=np.zeros(4))
    with pytest.raises(UnreadableError, match="it holds a 3, b 4"):
        read(tmp_path / "c.npz")
    assert inspect(tmp_path / "c.npz") == {"a": (3,), "b": (4,)}


@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_of_the_scales_of_a_data_set_object_the_one_of_the_bands_is_taken(tmp_path):
    from scipy.io import savemat

    scales = np.empty((2, 1), object)
    scales[0, 0], scales[1, 0] = np.arange(20.0), np.linspace(400, 700, 7)
    savemat(tmp_path / "d.mat", {"x": {"data": IMAGE.reshape(20, 7), "axisscale": scales, "imagesize": np.array([[4, 5]])}})
    cube = read(tmp_path / "d.mat")
    assert cube.shape == (4, 5, 7)
    np.testing.assert_array_equal(cube.axis.values, scales[1, 0])


@pytest.mark.parametrize("name", ["x.zarr", "x.ome.zarr", "version 2"])
def test_a_store_that_is_removed_after_it_was_opened_is_an_error_and_not_zeros(name, tmp_path):
    path = tmp_path / (name if name.endswith("zarr") else "x.zarr")
    data = np.ones((4, 4, 4), np.float32)
    if name == "version 2":
        zarr.create_array(path, shape=data.shape, dtype="f4", zarr_format=2)[...] = data
        cube = read(path, spectral=-1)
    else:
        cube = read(write(Cube(data), path))
    np.testing.assert_array_equal(cube.numpy(), data)
    shutil.rmtree(path)
    with pytest.raises(UnreadableError, match=r"x\..*since it was opened; open it again"):
        cube.numpy()


def test_positions_in_attributes_of_arrays_and_groups_of_zarr(tmp_path):
    data, bands = np.arange(4 * 5 * 7.0).reshape(4, 5, 7), np.linspace(0.4, 0.7, 7)
    for number, (holder, name, unit) in enumerate(
        [("array", "wavelengths", "um"), ("group", "Wavelength", "µm"), ("array", "shift", "eV")]
    ):
        path = tmp_path / f"{number}.zarr"
        root = zarr.open_group(str(path), mode="w")
        array = root.create_array("data", data=data)
        (array if holder == "array" else root).attrs.update({name: bands.tolist(), f"{name.rstrip('s')}_units": unit})
        cube = read(path)
        assert cube.axis.unit == unit.replace("µ", "u")
        np.testing.assert_allclose(cube.axis.values, bands)


def test_sides_and_units_under_other_names(tmp_path):
    data, bands = np.arange(4 * 5 * 7.0).reshape(4, 5, 7), np.linspace(400, 700, 7)
    np.savez(tmp_path / "a.npz", spectra=data.reshape(20, 7), shape=np.array([4, 5]), wavelength=bands)
    with pytest.warns(SpectralWarning, match="its 20 pixels are taken for an image of 4 × 5"):
        np.testing.assert_array_equal(read(tmp_path / "a.npz").data, data)
    scipy.io.savemat(tmp_path / "a.mat", {"data": data, "xaxis": bands, "xunit": "nm"})
    assert read(tmp_path / "a.mat").axis == SpectralAxis(bands, "nm")


def _with_axis(path, data, bands):
    if path.suffix == ".npz":
        np.savez(path, cube=data, wavelength=bands)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"cube": data, "wavelength": bands})
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["cube"], file["wavelength"] = data, bands
    else:
        root = zarr.open_group(str(path), mode="w")
        root.create_array("cube", data=data)
        root.create_array("wavelength", data=bands)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5", ".zarr"])
@pytest.mark.parametrize("shape", [(13, 20), (20, 13), (13, 13)])
def test_positions_that_fit_several_dimensions_are_a_guess(suffix, shape, tmp_path):
    """The last dimension is taken in silence unless the values contradict it, and any other can be chosen, with the positions."""
    rng, bands = np.random.default_rng(0), np.linspace(400, 700, 13)
    spectrum = np.exp(-0.5 * np.square((np.arange(13) - 6) / 2))
    cube = (spectrum * rng.uniform(0.5, 1.5, (*shape, 1)) + rng.normal(0, 0.02, (*shape, 13))).astype(np.float32)
    np.testing.assert_array_equal(read(_with_axis(tmp_path / f"last{suffix}", cube, bands)).data, cube)
    for place in (0, 1):
        moved = np.ascontiguousarray(np.moveaxis(cube, -1, place))
        if moved.shape.count(13) < 2:
            continue
        path = _with_axis(tmp_path / f"{place}{suffix}", moved, bands)
        with pytest.warns(SpectralWarning, match=r"its 'wavelength' is as long as its dimensions .*; . is taken; if that is wrong choose"):
            found = read(path)
        assert moved.shape[2] == 13 or np.array_equal(found.numpy(), cube)
        chosen = read(path, spectral=place)
        np.testing.assert_array_equal(chosen.data, cube)
        assert chosen.axis == SpectralAxis(bands, "nm")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat"])
def test_a_matrix_of_positions_and_spectra(suffix, tmp_path):
    """As a text of spectra becomes one array; a first line that counts, or is in order like others, is none of positions."""
    bands, spectra = np.linspace(400, 700, 12), np.random.default_rng(0).random((4, 12))
    whole = np.vstack([bands, spectra])
    for number, (data, kind) in enumerate([(whole, "line"), (whole.T.copy(), "column")]):
        path = _written(tmp_path / f"{number}{suffix}", data)
        with pytest.warns(SpectralWarning) as said:
            cube = read(path)
        assert f"its first {kind} alone is in order and is taken for positions" in " ".join(str(one.message) for one in said)
        np.testing.assert_array_equal(cube.data, spectra)
        np.testing.assert_array_equal(cube.axis.values, bands)
        assert read(path, spectral=1).shape == data.shape
    for first in (np.arange(12.0), spectra[0]):
        assert read(_written(tmp_path / f"no{suffix}", np.vstack([first, spectra]))).shape == (5, 12)
    assert read(_written(tmp_path / f"sorted{suffix}", np.vstack([bands, np.sort(spectra)]))).shape == (5, 12)


def test_positions_are_spelled_in_the_names_of_columns(tmp_path):
    bands, spectra = np.linspace(400, 700, 7), np.random.default_rng(0).random((4, 7))
    np.savez(tmp_path / "a.npz", data=spectra, columns=bands.astype(str))
    np.savez(tmp_path / "b.npz", data=spectra, feature_names=[f"{band:g} nm" for band in bands])
    scipy.io.savemat(tmp_path / "a.mat", {"X": spectra, "varlabels": bands.astype(str).astype(object)})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["band_names"] = spectra, bands.astype("S8")
    for name in ("a.npz", "b.npz", "a.mat", "a.h5"):
        np.testing.assert_allclose(read(tmp_path / name, axis="nm").axis.values, bands)


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5", ".zarr"])
def test_of_several_arrays_the_one_with_positions_is_read(suffix, tmp_path):
    bands, spectra, mask = np.linspace(400, 700, 7), np.random.default_rng(0).random((12, 7)), np.ones((3, 4))
    path = _with_axis(tmp_path / f"a{suffix}", spectra, bands)
    if suffix == ".npz":
        np.savez(path, cube=spectra, wavelength=bands, mask=mask)
    elif suffix == ".mat":
        scipy.io.savemat(path, {"cells": spectra, "wavelength": bands, "mask": mask})
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["cells"], file["wavelength"], file["mask"] = spectra, bands, mask
    else:
        zarr.open_group(str(path)).create_array("mask", data=mask)
    with pytest.warns(SpectralWarning, match="it holds several arrays .* is read. Choose another"):
        cube = read(path)
    np.testing.assert_array_equal(cube.data, spectra)
    assert cube.axis == SpectralAxis(bands, "nm")


def test_an_axis_of_others_without_a_unit_is_mentioned(tmp_path):
    for name in ("axis", "spectral_axis"):
        np.savez(tmp_path / "a.npz", data=np.ones((3, 4, 7)), **{name: np.linspace(400, 700, 7)})
        with pytest.warns(SpectralWarning, match="gives band positions 400–700, but it does not say their unit"):
            read(tmp_path / "a.npz")


@pytest.mark.parametrize(("name", "unit"), [("k_cm1", "1/cm"), ("freq_cm-1", "1/cm"), ("photon_ev", "eV"), ("wave", "")])
def test_names_with_a_unit_that_only_spectra_have_are_those_of_positions(name, unit, tmp_path):
    data, bands = np.random.default_rng(0).random((7, 4, 5)), np.linspace(400, 700, 7)
    np.savez(tmp_path / "a.npz", DataCube=data, dark=np.ones(7), **{name: bands})
    cube = read(tmp_path / "a.npz", axis=None if unit else "nm")
    np.testing.assert_array_equal(cube.data, np.moveaxis(data, 0, -1))
    assert cube.axis == SpectralAxis(bands, unit or "nm")
