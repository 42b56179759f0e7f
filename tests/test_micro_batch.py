"""A batch computed in pieces takes the step of the whole batch."""

from __future__ import annotations

import pytest
import torch

from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.train import micro_batch as module
from napari_spectrai.learn.train.micro_batch import in_pieces, sees_whole_batch
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.networks import build
from napari_spectrai.runs import RunFolder
from tests.test_networks import CASES


def trained(experiment, pairs, folder):
    training = Trainer(experiment, assemble(experiment, *([one] for one in pairs)), RunFolder.create(experiment, folder))
    list(training.epochs())
    return training


@pytest.mark.parametrize("settings", [("network.kind=unet", "network.norm=layer", "network.depth=1"), ("network.kind=rcan",)])
@pytest.mark.parametrize("size", [1, 5])
def test_weights_are_those_of_a_training_in_one_piece(image_pairs, quick, tmp_path, settings, size):
    own = ("network.width=8", "data.patch=8", "training.epochs=2", "training.batch=8", "training.precision=fp32")
    common = (*settings, *own, "training.optimiser=sgd")  # Adam divides the smallest gradients, which are rounding, by their size
    found = [
        trained(quick(*common, f"training.micro_batch={count}"), image_pairs, tmp_path / str(count)) for count in (size, 8)
    ]  # fmt: skip
    assert [training.micro_batch for training in found] == [size, 0]
    one, other = (dict(training.network.named_parameters()) for training in found)
    for name, weights in one.items():
        torch.testing.assert_close(weights, other[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("spec", CASES, ids=lambda spec: f"{spec.kind}-{spec.dimensionality}")
def test_a_network_that_does_not_see_its_batch_gives_the_same_in_pieces(spec):
    torch.manual_seed(0)
    network = build(spec, 24, 24).train()
    if sees_whole_batch(network):
        return
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.eval()
    side = 1 if spec.dimensionality == 1 and not spec.around else max(spec.around, 8 * spec.grid)
    x = torch.rand(5, side, side, 24)
    torch.testing.assert_close(in_pieces(network, x, 2), network(x), rtol=1e-4, atol=1e-4)


def test_batch_normalisation_refuses_a_size_and_is_never_divided_by_itself(image_pairs, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_SECONDS", 0)
    common = ("network.kind=unet", "network.depth=1", "training.batch=8", "data.patch=8")
    with pytest.raises(ValueError, match="batch normalisation"):
        trained(quick(*common, "training.micro_batch=2"), image_pairs, tmp_path / "given")
    assert trained(quick(*common, "training.epochs=1"), image_pairs, tmp_path / "auto").micro_batch == 0


def test_the_fastest_size_is_measured_once_and_said(image_pairs, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_SECONDS", 0)
    times = {0: 1.0, 4: 0.8, 2: 0.5, 1: 0.6}
    timed = []

    def seconds(network, shape, device, precision, size=0):
        timed.append(size)
        return times[size]

    monkeypatch.setattr(module, "step_seconds", seconds)
    settings = ("network.kind=rcan", "network.width=8", "training.epochs=1", "training.batch=8", "data.patch=8", "training.precision=fp32")
    first = trained(quick(*settings), image_pairs, tmp_path / "first")
    assert first.micro_batch == 2
    assert timed == [0, 4, 2, 1]
    assert any("computed 2 samples at a time" in note for note in first.data.notes)
    assert trained(quick(*settings), image_pairs, tmp_path / "second").micro_batch == 2
    assert timed == [0, 4, 2, 1]
