"""How networks are computed for a prediction: folded, packed, measured, remembered, and within the memory there is."""

from __future__ import annotations

import copy
import threading

import dask.array as da
import numpy as np
import pytest
import torch
from torch import nn

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, predict
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.classifier_networks import SpectralCNN
from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.experiment.networks import ResUNet, UNet
from napari_spectrai.learn.device import is_out_of_memory
from napari_spectrai.learn.inference import engine as engines
from napari_spectrai.learn.inference.engine import Engine, TooLargeError, Way
from napari_spectrai.learn.inference.overlap import MOST_BYTES, ReadingAhead, WritingBehind
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.learn.inference.subdivision import in_blocks
from napari_spectrai.learn.inference.walk import Walk
from napari_spectrai.networks import build
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.networks.inference import PackedConvolution, PackedJoin, for_inference
from napari_spectrai.runs import measured
from tests.test_networks import CASES, CLASSIFYING, WINDOWED

BANDS = 24
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CPU = torch.device("cpu")


def trained(spec: NetworkSpec, *, classes: bool = False) -> nn.Module:
    """Return a network whose weights and running statistics are as arbitrary as after a training."""
    torch.manual_seed(0)
    network = build(spec, BANDS, 3 if classes else BANDS, classes=classes).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, NORMS) and module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network


def model_of(spec: NetworkSpec) -> Model:
    experiment = Experiment().model_copy(update={"network": spec, "preparation": []})
    axis = SpectralAxis.bands(BANDS)
    return Model(trained(spec), ModelCard(name="model", experiment=experiment, axis=axis, truth_axis=axis, date="2026-01-01"), {})


def norms_of(network: nn.Module) -> int:
    return sum(isinstance(module, NORMS) for module in network.modules())


@pytest.mark.parametrize("classes", [False, True])
def test_every_network_computes_the_same_for_inference(classes):
    for spec in [*CLASSIFYING, *WINDOWED] if classes else CASES:
        if getattr(spec, "components", 0):
            continue
        network = trained(spec, classes=classes)
        before = copy.deepcopy(network.state_dict())
        batch = torch.rand(1, 8, 8, BANDS)
        with torch.inference_mode():
            plain = on_whole_images(network, batch)
            for packed in (True, False):
                fast = on_whole_images(for_inference(network, packed=packed), batch)
                torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))
        assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unets_fold_normalisations_activations_and_joins(dims, activation):
    network = trained(ResUNet(dims=dims, width=8, depth=2, activation=activation, ridge=False))
    changed = for_inference(network)
    assert norms_of(network) > 0 == norms_of(changed)
    packed = [module for module in changed.modules() if isinstance(module, PackedConvolution)]
    assert {module.attribute for module in packed} == {activation}
    joins = [module for module in changed.modules() if isinstance(module, PackedJoin)]
    assert [join.activation for join in joins] == ["relu" if activation == "relu" else None] * 2
    batch = torch.rand(2, 8, 12, BANDS)
    with torch.inference_mode():
        plain, fast = network(batch), changed(batch)
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))


def test_what_is_used_twice_watched_or_drawing_stays():
    shared = nn.Conv2d(3, 3, 1)
    twice = nn.Sequential(nn.Sequential(shared, nn.BatchNorm2d(3)), nn.Sequential(shared, nn.BatchNorm2d(3))).eval()
    assert for_inference(twice) is twice
    watched = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    watched[0].register_forward_hook(lambda *_: None)
    assert for_inference(watched) is watched
    drawing = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5), nn.BatchNorm2d(3)).eval()
    assert norms_of(for_inference(drawing)) == 0
    drawing[1].train()
    assert norms_of(for_inference(drawing)) == 1


def engine_of(model: Model, *, single: bool = True) -> Engine:
    return Engine(model, CPU, single=single, apply=on_whole_images)


@pytest.fixture
def eager(monkeypatch):
    """Measure however little there is to compute."""
    monkeypatch.setattr(measured, "WORTH", 0.0)


@pytest.mark.usefixtures("eager")
def test_ways_are_measured_once_and_remembered():
    model = model_of(UNet(dims=1, width=8, depth=1, ridge=False))
    first = engine_of(model)
    spectra = torch.rand(engines.TIMES * sum(way.batch for way in first.candidates) + 5, 1, 1, BANDS)
    with torch.inference_mode():
        plain = model.network(spectra)
    torch.testing.assert_close(first.outputs(spectra), plain, rtol=1e-5, atol=1e-5)
    assert first.chosen in first.candidates
    assert "fastest" in first.said[0]
    second = engine_of(model)
    second.outputs(spectra[:40])
    assert second.chosen == first.chosen
    assert second.said == []
    other = engine_of(model_of(UNet(dims=1, width=4, depth=1, ridge=False)))
    other.outputs(spectra[:40])
    assert other.chosen is None


