"""Maps: band images, peak fits, components, abundances of given spectra, library matches; against scipy and scikit-learn."""

from __future__ import annotations

import csv
from itertools import pairwise

import dask.array as da
import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize, nnls

import napari_spectrai as spectrai
from napari_spectrai.cli import app
from napari_spectrai.mapping import PeakMaps, kinds
from napari_spectrai.mapping.cumulative import CumulativeBands
from napari_spectrai.mapping.files import write_curves
from napari_spectrai.mapping.lineshapes import PeakModel
from napari_spectrai.mapping.nnls import NonNegative, weighted_nnls
from napari_spectrai.mapping.nnls import nnls as batched_nnls
from napari_spectrai.mapping.unmix import pairwise_angles
from napari_spectrai.spec import SettingsError

AXIS = spectrai.SpectralAxis(np.linspace(900, 1100, 101), "1/cm")


def line(shape: str, centre, fwhm, fraction: float = 0.4) -> np.ndarray:
    u = (AXIS.values - np.asarray(centre)[..., None]) / np.asarray(fwhm)[..., None]
    gaussian, lorentzian = np.exp(-4 * np.log(2) * u**2), 1 / (1 + 4 * u**2)
    return {"gaussian": gaussian, "lorentzian": lorentzian, "pseudo_voigt": fraction * lorentzian + (1 - fraction) * gaussian}[shape]


def cube_of(values) -> spectrai.Cube:
    return spectrai.Cube(np.asarray(values, np.float32), AXIS, name="made", pixel_size=(0.5, 0.25), pixel_unit="um")


@pytest.fixture
def peak_map():
    """12 × 10 pixels with one Lorentzian peak on a line, noise of size one, and the truth."""
    rng = np.random.default_rng(3)
    position, height = 996 + 8 * rng.random((12, 10)), 60 + 80 * rng.random((12, 10))
    values = height[..., None] * line("lorentzian", position, np.full((12, 10), 11.0)) + 20 + 0.05 * (AXIS.values - 900)
    return cube_of(values + rng.normal(0, 1, values.shape)), position, height


# ---------------------------------------------------------------- registry and masks


def test_every_kind_has_a_title_a_docstring_and_described_settings():
    assert {"band", "peaks", "components", "unmix", "library"} <= set(kinds)
    for kind in kinds:
        cls = kinds[kind]
        assert cls.title
        assert cls.__doc__
        assert set(cls.first) <= set(cls.model_fields)
        for name, field in cls.model_fields.items():
            assert name == "kind" or field.description, f"{kind}.{name}"


def test_unknown_settings_are_all_reported_with_the_known_ones(peak_map):
    with pytest.raises(SettingsError, match="there is no setting 'lo' here; known: .*low"):
        spectrai.maps(peak_map[0], "peaks", lo=3, high=4)
    with pytest.raises(SettingsError) as error:
        spectrai.maps(peak_map[0], "peaks", low=950, high=1050, count=9, shape="triangle")
    assert {problem.path for problem in error.value.problems} == {"count", "shape"}
    with pytest.raises(ValueError, match=r"no map 'bands'.*did you mean band\?"):
        spectrai.maps(peak_map[0], "bands")


def options_of(kind: str) -> dict:
    references = spectrai.Cube(np.stack([line("gaussian", 980, 20), line("gaussian", 1010, 20)]).astype(np.float32), AXIS)
    given = {"band": {"low": 950, "high": 1050}, "peaks": {"low": 950, "high": 1050}, "components": {"count": 2}}
    return given.get(kind, {"references": references})


@pytest.mark.parametrize("kind", ["band", "peaks", "components", "unmix", "library"])
def test_pixels_without_data_are_nan_and_lazy_cubes_give_the_same(kind):
    rng = np.random.default_rng(0)
    values = rng.random((30, 14, 2)) @ np.stack([line("gaussian", 985, 20), line("lorentzian", 1010, 14)]) * 40 + 2
    values += rng.normal(0, 0.1, values.shape)
    values[2, 3] = np.nan
    values[4:, 5] = 0
    found = spectrai.maps(cube_of(values), kind, **options_of(kind))
    lazy = da.from_array(values.astype(np.float32), chunks=(7, 14, 50))
    again = spectrai.maps(spectrai.Cube(lazy, AXIS), kind, **options_of(kind))
    assert list(found.maps) == list(again.maps)
    for name, one in found.maps.items():
        assert one.shape == (30, 14)
        assert one.dtype == np.float64
        assert np.isnan(one[2, 3])
        assert np.isnan(one[4:, 5]).all()
        if kind != "components":  # whose components are those of an evenly spread sample
            np.testing.assert_allclose(one, again.maps[name], rtol=1e-6, atol=1e-9)
    assert all(isinstance(value, str | int | float | None) for row in found.table for value in row.values())


def test_a_cube_without_data_is_refused_in_words():
    with pytest.raises(ValueError, match="none of the 12 spectra holds data"):
        spectrai.maps(cube_of(np.zeros((3, 4, 101))), "band", low=950, high=1000)


# ---------------------------------------------------------------- bands


