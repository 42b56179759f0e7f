"""Classes that several labels number differently, and numbers that mean that there are no data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Labels, SpectralWarning, as_cube, as_labels, evaluate, train
from napari_spectrai.class_numbers import in_one_numbering
from napari_spectrai.plan.partition import divide


def spectra_of(names: list[str], seed: int) -> Cube:
    """A set of spectra whose level is that of their class."""
    levels = np.array([1.0 + "abc".index(name) for name in names])
    return Cube(levels[:, None] * np.linspace(1, 2, 9) + np.random.default_rng(seed).normal(0, 0.05, (len(names), 9)), name=f"set {seed}")


def test_classes_of_several_sets_are_matched_by_name() -> None:
    """Each list of names is numbered from 1: before, the second set's "b" was taken for the first's "a"."""
    names = [["a", "b"] * 10, ["b", "c"] * 10, ["c", "b"] * 10, ["b", "a"] * 10]
    cubes = [spectra_of(of_set, seed) for seed, of_set in enumerate(names)]
    experiment = Experiment.default("classification", cubes[0], names[0]).override("network=pca_lda")
    with pytest.warns(SpectralWarning, match="matched by name"):
        model = train(experiment, cubes, names)
    assert [one.name for one in model.description.classes] == ["a", "b", "c"]
    predicted = model.predict(cubes[1]).labels
    assert [predicted.names[value] for value in predicted.data] == names[1]
    assert model.evaluate(cubes[1], names[1]).rows["network"]["overall_accuracy"] == 1


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([{1: "a", 2: "b"}, {1: "b", 2: "a"}], [[1, 2], [2, 1]]),
        ([{1: "a", 2: "b"}, {1: "b", 2: "c"}], [[1, 2], [2, 3]]),
        ([{1: "a", 2: "b"}, {1: "c", 2: "d"}], [[1, 2], [3, 4]]),
        ([{1: "a", 2: "b"}, {1: "a", 2: "b"}], [[1, 2], [1, 2]]),
        ([{1: "a", 2: "b"}, {}], [[1, 2], [1, 2]]),
        ([{}, {1: "a", 2: "b"}], [[1, 2], [1, 2]]),
        ([{1: "class 1", 2: "b"}, {1: "x", 2: "b"}], [[1, 2], [1, 2]]),
        ([{1: "a", 2: "a"}, {1: "b", 2: "a"}], [[1, 2], [3, 1]]),
        ([{0: "nothing", 1: "a"}, {0: "a", 1: "nothing"}], [[1, 2], [3, 2]]),
    ],
)
def test_a_name_has_one_number(tables: list[dict[int, str]], expected: list[list[int]]) -> None:
    labels = [Labels(np.array([[1, 2]]), names, {1: (1, 0, 0, 1)}) for names in tables]
    found, words = in_one_numbering(labels)
    assert [one.data[0].tolist() for one in found] == expected
    assert ("matched by name" in words) == (expected != [[1, 2]] * 2)
    assert ("numbers without a name" in words) == ({1, 2} & {*tables[0]} != {1, 2} & {*tables[1]} or tables[0].get(1) == "class 1")
    for old, new in zip(labels, found, strict=True):
        for value, number in zip([1, 2], new.data[0], strict=True):
            assert old.names.get(value) == new.names.get(number)
            assert old.colours.get(value) == new.colours.get(number)


def test_a_number_without_a_name_is_not_merged_with_a_named_class() -> None:
    with pytest.raises(ValueError, match="class 2 .* has no name"):
        in_one_numbering([Labels(np.array([[1, 2]]), {1: "a", 2: "b"}), Labels(np.array([[1, 2]]), {1: "b"})])


def test_results_are_scored_by_the_names_of_the_truth() -> None:
    result = Labels(np.array([[1, 2, 2]]), {1: "a", 2: "b"})
    with pytest.warns(SpectralWarning, match="matched by name"):
        assert evaluate(result, Labels(np.array([[2, 1, 1]]), {1: "b", 2: "a"})).rows["result"]["overall_accuracy"] == 1
    assert evaluate(result, Labels(np.array([[1, 2, 2]]), {1: "maize", 2: "soy"})).rows["result"]["overall_accuracy"] == 1


@pytest.mark.parametrize(
    "given",
    [
        np.array([[-9999, 1]]), np.array([[-128, 1]], np.int8), np.array([[-3.4e38, 1]]), np.array([[np.nan, 1]]),
        np.ma.masked_equal(np.array([[7, 1]], np.uint8), 7), np.ma.masked_equal(np.array([[7.0, 1]]), 7),
    ],
    ids=["-9999", "int8", "lowest float", "NaN", "masked", "masked floats"],
)  # fmt: skip
def test_numbers_without_data_are_unlabelled(given: np.ndarray) -> None:
    with pytest.warns(SpectralWarning, match="1 pixels .* count as unlabelled"):
        assert as_labels(given).data.tolist() == [[-1, 1]]


@pytest.mark.parametrize("number", [2**31 - 1, 2**32 - 1, 10**12, 1e20])
def test_numbers_too_large_for_a_class_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="set it to 0"):
        as_labels(np.array([[number, 1]]))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_masked_intensities_are_missing(dtype: type) -> None:
    array = np.ma.masked_greater(np.arange(12, dtype=dtype).reshape(2, 2, 3), 10)
    assert np.isnan(as_cube(array).numpy()).tolist() == array.mask.tolist()


@pytest.mark.parametrize("kind", ["Labels", "Points", "Shapes"])
def test_layers_without_intensities_are_no_cubes(kind: str) -> None:
    layers = pytest.importorskip("napari.layers")
    given = {"Labels": np.ones((3, 4), int), "Points": [[1, 2]], "Shapes": [[[0, 0], [0, 2], [2, 2], [2, 0]]]}
    with pytest.raises(ValueError, match=f"layer of {kind}"):
        as_cube(getattr(layers, kind)(given[kind]))


@pytest.mark.parametrize("alike", [("Fat", "fat"), ("beta sheet", "beta  sheet"), ("Fat", "FAT"), ("fat", "fat")])
def test_names_of_classes_that_differ_only_in_case_or_blanks_are_said(alike) -> None:
    rng = np.random.default_rng(0)
    cube = Cube(rng.random((30, 5), np.float32))
    labels = Labels(np.arange(30) % 3 + 1, {1: alike[0], 2: "water", 3: alike[1]})
    experiment = Experiment.default("classification", cube, labels).override("network=pca_lda")
    words = f"{alike[0]!r} (1), {alike[1]!r} (3)"
    assert any(words in note and "are learnt as different classes" in note for note in divide(experiment, [cube], [labels]).notes)
    assert any(words in note for note in evaluate({"again": labels}, labels).notes)


def test_blanks_around_names_of_classes_are_left_out() -> None:
    assert Labels(np.array([1, 2]), {1: "fat ", 2: " "}).names == {1: "fat"}
    assert as_labels(["fat ", "fat", "water"]).data.tolist() == [1, 1, 2]
    both, words = in_one_numbering([Labels(np.array([1, 2]), {1: "fat", 2: "water"}), Labels(np.array([1, 2]), {1: "water ", 2: "fat"})])
    assert both[1].data.tolist() == [2, 1]
    assert "matched by name" in words


@pytest.mark.parametrize("given", [np.array([b"fat", b"water", b"fat"]), [b"fat", b"water", b"fat"], ("fat", b"water", "fat")])
def test_names_in_bytes_are_names(given) -> None:
    labels = as_labels(given)
    assert (labels.data.tolist(), labels.names) == ([1, 2, 1], {1: "fat", 2: "water"})


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[s]"])
def test_dates_are_refused_in_words_and_the_remedy_works(kind) -> None:
    dates = np.array([1, 5, 1]).astype(kind)
    with pytest.raises(ValueError, match=r"not (datetime|timedelta).*; name the classes with a list of texts"):
        as_labels(dates)
    assert as_labels([str(date) for date in dates]).data.tolist() == [1, 2, 1]


@pytest.mark.filterwarnings("ignore::napari_spectrai.SpectralWarning")
@pytest.mark.parametrize("numbers", [[10**12, 5, 10**12 + 1], [0, 5, 10**12], [-3, 10**12, 7, 0]])
def test_the_numbering_that_is_advised_keeps_every_class(numbers) -> None:
    labels = np.tile(np.array(numbers), (2, 3))
    with pytest.raises(ValueError, match="or renumber the classes: ") as refused:
        as_labels(labels)
    again = as_labels(eval(str(refused.value).partition("renumber the classes: ")[2], {"np": np, "labels": labels}))
    classes = {number for number in numbers if number > 0}
    assert len(again.values()) == len(classes)
    np.testing.assert_array_equal(again.data > 0, labels > 0)


def test_a_model_says_how_its_classes_were_matched_with_those_of_a_truth(tmp_path) -> None:
    names = ["a", "b", "c"] * 12
    cube = spectra_of(names, 0)
    model = train(Experiment.default("classification", cube, names).override("network=pca_lda"), cube, names, run=tmp_path / "run")

    def notes(truth: object) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpectralWarning)
            return " ".join(evaluate(model, truth, source=cube).notes)

    numbers = np.array([1, 2, 3] * 12)
    assert "numbers of the truth are taken for the same classes" in notes(numbers)
    assert "names none of its classes as the model does, such as 1: x there, a here" in notes(["xyz"["abc".index(n)] for n in names])
    assert "by number" not in notes(names)
    assert "by number" not in notes(Labels(np.array([7, 2, 5] * 12), {7: "a", 2: "b", 5: "c"}))
    assert "are the same but for case or blanks ('a' (1), 'A' (4))" in notes([n.replace("a", "A") for n in names])


@pytest.mark.parametrize("given", [np.array([1, 2, 2]), ["a", "b", "b"], np.array(["a", "b", "b"]), np.array([True, False, False])])
def test_a_list_of_classes_is_not_taken_for_spectra(given) -> None:
    assert evaluate(given, given).rows["result"]["overall_accuracy"] == 1


def test_whole_numbers_that_may_be_classes_are_doubted() -> None:
    numbers = np.arange(12).reshape(3, 4) % 3
    assert any("give task='segmentation'" in note for note in evaluate(numbers, numbers).notes)
    assert not any("give task" in note for note in evaluate(numbers, numbers, "segmentation").notes)
    assert not any("give task" in note for note in evaluate(numbers * 1.0, numbers * 1.0).notes)
