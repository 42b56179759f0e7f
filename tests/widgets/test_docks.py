"""Each dock driven as a person would, on a real canvas; the window never imports torch."""

from __future__ import annotations

import os
import signal
import sys
import warnings

import numpy as np
import pytest
from qtpy.compat import isalive
from qtpy.QtWidgets import QLabel, QPushButton

from napari_spectrai import SpectralAxis, as_cube
from napari_spectrai.runs import Epoch, RunFolder
from napari_spectrai.widgets import jobs
from napari_spectrai.widgets.dock import text
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.reason import _is_whole, _plain

LONG = ("training.epochs=100000", "training.schedule=constant", "split.validation=0.2", "network.width=16", "training.device=cpu")


def dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-spectrai", name)[1]


def begin(train, until):
    """Press Train on a run without end, and wait until it learns."""
    train.experiment = train.experiment.override(*LONG)
    train.start()
    until(lambda: train.state == "running" and "epoch" in train.view.status)


def test_spectra_under_the_cursor_at_points_and_the_slider(open_image):
    viewer, image, truth = open_image
    spectra = dock(viewer, "Spectra")
    spectra.look_at((500.0, 4.0, 6.0))
    x, y = spectra.plot.data("image")
    np.testing.assert_array_equal(x, as_cube(image).axis.values)
    np.testing.assert_allclose(y, as_cube(image).data[4, 6], rtol=1e-6)
    assert "truth" in spectra.plot.names()
    assert "(y 4, x 6)" in spectra._readout.value
    points = viewer.add_points(np.array([[500.0, 10.0, 11.0]]))
    spectra.points = points
    np.testing.assert_allclose(spectra.plot.data("image · point 1")[1], as_cube(image).data[10, 11], rtol=1e-6)
    points.add([500.0, 1.0, 2.0])
    assert "image · point 2" in spectra.plot.names()
    spectra._show.value = "maximum"
    assert spectra.plot.data("image")[1].max() == pytest.approx(1)
    viewer.layers.remove(truth)
    assert "truth" not in spectra.plot.names()


def test_the_band_line_and_the_slider_move_each_other(open_image):
    viewer, image, _ = open_image
    spectra = dock(viewer, "Spectra")
    axis = as_cube(image).axis
    viewer.dims.set_point(0, axis.values[3])
    assert spectra.plot.axis_tools.line.value() == pytest.approx(axis.values[3])
    spectra._line.on_drag(axis.values[8] + 1)
    assert viewer.dims.point[0] == pytest.approx(axis.values[8])
    assert spectra.plot.axis_tools.line.value() == pytest.approx(axis.values[8])


def test_the_spectral_dimension_of_another_readers_layer(viewer):
    data = np.random.default_rng(0).random((8, 9, 30), np.float32)
    layer = viewer.add_image(data, name="y, x, bands")
    spectra = dock(viewer, "Spectra")
    assert spectra._dimension.enabled
    spectra._dimension.value = 2
    assert as_cube(layer).shape == (8, 9, 30)
    spectra.look_at((3.0, 4.0, 0.0))
    np.testing.assert_array_equal(spectra.plot.data("y, x, bands")[1], data[3, 4])
    layer.name = "renamed"
    assert "renamed" in spectra.plot.names()
    assert "y, x, bands" not in spectra.plot.names()


def test_the_mouse_moves_the_spectrum(open_image):
    viewer, image, _ = open_image
    spectra = dock(viewer, "Spectra")

    class Event:
        position = (500.0, 2.0, 3.0)

    for callback in viewer.mouse_move_callbacks:
        callback(viewer, Event())
    np.testing.assert_allclose(spectra.plot.data("image")[1], as_cube(image).data[2, 3], rtol=1e-6)


def test_docks_without_layers_say_what_to_do(viewer):
    spectra, train, predict = (dock(viewer, name) for name in ("Spectra", "Train", "Predict"))
    assert "Open Sample" in spectra._empty.value
    assert "Open Sample" in train.ready.problem.value
    assert not train._start.enabled
    assert "Open Sample" in predict._problem.value
    assert not predict._start.enabled


