"""Denoising without truth on a hyperspectral scene: ``python benchmarks/noisy_scene.py jasperRidge2_R198.mat``.

The scene (Jasper Ridge: 198 bands × 10,000 pixels in ``Y``, columns first) is scaled to 0..1, Gaussian noise of σ = 50/255 is added,
and every method sees the noisy scene alone. MPSNR is the mean over the bands, with a data range of 1; beside it with each band's own range.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from napari_spectrai import Cube, predict
from napari_spectrai.learn.metrics import mpsnr

SIGMA = 50 / 255
SEEDS = (0, 1, 2)
METHODS = ("savitzky_golay", "whittaker", "wavelet", "svd_nlm", "nl_bayes")


def scene(path: Path) -> np.ndarray:
    """Return the scene (y, x, bands), scaled to 0..1."""
    values = loadmat(path)["Y"].astype(float)
    cube = values.T.reshape(100, 100, -1, order="F")
    return (cube - cube.min()) / (cube.max() - cube.min())


def main(path: str) -> None:
    """Print the table."""
    clean = scene(Path(path))
    print(f"{'':<16}{'MPSNR (dB), range 1':>28}{'own range':>12}{'seconds':>10}")
    for method in METHODS:
        figures, own, seconds = [], [], []
        for seed in SEEDS:
            noisy = clean + np.random.default_rng(seed).normal(0, SIGMA, clean.shape)
            begun = time.perf_counter()
            result = predict(method, Cube(noisy.astype(np.float32))).result.numpy()
            seconds.append(time.perf_counter() - begun)
            figures.append(float((-10 * np.log10(np.square(result - clean).mean((0, 1)))).mean()))
            own.append(mpsnr(result, clean))
        spread = f"{np.mean(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"
        print(f"{method:<16}{spread:>28}{np.mean(own):>12.2f}{np.mean(seconds):>10.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
