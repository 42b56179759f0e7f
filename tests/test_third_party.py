"""A distribution of a third party, found by its entry points in a new process: a network, tasks of both kinds, and broken entries."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from napari_spectrai import Cube, Model, SpectralAxis, write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels

SETTINGS = '''
from typing import ClassVar, Literal
from pydantic import Field
from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.experiment.tasks import Denoising, TaskSpec

class Theirs(NetworkSpec):
    """A convolution."""

    title: ClassVar = "Theirs"
    kind: Literal["theirs"] = "theirs"
    implementation: ClassVar = "their_package.nets:Theirs"
    tasks: ClassVar = frozenset({"denoising", "segmentation", "deblurring", "tissue"})
    dimensions: ClassVar = (2,)
    width: int = Field(8, ge=4, le=512, description="channels")

    @property
    def context(self) -> int:
        return 1

class Deblurring(TaskSpec):
    """Sharpen spectra, trained on pairs."""

    title: ClassVar = "Deblurring"
    kind: Literal["deblurring"] = "deblurring"
    implementation: ClassVar = "their_package.tasks:Deblurring"
    metrics: ClassVar = ("mse", "sam")
    network: ClassVar = "theirs"
    baselines: ClassVar = ("raw", "ridge")

class Tissue(TaskSpec):
    """Predict the tissue of each pixel."""

    title: ClassVar = "Tissue"
    kind: Literal["tissue"] = "tissue"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Classes"
    truth: ClassVar = "labels"
    metrics: ClassVar = ("average_accuracy", "kappa")
    network: ClassVar = "theirs"
    loss: ClassVar = "cross_entropy"
    baselines: ClassVar = ("logistic_regression",)
    unlabelled: int | None = Field(0, description="label value without a class")
'''
NETS = """
import torch
from torch import nn

class Theirs(nn.Module):
    def __init__(self, spec, in_bands, out_channels):
        super().__init__()
        self.inner = nn.Conv2d(in_bands, spec.width, 3, padding=1)
        self.last = nn.Linear(spec.width, out_channels)

    def forward(self, batch):
        return self.last(torch.relu(self.inner(batch.permute(0, 3, 1, 2))).permute(0, 2, 3, 1))
"""
TASKS = """
from napari_spectrai.learn.train.tasks import Restoration

class Deblurring(Restoration):
    pass
"""
ENTRIES = """[napari_spectrai.networks]
theirs = their_package.settings:Theirs
lost = a_package_that_is_missing.settings:Lost
broken = their_package.broken:Broken

[napari_spectrai.tasks]
deblurring = their_package.settings:Deblurring
tissue = their_package.settings:Tissue
"""
TRAIN = """
import json, sys, warnings
import numpy as np
from napari_spectrai import Experiment, Model, predict, read, train
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.io.labels import read_labels
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    kinds = list(networks)
cube = read("in.npz")
settings = ["network=theirs", "data.patch=8", "data.samples=8", "training.epochs=2", "training.batch=4", "training.device=cpu",
            "split.validation=0.3", "split.block=8", "split.gap=0", "preparation=[]"]
found = {"kinds": kinds, "warnings": [str(one.message) for one in caught]}
for task in sys.argv[1:]:
    truth = read_labels("labels.npz") if task in ("segmentation", "tissue") else read("out.npz")
    model = train(Experiment.default(task, cube, truth).override(*settings), cube, truth, run=task)
    saved = Model.load(f"{task}/best.safetensors")
    results = [predict(one, cube, tile=tile).result for one in (model, saved) for tile in (8, 64)]
    first, *others = (np.asarray(getattr(result, "data", result), dtype=float) for result in results)
    assert np.isfinite(first).all()
    found[task] = {"difference": max(float(abs(first - one).max()) for one in others), "rows": sorted(model.evaluate(cube, truth).rows)}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the distribution, spectra, truth and labels."""
    folder = tmp_path_factory.mktemp("third party")
    package, info = folder / "their_package", folder / "their_package-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    for name, code in (("__init__", ""), ("settings", SETTINGS), ("nets", NETS), ("tasks", TASKS), ("broken", "1 / 0")):
        (package / f"{name}.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    rng = np.random.default_rng(0)
    kinds = np.repeat([1, 2], 12)[None].repeat(24, 0)
    clean = (np.eye(3, 12)[kinds] + 0.2).astype(np.float32)
    axis = SpectralAxis(np.linspace(400, 700, 12), "nm")
    write(Cube(clean, axis), folder / "out.npz")
    write(Cube(clean + rng.normal(0, 0.1, clean.shape).astype(np.float32), axis), folder / "in.npz")
    write_labels(Labels(kinds, {1: "fat", 2: "bone"}), folder / "labels.npz")
    return folder


def run(place, *arguments):
    environment = os.environ | {"PYTHONPATH": str(place), "NAPARI_SPECTRAI_RUNS": str(place / "runs")}
    return subprocess.run([sys.executable, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False)


TASKS_OF_BOTH = ["denoising", "segmentation", "deblurring", "tissue"]


@pytest.fixture(scope="module")
def found(place):
    """What a process in which their package is installed has found."""
    done = run(place, "-c", TRAIN, *TASKS_OF_BOTH)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_entries_that_are_broken_are_named_and_disable_nothing_else(found):
    assert {"theirs", "unet", "ridge"} <= set(found["kinds"])
    for name, why in (("lost", "No module named 'a_package_that_is_missing'"), ("broken", "ZeroDivisionError")):
        (warning,) = (text for text in found["warnings"] if f"network '{name}'" in text)
        assert "their-package" in warning
        assert why in warning


@pytest.mark.parametrize("task", TASKS_OF_BOTH)
def test_a_network_and_tasks_of_another_distribution_train_predict_and_evaluate(task, found, place):
    assert found[task]["difference"] < 1e-4
    assert len(found[task]["rows"]) > 1
    missing = r"best\.safetensors: the model uses the (network 'theirs'|task '(deblurring|tissue)'), which no installed package defines"
    with pytest.raises(ValueError, match=missing):  # here, where their package is not installed
        Model.load(place / task / "best.safetensors")
