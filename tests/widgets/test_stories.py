"""One long story a task: open, look, prepare, train, predict, evaluate, save, restart napari, reopen, apply to another cube."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_spectrai as spectrai
from napari_spectrai import Cube, SpectralAxis, as_cube, write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels

AXIS = SpectralAxis(np.linspace(600, 1800, 24), "1/cm")
SMALL = ("training.device=cpu", "training.batch=16")


def scene(seed: int, noise: float = 0.1, side: int = 24) -> tuple[Cube, Cube, Labels]:
    """Return a noisy image of two kinds of cells, the same without noise, and the kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.ones((side, side), int)
    for y, x, radius in ((7, 7, 5), (16, 15, 6)):
        rows, columns = np.ogrid[:side, :side]
        kinds[(rows - y - seed % 2) ** 2 + (columns - x) ** 2 < radius**2] = 2
    band = np.arange(len(AXIS))
    peaks = np.exp(-0.5 * ((band - np.array([[7], [16]])) / 2) ** 2) + 0.2
    clean = (peaks[kinds - 1] * rng.uniform(0.8, 1.2, (side, side, 1))).astype(np.float32)
    noisy = (clean + rng.normal(0, noise, clean.shape)).astype(np.float32)
    place = {"pixel_size": (0.5, 0.5), "pixel_unit": "um"}
    return Cube(noisy, AXIS, name="cells", **place), Cube(clean, AXIS, name="clean", **place), Labels(kinds, {1: "medium", 2: "cell"})


@dataclass(frozen=True)
class Story:
    """What differs from task to task."""

    task: str
    settings: tuple[str, ...]
    truth: Callable[[Cube, Cube, Labels], Any]
    judged: str
    good: Callable[[float], bool]


def doubled(_: Cube, clean: Cube, __: Labels) -> Cube:
    """Return what an instrument with another response would show."""
    return clean.with_data(clean.data * np.linspace(1, 2, len(AXIS), dtype=np.float32))


def kinds_of(_: Cube, __: Cube, kinds: Labels) -> Labels:
    """Return the kinds."""
    return kinds


QUICK = ("network={kind: automatic, candidates: [logistic_regression, pca_lda]}",)
MLP = ("training.epochs=20", "network.width=32", "split.validation=0.2")
RCAN = (
    "network.width=8", "network.groups=1", "network.blocks=1", "network.components=3", "data.samples=16", "data.patch=4",
    "split.validation=0.3", "split.gap=0", "training.epochs=2",
)  # fmt: skip
STORIES = [
    Story("denoising", MLP, lambda _, clean, __: clean, "mse", lambda value: value < 0.008),
    Story("calibration", ("network={kind: residual_mlp, width: 32}", *MLP), doubled, "mse", lambda value: value < 0.02),
    Story("classification", QUICK, kinds_of, "overall_accuracy", lambda value: value > 0.95),
    Story("segmentation", QUICK, kinds_of, "overall_accuracy", lambda value: value > 0.85),
    Story("super_resolution", RCAN, lambda *_: None, "mse", lambda value: value < 0.03),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.task)
def test_a_cube_is_opened_prepared_trained_on_predicted_and_scored_and_its_result_reopened(story, make_napari_viewer, until, tmp_path):
    noisy, clean, kinds = scene(0)
    files = {"cells": write(noisy, tmp_path / "cells.zarr"), "other": write(scene(1)[0], tmp_path / "other.zarr")}
    truth = story.truth(noisy, clean, kinds)
    if isinstance(truth, Cube):
        files["truth"] = write(truth, tmp_path / "truth.zarr")
    elif truth is not None:
        files["truth"] = write_labels(truth, tmp_path / "kinds.zarr")

    viewer = make_napari_viewer(show=True)
    (source,) = viewer.open(files["cells"], plugin="napari-spectrai")
    shown = opened_truth(viewer, truth, files)
    spectrum_is_shown(viewer, source, noisy, until)
    axis_stays_when_prepared(viewer, source, until)
    model = trained(viewer, story, source, shown, until)
    result = applied(viewer, model, source, until)
    mine = scored(viewer, result, sharp_layer(viewer, clean, result) if story.task == "super_resolution" else shown, until)
    assert story.good(mine[story.judged]), mine

    saved = tmp_path / ("result.zarr" if not hasattr(result, "selected_label") else "result.tif")
    assert result.save(str(saved), plugin="napari-spectrai" if saved.suffix == ".zarr" else None)
    viewer.close()
    viewer = make_napari_viewer(show=True)
    is_reopened_as_it_was(viewer, saved, result)
    (other,) = viewer.open(files["other"], plugin="napari-spectrai")
    second = applied(viewer, model, other, until)
    if truth is kinds:
        assert (np.asarray(second.data) == scene(1)[2].data).mean() > 0.85
    else:
        assert np.isfinite(as_cube(second).numpy()).all()


