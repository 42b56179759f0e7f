"""The eight published documents of spectrai, on data of their own sizes; and what their warning says, against what is built."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.io import savemat
from torch import nn

from napari_spectrai import Experiment, Model, fit, predict
from napari_spectrai.experiment.legacy.spectrai import translated as plain_of
from napari_spectrai.experiment.legacy.spectrai_keys import KEYS
from napari_spectrai.io import SpectralWarning
from napari_spectrai.learn.train.augment import Chain
from napari_spectrai.networks import build
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.size import extent
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import Finished, Started


def from_spectrai(old, path):
    """Return the experiment of a document of spectrai, and the changes."""
    taken, changes = plain_of(old, path)
    return Experiment.from_mapping(taken, str(path)), changes


DOCUMENTS = {path.stem: path for path in sorted((Path(__file__).parent / "data" / "spectrai").glob("*.yml"))}
SIZES = {1: (75, 70), 2: (59, 70), 3: (55, 60)}
"""Rows and columns of the published masks."""


def translated(name, **changes):
    """Return the experiment of a published document with some keys changed, and all that its warning says."""
    document = yaml.safe_load(DOCUMENTS[name].read_text())
    for key, value in changes.items():
        document[next(section for section, keys in KEYS.items() if key in keys)][key] = value
    experiment, told = from_spectrai(document, DOCUMENTS[name])
    return experiment, "\n".join(told)


def made(experiment, *, classes=2, bands=None):
    """Return the network of a translated document, without memory for its weights, and the bands that it sees."""
    bands = bands or int(experiment.preparation[0].high) + 1 - int(experiment.preparation[0].low)
    several = experiment.task.truth == "labels"
    with torch.device("meta"):
        network = build(
            experiment.network, bands, classes if several else bands, ridge=False, classes=several, enlarges=experiment.task.enlarges
        )
    return network, bands


def shapes(network):
    """Return how many weights of each shape there are; the kernel of a 1-D network, which computes in two, with one dimension."""
    flat = getattr(network, "dims", 0) == 1
    return Counter((*p.shape[:2], p.shape[3]) if flat and p.ndim == 4 else tuple(p.shape) for p in network.parameters())


# ---------------------------------------------------------------- one epoch each, on data of true size


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"data": values.astype(np.float32)})


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Data of the published sizes where the documents look for them; the images with fewer bands, and few labelled pixels."""
    root, rng = tmp_path_factory.mktemp("spectrai"), np.random.default_rng(0)
    data = root / "data"
    (data / "test_masks").mkdir(parents=True)
    bands = np.arange(112)
    peaks = np.stack([np.exp(-0.5 * ((bands - centre) / 4) ** 2) for centre in (5, 9, 104, 108)])
    for number, (height, width) in SIZES.items():
        classes = np.repeat(np.arange(3), math.ceil(height * width / 3))[: height * width].reshape(height, width)
        mask = np.where(rng.random(classes.shape) < 0.05, np.array([1, 2, 5])[classes], 0).astype(np.uint8)
        Image.fromarray(mask).save(data / "test_masks" / f"mask_{number}.png")
        for kind, more in (("cell", peaks[3]), ("tissue", peaks[2])):
            image = peaks[classes] + more + rng.normal(0, 0.05, (*classes.shape, len(bands)))
            save(data / "test_images" / f"{kind}s" / f"{kind}_{number}.mat", image)
    clean = rng.random((70, 1)) * np.exp(-0.5 * ((np.arange(500) - rng.integers(50, 450, (70, 1))) / 12) ** 2)
    save(data / "test_input_spectra" / "input_spectra.mat", clean + rng.normal(0, 0.05, clean.shape))
    save(data / "test_target_spectra" / "target_spectra.mat", clean)
    for number, spectrum in enumerate(clean[:40]):
        save(data / "test_classification_spectra" / f"class_{number % 2 + 1}" / f"{number}.mat", spectrum[None])
    for name, path in DOCUMENTS.items():
        copy = root / "spectrai" / "configs" / f"{name}.yml"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    return root


