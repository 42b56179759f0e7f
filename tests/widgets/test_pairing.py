"""Nothing is paired by accident: choices stay, truths are asked for, and what lies apart is aligned on a button or refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

import napari_spectrai as spectrai
from napari_spectrai import Cube, SpectralAxis
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layer_choice import is_made, is_named_truth, own_truth
from napari_spectrai.widgets.layers import add_cube, as_cube, spectral_layers, undecided

AXIS = SpectralAxis(np.linspace(400, 700, 6), "nm")


def scene(name="cells", seed=0, shape=(24, 20)):
    return Cube(np.random.default_rng(seed).random((*shape, 6), np.float32), AXIS, pixel_size=(0.5, 0.5), pixel_unit="um", name=name)


def predicted(viewer, name, seed=1):
    """A layer as the Predict dock makes it."""
    layer = add_cube(viewer, scene(name, seed))
    layer.metadata["prediction"] = {"model": "m", "name": "m", "task": "denoising", "source": "cells", "role": "result"}
    return layer


def halves(image, name="strokes", **place):
    marked = np.zeros(image.data.shape[1:], np.int32)
    marked[:, :6], marked[:, -6:] = 1, 2
    return {"data": marked, "name": name, "scale": image.scale[1:], "translate": image.translate[1:]} | place


@pytest.fixture
def train(viewer):
    dock = spectrai.widgets.train(viewer)
    dock.ready.measures = False
    return dock


def chosen(train):
    return train.data.first.input.value, train.data.first.truth.value


def test_no_prediction_prepared_layer_or_clustering_becomes_a_truth(viewer, train):
    cells = add_cube(viewer, scene())
    assert chosen(train) == (cells, None)
    result = predicted(viewer, "cells · denoised by SVD")
    prepared = add_cube(viewer, scene("cells · prepared", 2), metadata={"prepared": {"source": "cells"}, "spectral_axis": AXIS.to_json()})
    saved = add_cube(viewer, scene("cells · denoised by SVD [1]", 3))  # a file that kept the name alone
    another = add_cube(viewer, scene("another", 4))
    assert chosen(train) == (cells, None)
    assert all(map(is_made, (result, prepared, saved)))
    assert not is_made(another)
    clusters = viewer.add_labels(**halves(cells, "cells · classes by k-means"))
    clusters.metadata["prediction"] = {"task": "segmentation", "source": "cells"}
    viewer.add_labels(**halves(cells, "Labels"))
    train.form.task.value = "segmentation"
    assert chosen(train) == (cells, None)
    assert "Choose the Labels layer" in train.ready.problem.value
    assert not train._start.enabled
    again = spectrai.widgets.train(viewer)  # nor where the dock comes after the layers
    assert again.data.first.truth.value is None


def test_what_was_called_a_truth_is_proposed_at_the_beginning_and_what_comes_later_changes_nothing(viewer):
    truth, cells = add_cube(viewer, scene("truth", 1)), add_cube(viewer, scene())
    train = spectrai.widgets.train(viewer)
    assert chosen(train) == (cells, truth)
    train.data.first.truth.value = None  # a person's word
    add_cube(viewer, scene("ground truth", 2))
    add_cube(viewer, scene("newest", 3))
    assert chosen(train) == (cells, None)
    cells.name = "renamed"
    assert chosen(train) == (cells, None)
    viewer.layers.move(0, 2)
    assert chosen(train) == (cells, None)
    assert [is_named_truth(layer) for layer in (truth, cells)] == [True, False]


def test_a_layer_that_is_removed_leaves_its_choice_empty_with_the_reason(viewer, train):
    cells, other = add_cube(viewer, scene()), add_cube(viewer, scene("other", 1))
    train.data.first.truth.value = other
    viewer.layers.remove(other)
    assert chosen(train) == (cells, None)
    assert "'other' was removed; choose another layer" in train.ready.problem.value or train.form.takes_truth() is False
    more = add_cube(viewer, scene("more", 2))
    viewer.layers.remove(cells)
    assert chosen(train) == (None, None)
    assert "'cells' was removed; choose another layer" in train.ready.problem.value
    add_cube(viewer, scene("later", 3))
    assert chosen(train) == (None, None)
    train.data.first.input.value = more
    assert "'cells' was removed" not in train.ready.problem.value


def test_predict_evaluate_and_preprocess_keep_their_choices_too(viewer):
    predict, evaluate, prepare = (opened(viewer, name) for name in ("Predict", "Evaluate", "Preprocess"))
    cells = add_cube(viewer, scene())
    first = predicted(viewer, "cells · denoised by one")
    other = add_cube(viewer, scene("other", 5))
    evaluate._look_at_layers()
    assert (predict.layer, prepare.layer, evaluate.result) == (cells, cells, first)
    assert evaluate.truth is None  # as large as the result, but nobody called it its truth
    evaluate.truth = other
    predicted(viewer, "cells · denoised by two", 2)
    add_cube(viewer, scene("truth", 3))
    evaluate._look_at_layers()
    assert (predict.layer, prepare.layer, evaluate.result, evaluate.truth) == (cells, cells, first, other)
    viewer.layers.remove(other)
    evaluate._look_at_layers()
    assert evaluate.truth is None
    assert "'other' was removed" in evaluate.choices.problem.value
    viewer.layers.remove(cells)
    assert (predict.layer, prepare.layer) == (None, None)
    predict.layer = first
    box = viewer.add_labels(**halves(first, "box"))
    predict._targets.region.choice.value = box
    viewer.layers.remove(box)
    with pytest.raises(ValueError, match="'box', which marked the region, was removed; choose a region, or the whole layer"):
        predict._targets.region.of(first)
    assert "'cells' was removed" in prepare._about.value


def test_a_truth_at_another_position_is_aligned_by_a_button(viewer, train, until):
    cells = add_cube(viewer, scene())
    truth = add_cube(viewer, scene("clean", 1))
    truth.translate = [truth.translate[0], 2.5, 0]
    train.data.first.truth.value = truth
    row = train.data.first
    assert "Truth 'clean' lies 5 pixels lower than 'cells'; aligned by position, both are cut to the 19 × 20" in train.ready.problem.value
    assert row.align_button.visible
    assert not train._start.enabled
    row.align_button.native.click()
    assert not row.align_button.visible
    until(lambda: train.ready.examined is not None and train._start.enabled)
    assert "380 spectra" in train.ready.summary.value
    cubes, truths, found = train.data.placed(train.experiment)
    assert not found
    np.testing.assert_array_equal(cubes[0].data, as_cube(cells).data[5:])
    np.testing.assert_array_equal(truths[0].data, as_cube(truth).data[:19])
    assert "paired by position, both are cut" in train.ready.note.value
    train.ready.split.native.click()
    split = viewer.layers["cells · split"]
    assert split.data.shape == (19, 20)
    np.testing.assert_allclose(split.data_to_world((0, 0)), [2.5, 0])
    truth.translate = [truth.translate[0], 1.0, 0]  # elsewhere: asked again
    until(lambda: row.align_button.visible)
    assert "2 pixels lower" in train.ready.problem.value
    truth.translate = [truth.translate[0], 1.1, 0]
    until(lambda: "lies 2.2 pixels lower" in train.ready.problem.value)
    assert not row.align_button.visible
    train.experiment = train.experiment.override("data.pairing=pixels")
    until(lambda: train._start.enabled)
    assert len(train.data.placed(train.experiment)[0][0].data) == 24


def test_labels_of_another_pixel_size_are_resampled_on_a_button_or_refused(viewer, train, until):
    cells = add_cube(viewer, scene())
    train.form.task.value = "segmentation"
    coarse = viewer.add_labels(**halves(cells, "coarse", scale=(1.0, 1.0), translate=(0.25, 0.25)))
    coarse.data = coarse.data[:12, :10]
    train.data.first.truth.value = coarse
    until(lambda: train.data.first.align_button.visible)
    assert "Labels 'coarse' has pixels of 1 × 1" in train.ready.problem.value
    assert "and 'cells' of 0.5 × 0.5 µm; aligned by position, labels taken from the nearest pixel" in train.ready.problem.value
    train.data.first.align_button.native.click()
    _, (labels,), found = train.data.placed(train.experiment)
    assert (labels.shape, found) == ((24, 20), [])
    np.testing.assert_array_equal(labels.data[::2, ::2], coarse.data)
    same = viewer.add_labels(halves(cells)["data"], name="without a scale")
    train.data.first.truth.value = same
    assert "has no pixel size of its own" in train.ready.problem.value
    assert not train._start.enabled
    assert train.data.first.align_button.text == "Pair pixel by pixel"
    train.data.first.align_button.native.click()
    _, (labels,), found = train.data.placed(train.experiment)
    assert found == []
    np.testing.assert_array_equal(labels.data, same.data)
    assert "no pixel size" not in train.ready.problem.value
    other = viewer.add_labels(halves(cells)["data"], name="another")
    train.data.first.truth.value = other
    assert "'another' has no pixel size of its own" in train.ready.problem.value
    other.scale = cells.scale[1:]
    until(lambda: "no pixel size" not in train.ready.problem.value)


def test_points_and_shapes_are_learnt_from_or_refused_in_words(viewer, train, until):
    cells = add_cube(viewer, scene())
    train.form.task.value = "segmentation"
    rng = np.random.default_rng(0)
    places = rng.permutation(24 * 20)[:200]
    world = np.column_stack(np.divmod(places, 20)) * 0.5
    points = viewer.add_points(world, features={"class": np.where(world[:, 1] < 5, "left", "right")}, name="spots")
    bare = viewer.add_points(world, name="bare")
    assert train.data.first.truth.value is None
    train.data.first.truth.value = bare
    assert "'bare' defines no classes for its 200 marks" in train.ready.problem.value
    assert not train._start.enabled
    train.data.first.truth.value = points
    until(lambda: "2 classes" in train.ready.summary.value)
    _, (labels,), _ = train.data.placed(train.experiment)
    assert labels.names == {1: "left", 2: "right"}
    assert cells in viewer.layers


def test_an_ambiguous_spectral_dimension_must_be_chosen_before_the_start(viewer, train, until):
    stack = viewer.add_image(np.random.default_rng(0).random((4, 24, 6, 20), np.float32), name="t, y, λ, x")
    assert chosen(train)[0] is stack
    assert train.data.layers.dimension.visible
    assert train.data.layers.dimension.value is None
    assert "(4 × 24 × 6 × 20) has no known spectral dimension; choose its spectral dimension" in train.ready.problem.value
    assert not train._start.enabled
    prepare, predict = opened(viewer, "Preprocess"), opened(viewer, "Predict")
    prepare.layer = predict.layer = stack
    prepare.steps = ["normalise"]
    predict.model = "savitzky_golay"
    assert not prepare._applying.start.enabled
    assert "has no known spectral dimension" in prepare._problem.value
    assert "has no known spectral dimension" in predict.problem
    assert not predict._start.enabled
    train.data.layers.dimension.value = 2
    assert as_cube(stack).shape == (4, 24, 20, 6)
    assert "has no known spectral dimension" not in train.ready.problem.value + predict.problem
    labelled = viewer.add_image(np.zeros((5, 8, 9), np.float32), axis_labels=("y", "x", "Wavelength (nm)"))
    assert as_cube(labelled).shape == (5, 8, 9)
    assert undecided(labelled) == ""


def test_odd_layers_are_offered_asked_about_or_left_out(viewer, train):
    colours = viewer.add_image(np.zeros((8, 9, 3), np.uint8), rgb=True)
    assert "is an RGB image, not a spectral one" in train.ready.problem.value
    flat = viewer.add_image(np.random.default_rng(0).random((24, 20)), name="flat")
    cells = add_cube(viewer, scene())
    projected = viewer.add_image(np.asarray(cells.data).max(0, keepdims=True), metadata=dict(cells.metadata), name="projected")
    assert colours not in spectral_layers(viewer)
    for layer, words in ((flat, "has no known spectral dimension"), (projected, "whose spectral axis no longer fits")):
        train.take(layer)
        assert words in train.ready.problem.value
        assert not train._start.enabled
    mask = viewer.add_image(np.ones((6, 8, 9), bool), axis_labels=("band", "y", "x"), name="mask")
    assert as_cube(mask).numpy().dtype == np.float32


def test_numbers_of_objects_are_asked_about(viewer, train):
    cells = add_cube(viewer, scene(shape=(60, 60)))
    train.form.task.value = "segmentation"
    numbers = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((3, 3), int))
    train.data.first.truth.value = viewer.add_labels(numbers, name="masks", scale=cells.scale[1:])
    assert "'masks' contains 400 values without names" in train.ready.problem.value
    assert "If they number objects" in train.ready.problem.value
    assert len(train.ready.problem.value) < 500


def test_results_are_aligned_with_their_truth_on_a_button(viewer, until):
    evaluate = opened(viewer, "Evaluate")
    truth, cells = add_cube(viewer, scene("truth", 1)), add_cube(viewer, scene())
    result = predicted(viewer, "cells · denoised by one")
    result.translate = [result.translate[0], 1.0, 0.5]
    evaluate.results, evaluate.truth, evaluate.source = [result], truth, cells
    assert "2 pixels lower and 1 pixel further right than 'truth'; align by position" in evaluate.choices.problem.value
    assert not evaluate._start.enabled
    evaluate.choices.align_button.native.click()
    assert evaluate.result.name == "cells · denoised by one · aligned"
    assert evaluate.result.data.shape == evaluate.truth.data.shape == evaluate.source.data.shape == (6, 22, 19)
    np.testing.assert_allclose(evaluate.truth.data_to_world((0, 0, 0))[1:], [1.0, 0.5])
    until(lambda: evaluate._start.enabled)
    evaluate.start()
    until(lambda: not evaluate._applying.busy)
    wanted = np.mean((np.asarray(result.data)[:, :22, :19] - np.asarray(truth.data)[:, 2:, 1:]) ** 2)
    assert evaluate.report.metrics["mse"] == pytest.approx(wanted, rel=1e-4)
    result.translate = [result.translate[0], 0.1, 0]
    evaluate.results, evaluate.truth = [result], truth
    assert "lies 0.2 pixels lower" in evaluate.choices.problem.value
    assert not evaluate.choices.align_button.visible


@pytest.mark.parametrize(
    ("layer", "truths", "others", "found"),
    [
        ("a", ["a truth", "b truth"], ["b"], "a truth"),
        ("b", ["a truth", "b truth"], ["a"], "b truth"),
        ("b · denoised", ["truth of a", "truth of b"], ["a"], "truth of b"),
        ("my_map_2", ["my_map_gt", "my_map_2_gt"], ["my_map"], "my_map_2_gt"),
        ("my_map", ["my_map_gt", "my_map_2_gt"], ["my_map_2"], "my_map_gt"),
        ("noisy", ["clean truth"], [], "clean truth"),
        ("noisy", ["ground truth"], ["other"], "ground truth"),
        ("a", ["b truth"], ["b"], None),
        ("c", ["a truth", "b truth"], ["a", "b"], None),
        ("a", ["first truth", "second truth"], [], None),
        ("a", [], ["b"], None),
    ],
)
def test_a_truth_is_that_of_the_layer_of_its_name(layer, truths, others, found):
    source, *rest = (Labels(np.zeros((2, 2), int), name=name) for name in [layer, *truths, *others])
    chosen = own_truth(rest[: len(truths)], source, rest[len(truths) :])
    assert (chosen and chosen.name) == found