def test_train_says_what_is_wrong_and_waits(open_pairs, pairs):
    viewer, _noisy, truth = open_pairs
    train = dock(viewer, "Train")
    assert train._start.enabled
    assert train.ready.summary.value == "120 spectra × 40 bands, 600–1800 1/cm"
    train.experiment = train.experiment.override("network=unet")
    train.form.main._parts["network"]._settings._parts["dims"].editor.value = 2
    assert not train._start.enabled
    assert "without neighbours" in train.form.main._parts["network"]._settings._parts["dims"].problem.value
    train.form.main._parts["network"]._settings._parts["dims"].editor.value = 1
    assert train._start.enabled
    shifted = pairs[1].with_data(pairs[1].data, axis=SpectralAxis(pairs[1].axis.values + 50, "1/cm"))
    train.data.first.truth.value = add_cube(viewer, shifted, name="shifted")
    assert "up to 50 1/cm" in train.ready.problem.value
    assert not train._start.enabled
    train.data.first.truth.value = truth
    assert train._start.enabled


@pytest.mark.own_process
def test_the_story_train_pause_resume_stop_kill_resume_predict_look(open_pairs, until):
    viewer, noisy, _ = open_pairs
    train = dock(viewer, "Train")
    begin(train, until)
    train.pause()
    until(lambda: train.state == "paused")
    train.pause()
    until(lambda: train.state == "running")
    train.stop()
    until(lambda: train.state == "idle")
    assert "can be resumed" in train.view.status
    train.resume()
    until(lambda: train.state == "running" and "epoch" in train.view.status)
    os.kill(train.run.pid, signal.SIGKILL)
    until(lambda: train.state == "idle")
    assert "killed (signal 9)" in train.view._trouble.value
    assert train.run.folder.state() == "interrupted"
    train.resume()
    until(lambda: train.state == "running" and "epoch" in train.view.status)
    epochs = [e.epoch for e in train.run.folder.events() if isinstance(e, Epoch)]
    assert epochs == list(range(1, len(epochs) + 1))
    assert {"training", "validation", "ridge"} <= set(train.view.curves.names())
    until(lambda: {"input", "predicted", "truth"} <= set(train.view.preview.names()))
    train.stop()
    until(lambda: train.state == "idle")

    predict = dock(viewer, "Predict")
    assert predict.model == train.run.folder.best
    assert "Residual MLP on top of ridge regression" in predict._description.value
    predict.layer = noisy
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith("done"), predict._problem.value
    result = viewer.layers["noisy · denoised by Residual MLP"]
    assert result.data.shape == noisy.data.shape
    assert viewer.layers.index(result) == viewer.layers.index(noisy) + 1
    assert as_cube(result).axis == as_cube(noisy).axis
    # the choices outlive the new layer
    assert predict.model == train.run.folder.best
    assert "Residual MLP on top of ridge regression" in predict._description.value
    assert train.runs.chosen.path == train.run.folder.path

    spectra = dock(viewer, "Spectra")
    spectra.look_at((20.0, 33.0))
    np.testing.assert_allclose(spectra.plot.data("noisy · denoised by Residual MLP")[1], as_cube(result).data[33], rtol=1e-6)
    assert "torch" not in sys.modules


@pytest.mark.own_process
def test_the_bundled_model_predicts_the_sample_at_once(viewer, until):
    viewer.open_sample("napari-spectrai", "raman_pairs")
    predict = dock(viewer, "Predict")
    assert "Denoising" in predict._description.value
    predict.layer = viewer.layers["Raman pairs"]
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith("done"), predict._problem.value
    denoised, truth, noisy = (
        as_cube(viewer.layers[f"Raman pairs{end}"]).numpy()[800:] for end in (" · denoised by raman denoiser", " · truth", "")
    )
    peak = noisy.max(-1, keepdims=True)
    error = np.square(denoised / peak - truth / truth.max(-1, keepdims=True)).mean()
    assert error < 0.0020
    assert "torch" not in sys.modules


def test_the_sample_is_not_learnt_backwards(viewer):
    train, predict = dock(viewer, "Train"), dock(viewer, "Predict")
    viewer.open_sample("napari-spectrai", "raman_pairs")
    assert (train.data.first.input.value.name, train.data.first.truth.value.name) == ("Raman pairs", "Raman pairs · truth")
    assert predict.layer.name == "Raman pairs"
    viewer.layers["Raman pairs"].name = "cells"
    assert train.data.first.input.value.name == "cells"
    assert predict.layer.name == "cells"
    train.data.first.truth.value = train.data.first.input.value
    assert "same data" in train.ready.problem.value
    assert not train._start.enabled
    train.start()
    assert train.state == "idle"


def test_projected_and_cut_layers_do_not_disturb(open_image):
    viewer, image, _ = open_image
    spectra = dock(viewer, "Spectra")
    viewer.add_image(np.asarray(image.data).max(0), metadata=image.metadata, name="projected")
    image.data = image.data[:8]
    spectra.look_at((500.0, 4.0, 6.0))
    viewer.add_image(np.zeros((3, 4, 5)), name="other")
    assert {"image", "projected", "other"} <= {chip.text for chip in spectra._chip_of.values()}


