"""Contracts of every network in every dimension it has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spectrai.experiment.backbones import (
    SSFTT,
    AttentionUNet,
    DenseNet,
    EfficientNet,
    EigenimageCNN,
    ResNet,
    Restormer,
    SegNet,
    SegResNet,
)
from napari_spectrai.experiment.classifier_networks import LocalMeansMLP, SpectralCNN, SpectralMLP
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.networks import RCAN, ResidualMLP, ResUNet, UNet
from napari_spectrai.networks import RidgeSkip, Subspace, build
from napari_spectrai.networks.ridge import ridge_map
from napari_spectrai.networks.upsampling import back_projected, bicubic, degraded, sharpened

CASES = [
    *(
        cls(dims=dims, width=8, depth=2, ridge=ridge, norm=norm)
        for cls in (UNet, ResUNet)
        for dims in (1, 2, 3)
        for ridge, norm in ((True, "batch"), (False, "layer"))
    ),
    ResidualMLP(width=32),
    ResidualMLP(width=32, ridge=False),
    ResUNet(dims=1, width=8, depth=2, activation="prelu", dense=3, ridge=False),
    UNet(dims=2, width=8, depth=1, components=6, ridge=False),
    *(UNet(dims=dims, width=8, depth=2, slim=True, last_kernel=3, ridge=False) for dims in (1, 2, 3)),
    *(
        ResUNet(dims=dims, width=8, depth=2, slim=True, after_sum=1, last_kernel=5, activation="prelu", shared_slope=True)
        for dims in (1, 2)
    ),
    *(RCAN(dims=dims, width=8, groups=1, blocks=2) for dims in (1, 2, 3)),
    RCAN(width=8, groups=1, blocks=2, components=6),
    *(AttentionUNet(dims=dims, width=8, depth=1, ridge=ridge) for dims in (1, 2, 3) for ridge in (True, False)),
    *(SegResNet(dims=dims, width=8, depth=1, blocks=1, ridge=ridge) for dims in (1, 2, 3) for ridge in (True, False)),
    EigenimageCNN(width=8, depth=2, components=16),
    *(Restormer(dims=dims, width=8, depth=1, refinement=1) for dims in (2, 3)),
]
CLASSIFYING = [
    *(UNet(dims=dims, width=8, depth=1) for dims in (1, 2, 3)),
    UNet(dims=2, width=8, depth=1, components=6),
    *(UNet(dims=dims, width=8, depth=1, over_bands="learnt", activation="leaky_relu") for dims in (1, 3)),
    SpectralCNN(width=8, stages=2),
    SpectralMLP(width=16),
    *(SegNet(dims=dims, width=8, depth=1) for dims in (1, 2, 3)),
    AttentionUNet(dims=2, width=8, depth=1),
    SegResNet(dims=3, width=8, depth=1, blocks=1),
    *(ResNet(layers=layers, width=8, activation=activation) for layers, activation in ((18, "prelu"), (50, "silu"))),
    DenseNet(growth=4, norm="group"),
    EfficientNet(),
]
POOLING = [
    *(ResNet(dims=dims, width=8) for dims in (2, 3)),
    ResNet(dims=2, layers=50, width=8, norm="instance", components=4),
    *(DenseNet(dims=dims, growth=4) for dims in (2, 3)),
    *(EfficientNet(dims=dims) for dims in (2, 3)),
]
WINDOWED = [LocalMeansMLP(components=6, smallest=3, largest=7, width=16), SSFTT(components=6, window=9, width=16, heads=3)]


def test_every_registered_network_is_here():
    assert {spec.kind for spec in [*CASES, *CLASSIFYING, *WINDOWED]} == {kind for kind in networks if not networks[kind].classical}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "spec", CASES, ids=lambda s: f"{s.kind}-{getattr(s, 'dims', 1)}d-{'ridge' if getattr(s, 'ridge', False) else 'alone'}"
)
class TestContract:
    @pytest.mark.parametrize("shape", [(2, 8, 8, 16), (3, 7, 5, 13), (1, 1, 1, 9)])
    def test_any_size_in_the_same_size_out(self, spec, shape):
        network = build(spec, shape[-1], shape[-1]).eval()
        assert network(torch.randn(shape)).shape == shape

    def test_backward_reaches_every_weight(self, spec):
        network = build(spec, 16, 16)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)  # wide enough for both sides of every rectifier
        network(torch.randn(4, 8, 8, 16)).square().mean().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())

    def test_overfits_one_batch(self, spec):
        x = torch.randn(4, 4, 4, 16)
        y = 0.5 * (x if spec.any_axis else x.roll(1, -1))  # what sees eigenimages alone cannot move bands
        network = build(spec, 16, 16)
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        first = torch.nn.functional.mse_loss(network(x), y)
        for _ in range(60):
            optimiser.zero_grad()
            loss = torch.nn.functional.mse_loss(network(x), y)
            loss.backward()
            optimiser.step()
            if loss < 0.4 * first:
                break
        assert loss < 0.5 * first

    def test_saved_weights_give_the_same_output(self, spec):
        network = build(spec, 16, 16).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        again = build(spec, 16, 16).eval()
        again.load_state_dict(network.state_dict())
        x = torch.randn(2, 8, 8, 16)
        torch.testing.assert_close(again(x), network(x))

    def test_pixels_beyond_its_context_do_not_matter(self, spec):
        if spec.whole:  # never cut into tiles
            assert spec.context == 0
            return
        network = build(spec, 12, 12).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        size = 2 * spec.context + spec.grid
        x = torch.randn(1, size + 2 * spec.grid, size + 2 * spec.grid, 12)
        changed = x.clone()
        changed[:, -1, -1] += 10
        keep = x.shape[1] - 1 - spec.context
        torch.testing.assert_close(network(changed)[:, :keep, :keep], network(x)[:, :keep, :keep])


def test_over_ridge_begins_at_the_ridge_estimate():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(200, 10)))
    y = x @ torch.from_numpy(rng.normal(size=(10, 10))) + 1
    weight, intercept = ridge_map(x.float(), y.float(), 1e-6)
    torch.testing.assert_close(x.float() @ weight + intercept, y.float(), rtol=1e-3, atol=1e-3)
    network = build(ResidualMLP(width=8), 10, 10)
    assert isinstance(network, RidgeSkip)
    network.set_map(weight, intercept)
    torch.testing.assert_close(network(x.float()[:, None, None])[:, 0, 0], x.float() @ weight + intercept)


def test_ridge_is_scikit_learns_formula():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 7)), rng.normal(size=(50, 3))
    centred_x, centred_y = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.solve(centred_x.T @ centred_x + 2.5 * np.eye(7), centred_x.T @ centred_y)
    weight, intercept = ridge_map(torch.from_numpy(x), torch.from_numpy(y), 2.5)
    np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(intercept, y.mean(0) - x.mean(0) @ expected, rtol=1e-4, atol=1e-5)


def test_the_seed_papers_resunet_has_its_widths():
    network = build(ResUNet(width=64, depth=2, convolutions=3, activation="prelu", dense=3, dims=1, ridge=False), 500, 500)
    assert [level.entry[0].out_channels for level in network.down] == [64, 128, 256]
    assert sum(isinstance(module, torch.nn.Linear) for module in network.dense) == 3


@pytest.mark.parametrize(
    ("spec", "bands", "message"),
    [
        (UNet(dims=1, ridge=False), (8, 9), "choose dims=2"),
        (UNet(dims=2, dense=2, ridge=False), (8, 8), "set dense=0"),
        (ResidualMLP(ridge=False), (8, 9), "ridge=true"),
    ],
)
def test_what_cannot_be_built_says_why(spec, bands, message):
    with pytest.raises(ValueError, match=message):
        build(spec, *bands)


@pytest.mark.parametrize("spec", CLASSIFYING, ids=lambda s: f"{s.kind}-{getattr(s, 'dims', 1)}d-{getattr(s, 'components', 0)}")
class TestClassifyingContract:
    @pytest.mark.parametrize("shape", [(2, 8, 8, 16), (3, 7, 5, 13)])
    def test_any_size_gives_classes(self, spec, shape):
        assert build(spec, shape[-1], 4, ridge=False, classes=True).eval()(torch.randn(shape)).shape == (*shape[:3], 4)

    def test_overfits_one_batch(self, spec):
        x = torch.randn(4, 4, 4, 16)
        y = (x[..., :8].sum(-1) > 0).long()
        network = build(spec, 16, 2, ridge=False, classes=True)
        for module in network.modules():  # what is left out at random
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if hasattr(module, "drop_connect_rate"):
                module.drop_connect_rate = 0.0
        optimiser = torch.optim.Adam(network.parameters(), 5e-3, fused=True)
        for _ in range(150):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x).flatten(0, -2), y.flatten())
            loss.backward()
            optimiser.step()
            if loss < 0.2:
                break
        assert loss < 0.3

    def test_saved_weights_give_the_same_output(self, spec):
        network, again = (build(spec, 16, 3, ridge=False, classes=True).eval() for _ in range(2))
        again.load_state_dict(network.state_dict())
        x = torch.randn(2, 8, 8, 16)
        torch.testing.assert_close(again(x), network(x))

    def test_pixels_beyond_its_context_do_not_matter(self, spec):
        network = build(spec, 12, 3, ridge=False, classes=True).eval()
        size = 2 * spec.context + 3 * spec.grid
        x = torch.randn(1, size, size, 12)
        changed = x.clone()
        changed[:, -1, -1] += 10
        keep = size - 1 - spec.context
        torch.testing.assert_close(network(changed)[:, :keep, :keep], network(x)[:, :keep, :keep])


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("spec", [RCAN(width=8, groups=1, blocks=1, components=c) for c in (0, 3)], ids=["all", "components"])
def test_enlarging_begins_at_back_projection_and_learns(spec, times):
    network = build(spec, 5, 5, enlarges=times).eval()
    x = torch.randn(2, 6, 7, 5)
    torch.testing.assert_close(network(x), sharpened(x, times))
    network(x).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.last.parameters())
    assert network(x, times=times + 1).shape == (2, 6 * (times + 1), 7 * (times + 1), 5)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_what_is_added_vanishes_when_made_coarse_again(times):
    network = build(RCAN(width=8, groups=1, blocks=1, strength=1.0), 3, 3, enlarges=times).eval()
    x = torch.rand(1, 9, 8, 3) + 1
    plain = network(x)
    for parameter in network.last.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    added = network(x) - plain
    assert added.abs().max() > 0.1
    assert degraded(added, times).abs().max() < 1e-4
    loose = build(RCAN(width=8, groups=1, blocks=1, consistent=False), 3, 3, enlarges=times).eval()
    for parameter in loose.last.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    assert degraded(loose(x) - plain, times).abs().max() > 1e-2


def test_back_projection_comes_back_to_its_input_and_stays_above_zero():
    x = torch.rand(1, 10, 11, 2)
    large = back_projected(bicubic(x, 3), x, 3)
    assert (degraded(large, 3) - x).abs().max() < 0.2 * (degraded(bicubic(x, 3), 3) - x).abs().max()
    assert large.min() < 0 <= sharpened(x, 3).min()
    signed = x - 0.5  # what has values below zero may go there
    torch.testing.assert_close(sharpened(signed, 3), back_projected(bicubic(signed, 3), signed, 3))


def test_a_subspace_is_that_of_the_principal_components():
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy((rng.normal(size=(500, 3)) * [3, 2, 1]) @ rng.normal(size=(3, 20)) + 5).float()
    network = build(UNet(dims=2, width=4, depth=1, components=3, ridge=False), 20, 20).eval()
    assert isinstance(network, Subspace)
    network.fit(spectra)
    batch = spectra[:64].view(1, 8, 8, 20)
    torch.testing.assert_close(network(batch), batch, rtol=1e-3, atol=1e-3)  # all of these lie in it, and the network adds nothing yet
    classes = build(UNet(dims=2, width=4, depth=1, components=3), 20, 2, ridge=False, classes=True)
    classes.fit(spectra)
    scores = (spectra - classes.mean) @ (classes.basis / classes.scale)
    torch.testing.assert_close(scores.var(0, unbiased=False), torch.ones(3), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("spec", POOLING, ids=lambda s: f"{s.kind}-{s.dims}d-{s.norm}")
class TestPoolingContract:
    @pytest.mark.parametrize("shape", [(2, 8, 8, 16), (3, 7, 41, 13)])
    def test_any_size_gives_one_class(self, spec, shape):
        assert build(spec, shape[-1], 4, ridge=False, classes=True).eval()(torch.randn(shape)).shape == (shape[0], 1, 1, 4)

    def test_overfits_one_batch_and_comes_back(self, spec):
        x, y = torch.randn(6, 12, 12, 8), torch.arange(6) % 2
        x[y == 1, 3:6, 3:6, :4] += 3
        network, again = (build(spec, 8, 2, ridge=False, classes=True) for _ in range(2))
        optimiser = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(40):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x)[:, 0, 0], y)
            loss.backward()
            optimiser.step()
            if loss < 0.2:
                break
        assert loss < 0.3
        again.load_state_dict(network.state_dict())
        torch.testing.assert_close(again.eval()(x), network.eval()(x))


def test_windows_of_local_means_are_odd_and_spread():
    assert LocalMeansMLP().sizes == [3, 13, 21, 29]
    assert LocalMeansMLP(smallest=1, largest=6, windows=2).sizes == [1, 7]
    assert (WINDOWED[0].around, WINDOWED[0].context) == (7, 3)


@pytest.mark.parametrize("spec", WINDOWED, ids=lambda s: s.kind)
class TestWindowedContract:
    def test_it_answers_for_the_middle_of_a_window_and_for_all_pixels(self, spec):
        network = build(spec, 9, 4, ridge=False, classes=True).eval()
        x = torch.randn(2, 14, 12, 9)
        whole = network.same(x)
        assert whole.shape == (2, 14, 12, 4)
        side = spec.around
        torch.testing.assert_close(
            network(x[:, 2 : 2 + side, 1 : 1 + side])[:, 0, 0], whole[:, 2 + side // 2, 1 + side // 2], rtol=1e-4, atol=1e-4
        )

    def test_it_overfits_and_comes_back(self, spec):
        x = torch.randn(16, spec.around, spec.around, 9)
        y = torch.arange(16) % 3
        network, again = (build(spec.model_copy(update={"dropout": 0.0}), 9, 3, ridge=False, classes=True) for _ in range(2))
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(60):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x)[:, 0, 0], y)
            loss.backward()
            optimiser.step()
        assert loss < 0.1
        again.load_state_dict(network.state_dict())
        torch.testing.assert_close(again.eval()(x), network.eval()(x))
