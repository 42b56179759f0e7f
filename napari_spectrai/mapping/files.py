"""Maps as files: one image for each map, curves and table as CSV."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Literal

import numpy as np

from napari_spectrai.cells import safe_row
from napari_spectrai.cube import Cube
from napari_spectrai.files import make_folder, replacing
from napari_spectrai.io import write
from napari_spectrai.mapping.kind import Doubles, Maps, Row
from napari_spectrai.mapping.references import NAMES

MapFormat = Literal["tiff", "npy"]


def write_maps(result: Maps, folder: str | Path, source: Cube | None = None, format: MapFormat = "tiff") -> list[Path]:  # noqa: A002
    """Write maps into a folder, which is created if it does not exist; return the files written.

    Parameters
    ----------
    result : Maps
    folder : str or Path
    source : Cube, optional
        The cube that the maps were computed from; its pixel size goes into the TIFF files.
    format : ``"tiff"`` or ``"npy"``
        ``"tiff"``: float32 in the layout of ImageJ, with pixel size and unit. ``"npy"``: float64.

    Notes
    -----
    Maps of a set of spectra, which is no image, go into one table, ``maps.csv``. The table of the result is ``table.csv``, the
    spectra of its components are ``curves.csv``, which `napari_spectrai.read` opens.
    """
    folder = make_folder(folder)
    written = []
    flat = {name: values for name, values in result.maps.items() if values.ndim == 1}
    if flat:
        rows: list[Row] = [
            {"spectrum": number, **{name: float(values[number]) for name, values in flat.items()}}
            for number in range(len(next(iter(flat.values()))))
        ]
        written.append(write_rows(rows, folder / "maps.csv"))
    for name, values in result.maps.items():
        if values.ndim > 1:
            written.append(_write_image(values, folder / f"{file_name(name)}.{'tif' if format == 'tiff' else 'npy'}", source))
    if result.table:
        written.append(write_rows(result.table, folder / "table.csv"))
    if result.curves is not None:
        written.append(write_curves(result.curves, folder / "curves.csv"))
    return written


def file_name(name: str) -> str:
    """Return a map's name without characters that some file systems refuse."""
    return re.sub(r"_+", "_", re.sub(r"[^\w.()-]+", "_", name.replace("–", "-").replace("/", "over").replace("%", "percent"))).strip("_. ")


def write_rows(rows: list[Row], path: Path) -> Path:
    """Write rows of plain values as CSV; missing values are empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(safe_row(columns))
        lines.writerows(safe_row(row.get(name, "") for name in columns) for row in rows)
    return path


def write_curves(curves: Cube, path: Path) -> Path:
    """Write spectra of components as CSV: a column of positions and one for each component, under their names."""
    names = [str(name).replace(",", " ") for name in curves.metadata.get(NAMES, ())]
    if path.suffix.lower() != ".csv" or len(names) != len(curves.data):
        return write(curves, path)
    values = np.column_stack([curves.axis.values, np.asarray(curves.data, np.float64).T])
    with replacing(path) as temporary:
        head = ",".join(safe_row([curves.axis.label.replace(",", " "), *names]))
        np.savetxt(temporary, values, fmt="%.9g", delimiter=",", header=head, comments="", encoding="utf-8")
    return path


def _write_image(values: Doubles, path: Path, source: Cube | None) -> Path:
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, values, allow_pickle=False)
            return path
        import tifffile

        size = None if source is None else source.pixel_size
        more = {}
        if size is not None and source is not None:
            more = {"resolution": (1 / size[1], 1 / size[0]), "metadata": {"unit": source.pixel_unit}}
        imagej = 2 <= values.ndim <= 3
        tifffile.imwrite(temporary, values.astype(np.float32), imagej=imagej, **(more if imagej else {}))  # type: ignore[arg-type]
    return path
