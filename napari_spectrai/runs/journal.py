"""The journal of a run: a file with one event per line, to which the process that works appends, and which others read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from napari_spectrai.files import replacing, unwritable
from napari_spectrai.parsing import LARGEST, refuse_special
from napari_spectrai.runs.events import Event, Failed, Finished, Saved, from_json, to_json


def readable(line: bytes) -> Event | None:
    """Return the event in a line of a journal, None where it is damaged."""
    try:
        return from_json(line.decode("utf-8"))
    except ValueError:
        return None


def gone(folder: Path) -> str:
    """Return a sentence about a run folder that has vanished."""
    return f"{folder} was moved or removed, or its disk is gone, while the run was working; put it back and resume, or start a new run"


def append(journal: Path, event: Event) -> None:
    """Append an event.

    Raises
    ------
    RuntimeError
        If the folder has vanished.
    OSError
        If the file cannot be written; the message contains the remedy.
    """
    refuse_special(journal)
    line = to_json(event).encode() + b"\n"
    try:
        with journal.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # after the torn line of a killed writer
            file.write(line)
            file.flush()
            if isinstance(event, Saved | Finished | Failed):
                os.fsync(file.fileno())
    except OSError as error:
        if not journal.parent.is_dir():
            raise RuntimeError(gone(journal.parent)) from error
        raise unwritable(error, journal, len(line)) from error


def lines(journal: Path) -> Iterator[Event | None]:
    """Yield the event in each whole line, None for one that cannot be read."""
    refuse_special(journal)
    if journal.exists():
        with journal.open("rb") as file:
            while line := file.readline(LARGEST):
                if line.endswith(b"\n"):
                    yield readable(line)
                elif len(line) == LARGEST:  # no event is as long; what follows until the end of the line belongs to it
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LARGEST)
                    yield None


def cut_back(journal: Path, length: int) -> None:
    """Cut the journal back to `length` bytes; a resumed run repeats what is removed.

    A new file replaces it, from which readers recognise that they must start again.
    """
    if journal.exists():
        kept = journal.read_bytes()[:length]
        with replacing(journal) as temporary:
            temporary.write_bytes(kept)


def last_event(journal: Path) -> Event | None:
    """Return the last event that can be read, reading only the end of the file; None if there are no lines.

    Raises
    ------
    ValueError
        If there are lines, and none can be read.
    """
    refuse_special(journal)
    length = journal.stat().st_size if journal.exists() else 0
    if not length:
        return None
    with journal.open("rb") as file:
        read = 0
        while True:  # most events are short; confusion matrices of many classes are not
            read = min(length, max(8_192, 4 * read), LARGEST)
            file.seek(-read, os.SEEK_END)
            first, *later = file.read(read).split(b"\n")[:-1] or [b""]
            later = [first, *later] if read == length else later  # else the first one is cut
            known = next((event for line in reversed(later) if (event := readable(line)) is not None), None)
            if known is not None or read in (length, LARGEST):
                break
    if known is None and (any(later) or read < length):
        raise ValueError(f"{journal} is damaged, or of another version: no line of it can be read")
    return known
