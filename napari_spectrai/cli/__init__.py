"""The command line. Exit codes: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

from napari_spectrai.cli import evaluate_command as judging
from napari_spectrai.cli import predict_command as applying
from napari_spectrai.cli import train_command as working
from napari_spectrai.cli.common import WRONG_USE, app

__all__ = ["app", "applying", "judging", "main", "working"]


def main(run: Callable[[], None] = app) -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.stderr.write("error: the folder that you are in does not exist any more; change into another one\n")
        raise SystemExit(WRONG_USE) from None
    run()
