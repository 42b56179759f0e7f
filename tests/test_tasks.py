"""Every task from data to a saved model and its result, small; and what stands against it in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, compare, evaluate, fit, predict, read, train, write
from napari_spectrai.cli import app
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.device import choose_precision
from napari_spectrai.learn.train.tasks import Classes, Restoration
from napari_spectrai.learn.train.validation import temperature, tempered
from napari_spectrai.runs import Confusion, Finished, Patch, Preview, Progress, RunFolder, Started
from napari_spectrai.spec import SettingsError

AXIS = SpectralAxis(np.linspace(400, 700, 16), "nm")


@pytest.fixture
def scene():
    """An image of 32 × 28 pixels in three classes (stripes), 16 bands, some pixels unlabelled; and its labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array([1, 2, 5]), [10, 9, 9])[None, :].repeat(32, 0)
    band = np.arange(16)
    peaks = {1: 3, 2: 8, 5: 12}
    pure = np.stack([np.exp(-0.5 * ((band - peaks[int(v)]) / 2) ** 2) for v in labels.ravel()]).reshape(32, 28, 16)
    cube = Cube((pure + rng.normal(0, 0.1, pure.shape)).astype(np.float32), AXIS, pixel_size=(2.0, 2.0), pixel_unit="um", name="scene")
    marked = labels.copy()
    marked[::7] = 0
    return cube, Labels(marked, {1: "fat", 2: "water", 5: "bone"}, {5: (1.0, 0.0, 0.0, 1.0)})


QUICK = ("training.epochs=3", "training.batch=8", "training.device=cpu", "training.precision=fp32")


def run(experiment, cubes, truths, folder):
    """Return the events, and the model as it comes back from its file."""
    events = []
    generator = fit(experiment, cubes, truths, run=folder)
    while True:
        try:
            events.append(next(generator))
        except StopIteration as end:
            end.value.save(folder / "model.safetensors")
            return events, Model.load(folder / "model.safetensors")


def started(events):
    """Return the event with the scores of the classical methods; stages may come before it."""
    return next(event for event in events if isinstance(event, Started))


def small(experiment, *more):
    """Return the experiment with a network small enough for a test."""
    return experiment.override(*QUICK, *more)


# ---------------------------------------------------------------- segmentation


SEGMENTING = {
    "unet-2d": ("network={kind: unet, dims: 2, width: 8, depth: 1, components: 6}", "data={patch: 8, samples: 16}", "augmentation=[flip]"),
    "unet-1d": ("network={kind: unet, dims: 1, width: 4, depth: 1}", "training.batch=32", "training.optimiser.lr=0.01"),
    "unet-3d": (
        "network=unet",
        "network.dims=3",
        "network.width=4",
        "network.depth=1",
        "data.patch=8",
        "data.samples=64",
        "training.optimiser.lr=0.01",
    ),
    "local_means_mlp": ("network=local_means_mlp", "network.components=6", "network.largest=5", "network.width=16", "training.epochs=30"),
    "spectral_cnn": ("network={kind: spectral_cnn, width: 8, stages: 2}", "training.batch=32", "training.optimiser.lr=0.01"),
}


def test_all_classical_methods_are_fitted_next_to_a_network(scene, tmp_path):
    cube, labels = scene
    events, model = run(small(Experiment.default("segmentation", cube, labels), *SEGMENTING["unet-2d"]), cube, labels, tmp_path / "run")
    assert {"logistic", "SVM", "forest", "SVM (means)"} <= started(events).baselines.keys()
    assert compare(model, cube, labels).rows["SVM"]["overall_accuracy"] > 0.9


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("network", SEGMENTING)
def test_segmentation_gives_labels_probabilities_and_names(scene, tmp_path, network):
    cube, labels = scene
    experiment = small(
        Experiment.default("segmentation", cube, labels),
        "training.epochs=12",
        *SEGMENTING[network],
        "split.block=6",
        "split.validation=0.2",
    )
    events, model = run(experiment, cube, labels, tmp_path / "run")
    assert started(events).baselines.keys() == {"logistic", "PCA-LDA"}
    confusion = [event for event in events if isinstance(event, Confusion)][-1]
    assert confusion.classes == ["fat", "water", "bone"]
    assert [(one.value, one.name) for one in model.card().classes] == [(1, "fat"), (2, "water"), (5, "bone")]
    assert model.card().classes[2].colour == (1.0, 0.0, 0.0, 1.0)
    prediction = predict(model, cube)
    assert prediction.result.shape == (32, 28)
    assert set(np.unique(prediction.result)) <= {1, 2, 5}
    np.testing.assert_allclose(prediction.probabilities.numpy().sum(-1), 1, atol=1e-4)
    assert prediction.labels.names == {1: "fat", 2: "water", 5: "bone"}
    report = compare(model, cube, labels)
    assert report.rows["network"]["overall_accuracy"] > 0.6
    assert report.rows["logistic"]["overall_accuracy"] > 0.9
    assert report.by_class["bone"]["support"] == int((labels.data == 5).sum())
    same = evaluate(prediction.result, labels, "segmentation")
    assert same.metrics["overall_accuracy"] == pytest.approx(report.rows["network"]["overall_accuracy"])


