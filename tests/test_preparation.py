"""Contracts of every step, and known answers."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, preprocess
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.axis import Crop, Fill, Resample
from napari_spectrai.preparation.normalise import Normalise, Scale
from napari_spectrai.preparation.smooth import SavitzkyGolay
from napari_spectrai.preparation.step import steps

AXIS = SpectralAxis(np.linspace(1800, 600, 30), "1/cm")
STEPS = [
    Crop(low=800, high=1500),
    Resample(values=tuple(np.linspace(700, 1700, 17)), unit="1/cm"),
    Resample(values=(800.0, 900.0), unit="1/cm", method="pchip"),
    Fill(),
    SavitzkyGolay(window=7, order=2),
    Scale(factor=2.0),
    *(Normalise(by=by) for by in ("maximum", "area", "vector", "minmax", "snv")),
]


def image() -> np.ndarray:
    return np.random.default_rng(0).random((4, 5, 30), np.float32) + np.float32(0.1)


def test_every_registered_step_is_here():
    assert {step.kind for step in STEPS} == set(steps)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: f"{s.kind}-{getattr(s, 'by', getattr(s, 'method', ''))}")
class TestContract:
    def test_shape_dtype_and_purity(self, step):
        spectra = image()
        before = spectra.copy()
        result, axis = step.apply(spectra, AXIS)
        assert result.shape == (4, 5, len(axis))
        assert result.dtype == np.float32
        np.testing.assert_array_equal(spectra, before)

    def test_a_batch_is_each_alone(self, step):
        spectra = image()
        whole, _ = step.apply(spectra, AXIS)
        alone = np.stack([step.apply(row, AXIS)[0] for row in spectra.reshape(-1, 30)])
        np.testing.assert_allclose(whole.reshape(alone.shape), alone, rtol=1e-5, atol=1e-6)

    def test_lazy_is_eager(self, step):
        spectra = image()
        eager = preprocess(Cube(spectra, AXIS), [step])
        lazy = preprocess(Cube(da.from_array(spectra, chunks=(2, 2, 7)), AXIS), [step])
        assert isinstance(lazy.data, da.Array)
        assert lazy.axis == eager.axis
        np.testing.assert_allclose(lazy.data.compute(), eager.data, rtol=1e-6)

    def test_zero_and_constant_spectra_stay_finite(self, step):
        for value in (0.0, 3.0):
            result, _ = step.apply(np.full((2, 30), value, np.float32), AXIS)
            assert np.isfinite(result).all()

    def test_what_can_be_undone_is_undone(self, step):
        spectra = image()
        result, _, removed = Preparation((step,)).apply(spectra, AXIS)
        if removed:
            np.testing.assert_allclose(Preparation.restore(result, removed), spectra, rtol=1e-5, atol=1e-6)


def test_zero_spectra_come_back_as_zero():
    prepared, _, removed = Preparation((Normalise(by="maximum"),)).apply(np.zeros((2, 30), np.float32), AXIS)
    assert not Preparation.restore(prepared + 7, removed).any()


def test_known_answers():
    assert Normalise(by="maximum").apply(np.float32([[1, 4, 2]]), SpectralAxis.bands(3))[0].tolist() == [[0.25, 1, 0.5]]
    snv = Normalise(by="snv").apply(image(), AXIS)[0]
    np.testing.assert_allclose(snv.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(snv.std(-1), 1, rtol=1e-5)
    line = np.float32(3 * AXIS.values + 1)[None]
    result, axis = Resample(values=(700.0, 1111.0), unit="1/cm").apply(line, AXIS)
    np.testing.assert_allclose(result, 3 * axis.values[None] + 1, rtol=1e-6)
    filled, _ = Fill().apply(np.float32([[np.nan, 1, np.nan, np.inf, 4, np.nan], [np.nan] * 6]), SpectralAxis.bands(6))
    assert filled.tolist() == [[1, 1, 2, 3, 4, 4], [0] * 6]


def test_resampling_an_axis_that_repeats_and_does_not_ascend():
    axis = SpectralAxis([400, 500, 490, 600, 600, 700], "nm")
    spectra = np.float32(axis.values)[None]
    result, _ = Resample(values=(450.0, 495.0, 650.0), unit="nm").apply(spectra, axis)
    np.testing.assert_allclose(result, [[450, 495, 650]], rtol=1e-6)


def test_scale_learns_from_training_spectra_and_keeps_contrast():
    spectra = np.float32([[1, 2], [10, 20]])
    fitted = Preparation((Scale(percentile=100),)).fitted(spectra, SpectralAxis.bands(2))
    assert fitted.steps[0].factor == 20
    with pytest.raises(ValueError, match="needs to see the whole cube"):
        preprocess(Cube(da.from_array(spectra)), ["scale"])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (SavitzkyGolay(window=65), "window of 65 bands exceeds the 30 of this cube; choose an odd number up to 29"),
        (Crop(low=1, high=2), r"no band lies in 1–2 1/cm"),
        (Resample(values=(1.0,), unit="1/cm"), "reach outside the measured 600–1800"),
        (Resample(values=(1.0,), unit="nm"), "'nm' wanted of a cube in '1/cm'"),
        (Scale(), "no factor yet"),
    ],
)
def test_errors_have_value_limit_and_remedy(step, message):
    with pytest.raises(ValueError, match=message):
        step.apply(image(), AXIS)


def test_even_windows_are_refused_with_the_neighbours():
    with pytest.raises(ValueError, match="choose 7 or 9"):
        SavitzkyGolay(window=8)


def test_steps_from_text_and_mappings():
    cube = preprocess(Cube(image(), AXIS), ["normalise", {"kind": "crop", "low": 700, "high": 900}])
    assert cube.axis.values.min() >= 700
    with pytest.raises(ValueError, match="no step 'bake'; known: crop"):
        preprocess(Cube(image(), AXIS), ["bake"])
