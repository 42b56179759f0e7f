"""The Predict dock, driven as a person would."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt

from napari_spectrai import Cube, Experiment, SpectralAxis, as_cube, predict, read, write
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.labels import Class
from napari_spectrai.runs import recent_models, remember_model
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.predict_dock.predict_request import Around, PredictRequest

AXIS = SpectralAxis(np.linspace(600, 1800, 25), "1/cm")


def image(height=12, width=10, axis=AXIS, name="cells", seed=0):
    """An image of noise over a slope, with µm pixels."""
    data = np.random.default_rng(seed).random((height, width, len(axis)), np.float32) + np.linspace(1, 2, len(axis), dtype=np.float32)
    return Cube(data, axis, pixel_size=(2.0, 0.5), pixel_unit="um", name=name)


@pytest.fixture
def dock(viewer):
    """The Predict dock next to an empty canvas."""
    return opened(viewer, "Predict")


@pytest.fixture
def model(tmp_path):
    """A model file for spectra on AXIS."""
    from napari_spectrai.learn.model import ready

    (tmp_path / "models").mkdir()
    return ready("savitzky_golay", AXIS).save(tmp_path / "models" / "smoother.safetensors")


def finish(dock, until, how="done"):
    until(lambda: dock.status.startswith(("done", "failed", "cancelled")))
    assert dock.status.startswith(how), (dock.status, dock.problem)


NETWORKS = [{"kind": "unet", "dims": 2, "depth": 2}, {"kind": "unet", "dims": 1}]


def corners(layer, ends):
    """Places in the world of two corners of pixels (y, x)."""
    lead = [0] * (layer.ndim - 2)
    return [np.asarray(layer.data_to_world([*lead, y - 0.5, x - 0.5]))[-2:] for y, x in ends]


def test_an_enlarged_region_lies_over_its_part_of_a_turned_source(viewer, dock, until):
    layer = add_cube(viewer, image())
    layer.translate = (layer.translate[0], 30.0, -6.0)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    layer.rotate = turn
    dock.model = "bicubic"
    dock._method._factor.value = 3
    box = np.array([[3, 2], [3, 6], [8, 6], [8, 2]])
    world = [np.asarray(layer.data_to_world([0, *corner]))[1:] for corner in box]
    shapes = viewer.add_shapes([np.array(world)], shape_type="polygon", units=("um", "um"), name="here")
    dock._targets.region.choice.value = shapes
    dock.start()
    finish(dock, until)
    (result,) = [one for one in viewer.layers if "enlarged" in one.name]
    assert result.name == "cells · 3 × enlarged by Bicubic"
    assert viewer.layers.index(result) == viewer.layers.index(layer) + 1
    whole = predict("bicubic", layer, factor=3).result.data
    np.testing.assert_allclose(as_cube(result).data, whole[9:27, 6:21], rtol=1e-5)
    np.testing.assert_allclose(corners(result, [(0, 0), (18, 15)]), corners(layer, [(3, 2), (9, 7)]), atol=1e-6)
    recorded = result.metadata["prediction"]
    assert json.loads(json.dumps(recorded)) == recorded
    assert recorded["source"] == "cells"
    assert (recorded["model"], recorded["name"], recorded["task"], recorded["role"]) == ("bicubic", "Bicubic", "super_resolution", "result")
    assert recorded["settings"]["region"] == [[3, 9], [2, 7]]
    assert recorded["settings"]["factor"] == 3
    # a shape next to the image is refused in words, as is a layer that marks nothing
    shapes.data = [np.array([[500, 500], [500, 510], [510, 510], [510, 500]])]
    dock._check()
    assert "'here' does not lie on 'cells'" in dock.problem
    dock._targets.region.choice.value = viewer.add_labels(np.zeros((4, 4), int), name="strokes")
    assert "'strokes' marks nothing" in dock.problem
    assert not dock._start.enabled


def test_what_labels_mark_and_what_is_in_view(viewer, dock):
    layer = add_cube(viewer, image(40, 40))
    marks = np.zeros((80, 80), int)
    marks[20:30, 4:6] = 2
    labels = viewer.add_labels(marks, scale=(1.0, 0.25), translate=(-0.5, -0.125), units=("um", "um"), name="marks")
    region = dock._targets.region
    region.choice.value = labels
    assert region.of(layer) == ((10, 15), (2, 3))
    region.choice.value = "visible part"
    viewer.reset_view()
    assert region.of(layer) is None
    viewer.scene.camera.zoom *= 8
    viewer.screenshot(canvas_only=True, flash=False)
    (top, bottom), (left, right) = region.of(layer)
    assert 0 < top < 20 < bottom < 40
    assert bottom - top < 12
    layer.visible = False
    with pytest.raises(ValueError, match="'cells' is hidden"):
        region.of(layer)
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="in 2D"):
        region.of(layer)


def test_the_axis_of_a_model_is_drawn_with_its_scale(viewer, dock, model, until):
    add_cube(viewer, image())
    dock.model = model
    strip = dock._description.strip.canvas.getPlotItem()
    until(lambda: [strip.getAxis(side).isVisible() for side in ("left", "bottom")] == [True, True])


def test_another_axis_is_drawn_explained_and_mended_by_a_button(viewer, dock, model, until):
    fine = SpectralAxis(np.linspace(500, 1900, 60), "1/cm")
    layer = add_cube(viewer, image(axis=fine))
    dock.model = model
    assert "60 bands where 25 are expected" in dock.problem
    assert not dock._start.enabled
    assert dock._description.strip.visible
    assert dock._description.strip.drawn == (AXIS, fine)
    assert dock._remedy.button.visible
    assert dock._remedy.button.text == "Resample to the model"
    before = np.array(layer.data)
    dock._remedy.button.native.click()
    finish(dock, until)
    made = viewer.layers["cells · resampled"]
    assert dock.layer is made
    assert as_cube(made).axis == AXIS
    np.testing.assert_allclose(corners(made, [(0, 0)]), corners(layer, [(0, 0)]))
    np.testing.assert_array_equal(layer.data, before)
    assert dock._start.enabled
    assert not dock._remedy.button.visible
    # where the bands inside are the same, they are cropped to
    wide = SpectralAxis(np.concatenate([[500, 550], AXIS.values, [1850]]), "1/cm")
    dock.layer = add_cube(viewer, image(axis=wide, name="wide"))
    assert dock._remedy.button.text == "Crop to the model's bands"
    # and where nothing helps, no button is there
    dock.layer = add_cube(viewer, image(axis=SpectralAxis(np.linspace(700, 1500, 25), "1/cm"), name="narrow"))
    assert "were not measured" in dock.problem
    assert not dock._remedy.button.visible
    dock.layer = add_cube(viewer, image(axis=SpectralAxis(np.linspace(400, 700, 25), "nm"), name="light"))
    assert "cannot be converted to 1/cm" in dock.problem
    assert not dock._remedy.button.visible


def test_a_cancel_keeps_the_finished_tiles(viewer, dock, until, focus, qtbot):
    cube = image(480, 480)
    layer = add_cube(viewer, cube)
    dock.model = "whittaker"
    dock._options.tile.value = 16
    focus(dock._models.choice.native)
    qtbot.keyClick(dock._models.choice.native, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert dock._applying.busy
    until(lambda: dock._applying.bar.max == 900 and dock._applying.bar.value)
    worker = psutil.Process(dock._applying._follower.job.pid)
    worker.suspend()  # the word comes in time, however busy the machine is
    assert "of 900 tiles" in dock.status
    layer.name = "renamed"
    qtbot.keyClick(dock._models.choice.native, Qt.Key.Key_Escape)
    worker.resume()
    finish(dock, until, "cancelled")
    part = viewer.layers["renamed · denoised by Whittaker (part)"]
    assert "NaN elsewhere" in dock.status
    known = np.isfinite(np.asarray(as_cube(part).data))
    assert 0 < known.mean() < 1
    expected = predict("whittaker", cube).result.numpy()
    np.testing.assert_allclose(np.asarray(as_cube(part).data)[known], expected[known], rtol=1e-4, atol=1e-5)
    assert dock._start.enabled
    assert part.metadata["prediction"]["source"] == "renamed"


def test_several_layers_one_after_another_though_one_goes(viewer, dock, until):
    layers = [add_cube(viewer, image(name=name, seed=seed)) for seed, name in enumerate(("one", "two", "three"))]
    viewer.layers.remove(layers[2])
    dock.model = "savitzky_golay"
    dock.layers = layers[:2]
    assert dock.layers == layers[:2]
    dock.start(), dock.start()
    until(lambda: "1 of 2 · one" in dock.status)
    dock.start()
    viewer.layers.remove(layers[1])
    finish(dock, until)
    assert dock.status.startswith("done: 2 of 2")
    assert {"one · denoised by Savitzky–Golay", "two · denoised by Savitzky–Golay"} < {layer.name for layer in viewer.layers}
    orphan = viewer.layers["two · denoised by Savitzky–Golay"]
    np.testing.assert_allclose(orphan.scale, layers[1].scale)


def test_one_that_fails_does_not_keep_the_others_and_says_why(viewer, dock, model, until):
    blank = image(name="blank")
    blank.data[:] = 0
    layers = [add_cube(viewer, blank), add_cube(viewer, image(1, 1, name="dot"))]
    dock.model = model
    dock.layers = layers
    dock.start()
    finish(dock, until)
    assert dock.status.startswith("done: 1 of 2")
    assert "blank: 'blank': all 120 spectra are zero" in dock.problem
    assert "dot · denoised by Savitzky–Golay" in viewer.layers
    # at once, while the data are copied
    dock.start()
    dock.cancel()
    finish(dock, until, "cancelled")
    assert dock._start.enabled
    model.unlink()
    dock.start()
    assert (dock._applying.busy, dock._start.enabled) == (False, False)
    assert "smoother.safetensors no longer exists; choose another model" in dock.problem


def test_pixels_without_data_are_counted_and_left_as_they_are(viewer, dock, model, until):
    holes = image(name="holes")
    holes.data[3, 4, 5] = np.nan
    holes.data[:2] = 0
    layer = add_cube(viewer, holes)
    dock.model = model
    dock.layer = layer
    dock.start()
    finish(dock, until)
    assert "21 of 120 spectra hold no data (1 with missing values" in dock.status
    result = as_cube(viewer.layers["holes · denoised by Savitzky–Golay"]).numpy()
    np.testing.assert_array_equal(result[3, 4], holes.data[3, 4])
    assert not result[:2].any()
    dock.model = "kmeans"
    dock.start()
    finish(dock, until)
    classes = next(one for one in viewer.layers if "classes" in one.name)
    assert not classes.data[:2].any()
    assert classes.data[3, 4] == 0
    assert (classes.data > 0).sum() == 99


def test_files_on_another_axis_are_resampled_with_one_consent(viewer, dock, model, until, tmp_path):
    shifted = SpectralAxis(AXIS.values + 0.3 * np.diff(AXIS.values).mean(), AXIS.unit)
    paths = [write(image(seed=seed, axis=axis), tmp_path / f"map {seed}.npz") for seed, axis in ((1, AXIS), (2, shifted), (3, shifted))]
    dock.model = model
    dock.files = paths
    until(lambda: dock._start.enabled)
    assert "map 2.npz" in dock._note.value
    assert dock._remedy.button.text == "Resample 2 files to the model"
    dock._remedy.button.native.click()
    assert not dock._note.value
    assert not dock._remedy.button.visible
    dock._targets.files.out.value = tmp_path / "out"
    dock.start()
    finish(dock, until)
    assert dock.status.startswith("done: 3 of 3")
    assert "resampled onto the model's axis" in dock.status
    assert all(read(path).axis.mismatch(AXIS) is None for path in (tmp_path / "out").iterdir())


def test_results_are_written_next_to_their_files(viewer, dock, model, until, tmp_path):
    paths = [write(image(seed=seed), tmp_path / f"map {seed}.npz") for seed in (1, 2)]
    other = write(Cube(np.zeros((3, 3, 7), np.float32)), tmp_path / "other.npy")
    broken = tmp_path / "broken.mat"
    broken.write_bytes(b"nothing")
    dock.model = model
    dock.files = [*paths, other, broken]
    until(lambda: dock._start.enabled)
    assert "other.npy: 'other.npy' has 7 bands where 25" in dock._note.value
    assert "broken.mat" in dock._note.value
    dock._targets.files.out.value = tmp_path / "out"
    dock.start()
    finish(dock, until)
    assert dock.status.startswith("done: 2 of 2")
    results = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in results] == ["map 1-Savitzky-Golay.zarr", "map 2-Savitzky-Golay.zarr"]
    np.testing.assert_allclose(read(results[0]).numpy(), predict(model, paths[0]).result.numpy(), rtol=1e-5)
    assert len(viewer.layers) == 0
    # never over what is there without asking; right after these were written, that is no problem
    assert dock.problem == ""
    assert "to predict them again, choose" in dock._note.value
    assert not dock._start.enabled
    dock._targets.files.made.clear()
    dock._check()
    assert "map 1-Savitzky-Golay.zarr, map 2-Savitzky-Golay.zarr already exist" in dock.problem
    assert not dock._start.enabled
    dock._targets.files.existing.value = "skip existing"
    assert "All results exist already" in dock.problem
    dock._targets.files.existing.value = "overwrite"
    assert dock._start.enabled
    dock.files = []
    assert "Add the files" in dock.problem


def test_a_model_dropped_on_napari_is_chosen_and_remembered(viewer, model, tmp_path):
    assert viewer.open(model, plugin="napari-spectrai") == []
    dock = opened(viewer, "Predict")
    assert dock.model == model
    assert len(viewer.layers) == 0
    assert "Savitzky–Golay" in dock._description.value
    assert dock._models.found[0] == (f"Savitzky–Golay ({dock._card.date[-5:]}) · Denoising", str(model))
    assert recent_models() == [model]
    (tmp_path / "broken.safetensors").write_bytes(b"no model")
    with pytest.raises(ValueError, match="not a .safetensors file"):
        viewer.open(tmp_path / "broken.safetensors", plugin="napari-spectrai")
    dock.model = tmp_path / "broken.safetensors"
    assert "not a .safetensors file" in dock.problem
    assert dock.model == model
    model.unlink()
    dock._on_model()
    assert "no longer exists; choose another model" in dock.problem
    dock.refresh()
    assert dock.model != model
    assert recent_models() == []


def test_recent_models_outlive_a_damaged_list(runs_folder, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("")
        remember_model(tmp_path / name)
    remember_model(tmp_path / "a")
    assert recent_models() == [tmp_path / "a", tmp_path / "b"]
    for text in ("{", "{}", "[1, null]"):
        (runs_folder / "recent-models.json").write_text(text)
        assert recent_models() == []
    remember_model(tmp_path / "b")
    assert recent_models() == [tmp_path / "b"]


def test_models_are_averaged_and_follow_one_another(viewer, dock, model, until):
    layer = add_cube(viewer, image())
    again = model.with_name("again.safetensors")
    again.write_bytes(model.read_bytes())
    dock.model = again
    dock.model = model
    dock.layer = layer
    assert not dock._options.uncertain.enabled
    assert str(again) in [thing for thing, _ in dock._options.ensemble._boxes]
    dock._options.ensemble.tick([str(again)])
    assert dock._options.uncertain.enabled
    dock._options.then.value = "kmeans"
    assert not dock._options.uncertain.enabled
    dock._options.then.value = "bicubic"
    dock.start()
    finish(dock, until)
    result = viewer.layers["cells · 2 × enlarged by Savitzky–Golay and 1 more,…"]
    expected = predict(model, as_cube(layer), then=["bicubic"]).result
    np.testing.assert_allclose(as_cube(result).data, expected.data, rtol=1e-4)
    assert result.metadata["prediction"]["settings"]["then"] == "bicubic"
    assert result.metadata["prediction"]["settings"]["ensemble"] == [str(again)]
    dock.model = "kmeans"
    assert "gives classes, which" in dock.problem


def test_no_other_model_takes_the_place_of_one_that_has_gone(viewer, dock, model, until):
    add_cube(viewer, image(4, 5))
    dock.model = model
    assert dock._start.enabled
    whole = model.read_bytes()
    for change in (dock.start, lambda: setattr(dock, "model", model)):  # its file is another one when it is used, or chosen again
        model.write_bytes(whole[:100])
        change()
        assert (dock._applying.busy, dock._start.enabled) == (False, False)
        assert "is truncated or not" in dock.problem
        model.write_bytes(whole)
        dock.model = model
        dock.refresh()
        assert dock._start.enabled
    model.unlink()
    dock.refresh()  # as when any job ends
    assert dock.model is None
    assert f"{model} no longer exists" in dock.problem
    assert not dock._start.enabled
    dock.model = "savitzky_golay"
    assert not dock.problem
    assert dock._start.enabled


def test_the_visible_region_is_read_when_the_button_is_pressed(viewer, dock, until):
    layer = add_cube(viewer, image(6, 8))
    dock.model = "savitzky_golay"
    dock._targets.region.choice.value = "visible part"
    viewer.dims.ndisplay = 3
    dock._start.native.click()
    assert "in 2D" in dock.problem
    viewer.dims.ndisplay = 2
    assert dock._start.enabled
    viewer.reset_view()
    viewer.screenshot(canvas_only=True, flash=False)
    dock._start.native.click()
    finish(dock, until)
    assert viewer.layers[-1].data.shape == layer.data.shape


def test_models_that_look_around_see_what_lies_around_a_region(tmp_path):
    cards = [SimpleNamespace(experiment=Experiment.model_validate({"network": spec})) for spec in NETWORKS]
    unet, spectral = cards
    assert Around.of([spectral], None) == Around(0, 1)
    both = Around.of([spectral, unet], None)
    assert both == Around(unet.experiment.network.context, 4)
    assert Around.of([unet], unet).context == 2 * both.context
    assert Around(6, 4).grown(((13, 20), (3, 30)), (22, 100)) == ((4, 22), (0, 36))


def test_the_newest_result_lies_above_those_of_before_and_is_what_evaluate_begins_with(viewer, dock, until):
    source, other = add_cube(viewer, image(4, 5)), add_cube(viewer, image(4, 5, name="truth"))
    dock.layer = source
    for method in ("savitzky_golay", "whittaker"):
        dock.model = method
        dock._start.native.click()
        until(lambda: not dock._applying.busy)
    names = [layer.name for layer in viewer.layers]
    assert names == ["cells", "cells · denoised by Savitzky–Golay", "cells · denoised by Whittaker", other.name]
    evaluate = opened(viewer, "Evaluate")
    assert evaluate.result is viewer.layers[2]
    dock._start.native.click()
    until(lambda: not dock._applying.busy)
    assert evaluate.result is viewer.layers[2]  # what comes later changes no choice


@pytest.fixture
def compared(tmp_path):
    """The smoother with training spectra for comparison."""
    import torch

    from napari_spectrai.learn.applicability import Applicability
    from napari_spectrai.learn.model import ready

    spectra = torch.from_numpy(image(20, 20, seed=1).numpy().reshape(-1, 25))
    made = ready("savitzky_golay", AXIS)
    index = Applicability.of(spectra, np.arange(len(spectra)) % 5)
    return replace(made, applicability=index).save(tmp_path / "compared.safetensors")


def test_a_hidden_map_shows_where_the_scores_of_the_model_hold(viewer, dock, compared, until):
    cube = image()
    data = cube.numpy().copy()
    data[:3, :, 4] += 30
    source = add_cube(viewer, cube.with_data(data))
    dock.model, dock.layer = compared, source
    steps = tuple(viewer.dims.nsteps)
    dock._start.native.click()
    finish(dock, until)
    layer = next(one for one in viewer.layers if "applicability" in one.name)
    assert (layer.visible, layer.ndim, layer.contrast_limits) == (False, 2, [0, 2])
    np.testing.assert_array_equal(layer.scale, source.scale[1:])
    assert (layer.data[:3] > 1).all()
    assert (layer.data[3:] <= 1).mean() > 0.9
    assert viewer.dims.nsteps == steps
    assert "of the spectra are unlike the training data" in dock.status
    assert "applicability" in dock.status.splitlines()[0]
    dock._start.native.click()
    until(lambda: not dock._applying.busy)
    assert sum("applicability" in one.name for one in viewer.layers) == 1  # brought up to date


def test_the_map_is_left_out_where_it_is_not_wanted_or_not_available(viewer, dock, compared, model, until):
    dock.layer = add_cube(viewer, image())
    dock.model = model
    assert not dock._options.applicability.enabled
    assert not dock._options._unlike.native.isHidden()
    dock.model = compared
    assert dock._options.applicability.enabled
    assert dock._options._unlike.native.isHidden()
    dock._options.applicability.value = False
    dock._start.native.click()
    finish(dock, until)
    assert not any("applicability" in layer.name for layer in viewer.layers)


def test_a_model_for_any_axis_makes_no_applicability_map_of_other_axes():
    axis, values = SpectralAxis(np.linspace(400, 900, 6), "nm"), np.ones((2, 2, 6), np.float32)
    here, elsewhere = Cube(values, axis), Cube(values, SpectralAxis(np.linspace(500, 900, 6), "nm"))
    for any_axis, expected in ((True, [True, False, False]), (False, [True, True, True])):
        card = SimpleNamespace(axis=axis, experiment=SimpleNamespace(any_axis=any_axis))
        request = PredictRequest(None, "model", "model", None, PredictOptions(), {}, trained=card)
        assert [request._comparable(source) for source in (here, elsewhere, Path("map.h5"))] == expected


def test_class_maps_can_be_smoothed_otherwise_where_the_model_smooths_them(viewer, dock):
    from napari_spectrai.learn.model import ready

    plain = ready("savitzky_golay", AXIS).description
    network = Automatic(radius=2)
    experiment = plain.experiment.model_copy(update={"network": network})
    smoothing = replace(plain, experiment=experiment, classes=[Class(1, "fat"), Class(2, "bone")])
    options = dock._options
    options.offer([], None, plain)
    assert options.smoothing.native.isHidden()
    assert not options.chosen().settings
    options.offer([], None, smoothing)
    assert not options.smoothing.native.isHidden()
    assert options.smoothing.native.currentText() == "as trained: radius 2"
    assert not options.chosen().settings
    options.smoothing.value = 0
    assert "radius=0" in options.chosen().arguments()
    assert options.settings()["radius"] == 0  # is kept with the result
    assert options.smoothed(smoothing).experiment.network.context == network.context - 4
    options.offer([], None, smoothing)
    assert options.radius == 0  # the choice stays with the model
    options.offer([], None, plain)
    assert options.smoothing.native.isHidden()
    assert not options.chosen().settings