def opened_truth(viewer: Any, truth: Any, files: dict[str, Path]) -> Any:
    """Open the truth as a person would: a cube through our reader, label images through napari's own Labels layer."""
    if truth is None:
        return None
    if isinstance(truth, Cube):
        return viewer.open(files["truth"], plugin="napari-spectrai")[0]
    return viewer.add_labels(truth.data, name="kinds", scale=(0.5, 0.5), units=("um", "um"), metadata={"class_names": dict(truth.names)})


def spectrum_is_shown(viewer: Any, source: Any, cube: Cube, until: Any) -> None:
    """Look at a pixel in the Spectra dock."""
    spectra = spectrai.widgets.spectra(viewer)
    spectra.look_at((*viewer.dims.point[:1], 4.0, 4.0))
    until(lambda: source.name in spectra.plot.names())
    np.testing.assert_allclose(spectra.plot.data(source.name)[1], cube.data[8, 8], rtol=1e-6)


def axis_stays_when_prepared(viewer: Any, source: Any, until: Any) -> None:
    """Apply a step in the Preprocess dock, and remove its result."""
    preprocess = spectrai.widgets.preprocess(viewer)
    preprocess.take(source)
    preprocess.form.add("savitzky_golay")
    preprocess.start()
    until(lambda: preprocess.status.startswith(("done", "failed")))
    prepared = next(layer for layer in viewer.layers if layer.name.startswith(f"{source.name} ·"))
    assert as_cube(prepared).axis == AXIS
    viewer.layers.remove(prepared)


def trained(viewer: Any, story: Story, source: Any, shown: Any, until: Any) -> Path:
    """Train in the Train dock; return the model file."""
    train = spectrai.widgets.train(viewer)
    train.form.task.value = story.task
    train.take(source)
    if shown is not None:
        train.data.first.truth.value = shown
    train.experiment = train.experiment.override(*story.settings, *SMALL)
    train.start()
    until(lambda: train.state == "idle")
    assert train.view.status.startswith("done"), (train.view.status, train.view._trouble.value)
    best: Path = train.run.folder.best
    return best


def sharp_layer(viewer: Any, clean: Cube, result: Any) -> Any:
    """Add the clean image, enlarged, where an enlarged result lies."""
    sharp = np.repeat(np.repeat(clean.data, 2, 0), 2, 1)
    return viewer.add_image(np.moveaxis(sharp, -1, 0), name="sharp", metadata={"spectral_axis": AXIS.to_json() | {"position": 0}},
                            scale=result.scale, translate=result.translate, units=result.units)  # fmt: skip


def scored(viewer: Any, result: Any, truth: Any, until: Any) -> dict[str, float]:
    """Evaluate in the Evaluate dock; return the scores."""
    evaluate = spectrai.widgets.evaluate(viewer)
    evaluate.result, evaluate.truth = result, truth
    until(lambda: evaluate._start.enabled)
    evaluate.start()
    until(lambda: evaluate.status.startswith(("done", "failed")))
    metrics: dict[str, float] = evaluate.report.metrics
    return metrics


def is_reopened_as_it_was(viewer: Any, saved: Path, result: Any) -> None:
    """Open a saved result in another viewer, and compare."""
    if saved.suffix == ".zarr":
        (again,) = viewer.open(saved, plugin="napari-spectrai")
        np.testing.assert_allclose(as_cube(again).numpy(), as_cube(result).numpy(), rtol=1e-6)
        assert as_cube(again).axis == as_cube(result).axis
    else:
        (again,) = viewer.open(saved, layer_type="labels")
        np.testing.assert_array_equal(again.data, result.data)


def applied(viewer: Any, model: Path, layer: Any, until: Any) -> Any:
    """Apply a model to a layer in the Predict dock; return the new layer."""
    before = set(viewer.layers)
    predict = spectrai.widgets.predict(viewer)
    predict.model, predict.layer = model, layer
    predict.start()
    until(lambda: predict.status.startswith(("done", "failed")))
    assert predict.status.startswith("done"), predict._problem.value
    new = [one for one in viewer.layers if one not in before]
    return next(one for one in new if one.metadata["prediction"]["role"] == "result")