def test_a_cancelled_prediction_says_so(open_pairs, until):
    from napari_spectrai.experiment.card import read_card
    from napari_spectrai.samples import sample, sample_model

    viewer, *_ = open_pairs
    layer = add_cube(viewer, sample("raman_pairs").cube, name="pairs")
    predict = dock(viewer, "Predict")
    assert read_card(sample_model()).axis == as_cube(layer).axis
    predict.layer = layer
    predict.start()
    until(lambda: predict._cancel.enabled)
    predict.start()
    predict.cancel()
    until(lambda: predict.status in ("cancelled", "failed"))
    assert predict.status == "cancelled"
    assert predict._start.enabled
    assert "pairs · denoised" not in viewer.layers


def test_damaged_runs_are_listed_as_such(viewer, runs_folder, until):
    from napari_spectrai import Experiment

    for name in ("a", "b"):
        folder = RunFolder.create(Experiment(), runs_folder / name)
        folder.journal.write_text('{"event":"Novel","x":1}\n')
    (runs_folder / "b" / "process.json").write_text("")
    train = dock(viewer, "Train")
    until(lambda: len(train.runs.table.rows) == 2)
    assert [row[-1] for row in train.runs.table.text()] == ["cannot be read"] * 2
    assert RunFolder(runs_folder / "b").state() == "unreadable"


def test_predict_refuses_another_axis_and_foreign_files(open_image, tmp_path):
    viewer, image, _ = open_image
    predict = dock(viewer, "Predict")
    predict.layer = image
    assert "12 bands where 500" in predict._problem.value
    assert not predict._start.enabled
    (tmp_path / "m.safetensors").write_bytes(b"foreign")
    predict.model = tmp_path / "m.safetensors"
    assert "not a .safetensors file" in predict._problem.value


def test_a_failure_is_shown_in_words(open_pairs, until):
    viewer, noisy, _ = open_pairs
    train = dock(viewer, "Train")
    until(lambda: train._start.enabled)
    noisy.data[3] = np.nan  # behind the dock's back
    train.start()
    until(lambda: train.state == "idle" and train.view.status == "failed")
    assert "missing everywhere (3)" in train.view._trouble.value
    assert viewer.status.endswith(": failed")
    assert train._start.enabled


def test_deleting_the_layers_does_not_disturb_a_run(open_pairs, until):
    viewer, *_ = open_pairs
    train = dock(viewer, "Train")
    begin(train, until)
    viewer.layers.clear()
    count = sum(isinstance(e, Epoch) for e in train.run.folder.events())
    until(lambda: sum(isinstance(e, Epoch) for e in train.run.folder.events()) > count + 3)
    train.stop()
    until(lambda: train.state == "idle")
    assert train.run.folder.state() == "stopped"


def test_a_dock_taken_away_leaves_its_run_to_the_next(open_pairs, until):
    viewer, *_ = open_pairs
    train = dock(viewer, "Train")
    begin(train, until)
    run, column = train.run, train.column
    count = sum(isinstance(e, Epoch) for e in run.folder.events())
    viewer.window.remove_dock_widget(train.native)
    until(lambda: not isalive(column))  # the first one no longer listens to the window
    assert not jobs.running()
    until(lambda: sum(isinstance(e, Epoch) for e in run.folder.events()) > count + 3)
    again = dock(viewer, "Train")
    until(lambda: again.state == "running")
    assert again.run.folder.path == run.folder.path
    again.stop()
    until(lambda: again.state == "idle")
    assert run.folder.state() == "stopped"


@pytest.mark.parametrize("name", ["Spectra", "Preprocess", "Train", "Predict", "Evaluate", "Maps"])
def test_a_dock_taken_away_ends_unless_it_is_put_elsewhere_or_works(open_pairs, until, qtbot, monkeypatch, name):
    viewer, *_ = open_pairs
    opened = dock(viewer, name)
    column = opened.native
    viewer.window.remove_dock_widget(column)
    viewer.window.add_dock_widget(column, name="elsewhere")
    qtbot.wait(300)
    assert isalive(column)
    working = [True]
    monkeypatch.setattr(type(opened), "occupied", property(lambda _: working[0]))
    viewer.window.remove_dock_widget(column)
    qtbot.wait(300)
    assert isalive(column)
    working.clear()
    working.append(False)
    until(lambda: not isalive(column))


