"""Jobs in parts by several processes of this machine, and by the workers of a Dask scheduler."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai import Cube, predict, read, write
from napari_spectrai.cli import app
from napari_spectrai.learn.inference.cluster import predicting_on_cluster
from napari_spectrai.learn.model import ready
from napari_spectrai.runs.cluster import REMEDY
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part_record import PartRecord
from napari_spectrai.runs.workers import working

SHAPE = (192, 64, 8)


def scene(path):
    return write(Cube(np.random.default_rng(0).random(SHAPE, np.float32)), path)


def command(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def test_workers_start_a_part_again_whose_process_was_killed(tmp_path, started_processes):
    source, out = scene(tmp_path / "x.zarr"), tmp_path / "y"
    words = ["map", "peaks", str(source), "low=1", "high=7", "--format", "npy"]
    record, killed = PartRecord(out, 2), 0
    for _ in working([*words, "-o", str(out)], record, 2):
        for child in started_processes()[:1] if not killed else []:
            child.send_signal(signal.SIGKILL)
            killed += 1
    assert killed
    assert record.missing == []
    assert started_processes() == []
    result = command(*words, "-o", out, "--workers", "4")  # of the 2 parts in which it was started, nothing is left to do
    assert result.exit_code == 0, result.output
    assert command(*words, "-o", tmp_path / "whole").exit_code == 0
    for path in (tmp_path / "whole").glob("*.npy"):
        np.testing.assert_allclose(np.load(out / path.name), np.load(path), rtol=1e-9)


def test_a_part_that_fails_ends_the_others_with_its_message(tmp_path, started_processes):
    source, out = scene(tmp_path / "x.zarr"), tmp_path / "y"
    result = command("map", "band", source, "low=500", "high=600", "-o", out, "--workers", "2")
    assert result.exit_code == 1
    assert "0 bands in 500–600" in " ".join(result.output.split())
    assert started_processes() == []


def test_ways_to_divide_a_command_exclude_each_other_and_a_missing_scheduler_is_one_line(tmp_path, monkeypatch):
    source = scene(tmp_path / "x.zarr")
    words = ["predict", "whittaker", source, "-o", tmp_path / "y.zarr"]
    assert command(*words, "--workers", "2", "--part", "1/2").exit_code == 2
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = command(*words, "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 1
    assert REMEDY in " ".join(result.output.split())
    assert not (tmp_path / "y.zarr").exists()


@pytest.fixture
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_a_cluster_survives_a_worker_that_is_killed_and_can_be_cancelled(tmp_path, client):
    source, out = scene(tmp_path / "x.zarr"), tmp_path / "y.zarr"
    model = ready("whittaker", read(source).axis)
    steps = predicting_on_cluster(model, source, PredictOptions(tile=16), out=out, client=client)
    for progress in steps:
        if progress.done:
            break
    steps.close()  # cancelled
    assert PartRecord(out, 8).progress().done > 0
    killed = None
    steps = predicting_on_cluster(model, source, PredictOptions(tile=16), out=out, client=client)
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            result = end.value
            break
        if killed is None:
            killed = next(iter(client.run(os.getpid).values()))
            os.kill(killed, signal.SIGKILL)
    np.testing.assert_array_equal(result.result.numpy(), predict(model, source, tile=16).result.numpy())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    again = predict(model, source, out=out, tile=16, client=client)  # nothing is left to do
    assert again.result.shape == SHAPE
    address = client.scheduler.address
    words = ["map", "band", source, "low=1", "high=6", "--format", "npy"]
    assert command(*words, "-o", tmp_path / "maps", "--scheduler", address).exit_code == 0
    assert command(*words, "-o", tmp_path / "whole").exit_code == 0
    name = next((tmp_path / "whole").glob("*.npy")).name
    np.testing.assert_array_equal(np.load(tmp_path / "maps" / name), np.load(tmp_path / "whole" / name))
