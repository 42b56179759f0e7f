"""How free the window stays while a network trains on the CPU, and how soon a dock is there: ``python benchmarks/event_loop.py``.

A timer of 16 ms ticks in napari's own event loop: idle, then with the Train dock training on the bundled Raman pairs and on the lambda
stack (an image), from the press of the button on. A tick is late by what its distance from the one before exceeds 16 ms. Targets: 95 %
late by no more than 10 ms, no pause of 100 ms. Full collections of Python's garbage, which any napari window has now and then, are told
beside them. Then, in new processes, each dock is opened as the first: import, construction and first picture, beyond napari's own start;
target 0.5 s.

``--where`` also prints what the window was doing in its longest pauses.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager

import numpy as np

TICK = 0.016
SCENES = {
    "raman_pairs": ["split.validation=0.1"],
    "lambda_stack": ["task.learns_from=bands", "network=unet", "loss=mse"],
}
"""Samples to train on, spectra and an image, with what is set in the dock."""
DOCKS = ("Spectra", "Preprocess", "Train", "Predict", "Open as a spectral image")


class Ticks:
    """A timer, and how late it was."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.times: list[float] = []
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(lambda: self.times.append(time.perf_counter()))
        self.timer.start(round(TICK * 1000))

    def taken(self) -> str:
        """Return the figures since the last call."""
        distances = np.diff(self.times) * 1000
        self.times = self.times[-1:]
        late = np.maximum(0, distances - TICK * 1000)
        median, most = np.percentile(late, (50, 95))
        return f"{len(late):>6} {median:>8.1f} {most:>8.1f} {late.max():>8.1f} {distances.max():>8.1f}"


@contextmanager
def watched(ticks: Ticks, threshold: float = 0.03):
    """Look at the window's stack whenever a tick is overdue."""
    main, ending, found = threading.main_thread().ident, threading.Event(), Counter()

    def watch() -> None:
        while not ending.wait(0.004):
            if ticks.times and time.perf_counter() - ticks.times[-1] > threshold:
                stack = traceback.extract_stack(sys._current_frames()[main])  # noqa: SLF001  # made for this
                ours = [frame for frame in stack if "napari_spectrai" in frame.filename or "_qt" in frame.filename]
                found[" < ".join(f"{frame.name}:{frame.lineno}" for frame in [stack[-1], *reversed(ours[-4:])])] += 1

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield found
    ending.set()
    thread.join()


@contextmanager
def collected():
    """Note how long each full collection of garbage halts Python."""
    begun, took = [0.0], []

    def note(phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2 and phase == "start":
            begun[0] = time.perf_counter()
        elif info["generation"] == 2:
            took.append(time.perf_counter() - begun[0])

    gc.callbacks.append(note)
    yield took
    gc.callbacks.remove(note)


def work(seconds: float) -> None:
    """Let the window work."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def until(condition, seconds: float = 120) -> None:
    """Let the window work until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        work(0.05)


def responsiveness(seconds: float, *, where: bool) -> None:
    """Print how late ticks are, idle and while training."""
    import napari

    viewer = napari.Viewer()
    _, train = viewer.window.add_plugin_dock_widget("napari-spectrai", "Train")
    work(2)
    ticks = Ticks()
    print(f"{'':<44}{'ticks':>6} {'median':>8} {'95 %':>8} {'worst':>8} {'pause':>8}   ms late", flush=True)
    work(seconds)
    print(f"{'idle':<44}{ticks.taken()}", flush=True)
    for sample, settings in SCENES.items():
        viewer.layers.clear()
        viewer.open_sample("napari-spectrai", sample)
        work(1)
        train.experiment = train.experiment.override(*settings, "training.epochs=100000", "training.device=cpu")
        work(1)
        with watched(ticks) as found, collected() as garbage:
            ticks.taken()
            train.start()
            until(lambda: train.state == "running")
            print(f"{f'{sample}, starting':<44}{ticks.taken()}", flush=True)
            work(seconds)
            print(f"{f'{sample}, {train.experiment.network.kind}, training':<44}{ticks.taken()}", flush=True)
            train.stop()
            until(lambda: train.state == "idle")
            print(f"{f'{sample}, stopping':<44}{ticks.taken()}", flush=True)
        print(f"    full garbage collections: {len(garbage)}{''.join(f', {took * 1000:.0f} ms' for took in garbage)}", flush=True)
        if where:
            for stack, count in found.most_common(12):
                print(f"    {count:>4} × {stack}", flush=True)
    viewer.close()


def first_shown(name: str) -> None:
    """Print how long the first dock takes to be there, in this process."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    for _ in range(20):
        QApplication.processEvents()
    before = time.perf_counter()
    dock, _ = viewer.window.add_plugin_dock_widget("napari-spectrai", name)
    while not dock.isVisible():
        QApplication.processEvents()
    dock.repaint()
    QApplication.processEvents()
    print(time.perf_counter() - before)
    viewer.close()


def starts(repeats: int) -> None:
    """Print how soon each dock is there, in new processes."""
    print(f"\n{'first dock, beyond the start of napari':<44}{'median':>8} {'worst':>8}   s")
    for name in DOCKS:
        took = [
            float(subprocess.run([sys.executable, __file__, "--dock", name], capture_output=True, text=True, check=True).stdout.split()[-1])
            for _ in range(repeats)
        ]
        print(f"{name:<44}{np.median(took):>8.2f} {max(took):>8.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each dock")
    parser.add_argument("--where", action="store_true", help="print what the window did in its longest pauses")
    parser.add_argument("--dock", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.dock:
        first_shown(chosen.dock)
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["NAPARI_SPECTRAI_RUNS"] = folder
            responsiveness(chosen.seconds, where=chosen.where)
            if chosen.repeats:
                starts(chosen.repeats)
