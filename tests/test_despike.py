"""Spikes are found, counted and removed; peaks stay, whatever the data are."""

from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, preprocess
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.despike import Despike, find_spikes
from napari_spectrai.preparation.spikes.context import FoundSpikes
from napari_spectrai.preparation.spikes.search import Search
from napari_spectrai.preparation.spikes.spectra_statistics import _lines
from napari_spectrai.preparation.step import steps
from napari_spectrai.samples import sample
from napari_spectrai.valid import IGNORED


def lines(seed, *, height=16, width=16, bands=160, count=8, share=1.0, scatter=False, noise=3.0):
    """Return a map of Lorentzian lines two bands wide at random heights, independent from pixel to pixel."""
    rng = np.random.default_rng(seed)
    band = np.arange(bands)
    place = rng.uniform(4, bands - 5, (height * width if scatter else 1, count, 1))
    amounts = rng.gamma(1, 100, (height * width, count)) * (rng.random((height * width, count)) < share)
    data = np.einsum("nk,nkl->nl", amounts, np.broadcast_to(1 / (1 + (band - place) ** 2), (height * width, count, bands)))
    data += 50 * np.exp(-band / bands) * rng.uniform(0.5, 2, (height * width, 1))
    return (data + rng.normal(0, noise, data.shape) if noise else data).reshape(height, width, bands).astype(np.float32)


def with_spikes(data, size, seed, share=0.02):
    """Return data with spikes of 12 standard deviations, one to three bands wide, and their (pixel, first band, width)."""
    rng = np.random.default_rng(seed)
    flat = data.reshape(-1, data.shape[-1]).copy()
    size = np.broadcast_to(size, flat.shape)
    put = []
    for pixel in rng.choice(len(flat), max(5, round(share * len(flat))), replace=False):
        width = rng.integers(1, 4)
        first = rng.integers(1, flat.shape[1] - width)
        flat[pixel, first : first + width] += 12 * size[pixel, first : first + width]
        put.append((pixel, first, width))
    return flat.reshape(data.shape), put


def found_of(before, after, put):
    """Return the share of spikes that were found, and the largest change elsewhere."""
    before, after = (part.reshape(-1, part.shape[-1]) for part in (before, after))
    changed = np.abs(after - before)
    hits = []
    for pixel, first, width in put:
        hits.append(changed[pixel, first : first + width].any())
        changed[pixel, first : first + width] = 0
    return np.mean(hits), changed.max()


@pytest.mark.parametrize(
    "data",
    [
        lines(1),
        lines(2, share=0.1),
        lines(3, share=0.01, height=20, width=20),
        lines(4, scatter=True),
        lines(5, noise=0),
        np.random.default_rng(0).poisson(lines(6, noise=0)).astype(np.float32),
        np.random.default_rng(0).poisson(lines(7, noise=0) / 30).astype(np.float32),
        lines(8, height=1, width=40),
        lines(9, height=1, width=1),
        lines(10).reshape(-1, 160),
        lines(11, height=3, width=1, scatter=True),
        np.full((9, 9, 40), 3.3, np.float32),
        np.zeros((9, 9, 40), np.float32),
        np.random.default_rng(0).random((9, 9, 2), np.float32),
        np.random.default_rng(0).random((9, 9, 5), np.float32),
        np.random.default_rng(0).normal(0, 1, (20, 20, 60)).astype(np.float32),
    ],
    ids=[
        "lines", "rare lines", "very rare lines", "lines anywhere", "no noise", "counts", "few counts", "one row", "one pixel", "set",
        "three spectra", "constant", "zero", "two bands", "five bands", "noise",
    ],
)  # fmt: skip
def test_what_has_no_spikes_stays(data, request):
    altered = (preprocess(Cube(data), ["despike"]).data != data).any(-1)
    # a line that one spectrum alone has is as much a spike as a peak
    # 2 of 256 and 1 of 256 spectra; everywhere else none of a thousand
    known = request.node.callspec.id in ("rare lines", "few counts")
    assert altered.mean() < (0.01 if known else 0.001)


