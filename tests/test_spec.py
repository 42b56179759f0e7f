from __future__ import annotations

from typing import ClassVar, Literal

import pytest
from pydantic import Field

from napari_spectrai import Experiment
from napari_spectrai.experiment.network_spec import NetworkSpec, networks
from napari_spectrai.experiment.networks import UNet
from napari_spectrai.experiment.training import optimisers, schedules
from napari_spectrai.spec import SettingsError, listed


@pytest.mark.parametrize("task", ["denoising"])
def test_a_document_is_loaded_as_it_was_saved(tmp_path, task, pairs):
    experiment = Experiment.default(task, *pairs).override("network=unet", "training.schedule=cosine", "split.gap=3")
    path = experiment.save(tmp_path / "e.yml")
    assert Experiment.load(path) == experiment


def test_relative_data_paths_start_at_the_document(tmp_path):
    (tmp_path / "e.yml").write_text("data: {input: [a.npz], truth: [/b.npz]}")
    data = Experiment.load(tmp_path / "e.yml").data
    assert data.input == [tmp_path / "a.npz"]
    assert str(data.truth[0]) == "/b.npz"


def test_override_values_kinds_and_lists():
    experiment = Experiment().override(
        "training.epochs=7", "network=unet", "network.dims=2", "augmentation=[noise]", "training.optimiser.lr=1e-4"
    )
    assert experiment.training.epochs == 7
    assert isinstance(experiment.network, UNet)
    assert experiment.network.dims == 2
    assert experiment.training.optimiser.lr == 1e-4
    assert experiment.override("augmentation.0.sigma=0.05").augmentation[0].sigma == 0.05
    assert experiment.override("network.kind=residual_mlp").network.kind == "residual_mlp"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epochs=0", ["training.epochs", "0", "greater than or equal to 1"]),
        ("training.epoch=5", ["training.epoch", "known", "epochs"]),
        ("network=unett", ["network", "unett", "residual_mlp", "did you mean unet?"]),
        ("epochs=3", ["there is no 'epochs'; write training.epochs"]),
        ("task=cooking", ["task", "cooking", "denoising"]),
        ("split.validation=0.7", None),
        ("training.optimiser.lr=nan", ["training.optimiser.lr", "finite"]),
        ("nothing", ["path=value"]),
        ("training.epochs.x=1", ["single value"]),
        ("augmentation.3.sigma=1", ["augmentation"]),
        ("network.width=2", ["network.width", "2", "8"]),
    ],
)
def test_errors_have_path_value_limit_and_remedy(setting, words):
    if words is None:
        with pytest.raises(ValueError, match="leave nothing to train on"):
            Experiment().override("split.test=0.5", setting)
        return
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Experiment().override(setting)
    for word in words:
        assert word in str(error.value)


def test_every_problem_is_listed():
    with pytest.raises(SettingsError) as error:
        Experiment.from_mapping({"training": {"epochs": 0, "batch": 0}, "network": {"kind": "unet", "depth": 9}}, "x.yml")
    assert {problem.path for problem in error.value.problems} == {"training.epochs", "training.batch", "network.depth"}
    assert "x.yml" in str(error.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: b: c", "\x00", "network: {width: 3}", "!!python/object/apply:os.system ['true']"])
def test_foreign_documents_are_refused(tmp_path, text):
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(ValueError, match="e.yml"):
        Experiment.load(tmp_path / "e.yml")


def test_unknown_settings_are_refused_with_the_known():
    with pytest.raises(SettingsError, match=r"no setting 'epoch'.*did you mean epochs"):
        Experiment.from_mapping({"training": {"epoch": 3}})
    assert listed(["maximum", "minmax", "rnv"], "max").endswith("(did you mean maximum?)")  # minmax has more letters in common
    assert listed(["unet", "unetr"], "xyz").endswith("unetr")


def test_a_network_of_a_notebook_is_refused_in_another_process(tmp_path, pairs):
    from napari_spectrai import launch

    @networks.add
    class Mine(NetworkSpec):
        kind: Literal["mine"] = "mine"
        implementation: ClassVar = "torch.nn:Identity"
        tasks: ClassVar = frozenset({"denoising"})
        width: int = Field(3, ge=1, description="nothing")

    try:
        experiment = Experiment().override("network=mine")
        assert experiment.network.width == 3
        with pytest.raises(ValueError, match="entry-point group 'napari_spectrai.networks'"):
            launch(experiment, *pairs, run=tmp_path / "run")
    finally:
        networks._kinds.pop("mine")


def test_every_registered_kind_has_a_title_a_docstring_and_described_fields():
    from napari_spectrai.experiment.augmentations import augmentations
    from napari_spectrai.experiment.losses import losses
    from napari_spectrai.experiment.tasks import tasks
    from napari_spectrai.mapping import kinds
    from napari_spectrai.preparation.step import steps

    registries = (networks, losses, augmentations, tasks, steps, kinds, optimisers, schedules)
    for registry in registries:
        assert list(registry)
        for kind in registry:
            cls = registry[kind]
            assert cls.title
            assert cls.__doc__
            for name, field in cls.model_fields.items():
                assert name == "kind" or field.description, f"{registry.what} {kind}.{name}"


def test_defaults_keep_the_settings_of_the_task(image_pairs):
    cube, _ = image_pairs
    assert Experiment.default({"kind": "super_resolution", "factor": 4}, cube).task.factor == 4
    assert Experiment.default({"kind": "denoising", "learns_from": "bands"}, cube).task.learns_from == "bands"
    assert Experiment.default({"kind": "denoising"}, cube) == Experiment.default("denoising", cube)
    with pytest.raises(ValueError, match="factor: 99"):
        Experiment.default({"kind": "super_resolution", "factor": 99}, cube)


def test_defaults_suit_the_data(pairs, image_pairs):
    spectra, image = Experiment.default("denoising", *pairs), Experiment.default("denoising", *image_pairs)
    assert [step.kind for step in spectra.preparation] == ["normalise"]
    assert [step.kind for step in image.preparation] == ["scale"]
    with pytest.raises(ValueError, match="cooking"):
        Experiment.default("cooking", *pairs)
    with pytest.raises(ValueError, match="shape"):
        Experiment.default("denoising", pairs[0], pairs[1][:5])


def test_all_faults_of_one_spec_are_reported_at_once():
    with pytest.raises(SettingsError) as raised:
        Experiment.from_mapping(
            {"version": 1, "task": "denoising", "network": {"kind": "unet", "widht": 8, "dpeth": 2, "convolutions": 0}, "loss": "nothing"}
        )
    words = [str(problem) for problem in raised.value.problems]
    for part in ("widht", "dpeth", "network.convolutions", "nothing"):
        assert sum(part in one for one in words) == 1, (part, words)
