"""The command sample."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from napari_spectrai.cli.common import FAILED, WRONG_USE, Overwrite, app, echo, exit_with, refuse_existing
from napari_spectrai.files import replacing
from napari_spectrai.io import write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.samples import sample, sample_model, sample_names
from napari_spectrai.spec import listed

MODEL = "raman_denoiser"


@app.command(name="sample")
def sample_command(
    name: Annotated[str, typer.Argument(help=f"{', '.join(sample_names())}, or the model {MODEL}")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="folder for the files")] = Path(),
    overwrite: Overwrite = False,
) -> None:
    """Write bundled data as files: NAME.h5, its truth NAME-truth.h5, its classes NAME-labels.tif; or the bundled model."""
    with exit_with(WRONG_USE):
        if name not in (*sample_names(), MODEL):
            raise ValueError(f"there is no sample {name!r}; {listed((*sample_names(), MODEL), name)}")
        known = {kind: folder / f"{name}{end}" for kind, end in (("cube", ".h5"), ("truth", "-truth.h5"), ("labels", "-labels.tif"))}
        model = folder / f"{MODEL}.safetensors"
        refuse_existing(*([model] if name == MODEL else known.values()), overwrite=overwrite)
    with exit_with(FAILED):
        if name == MODEL:
            with replacing(model, needs=sample_model().stat().st_size) as temporary:
                shutil.copyfile(sample_model(), temporary)
            echo(model)
            return
        bundled = sample(name)
        echo(write(bundled.cube, known["cube"]))
        if bundled.truth is not None:
            echo(write(bundled.truth, known["truth"]))
        if bundled.labels is not None:
            echo(write_labels(Labels(bundled.labels, bundled.class_names), known["labels"]))
