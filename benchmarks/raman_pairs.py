"""The default recipe on the bundled Raman pairs: rows 0-799 train and validate, 800-999 test; three seeds.

Run ``make benchmark``. Each spectrum is divided by its own maximum; figures are means over the test rows.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from napari_spectrai import Experiment, compare, sample, train

SEEDS = (0, 1, 2)


def main(*overrides: str) -> None:
    """Train once a seed and print the table; `overrides` change the recipe."""
    pairs = sample("raman_pairs")
    cube, truth = pairs.cube[:800], pairs.truth[:800]
    test, test_truth = pairs.cube[800:], pairs.truth[800:]
    recipe = Experiment.default("denoising", cube, truth).override(*overrides)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    print(f"{platform.platform()}, torch {torch.__version__}, {device}")
    figures, seconds, report = [], [], None
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            begun = time.perf_counter()
            model = train(recipe.override(f"training.seed={seed}"), cube, truth, run=Path(folder) / str(seed))
            seconds.append(time.perf_counter() - begun)
            report = compare(model, test, test_truth, normalise="maximum")
            figures.append(report.metrics["mse"])
            print(f"seed {seed}: {seconds[-1]:.1f} s\n{report}")
    print(f"\nnetwork, test MSE: mean {statistics.mean(figures):.5f}, range {min(figures):.5f} to {max(figures):.5f}")
    print(f"ridge, test MSE: {report.rows['ridge']['mse']:.5f}")
    print(f"training: {min(seconds):.1f} to {max(seconds):.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
