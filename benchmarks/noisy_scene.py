"""Denoising without truth on a hyperspectral scene: ``python benchmarks/noisy_scene.py jasperRidge2_R198.mat``.

With ``--networks`` those that learn from the noisy scene alone are trained, too: the default for an image, and the eigenimage CNN.

The scene (Jasper Ridge: 198 bands × 10,000 pixels in ``Y``, columns first) is scaled to 0..1, Gaussian noise of σ = 50/255 is added,
and every method sees the noisy scene alone. MPSNR is the mean over the bands, with a data range of 1; beside it with each band's own range.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from napari_spectrai import Cube, Experiment, Model, predict, train
from napari_spectrai.learn.metrics import mpsnr

SIGMA = 50 / 255
SEEDS = (0, 1, 2)
METHODS = ("savitzky_golay", "whittaker", "wavelet", "svd_nlm", "nl_bayes")
NETWORKS = {
    "UNet, band halves": [],
    "eigenimage CNN": ["network=eigenimage_cnn", "task.learns_from=recorrupted"],
}


def scene(path: Path) -> np.ndarray:
    """Return the scene (y, x, bands), scaled to 0..1."""
    values = loadmat(path)["Y"].astype(float)
    cube = values.T.reshape(100, 100, -1, order="F")
    return (cube - cube.min()) / (cube.max() - cube.min())


def trained(noisy: Cube, seed: int, settings: list[str]) -> Model:
    """Return a network that learnt from the noisy scene alone."""
    experiment = Experiment.default("denoising", noisy).override(*settings, f"training.seed={seed}", "training.device=cpu")
    with tempfile.TemporaryDirectory() as folder:
        return train(experiment, noisy, run=Path(folder) / "run")


def main(path: str, *, networks: bool) -> None:
    """Print the table."""
    clean = scene(Path(path))
    print(f"{'':<16}{'MPSNR (dB), range 1':>28}{'own range':>12}{'seconds':>10}")
    for method in (*METHODS, *(NETWORKS if networks else ())):
        figures, own, seconds = [], [], []
        for seed in SEEDS:
            noisy = Cube((clean + np.random.default_rng(seed).normal(0, SIGMA, clean.shape)).astype(np.float32))
            begun = time.perf_counter()
            model = trained(noisy, seed, NETWORKS[method]) if method in NETWORKS else method
            result = predict(model, noisy).result.numpy()
            seconds.append(time.perf_counter() - begun)
            figures.append(float((-10 * np.log10(np.square(result - clean).mean((0, 1)))).mean()))
            own.append(mpsnr(result, clean))
        spread = f"{np.mean(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"
        print(f"{method:<16}{spread:>28}{np.mean(own):>12.2f}{np.mean(seconds):>10.2f}")


if __name__ == "__main__":
    main(sys.argv[1], networks="--networks" in sys.argv)
