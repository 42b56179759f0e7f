"""Model files whose card contradicts itself, or what is in the file: one error with the file's name, before anything is computed."""

from __future__ import annotations

import copy
import json
import unicodedata

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, predict
from napari_spectrai.cli.app import app, console
from napari_spectrai.experiment.card import KEY, NO_TRAINING, ModelCard, read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.labels import Class
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.mixture.blend import Blend
from napari_spectrai.learn.model import built

AXIS = SpectralAxis([400.0, 420.0, 445.0, 470.0, 500.0, 530.0], "nm")
NAN, INF = float("nan"), float("inf")


def _denoiser() -> Model:
    experiment = Experiment.from_mapping({
        "task": "denoising", "network": {"kind": "residual_mlp", "width": 8, "depth": 1}, "loss": "mse",
        "preparation": [{"kind": "crop", "low": 410, "high": 540}, {"kind": "scale", "factor": 2.0}],
    })  # fmt: skip
    card = ModelCard.now(
        name="made", experiment=experiment, axis=AXIS, truth_axis=AXIS.take(slice(1, None)), trained_on=["made"], baselines=["raw"],
        intensities=[0.1, 0.5, 2.0], scores={"validation": {"network": {"mse": 0.1}}},
        intervals={"validation": {"network": {"mse": [0.0, 0.2]}}},
    )  # fmt: skip
    return Model(built(experiment, 5, 5, classes=False).eval(), card, {})


