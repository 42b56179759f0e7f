"""The longest pause of napari's window at each step of a day's work: ``python benchmarks/pauses.py`` (needs a display).

A timer of 5 ms ticks in the event loop of a window of 1280 × 720 pixels. The distance of two ticks is a pause: on the clock, and in time of
the processor on the main thread, which other programs of the machine hardly change. What napari alone does with an image and with labels
is measured first. Target: no pause of 100 ms. ``--profile FOLDER`` writes a profile of the longest turn of each step there, which takes
about twice as long with it.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DOCKS = ("Spectra", "Train", "Predict", "Evaluate", "Maps", "Preprocess")


class Steps:
    """Does steps in the event loop and prints the longest pause of each."""

    def __init__(self, profiles: Path | None) -> None:
        from qtpy.QtCore import Qt, QTimer

        self._profiles, self._marks = profiles, [(0.0, 0.0)]
        self._profile: cProfile.Profile | None = None
        self._longest: tuple[float, cProfile.Profile | None] = (0.0, None)
        if profiles is not None:
            profiles.mkdir(parents=True, exist_ok=True)
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(5)
        print(f"{'longest pause in ms':<40}{'processor':>10} {'clock':>8}   others above 50 ms of the processor", flush=True)

    def _tick(self) -> None:
        if self._profile is not None:
            self._profile.disable()
        self._marks.append((time.perf_counter(), time.thread_time()))
        if self._profile is not None:
            took = self._marks[-1][1] - self._marks[-2][1]
            if took > self._longest[0]:
                self._longest = (took, self._profile)
            self._profile = cProfile.Profile(time.thread_time)
            self._profile.enable()

    def do(self, name: str, step: Callable[[], Any], after: float = 2) -> Any:
        """Do a step as an event of its own, let the window work for some seconds, and return the result."""
        from qtpy.QtCore import QTimer

        wait(0.1)
        self._marks, done = self._marks[-1:], []
        self._longest = (0.0, None)
        self._profile = cProfile.Profile(time.thread_time) if self._profiles else None
        if self._profile is not None:
            self._profile.enable()
        QTimer.singleShot(0, lambda: done.append(step()))
        while not done:
            wait(0.05)
        wait(after)
        if self._profile is not None and self._profiles is not None:
            self._profile.disable()
            self._profile = None
            if self._longest[1] is not None:
                with (self._profiles / "{}.txt".format(re.sub(r"\W+", "_", name))).open("w") as file:
                    pstats.Stats(self._longest[1], stream=file).sort_stats("cumulative").print_stats(150)
        clock, processor = np.diff(np.array(self._marks), axis=0).T * 1000
        others = np.sort(processor[processor > 50])[::-1][1:]
        print(f"{name:<40}{processor.max():>10.0f} {clock.max():>8.0f}   {', '.join(f'{one:.0f}' for one in others)}", flush=True)
        return done[0]


def wait(seconds: float) -> None:
    """Let the window work."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def main(sample: str, profiles: Path | None) -> None:
    """Take all steps."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(1280, 720)
    wait(2)
    steps = Steps(profiles)
    numbers = np.random.default_rng(0).random((28, 256, 256), np.float32)
    for which in ("a first", "another"):
        image = steps.do(f"napari alone: {which} image", lambda: viewer.add_image(numbers, name="plain"))
        steps.do(f"napari alone: {which} map", lambda: viewer.add_image(numbers[0], name="plain map"))
        steps.do(f"napari alone: {which} labels", lambda: viewer.add_labels(np.zeros((256, 256), np.int32), name="plain labels"))
    steps.do("napari alone: one image removed", lambda: viewer.layers.remove(image))
    steps.do("napari alone: all removed", viewer.layers.clear)
    steps.do(f"open the sample {sample}", lambda: viewer.open_sample("napari-spectrai", sample), after=10)
    from napari_spectrai import as_cube
    from napari_spectrai.widgets.dock import open_in_turns
    from napari_spectrai.widgets.layers import add_cube

    layer = viewer.layers[0]
    for name in DOCKS:
        steps.do(f"open {name}", lambda name=name: open_in_turns(viewer, name), after=4)
    for place in (5, 6):
        steps.do("move the slider", lambda place=place: viewer.dims.set_current_step(0, place))
    result = steps.do("show a result", lambda: add_cube(viewer, as_cube(layer), name="result"), after=4)
    steps.do("remove it", lambda: viewer.layers.remove(result), after=3)
    shape, lies = layer.data.shape[-2:], {"scale": layer.scale[-2:], "translate": layer.translate[-2:], "units": layer.units[-2:]}
    labels = steps.do("add labels", lambda: viewer.add_labels(np.zeros(shape, np.int32), name="strokes", **lies), after=4)
    labels.brush_size = 4
    for number in (1, 2):
        steps.do("paint", lambda number=number: labels.paint((5 * number, 6), number))
    viewer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", default="lambda_stack", help="sample that is opened")
    parser.add_argument("--profile", type=Path, help="folder for a profile of each step")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_SPECTRAI_RUNS"] = folder
        main(chosen.sample, chosen.profile)