def test_labels_outside_the_part_are_hidden_where_patches_reach_there(scene):
    cube, labels = scene
    experiment = small(
        Experiment.default("segmentation", cube, labels),
        "network={kind: unet, dims: 2, width: 8, depth: 1}",
        "split.block=6",
        "data.patch=8",
    )
    data = assemble(experiment, [cube], [labels])
    for part, number in (("training", 1), ("validation", 2)):
        shown = torch.zeros(3, dtype=torch.long)
        for _, truth in data.batches(part, 1000, torch.device("cpu")):
            shown += truth.sum((0, 1, 2)).long()
        allowed = (data.maps[0][0] == number) & (labels.data > 0)
        if part == "validation":  # each held-out pixel once
            assert shown.tolist() == [int((allowed & (labels.data == value)).sum()) for value in (1, 2, 5)]
        x, truth = data.batch(data.parts[part], torch.device("cpu"))
        pixels = data.parts[part].pixels()
        assert not truth.sum(-1)[data.labels[pixels] != number].any()
        assert truth.sum(-1)[data.labels[pixels] == number].any()


@pytest.mark.usefixtures("few_rivals")
def test_a_few_strokes_are_enough_and_the_rest_is_unlabelled(scene, tmp_path):
    cube, labels = scene
    strokes = np.zeros_like(labels.data)
    strokes[4:7, 2:6], strokes[4:7, 13:16], strokes[20:24, 22:26] = 1, 2, 5
    strokes[14:17, 2:6], strokes[14:17, 13:16], strokes[10:13, 22:26] = 1, 2, 5
    experiment = small(
        Experiment.default("segmentation", cube, strokes), "split.method=stratified", "split.validation=0.3", "training.epochs=40",
        "network={kind: unet, dims: 2, width: 8, depth: 1, components: 6}", "data.patch=16", "data.samples=16",
    )  # fmt: skip
    model = train(experiment, cube, strokes, run=tmp_path / "run")
    result = predict(model, cube).result
    assert (result == labels.data)[labels.data > 0].mean() > 0.7


def test_labels_that_teach_nothing_are_refused_with_the_remedy(scene):
    cube, labels = scene
    experiment = Experiment.default("segmentation", cube, labels)

    def said(truth, *overrides):
        return " ".join(map(str, problems_with(experiment.override(*overrides), [cube], [truth])))

    assert "only class 1 (0 means unlabelled)" in said(Labels(np.ones((32, 28), int)))
    assert "no class" in said(Labels(np.zeros((32, 28), int)))
    assert "32 × 28 pixels and its labels 'cube' 5 × 5" in said(Labels(np.ones((5, 5), int)))
    rare = labels.data.copy()
    rare[rare == 5] = 0
    rare[31, 27] = 5
    with pytest.raises(ValueError, match=r"no training samples are left of class 5; set split\.method=stratified"):
        assemble(experiment.override("split.method=contiguous", "split.validation=0.2", "data.patch=8"), [cube], [Labels(rare)])


# ---------------------------------------------------------------- classification


@pytest.fixture
def spectra_of_classes(scene):
    cube, labels = scene
    chosen = labels.data > 0
    return Cube(cube.data[chosen], AXIS, name="spectra"), labels.data[chosen]


@pytest.mark.usefixtures("few_rivals")
def test_classification_of_spectra_counts_zero_as_a_class(spectra_of_classes, tmp_path):
    cube, values = spectra_of_classes
    names = ["cell" if value == 1 else "medium" for value in values]
    for truth, expected in ((names, {1, 2}), ((values == 1).astype(int), {0, 1})):
        experiment = small(
            Experiment.default("classification", cube, truth),
            "network=spectral_cnn",
            "network.width=8",
            "network.stages=2",
            "training.epochs=8",
            "training.batch=32",
            "training.optimiser.lr=0.01",
        )
        _, model = run(experiment, cube, truth, tmp_path / str(expected))
        prediction = predict(model, cube)
        assert prediction.result.shape == (cube.count,)
        assert set(np.unique(prediction.result)) == expected
        assert compare(model, cube, truth).rows["network"]["overall_accuracy"] > 0.9
    assert model.card().classes[0].value == 0


