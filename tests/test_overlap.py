"""Scores on spectra that a model has learnt from: recognised by content, counted, and said wherever scores are shown."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_spectrai import Cube, Model, SpectralAxis, compare, evaluate, predict, read, train, write
from napari_spectrai.cli import app
from napari_spectrai.experiment.card import KEY
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.learn.data import fingerprints
from napari_spectrai.learn.data.fingerprints import Fingerprints
from napari_spectrai.reports.evaluation_report import write_page
from napari_spectrai.runs import Evaluation

AXIS = SpectralAxis(np.linspace(600, 1800, 40), "1/cm")


@pytest.fixture
def command(monkeypatch):
    """Run the command line here; signals stay with the tests."""
    monkeypatch.setattr("napari_spectrai.cli.common.signal.signal", lambda *_: None)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def denoiser_settings(folder):
    from napari_spectrai import Experiment

    settings = (
        "training.epochs=1",
        "training.batch=16",
        "network.width=8",
        "split.validation=0.2",
        "split.test=0.1",
        "training.device=cpu",
    )
    return Experiment().override(*settings), folder


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory, make_spectra):
    """A model of 100 of 130 spectra (90 for training and validation, 10 for its test), its file, and all 130 with their truth."""
    experiment, folder = denoiser_settings(tmp_path_factory.mktemp("denoiser"))
    noisy, clean = (Cube(values, AXIS, name=name) for values, name in zip(make_spectra(130, 40), ("cells", "clean"), strict=True))
    model = train(experiment, noisy[:100], clean[:100], run=folder / "run")
    return model, model.save(folder / "model.safetensors"), noisy, clean


# ---------------------------------------------------------------- fingerprints


@pytest.mark.parametrize("seed", range(12))
def test_spectra_are_recognised_by_content_whatever_was_done_to_their_file(seed):
    rng = np.random.default_rng(seed)
    bands = int(rng.integers(9, 300))
    spectra = (rng.random((400, bands)) * 10.0 ** rng.integers(-4, 5)).astype(np.float32)
    learnt, others = spectra[:250], spectra[250:]
    found = Fingerprints.of([learnt[:100], learnt[100:].reshape(15, 10, bands)])
    assert found.is_complete
    assert found.count == 250
    for changed in (
        learnt,
        learnt[rng.permutation(250)][:7],
        learnt.astype(np.float64),
        learnt.reshape(5, 50, bands),
        learnt * np.float32(4),
    ):
        assert found.among(changed)[0].all()
    assert found.among(learnt / np.float32(3e3))[0].mean() > 0.9  # rounding may differ in some
    assert found.among(np.array([[float(f"{v:.6g}") for v in s] for s in learnt]))[0].mean() > 0.6
    for other in (others, learnt[:, ::-1], np.roll(learnt, 1, -1), learnt + 0.05 * spectra.max(), learnt[:, :-1]):
        assert not found.among(other)[0].any()
    mixed = np.concatenate([others, learnt[:33]])
    assert found.among(mixed)[0].sum() == 33
    again = Fingerprints.from_tensors(found.to_tensors())
    np.testing.assert_array_equal(again.hashes, found.hashes)
    assert again.count == 250


def test_spectra_that_say_nothing_are_never_recognised():
    dead, level, missing = np.zeros((50, 40)), np.full((50, 40), 3.0), np.full((50, 40), np.nan)
    counts = np.random.default_rng(0).integers(0, 3, (50, 40)).astype(float)  # as few photons are
    binary = np.random.default_rng(0).integers(0, 256, (50, 3)).astype(float)  # a colour picture
    for spectra in (dead, level, missing, counts, binary):
        found = Fingerprints.of([spectra])
        assert not found
        assert not found.among(spectra)[0].any()
    assert not Fingerprints.of([])
    assert Fingerprints.from_tensors({}).count == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_stands_for_very_many_spectra(monkeypatch, seed):
    monkeypatch.setattr(fingerprints, "MOST", 500)
    spectra = np.random.default_rng(seed).random((9000, 12)).astype(np.float32)
    found = Fingerprints.of([spectra[:6000]])
    assert (len(found.hashes), found.count, found.is_complete) == (500, 6000, False)
    known, possible = found.among(spectra[3000:])
    assert 6000 * known.sum() / possible.sum() == pytest.approx(3000, rel=0.2)
    assert not known[3000:].any()
    both = found | Fingerprints.of([spectra[6000:]])
    known, possible = both.among(spectra)
    assert known.sum() == possible.sum() > 300
    assert both.count == 9000


# ---------------------------------------------------------------- in scores


def test_models_count_what_they_have_learnt_from(denoiser, tmp_path):
    model, path, noisy, clean = denoiser
    assert model.fingerprints.count == 180  # the spectra for training and validation, and their truth; the test's are new to it
    again = Model.load(path)
    for cube, truth, count in (
        (noisy[:100], clean[:100], 90),
        (replace(noisy, name="renamed")[80:], replace(clean, name="")[80:], 10),
        (noisy[100:], clean[100:], 0),  # of the same name
        (read(write(noisy[:30], tmp_path / "a.npz")), read(write(clean[:30], tmp_path / "b.h5")), 30),
        (Cube(noisy[:30].numpy() * 8, AXIS), Cube(clean[:30].numpy() * 8, AXIS), 30),
    ):
        result = predict(again, cube).result
        reports = (
            compare(again, cube, truth),
            evaluate(result, truth, source=cube, model=path),
            evaluate(result, truth, source=cube, model=again),
        )  # fmt: skip
        for report in reports:
            assert (report.learnt_from, report.scored) == (count, cube.count)
            assert bool(count) == ("train or validate" in str(report))
            assert ("All 30 scored spectra" in str(report)) == (count == cube.count)
    # what is new among them has its own score
    table = compare(again, noisy, clean)
    assert table.learnt_from == 90
    errors = np.square(predict(again, noisy).result.numpy() - clean.numpy()).mean(-1)
    new = ~again.fingerprints.among(noisy.numpy())[0]
    assert f"On the 40 spectra that the model has not seen, 'network' has MSE {errors[new].mean():.3g}"[:70] in str(table)


def test_files_of_earlier_versions_load_and_fall_back_to_names(denoiser, tmp_path):
    _, path, noisy, clean = denoiser
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("fingerprints.")}
    assert set(header) == {KEY}
    save_file(tensors, tmp_path / "old.safetensors", metadata=header)
    old = Model.load(tmp_path / "old.safetensors")
    assert not old.fingerprints
    report = compare(old, noisy[100:], clean[100:])
    assert report.learnt_from is None
    assert "does not record which spectra these were" in report.notes[0]
    assert "If they are among those scored" in report.notes[0]
    assert "optimistic" not in str(compare(old, replace(noisy, name="other")[:9], replace(clean, name="another")[:9]))


def test_the_command_line_csv_and_page_say_it(denoiser, tmp_path, command):
    _, path, noisy, clean = denoiser
    result = write(predict(path, noisy).result, tmp_path / "result.zarr")
    source, truth = write(replace(noisy, name="x"), tmp_path / "x.h5"), write(clean, tmp_path / "y.npz")
    done = command(
        "evaluate", result, truth, "--source", source, "--model", path, "--csv", tmp_path / "t.csv", "--html", tmp_path / "p.html"
    )
    assert done.exit_code == 0, done.output
    assert "90 of the 130 scored spectra" in done.output
    assert "90 of the 130 scored spectra" in (tmp_path / "p.html").read_text()
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = {row[0]: row[1:] for row in csv.reader(file) if row}
    assert rows["learnt_from"] == ["90"]
    assert rows["scored"] == ["130"]
    assert rows["mse"] == ["MSE", "intensity²"]
    assert rows["intensities"] == ["as they are"]
    assert "90 of the 130" in rows["note"][0] or "90 of the 130" in (tmp_path / "t.csv").read_text()
    found = evaluate(read(result), clean, source=noisy, model=path)
    assert Evaluation.from_json(found.to_json()).learnt_from == 90
    assert "90 of the 130" in write_page(found, tmp_path / "q.html").read_text()


def test_one_clean_spectrum_of_many_pixels_is_no_evidence(make_spectra, tmp_path):
    experiment, _ = denoiser_settings(tmp_path)
    rng = np.random.default_rng(0)
    clean = make_spectra(3, 40)[1][rng.integers(0, 3, 200)]
    noisy = (clean + rng.normal(0, 0.1, clean.shape)).astype(np.float32)
    model = train(experiment, Cube(noisy[:120], AXIS), Cube(clean[:120], AXIS), run=tmp_path / "run")
    assert compare(model, Cube(noisy[120:], AXIS), Cube(clean[120:], AXIS)).learnt_from == 0


# ---------------------------------------------------------------- classes


@pytest.fixture
def classifier(quick, tmp_path):
    """A classifier of 60 of 90 labelled spectra of three classes, and all of them."""
    rng = np.random.default_rng(0)
    kinds = np.tile([1, 2, 4], 30)
    cube = Cube((rng.normal(0, 0.5, (90, 12)) + np.eye(5, 12)[kinds] * 2).astype(np.float32), name="cells")
    labels = Labels(kinds, {0: "unlabelled", 1: "fat", 2: "water", 4: "bone"})
    experiment = quick("task={kind: classification, unlabelled: 0}", "network={kind: spectral_cnn, width: 8, stages: 1}",
                       "loss=cross_entropy", "preparation=[scale]", "training.epochs=40")  # fmt: skip
    return train(experiment, cube[:60], replace(labels, data=kinds[:60]), run=tmp_path / "run"), cube, labels


def test_classes_count_what_was_learnt_and_have_names(classifier, tmp_path, command):
    model, cube, labels = classifier
    path = model.save(tmp_path / "m.safetensors")
    result = predict(model, cube).labels
    bare = Labels(result.data, {}, name="bare")
    for source, truth, count in ((cube, labels, 60), (cube[60:], replace(labels, data=labels.data[60:]), 0)):
        given = Labels(result.data[90 - source.count :])
        table, found = compare(model, source, truth), evaluate(given, truth, "classification", source=source, model=path)
        for report in (table, found):
            assert (report.learnt_from, report.scored) == (count, source.count)
            assert ("train or validate" in str(report)) == bool(count)
            assert ("that the model has not seen" in str(report)) == bool(count)
            assert "fat" in str(report)
    # names of the model, where neither side has any
    unnamed = replace(labels, names={0: "unlabelled"})
    found = evaluate(bare, unnamed, "classification", source=cube, model=path)
    assert found.classes == ["fat", "water", "bone"]
    files = [write_labels(Labels(one.data), tmp_path / f"{name}.npy") for name, one in (("told", bare), ("known", unnamed))]
    source = write(cube, tmp_path / "cube.npz")
    done = command("evaluate", *files, "--task", "classification", "--source", source, "--model", path, "--csv", tmp_path / "t.csv",
                   "--class-mean", "union")  # fmt: skip
    assert done.exit_code == 0, done.output
    for text in (done.output, (tmp_path / "t.csv").read_text()):
        assert "bone" in text
        assert "60 of the 90 scored spectra" in text
    assert "as in scikit-learn" in done.output
    assert command("evaluate", *files, "--task", "classification", "--class-mean", "all").exit_code == 2


def test_classes_that_a_model_does_not_know_count_as_wrong_everywhere(classifier):
    model, cube, labels = classifier
    other = labels.data.copy()
    other[:9] = 7
    truth = replace(labels, data=other, names={**labels.names, 7: "nerve"})
    table = compare(model, cube, truth)
    alone = evaluate(predict(model, cube).labels, truth, "classification")
    for name in ("overall_accuracy", "average_accuracy", "f1", "miou", "kappa"):
        assert table.metrics[name] == pytest.approx(alone.metrics[name]), name
    assert table.by_class["nerve"]["recall"] == 0
    assert "9 scored pixels are of classes that the model does not know (nerve)" in " ".join(table.notes)


def test_classes_absent_from_the_truth_are_said(classifier):
    model, cube, labels = classifier
    truth = replace(labels, data=np.where(labels.data == 4, 1, labels.data))
    result = predict(model, cube).labels
    assert (result.data == 4).any()
    for rule in ("truth", "union"):
        for report in (compare(model, cube, truth, class_mean=rule), evaluate(result, truth, "classification", class_mean=rule)):
            assert "in classes that the truth does not hold (bone)" in " ".join(report.notes)
            assert report.by_class["bone"]["f1"] == 0
            averaged = [row["f1"] for name, row in report.by_class.items() if rule == "union" or name != "bone"]
            assert report.metrics["f1"] == pytest.approx(np.mean(averaged))


def test_enlarged_images_recognise_the_sharp_ones(tmp_path):
    from napari_spectrai import Experiment

    rng = np.random.default_rng(0)
    sharp, other = (Cube(rng.random((48, 32, 9)).astype(np.float32)) for _ in range(2))
    experiment = Experiment.default("super_resolution", sharp).override(
        "task.factor=2", "data.patch=16", "network.width=8", "network.groups=1", "network.blocks=1", "network.components=4",
        "data.samples=8", "split.validation=0.3", "split.gap=0", "training.epochs=1", "training.batch=4", "training.device=cpu",
    )  # fmt: skip
    model = train(experiment, sharp, run=tmp_path / "run")
    report = compare(model, None, sharp)
    assert 0.6 * sharp.count < report.learnt_from <= sharp.count
    assert compare(model, None, other).learnt_from == 0


def test_what_the_weights_began_with_was_learnt_from_too(denoiser, make_spectra, tmp_path):
    _, path, noisy, clean = denoiser
    experiment, _ = denoiser_settings(tmp_path)
    others = [Cube(values, AXIS) for values in make_spectra(40, 40, seed=5)]
    model = train(experiment.override(f"training.start={path}"), *others, run=tmp_path / "run")
    assert compare(model, noisy[:100], clean[:100]).learnt_from == 90
