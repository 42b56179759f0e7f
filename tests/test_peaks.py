"""Place and width of peaks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, SpectralAxis, evaluate
from napari_spectrai.learn.scoring.peaks import peak_errors, peaks

AXIS = np.linspace(400, 700, 151)


def gaussians(places, widths, heights=1.0, base=0.0):
    """Peaks whose full width at half maximum is known."""
    sigma = np.asarray(widths)[:, None] / 2.35482
    return np.asarray(heights) * np.exp(-((AXIS - np.asarray(places)[:, None]) ** 2) / (2 * sigma**2)) + base


@pytest.mark.parametrize("descending", [False, True])
def test_known_peaks_are_found(descending):
    spectra, axis = gaussians([450.3, 561.7, 640], [20, 30, 12], base=0.2), AXIS
    if descending:
        spectra, axis = spectra[:, ::-1].copy(), axis[::-1].copy()
    place, width, _, _ = peaks(torch.from_numpy(spectra), torch.from_numpy(axis))
    np.testing.assert_allclose(place, [450.3, 561.7, 640], atol=0.05)
    np.testing.assert_allclose(width, [20, 30, 12], rtol=0.02)


def test_errors_are_in_units_of_the_axis_and_of_the_truths_peak():
    truth = gaussians([500, 600], [20, 20])
    moved = gaussians([503, 599], [20, 26]) + gaussians([650, 450], [5, 5], 2.0)  # a higher line elsewhere is not this peak
    place, width = peak_errors(moved, truth, AXIS)
    assert place == pytest.approx(2, abs=0.1)
    assert width < 4
    report = evaluate(Cube(moved, SpectralAxis(AXIS, "nm")), Cube(truth, SpectralAxis(AXIS, "nm")))
    assert report.metrics["peak_position"] == pytest.approx(place, abs=1e-6)


def test_what_has_no_peak_is_left_out():
    truth = gaussians([500, 600], [20, 20])
    truth[1] = 1.0  # constant
    assert peak_errors(truth, truth, AXIS) == (0, 0)
    assert all(math.isnan(value) for value in peak_errors(np.ones((3, 151)), np.ones((3, 151)), AXIS))
    assert all(math.isnan(value) for value in peak_errors(np.ones((3, 4)), np.ones((3, 4)), AXIS[:4]))
    overlapping = AXIS.copy()
    overlapping[80:] -= 20
    assert all(math.isnan(value) for value in peak_errors(truth, truth, overlapping))
    rising = np.linspace(0, 1, 151)[None]
    assert all(math.isnan(value) for value in peak_errors(rising, rising, AXIS))
