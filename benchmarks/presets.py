"""What the presets are worth: time and test figure of the Raman pairs and of Indian Pines, and the time that was foretold.

``python benchmarks/presets.py`` (about six minutes on two cores).
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np

from napari_spectrai import Experiment, fit, sample
from napari_spectrai.labels import Labels
from napari_spectrai.learn.fit import follow
from napari_spectrai.learn.train.step_timing import time_steps
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.presets import PRESETS, preset
from napari_spectrai.plan.size import extent
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import Epoch, RunFolder
from napari_spectrai.runs.estimate import questioned

SEEDS = (0, 1, 2)


def cases() -> list[tuple[str, Experiment, Any, Any]]:
    """Return name, experiment, cube and truth of each case."""
    pairs, scene = sample("raman_pairs"), sample("indian_pines")
    labels = Labels(np.asarray(scene.labels), dict(scene.class_names))
    denoising = Experiment.default("denoising", pairs.cube, pairs.truth).override("split.test=0.2", "split.validation=0.04")
    segmentation = Experiment.default("segmentation", scene.cube, labels).override("split.test=0.3", "split.method=blocks")
    return [("Raman pairs", denoising, pairs.cube, pairs.truth), ("Indian Pines, blocks", segmentation, scene.cube, labels)]


def main() -> None:
    """Print a table."""
    print(f"{'':<24}{'preset':<12}{'foretold':>10}{'took':>8}{'figure (range over seeds)':>36}")
    for name, experiment, cube, truth in cases():
        inputs, targets = gather(experiment, [cube], [truth])
        for kind, known in PRESETS.items():
            one = preset(experiment, kind)
            large = extent(one, inputs, targets, divide(one, inputs, targets))
            foretold = time_steps(questioned(one, large, inputs, targets)).seconds(one, large)
            figures, took = [], []
            for seed in SEEDS:
                with tempfile.TemporaryDirectory() as place:
                    seeded = one.override(f"training.seed={seed}", f"split.seed={seed}" if "blocks" in name else "split.seed=0")
                    _, finished = follow(fit(seeded, cube, truth, run=f"{place}/run"))
                    took.append(sum(event.seconds for event in RunFolder(f"{place}/run").events() if isinstance(event, Epoch)))
                figures.append(finished.scores["test"]["network"][one.task.metrics[0]])
            spread = f"{np.mean(figures):.5g} ({min(figures):.5g}-{max(figures):.5g})"
            print(f"{name:<24}{known.title:<12}{foretold:>8.0f} s{np.mean(took):>6.0f} s{spread:>36}", flush=True)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s in all")
