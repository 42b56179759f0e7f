"""Spectra of one value in every band, as files write them where nothing was measured, and saturated ones are said."""

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, SpectralWarning, maps, predict
from napari_spectrai.plan.partition import divide
from napari_spectrai.preparation.doubtful_spectra import doubtful_spectra


def scene(value, dtype=np.float32, bands=10):
    values = np.random.default_rng(0).uniform(10, 200, (16, 20, bands))
    values[:4] = value
    return Cube(values.astype(dtype), name="mosaic")


@pytest.mark.parametrize(
    ("value", "dtype"), [(-9999, np.float32), (-999, np.int16), (65535, np.uint16), (255, np.uint8), (1e20, np.float64)]
)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_value_in_every_band_is_said_where_spectra_are_learnt(value, dtype, lazy):
    cube = scene(value, dtype)
    given = cube.with_data(da.from_array(cube.data, chunks=(5, 7, 10))) if lazy else cube
    (words,) = doubtful_spectra([given], "are learnt")
    assert f"25 % of the spectra of 'mosaic' have the value {value:g} in every band, and are learnt" in words
    missing = eval(words.partition("NaN: ")[2].removesuffix("."), {"np": np, "cube": cube})  # the remedy
    assert not doubtful_spectra([cube.with_data(missing)], "are learnt")
    labels = np.repeat([[1, 2]], 16, 0).repeat(10, 1)
    assert words in divide(Experiment.default("segmentation", cube, labels), [cube], []).notes


def test_a_prediction_says_it_too():
    with pytest.warns(SpectralWarning, match="have the value -9999 in every band, and are treated"):
        assert predict("savitzky_golay", scene(-9999)).notes


@pytest.mark.parametrize("value", [0, np.nan])
def test_what_is_left_out_anyway_is_not_said(value):
    assert not doubtful_spectra([scene(value)], "are learnt")


def test_what_may_be_measured_is_not_said():
    values = np.random.default_rng(0).random((16, 20, 12), np.float32)
    values[3, 4] = 7  # one saturated spectrum
    assert not doubtful_spectra([Cube(values)], "are learnt")
    assert not doubtful_spectra([Cube(np.random.default_rng(0).poisson(1, (50, 50, 4)).astype(np.float32))], "are learnt")
    assert not doubtful_spectra([Cube(np.random.default_rng(0).poisson(1, (50, 50, 28)).astype(np.float32))], "are learnt")


def test_a_cube_of_one_value_is_no_cube_with_a_marker():
    assert not doubtful_spectra([Cube(np.full((4, 5, 9), 2.0, np.float32))], "are learnt")


@pytest.mark.parametrize("kind", ["band", "components", "unmix", "peaks", "library"])
def test_maps_say_what_holds_no_data(kind):
    settings = {"band": {"low": 2, "high": 6}, "components": {"count": 2}, "peaks": {"low": 1, "high": 8}}.get(
        kind, {"references": scene(7)[8, :2]}
    )
    assert any(note.startswith("80 of 320 spectra hold no data") for note in maps(scene(np.nan), kind, **settings).notes)
    assert any("have the value -9999 in every band, and are mapped" in note for note in maps(scene(-9999), kind, **settings).notes)
    known = maps(scene(7)[4:], kind, **settings).notes
    assert not any("no data" in note or "every band" in note for note in known)


def clipped(dtype, limit, count=24, bands=12):
    """Peaks of all heights, the highest of which end at `limit`."""
    rng = np.random.default_rng(0)
    peak = np.exp(-(((np.arange(bands) - 6) / 2.5) ** 2))
    values = rng.uniform(0.2, 1.6, (count, count, 1)) * peak * limit + 0.01 * limit * rng.random((count, count, bands))
    return Cube(np.minimum(values, limit).astype(dtype), name="bright")


@pytest.mark.parametrize(("dtype", "limit"), [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535), (np.int16, 32767), (np.float32, 0.7)])
@pytest.mark.parametrize("lazy", [False, True])
def test_saturated_spectra_are_said_and_the_remedy_leaves_them_out(dtype, limit, lazy):
    cube = clipped(dtype, limit)
    given = cube.with_data(da.from_array(cube.data, chunks=(5, 7, 12))) if lazy else cube
    (words,) = doubtful_spectra([given], "are learnt")
    assert "have its largest value" in words
    without = eval(words.partition("leave them out: ")[2].removesuffix("."), {"np": np, "cube": cube})  # the remedy
    assert not doubtful_spectra([cube.with_data(without)], "are learnt")
    assert (~np.isfinite(without).all(-1)).mean() == pytest.approx(float((cube.data == cube.data.max()).any(-1).mean()))
    labels = np.repeat([[1, 2]], 24, 0).repeat(12, 1)
    assert words in divide(Experiment.default("segmentation", cube, labels), [cube], []).notes
    with pytest.warns(SpectralWarning, match="as where a detector is saturated, and are treated like the others"):
        predict("savitzky_golay", cube)


@pytest.mark.parametrize(
    "values",
    [
        clipped(np.float32, 9).numpy()[:, :3] / clipped(np.float32, 9).numpy()[:, :3].sum(-1, keepdims=True),
        np.random.default_rng(0).normal(2000, 300, (20, 20, 9)).astype(np.uint16),
        np.random.default_rng(0).integers(0, 2, (20, 20, 9)).astype(np.uint8),  # a mask
        np.random.default_rng(0).poisson(3, (30, 30, 9)).astype(np.uint8),
        np.ones((9, 9, 9), np.float32),
        np.full((9, 9, 9), np.nan, np.float32),
        np.ones((9, 2), np.float32),
    ],
    ids=["normalised", "unsaturated", "mask", "counts", "constant", "NaN", "two bands"],
)
def test_data_that_end_below_a_limit_are_not_called_saturated(values):
    assert not [words for words in doubtful_spectra([Cube(values)], "are learnt") if "saturated" in words]


def test_maps_say_what_is_saturated():
    values = np.random.default_rng(0).normal(100, 20, (12, 15, 30)).clip(max=1e9)
    values[:3, :, 10:13] = 4_095
    assert [note for note in maps(Cube(values), "band", low=2, high=20).notes if "saturated" in note and "are mapped" in note]
