"""The options with which a command opens a spectral file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.app import say_notes
from napari_spectrai.cube import Cube
from napari_spectrai.io import read
from napari_spectrai.io.columns import ROLES, column_roles
from napari_spectrai.io.reading import existing
from napari_spectrai.notices import noting

Dataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="which array of a container; info lists them")]
TruthDataset = Annotated[
    str | None, typer.Option("--truth-dataset", metavar="NAME", help="which array of the file with the truth, if it holds several")
]
Spectral = Annotated[int | None, typer.Option("--spectral", help="which dimension holds the bands, for a file that does not say")]
Axis = Annotated[
    str | None,
    typer.Option(
        "--axis", metavar="[FIRST:LAST:]UNIT", help="unit of the file's positions, such as nm; or where its bands lie, 400:700:nm"
    ),
]
Shape = Annotated[
    str | None,
    typer.Option("--shape", metavar="HEIGHTxWIDTH", help="the image whose pixels a file lists one after another, such as 40x50"),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="COLUMN=ROLE", help=f"what a column of a text table is: {', '.join(ROLES)}; repeat it"),
]


def cube_of(
    path: Path,
    dataset: str | None = None,
    spectral: int | None = None,
    axis: str | None = None,
    columns: list[str] | None = None,
    shape: str | None = None,
) -> Cube:
    """Open a spectral file as the options of a command have it, and print what it leaves open.

    Raises
    ------
    ValueError
        If an option is not written as it has to be, or the file cannot be read so.
    """
    roles = column_roles(columns or []) or None
    with noting() as notes:
        cube = read(path, dataset=dataset, spectral=spectral, axis=axis, columns=roles, shape=_sides(shape))
    say_notes(notes)
    return cube


def reading_settings(
    dataset: str | None, truth_dataset: str | None, spectral: int | None, axis: str | None, columns: list[str] | None
) -> list[str]:
    """Return how the files of an experiment are read, as settings of its document."""
    column_roles(columns or [])
    given = {"dataset": dataset, "truth_dataset": truth_dataset, "spectral": spectral, "axis": axis, "columns": columns or None}
    return [f"data.{name}={json.dumps(value)}" for name, value in given.items() if value is not None]


def is_table(path: Path) -> bool:
    """Whether a file is a text table, whose columns have roles."""
    return existing(path).module == "text"


def _sides(shape: str | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    if (found := re.fullmatch(r"(\d+)\s*[x×*,]\s*(\d+)", shape.strip())) is None:
        raise ValueError(f"--shape {shape}: write HEIGHTxWIDTH, such as 40x50")
    return int(found.group(1)), int(found.group(2))


def refuse_missing(*paths: Path) -> None:
    """Refuse what is not there before the work."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