@pytest.mark.usefixtures("few_rivals")
def test_classification_of_images_in_folders_a_class(tmp_path):
    rng = np.random.default_rng(1)
    for name, level in (("dark", 0.2), ("bright", 0.8)):
        for number in range(5):
            image = (level + rng.normal(0, 0.05, (10, 9, 6))).astype(np.float32)
            write(Cube(image), tmp_path / "images" / name / f"{number}.npy")
    document = {
        "task": {"kind": "classification", "of": "spectra"}, "data": {"input": [str(tmp_path / "images")]},
        "network": {"kind": "spectral_cnn", "width": 8, "stages": 1}, "preparation": ["scale"], "split": {"validation": 0.2},
        "training": {"epochs": 2, "batch": 32, "device": "cpu"},
    }  # fmt: skip
    events, model = run(Experiment.from_mapping(document), None, None, tmp_path / "run")
    assert [one.name for one in model.card().classes] == ["bright", "dark"]
    assert (started(events).training, started(events).validation) == (8 * 90, 2 * 90)  # one image of each class is held out
    with pytest.raises(SettingsError, match="Spectral CNN classifies pixels; for images, choose another network; known: .*resnet"):
        list(fit(Experiment.from_mapping(document | {"task": {"kind": "classification", "of": "images"}}), run=tmp_path / "x"))
    images = document | {
        "task": {"kind": "classification", "of": "images"}, "network": {"kind": "resnet", "dims": 2, "width": 8},
        "data": document["data"] | {"patch": 9}, "training": {"epochs": 12, "batch": 4, "device": "cpu", "ema": 0.0},
    }  # fmt: skip
    with pytest.raises(SettingsError, match="would divide images"):
        list(fit(Experiment.from_mapping(images | {"split": {"method": "random"}}), run=tmp_path / "y"))
    events, model = run(Experiment.from_mapping(images), None, None, tmp_path / "whole")
    assert "PCA-LDA" in model.card().scores["validation"]  # of the images' mean spectra
    assert model.card().scores["validation"]["network"]["overall_accuracy"] == 1
    told = predict(model, read(tmp_path / "images" / "dark" / "0.npy"))
    assert (told.result.shape, told.labels.names[int(told.result[0])]) == ((1,), "dark")


@pytest.mark.usefixtures("few_rivals")
def test_classification_of_the_planes_of_a_stack(tmp_path):
    rng = np.random.default_rng(2)
    kinds = np.arange(12) % 2 + 1
    stack = Cube((rng.normal(0, 0.05, (12, 10, 9, 6)) + 0.3 * kinds[:, None, None, None]).astype(np.float32), name="stack")
    experiment = Experiment.default("classification", stack, kinds)
    assert experiment.task.of_images
    experiment = experiment.override(
        "network={kind: resnet, dims: 2, width: 8, components: 6}", "training.epochs=8", "training.batch=4", "training.device=cpu"
    )
    _, model = run(experiment, stack, kinds, tmp_path / "run")
    told = predict(model, stack)
    assert told.result.shape == (12,)
    assert told.probabilities.shape == (12, 2)
    report = compare(model, stack, kinds)
    assert np.sum(report.confusion) == 12
    assert "logistic" in report.rows
    mixed = kinds[:, None, None] + np.zeros((12, 10, 9), int)
    mixed[3, 0, 0] = 3 - mixed[3, 0, 0]
    with pytest.raises(SettingsError, match="stack 3.*has pixels of 2 classes"):
        list(fit(experiment, stack, mixed, run=tmp_path / "mixed"))


# ---------------------------------------------------------------- super-resolution


@pytest.fixture
def sharp():
    y, x = np.mgrid[:48, :40]
    pattern = np.sin(x / 2.5)[..., None] * np.linspace(1, 2, 8) + np.cos(y / 3)[..., None] * np.linspace(2, 1, 8) + 4
    return Cube(pattern.astype(np.float32), pixel_size=(3.0, 3.0), pixel_unit="um", name="sharp", metadata={"origin": (10.0, 20.0)})


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_super_resolution_begins_at_back_projection_and_keeps_the_place(sharp, tmp_path, factor):
    experiment = small(
        Experiment.default("super_resolution", sharp).override(f"task.factor={factor}", f"data.patch={16 // factor * factor}"),
        "network.width=8", "network.groups=1", "network.blocks=1", "network.components=4", "data.samples=8", "split.validation=0.3",
        "training.epochs=1", "training.optimiser.lr=1e-9", "split.gap=0",
    )  # fmt: skip
    events, model = run(experiment, sharp, None, tmp_path / "run")
    assert started(events).baselines.keys() == {"bicubic", "Lanczos", "back-projection"}
    result = predict(model, sharp[:12, :10]).result
    assert result.shape == (12 * factor, 10 * factor, 8)
    assert result.pixel_size == pytest.approx((3 / factor, 3 / factor))
    # the corner of the first pixel stays
    assert result.metadata["origin"][0] - result.pixel_size[0] / 2 == pytest.approx(10 - 1.5)
    report = compare(model, None, sharp)
    assert report.rows["network"]["mpsnr"] == pytest.approx(report.rows["back-projection"]["mpsnr"], abs=0.01)
    assert report.rows["back-projection"]["mpsnr"] > report.rows["bicubic"]["mpsnr"]


