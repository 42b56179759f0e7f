"""Scores as properties: against scikit-learn and scikit-image on random data and at the edges, and under what must not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import metrics as images
from sklearn import metrics as known

from napari_spectrai import Cube, evaluate
from napari_spectrai.experiment.metrics import METRICS, by_class, unit_of
from napari_spectrai.learn.scoring import intervals, metrics, spectrum_sums
from napari_spectrai.learn.scoring.peaks import peak_errors
from napari_spectrai.learn.train.console import in_digits

SEEDS = range(24)


def cubes(seed, least=2):
    """Return a result and a truth of random shape, scale and sign, float64 of float32 values."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(least, 25, 2), rng.integers(2, 7))
    scale, offset = 10.0 ** rng.integers(-3, 5), rng.choice([0.0, 0.5, 3.0, -0.5])
    truth = ((rng.random(shape) + offset) * scale).astype(np.float32)
    result = (truth + rng.normal(0, rng.choice([0.01, 0.3, 2]) * scale, shape)).astype(np.float32)
    return result.astype(np.float64), truth.astype(np.float64)


def labelled(seed):
    """Return class numbers of truth and result, of which some occur on one side only or nowhere, and the number of classes."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    truth = rng.choice(rng.permutation(count)[: rng.integers(1, count + 1)], rng.integers(1, 80))
    guess = rng.choice(rng.permutation(count)[: rng.integers(1, count + 1)], len(truth))
    result = np.where(rng.random(len(truth)) < rng.random(), truth, guess)
    return result, truth, count


# ---------------------------------------------------------------- cubes


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("seed", SEEDS[:6])
def test_spectra_that_are_all_zero_have_no_angle(seed, side):
    pair = [x.reshape(-1, x.shape[-1]) for x in cubes(seed)]
    angle = metrics.sam(*pair)
    pair = [np.concatenate([x, x[:3]]) for x in pair]
    pair[side][-3:] = 0
    assert metrics.sam(*pair) == pytest.approx(angle, abs=1e-6)
    pair[side][:] = 0
    assert math.isnan(metrics.sam(*pair))


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_of_cubes_are_those_of_scikit_learn_and_scikit_image(seed):
    result, truth = cubes(seed, least=11)
    span = truth.max() - truth.min()
    cosine = 1 - known.pairwise.paired_cosine_distances(*(x.reshape(-1, x.shape[-1]) for x in (result, truth)))
    shift = min(0.0, truth.min())  # SSIM has no meaning below zero
    expected = {
        "mse": known.mean_squared_error(truth.ravel(), result.ravel()),
        "mae": known.mean_absolute_error(truth.ravel(), result.ravel()),
        "psnr": images.peak_signal_noise_ratio(truth, result, data_range=span),
        "mpsnr": np.mean([images.peak_signal_noise_ratio(t, r, data_range=np.ptp(t)) for t, r in zip(truth.T, result.T, strict=True)]),
        "ssim": images.structural_similarity(
            truth - shift, result - shift, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=span, channel_axis=-1
        ),
        "sam": np.rad2deg(np.arccos(cosine)).mean(),
        "ergas": 100 * np.sqrt(np.mean(np.square(result - truth).mean((0, 1)) / truth.mean((0, 1)) ** 2)),
    }
    assert set(expected) == set(metrics.METRICS)
    at_once = metrics.scores(result, truth, list(expected))
    in_blocks = evaluate(Cube(result.astype(np.float32)), Cube(truth.astype(np.float32)), "super_resolution").metrics
    for name, value in expected.items():
        assert at_once[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
        assert in_blocks.get(name, value) == pytest.approx(value, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_of_cubes_under_changes_that_are_known(seed):
    result, truth = cubes(seed, least=11)
    order = np.random.default_rng(seed).permutation(truth.shape[-1])
    before = metrics.scores(result, truth, list(metrics.METRICS))
    turned = metrics.scores(result[::-1, :, order], truth[::-1, :, order], list(metrics.METRICS))
    brighter = metrics.scores(4 * result, 4 * truth, list(metrics.METRICS))
    for name, value in before.items():
        assert turned[name] == pytest.approx(value, rel=1e-9), name
        assert brighter[name] == pytest.approx(value * {"mse": 16, "mae": 4}.get(name, 1), rel=1e-9), name
    perfect = metrics.scores(truth, truth, list(metrics.METRICS))
    assert perfect == pytest.approx({"mse": 0, "mae": 0, "psnr": math.inf, "mpsnr": math.inf, "sam": 0, "ssim": 1, "ergas": 0}, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_inverse_of_signed_images_is_unlike_them(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :20]
    waves = [np.sin(y / rng.uniform(1, 6) + x / rng.uniform(1, 6) + phase) for phase in rng.uniform(0, 6, 4)]
    truth = np.stack(waves, -1) * 10.0 ** rng.integers(-2, 4)  # as derivatives, centred or whitened spectra are
    assert metrics.ssim(-truth, truth) < 0
    assert metrics.ssim(truth, truth) == pytest.approx(1)
    assert metrics.ssim(-truth, truth) < metrics.ssim(np.zeros_like(truth), truth) < metrics.ssim(0.7 * truth, truth)
    in_blocks = evaluate(Cube((-truth).astype(np.float32)), Cube(truth.astype(np.float32)), "super_resolution").metrics["ssim"]
    assert in_blocks == pytest.approx(metrics.ssim(-truth, truth), abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_inverse_of_intensities_is_reported(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((16, 20, 3)) * 10.0 ** rng.integers(-2, 4)  # never negative, so that nothing is shifted
    evaluation = evaluate(-truth, truth, "super_resolution")
    assert any("opposite sign" in note for note in evaluation.notes)


def test_a_mask_says_that_its_zeros_are_not_scored():
    mask = np.random.default_rng(0).integers(0, 2, (12, 14))
    assert any("holds one class only" in note for note in evaluate(np.ones_like(mask), mask, "segmentation").notes)
    of_two = evaluate(np.ones_like(mask) + 1, mask + 1, "segmentation")
    assert of_two.metrics["average_accuracy"] == 0.5
    assert not any("holds one class only" in note for note in of_two.notes)
    assert not any("holds one class only" in note for note in evaluate(mask + 1, np.full_like(mask, 2), "segmentation").notes)


@pytest.mark.parametrize("level", [0.0, 3.0, -2.0])
def test_a_truth_without_range_has_no_ratio(level):
    truth = np.full((12, 13, 4), level)
    for name in ("psnr", "mpsnr"):
        assert math.isnan(metrics.METRICS[name](truth + 0.1, truth)), name
        assert metrics.METRICS[name](truth, truth) == math.inf, name
    assert math.isnan(metrics.ssim(truth + 0.1, truth))
    report = evaluate(truth + 0.1, truth)
    assert math.isnan(report.metrics["psnr"])
    assert report.metrics["mse"] == pytest.approx(0.01, rel=1e-4)
    assert "—" in str(report) or "nan" in str(report)
    varying = truth.copy()
    varying[..., 0] += np.random.default_rng(0).random((12, 13))  # the other bands are left out
    one = images.peak_signal_noise_ratio(varying[..., 0], varying[..., 0] + 0.1, data_range=np.ptp(varying[..., 0]))
    assert metrics.mpsnr(varying + 0.1, varying) == pytest.approx(one)


def test_whole_numbers_do_not_wrap_around():
    low, high = np.zeros((3, 4), np.uint8), np.full((3, 4), 200, np.uint8)
    assert metrics.mse(low, high) == 40_000
    assert metrics.mae(low, high) == 200


# ---------------------------------------------------------------- classes


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning", "ignore:y_pred contains classes", "ignore:A single label")
@pytest.mark.parametrize("seed", range(120))
def test_scores_of_classes_are_those_of_scikit_learn(seed):
    result, truth, count = labelled(seed)
    matrix = metrics.confusion(result, truth, count)
    np.testing.assert_array_equal(matrix.numpy(), known.confusion_matrix(truth, result, labels=range(count)))
    for rule, labels in (("truth", np.unique(truth)), ("union", None)):
        found = metrics.from_confusion(matrix, rule)
        assert found["overall_accuracy"] == pytest.approx(known.accuracy_score(truth, result))
        assert found["average_accuracy"] == pytest.approx(known.balanced_accuracy_score(truth, result))
        assert found["kappa"] == pytest.approx(known.cohen_kappa_score(truth, result), nan_ok=True)
        assert found["f1"] == found["dice"] == pytest.approx(known.f1_score(truth, result, labels=labels, average="macro"))
        assert found["miou"] == pytest.approx(known.jaccard_score(truth, result, labels=labels, average="macro"))
    single = by_class(matrix.numpy())
    precision, recall, f1, support = known.precision_recall_fscore_support(truth, result, labels=range(count), zero_division=np.nan)
    iou = known.jaccard_score(truth, result, labels=range(count), average=None)
    absent = ~np.isin(np.arange(count), np.concatenate([truth, result]))
    np.testing.assert_allclose(single["precision"], precision)
    np.testing.assert_allclose(single["recall"], recall)
    np.testing.assert_allclose(single["f1"], f1)
    np.testing.assert_allclose(single["iou"], np.where(absent, np.nan, iou))
    np.testing.assert_array_equal(single["support"], support)


@pytest.mark.parametrize("seed", range(40))
def test_scores_of_classes_are_the_same_however_they_are_asked_for(seed):
    result, truth, count = labelled(seed)
    shares = np.eye(count)[result]
    for rule in ("truth", "union"):
        report = evaluate(result + 1, truth + 1, "segmentation", class_mean=rule)  # 1 … C; of single spectra 0 is a class, too
        direct = metrics.of_classes(shares, truth, list(report.metrics), class_mean=rule)
        assert report.metrics == pytest.approx(direct, nan_ok=True)
    wrong = np.mean(result != truth)
    error = metrics.of_classes(shares, truth, ["calibration_error"])["calibration_error"]
    assert error == pytest.approx(wrong, abs=1e-6)  # always sure, as often right as that


def test_no_samples_and_unknown_rules():
    empty = metrics.from_confusion(metrics.confusion(np.zeros(0, int), np.zeros(0, int), 3))
    assert all(math.isnan(value) for value in empty.values())
    with pytest.raises(ValueError, match="choose 'truth' or 'union'"):
        metrics.from_confusion(metrics.confusion([0], [0], 1), "all")


def test_every_metric_has_a_unit_where_it_is_no_share():
    shares = {"ssim", "overall_accuracy", "average_accuracy", "kappa", "f1", "miou", "dice", "calibration_error"}
    for name in METRICS:
        assert (unit_of(name) == "1") == (name in shares), name
    assert unit_of("mse", intensities="as they are") == "intensity²"
    assert unit_of("mse", intensities="each spectrum divided by its maximum") == "normalised intensity²"
    assert unit_of("peak_width", axis="nm") == "nm"


# ---------------------------------------------------------------- intervals

SPECTRAL = ("mse", "mae", "psnr", "mpsnr", "sam", "ergas", "peak_position", "peak_width")


def pairs_of_spectra(count, seed):
    """Return noisy spectra of one moving peak, and their truth; neighbours in threes share their noise level."""
    rng = np.random.default_rng(seed)
    band = np.arange(24)
    truth = np.exp(-0.5 * ((band - rng.uniform(9, 14, (count, 1))) / 3) ** 2) + 0.2
    noise = np.repeat(rng.uniform(0.01, 0.05, -(-count // 3)), 3)[:count, None]
    return torch.from_numpy(truth + noise * rng.normal(size=truth.shape)), torch.from_numpy(truth)


def test_scores_from_sums_of_units_are_those_of_all_spectra():
    result, truth = pairs_of_spectra(60, 0)
    axis = np.linspace(400, 700, 24)
    one, other = (spectrum_sums.SpectrumSums(axis, peaks=True, units=4) for _ in range(2))
    one.add(result[:40], truth[:40], np.arange(40) // 10)
    other.add(result[40:], truth[40:], np.arange(20) // 10)
    one.merge(other.vector)
    found = one.figures()
    for name in metrics.METRICS.keys() & found.keys():
        assert found[name] == pytest.approx(metrics.METRICS[name](result, truth), rel=1e-6)
    assert (found["peak_position"], found["peak_width"]) == pytest.approx(peak_errors(result, truth, axis))
    for name, (low, high) in one.intervals().items():
        assert low < found[name] < high


def test_intervals_hold_the_score_of_all_spectra_about_as_often_as_they_say():
    axis, held = np.arange(24.0), dict.fromkeys(SPECTRAL, 0)
    population, truths = pairs_of_spectra(6000, 1)
    sums = spectrum_sums.SpectrumSums(axis, peaks=True)
    sums.add(population, truths)
    wanted = sums.figures()
    for draw in range(60):
        some = slice(90 * draw, 90 * draw + 90)
        found = spectrum_sums.of_spectra(population[some], truths[some], np.arange(90) // 3, SPECTRAL, axis)
        for name in SPECTRAL:
            held[name] += found[name][0] <= wanted[name] <= found[name][1]
    del held["psnr"], wanted["psnr"]  # its range is that of the spectra at hand
    del held["mpsnr"], wanted["mpsnr"]
    assert min(held.values()) >= 48, held


@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_the_interval_of_the_calibration_error_holds_that_of_many_samples(sharper):
    rng = np.random.default_rng(0)
    true = torch.from_numpy(rng.dirichlet(np.ones(3), 40_000)).float()
    truth = torch.multinomial(true, 1, generator=torch.Generator().manual_seed(0))[:, 0]
    told = (true.log() * sharper).softmax(-1)
    wanted = metrics.of_classes(told, truth, ["calibration_error"])["calibration_error"]
    held = 0
    for draw in range(40):
        some = slice(500 * draw, 500 * draw + 500)
        low, high = intervals.of_classes(told[some], truth[some], np.arange(500), ("calibration_error",))["calibration_error"]
        held += low <= wanted <= high
        assert low <= metrics.of_classes(told[some], truth[some], ["calibration_error"])["calibration_error"] <= high
    assert held >= 33


def test_patches_have_an_interval_of_their_structural_similarity():
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(rng.random((6, 16, 16, 5)))
    result = truth + torch.from_numpy(rng.normal(0, 0.1, truth.shape))
    low, high = spectrum_sums.of_spectra(result, truth, np.arange(6), ("ssim",), np.arange(5.0))["ssim"]
    assert low < metrics.ssim(result, truth) < high
    assert spectrum_sums.of_spectra(result[:2], truth[:2], np.arange(2), ("mse", "ssim"), np.arange(5.0)) == {}


def test_samples_of_many_units_are_drawn_a_few_at_a_time_and_are_the_same(monkeypatch):
    rows, values = [], np.random.default_rng(0).random(50)

    def scores(weights):
        rows.append(len(weights))
        return {"mse": weights @ values / weights.sum(1)}

    at_once = intervals.bootstrap(50, scores, {}, (0.0, 1.0))
    monkeypatch.setattr(intervals, "_AT_ONCE", 350)
    assert intervals.bootstrap(50, scores, {}, (0.0, 1.0))["mse"] == pytest.approx(at_once["mse"])
    assert rows == [400, 1, *[7] * 57, 1, 1]


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-3, 1.0, 1e4, 1e12, 1e30])
def test_scores_on_a_terminal_have_digits_at_any_scale(scale):
    value = 1.2345 * scale
    assert float(in_digits(value)) == pytest.approx(value, rel=1e-3)
    assert len(in_digits(value)) < 13