def test_band_maps_are_sums_means_maxima_and_areas_above_a_straight_line():
    rng = np.random.default_rng(1)
    cube = cube_of(rng.random((5, 6, 101)))
    part = cube.numpy()[..., 25:51].astype(np.float64)
    expected = {"sum": part.sum(-1), "mean": part.mean(-1), "max": part.max(-1)}
    straight = part[..., :1] + (part[..., -1:] - part[..., :1]) * np.linspace(0, 1, 26)
    expected["area"] = np.trapezoid(part - straight, AXIS.values[25:51], axis=-1)
    for how, values in expected.items():
        (found,) = spectrai.maps(cube, "band", low=950, high=1000, how=how).maps.values()
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9)


def test_a_descending_axis_gives_the_same_areas():
    values = line("gaussian", np.full((2, 2), 990.0), np.full((2, 2), 20.0))
    up = spectrai.maps(cube_of(values), "band", low=950, high=1030)
    down = spectrai.Cube(values[..., ::-1].astype(np.float32), spectrai.SpectralAxis(AXIS.values[::-1], "1/cm"))
    np.testing.assert_allclose(*[next(iter(one.maps.values())) for one in (up, spectrai.maps(down, "band", low=950, high=1030))], rtol=1e-6)


def test_several_ranges_and_a_ratio():
    cube = cube_of(
        np.stack([line("gaussian", np.full(3, 980.0), np.full(3, 10.0)) * 2 + line("gaussian", np.full(3, 1030.0), np.full(3, 10.0))])
    )
    found = spectrai.maps(cube, "band", low=960, high=1000, how="sum", more=[[1010, 1050], [900, 910]], over=[1010, 1050])
    values = list(found.maps.values())
    assert len(values) == 3
    np.testing.assert_allclose(values[0], 2, rtol=1e-3)
    np.testing.assert_allclose(values[1], 1)
    assert all("/ 1010–1050" in name for name in found.maps)


def test_a_range_without_bands_says_what_there_is():
    cube = cube_of(np.ones((2, 2, 101)))
    with pytest.raises(ValueError, match=r"0 bands in 2000–3000 1/cm.*needs 2; widen the range: the cube has 101 bands, 900–1100 1/cm"):
        spectrai.maps(cube, "band", low=2000, high=3000)
    with pytest.raises(ValueError, match=r"low \(1000\) must lie below high \(950\)"):
        spectrai.maps(cube, "band", low=1000, high=950)


@pytest.mark.parametrize("how", ["sum", "mean", "max", "area"])
def test_cumulative_sums_follow_a_dragged_range_exactly(how):
    cube = spectrai.sample("cartilage").cube
    values = cube.numpy().copy()
    values[3, 4, 120] = np.nan
    values[5, 6] = 0
    cube = cube.with_data(values)
    fast = CumulativeBands(cube)
    for low, high in ((940, 970), (990, 1700), (602, 1798), (1070, 1090)):
        (expected,) = spectrai.maps(cube, "band", low=low, high=high, how=how).maps.values()
        np.testing.assert_allclose(fast.map(low, high, how), expected, rtol=1e-9, atol=1e-6)


# ---------------------------------------------------------------- peaks


@pytest.mark.parametrize("shape", ["gaussian", "lorentzian", "pseudo_voigt"])
@pytest.mark.parametrize("baseline", ["none", "linear", "quadratic"])
def test_derivatives_of_the_model_are_those_of_finite_differences(shape, baseline):
    model = PeakModel(AXIS.values, shape, 2, baseline)
    rng = np.random.default_rng(0)
    parameters = rng.random((3, model.size))
    for peak, centre in ((0, 970.0), (1, 1020.0)):
        parameters[:, peak * model.each + 1] = centre
        parameters[:, peak * model.each + 2] = 12 + 5 * rng.random(3)
    jacobian = model.residuals(parameters, np.zeros((3, 101)))[1]
    for number in range(model.size):
        step = np.zeros(model.size)
        step[number] = 1e-5
        numeric = (model.values(parameters + step) - model.values(parameters - step)) / 2e-5
        np.testing.assert_allclose(jacobian[:, number], numeric, atol=1e-6)


@pytest.mark.parametrize("shape", ["gaussian", "lorentzian", "pseudo_voigt"])
@pytest.mark.parametrize("baseline", ["none", "constant", "linear"])
def test_fits_equal_curve_fit_with_its_errors(shape, baseline):
    rng = np.random.default_rng(5)
    position, height, fwhm = 990 + 20 * rng.random(12), 80 + 60 * rng.random(12), 10 + 8 * rng.random(12)
    values = height[:, None] * line(shape, position, fwhm) + {"none": 0, "constant": 7}.get(baseline, 7 + 0.1 * (AXIS.values - 1000))
    cube = cube_of((values + rng.normal(0, 1.5, values.shape))[None])
    found = spectrai.maps(cube, "peaks", low=940, high=1060, shape=shape, baseline=baseline).maps
    inside = AXIS.window(940, 1060)
    x = AXIS.values[inside]
    model = PeakModel(x, shape, 1, baseline)
    names = ["height", "position", "fwhm", "fraction"][: model.each]
    for number, spectrum in enumerate(cube.numpy()[0][:, inside].astype(np.float64)):
        start = [found[name][0, number] for name in names]
        start[0] *= 1.05
        start[1] += 0.5
        fitted, covariance = curve_fit(
            lambda _, *p: model.values(np.array([p]))[0], x, spectrum, [*start, *[0.0] * (model.size - model.each)]
        )
        for place, name in enumerate(names):
            if name == "fraction" and np.isnan(found["fraction_error"][0, number]):
                continue  # it stands at a bound, which curve_fit was not given
            error = covariance[place, place] ** 0.5
            if "fraction_error" not in found or np.isfinite(found["fraction_error"][0, number]):
                assert abs(found[name][0, number] - fitted[place]) < 0.02 * error
                assert found[f"{name}_error"][0, number] == pytest.approx(error, rel=0.01)


