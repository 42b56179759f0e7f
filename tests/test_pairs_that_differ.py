"""Truths that are displaced, turned, exchanged, in another order or on another scale are reported before a training; others are not."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from napari_spectrai import Cube, Experiment, as_cube, preprocess, sample  # noqa: F401  (names in the remedies that are tried)
from napari_spectrai.plan.registration import misplaced
from napari_spectrai.plan.remarks import remarks

Array = npt.NDArray[np.float32]
PAIRS = {"task": {"kind": "super_resolution", "learns_from": "pairs", "factor": 2}, "preparation": []}


def scene(bands: int = 20, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    amounts = gaussian_filter(rng.normal(size=(64, 64, 3)), (2, 2, 0)) * 8 + 3
    return (amounts @ (rng.random((3, bands)) + 0.1)).astype(np.float32)


def noisy(clean: Array, seed: int = 1) -> Array:
    return (clean + np.random.default_rng(seed).normal(0, clean.std(), clean.shape)).astype(np.float32)


def said(cube: Array, truth: Array, experiment: object = None) -> list[str]:
    given = Experiment.model_validate(experiment or {"task": "denoising", "preparation": []})
    return [words for words in remarks(given, [Cube(cube, name="in")], [Cube(truth, name="t")]) if "'t'" in words]


@pytest.mark.parametrize("move", [(1, 0), (0, -1), (-3, 2), (8, -8)])
def test_displaced_truth(move: tuple[int, int]) -> None:
    cube, truth = Cube(noisy(scene())), Cube(np.roll(scene(), move, (0, 1)))
    words = misplaced(cube, truth, 1, "t", "in")
    code = words.partition("Register them first: ")[2].partition(", or the step")[0]
    assert f"'y': {-move[0]}, 'x': {-move[1]}" in code
    assert misplaced(cube, eval(code), 1, "t", "in") == ""


@pytest.mark.parametrize("turn", [lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: np.rot90(a, 3), lambda a: a.swapaxes(0, 1)])
def test_turned_truth(turn: Callable[[Array], Array]) -> None:
    cube, truth = Cube(noisy(scene())), Cube(np.ascontiguousarray(turn(scene())))
    code = misplaced(cube, truth, 1, "t", "in").partition("truth = ")[2].rstrip(".")
    assert misplaced(cube, eval(code), 1, "t", "in") == ""


def test_finer_truth_moved_by_its_own_pixels() -> None:
    fine = scene()
    coarse = noisy(fine.reshape(32, 2, 32, 2, -1).mean((1, 3)))
    assert not said(coarse, fine, PAIRS)
    assert "'y': 0, 'x': -3}" in said(coarse, np.roll(fine, 3, 1), PAIRS)[0]


def test_mixed_up_pairs() -> None:
    cubes = [Cube(noisy(scene(seed=n)), name=f"in{n}") for n in range(2)]
    truths = [Cube(scene(seed=n), name=f"t{n}") for n in (1, 0)]
    found = remarks(Experiment.model_validate({"task": "calibration"}), cubes, truths)
    assert "'t1' does not show the same as 'in0'" in found[0]
    assert "'t0' does" in found[0]
    assert not [words for words in remarks(Experiment.model_validate({"task": "calibration"}), cubes, truths[::-1]) if "'t" in words]


def test_sets_in_another_order() -> None:
    cube, truth = sample("raman_pairs").cube, sample("raman_pairs").truth
    assert truth is not None
    assert not said(cube.numpy(), truth.numpy())
    shuffled = truth.numpy()[np.random.default_rng(0).permutation(len(truth.data))]
    assert "rows are in another order" in said(cube.numpy(), shuffled)[0]


@pytest.mark.parametrize("factor", [2.0, 1000.0, 0.1, -1.0])
def test_another_scale_or_sign(factor: float) -> None:
    words = said(noisy(scene()), scene() * np.float32(factor))[0]
    code = words.partition(": as_cube" if factor < 0 else "first: ")[2].partition(", or the step")[0]
    truth = Cube(scene() * np.float32(factor))
    mended = eval("as_cube" + code.rstrip(".") if factor < 0 else code, globals(), {"truth": truth})
    np.testing.assert_allclose(mended.numpy(), scene(), rtol=1e-5)
    assert not said(noisy(scene()), truth.numpy(), {"task": "calibration"})  # another instrument has its own unit


def test_nothing_is_said_of_pairs_that_belong_together() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:60, :60]
    band = np.exp(-(np.linspace(-3, 3, 20) ** 2)) + 0.3
    stripes, shade = (np.sin(y / 4 * 2 * np.pi)[..., None] + 2) * band, (1 + 0.3 * np.sin(y / 40) + 0.2 * np.cos(x / 30))[..., None] * band
    blob = np.exp(-((y - 30) ** 2 + (x - 20) ** 2) / 50)[..., None] * band
    noise = [rng.normal(size=(60, 60, 20)) for _ in range(2)]
    holes = np.where((rng.random((64, 64)) < 0.3)[..., None], np.float32(np.nan), scene())
    calibration = {"task": "calibration"}
    pairs: list[tuple[npt.NDArray[np.floating], npt.NDArray[np.floating], object]] = [
        (noisy(scene()), holes, None), (noise[0], noise[1], calibration), (stripes + noise[0], stripes + 0.1 * noise[1], None),
        (stripes + 4 * noise[0], stripes + 4 * noise[1], calibration), (shade + 0.1 * noise[0], shade[::-1] + 0.01 * noise[1], calibration),
        (gaussian_filter(blob, (2, 2, 0)) + 0.1 * noise[0], np.sqrt(blob)[..., ::-1], calibration),
        (scene()[:9, :9], scene()[9:18, :9], None), (noisy(scene()), gaussian_filter(scene(), (1, 1, 0)), None),
    ]  # fmt: skip
    for first, second, experiment in pairs:
        assert not said(first.astype(np.float32), second.astype(np.float32), experiment)
