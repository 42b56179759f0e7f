"""Open, look, train, predict and close, again and again in one napari: ``xvfb-run python benchmarks/soak.py --minutes 120``.

Each round opens a window on a spectral file, moves the cursor in the Spectra dock, trains a small network in the Train dock, applies it
in the Predict dock, and closes the window. After it, memory, threads, open files, child processes, Qt's widgets, and the viewers and docks
that Python still holds are printed; at the end, what they grow by per round over the second half. ``--look`` leaves out training and
prediction, so that rounds are short and windows and docks alone are measured.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

SETTINGS = (
    "training.epochs=3", "training.batch=16", "training.device=cpu", "network={kind: residual_mlp, width: 16}", "split.validation=0.2",
)  # fmt: skip
PATIENCE = 600.0


def scene(folder: Path) -> tuple[Path, Path]:
    """Write a noisy image and its truth; return the files."""
    from napari_spectrai import Cube, SpectralAxis, write

    rng = np.random.default_rng(0)
    band = np.arange(100)
    peaks = np.exp(-0.5 * ((band - np.array([[30], [70]])) / 5) ** 2)
    clean = (rng.uniform(0.2, 1, (64, 64, 2)) @ peaks + 0.1).astype(np.float32)
    axis = SpectralAxis(np.linspace(600, 1800, 100), "1/cm")
    noisy = (clean + rng.normal(0, 0.1, clean.shape)).astype(np.float32)
    return write(Cube(noisy, axis), folder / "noisy.zarr"), write(Cube(clean, axis), folder / "clean.zarr")


def until(condition: Callable[[], bool]) -> None:
    """Let Qt work until something is true."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} did not become true within {PATIENCE:.0f} s")
        QApplication.processEvents()
        time.sleep(0.01)


def settle(seconds: float = 0.5) -> float:
    """Let Qt delete what was closed, napari's cache forget it, Python collect it, and the C library return it; return the MB of the cache.

    napari keeps what dask has computed, up to a fourth of the machine's memory, also of layers that are gone: that is no leak, and it
    would hide one.
    """
    from napari.utils import resize_dask_cache
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.01)
    cache = resize_dask_cache().cache
    cached: float = cache.total_bytes / 1e6
    cache.clear()
    gc.collect()
    if sys.platform == "linux":  # free memory that the C library keeps is no leak
        ctypes.CDLL(None).malloc_trim(0)
    return cached


def one_round(noisy: Path, clean: Path, folder: Path, *, look: bool) -> None:
    """Do in a new window what a person does, and close it."""
    import napari

    import napari_spectrai as spectrai

    viewer = napari.Viewer(show=True)
    (source,) = viewer.open(noisy, plugin="napari-spectrai")
    (truth,) = viewer.open(clean, plugin="napari-spectrai")
    spectra = spectrai.widgets.spectra(viewer)
    for place in ((0.0, 20.0, 20.0), (0.0, 40.0, 10.0)):
        spectra.look_at(place)
        until(lambda: source.name in spectra.plot.names())
    train, predict = spectrai.widgets.train(viewer), spectrai.widgets.predict(viewer)
    if not look:
        train.take(source)
        train.data.first.truth.value = truth
        train.experiment = train.experiment.override(*SETTINGS)
        train.start()
        until(lambda: train.state == "idle")
        predict.model, predict.layer = train.run.folder.best, source
        predict.start()
        until(lambda: predict.status.startswith(("done", "failed")))
        if not predict.status.startswith("done"):
            raise RuntimeError(predict.status)
    viewer.screenshot(str(folder / "last.png"), canvas_only=False, flash=False)
    viewer.close()


def counts() -> dict[str, float]:
    """Return what is held by this process, and by Python in it."""
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    from napari_spectrai.widgets.dock import Dock

    process = psutil.Process()
    held: list[Any] = gc.get_objects()
    return {
        "memory / MB": process.memory_full_info().uss / 1e6, "threads": process.num_threads(), "files": process.num_fds(),
        "processes": len(process.children(recursive=True)), "widgets": len(QApplication.allWidgets()),
        "viewers": sum(isinstance(one, ViewerModel) for one in held), "docks": sum(isinstance(one, Dock) for one in held),
    }  # fmt: skip


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=10**9)
    parser.add_argument("--look", action="store_true", help="leave out training and prediction")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["NAPARI_SPECTRAI_RUNS"] = str(folder / "runs")
        os.environ.setdefault("NAPARI_CONFIG", "")
        noisy, clean = scene(folder)
        rows: list[dict[str, float]] = []
        begun = time.monotonic()
        while len(rows) < arguments.rounds and time.monotonic() - begun < 60 * arguments.minutes:
            one_round(noisy, clean, folder, look=arguments.look)
            cached = settle()
            rows.append({"cached / MB": cached, **counts()})
            if len(rows) == 1:
                print("round  seconds  " + "  ".join(rows[0]))
            values = "  ".join(f"{value:>{len(name)}.0f}" for name, value in rows[-1].items())
            print(f"{len(rows):>5}  {time.monotonic() - begun:>7.0f}  {values}", flush=True)
        late = rows[len(rows) // 2 :]
        if len(late) > 2:
            print(f"\ngrowth per round over the last {len(late)} rounds:")
            for name in late[0]:
                slope = np.polyfit(np.arange(len(late)), [row[name] for row in late], 1)[0]
                print(f"  {name:<12} {slope:+.2f}")


if __name__ == "__main__":
    main()