def test_several_factors_are_trained_and_one_is_validated():
    sharp = Cube(np.random.default_rng(0).random((80, 40, 4)).astype(np.float32))
    experiment = Experiment.default("super_resolution", sharp).override(
        "task.factor=2", "data.patch=32", "split.validation=0.3", "split.gap=0"
    )
    data = assemble(experiment, [sharp], [])
    task = experiment.task.load()(experiment, data)
    batch = data.batch(data.parts["training"][:2], torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    seen = {task.make_pair(*batch, generator, learning=True).times for _ in range(40)}
    assert seen == {2, 4, 8}
    posed = task.make_pair(*batch, generator, learning=True)
    assert posed.y.shape[1] == posed.x.shape[1] * posed.times <= 32
    judged = task.make_pair(*batch, generator)
    assert (judged.times, judged.x.shape[1], judged.y.shape[1]) == (None, 16, 32)


def test_super_resolution_is_learnt_from_coarse_and_sharp_pairs(sharp, tmp_path):
    coarse = sharp.with_data(sharp.data.reshape(24, 2, 20, 2, 8).mean((1, 3)), name="coarse")
    experiment = small(
        Experiment.default("super_resolution", coarse, sharp), "network.width=8", "network.groups=1", "network.blocks=1", "data.samples=8",
        "split.validation=0.3", "data.patch=12", "split.gap=0",
    )  # fmt: skip
    assert experiment.task.learns_from == "pairs"
    _, model = run(experiment, coarse, sharp, tmp_path / "run")
    assert predict(model, coarse).result.shape == sharp.shape
    data = assemble(experiment, [coarse], [sharp])
    x, y = data.batch(data.parts["training"], torch.device("cpu"))
    means = y.reshape(len(y), 6, 2, 6, 2, 8).mean((2, 4))
    torch.testing.assert_close(x, means, rtol=1e-4, atol=1e-4)  # patches of both show the same place


def test_what_cannot_be_enlarged_says_why(sharp):
    assert "cannot be reduced by 3; choose 39" in str(
        problems_with(Experiment.default("super_resolution", sharp).override("task.factor=3", "data.patch=40"), [sharp], [])[0]
    )
    with pytest.raises(ValueError, match="is a set of spectra"):
        Experiment.default("super_resolution", Cube(np.ones((5, 4))))


# ---------------------------------------------------------------- denoising without truth, calibration


def test_an_eigenimage_denoiser_fits_any_sensor(tmp_path):
    rng = np.random.default_rng(0)

    def scene(bands, size, noise):
        y, x = np.mgrid[:size, :size]
        clean = np.sin(x / 6)[..., None] * rng.random(bands) + np.cos(y / 7)[..., None] * rng.random(bands) + 3
        axis = SpectralAxis(np.linspace(400, 900, bands), "nm")
        return clean, Cube((clean + rng.normal(0, noise, clean.shape)).astype(np.float32), axis, name=f"{bands} bands")

    _, noisy = scene(24, 64, 0.3)
    experiment = Experiment.default("denoising", noisy).override(
        "network={kind: eigenimage_cnn, width: 16, depth: 3}", "task.learns_from=recorrupted", "data={patch: 24, samples: 32}",
        "split={validation: 0.3, gap: 0}", "training={epochs: 12, batch: 4, device: cpu, ema: 0.9}", "augmentation=[]",
    )  # fmt: skip
    _, model = run(experiment, noisy, None, tmp_path / "run")
    other, corrupt = scene(40, 36, 0.7)  # another number of bands, another noise
    prediction = predict(model, corrupt)
    result = prediction.result
    assert result.axis.mismatch(corrupt.axis) is None
    assert prediction.applicability is None
    assert "another spectral axis" in " ".join(prediction.found)
    with pytest.raises(ValueError, match="another spectral axis"):
        predict(model, corrupt, applicability=True)
    assert predict(model, noisy).applicability.shape == (64, 64, 1)

    def error(values):
        return float(np.square(values - other).mean())

    assert error(result.data) < 0.05 * error(corrupt.data)
    again = Model.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_allclose(predict(again, corrupt).result.data, result.data, rtol=1e-4, atol=1e-5)
    strict = experiment.override("preparation=[{kind: crop, low: 420, high: 880}, scale]")
    assert not strict.any_axis


@pytest.mark.parametrize("learns_from", ["bands", "masked", "recorrupted"])
def test_denoising_without_truth_improves_the_data(learns_from, tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    abundance = np.stack([np.sin(x / 6) + 1.5, np.cos(y / 5) + 1.5], -1)
    clean = abundance @ (rng.random((2, 24)) + 0.2)
    noisy = Cube((clean + rng.normal(0, 0.4, clean.shape)).astype(np.float32), name="noisy")
    network = ("network={kind: unet, dims: 2, ridge: false, width: 8, depth: 1, components: 4}", "augmentation=[flip, rotate]",
               "data={samples: 32, patch: 16}", "training.batch=8", "split.gap=0")  # fmt: skip
    experiment = small(Experiment.default("denoising", noisy), f"task.learns_from={learns_from}", *network, "split.validation=0.5",
                       "training.epochs=6")  # fmt: skip
    events, model = run(experiment, noisy, None, tmp_path / "run")
    assert {"raw", "Savitzky–Golay", "Whittaker", "wavelet", "PCA", "SVD+NLM"} == set(started(events).baselines)
    assert set(events[-1].scores["validation"]) == {*started(events).baselines, "network"}
    assert "mean spectrum changed" in events[-1].notes[0]
    assert model.description.notes == events[-1].notes[: len(model.description.notes)]
    shown = [event for event in events if isinstance(event, Preview)]
    assert {event.target for event in shown} == {experiment.task.target}
    maps = [event.removed for event in events if isinstance(event, Patch)]
    assert maps
    assert all(len(rows) == len(rows[0]) == 32 for rows in maps)
    assert "truth" not in experiment.task.target
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{experiment.task.target}</text>" in page
    assert "truth</text>" not in page
    assert "No truth was given" in page
    assert f"{experiment.task.target} (no truth was given)" in str(model.card())
    result = predict(model, noisy).result.numpy()
    assert np.square(result - clean).mean() < 0.5 * np.square(noisy.data - clean).mean()


def test_halves_of_the_bands_share_no_noise():
    rng = np.random.default_rng(0)
    clean = rng.random((400, 1)) @ rng.random((1, 20))
    noisy = Cube((clean + rng.normal(0, 0.1, clean.shape)).astype(np.float32))
    experiment = Experiment.from_mapping({"task": {"kind": "denoising", "learns_from": "bands"}, "preparation": [],
                                          "network": {"kind": "unet", "dims": 2, "components": 1}, "data": {"patch": 4}})  # fmt: skip
    image = Cube(noisy.data.reshape(20, 20, 20))
    data = assemble(experiment.override("split.gap=0", "split.validation=0.3"), [image], [])
    task = Restoration(experiment, data)
    posed = task.make_pair(torch.from_numpy(image.numpy())[None], None, torch.Generator().manual_seed(0))
    errors = [(half[0].numpy().reshape(-1, 20) - clean).ravel() for half in (posed.x, posed.y)]
    assert abs(np.corrcoef(*errors)[0, 1]) < 0.2


def test_no_truth_is_taken_where_none_is_learnt_from(pairs):
    experiment = Experiment.default("denoising", pairs[0])
    assert experiment.task.learns_from == "recorrupted"
    assert "takes no truth" in str(problems_with(experiment, [pairs[0]], [pairs[1]])[0])


@pytest.mark.parametrize("network", ["residual_mlp", "unet", "ridge"])
def test_calibration_gives_the_bands_of_the_other_instrument(pairs, tmp_path, network):
    noisy, clean = pairs
    other = Cube(clean.data[:, ::2] * 2, SpectralAxis(clean.axis.values[::2] + 3, "1/cm"), name="other instrument")
    experiment = small(Experiment.default("calibration", noisy, other), f"network={network}", "preparation=[scale]", "split.validation=0.2")
    _, model = run(experiment, noisy, other, tmp_path / "run")
    result = predict(model, noisy).result
    assert result.axis == other.axis
    assert result.shape == other.shape
    report = compare(model, noisy, other)
    assert report.rows["network"]["mse"] < 0.5 * report.rows["raw"]["mse"]


# ---------------------------------------------------------------- all of them


def test_every_task_says_what_it_begins_with_and_this_suits_it():
    for kind in tasks:
        experiment = Experiment.from_mapping({"task": kind})
        assert kind in experiment.network.tasks
        assert kind in experiment.loss.tasks
        for baseline in experiment.task.baselines:
            assert kind in networks[baseline].tasks


def test_a_network_that_does_not_suit_lists_those_that_do():
    with pytest.raises(SettingsError, match=r"network 'rcan' does not suit the task 'segmentation'.*known:.*unet"):
        Experiment.from_mapping({"task": "segmentation", "network": "rcan"})


@pytest.mark.usefixtures("few_rivals")
def test_files_and_folders_of_images_and_masks(scene, tmp_path):
    cube, labels = scene
    for number in range(3):
        write(cube.with_data(cube.data + number), tmp_path / "images" / f"{number}.npz")
        write_labels(labels, _made(tmp_path / "masks") / f"{number}.tif")
    experiment = small(
        Experiment.default("segmentation", cube, labels), f"data.input=[{tmp_path}/images]", f"data.truth=[{tmp_path}/masks]",
        "network=spectral_cnn", "network.width=8", "network.stages=1", "split.method=file", "split.validation=0.3", "training.epochs=1",
        "data.groups=[a, b, b]", "split.method=group",
    )  # fmt: skip
    events, _ = run(experiment, None, None, tmp_path / "run")
    labelled = int((labels.data > 0).sum())
    assert {started(events).training, started(events).validation} == {labelled, 2 * labelled}
    assert isinstance(list(RunFolder(tmp_path / "run").events())[-1], Finished)


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(("weights", "power"), [("balanced", 1.0), ("square_root", 0.5), ("none", 0.0)])
def test_weights_of_classes_are_inverse_powers_of_their_frequency(scene, weights, power):
    cube, labels = scene
    rare = labels.data.copy()
    rare[:24][rare[:24] == 5] = 0
    experiment = Experiment.default("segmentation", cube, Labels(rare)).override(
        "split.method=stratified", "network=spectral_cnn", f"loss={{kind: cross_entropy, weights: {weights}}}"
    )
    data = assemble(experiment, [cube], [Labels(rare)])
    found = Classes(experiment, data)._weights
    counts = torch.tensor([float(((data.truths == number) & (data.labels == 1)).sum()) for number in (1, 2, 3)])
    assert counts[2] < counts[0]
    torch.testing.assert_close(found * counts**power, (found[0] * counts[0] ** power).expand(3))
    torch.testing.assert_close((found * counts).sum() / counts.sum(), torch.tensor(1.0))


# ---------------------------------------------------------------- beginning with a model, ensembles, views, chains


@pytest.mark.usefixtures("few_rivals")
def test_transfer_keeps_what_fits_and_freezes_what_is_named(tmp_path):
    rng = np.random.default_rng(0)
    spectra = Cube(rng.normal(size=(90, 20)).astype(np.float32) + np.eye(3)[np.arange(90) % 3].repeat(7, 1)[:, :20] * 3)
    first = Experiment.default("classification", spectra, np.arange(90) % 3 + 1)
    first = small(
        first, "network=spectral_cnn", "network.width=8", "network.stages=2", "network.blocks=1", "training.epochs=3", "training.batch=16"
    )
    _, model = run(first, spectra, np.arange(90) % 3 + 1, tmp_path / "first")
    start = model.save(tmp_path / "first.safetensors")
    two = np.arange(90) % 2 + 1
    again = first.override(f"training.start={start}", 'training.frozen=["*"]', "training.epochs=2")
    events, moved = run(again, spectra, two, tmp_path / "second")
    assert "2 are newly initialised (last.bias, last.weight)" in started(events).notes[-1]
    before, after = (one.network.state_dict() for one in (model, moved))
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("last"))
    free = first.override(f"training.start={start}", "training.epochs=2")
    _, trained = run(free, spectra, np.arange(90) % 3 + 1, tmp_path / "third")
    assert not torch.equal(before["stages.0.weight"], trained.network.state_dict()["stages.0.weight"])
    with pytest.raises(ValueError, match="no weights match 'encoder.*there are.*stages.0"):
        list(fit(free.override('training.frozen=["encoder.*"]'), spectra, two, run=tmp_path / "x"))
    with pytest.raises(SettingsError, match="untrained weights would be frozen"):
        list(fit(first.override('training.frozen=["*"]'), spectra, two, run=tmp_path / "w"))
    with pytest.raises(SettingsError, match="has no weights to initialise"):
        list(fit(free.override("network=svm"), spectra, two, run=tmp_path / "v"))
    moved_axis = Cube(spectra.data, SpectralAxis(np.linspace(1000, 1019, 20), "nm"))
    assert "trained on other bands" in started(fit(free, moved_axis, two, run=tmp_path / "u")).notes[-1]
    with pytest.raises(ValueError, match="contains a Spectral CNN, but this experiment trains a ResNet"):
        list(fit(again.override("network={kind: resnet, width: 8}"), spectra, two, run=tmp_path / "y"))
    with pytest.raises(FileNotFoundError, match="no such model file"):
        list(fit(first.override(f"training.start={tmp_path}/none.safetensors"), spectra, two, run=tmp_path / "z"))


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two small denoisers of other seeds, their data, and the truth."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :24]
    clean = (np.sin(x / 4)[..., None] * np.linspace(0, 1, 12) + np.cos(y / 5)[..., None] * np.linspace(1, 0, 12) + 3).astype(np.float32)
    noisy = Cube(clean + rng.normal(0, 0.2, clean.shape).astype(np.float32), name="noisy")
    experiment = Experiment.from_mapping({
        "task": "denoising", "network": {"kind": "unet", "dims": 2, "width": 8, "depth": 1, "ridge": False, "dropout": 0.2},
        "preparation": ["scale"], "data": {"patch": 8, "samples": 32}, "split": {"validation": 0.3, "gap": 0},
        "training": {"epochs": 3, "batch": 8, "device": "cpu"},
    })  # fmt: skip
    folder = tmp_path_factory.mktemp("two")
    models = [run(experiment.override(f"training.seed={seed}"), noisy, Cube(clean), folder / str(seed))[1] for seed in (0, 1)]
    return models, noisy, clean


def test_an_ensemble_is_the_mean_of_its_models_with_their_standard_deviation(two_models):
    (first, second), noisy, _ = two_models
    one, other = (predict(model, noisy).result.data for model in (first, second))
    both = predict(first, noisy, ensemble=[second])
    np.testing.assert_allclose(both.result.data, (one + other) / 2, rtol=1e-5, atol=1e-5)
    assert both.uncertainty is None
    spread = predict(first, noisy, ensemble=[second], uncertainty=True).uncertainty
    assert spread.data.shape == noisy.shape
    assert spread.data.mean() > 0
    with pytest.raises(ValueError, match="cannot be averaged with"):
        predict(first, noisy, ensemble=["bicubic"])


def test_views_are_those_of_the_turned_image(two_models):
    (model, _), noisy, _ = two_models
    result = predict(model, noisy, views=True).result.data
    turned = predict(model, noisy.with_data(np.ascontiguousarray(np.rot90(noisy.data))), views=True).result.data
    np.testing.assert_allclose(np.rot90(result), turned, rtol=1e-4, atol=1e-4)
    assert np.abs(result - predict(model, noisy).result.data).max() > 1e-4
    with pytest.raises(ValueError, match="omit the views"):
        predict("whittaker", noisy, views=True)


def test_a_chain_denoises_then_enlarges(two_models, tmp_path):
    (model, _), noisy, _ = two_models
    result = predict(model, noisy, then=["back_projection"], factor=3).result
    denoised = predict(model, noisy).result
    np.testing.assert_allclose(result.data, predict("back_projection", denoised, factor=3).result.data, rtol=1e-5, atol=1e-5)
    assert result.shape == (72, 72, 12)
    streamed = predict(model, noisy, then=["back_projection"], out=tmp_path / "out.zarr").result
    assert streamed.shape == (48, 48, 12)
    with pytest.raises(ValueError, match="gives classes, which .* cannot take"):
        predict("kmeans", noisy, then=[model])


def test_ensembles_and_chains_on_the_command_line(two_models, tmp_path):
    models, noisy, _ = two_models
    first, second = (str(model.save(tmp_path / f"{number}.safetensors")) for number, model in enumerate(models))
    write(noisy, tmp_path / "in.npz")

    def told(*arguments):
        return CliRunner().invoke(app, ["predict", first, str(tmp_path / "in.npz"), *map(str, arguments)])

    done = told("-o", tmp_path / "out.zarr", "--ensemble", second, "--then", "back_projection", "--views")
    assert done.exit_code == 0, done.output
    expected = predict(models[0], noisy, ensemble=[models[1]], then=["back_projection"], views=True).result
    np.testing.assert_allclose(read(tmp_path / "out.zarr").numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)
    assert told("-o", tmp_path / "spread.npz", "--ensemble", second, "--uncertainty").exit_code == 0
    assert read(tmp_path / "spread-sd.npz").shape == noisy.shape
    named = told("-o", tmp_path / "clusters.npz", "--then", "kmeans")  # what the last tells is what is written
    assert named.exit_code == 0, named.output
    assert read_labels(tmp_path / "clusters.npz").shape == (24, 24)
    assert told("-o", tmp_path / "x.png").exit_code == 2


def test_a_temperature_makes_probabilities_as_sure_as_they_are_right():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (4000,), generator=generator)
    right = torch.rand(4000, generator=generator) < 0.7
    told = torch.where(right, truth, (truth + 1) % 3)
    sure = torch.nn.functional.one_hot(told, 3) * 0.97 + 0.01  # right in 70 %, sure to 98 %
    value = temperature(sure, truth)
    assert value > 2
    assert tempered(sure, value).amax(-1).mean() == pytest.approx(0.7, abs=0.08)
    assert temperature(sure[:10], truth[:10]) == 1


