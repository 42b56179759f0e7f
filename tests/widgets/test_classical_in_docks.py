"""Methods that need no training, from the Predict dock."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, as_cube
from napari_spectrai.widgets.layers import add_cube


@pytest.fixture
def opened(viewer):
    """An image of three stripes as a layer, and the Predict dock beside it."""
    stripes = np.repeat([1, 2, 3], [12, 8, 4])[None].repeat(16, 0)
    data = np.eye(4, 12)[stripes] * 2 + np.random.default_rng(0).normal(0, 0.1, (16, 24, 12))
    layer = add_cube(viewer, Cube(data.astype(np.float32), name="stripes"))
    predict = viewer.window.add_plugin_dock_widget("napari-spectrai", "Predict")[1]
    predict.layer = layer
    return viewer, predict, stripes


def done(predict, until):
    """Apply what is chosen."""
    assert predict._start.enabled, predict._problem.value
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith("done"), predict._problem.value


def test_clusters_with_a_chosen_count_come_as_named_labels(opened, until):
    viewer, predict, stripes = opened
    predict.model = "kmeans"
    assert "K-means clusters" in predict._description.value
    count = predict._method._settings._parts["count"]
    count.fill(3)
    done(predict, until)
    labels = viewer.layers["stripes · classes by K-means clusters"]
    np.testing.assert_array_equal(labels.data, stripes)
    assert "cluster 1" in str(labels.metadata) + str(labels.features)
    maps = [layer for layer in viewer.layers if " · probability · cluster " in layer.name]
    assert [one.data.shape for one in maps] == [(16, 24)] * 3
    assert predict.model == "kmeans"


def test_an_image_is_enlarged_by_a_chosen_factor(opened, until):
    viewer, predict, _ = opened
    predict.model = "bicubic"
    predict._method._factor.value = 3
    done(predict, until)
    assert as_cube(viewer.layers["stripes · 3 × enlarged by Bicubic"]).shape == (48, 72, 12)


def test_a_setting_that_does_not_fit_holds_the_button(opened):
    _, predict, _ = opened
    predict.model = "savitzky_golay"
    assert predict._start.enabled
    predict._method._settings._parts["window"].fill(1)
    assert "window: 1 does not fit" in predict._problem.value
    assert not predict._start.enabled
