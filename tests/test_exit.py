"""How processes end: nothing on standard error, whatever was still being read; and what the demo says last."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai import Cube, files, write
from napari_spectrai.cli import app, train_command
from napari_spectrai.cli.train_command import _next
from napari_spectrai.runs import RunFolder

WRITTEN_AND_SLOWLY_READ = """
import numpy as np
from napari_spectrai import Cube, read, write
write(Cube(np.zeros((1000, 500), np.float32)), {path!r})
assert np.asarray(read({path!r}).data[850]).sum() == 0
import asyncio, contextlib, concurrent.futures.thread, itertools, threading
from zarr.storage import LocalStore
get, begun, count = LocalStore.get, threading.Event(), itertools.count()
async def slow(self, key, *more, **options):
    if "/c/" in f"/{{key}}":  # every second chunk waits until the process ends, the others for ever
        ever = next(count) % 2
        begun.set()
        while ever or not concurrent.futures.thread._shutdown:
            await asyncio.sleep(0.01)
    return await get(self, key, *more, **options)
LocalStore.get = slow
cube = read({path!r})
def reader():
    with contextlib.suppress(Exception):  # the read is cancelled
        np.asarray(cube.data)
threading.Thread(target=reader, daemon=True).start()
assert begun.wait(900)
"""


def test_a_process_that_ends_while_it_reads_zarr_ends_in_silence(tmp_path):
    code = WRITTEN_AND_SLOWLY_READ.format(path=str(tmp_path / "x.zarr"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_demo_ends_with_commands_that_exist():
    advice = _next(Path("out/model.safetensors"), RunFolder("out/run"))
    assert "out/run/report.html" in advice
    assert re.search(r"napari-spectrai info out/model\.safetensors ", advice)
    assert re.search(r"napari FILE ", advice)


def test_the_demo_without_qt_names_the_remedy_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(train_command, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "demo")])
    assert (done.exit_code, (tmp_path / "demo").exists()) == (1, False)
    assert 'pip install "napari-spectrai[all]", or demo --no-window' in done.output
    advice = _next(Path("out/model.safetensors"), RunFolder("out/run"))
    assert "napari FILE" not in advice
    assert 'pip install "napari-spectrai[all]"' in advice


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a signal of POSIX")
def test_a_command_whose_terminal_closes_ends_in_order(tmp_path):
    code = """
import os, signal
from rich.progress import Progress
from napari_spectrai.cli.common import console, exit_on_signal
signal.signal(signal.SIGHUP, exit_on_signal)
try:
    with Progress(console=console) as bar:
        bar.add_task("working", total=None)
        open("ready", "w").close()
        signal.pause()
finally:
    open("tidied", "w").close()
"""
    master, terminal = os.openpty()
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    while not (tmp_path / "ready").exists() and child.poll() is None:
        time.sleep(0.02)
    os.close(master)  # from now on each write to the terminal is an error
    child.send_signal(signal.SIGHUP)
    assert child.wait(600) == 3
    assert (tmp_path / "tidied").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="signals of POSIX")
def test_a_command_that_is_interrupted_while_it_is_imported_and_help_that_nobody_reads_end_in_silence():
    interrupting = """
import os, signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "napari_spectrai.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from napari_spectrai.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", interrupting], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
    child = subprocess.Popen([sys.executable, "-m", "napari_spectrai", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    with child.stderr:
        assert child.stderr.read() == b""
    assert child.wait(600) == -signal.SIGPIPE


@pytest.mark.parametrize(
    "command", [["preprocess", "steps.yml", "INPUT", "-o", "OUT.h5"], ["map", "band", "INPUT", "-o", "OUT", "low=1", "high=2"]]
)
def test_a_folder_that_cannot_be_written_is_reported_before_the_work(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("steps.yml").write_text("- kind: normalise")
    write(Cube(np.ones((2, 2, 4), np.float32)), "x.npz")
    monkeypatch.setattr(files.os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    done = CliRunner().invoke(app, [word.replace("INPUT", "x.npz") for word in command])
    assert done.exit_code == 1
    assert "Permission denied: choose a folder that can be written" in done.output
    assert not list(tmp_path.glob("OUT*"))