@pytest.mark.usefixtures("few_rivals")
def test_the_last_weights_may_be_kept(scene, tmp_path):
    cube, labels = scene
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network={kind: local_means_mlp, components: 4, largest: 5, width: 16}", "augmentation=[]", "split.method=stratified",
        "split.validation=0.2", "training={epochs: 5, batch: 64, keep: last, ema: 0.0, device: cpu}",
    )  # fmt: skip
    events, model = run(experiment, cube, labels, tmp_path / "run")
    assert events[-1].best_epoch == 5
    last = Model.load(tmp_path / "run" / "last.safetensors").network.state_dict()
    assert all(torch.equal(value, last[name]) for name, value in model.network.state_dict().items())


@pytest.mark.usefixtures("few_rivals")
def test_a_random_split_of_a_scene_is_reported_with_the_score_on_blocks(scene, tmp_path):
    cube, labels = scene
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network={kind: local_means_mlp, components: 4, largest: 5, width: 16}", "augmentation=[]",
        "split={method: stratified, block: 4, validation: 0.2}", "training={epochs: 3, batch: 64, device: cpu}",
    )  # fmt: skip
    events, model = run(experiment, cube, labels, tmp_path / "run")
    scores = model.card().scores
    assert scores["blocks"].keys() == scores["validation"].keys()
    assert Progress(3, 3) in events
    assert not (tmp_path / "run" / "blocks").exists()
    assert "blocks" in (tmp_path / "run" / "report.html").read_text()
    _, alone = run(experiment.override("split.beside=false"), cube, labels, tmp_path / "alone")
    assert "blocks" not in alone.card().scores
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name])  # what is trained is the same


