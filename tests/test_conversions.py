"""Calibration by standards, continuum removal, optical quantities, stripes, energy axes."""

from __future__ import annotations

import numpy as np
import pytest

import napari_spectrai as spectrai
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.preparation import load_steps, save_steps
from napari_spectrai.preparation.optical import EV_NM, ContinuumRemoval, Energy, Optical
from napari_spectrai.preparation.standard_lines import StandardLines
from napari_spectrai.preparation.standards import LINES, positions

BANDS = spectrai.SpectralAxis.bands


def standard(name: str, *, descending: bool = False, shift: float = -2.3, stretch: float = 1.0008) -> tuple[spectrai.Cube, np.ndarray]:
    """Return a spectrum of a standard on an axis that is wrong, with noise, and the true positions of its bands."""
    rng = np.random.default_rng(0)
    x = np.arange(150, 3500, 1.5)[:: -1 if descending else 1]
    true = x * stretch + shift
    lines = sum((40 + 60 * rng.random()) / (1 + ((true - line) / 4) ** 2) for line in LINES[name])
    values = lines + 50 + rng.normal(0, 0.5, (5, 6, len(x)))
    return spectrai.Cube(values.astype(np.float32), spectrai.SpectralAxis(x, "1/cm")), true


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", ["polystyrene", "paracetamol"])
def test_the_axis_is_calibrated_by_the_lines_of_a_standard(name, descending):
    cube, true = standard(name, descending=descending)
    with pytest.warns(SpectralWarning, match=f"lines of {name}; the axis moves by"):
        done = spectrai.preprocess(cube, [{"kind": "standard_lines", "standard": name}])
    np.testing.assert_allclose(done.axis.values, true, atol=0.1)
    np.testing.assert_array_equal(done.data, cube.data)


def test_one_line_of_silicon_shifts_the_axis():
    cube, _ = standard("silicon", shift=1.7, stretch=1.0)
    done = StandardLines().fitted(cube.numpy(), cube.axis).apply(cube.numpy(), cube.axis)[1]
    np.testing.assert_allclose(done.values - cube.axis.values, 1.7, atol=0.1)


def test_neon_lines_are_shifts_of_a_laser():
    # 585.24878 nm in air is 17081.99 1/cm in vacuum, 532.0 nm 18791.73 1/cm
    assert positions("neon", "1/cm", 532.0)[0] == pytest.approx(18791.7 - 17082.0, abs=0.5)
    with pytest.raises(ValueError, match="set laser in nm"):
        positions("neon", "1/cm")
    with pytest.raises(ValueError, match="silicon are Raman shifts"):
        positions("silicon", "nm")


def test_a_calibration_by_a_file_is_saved_and_applies_to_other_data(tmp_path):
    cube, true = standard("polystyrene")
    step = StandardLines(standard="polystyrene", reference=cube)
    assert step.is_fitted
    save_steps([step], tmp_path / "steps.yml")
    sample = spectrai.Cube(np.ones((2, 2, len(true)), np.float32), cube.axis)
    (again,) = load_steps(tmp_path / "steps.yml")
    np.testing.assert_allclose(again.apply(sample.numpy(), sample.axis)[1].values, true, atol=0.1)


@pytest.mark.parametrize("values", [0.0, 3.0])
def test_no_line_is_found_where_there_is_none(values):
    cube, _ = standard("polystyrene")
    flat = np.full(cube.shape, values, np.float32)
    with pytest.raises(ValueError, match=r"no line of polystyrene was found within 10 1/cm.*raise the tolerance"):
        StandardLines(standard="polystyrene").fitted(flat, cube.axis)


def test_noise_alone_calibrates_nothing():
    cube, _ = standard("polystyrene")
    noise = np.random.default_rng(1).normal(100, 1, (1, len(cube.axis))).astype(np.float32)
    with pytest.raises(ValueError, match="no line of polystyrene"):
        StandardLines(standard="polystyrene").fitted(noise, cube.axis)


