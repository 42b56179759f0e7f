"""How long a mouse move takes the window, with the Spectra dock open: over layers in memory and over a Zarr store (needs a display).

Run it with ``python benchmarks/spectra_dock.py``; without a display under ``xvfb-run -a``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_spectrai import Cube, SpectralAxis, read, write
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layers import add_cube


def moves(dock: object, viewer: napari.Viewer, count: int = 200) -> np.ndarray:
    """Return milliseconds that each move kept the main thread."""
    took = []
    for number in range(count):
        start = time.perf_counter()
        dock.look_at((550.0, number % 250, (7 * number) % 250))  # type: ignore[attr-defined]
        took.append((time.perf_counter() - start) * 1e3)
        QApplication.processEvents()
    return np.array(took)


def main() -> None:
    """Print the times."""
    rng = np.random.default_rng(0)
    axis = SpectralAxis(np.linspace(400, 700, 256), "nm")
    cube = Cube(rng.random((256, 256, 256), np.float32), axis, name="memory")
    viewer = napari.Viewer(show=True)
    dock = opened(viewer, "Spectra")
    for layers in (1, 3):
        while len(viewer.layers) < layers:
            add_cube(viewer, cube, name=f"memory {len(viewer.layers)}")
        took = moves(dock, viewer)
        print(f"{layers} in memory, 256³: median {np.median(took):.2f} ms, 95 % under {np.percentile(took, 95):.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        viewer.layers.clear()
        add_cube(viewer, read(write(cube, Path(folder) / "cube.zarr")), name="zarr")
        took = moves(dock, viewer)
        print(f"Zarr store, 256³: median {np.median(took):.2f} ms, 95 % under {np.percentile(took, 95):.2f} ms (read in the background)")
        viewer.close()


if __name__ == "__main__":
    main()