@pytest.mark.usefixtures("few_rivals")
def test_a_failed_score_on_blocks_is_reported_and_keeps_the_model(scene, tmp_path, monkeypatch):
    cube, labels = scene

    def refuse(*_):
        raise ValueError("no block holds a sample")

    monkeypatch.setattr("napari_spectrai.learn.train.block_split.assemble", refuse)
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network={kind: local_means_mlp, components: 4, largest: 5, width: 16}", "augmentation=[]",
        "split={method: stratified, block: 4, validation: 0.2}", "training={epochs: 2, batch: 64, device: cpu}",
    )  # fmt: skip
    events, model = run(experiment, cube, labels, tmp_path / "run")
    assert isinstance(events[-1], Finished)
    assert events[-1].notes == ["The score on a block split could not be computed: no block holds a sample"]
    assert "blocks" not in model.card().scores


def test_what_is_read_is_not_written_over(two_models, tmp_path):
    models, noisy, _ = two_models
    model = models[0].save(tmp_path / "m.safetensors")
    source = write(noisy, tmp_path / "in.zarr")
    for output in (source, tmp_path / ".." / tmp_path.name / "in.zarr"):
        told = CliRunner().invoke(app, ["predict", str(model), str(source), "-o", str(output)])
        assert told.exit_code == 2, told.output
    with pytest.raises(ValueError, match="would be lost"):
        predict(model, source, out=source)
    np.testing.assert_array_equal(read(source).numpy(), noisy.numpy())
    assert predict(model, source, ensemble=models[1]).result.shape == noisy.shape  # one is a list of one


