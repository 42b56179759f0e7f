"""Training in this process: events, files, resume, bad ends."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, compare, evaluate, fit, predict, read, train
from napari_spectrai.cli import app
from napari_spectrai.experiment.card import read_card
from napari_spectrai.preparation.axis import Resample
from napari_spectrai.runs import Epoch, Failed, Finished, Paused, Preview, RunFolder, Saved, Stage, Started, Step
from napari_spectrai.runs.options import PredictOptions


def drain(events, until=None):
    """Return the events and the model; stop after the first event for which `until` holds."""
    found = []
    while True:
        try:
            found.append(next(events))
        except StopIteration as end:
            return found, end.value
        if until is not None and until(found[-1]):
            events.close()
            return found, None


def kinds(events):
    return [type(event).__name__ for event in events]


def test_events_in_order_and_files_before_their_events(pairs, quick, tmp_path):
    seen = []
    events = fit(quick(), *pairs, run=tmp_path / "run")
    for event in events:
        if isinstance(event, Epoch) and event.epoch == 1:
            assert (tmp_path / "run" / "best.safetensors").exists()
            assert (tmp_path / "run" / "last.safetensors").exists()
            assert (tmp_path / "run" / "checkpoint" / "state.pt").exists()
        if isinstance(event, Saved):
            Model.load(event.path)
        seen.append(event)
    started = next(event for event in seen if not isinstance(event, Stage))
    assert isinstance(started, Started)
    assert started.baselines.keys() == {"raw", "Savitzky–Golay", "Whittaker", "wavelet", "PCA", "ridge"}
    assert [e.epoch for e in seen if isinstance(e, Epoch)] == [1, 2, 3, 4]
    assert any(isinstance(e, Preview) and len(e.input) == 40 for e in seen)
    assert seen[-1].reason == "done"
    folder = RunFolder(tmp_path / "run")
    assert list(folder.events()) == seen
    assert folder.state() == "finished"
    assert set(json.loads((tmp_path / "run" / "environment.json").read_text())["versions"]) == {"napari-spectrai", "torch", "numpy"}
    assert not list((tmp_path / "run").glob("**/*.partial*"))


def test_it_learns_and_the_same_seed_gives_the_same(pairs, quick, tmp_path):
    experiment = quick("training.epochs=20", "augmentation=[noise]", "augmentation.0.sigma=0.05")
    first, second = (drain(fit(experiment, *pairs, run=tmp_path / name))[0][-1] for name in "ab")
    assert first.scores == second.scores
    validation = first.scores["validation"]
    assert validation["network"]["mse"] < validation["raw"]["mse"] / 2
    other = drain(fit(experiment.override("training.seed=5"), *pairs, run=tmp_path / "c"))[0][-1]
    assert other.scores != first.scores


@pytest.mark.parametrize(
    "network", [("network.dropout=0.2",), ("network=unet", "network.width=4", "network.depth=2", "network.dropout=0.3")]
)
@pytest.mark.parametrize("schedule", ["one_cycle", "plateau"])
def test_a_resumed_training_ends_as_an_uninterrupted_one(pairs, quick, tmp_path, network, schedule, monkeypatch):
    monkeypatch.setattr("napari_spectrai.learn.train.trainer.SAVE_SECONDS", 0.0)
    experiment = quick(
        *network, "augmentation=[noise, mixup]", f"training.schedule={schedule}", "training.epochs=6", "training.precision=fp32"
    )
    whole, _ = drain(fit(experiment, *pairs, run=tmp_path / "whole"))
    drain(fit(experiment, *pairs, run=tmp_path / "cut"), until=lambda e: isinstance(e, Epoch) and e.epoch == 3)
    assert RunFolder(tmp_path / "cut").state() == "interrupted"
    resumed, model = drain(fit(None, *pairs, run=tmp_path / "cut", resume=True))
    assert next(one for one in resumed if isinstance(one, Started)).resumed_after == 3
    curve = [(e.epoch, e.validation) for e in RunFolder(tmp_path / "cut").events() if isinstance(e, Epoch)]
    assert curve == [(e.epoch, e.validation) for e in whole if isinstance(e, Epoch)]
    assert resumed[-1].scores == whole[-1].scores
    assert model.card().scores == whole[-1].scores


def test_stop_in_mid_epoch_and_resume_exactly(pairs, quick, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spectrai.learn.train.trainer.STEP_SECONDS", 0.0)
    experiment = quick("augmentation=[noise]")
    whole, _ = drain(fit(experiment, *pairs, run=tmp_path / "whole"))
    folder = RunFolder(tmp_path / "cut")
    events = fit(experiment, *pairs, run=folder.path)
    found = []
    for event in events:
        found.append(event)
        if isinstance(event, Step) and (event.epoch, event.step) == (2, 3):
            folder.say("stop")
    assert found[-1].reason == "stopped"
    assert folder.state() == "stopped"
    resumed, _ = drain(fit(None, *pairs, run=folder.path, resume=True))
    assert resumed[-1].reason == "done"
    curve = [(e.epoch, e.training, e.validation) for e in folder.events() if isinstance(e, Epoch)]
    assert curve == [(e.epoch, e.training, e.validation) for e in whole if isinstance(e, Epoch)]


def test_pause_holds_and_goes_on(pairs, quick, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spectrai.learn.train.trainer.STEP_SECONDS", 0.0)
    folder = RunFolder(tmp_path / "run")
    seen = []
    for event in fit(quick(), *pairs, run=folder.path):
        seen.append(event)
        if isinstance(event, Step) and event.epoch == 1 and event.step == 2:
            folder.say("pause")
        if isinstance(event, Paused) and event.paused:
            assert folder.best.exists() or folder.last.exists()
            folder.say("resume")
    assert [e.paused for e in seen if isinstance(e, Paused)] == [True, False]
    assert seen[-1].reason == "done"


def test_a_training_stops_when_validation_no_longer_improves(pairs, quick, tmp_path):
    events, model = drain(fit(quick("training.epochs=500", "training.patience=3", "training.optimiser.lr=1"), *pairs, run=tmp_path / "run"))
    assert events[-1].reason == "early"
    assert events[-1].epoch == events[-1].best_epoch + 3
    assert model is not None


def test_a_diverging_loss_is_a_failure_in_words(pairs, quick, tmp_path):
    experiment = quick(
        "training.optimiser=sgd", "training.optimiser.lr=10", "training.clip=0", "training.epochs=50", "training.schedule=constant"
    )
    events = fit(experiment, *pairs, run=tmp_path / "run")
    seen = []
    with pytest.raises(FloatingPointError, match=r"lower training\.optimiser\.lr \(10\)"):
        for event in events:
            seen.append(event)  # noqa: PERF402
    assert isinstance(seen[-1], Failed)
    assert RunFolder(tmp_path / "run").state() == "failed"


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("network", ["unet", "resunet"])
def test_networks_over_bands_image_or_both_keep_shape_and_axis(image_pairs, quick, tmp_path, network, dims):
    experiment = quick(
        f"network={network}", f"network.dims={dims}", "network.width=4", "network.depth=1", "data.patch=6", "split.gap=0",
        "training.epochs=2", "preparation=[scale]",
    )  # fmt: skip
    model = train(experiment, *image_pairs, run=tmp_path / "run")
    result = predict(model, image_pairs[0]).result
    assert result.shape == image_pairs[0].shape
    assert result.axis == image_pairs[0].axis


def test_several_cubes_are_split_by_file(image_pairs, quick, tmp_path):
    noisy, clean = image_pairs
    noisy_ones, clean_ones = ([cube.with_data(cube.data + 0) for _ in range(3)] for cube in (noisy, clean))
    events, _ = drain(fit(quick(), noisy_ones, clean_ones, run=tmp_path / "run"))
    assert (
        next(one for one in events if isinstance(one, Started)).training,
        next(one for one in events if isinstance(one, Started)).validation,
    ) == (960, 480)


def test_files_named_in_the_experiment(pairs, quick, tmp_path):
    from napari_spectrai import write

    write(pairs[0], tmp_path / "in.h5"), write(pairs[1], tmp_path / "out.npz")
    experiment = quick(f"data.input=[{tmp_path}/in.h5]", f"data.truth=[{tmp_path}/out.npz]")
    assert train(experiment, run=tmp_path / "run").axis == pairs[0].axis


def test_a_folder_with_a_run_is_not_overwritten(pairs, quick, tmp_path):
    train(quick("training.epochs=1"), *pairs, run=tmp_path / "run")
    before = (tmp_path / "run" / "events.jsonl").read_text()
    with pytest.raises(FileExistsError, match=r"already contains a run, which has finished; choose another folder") as refused:
        train(quick(), *pairs, run=tmp_path / "run")
    assert (tmp_path / "run" / "events.jsonl").read_text() == before
    remedy = re.search(r"set (training.start=\S+) to", str(refused.value))
    assert remedy is not None
    assert train(quick("training.epochs=1", remedy[1]), *pairs, run=tmp_path / "other").axis == pairs[0].axis


@pytest.mark.parametrize("how", ["python", "command"])
def test_a_folder_in_which_nothing_was_learnt_is_used_again(how, pairs, quick, tmp_path):
    from napari_spectrai import write

    write(pairs[0], tmp_path / "in.npz"), write(pairs[1], tmp_path / "out.npz")
    files = (f"data.input=[{tmp_path}/in.npz]", f"data.truth=[{tmp_path}/out.npz]", "training.epochs=1")
    wrong, right = quick(*files, "preparation=[{kind: remove_bands, bands: [9999]}]"), quick(*files)
    run = tmp_path / "run"
    if how == "python":
        with pytest.raises(ValueError, match="9999"):
            train(wrong, run=run)
        train(right, run=run)
    else:
        wrong.save(tmp_path / "e.yml")
        assert CliRunner().invoke(app, ["train", str(tmp_path / "e.yml"), "--run", str(run)]).exit_code == 1
        again = CliRunner().invoke(app, ["train", str(run), "preparation=[]"])
        assert again.exit_code == 0, again.output
    folder = RunFolder(run)
    assert folder.state() == "finished"
    assert not any(isinstance(event, Failed) for event in folder.events())


def test_a_run_folder_that_cannot_be_written(pairs, quick, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="choose a folder that can be written"):
        train(quick(), *pairs, run=tmp_path / "file" / "run")


def test_a_full_disk_during_training_keeps_what_was_saved(pairs, quick, tmp_path, monkeypatch):
    from napari_spectrai.learn.train import checkpoint

    monkeypatch.setattr("napari_spectrai.learn.train.trainer.SAVE_SECONDS", 0.0)
    events = fit(quick(), *pairs, run=tmp_path / "run")
    for event in events:
        if isinstance(event, Epoch) and event.epoch == 2:
            break

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            drain(events)
    Model.load(tmp_path / "run" / "best.safetensors")
    resumed, _ = drain(fit(None, *pairs, run=tmp_path / "run", resume=True))
    assert resumed[-1].reason == "done"


def test_a_finished_run_is_not_resumed(pairs, quick, tmp_path):
    drain(fit(quick("training.epochs=1"), *pairs, run=tmp_path / "run"))
    with pytest.raises(ValueError, match="has finished; its model is"):
        next(fit(None, *pairs, run=tmp_path / "run", resume=True))
    assert RunFolder(tmp_path / "run").state() == "finished"


def test_an_interrupted_script_has_saved(pairs, quick, tmp_path, monkeypatch):
    from napari_spectrai.learn.train.trainer import Trainer

    steps = []

    def interrupted(self, *batch, original=Trainer.learn):
        steps.append(1)
        if len(steps) == 9:
            raise KeyboardInterrupt
        return original(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(quick(), *pairs, run=tmp_path / "run")
    resumed, _ = drain(fit(None, *pairs, run=tmp_path / "run", resume=True))
    assert next(one for one in resumed if isinstance(one, Started)).resumed_after == 1
    assert resumed[-1].reason == "done"


def test_a_truth_without_positions_takes_its_partners(pairs, quick, tmp_path):
    noisy, clean = pairs
    bare = Cube(clean.data, name="bare")
    experiment = quick("preparation=[{kind: crop, low: 700, high: 1200}, normalise]", "training.epochs=1")
    with_axis, model = drain(fit(experiment, noisy, clean, run=tmp_path / "a"))
    without, _ = drain(fit(experiment, noisy, bare, run=tmp_path / "b"))
    assert without[-1].scores == with_axis[-1].scores
    assert compare(model, noisy, bare).rows == compare(model, noisy, clean).rows


def test_a_last_batch_of_one_joins_the_one_before(pairs, quick, tmp_path):
    experiment = quick("network=unet", "network.depth=6", "network.width=4", "training.batch=19", "training.epochs=1")
    events, _ = drain(fit(experiment, *pairs, run=tmp_path / "run"))  # 96 = 5 × 19 + 1
    assert events[-1].reason == "done"


@pytest.mark.parametrize("bands", [1, 2])
def test_constant_and_single_band_data_train(quick, tmp_path, bands):
    flat = np.ones((60, bands), np.float32)
    assert drain(fit(quick("training.epochs=1"), Cube(flat), Cube(flat.copy()), run=tmp_path / "run"))[0][-1].reason == "done"


def test_resuming_asks_for_a_run_and_its_split(pairs, quick, tmp_path):
    with pytest.raises(ValueError, match="give its folder with run="):
        next(fit(None, resume=True))
    with pytest.raises(FileNotFoundError, match="contains no run"):
        next(fit(None, run=tmp_path / "none", resume=True))
    drain(fit(quick(), *pairs, run=tmp_path / "run"), until=lambda e: isinstance(e, Epoch))
    with pytest.raises(ValueError, match="saved split is for cubes of shape"):
        drain(fit(None, pairs[0][:50], pairs[1][:50], run=tmp_path / "run", resume=True))


# ---------------------------------------------------------------- the model, and using it


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_spectra):
    from napari_spectrai import SpectralAxis

    noisy, clean = make_spectra(120, 40)
    axis = SpectralAxis(np.linspace(600, 1800, 40), "1/cm")
    experiment = Experiment().override(
        "training.epochs=3", "network.width=16", "network.dropout=0.1", "split.validation=0.2", "training.device=cpu"
    )
    model = train(experiment, Cube(noisy, axis, name="cells"), Cube(clean, axis), run=tmp_path_factory.mktemp("runs") / "run")
    return model, Cube(noisy * 50, axis, name="bright cells"), Cube(clean * 50, axis)


def test_a_model_file_holds_everything(trained, tmp_path):
    model, cube, _ = trained
    again = Model.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(predict(again, cube).result.data, predict(model, cube).result.data)
    card = read_card(tmp_path / "m.safetensors")
    assert card == again.card()
    assert "Denoising" in str(card)
    assert card.trained_on == ["cells (120 spectra)"]
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        model.save(tmp_path / "m.pt")


def test_every_score_of_a_training_has_an_interval(trained):
    card = trained[0].description
    for part, rows in card.scores.items():
        assert len(rows) > 1
        for method, row in rows.items():
            ends = card.intervals[part][method]
            assert ends.keys() == row.keys()
            assert all(low <= row[name] <= high for name, (low, high) in ends.items())


def test_prediction_keeps_intensity_axis_name_and_the_source(trained):
    model, cube, truth = trained
    before = cube.data.copy()
    result = predict(model, cube).result
    np.testing.assert_array_equal(cube.data, before)
    assert result.axis == cube.axis
    assert result.data.dtype == np.float32
    assert 0.5 < result.data.max() / truth.data.max() < 2
    assert "bright cells" in result.name


def test_zero_in_zero_out_and_missing_stays_missing(trained):
    model, cube, _ = trained
    data = cube.data.copy()
    data[4] = 0
    with pytest.warns(UserWarning, match="hold no data .1 all zero. and stay as they are"):
        assert not predict(model, Cube(data, cube.axis)).result.data[4].any()
    data[7, 3] = np.nan
    with pytest.warns(UserWarning, match="1 with missing values"):
        result = predict(model, Cube(data, cube.axis, name="holes")).result
    np.testing.assert_array_equal(result.data[7], data[7])
    assert np.isnan(result.data).sum() == 1


def test_another_axis_is_refused_with_the_remedy(trained):
    from napari_spectrai import SpectralAxis, preprocess

    model, cube, _ = trained
    wide = Cube(np.ones((3, 80), np.float32), SpectralAxis(np.linspace(500, 1900, 80), "1/cm"), name="wide")
    with pytest.raises(ValueError, match=r"80 bands where 40.*resample=True"):
        predict(model, wide)
    predict(model, preprocess(wide, [Resample.onto(model.axis)]))
    with pytest.raises(ValueError, match="as_cube"):
        predict(model, Cube(np.ones((3, 40), np.float32)))


@pytest.mark.parametrize("shape", [(1, 40), (1, 1, 40), (5, 7, 40), (2, 5, 7, 40)])
def test_any_spatial_shape_in_memory_and_zarr(trained, tmp_path, shape):
    model, cube, _ = trained
    source = Cube(np.resize(cube.data, shape), cube.axis)
    whole = predict(model, source).result
    assert whole.shape == shape
    stored = predict(model, source, out=tmp_path / "r.zarr", tile=8).result
    np.testing.assert_allclose(np.asarray(stored.data), whole.data, rtol=1e-5, atol=1e-5)
    assert stored.axis == cube.axis
    assert read(tmp_path / "r.zarr").shape == shape


def test_dropout_gives_an_uncertainty_and_its_absence_is_named(trained, tmp_path, pairs, quick):
    model, cube, _ = trained
    prediction = predict(model, cube, uncertainty=True)
    assert prediction.uncertainty.shape == cube.shape
    assert (prediction.uncertainty.data > 0).any()
    sure = train(quick("training.epochs=1"), *pairs, run=tmp_path / "run")
    with pytest.raises(ValueError, match="train it with network.dropout above 0"):
        predict(sure, pairs[0], uncertainty=True)


def test_a_cancelled_prediction_leaves_nothing(trained, tmp_path):
    from napari_spectrai.learn.inference.predict import predicting

    model, cube, _ = trained
    steps = predicting(model, Cube(np.resize(cube.data, (40, 40, 40)), cube.axis), PredictOptions(tile=8), out=tmp_path / "r.zarr")
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_tiles_are_as_the_whole_for_a_network_over_the_image(quick, tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.random((40, 44, 6)).astype(np.float32)
    cube = Cube(clean + rng.normal(0, 0.1, clean.shape).astype(np.float32))
    experiment = quick(
        "network=unet",
        "network.dims=2",
        "network.width=4",
        "network.depth=1",
        "data.patch=8",
        "split.gap=0",
        "training.epochs=1",
        "training.precision=fp32",
    )
    model = train(experiment, cube, Cube(clean), run=tmp_path / "run")
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    assert experiment.network.context > 0
    wide = Cube(np.tile(cube.data, (2, 2, 1)))
    whole = predict(model, wide).result.data
    tile = 2 * (2 * experiment.network.context + experiment.network.grid)
    with pytest.raises(ValueError, match=f"choose {tile} or more"):
        predict(model, wide, tile=tile - 2)
    np.testing.assert_allclose(predict(model, wide, tile=tile).result.data, whole, rtol=1e-4, atol=1e-5)


def test_truncated_foreign_and_unfitting_model_files(trained, tmp_path, pairs):
    from safetensors.numpy import save_file

    model, cube, _ = trained
    path = model.save(tmp_path / "m.safetensors")
    whole = path.read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("short", whole[:5]), ("empty", b""), ("text", b"hello" * 50)):
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.safetensors is truncated or not"):
            Model.load(tmp_path / f"{name}.safetensors")
    save_file({"a": np.ones(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match="not a model of napari-spectrai"):
        Model.load(tmp_path / "foreign.safetensors")
    with pytest.raises(FileNotFoundError, match="no such model file"):
        Model.load(tmp_path / "none.safetensors")
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    card = json.loads(header["__metadata__"]["napari_spectrai"])
    card["experiment"]["network"]["width"] = 32
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "other.safetensors", metadata={"napari_spectrai": json.dumps(card)})
    with pytest.raises(ValueError, match="weights do not fit"):
        Model.load(tmp_path / "other.safetensors")
    save_file(tensors, tmp_path / "new.safetensors", metadata={"napari_spectrai": json.dumps(card | {"format": 9})})
    with pytest.raises(ValueError, match="model format 9"):
        Model.load(tmp_path / "new.safetensors")
    with pytest.raises(ValueError, match="bands where 40"):
        predict(model, np.ones((4, 12)))


def test_a_model_is_compared_with_its_classical_methods_and_the_source(trained, tmp_path):
    model, cube, truth = trained
    report = evaluate(predict(model, cube).result, truth, "denoising")
    assert report.metrics.keys() >= {"mse", "psnr", "sam", "mae"}
    beside = compare(model, cube, truth)
    assert list(beside.rows) == ["network", "Savitzky–Golay", "Whittaker", "wavelet", "PCA", "ridge", "raw"]
    assert beside.metrics["mse"] < beside.rows["raw"]["mse"]
    assert "network" in str(beside)
    rows = beside.to_csv(tmp_path / "t.csv").read_text().splitlines()
    assert rows[0] == "method,mse,psnr,sam,mae,ergas,peak_position,peak_width"
    assert rows[8] == ""  # units and notes follow
    assert beside.metrics == pytest.approx(report.metrics, rel=1e-5)
    with pytest.raises(ValueError, match="shape"):
        evaluate(cube, truth[:5], "denoising")
    with pytest.raises(ValueError, match="no task 'cooking'"):
        evaluate(cube, truth, "cooking")
    # scores are of the intensities given, and of shapes alone where that is asked for
    dark = [Cube(one.data / 100, one.axis) for one in (cube, truth)]
    assert compare(model, *dark).metrics["mse"] == pytest.approx(beside.metrics["mse"] / 1e4, rel=1e-3)
    normalised = [compare(model, *pair, normalise="maximum").metrics["mse"] for pair in (dark, (cube, truth))]
    assert normalised[0] == pytest.approx(normalised[1], rel=1e-3)


def test_layers_are_taken_wherever_cubes_are(trained):
    from types import SimpleNamespace

    model, cube, _ = trained
    layer = SimpleNamespace(data=cube.data.T, metadata={"spectral_axis": cube.axis.to_json() | {"position": 0}}, name="cells")
    np.testing.assert_array_equal(predict(model, layer).result.data, predict(model, cube).result.data)


def test_a_moved_run_is_still_resumable(pairs, quick, tmp_path):
    drain(fit(quick(), *pairs, run=tmp_path / "a"), until=lambda e: isinstance(e, Epoch) and e.epoch == 2)
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert isinstance(drain(fit(None, *pairs, run=tmp_path / "b", resume=True))[0][-1], Finished)


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("until", [Started, Epoch, Saved])
@pytest.mark.parametrize("task", ["classification", "denoising"])
def test_a_training_interrupted_anywhere_goes_on_to_the_same_model(task, until, pairs, tmp_path):
    noisy, clean = pairs
    labels = (clean.numpy().mean(-1) > np.median(clean.numpy().mean(-1))) + 1
    truth = labels if task == "classification" else clean
    network = "spectral_mlp" if task == "classification" else "residual_mlp"
    # a metric of which more is better, whose best epoch is not the last
    experiment = Experiment.default(task, noisy, truth).override(f"network={network}", "training.epochs=3", "network.width=16")
    whole = train(experiment, noisy, truth, run=tmp_path / "whole")
    events = fit(experiment, noisy, truth, run=tmp_path / "run")
    next(event for event in events if isinstance(event, until))
    events.close()
    found = [*fit(run=tmp_path / "run", resume=True)]
    assert sum(event.best for event in RunFolder(tmp_path / "run").events() if isinstance(event, Epoch)) >= 1
    assert found[-1].reason == "done"
    for name, tensor in Model.load(found[-1].model).network.state_dict().items():
        torch.testing.assert_close(tensor, whole.network.state_dict()[name], rtol=0, atol=0, msg=name)


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("network", ["residual_mlp", "savitzky_golay", "automatic"])
def test_copied_data_are_removed_once_the_run_has_finished(network, pairs, quick, tmp_path, monkeypatch):
    """Removed before its last event, they would be missing to a run killed in between, which would have to be resumed."""
    noisy, clean = pairs
    truth = (clean.numpy().mean(-1) > np.median(clean.numpy().mean(-1))) + 1 if network == "automatic" else clean
    experiment = quick("training.epochs=1", f"network={network}")
    if network == "automatic":
        experiment = Experiment.default("classification", noisy, truth).override("network.candidates=[logistic_regression, pca_lda]")
    last = []

    def removed(folder):
        last.append(type(folder.last_event()))
        remove(folder)

    remove = RunFolder.discard_data
    monkeypatch.setattr(RunFolder, "discard_data", removed)
    copies = RunFolder(tmp_path / "run").data
    events = fit(experiment, noisy, truth, run=tmp_path / "run")
    next(events)
    copies.mkdir(exist_ok=True)
    assert drain(events)[0][-1].reason == "done"
    assert last == [Finished]
    assert not copies.exists()
