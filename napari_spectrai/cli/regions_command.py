"""The command regions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import (
    FAILED,
    WRONG_USE,
    Axis,
    Columns,
    Dataset,
    Overwrite,
    Shape,
    Spectral,
    app,
    cube_of,
    echo,
    exit_with,
    refuse_existing,
    refuse_missing,
    refuse_same,
)
from napari_spectrai.io.labels import read_labels
from napari_spectrai.mapping.regions import region_means


@app.command(name="regions")
def regions_command(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file")],
    labels: Annotated[Path, typer.Argument(help="its label image: the class, or the number of the object, of each pixel")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".h5ad (AnnData, for single-cell tools) or .csv")],
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the mean spectrum of each labelled region as .h5ad or .csv."""
    with exit_with(WRONG_USE):
        refuse_missing(source, labels)
        refuse_existing(output, overwrite=overwrite)
        refuse_same(output, source, labels)
        if output.suffix.lower() not in (".h5ad", ".csv"):
            raise ValueError(f"{output.name}: region means are written as .h5ad or .csv; name it {output.stem}.h5ad")
    with exit_with(FAILED):
        echo(region_means(cube_of(source, dataset, spectral, axis, columns, shape), read_labels(labels)).write(output))
