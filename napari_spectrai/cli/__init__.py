"""The command line. Exit codes: 0 done, 1 failed, 2 usage error, 3 stopped and resumable."""

from __future__ import annotations

import atexit
import gc
import io
import sys
from collections.abc import Callable
from pathlib import Path

from napari_spectrai.cli.app import WRONG_USE, app

__all__ = ["app", "main"]


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    atexit.register(gc.freeze)  # at the end, last of all: with torch loaded, the search for garbage takes a second
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.stderr.write("error: the folder that you are in does not exist any more; change into another one\n")
        raise SystemExit(WRONG_USE) from None
    run()