STEPS = {
    "image_classification": 2, "image_classification3D": 2, "image_segmentation": 1, "image_segmentation3D": 1, "image_superresolution": 1,
    "spectral_calibration": 1, "spectral_classification": 1, "spectral_denoising": 1,
}  # fmt: skip
"""Those of an epoch: one patch from each image that is not held out for validation, every spectrum once."""


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_published_document_trains_an_epoch_on_data_of_its_size(name, repository, tmp_path):
    with pytest.warns(SpectralWarning):
        experiment = Experiment.load(repository / "spectrai" / "configs" / f"{name}.yml")
    experiment = experiment.override("network.width=8", "training.device=cpu")
    if name == "image_segmentation3D":
        experiment = experiment.override("preparation.0.high=15")
    if name == "image_superresolution":
        experiment = experiment.override("network.groups=2", "network.blocks=2")
    cubes, truths = gather(experiment, None, None)
    if name.startswith("image"):
        assert {cube.spatial_shape for cube in cubes} == set(SIZES.values())
        assert len(cubes) == (6 if "classification" in name else 3)
    assert extent(experiment, cubes, truths, divide(experiment, cubes, truths)).steps == STEPS[name]
    events = list(fit(experiment, run=tmp_path / "run"))
    started = next(event for event in events if isinstance(event, Started))
    assert started.validation > 0
    assert isinstance(events[-1], Finished)
    assert all(np.isfinite(value) for value in events[-1].scores["validation"]["network"].values())
    result = predict(Model.load(tmp_path / "run" / "best.safetensors"), cubes[-1]).result
    if "classification" not in name:
        times = experiment.task.enlarges
        assert result.shape[: len(cubes[-1].spatial_shape)] == tuple(times * side for side in cubes[-1].spatial_shape)


# ---------------------------------------------------------------- the networks, weight by weight


def levels(dims, *, residual, out):
    """Return the kernels that spectrai 0.1.4 applies: of its UNet (64, 128, 256, 256 channels) or ResUNet, in the order of the data."""
    found = []
    for inward, inside, outward in (
        (1, 64, 64), (64, 128, 128), (128, 256, 256), (256, 256, 256), (512, 256, 128), (256, 128, 64), (128, 64, 64),
    ):  # fmt: skip
        found += [(inside, inward), *[(inside, inside)] * (2 * residual), (outward, inside)]
    return [(*pair, *[3] * dims) for pair in [*found, (out, 64)]]


@pytest.mark.parametrize(
    ("name", "kernels", "more", "parameters"),
    [
        ("spectral_calibration", levels(1, residual=False, out=1), [(1,)], 1_427_906),
        ("spectral_denoising", levels(1, residual=True, out=1), [], 2_855_617),
        ("image_segmentation3D", levels(3, residual=False, out=1), [(5, 100), (5,)], 12_834_746),
    ],
)
def test_networks_that_are_the_originals(name, kernels, more, parameters):
    network, _ = made(translated(name)[0], classes=5)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert shapes(network) == Counter([*kernels, *((kernel[0],) for kernel in kernels), *more])


def test_networks_differ_from_the_published_ones_as_documented():
    experiment, told = translated("image_segmentation")
    network, bands = made(experiment, classes=5)
    kernels = levels(2, residual=False, out=5)[:-1]
    wanted = [(64, bands, 3, 3), *kernels[1:], (5, 64, 1, 1)]
    assert shapes(network) == Counter([*wanted, *((kernel[0],) for kernel in wanted)])
    assert "has 64 channels, up to 4 times as many at depth, independent of the bands" in told
    assert "repeats pixels in the decoder" in told
    experiment, told = translated("image_classification3D")
    network, _ = made(experiment)
    biases = 128 + 256 + 512
    assert sum(p.numel() for p in network.parameters()) == 33_161_026 + biases
    assert "ResNet's shortcuts that change the width have biases (they had none)" in told
    experiment, told = translated("image_superresolution")
    network, bands = made(experiment)
    of = network.inner
    assert (of.head.weight.shape[1], of.last.weight.shape[0], len(of.body) - 1, len(of.body[0].body) - 1) == (bands, bands, 18, 6)
    assert not any(isinstance(module, nn.Dropout2d) and module.p for module in network.modules())
    assert network.strength == 1
    assert "each block adds 0.3 of its output, not all, and the last layer starts at zero" in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"activation": "ReLU"}, "it was followed by ReLU, so that no value could be negative"),
        ({"activation": "LeakyReLU"}, "it was followed by LeakyReLU, which divided negative values by 100"),
        ({"activation": "PReLU"}, "it was followed by PReLU, which multiplied negative values by its trained slope"),
    ],
)
def test_networks_of_old_documents_give_values_below_zero(changes, said):
    experiment, told = translated("spectral_denoising", **changes)
    assert said in told
    torch.manual_seed(0)
    network = build(experiment.network, 40, 40, ridge=False)
    assert float(network(torch.randn(20, 1, 1, 40)).detach().min()) < 0
    slopes = [module for module in network.modules() if isinstance(module, nn.PReLU)]
    assert len(slopes) == (changes["activation"] == "PReLU")  # one for the whole network


