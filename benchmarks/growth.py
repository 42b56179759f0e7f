"""How cost grows with spectra, bands, pixels and tiles: processor seconds, as a table and as log-log plots.

python benchmarks/growth.py [--largest 100000] [--seconds 10] [--wide] [--output docs/_static/growth.svg]

A series ends where the next point would take longer than ``--seconds``. A slope of 1 is linear growth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from napari_spectrai import Cube, Experiment, SpectralAxis, fit, maps, predict, preprocess, train
from napari_spectrai.generators import drain

Series = dict[str, list[tuple[int, float]]]
BANDS, SPECTRA = 100, 1_000


def cube(shape: Sequence[int], seed: int = 0) -> Cube:
    """Return smooth spectra with noise, of a shape (..., bands)."""
    rng = np.random.default_rng(seed)
    bands = np.arange(shape[-1], dtype=np.float32)
    shapes = np.exp(-0.5 * ((bands - shape[-1] * np.array([[0.3], [0.5], [0.8]])) / (0.05 * shape[-1])) ** 2).astype(np.float32)
    values = rng.random((*shape[:-1], 3), dtype=np.float32) @ shapes
    values += rng.normal(0, 0.05, values.shape).astype(np.float32)
    return Cube(values + 1, SpectralAxis(np.linspace(400, 1800, shape[-1]), "1/cm"))


def measured(work: Callable[[int], Callable[[], object]], sizes: Sequence[int], seconds: float) -> list[tuple[int, float]]:
    """Return the processor seconds of each size, the shortest of two."""
    found: list[tuple[int, float]] = []
    for size in sizes:
        if found and found[-1][1] * size / found[-1][0] > seconds:
            break
        run, took = work(size), []
        for _ in range(2):
            begun = time.process_time()
            run()
            took.append(time.process_time() - begun)
        found.append((size, min(took)))
        print(f"  {size:>9,} {found[-1][1]:9.3f} s", flush=True)
    return found


def on(make: Callable[[int], Cube], work: Callable[[Cube], object]) -> Callable[[int], Callable[[], object]]:
    """Return what works on a cube of some size, which is made before the clock runs."""

    def of(size: int) -> Callable[[], object]:
        given = make(size)
        return lambda: work(given)

    return of


def classical(given: Cube) -> object:
    """Fit the classical methods of a training and score them: one epoch of a small network."""
    truth = Cube(given.numpy().round(1), given.axis)
    settings = ("training.epochs=1", "network.kind=residual_mlp", "network.width=16", "training.batch=64")
    with tempfile.TemporaryDirectory() as folder:
        return drain(fit(Experiment.default("denoising", given, truth).override(*settings), given, truth, run=Path(folder, "run")))


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Return the slope of the last two points of a log-log plot."""
    (one, first), (other, second) = points[-2:]
    return float(np.log(second / first) / np.log(other / one))


