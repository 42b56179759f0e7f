"""Take the pictures in the README from the running program: ``python docs/pictures.py`` (needs a display)."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NAPARI_SPECTRAI_RUNS"] = tempfile.mkdtemp(prefix="pictures-")

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

IMAGES = Path(__file__).parent / "images"


def settle(seconds: float = 0.6, until: Callable[[], bool] | None = None) -> None:
    """Let the window work, for a time or until something is true."""
    end = time.monotonic() + (240 if until else seconds)
    while time.monotonic() < end and not (until and until()):
        QApplication.processEvents()
        time.sleep(0.02)


def save(viewer: napari.Viewer, name: str) -> None:
    """Save a picture of the whole window."""
    settle()
    IMAGES.mkdir(exist_ok=True)
    viewer.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False)
    print(IMAGES / f"{name}.png")


def main() -> None:
    """Drive the three docks over the Raman pairs, and the Spectra dock over an image."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 1000)
    viewer.open_sample("napari-spectrai", "raman_pairs")
    noisy = viewer.layers["Raman pairs"]

    _, train = viewer.window.add_plugin_dock_widget("napari-spectrai", "Train")
    train.experiment = train.experiment.override("split.test=0.2", "split.validation=0.04")
    settle(1)
    train.start()
    settle(until=lambda: "epoch 60 " in train.view.status or "failed" in train.view.status)
    save(viewer, "train")
    settle(until=lambda: train.state == "idle")
    save(viewer, "train-done")
    viewer.window.remove_dock_widget(train.native)

    _, predict = viewer.window.add_plugin_dock_widget("napari-spectrai", "Predict")
    predict.layer = noisy
    predict.start()
    settle(until=lambda: predict.status.startswith(("done", "failed")))
    save(viewer, "predict")
    viewer.window.remove_dock_widget(predict.native)

    _, spectra = viewer.window.add_plugin_dock_widget("napari-spectrai", "Spectra")
    points = viewer.add_points(np.array([[250, 780], [250, 930]]), name="pins", size=12, face_color="#d8d84a")
    spectra.points = points
    spectra.look_at((250.0, 905.0))
    save(viewer, "spectra")
    viewer.close()


if __name__ == "__main__":
    sys.exit(main())
