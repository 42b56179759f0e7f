"""Common parts of the commands: signals, progress, refusals."""

from __future__ import annotations

import atexit
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.progress import Progress as Bar

from napari_spectrai.cli.app import DONE, FAILED, STOPPED, WRONG_USE, app, console, echo, exit_with, in_words, say_error, say_notes
from napari_spectrai.cli.spectral_file import (
    Axis,
    Columns,
    Dataset,
    Shape,
    Spectral,
    TruthDataset,
    cube_of,
    is_table,
    reading_settings,
    refuse_missing,
)
from napari_spectrai.files import refuse_unwritable
from napari_spectrai.io import FORMATS, writer_of
from napari_spectrai.remedies import advising_everywhere
from napari_spectrai.runs import Failed, Finished, Progress, RunFolder
from napari_spectrai.runs.process_info import works_alone
from napari_spectrai.runs.result_table import NAME
from napari_spectrai.runs.scratch import discard
from napari_spectrai.runs.workers import TIED
from napari_spectrai.spec import listed

__all__ = [
    "DONE", "FAILED", "STOPPED", "WRONG_USE", "Axis", "Columns", "Dataset", "Shape", "Spectral", "TruthDataset", "app", "console",
    "cube_of", "echo", "exit_with", "is_table", "reading_settings", "refuse_missing", "say_notes", "say_rows",
]  # fmt: skip
GRACE = 20.0
"""Seconds that an attached job gets to save after its starter has died."""


def listen(folder: RunFolder, *, attached: bool) -> None:
    """On a signal, or on the death of the starter, write the stop command into the run folder."""

    def on_signal(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # the second signal kills
        if number == getattr(signal, "SIGHUP", None):
            leave_terminal()
        folder.stop_here()

    on_signals(on_signal)
    works_alone(started=attached)

    def watch() -> None:
        let_go = os.read(0, 1)  # not sys.stdin, whose lock would be held while the interpreter ends
        atexit.register(discard, folder)  # in either case nobody follows the job
        if let_go:
            return  # a byte is the command to keep running, whatever happens to the starter
        folder.stop_here()
        time.sleep(GRACE)
        discard(folder)
        os._exit(STOPPED)

    if attached:
        _advise_in_window()
        threading.Thread(target=watch, daemon=True).start()


Attached = Annotated[bool, typer.Option("--attached", hidden=True, help="stop when standard input ends")]


def exit_on_signal(number: int, frame: Any) -> None:
    """Exit at once, on a signal."""
    if number == getattr(signal, "SIGHUP", None):
        leave_terminal()
    raise SystemExit(STOPPED)  # unfinished files are removed on the way out


@contextmanager
def log_failures(folder: RunFolder | None) -> Iterator[None]:
    """Also record failures in a run's journal."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, MemoryError, ImportError) as error:
        if folder is not None:
            folder.append(Failed(in_words(error)))
        if not isinstance(error, FileNotFoundError):
            raise
        say_error(error)  # a name that leads nowhere is the same mistake in every command
        raise typer.Exit(WRONG_USE) from error


def listen_in(run: Path | None, *, attached: bool) -> RunFolder | None:
    """Handle signals: through the run folder if there is one, else by exiting at once."""
    if run is not None:
        folder = RunFolder(run)
        listen(folder, attached=attached)
        return folder
    on_signals(exit_on_signal)
    if os.environ.get(TIED):
        threading.Thread(target=_end_with_starter, daemon=True).start()
    return None


def listen_to_leader(ask: Callable[[], None]) -> None:
    """Pass a signal on to the process that leads a training, which stops it for all; end with that process."""

    def on_signal(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # the second signal kills
        ask()

    on_signals(on_signal)
    if os.environ.get(TIED):
        threading.Thread(target=_end_with_starter, daemon=True).start()


def _advise_in_window() -> None:
    """Word remedies for a person who works in the window that started this job."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.with_resource(advising_everywhere("window"))


def _end_with_starter() -> None:
    """Wait until standard input ends, as it does when the starter dies; what is unfinished then is repeated."""
    while os.read(0, 1):
        pass
    os._exit(STOPPED)


def on_signals(handler: Callable[[int, Any], None]) -> None:
    """Handle what ends a process in order: a word from outside, Ctrl-C, the terminal that closes."""
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):  # nohup: it is to go on
            signal.signal(number, handler)


def leave_terminal() -> None:
    """Write no more to a terminal that has closed: each line would be an error."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            if stat.S_ISCHR(os.fstat(stream).st_mode):  # one that has closed is no longer called a terminal
                os.dup2(nowhere, stream)
        os.close(nowhere)


def refuse_same(output: Path, *read: Path) -> None:
    """Refuse an output that is also an input."""
    if any(other.exists() and other.resolve() == output.resolve() for other in read):
        raise ValueError(f"{output} is an input of this command and would be overwritten; choose another output")


Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace results that exist")]


def refuse_existing(*outputs: Path | None, overwrite: bool) -> None:
    """Refuse to write over what exists without being asked to, and into folders that do not exist or cannot be written."""
    for output in outputs:
        if output is None:
            continue
        if not output.parent.is_dir():
            raise FileNotFoundError(f"{output.parent}: no such folder, to write {output.name} into; make it first, or choose another")
        if not overwrite and os.path.lexists(output):
            raise FileExistsError(f"{output} exists; add --overwrite to replace it, or choose another name")
        refuse_unwritable(output)


def refuse_unwritten(output: Path) -> None:
    """Refuse an output format that cannot be written, before the work starts."""
    writable = {suffix for known in FORMATS if known.writes for suffix in known.suffixes}
    try:
        writes = writer_of(output).writes
    except ValueError:  # not read either, which is not the question here
        writes = False
    if not writes:
        raise ValueError(f"{output.name}: results cannot be written in this format; {listed(writable)}")


def say_rows(rows: Sequence[Mapping[str, Any]], table: Path) -> None:
    """Say where the table of a folder is, and which files failed; exit with an error if one did.

    `table` is its file, or a folder that holds it under its usual name.
    """
    failed = [row for row in rows if not row["result"]]
    console.print(
        f"{len(rows) - len(failed)} of {len(rows)} files: {table / NAME if table.is_dir() else table}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    say_notes([f"{row['file']}: {row['remarks']}" for row in failed])
    if failed:
        raise typer.Exit(FAILED)


def followed(steps: Any, folder: RunFolder | None, what: str, *, stopped: Any = None) -> Any:
    """Drain a generator of progress with a progress bar, and record it in the folder; return its value, or `stopped` if it was stopped.

    A stop command that arrives when everything is done is ignored.
    """
    left = True
    with Bar(console=console) as bar:
        task = bar.add_task(what, total=None)
        while True:
            if left and folder is not None and folder.command() == "stop":
                steps.close()
                folder.append(Finished("stopped"))
                return stopped
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            progress = step if isinstance(step, Progress) else Progress(*step)
            left = progress.done < progress.total
            bar.update(task, completed=progress.done, total=progress.total)
            if folder is not None:
                folder.append(progress)