def test_standard_errors_are_the_scatter_of_the_fits(peak_map):
    cube, position, height = peak_map
    found = spectrai.maps(cube, "peaks", low=950, high=1050, shape="lorentzian").maps
    for name, truth in (("position", position), ("height", height), ("fwhm", 11.0), ("area", height * 11 * np.pi / 2)):
        pull = (found[name] - truth) / found[f"{name}_error"]
        assert 0.8 < pull.std() < 1.2, name
        assert abs(pull.mean()) < 0.35, name
    assert found["residual"].mean() == pytest.approx(1, abs=0.1)
    assert not found["failed"].any()


def test_two_overlapping_peaks_are_numbered_by_position():
    rng = np.random.default_rng(2)
    first, second = 985 + 2 * rng.random((6, 8)), 1007 + 2 * rng.random((6, 8))
    ones = np.full((6, 8), 14.0)
    values = 70 * line("gaussian", first, ones) + (50 + 40 * rng.random((6, 8, 1))) * line("gaussian", second, ones) + 5
    found = spectrai.maps(cube_of(values + rng.normal(0, 0.8, values.shape)), "peaks", low=950, high=1045, count=2, baseline="constant")
    assert list(found.maps)[:2] == ["peak_1_position", "peak_1_position_error"]
    for name, truth in (("peak_1", first), ("peak_2", second)):
        assert np.abs((found.maps[f"{name}_position"] - truth) / found.maps[f"{name}_position_error"]).max() < 5
    assert [row["spectra"] for row in found.table] == [48, 48]


def test_ties_hold_exactly_and_gain_precision():
    rng = np.random.default_rng(4)
    centre = 985 + 3 * rng.random(40)
    values = 50 * line("gaussian", centre, np.full(40, 12.0)) + 25 * line("gaussian", centre + 9, np.full(40, 12.0))
    cube = cube_of((values + rng.normal(0, 1, values.shape))[None])
    options = {"low": 950, "high": 1030, "count": 2, "baseline": "none"}
    tied = spectrai.maps(cube, "peaks", **options, same_fwhm=True, spacings=9, ratios=[0.5]).maps
    free = spectrai.maps(cube, "peaks", **options, significance=0).maps
    np.testing.assert_allclose(tied["peak_2_position"] - tied["peak_1_position"], 9, atol=1e-9)
    np.testing.assert_allclose(tied["peak_2_height"] / tied["peak_1_height"], 0.5)
    np.testing.assert_allclose(tied["peak_1_fwhm"], tied["peak_2_fwhm"])
    assert np.nanmedian(tied["peak_1_position_error"]) < 0.5 * np.nanmedian(free["peak_1_position_error"])
    pull = (tied["peak_1_position"][0] - centre) / tied["peak_1_position_error"][0]
    assert 0.7 < pull.std() < 1.3


def test_bounds_hold_and_a_peak_at_the_edge_of_its_range_has_failed():
    values = 50 * line("gaussian", np.full((3, 3), 1000.0), np.full((3, 3), 12.0))
    held = spectrai.maps(cube_of(values), "peaks", low=950, high=1050, min_fwhm=15, max_fwhm=30)
    np.testing.assert_allclose(held.maps["fwhm"], 15)
    assert np.isnan(held.maps["fwhm_error"]).all()
    away = spectrai.maps(cube_of(values), "peaks", low=950, high=1050, positions=970, shift=5)
    assert np.isnan(away.maps["position"]).all()
    assert (away.maps["failed"] == 1).all()
    assert away.notes == ("9 of 9 fits failed.",)


def test_noise_alone_is_no_peak():
    noise = np.random.default_rng(0).normal(10, 1, (12, 12, 101))
    strict = spectrai.maps(cube_of(noise), "peaks", low=950, high=1050, significance=6).maps
    assert np.isfinite(strict["position"]).mean() < 0.05


def test_dips_are_fitted_when_asked_for():
    values = 90 - 40 * line("lorentzian", np.full((2, 3), 1004.0), np.full((2, 3), 16.0))
    found = spectrai.maps(cube_of(values), "peaks", low=950, high=1060, shape="lorentzian", baseline="constant", negative=True).maps
    np.testing.assert_allclose(found["position"], 1004, atol=1e-3)
    np.testing.assert_allclose(found["height"], -40, rtol=1e-3)


