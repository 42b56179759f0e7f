"""The Evaluate dock driven as a person would: choose, evaluate, click cells and pixels, save."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, PushButton
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_spectrai import Cube, SpectralAxis, as_cube, write
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.reports.svg import rounded
from napari_spectrai.samples import sample, sample_model
from napari_spectrai.widgets import saved_table
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.evaluate_dock import evaluate_dock, evaluation_view
from napari_spectrai.widgets.evaluate_dock.confusion_grid import ConfusionGrid
from napari_spectrai.widgets.evaluate_dock.folder_evaluation import MEAN
from napari_spectrai.widgets.evaluate_dock.result_list import HEIGHT, ResultBoxes, ShortList
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.layers import add_cube

NAMES = {1: "fat", 2: "water", 3: "bone"}


@pytest.fixture
def evaluate(viewer):
    return viewer.window.add_plugin_dock_widget("napari-spectrai", "Evaluate")[1]


def made_by(layer, source, task, model="svd_nlm"):
    """Say of a layer what the Predict dock says of its results."""
    layer.metadata["prediction"] = {"model": str(model), "name": "a model", "task": task, "source": source, "role": "result"}


def evaluated(dock, until):
    """Press Evaluate and wait for what comes."""
    until(lambda: dock._start.enabled)
    dock._start.native.click()
    until(lambda: not dock._applying.busy)
    assert dock.report is not None, dock._applying.problem.value
    return dock.report


def problem(dock):
    return "".join(label.value for label in (dock._problem, dock.choices.problem, dock.choices._model_problem))


@pytest.fixture
def scene(viewer):
    """A noisy image of 3 × 2 µm pixels, its truth, and a cleaned one whose errors are known."""
    rng = np.random.default_rng(0)
    axis = SpectralAxis(np.linspace(600, 1800, 10), "1/cm")
    truth = (rng.random((20, 24, 10)) + 1).astype(np.float32)
    clean = truth + np.float32(0.1)
    clean[13, 17] += 3
    clean[2, 5] = truth[2, 5]
    noisy = truth + rng.normal(0, 0.5, truth.shape).astype(np.float32)
    layers = {}
    for name, data in (("truth", truth), ("cells", noisy), ("cells · denoised", clean)):
        cube = Cube(data, axis, pixel_size=(3.0, 2.0), pixel_unit="um", name=name, metadata={"origin": (40.0, -10.0)})
        layers[name] = add_cube(viewer, cube)
    made_by(layers["cells · denoised"], "cells", "denoising")
    return layers


@pytest.mark.own_process
def test_cubes_from_table_to_map_to_pixel(viewer, scene, evaluate, until, focus, qtbot, tmp_path):
    assert (evaluate.result.name, evaluate.truth.name, evaluate.source.name) == ("cells · denoised", "truth", "cells")
    assert evaluate.task == "denoising"
    found = evaluated(evaluate, until)
    table = evaluate.view.scores
    assert table.names() == ["cells · denoised", "raw"]
    assert table.bold("MSE") == ["cells · denoised"]
    figures = found.metrics
    truth, clean = (as_cube(scene[name]).numpy() for name in ("truth", "cells · denoised"))
    assert evaluate.report.rows["cells · denoised"] == figures
    assert figures["mse"] == pytest.approx(float(np.mean((truth - clean) ** 2)), rel=1e-5)
    assert "480 spectra are scored. Intensities: as they are (not normalised). MSE in intensity²" in evaluate.view.about.value
    low, high = found.intervals["cells · denoised"]["mse"]
    assert table.text("cells · denoised", "MSE").replace("–\n", "–").split("\n") == [
        rounded(figures["mse"]),
        f"{rounded(low)}–{rounded(high)}",
    ]
    assert low <= figures["mse"] <= high
    assert "90 % interval" in evaluate.view.sure.value
    assert "lower end of 90 % interval" in table.copied()

    # the map lies exactly over the evaluated layer
    evaluate.view.maps["error"].native.click()
    layer = viewer.layers.selection.active
    assert layer.name == "cells · denoised · error (RMSE)"
    np.testing.assert_allclose(layer.data, np.sqrt(((truth - clean) ** 2).mean(-1)), rtol=1e-4, atol=1e-6)
    for pixel in ([0, 0], [13, 17]):
        np.testing.assert_allclose(layer.data_to_world(pixel), scene["cells"].data_to_world([0, *pixel])[1:])
    assert [str(unit) for unit in layer.units] == [str(unit) for unit in scene["cells"].units[1:]]
    assert layer.contrast_limits[1] < 3 < layer.data.max()
    count = len(viewer.layers)
    evaluate.view.maps["error"].native.click()
    evaluate.view.maps["angle"].native.click()
    assert len(viewer.layers) == count + 1
    assert layer not in evaluate.boxes.of

    # the worst pixel: its spectra, and the way there
    viewer.scene.camera.zoom *= 8
    viewer.scene.camera.center = (0, 0, 0)
    evaluate.view.spots["worst"].native.click()
    place = scene["cells"].data_to_world([0, 13, 17])[1:]
    np.testing.assert_allclose(viewer.scene.camera.center[1:], place)
    np.testing.assert_allclose(evaluate.view.plot.data("result")[1], clean[13, 17], rtol=1e-6)
    np.testing.assert_allclose(evaluate.view.plot.data("truth")[1], truth[13, 17], rtol=1e-6)
    assert "source" in evaluate.view.plot.names()
    assert evaluate.view.plot.x_title == "Wavenumber (1/cm)"
    assert "pixel (y 13, x 17)" in evaluate.view.place.value
    points = viewer.layers["evaluated pixels"]
    np.testing.assert_allclose(points.data_to_world(points.data[2]), place)
    evaluate.view.spots["best"].native.click()
    assert "pixel (y 2, x 5)" in evaluate.view.place.value
    assert [layer.name for layer in viewer.layers].count("evaluated pixels") == 1

    # saved, copied, sorted
    assert evaluate.save_csv(tmp_path / "t").read_text().startswith("method,mse,psnr,sam")
    assert "worst spectrum" in evaluate.save_report(tmp_path / "t.html").read_text()
    assert str(tmp_path / "t.html") in evaluate.view.saved.value
    focus(table.table)
    qtbot.keyClick(table.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    until(lambda: QApplication.clipboard().text().startswith("\tMSE\tPSNR (dB)"), 5)
    heads = table.table.horizontalHeader()
    at = QPoint(heads.sectionViewportPosition(0) + 8, 8)
    for order in (["cells · denoised", "raw"], ["raw", "cells · denoised"]):
        qtbot.mouseClick(heads.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert table.names() == order
    assert "torch" not in sys.modules


def controls(within):
    """Return the widgets that a person uses, of a dock."""
    return [one for widget in within for one in (controls(widget) if isinstance(widget, Container) else [widget])]


def test_several_results_in_one_table_that_fits(viewer, scene, evaluate, until, qtbot):
    other = add_cube(viewer, as_cube(scene["cells"]).with_data(as_cube(scene["truth"]).numpy() * 1.001, name="other = 1"))
    evaluate.results = [scene["cells · denoised"], other]
    evaluate.start()  # as a script does, before anything is known of the values
    until(lambda: evaluate.status.startswith("done"))
    found = evaluate.report
    assert set(found.results) == {"cells · denoised", "other = 1"}
    assert evaluate.view.scores.bold("MAE") == ["other = 1"]
    assert evaluate.view.scores.bold("MSE") == []  # one pixel decides that of the other result, whose interval is wide
    assert evaluate.view.which.visible
    evaluate.view.scores.chosen.emit("cells · denoised")
    evaluate.view.spots["worst"].native.click()
    assert "(y 13, x 17)" in evaluate.view.place.value
    evaluate.view.which.value = "other = 1"
    for widget in controls(evaluate):
        if isinstance(widget, CheckBox | ComboBox | FileEdit) or (isinstance(widget, PushButton) and "▸" not in widget.text):
            assert widget.tooltip, widget.name
    assert all(metric.words for metric in METRICS.values())
    viewer.window._qt_window.resize(1280, 720)
    qtbot.wait(50)
    assert evaluate.native.width() <= 420
    assert evaluate.native.widget().width() <= evaluate.native.viewport().width()
    for theme in ("light", "dark"):
        viewer.theme = theme
        assert evaluate.view.scores.bold("MAE") == ["other = 1"]
    viewer.layers.remove(other)
    evaluate.view.maps["error"].native.click()
    assert "no longer exists" in evaluate.view.place.value


def test_a_misfit_is_reported_and_its_remedy_works(viewer, scene, evaluate, until):
    def problem_with(**change):
        axis = SpectralAxis(change.get("positions", np.linspace(600, 1800, 10)), "1/cm")
        place = {"pixel_size": (3.0, 2.0), "pixel_unit": "um", "metadata": {"origin": (40.0, -10.0)}} | change.get("place", {})
        evaluate.truth = add_cube(viewer, Cube(change.get("data", np.ones((20, 24, len(axis)), np.float32)), axis, name="t", **place))
        until(lambda: evaluate._start.enabled or problem(evaluate))
        assert evaluate._start.enabled == (not problem(evaluate))
        return problem(evaluate)

    assert "shows 20 × 24 pixels, and 't' 5 × 24; align by position" in problem_with(data=np.ones((5, 24, 10), np.float32))
    assert "has no pixel size of its own" in problem_with(place={"pixel_size": None, "metadata": {}})
    assert "has shape (20, 24, 10) and the truth (20, 24, 4)" in problem_with(positions=np.arange(4.0))
    assert "up to 50 1/cm" in problem_with(positions=np.linspace(650, 1850, 10))
    holes = np.ones((20, 24, 10), np.float32)
    holes[3, 4, 5] = np.nan
    assert problem_with(data=holes) == ""  # left out, and counted
    assert problem_with() == ""
    evaluate.model = __file__
    assert "is not a model file" in problem(evaluate)
    assert not evaluate._start.enabled
    evaluate.model = sample_model()
    assert "the model:" in problem(evaluate)
    evaluate.model = None
    evaluate.results = []
    assert "Tick the layer" in problem(evaluate)
    evaluate.take(scene["cells"])
    evaluate.truth = scene["truth"]
    until(lambda: evaluate._start.enabled)


def test_an_empty_window_offers_the_sample(viewer, evaluate):
    assert evaluate._empty.visible
    assert not evaluate._start.enabled
    evaluate._empty.native.linkActivated.emit("Raman pairs")
    assert "Raman pairs" in viewer.layers
    assert not evaluate._empty.visible
    assert "Tick the layer" in problem(evaluate)


def test_the_bundled_model_and_its_methods_on_spectra_it_has_not_seen(viewer, evaluate, until):
    pairs = sample("raman_pairs")
    for cube, name in ((pairs.truth, "truth"), (pairs.cube, "cells")):
        add_cube(viewer, cube[800:], name=name)
    predict = viewer.window.add_plugin_dock_widget("napari-spectrai", "Predict")[1]
    predict.layer = viewer.layers["cells"]
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    result = next(layer for layer in viewer.layers if "denoised" in layer.name)
    assert evaluate.result is result
    until(lambda: evaluate.model == sample_model(), 5)
    assert (evaluate.source.name, evaluate.truth.name) == ("cells", "truth")
    assert evaluate.choices.intensities.value == "maximum"
    found = evaluated(evaluate, until)
    rows = {name: scores["mse"] for name, scores in found.rows.items()}
    assert rows[result.name] == pytest.approx(0.001861, abs=2e-6)  # as benchmarks and the card have it
    assert "MSE in normalised intensity²" in evaluate.view.about.value
    assert rows["ridge"] == pytest.approx(0.002169, abs=2e-6)
    assert rows["raw"] == pytest.approx(0.01454, abs=1e-5)
    low, high = found.intervals[result.name]["mse"]
    alike = any(low <= mse <= high for name, mse in rows.items() if name != result.name)
    assert evaluate.view.scores.bold("MSE") == ([] if alike else [result.name])
    assert ("do not distinguish them" in evaluate.view.verdict.value) == alike
    # a set of spectra has no map, but a curve
    count = len(viewer.layers)
    evaluate.view.maps["error"].native.click()
    assert evaluate.view.plot.data("error")[1].shape == (200,)
    assert len(viewer.layers) == count
    evaluate.view.spots["worst"].native.click()
    worst = found.spots_of(result.name)["worst"].pixel[0]
    assert viewer.layers["evaluated pixels"].data[2, 1] == worst


def test_spectra_that_the_model_learnt_from_are_counted(viewer, evaluate, until, make_spectra, tmp_path):
    from napari_spectrai import Experiment, train

    noisy, clean = (Cube(values, name=name) for values, name in zip(make_spectra(60, 30), ("cells", "truth"), strict=True))
    settings = ("network.kind=ridge", "split.validation=0.2", "training.device=cpu")
    path = train(Experiment().override(*settings), noisy[:40], clean[:40], run=tmp_path / "run").save(tmp_path / "m.safetensors")
    for cube, name in ((clean, "clean"), (noisy, "another name"), (noisy, "another name · denoised")):
        add_cube(viewer, cube, name=name)
    made_by(viewer.layers["another name · denoised"], "another name", "denoising", path)
    evaluate._on_layers()
    assert evaluate.model == path
    assert "recognised and counted" in evaluate.choices.also_scored.value
    evaluate.truth = viewer.layers["clean"]
    found = evaluated(evaluate, until)
    assert (found.learnt_from, found.scored) == (40, 60)
    assert "40 of the 60 scored spectra were used to train or validate" in evaluate.view.about.value


@pytest.fixture
def labels(viewer):
    """An image with 18 known classes, and a result that takes the second for the first in a corner; both lie aside."""
    known = np.repeat(np.repeat(np.arange(1, 19).reshape(3, 6), 6, 0), 5, 1)
    predicted = known.copy()
    predicted[0:2, 5:9] = 1
    known[-1] = 0
    names = {value: f"kind {value}" for value in range(1, 19)}
    cube = Cube(np.random.default_rng(0).random((18, 30, 4)).astype(np.float32), pixel_size=(2.0, 2.0), pixel_unit="um", name="field")
    image = add_cube(viewer, cube)
    place = {"scale": (2.0, 2.0), "units": ("um", "um"), "translate": (7.0, 3.0), "metadata": {"class_names": names}}
    truth = viewer.add_labels(known, name="field · classes", **place)
    result = viewer.add_labels(predicted, name="field · predicted", **place)
    made_by(result, "field", "segmentation")
    return image, truth, result


def test_classes_from_matrix_to_pixels(viewer, labels, evaluate, until, qtbot):
    _, truth, result = labels
    assert (evaluate.result, evaluate.truth) == (result, truth)
    assert evaluate.task == "segmentation"
    assert not evaluate.choices.match.value
    evaluate.choices.class_mean.value = "union"
    found = evaluated(evaluate, until)
    assert found.class_mean == "union"
    assert "as in scikit-learn" in evaluate.view.about.value
    where = truth.data > 0
    assert found.metrics["overall_accuracy"] == pytest.approx((truth.data == result.data)[where].mean())
    grid = evaluate.view.grid
    viewer.scene.camera.zoom *= 10
    viewer.scene.camera.center = (0, 0, 0)
    index = grid.view.model().index(1, 0)  # truth kind 2, predicted kind 1
    grid.view.scrollTo(index)
    qtbot.mouseClick(grid.view.viewport(), Qt.MouseButton.LeftButton, pos=grid.view.visualRect(index).center())
    assert grid.hint == "truth kind 2, predicted kind 1: 8 (26.7 % of 30)"
    marked = viewer.layers["truth kind 2, predicted kind 1"]
    expected = np.zeros_like(truth.data, dtype=bool)
    expected[0:2, 5:9] = True
    np.testing.assert_array_equal(marked.data > 0, expected)
    np.testing.assert_allclose(marked.data_to_world([1, 6]), truth.data_to_world([1, 6]))
    np.testing.assert_allclose(viewer.scene.camera.center[1:], truth.data_to_world([0.5, 6.5]), atol=2.1)
    grid.click("kind 5", "kind 9")
    assert not viewer.layers["truth kind 5, predicted kind 9"].data.any()
    assert "truth kind 2, predicted kind 1" not in viewer.layers
    assert grid.hint == "truth kind 5, predicted kind 9: 0 (0.0 % of 30)"
    assert evaluate.view.classes.text("kind 2", "Pixels") == "30"
    assert evaluate.view.classes.text("kind 18", "Pixels") == "25"
    evaluate.view.classes.sort(1)
    assert evaluate.view.classes.names()[-1] == "kind 2"
    assert not evaluate.view.maps["error"].visible or not evaluate.view._maps.visible
    evaluate.truth.data = np.zeros_like(truth.data)
    evaluate._check()
    assert "labels no pixel" in problem(evaluate)


def test_clusters_are_matched_and_layers_and_the_dock_may_go_while_a_job_runs(viewer, labels, evaluate, until, monkeypatch):
    _, truth, result = labels
    result.data = (result.data * 7) % 19 + 20
    result.metadata["class_names"] = {value: f"cluster {value}" for value in range(20, 40)}
    evaluate.results = []
    evaluate.result = result
    assert evaluate.choices.match.value
    until(lambda: evaluate._start.enabled)
    evaluate.start()
    evaluate.start()  # twice
    assert not evaluate._start.enabled
    viewer.layers.remove(truth)
    viewer.layers.remove(result)
    viewer.window.remove_dock_widget(evaluate.native)
    said = []
    monkeypatch.setattr(evaluate_dock, "show_info", said.append)
    done = []
    evaluate._applying.ended.connect(done.append)
    until(lambda: done == ["done"])
    assert len(said) == 1
    assert evaluate.view.verdict.value in said[0]
    assert evaluate.report.metrics["overall_accuracy"] > 0.9
    assert "each cluster was taken for" in evaluate.view.about.value
    evaluate.view.grid.click("kind 2", "kind 1")
    assert "no longer exists" in evaluate.view.place.value
    assert not evaluate._start.enabled


def test_strokes_over_a_set_of_spectra(viewer, evaluate, until):
    spectra = add_cube(viewer, Cube(np.random.default_rng(0).random((12, 5)).astype(np.float32), name="cells"))
    kinds = np.arange(12) % 3 + 1
    predicted = np.broadcast_to(kinds, spectra.data.shape).copy()
    known = np.zeros_like(predicted)
    known[2, :9] = kinds[:9]
    known[2, 0] = 2
    named = {"metadata": {"class_names": NAMES}}
    truth = viewer.add_labels(known, name="strokes", **named)
    result = viewer.add_labels(predicted, name="cells · classes", **named)
    made_by(result, "cells", "classification")
    evaluate._on_layers()
    evaluate.truth = truth
    found = evaluated(evaluate, until)
    assert found.shape == [12]
    assert sum(map(sum, found.confusions["cells · classes"])) == 9
    evaluate.view.grid.click("water", "fat")
    marked = viewer.layers["truth water, predicted fat"].data
    assert marked.shape == predicted.shape
    np.testing.assert_array_equal(np.unique(np.nonzero(marked)[1]), [0])


def test_keys_start_and_cancel_and_reports_go_where_a_person_says(viewer, scene, evaluate, until, focus, qtbot, tmp_path, monkeypatch):
    inside = evaluate.boxes.of[scene["cells · denoised"]].native
    until(lambda: evaluate._start.enabled)
    focus(inside)
    qtbot.keyClick(inside, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    until(lambda: evaluate._cancel.enabled)
    qtbot.keyClick(inside, Qt.Key.Key_Escape)
    until(lambda: not evaluate._applying.busy)
    assert evaluate.status in ("cancelled", "done: 1 result evaluated")
    if evaluate.report is None:
        with pytest.raises(RuntimeError, match="nothing to save"):
            evaluate.save_csv(tmp_path / "t.csv")
    asked, opened = [], []
    monkeypatch.setattr(evaluation_view, "show_file_dialog", lambda *_, **more: asked.append(more["filter"]) or tmp_path / "r.html")
    monkeypatch.setattr(evaluation_view.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    evaluated(evaluate, until)
    evaluate.view.report.native.click()
    assert asked == ["Pages (*.html)"]
    assert opened == [str(tmp_path / "r.html")]
    (tmp_path / "full").write_text("")
    monkeypatch.setattr(evaluation_view, "show_file_dialog", lambda *_, **__: tmp_path / "full" / "t.csv")
    evaluate.view.csv.native.click()
    assert evaluate.view.problem.value


def test_maps_and_points_lie_over_a_turned_result_and_refuse_other_pixels(viewer, evaluate, until):
    turned = np.eye(3)
    turned[1:, 1:] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    moved = np.array([[0, 1, 5], [1, 0, 3], [0, 0, 1.0]])
    rng = np.random.default_rng(0)
    axis = SpectralAxis(np.linspace(600, 1800, 4), "1/cm")
    truth, result = (add_cube(viewer, Cube(rng.random((6, 8, 4)), axis, name=name), rotate=turned) for name in ("truth", "result"))
    evaluate.result, evaluate.truth = result, truth
    evaluated(evaluate, until)
    evaluate.view.maps["error"].native.click()
    drawn = viewer.layers["result · error (RMSE)"]
    np.testing.assert_allclose(drawn.data_to_world((4, 5)), result.data_to_world((0, 4, 5))[1:])
    evaluate.view.spots["worst"].native.click()
    points = viewer.layers["evaluated pixels"]
    np.testing.assert_allclose(points.data_to_world((4, 5)), result.data_to_world((0, 4, 5))[1:])

    known, predicted = (viewer.add_labels(rng.integers(1, 4, (6, 8)), name=name, affine=moved) for name in ("known", "predicted"))
    evaluate.result, evaluate.truth = predicted, known
    evaluated(evaluate, until)
    evaluate.view.grid.click("class 1", "class 2")
    np.testing.assert_allclose(viewer.layers[-1].data_to_world((4, 5)), predicted.data_to_world((4, 5)))
    predicted.data = predicted.data[:2, :3]
    evaluate.view.grid.click("class 2", "class 3")
    assert "have changed" in evaluate.view.place.value


def test_a_layer_may_have_any_name(viewer, evaluate, until):
    spectra = viewer.window.add_plugin_dock_widget("napari-spectrai", "Spectra")[1]
    names = ["visible", "margins", "clear", "a & b"]
    layers = [add_cube(viewer, Cube(np.random.default_rng(n).random((4, 5, 3)), name=name)) for n, name in enumerate(names)]
    evaluate.results, evaluate.truth = layers[:2], layers[2]
    until(lambda: evaluate._start.enabled)
    assert evaluate.boxes.visible
    assert [box.text for box in evaluate.boxes.of.values()] == ["a && b", "clear", "margins", "visible"]
    layers[0].name = "native"
    assert [layer.name for layer in evaluate.results] == ["margins", "native"]
    assert all(layer in spectra._chips.of for layer in layers)


def test_a_report_does_not_replace_a_table(viewer, scene, evaluate, until, tmp_path, monkeypatch):
    evaluate.truth = scene["truth"]
    evaluated(evaluate, until)
    table = evaluate.save_csv(tmp_path / "figures")
    saved = table.read_text()
    with pytest.raises(ValueError, match=r"name it figures\.html"):
        evaluate.save_report(table)
    monkeypatch.setattr(evaluation_view, "show_file_dialog", lambda *_, **__: table)
    evaluate.view.report.native.click()
    assert "name it figures.html" in evaluate.view.problem.value
    assert table.read_text() == saved
    monkeypatch.setattr(evaluation_view, "show_file_dialog", lambda *_, **__: "/proc/figures.csv")
    evaluate.view.csv.native.click()
    assert evaluate.view.problem.value.endswith("'/proc/figures.csv'")


@pytest.mark.parametrize("suffix", [".zarr", ".npz", ".h5", ".mat", ".npy", ".ome.zarr", ".ome.tif"])
def test_a_result_is_known_after_it_was_saved_and_opened_again(tmp_path, scene, viewer, suffix):
    layer = scene["cells · denoised"]
    path = str(tmp_path / f"result{suffix}")
    layer.metadata["other"] = layer.metadata["unwritable"] = object()
    assert layer.save(path, plugin="napari-spectrai") == [path]
    made = dict(layer.metadata["prediction"])
    if suffix == ".ome.tif":  # napari's own reader takes it
        from napari_spectrai.widgets.layers import layers_from_file

        (_, options, _), *_ = layers_from_file(path)
        assert options["metadata"]["prediction"] == made
        return
    (again,) = viewer.open(path, plugin="napari-spectrai")
    assert again.metadata["prediction"] == made
    cube = as_cube(again)
    assert "prediction" not in cube.with_data(cube.data + 1).metadata  # other values, which nothing has predicted


@pytest.mark.parametrize("suffix", [".zarr", ".npz"])
def test_predicted_classes_are_known_after_they_were_opened_again(tmp_path, viewer, evaluate, suffix):
    known = viewer.add_labels(np.array([[1, 2], [3, 0]]), name="known")
    predicted = viewer.add_labels(np.array([[1, 2], [2, 1]]), name="cells · classes by a model", metadata={"class_names": NAMES})
    made_by(predicted, "cells", "segmentation")
    path = str(tmp_path / f"classes{suffix}")
    predicted.save(path, plugin="napari-spectrai")
    viewer.layers.remove(predicted)
    (again,) = viewer.open(path, plugin="napari-spectrai")
    assert again.metadata["prediction"]["task"] == "segmentation"
    assert again.metadata["class_names"] == NAMES
    QApplication.processEvents()
    assert evaluate.result is again
    assert evaluate.truth is None  # a size makes no truth: it is asked for
    assert known in evaluate.choices._truth.choices


def test_the_task_follows_a_selected_labels_layer_before_anything_is_ticked(viewer):
    labels = viewer.add_labels(np.ones((8, 9), int), name="classes")
    add_cube(viewer, Cube(np.zeros((8, 9, 5)), name="cube"))
    viewer.layers.selection.active = labels
    dock = opened(viewer, "Evaluate")
    assert not dock.results
    assert dock.task == "segmentation"


def test_a_long_list_of_results_scrolls_and_a_short_one_is_as_high_as_it_is(qtbot):
    boxes = ResultBoxes()
    shown = ShortList(boxes)
    qtbot.addWidget(shown.native)
    shown.native.show()
    layers = [Labels(np.zeros((2, 2), np.uint8), name=str(number)) for number in range(20)]
    for count in (20, 2):
        boxes.offer(layers[:count])
        qtbot.waitUntil(lambda: 0 < shown.area.height() == min(HEIGHT, boxes.native.sizeHint().height() + 2 * shown.area.frameWidth()))
        assert (shown.area.verticalScrollBar().maximum() > 0) is (count == 20)


def test_sixteen_classes_are_seen_at_once(viewer, qtbot):
    grid = ConfusionGrid()
    grid.show_matrix(np.arange(256).reshape(16, 16), [f"a long name of class {number}" for number in range(16)])
    grid.native.resize(390, 500)
    grid.native.show()
    qtbot.waitUntil(lambda: grid.view.columnViewportPosition(15) > 0)
    last = grid.view.columnViewportPosition(15) + grid.view.columnWidth(15)
    assert last <= grid.view.viewport().width()
    assert not grid.view.horizontalScrollBar().isVisible()
    grid.native.close()


def test_a_folder_of_results_is_scored_against_a_folder_of_truths(viewer, evaluate, until, qtbot, tmp_path, monkeypatch):
    axis = SpectralAxis(np.linspace(600, 1800, 10), "1/cm")
    for folder in ("truths", "results"):
        (tmp_path / folder).mkdir()
    for number, error in enumerate((0.5, 2.0)):
        values = np.random.default_rng(number).random((5, 4, 10), np.float32)
        write(Cube(values, axis), tmp_path / "truths" / f"map {number}.npz")
        write(Cube(values + np.float32(error), axis), tmp_path / "results" / f"map {number}-ridge.zarr")
    write(Cube(values, axis), tmp_path / "truths" / "map 2.npz")
    folders = evaluate.folders
    fold = next(one for one in evaluate if isinstance(one, FoldBox))
    qtbot.mouseClick(fold.heading.native, Qt.MouseButton.LeftButton)
    assert not folders.queue.start.enabled
    for field, name, wrong in (
        (folders.results, "results", ""),
        (folders.truths, "results", "Results and Truths are the same folder"),
        (folders.truths, "nowhere", "is no folder"),
        (folders.truths, "truths", ""),
    ):
        field.line_edit.value = ""
        qtbot.keyClicks(field.line_edit.native, str(tmp_path / name))
        qtbot.keyClick(field.line_edit.native, Qt.Key.Key_Tab)
        assert wrong in folders._wrong.value
        assert bool(wrong) == bool(folders._wrong.value)
        assert folders.queue.start.enabled == (name == "truths")
    qtbot.mouseClick(folders.queue.start.native, Qt.MouseButton.LeftButton)
    until(lambda: not folders.queue.busy)
    assert folders.queue.status.value.startswith("done: 2 of 3 files scored"), folders.queue.problem.value
    assert [row["MSE"] for row in folders.rows] == [pytest.approx(0.25, rel=1e-4), pytest.approx(4, rel=1e-4), None]
    assert "no result named map 2" in folders.rows[2]["remarks"]
    assert folders._unscored.value.startswith("map 2.npz: ")
    table = folders.table.table
    assert table.item(3, 0).text() == MEAN
    assert folders.save(tmp_path / "scores").read_text().startswith("file,result,scored,MSE")
    monkeypatch.setattr(saved_table, "show_file_dialog", lambda *_, **__: tmp_path / "asked.csv")
    folders._save.native.click()
    assert (tmp_path / "asked.csv").read_text() == (tmp_path / "scores.csv").read_text()
    monkeypatch.setattr(saved_table, "show_file_dialog", lambda *_, **__: "/proc/scores.csv")
    folders._save.native.click()
    assert "/proc" in folders._problem.value
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["map 0-ridge.zarr", "map 1-ridge.zarr"]
