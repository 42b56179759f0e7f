"""What a training will be, told before it begins; runs in a list; a training to take along."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, SpectralAxis, fit, write
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.learn.fit import follow
from napari_spectrai.learn.train.step_timing import time_steps
from napari_spectrai.plan import subsets
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.presets import PRESETS, preset
from napari_spectrai.plan.size import Extent, extent
from napari_spectrai.plan.truths import from_files, gather
from napari_spectrai.runs import RunFolder, Started, estimate, export, history
from napari_spectrai.runs.estimate import Question, questioned


def planned(experiment, cube, truth=None):
    cubes, truths = gather(experiment, [cube], None if truth is None else [truth])
    division = divide(experiment, cubes, truths)
    return division, extent(experiment, cubes, truths, division), cubes, truths


def scene(bands=8):
    rng = np.random.default_rng(0)
    classes = np.zeros((30, 30), int)
    classes[2:12, 2:28], classes[16:28, 2:28] = 1, 2
    data = (rng.normal(0, 0.1, (30, 30, bands)) + classes[..., None]).astype(np.float32)
    return Cube(data, SpectralAxis(np.linspace(400, 700, bands), "nm"), name="scene"), Labels(classes, {1: "water", 2: "soil"})


@pytest.mark.parametrize("name", ["map.zarr", "map.ome.zarr"])
def test_a_format_that_is_a_folder_is_no_folder_of_classes(tmp_path, name):
    cube, truth = scene()
    path = write(cube, tmp_path / name)
    experiment = Experiment.from_mapping({"task": {"kind": "segmentation"}, "data": {"input": [path]}})
    with pytest.raises(ValueError, match="must contain one folder per class"):
        from_files(experiment)
    labels = write_labels(truth, tmp_path / "classes.zarr")
    cubes, truths = from_files(experiment.override(f"data.truth=[{labels}]"))
    assert (cubes[0].shape, truths[0].shape) == (cube.shape, truth.shape)


# ---------------------------------------------------------------- how large it is


@pytest.mark.parametrize("settings", [(), ("network=unet", "network.dims=2", "network.width=8", "data.patch=8", "split.gap=0")])
def test_predicted_sizes_equal_those_of_the_training(image_pairs, tmp_path, settings):
    noisy, clean = image_pairs
    experiment = Experiment().override("training.epochs=1", "training.batch=16", "split.validation=0.3", "training.device=cpu", *settings)
    _, large, *_ = planned(experiment, noisy, clean)
    follow(fit(experiment, noisy, clean, run=tmp_path / "run"))
    (started,) = (event for event in RunFolder(tmp_path / "run").events() if isinstance(event, Started))
    assert (large.samples["training"], large.samples["validation"]) == (started.training, started.validation)
    assert large.data_bytes >= 4 * (noisy.data.size + clean.data.size)


def test_the_words_name_cubes_patches_and_the_rarest_class():
    cube, labels = scene()
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network=unet", "network.dims=2", "network.depth=1", "data.patch=8"
    )
    division, large, *_ = planned(experiment, cube, labels)
    assert large.words.startswith("900 spectra × 8 bands, 400–700 nm\n")
    assert f"{large.samples['training']:,} patches of 8 × 8 pixels for training" in large.words
    assert "2 classes, rarest 'water' 45 %, 328 pixels unlabelled" in large.words
    assert division.of_classes().tolist() == [260, 312]
    for chosen, folds in (("network=automatic", 5), ("split.folds=9", 9)):
        _, crossed, *_ = planned(experiment.override(chosen), cube, labels)
        assert f"each held out once in up to {folds} folds" in crossed.words
        assert "for validation" not in crossed.words
    two = Experiment().override("split.validation=0.5")
    cubes, truths = gather(
        two, [cube, cube.with_data(cube.data + 1, name="b")], [cube.with_data(cube.data * 2), cube.with_data(cube.data * 3)]
    )
    assert extent(two, cubes, truths, divide(two, cubes, truths)).words.startswith("2 cubes, 1,800 spectra")


def test_the_split_before_is_the_split_of_the_run(image_pairs, quick, tmp_path):
    noisy, clean = image_pairs
    experiment = quick("split.method=blocks", "split.block=4", "split.test=0.2", "training.epochs=1")
    division, *_ = planned(experiment, noisy, clean)
    follow(fit(experiment, noisy, clean, run=tmp_path / "run"))
    (shown,), (kept,) = subsets.as_labels(division.maps), RunFolder(tmp_path / "run").parts()
    np.testing.assert_array_equal(shown.data, kept.data)
    assert shown.shape == noisy.spatial_shape
    assert {1, 2, 3} <= set(np.unique(shown.data))


# ---------------------------------------------------------------- how long it takes


def test_presets_differ_in_length_and_forget_over_the_same_share_of_it():
    usual = Experiment().override("training.epochs=60", "training.ema=0.99", "network.width=64")
    short, same, long = (preset(usual, kind) for kind in PRESETS)
    assert [e.training.epochs for e in (short, same, long)] == [10, 60, 120]
    assert same == usual
    assert [e.network.width for e in (short, same, long)] == [64, 64, 128]
    widest = type(usual.network).model_fields["width"].metadata[-1].le
    assert preset(usual.override(f"network.width={widest}"), "best").network.width == widest
    assert preset(usual.override("network=ridge"), "best").training.epochs == 120
    for other in (short, long):
        assert (1 - other.training.ema) * other.training.epochs == pytest.approx(0.6, rel=0.01)
    assert preset(usual.override("training.ema=0"), "best").training.ema == 0
    with pytest.raises(ValueError, match="no preset 'slow'; choose one of quick, balanced, best"):
        preset(usual, "slow")


TRIED = ("residual_mlp", "unet", "rcan", "local_means_mlp", "spectral_mlp", "resnet", "ridge", "svm")


@pytest.mark.parametrize("kind", TRIED)
def test_a_few_steps_estimate_time_and_memory(kind, image_pairs):
    cube, labels = scene()
    task = next(task for task in ("denoising", "super_resolution", "segmentation", "classification") if task in networks[kind].tasks)
    truth = {"denoising": cube.with_data(cube.data * 2, name="t"), "super_resolution": None}.get(task, labels)
    small = ("training.batch=8", "data.patch=8", "training.device=cpu")
    experiment = Experiment.default(task, cube, truth).override(f"network={kind}", *small)
    if kind == "resnet":
        experiment = experiment.override("network.dims=1", "network.width=8")
    _, large, cubes, truths = planned(experiment, cube, truth)
    question = questioned(experiment, large, cubes, truths)
    found = time_steps(Question.from_json(question.to_json()))
    assert found.process_bytes > 50e6
    assert "CPU" in found.where
    if not networks[kind].classical:
        assert found.seconds_per_step > 0
        assert found.parameters > 0
        once = found.seconds(experiment, large)
        assert found.seconds(experiment.override(f"training.epochs={2 * experiment.training.epochs}"), large) == pytest.approx(2 * once)


def test_estimates_are_remembered_whatever_the_length(image_pairs, monkeypatch):
    experiment = Experiment()
    _, large, cubes, truths = planned(experiment, *image_pairs)
    question = questioned(experiment, large, cubes, truths)
    assert estimate.remembered([question]) is None
    found = estimate.Estimate(0.1, 0.01, 5, 6, "cpu", "fp32", "2 CPU cores")
    estimate.remember([question], [found])
    longer = questioned(experiment.override("training.epochs=7"), large, cubes, truths)
    wider = questioned(experiment.override("network.width=16"), large, cubes, truths)
    assert estimate.remembered([longer]) == [found]
    assert estimate.remembered([longer, wider]) is None
    with monkeypatch.context() as other:  # which may measure in another way
        other.setattr(estimate, "_version", lambda name: f"another version of {name}")
        assert estimate.remembered([question]) is None
    estimate._memory().write_text("{damaged")
    assert estimate.remembered([question]) is None


def test_an_estimate_includes_classical_methods_and_names_the_longest():
    size = Extent({"training": 200, "validation": 50}, 1, 20, 20, 10, 0, "")
    methods = [estimate.MethodTime("ridge", 1.0, 100, 1.0), estimate.MethodTime("PDS", 30.0, 100, 1.0)]
    found = estimate.Estimate(0.1, 0.0, 5, 6, "cpu", "fp32", "2 CPU cores", methods)
    experiment = Experiment().override("training.epochs=20")
    assert found.seconds(experiment, size) == pytest.approx(20)
    assert found.in_all(experiment, size) == pytest.approx(82)
    assert "about 82 s: 20 s for the network, 62 s for classical methods, 60 s of it for PDS" in found.words(experiment, size)
    assert estimate.Estimate.from_json(json.loads(json.dumps(asdict(found)))) == found
    # of 9,000 spectra, a method takes what it is fitted to at most; settings are not chosen again for the test
    large = replace(size, samples={"training": 9000, "validation": 1000, "test": 10})
    methods = [estimate.MethodTime("SVM", 1.0, 300, 2.0, most=600, again=0.25), estimate.MethodTime("ridge", 1.0, 1000, 1.0)]
    assert replace(found, methods=methods).by_method(experiment, large) == pytest.approx({"SVM": 5, "ridge": 19})


def test_an_estimate_of_a_choice_says_which_candidates_have_no_time():
    size = Extent({"training": 80, "validation": 20}, 1, 20, 3, 10, 0, "")
    methods = [estimate.MethodTime(name, seconds, 100, 1.0) for name, seconds in (("logistic", 1.0), ("forest", 5.0), ("MLP", 90.0))]
    found = estimate.Estimate(0.0, 0.0, 0, 6, "cpu", "fp32", "2 CPU cores", methods)
    choice = Experiment.from_mapping({"task": "segmentation", "network": "automatic"})
    words = found.words(choice, size)
    assert "about 36 s to compare 2 methods by cross-validation, 30 s of it for forest; no time for MLP" in words
    assert found.in_all(choice, size) == pytest.approx(36)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (75, "75 s"), (600, "10 min"), (9000, "2.5 h"), (4e5, "5 days")])
def test_times_as_a_person_would_say_them(seconds, words):
    assert estimate.duration(seconds) == words


# ---------------------------------------------------------------- runs in a list


@pytest.fixture
def run(pairs, quick):
    """A finished run in the default folder."""
    experiment = quick("training.epochs=2", "split.test=0.2").model_copy(update={"name": "first"})
    folder = RunFolder.create(experiment)
    _, finished = follow(fit(experiment, *pairs, run=folder.path))
    return folder, finished


def test_a_row_shows_the_best_score_of_a_run_and_of_the_baselines(run):
    folder, finished = run
    (row,) = history.summaries()
    assert (row.name, row.task, row.network, row.state) == ("first", "Denoising", "Residual MLP", "finished")
    baselines = {name: figures["mse"] for name, figures in finished.scores["test"].items() if name not in ("network", "raw")}
    assert (row.metric, row.part) == ("mse", "test")
    assert row.score == finished.scores["test"]["network"]["mse"]
    assert (row.baseline_name, row.baseline) == min(baselines.items(), key=lambda pair: pair[1])
    epochs, values, metric = history.curve(folder)
    assert (epochs, metric) == ([1, 2], "mse")
    assert min(values) == pytest.approx(finished.scores["validation"]["network"]["mse"], rel=0.2)


def test_a_run_is_renamed_with_its_model_and_deleted(run, pairs):
    from napari_spectrai import Model, predict

    folder, _ = run
    before = predict(folder.best, pairs[0]).result.numpy()
    history.rename(folder, "  cells, 5 mW ")
    assert history.summaries()[0].name == read_card(folder.best).name == read_card(folder.last).name == "cells, 5 mW"
    assert Model.load(folder.best).description.experiment.name == "cells, 5 mW"
    np.testing.assert_array_equal(predict(folder.best, pairs[0]).result.numpy(), before)
    with pytest.raises(ValueError, match="the name is empty"):
        history.rename(folder, " ")
    folder.claim()
    for forbidden in (lambda: history.rename(folder, "x"), lambda: history.delete(folder)):
        with pytest.raises(RuntimeError, match="stop the run before it is"):
            forbidden()
    folder.release()
    history.delete(folder)
    assert not folder.path.exists()
    assert history.summaries() == []


def test_nothing_but_a_run_is_deleted(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(ValueError, match="contains no run"):
        history.delete(RunFolder(tmp_path / "letters"))
    assert (tmp_path / "letters" / "a.txt").exists()


# ---------------------------------------------------------------- to take along


def test_a_kept_experiment_its_command_and_its_script_repeat_the_run(pairs, quick, tmp_path):
    experiment = quick("training.epochs=2")
    model, _ = follow(fit(experiment, *pairs, run=tmp_path / "here"))
    path = export.keep(experiment, *pairs)
    line = export.command(path).split()
    assert line[:2] == ["napari-spectrai", "train"]
    command = [sys.executable, "-m", "napari_spectrai", *line[1:], "--run", str(tmp_path / "command")]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    (tmp_path / "again.py").write_text(export.script(path))
    subprocess.run([sys.executable, str(tmp_path / "again.py")], check=True, capture_output=True, timeout=900, cwd=tmp_path)
    from_script = max((tmp_path / "runs").glob("*/best.safetensors"), key=lambda p: p.stat().st_mtime)
    expected = model.description.scores["validation"]["network"]
    for best in (tmp_path / "command" / "best.safetensors", from_script):
        assert read_card(best).scores["validation"]["network"] == pytest.approx(expected)


def test_the_same_training_is_kept_once(pairs, quick):
    kept = export.keep(quick(), *pairs)
    assert export.keep(quick(), *pairs) == kept
    changed = pairs[1].with_data(np.where(np.arange(pairs[1].data.size).reshape(pairs[1].shape) == 7, 0, pairs[1].data))
    others = {export.keep(quick("training.seed=5"), *pairs), export.keep(quick(), pairs[0], changed), kept}
    assert len(others) == 3


def test_a_kept_experiment_names_the_files_that_hold_its_data(pairs, tmp_path):
    from napari_spectrai import read, write

    source = read(write(pairs[0], tmp_path / "in.zarr"))
    path = export.keep(Experiment(), source, pairs[1], tmp_path / "kept" / "one.yml")
    data = Experiment.load(path).data
    assert data.input == [tmp_path / "in.zarr"]
    assert data.truth[0].is_relative_to(tmp_path / "kept" / "one")
    with pytest.raises(ValueError, match=r"name it \.yml"):
        export.keep(Experiment(), *pairs, tmp_path / "one.txt")


@pytest.mark.parametrize("shape", [(24, 20), (35, 25), (60, 60), (2, 28, 28), (96, 96)])
def test_what_suits_a_small_map_leaves_samples_to_learn_from(shape):
    cube = Cube(np.random.default_rng(0).random((*shape, 8), np.float32))
    experiment = Experiment.default("denoising", cube)
    division = divide(experiment, [cube], [])
    counts = division.counts()
    assert counts["training"] >= 8
    assert counts["validation"] >= 1
