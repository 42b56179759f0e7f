"""The command curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, WRONG_USE, Overwrite, app, echo, exit_with, refuse_existing, refuse_missing
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.curves import write_curves
from napari_spectrai.runs.tensorboard import write_tensorboard


@app.command(name="curves")
def curves_command(
    run: Annotated[Path, typer.Argument(help="folder of a run")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="CSV file: one row per epoch, with losses, metrics and learning rate; or, without suffix, a new folder for TensorBoard",
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write the curves of a run as CSV, one row per epoch, or for TensorBoard."""
    with exit_with(WRONG_USE):
        refuse_missing(run)
        RunFolder(run).refuse_none()
        refuse_existing(output, overwrite=overwrite)
        if output.suffix.lower() not in (".csv", ""):
            raise ValueError(f"{output.name}: curves are written as CSV, or into a folder for TensorBoard; name it {output.stem}.csv")
    with exit_with(FAILED):
        echo((write_curves if output.suffix else write_tensorboard)(RunFolder(run), output))
