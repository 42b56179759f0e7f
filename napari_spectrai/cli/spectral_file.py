"""The options with which a command opens a spectral file."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io import read
from napari_spectrai.io.columns import ROLES
from napari_spectrai.layer_axes import SpectralWarning

Dataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="which array of a container; info lists them")]
Spectral = Annotated[int | None, typer.Option("--spectral", help="which dimension holds the bands, for a file that does not say")]
Axis = Annotated[
    str | None,
    typer.Option(
        "--axis", metavar="[FIRST:LAST:]UNIT", help="unit of the file's positions, such as nm; or where its bands lie, 400:700:nm"
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="COLUMN=ROLE", help=f"what a column of a text table is: {', '.join(ROLES)}; repeat it"),
]


def cube_of(
    path: Path, dataset: str | None = None, spectral: int | None = None, axis: str | None = None, columns: list[str] | None = None
) -> Cube:
    """Open a spectral file as the options of a command have it.

    Raises
    ------
    ValueError
        If an option is not written as it has to be, or the file cannot be read so.
    """
    pairs = [column.rpartition("=") for column in columns or []]
    if any(not name or not role for name, _, role in pairs):
        raise ValueError(f"--columns {' '.join(columns or [])}: write COLUMN=ROLE, such as --columns 'Raman Shift=position'")
    with warnings.catch_warnings():
        if axis is not None:  # the answer to what the file leaves open
            warnings.filterwarnings("ignore", r"[\s\S]*give axis=SpectralAxis\(values, unit\)", SpectralWarning)
        cube = read(path, dataset=dataset, spectral=spectral, columns={name: role for name, _, role in pairs} or None)
    if axis is None:
        return cube
    first, _, rest = axis.partition(":")
    last, _, unit = rest.partition(":")
    if not rest:
        return replace(cube, axis=SpectralAxis(cube.axis.values, axis), source=None)
    try:
        values = np.linspace(float(first), float(last), len(cube.axis))
    except ValueError as error:
        raise ValueError(f"--axis {axis}: write a unit, or FIRST:LAST:UNIT, such as 400:700:nm") from error
    return replace(cube, axis=SpectralAxis(values, unit), source=None)


def refuse_missing(*paths: Path) -> None:
    """Refuse what is not there before the work."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
