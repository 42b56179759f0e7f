"""Screenshots of docs/gallery.md from the running program, one example per task: ``make gallery`` (needs a display; about ten minutes).

``python docs/gallery.py segmentation`` takes those of one task.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pictures import keep, settle, still, window  # in the same folder
from PIL import Image
from scipy.ndimage import gaussian_filter1d

import napari_spectrai as spectrai
from napari_spectrai import Cube, SpectralAxis, as_cube, sample
from napari_spectrai.widgets.layers import add_cube

IMAGES = Path(__file__).parent / "images" / "gallery"


class Story:
    """A napari window that demonstrates one task; screenshots are numbered."""

    def __init__(self, task: str, opened: str) -> None:
        self.task, self.number = task, 0
        self.framed = False
        """Whether the camera shows a part that was chosen; else the whole image is shown."""
        self.viewer = window(opened)
        self.viewer.window.resize(1280, 720)
        if opened == "indian_pines":  # a band with more to see, over its own range
            self.viewer.dims.set_current_step(0, 30)
            scene = self.viewer.layers["Indian Pines"]
            scene.contrast_limits = np.percentile(scene.data[30], (1, 99))

    def take(self, name: str) -> None:
        """Take a screenshot of the whole window."""
        still(self.viewer, 4 if name == "training" else 15)
        if not self.framed:  # the canvas has its final size now
            self.viewer.reset_view()
            settle(1)
        self.number += 1
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"{self.task}-{self.number}-{name}.png"
        keep(self.viewer, path)
        print(path, flush=True)

    def look(self, place: tuple[float, ...], **points: Any) -> None:
        """Show the spectra at a position."""
        spectra = spectrai.widgets.spectra(self.viewer)
        spectra.look_at(place)
        self.take("look")
        self.leave(spectra)

    def prepare(self, layer: Any, steps: list[Any], place: tuple[int, ...]) -> None:
        """Show the effect of the preparation."""
        dock = spectrai.widgets.preprocess(self.viewer)
        dock.take(layer)
        dock.steps = steps
        dock.look_at(place)
        self.take("prepare")
        self.leave(dock)

    def train(self, source: Any, truth: Any, *settings: str, until: Callable[[Any], bool] | None = None) -> Path:
        """Train, with screenshots before (with the split), during and after the training."""
        dock = spectrai.widgets.train(self.viewer)
        dock.form.task.value = self.task
        dock.take(source)
        if truth is not None:
            dock.data.first.truth.value = truth
        dock.experiment = dock.experiment.override(*settings)
        settle(until=lambda: dock.ready.examined is not None and not dock.ready.estimating.busy)
        dock.ready.show_split()
        self.take("before")
        for layer in [one for one in self.viewer.layers if one.name.endswith("· split")]:
            self.viewer.layers.remove(layer)
        self.viewer.layers.selection.active = source
        dock.start()
        settle(until=until or (lambda: "best validation" in dock.view.status or dock.view.candidates.visible or dock.state == "idle"))
        self.take("training")
        settle(until=lambda: dock.state == "idle", limit=1800)
        self.take("trained")
        print(dock.view.status, flush=True)
        self.leave(dock)
        return Path(dock.run.folder.best)

    def predict(self, model: Path, layer: Any) -> Any:
        """Apply the model; return the result."""
        dock = spectrai.widgets.predict(self.viewer)
        dock.model, dock.layer = model, layer
        settle(1)
        dock.start()
        settle(until=lambda: dock.status.startswith(("done", "failed")))
        print(dock.status, flush=True)
        self.take("predict")
        self.leave(dock)
        return next(one for one in self.viewer.layers if one.metadata.get("prediction", {}).get("role") == "result")

    def evaluate(self, result: Any, truth: Any, show: Callable[[Any], Any] | None = None) -> None:
        """Evaluate the result, and show maps, spectra or classes."""
        dock = spectrai.widgets.evaluate(self.viewer)
        dock.result, dock.truth = result, truth
        dock.start()
        settle(until=lambda: dock.status.startswith(("done", "failed")))
        print(dock.status, flush=True)
        if show is not None:
            show(dock)
        self.take("evaluate")

    def leave(self, dock: Any) -> None:
        """Close a dock."""
        self.viewer.window.remove_dock_widget(dock.native)
        settle(0.3)

    def end(self) -> None:
        """Close the window."""
        self.viewer.close()
        settle(0.5)


def denoising() -> None:
    """Denoise Raman spectra of cells, one second against ten: trained on the first 800 of them, tested on the last 200."""
    story = Story("denoising", "raman_pairs")
    noisy, truth = story.viewer.layers["Raman pairs"], story.viewer.layers["Raman pairs · truth"]
    story.look((250.0, 900.0))
    story.prepare(noisy, [{"kind": "normalise", "by": "maximum"}], (900,))
    for layer in (noisy, truth):
        cube = as_cube(layer)
        add_cube(story.viewer, cube.with_data(cube.data[800:], name=f"rows 800-999{' · truth' * (layer is truth)}"), colormap="viridis")
        layer.data = layer.data[:, :800]
    held, clean = story.viewer.layers["rows 800-999"], story.viewer.layers["rows 800-999 · truth"]
    held.visible = clean.visible = False
    model = story.train(noisy, truth, "split.validation=0.05")
    noisy.visible = truth.visible = False
    held.visible = True
    story.framed = True
    story.viewer.scene.camera.center, story.viewer.scene.camera.zoom = (250.0, 100.0), 1.3
    story.evaluate(story.predict(model, held), clean)
    story.end()


def calibration() -> None:
    """Convert a Raman map of a simulated coarser spectrometer into the measured one."""
    story = Story("calibration", "cartilage")
    fine = story.viewer.layers["Cartilage"]
    cube = as_cube(fine)
    broad = gaussian_filter1d(cube.numpy(), 4, axis=-1)[..., ::3]
    noise = np.random.default_rng(0).normal(0, 0.01 * float(np.ptp(broad)), broad.shape).astype(np.float32)
    axis = SpectralAxis(cube.axis.values[::3], cube.axis.unit)
    coarse = Cube(broad + noise, axis, name="coarse spectrometer", pixel_size=cube.pixel_size, pixel_unit=cube.pixel_unit)
    source = add_cube(story.viewer, coarse, colormap="viridis")
    story.look((1004.0, 12.0, 17.0))
    model = story.train(source, fine, "split.test=0.2", "network.seconds=60")
    story.evaluate(story.predict(model, source), fine)
    story.end()


def classification() -> None:
    """Classify single spectra of Indian Pines."""
    story = Story("classification", "indian_pines")
    scene, classes = story.viewer.layers["Indian Pines"], story.viewer.layers["Indian Pines · classes"]
    story.look((30.0, 70.0, 70.0))
    model = story.train(scene, classes, "task.unlabelled=0", "split.test=0.2", "split.method=blocks", "network.seconds=60")
    story.evaluate(story.predict(model, scene), classes)
    story.end()


def segmentation() -> None:
    """Train on a few strokes per class, and map the whole scene."""
    story = Story("segmentation", "indian_pines")
    scene, classes = story.viewer.layers["Indian Pines"], story.viewer.layers["Indian Pines · classes"]
    classes.visible = False
    story.viewer.layers.selection.active = scene
    dock = spectrai.widgets.train(story.viewer)
    dock.form.task.value = "segmentation"
    dock.take(scene)
    dock.data.first.truth.value = None  # painted here; all classes are known only to the evaluation
    strokes = dock.data.layers.paint()
    strokes.metadata["class_names"] = classes.metadata["class_names"]
    strokes.features = classes.features
    strokes.brush_size = 3
    rng = np.random.default_rng(3)
    for value in range(1, int(classes.data.max()) + 1):
        places = np.argwhere(classes.data == value)
        for y, x in places[rng.choice(len(places), min(12, len(places)), replace=False)]:
            strokes.paint((y, x), value)
    strokes.data = np.where(classes.data > 0, strokes.data, 0)
    strokes.opacity = 0.9
    story.take("strokes")
    story.leave(dock)
    model = story.train(scene, strokes, "network.seconds=120")
    result = story.predict(model, scene)
    story.evaluate(result, classes, lambda dock: None)
    story.end()


def super_resolution() -> None:
    """Train on the left half of Indian Pines, and enlarge the degraded right half."""
    story = Story("super_resolution", "indian_pines")
    for layer in list(story.viewer.layers):
        story.viewer.layers.remove(layer)
    cube = sample("indian_pines").cube
    left, right = cube[:144, :72], cube[:144, 73:145]
    data = right.numpy()
    # as in the training: bicubic, over a wider window, so that no finer detail remains
    bands = [Image.fromarray(band).resize((36, 72), Image.Resampling.BICUBIC) for band in np.moveaxis(data, -1, 0).astype(np.float32)]
    coarse = np.stack([np.asarray(band) for band in bands], -1)
    sharp = add_cube(story.viewer, Cube(data, cube.axis, name="right half"))
    source = add_cube(story.viewer, Cube(coarse, cube.axis, name="right half, coarse"))
    learnt = add_cube(story.viewer, Cube(left.numpy(), cube.axis, name="left half"))
    for layer in (sharp, source, learnt):
        layer.visible, layer.contrast_limits = layer is learnt, np.percentile(data[..., 30], (1, 99))
    story.viewer.dims.set_current_step(0, 30)
    story.look((30.0, 70.0, 30.0))
    model = story.train(learnt, None)
    for layer in (sharp, learnt):
        layer.visible = False
    source.visible, source.scale = True, [source.scale[0], 2, 2]
    source.translate = [source.translate[0], 0.5, 0.5]
    story.viewer.reset_view()
    story.evaluate(story.predict(model, source), sharp)
    story.end()


def peak_maps() -> None:
    """Map the position and width of a Raman band, from a fit in each pixel."""
    story = Story("peak_maps", "cartilage")
    scene = story.viewer.layers["Cartilage"]
    dock = spectrai.widgets.maps(story.viewer)
    dock.take(scene)
    dock.settings = {"kind": "peaks", "low": 930, "high": 975, "shape": "lorentzian", "baseline": "linear"}
    dock.look_at((12, 17))
    settle(until=lambda: dock.work.start.enabled)
    story.take("fit")
    dock.start()
    settle(until=lambda: any(layer.name.endswith("· position") for layer in story.viewer.layers))
    story.take("position")
    story.end()


def unmixing() -> None:
    """Unmix the dyes of a lambda stack, with a painted reference for each."""
    story = Story("unmixing", "lambda_stack")
    scene = story.viewer.layers["Five dyes"]
    cube = as_cube(scene)
    empty = np.zeros(cube.spatial_shape, np.uint8)
    references = story.viewer.add_labels(empty, name="references", scale=scene.scale[1:], units=scene.units[1:])
    names = ["450 nm", "540 nm", "585 nm", "670 nm"]
    strongest, peak = cube.numpy().max(-1), cube.axis.values[np.argmax(cube.numpy(), axis=-1)]
    references.brush_size = 5
    for label, name in enumerate(names, 1):  # a spot where a spectrum with its maximum there is strongest
        y, x = np.unravel_index(np.argmax(np.where(abs(peak - float(name.split()[0])) < 15, strongest, 0)), strongest.shape)
        references.paint((int(y), int(x)), label)
    references.metadata["class_names"] = dict(enumerate(names, 1))
    references.features = {"index": range(5), "class": ["background", *names]}
    dock = spectrai.widgets.maps(story.viewer)
    dock.take(scene)
    dock.settings = {"kind": "unmix"}
    dock.references.choose(references)
    settle(until=lambda: dock.work.start.enabled)
    story.take("references")
    dock.start()
    settle(until=lambda: any("residual" in layer.name for layer in story.viewer.layers))
    story.take("abundances")
    story.end()


STORIES = {story.__name__: story for story in (denoising, calibration, classification, segmentation, super_resolution, peak_maps, unmixing)}


if __name__ == "__main__":
    for name in sys.argv[1:] or STORIES:
        STORIES[name]()