@pytest.mark.parametrize("spikes", [0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_spikes_among_sharp_lines_are_found_and_peaks_stay(seed, spikes):
    clean = lines(seed, height=24, width=24)
    spiky, put = with_spikes(clean, 3.0, seed, spikes)
    for shape in (clean.shape, (-1, 160)):
        done = preprocess(Cube(spiky.reshape(shape)), ["despike"]).numpy().reshape(clean.shape)
        share, elsewhere = found_of(spiky, done, put)
        assert share >= 0.85
        assert elsewhere < 3 * 3
    assert np.abs(done - clean).max() < 12 * 3 + 3


@pytest.mark.parametrize(("share", "least"), [(0.02, 0.95), (0.05, 0.95), (0.15, 0.9)])
def test_cartilage_keeps_its_peaks_and_loses_its_spikes(share, least):
    clean = sample("cartilage").cube
    data = clean.numpy()
    np.testing.assert_array_equal(preprocess(clean, ["despike"]).data, data)
    size = 1.4826 * np.median(np.abs(np.diff(data, 2, axis=-1)), axis=-1).reshape(-1, 1) / 6**0.5
    spiky, put = with_spikes(data, size, 1, share)
    done = preprocess(clean.with_data(spiky), ["despike"]).numpy()
    found, elsewhere = found_of(spiky, done, put)
    assert found >= least
    assert elsewhere < size.max()


@pytest.mark.parametrize("seed", range(2))
def test_sharp_lines_of_a_particle_in_one_pixel_are_no_spikes(seed):
    rng, band = np.random.default_rng(seed), np.arange(300)
    smooth = 100 + 40 * np.exp(-(((band - 150) / 90) ** 2))
    lines_ = np.array([[50.2, 800], [111.4, 400], [180.7, 2000], [250.1, 300], [270.6, 600]])
    particle = sum(height * np.exp(-(((band - place) / 0.9) ** 2) / 2) for place, height in lines_)
    alone = rng.poisson(smooth + particle * (np.arange(400) == 155)[:, None]).reshape(20, 20, 300).astype(np.float32)
    np.testing.assert_array_equal(preprocess(Cube(alone), ["despike"]).numpy(), alone)


def broad(height=20, width=20, bands=100, seed=0):
    """Return a map whose lines are nine bands wide."""
    rng = np.random.default_rng(seed)
    shapes = np.stack([np.exp(-0.5 * ((np.arange(bands) - centre) / 4) ** 2) for centre in (30, 70)])
    return (rng.uniform(50, 100, (height, width, 2)) @ shapes + rng.normal(0, 1, (height, width, bands))).astype(np.float32)


def test_a_track_along_the_row_of_a_line_scan_is_spikes_and_a_grain_is_not():
    data = broad()
    data[5, 3:9, 50] += 40  # narrower than any line, along one row
    data[9:15, 15, 12] += 40  # along one column
    data[11:13, 5:7, 49:52] += np.float32([20, 40, 20])  # a grain of four pixels
    found = find_spikes(Cube(data))
    marked = set(map(tuple, np.column_stack([found.pixel, found.band]).tolist()))
    assert marked == {(5, x, 50) for x in range(3, 9)} | {(y, 15, 12) for y in range(9, 15)}


@pytest.mark.parametrize("shape", [(50,), (1, 50), (50, 1)], ids=["set", "row", "column"])
@pytest.mark.parametrize("every", [5, 10], ids=["a fifth", "a tenth"])
@pytest.mark.parametrize("width", [1.5, 2.0, 2.3])
def test_a_narrow_line_of_some_spectra_is_no_spike(width, every, shape):
    rng, band = np.random.default_rng(1), np.arange(400)
    smooth = 100 + 50 * np.exp(-(((band - 200) / 80) ** 2))
    line = 1000 * np.exp(-(((band - 150.3) / width) ** 2) / 2)
    number = np.arange(int(np.prod(shape))).reshape(shape)
    spectra = rng.poisson(smooth + line * (number % every == 0)[..., None]).astype(np.float32)
    np.testing.assert_array_equal(preprocess(Cube(spectra), ["despike"]).numpy(), spectra)


@pytest.mark.parametrize("shape", [(24, 24, 160), (-1, 160)], ids=["map", "set"])
def test_lines_that_two_or_three_spectra_have_are_lines_if_there_are_several_of_them(shape):
    # seen at no other bands, a single one of them would be as likely a spike
    rng, band = np.random.default_rng(5), np.arange(160)
    data = (50 + rng.normal(0, 3, (576, 160))).astype(np.float32)
    for place in range(12, 150, 15):
        data[rng.choice(576, rng.integers(2, 4), replace=False)] += np.float32(200 * np.exp(-0.5 * ((band - place) / 0.9) ** 2))
    altered = (preprocess(Cube(data.reshape(shape)), ["despike"]).numpy().reshape(data.shape) != data).any(-1)
    assert altered.sum() <= 3  # of 25: a line of two spectra in one row counts as one ray


def test_rises_in_most_of_many_spectra_of_few_bands_are_counted():
    number = np.arange(3000)
    found = FoundSpikes(number, number % 6, np.ones((3000, 1)), np.ones(3000), np.zeros(3000))
    assert not _lines(found, 6, [number]).any()  # as often at each band


def test_what_is_counted_is_what_is_changed():
    data = broad()
    data[3, 4, 20:22] += np.float32([30, 50])
    data[3, 4, 60] += 40
    data[10, 11, 60] += 70
    axis = SpectralAxis(np.linspace(500, 1490, 100), "1/cm")
    cube = Cube(data, axis)
    found = find_spikes(cube)
    assert str(found) == "3 spikes in 2 spectra"
    assert found.pixel.tolist() == [[3, 4], [3, 4], [10, 11]]
    assert found.band.tolist() == [21, 60, 60]
    assert found.position.tolist() == axis.values[[21, 60, 60]].tolist()
    np.testing.assert_allclose(found.height, [50, 40, 70], atol=5)
    changed = preprocess(cube, ["despike"]).data != data
    np.testing.assert_array_equal(found.by_band, changed.sum((0, 1)))
    assert found.by_pixel[3, 4] == 2
    assert found.by_pixel.sum() == 3
    assert str(find_spikes(Cube(broad()))) == "no spikes in 400 spectra"


@pytest.mark.parametrize("shape", [(20, 20, 100), (-1, 100)], ids=["image", "set"])
@pytest.mark.parametrize("empty", [0.0, np.nan, -9999.0], ids=["zero", "NaN", "ignored"])
def test_spectra_without_data_change_neither_what_is_found_nor_what_is_counted(shape, empty):
    data = broad()
    data[3, 4, 20:22] += np.float32([30, 50])
    data[13, 4, 60] += 40
    data[3, 4:6, 60] += 40
    spiky = data.copy()
    data[:, 8:] = empty
    cube = Cube(data.reshape(shape), metadata={IGNORED: -9999.0} if empty == -9999 else {})
    found = find_spikes(cube)
    done = preprocess(cube, ["despike"]).numpy().reshape(data.shape)[:, :8]
    changed = done != data[:, :8]
    assert found.by_band.sum() == changed.sum() > 0
    np.testing.assert_array_equal(found.by_band, changed.sum((0, 1)))
    alone = preprocess(Cube(spiky[:, :8].reshape((20, 8, 100) if len(shape) == 3 else (-1, 100))), ["despike"]).numpy().reshape(done.shape)
    np.testing.assert_array_equal(changed, alone != spiky[:, :8])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)], ids=["y x bands", "bands y x", "x y bands", "bands x y"])
