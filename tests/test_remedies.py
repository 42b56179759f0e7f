"""Remedies for files that leave something open name an option of the place where the file was opened."""

import re

import numpy as np
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, as_labels, predict, read, train
from napari_spectrai.cli.app import app


@pytest.fixture
def two(tmp_path):
    """A file of two cubes, and one of two label images."""
    values = np.random.default_rng(0).uniform(1, 2, (2, 9, 11, 6)).astype(np.float32)
    savemat(tmp_path / "two.mat", {"before": values[0], "after": values[1]})
    one = np.repeat([[1, 2]], 9, 0).repeat([5, 6], 1)
    one[::3] = one[::3, ::-1]
    savemat(tmp_path / "classes.mat", {"first": one, "second": one[::-1]})
    return tmp_path


def command(arguments, expected=1):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == expected, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("task", ["denoising", "segmentation"])
def test_an_experiment_is_completed_by_its_remedy(task, two):
    files = {"input": [two / "two.mat"], "truth": [two / ("classes.mat" if task == "segmentation" else "two.mat")]}
    kind, pairs = ("pca_lda", {}) if task == "segmentation" else ("ridge", {"learns_from": "pairs"})
    document = {"task": {"kind": task, **pairs}, "data": files, "network": {"kind": kind}, "split": {"method": "random"}}
    experiment = Experiment.model_validate(document)
    for wanted, chosen in [("data.dataset", "before"), ("data.truth_dataset", "second" if task == "segmentation" else "after")]:
        with pytest.raises(ValueError, match=rf"choose one with {wanted}=…"):
            train(experiment, run=two / f"run {wanted}")
        experiment = experiment.override(f"{wanted}={chosen}")
    assert train(experiment, run=two / "run").description.experiment.task.kind == task


def test_a_command_is_completed_by_its_remedy(two):
    file = str(two / "two.mat")
    (two / "e.yml").write_text(
        f"task: {{kind: denoising, learns_from: pairs}}\ndata: {{input: ['{file}'], truth: ['{file}']}}\nnetwork: {{kind: ridge}}\n"
    )
    for start in [
        ["train", str(two / "e.yml")],
        ["evaluate", file, file, "--task", "denoising", "--source", file],
    ]:
        arguments = list(start)
        for option in ["--dataset", "--truth-dataset", "--source-dataset"][: 3 if start[0] == "evaluate" else 2]:
            assert option in command([start[0], "--help"], 0)
        for _ in range(4):
            run = ["--run", str(two / str(len(arguments)))] if start[0] == "train" else []
            result = CliRunner().invoke(app, [*arguments, *run])
            named = re.search(r"choose one with (--\S+) NAME", " ".join(result.output.split()))
            if named is None:
                break
            assert named.group(1) not in arguments  # a remedy that was followed is not named again
            arguments += [named.group(1), "after" if "truth" in named.group(1) else "before"]
        assert result.exit_code == 0, result.output


def test_a_path_instead_of_a_cube_names_how_it_is_opened(two):
    with pytest.raises(ValueError, match=r"choose one with read\(path, dataset=…\)"):
        predict("savitzky_golay", two / "two.mat")
    assert predict("savitzky_golay", read(two / "two.mat", dataset="after")).result.shape == (9, 11, 6)
    with pytest.raises(ValueError, match=r"read_labels\(path\)"):
        as_labels(str(two / "classes.mat"))
    with pytest.raises(ValueError, match="choose one with dataset=…"):
        read(two / "two.mat")
    assert isinstance(read(two / "two.mat", dataset="before"), Cube)


CASES = {
    **{f"{n} spectra, test": ("denoising", (n, 8), ("network=residual_mlp", "split.test=0.2")) for n in (2, 3)},
    **{f"{n} spectra, U-Net": ("denoising", (n, 8), ("network=unet", "network.dims=1")) for n in (2, 3)},
    "batches of one": ("denoising", (6, 8), ("network=unet", "network.dims=1", "training.batch=1")),
    "batches of one, images": ("denoising", (6, 8), ("network=unet", "network.dims=2")),
    "small image": ("denoising", (4, 4, 8), ("network=unet", "network.dims=2")),
    "few pixels hold data": ("denoising", (40, 40, 8, 2), ("network=unet", "network.dims=2")),
    "one group": ("classification", (6, 8), ("split.method=group", "network=spectral_mlp")),
    "a class in one group": ("classification", (6, 8), ("split.method=group", "network=spectral_mlp", "data.groups=[]")),
    "a spectrum a class": ("classification", (4, 8), ("network=logistic_regression",)),
}


