"""Units of the axis, band images, colours and means of regions: known answers."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis
from napari_spectrai.summary import MOST_PIXELS, band_image, band_ratio, composite, covers_visible, region_spectrum, true_colour
from napari_spectrai.units import SHIFT, choices, convert

NM = SpectralAxis([400.0, 500, 650, 800], "nm")


@pytest.mark.parametrize(
    ("axis", "unit", "laser", "expected"),
    [
        (NM, "um", None, [0.4, 0.5, 0.65, 0.8]),
        (NM, "1/cm", None, [25000, 20000, 15384.615, 12500]),
        (NM, "eV", None, [3.0996, 2.47968, 1.90745, 1.5498]),
        (NM, "", None, [0, 1, 2, 3]),
        (SpectralAxis([785.0, 800], "nm"), SHIFT, 785, [0, 238.85]),
        (SpectralAxis([0.0, 1000], "1/cm"), "nm", 532, [532, 561.89]),
        (SpectralAxis([0.0, 1000], "1/cm"), SHIFT, 532, [0, 1000]),
        (SpectralAxis([0.0, 1000], "1/cm"), "1/cm", 532, [18796.99, 17796.99]),
        (SpectralAxis([1000.0, 4000], "1/cm"), "um", None, [10, 2.5]),
        (SpectralAxis([2.0, 1.0], "eV"), "nm", None, [619.92, 1239.84]),
    ],
)
def test_positions_are_converted_between_units(axis, unit, laser, expected):
    np.testing.assert_allclose(convert(axis, unit, laser), expected, rtol=1e-4)


def test_what_cannot_be_converted_is_said():
    with pytest.raises(ValueError, match="the file contains no wavelengths"):
        convert(SpectralAxis.bands(3), "nm")
    with pytest.raises(ValueError, match="needs the laser line"):
        convert(NM, SHIFT)
    with pytest.raises(ValueError, match="not positive"):
        convert(NM, SHIFT, -1)
    with pytest.raises(ValueError, match="cannot all be converted to nm"):
        convert(SpectralAxis([1000.0, 13000], "1/cm"), "nm", 785)
    with pytest.raises(ValueError, match="cannot all be converted to nm"):
        convert(SpectralAxis([0.0, 1000], "1/cm"), "nm")
    assert choices(SpectralAxis.bands(3)) == [""]
    assert SHIFT not in choices(NM)
    assert choices(SpectralAxis([1.0], "1/cm"), 785)[0] == SHIFT


def test_band_images_lazy_or_not():
    data = np.random.default_rng(0).random((5, 6, 4)).astype(np.float32)
    data[0, 0, 1] = np.nan
    for values in (data, da.from_array(data, chunks=(2, 6, 4))):
        cube = Cube(values, NM)
        np.testing.assert_allclose(np.asarray(band_image(cube, 450, 700)), np.nanmean(data[..., 1:3], -1), rtol=1e-6)
        area = np.trapezoid(data[1:, :, :3], NM.values[:3], axis=-1)
        np.testing.assert_allclose(np.asarray(band_image(cube, 400, 700, integrate=True))[1:], area, rtol=1e-5)
        ratio = np.asarray(band_ratio(cube, (700, 900), (390, 410)))
        np.testing.assert_allclose(ratio, data[..., 3] / data[..., 0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"no band lies in 1–2 nm; the cube has 4 bands"):
        band_image(Cube(data, NM), 1, 2)


def test_an_area_does_not_depend_on_the_order_of_bands():
    data = np.random.default_rng(0).random((2, 3, 4))
    up = band_image(Cube(data, NM), 400, 800, integrate=True)
    down = band_image(Cube(data[..., ::-1], SpectralAxis(NM.values[::-1], "nm")), 400, 800, integrate=True)
    np.testing.assert_allclose(up, down, rtol=1e-6)


def test_ratios_with_nothing_below_are_nan():
    assert np.isnan(band_ratio(Cube(np.zeros((2, 2, 4)), NM), (400, 400), (500, 500))).all()


def test_composites_show_bands_and_true_colours_show_lamps():
    data = np.random.default_rng(0).random((20, 20, 4)).astype(np.float32)
    picture = composite(Cube(data, NM), (650, 500, 400))
    assert (picture.shape, picture.dtype) == ((20, 20, 3), np.uint8)
    assert np.corrcoef(picture[..., 0].ravel(), data[..., 2].ravel())[0, 1] > 0.99
    axis = SpectralAxis(np.arange(400.0, 705, 10), "nm")
    lamps = np.exp(-0.5 * ((axis.values - np.array([450, 540, 640])[:, None]) / 12) ** 2)
    shown = true_colour(Cube(np.stack([lamps, np.ones_like(lamps)]), axis))
    assert shown[0].argmax(-1).tolist() == [2, 1, 0]
    assert np.ptp(shown[1].astype(int)) < 12
    assert covers_visible(axis)
    assert not covers_visible(NM)
    assert not covers_visible(SpectralAxis(axis.values, "1/cm"))
    with pytest.raises(ValueError, match="true colours need bands from 430 to 670 nm"):
        true_colour(Cube(data, NM))


def test_the_mean_and_deviation_of_a_region_are_those_of_its_pixels():
    data = np.random.default_rng(0).random((30, 40, 4)).astype(np.float32)
    places = np.argwhere(np.random.default_rng(1).random((30, 40)) > 0.7)
    for values in (data, da.from_array(data, chunks=(7, 9, 2))):
        found = region_spectrum(Cube(values, NM), places)
        spectra = data[tuple(places.T)]
        np.testing.assert_allclose(found.mean, spectra.mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.deviation, spectra.std(0), rtol=1e-4)
        assert (found.count, found.thinned) == (len(places), False)
    data[3, 3] = np.nan
    found = region_spectrum(Cube(data, NM), np.array([[3, 3], [4, 4]]))
    np.testing.assert_allclose(found.mean, data[4, 4])
    with pytest.raises(ValueError, match="no pixel"):
        region_spectrum(Cube(data, NM), places[:0])


def test_sums_do_not_drift():
    spectra = np.random.default_rng(0).normal(60000, 5, (200, 100, 1)).astype(np.float32)
    found = region_spectrum(Cube(spectra), np.argwhere(spectra[..., 0] > 0))
    assert found.mean == pytest.approx(spectra.mean(dtype=np.float64), abs=0.01)
    assert found.deviation == pytest.approx(5, abs=0.1)


def test_large_regions_are_thinned_and_say_so():
    data = np.ones((200, 300, 2), np.float32)
    found = region_spectrum(Cube(data), np.argwhere(data[..., 0] > 0))
    assert found.thinned
    assert found.count <= MOST_PIXELS