def test_little_is_computed_as_it_is(monkeypatch):
    monkeypatch.setattr(measured, "WORTH", 0.1)
    model = model_of(UNet(dims=1, width=8, depth=1, ridge=False))
    with monkeypatch.context() as context:
        context.setattr(engines, "for_inference", lambda *_, **__: pytest.fail("a copy takes longer than it saves"))
        engine = engine_of(model)
        engine.outputs(torch.rand(10, 1, 1, BANDS))
        assert engine.chosen is None
        measured.keep(engine.key, {"way": {"batch": 64, "folded": True, "precision": "fp32"}, "saves": 1e-3})
        again = engine_of(model)
        again.outputs(torch.rand(10, 1, 1, BANDS))
        assert again.chosen == Way(64)
    again.outputs(torch.rand(100, 1, 1, BANDS))
    assert again._copies


@pytest.mark.usefixtures("eager")
def test_the_fastest_way_is_chosen(monkeypatch):
    engine = engine_of(model_of(UNet(dims=1, width=8, depth=1, ridge=False)))
    clock = iter(range(1000))
    monkeypatch.setattr(engines.time, "perf_counter", lambda: next(clock))  # each step takes as long: the largest batch is fastest
    engine.outputs(torch.rand(engines.TIMES * sum(way.batch for way in engine.candidates), 1, 1, BANDS))
    assert engine.chosen == Way(max(engines.BATCHES))


def test_a_damaged_cache_is_measured_again():
    measured.keep("a", {"batch": 3})
    assert measured.recalled("a") == {"batch": 3}
    measured._file().write_text("{")
    assert measured.recalled("a") is None
    measured.keep("b", 1)
    assert measured.recalled("b") == 1


def test_a_variable_fixes_how_predictions_are_computed(monkeypatch):
    model = model_of(UNet(dims=1, width=8, depth=1, ridge=False))
    monkeypatch.setenv(engines.VARIABLE, "batch=7 folded=false")
    engine = engine_of(model)
    engine.outputs(torch.rand(20, 1, 1, BANDS))
    assert engine.chosen == Way(7, folded=False)
    assert "7 spectra at once" in engine.said[0]
    for wrong in ("batch=0", "speed=9", "precision=fp8", "folded"):
        monkeypatch.setenv(engines.VARIABLE, wrong)
        with pytest.raises(ValueError, match="batch=64 folded=false precision=fp32"):
            engine_of(model)


@pytest.mark.usefixtures("eager")
def test_bfloat16_is_used_only_within_the_tolerance(monkeypatch):
    monkeypatch.setattr(engines, "is_fast_at_bf16", lambda _: True)
    model = model_of(SpectralCNN(width=8, stages=2))
    spectra = torch.rand(600, 1, 1, BANDS)
    with torch.inference_mode():
        plain = model.network(spectra)
    monkeypatch.setattr(engines, "TOLERANCE", 0.0)
    strict = engine_of(model)
    torch.testing.assert_close(strict.outputs(spectra), plain, rtol=1e-4, atol=1e-5)
    assert strict.chosen is not None
    assert strict.chosen.precision == "fp32"
    monkeypatch.setattr(engines, "TOLERANCE", 0.5)
    monkeypatch.setattr(engines, "ways", lambda *_, **__: [Way(8), Way(8, precision="bf16")])
    clock = iter([0, 9, 9, 18, 20, 21, 21, 22, *range(23, 1000, 5)])
    monkeypatch.setattr(engines.time, "perf_counter", lambda: next(clock))
    loose = engine_of(model)
    outputs = loose.outputs(spectra)
    assert loose.chosen == Way(8, precision="bf16")
    assert float((outputs - plain).square().mean().sqrt()) < 0.05 * float(plain.std())
    clock = iter([0, 9, 9, 18, 20, 27, 27, 34, *range(35, 1000, 5)])  # 7 s instead of 9 s are not worth it
    monkeypatch.setattr(measured, "recalled", lambda _: None)
    exact = engine_of(model)
    exact.outputs(spectra)
    assert exact.chosen == Way(8)


