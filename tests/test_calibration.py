"""Calibration: spectra of one instrument in the intensities, and on the bands, of another."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, compare, fit, predict, train
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.learn.classical import from_tensors, to_tensors
from napari_spectrai.learn.classical.linear import _penalty_left_out
from napari_spectrai.learn.classical.method import interpolated
from napari_spectrai.learn.classical.piecewise import latent, moments
from napari_spectrai.learn.data.dependence import are_paired
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.networks.ridge import ridge_map
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.normalise import Normalise, Scale
from napari_spectrai.preparation.orthogonal import EPO
from napari_spectrai.runs import Started
from napari_spectrai.units import aligned, comparable

# what chooses among them has tests of its own (test_automatic.py)
METHODS = [kind for kind in networks if networks[kind].classical and "calibration" in networks[kind].tasks and kind != "automatic"]
LEARNING = [kind for kind in METHODS if networks[kind].learns]
SOURCE, TARGET = SpectralAxis(np.linspace(500, 900, 60), "nm"), SpectralAxis(np.linspace(0.89, 0.51, 47), "um")


def measured(count, *, axis=SOURCE, onto=TARGET, gain=800.0, seed=0):
    """Return the same samples as two instruments measure them: blurred, with another response and unit, on other bands."""
    rng = np.random.default_rng(seed)
    centres, widths, amounts = np.linspace(520, 880, 7), np.linspace(12, 25, 7), rng.random((count, 7)) + 0.2

    def seen(nm, blur):
        return amounts @ np.exp(-0.5 * ((nm - centres[:, None]) / np.hypot(widths, blur)[:, None]) ** 2)

    nm = axis.values
    source = seen(nm + 2, 6.0) * (1 + 0.3 * np.cos(nm / 90)) + 0.1 + rng.normal(0, 0.01, (count, len(axis)))
    target = gain * seen(onto.values * 1e3 if onto.unit == "um" else onto.values, 0.0)
    return Cube(source.astype(np.float32), axis, name="source"), Cube(target.astype(np.float32), onto, name="target")


def scene(source, target):
    x, y = (torch.from_numpy(np.ascontiguousarray(cube.numpy())) for cube in (source, target))
    return Scene(x[None, :, None], y[None, :, None], torch.ones(1, len(x), 1, dtype=torch.bool))


def made(kind, source, target, **settings):
    spec = networks.parse({"kind": kind, **settings})
    method = spec.load()(spec, len(source.axis), len(target.axis))
    method.axes = (source.axis, target.axis)
    return method


def error(result, truth):
    return float(np.square(np.asarray(result, np.float64) - np.asarray(truth, np.float64)).mean())


# ---------------------------------------------------------------- every method


@pytest.mark.parametrize("count", [8, 40])
@pytest.mark.parametrize("kind", METHODS)
def test_a_method_maps_onto_the_other_instrument_and_travels_as_tensors(kind, count):
    source, target = measured(count + 50, gain=1.0)
    method = made(kind, source, target)
    method.fit([scene(source[:count], target[:count])])
    x = torch.from_numpy(source.numpy()[count:])
    result = method(x)
    assert result.dtype == torch.float32
    assert result.shape == (50, 47)
    truth = target.numpy()[count:]
    if kind in LEARNING:
        # eight pairs say little of seven components
        assert error(result, truth) < (0.9 if count == 8 else 0.05) * truth.var(0).mean()
    again = from_tensors([kind], to_tensors({"it": method}), 60, 47, 1)[method.spec.label]
    torch.testing.assert_close(again(x), result)
    image = x.view(1, 10, 5, 60)
    torch.testing.assert_close(method(image), result.view(1, 10, 5, 47), rtol=1e-4, atol=1e-2)


# SST passes on, in the units it is given, what the instruments do not share
@pytest.mark.parametrize("kind", [kind for kind in LEARNING if kind != "sst"])
def test_a_method_is_indifferent_to_the_unit_of_the_target(kind):
    source, target = measured(20)
    other = target.with_data(target.numpy() * 2**-12)
    x = torch.from_numpy(source.numpy())
    one, two = made(kind, source, target), made(kind, source, other)
    one.fit([scene(source, target)])
    two.fit([scene(source, other)])
    torch.testing.assert_close(two(x) * 2**12, one(x), rtol=1e-3, atol=0.5)


@pytest.mark.parametrize("kind", LEARNING)
def test_spectra_that_do_not_vary_or_are_zero_are_no_obstacle(kind):
    for value in (0.0, 3.0):
        flat = Cube(np.full((6, 9), value, np.float32))
        method = made(kind, flat, flat)
        method.fit([scene(flat, flat)])
        np.testing.assert_allclose(method(torch.from_numpy(flat.numpy())), flat.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", LEARNING)
def test_too_few_pairs_are_refused_in_words(kind):
    source, target = measured(2)
    method = made(kind, source, target)
    if kind == "gain_offset":
        method.fit([scene(source, target)])
        assert torch.isfinite(method(torch.from_numpy(source.numpy()))).all()
    else:
        with pytest.raises(ValueError, match="needs at least 3 .*, not 2; "):
            method.fit([scene(source, target)])


def test_gains_and_offsets_are_found():
    source = Cube(np.random.default_rng(0).random((30, 12)).astype(np.float32))
    gain, offset = np.linspace(0.5, 3, 12), np.linspace(-1, 1, 12)
    target = source.with_data((source.numpy() * gain + offset).astype(np.float32))
    method = made("gain_offset", source, target)
    method.fit([scene(source, target)])
    np.testing.assert_allclose(method.gains, gain, rtol=1e-3)
    np.testing.assert_allclose(method.offset, offset, atol=2e-3)
    method = made("gain_offset", source, target, shrinkage=1e6)
    method.fit([scene(source, target)])
    assert np.ptp(method.gains.numpy()) < 1e-3


# ---------------------------------------------------------------- against chemotools


def both(count=12, bands=30):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, bands)).astype(np.float32)
    return x, (np.roll(x, 1, 1) * 2 + rng.normal(0, 0.1, x.shape)).astype(np.float32)


def test_direct_standardisation_is_that_of_chemotools():
    from chemotools.adaptation import DirectStandardization

    x, y = both()
    method = made("ds", Cube(x), Cube(y), components=11)
    method.fit([scene(Cube(x), Cube(y))])
    x, y = x.astype(np.float64), y.astype(np.float64)
    theirs = DirectStandardization().fit(x - x.mean(0), X_source=y - y.mean(0))
    new = both(5)[0] + 0.3
    np.testing.assert_allclose(method(torch.from_numpy(new)), theirs.transform(new - x.mean(0)) + y.mean(0), rtol=1e-3, atol=1e-4)


def test_spectral_space_transformation_is_that_of_chemotools():
    from chemotools.adaptation import SpectralSpaceTransform

    x, y = both()
    method = made("sst", Cube(x), Cube(y), components=4)
    method.fit([scene(Cube(x), Cube(y))])
    theirs = SpectralSpaceTransform(n_components=4).fit(x, X_source=y)
    new = both(5)[0] + 0.3
    np.testing.assert_allclose(method(torch.from_numpy(new)), theirs.transform(new), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("window", "components"), [(3, 1), (7, 3), (9, 4)])
def test_piecewise_direct_standardisation_is_that_of_chemotools(window, components):
    from chemotools.adaptation import PiecewiseDirectStandardization

    x, y = both()
    method = made("pds", Cube(x), Cube(y), window=window, components=components)
    method.fit([scene(Cube(x), Cube(y))])
    theirs = PiecewiseDirectStandardization(window_length=window // 2, n_components=components, scale=False).fit(x, X_source=y)
    new = both(5)[0] + 0.3
    np.testing.assert_allclose(method(torch.from_numpy(new)), theirs.transform(new), rtol=1e-3, atol=1e-4)


def test_more_latent_variables_than_a_window_holds_change_nothing():
    x, y = (side.astype(np.float64) for side in both())
    *_, before, last = latent(*moments(x - x.mean(0), y - y.mean(0), np.arange(30), 1), 5)
    np.testing.assert_allclose(before, last, atol=1e-8)


# ---------------------------------------------------------------- ridge


def test_ridge_from_spectra_is_ridge_from_bands():
    x, y = (torch.from_numpy(side) for side in both(12, 12))
    for rows in (8, 12):
        weight, intercept = ridge_map(x[:rows], y[:rows], 0.5)
        centred, mean = x[:rows].double() - x[:rows].double().mean(0), x[:rows].double().mean(0)
        wanted = torch.linalg.solve(centred.T @ centred + 0.5 * torch.eye(12), centred.T @ (y[:rows].double() - y[:rows].double().mean(0)))
        torch.testing.assert_close(weight, wanted.float(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(intercept, (y[:rows].double().mean(0) - mean @ wanted).float(), rtol=1e-4, atol=1e-5)


def test_the_penalty_is_that_of_spectra_left_out():
    x, y = (torch.from_numpy(side) for side in both(9, 20))
    found = _penalty_left_out(x, y)

    def left_out(alpha):
        total = 0.0
        for row in range(9):
            others = torch.arange(9) != row
            weight, intercept = ridge_map(x[others], y[others], alpha)
            total += float((x[row] @ weight + intercept - y[row]).square().sum())
        return total

    assert left_out(found) <= min(left_out(found * factor) for factor in (0.3, 3.0))


# ---------------------------------------------------------------- axes


def test_bands_are_laid_where_they_belong():
    np.testing.assert_allclose(aligned(SOURCE, SOURCE), np.arange(60))
    places = aligned(SOURCE, TARGET)
    np.testing.assert_allclose(np.interp(places, np.arange(60), SOURCE.values), TARGET.values * 1e3, rtol=1e-9)
    falling = SpectralAxis(SOURCE.values[::-1], "nm")
    np.testing.assert_allclose(aligned(falling, SOURCE), np.arange(60)[::-1])
    beyond = aligned(SOURCE, SpectralAxis([100.0, 500.0, 2000.0], "nm"))
    assert beyond.tolist() == [0, 0, 59]


@pytest.mark.parametrize(
    "onto", [SpectralAxis.bands(7), SpectralAxis(np.linspace(200, 3200, 7), "1/cm"), SpectralAxis(np.linspace(1, 9, 7), "m/z")]
)
def test_axes_that_cannot_be_compared_are_laid_end_to_end(onto):
    assert not comparable(SOURCE, onto)
    np.testing.assert_allclose(aligned(SOURCE, onto), np.linspace(0, 59, 7))


def test_interpolation_is_that_of_numpy():
    x, places = np.random.default_rng(0).random((4, 9)), np.array([-1.0, 0, 0.25, 3.5, 7.9, 8, 12])
    wanted = np.stack([np.interp(places, np.arange(9), row) for row in x])
    np.testing.assert_allclose(interpolated(torch.from_numpy(x), torch.from_numpy(places)), wanted)
    assert interpolated(torch.ones(2, 1), torch.zeros(3)).tolist() == [[1, 1, 1], [1, 1, 1]]


# ---------------------------------------------------------------- the intensities of the target


@pytest.mark.parametrize("count", [2, 5, 10, 120])
def test_the_default_gives_spectra_in_the_target_s_intensities(count, tmp_path):
    source, target = measured(count + 60)
    experiment = Experiment.default("calibration", source[:count], target[:count])
    assert [step.kind for step in experiment.preparation] == ["scale"]
    model = train(experiment, source[:count], target[:count], run=tmp_path / "run")
    again = Model.load(tmp_path / "run" / "best.safetensors")
    new, truth = source[count:], target[count:]
    result = predict(again, new).result
    assert result.axis == TARGET
    np.testing.assert_allclose(result.numpy(), predict(model, new).result.numpy(), rtol=1e-5, atol=1e-3)
    # of two pairs nothing but gain and offset can be learnt
    assert error(result.numpy(), truth.numpy()) < {2: 5.0, 5: 0.3, 10: 0.1, 120: 0.01}[count] * truth.numpy().var(0).mean()


def test_one_pair_is_refused_in_words():
    with pytest.raises(ValueError, match=r"1 pair .* pass 5 or more"):
        Experiment.default("calibration", *measured(1))


def test_every_score_is_in_the_target_s_intensities(tmp_path):
    source, target = measured(60)
    experiment = Experiment.default("calibration", source, target).override("network=pds", "split.test=0.2", "split.method=contiguous")
    model = train(experiment, source, target, run=tmp_path / "run")
    card = model.card()
    held = slice(48, 60)
    truth = target.numpy()[held]
    own = error(predict(model, source[held]).result.numpy(), truth)
    resampled = np.stack([np.interp(TARGET.values * 1e3, SOURCE.values, row) for row in source.numpy()[held]])
    report = compare(model, source[held], target[held])
    for rows in (card.scores["test"], report.rows):
        assert rows["network"]["mse"] == pytest.approx(own, rel=1e-3)
        assert rows["raw"]["mse"] == pytest.approx(error(resampled, truth), rel=1e-3)
        assert set(rows) == {"network", *(networks[kind].label for kind in tasks["calibration"].baselines)}
    assert "as they are" in str(report)
    assert "in the target's unit" in str(card)


@pytest.mark.parametrize("preparation", ["scale", "{kind: normalise, by: maximum}"])
def test_a_network_is_scored_in_the_intensities_of_the_target(preparation, tmp_path):
    source, target = measured(64)
    found = {}
    for gain in (1.0, 1024.0):
        other = target.with_data(target.numpy() * np.float32(gain))
        experiment = Experiment.default("calibration", source, other).override(
            "network={kind: residual_mlp, width: 16}", f"preparation=[{preparation}]", "split={validation: 0.25, method: contiguous}",
            "training={epochs: 3, batch: 16, device: cpu}",
        )  # fmt: skip
        *events, last = list(fit(experiment, source, other, run=tmp_path / f"run {gain}"))
        model = Model.load(tmp_path / f"run {gain}" / "best.safetensors")
        scores = last.scores["validation"]
        held = predict(model, source[48:]).result.numpy()
        assert scores["network"]["mse"] == pytest.approx(error(held, other.numpy()[48:]), rel=1e-3)
        found[gain] = scores, held, [event.training for event in events if hasattr(event, "training") and hasattr(event, "validation")]
        lost = any("intensities are lost" in note for note in next(one for one in events if isinstance(one, Started)).notes)
        assert lost == ("normalise" in preparation)
    if preparation == "scale":
        (one, result, losses), (two, other, others) = found[1.0], found[1024.0]
        np.testing.assert_allclose(other, 1024 * result, rtol=1e-3, atol=1)
        assert two["network"]["mse"] == pytest.approx(1024**2 * one["network"]["mse"], rel=1e-2)
        np.testing.assert_allclose(others[1:], np.multiply(losses[1:], 1024**2), rtol=1e-2)


def test_images_and_several_cubes_calibrate(tmp_path):
    source, target = measured(80)
    image, truth = (cube.with_data(cube.numpy().reshape(10, 8, -1)) for cube in (source, target))
    model = train(Experiment.default("calibration", image, truth), image, truth, run=tmp_path / "image")
    assert error(predict(model, image).result.numpy(), truth.numpy()) < 0.01 * target.numpy().var(0).mean()
    parts = [(source[:40], target[:40]), (source[40:], target[40:])]
    experiment = Experiment.default("calibration", *parts[0]).override("split.method=file")
    model = train(experiment, *map(list, zip(*parts, strict=True)), run=tmp_path / "files")
    assert error(predict(model, source).result.numpy(), target.numpy()) < 0.01 * target.numpy().var(0).mean()


@pytest.mark.parametrize("side", [0, 1])
def test_spectra_with_missing_values_are_left_out(side, tmp_path):
    pair = list(measured(20))
    values = pair[side].numpy().copy()
    values[3, 5] = np.nan
    experiment = Experiment.default("calibration", *pair)
    pair[side] = pair[side].with_data(values)
    started, *_ = fit(experiment, *pair, run=tmp_path / "run")
    assert started.training == 19
    assert any("1 of 20 spectra" in note for note in started.notes)


def test_the_default_is_no_worse_than_a_simple_method_whatever_the_axes(tmp_path):
    source, target = measured(20)
    shifts = replace(target, axis=SpectralAxis(np.linspace(200, 3200, 47), "1/cm"))
    numbers = replace(target, axis=SpectralAxis.bands(47))  # taken to span the same range
    for place, other in enumerate((target, shifts, numbers)):
        *_, last = fit(Experiment.default("calibration", source, other), source, other, run=tmp_path / f"run {place}")
        found = {name: row["mse"] for name, row in last.scores["validation"].items()}
        assert found["network"] <= 1.1 * min(found["ridge"], found["gain+offset"])
    assert Experiment.from_mapping({"task": "calibration"}).preparation[0].kind == "scale"
    assert Experiment.from_mapping({"task": "denoising"}).preparation[0].kind == "normalise"


def test_a_step_that_learns_of_one_side_s_bands_says_so():
    source, target = measured(20)
    experiment = Experiment.default("calibration", source, target).override("preparation=[msc, scale]")
    (problem,) = problems_with(experiment, [source], [target])
    assert problem.path == "preparation.0"
    assert "input's 60 bands, but the truth has 47" in problem.message
    assert not problems_with(experiment.override("preparation=[scale]"), [source], [target])


def test_what_was_chosen_on_fewer_pairs_is_not_sought_again():
    source, target = measured(30)
    for kind in ("ds", "pds", "sst"):
        method, other = made(kind, source, target), made(kind, source, target)
        method.fit([scene(source[:20], target[:20])])
        other.chosen = dict(method.chosen)
        other.fit([scene(source, target)])
        assert other.chosen == method.chosen


# ---------------------------------------------------------------- what was written before


def test_what_was_scaled_by_one_factor_before_still_is(tmp_path):
    spectra = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    before = Scale.model_validate({"kind": "scale", "percentile": 99.9, "factor": 4.0})
    prepared, _, removed = Preparation((before,)).apply(spectra, SpectralAxis.bands(5))
    np.testing.assert_allclose(Preparation.restore(prepared, removed), spectra, rtol=1e-6)
    assert Preparation((before,)).for_target().steps == (before,)
    now = before.model_copy(update={"target": 8.0})
    prepared, _, removed = Preparation((now,)).apply(spectra, SpectralAxis.bands(5))
    np.testing.assert_allclose(Preparation.restore(prepared, removed), 2 * spectra, rtol=1e-6)
    assert Preparation((now, Normalise())).gain == 0.5
    # a card of before, which knows of no target
    source, target = measured(20)
    model = train(Experiment.default("calibration", source, target), source, target, run=tmp_path / "run")
    plain = json.loads(model.card().to_json())
    (step,) = plain["experiment"]["preparation"]
    factor = step["factor"]
    del step["target"]
    old = Model(model.network, ModelCard.from_json(json.dumps(plain)), model.classical)
    ratio = predict(model, source).result.numpy() / predict(old, source).result.numpy()
    np.testing.assert_allclose(ratio, model.preparation.steps[0].target / factor, rtol=1e-3)
    assert "target's unit" not in str(old.card())


# ---------------------------------------------------------------- without pairs


def test_what_differs_between_conditions_is_left_out():
    from chemotools.projection import ExternalParameterOrthogonalization

    rng = np.random.default_rng(0)
    signal, drift = rng.random((50, 3)) @ rng.random((3, 20)), rng.random((2, 20))
    conditions = [Cube((signal[:20] + amount @ drift).astype(np.float32)) for amount in ([0.0, 0], [1, 0], [0, 1], [2, 1])]
    step = EPO(conditions=conditions, components=2).fitted(signal, SpectralAxis.bands(20))
    (one, _), (other, _) = (step.apply(values, SpectralAxis.bands(20)) for values in (signal, signal + np.array([1.5, -0.5]) @ drift))
    np.testing.assert_allclose(one, other, atol=1e-5)
    means = np.stack([cube.numpy().mean(0, dtype=np.float64) for cube in conditions])
    theirs = ExternalParameterOrthogonalization(n_components=2).fit(signal, X_external=means)
    np.testing.assert_allclose(one, theirs.transform(signal), atol=1e-5)
    same = EPO(conditions=[conditions[0], conditions[0]]).fitted(signal, SpectralAxis.bands(20))
    np.testing.assert_array_equal(same.apply(signal, SpectralAxis.bands(20))[0], signal)


@pytest.mark.parametrize(
    ("conditions", "components", "words"),
    [
        ([[1.0, 2]], 1, "at least 2 items"),
        ([[1.0, 2], [1.0]], 1, "1 and 2 bands"),
        ([[1.0, 2], [2.0, 3]], 2, "in at most 1 directions, not 2"),
    ],
)
def test_conditions_that_do_not_fit_say_why(conditions, components, words):
    with pytest.raises(ValueError, match=words):
        EPO(conditions=conditions, components=components)


# ---------------------------------------------------------------- pairs that are none


@pytest.mark.parametrize("bands", [40, 20])
def test_pairs_in_another_order_are_noticed(bands, tmp_path):
    rng = np.random.default_rng(0)
    peaks = np.exp(-0.5 * ((np.arange(40) - np.array([[8], [20], [31]])) / 3) ** 2)
    clean = (rng.random((60, 3)) @ peaks).astype(np.float32)
    other = (clean[:, :: 40 // bands] * 3 + 1 + rng.normal(0, 0.05, (60, bands))).astype(np.float32)
    said = {}
    for order in ("same", "random"):
        rows = np.arange(60) if order == "same" else rng.permutation(60)
        cube, truth = Cube(other[rows]), Cube(clean)
        experiment = Experiment.default("calibration", cube, truth).override("network=gain_offset" if bands == 40 else "network=ridge")
        started = next(event for event in fit(experiment, cube, truth, run=tmp_path / order) if isinstance(event, Started))
        said[order] = any("different orders" in note for note in started.notes)
    assert said == {"same": False, "random": True}


def test_too_few_pairs_or_equal_spectra_are_no_evidence():
    rng = np.random.default_rng(0)
    one, other = rng.random((19, 5)), rng.random((19, 7))
    assert are_paired(one, other, np.arange(19))
    assert are_paired(np.ones((40, 5)), rng.random((40, 7)), np.arange(40))
    assert are_paired(np.full((40, 5), np.nan), rng.random((40, 7)), np.arange(40))
