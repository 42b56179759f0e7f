"""A filter fitted to pairs enlarges better than back-projection where coarse images are sampled or noisy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_spectrai.experiment.networks import RCAN
from napari_spectrai.networks import build
from napari_spectrai.networks.enlarging_filter import enlarged, fit_weights
from napari_spectrai.networks.upsampling import Enlarging, sharpened


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_filter_fits_what_made_the_coarse_image(noise: float) -> None:
    rng = np.random.default_rng(0)
    fine = torch.from_numpy(gaussian_filter(rng.normal(size=(6, 32, 32, 3)), (0, 1, 1, 0)).astype(np.float32) * 4 + 5)
    coarse = fine[:, ::2, ::2] + noise * torch.from_numpy(rng.normal(size=(6, 16, 16, 3)).astype(np.float32))
    weights, error = fit_weights([(coarse[n : n + 1], fine[n : n + 1]) for n in range(4)], 2)
    found, usual = ((one - fine[4:]).square().mean().item() for one in (enlarged(coarse[4:], weights, 2), sharpened(coarse[4:], 2)))
    assert found < 0.6 * usual
    assert found == pytest.approx(error, rel=0.3)
    torch.testing.assert_close(enlarged(torch.full((1, 6, 6, 2), 3.0), weights, 2), torch.full((1, 12, 12, 2), 3.0), rtol=0.05, atol=0)


def test_weights_without_filter_load() -> None:
    network = build(RCAN(width=8, components=0), 3, 3, enlarges=2)
    assert isinstance(network, Enlarging)
    network.set_filter(torch.ones(4, 5, 5))
    again = build(RCAN(width=8, components=0), 3, 3, enlarges=2)
    again.load_state_dict(network.state_dict())
    assert again.fitted
    again.load_state_dict({name: values for name, values in network.state_dict().items() if name != "filter"})
    assert not again.fitted
