"""Data whose bands are the same in another unit or order: trained, paired and scored without asking; anything else is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Labels, SpectralAxis, as_cube, evaluate, train

NM = np.linspace(500, 640, 15)
CLASSES = np.arange(12)[:, None] // 3 % 2 * np.ones((1, 10), int) + 1


def scene(seed: int) -> Cube:
    values = np.where(CLASSES[..., None] == 1, np.linspace(1, 2, 15), np.linspace(2, 1, 15))
    noise = np.random.default_rng(seed).normal(0, 0.05, values.shape)
    return Cube(values + noise, SpectralAxis(NM, "nm"), name=f"scene {seed}")


def in_um(cube: Cube) -> Cube:
    return as_cube(cube.numpy(), axis=SpectralAxis(NM / 1000, "um"))


def descending(cube: Cube) -> Cube:
    return as_cube(cube.numpy()[..., ::-1], axis=SpectralAxis(NM[::-1], "nm"))


SCORES = ("mse", "sam", "mae")
CHANGES = {"um": in_um, "descending": descending, "both": lambda cube: as_cube(descending(cube), axis=SpectralAxis(NM[::-1] / 1000, "um"))}


@pytest.mark.parametrize("change", CHANGES)
def test_results_are_scored_on_the_bands_of_the_truth(change: str) -> None:
    result, truth = scene(0), scene(1)
    expected = evaluate(result, truth).rows["result"]
    for pair in ((CHANGES[change](result), truth), (result, CHANGES[change](truth))):
        found = evaluate(*pair).rows["result"]
        assert {name: found[name] for name in SCORES} == pytest.approx({name: expected[name] for name in SCORES}, rel=1e-5)
    with pytest.raises(ValueError, match="resample"):
        evaluate(result, as_cube(truth, axis=SpectralAxis(NM + 5, "nm")))


@pytest.mark.parametrize("change", CHANGES)
def test_inputs_and_truths_are_learnt_on_the_bands_of_the_first(change: str) -> None:
    cubes = [scene(number) for number in range(3)]
    mixed = [cubes[0], CHANGES[change](cubes[1]), cubes[2]]
    experiment = Experiment.default("segmentation", mixed, [CLASSES] * 3).override("network=pca_lda")
    one, other = (train(experiment, given, [CLASSES] * 3).predict(cubes[0]).probabilities.numpy() for given in (cubes, mixed))
    assert other == pytest.approx(one, abs=1e-4)
    denoising = Experiment.default("denoising", cubes[0], cubes[1]).override("network=ridge")
    one, other = (train(denoising, cubes[0], truth).predict(cubes[0]).result for truth in (cubes[1], CHANGES[change](cubes[1])))
    assert other.axis.mismatch(one.axis) is None
    assert other.numpy() == pytest.approx(one.numpy(), abs=1e-4)


def test_defaults_for_several_inputs_are_those_of_the_first() -> None:
    cubes = [scene(0), scene(1)[:7]]
    expected = Experiment.default("segmentation", cubes[0], CLASSES)
    assert Experiment.default("segmentation", cubes, [Labels(CLASSES), Labels(CLASSES[:7])]) == expected
    assert Experiment.default("segmentation", cubes, [CLASSES, CLASSES[:7]]) == expected
    with pytest.raises(ValueError, match="list of 2 cubes"):
        as_cube(cubes)


def test_one_fold_is_refused() -> None:
    experiment = Experiment.default("segmentation", scene(0), CLASSES).override("network=pca_lda", "split.folds=1")
    with pytest.raises(ValueError, match=r"split\.folds=2"):
        train(experiment, scene(0), CLASSES)
