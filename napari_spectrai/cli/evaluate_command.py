"""evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from napari_spectrai.cli.common import (
    FAILED,
    STOPPED,
    WRONG_USE,
    Attached,
    Overwrite,
    app,
    exit_with,
    followed,
    listen_in,
    log_failures,
    refuse_existing,
    refuse_missing,
    refuse_same,
)
from napari_spectrai.experiment.metrics import CLASS_MEANS
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io import read
from napari_spectrai.io.labels import read_labels
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.reports.evaluation_report import write_page
from napari_spectrai.runs import Finished, Saved
from napari_spectrai.spec import listed


@app.command()
def evaluate(
    result: Annotated[Path, typer.Argument(help="a predicted file")],
    truth: Annotated[Path, typer.Argument(help="the truth")],
    task: Annotated[str, typer.Option(help="what was learnt")] = "denoising",
    csv: Annotated[Path | None, typer.Option(help="also write the table here")] = None,
    name: Annotated[str, typer.Option(help="what the result is called in the table")] = "result",
    also: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", help="a further result; repeat it")] = None,
    source: Annotated[Path | None, typer.Option(help="what the results were made from: the row 'raw'")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="the model: its classical methods are applied to the source, as further rows, and spectra that it learnt from are counted"
        ),
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(help="scale the truth's spectra by themselves, results by their source's, to compare shapes: maximum, area …"),
    ] = None,
    match: Annotated[
        bool, typer.Option("--match", help="the numbers of the results are clusters: name each by its commonest class")
    ] = False,
    class_mean: Annotated[
        str,
        typer.Option(help="classes that F1, IoU and Dice are averaged over: truth, or union with those of the result, as scikit-learn"),
    ] = "truth",
    pairing: Annotated[
        Literal["position", "pixels"],
        typer.Option(help="position: files with stage coordinates are compared where they lie; pixels: pixel by pixel"),
    ] = "position",
    maps: Annotated[
        Path | None, typer.Option(help="folder for maps: error and spectral angle of each pixel, or which pixels are wrong (.zarr)")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="also write a page with tables, curves and maps here")] = None,
    overwrite: Overwrite = False,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Print the scores of results against the truth, with the raw source and classical methods for comparison.

    Scores are of the intensities in the files, unless --normalise says otherwise.
    """
    folder = listen_in(run, attached=attached)
    with exit_with(WRONG_USE):
        tells = tasks[task].truth == "labels"
        files = {name: result} | dict(_named(text) for text in also or [])
        if len(files) != 1 + len(also or []):
            raise ValueError(f"two results have the same name; choose others than {listed(files)}")
        _refuse_unknown(normalise, class_mean)
        if model is not None and source is None:
            raise ValueError("--model applies its classical methods to a source; name it with --source")
        if html is not None and html.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{html.name}: the page is HTML; name it {html.stem}.html")
        given = [*files.values(), truth, *(path for path in (source, model) if path is not None)]
        refuse_missing(*given)
        for output in (csv, html, maps):
            if output is not None:
                refuse_same(output, *given)
        taken = sorted(maps.glob("*.zarr")) if maps is not None else []
        refuse_existing(csv, html, maps if maps is not None and not maps.is_dir() else None, *taken[:1], overwrite=overwrite)
    with exit_with(FAILED), log_failures(folder):
        from napari_spectrai.learn.evaluation.cubes import judging

        opened: Any = read_labels if tells else read
        results = {label: opened(file) for label, file in files.items()}
        noisy = None if source is None else read(source)
        rule: Any = class_mean
        steps = judging(
            results, opened(truth), task, source=noisy, model=model, normalise=normalise, match=match, class_mean=rule, pairing=pairing
        )
        judgement = followed(steps, folder, "judging")
        if judgement is not None:
            typer.echo(judgement)
            if csv is not None:
                judgement.to_csv(csv)
            if html is not None:
                write_page(judgement, html)
            if maps is not None:
                judgement.save_maps(maps)
            if folder is not None:
                folder.append(Saved("result", str(judgement.save(folder.path / "judgement"))))
                folder.append(Finished("done"))
    if judgement is None:
        raise typer.Exit(STOPPED)


def _refuse_unknown(normalise: str | None, class_mean: str) -> None:
    ways = get_args(Normalise.model_fields["by"].annotation)
    if normalise is not None and normalise not in ways:
        raise ValueError(f"there is no way {normalise!r} to normalise; {listed(ways, normalise)}")
    if class_mean not in CLASS_MEANS:
        raise ValueError(f"there is no mean over {class_mean!r}; {listed(CLASS_MEANS, class_mean)}")


def _named(text: str) -> tuple[str, Path]:
    """Return the name and the file of a further result; where a name holds an equals sign, the file is what exists."""
    parts = text.split("=")
    pairs = [("=".join(parts[:cut]), Path("=".join(parts[cut:]))) for cut in range(1, len(parts))]
    if not pairs or not pairs[0][0]:
        raise ValueError(f"{text!r} names no result; write NAME=FILE, such as ridge=ridge.zarr")
    return next((pair for pair in pairs if pair[1].exists()), pairs[0])
