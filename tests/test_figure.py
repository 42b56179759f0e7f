"""Figures for print, tested by their numbers: scale bar, colour bar, names of classes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from napari_spectrai import Cube, Labels, SpectralAxis, figure
from napari_spectrai.reports.figure_drawing import INCH
from napari_spectrai.spec import SettingsError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def ramp():
    """A map of 20 × 40 pixels that rises from 0 to 39 along x."""
    return np.broadcast_to(np.arange(40.0), (20, 40)).copy()


def _black_run(picture, row):
    """Length of the longest black run in a row of pixels."""
    black = (picture[row] < 10).all(-1).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], black, [0]])))
    return int(max(edges[1::2] - edges[::2], default=0))


@pytest.mark.parametrize("dpi", [100, 300, 600])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_scale_bar_has_its_length_in_pixels_of_the_picture(ramp, tmp_path, dpi, suffix):
    drawn = figure(ramp, pixel_size=(0.5, 0.5), pixel_unit="um", scale_bar=8, dpi=dpi, width=90)
    assert drawn.scale_bar == (16.0, "8 µm")
    path = drawn.save(tmp_path / f"figure.{suffix}")
    with Image.open(path) as file:
        picture = np.asarray(file.convert("RGB")).astype(int)
        assert np.allclose(file.info["dpi"], dpi, atol=0.1)
    assert picture.shape[1] == round(90 * dpi / INCH)
    left, _, right, bottom = drawn.map_box.pixels(dpi)
    longest = max(_black_run(picture, row) for row in range(bottom, len(picture)))
    assert abs(longest - (right - left) * 16 / 40) <= 1


def test_the_ends_of_the_colour_bar_are_the_limits_and_their_colours(ramp):
    drawn = figure(ramp, low=5, high=35)
    assert drawn.limits == (5, 35)
    picture = np.asarray(drawn.drawing.raster(300)).astype(int)
    left, top, right, bottom = drawn.bar_box.pixels(300)
    middle, at = (left + right) // 2, drawn.map_box.pixels(300)
    row, width = (at[1] + at[3]) // 2, (at[2] - at[0]) / 40
    np.testing.assert_array_equal(picture[bottom - 1, middle], picture[row, int(at[0] + 2.5 * width)])  # below the lower end
    np.testing.assert_array_equal(picture[top, middle], picture[row, int(at[0] + 38.5 * width)])
    half = picture[(top + bottom) // 2, middle]
    assert abs(half - picture[row, int(at[0] + 20.5 * width)]).max() <= 12
    texts = [mark.words for mark in drawn.drawing.marks if hasattr(mark, "words")]
    assert {"5.00", "35.0"} <= set(texts)


def test_svg_has_the_size_of_print_and_the_same_numbers(ramp, tmp_path):
    drawn = figure(ramp, pixel_size=(2, 2), pixel_unit="um", width=80, scale_bar=20, label="Area & height")
    root = ET.parse(drawn.save(tmp_path / "figure.svg")).getroot()
    assert root.get("width") == "80mm"
    assert root.get("viewBox").split()[2] == "80"
    map_, bar = root.findall(f"{SVG}image")
    assert float(map_.get("width")) == pytest.approx(drawn.map_box.width, abs=1e-3)
    assert float(bar.get("height")) == pytest.approx(drawn.bar_box.height, abs=1e-3)
    scale = [one for one in root.findall(f"{SVG}rect") if one.get("fill") == "#000000"]
    assert float(scale[0].get("width")) == pytest.approx(drawn.map_box.width * 10 / 40, abs=1e-3)
    assert {"20 µm", "Area & height", "0"} <= {one.text for one in root.findall(f"{SVG}text")}


def test_pixels_that_are_not_square_keep_their_shape():
    drawn = figure(np.eye(10), pixel_size=(3, 1), pixel_unit="um")
    assert drawn.map_box.height == pytest.approx(3 * drawn.map_box.width)
    assert drawn.scale_bar[0] == pytest.approx(float(drawn.scale_bar[1].split()[0]))


def test_class_maps_name_their_classes_in_their_colours():
    labels = Labels(np.repeat([[0, 1, 2]], 4, 0), {1: "polystyrene", 2: "PET"}, {2: (1.0, 0.0, 0.0, 1.0)})
    drawn = figure(labels)
    assert drawn.bar_box is None
    assert drawn.limits is None
    words = [mark.words for mark in drawn.drawing.marks if hasattr(mark, "words")]
    assert words == ["polystyrene", "PET", "no class"]
    _, pixels = drawn.drawing.images[0]
    assert pixels[0, 2].tolist() == [255, 0, 0]
    squares = [mark.colour for mark in drawn.drawing.marks if hasattr(mark, "colour")]
    assert squares == [tuple(pixels[0, x].tolist()) for x in (1, 2, 0)]


def test_missing_values_are_grey_and_do_not_set_the_limits(ramp):
    ramp[0, 0] = np.nan
    drawn = figure(ramp)
    _, pixels = drawn.drawing.images[0]
    assert len(set(pixels[0, 0].tolist())) == 3
    assert pixels[0, 0].tolist() not in pixels[1:].reshape(-1, 3).tolist()
    assert drawn.limits[1] <= 39


@pytest.mark.parametrize("values", [np.full((3, 4), np.nan), np.zeros((3, 4)), np.full((3, 4), -2.0), np.array([[1]])])
def test_flat_and_empty_maps_are_drawn(values):
    drawn = figure(values, scale_bar=0, pixel_size=(1, 1), pixel_unit="um")
    assert drawn.limits[0] < drawn.limits[1]
    assert drawn.scale_bar is None


def test_a_cube_brings_its_pixel_size():
    cube = Cube(np.zeros((10, 20, 1), np.float32), SpectralAxis.bands(1), pixel_size=(2.0, 2.0), pixel_unit="um")
    assert figure(cube).scale_bar == (5.0, "10 µm")
    with pytest.raises(ValueError, match="3 bands"):
        figure(Cube(np.zeros((10, 20, 3), np.float32)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"low": 3, "high": 1}, "not below"), ({"width": 5}, "width"),
        ({"scale_bar": 500, "pixel_size": (1, 1), "pixel_unit": "um"}, "longer"),
        ({"colours": "jet"}, "known: grey, viridis"), ({"pixel_size": (0, 1)}, "no area"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_says_why(ramp, settings, words):
    with pytest.raises((ValueError, SettingsError), match=words):
        figure(ramp, **settings)


def test_other_formats_are_refused_before_writing(ramp, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.tif, \.tiff, \.svg"):
        figure(ramp).save(tmp_path / "figure.jpg")
    assert not list(tmp_path.iterdir())
