"""Notices of what was guessed: warnings in Python, and lines of their own where a command or a dock collects them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class SpectralWarning(UserWarning):
    """Something that data do not define and that was guessed, left open or corrected; the message contains the remedy."""


_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect what is guessed, in this thread alone, instead of warning."""
    found: list[str] = []
    token = _notes.set(found)
    try:
        yield found
    finally:
        _notes.reset(token)


def say_note(note: str) -> None:
    """Warn with a note, in the line that called this package, or add it to what is being collected."""
    collected = _notes.get()
    if collected is not None:
        collected.append(note)
        return
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("napari_spectrai."):
        frame, level = frame.f_back, level + 1
    warnings.warn(note, SpectralWarning, stacklevel=level)
