"""Jobs that end with their window, or outlive it, and runs that are launched from the console."""

from __future__ import annotations

import gc
import threading
import weakref

import psutil
import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton, QWidget

from napari_spectrai import launch, runs, widgets
from napari_spectrai.runs import Epoch, Finished, Job, Run, RunFolder
from napari_spectrai.widgets import job_queue, jobs
from napari_spectrai.widgets.job_queue import JobQueue

LONG = ("training.epochs=100000", "training.schedule=constant")
ASKS = jobs.confirm


@pytest.fixture
def person(monkeypatch):
    """Let a person answer by pressing a button with these words; return what was asked, and what was offered."""

    def answering(words):
        asked: list[tuple[str, list[str]]] = []

        def press():
            box = QApplication.activeModalWidget()
            if not isinstance(box, QMessageBox):
                QTimer.singleShot(20, press)
                return
            buttons = {button.text().replace("&", ""): button for button in box.findChildren(QPushButton)}
            asked.append((box.text(), sorted(buttons)))
            buttons[words].click()

        def ask(*given):
            QTimer.singleShot(20, press)
            return ASKS(*given)

        monkeypatch.setattr(jobs, "confirm", ask)
        return asked

    return answering


@pytest.fixture
def training(viewer, pairs, quick, tmp_path, until):
    """A run that does not end by itself, followed in a dock of the window."""
    run = launch(quick(*LONG), *pairs, run=tmp_path / "run")
    dock = QWidget()
    viewer.window.add_dock_widget(dock, name="follower")
    jobs.guard(dock)
    follower, events = jobs.Follower(Run.attach(run), dock), []
    follower.received.connect(events.extend)
    follower.start()
    until(lambda: any(isinstance(event, Epoch) for event in events))
    yield run, follower, events
    if process := _living(run.pid):
        process.kill()
    run.wait()
    run.close()


def _living(pid):
    try:
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _epochs(folder):
    return sum(isinstance(event, Epoch) for event in folder.events())


def test_cancel_keeps_the_window_and_stop_saves(viewer, training, person, until):
    run, follower, _ = training
    asked = person("Cancel")
    assert not follower.dock.window().close()
    assert run.alive
    ((text, buttons),) = asked
    assert "can be resumed" in text
    assert buttons == ["Cancel", "Keep running", "Stop (can be resumed)"]
    asked = person("Stop (can be resumed)")
    QTimer.singleShot(0, viewer.close)
    until(lambda: not run.alive)
    assert len(asked) == 1
    assert run.folder.state() == "stopped"


def test_a_run_let_on_outlives_its_window_and_is_followed_from_the_next(viewer, training, person, until, make_napari_viewer):
    run, _, _ = training
    asked = person("Keep running")
    QTimer.singleShot(0, viewer.close)
    until(lambda: len(asked) == 1)
    run.close()  # what ends it otherwise
    count = _epochs(run.folder)
    until(lambda: _epochs(run.folder) > count + 2)
    assert [folder.path for folder in jobs.running_runs()] == [run.folder.path]
    other = make_napari_viewer()
    dock = QWidget()
    other.window.add_dock_widget(dock)
    jobs.guard(dock)
    follower, events, ends = jobs.Follower(Run.attach(RunFolder(run.folder.path)), dock), [], []
    follower.received.connect(events.extend)
    follower.ended.connect(ends.append)
    follower.start()
    until(lambda: sum(isinstance(event, Epoch) for event in events) > count)
    assert [e.epoch for e in events if isinstance(e, Epoch)][:count] == list(range(1, count + 1))
    other.window.remove_dock_widget(dock)  # a follower that goes leaves what others started alone
    other.close()  # unasked: it does not end with this window
    assert len(asked) == 1
    assert run.alive
    follower.job.stop()
    assert run.folder.state() == "stopped"


def test_a_run_launched_in_the_console_can_be_followed_in_the_dock(training, qtbot, pairs, quick, tmp_path, until):
    run, follower, events = training
    heard = []
    jobs.launched.connect(lambda other: heard.append((other, threading.current_thread() is threading.main_thread())))
    worker = threading.Thread(target=lambda: launch(quick("training.epochs=1"), *pairs, run=tmp_path / "second"))
    worker.start()
    worker.join()
    assert not heard  # it is events on the main thread, which was here
    assert {folder.path.name for folder in jobs.running_runs()} == {"run", "second"}
    until(lambda: bool(heard))
    ((second, on_main),) = heard
    assert on_main
    assert second.folder.path.name == "second"
    until(lambda: not second.alive)
    assert isinstance(second.poll()[-1], Finished)  # nobody has taken the console's events away
    second.close()
    assert [other.folder.path.name for other in runs.launched.runs] == ["run"]
    run.stop()
    until(lambda: isinstance(events[-1], Finished))
    assert not jobs.running()
    jobs.launched.disconnect()


def test_nothing_is_let_on_of_which_nothing_would_remain(viewer, person, tmp_path):
    dock = QWidget()
    viewer.window.add_dock_widget(dock)
    asked = person("Stop")
    assert jobs.confirm(dock.window(), [Job(RunFolder(tmp_path))]) == "stop"
    ((text, buttons),) = asked
    assert "its result is lost" in text
    assert buttons == ["Cancel", "Stop"]


def test_what_work_on_a_thread_refers_to_is_freed_while_the_window_stays_open(viewer, until):
    class Payload:
        """Stands for the cube of a prediction."""

    payload, found = Payload(), []
    reference = weakref.ref(payload)
    queue = JobQueue(viewer, "Predict", "", "")
    queue._aside(lambda payload=payload: str(payload), found.append)
    del payload
    until(lambda: found)
    until(lambda: gc.collect() >= 0 and reference() is None)


def test_a_process_loads_what_jobs_need_while_the_form_is_filled_in(open_image, until, monkeypatch):
    kept = []
    monkeypatch.setattr(job_queue, "_AT_REST", 0)
    monkeypatch.setattr(job_queue.standby, "keep", lambda: kept.append(True))
    widgets.predict(open_image[0])
    until(lambda: bool(kept))
