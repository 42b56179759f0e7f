"""A process that waits for its job: the same results, the same ends, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import psutil
import pytest

from napari_spectrai import launch
from napari_spectrai.runs import Failed, Finished
from napari_spectrai.runs.standby import LONGEST, SWITCH, standby


@pytest.fixture
def wait(monkeypatch):
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr("napari_spectrai.runs.standby.LEAST_FREE", 0)

    def start():  # in the test itself: pytest names its stages in the environment
        standby.keep()
        return standby.process

    yield start
    standby.dismiss()


def test_a_training_by_the_waiting_process_is_as_any_other(pairs, quick, tmp_path, wait):
    waiting = wait()
    warm = launch(quick("training.epochs=2"), *pairs, run=tmp_path / "warm")
    assert warm.pid == waiting.pid
    assert standby.process is None
    assert isinstance(list(warm.events())[-1], Finished)
    warm.close()
    cold = launch(quick("training.epochs=2"), *pairs, run=tmp_path / "cold")
    assert isinstance(list(cold.events())[-1], Finished)
    cold.close()
    found = [run.model().network.state_dict() for run in (warm, cold)]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    assert "Saved as" in warm.folder.log.read_text()


def test_a_failure_of_the_waiting_process_is_reported_like_any_other(pairs, quick, tmp_path, wait, monkeypatch):
    waiting = wait()
    monkeypatch.chdir(tmp_path)
    run = launch(quick(), *pairs, run="run")
    assert run.pid == waiting.pid
    run._worker.kill()
    assert isinstance(list(run.events())[-1], Failed)
    run.close()


def test_it_is_not_used_when_the_environment_or_the_switch_has_changed(tmp_path, wait, monkeypatch):
    waiting = wait()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert standby.take(["info"], tmp_path / "log", tmp_path) is None
    assert waiting.wait(120) is not None
    monkeypatch.setenv(SWITCH, "0")
    standby.keep()
    assert standby.process is None


def test_one_that_has_died_or_cannot_take_a_long_order_is_not_used(tmp_path, wait):
    waiting = wait()
    assert standby.take(["x" * LONGEST], tmp_path / "log", tmp_path) is None
    waiting.kill()
    waiting.wait()
    assert standby.take(["info"], tmp_path / "log", tmp_path) is None


def test_it_ends_with_the_process_that_keeps_it():
    keeper = "from napari_spectrai.runs import standby as one; one.LEAST_FREE = 0; one.standby.keep(); print(one.standby.process.pid)"
    environment = {name: value for name, value in os.environ.items() if name != SWITCH}
    done = subprocess.run([sys.executable, "-c", keeper], capture_output=True, text=True, check=True, env=environment)
    with suppress(psutil.NoSuchProcess):  # it has ended before
        psutil.Process(int(done.stdout)).wait(300)
