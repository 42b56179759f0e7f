"""Commands in parts: one of them, all by processes on this machine, or all by the workers of a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spectrai.cli.app import GIVEN, STOPPED, console
from napari_spectrai.cli.common import followed
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.cluster import Job, computing, connected, parts_for
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_record import PartRecord
from napari_spectrai.runs.workers import working

PartOption = Annotated[
    str | None,
    typer.Option("--part", metavar="i/n", help="compute only one of n parts, which all write into the same output, in any order"),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, max=1024, metavar="N", help="compute in parts by N processes, each with a GPU of its own if there are several"
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="compute in parts by the workers of Dask's scheduler, such as tcp://host:8786"),
]

How = tuple[Part, int | None, str | None]
"""The part of a command, the number of its processes, and the address of a scheduler."""


def chosen_part(part: str | None, workers: int | None, scheduler: str | None, store: Path | None) -> Part | None:
    """Return the part that this process does itself, None if the command is not divided.

    Raises
    ------
    ValueError
        If it is not written as it has to be, or several ways to divide the command are given.
    """
    given = [name for name, value in (("--part", part), ("--workers", workers), ("--scheduler", scheduler)) if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other; choose one of them")
    if part is not None:
        return Part.parse(part)
    if not given:
        return None
    started = None if store is None else PartRecord.started(store)
    return Part(1, started or workers or 1)  # with a scheduler, the number follows from its workers


def done_elsewhere(
    only: Part, workers: int | None, scheduler: str | None, *, store: Path, job: Job, folder: RunFolder | None, what: str
) -> Part:  # fmt: skip
    """Let processes, or the workers of a scheduler, do all parts, where that is wanted; return the part that is left to this process."""
    if workers is not None:
        _followed_or_stopped(working(_without("--workers"), PartRecord(store, only.count), workers), folder, what)
    if scheduler is not None:
        client = connected(scheduler)
        try:
            only = Part(1, parts_for(client, store))
            _followed_or_stopped(computing(client, job, PartRecord(store, only.count)), folder, what)
        finally:
            client.close()
    return only


def _followed_or_stopped(steps: Any, folder: RunFolder | None, what: str) -> None:
    if followed(steps, folder, what, stopped=STOPPED) == STOPPED:
        raise typer.Exit(STOPPED)


def _without(option: str) -> list[str]:
    """Return the arguments of this command without an option and its value, and without what only this process is given."""
    left, skipped = list[str](), False
    for word in GIVEN:
        if skipped:
            skipped = False
        elif word in (option, "--run"):
            skipped = True
        elif word != "--attached" and not word.startswith((f"{option}=", "--run=")):
            left.append(word)
    return left


def refuse_overwriting_parts(output: Path, *, overwrite: bool) -> None:
    """Refuse to remove what other parts have written."""
    if overwrite:
        raise ValueError(f"--overwrite would remove the results of other parts; remove {output} yourself, or choose another output")


def refuse_no_store(output: Path) -> None:
    """Refuse a result of parts that is no Zarr store."""
    if output.suffix != ".zarr":
        raise ValueError(f"{output.name}: parts are written into one .zarr store; name it {output.stem}.zarr")


def say_part(part: Part, *, complete: bool) -> None:
    """Print that a part is finished, and whether it was the last."""
    console.print(f"part {part} is finished; {'the result is complete' if complete else 'others are missing'}", highlight=False)