def test_a_continuum_is_divided_out():
    axis = spectrai.SpectralAxis(np.linspace(2500, 400, 50), "nm")
    line = 0.2 + axis.values / 5000
    dip = 1 - 0.4 * np.exp(-(((axis.values - 1400) / 100) ** 2))
    found = ContinuumRemoval().apply(np.stack([line * dip, 2 * line * dip]).astype(np.float32), axis)[0]
    np.testing.assert_allclose(found, np.stack([dip, dip]), atol=1e-3)
    below = ContinuumRemoval().apply(np.full((1, 50), -1, np.float32), axis)[0]
    assert np.isnan(below).all()


@pytest.mark.parametrize("target", ["absorbance", "kubelka_munk"])
def test_optical_quantities_are_converted_there_and_back(target):
    values = np.linspace(0.01, 1, 30, dtype=np.float32)[None]
    there = Optical(target=target).apply(values, BANDS(30))[0]
    np.testing.assert_allclose(Optical(source=target, target="reflectance").apply(there, BANDS(30))[0], values, rtol=1e-4)
    assert np.isnan(Optical(target=target).apply(np.float32([[0, -0.1, np.nan]]), BANDS(3))[0]).all()


def test_known_optical_values_and_percent():
    assert Optical().apply(np.float32([[0.1, 1, 10]]), BANDS(3))[0].tolist() == [[1, 0, -1]]
    assert Optical(target="kubelka_munk").apply(np.float32([[0.5]]), BANDS(1))[0].tolist() == [[0.25]]
    (note,) = Optical().notes(spectrai.Cube(np.full((2, 2, 4), 45, np.float32)))
    assert "percent" in note
    with pytest.raises(ValueError, match="are absorbance already"):
        Optical(source="absorbance")


def test_the_jacobian_keeps_areas():
    axis = spectrai.SpectralAxis(np.linspace(500, 700, 2001), "nm")
    spectrum = np.exp(-(((axis.values - 600) / 20) ** 2)).astype(np.float32)[None]
    done, energy = Energy().apply(spectrum, axis)
    assert energy.unit == "eV"
    assert energy.values[0] == pytest.approx(EV_NM / 500)
    area = -np.trapezoid(done[0].astype(float), energy.values)
    assert area == pytest.approx(np.trapezoid(spectrum[0].astype(float), axis.values), rel=1e-4)
    np.testing.assert_array_equal(Energy(jacobian=False).apply(spectrum, axis)[0], spectrum)
    with pytest.raises(ValueError, match="1/cm is no wavelength"):
        Energy().apply(spectrum, spectrai.SpectralAxis(axis.values, "1/cm"))


@pytest.mark.parametrize("along", ["columns", "rows"])
def test_stripes_go_and_structure_stays(along):
    rng = np.random.default_rng(0)
    image = np.add.outer(np.linspace(0, 5, 40), np.linspace(0, 3, 50))[..., None] + np.zeros(3)
    stripes = rng.normal(0, 1, (1, 50, 3) if along == "columns" else (40, 1, 3))
    striped = (image + stripes).astype(np.float32)
    striped[3, 4] = np.nan
    done = spectrai.preprocess(spectrai.Cube(striped), [{"kind": "destripe", "along": along, "window": 15}]).numpy()
    assert np.isnan(done[3, 4]).all()
    left = done - image
    assert np.nanstd(left) < 0.45 * np.nanstd(striped - image)


@pytest.mark.parametrize("standard", ["polystyrene", "paracetamol"])
def test_another_material_with_some_lines_in_their_places_does_not_move_the_axis(standard):
    cube = spectrai.sample("cartilage").cube
    with pytest.raises(ValueError, match=rf"lines of {standard}.*too few.*choose the standard that was measured"):
        spectrai.preprocess(cube, [{"kind": "standard_lines", "standard": standard}])


def test_a_small_peak_where_silicon_has_its_line_does_not_move_the_axis():
    x = np.arange(400.0, 700, 0.5)
    spectrum = np.exp(-0.5 * np.square((x - 522) / 2)) + 5 * np.exp(-0.5 * np.square((x - 610) / 2))
    with pytest.raises(ValueError, match="not the highest one of the spectrum, which is at 610"):
        StandardLines().fitted(spectrum[None], spectrai.SpectralAxis(x, "1/cm"))
