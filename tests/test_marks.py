"""Points and shapes as labels: by position, with the classes that they name, or refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Points, Shapes

from napari_spectrai import Cube, Experiment, as_cube, fit
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.marks import is_marks, labels_of_marks
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import prepare

PLACE = {"scale": (1, 0.5, 0.5), "translate": (0, 10.0, 20.0)}


def image(**place):
    """A layer of 12 × 10 pixels and 3 bands."""
    data = np.random.default_rng(0).random((3, 12, 10), np.float32)
    metadata = {"spectral_axis": {"values": [1.0, 2.0, 3.0], "unit": "nm", "position": 0}}
    return Image(data, metadata=metadata, name="cells", **place)


def test_the_pixel_under_each_point_has_its_class():
    cube = as_cube(image(**PLACE))
    world = np.array([[10.0, 20.0], [10.9, 20.4], [15.5, 24.5]])  # of the pixels (0, 0), (2, 1) and (11, 9)
    labels = labels_of_marks(Points(world, features={"class": ["fat", "water", "fat"]}, name="spots"), cube)
    assert labels.names == {1: "fat", 2: "water"}
    assert [labels.data[place] for place in ((0, 0), (2, 1), (11, 9))] == [1, 2, 1]
    assert np.count_nonzero(labels.data) == 3
    # the same in a layer of other pixels, and at one band
    scaled = Points((world - 10) / 0.25, scale=(0.25, 0.25), translate=(10, 10), features={"label": [4, 7, 4]})
    assert labels_of_marks(scaled, cube).data[2, 1] == 7
    banded = Points(np.column_stack([[2, 0, 1], world]), features={"class": ["fat", "water", "fat"]})
    np.testing.assert_array_equal(labels_of_marks(banded, cube).data, labels.data)
    last = as_cube(Image(np.zeros((12, 10, 3), np.float32), scale=(0.5, 0.5, 1), translate=(10, 20, 0)), position=2)
    turned = Points(np.column_stack([world, [2, 0, 1]]), features={"class": ["fat", "water", "fat"]})
    np.testing.assert_array_equal(labels_of_marks(turned, last).data, labels.data)


def test_classes_come_from_text_and_colours_where_no_column_names_them():
    cube, places = as_cube(image()), np.array([[1.0, 1], [2, 2], [3, 3]])
    text = {"string": ["a", "b", "a"]}
    assert labels_of_marks(Points(places, text=text), cube).names == {1: "a", 2: "b"}
    coloured = labels_of_marks(Points(places, face_color=["red", "blue", "red"]), cube)
    assert coloured.names == {1: "#0000ff", 2: "#ff0000"}
    assert coloured.data[1, 1] == coloured.data[3, 3] != coloured.data[2, 2]
    some = Points(places, features={"class": ["a", None, "b"]})
    assert labels_of_marks(some, cube).data[2, 2] == 0


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            Points(np.array([[1.0, 1], [2, 2]]), name="spots"),
            "defines no classes for its 2 marks; set the class of each in a column 'class'",
        ),
        (Points(np.zeros((0, 2)), name="spots"), "is empty"),
        (Points(np.array([[99.0, 99]]), features={"class": ["a"]}, name="spots"), "none of the 1 marks"),
        (Points(np.zeros((1, 5)), features={"class": ["a"]}, name="spots"), "have 5 coordinates, but the input has 2 without its bands"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_words(layer, words):
    with pytest.raises(ValueError, match=words):
        labels_of_marks(layer, as_cube(image()))


def test_marks_alone_are_no_labels_and_mark_no_set_of_spectra():
    spots = Points(np.array([[1.0, 1]]), features={"class": ["a"]}, name="spots")
    assert is_marks(spots)
    assert not is_marks(image())
    with pytest.raises(ValueError, match="'spots' holds points or shapes, which are classes only of the pixels of a cube"):
        as_labels(spots)
    with pytest.raises(ValueError, match="a set of spectra; use a Labels layer"):
        labels_of_marks(spots, Cube(np.zeros((5, 3))))


def test_marks_outside_and_on_one_another_are_said():
    places = np.array([[1.0, 1], [1.2, 0.9], [4, 4], [-9, 0]])
    with pytest.warns(SpectralWarning, match=r"1 of its 4 marks lie outside .* 1 pixels have marks of two classes"):
        labels = labels_of_marks(Points(places, features={"class": ["a", "b", "a", "b"]}), as_cube(image()))
    assert (labels.data[1, 1], labels.data[4, 4]) == (0, 1)


def test_shapes_are_filled_where_they_lie_whatever_their_layer():
    cube = as_cube(image(**PLACE))
    corners = np.array([[1, 1], [1, 6], [4, 6], [4, 1]], float)  # in pixels of the image
    world = corners * 0.5 + [10, 20]
    shapes = Shapes([world, world + np.array([3, 0])], shape_type="rectangle", features={"class": ["cell", "medium"]}, name="fields")
    labels = labels_of_marks(shapes, cube)
    alone = Shapes([corners], shape_type="rectangle").to_labels((12, 10))
    np.testing.assert_array_equal(labels.data == 1, alone > 0)
    assert labels.names == {1: "cell", 2: "medium"}
    moved = Shapes([corners], shape_type="ellipse", scale=(0.5, 0.5), translate=(10, 20), face_color="red", features={"class": ["x"]})
    np.testing.assert_array_equal(labels_of_marks(moved, cube).data > 0, Shapes([corners], shape_type="ellipse").to_labels((12, 10)) > 0)


def test_points_are_learnt_from_in_python_and_in_a_process(tmp_path):
    layer = image(**PLACE)
    data = layer.data
    data[:, :, 5:] += 2
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(10), indexing="ij"), -1).reshape(-1, 2)
    spots = Points(grid * 0.5 + [10, 20], features={"class": np.where(grid[:, 1] < 5, "dark", "bright")}, name="spots")
    document = Experiment.from_mapping({"task": "segmentation", "network": {"kind": "spectral_mlp", "width": 8}}).override(
        "training.epochs=2", "training.device=cpu", "split.validation=0.2", "split.block=2", "split.gap=0"
    )
    (_,), (truth,) = gather(document, layer, spots)
    assert truth.names == {1: "bright", 2: "dark"}
    run = prepare(document, layer, [spots], run=tmp_path / "run")
    _, (again,) = gather(run.folder.experiment(), None, None)
    np.testing.assert_array_equal(again.data, truth.data)
    assert [*fit(document, layer, spots, run=tmp_path / "fit")]
