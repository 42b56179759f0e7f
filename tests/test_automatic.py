"""The automatic choice: chosen, saved, read again, applied; never far below its best candidate."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, Model, fit, predict, train
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.candidates import candidates_for, in_turn, with_recipe
from napari_spectrai.experiment.classifiers import LogisticRegression
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.labels import Labels
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.automatic.choice import Answers, HeldOut, choose, crossed, mixture_weights
from napari_spectrai.learn.automatic.race import Race
from napari_spectrai.learn.automatic.supervised import CrossValidation
from napari_spectrai.learn.mixture.guided_filter import components, guided_filter
from napari_spectrai.learn.mixture.spectral_views import shapes, superpixel_means
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.reports.fold_table import fold_table
from napari_spectrai.runs import Compared, Finished, Paused, RunFolder, Started

QUICK = {"kind": "automatic", "candidates": ["logistic_regression", "pca_lda"]}


@pytest.fixture(scope="module")
def scene():
    """Three materials in stripes, noisy, and a few labels in the left half."""
    rng = np.random.default_rng(0)
    spectra = rng.random((3, 12)).astype(np.float32)
    truth = np.repeat(np.arange(3), 8)[:, None].repeat(30, 1)
    data = spectra[truth] + rng.normal(0, 0.1, (24, 30, 12)).astype(np.float32)
    labels = np.zeros((24, 30), np.int64)
    for value in range(3):
        rows, columns = np.nonzero(truth[:, :15] == value)
        chosen = rng.permutation(len(rows))[:12]
        labels[rows[chosen], columns[chosen]] = value + 1
    return Cube(data), Labels(labels, {1: "glass", 2: "resin", 3: "fat"}), truth + 1


@pytest.fixture(scope="module")
def trained(scene, tmp_path_factory):
    cube, labels, _ = scene
    experiment = Experiment.default("segmentation", cube, labels)
    document = experiment.model_dump(mode="json") | {"network": QUICK}
    folder = tmp_path_factory.mktemp("automatic") / "run"
    events = list(fit(Experiment.from_mapping(document), cube, labels, run=folder))
    return Model.load(folder / "best.safetensors"), events, folder


def test_the_default_for_classes_is_automatic(scene):
    cube, labels, _ = scene
    assert isinstance(Experiment.default("segmentation", cube, labels).network, Automatic)
    assert isinstance(Experiment.default("classification", Cube(cube.numpy().reshape(-1, 12)), labels.data.ravel()).network, Automatic)


def test_scores_of_every_candidate_are_reported_fold_by_fold(trained):
    _, events, _ = trained
    (started,) = [event for event in events if isinstance(event, Started)]
    compared = [event for event in events if isinstance(event, Compared)]
    assert started.epochs == 2
    assert {event.name for event in compared} == {"logistic", "PCA-LDA"}
    assert all(len(event.folds) > 1 and len(event.interval) == 2 for event in compared)
    assert sum(event.weight for event in compared) == pytest.approx(1, abs=1e-3)


def test_the_cross_validation_of_a_run_is_a_table_with_the_best_candidate_first(trained):
    _, events, folder = trained
    found = fold_table(RunFolder(folder))
    compared = {event.name: event for event in events if isinstance(event, Compared)}
    means = {name: np.mean(event.folds) for name, event in compared.items()}
    scores = {name: event.scores["average_accuracy"] for name, event in compared.items()}
    assert [row[0] for row in found.rows] == sorted(scores, key=scores.get, reverse=True)
    for row in found.rows:
        event = compared[row[0]]
        assert float(row[1]) == pytest.approx(scores[row[0]], rel=1e-2)
        assert [float(end) for end in row[2].split(" to ")] == pytest.approx(event.interval, rel=1e-2)  # of the same samples
        assert [float(cell) for cell in row[4:]] == pytest.approx(event.folds, rel=1e-2)
        assert [float(part) for part in row[3].split(" ± ")] == pytest.approx([means[row[0]], np.std(event.folds, ddof=1)], rel=0.06)
    assert len(found.heads) == len(found.rows[0])
    assert any(found.chosen)


def test_a_model_comes_back_and_answers_as_it_did(trained, scene, tmp_path):
    model, _, _ = trained
    cube, _, truth = scene
    first = predict(model, cube)
    again = predict(Model.load(model.save(tmp_path / "again.safetensors")), cube)
    np.testing.assert_array_equal(first.probabilities.numpy(), again.probabilities.numpy())
    np.testing.assert_allclose(first.probabilities.numpy().sum(-1), 1, atol=1e-5)
    assert (first.result == truth).mean() > 0.9
    tiled = predict(model, cube, tile=16)
    np.testing.assert_allclose(tiled.probabilities.numpy(), first.probabilities.numpy(), atol=1e-5)


def test_the_card_says_how_sure_its_scores_are(trained):
    model, events, _ = trained
    card = model.card()
    low, high = card.intervals["validation"]["network"]["average_accuracy"]
    assert low <= card.scores["validation"]["network"]["average_accuracy"] <= high
    assert low < high
    assert "expected over the map" in str(card)
    (finished,) = [event for event in events if isinstance(event, Finished)]
    assert finished.intervals == card.intervals
    assert any("folds" in note for note in card.notes)


def test_the_report_lists_the_candidates(trained):
    _, _, folder = trained
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Candidates" in page
    assert "PCA-LDA" in page


def test_any_network_can_be_cross_validated(scene, tmp_path):
    cube, labels, _ = scene
    experiment = Experiment.default("segmentation", cube, labels).override("network=logistic_regression", "split.folds=4")
    events = list(fit(experiment, cube, labels, run=tmp_path / "run"))
    (compared,) = {event.name: event for event in events if isinstance(event, Compared)}.values()
    assert 1 < len(compared.folds) <= 4
    assert compared.name == "logistic"
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "was the only candidate" not in page
    assert "each sample held out once" in page
    assert predict(tmp_path / "run" / "best.safetensors", cube).result.shape == (24, 30)


def test_the_test_score_is_that_of_the_prediction(scene, tmp_path):
    cube, _, truth = scene
    labels = Labels(truth, {1: "glass", 2: "resin", 3: "fat"})
    noisy = Cube(cube.numpy() + np.random.default_rng(1).normal(0, 0.4, cube.shape).astype(np.float32))
    document = (
        Experiment.default("segmentation", noisy, labels).override("split={method: blocks, block: 6, test: 0.3}").model_dump(mode="json")
    )
    document["network"] = {"kind": "automatic", "candidates": ["logistic_regression", "logistic_local_means"]}
    model = train(Experiment.from_mapping(document), noisy, labels, run=tmp_path / "run")
    (tested,) = (part == 3 for part in RunFolder(tmp_path / "run").maps())
    told = predict(model, noisy).result
    score = model.card().scores["test"]["network"]["overall_accuracy"]
    assert score == pytest.approx((told == truth)[tested[0]].mean(), abs=1e-3)
    assert score > model.card().scores["test"]["logistic"]["overall_accuracy"]


def test_a_class_in_one_place_is_learned_though_no_fold_can_score_it(scene, tmp_path):
    cube, labels, truth = scene
    rare = labels.data.copy()
    rare[0, 0] = 4
    named = Labels(rare, labels.names | {4: "dust"})
    document = Experiment.default("segmentation", cube, named).model_dump(mode="json") | {"network": QUICK}
    model = train(Experiment.from_mapping(document), cube, named, run=tmp_path / "run")
    card = model.card()
    assert [one.name for one in card.classes] == ["glass", "resin", "fat", "dust"]
    assert any("dust" in note and "Not validated" in note for note in card.notes)
    assert (predict(model, cube).result == truth).mean() > 0.8


def test_classes_that_lie_in_one_place_or_one_file_each_are_refused_or_said(scene, tmp_path):
    cube, labels, truth = scene
    document = Experiment.default("segmentation", cube, labels).model_dump(mode="json") | {"network": QUICK}
    single = np.zeros(truth.shape, int)
    for value in (1, 2, 3):
        single[tuple(np.argwhere(truth == value)[5])] = value
    with pytest.raises(ValueError, match="label each class in a second place"):
        train(Experiment.from_mapping(document), cube, Labels(single), run=tmp_path / "one")
    few = Cube(cube.numpy()[:, 0][[0, 23, 1]])
    small = train(Experiment.from_mapping(document | {"task": {"kind": "classification"}}), few, Labels([1, 2, 1]), run=tmp_path / "few")
    assert any(note.startswith("Not validated: class 2") for note in small.card().notes)
    files = [Cube(cube.numpy() + np.float32(0.01 * value), name=f"file {value}") for value in range(3)]
    of_one = [Labels(np.where(labels.data == value, value, 0)) for value in (1, 2, 3)]
    model = train(Experiment.from_mapping(document), files, of_one, run=tmp_path / "files")
    assert any("Each class lies in one file" in note for note in model.card().notes)
    assert model.card().scores["validation"]["network"]["average_accuracy"] > 0.8


def test_leave_one_group_out_of_spectra(scene, tmp_path):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    x = (rng.normal(0, 0.3, (60, 8)) + np.eye(2, 8)[y]).astype(np.float32)
    cube = Cube(x, metadata={"groups": [f"patient {n // 15}" for n in range(60)]})
    experiment = Experiment.from_mapping(
        {"task": "classification", "network": QUICK, "preparation": ["scale"], "split": {"method": "group", "folds": 100}}
    )
    model = train(experiment, cube, y + 1, run=tmp_path / "run")
    assert any("eave one of 4 groups out" in note for note in model.card().notes)


def test_a_stop_keeps_what_was_compared(scene, tmp_path):
    cube, labels, _ = scene
    document = Experiment.default("segmentation", cube, labels).model_dump(mode="json") | {"network": QUICK}
    events = []
    from napari_spectrai.runs import RunFolder

    for event in fit(Experiment.from_mapping(document), cube, labels, run=tmp_path / "run"):
        events.append(event)
        if isinstance(event, Compared) and len([e for e in events if isinstance(e, Compared)]) == 1:
            RunFolder(tmp_path / "run").say("stop")
    assert events[-1].reason == "stopped"
    assert Model.load(tmp_path / "run" / "best.safetensors").card().experiment.network.members[0].network.kind == "logistic_regression"


def test_time_that_is_used_up_leaves_candidates_out_and_names_them(scene, tmp_path):
    cube, labels, _ = scene
    network = {"kind": "automatic", "candidates": ["logistic_regression", "random_forest"], "seconds": 1e-3}
    document = Experiment.default("segmentation", cube, labels).model_dump(mode="json") | {"network": network}
    model = train(Experiment.from_mapping(document), cube, labels, run=tmp_path / "run")
    notes = {one["name"]: one["note"] for one in model.card().compared}
    assert not notes["logistic"]
    assert "time was used up" in notes["forest"]
    assert any("Not compared for lack of time: forest" in note for note in model.card().notes)


def test_a_fold_of_a_network_ends_when_the_time_is_used_up(scene, tmp_path):
    cube, labels, _ = scene
    network = {"kind": "automatic", "candidates": ["logistic_regression", "spectral_mlp"], "seconds": 1.5}
    experiment = Experiment.default("segmentation", cube, labels)
    document = experiment.model_dump(mode="json") | {"network": network, "training": {"epochs": 100_000}}  # hours
    model = train(Experiment.from_mapping(document), cube, labels, run=tmp_path / "run")
    notes = {one["name"]: one["note"] for one in model.card().compared}
    assert not notes["logistic"]
    assert "time was used up" in notes["Spectral MLP"]


@pytest.mark.all_candidates
def test_candidates_can_be_fitted_in_the_order_of_their_simplicity():
    experiment = Experiment.from_mapping({"task": "segmentation", "network": "automatic"})
    for size in (Size(90, 200, (100, 100)), Size(50_000, 60, (400, 400)), Size(100, 3_551)):
        found = candidates_for(experiment, size)
        assert found[0].name == "logistic"
        assert len({candidate.name for candidate in found}) == len(found)
        assert all(candidate.experiment.network.kind != "spectral_mlp" for candidate in found) or size.bands < 1_000


# ---------------------------------------------------------------- choosing


def _held(truth, fold, classes=2):
    return HeldOut.of(torch.as_tensor(truth), np.asarray(fold), np.arange(len(truth)), classes)


@pytest.mark.parametrize(("sides", "weights", "power"), [(None, "square_root", 0.5), ((40, 40), "balanced", 1.0)])
def test_classes_of_sets_count_as_the_square_root_of_their_size_and_those_of_images_alike(sides, weights, power):
    """In the choice as in the networks that it compares."""
    size = Size(100, 20, sides)
    experiment = Experiment.from_mapping({"task": "segmentation" if sides else "classification", "network": "automatic"})
    assert with_recipe(experiment, "spectral_mlp", size).loss.weights == size.class_weights == weights
    truth = torch.tensor([0] * 36 + [2] * 4)
    held = HeldOut.of(truth, np.zeros(40, int), np.arange(40), 3, weights)
    assert float(held.weight.sum()) == pytest.approx(40)
    assert float(held.weight[truth == 0].sum() / held.weight[truth == 2].sum()) == pytest.approx(9 ** (1 - power))


def test_of_many_samples_what_takes_the_square_of_their_number_comes_late():
    scene = np.random.default_rng(0).random((8, 8, 4)).astype(np.float32)
    experiment = Experiment.default("segmentation", Cube(scene), Labels(np.arange(64).reshape(8, 8) % 2 + 1))
    listed = ["svm", "logistic_regression", "logistic_local_means", "unet", "local_means_mlp", "pca_lda"]
    document = experiment.model_dump(mode="json") | {"network": {"kind": "automatic", "candidates": listed}}
    found = candidates_for(Experiment.from_mapping(document), Size(5_000, 4, (8, 8)))
    kinds = [candidate.network.kind for candidate in in_turn(found, Size(5_000, 4, (8, 8)))]
    assert kinds == ["logistic_regression", "pca_lda", "local_means_mlp", "logistic_local_means", "svm", "unet"]
    assert in_turn(found, Size(500, 4, (8, 8))) == found


@pytest.mark.all_candidates
def test_a_network_of_another_package_declares_that_it_is_a_candidate_and_with_which_training(monkeypatch):
    class Another(LogisticRegression):
        kind: Literal["another"] = "another"
        title: ClassVar = "Another"
        label: ClassVar = ""

        @classmethod
        def candidacy(cls, purpose, size):
            return {"shapes": 12} if purpose == "pixels" and size.samples > 100 else {}

        @classmethod
        def recipe(cls, size, *, classifies):
            return {"network": {"at_most": 50}, "training": {"batch": 3, "epochs": size.epochs(1_000, 3, least=2, most=9)}}

    monkeypatch.setattr(networks, "_kinds", {**networks._all()})
    networks.add(Another)
    scene = Cube(np.random.default_rng(0).random((8, 8, 4), dtype=np.float32))
    experiment = Experiment.default("segmentation", scene, Labels(np.arange(64).reshape(8, 8) % 2 + 1))
    found = candidates_for(experiment, Size(500, 4, (8, 8)))
    assert [one.name for one in found[:3]] == ["logistic", "Another (SNV)", "MNF logistic"]
    assert (found[1].network.at_most, found[1].experiment.training.batch, found[1].experiment.training.epochs) == (50, 3, 6)
    assert "Another (SNV)" not in {one.name for one in candidates_for(experiment, Size(50, 4, (8, 8)))}


def test_the_simplest_of_equivalent_candidates_is_chosen():
    rng = np.random.default_rng(0)
    truth = np.arange(40) % 2
    sure = torch.from_numpy(2.0 * np.eye(2)[truth] + rng.normal(0, 1, (40, 2)))
    other = torch.from_numpy(2.0 * np.eye(2)[truth] + rng.normal(0, 1, (40, 2)))
    chosen = choose([Answers("simple", sure), Answers("complex", other)], _held(truth, np.arange(40) // 8), blend=False)
    assert chosen.names == ["simple"]


def test_what_is_clearly_better_wins_whatever_its_place():
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    guess = torch.from_numpy(rng.normal(0, 1, (200, 2)))
    good = torch.from_numpy(4.0 * np.eye(2)[truth] + rng.normal(0, 1, (200, 2)))
    held = _held(truth, np.arange(200) // 40)
    assert choose([Answers("guess", guess), Answers("good", good)], held, blend=False).names == ["good"]
    mixed = choose([Answers("guess", guess), Answers("good", good)], held, blend=True)
    assert dict(zip(mixed.names, mixed.weights, strict=True))["good"] > 0.9


@pytest.mark.parametrize(("share", "several"), [(0.005, False), (0.3, True)])
def test_a_blend_has_several_members(share, several):
    rng = np.random.default_rng(0)
    raw = torch.from_numpy(rng.normal(0, 1, (4000, 5)))
    good = torch.from_numpy(rng.normal(0, 0.01, (4000, 5)))
    truth = (1 - share) * good + share * raw
    chosen = choose([Answers("raw", raw), Answers("good", good)], _held(truth, np.arange(4000) // 1000, 0), blend=True)
    assert (len(chosen.names) > 1) == several
    assert chosen.why.startswith("A blend was chosen" if several else "good was chosen: it has the lowest")


def _mixed(units, strength):
    """Return the weights of the default candidates: all alike but one on local means, whose scores are `strength` times as far apart."""
    rng = np.random.default_rng(0)
    scene = Cube(rng.random((8, 8, 4), dtype=np.float32))
    experiment = Experiment.default("segmentation", scene, Labels(np.arange(64).reshape(8, 8) % 2 + 1))
    found = candidates_for(experiment, Size(300, 4, (8, 8)))
    truth = np.arange(300) % 2
    alike = np.eye(2)[truth] + rng.normal(0, 1, (300, 2))
    better = strength * np.eye(2)[truth] + rng.normal(0, 1, (300, 2)) if strength > 1 else alike
    unit = np.arange(300) * units // 300
    held = HeldOut.of(torch.as_tensor(truth), unit * 5 // units, unit, 2)
    outputs = [better if candidate.name == "logistic (means)" else alike for candidate in found]
    answers = [Answers(c.name, torch.from_numpy(output), c.prior) for c, output in zip(found, outputs, strict=True)]
    chosen = choose(answers, held, blend=True)
    return dict(zip(chosen.names, chosen.weights, strict=True))


@pytest.mark.all_candidates
def test_with_few_units_the_simplest_of_equivalent_candidates_weigh_most():
    weights = _mixed(units=6, strength=1)
    simple = min(weights["logistic"], weights["PCA-LDA"])
    assert simple == pytest.approx(2 * weights["SVM"], abs=1e-3)
    assert simple == pytest.approx(4 * weights["SVM (means)"], abs=1e-3)
    assert simple == max(weights.values())


@pytest.mark.all_candidates
def test_with_many_units_what_the_folds_favour_outweighs_the_simplest():
    few, many = _mixed(units=6, strength=6), _mixed(units=150, strength=6)
    assert few["logistic"] > many.get("logistic", 0.0)
    assert many["logistic (means)"] > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_a_mixture_is_no_worse_than_its_members_in_likelihood(seed):
    rng = np.random.default_rng(seed)
    truth = torch.from_numpy(rng.integers(0, 3, 300))
    outputs = [torch.from_numpy(rng.normal(0, 1, (300, 3)) + s * np.eye(3)[truth]).softmax(-1) for s in (0.0, 1.0, 2.0)]
    weights = mixture_weights(outputs, truth, torch.ones(300, dtype=torch.float64), np.full(3, 1e-3), 300)
    assert weights.sum() == pytest.approx(1)
    mixed = sum(w * o for w, o in zip(weights, outputs, strict=True))

    def loss(p):
        return float(-p.gather(-1, truth[:, None]).log().mean())

    assert loss(mixed) <= min(map(loss, outputs)) + 1e-3


def test_a_fold_is_never_calibrated_by_itself():
    """Answers of one fold that are all wrong and certain do not change how that fold is calibrated."""
    truth = np.arange(60) % 2
    scores = torch.from_numpy(3.0 * np.eye(2)[truth])
    held = _held(truth, np.arange(60) // 20)
    before = crossed([Answers("a", scores)], held, blend=False).by_fold[0]
    scores = scores.clone()
    scores[:20] = scores[:20].flip(1) * 10
    after = crossed([Answers("a", scores)], held, blend=False).by_fold[0]
    np.testing.assert_array_equal(before[1], after[1])


def test_a_prediction_says_where_the_training_data_apply(trained, scene):
    model, _, _ = trained
    cube, labels, _ = scene
    found = predict(model, cube, applicability=True).applicability
    assert found.shape == (24, 30, 1)
    assert (found.numpy()[labels.data > 0] <= 1.5).all()
    strange = Cube(cube.numpy()[:, ::-1] * 0 + np.linspace(0, 20, 12, dtype=np.float32))
    with pytest.warns(match="intensities"):
        assert (predict(model, strange, applicability=True).applicability.numpy() > 1).all()
    with pytest.raises(ValueError, match="contains no training spectra"):
        predict(replace(model, applicability=None), cube, applicability=True)


# ---------------------------------------------------------------- intervals


@pytest.mark.parametrize("accuracy", [0.6, 0.9])
def test_intervals_hold_the_true_accuracy_about_as_often_as_they_say(accuracy):
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        truth = torch.from_numpy(rng.integers(0, 2, 80))
        right = torch.from_numpy(rng.random(80) < accuracy)
        answer = torch.where(right, truth, 1 - truth)
        found = intervals.of_classes(torch.eye(2)[answer], truth, np.arange(80), ("overall_accuracy",))["overall_accuracy"]
        inside.append(found[0] <= accuracy <= found[1])
    assert np.mean(inside) > 0.8


def test_intervals_of_hundreds_of_classes_take_no_table_of_all_pairs_for_each_unit():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(400), 2)
    predicted = np.where(rng.random(800) < 0.7, truth, rng.integers(0, 400, 800))
    tracemalloc.start()
    found = intervals.of_pairs(truth * 400 + predicted, np.arange(800), 400, ("overall_accuracy",))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50e6, "800 tables of 400 × 400 would take a gigabyte"
    low, high = found["overall_accuracy"]
    assert low < (truth == predicted).mean() < high


def test_no_errors_among_few_units_prove_little():
    truth = torch.arange(40) % 2
    names = ("overall_accuracy", "average_accuracy", "kappa", "f1", "miou", "dice")
    found = intervals.of_classes(torch.eye(2)[truth], truth, np.arange(40) // 10, names)
    assert found.keys() == set(names)
    for low, high in found.values():
        assert high == 1
        assert low < 0.75
    assert intervals.of_classes(torch.eye(2)[truth], truth, np.zeros(40, np.int64), ("overall_accuracy",)) == {}


# ---------------------------------------------------------------- what surrounds it


def test_a_guided_filter_smooths_regions_and_keeps_edges():
    rng = np.random.default_rng(0)
    image = torch.zeros(1, 20, 20, 5)
    image[:, :, 10:] = 1
    image += torch.from_numpy(rng.normal(0, 0.02, image.shape)).float()
    probabilities = torch.zeros(1, 20, 20, 2)
    probabilities[..., 0] = torch.from_numpy(
        np.clip(np.where(np.arange(20) < 10, 0.8, 0.2) + rng.normal(0, 0.2, (1, 20, 20)), 0, 1)
    ).float()
    probabilities[..., 1] = 1 - probabilities[..., 0]
    mean, basis = components(image.flatten(0, 2))
    smooth = guided_filter(probabilities, (image - mean) @ basis, 4)
    torch.testing.assert_close(smooth.sum(-1), torch.ones(1, 20, 20))
    left, right = smooth[0, :, :10, 0], smooth[0, :, 10:, 0]
    assert left.std() < 0.4 * probabilities[0, :, :10, 0].std()
    assert left[:, -1].mean() > 0.7
    assert right[:, 0].mean() < 0.3


def test_pixels_without_data_do_not_change_what_a_filter_or_a_superpixel_makes_of_the_others():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 14, 12, 5), generator=generator) + 0.1
    probabilities = torch.rand((1, 14, 12, 3), generator=generator).softmax(-1)
    mean, basis = components(image.flatten(0, 2))
    larger, more = torch.zeros(1, 30, 25, 5), torch.full((1, 30, 25, 3), 1 / 3)
    place = (0, slice(6, 20), slice(9, 21))
    larger[place], more[place] = image[0], probabilities[0]
    alone = guided_filter(probabilities, (image - mean) @ basis, 3)
    within = guided_filter(more, (larger - mean) @ basis, 3, larger.any(-1))
    torch.testing.assert_close(within[place], alone[0], atol=1e-5, rtol=1e-4)
    assert within.isfinite().all()
    means = superpixel_means(larger)
    assert not means[~larger.any(-1)].any()
    torch.testing.assert_close(means[place].mean((0, 1)), image[0].mean((0, 1)), atol=1e-5, rtol=0)
    for small in (torch.zeros(1, 4, 4, 5), larger[:, 6:8, 9:11], larger[:, 5:7, 8:10]):
        assert superpixel_means(small).isfinite().all()


def test_class_maps_can_be_had_without_smoothing_and_in_tiles(trained, scene):
    model, cube = trained[0] if isinstance(trained, tuple) else trained, scene[0]
    plain, smooth, same = (predict(model, cube, settings={"radius": radius}) for radius in (0, 2, 2))
    parted = predict(model, cube, settings={"radius": 2}, tile=18)
    assert not np.allclose(plain.probabilities.numpy(), smooth.probabilities.numpy())
    np.testing.assert_allclose(parted.probabilities.numpy(), smooth.probabilities.numpy(), atol=1e-4)
    np.testing.assert_array_equal(same.probabilities.numpy(), smooth.probabilities.numpy())
    with pytest.raises(ValueError, match="radius"):
        predict(model, cube, settings={"count": 3})
    with pytest.raises(ValueError, match="radius"):
        predict(model, cube, settings={"radius": -1})


def test_shapes_of_constant_spectra_are_zero_and_others_are_standardised():
    x = torch.tensor([[[[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]]]])
    seen = shapes(x)
    assert not seen[0, 0, 0].any()
    torch.testing.assert_close(seen[0, 0, 1], shapes(100 * x + 0)[0, 0, 1])


def test_superpixels_keep_the_mean_of_the_image():
    x = torch.rand(2, 16, 16, 4)
    torch.testing.assert_close(superpixel_means(x).mean((1, 2)), x.mean((1, 2)), atol=1e-5, rtol=0)


def test_spectra_unlike_those_learnt_from_are_outside():
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy(rng.normal(0, 1, (200, 6))).float()
    applies = Applicability.of(spectra, np.arange(200) % 5)
    again = Applicability.from_tensors(applies.tensors())
    assert (again(spectra) <= 1).all()
    assert (again(spectra[:3] + 30) > 1).all()


class Bare(Race):
    """What comparisons have in common, and no more."""

    def candidates(self): ...
    def started(self, candidates): ...
    def over(self, candidates): ...
    def compared(self, outcome, weight=0.0): ...
    def model(self, outcomes): ...


@pytest.mark.parametrize("asked", ["_stopping", "_pausing"])
@pytest.mark.parametrize("ending", ["resume", "stop"])
def test_a_pause_is_recorded_and_takes_nothing_from_the_time_limit(tmp_path, monkeypatch, asked, ending):
    time = [0.0]

    def sleep(seconds):
        time[0] += 100
        folder.say(ending)

    monkeypatch.setattr("time.monotonic", lambda: time[0])
    monkeypatch.setattr("time.sleep", sleep)
    folder = RunFolder.create(Experiment().override("network=automatic"), tmp_path / "run")
    race = Bare(folder.experiment(), folder)
    folder.say("pause")
    list(race._pausing()) if asked == "_pausing" else race._stopping()
    assert [event.paused for event in folder.events() if isinstance(event, Paused)] == [True, False]
    assert race.clock.now() == race.began
    assert race._stopping() == (ending == "stop")


@pytest.mark.all_candidates
@pytest.mark.parametrize("side", [8, 30, 60])
def test_methods_that_see_most_of_an_image_are_not_validated_on_it(side, tmp_path):
    """All its pixels are labelled, so that the model is for other images, whose layout may be another one."""
    cube = Cube(np.random.default_rng(0).random((side, side, 6), np.float32))
    stripes = np.arange(side)[None].repeat(side, 0) * 3 // side + 1
    found = {}
    for labels in (stripes, np.where(np.arange(side)[:, None] % 2, 0, stripes)):
        experiment = Experiment.default("segmentation", cube, labels)
        race = CrossValidation(experiment, [cube], [Labels(labels)], RunFolder.create(experiment, tmp_path / str(len(found))))
        around = [one for one in race.candidates() if one.uses_neighbours]
        found[bool(labels.all())] = {one.name for one in around}
        if labels.all():
            assert all(4 * one.network.context <= side for one in around)
            assert any("learn its layout, and are left out" in note for note in race.notes) == (side < 60)
    assert found[True] <= found[False]
    assert (found[True] == found[False]) == (side == 60)
