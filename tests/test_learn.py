"""The parts of learning: augmentation, losses, metrics, schedules, splits, data sets, tiles, classical methods."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, SpectralAxis
from napari_spectrai.experiment import Split
from napari_spectrai.experiment.augmentations import Flip, Mixup, Noise, SpectralShift, augmentations
from napari_spectrai.experiment.losses import losses
from napari_spectrai.experiment.networks import ResidualMLP
from napari_spectrai.experiment.training import AdamW, Training, optimisers, schedules
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.device import choose_device, choose_precision
from napari_spectrai.learn.inference.tiles import spans
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.learn.train.augment import Chain
from napari_spectrai.learn.train.augment import SpectralShift as Shift
from napari_spectrai.learn.train.ema import EMA
from napari_spectrai.plan.patch_corners import apart, origins
from napari_spectrai.plan.split import split_maps
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION
from napari_spectrai.plan.truths import gather
from napari_spectrai.spec import SettingsError

# ---------------------------------------------------------------- augmentation


@pytest.mark.parametrize("kind", list(augmentations))
def test_an_augmentation_repeats_with_its_generator_and_keeps_shapes(kind):
    chain = Chain([augmentations.parse(kind)])
    x, y = torch.randn(6, 4, 4, 20), torch.randn(6, 4, 4, 20)
    before = x.clone()
    first, second = (chain(x, y, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    if kind != "random_crop":
        assert first[0].shape == x.shape
    assert not torch.equal(first[0], x[:, : first[0].shape[1], : first[0].shape[2]])
    assert torch.equal(x, before)


def test_noise_leaves_the_truth_and_has_its_sigma():
    x = torch.zeros(64, 1, 1, 500)
    noisy, truth = Chain([Noise(sigma=0.3)])(x, x, torch.Generator().manual_seed(0))
    assert truth is x
    assert noisy.std().item() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0, 5.0])
def test_mixup_mixes_the_target_too_with_beta_weights(alpha):
    count = 20_000
    x = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1)
    mixed, truth = Chain([Mixup(alpha=alpha)])(x, 2 * x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(truth, 2 * mixed)
    draws = Mixup(alpha=alpha).load()(Mixup(alpha=alpha)).quantiles
    assert draws[0] == 0
    assert draws[-1] == 1
    # variance of Beta(a, a), from the tabulated quantiles by the trapezoidal rule
    assert torch.trapezoid((draws - 0.5) ** 2, dx=1 / 4096).item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.01)


def test_spectral_shift_is_sub_sample_and_moves_both():
    line = torch.arange(10, dtype=torch.float32).view(1, 1, 1, 10)
    shifted = Shift.apply(line, torch.tensor([0.25]))
    torch.testing.assert_close(shifted[..., 1:], line[..., 1:] - 0.25)
    x, y = Chain([SpectralShift(bands=3)])(line.repeat(8, 1, 1, 1), line.repeat(8, 1, 1, 1), torch.Generator().manual_seed(0))
    assert torch.equal(x, y)
    assert len(x[:, 0, 0, 5].unique()) == 8


def test_the_spectrum_is_flipped_only_on_request():
    x = torch.arange(2 * 3 * 3 * 5, dtype=torch.float32).view(2, 3, 3, 5)
    spatial, _ = Chain([Flip(probability=1)])(x, x, torch.Generator())
    torch.testing.assert_close(spatial, x.flip(1, 2))
    both, _ = Chain([Flip(probability=1, spatial=False, spectral=True)])(x, x, torch.Generator())
    torch.testing.assert_close(both, x.flip(3))
    assert Flip().spectral is False


def test_labels_move_with_their_pixels_and_nothing_else_touches_them():
    labels = torch.nn.functional.one_hot(torch.randint(0, 4, (5, 6, 6)), 4).float()
    x = labels.argmax(-1, keepdim=True).float() + 1 + 0.01 * torch.arange(7).square()
    moving = Chain([augmentations.parse(kind) for kind in ("flip", "rotate", "random_crop")], labels=True)
    varied, truth = moving(x, labels, torch.Generator().manual_seed(0))
    torch.testing.assert_close(varied[..., 0], truth.argmax(-1).float() + 1)
    assert varied.shape[1] < 6
    still = [kind for kind in augmentations if kind not in ("flip", "rotate", "random_crop", "mixup")]
    for kind in still:
        varied, truth = Chain([augmentations.parse(kind)], labels=True)(x, labels, torch.Generator().manual_seed(0))
        assert truth is labels
        assert not torch.equal(varied, x)
    both = Chain([Flip(probability=1, spatial=False, spectral=True)], labels=True)
    assert torch.equal(both(x, labels, torch.Generator())[1], labels)


def test_augmentations_do_what_they_say():
    generator = torch.Generator().manual_seed(0)
    flat = torch.ones(200, 1, 1, 300)
    y = torch.zeros_like(flat)

    def done(kind, x=flat, **settings):
        return Chain([augmentations.parse({"kind": kind, **settings})])(x, y, generator)

    scaled, truth = Chain([augmentations.parse({"kind": "scaling", "sigma": 0.2})])(flat, flat * 2, generator)
    torch.testing.assert_close(truth, 2 * scaled)
    assert scaled[:, 0, 0, 0].log().std().item() == pytest.approx(0.2, rel=0.2)
    spikes = done("spikes", rate=2.0, height=3.0)[0] - 1
    assert (spikes > 0).float().sum(-1).mean().item() == pytest.approx(2, rel=0.2)
    assert spikes[spikes > 0].mean().item() == pytest.approx(3, rel=0.2)
    assert (done("band_dropout", share=0.25)[0] == 0).float().mean().item() == pytest.approx(0.25, rel=0.1)
    assert done("poisson", counts=100.0)[0].std().item() == pytest.approx(0.1, rel=0.05)
    baseline = (done("baseline", size=0.5)[0] - 1)[:, 0, 0]
    assert np.polyfit(np.arange(300), baseline.numpy().T, 3, full=True)[1].max() < 1e-6
    line = torch.zeros(50, 1, 2, 41)
    line[..., 20] = 1
    broad, _ = Chain([augmentations.parse({"kind": "broadening", "bands": 3.0})])(line, line, generator)
    torch.testing.assert_close(broad.sum(-1), torch.ones(50, 1, 2))
    assert broad[..., 20].max() > 0.99 * broad[..., 20].max() > broad[..., 20].min()
    square = torch.arange(16.0).view(1, 4, 4, 1).repeat(64, 1, 1, 1)
    turned, _ = Chain([augmentations.parse("rotate")])(square, square, generator)
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 4


# ---------------------------------------------------------------- losses, metrics, optimisers, schedules


@pytest.mark.parametrize("kind", [kind for kind in losses if kind != "sum" and "denoising" in losses[kind].tasks])
def test_a_loss_is_zero_where_all_is_right_and_grows(kind):
    spec = losses.parse(kind)
    loss = spec.load()
    y = torch.randn(3, 1, 1, 8)
    assert loss(spec, y, y).item() == pytest.approx(0, abs=1e-7)
    error = torch.randn(3, 1, 1, 8)
    assert 0 < loss(spec, y + 0.1 * error, y) < loss(spec, y + 0.5 * error, y)


@pytest.mark.parametrize("kind", [kind for kind in losses if kind != "sum" and "segmentation" in losses[kind].tasks])
def test_a_loss_of_classes_is_small_where_all_is_right_and_does_not_see_the_unlabelled(kind):
    spec = losses.parse(kind)
    loss, weights = spec.load(), torch.ones(3)
    truth = torch.eye(3)[torch.tensor([0, 1, 2, 1])].view(1, 2, 2, 3)
    right, wrong = 20 * truth - 10, -20 * truth + 10
    assert loss(spec, right, truth, weights).item() == pytest.approx(0, abs=1e-3)
    assert loss(spec, wrong, truth, weights) > 0.5
    hidden = truth.clone()
    hidden[0, 1] = 0
    other = right.clone()
    other[0, 1] = wrong[0, 1]
    torch.testing.assert_close(loss(spec, other, hidden, weights), loss(spec, right, hidden, weights))
    output = right.clone().requires_grad_()
    loss(spec, output, torch.zeros_like(truth), weights).backward()
    assert torch.isfinite(output.grad).all()


def test_losses_have_known_answers():
    y = torch.tensor([[[[1.0, 0.0]]]])
    angle = losses.parse("spectral_angle")
    assert angle.load()(angle, torch.tensor([[[[2.0, 2.0]]]]), y).item() == pytest.approx(math.pi / 4, rel=1e-4)
    slope = losses.parse("derivative")
    assert slope.load()(slope, torch.tensor([0.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0])).item() == pytest.approx(1.5)
    logits, truth, weights = torch.randn(4, 1, 1, 3), torch.eye(3)[[0, 1, 2, 0]].view(4, 1, 1, 3), torch.tensor([1.0, 2.0, 3.0])
    cross = losses.parse({"kind": "cross_entropy", "smoothing": 0.1})
    expected = torch.nn.functional.cross_entropy(logits.view(4, 3), torch.tensor([0, 1, 2, 0]), label_smoothing=0.1)
    assert cross.load()(cross, logits, truth, torch.ones(3)).item() == pytest.approx(expected.item(), rel=1e-5)
    plain = losses.parse("cross_entropy")
    expected = torch.nn.functional.cross_entropy(logits.view(4, 3), torch.tensor([0, 1, 2, 0]), weight=weights)
    assert plain.load()(plain, logits, truth, weights).item() == pytest.approx(expected.item(), rel=1e-5)
    focal = losses.parse({"kind": "focal", "gamma": 0})
    assert focal.load()(focal, logits, truth, weights).item() == pytest.approx(expected.item(), rel=1e-5)
    both = losses.parse({"kind": "sum", "parts": ["mse", "l1"], "shares": [1, 0.5]})
    assert both.load()(both, torch.zeros(2), torch.full((2,), 2.0)).item() == pytest.approx(4 + 1)
    with pytest.raises(SettingsError, match="2 weights for 1 losses"):
        Experiment.from_mapping({"loss": {"kind": "sum", "parts": ["mse"], "shares": [1, 2]}})


def test_figures_of_classes_are_those_of_scikit_learn():
    from sklearn import metrics as known

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 500)
    shares = rng.random((500, 5)) + 1.5 * np.eye(5)[truth]
    shares /= shares.sum(1, keepdims=True)
    told = shares.argmax(1)
    names = ("overall_accuracy", "average_accuracy", "kappa", "miou", "f1", "calibration_error")
    figures = metrics.of_classes(shares, truth, names)
    assert figures["overall_accuracy"] == pytest.approx(known.accuracy_score(truth, told))
    assert figures["average_accuracy"] == pytest.approx(known.recall_score(truth, told, labels=range(4), average="macro"))
    assert figures["kappa"] == pytest.approx(known.cohen_kappa_score(truth, told))
    assert figures["miou"] == pytest.approx(known.jaccard_score(truth, told, labels=range(4), average="macro"))
    assert figures["f1"] == pytest.approx(known.f1_score(truth, told, labels=range(4), average="macro"))
    assert 0 < figures["calibration_error"] < 1
    np.testing.assert_array_equal(metrics.confusion(told, truth, 5).numpy(), known.confusion_matrix(truth, told, labels=range(5)))
    assert math.isnan(metrics.of_classes(np.zeros((0, 3)), np.zeros(0), ("kappa",))["kappa"])


def test_scores_of_images_have_known_values():
    rng = np.random.default_rng(0)
    truth = rng.random((20, 18, 3))
    assert metrics.ssim(truth, truth) == pytest.approx(1)
    assert 0 < metrics.ssim(truth + rng.normal(0, 0.1, truth.shape), truth) < 1
    assert math.isnan(metrics.ssim(truth[:5], truth[:5]))
    assert metrics.mae(truth + 0.5, truth) == pytest.approx(0.5)
    scaled = truth * [1, 2, 5]
    assert metrics.mpsnr(scaled + 0.1 * np.array([1, 2, 5]), scaled) == pytest.approx(metrics.mpsnr(truth + 0.1, truth))
    root = np.sqrt(np.square(0.1 / truth.mean((0, 1))).mean())
    assert metrics.ergas(truth + 0.1, truth) == pytest.approx(100 * root, rel=1e-3)


def test_metrics_have_known_answers():
    truth = np.array([[0.0, 2.0], [1.0, 0.0]])
    assert metrics.mse(truth + 0.5, truth) == 0.25
    assert metrics.psnr(truth + 0.5, truth) == pytest.approx(10 * math.log10(4 / 0.25))
    assert metrics.psnr(truth, truth) == math.inf
    assert metrics.sam(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])) == pytest.approx(45)
    assert metrics.sam(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])) == pytest.approx(45)
    assert math.isnan(metrics.sam(np.zeros((2, 3)), np.ones((2, 3))))


@pytest.mark.parametrize("kind", list(optimisers))
def test_every_optimiser_takes_its_spec(kind):
    spec = optimisers.parse(kind)
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = spec.load()([weight], **spec.model_dump(exclude={"kind"}))
    weight.square().sum().backward()
    optimiser.step()
    assert (weight < 1).all()


@pytest.mark.parametrize("kind", list(schedules))
def test_every_schedule_runs_to_the_end_and_stays_below_the_peak(kind):
    spec = schedules.parse(kind)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler, pace = spec.load()(spec, optimiser, 5, 40)
    rates = []
    for _ in range(40):
        for _ in range(5):
            optimiser.step()
            rates.append(optimiser.param_groups[0]["lr"])
            if pace == "step":
                scheduler.step()
        if pace != "step":
            scheduler.step(*([1.0] if pace == "metric" else []))
    assert max(rates) <= 0.1 + 1e-12
    assert (min(rates) < 0.1) == (kind != "constant")


def test_the_weight_average_starts_quickly_and_follows_slowly():
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(module.weight)
    average = EMA(module, 0.99)
    torch.nn.init.ones_(module.weight)
    for _ in range(10):
        average.update(module)
    assert 0.9 < average.module.weight.item() < 1


def test_a_missing_device_is_refused_and_small_networks_keep_fp32():
    cpu = choose_device("cpu")
    assert choose_precision(Training(), cpu, ResidualMLP()) == "fp32"
    assert choose_precision(Training(precision="bf16"), cpu, ResidualMLP()) == "bf16"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="'cuda' is not available on this machine; choose cpu"):
            choose_device("cuda")


# ---------------------------------------------------------------- splits


def test_contiguous_rows_of_a_set():
    (labels,) = split_maps([(1, 1000, 1)], Split(validation=0.04, test=0.2), 1)
    assert np.flatnonzero(labels == VALIDATION).tolist() == list(range(760, 800))
    assert np.flatnonzero(labels == TEST).tolist() == list(range(800, 1000))
    assert (labels == TRAINING).sum() == 760


@pytest.mark.parametrize("method", ["contiguous", "blocks"])
@pytest.mark.parametrize(("patch", "gap"), [(1, None), (8, None), (4, 3)])
def test_nothing_held_out_is_nearer_than_the_gap(method, patch, gap):
    (labels,) = split_maps([(1, 96, 80)], Split(method=method, validation=0.1, test=0.1, gap=gap, block=24), patch)
    distance = patch if gap is None else gap
    held = np.argwhere(labels[0] >= VALIDATION)
    trained = np.argwhere(labels[0] == TRAINING)
    assert len(trained)
    apart_by = np.abs(trained[:, None] - held[None]).max(-1).min()
    assert apart_by > distance
    assert (labels == UNUSED).any()


def test_by_file_where_there_are_several():
    maps = split_maps([(1, 4, 4)] * 5, Split(validation=0.2, test=0.2), 1)
    assert [int(m.max()) for m in maps] == [TRAINING, TRAINING, TRAINING, VALIDATION, TEST]
    with pytest.raises(ValueError, match="1 file cannot be split"):
        split_maps([(1, 4, 4)], Split(method="file"), 1)
    with pytest.raises(ValueError, match="add files$"):
        split_maps([(1, 4, 4)], Split(method="file"), 1, whole=True)
    with pytest.raises(ValueError, match="choose split.method=contiguous"):
        split_maps([(1, 40, 1)], Split(method="blocks"), 1)


def test_a_stratified_split_takes_the_same_share_of_every_class_and_leaves_the_unlabelled():
    classes = np.zeros((1, 40, 10), int)
    classes[:, :30, :] = 1
    classes[:, 30:36] = 2
    classes[0, 39, :3] = 3
    (labels,) = split_maps([(1, 40, 10)], Split(method="stratified", validation=0.1, test=0.5), 1, classes=[classes])
    for value, count in ((1, 300), (2, 60)):
        assert (labels[classes == value] == VALIDATION).sum() == count // 10
        assert (labels[classes == value] == TEST).sum() == count // 2
    assert (labels[classes == 3] == TRAINING).sum() >= 1
    assert (labels[classes == 0] == UNUSED).all()
    with pytest.raises(ValueError, match="this task has none"):
        split_maps([(1, 40, 10)], Split(method="stratified"), 1)


def test_the_last_files_are_the_test_and_those_before_them_for_validation():
    maps = split_maps([(1, 4, 4)] * 10, Split(method="file", validation=0.2, test=0.1), 1)
    assert [int(labels[0, 0, 0]) for labels in maps] == [TRAINING] * 7 + [VALIDATION] * 2 + [TEST]


@pytest.mark.parametrize("shape", [(1, 10, 30), (1, 30, 10)])
def test_a_contiguous_split_holds_out_the_end_of_the_longer_side(shape):
    (labels,) = split_maps([shape], Split(method="contiguous", validation=0.2, test=0.1, gap=0), 1)
    along = np.moveaxis(labels[0], np.argmax(shape[1:]), 0)
    assert [set(row.tolist()) for row in along] == [{TRAINING}] * 21 + [{VALIDATION}] * 6 + [{TEST}] * 3


def test_as_many_groups_are_held_out_as_the_fraction_asks_for():
    groups = [np.arange(40).reshape(1, 40, 1) // 5]
    (labels,) = split_maps([(1, 40, 1)], Split(method="group", validation=0.25, test=0.0), 1, groups=groups)
    assert np.bincount(labels.ravel(), minlength=4).tolist() == [0, 30, 10, 0]


def test_groups_stay_together():
    groups = [np.repeat(np.arange(8), 5).reshape(1, 40, 1)]
    (labels,) = split_maps([(1, 40, 1)], Split(method="group", validation=0.25, test=0.25), 1, groups=groups)
    for group in range(8):
        assert len(np.unique(labels[groups[0] == group])) == 1
    assert sorted(np.bincount(labels.ravel())[1:].tolist()) == [10, 10, 20]
    with pytest.raises(ValueError, match=r"list one for each input in data\.groups"):
        split_maps([(1, 40, 1)], Split(method="group"), 1)
    with pytest.raises(ValueError, match="1 group cannot be split"):
        split_maps([(1, 4, 1)], Split(method="group"), 1, groups=[np.zeros((1, 4, 1), int)])


def test_files_of_a_class_each_hold_out_some_of_every_class():
    classes = [np.full((1, 2, 2), 1 + number // 5) for number in range(10)]
    maps = split_maps([(1, 2, 2)] * 10, Split(validation=0.2), 1, classes=classes)
    held = [1 + number // 5 for number, m in enumerate(maps) if m.max() == VALIDATION]
    assert held == [1, 2]


def test_a_random_split_is_seeded():
    one, two, other = (split_maps([(1, 50, 1)], Split(method="random", validation=0.2, seed=seed), 1)[0] for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert (one == VALIDATION).sum() == 10


def test_patches_lie_wholly_in_their_part():
    labels = np.full((2, 30, 20), TRAINING, np.uint8)
    labels[:, 20:] = VALIDATION
    corners = origins(labels, TRAINING, 6)
    assert len(corners) == 2 * 15 * 15
    for z, y, x in corners:
        assert (labels[z, y : y + 6, x : x + 6] == TRAINING).all()
    validation = apart(origins(labels, VALIDATION, 6), 6)
    covered = np.zeros_like(labels, int)
    for z, y, x in validation:
        covered[z, y : y + 6, x : x + 6] += 1
    assert covered.max() == 1
    assert len(origins(labels, VALIDATION, 11)) == 0


# ---------------------------------------------------------------- data sets


def test_a_batch_of_patches_is_what_slicing_gives(image_pairs):
    experiment = Experiment().override(
        "network=unet", "network.dims=2", "data.patch=6", "preparation=[]", "split.gap=0", "split.validation=0.25"
    )
    noisy, clean = image_pairs
    data = assemble(experiment, [noisy, noisy], [clean, clean])
    samples = data.parts["training"]
    x, y = data.batch(samples, torch.device("cpu"))
    corners = origins(data.maps[0], TRAINING, 6)
    for number, (_, row, column) in enumerate(corners):
        np.testing.assert_array_equal(x[number], noisy.data[row : row + 6, column : column + 6])
        np.testing.assert_array_equal(y[number], clean.data[row : row + 6, column : column + 6])


def test_volumes_are_planes_one_after_another():
    volume = np.random.default_rng(0).random((3, 20, 16, 5), np.float32)
    experiment = Experiment().override("network=unet", "network.dims=2", "data.patch=4", "preparation=[]", "split.gap=0")
    data = assemble(experiment, [Cube(volume)], [Cube(volume)])
    x, _ = data.batch(data.parts["training"], torch.device("cpu"))
    corners = origins(data.maps[0], TRAINING, 4)
    z, row, column = corners[-1]
    np.testing.assert_array_equal(x[-1], volume[z, row : row + 4, column : column + 4])


def test_dead_spectra_are_omitted_and_reported(pairs):
    noisy, clean = pairs
    noisy.data[3] = 0
    data = assemble(Experiment().override("split.validation=0.2"), [noisy], [clean])
    assert len(data.parts["training"]) + len(data.parts["validation"]) == 119
    assert data.notes[0] == "1 of 120 spectra hold no data (1 all zero) and are left out."


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_spectra_with_missing_values_are_left_out_unless_they_are_filled(pairs, bad, side):
    pairs[side].data[5, 7] = bad
    data = assemble(Experiment().override("preparation=[]"), [pairs[0]], [pairs[1]])
    assert data.maps[0].ravel()[5] == 0
    assert "1 of 120 spectra hold no data (1 with missing values" in data.notes[0]
    assert data.inputs.isfinite().all()
    data = assemble(Experiment().override("preparation=[fill, normalise]"), [pairs[0]], [pairs[1]])
    assert data.maps[0].ravel()[5] == 1
    assert any("1 values of 1 of 120 spectra are interpolated" in note for note in data.notes) == (side == 0)


def test_what_does_not_pair_is_refused(pairs, image_pairs):
    noisy, clean = pairs
    cases = [
        (noisy, None, "1 input but 0 truths"),
        ([noisy, noisy[:9]], clean, "2 inputs but 1 truth;"),
        (noisy, clean[:50], r"shape \(120, 40\) and its truth 'clean' \(50, 40\)"),
        (noisy, Cube(clean.data, SpectralAxis(clean.axis.values + 20, "1/cm"), name="t"), "positions that differ by up to 20 1/cm"),
        ([noisy, image_pairs[0]], [clean, image_pairs[1]], "12 bands where 40"),
        ([], [], "nothing to train on"),
    ]
    for cubes, truths, message in cases:
        with pytest.raises(SettingsError, match=message):
            gather(Experiment(), cubes, truths)
    with pytest.raises(SettingsError, match=r"set of spectra without neighbours.*set network\.dims=1"):
        gather(Experiment().override("network=unet", "network.dims=2"), noisy, clean)
    with pytest.raises(SettingsError, match="patches of 64 pixels exceed the 24 × 20.*choose 8 or less"):
        gather(Experiment().override("network=unet", "network.dims=2", "data.patch=64"), *image_pairs)


def test_a_part_without_samples_is_refused_with_the_remedy(pairs, image_pairs):
    assert len(assemble(Experiment().override("split.validation=0.001"), [pairs[0]], [pairs[1]]).parts["validation"]) == 1
    image = Experiment().override("network=unet", "network.dims=2", "data.patch=16")
    with pytest.raises(ValueError, match=r"no samples are left for training.*; set data\.patch=8"):
        assemble(image, [image_pairs[0]], [image_pairs[1]])
    assemble(image.override("data.patch=8"), [image_pairs[0]], [image_pairs[1]])


def test_the_same_cube_twice_and_batches_without_statistics(pairs):
    noisy, clean = pairs
    with pytest.raises(SettingsError, match="given twice"):
        gather(Experiment(), [noisy, noisy], [clean, clean])
    with pytest.raises(SettingsError, match=r"training\.batch: batch normalisation needs at least 2"):
        gather(Experiment().override("network=unet", "training.batch=1"), noisy, clean)


def test_blocks_hold_whole_patches_or_say_so(image_pairs):
    blocks = Experiment().override("network=unet", "network.dims=2", "data.patch=6", "split.method=blocks", "split.gap=0", "split.block=8")
    data = assemble(blocks, *([cube] for cube in image_pairs))
    assert len(data.parts["validation"]) >= 1
    with pytest.raises(SettingsError, match=r"split\.block: blocks of 4 pixels cannot contain a patch of 6 pixels"):
        gather(blocks.override("split.block=4"), *image_pairs)


def test_a_random_split_of_an_image_is_reported_as_optimistic(image_pairs):
    data = assemble(Experiment().override("split.method=random"), [image_pairs[0]], [image_pairs[1]])
    assert "too optimistic" in data.notes[0]


# ---------------------------------------------------------------- tiles and classical methods


@pytest.mark.parametrize("length", [1, 7, 64, 65, 100, 129, 1000])
@pytest.mark.parametrize(
    ("tile", "overlap", "grid", "context"), [(64, 16, 1, 0), (64, 32, 8, 4), (32, 16, 4, 20), (16, 0, 1, 0), (24, 12, 1, 3)]
)
def test_every_pixel_is_covered_and_weights_add_to_one(length, tile, overlap, grid, context):
    total = np.zeros(length)
    covering = spans(length, tile, overlap, grid)
    for span in covering:
        assert span.start % grid == 0
        total[span.start : span.stop] += span.weights(context)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_tile_too_small_for_its_overlap_is_refused():
    with pytest.raises(ValueError, match="choose 24 or more"):
        spans(100, 16, 16, 8)


def test_adamw_decays_by_default():
    assert AdamW().weight_decay == 0.01


def test_what_patches_show_is_found_without_listing_it():
    generator = torch.Generator().manual_seed(0)
    height, width, patch = 20, 17, 4
    rows = torch.randint(0, height - patch + 1, (30,), generator=generator)
    columns = torch.randint(0, width - patch + 1, (30,), generator=generator)
    samples = Samples(5 + rows * width + columns, columns, torch.full_like(columns, width), patch)
    listed = torch.zeros(5 + height * width + 3, dtype=torch.bool)
    listed[samples.pixels()] = True
    assert torch.equal(samples.shown(len(listed)), listed)
