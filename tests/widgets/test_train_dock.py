"""The Train dock driven as a person would: data of all kinds, what is said before, runs in the list, a training to take along."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

import napari_spectrai as spectrai
from napari_spectrai import Cube, Experiment, SpectralAxis, write
from napari_spectrai.experiment.card import read_card
from napari_spectrai.runs import Finished, RunFolder
from napari_spectrai.runs.estimate import Estimate
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.train_ready import Readiness

SHORT = ("training.epochs=3", "training.batch=16", "network.width=16", "split.validation=0.2", "training.device=cpu")


def trained(train, until, *settings):
    train.experiment = train.experiment.override(*(settings or SHORT))
    train.start()
    until(lambda: train.state == "idle")
    assert train.view.status.startswith("done"), (train.view.status, train.view._trouble.value)
    return train.run.folder


def test_the_dock_says_what_will_be_trained_on_and_draws_the_split(open_image, until):
    viewer, image, _ = open_image
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("split.method=blocks", "split.block=4", "split.validation=0.2", "split.gap=0")
    until(lambda: train.ready.examined is not None)
    counts = train.ready.examined.extent.samples
    assert f"{counts['training']} spectra train, {counts['validation']} validate" in train.ready.summary.value
    train.ready.split.native.click()
    layer = viewer.layers["image · split"]
    assert {value: int((layer.data == value).sum()) for value in (1, 2)} == {1: counts["training"], 2: counts["validation"]}
    np.testing.assert_allclose(layer.scale, image.scale[-2:])
    train.experiment = train.experiment.override("split.validation=0.5")
    until(lambda: train.ready.examined is not None)
    train.ready.split.native.click()
    assert sum(one.name == "image · split" for one in viewer.layers) == 1
    assert (viewer.layers["image · split"].data == 2).sum() > (layer.data == 2).sum()


def test_what_leaves_no_samples_is_said_before_the_start(open_image, until):
    viewer, *_ = open_image
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("split.method=blocks", "split.block=4", "split.gap=30")
    until(lambda: bool(train.ready.rest.value))
    assert "no samples are left for training" in train.ready.rest.value
    assert not train._start.enabled
    train.experiment = train.experiment.override("split.gap=0")
    until(lambda: train._start.enabled)


def test_several_layers_train_together(open_image, image_pairs, until):
    viewer, *_ = open_image
    noisy, clean = image_pairs
    train = spectrai.widgets.train(viewer)
    more = add_cube(viewer, noisy.with_data(noisy.data + 0.1), name="other")
    truth = add_cube(viewer, clean.with_data(clean.data + 0.1), name="other truth")
    pair = train.data.add()
    assert pair.input.value is more
    assert "2 inputs but 1 truths" in train.ready.problem.value
    assert not train._start.enabled
    pair.truth.value = truth
    train.experiment = train.experiment.override("split.validation=0.5")
    until(lambda: train._start.enabled and "2 cubes, 960 spectra" in train.ready.summary.value)
    folder = trained(train, until, *SHORT[:3], "split.validation=0.5", "training.device=cpu")
    assert len(folder.parts()) == 2
    pair.remove_button.native.click()
    assert len(train.data.held()[0]) == 1
    viewer.layers.remove(more)
    assert train._start.enabled


def test_files_are_read_and_their_faults_told_in_words(viewer, image_pairs, until, tmp_path):
    noisy, clean = image_pairs
    files = [str(write(cube, tmp_path / f"{name}.npz")) for cube, name in ((noisy, "noisy"), (clean, "clean"))]
    train = spectrai.widgets.train(viewer)
    train.data.source.value = "Files"
    assert "Choose the files" in train.ready.problem.value
    train.data.choose_files(files[:1], files[1:])
    until(lambda: train._start.enabled)
    assert "480 spectra × 12 bands, 400–700 nm" in train.ready.summary.value
    folder = trained(train, until)
    assert [str(path) for path in folder.experiment().data.input] == files[:1]
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK nothing")
    train.data.choose_files([str(broken)], files[1:])
    until(lambda: bool(train.data.problem.value))
    assert "broken.npz" in train.data.problem.value
    assert not train._start.enabled


def test_a_few_strokes_are_enough_to_begin_and_more_are_heeded(viewer, until):
    rng = np.random.default_rng(0)
    data = rng.normal(0, 0.1, (24, 24, 6)).astype(np.float32)
    data[:, 12:] += 1
    add_cube(viewer, Cube(data, SpectralAxis(np.linspace(400, 700, 6), "nm"), name="cells"))
    train = spectrai.widgets.train(viewer)
    train.form.task.value = "segmentation"
    assert "paint a few strokes" in train.ready.problem.value
    train.data._paint.native.click()
    strokes = viewer.layers["cells · strokes"]
    assert (strokes.mode, train.data.first.truth.value) == ("paint", strokes)
    assert "no class at all" in train.ready.problem.value
    strokes.brush_size = 5
    for row in (4, 12, 19):
        strokes.paint((row, 4), 1)
        strokes.paint((row, 18), 2)
    until(lambda: train._start.enabled and "2 classes" in train.ready.summary.value)
    before = train.ready.examined.extent.samples["training"]
    strokes.paint((8, 8), 1)
    until(lambda: train.ready.examined is not None and train.ready.examined.extent.samples["training"] > before)
    strokes.undo()
    until(lambda: train.ready.examined is not None and train.ready.examined.extent.samples["training"] == before)


def test_presets_set_the_length_and_own_settings_stay(open_pairs):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    usual = train.experiment.training.epochs
    train.form.preset.value = "quick"
    assert train.experiment.training.epochs == round(usual / 6)
    train.form.preset.value = "best"
    assert train.experiment.training.epochs == 2 * usual
    train.experiment = train.experiment.override("split.validation=0.3")
    assert train.form.preset.value == "best"  # of the length only
    train.form.preset.value = "balanced"
    assert (train.experiment.training.epochs, train.experiment.split.validation) == (usual, 0.3)
    train.experiment = train.experiment.override("network.width=32")
    assert train.form.preset.value == "own"
    viewer.add_points(np.zeros((1, 2)))  # other layers come and go
    assert train.experiment.network.width == 32
    train.form.preset.value = "quick"
    assert train.experiment.network.width != 32
    assert train.experiment.split.validation == 0.3


def test_the_time_and_memory_are_tried_in_a_process_and_told(open_pairs, until, monkeypatch):
    viewer, *_ = open_pairs
    monkeypatch.setattr(Readiness, "measures", True)
    train = spectrai.widgets.train(viewer)
    until(lambda: "trying a few steps" in train.ready.time.value)
    until(lambda: "for the network" in train.ready.time.value)
    assert "CPU core" in train.ready.time.value
    assert "no GPU" in train.ready.time.value
    assert all("· about" in label for label, kind in train.form._presets() if kind != "own")
    train.form.preset.value = "quick"  # the same step, fewer times: known at once
    until(lambda: "for the network" in train.ready.time.value)
    assert not train.ready.estimating.busy
    huge = Estimate(0.1, 0.1, 5, 10**15, "cpu", "fp32", "2 CPU cores")
    train.ready._on_estimate([huge] * 4)
    assert "of memory and" in train.ready.rest.value
    assert not train._start.enabled


def test_runs_are_compared_renamed_reopened_and_deleted(open_pairs, until, monkeypatch):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    first = trained(train, until)
    second = trained(train, until, *SHORT[:2], "network.width=32", *SHORT[3:])
    until(lambda: [(row.path, row.state) for row in train.runs.table.rows] == [(second.path, "finished"), (first.path, "finished")])
    assert [row[1:] for row in train.runs.table.text()] == [[f"{row.figure:.3g}", "finished"] for row in train.runs.table.rows]
    train.runs.table.tick(first.path)
    train.runs.table.tick(second.path)
    until(lambda: {"noisy (1)", "noisy (2)"} <= set(train.view.curves.names()))
    train.runs.table.tick(second.path, on=False)
    until(lambda: "noisy" in train.view.curves.names() and "noisy (2)" not in train.view.curves.names())
    train.runs.choose(first.path)
    train.runs.rename("narrow")
    until(lambda: "narrow" in [row.name for row in train.runs.table.rows])
    assert read_card(first.best).name == "narrow"
    assert train.runs.chosen.path == first.path
    train.runs.reopen.native.click()
    assert train.experiment.network.width == 16
    until(lambda: train.view.status.startswith("done"))
    assert len(train.view.curves.data("validation")[0]) == 3
    train.runs.delete()
    until(lambda: [row.path for row in train.runs.table.rows] == [second.path])
    assert not first.path.exists()
    assert train.experiment.network.width == 16


def test_predict_with_what_was_trained(open_pairs, until):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    assert not train._apply.visible
    folder = trained(train, until)
    train._apply.native.click()
    assert spectrai.widgets.predict(viewer).model == folder.best


def test_a_training_is_taken_along(open_pairs, until, tmp_path):
    viewer, noisy, _ = open_pairs
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override(*SHORT)
    train.keeping.save(tmp_path / "mine.yml")
    until(lambda: "saved" in train.view.status)
    kept = Experiment.load(tmp_path / "mine.yml")
    assert kept.network.width == 16
    np.testing.assert_array_equal(spectrai.read(kept.data.input[0]).numpy(), spectrai.as_cube(noisy).numpy())
    train.keeping.copy_command()
    until(lambda: "command is on the clipboard" in train.view.status)
    assert QApplication.clipboard().text().startswith("napari-spectrai train ")
    train.keeping.copy_script()
    until(lambda: "script is on the clipboard" in train.view.status)
    compile(QApplication.clipboard().text(), "script", "exec")


def test_what_the_console_launches_is_followed(open_pairs, until):
    viewer, noisy, truth = open_pairs
    train = spectrai.widgets.train(viewer)
    run = spectrai.launch(Experiment().override(*SHORT), noisy, truth)
    until(lambda: train.state != "idle")
    until(lambda: train.state == "idle")
    assert train.view.status.startswith("done")
    assert train.run.folder.path == run.folder.path
    assert isinstance(list(run.events())[-1], Finished)


def test_a_run_at_work_elsewhere_is_followed_from_the_list(open_pairs, until, pairs):
    viewer, *_ = open_pairs
    other = spectrai.launch(Experiment().override("training.epochs=100000", "training.schedule=constant", *SHORT[1:]), *pairs)
    until(lambda: RunFolder(other.folder.path).state() == "running")
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))
    train.runs.choose(other.folder.path)
    assert train.runs.resume.text == "Follow"
    train.runs.resume.native.click()
    until(lambda: train.state == "running")
    until(lambda: "epoch" in train.view.status)
    assert not train.runs.delete_button.enabled
    train.stop()
    until(lambda: train.state == "idle")
    assert "can be resumed" in train.view.status
    other.wait(20)


@pytest.mark.parametrize("button", ["_start", "_pause", "_stop"])
def test_clicking_everything_twice_starts_one_run(open_pairs, until, button):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("training.epochs=100000", "training.schedule=constant", *SHORT[1:])
    for _ in range(2):
        train._start.native.click()
    until(lambda: train.state == "running")
    for _ in range(2):
        getattr(train, button).native.click()
    until(lambda: train.state in ("running", "paused", "idle"))
    if train.state != "idle":
        train.stop()
    until(lambda: train.state == "idle")
    assert len(list(train.run.folder.path.parent.iterdir())) == 1
