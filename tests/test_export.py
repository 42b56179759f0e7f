"""Exported models give the predictions of their models."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml

import napari_spectrai as spectrai
from napari_spectrai import Experiment, SpectralAxis
from napari_spectrai.cli import app
from napari_spectrai.experiment.card import KEY, ModelCard
from napari_spectrai.labels import Class
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.export.steps import as_module
from napari_spectrai.learn.model import built
from napari_spectrai.preparation.step import steps
from napari_spectrai.samples import sample_model

AXIS = SpectralAxis(np.linspace(600, 1800, 32), "1/cm")


@pytest.fixture(scope="module")
def model():
    return spectrai.Model.load(sample_model())


def difference(got, wanted):
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


def test_onnx_gives_the_prediction_and_zeros_for_zeros(model, tmp_path, capfd):
    cube = spectrai.sample("raman_pairs").cube[800:830]
    wanted = spectrai.predict(model, cube).result.numpy()
    session = onnxruntime.InferenceSession(model.export(tmp_path / "model.onnx"))
    assert not session.run(None, {"spectra": np.zeros((2, 1, 1, 500), np.float32)})[0].any()
    assert capfd.readouterr().err == ""  # torch's exporter about itself
    for shape in ((30, 1, 1, -1), (1, 5, 6, -1), (2, 3, 5, -1)):
        got = session.run(None, {"spectra": cube.numpy().reshape(shape)})[0]
        assert difference(got.reshape(wanted.shape), wanted) < 1e-5
    card = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}[KEY]
    assert ModelCard.from_json(card).axis == model.axis


def test_pt2_gives_the_prediction(model, tmp_path):
    cube = spectrai.sample("raman_pairs").cube[800:830]
    program = torch.export.load(io.BytesIO(model.export(tmp_path / "model.pt2").read_bytes()))
    got = program.module()(torch.from_numpy(cube.numpy())[:, None, None]).detach().numpy()
    wanted = spectrai.predict(model, cube).result.numpy()
    assert difference(got.reshape(wanted.shape), wanted) < 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        *({"kind": "normalise", "by": by} for by in ("maximum", "area", "vector", "minmax", "snv")),
        {"kind": "scale", "factor": 3.0, "target": 2.0},
        {"kind": "crop", "low": 700, "high": 1500},
        {"kind": "savitzky_golay", "window": 7},
        {"kind": "gaussian"},
        {"kind": "whittaker"},
    ],
    ids=lambda one: "-".join(map(str, one.values())),
)
def test_a_step_in_the_graph_is_the_step(settings):
    step = steps.parse(settings)
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(1, 1, (20, 32)), np.zeros((1, 32)), np.full((1, 32), 2.5)]).astype(np.float32)
    got, factors = as_module(step, AXIS)(torch.from_numpy(values))
    assert difference(got.numpy(), step.apply(values, AXIS)[0]) < 1e-5
    wanted = step.given_back(values)
    assert (factors is None) == (wanted is None)
    for one, other in zip(factors or (), wanted or (), strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["arpls", "despike", "minimum", "stabilise"])
def test_a_step_that_is_not_linear_is_refused_with_the_remedy(kind):
    step = steps.parse({"kind": kind, "gain": 2.0} if kind == "stabilise" else kind)
    with pytest.raises(ValueError, match="not linear.*preprocess the data first"):
        as_module(step, AXIS)


def test_what_cannot_be_exported_is_refused_in_a_line(model, tmp_path):
    from napari_spectrai.learn.model import ready

    with pytest.raises(ValueError, match="not a network.*keep the .safetensors") as caught:
        ready("svd_nlm", AXIS).export(tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"cannot be exported in this format.*\.onnx"):
        model.export(tmp_path / "a.tflite")
    assert not list(tmp_path.iterdir())


def untrained(classes=0, task="denoising", **network):
    """Return a model with random weights, which no training has to find."""
    preparation = [{"kind": "scale", "factor": 2.0}]
    experiment = Experiment.from_mapping({"task": task, "preparation": preparation, "network": network})
    names = [Class(number, f"class {number}") for number in range(1, classes + 1)]
    card = ModelCard("untrained", experiment, AXIS, AXIS, "", classes=names, intensities=[0.0, 0.5, 1.0])
    torch.manual_seed(0)
    weights = built(experiment, len(AXIS), card.out, classes=bool(classes)).eval()
    for parameter in weights.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return spectrai.Model(weights, card, {})


@pytest.mark.parametrize(
    ("classes", "network"),
    [
        (0, {"kind": "resunet", "dims": 2, "depth": 1, "width": 8}),
        (0, {"kind": "unet", "dims": 3, "depth": 1, "width": 4}),
        (0, {"kind": "rcan", "width": 8, "groups": 1, "blocks": 1}),
        (3, {"kind": "ssftt", "task": "segmentation"}),
    ],
    ids=["resunet", "3-D", "rcan", "ssftt"],
)
def test_networks_over_the_image_are_exported_for_any_size(classes, network, tmp_path):
    model = untrained(classes, **network)
    session = onnxruntime.InferenceSession(model.export(tmp_path / "model.onnx"))
    random = np.random.default_rng(0)
    for size in ((8, 8), (21, 3)):
        image = random.random((*size, len(AXIS)), dtype=np.float32)
        prediction = model.predict(spectrai.Cube(image, AXIS))
        wanted = (prediction.probabilities if classes else prediction.result).numpy()
        assert difference(session.run(None, {"spectra": image[None]})[0][0], wanted) < 1e-5


def test_a_pt2_file_is_for_any_size(tmp_path):
    model = untrained(kind="unet", dims=2, depth=2, width=8)
    program = torch.export.load(io.BytesIO(model.export(tmp_path / "model.pt2").read_bytes())).module()
    for size in ((8, 8), (21, 9), (16, 5)):
        image = np.random.default_rng(0).random((*size, len(AXIS)), dtype=np.float32)
        got = program(torch.from_numpy(image[None])).numpy()[0]
        assert difference(got, model.predict(spectrai.Cube(image, AXIS)).result.numpy()) < 1e-5


def test_consistent_super_resolution_is_refused_with_the_reason_and_the_setting(tmp_path):
    model = untrained(task="super_resolution", kind="rcan", width=8, consistent=True)
    with pytest.raises(ValueError, match=r"matrices that depend on the size of the image: train with network\.consistent=false, or keep"):
        model.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def mixture(members, labels=3, radius=0):
    """Return a mixture of methods fitted to made spectra of classes, and of networks with random weights."""
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(1, labels + 1), 20)
    spectra = random.normal(0, 0.3, (len(classes), len(AXIS))) + np.sin(np.arange(len(AXIS)) * classes[:, None] / 4)
    model = untrained(labels, "segmentation", kind="automatic", radius=radius, members=members)
    pixels = torch.from_numpy(spectra.astype(np.float32))[None, None, :, None]
    scene = Scene(pixels, torch.from_numpy(classes)[None, None, :, None], torch.ones(1, 1, len(classes), 1, dtype=torch.bool))
    for module in model.network.fitted_members:
        if isinstance(module, Method):
            module.fit([Scene(scene.x[0], scene.y[0], scene.counts[0])])
    return model


LINEAR = {"network": {"kind": "logistic_regression"}, "weight": 0.6, "temperature": 1.5}
MEANS = {"network": {"kind": "pca_lda_local_means"}, "weight": 0.3, "sees": "shapes"}
NETWORK = {"network": {"kind": "spectral_mlp", "width": 8}, "weight": 0.4}


@pytest.mark.parametrize(("suffix", "members"), [(".onnx", [LINEAR, MEANS]), (".pt2", [LINEAR, NETWORK])])
def test_a_mixture_of_what_can_be_exported_is_its_prediction(suffix, members, tmp_path):
    model = mixture(members)
    path = model.export(tmp_path / f"model{suffix}")
    image = np.random.default_rng(1).normal(size=(9, 7, len(AXIS))).astype(np.float32)
    if suffix == ".onnx":
        got = onnxruntime.InferenceSession(path).run(None, {"spectra": image[None]})[0][0]
    else:
        got = torch.export.load(io.BytesIO(path.read_bytes())).module()(torch.from_numpy(image[None])).numpy()[0]
    assert np.ptp(got) > 0.1
    assert difference(got, model.predict(spectrai.Cube(image, AXIS)).probabilities.numpy()) < 1e-5


@pytest.mark.parametrize(
    ("members", "radius", "reason"),
    [([LINEAR, NETWORK], 2, r"guided filter, radius 2.*network\.smooth=false"),
     ([LINEAR, {**NETWORK, "sees": "superpixels"}], 0, r"superpixels.*averages over regions"),
     ([LINEAR, {"network": {"kind": "svm"}, "weight": 0.4}], 0, r"its member SVM cannot be: it is not a network")],
)  # fmt: skip
def test_a_mixture_that_no_graph_can_hold_says_which_part_of_it(members, radius, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        untrained(3, "segmentation", kind="automatic", radius=radius, members=members).export(tmp_path / "model.onnx")


def test_the_command_writes_and_does_not_replace(tmp_path):
    from typer.testing import CliRunner

    output = tmp_path / "model.pt2"
    assert CliRunner().invoke(app, ["export", str(sample_model()), "-o", str(output)]).exit_code == 0
    assert output.stat().st_size > 1000
    assert CliRunner().invoke(app, ["export", str(sample_model()), "-o", str(output)]).exit_code == 2
    assert CliRunner().invoke(app, ["export", str(tmp_path / "none.safetensors"), "-o", str(tmp_path / "b.onnx")]).exit_code == 2


@pytest.mark.parametrize(
    ("classes", "task", "network"),
    [(3, "classification", {"kind": "spectral_mlp", "width": 8}),
     (0, "super_resolution", {"kind": "rcan", "width": 8, "groups": 1, "blocks": 1, "consistent": False})],
)  # fmt: skip
def test_a_package_of_the_model_zoo_describes_what_it_computes_and_is_read_back(classes, task, network, tmp_path):
    model = untrained(classes, task, **network)
    path = model.export(tmp_path / "model.bioimage.zip")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    description = yaml.safe_load(files["rdf.yaml"])
    sources = [*description["covers"], *description["attachments"], description["documentation"], description["weights"]["onnx"]]
    sources += [tensor["test_tensor"] for tensor in (*description["inputs"], *description["outputs"])]
    assert {one["source"]: one["sha256"] for one in sources} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "rdf.yaml"
    }
    image, result = (np.load(io.BytesIO(files[name])) for name in ("spectra.npy", "result.npy"))
    assert difference(onnxruntime.InferenceSession(files["model.onnx"]).run(None, {"spectra": image})[0], result) < 1e-5
    bands, last = description["inputs"][0]["axes"][-1], description["outputs"][0]["axes"][-1]
    assert (bands["type"], bands["size"]) == ("index", 32)
    assert len(last["channel_names"]) == classes if classes else last["size"] == 32
    times = 1 / description["outputs"][0]["axes"][1]["scale"]
    assert result.shape[1] == times * image.shape[1]
    assert SpectralAxis.from_json(description["config"]["napari_spectrai"]["axis"]) == AXIS
    again = spectrai.Model.load(path)
    assert again.axis == AXIS
    cube = spectrai.Cube(image[0], AXIS)
    np.testing.assert_array_equal(np.asarray(again.predict(cube).result), np.asarray(model.predict(cube).result))


def test_a_package_of_another_program_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "other.bioimage.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", "type: model")
    with pytest.raises(ValueError, match="holds no model of napari-spectrai; only packages that it exported"):
        spectrai.Model.load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", bytes(10**7))
    with pytest.raises(ValueError, match="is compressed"):
        spectrai.Model.load(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="truncated or not a package"):
        spectrai.Model.load(path)
