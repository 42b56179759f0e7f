"""Every task from the docks: choose it, train in a process of its own, predict, and look at the layers that come."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.widgets.layers import add_cube

SHORT = ("training.device=cpu", "training.epochs=4", "training.batch=8", "training.precision=fp32")


def dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-spectrai", name)[1]


@pytest.fixture
def scene(viewer):
    """An image of three classes with a Labels layer, some of it unlabelled."""
    rng = np.random.default_rng(0)
    classes = np.repeat([1, 2, 3], [8, 8, 8])[None].repeat(24, 0)
    data = (np.eye(4, 12)[classes] * 2 + rng.normal(0, 0.2, (24, 24, 12))).astype(np.float32)
    layer = add_cube(
        viewer, Cube(data, SpectralAxis(np.linspace(450, 700, 12), "nm"), pixel_size=(3.0, 3.0), pixel_unit="um", name="cells")
    )
    marked = classes.copy()
    marked[::5] = 0
    labels = viewer.add_labels(marked, name="strokes", scale=(3.0, 3.0), metadata={"class_names": {1: "fat", 2: "water", 3: "bone"}})
    return viewer, layer, labels


def trained(train, until, *overrides):
    """Train with a few settings changed, from the dock."""
    train.experiment = train.experiment.override(*SHORT, *overrides)
    assert train._start.enabled, (train.ready.problem.value, train.ready.rest.value)
    train.start()
    until(lambda: train.run is not None and train.state == "idle")
    assert train.view.status.startswith("done"), train.view._trouble.value
    return train.run.folder.best


def predicted(viewer, model, layer, until):
    """Apply a model from the dock."""
    predict = dock(viewer, "Predict")
    predict.model = model
    predict.layer = layer
    assert predict._start.enabled, predict._problem.value
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith("done"), predict._problem.value
    return predict


def test_segmentation_gives_named_labels_over_the_source_and_probabilities(scene, until):
    viewer, layer, labels = scene
    train = dock(viewer, "Train")
    train.form.task.value = "segmentation"
    assert train.data.first.truth.value is labels
    assert "cross_entropy" in train.form.main._parts["loss"].choice.choices
    assert "mse" not in train.form.main._parts["loss"].choice.choices
    model = trained(train, until, "network=spectral_cnn", "network.width=8", "network.stages=1", "split.block=4", "training.epochs=30")
    assert "Mean recall" in train.view.status
    predict = predicted(viewer, model, layer, until)
    assert [predict._description.value.count(f"■</span>&nbsp;{name}") for name in ("fat", "water", "bone")] == [1, 1, 1]
    result = viewer.layers["cells · classes by Spectral CNN"]
    shares = [viewer.layers[f"cells · probability · {name}"] for name in ("fat", "water", "bone")]
    told = as_labels(result)
    assert told.names == {1: "fat", 2: "water", 3: "bone"}
    assert (told.data == np.repeat([1, 2, 3], [8, 8, 8])).mean() > 0.8
    np.testing.assert_allclose(result.scale, layer.scale[1:])
    np.testing.assert_allclose(sum(one.data for one in shares), 1, atol=1e-5)
    for one in shares:
        assert one.data.shape == (24, 24)
        assert one.units == layer.units[1:]
        assert one.contrast_limits == [0, 1]
        assert not one.visible
    assert (viewer.dims.ndim, viewer.dims.nsteps[0]) == (3, layer.data.shape[0])
    shown = len(viewer.layers)
    result.visible = False
    predict.start()  # a later result of a model of that name replaces the earlier one
    assert not predict._start.enabled
    until(lambda: predict._start.enabled)
    assert predict.status.startswith("done"), predict._problem.value
    assert len(viewer.layers) == shown
    assert not result.visible
    # the form stands as it was, though napari made its choices anew when layers came
    assert (train.experiment.network.kind, train.experiment.loss.kind) == ("spectral_cnn", "cross_entropy")
    assert "mse" not in train.form.main._parts["loss"].choice.choices
    assert train._start.enabled, train.ready.rest.value
    # the colours are those painted with
    np.testing.assert_allclose(result.get_color(2), labels.get_color(2), atol=1e-3)


def test_a_changed_task_resets_the_form_and_names_what_it_needs(scene, until):
    viewer, _, labels = scene
    train = dock(viewer, "Train")
    assert train.form.task.value == "denoising"
    until(lambda: train._start.enabled)  # an image without truth teaches itself
    assert train.experiment.task.learns_from == "recorrupted"
    assert not train.data.first.truth.visible
    train.form.settings._parts["learns_from"].editor.value = "pairs"
    assert "Choose the layer with the target of the input" in train.ready.problem.value
    assert not train._start.enabled
    train.form.task.value = "super_resolution"
    assert train._start.enabled
    assert train.experiment.network.kind == "rcan"
    train.form.task.value = "segmentation"
    viewer.layers.remove(labels)
    assert "Labels layer" in train.ready.problem.value
    assert not train._start.enabled
    train.form.task.value = "denoising"
    assert train.experiment.task.learns_from == "recorrupted"


def test_a_super_resolved_layer_lies_exactly_over_its_source(scene, until):
    viewer, layer, _ = scene
    train = dock(viewer, "Train")
    train.form.task.value = "super_resolution"
    model = trained(train, until, "network.width=8", "network.groups=1", "network.blocks=1", "data.samples=8", "split.validation=0.3",
                    "split.gap=0", "data.patch=4", "training.epochs=1", "network.components=3")  # fmt: skip
    layer.translate = [layer.translate[0], 30.0, -6.0]
    predicted(viewer, model, layer, until)
    result = viewer.layers["cells · 2 × enlarged by RCAN"]
    assert result.data.shape == (12, 48, 48)
    # the corners of both coincide
    for end, other in ((0, 0), (48, 24)):
        mine, theirs = (np.array(one.data_to_world([0, e - 0.5, e - 0.5]))[1:] for one, e in ((result, end), (layer, other)))
        np.testing.assert_allclose(mine, theirs)


def test_spectra_of_a_set_are_classified_one_by_one(viewer, until):
    rng = np.random.default_rng(1)
    classes = np.arange(80) % 2
    layer = add_cube(viewer, Cube((rng.normal(0, 0.2, (80, 20)) + np.eye(2, 20)[classes] * 3).astype(np.float32), name="cells"))
    strokes = np.zeros(layer.data.shape, int)
    strokes[4] = classes + 1  # a line across all spectra
    viewer.add_labels(strokes, name="kinds", metadata={"class_names": {1: "A", 2: "B"}})
    train = dock(viewer, "Train")
    train.form.task.value = "classification"
    model = trained(train, until, "network=spectral_mlp", "network.width=16", "training={epochs: 30, batch: 8, ema: 0.9}")
    predicted(viewer, model, layer, until)
    result = viewer.layers["cells · classes by Spectral MLP"]
    assert result.data.shape == layer.data.shape
    assert (result.data[0] == classes + 1).mean() > 0.9


def test_an_invalid_setting_of_the_task_is_shown_next_to_it(scene):
    viewer, *_ = scene
    train = dock(viewer, "Train")
    train.form.task.value = "segmentation"
    row = train.form.settings._parts["unlabelled"]
    row.editor.value = "none at all"
    assert "does not fit" in row.problem.value
    assert not train._start.enabled
    row.editor.value = "0"
    assert not row.problem.value
    assert train._start.enabled


def test_classes_of_the_planes_of_a_stack(viewer, until):
    rng = np.random.default_rng(0)
    kinds = np.arange(10) % 2 + 1
    stack = (rng.normal(0, 0.1, (10, 12, 12, 6)) + kinds[:, None, None, None]).astype(np.float32)
    layer = add_cube(viewer, Cube(stack, SpectralAxis(np.linspace(450, 700, 6), "nm"), name="stack"))
    marked = np.broadcast_to(kinds[:, None, None], (10, 12, 12)).copy()
    viewer.add_labels(marked, name="kinds", metadata={"class_names": {1: "dull", 2: "bright"}})
    train = dock(viewer, "Train")
    train.form.task.value = "classification"
    best = trained(
        train, until, "task.of=images", "task.unlabelled=0", "network={kind: resnet, dims: 2, width: 8}", "data.patch=12",
        "split={method: auto, validation: 0.2}", "preparation=[scale]", "augmentation=[flip]", "training.epochs=12", "loss=cross_entropy",
    )  # fmt: skip
    predict = predicted(viewer, best, layer, until)
    told = viewer.layers["stack · classes by ResNet"]
    assert told.data.shape == (10, 12, 12)
    assert as_labels(told).names == {1: "dull", 2: "bright"}
    assert predict._options.views.enabled
    one = add_cube(viewer, Cube(stack[1], SpectralAxis(np.linspace(450, 700, 6), "nm"), name="one"))
    predict.model, predict.layer = best, one
    predict._options.views.value = True
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith(("done: bright (", "done: dull (")), predict._problem.value
    assert viewer.layers["one · classes by ResNet"].data.shape == (12, 12)
