"""Stages of a training before its first epoch: they are named, and a run can be paused and stopped in each."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, fit
from napari_spectrai.io.quiet import quietly
from napari_spectrai.learn import stages
from napari_spectrai.learn.automatic.race import StoppedEarlyError as Known
from napari_spectrai.learn.classical import method
from napari_spectrai.learn.stages import Stages, StageStopped, StoppedEarlyError
from napari_spectrai.runs import Finished, Paused, RunFolder, Stage, Started


@pytest.fixture
def folder(tmp_path, pairs):
    return RunFolder.create(Experiment.default("denoising", *pairs), tmp_path / "run")


@pytest.fixture
def at_once(monkeypatch):
    """Report every stage, however short."""
    monkeypatch.setattr(stages, "PATIENCE", 0.0)


def test_quick_work_is_not_reported_and_its_result_and_error_arrive(folder):
    events = Stages(folder).run("Reading", lambda _: 7)
    with pytest.raises(StopIteration) as ended:
        next(events)
    assert ended.value.value == 7

    def fails(_):
        raise ValueError("no such band")

    with pytest.raises(ValueError, match="no such band"):
        next(Stages(folder).run("Reading", fails))


def test_a_stage_is_named_with_its_progress(folder, at_once):
    going = threading.Event()

    def work(say):
        say("Fitting ridge", 1, 4)
        going.wait(900)

    events = Stages(folder).run("Reading", work)
    seen = next(events)
    while seen.name == "Reading":
        seen = next(events)
    assert seen == Stage("Fitting ridge", 1, 4)
    assert seen in folder.events()
    going.set()
    assert list(events) == []


def test_stop_and_pause_work_within_a_stage(folder, at_once, capfd):
    going, steps = threading.Event(), []

    def work(say):
        with quietly():  # as while a file is read
            while True:
                say("Fitting", len(steps) % 10, 10)
                steps.append("")
                going.wait(900)

    events = Stages(folder).run("Fitting", work)
    next(events)
    folder.say("pause")
    while not isinstance(event := next(events), Paused):
        pass
    assert event.paused
    going.set()
    folder.say("resume")
    while not isinstance(event := next(events), Paused):
        pass
    assert not event.paused
    going.clear()
    folder.say("stop")
    with pytest.raises(StageStopped, match="Fitting"):
        for _ in events:
            pass
    print("stopped")  # noqa: T201
    assert capfd.readouterr().out == "stopped\n"  # although the file is still being read
    going.set()
    assert folder.command() == ""
    while stages.abandoned():  # the thread ends at its next report
        pass
    assert steps


@pytest.mark.parametrize("network", ["residual_mlp", "ridge"])
def test_a_training_stops_while_classical_methods_are_fitted_and_can_be_resumed(network, pairs, tmp_path, monkeypatch, at_once):
    reached, going, real = threading.Event(), threading.Event(), method.fitted

    def slow(*args, **options):
        reached.set()
        going.wait(900)
        return real(*args, **options)

    monkeypatch.setattr(method, "fitted", slow)
    experiment = Experiment.default("denoising", *pairs).override(f"network={network}", "training.epochs=1")
    run = RunFolder.create(experiment, tmp_path / "run")
    events, seen = fit(experiment, *pairs, run=run.path), []
    while not reached.is_set():
        seen.append(next(events))
    run.say("stop")
    with pytest.raises(StoppedEarlyError, match="resume the run"):
        while True:
            seen.append(next(events))
    going.set()
    assert any(isinstance(event, Stage) and "lassical methods" in event.name for event in seen)
    assert not any(isinstance(event, Started) for event in seen)
    assert isinstance(seen[-1], Finished)
    assert seen[-1].reason == "stopped"
    assert run.state() == "stopped"
    monkeypatch.setattr(method, "fitted", real)
    ended = list(fit(None, *pairs, run=run.path, resume=True))[-1]
    assert ended.reason in ("done", "early")
    assert "ridge" in ended.scores["validation"]


def test_both_names_of_the_error_are_one():
    assert Known is StoppedEarlyError


def test_empty_data_fail_as_before(tmp_path):
    experiment = Experiment.default("denoising", Cube(np.ones((9, 5))), Cube(np.ones((9, 5))))
    with pytest.raises(ValueError, match="choose other data"):
        list(fit(experiment, Cube(np.full((9, 5), np.nan)), Cube(np.ones((9, 5))), run=tmp_path / "run"))
