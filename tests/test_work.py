"""Work is counted, not timed: networks on a device that is not the CPU, and how often data are read."""

from __future__ import annotations

import subprocess
import sys
import zlib
from contextlib import nullcontext
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_spectrai import Cube, Experiment, SpectralAxis, predict
from napari_spectrai.experiment.classifier_networks import SpectralMLP
from napari_spectrai.experiment.networks import UNet
from napari_spectrai.experiment.training import optimisers
from napari_spectrai.io import matlab_tags
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.learn.inference.tiles import tiles
from napari_spectrai.learn.train.optimisation import Optimisation
from napari_spectrai.learn.train.optimisers import optimiser
from napari_spectrai.learn.train.tasks import TrainingPair
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.networks import build
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.networks.inference import for_inference
from napari_spectrai.runs import RunFolder
from tests.test_inference import model_of
from tests.test_networks import CASES, CLASSIFYING, POOLING, WINDOWED

META = torch.device("meta")
"""A device without values: an operation that needs one, or that meets a tensor of the CPU, raises an error, as it would wait on a GPU."""
WAIT = ("eigenimage_cnn",)
"""Networks of which a part is computed on the CPU: the eigenimages of each image, by numpy."""
BANDS = 24


def batch_of(spec, samples):
    side = 1 if spec.dimensionality == 1 and not spec.around else max(spec.around, 8 * spec.grid)
    return torch.empty(samples, side, side, BANDS, device=META)


class OnMeta:
    """What the optimisation uses of Accelerate, without a transfer."""

    device = torch.device("cpu")  # of the random generator alone
    scaler = None

    def prepare(self, network, optimiser, device_placement):
        def step():
            optimiser.step()  # looked up when it is called: schedules count the calls

        return network, SimpleNamespace(optimizer=optimiser, zero_grad=optimiser.zero_grad, step=step)

    def autocast(self):
        return nullcontext()

    def backward(self, loss):
        loss.backward()


@pytest.fixture(autouse=True)
def no_autocast_on_meta(monkeypatch):
    """Let networks leave autocast where the device has none."""
    plain = torch.autocast
    monkeypatch.setattr(torch, "autocast", lambda kind, *more, **named: nullcontext() if kind == "meta" else plain(kind, *more, **named))


ONE_OF_EACH = list({(spec.kind, spec.dimensionality): spec for spec in [*CASES, *CLASSIFYING, *POOLING, *WINDOWED]}.values())


@pytest.mark.parametrize("spec", ONE_OF_EACH, ids=lambda spec: f"{spec.kind}-{spec.dimensionality}")
def test_a_step_of_training_and_one_of_prediction_wait_for_nothing(spec):
    classes = spec in CLASSIFYING or spec in POOLING or spec in WINDOWED
    with META:
        network = build(spec, BANDS, 3 if classes else BANDS, classes=classes, **{"ridge": False} if classes else {})
    experiment = Experiment().model_copy(update={"network": spec, "augmentation": []})
    optimisation = Optimisation(experiment, network, OnMeta(), 10, [], labels=False)
    optimisation.train_mode()

    def step():
        pair = TrainingPair(batch_of(spec, 4), torch.empty(()))
        return optimisation.step(pair, lambda output, pair: output.square().mean(), lambda some, x: some(x))

    if spec.kind in WAIT:
        with pytest.raises(NotImplementedError, match="no data"):
            step()
        return
    assert step().device == META
    network = for_inference(network.eval())
    with torch.inference_mode():
        assert on_whole_images(network, batch_of(spec, 2)).device == META


@pytest.mark.parametrize("kind", sorted(optimisers))
def test_optimisers_wait_for_nothing(kind):
    experiment = Experiment().override(f"training.optimiser={kind}")
    network = build(SpectralMLP(width=8), BANDS, 3, classes=True).to(META)
    optimisation = Optimisation(experiment, network, OnMeta(), 10, [], labels=True)
    pair = TrainingPair(torch.empty(4, 1, 1, BANDS, device=META), torch.empty(()))
    for _ in range(2):
        assert optimisation.step(pair, lambda output, pair: output.square().mean(), lambda some, x: some(x)).device == META


class Waits(TorchDispatchMode):
    """Counts operations that a GPU would have to finish for: their result is a value, or a shape that depends on values."""

    OPERATIONS = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "equal", "unique")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        name = operation.__name__.split(".")[0]
        if name in self.OPERATIONS:
            self.found.append(name)
        return operation(*arguments, **(keywords or {}))