@pytest.mark.parametrize("chain", [["despike"], [{"kind": "crop", "low": 0, "high": 90}, "despike"]], ids=["alone", "in a chain"])
def test_spikes_are_removed_whatever_the_order_in_memory(order, chain):
    data = broad()
    data[3, 4, 60] += 40
    data[10, 11, 20] += 70
    expected = preprocess(Cube(data), chain).numpy()
    assert (expected != data[..., : expected.shape[-1]]).any(-1).sum() == 2
    moved = np.ascontiguousarray(data.transpose(order)).transpose(np.argsort(order))
    np.testing.assert_array_equal(preprocess(Cube(moved), chain).numpy(), expected)
    rows = moved.reshape(-1, 100) if order[0] == 0 else np.asfortranarray(data.reshape(-1, 100))
    one_by_one = Despike().fitted(data.reshape(-1, 100), SpectralAxis.bands(100)).apply(rows, SpectralAxis.bands(100))[0]
    assert (one_by_one != rows).any(-1).sum() == 2


def test_blocks_and_chunks_see_the_pixels_around(monkeypatch):
    data = broad()
    data[7:9, 4, 50] += 40  # a track across the seam of two blocks, and a grain
    data[7:9, 11:13, 50] += 40
    data[12, 12, 40] += 50
    whole = preprocess(Cube(data), ["despike"]).data
    assert (whole != data).any(-1).sum() == 3
    lazy = preprocess(Cube(da.from_array(data, chunks=(8, 5, 30))), ["despike"]).data
    np.testing.assert_allclose(lazy.compute(), whole, rtol=1e-6)
    monkeypatch.setattr("napari_spectrai.preparation.despike._AT_ONCE", 8 * 20 * 100)
    np.testing.assert_array_equal(preprocess(Cube(data), ["despike"]).data, whole)


