"""What `despike` finds and what it leaves alone: spikes inserted into maps, by their share and width.

Spikes are 12 standard deviations of the noise of their spectrum high (from its second differences) and 1 to 3 bands wide, at random
bands of random spectra. Found is a spike of which a band was changed; peaks are the bands without one.

    python benchmarks/despike.py            the bundled cartilage map
    python benchmarks/despike.py FILE ...   and other maps
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import beta

from napari_spectrai import Cube, preprocess, read
from napari_spectrai.samples import sample

SHARES = (0.005, 0.02, 0.05, 0.1, 0.2)
SEEDS = range(100, 105)


def interval(hits: int, count: int) -> str:
    """Return a fraction with its Clopper–Pearson interval of 95 %."""
    low = beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    return f"{hits / count:.3f} ({low:.3f}–{high:.3f})"


def measure(name: str, cube: Cube) -> None:
    """Print what is altered without spikes, and the spikes found, of one map."""
    data = np.asarray(cube, np.float32)
    flat = data.reshape(-1, data.shape[-1])
    noise = 1.4826 * np.median(np.abs(np.diff(flat, 2, axis=-1)), axis=-1) / 6**0.5
    altered = (np.asarray(preprocess(cube.with_data(data), ["despike"])).reshape(flat.shape) != flat).any(-1)
    print(f"{name}: {len(flat):,} spectra of {flat.shape[1]} bands; altered as they are: {altered.sum()} ({altered.mean():.3%})")
    for share in SHARES:
        hits, counts = np.zeros(4, int), np.zeros(4, int)
        most = 0.0
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            spiky = flat.copy()
            chosen = rng.choice(len(flat), max(3, round(share * len(flat))), replace=False)
            width = rng.integers(1, 4, len(chosen))
            first = rng.integers(1, flat.shape[1] - width)
            inside = [(pixel, slice(start, start + wide)) for pixel, start, wide in zip(chosen, first, width, strict=True)]
            for where in inside:
                spiky[where] += 12 * noise[where[0]]
            changed = np.abs(np.asarray(preprocess(cube.with_data(spiky.reshape(data.shape)), ["despike"])).reshape(flat.shape) - spiky)
            for where, wide in zip(inside, width, strict=True):
                hits[wide] += changed[where].any()
                counts[wide] += 1
                changed[where] = 0
            most = max(most, float((changed.max(-1) / noise).max()))
        widths = ", ".join(f"{hits[wide] / counts[wide]:.3f}" for wide in (1, 2, 3) if counts[wide])
        print(
            f"  spikes in {share:5.1%} of the spectra: found {interval(hits.sum(), counts.sum())}; "
            f"of 1, 2, 3 bands: {widths}; largest change elsewhere: {most:.1f} standard deviations"
        )


if __name__ == "__main__":
    measure("cartilage", sample("cartilage").cube)
    for path in sys.argv[1:]:
        measure(path.rsplit("/", 1)[-1], read(path))
