"""Contracts of every step, and known answers."""

from __future__ import annotations

import itertools
import re

import dask.array as da
import numpy as np
import pybaselines
import pytest
from scipy.signal import savgol_filter

from napari_spectrai import Cube, Experiment, SpectralAxis, preprocess, write
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.axis import Crop, Fill, RemoveBands, Resample
from napari_spectrai.preparation.baseline import ALS, AirPLS, ArPLS, Minimum, Polynomial, PyBaselines, Rubberband, Snip
from napari_spectrai.preparation.despike import Despike
from napari_spectrai.preparation.destripe import Destripe
from napari_spectrai.preparation.normalise import Normalise, Scale
from napari_spectrai.preparation.optical import ContinuumRemoval, Energy, Optical
from napari_spectrai.preparation.orthogonal import EPO
from napari_spectrai.preparation.preprocessing import preparing
from napari_spectrai.preparation.reduce import MNF, PCA
from napari_spectrai.preparation.reference import Calibrate, ReferencePeak, Reflectance
from napari_spectrai.preparation.scatter import EMSC, MSC
from napari_spectrai.preparation.smooth import Gaussian, SavitzkyGolay, Whittaker
from napari_spectrai.preparation.spatial import Bin, Shift
from napari_spectrai.preparation.stabilise import Stabilise
from napari_spectrai.preparation.standard_lines import StandardLines
from napari_spectrai.preparation.step import steps
from napari_spectrai.preparation.whittaker import penalty, solve

AXIS = SpectralAxis(np.linspace(1800, 600, 30), "1/cm")
REFERENCE = tuple((1 + np.exp(-0.5 * ((np.arange(30) - 12) / 3.0) ** 2)).tolist())
POINTWISE = [
    Crop(low=800, high=1500),
    RemoveBands(bands=(0, 7), ranges=((700.0, 800.0),)),
    Resample(values=tuple(np.linspace(700, 1700, 17)), unit="1/cm"),
    Resample(values=(800.0, 900.0), unit="1/cm", method="pchip"),
    Fill(),
    SavitzkyGolay(window=7, order=2),
    SavitzkyGolay(window=7, order=3, derivative=1),
    Whittaker(),
    Gaussian(sigma=1.5),
    Scale(factor=2.0),
    Stabilise(gain=0.01, read=0.05, inverse="algebraic"),
    *(Normalise(by=by) for by in ("maximum", "area", "vector", "minmax", "snv", "rnv")),
    Despike(),
    *(kind(smoothness=100) for kind in (ALS, ArPLS, AirPLS)),
    *(Polynomial(order=3, method=method) for method in ("plain", "modified", "improved")),
    Snip(half_window=5),
    Rubberband(),
    Minimum(),
    PyBaselines(method="mor", options={"half_window": 4}),
    MSC(reference=REFERENCE),
    EMSC(reference=REFERENCE),
    Reflectance(white=(2.0,), dark=(0.05,)),
    Calibrate(measured=(700.0, 1700.0), known=(702.0, 1701.0)),
    ReferencePeak(position=1200, width=100),
    ContinuumRemoval(),
    Optical(source="absorbance", target="reflectance"),
]
CONDITIONS = (REFERENCE, tuple(1.1 * value + 0.05 for value in REFERENCE), tuple(value**2 for value in REFERENCE))
LEARNING = [
    Despike(),
    Scale(),
    Stabilise(),
    EPO(conditions=CONDITIONS, components=2),
    MSC(),
    EMSC(),
    PCA(components=3),
    PCA(components=3, back=False),
    MNF(components=3),
    MNF(components=3, back=False),
]
SPATIAL = [Bin(y=2, x=3), Shift(y=0.5, x=-1), Destripe()]
ON_OTHER_AXES = [Energy(), StandardLines()]
"""Steps for wavelengths, or for spectra of a standard; their tests are in test_conversions."""