def test_fits_of_a_real_map_equal_curve_fit():
    cube = spectrai.sample("cartilage").cube
    found = spectrai.maps(cube, "peaks", low=985, high=1022, shape="gaussian", baseline="linear").maps
    x = cube.axis.values[cube.axis.window(985, 1022)]
    spectra = cube.numpy()[..., cube.axis.window(985, 1022)].astype(np.float64).reshape(-1, len(x))

    def model(x, height, position, fwhm, offset, slope):
        return height * np.exp(-4 * np.log(2) * ((x - position) / fwhm) ** 2) + offset + slope * (x - 1003)

    for number in range(0, len(spectra), 25):
        spectrum = spectra[number]
        fitted, covariance = curve_fit(model, x, spectrum, [np.ptp(spectrum), 1003, 8, spectrum.min(), 0], maxfev=5000)
        for place, name in ((0, "height"), (1, "position"), (2, "fwhm")):
            assert abs(found[name].flat[number] - abs(fitted[place])) < 0.05 * covariance[place, place] ** 0.5
            assert found[f"{name}_error"].flat[number] == pytest.approx(covariance[place, place] ** 0.5, rel=0.02)


def test_the_fit_under_the_cursor_is_that_of_the_map(peak_map):
    cube = peak_map[0]
    kind = PeakMaps(low=950, high=1050, shape="lorentzian")
    positions, curve, values = kind.curve(cube.numpy()[3, 4], AXIS)
    found = kind.compute(cube).maps
    assert values["position"] == pytest.approx(found["position"][3, 4], abs=1e-6)
    left = cube.numpy()[3, 4][AXIS.window(950, 1050)] - curve
    assert np.sqrt(np.mean(left**2)) == pytest.approx(found["residual"][3, 4], rel=1e-6)
    fine, smooth, _ = kind.curve(cube.numpy()[3, 4], AXIS, 400)
    np.testing.assert_allclose(np.interp(positions, fine, smooth), curve, atol=0.2)
    assert fine[smooth.argmax()] == pytest.approx(values["position"], abs=0.5)


def test_settings_of_peaks_that_contradict_each_other_are_refused():
    with pytest.raises(SettingsError, match="1 positions for 2 peaks; give one for each"):
        spectrai.maps(cube_of(np.ones((2, 2, 101))), "peaks", low=950, high=1050, count=2, positions=970)
    with pytest.raises(SettingsError, match="position 1200 lies outside 950–1050"):
        spectrai.maps(cube_of(np.ones((2, 2, 101))), "peaks", low=950, high=1050, positions=1200)
    with pytest.raises(ValueError, match="a fit of 5 parameters needs 6; widen the range"):
        spectrai.maps(cube_of(np.ones((2, 2, 101))), "peaks", low=950, high=955)


# ---------------------------------------------------------------- given spectra


@pytest.mark.parametrize(("count", "bands"), [(1, 40), (3, 101), (7, 28), (12, 60)])
def test_batched_nnls_equals_scipy(count, bands):
    rng = np.random.default_rng(count)
    references = np.abs(rng.normal(size=(count, bands)))
    amounts = rng.random((200, count)) * (rng.random((200, count)) < 0.5)
    spectra = amounts @ references + rng.normal(0, 0.3, (200, bands))
    expected = np.stack([nnls(references.T, spectrum)[0] for spectrum in spectra])
    np.testing.assert_allclose(batched_nnls(references, spectra), expected, atol=1e-8)
    np.testing.assert_allclose(weighted_nnls(references, spectra, np.ones_like(spectra)), expected, atol=1e-8)


def test_nearly_parallel_references_still_equal_scipy():
    rng = np.random.default_rng(9)
    shape = np.abs(rng.normal(size=60))
    references = np.stack([shape, shape + 1e-6 * np.abs(rng.normal(size=60)), np.abs(rng.normal(size=60))])
    spectra = rng.random((50, 3)) @ references + rng.normal(0, 0.1, (50, 60))
    expected = np.stack([nnls(references.T, spectrum)[0] for spectrum in spectra])
    found = batched_nnls(references, spectra)
    np.testing.assert_allclose(found @ references, expected @ references, atol=1e-7)


def test_weights_equal_scipy_on_scaled_equations():
    rng = np.random.default_rng(2)
    references, weights = np.abs(rng.normal(size=(4, 30))), rng.random((20, 30)) + 0.1
    spectra = rng.random((20, 4)) @ references + rng.normal(0, 0.5, (20, 30))
    expected = [nnls((references * np.sqrt(w)).T, s * np.sqrt(w))[0] for s, w in zip(spectra, weights, strict=True)]
    np.testing.assert_allclose(weighted_nnls(references, spectra, weights), expected, atol=1e-8)


