"""Ready chains, groups of steps, estimates that can be drawn, and spikes that are kept."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from test_despike import broad

from napari_spectrai import Cube, SpectralAxis, preprocess
from napari_spectrai.preparation import READY, ready_chain
from napari_spectrai.preparation.baseline import Polynomial
from napari_spectrai.preparation.despike import Despike, find_spikes
from napari_spectrai.preparation.optical import ContinuumRemoval
from napari_spectrai.preparation.smooth import SavitzkyGolay
from napari_spectrai.preparation.step import GROUPS, steps

AXES = [
    SpectralAxis(np.linspace(600, 1800, 300), "1/cm"), SpectralAxis(np.linspace(900, 4000, 400), "1/cm"),
    SpectralAxis(np.linspace(400, 2400, 220), "nm"), SpectralAxis(np.linspace(0.4, 2.4, 220), "um"),
    SpectralAxis(np.linspace(500, 700, 8), "nm"), SpectralAxis.bands(40),
]  # fmt: skip


@pytest.mark.parametrize("name", list(READY))
@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.describe())
def test_every_chain_runs_on_every_axis(name, axis):
    rng = np.random.default_rng(0)
    data = (rng.random((3, 4, len(axis))) + 1 + np.linspace(0, 3, len(axis))).astype(np.float32)
    done = preprocess(Cube(data, axis), ready_chain(name, axis))
    assert np.isfinite(done.data).all()
    assert done.spatial_shape == (3, 4)


def test_bands_in_the_absorption_of_air_are_removed_where_they_are_covered():
    reflectance = [step.kind for step in ready_chain("reflectance", AXES[2])]
    assert reflectance == ["remove_bands", "savitzky_golay", "normalise"]
    in_micrometres = ready_chain("reflectance", AXES[3])[0].ranges[0]
    assert in_micrometres == pytest.approx((1.35, 1.45))
    assert ready_chain("ftir", AXES[1])[0].kind == "remove_bands"
    assert ready_chain("ftir", AXES[0])[0].kind == "rubberband"
    with pytest.raises(ValueError, match=r"no ready chain 'ramen'.*did you mean raman"):
        ready_chain("ramen", AXES[0])


def test_the_baseline_of_raman_spectra_depends_on_their_spacing():
    fine = SpectralAxis(np.linspace(600, 1800, 1200), "1/cm")
    assert ready_chain("raman", fine)[1].smoothness == pytest.approx(ready_chain("raman", AXES[0])[1].smoothness * 4**4, rel=0.3)


def test_every_step_has_a_group():
    assert {steps[kind].group for kind in steps} <= set(GROUPS) - {"Other"}


def test_estimates_are_what_steps_remove():
    rng = np.random.default_rng(0)
    spectra = (rng.random((5, 300)) + 2).astype(np.float32)
    step = Polynomial(order=2)
    np.testing.assert_allclose(spectra - step.estimate(spectra, AXES[0]), step.apply(spectra, AXES[0])[0], rtol=1e-5, atol=1e-5)
    hull = ContinuumRemoval()
    np.testing.assert_allclose(spectra / hull.estimate(spectra, AXES[0]), hull.apply(spectra, AXES[0])[0], rtol=1e-5)
    assert SavitzkyGolay().estimate(spectra, AXES[0]) is None
    assert SavitzkyGolay().keeps_intensities
    assert not SavitzkyGolay(derivative=1).keeps_intensities


@pytest.mark.parametrize("lazy", [False, True])
def test_peaks_to_keep_are_no_spikes(lazy):
    data = broad()
    data[3, 4, 20] += 50
    data[10, 11, 60] += 70
    axis = SpectralAxis(np.linspace(500, 1490, 100), "1/cm")
    cube = Cube(data, axis)
    found = find_spikes(cube)
    keep = ((float(found.position[0]), float(found.intensity[0])),)
    step = Despike(keep=keep)
    assert step.kept(found).tolist() == [True, False]
    assert str(find_spikes(cube, step)) == "1 spike in 1 spectrum"
    given = cube.with_data(da.from_array(data, chunks=(7, 20, 100))) if lazy else cube
    done = np.asarray(preprocess(given, [step]).data)
    assert done[3, 4, 20] == data[3, 4, 20]
    assert done[10, 11, 60] < data[10, 11, 60] - 50
