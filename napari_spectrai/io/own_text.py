"""The text that is written here: a column of positions and one per spectrum, below a line with shape, axis and pixel size."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.found import RawArray
from napari_spectrai.io.texts import lines_of

OURS = "# napari-spectrai "
"""How the first line begins."""


def own_numbers(content: str) -> npt.NDArray[np.float64]:
    """Return the table that `write` wrote: two lines of words, and numbers throughout."""
    lines = [line for line in lines_of(content)[2:] if line.strip()]
    if not lines:
        raise ValueError("it holds no numbers; it is truncated")
    delimiter = next((mark for mark in ("\t", ",") if mark in lines[0]), None)
    return np.loadtxt(io.StringIO("\n".join(lines)), delimiter=delimiter, ndmin=2, comments=None)


def own(header: dict[str, Any], numbers: npt.NDArray[np.float64]) -> RawArray:
    """Return the cube that the first line describes."""
    shape, dtype = tuple(int(length) for length in header["shape"]), np.dtype(header["dtype"])
    if dtype.kind not in "fiub" or numbers.shape != (shape[-1], 1 + int(np.prod(shape[:-1]))):
        raise ValueError(f"its table of {numbers.shape} does not hold the {shape} that its first line promises; it is truncated")
    return from_header(numbers[:, 1:].T.reshape(shape).astype(dtype), header)


def write(cube: Cube, path: Path) -> None:
    """Write a column of positions and one column per spectrum, below a line that keeps shape, axis and pixel size exactly."""
    kind = cube.data.dtype
    if kind.kind in "iu" and kind.itemsize == 8 and np.abs(np.asarray(cube.data)).max() > 2**53:
        raise ValueError(f"text holds whole numbers up to 2^53 exactly, and this cube of {kind} has larger ones; choose .npz or .h5")
    digits = {"f": "%.9g" if kind.itemsize <= 4 else "%.17g"}.get(kind.kind, "%d")
    spectra = np.asarray(cube.data).reshape(-1, len(cube.axis))
    header = header_of(cube) | {"shape": list(cube.shape), "dtype": kind.str}
    delimiter = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), "\t")
    places = [" ".join(map(str, place)) for place in np.ndindex(cube.spatial_shape)]
    table = np.column_stack([cube.axis.values, spectra.T.astype(np.float64)])
    with path.open("w", encoding="utf-8") as file:
        file.write(OURS + json.dumps(header) + "\n")
        file.write(delimiter.join([cube.axis.label.replace(",", " "), *places]) + "\n")
        np.savetxt(file, table, fmt=["%.17g", *[digits] * len(spectra)], delimiter=delimiter)
