"""Maps against a loop over pixels, in one run: peak fits with scipy's curve_fit and lmfit, abundances with its nnls.

Run it with ``python benchmarks/maps.py``, or ``python benchmarks/maps.py unmix`` for the abundances alone; it also times a band map that
follows a dragged range over 256 × 256 pixels and 500 bands.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import curve_fit, nnls

import napari_spectrai as spectrai
from napari_spectrai.mapping.cumulative import CumulativeBands

LOOPED = 150
"""Pixels of the loops; their time is scaled to all."""


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest time of some repeats."""
    took = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return min(took)


def peak_map(side: int = 100) -> spectrai.Cube:
    """Return a map of one Lorentzian peak on a line, with noise of size one."""
    rng = np.random.default_rng(0)
    positions = np.linspace(900, 1100, 120)
    centre, height = 1000 + 8 * rng.random((side, side, 1)), 50 + 100 * rng.random((side, side, 1))
    values = height / (1 + ((positions - centre) / 5) ** 2) + 20 + 0.05 * (positions - 900)
    return spectrai.Cube((values + rng.normal(0, 1, values.shape)).astype(np.float32), spectrai.SpectralAxis(positions, "1/cm"))


def peaks(cube: spectrai.Cube) -> None:
    """Compare the fits of a map with loops: times, values and standard errors."""
    inside = cube.axis.window(950, 1050)
    x, spectra = cube.axis.values[inside], cube.numpy()[..., inside].reshape(-1, inside.size).astype(np.float64)[:LOOPED]

    def model(x, height, position, fwhm, offset, slope):  # type: ignore[no-untyped-def]
        return height / (1 + 4 * ((x - position) / fwhm) ** 2) + offset + slope * (x - 1000)

    def start(spectrum):  # type: ignore[no-untyped-def]
        return [np.ptp(spectrum), x[spectrum.argmax()], 10, spectrum.min(), 0]

    bounds = ([0, 950, 0.8, -np.inf, -np.inf], [np.inf, 1050, 200, np.inf, np.inf])
    ours = seconds(lambda: spectrai.maps(cube, "peaks", low=950, high=1050, shape="lorentzian")) / cube.count
    print(f"peak fits, {cube.count:,} spectra of {len(x)} bands: {ours * 1e6:.0f} µs a spectrum")
    fitted: dict[str, list[object]] = {}

    def by_curve_fit(**options: object) -> list[object]:
        return [curve_fit(model, x, spectrum, start(spectrum), **options) for spectrum in spectra]

    loops = {"curve_fit": by_curve_fit, "curve_fit with the same bounds": lambda: by_curve_fit(bounds=bounds)}
    if importlib.util.find_spec("lmfit"):
        from lmfit.models import LinearModel, LorentzianModel

        lmfit = LorentzianModel() + LinearModel()
        loops["lmfit"] = lambda: [
            lmfit.fit(
                spectrum, x=x, center=x[spectrum.argmax()], sigma=5, amplitude=np.ptp(spectrum) * 15, slope=0, intercept=spectrum.min()
            )
            for spectrum in spectra
        ]
    for name, loop in loops.items():
        begin = time.perf_counter()
        fitted[name] = loop()
        theirs = (time.perf_counter() - begin) / len(spectra)
        print(f"  {name}: {theirs * 1e6:.0f} µs a spectrum, {theirs / ours:.0f} times as long")
    maps = spectrai.maps(cube, "peaks", low=950, high=1050, shape="lorentzian").maps
    found = {name: values.reshape(-1)[:LOOPED] for name, values in maps.items()}
    expected = {"curve_fit": [(p, np.sqrt(np.diag(c))) for p, c in fitted["curve_fit"]]}
    if "lmfit" in fitted:
        order = ("height", "center", "fwhm")
        expected["lmfit"] = [([r.params[n].value for n in order], [r.params[n].stderr for n in order]) for r in fitted["lmfit"]]
    for name, answers in expected.items():
        for number, quantity in enumerate(("height", "position", "fwhm")):
            values, errors = (np.array([answer[part][number] for answer in answers], np.float64) for part in (0, 1))
            off = np.nanmax(np.abs(found[quantity] - values) / errors)
            error = np.nanmax(np.abs(found[f"{quantity}_error"] / errors - 1))
            print(f"  {quantity} differs from that of {name} by up to {off:.1e} of its standard error, the standard error by {error:.1e}")