@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
@pytest.mark.parametrize("case", CASES)
def test_settings_that_are_advised_for_few_data_lead_to_a_training(case, tmp_path):
    task, (*shape, held), overrides = CASES[case] if len(CASES[case][1]) > 3 else (CASES[case][0], (*CASES[case][1], None), CASES[case][2])
    values = np.random.default_rng(0).random(shape, np.float32) + 0.5
    if held is not None:
        values.reshape(-1, shape[-1])[held:] = 0
    groups = {"groups": ["a"] * 6 if case == "one group" else ["a", "a", "b", "b", "c", "c"]} if "group" in case else {}
    cube, truth = Cube(values, metadata=groups), np.array([1, 1, 2, 2, 1, 1][: shape[0]]) if task == "classification" else None
    experiment = Experiment.default(task, cube, truth).override("training.epochs=1")
    changes = [one for one in overrides if one != "data.groups=[]"]
    for attempt in range(5):
        experiment = experiment.override(*changes)
        try:
            train(experiment, cube, truth, run=tmp_path / str(attempt))
        except ValueError as error:
            words = str(error)
        else:
            return
        changes = re.findall(r"((?:network|split|data|training)\.\w+=[\w.]+)", words)
        assert changes, words
        changes = changes[-1:] if " or " in words.rsplit(";", 1)[-1] else changes
    pytest.fail(f"not trained after following {changes}")


def test_how_many_pixels_are_needed_is_said_with_a_number(tmp_path):
    values = np.zeros((9, 9, 6), np.float32)
    values[4, 4] = 1
    with pytest.raises(ValueError, match="1 of 81 pixels holds data, and 2 or more are needed"):
        train(Experiment().override("network=unet", "network.dims=1", "task.learns_from=bands"), Cube(values), run=tmp_path / "run")


def test_equal_spectra_count_once_and_that_is_said(tmp_path):
    cube, labels = Cube(np.ones((30, 9), np.float32) * np.arange(1, 10)), np.arange(30) % 2 + 1
    experiment = Experiment.default("classification", cube, labels)
    with pytest.raises(ValueError, match=r"at least 2 different samples, and there is 1 \(equal ones count once\)"):
        train(experiment, cube, labels, run=tmp_path / "a")
    with pytest.raises(ValueError, match="3 or more of each class, of which equal ones count once"):
        train(experiment.override("network=logistic_regression"), cube, labels, run=tmp_path / "b")


@pytest.mark.parametrize("groups", [["a"] * 5, ["a"] * 13, [["a", "b"]] * 3])
def test_groups_of_another_number_are_refused_in_words(groups, tmp_path):
    cube, labels = Cube(np.random.default_rng(0).random((12, 9), np.float32), metadata={"groups": groups}), np.arange(12) % 2 + 1
    experiment = Experiment.default("classification", cube, labels).override("split.method=group", "network=pca_lda")
    with pytest.raises(ValueError, match=r"has 12 spectra, and metadata\['groups'\] names the groups of .*; name that of each spectrum"):
        train(experiment, cube, labels, run=tmp_path / "run")
    named = Cube(cube.data, metadata={"groups": ["a", "b", "c", "d"] * 3})
    assert train(experiment, named, labels, run=tmp_path / "again").card().classes


def test_fewer_folds_than_asked_for_are_explained(tmp_path):
    cube, labels = Cube(np.random.default_rng(0).random((12, 9), np.float32)), np.arange(12) % 2 + 1
    experiment = Experiment.default("classification", cube, labels).override("split.folds=40", "network=pca_lda")
    notes = train(experiment, cube, labels, run=tmp_path / "run").card().notes
    assert any("6 folds of neighbouring spectra, and not 40: no class has more than 6 different spectra" in note for note in notes)
