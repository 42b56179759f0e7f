"""The command schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, WRONG_USE, Overwrite, app, echo, exit_with, refuse_existing
from napari_spectrai.experiment.schema import schema_text
from napari_spectrai.files import write_text


@app.command(name="schema")
def schema_command(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write; default: print it")] = None,
    plugins: Annotated[bool, typer.Option(help="include the kinds of other installed packages")] = True,
    overwrite: Overwrite = False,
) -> None:
    """Print or write the JSON schema of experiments, with which editors complete and check YAML."""
    with exit_with(WRONG_USE):
        refuse_existing(output, overwrite=overwrite)
    with exit_with(FAILED):
        text = schema_text(plugins=plugins)
        if output is None:
            echo(text, nl=False)
            return
        write_text(output, text)
        echo(output)