@pytest.mark.parametrize(
    "settings",
    [
        (
            "network=unet",
            "network.dims=2",
            "network.width=8",
            "network.depth=1",
            "data.patch=8",
            "augmentation=[flip, noise, mixup, rotate]",
        ),
        ("training.optimiser=sgd", "task.learns_from=recorrupted"),
    ],
)
def test_a_step_of_whole_training_waits_for_nothing(image_pairs, quick, tmp_path, settings):
    experiment = quick(*settings)
    truths = [image_pairs[1]] if experiment.task.needs_truth else []
    data = assemble(experiment, [image_pairs[0]], truths)
    training = Trainer(experiment, data, RunFolder.create(experiment, tmp_path / "run"), shown=False)
    batches = training.batches.of_epoch(0, 0, data, training.device)
    training.optimisation.train_mode()
    first = next(batches)
    training.learn(*first)
    with Waits() as waits:
        training.learn(*first)
    assert waits.found == []


class Counted:
    """An array that counts how many of its values are read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.ndim, self.read = values, values.shape, values.dtype, values.ndim, 0

    def __getitem__(self, place):
        found = self.values[place]
        self.read += found.size
        return found


@pytest.mark.parametrize("dims", [1, 2])
def test_a_prediction_reads_each_tile_once(dims):
    model = model_of(UNet(dims=dims, width=4, depth=1, ridge=False))
    counted = Counted(np.random.default_rng(0).random((150, 170, BANDS), np.float32))
    cube = Cube(da.from_array(counted, chunks=(10, 10, BANDS), meta=np.empty((0, 0, 0), np.float32)), SpectralAxis.bands(BANDS))
    counted.read = 0
    predict(model, cube, tile=64)
    window = SlidingWindow([model], torch.device("cpu"), 64)
    planned = sum(
        (y.stop - y.start) * (x.stop - x.start) for row in tiles(150, 170, window.tile, window.overlap, window.grid) for y, x in row
    )
    first_look = counted.read - planned * BANDS
    assert 0 <= first_look <= 0.1 * counted.values.size  # what decides how it is computed, never a pass over the cube


WHOLE_TRAINING = """
import sys
import numpy as np
import torch
import yaml
from napari_spectrai import Cube, Experiment, SpectralAxis, train
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.learn.weights import _Empty
from napari_spectrai.networks import build
values = np.random.default_rng(0).random((6, 6, 24), dtype=np.float32)
cube = Cube(values, SpectralAxis(np.linspace(400, 700, 24), "nm"))
truth = Cube(values.round(1), cube.axis)
train(Experiment.default("denoising", cube, truth).override("training.epochs=1"), cube, truth, run=sys.argv[1])
for settings in ("{kind: unet, components: 4}", "automatic", "resnet", "densenet", "efficientnet", "ssftt"):
    spec = networks.parse(yaml.safe_load(settings))
    with torch.device("meta"), _Empty():  # as a model's file is checked
        (spec.load() if spec.classical else build)(spec, 24, 3, classes=True)
print(*(name for name in ("torch._dynamo", "torch._inductor", "torch.onnx", "sympy") if name in sys.modules))
"""


def test_a_training_or_a_check_of_a_file_does_not_import_the_compiler_of_torch(tmp_path):
    """It takes longer to import than a small training takes."""
    done = subprocess.run([sys.executable, "-c", WHOLE_TRAINING, str(tmp_path / "run")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_a_command_does_not_search_for_garbage_as_it_ends():
    """With torch loaded, that took a second of each job."""
    program = """
from napari_spectrai.cli import main

class Tells:
    def __del__(self):
        print("searched")

tells = Tells()
tells.itself = tells
main(lambda: print("done"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"


@pytest.mark.parametrize("kind", sorted(optimisers))
def test_an_optimiser_computes_what_that_of_torch_does(kind):
    spec = optimisers[kind]()
    settings = spec.model_dump(exclude={"kind"})

    def after_three_steps(make):
        weights = torch.nn.Parameter(torch.linspace(-1, 1, 5))
        made = make([weights])
        for _ in range(3):
            made.zero_grad()
            (weights**3).sum().backward()
            made.step()
        return weights.detach(), made.state_dict()

    weights, state = after_three_steps(lambda some: optimiser(spec.load(), some, torch.device("cpu"), **settings))
    fused = {"fused": True} if kind in ("adam", "adamw", "sgd") else {}
    torch.testing.assert_close((weights, state), after_three_steps(lambda some: spec.load()(some, **fused, **settings)), rtol=0, atol=0)
    plain, _ = after_three_steps(lambda some: spec.load()(some, **settings))
    torch.testing.assert_close(weights, plain, rtol=1e-6, atol=1e-7)


def test_only_the_beginning_of_a_compressed_variable_is_copied_for_its_tags():
    """What is copied in one piece holds up the window, however large the file is."""

    class Counted(bytes):
        taken = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            Counted.taken += len(found)
            return found

    plain = np.random.default_rng(0).bytes(2**21)
    packed = Counted(zlib.compress(plain))
    assert matlab_tags._beginning(packed, 0, len(packed)) == plain[: 2**16]
    assert Counted.taken <= 2**17
    short = zlib.compress(plain[:100])
    assert matlab_tags._beginning(short, 0, len(short)) == plain[:100]
