"""Classes of Indian Pines by three splits: ``python benchmarks/indian_pines.py [random|blocks|balanced|gap|spectra ...]``.

The scene is the bundled sample. Each figure is of pixels that were not learnt from, mean and range over the seeds; the classical methods
have the same split. ``random`` learns from 10 % of the pixels of each class, whose neighbours are judged: it flatters. ``blocks`` learns
from scattered squares of 12 pixels and is judged by others; ``balanced`` is the same with rare classes counting as much as common ones;
``gap`` leaves out all training pixels within 5 of those judged. ``spectra`` takes the labelled pixels as a set of
spectra, 10 % of each class to learn from: no method sees neighbours.

The windows and components of the network were chosen on blocks of seeds 0 to 5 of this scene; these seeds are others.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from napari_spectrai import Cube, Experiment, sample, train
from napari_spectrai.experiment.candidates import with_recipe
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.labels import Labels

SEEDS = (20, 21, 22, 23)
SPLITS = {
    "random": ["split={method: stratified, validation: 0.01, test: 0.89, context: shared, beside: false}", "loss.weights=none"],
    "blocks": ["split={method: blocks, block: 12, validation: 0.01, test: 0.45, gap: 0, context: shared}", "loss.weights=none"],
    "gap": ["split={method: blocks, block: 12, validation: 0.03, test: 0.25, gap: 5, context: shared}", "loss.weights=none"],
    "balanced": ["split={method: blocks, block: 12, validation: 0.01, test: 0.45, gap: 0, context: shared}", "loss.weights=balanced"],
    "spectra": [
        "split={method: stratified, validation: 0.02, test: 0.88}",
        "loss.weights=balanced",
        "preparation=[{kind: normalise, by: snv}]",
    ],
}

LEARNT = {"random": 0.1, "blocks": 0.5, "gap": 0.5, "balanced": 0.5, "spectra": 0.1}
"""Fractions of the pixels that are learnt from, roughly: settings of the networks follow it."""


def main(names: list[str]) -> None:
    """Print a table for each split."""
    scene = sample("indian_pines")
    labels, known = Labels(scene.labels, scene.class_names), scene.labels > 0
    alone = Cube(scene.cube.numpy()[known], scene.cube.axis, name="pixels of Indian Pines")
    for name in names or SPLITS:
        overall, average, seconds = defaultdict(list), defaultdict(list), []
        for seed in SEEDS:
            task, cube, truth = "segmentation", scene.cube, labels
            if name == "spectra":
                task, cube, truth = "classification", alone, Labels(scene.labels[known], scene.class_names)
            experiment = Experiment.default(task, cube, truth)
            size = Size(int(known.sum() * LEARNT[name]), len(cube.axis), None if name == "spectra" else known.shape)
            experiment = with_recipe(experiment, "spectral_mlp" if name == "spectra" else "local_means_mlp", size).override(
                *SPLITS[name], f"split.seed={seed}", f"training.seed={seed}", "training.device=cpu",
                *(["training.batch=512", "training.epochs=200"] if name == "random" else []),
                *(["training.batch=256", "training.epochs=300"] if name == "spectra" else []),
            )  # fmt: skip
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                model = train(experiment, cube, truth, run=Path(folder) / "run")
            seconds.append(time.perf_counter() - begun)
            for method, figures in model.card().scores["test"].items():
                overall[method].append(figures["overall_accuracy"])
                average[method].append(figures["average_accuracy"])
        print(f"\n{name}: seeds {', '.join(map(str, SEEDS))}; {np.mean(seconds):.0f} s a training, all rows included")
        print(f"{'':<18}{'overall accuracy, %':>26}{'mean recall, %':>26}")
        for method in overall:
            told = (f"{100 * np.mean(v):.2f} ({100 * min(v):.2f} to {100 * max(v):.2f})" for v in (overall[method], average[method]))
            print(f"{method:<18}" + "".join(f"{text:>26}" for text in told))


if __name__ == "__main__":
    main(sys.argv[1:])
