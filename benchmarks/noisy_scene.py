"""Denoising without truth on a hyperspectral scene: ``python benchmarks/noisy_scene.py jasperRidge2_R198.mat``.

With ``--networks`` those that learn from the noisy scene alone are trained, too: the default for an image, and the eigenimage CNN.

The scene (Jasper Ridge: 198 bands × 10,000 pixels in ``Y``, columns first) is scaled to 0..1, and noise is added: Gaussian of σ = 50/255,
or photons are counted, 20 at most. Then photons are counted from the bundled lambda stack, smoothed, 5, 20 and 100 at most. Every method
sees the noisy data alone, on intensities as they are and with the noise of photons made equal where it is found (``stabilise``). MPSNR is
the mean over the bands, with a data range of 1; beside it with each band's own range.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter

from napari_spectrai import Cube, Experiment, Model, predict, sample, train
from napari_spectrai.learn.scoring.metrics import mpsnr

SIGMA = 50 / 255
PEAKS = (5, 20, 100)
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


def stack() -> np.ndarray:
    """Return the bundled lambda stack (y, x, bands), smoothed, scaled to 0..1."""
    smooth = gaussian_filter(sample("lambda_stack").cube.numpy().astype(float), (1.5, 1.5, 0.7))
    return smooth / smooth.max()


def photons(clean: np.ndarray, seed: int, peak: float) -> np.ndarray:
    """Return counted photons, scaled like the clean data."""
    return np.random.default_rng(seed).poisson(clean * peak) / peak


def gaussian(clean: np.ndarray, seed: int) -> np.ndarray:
    """Return the data with noise that does not depend on intensity."""
    return clean + np.random.default_rng(seed).normal(0, SIGMA, clean.shape)


def trained(noisy: Cube, seed: int, settings: list[str]) -> Model:
    """Return a network that learnt from the noisy scene alone."""
    experiment = Experiment.default("denoising", noisy).override(*settings, f"training.seed={seed}", "training.device=cpu")
    with tempfile.TemporaryDirectory() as folder:
        return train(experiment, noisy, run=Path(folder) / "run")


def table(title: str, clean: np.ndarray, noise: Callable[[np.ndarray, int], np.ndarray], *, networks: bool) -> None:
    """Print the table of one kind of noise."""
    print(f"\n{title:<42}{'MPSNR (dB), range 1':>28}{'own range':>12}{'seconds':>10}")
    ways: list[tuple[str, dict[str, str]]] = [(method, {"stabilise": way}) for method in METHODS for way in ("never", "auto")]
    for method, settings in [*ways, *((name, {}) for name in (NETWORKS if networks else ()))]:
        figures, own, seconds = [], [], []
        for seed in SEEDS:
            noisy = Cube(noise(clean, seed).astype(np.float32))
            begun = time.perf_counter()
            model = trained(noisy, seed, NETWORKS[method]) if method in NETWORKS else method
            result = predict(model, noisy, settings=settings).result.numpy()
            seconds.append(time.perf_counter() - begun)
            figures.append(float((-10 * np.log10(np.square(result - clean).mean((0, 1)))).mean()))
            own.append(mpsnr(result, clean))
        spread = f"{np.mean(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"
        named = f"{method}, stabilise {settings['stabilise']}" if settings else method
        print(f"{named:<42}{spread:>28}{np.mean(own):>12.2f}{np.mean(seconds):>10.2f}", flush=True)


def main(path: str, *, networks: bool) -> None:
    """Print the tables."""
    clean = scene(Path(path))
    table("Jasper, Gaussian noise 50/255", clean, gaussian, networks=networks)
    table("Jasper, 20 photons", clean, partial(photons, peak=20), networks=networks)
    smooth = stack()
    for peak in PEAKS:
        table(f"Lambda stack, {peak} photons", smooth, partial(photons, peak=peak), networks=networks)


if __name__ == "__main__":
    main(sys.argv[1], networks="--networks" in sys.argv)