def abundances(name: str, cube: spectrai.Cube, references: spectrai.Cube, turns: int = 7) -> None:
    """Compare unmixing with a loop over nnls, in turns, so that both meet the same load: time on the clock and of the processor."""
    spectra = cube.numpy().reshape(-1, len(cube.axis))
    every = max(1, len(spectra) // 3000)
    some, design = spectra[::every].astype(np.float64), references.numpy().T.astype(np.float64)
    ratios = []
    for _ in range(turns + 1):
        marks = [(time.perf_counter(), time.process_time())]
        found = spectrai.maps(cube, "unmix", references=references).maps
        marks.append((time.perf_counter(), time.process_time()))
        expected = [nnls(design, spectrum)[0] for spectrum in some]
        marks.append((time.perf_counter(), time.process_time()))
        ours, theirs = np.diff(marks, axis=0) / np.array([[cube.count], [len(some)]])
        ratios.append((*(theirs / ours), ours[0] * 1e6, theirs[0] * 1e6))
    clock, processor, ours, theirs = np.array(ratios[1:]).T  # without the first turn, which loads modules
    got = np.stack(list(found.values())[: design.shape[1]], -1).reshape(len(spectra), -1)[::every]
    print(
        f"{name}, {cube.count:,} spectra of {len(cube.axis)} bands, {design.shape[1]} references, {turns} turns: "
        f"{np.median(ours):.2f} µs a spectrum, nnls {np.median(theirs):.1f} µs; "
        f"{np.median(clock):.0f} ({clock.min():.0f}–{clock.max():.0f}) times as long by the clock, "
        f"{np.median(processor):.0f} ({processor.min():.0f}–{processor.max():.0f}) times in processor time; "
        f"they differ by up to {np.nanmax(np.abs(got - np.array(expected))):.0e}"
    )


def dragging() -> None:
    """Time band maps by cumulative sums."""
    rng = np.random.default_rng(0)
    axis = spectrai.SpectralAxis(np.linspace(600, 1800, 500), "1/cm")
    cube = spectrai.Cube(np.moveaxis(rng.random((500, 256, 256), np.float32), 0, -1), axis)
    bands = CumulativeBands(cube)
    for how in ("sum", "area", "max"):
        bands.prepare(how)
        took = seconds(lambda how=how: bands.map(700, 1500, how))
        print(f"band map while dragging, {how} of 333 bands, 256 × 256 × 500: {took * 1e3:.1f} ms")


def main() -> None:
    """Print all comparisons, or those of unmixing alone."""
    unmixing()
    if "unmix" not in sys.argv[1:]:
        peaks(peak_map())
        dragging()


def unmixing() -> None:
    """Unmix the lambda stack by five of its spectra, and a made stack of four dyes."""
    stack = spectrai.sample("lambda_stack").cube
    brightest = stack.numpy().reshape(-1, 28)
    brightest = brightest[np.argsort(-brightest.sum(1))[[0, 100, 1000, 4000, 8000]]]
    abundances("lambda stack", stack, spectrai.Cube(brightest, stack.axis))
    rng = np.random.default_rng(0)
    bands = np.arange(64)
    dyes = np.stack([np.exp(-(((bands - centre) / 9) ** 2)) for centre in (10, 24, 38, 52)])
    made = rng.random((256, 256, 4)) * (rng.random((256, 256, 4)) < 0.6) @ dyes + rng.normal(0, 0.05, (256, 256, 64))
    abundances("made stack", spectrai.Cube(made.astype(np.float32)), spectrai.Cube(dyes.astype(np.float32)))


if __name__ == "__main__":
    main()