def test_fully_constrained_abundances_are_the_constrained_minimum():
    rng = np.random.default_rng(7)
    references = np.abs(rng.normal(size=(4, 30)))
    spectra = rng.dirichlet(np.ones(4) / 2, 15) @ references + rng.normal(0, 0.2, (15, 30))
    found = batched_nnls(references, spectra, sum_to_one=True)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-12)
    assert (found >= 0).all()
    for amounts, spectrum in zip(found, spectra, strict=True):
        best = minimize(
            lambda a, s=spectrum: np.square(a @ references - s).sum(), np.full(4, 0.25), bounds=[(0, None)] * 4, method="SLSQP",
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1}, options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        np.testing.assert_allclose(amounts, best.x, atol=2e-5)


def test_unmixing_a_real_stack_equals_scipy_pixel_by_pixel():
    cube = spectrai.sample("lambda_stack").cube[:48, :48]
    spectra = cube.numpy().reshape(-1, 28)
    references = spectrai.Cube(spectra[np.argsort(-spectra.sum(1))[[0, 40, 200, 700]]], cube.axis)
    found = spectrai.maps(cube, "unmix", references=references)
    expected = np.stack([nnls(references.numpy().T.astype(np.float64), spectrum.astype(np.float64))[0] for spectrum in spectra])
    got = np.stack(list(found.maps.values())[:4], -1).reshape(-1, 4)
    held = np.isfinite(got).all(1)
    assert held.mean() > 0.5
    np.testing.assert_allclose(got[held], expected[held], atol=1e-6)
    left = spectra - expected @ references.numpy()
    np.testing.assert_allclose(found.maps["residual"].ravel()[held], np.sqrt(np.square(left).mean(1))[held], rtol=1e-5, atol=1e-5)


def test_photon_weights_come_nearer_to_the_truth():
    rng = np.random.default_rng(0)
    references = np.stack([line("gaussian", 960, 60) * 200, line("gaussian", 1000, 50) * 20, line("gaussian", 1040, 50) * 10])
    amounts = rng.random((60, 60, 3))
    cube = cube_of(rng.poisson(amounts @ references + 0.2).astype(np.float64))
    given = spectrai.Cube(references.astype(np.float32), AXIS)
    errors = {}
    for weights in ("none", "photon"):
        found = spectrai.maps(cube, "unmix", references=given, weights=weights)
        assert not found.notes
        errors[weights] = np.sqrt(np.mean(np.square(np.stack(list(found.maps.values())[:3], -1) - amounts)))
    assert errors["photon"] < 0.9 * errors["none"]


def test_a_background_is_one_more_component():
    values = np.full((8, 8, 1), 3.0) * line("gaussian", 1000, 20) + 12
    references = spectrai.Cube(line("gaussian", 1000, 20)[None].astype(np.float32), AXIS, metadata={"names": ["dye"]})
    found = spectrai.maps(cube_of(values), "unmix", references=references, background="constant")
    assert list(found.maps) == ["dye", "background", "residual"]
    np.testing.assert_allclose(found.maps["dye"], 3, rtol=1e-4)
    np.testing.assert_allclose(found.maps["background"], 12, rtol=1e-4)
    assert found.curves.metadata["names"] == ["dye", "background"]


def test_references_that_are_hard_to_distinguish_are_named():
    pair = np.stack([line("gaussian", 1000, 20), line("gaussian", 1000.3, 20), line("gaussian", 950, 20)])
    found = spectrai.maps(
        cube_of(np.ones((3, 3, 1)) * pair[0]),
        "unmix",
        references=spectrai.Cube(pair.astype(np.float32), AXIS, metadata={"names": ["a", "b", "c"]}),
    )
    assert len(found.notes) == 1
    assert found.notes[0].startswith("a and b are hard to distinguish")
    assert found.table[0]["nearest"] == "b"
    assert found.table[0]["condition"] > 50
    assert found.table[2]["angle"] > 60


def test_references_are_interpolated_onto_the_cube_and_other_units_refused(tmp_path):
    fine = spectrai.SpectralAxis(np.linspace(880, 1120, 481), "1/cm")
    reference = np.exp(-4 * np.log(2) * ((fine.values - 1000) / 30) ** 2)
    cube = cube_of(2 * np.ones((2, 2, 1)) * line("gaussian", 1000, 30))
    found = spectrai.maps(cube, "unmix", references=spectrai.Cube(reference[None].astype(np.float32), fine))
    np.testing.assert_allclose(next(iter(found.maps.values())), 2, rtol=1e-5)
    with pytest.raises(ValueError, match=r"references are in nm .* and the cube is in 1/cm"):
        spectrai.maps(cube, "unmix", references=spectrai.Cube(reference[None], spectrai.SpectralAxis(fine.values, "nm")))
    names = ["DAPI", "FITC"]
    dyes = spectrai.Cube(np.stack([reference, reference[::-1] + fine.values]), fine, metadata={"names": names})
    path = write_curves(dyes, tmp_path / "dyes.csv")  # a table keeps the names of its columns
    assert list(spectrai.maps(cube, "unmix", references=path).maps) == [*names, "residual"]


# ---------------------------------------------------------------- components


