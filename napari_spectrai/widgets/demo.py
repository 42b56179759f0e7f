"""Last part of the demo: open napari on the denoised Raman pairs (``python -m napari_spectrai.widgets.demo FOLDER``)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_spectrai.io import read
from napari_spectrai.samples import sample
from napari_spectrai.widgets.layers import add_cube
from napari_spectrai.widgets.plot import SOURCE, TRUTH, Plot
from napari_spectrai.widgets.spectra_dock.spectra_dock import SpectraDock

ROWS = (850, 900, 950)
"""Number of test spectra in the figure."""


def figure(viewer: napari.Viewer, folder: Path) -> Path:
    """Save a plot of a few test spectra (noisy, denoised, true), each divided by its own maximum."""
    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    result = read(folder / "denoised.zarr")
    plot = Plot(
        viewer, x="Band number (the source gives no axis)", y="Intensity / maximum, one spectrum above the other", height=560, name="figure"
    )
    for place, row in enumerate(ROWS):
        scale = float(pairs.cube.data[row].max())
        truth = np.asarray(pairs.truth.data[row]) / float(pairs.truth.data[row].max())
        for name, values, colour, width in (
            ("noisy", pairs.cube.data[row] / scale, SOURCE, 0.8),
            ("truth", truth, TRUTH, 1.4),
            ("denoised", np.asarray(result.data[row]) / scale, plot.accent, 1.8),
        ):
            plot.curve(
                f"{name}{row}" if place else name, pairs.cube.axis.values, values + 1.1 * place, colour, width=width, legend=not place
            )
    plot.native.resize(900, 580)
    plot.native.show()
    path = folder / "spectra.png"
    plot.save(str(path))
    plot.close()
    return path


def show(folder: Path) -> napari.Viewer:
    """Open napari on noisy, denoised and true spectra, with the Spectra dock."""
    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    viewer = napari.Viewer(title="napari-spectrai demo", show=True)
    viewer.window.resize(1280, 800)
    for cube, name in ((pairs.cube, "noisy"), (pairs.truth, "truth"), (read(folder / "denoised.zarr"), "denoised")):
        add_cube(viewer, cube.with_data(cube.data, name=name), colormap="viridis")
    dock = SpectraDock(viewer)
    viewer.window.add_dock_widget(dock, name="Spectra")
    dock.look_at((250.0, 900.0))
    return viewer


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--screenshot", action="store_true", help="save napari.png and close")
    arguments = parser.parse_args()
    viewer = show(arguments.folder)
    print(f"figure: {figure(viewer, arguments.folder)}")  # noqa: T201
    if arguments.screenshot:
        for _ in range(20):  # until the dock is laid out
            QApplication.processEvents()
            time.sleep(0.05)
        path = arguments.folder / "napari.png"
        viewer.screenshot(str(path), canvas_only=False)
        print(f"screenshot: {path}")  # noqa: T201
        viewer.close()
    else:
        napari.run()


if __name__ == "__main__":
    main()
