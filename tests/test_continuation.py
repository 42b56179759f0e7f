"""Continuing from an earlier model: what can be continued, what is taken from it, and which scores can be compared."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Labels, SpectralAxis, fit, train
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.continuation import members_of, obstacle
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.presets import continued
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.plan.used_pixels import UsedPixels, digest, is_named, overlap
from napari_spectrai.runs import Compared, RunFolder
from napari_spectrai.samples import sample_model

AXIS = SpectralAxis(np.linspace(400, 700, 8), "nm")


def scene(rng: np.random.Generator) -> tuple[Cube, np.ndarray]:
    """Return an image of two halves, and strokes in both."""
    data = rng.normal(0, 0.3, (24, 24, 8)).astype(np.float32)
    data[:, 12:] += 1
    strokes = np.zeros((24, 24), np.int32)
    for row in (3, 10, 17):
        strokes[row : row + 2, 2:8], strokes[row : row + 2, 14:20] = 1, 2
    return Cube(data, AXIS, name="cells"), strokes


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """An image, its strokes, and a model of the automatic choice for them."""
    cube, strokes = scene(np.random.default_rng(0))
    labels = Labels(strokes, {1: "fat", 2: "water"})
    folder = tmp_path_factory.mktemp("runs") / "first"
    experiment = Experiment.default("segmentation", cube, labels).override(
        "network.candidates=[logistic_regression, pca_lda, random_forest]", "network.blend=false", "network.smooth=false"
    )
    train(experiment, cube, labels, run=folder)
    return cube, strokes, RunFolder(folder), experiment


def test_only_the_chosen_methods_are_compared_when_a_choice_is_continued(first, tmp_path):
    cube, strokes, run, experiment = first
    more = strokes.copy()
    more[21, 2:8] = 1
    labels = Labels(more, {1: "fat", 2: "water"})
    again = continued(experiment, run.best)
    assert not problems_with(again, [cube], [labels])
    events = list(fit(again, cube, labels, run=tmp_path / "again"))
    compared = {event.name for event in events if isinstance(event, Compared)}
    assert compared == {member.name for member in members_of(run.best)}
    assert len(compared) == 1
    found = overlap(UsedPixels.load(run.path), UsedPixels.load(tmp_path / "again"), "validation")
    count = int((strokes > 0).sum())
    assert (found.before, found.now, found.common) == (count, count + 6, count)
    assert found.sentence(0.9, 0.8, "Mean recall") == (
        "Mean recall was 0.9 on 72 pixels, now 0.8 on 78 pixels, of which 72 were scored before: the two cannot be compared."
    )


def test_the_choice_continues_from_models_of_its_own_alone(first):
    cube, strokes, _, experiment = first
    wrong = continued(experiment, sample_model())
    (problem,) = problems_with(wrong, [cube], [Labels(strokes)])
    assert problem.path == "training.start"
    assert "continues only from a model of its own" in problem.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("network=svm",), "another kind (Automatic)"),
        (("task=classification",), "another task (segmentation)"),
    ],
)
def test_a_reason_is_given_where_a_model_cannot_be_continued(first, change, words):
    cube, strokes, run, experiment = first
    card = read_card(run.best)
    classes = Labels(strokes).classes()
    assert obstacle(card, experiment, cube.axis, classes) == ""
    assert words in obstacle(card, experiment.override(*change), cube.axis, classes)


def test_classes_may_be_added_but_not_lost_and_bands_stay(first):
    cube, strokes, run, experiment = first
    card, classes = read_card(run.best), Labels(strokes).classes()
    more = Labels(np.where(strokes == 0, 3, strokes)).classes()
    assert obstacle(card, experiment, cube.axis, more) == ""
    assert "without labels now: water" in obstacle(card, experiment, cube.axis, classes[:1])
    assert "other bands" in obstacle(card, experiment, SpectralAxis(np.linspace(400, 700, 9), "nm"), classes)


def test_what_a_network_learned_from_never_validates_its_successor(tmp_path, quick):
    cube, strokes = scene(np.random.default_rng(1))
    experiment = quick(
        "task=segmentation",
        "loss=cross_entropy",
        "network=spectral_mlp",
        "preparation=[]",
        "split.method=blocks",
        "split.block=4",
        "split.gap=1",
    )
    run, before = tmp_path, divide(experiment, [cube], [Labels(strokes)])
    UsedPixels.of(experiment, [cube], [Labels(strokes)], before.maps, crossed=False).save(run)
    seen = (before.maps[0] == TRAINING) & (strokes > 0)
    more = strokes.copy()
    more[6:9, 2:8], more[20:23, 14:20] = 1, 2
    again = continued(experiment.override("split.seed=5"), run / "best.safetensors")
    division = divide(again, [cube], [Labels(more)])
    assert (division.maps[0][seen] == TRAINING).all()
    assert any("keep the parts" in note for note in division.notes)
    fresh = divide(experiment.override("split.seed=5"), [cube], [Labels(more)])
    assert not (fresh.maps[0][seen] == TRAINING).all()
    other = Cube(cube.data + 1, AXIS)
    np.testing.assert_array_equal(divide(again, [other], [Labels(more)]).maps[0], fresh.maps[0])
    assert {1, 2} <= set(np.unique(division.maps[0][0][more > 0]))


def test_used_pixels_are_compared_by_image_place_and_class():
    cube, strokes = scene(np.random.default_rng(2))
    experiment = Experiment.default("segmentation", cube, Labels(strokes))
    maps = [np.full((1, 24, 24), TRAINING, np.uint8)]
    one = UsedPixels.of(experiment, [cube], [Labels(strokes)], maps, crossed=True)
    assert overlap(one, one, "validation").is_same
    assert overlap(one, one, "validation").sentence(0.9, 0.8, "Mean recall") == ""
    shifted = UsedPixels.of(experiment, [cube], [Labels(np.roll(strokes, 4, 0))], maps, crossed=True)
    assert overlap(one, shifted, "validation").words == "72 other pixels"
    other = UsedPixels.of(experiment, [Cube(cube.data + 1, AXIS)], [Labels(strokes)], maps, crossed=True)
    assert overlap(one, other, "validation").common == 0
    painted = np.where(strokes == 2, 3, strokes)
    assert overlap(one, UsedPixels.of(experiment, [cube], [Labels(painted)], maps, crossed=True), "validation").common == 36


@pytest.mark.parametrize("shape", [(60, 60, 8), (3, 60, 60, 8), (400, 8)])
def test_images_with_the_same_middle_have_different_names(shape):
    rng = np.random.default_rng(0)
    place = (..., slice(44, 52), slice(10, 18), slice(None)) if len(shape) > 2 else (slice(300, 340), slice(None))
    first, second = (np.zeros(shape, np.float32) for _ in range(2))
    first[place], second[place] = rng.random(first[place].shape), rng.random(first[place].shape)
    one, other = (Cube(data, AXIS) for data in (first, second))
    assert digest(one) == digest(Cube(first.copy(), AXIS))
    assert not is_named(digest(one), digest(other))
    assert is_named(digest(one).split("-")[0], digest(other)), "an earlier version knows the middle alone"


@pytest.mark.parametrize("sides", [(9,), (9, 8), (3, 9, 8), (2, 3, 9, 8), (2, 1, 3, 9, 8)], ids=str)
def test_images_of_any_number_of_dimensions_are_recognised(sides):
    """Also time series of volumes, and several of them."""
    values = np.random.default_rng(0).random((*sides, len(AXIS)), np.float32)
    assert digest(Cube(values, AXIS)) == digest(Cube(values.copy(), AXIS))
    assert not is_named(digest(Cube(values, AXIS)), digest(Cube(1 - values, AXIS)))


def test_an_image_has_the_same_name_in_memory_and_in_a_file(tmp_path):
    import dask.array as da

    values = np.random.default_rng(1).random((60, 60, 8), np.float32)
    np.save(tmp_path / "image.npy", values)
    lazy = Cube(da.from_array(values, chunks=(20, 20, 8)), AXIS)
    for one in (lazy, Cube(np.load(tmp_path / "image.npy", mmap_mode="r"), AXIS)):
        assert is_named(digest(Cube(values, AXIS)), digest(one))
        assert not is_named(digest(Cube(np.roll(values, 1, 0), AXIS)), digest(one))


def test_used_pixels_survive_their_file_and_a_damaged_file_says_nothing(tmp_path):
    cube, strokes = scene(np.random.default_rng(3))
    experiment = Experiment.default("segmentation", cube, Labels(strokes))
    used = UsedPixels.of(experiment, [cube], [Labels(strokes)], [np.full((1, 24, 24), TRAINING, np.uint8)], crossed=True)
    used.save(tmp_path)
    assert overlap(used, UsedPixels.load(tmp_path), "validation").is_same
    path = tmp_path / "pixels.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert UsedPixels.load(tmp_path) is None
    assert UsedPixels.load(tmp_path / "none") is None