def drawn(panels: dict[str, Series]) -> str:
    """Return the log-log plots of all series as SVG."""
    width, height, colours = 360, 300, ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * len(panels)} {height}" font-family="sans-serif" font-size="11">'
    ]
    lines.append(f'<rect width="{width * len(panels)}" height="{height}" fill="white"/>')
    for number, (title, series) in enumerate(panels.items()):
        points = np.log10([point for curve in series.values() for point in curve])
        low, high = np.floor(points.min(0)), np.ceil(points.max(0))
        high = np.maximum(high, low + 1)

        def place(x: float, y: float, low: np.ndarray = low, high: np.ndarray = high, left: int = number * width) -> tuple[float, float]:
            return left + 50 + (x - low[0]) / (high[0] - low[0]) * (width - 70), 250 - (y - low[1]) / (high[1] - low[1]) * 210

        for axis in range(2):
            for decade in range(int(low[axis]), int(high[axis]) + 1):
                (x1, y1), (x2, y2) = (place(decade, e) if axis == 0 else place(e, decade) for e in (low[1 - axis], high[1 - axis]))
                lines.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>')
                at = (x1, y1 + 15, "middle") if axis == 0 else (x1 - 5, y1 + 4, "end")
                lines.append(f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{at[2]}">{10.0**decade:g}</text>')
        lines.append(f'<text x="{number * width + 50}" y="{height - 12}">{title}</text>')
        lines.append(f'<text x="{number * width + 8}" y="14">processor seconds</text>')
        for row, ((name, curve), colour) in enumerate(zip(series.items(), colours, strict=False)):
            path = " ".join("{:.1f},{:.1f}".format(*place(*np.log10(point))) for point in curve)
            lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            lines.append(f'<text x="{number * width + 56}" y="{30 + 13 * row}" fill="{colour}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Measure all series, print the table, and draw them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--wide", action="store_true", help="also fit the classical methods, to many bands")
    parser.add_argument("--output", type=Path, default=Path("docs/_static/growth.svg"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    small = cube((256, BANDS))
    truth = Cube(small.numpy().round(1), small.axis)
    network = ("training.epochs=1", "network.kind=resunet", "network.dims=1", "network.width=8", "network.depth=2", "training.batch=32")
    with tempfile.TemporaryDirectory() as folder:
        started = Experiment.default("denoising", small, truth)
        cheap = ("training.epochs=1", "network=residual_mlp", "network.width=32")
        model, ridge, mlp = (
            train(started.override(*settings), small, truth, run=Path(folder, f"run{number}"))
            for number, settings in enumerate((network, ("network=ridge",), cheap))
        )
    works: dict[str, Callable[[Cube], object]] = {
        "Savitzky–Golay": lambda given: preprocess(given, "savitzky_golay"),
        "arPLS": lambda given: preprocess(given, "arpls"),
        "band map": lambda given: maps(given, "band", low=800, high=1000),
    }
    counts = [10**power for power in range(3, 7) if 10**power <= options.largest]
    sides = [side for side in (32, 64, 128, 256, 512, 1024) if side**2 <= options.largest]
    fitted: dict[str, Callable[[Cube], object]] = {"classical methods, fitted": classical} if options.wide else {}
    panels: dict[str, Series] = {}
    predictions: dict[str, Callable[[Cube], object]] = {
        "1-D ResUNet, prediction": lambda given: predict(model, given), "ridge, prediction": lambda given: predict(ridge, given),
        "residual MLP, prediction": lambda given: predict(mlp, given),
    }  # fmt: skip
    for title, sizes, make, more in (
        (f"spectra of {BANDS} bands", counts, lambda n: cube((n, BANDS)), predictions),
        (
            f"bands of {SPECTRA:,} spectra",
            [50, 200, 1000, 4000],
            lambda n: cube((SPECTRA, n)),
            fitted,
        ),
        (f"pixels of {BANDS} bands", [side**2 for side in sides], lambda n: cube((round(n**0.5), round(n**0.5), BANDS)), {}),
    ):
        panels[title] = {}
        for name, work in (works | more).items():
            print(f"{title}: {name}")
            panels[title][name] = measured(on(make, work), sizes, options.seconds)
    wide = measured(on(lambda n: cube((550, n)), classical), [3551], np.inf) if options.wide else []
    side = min(64, max(sides))
    print("pixels of a tile")
    tiled: list[tuple[int, float]] = []
    for tile in (16, 32, 64):

        def by_tile(given: Cube, tile: int = tile) -> object:
            return predict(model, given, tile=tile)

        tiled.append((tile**2, measured(on(lambda n: cube((side, side, BANDS)), by_tile), [side**2], np.inf)[0][1]))
    panels["pixels of a tile"] = {f"1-D ResUNet, {side} × {side} pixels": tiled}
    print("\n| against | what | from | to | slope at the end |\n|---|---|---|---|---|")
    for title, series in panels.items():
        for name, curve in series.items():
            ends = [f"{seconds:.2g} s ({size:,})" for size, seconds in (curve[0], curve[-1])]
            print(f"| {title} | {name} | {ends[0]} | {ends[1]} | {slope(curve) if len(curve) > 1 else float('nan'):.2f} |")
    for _, took in wide:
        print(f"| one set | classical methods, fitted to 550 × 3,551 | | {took:.2g} s | |")
    options.output.write_text(drawn(panels), encoding="utf-8")


if __name__ == "__main__":
    main()
