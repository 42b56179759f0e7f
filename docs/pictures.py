"""Take the screenshots in the README from the running program: ``python docs/pictures.py`` (needs a display)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NAPARI_SPECTRAI_RUNS"] = tempfile.mkdtemp(prefix="pictures-")
os.environ["NAPARI_CONFIG"] = ""  # napari's own settings, not those of whoever takes the pictures

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_spectrai.widgets import fold_state
from napari_spectrai.widgets.dock import opened

IMAGES = Path(__file__).parent / "images"
EXACT = 160
"""Colours of a picture that are kept as they are."""
fold_state.place = lambda: Path(os.environ["NAPARI_SPECTRAI_RUNS"]) / "folds.json"  # default state


def settle(seconds: float = 0.6, until: Callable[[], bool] | None = None, limit: float = 240) -> None:
    """Process events, for a time or until a condition is true, at most `limit` seconds."""
    end = time.monotonic() + (limit if until else seconds)
    while time.monotonic() < end and not (until and until()):
        QApplication.processEvents()
        time.sleep(0.02)


def still(viewer: napari.Viewer, limit: float = 15) -> None:
    """Wait until the window has looked the same for a second, or until `limit` seconds are over: curves of a training keep moving."""
    end, before = time.monotonic() + limit, None
    while time.monotonic() < end:
        settle(1)
        picture = viewer.screenshot(canvas_only=False, flash=False)
        if before is not None and picture.shape == before.shape and (picture == before).all():
            return
        before = picture


def keep(viewer: napari.Viewer, path: Path) -> None:
    """Write a screenshot of 256 colours: those that most pixels have as they are, so that nothing is tinted, and others for the rest."""
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    flat = np.asarray(picture).reshape(-1, 3)
    colours, index, counts = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
    exact = np.argsort(counts)[::-1][:EXACT]
    palette = colours[exact].ravel().tolist()
    rest = flat[~np.isin(index.ravel(), exact)]
    if len(rest):
        others = Image.fromarray(rest[None]).quantize(256 - EXACT, method=Image.Quantize.MEDIANCUT, kmeans=1).getpalette() or []
        palette += others[: 3 * (256 - EXACT)]
    holder = Image.new("P", (1, 1))
    holder.putpalette(palette)
    picture.quantize(palette=holder, dither=Image.Dither.NONE).save(path, optimize=True)


def save(viewer: napari.Viewer, name: str) -> None:
    """Save a screenshot of the whole window, with the whole image."""
    still(viewer)
    viewer.reset_view()
    settle(1)
    IMAGES.mkdir(exist_ok=True)
    keep(viewer, IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


def main() -> None:
    """Drive the three docks over the Raman pairs, and the Spectra dock over an image."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 1000)
    viewer.open_sample("napari-spectrai", "raman_pairs")
    noisy = viewer.layers["Raman pairs"]

    train = opened(viewer, "Train")
    train.experiment = train.experiment.override("split.test=0.2", "split.validation=0.04")
    settle(1)
    train.start()
    settle(until=lambda: "epoch 60 " in train.view.status or "failed" in train.view.status)
    save(viewer, "train")
    settle(until=lambda: train.state == "idle")
    save(viewer, "train-done")
    viewer.window.remove_dock_widget(train.native)

    predict = opened(viewer, "Predict")
    predict.layer = noisy
    predict.start()
    settle(until=lambda: predict.status.startswith(("done", "failed")))
    save(viewer, "predict")
    viewer.window.remove_dock_widget(predict.native)

    spectra = opened(viewer, "Spectra")
    points = viewer.add_points(np.array([[250, 780], [250, 930]]), name="pins", size=12, face_color="#d8d84a")
    spectra.points = points
    spectra.look_at((250.0, 905.0))
    save(viewer, "spectra")
    viewer.close()
    three_kinds()


def window(sample: str) -> napari.Viewer:
    """Open a window on a sample."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 900)
    viewer.open_sample("napari-spectrai", sample)
    return viewer


def three_kinds() -> None:
    """Drive the Spectra and Preprocess docks over a Raman map, a lambda stack and a reflectance scene."""
    viewer = window("cartilage")
    spectra, cube = opened(viewer, "Spectra"), viewer.layers["Cartilage"]
    for y, x in ((5, 6), (20, 30)):
        spectra.pins.pin((1450.0, y, x))
    viewer.layers.selection.active = cube
    spectra.tools[0].toggle()
    spectra.tools.pick.value = True
    spectra.tools.range.value = "1430–1470"
    spectra.look_at((1004.0, 12.0, 17.0))
    spectra.tools.make("mean")
    settle(until=lambda: len(viewer.layers) == 3)
    viewer.layers.move(2, 1)
    save(viewer, "spectra-raman")
    viewer.close()

    viewer = window("lambda_stack")
    spectra, cube = opened(viewer, "Spectra"), viewer.layers["Five dyes"]
    boxes = [np.array([[8, 5], [8, 11], [12, 11], [12, 5]]), np.array([[15, 25], [15, 29], [19, 29], [19, 25]])]
    shapes = viewer.add_shapes(
        boxes,
        shape_type=["rectangle", "ellipse"],
        edge_color=["red", "cyan"],
        face_color="transparent",
        edge_width=0.3,
        name="regions",
        units=("um", "um"),
    )
    viewer.layers.selection.active = cube
    spectra.regions = shapes
    spectra.look_at((540.0, 4.0, 9.0))
    spectra.tools.make("true")
    settle(until=lambda: len(viewer.layers) == 3)
    viewer.layers.move(2, 1)
    settle(1)
    save(viewer, "spectra-lambda")
    viewer.close()

    viewer = window("indian_pines")
    spectra, cube = opened(viewer, "Spectra"), viewer.layers["Indian Pines"]
    viewer.layers.selection.active = cube
    spectra.regions = viewer.layers["Indian Pines · classes"]
    spectra.look_at((30.0, 70.0, 70.0))
    settle(2)
    save(viewer, "spectra-reflectance")
    viewer.close()

    chains: dict[str, tuple[list[object], tuple[int, int]]] = {
        "cartilage": ([{"kind": "arpls", "smoothness": 1e5}, {"kind": "normalise", "by": "snv"}], (12, 17)),
        "lambda_stack": (["gaussian", {"kind": "normalise", "by": "area"}], (70, 60)),
        "indian_pines": (
            [{"kind": "remove_bands", "ranges": [[1320, 1500], [1780, 1980]]}, {"kind": "savitzky_golay", "window": 7}],
            (70, 70),
        ),
    }
    for sample, name in (("cartilage", "raman"), ("lambda_stack", "lambda"), ("indian_pines", "reflectance")):
        viewer = window(sample)
        prepare = opened(viewer, "Preprocess")
        prepare.steps, place = chains[sample]
        prepare.form.items[0].toggle()
        prepare.look_at(place)
        settle(1)
        prepare.start()
        settle(until=lambda prepare=prepare: prepare.status.startswith(("done", "failed")))
        save(viewer, f"preprocess-{name}")
        viewer.close()


if __name__ == "__main__":
    main()
