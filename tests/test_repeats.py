"""Spectra that occur more than once: a copy of a training spectrum validates nothing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Labels, fit
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.repeats import contradicting, copied_inputs, copies, first_occurrences
from napari_spectrai.plan.replicates import replicate_groups
from napari_spectrai.plan.row_runs import runs_of_rows
from napari_spectrai.plan.subsets import TRAINING, UNUSED, VALIDATION
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import Finished


def _set(count: int, seed: int = 0, bands: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).random((count, bands), np.float32)


def _of(*cubes: Cube) -> list[np.ndarray] | None:
    return first_occurrences(cubes, [(1, cube.count, 1) for cube in cubes])


def test_copies_are_found_within_and_between_sets():
    values = _set(20)
    found = _of(Cube(np.concatenate([values, values[3:5]])), Cube(values[7:9].copy()))
    assert found is not None
    assert [part.ravel().tolist() for part in found] == [[*range(20), 3, 4], [7, 8]]
    known = copies(found, [np.full((1, 22, 1), TRAINING, np.uint8), np.full((1, 2, 1), TRAINING, np.uint8)])
    assert [one.sum() for one in known] == [2, 2]
    assert _of(Cube(values), Cube(_set(9, seed=1))) is None


def test_spectra_that_may_be_equal_by_chance_are_no_copies():
    counts = np.random.default_rng(0).integers(0, 3, (300, 3)).astype(np.float32)
    flat = np.ones((30, 12), np.float32)
    missing = np.full((4, 12), np.nan, np.float32)
    for values in (counts, flat, missing):
        assert _of(Cube(values)) is None
    image = Cube(np.tile(_set(1), (6, 6, 1)))
    assert first_occurrences([image], [(1, 6, 6)]) is None


@pytest.mark.parametrize("method", ["auto", "random", "stratified"])
def test_copies_belong_to_one_part(method):
    values = np.repeat(_set(30), 3, 0)
    labels = Labels(np.repeat(np.arange(30) % 2 + 1, 3))
    experiment = Experiment.default("classification", Cube(values), labels).override(
        "network=spectral_mlp", f"split.method={method}", "split.folds=0"
    )
    division = divide(experiment, [Cube(values)], [labels])
    parts = division.maps[0].reshape(30, 3)
    assert (parts == parts[:, :1]).all()
    assert {TRAINING, VALIDATION} <= set(np.unique(parts))
    assert any("60 spectra are repeated" in note for note in division.notes)


def test_copies_in_other_files_are_said_where_files_stay_whole():
    first, second = Cube(_set(20), name="a"), Cube(np.concatenate([_set(20)[:6], _set(14, seed=1)]), name="b")
    labels = [Labels(np.arange(20) % 2 + 1) for _ in range(2)]
    experiment = Experiment.default("classification", first, labels[0]).override("network=spectral_mlp", "split.folds=0")
    division = divide(experiment, [first, second], labels)
    assert any("6 held-out spectra also occur among the training spectra" in note for note in division.notes)
    assert len(np.unique(division.maps[1])) == 1


def test_a_spectrum_with_two_classes_is_said():
    values = _set(10)
    found = _of(Cube(np.concatenate([values, values[:3]])))
    assert found is not None
    marked = np.concatenate([np.ones(10, int), [1, 2, 0]]).reshape(1, 13, 1)
    assert contradicting(found, [marked]).startswith("1 spectrum is given with different classes")
    assert contradicting(found, [np.ones((1, 13, 1), int)]) == ""


def test_noise_that_is_copied_is_not_learnt_by_heart(tmp_path):
    """Random classes of random spectra, each spectrum three times: cross-validation finds nothing, and says why it counts fewer."""
    rng = np.random.default_rng(5)
    cube, labels = Cube(np.repeat(_set(40, seed=5), 3, 0)), Labels(np.repeat(rng.integers(1, 3, 40), 3))
    experiment = Experiment.default("classification", cube, labels)
    *_, ending = fit(experiment, cube, labels, run=tmp_path / "run")
    assert isinstance(ending, Finished)
    assert ending.scores["validation"]["network"]["average_accuracy"] < 0.75
    assert any("80 spectra repeat an earlier one" in note for note in ending.notes)
    assert UNUSED not in np.unique(np.load(tmp_path / "run" / "pixels.npz")["part0"])


SCENE = np.random.default_rng(0).random((14, 11, 16), np.float32)
COPIES = {
    "same": SCENE.copy(),
    "rescaled": SCENE * 3.7,
    "cropped": SCENE[3:, 2:9].copy(),
    "mirrored": SCENE[::-1, ::-1],
    "turned": np.rot90(SCENE),
    "padded": np.pad(SCENE, ((5, 5), (5, 5), (0, 0))),
    "integers": np.rint(SCENE * 50_000).astype(np.uint16),
    "overlapping": np.concatenate([SCENE[9:], np.random.default_rng(1).random((9, 11, 16), np.float32)]),
}
OTHERS = {
    "another": np.random.default_rng(1).random((14, 11, 16), np.float32),
    "another acquisition": SCENE + np.random.default_rng(1).normal(0, 0.01, SCENE.shape),
    "constant": np.ones_like(SCENE),
    "zero": np.zeros_like(SCENE),
}


@pytest.mark.parametrize(("name", "is_copy"), [*((name, True) for name in COPIES), *((name, False) for name in OTHERS)])
def test_an_image_that_repeats_another_input_is_said(name: str, is_copy: bool) -> None:
    other = (COPIES | OTHERS)[name]
    for pair in ([SCENE, other], [other, SCENE]):
        cubes = [Cube(values, name=f"file {number}") for number, values in enumerate(pair)]
        assert bool(copied_inputs(cubes)) == is_copy
        assert not copied_inputs(cubes, ["a", "a"])


def test_a_training_says_that_an_input_is_a_copy() -> None:
    names = np.arange(14)[:, None] // 4 % 2 * np.ones((1, 11), int) + 1
    cubes = [Cube(SCENE, name="one"), Cube(SCENE * 2, name="two"), Cube(OTHERS["another"], name="three")]
    experiment = Experiment.default("segmentation", cubes[0], names).override("network=pca_lda")
    assert "'two' (input 2) repeats 154 spectra of 'one'" in " ".join(divide(experiment, *gather(experiment, cubes, [names] * 3)).notes)
    grouped = experiment.override("split.method=group", "data.groups=[a, a, b]")
    assert "repeats" not in " ".join(divide(grouped, *gather(grouped, cubes, [names] * 3)).notes)


def _repeated(each: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shuffled spectra of 24 samples of two classes, each measured several times, with the class and the sample of each."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(24, 6)) @ rng.normal(size=(6, 40)) + 20
    order = rng.permutation(24 * each)
    spectra = np.repeat(samples, each, 0)[order]
    spectra = (spectra + rng.normal(0, spread, spectra.shape)) * rng.normal(1, 0.02, (len(order), 1))
    sample = np.repeat(np.arange(24), each)[order]
    return spectra.astype(np.float32), sample % 2 + 1, sample


@pytest.mark.parametrize("each", [2, 3, 5])
def test_repeated_measurements_are_recognised_and_other_spectra_are_not(each, tmp_path):
    spectra, classes, sample = _repeated(each, 0.05, each)
    found = replicate_groups(spectra, classes)
    assert found is not None
    assert len(np.unique(np.stack([found, sample]), axis=1).T) == len(np.unique(found)) == 24
    rng = np.random.default_rng(each)
    amounts = rng.random((60, each)) @ rng.random((each, 40))  # no noise at all
    some = rng.integers(1, 3, 60)
    for others in (amounts, _set(60), rng.poisson(1, (60, 4)), _repeated(1, 0.05, each)[0]):
        assert replicate_groups(others, some[: len(others)]) is None
    # held out together, so that chance is what random classes of samples give
    experiment = Experiment.from_mapping({"task": "classification", "network": "pca_lda", "split": {"folds": 4}})
    *_, last = fit(experiment, Cube(spectra), Labels(classes), run=tmp_path / "run")
    assert isinstance(last, Finished)
    (note,) = [note for note in last.notes if "repeated measurements" in note]
    assert "24 groups" in note


def _in_fields(classes: int, fields: int, rows: int, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return spectra of fields that differ more from one another than their spectra do, with the class and the field of each."""
    rng = np.random.default_rng(seed)
    field = np.repeat(np.arange(classes * fields), rows)
    parts = rng.normal(size=(classes, 6))[field // fields] + strength * rng.normal(size=(classes * fields, 6))[field]
    spectra = (parts + rng.normal(0, 0.3, (len(field), 6))) @ rng.normal(size=(6, 40)) + rng.normal(0, 0.3, (len(field), 40)) + 20
    return spectra.astype(np.float32), field // fields + 1, field


def test_fields_in_the_order_of_rows_are_held_out_as_a_whole_and_rows_without_order_are_left_alone(tmp_path):
    for seed, (classes, fields, rows) in enumerate([(2, 2, 30), (4, 3, 20), (3, 6, 8), (2, 2, 6)]):
        spectra, known, field = _in_fields(classes, fields, rows, 3.0, seed)
        runs = runs_of_rows(spectra, known)
        assert runs is not None
        assert len(np.unique(np.stack([runs, field]), axis=1).T) == len(np.unique(runs)) == classes * fields
        interleaved = np.argsort(np.arange(len(field)) % rows, kind="stable")  # classes alternate, fields return
        by_day = np.argsort(field % fields, kind="stable")
        assert np.array_equal(runs_of_rows(spectra[by_day], known[by_day]), runs[by_day])
        assert runs_of_rows(spectra[interleaved], known[interleaved]) is None
    rng = np.random.default_rng(0)
    for _ in range(50):  # two modes, heavy tails, counts, intensities: without an order
        n, classes = int(rng.integers(4, 200)), rng.integers(1, 4, 200)
        modes = 5 * rng.integers(0, 2, (n, 1)) * rng.random(30) + rng.normal(size=(n, 30))
        tails = rng.standard_t(2, (n, 2)) @ rng.normal(size=(2, 9)) + 0.1 * rng.normal(size=(n, 9))
        for values in (modes, tails, rng.poisson(2, (n, 3)), np.exp(rng.normal(size=(n, 1))) * rng.random(5), np.zeros((n, 4))):
            assert runs_of_rows(values, classes[:n]) is None
    # what is foretold is what spectra of new fields give, not that of the fields that were learnt
    spectra, known, _ = _in_fields(3, 3, 20, 2.0, 5)
    experiment = Experiment.from_mapping({"task": "classification", "network": "pca_lda", "split": {"folds": 5}})
    *_, last = fit(experiment, Cube(spectra), Labels(known), run=tmp_path / "folds")
    assert isinstance(last, Finished)
    (note,) = [note for note in last.notes if "9 runs of spectra" in note]
    assert "data.groups" in note
    assert last.scores["validation"]["network"]["average_accuracy"] < 0.7
    once = experiment.override("split.folds=0")
    notes = [note for event in fit(once, Cube(spectra), Labels(known), run=tmp_path / "once") for note in getattr(event, "notes", [])]
    assert any("seem to be of a run of similar rows" in note for note in notes)


def _plate(strength: float, background: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of 3 × 4 wells, one row for each class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((3, 4, 12, 12), int)
    labels[:, :, 2:-2, 2:-2] = np.arange(1, 4)[:, None, None, None]
    wells = rng.normal(size=(3, 1, 8)) + strength * rng.normal(size=(3, 4, 8))
    values = np.where(labels[..., None] > 0, wells[:, :, None, None], background) + rng.normal(0, 0.7, (3, 4, 12, 12, 8))
    image = (values @ rng.normal(size=(8, 30)) + 30) * ((labels > 0) | (background != 0))[..., None]
    return image.transpose(0, 2, 1, 3, 4).reshape(36, 48, 30).astype(np.float32), labels.transpose(0, 2, 1, 3).reshape(36, 48)


def test_wells_of_an_image_are_held_out_as_a_whole_or_their_lower_score_is_said(tmp_path):
    experiment = Experiment.from_mapping({"task": "segmentation", "network": "pca_lda", "split": {"folds": 5}})
    for strength, background in ((3.0, 0.0), (3.0, 5.0), (0.0, 5.0)):
        image, labels = _plate(strength, background, 3)
        *_, last = fit(experiment, Cube(image), Labels(labels), run=tmp_path / f"{strength}{background}")
        score = last.scores["validation"]["network"]["average_accuracy"]
        lower = [note for note in last.notes if "With whole labelled regions held out (5 folds of 12" in note]
        # all of what holds data is labelled: the model is for other images
        assert (score < 0.7) == (strength > 0 and not background)
        assert bool(lower) == (strength > 0 and background > 0)
