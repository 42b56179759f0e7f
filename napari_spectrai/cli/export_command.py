"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, WRONG_USE, Overwrite, app, console, exit_with, refuse_existing, refuse_missing, refuse_same


@app.command(name="export")
def export_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="a model file (.safetensors)")],
    output: Annotated[Path, typer.Option("--output", "-o", help="file to write: .onnx or .pt2")],
    overwrite: Overwrite = False,
) -> None:
    """Write a model for other programs: ONNX (.onnx) or a program of torch.export (.pt2), with its preparation in the graph."""
    with exit_with(WRONG_USE):
        refuse_missing(model)
        refuse_same(output, model)
        refuse_existing(output, overwrite=overwrite)
    with exit_with(FAILED):
        from napari_spectrai import Model

        written = Model.load(model).export(output)
        console.print(str(written), highlight=False, soft_wrap=True, markup=False)
