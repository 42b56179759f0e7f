"""Code of a user, type-checked against the installed package."""

from pathlib import Path

import numpy as np

import napari_spectrai as spectrai
from napari_spectrai import Cube, Evaluation, Experiment, Labels, Model, Prediction, Run, SpectralAxis


def denoised(path: Path) -> Cube:
    cube: Cube = spectrai.read(path)
    model: Model = spectrai.train(Experiment.default("denoising", cube), cube)
    prediction: Prediction = spectrai.predict(model, cube)
    found: Cube = prediction.result
    return found


def scored(result: Cube, truth: Cube) -> Evaluation:
    return spectrai.evaluate(result, truth)


def started(cube: Cube, labels: Labels) -> Run:
    return spectrai.launch(Experiment.default("segmentation", cube, labels), cube, labels)


axis: SpectralAxis = SpectralAxis(np.arange(3.0), "nm")
