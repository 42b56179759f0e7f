"""A process that waits for its job: the same results, the same ends, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from napari_spectrai import launch
from napari_spectrai.runs import Failed, Finished, fork_server
from napari_spectrai.runs.fork_server import can_fork
from napari_spectrai.runs.standby import LONGEST, SET_AT_IMPORT, SWITCH, Standby, standby

ways = pytest.mark.parametrize("forks", [False, *([True] if can_fork() else [])])


@pytest.fixture
def wait(monkeypatch):
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr("napari_spectrai.runs.standby.LEAST_FREE", 0)
    alone = Standby(False)

    def start(forks):  # in the test itself: pytest names its stages in the environment
        keeper = standby if forks else alone  # the first may wait already, for all tests that leave it alive
        monkeypatch.setattr("napari_spectrai.runs.job.standby", keeper)
        keeper.keep()
        while forks and not keeper.ready:
            time.sleep(0.05)
        return keeper

    yield start
    alone.dismiss()


@ways
def test_a_training_by_the_waiting_process_is_as_any_other(pairs, quick, tmp_path, wait, forks):
    keeper = wait(forks)
    waiting = keeper.process
    warm = launch(quick("training.epochs=2"), *pairs, run=tmp_path / "warm")
    assert psutil.Process(warm.pid).ppid() == waiting.pid if forks else warm.pid == waiting.pid
    assert keeper.process is (waiting if forks else None)
    assert isinstance(list(warm.events())[-1], Finished)
    assert warm.wait() == 0
    warm.close()
    cold = launch(quick("training.epochs=2"), *pairs, run=tmp_path / "cold")
    assert isinstance(list(cold.events())[-1], Finished)
    cold.close()
    found = [run.model().network.state_dict() for run in (warm, cold)]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    assert "Saved as" in warm.folder.log.read_text()


@ways
def test_a_failure_of_the_waiting_process_is_reported_like_any_other(pairs, quick, tmp_path, wait, monkeypatch, forks):
    wait(forks)
    monkeypatch.chdir(tmp_path)
    run = launch(quick("training.epochs=1000"), *pairs, run="run")
    run._worker.kill()
    ending = list(run.events())[-1]
    assert isinstance(ending, Failed)
    assert "signal 9" in ending.message
    assert run.wait() == -9
    run.close()


@ways
def test_a_job_works_where_its_starter_does_and_knows_its_variables(tmp_path, wait, monkeypatch, forks):
    place = tmp_path / "place"
    place.mkdir()
    if forks:
        keeper = wait(forks)
        monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(place))
    else:
        monkeypatch.setenv("NAPARI_SPECTRAI_RUNS", str(place))
        keeper = wait(forks)
    job = keeper.take(["info", "missing.h5"], tmp_path / "log", place)
    assert job.wait(600) == 2
    assert "missing.h5" in (tmp_path / "log").read_text()
    job.stdin.close()


@pytest.mark.skipif(not can_fork(), reason="processes that have loaded torch are forked on Linux only")
class TestForked:
    def test_several_jobs_work_at_once_and_each_has_its_own_end(self, tmp_path, wait):
        keeper = wait(True)
        names = [f"missing-{number}.h5" for number in range(3)]
        jobs = [keeper.take(["info", name], tmp_path / f"{name}.log", tmp_path) for name in names]
        good = keeper.take(["--version"], tmp_path / "good", tmp_path)
        assert [job.wait(600) for job in jobs] == [2, 2, 2]
        assert good.wait(600) == 0
        assert all(name in (tmp_path / f"{name}.log").read_text() for name in names)
        assert len({job.pid for job in [*jobs, good]}) == 4
        assert psutil.Process(keeper.process.pid).children() == []
        for job in [*jobs, good]:
            job.stdin.close()

    def test_jobs_go_on_when_the_waiting_process_is_killed_and_their_end_is_read_from_the_journal(self, pairs, quick, tmp_path, wait):
        keeper = wait(True)
        run = launch(quick("training.epochs=30"), *pairs, run=tmp_path / "run")
        keeper.process.kill()
        keeper.process.wait()
        assert isinstance(list(run.events())[-1], Finished)
        assert run.wait() == 0
        run.close()
        assert keeper.take(["info"], tmp_path / "log", tmp_path) is None

    def test_variables_that_libraries_read_when_they_are_loaded_need_another_process(self, tmp_path, wait, monkeypatch):
        keeper = wait(True)
        waiting = keeper.process
        for name, value in SET_AT_IMPORT.items():  # when this process imports what sets it
            monkeypatch.delenv(name, raising=False)
            keeper.keep()
            monkeypatch.setenv(name, value)
            keeper.keep()
        assert keeper.process is waiting
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        assert keeper.take(["info"], tmp_path / "log", tmp_path) is None
        assert keeper.process is None

    def test_its_end_is_read_once_though_several_threads_ask(self, monkeypatch):
        report, end = os.pipe()
        ended = subprocess.Popen([sys.executable, "-c", ""])
        job = fork_server.ForkedJob(ended.pid, ended.stdin, report, lambda: -1)
        ended.wait()
        readable, asked = fork_server._readable, []

        def meanwhile(file, timeout):
            found = readable(file, timeout)
            if not asked:  # another thread asks when the first one knows that it can read
                asked.append(threading.Thread(target=lambda: (job.poll(), job.kill())))
                asked[0].start()
                asked[0].join()
            return found

        monkeypatch.setattr(fork_server, "_readable", meanwhile)
        os.write(end, b"3")
        os.close(end)
        assert job.wait(600) == 3
        assert job.poll() == job.wait(0) == 3
        job.kill()

    def test_a_process_that_has_not_loaded_yet_is_not_waited_for(self, tmp_path, monkeypatch):
        keeper = Standby(True)
        monkeypatch.setattr(Standby, "ready", False)
        monkeypatch.delenv(SWITCH)
        keeper.keep()
        assert keeper.take(["info"], tmp_path / "log", tmp_path) is None
        keeper.dismiss()


def test_it_is_not_used_when_the_environment_or_the_switch_has_changed(tmp_path, wait, monkeypatch):
    keeper = wait(False)
    waiting = keeper.process
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert keeper.take(["info"], tmp_path / "log", tmp_path) is None
    assert waiting.wait(120) is not None
    monkeypatch.setenv(SWITCH, "0")
    keeper.keep()
    assert keeper.process is None


def test_one_that_has_died_or_cannot_take_a_long_order_is_not_used(tmp_path, wait):
    keeper = wait(False)
    assert keeper.take(["x" * LONGEST], tmp_path / "log", tmp_path) is None
    keeper.process.kill()
    keeper.process.wait()
    assert keeper.take(["info"], tmp_path / "log", tmp_path) is None


def test_it_ends_with_the_process_that_keeps_it():
    keeper = "from napari_spectrai.runs import standby as one; one.LEAST_FREE = 0; one.standby.keep(); print(one.standby.process.pid)"
    environment = {name: value for name, value in os.environ.items() if name != SWITCH}
    done = subprocess.run([sys.executable, "-c", keeper], capture_output=True, text=True, check=True, env=environment)
    with suppress(psutil.NoSuchProcess):  # it has ended before
        psutil.Process(int(done.stdout)).wait(300)


def test_loading_asks_nothing_of_a_graphics_card_and_changes_no_other_variable():
    # a process that has cannot be forked: the jobs could not use the card
    script = """
import os
from napari_spectrai.runs.standby import SET_AT_IMPORT, _read_at_loading
for name in SET_AT_IMPORT:
    os.environ.pop(name, None)
before = _read_at_loading(os.environ)
import torch
def asked(*_, **__):
    raise SystemExit("a card was asked for")
for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "is_bf16_supported"):
    setattr(torch.cuda, name, asked)
from napari_spectrai.cli.standby import load
load()
after = _read_at_loading(os.environ)
assert after == before and SET_AT_IMPORT.items() <= os.environ.items(), sorted(after.items() ^ before.items())
"""
    subprocess.run([sys.executable, "-c", script], check=True)
