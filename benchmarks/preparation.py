"""Speed and memory of preparation, as ratios within one run.

arPLS over 10,000 spectra × 1,000 bands against pybaselines called in a loop, and the memory of a chain over a large cube.
Run it with ``python benchmarks/preparation.py [--size 512]``.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pybaselines

from napari_spectrai import Cube, SpectralAxis, preprocess
from napari_spectrai.preparation.axis import Crop
from napari_spectrai.preparation.baseline import ArPLS
from napari_spectrai.preparation.despike import Despike
from napari_spectrai.preparation.normalise import Normalise


def spectra(count: int, bands: int) -> np.ndarray:
    """Return Raman-like spectra: peaks over a hill, with noise."""
    rng = np.random.default_rng(0)
    band = np.arange(bands)
    shapes = np.exp(-0.5 * ((band - rng.uniform(0, bands, (25, 1))) / rng.uniform(3, 12, (25, 1))) ** 2)
    hill = rng.uniform(3, 8, (count, 1)) * np.exp(-band / rng.uniform(0.3, 1, (count, 1)) / bands)
    return rng.gamma(1, 1, (count, 25)) @ shapes + hill + rng.normal(0, 0.05, (count, bands))


def speed(count: int, bands: int) -> None:
    """Print the ratio of times, and the largest difference."""
    data, step = spectra(count, bands), ArPLS()
    start = time.perf_counter()
    ours = step.baseline(data, SpectralAxis.bands(bands))
    between = time.perf_counter()
    fitter = pybaselines.Baseline()
    theirs = np.stack([fitter.arpls(spectrum, lam=step.smoothness)[0] for spectrum in data])
    end = time.perf_counter()
    difference = np.abs(ours - theirs).max() / np.ptp(data)
    print(f"arPLS, {count:,} × {bands:,}: {between - start:.1f} s against {end - between:.1f} s of pybaselines {pybaselines.__version__}")
    print(f"  {(end - between) / (between - start):.1f} times as fast, largest difference {difference:.1e} of the range")


def memory(size: int) -> None:
    """Print the memory that a chain takes above a cube of size³ float32."""
    rng = np.random.default_rng(0)
    cube = np.empty((size, size, size), np.float32)
    for row in cube:
        row[:] = rng.normal(10, 1, row.shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps = [Crop(low=0, high=size - 12), Despike(), ArPLS(), Normalise(by="snv")]
    start, worked = time.perf_counter(), time.process_time()
    result = preprocess(Cube(cube, SpectralAxis.bands(size)), steps)
    took, worked = time.perf_counter() - start, time.process_time() - worked
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(
        f"crop, despike, arPLS, SNV over {size}³ float32 ({cube.nbytes / 1e9:.2f} GB), {result.shape}: "
        f"{took:.0f} s, {worked:.1f} processor seconds"
    )
    print(f"  {peak / cube.nbytes:.2f} times the cube's memory above it")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--spectra", type=int, default=10_000)
    options = parser.parse_args()
    memory(options.size)  # first: the peak of a process never falls
    speed(options.spectra, 1000)
