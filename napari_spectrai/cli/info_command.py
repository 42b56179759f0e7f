"""The command info, which imports what a kind of file needs once it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spectrai.cli.app import FAILED, app, echo, exit_with
from napari_spectrai.cli.spectral_file import Axis, Columns, Dataset, Shape, Spectral, cube_of, refuse_missing
from napari_spectrai.io import SeveralArraysError, columns_of, inspect
from napari_spectrai.io.labels import PICTURES, holds_labels, read_labels
from napari_spectrai.remedies import where

_SHOWN = 30
"""How many columns of a table are listed."""


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="a model, a run folder, an experiment or a spectral file")],
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
) -> None:
    """Describe a file."""
    with exit_with(FAILED):
        refuse_missing(path)
        if path.suffix == ".safetensors":
            from napari_spectrai.experiment.card import read_card

            echo(read_card(path))
        elif (path / "experiment.yml").exists():
            from napari_spectrai.runs import RunFolder

            echo(f"run, {RunFolder(path).state()}\n{RunFolder(path).experiment().to_yaml()}")
        elif path.suffix in (".yml", ".yaml"):
            from napari_spectrai.cli.experiment_file import opened

            echo(opened(path).to_yaml())
        else:
            _describe(path, dataset=dataset, spectral=spectral, axis=axis, columns=columns, shape=shape)


def _describe(path: Path, **options: Any) -> None:
    """Print the arrays of a file, then its labels or its cube."""
    if path.suffix.lower() in PICTURES:
        echo(read_labels(path))
        return
    for name, sides in inspect(path).items():
        echo(f"{name}: {' × '.join(map(str, sides))}")
    if holds_labels(path):
        echo(read_labels(path))
        return
    for column in columns_of(path)[:_SHOWN]:
        echo(f"column {column.name}: {column.role}")
    try:
        echo(cube_of(path, **options))
    except SeveralArraysError:
        echo(f"several arrays: choose one {where('dataset')}")