def test_one_slope_of_a_network_is_saved_and_comes_back(make_spectra, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment, _ = translated("spectral_calibration", batch_size=8, spectral_shift=0.0)
    noisy, clean = make_spectra(40, 24)
    events = list(fit(experiment.override("network.width=8", "training.device=cpu"), noisy, clean, run=tmp_path / "run"))
    assert isinstance(events[-1], Finished)
    model = Model.load(tmp_path / "run" / "best.safetensors")
    slopes = {id(module.weight): float(module.weight.detach()) for module in model.network.modules() if isinstance(module, nn.PReLU)}
    assert len(slopes) == 1
    assert list(slopes.values()) != [0.25]


def test_mixup_mixes_as_documented():
    experiment, told = translated("spectral_denoising", spectral_shift=0.0)
    assert "draws a weight for every sample and blends inputs and targets" in told
    x = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 1, 3)
    mixed, targets = Chain(experiment.augmentation)(x, 10 * x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(targets, 10 * mixed)
    assert len(torch.unique((mixed - x)[:, 0, 0, 0])) > 2
    # a loss weighed against both targets is that of the blended one for cross entropy, not for absolute differences
    logits, one, other = torch.randn(4, 3), torch.eye(3)[[0, 1, 2, 0]], torch.eye(3)[[1, 1, 0, 2]]
    blended, both = (0.3 * one + 0.7 * other), [one, other]
    entropy = nn.functional.cross_entropy
    torch.testing.assert_close(entropy(logits, blended), sum(w * entropy(logits, y) for w, y in zip((0.3, 0.7), both, strict=True)))
    l1 = nn.functional.l1_loss
    assert float(l1(logits, blended)) != pytest.approx(float(sum(w * l1(logits, y) for w, y in zip((0.3, 0.7), both, strict=True))))
    assert (
        "for cross-entropy, this is the same" in told,
        "for cross-entropy, this is the same" in translated("image_segmentation")[1],
    ) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "spectral_denoising",
            {"normalization": "BatchNorm"},
            "normalises before each activation; it did so afterwards and after the last",
        ),
        ("image_segmentation", {"normalization": "BatchNorm"}, "UNet normalises before each activation; it did so afterwards\n"),
        ("image_segmentation", {"normalization": "InstanceNorm"}, "has a trained scale and offset per channel; it had none"),
        ("image_classification", {"normalization": "InstanceNorm"}, "InstanceNorm failed in ResNet"),
        ("image_classification", {"activation": "PReLU"}, "ResNet has one slope of PReLU per layer; it had one for all"),
        ("image_classification", {"normalization": "None"}, "the document requests none, which this ResNet does not support"),
        ("spectral_classification", {"network": "UNet"}, "it had one map for all classes, ReLU after it"),
        ("spectral_classification", {"network": "DenseNet", "normalization": "None"}, "it failed without"),
        ("image_segmentation3D", {"network": "SegNet"}, "outputs along the spectrum are averaged"),
        ("image_segmentation", {"background_subtraction": "Minimum Value Offset"}, "in images they were unchanged"),
        ("image_segmentation", {}, "smaller than a patch are padded by reflection at their far ends"),
        ("spectral_denoising", {"scheduler": "ReduceOnPlateau"}, "it used the loss"),
        ("spectral_denoising", {"epochs": 5}, "those of the last epoch but one were"),
        ("spectral_denoising", {}, "spectra of fewer than 500 bands stay unchanged"),
        ("spectral_denoising", {}, "lengths that are not multiples of 8 are padded by reflection for ResUNet"),
        ("image_superresolution", {}, "bicubic downsampling with antialiasing (there was none)"),
    ],
)
def test_differing_settings_are_reported(name, changes, said):
    assert said in translated(name, **changes)[1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_outdated_differences_are_not_reported(name):
    experiment, told = translated(name)
    for untrue in ("only the inputs were blended", "values below zero could not be", "about four times", "are refused", "8 times as many"):
        assert untrue not in told
    assert experiment.training.precision == "fp32"
    assert experiment.data.per_image == (1 if name.startswith("image") else None)
