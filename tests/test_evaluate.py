"""Judging: figures against numpy, rows against prediction by hand, block by block as at once, and what is written."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_spectrai import Cube, SpectralAxis, as_cube, compare, evaluate, predict, preprocess, read, train, write
from napari_spectrai.cli import app
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.learn.evaluation import streaming
from napari_spectrai.learn.evaluation.streaming import blocks
from napari_spectrai.learn.scoring import metrics, spectrum_sums
from napari_spectrai.reports.evaluation_report import best_words, write_page
from napari_spectrai.reports.svg import rounded
from napari_spectrai.reports.tables import scores_table
from napari_spectrai.runs import Evaluation, Failed, Finished, Progress, prepare_evaluation
from napari_spectrai.runs.options import EvaluateOptions

NAMES = {1: "fat", 2: "water", 3: "bone"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_spectra):
    """A denoiser of 120 spectra with the classical methods tuned beside it, its file, other noisy spectra and their truth."""
    from napari_spectrai import Experiment

    axis = SpectralAxis(np.linspace(600, 1800, 40), "1/cm")
    pairs = [Cube(values, axis, name=name) for values, name in zip(make_spectra(120, 40), ("noisy", "clean"), strict=True)]
    experiment = Experiment().override(
        "training.epochs=2", "training.batch=16", "network.width=16", "split.validation=0.2", "training.device=cpu"
    )
    folder = tmp_path_factory.mktemp("trained")
    model = train(experiment, *pairs, run=folder / "run")
    noisy, clean = (
        Cube(5 * values, axis, name=name) for values, name in zip(make_spectra(30, 40, seed=1), ("other", "truth"), strict=True)
    )
    return model, model.save(folder / "model.safetensors"), noisy, clean


@pytest.fixture
def command(monkeypatch):
    """Run the command line here; signals stay with the tests."""
    monkeypatch.setattr("napari_spectrai.cli.common.signal.signal", lambda *_: None)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def image(image_pairs):
    return image_pairs


@pytest.fixture
def classes():
    """Labels of three classes, some unlabelled, and a result that is wrong in known places."""
    known = np.repeat([1, 2, 3], 6)[None].repeat(12, 0)
    told = known.copy()
    told[3, :4] = 2
    told[5, 7] = 3
    known = known.copy()
    known[0] = 0
    return Labels(told, NAMES, name="told"), Labels(known, NAMES, name="known")


# ---------------------------------------------------------------- cubes


def test_figures_and_maps_of_cubes_against_numpy(image):
    result, truth = image
    found = evaluate({"mine": result}, truth)
    a, b = (cube.numpy().astype(np.float64) for cube in (result, truth))
    figures = found.metrics
    mse = np.mean((a - b) ** 2)
    bands = np.mean((a - b) ** 2, (0, 1))
    cosine = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    assert figures["mse"] == pytest.approx(mse)
    assert figures["mae"] == pytest.approx(np.mean(np.abs(a - b)))
    assert figures["psnr"] == pytest.approx(10 * np.log10((b.max() - b.min()) ** 2 / mse))
    assert figures["sam"] == pytest.approx(np.rad2deg(np.arccos(cosine)).mean())
    assert figures["ergas"] == pytest.approx(100 * np.sqrt(np.mean(bands / b.mean((0, 1)) ** 2)))
    assert figures["ssim"] == pytest.approx(metrics.ssim(result.numpy(), truth.numpy()), abs=1e-6)
    error, angle = (found.maps["mine"][what] for what in ("error", "angle"))
    np.testing.assert_allclose(error.data[..., 0], np.sqrt(((a - b) ** 2).mean(-1)), rtol=1e-5)
    np.testing.assert_allclose(angle.data[..., 0], np.rad2deg(np.arccos(cosine)), rtol=1e-3)
    spots = found.spots_of("mine")
    flat = error.data[..., 0].ravel()
    assert tuple(spots["best"].pixel) == np.unravel_index(flat.argmin(), error.spatial_shape)
    assert tuple(spots["worst"].pixel) == np.unravel_index(flat.argmax(), error.spatial_shape)
    assert spots["median"].error == pytest.approx(np.sort(flat)[(flat.size - 1) // 2])
    np.testing.assert_allclose(spots["worst"].result, result.numpy()[tuple(spots["worst"].pixel)])
    assert evaluate(result, truth).metrics == figures


def test_block_by_block_as_at_once(monkeypatch):
    import dask.array as da

    rng = np.random.default_rng(0)
    truth = (rng.random((2, 150, 90, 5)) + 0.2).astype(np.float32)
    result = truth + rng.normal(0, 0.1, truth.shape).astype(np.float32)
    whole = evaluate({"a": result}, truth, "super_resolution", source=result, normalise="maximum")
    monkeypatch.setattr(streaming, "BLOCK", 64 * 64 * 5)
    monkeypatch.setattr(streaming, "BANDS", 2)
    places = list(blocks(truth.shape))
    assert len(places) == 2 * 3 * 2
    covered = np.zeros(truth.shape[:-1], int)
    for place in places:
        covered[place] += 1
    assert (covered == 1).all()
    lazy = [Cube(da.from_array(values, chunks=(1, 64, 64, 5))) for values in (result, truth)]
    parts = evaluate({"a": lazy[0]}, lazy[1], "super_resolution", source=lazy[0], normalise="maximum")
    for name, value in whole.metrics.items():
        assert parts.metrics[name] == pytest.approx(value, rel=1e-5), name
    assert "ssim" in whole.metrics
    np.testing.assert_allclose(parts.maps["a"]["error"].data, whole.maps["a"]["error"].data, rtol=1e-6)


def test_classical_rows_are_what_predict_gives(trained):
    model, path, noisy, clean = trained
    mine = predict(model, noisy).result
    found = evaluate({"mine": mine}, clean, source=noisy, model=path)
    rows = found.rows
    assert list(rows) == ["mine", "Savitzky–Golay", "Whittaker", "wavelet", "PCA", "ridge", "raw"]
    assert [found.roles[name] for name in ("mine", "ridge", "raw")] == ["result", "classical", "raw"]
    assert rows["mine"] == evaluate(mine, clean).metrics
    assert rows["raw"] == evaluate(noisy, clean).metrics
    # by hand: prepared, mapped, brought back to the intensities of the source
    prepared, _, removed = model.preparation.apply(noisy.numpy(), noisy.axis)
    assert removed
    with torch.no_grad():
        mapped = model.classical["ridge"](torch.from_numpy(prepared)[:, None, None])[:, 0, 0].numpy()
    restored = model.preparation.restore(mapped, removed)
    assert rows["ridge"]["mse"] == pytest.approx(float(np.mean((restored - clean.numpy()) ** 2)), rel=1e-5)


@pytest.mark.parametrize("normalise", [None, "maximum", "snv"])
def test_compare_and_evaluate_return_equal_scores(trained, normalise):
    model, _, noisy, clean = trained
    mine = predict(model, noisy).result
    found = evaluate({"network": mine}, clean, source=noisy, model=model, normalise=normalise)
    table = compare(model, noisy, clean, normalise=normalise)
    assert set(table.rows) == set(found.rows)
    for name, scores in found.rows.items():
        assert table.rows[name] == pytest.approx(scores, rel=1e-5), name
    alone = evaluate(mine, clean, source=noisy, normalise=normalise)
    assert alone.metrics == pytest.approx(table.metrics, rel=1e-5)
    assert found.intensities == table.intensities == alone.intensities
    if normalise is None:
        assert alone.metrics == evaluate(mine, clean).metrics
        assert table.metrics["mse"] == pytest.approx(np.mean((mine.numpy() - clean.numpy()) ** 2), rel=1e-5)
    unit = "intensity²" if normalise is None else "normalised intensity²"
    for one in (found, table, alone):
        assert f"MSE in {unit}" in str(one)
        assert ("as they are (not normalised)" in str(one)) == (normalise is None)


def test_compare_prepares_the_truth_as_results_stay_prepared(make_spectra, quick, tmp_path):
    axis = SpectralAxis(np.linspace(600, 1800, 40), "1/cm")
    noisy, clean = (Cube(values, axis) for values in make_spectra(120, 40))
    steps = [{"kind": "crop", "low": 700, "high": 1700}, {"kind": "savitzky_golay", "window": 5, "order": 2}]
    model = train(quick(f"preparation={json.dumps([*steps, 'normalise'])}"), noisy, clean, run=tmp_path / "run")
    table = compare(model, noisy, clean)
    mine, prepared = predict(model, noisy).result, preprocess(clean, steps)
    assert table.metrics == pytest.approx(evaluate(mine, prepared).metrics, rel=1e-4, abs=1e-6)
    assert table.rows["raw"]["mse"] == pytest.approx(evaluate(preprocess(noisy, steps), prepared).metrics["mse"], rel=1e-4)
    assert "prepared as the model prepares its input (Crop" in " ".join(table.notes)
    with pytest.raises(ValueError, match="must show the same pixels and bands"):
        evaluate(mine, clean, source=noisy, model=model)
    said = evaluate(mine, prepared, source=noisy, model=model)
    assert "apply the same steps to the truth" in " ".join(said.notes)


def test_brightness_is_noted(trained):
    _, _, _, clean = trained
    dim = evaluate({"mine": clean.with_data(clean.data / 2)}, clean)
    assert "2 times as bright" in dim.notes[0]
    assert dim.metrics["sam"] == pytest.approx(0, abs=0.05)
    same = evaluate({"mine": clean}, clean)
    assert math.isinf(same.metrics["psnr"])
    assert Evaluation.from_json(same.to_json()).rows == same.rows


def test_a_coarser_source_scales_what_was_made_of_it():
    rng = np.random.default_rng(0)
    coarse = (rng.random((6, 5, 4)) + 0.5).astype(np.float32)
    fine = coarse.repeat(2, 0).repeat(2, 1)
    truth = fine * rng.uniform(1, 3, fine.shape[:2])[..., None].astype(np.float32)
    found = evaluate({"large": fine}, truth, "super_resolution", source=coarse, normalise="vector")
    assert found.metrics["mse"] == pytest.approx(0, abs=1e-12)
    assert found.roles == {"large": "result"}
    assert "other pixels or bands" in found.notes[0]
    spot = found.spots_of("large")["worst"]
    np.testing.assert_allclose(spot.source, spot.result, rtol=1e-5)


def test_best_and_worst_spectra_exist_in_the_smallest_cubes_and_have_a_truth():
    one = evaluate({"a": np.ones((1, 3), np.float32)}, np.full((1, 3), 2, np.float32))
    assert [spot.pixel for spot in one.spots] == [[0], [0], [0]]
    assert one.metrics["mse"] == 1
    band = evaluate({"a": np.zeros((4, 4, 1), np.float32)}, np.zeros((4, 4, 1), np.float32))
    assert np.isnan(band.maps["a"]["angle"].data).all()
    assert math.isnan(band.metrics["sam"])
    # a spectrum without any truth is neither the best nor the worst
    truth = np.ones((5, 3), np.float32)
    truth[2] = 0
    result = truth + np.arange(5, dtype=np.float32)[:, None]
    result[2] = 0
    spots = evaluate({"a": result}, truth).spots_of("a")
    assert [spots[which].pixel for which in ("best", "median", "worst")] == [[0], [1], [4]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"results": {}}, "no result to evaluate"),
        ({"truth": np.ones((3, 4), np.float32)}, "must show the same pixels"),
        ({"truth": np.full((5, 4), np.nan, np.float32)}, "5 of 5 spectra hold no data"),
        ({"model": "m.safetensors"}, r"give the source \(source=\)"),
        ({"task": "cooking"}, "no task 'cooking'"),
        ({"normalise": "brightness"}, "maximum"),
    ],
)
def test_results_without_comparable_truth_are_refused_with_a_reason(change, words):
    given = {"results": {"a": np.ones((5, 4), np.float32)}, "truth": np.ones((5, 4), np.float32), "task": "denoising"} | change
    with pytest.raises(ValueError, match=words):
        evaluate(given.pop("results"), given.pop("truth"), given.pop("task"), **given)


# ---------------------------------------------------------------- classes


def test_confusions_and_scores_of_classes_are_those_counted_by_numpy(classes):
    told, known = classes
    found = evaluate({"mine": told}, known, "segmentation")
    where = known.data > 0
    counted = [[int(((known.data == i) & (told.data == j) & where).sum()) for j in NAMES] for i in NAMES]
    assert found.confusions["mine"] == counted
    assert found.classes == list(NAMES.values())
    assert found.metrics["overall_accuracy"] == pytest.approx((known.data == told.data)[where].mean())
    assert found.by_class["water"]["precision"] == pytest.approx(counted[1][1] / sum(row[1] for row in counted))
    np.testing.assert_array_equal(found.pixels("fat", "water"), [[3, 0], [3, 1], [3, 2], [3, 3]])
    np.testing.assert_array_equal(found.pixels("water", "bone"), [[5, 7]])
    assert len(found.pixels("bone", "fat")) == 0
    wrong = found.maps["mine"]["wrong"].data
    assert (wrong[0] == 0).all()
    np.testing.assert_array_equal(wrong[1:] == 2, told.data[1:] != known.data[1:])
    assert evaluate(told, known, "segmentation").confusion == counted


def test_clusters_are_matched_to_classes(classes):
    _, known = classes
    clusters = Labels(np.where(known.data == 3, 1, 5 + known.data), {1: "cluster 1", 6: "cluster 6", 7: "cluster 7"}, name="k")
    apart = evaluate({"k": clusters}, known, "segmentation")
    assert apart.metrics["overall_accuracy"] == 0
    assert "1: cluster 1 there, fat here" in apart.notes[0]
    found = evaluate({"k": clusters}, known, "segmentation", match=True)
    assert found.metrics["overall_accuracy"] == 1
    assert "bone (cluster 1)" in found.notes[0]
    assert found.classes == list(NAMES.values())


def test_classical_classifiers_are_rows_of_the_evaluation(quick):
    rng = np.random.default_rng(0)
    kinds = np.repeat([1, 2], 40)
    cube = Cube((rng.normal(0, 0.4, (80, 10)) + np.eye(3, 10)[kinds] * 2).astype(np.float32), name="cells")
    known = Labels(kinds, {0: "unlabelled", 1: "a", 2: "b"})
    experiment = quick("task={kind: classification, unlabelled: 0}", "network={kind: spectral_cnn, width: 8, stages: 1}",
                       "loss=cross_entropy",
                       "preparation=[scale]", "training.epochs=1")  # fmt: skip
    model = train(experiment, cube, known)
    found = evaluate({"network": predict(model, cube).labels}, known, "classification", source=cube, model=model)
    beside = compare(model, cube, known)
    rows = found.rows
    assert set(rows) == set(beside.rows)
    for name, figures in beside.rows.items():
        assert rows[name]["overall_accuracy"] == pytest.approx(figures["overall_accuracy"]), name
    with pytest.raises(ValueError, match="choose a model of that kind"):
        evaluate({"a": cube}, cube, "denoising", source=cube, model=model)


def test_labels_that_cannot_be_scored_are_refused(classes):
    told, known = classes
    with pytest.raises(ValueError, match="labels no pixel"):
        evaluate({"a": told}, np.zeros((12, 18), int), "segmentation")
    with pytest.raises(ValueError, match="same pixels"):
        evaluate({"a": told}, known.data[:5], "segmentation")


# ---------------------------------------------------------------- files and the command line


def test_an_evaluation_is_saved_and_loaded_completely(trained, classes, tmp_path):
    _, _, noisy, clean = trained
    sized = dataclasses.replace(Cube(clean.data.reshape(5, 6, 40), clean.axis), pixel_size=(2.0, 3.0), pixel_unit="um")
    found = evaluate({"a/b · c": sized.with_data(sized.data * 1.1), "d": sized}, sized)
    again = Evaluation.load(found.save(tmp_path / "one"))
    assert again.to_json() == found.to_json()
    assert again.maps["a/b · c"]["error"].pixel_size == (2.0, 3.0)
    np.testing.assert_array_equal(again.maps["d"]["error"].data, 0)
    told, known = classes
    found = evaluate({"mine": told}, known, "segmentation")
    again = Evaluation.load(found.save(tmp_path / "two"))
    np.testing.assert_array_equal(again.pixels("fat", "water"), found.pixels("fat", "water"))
    with pytest.raises(FileNotFoundError, match=r"judgement\.json"):
        Evaluation.load(tmp_path)


def test_the_command_line_evaluates_as_python_does(trained, tmp_path, command):
    model, path, noisy, clean = trained
    mine = predict(model, noisy).result
    files = {name: str(write(cube, tmp_path / f"{name}.zarr")) for name, cube in (("noisy", noisy), ("clean", clean), ("mine", mine))}
    write(clean, tmp_path / "a=b.zarr")
    arguments = ["evaluate", files["mine"], files["clean"], "--name", "<mine>", "--source", files["noisy"], "--model", str(path),
               "--normalise", "maximum", "--maps", str(tmp_path / "maps"), "--html", str(tmp_path / "page.html"),
               "--csv", str(tmp_path / "t.csv"), f"--also=x=y={tmp_path / 'a=b.zarr'}"]  # fmt: skip
    done = command(*arguments)
    assert done.exit_code == 0, done.output
    found = evaluate({"<mine>": mine, "x=y": clean}, clean, source=noisy, model=model, normalise="maximum")
    lines = [line.split(",") for line in (tmp_path / "t.csv").read_text().splitlines()]
    assert lines[0] == ["method", *found.columns]
    assert [line[0] for line in lines[1 : 1 + len(found.rows)]] == list(found.rows)
    assert ["mse", "MSE", "normalised intensity²"] in lines
    assert ["intensities", '"each spectrum divided by its maximum', " results by their source's\""] in lines
    assert "MSE in normalised intensity²" in done.output
    assert float(lines[1][1]) == pytest.approx(found.metrics["mse"], rel=1e-5)
    assert sorted(one.name for one in (tmp_path / "maps").iterdir()) == [
        "angle-1-mine.zarr", "angle-2-x-y.zarr", "error-1-mine.zarr", "error-2-x-y.zarr",
    ]  # fmt: skip
    np.testing.assert_allclose(read(tmp_path / "maps" / "error-1-mine.zarr").numpy(), found.maps["<mine>"]["error"].data, rtol=1e-5)
    page = (tmp_path / "page.html").read_text()
    assert "&lt;mine&gt;" in page
    assert "<mine>" not in page
    assert "http" not in page  # it stands by itself
    for wrong in (["--also", "nothing"], ["--normalise", "no"], ["--also", f"result={files['mine']}"], ["--csv", files["clean"]]):
        assert command("evaluate", files["mine"], files["clean"], *wrong).exit_code == 2, wrong
    # a model is applied to the source, and its task is that of the evaluation
    done = command("evaluate", path, files["clean"], "--source", files["noisy"], "--csv", tmp_path / "model.csv")
    assert done.exit_code == 0, done.output
    rows = dict(line.split(",")[:2] for line in (tmp_path / "model.csv").read_text().splitlines() if "," in line)
    assert float(rows["network"]) == pytest.approx(evaluate(model, clean, source=noisy).metrics["mse"], rel=1e-5)
    assert "name what it is applied to with --source" in command("evaluate", path, files["clean"]).output
    numbers = str(write_labels(Labels(np.arange(30).reshape(5, 6) % 3), tmp_path / "numbers.tif"))
    assert "give --task segmentation" in " ".join(command("evaluate", numbers, numbers, "--also", f"same={numbers}").output.split())


def test_pages_show_maps_and_classes(classes, image, tmp_path):
    told, known = classes
    page = write_page(evaluate({"mine": told, "k": known}, known, "segmentation"), tmp_path / "classes.html").read_text()
    assert page.count("Wrong pixels") == 4  # a title and words for whoever cannot see it, of two results
    assert "data:image/png" in page
    assert "predicted →" in page
    page = write_page(evaluate({"mine": image[0]}, image[1], source=image[0]), tmp_path / "cube.html").read_text()
    assert page.count("data:image/png") == 2
    assert "The worst spectrum: pixel (y " in page


def test_an_evaluation_job_reports_progress_and_saves_its_result(classes, tmp_path, command):
    told, known = classes
    job = prepare_evaluation(
        {"mine = 1": told, "k": known}, known, "segmentation", options=EvaluateOptions(match=True), folder=tmp_path / "job"
    )
    assert command(*job.arguments).exit_code == 0
    events = list(job.folder.events())
    assert isinstance(events[-1], Finished), events
    assert any(isinstance(event, Progress) for event in events)
    found = Evaluation.load(tmp_path / "job" / "judgement")
    assert found.results == ["mine = 1", "k"]
    assert len(found.pixels("fat", "water")) == 4
    assert json.loads((tmp_path / "job" / "judgement" / "judgement.json").read_text())["task"] == "segmentation"
    told.data[:, :3] = 9  # the job has its own
    failing = prepare_evaluation({"a": told}, np.zeros((12, 18), int), "segmentation", folder=tmp_path / "other")
    assert command(*failing.arguments).exit_code == 1
    (failed,) = failing.folder.events()
    assert isinstance(failed, Failed)
    assert "labels no pixel" in failed.message


def test_labels_on_the_command_line(classes, tmp_path, command):
    told, known = classes
    files = [str(write_labels(labels, tmp_path / f"{labels.name}.zarr")) for labels in (told, known)]
    done = command("evaluate", *files, "--task", "segmentation", "--match", "--maps", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    assert "each cluster was taken for" in done.output
    wrong = read_labels(tmp_path / "maps" / "wrong.zarr")
    assert wrong.names == {1: "right", 2: "wrong"}
    assert int((wrong.data == 2).sum()) == 5


def test_figures_as_they_are_read():
    assert [rounded(value) for value in (0.00074612, 30.149, 34297.2, 2.5e-7, 0, 1.0, math.nan, -3.14159)] == [
        "0.000746", "30.1", "34,300", "2.50·10⁻⁷", "0", "1.00", "—", "−3.14",
    ]  # fmt: skip
    assert rounded(34297, whole=True) == "34,297"


def test_a_layer_is_evaluated_as_the_cube_that_it_shows(image):
    from types import SimpleNamespace

    result, truth = image
    layer = SimpleNamespace(
        data=np.moveaxis(result.data, -1, 0), metadata={"spectral_axis": result.axis.to_json() | {"position": 0}}, name="layer"
    )
    assert evaluate(layer, truth).metrics == evaluate(as_cube(layer), truth).metrics


def test_outputs_and_labels_are_called_what_they_are(classes, tmp_path, command):
    told, known = classes
    files = [str(write_labels(labels, tmp_path / f"{labels.name}.npz")) for labels in (told, known)]
    done = command("evaluate", *files, "--task", "segmentation", "--html", tmp_path / "page.csv")
    assert done.exit_code == 2
    assert not (tmp_path / "page.csv").exists()
    cube = write(Cube(np.ones((3, 4, 5), np.float32)), tmp_path / "cube.npz")
    done = command("predict", "savitzky_golay", cube, "-o", tmp_path / "out.png")
    assert done.exit_code == 2
    assert "reader" not in done.output
    assert "Labels(" in command("info", files[0]).output


def test_layers_are_written_prepared_alone_and_read_at_full_resolution(tmp_path):
    data = np.random.default_rng(0).random((3, 4, 5))
    layer = SimpleNamespace(data=data, metadata={}, name="cells", axis_labels=("band", "y", "x"))
    np.testing.assert_array_equal(read(write(layer, tmp_path / "cells.npz")).data, np.moveaxis(data, 0, -1))
    for step in ("normalise", {"kind": "normalise"}):
        np.testing.assert_array_equal(preprocess(layer, step).data, preprocess(layer, [step]).data)
    fine = np.arange(24).reshape(4, 6) % 3
    pyramid = SimpleNamespace(data=[fine, fine[::2, ::2]], metadata={}, multiscale=True)
    assert evaluate(pyramid, fine, "segmentation").metrics["overall_accuracy"] == 1


def test_results_with_other_class_numbers_than_the_truth_are_reported():
    truth = np.array([[1, 2, 2], [1, 1, 2]])
    judged = evaluate({"clusters": truth + 6}, truth, "segmentation")
    assert judged.metrics["overall_accuracy"] == 0
    assert "if they are clusters, match them" in "".join(judged.notes)
    assert evaluate({"clusters": truth + 6}, truth, "segmentation", match=True).metrics["overall_accuracy"] == 1


# ---------------------------------------------------------------- how sure scores are


def test_every_score_of_cubes_has_an_interval_that_holds_it(make_spectra, tmp_path):
    result, truth = (Cube(values.reshape(50, 40, 12), np.linspace(400, 700, 12)) for values in make_spectra(2000, 12))
    found = evaluate(result, truth, source=result)
    for row, ends in found.intervals.items():
        assert set(ends) == set(found.rows[row])
        for name, (low, high) in ends.items():
            assert low <= found.rows[row][name] <= high
            assert low < high
    assert Evaluation.from_json(found.to_json()).intervals == found.intervals
    assert "90 % interval" in str(found)
    assert "90 % interval" in found.to_csv(tmp_path / "scores.csv").read_text()
    assert 'title="90 % interval"' in write_page(found, tmp_path / "page.html").read_text()


def test_the_better_of_two_results_that_these_pixels_cannot_distinguish_is_not_called_best():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 40, 6), np.float32)
    noisy = [Cube((truth + rng.normal(0, 0.1, truth.shape)).astype(np.float32)) for _ in range(2)]
    worse = Cube((truth + rng.normal(0, 0.3, truth.shape)).astype(np.float32))
    close = evaluate({"one": noisy[0], "other": noisy[1]}, Cube(truth))
    assert "do not distinguish them" in best_words(close)
    clear = evaluate({"one": noisy[0], "worse": worse}, Cube(truth))
    assert " is best: " in best_words(clear)
    without = best_words(dataclasses.replace(clear, intervals={}))
    assert " is best" not in without
    assert "no interval" in without


@pytest.mark.parametrize(("ends", "best"), [
    ({"one": (0.9, 1.1), "other": (1.9, 2.1)}, "one"),
    ({"one": (0.9, 1.1)}, "one"),
    ({"one": (0.9, 1.95), "other": (1.9, 2.1)}, None),
    ({"one": (0.9, 2.0)}, None),
    ({"other": (0.9, 2.1)}, None),
    ({}, None),
])  # fmt: skip
def test_one_rule_says_what_is_best_in_tables_and_sentences(ends, best):
    scores = {"one": 1.0, "other": 2.0, "unknown": math.nan}
    assert METRICS["mse"].clearly_best(scores, ends) == best
    found = evaluate(Cube(np.ones((4, 4, 3), np.float32)), Cube(np.zeros((4, 4, 3), np.float32)))
    found = dataclasses.replace(
        found, rows={name: {"mse": value} for name, value in scores.items()}, roles=dict.fromkeys(scores, "result"),
        intervals={name: {"mse": list(one)} for name, one in ends.items()},
    )  # fmt: skip
    table = str(scores_table(found.rows, "", found.intervals))
    assert (table.count('class="best"') == 1) == (best is not None) == ("one is best" in best_words(found))


def test_the_best_of_a_column_is_the_largest_where_larger_is_better():
    scores, ends = {"one": 1.0, "other": 2.0}, {"one": (0.9, 1.1), "other": (1.9, 2.1)}
    assert METRICS["psnr"].clearly_best(scores, ends) == "other"


@pytest.mark.parametrize("shape", [(2, 30, 40, 6), (900, 6), (1, 600, 6)])
def test_intervals_do_not_depend_on_the_number_of_blocks_or_on_units_that_are_put_together(shape, monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.random(shape, np.float32) + 1
    result = truth + rng.normal(0, 0.1, shape).astype(np.float32)
    whole = evaluate(Cube(result), Cube(truth))
    monkeypatch.setattr(streaming, "BLOCK", 1)  # of 64 × 64 pixels at least: one block a plane, or several
    monkeypatch.setattr(spectrum_sums, "MOST", 20)
    monkeypatch.setattr(spectrum_sums, "_VALUES", 0)
    fewer = evaluate(Cube(result), Cube(truth))
    assert fewer.metrics == pytest.approx(whole.metrics)
    assert set(fewer.intervals["result"]) == set(whole.intervals["result"]) == set(whole.metrics)
    for name, (low, high) in whole.intervals["result"].items():
        below, above = fewer.intervals["result"][name]
        assert below <= fewer.metrics[name] <= above
        assert 0.5 < (above - below) / (high - low) < 2


def test_scores_of_a_union_of_classes_lie_within_their_intervals():
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 4, (40, 40))
    predicted = np.where(rng.random(truth.shape) < 0.9, truth, 7)  # 7 is not in the truth
    found = evaluate(Labels(predicted), Labels(truth), class_mean="union")
    for name, (low, high) in found.intervals["result"].items():
        assert low <= found.metrics[name] <= high


@pytest.mark.parametrize("shape", [(36, 30), (200,), (1, 60), (3, 12, 12)])
def test_scores_of_classes_have_intervals(shape):
    rng = np.random.default_rng(1)
    truth = rng.integers(1, 4, shape)
    predicted = np.where(rng.random(shape) < 0.8, truth, 1)
    found = evaluate(Labels(predicted), Labels(truth))
    low, high = found.intervals["result"]["overall_accuracy"]
    assert 0 < low < found.metrics["overall_accuracy"] < high < 1


def test_a_result_of_two_spectra_has_no_interval():
    found = evaluate(Cube(np.ones((2, 5), np.float32)), Cube(np.eye(2, 5, dtype=np.float32)))
    assert not any(found.intervals.values())