def test_frozen_weights_over_a_ridge_map(tmp_path):
    rng = np.random.default_rng(0)
    clean = np.sin(np.linspace(0, 6, 20))[None] * rng.random((120, 1)) + 1
    noisy = Cube((clean + rng.normal(0, 0.1, clean.shape)).astype(np.float32))
    first = small(Experiment.default("denoising", noisy, Cube(clean.astype(np.float32))), "network.width=16", "training.epochs=2")
    _, model = run(first, noisy, Cube(clean.astype(np.float32)), tmp_path / "first")
    start = model.save(tmp_path / "m.safetensors")
    events, moved = run(
        first.override(f"training.start={start}", 'training.frozen=["*"]'), noisy, Cube(clean.astype(np.float32)), tmp_path / "second"
    )
    assert isinstance(events[-1], Finished)
    before, after = (one.network.state_dict() for one in (model, moved))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("last" in name for name in changed)


@pytest.mark.parametrize(("side", "factor"), [(12, 2), (24, 2), (48, 2), (48, 4), (33, 3)])
def test_small_images_can_be_enlarged_by_default(side, factor, tmp_path):
    cube = Cube(np.random.default_rng(0).random((side, side, 3)).astype(np.float32))
    coarse = Cube(np.zeros((side // factor, side // factor, 3), np.float32))
    wanted = Experiment.default("super_resolution", coarse, cube).task.factor
    experiment = Experiment.default("super_resolution", cube).override(f"task.factor={wanted}")
    if experiment.data.patch % wanted:
        experiment = experiment.override(f"data.patch={experiment.data.patch // wanted * wanted}")
    data = assemble(experiment, [cube], [])
    assert len(data.parts["training"])
    assert len(data.parts["validation"])


@pytest.mark.usefixtures("few_rivals")
def test_a_few_strokes_are_enough_by_default(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((40, 40), int)
    labels[5, 3:13], labels[20, 20:30], labels[33:39, 8] = 1, 2, 3
    data = (np.eye(4, 10)[np.repeat([1, 2, 3, 3], 10)][:, None] + rng.normal(0, 0.2, (40, 40, 10))).astype(np.float32)
    experiment = Experiment.default("segmentation", Cube(data), labels).override("training.device=cpu", "training.epochs=10")
    _, model = run(experiment, Cube(data), labels, tmp_path / "run")
    assert predict(model, Cube(data)).result.shape == (40, 40)


def test_3d_and_strided_networks_keep_fp32_on_the_cpu():
    cpu, auto = torch.device("cpu"), Experiment().training
    for kind, dims in (("unet", 3), ("segresnet", 2), ("densenet", 2), ("ssftt", None)):
        spec = networks.parse({"kind": kind} | ({"dims": dims} if dims else {}))
        assert choose_precision(auto, cpu, spec) == "fp32"
    assert choose_precision(auto.model_copy(update={"precision": "bf16"}), cpu, networks.parse("unet")) == "bf16"


@pytest.mark.usefixtures("few_rivals")
def test_a_stop_on_the_blocks_goes_on_from_there(scene, tmp_path):
    cube, labels = scene
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network={kind: local_means_mlp, components: 4, largest: 5, width: 16}", "augmentation=[]",
        "split={method: stratified, block: 4, validation: 0.2}", "training={epochs: 3, batch: 64, device: cpu}",
    )  # fmt: skip
    folder = RunFolder(tmp_path / "run")
    events = []
    for event in fit(experiment, cube, labels, run=folder.path):
        events.append(event)
        if isinstance(event, Progress):
            folder.say("stop")
    assert (events[-1].reason, folder.state()) == ("stopped", "stopped")
    *_, last = fit(None, cube, labels, run=folder.path, resume=True)
    assert last.reason == "done"
    assert "blocks" in last.scores