class Hungry(nn.Module):
    """The identity, which has memory for so many values at once."""

    def __init__(self, most: int, error: type[Exception] = RuntimeError) -> None:
        super().__init__()
        self.most, self.error, self.seen = most, error, list[tuple[int, ...]]()

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(batch.shape))
        if batch[..., 0].numel() > self.most:
            raise self.error("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return batch


def hungry(most: int, spec: NetworkSpec, error: type[Exception] = RuntimeError) -> Model:
    found = model_of(spec)
    return Model(Hungry(most, error), found.description, {})


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
def test_a_batch_that_does_not_fit_is_halved(error):
    cube = Cube(np.random.default_rng(0).random((100, BANDS), np.float32), SpectralAxis.bands(BANDS))
    prediction = predict(hungry(5, UNet(dims=1, width=8, depth=1, ridge=False), error), cube)
    np.testing.assert_array_equal(prediction.result.numpy(), cube.numpy())
    assert any("smaller batches" in line for line in prediction.found)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_a_tile_that_does_not_fit_is_halved(error):
    cube = Cube(np.random.default_rng(0).random((60, 50, BANDS), np.float32), SpectralAxis.bands(BANDS))
    spec = UNet(dims=2, width=8, depth=1, convolutions=1, ridge=False)
    model = hungry(2000, spec, error)
    prediction = predict(model, cube)
    np.testing.assert_allclose(prediction.result.numpy(), cube.numpy(), rtol=1e-6)
    assert any("blocks of" in line for line in prediction.found)
    with pytest.raises(MemoryError, match=r"tile of 60 pixels does not fit into the memory of cpu; choose tile=30"):
        predict(model, cube, tile=64)
    with pytest.raises(MemoryError, match="do not fit into the memory of cpu"):
        predict(hungry(3, spec, error), cube)


def test_a_batch_that_was_fixed_is_kept(monkeypatch):
    monkeypatch.setenv(engines.VARIABLE, "batch=32")
    engine = engine_of(hungry(10, UNet(dims=1, width=8, depth=1, ridge=False)))
    with pytest.raises(TooLargeError, match="choose batch=16"):
        engine.outputs(torch.rand(40, 1, 1, BANDS))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert is_out_of_memory(RuntimeError("CUDA out of memory"))
    engine = engine_of(model_of(UNet(dims=1, width=8, depth=1, ridge=False)))
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        engine.outputs(torch.rand(3, 1, 1, BANDS)[..., None])


@pytest.mark.parametrize("spec", [UNet(dims=2, width=4, depth=1, ridge=False), ResUNet(dims=2, width=4, depth=2, convolutions=1)])
def test_blocks_give_what_the_tile_gives(spec):
    model = model_of(spec)
    batch = torch.rand(1, 80, 64, BANDS)
    window = SlidingWindow([model], CPU, None)
    with torch.inference_mode():
        whole = model.network(batch)
        parts = in_blocks(model.network, batch, 4 * window.grid, context=window.context, grid=window.grid, times=1)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_the_next_block_is_loaded_while_one_is_computed():
    loaded = {number: threading.Event() for number in range(3)}

    def load(number):
        loaded[number].set()
        return number

    ahead = ReadingAhead(load)
    for number in range(3):
        assert ahead.take(number, then=number + 1 if number < 2 else None) == number
        assert number == 2 or loaded[number + 1].wait(600)  # before anyone asks for it
    assert ahead.take(0) == 0  # what was not expected is loaded when it is needed
    ahead.take(1, then="nothing of this name")
    with pytest.raises(KeyError):
        ahead.take("nothing of this name")
    ahead.close()


def test_blocks_are_written_in_order_behind_and_an_error_is_raised():
    written, gate = [], threading.Event()
    behind = WritingBehind()
    behind.put(1, 0, lambda: (gate.wait(600), written.append(1)))
    behind.put(2, 0, lambda: written.append(2))  # does not wait for the first
    assert (written, behind.written()) == ([], [])
    gate.set()
    behind.put(3, MOST_BYTES + 1, lambda: written.append(3))  # waits, since it would hold too much
    assert (written, behind.written()) == ([1, 2, 3], [1, 2, 3])
    behind.put(4, 0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        behind.flush()
    behind.close()


@pytest.mark.parametrize("spec", [UNet(dims=1, width=8, depth=1, ridge=False), UNet(dims=2, width=4, depth=1, ridge=False)])
def test_errors_in_reading_and_writing_end_a_prediction(spec, monkeypatch):
    source = da.random.default_rng(0).random((300, 300, BANDS), chunks=(64, 64, -1)).astype(np.float32)

    def torn(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 3:
            raise OSError("this chunk is damaged")
        return block

    cube = Cube(source.map_blocks(torn, dtype=np.float32), SpectralAxis.bands(BANDS))
    with pytest.raises(OSError, match="this chunk is damaged"):
        predict(model_of(spec), cube, tile=64)
    monkeypatch.setattr(Walk, "_put", lambda *_: (_ for _ in ()).throw(OSError("no space is left")))
    with pytest.raises(OSError, match="no space is left"):
        predict(model_of(spec), Cube(source, cube.axis), tile=64)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("reading-ahead", "writing-behind"))]