def image(height: int = 8, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    peaks = np.exp(-0.5 * ((np.arange(30) - rng.uniform(8, 20, (height, width, 1))) / 3) ** 2)
    return (rng.uniform(0.5, 1, (height, width, 1)) * peaks + 0.2 + rng.normal(0, 0.02, (height, width, 30))).astype(np.float32)


def name(step):
    told = sorted(step.model_fields_set & {"by", "method", "back", "derivative"})
    return "-".join([step.kind, *(str(getattr(step, field)) for field in told)])


def test_every_registered_step_is_here():
    assert {step.kind for step in (*POINTWISE, *LEARNING, *SPATIAL, *ON_OTHER_AXES)} == set(steps)


def test_every_step_says_what_it_is_for_a_person():
    for kind in steps:
        step = steps[kind]
        assert step.title
        assert step.__doc__
        assert all(field.description for n, field in step.model_fields.items() if n != "kind")


@pytest.mark.parametrize("step", POINTWISE, ids=name)
class TestPointwise:
    def test_shape_dtype_and_purity(self, step):
        spectra = image()
        before = spectra.copy()
        result, axis = step.apply(spectra, AXIS)
        assert result.shape == (8, 6, len(axis))
        assert result.dtype == np.float32
        np.testing.assert_array_equal(spectra, before)

    def test_a_batch_is_each_alone(self, step):
        spectra = image()
        whole, _ = step.apply(spectra, AXIS)
        alone = np.stack([step.apply(row, AXIS)[0] for row in spectra.reshape(-1, 30)])
        np.testing.assert_allclose(whole.reshape(alone.shape), alone, rtol=1e-5, atol=1e-6)

    def test_zero_and_constant_spectra_stay_finite(self, step):
        for value in (0.0, 3.0):
            result, _ = step.apply(np.full((2, 30), value, np.float32), AXIS)
            assert np.isfinite(result).all()

    def test_nan_stays_in_its_spectrum(self, step):
        spectra = image()
        clean, _ = step.apply(spectra, AXIS)
        spectra[2, 3, 5] = np.nan
        spectra[4, 1] = np.nan
        result, _ = step.apply(spectra, AXIS)
        others = np.ones((8, 6), bool)
        others[2, 3] = others[4, 1] = False
        np.testing.assert_allclose(result[others], clean[others], rtol=1e-5, atol=1e-6)
        if step.kind != "fill":
            assert np.isnan(result[4, 1]).all()

    def test_what_can_be_undone_is_undone(self, step):
        spectra = image()
        result, _, removed = Preparation((step,)).apply(spectra, AXIS)
        if removed:
            np.testing.assert_allclose(Preparation.restore(result, removed), spectra, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("step", [*POINTWISE, *LEARNING, *SPATIAL], ids=name)
class TestOverCubes:
    def test_lazy_data_are_prepared_as_data_in_memory(self, step):
        spectra = image()
        before = spectra.copy()
        eager = preprocess(Cube(spectra, AXIS, (1, 2), "um"), [step])
        lazy = preprocess(Cube(da.from_array(spectra, chunks=(3, 2, 7)), AXIS, (1, 2), "um"), [step])
        assert isinstance(lazy.data, da.Array)
        assert lazy.axis == eager.axis
        assert lazy.pixel_size == eager.pixel_size
        assert lazy.shape == eager.shape
        np.testing.assert_allclose(lazy.data.compute(), eager.data, rtol=1e-5, atol=1e-6)
        assert eager.data.dtype == lazy.data.dtype == np.float32
        np.testing.assert_array_equal(spectra, before)

    def test_blocks_are_prepared_as_the_whole_is(self, step, monkeypatch):
        cube = Cube(image(), AXIS)
        whole = preprocess(cube, [step]).data
        monkeypatch.setattr("napari_spectrai.preparation.blocks.BLOCK", 100)
        np.testing.assert_allclose(preprocess(cube, [step]).data, whole, rtol=1e-5, atol=1e-6)

    def test_a_step_is_kept_by_its_json(self, step):
        assert steps.parse(step.model_dump(mode="json")) == step

    def test_one_band_is_done_or_refused_in_words(self, step):
        cube = Cube(np.ones((4, 6, 1), np.float32), SpectralAxis([1000.0], "1/cm"))
        try:
            result = preprocess(cube, [step])
        except ValueError as error:
            assert len(str(error)) > 20  # noqa: PT017
        else:
            assert result.shape[-1] == len(result.axis)


# ------------------------------------------------------------------ known answers


def test_zero_spectra_come_back_as_zero():
    prepared, _, removed = Preparation((Normalise(by="maximum"),)).apply(np.zeros((2, 30), np.float32), AXIS)
    assert not Preparation.restore(prepared + 7, removed).any()


def test_steps_have_known_answers():
    assert Normalise(by="maximum").apply(np.float32([[1, 4, 2]]), SpectralAxis.bands(3))[0].tolist() == [[0.25, 1, 0.5]]
    snv = Normalise(by="snv").apply(image(), AXIS)[0]
    np.testing.assert_allclose(snv.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(snv.std(-1), 1, rtol=1e-5)
    line = np.float32(3 * AXIS.values + 1)[None]
    result, axis = Resample(values=(700.0, 1111.0), unit="1/cm").apply(line, AXIS)
    np.testing.assert_allclose(result, 3 * axis.values[None] + 1, rtol=1e-6)
    filled, _ = Fill().apply(np.float32([[np.nan, 1, np.nan, np.inf, 4, np.nan], [np.nan] * 6]), SpectralAxis.bands(6))
    assert filled.tolist() == [[1, 1, 2, 3, 4, 4], [0] * 6]
    assert Minimum().apply(np.float32([[3, 2, 5]]), SpectralAxis.bands(3))[0].tolist() == [[1, 0, 3]]
    reflectance = Reflectance(white=(10.0, 20.0, 1.0), dark=(2.0, 0.0, 1.0)).apply(np.float32([[6, 10, 1]]), SpectralAxis.bands(3))[0]
    np.testing.assert_array_equal(reflectance, np.float32([[0.5, 0.5, np.nan]]))
    peak = ReferencePeak(position=1, width=0).apply(np.float32([[3, 2, 5]]), SpectralAxis.bands(3))[0]
    assert peak.tolist() == [[1.5, 1, 2.5]]


def test_resampling_an_axis_that_repeats_and_does_not_ascend():
    axis = SpectralAxis([400, 500, 490, 600, 600, 700], "nm")
    spectra = np.float32(axis.values)[None]
    result, _ = Resample(values=(450.0, 495.0, 650.0), unit="nm").apply(spectra, axis)
    np.testing.assert_allclose(result, [[450, 495, 650]], rtol=1e-6)


@pytest.mark.parametrize("bands", [3, 5, 9, 40])
def test_the_banded_solver_solves(bands):
    rng = np.random.default_rng(0)
    weights, y = rng.random((bands, 7)) + 0.01, rng.random((bands, 7))
    differences = np.diff(np.eye(bands), 2, axis=0)
    expected = [np.linalg.solve(np.diag(w) + 50 * differences.T @ differences, w * v) for w, v in zip(weights.T, y.T, strict=True)]
    np.testing.assert_allclose(solve(weights, y, 50 * penalty(bands)), np.transpose(expected), rtol=1e-9)


def raman(count: int = 12, bands: int = 300) -> np.ndarray:
    rng = np.random.default_rng(2)
    band = np.arange(bands)
    peaks = sum(rng.uniform(0.2, 2, (count, 1)) * np.exp(-0.5 * ((band - centre) / 4) ** 2) for centre in (60, 120, 190))
    hill = rng.uniform(2, 5, (count, 1)) * np.exp(-band / rng.uniform(100, 300, (count, 1)))
    return peaks + hill + rng.normal(0, 0.02, (count, bands))


@pytest.mark.parametrize(("step", "method"), [(ALS(), "asls"), (ArPLS(), "arpls"), (AirPLS(), "airpls")])
def test_penalised_baselines_are_those_of_pybaselines(step, method):
    spectra = raman()
    found = step.baseline(spectra, SpectralAxis.bands(300))
    options = {"lam": step.smoothness, "tol": step.tolerance, "max_iter": step.rounds} | ({"p": 0.01} if method == "asls" else {})
    expected = np.stack([getattr(pybaselines.Baseline(), method)(spectrum, **options)[0] for spectrum in spectra])
    assert np.abs(found - expected).max() < 1e-6 * np.ptp(spectra)


def test_clipping_baselines_are_those_of_pybaselines():
    spectra, axis = raman(), SpectralAxis.bands(300)
    fitter = pybaselines.Baseline(axis.values)
    for step, method, options in (
        (Polynomial(order=4), "modpoly", {"poly_order": 4}),
        (Polynomial(order=4, method="plain"), "poly", {"poly_order": 4}),
        (Polynomial(order=4, method="improved"), "imodpoly", {"poly_order": 4, "max_iter": 250}),
        (Rubberband(), "rubberband", {}),
    ):
        expected = np.stack([getattr(fitter, method)(spectrum, **options)[0] for spectrum in spectra])
        assert np.abs(step.baseline(spectra, axis) - expected).max() < 1e-6 * np.ptp(spectra), method


def test_snip_finds_the_line_under_peaks():
    band = np.arange(300.0)
    line = 5 - band / 100
    peaks = np.exp(-0.5 * ((band[:, None] - [60, 120, 190]) / 4) ** 2).sum(1)
    found = Snip(half_window=30).baseline((line + peaks)[None], SpectralAxis.bands(300))
    np.testing.assert_allclose(found[0], line, atol=1e-3)


def test_the_rubber_band_over_uneven_descending_and_repeating_axes():
    for values in ([1, 2, 4, 8, 9], [9, 8, 4, 2, 1], [1, 2, 2, 8, 9]):
        axis = SpectralAxis(values, "nm")
        line = np.float32(3 * axis.values - 5)[None]
        hump = line + np.float32([0, 1, 2, 1, 0])
        np.testing.assert_allclose(Rubberband().baseline(hump, axis), line, atol=1e-5)


def test_spikes_go_and_peaks_stay():
    rng = np.random.default_rng(1)
    clean = (raman(20) + 1).astype(np.float32)
    spiky = clean.copy()
    rows, bands = np.arange(20), rng.integers(5, 290, 20)
    spiky[rows, bands] += rng.uniform(5, 50, 20)
    spiky[:5, 100:102] += 20
    done, _ = Despike().apply(spiky, SpectralAxis.bands(300))
    assert np.abs(done - clean).max() < 0.3
    assert (done != spiky).sum() < 60
    np.testing.assert_array_equal(Despike().apply(clean, SpectralAxis.bands(300))[0], clean)


def test_edges_and_sharp_peaks_are_no_spikes():
    noise = np.random.default_rng(0).normal(0, 1, (1, 200)).astype(np.float32)
    plateau, step, peak = noise.copy(), noise.copy(), noise.copy()
    plateau[:, 80:86] += 500
    step[:, 120:] += 500
    peak += 2000 * np.exp(-0.5 * ((np.arange(200) - 90.3) / 2) ** 2).astype(np.float32)
    for spectra in (plateau, step, peak):
        np.testing.assert_array_equal(Despike().apply(spectra, SpectralAxis.bands(200))[0], spectra)


def test_unknown_neighbours_do_not_count():
    cube = np.full((5, 5, 50), 100, np.float32) + np.random.default_rng(0).normal(0, 1, (5, 5, 50)).astype(np.float32)
    cube[1, 1] = np.nan
    cube[2, 2, 20] += 1000
    done = preprocess(Cube(cube), ["despike"]).data
    assert done[2, 2, 20] < 110
    assert np.isnan(done[1, 1]).all()
    assert np.isnan(done).sum() == 50
    still = preprocess(Cube(cube), [Shift()]).data
    np.testing.assert_array_equal(still, cube)
    assert np.isnan(preprocess(Cube(cube), [Shift(y=1)]).data[2, 1]).all()


def test_a_constant_spectrum_has_no_deviation():
    for value in (0.1, 0.3, 7.0, 1e6):
        spectra = np.full((1, 1001), value, np.float32)
        assert not Normalise(by="snv").apply(spectra, SpectralAxis.bands(1001))[0].round(3).any() or value == 1e6


def test_references_on_another_axis_are_refused():
    reference = Cube(np.linspace(1, 2, 30, dtype=np.float32)[None], SpectralAxis(AXIS.values[::-1], "1/cm"))
    with pytest.raises(ValueError, match=r"the references have positions that differ.*resample them"):
        Reflectance(white=reference).apply(image(), AXIS)
    with pytest.raises(ValueError, match="white and dark have different axes"):
        Reflectance(white=reference, dark=Cube(reference.data, AXIS))


def test_a_wide_spike_is_seen_against_the_neighbours():
    cube = np.repeat(raman(36).reshape(6, 6, 300)[:1, :1], 6, 0).repeat(6, 1) + np.random.default_rng(0).normal(0, 0.02, (6, 6, 300))
    cube[3, 3, 100:110] += 5
    done = preprocess(Cube(cube.astype(np.float32)), [Despike(width=12)]).data
    assert np.abs(done[3, 3, 100:110] - cube[2, 2, 100:110]).max() < 0.3
    assert (done != cube.astype(np.float32)).sum() < 20


def test_scatter_corrections_bring_spectra_onto_the_reference():
    reference = np.asarray(REFERENCE)
    ramp = np.linspace(-1, 1, 30)
    spectra = (0.5 * reference + 0.3 + np.zeros((2, 1)), 2 * reference - 1 + 0.4 * ramp + 0.2 * ramp**2 + np.zeros((2, 1)))
    np.testing.assert_allclose(MSC(reference=REFERENCE).apply(spectra[0], AXIS)[0], np.tile(reference, (2, 1)), atol=1e-9)
    np.testing.assert_allclose(EMSC(reference=REFERENCE).apply(spectra[1], AXIS)[0], np.tile(reference, (2, 1)), atol=1e-9)


def test_reductions_denoise_and_invert():
    rng = np.random.default_rng(0)
    ends = rng.random((3, 40))
    y, x = np.mgrid[:30, :20] / 30
    clean = (np.stack([np.sin(4 * y), np.cos(5 * x), y * x], -1) @ ends).astype(np.float32)
    noise = rng.normal(0, 1, clean.shape) * np.linspace(0.01, 0.2, 40)
    for kind in (PCA, MNF):
        noisy = Cube((clean + noise).astype(np.float32))
        done = preprocess(noisy, [kind(components=3)])
        assert np.square(done.data - clean).mean() < 0.2 * np.square(noise).mean()
        fitted = kind(components=40, back=False).fitted(noisy.data, noisy.axis)
        scores, axis = fitted.apply(noisy.data, noisy.axis)
        assert scores.shape == (30, 20, 40)
        assert axis == SpectralAxis.bands(40)
        np.testing.assert_allclose(fitted.inverse(scores), noisy.data, atol=1e-4)


def test_mnf_orders_by_signal_to_noise_where_pca_orders_by_variance():
    rng = np.random.default_rng(0)
    y = np.linspace(0, 6, 40)[:, None, None]
    data = np.sin(y) * np.eye(12)[3] * 0.2 + rng.normal(0, 1, (40, 40, 12)) * np.where(np.arange(12) == 8, 2.0, 0.05)
    first = {kind: np.abs(kind(components=1).fitted(data, SpectralAxis.bands(12)).forward).argmax() for kind in (PCA, MNF)}
    assert first == {PCA: 8, MNF: 3}


def test_bins_average_and_shifts_move():
    data = np.arange(5 * 6 * 2, dtype=np.float32).reshape(5, 6, 2)
    cube = Cube(data, pixel_size=(1.0, 2.0), pixel_unit="um", metadata={"origin": [10.0, 20.0]})
    done = preprocess(cube, [Bin(y=2, x=3)])
    np.testing.assert_allclose(done.data[0, 0], data[:2, :3].mean((0, 1)))
    assert (done.shape, done.pixel_size, done.metadata["origin"]) == ((2, 2, 2), (2.0, 6.0), [10.5, 22.0])
    moved = preprocess(cube, [Shift(y=1, x=-2)]).data
    np.testing.assert_allclose(moved[1:, :-2], data[:-1, 2:])
    assert np.isnan(moved[0]).all()
    holes = data.copy()
    holes[0, 0] = np.nan
    np.testing.assert_allclose(preprocess(Cube(holes), [Bin(y=2, x=2)]).data[0, 0], holes[[0, 1, 1], [1, 0, 1]].mean(0))


def test_calibration_moves_the_axis_alone():
    spectra = image()
    done, axis = Calibrate(measured=(620.0, 1001.0, 1602.0), known=(621.0, 1003.5, 1606.0)).apply(spectra, AXIS)
    assert done is spectra
    fit = np.polyfit([620, 1001, 1602], [621, 1003.5, 1606], 1)
    np.testing.assert_allclose(axis.values, np.polyval(fit, AXIS.values), rtol=1e-9)


def test_derivatives_are_per_unit_of_the_axis():
    values = np.linspace(400, 700, 61)
    line = (0.3 * values)[None]
    for axis in (SpectralAxis(values, "nm"), SpectralAxis(values[::-1], "nm")):
        done, _ = SavitzkyGolay(window=5, order=2, derivative=1).apply(0.3 * axis.values[None], axis)
        np.testing.assert_allclose(done, 0.3, rtol=1e-9)
    uneven = SpectralAxis(np.geomspace(400, 700, 61), "nm")
    done, _ = SavitzkyGolay(window=5, order=2, derivative=1).apply(0.3 * uneven.values[None], uneven)
    np.testing.assert_allclose(done[:, 3:-3], 0.3, rtol=1e-3)
    with pytest.raises(ValueError, match="derivative 2 needs an evenly spaced axis"):
        SavitzkyGolay(window=5, order=3, derivative=2).apply(line, uneven)
    np.testing.assert_allclose(SavitzkyGolay(window=5).apply(line, SpectralAxis(values, "nm"))[0], savgol_filter(line, 5, 2))


def test_references_come_from_files_and_cubes(tmp_path):
    white = Cube(np.full((2, 3, 30), 4, np.float32), AXIS)
    path = write(white, tmp_path / "white.npz")
    for source in (str(path), white):
        assert Reflectance(white=source).white == (4.0,) * 30
    with pytest.raises(ValueError, match="neither white nor dark"):
        Reflectance()


def test_flagged_bands_are_removed_and_forgotten():
    cube = Cube(image(), AXIS, metadata={"bad_bands": [0, 29]})
    done = preprocess(cube, [RemoveBands.flagged(cube)])
    assert done.shape == (8, 6, 28)
    assert "bad_bands" not in done.metadata


# ------------------------------------------------------------------ chains


def test_scale_learns_from_training_spectra_and_keeps_contrast():
    spectra = np.float32([[1, 2], [10, 20]])
    fitted = Preparation((Scale(percentile=100),)).fitted(spectra, SpectralAxis.bands(2))
    assert fitted.steps[0].factor == 20


def test_steps_learn_from_what_comes_before_them():
    cube = Cube(image(), AXIS)
    together = preprocess(cube, [Crop(low=800, high=1500), Bin(), Normalise(by="snv"), PCA(components=2), MSC()])
    apart = cube
    for step in (Crop(low=800, high=1500), Bin(), Normalise(by="snv"), PCA(components=2), MSC()):
        apart = preprocess(apart, [step])
    np.testing.assert_allclose(together.data, apart.data, atol=1e-5)


def test_progress_is_reported_and_can_cancel():
    told = list(preparing(Cube(np.ones((40, 500, 300), np.float32)), ["normalise", Bin()]))
    assert told[-1][0] == told[-1][1]
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(told))


def test_a_network_is_not_trained_behind_steps_it_cannot_have():
    pairs = Cube(image(), AXIS), Cube(image() + 1, AXIS)
    experiment = Experiment.from_mapping({"preparation": [{"kind": "bin"}, {"kind": "pca", "back": False}]})
    found = {p.path: p.message for p in problems_with(experiment, pairs[:1], pairs[1:])}
    assert "uses neighbouring pixels" in found["preparation.0"]
    assert "switch 'Return spectra' (back) on" in found["preparation.1.back"]


@pytest.mark.parametrize("bands", range(1, 8))
@pytest.mark.parametrize(("order", "derivative"), [(0, 0), (2, 0), (2, 2), (3, 1), (4, 0), (5, 3)])
def test_the_window_that_is_advised_for_few_bands_fits(bands, order, derivative):
    cube = Cube(np.random.default_rng(0).random((4, bands), np.float32), SpectralAxis(np.arange(bands) + 600.0, "1/cm"))
    with pytest.raises(ValueError, match=f"window of 9 bands exceeds the {bands} of this cube") as refused:
        preprocess(cube, [SavitzkyGolay(window=9, order=order, derivative=derivative)])
    words = str(refused.value)
    if "omit" in words and "choose" not in words:
        most = bands - 1 + bands % 2
        assert most < 3 or most - 1 < derivative
        return
    window = int(re.search(r"(?:up to |window=)(\d+)", words)[1])
    least = re.search(r"from (\d+)", words)
    chosen = re.search(r"order=(\d+)", words)
    for one in {window, int(least[1]) if least else window}:
        step = SavitzkyGolay(window=one, order=int(chosen[1]) if chosen else order, derivative=derivative)
        assert preprocess(cube, [step]).shape == cube.shape


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (SavitzkyGolay(window=65), "window of 65 bands exceeds the 30 of this cube; choose an odd number up to 29"),
        (Crop(low=1, high=2), r"no band lies in 1–2 1/cm"),
        (Crop(low=9000, high=9001, by="number"), r"no band lies in 9000–9001 \(band numbers\)"),
        (Resample(values=(1.0,), unit="1/cm"), "extend beyond the measured range 600–1800"),
        (Resample(values=(1.0,), unit="nm"), "'nm' do not fit a cube in '1/cm'"),
        (Scale(), "no factor yet"),
        (PyBaselines(method="arpls", options={"foo": 1}), "its options are lam, diff_order"),
        (MSC(), "no reference yet"),
        (MSC(reference=(1.0, 2.0)), "its reference has 2 bands, but the cube 30"),
        (PCA(), "no components yet"),
        (RemoveBands(bands=(30,)), "band 30 does not exist; the cube has bands 0 to 29"),
        (RemoveBands(ranges=((0.0, 5000.0),)), "all 30 bands would be removed"),
        (Reflectance(white=(1.0, 2.0)), "white reference has 2 bands, but the cube 30"),
        (ReferencePeak(position=100), "no band lies within 5 of 100 1/cm"),
        (Calibrate(measured=(600.0, 700.0), known=(700.0, 600.0)), "would change the order"),
        (Bin(y=9), "blocks of 9 × 2 pixels exceed the image of 8 × 6"),
        (Shift(y=8), "out of its frame"),
    ],
)
def test_errors_have_value_limit_and_remedy(step, message):
    with pytest.raises(ValueError, match=message):
        step.apply(image(), AXIS)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SavitzkyGolay, {"window": 8}, "choose 7 or 9"),
        (SavitzkyGolay, {"derivative": 3}, "of order 2 is zero; raise the order"),
        (PyBaselines, {"method": "arplz"}, r"no 'arplz'.*did you mean"),
        (Calibrate, {"measured": (1.0,), "known": (1.0, 2.0)}, "1 measured and 2 known"),
        (Calibrate, {"measured": (1.0,), "known": (1.0,)}, "order 1 needs 2 pairs"),
    ],
)
def test_settings_that_do_not_fit_are_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_spatial_steps_refuse_sets_of_spectra():
    with pytest.raises(ValueError, match="but a set of spectra has none"):
        preprocess(Cube(image()[0], AXIS), [Bin()])


