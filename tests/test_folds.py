"""Folds: nothing leaks, every class is held out, held-out pixels lie as far away as those to be predicted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Labels
from napari_spectrai.experiment import Split
from napari_spectrai.label_conversion import is_missing
from napari_spectrai.plan.folds import folds_of
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION


def _maps(*shapes):
    return [np.full(shape, TRAINING, np.uint8) for shape in shapes]


def _painting(seed: int, side: int = 60, pixels: int = 20, wide: int | None = None) -> np.ndarray:
    """Return labels of three classes, painted at random in the left `wide` columns."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((1, side, side), np.int64)
    for value in (1, 2, 3):
        classes[0, rng.integers(0, side, pixels), rng.integers(0, wide or side, pixels)] = value
    return classes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_labelled_pixel_is_held_out_once_and_learnt_from_in_no_fold_that_holds_it(seed, count):
    classes = [_painting(seed)]
    base = _maps(classes[0].shape)
    folds = folds_of(base, Split(folds=count), classes=classes)
    assert folds.count <= count
    held = np.zeros(classes[0].shape, int)
    for number in range(folds.count):
        (made,) = folds.maps(number, base)
        held += made == VALIDATION
        assert not ((made == TRAINING) & (folds.numbers[0] == number)).any()
    assert (held == (classes[0] > 0)).all()


@pytest.mark.parametrize("seed", range(5))
def test_held_out_pixels_lie_farther_away_the_farther_the_map_reaches(seed):
    everywhere = folds_of(_maps((1, 60, 60)), Split(), classes=[_painting(seed, pixels=200)])
    half = folds_of(_maps((1, 60, 60)), Split(), classes=[_painting(seed, pixels=200, wide=20)])
    near, far = (np.median(f.away[0][np.isfinite(f.away[0])]) for f in (everywhere, half))
    assert far > near
    assert far > 0.25 * np.median(half.ahead)


def test_pixels_nearer_than_the_gap_are_not_learnt_from():
    classes = [_painting(0, pixels=200, wide=20)]
    folds = folds_of(_maps((1, 60, 60)), Split(), classes=classes)
    for number in range(folds.count):
        (made,) = folds.maps(number, _maps((1, 60, 60)))
        held, learnt = np.argwhere(made[0] == VALIDATION), np.argwhere((made[0] == TRAINING) & (classes[0][0] > 0))
        apart = np.linalg.norm(held[:, None] - learnt[None], axis=-1).min()
        assert apart > folds.gap


@pytest.mark.parametrize("seed", range(3))
def test_groups_and_files_stay_whole(seed):
    rng = np.random.default_rng(seed)
    groups = [rng.integers(0, 7, (1, 90, 1))]
    classes = [rng.integers(1, 3, (1, 90, 1))]
    folds = folds_of(_maps((1, 90, 1)), Split(method="group", folds=3), classes=classes, groups=groups)
    assert all(len(np.unique(folds.numbers[0][groups[0] == group])) == 1 for group in np.unique(groups[0]))
    files = folds_of(_maps(*[(1, 5, 5)] * 6), Split(folds=3), classes=[np.full((1, 5, 5), 1 + n % 2) for n in range(6)], by_file=True)
    assert all(len(np.unique(numbers)) == 1 for numbers in files.numbers)
    for fold in range(files.count):  # each class is learnt from in each fold
        learnt = {1 + n % 2 for n in range(6) if files.numbers[n].flat[0] != fold}
        assert learnt == {1, 2}


def test_as_many_folds_as_groups_leave_one_group_out():
    groups = [np.repeat(np.arange(4), 10).reshape(1, 40, 1)]
    folds = folds_of(_maps((1, 40, 1)), Split(method="group", folds=100), groups=groups)
    assert folds.count == 4
    assert "leave one" in folds.words


