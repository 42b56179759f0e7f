"""The Train dock driven as a person would: data of all kinds, what is said before, runs in the list, a training to take along."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication, QMessageBox

import napari_spectrai as spectrai
from napari_spectrai import Cube, Experiment, SpectralAxis, write
from napari_spectrai.experiment.card import read_card
from napari_spectrai.reports.fold_table import FoldTable
from napari_spectrai.runs import Compared, Confusion, Epoch, Finished, Fold, Patch, Preview, RunFolder, Stage, Started
from napari_spectrai.runs.estimate import Estimate
from napari_spectrai.widgets.layers import add_cube, choose_dimension
from napari_spectrai.widgets.train_dock import fold_scores
from napari_spectrai.widgets.train_dock.train_checks import TrainingChecks

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
    assert f"{counts['training']} spectra for training, {counts['validation']} for validation" in train.ready.summary.value
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
    pair = train.data.layers.add()
    assert pair.input.value is more
    assert pair.truth.value is truth
    train.experiment = train.experiment.override("split.validation=0.5")
    until(lambda: train._start.enabled and "2 cubes, 960 spectra" in train.ready.summary.value)
    folder = trained(train, until, *SHORT[:3], "split.validation=0.5", "training.device=cpu")
    assert len(folder.parts()) == 2
    pair.remove_button.native.click()
    assert len(train.data.held()[0]) == 1
    viewer.layers.remove(more)
    assert train._start.enabled


def test_what_is_missing_in_one_of_several_pairs_is_said_with_its_name(open_image, image_pairs):
    viewer, image, truth = open_image
    train = spectrai.widgets.train(viewer)
    assert not train.data.first.remove_button.visible
    more = add_cube(viewer, image_pairs[0].with_data(image_pairs[0].data + 0.1), name="other")
    train.data.layers.add()
    assert "Choose the truth of 'other', or remove the pair." in train.ready.problem.value
    train.data.layers.pairs[1].truth.value = truth
    assert not train.ready.problem.value
    viewer.layers.remove(more)
    assert "'other' was removed; choose a layer, or remove the pair." in train.ready.problem.value
    assert not train._start.enabled
    train.data.layers.pairs[1].remove_button.native.click()
    assert not train.ready.problem.value
    pair = train.data.layers.add()
    pair.input.value = image
    train.data.first.remove_button.native.click()
    assert (train.data.first, train.data.source_layers) == (pair, [image])


@pytest.mark.parametrize("other_layers", [False, True])
def test_an_experiment_is_opened_with_its_settings_and_files(viewer, image_pairs, until, tmp_path, other_layers):
    """Not with the defaults for its data, whatever task the form shows before, and whatever layers there are."""
    files = [write(cube, tmp_path / f"{name}.zarr") for name, cube in zip(("input", "truth"), image_pairs, strict=True)]
    settings = ("network=unet", "network.width=24", "training.epochs=7", "preparation=[]", "split.validation=0.4")
    document = Experiment().override(*settings, f"data.input=[{files[0]}]", f"data.truth=[{files[1]}]")
    document.save(tmp_path / "mine.yml")
    if other_layers:
        add_cube(viewer, image_pairs[0].with_data(image_pairs[0].data[:7]), name="other")
    train = spectrai.widgets.train(viewer)
    train.form.task.value = "segmentation"
    train.documents.open(tmp_path / "mine.yml")
    until(lambda: train._start.enabled)
    assert train.experiment.model_copy(update={"name": ""}) == document
    train.data.source.value = "Layers"
    add_cube(viewer, image_pairs[0], name="more")
    assert train.experiment.network == document.network
    train.form.task.value = "calibration"  # which has defaults of its own
    assert train.experiment.network != document.network


def test_files_that_are_no_experiments_are_refused_in_words(viewer, tmp_path):
    train = spectrai.widgets.train(viewer)
    (tmp_path / "wrong.yml").write_text("task: {kind: dancing}\ntraining: {epochs: -3}\n")
    notification_manager.records.clear()
    train.documents.open(tmp_path / "wrong.yml")
    (note,) = notification_manager.records
    assert "there is no task 'dancing'" in note.message
    assert "training.epochs: -3" in note.message


@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
def test_files_are_checked_as_the_run_reads_them(viewer, image_pairs, until, tmp_path):
    """With the array, the spectral dimension and the positions of the form."""
    noisy, clean = image_pairs
    values = np.moveaxis(np.asarray(noisy.data), -1, 0)
    np.savez(tmp_path / "noisy.npz", first=values, second=values)
    np.savez(tmp_path / "clean.npz", clean=np.moveaxis(np.asarray(clean.data), -1, 0))
    train = spectrai.widgets.train(viewer)
    train.data.source.value = "Files"
    train.data.choose_files([str(tmp_path / "noisy.npz")], [str(tmp_path / "clean.npz")])
    until(lambda: "several arrays" in train.data.problem.value)
    for name, value in {"dataset": "second", "spectral": 0, "axis": "400:700:nm"}.items():
        train.form.parts["data"]._parts[name].editor.value = value
    until(lambda: train._start.enabled)
    assert "480 spectra × 12 bands, 400–700 nm" in train.ready.summary.value
    assert train.experiment.data.dataset == "second"


def test_files_are_read_and_their_faults_reported(viewer, image_pairs, until, tmp_path):
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


def test_a_few_strokes_suffice_to_start_and_more_are_used(viewer, until):
    rng = np.random.default_rng(0)
    data = rng.normal(0, 0.1, (24, 24, 6)).astype(np.float32)
    data[:, 12:] += 1
    add_cube(viewer, Cube(data, SpectralAxis(np.linspace(400, 700, 6), "nm"), name="cells"))
    train = spectrai.widgets.train(viewer)
    train.form.task.value = "segmentation"
    assert "paint a few strokes" in train.ready.problem.value
    train.data.layers.paint_button.native.click()
    strokes = viewer.layers["cells · strokes"]
    assert (strokes.mode, train.data.first.truth.value) == ("paint", strokes)
    assert "no class" in train.ready.problem.value
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


def test_time_and_memory_are_measured_in_a_process_and_shown(open_pairs, until, monkeypatch):
    viewer, *_ = open_pairs
    monkeypatch.setattr(TrainingChecks, "measures", True)
    train = spectrai.widgets.train(viewer)
    until(lambda: "estimating the training time" in train.ready.time.value)
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
    assert [row[1:] for row in train.runs.table.text()] == [[f"{row.score:.3g}", "finished"] for row in train.runs.table.rows]
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


def test_a_training_is_exported_for_another_computer(open_pairs, until, tmp_path):
    viewer, noisy, _ = open_pairs
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override(*SHORT)
    train.documents.save(tmp_path / "mine.yml")
    until(lambda: "saved" in train.view.status)
    kept = Experiment.load(tmp_path / "mine.yml")
    assert kept.network.width == 16
    np.testing.assert_array_equal(spectrai.read(kept.data.input[0]).numpy(), spectrai.as_cube(noisy).numpy())
    train.documents.copy_command()
    until(lambda: "command was copied to the clipboard" in train.view.status)
    assert QApplication.clipboard().text().startswith("napari-spectrai train ")
    train.documents.copy_script()
    until(lambda: "script was copied to the clipboard" in train.view.status)
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


def test_a_run_of_another_process_is_followed_from_the_list(open_pairs, until, pairs):
    viewer, *_ = open_pairs
    other = spectrai.launch(Experiment().override("training.epochs=100000", "training.schedule=constant", *SHORT[1:]), *pairs)
    until(lambda: RunFolder(other.folder.path).state() == "running")
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))
    train.runs.choose(other.folder.path)
    assert train.runs.resume.text == "Follow"
    train.runs.resume.native.click()
    until(lambda: train.state == "running")
    until(other.folder.best.exists)  # after its first epoch
    assert not train.runs.delete_button.enabled
    train.stop()
    until(lambda: train.state == "idle")
    assert "can be resumed" in train.view.status
    other.wait(900)


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


@pytest.fixture
def cells(viewer, until):
    """The window with an image, the Train dock set to segmentation, and strokes of two classes."""
    rng = np.random.default_rng(0)
    image = add_cube(viewer, Cube(rng.random((24, 24, 6), np.float32), SpectralAxis(np.linspace(400, 700, 6), "nm"), name="cells"))
    train = spectrai.widgets.train(viewer)
    train.form.task.value = "segmentation"
    strokes = train.data.layers.paint()
    marked = strokes.data
    marked[:, :4], marked[:, -4:] = 1, 2
    strokes.data = marked
    until(lambda: train.ready.split.enabled)
    return viewer, train, image, strokes


def test_what_was_chosen_stays_while_layers_and_tasks_come_and_go(cells):
    viewer, train, image, strokes = cells
    train.ready.split.native.click()
    assert "cells · split" in viewer.layers
    train.form.task.value = "denoising"
    image.name = "other"  # the strokes are no truth here, and are not offered
    assert (train.data.first.input.value, train.data.first.truth.value) == (image, None)
    train.form.task.value = "segmentation"
    assert train.data.first.truth.value == strokes
    viewer.layers.remove(strokes)
    assert train.data.first.truth.value is None  # a split is no truth
    assert strokes not in train.data.first.truths.values()


def test_an_input_called_truth_stays_when_a_person_has_chosen_it(open_pairs):
    viewer, noisy, truth = open_pairs
    train = spectrai.widgets.train(viewer)
    assert train.data.first.input.value is noisy
    train.data.first.input.value, train.data.first.truth.value = truth, noisy
    viewer.add_points(np.zeros((1, 2)))
    assert (train.data.first.input.value, train.data.first.truth.value) == (truth, noisy)


def test_a_preset_suits_the_data_there_are_when_it_is_chosen(viewer):
    few = Cube(np.ones((40, 20), np.float32), name="few")
    many = Cube(np.ones((20_000, 20), np.float32), name="many")
    train = spectrai.widgets.train(viewer)
    train.data.first.input.value, train.data.first.truth.value = add_cube(viewer, few), add_cube(viewer, few, name="few truth")
    train.experiment = train.experiment.override("network.width=24")
    train.data.first.input.value, train.data.first.truth.value = add_cube(viewer, many), add_cube(viewer, many, name="many truth")
    assert train.form.preset.value == "own"
    train.form.preset.value = "balanced"
    assert train.experiment.training.epochs == Experiment.default("denoising", many, many).training.epochs


def test_the_split_lies_over_spectra_with_their_bands_last_and_over_series_of_volumes(viewer, until):
    rng = np.random.default_rng(0)
    layer = viewer.add_image(rng.random((100, 20), np.float32), name="set")
    choose_dimension(layer, 1)
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("split.validation=0.5")
    until(lambda: train.ready.split.enabled)
    train.ready.split.native.click()
    split = viewer.layers["set · split"].data
    assert split.shape == (100, 20)
    assert (split == split[:, :1]).all()
    series = viewer.add_image(rng.random((4, 2, 3, 24, 24), np.float32), name="series")
    choose_dimension(series, 0)
    train.data.first.input.value = series
    train.experiment = train.experiment.override("task.learns_from=bands", "data.patch=4", "network=unet")
    until(lambda: train.ready.examined is not None and train.ready.examined.division.shapes == [(6, 24, 24)])
    train.ready.split.native.click()
    assert viewer.layers["series · split"].data.shape == (2, 3, 24, 24)


def test_files_of_one_name_are_distinguished_and_may_share_a_truth(viewer, pairs, until, tmp_path):
    noisy, clean = pairs
    files = [write(noisy, tmp_path / folder / "map.npz") for folder in ("first", "second")]
    truth = write(clean, tmp_path / "clean.npz")
    train = spectrai.widgets.train(viewer)
    train.data.choose_files(files, [truth, truth])
    until(lambda: train.ready.is_ready)
    assert train.experiment.data.truth == [truth, truth]
    shown = train.data.inputs._shown
    assert [shown.native.item(row).text() for row in range(2)] == ["first/map.npz", "second/map.npz"]
    shown.value = [1]
    train.data.inputs._remove.native.click()
    assert train.data.inputs.paths == files[:1]
    train.data.inputs.paths = [files[0], files[0]]  # the same spectra twice would be in two parts
    assert train.data.inputs.paths == files[:1]


def _made_run(folder, name):
    run = RunFolder.create(Experiment(name=name), folder / f"20260101-000000-{name}")
    run.append(Started("cpu", "fp32", 2, 4, 1, 2, 10, "mse", {}))
    for epoch in (1, 2):
        run.append(Epoch(epoch, 2, 0.1, 0.1, {}, 1e-3, True, 1.0, 0.0))
    return run


def test_a_deletion_is_of_the_run_asked_about_and_its_curve_goes(viewer, runs_folder, until, monkeypatch):
    first, second = (_made_run(runs_folder, name) for name in ("first", "second"))
    train = spectrai.widgets.train(viewer)
    until(lambda: len(train.runs.table.rows) == 2)
    train.runs.table.tick(first.path)
    train.runs.table.tick(second.path)
    until(lambda: {"first", "second"} <= set(train.view.curves.names()))
    train.runs.choose(first.path)

    def asked(*_):
        train.runs.choose(second.path)  # as the end of a run does, while the question stands
        return QMessageBox.StandardButton.Discard

    monkeypatch.setattr(QMessageBox, "question", asked)
    train.runs.delete_button.native.click()
    until(lambda: [row.path for row in train.runs.table.rows] == [second.path])
    assert second.path.exists()
    until(lambda: train.view.curves.names() == ["second"])
    train.runs.rename("other")
    until(lambda: train.view.curves.names() == ["other"])


def test_a_damaged_journal_is_reported(viewer, runs_folder, until, capture_notifications):
    run = _made_run(runs_folder, "broken")
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))
    run.journal.write_text('{"event": "Epoch"}\n')
    train.runs.table.tick(run.path)
    until(lambda: "damaged or of another version" in train.view.status)
    assert not capture_notifications


@pytest.fixture
def capture_notifications():
    """Return what napari would show as an error, with its traceback."""
    found = []
    notification_manager.notification_ready.connect(found.append)
    yield found
    notification_manager.notification_ready.disconnect(found.append)


def test_a_curve_read_late_is_not_drawn_over_another_run(open_pairs, runs_folder, until, monkeypatch, qtbot):
    viewer, *_ = open_pairs
    run = _made_run(runs_folder, "slow")
    go_on = threading.Event()
    told = RunFolder.events
    monkeypatch.setattr(RunFolder, "events", lambda folder: go_on.wait(900) and told(folder))
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))
    train.view.replay(run)
    train.view.begin("another")
    go_on.set()
    qtbot.wait(300)
    assert train.view.status == "another"
    assert not train.view.curves.names()


def test_closing_the_dock_ends_its_threads_and_trials(open_pairs, until, monkeypatch, qtbot):
    monkeypatch.setattr(TrainingChecks, "measures", True)
    viewer, *_ = open_pairs
    threads = set(threading.enumerate())
    train = spectrai.widgets.train(viewer)
    until(lambda: train.ready.estimating._job is not None)
    job = train.ready.estimating._job
    assert set(threading.enumerate()) - threads
    train.start()
    viewer.window.remove_dock_widget(train.native)
    train.native.deleteLater()
    until(lambda: not job.alive and not job.folder.path.exists())
    until(lambda: not [thread for thread in set(threading.enumerate()) - threads if "napari-spectrai" in thread.name])
    qtbot.wait(300)  # the copy of the data comes back to a dock that is no more


def test_a_full_disk_does_not_keep_a_run_from_being_stopped(open_pairs, until, monkeypatch):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("training.epochs=100000", "training.schedule=constant", *SHORT[1:])
    train.start()
    until(lambda: train.state == "running")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunFolder, "say", full)
    train.pause()
    assert "No space left" in train.view.status
    train.stop()
    until(lambda: train.state == "idle")
    assert "can be resumed" in train.view.status


def test_a_plot_that_showed_classes_shows_spectra_again(viewer):
    view = spectrai.widgets.train(viewer).view
    view.begin("classes")
    view.show_events([Confusion(1, ["a", "b"], [[1, 0], [0, 1]])])
    view.begin("spectra")
    view.show_events([Preview(1, "nm", [1.0, 2.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0])])
    assert view.preview._titles["left"] == "Intensity (scaled)"
    view.previews.metadata = {"laser_nm": 532.0}  # as in the other docks
    view.previews.show([Preview(2, "1/cm", [1.0, 2.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0])])
    assert view.preview._titles["bottom"] == "Raman shift (1/cm)"


def test_what_is_learnt_from_without_truth_is_not_called_truth(viewer):
    view = spectrai.widgets.train(viewer).view
    view.begin("no truth")
    target = "held-out signal"
    view.show_events([Preview(1, "nm", [1.0, 2.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0], target),
               Patch(1, [[0, 1], [2, 3]], [[0, 1], [2, 3]], [], [], "band 1", target, [[127, 128], [0, 255]])])  # fmt: skip
    assert target in view.preview.names()
    assert "truth" not in view.preview.names()
    assert view.pictures.names() == ["input", "predicted", "removed"]


def test_a_task_set_otherwise_is_offered_what_suits_it(viewer, until):
    rng = np.random.default_rng(0)
    add_cube(viewer, Cube(rng.random((12, 32, 32, 6), np.float32), name="stack"))
    viewer.add_labels(np.repeat([1, 2], 6)[:, None, None] * np.ones((1, 32, 32), int), name="classes")
    train = spectrai.widgets.train(viewer)
    train.form.task.value = "classification"
    assert train.experiment.network.kind == "automatic"
    train.form.settings._parts["of"].editor.value = "images"
    assert train.experiment.task.of_images
    assert train.experiment.network.kind == "automatic"
    until(lambda: train.ready.examined is not None)
    assert "12 cubes" in train.ready.summary.value


def test_a_run_whose_files_are_gone_says_so_when_reopened(viewer, runs_folder, until, tmp_path):
    gone = tmp_path / "gone.npz"
    run = RunFolder.create(Experiment(name="old").override(f"data.input=[{gone}]", f"data.truth=[{gone}]", "network.width=24"))
    run.append(Finished("done"))
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))
    train.runs.choose(run.path)
    train.runs.reopen.native.click()
    until(lambda: bool(train.data.problem.value))
    assert "gone.npz: no such file" in train.data.problem.value
    assert not train.ready.problem.value
    assert train.form.main.read()["network"]["width"] == 24
    train.data.source.value = "Layers"
    assert not train.data.problem.value


def test_a_folder_that_cannot_be_written_is_reported(open_pairs, runs_folder, until, monkeypatch, capture_notifications):
    viewer, *_ = open_pairs
    stopped = _made_run(runs_folder, "stopped")
    stopped.append(Finished("stopped"))
    train = spectrai.widgets.train(viewer)
    until(lambda: bool(train.runs.table.rows))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunFolder, "say", full)
    train.start()
    until(lambda: train.state == "idle")
    assert "No space left" in train.view._trouble.value
    train.view.begin("again")
    train.runs.choose(stopped.path)
    train.resume()
    assert "No space left" in train.view._trouble.value
    assert not capture_notifications


def test_a_problem_with_a_collapsed_field_is_shown_next_to_the_choice(open_pairs):
    viewer, *_ = open_pairs
    train = spectrai.widgets.train(viewer)
    train.experiment = train.experiment.override("network=unet", "network.dims=2")
    choice = train.form.main._parts["network"]
    assert choice.problem.value.startswith("Dimensions: ")
    assert "is a set of spectra" in choice.problem.value
    assert not train._start.enabled
    choice._fold.toggle()
    train.ready.check()
    assert "is a set of spectra" in choice._settings._parts["dims"].problem.value
    assert not choice.problem.value


def test_choosing_inputs_changes_neither_what_is_learned_from_nor_the_list_of_truths(viewer, image_pairs, until, tmp_path):
    files = [str(write(cube, tmp_path / f"{name}.npz")) for cube, name in zip(image_pairs, ("noisy", "clean"), strict=True)]
    train = spectrai.widgets.train(viewer)
    train.data.source.value = "Files"
    train.data.choose_files(files[:1], [])
    until(lambda: not train.data.reading)
    assert train.form.settings.read()["learns_from"] == "pairs"
    assert train.data.truths.native.isVisibleTo(train.native)
    assert "Choose the files with the truths" in train.ready.problem.value
    train.data.choose_files(files[:1], files[1:])
    until(lambda: train._start.enabled)
    assert train.form.settings.read()["learns_from"] == "pairs"


def test_what_is_still_running_is_chosen_when_a_dock_opens(viewer, runs_folder, until):
    for name, ending in (("old", Finished("done")), ("mine", None), ("new", Finished("stopped"))):
        run = _made_run(runs_folder, name)
        if ending is None:
            run.claim()
            running = run
        else:
            run.append(ending)
    train = spectrai.widgets.train(viewer)
    until(lambda: len(train.runs.table.rows) == 3)
    assert train.runs.chosen.path == running.path
    assert (train.runs.resume.text, train.runs.resume.enabled) == ("Follow", True)
    running.release()


def test_a_run_stopped_before_others_is_not_chosen_when_a_dock_opens(viewer, runs_folder, until):
    for age, (name, reason) in enumerate((("new", "done"), ("old", "stopped"))):
        run = _made_run(runs_folder, name)
        run.append(Finished(reason))
        os.utime(run.document, (1e9 - age, 1e9 - age))
    train = spectrai.widgets.train(viewer)
    until(lambda: len(train.runs.table.rows) == 2)
    assert train.runs.chosen is None
    assert not train.runs.resume.enabled


def test_the_cross_validation_of_the_chosen_run_is_shown_below_the_list(viewer, runs_folder, until, monkeypatch):
    scores = FoldTable("Cross-validation, accuracy", ["Candidate", "Score", "Fold 1"], [["ridge", "0.9", "0.9"]], [True], ["a note"])
    for name in ("with", "without"):
        _made_run(runs_folder, name).append(Finished("done"))
    monkeypatch.setattr(fold_scores, "fold_table", lambda folder: scores if folder.path.name.endswith("-with") else None)
    train = spectrai.widgets.train(viewer)
    until(lambda: len(train.runs.table.rows) == 2)
    train.runs.choose(runs_folder / "20260101-000000-with")
    until(lambda: not train.runs.folds.native.isHidden())
    table = train.runs.folds.table
    assert [table.item(0, column).text() for column in range(3)] == ["ridge", "0.9", "0.9"]
    assert table.item(0, 0).font().bold()
    train.runs.choose(runs_folder / "20260101-000000-without")
    until(train.runs.folds.native.isHidden)


def test_classes_are_named_counted_and_painted_from_their_table(cells):
    _, train, _, strokes = cells
    table = train.data.layers.classes
    assert [(row.name, row.pixels) for row in table.rows] == [("class 1", 96), ("class 2", 96)]
    table.table.item(0, 0).setText("fat")
    assert strokes.metadata["class_names"] == {1: "fat"}
    assert spectrai.as_labels(strokes).classes()[0].name == "fat"
    table.table.item(1, 0).setText("fat")  # a name for one class only
    assert [row.name for row in table.rows] == ["fat", "class 2"]
    assert table.table.item(1, 0).text() == "class 2"
    strokes.mode = "pan_zoom"
    table.add.native.click()
    assert (strokes.selected_label, str(strokes.mode)) == (3, "paint")
    assert [(row.name, row.pixels) for row in table.rows][2] == ("class 3", 0)
    train.form.task.value = "denoising"
    assert not table.visible


def test_methods_that_need_no_training_are_applied_by_one_button(open_image, until):
    viewer, image, _ = open_image
    train = spectrai.widgets.train(viewer)
    assert "need no training" in train.result.about.value
    train.result.method.value = "savitzky_golay"
    train.result.use.native.click()
    until(lambda: not train.result.queue.busy)
    (made,) = (layer for layer in viewer.layers if layer.metadata.get("prediction", {}).get("model") == "savitzky_golay")
    assert made.data.shape == image.data.shape
    train.form.task.value = "segmentation"
    assert "need no labels" in train.result.about.value
    assert "kmeans" in train.result.method.choices


@pytest.mark.parametrize("event", [Stage("Fitting"), Fold("ridge", 1, 5, 1, 3, 9.0), Compared("ridge", "ridge")])
def test_a_process_can_be_paused_before_its_first_epoch(viewer, event):
    train = spectrai.widgets.train(viewer)
    train.view.begin("starting")
    train._set_state("starting")
    train._on_events([event])
    assert train.state == "running"
    assert train._pause.enabled
    train._set_state("idle")