def _blend() -> Model:
    rng = np.random.default_rng(0)
    classes = np.arange(40) % 2
    spectra = rng.random((40, 6)) + classes[:, None] * np.eye(6)[2]
    scene = Scene(
        torch.from_numpy(spectra).float().view(1, 5, 8, 6),
        torch.from_numpy(classes + 1).view(1, 5, 8),
        torch.ones(1, 5, 8, dtype=torch.bool),
    )
    spec, modules = networks.parse("pca_lda"), []
    for _ in range(2):
        modules.append(spec.load()(spec, 6, 2, classes=True))
        modules[-1].fit([scene])
    members = [{"network": spec, "weight": 0.4}, {"network": spec, "weight": 0.6}]
    chosen = networks.parse({"kind": "automatic", "members": members})
    experiment = Experiment.from_mapping({"task": "segmentation", "network": chosen, "preparation": [], "loss": "cross_entropy"})
    card = ModelCard.now(
        name="made",
        experiment=experiment,
        axis=AXIS,
        truth_axis=AXIS,
        classes=[Class(1, "fat"), Class(2, "water")],
        trained_on=[NO_TRAINING],
    )
    return Model(Blend.of(chosen, modules, 6, 2, classes=True).eval(), card, {})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """For each kind of model: a file, its card and its tensors."""
    found = {}
    for make in (_denoiser, _blend):
        path = make().save(tmp_path_factory.mktemp("card") / "model.safetensors")
        with safe_open(path, "pt") as file:
            card, tensors = json.loads(file.metadata()[KEY]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found[make] = path, card, tensors
    return found


def _set(place, value):
    def change(card):
        inner = card
        for key in place[:-1]:
            inner = inner[key]
        if value is None:
            del inner[place[-1]]
        else:
            inner[place[-1]] = value(inner[place[-1]]) if callable(value) else value

    return change


EXPERIMENT, MEMBERS = ("experiment",), ("experiment", "network", "members")
ANY = {
    "no experiment": (_set(EXPERIMENT, None), "it has no experiment"),
    **{f"no {name}": (_set((name,), None), f"it has no {name}") for name in ("axis", "truth_axis", "date", "name")},
    **{
        f"no {name} in the experiment": (_set((*EXPERIMENT, name), None), f"it has no experiment.{name}")
        for name in ("task", "network", "preparation")
    },
    "axis null": (_set(("axis",), lambda _: None), "axis"),
    "axis without a unit": (_set(("axis", "unit"), None), r"axis\.unit: it is missing"),
    "axis of truth values": (_set(("axis", "values"), lambda values: [True for _ in values]), r"axis\.values\.0: True does not fit"),
    "a step of another package": (
        _set((*EXPERIMENT, "preparation"), [{"kind": "ghost"}]),
        "uses the step 'ghost', which no installed package defines; install the one that does",
    ),
    "a network of another package": (_set((*EXPERIMENT, "network"), {"kind": "ghost"}), "uses the network 'ghost'"),
    "a task of another package": (_set((*EXPERIMENT, "task"), "ghost"), "uses the task 'ghost'"),
    "a step that is not fitted": (_set((*EXPERIMENT, "preparation"), [{"kind": "scale"}]), "'Scale by one factor' has not been fitted"),
    "a divisor beyond float32": (_set((*EXPERIMENT, "preparation"), [{"kind": "scale", "factor": 1e300}]), "factor"),
    "steps that leave no band": (_set((*EXPERIMENT, "preparation"), [{"kind": "crop", "low": 1, "high": 2}]), "does not fit its axis: no"),
    "a temperature that divides by nothing": (_set(("temperature",), 1e-300), "temperature: 1e-300"),
    **{
        f"intensities {values}": (_set(("intensities",), values), "intensities")
        for values in ([1.0], [1.0, 2.0], [3.0, 2.0, 1.0], [INF] * 3, [NAN] * 3, [-1.0, 0.0, 1.0])
    },
    **{
        f"interval {ends}": (_set(("intervals",), {"validation": {"network": {"mse": ends}}}), r"intervals\.validation\.network\.mse")
        for ends in ([], [1.0], [1.0, 2.0, 3.0])
    },
    **{
        f"baselines {kinds}": (_set(("baselines",), kinds), f"'{kinds[-1]}' is no classical method for")
        for kinds in (["ghost"], ["unet"], ["automatic"], ["bicubic"])
    },
    "a newer format": (_set(("format",), 99), "model format 99, and this version reads 2; update"),
    "a format that is none": (_set(("format",), "x"), "model format 'x', and this version reads 2; the file is damaged"),
}
OF_DENOISER = {
    "classes": (_set(("classes",), [{"value": n, "name": "x", "colour": None} for n in range(1, 6)]), "denoising, and it has 5 classes"),
    "another task": (_set((*EXPERIMENT, "task"), {"kind": "segmentation"}), "does not suit the task"),
    "bands in reverse": (_set(("axis", "values"), lambda values: values[::-1]), "its results have positions that differ"),
    "results in reverse": (_set(("truth_axis", "values"), lambda values: values[::-1]), "its results have positions that differ"),
    "results in another unit": (_set(("truth_axis", "unit"), "eV"), "its results have unit 'eV' where 'nm'"),
    "one band less": (_set(("truth_axis", "values"), lambda values: values[1:]), "its results have 4 bands where 5"),
    "steps that convert": (_set((*EXPERIMENT, "preparation"), lambda steps: [*steps, {"kind": "energy"}]), "its results have"),
    "steps left out": (_set((*EXPERIMENT, "preparation"), []), "its results have 5 bands where 6"),
    "a baseline without its values": (_set(("baselines",), ["ridge"]), "the fitted values of Ridge regression are missing"),
    "a method without its values": (_set((*EXPERIMENT, "network"), {"kind": "ridge"}), "is not part of Ridge regression"),
}
OF_BLEND = {
    "no classes": (_set(("classes",), []), "segmentation, and it has no classes"),
    "one number twice": (_set(("classes", 1, "value"), 1), "2 classes have 1 different numbers"),
    **{f"class {n}": (_set(("classes", 0, "value"), n), f"a class has the number {n}, which means unlabelled") for n in (0, -1)},
    "no members": (_set(MEMBERS, []), "Automatic has no chosen methods"),
    "weights of nothing": (_set((*MEMBERS, 0, "weight"), 0.0), "the weights of its 2 methods add up to 0.6 and not to 1"),
    "a member without its values": (
        _set(MEMBERS, lambda members: [*members, {**members[0], "weight": 0.0}]),
        "the fitted values of PCA-LDA are missing",
    ),
}


CASES = {
    f"{make.__name__[1:]}, {name}": (make, *case)
    for make, own in ((_denoiser, OF_DENOISER), (_blend, OF_BLEND))
    for name, case in (ANY | own).items()
}


@pytest.mark.parametrize(("make", "change", "words"), CASES.values(), ids=CASES)
def test_a_card_that_contradicts_itself_or_its_file_is_refused(saved, make, change, words, tmp_path):
    _, card, tensors = saved[make]
    made = copy.deepcopy(card)
    change(made)
    save_file(tensors, tmp_path / "evil.safetensors", metadata={KEY: json.dumps(made)})
    with pytest.raises(ValueError, match=rf"^[^\n]*evil\.safetensors: [^\n]*{words}[^\n]*$"):
        Model.load(tmp_path / "evil.safetensors")
    if "values of" not in words and "part of" not in words:  # what the card alone tells is found without its weights
        with pytest.raises(ValueError, match=words):
            read_card(tmp_path / "evil.safetensors")


@pytest.mark.parametrize("make", [_denoiser, _blend])
def test_the_unchanged_card_is_read_and_applied(saved, make):
    cube = Cube(np.random.default_rng(1).random((4, 5, 6), dtype=np.float32), AXIS)
    assert predict(saved[make][0], cube).result.shape[:2] == (4, 5)


def test_a_loss_of_another_package_is_named(saved, tmp_path):
    _, card, tensors = saved[_denoiser]
    made = copy.deepcopy(card)
    made["experiment"]["loss"] = {"kind": "ghost"}
    save_file(tensors, tmp_path / "evil.safetensors", metadata={KEY: json.dumps(made)})
    with pytest.raises(ValueError, match="uses the loss 'ghost', which no installed package defines"):
        read_card(tmp_path / "evil.safetensors")


def test_a_terminal_does_not_obey_what_a_file_says(saved, tmp_path):
    _, card, tensors = saved[_blend]
    made = copy.deepcopy(card)
    made["name"] = made["classes"][0]["name"] = "\x1b[2J\x9b2J\x07\u202e"
    made["notes"] = ["two\nlines"]
    save_file(tensors, tmp_path / "evil.safetensors", metadata={KEY: json.dumps(made)})
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "evil.safetensors")]).output
    assert shown.count(r"\x1b[2J\x9b2J\x07\u202e") == 2
    assert "two\nlines" in shown
    assert not any(unicodedata.category(one) in ("Cc", "Cf") for one in shown if one != "\n")
    made["axis"] = made["truth_axis"] = {"values": [1.0], "unit": "\x1b[2J"}
    save_file(tensors, tmp_path / "evil.safetensors", metadata={KEY: json.dumps(made)})
    with console.capture() as captured:
        CliRunner().invoke(app, ["info", str(tmp_path / "evil.safetensors")])
    assert "unknown unit" in captured.get()
    assert "\x1b[2J" not in captured.get()