@pytest.fixture
def mixture():
    """40 × 30 pixels of three peaks, some of them pure, with their shares."""
    rng = np.random.default_rng(1)
    pure = np.stack([line("gaussian", 950, 24), line("gaussian", 1000, 30), line("gaussian", 1045, 20)]) * 100
    shares = rng.dirichlet(np.full(3, 0.6), (40, 30))
    shares[0, :3] = np.eye(3)
    return cube_of(shares @ pure + rng.normal(0, 0.3, (40, 30, 101))), pure, shares


def matched(curves: np.ndarray, pure: np.ndarray) -> np.ndarray:
    """Return the number of the curve nearest in angle to each pure spectrum."""
    cosine = (pure / np.linalg.norm(pure, axis=1, keepdims=True)) @ (curves / np.linalg.norm(curves, axis=1, keepdims=True)).T
    assert (cosine.max(1) > 0.995).all()
    return cosine.argmax(1)


@pytest.mark.parametrize("method", ["nmf", "vca", "vca_fcls", "mcr_als"])
def test_components_of_a_mixture_are_its_pure_spectra(mixture, method):
    cube, pure, shares = mixture
    found = spectrai.maps(cube, "components", method=method, count=3)
    assert found.curves.shape == (3, 101)
    order = matched(found.curves.numpy(), pure)
    assert sorted(order) == [0, 1, 2]
    got = np.stack(list(found.maps.values())[:3], -1)[..., order]
    for number in range(3):
        assert np.corrcoef(got[..., number].ravel(), shares[..., number].ravel())[0, 1] > 0.99
    if method == "vca_fcls":
        np.testing.assert_allclose(got.sum(-1), 1, atol=1e-9)
        assert np.abs(got - shares).mean() < 0.02
    assert found.maps["residual"].mean() < 1.0


def test_pca_equals_scikit_learn():
    from sklearn.decomposition import PCA

    cube = spectrai.sample("cartilage").cube
    found = spectrai.maps(cube, "components", method="pca", count=4)
    model = PCA(4, svd_solver="full").fit(cube.numpy().reshape(-1, 300).astype(np.float64))
    expected = model.transform(cube.numpy().reshape(-1, 300).astype(np.float64))
    for number in range(4):
        got = found.maps[f"PC {number + 1}"].ravel()
        sign = np.sign(got @ expected[:, number])
        np.testing.assert_allclose(got, sign * expected[:, number], atol=1e-3 * np.abs(expected[:, number]).max())
        assert found.table[number]["pca_share"] == pytest.approx(model.explained_variance_ratio_[number], rel=1e-6)
    cumulative = [row["pca_cumulative"] for row in found.table]
    assert len(cumulative) == 12
    assert all(later >= earlier for earlier, later in pairwise(cumulative))


def test_kmeans_clusters_cover_every_pixel_once():
    found = spectrai.maps(spectrai.sample("cartilage").cube, "components", method="kmeans", count=3)
    members = np.stack([found.maps[f"cluster {number}"] for number in (1, 2, 3)])
    np.testing.assert_array_equal(members.sum(0), 1)
    np.testing.assert_array_equal(members.argmax(0) + 1, found.maps["cluster"])
    assert members[0].sum() >= members[1].sum() >= members[2].sum()


def test_mcr_als_fits_better_than_the_endmembers_it_begins_with():
    cube = spectrai.sample("cartilage").cube
    residuals = {method: spectrai.maps(cube, "components", method=method, count=4).maps["residual"] for method in ("vca", "mcr_als")}
    assert np.square(residuals["mcr_als"]).mean() < np.square(residuals["vca"]).mean()


