"""Who works in a run folder, and who is ended: only a process that the system itself names as the holder of the folder's lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from napari_spectrai import Experiment, Run
from napari_spectrai.runs import Finished, RunFolder, lock
from napari_spectrai.runs.process_info import ProcessInfo

BYSTANDER = "import sys, time; print('up', flush=True); sys.stdin.read()"
HOLDER = """
import sys
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.process_info import works_alone
if {alone}: works_alone()
RunFolder({path!r}).claim()
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(code: str):
    """Yield a process that waits until its standard input ends."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"up\n"
        try:
            yield child
        finally:
            child.kill()


def claim_of(pid: int, **more) -> str:
    info = ProcessInfo.here()
    return json.dumps({"pid": pid, "host": info.host, "started": psutil.Process(pid).create_time(), "alone": True} | more)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder.create(Experiment(), tmp_path / "run")


def tried_to_stop(folder: RunFolder) -> str:
    try:
        Run.attach(folder).stop(grace=0.1)
    except RuntimeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("more", [{}, {"locked": True}])
def test_a_foreign_process_that_a_file_names_is_never_signalled(folder, more):
    with process(BYSTANDER) as bystander:
        folder._owner.write_text(claim_of(bystander.pid, **more))
        told = tried_to_stop(folder)
        assert bystander.poll() is None
        assert "cannot be proven" in told or not Run.attach(folder).alive


def test_a_foreign_process_is_not_signalled_because_another_works_here(folder):
    with process(HOLDER.format(path=str(folder.path), alone=True)) as holder, process(BYSTANDER) as bystander:
        folder._owner.write_text(claim_of(bystander.pid, locked=True))
        assert folder.worker().pid == holder.pid
        assert lock.proven(folder._lock, bystander.pid) is None
        tried_to_stop(folder)
        assert holder.wait(900) == -signal.SIGTERM
        assert bystander.poll() is None


def test_the_worker_of_another_folder_is_not_signalled(folder, tmp_path):
    other = RunFolder.create(Experiment(), tmp_path / "other")
    with process(HOLDER.format(path=str(other.path), alone=True)) as holder:
        folder._owner.write_bytes(other._owner.read_bytes())
        for copied in ("copy", "link", "hard link"):
            folder._lock.unlink(missing_ok=True)
            if copied == "copy":
                folder._lock.write_bytes(b"")
            elif copied == "link":
                folder._lock.symlink_to(other._lock)
            else:
                os.link(other._lock, folder._lock)
            tried_to_stop(folder)
            assert holder.poll() is None


def test_a_session_that_does_other_work_is_not_signalled_whatever_the_file_says(folder):
    with process(HOLDER.format(path=str(folder.path), alone=False)) as holder:
        folder._owner.write_text(claim_of(holder.pid, locked=True, alone=True))
        assert "does more than this run" in tried_to_stop(folder)
        assert holder.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"pid": 1}', '{"pid": "1", "started": 0, "host": ""}', "[" * 100_000,
                                  '{"pid": %s, "started": 0, "host": ""}' % ("9" * 5000), '{"pid": -1, "started": 0, "host": "x"}',
                                  '{"pid": true, "started": 0, "host": "x"}', '{"pid": 1, "started": 1e999, "host": 3}'])  # fmt: skip
def test_a_damaged_claim_claims_nothing(folder, text):
    folder._owner.write_text(text)
    assert folder.worker() is None
    assert folder.state() == "new"
    folder.claim()
    assert folder.owner() == os.getpid()
    folder.release()
    assert folder.owner() is None


def test_of_many_simultaneous_claims_exactly_one_succeeds(folder):
    code = f"""
import sys
from napari_spectrai.runs import RunFolder
print("up", flush=True)
sys.stdin.readline()
try:
    RunFolder({str(folder.path)!r}).claim()
    print("works", flush=True)
except RuntimeError as error:
    print(error, flush=True)
sys.stdin.readline()
"""
    many = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        for child in many:
            assert child.stdout.readline() == "up\n"
        for child in many:
            child.stdin.write("\n")
            child.stdin.flush()
        told = [child.stdout.readline() for child in many]
    finally:
        for child in many:
            child.communicate("\n", timeout=900)
    assert told.count("works\n") == 1
    assert sum("already working" in line for line in told) == 3


def test_a_lock_is_held_exactly_as_long_as_its_process_lives(folder):
    with process(HOLDER.format(path=str(folder.path), alone=True)) as holder:
        for _ in range(3):  # asking lets go of nothing
            assert folder.owner() == holder.pid
        with pytest.raises(RuntimeError, match=f"process {holder.pid} is already working"):
            folder.claim()
        holder.kill()
        holder.wait()
        assert folder.owner() is None
    folder.claim()
    folder.release()


def test_a_run_is_started_by_the_process_that_works_there_alone(folder):
    """Whoever is refused has changed nothing, or the run would be resumed with another document."""
    other = Experiment(name="other")
    with process(HOLDER.format(path=str(folder.path), alone=True)), pytest.raises(FileExistsError, match="which is running"):
        RunFolder.create(other, folder.path)
    folder.claim()
    with pytest.raises(FileExistsError, match="which is running"):
        RunFolder.create(other, folder.path)
    folder.release()
    assert folder.experiment() == Experiment()
    folder.claim(lambda: folder.begin(other))
    folder.append(Finished("done"))
    folder.release()
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    for begin, error in ((folder.refuse_finished, ValueError), (lambda: folder.begin(Experiment()), FileExistsError)):
        with pytest.raises(error, match="has finished"):
            folder.claim(begin)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    assert folder.state() == "finished"
    assert folder.experiment() == other


def test_without_file_locks_the_claim_is_respected_and_no_process_ended(folder, monkeypatch):
    def unsupported(*_):
        raise OSError(lock.errno.ENOLCK, "no locks available")

    monkeypatch.setattr(lock, "_lock", unsupported)
    folder.claim()
    assert folder.owner() == os.getpid()
    assert not folder.worker().locked
    with pytest.raises(RuntimeError, match="already working"):
        RunFolder(folder.path).claim()
    assert "cannot be proven" in tried_to_stop(folder)
    folder.release()


def test_a_command_is_received_when_the_clock_was_set_back(folder):
    folder.say("stop")
    folder.claim()
    assert folder.command() == ""  # of before: meant for another
    folder.say("pause")
    os.utime(folder._control, (0, 0))  # the clock was set back
    assert folder.command() == "pause"
    folder.stop_here()
    assert folder.command() == "stop"
    folder.consume_command()
    assert folder.command() == ""
    folder.release()