def test_steps_from_text_and_mappings():
    cube = preprocess(Cube(image(), AXIS), ["normalise", {"kind": "crop", "low": 700, "high": 900}])
    assert cube.axis.values.min() >= 700
    with pytest.raises(ValueError, match="no step 'bake'; known: airpls"):
        preprocess(Cube(image(), AXIS), ["bake"])


def test_bands_are_kept_by_number_whatever_the_axis():
    axis = SpectralAxis(np.linspace(1800, 600, 40), "1/cm")
    cube = Cube(np.arange(80, dtype=np.float32).reshape(2, 40), axis)
    kept = preprocess(cube, [Crop(low=5, high=14, by="number")])
    np.testing.assert_array_equal(kept.data, cube.data[:, 5:15])
    assert kept.axis == axis.take(slice(5, 15))
    assert preprocess(cube, [Crop(low=0, high=499, by="number")]).shape == (2, 40)


@pytest.mark.parametrize(("window", "order", "derivative"), [(3, 0, 0), (5, 2, 0), (9, 4, 1), (29, 9, 3), (31, 2, 2)])
def test_savitzky_golay_is_that_of_scipy(window, order, derivative):
    spectra = np.random.default_rng(0).normal(100, 1, (3, 31))
    found = SavitzkyGolay(window=window, order=order, derivative=derivative).apply(spectra, SpectralAxis.bands(31))[0]
    expected = savgol_filter(spectra, window, order, deriv=derivative)
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


def test_polynomials_pass_a_wide_savitzky_golay_filter_unchanged():
    place = np.linspace(-1, 1, 1200)
    spectra = 100 + place ** np.arange(10)[:, None]
    found = SavitzkyGolay(window=999, order=9).apply(spectra, SpectralAxis.bands(1200))[0]
    np.testing.assert_allclose(found, spectra, rtol=1e-9)


def test_chains_overwrite_their_own_arrays_only():
    data = np.random.default_rng(0).normal(10, 1, (12, 12, 40)).astype(np.float32)
    data[3, 4, 20] += 60
    kept = data.copy()
    chain = ["normalise", "despike", {"kind": "arpls", "smoothness": 100}, {"kind": "normalise", "by": "snv"}]
    for listed in (chain, chain[1:], [{"kind": "crop", "low": 0, "high": 35}, *chain]):
        source = Cube(data)
        result = preprocess(source, listed)
        np.testing.assert_array_equal(data, kept)
        again = source
        for step in listed:
            again = preprocess(again.with_data(again.numpy().copy()), [step])
        np.testing.assert_allclose(result.numpy(), again.numpy(), atol=1e-6)
