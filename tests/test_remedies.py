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