def test_every_dock_follows_a_layer_whose_data_are_replaced(open_image, until):
    viewer, image, truth = open_image
    names = ("Spectra", "Preprocess", "Train", "Predict", "Evaluate", "Maps")
    spectra, prepare, train, predict, evaluate, maps = (dock(viewer, name) for name in names)
    predict._models.choose("svd")
    train.take(image)
    for one in (prepare, predict, maps):
        one.layer = image
    train.data.first.truth.value = truth
    evaluate.result, evaluate.truth = image, truth
    image.data = image.data[:, 2:]
    until(lambda: "22 × 20" in prepare._about.value and "22 × 20" in maps._about.value)
    until(lambda: "(22, 20, 12)" in train.ready.reason and not train._start.enabled)
    until(lambda: "(22, 20, 12)" in evaluate.choices.against() and not evaluate._start.enabled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # napari divides by the length
        image.data = image.data[:0]  # nothing is offered where there are no spectra, and nothing raises
    until(lambda: all(one.layer is None for one in (prepare, predict, maps)) and train.data.first.input.value is None)
    until(lambda: image not in evaluate.boxes.of and not predict._start.enabled)
    assert "image · mean" not in spectra.plot.names()


def test_starting_twice_starts_one(open_pairs, until):
    viewer, *_ = open_pairs
    train = dock(viewer, "Train")
    train.experiment = train.experiment.override(*LONG)
    train.start(), train.start()
    until(lambda: train.state == "running")
    train.start()
    assert len(jobs.running()) == 1
    train.stop(), train.stop()
    until(lambda: train.state == "idle")


def test_two_themes_and_a_narrow_screen(open_pairs):
    viewer, *_ = open_pairs
    for name in ("Spectra", "Train", "Predict"):
        opened = dock(viewer, name)
        assert opened.native.sizeHint().width() <= 420
        assert opened.native.widget().minimumSizeHint().width() <= 420
        viewer.window.remove_dock_widget(opened.native)
    viewer.theme = "light"
    viewer.theme = "dark"


def test_the_report_of_a_run_opens_in_the_browser_and_its_split_as_labels(open_pairs, until, monkeypatch):
    viewer, source, *_ = open_pairs
    train = dock(viewer, "Train")
    assert not train.runs.report.enabled
    train.experiment = train.experiment.override("training.epochs=2", "training.batch=16", *LONG[2:])
    train.start()
    until(lambda: train.state == "idle")
    assert train.runs.report.enabled
    train.runs.split.native.click()
    layer = viewer.layers[f"{train.run.folder.path.name} · split"]
    assert set(np.unique(layer.data)) == {1, 2}
    assert layer.metadata["class_names"] == {1: "training", 2: "validation", 3: "test"}
    assert layer.data.shape == source.data.shape  # of a set of spectra, over all of its bands
    opened = []
    monkeypatch.setattr(
        "napari_spectrai.widgets.train_dock.run_list.QDesktopServices.openUrl", lambda url: bool(opened.append(url.toLocalFile()) or True)
    )
    train.runs.report.native.click()
    assert opened == [str(train.run.folder.report)]
    monkeypatch.setattr("napari_spectrai.widgets.train_dock.run_list.QDesktopServices.openUrl", lambda _: False)
    train.runs.show_report()
    assert "no browser could be opened" in train.view.status
    train.run.folder.report.unlink()
    train.runs.show_report()
    assert not train.runs.report.enabled
    assert "no longer exists" in train.view.status


@pytest.mark.parametrize("name", ["Preprocess", "Train", "Predict", "Evaluate", "Maps"])
def test_the_reason_why_the_main_button_is_off_is_in_sight(viewer, until, name):
    viewer.window._qt_window.resize(1280, 720)
    viewer.window._qt_window.show()
    opened = dock(viewer, name)
    opened.complete()
    footer = opened.column.footer
    until(footer.isVisible)
    main = next(button for button in footer.findChildren(QPushButton) if button.isVisible())
    assert not main.isEnabled()
    labels = [*opened.column.widget().findChildren(QLabel), footer.words.native]
    until(lambda: footer._full and any(_plain(footer._full) in _plain(one.text()) and _is_whole(one) for one in labels if one.isVisible()))
    opened.column.widget().layout().insertWidget(0, text(value="set split.folds=2").native)  # named as the form does, here as there
    opened.because("set split.folds=2")
    until(lambda: footer._is_in_sight() and not footer.words.native.isVisible())
    opened.column.verticalScrollBar().setValue(10_000)
    until(lambda: footer._is_in_sight() is not footer.words.native.isVisible())
    opened.because("")
    until(lambda: not footer.words.native.isVisible())