def test_the_same_seed_gives_the_same_components_and_too_many_are_refused(mixture):
    cube = mixture[0]
    one, other = (spectrai.maps(cube, "components", count=3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.curves.numpy(), other.curves.numpy())
    with pytest.raises(ValueError, match=r"5 components are requested \(count\).*set count to 1 or less"):
        spectrai.maps(cube_of(np.ones((4, 4, 1)) * line("gaussian", 1000, 20)), "components", method="vca", count=5)


# ---------------------------------------------------------------- library


@pytest.mark.parametrize("measure", ["correlation", "angle", "derivative"])
def test_each_pixel_finds_its_own_spectrum_whatever_its_brightness(measure):
    rng = np.random.default_rng(0)
    known = np.stack([line("lorentzian", centre, 14) for centre in (940, 970, 1005, 1050)])
    truth = rng.integers(0, 4, (9, 11))
    values = known[truth] * (1 + 9 * rng.random((9, 11, 1))) + rng.normal(0, 0.01, (9, 11, 101))
    found = spectrai.maps(cube_of(values), "library", references=spectrai.Cube(known.astype(np.float32), AXIS), measure=measure)
    np.testing.assert_array_equal(found.maps["hit"], truth)
    assert (found.maps["score"] > 0.8).all()
    assert (found.maps["margin"] > 0.1).all()
    assert [row["pixels"] for row in found.table] == np.bincount(truth.ravel(), minlength=4).tolist()


def test_derivatives_ignore_a_background_that_misleads_the_angle():
    known = np.stack([line("lorentzian", 970, 12), 0.2 + 0.8 * (AXIS.values - 900) / 200])
    values = line("lorentzian", np.full((2, 2), 970.0), np.full((2, 2), 12.0)) + 4 * (AXIS.values - 900) / 200
    hits = {
        measure: spectrai.maps(cube_of(values), "library", references=spectrai.Cube(known.astype(np.float32), AXIS), measure=measure).maps[
            "hit"
        ]
        for measure in ("angle", "derivative")
    }
    assert (hits["angle"] == 1).all()
    assert (hits["derivative"] == 0).all()


def test_a_folder_of_files_on_their_own_axes_is_a_library(tmp_path):
    for name, centre in (("quartz", 960), ("calcite", 1040)):
        own = np.linspace(850, 1150, 350)
        spectrum = 1 / (1 + ((own - centre) / 8) ** 2)
        rows = "\n".join(f"{x:.4f},{y:.6f}" for x, y in zip(own, spectrum, strict=True))
        (tmp_path / f"{name}.csv").write_text(f"Raman shift (1/cm),intensity\n{rows}\n")
    far = "\n".join(f"{x},{x % 3}" for x in range(3000, 3100))
    (tmp_path / "far.csv").write_text(f"Raman shift (1/cm),intensity\n{far}\n")
    (tmp_path / "notes.md").write_text("no spectrum")
    values = np.stack([line("lorentzian", np.full(4, 1040.0), np.full(4, 16.0)), line("lorentzian", np.full(4, 960.0), np.full(4, 16.0))])
    found = spectrai.maps(cube_of(values), "library", references=tmp_path, particles=True)
    assert "far" in found.notes[0]
    assert [row["name"] for row in found.table] == ["calcite", "quartz"]
    assert [row["pixels"] for row in found.table] == [4, 4]
    assert found.table[0]["area (um²)"] == pytest.approx(4 * 0.125)
    np.testing.assert_array_equal(found.maps["particle"], [[1] * 4, [2] * 4])
    with pytest.raises(ValueError, match="holds no spectral files"):
        (tmp_path / "empty").mkdir()
        spectrai.maps(cube_of(values), "library", references=tmp_path / "empty")


# ---------------------------------------------------------------- command line


def test_the_command_writes_what_python_computes(tmp_path, peak_map):
    import tifffile
    from typer.testing import CliRunner

    cube, *_ = peak_map
    spectrai.write(cube, tmp_path / "map.npz")
    command = ["map", "peaks", str(tmp_path / "map.npz"), "-o", str(tmp_path / "out"), "low=950", "high=1050", "shape=lorentzian"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    expected = spectrai.maps(cube, "peaks", low=950, high=1050, shape="lorentzian")
    for name in ("position", "height_error", "residual"):
        np.testing.assert_allclose(tifffile.imread(tmp_path / "out" / f"{name}.tif"), expected.maps[name], rtol=1e-6)
    with (tmp_path / "out" / "table.csv").open() as file:
        assert float(next(csv.DictReader(file))["position"]) == pytest.approx(expected.table[0]["position"])


def test_components_from_the_command_are_references_for_the_next_with_their_names(tmp_path, mixture):
    from typer.testing import CliRunner

    spectrai.write(mixture[0], tmp_path / "map.npz")
    run = CliRunner().invoke
    first = run(app, ["map", "components", str(tmp_path / "map.npz"), "-o", str(tmp_path / "a"), "count=3", "--format", "npy"])
    assert first.exit_code == 0, first.output
    given = f"references={tmp_path / 'a' / 'curves.csv'}"
    second = run(app, ["map", "unmix", str(tmp_path / "map.npz"), "-o", str(tmp_path / "b"), given, "--format", "npy"])
    assert second.exit_code == 0, second.output
    assert sorted(path.name for path in (tmp_path / "b").glob("*.npy")) == ["VCA_1.npy", "VCA_2.npy", "VCA_3.npy", "residual.npy"]
    wrong = run(app, ["map", "peaks", str(tmp_path / "map.npz"), "-o", str(tmp_path / "c"), "low"])
    assert wrong.exit_code == 2


def test_maps_of_a_set_of_spectra_are_one_table(tmp_path):
    from napari_spectrai.mapping.files import write_maps

    found = spectrai.maps(spectrai.Cube(np.ones((3, 101), np.float32), AXIS), "band", low=950, high=1000, how="sum")
    written = write_maps(found, tmp_path)
    assert [path.name for path in written] == ["maps.csv", "table.csv"]
    assert len((tmp_path / "maps.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("measure", ["correlation", "angle", "derivative"])
def test_a_constant_spectrum_resembles_nothing(measure):
    values = np.stack([line("gaussian", np.array(980.0), np.array(20.0)) + 1, np.full(101, 7.0)])[None]
    references = spectrai.Cube(
        np.stack([line("gaussian", np.array(c), np.array(20.0)) + 1 for c in (980.0, 1020.0)]).astype(np.float32), AXIS
    )
    found = spectrai.maps(cube_of(values), "library", references=references, measure=measure).maps
    assert found["hit"][0, 0] == 0
    if measure != "angle":
        assert all(np.isnan(found[name][0, 1]) for name in ("hit", "score", "margin"))


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_residuals_of_unmixing_are_those_band_by_band(noise):
    rng = np.random.default_rng(0)
    references = rng.random((4, 30))
    spectra = rng.random((500, 4)) * (rng.random((500, 4)) < 0.6) @ references + rng.normal(0, noise, (500, 30))
    found, residual = NonNegative(references).fit(spectra)
    np.testing.assert_allclose(residual, np.sqrt(np.square(found @ references - spectra).mean(1)), rtol=1e-6, atol=1e-12)


def test_angles_of_all_pairs_of_references():
    rows = pairwise_angles(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 3.0]]), ["a", "b", "c"])
    assert rows[0] == {"angle (°)": "a", "a": None, "b": pytest.approx(45.0), "c": pytest.approx(90.0)}


def test_a_kind_and_its_settings_may_be_a_mapping():
    cube = spectrai.Cube(np.random.default_rng(0).random((5, 6, 12), np.float32) + 1)
    one, other = spectrai.maps(cube, {"kind": "components", "count": 2}), spectrai.maps(cube, "components", count=2)
    np.testing.assert_array_equal(next(iter(one.maps.values())), next(iter(other.maps.values())))
    for wrong in (3, None, ["components"], spectrai.Cube):
        with pytest.raises(TypeError, match="the second argument of maps"):
            spectrai.maps(cube, wrong)
    with pytest.raises(ValueError, match="kind"):
        spectrai.maps(cube, {"count": 2})


class TestWhatIsSaid:
    """Maps say what was assumed, left out or not found."""

    def spectra(self, *centres):
        return line("gaussian", np.array(centres), np.full(len(centres), 12.0))

    def notes(self, kind, values, axis=AXIS, **settings):
        return " ".join(spectrai.maps(spectrai.Cube(np.asarray(values), axis), kind, **settings).notes)

    def test_references_that_fit_need_no_remark(self):
        references = spectrai.Cube(self.spectra(950, 1050), AXIS)
        assert self.notes("unmix", self.spectra(950, 1050), references=references) == ""
        assert self.notes("library", self.spectra(950, 1050), references=references) == ""

    def test_bands_that_references_do_not_cover(self):
        references = spectrai.Cube(self.spectra(930, 960)[:, :51], AXIS.take(np.arange(51)))
        said = self.notes("unmix", self.spectra(930, 960), references=references)
        assert said == "50 of 101 bands were left out, since a reference has no values there; used were 51 bands, 900–1000 1/cm."

    @pytest.mark.parametrize("kind", ["unmix", "library"])
    def test_references_without_positions_and_coarse_ones(self, kind):
        said = self.notes(kind, self.spectra(950, 1050), references=self.spectra(950, 1050))
        assert said == "The positions of the references are not known: bands were compared by their number."
        coarse = spectrai.Cube(self.spectra(950, 1050)[:, ::4], AXIS.take(np.arange(0, 101, 4)))
        assert "sampled at 8 1/cm, more coarsely than the cube (2 1/cm)" in self.notes(kind, self.spectra(950, 1050), references=coarse)

    def test_a_pair_of_equal_references_is_said_once(self):
        references = spectrai.Cube(self.spectra(950, 1050, 950), AXIS)
        assert self.notes("unmix", self.spectra(950), references=references).count("hard to distinguish") == 1

    @pytest.mark.parametrize("offset", [-2.0, 3.3])
    def test_where_there_is_no_peak_there_is_none_in_the_maps(self, offset):
        found = spectrai.maps(spectrai.Cube(np.full((2, 3, 101), offset), AXIS), "peaks", low=920, high=1080)
        assert all(np.isnan(found.maps[name]).all() for name in ("position", "height", "fwhm", "area"))
        assert found.notes
        assert "there: NaN in the maps" in found.notes[-1] or found.notes == ("6 of 6 fits failed.",)

    def test_negative_values_that_a_factorisation_leaves_out(self):
        values = np.random.default_rng(0).random((30, 2)) @ self.spectra(950, 1050)
        assert self.notes("components", values, method="nmf", count=2) == ""
        assert "were taken as 0" in self.notes("components", values - 0.2, method="nmf", count=2)

    @pytest.mark.parametrize("method", ["pca", "nmf", "kmeans", "vca", "vca_fcls", "mcr_als"])
    def test_equal_spectra_have_no_components(self, method):
        words = "are all equal: there are no components to find" if method == "pca" else "hold 1 at most; set count to 1 or less"
        with pytest.raises(ValueError, match=f"the 12 spectra of 101 bands {words}"):
            self.notes("components", np.ones((3, 4, 101)), method=method, count=2)
        with pytest.raises(ValueError, match="the cube has 1 band, and a decomposition needs 2"):
            self.notes("components", np.ones((3, 4, 1)), AXIS.take([0]), method=method, count=1)

    def test_clusters_are_at_most_as_many_as_different_spectra(self):
        values = self.spectra(950, 1050)[np.arange(12) % 2]
        with pytest.raises(ValueError, match="hold 2 at most; set count to 2 or less"):
            self.notes("components", values, method="kmeans", count=3)
