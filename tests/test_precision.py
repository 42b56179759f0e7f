"""The precision of a training: measured where the hardware has a choice, remembered, said, and kept when the run is resumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spectrai import Experiment, Model, fit, predict, train
from napari_spectrai.learn.train import precision
from napari_spectrai.networks import build
from napari_spectrai.runs import Epoch, RunFolder, Started

CPU = torch.device("cpu")
SHAPE = (4, 1, 1, 24)


@pytest.fixture
def experiment():
    return Experiment().override("network=unet", "network.width=8", "network.depth=1", "network.dropout=0.1", "training.epochs=3")


@pytest.fixture
def capable(monkeypatch):
    """Let the processor have bfloat16, and return the seconds that a step is to take in each precision."""
    monkeypatch.setattr("napari_spectrai.learn.device.is_fast_at_bf16", lambda _: True)
    took = {"fp32": 1.0, "bf16": 2.0}
    monkeypatch.setattr(precision, "step_seconds", lambda *arguments: took[arguments[-1]])
    return took


def test_the_faster_precision_is_chosen_said_and_remembered(experiment, capable):
    network = build(experiment.network, 24, 24)
    chosen, notes = precision.training_precision(experiment, network, SHAPE, CPU)
    assert chosen == "fp32"
    assert "against 2 s in bf16" in notes[0]
    capable["fp32"] = 9.0
    assert precision.training_precision(experiment, network, SHAPE, CPU)[0] == "fp32"  # not measured again
    assert precision.training_precision(experiment, network, (8, *SHAPE[1:]), CPU)[0] == "bf16"
    capable["bf16"] = 8.0
    assert precision.training_precision(experiment, network, (9, *SHAPE[1:]), CPU)[0] == "fp32"  # hardly slower, and exact
    fixed = experiment.override("training.precision=fp32")
    assert precision.training_precision(fixed, network, (8, *SHAPE[1:]), CPU) == ("fp32", [])


def test_without_a_choice_nothing_is_measured(experiment, monkeypatch):
    monkeypatch.setattr("napari_spectrai.learn.device.is_fast_at_bf16", lambda _: False)
    monkeypatch.setattr(precision, "step_seconds", lambda *_: pytest.fail("there is one precision"))
    assert precision.training_precision(experiment, build(experiment.network, 24, 24), SHAPE, CPU) == ("fp32", [])


def test_timing_changes_neither_the_network_nor_the_random_state(experiment):
    network = build(experiment.network, 24, 24)
    before, state = {name: tensor.clone() for name, tensor in network.state_dict().items()}, torch.get_rng_state()
    for name in ("fp32", "bf16"):
        assert precision.step_seconds(network, SHAPE, CPU, name) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_resumed_run_keeps_its_precision(experiment, capable, pairs, tmp_path):
    events = fit(experiment.override("training.batch=16"), *pairs, run=tmp_path / "run")
    for event in events:
        if isinstance(event, Epoch):
            break
    events.close()
    capable |= {"fp32": 3.0, "bf16": 1.0}
    (tmp_path / "cache" / "measured.json").unlink()
    list(fit(run=tmp_path / "run", resume=True))
    began = [event for event in RunFolder(tmp_path / "run").events() if isinstance(event, Started)]
    assert [event.precision for event in began] == ["fp32", "fp32"]
    assert "Precision fp32" in " ".join(began[0].notes)


@pytest.mark.parametrize("given", ["fp32", "bf16"])
def test_a_model_predicts_the_same_before_and_after_it_was_saved(experiment, pairs, tmp_path, given):
    model = train(experiment.override(f"training.precision={given}"), *pairs, run=tmp_path / "run")
    saved = Model.load(tmp_path / "run" / "best.safetensors")
    np.testing.assert_array_equal(*(predict(one, pairs[0], device="cpu").result.numpy() for one in (model, saved)))