def test_in_a_model_spectra_are_held_against_what_was_learnt():
    data = broad()
    fitted = Preparation((Despike(),)).fitted(data.reshape(-1, 100), SpectralAxis.bands(100))
    (step,) = fitted.steps
    assert step.is_fitted
    again = steps.parse(json.loads(step.model_dump_json()))
    assert again == step
    new = broad(seed=1)[0, :1].copy()
    expected = new.copy()
    new[0, 66:68] += 40  # on a peak
    done, _ = again.apply(new, SpectralAxis.bands(100))
    np.testing.assert_allclose(done, expected, atol=6)
    with pytest.raises(ValueError, match="was fitted on 100 bands, but the cube has 99; fit it to this cube"):
        again.apply(new[:, 1:], SpectralAxis.bands(99))


def test_documents_of_earlier_versions_mean_the_same_step():
    assert steps.parse("despike_neighbours") == Despike()
    assert steps.parse({"kind": "despike_neighbours", "threshold": 9.0}) == Despike(threshold=9)
    assert steps.parse({"kind": "despike", "threshold": 8.0, "width": 2}) == Despike(threshold=8, width=2)
    assert "despike_neighbours" not in set(steps)
    # as in a model file of an earlier version, which has learnt nothing
    spectrum = broad()[:1, 0].copy()
    spectrum[0, 50] += 60
    done, _ = Despike(threshold=8, width=2).apply(spectrum, SpectralAxis.bands(100))
    assert np.flatnonzero(done != spectrum).tolist() == [50]


def test_screening_loses_no_spike(monkeypatch):
    data, _ = with_spikes(lines(3, height=12, width=12, bands=80), 3.0, 4, share=0.2)
    cases = [(data, 3), (data.reshape(-1, 80), 6), (np.round(data), 1)]
    screened = [preprocess(Cube(one), [{"kind": "despike", "width": width}]).data for one, width in cases]
    assert sum((found != one).any() for found, (one, _) in zip(screened, cases, strict=True)) > 1
    monkeypatch.setattr(Search, "_screened", lambda self, spectra: np.arange(len(spectra)))
    for found, (one, width) in zip(screened, cases, strict=True):
        np.testing.assert_array_equal(found, preprocess(Cube(one), [{"kind": "despike", "width": width}]).data)