def test_spectra_are_held_out_in_stretches_of_each_class():
    classes = [np.repeat([1, 2], [50, 10]).reshape(1, 60, 1)]
    folds = folds_of(_maps((1, 60, 1)), Split(folds=5), classes=classes)
    for number in range(5):
        held = classes[0][folds.numbers[0] == number]
        assert (held == 1).sum() == 10
        assert (held == 2).sum() == 2


def test_the_test_part_stays_what_it_is():
    base = _maps((1, 30, 30))
    base[0][:, 20:] = TEST
    classes = [_painting(1, side=30, pixels=60)]
    folds = folds_of(base, Split(), classes=classes)
    for number in range(folds.count):
        (made,) = folds.maps(number, base)
        assert (made[:, 20:] == TEST).all()
        assert set(np.unique(made[:, :20])) <= {UNUSED, TRAINING, VALIDATION}


def test_a_class_in_one_place_is_still_held_out_in_more_than_one_fold():
    classes = [_painting(0, pixels=60)]
    classes[0][classes[0] == 3] = 0
    classes[0][0, 50:54, 50:54] = 3
    folds = folds_of(_maps((1, 60, 60)), Split(), classes=classes)
    assert len(np.unique(folds.numbers[0][classes[0] == 3])) > 1


def test_what_is_too_little_is_refused_with_the_remedy():
    classes = [np.zeros((1, 9, 9), np.int64)]
    classes[0][0, 0, 0] = 1
    with pytest.raises(ValueError, match="at least 2 different samples"):
        folds_of(_maps((1, 9, 9)), Split(), classes=classes)
    with pytest.raises(ValueError, match="groups needs at least 2"):
        folds_of(_maps((1, 9, 1)), Split(method="group"), groups=[np.zeros((1, 9, 1), np.int64)])


@pytest.mark.parametrize("seed", range(3))
def test_groups_that_are_given_are_kept_together_or_it_is_said(seed):
    rng, names = np.random.default_rng(seed), np.array(["a", "b", "c", "d", None, np.nan, "", " "], object)
    cubes = [Cube(rng.random((30, 4), np.float32), name=f"set {n}", metadata={"groups": rng.choice(names, 30)}) for n in range(2)]
    cubes.append(Cube(rng.random((30, 4), np.float32), name="other"))
    truths = [Labels(rng.integers(1, 4, 30)) for _ in cubes]
    experiment = Experiment.default("classification", cubes[0], truths[0]).override("network=pca_lda", "split.validation=0.3")
    division = divide(experiment, cubes, truths)
    parts = [m.ravel() for m in division.maps]
    missing = [np.array([is_missing(name) for name in cube.metadata["groups"]]) for cube in cubes[:2]]
    for part, lost in zip(parts, missing, strict=False):
        assert ((part == 0) == lost).all()
    groups = np.concatenate([cube.metadata["groups"][~lost].astype(str) for cube, lost in zip(cubes, missing, strict=False)])
    used = np.concatenate([part[~lost] for part, lost in zip(parts, missing, strict=False)])
    assert all(len(np.unique(used[groups == group])) == 1 for group in np.unique(groups))
    assert len(np.unique(parts[2])) == 1
    notes = " ".join(division.notes)
    assert f"{sum(lost.sum() for lost in missing)} of 90 spectra have no group" in notes
    assert "'other' has no groups" in notes
    random = " ".join(divide(experiment.override("split.method=random"), cubes, truths).notes)
    assert "both learnt and held out" in random


@pytest.mark.parametrize("side", [4, 12, 13])
def test_blocks_are_smaller_where_an_image_has_room_for_few(side):
    cube, labels = Cube(np.random.default_rng(0).random((side, side, 4), np.float32)), Labels(np.indices((side, side)).sum(0) % 2 + 1)
    experiment = Experiment.default("segmentation", cube, labels).override("network=pca_lda")
    division = divide(experiment, [cube], [labels])
    assert {TRAINING, VALIDATION} <= {*np.unique(division.maps[0])}
    assert any("are held out, not of 12 × 12" in note for note in division.notes) == (side <= 12)
