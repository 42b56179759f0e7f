"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, WRONG_USE, Overwrite, app, echo, exit_with, refuse_existing, refuse_missing, refuse_same
from napari_spectrai.experiment.package import export_suffix


@app.command(name="export")
def export_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="a model file (.safetensors)")],
    output: Annotated[Path, typer.Option("--output", "-o", help="file to write: .onnx, .pt2 or .bioimage.zip")],
    overwrite: Overwrite = False,
) -> None:
    """Write a model for other programs, with its preparation: ONNX, torch.export (.pt2) or BioImage Model Zoo (.bioimage.zip)."""
    with exit_with(WRONG_USE):
        export_suffix(output)
        refuse_missing(model)
        refuse_same(output, model)
        refuse_existing(output, overwrite=overwrite)
    with exit_with(FAILED):
        from napari_spectrai import Model

        written = Model.load(model).export(output)
        echo(written)
