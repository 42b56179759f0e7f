"""Sweeps: values of settings make runs, what is missing is resumed, and scores are averaged over seeds."""

from __future__ import annotations

import csv
import shutil
import signal

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai import Experiment, sample, sweep, write
from napari_spectrai.cli import app, sweep_command
from napari_spectrai.experiment.metrics import titled
from napari_spectrai.reports.sweep_report import half_interval
from napari_spectrai.reports.sweep_table import sweep_table
from napari_spectrai.runs.folder import RunFolder, all_runs
from napari_spectrai.runs.history import gathered, summaries
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.sweep_plan import planned


@pytest.fixture(scope="module")
def pairs():
    whole = sample("raman_pairs")
    return whole.cube[:60], whole.truth[:60]


@pytest.fixture
def experiment(pairs):
    return Experiment.default("denoising", *pairs).override(
        "network=residual_mlp", "network.width=8", "training.epochs=1", "split.test=0.2"
    )


@pytest.mark.parametrize(
    ("settings", "count"),
    [(["network.width=8,16", "training.seed=0..4"], 10), (["training.seed=3"], 1), (["training.seed=1,1,2"], 2)],
)
def test_values_make_runs(experiment, tmp_path, settings, count):
    runs = planned(experiment, settings, tmp_path)
    assert len(runs) == count
    assert len({run.folder.path for run in runs}) == count


@pytest.mark.parametrize(
    ("setting", "words"), [("training.seed", "name=value"), ("training.seed=4..0", "first..last"), ("no.such=1", "no 'no.such'|'no'")]
)
def test_wrong_settings_name_the_remedy(experiment, tmp_path, setting, words):
    with pytest.raises(ValueError, match=words):
        planned(experiment, [setting], tmp_path)


def test_a_sweep_resumes_what_is_missing_and_averages_over_seeds(experiment, pairs, tmp_path, monkeypatch):
    settings, done = ["network.width=8,9", "training.seed=0..1"], []
    half = sweep(experiment, settings, *pairs, out=tmp_path / "runs", part=Part(1, 2))
    assert [run.settings["network.width"] for run in half.missing] == ["9", "9"]
    found = sweep(experiment, settings, *pairs, out=tmp_path / "runs", on_run=lambda number, count, run: done.append(run.settings))
    assert [one["network.width"] for one in done] == ["9", "9"]
    assert found.missing == []
    scores = [run.scores()[1]["mse"] for run in found.runs if run.settings["network.width"] == "8"]
    assert found.rows[0]["mse"] == pytest.approx(np.mean(scores))
    assert found.rows[0]["mse ±"] == pytest.approx(half_interval(np.array(scores)))
    with (tmp_path / "runs" / "sweep.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert float(table[0]["mse"]) == pytest.approx(found.rows[0]["mse"])
    page = (tmp_path / "runs" / "sweep.html").read_text(encoding="utf-8")
    assert page.count("<table") == 2
    assert titled("mse") in page
    assert ">mse" not in page
    assert page.count("<tr>") == 2 + 2 + 4  # heads, combinations, runs
    monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(tmp_path))
    assert len(all_runs()) == 4
    (row,) = gathered(summaries())
    assert (row.path, row.name, row.state, row.progress, len(row.members)) == (tmp_path / "runs", "runs", "finished", "4 of 4", 4)
    assert row.score == min(one.score for one in row.members)
    shown = sweep_table(row.path)
    assert list(shown.heads[:1]) == ["width"]
    assert shown.heads[-2:] == ["90 % interval", "Runs"]
    assert sorted(cells[0] for cells in shown.rows) == ["8", "9"]
    assert [cells[-1] for cells in shown.rows] == ["2 of 2", "2 of 2"]
    assert shown.chosen == [True, False]
    assert found.rows[["8", "9"].index(shown.rows[0][0])]["mse"] == min(one["mse"] for one in found.rows)
    with pytest.raises(ValueError, match="another experiment"):
        sweep(experiment.override("training.epochs=2"), settings, *pairs, out=tmp_path / "runs")


def test_the_command_writes_a_table_and_repeats_a_run_that_was_removed(experiment, pairs, tmp_path):
    for name, cube in zip(("x.zarr", "truth.zarr"), pairs, strict=True):
        write(cube, tmp_path / name)
    document = experiment.override(f"data.input=[{tmp_path / 'x.zarr'}]", f"data.truth=[{tmp_path / 'truth.zarr'}]")
    document.save(tmp_path / "experiment.yml")
    words = ["sweep", str(tmp_path / "experiment.yml"), "training.seed=0,1", "-o", str(tmp_path / "runs")]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    shutil.rmtree(tmp_path / "runs" / "training-seed-1")
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0, again.output
    assert "training-seed-1" in again.output
    assert "run 1 of 2" not in again.output
    assert RunFolder(tmp_path / "runs" / "training-seed-1").state() == "finished"


def test_a_signal_ends_the_run_at_work_in_order_and_the_sweep_with_it(experiment, pairs, tmp_path, monkeypatch):
    for name, cube in zip(("x.zarr", "truth.zarr"), pairs, strict=True):
        write(cube, tmp_path / name)
    document = experiment.override(f"data.input=[{tmp_path / 'x.zarr'}]", f"data.truth=[{tmp_path / 'truth.zarr'}]", "training.epochs=50")
    document.save(tmp_path / "experiment.yml")
    begin = sweep_command._Running.begin

    def signalled(running, *run):
        begin(running, *run)
        running.on_signal(signal.SIGTERM, None)

    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    monkeypatch.setattr(sweep_command._Running, "begin", signalled)
    monkeypatch.setattr("napari_spectrai.learn.stages.abandoned", lambda: False)  # this process goes on, whatever is still being fitted
    result = CliRunner().invoke(app, ["sweep", str(tmp_path / "experiment.yml"), "training.seed=0,1", "-o", str(tmp_path / "runs")])
    for number, handler in kept.items():
        signal.signal(number, handler)
    assert result.exit_code == 3, result.output
    assert "stopped; the same command goes on with what is missing" in " ".join(result.output.split())
    assert RunFolder(tmp_path / "runs" / "training-seed-0").state() == "stopped"
    assert not (tmp_path / "runs" / "training-seed-1").exists()
